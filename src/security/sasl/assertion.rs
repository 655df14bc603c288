//! The assertion of OAuth's JWT-bearer grant (RFC 7523): a JWT that the client signs, or one that is ready in a file.

use crate::conf::{AssertionSettings, Secret};
use crate::security::tls::{private_key, read_file};
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use base64::Engine;
use ring::rand::{generate, SystemRandom};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::SignatureScheme;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// Longest file that is taken for an assertion or a template.
const MAX_FILE: usize = 1 << 20;

/// The assertion to send now. Files are read anew, so they may be replaced while the client runs. The error names the property.
pub fn assertion(s: &AssertionSettings, now_ms: i64) -> Result<Secret, String> {
    if !s.file.is_empty() {
        let property = "sasl.oauthbearer.assertion.file";
        let bytes = read_short(property, &s.file)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| format!("`{property}`: {} is not a text", s.file))?;
        let text = text.trim();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'=');
        if text.is_empty() || !text.bytes().all(allowed) {
            return Err(format!("`{property}`: {} holds no JWT", s.file));
        }
        return Ok(Secret::new(text));
    }
    let (header, claims) = if s.template_file.is_empty() {
        (Map::new(), Map::new())
    } else {
        let property = "sasl.oauthbearer.assertion.jwt.template.file";
        template(&read_short(property, &s.template_file)?)
            .map_err(|e| format!("`{property}`: {}: {e}", s.template_file))?
    };
    sign(s, &complete(s, header, claims, now_ms)?)
}

fn read_short(property: &str, path: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let bytes = read_file(property, path)?;
    if bytes.len() > MAX_FILE {
        return Err(format!("`{property}`: {path} is longer than {MAX_FILE} bytes"));
    }
    Ok(bytes)
}

type Object = Map<String, Value>;

/// Header and claims of a template: a JSON object with the objects `header` and `payload`.
pub fn template(json: &[u8]) -> Result<(Object, Object), String> {
    let parsed: Value = serde_json::from_slice(json).map_err(|e| format!("not JSON (line {})", e.line()))?;
    let part = |name: &str| match parsed.get(name) {
        Some(Value::Object(o)) => Ok(o.clone()),
        _ => Err(format!("it must be an object that holds an object `{name}`")),
    };
    Ok((part("header")?, part("payload")?))
}

/// What is signed: header and claims with what the settings say, encoded.
fn complete(
    s: &AssertionSettings,
    mut header: Object,
    mut claims: Object,
    now_ms: i64,
) -> Result<Zeroizing<String>, String> {
    let now = now_ms / 1000;
    header.insert("alg".to_owned(), s.algorithm.name().into());
    header.insert("typ".to_owned(), "JWT".into());
    claims.insert("iat".to_owned(), now.into());
    claims.insert("exp".to_owned(), now.saturating_add(s.expires_seconds).into());
    claims.insert("nbf".to_owned(), now.saturating_sub(s.not_before_seconds).into());
    for (name, value) in [("sub", &s.subject), ("iss", &s.issuer), ("aud", &s.audience)] {
        if !value.is_empty() {
            claims.insert(name.to_owned(), value.as_str().into());
        }
    }
    if s.with_id {
        let id =
            generate::<[u8; 16]>(&SystemRandom::new()).map_err(|_| "the system gives no random numbers".to_owned())?;
        claims.insert("jti".to_owned(), BASE64URL.encode(id.expose()).into());
    }
    let part = |o: Object| BASE64URL.encode(Value::Object(o).to_string());
    Ok(Zeroizing::new(format!("{}.{}", part(header), part(claims))))
}

/// Adds the signature (RFC 7518: RS256 or ES256).
fn sign(s: &AssertionSettings, unsigned: &str) -> Result<Secret, String> {
    const PASSPHRASE: &str = "sasl.oauthbearer.assertion.private.key.passphrase";
    let (file, pem) = ("sasl.oauthbearer.assertion.private.key.file", "sasl.oauthbearer.assertion.private.key.pem");
    let (property, key) = if s.key_pem.is_empty() {
        (file, private_key(file, &read_short(file, &s.key_file)?, (s.key_passphrase.expose(), PASSPHRASE))?)
    } else {
        (pem, private_key(pem, s.key_pem.expose().as_bytes(), (s.key_passphrase.expose(), PASSPHRASE))?)
    };
    let wrong = |what: &str| format!("`{property}`: {what}");
    let key =
        any_supported_type(&key).map_err(|_| wrong("the key is neither of RSA (2048 to 4096 bits) nor of ECDSA"))?;
    let scheme = match s.algorithm {
        crate::conf::AssertionAlgorithm::Rs256 => SignatureScheme::RSA_PKCS1_SHA256,
        crate::conf::AssertionAlgorithm::Es256 => SignatureScheme::ECDSA_NISTP256_SHA256,
    };
    let signer = key.choose_scheme(&[scheme]).ok_or_else(|| {
        let name = s.algorithm.name();
        wrong(&format!(
            "the key does not fit sasl.oauthbearer.assertion.algorithm={name}: RS256 wants RSA, ES256 P-256"
        ))
    })?;
    let signature =
        signer.sign(unsigned.as_bytes()).map_err(|_| wrong("the assertion cannot be signed with the key"))?;
    let signature = match s.algorithm {
        crate::conf::AssertionAlgorithm::Rs256 => signature,
        crate::conf::AssertionAlgorithm::Es256 => {
            two_numbers(&signature).ok_or_else(|| wrong("the signature is not of ES256"))?
        }
    };
    Ok(Secret::concat(&[unsigned, ".", &BASE64URL.encode(signature)]))
}

/// An ECDSA signature as JWS wants it (two numbers of 32 bytes), out of the ASN.1 that TLS wants.
fn two_numbers(asn1: &[u8]) -> Option<Vec<u8>> {
    let [0x30, length, rest @ ..] = asn1 else { return None };
    if usize::from(*length) != rest.len() {
        return None;
    }
    let mut out = Vec::with_capacity(64);
    let mut rest = rest;
    for _ in 0..2 {
        let [0x02, length, tail @ ..] = rest else { return None };
        let (number, tail) = tail.split_at_checked(usize::from(*length))?;
        // A number whose first bit is set has a zero before it; small ones are shorter.
        let number = &number[number.iter().take_while(|b| **b == 0).count()..];
        out.resize(out.len() + 32usize.checked_sub(number.len())?, 0);
        out.extend_from_slice(number);
        rest = tail;
    }
    rest.is_empty().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::AssertionAlgorithm;
    use serde_json::json;

    #[test]
    fn settings_win_over_the_template() {
        let json = br#"{"header":{"alg":"none","kid":"7"},"payload":{"iat":1,"sub":"theirs","jti":"x","scope":"s"}}"#;
        let (header, claims) = template(json).unwrap();
        let s = AssertionSettings {
            algorithm: AssertionAlgorithm::Es256,
            subject: "ours".to_owned(),
            expires_seconds: 300,
            not_before_seconds: 60,
            ..AssertionSettings::default()
        };
        let unsigned = complete(&s, header, claims, 1_000_999).expect("random numbers");
        let parts: Vec<Value> =
            unsigned.split('.').map(|p| serde_json::from_slice(&BASE64URL.decode(p).unwrap()).unwrap()).collect();
        assert_eq!(parts[0], json!({"alg": "ES256", "kid": "7", "typ": "JWT"}));
        assert_eq!(parts[1], json!({"iat": 1000, "exp": 1300, "nbf": 940, "sub": "ours", "jti": "x", "scope": "s"}));
        let s = AssertionSettings { with_id: true, ..s };
        assert_ne!(complete(&s, Map::new(), Map::new(), 0), complete(&s, Map::new(), Map::new(), 0));
        for bad in ["", "[]", "{}", "{\"header\":{}}", "{\"header\":{},\"payload\":1}"] {
            assert!(template(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn signatures_lose_their_asn1() {
        let mut asn1 = vec![0x30, 0x26, 0x02, 0x21, 0x00];
        asn1.extend([0xff; 32]);
        asn1.extend([0x02, 0x01, 0x05]);
        let out = two_numbers(&asn1).unwrap();
        assert_eq!((out.len(), out[0], out[31], out[32], out[63]), (64, 0xff, 0xff, 0, 5));
        for bad in [&asn1[..10], &[], &[0x30, 0], &[0x30, 3, 2, 9, 1]] {
            assert!(two_numbers(bad).is_none());
        }
    }
}
