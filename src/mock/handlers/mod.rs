//! What each API does. One module per API key, headed by its behaviours.

pub mod api_versions;
mod create_partitions;
mod create_topics;
mod delete_topics;
pub mod fetch;
mod find_coordinator;
mod init_producer_id;
mod list_offsets;
mod metadata;
mod produce;

use super::faults::Fault;
use super::profiles::key;
use super::shared::{Broker, Shared};
use super::topics::{PartitionState, Topic, TopicId};
use crate::protocol::messages::fetch::FetchRequest;
use crate::protocol::messages::produce::{LeaderIdAndEpoch, NodeEndpoint};
use crate::protocol::{ApiKey, DecodeError, Reader, Writer, ZERO_UUID};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

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
    api(ApiKey::FindCoordinator, find_coordinator::handle),
    api(ApiKey::ApiVersions, api_versions::handle),
    api(ApiKey::CreateTopics, create_topics::handle),
    api(ApiKey::DeleteTopics, delete_topics::handle),
    api(ApiKey::InitProducerId, init_producer_id::handle),
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
        if self.fault.code() != 0 && !self.fault.executes() {
            return self.fault.code();
        }
        self.shared.faults.lock().next_partition(&topic.name, partition, api_key)
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
