//! What the fuzz target `sasl` calls; also replayed by `tests/fuzz_corpus.rs`.

use super::sasl::scram::{Client, Hash, Reply, Server};
use super::sasl::{oauth, Exchange, Step};
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
