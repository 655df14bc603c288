//! The client's TLS configuration: made of settings and files, kept while the files do not change.

use super::pem;
use super::verify::{Anybody, Chain, Judge, Judged};
use crate::conf::TlsSettings;
use parking_lot::Mutex;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{ring, CryptoProvider, SupportedKxGroup};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedCipherSuite};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// Sessions remembered for resumption, over all brokers.
const SESSIONS: usize = 256;
/// Ciphertext that rustls holds for a socket that takes no more; beyond it, plaintext waits where it lies.
const BUFFER_LIMIT: usize = 256 << 10;

/// Makes connections by the settings. Files are read again when they have changed, so a rotated certificate needs no
/// restart. Thread-safe.
pub struct TlsContext {
    settings: TlsSettings,
    current: Mutex<(Vec<Stamp>, Built)>,
}

/// What settings and files make.
#[derive(Clone)]
struct Built {
    config: Arc<ClientConfig>,
    verifier: Arc<dyn ServerCertVerifier>,
}

/// What tells that a file has changed.
#[derive(PartialEq, Eq)]
struct Stamp(Option<(SystemTime, u64)>);

fn stamps(s: &TlsSettings) -> Vec<Stamp> {
    let stamp = |path: &String| {
        let meta = std::fs::metadata(Path::new(path)).ok();
        Stamp(meta.and_then(|m| Some((m.modified().ok()?, m.len()))))
    };
    [&s.ca_location, &s.crl_location, &s.certificate_location, &s.key_location]
        .into_iter()
        .filter(|path| !path.is_empty())
        .map(stamp)
        .collect()
}

impl TlsContext {
    /// Reads the files. The error names property, file and fault.
    pub fn new(settings: TlsSettings) -> Result<TlsContext, String> {
        let stamps = stamps(&settings);
        let built = build(&settings)?;
        Ok(TlsContext { settings, current: Mutex::new((stamps, built)) })
    }

    /// A connection to a broker of that host name or address, its handshake not begun. `judge` has the last word on its
    /// certificate, unless certificates are not checked at all; sessions are not resumed then, so it is always asked.
    pub fn connect(&self, host: &str, judge: Option<Judge>) -> Result<ClientConnection, String> {
        let Built { mut config, verifier } = self.built()?;
        if let Some(judge) = judge.filter(|_| self.settings.verify) {
            let own = Arc::make_mut(&mut config);
            own.resumption = Resumption::disabled();
            own.dangerous().set_certificate_verifier(Arc::new(Judged { inner: verifier, judge }));
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = match ServerName::try_from(bare.to_owned()) {
            Ok(name) => name,
            Err(_) if self.settings.verify && self.settings.verify_hostname => {
                return Err(format!(
                    "{host} is not a host name that a certificate can be for: use another, or set \
                     ssl.endpoint.identification.algorithm=none"
                ));
            }
            // The name does not matter then; this one is not told to the broker either.
            Err(_) => ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into()),
        };
        let mut conn = ClientConnection::new(config, name).map_err(|e| super::explain(&e, host))?;
        conn.set_buffer_limit(Some(BUFFER_LIMIT));
        Ok(conn)
    }

    fn built(&self) -> Result<Built, String> {
        let now = stamps(&self.settings);
        let mut current = self.current.lock();
        if now != current.0 {
            // On failure the next attempt reads again: a file may have been caught half written.
            *current = (now, build(&self.settings)?);
        }
        Ok(current.1.clone())
    }
}

fn build(s: &TlsSettings) -> Result<Built, String> {
    let provider = Arc::new(provider(&s.cipher_suites, &s.curves)?);
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("`ssl.cipher.suites`, `ssl.curves.list`: {e}"))?
        .dangerous();
    let verifier: Arc<dyn ServerCertVerifier> = if s.verify {
        let (roots, pinned) = roots(&s.ca_location, &s.ca_pem, "ssl.ca")?;
        let mut verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        if !s.crl_location.is_empty() {
            let bytes = pem::read("ssl.crl.location", &s.crl_location)?;
            verifier = verifier.with_crls(pem::revocation_lists("ssl.crl.location", &bytes)?);
        }
        let inner = verifier.build().map_err(|e| format!("CA certificates or `ssl.crl.location`: {e}"))?;
        Arc::new(Chain { inner, verify_name: s.verify_hostname, pinned })
    } else {
        Arc::new(Anybody(provider))
    };
    let builder = builder.with_custom_certificate_verifier(verifier.clone());
    let mut config = match own_certificate(s)? {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|e| match e {
            rustls::Error::InconsistentKeys(_) => {
                "`ssl.key.location` (or .pem) is not the key of `ssl.certificate.location` (or .pem)".to_owned()
            }
            e => format!("client certificate and key: {e}"),
        })?,
    };
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(Built { config: Arc::new(config), verifier })
}

type Identity = (Vec<CertificateDer<'static>>, rustls::pki_types::PrivateKeyDer<'static>);

fn own_certificate(s: &TlsSettings) -> Result<Option<Identity>, String> {
    let chain = if !s.certificate_pem.is_empty() {
        pem::certificates("ssl.certificate.pem", s.certificate_pem.as_bytes())?
    } else if !s.certificate_location.is_empty() {
        pem::certificates_at("ssl.certificate.location", &s.certificate_location)?
    } else {
        return Ok(None);
    };
    let password = (s.key_password.expose(), "ssl.key.password");
    let key = if s.key_pem.is_empty() {
        let bytes = pem::read("ssl.key.location", &s.key_location)?;
        pem::private_key(&format!("ssl.key.location={}", s.key_location), &bytes, password)?
    } else {
        pem::private_key("ssl.key.pem", s.key_pem.expose().as_bytes(), password)?
    };
    Ok(Some((chain, key)))
}

/// CA certificates: those given, else the system's. The second list is of those given.
fn roots(
    location: &str,
    pem_text: &str,
    property: &str,
) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), String> {
    let mut store = RootCertStore::empty();
    let given = given(location, pem_text, property)?;
    let all = if given.is_empty() { system(property)? } else { given.clone() };
    if store.add_parsable_certificates(all).0 == 0 {
        return Err(format!("`{property}.location` or `{property}.pem` holds no certificate that can be read"));
    }
    Ok((store, given))
}

/// CA certificates: those that `PROPERTY.location` (file or folder) and `PROPERTY.pem` give, else the system's.
pub fn ca_certificates(location: &str, pem_text: &str, property: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let given = given(location, pem_text, property)?;
    if given.is_empty() {
        system(property)
    } else {
        Ok(given)
    }
}

fn given(location: &str, pem_text: &str, property: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut given = Vec::new();
    if !pem_text.is_empty() {
        given.extend(pem::certificates(&format!("{property}.pem"), pem_text.as_bytes())?);
    }
    if !location.is_empty() && location != "probe" {
        given.extend(pem::certificates_at(&format!("{property}.location"), location)?);
    }
    Ok(given)
}

fn system(property: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return Err(format!(
            "no CA certificates found on this system: install them (package ca-certificates), or set `{property}.location`"
        ));
    }
    Ok(found)
}

/// ring with the cipher suites and groups named, or with all.
fn provider(suites: &str, curves: &str) -> Result<CryptoProvider, String> {
    let mut provider = ring::default_provider();
    let words = |list: &str| -> Vec<String> {
        list.split([':', ',', ' ']).filter(|w| !w.is_empty()).map(str::to_ascii_uppercase).collect()
    };
    if !suites.trim().is_empty() {
        let mut chosen: Vec<SupportedCipherSuite> = Vec::new();
        for word in words(suites) {
            let named = provider.cipher_suites.iter().filter(|s| names_suite(&word, s)).copied();
            chosen.extend(named.filter(|s| !chosen.contains(s)).collect::<Vec<_>>());
        }
        if chosen.is_empty() {
            let known: Vec<String> = provider.cipher_suites.iter().map(suite_name).collect();
            return Err(format!("`ssl.cipher.suites`: none of `{suites}` is there; there are {}", known.join(":")));
        }
        provider.cipher_suites = chosen;
    }
    if !curves.trim().is_empty() {
        let mut chosen: Vec<&'static dyn SupportedKxGroup> = Vec::new();
        for word in words(curves) {
            let group = match word.as_str() {
                "X25519" => ring::kx_group::X25519,
                "P-256" | "PRIME256V1" | "SECP256R1" => ring::kx_group::SECP256R1,
                "P-384" | "SECP384R1" => ring::kx_group::SECP384R1,
                _ => continue,
            };
            if !chosen.iter().any(|g| g.name() == group.name()) {
                chosen.push(group);
            }
        }
        if chosen.is_empty() {
            return Err(format!("`ssl.curves.list`: none of `{curves}` is there; there are X25519:P-256:P-384"));
        }
        provider.kx_groups = chosen;
    }
    Ok(provider)
}

/// IANA's name.
fn suite_name(s: &SupportedCipherSuite) -> String {
    format!("{:?}", s.suite()).replace("TLS13_", "TLS_")
}

/// Whether `word`, in capitals, names the suite, in IANA's or in OpenSSL's spelling (ECDHE-RSA-AES128-GCM-SHA256).
fn names_suite(word: &str, s: &SupportedCipherSuite) -> bool {
    let iana = suite_name(s);
    let openssl = iana
        .trim_start_matches("TLS_")
        .replace("WITH_", "")
        .replace("AES_", "AES")
        .replace("POLY1305_SHA256", "POLY1305")
        .replace('_', "-");
    word == iana || word == openssl
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_and_curves_by_either_name() {
        let p = provider("ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_256_GCM_SHA384,nonsense", "prime256v1:X25519").unwrap();
        let names: Vec<String> = p.cipher_suites.iter().map(suite_name).collect();
        assert_eq!(names, ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"]);
        assert_eq!(p.kx_groups.len(), 2);
        let p = provider("ECDHE-ECDSA-CHACHA20-POLY1305", "").unwrap();
        assert_eq!(suite_name(&p.cipher_suites[0]), "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
        assert!(provider("RC4-MD5", "").unwrap_err().contains("TLS_AES_128_GCM_SHA256"));
        assert!(provider("", "P-521").unwrap_err().contains("X25519"));
    }
}
