//! Connecting: every address of the name in turn, backoff with jitter between rounds, the ApiVersions handshake, and
//! what happens to requests in flight when the connection ends.

use super::conn::{Conn, InFlight, Purpose};
use super::stream::{Handshake, HandshakeError, Stream, TlsStream};
use super::thread::BrokerThread;
use super::LinkState;
use crate::client::log::{ERR, INFO};
use crate::client::main_thread::MainOp;
use crate::client::topic::TopicInfo;
use crate::conf::DebugContexts;
use crate::error::RespErr;
use crate::protocol::api::ApiKey;
use crate::security::tls;
use crate::sys::socket::{self, Tcp};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The broker's connection and its way there.
pub enum Link {
    /// Not connected; not to be tried before the time given.
    Down { retry_at: Instant },
    /// The address tried now, and those still to try.
    Connecting { tcp: Tcp, addr: SocketAddr, rest: VecDeque<SocketAddr>, deadline: Instant },
    /// Connected; TLS is being agreed upon.
    Handshake { tls: Box<TlsStream>, deadline: Instant },
    /// Connected; ready once the versions are known, and who we are.
    Up(Box<Conn>),
}

/// The addresses that the broker's name had when it was last resolved.
#[derive(Default)]
pub struct Addresses {
    of: (String, u16),
    all: Vec<SocketAddr>,
    resolved: Option<Instant>,
}

impl Addresses {
    /// The addresses of `host:port`, resolved anew if the last time is `ttl` ago or was for another name.
    fn get(
        &mut self,
        host: &str,
        port: u16,
        now: Instant,
        ttl: Duration,
        resolve: impl FnOnce() -> io::Result<Vec<SocketAddr>>,
    ) -> io::Result<Vec<SocketAddr>> {
        let fresh = self.resolved.is_some_and(|at| now < at + ttl) && self.of.0 == host && self.of.1 == port;
        if !fresh {
            self.resolved = None;
            self.all = resolve()?;
            self.of = (host.to_owned(), port);
            self.resolved = Some(now);
        }
        Ok(self.all.clone())
    }
}

impl BrokerThread {
    /// Starts to connect if there is a reason to and the backoff is over.
    pub(super) fn connect_if_wanted(&mut self, now: Instant) {
        let Link::Down { retry_at } = self.link else { return };
        if now < retry_at || !self.connection_wanted() {
            return;
        }
        self.me.set_state(LinkState::TryConnect);
        let (host, port) = self.me.address.lock().clone();
        let ttl = Duration::from_millis(self.shared.settings.broker_address_ttl_ms as u64);
        let resolved = self.addresses.get(&host, port, now, ttl, || socket::resolve(&host, port, self.family));
        match resolved {
            Ok(addrs) => {
                self.try_next(addrs.into(), None);
            }
            Err(e) => self.connect_failed(RespErr::ERR__RESOLVE, format!("Failed to resolve '{host}:{port}': {e}")),
        }
    }

    fn try_next(&mut self, mut addrs: VecDeque<SocketAddr>, mut last: Option<(SocketAddr, std::io::Error)>) {
        let setup = Duration::from_millis(self.shared.settings.connection_setup_timeout_ms as u64);
        while let Some(addr) = addrs.pop_front() {
            self.shared.debug(DebugContexts::BROKER, "CONNECT", || format!("{}: connecting to {addr}", self.me.name()));
            self.me.counters.connects.fetch_add(1, Relaxed);
            let started = Tcp::start(addr, &self.socket_options, &self.shared.hooks.sockets, &self.me.node_name());
            match started {
                Ok(tcp) => {
                    self.me.set_state(LinkState::Connect);
                    self.link = Link::Connecting { tcp, addr, rest: addrs, deadline: Instant::now() + setup };
                    return;
                }
                Err(e) => last = Some((addr, e)),
            }
        }
        let text = match last {
            Some((addr, e)) => format!("Connect to {addr} failed: {e}"),
            None => "the name has no address left to try".to_owned(),
        };
        self.connect_failed(RespErr::ERR__TRANSPORT, text);
    }

    /// The connecting socket became writable, or its time is over.
    pub(super) fn connect_progress(&mut self, now: Instant, writable: bool) {
        let expired = matches!(&self.link, Link::Connecting { deadline, .. } if now >= *deadline);
        if !writable && !expired {
            return;
        }
        let Link::Connecting { tcp, addr, rest, .. } = std::mem::replace(&mut self.link, Link::Down { retry_at: now })
        else {
            return;
        };
        let outcome = if writable { tcp.connected() } else { Err(std::io::ErrorKind::TimedOut.into()) };
        match outcome {
            Ok(()) => self.connected(tcp, addr),
            Err(e) => self.try_next(rest, Some((addr, e))),
        }
    }

    fn connected(&mut self, tcp: Tcp, addr: SocketAddr) {
        self.shared.debug(DebugContexts::BROKER, "CONNECTED", || format!("{}: connected to {addr}", self.me.name()));
        let shared = self.shared.clone();
        let Some(context) = &shared.tls else { return self.begin(Stream::Plain(tcp)) };
        self.me.set_state(LinkState::SslHandshake);
        let host = self.me.address.lock().0.clone();
        let judge = shared.hooks.verify.clone().map(|verify| -> tls::Judge {
            let (name, id) = (self.me.node_name(), self.me.id.max(-1));
            Box::new(move |certificate| verify(&name, id, certificate))
        });
        match context.connect(&host, judge) {
            Ok(conn) => {
                let tls = Box::new(TlsStream::new(tcp, conn));
                let setup = Duration::from_millis(self.shared.settings.connection_setup_timeout_ms as u64);
                self.link = Link::Handshake { tls, deadline: Instant::now() + setup };
                self.handshake_progress(Instant::now(), true);
            }
            Err(text) => self.go_down(RespErr::ERR__SSL, text),
        }
    }

    /// The socket has news while TLS is being agreed upon, or its time may be over.
    pub(super) fn handshake_progress(&mut self, now: Instant, ready: bool) {
        let Link::Handshake { tls, deadline } = &mut self.link else { return };
        if now >= *deadline {
            let text = "TLS handshake timed out (is this a TLS port? see security.protocol)".to_owned();
            return self.go_down(RespErr::ERR__SSL, text);
        }
        if !ready {
            return;
        }
        let why = match tls.handshake() {
            Ok(Handshake::UnderWay) => return,
            Ok(Handshake::Done) => {
                let old = std::mem::replace(&mut self.link, Link::Down { retry_at: now });
                let Link::Handshake { tls, .. } = old else { return };
                self.shared
                    .debug(DebugContexts::SECURITY, "SSL", || format!("{}: TLS: {}", self.me.name(), tls.describe()));
                return self.begin(Stream::Tls(tls));
            }
            Err(HandshakeError::Closed) => {
                "the broker closed the connection within the TLS handshake: this may be a port \
                                            without TLS (see security.protocol), or it wants a client certificate \
                                            (ssl.certificate.location)"
                    .to_owned()
            }
            Err(HandshakeError::Tls(e)) => tls::explain(&e, &self.me.address.lock().0),
            Err(HandshakeError::Io(e)) => format!("{e} within the TLS handshake (is this a TLS port?)"),
        };
        self.go_down(RespErr::ERR__SSL, format!("SSL handshake failed: {why}"));
    }

    /// The stream is there: Kafka's own handshake begins.
    fn begin(&mut self, stream: Stream) {
        self.me.set_state(LinkState::ApiVersionQuery);
        let max_frame = self.shared.settings.receive_message_max_bytes;
        self.link = Link::Up(Box::new(Conn::new(stream, max_frame)));
        self.send_api_versions(3);
        self.ask_early();
    }

    /// The handshake is done: the broker can be used.
    pub(super) fn link_ready(&mut self) {
        self.request_to_come = false;
        self.me.set_state(LinkState::Up);
        self.me.failures.store(0, Relaxed);
        self.backoff_ms = 0;
        self.reported_down = false;
        self.reported_insecure = false;
        // What the client waits for first; to wake the main thread takes its time.
        self.send_what_is_due();
        self.main_has_to_look |= self.shared.serve_or_send(MainOp::BrokerUp);
    }

    fn connect_failed(&mut self, code: RespErr, text: String) {
        self.go_down(code, text);
    }

    /// Whether an authentication- or handshake-free link ended in failure or by plan, it is down now; in-flight requests
    /// get their fate and the next attempt its time.
    pub(super) fn go_down(&mut self, code: RespErr, text: String) {
        if code == RespErr::ERR__TRANSPORT && self.early_refused() {
            return;
        }
        let now = Instant::now();
        let shared = self.shared.clone();
        let s = &shared.settings;
        self.request_to_come = false;
        let (state, state_ms) = (self.me.state(), self.state_ms());
        let was_up = state == LinkState::Up;
        if !was_up && !self.stopping {
            // Refused, or accepted and closed before the handshake was done: either way others are to be asked first.
            self.me.failures.fetch_add(1, Relaxed);
        }
        self.backoff_ms = if self.backoff_ms == 0 {
            s.reconnect_backoff_ms as u64
        } else {
            (self.backoff_ms * 2).min(s.reconnect_backoff_max_ms as u64)
        };
        // −25 % to +50 %, so that many clients do not come back at once.
        let jittered = self.backoff_ms * fastrand::u64(75..=150) / 100;
        let wait = Duration::from_millis(jittered.min((s.reconnect_backoff_max_ms as u64).max(self.backoff_ms)));
        let old = std::mem::replace(&mut self.link, Link::Down { retry_at: now + wait });
        self.me.set_state(LinkState::Down);
        self.exchange = None;
        if let Link::Up(mut conn) = old {
            conn.in_flight.iter_mut().filter(|r| matches!(r.purpose, Purpose::Sasl)).for_each(InFlight::forget_bytes);
            self.me.counters.disconnects.fetch_add(1, Relaxed);
            let lost: Vec<InFlight> = conn.in_flight.into();
            self.abandon(lost, code);
        }
        if !self.stopping {
            let text = format!("{}: {text} (after {} ms in state {})", self.me.name(), state_ms, state.name());
            // One event per outage and round of tries, not one per attempt; that the broker cannot be trusted, or does not
            // trust this client, is news even then.
            let insecure = matches!(code, RespErr::ERR__SSL | RespErr::ERR__AUTHENTICATION);
            if !self.reported_down || insecure && !self.reported_insecure {
                self.reported_down = true;
                self.reported_insecure |= insecure;
                self.shared.log(if was_up && !s.log_connection_close { INFO + 1 } else { ERR }, "FAIL", &text);
                self.shared.error_event(code, text);
            }
            self.fail_waiting_metadata(code);
            self.ask_for_other_leaders();
            self.shared.tell_main(MainOp::BrokerDown);
        }
    }

    /// The partitions that wait for this broker may have another leader by now.
    fn ask_for_other_leaders(&self) {
        let timed = self.sched.linger.iter().chain(&self.sched.backoff).map(|t| &t.partition);
        let mut asked: Vec<*const TopicInfo> = Vec::new();
        for p in self.sched.ready.iter().chain(timed) {
            let topic = Arc::as_ptr(&p.info);
            if !asked.contains(&topic) {
                asked.push(topic);
                self.shared.tell_main(MainOp::Refresh(p.clone()));
            }
        }
    }

    /// Closes the connection on purpose (idle), without an error.
    pub(super) fn close_idle(&mut self) {
        self.shared.debug(DebugContexts::BROKER, "IDLE", || format!("{}: closing idle connection", self.me.name()));
        self.link = Link::Down { retry_at: Instant::now() };
        self.exchange = None;
        self.me.set_state(LinkState::Init);
    }

    fn state_ms(&self) -> u128 {
        self.me.state_since.lock().elapsed().as_millis()
    }

    /// Fates of requests whose answers will not come.
    pub(super) fn abandon(&mut self, lost: Vec<InFlight>, code: RespErr) {
        self.produce_in_flight = 0;
        // How the link failed is for the logs; for the batches it is a broken connection, unless they are to end.
        self.abandon_code = match code {
            RespErr::ERR__DESTROY | RespErr::ERR__PURGE_INFLIGHT | RespErr::ERR__TIMED_OUT => code,
            _ => RespErr::ERR__TRANSPORT,
        };
        lost.into_iter().for_each(|request| self.lost_request(request));
        self.abandon_code = RespErr::ERR__TRANSPORT;
    }

    /// A request that will not be answered: its batches are tried again or reported.
    pub(super) fn lost_request(&mut self, request: InFlight) {
        let started = request.started();
        self.lost(request.purpose, started, self.abandon_code);
    }

    /// As `lost_request`: what the request was for, whether any of it was written, and how it was lost.
    pub(super) fn lost(&mut self, purpose: Purpose, started: bool, code: RespErr) {
        match purpose {
            Purpose::ApiVersions | Purpose::Sasl | Purpose::GivenUp => {}
            Purpose::Metadata { tag, .. } => self.metadata_failed(tag, code),
            Purpose::Query { tag } => self.query_answered(tag, Err(code)),
            Purpose::ProducerId => self.producer_id_answered(Err(code)),
            Purpose::Produce { batches, .. } => {
                for mut batch in batches.into_iter().flatten() {
                    batch.possibly_persisted |= started;
                    if code == RespErr::ERR__PURGE_INFLIGHT && !started {
                        self.retry_or_fail(batch, RespErr::ERR__PURGE_QUEUE);
                    } else if started || code != RespErr::ERR__TRANSPORT {
                        self.retry_or_fail(batch, code);
                    } else {
                        self.retry_or_fail(batch, RespErr::ERR__TIMED_OUT_QUEUE);
                    }
                }
            }
        }
    }

    pub(super) fn connection_wanted(&self) -> bool {
        !self.stopping
            // Without a token there is no getting in; the threads are woken when there is one.
            && self.shared.tokens.as_ref().is_none_or(|t| t.ready())
            && (!self.metadata_queue.is_empty()
                || !self.queries.is_empty()
                || self.producer_id_wanted
                || self.request_to_come
                || self.has_work())
    }

    pub(super) fn api_deadline(&self, api: ApiKey) -> Instant {
        let s = &self.shared.settings;
        let ms = match api {
            ApiKey::ApiVersions => s.api_version_request_timeout_ms,
            _ => s.socket_timeout_ms,
        };
        Instant::now() + Duration::from_millis(ms as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_for_their_time() {
        let mut a = Addresses::default();
        let (t0, ttl) = (Instant::now(), Duration::from_secs(1));
        let list = |n: u16| vec![SocketAddr::from(([127, 0, 0, 1], n))];
        assert_eq!(a.get("h", 1, t0, ttl, || Ok(list(1))).ok(), Some(list(1)));
        assert_eq!(a.get("h", 1, t0 + ttl / 2, ttl, || Ok(list(2))).ok(), Some(list(1)));
        assert_eq!(a.get("h", 1, t0 + ttl, ttl, || Ok(list(3))).ok(), Some(list(3)));
        // Another name, and another port.
        assert_eq!(a.get("g", 1, t0 + ttl, ttl, || Ok(list(4))).ok(), Some(list(4)));
        assert_eq!(a.get("g", 2, t0 + ttl, ttl, || Ok(list(5))).ok(), Some(list(5)));
        // A failure is not kept.
        assert!(a.get("h", 1, t0, ttl, || Err(io::ErrorKind::NotFound.into())).is_err());
        assert_eq!(a.get("h", 1, t0, ttl, || Ok(list(6))).ok(), Some(list(6)));
        assert_eq!(a.get("h", 1, t0, Duration::ZERO, || Ok(list(7))).ok(), Some(list(7)));
    }
}
