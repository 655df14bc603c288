//! Verdicts: order through retries, purge, close, acks=0, errors that no retry mends.

use crate::common::{alone, beside, eventually, ms, Harness};
use rkafka::client::{Status, PARTITION_UA, PURGE_INFLIGHT, PURGE_NON_BLOCKING, PURGE_QUEUE};
use rkafka::error::RespErr;
use std::collections::HashSet;
use std::sync::atomic::Ordering::*;
use std::time::{Duration, Instant};

const PRODUCE: i16 = 0;

#[test]
fn keep_order_through_retries_with_one_in_flight() {
    let _stage = beside();
    let pairs = [
        ("max.in.flight", "1"),
        ("batch.num.messages", "3"),
        ("retry.backoff.ms", "2"),
        ("retry.backoff.max.ms", "10"),
    ];
    let (h, t) = Harness::ready(1, &pairs);
    for (round, error) in [5i16, 6, 7, 13, 19, 20, -195].into_iter().enumerate() {
        h.cluster().push_request_errors(PRODUCE, &[error, 0, error, error, 0, 0, error]);
        for i in 0..100 {
            h.produce(&t, 0, None, (0, 1 + round * 100 + i)).expect("accepted");
        }
        h.flush(ms(10_000));
    }
    assert_eq!(h.cluster().high_watermark("t", 0), Ok(701));
    h.close(ms(3000));
    assert_eq!(h.compare_with_log(&HashSet::new(), true, false), Vec::<String>::new());
}

#[test]
fn are_errors_where_no_retry_helps() {
    let _stage = beside();
    let (h, t) = Harness::ready(1, &[]);
    // MSG_SIZE_TOO_LARGE for one record, TOPIC_AUTHORIZATION_FAILED, INVALID_TIMESTAMP, POLICY_VIOLATION, INVALID_RECORD
    for code in [10i16, 29, 32, 44, 87] {
        let before = h.cluster().request_count(PRODUCE);
        h.cluster().push_request_errors(PRODUCE, &[code]);
        let f = h.wait_fate(h.one(&t), ms(3000));
        assert_eq!((f.err, f.status, f.offset), (RespErr(code as i32), Status::NotPersisted, -1001));
        assert_eq!(h.cluster().request_count(PRODUCE) - before, 1);
    }
    h.close(ms(3000));
}

#[test]
fn of_one_partition_leave_the_others_alone() {
    let _stage = beside();
    let h = Harness::new(&[("test.mock.num.brokers", "1"), ("linger.ms", "50")]);
    h.cluster().create_topic("t", 4, 1).expect("a topic");
    h.cluster().push_partition_request_errors("t", 2, PRODUCE, &[29]).expect("a partition");
    let t = h.topic("t");
    let ids: Vec<usize> = (0..4).map(|p| h.produce(&t, p, None, (0, 0)).expect("accepted")).collect();
    h.flush(ms(3000));
    for (p, id) in ids.iter().enumerate() {
        let f = h.fate(*id).expect("flushed");
        let expected = if p == 2 { RespErr::ERR_TOPIC_AUTHORIZATION_FAILED } else { RespErr::NO_ERROR };
        assert_eq!(f.err, expected, "partition {p}");
    }
}

#[test]
fn are_unsure_where_the_broker_took_it_and_the_answer_is_lost() {
    let _stage = beside();
    let (h, t) = Harness::ready(1, &[("retries", "0")]);
    h.cluster().push_after_append_errors(PRODUCE, &[-195]);
    let f = h.wait_fate(h.one(&t), ms(3000));
    assert_eq!((f.err, f.status), (RespErr::ERR__TRANSPORT, Status::PossiblyPersisted));
    for bytes in [0, 1, 4, 7, 20] {
        h.cluster().drop_connection_mid_response(PRODUCE, bytes);
        let f = h.wait_fate(h.one(&t), ms(3000));
        assert_eq!((f.err, f.status), (RespErr::ERR__TRANSPORT, Status::PossiblyPersisted), "cut at {bytes}");
    }
    assert_eq!(h.cluster().high_watermark("t", 0), Ok(7));
    h.close(ms(3000));
}

/// With acks=all a leader that loses its office, its disk or the topic while it waits for replicas answers by the code of
/// one that never appended; the offset beside it tells them apart.
#[test]
fn are_unsure_where_the_leader_appended_and_then_refused() {
    let _stage = beside();
    // Two attempts each, neither of them in flight when the time is over: what is in flight then is unsure.
    let (h, t) = Harness::ready(
        1,
        &[("message.timeout.ms", "400"), ("retry.backoff.ms", "280"), ("retry.backoff.max.ms", "280")],
    );
    for code in [3, 6, 56] {
        for appended in [true, false] {
            if appended {
                h.cluster().push_after_append_errors(PRODUCE, &[code]);
            }
            h.cluster().push_request_errors(PRODUCE, &[code; 200]);
            let f = h.wait_fate(h.one(&t), ms(5000));
            let status = if appended { Status::PossiblyPersisted } else { Status::NotPersisted };
            assert_eq!((f.err, f.status), (RespErr::ERR__MSG_TIMED_OUT, status), "{code}, appended: {appended}");
            h.cluster().clear_request_errors(PRODUCE);
        }
    }
    h.close(ms(3000));
}

#[test]
fn of_purge_tell_what_was_queued_from_what_was_sent() {
    let _stage = beside();
    let (h, t) = Harness::ready(1, &[("linger.ms", "8000"), ("max.in.flight", "1")]);
    let queued = h.produce_many(&t, 0, 5);
    h.producer.purge(PURGE_QUEUE).expect("purged");
    for id in queued {
        let f = h.wait_fate(id, ms(1000));
        assert_eq!((f.err, f.status), (RespErr::ERR__PURGE_QUEUE, Status::NotPersisted));
    }
    h.cluster().hold_responses(1).expect("held");
    let flight = h.one(&t);
    h.producer.set_flushing(true);
    eventually("it is sent", ms(2000), || h.cluster().produced().0 == 2);
    h.producer.set_flushing(false);
    let queued = h.one(&t);
    h.producer.purge(PURGE_INFLIGHT).expect("purged");
    let f = h.wait_fate(flight, ms(1000));
    assert_eq!((f.err, f.status), (RespErr::ERR__PURGE_INFLIGHT, Status::PossiblyPersisted));
    assert!(h.fate(queued).is_none());
    h.producer.purge(PURGE_QUEUE | PURGE_INFLIGHT | PURGE_NON_BLOCKING).expect("purged");
    let f = h.wait_fate(queued, ms(1000));
    assert_eq!((f.err, f.status), (RespErr::ERR__PURGE_QUEUE, Status::NotPersisted));
    assert_eq!(h.producer.purge(8), Err(RespErr::ERR__INVALID_ARG));
    // The late answer to the purged request disturbs nobody.
    h.cluster().release_responses(1).expect("released");
    let id = h.one(&t);
    h.flush(ms(3000));
    assert_eq!(h.wait_fate(id, ms(100)).err, RespErr::NO_ERROR);
    h.close(ms(3000));
}

#[test]
fn of_close_tell_what_was_queued_from_what_was_sent() {
    let _stage = beside();
    let (h, t) = Harness::ready(1, &[("linger.ms", "8000"), ("max.in.flight", "1")]);
    h.cluster().hold_responses(1).expect("held");
    let flight = h.one(&t);
    h.producer.set_flushing(true);
    eventually("it is sent", ms(2000), || h.cluster().produced().0 == 2);
    h.producer.set_flushing(false);
    let queued = h.one(&t);
    let waiting = h.produce(&h.topic("other"), PARTITION_UA, None, (0, 0)).expect("accepted");
    h.close(ms(2000));
    let f = h.fate(flight).expect("closed");
    assert_eq!((f.err, f.status), (RespErr::ERR__DESTROY, Status::PossiblyPersisted));
    for id in [queued, waiting] {
        let f = h.fate(id).expect("closed");
        assert_eq!((f.err, f.status), (RespErr::ERR__DESTROY, Status::NotPersisted));
    }
    assert_eq!(h.produce(&t, 0, None, (0, 0)), Err(RespErr::ERR__STATE));
}

#[test]
fn of_produce_calls_that_overlap_close_are_not_lost() {
    let _stage = beside();
    for _ in 0..30 {
        let (h, t) = Harness::ready(1, &[("linger.ms", "1")]);
        std::thread::scope(|s| {
            for thread in 0..2 {
                let (h, t) = (&h, &t);
                s.spawn(move || (0..).take_while(|i| h.produce(t, 0, None, (thread, 1 + i)).is_ok()).count());
            }
            std::thread::sleep(ms(10));
            h.producer.close();
        });
        h.close(ms(3000));
    }
}

#[test]
fn of_clients_that_close_before_they_have_begun_are_complete() {
    let _stage = alone();
    for (i, address) in ["127.0.0.1:1", "localhost:1"].iter().cycle().take(200).enumerate() {
        let h = Harness::new(&[("bootstrap.servers", address)]);
        let id = h.one(&h.topic("t"));
        // From where its threads are only being started to where they have all found nobody.
        let until = Instant::now() + Duration::from_micros(5 * i as u64);
        while Instant::now() < until {}
        h.close(ms(3000));
        let f = h.fate(id).expect("closed");
        assert_eq!((f.err, f.status), (RespErr::ERR__DESTROY, Status::NotPersisted));
        // A joined thread may be listed for a moment.
        eventually("no thread is left", ms(1000), || client_threads().is_empty());
    }
}

/// The threads of clients in this process, by name.
fn client_threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("this process");
    let names = tasks.flatten().filter_map(|t| std::fs::read_to_string(t.path().join("comm")).ok());
    names.filter(|name| name.starts_with("rk:")).collect()
}

#[test]
fn of_acks_0_come_when_it_is_written() {
    let _stage = beside();
    let h =
        Harness::new(&[("test.mock.num.brokers", "1"), ("acks", "0"), ("topic.metadata.refresh.interval.ms", "20")]);
    h.cluster().create_topic("t", 1, 1).expect("a topic");
    let t = h.topic("t");
    let f = h.wait_fate(h.one(&t), ms(3000));
    assert_eq!((f.err, f.status, f.offset), (RespErr::NO_ERROR, Status::PossiblyPersisted, -1001));
    // Answers to metadata requests in front of it are not waited for.
    h.cluster().hold_responses(1).expect("held");
    std::thread::sleep(ms(100));
    h.wait_fate(h.one(&t), ms(500));
    h.cluster().release_responses(1).expect("released");
    for _ in 0..200 {
        h.one(&t);
        std::thread::sleep(ms(1));
    }
    h.flush(ms(3000));
    eventually("all are in the log", ms(2000), || h.cluster().high_watermark("t", 0) == Ok(202));
    assert!(h.others().is_empty(), "{:?}", h.others());
    h.close(ms(3000));
}

#[test]
fn are_one_each_whoever_polls_late() {
    let _stage = beside();
    let (h, t) = Harness::ready(1, &[]);
    h.hold_polling.store(true, Release);
    // The poller may be waiting for an event still.
    std::thread::sleep(ms(40));
    h.produce_many(&t, 0, 3000);
    eventually("delivery", ms(3000), || h.cluster().produced().0 == 3001);
    assert_eq!(h.producer.messages_pending(), 3000);
    h.close(ms(3000));
}
