//! Tokens from a token endpoint over HTTPS: OAuth client credentials (RFC 6749, section 4.4), or the JWT-bearer grant (RFC 7523).
//!
//! Runs on the token thread alone, since it blocks.

use crate::conf::{OAuthSettings, Secret};
use crate::security::sasl::assertion;
use crate::security::sasl::oauth::{parse_extensions, printable, Token};
use crate::security::sasl::oidc::{self, Refusal, Wanted};
use crate::security::tls::ca_certificates;
use base64::Engine;
use rustls::crypto::ring;
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use zeroize::Zeroizing;

/// Attempts of one round, and the pause after the first; it doubles.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Time for one attempt, from the look-up of the name to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Longest answer that is read.
const MAX_ANSWER: u64 = 1 << 20;

/// A client of the token endpoint.
pub struct Oidc {
    agent: ureq::Agent,
    settings: OAuthSettings,
    extensions: Vec<(String, String)>,
}

impl Oidc {
    /// Reads the CA certificates. The error names the property that is wrong.
    pub fn new(settings: &OAuthSettings) -> Result<Oidc, String> {
        let extensions = parse_extensions(&settings.extensions)?;
        // What cannot be signed with is better known at once; a ready assertion may come later.
        if let Some(s) = settings.assertion.as_ref().filter(|s| s.file.is_empty()) {
            assertion::assertion(s, 0)?;
        }
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
                Err(refusal) if !refusal.passing || attempt == ATTEMPTS || !pause(wait) => return Err(refusal.text),
                Err(_) => (attempt, wait) = (attempt + 1, wait * 2),
            }
        }
    }

    fn attempt(&self, now_ms: &impl Fn() -> i64) -> Result<Token, Refusal> {
        let s = &self.settings;
        let endpoint = printable(s.token_endpoint.split('?').next().unwrap_or_default().as_bytes());
        let of_endpoint = |text: &dyn std::fmt::Display| format!("token endpoint {endpoint}: {text}");
        let passing = |e: ureq::Error| Refusal { passing: true, text: of_endpoint(&e) };
        let mut request = self.agent.post(&s.token_endpoint).header("Accept", "application/json");
        let mut form = Vec::new();
        let assertion;
        if let Some(settings) = &s.assertion {
            // A file may be about to be replaced.
            assertion = assertion::assertion(settings, now_ms()).map_err(|text| Refusal { passing: true, text })?;
            form.extend([("grant_type", JWT_BEARER), ("assertion", assertion.expose())]);
        } else {
            let pair = Secret::concat(&[&s.client_id, ":", s.client_secret.expose()]);
            let pair = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(pair.expose()));
            let header = Secret::concat(&["Basic ", &pair]);
            request = request.header("Authorization", header.expose());
            form.push(("grant_type", "client_credentials"));
        }
        if !s.scope.is_empty() {
            form.push(("scope", s.scope.as_str()));
        }
        let mut response = request.send_form(form).map_err(passing)?;
        let status = response.status().as_u16();
        let body =
            response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().map(Zeroizing::new).map_err(passing)?;
        let jwt_bearer = s.assertion.as_ref();
        let wanted = Wanted {
            sub_claim: &s.sub_claim,
            principal: jwt_bearer.map(|a| a.subject.as_str()).filter(|p| !p.is_empty()).unwrap_or(&s.client_id),
            extensions: &self.extensions,
            id_token: jwt_bearer.is_some(),
            advice: match jwt_bearer {
                Some(_) => "sasl.oauthbearer.assertion.* and .scope, and the clocks",
                None => "sasl.oauthbearer.client.id, .client.secret and .scope",
            },
        };
        oidc::token(status, &body, &wanted, now_ms())
            .map_err(|refusal| Refusal { text: of_endpoint(&refusal.text), ..refusal })
    }
}
