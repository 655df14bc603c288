//! What each API does. One module per API key, headed by its behaviours.

mod add_offsets_to_txn;
mod add_partitions_to_txn;
pub mod api_versions;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod end_txn;
pub mod fetch;
mod find_coordinator;
mod init_producer_id;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_fetch;
mod produce;
mod txn_offset_commit;

use super::faults::Fault;
use super::profiles::key;
use super::shared::{Broker, Shared};
use super::topics::{PartitionState, Topic, TopicId};
use super::txn::{Coordinator, ProducerId, Target, TRANSACTION_ABORTABLE};
use crate::error::RespErr;
use crate::protocol::messages::fetch::FetchRequest;
use crate::protocol::messages::find_coordinator::KEY_TYPE_TRANSACTION;
use crate::protocol::messages::produce::{LeaderIdAndEpoch, NodeEndpoint};
use crate::protocol::{ApiKey, DecodeError, Reader, Writer, ZERO_UUID};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Who asks whom, and what is to go wrong.
pub struct Request<'a> {
    pub shared: &'a Shared,
    pub broker: &'a Broker,
    pub version: i16,
    pub fault: Fault,
    pub throttle_ms: i32,
}

/// What a handler makes of a request.
pub enum Reply {
    /// The answer is written.
    Answer,
    /// There is none (acks=0).
    Nothing,
    /// The answer comes when the fetch has enough, or its time is up.
    Wait(Box<FetchRequest>),
    /// The connection is closed, for this reason.
    Close(String),
}

/// Reads the request's body, acts, and writes the answer's body. Bytes that cannot be read close the connection.
pub type Handler = fn(&Request<'_>, &mut Reader<'_>, &mut Writer) -> Result<Reply, DecodeError>;

pub struct Api {
    pub key: i16,
    pub min: i16,
    pub max: i16,
    pub handler: Handler,
}

const fn api(key: ApiKey, handler: Handler) -> Api {
    Api { key: key as i16, min: key.api().min, max: key.api().max, handler }
}

/// Every API that is answered.
pub const TABLE: &[Api] = &[
    api(ApiKey::Produce, produce::handle),
    api(ApiKey::Fetch, fetch::handle),
    api(ApiKey::ListOffsets, list_offsets::handle),
    api(ApiKey::Metadata, metadata::handle),
    api(ApiKey::OffsetCommit, offset_commit::handle),
    api(ApiKey::OffsetFetch, offset_fetch::handle),
    api(ApiKey::FindCoordinator, find_coordinator::handle),
    api(ApiKey::ApiVersions, api_versions::handle),
    api(ApiKey::CreateTopics, create_topics::handle),
    api(ApiKey::DeleteTopics, delete_topics::handle),
    api(ApiKey::InitProducerId, init_producer_id::handle),
    api(ApiKey::AddPartitionsToTxn, add_partitions_to_txn::handle),
    api(ApiKey::AddOffsetsToTxn, add_offsets_to_txn::handle),
    api(ApiKey::EndTxn, end_txn::handle),
    api(ApiKey::TxnOffsetCommit, txn_offset_commit::handle),
    api(ApiKey::CreatePartitions, create_partitions::handle),
];

/// Milliseconds since the epoch.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

impl Request<'_> {
    /// The topic that a request names, or from a version with topic ids on, identifies; else the error code.
    fn topic(&self, name: &str, id: &TopicId) -> Result<Arc<Topic>, i16> {
        let topics = self.shared.topics.read();
        if *id == ZERO_UUID {
            // UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID
            topics.get(name).cloned().ok_or(3)
        } else {
            topics.get_by_id(id).cloned().ok_or(100)
        }
    }

    /// The error code that the fault table has for one partition; 0 if none.
    fn partition_fault(&self, topic: &Topic, partition: i32, api_key: i16) -> i16 {
        self.partition_fault_by_name(&topic.name, partition, api_key)
    }

    fn partition_fault_by_name(&self, topic: &str, partition: i32, api_key: i16) -> i16 {
        if self.fault.code() != 0 && !self.fault.executes() {
            return self.fault.code();
        }
        self.shared.faults.lock().next_partition(topic, partition, api_key)
    }

    /// As [`Request::partition_fault`], or UNKNOWN_TOPIC_OR_PARTITION.
    fn partition_code(&self, topic: &str, partition: i32, api_key: i16) -> i16 {
        let exists = self.topic(topic, &ZERO_UUID).is_ok_and(|t| t.partition(partition).is_some());
        if exists {
            self.partition_fault_by_name(topic, partition, api_key)
        } else {
            3
        }
    }

    /// Does the request's work unless its fault keeps it from it; a fault's code replaces the result.
    fn carry_out<T>(&self, work: impl FnOnce() -> Result<T, RespErr>) -> Result<T, RespErr> {
        match (self.fault.executes().then(work), self.fault.code()) {
            (Some(result), 0) => result,
            (_, code) => Err(RespErr(code as i32)),
        }
    }

    /// Lets the coordinator act on a transactional id, and writes markers that are due then. NOT_COORDINATOR if that is
    /// not this broker.
    fn with_transaction<T>(
        &self,
        transactional_id: &str,
        act: impl FnOnce(&mut Coordinator) -> Result<T, RespErr>,
    ) -> Result<T, RespErr> {
        if transactional_id.is_empty() {
            return Err(RespErr::ERR_INVALID_REQUEST);
        }
        if !self.shared.is_coordinator(self.broker, KEY_TYPE_TRANSACTION, transactional_id) {
            return Err(RespErr::ERR_NOT_COORDINATOR);
        }
        let mut txns = self.shared.txns.lock();
        let result = act(&mut txns);
        self.shared.run_txns(self.broker, &mut txns, Instant::now());
        result
    }

    /// Whether a producer may write to `target` in its transaction. `adds`: the request's version adds it (KIP-890), as far
    /// as the cluster has transaction version 2.
    fn join_transaction(
        &self,
        txns: &mut Coordinator,
        transactional_id: &str,
        producer: ProducerId,
        target: Target,
        adds: bool,
    ) -> Result<(), RespErr> {
        let verdict = txns.verify(transactional_id, producer, &target);
        if verdict != Err(TRANSACTION_ABORTABLE) || !adds || txns.version < 2 {
            return verdict;
        }
        txns.add(transactional_id, producer, [target], Instant::now())?;
        self.shared.note_txn_change(transactional_id, txns);
        Ok(())
    }

    /// The code of an error; PRODUCER_FENCED is INVALID_PRODUCER_EPOCH to versions below `fenced_from`, which do not
    /// know it.
    fn fenced_code(&self, e: RespErr, fenced_from: i16) -> i16 {
        match e {
            RespErr::ERR_PRODUCER_FENCED if self.version < fenced_from => RespErr::ERR_INVALID_PRODUCER_EPOCH.0 as i16,
            e => e.0 as i16,
        }
    }

    /// Where a leader is, for answers that name it (KIP-951); `None` if there is no leader.
    fn endpoint(&self, leader: i32) -> Option<NodeEndpoint> {
        let b = self.shared.broker(leader)?;
        let rack = b.control.lock().rack.clone();
        Some(NodeEndpoint { node_id: b.id, host: b.host.clone(), port: b.port as i32, rack })
    }
}

/// The leader and epoch to tell a client that came to the wrong broker.
fn leader_of(state: &PartitionState) -> LeaderIdAndEpoch {
    LeaderIdAndEpoch { leader_id: state.leader, leader_epoch: state.leader_epoch }
}

/// Adds the endpoint of `leader` unless it is there or unknown.
fn add_endpoint(endpoints: &mut Vec<NodeEndpoint>, request: &Request<'_>, leader: i32) {
    if endpoints.iter().all(|e| e.node_id != leader) {
        endpoints.extend(request.endpoint(leader));
    }
}

/// Judges the leader epoch that a client has seen (KIP-320); −1 is not judged.
fn check_epoch(current: i32, state: &PartitionState) -> i16 {
    match current {
        -1 => 0,
        // FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH
        e if e < state.leader_epoch => 74,
        e if e > state.leader_epoch => 75,
        _ => 0,
    }
}
