//! SASL mechanisms as exchanges of bytes: what a client says, and what it makes of the answers.

pub mod assertion;
pub mod aws;
pub mod oauth;
pub mod oidc;
pub mod scram;

use crate::conf::{SaslMechanism, SaslSettings};
use oauth::Token;
use scram::Hash;
use zeroize::Zeroizing;

/// What follows an answer of the broker.
#[derive(Debug)]
pub enum Step {
    /// This must be sent.
    Send(Zeroizing<Vec<u8>>),
    /// The client's part is done, and the broker has proved what it has to prove.
    Done,
}

/// The client's side of a mechanism that the application brings along: one exchange.
pub trait Custom: Send {
    /// What to do next: at first (`None`) the first message, then by what the broker said. The error says why it cannot go on.
    fn step(&mut self, said: Option<&[u8]>) -> Result<Step, String>;
}

/// One authentication, from its first message to its end.
pub struct Exchange {
    state: State,
}

enum State {
    /// The first message is all there is: PLAIN.
    Single(Zeroizing<Vec<u8>>),
    Scram(Box<scram::Client>),
    Bearer {
        first: Zeroizing<Vec<u8>>,
        /// What the broker has against the token.
        refused: Option<String>,
    },
    Custom {
        first: Zeroizing<Vec<u8>>,
        custom: Box<dyn Custom>,
    },
}

impl Exchange {
    /// An exchange by user name and password. `attempt` counts the failures before: SCRAM takes the password as it is,
    /// as Kafka's own tools do, and where SASLprep (RFC 4013) would change it, every other time so prepared.
    pub fn with_password(s: &SaslSettings, attempt: u32) -> Result<Exchange, String> {
        let (user, password) = (s.username.as_str(), s.password.expose());
        let hash = match s.mechanism {
            SaslMechanism::ScramSha256 => Hash::Sha256,
            SaslMechanism::ScramSha512 => Hash::Sha512,
            _ => {
                let mut first = Zeroizing::new(Vec::with_capacity(user.len() + password.len() + 2));
                for part in [user, password] {
                    first.push(0);
                    first.extend_from_slice(part.as_bytes());
                }
                return Ok(Exchange { state: State::Single(first) });
            }
        };
        let client = if attempt % 2 == 1 {
            let prepared = |what: &str, text: &str| {
                let done = stringprep::saslprep(text).map(|t| Zeroizing::new(t.into_owned()));
                done.map_err(|_| format!("`{what}` holds a character that SASL does not allow"))
            };
            scram::Client::new(hash, &prepared("sasl.username", user)?, &prepared("sasl.password", password)?)?
        } else {
            scram::Client::new(hash, user, password)?
        };
        Ok(Exchange { state: State::Scram(Box::new(client)) })
    }

    /// An exchange by a token (RFC 7628).
    pub fn with_token(token: &Token) -> Exchange {
        let extensions: usize = token.extensions.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let mut first = Zeroizing::new(Vec::with_capacity(token.value.expose().len() + extensions + 64));
        first.extend_from_slice(b"n,,\x01auth=Bearer ");
        first.extend_from_slice(token.value.expose().as_bytes());
        for (name, value) in &token.extensions {
            first.extend_from_slice(format!("\x01{name}={value}").as_bytes());
        }
        first.extend_from_slice(b"\x01\x01");
        Exchange { state: State::Bearer { first, refused: None } }
    }

    /// An exchange of the application's.
    pub fn with_custom(mut custom: Box<dyn Custom>) -> Result<Exchange, String> {
        match custom.step(None)? {
            Step::Send(first) => Ok(Exchange { state: State::Custom { first, custom } }),
            Step::Done => Err("the mechanism has no first message".to_owned()),
        }
    }

    /// The first message.
    pub fn first(&mut self) -> Zeroizing<Vec<u8>> {
        match &mut self.state {
            State::Single(first) | State::Bearer { first, .. } | State::Custom { first, .. } => std::mem::take(first),
            State::Scram(client) => Zeroizing::new(client.first()),
        }
    }

    /// Takes the broker's answer. The error says what is wrong with it.
    pub fn answer(&mut self, bytes: &[u8]) -> Result<Step, String> {
        match &mut self.state {
            State::Single(_) => Ok(Step::Done),
            State::Scram(client) => client.answer(bytes),
            State::Custom { custom, .. } => custom.step(Some(bytes)),
            State::Bearer { refused: Some(why), .. } => Err(format!("the token was refused: {why}")),
            State::Bearer { .. } if bytes.is_empty() => Ok(Step::Done),
            State::Bearer { refused, .. } => {
                // An error, which the client acknowledges with one byte to hear the verdict.
                *refused = Some(oauth::printable(bytes));
                Ok(Step::Send(Zeroizing::new(vec![1])))
            }
        }
    }

    /// What the broker said against the token, for the text of a failure that came after it.
    pub fn refused(&self) -> Option<&str> {
        match &self.state {
            State::Bearer { refused, .. } => refused.as_deref(),
            _ => None,
        }
    }
}
