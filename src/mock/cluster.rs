//! The cluster: what its brokers' threads share, and the methods by which a test or a program steers it.

use super::batch::{self, Record, Strictness};
use super::faults::{Fault, FaultTable, Faults, HostileMode};
use super::handlers::{self, Handler};
use super::log::LogConfig;
use super::profiles::{self, Versions};
use super::server;
use super::topics::{Partition, Topic, Topics};
use crate::error::RespErr;
use crate::protocol::RequestHeader;
use crate::sys::poll::Wake;
use parking_lot::{Condvar, Mutex, RwLock};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::{TcpListener, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// API keys counted one by one; higher ones share the last count.
const COUNTED_KEYS: usize = 128;
/// Log lines kept for [`MockCluster::log_lines`].
const LOG_LINES: usize = 200;
/// How long a control method waits for the broker's thread, which may be busy with a request.
const CONTROL_WAIT: Duration = Duration::from_secs(5);

/// How a cluster is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address to listen on, and the host that Metadata tells.
    pub host: String,
    /// Port of the first broker, the others take the ones after it; 0 lets the system choose for each.
    pub port: u16,
    /// `num.partitions`: partitions of a topic that is created without a count.
    pub default_partitions: i32,
    /// `default.replication.factor`, cut to the number of brokers.
    pub default_replication_factor: i16,
    /// `auto.create.topics.enable`
    pub auto_create_topics: bool,
    /// Bytes kept of each partition.
    pub retention_bytes: usize,
    /// Check, count and drop what is produced.
    pub discard: bool,
    /// How batches are checked; by default records are walked unless they are discarded anyway.
    pub strictness: Option<Strictness>,
    /// `message.timestamp.type=LogAppendTime`
    pub log_append_time: bool,
    /// `message.max.bytes`: the largest batch.
    pub message_max_bytes: usize,
    /// Metadata's cluster id.
    pub cluster_id: String,
    /// Receives each line about refused input and the like, on the broker's thread. The last lines are kept anyway.
    pub log: Option<fn(&str)>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            host: "127.0.0.1".to_string(),
            port: 0,
            default_partitions: 4,
            default_replication_factor: 3,
            auto_create_topics: true,
            retention_bytes: 64 << 20,
            discard: false,
            strictness: None,
            log_append_time: false,
            message_max_bytes: 1_048_588,
            cluster_id: "rkafka-mock-cluster-id".to_string(),
            log: None,
        }
    }
}

/// What one broker's thread and the controls share.
pub(crate) struct Broker {
    pub id: i32,
    pub host: String,
    pub port: u16,
    pub wake: Wake,
    pub control: Mutex<Control>,
    changed: Condvar,
    pub connections: AtomicUsize,
}

#[derive(Default)]
pub(crate) struct Control {
    pub down: bool,
    pub frozen: bool,
    pub hold: bool,
    pub cut_connections: bool,
    pub rtt_ms: u32,
    pub rack: Option<String>,
    /// Counts changes; the thread has seen those up to `seen`.
    pub generation: u64,
    seen: u64,
}

impl Broker {
    /// Tells a waiting control method that its change is in effect.
    pub fn acknowledge(&self, generation: u64) {
        let mut c = self.control.lock();
        if c.seen < generation {
            c.seen = generation;
            self.changed.notify_all();
        }
    }

    /// Makes a change and returns when the broker's thread has acted on it.
    fn change(&self, f: impl FnOnce(&mut Control)) {
        let mut c = self.control.lock();
        f(&mut c);
        c.generation += 1;
        let generation = c.generation;
        self.wake.wake();
        let deadline = Instant::now() + CONTROL_WAIT;
        while c.seen < generation && !self.changed.wait_until(&mut c, deadline).timed_out() {}
    }
}

/// A request as a broker saw it, for tests; see [`MockCluster::record_requests`].
#[derive(Clone, Debug)]
pub struct SeenRequest {
    pub broker: i32,
    pub api_key: i16,
    pub version: i16,
    pub at: Instant,
    pub client_id: String,
}

/// What all broker threads share. Locks are taken in the order topics, partition, faults; none is held while waiting.
pub(crate) struct Shared {
    pub options: Options,
    pub brokers: Vec<Broker>,
    pub topics: RwLock<Topics>,
    pub faults: Mutex<FaultTable>,
    pub versions: RwLock<Versions>,
    pub next_producer_id: AtomicI64,
    /// Producer id and epoch by transactional id.
    pub transactional: Mutex<HashMap<String, (i64, i16)>>,
    /// Answers that a hostile mode has spoilt.
    pub answers: AtomicU64,
    pub records: AtomicU64,
    pub batches: AtomicU64,
    pub bytes: AtomicU64,
    requests: [AtomicU64; COUNTED_KEYS],
    seen: Mutex<Option<Vec<SeenRequest>>>,
    lines: Mutex<VecDeque<String>>,
    stop: AtomicBool,
}

impl Shared {
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub fn log(&self, line: fmt::Arguments<'_>) {
        let line = line.to_string();
        if let Some(log) = self.options.log {
            log(&line);
        }
        let mut lines = self.lines.lock();
        if lines.len() == LOG_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub fn count(&self, broker: i32, header: &RequestHeader<'_>) {
        let i = usize::try_from(header.api_key).unwrap_or(usize::MAX).min(COUNTED_KEYS - 1);
        self.requests[i].fetch_add(1, Ordering::Relaxed);
        if let Some(seen) = self.seen.lock().as_mut() {
            seen.push(SeenRequest {
                broker,
                api_key: header.api_key,
                version: header.api_version,
                at: Instant::now(),
                client_id: header.client_id.unwrap_or_default().to_string(),
            });
        }
    }

    /// Who answers `version` of `api_key`, if this cluster offers it.
    pub fn handler(&self, api_key: i16, version: i16) -> Option<Handler> {
        let (min, max) = *self.versions.read().get(&api_key)?;
        let api = handlers::TABLE.iter().find(|a| a.key == api_key)?;
        ((min.max(api.min)..=max.min(api.max)).contains(&version)).then_some(api.handler)
    }

    pub fn strictness(&self) -> Strictness {
        let default = if self.options.discard { Strictness::Header } else { Strictness::Records };
        self.options.strictness.unwrap_or(default)
    }

    pub fn log_config(&self) -> LogConfig {
        LogConfig {
            retention_bytes: self.options.retention_bytes,
            discard: self.options.discard,
            log_append_time: self.options.log_append_time,
        }
    }

    pub fn broker(&self, id: i32) -> Option<&Broker> {
        self.brokers.iter().find(|b| b.id == id)
    }

    pub fn broker_ids(&self) -> Vec<i32> {
        self.brokers.iter().map(|b| b.id).collect()
    }

    pub fn is_up(&self, id: i32) -> bool {
        self.broker(id).is_some_and(|b| !b.control.lock().down)
    }

    /// The lowest broker that is up, or −1.
    pub fn controller(&self) -> i32 {
        self.brokers.iter().find(|b| !b.control.lock().down).map_or(-1, |b| b.id)
    }

    /// Every broker looks at its waiting fetches again.
    pub fn wake_all(&self) {
        self.brokers.iter().for_each(|b| b.wake.wake());
    }

    /// The topic, created with the default partition count if need be.
    pub fn topic_or_create(&self, name: &str) -> Result<Arc<Topic>, RespErr> {
        if let Some(t) = self.topics.read().get(name) {
            return Ok(t.clone());
        }
        match self.create_topic(name, -1, -1, self.log_config()) {
            // Another broker's thread was faster.
            Err(RespErr::ERR_TOPIC_ALREADY_EXISTS) => {
                self.topics.read().get(name).cloned().ok_or(RespErr::ERR_UNKNOWN_TOPIC_OR_PART)
            }
            result => result,
        }
    }

    /// Creates a topic; −1 stands for the default of either number.
    pub fn create_topic(&self, name: &str, partitions: i32, rf: i16, log: LogConfig) -> Result<Arc<Topic>, RespErr> {
        let partitions = if partitions == -1 { self.options.default_partitions } else { partitions };
        let default_rf = self.options.default_replication_factor.clamp(1, self.brokers.len().min(1000) as i16);
        let rf = if rf == -1 { default_rf } else { rf };
        self.topics.write().create(name, partitions, rf, &self.broker_ids(), log)
    }

    pub fn move_leader(&self, partition: &Partition, leader: i32) {
        let mut state = partition.state.lock();
        state.leader = leader;
        state.leader_epoch += 1;
        if leader >= 0 && !state.replicas.contains(&leader) {
            state.replicas.push(leader);
        }
    }
}

/// An embedded Kafka cluster: one thread and one loopback port per broker. Dropping it stops and joins every thread.
///
/// Brokers are numbered from 1. Every method may be called from any thread at any time; those that take a broker's id take
/// −1 for all brokers where that makes sense, and return when the change is in effect. Errors are the codes that a broker
/// would answer, or `_UNKNOWN_BROKER` for a broker that does not exist.
pub struct MockCluster {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl MockCluster {
    /// Starts `n_brokers` brokers. The error says which address could not be had.
    pub fn new(n_brokers: i32, options: Options) -> Result<Arc<MockCluster>, String> {
        if !(1..=1000).contains(&n_brokers) {
            return Err(format!("{n_brokers} brokers: 1 to 1000 are possible"));
        }
        let mut brokers = Vec::new();
        let mut listeners = Vec::new();
        for i in 0..n_brokers {
            let host = options.host.clone();
            let port = match options.port {
                0 => 0,
                first => u16::try_from(first as i32 + i).map_err(|_| format!("no port for broker {}", i + 1))?,
            };
            let failed = |e: std::io::Error| format!("cannot listen on {host}:{port}: {e}");
            let addrs: Vec<_> = (host.as_str(), port).to_socket_addrs().map_err(failed)?.collect();
            let listener = TcpListener::bind(&addrs[..]).map_err(failed)?;
            let port = listener.local_addr().map_err(failed)?.port();
            let wake = Wake::new().map_err(|e| format!("no wake descriptor: {e}"))?;
            let (control, changed) = (Mutex::new(Control::default()), Condvar::new());
            brokers.push(Broker { id: i + 1, host, port, wake, control, changed, connections: AtomicUsize::new(0) });
            listeners.push(listener);
        }
        let shared = Arc::new(Shared {
            options,
            brokers,
            topics: RwLock::default(),
            faults: Mutex::default(),
            versions: RwLock::new(profiles::newest()),
            next_producer_id: AtomicI64::new(1000),
            transactional: Mutex::default(),
            answers: AtomicU64::new(0),
            records: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            requests: [const { AtomicU64::new(0) }; COUNTED_KEYS],
            seen: Mutex::new(None),
            lines: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        // From here on, dropping `cluster` ends the threads that have started.
        let cluster = Arc::new(MockCluster { shared: shared.clone(), threads: Mutex::default() });
        for (i, listener) in listeners.into_iter().enumerate() {
            let shared = shared.clone();
            let thread = std::thread::Builder::new()
                .name(format!("rk:mock{}", i + 1))
                .spawn(move || server::run(shared, i, listener))
                .map_err(|e| format!("cannot start a broker's thread: {e}"))?;
            cluster.threads.lock().push(thread);
        }
        Ok(cluster)
    }

    /// `host:port` of every broker, for `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        let all: Vec<String> = self.shared.brokers.iter().map(|b| address(&b.host, b.port)).collect();
        all.join(",")
    }

    /// Stops every broker and waits for the threads. Further calls do nothing.
    pub fn shutdown(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake_all();
        for t in std::mem::take(&mut *self.threads.lock()) {
            // A thread that panicked has told so on standard error.
            let _ = t.join();
        }
    }

    // Topics

    /// Creates a topic; −1 stands for the default count of partitions or replicas.
    pub fn create_topic(&self, name: &str, partitions: i32, replication_factor: i16) -> Result<(), RespErr> {
        self.shared.create_topic(name, partitions, replication_factor, self.shared.log_config()).map(|_| ())
    }

    pub fn delete_topic(&self, name: &str) -> Result<(), RespErr> {
        let result = self.shared.topics.write().delete(name);
        self.shared.wake_all();
        result
    }

    /// Deletes a topic and creates it anew, empty and with another topic id, with as many partitions and replicas.
    pub fn recreate_topic(&self, name: &str) -> Result<(), RespErr> {
        let mut topics = self.shared.topics.write();
        let old = topics.get(name).cloned().ok_or(RespErr::ERR_UNKNOWN_TOPIC_OR_PART)?;
        topics.delete(name)?;
        let (count, rf) = (old.partition_count(), old.replication_factor);
        topics.create(name, count, rf, &self.shared.broker_ids(), self.shared.log_config())?;
        drop(topics);
        self.shared.wake_all();
        Ok(())
    }

    /// Adds partitions up to `count`; the topic is created with so many if it does not exist.
    pub fn set_partition_count(&self, topic: &str, count: i32) -> Result<(), RespErr> {
        let exists = self.shared.topics.read().get(topic).is_some();
        if !exists {
            return self.create_topic(topic, count, -1);
        }
        self.shared.topics.read().grow(topic, count, &self.shared.broker_ids(), self.shared.log_config())
    }

    /// Makes another broker the leader (−1: none) and raises the leader epoch. The topic is created if need be.
    pub fn set_partition_leader(&self, topic: &str, partition: i32, broker: i32) -> Result<(), RespErr> {
        if broker != -1 && self.shared.broker(broker).is_none() {
            return Err(RespErr::ERR__UNKNOWN_BROKER);
        }
        let p = self.partition_or_create(topic, partition)?;
        self.shared.move_leader(&p, broker);
        self.shared.wake_all();
        Ok(())
    }

    /// The leader's id, or −1.
    pub fn partition_leader(&self, topic: &str, partition: i32) -> Result<i32, RespErr> {
        Ok(self.partition(topic, partition)?.state.lock().leader)
    }

    /// Gives every partition whose leader is down another one that is up, as a controller would.
    pub fn fail_over(&self) {
        let up: Vec<i32> = self.shared.broker_ids().into_iter().filter(|id| self.shared.is_up(*id)).collect();
        for topic in self.shared.topics.read().all() {
            for p in topic.partitions() {
                let leader = p.state.lock().leader;
                if !up.contains(&leader) {
                    let next = up.get(p.index as usize % up.len().max(1)).copied().unwrap_or(-1);
                    self.shared.move_leader(&p, next);
                }
            }
        }
        self.shared.wake_all();
    }

    /// Metadata answers with this error for the topic until it is set to 0. The topic is created if need be.
    pub fn set_topic_error(&self, topic: &str, error: i16) -> Result<(), RespErr> {
        self.shared.topic_or_create(topic)?.error.store(error, Ordering::Relaxed);
        Ok(())
    }

    /// Drops whole batches before `offset` and makes it the first that can be read.
    pub fn delete_records(&self, topic: &str, partition: i32, offset: i64) -> Result<(), RespErr> {
        self.partition(topic, partition)?.state.lock().log.delete_before(offset)
    }

    /// Forgets every idempotent producer's sequences in the partition, as when they expire.
    pub fn forget_producers(&self, topic: &str, partition: i32) -> Result<(), RespErr> {
        self.partition(topic, partition)?.state.lock().log.forget_producers();
        Ok(())
    }

    // Brokers

    /// Closes the listener and every connection. Leaders stay as they are (see [`MockCluster::fail_over`]), and so does
    /// Metadata, as in the first seconds after a crash.
    pub fn broker_down(&self, broker: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.down = true)
    }

    /// Listens again, on the same port.
    pub fn broker_up(&self, broker: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.down = false)
    }

    /// Closes every connection of the broker, and goes on listening.
    pub fn drop_connections(&self, broker: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.cut_connections = true)
    }

    /// Nothing is accepted, read or answered until [`MockCluster::unfreeze`]; connections stay open.
    pub fn freeze(&self, broker: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.frozen = true)
    }

    pub fn unfreeze(&self, broker: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.frozen = false)
    }

    /// Requests are carried out, their answers kept back until [`MockCluster::release_responses`].
    pub fn hold_responses(&self, broker: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.hold = true)
    }

    pub fn release_responses(&self, broker: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.hold = false)
    }

    /// Delays every answer by so many milliseconds.
    pub fn set_rtt(&self, broker: i32, ms: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.rtt_ms = ms.max(0) as u32)
    }

    /// The rack that Metadata tells.
    pub fn set_rack(&self, broker: i32, rack: Option<&str>) -> Result<(), RespErr> {
        self.change(broker, |c| c.rack = rack.map(str::to_string))
    }

    /// Open connections of the broker; 0 if it does not exist.
    pub fn connection_count(&self, broker: i32) -> usize {
        self.shared.broker(broker).map_or(0, |b| b.connections.load(Ordering::Relaxed))
    }

    // Versions

    /// Offers these versions of an API, as far as the broker has them; `min > max` takes the API away.
    pub fn set_api_version_range(&self, api_key: i16, min: i16, max: i16) {
        let mut versions = self.shared.versions.write();
        if min > max {
            versions.remove(&api_key);
        } else if let Some(&(lowest, highest)) = profiles::newest().get(&api_key) {
            versions.insert(api_key, (min.max(lowest), max.min(highest)));
        }
    }

    /// Imitates a release, see [`profiles::names`]; "newest" is everything. False if it is not known.
    pub fn set_profile(&self, release: &str) -> bool {
        let versions = if release == "newest" { Some(profiles::newest()) } else { profiles::profile(release) };
        versions.map(|v| *self.shared.versions.write() = v).is_some()
    }

    // Faults

    /// The next requests of `api_key`, one each, get these error codes and nothing else happens; −195 closes the
    /// connection instead, −185 never answers, 0 lets one pass.
    pub fn push_request_errors(&self, api_key: i16, errors: &[i16]) {
        self.shared.faults.lock().push(None, api_key, errors.iter().map(|e| Fault::error(*e)));
    }

    /// As [`MockCluster::push_request_errors`], but the request is carried out before the error strikes: batches are
    /// appended whose producer will not know.
    pub fn push_after_append_errors(&self, api_key: i16, errors: &[i16]) {
        let faults = errors.iter().map(|e| Fault { after: true, ..Fault::error(*e) });
        self.shared.faults.lock().push(None, api_key, faults);
    }

    /// As [`MockCluster::push_request_errors`] for one broker, with a delay of the answer in milliseconds. These strike
    /// before the cluster's.
    pub fn push_broker_request_error_rtts(
        &self,
        broker: i32,
        api_key: i16,
        errors: &[(i16, i32)],
    ) -> Result<(), RespErr> {
        self.shared.broker(broker).ok_or(RespErr::ERR__UNKNOWN_BROKER)?;
        let faults = errors.iter().map(|(e, ms)| Fault { rtt_ms: (*ms).max(0) as u32, ..Fault::error(*e) });
        self.shared.faults.lock().push(Some(broker), api_key, faults);
        Ok(())
    }

    /// Error codes for one partition in the next requests of `api_key` (Produce, Fetch, ListOffsets) that name it.
    pub fn push_partition_request_errors(
        &self,
        topic: &str,
        partition: i32,
        api_key: i16,
        errors: &[i16],
    ) -> Result<(), RespErr> {
        self.partition_or_create(topic, partition)?;
        self.shared.faults.lock().push_partition(topic, partition, api_key, errors);
        Ok(())
    }

    /// The next request of `api_key` is carried out, `bytes` of its answer are sent, then the connection is closed.
    pub fn drop_connection_mid_response(&self, api_key: i16, bytes: usize) {
        self.shared.faults.lock().push(None, api_key, [Fault { cut: Some(bytes), ..Fault::NONE }]);
    }

    /// Takes back what was pushed for `api_key`.
    pub fn clear_request_errors(&self, api_key: i16) {
        self.shared.faults.lock().clear(api_key);
    }

    /// Pushed errors of `api_key` that have not struck yet.
    pub fn pending_request_errors(&self, api_key: i16) -> usize {
        self.shared.faults.lock().pending(api_key)
    }

    /// Answers of `api_key` say that the client is throttled for so many milliseconds (KIP-219); 0 ends it.
    pub fn throttle(&self, api_key: i16, ms: i32) {
        self.shared.faults.lock().set_throttle(api_key, ms.max(0));
    }

    /// Strikes requests at random until set to `None`; see [`Faults::random`].
    pub fn set_faults(&self, faults: Option<Faults>) {
        self.shared.faults.lock().set_random(faults);
    }

    /// Every answer is spoilt, until set to [`HostileMode::None`].
    pub fn set_hostile(&self, mode: HostileMode) {
        self.shared.faults.lock().set_hostile(None, mode);
    }

    /// The answers of one API are spoilt; the others follow [`MockCluster::set_hostile`].
    pub fn set_hostile_for(&self, api_key: i16, mode: HostileMode) {
        self.shared.faults.lock().set_hostile(Some(api_key), mode);
    }

    // Inspection

    /// Requests of an API that have come, whatever became of them.
    pub fn request_count(&self, api_key: i16) -> u64 {
        let i = usize::try_from(api_key).unwrap_or(usize::MAX).min(COUNTED_KEYS - 1);
        self.shared.requests[i].load(Ordering::Relaxed)
    }

    /// Starts to keep a note of every request, or stops it.
    pub fn record_requests(&self, on: bool) {
        *self.shared.seen.lock() = on.then(Vec::new);
    }

    /// The requests noted since the last call.
    pub fn take_requests(&self) -> Vec<SeenRequest> {
        self.shared.seen.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Records, record bytes (of batches, as on the wire) and batches accepted so far.
    pub fn produced(&self) -> (u64, u64, u64) {
        let s = &self.shared;
        (s.records.load(Ordering::Relaxed), s.bytes.load(Ordering::Relaxed), s.batches.load(Ordering::Relaxed))
    }

    /// Topics in the order of their names, with their partition counts.
    pub fn topics(&self) -> Vec<(String, i32)> {
        self.shared.topics.read().all().iter().map(|t| (t.name.to_string(), t.partition_count())).collect()
    }

    /// The topic's id (KIP-516).
    pub fn topic_id(&self, topic: &str) -> Option<[u8; 16]> {
        self.shared.topics.read().get(topic).map(|t| t.id)
    }

    /// The offset that the partition's next record gets.
    pub fn high_watermark(&self, topic: &str, partition: i32) -> Result<i64, RespErr> {
        Ok(self.partition(topic, partition)?.state.lock().log.end_offset())
    }

    /// The first offset that can be read.
    pub fn log_start_offset(&self, topic: &str, partition: i32) -> Result<i64, RespErr> {
        Ok(self.partition(topic, partition)?.state.lock().log.start_offset())
    }

    /// Bytes of batches kept in the partition.
    pub fn log_size(&self, topic: &str, partition: i32) -> Result<usize, RespErr> {
        Ok(self.partition(topic, partition)?.state.lock().log.bytes())
    }

    /// Batches that idempotent producers sent again and that were not appended twice.
    pub fn duplicate_batches(&self, topic: &str, partition: i32) -> Result<u64, RespErr> {
        Ok(self.partition(topic, partition)?.state.lock().log.duplicates())
    }

    /// Every record kept in the partition, decoded.
    pub fn log_records(&self, topic: &str, partition: i32) -> Result<Vec<MockRecord>, RespErr> {
        let p = self.partition(topic, partition)?;
        let batches: Vec<Vec<u8>> = p.state.lock().log.batches().map(<[u8]>::to_vec).collect();
        let mut all = Vec::new();
        for b in batches {
            let h = batch::header(&b).ok_or(RespErr::ERR_INVALID_MSG)?;
            for (i, r) in batch::decode(&b).map_err(|_| RespErr::ERR_INVALID_MSG)?.into_iter().enumerate() {
                let Record { offset, timestamp, key, value, headers } = r;
                let sequence = if h.producer_id < 0 { -1 } else { batch::add_sequence(h.base_sequence, i as i32) };
                let (producer_id, epoch, codec) = (h.producer_id, h.producer_epoch, h.codec());
                all.push(MockRecord { offset, timestamp, key, value, headers, producer_id, epoch, sequence, codec });
            }
        }
        Ok(all)
    }

    /// The last lines about refused input, broken connections and the like.
    pub fn log_lines(&self) -> Vec<String> {
        self.shared.lines.lock().iter().cloned().collect()
    }

    fn partition(&self, topic: &str, partition: i32) -> Result<Arc<Partition>, RespErr> {
        let topics = self.shared.topics.read();
        topics.get(topic).and_then(|t| t.partition(partition)).ok_or(RespErr::ERR_UNKNOWN_TOPIC_OR_PART)
    }

    fn partition_or_create(&self, topic: &str, partition: i32) -> Result<Arc<Partition>, RespErr> {
        self.shared.topic_or_create(topic)?.partition(partition).ok_or(RespErr::ERR_UNKNOWN_TOPIC_OR_PART)
    }

    fn change(&self, broker: i32, f: impl Fn(&mut Control)) -> Result<(), RespErr> {
        if broker == -1 {
            self.shared.brokers.iter().for_each(|b| b.change(&f));
            return Ok(());
        }
        self.shared.broker(broker).map(|b| b.change(f)).ok_or(RespErr::ERR__UNKNOWN_BROKER)
    }
}

impl Drop for MockCluster {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// One record of a partition's log, as [`MockCluster::log_records`] decodes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MockRecord {
    pub offset: i64,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// −1 for a producer that is not idempotent.
    pub producer_id: i64,
    pub epoch: i16,
    /// −1 for a producer that is not idempotent.
    pub sequence: i32,
    /// The batch's compression: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub codec: i16,
}

fn address(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
