//! TLS errors in words that say what to do.

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{AlertDescription as Alert, CertificateError as Cert, Error};

/// Whether bytes that came where a Kafka response was due are a TLS record (an alert or a handshake message).
pub fn looks_like_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 0x03, 0..=4, ..])
}

/// Why a TLS connection to `host` failed, and what to do about it.
pub fn explain(e: &Error, host: &str) -> String {
    match e {
        Error::InvalidCertificate(c) => certificate(c, host),
        Error::InvalidMessage(_) => {
            "the broker's port does not speak TLS: check the port, or set security.protocol to \
                                     plaintext or sasl_plaintext"
                .to_owned()
        }
        Error::AlertReceived(alert) => alert_text(*alert),
        Error::PeerIncompatible(why) => format!(
            "no TLS version, cipher suite or key exchange in common ({why:?}): TLS 1.2 with ECDHE and AES-GCM or \
             ChaCha20, or TLS 1.3, is needed"
        ),
        e => format!("TLS: {e}"),
    }
}

fn certificate(c: &Cert, host: &str) -> String {
    match c {
        // The second: a CA of the same name, with another key.
        Cert::UnknownIssuer | Cert::BadSignature => {
            "no trusted CA has signed the broker's certificate: set ssl.ca.location to the CA's \
                                certificate"
                .to_owned()
        }
        Cert::ExpiredContext { time, not_after } => format!(
            "the broker's certificate expired at {}; the clock here says {}",
            utc(not_after.as_secs()),
            utc(time.as_secs())
        ),
        Cert::NotValidYetContext { time, not_before } => format!(
            "the broker's certificate is not valid before {}; the clock here says {}: is it right?",
            utc(not_before.as_secs()),
            utc(time.as_secs())
        ),
        Cert::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented.iter().map(|n| plain_name(n)).collect();
            let names = if names.is_empty() { "no host at all".to_owned() } else { names.join(", ") };
            format!(
                "the broker's certificate is for {names}, not for {host}: connect by a name of the certificate, or set \
                 ssl.endpoint.identification.algorithm=none"
            )
        }
        Cert::Revoked => "the broker's certificate is revoked (ssl.crl.location)".to_owned(),
        Cert::UnknownRevocationStatus => {
            "ssl.crl.location holds no list of the CA that has signed the broker's certificate".to_owned()
        }
        Cert::Other(other) => format!("the broker's certificate is not valid: {other}"),
        c => format!("the broker's certificate is not valid: {c}"),
    }
}

/// A name of a certificate as webpki gives it, `DnsName("x")`, without the dress.
fn plain_name(name: &str) -> &str {
    name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name).trim_matches('"')
}

fn alert_text(alert: Alert) -> String {
    match alert {
        Alert::CertificateRequired => "the broker wants a client certificate: set ssl.certificate.location and \
                                       ssl.key.location"
            .to_owned(),
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::DecryptError
        | Alert::UnknownCA => format!(
            "the broker refuses the client's certificate ({alert:?}): check ssl.certificate.location, or set it if there \
             is none"
        ),
        Alert::HandshakeFailure => "the broker refuses the TLS handshake: no cipher suite in common, or it wants a \
                                    client certificate (ssl.certificate.location)"
            .to_owned(),
        Alert::ProtocolVersion => "the broker speaks no TLS version that is safe: 1.2 or 1.3 is needed".to_owned(),
        alert => format!("the broker ended the TLS handshake: {alert:?}"),
    }
}

/// A time as `2026-01-31 23:59:59 UTC`.
pub fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to a date of the Gregorian calendar, years beginning in March.
    let z = days as i64 + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Checks that `now` is within a certificate's validity. It is read from the DER itself: rustls checks it only along with
/// the chain.
pub(super) fn check_validity(cert: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    use pkcs8::der::{asn1::AnyRef, Decode, SliceReader};
    let validity = || -> Result<(u64, u64), pkcs8::der::Error> {
        let mut r = SliceReader::new(cert)?;
        let certificate = AnyRef::decode(&mut r)?;
        let mut r = SliceReader::new(certificate.value())?;
        let tbs = AnyRef::decode(&mut r)?;
        let mut r = SliceReader::new(tbs.value())?;
        // version (there only if not 1), serialNumber, signature, issuer, validity
        let first = AnyRef::decode(&mut r)?;
        let before_validity = if u8::from(pkcs8::der::Tagged::tag(&first)) == 0xa0 { 3 } else { 2 };
        for _ in 0..before_validity {
            AnyRef::decode(&mut r)?;
        }
        let validity = AnyRef::decode(&mut r)?;
        let mut r = SliceReader::new(validity.value())?;
        let mut time = || -> Result<u64, pkcs8::der::Error> {
            let any = AnyRef::decode(&mut r)?;
            let utc = any.decode_as::<pkcs8::der::asn1::UtcTime>().map(|t| t.to_unix_duration());
            let at =
                utc.or_else(|_| any.decode_as::<pkcs8::der::asn1::GeneralizedTime>().map(|t| t.to_unix_duration()))?;
            Ok(at.as_secs())
        };
        Ok((time()?, time()?))
    };
    let (from, to) = validity().map_err(|_| Error::InvalidCertificate(Cert::BadEncoding))?;
    let at = |s| UnixTime::since_unix_epoch(std::time::Duration::from_secs(s));
    if now.as_secs() < from {
        return Err(Cert::NotValidYetContext { time: now, not_before: at(from) }.into());
    }
    if now.as_secs() > to {
        return Err(Cert::ExpiredContext { time: now, not_after: at(to) }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(4_102_444_800), "2100-01-01 00:00:00 UTC");
    }

    #[test]
    fn names_lose_their_dress() {
        assert_eq!(plain_name("DnsName(\"a.example\")"), "a.example");
        assert_eq!(plain_name("IpAddress(127.0.0.1)"), "127.0.0.1");
        assert_eq!(plain_name("odd"), "odd");
    }
}
