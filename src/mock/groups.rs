//! Offsets that groups have committed, and those of transactions that are not decided yet. There is no membership: a test
//! says who is a group's member.

use super::txn::ProducerId;
use crate::error::RespErr;
use std::collections::{BTreeMap, HashMap};

/// The longest text kept with an offset, bytes (`offset.metadata.max.bytes`).
const MAX_METADATA: usize = 4096;

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// Of the next record to be consumed.
    pub offset: i64,
    /// Leader epoch of the last consumed record, or −1.
    pub leader_epoch: i32,
    pub metadata: Option<String>,
}

/// Offsets by topic and partition.
pub type Offsets = BTreeMap<(String, i32), CommittedOffset>;

/// Who commits, as a request says it.
#[derive(Clone, Copy, Debug)]
pub struct Committer<'a> {
    pub generation: i32,
    pub member_id: &'a str,
    pub group_instance_id: Option<&'a str>,
}

/// The one member that a group has for tests.
#[derive(Clone, Debug)]
pub struct Member {
    pub generation: i32,
    pub member_id: String,
    pub group_instance_id: Option<String>,
}

#[derive(Default)]
struct Group {
    committed: Offsets,
    /// Of undecided transactions, by producer id.
    pending: HashMap<i64, Offsets>,
    /// The highest epoch that each transactional producer came with.
    epochs: HashMap<i64, i16>,
    member: Option<Member>,
}

/// Every group of a cluster.
#[derive(Default)]
pub struct Groups {
    groups: HashMap<String, Group>,
}

impl Groups {
    /// Makes `member` the group's only one; `None`: the group has no members.
    pub fn set_member(&mut self, group: &str, member: Option<Member>) {
        self.groups.entry(group.to_string()).or_default().member = member;
    }

    /// Judges who commits as a classic group's coordinator does. A group without members takes offsets of whoever names
    /// no generation.
    fn admit(&self, group: &str, who: Committer<'_>, transactional: bool) -> Result<(), RespErr> {
        let anonymous = who.generation < 0 && who.member_id.is_empty() && who.group_instance_id.is_none();
        let Some(m) = self.groups.get(group).and_then(|g| g.member.as_ref()) else {
            return if who.generation < 0 { Ok(()) } else { Err(RespErr::ERR_ILLEGAL_GENERATION) };
        };
        if anonymous {
            return if transactional { Ok(()) } else { Err(RespErr::ERR_UNKNOWN_MEMBER_ID) };
        }
        match who.group_instance_id {
            Some(id) if m.group_instance_id.as_deref() != Some(id) => return Err(RespErr::ERR_UNKNOWN_MEMBER_ID),
            Some(_) if m.member_id != who.member_id => return Err(RespErr::ERR_FENCED_INSTANCE_ID),
            None if m.member_id != who.member_id => return Err(RespErr::ERR_UNKNOWN_MEMBER_ID),
            _ => {}
        }
        if who.generation == m.generation {
            Ok(())
        } else {
            Err(RespErr::ERR_ILLEGAL_GENERATION)
        }
    }

    fn check(&self, group: &str, who: Committer<'_>, transactional: bool) -> Result<(), RespErr> {
        if group.is_empty() {
            return Err(RespErr::ERR_INVALID_GROUP_ID);
        }
        self.admit(group, who, transactional)
    }

    /// OffsetCommit, for the whole request: whether the group takes offsets of `who`.
    pub fn check_commit(&self, group: &str, who: Committer<'_>) -> Result<(), RespErr> {
        self.check(group, who, false)
    }

    /// TxnOffsetCommit, for the whole request. An older epoch than one that came before is INVALID_PRODUCER_EPOCH.
    pub fn check_txn_commit(&self, group: &str, who: Committer<'_>, producer: ProducerId) -> Result<(), RespErr> {
        self.check(group, who, true)?;
        let seen = self.groups.get(group).and_then(|g| g.epochs.get(&producer.id));
        if seen.is_some_and(|e| producer.epoch < *e) {
            return Err(RespErr::ERR_INVALID_PRODUCER_EPOCH);
        }
        Ok(())
    }

    /// Keeps one offset, at once or, of a transaction, when that commits.
    pub fn put(
        &mut self,
        group: &str,
        producer: Option<ProducerId>,
        topic: &str,
        partition: i32,
        offset: CommittedOffset,
    ) -> Result<(), RespErr> {
        if offset.metadata.as_ref().is_some_and(|m| m.len() > MAX_METADATA) {
            return Err(RespErr::ERR_OFFSET_METADATA_TOO_LARGE);
        }
        let g = self.groups.entry(group.to_string()).or_default();
        let offsets = match producer {
            None => &mut g.committed,
            Some(p) => {
                g.epochs.insert(p.id, p.epoch);
                g.pending.entry(p.id).or_default()
            }
        };
        offsets.insert((topic.to_string(), partition), offset);
        Ok(())
    }

    /// The transaction of `producer` is decided: its offsets count, or are forgotten.
    pub fn end_txn(&mut self, group: &str, producer: ProducerId, commit: bool) {
        let g = self.groups.entry(group.to_string()).or_default();
        g.epochs.insert(producer.id, producer.epoch);
        if let Some(offsets) = g.pending.remove(&producer.id) {
            if commit {
                g.committed.extend(offsets);
            }
        }
    }

    /// Whether an undecided transaction holds an offset of the partition.
    pub fn is_pending(&self, group: &str, topic: &str, partition: i32) -> bool {
        let key = (topic.to_string(), partition);
        self.groups.get(group).is_some_and(|g| g.pending.values().any(|o| o.contains_key(&key)))
    }

    /// What the group has committed.
    pub fn committed(&self, group: &str) -> Offsets {
        self.groups.get(group).map(|g| g.committed.clone()).unwrap_or_default()
    }
}
