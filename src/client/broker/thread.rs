//! The loop of a broker thread: take orders, move batches that are due, write, wait, read.

use super::conn::Purpose;
use super::link::Link;
use super::schedule::Schedule;
use super::{BrokerHandle, BrokerOp, LinkState, MetadataQuery, Query};
use crate::accumulator::batch::Batch;
use crate::client::delivery::{Status, Verdict};
use crate::client::log::WARNING;
use crate::client::shared::Shared;
use crate::client::spawn;
use crate::client::topic::Partition;
use crate::conf::{AddressFamily, DebugContexts};
use crate::error::RespErr;
use crate::protocol::records::codec::CompressCtx;
use crate::security::sasl::Exchange;
use crate::sys::clock;
use crate::sys::poll::{poll_eagerly, PollFd};
use crate::sys::rename_thread;
use crate::sys::socket::{Family, Options};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering::*;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub struct BrokerThread {
    pub(super) shared: Arc<Shared>,
    pub(super) me: Arc<BrokerHandle>,
    pub(super) link: Link,
    pub(super) sched: Schedule,
    pub(super) compress: CompressCtx,
    /// Buffers that compressed batches had, for the next ones.
    pub(super) spare_buffers: Vec<Vec<u8>>,
    /// A producer id is to be asked for as soon as the link is up.
    pub(super) producer_id_wanted: bool,
    /// The connection is wanted before there is a request for it; until it is up or has failed.
    pub(super) request_to_come: bool,
    /// Metadata requests that wait for the connection.
    pub(super) metadata_queue: VecDeque<(MetadataQuery, u64)>,
    /// Other requests that wait for the connection.
    pub(super) queries: VecDeque<(Query, u64)>,
    /// Produce requests in flight on the connection.
    pub(super) produce_in_flight: usize,
    /// The broker asked to be left alone until then (KIP-219).
    pub(super) throttled_until: Option<Instant>,
    pub(super) backoff_ms: u64,
    /// Requests that timed out since the last answer.
    pub(super) timed_out_in_a_row: u32,
    /// The addresses of the broker's name, for `broker.address.ttl`.
    pub(super) addresses: super::link::Addresses,
    pub(super) reported_down: bool,
    /// The same for failures of TLS and authentication.
    pub(super) reported_insecure: bool,
    /// The authentication under way.
    pub(super) exchange: Option<Exchange>,
    /// Authentications that failed since the last that did not.
    pub(super) auth_attempts: u32,
    /// With what code requests of a link that goes down are lost.
    pub(super) abandon_code: RespErr,
    pub(super) stopping: bool,
    /// This thread has done some of the main thread's work, which is now to look at its timers.
    pub(super) main_has_to_look: bool,
    /// Until when this thread is the main thread's deputy.
    pub(super) deputy_until: Option<Instant>,
    /// It has asked for metadata before the broker's versions were known; that is done once.
    pub(super) has_asked_early: bool,
    pub(super) family: Family,
    pub(super) socket_options: Options,
    /// When something in flight is due to be looked at.
    next_scan: Option<Instant>,
}

/// Starts the thread of a broker.
pub fn spawn(shared: Arc<Shared>, me: Arc<BrokerHandle>) -> io::Result<JoinHandle<()>> {
    spawn::guarded(shared.clone(), me.thread_name(), move || {
        let s = &shared.settings;
        let now = Instant::now();
        let socket_options = Options {
            send_buffer: s.socket_send_buffer_bytes,
            receive_buffer: s.socket_receive_buffer_bytes,
            keepalive: s.socket_keepalive,
            no_delay: s.socket_nodelay,
        };
        let mut thread = BrokerThread {
            sched: Schedule::new(),
            link: Link::Down { retry_at: now },
            compress: CompressCtx::default(),
            spare_buffers: Vec::new(),
            producer_id_wanted: false,
            request_to_come: false,
            metadata_queue: VecDeque::new(),
            queries: VecDeque::new(),
            produce_in_flight: 0,
            throttled_until: None,
            backoff_ms: 0,
            timed_out_in_a_row: 0,
            addresses: super::link::Addresses::default(),
            reported_down: false,
            reported_insecure: false,
            exchange: None,
            auth_attempts: 0,
            abandon_code: RespErr::ERR__TRANSPORT,
            stopping: false,
            main_has_to_look: false,
            deputy_until: None,
            has_asked_early: false,
            family: match s.broker_address_family {
                AddressFamily::Any => Family::Any,
                AddressFamily::V4 => Family::V4,
                AddressFamily::V6 => Family::V6,
            },
            socket_options,
            next_scan: None,
            shared,
            me,
        };
        thread.run();
    })
}

impl BrokerThread {
    fn run(&mut self) {
        while !self.stopping {
            // What was asked for until now, this round sees; what comes later keeps it from waiting.
            self.me.nudged.store(false, SeqCst);
            self.take_orders();
            if self.stopping {
                break;
            }
            let now = Instant::now();
            self.run_timers(now);
            self.connect_if_wanted(now);
            self.send_what_is_due();
            self.serve_main();
            let in_flight = self.produce_in_flight;
            self.wait();
            self.hand_over_in_time(self.produce_in_flight < in_flight);
        }
        self.hand_over();
        self.give_everything_back();
    }

    fn take_orders(&mut self) {
        while let Ok(op) = self.me.inbox.try_recv() {
            match op {
                BrokerOp::Look(p) => self.look(p),
                BrokerOp::Metadata { request, tag } => self.metadata_queue.push_back((request, tag)),
                BrokerOp::Query { query, tag } => self.queries.push_back((query, tag)),
                BrokerOp::ProducerId => self.producer_id_wanted = true,
                BrokerOp::Purge(done) => {
                    self.purge_in_flight();
                    let _ = done.send(());
                }
                BrokerOp::Address(host, port) => {
                    let changed = *self.me.address.lock() != (host.clone(), port);
                    if changed {
                        *self.me.address.lock() = (host, port);
                        if !matches!(self.link, Link::Down { .. }) {
                            self.go_down(RespErr::ERR__NODE_UPDATE, "the broker's address changed".to_owned());
                        }
                        self.link = Link::Down { retry_at: Instant::now() };
                    }
                }
                BrokerOp::StandIn => self.begin_to_stand_in(),
                BrokerOp::Release => {
                    let idle = matches!(&self.link, Link::Up(c) if c.in_flight.is_empty()) && !self.connection_wanted();
                    if idle {
                        self.close_idle();
                    }
                }
                BrokerOp::Become(handle) => self.become_known(handle),
                BrokerOp::Retire => {
                    self.retire();
                }
                BrokerOp::Stop => self.stopping = true,
            }
        }
    }

    /// This bootstrap broker is known from now on. A connection stays as it is; one that could not be had is tried anew, since
    /// the cluster says that the broker is there.
    fn become_known(&mut self, handle: Arc<BrokerHandle>) {
        self.shared.debug(DebugContexts::BROKER, "NODE", || format!("{} is {}", self.me.name(), handle.name()));
        self.me = handle;
        rename_thread(&self.me.thread_name());
        if let Link::Down { retry_at } = &mut self.link {
            *retry_at = Instant::now();
            self.backoff_ms = 0;
            self.reported_down = false;
            self.reported_insecure = false;
            self.me.failures.store(0, Relaxed);
            self.me.set_state(LinkState::Init);
        }
    }

    /// Enters a partition into the lists in which its queue wants to be.
    pub(super) fn look(&mut self, p: Arc<Partition>) {
        p.look.store(false, Release);
        if p.leader.load(Acquire) != self.me.id {
            self.shared.send_look(&p);
            return;
        }
        let timeout = p.info.conf.message_timeout_ms;
        let (ready, open, oldest, retried) = {
            let inner = p.queue.lock();
            p.backlog.store(inner.ready.len() as u32, Relaxed);
            let retried = inner.ready.front().is_some_and(|b| b.attempts > 0);
            (!inner.ready.is_empty(), inner.open_since(), inner.oldest(), retried)
        };
        if ready {
            self.sched.add_ready(&p);
        }
        if let Some(opened) = open {
            self.sched.add_linger(&p, opened + Duration::from_micros(self.shared.settings.linger_us as u64));
        }
        if let (Some(oldest), true) = (oldest, timeout > 0) {
            let at = oldest + Duration::from_millis(timeout as u64);
            if retried {
                // Older than what was noted when newer batches came, perhaps.
                self.sched.expiry_no_later_than(&p, at);
            } else {
                self.sched.add_expiry(&p, at);
            }
        }
    }

    /// There is something that needs a connection.
    pub(super) fn has_work(&self) -> bool {
        !self.sched.ready.is_empty() || !self.sched.linger.is_empty() || !self.sched.backoff.is_empty()
    }

    pub(super) fn is_up(&self) -> bool {
        self.me.state() == LinkState::Up
    }

    fn run_timers(&mut self, now: Instant) {
        if self.throttled_until.is_some_and(|t| now >= t) {
            self.throttled_until = None;
        }
        self.connect_progress(now, false);
        self.handshake_progress(now, false);
        self.reauthenticate_if_due(now);
        while let Some(p) = self.sched.due_expiry(now) {
            self.expire(&p, now);
        }
        while let Some(p) = self.sched.due_backoff(now) {
            self.sched.add_ready(&p);
        }
        self.close_lingered(now);
        if self.next_scan.is_some_and(|t| now >= t) {
            self.scan_in_flight(now);
        }
    }

    /// Closes the open batches that have waited long enough. While nothing can be sent they may go on filling: closing
    /// them would only make small batches, so then they are closed just often enough for expiry to be fair.
    fn close_lingered(&mut self, now: Instant) {
        let can_send = self.can_send();
        let flushing = self.shared.flushing.load(Acquire) > 0;
        if self.sched.linger.is_empty() {
            return;
        }
        let linger = Duration::from_micros(self.shared.settings.linger_us as u64);
        let open_for = if can_send { linger } else { self.patience() };
        // The list is in the order of opening, and says opening plus linger.
        let until = if can_send && flushing {
            now + Duration::from_secs(3600)
        } else {
            (now + linger).checked_sub(open_for).unwrap_or(now)
        };
        // Those that came back into the list while it was worked off are for the next round.
        for _ in 0..self.sched.linger.len() {
            let Some(p) = self.sched.due_linger(until) else { break };
            let mut inner = p.queue.lock();
            match inner.open_since() {
                Some(opened) if !flushing && opened + linger > until => {
                    drop(inner);
                    self.sched.add_linger(&p, opened + linger);
                }
                Some(_) => {
                    p.queue.close_open_in(&mut inner);
                    p.backlog.store(inner.ready.len() as u32, Relaxed);
                    drop(inner);
                    self.sched.add_ready(&p);
                }
                // Full, and closed by a producing thread that then found no memory for the next batch.
                None if !inner.ready.is_empty() => {
                    drop(inner);
                    self.sched.add_ready(&p);
                }
                None => {}
            }
        }
    }

    /// How long an open batch may fill while nothing can be sent. The records of a batch expire together, at the first
    /// one's time; this bounds how much too early that is for the last one.
    fn patience(&self) -> Duration {
        self.shared.patience()
    }

    /// Reports the records whose time is over.
    fn expire(&mut self, p: &Arc<Partition>, now: Instant) {
        super::super::expiry::expire(&self.shared, p, now);
        self.look(p.clone());
    }

    /// Requests that were not answered in time, and batches in flight whose records' time is over.
    fn scan_in_flight(&mut self, now: Instant) {
        self.next_scan = None;
        let Link::Up(conn) = &mut self.link else { return };
        let mut over = Vec::new();
        let mut stuck = false;
        let waiting = |r: &&super::conn::InFlight| !matches!(r.purpose, Purpose::GivenUp);
        let mut next: Option<Instant> =
            conn.in_flight.iter().filter(waiting).map(|r| r.deadline).filter(|d| now < *d).min();
        for request in &mut conn.in_flight {
            let whole = request.fully_written();
            let Purpose::Produce { batches, .. } = &mut request.purpose else { continue };
            for slot in batches {
                let Some(deadline) = slot.as_ref().and_then(expiry_of) else { continue };
                if now < deadline {
                    next = Some(next.map_or(deadline, |n| n.min(deadline)));
                } else if whole {
                    over.extend(slot.take());
                } else {
                    // The socket has not taken the batch for as long as its records may wait.
                    stuck = true;
                }
            }
        }
        let late = conn.in_flight.iter().filter(waiting).find(|r| now >= r.deadline);
        let late = late.map(|r| (r.api, r.sent.elapsed().as_millis()));
        self.next_scan = next;
        for batch in over {
            self.settle(batch, Verdict::failed(RespErr::ERR__MSG_TIMED_OUT, Status::PossiblyPersisted));
        }
        if let Some((api, after)) = late {
            let text = format!("{} request timed out after {after} ms in flight", api.api().name);
            if self.may_go_on_after_time_outs(now) {
                self.shared.log(WARNING, "REQTMOUT", format!("{}: {text}", self.me.name()));
                self.give_up_late(now);
            } else {
                self.go_down(RespErr::ERR__TIMED_OUT, text);
            }
        }
        if stuck && matches!(self.link, Link::Up(_)) {
            let text = "the broker has taken no data for as long as messages may wait".to_owned();
            self.go_down(RespErr::ERR__TIMED_OUT, text);
        }
    }

    /// Counts the requests that are late; whether the connection may stay open all the same (`socket.max.fails`). What is
    /// written in part must be gone on with or be given up with the connection, and the handshake is its own judge.
    fn may_go_on_after_time_outs(&mut self, now: Instant) -> bool {
        let most = self.shared.settings.socket_max_fails;
        let Link::Up(conn) = &self.link else { return false };
        let late = || conn.in_flight.iter().filter(|r| now >= r.deadline && !matches!(r.purpose, Purpose::GivenUp));
        self.me.counters.req_timeouts.fetch_add(late().count() as u64, Relaxed);
        self.timed_out_in_a_row = self.timed_out_in_a_row.saturating_add(late().count() as u32);
        (most == 0 || self.timed_out_in_a_row < most)
            && late().all(|r| r.fully_written() && !matches!(r.purpose, Purpose::ApiVersions | Purpose::Sasl))
    }

    /// Decides the fate of requests that are late as if their answers were lost, and leaves their place in the order of
    /// answers to them.
    fn give_up_late(&mut self, now: Instant) {
        let Link::Up(conn) = &mut self.link else { return };
        let late = conn.in_flight.iter_mut().filter(|r| now >= r.deadline);
        let lost: Vec<Purpose> = late.map(|r| std::mem::replace(&mut r.purpose, Purpose::GivenUp)).collect();
        for purpose in lost {
            if matches!(purpose, Purpose::Produce { .. }) {
                self.produce_in_flight = self.produce_in_flight.saturating_sub(1);
            }
            self.lost(purpose, true, RespErr::ERR__TIMED_OUT);
        }
    }

    /// A request with that deadline and those batches is in flight from now on.
    pub(super) fn watch(&mut self, deadline: Instant) {
        self.next_scan = Some(self.next_scan.map_or(deadline, |n| n.min(deadline)));
    }

    /// The time at which something is to be done without any word from outside.
    fn next_timer(&self) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        let mut consider = |t: Option<Instant>| next = [next, t].into_iter().flatten().min();
        consider(self.sched.expiry.peek().map(|t| t.at));
        consider(self.sched.backoff.peek().map(|t| t.at));
        consider(self.next_scan);
        consider(self.throttled_until);
        consider(self.deputy_until);
        let linger = Duration::from_micros(self.shared.settings.linger_us as u64);
        let open_for = if self.can_send() { linger } else { self.patience() };
        consider(self.sched.linger.front().and_then(|t| (t.at + open_for).checked_sub(linger)));
        match &self.link {
            Link::Down { retry_at } if self.connection_wanted() => consider(Some(*retry_at)),
            Link::Connecting { deadline, .. } | Link::Handshake { deadline, .. } => consider(Some(*deadline)),
            Link::Up(conn) => {
                consider(self.idle_at(conn));
                consider(conn.session_ends);
            }
            Link::Down { .. } => {}
        }
        next
    }

    fn idle_at(&self, conn: &super::conn::Conn) -> Option<Instant> {
        let idle = self.shared.settings.connections_max_idle_ms as u64;
        let busy = !conn.in_flight.is_empty() || self.has_work();
        (idle > 0 && !busy).then(|| conn.last_sent.max(conn.last_received) + Duration::from_millis(idle))
    }

    /// Waits for the socket, an order or a timer, and serves the socket.
    fn wait(&mut self) {
        let now = Instant::now();
        if self.produce_in_flight == 0 {
            self.spare_buffers.truncate(1);
        }
        if let Link::Up(conn) = &self.link {
            if self.idle_at(conn).is_some_and(|t| now >= t) {
                self.close_idle();
            }
        }
        let (socket, write) = match &self.link {
            Link::Down { .. } => (None, false),
            Link::Connecting { tcp, .. } => (Some(tcp.fd()), true),
            Link::Handshake { tls, .. } => (Some(tls.fd()), tls.wants_write()),
            Link::Up(conn) => (Some(conn.stream.fd()), conn.blocked()),
        };
        if self.shared.settings.statistics_interval_ms > 0 {
            self.note_in_flight();
        }
        // From here on senders write to the wake descriptor; what came before is seen by the check.
        self.me.awake.store(false, SeqCst);
        let timeout = if self.me.nudged.load(SeqCst) || !self.me.inbox.is_empty() {
            Some(Duration::ZERO)
        } else {
            self.next_timer().map(|t| t.saturating_duration_since(now))
        };
        let mut fds = [PollFd::new(self.me.wake.fd(), true, false), PollFd::new(socket.unwrap_or(-1), true, write)];
        let used = if socket.is_some() { 2 } else { 1 };
        let polled = poll_eagerly(&mut fds[..used], self.eagerness(socket), timeout);
        self.me.awake.store(true, SeqCst);
        if fds[0].readable() {
            self.me.wake.drain();
        }
        if polled.is_err() || socket.is_none() {
            return;
        }
        let (readable, writable) = (fds[1].readable() || fds[1].hung_up(), fds[1].writable() || fds[1].hung_up());
        match &self.link {
            Link::Connecting { .. } if writable => self.connect_progress(Instant::now(), true),
            Link::Handshake { .. } => self.handshake_progress(Instant::now(), readable || writable),
            Link::Up(_) => {
                if writable {
                    self.flush();
                }
                if readable {
                    self.receive();
                }
            }
            _ => {}
        }
    }

    /// Requests and messages under way, for the statistics.
    fn note_in_flight(&self) {
        let (mut unwritten, mut waiting, mut messages) = (0, 0, [0, 0]);
        if let Link::Up(conn) = &self.link {
            (unwritten, waiting) = conn.counts();
            for r in &conn.in_flight {
                if let Purpose::Produce { batches, .. } = &r.purpose {
                    let n: u64 = batches.iter().flatten().map(|b| b.count as u64).sum();
                    messages[usize::from(r.fully_written())] += n;
                }
            }
        }
        let c = &self.me.counters;
        c.outbuf_count.store(unwritten as u64, Relaxed);
        c.waiting_count.store(waiting as u64, Relaxed);
        c.outbuf_messages.store(messages[0], Relaxed);
        c.waiting_messages.store(messages[1], Relaxed);
    }

    /// Writes what waits; a failure takes the link down.
    pub(super) fn flush(&mut self) {
        let Link::Up(conn) = &mut self.link else { return };
        match conn.flush() {
            Ok(w) => {
                let c = &self.me.counters;
                c.tx_bytes.fetch_add(w.bytes, Relaxed);
                c.tx.fetch_add(w.requests, Relaxed);
                if w.bytes > 0 && self.shared.settings.statistics_interval_ms > 0 {
                    c.last_tx_us.store(clock::precise_us(), Relaxed);
                }
                self.settle_unanswered();
            }
            Err(e) => {
                self.me.counters.tx_errors.fetch_add(1, Relaxed);
                self.go_down(RespErr::ERR__TRANSPORT, format!("Send failed: {e}"));
            }
        }
    }

    /// Gives every batch in flight the verdict "purged".
    fn purge_in_flight(&mut self) {
        let Link::Up(conn) = &mut self.link else { return };
        let mut gone = Vec::new();
        let mut unsent = false;
        for request in &mut conn.in_flight {
            let whole = request.fully_written();
            if let Purpose::Produce { batches, .. } = &mut request.purpose {
                if whole {
                    gone.extend(batches.iter_mut().filter_map(Option::take));
                } else {
                    unsent |= batches.iter().any(Option::is_some);
                }
            }
        }
        for batch in gone {
            self.settle(batch, Verdict::failed(RespErr::ERR__PURGE_INFLIGHT, Status::PossiblyPersisted));
        }
        if unsent {
            // What the socket has taken in part cannot be taken back but by closing it.
            self.go_down(RespErr::ERR__PURGE_INFLIGHT, "purge of requests that were being written".to_owned());
        }
    }

    /// The thread ends; the partitions in its lists go to whoever leads them now.
    fn retire(&mut self) {
        // Not a failure that the application should hear of.
        self.stopping = true;
        self.go_down(RespErr::ERR__DESTROY_BROKER, "no longer in the cluster".to_owned());
        self.fail_waiting_metadata(RespErr::ERR__DESTROY_BROKER);
        let sched = std::mem::replace(&mut self.sched, Schedule::new());
        let timed = sched.linger.into_iter().chain(sched.backoff).chain(sched.expiry).map(|t| t.partition);
        for p in sched.ready.into_iter().chain(timed) {
            self.shared.send_look(&p);
        }
        // Orders that came meanwhile.
        while let Ok(op) = self.me.inbox.try_recv() {
            match op {
                BrokerOp::Look(p) => self.shared.send_look(&p),
                BrokerOp::Metadata { tag, .. } => self.metadata_failed(tag, RespErr::ERR__DESTROY_BROKER),
                BrokerOp::Query { tag, .. } => self.query_answered(tag, Err(RespErr::ERR__DESTROY_BROKER)),
                BrokerOp::Purge(done) => {
                    let _ = done.send(());
                }
                _ => {}
            }
        }
    }

    /// At the end: everything in flight gets its verdict. Queues are the main thread's to empty.
    fn give_everything_back(&mut self) {
        self.go_down(RespErr::ERR__DESTROY, "the client is closing".to_owned());
    }
}

/// When a batch's records have waited for as long as they may.
pub(super) fn expiry_of(b: &Batch<Partition>) -> Option<Instant> {
    let ms = b.owner.info.conf.message_timeout_ms;
    (ms > 0).then(|| b.opened + Duration::from_millis(ms as u64))
}
