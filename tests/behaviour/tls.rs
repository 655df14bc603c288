//! TLS: who is trusted, what is said when somebody is not, and that bytes arrive.

use super::certs::{cluster, self_signed, Ca, Identity};
use crate::common::*;
use rkafka::client::{Hooks, Message, Producer, Section, PARTITION_UA};
use rkafka::error::RespErr;
use rkafka::mock::{MockCluster, Security};
use std::sync::Arc;

/// Produces one message that must arrive.
fn delivers(c: &Arc<MockCluster>, pairs: &[(&str, &str)]) {
    let h = Harness::on(c, pairs);
    assert_eq!(h.wait_fate(h.one(&h.topic("t")), ms(10_000)).err, RespErr::NO_ERROR, "{pairs:?} {:?}", h.others());
    h.close(ms(5000));
}

/// The text of the one error event, with ERR__SSL or the code given, that these settings must lead to.
fn fails(c: &Arc<MockCluster>, code: RespErr, pairs: &[(&str, &str)]) -> String {
    let h = Harness::on(c, pairs);
    h.one(&h.topic("t"));
    let found = || {
        h.others().into_iter().find_map(|o| match o {
            Other::Error(e, text, _) if e == code => Some(text),
            _ => None,
        })
    };
    eventually("an error event", ms(10_000), || found().is_some());
    // It tries again and again, and says so once.
    eventually("more attempts", ms(10_000), || c.accepted_connections(1) >= 4);
    let times = h.others().iter().filter(|o| matches!(o, Other::Error(e, ..) if *e == code)).count();
    assert!(times <= 1, "{:?}", h.others());
    let text = found().expect("just seen");
    h.producer.purge(rkafka::client::PURGE_QUEUE).expect("purge");
    h.close(ms(5000));
    text
}

const SSL: (&str, &str) = ("security.protocol", "ssl");

#[test]
fn messages_of_every_size_arrive_over_tls() {
    let _stage = beside();
    let ca = Ca::new();
    let c = cluster(ca.server());
    let mut h = Harness::on(&c, &[SSL, ("ssl.ca.pem", &ca.pem), ("linger.ms", "5")]);
    h.pad = 20_000;
    let t = h.topic("t");
    h.produce_many(&t, PARTITION_UA, 2000);
    h.flush(ms(30_000));
    let wrong = h.compare_with_log(&Default::default(), false, false);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // More than TLS and the socket hold at once.
    let big = vec![b'x'; 900_000];
    let ids: Vec<usize> = (0..20)
        .map(|_| {
            let m = Message {
                partition: 0,
                payload: Some(&big),
                key: None,
                headers: Section::NONE,
                timestamp_ms: 0,
                opaque: 0,
                block: false,
            };
            h.produce_message(&t, &m).expect("accepted")
        })
        .collect();
    h.flush(ms(30_000));
    assert!(ids.iter().all(|id| h.fate(*id).expect("flushed").err == RespErr::NO_ERROR));
    h.close(ms(5000));
}

#[test]
fn connections_lost_within_tls_are_made_again() {
    let _stage = beside();
    let ca = Ca::new();
    let c = cluster(ca.server());
    let h = Harness::on(&c, &[SSL, ("ssl.ca.pem", &ca.pem), ("enable.idempotence", "true")]);
    let t = h.topic("t");
    for i in 0..40 {
        for j in 0..50 {
            h.produce(&t, PARTITION_UA, None, (0, i * 50 + j)).expect("accepted");
        }
        if i % 8 == 7 {
            c.drop_connections(1).expect("a broker");
        }
    }
    h.flush(ms(30_000));
    let wrong = h.compare_with_log(&Default::default(), true, true);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    h.close(ms(5000));
}

#[test]
fn versions_suites_and_curves_can_be_chosen() {
    let _stage = beside();
    let ca = Ca::new();
    let c = cluster(ca.server());
    for suites in ["TLS_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_CHACHA20_POLY1305_SHA256"] {
        delivers(
            &c,
            &[SSL, ("ssl.ca.pem", &ca.pem), ("ssl.cipher.suites", suites), ("ssl.curves.list", "P-256:X25519")],
        );
    }
}

#[test]
fn an_unknown_ca_is_refused_and_named() {
    let _stage = beside();
    let (ca, other) = (Ca::new(), Ca::new());
    let c = cluster(ca.server());
    let text = fails(&c, RespErr::ERR__SSL, &[SSL, ("ssl.ca.pem", &other.pem)]);
    assert!(text.contains("no trusted CA") && text.contains("ssl.ca.location"), "{text}");
    delivers(&c, &[SSL, ("enable.ssl.certificate.verification", "false")]);
}

#[test]
fn a_wrong_name_is_refused_and_both_are_named() {
    let _stage = beside();
    let ca = Ca::new();
    let id = ca.issue(&["broker.example", "other.example"]);
    let c = cluster(Security::default().with_tls(&id.certificate, &id.key, None).expect("TLS"));
    let text = fails(&c, RespErr::ERR__SSL, &[SSL, ("ssl.ca.pem", &ca.pem)]);
    for part in ["broker.example", "other.example", "not for 127.0.0.1", "ssl.endpoint.identification.algorithm"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    delivers(&c, &[SSL, ("ssl.ca.pem", &ca.pem), ("ssl.endpoint.identification.algorithm", "none")]);
}

#[test]
fn an_expired_certificate_is_refused_with_its_date() {
    let _stage = beside();
    let ca = Ca::new();
    let id = ca.issue_for(&["127.0.0.1"], (2020, 2021));
    let c = cluster(Security::default().with_tls(&id.certificate, &id.key, None).expect("TLS"));
    // The name does not make up for it, nor does switching its check off.
    let text = fails(
        &c,
        RespErr::ERR__SSL,
        &[SSL, ("ssl.ca.pem", &ca.pem), ("ssl.endpoint.identification.algorithm", "none")],
    );
    assert!(text.contains("expired at 2021-01-01 00:00:00 UTC"), "{text}");
}

#[test]
fn a_self_signed_certificate_is_trusted_if_told_so() {
    let _stage = beside();
    let id = self_signed(&["127.0.0.1"]);
    let c = cluster(Security::default().with_tls(&id.certificate, &id.key, None).expect("TLS"));
    delivers(&c, &[SSL, ("ssl.ca.pem", &id.certificate)]);
    let other = self_signed(&["127.0.0.1"]);
    let text = fails(&c, RespErr::ERR__SSL, &[SSL, ("ssl.ca.pem", &other.certificate)]);
    assert!(text.contains("certificate"), "{text}");
    let id = self_signed(&["elsewhere.example"]);
    c.set_security(Security::default().with_tls(&id.certificate, &id.key, None).expect("TLS"));
    let text = fails(&c, RespErr::ERR__SSL, &[SSL, ("ssl.ca.pem", &id.certificate)]);
    assert!(text.contains("elsewhere.example"), "{text}");
}

#[test]
fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let _stage = beside();
    let (ca, clients) = (Ca::new(), Ca::new());
    let id = ca.issue(&["127.0.0.1"]);
    let c = cluster(Security::default().with_tls(&id.certificate, &id.key, Some(&clients.pem)).expect("TLS"));
    let me = clients.issue(&["me.example"]);
    let mine = |me: &Identity| {
        delivers(
            &c,
            &[SSL, ("ssl.ca.pem", &ca.pem), ("ssl.certificate.pem", &me.certificate), ("ssl.key.pem", &me.key)],
        );
    };
    mine(&me);
    let text = fails(&c, RespErr::ERR__SSL, &[SSL, ("ssl.ca.pem", &ca.pem)]);
    assert!(text.contains("ssl.certificate.location"), "{text}");
    let stranger = Ca::new().issue(&["me.example"]);
    let text = fails(
        &c,
        RespErr::ERR__SSL,
        &[SSL, ("ssl.ca.pem", &ca.pem), ("ssl.certificate.pem", &stranger.certificate), ("ssl.key.pem", &stranger.key)],
    );
    assert!(text.contains("refuses the client's certificate"), "{text}");
    mine(&me);
}

#[test]
fn the_wrong_kind_of_port_is_told_by_name() {
    let _stage = beside();
    let ca = Ca::new();
    let plain = cluster(Security::default());
    let text = fails(&plain, RespErr::ERR__SSL, &[SSL, ("ssl.ca.pem", &ca.pem)]);
    assert!(text.contains("security.protocol"), "{text}");
    let tls = cluster(ca.server());
    let h = Harness::on(&tls, &[]);
    h.one(&h.topic("t"));
    let told = |o: &Other| matches!(o, Other::Error(_, text, _) if text.contains("security.protocol"));
    eventually("an error event that names security.protocol", ms(10_000), || h.others().iter().any(told));
    h.producer.purge(rkafka::client::PURGE_QUEUE).expect("purge");
}

#[test]
fn files_are_read_again_when_they_change() {
    let _stage = beside();
    let dir = std::env::temp_dir().join(format!("rkafka-tls-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let file = dir.join("ca.pem");
    let path = file.to_str().expect("UTF-8");
    let (old, new) = (Ca::new(), Ca::new());
    std::fs::write(&file, &old.pem).expect("a file");
    let c = cluster(old.server());
    let h = Harness::on(&c, &[SSL, ("ssl.ca.location", path)]);
    let t = h.topic("t");
    assert_eq!(h.wait_fate(h.one(&t), ms(10_000)).err, RespErr::NO_ERROR);
    c.set_security(new.server());
    std::fs::write(&file, format!("# rotated\n{}", new.pem)).expect("a file");
    c.drop_connections(1).expect("a broker");
    assert_eq!(h.wait_fate(h.one(&t), ms(10_000)).err, RespErr::NO_ERROR);
    h.close(ms(5000));
    // A folder of certificates does as well.
    delivers(&c, &[SSL, ("ssl.ca.location", dir.to_str().expect("UTF-8"))]);
    std::fs::remove_dir_all(&dir).expect("clean");
}

fn refused(pairs: &[(&str, &str)]) -> String {
    match Producer::new(conf(pairs), Hooks::default()) {
        Ok(_) => panic!("{pairs:?} must be refused"),
        Err(text) => text,
    }
}

#[test]
fn what_cannot_work_is_refused_at_once_and_by_name() {
    let ca = Ca::new();
    let id = ca.issue(&["x"]);
    let other = ca.issue(&["y"]);
    let text = refused(&[SSL, ("ssl.ca.location", "/no/such/file")]);
    assert!(text.contains("ssl.ca.location") && text.contains("/no/such/file"), "{text}");
    let text = refused(&[SSL, ("ssl.ca.pem", "nonsense")]);
    assert!(text.contains("ssl.ca.pem"), "{text}");
    let text = refused(&[SSL, ("ssl.ca.pem", &ca.pem), ("ssl.certificate.pem", &id.certificate)]);
    assert!(text.contains("ssl.key.location"), "{text}");
    let text =
        refused(&[SSL, ("ssl.ca.pem", &ca.pem), ("ssl.certificate.pem", &id.certificate), ("ssl.key.pem", &other.key)]);
    assert!(text.contains("is not the key of"), "{text}");
}

/// Made by: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | openssl pkcs8 -topk8 -v2 aes-256-cbc -passout
/// pass:secret
const ENCRYPTED_KEY: &str = include_str!("../data/encrypted-key.pem");

#[test]
fn encrypted_keys_need_their_password() {
    let ca = Ca::new();
    let id = ca.issue(&["x"]);
    let with = |password: &[(&str, &str)]| {
        let mut pairs = vec![
            SSL,
            ("ssl.ca.pem", ca.pem.as_str()),
            ("ssl.certificate.pem", id.certificate.as_str()),
            ("ssl.key.pem", ENCRYPTED_KEY),
        ];
        pairs.extend_from_slice(password);
        refused(&pairs)
    };
    assert!(with(&[]).contains("no password is given"));
    let wrong = with(&[("ssl.key.password", "hunter2")]);
    assert!(wrong.contains("ssl.key.password") && !wrong.contains("hunter2"), "{wrong}");
    // It is decrypted, and then found to be the key of another certificate.
    assert!(with(&[("ssl.key.password", "secret")]).contains("is not the key of"));
}
