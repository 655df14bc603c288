//! What the fuzz targets `sasl` and `oidc` call; also replayed by `tests/fuzz_corpus.rs`.

use super::sasl::oidc::Wanted;
use super::sasl::scram::{Client, Hash, Reply, Server};
use super::sasl::{assertion, oauth, oidc, Exchange, Step};
use crate::conf::{SaslSettings, Secret};

/// Longest text that an answer may make of itself in an error event.
const MOST_TEXT: usize = 1000;

/// The client's nonce while fuzzing; a server's answer must continue it.
const NONCE: &str = "fyko";

/// The first byte chooses what is talked to; the rest is what the peer says, its messages ended by 0xff.
///
/// * 0, 1: the client's side of SCRAM-SHA-256 and -512. No answer may convince it: the password is not in it.
/// * 2, 3: PLAIN and OAUTHBEARER.
/// * 4, 5: the server's side of SCRAM, as in the embedded broker. It may accept nobody.
/// * 6: a token whose claims are read, extensions, and the settings of unsecured tokens.
pub fn sasl(data: &[u8]) {
    let Some((&kind, rest)) = data.split_first() else { return };
    let messages = rest.split(|b| *b == 0xff);
    match kind {
        0 | 1 => {
            let hash = if kind == 0 { Hash::Sha256 } else { Hash::Sha512 };
            let mut client = Client::with_nonce(hash, "u=ser,", "pencil", NONCE.to_owned());
            assert!(!client.first().is_empty());
            let mut failed = false;
            for message in messages {
                match client.answer(message) {
                    Ok(Step::Send(bytes)) => assert!(!failed && bytes.starts_with(b"c=biws,r=fyko")),
                    Ok(Step::Done) => panic!("a server without the password was believed"),
                    Err(why) => {
                        check(&why);
                        failed = true;
                    }
                }
            }
        }
        2 | 3 => {
            let mut exchange = if kind == 2 { plain() } else { bearer() };
            assert!(!exchange.first().is_empty());
            for message in messages {
                match exchange.answer(message) {
                    Ok(Step::Send(bytes)) => assert_eq!(bytes.as_slice(), [1]),
                    Ok(Step::Done) => break,
                    Err(why) => check(&why),
                }
                exchange.refused().into_iter().for_each(check);
            }
        }
        4 | 5 => {
            let mut server = Server::new(if kind == 4 { Hash::Sha256 } else { Hash::Sha512 });
            for message in messages {
                match server.take(message, |user| (user == "user").then(|| "pencil".to_owned())) {
                    Reply::Challenge(bytes) => assert!(bytes.starts_with(b"r=")),
                    Reply::Accepted(_) => panic!("a client without the password was believed"),
                    Reply::Refused(why) => assert!(!why.is_empty()),
                }
            }
        }
        _ => {
            let text = String::from_utf8_lossy(rest);
            let _ = oauth::claims(&text);
            if let Ok(unsecured) = oauth::Unsecured::parse(&text) {
                if let Ok(token) = unsecured.token(1_000_000) {
                    assert!(oauth::claims(token.value.expose()).is_some());
                }
            }
            if let Ok(extensions) = oauth::parse_extensions(&text) {
                let _ = oauth::Token::new("token", 10, "user", extensions, 1);
            }
        }
    }
}

/// HTTP statuses by the first byte of the input.
const STATUS: [u16; 8] = [200, 200, 200, 400, 401, 429, 503, 302];

/// What a token endpoint answers: the first byte chooses the status, and whether an `id_token` will do; the rest is the body. It
/// is read as the template of an assertion, too.
pub fn token_endpoint(data: &[u8]) {
    const NOW_MS: i64 = 1_700_000_000_000;
    let Some((&kind, body)) = data.split_first() else { return };
    let extensions = [("traceId".to_owned(), "1".to_owned())];
    let wanted = Wanted {
        sub_claim: "sub",
        principal: "user",
        extensions: &extensions,
        id_token: kind & 8 != 0,
        advice: "the settings",
    };
    let status = STATUS[usize::from(kind & 7)];
    match oidc::token(status, body, &wanted, NOW_MS) {
        Ok(token) => {
            assert!(status == 200 && !token.value.is_empty() && token.expires_ms > NOW_MS);
            let mut exchange = Exchange::with_token(&token);
            // Neither the end of a field nor that of the message is in what a token consists of.
            let first = exchange.first();
            assert_eq!(first.iter().filter(|b| **b == 1).count(), 4);
        }
        Err(refusal) => {
            check(&refusal.text);
            assert!(!refusal.passing || status != 200);
        }
    }
    if let Err(why) = assertion::template(body) {
        check(&why);
    }
}

/// A text for an error event: there, short, and without what does harm on a terminal.
fn check(why: &str) {
    assert!(!why.is_empty() && why.len() < MOST_TEXT && !why.chars().any(char::is_control), "{why:?}");
}

fn plain() -> Exchange {
    let settings =
        SaslSettings { username: "user".to_owned(), password: Secret::new("pencil"), ..SaslSettings::default() };
    Exchange::with_password(&settings, 0).expect("PLAIN")
}

fn bearer() -> Exchange {
    let token = oauth::Token::new("a.b.", 10, "user", vec![("traceId".to_owned(), "1".to_owned())], 1);
    Exchange::with_token(&token.expect("a token"))
}
