//! The producer handle: what the C API and other front ends are made of.

use super::broker::BrokerOp;
use super::events::Event;
use super::expiry;
use super::forks;
use super::log::{Logger, WARNING};
use super::main_thread::{MainOp, MainThread};
use super::metadata::ClusterMetadata;
use super::produce::Message;
use super::shared::{Hooks, Shared};
use super::tokens::{self, Tokens};
use super::topic::Topic;
use crate::accumulator::budget::thread_hint;
use crate::accumulator::section::HeaderSection;
use crate::conf::{Conf, Secret, Settings};
use crate::error::RespErr;
use crate::mock::MockCluster;
use crate::security::tls::TlsContext;
use crossbeam_channel::{bounded, unbounded};
use parking_lot::Mutex;
use std::ffi::{CStr, CString};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU32, Ordering::*};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Purge what waits to be sent.
pub const PURGE_QUEUE: i32 = 1;
/// Purge what was sent and not answered.
pub const PURGE_INFLIGHT: i32 = 2;
/// Don't wait for the broker threads.
pub const PURGE_NON_BLOCKING: i32 = 4;

const DEFAULT_PORT: u16 = 9092;
/// How long closing waits for the thread that gets tokens.
const TOKEN_THREAD_PATIENCE: Duration = Duration::from_millis(500);

/// Counts the clients of this process, for their names.
static INSTANCES: AtomicU32 = AtomicU32::new(0);

/// A producer. Every method may be called from any thread. Dropping it closes it.
///
/// After fork(2) the child's copy refuses everything with `ERR__STATE`, and dropping it there leaks it.
pub struct Producer {
    shared: Arc<Shared>,
    tokens: Mutex<Option<JoinHandle<()>>>,
    mock: Option<Arc<MockCluster>>,
    /// The process that it was made in; see `forks`.
    generation: u32,
}

impl Producer {
    /// Starts the client's threads. The error is a text for people.
    pub fn new(mut conf: Conf, hooks: Hooks) -> Result<Producer, String> {
        Self::with(conf.settled()?, hooks)
    }

    /// As `new`, with what comes of a configuration.
    pub fn with(settings: Settings, hooks: Hooks) -> Result<Producer, String> {
        let n = INSTANCES.fetch_add(1, Relaxed) + 1;
        let name = CString::new(format!("{}#producer-{n}", settings.client_id.replace('\0', ""))).unwrap_or_default();
        let mock = match settings.mock_brokers {
            0 => None,
            n => Some(embedded_cluster(n, settings.mock_rtt_ms)?),
        };
        let mut addresses = Vec::new();
        match &mock {
            Some(m) => parse_bootstrap(&[m.bootstrap()], &mut addresses)?,
            None => parse_bootstrap(&settings.bootstrap, &mut addresses)?,
        }
        let log = Logger { level: settings.log_level, debug: settings.debug, queue: settings.log_queue };
        let (main, inbox) = unbounded();
        let topic_settings = settings.default_topic.clone();
        let security = &settings.security;
        let tls = security.protocol.tls().then(|| TlsContext::new(security.tls.clone())).transpose()?;
        let tokens = Tokens::new(security)?;
        let shared = Arc::new(Shared::new(name, settings, topic_settings, hooks, log, main, (tls, tokens)));
        for w in &shared.settings.warnings {
            shared.log(WARNING, "CONFWARN", w);
        }
        let main = MainThread::new(shared.clone());
        let started = shared.desk.set_up(main, inbox, |main| main.start_bootstrap(&addresses)).and_then(|()| {
            let failed = |e| format!("Failed to start a thread: {e}");
            if addresses.is_empty() {
                // Else a broker's thread does it.
                shared.start_main().map_err(failed)?;
            }
            shared.tokens.is_some().then(|| tokens::spawn(shared.clone())).transpose().map_err(failed)
        });
        match started {
            Ok(tokens) => {
                forks::register(&shared);
                Ok(Producer { shared, tokens: Mutex::new(tokens), mock, generation: forks::generation() })
            }
            Err(text) => {
                shared.tokens.iter().for_each(Tokens::close);
                shared.desk.close(&shared);
                Err(text)
            }
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// It was made by the parent of this process: its threads are not here.
    #[inline(always)]
    pub fn is_parents(&self) -> bool {
        self.generation != forks::generation()
    }

    /// Gives a token of OAUTHBEARER: value, expiry in milliseconds since the epoch, principal, extensions. Errors:
    /// `ERR__STATE` if the settings ask for none, `ERR__INVALID_ARG` if it cannot be, with a text that says why.
    pub fn set_token(
        &self,
        value: &str,
        expires_ms: i64,
        principal: &str,
        extensions: Vec<(String, String)>,
    ) -> Result<(), (RespErr, String)> {
        self.shared.set_token(value, expires_ms, principal, extensions)
    }

    /// Tells that a token could not be got. Errors: `ERR__STATE` if the settings ask for none, `ERR__INVALID_ARG` if the
    /// text is empty.
    pub fn set_token_failure(&self, text: &str) -> Result<(), RespErr> {
        self.shared.set_token_failure(text)
    }

    /// Replaces `sasl.username` and `sasl.password` from the next authentication on. Connections that are up stay up.
    pub fn set_sasl_credentials(&self, username: &str, password: &str) {
        *self.shared.credentials.lock() = Some((username.to_owned(), Secret::new(password)));
    }

    /// Logs a failed interceptor.
    pub fn interceptor_failed(&self, text: &str) {
        if !self.is_parents() {
            self.shared.log(WARNING, "ICFAIL", text);
        }
    }

    /// The client's name: `client.id#producer-N`.
    pub fn name(&self) -> &CStr {
        &self.shared.name
    }

    /// A topic, for producing without a name look-up. Fails with `ERR__INVALID_ARG` if no topic can have that name.
    pub fn topic(&self, name: &str) -> Result<Topic, RespErr> {
        if self.is_parents() {
            return Err(RespErr::ERR__STATE);
        }
        self.shared.topic(name).cloned()
    }

    /// A topic that this thread may well produce to by name; the caller compares the name.
    #[inline(always)]
    pub fn recent_topic(&self) -> Option<&Topic> {
        self.shared.topics.recent(thread_hint())
    }

    /// A message was produced by name, after a look-up.
    #[inline]
    pub fn used_topic(&self, topic: &Topic) {
        self.shared.topics.used(thread_hint(), topic);
    }

    /// As `topic`, without a reference count: for producing by name.
    #[inline]
    pub fn topic_by_name(&self, name: &[u8]) -> Result<&Topic, RespErr> {
        if let Some(t) = self.shared.topics.get(name) {
            return Ok(t);
        }
        if self.is_parents() {
            return Err(RespErr::ERR__STATE);
        }
        self.shared.topic(std::str::from_utf8(name).map_err(|_| RespErr::ERR__INVALID_ARG)?)
    }

    /// Accepts a message for sending, or says why not. An accepted message gets exactly one report.
    ///
    /// Errors: `ERR__QUEUE_FULL`, `ERR_MSG_SIZE_TOO_LARGE`, `ERR__UNKNOWN_PARTITION`, `ERR__UNKNOWN_TOPIC`,
    /// `ERR__FATAL`, `ERR__STATE` after `close`.
    #[inline(always)]
    pub fn produce(&self, topic: &Topic, m: &Message<'_>) -> Result<(), RespErr> {
        self.shared.produce(topic, m)
    }

    /// As `produce`, for a message that consists of a payload, perhaps a key and perhaps headers, for any partition. `NO_ERROR`
    /// if it was accepted.
    #[inline(always)]
    pub fn produce_plain(
        &self,
        topic: &Topic,
        key: Option<&[u8]>,
        payload: &[u8],
        headers: impl HeaderSection,
        opaque: usize,
    ) -> RespErr {
        self.shared.produce_plain(topic, key, payload, headers, opaque)
    }

    /// The next event. Waits at most `timeout` for it: `None` for ever, zero not at all.
    #[inline]
    pub fn poll_event(&self, timeout: Option<Duration>) -> Option<Event> {
        if self.is_parents() {
            return None;
        }
        if self.shared.closing.load(Relaxed) && self.shared.events.is_empty() {
            // A message whose produce call overlapped `close` may have been queued behind its back.
            self.shared.fail_everything(RespErr::ERR__DESTROY);
        }
        self.shared.events.pop(timeout)
    }

    /// While on, what is queued is sent without waiting for linger. Counted: each on needs an off.
    pub fn set_flushing(&self, on: bool) {
        if self.is_parents() {
            return;
        }
        if on {
            self.shared.flushing.fetch_add(1, AcqRel);
            self.shared.wake_brokers();
        } else {
            self.shared.flushing.fetch_sub(1, AcqRel);
        }
    }

    /// Messages whose report has not been served, and other events that wait.
    pub fn len(&self) -> usize {
        if self.is_parents() {
            return 0;
        }
        self.messages_pending() + self.shared.events.others()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Messages accepted whose report has not been served.
    pub fn messages_pending(&self) -> usize {
        self.shared.home.budget.in_use()
    }

    /// Memory charged to `queue.buffering.max.kbytes`, bytes; zero when no message is pending. For tests.
    #[doc(hidden)]
    pub fn queue_bytes(&self) -> usize {
        self.shared.home.budget.bytes_in_use()
    }

    /// Gives messages the verdict "purged": those that wait (`PURGE_QUEUE`), those in flight (`PURGE_INFLIGHT`).
    pub fn purge(&self, flags: i32) -> Result<(), RespErr> {
        if flags & !(PURGE_QUEUE | PURGE_INFLIGHT | PURGE_NON_BLOCKING) != 0 {
            return Err(RespErr::ERR__INVALID_ARG);
        }
        if self.is_parents() {
            return Err(RespErr::ERR__STATE);
        }
        if flags & PURGE_INFLIGHT != 0 {
            let brokers: Vec<_> = self.shared.brokers.read().values().cloned().collect();
            let (done, wait) = bounded(brokers.len().max(1));
            brokers.iter().for_each(|b| b.send(BrokerOp::Purge(done.clone())));
            drop(done);
            // Threads of a client that closes have nothing in flight any more, or are about to give it back.
            if flags & PURGE_NON_BLOCKING == 0 && !self.shared.closing.load(Acquire) {
                let until = Instant::now() + Duration::from_secs(5);
                for _ in &brokers {
                    if wait.recv_deadline(until).is_err() {
                        break;
                    }
                }
            }
        }
        if flags & PURGE_QUEUE != 0 {
            for t in self.shared.topics.iter() {
                for p in t.state.all_partitions() {
                    expiry::fail(&self.shared, expiry::take_all(p), RespErr::ERR__PURGE_QUEUE);
                }
            }
        }
        Ok(())
    }

    /// Asks a broker for the cluster's metadata: all topics, or one, or (neither) the brokers alone.
    pub fn metadata(&self, all: bool, only: Option<&Topic>, timeout: Duration) -> Result<ClusterMetadata, RespErr> {
        if self.is_parents() {
            return Err(RespErr::ERR__STATE);
        }
        let until = Instant::now() + timeout;
        let (reply, answer) = bounded(1);
        let topic = only.map(|t| t.state.info.name.clone());
        let op = MainOp::Query { all: all && topic.is_none(), topic, reply, until };
        if !self.shared.tell_main(op) {
            return Err(RespErr::ERR__DESTROY);
        }
        // The main thread answers in time; the margin is for a machine that is slow to run it.
        match answer.recv_deadline(until + Duration::from_millis(500)) {
            Ok(result) => result.map_err(|e| if e == RespErr::ERR__TIMED_OUT { RespErr::ERR__TRANSPORT } else { e }),
            Err(_) => Err(RespErr::ERR__TRANSPORT),
        }
    }

    /// A descriptor that is readable while there are events. It belongs to the client: poll it, don't read or close it.
    /// −1 if the system has none to give.
    pub fn event_fd(&self) -> RawFd {
        if self.is_parents() {
            return -1;
        }
        self.shared.events.descriptor().unwrap_or(-1)
    }

    /// The error after which the client refuses to go on, if there was one.
    pub fn fatal_error(&self) -> Option<(RespErr, String)> {
        if self.is_parents() {
            return Some((RespErr::ERR__STATE, forks::MADE_BEFORE_FORK.to_owned()));
        }
        self.shared.fatal.lock().clone()
    }

    /// The embedded cluster of `test.mock.num.brokers`.
    pub fn mock_cluster(&self) -> Option<Arc<MockCluster>> {
        self.mock.clone().filter(|_| !self.is_parents())
    }

    /// Ends the client's threads. What is queued or in flight gets a report with `ERR__DESTROY`; reports remain to be
    /// taken by `poll_event`. Produce is refused from here on.
    pub fn close(&self) {
        if self.is_parents() {
            return;
        }
        if self.shared.closing.swap(true, AcqRel) {
            return;
        }
        let _ = self.shared.refuse.compare_exchange(0, RespErr::ERR__STATE.0, AcqRel, Relaxed);
        self.shared.wake_transaction_callers();
        self.shared.tokens.iter().for_each(Tokens::close);
        self.shared.desk.close(&self.shared);
        if let Some(tokens) = self.tokens.lock().take() {
            // It may be waiting for a token endpoint; then it ends by itself, a little later.
            let until = Instant::now() + TOKEN_THREAD_PATIENCE;
            while !tokens.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
            if tokens.is_finished() {
                let _ = tokens.join();
            }
        }
        // What a thread accepted while the client closed.
        self.shared.fail_everything(RespErr::ERR__DESTROY);
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        if self.is_parents() {
            // There is nothing to join, and to free it would take locks that nobody will ever release.
            std::mem::forget((self.shared.clone(), self.mock.clone()));
            return;
        }
        self.close();
        while self.shared.events.pop(Some(Duration::ZERO)).is_some() {}
    }
}

/// The brokers of `test.mock.num.brokers`.
fn embedded_cluster(brokers: i32, rtt_ms: i64) -> Result<Arc<MockCluster>, String> {
    let cluster = MockCluster::new(brokers, crate::mock::Options::default())?;
    if rtt_ms > 0 {
        for id in 1..=brokers {
            let _ = cluster.set_rtt(id, rtt_ms as i32);
        }
    }
    Ok(cluster)
}

/// `host`, `host:port`, `[v6]:port`, each perhaps after `protocol://`, separated by commas.
fn parse_bootstrap(list: &[String], out: &mut Vec<(String, u16)>) -> Result<(), String> {
    for entry in list.iter().flat_map(|l| l.split(',')).map(str::trim).filter(|e| !e.is_empty()) {
        let bare = entry.split_once("://").map_or(entry, |(_, rest)| rest);
        let colon = match bare.rfind(']') {
            Some(end) => bare[end..].find(':').map(|c| c + end),
            None if bare.matches(':').count() > 1 => None,
            None => bare.rfind(':'),
        };
        let (host, port) = match colon {
            Some(c) => {
                let port = bare[c + 1..].parse().map_err(|_| {
                    format!("bootstrap.servers: '{entry}' has no valid port: expected host:port with a port from 1 to 65535")
                })?;
                (&bare[..c], port)
            }
            None => (bare, DEFAULT_PORT),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || port == 0 {
            return Err(format!("bootstrap.servers: '{entry}' is not host:port"));
        }
        out.push((host.to_owned(), port));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_lists() {
        let parse = |s: &str| {
            let mut out = Vec::new();
            parse_bootstrap(&[s.to_owned()], &mut out).map(|()| out)
        };
        let h = |s: &str, p| (s.to_owned(), p);
        assert_eq!(parse("a:1, b ,PLAINTEXT://c:3"), Ok(vec![h("a", 1), h("b", 9092), h("c", 3)]));
        assert_eq!(parse("[::1]:5,::1,[fe80::2]"), Ok(vec![h("::1", 5), h("::1", 9092), h("fe80::2", 9092)]));
        for bad in ["a:x", ":9092", "a:0", "a:70000", "[]:1"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
