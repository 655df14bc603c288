//! What the integration tests of the client share: a harness that keeps book of every message, and small helpers.
//!
//! The harness holds the client to its promise: one report for each accepted message, and no report that the broker's log
//! gives the lie to.
#![allow(dead_code)]

pub mod rounds;

use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use rkafka::client::{Event, Hooks, Message, Producer, Section, Status, Topic, PARTITION_UA};
use rkafka::conf::Conf;
use rkafka::error::{Error, RespErr};
use rkafka::mock::MockCluster;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Tests that measure time run alone, the others beside each other.
static STAGE: RwLock<()> = RwLock::new(());

/// `RKAFKA_DEBUG=broker,metadata,…`: the client's log on standard output.
static DEBUG: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("RKAFKA_DEBUG").ok());
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

pub fn alone() -> RwLockWriteGuard<'static, ()> {
    STAGE.write()
}

pub fn beside() -> RwLockReadGuard<'static, ()> {
    STAGE.read()
}

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub fn conf(pairs: &[(&str, &str)]) -> Conf {
    let mut c = Conf::new();
    LazyLock::force(&START);
    if let Some(contexts) = DEBUG.as_deref() {
        c.set("debug", contexts).expect("debug contexts");
    }
    // Quiet, and quick to come back, unless a test says otherwise.
    for (k, v) in [("reconnect.backoff.ms", "10"), ("reconnect.backoff.max.ms", "200")].iter().chain(pairs) {
        c.set(k, *v).unwrap_or_else(|e| panic!("{k}={v}: {e:?}"));
    }
    c
}

pub fn hooks() -> Hooks {
    Hooks {
        want_delivery: true,
        want_errors: true,
        want_stats: true,
        want_throttle: true,
        want_token_refresh: true,
        log: Some(Box::new(|_, facility, text| {
            if DEBUG.is_some() {
                println!("{:>9.3} {facility}: {text}", START.elapsed().as_secs_f64());
            }
        })),
        ..Hooks::default()
    }
}

/// Polls `done` until it holds; panics with `what` after `within`.
pub fn eventually(what: &str, within: Duration, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + within;
    while !done() {
        assert!(Instant::now() < until, "not within {within:?}: {what}");
        std::thread::sleep(ms(2));
    }
}

/// Runs something that must not hang; panics with `what` if it takes longer than `within`.
pub fn in_time<T: Send + 'static>(what: &str, within: Duration, f: impl FnOnce() -> T + Send + 'static) -> T {
    let (tx, rx) = crossbeam_channel::bounded(1);
    let thread = std::thread::spawn(move || tx.send(f()));
    match rx.recv_timeout(within) {
        Ok(v) => v,
        Err(crossbeam_channel::RecvTimeoutError::Timeout) => panic!("hangs, not done within {within:?}: {what}"),
        Err(_) => panic!("{what}: {:?}", thread.join().err().and_then(|e| e.downcast_ref::<String>().cloned())),
    }
}

/// Threads of this process whose name starts so.
pub fn threads_named(prefix: &str) -> usize {
    let Ok(dir) = std::fs::read_dir("/proc/self/task") else { return 0 };
    dir.flatten()
        .filter_map(|t| std::fs::read_to_string(t.path().join("comm")).ok())
        .filter(|name| name.starts_with(prefix))
        .count()
}

/// A field of `/proc/self/status` in KiB.
pub fn memory_kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(field)).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// A message that the client has accepted.
#[derive(Clone, Debug)]
pub struct Sent {
    pub topic: String,
    /// The partition asked for.
    pub partition: i32,
    /// Producing thread, and the message's number in it.
    pub thread: usize,
    pub seq: usize,
    pub at: Instant,
}

/// What was reported of a message.
#[derive(Clone, Debug)]
pub struct Fate {
    pub err: RespErr,
    pub status: Status,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub latency_us: i64,
    pub at: Instant,
}

/// Other events, as they came.
#[derive(Clone, Debug)]
pub enum Other {
    Error(RespErr, String, Instant),
    Throttle(i32, i32),
    Stats(String),
    TokenRefresh(String),
}

#[derive(Default)]
struct Books {
    sent: HashMap<usize, Sent>,
    fates: HashMap<usize, Fate>,
    wrong: Vec<String>,
    other: Vec<Other>,
}

/// A producer under watch. A thread polls for it, unless `hold_polling` says otherwise.
pub struct Harness {
    pub producer: Arc<Producer>,
    books: Arc<Mutex<Books>>,
    stop: Arc<AtomicBool>,
    pub hold_polling: Arc<AtomicBool>,
    poller: Option<JoinHandle<()>>,
    next_id: AtomicUsize,
    /// Values are padded up to this many bytes.
    pub pad: usize,
    /// A cluster that is not the producer's own.
    external: Option<Arc<MockCluster>>,
}

/// The payload of message `id`: its number, and padding that follows from it.
pub fn payload(id: usize, pad: usize) -> Vec<u8> {
    let n = if pad == 0 { 0 } else { (id * 7919) % pad };
    let mut v = format!("{id:08}:").into_bytes();
    v.extend((0..n).map(|i| b'a' + ((id + i / 3) % 26) as u8));
    v
}

impl Harness {
    pub fn new(pairs: &[(&str, &str)]) -> Harness {
        Harness::with(conf(pairs), hooks())
    }

    /// With one broker and a topic "t" of `partitions` that the client knows already, for it has sent a message there.
    pub fn ready(partitions: i32, pairs: &[(&str, &str)]) -> (Harness, rkafka::client::Topic) {
        let all: Vec<(&str, &str)> = [("test.mock.num.brokers", "1")].iter().chain(pairs).copied().collect();
        let h = Harness::new(&all);
        h.cluster().create_topic("t", partitions, 1).expect("a topic");
        let t = h.topic("t");
        h.produce_many(&t, 0, 1);
        h.flush(ms(3000));
        (h, t)
    }

    pub fn with(conf: Conf, hooks: Hooks) -> Harness {
        let producer = Arc::new(Producer::new(conf, hooks).expect("a producer"));
        let books = Arc::new(Mutex::new(Books::default()));
        let (stop, hold) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let poller = {
            let (p, b, s, h) = (producer.clone(), books.clone(), stop.clone(), hold.clone());
            std::thread::spawn(move || {
                while !s.load(Acquire) {
                    if h.load(Acquire) {
                        std::thread::sleep(ms(1));
                    } else if let Some(e) = p.poll_event(Some(ms(20))) {
                        note(&b, e);
                    }
                }
            })
        };
        Harness {
            producer,
            books,
            stop,
            hold_polling: hold,
            poller: Some(poller),
            next_id: AtomicUsize::new(0),
            pad: 0,
            external: None,
        }
    }

    /// A producer on a cluster that the test has set up.
    pub fn on(cluster: &Arc<MockCluster>, pairs: &[(&str, &str)]) -> Harness {
        let mut c = conf(pairs);
        if !c.is_modified("bootstrap.servers") {
            c.set("bootstrap.servers", cluster.bootstrap().as_str()).expect("an address");
        }
        let mut h = Harness::with(c, hooks());
        h.external = Some(cluster.clone());
        h
    }

    /// The embedded cluster.
    pub fn cluster(&self) -> Arc<MockCluster> {
        if let Some(c) = &self.external {
            return c.clone();
        }
        self.producer.mock_cluster().expect("test.mock.num.brokers")
    }

    pub fn topic(&self, name: &str) -> Topic {
        self.producer.topic(name).expect("a topic")
    }

    /// Produces one message of the book-keeping kind; its id, or the refusal.
    pub fn produce(
        &self,
        topic: &Topic,
        partition: i32,
        key: Option<&[u8]>,
        who: (usize, usize),
    ) -> Result<usize, RespErr> {
        let id = self.next_id.fetch_add(1, Relaxed);
        let value = payload(id, self.pad);
        self.produce_as(
            id,
            topic,
            who,
            &Message {
                partition,
                payload: Some(&value),
                key,
                headers: Section::NONE,
                timestamp_ms: 0,
                opaque: id,
                block: false,
            },
        )?;
        Ok(id)
    }

    /// Produces any message under a fresh id.
    pub fn produce_message(&self, topic: &Topic, m: &Message<'_>) -> Result<usize, RespErr> {
        let id = self.next_id.fetch_add(1, Relaxed);
        self.produce_as(id, topic, (0, id), &Message { opaque: id, ..*m })?;
        Ok(id)
    }

    fn produce_as(&self, id: usize, topic: &Topic, who: (usize, usize), m: &Message<'_>) -> Result<(), RespErr> {
        let sent = Sent {
            topic: topic.name().to_string_lossy().into_owned(),
            partition: m.partition,
            thread: who.0,
            seq: who.1,
            at: Instant::now(),
        };
        // Noted first: the report may be faster than this thread.
        self.books.lock().sent.insert(id, sent);
        let result = self.producer.produce(topic, m);
        if result.is_err() {
            self.books.lock().sent.remove(&id);
        }
        result
    }

    /// `n` messages to a topic; panics if one is refused.
    pub fn produce_many(&self, topic: &Topic, partition: i32, n: usize) -> Vec<usize> {
        (0..n).map(|i| self.produce(topic, partition, None, (0, i)).expect("accepted")).collect()
    }

    pub fn one(&self, topic: &Topic) -> usize {
        self.produce(topic, PARTITION_UA, None, (0, 0)).expect("accepted")
    }

    pub fn fate(&self, id: usize) -> Option<Fate> {
        self.books.lock().fates.get(&id).cloned()
    }

    pub fn sent_at(&self, id: usize) -> Instant {
        self.books.lock().sent[&id].at
    }

    pub fn reports(&self) -> usize {
        self.books.lock().fates.len()
    }

    pub fn accepted(&self) -> usize {
        self.books.lock().sent.len()
    }

    pub fn fates(&self) -> HashMap<usize, Fate> {
        self.books.lock().fates.clone()
    }

    pub fn others(&self) -> Vec<Other> {
        self.books.lock().other.clone()
    }

    /// The report of a message; panics if it does not come in time.
    pub fn wait_fate(&self, id: usize, within: Duration) -> Fate {
        eventually("a report", within, || self.fate(id).is_some());
        self.fate(id).expect("just seen")
    }

    /// Flushes; panics if reports are missing after `within`.
    pub fn flush(&self, within: Duration) {
        self.producer.set_flushing(true);
        let until = Instant::now() + within;
        while self.producer.messages_pending() > 0 && Instant::now() < until {
            std::thread::sleep(ms(1));
        }
        self.producer.set_flushing(false);
        let left = self.producer.messages_pending();
        assert!(left == 0, "flush: {left} of {} messages have no report after {within:?}", self.accepted());
    }

    /// Waits until every message is reported, as a transactional call asks for.
    pub fn drained(&self, within: Option<Duration>) -> bool {
        self.producer.set_flushing(true);
        let until = within.map(|w| Instant::now() + w);
        while self.producer.messages_pending() > 0 && until.is_none_or(|t| Instant::now() < t) {
            std::thread::sleep(ms(1));
        }
        self.producer.set_flushing(false);
        self.producer.messages_pending() == 0
    }

    pub fn commit(&self, within: Duration) -> Result<(), Error> {
        self.producer.commit_transaction(Some(within), &mut |w| self.drained(w))
    }

    pub fn abort(&self, within: Duration) -> Result<(), Error> {
        self.producer.abort_transaction(Some(within), &mut |w| self.drained(w))
    }

    /// Ends the client and settles accounts: one report for each accepted message, budgets full again.
    pub fn close(&self, within: Duration) {
        let p = self.producer.clone();
        in_time("close", within, move || p.close());
        self.hold_polling.store(false, Release);
        let until = Instant::now() + ms(2000);
        while self.producer.messages_pending() > 0 && Instant::now() < until {
            std::thread::sleep(ms(1));
        }
        let wrong = self.accounts();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// What is wrong with the books, when nothing should be pending any more.
    pub fn accounts(&self) -> Vec<String> {
        // The poller notes a report before it gives the credit back, so the books are complete.
        let (pending, bytes) = (self.producer.messages_pending(), self.producer.queue_bytes());
        let b = self.books.lock();
        let mut wrong = b.wrong.clone();
        if pending != 0 || bytes != 0 {
            wrong.push(format!("{pending} messages and {bytes} bytes are still charged to the queue"));
        }
        let missing: Vec<_> = b.sent.iter().filter(|(id, _)| !b.fates.contains_key(id)).collect();
        if !missing.is_empty() {
            wrong.push(format!("{} messages have no report, such as {:?}", missing.len(), missing[0]));
        }
        for id in b.fates.keys().filter(|id| !b.sent.contains_key(id)) {
            wrong.push(format!("message {id} was refused, and has a report"));
        }
        wrong
    }

    /// Compares the reports with the logs of the broker. Topics in `volatile` were deleted at some time, so what is
    /// persisted there need not be found. With `ordered`, each producing thread's messages must be in order;
    /// with `once`, no message may be there twice.
    pub fn compare_with_log(&self, volatile: &HashSet<String>, ordered: bool, once: bool) -> Vec<String> {
        let cluster = self.cluster();
        let b = self.books.lock();
        let mut wrong = Vec::new();
        let mut logs: HashMap<(String, i32), HashMap<i64, Vec<u8>>> = HashMap::new();
        let mut present: HashSet<usize> = HashSet::new();
        for (topic, partitions) in cluster.topics() {
            for p in 0..partitions {
                let Ok(records) = cluster.log_records(&topic, p) else { continue };
                let mut log = HashMap::new();
                if std::env::var_os("RKAFKA_DUMP").is_some() {
                    let mut last = (-1, 0);
                    for r in &records {
                        if r.sequence != last.0 + 1 || r.epoch != last.1 {
                            println!(
                                "{topic} [{p}] @{} epoch {} sequence {} {:?}",
                                r.offset,
                                r.epoch,
                                r.sequence,
                                r.value.as_ref().map(|v| String::from_utf8_lossy(&v[..8]).into_owned())
                            );
                        }
                        last = (r.sequence, r.epoch);
                    }
                }
                for r in records {
                    let value = r.value.unwrap_or_default();
                    let id = value.get(..8).and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| d.parse().ok());
                    match id {
                        Some(id) if value == payload(id, self.pad) => {
                            if !present.insert(id) && once {
                                wrong.push(format!(
                                    "{topic} [{p}] @{}: message {id} is in the log twice (epoch {}, sequence {})",
                                    r.offset, r.epoch, r.sequence
                                ));
                            }
                        }
                        _ => wrong.push(format!("{topic} [{p}] @{}: not a payload that was produced", r.offset)),
                    }
                    log.insert(r.offset, value);
                }
                logs.insert((topic.clone(), p), log);
            }
        }
        // (offset, seq) of what is persisted, by partition and producing thread.
        let mut orders: HashMap<(&str, i32, usize), Vec<(i64, usize)>> = HashMap::new();
        for (id, f) in &b.fates {
            let Some(s) = b.sent.get(id) else { continue };
            if f.topic != s.topic {
                wrong.push(format!("message {id} for {} is reported for {}", s.topic, f.topic));
            }
            if s.partition >= 0 && f.partition != s.partition {
                wrong.push(format!("message {id} for partition {} is reported for {}", s.partition, f.partition));
            }
            if f.status == Status::NotPersisted && present.contains(id) {
                wrong.push(format!("message {id} is in the log, and reported as not persisted: {f:?}"));
            }
            if (f.status == Status::Persisted) != (f.err == RespErr::NO_ERROR) && f.status != Status::PossiblyPersisted
            {
                wrong.push(format!("message {id}: error and status contradict: {f:?}"));
            }
            if f.status == Status::Persisted && f.offset >= 0 && !volatile.contains(&f.topic) {
                let found = logs.get(&(f.topic.clone(), f.partition)).and_then(|l| l.get(&f.offset));
                if found.is_none_or(|v| *v != payload(*id, self.pad)) {
                    let what = found.map(|v| String::from_utf8_lossy(v).into_owned());
                    wrong.push(format!("message {id} is not where it is reported to be: {f:?}, there is {what:?}"));
                }
                orders.entry((&s.topic, f.partition, s.thread)).or_default().push((f.offset, s.seq));
            }
        }
        if ordered {
            for (at, mut list) in orders {
                list.sort_unstable();
                if let Some(w) = list.windows(2).find(|w| w[0].1 >= w[1].1) {
                    wrong.push(format!("order in {at:?}: (offset, number) {:?} before {:?}", w[0], w[1]));
                }
            }
        }
        wrong.truncate(20);
        wrong
    }
}

fn note(books: &Mutex<Books>, event: Event) {
    match event {
        Event::Delivery(d) => {
            let topic = d.topic_name().to_string_lossy().into_owned();
            let mut b = books.lock();
            let mut n = 0;
            for r in d.reports() {
                n += 1;
                let (err, status) = (r.err, r.status);
                let (partition, offset, latency_us) = (r.partition, r.offset, r.latency_us);
                let fate =
                    Fate { err, status, topic: topic.clone(), partition, offset, latency_us, at: Instant::now() };
                if let Some(first) = b.fates.insert(r.opaque, fate.clone()) {
                    b.wrong.push(format!("message {} has two reports: {first:?} and {fate:?}", r.opaque));
                }
            }
            if n != d.count() {
                b.wrong.push(format!("{topic}: {n} reports where {} are announced", d.count()));
            }
            drop(b);
        }
        Event::Error { code, text, .. } => books.lock().other.push(Other::Error(code, text, Instant::now())),
        Event::Throttle { broker_id, throttle_ms, .. } => {
            books.lock().other.push(Other::Throttle(broker_id, throttle_ms));
        }
        Event::Stats(s) => books.lock().other.push(Other::Stats(s)),
        Event::TokenRefresh(config) => books.lock().other.push(Other::TokenRefresh(config.expose().to_owned())),
        Event::Log { .. } => {}
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        self.stop.store(true, Release);
        if let Some(t) = self.poller.take() {
            let _ = t.join();
        }
    }
}
