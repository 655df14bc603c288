//! The log of one partition: record batches in memory, offsets, retention, what is remembered of idempotent producers, and
//! which transactions are undecided or aborted.

mod txns;

use self::txns::TxnIndex;
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

/// Which records a reader gets, as in Fetch and ListOffsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    ReadUncommitted,
    /// Nothing at or after the first offset of an undecided transaction.
    ReadCommitted,
}

impl Isolation {
    /// From the field `isolation_level`.
    pub fn from_wire(level: i8) -> Isolation {
        if level == 1 {
            Isolation::ReadCommitted
        } else {
            Isolation::ReadUncommitted
        }
    }
}

/// The log of one partition. Not thread-safe: the partition's lock guards it.
pub struct Log {
    config: LogConfig,
    batches: VecDeque<Stored>,
    bytes: usize,
    start_offset: i64,
    end_offset: i64,
    producers: HashMap<i64, ProducerState>,
    txns: TxnIndex,
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
            txns: TxnIndex::default(),
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

    /// The offset up to which every transaction is decided: where a `read_committed` consumer's view ends.
    pub fn last_stable_offset(&self) -> i64 {
        self.txns.first_undecided().unwrap_or(self.end_offset)
    }

    /// The end of what a reader gets to see.
    pub fn end_for(&self, isolation: Isolation) -> i64 {
        match isolation {
            Isolation::ReadUncommitted => self.end_offset,
            Isolation::ReadCommitted => self.last_stable_offset(),
        }
    }

    /// Aborted transactions with records in `from..to`: producer id and first offset.
    pub fn aborted(&self, from: i64, to: i64) -> Vec<(i64, i64)> {
        self.txns.aborted(from, to)
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
    /// is OUT_OF_ORDER_SEQUENCE_NUMBER or INVALID_PRODUCER_EPOCH. A batch outside the producer's open transaction is
    /// INVALID_TXN_STATE.
    pub fn append(&mut self, bytes: &[u8], h: &Header, leader_epoch: i32, now_ms: i64) -> Result<Appended, RespErr> {
        self.appends += 1;
        if h.producer_id >= 0 {
            if let Some(first) = self.check_sequence(h)? {
                self.duplicates += 1;
                return Ok(Appended { duplicate: true, ..first });
            }
        }
        if !h.transactional() && self.txns.is_open(h.producer_id) {
            return Err(RespErr::ERR_INVALID_TXN_STATE);
        }
        if h.transactional() {
            self.txns.begin(h.producer_id, self.end_offset);
        }
        let append_time_ms = if self.config.log_append_time { now_ms } else { -1 };
        let appended = Appended { base_offset: self.end_offset, append_time_ms, duplicate: false };
        if h.producer_id >= 0 {
            self.remember(h, appended);
        }
        self.store(bytes, h, leader_epoch, now_ms);
        Ok(appended)
    }

    /// Ends a producer's transaction with a control batch. As in Kafka, a marker is written even if the producer has
    /// written nothing here, and its epoch fences those below; one of an older epoch is not written. Returns whether it was.
    pub fn end_txn(&mut self, marker: &batch::Marker, leader_epoch: i32, now_ms: i64) -> bool {
        if self.producers.get(&marker.producer_id).is_some_and(|p| marker.epoch < p.epoch) {
            return false;
        }
        self.appends += 1;
        let offset = self.end_offset;
        let bytes = batch::marker(marker, now_ms);
        let Some(h) = batch::header(&bytes) else { return false };
        self.txns.end(marker.producer_id, offset, marker.commit);
        self.note_producer(marker.producer_id, marker.epoch);
        self.store(&bytes, &h, leader_epoch, now_ms);
        true
    }

    /// Keeps a batch at the end of the log, and drops the oldest.
    fn store(&mut self, bytes: &[u8], h: &Header, leader_epoch: i32, now_ms: i64) {
        let base_offset = self.end_offset;
        self.end_offset += h.count as i64;
        if self.config.discard {
            self.start_offset = self.end_offset;
            self.txns.forget_before(self.start_offset);
            return;
        }
        let mut bytes: Box<[u8]> = bytes.into();
        batch::assign(&mut bytes, base_offset, leader_epoch);
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
                self.txns.forget_before(self.start_offset);
            }
        }
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
            // After a marker that brought a new epoch.
            None if first != 0 => Err(RespErr::ERR_OUT_OF_ORDER_SEQUENCE_NUMBER),
            _ => Ok(None),
        }
    }

    fn remember(&mut self, h: &Header, appended: Appended) {
        let p = self.note_producer(h.producer_id, h.producer_epoch);
        if p.batches.len() == REMEMBERED_BATCHES {
            p.batches.pop_front();
        }
        p.batches.push_back(SeenBatch { first_sequence: h.base_sequence, last_sequence: h.last_sequence(), appended });
    }

    /// The state of a producer, in this epoch.
    fn note_producer(&mut self, producer_id: i64, epoch: i16) -> &mut ProducerState {
        if self.producers.len() >= REMEMBERED_PRODUCERS && !self.producers.contains_key(&producer_id) {
            let quietest = self.producers.iter().min_by_key(|(_, p)| p.last_used).map(|(id, _)| *id);
            if let Some(id) = quietest {
                self.producers.remove(&id);
            }
        }
        let p = self.producers.entry(producer_id).or_insert_with(|| ProducerState {
            epoch,
            batches: VecDeque::with_capacity(REMEMBERED_BATCHES),
            last_used: 0,
        });
        if p.epoch != epoch {
            p.epoch = epoch;
            p.batches.clear();
        }
        p.last_used = self.appends;
        p
    }

    /// Forgets what is known of a producer, as if its state had expired (`producer.id.expiration.ms`). Open transactions
    /// stay open.
    pub fn forget_producers(&mut self) {
        self.producers.clear();
    }

    /// Adds whole batches from the one that holds `offset` on to `out`, up to `max_bytes`; the first is added whatever its
    /// size if `at_least_one` (KIP-74). Returns the offset after them, or OFFSET_OUT_OF_RANGE.
    /// Batches that `isolation` hides are left out.
    pub fn read(
        &self,
        offset: i64,
        isolation: Isolation,
        max_bytes: usize,
        at_least_one: bool,
        out: &mut Vec<u8>,
    ) -> Result<i64, RespErr> {
        if offset < self.start_offset || offset > self.end_offset {
            return Err(RespErr::ERR_OFFSET_OUT_OF_RANGE);
        }
        let (mut added, mut end) = (0, offset);
        for b in self.visible(offset, isolation) {
            if added + b.bytes.len() > max_bytes && !(added == 0 && at_least_one) {
                break;
            }
            out.extend_from_slice(&b.bytes);
            added += b.bytes.len();
            end = b.last_offset + 1;
        }
        Ok(end)
    }

    /// Bytes that a read from `offset` on would find, counted up to `enough`.
    pub fn available(&self, offset: i64, isolation: Isolation, enough: usize) -> usize {
        let mut n = 0;
        for b in self.visible(offset, isolation) {
            n += b.bytes.len();
            if n >= enough {
                break;
            }
        }
        n
    }

    fn visible(&self, offset: i64, isolation: Isolation) -> impl Iterator<Item = &Stored> {
        // A transaction begins with a batch, so the end never falls within one.
        let end = self.end_for(isolation);
        self.batches.range(self.index_of(offset)..).take_while(move |b| b.last_offset < end)
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
        self.txns.forget_before(self.start_offset);
        Ok(())
    }

    /// Every batch kept, oldest first, as it is on the wire.
    pub fn batches(&self) -> impl Iterator<Item = &[u8]> {
        self.batches.iter().map(|b| &b.bytes[..])
    }
}

#[cfg(test)]
mod tests;
