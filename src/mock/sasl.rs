//! SaslHandshake (17), v0–v1, and SaslAuthenticate (36), v0–v2: who a connection is.
//!
//! * Until it is authenticated, a connection is served ApiVersions and these two alone; anything else closes it.
//! * An unknown mechanism is answered with those there are. Wrong credentials are answered, then the connection is closed.
//! * With a session lifetime, a connection that has not authenticated again by its end is closed at its next request
//!   (KIP-368). Between the new handshake and its end, nothing else is served.

use super::handlers::now_ms;
use super::security::Security;
use crate::protocol::messages::sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use crate::protocol::messages::sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};
use crate::protocol::{ApiKey, DecodeError, Reader, Writer};
use crate::security::sasl::oauth;
use crate::security::sasl::scram::{self, Hash};
use serde_json::Value;
use std::time::{Duration, Instant};

const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
const ILLEGAL_SASL_STATE: i16 = 34;
const SASL_AUTHENTICATION_FAILED: i16 = 58;

/// How a connection stands with SASL.
#[derive(Default)]
pub struct Session {
    mechanism: Option<&'static str>,
    scram: Option<scram::Server>,
    /// Why the token was refused; the client is to acknowledge that.
    refused: Option<String>,
    authenticated: bool,
    expires: Option<Instant>,
}

/// What a connection does next.
pub enum Next {
    Answered,
    /// The answer goes out, then the connection is closed.
    AnsweredLast,
}

enum Verdict {
    More(Vec<u8>),
    Accepted(Vec<u8>),
    Refused(String),
}

impl Session {
    /// Why the request may not be served now, if so.
    pub fn refuses(&self, security: &Security, api_key: i16) -> Option<String> {
        let sasl = [ApiKey::SaslHandshake as i16, ApiKey::SaslAuthenticate as i16].contains(&api_key);
        if security.mechanisms.is_empty() || sasl {
            return None;
        }
        if self.authenticated && self.mechanism.is_some() {
            return Some(format!("API key {api_key} within a re-authentication"));
        }
        if !self.authenticated && api_key != ApiKey::ApiVersions as i16 {
            return Some(format!("API key {api_key} before authentication"));
        }
        let over = self.expires.is_some_and(|at| Instant::now() >= at);
        over.then(|| "the session's lifetime is over".to_owned())
    }

    /// Serves one of the two requests: the answer's body goes to `w`.
    pub fn serve(
        &mut self,
        security: &Security,
        api: ApiKey,
        version: i16,
        r: &mut Reader<'_>,
        w: &mut Writer,
    ) -> Result<Next, DecodeError> {
        if api == ApiKey::SaslHandshake {
            let request = SaslHandshakeRequest::decode(r, version)?;
            let known = security.mechanisms.iter().find(|m| **m == request.mechanism);
            self.mechanism = known.copied();
            (self.scram, self.refused) = (None, None);
            SaslHandshakeResponse {
                error_code: if known.is_some() { 0 } else { UNSUPPORTED_SASL_MECHANISM },
                mechanisms: security.mechanisms.iter().map(|m| (*m).to_owned()).collect(),
            }
            .encode(w, version);
            return Ok(if known.is_some() { Next::Answered } else { Next::AnsweredLast });
        }
        let request = SaslAuthenticateRequest::decode(r, version)?;
        let Some(mechanism) = self.mechanism else {
            SaslAuthenticateResponse { error_code: ILLEGAL_SASL_STATE, ..Default::default() }.encode(w, version);
            return Ok(Next::AnsweredLast);
        };
        let lifetime_ms = security.session_lifetime_ms;
        match self.judge(security, mechanism, request.auth_bytes) {
            Verdict::More(bytes) => {
                SaslAuthenticateResponse { auth_bytes: &bytes, ..Default::default() }.encode(w, version);
                Ok(Next::Answered)
            }
            Verdict::Accepted(bytes) => {
                self.authenticated = true;
                self.mechanism = None;
                self.expires = (lifetime_ms > 0).then(|| Instant::now() + Duration::from_millis(lifetime_ms as u64));
                let session_lifetime_ms = lifetime_ms;
                SaslAuthenticateResponse { auth_bytes: &bytes, session_lifetime_ms, ..Default::default() }
                    .encode(w, version);
                Ok(Next::Answered)
            }
            Verdict::Refused(why) => {
                SaslAuthenticateResponse {
                    error_code: SASL_AUTHENTICATION_FAILED,
                    error_message: Some(why),
                    ..Default::default()
                }
                .encode(w, version);
                Ok(Next::AnsweredLast)
            }
        }
    }

    fn judge(&mut self, security: &Security, mechanism: &str, bytes: &[u8]) -> Verdict {
        let failed = |mechanism: &str, why: &str| {
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            Verdict::Refused(format!(
                "Authentication failed during authentication with SASL mechanism {mechanism}{why}"
            ))
        };
        match mechanism {
            "PLAIN" => {
                let parts: Vec<&[u8]> = bytes.split(|b| *b == 0).collect();
                let [_, user, password] = parts[..] else { return failed(mechanism, "not three parts") };
                let known = std::str::from_utf8(user).ok().and_then(|u| security.users.get(u));
                if known.is_some_and(|p| p.as_bytes() == password) {
                    Verdict::Accepted(Vec::new())
                } else {
                    Verdict::Refused("Authentication failed: Invalid username or password".to_owned())
                }
            }
            "OAUTHBEARER" => {
                if let Some(why) = self.refused.take() {
                    return failed(mechanism, &why);
                }
                match judge_token(security, bytes) {
                    Ok(()) => Verdict::Accepted(Vec::new()),
                    Err(why) => {
                        self.refused = Some(why);
                        Verdict::More(b"{\"status\":\"invalid_token\"}".to_vec())
                    }
                }
            }
            _ => {
                let hash = if mechanism.ends_with("512") { Hash::Sha512 } else { Hash::Sha256 };
                let server = self.scram.get_or_insert_with(|| scram::Server::new(hash));
                match server.take(bytes, |user| security.users.get(user).cloned()) {
                    scram::Reply::Challenge(bytes) => Verdict::More(bytes),
                    scram::Reply::Accepted(bytes) => Verdict::Accepted(bytes),
                    scram::Reply::Refused(why) => failed(mechanism, &why),
                }
            }
        }
    }
}

/// Looks at a bearer token: its subject must be a user, if there are any, and it must not have expired.
fn judge_token(security: &Security, bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8")?;
    let token = text
        .split('\x01')
        .find_map(|field| field.strip_prefix("auth=Bearer "))
        .ok_or("there is no `auth=Bearer` in the message")?;
    let claims = oauth::claims(token).ok_or("the token is not a JWS")?;
    let expires = claims.get("exp").and_then(Value::as_f64).ok_or("the token has no `exp`")?;
    if expires * 1000.0 <= now_ms() as f64 {
        return Err("the token has expired".to_owned());
    }
    let subject = claims.get("sub").and_then(Value::as_str).ok_or("the token has no `sub`")?;
    if security.users.is_empty() || security.users.contains_key(subject) {
        Ok(())
    } else {
        Err(format!("{subject} is nobody known"))
    }
}
