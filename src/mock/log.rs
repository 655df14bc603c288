//! The log of one partition: record batches in memory, offsets, retention, and what is remembered of idempotent producers.

use super::batch::{self, add_sequence, Header};
use crate::error::RespErr;
use std::collections::{HashMap, VecDeque};

/// Batches remembered per idempotent producer, as Kafka's `ProducerStateEntry.NUM_BATCHES_TO_RETAIN`.
const REMEMBERED_BATCHES: usize = 5;
/// Idempotent producers remembered per partition; past this many, the one that was quiet longest is forgotten.
const REMEMBERED_PRODUCERS: usize = 10_000;

/// How a log keeps what it is given.
#[derive(Clone, Copy, Debug)]
pub struct LogConfig {
    /// Bytes of batches kept; the oldest are dropped beyond (`retention.bytes`). The newest batch always stays.
    pub retention_bytes: usize,
    /// Count and drop every batch at once: for measuring producers.
    pub discard: bool,
    /// `message.timestamp.type=LogAppendTime`.
    pub log_append_time: bool,
}

/// Where an accepted batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: i64,
    /// Milliseconds since the epoch with LogAppendTime, else −1.
    pub append_time_ms: i64,
    /// The batch was there already (same producer, epoch and sequences), and `base_offset` is that of the first time.
    pub duplicate: bool,
}

struct Stored {
    last_offset: i64,
    max_timestamp: i64,
    bytes: Box<[u8]>,
}

#[derive(Clone, Copy)]
struct SeenBatch {
    first_sequence: i32,
    last_sequence: i32,
    appended: Appended,
}

struct ProducerState {
    epoch: i16,
    /// The newest [`REMEMBERED_BATCHES`], oldest first; empty after the epoch rose.
    batches: VecDeque<SeenBatch>,
    last_used: u64,
}

/// The log of one partition. Not thread-safe: the partition's lock guards it.
pub struct Log {
    config: LogConfig,
    batches: VecDeque<Stored>,
    bytes: usize,
    start_offset: i64,
    end_offset: i64,
    producers: HashMap<i64, ProducerState>,
    appends: u64,
    duplicates: u64,
}

impl Log {
    pub fn new(config: LogConfig) -> Log {
        Log {
            config,
            batches: VecDeque::new(),
            bytes: 0,
            start_offset: 0,
            end_offset: 0,
            producers: HashMap::new(),
            appends: 0,
            duplicates: 0,
        }
    }

    /// The first offset that can be read (`logStartOffset`).
    pub fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// The offset that the next record gets; also the high watermark, for nothing here waits for replicas.
    pub fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// Bytes of batches kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Batches that came again and were answered with their first offset.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Appends a batch that [`batch::check`] has passed: gives it offsets and the leader epoch.
    ///
    /// An idempotent producer's batch is checked against its last five as Kafka's `ProducerStateManager` does; the error
    /// is OUT_OF_ORDER_SEQUENCE_NUMBER or INVALID_PRODUCER_EPOCH.
    pub fn append(&mut self, bytes: &[u8], h: &Header, leader_epoch: i32, now_ms: i64) -> Result<Appended, RespErr> {
        self.appends += 1;
        if h.producer_id >= 0 {
            if let Some(first) = self.check_sequence(h)? {
                self.duplicates += 1;
                return Ok(Appended { duplicate: true, ..first });
            }
        }
        let append_time_ms = if self.config.log_append_time { now_ms } else { -1 };
        let appended = Appended { base_offset: self.end_offset, append_time_ms, duplicate: false };
        self.end_offset += h.count as i64;
        if h.producer_id >= 0 {
            self.remember(h, appended);
        }
        if self.config.discard {
            self.start_offset = self.end_offset;
            return Ok(appended);
        }
        let mut bytes: Box<[u8]> = bytes.into();
        batch::assign(&mut bytes, appended.base_offset, leader_epoch);
        let mut max_timestamp = h.max_timestamp;
        if self.config.log_append_time {
            batch::stamp_append_time(&mut bytes, now_ms);
            max_timestamp = now_ms;
        }
        self.bytes += bytes.len();
        self.batches.push_back(Stored { last_offset: self.end_offset - 1, max_timestamp, bytes });
        while self.bytes > self.config.retention_bytes && self.batches.len() > 1 {
            if let Some(old) = self.batches.pop_front() {
                self.bytes -= old.bytes.len();
                self.start_offset = old.last_offset + 1;
            }
        }
        Ok(appended)
    }

    /// `Ok(Some)`: a duplicate, and where it is. `Ok(None)`: in sequence. A producer that is not known here may start
    /// with any sequence, as in Kafka, whose own state may have expired.
    fn check_sequence(&self, h: &Header) -> Result<Option<Appended>, RespErr> {
        let Some(p) = self.producers.get(&h.producer_id) else { return Ok(None) };
        if h.producer_epoch < p.epoch {
            return Err(RespErr::ERR_INVALID_PRODUCER_EPOCH);
        }
        if h.producer_epoch > p.epoch {
            return if h.base_sequence == 0 { Ok(None) } else { Err(RespErr::ERR_OUT_OF_ORDER_SEQUENCE_NUMBER) };
        }
        let (first, last) = (h.base_sequence, h.last_sequence());
        if let Some(b) = p.batches.iter().find(|b| b.first_sequence == first && b.last_sequence == last) {
            return Ok(Some(b.appended));
        }
        match p.batches.back() {
            Some(b) if add_sequence(b.last_sequence, 1) != first => Err(RespErr::ERR_OUT_OF_ORDER_SEQUENCE_NUMBER),
            _ => Ok(None),
        }
    }

    fn remember(&mut self, h: &Header, appended: Appended) {
        if self.producers.len() >= REMEMBERED_PRODUCERS && !self.producers.contains_key(&h.producer_id) {
            let quietest = self.producers.iter().min_by_key(|(_, p)| p.last_used).map(|(id, _)| *id);
            if let Some(id) = quietest {
                self.producers.remove(&id);
            }
        }
        let p = self.producers.entry(h.producer_id).or_insert_with(|| ProducerState {
            epoch: h.producer_epoch,
            batches: VecDeque::with_capacity(REMEMBERED_BATCHES),
            last_used: 0,
        });
        if p.epoch != h.producer_epoch {
            p.epoch = h.producer_epoch;
            p.batches.clear();
        }
        if p.batches.len() == REMEMBERED_BATCHES {
            p.batches.pop_front();
        }
        p.batches.push_back(SeenBatch { first_sequence: h.base_sequence, last_sequence: h.last_sequence(), appended });
        p.last_used = self.appends;
    }

    /// Forgets what is known of a producer, as if its state had expired (`producer.id.expiration.ms`).
    pub fn forget_producers(&mut self) {
        self.producers.clear();
    }

    /// Adds whole batches from the one that holds `offset` on to `out`, up to `max_bytes`; the first is added whatever its
    /// size if `at_least_one` (KIP-74). Returns the bytes added, or OFFSET_OUT_OF_RANGE.
    pub fn read(&self, offset: i64, max_bytes: usize, at_least_one: bool, out: &mut Vec<u8>) -> Result<usize, RespErr> {
        if offset < self.start_offset || offset > self.end_offset {
            return Err(RespErr::ERR_OFFSET_OUT_OF_RANGE);
        }
        let mut added = 0;
        for b in self.batches.range(self.index_of(offset)..) {
            if added + b.bytes.len() > max_bytes && !(added == 0 && at_least_one) {
                break;
            }
            out.extend_from_slice(&b.bytes);
            added += b.bytes.len();
        }
        Ok(added)
    }

    /// Bytes that a read from `offset` on would find, counted up to `enough`.
    pub fn available(&self, offset: i64, enough: usize) -> usize {
        let mut n = 0;
        for b in self.batches.range(self.index_of(offset)..) {
            n += b.bytes.len();
            if n >= enough {
                break;
            }
        }
        n
    }

    fn index_of(&self, offset: i64) -> usize {
        self.batches.partition_point(|b| b.last_offset < offset)
    }

    /// The first record at or after `timestamp` (ms): its offset and timestamp.
    pub fn find_timestamp(&self, timestamp: i64) -> Option<(i64, i64)> {
        let stored = self.batches.iter().find(|b| b.max_timestamp >= timestamp)?;
        let records = batch::decode(&stored.bytes).ok()?;
        records.iter().find(|r| r.timestamp >= timestamp).map(|r| (r.offset, r.timestamp))
    }

    /// The record with the highest timestamp, the first of several (KIP-734): its offset and timestamp.
    pub fn max_timestamp(&self) -> Option<(i64, i64)> {
        let max = self.batches.iter().map(|b| b.max_timestamp).max()?;
        self.find_timestamp(max)
    }

    /// Drops every batch wholly before `offset` and makes that the start (DeleteRecords).
    pub fn delete_before(&mut self, offset: i64) -> Result<(), RespErr> {
        if offset > self.end_offset {
            return Err(RespErr::ERR_OFFSET_OUT_OF_RANGE);
        }
        while self.batches.front().is_some_and(|b| b.last_offset < offset) {
            if let Some(old) = self.batches.pop_front() {
                self.bytes -= old.bytes.len();
            }
        }
        self.start_offset = self.start_offset.max(offset);
        Ok(())
    }

    /// Every batch kept, oldest first, as it is on the wire.
    pub fn batches(&self) -> impl Iterator<Item = &[u8]> {
        self.batches.iter().map(|b| &b.bytes[..])
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::tests::build;
    use super::*;

    const KEEP: LogConfig = LogConfig { retention_bytes: 1 << 20, discard: false, log_append_time: false };

    fn put(log: &mut Log, timestamps: &[i64], producer: (i64, i16, i32)) -> Result<Appended, RespErr> {
        let b = build(timestamps, producer);
        log.append(&b, &batch::header(&b).unwrap(), 3, 77)
    }

    #[test]
    fn offsets_and_leader_epoch_are_assigned() {
        let mut log = Log::new(KEEP);
        assert_eq!(put(&mut log, &[1, 2, 3], (-1, -1, -1)).unwrap().base_offset, 0);
        assert_eq!(put(&mut log, &[4, 5], (-1, -1, -1)).unwrap().base_offset, 3);
        let mut out = Vec::new();
        log.read(3, usize::MAX, true, &mut out).unwrap();
        let h = batch::header(&out).unwrap();
        assert_eq!((h.base_offset, h.leader_epoch, h.size), (3, 3, out.len()));
        assert_eq!(log.read(6, 1, true, &mut out), Err(RespErr::ERR_OFFSET_OUT_OF_RANGE));
        assert_eq!(log.read(5, 1, true, &mut out), Ok(0));
        assert_eq!(log.read(-1, 1, true, &mut out), Err(RespErr::ERR_OFFSET_OUT_OF_RANGE));
    }

    #[test]
    fn a_read_keeps_to_its_limit_but_gives_one_batch() {
        let mut log = Log::new(KEEP);
        for _ in 0..3 {
            put(&mut log, &[1, 2], (-1, -1, -1)).unwrap();
        }
        let one = log.bytes() / 3;
        let mut out = Vec::new();
        assert_eq!(log.read(0, 1, true, &mut out), Ok(one));
        assert_eq!(log.read(0, 1, false, &mut out), Ok(0));
        assert_eq!(log.read(0, one * 2 + 1, true, &mut out), Ok(one * 2));
        // Offset 3 is the second record of the second batch: the whole batch comes.
        assert_eq!(log.read(3, usize::MAX, true, &mut out), Ok(one * 2));
        assert_eq!(log.available(3, usize::MAX), one * 2);
    }

    #[test]
    fn retention_drops_the_oldest() {
        let mut log = Log::new(LogConfig { retention_bytes: 300, ..KEEP });
        for _ in 0..100 {
            put(&mut log, &[1, 2], (-1, -1, -1)).unwrap();
        }
        assert!(log.bytes() <= 300);
        assert_eq!(log.end_offset(), 200);
        assert!(log.start_offset() > 190 && log.start_offset() % 2 == 0);
        assert_eq!(log.read(0, 1, true, &mut Vec::new()), Err(RespErr::ERR_OFFSET_OUT_OF_RANGE));
    }

    #[test]
    fn discard_counts_and_keeps_nothing() {
        let mut log = Log::new(LogConfig { discard: true, ..KEEP });
        put(&mut log, &[1, 2], (-1, -1, -1)).unwrap();
        assert_eq!((log.end_offset(), log.start_offset(), log.bytes()), (2, 2, 0));
    }

    #[test]
    fn sequences_are_held_to() {
        let mut log = Log::new(KEEP);
        for i in 0..7 {
            assert_eq!(put(&mut log, &[1, 2], (9, 0, i * 2)).unwrap().base_offset, i as i64 * 2);
        }
        // The last five are known again, at their first offset.
        let again = put(&mut log, &[1, 2], (9, 0, 4)).unwrap();
        assert_eq!((again.base_offset, again.duplicate), (4, true));
        assert_eq!(log.end_offset(), 14);
        // Older ones are not, nor are gaps, nor a batch that repeats sequences in another shape.
        for seq in [2, 16, 13, 0] {
            assert_eq!(put(&mut log, &[1, 2], (9, 0, seq)), Err(RespErr::ERR_OUT_OF_ORDER_SEQUENCE_NUMBER));
        }
        // A new epoch starts at 0, then the old one is fenced.
        assert_eq!(put(&mut log, &[1], (9, 1, 5)), Err(RespErr::ERR_OUT_OF_ORDER_SEQUENCE_NUMBER));
        assert!(put(&mut log, &[1], (9, 1, 0)).is_ok());
        assert_eq!(put(&mut log, &[1], (9, 0, 14)), Err(RespErr::ERR_INVALID_PRODUCER_EPOCH));
        // Another producer does not care.
        assert!(put(&mut log, &[1], (10, 0, 0)).is_ok());
    }

    #[test]
    fn sequences_wrap() {
        let mut log = Log::new(KEEP);
        put(&mut log, &[1, 2], (9, 0, i32::MAX - 1)).unwrap();
        assert!(!put(&mut log, &[1, 2], (9, 0, 0)).unwrap().duplicate);
    }

    #[test]
    fn timestamps_are_found() {
        let mut log = Log::new(KEEP);
        put(&mut log, &[100, 110], (-1, -1, -1)).unwrap();
        put(&mut log, &[200, 150], (-1, -1, -1)).unwrap();
        put(&mut log, &[120], (-1, -1, -1)).unwrap();
        assert_eq!(log.find_timestamp(0), Some((0, 100)));
        assert_eq!(log.find_timestamp(105), Some((1, 110)));
        assert_eq!(log.find_timestamp(111), Some((2, 200)));
        assert_eq!(log.find_timestamp(201), None);
        assert_eq!(log.max_timestamp(), Some((2, 200)));
    }

    #[test]
    fn append_time_replaces_the_producers() {
        let mut log = Log::new(LogConfig { log_append_time: true, ..KEEP });
        assert_eq!(put(&mut log, &[1, 2], (-1, -1, -1)).unwrap().append_time_ms, 77);
        assert_eq!(log.max_timestamp(), Some((0, 77)));
    }

    #[test]
    fn deleting_records_moves_the_start() {
        let mut log = Log::new(KEEP);
        put(&mut log, &[1, 2], (-1, -1, -1)).unwrap();
        put(&mut log, &[1, 2], (-1, -1, -1)).unwrap();
        log.delete_before(3).unwrap();
        assert_eq!(log.start_offset(), 3);
        assert_eq!(log.batches().count(), 1);
        assert_eq!(log.delete_before(5), Err(RespErr::ERR_OFFSET_OUT_OF_RANGE));
    }
}
