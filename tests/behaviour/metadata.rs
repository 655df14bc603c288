//! Metadata: when it is asked for, and what happens to messages meanwhile.

use crate::common::{alone, beside, eventually, ms, Harness};
use rkafka::client::{Status, PARTITION_UA};
use rkafka::error::RespErr;
use rkafka::mock::{MockCluster, Options};
use std::sync::Arc;
use std::time::Instant;

const METADATA: i16 = 3;

fn no_auto_create() -> Arc<MockCluster> {
    MockCluster::new(1, Options { auto_create_topics: false, ..Options::default() }).expect("a cluster")
}

#[test]
fn is_refreshed_at_the_interval() {
    let _stage = alone();
    let h = Harness::new(&[("test.mock.num.brokers", "1"), ("topic.metadata.refresh.interval.ms", "100")]);
    let t = h.topic("t");
    h.wait_fate(h.one(&t), ms(3000));
    let before = h.cluster().request_count(METADATA);
    std::thread::sleep(ms(1000));
    let asked = h.cluster().request_count(METADATA) - before;
    assert!((8..=11).contains(&asked), "{asked} in a second");
}

#[test]
fn is_not_refreshed_when_switched_off_and_nothing_is_wrong() {
    let _stage = beside();
    let h = Harness::new(&[("test.mock.num.brokers", "3"), ("topic.metadata.refresh.interval.ms", "-1")]);
    let t = h.topic("t");
    h.wait_fate(h.one(&t), ms(3000));
    std::thread::sleep(ms(300));
    let before = h.cluster().request_count(METADATA);
    for _ in 0..20 {
        h.one(&t);
    }
    h.flush(ms(3000));
    std::thread::sleep(ms(500));
    assert_eq!(h.cluster().request_count(METADATA), before);
}

#[test]
fn is_refreshed_at_once_when_the_leader_has_moved() {
    let _stage = beside();
    // 2.8 answers with the error alone; the newest names the new leader beside it (KIP-951).
    for profile in ["2.8", "newest"] {
        let cluster = MockCluster::new(3, Options::default()).expect("a cluster");
        assert!(cluster.set_profile(profile));
        cluster.create_topic("t", 1, 3).expect("a topic");
        cluster.set_partition_leader("t", 0, 1).expect("a leader");
        let h = Harness::on(&cluster, &[]);
        let t = h.topic("t");
        h.wait_fate(h.one(&t), ms(3000));
        cluster.set_partition_leader("t", 0, 2).expect("a leader");
        let f = h.wait_fate(h.one(&t), ms(1500));
        assert_eq!((f.err, f.offset), (RespErr::NO_ERROR, 1), "{profile}");
    }
}

#[test]
fn is_refreshed_when_the_leader_cannot_be_reached() {
    let _stage = beside();
    let h = Harness::new(&[("test.mock.num.brokers", "3")]);
    h.cluster().create_topic("t", 1, 3).expect("a topic");
    h.cluster().set_partition_leader("t", 0, 1).expect("a leader");
    let t = h.topic("t");
    h.wait_fate(h.one(&t), ms(3000));
    for (dead, alive) in [(1, 2), (2, 3)] {
        h.cluster().broker_down(dead).expect("down");
        let id = h.one(&t);
        std::thread::sleep(ms(300));
        h.cluster().set_partition_leader("t", 0, alive).expect("a leader");
        assert_eq!(h.wait_fate(id, ms(2000)).err, RespErr::NO_ERROR);
    }
    h.close(ms(3000));
}

#[test]
fn a_leader_that_is_gone_for_a_while_loses_nothing() {
    let _stage = beside();
    let h = Harness::new(&[("test.mock.num.brokers", "3")]);
    h.cluster().create_topic("t", 1, 3).expect("a topic");
    let t = h.topic("t");
    h.wait_fate(h.one(&t), ms(3000));
    h.cluster().set_partition_leader("t", 0, -1).expect("none");
    let ids = h.produce_many(&t, 0, 10);
    std::thread::sleep(ms(300));
    assert_eq!(h.reports(), 1);
    h.cluster().set_partition_leader("t", 0, 3).expect("a leader");
    h.flush(ms(3000));
    assert!(ids.iter().all(|id| h.fate(*id).is_some_and(|f| f.err == RespErr::NO_ERROR)));
    h.close(ms(3000));
}

#[test]
fn an_unknown_topic_is_waited_for_then_reported() {
    let _stage = alone();
    let cluster = no_auto_create();
    let h = Harness::on(&cluster, &[("topic.metadata.propagation.max.ms", "500")]);
    let t = h.topic("nowhere");
    let id = h.one(&t);
    let f = h.wait_fate(id, ms(3000));
    assert_eq!((f.err, f.status), (RespErr::ERR_UNKNOWN_TOPIC_OR_PART, Status::NotPersisted));
    let after = f.at - h.sent_at(id);
    assert!(after >= ms(480) && after < ms(1200), "{after:?}");
    // From then on at once, more or less.
    let id = h.one(&t);
    h.wait_fate(id, ms(1000));
    h.close(ms(3000));
}

#[test]
fn a_topic_that_appears_in_time_gets_its_messages() {
    let _stage = beside();
    let cluster = no_auto_create();
    let h = Harness::on(&cluster, &[("topic.metadata.propagation.max.ms", "5000")]);
    let t = h.topic("soon");
    let ids = h.produce_many(&t, PARTITION_UA, 5);
    std::thread::sleep(ms(200));
    cluster.create_topic("soon", 2, 1).expect("a topic");
    h.flush(ms(3000));
    assert!(ids.iter().all(|id| h.fate(*id).is_some_and(|f| f.err == RespErr::NO_ERROR)));
}

#[test]
fn topics_are_created_unless_that_is_switched_off() {
    let _stage = beside();
    let h = Harness::new(&[("test.mock.num.brokers", "1")]);
    assert_eq!(h.wait_fate(h.one(&h.topic("new")), ms(3000)).err, RespErr::NO_ERROR);
    let off = [
        ("test.mock.num.brokers", "1"),
        ("allow.auto.create.topics", "false"),
        ("topic.metadata.propagation.max.ms", "200"),
    ];
    let h = Harness::new(&off);
    assert_eq!(h.wait_fate(h.one(&h.topic("new")), ms(3000)).err, RespErr::ERR_UNKNOWN_TOPIC_OR_PART);
    assert!(h.cluster().topics().is_empty());
}

#[test]
fn partitions_beyond_the_topic_are_refused_or_reported() {
    let _stage = beside();
    let h = Harness::new(&[("test.mock.num.brokers", "1"), ("topic.metadata.refresh.interval.ms", "50")]);
    h.cluster().create_topic("t", 2, 1).expect("a topic");
    let t = h.topic("t");
    // Not known yet: accepted, and reported when it is.
    let f = h.wait_fate(h.produce(&t, 7, None, (0, 0)).expect("accepted"), ms(3000));
    assert_eq!((f.err, f.partition, f.status), (RespErr::ERR__UNKNOWN_PARTITION, 7, Status::NotPersisted));
    // Known: refused at once. (The report comes a moment before the way past the waiting queue is open.)
    eventually("a refusal", ms(2000), || h.produce(&t, 2, None, (0, 1)) == Err(RespErr::ERR__UNKNOWN_PARTITION));
    // It grows.
    h.cluster().set_partition_count("t", 8).expect("more");
    eventually("new partitions are known", ms(2000), || h.produce(&t, 7, None, (0, 2)).is_ok());
    h.flush(ms(3000));
    assert_eq!(h.cluster().high_watermark("t", 7), Ok(1));
    h.close(ms(3000));
}

#[test]
fn messages_for_partitions_that_vanish_are_reported() {
    let _stage = beside();
    let pairs = [("linger.ms", "8000"), ("topic.metadata.refresh.interval.ms", "50")];
    let cluster = MockCluster::new(1, Options { default_partitions: 2, ..Options::default() }).expect("a cluster");
    cluster.create_topic("t", 4, 1).expect("a topic");
    let h = Harness::on(&cluster, &pairs);
    let t = h.topic("t");
    h.one(&t);
    h.flush(ms(3000));
    let id = h.produce(&t, 3, None, (0, 0)).expect("accepted");
    let stays = h.produce(&t, 0, None, (0, 0)).expect("accepted");
    cluster.delete_topic("t").expect("deleted");
    cluster.create_topic("t", 2, 1).expect("a topic");
    let f = h.wait_fate(id, ms(3000));
    assert_eq!((f.err, f.status), (RespErr::ERR__UNKNOWN_PARTITION, Status::NotPersisted));
    h.flush(ms(3000));
    let f = h.wait_fate(stays, ms(3000));
    assert_eq!((f.err, f.offset), (RespErr::NO_ERROR, 0));
    h.close(ms(3000));
}

#[test]
fn a_deleted_topic_is_reported_after_the_propagation_time() {
    let _stage = beside();
    let cluster = no_auto_create();
    cluster.create_topic("t", 1, 1).expect("a topic");
    let h = Harness::on(&cluster, &[("topic.metadata.propagation.max.ms", "300")]);
    let t = h.topic("t");
    h.wait_fate(h.one(&t), ms(3000));
    cluster.delete_topic("t").expect("deleted");
    let id = h.one(&t);
    let f = h.wait_fate(id, ms(3000));
    assert_eq!((f.err, f.status), (RespErr::ERR_UNKNOWN_TOPIC_OR_PART, Status::NotPersisted));
    // And it may come back.
    cluster.create_topic("t", 1, 1).expect("a topic");
    let until = Instant::now() + ms(3000);
    loop {
        let f = h.wait_fate(h.one(&t), ms(3000));
        if f.err == RespErr::NO_ERROR {
            break;
        }
        assert!(Instant::now() < until, "{f:?}");
        std::thread::sleep(ms(20));
    }
    h.close(ms(3000));
}

#[test]
fn a_query_answers_with_the_cluster() {
    let _stage = beside();
    let h = Harness::new(&[("test.mock.num.brokers", "3")]);
    h.cluster().create_topic("a", 2, 3).expect("a topic");
    h.cluster().create_topic("b", 1, 1).expect("a topic");
    let m = h.producer.metadata(true, None, ms(3000)).expect("metadata");
    assert_eq!((m.brokers.len(), m.topics.len()), (3, 2));
    let m = h.producer.metadata(false, Some(&h.topic("a")), ms(3000)).expect("metadata");
    assert_eq!((m.topics.len(), m.topics[0].partitions.len()), (1, 2));
    h.cluster().freeze(-1).expect("frozen");
    let began = Instant::now();
    assert!(h.producer.metadata(true, None, ms(300)).is_err());
    assert!(began.elapsed() < ms(1000), "{:?}", began.elapsed());
}

#[test]
fn that_is_waited_for_is_given_up_when_the_client_closes() {
    let _stage = beside();
    for i in 0..20u64 {
        let h = Harness::new(&[("bootstrap.servers", "127.0.0.1:1")]);
        std::thread::scope(|s| {
            let asked = s.spawn(|| h.producer.metadata(true, None, ms(20_000)).map(|_| ()));
            std::thread::sleep(ms(i / 2));
            let begun = Instant::now();
            h.close(ms(3000));
            let answer = asked.join().expect("no panic");
            assert!(
                matches!(answer, Err(RespErr::ERR__TRANSPORT | RespErr::ERR__DESTROY | RespErr::ERR__STATE)),
                "{answer:?}"
            );
            assert!(begun.elapsed() < ms(3000), "{:?}", begun.elapsed());
        });
    }
}
