//! Invariants under random faults of the embedded broker: one report for each accepted message, reports that the log
//! bears out, order kept, budgets full again, no thread left, nothing hangs.
//!
//! The environment says which rounds and how many: see `common/rounds.rs`.

mod common;

use common::rounds::{self, Run};
use common::{ms, Harness};
use rkafka::client::{Producer, PARTITION_UA, PURGE_INFLIGHT, PURGE_NON_BLOCKING, PURGE_QUEUE};
use rkafka::error::RespErr;
use rkafka::mock::faults::{SplitMix, CLOSE};
use rkafka::mock::{Faults, MockCluster, Options};
use std::collections::HashSet;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::time::{Duration, Instant};

const BROKERS: i32 = 3;
/// Kafka's default `message.max.bytes`.
const MESSAGE_MAX: usize = 1_048_588;
const TIMEOUTS: &[&str] = &["8000", "8000", "8000", "400", "1200"];
const FAST_TIMEOUTS: &[&str] = &["8000", "8000", "8000", "30", "150"];
/// How long the default run may take before it stops beginning new rounds.
const DEFAULT_RUN: Duration = Duration::from_secs(30);

#[test]
fn one_true_report_per_message_whatever_happens() {
    let messages = AtomicUsize::new(0);
    rounds::run(DEFAULT_RUN, |seed, run, host| {
        messages.fetch_add(round(seed, run, host), AcqRel);
    });
    println!("{} messages", messages.load(Acquire));
}

/// The settings of a round, by its seed.
struct Plan {
    pairs: Vec<(&'static str, String)>,
    topics: Vec<(String, i32)>,
    threads: usize,
    messages: usize,
    /// When to stop though there are messages left: much trouble makes a round slow, and more rounds are worth more than
    /// longer ones.
    produce_for: Duration,
    fast: bool,
    pad: usize,
    message_timeout: u64,
    ordered: bool,
    /// Idempotent: no message is in the log twice.
    once: bool,
    purge: bool,
    /// Close with messages queued, before the cluster is whole again.
    abrupt: bool,
    volatile: bool,
    mixture: bool,
}

fn plan(rng: &mut SplitMix, fast: bool) -> Plan {
    let mut one_of = |list: &[&str]| list[rng.below(list.len() as u64) as usize].to_owned();
    let idempotent = one_of(&["false", "false", "true"]);
    let once = idempotent == "true";
    let max_in_flight = one_of(if once { &["1", "5", "5"] } else { &["1", "1", "5", "1000000"] });
    let message_timeout = one_of(if fast { FAST_TIMEOUTS } else { TIMEOUTS });
    let mut pairs = vec![
        ("enable.idempotence", idempotent),
        ("acks", one_of(if once { &["all"] } else { &["all", "all", "1", "0"] })),
        ("linger.ms", one_of(&["0", "1", "5", "20"])),
        ("batch.num.messages", one_of(&["10000", "10000", "1", "7"])),
        ("batch.size", one_of(&["1000000", "1000000", "200", "4000"])),
        ("compression.codec", one_of(&["none", "none", "gzip", "snappy", "lz4", "zstd"])),
        ("max.in.flight", max_in_flight.clone()),
        ("message.timeout.ms", message_timeout.clone()),
        ("retries", one_of(&["2147483647", "2147483647", "2147483647", "2"])),
        ("retry.backoff.ms", one_of(&["1", "5", "50"])),
        ("retry.backoff.max.ms", "100".to_owned()),
        ("request.timeout.ms", one_of(&["100", "1000"])),
        ("socket.timeout.ms", "1500".to_owned()),
        ("api.version.request.timeout.ms", "300".to_owned()),
        ("topic.metadata.propagation.max.ms", one_of(&["300", "30000"])),
        ("topic.metadata.refresh.interval.ms", one_of(&["300000", "100"])),
        ("queue.buffering.max.messages", one_of(&["100000", "300"])),
        ("queue.buffering.max.kbytes", one_of(&["1048576", "1048576", "64"])),
        ("partitioner", one_of(&["consistent_random", "murmur2_random", "random", "round_robin"])),
        ("connections.max.idle.ms", one_of(&["0", "0", "50"])),
    ];
    if fast {
        // What a round waits for in vain is a broker that is silent; so that is made short.
        let one_of = |rng: &mut SplitMix, list: &[&str]| list[rng.below(list.len() as u64) as usize].to_owned();
        pairs.extend([
            ("request.timeout.ms", one_of(rng, &["20", "60"])),
            ("socket.timeout.ms", "80".to_owned()),
            ("socket.connection.setup.timeout.ms", "1000".to_owned()),
            ("api.version.request.timeout.ms", "60".to_owned()),
            ("retry.backoff.ms", one_of(rng, &["1", "5"])),
            ("retry.backoff.max.ms", "20".to_owned()),
            ("reconnect.backoff.ms", "2".to_owned()),
            ("reconnect.backoff.max.ms", "20".to_owned()),
            ("linger.ms", one_of(rng, &["0", "1", "5"])),
        ]);
    }
    let topics = (0..1 + rng.below(3)).map(|i| (format!("topic{i}"), 1 + rng.below(5) as i32)).collect();
    Plan {
        pairs,
        topics,
        threads: 1 + rng.below(3) as usize,
        messages: if fast { 30 + rng.below(250) } else { 100 + rng.below(500) } as usize,
        produce_for: ms(if fast { 120 } else { 2500 }),
        fast,
        pad: [1, 100, 2000][rng.below(3) as usize],
        message_timeout: message_timeout.parse().unwrap_or(0),
        ordered: once || max_in_flight == "1",
        once,
        purge: rng.below(4) == 0,
        abrupt: rng.below(4) == 0,
        volatile: rng.below(3) == 0,
        mixture: rng.below(2) == 0,
    }
}

/// One round; the number of messages that were accepted.
fn round(seed: u64, run: Run, host: &str) -> usize {
    let mut rng = SplitMix(seed);
    let plan = plan(&mut rng, run.fast);
    let pairs: Vec<(&str, &str)> = plan.pairs.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let options = Options { host: host.to_owned(), ..Options::default() };
    let mut h = Harness::on(&MockCluster::new(BROKERS, options).expect("a cluster"), &pairs);
    h.pad = plan.pad;
    let cluster = h.cluster();
    for (name, partitions) in &plan.topics {
        if rng.below(3) > 0 {
            cluster.create_topic(name, *partitions, -1).expect("a topic");
        }
    }
    if plan.mixture {
        cluster.set_faults(Some(Faults::random(seed).max_delay(10).silence(rng.below(3) == 0)));
    }
    let began = Instant::now();
    let running = AtomicBool::new(true);
    let mut volatile = HashSet::new();
    let seeds: Vec<u64> = (0..plan.threads).map(|_| rng.next()).collect();
    std::thread::scope(|scope| {
        let producers: Vec<_> = seeds
            .iter()
            .enumerate()
            .map(|(thread, seed)| {
                scope.spawn({
                    let (h, plan, seed) = (&h, &plan, *seed);
                    move || produce(h, plan, thread, seed)
                })
            })
            .collect();
        let chaos = scope.spawn(|| {
            let mut volatile = HashSet::new();
            while running.load(Acquire) {
                strike(&cluster, &h.producer, &plan, &mut rng, &mut volatile);
                std::thread::sleep(ms(rng.below(if plan.fast { 4 } else { 15 })));
            }
            volatile
        });
        let ends: Vec<_> = producers.into_iter().map(|t| t.join()).collect();
        running.store(false, Release);
        volatile = chaos.join().expect("the chaos thread");
        ends.into_iter().for_each(|e| e.unwrap_or_else(|p| resume_unwind(p)));
    });
    let produced = began.elapsed();
    if !plan.abrupt {
        heal(&cluster, &plan);
        // Retries, reconnects, request time-outs of what was frozen; or else the messages' own time.
        h.flush(ms(plan.message_timeout + 3000));
    }
    let flushed = began.elapsed() - produced;
    if std::env::var_os("RKAFKA_TIMES").is_some() {
        println!("produced in {produced:?}, flushed in {flushed:?}");
    }
    h.close(Duration::from_secs(8));
    if began.elapsed() > Duration::from_secs(6) {
        let accepted = h.accepted();
        println!("  {accepted} messages: produced in {produced:?}, flushed in {flushed:?}: {:?}", plan.pairs);
    }
    heal(&cluster, &plan);
    let wrong = h.compare_with_log(&volatile, plan.ordered, plan.once);
    assert!(wrong.is_empty(), "{}\n{:?}", wrong.join("\n"), plan.pairs);
    let accepted = h.accepted();
    drop(h);
    drop(cluster);
    accepted
}

/// A producing thread: all its messages, waiting a little while the queue is full.
fn produce(h: &Harness, plan: &Plan, thread: usize, seed: u64) {
    let mut rng = SplitMix(seed);
    let topics: Vec<_> = plan.topics.iter().map(|(name, n)| (h.topic(name), *n)).collect();
    // A burst now and then, and pauses, so that batches of all sizes come up.
    let began = Instant::now();
    for seq in 0..plan.messages {
        if began.elapsed() > plan.produce_for {
            break;
        }
        let (topic, n) = &topics[rng.below(topics.len() as u64) as usize];
        let key = format!("key{}", rng.below(20));
        let (partition, key) = match rng.below(4) {
            0 => (rng.below(*n as u64) as i32, None),
            1 => (PARTITION_UA, Some(key.as_bytes())),
            _ => (PARTITION_UA, None),
        };
        let until = Instant::now() + ms(plan.message_timeout + 8000);
        loop {
            match h.produce(topic, partition, key, (thread, seq)) {
                Ok(_) => break,
                Err(RespErr::ERR__QUEUE_FULL) => {
                    if plan.fast && began.elapsed() > plan.produce_for {
                        return;
                    }
                    assert!(Instant::now() < until, "the queue stays full for {} ms", plan.message_timeout + 8000);
                    std::thread::sleep(ms(1));
                }
                // The topic was made anew with fewer partitions, or does not exist.
                Err(RespErr::ERR__UNKNOWN_PARTITION | RespErr::ERR__UNKNOWN_TOPIC) => break,
                Err(e) => panic!("produce: {e:?}"),
            }
        }
        if rng.below(20) == 0 {
            std::thread::sleep(ms(rng.below(if plan.fast { 5 } else { 20 })));
        }
    }
}

/// One thing goes wrong, or is mended.
fn strike(cluster: &MockCluster, producer: &Producer, plan: &Plan, rng: &mut SplitMix, volatile: &mut HashSet<String>) {
    let broker = 1 + rng.below(BROKERS as u64) as i32;
    let (topic, _) = &plan.topics[rng.below(plan.topics.len() as u64) as usize];
    let codes = [2i16, 3, 5, 6, 7, 13, 19, 56, 74, 100, 29, 87];
    let some: Vec<i16> = (0..1 + rng.below(3)).map(|_| codes[rng.below(codes.len() as u64) as usize]).collect();
    match rng.below(29) {
        0 => ignore(cluster.broker_down(broker)),
        1..=4 => {
            ignore(cluster.broker_up(-1));
            give_leaders(cluster, plan);
        }
        5 => ignore(cluster.broker_down(-1)),
        6 | 7 => ignore(cluster.set_partition_leader(topic, rng.below(3) as i32, broker)),
        8 => ignore(cluster.set_partition_leader(topic, 0, -1)),
        9 => cluster.drop_connection_mid_response(0, rng.below(60) as usize),
        10 => cluster.drop_connection_mid_response(3, rng.below(60) as usize),
        11 => cluster.push_after_append_errors(0, &[[CLOSE, 3, 6, 7, 20, 56][rng.below(6) as usize]]),
        12 => cluster.push_request_errors(0, &some),
        // 129: the client is to find the cluster anew.
        13 => cluster.push_request_errors(3, &[[5, 3, CLOSE, 129][rng.below(4) as usize]]),
        // Connection attempts are few, so these must not pile up.
        14 if cluster.pending_request_errors(18) == 0 => cluster.push_request_errors(18, &[CLOSE]),
        15 => ignore(cluster.set_rtt(broker, rng.below(30) as i32)),
        16 => cluster.throttle(0, rng.below(30) as i32),
        17 => ignore(cluster.freeze(broker)),
        18..=20 => ignore(cluster.unfreeze(-1)),
        21 => ignore(cluster.drop_connections(broker)),
        22 => ignore(cluster.set_partition_count(topic, 1 + rng.below(8) as i32)),
        23 if plan.volatile => {
            volatile.insert(topic.clone());
            let _ = if rng.below(2) == 0 { cluster.delete_topic(topic) } else { cluster.recreate_topic(topic) };
        }
        24 if plan.purge => {
            let flags = [
                PURGE_QUEUE,
                PURGE_INFLIGHT,
                PURGE_QUEUE | PURGE_INFLIGHT,
                PURGE_QUEUE | PURGE_INFLIGHT | PURGE_NON_BLOCKING,
            ];
            producer.purge(flags[rng.below(4) as usize]).expect("valid flags");
        }
        25 => {
            producer.set_flushing(true);
            std::thread::sleep(ms(rng.below(5)));
            producer.set_flushing(false);
        }
        // Batches that are on their way are suddenly too large, and perhaps single messages.
        26 => cluster.set_message_max_bytes([100, 700, 3000][rng.below(3) as usize]),
        27 | 28 => cluster.set_message_max_bytes(MESSAGE_MAX),
        _ => {}
    }
}

/// The cluster is as it should be again.
fn heal(cluster: &MockCluster, plan: &Plan) {
    cluster.set_faults(None);
    for key in [0, 3, 18] {
        cluster.clear_request_errors(key);
    }
    cluster.throttle(0, 0);
    cluster.set_message_max_bytes(MESSAGE_MAX);
    let _ = (cluster.set_rtt(-1, 0), cluster.unfreeze(-1), cluster.broker_up(-1));
    give_leaders(cluster, plan);
}

/// No partition is without a leader.
fn give_leaders(cluster: &MockCluster, plan: &Plan) {
    for (topic, _) in &plan.topics {
        let count = cluster.topics().iter().find(|(name, _)| name == topic).map_or(0, |(_, n)| *n);
        for p in 0..count {
            if cluster.partition_leader(topic, p) == Ok(-1) {
                let _ = cluster.set_partition_leader(topic, p, 1);
            }
        }
    }
}

/// Control methods fail where a topic is not there (yet), which is as good.
fn ignore(_: Result<(), RespErr>) {}
