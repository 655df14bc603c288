//! Tokens from a token endpoint: OAuth client credentials (RFC 6749, section 4.4) over HTTPS.
//!
//! Runs on the token thread alone, since it blocks.

use crate::conf::{OAuthSettings, Secret};
use crate::security::sasl::oauth::{claims, parse_extensions, printable, Token};
use crate::security::tls::ca_certificates;
use base64::Engine;
use rustls::crypto::ring;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use zeroize::Zeroizing;

/// Attempts of one round, and the pause after the first; it doubles.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Time for one attempt, from the look-up of the name to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const MAX_ANSWER: u64 = 1 << 20;

/// A client of the token endpoint.
pub struct Oidc {
    agent: ureq::Agent,
    settings: OAuthSettings,
    extensions: Vec<(String, String)>,
}

/// Why an attempt gave no token.
enum Failure {
    /// Another attempt may succeed.
    Passing(String),
    Lasting(String),
}

impl Oidc {
    /// Reads the CA certificates. The error names the property that is wrong.
    pub fn new(settings: &OAuthSettings) -> Result<Oidc, String> {
        let extensions = parse_extensions(&settings.extensions)?;
        let https = settings.token_endpoint.starts_with("https://");
        let roots = if https {
            ca_certificates(&settings.https_ca_location, &settings.https_ca_pem, "https.ca")?
        } else {
            Vec::new()
        };
        let roots: Vec<Certificate<'static>> = roots.iter().map(|c| Certificate::from_der(c).to_owned()).collect();
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::new_with_certs(&roots))
            .build();
        // A redirect would carry the client's secret to who knows where.
        let config = ureq::Agent::config_builder()
            .https_only(https)
            .tls_config(tls)
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("rkafka/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Oidc { agent: config.into(), settings: settings.clone(), extensions })
    }

    /// Gets a token, trying a few times. `pause` waits, and says whether to go on.
    pub fn token(&self, now_ms: impl Fn() -> i64, pause: impl Fn(Duration) -> bool) -> Result<Token, String> {
        let mut wait = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            match self.attempt(&now_ms) {
                Ok(token) => return Ok(token),
                Err(Failure::Passing(text)) if attempt == ATTEMPTS || !pause(wait) => return Err(text),
                Err(Failure::Passing(_)) => (attempt, wait) = (attempt + 1, wait * 2),
                Err(Failure::Lasting(text)) => return Err(text),
            }
        }
    }

    fn attempt(&self, now_ms: &impl Fn() -> i64) -> Result<Token, Failure> {
        let s = &self.settings;
        let pair = Zeroizing::new(format!("{}:{}", s.client_id, s.client_secret.expose()));
        let pair = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(pair.as_bytes()));
        let header = Zeroizing::new(format!("Basic {}", *pair));
        let mut form = vec![("grant_type", "client_credentials")];
        if !s.scope.is_empty() {
            form.push(("scope", s.scope.as_str()));
        }
        let endpoint = printable(s.token_endpoint.split('?').next().unwrap_or_default().as_bytes());
        let request = self.agent.post(&s.token_endpoint).header("Authorization", header.as_str());
        let mut response = request
            .header("Accept", "application/json")
            .send_form(form)
            .map_err(|e| Failure::Passing(format!("token endpoint {endpoint}: {e}")))?;
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_vec()
            .map(Zeroizing::new)
            .map_err(|e| Failure::Passing(format!("token endpoint {endpoint}: {e}")))?;
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        if status != 200 {
            let said =
                |name: &str| answer.as_ref().and_then(|a| a.get(name)?.as_str().map(|t| printable(t.as_bytes())));
            let why: Vec<String> = ["error", "error_description"].into_iter().filter_map(said).collect();
            let text = format!(
                "token endpoint {endpoint} answered with HTTP status {status}{}{} (check sasl.oauthbearer.client.id, \
                 .client.secret and .scope)",
                if why.is_empty() { "" } else { ": " },
                why.join(": ")
            );
            return Err(if status >= 500 || status == 429 { Failure::Passing(text) } else { Failure::Lasting(text) });
        }
        let wrong = |what: &str| Failure::Lasting(format!("token endpoint {endpoint}: {what}"));
        let answer = answer.ok_or_else(|| wrong("the answer is not JSON"))?;
        let value = answer.get("access_token").and_then(Value::as_str);
        let value = Secret::new(value.ok_or_else(|| wrong("the answer has no access_token"))?);
        self.read(value.expose(), &answer, now_ms()).map_err(|text| wrong(&text))
    }

    /// What a token says of itself, or the endpoint says of it.
    fn read(&self, value: &str, answer: &Value, now_ms: i64) -> Result<Token, String> {
        let claims = claims(value).unwrap_or_default();
        let expires_ms = match claims.get("exp").and_then(Value::as_f64) {
            Some(seconds) => (seconds * 1000.0) as i64,
            None => {
                let seconds = answer.get("expires_in").and_then(Value::as_f64);
                now_ms.saturating_add(
                    (seconds.ok_or("neither the token nor the answer says when it expires")? * 1000.0) as i64,
                )
            }
        };
        let principal =
            claims.get(&self.settings.sub_claim).and_then(Value::as_str).unwrap_or(&self.settings.client_id);
        Token::new(value, expires_ms, principal, self.extensions.clone(), now_ms)
    }
}
