//! A hostile broker against the client: truncated, oversized, random, trickling and missing answers at each API that the
//! client uses. Errors and reconnects, never a panic, a hang or a large allocation; and all is well when it is over.

mod common;

use common::{eventually, memory_kib, ms, threads_named, Harness, Other};
use rkafka::client::PARTITION_UA;
use rkafka::error::RespErr;
use rkafka::mock::HostileMode;
use std::time::{Duration, Instant};

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;

/// Most that the process may grow by in one attack.
const MOST_KIB: u64 = 20 << 10;

fn attack(key: i16, mode: HostileMode, how_long: Duration, profile: &str) {
    let what = format!("{mode:?} at API key {key}, {profile}");
    let h = Harness::new(&[
        ("test.mock.num.brokers", "2"),
        ("message.timeout.ms", "700"),
        ("request.timeout.ms", "1"),
        ("socket.timeout.ms", "300"),
        ("api.version.request.timeout.ms", "200"),
        ("topic.metadata.refresh.interval.ms", "20"),
        ("retry.backoff.ms", "5"),
        ("retry.backoff.max.ms", "20"),
        ("linger.ms", "1"),
    ]);
    let cluster = h.cluster();
    assert!(cluster.set_profile(profile));
    cluster.create_topic("t", 3, 2).expect("a topic");
    let t = h.topic("t");
    // Once with a client that knew better times, once with one that meets it from the start.
    let experienced = how_long.as_millis() % 2 == 0;
    if experienced {
        h.wait_fate(h.one(&t), ms(3000));
    }
    let before = memory_kib("VmRSS");
    cluster.set_hostile_for(key, mode);
    let _ = cluster.drop_connections(-1);
    let until = Instant::now() + how_long;
    let mut n = 0;
    while Instant::now() < until {
        n += 1;
        // A damaged answer may well say that there are fewer partitions.
        match h.produce(&t, if n % 2 == 0 { PARTITION_UA } else { n % 3 }, None, (0, n as usize)) {
            Ok(_) | Err(RespErr::ERR__UNKNOWN_PARTITION | RespErr::ERR__UNKNOWN_TOPIC) => {}
            Err(e) => panic!("{what}: {e:?}"),
        }
        std::thread::sleep(ms(3));
    }
    // Its own time-out, and what the timers may take on a busy machine.
    eventually(&format!("reports in spite of {what}"), ms(2500), || h.producer.messages_pending() == 0);
    let grown = memory_kib("VmRSS").saturating_sub(before);
    assert!(grown < MOST_KIB, "{what}: {grown} KiB more");
    assert!(threads_named("rk:b") < 60, "{what}: {} threads", threads_named("rk:b"));
    assert_eq!(h.producer.fatal_error(), None, "{what}");
    if mode != HostileMode::NeverAnswer && !matches!(mode, HostileMode::RandomBytes(_)) {
        assert!(h.others().iter().any(|o| matches!(o, Other::Error(..))), "{what}: no error event");
    }
    cluster.set_hostile(HostileMode::None);
    // A damaged answer may have asked the client to hold back for hours, and that it does.
    let held_back = h.others().iter().any(|o| matches!(o, Other::Throttle(_, ms) if *ms > 1000));
    let until = Instant::now() + ms(6000);
    loop {
        if held_back {
            break;
        }
        if let Ok(id) = h.produce(&t, PARTITION_UA, None, (0, 0)) {
            if h.wait_fate(id, ms(3000)).err == RespErr::NO_ERROR {
                break;
            }
        }
        assert!(Instant::now() < until, "no recovery from {what}: {:?}", h.others().last());
        std::thread::sleep(ms(10));
    }
    h.close(ms(4000));
}

/// Every mode at one API.
fn siege(key: i16) {
    let modes = [
        HostileMode::Truncate,
        HostileMode::Oversize(50 << 20),
        HostileMode::Oversize(1 << 30),
        HostileMode::Oversize(u32::MAX),
        HostileMode::WrongCorrelationId,
        HostileMode::NegativeLength,
        HostileMode::OneBytePerSecond,
        HostileMode::NeverAnswer,
    ];
    for (i, mode) in modes.into_iter().enumerate() {
        let profile = ["newest", "2.0"][i % 2];
        attack(key, mode, ms(if i % 3 == 0 { 501 } else { 300 }), profile);
    }
    let first = std::env::var("RKAFKA_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(std::process::id() as u64);
    println!("RKAFKA_SEED={first}");
    for seed in first..first + 4 {
        attack(key, HostileMode::RandomBytes(seed), ms(400 + seed % 2), if seed % 2 == 0 { "newest" } else { "1.0" });
    }
}

#[test]
fn answers_at_every_api() {
    for key in [API_VERSIONS, METADATA, PRODUCE] {
        siege(key);
    }
    eventually("threads of the clients end", ms(5000), || threads_named("rk:") == 0);
}
