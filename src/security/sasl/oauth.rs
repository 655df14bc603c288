//! OAUTHBEARER: tokens, and the unsecured ones that are made here for tests.

use crate::conf::Secret;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use base64::Engine;
use serde_json::{json, Map, Value};

/// A token and what is known of it.
#[derive(Clone, Debug)]
pub struct Token {
    pub value: Secret,
    /// Milliseconds since the epoch.
    pub expires_ms: i64,
    pub principal: String,
    /// Sent along (KIP-342).
    pub extensions: Vec<(String, String)>,
}

impl Token {
    /// A token, if it and its extensions are such as RFC 7628 and RFC 6750 let go over the wire.
    pub fn new(
        value: &str,
        expires_ms: i64,
        principal: &str,
        extensions: Vec<(String, String)>,
        now_ms: i64,
    ) -> Result<Token, String> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
        if value.is_empty() || !value.bytes().all(allowed) {
            return Err("a token must be of the characters a-zA-Z0-9-._~+/= and not empty".to_owned());
        }
        if expires_ms <= now_ms {
            return Err(format!(
                "the token expired {} ms ago; is the clock right, here and where it was made?",
                now_ms.saturating_sub(expires_ms)
            ));
        }
        for (name, text) in &extensions {
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphabetic()) || name == "auth" {
                return Err(format!("extension `{name}`: a name must be of letters, and not `auth`"));
            }
            if text.is_empty() || !text.bytes().all(|b| matches!(b, 0x20..=0x7e | 9 | 10 | 13)) {
                return Err(format!("extension `{name}`: a value must be of printable characters"));
            }
        }
        Ok(Token { value: Secret::new(value), expires_ms, principal: principal.to_owned(), extensions })
    }
}

/// At most 200 characters of what a peer said, those that could do harm on a terminal replaced.
pub fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out: String = text.chars().take(200).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(200).is_some() {
        out.push('…');
    }
    out
}

/// `sasl.oauthbearer.extensions`: `name=value` separated by commas.
pub fn parse_extensions(list: &str) -> Result<Vec<(String, String)>, String> {
    list.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let (name, value) = entry
                .split_once('=')
                .ok_or_else(|| format!("`sasl.oauthbearer.extensions`: `{entry}`: name=value is wanted"))?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// Settings of unsecured tokens, as in `sasl.oauthbearer.config`.
#[derive(Debug, PartialEq, Eq)]
pub struct Unsecured {
    principal_claim: String,
    principal: String,
    scope_claim: String,
    scope: Vec<String>,
    life_seconds: i64,
    extensions: Vec<(String, String)>,
}

impl Unsecured {
    /// Reads `name=value` pairs separated by spaces.
    pub fn parse(config: &str) -> Result<Unsecured, String> {
        let mut out = Unsecured {
            principal_claim: "sub".to_owned(),
            principal: String::new(),
            scope_claim: "scope".to_owned(),
            scope: Vec::new(),
            life_seconds: 3600,
            extensions: Vec::new(),
        };
        let wrong = |why: String| Err(format!("`sasl.oauthbearer.config`: {why}"));
        for pair in config.split_ascii_whitespace() {
            let Some((name, value)) = pair.split_once('=') else {
                return wrong("name=value pairs separated by spaces are wanted".to_owned());
            };
            if value.is_empty() {
                return wrong(format!("`{name}` has no value"));
            }
            match name {
                "principalClaimName" => out.principal_claim = value.to_owned(),
                "principal" => out.principal = value.to_owned(),
                "scopeClaimName" => out.scope_claim = value.to_owned(),
                "scope" => out.scope = value.split(',').map(str::to_owned).collect(),
                "lifeSeconds" => match value.parse() {
                    Ok(seconds @ 1..=1_000_000_000) => out.life_seconds = seconds,
                    _ => return wrong("`lifeSeconds` must be a number from 1 to 1000000000".to_owned()),
                },
                _ => match name.strip_prefix("extension_") {
                    Some(extension) => out.extensions.push((extension.to_owned(), value.to_owned())),
                    None => return wrong(format!("`{name}` is not known")),
                },
            }
        }
        if out.principal.is_empty() {
            return wrong("`principal` is missing".to_owned());
        }
        Ok(out)
    }

    /// Makes a token: an unsecured JWS (RFC 7515, appendix A.5).
    pub fn token(&self, now_ms: i64) -> Result<Token, String> {
        let mut claims = Map::new();
        claims.insert(self.principal_claim.clone(), Value::from(self.principal.as_str()));
        let expires_ms = now_ms + self.life_seconds * 1000;
        claims.insert("iat".to_owned(), json!(now_ms as f64 / 1000.0));
        claims.insert("exp".to_owned(), json!(expires_ms as f64 / 1000.0));
        if !self.scope.is_empty() {
            claims.insert(self.scope_claim.clone(), json!(self.scope));
        }
        let value = format!(
            "{}.{}.",
            BASE64URL.encode("{\"alg\":\"none\"}"),
            BASE64URL.encode(Value::Object(claims).to_string())
        );
        Token::new(&value, expires_ms, &self.principal, self.extensions.clone(), now_ms)
    }
}

/// The claims of a JWS, its signature unseen. `None` if it is not one.
pub fn claims(token: &str) -> Option<Map<String, Value>> {
    let body = token.split('.').nth(1)?;
    let bytes = BASE64URL.decode(body.trim_end_matches('=')).ok()?;
    match serde_json::from_slice(&bytes).ok()? {
        Value::Object(claims) => Some(claims),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsecured_tokens_say_what_was_asked() {
        let config = "principalClaimName=azp principal=admin scopeClaimName=roles scope=role1,role2 lifeSeconds=600 \
                      extension_traceId=123";
        let u = Unsecured::parse(config).unwrap();
        let t = u.token(1_000_000).unwrap();
        assert_eq!((t.expires_ms, t.principal.as_str()), (1_600_000, "admin"));
        assert_eq!(t.extensions, [("traceId".to_owned(), "123".to_owned())]);
        let c = claims(t.value.expose()).unwrap();
        assert_eq!(
            Value::Object(c),
            json!({"azp": "admin", "iat": 1000.0, "exp": 1600.0, "roles": ["role1", "role2"]})
        );
        assert!(t.value.expose().starts_with("eyJhbGciOiJub25lIn0.") && t.value.expose().ends_with('.'));
        assert_eq!(format!("{:?}", t.value), "[redacted]");
    }

    #[test]
    fn wrong_settings_and_tokens_are_refused_by_name() {
        for (config, named) in [
            ("", "principal"),
            ("principal", "name=value"),
            ("principal=", "no value"),
            ("principal=a lifeSeconds=x", "lifeSeconds"),
            ("principal=a lifeSeconds=0", "lifeSeconds"),
            ("principal=a nonsense=1", "nonsense"),
        ] {
            assert!(Unsecured::parse(config).unwrap_err().contains(named), "{config}");
        }
        let with = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert!(Token::new("a b", 10, "p", vec![], 0).is_err());
        assert!(Token::new("ab", 10, "p", vec![], 10).unwrap_err().contains("expired"));
        assert!(Token::new("ab", 10, "p", with("auth", "x"), 0).is_err());
        assert!(Token::new("ab", 10, "p", with("a1", "x"), 0).is_err());
        assert!(Token::new("ab", 10, "p", with("a", "x\x01y"), 0).is_err());
        assert!(parse_extensions("a=b, c=d").unwrap().len() == 2 && parse_extensions("a").is_err());
    }
}
