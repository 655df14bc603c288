//! Time: message time-outs never late and never early, retries and their pauses, request time-outs.

use crate::common::{alone, beside, eventually, ms, Harness};
use rkafka::client::{Status, PARTITION_UA};
use rkafka::error::RespErr;
use std::sync::atomic::{AtomicBool, Ordering::*};
use std::time::Instant;

const PRODUCE: i16 = 0;
const NOT_ENOUGH_REPLICAS: i16 = 19;

/// Runs `f` and tells beside its result by how much, in milliseconds, the machine let a sleeping thread oversleep meanwhile:
/// so much later any thread may have done what it had to do.
fn with_delays<R>(f: impl FnOnce() -> R) -> (R, i64) {
    let running = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut worst = 0;
            while running.load(Acquire) {
                let began = Instant::now();
                std::thread::sleep(ms(5));
                worst = worst.max(began.elapsed().as_millis() as i64 - 5);
            }
            worst
        });
        let result = f();
        running.store(false, Release);
        (result, watch.join().expect("no panic"))
    })
}

/// Produces one message every 10 ms for as long as two time-outs, and checks each report's time: within 5 %, and on a busy
/// machine, what threads were late by.
fn times_out_exactly(h: &Harness, topic: &str, timeout: u64, what: &str) {
    let t = h.topic(topic);
    let (ids, delay) = with_delays(|| {
        let until = Instant::now() + ms(2 * timeout);
        let mut ids = Vec::new();
        while Instant::now() < until {
            ids.push(h.produce(&t, PARTITION_UA, None, (0, ids.len())).expect("accepted"));
            std::thread::sleep(ms(10));
        }
        eventually("all time out", ms(2 * timeout), || ids.iter().all(|id| h.fate(*id).is_some()));
        ids
    });
    let mut all = Vec::new();
    for id in &ids {
        let f = h.fate(*id).expect("just seen");
        assert_eq!(f.err, RespErr::ERR__MSG_TIMED_OUT, "{what}");
        all.push(f.latency_us / 1000);
    }
    let (least, most) = (all.iter().min().copied(), all.iter().max().copied());
    // Two threads may be concerned, one after the other; but a quarter is not to be explained that way.
    let slack = timeout as i64 / 20 + (2 * delay).min(timeout as i64 / 5);
    let (from, to) = (timeout as i64 - slack, timeout as i64 + slack);
    assert!(
        least >= Some(from) && most <= Some(to),
        "{what}: {least:?} to {most:?} ms where {from} to {to} are right ({delay} ms of delay)"
    );
}

#[test]
fn out_comes_exactly_with_no_broker_ever_reached() {
    let _stage = alone();
    for linger in ["0", "5", "500"] {
        let h = Harness::new(&[
            ("bootstrap.servers", "127.0.0.1:1"),
            ("message.timeout.ms", "1000"),
            ("linger.ms", linger),
        ]);
        times_out_exactly(&h, "t", 1000, "never reached");
        h.close(ms(3000));
    }
}

#[test]
fn out_comes_exactly_for_longer_times_too() {
    let _stage = alone();
    // Side by side, for they take long.
    std::thread::scope(|scope| {
        for timeout in [2000u64, 4000] {
            scope.spawn(move || {
                let h = Harness::new(&[
                    ("bootstrap.servers", "127.0.0.1:1,no-such-host.invalid:9092"),
                    ("delivery.timeout.ms", &timeout.to_string()),
                ]);
                times_out_exactly(&h, "t", timeout, "never reached");
                h.close(ms(3000));
            });
            scope.spawn(move || {
                // Requests are given up, and connections closed and opened again, within the messages' time.
                let h = Harness::new(&[
                    ("test.mock.num.brokers", "3"),
                    ("delivery.timeout.ms", &timeout.to_string()),
                    ("request.timeout.ms", "100"),
                    ("socket.timeout.ms", "500"),
                    ("api.version.request.timeout.ms", "300"),
                ]);
                h.cluster().create_topic("t", 6, 3).expect("a topic");
                let t = h.topic("t");
                h.wait_fate(h.one(&t), ms(3000));
                h.cluster().freeze(-1).expect("frozen");
                times_out_exactly(&h, "t", timeout, "frozen");
                h.cluster().unfreeze(-1).expect("alive");
                h.close(ms(3000));
            });
        }
    });
}

#[test]
fn out_comes_exactly_with_the_brokers_gone() {
    let _stage = alone();
    let h = Harness::new(&[("test.mock.num.brokers", "2"), ("message.timeout.ms", "1000")]);
    let t = h.topic("t");
    h.wait_fate(h.one(&t), ms(3000));
    h.cluster().broker_down(-1).expect("down");
    std::thread::sleep(ms(50));
    times_out_exactly(&h, "t", 1000, "brokers gone");
    h.close(ms(3000));
}

#[test]
fn out_comes_exactly_with_a_silent_broker() {
    let _stage = alone();
    for in_flight in ["1", "5"] {
        let h = Harness::new(&[
            ("test.mock.num.brokers", "1"),
            ("message.timeout.ms", "1000"),
            ("max.in.flight", in_flight),
            ("request.timeout.ms", "60000"),
        ]);
        let t = h.topic("t");
        h.wait_fate(h.one(&t), ms(3000));
        h.cluster().freeze(-1).expect("frozen");
        times_out_exactly(&h, "t", 1000, "silent");
        h.cluster().unfreeze(-1).expect("alive");
        h.close(ms(3000));
    }
}

#[test]
fn out_comes_exactly_without_a_leader() {
    let _stage = alone();
    let h = Harness::new(&[("test.mock.num.brokers", "1"), ("message.timeout.ms", "1000")]);
    h.cluster().create_topic("t", 1, 1).expect("a topic");
    h.cluster().set_partition_leader("t", 0, -1).expect("none");
    times_out_exactly(&h, "t", 1000, "no leader");
    h.close(ms(3000));
}

#[test]
fn and_again_until_retries_are_used_up() {
    let _stage = beside();
    let h = Harness::new(&[("test.mock.num.brokers", "1"), ("retries", "2"), ("retry.backoff.ms", "20")]);
    let t = h.topic("t");
    h.wait_fate(h.one(&t), ms(3000));
    let before = h.cluster().request_count(PRODUCE);
    h.cluster().push_request_errors(PRODUCE, &[NOT_ENOUGH_REPLICAS; 10]);
    let f = h.wait_fate(h.one(&t), ms(3000));
    assert_eq!((f.err, f.status), (RespErr::ERR_NOT_ENOUGH_REPLICAS, Status::NotPersisted));
    assert_eq!(h.cluster().request_count(PRODUCE) - before, 3);
    h.cluster().clear_request_errors(PRODUCE);
    // Errors of a stale view do not count.
    h.cluster().push_request_errors(PRODUCE, &[6; 5]);
    assert_eq!(h.wait_fate(h.one(&t), ms(5000)).err, RespErr::NO_ERROR);
    h.close(ms(3000));
}

#[test]
fn between_retries_grows() {
    let _stage = alone();
    let h =
        Harness::new(&[("test.mock.num.brokers", "1"), ("retry.backoff.ms", "40"), ("retry.backoff.max.ms", "250")]);
    let t = h.topic("t");
    h.wait_fate(h.one(&t), ms(3000));
    h.cluster().record_requests(true);
    h.cluster().push_request_errors(PRODUCE, &[NOT_ENOUGH_REPLICAS; 5]);
    h.wait_fate(h.one(&t), ms(5000));
    let at: Vec<Instant> = h.cluster().take_requests().iter().filter(|r| r.api_key == PRODUCE).map(|r| r.at).collect();
    let gaps: Vec<u64> = at.windows(2).map(|w| (w[1] - w[0]).as_millis() as u64).collect();
    assert_eq!(gaps.len(), 5);
    for (gap, pause) in gaps.iter().zip([40, 80, 160, 250, 250]) {
        // Never too early; how late depends on the machine too.
        assert!(*gap >= pause * 78 / 100 && *gap <= pause * 122 / 100 + 300, "{gaps:?}");
    }
}

#[test]
fn for_an_answer_is_limited() {
    let _stage = alone();
    let h = Harness::new(&[("test.mock.num.brokers", "1"), ("request.timeout.ms", "100")]);
    let t = h.topic("t");
    h.wait_fate(h.one(&t), ms(3000));
    h.cluster().record_requests(true);
    // Not answered: `request.timeout.ms` and a second for the way, then another connection.
    h.cluster().push_request_errors(PRODUCE, &[-185]);
    let f = h.wait_fate(h.one(&t), ms(5000));
    assert_eq!((f.err, f.status), (RespErr::NO_ERROR, Status::Persisted));
    let at: Vec<Instant> = h.cluster().take_requests().iter().filter(|r| r.api_key == PRODUCE).map(|r| r.at).collect();
    let gap = at[1] - at[0];
    assert!(gap >= ms(1080) && gap < ms(2000), "{gap:?}");
    h.close(ms(3000));
}
