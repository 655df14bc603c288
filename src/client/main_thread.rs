//! The main thread: metadata, topics and their leaders, records without a leader, statistics.

use super::broker::{self, BrokerHandle, BrokerOp, LinkState};
use super::cluster::Adopted;
use super::expiry;
use super::idempotence::IdRequest;
use super::metadata::ClusterMetadata;
use super::metadata_request::Asker;
use super::shared::Shared;
use super::stats;
use super::topic::{Partition, Topic, KNOWN, NO_LEADER};
use super::transaction::Coordinator;
use crate::conf::DebugContexts;
use crate::error::RespErr;
use crate::protocol::messages::metadata::MetadataResponse;
use crossbeam_channel::Sender;
use std::collections::HashMap;
use std::sync::atomic::Ordering::*;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What the main thread is asked for or told. From → main.
pub enum MainOp {
    /// Application: a topic is used for the first time.
    NewTopic(Topic),
    /// Any: a partition without a leader has records.
    Look(Arc<Partition>),
    /// Broker: what is known of this partition's leader is stale.
    Refresh(Arc<Partition>),
    /// Broker: the answer to a metadata request.
    Metadata {
        tag: u64,
        from: i32,
        /// Asked for in an old version, which leaves things out.
        early: bool,
        result: Result<Box<MetadataResponse>, RespErr>,
    },
    /// Broker: a Produce response names another leader (KIP-951).
    Leader {
        partition: Arc<Partition>,
        leader: i32,
        epoch: i32,
        endpoint: Option<(String, u16)>,
    },
    /// Broker: its link is up, or down.
    BrokerUp,
    BrokerDown,
    /// Any: memory will have to be given back (`Shared::trimming`).
    Trim,
    /// Broker: there is no producer id and batches wait for one.
    NeedProducerId,
    /// Broker: the answer to the request for one.
    ProducerId(Result<(i64, i16), RespErr>),
    /// Any: the transaction's state has changed.
    Transaction,
    /// Broker: the answer to a query, with its version and without its header.
    Answer {
        tag: u64,
        result: Result<(i16, Vec<u8>), RespErr>,
    },
    /// Application: asks for the cluster's metadata.
    Query {
        all: bool,
        topic: Option<String>,
        reply: Sender<Result<ClusterMetadata, RespErr>>,
        until: Instant,
    },
    /// Broker: something was served in the main thread's place (`Desk`), after which it has to look at its timers.
    Timers,
    /// Application: end.
    Stop,
}

pub struct MainThread {
    pub(super) shared: Arc<Shared>,
    pub(super) asker: Asker,
    pub(super) id_request: IdRequest,
    pub(super) transaction: Coordinator,
    threads: Vec<JoinHandle<()>>,
    /// Brokers whose threads were bootstrap brokers'.
    pub(super) adopted: Vec<Adopted>,
    /// Partitions that have records and no leader, by address.
    orphans: HashMap<usize, Arc<Partition>>,
    next_orphan_scan: Option<Instant>,
    next_statistics: Option<Instant>,
    next_trim: Option<Instant>,
    all_down: bool,
}

/// How often spare memory is looked at while there is any.
const TRIM_INTERVAL: Duration = Duration::from_secs(1);

impl MainThread {
    pub fn new(shared: Arc<Shared>) -> MainThread {
        let interval = shared.settings.statistics_interval_ms as u64;
        MainThread {
            asker: Asker::new(&shared),
            id_request: IdRequest::new(shared.ids.enabled() && !shared.txn.enabled()),
            transaction: Coordinator::default(),
            shared,
            threads: Vec::new(),
            adopted: Vec::new(),
            orphans: HashMap::new(),
            next_orphan_scan: None,
            next_statistics: (interval > 0).then(|| Instant::now() + Duration::from_millis(interval)),
            next_trim: None,
            all_down: false,
        }
    }

    /// Makes the bootstrap brokers' threads, on the thread that makes the client: a failure reaches `rk_producer_new`.
    pub fn start_bootstrap(&mut self, addresses: &[(String, u16)]) -> Result<(), String> {
        let failed = |e| format!("Failed to start a broker thread: {e}");
        let numbered = addresses.iter().zip((i32::MIN..0).rev());
        let handles = numbered.map(|((host, port), id)| BrokerHandle::new(id, host.clone(), *port));
        let mut handles = handles.collect::<std::io::Result<Vec<_>>>().map_err(failed)?;
        self.shared.brokers.write().extend(handles.iter().map(|b| (b.id, b.clone())));
        // That one need not wait for the main thread to run: the first thing that the client asks for is metadata.
        if let Some(deputy) = self.asker.next_to_ask(&self.shared) {
            self.shared.desk.appoint(&deputy);
            deputy.send(BrokerOp::StandIn);
            handles.sort_by_key(|b| b.id != deputy.id);
        }
        handles.into_iter().try_for_each(|b| self.start_thread(b)).map_err(failed)
    }

    fn start_thread(&mut self, broker: Arc<BrokerHandle>) -> std::io::Result<()> {
        self.threads.push(broker::spawn(self.shared.clone(), broker)?);
        Ok(())
    }

    pub(super) fn add_broker(&mut self, id: i32, host: String, port: u16) -> std::io::Result<()> {
        let handle = BrokerHandle::new(id, host, port)?;
        self.start_thread(handle.clone())?;
        self.shared.brokers.write().insert(id, handle);
        self.threads.retain(|t| !t.is_finished());
        Ok(())
    }

    pub(super) fn next_timer(&self) -> Option<Instant> {
        let timers = [self.next_orphan_scan, self.next_statistics, self.next_trim, self.asker.next_timer()];
        timers.into_iter().chain([self.id_request.at, self.transaction.next_timer()]).flatten().min()
    }

    pub(super) fn serve(&mut self, op: MainOp) {
        match op {
            MainOp::NewTopic(topic) => self.asker.want(&topic.state.info.name, Instant::now()),
            MainOp::Look(p) => self.look(p),
            MainOp::Refresh(p) => self.asker.want_soon(&p.info.name),
            MainOp::Metadata { tag, from, early, result } => self.metadata_arrived(tag, from, early, result),
            MainOp::Leader { partition, leader, epoch, endpoint } => {
                self.leader_named(&partition, leader, epoch, endpoint);
            }
            MainOp::BrokerUp => {
                self.all_down = false;
                self.asker.broker_came_up();
            }
            MainOp::BrokerDown => self.broker_down(),
            MainOp::NeedProducerId => self.producer_id_needed(),
            MainOp::ProducerId(result) => self.producer_id_arrived(result),
            MainOp::Transaction | MainOp::Trim | MainOp::Timers => {}
            MainOp::Answer { tag, result } => self.transaction_answer(tag, result),
            MainOp::Query { all, topic, reply, until } => self.asker.query(all, topic, reply, until),
            MainOp::Stop => {}
        }
    }

    pub(super) fn run_timers(&mut self) {
        let now = Instant::now();
        if self.next_orphan_scan.is_some_and(|t| now >= t) {
            self.scan_orphans(now);
        }
        if self.next_statistics.is_some_and(|t| now >= t) {
            let interval = Duration::from_millis(self.shared.settings.statistics_interval_ms as u64);
            self.next_statistics = Some(now + interval);
            stats::emit(&self.shared);
        }
        if self.next_trim.is_some_and(|t| now >= t) {
            let home = &self.shared.home;
            home.pool.trim();
            // First this: who saw it true before has memory that is counted below.
            self.shared.trimming.store(false, SeqCst);
            // What the application has yet to take reports of will become spare later.
            let more = home.pool.spare_bytes() > 0 || home.budget.bytes_in_use() > 0;
            if more {
                self.shared.trimming.store(true, SeqCst);
            }
            self.next_trim = more.then(|| now + TRIM_INTERVAL);
        }
        if self.next_trim.is_none() && self.shared.trimming.load(Acquire) {
            self.next_trim = Some(now + TRIM_INTERVAL);
        }
        if self.asker.rebootstrap_at().is_some_and(|t| now >= t) {
            self.rebootstrap("metadata could not be had for metadata.recovery.rebootstrap.trigger.ms");
        }
        self.ask(now);
    }

    /// Sends the requests that are due.
    pub(super) fn ask(&mut self, now: Instant) {
        self.asker.ask(&self.shared, now);
        self.ask_for_producer_id(now);
        self.drive_transaction(now);
    }

    /// A partition without a leader has records: they may expire, and its topic is to be asked for.
    fn look(&mut self, p: Arc<Partition>) {
        p.look.store(false, Release);
        let leader = p.leader.load(Acquire);
        if leader != NO_LEADER && self.shared.brokers.read().contains_key(&leader) {
            self.shared.send_look(&p);
            return;
        }
        if !p.queue.lock().is_empty() {
            self.asker.want_soon(&p.info.name);
            self.orphans.insert(Arc::as_ptr(&p) as usize, p);
            if self.next_orphan_scan.is_none() {
                self.next_orphan_scan = Some(Instant::now() + self.orphan_interval());
            }
        }
    }

    fn orphan_interval(&self) -> Duration {
        let timeout = self.shared.topic_settings.message_timeout_ms as u64;
        Duration::from_millis(if timeout == 0 { 1000 } else { (timeout / 50).clamp(1, 500) })
    }

    fn scan_orphans(&mut self, now: Instant) {
        let shared = &self.shared;
        let patience = shared.patience();
        let propagation = Duration::from_millis(shared.settings.topic_metadata_propagation_max_ms as u64);
        self.orphans.retain(|_, p| {
            if p.leader.load(Acquire) != NO_LEADER {
                shared.send_look(p);
                return false;
            }
            expiry::expire(shared, p, now);
            // Closed early enough that its last records do not expire much before their time.
            {
                let mut inner = p.queue.lock();
                if inner.open_since().is_some_and(|t| now >= t + patience) {
                    p.queue.close_open_in(&mut inner);
                }
            }
            if let Some(t) = shared.topics.get(p.info.name.as_bytes()).map(|t| &t.state) {
                if t.state.load(Acquire) == KNOWN && p.index >= t.partition_count() && t.partition_count() > 0 {
                    // The topic was made anew with fewer partitions while these were in flight or being produced.
                    expiry::fail(shared, expiry::take_all(p), RespErr::ERR__UNKNOWN_PARTITION);
                }
            }
            let missing = shared.topics.get(p.info.name.as_bytes()).and_then(|t| t.state.meta.lock().missing_since);
            if missing.is_some_and(|t| now >= t + propagation) {
                expiry::fail(shared, expiry::take_all(p), RespErr::ERR_UNKNOWN_TOPIC_OR_PART);
            }
            !p.queue.lock().is_empty()
        });
        self.next_orphan_scan = (!self.orphans.is_empty()).then(|| now + self.orphan_interval());
    }

    fn metadata_arrived(&mut self, tag: u64, from: i32, early: bool, result: Result<Box<MetadataResponse>, RespErr>) {
        let Some(name) = self.shared.brokers.read().get(&from).map(|b| b.name()) else {
            // Not a broker of the cluster any more: its word could bring the others back that were forgotten with it.
            return self.asker.failed(tag);
        };
        match result {
            // Such an answer holds nothing else (KIP-1102).
            Ok(response) if response.error_code != 0 => {
                let err = RespErr::from_wire(response.error_code);
                self.shared.debug(DebugContexts::METADATA, "METADATA", || format!("{name}: {}", err.description()));
                self.asker.failed(tag);
                if err == RespErr::ERR_REBOOTSTRAP_REQUIRED && self.shared.settings.rebootstrap {
                    self.rebootstrap(&format!("{name} asks for it"));
                }
            }
            Ok(response) => {
                self.shared.debug(DebugContexts::METADATA, "METADATA", || {
                    format!("{name}: {} brokers, {} topics", response.brokers.len(), response.topics.len())
                });
                self.apply_brokers(&response);
                self.apply_topics(&response);
                if early {
                    response.topics.iter().filter_map(|t| t.name.as_ref()).for_each(|t| self.asker.want_rest(t));
                }
                self.asker.answered(tag, &response, from, name);
                self.release_bootstrap();
            }
            Err(code) => {
                self.shared.debug(DebugContexts::METADATA, "METADATA", || format!("{name}: {}", code.description()));
                self.asker.failed(tag);
            }
        }
    }

    /// Nothing needs the bootstrap brokers' connections once the cluster's own brokers are known.
    fn release_bootstrap(&self) {
        let brokers = self.shared.brokers.read();
        if brokers.keys().any(|&id| id >= 0) {
            brokers.values().filter(|b| b.id < 0).for_each(|b| b.send(BrokerOp::Release));
        }
    }

    fn broker_down(&mut self) {
        let brokers = self.shared.brokers.read();
        let usable =
            |b: &Arc<BrokerHandle>| !matches!(b.state(), LinkState::Init | LinkState::Down | LinkState::TryConnect);
        // Idle brokers that were never tried say nothing about the cluster.
        let tried = |b: &&Arc<BrokerHandle>| b.failures.load(Relaxed) > 0 || b.state() == LinkState::Down;
        let down = brokers.values().filter(tried).count();
        let all = !brokers.values().any(usable)
            && down > 0
            && brokers.values().all(|b| b.failures.load(Relaxed) > 0 || b.id < 0 || b.state() == LinkState::Down);
        let total = brokers.len();
        drop(brokers);
        if all && !self.all_down {
            self.all_down = true;
            self.shared.error_event(RespErr::ERR__ALL_BROKERS_DOWN, format!("{down}/{total} brokers are down"));
        }
    }

    /// Ends every thread and reports what is still queued.
    pub(super) fn stop(mut self) {
        let handles: Vec<_> = self.shared.brokers.read().values().cloned().collect();
        handles.iter().for_each(|b| b.send(BrokerOp::Stop));
        for t in std::mem::take(&mut self.threads) {
            let _ = t.join();
        }
        self.shared.fail_everything(RespErr::ERR__DESTROY);
    }
}
