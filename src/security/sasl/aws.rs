//! Tokens for Amazon MSK with IAM: a presigned request (Signature Version 4), sent as an OAUTHBEARER token.

use super::oauth::Token;
use crate::conf::Secret;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use base64::Engine;
use ring::{digest, hmac};
use zeroize::Zeroizing;

/// Seconds for which a token is valid; the service allows no more.
const LIFE_SECONDS: i64 = 900;
const SERVICE: &str = "kafka-cluster";

/// Who signs, and for which region.
#[derive(Clone, Debug)]
pub struct Signer {
    access_key: String,
    secret_key: Secret,
    session_token: Secret,
    region: String,
}

impl Signer {
    /// Takes the credentials from the environment as `variable` gives it, and the region from `config`
    /// (`sasl.oauthbearer.config`: `region=NAME`) or the environment. The error says which variable is missing.
    pub fn new(config: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Signer, String> {
        let mut region = None;
        for pair in config.split_ascii_whitespace() {
            match pair.split_once('=') {
                Some(("region", name)) if !name.is_empty() => region = Some(name.to_owned()),
                _ => return Err("`sasl.oauthbearer.config`: with AWS_MSK_IAM only region=NAME is known".to_owned()),
            }
        }
        let given = |name: &str| variable(name).filter(|v| !v.is_empty());
        let needed = |name: &str| {
            given(name)
                .ok_or_else(|| format!("AWS_MSK_IAM needs credentials: the environment variable {name} is not set"))
        };
        let region =
            region.or_else(|| given("AWS_REGION")).or_else(|| given("AWS_DEFAULT_REGION")).ok_or_else(|| {
                "AWS_MSK_IAM needs a region: set `sasl.oauthbearer.config` to region=NAME, or AWS_REGION".to_owned()
            })?;
        if !region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(format!("`{region}` is not an AWS region"));
        }
        Ok(Signer {
            access_key: needed("AWS_ACCESS_KEY_ID")?,
            secret_key: Secret::new(needed("AWS_SECRET_ACCESS_KEY")?),
            session_token: Secret::new(given("AWS_SESSION_TOKEN").unwrap_or_default()),
            region,
        })
    }

    /// Makes a token that is valid from now on.
    pub fn token(&self, now_ms: i64) -> Result<Token, String> {
        let host = format!("kafka.{}.amazonaws.com", self.region);
        let action = [("Action", "kafka-cluster:Connect")];
        let request = Presign { host: &host, path: "/", query: &action, service: SERVICE, payload: &sha256_hex(b"") };
        let query = self.presign(&request, now_ms / 1000, LIFE_SECONDS);
        let agent = concat!("rkafka/", env!("CARGO_PKG_VERSION"));
        let url = Secret::concat(&["https://", &host, "/?", query.expose(), "&User-Agent=", &encode(agent)]);
        let value = Zeroizing::new(BASE64URL.encode(url.expose()));
        Token::new(&value, now_ms + LIFE_SECONDS * 1000, &self.access_key, Vec::new(), now_ms)
    }

    /// The query of a presigned GET request, its signature at the end.
    fn presign(&self, r: &Presign<'_>, now: i64, expires: i64) -> Secret {
        let (date, time) = stamp(now);
        let scope = format!("{date}/{}/{}/aws4_request", self.region, r.service);
        let mut query: Vec<(String, Zeroizing<String>)> =
            r.query.iter().map(|(k, v)| (encode(k).to_string(), encode(v))).collect();
        let mut add = |name: &str, value: &str| query.push((name.to_owned(), encode(value)));
        add("X-Amz-Algorithm", "AWS4-HMAC-SHA256");
        add("X-Amz-Credential", &format!("{}/{scope}", self.access_key));
        add("X-Amz-Date", &time);
        add("X-Amz-Expires", &expires.to_string());
        if !self.session_token.is_empty() {
            add("X-Amz-Security-Token", self.session_token.expose());
        }
        add("X-Amz-SignedHeaders", "host");
        query.sort_by(|a, b| (&a.0, a.1.as_str()).cmp(&(&b.0, b.1.as_str())));
        let mut parts: Vec<&str> = Vec::new();
        for (name, value) in &query {
            let separator = if parts.is_empty() { "" } else { "&" };
            parts.extend([separator, name, "=", value]);
        }
        let query = Secret::concat(&parts);
        let canonical = ["GET\n", r.path, "\n", query.expose(), "\nhost:", r.host, "\n\nhost\n", r.payload];
        let canonical = Secret::concat(&canonical);
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256_hex(canonical.expose().as_bytes()));
        let key = signing_key(self.secret_key.expose(), &date, &self.region, r.service);
        let signature = hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), to_sign.as_bytes()).as_ref());
        Secret::concat(&[query.expose(), "&X-Amz-Signature=", &signature])
    }
}

/// What is signed.
struct Presign<'a> {
    host: &'a str,
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    service: &'a str,
    /// Hash of the payload, or what stands for it.
    payload: &'a str,
}

fn signing_key(secret: &str, date: &str, region: &str, service: &str) -> Zeroizing<Vec<u8>> {
    let first = Secret::concat(&["AWS4", secret]);
    let signed = |key: &[u8], part: &str| {
        let signed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), part.as_bytes());
        Zeroizing::new(signed.as_ref().to_vec())
    };
    [region, service, "aws4_request"]
        .iter()
        .fold(signed(first.expose().as_bytes(), date), |key, part| signed(&key, part))
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Percent-encoding as Signature Version 4 wants it.
fn encode(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(3 * text.len()));
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~') {
            out.push(b as char);
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

/// Seconds since the epoch as `20130524` and `20130524T000000Z`.
fn stamp(seconds: i64) -> (String, String) {
    let plain: String = crate::security::tls::utc(seconds.max(0) as u64).chars().filter(char::is_ascii_digit).collect();
    let (date, time) = plain.split_at(8);
    (date.to_owned(), format!("{date}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(secret: &str, session: &str) -> Signer {
        Signer {
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: Secret::new(secret),
            session_token: Secret::new(session),
            region: "us-east-1".to_owned(),
        }
    }

    /// "Deriving a signing key" and "Authenticating requests: using query parameters" of AWS's documentation.
    #[test]
    fn vectors_of_the_documentation() {
        let key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam");
        assert_eq!(hex(&key), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
        let s = signer("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "");
        let request = Presign {
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            query: &[],
            service: "s3",
            payload: "UNSIGNED-PAYLOAD",
        };
        assert_eq!(
            s.presign(&request, 1_369_353_600, 86_400).expose(),
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F\
             aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=\
             aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }

    #[test]
    fn a_token_is_a_presigned_address() {
        let token = signer("secret", "a session/token=").token(1_369_353_600_500).unwrap();
        assert_eq!(token.expires_ms, 1_369_353_600_500 + 900_000);
        let url = String::from_utf8(BASE64URL.decode(token.value.expose()).unwrap()).unwrap();
        assert!(
            url.starts_with("https://kafka.us-east-1.amazonaws.com/?Action=kafka-cluster%3AConnect&X-Amz-Algo"),
            "{url}"
        );
        assert!(url.contains("&X-Amz-Security-Token=a%20session%2Ftoken%3D&X-Amz-SignedHeaders=host&X-Amz-Signature="));
        assert!(url.contains("&User-Agent=rkafka%2F") && !url.contains("secret"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let all = |name: &str| match name {
            "AWS_SESSION_TOKEN" => None,
            name => Some(name.to_owned()),
        };
        assert_eq!(Signer::new("region=eu-west-1", all).unwrap().region, "eu-west-1");
        assert!(Signer::new("", all).unwrap_err().contains("AWS_REGION") || Signer::new("", all).is_ok());
        assert!(Signer::new("zone=x", all).unwrap_err().contains("region=NAME"));
        for missing in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            let some = |name: &str| if name == missing { None } else { all(name) };
            assert!(Signer::new("region=eu-west-1", some).unwrap_err().contains(missing));
        }
        assert!(Signer::new("", |_| None).unwrap_err().contains("AWS_REGION"));
    }
}
