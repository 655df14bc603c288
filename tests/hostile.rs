//! A hostile broker against the client: truncated, oversized, random, trickling and missing answers at each API that the
//! client uses. Errors and reconnects, never a panic, a hang or a large allocation; and all is well when it is over.

mod common;

use common::{alone, eventually, memory_kib, ms, threads_named, Harness, Other};
use rkafka::client::{PARTITION_UA, PURGE_INFLIGHT, PURGE_QUEUE};
use rkafka::error::RespErr;
use rkafka::mock::{HostileMode, MockCluster, Options, Security};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const SASL_HANDSHAKE: i16 = 17;
const API_VERSIONS: i16 = 18;
const INIT_PRODUCER_ID: i16 = 22;
const ADD_PARTITIONS_TO_TXN: i16 = 24;
const END_TXN: i16 = 26;
const SASL_AUTHENTICATE: i16 = 36;

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
    let experienced = how_long.as_millis().is_multiple_of(2);
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
    let _stage = alone();
    for key in [API_VERSIONS, METADATA, PRODUCE] {
        siege(key);
    }
    eventually("threads of the clients end", ms(5000), || threads_named("rk:") == 0);
}

/// Modes for the APIs that are asked for one answer at a time.
const MODES: [HostileMode; 7] = [
    HostileMode::Truncate,
    HostileMode::Oversize(u32::MAX >> 1),
    HostileMode::WrongCorrelationId,
    HostileMode::NegativeLength,
    HostileMode::OneBytePerSecond,
    HostileMode::NeverAnswer,
    HostileMode::RandomBytes(5),
];

/// Nobody is let in by damaged answers, nothing is sent to a broker that gives them, and the client comes in afterwards.
#[test]
fn answers_to_an_authentication() {
    let _stage = alone();
    for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
        for key in [SASL_HANDSHAKE, SASL_AUTHENTICATE] {
            for mode in MODES {
                let what = format!("{mode:?} at API key {key}, {mechanism}");
                let cluster = MockCluster::new(1, Options::default()).expect("a cluster");
                let security = Security::default().with_sasl(&[mechanism]).expect("a mechanism");
                cluster.set_security(security.with_user("alice", "wonderland"));
                cluster.set_hostile_for(key, mode);
                let h = Harness::on(
                    &cluster,
                    &[
                        ("security.protocol", "sasl_plaintext"),
                        ("sasl.mechanisms", mechanism),
                        ("sasl.username", "alice"),
                        ("sasl.password", "wonderland"),
                        ("socket.timeout.ms", "300"),
                        ("message.timeout.ms", "60000"),
                    ],
                );
                let before = memory_kib("VmRSS");
                let id = h.one(&h.topic("t"));
                // What is random may be an honest answer once in a while.
                let perhaps_honest = matches!(mode, HostileMode::RandomBytes(_));
                eventually(&format!("new connections in spite of {what}"), ms(15_000), || {
                    cluster.accepted_connections(1) >= 3 || perhaps_honest && h.reports() > 0
                });
                let grown = memory_kib("VmRSS").saturating_sub(before);
                assert!(grown < MOST_KIB, "{what}: {grown} KiB more");
                if !perhaps_honest {
                    assert_eq!(h.reports(), 0, "{what}");
                }
                cluster.set_hostile(HostileMode::None);
                assert_eq!(h.wait_fate(id, ms(15_000)).err, RespErr::NO_ERROR, "{what}");
                h.close(ms(5000));
            }
        }
    }
}

/// Transactional calls come back in their time, whatever the coordinator answers.
#[test]
fn answers_of_a_coordinator() {
    let _stage = alone();
    for key in [FIND_COORDINATOR, INIT_PRODUCER_ID, ADD_PARTITIONS_TO_TXN, END_TXN] {
        for (i, mode) in MODES.into_iter().enumerate() {
            let what = format!("{mode:?} at API key {key}");
            let h = Harness::new(&[
                ("test.mock.num.brokers", "1"),
                ("transactional.id", "x"),
                ("transaction.timeout.ms", "5000"),
                ("message.timeout.ms", "1000"),
                ("socket.timeout.ms", "300"),
                ("retry.backoff.ms", "5"),
                ("retry.backoff.max.ms", "20"),
            ]);
            let cluster = h.cluster();
            assert!(cluster.set_profile(["newest", "2.0"][i % 2]));
            cluster.set_hostile_for(key, mode);
            let before = memory_kib("VmRSS");
            let timely = |call: &str, f: &dyn Fn() -> bool| -> bool {
                let begin = Instant::now();
                let done = f();
                assert!(begin.elapsed() < ms(6000), "{call} in spite of {what}: {:?}", begin.elapsed());
                done
            };
            let wait = Some(ms(400));
            let p = &h.producer;
            let init = || timely("init", &|| p.init_transactions(wait).is_ok());
            let ready = init() || init();
            if ready && p.begin_transaction().is_ok() {
                let topic = h.topic("t");
                let _ = h.produce(&topic, 0, None, (0, 1));
                if !timely("commit", &|| h.commit(ms(400)).is_ok()) {
                    timely("abort", &|| h.abort(ms(400)).is_ok());
                }
            }
            let grown = memory_kib("VmRSS").saturating_sub(before);
            assert!(grown < MOST_KIB, "{what}: {grown} KiB more");
            cluster.set_hostile(HostileMode::None);
            let _ = h.producer.purge(PURGE_QUEUE | PURGE_INFLIGHT);
            h.close(ms(6000));
        }
    }
}

/// What a broker that is nothing but a socket does with a connection.
#[derive(Clone, Copy, Debug)]
enum Bad {
    NeverAnswers,
    OneByteASecond,
    WrongCorrelationId,
    /// A length of 2 GiB less one, then bytes as fast as they are taken.
    TwoGibibytes,
    /// A length of 90 MB, which is allowed, and little after it.
    Promises,
    /// What is no Kafka at all, as fast as it is taken.
    Floods,
}

/// Serves one connection until the client closes it. Returns how long that took from the client's first request on.
fn misbehave(mut s: TcpStream, bad: Bad) -> Duration {
    let mut request = [0; 4096];
    s.set_read_timeout(Some(ms(20_000))).expect("a time-out");
    let n = s.read(&mut request).expect("a request");
    assert!(n >= 12, "a request of {n} bytes");
    let begin = Instant::now();
    s.set_read_timeout(Some(ms(5))).expect("a time-out");
    // An ApiVersions response, v0, as it would be if nothing were wrong.
    let mut answer = vec![0, 0, 0, 10];
    answer.extend_from_slice(&request[8..12]);
    answer.extend_from_slice(&[0, 35, 0, 0, 0, 0]);
    let first: &[u8] = match bad {
        Bad::NeverAnswers | Bad::OneByteASecond => &[],
        Bad::WrongCorrelationId => {
            answer[6] ^= 0x55;
            &answer
        }
        Bad::TwoGibibytes => &[0x7f, 0xff, 0xff, 0xff],
        Bad::Promises => &[5, 0x5d, 0x4a, 0x80, 1, 2, 3],
        Bad::Floods => b"HTTP/1.1 400 Bad Request",
    };
    let mut open = s.write_all(first).is_ok();
    let mut trickled = 0;
    while open && begin.elapsed() < ms(20_000) {
        match bad {
            Bad::OneByteASecond if begin.elapsed() >= ms(trickled as u64 * 1000) && trickled < answer.len() => {
                open = s.write_all(&answer[trickled..=trickled]).is_ok();
                trickled += 1;
            }
            Bad::TwoGibibytes | Bad::Floods => open = s.write_all(&[7; 64 << 10]).is_ok(),
            _ => {}
        }
        match s.read(&mut request) {
            Ok(0) => break,
            Err(e) if !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            _ => {}
        }
    }
    begin.elapsed()
}

#[test]
fn a_bad_broker_is_dropped_in_bounded_time_and_memory() {
    let _stage = alone();
    for bad in
        [Bad::NeverAnswers, Bad::OneByteASecond, Bad::WrongCorrelationId, Bad::TwoGibibytes, Bad::Promises, Bad::Floods]
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        listener.set_nonblocking(true).expect("a listener");
        let address = listener.local_addr().expect("an address").to_string();
        let h = Harness::new(&[
            ("bootstrap.servers", &address),
            ("api.version.request.timeout.ms", "500"),
            ("socket.timeout.ms", "500"),
            ("receive.message.max.bytes", "100000000"),
            ("message.timeout.ms", "60000"),
        ]);
        let before = memory_kib("VmRSS");
        h.one(&h.topic("t"));
        for _ in 0..2 {
            let mut accepted = None;
            eventually("a connection", ms(15_000), || {
                accepted = listener.accept().ok();
                accepted.is_some()
            });
            let (s, _) = accepted.expect("a connection");
            s.set_nonblocking(false).expect("a socket");
            let took = misbehave(s, bad);
            assert!(took < ms(8000), "{bad:?}: dropped after {took:?}");
        }
        let grown = memory_kib("VmRSS").saturating_sub(before);
        assert!(grown < MOST_KIB, "{bad:?}: {grown} KiB more");
        eventually(&format!("an error event about {bad:?}"), ms(8000), || {
            h.others().iter().any(|o| matches!(o, Other::Error(..)))
        });
        assert_eq!(h.reports(), 0, "{bad:?}");
        h.producer.purge(PURGE_QUEUE).expect("purge");
        drop(listener);
        h.close(ms(6000));
    }
}
