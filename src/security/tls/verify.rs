//! Checking a broker's certificate less strictly than rustls does by itself, where the configuration asks for that, and by
//! the application.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_name, WebPkiServerVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature, CryptoProvider};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use std::fmt;
use std::sync::Arc;

/// The parts of a verifier that leave signatures to the one within.
macro_rules! signatures_as_inner {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.inner.verify_tls12_signature(message, cert, dss)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.inner.verify_tls13_signature(message, cert, dss)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.inner.supported_verify_schemes()
        }
    };
}

/// Certificate and signatures as rustls checks them, then the name, unless it does not matter.
#[derive(Debug)]
pub struct Chain {
    pub inner: Arc<WebPkiServerVerifier>,
    pub verify_name: bool,
    /// Certificates that are trusted themselves.
    pub pinned: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Chain {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.inner.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            // The name is what is checked last.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.verify_name => Ok(ServerCertVerified::assertion()),
            // A self-signed certificate that is its own CA, which OpenSSL takes when it is told to trust that very one.
            // That it is not too old, and is for the right host, is still checked.
            Err(Error::InvalidCertificate(CertificateError::Other(other)))
                if self.pinned.iter().any(|c| c == end_entity) =>
            {
                super::explain::check_validity(end_entity, now)?;
                if self.verify_name {
                    let parsed = ParsedCertificate::try_from(end_entity)?;
                    verify_server_name(&parsed, name)?;
                }
                drop(other);
                Ok(ServerCertVerified::assertion())
            }
            result => result,
        }
    }

    signatures_as_inner!();
}

/// `enable.ssl.certificate.verification=false`: any certificate will do, if the peer has its key.
#[derive(Debug)]
pub struct Anybody(pub Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// One certificate of a broker's chain, for the application to judge.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// 0 is the broker's own certificate, 1 that of the CA which signed it, and so on.
    pub depth: usize,
    /// DER.
    pub der: &'a [u8],
    /// What was found wrong with the chain, in OpenSSL's numbers (`X509_V_ERR_*`); told with the broker's own, else 0.
    pub error: i32,
}

/// Accepts a certificate, with its error if there is one, or says why not.
pub type Judge = Box<dyn Fn(&Presented<'_>) -> Result<(), String> + Send + Sync>;

/// The application's word after the usual checks: on each certificate of the chain, from the last to the broker's own.
pub struct Judged {
    pub inner: Arc<dyn ServerCertVerifier>,
    pub judge: Judge,
}

impl fmt::Debug for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judged").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// The application's refusal, as a certificate error.
#[derive(Debug)]
struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the application refuses it: {}", self.0)
    }
}

impl std::error::Error for Refusal {}

impl ServerCertVerifier for Judged {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = self.inner.verify_server_cert(end_entity, intermediates, name, ocsp, now).err();
        let chain = std::iter::once(end_entity).chain(intermediates).enumerate().collect::<Vec<_>>();
        for (depth, certificate) in chain.into_iter().rev() {
            let error = if depth == 0 { found.as_ref().map_or(0, openssl_number) } else { 0 };
            (self.judge)(&Presented { depth, der: certificate, error }).map_err(|text| match &found {
                // A refusal that adds nothing leaves the first word.
                Some(found) if text.is_empty() => found.clone(),
                _ => CertificateError::Other(OtherError(Arc::new(Refusal(text)))).into(),
            })?;
        }
        Ok(ServerCertVerified::assertion())
    }

    signatures_as_inner!();
}

/// `X509_V_ERR_*` for what rustls found.
fn openssl_number(e: &Error) -> i32 {
    const UNSPECIFIED: i32 = 1;
    let Error::InvalidCertificate(e) = e else { return UNSPECIFIED };
    match e {
        CertificateError::BadSignature => 7,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => 9,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => 10,
        CertificateError::UnknownIssuer => 20,
        CertificateError::Revoked => 23,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => 26,
        CertificateError::UnknownRevocationStatus => 3,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => 62,
        _ => UNSPECIFIED,
    }
}
