//! Transactions under random faults of the embedded broker: a committed one is there whole, each message once and in
//! order, an aborted one not at all; the group's offset is that of the last committed one; no failure is fatal.
//!
//! The environment says which rounds and how many: see `common/rounds.rs`.

mod common;

use common::rounds::{self, Run};
use common::{eventually, ms, Harness};
use rkafka::client::{GroupMetadata, OffsetToCommit, Status, Topic, TopicOffsets, PARTITION_UA};
use rkafka::error::{Error, RespErr};
use rkafka::mock::faults::{SplitMix, CLOSE};
use rkafka::mock::{MockCluster, Options};
use std::collections::HashSet;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::time::{Duration, Instant};

const BROKERS: i32 = 3;
const TOPICS: [&str; 2] = ["left", "right"];
const PARTITIONS: i32 = 3;
const INPUT: &str = "input";
/// How long the default run may take before it stops beginning new rounds.
const DEFAULT_RUN: Duration = Duration::from_secs(15);
/// How long a call may take, made again as often as it asks for.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn all_of_a_transaction_or_nothing_whatever_happens() {
    let (committed, aborted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    rounds::run(DEFAULT_RUN, |seed, run, host| {
        let (c, a) = round(seed, run, host);
        committed.fetch_add(c, AcqRel);
        aborted.fetch_add(a, AcqRel);
    });
    let (committed, aborted) = (committed.load(Acquire), aborted.load(Acquire));
    println!("{committed} transactions committed, {aborted} aborted");
    assert!(committed > 0, "not one transaction was committed");
}

/// Makes a call until it neither times out nor asks to be made again.
fn insist(what: &str, mut call: impl FnMut() -> Result<(), Error>) -> Result<(), Error> {
    let until = Instant::now() + PATIENCE;
    loop {
        match call() {
            Err(e) if e.is_retriable() => assert!(Instant::now() < until, "{what} takes over {PATIENCE:?}: {e}"),
            Err(e) if e.is_fatal() => panic!("{what}: {e}"),
            end => return end,
        }
    }
}

/// A round; how many transactions were committed and aborted in it.
fn round(seed: u64, run: Run, host: &str) -> (usize, usize) {
    let mut rng = SplitMix(seed);
    let cluster =
        MockCluster::new(BROKERS, Options { host: host.to_owned(), ..Options::default() }).expect("a cluster");
    let version = rng.below(3) as i16;
    cluster.set_transaction_version(version);
    TOPICS.iter().for_each(|t| cluster.create_topic(t, PARTITIONS, -1).expect("a topic"));
    cluster.create_topic(INPUT, 1, -1).expect("a topic");
    let mut one_of = |list: &[&str]| list[rng.below(list.len() as u64) as usize].to_owned();
    let mut pairs = vec![
        ("transactional.id", "tx".to_owned()),
        ("linger.ms", one_of(&["0", "1", "5"])),
        ("batch.num.messages", one_of(&["10000", "1", "7"])),
        ("compression.codec", one_of(&["none", "lz4"])),
        ("retry.backoff.ms", one_of(&["1", "5", "20"])),
        ("retry.backoff.max.ms", "50".to_owned()),
        ("request.timeout.ms", one_of(&["200", "1000"])),
        ("socket.timeout.ms", "1500".to_owned()),
        ("message.timeout.ms", one_of(&["400", "3000", "30000"])),
        ("reconnect.backoff.ms", "5".to_owned()),
        ("reconnect.backoff.max.ms", "50".to_owned()),
    ];
    if run.fast {
        pairs.extend([
            ("request.timeout.ms", one_of(&["20", "60"])),
            ("socket.timeout.ms", "80".to_owned()),
            ("api.version.request.timeout.ms", "60".to_owned()),
            ("retry.backoff.max.ms", "20".to_owned()),
            ("message.timeout.ms", one_of(&["30", "150", "30000"])),
            ("reconnect.backoff.max.ms", "20".to_owned()),
        ]);
    }
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let h = Harness::on(&cluster, &pairs);
    let topics: Vec<Topic> = TOPICS.iter().map(|t| h.topic(t)).collect();
    insist("init_transactions", || h.producer.init_transactions(Some(ms(500)))).expect("init");
    let running = AtomicBool::new(true);
    // So short a trouble that the round ends soon, but every call meets some.
    let trouble = Instant::now() + if run.fast { ms(400) } else { PATIENCE };
    let chaos_seed = rng.next();
    let (mut kept, mut gone): (Vec<Vec<usize>>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
    let mut offset = None;
    std::thread::scope(|scope| {
        let chaos = scope.spawn(|| {
            let mut rng = SplitMix(chaos_seed);
            while running.load(Acquire) && Instant::now() < trouble {
                strike(&cluster, &mut rng);
                std::thread::sleep(ms(rng.below(if run.fast { 12 } else { 25 })));
            }
            heal(&cluster);
        });
        let transactions = catch_unwind(AssertUnwindSafe(|| {
            for n in 0..if run.fast { 4 } else { 10 } {
                let (ids, end) = transaction(&h, &topics, n, &mut rng);
                match end {
                    Some(offsets) => {
                        offset = offsets.or(offset);
                        kept.push(ids);
                    }
                    None => gone.push(ids),
                }
            }
        }));
        running.store(false, Release);
        chaos.join().expect("the chaos thread");
        heal(&cluster);
        transactions.unwrap_or_else(|p| resume_unwind(p));
    });
    h.close(Duration::from_secs(8));
    let mut expected: HashSet<usize> = kept.iter().flatten().copied().collect();
    let total = expected.len();
    let mut found = Vec::new();
    let read = || -> Vec<Vec<usize>> {
        let partitions = TOPICS.iter().flat_map(|t| (0..PARTITIONS).map(move |p| (*t, p)));
        partitions
            .map(|(t, p)| {
                let records = cluster.committed_records(t, p).expect("records");
                let id = |v: &[u8]| std::str::from_utf8(&v[..8]).ok().and_then(|d| d.parse().ok());
                records.iter().map(|r| r.value.as_deref().and_then(id).expect("one of our payloads")).collect()
            })
            .collect()
    };
    // The last markers may still be on their way.
    eventually("the end of the last transaction", Duration::from_secs(10), || {
        found = read();
        found.iter().map(Vec::len).sum::<usize>() >= total
    });
    // Without an epoch for each transaction, a request that comes late, after the abort, counts as of the next one: the
    // weakness that KIP-890 is there for. The client cannot know, and has said so in its report.
    let late = |id: &usize| {
        let possibly = || h.fate(*id).is_some_and(|f| f.status == Status::PossiblyPersisted);
        version < 2 && gone.iter().flatten().any(|g| g == id) && possibly()
    };
    found.iter_mut().for_each(|partition| partition.retain(|id| !late(id)));
    for partition in &found {
        for id in partition {
            let known = if gone.iter().flatten().any(|g| g == id) { "of an aborted transaction" } else { "twice" };
            assert!(expected.remove(id), "message {id} is there, {known} (transaction version {version}, {pairs:?})");
        }
        assert!(partition.windows(2).all(|w| w[0] < w[1]), "order (version {version}, {pairs:?}): {partition:?}");
    }
    assert!(expected.is_empty(), "{} committed messages are missing (version {version}, {pairs:?})", expected.len());
    let what = format!("offset {offset:?} of the group (version {version}, {pairs:?})");
    eventually(&what, Duration::from_secs(10), || cluster.committed_offset("g", INPUT, 0) == offset);
    (kept.len(), gone.len())
}

/// A transaction: its messages, and if it was committed, the offset that it sent.
fn transaction(h: &Harness, topics: &[Topic], n: i64, rng: &mut SplitMix) -> (Vec<usize>, Option<Option<i64>>) {
    let p = &h.producer;
    insist("begin_transaction", || p.begin_transaction()).expect("begin");
    let mut ids = Vec::new();
    let mut failed = false;
    for i in 0..rng.below(60) as usize {
        let partition = if rng.below(2) == 0 { PARTITION_UA } else { rng.below(PARTITIONS as u64) as i32 };
        match h.produce(&topics[i % topics.len()], partition, None, (0, i)) {
            Ok(id) => ids.push(id),
            // The transaction has failed meanwhile.
            Err(RespErr::ERR__STATE) => failed = true,
            Err(e) => panic!("produce: {e:?}"),
        }
        if rng.below(20) == 0 {
            std::thread::sleep(ms(rng.below(10)));
        }
    }
    let mut sent = None;
    if rng.below(2) == 0 && !failed {
        let one = OffsetToCommit { partition: 0, offset: n, leader_epoch: -1, metadata: None };
        let offsets = vec![TopicOffsets { topic: INPUT.to_owned(), partitions: vec![one] }];
        let group = GroupMetadata { group_id: "g".to_owned(), generation_id: -1, ..GroupMetadata::default() };
        let call = || p.send_offsets_to_transaction(offsets.clone(), group.clone(), Some(ms(500)));
        match insist("send_offsets_to_transaction", call) {
            Ok(()) => sent = Some(n),
            Err(e) => {
                assert!(e.requires_abort(), "send_offsets_to_transaction: {e:?}");
                failed = true;
            }
        }
    }
    if rng.below(4) > 0 && !failed {
        match insist("commit_transaction", || h.commit(ms(500))) {
            Ok(()) => return (ids, Some(sent)),
            Err(e) => assert!(e.requires_abort(), "commit_transaction: {e:?}"),
        }
    }
    insist("abort_transaction", || h.abort(ms(500))).expect("abort");
    (ids, None)
}

/// One thing goes wrong, or is mended.
fn strike(cluster: &MockCluster, rng: &mut SplitMix) {
    let broker = 1 + rng.below(BROKERS as u64) as i32;
    let topic = TOPICS[rng.below(2) as usize];
    let apis = [22, 24, 25, 26, 28, 10];
    let api = apis[rng.below(apis.len() as u64) as usize];
    // COORDINATOR_LOAD_IN_PROGRESS, _NOT_AVAILABLE, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS, a lost answer.
    let codes = [14i16, 15, 16, 51, CLOSE];
    match rng.below(20) {
        0 => ignore(cluster.broker_down(broker)),
        1..=4 => ignore(cluster.broker_up(-1)),
        5 | 6 => ignore(cluster.set_partition_leader(topic, rng.below(PARTITIONS as u64) as i32, broker)),
        7 => ignore(cluster.move_transaction_coordinator("tx", broker)),
        8 => ignore(cluster.move_group_coordinator("g", broker)),
        9 => ignore(cluster.drop_connections(broker)),
        10 | 11 if cluster.pending_request_errors(api) == 0 => {
            cluster.push_request_errors(api, &[codes[rng.below(codes.len() as u64) as usize]]);
        }
        12 => cluster.drop_connection_mid_response(api, rng.below(30) as usize),
        13 => cluster.push_after_append_errors(0, &[[CLOSE, 3, 6, 7, 20, 56][rng.below(6) as usize]]),
        // 10: several records are sent again in parts, a single one fails.
        14 => cluster.push_request_errors(0, &[[6i16, 7, 10, 19, 29][rng.below(5) as usize]]),
        15 => ignore(cluster.freeze(broker)),
        16 | 17 => ignore(cluster.unfreeze(-1)),
        18 => ignore(cluster.set_rtt(broker, rng.below(20) as i32)),
        19 => cluster.set_transaction_completion_delay(rng.below(30) as u32),
        _ => {}
    }
}

fn heal(cluster: &MockCluster) {
    [0, 10, 22, 24, 25, 26, 28].iter().for_each(|api| cluster.clear_request_errors(*api));
    let _ = (cluster.set_rtt(-1, 0), cluster.unfreeze(-1), cluster.broker_up(-1));
}

/// Control methods fail where a topic is not there (yet), which is as good.
fn ignore(_: Result<(), RespErr>) {}
