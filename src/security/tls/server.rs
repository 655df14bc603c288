//! The server's TLS configuration, for the embedded broker.

use super::pem;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;

/// A server with a certificate (its chain) and key in PEM; with `client_ca`, clients must show a certificate that one of
/// these CAs has signed.
pub fn server_config(certificate: &str, key: &str, client_ca: Option<&str>) -> Result<Arc<ServerConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    let chain = pem::certificates("certificate", certificate.as_bytes())?;
    let key = pem::private_key("key", key.as_bytes(), ("", "key"))?;
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS: {e}"))?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(pem::certificates("client CA", ca.as_bytes())?);
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|e| format!("client CA: {e}"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    builder.with_single_cert(chain, key).map(Arc::new).map_err(|e| format!("certificate and key: {e}"))
}
