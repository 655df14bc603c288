//! SCRAM (RFC 5802, RFC 7677), client and server side, without channel binding.

use super::Step;
use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// The least iterations that make guessing of passwords costly enough (RFC 7677).
pub const MIN_ITERATIONS: u32 = 4096;
/// The most that a broker may ask of the client's time. Kafka itself allows 16,384.
pub const MAX_ITERATIONS: u32 = 1 << 17;
/// Longest message taken of the peer.
const MAX_MESSAGE: usize = 8 << 10;

/// The hash function of the mechanism.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hash {
    /// For the test vectors of RFC 5802 alone: Kafka has no such mechanism.
    #[cfg(test)]
    Sha1,
    Sha256,
    Sha512,
}

impl Hash {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            #[cfg(test)]
            Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            #[cfg(test)]
            Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha512 => &digest::SHA512,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            #[cfg(test)]
            Hash::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

/// Client and server key of a password.
struct Keys {
    client: Zeroizing<Vec<u8>>,
    server: hmac::Key,
}

fn keys(hash: Hash, password: &str, salt: &[u8], iterations: NonZeroU32) -> Keys {
    let mut salted = Zeroizing::new(vec![0; hash.digest().output_len()]);
    pbkdf2::derive(hash.pbkdf2(), iterations, salt, password.as_bytes(), &mut salted);
    let key = hmac::Key::new(hash.hmac(), &salted);
    Keys {
        client: Zeroizing::new(hmac::sign(&key, b"Client Key").as_ref().to_vec()),
        server: hmac::Key::new(hash.hmac(), hmac::sign(&key, b"Server Key").as_ref()),
    }
}

/// The client's proof that it has the key.
fn proof(hash: Hash, client_key: &[u8], auth_message: &str) -> Vec<u8> {
    let stored = digest::digest(hash.digest(), client_key);
    let signature = hmac::sign(&hmac::Key::new(hash.hmac(), stored.as_ref()), auth_message.as_bytes());
    client_key.iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect()
}

fn random_nonce() -> Result<String, String> {
    let mut bytes = [0; 24];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(BASE64.encode(bytes))
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() > MAX_MESSAGE {
        return Err(format!("a SCRAM message of {} bytes", bytes.len()));
    }
    std::str::from_utf8(bytes).map_err(|_| "a SCRAM message that is not UTF-8".to_owned())
}

/// The value of the attribute that must come next in a list separated by commas.
fn attribute<'a>(parts: &mut std::str::Split<'a, char>, name: &str) -> Result<&'a str, String> {
    let part = parts.next().unwrap_or_default();
    part.strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('='))
        .ok_or_else(|| format!("a SCRAM message without {name}= where that is due"))
}

enum Stage {
    /// The answer to the first message is due.
    First,
    /// The proof has been sent; the server's is due.
    Final {
        server_key: hmac::Key,
        auth_message: String,
    },
    Done,
}

/// The client's side of one exchange.
pub struct Client {
    hash: Hash,
    password: Zeroizing<String>,
    nonce: String,
    first_bare: String,
    stage: Stage,
}

impl Client {
    /// Fails only if the system gives no random numbers.
    pub fn new(hash: Hash, username: &str, password: &str) -> Result<Client, String> {
        Ok(Client::with_nonce(hash, username, password, random_nonce()?))
    }

    /// Its random numbers given, for test vectors and fuzzing.
    pub(in crate::security) fn with_nonce(hash: Hash, username: &str, password: &str, nonce: String) -> Client {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        Client {
            hash,
            password: Zeroizing::new(password.to_owned()),
            first_bare: format!("n={name},r={nonce}"),
            nonce,
            stage: Stage::First,
        }
    }

    /// client-first-message
    pub fn first(&self) -> Vec<u8> {
        format!("n,,{}", self.first_bare).into_bytes()
    }

    /// Takes server-first-message, then server-final-message.
    pub fn answer(&mut self, bytes: &[u8]) -> Result<Step, String> {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::First => self.server_first(text(bytes)?),
            Stage::Final { server_key, auth_message } => server_final(text(bytes)?, &server_key, &auth_message),
            Stage::Done => Err("a SCRAM message after the last".to_owned()),
        }
    }

    fn server_first(&mut self, message: &str) -> Result<Step, String> {
        let mut parts = message.split(',');
        let nonce = attribute(&mut parts, "r")?;
        let salt =
            BASE64.decode(attribute(&mut parts, "s")?).map_err(|_| "a SCRAM salt that is not base64".to_owned())?;
        let iterations = attribute(&mut parts, "i")?;
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err("the server's SCRAM nonce does not continue the client's: is somebody in between?".to_owned());
        }
        if salt.is_empty() {
            return Err("an empty SCRAM salt".to_owned());
        }
        let count: u32 = iterations
            .parse()
            .map_err(|_| format!("SCRAM iterations `{}`", super::oauth::printable(iterations.as_bytes())))?;
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&count) {
            return Err(format!(
                "the broker asks for {count} SCRAM iterations; {MIN_ITERATIONS} to {MAX_ITERATIONS} are allowed"
            ));
        }
        let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let keys = keys(self.hash, &self.password, &salt, count);
        let without_proof = format!("c=biws,r={nonce}");
        let auth_message = format!("{},{message},{without_proof}", self.first_bare);
        let proof = proof(self.hash, &keys.client, &auth_message);
        self.stage = Stage::Final { server_key: keys.server, auth_message };
        Ok(Step::Send(Zeroizing::new(format!("{without_proof},p={}", BASE64.encode(proof)).into_bytes())))
    }
}

fn server_final(message: &str, server_key: &hmac::Key, auth_message: &str) -> Result<Step, String> {
    let mut parts = message.split(',');
    if let Some(error) = message.strip_prefix("e=") {
        return Err(format!("the broker says: {}", super::oauth::printable(error.as_bytes())));
    }
    let signature = BASE64
        .decode(attribute(&mut parts, "v")?)
        .map_err(|_| "a SCRAM server signature that is not base64".to_owned())?;
    hmac::verify(server_key, auth_message.as_bytes(), &signature).map_err(|_| {
        "the server's SCRAM signature is wrong: it does not know the password, so it is not the broker that it claims to be"
            .to_owned()
    })?;
    Ok(Step::Done)
}

/// What a server makes of a client's message.
pub enum Reply {
    /// The challenge to be sent.
    Challenge(Vec<u8>),
    /// The client is who it says; this is the last message.
    Accepted(Vec<u8>),
    Refused(String),
}

/// The server's side of one exchange, for the embedded broker.
pub struct Server {
    hash: Hash,
    /// Password, server-first-message and client-first-message-bare, after the first message.
    begun: Option<(Zeroizing<String>, Vec<u8>, String, String, String)>,
}

impl Server {
    pub fn new(hash: Hash) -> Server {
        Server { hash, begun: None }
    }

    /// Takes a client's message. `password_of` looks a user's password up.
    pub fn take(&mut self, bytes: &[u8], password_of: impl Fn(&str) -> Option<String>) -> Reply {
        let result = text(bytes).and_then(|message| match self.begun.take() {
            None => self.first(message, password_of),
            Some(begun) => self.last(message, begun),
        });
        result.unwrap_or_else(Reply::Refused)
    }

    fn first(&mut self, message: &str, password_of: impl Fn(&str) -> Option<String>) -> Result<Reply, String> {
        let bare = message.strip_prefix("n,,").ok_or("channel binding or an authorization id: not offered")?;
        let mut parts = bare.split(',');
        let user = attribute(&mut parts, "n")?.replace("=2C", ",").replace("=3D", "=");
        let nonce = format!("{}{}", attribute(&mut parts, "r")?, random_nonce()?);
        let password = password_of(&user).ok_or("invalid credentials")?;
        let salt = random_nonce()?.into_bytes();
        let first = format!("r={nonce},s={},i={MIN_ITERATIONS}", BASE64.encode(&salt));
        self.begun = Some((Zeroizing::new(password), salt, first.clone(), bare.to_owned(), nonce));
        Ok(Reply::Challenge(first.into_bytes()))
    }

    fn last(
        &self,
        message: &str,
        (password, salt, first, bare, nonce): (Zeroizing<String>, Vec<u8>, String, String, String),
    ) -> Result<Reply, String> {
        let (without_proof, sent) = message.rsplit_once(",p=").ok_or("no proof")?;
        // librdkafka before 2.6 repeats its own nonce before it; brokers that it can talk to look at the end alone.
        let told = without_proof.strip_prefix("c=biws,r=").unwrap_or_default();
        if !told.ends_with(&nonce) || told.contains(',') {
            return Err("another nonce or channel binding than was agreed upon".to_owned());
        }
        let keys = keys(self.hash, &password, &salt, NonZeroU32::new(MIN_ITERATIONS).unwrap_or(NonZeroU32::MIN));
        let auth_message = format!("{bare},{first},{without_proof}");
        let sent = BASE64.decode(sent).map_err(|_| "a proof that is not base64")?;
        if sent != proof(self.hash, &keys.client, &auth_message) {
            return Err("invalid credentials".to_owned());
        }
        let signature = BASE64.encode(hmac::sign(&keys.server, auth_message.as_bytes()).as_ref());
        Ok(Reply::Accepted(format!("v={signature}").into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchanges of RFC 5802 and RFC 7677, section "SCRAM Authentication Exchange" and 3.
    #[test]
    fn vectors_of_the_rfcs() {
        let cases = [
            (
                Hash::Sha1,
                "fyko+d2lbbFgONRv9qkxdawL",
                "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ),
            (
                Hash::Sha256,
                "rOprNGfwEbeRWgbNEkqO",
                "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                 p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
        ];
        for (hash, nonce, first, server_first, last, server_final) in cases {
            let mut c = Client::with_nonce(hash, "user", "pencil", nonce.to_owned());
            assert_eq!(c.first(), first.as_bytes());
            let Step::Send(sent) = c.answer(server_first.as_bytes()).unwrap() else { panic!("done too early") };
            assert_eq!(std::str::from_utf8(&sent), Ok(last));
            assert!(matches!(c.answer(server_final.as_bytes()), Ok(Step::Done)));
            assert!(c.answer(b"").is_err());
        }
    }

    fn refusal(server_first: &str) -> String {
        let mut c = Client::with_nonce(Hash::Sha512, "user", "pencil", "abc".to_owned());
        c.answer(server_first.as_bytes()).expect_err("must be refused")
    }

    #[test]
    fn a_server_that_cheats_is_found_out() {
        assert!(refusal("r=abc,s=QSXC,i=4096").contains("nonce"));
        assert!(refusal("r=abX123,s=QSXC,i=4096").contains("nonce"));
        assert!(refusal("r=abcd,s=QSXC,i=4095").contains("4095"));
        assert!(refusal("r=abcd,s=QSXC,i=4000000000").contains("4000000000"));
        assert!(refusal("r=abcd,s=,i=4096").contains("salt"));
        assert!(refusal("r=abcd,s=!,i=4096").contains("base64"));
        assert!(refusal("m=x,r=abcd,s=QSXC,i=4096").contains("r="));
        assert!(refusal("").contains("r="));
        assert!(refusal(&"r=".repeat(9000)).contains("bytes"));
        for last in ["v=AAAA", "v=", "e=other-error", "", "v=!"] {
            let mut c = Client::with_nonce(Hash::Sha256, "user", "pencil", "abc".to_owned());
            assert!(matches!(c.answer(b"r=abcd,s=QSXC,i=4096"), Ok(Step::Send(_))));
            assert!(c.answer(last.as_bytes()).is_err(), "{last}");
        }
    }

    #[test]
    fn client_and_server_agree_on_the_right_password_alone() {
        for hash in [Hash::Sha256, Hash::Sha512] {
            for (user, password, right) in [("a=b,c", "pä ss", true), ("a=b,c", "pass", false), ("x", "pä ss", false)]
            {
                let mut c = Client::new(hash, user, password).unwrap();
                let mut s = Server::new(hash);
                let known = |u: &str| (u == "a=b,c").then(|| "pä ss".to_owned());
                let challenge = match s.take(&c.first(), known) {
                    Reply::Challenge(bytes) => bytes,
                    Reply::Refused(_) => {
                        assert!(!right);
                        continue;
                    }
                    Reply::Accepted(_) => panic!("accepted without a proof"),
                };
                let Ok(Step::Send(last)) = c.answer(&challenge) else { panic!("no proof") };
                match s.take(&last, known) {
                    Reply::Accepted(bytes) => assert!(right && matches!(c.answer(&bytes), Ok(Step::Done))),
                    _ => assert!(!right),
                }
            }
        }
    }
}
