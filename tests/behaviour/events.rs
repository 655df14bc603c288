//! Events besides deliveries: errors, throttling, statistics; and the quiet of an idle client.

use crate::common::{alone, beside, eventually, ms, Harness, Other};
use rkafka::client::Status;
use rkafka::error::RespErr;
use serde_json::Value;
use std::collections::HashMap;

const PRODUCE: i16 = 0;

#[test]
fn tell_of_brokers_that_are_all_down() {
    let _stage = beside();
    let down = |o: &Other| matches!(o, Other::Error(RespErr::ERR__ALL_BROKERS_DOWN, _, _));
    let h = Harness::new(&[("test.mock.num.brokers", "3")]);
    let t = h.topic("t");
    h.wait_fate(h.one(&t), ms(3000));
    assert!(h.others().is_empty(), "{:?}", h.others());
    h.cluster().broker_down(-1).expect("down");
    let id = h.one(&t);
    eventually("the event", ms(5000), || h.others().iter().any(down));
    let disconnects = |o: &Other| matches!(o, Other::Error(RespErr::ERR__TRANSPORT, _, _));
    assert!(h.others().iter().any(disconnects));
    h.cluster().broker_up(-1).expect("up");
    assert_eq!(h.wait_fate(id, ms(5000)).err, RespErr::NO_ERROR);
    // Once per outage.
    assert_eq!(h.others().iter().filter(|o| down(o)).count(), 1);
    // And without any broker from the beginning.
    let h = Harness::new(&[("bootstrap.servers", "127.0.0.1:1")]);
    eventually("the event", ms(5000), || h.others().iter().any(down));
}

#[test]
fn tell_of_throttling_which_holds_the_client_back() {
    let _stage = alone();
    let h = Harness::new(&[("test.mock.num.brokers", "1"), ("linger.ms", "0")]);
    let t = h.topic("t");
    h.wait_fate(h.one(&t), ms(3000));
    h.cluster().throttle(PRODUCE, 300);
    let first = h.wait_fate(h.one(&t), ms(3000));
    eventually("the event", ms(1000), || h.others().iter().any(|o| matches!(o, Other::Throttle(1, 300))));
    h.cluster().throttle(PRODUCE, 0);
    let second = h.wait_fate(h.one(&t), ms(3000));
    let gap = second.at - first.at;
    assert!(gap >= ms(280) && gap < ms(600), "{gap:?}");
    let third = h.wait_fate(h.one(&t), ms(3000));
    assert!(third.at - second.at < ms(200));
}

#[test]
fn of_throttling_without_measure_stop_nothing_but_that_broker() {
    let _stage = alone();
    let h = Harness::new(&[
        ("test.mock.num.brokers", "2"),
        ("linger.ms", "0"),
        ("message.timeout.ms", "1000"),
        ("topic.metadata.refresh.interval.ms", "50"),
    ]);
    h.cluster().create_topic("t", 1, 2).expect("a topic");
    h.cluster().set_partition_leader("t", 0, 1).expect("a leader");
    let t = h.topic("t");
    h.wait_fate(h.one(&t), ms(3000));
    h.cluster().throttle(PRODUCE, i32::MAX);
    assert_eq!(h.wait_fate(h.one(&t), ms(3000)).err, RespErr::NO_ERROR);
    h.cluster().throttle(PRODUCE, 0);
    eventually("the event", ms(1000), || h.others().iter().any(|o| matches!(o, Other::Throttle(1, i32::MAX))));
    // What waits for the broker is reported when its time is over.
    let f = h.wait_fate(h.one(&t), ms(5000));
    assert_eq!((f.err, f.status), (RespErr::ERR__MSG_TIMED_OUT, Status::NotPersisted));
    // Not after the hour that the broker asked for; how exactly, on an idle machine, is for the tests of time.
    assert!(f.latency_us < 3_000_000, "{} us", f.latency_us);
    // Metadata is still to be had from it, and another leader is not held back.
    h.producer.metadata(false, None, ms(3000)).expect("metadata");
    h.cluster().set_partition_leader("t", 0, 2).expect("a leader");
    std::thread::sleep(ms(200));
    assert_eq!(h.wait_fate(h.one(&t), ms(3000)).err, RespErr::NO_ERROR);
    h.close(ms(3000));
}

/// Fields by section, as the reference table has them.
fn reference() -> HashMap<&'static str, Vec<(&'static str, &'static str)>> {
    let mut out: HashMap<&str, Vec<(&str, &str)>> = HashMap::new();
    for line in include_str!("../data/statistics.tsv").lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        out.entry(cells[0]).or_default().push((cells[1], cells[2]));
    }
    out
}

fn check(section: &str, value: &Value, table: &HashMap<&str, Vec<(&str, &str)>>, wrong: &mut Vec<String>) {
    for (field, kind) in &table[section] {
        // A consumer's, and an idempotent producer's.
        if section == "Top-level" && ["cgrp", "eos"].contains(field) {
            continue;
        }
        match (value.get(field), kind.split(' ').next()) {
            (None, _) => wrong.push(format!("{section}: {field} is missing")),
            (Some(v), Some("int")) if !v.is_i64() && !v.is_u64() => {
                wrong.push(format!("{section}.{field}: {v} is no int"))
            }
            (Some(v), Some("string")) if !v.is_string() => wrong.push(format!("{section}.{field}: {v} is no string")),
            (Some(v), Some("bool")) if !v.is_boolean() => wrong.push(format!("{section}.{field}: {v} is no bool")),
            (Some(v), Some("object")) if !v.is_object() => wrong.push(format!("{section}.{field}: {v} is no object")),
            _ => {}
        }
    }
}

#[test]
fn of_statistics_have_every_field_with_sense_in_it() {
    let _stage = alone();
    let h = Harness::new(&[("test.mock.num.brokers", "1"), ("statistics.interval.ms", "150"), ("linger.ms", "5")]);
    h.cluster().create_topic("t", 2, 1).expect("a topic");
    let t = h.topic("t");
    for i in 0..100 {
        h.produce(&t, i % 2, None, (0, i as usize)).expect("accepted");
        std::thread::sleep(ms(2));
    }
    h.flush(ms(3000));
    let all = || -> Vec<Value> {
        let of = |o: &Other| match o {
            Other::Stats(s) => Some(serde_json::from_str(s).expect("JSON")),
            _ => None,
        };
        h.others().iter().filter_map(of).collect()
    };
    let before = all().len();
    eventually("documents", ms(2000), || all().len() >= before + 2);
    let table = reference();
    let mut wrong = Vec::new();
    let docs = all();
    for doc in &docs {
        check("Top-level", doc, &table, &mut wrong);
        for b in doc["brokers"].as_object().expect("brokers").values() {
            check("brokers", b, &table, &mut wrong);
            for w in ["int_latency", "outbuf_latency", "rtt", "throttle"] {
                check("Window stats", &b[w], &table, &mut wrong);
            }
            for tp in b["toppars"].as_object().expect("toppars").values() {
                check("brokers.toppars", tp, &table, &mut wrong);
            }
        }
        for t in doc["topics"].as_object().expect("topics").values() {
            check("topics", t, &table, &mut wrong);
            for w in ["batchsize", "batchcnt"] {
                check("Window stats", &t[w], &table, &mut wrong);
            }
            for p in t["partitions"].as_object().expect("partitions").values() {
                check("partitions", p, &table, &mut wrong);
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // And the figures are right.
    let last = docs.last().expect("two at least");
    assert_eq!(last["txmsgs"], 100);
    assert_eq!((&last["msg_cnt"], &last["type"]), (&0.into(), &"producer".into()));
    let partitions = &last["topics"]["t"]["partitions"];
    assert_eq!((&partitions["0"]["txmsgs"], &partitions["1"]["txmsgs"]), (&50.into(), &50.into()));
    let brokers = last["brokers"].as_object().expect("brokers");
    let learned = brokers.values().find(|b| b["nodeid"] == 1).expect("broker 1");
    assert_eq!((&learned["state"], &learned["source"]), (&"UP".into(), &"learned".into()));
    assert!(learned["tx"].as_u64() >= learned["req"]["Produce"].as_u64() && learned["txbytes"].as_u64() > Some(1000));
    assert!(learned["req"]["Produce"].as_u64() >= Some(2), "{learned}");
    assert!(learned["txidle"].as_i64() > Some(0) && learned["rxidle"].as_i64() > Some(0), "{learned}");
    let counted: u64 = docs
        .iter()
        .flat_map(|d| d["brokers"].as_object().expect("brokers").values())
        .map(|b| b["int_latency"]["cnt"].as_u64().unwrap_or(0))
        .sum();
    assert!(counted >= 2, "{counted}");
    let rtt = docs.iter().flat_map(|d| d["brokers"].as_object().expect("brokers").values());
    assert!(rtt.clone().any(|b| b["rtt"]["avg"].as_u64() > Some(0)));
    assert!(rtt.clone().any(|b| b["outbuf_latency"]["cnt"].as_u64() > Some(0)));
    let batches: u64 = docs.iter().map(|d| d["topics"]["t"]["batchcnt"]["sum"].as_u64().unwrap_or(0)).sum();
    assert_eq!(batches, 100);
}

/// Voluntary context switches of the client's threads, by name.
fn switches() -> HashMap<String, u64> {
    let mut out = HashMap::new();
    for t in std::fs::read_dir("/proc/self/task").expect("Linux").flatten() {
        let status = std::fs::read_to_string(t.path().join("status")).unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)).map(|v| v.trim().to_owned());
        let (Some(name), Some(n)) = (field("Name:"), field("voluntary_ctxt_switches:")) else { continue };
        if name.starts_with("rk:") && !name.starts_with("rk:mock") {
            *out.entry(name).or_insert(0) += n.parse::<u64>().unwrap_or(0);
        }
    }
    out
}

fn stays_quiet(what: &str) {
    let before = switches();
    std::thread::sleep(ms(3000));
    for (name, n) in switches() {
        let woke = n - before.get(&name).copied().unwrap_or(0);
        // Once a second and broker, of which there are three.
        let most = if name == "rk:main" { 9 } else { 3 };
        assert!(woke <= most, "{what}: {name} woke {woke} times in three seconds");
    }
}

#[test]
fn are_none_while_the_client_is_idle() {
    let _stage = alone();
    let h = Harness::new(&[
        ("test.mock.num.brokers", "3"),
        ("reconnect.backoff.ms", "100"),
        ("reconnect.backoff.max.ms", "10000"),
    ]);
    let t = h.topic("t");
    for _ in 0..100 {
        h.one(&t);
    }
    h.flush(ms(3000));
    // Spare memory is given back within the first seconds.
    std::thread::sleep(ms(2000));
    stays_quiet("connected");
    h.cluster().broker_down(-1).expect("down");
    std::thread::sleep(ms(5000));
    stays_quiet("with all brokers down");
}

#[test]
fn are_rare_while_no_broker_can_be_reached() {
    let _stage = alone();
    let _h = Harness::new(&[
        ("bootstrap.servers", "127.0.0.1:1"),
        ("reconnect.backoff.ms", "100"),
        ("reconnect.backoff.max.ms", "10000"),
    ]);
    // The pauses double: 0.1, 0.2, 0.4, 0.8, 1.6 seconds, each times 0.75 to 1.5. From the fifth second on none is shorter than
    // the three seconds of looking, so that at most one attempt falls into them.
    std::thread::sleep(ms(5000));
    stays_quiet("unreachable");
}
