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
