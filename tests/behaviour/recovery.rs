//! Finding the cluster anew (KIP-899, KIP-1102), and requests that time out.

use crate::common::{alone, beside, eventually, ms, Harness};
use rkafka::error::RespErr;
use rkafka::mock::{MockCluster, Options};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;

/// A fixed address that leads to one cluster first and to another later, as a load balancer or a name does.
struct Door {
    address: String,
    target: Arc<Mutex<String>>,
}

impl Door {
    fn to(cluster: &MockCluster) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let target = Arc::new(Mutex::new(first(cluster)));
        let leads_to = target.clone();
        // Ends with the process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let to = leads_to.lock().expect("no panic").clone();
                let Ok(server) = TcpStream::connect(to) else { continue };
                pipe(&client, &server);
                pipe(&server, &client);
            }
        });
        Door { address, target }
    }

    fn lead_to(&self, cluster: &MockCluster) {
        *self.target.lock().expect("no panic") = first(cluster);
    }
}

fn first(cluster: &MockCluster) -> String {
    cluster.bootstrap().split(',').next().expect("a broker").to_owned()
}

fn pipe(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            if to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
}

fn cluster(brokers: i32) -> Arc<MockCluster> {
    let c = MockCluster::new(brokers, Options::default()).expect("a cluster");
    c.create_topic("t", 1, 1).expect("a topic");
    c
}

#[test]
fn asks_bootstrap_servers_when_no_known_broker_can_be_reached() {
    let _stage = beside();
    for strategy in ["rebootstrap", "none"] {
        // Fewer brokers under the same ids, at other addresses, and one that is gone.
        let (old, new) = (cluster(3), cluster(2));
        old.set_partition_leader("t", 0, 3).expect("a leader");
        let door = Door::to(&old);
        let h = Harness::on(
            &new,
            &[
                ("bootstrap.servers", &door.address),
                ("metadata.recovery.strategy", strategy),
                ("message.timeout.ms", if strategy == "none" { "3000" } else { "30000" }),
            ],
        );
        let t = h.topic("t");
        assert_eq!(h.wait_fate(h.one(&t), ms(5000)).err, RespErr::NO_ERROR);
        assert_eq!(old.high_watermark("t", 0), Ok(1));
        door.lead_to(&new);
        old.shutdown();
        let f = h.wait_fate(h.one(&t), ms(20_000));
        let expected = if strategy == "none" { RespErr::ERR__MSG_TIMED_OUT } else { RespErr::NO_ERROR };
        assert_eq!(f.err, expected, "{strategy}");
        assert_eq!(new.high_watermark("t", 0), Ok(i64::from(strategy != "none")));
        h.close(ms(5000));
    }
}

#[test]
fn begins_anew_when_metadata_cannot_be_had_for_long() {
    let _stage = alone();
    let (old, new) = (cluster(2), cluster(1));
    let door = Door::to(&old);
    let h = Harness::on(
        &new,
        &[
            ("bootstrap.servers", &door.address),
            ("metadata.recovery.rebootstrap.trigger.ms", "1000"),
            ("topic.metadata.refresh.interval.ms", "200"),
            ("message.timeout.ms", "60000"),
            ("request.timeout.ms", "60000"),
        ],
    );
    let t = h.topic("t");
    assert_eq!(h.wait_fate(h.one(&t), ms(5000)).err, RespErr::NO_ERROR);
    // The connections stay, and nothing ever comes of them: `socket.timeout.ms` would notice after a minute.
    old.freeze(-1).expect("frozen");
    door.lead_to(&new);
    let ids = h.produce_many(&t, 0, 3);
    for id in ids {
        assert_eq!(h.wait_fate(id, ms(30_000)).err, RespErr::NO_ERROR);
    }
    assert_eq!(new.high_watermark("t", 0), Ok(3));
    h.close(ms(5000));
}

#[test]
fn begins_anew_when_a_broker_asks_for_it() {
    let _stage = beside();
    let (old, new) = (cluster(2), cluster(1));
    let door = Door::to(&old);
    let h = Harness::on(
        &new,
        &[("bootstrap.servers", &door.address), ("topic.metadata.refresh.interval.ms", "50"), ("linger.ms", "0")],
    );
    let t = h.topic("t");
    assert_eq!(h.wait_fate(h.one(&t), ms(5000)).err, RespErr::NO_ERROR);
    door.lead_to(&new);
    old.push_request_errors(METADATA, &[129]);
    eventually("the old brokers are left", ms(5000), || {
        h.one(&t);
        old.connection_count(1) + old.connection_count(2) == 0
    });
    h.flush(ms(5000));
    assert!(h.fates().values().all(|f| f.err == RespErr::NO_ERROR));
    eventually("the new ones are used", ms(5000), || {
        h.one(&t);
        new.high_watermark("t", 0) > Ok(0)
    });
    h.flush(ms(5000));
    h.close(ms(5000));
}

/// A bootstrap broker that turns out to be one of the cluster's is that broker from then on, connection and all.
#[test]
fn keeps_the_connection_to_a_bootstrap_broker_that_is_known() {
    let _stage = beside();
    let c = cluster(2);
    c.set_partition_leader("t", 0, 1).expect("a leader");
    let h = Harness::on(&c, &[("bootstrap.servers", &first(&c))]);
    let t = h.topic("t");
    assert_eq!(h.wait_fate(h.one(&t), ms(5000)).err, RespErr::NO_ERROR);
    c.set_partition_leader("t", 0, 2).expect("a leader");
    assert_eq!(h.wait_fate(h.one(&t), ms(5000)).err, RespErr::NO_ERROR);
    assert_eq!((c.accepted_connections(1), c.accepted_connections(2)), (1, 1));
    h.close(ms(5000));
}

/// When the client forgets that broker, its address is one of `bootstrap.servers` again.
#[test]
fn asks_a_forgotten_bootstrap_broker_as_one() {
    let _stage = beside();
    let c = cluster(1);
    let h = Harness::on(&c, &[("topic.metadata.refresh.interval.ms", "50"), ("message.timeout.ms", "5000")]);
    let t = h.topic("t");
    assert_eq!(h.wait_fate(h.one(&t), ms(5000)).err, RespErr::NO_ERROR);
    for connections in 2..5 {
        c.push_request_errors(METADATA, &[129]);
        eventually("the client finds the cluster anew", ms(5000), || c.accepted_connections(1) == connections);
        assert_eq!(h.wait_fate(h.one(&t), ms(10_000)).err, RespErr::NO_ERROR);
    }
    h.close(ms(5000));
}

#[test]
fn closes_a_connection_after_as_many_time_outs_as_allowed() {
    let _stage = alone();
    for (fails, stays) in [("1", false), ("3", true), ("0", true)] {
        let h = Harness::new(&[
            ("test.mock.num.brokers", "1"),
            ("enable.idempotence", "true"),
            ("socket.max.fails", fails),
            ("request.timeout.ms", "100"),
            ("retry.backoff.ms", "5"),
        ]);
        h.cluster().create_topic("t", 1, 1).expect("a topic");
        let t = h.topic("t");
        h.wait_fate(h.one(&t), ms(5000));
        let (connections, requests) = (h.cluster().accepted_connections(1), h.cluster().request_count(PRODUCE));
        // Answers come later than `request.timeout.ms` and the second for the way.
        h.cluster().set_rtt(1, 1800).expect("slow");
        let id = h.one(&t);
        eventually("it is sent twice", ms(8000), || h.cluster().request_count(PRODUCE) >= requests + 2);
        h.cluster().set_rtt(1, 0).expect("fast");
        assert_eq!(h.wait_fate(id, ms(10_000)).err, RespErr::NO_ERROR);
        let more = h.cluster().accepted_connections(1) - connections;
        assert_eq!(more == 0, stays, "socket.max.fails={fails}: {more} more connections");
        // The late answer was nobody else's.
        assert_eq!(h.wait_fate(h.one(&t), ms(5000)).offset, 2);
        assert_eq!(h.cluster().high_watermark("t", 0), Ok(3));
        h.close(ms(5000));
    }
}
