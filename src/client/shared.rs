//! What all threads of a client share.

use super::broker::BrokerHandle;
use super::delivery::{Delivery, Verdict};
use super::desk::Desk;
use super::events::{Event, EventQueue};
use super::idempotence::ProducerIds;
use super::intercept::{RefusedFn, SendFn};
use super::log::Logger;
use super::main_thread::MainOp;
use super::produce::PartitionerFn;
use super::registry::Registry;
use super::stats::ClientCounters;
use super::tokens::Tokens;
use super::topic::{Partition, Topic, TopicInfo, TopicState, NO_LEADER};
use super::transaction::Transactions;
use crate::accumulator::batch::{Batch, Home};
use crate::accumulator::budget::Budget;
use crate::accumulator::partition::BatchLimits;
use crate::accumulator::pool::Pool;
use crate::conf::{Secret, Settings, TopicSettings};
use crate::error::RespErr;
use crate::partitioner::PartitionerKind;
use crate::security::sasl::Custom;
use crate::security::tls::{Presented, TlsContext};
use crate::sys::socket::Maker;
use crossbeam_channel::Sender;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::ffi::CString;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::*};
use std::sync::Arc;
use std::time::Instant;

/// A log callback: level, facility, text.
pub type LogFn = Box<dyn Fn(i32, &str, &str) + Send + Sync>;

/// Judges one certificate of the broker with that name (`host:port`) and id.
pub type VerifyFn = Arc<dyn Fn(&str, i32, &Presented<'_>) -> Result<(), String> + Send + Sync>;

/// Begins an exchange of the application's SASL mechanism with the broker of that name (`host:port`) and id.
pub type SaslFn = Box<dyn Fn(&str, i32) -> Box<dyn Custom> + Send + Sync>;

/// What the embedding layer wants to hear, and what must run outside poll.
#[derive(Default)]
pub struct Hooks {
    /// Chooses partitions instead of the configured partitioner. Runs on producing threads, and on the client's own for
    /// messages that waited for their topic.
    pub partitioner: Option<PartitionerFn>,
    /// Takes log lines at once, from any thread. Without it they go to stderr, or to the event queue (`log.queue`).
    pub log: Option<LogFn>,
    /// Makes and connects sockets, on broker threads.
    pub sockets: Maker,
    /// Has the last word on brokers' certificates, on broker threads.
    pub verify: Option<VerifyFn>,
    /// The mechanism that `Conf::set_custom_mechanism` names. Runs on broker threads.
    pub sasl: Option<SaslFn>,
    /// Sees each message before it is encoded. Runs on producing threads.
    pub on_send: Option<SendFn>,
    /// Hears of messages that are refused after that. Runs on producing threads.
    pub on_refused: Option<RefusedFn>,
    /// Delivery events are wanted; without, reports are dropped as they arrive.
    pub want_delivery: bool,
    /// So are those that `delivery.report.only.error` leaves out.
    pub want_every_delivery: bool,
    pub want_errors: bool,
    pub want_stats: bool,
    pub want_throttle: bool,
    /// Somebody answers when a token is wanted.
    pub want_token_refresh: bool,
    /// Delivery reports are taken by the application as events, not served by callbacks.
    pub reports_are_polled: bool,
}

pub struct Shared {
    pub name: CString,
    pub settings: Settings,
    pub topic_settings: TopicSettings,
    pub hooks: Hooks,
    /// Makes TLS connections, if `security.protocol` asks for them.
    pub tls: Option<TlsContext>,
    /// Tokens, if `sasl.mechanisms` asks for them.
    pub tokens: Option<Tokens>,
    /// User and password that the application has given in place of those of the settings.
    pub credentials: Mutex<Option<(String, Secret)>>,
    pub home: Arc<Home>,
    pub limits: BatchLimits,
    /// Longest record accepted, without its frame.
    pub max_record: usize,
    /// The partition of a record cannot be had by arithmetic alone, or an interceptor has to see the record first.
    pub slow_partitioner: bool,
    /// The error that produce answers with, or 0.
    pub refuse: AtomicI32,
    /// Flushes under way: linger is not waited for.
    pub flushing: AtomicU32,
    pub closing: AtomicBool,
    /// The main thread looks after spare memory, or has been told to. Otherwise it may sleep for minutes.
    pub trimming: AtomicBool,
    pub events: EventQueue,
    pub log: Logger,
    pub topics: Registry,
    /// Broker threads by id; bootstrap brokers have negative ids.
    pub brokers: RwLock<HashMap<i32, Arc<BrokerHandle>>>,
    /// The main thread's inbox, and where its state lies.
    pub main: Sender<MainOp>,
    pub desk: Desk,
    pub ids: ProducerIds,
    pub txn: Transactions,
    pub fatal: Mutex<Option<(RespErr, String)>>,
    pub counters: ClientCounters,
    pub started: Instant,
}

impl Shared {
    pub fn new(
        name: CString,
        settings: Settings,
        topic_settings: TopicSettings,
        hooks: Hooks,
        log: Logger,
        main: Sender<MainOp>,
        (tls, tokens): (Option<TlsContext>, Option<Tokens>),
    ) -> Shared {
        let messages = if settings.queue_max_messages == usize::MAX { 0 } else { settings.queue_max_messages as u64 };
        let budget = Budget::new(messages, settings.queue_max_bytes as u64);
        let limits = BatchLimits {
            bytes: settings.batch_size.min(settings.message_max_bytes),
            messages: settings.batch_num_messages as u32,
        };
        let ids =
            ProducerIds::new(settings.idempotence, settings.gapless_guarantee, settings.transactional_id.is_some());
        let txn = Transactions::new(settings.transactional_id.clone());
        // Until a transaction begins.
        let refuse = if txn.enabled() { RespErr::ERR__STATE.0 } else { 0 };
        let slow_partitioner = hooks.partitioner.is_some()
            || hooks.on_send.is_some()
            || topic_settings.partitioner == PartitionerKind::RoundRobin
            || settings.sticky_linger_ms == 0;
        Shared {
            name,
            max_record: settings.message_max_bytes,
            slow_partitioner,
            settings,
            topic_settings,
            hooks,
            tls,
            tokens,
            credentials: Mutex::new(None),
            home: Arc::new(Home { pool: Pool::default(), budget }),
            limits,
            refuse: AtomicI32::new(refuse),
            flushing: AtomicU32::new(0),
            closing: AtomicBool::new(false),
            trimming: AtomicBool::new(false),
            events: EventQueue::default(),
            log,
            topics: Registry::default(),
            brokers: RwLock::new(HashMap::new()),
            main,
            desk: Desk::default(),
            ids,
            txn,
            fatal: Mutex::new(None),
            counters: ClientCounters::default(),
            started: Instant::now(),
        }
    }

    /// The topic of that name, made on first use; then its metadata is asked for.
    pub fn topic(self: &Arc<Self>, name: &str) -> Result<&Topic, RespErr> {
        if let Some(t) = self.topics.get(name.as_bytes()) {
            return Ok(t);
        }
        // Kafka's own rule for names; a broker would refuse the others with INVALID_TOPIC_EXCEPTION.
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > 249 || name == "." || name == ".." || !name.bytes().all(legal) {
            return Err(RespErr::ERR__INVALID_ARG);
        }
        let cname = CString::new(name).map_err(|_| RespErr::ERR__INVALID_ARG)?;
        let (topic, new) = self.topics.get_or_insert(name, || {
            let conf = self.topic_settings.clone();
            let (id, batches) = Default::default();
            let info = TopicInfo { id, name: name.to_owned(), cname: cname.clone(), conf, batches };
            Topic { state: TopicState::new(self, info) }
        });
        if new && self.serve_or_send(MainOp::NewTopic(topic.clone())) {
            self.tell_main(MainOp::Timers);
        }
        Ok(topic)
    }

    /// Asks whoever is responsible for the partition to look at it, unless that is under way already.
    #[inline]
    pub fn look(&self, p: &Arc<Partition>, needed: bool) {
        if needed && !p.look.swap(true, AcqRel) {
            self.send_look(p);
        }
    }

    /// As `look`, whether or not it is under way: for handing a partition to another thread.
    pub fn send_look(&self, p: &Arc<Partition>) {
        let leader = p.leader.load(Acquire);
        if leader != NO_LEADER {
            if let Some(b) = self.brokers.read().get(&leader) {
                b.look(p.clone());
                return;
            }
        }
        self.tell_main(MainOp::Look(p.clone()));
    }

    /// Gives a batch its verdict: from here on it belongs to the application.
    pub fn deliver(&self, batch: Batch<Partition>, verdict: Verdict) {
        self.deliver_with(batch, verdict, Vec::new());
    }

    /// As `deliver`, with the fates of single records that differ (index, code).
    pub fn deliver_with(&self, batch: Batch<Partition>, verdict: Verdict, own: Vec<(u32, RespErr)>) {
        if verdict.err == RespErr::NO_ERROR {
            self.txn.confirmed();
            let c = &batch.owner.counters;
            c.tx_messages.fetch_add(batch.count as u64, Relaxed);
            c.tx_bytes.fetch_add(batch.bytes as u64, Relaxed);
            c.acked.fetch_add(batch.count as u64, Relaxed);
            self.counters.tx_messages.fetch_add(batch.count as u64, Relaxed);
            self.counters.tx_message_bytes.fetch_add(batch.bytes as u64, Relaxed);
        }
        if self.txn.enabled() && (verdict.err != RespErr::NO_ERROR || !own.is_empty()) {
            let sequenced = batch.base_sequence >= 0;
            self.transaction_messages_failed(&batch.owner, batch.count, verdict.err, sequenced);
        }
        let delivery = Delivery::new(batch, verdict, own);
        let wanted = self.hooks.want_delivery
            && (self.hooks.want_every_delivery || !self.settings.delivery_report_only_error || !delivery.clean());
        if wanted {
            self.events.push(Event::Delivery(delivery));
        }
        // The application first. The batch's memory, and what else waits to be used again, may not be needed any more.
        if !self.trimming.load(Relaxed) && !self.trimming.swap(true, AcqRel) {
            self.tell_main(MainOp::Trim);
        }
    }

    /// How long an open batch may fill while it cannot be sent: at most 2 % of `message.timeout.ms`, or linger as far as
    /// that is not more than 3 %, and never more than a second beyond linger. Batches without a leader are looked at every 2 %;
    /// with that it stays within 5 %.
    pub fn patience(&self) -> std::time::Duration {
        let us = |ms: i64| ms.max(0) as u64 * 1000;
        let (timeout, linger) = (us(self.topic_settings.message_timeout_ms), self.settings.linger_us.max(0) as u64);
        std::time::Duration::from_micros(match timeout {
            0 => linger + 1_000_000,
            t => (t / 50).clamp(1000, 1_000_000).max(linger.min(t * 3 / 100)),
        })
    }

    /// An error event, if anybody listens; else a log line.
    pub fn error_event(&self, code: RespErr, text: String) {
        if self.hooks.want_errors {
            self.events.push(Event::Error { code, text, fatal: false });
        } else {
            self.log.emit(self, super::log::ERR, "ERROR", &text);
        }
    }

    /// The client cannot go on: everything that is produced from now on is refused.
    pub fn set_fatal(&self, code: RespErr, text: String) {
        let mut fatal = self.fatal.lock();
        if fatal.is_none() {
            *fatal = Some((code, text.clone()));
            self.refuse.store(RespErr::ERR__FATAL.0, Release);
            drop(fatal);
            self.transactions_are_over(code, &text);
            self.events.push(Event::Error { code, text, fatal: true });
        }
    }

    /// Reports everything that waits in any queue.
    pub fn fail_everything(&self, err: RespErr) {
        for t in self.topics.iter() {
            for p in t.state.all_partitions() {
                super::expiry::fail(self, super::expiry::take_all(p), err);
            }
        }
    }

    /// Every partition that has records is looked at.
    pub fn look_at_all(&self) {
        for t in self.topics.iter() {
            t.state.all_partitions().filter(|p| !p.queue.lock().is_empty()).for_each(|p| self.send_look(p));
        }
    }

    pub fn wake_brokers(&self) {
        for b in self.brokers.read().values() {
            b.nudge();
        }
    }
}
