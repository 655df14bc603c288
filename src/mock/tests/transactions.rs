//! Transactions over the sockets, in every version.

use super::batch::tests::build_txn;
use super::*;
use crate::mock::txn::{ProducerId, State};
use crate::protocol::messages::add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use crate::protocol::messages::add_partitions_to_txn::*;
use crate::protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};
use crate::protocol::messages::find_coordinator::{
    FindCoordinatorRequest, FindCoordinatorResponse, KEY_TYPE_TRANSACTION,
};

pub const ID: &str = "id";

impl Client {
    pub fn init(&mut self, version: i16, expected: Option<ProducerId>) -> Result<ProducerId, i16> {
        let mut request = InitProducerIdRequest {
            transactional_id: Some(ID.to_string()),
            transaction_timeout_ms: 60_000,
            ..Default::default()
        };
        if let Some(p) = expected {
            (request.producer_id, request.producer_epoch) = (p.id, p.epoch);
        }
        let b = self.call(ApiKey::InitProducerId, version, |w| request.encode(w, version)).unwrap();
        let r = InitProducerIdResponse::decode(&mut Reader::new(&b), version).unwrap();
        match r.error_code {
            0 => Ok(ProducerId { id: r.producer_id, epoch: r.producer_epoch }),
            code => Err(code),
        }
    }

    /// The codes of partitions 0 and further of topic "t".
    pub fn add_partitions(&mut self, version: i16, p: ProducerId, partitions: &[i32]) -> Vec<i16> {
        let topic = AddPartitionsToTxnTopic { name: "t".to_string(), partitions: partitions.to_vec() };
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: ID.to_string(),
            v3_and_below_producer_id: p.id,
            v3_and_below_producer_epoch: p.epoch,
            v3_and_below_topics: vec![topic],
        };
        let b = self.call(ApiKey::AddPartitionsToTxn, version, |w| request.encode(w, version)).unwrap();
        let r = AddPartitionsToTxnResponse::decode(&mut Reader::new(&b), version).unwrap();
        let results = &r.results_by_topic_v3_and_below[0].results_by_partition;
        assert!(results.iter().map(|r| r.partition_index).eq(partitions.iter().copied()));
        results.iter().map(|r| r.partition_error_code).collect()
    }

    pub fn add_group(&mut self, version: i16, p: ProducerId, group: &str) -> i16 {
        let request = AddOffsetsToTxnRequest {
            transactional_id: ID.to_string(),
            producer_id: p.id,
            producer_epoch: p.epoch,
            group_id: group.to_string(),
        };
        let b = self.call(ApiKey::AddOffsetsToTxn, version, |w| request.encode(w, version)).unwrap();
        AddOffsetsToTxnResponse::decode(&mut Reader::new(&b), version).unwrap().error_code
    }

    /// The code, and the producer from then on (v5).
    pub fn end(&mut self, version: i16, p: ProducerId, committed: bool) -> (i16, ProducerId) {
        let (producer_id, producer_epoch) = (p.id, p.epoch);
        let request = EndTxnRequest { transactional_id: ID.to_string(), producer_id, producer_epoch, committed };
        let b = self.call(ApiKey::EndTxn, version, |w| request.encode(w, version)).unwrap();
        let r = EndTxnResponse::decode(&mut Reader::new(&b), version).unwrap();
        (r.error_code, ProducerId { id: r.producer_id, epoch: r.producer_epoch })
    }

    /// Two records to "t" partition 0, and the code.
    fn write(&mut self, version: i16, id: Option<&str>, p: ProducerId, sequence: i32) -> i16 {
        let batch = build_txn(&[1, 2], (p.id, p.epoch, sequence));
        let data = vec![PartitionProduceData { index: 0, records: Some(&batch) }];
        let topic_data = vec![TopicProduceData { name: "t", partition_data: data, ..Default::default() }];
        let request = ProduceRequest { transactional_id: id, acks: -1, timeout_ms: 1000, topic_data };
        let b = self.call(ApiKey::Produce, version, |w| request.encode(w, version)).unwrap();
        ProduceResponse::decode(&mut Reader::new(&b), version).unwrap().responses[0].error_code
    }
}

fn fetch_committed(offset: i64, max_wait_ms: i32) -> FetchRequest {
    FetchRequest { isolation_level: 1, ..fetch_request("t", offset, max_wait_ms) }
}

fn next(p: ProducerId) -> ProducerId {
    ProducerId { epoch: p.epoch + 1, ..p }
}

/// One broker with topic "t" of two partitions.
fn setup() -> (Arc<MockCluster>, Client) {
    let c = cluster(1);
    c.create_topic("t", 2, 1).unwrap();
    let client = Client::new(&c, 1);
    (c, client)
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn transactions_in_every_version() {
    let (c, mut client) = setup();
    let (mut offset, mut kept) = (0, 0);
    for version in 0..=5 {
        for commit in [true, false] {
            let p = client.init(version, None).unwrap();
            assert_eq!(client.add_partitions(version.min(3), p, &[0]), [0]);
            assert_eq!(client.add_group(version.min(4), p, "g"), 0);
            assert_eq!(client.write(9, Some(ID), p, 0), 0);
            assert_eq!(c.last_stable_offset("t", 0), Ok(offset));
            let (code, after) = client.end(version, p, commit);
            let bumped = version >= 5;
            assert_eq!(code, 0, "v{version}");
            assert_eq!(after, if bumped { next(p) } else { ProducerId { id: -1, epoch: -1 } });
            offset += 3;
            kept += 2 * commit as usize;
            let marker = *c.markers("t", 0).unwrap().last().unwrap();
            let epoch = p.epoch + bumped as i16;
            assert_eq!(marker, MockMarker { offset: offset - 1, producer_id: p.id, epoch, commit });
            let info = TransactionInfo { producer_id: p.id, epoch, state: State::Complete(commit) };
            assert_eq!(c.transaction(ID), Some(info));
        }
    }
    assert_eq!(c.last_stable_offset("t", 0), Ok(offset));
    let committed: Vec<i64> = c.committed_records("t", 0).unwrap().iter().map(|r| r.offset).collect();
    let expected: Vec<i64> = (0..6).flat_map(|v| [v * 6, v * 6 + 1]).collect();
    assert_eq!((committed.len(), committed), (kept, expected));
    assert_eq!(c.log_records("t", 0).unwrap().len(), 24);
    assert_eq!(c.markers("t", 1).unwrap(), []);
}

#[test]
fn partitions_must_be_added_or_add_themselves() {
    let (c, mut client) = setup();
    let p = client.init(5, None).unwrap();
    for (version, code) in [(3, 48), (10, 48), (11, 120)] {
        assert_eq!(client.write(version, Some(ID), p, 0), code, "v{version}");
    }
    assert_eq!(client.write(12, None, p, 0), 53);
    assert_eq!(client.write(12, Some("other"), p, 0), 49);
    assert_eq!(client.write(12, Some(ID), next(p), 0), 47);
    c.set_transaction_version(1);
    assert_eq!(client.write(12, Some(ID), p, 0), 120);
    c.set_transaction_version(2);
    assert_eq!(c.transaction(ID).unwrap().state, State::Empty);
    assert_eq!(client.write(12, Some(ID), p, 0), 0);
    assert_eq!(c.transaction(ID).unwrap().state, State::Ongoing);
    // Added is added, for older versions too; and nothing but transactional batches come from this producer now.
    assert_eq!(client.write(9, Some(ID), p, 2), 0);
    assert_eq!(client.produce(9, "t", 0, &build(&[1], (p.id, p.epoch, 4))), Some((48, -1)));
    let (code, p) = client.end(5, p, true);
    assert_eq!((code, c.high_watermark("t", 0)), (0, Ok(5)));
    // Sequences start anew with the epoch.
    assert_eq!(client.write(12, Some(ID), p, 4), 45);
    assert_eq!(client.write(12, Some(ID), p, 0), 0);
    assert_eq!(c.committed_records("t", 0).unwrap().len(), 4);
    // All or none.
    c.push_partition_request_errors("t", 1, key::ADD_PARTITIONS_TO_TXN, &[29]).unwrap();
    assert_eq!(client.add_partitions(3, p, &[0, 1, 2]), [55, 29, 3]);
    assert_eq!(client.add_partitions(3, p, &[0, 1]), [0, 0]);
}

#[test]
fn a_fenced_producer_is_told_in_words_it_knows() {
    let (c, mut client) = setup();
    let old = client.init(4, None).unwrap();
    client.init(4, None).unwrap();
    for version in 0..=3 {
        assert_eq!(client.add_partitions(version, old, &[0]), [if version < 2 { 47 } else { 90 }]);
    }
    for version in 0..=4 {
        assert_eq!(client.add_group(version, old, "g"), if version < 2 { 47 } else { 90 });
    }
    for version in 0..=5 {
        assert_eq!(client.end(version, old, true).0, if version < 2 { 47 } else { 90 });
    }
    assert_eq!((client.init(3, Some(old)), client.init(4, Some(old))), (Err(47), Err(90)));
    assert_eq!((client.write(9, Some(ID), old, 0), client.write(12, Some(ID), old, 0)), (47, 47));
    let nobody = ProducerId { id: 5, epoch: 0 };
    assert_eq!((client.add_partitions(3, nobody, &[0]), client.end(4, nobody, true).0), (vec![49], 49));
    assert_eq!(client.init(5, Some(ProducerId { id: 5, epoch: -1 })), Err(42));
    c.set_transaction_max_timeout(59_999);
    assert_eq!(client.init(5, None), Err(50));
}

#[test]
fn an_open_transaction_is_aborted_for_a_newer_instance() {
    let (c, mut client) = setup();
    let old = client.init(5, None).unwrap();
    assert_eq!(client.write(12, Some(ID), old, 0), 0);
    c.set_transaction_completion_delay(u32::MAX);
    assert_eq!((client.init(5, None), client.init(5, None)), (Err(51), Err(51)));
    assert_eq!(c.transaction(ID).unwrap().state, State::Prepare(false));
    assert_eq!((c.last_stable_offset("t", 0), c.markers("t", 0)), (Ok(0), Ok(vec![])));
    c.complete_transactions();
    let new = client.init(5, None).unwrap();
    assert_eq!(new, ProducerId { id: old.id, epoch: 2 });
    assert_eq!(c.markers("t", 0).unwrap().len(), 1);
    assert_eq!(c.committed_records("t", 0), Ok(vec![]));
    assert_eq!(client.write(12, Some(ID), old, 2), 47);
    // While a commit completes, the next transaction must wait.
    assert_eq!(client.write(12, Some(ID), new, 0), 0);
    let (code, p) = client.end(5, new, true);
    assert_eq!((code, c.transaction(ID).unwrap().state), (0, State::Prepare(true)));
    assert_eq!((client.write(12, Some(ID), p, 0), client.write(11, Some(ID), p, 0)), (51, 19));
    assert_eq!((client.add_partitions(3, p, &[0]), client.end(5, new, true).0), (vec![51], 51));
    assert_eq!(client.add_group(4, p, "g"), 51);
    c.complete_transactions();
    assert_eq!(c.committed_records("t", 0).unwrap().len(), 2);
    assert_eq!(client.write(12, Some(ID), p, 0), 0);
    // By itself, too.
    c.set_transaction_completion_delay(20);
    assert_eq!(client.end(5, p, true).0, 0);
    eventually("the commit is complete", || c.committed_records("t", 0).unwrap().len() == 4);
}

#[test]
fn a_slow_transaction_is_aborted_by_the_broker() {
    let (c, mut client) = setup();
    let request = InitProducerIdRequest {
        transactional_id: Some(ID.to_string()),
        transaction_timeout_ms: 30,
        ..Default::default()
    };
    let b = client.call(ApiKey::InitProducerId, 5, |w| request.encode(w, 5)).unwrap();
    let r = InitProducerIdResponse::decode(&mut Reader::new(&b), 5).unwrap();
    let p = ProducerId { id: r.producer_id, epoch: r.producer_epoch };
    assert_eq!(client.write(12, Some(ID), p, 0), 0);
    eventually("the transaction is aborted", || c.last_stable_offset("t", 0) == Ok(3));
    assert_eq!(c.transaction(ID).map(|t| (t.epoch, t.state)), Some((1, State::Complete(false))));
    assert_eq!(client.write(12, Some(ID), p, 2), 47);
    assert_eq!(client.end(4, p, true).0, 90);
}

#[test]
fn read_committed_gets_what_is_committed() {
    let c = cluster(2);
    c.create_topic("t", 1, 1).unwrap();
    // The coordinator is another broker than the leader.
    c.move_transaction_coordinator(ID, 2).unwrap();
    let (mut leader, mut coordinator) = (Client::new(&c, 1), Client::new(&c, 2));
    let fetch = |client: &mut Client, request: &FetchRequest| {
        let b = client.call(ApiKey::Fetch, 12, |w| request.encode(w, 12)).unwrap();
        let r = FetchResponse::decode(&mut Reader::new(&b), 12).unwrap();
        let p = &r.responses[0].partitions[0];
        let aborted = p.aborted_transactions.as_ref().map(|a| a.iter().map(|a| a.first_offset).collect::<Vec<_>>());
        (p.error_code, p.high_watermark, p.last_stable_offset, p.records.unwrap().len(), aborted)
    };
    let one = plain().len();
    assert_eq!(leader.produce(9, "t", 0, &plain()), Some((0, 0)));
    let p = coordinator.init(5, None).unwrap();
    assert_eq!(leader.write(12, Some(ID), p, 0), 0);
    assert_eq!(leader.produce(9, "t", 0, &plain()), Some((0, 5)));
    assert_eq!(fetch(&mut leader, &fetch_committed(0, 0)), (0, 8, 3, one, Some(vec![])));
    assert!(fetch(&mut leader, &fetch_request("t", 0, 0)).3 > 2 * one);
    let list = |client: &mut Client, isolation_level| {
        let p = ListOffsetsPartition { timestamp: LATEST_TIMESTAMP, ..Default::default() };
        let topics = vec![ListOffsetsTopic { name: "t".to_string(), partitions: vec![p] }];
        let request = ListOffsetsRequest { replica_id: -1, isolation_level, topics, ..Default::default() };
        let b = client.call(ApiKey::ListOffsets, 6, |w| request.encode(w, 6)).unwrap();
        ListOffsetsResponse::decode(&mut Reader::new(&b), 6).unwrap().topics[0].partitions[0].offset
    };
    assert_eq!((list(&mut leader, 0), list(&mut leader, 1)), (8, 3));
    // A fetch that waits for the end of the transaction gets it at once.
    let mut reader = Client::new(&c, 1);
    reader.send(ApiKey::Fetch, 12, |w| fetch_committed(3, 15_000).encode(w, 12));
    std::thread::sleep(Duration::from_millis(30));
    let start = Instant::now();
    assert_eq!(coordinator.end(5, p, false).0, 0);
    assert!(reader.receive().is_some());
    assert!(start.elapsed() < Duration::from_secs(10));
    let (code, end, stable, len, aborted) = fetch(&mut leader, &fetch_committed(0, 0));
    assert_eq!((code, end, stable, aborted), (0, 9, 9, Some(vec![3])));
    assert!(len > 3 * one);
    // Only where it matters, and to whom.
    assert_eq!(fetch(&mut leader, &fetch_committed(9, 0)).4, Some(vec![]));
    assert_eq!(fetch(&mut leader, &fetch_request("t", 0, 0)).4, None);
    let records = c.committed_records("t", 0).unwrap();
    assert_eq!(records.iter().map(|r| r.offset).collect::<Vec<_>>(), [0, 1, 2, 5, 6, 7]);
    assert!(c.log_records("t", 0).unwrap()[3].transactional);
}

#[test]
fn the_coordinator_is_one_broker() {
    let c = cluster(3);
    c.create_topic("t", 1, 1).unwrap();
    let find = |c: &MockCluster, version: i16| {
        let mut request = FindCoordinatorRequest { key_type: KEY_TYPE_TRANSACTION, ..Default::default() };
        if version >= 4 {
            request.coordinator_keys = vec!["x".to_string(), ID.to_string()];
        } else {
            request.key = ID.to_string();
        }
        let broker = if c.connection_count(1) == 0 { 2 } else { 1 };
        let b = Client::new(c, broker).call(ApiKey::FindCoordinator, version, |w| request.encode(w, version)).unwrap();
        let r = FindCoordinatorResponse::decode(&mut Reader::new(&b), version).unwrap();
        if version >= 4 {
            (r.coordinators[1].node_id, r.coordinators[1].error_code)
        } else {
            (r.node_id, r.error_code)
        }
    };
    let _keep = Client::new(&c, 1).metadata(9, None);
    c.move_transaction_coordinator(ID, 2).unwrap();
    let mut two = Client::new(&c, 2);
    let p = two.init(5, None).unwrap();
    assert_eq!(two.add_partitions(3, p, &[0]), [0]);
    for version in 1..=6 {
        assert_eq!(find(&c, version), (2, 0), "v{version}");
    }
    c.move_transaction_coordinator(ID, 3).unwrap();
    assert_eq!(find(&c, 6), (3, 0));
    assert_eq!((two.init(5, None), two.add_partitions(3, p, &[0])), (Err(16), vec![16]));
    assert_eq!((two.add_group(4, p, "g"), two.end(5, p, true).0), (16, 16));
    // The transaction has moved along.
    let mut three = Client::new(&c, 3);
    assert_eq!(three.end(4, p, true).0, 0);
    assert_eq!(c.markers("t", 0).unwrap().len(), 1);
    c.broker_down(3).unwrap();
    assert_eq!((c.transaction_coordinator(ID), find(&c, 6)), (1, (1, 0)));
    c.broker_up(3).unwrap();
    assert_eq!(c.transaction_coordinator(ID), 3);
    assert_eq!(c.move_transaction_coordinator(ID, 4), Err(RespErr::ERR__UNKNOWN_BROKER));
}

#[test]
fn pushed_errors_strike_transactions() {
    let (c, mut client) = setup();
    let keys = [key::INIT_PRODUCER_ID, key::ADD_PARTITIONS_TO_TXN, key::ADD_OFFSETS_TO_TXN, key::END_TXN];
    keys.iter().for_each(|k| c.push_request_errors(*k, &[14, 51]));
    assert_eq!((client.init(5, None), client.init(5, None)), (Err(14), Err(51)));
    let p = client.init(5, None).unwrap();
    assert_eq!((client.add_partitions(3, p, &[0, 1]), client.add_partitions(3, p, &[0])), (vec![14, 14], vec![51]));
    assert_eq!((client.add_group(4, p, "g"), client.add_group(4, p, "g")), (14, 51));
    assert_eq!(c.transaction(ID).unwrap().state, State::Empty);
    assert_eq!(client.add_partitions(3, p, &[0]), [0]);
    assert_eq!((client.end(5, p, true).0, client.end(5, p, true).0), (14, 51));
    // Carried out, and not told.
    c.push_after_append_errors(key::END_TXN, &[faults::CLOSE]);
    let request =
        EndTxnRequest { transactional_id: ID.to_string(), producer_id: p.id, producer_epoch: p.epoch, committed: true };
    assert_eq!(client.call(ApiKey::EndTxn, 5, |w| request.encode(w, 5)), None);
    let mut client = Client::new(&c, 1);
    assert_eq!(client.end(5, p, true), (0, next(p)));
    c.push_after_append_errors(key::INIT_PRODUCER_ID, &[15]);
    assert_eq!(client.init(5, None), Err(15));
    assert_eq!(c.transaction(ID).map(|t| t.epoch), Some(p.epoch + 2));
    assert!(keys.iter().all(|k| c.pending_request_errors(*k) == 0));
}

#[test]
fn the_feature_is_told() {
    let c = cluster(1);
    let mut client = Client::new(&c, 1);
    let mut ask = |version: i16| {
        let request =
            ApiVersionsRequest { client_software_name: "a".to_string(), client_software_version: "1".to_string() };
        let b = client.call(ApiKey::ApiVersions, version, |w| request.encode(w, version)).unwrap();
        let r = ApiVersionsResponse::decode(&mut Reader::new(&b), version).unwrap();
        let finalized: Vec<_> = r.finalized_features.iter().map(|f| (f.name.clone(), f.max_version_level)).collect();
        (r.supported_features.len(), r.finalized_features_epoch >= 0, finalized)
    };
    let level = |n: i16| vec![("transaction.version".to_string(), n)];
    assert_eq!(ask(2), (0, false, vec![]));
    assert_eq!(ask(3), (0, true, level(2)));
    assert_eq!(ask(4), (1, true, level(2)));
    c.set_transaction_version(1);
    assert_eq!(ask(4), (1, true, level(1)));
    c.set_transaction_version(0);
    assert_eq!(ask(4), (1, true, vec![]));
    c.set_profile("4.0");
    assert_eq!(ask(3), (0, true, level(2)));
    c.set_profile("3.9");
    assert_eq!(ask(3), (0, true, vec![]));
}
