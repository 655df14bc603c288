//! What a token endpoint answers (RFC 6749, section 5): a token, or why there is none.

use super::oauth::{claims, printable, Token};
use serde_json::Value;
use zeroize::Zeroize;

/// Why an answer gave no token.
#[derive(Debug)]
pub struct Refusal {
    /// Another attempt may succeed.
    pub passing: bool,
    pub text: String,
}

/// What an answer is held against.
pub struct Wanted<'a> {
    /// `sasl.oauthbearer.sub.claim.name`
    pub sub_claim: &'a str,
    /// The principal of a token that does not say.
    pub principal: &'a str,
    pub extensions: &'a [(String, String)],
    /// Without an `access_token`, an `id_token` will do: some providers answer a JWT-bearer grant so.
    pub id_token: bool,
    /// What to look at when the endpoint refuses.
    pub advice: &'a str,
}

/// Reads the answer to a request for a token: its HTTP status and its body.
pub fn token(status: u16, body: &[u8], wanted: &Wanted<'_>, now_ms: i64) -> Result<Token, Refusal> {
    let mut answer: Option<Value> = serde_json::from_slice(body).ok();
    let result = read(status, answer.as_ref(), wanted, now_ms);
    answer.iter_mut().for_each(wipe);
    result
}

fn read(status: u16, answer: Option<&Value>, wanted: &Wanted<'_>, now_ms: i64) -> Result<Token, Refusal> {
    if status != 200 {
        let said = |name: &str| answer.and_then(|a| a.get(name)?.as_str()).map(|t| printable(t.as_bytes()));
        let why: Vec<String> = ["error", "error_description"].into_iter().filter_map(said).collect();
        let colon = if why.is_empty() { "" } else { ": " };
        let text = format!("HTTP status {status}{colon}{} (check {})", why.join(": "), wanted.advice);
        return Err(Refusal { passing: status >= 500 || status == 429 || status == 408, text });
    }
    let lasting = |text: String| Refusal { passing: false, text };
    let answer = answer.ok_or_else(|| lasting("the answer is not JSON".to_owned()))?;
    let field = |name: &str| answer.get(name).and_then(Value::as_str);
    let value = field("access_token")
        .or_else(|| field("id_token").filter(|_| wanted.id_token))
        .ok_or_else(|| lasting("the answer has no access_token".to_owned()))?;
    let mut claims = Value::Object(claims(value).unwrap_or_default());
    let seconds = |v: &Value, name: &str| v.get(name).and_then(Value::as_f64);
    let expires_ms = match (seconds(&claims, "exp"), seconds(answer, "expires_in")) {
        (Some(at), _) => Ok((at * 1000.0) as i64),
        (None, Some(life)) => Ok(now_ms.saturating_add((life * 1000.0) as i64)),
        _ => Err("neither the token nor the answer says when it expires".to_owned()),
    };
    let token = expires_ms.and_then(|expires_ms| {
        let principal = claims.get(wanted.sub_claim).and_then(Value::as_str).unwrap_or(wanted.principal);
        Token::new(value, expires_ms, principal, wanted.extensions.to_vec(), now_ms)
    });
    wipe(&mut claims);
    token.map_err(lasting)
}

/// Wipes the texts of a JSON value. It is as deep as serde_json lets one be: 128 levels.
fn wipe(v: &mut Value) {
    match v {
        Value::String(s) => s.zeroize(),
        Value::Array(list) => list.iter_mut().for_each(wipe),
        Value::Object(o) => o.values_mut().for_each(wipe),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted<'_> =
        Wanted { sub_claim: "sub", principal: "me", extensions: &[], id_token: false, advice: "x" };

    #[test]
    fn answers_are_read() {
        let t = token(200, br#"{"access_token":"opaque","expires_in":10}"#, &WANTED, 5000).unwrap();
        assert_eq!((t.value.expose(), t.expires_ms, t.principal.as_str()), ("opaque", 15_000, "me"));
        // {"sub":"she","exp":20}: what the token says of itself goes before what is said of it.
        let body = br#"{"access_token":"a.eyJzdWIiOiJzaGUiLCJleHAiOjIwfQ.c","expires_in":10}"#;
        let t = token(200, body, &WANTED, 5000).unwrap();
        assert_eq!((t.expires_ms, t.principal.as_str()), (20_000, "she"));
        let id = br#"{"id_token":"opaque","expires_in":10}"#;
        assert!(token(200, id, &WANTED, 0).is_err());
        assert!(token(200, id, &Wanted { id_token: true, ..WANTED }, 0).is_ok());
        // Numbers at the end of what there is.
        assert!(token(200, br#"{"access_token":"t","expires_in":1e300}"#, &WANTED, 5000).is_ok());
        assert!(token(200, br#"{"access_token":"t","expires_in":-1e300}"#, &WANTED, 5000).is_err());
    }

    #[test]
    fn refusals_say_whether_to_try_again() {
        for (status, passing) in [(503, true), (429, true), (408, true), (400, false), (302, false)] {
            let e = token(status, br#"{"error":"no\u0007"}"#, &WANTED, 0).unwrap_err();
            assert_eq!(e.passing, passing);
            assert!(e.text.contains(&status.to_string()) && e.text.contains("no?"), "{}", e.text);
        }
        assert!(token(200, b"nonsense", &WANTED, 0).unwrap_err().text.contains("not JSON"));
        // Deeper than anybody needs.
        assert!(token(200, &[b'['; 100_000], &WANTED, 0).is_err());
    }
}
