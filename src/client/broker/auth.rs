//! SASL on a connection: who this client is, told before the first request and again before the session ends (KIP-368).
//!
//! A re-authentication takes its place among the requests in flight: what was sent before it is answered before it, and
//! nothing is sent until it is done, so no message is lost, sent twice or overtaken.

use super::conn::Purpose;
use super::link::Link;
use super::respond::After;
use super::thread::BrokerThread;
use super::LinkState;
use crate::conf::{DebugContexts, SaslMechanism, SaslSettings};
use crate::error::RespErr;
use crate::protocol::api::ApiKey;
use crate::protocol::messages::sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use crate::protocol::messages::sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};
use crate::protocol::{negotiate, Reader, Writer};
use crate::security::sasl::oauth::printable;
use crate::security::sasl::{Exchange, Step};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// More than what a request has before and after its bytes, the client's id apart.
const HEADER_ROOM: usize = 64;

impl BrokerThread {
    /// The versions are known: the link is ready, or the client tells first who it is.
    pub(super) fn versions_known(&mut self) {
        if self.shared.settings.security.protocol.sasl() {
            self.me.set_state(LinkState::AuthHandshake);
            self.authenticate();
        } else {
            self.link_ready();
        }
    }

    /// Begins an authentication, the first of the connection or another.
    pub(super) fn authenticate(&mut self) {
        let shared = self.shared.clone();
        let sasl = &shared.settings.security.sasl;
        let Link::Up(conn) = &mut self.link else { return };
        conn.session_ends = None;
        let offered = |key| conn.version_range(key).and_then(|(min, max)| negotiate(key, min, max));
        let Some(version) =
            offered(ApiKey::SaslHandshake).filter(|v| *v >= 1 && offered(ApiKey::SaslAuthenticate).is_some())
        else {
            let text =
                "the broker offers no SASL that this client speaks: set security.protocol to plaintext or ssl, or \
                        use Kafka 1.0 or newer";
            return self.go_down(RespErr::ERR__AUTHENTICATION, text.to_owned());
        };
        let exchange = match (&shared.tokens, &shared.hooks.sasl) {
            (_, Some(begin)) if sasl.mechanism == SaslMechanism::Custom => {
                Exchange::with_custom(begin(&self.me.node_name(), self.me.id.max(-1)))
            }
            (Some(tokens), _) => tokens.current().map(|t| Exchange::with_token(&t)),
            _ => match shared.credentials.lock().clone() {
                Some((username, password)) => {
                    let own = SaslSettings { username, password, ..sasl.clone() };
                    Exchange::with_password(&own, self.auth_attempts)
                }
                None => Exchange::with_password(sasl, self.auth_attempts),
            },
        };
        match exchange {
            Ok(exchange) => self.exchange = Some(exchange),
            Err(text) => {
                return self.go_down(RespErr::ERR__AUTHENTICATION, format!("SASL authentication error: {text}"))
            }
        }
        self.shared.debug(DebugContexts::SECURITY, "SASL", || {
            let name = Some(sasl.mechanism.name()).filter(|n| !n.is_empty()).unwrap_or(&sasl.custom);
            format!("{}: authenticating by {name}", self.me.name())
        });
        let body = SaslHandshakeRequest { mechanism: sasl.wire_name().to_owned() };
        self.send_simple(ApiKey::SaslHandshake, version, Purpose::Sasl, |w| body.encode(w, version));
    }

    /// Whether an authentication is under way: nothing else may be sent then.
    pub(super) fn authenticating(&self) -> bool {
        self.exchange.is_some()
    }

    pub(super) fn sasl_send(&mut self, bytes: &[u8]) {
        let Link::Up(conn) = &self.link else { return };
        let range = conn.version_range(ApiKey::SaslAuthenticate);
        let Some(version) = range.and_then(|(min, max)| negotiate(ApiKey::SaslAuthenticate, min, max)) else { return };
        let body = SaslAuthenticateRequest { auth_bytes: bytes };
        // A buffer that grew would leave the secret behind where it was.
        let room = bytes.len() + self.shared.settings.client_id.len() + HEADER_ROOM;
        let w = Writer::with_capacity(room);
        self.send_in(w, ApiKey::SaslAuthenticate, version, Purpose::Sasl, |w| body.encode(w, version));
    }

    /// An answer to SaslHandshake or SaslAuthenticate.
    pub(super) fn sasl_answered(&mut self, api: ApiKey, version: i16, r: &mut Reader<'_>) -> Result<After, String> {
        let bad = |e: crate::protocol::DecodeError| format!("a malformed {} v{version} response: {e}", api.api().name);
        let Some(exchange) = &mut self.exchange else { return Err("a SASL response to no authentication".to_owned()) };
        if api == ApiKey::SaslHandshake {
            let body = SaslHandshakeResponse::decode(r, version).map_err(bad)?;
            let mechanism = self.shared.settings.security.sasl.wire_name();
            return Ok(match RespErr::from_wire(body.error_code) {
                RespErr::NO_ERROR => {
                    let first = exchange.first();
                    if self.me.state() == LinkState::AuthHandshake {
                        self.me.set_state(LinkState::AuthReq);
                    }
                    After::Sasl(SaslNext::Send(first))
                }
                RespErr::ERR_UNSUPPORTED_SASL_MECHANISM => {
                    let offered: Vec<String> =
                        body.mechanisms.iter().take(20).map(|m| printable(m.as_bytes())).collect();
                    refusal(format!(
                        "the broker does not have the mechanism {mechanism}: set sasl.mechanisms to one that it has: {}",
                        offered.join(", ")
                    ))
                }
                RespErr::ERR_ILLEGAL_SASL_STATE if self.is_up() => refusal(
                    "the broker does not let this connection authenticate again: Kafka does so once a second at most, so \
                     its connections.max.reauth.ms must be 1200 or more"
                        .to_owned(),
                ),
                RespErr::ERR_ILLEGAL_SASL_STATE => {
                    refusal("the broker's port does not use SASL: set security.protocol to plaintext or ssl".to_owned())
                }
                e => refusal(e.description().to_string()),
            });
        }
        let body = SaslAuthenticateResponse::decode(r, version).map_err(bad)?;
        let error = RespErr::from_wire(body.error_code);
        if error != RespErr::NO_ERROR {
            let said = body.error_message.as_deref().map(|m| printable(m.as_bytes()));
            let mut text = said.filter(|m| !m.is_empty()).unwrap_or_else(|| error.description().to_string());
            if let Some(why) = exchange.refused() {
                text = format!("{text} (of the token: {why})");
            }
            let advice = match self.shared.settings.security.sasl.mechanism {
                SaslMechanism::Custom => "check what the SASL callback says",
                m if m.token() => "check the token's audience, scope and lifetime, and the clocks",
                _ => "check sasl.username, sasl.password and sasl.mechanisms",
            };
            return Ok(refusal(format!("{text}: {advice}")));
        }
        Ok(match exchange.answer(body.auth_bytes) {
            Ok(Step::Send(bytes)) => After::Sasl(SaslNext::Send(bytes)),
            Ok(Step::Done) => After::Sasl(SaslNext::Authenticated(body.session_lifetime_ms)),
            Err(text) => refusal(text),
        })
    }

    /// The broker knows who this is, for so many milliseconds, or for good (0).
    pub(super) fn authenticated(&mut self, lifetime_ms: i64) {
        self.exchange = None;
        self.auth_attempts = 0;
        if let (Link::Up(conn), true) = (&mut self.link, lifetime_ms > 0) {
            // Early enough for a slow answer, and not with every client at once.
            let part = fastrand::u64(85..=95);
            let wait = Duration::from_millis((lifetime_ms as u64).saturating_mul(part) / 100);
            conn.session_ends = Instant::now().checked_add(wait);
        }
        self.shared.debug(DebugContexts::SECURITY, "SASL", || {
            format!("{}: authenticated, session lifetime {lifetime_ms} ms", self.me.name())
        });
        if !self.is_up() {
            self.link_ready();
        }
    }

    /// The broker does not take this client for what it says, or the client the broker.
    pub(super) fn refused(&mut self, text: String) {
        self.auth_attempts = self.auth_attempts.wrapping_add(1);
        self.go_down(RespErr::ERR__AUTHENTICATION, format!("SASL authentication error: {text}"));
    }

    /// Begins a re-authentication if it is due.
    pub(super) fn reauthenticate_if_due(&mut self, now: Instant) {
        let due = matches!(&self.link, Link::Up(conn) if conn.session_ends.is_some_and(|t| now >= t));
        if due && self.is_up() && !self.authenticating() {
            self.authenticate();
        }
    }

    /// Serves what an answer of SASL asks for; false if the link went down.
    pub(super) fn sasl_next(&mut self, next: SaslNext) -> bool {
        match next {
            SaslNext::Send(bytes) => self.sasl_send(&bytes),
            SaslNext::Authenticated(lifetime_ms) => self.authenticated(lifetime_ms),
            SaslNext::Refused(text) => {
                self.refused(text);
                return false;
            }
        }
        true
    }
}

fn refusal(text: String) -> After {
    After::Sasl(SaslNext::Refused(text))
}

/// What follows an answer to a request of SASL.
pub enum SaslNext {
    Send(Zeroizing<Vec<u8>>),
    Authenticated(i64),
    Refused(String),
}
