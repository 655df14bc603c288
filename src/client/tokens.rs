//! Tokens of OAUTHBEARER: where they come from, and when they are renewed.
//!
//! A thread of its own gets them, since a token endpoint may take its time: broker threads take what is there, and are
//! woken when there is a first one. After four fifths of a token's lifetime the next one is asked for.

use super::events::Event;
use super::log::INFO;
use super::oidc::Oidc;
use super::shared::Shared;
use super::spawn;
use crate::conf::{DebugContexts, SaslMechanism, SecuritySettings};
use crate::error::RespErr;
use crate::security::sasl::aws::Signer;
use crate::security::sasl::oauth::{Token, Unsecured};
use parking_lot::{Condvar, Mutex};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Pause after a failure.
const RETRY: Duration = Duration::from_secs(10);

/// Where tokens come from.
enum Source {
    /// The application: it is asked by an event, and answers when it likes.
    Application,
    Unsecured(Unsecured),
    Aws(Signer),
    Oidc(Box<Oidc>),
}

#[derive(Default)]
struct State {
    token: Option<Arc<Token>>,
    /// Why there is no token, or no newer one.
    error: Option<String>,
    /// When to ask for the next one; `None`: the application has been asked.
    ask_at: Option<Instant>,
    closing: bool,
}

pub struct Tokens {
    source: Source,
    state: Mutex<State>,
    changed: Condvar,
}

/// Milliseconds since the epoch.
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

impl Tokens {
    /// `None` if the settings need no tokens. The error names the property that is wrong.
    pub fn new(s: &SecuritySettings) -> Result<Option<Tokens>, String> {
        if !s.protocol.sasl() || !s.sasl.mechanism.token() {
            return Ok(None);
        }
        let oauth = &s.sasl.oauth;
        let source = match s.sasl.mechanism {
            SaslMechanism::OAuthBearer if oauth.unsecured => {
                Source::Unsecured(Unsecured::parse(oauth.config.expose())?)
            }
            SaslMechanism::AwsMskIam => {
                Source::Aws(Signer::new(oauth.config.expose(), |name| std::env::var(name).ok())?)
            }
            _ if oauth.oidc => Source::Oidc(Box::new(Oidc::new(oauth)?)),
            _ => Source::Application,
        };
        let state = State { ask_at: Some(Instant::now()), ..State::default() };
        Ok(Some(Tokens { source, state: Mutex::new(state), changed: Condvar::new() }))
    }

    /// There is a token. It may have expired, which the broker is to judge.
    pub fn ready(&self) -> bool {
        self.state.lock().token.is_some()
    }

    /// The newest token; the error says why there is none.
    pub fn current(&self) -> Result<Arc<Token>, String> {
        let state = self.state.lock();
        state.token.clone().ok_or_else(|| match &state.error {
            Some(e) => format!("no token: {e}"),
            None => "no token yet".to_owned(),
        })
    }

    /// Ends the thread.
    pub fn close(&self) {
        self.state.lock().closing = true;
        self.changed.notify_all();
    }

    fn set(&self, token: Token) {
        let life = Duration::from_millis(token.expires_ms.saturating_sub(now_ms()).max(0) as u64);
        let mut state = self.state.lock();
        // A lifetime beyond the clock's end is never renewed.
        state.ask_at = Instant::now().checked_add(life / 5 * 4).or(Some(Instant::now() + Duration::from_secs(1 << 30)));
        state.token = Some(Arc::new(token));
        state.error = None;
        drop(state);
        self.changed.notify_all();
    }

    fn fail(&self, text: &str) {
        let mut state = self.state.lock();
        state.error = Some(text.to_owned());
        state.ask_at = Some(Instant::now() + RETRY);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for so long; false when the client closes.
    fn pause(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        let mut state = self.state.lock();
        while !state.closing && !self.changed.wait_until(&mut state, until).timed_out() {}
        !state.closing
    }

    /// Waits until a token must be asked for; false when the client closes.
    fn wait(&self) -> bool {
        let mut state = self.state.lock();
        loop {
            if state.closing {
                return false;
            }
            match state.ask_at {
                Some(at) if at <= Instant::now() => {
                    state.ask_at = None;
                    return true;
                }
                Some(at) => {
                    self.changed.wait_until(&mut state, at);
                }
                None => self.changed.wait(&mut state),
            }
        }
    }
}

/// Starts the thread that gets tokens.
pub fn spawn(shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    spawn::guarded(shared.clone(), "rk:token".to_owned(), move || {
        let Some(tokens) = &shared.tokens else { return };
        while tokens.wait() {
            match &tokens.source {
                Source::Application => {
                    shared.debug(DebugContexts::SECURITY, "OAUTH", || "asking the application for a token".to_owned());
                    if shared.hooks.want_token_refresh {
                        let config = shared.settings.security.sasl.oauth.config.clone();
                        shared.events.push(Event::TokenRefresh(config));
                    }
                }
                Source::Unsecured(u) => shared.take_token(u.token(now_ms())),
                Source::Aws(signer) => shared.take_token(signer.token(now_ms())),
                Source::Oidc(oidc) => shared.take_token(oidc.token(now_ms, |pause| tokens.pause(pause))),
            }
        }
    })
}

impl Shared {
    /// A token has been got, or not.
    fn take_token(&self, result: Result<Token, String>) {
        let Some(tokens) = &self.tokens else { return };
        match result {
            Ok(token) => {
                self.debug(DebugContexts::SECURITY, "OAUTH", || {
                    format!("a token for {}, valid until {} ms", token.principal, token.expires_ms)
                });
                tokens.set(token);
                // Those that wait for the first one.
                self.wake_brokers();
            }
            Err(text) => {
                tokens.fail(&text);
                self.log(INFO, "OAUTH", format!("no token: {text}; the next attempt is in {} s", RETRY.as_secs()));
                self.error_event(
                    RespErr::ERR__AUTHENTICATION,
                    format!("Failed to acquire SASL OAUTHBEARER token: {text}"),
                );
            }
        }
    }

    /// The application's token. Errors: `ERR__STATE` if the mechanism has no tokens, `ERR__INVALID_ARG` with a text.
    pub fn set_token(
        &self,
        value: &str,
        expires_ms: i64,
        principal: &str,
        extensions: Vec<(String, String)>,
    ) -> Result<(), (RespErr, String)> {
        if self.tokens.is_none() {
            let text = "the client's sasl.mechanisms and security.protocol ask for no tokens".to_owned();
            return Err((RespErr::ERR__STATE, text));
        }
        let token = Token::new(value, expires_ms, principal, extensions, now_ms())
            .map_err(|text| (RespErr::ERR__INVALID_ARG, text))?;
        self.take_token(Ok(token));
        Ok(())
    }

    /// The application could not get a token; it is asked again after a while. `ERR__STATE` as with `set_token`.
    pub fn set_token_failure(&self, text: &str) -> Result<(), RespErr> {
        if self.tokens.is_none() {
            return Err(RespErr::ERR__STATE);
        }
        if text.is_empty() {
            return Err(RespErr::ERR__INVALID_ARG);
        }
        self.take_token(Err(text.to_owned()));
        Ok(())
    }
}
