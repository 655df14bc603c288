//! Limits: the queue's, in messages and in bytes, and a message's own.

use crate::common::{alone, beside, eventually, ms, Harness};
use rkafka::client::{Message, Section, PARTITION_UA};
use rkafka::error::RespErr;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::time::Instant;

const FULL: Result<usize, RespErr> = Err(RespErr::ERR__QUEUE_FULL);

fn message(payload: &[u8], block: bool) -> Message<'_> {
    Message {
        partition: PARTITION_UA,
        payload: Some(payload),
        key: None,
        headers: Section::NONE,
        timestamp_ms: 0,
        opaque: 0,
        block,
    }
}

#[test]
fn of_messages_are_exact() {
    let _stage = beside();
    for limit in [1usize, 2, 10, 300, 5000] {
        let h = Harness::new(&[("test.mock.num.brokers", "1"), ("queue.buffering.max.messages", &limit.to_string())]);
        h.hold_polling.store(true, Release);
        std::thread::sleep(ms(40));
        let t = h.topic("t");
        for i in 0..limit {
            h.produce(&t, PARTITION_UA, None, (0, i)).unwrap_or_else(|e| panic!("{i} of {limit}: {e:?}"));
        }
        assert_eq!(h.produce(&t, PARTITION_UA, None, (0, limit)), FULL);
        // Delivered, but nobody has heard of it: the places are still taken.
        eventually("delivery", ms(3000), || h.cluster().produced().0 == limit as u64);
        assert_eq!(h.produce(&t, PARTITION_UA, None, (0, limit)), FULL);
        assert_eq!(h.producer.messages_pending(), limit);
        h.hold_polling.store(false, Release);
        eventually("reports", ms(3000), || h.producer.messages_pending() == 0);
        h.produce(&t, PARTITION_UA, None, (0, limit)).expect("room again");
        h.close(ms(3000));
    }
}

#[test]
fn of_messages_are_exact_for_many_threads() {
    let _stage = beside();
    let h = Harness::new(&[("test.mock.num.brokers", "1"), ("queue.buffering.max.messages", "1000")]);
    h.hold_polling.store(true, Release);
    std::thread::sleep(ms(40));
    let t = h.topic("t");
    let accepted = AtomicUsize::new(0);
    std::thread::scope(|s| {
        for thread in 0..4 {
            let (h, t, accepted) = (&h, &t, &accepted);
            s.spawn(move || {
                for i in 0..1000 {
                    match h.produce(t, PARTITION_UA, None, (thread, i)) {
                        Ok(_) => drop(accepted.fetch_add(1, Relaxed)),
                        Err(e) => assert_eq!(e, RespErr::ERR__QUEUE_FULL),
                    }
                }
            });
        }
    });
    assert_eq!(accepted.load(Relaxed), 1000);
    h.close(ms(3000));
}

#[test]
fn of_bytes_hold_and_everything_gets_out() {
    let _stage = beside();
    for size in [100, 1000, 7000] {
        let h = Harness::new(&[
            ("test.mock.num.brokers", "1"),
            ("queue.buffering.max.kbytes", "64"),
            ("linger.ms", "100"),
            ("batch.size", "20000"),
        ]);
        h.cluster().create_topic("t", 1, 1).expect("a topic");
        let t = h.topic("t");
        // Known from here on: records that wait for metadata are charged twice while they are moved.
        h.one(&t);
        h.flush(ms(3000));
        h.hold_polling.store(true, Release);
        std::thread::sleep(ms(40));
        let value = vec![b'x'; size];
        let mut n = 0;
        let refused = loop {
            match h.produce_message(&t, &message(&value, false)) {
                Ok(_) => n += 1,
                Err(e) => break e,
            }
        };
        assert_eq!(refused, RespErr::ERR__QUEUE_FULL);
        assert!(n * size <= 65_536, "{n} of {size} bytes");
        // Blocks of memory are charged, and those are not cut to measure.
        assert!(n * (size + 40) >= 30_000, "{n} of {size} bytes");
        assert!(h.producer.queue_bytes() <= 65_536);
        // Nothing more is produced, so what was closed for want of room must get out by itself.
        eventually("delivery", ms(2000), || h.cluster().produced().0 == 1 + n as u64);
        h.hold_polling.store(false, Release);
        eventually("reports", ms(2000), || h.producer.messages_pending() == 0);
        h.produce_message(&t, &message(&value, false)).expect("room again");
        h.close(ms(3000));
    }
}

#[test]
fn are_waited_for_by_a_blocking_produce() {
    let _stage = alone();
    let h =
        Harness::new(&[("test.mock.num.brokers", "1"), ("queue.buffering.max.messages", "1"), ("linger.ms", "100")]);
    let t = h.topic("t");
    h.one(&t);
    h.flush(ms(3000));
    h.one(&t);
    let began = Instant::now();
    h.produce_message(&t, &message(b"waits", true)).expect("waits for room");
    let waited = began.elapsed();
    assert!(waited >= ms(80) && waited < ms(400), "{waited:?}");
    // Bytes are waited for as well.
    let h = Harness::new(&[("test.mock.num.brokers", "1"), ("queue.buffering.max.kbytes", "32"), ("linger.ms", "20")]);
    let t = h.topic("t");
    let value = vec![b'x'; 3000];
    for _ in 0..200 {
        h.produce_message(&t, &message(&value, true)).expect("waits for room");
    }
    h.close(ms(3000));
}

#[test]
fn of_a_blocking_produce_end_with_the_client() {
    let _stage = beside();
    let h = Harness::new(&[("bootstrap.servers", "127.0.0.1:1"), ("queue.buffering.max.messages", "1")]);
    h.hold_polling.store(true, Release);
    let t = h.topic("t");
    h.one(&t);
    std::thread::scope(|s| {
        let waiting = s.spawn(|| h.produce_message(&t, &message(b"waits", true)));
        std::thread::sleep(ms(100));
        assert!(!waiting.is_finished());
        h.producer.close();
        assert!(waiting.join().expect("no panic").is_err());
    });
    h.close(ms(3000));
}

#[test]
fn of_a_message_are_told_at_once() {
    let _stage = beside();
    let h = Harness::new(&[("test.mock.num.brokers", "1"), ("message.max.bytes", "1000")]);
    let t = h.topic("t");
    let value = vec![b'x'; 1001];
    assert_eq!(h.produce_message(&t, &message(&value, false)), Err(RespErr::ERR_MSG_SIZE_TOO_LARGE));
    h.produce_message(&t, &message(&value[..900], false)).expect("small enough");
    h.close(ms(3000));
}
