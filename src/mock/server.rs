//! A broker's thread: its listener, its connections, requests in, answers out when they are due.
//!
//! As in Kafka, the answers of a connection leave in the order of the requests, and a fetch that waits for data holds up
//! what comes after it on the same connection.

use super::faults::{self, Fault, HostileMode};
use super::handlers::{self, fetch, Reply, Request};
use super::input::{Input, READ_CHUNK};
use super::sasl::{Next, Session};
use super::shared::{Broker, Shared};
use super::stream::Stream;
use crate::protocol::messages::fetch::FetchRequest;
use crate::protocol::{api, ApiKey, Reader, RequestHeader, Writer};
use crate::sys::poll::{poll, PollFd};
use socket2::{Domain, Socket, Type};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{TcpListener, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Answers waiting on one connection, in bytes, at which its requests are left unread.
const MAX_UNSENT: usize = 64 << 20;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;
/// How long to wait before listening again when the port could not be had or descriptors ran out.
const LISTEN_RETRY: Duration = Duration::from_millis(50);

/// Serves until the cluster stops. `listener` is bound already, so that its port is known before the thread runs.
pub fn run(shared: Arc<Shared>, index: usize, listener: TcpListener) {
    crate::sys::block_signals();
    let mut server =
        Server { shared: &shared, broker: &shared.brokers[index], listener: None, held: None, conns: Vec::new() };
    if let Err(e) = listener.set_nonblocking(true) {
        shared.log(format_args!("broker {}: {e}", server.broker.id));
    }
    server.listener = Some(listener);
    server.serve();
    server.broker.acknowledge(u64::MAX);
}

struct Server<'a> {
    shared: &'a Shared,
    broker: &'a Broker,
    listener: Option<TcpListener>,
    /// Keeps the port while the broker is down.
    held: Option<Socket>,
    conns: Vec<Conn>,
}

/// What the controls say, read once per round.
struct Mood {
    frozen: bool,
    hold: bool,
    rtt: Duration,
}

impl Server<'_> {
    fn serve(&mut self) {
        let mut fds: Vec<PollFd> = Vec::new();
        loop {
            let mood = self.obey();
            if self.shared.stopping() {
                return;
            }
            fds.clear();
            fds.push(PollFd::new(self.broker.wake.fd(), true, false));
            let listen_fd = self.listener.as_ref().filter(|_| !mood.frozen).map_or(-1, AsRawFd::as_raw_fd);
            fds.push(PollFd::new(listen_fd, true, false));
            let now = Instant::now();
            let mut deadline: Option<Instant> = None;
            let mut by = |at: Instant| deadline = Some(deadline.map_or(at, |d| d.min(at)));
            for c in &self.conns {
                let (write, due) = c.output(now, mood.hold);
                // A frozen broker leaves its descriptors out: poll would tell a hang-up over and over.
                let fd = if mood.frozen { -1 } else { c.stream.fd() };
                fds.push(PollFd::new(fd, c.wants_input(), write));
                if !mood.frozen {
                    if c.stream.buffered() && c.wants_input() {
                        by(now);
                    }
                    due.into_iter().chain(c.waiting.as_ref().map(|w| w.deadline)).for_each(&mut by);
                }
            }
            // Transactions of a broker that is down are another's.
            if let Some(due) = self.broker.txn_due.lock().filter(|_| !mood.frozen) {
                by(due);
            }
            if self.listener.is_none() && !self.broker.control.lock().down {
                by(now + LISTEN_RETRY);
            }
            let timeout = deadline.map(|d| d.saturating_duration_since(now));
            if let Err(e) = poll(&mut fds, timeout) {
                self.shared.log(format_args!("broker {}: poll: {e}", self.broker.id));
                std::thread::sleep(LISTEN_RETRY);
                continue;
            }
            let woken = fds[0].readable() && self.broker.wake.drain();
            if !mood.frozen {
                self.round(&fds, &mood, woken);
            }
        }
    }

    fn round(&mut self, fds: &[PollFd], mood: &Mood, woken: bool) {
        // Logs change by this thread's produce requests, or by another thread that wakes this one.
        let mut logs_changed = woken;
        for (c, fd) in self.conns.iter_mut().zip(&fds[2..]) {
            if fd.readable() || c.stream.buffered() && c.wants_input() {
                c.receive();
            }
            logs_changed |= c.serve(self.shared, self.broker, mood);
        }
        let now = Instant::now();
        if self.broker.txn_due.lock().is_some_and(|due| due <= now) {
            self.shared.run_txns(self.broker, &mut self.shared.txns.lock(), now);
            logs_changed = true;
        }
        for c in &mut self.conns {
            if c.waiting.is_some() {
                c.serve_waiting(self.shared, self.broker, mood, now, logs_changed);
                c.serve(self.shared, self.broker, mood);
            }
            if !mood.hold {
                c.send(now);
            }
            if let Some(why) = c.failed.take() {
                if !why.is_empty() {
                    self.shared.log(format_args!("broker {}: closed {}: {why}", self.broker.id, c.peer));
                }
                c.closed = true;
            }
        }
        let before = self.conns.len();
        self.conns.retain(|c| !c.closed);
        if fds[1].readable() {
            self.accept();
        }
        if self.conns.len() != before {
            self.broker.connections.store(self.conns.len(), Ordering::Relaxed);
        }
    }

    /// Brings listener and connections in line with the controls, then tells whoever changed them.
    fn obey(&mut self) -> Mood {
        let (generation, down, cut, mood) = {
            let mut c = self.broker.control.lock();
            let mood = Mood { frozen: c.frozen, hold: c.hold, rtt: Duration::from_millis(c.rtt_ms as u64) };
            (c.generation, c.down, std::mem::take(&mut c.cut_connections), mood)
        };
        if down || cut {
            self.conns.clear();
            self.broker.connections.store(0, Ordering::Relaxed);
        }
        if down {
            self.listener = None;
            if self.held.is_none() {
                self.held = self.bind().ok();
            }
        } else if self.listener.is_none() {
            let bound = self.held.take().map_or_else(|| self.bind(), Ok).and_then(|s| s.listen(BACKLOG).map(|()| s));
            match bound {
                Ok(s) => self.listener = Some(s.into()),
                Err(e) => self.shared.log(format_args!("broker {}: listen again: {e}", self.broker.id)),
            }
        }
        self.broker.acknowledge(generation);
        mood
    }

    /// A socket at the broker's port that does not listen: connections are refused, and nobody else is given the port.
    fn bind(&self) -> io::Result<Socket> {
        let addrs: Vec<_> = (self.broker.host.as_str(), self.broker.port).to_socket_addrs()?.collect();
        let addr = addrs.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let s = Socket::new(Domain::for_address(*addr), Type::STREAM, None)?;
        s.set_reuse_address(true)?;
        s.set_nonblocking(true)?;
        s.bind(&(*addr).into())?;
        Ok(s)
    }

    fn accept(&mut self) {
        while let Some(listener) = &self.listener {
            match listener.accept() {
                Ok((stream, peer)) => {
                    // Answers are written whole, so Nagle's delay would only cost.
                    let set = stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true));
                    let tls = self.shared.security.read().tls.clone();
                    if let Ok(stream) = set.and_then(|()| Stream::new(stream, tls)) {
                        self.broker.accepted.fetch_add(1, Ordering::Relaxed);
                        self.conns.push(Conn::new(stream, peer.to_string()));
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {}
                Err(e) => {
                    self.shared.log(format_args!("broker {}: accept: {e}", self.broker.id));
                    std::thread::sleep(LISTEN_RETRY);
                    return;
                }
            }
        }
    }
}

/// One answer on its way out. An empty one with `close` is a connection to be cut.
struct Answer {
    due: Instant,
    bytes: Vec<u8>,
    close: bool,
    /// One byte per second instead of all at once.
    trickle: bool,
}

/// A fetch that waits until enough data is there or its time is up.
struct Waiting {
    request: FetchRequest,
    version: i16,
    correlation_id: i32,
    fault: Fault,
    deadline: Instant,
}

struct Conn {
    stream: Stream,
    peer: String,
    input: Input,
    answers: VecDeque<Answer>,
    /// Bytes of the first answer that are out.
    sent: usize,
    unsent: usize,
    waiting: Option<Waiting>,
    session: Session,
    /// No more requests are read: an answer in the queue ends the connection.
    ending: bool,
    /// A request was left without an answer, and so is all that comes after it, as when a broker is stuck on it. Input is
    /// thrown away, to notice that the client gives up.
    mute: bool,
    /// Why the connection must go; empty if that needs no log line.
    failed: Option<String>,
    closed: bool,
}

impl Conn {
    fn new(stream: Stream, peer: String) -> Conn {
        Conn {
            stream,
            peer,
            input: Input::default(),
            answers: VecDeque::new(),
            sent: 0,
            unsent: 0,
            waiting: None,
            session: Session::default(),
            ending: false,
            mute: false,
            failed: None,
            closed: false,
        }
    }

    fn wants_input(&self) -> bool {
        // A waiting connection is read a little, to notice that the client has gone.
        !self.ending && self.unsent < MAX_UNSENT && (self.waiting.is_none() || self.input.unread() < READ_CHUNK)
    }

    /// Whether the socket should be waited on for writing, and if not, when the next answer is due.
    fn output(&self, now: Instant, hold: bool) -> (bool, Option<Instant>) {
        match self.answers.front() {
            _ if self.stream.wants_write() => (true, None),
            Some(a) if !hold && a.due <= now => (true, None),
            Some(a) if !hold => (false, Some(a.due)),
            _ => (false, None),
        }
    }

    fn receive(&mut self) {
        if !self.wants_input() {
            // Only an error or a hang-up brings us here: nobody is left to be answered.
            self.failed.get_or_insert_default();
            return;
        }
        match self.input.fill(&mut self.stream) {
            Ok(true) if self.mute => self.input.consume(self.input.unread()),
            Ok(true) => {}
            Ok(false) => {
                self.failed.get_or_insert_default();
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(e) => {
                // What TLS has to say is worth a line.
                let why = if e.kind() == io::ErrorKind::InvalidData { e.to_string() } else { String::new() };
                self.failed.get_or_insert(why);
            }
        }
    }

    /// Whether the next request may be handled.
    fn ready(&self) -> bool {
        self.waiting.is_none() && !self.ending && !self.mute && self.failed.is_none() && self.unsent < MAX_UNSENT
    }

    /// Handles every whole request that has come, as far as a waiting fetch lets. Returns whether a log may have changed.
    fn serve(&mut self, shared: &Shared, broker: &Broker, mood: &Mood) -> bool {
        let mut produced = false;
        // The request's bytes stay where they were read while the handler looks at them.
        let mut input = std::mem::take(&mut self.input);
        while self.ready() {
            match input.frame() {
                Ok(Some(frame)) => {
                    let len = frame.len() + 4;
                    produced |= self.request(shared, broker, mood, frame);
                    input.consume(len);
                }
                Ok(None) => break,
                Err(why) => self.failed = Some(why),
            }
        }
        self.input = input;
        produced
    }

    fn request(&mut self, shared: &Shared, broker: &Broker, mood: &Mood, frame: &[u8]) -> bool {
        let mut r = Reader::new(frame);
        let header = match RequestHeader::decode(&mut r) {
            Ok(h) => h,
            Err(e) => {
                self.failed = Some(format!("request header: {e}"));
                return false;
            }
        };
        let (key, version) = (header.api_key, header.api_version);
        shared.count(broker.id, &header);
        if self.refused(shared, key) || self.authenticate(shared, mood, &header, &mut r) {
            return false;
        }
        let Some(handler) = shared.handler(key, version) else {
            if key == ApiKey::ApiVersions as i16 {
                let w = handlers::api_versions::refuse(shared, header.correlation_id);
                self.answer(shared, mood, key, Fault::NONE, w.into_vec());
            } else {
                self.failed = Some(format!("API key {key} version {version} is not offered"));
            }
            return false;
        };
        let Some(api_key) = ApiKey::from_i16(key) else { return false };
        let (fault, throttle_ms) = {
            let mut faults = shared.faults.lock();
            (faults.next(broker.id, key), faults.throttle(key))
        };
        if !fault.executes() && fault.code() == 0 {
            self.strike(mood, fault);
            return false;
        }
        let mut w = Writer::new();
        let start = api::begin_response(&mut w, api_key, version, header.correlation_id);
        let request = Request { shared, broker, version, fault, throttle_ms };
        match handler(&request, &mut r, &mut w) {
            Ok(Reply::Answer) => match w.end_frame(start, 0) {
                Ok(()) => self.answer(shared, mood, key, fault, w.into_vec()),
                Err(e) => self.failed = Some(format!("answer to API key {key}: {e}")),
            },
            Ok(Reply::Nothing) => self.strike(mood, fault),
            Ok(Reply::Wait(request)) => {
                let deadline = Instant::now() + Duration::from_millis(request.max_wait_ms.max(0) as u64);
                let correlation_id = header.correlation_id;
                self.waiting = Some(Waiting { request: *request, version, correlation_id, fault, deadline });
            }
            Ok(Reply::Close(why)) => self.failed = Some(why),
            Err(e) => self.failed = Some(format!("API key {key} version {version}: {e}")),
        }
        // The markers of a transaction count too.
        matches!(api_key, ApiKey::Produce | ApiKey::EndTxn | ApiKey::InitProducerId)
    }

    /// Whether the connection may not ask for that yet, or any more.
    fn refused(&mut self, shared: &Shared, key: i16) -> bool {
        self.failed = self.session.refuses(&shared.security.read(), key);
        self.failed.is_some()
    }

    /// Serves a request of SASL; false if it is none, or SASL is not asked for.
    fn authenticate(&mut self, shared: &Shared, mood: &Mood, header: &RequestHeader<'_>, r: &mut Reader<'_>) -> bool {
        let security = shared.security.read();
        let api = match ApiKey::from_i16(header.api_key) {
            Some(api @ (ApiKey::SaslHandshake | ApiKey::SaslAuthenticate)) if !security.mechanisms.is_empty() => api,
            _ => return false,
        };
        if !api.supports(header.api_version) {
            return false;
        }
        let mut w = Writer::new();
        let start = api::begin_response(&mut w, api, header.api_version, header.correlation_id);
        let next = self.session.serve(&security, api, header.api_version, r, &mut w);
        let ended = w.end_frame(start, 0);
        match (next, ended) {
            (Ok(next), Ok(())) => {
                self.ending = matches!(next, Next::AnsweredLast);
                self.answer(shared, mood, header.api_key, Fault::NONE, w.into_vec());
            }
            (Err(e), _) => self.failed = Some(format!("{}: {e}", api.api().name)),
            (_, Err(e)) => self.failed = Some(format!("answer to {}: {e}", api.api().name)),
        }
        true
    }

    fn serve_waiting(&mut self, shared: &Shared, broker: &Broker, mood: &Mood, now: Instant, logs_changed: bool) {
        let Some(waiting) = self.waiting.take_if(|w| logs_changed || w.deadline <= now) else { return };
        let key = ApiKey::Fetch;
        let Waiting { request, version, correlation_id, fault, deadline } = waiting;
        let throttle_ms = shared.faults.lock().throttle(key as i16);
        let cx = Request { shared, broker, version, fault, throttle_ms };
        if deadline > now && !fetch::enough(&cx, &request) {
            self.waiting = Some(Waiting { request, version, correlation_id, fault, deadline });
            return;
        }
        let mut w = Writer::new();
        let start = api::begin_response(&mut w, key, version, correlation_id);
        fetch::answer(&cx, &request, &mut w);
        match w.end_frame(start, 0) {
            Ok(()) => self.answer(shared, mood, key as i16, fault, w.into_vec()),
            Err(e) => self.failed = Some(format!("answer to Fetch: {e}")),
        }
    }

    /// Queues an answer, as `fault` and the hostile mode leave it.
    fn answer(&mut self, shared: &Shared, mood: &Mood, api_key: i16, fault: Fault, bytes: Vec<u8>) {
        if fault.error == faults::CLOSE || fault.error == faults::SILENCE {
            return self.strike(mood, fault);
        }
        let mode = shared.faults.lock().hostile(api_key);
        let mut bytes = match mode {
            HostileMode::None => bytes,
            mode => faults::spoil(mode, shared.answers.fetch_add(1, Ordering::Relaxed), bytes),
        };
        if let Some(n) = fault.cut {
            bytes.truncate(n);
            self.ending = true;
        }
        if bytes.is_empty() && !self.ending {
            return;
        }
        self.unsent += bytes.len();
        let due = Instant::now() + mood.rtt + Duration::from_millis(fault.rtt_ms as u64);
        let trickle = mode == HostileMode::OneBytePerSecond;
        self.answers.push_back(Answer { due, bytes, close: self.ending, trickle });
    }

    /// Closes the connection when its time comes, or leaves the request without an answer, if `fault` says so.
    fn strike(&mut self, mood: &Mood, fault: Fault) {
        self.mute |= fault.error == faults::SILENCE;
        if fault.error == faults::CLOSE {
            self.ending = true;
            let due = Instant::now() + mood.rtt + Duration::from_millis(fault.rtt_ms as u64);
            self.answers.push_back(Answer { due, bytes: Vec::new(), close: true, trickle: false });
        }
    }

    /// Sends what is due, as far as the socket takes it.
    fn send(&mut self, now: Instant) {
        if self.stream.push().is_err() {
            self.failed.get_or_insert_default();
        }
        while let Some(a) = self.answers.front_mut() {
            if a.due > now {
                return;
            }
            let end = if a.trickle { (self.sent + 1).min(a.bytes.len()) } else { a.bytes.len() };
            if self.sent < end {
                match self.stream.write(&a.bytes[self.sent..end]) {
                    Ok(n) => {
                        self.sent += n;
                        self.unsent -= n;
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => {
                        self.failed.get_or_insert_default();
                        return;
                    }
                }
            }
            if self.sent < a.bytes.len() {
                if a.trickle {
                    a.due = now + Duration::from_secs(1);
                }
                continue;
            }
            if a.close && self.stream.wants_write() {
                return;
            }
            if a.close {
                self.failed.get_or_insert_default();
                return;
            }
            self.answers.pop_front();
            self.sent = 0;
        }
    }
}
