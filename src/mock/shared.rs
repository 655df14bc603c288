//! What the threads of a cluster share: set-up, brokers and their controls, topics, counts.

use super::batch::Strictness;
use super::faults::FaultTable;
use super::groups::Groups;
use super::handlers::{self, Handler};
use super::log::LogConfig;
use super::profiles::{self, Versions};
use super::security::Security;
use super::topics::{Partition, Topic, Topics};
use super::txn::Coordinator;
use crate::error::RespErr;
use crate::protocol::RequestHeader;
use crate::sys::poll::Wake;
use parking_lot::{Condvar, Mutex, RwLock};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::{TcpListener, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// API keys counted one by one; higher ones share the last count.
const COUNTED_KEYS: usize = 128;
/// Log lines kept for [`log_lines`](super::MockCluster::log_lines).
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
    /// Connections accepted since the start.
    pub accepted: AtomicU64,
    /// When a transaction that this broker coordinates needs its thread.
    pub txn_due: Mutex<Option<Instant>>,
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
    /// A broker and its listener, bound. Port 0 lets the system choose.
    fn bind(id: i32, host: &str, port: u16) -> Result<(Broker, TcpListener), String> {
        let failed = |e: std::io::Error| format!("cannot listen on {host}:{port}: {e}");
        let addrs: Vec<_> = (host, port).to_socket_addrs().map_err(failed)?.collect();
        let listener = TcpListener::bind(&addrs[..]).map_err(failed)?;
        let broker = Broker {
            id,
            host: host.to_string(),
            port: listener.local_addr().map_err(failed)?.port(),
            wake: Wake::new().map_err(|e| format!("no wake descriptor: {e}"))?,
            control: Mutex::default(),
            changed: Condvar::new(),
            connections: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            txn_due: Mutex::new(None),
        };
        Ok((broker, listener))
    }

    /// `host:port`, as in `bootstrap.servers`.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Tells a waiting control method that its change is in effect.
    pub fn acknowledge(&self, generation: u64) {
        let mut c = self.control.lock();
        if c.seen < generation {
            c.seen = generation;
            self.changed.notify_all();
        }
    }

    /// Makes a change and returns when the broker's thread has acted on it.
    pub fn change(&self, f: impl FnOnce(&mut Control)) {
        let mut c = self.control.lock();
        f(&mut c);
        c.generation += 1;
        let generation = c.generation;
        self.wake.wake();
        let deadline = Instant::now() + CONTROL_WAIT;
        while c.seen < generation && !self.changed.wait_until(&mut c, deadline).timed_out() {}
    }
}

/// A request as a broker saw it, for tests; see [`record_requests`](super::MockCluster::record_requests).
#[derive(Clone, Debug)]
pub struct SeenRequest {
    pub broker: i32,
    pub api_key: i16,
    pub version: i16,
    pub at: Instant,
    pub client_id: String,
}

/// What all broker threads share. Locks are taken in the order transactions, groups, topics, partition, faults, a
/// broker's control; none is held while waiting.
pub(crate) struct Shared {
    /// As they were at the start; the next three can be changed.
    pub options: Options,
    pub default_partitions: AtomicI32,
    pub auto_create_topics: AtomicBool,
    pub message_max_bytes: AtomicUsize,
    pub brokers: Vec<Broker>,
    pub topics: RwLock<Topics>,
    pub faults: Mutex<FaultTable>,
    pub versions: RwLock<Versions>,
    pub txns: Mutex<Coordinator>,
    pub groups: Mutex<Groups>,
    /// Coordinators that were moved, by key type (as in FindCoordinator) and key.
    pub moved_coordinators: Mutex<HashMap<(i8, String), i32>>,
    /// Rises with every move.
    pub coordinator_epoch: AtomicI32,
    /// What new connections must do before they are served.
    pub security: RwLock<Security>,
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
    /// The state of a new cluster, and its listeners in the order of the brokers.
    pub fn new(n_brokers: i32, options: Options) -> Result<(Arc<Shared>, Vec<TcpListener>), String> {
        if !(1..=1000).contains(&n_brokers) {
            return Err(format!("{n_brokers} brokers: 1 to 1000 are possible"));
        }
        let mut brokers = Vec::new();
        let mut listeners = Vec::new();
        for i in 0..n_brokers {
            let port = match options.port {
                0 => 0,
                first => u16::try_from(first as i32 + i).map_err(|_| format!("no port for broker {}", i + 1))?,
            };
            let (broker, listener) = Broker::bind(i + 1, &options.host, port)?;
            brokers.push(broker);
            listeners.push(listener);
        }
        let shared = Arc::new(Shared {
            default_partitions: AtomicI32::new(options.default_partitions),
            auto_create_topics: AtomicBool::new(options.auto_create_topics),
            message_max_bytes: AtomicUsize::new(options.message_max_bytes),
            options,
            brokers,
            topics: RwLock::default(),
            faults: Mutex::default(),
            versions: RwLock::new(profiles::newest()),
            txns: Mutex::default(),
            groups: Mutex::default(),
            moved_coordinators: Mutex::default(),
            coordinator_epoch: AtomicI32::new(0),
            security: RwLock::default(),
            answers: AtomicU64::new(0),
            records: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            requests: [const { AtomicU64::new(0) }; COUNTED_KEYS],
            seen: Mutex::new(None),
            lines: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        Ok((shared, listeners))
    }

    /// Tells every thread to end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake_all();
    }

    /// Requests of an API that have come.
    pub fn request_count(&self, api_key: i16) -> u64 {
        self.requests[counter(api_key)].load(Ordering::Relaxed)
    }

    pub fn record_requests(&self, on: bool) {
        *self.seen.lock() = on.then(Vec::new);
    }

    pub fn take_requests(&self) -> Vec<SeenRequest> {
        self.seen.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub fn log_lines(&self) -> Vec<String> {
        self.lines.lock().iter().cloned().collect()
    }

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
        self.requests[counter(header.api_key)].fetch_add(1, Ordering::Relaxed);
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
        let partitions = if partitions == -1 { self.default_partitions.load(Ordering::Relaxed) } else { partitions };
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

fn counter(api_key: i16) -> usize {
    usize::try_from(api_key).unwrap_or(usize::MAX).min(COUNTED_KEYS - 1)
}
