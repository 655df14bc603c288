//! What a partition's log does with batches, without a broker around it.

use super::Isolation::*;
use super::*;
use crate::mock::batch::tests::{build, build_txn};

const KEEP: LogConfig = LogConfig { retention_bytes: 1 << 20, discard: false, log_append_time: false };

/// Bytes that a read gives.
fn read(log: &Log, offset: i64, max_bytes: usize, at_least_one: bool) -> Result<usize, RespErr> {
    let mut out = Vec::new();
    log.read(offset, ReadUncommitted, max_bytes, at_least_one, &mut out).map(|_| out.len())
}

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
    log.read(3, ReadUncommitted, usize::MAX, true, &mut out).unwrap();
    let h = batch::header(&out).unwrap();
    assert_eq!((h.base_offset, h.leader_epoch, h.size), (3, 3, out.len()));
    assert_eq!(read(&log, 6, 1, true), Err(RespErr::ERR_OFFSET_OUT_OF_RANGE));
    assert_eq!(read(&log, 5, 1, true), Ok(0));
    assert_eq!(read(&log, -1, 1, true), Err(RespErr::ERR_OFFSET_OUT_OF_RANGE));
}

#[test]
fn a_read_keeps_to_its_limit_but_gives_one_batch() {
    let mut log = Log::new(KEEP);
    for _ in 0..3 {
        put(&mut log, &[1, 2], (-1, -1, -1)).unwrap();
    }
    let one = log.bytes() / 3;
    assert_eq!(read(&log, 0, 1, true), Ok(one));
    assert_eq!(read(&log, 0, 1, false), Ok(0));
    assert_eq!(read(&log, 0, one * 2 + 1, true), Ok(one * 2));
    // Offset 3 is the second record of the second batch: the whole batch comes.
    assert_eq!(read(&log, 3, usize::MAX, true), Ok(one * 2));
    assert_eq!(log.available(3, ReadUncommitted, usize::MAX), one * 2);
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
    assert_eq!(read(&log, 0, 1, true), Err(RespErr::ERR_OFFSET_OUT_OF_RANGE));
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

#[test]
fn undecided_transactions_hold_the_stable_offset() {
    let mut log = Log::new(KEEP);
    let put_txn = |log: &mut Log, producer: (i64, i16, i32)| {
        let b = build_txn(&[1, 2], producer);
        log.append(&b, &batch::header(&b).unwrap(), 3, 77).map(|a| a.base_offset)
    };
    let end = |log: &mut Log, producer_id, epoch, commit| {
        log.end_txn(&batch::Marker { producer_id, epoch, commit, coordinator_epoch: 5 }, 3, 99)
    };
    put(&mut log, &[1], (-1, -1, -1)).unwrap();
    assert_eq!(put_txn(&mut log, (9, 0, 0)), Ok(1));
    assert_eq!(put_txn(&mut log, (8, 0, 0)), Ok(3));
    assert_eq!(put_txn(&mut log, (9, 0, 2)), Ok(5));
    assert_eq!(put(&mut log, &[1], (9, 0, 4)), Err(RespErr::ERR_INVALID_TXN_STATE));
    assert_eq!((log.last_stable_offset(), log.end_offset()), (1, 7));
    let mut out = Vec::new();
    assert_eq!(log.read(0, ReadCommitted, usize::MAX, true, &mut out), Ok(1));
    assert_eq!(batch::decode(&out).unwrap().len(), 1);
    assert_eq!(log.available(0, ReadCommitted, usize::MAX), out.len());
    assert_eq!(log.available(1, ReadCommitted, usize::MAX), 0);
    assert!(end(&mut log, 9, 0, false));
    assert_eq!((log.last_stable_offset(), log.end_offset()), (3, 8));
    assert!(end(&mut log, 8, 1, true));
    assert_eq!((log.last_stable_offset(), log.end_offset()), (9, 9));
    assert_eq!(log.aborted(0, 9), [(9, 1)]);
    assert_eq!(log.aborted(0, 1), []);
    assert_eq!(log.aborted(8, 9), []);
    assert_eq!(log.aborted(7, 9), [(9, 1)]);
    // The marker's epoch fences those below, and a new epoch starts at sequence 0.
    assert_eq!(put_txn(&mut log, (8, 0, 2)), Err(RespErr::ERR_INVALID_PRODUCER_EPOCH));
    assert_eq!(put_txn(&mut log, (8, 1, 2)), Err(RespErr::ERR_OUT_OF_ORDER_SEQUENCE_NUMBER));
    assert!(!end(&mut log, 8, 0, true));
    assert_eq!(put_txn(&mut log, (8, 1, 0)), Ok(9));
    // The same epoch goes on where it was.
    assert_eq!(put_txn(&mut log, (9, 0, 4)), Ok(11));
    // A marker without records is there, and aborts nothing.
    end(&mut log, 7, 0, false);
    assert_eq!(log.aborted(0, 100), [(9, 1)]);
    log.delete_before(8).unwrap();
    assert_eq!(log.aborted(0, 100), []);
}

#[test]
fn markers_are_control_batches() {
    let m = batch::Marker { producer_id: 9, epoch: 3, commit: true, coordinator_epoch: 0x01020304 };
    let b = batch::marker(&m, 1234);
    let h = batch::header(&b).unwrap();
    assert!(h.control() && h.transactional() && h.size == b.len() && h.crc == crc32c::crc32c(&b[21..]));
    assert_eq!((h.producer_id, h.producer_epoch, h.base_sequence, h.count, h.max_timestamp), (9, 3, -1, 1, 1234));
    let record = &batch::decode(&b).unwrap()[0];
    assert_eq!(record.key.as_deref(), Some(&[0, 0, 0, 1][..]));
    assert_eq!(record.value.as_deref(), Some(&[0, 0, 1, 2, 3, 4][..]));
    // No producer may write one.
    let refused = batch::check(&b, batch::Strictness::Records, 1 << 20).unwrap_err();
    assert_eq!(refused.code, RespErr::ERR_INVALID_RECORD);
}
