//! Steering the coordinators, and looking at transactions and committed offsets.

use super::{decode, MockCluster, MockRecord};
use crate::error::RespErr;
use crate::mock::batch;
use crate::mock::groups::{CommittedOffset, Member};
use crate::mock::handlers::api_versions::MAX_TRANSACTION_VERSION;
use crate::mock::log::Isolation;
use crate::mock::txn::State;
use crate::protocol::messages::find_coordinator::{KEY_TYPE_GROUP, KEY_TYPE_TRANSACTION};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What the coordinator knows of a transactional id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionInfo {
    pub producer_id: i64,
    pub epoch: i16,
    pub state: State,
}

/// The end of a transaction in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MockMarker {
    pub offset: i64,
    pub producer_id: i64,
    pub epoch: i16,
    /// COMMIT, or ABORT.
    pub commit: bool,
}

impl MockCluster {
    /// Finalizes `transaction.version` 0, 1 or 2 (cut to that), which ApiVersions tells. With 2 Produce v12 and
    /// TxnOffsetCommit v5 add to the transaction what they write to (KIP-890).
    pub fn set_transaction_version(&self, version: i16) {
        self.shared.txns.lock().version = version.clamp(0, MAX_TRANSACTION_VERSION);
    }

    /// Makes `broker` the coordinator of a transactional id; others answer NOT_COORDINATOR. While it is down, the next one
    /// that is up stands in.
    pub fn move_transaction_coordinator(&self, transactional_id: &str, broker: i32) -> Result<(), RespErr> {
        self.move_coordinator(KEY_TYPE_TRANSACTION, transactional_id, broker)
    }

    /// As [`MockCluster::move_transaction_coordinator`] for a group.
    pub fn move_group_coordinator(&self, group: &str, broker: i32) -> Result<(), RespErr> {
        self.move_coordinator(KEY_TYPE_GROUP, group, broker)
    }

    fn move_coordinator(&self, key_type: i8, key: &str, broker: i32) -> Result<(), RespErr> {
        self.shared.broker(broker).ok_or(RespErr::ERR__UNKNOWN_BROKER)?;
        self.shared.moved_coordinators.lock().insert((key_type, key.to_string()), broker);
        self.shared.coordinator_epoch.fetch_add(1, Ordering::Relaxed);
        self.shared.note_all_txn_dues();
        Ok(())
    }

    /// The broker that coordinates a transactional id, −1 if all are down.
    pub fn transaction_coordinator(&self, transactional_id: &str) -> i32 {
        self.shared.coordinator(KEY_TYPE_TRANSACTION, transactional_id).map_or(-1, |b| b.id)
    }

    /// The broker that coordinates a group, −1 if all are down.
    pub fn group_coordinator(&self, group: &str) -> i32 {
        self.shared.coordinator(KEY_TYPE_GROUP, group).map_or(-1, |b| b.id)
    }

    /// Milliseconds from the decision of a transaction to its markers; meanwhile the coordinator answers
    /// CONCURRENT_TRANSACTIONS (see [`MockCluster::complete_transactions`] too). 0, as at first: the markers are written
    /// before EndTxn is answered.
    pub fn set_transaction_completion_delay(&self, ms: u32) {
        self.shared.txns.lock().completion_delay = Duration::from_millis(ms as u64);
    }

    /// Writes the markers that a delay still keeps back.
    pub fn complete_transactions(&self) {
        let now = Instant::now();
        let mut txns = self.shared.txns.lock();
        txns.hurry(now);
        self.shared.brokers.iter().for_each(|b| self.shared.run_txns(b, &mut txns, now));
    }

    /// `transaction.max.timeout.ms`: a producer that wants more is answered INVALID_TRANSACTION_TIMEOUT. 15 minutes at first.
    pub fn set_transaction_max_timeout(&self, ms: u32) {
        self.shared.txns.lock().max_timeout = Duration::from_millis(ms as u64);
    }

    /// What the coordinator knows of a transactional id; `None` if no producer has come with it.
    pub fn transaction(&self, transactional_id: &str) -> Option<TransactionInfo> {
        let (p, state) = self.shared.txns.lock().get(transactional_id)?;
        Some(TransactionInfo { producer_id: p.id, epoch: p.epoch, state })
    }

    /// Makes another epoch the current one, to test the end of the range. False if the transactional id is not known.
    pub fn set_transaction_epoch(&self, transactional_id: &str, epoch: i16) -> bool {
        self.shared.txns.lock().set_epoch(transactional_id, epoch)
    }

    /// Forgets a transactional id, as when it expires: its producer is answered INVALID_PRODUCER_ID_MAPPING. False if it
    /// is not known or has an open transaction.
    pub fn forget_transactional_id(&self, transactional_id: &str) -> bool {
        self.shared.txns.lock().forget(transactional_id)
    }

    /// Makes `member` the only one of a group, to whose generation committers are held (KIP-447); `None`, as at first: the
    /// group has no members.
    pub fn set_group_member(&self, group: &str, member: Option<Member>) {
        self.shared.groups.lock().set_member(group, member);
    }

    /// The offsets that a group has committed: topic, partition, offset; in the order of topics and partitions.
    pub fn committed_offsets(&self, group: &str) -> Vec<(String, i32, CommittedOffset)> {
        self.shared.groups.lock().committed(group).into_iter().map(|((t, p), o)| (t, p, o)).collect()
    }

    /// The offset that a group has committed for a partition.
    pub fn committed_offset(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let key = (topic.to_string(), partition);
        self.shared.groups.lock().committed(group).get(&key).map(|c| c.offset)
    }

    /// The records of a partition as a `read_committed` consumer gets them.
    pub fn committed_records(&self, topic: &str, partition: i32) -> Result<Vec<MockRecord>, RespErr> {
        let p = self.partition(topic, partition)?;
        let (batches, end) = {
            let s = p.state.lock();
            let batches: Vec<Vec<u8>> = s.log.batches().map(<[u8]>::to_vec).collect();
            (batches, s.log.end_for(Isolation::ReadCommitted))
        };
        // By the markers, not by the log's own index: from the last on, a producer's batches before an abort are aborted.
        let mut aborting: HashMap<i64, bool> = HashMap::new();
        let mut aborted = HashSet::new();
        for b in batches.iter().rev() {
            let h = batch::header(b).ok_or(RespErr::ERR_INVALID_MSG)?;
            if h.control() {
                aborting.insert(h.producer_id, !is_commit(b)?);
            } else if h.transactional() && aborting.get(&h.producer_id) == Some(&true) {
                aborted.insert(h.base_offset);
            }
        }
        decode(&batches, |h| h.base_offset < end && !aborted.contains(&h.base_offset))
    }

    /// The ends of transactions in a partition.
    pub fn markers(&self, topic: &str, partition: i32) -> Result<Vec<MockMarker>, RespErr> {
        let p = self.partition(topic, partition)?;
        let batches: Vec<Vec<u8>> = p.state.lock().log.batches().map(<[u8]>::to_vec).collect();
        let mut all = Vec::new();
        for b in &batches {
            let h = batch::header(b).ok_or(RespErr::ERR_INVALID_MSG)?;
            if h.control() {
                let (offset, producer_id, epoch) = (h.base_offset, h.producer_id, h.producer_epoch);
                all.push(MockMarker { offset, producer_id, epoch, commit: is_commit(b)? });
            }
        }
        Ok(all)
    }

    /// The offset up to which every transaction of the partition is decided.
    pub fn last_stable_offset(&self, topic: &str, partition: i32) -> Result<i64, RespErr> {
        Ok(self.partition(topic, partition)?.state.lock().log.last_stable_offset())
    }
}

fn is_commit(marker: &[u8]) -> Result<bool, RespErr> {
    let records = batch::decode(marker).map_err(|_| RespErr::ERR_INVALID_MSG)?;
    let key = records.first().and_then(|r| r.key.as_deref()).ok_or(RespErr::ERR_INVALID_MSG)?;
    Ok(key == [0, 0, 0, 1])
}
