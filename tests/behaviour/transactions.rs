//! Transactions: all or nothing, by both versions of the protocol; fencing; the ways out of failure; calls that time out
//! and are made again.

use crate::common::{beside, eventually, ms, Harness};
use rkafka::client::{GroupMetadata, OffsetToCommit, Topic, TopicOffsets};
use rkafka::error::RespErr;
use rkafka::mock::{MockCluster, Options};
use std::sync::Arc;

const PRODUCE: i16 = 0;
const ADD_PARTITIONS: i16 = 24;
const ADD_OFFSETS: i16 = 25;
const END_TXN: i16 = 26;
const OFFSET_COMMIT: i16 = 28;
const INIT_PRODUCER_ID: i16 = 22;
const CLOSE: i16 = rkafka::mock::faults::CLOSE;

fn cluster(version: i16) -> Arc<MockCluster> {
    let cluster = MockCluster::new(3, Options::default()).expect("a cluster");
    cluster.set_transaction_version(version);
    for name in ["a", "b", "in"] {
        cluster.create_topic(name, 2, -1).expect("a topic");
    }
    cluster
}

fn producer(cluster: &Arc<MockCluster>, more: &[(&str, &str)]) -> Harness {
    let base =
        [("transactional.id", "tx"), ("retry.backoff.ms", "5"), ("retry.backoff.max.ms", "50"), ("linger.ms", "1")];
    let all: Vec<_> = base.iter().chain(more).copied().collect();
    Harness::on(cluster, &all)
}

fn ready(cluster: &Arc<MockCluster>, more: &[(&str, &str)]) -> (Harness, Topic, Topic) {
    let h = producer(cluster, more);
    h.producer.init_transactions(Some(ms(10_000))).expect("init");
    let (a, b) = (h.topic("a"), h.topic("b"));
    (h, a, b)
}

/// Messages that a consumer of committed ones sees, in both topics.
fn committed(cluster: &MockCluster) -> usize {
    let count = |t: &str, p| cluster.committed_records(t, p).map_or(0, |r| r.len());
    ["a", "b"].iter().map(|t| count(t, 0) + count(t, 1)).sum()
}

fn offsets(topic: &str, offset: i64) -> Vec<TopicOffsets> {
    let one = OffsetToCommit { partition: 0, offset, leader_epoch: -1, metadata: None };
    vec![TopicOffsets { topic: topic.to_owned(), partitions: vec![one] }]
}

fn group(id: &str) -> GroupMetadata {
    GroupMetadata { group_id: id.to_owned(), generation_id: -1, ..GroupMetadata::default() }
}

#[test]
fn commit_all_and_abort_all() {
    let _stage = beside();
    for version in [0, 1, 2] {
        let cluster = cluster(version);
        let (h, a, b) = ready(&cluster, &[]);
        let p = &h.producer;
        let mut expected = 0;
        for round in 0..6 {
            p.begin_transaction().expect("begin");
            for i in 0..40 {
                h.produce(if i % 2 == 0 { &a } else { &b }, i % 2, None, (0, round * 40 + i as usize))
                    .expect("accepted");
            }
            if round % 2 == 0 {
                p.send_offsets_to_transaction(offsets("in", round as i64), group("g"), Some(ms(10_000)))
                    .expect("offsets");
            }
            if round % 3 == 2 {
                if round == 5 {
                    assert!(h.drained(Some(ms(10_000))));
                }
                h.abort(ms(10_000)).expect("abort");
            } else {
                h.commit(ms(10_000)).expect("commit");
                expected += 40;
            }
            eventually("markers", ms(5000), || committed(&cluster) == expected);
        }
        // The offsets of rounds 0 and 4 count, those of the aborted round 2 don't.
        assert_eq!(cluster.committed_offset("g", "in", 0), Some(4), "version {version}");
        let asked = cluster.request_count(ADD_PARTITIONS);
        assert_eq!(asked == 0, version == 2, "{asked} AddPartitionsToTxn under version {version}");
        h.close(ms(3000));
    }
}

#[test]
fn add_many_partitions_in_one_request() {
    let _stage = beside();
    let cluster = cluster(1);
    cluster.create_topic("wide", 50, -1).expect("a topic");
    let (h, _, _) = ready(&cluster, &[("linger.ms", "50")]);
    let wide = h.topic("wide");
    // Once, so that the topic is known.
    h.producer.begin_transaction().expect("begin");
    h.produce(&wide, 0, None, (0, 0)).expect("accepted");
    h.commit(ms(10_000)).expect("commit");
    let before = cluster.request_count(ADD_PARTITIONS);
    h.producer.begin_transaction().expect("begin");
    for p in 0..50 {
        h.produce(&wide, p, None, (0, 1)).expect("accepted");
    }
    h.commit(ms(10_000)).expect("commit");
    let asked = cluster.request_count(ADD_PARTITIONS) - before;
    assert!(asked <= 10, "{asked} requests for 50 partitions");
    h.close(ms(3000));
}

#[test]
fn refuse_what_is_out_of_order() {
    let _stage = beside();
    let cluster = cluster(2);
    let h = producer(&cluster, &[]);
    let (p, a) = (&h.producer, h.topic("a"));
    let state = |r: Result<(), rkafka::error::Error>| {
        let e = r.expect_err("out of order");
        assert!(!e.is_fatal() && !e.is_retriable() && !e.requires_abort(), "{e:?}");
        e.code()
    };
    assert_eq!(h.produce(&a, 0, None, (0, 0)), Err(RespErr::ERR__STATE));
    assert_eq!(state(p.begin_transaction()), RespErr::ERR__STATE);
    p.init_transactions(Some(ms(10_000))).expect("init");
    assert_eq!(h.produce(&a, 0, None, (0, 0)), Err(RespErr::ERR__STATE));
    assert_eq!(state(p.init_transactions(Some(ms(100)))), RespErr::ERR__STATE);
    assert_eq!(state(h.commit(ms(100))), RespErr::ERR__STATE);
    assert_eq!(state(h.abort(ms(100))), RespErr::ERR__STATE);
    assert_eq!(state(p.send_offsets_to_transaction(offsets("in", 1), group("g"), None)), RespErr::ERR__STATE);
    p.begin_transaction().expect("begin");
    assert_eq!(state(p.begin_transaction()), RespErr::ERR__STATE);
    h.commit(ms(10_000)).expect("an empty transaction");
    assert_eq!(cluster.request_count(END_TXN), 0);
    h.close(ms(3000));

    let plain = Harness::on(&cluster, &[]);
    assert_eq!(state(plain.producer.begin_transaction()), RespErr::ERR__NOT_CONFIGURED);
    plain.close(ms(3000));
}

#[test]
fn a_newer_instance_fences_the_older() {
    let _stage = beside();
    for version in [1, 2] {
        let cluster = cluster(version);
        let (old, a, _) = ready(&cluster, &[]);
        old.producer.begin_transaction().expect("begin");
        old.produce_many(&a, 0, 10);
        old.flush(ms(5000));
        let (new, na, _) = ready(&cluster, &[]);
        let e = old.commit(ms(10_000)).expect_err("fenced");
        assert!(e.is_fatal() && e.code() == RespErr::ERR__FENCED, "version {version}: {e:?}");
        assert!(old.abort(ms(1000)).expect_err("fenced").is_fatal());
        assert_eq!(old.produce(&a, 0, None, (0, 0)), Err(RespErr::ERR__FATAL));
        new.producer.begin_transaction().expect("begin");
        new.produce_many(&na, 0, 7);
        new.commit(ms(10_000)).expect("commit");
        eventually("markers", ms(5000), || committed(&cluster) == 7);
        old.close(ms(3000));
        new.close(ms(3000));
    }
}

#[test]
fn a_fenced_producer_reports_what_was_in_flight() {
    let _stage = beside();
    let cluster = cluster(2);
    let (old, a, _) = ready(&cluster, &[]);
    let leader = cluster.partition_leader("a", 0).expect("a leader");
    // The coordinator answers while the leader does not.
    cluster.move_transaction_coordinator("tx", 1 + leader % 3).expect("moved");
    cluster.move_group_coordinator("g", 1 + leader % 3).expect("moved");
    old.producer.begin_transaction().expect("begin");
    old.produce_many(&a, 0, 3);
    old.flush(ms(5000));
    let send = || old.producer.send_offsets_to_transaction(offsets("in", 1), group("g"), Some(ms(10_000)));
    // Now it knows the coordinators.
    send().expect("offsets");
    cluster.hold_responses(leader).expect("held");
    old.produce_many(&a, 0, 4);
    eventually("the batch is in the log", ms(5000), || cluster.high_watermark("a", 0) == Ok(7));
    assert!(cluster.set_transaction_epoch("tx", 100));
    assert!(send().expect_err("fenced").is_fatal());
    // What was in flight comes back by a broken connection, and would be sent again.
    cluster.drop_connections(leader).expect("cut");
    cluster.release_responses(leader).expect("released");
    assert!(old.drained(Some(ms(5000))), "{} messages without a report", old.producer.messages_pending());
    old.close(ms(3000));
}

#[test]
fn a_message_that_fails_makes_the_transaction_one_to_abort() {
    let _stage = beside();
    for version in [1, 2] {
        let cluster = cluster(version);
        let (h, a, _) = ready(&cluster, &[]);
        let p = &h.producer;
        for failure in [RespErr::ERR_TOPIC_AUTHORIZATION_FAILED, RespErr::ERR_OUT_OF_ORDER_SEQUENCE_NUMBER] {
            p.begin_transaction().expect("begin");
            h.produce_many(&a, 0, 3);
            h.flush(ms(5000));
            cluster.push_request_errors(PRODUCE, &[failure.0 as i16; 1]);
            h.produce_many(&a, 0, 3);
            let e = h.commit(ms(10_000)).expect_err("a message failed");
            assert!(e.requires_abort() && !e.is_fatal() && e.code() == failure, "version {version}: {e:?}");
            assert_eq!(h.produce(&a, 0, None, (0, 0)), Err(RespErr::ERR__STATE));
            assert!(p.begin_transaction().expect_err("abort first").requires_abort());
            h.abort(ms(10_000)).expect("abort");
            // With a new epoch, so all goes well again.
            let before = committed(&cluster);
            p.begin_transaction().expect("begin");
            h.produce_many(&a, 0, 5);
            h.commit(ms(10_000)).expect("commit");
            eventually("markers", ms(5000), || committed(&cluster) == before + 5);
        }
        h.close(ms(3000));
    }
}

#[test]
fn messages_that_time_out_are_counted_at_commit() {
    let _stage = beside();
    let cluster = cluster(2);
    let (h, a, _) = ready(&cluster, &[("message.timeout.ms", "300")]);
    h.producer.begin_transaction().expect("begin");
    h.produce_many(&a, 0, 1);
    h.flush(ms(5000));
    cluster.broker_down(-1).expect("down");
    h.produce_many(&a, 0, 4);
    let e = h.commit(ms(10_000)).expect_err("timed out");
    assert!(e.requires_abort() && !e.is_fatal(), "{e:?}");
    cluster.broker_up(-1).expect("up");
    h.abort(ms(20_000)).expect("abort");
    eventually("markers", ms(5000), || committed(&cluster) == 0);
    h.close(ms(3000));
}

#[test]
fn a_call_that_times_out_is_made_again() {
    let _stage = beside();
    let cluster = cluster(2);
    let h = producer(&cluster, &[]);
    let p = &h.producer;
    cluster.broker_down(-1).expect("down");
    let e = p.init_transactions(Some(ms(200))).expect_err("no broker");
    assert!(e.is_retriable() && !e.is_fatal(), "{e:?}");
    let e = p.begin_transaction().expect_err("init is under way");
    assert!(e.code() == RespErr::ERR__CONFLICT && e.is_retriable(), "{e:?}");
    cluster.broker_up(-1).expect("up");
    p.init_transactions(Some(ms(20_000))).expect("resumed");
    let a = h.topic("a");
    p.begin_transaction().expect("begin");
    h.produce_many(&a, 0, 5);
    h.flush(ms(10_000));
    cluster.broker_down(-1).expect("down");
    let e = h.commit(ms(200)).expect_err("no broker");
    assert!(e.is_retriable() && e.code() == RespErr::ERR__TIMED_OUT, "{e:?}");
    assert_eq!(h.abort(ms(200)).expect_err("commit is under way").code(), RespErr::ERR__CONFLICT);
    cluster.broker_up(-1).expect("up");
    h.commit(ms(20_000)).expect("resumed");
    eventually("markers", ms(5000), || committed(&cluster) == 5);
    h.close(ms(3000));
}

#[test]
fn coordinators_may_move_and_fail() {
    let _stage = beside();
    for version in [1, 2] {
        let cluster = cluster(version);
        let (h, a, b) = ready(&cluster, &[]);
        let p = &h.producer;
        for round in 0..9i64 {
            p.begin_transaction().expect("begin");
            h.produce_many(&a, 0, 3);
            match round % 3 {
                0 => cluster.move_transaction_coordinator("tx", 1 + (round as i32 / 3) % 3).expect("moved"),
                1 => {
                    // Answers that get lost, and those of a coordinator that starts up.
                    for api in [ADD_PARTITIONS, ADD_OFFSETS, OFFSET_COMMIT, END_TXN] {
                        cluster.push_request_errors(api, &[CLOSE, 14, 51, 16, 15]);
                    }
                }
                _ => cluster.drop_connections(-1).expect("cut"),
            }
            h.produce_many(&b, 1, 3);
            p.send_offsets_to_transaction(offsets("in", round), group("g"), Some(ms(20_000))).expect("offsets");
            cluster.move_group_coordinator("g", 1 + round as i32 % 3).expect("moved");
            h.commit(ms(20_000)).unwrap_or_else(|e| panic!("version {version}, round {round}: {e:?}"));
            eventually("markers", ms(5000), || committed(&cluster) == 6 * (round as usize + 1));
            assert_eq!(cluster.committed_offset("g", "in", 0), Some(round), "version {version}");
            for api in [ADD_PARTITIONS, ADD_OFFSETS, OFFSET_COMMIT, END_TXN] {
                cluster.clear_request_errors(api);
            }
        }
        h.close(ms(3000));
    }
}

#[test]
fn errors_of_the_coordinator_by_kind() {
    let _stage = beside();
    let cluster = cluster(1);
    cluster.push_request_errors(INIT_PRODUCER_ID, &[RespErr::ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED.0 as i16]);
    let h = producer(&cluster, &[]);
    let e = h.producer.init_transactions(Some(ms(10_000))).expect_err("not allowed");
    assert!(e.is_fatal() && e.code() == RespErr::ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "{e:?}");
    h.close(ms(3000));

    let (h, a, _) = ready(&cluster, &[]);
    let p = &h.producer;
    p.begin_transaction().expect("begin");
    cluster.push_request_errors(ADD_PARTITIONS, &[RespErr::ERR_TOPIC_AUTHORIZATION_FAILED.0 as i16]);
    h.produce_many(&a, 0, 2);
    let e = h.commit(ms(10_000)).expect_err("not allowed");
    assert!(e.requires_abort() && e.code() == RespErr::ERR_TOPIC_AUTHORIZATION_FAILED, "{e:?}");
    h.abort(ms(10_000)).expect("abort");
    p.begin_transaction().expect("begin");
    cluster.push_request_errors(ADD_OFFSETS, &[RespErr::ERR_GROUP_AUTHORIZATION_FAILED.0 as i16]);
    let e = p.send_offsets_to_transaction(offsets("in", 1), group("g"), Some(ms(10_000))).expect_err("not allowed");
    assert!(e.requires_abort() && e.code() == RespErr::ERR_GROUP_AUTHORIZATION_FAILED, "{e:?}");
    h.abort(ms(10_000)).expect("abort");
    p.begin_transaction().expect("begin");
    h.produce_many(&a, 0, 2);
    h.commit(ms(10_000)).expect("commit");
    h.close(ms(3000));
}
