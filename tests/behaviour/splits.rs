//! Batches that the broker finds too large: sent again in parts, in order, each record with its own report.

use crate::common::{beside, eventually, ms, Harness};
use rkafka::client::{Status, PURGE_INFLIGHT, PURGE_QUEUE};
use rkafka::error::RespErr;
use rkafka::mock::{MockCluster, Options};
use std::collections::HashSet;

const PRODUCE: i16 = 0;
const DEFAULT_MAX: usize = 1_048_588;

#[test]
fn keep_every_message_and_their_order() {
    let _stage = beside();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        for in_flight in ["1", "5"] {
            let idempotent = if in_flight == "1" { "false" } else { "true" };
            let (mut h, t) = Harness::ready(
                1,
                &[
                    ("enable.idempotence", idempotent),
                    ("max.in.flight", in_flight),
                    ("compression.codec", codec),
                    ("linger.ms", "20"),
                    ("batch.num.messages", "400"),
                    ("retry.backoff.ms", "5"),
                    ("retry.backoff.max.ms", "20"),
                ],
            );
            h.pad = 100;
            for (round, max) in [2000, 300, DEFAULT_MAX, 700].into_iter().enumerate() {
                // The topic's limit changes between batches and, with the later ones, while they are on their way.
                h.cluster().set_message_max_bytes(max);
                for i in 0..600 {
                    h.produce(&t, 0, None, (0, 1 + round * 600 + i)).expect("accepted");
                }
                if round == 1 {
                    h.flush(ms(10_000));
                }
            }
            h.flush(ms(20_000));
            let bad: Vec<_> = h.fates().into_values().filter(|f| f.err != RespErr::NO_ERROR).take(3).collect();
            assert!(bad.is_empty(), "{codec}, {in_flight} in flight: {bad:?}");
            assert_eq!(h.cluster().high_watermark("t", 0), Ok(2401), "{codec}, {in_flight} in flight");
            h.close(ms(3000));
            assert_eq!(h.compare_with_log(&HashSet::new(), true, true), Vec::<String>::new());
        }
    }
}

#[test]
fn count_no_retry() {
    let _stage = beside();
    for code in [10i16, 18] {
        let (h, t) = Harness::ready(1, &[("linger.ms", "500"), ("retries", "0")]);
        let before = h.cluster().produced().2;
        h.cluster().push_request_errors(PRODUCE, &[code, code, code]);
        let ids = h.produce_many(&t, 0, 64);
        h.flush(ms(5000));
        for id in ids {
            let f = h.fate(id).expect("flushed");
            assert_eq!((f.err, f.status), (RespErr::NO_ERROR, Status::Persisted));
        }
        assert!(h.cluster().produced().2 - before > 2);
        h.close(ms(3000));
    }
}

#[test]
fn end_at_the_record_that_is_too_large_by_itself() {
    let _stage = beside();
    for idempotent in ["false", "true"] {
        let (mut h, t) = Harness::ready(
            1,
            &[
                ("enable.idempotence", idempotent),
                ("linger.ms", "200"),
                ("max.in.flight", "1"),
                ("retry.backoff.ms", "5"),
            ],
        );
        h.pad = 50;
        h.cluster().set_message_max_bytes(600);
        let mut ids = h.produce_many(&t, 0, 40);
        h.pad = 100_000;
        let long = h.produce(&t, 0, None, (0, 40)).expect("accepted");
        h.pad = 50;
        ids.extend((41..80).map(|i| h.produce(&t, 0, None, (0, i)).expect("accepted")));
        h.flush(ms(10_000));
        let f = h.fate(long).expect("flushed");
        assert_eq!((f.err, f.status, f.offset), (RespErr::ERR_MSG_SIZE_TOO_LARGE, Status::NotPersisted, -1001));
        for id in &ids {
            let f = h.fate(*id).expect("flushed");
            assert_eq!((f.err, f.status), (RespErr::NO_ERROR, Status::Persisted), "{idempotent}: {id}");
        }
        let mut offsets: Vec<i64> = ids.iter().map(|id| h.fate(*id).expect("flushed").offset).collect();
        assert!(offsets.is_sorted(), "{offsets:?}");
        offsets.dedup();
        assert_eq!(offsets.len(), 79);
        h.close(ms(3000));
    }
}

#[test]
fn can_be_purged_and_expire() {
    let _stage = beside();
    // A broker that takes nothing larger than a batch's header: whatever is sent comes back, until records are alone.
    let (h, t) = Harness::ready(1, &[("linger.ms", "100"), ("max.in.flight", "1"), ("message.timeout.ms", "1500")]);
    h.cluster().push_request_errors(PRODUCE, &[10, 10]);
    h.cluster().push_request_errors(PRODUCE, &[7; 200]);
    let ids = h.produce_many(&t, 0, 100);
    for id in &ids {
        let f = h.wait_fate(*id, ms(5000));
        let after = f.at - h.sent_at(*id);
        assert_eq!(f.err, RespErr::ERR__MSG_TIMED_OUT);
        assert!(after > ms(1300) && after < ms(3000), "{after:?}");
    }
    h.cluster().clear_request_errors(PRODUCE);
    h.cluster().push_request_errors(PRODUCE, &[10, 10]);
    h.cluster().push_request_errors(PRODUCE, &[19; 200]);
    let before = h.cluster().request_count(PRODUCE);
    let ids = h.produce_many(&t, 0, 100);
    eventually("it is split", ms(3000), || h.cluster().request_count(PRODUCE) > before + 3);
    h.producer.purge(PURGE_QUEUE | PURGE_INFLIGHT).expect("purged");
    for id in &ids {
        let f = h.wait_fate(*id, ms(3000));
        assert!(matches!(f.err, RespErr::ERR__PURGE_QUEUE | RespErr::ERR__PURGE_INFLIGHT), "{f:?}");
    }
    h.close(ms(3000));
}

#[test]
fn survive_lost_answers_under_idempotence() {
    let _stage = beside();
    let (mut h, t) = Harness::ready(
        1,
        &[
            ("enable.idempotence", "true"),
            ("linger.ms", "5"),
            ("batch.num.messages", "50"),
            ("retry.backoff.ms", "2"),
            ("retry.backoff.max.ms", "10"),
            ("message.timeout.ms", "60000"),
        ],
    );
    h.pad = 100;
    let mut seq = 1;
    for round in 0..12 {
        h.cluster().set_message_max_bytes([1000, 5000, 400][round % 3]);
        match round % 4 {
            0 => h.cluster().push_after_append_errors(PRODUCE, &[7, -195]),
            1 => h.cluster().push_request_errors(PRODUCE, &[0, 0, -195, 0, 7]),
            2 => h.cluster().drop_connection_mid_response(PRODUCE, 20),
            _ => {}
        }
        for _ in 0..200 {
            h.produce(&t, 0, None, (0, seq)).expect("accepted");
            seq += 1;
        }
        std::thread::sleep(ms(10));
    }
    h.flush(ms(20_000));
    h.close(ms(3000));
    // A batch whose answer was lost and that is then too large may be in the log, and is reported so.
    for (id, f) in h.fates() {
        let unsure = f.err == RespErr::ERR_MSG_SIZE_TOO_LARGE && f.status == Status::PossiblyPersisted;
        assert!(f.err == RespErr::NO_ERROR || unsure, "{id}: {f:?}");
    }
    assert_eq!(h.compare_with_log(&HashSet::new(), true, true), Vec::<String>::new());
}

#[test]
fn are_part_of_their_transaction() {
    let _stage = beside();
    for version in [0, 2] {
        let cluster = MockCluster::new(1, Options::default()).expect("a cluster");
        cluster.set_transaction_version(version);
        cluster.create_topic("t", 1, 1).expect("a topic");
        let pairs = [
            ("transactional.id", "tx"),
            ("linger.ms", "20"),
            ("retry.backoff.ms", "2"),
            ("retry.backoff.max.ms", "20"),
            ("batch.num.messages", "100"),
        ];
        let mut h = Harness::on(&cluster, &pairs);
        h.pad = 100;
        h.producer.init_transactions(Some(ms(10_000))).expect("init");
        let t = h.topic("t");
        cluster.set_message_max_bytes(1000);
        let mut committed = 0;
        for round in 0..4 {
            h.producer.begin_transaction().expect("begin");
            for i in 0..300 {
                h.produce(&t, 0, None, (0, round * 300 + i)).expect("accepted");
            }
            if round == 2 {
                // While batches are sent and split.
                std::thread::sleep(ms(10));
                h.abort(ms(20_000)).expect("abort");
            } else {
                h.commit(ms(20_000)).expect("commit");
                committed += 300;
            }
            let seen = || cluster.committed_records("t", 0).map_or(0, |r| r.len());
            eventually("markers", ms(5000), || seen() == committed);
        }
        let expected = [RespErr::NO_ERROR, RespErr::ERR__PURGE_QUEUE];
        let bad: Vec<_> = h.fates().into_iter().filter(|(_, f)| !expected.contains(&f.err)).collect();
        assert!(bad.is_empty(), "version {version}: {bad:?}");
        h.close(ms(3000));
        assert_eq!(h.compare_with_log(&HashSet::new(), true, true), Vec::<String>::new());
    }
}
