//! OAUTHBEARER with tokens from a token endpoint over HTTPS.

use super::certs::{cluster, Ca};
use super::sasl::{refusals, unsecured};
use crate::common::*;
use base64::Engine;
use parking_lot::Mutex;
use rkafka::error::RespErr;
use rkafka::mock::Security;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

/// What the endpoint answers, as (status, body), by the number of the request.
type Answers = Box<dyn Fn(usize) -> (u16, String) + Send>;

/// A token endpoint; the requests it got.
fn endpoint(ca: &Ca, answers: Answers) -> (String, Arc<Mutex<Vec<String>>>) {
    let id = ca.issue(&["localhost"]);
    let tls = rkafka::security::tls::server_config(&id.certificate, &id.key, None).expect("TLS");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://localhost:{}/token?tenant=1", listener.local_addr().expect("an address").port());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let requests = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let Ok(conn) = rustls::ServerConnection::new(tls.clone()) else { return };
            let mut stream = rustls::StreamOwned::new(conn, stream);
            let mut request = Vec::new();
            let mut byte = [0];
            // Head, then as much body as it says.
            while !request.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                request.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&request).to_lowercase();
            let length =
                head.split("content-length:").nth(1).and_then(|r| r.trim_start().split('\r').next()?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            if request.is_empty() || stream.read_exact(&mut body).is_err() {
                continue;
            }
            request.extend_from_slice(&body);
            let n = {
                let mut all = requests.lock();
                all.push(String::from_utf8_lossy(&request).into_owned());
                all.len()
            };
            let (status, body) = answers(n);
            let answer = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: \
                 close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    (url, seen)
}

fn harness(c: &Arc<rkafka::mock::MockCluster>, url: &str, ca: &str) -> Harness {
    Harness::on(
        c,
        &[
            ("security.protocol", "sasl_plaintext"),
            ("sasl.mechanisms", "OAUTHBEARER"),
            ("sasl.oauthbearer.method", "oidc"),
            ("sasl.oauthbearer.token.endpoint.url", url),
            ("sasl.oauthbearer.client.id", "me"),
            ("sasl.oauthbearer.client.secret", "hunter2"),
            ("sasl.oauthbearer.scope", "a b"),
            ("https.ca.pem", ca),
        ],
    )
}

fn brokers() -> Arc<rkafka::mock::MockCluster> {
    cluster(Security::default().with_sasl(&["OAUTHBEARER"]).expect("a mechanism").with_user("alice", ""))
}

#[test]
fn tokens_are_got_renewed_and_got_again_after_trouble() {
    let _stage = beside();
    let ca = Ca::new();
    let c = brokers();
    let answers = |n| match n {
        1 => (503, "busy".to_owned()),
        _ => (200, format!("{{\"access_token\":\"{}\",\"expires_in\":3}}", unsecured("alice", 3.0))),
    };
    let (url, seen) = endpoint(&ca, Box::new(answers));
    let h = harness(&c, &url, &ca.pem);
    let id = h.one(&h.topic("t"));
    assert_eq!(h.wait_fate(id, ms(10_000)).err, RespErr::NO_ERROR, "{:?}", h.others());
    // After four fifths of its life.
    eventually("the next token", ms(10_000), || seen.lock().len() >= 3);
    let request = seen.lock()[0].clone();
    let basic = base64::engine::general_purpose::STANDARD.encode("me:hunter2");
    let lower = request.to_lowercase();
    assert!(request.starts_with("POST /token?tenant=1 ") && request.contains(&format!("Basic {basic}")), "{request}");
    assert!(lower.contains("content-type: application/x-www-form-urlencoded"), "{request}");
    assert!(request.ends_with("grant_type=client_credentials&scope=a+b"), "{request}");
    assert!(refusals(&h).is_empty(), "{:?}", h.others());
    h.close(ms(5000));
}

#[test]
fn what_goes_wrong_is_told_without_the_secret() {
    let _stage = beside();
    let ca = Ca::new();
    let c = brokers();
    let unauthorized = "{\"error\":\"invalid_client\",\"error_description\":\"unknown\\u0007 client\"}";
    for (status, body, named) in [
        (401, unauthorized, "invalid_client: unknown? client"),
        (302, "", "302"),
        (200, "nonsense", "not JSON"),
        (200, "{}", "access_token"),
        (200, "{\"access_token\":\"a.b.c\"}", "expires"),
        (200, "{\"access_token\":\"a b\",\"expires_in\":10}", "characters"),
    ] {
        let (url, seen) = endpoint(&ca, Box::new(move |_| (status, body.to_owned())));
        let h = harness(&c, &url, &ca.pem);
        h.one(&h.topic("t"));
        eventually("an error", ms(10_000), || !refusals(&h).is_empty());
        let told = refusals(&h);
        assert!(told[0].contains(named) && told[0].contains("localhost") && !told[0].contains("hunter2"), "{told:?}");
        // Such answers are not better the next time.
        assert_eq!(seen.lock().len(), 1, "{named}");
        h.producer.purge(rkafka::client::PURGE_QUEUE).expect("purge");
        h.close(ms(5000));
    }
    // Nobody is given the secret whose certificate is not trusted.
    let (url, seen) = endpoint(&ca, Box::new(|_| (500, String::new())));
    let h = harness(&c, &url, &Ca::new().pem);
    h.one(&h.topic("t"));
    eventually("an error", ms(10_000), || !refusals(&h).is_empty());
    assert!(seen.lock().is_empty() && refusals(&h)[0].contains("localhost"), "{:?}", refusals(&h));
    h.producer.purge(rkafka::client::PURGE_QUEUE).expect("purge");
    h.close(ms(5000));
}

/// The parameters of a request's form.
fn form(request: &str) -> Vec<(String, String)> {
    let body = request.split("\r\n\r\n").nth(1).expect("a body");
    let plain = |text: &str| text.replace("%3A", ":").replace('+', " ");
    body.split('&')
        .map(|pair| pair.split_once('=').expect("a pair"))
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

/// A file that is gone with the value.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, text: &str) -> File {
        let path = std::env::temp_dir().join(format!("rkafka-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("a file");
        File(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn jwt_bearer<'a>(url: &'a str, ca: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut settings = vec![
        ("security.protocol", "sasl_plaintext"),
        ("sasl.mechanisms", "OAUTHBEARER"),
        ("sasl.oauthbearer.method", "oidc"),
        ("sasl.oauthbearer.grant.type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("sasl.oauthbearer.token.endpoint.url", url),
        ("https.ca.pem", ca),
    ];
    settings.extend(more);
    settings
}

/// JWT-bearer (RFC 7523): an assertion that is signed anew for every attempt, and tried again.
#[test]
fn an_assertion_is_signed_and_changed_for_a_token() {
    let _stage = beside();
    let ca = Ca::new();
    let c = brokers();
    let answers = |n| match n {
        1 => (503, "busy".to_owned()),
        _ => (200, format!("{{\"id_token\":\"{}\"}}", unsecured("alice", 60.0))),
    };
    let (url, seen) = endpoint(&ca, Box::new(answers));
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
    let template = File::new("template.json", "{\"header\":{\"kid\":\"of mine\"},\"payload\":{\"iss\":\"x\"}}");
    let pem = key.serialize_pem();
    let more = [
        ("sasl.oauthbearer.assertion.algorithm", "ES256"),
        ("sasl.oauthbearer.assertion.private.key.pem", pem.as_str()),
        ("sasl.oauthbearer.assertion.jwt.template.file", template.path()),
        ("sasl.oauthbearer.assertion.claim.sub", "service"),
        ("sasl.oauthbearer.assertion.claim.iss", "issuer"),
        ("sasl.oauthbearer.assertion.claim.aud", "https://endpoint"),
        ("sasl.oauthbearer.assertion.claim.jti.include", "true"),
        ("sasl.oauthbearer.scope", "a b"),
    ];
    let h = Harness::on(&c, &jwt_bearer(&url, &ca.pem, &more));
    let id = h.one(&h.topic("t"));
    assert_eq!(h.wait_fate(id, ms(20_000)).err, RespErr::NO_ERROR, "{:?}", h.others());
    let requests = seen.lock().clone();
    assert_eq!(requests.len(), 2);
    let mut ids = Vec::new();
    for request in &requests {
        assert!(!request.to_lowercase().contains("authorization:"), "{request}");
        let form = form(request);
        assert_eq!(form[0], ("grant_type".to_owned(), "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()));
        assert_eq!(form[2], ("scope".to_owned(), "a b".to_owned()));
        let (signed, signature) = form[1].1.rsplit_once('.').expect("a JWT");
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let public = ring::signature::UnparsedPublicKey::new(
            &ring::signature::ECDSA_P256_SHA256_FIXED,
            rcgen::PublicKeyData::der_bytes(&key),
        );
        public.verify(signed.as_bytes(), &engine.decode(signature).expect("base64")).expect("the signature is right");
        let parts: Vec<serde_json::Value> = signed
            .split('.')
            .map(|p| serde_json::from_slice(&engine.decode(p).expect("base64")).expect("JSON"))
            .collect();
        assert_eq!(parts[0], serde_json::json!({"alg": "ES256", "typ": "JWT", "kid": "of mine"}));
        let claim = |name: &str| parts[1].get(name).cloned().unwrap_or_default();
        assert_eq!(
            (claim("sub"), claim("iss"), claim("aud")),
            ("service".into(), "issuer".into(), "https://endpoint".into())
        );
        let (iat, exp, nbf) = (claim("iat").as_i64(), claim("exp").as_i64(), claim("nbf").as_i64());
        assert_eq!((exp, nbf), (iat.map(|t| t + 300), iat.map(|t| t - 60)));
        ids.push(claim("jti"));
    }
    assert!(ids[0].is_string() && ids[0] != ids[1], "{ids:?}");
    h.close(ms(5000));
}

#[test]
fn an_assertion_that_is_ready_is_read_for_each_token() {
    let _stage = beside();
    let ca = Ca::new();
    let c = brokers();
    let answers = |_| (200, format!("{{\"access_token\":\"{}\",\"expires_in\":2}}", unsecured("alice", 2.0)));
    let (url, seen) = endpoint(&ca, Box::new(answers));
    let file = File::new("assertion.jwt", "first.one.\n");
    let h = Harness::on(&c, &jwt_bearer(&url, &ca.pem, &[("sasl.oauthbearer.assertion.file", file.path())]));
    let id = h.one(&h.topic("t"));
    assert_eq!(h.wait_fate(id, ms(20_000)).err, RespErr::NO_ERROR, "{:?}", h.others());
    assert_eq!(form(&seen.lock()[0])[1].1, "first.one.");
    std::fs::write(&file.0, "second.one.x").expect("a file");
    eventually("the second assertion", ms(20_000), || {
        seen.lock().last().is_some_and(|request| form(request)[1].1 == "second.one.x")
    });
    // A file that holds something else is not sent, and is told by name.
    let count = seen.lock().len();
    std::fs::write(&file.0, "no token").expect("a file");
    eventually("an error", ms(20_000), || {
        refusals(&h)
            .iter()
            .any(|told| told.contains("sasl.oauthbearer.assertion.file") && told.contains("holds no JWT"))
    });
    assert!(seen.lock().len() <= count + 1);
    h.close(ms(5000));
}

#[test]
fn what_cannot_make_an_assertion_is_refused_by_name() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key").serialize_pem();
    let pem = ("sasl.oauthbearer.assertion.private.key.pem", key.as_str());
    let cases: [(&[(&str, &str)], &str); 7] = [
        (&[], "private.key.file` or `sasl.oauthbearer.assertion.private.key.pem"),
        (&[pem, ("sasl.oauthbearer.assertion.private.key.file", "x")], "cannot both be set"),
        (&[("sasl.oauthbearer.assertion.file", "x"), pem], "cannot both be set"),
        // RS256 is the default, and the key is of ECDSA.
        (&[pem], "RS256 wants RSA"),
        (&[("sasl.oauthbearer.assertion.private.key.file", "/nowhere/key")], "cannot read /nowhere/key"),
        (&[("sasl.oauthbearer.assertion.private.key.pem", "nonsense")], "no private key"),
        (
            &[
                pem,
                ("sasl.oauthbearer.assertion.algorithm", "ES256"),
                ("sasl.oauthbearer.assertion.jwt.template.file", "/nowhere/t"),
            ],
            "template.file`: cannot read /nowhere/t",
        ),
    ];
    for (more, named) in cases {
        let mut conf = rkafka::conf::Conf::new();
        conf.set("bootstrap.servers", "127.0.0.1:1").expect("a setting");
        for (name, value) in jwt_bearer("http://127.0.0.1:1/", "", more) {
            conf.set(name, value).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        let why = rkafka::client::Producer::new(conf, Default::default()).err().expect("a refusal");
        assert!(why.contains(named), "{named} is not in: {why}");
        assert!(!why.contains("BEGIN"), "{why}");
    }
}

/// Everything that a client says with `debug=all` while it gets tokens, and while it does not.
#[test]
fn no_output_holds_what_tokens_are_got_with() {
    let _stage = beside();
    let ca = Ca::new();
    let c = brokers();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key").serialize_pem();
    let body: String = key.lines().filter(|l| !l.starts_with('-')).collect();
    for status in [200, 401] {
        for grant in ["client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"] {
            let answers = move |_| match status {
                200 => (status, format!("{{\"access_token\":\"{}\"}}", unsecured("alice", 60.0))),
                _ => (status, "{\"error\":\"invalid_grant\"}".to_owned()),
            };
            let (url, seen) = endpoint(&ca, Box::new(answers));
            let heard = Arc::new(Mutex::new(String::new()));
            let log = heard.clone();
            let hooks = rkafka::client::Hooks {
                log: Some(Box::new(move |_, facility, text| *log.lock() += &format!("{facility} {text}\n"))),
                ..hooks()
            };
            let mut settings = jwt_bearer(&url, &ca.pem, &[]);
            settings.retain(|(name, _)| *name != "sasl.oauthbearer.grant.type");
            let bootstrap = c.bootstrap();
            settings.extend([
                ("bootstrap.servers", bootstrap.as_str()),
                ("debug", "all"),
                ("statistics.interval.ms", "50"),
                ("sasl.oauthbearer.grant.type", grant),
                ("sasl.oauthbearer.client.id", "me"),
                ("sasl.oauthbearer.client.secret", "hunter2"),
                ("sasl.oauthbearer.assertion.algorithm", "ES256"),
                ("sasl.oauthbearer.assertion.private.key.pem", &key),
                ("sasl.oauthbearer.assertion.private.key.passphrase", "hunter2"),
            ]);
            let mut conf = rkafka::conf::Conf::new();
            for (name, value) in &settings {
                conf.set(name, *value).unwrap_or_else(|e| panic!("{name}: {e}"));
            }
            *heard.lock() += &format!("{:?} {conf:?} {:?}", conf.dump(), conf.settings());
            let h = Harness::with(conf, hooks);
            h.one(&h.topic("t"));
            if status == 200 {
                h.flush(ms(20_000));
            } else {
                eventually("an error", ms(20_000), || !refusals(&h).is_empty());
            }
            eventually("statistics", ms(10_000), || h.others().iter().any(|o| matches!(o, Other::Stats(_))));
            h.producer.purge(rkafka::client::PURGE_QUEUE).expect("purge");
            let said = format!("{}{:?}", heard.lock(), h.others());
            assert!(said.contains("OAUTH") && said.len() > 1000, "{said}");
            let request = seen.lock()[0].clone();
            let basic = base64::engine::general_purpose::STANDARD.encode("me:hunter2");
            let mut secrets = vec!["hunter2", &body[..40], basic.as_str(), "eyJhbGciOiJub25lIn0"];
            let assertion = form(&request).into_iter().find(|(name, _)| name == "assertion").map(|(_, value)| value);
            assert_eq!(assertion.is_some(), grant != "client_credentials");
            secrets.extend(assertion.iter().map(|a| &a[..60]));
            for secret in secrets {
                assert!(!said.contains(secret), "{grant}: {secret} in {said}");
            }
            h.close(ms(5000));
        }
    }
}
