//! What a broker asks of its clients before it serves them.

use crate::security::tls;
use rustls::ServerConfig;
use std::collections::HashMap;
use std::sync::Arc;

/// TLS and SASL of an embedded cluster's listeners. By default neither.
#[derive(Clone, Default)]
pub struct Security {
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) mechanisms: Vec<&'static str>,
    pub(crate) users: HashMap<String, String>,
    pub(crate) session_lifetime_ms: i64,
}

/// The mechanisms that the embedded broker has.
const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];

impl Security {
    /// Speak TLS, with a certificate (and those that lead to its CA) and its key, in PEM. With `client_ca`, clients must
    /// show a certificate that one of these CAs has signed.
    pub fn with_tls(mut self, certificate: &str, key: &str, client_ca: Option<&str>) -> Result<Security, String> {
        self.tls = Some(tls::server_config(certificate, key, client_ca)?);
        Ok(self)
    }

    /// Ask for SASL by one of these mechanisms: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER (tokens without a
    /// signature, as for tests).
    pub fn with_sasl(mut self, mechanisms: &[&str]) -> Result<Security, String> {
        for name in mechanisms {
            let known = MECHANISMS.iter().find(|m| m.eq_ignore_ascii_case(name));
            self.mechanisms
                .push(known.ok_or_else(|| format!("mechanism {name}: there are {}", MECHANISMS.join(", ")))?);
        }
        Ok(self)
    }

    /// Ask for no SASL.
    pub fn without_sasl(mut self) -> Security {
        self.mechanisms.clear();
        self
    }

    /// A user of PLAIN and SCRAM, and the principal of tokens if there is any user at all.
    pub fn with_user(mut self, name: &str, password: &str) -> Security {
        self.users.insert(name.to_owned(), password.to_owned());
        self
    }

    /// `connections.max.reauth.ms`: connections that do not authenticate again in time are closed (KIP-368); 0: never.
    pub fn with_session_lifetime(mut self, ms: i64) -> Security {
        self.session_lifetime_ms = ms.max(0);
        self
    }
}
