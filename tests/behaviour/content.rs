//! Content: what the application hands over is what the log holds and the report shows.

use crate::common::{beside, conf, hooks, ms, Harness};
use rkafka::client::{Event, Headers, HeadersRef, Message, Producer, Section, PARTITION_UA};
use rkafka::error::RespErr;
use rkafka::mock::{MockCluster, Options};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

/// One delivery report, copied.
struct Copy {
    err: RespErr,
    key: Option<Vec<u8>>,
    payload: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    timestamp_ms: i64,
    opaque: usize,
    offset: i64,
}

fn reports(p: &Producer, n: usize) -> Vec<Copy> {
    let until = Instant::now() + Duration::from_secs(10);
    let mut out = Vec::new();
    while out.len() < n {
        assert!(Instant::now() < until, "{} of {n} reports", out.len());
        if let Some(Event::Delivery(d)) = p.poll_event(Some(ms(100))) {
            out.extend(d.reports().map(|r| Copy {
                err: r.err,
                key: r.key.map(<[u8]>::to_vec),
                payload: r.payload.map(<[u8]>::to_vec),
                headers: HeadersRef::new(r.raw_headers).map(|(n, v)| (n.to_vec(), v.map(<[u8]>::to_vec))).collect(),
                timestamp_ms: r.timestamp_ms,
                opaque: r.opaque,
                offset: r.offset,
            }));
        }
    }
    out
}

#[test]
fn of_every_kind_arrives_unchanged() {
    let _stage = beside();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let c = conf(&[("test.mock.num.brokers", "1"), ("compression.codec", codec), ("linger.ms", "20")]);
        let p = Producer::new(c, hooks()).expect("a producer");
        let cluster = p.mock_cluster().expect("a cluster");
        cluster.create_topic("t", 1, 1).expect("a topic");
        let t = p.topic("t").expect("a topic");
        let long = vec![7u8; 3000];
        let contents: [Option<&[u8]>; 5] = [None, Some(b""), Some(b"x"), Some(b"\0\xff\x80"), Some(&long)];
        let times = [0, 1, 1_600_000_000_123, 4_102_444_800_000];
        let mut expected = Vec::new();
        for key in contents {
            for payload in contents {
                for timestamp_ms in times {
                    let mut headers = Headers::new();
                    for i in 0..expected.len() % 4 {
                        headers.add(b"name", contents[(i + expected.len()) % 5]);
                    }
                    let opaque = expected.len();
                    let headers = (headers.count() > 0).then_some(headers);
                    let m = Message {
                        partition: if opaque % 2 == 0 { 0 } else { PARTITION_UA },
                        payload,
                        key,
                        headers: headers.as_ref().map_or(Section::NONE, Headers::section),
                        timestamp_ms,
                        opaque,
                        block: false,
                    };
                    p.produce(&t, &m).expect("accepted");
                    let list: Vec<(Vec<u8>, Option<Vec<u8>>)> = headers
                        .iter()
                        .flat_map(|h| h.iter())
                        .map(|(n, v)| (n.to_vec(), v.map(<[u8]>::to_vec)))
                        .collect();
                    expected.push((key.map(<[u8]>::to_vec), payload.map(<[u8]>::to_vec), timestamp_ms, list));
                }
            }
        }
        let mut seen = reports(&p, expected.len());
        seen.sort_by_key(|r| r.opaque);
        let log = cluster.log_records("t", 0).expect("a log");
        assert_eq!(log.len(), expected.len());
        for (r, (key, payload, timestamp, headers)) in seen.iter().zip(&expected) {
            assert_eq!(r.err, RespErr::NO_ERROR);
            assert_eq!((&r.key, &r.payload, &r.headers), (key, payload, headers));
            let l = log.iter().find(|l| l.offset == r.offset).expect("at its offset");
            assert_eq!((&l.key, &l.value, l.timestamp), (key, payload, r.timestamp_ms));
            let in_log: Vec<_> = l.headers.iter().map(|(n, v)| (n.clone().into_bytes(), v.clone())).collect();
            assert_eq!(&in_log, headers);
            match timestamp {
                0 => assert!((now_ms() - r.timestamp_ms).abs() < 10_000, "{}", r.timestamp_ms),
                t => assert_eq!(r.timestamp_ms, *t),
            }
        }
    }
}

#[test]
fn that_the_broker_stamps_is_reported_so() {
    let _stage = beside();
    let cluster = MockCluster::new(1, Options { log_append_time: true, ..Options::default() }).expect("a cluster");
    let c = conf(&[("bootstrap.servers", &cluster.bootstrap())]);
    let p = Producer::new(c, hooks()).expect("a producer");
    let t = p.topic("t").expect("a topic");
    let m = Message {
        partition: PARTITION_UA,
        payload: Some(b"x"),
        key: None,
        headers: Section::NONE,
        timestamp_ms: 1000,
        opaque: 0,
        block: false,
    };
    p.produce(&t, &m).expect("accepted");
    let r = reports(&p, 1);
    assert!((now_ms() - r[0].timestamp_ms).abs() < 10_000, "{}", r[0].timestamp_ms);
}

#[test]
fn of_any_size_arrives() {
    let _stage = beside();
    for codec in ["none", "lz4"] {
        let options = Options { message_max_bytes: 9_000_000, ..Options::default() };
        let cluster = MockCluster::new(1, options).expect("a cluster");
        cluster.create_topic("t", 1, 1).expect("a topic");
        let c = conf(&[
            ("bootstrap.servers", &cluster.bootstrap()),
            ("message.max.bytes", "8000000"),
            ("compression.codec", codec),
            ("linger.ms", "20"),
        ]);
        let p = Producer::new(c, hooks()).expect("a producer");
        let t = p.topic("t").expect("a topic");
        // Around the sizes of blocks, small ones between, and 5 MB.
        let sizes = [
            10, 100_000, 10, 65_000, 65_500, 65_536, 70_000, 1, 32_700, 16_000, 999_900, 1_000_000, 5_000_000, 3,
            2_000_000,
        ];
        let value = |i: usize, n: usize| -> Vec<u8> { (0..n).map(|k| ((k * k) >> 7) as u8 ^ i as u8).collect() };
        for (i, n) in sizes.iter().enumerate() {
            let v = value(i, *n);
            let m = Message {
                partition: 0,
                payload: Some(&v),
                key: None,
                headers: Section::NONE,
                timestamp_ms: 0,
                opaque: i,
                block: false,
            };
            p.produce(&t, &m).expect("accepted");
        }
        let mut seen = reports(&p, sizes.len());
        seen.sort_by_key(|r| r.opaque);
        let log = cluster.log_records("t", 0).expect("a log");
        for (i, r) in seen.iter().enumerate() {
            assert_eq!((r.err, r.offset), (RespErr::NO_ERROR, i as i64));
            let v = value(i, sizes[i]);
            assert!(r.payload.as_ref() == Some(&v) && log[i].value.as_ref() == Some(&v), "{} bytes", sizes[i]);
        }
        drop(seen);
        assert_eq!((p.messages_pending(), p.queue_bytes()), (0, 0));
    }
}

#[test]
fn of_two_producers_stays_apart() {
    let _stage = beside();
    let cluster = MockCluster::new(2, Options::default()).expect("a cluster");
    let (a, b) =
        (Harness::on(&cluster, &[("client.id", "a")]), Harness::on(&cluster, &[("client.id", "b"), ("acks", "1")]));
    assert_ne!(a.producer.name(), b.producer.name());
    let (ta, tb) = (a.topic("t"), b.topic("t"));
    for i in 0..500 {
        a.produce(&ta, PARTITION_UA, None, (0, i)).expect("accepted");
        b.produce(&tb, PARTITION_UA, None, (0, i)).expect("accepted");
    }
    a.flush(ms(5000));
    a.close(ms(3000));
    b.flush(ms(5000));
    assert_eq!((a.reports(), b.reports()), (500, 500));
    assert_eq!(cluster.produced().0, 1000);
    b.close(ms(3000));
}
