//! Connections: opened when needed, closed when idle, reopened; addresses; brokers of other ages.

use crate::common::{alone, beside, eventually, ms, Harness, Other};
use rkafka::client::{Headers, Message, Status, PARTITION_UA};
use rkafka::error::RespErr;
use rkafka::mock::{profiles, MockCluster, Options, SeenRequest};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;

fn cluster(host: &str) -> Option<Arc<MockCluster>> {
    MockCluster::new(1, Options { host: host.to_owned(), ..Options::default() }).ok()
}

/// Sockets of this machine to that port in the state CLOSE_WAIT (8).
fn close_wait(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let remote = format!(":{port:04X}");
    let is_it = |l: &&str| {
        let cells: Vec<&str> = l.split_whitespace().collect();
        cells.get(2).is_some_and(|r| r.ends_with(&remote)) && cells.get(3) == Some(&"08")
    };
    table.lines().filter(is_it).count()
}

#[test]
fn are_closed_when_idle_and_opened_again() {
    let _stage = alone();
    let h = Harness::new(&[("test.mock.num.brokers", "1"), ("connections.max.idle.ms", "200")]);
    let t = h.topic("t");
    for _ in 0..3 {
        assert_eq!(h.wait_fate(h.one(&t), ms(3000)).err, RespErr::NO_ERROR);
        assert!(h.cluster().connection_count(1) > 0);
        let began = Instant::now();
        eventually("idle connections close", ms(2000), || h.cluster().connection_count(1) == 0);
        assert!(began.elapsed() > ms(100) && began.elapsed() < ms(600), "{:?}", began.elapsed());
    }
    assert!(h.others().is_empty(), "{:?}", h.others());
    h.close(ms(3000));
}

#[test]
fn that_the_broker_closes_are_noticed() {
    let _stage = beside();
    let h = Harness::new(&[("test.mock.num.brokers", "1")]);
    let t = h.topic("t");
    let port = h.cluster().bootstrap().rsplit(':').next().and_then(|p| p.parse().ok()).expect("a port");
    for _ in 0..5 {
        assert_eq!(h.wait_fate(h.one(&t), ms(3000)).err, RespErr::NO_ERROR);
        h.cluster().drop_connections(1).expect("cut");
        eventually("no socket is left half closed", ms(1000), || close_wait(port) == 0);
    }
    h.close(ms(3000));
}

#[test]
fn take_ipv6() {
    let _stage = beside();
    let Some(c) = cluster("::1") else {
        println!("no IPv6 here");
        return;
    };
    assert!(c.bootstrap().starts_with("[::1]:"));
    let h = Harness::on(&c, &[]);
    assert_eq!(h.wait_fate(h.one(&h.topic("t")), ms(3000)).err, RespErr::NO_ERROR);
    let h = Harness::on(&c, &[("broker.address.family", "v4"), ("message.timeout.ms", "500")]);
    assert_eq!(h.wait_fate(h.one(&h.topic("t")), ms(3000)).err, RespErr::ERR__MSG_TIMED_OUT);
}

#[test]
fn try_every_address_of_a_name() {
    let _stage = beside();
    // `localhost` is 127.0.0.1 and, where there is IPv6, ::1: one of them is refused.
    for host in ["127.0.0.1", "::1"] {
        let Some(c) = cluster(host) else { continue };
        let port = c.bootstrap().rsplit(':').next().expect("a port").to_owned();
        let resolves = std::net::ToSocketAddrs::to_socket_addrs(&("localhost", 1))
            .is_ok_and(|mut all| all.any(|a| a.ip().to_string() == host));
        if !resolves {
            continue;
        }
        let h = Harness::on(&c, &[("bootstrap.servers", &format!("localhost:{port}"))]);
        assert_eq!(h.wait_fate(h.one(&h.topic("t")), ms(3000)).err, RespErr::NO_ERROR, "{host}");
    }
}

#[test]
fn try_every_server_of_the_list() {
    let _stage = beside();
    let c = cluster("127.0.0.1").expect("a cluster");
    let list = format!("127.0.0.1:1,no-such-host.invalid:9092,{}", c.bootstrap());
    let h = Harness::on(&c, &[("bootstrap.servers", &list)]);
    assert_eq!(h.wait_fate(h.one(&h.topic("t")), ms(8000)).err, RespErr::NO_ERROR);
}

#[test]
fn do_not_cling_to_a_broker_that_closes_them() {
    let _stage = beside();
    let c = MockCluster::new(2, Options::default()).expect("a cluster");
    c.create_topic("t", 1, 2).expect("a topic");
    c.set_partition_leader("t", 0, 2).expect("a leader");
    // Broker 1 accepts and closes; broker 2 cannot be reached for a while.
    c.push_broker_request_error_rtts(1, API_VERSIONS, &[(-195, 0); 5000]).expect("a broker");
    c.broker_down(2).expect("down");
    let h = Harness::on(&c, &[]);
    let id = h.one(&h.topic("t"));
    std::thread::sleep(ms(500));
    c.broker_up(2).expect("up");
    assert_eq!(h.wait_fate(id, ms(3000)).err, RespErr::NO_ERROR);
    h.close(ms(3000));
}

#[test]
fn work_with_brokers_of_every_age() {
    let _stage = beside();
    for profile in profiles::names().chain(["newest"]) {
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            let c = cluster("127.0.0.1").expect("a cluster");
            assert!(c.set_profile(profile));
            let h = Harness::on(&c, &[("compression.codec", codec), ("linger.ms", "20")]);
            let t = h.topic("t");
            let mut headers = Headers::new();
            headers.add(b"name", Some(b"value"));
            let value = vec![b'v'; 500];
            let ids: Vec<usize> = (0..20)
                .map(|_| {
                    let m = Message {
                        partition: PARTITION_UA,
                        payload: Some(&value),
                        key: Some(b"k"),
                        headers: headers.section(),
                        timestamp_ms: 0,
                        opaque: 0,
                        block: false,
                    };
                    h.produce_message(&t, &m).expect("accepted")
                })
                .collect();
            h.flush(ms(5000));
            // zstd came with Kafka 2.1.
            let too_old = codec == "zstd" && ["0.11", "1.0", "2.0"].contains(&profile);
            for id in ids {
                let f = h.fate(id).expect("flushed");
                if too_old {
                    assert_eq!((f.err, f.status), (RespErr::ERR__UNSUPPORTED_FEATURE, Status::NotPersisted));
                } else {
                    assert_eq!(f.err, RespErr::NO_ERROR, "{profile} {codec}");
                }
            }
            if too_old {
                let told = |o: &Other| matches!(o, Other::Error(_, text, _) if text.contains("zstd"));
                eventually("an error event that names zstd", ms(1000), || h.others().iter().any(told));
            } else {
                let records: Vec<_> = (0..4).flat_map(|p| c.log_records("t", p).expect("a partition")).collect();
                assert_eq!(records.len(), 20);
                let id = ["none", "gzip", "snappy", "lz4", "zstd"].iter().position(|n| *n == codec).expect("listed");
                assert!(records.iter().all(|r| r.codec == id as i16 && r.headers.len() == 1), "{profile} {codec}");
            }
            h.close(ms(3000));
        }
    }
}

#[test]
fn use_the_highest_version_that_both_know() {
    let _stage = beside();
    for (profile, version) in
        [("0.11", 3), ("1.0", 5), ("2.0", 6), ("2.8", 9), ("3.9", 11), ("4.0", 12), ("newest", 13)]
    {
        let c = cluster("127.0.0.1").expect("a cluster");
        assert!(c.set_profile(profile));
        c.record_requests(true);
        let h = Harness::on(&c, &[("client.id", "me")]);
        let t = h.topic("t");
        let produced_by = || {
            assert_eq!(h.wait_fate(h.one(&t), ms(3000)).err, RespErr::NO_ERROR, "{profile}");
            let seen = c.take_requests();
            let mut by_api: HashMap<i16, i16> = HashMap::new();
            for r in &seen {
                by_api.insert(r.api_key, r.version);
            }
            assert!(by_api.get(&API_VERSIONS).is_none_or(|v| *v <= 4), "{by_api:?}");
            let produce = seen.iter().find(|r| r.api_key == PRODUCE).expect("a Produce request");
            assert_eq!(produce.client_id, "me", "{profile}");
            produce.version
        };
        // The first batch goes before topic ids are known, without which the newest version cannot be.
        let first = produced_by();
        assert!(first == version || first == version.min(12), "{profile}: {first}");
        eventually("the highest version", ms(3000), || produced_by() == version);
    }
}

#[test]
fn ask_for_leaders_before_versions_are_known() {
    let _stage = alone();
    // In the first moments: a machine that is slower than that goes the longer way.
    for _ in 0..200 {
        let c = cluster("127.0.0.1").expect("a cluster");
        c.record_requests(true);
        let h = Harness::on(&c, &[]);
        let t = h.topic("t");
        assert_eq!(h.wait_fate(h.one(&t), ms(3000)).err, RespErr::NO_ERROR);
        let mut seen = c.take_requests();
        let versions = |seen: &[SeenRequest]| -> Vec<i16> {
            seen.iter().filter(|r| r.api_key == METADATA).map(|r| r.version).collect()
        };
        if versions(&seen) != [4] {
            continue;
        }
        assert_eq!((seen[0].api_key, seen[1].api_key), (API_VERSIONS, METADATA), "{seen:?}");
        // What that version leaves out is asked for later, once.
        std::thread::sleep(ms(500));
        seen.extend(c.take_requests());
        assert!(matches!(versions(&seen)[..], [4, later] if later > 4), "{seen:?}");
        return;
    }
    panic!("never asked early");
}

#[test]
fn are_made_anew_where_metadata_asked_for_early_is_refused() {
    let _stage = alone();
    for _ in 0..200 {
        let c = cluster("127.0.0.1").expect("a cluster");
        c.set_api_version_range(METADATA, 5, 13);
        c.record_requests(true);
        let h = Harness::on(&c, &[("reconnect.backoff.ms", "3000"), ("reconnect.backoff.max.ms", "3000")]);
        let begun = Instant::now();
        assert_eq!(h.wait_fate(h.one(&h.topic("t")), ms(6000)).err, RespErr::NO_ERROR);
        let took = begun.elapsed();
        let errors: Vec<Other> = h.others().into_iter().filter(|o| matches!(o, Other::Error(..))).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let seen = c.take_requests();
        // Without reconnect.backoff.ms between.
        assert!(took < ms(1500), "{took:?}: {seen:?}");
        if seen.iter().filter(|r| r.api_key == METADATA).any(|r| r.version == 4) {
            return;
        }
    }
    panic!("never asked early");
}

#[test]
fn fall_back_to_older_api_versions() {
    let _stage = beside();
    for max in [0, 1, 2] {
        let c = cluster("127.0.0.1").expect("a cluster");
        c.set_api_version_range(API_VERSIONS, 0, max);
        c.record_requests(true);
        let h = Harness::on(&c, &[]);
        assert_eq!(h.wait_fate(h.one(&h.topic("t")), ms(3000)).err, RespErr::NO_ERROR);
        let asked: Vec<i16> =
            c.take_requests().iter().filter(|r| r.api_key == API_VERSIONS).map(|r| r.version).collect();
        assert_eq!(asked[..2], [3, max]);
    }
}

#[test]
fn without_a_common_produce_version_give_a_clear_error() {
    let _stage = beside();
    let c = cluster("127.0.0.1").expect("a cluster");
    c.set_api_version_range(PRODUCE, 1, 0);
    let h = Harness::on(&c, &[]);
    let f = h.wait_fate(h.one(&h.topic("t")), ms(3000));
    assert_eq!(f.err, RespErr::ERR__UNSUPPORTED_FEATURE);
    let told =
        |o: &Other| matches!(o, Other::Error(RespErr::ERR__UNSUPPORTED_FEATURE, text, _) if text.contains("0.11"));
    eventually("an error event", ms(1000), || h.others().iter().any(told));
    // It is asked anew, so that a damaged answer does no harm for ever.
    c.set_api_version_range(PRODUCE, 3, 9);
    let topic = h.topic("t");
    eventually("delivery after all", ms(5000), || h.wait_fate(h.one(&topic), ms(3000)).err == RespErr::NO_ERROR);
}

#[test]
fn are_only_made_to_brokers_that_are_needed() {
    let _stage = beside();
    let h = Harness::new(&[("test.mock.num.brokers", "3")]);
    h.cluster().create_topic("t", 1, 3).expect("a topic");
    let leader = h.cluster().partition_leader("t", 0).expect("a leader");
    h.wait_fate(h.one(&h.topic("t")), ms(3000));
    let counts: Vec<usize> = (1..=3).map(|b| h.cluster().connection_count(b)).collect();
    assert!(counts[leader as usize - 1] >= 1);
    assert!(counts.iter().sum::<usize>() <= 2, "{counts:?}");
}
