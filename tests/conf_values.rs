//! Setting, reading back, checking and typed settings, through the public interface.

use proptest::prelude::*;
use rkafka::conf::{properties, AddressFamily, Compression, Conf, ConfError, DebugContexts, Kind, Settings};
use rkafka::partitioner::PartitionerKind;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    let mut conf = Conf::new();
    for (name, value) in pairs {
        conf.set(name, *value).unwrap_or_else(|error| panic!("{error}"));
    }
    conf.finalize().unwrap_or_else(|error| panic!("{error}"));
    conf.settings()
}

fn refused(name: &str, value: &str) -> String {
    match Conf::new().set(name, value) {
        Err(ConfError::Invalid(text)) => text,
        other => panic!("{name}={value}: {other:?}"),
    }
}

fn at_odds(pairs: &[(&str, &str)]) -> String {
    let mut conf = Conf::new();
    for (name, value) in pairs {
        conf.set(name, *value).unwrap_or_else(|error| panic!("{error}"));
    }
    conf.finalize().expect_err("finalize should refuse")
}

#[test]
fn defaults() {
    let s = settings(&[("bootstrap.servers", "a, b:1 ,[::1],::2,[::3]:3,PLAINTEXT://c:4,")]);
    assert_eq!(s.bootstrap, ["a:9092", "b:1", "[::1]:9092", "[::2]:9092", "[::3]:3", "c:4"]);
    assert_eq!((s.message_max_bytes, s.batch_size, s.batch_num_messages), (1_000_000, 1_000_000, 10_000));
    assert_eq!((s.linger_us, s.sticky_linger_ms), (5_000, 10));
    assert_eq!((s.queue_max_messages, s.queue_max_bytes), (100_000, 1 << 30));
    assert_eq!((s.retries, s.retry_backoff_ms, s.retry_backoff_max_ms), (i32::MAX as u32, 100, 1_000));
    assert_eq!((s.metadata_refresh_interval_ms, s.metadata_max_age_ms), (300_000, 900_000));
    assert_eq!(s.metadata_refresh_fast_interval_ms, 100);
    assert_eq!(s.broker_address_family, AddressFamily::Any);
    assert!(s.allow_auto_create_topics && s.socket_nodelay && s.partitioner_adaptive);
    assert_eq!((s.log_level, s.debug), (6, DebugContexts::NONE));
    assert_eq!((s.mock_brokers, s.mock_rtt_ms), (0, 0));
    assert!(s.warnings.is_empty(), "{:?}", s.warnings);
    let t = s.default_topic;
    assert_eq!((t.acks, t.request_timeout_ms, t.message_timeout_ms), (-1, 30_000, 300_000));
    assert_eq!(
        (t.partitioner, t.compression, t.compression_level),
        (PartitionerKind::ConsistentRandom, Compression::None, -1)
    );
}

#[test]
fn java_names_set_what_they_mean() {
    let s = settings(&[
        ("buffer.memory", "33554433"),
        ("max.request.size", "2000000"),
        ("batch.size", "1500000"),
        ("delivery.timeout.ms", "120000"),
        ("acks", "all"),
        ("compression.type", "LZ4"),
        ("send.buffer.bytes", "131072"),
        ("receive.buffer.bytes", "65536"),
        ("partitioner.class", "org.apache.kafka.clients.producer.RoundRobinPartitioner"),
        ("linger.ms", "0.5"),
        ("retries", "7"),
    ]);
    assert_eq!(s.queue_max_bytes, 32769 * 1024);
    assert_eq!((s.message_max_bytes, s.batch_size), (2_000_000, 1_500_000));
    assert_eq!((s.socket_send_buffer_bytes, s.socket_receive_buffer_bytes), (131_072, 65_536));
    assert_eq!((s.linger_us, s.retries), (500, 7));
    assert_eq!((s.default_topic.acks, s.default_topic.message_timeout_ms), (-1, 120_000));
    assert_eq!(s.default_topic.partitioner, PartitionerKind::RoundRobin);
    assert_eq!(s.default_topic.compression, Compression::Lz4);
}

#[test]
fn keys_can_be_ignored() {
    let kind = |partitioner: &str| {
        let s = settings(&[("partitioner.ignore.keys", "true"), ("partitioner", partitioner)]);
        s.default_topic.partitioner
    };
    assert_eq!(kind("murmur2_random"), PartitionerKind::UniformSticky);
    assert_eq!(kind("round_robin"), PartitionerKind::RoundRobin);
    let s = settings(&[("partitioner.class", "org.apache.kafka.clients.producer.UniformStickyPartitioner")]);
    assert_eq!(s.default_topic.partitioner, PartitionerKind::UniformSticky);
}

#[test]
fn aliases_read_back_under_every_name() {
    let mut conf = Conf::new();
    assert_eq!(conf.get("buffer.memory").as_deref(), Ok("1073741824"));
    conf.set("buffer.memory", "1025").unwrap();
    assert_eq!(conf.get("queue.buffering.max.kbytes").as_deref(), Ok("2"));
    assert_eq!(conf.get("buffer.memory").as_deref(), Ok("2048"));
    assert!(refused("buffer.memory", "1023").contains("1024.."));
    assert!(!conf.is_modified("linger.ms"));
    conf.set("queue.buffering.max.ms", "2.5").unwrap();
    assert_eq!(conf.get("linger.ms").as_deref(), Ok("2.5"));
    assert!(conf.is_modified("linger.ms") && conf.is_modified("queue.buffering.max.ms"));
    conf.set("linger.ms", None).unwrap();
    assert_eq!(conf.get("linger.ms").as_deref(), Ok("5"));
    assert!(!conf.is_modified("queue.buffering.max.ms"));
}

#[test]
fn empty_texts_are_the_default() {
    let mut conf = Conf::new();
    conf.set("client.id", "me").unwrap();
    conf.set("client.id", "").unwrap();
    assert_eq!(conf.get("client.id").as_deref(), Ok("rdkafka"));
    conf.set("client.rack", "r1").unwrap();
    conf.set("client.rack", "").unwrap();
    assert_eq!(conf.get("client.rack").as_deref(), Ok(""));
}

#[test]
fn copies_are_independent() {
    let mut first = Conf::new();
    first.set("client.id", "first").unwrap();
    let mut second = first.clone();
    second.set("client.id", "second").unwrap();
    assert_eq!(first.get("client.id").as_deref(), Ok("first"));
}

#[test]
fn booleans() {
    for (text, on) in [("true", true), ("T", true), ("1", true), ("FALSE", false), ("f", false), ("0", false)] {
        assert_eq!(settings(&[("socket.keepalive.enable", text)]).socket_keepalive, on, "{text}");
    }
    for text in ["", "yes", "2", "tru"] {
        assert!(refused("socket.keepalive.enable", text).contains("true or false"));
    }
}

#[test]
fn numbers_must_be_whole_texts() {
    for text in ["", "1x", "1.0", "1e3", "--1", "+-1", "0x", "9999999999999999999999", "abc"] {
        let error = refused("retries", text);
        assert!(error.contains(&format!("\"{text}\"")) && error.contains("0..2147483647"), "{error}");
    }
    assert_eq!(settings(&[("retries", " +0x10 ")]).retries, 16);
    for text in ["", "NaN", "inf", "-1", "900001", "5ms"] {
        assert!(refused("linger.ms", text).contains("0..900000"), "{text}");
    }
    assert!(refused("acks", "most").contains("-1..1000 or `all`"));
}

#[test]
fn debug_contexts() {
    let s = settings(&[("debug", " broker, TOPIC ")]);
    assert_eq!(s.debug, DebugContexts::BROKER | DebugContexts::TOPIC);
    assert_eq!(s.log_level, 7);
    assert_eq!(settings(&[("debug", "all")]).debug, DebugContexts::ALL);
    assert_eq!(settings(&[("debug", "all,-msg")]).debug.0, DebugContexts::ALL.0 & !DebugContexts::MSG.0);
    let mut conf = Conf::new();
    conf.set("debug", "broker,msg").unwrap();
    conf.set("debug", "+topic,-msg").unwrap();
    assert_eq!(conf.get("debug").as_deref(), Ok("broker,topic"));
    conf.set("debug", "").unwrap();
    assert_eq!(conf.get("debug").as_deref(), Ok(""));
    assert!(refused("debug", "broker,nonsense").contains("`nonsense` is not known"));
}

#[test]
fn features() {
    assert!(Conf::new().set("builtin.features", "zstd,lz4").is_ok());
    assert!(refused("builtin.features", "zstd,plugins").contains("not in this build: plugins"));
}

#[test]
fn unknown_names_suggest_the_near_one() {
    for (wrong, near) in [
        ("linger_ms", "linger.ms"),
        ("bootstrap.server", "bootstrap.servers"),
        ("bootstarp.servers", "bootstrap.servers"),
        ("queue.buffering.max.message", "queue.buffering.max.messages"),
        ("Compression.Type", "compression.type"),
        ("ack", "acks"),
    ] {
        match Conf::new().set(wrong, "1") {
            Err(ConfError::Unknown(text)) => {
                assert!(text.contains(&format!("\"{wrong}\"")) && text.contains(&format!("\"{near}\"?")), "{text}");
            }
            other => panic!("{wrong}: {other:?}"),
        }
    }
    match Conf::new().get("nothing.like.it.at.all") {
        Err(ConfError::Unknown(text)) => assert!(!text.contains("did you mean"), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_supported_says_so() {
    assert!(refused("security.protocol", "tls").contains("sasl_ssl"));
    assert!(Conf::new().set("security.protocol", "PLAINTEXT").is_ok());
    assert!(refused("ssl.keystore.location", "/etc/client.p12").contains("openssl pkcs12"));
    assert!(refused("ssl.engine.location", "/lib/engine.so").contains("rustls"));
    assert!(refused("sasl.kerberos.keytab", "/etc/keytab").contains("Kerberos"));
    assert!(refused("queuing.strategy", "lifo").contains("fifo"));
    assert!(refused("key.serializer", "org.apache.Foo").contains("no serializers"));
    assert!(refused("max.block.ms", "60000").contains("RK_MSG_F_BLOCK"));
    assert!(refused("dr_msg_cb", "x").contains("rk_conf_set_dr_msg_cb()"));
    assert!(refused("closesocket_cb", "x").contains("no such callback"));
    assert!(refused("bootstrap.servers", "HTTP://a:1").contains("not a protocol"));
    for wrong in ["a:0", "a:70000", "a:", ":1", "a:+1", "[::1", "[::1]9", "a b:1"] {
        assert!(refused("bootstrap.servers", wrong).contains(wrong), "{wrong}");
    }
}

#[test]
fn transactions_adjust_what_was_not_set_and_refuse_what_contradicts() {
    let with = |pairs: &[(&str, &str)]| {
        let mut c = Conf::new();
        c.set("transactional.id", "x").unwrap();
        pairs.iter().for_each(|(name, value)| c.set(name, *value).map(|_| ()).unwrap());
        c.finalize().map(|()| c.settings())
    };
    let settings = with(&[("transaction.timeout.ms", "30000")]).unwrap();
    assert!(settings.idempotence && settings.transactional_id.as_deref() == Some("x"));
    assert_eq!((settings.socket_timeout_ms, settings.default_topic.message_timeout_ms), (29_900, 30_000));
    assert_eq!(with(&[("message.timeout.ms", "5000")]).unwrap().default_topic.message_timeout_ms, 5000);
    for (name, value) in [
        ("enable.idempotence", "false"),
        ("message.timeout.ms", "60001"),
        ("socket.timeout.ms", "60101"),
        ("acks", "1"),
    ] {
        let why = with(&[(name, value)]).expect_err(name);
        assert!(why.contains(name), "{why}");
    }
}

#[test]
fn idempotence_adjusts_what_was_not_set_and_refuses_what_contradicts() {
    let with = |pairs: &[(&str, &str)]| {
        let mut c = Conf::new();
        c.set("enable.idempotence", "true").unwrap();
        pairs.iter().for_each(|(name, value)| c.set(name, *value).unwrap());
        c.finalize().map(|()| (c.settings(), c.topic_settings()))
    };
    let (settings, topic) = with(&[]).unwrap();
    assert!(settings.idempotence && !settings.gapless_guarantee);
    assert_eq!((settings.max_in_flight, settings.retries, topic.acks), (5, 2_147_483_647, -1));
    assert_eq!(with(&[("max.in.flight", "2"), ("acks", "all")]).unwrap().0.max_in_flight, 2);
    assert!(with(&[("enable.gapless.guarantee", "true")]).unwrap().0.gapless_guarantee);
    for (name, value) in [("max.in.flight", "6"), ("acks", "1"), ("retries", "0")] {
        let why = with(&[(name, value)]).unwrap_err();
        assert!(why.contains(name) && why.contains("enable.idempotence"), "{why}");
    }
    let mut c = Conf::new();
    c.set("enable.gapless.guarantee", "true").unwrap();
    assert!(c.finalize().unwrap_err().contains("enable.idempotence"));
}

#[test]
fn secrets_are_not_shown() {
    let names = ["sasl.password", "ssl.key.password", "ssl.key.pem", "sasl.oauthbearer.client.secret"];
    let mut c = Conf::new();
    names.iter().for_each(|name| c.set(name, "hunter2").unwrap());
    let dump = c.dump();
    for name in names {
        assert_eq!(dump.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()), Some("[redacted]"), "{name}");
    }
    let shown = format!("{c:?} {:?}", c.settings().security);
    assert!(!shown.contains("hunter2"), "{shown}");
    let text = refused("ssl.keystore.password", "hunter2");
    assert!(!text.contains("hunter2") && text.contains("[redacted]"), "{text}");
    let text = refused("ssl.truststore.password", "hunter2");
    assert!(!text.contains("hunter2"), "{text}");
    let secrets: Vec<&str> = properties().filter(|row| row.secret).map(|row| row.name).collect();
    for part in ["password", "secret", "passphrase", ".pem"] {
        for row in properties().filter(|row| row.name.contains(part) && row.has_value()) {
            let public = row.name.contains("certificate") || row.name.ends_with("ca.pem");
            assert!(public || secrets.contains(&row.name), "{}", row.name);
        }
    }
}

#[test]
fn dump_is_sorted_and_reads_back() {
    let mut conf = Conf::new();
    conf.set("client.id", "me").unwrap();
    conf.set("acks", "1").unwrap();
    let dump = conf.dump();
    assert!(dump.windows(2).all(|w| w[0].0 < w[1].0));
    for (name, value) in [("client.id", "me"), ("request.required.acks", "1"), ("compression.codec", "none")] {
        assert!(dump.contains(&(name.to_owned(), value.to_owned())), "{name}");
    }
    assert!(!dump.iter().any(|(name, _)| name == "bootstrap.servers" || name == "linger.ms"));
    let mut again = Conf::new();
    for (name, value) in &dump {
        again.set(name, value.as_str()).unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(again.dump(), dump);
}

#[test]
fn topic_properties_of_global_names() {
    let mut conf = Conf::new();
    conf.set("compression.codec", "gzip").unwrap();
    assert_eq!(conf.topic_settings().compression, Compression::Gzip);
    conf.set_topic("compression.codec", "zstd").unwrap();
    assert_eq!(conf.topic_settings().compression, Compression::Zstd);
    assert_eq!(conf.get("compression.codec").as_deref(), Ok("gzip"));
    assert_eq!(conf.get_topic("compression.type").as_deref(), Ok("zstd"));
    assert!(matches!(conf.set_topic("linger.ms", "1"), Err(ConfError::Unknown(_))));
}

#[test]
fn properties_at_odds() {
    let text = at_odds(&[("message.timeout.ms", "100"), ("linger.ms", "100")]);
    assert!(text.contains("message.timeout.ms") && text.contains("linger.ms"), "{text}");
    let text = at_odds(&[("reconnect.backoff.ms", "200"), ("reconnect.backoff.max.ms", "100")]);
    assert!(text.contains("reconnect.backoff.max.ms"), "{text}");
    // Left at its default, linger.ms gives way.
    assert_eq!(settings(&[("message.timeout.ms", "3")]).linger_us, 2_900);
    assert_eq!(settings(&[("message.timeout.ms", "0"), ("linger.ms", "1000")]).linger_us, 1_000_000);
}

#[test]
fn what_follows_from_others() {
    let s =
        settings(&[("linger.ms", "50"), ("retry.backoff.ms", "250"), ("topic.metadata.refresh.interval.ms", "1000")]);
    assert_eq!((s.sticky_linger_ms, s.metadata_refresh_fast_interval_ms, s.metadata_max_age_ms), (100, 250, 3_000));
    assert_eq!(settings(&[("linger.ms", "0")]).sticky_linger_ms, 0);
    assert_eq!(settings(&[("linger.ms", "0"), ("sticky.partitioning.linger.ms", "9")]).sticky_linger_ms, 9);
    assert_eq!(settings(&[("queue.buffering.max.messages", "0")]).queue_max_messages, usize::MAX);
    assert_eq!(settings(&[("message.max.bytes", "5000")]).batch_size, 5_000);
    assert_eq!(settings(&[("bootstrap.servers", "x.servicebus.azure.example")]).connections_max_idle_ms, 230_000);
    assert!(!settings(&[("allow.auto.create.topics", "false")]).allow_auto_create_topics);
    assert_eq!(settings(&[("client.software.name", " .~aba. va! !.~~")]).software_name, "aba.-va");
    assert_eq!(settings(&[("client.software.name", "~~")]).software_name, "rkafka");
    // Finalizing again after a change follows the change.
    let mut conf = Conf::new();
    conf.set("linger.ms", "50").unwrap();
    conf.finalize().unwrap();
    conf.set("linger.ms", "20").unwrap();
    conf.finalize().unwrap();
    assert_eq!(conf.settings().sticky_linger_ms, 40);
}

#[test]
fn settled_settings_leave_the_configuration_as_it_was() {
    for pairs in [
        &[("enable.idempotence", "true")][..],
        &[("transactional.id", "x"), ("transaction.timeout.ms", "30000")],
        &[("message.timeout.ms", "3"), ("bootstrap.servers", "x.Azure.example")],
        &[("enable.idempotence", "true"), ("acks", "1")],
        &[("transactional.id", "x"), ("socket.timeout.ms", "60101")],
    ] {
        let mut conf = Conf::new();
        pairs.iter().for_each(|(name, value)| conf.set(name, *value).unwrap());
        let before = conf.dump();
        let mut finalized = conf.clone();
        let outcome = finalized.finalize();
        assert!(finalized.dump() != before, "{pairs:?} adjust nothing");
        match (conf.settled(), outcome) {
            (Ok(settled), Ok(())) => assert_eq!(format!("{settled:?}"), format!("{:?}", finalized.settings())),
            (Err(why), Err(same)) => assert_eq!(why, same),
            (settled, outcome) => panic!("{pairs:?}: {:?} and {outcome:?}", settled.map(drop)),
        }
        assert_eq!(conf.dump(), before, "{pairs:?}");
    }
    // What was set after it had been adjusted stays, too.
    let mut conf = Conf::new();
    conf.set("enable.idempotence", "true").unwrap();
    conf.finalize().unwrap();
    conf.set("max.in.flight", "3").unwrap();
    assert_eq!(conf.settled().unwrap().max_in_flight, 3);
    assert_eq!(conf.get("max.in.flight").unwrap(), "3");
}

#[test]
fn warnings() {
    let s = settings(&[
        ("group.id", "g"),
        ("message.copy.max.bytes", "1"),
        ("acks", "2"),
        ("retry.backoff.ms", "2000"),
        ("test.mock.num.brokers", "3"),
    ]);
    let all = s.warnings.join("\n");
    assert!(all.contains("group.id is a consumer property"), "{all}");
    assert!(all.contains("message.copy.max.bytes has no effect"), "{all}");
    assert!(all.contains("`acks` is 2"), "{all}");
    assert!(all.contains("`retry.backoff.ms` (2000)"), "{all}");
    assert_eq!(s.warnings.len(), 4, "{all}");
    assert_eq!(s.mock_brokers, 3);
    assert!(settings(&[]).warnings[0].contains("No `bootstrap.servers`"));
}

proptest! {
    /// No text makes setting panic; what is taken reads back as text that is taken again with the same result.
    #[test]
    fn any_text(at in 0usize..1000, text in "\\PC{0,12}|[-+]?[0-9a-fx.]{1,20}|(all|broker|topic|,|-|\\+| ){0,6}") {
        let rows: Vec<_> = properties().filter(|row| !matches!(row.kind, Kind::Java)).collect();
        let name = rows[at % rows.len()].name;
        let mut conf = Conf::new();
        if conf.set(name, text.as_str()).is_ok() {
            let canonical = conf.get(name).unwrap();
            prop_assert!(conf.set(name, canonical.as_str()).is_ok(), "{name}: {text:?} → {canonical:?}");
            prop_assert_eq!(conf.get(name).unwrap(), canonical);
            let _ = conf.finalize();
            let _ = conf.settings();
        }
    }

    #[test]
    fn any_name(name in "\\PC{0,40}") {
        let _ = Conf::new().set(&name, "1");
        let _ = Conf::new().get(&name);
    }
}
