//! TLS from a peer that says anything: what the fuzz target `tls` runs, and `tests/fuzz_corpus.rs` replays.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rkafka::client::fuzz_entry::tls as connect;
use rkafka::conf::TlsSettings;
use rkafka::security::tls::{server_config, TlsContext};
use rustls::pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};
use std::io::{Read, Write};
use std::sync::{Arc, OnceLock};

/// A CA, a server with a certificate of it, and clients that check that or do not.
struct Stage {
    strict: TlsContext,
    lax: TlsContext,
    server: Arc<ServerConfig>,
    key: PrivateKeyDer<'static>,
}

fn context(ca_pem: &str, verify: bool) -> Result<TlsContext, String> {
    TlsContext::new(TlsSettings {
        ca_pem: ca_pem.to_owned(),
        verify,
        verify_hostname: verify,
        ..TlsSettings::default()
    })
}

fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| {
        let mut ca = CertificateParams::new(Vec::new()).expect("parameters");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().expect("a key");
        let ca_pem = ca.self_signed(&ca_key).expect("a CA").pem();
        let key = KeyPair::generate().expect("a key");
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        let leaf = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).expect("a certificate");
        Stage {
            strict: context(&ca_pem, true).expect("a context"),
            lax: context(&ca_pem, false).expect("a context"),
            server: server_config(&leaf.pem(), &key.serialize_pem(), None).expect("a server"),
            key: PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("a key"),
        }
    })
}

/// The first byte chooses what the peer is.
///
/// * 0: one that says the rest of the input, in pieces that each have their length (one byte) before them.
/// * 1, 2: a server, its certificate checked or not, of whose bytes some are changed: a count, then for each change place
///   (two bytes), kind (one byte) and value (one byte). After the handshake it sends the rest of the input.
/// * 3, 4: a server whose certificate is the rest of the input; at 4 the client trusts that very certificate.
///
/// What fails says why in a text of a bearable length; a server that nobody changed gets through.
pub fn tls(data: &[u8]) {
    let Some((&kind, rest)) = data.split_first() else { return };
    let stage = stage();
    let result = match kind {
        0 => {
            let mut rest = rest;
            connect(&stage.lax, &mut |_| {
                let (&len, after) = rest.split_first()?;
                let (piece, after) = after.split_at((len as usize).min(after.len()));
                rest = after;
                Some(piece.to_vec())
            })
        }
        1 | 2 => {
            let Some((&count, rest)) = rest.split_first() else { return };
            let (changes, text) = rest.split_at((4 * count as usize).min(rest.len()));
            let result = serve(if kind == 1 { &stage.strict } else { &stage.lax }, &stage.server, changes, text);
            if changes.is_empty() && text.is_empty() {
                assert_eq!(result, Ok(0), "an honest server is refused");
            }
            result
        }
        3 | 4 => {
            let Ok(key) = rustls::crypto::ring::sign::any_supported_type(&stage.key) else { return };
            let certified = CertifiedKey::new(vec![CertificateDer::from(rest.to_vec())], key);
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("versions")
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(Always(Arc::new(certified))));
            if kind == 3 {
                serve(&stage.strict, &Arc::new(config), &[], &[])
            } else {
                match context(&pem(rest), true) {
                    Ok(context) => serve(&context, &Arc::new(config), &[], &[]),
                    Err(why) => Err(why),
                }
            }
        }
        _ => return,
    };
    if let Err(why) = result {
        assert!(!why.is_empty() && why.len() < 20_000, "{} bytes of text", why.len());
    }
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

fn pem(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|l| std::str::from_utf8(l).expect("ASCII")).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// A server, some of whose bytes are changed on their way.
fn serve(client: &TlsContext, config: &Arc<ServerConfig>, changes: &[u8], text: &[u8]) -> Result<usize, String> {
    let mut server = ServerConnection::new(config.clone()).expect("a server");
    let (mut told, mut sent) = (text.is_empty(), 0);
    connect(client, &mut |heard| {
        let mut heard = heard;
        while !heard.is_empty() && matches!(server.read_tls(&mut heard), Ok(1..)) {
            if server.process_new_packets().is_err() {
                break;
            }
        }
        let _ = server.reader().read(&mut [0; 1024]);
        if !server.is_handshaking() && !told {
            told = true;
            let _ = server.writer().write_all(text);
        }
        let mut out = Vec::new();
        while server.wants_write() && server.write_tls(&mut out).is_ok() {}
        if out.is_empty() {
            return None;
        }
        let from = sent;
        sent += out.len();
        for change in changes.chunks_exact(4) {
            let place = u16::from_be_bytes([change[0], change[1]]) as usize;
            let Some(at) = place.checked_sub(from).filter(|at| *at < out.len()) else { continue };
            match change[2] % 4 {
                0 => out[at] ^= change[3],
                1 => out.truncate(at),
                2 => out.insert(at, change[3]),
                _ => drop(out.remove(at)),
            }
        }
        Some(out)
    })
}
