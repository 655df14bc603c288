//! Committed offsets over the sockets, in every version, with and without transactions.

use super::transactions::ID;
use super::*;
use crate::mock::txn::ProducerId;
use crate::protocol::messages::offset_commit::*;
use crate::protocol::messages::offset_fetch::*;
use crate::protocol::messages::txn_offset_commit::*;

/// Generation, member id, static member id.
type Who<'a> = (i32, &'a str, Option<&'a str>);
const NOBODY: Who<'static> = (-1, "", None);

impl Client {
    fn commit(&mut self, version: i16, group: &str, who: Who<'_>, topic: &str, offset: i64) -> i16 {
        let p = OffsetCommitRequestPartition { committed_offset: offset, ..Default::default() };
        let request = OffsetCommitRequest {
            group_id: group.to_string(),
            generation_id_or_member_epoch: who.0,
            member_id: who.1.to_string(),
            group_instance_id: who.2.map(str::to_string),
            topics: vec![OffsetCommitRequestTopic { name: topic.to_string(), partitions: vec![p] }],
            ..Default::default()
        };
        let b = self.call(ApiKey::OffsetCommit, version, |w| request.encode(w, version)).unwrap();
        OffsetCommitResponse::decode(&mut Reader::new(&b), version).unwrap().topics[0].partitions[0].error_code
    }

    fn commit_txn(&mut self, version: i16, p: ProducerId, group: &str, who: Who<'_>, topic: &str, offset: i64) -> i16 {
        let partition = TxnOffsetCommitRequestPartition { committed_offset: offset, ..Default::default() };
        let request = TxnOffsetCommitRequest {
            transactional_id: ID.to_string(),
            group_id: group.to_string(),
            producer_id: p.id,
            producer_epoch: p.epoch,
            generation_id: who.0,
            member_id: who.1.to_string(),
            group_instance_id: who.2.map(str::to_string),
            topics: vec![TxnOffsetCommitRequestTopic { name: topic.to_string(), partitions: vec![partition] }],
        };
        let b = self.call(ApiKey::TxnOffsetCommit, version, |w| request.encode(w, version)).unwrap();
        TxnOffsetCommitResponse::decode(&mut Reader::new(&b), version).unwrap().topics[0].partitions[0].error_code
    }

    /// Error of the group, then topic, offset and error of each partition; `topic` `None` asks for all.
    fn offsets(
        &mut self,
        version: i16,
        group: &str,
        topic: Option<&str>,
        require_stable: bool,
    ) -> (i16, Vec<(String, i64, i16)>) {
        let topics = topic.map(|t| vec![OffsetFetchRequestTopic { name: t.to_string(), partition_indexes: vec![0] }]);
        let mut request = OffsetFetchRequest { require_stable, ..Default::default() };
        if version >= 8 {
            request.groups =
                vec![OffsetFetchRequestGroup { group_id: group.to_string(), topics, ..Default::default() }];
        } else {
            (request.group_id, request.topics) = (group.to_string(), topics);
        }
        let b = self.call(ApiKey::OffsetFetch, version, |w| request.encode(w, version)).unwrap();
        let r = OffsetFetchResponse::decode(&mut Reader::new(&b), version).unwrap();
        let (code, topics) = match r.groups.into_iter().next() {
            Some(g) => (g.error_code, g.topics),
            None => (r.error_code, r.topics),
        };
        let flat = topics.into_iter().flat_map(|t| {
            let name = t.name;
            t.partitions.into_iter().map(move |p| (name.clone(), p.committed_offset, p.error_code))
        });
        (code, flat.collect())
    }
}

fn setup() -> (Arc<MockCluster>, Client) {
    let c = cluster(1);
    c.create_topic("t", 1, 1).unwrap();
    c.create_topic("u", 1, 1).unwrap();
    let client = Client::new(&c, 1);
    (c, client)
}

fn one(topic: &str, offset: i64, code: i16) -> (i16, Vec<(String, i64, i16)>) {
    (0, vec![(topic.to_string(), offset, code)])
}

#[test]
fn offsets_are_kept_in_every_version() {
    let (c, mut client) = setup();
    for version in 1..=9 {
        assert_eq!(client.offsets(version, "none", Some("t"), false), one("t", -1, 0), "v{version}");
    }
    for version in 2..=9 {
        assert_eq!(client.commit(version, "g", NOBODY, "t", version as i64), 0);
        assert_eq!(client.offsets(version, "g", Some("t"), false), one("t", version as i64, 0));
        assert_eq!(client.offsets(version, "g", None, true), one("t", version as i64, 0));
    }
    assert_eq!(client.commit(9, "g", NOBODY, "u", 5), 0);
    assert_eq!(client.offsets(9, "g", None, false).1.len(), 2);
    assert_eq!(client.commit(9, "g", NOBODY, "nope", 5), 3);
    assert_eq!(client.commit(9, "", NOBODY, "t", 5), 24);
    assert_eq!((c.committed_offset("g", "t", 0), c.committed_offset("g", "t", 1)), (Some(9), None));
    assert_eq!(c.committed_offsets("g").len(), 2);
}

#[test]
fn offsets_count_with_their_transaction() {
    let (c, mut client) = setup();
    for version in 0..=5 {
        let p = client.init(5, None).unwrap();
        let refused = [48, 48, 48, 48, 120, 0][version as usize];
        assert_eq!(client.commit_txn(version, p, "g", NOBODY, "t", 1), refused, "v{version}");
        assert_eq!(client.add_group(4, p, "g"), 0);
        assert_eq!(client.commit_txn(version, p, "g", NOBODY, "t", 10 + version as i64), 0);
        assert_eq!(client.commit_txn(version, p, "g", NOBODY, "nope", 1), 3);
        let before = if version == 0 { -1 } else { 9 + version as i64 };
        assert_eq!(client.offsets(7, "g", Some("t"), false), one("t", before, 0));
        assert_eq!(client.offsets(7, "g", Some("t"), true), one("t", -1, 88));
        assert_eq!(client.offsets(9, "g", Some("u"), true), one("u", -1, 0));
        assert_eq!(client.end(4, p, true).0, 0);
        assert_eq!(client.offsets(9, "g", Some("t"), true), one("t", 10 + version as i64, 0));
    }
    let p = client.init(5, None).unwrap();
    assert_eq!(client.commit_txn(5, p, "g", NOBODY, "t", 99), 0);
    let (code, p) = client.end(5, p, false);
    assert_eq!((code, c.committed_offset("g", "t", 0)), (0, Some(15)));
    // The epoch before is fenced, with the code that every version knows.
    let old = ProducerId { epoch: p.epoch - 1, ..p };
    assert_eq!(
        (client.commit_txn(3, old, "g", NOBODY, "t", 1), client.commit_txn(5, old, "g", NOBODY, "t", 1)),
        (47, 47)
    );
    // Version 1 of transactions adds nothing by itself.
    c.set_transaction_version(1);
    assert_eq!(client.commit_txn(5, p, "g", NOBODY, "t", 1), 120);
}

#[test]
fn members_are_held_to_their_generation() {
    let (c, mut client) = setup();
    // Without members, a generation cannot be right.
    assert_eq!(client.commit(9, "g", (3, "m", None), "t", 1), 22);
    let member = Member { generation: 3, member_id: "m".to_string(), group_instance_id: Some("static".to_string()) };
    c.set_group_member("g", Some(member));
    let p = client.init(5, None).unwrap();
    let cases: [(Who<'_>, i16); 6] = [
        ((3, "m", None), 0),
        ((3, "m", Some("static")), 0),
        ((2, "m", None), 22),
        ((3, "n", None), 25),
        ((3, "n", Some("static")), 82),
        ((3, "m", Some("dynamic")), 25),
    ];
    for (who, code) in cases {
        assert_eq!(client.commit(9, "g", who, "t", 1), code, "{who:?}");
        assert_eq!(client.commit_txn(5, p, "g", who, "t", 1), code, "{who:?}");
    }
    // Old transactional producers name nobody, and are let in.
    assert_eq!((client.commit(9, "g", NOBODY, "t", 1), client.commit_txn(2, p, "g", NOBODY, "t", 1)), (25, 0));
    c.set_group_member("g", None);
    assert_eq!(client.commit(9, "g", NOBODY, "t", 1), 0);
}

#[test]
fn groups_have_one_coordinator_and_faults() {
    let c = cluster(2);
    c.create_topic("t", 1, 1).unwrap();
    c.move_transaction_coordinator(ID, 1).unwrap();
    c.move_group_coordinator("g", 2).unwrap();
    assert_eq!(c.group_coordinator("g"), 2);
    let (mut one_, mut two) = (Client::new(&c, 1), Client::new(&c, 2));
    let p = one_.init(5, None).unwrap();
    assert_eq!(one_.add_group(4, p, "g"), 0);
    assert_eq!((one_.commit(9, "g", NOBODY, "t", 1), one_.commit_txn(3, p, "g", NOBODY, "t", 1)), (16, 16));
    assert_eq!(one_.offsets(1, "g", Some("t"), false), one("t", -1, 16));
    assert_eq!(
        (one_.offsets(5, "g", Some("t"), false), one_.offsets(9, "g", Some("t"), false)),
        ((16, vec![]), (16, vec![]))
    );
    for key in [key::OFFSET_COMMIT, key::OFFSET_FETCH, key::TXN_OFFSET_COMMIT] {
        c.push_request_errors(key, &[14]);
        c.push_partition_request_errors("t", 0, key, &[29]).unwrap();
    }
    assert_eq!((two.commit(9, "g", NOBODY, "t", 1), two.commit(9, "g", NOBODY, "t", 1)), (14, 29));
    assert_eq!((two.commit_txn(3, p, "g", NOBODY, "t", 1), two.commit_txn(3, p, "g", NOBODY, "t", 1)), (14, 29));
    assert_eq!(
        (two.offsets(9, "g", Some("t"), false), two.offsets(9, "g", Some("t"), false)),
        ((14, vec![]), one("t", -1, 29))
    );
    assert_eq!(two.commit_txn(3, p, "g", NOBODY, "t", 7), 0);
    // Markers reach the group wherever its coordinator is.
    assert_eq!(one_.end(3, p, true).0, 0);
    assert_eq!(two.offsets(9, "g", None, true), one("t", 7, 0));
}
