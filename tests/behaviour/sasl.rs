//! SASL: protocol × mechanism × right or wrong credential; sessions renewed; tokens; and no secret in any output.

use super::certs::{cluster, Ca};
use crate::common::*;
use parking_lot::Mutex;
use rkafka::client::{Hooks, Producer, PARTITION_UA};
use rkafka::error::RespErr;
use rkafka::mock::{MockCluster, Security};
use std::sync::Arc;

const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];
const SASL_HANDSHAKE: i16 = 17;
const SASL_AUTHENTICATE: i16 = 36;

/// Settings by which `user` comes in, or does not.
fn credentials(mechanism: &str, user: &str, password: &str) -> Vec<(String, String)> {
    let mut out = vec![("sasl.mechanisms".to_owned(), mechanism.to_owned())];
    if mechanism == "OAUTHBEARER" {
        out.push(("enable.sasl.oauthbearer.unsecure.jwt".to_owned(), "true".to_owned()));
        out.push(("sasl.oauthbearer.config".to_owned(), format!("principal={user}")));
    } else {
        out.push(("sasl.username".to_owned(), user.to_owned()));
        out.push(("sasl.password".to_owned(), password.to_owned()));
    }
    out
}

fn on(c: &Arc<MockCluster>, all: &[(String, String)], more: &[(&str, &str)]) -> Harness {
    let mut pairs: Vec<(&str, &str)> = all.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    pairs.extend_from_slice(more);
    Harness::on(c, &pairs)
}

/// The texts of authentication errors so far.
pub fn refusals(h: &Harness) -> Vec<String> {
    let texts = h.others().into_iter().filter_map(|o| match o {
        Other::Error(RespErr::ERR__AUTHENTICATION, text, _) => Some(text),
        _ => None,
    });
    texts.collect()
}

fn give_up(h: &Harness) {
    h.producer.purge(rkafka::client::PURGE_QUEUE).expect("purge");
    h.close(ms(5000));
}

fn users() -> Security {
    Security::default().with_sasl(&MECHANISMS).expect("mechanisms").with_user("alice", "wonder=land, ü")
}

#[test]
fn the_right_credential_comes_in_and_the_wrong_one_is_told() {
    let _stage = beside();
    let ca = Ca::new();
    for protocol in ["sasl_plaintext", "sasl_ssl"] {
        let security = if protocol == "sasl_ssl" { ca.server() } else { Security::default() };
        let security = security.with_sasl(&MECHANISMS).expect("mechanisms").with_user("alice", "wonder=land, ü");
        let c = cluster(security);
        let base = [("security.protocol", protocol), ("ssl.ca.pem", ca.pem.as_str())];
        for mechanism in MECHANISMS {
            let h = on(&c, &credentials(mechanism, "alice", "wonder=land, ü"), &base);
            let fate = h.wait_fate(h.one(&h.topic("t")), ms(10_000));
            assert_eq!(fate.err, RespErr::NO_ERROR, "{protocol} {mechanism}: {:?}", h.others());
            h.close(ms(5000));
            for (user, password) in [("alice", "queen"), ("mallory", "wonder=land, ü")] {
                if mechanism == "OAUTHBEARER" && user == "alice" {
                    continue;
                }
                let before = c.accepted_connections(1);
                let h = on(&c, &credentials(mechanism, user, password), &base);
                h.one(&h.topic("t"));
                eventually("attempts", ms(10_000), || c.accepted_connections(1) >= before + 4);
                eventually("a refusal", ms(10_000), || !refusals(&h).is_empty());
                let told = refusals(&h);
                assert_eq!(told.len(), 1, "told once, not with each attempt: {told:?}");
                let advice = if mechanism == "OAUTHBEARER" { "mallory is nobody" } else { "sasl.password" };
                assert!(told[0].contains(advice) && !told[0].contains(password), "{told:?}");
                assert_eq!(h.reports(), 0);
                give_up(&h);
            }
        }
    }
}

#[test]
fn other_credentials_are_used_from_the_next_authentication_on() {
    let _stage = beside();
    let c = cluster(users());
    for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
        let h = on(&c, &credentials(mechanism, "alice", "queen"), &[("security.protocol", "sasl_plaintext")]);
        let n = h.one(&h.topic("t"));
        eventually("a refusal", ms(10_000), || !refusals(&h).is_empty());
        h.producer.set_sasl_credentials("alice", "wonder=land, ü");
        let fate = h.wait_fate(n, ms(10_000));
        assert_eq!(fate.err, RespErr::NO_ERROR, "{mechanism}: {:?}", h.others());
        h.close(ms(5000));
    }
}

#[test]
fn an_unknown_mechanism_lists_those_of_the_broker() {
    let _stage = beside();
    let c =
        cluster(Security::default().with_sasl(&["PLAIN", "SCRAM-SHA-512"]).expect("mechanisms").with_user("a", "b"));
    let h = on(&c, &credentials("SCRAM-SHA-256", "a", "b"), &[("security.protocol", "sasl_plaintext")]);
    h.one(&h.topic("t"));
    eventually("a refusal", ms(10_000), || !refusals(&h).is_empty());
    let text = &refusals(&h)[0];
    assert!(text.contains("SCRAM-SHA-256") && text.contains("PLAIN, SCRAM-SHA-512"), "{text}");
    give_up(&h);
}

#[test]
fn a_listener_without_sasl_is_told_by_name() {
    let _stage = beside();
    let c = cluster(Security::default());
    let h = on(&c, &credentials("PLAIN", "a", "b"), &[("security.protocol", "sasl_plaintext")]);
    h.one(&h.topic("t"));
    eventually("a refusal", ms(10_000), || !refusals(&h).is_empty());
    assert!(refusals(&h)[0].contains("security.protocol"), "{:?}", refusals(&h));
    give_up(&h);
}

/// SASLprep makes `IX` of `Ⅸ`; a server that keeps to RFC 4013 knows the password so.
#[test]
fn passwords_work_as_they_are_and_prepared() {
    let _stage = beside();
    for stored in ["IX", "\u{2168}"] {
        let c = cluster(Security::default().with_sasl(&["SCRAM-SHA-256"]).expect("a mechanism").with_user("a", stored));
        let h = on(&c, &credentials("SCRAM-SHA-256", "a", "\u{2168}"), &[("security.protocol", "sasl_plaintext")]);
        assert_eq!(h.wait_fate(h.one(&h.topic("t")), ms(10_000)).err, RespErr::NO_ERROR);
        h.close(ms(5000));
    }
}

#[test]
fn sessions_are_renewed_without_loss_or_disorder() {
    let _stage = beside();
    for mechanism in MECHANISMS {
        let c = cluster(users().with_session_lifetime(2000));
        let more = [("security.protocol", "sasl_plaintext"), ("linger.ms", "1"), ("enable.idempotence", "true")];
        let h = on(&c, &credentials(mechanism, "alice", "wonder=land, ü"), &more);
        let t = h.topic("t");
        let end = std::time::Instant::now() + ms(5000);
        let mut n = 0;
        while std::time::Instant::now() < end {
            for _ in 0..20 {
                h.produce(&t, PARTITION_UA, Some(b"k"), (0, n)).expect("accepted");
                n += 1;
            }
            std::thread::sleep(ms(2));
        }
        h.flush(ms(20_000));
        let wrong = h.compare_with_log(&Default::default(), true, true);
        assert!(wrong.is_empty(), "{mechanism}: {}", wrong.join("\n"));
        let (handshakes, connections) = (c.request_count(SASL_HANDSHAKE), c.accepted_connections(1));
        assert!(handshakes > connections, "{mechanism}: {handshakes} handshakes on {connections} connections");
        h.close(ms(5000));
    }
}

#[test]
fn requests_wait_until_the_client_is_known() {
    let _stage = beside();
    let c = cluster(users());
    c.record_requests(true);
    let h =
        on(&c, &credentials("SCRAM-SHA-512", "alice", "wonder=land, ü"), &[("security.protocol", "sasl_plaintext")]);
    h.wait_fate(h.one(&h.topic("t")), ms(10_000));
    let keys: Vec<i16> = c.take_requests().iter().map(|r| r.api_key).take(5).collect();
    assert_eq!(keys, [18, SASL_HANDSHAKE, SASL_AUTHENTICATE, SASL_AUTHENTICATE, 3]);
    h.close(ms(5000));
}

pub fn unsecured(principal: &str, seconds: f64) -> String {
    use base64::Engine;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs_f64();
    let encode = |s: String| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(s);
    let body = format!("{{\"sub\":\"{principal}\",\"exp\":{}}}", now + seconds);
    format!("{}.{}.", encode("{\"alg\":\"none\"}".to_owned()), encode(body))
}

fn in_ms(ahead: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time");
    now.as_millis() as i64 + ahead
}

#[test]
fn the_application_is_asked_for_tokens_in_time() {
    let _stage = beside();
    let c = cluster(users());
    let pairs = [
        ("security.protocol", "sasl_plaintext"),
        ("sasl.mechanisms", "OAUTHBEARER"),
        ("sasl.oauthbearer.config", "mine=1"),
    ];
    let h = Harness::on(&c, &pairs);
    let id = h.one(&h.topic("t"));
    let asked = || h.others().iter().filter(|o| matches!(o, Other::TokenRefresh(config) if config == "mine=1")).count();
    eventually("the question", ms(5000), || asked() == 1);
    // No token, no connection.
    std::thread::sleep(ms(200));
    assert_eq!((c.accepted_connections(1), h.fate(id).is_some()), (0, false));
    let p = &h.producer;
    let refused = |value: &str, at: i64, extensions: &[(&str, &str)]| {
        let extensions = extensions.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let (code, text) = p.set_token(value, at, "alice", extensions).expect_err("must be refused");
        assert_eq!(code, RespErr::ERR__INVALID_ARG, "{text}");
    };
    refused("", in_ms(1000), &[]);
    refused("a b", in_ms(1000), &[]);
    refused("token", in_ms(-1), &[]);
    refused("token", in_ms(1000), &[("auth", "x")]);
    p.set_token(&unsecured("alice", 60.0), in_ms(1000), "alice", vec![("trace".to_owned(), "1".to_owned())])
        .expect("taken");
    assert_eq!(h.wait_fate(id, ms(10_000)).err, RespErr::NO_ERROR);
    eventually("the next question", ms(5000), || asked() == 2);
    p.set_token_failure("no luck").expect("taken");
    eventually("an error", ms(5000), || refusals(&h).iter().any(|t| t.contains("no luck")));
    assert_eq!(p.set_token_failure(""), Err(RespErr::ERR__INVALID_ARG));
    h.close(ms(5000));
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let sasl = ("security.protocol", "sasl_plaintext");
    for (pairs, named) in [
        (&[sasl][..], "GSSAPI"),
        (&[sasl, ("sasl.mechanisms", "DIGEST-MD5")], "SCRAM-SHA-512"),
        (&[sasl, ("sasl.mechanisms", "PLAIN"), ("sasl.password", "x")], "sasl.username"),
        (&[sasl, ("sasl.mechanisms", "SCRAM-SHA-256"), ("sasl.username", "x")], "sasl.password"),
        (
            &[sasl, ("sasl.mechanisms", "OAUTHBEARER"), ("enable.sasl.oauthbearer.unsecure.jwt", "true")],
            "sasl.oauthbearer.config",
        ),
        (&[sasl, ("sasl.mechanisms", "OAUTHBEARER"), ("sasl.oauthbearer.method", "oidc")], "token.endpoint.url"),
        (&[("bootstrap.servers", "SSL://localhost:9092")], "security.protocol"),
    ] {
        match Producer::new(conf(pairs), Hooks::default()) {
            Ok(_) => panic!("{pairs:?} must be refused"),
            Err(text) => assert!(text.contains(named), "{text}"),
        }
    }
    let h = Harness::new(&[("test.mock.num.brokers", "1")]);
    assert_eq!(h.producer.set_token("t", in_ms(1000), "p", vec![]).map_err(|e| e.0), Err(RespErr::ERR__STATE));
    assert_eq!(h.producer.set_token_failure("t"), Err(RespErr::ERR__STATE));
}

/// Everything that a client says with `debug=all` (log lines, errors, statistics), right credential and wrong one alike.
#[test]
fn no_output_holds_a_secret() {
    let _stage = beside();
    let ca = Ca::new();
    let (clients, id) = (Ca::new(), ca.issue(&["127.0.0.1"]));
    let me = clients.issue(&["me.example"]);
    let security = Security::default()
        .with_tls(&id.certificate, &id.key, Some(&clients.pem))
        .and_then(|s| s.with_sasl(&MECHANISMS))
        .expect("TLS, SASL");
    let c = cluster(security.with_user("alice", "hunter2-right"));
    let key: String = me.key.lines().filter(|l| !l.starts_with('-')).collect();
    for mechanism in MECHANISMS {
        for password in ["hunter2-right", "hunter2-wrong"] {
            let heard = Arc::new(Mutex::new(String::new()));
            let log = heard.clone();
            let hooks = Hooks {
                log: Some(Box::new(move |_, facility, text| *log.lock() += &format!("{facility} {text}\n"))),
                ..hooks()
            };
            let user = if password == "hunter2-right" { "alice" } else { "mallory" };
            let mut all = credentials(mechanism, user, password);
            for (k, v) in [
                ("debug", "all"),
                ("security.protocol", "sasl_ssl"),
                ("ssl.ca.pem", &ca.pem),
                ("ssl.certificate.pem", &me.certificate),
                ("ssl.key.pem", &me.key),
                ("statistics.interval.ms", "50"),
                ("bootstrap.servers", &c.bootstrap()),
            ] {
                all.push((k.to_owned(), v.to_owned()));
            }
            let pairs: Vec<(&str, &str)> = all.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let conf = conf(&pairs);
            *heard.lock() += &format!("{:?} {conf:?} {:?}", conf.dump(), conf.settings());
            let h = Harness::with(conf, hooks);
            h.one(&h.topic("t"));
            if user == "alice" {
                h.flush(ms(10_000));
            } else {
                eventually("a refusal", ms(10_000), || !refusals(&h).is_empty());
            }
            eventually("statistics", ms(5000), || h.others().iter().any(|o| matches!(o, Other::Stats(_))));
            give_up(&h);
            let said = format!("{}{:?}", heard.lock(), h.others());
            assert!(said.contains("authenticating by") && said.len() > 1000, "{said}");
            // The middle part of an unsecured token begins so.
            for secret in [password, &key[..40], "eyJhbGciOiJub25lIn0"] {
                assert!(!said.contains(secret), "{mechanism}: {secret} in {said}");
            }
        }
    }
}
