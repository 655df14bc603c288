//! Metadata (3): brokers, topics, partitions and their leaders.

use crate::protocol::wire::message;
use crate::protocol::{Uuid, ZERO_UUID};

message! {
    /// MetadataRequest, v1–v13.
    pub struct MetadataRequest for Metadata {
        /// The topics asked for; null asks for all, empty for none.
        topics: Option<Vec<MetadataRequestTopic>> = Some(Vec::new()), 0.., null 1;
        /// Whether the broker may create topics that do not exist.
        allow_auto_topic_creation: bool = true, 4..;
        /// Whether to tell which operations on the cluster are allowed.
        include_cluster_authorized_operations: bool = false, 8..=10;
        /// Whether to tell which operations on the topics are allowed.
        include_topic_authorized_operations: bool = false, 8..;
    }

    /// A topic asked for, by name or (from v12) by id.
    pub struct MetadataRequestTopic {
        /// Topic id, or zero.
        topic_id: Uuid = ZERO_UUID, 10..;
        /// Topic name, or null when asked for by id.
        name: Option<String> = None, 0.., null 10;
    }

    /// MetadataResponse, v1–v13.
    pub struct MetadataResponse for Metadata {
        /// Milliseconds for which the client is throttled (KIP-219).
        throttle_time_ms: i32 = 0, 3..;
        /// The brokers of the cluster that are up.
        brokers: Vec<MetadataBroker> = Vec::new(), 0..;
        /// Cluster id, if the broker knows it.
        cluster_id: Option<String> = None, 2.., null 2;
        /// Controller, or −1.
        controller_id: i32 = -1, 1..;
        /// The topics.
        topics: Vec<MetadataTopic> = Vec::new(), 0..;
        /// Bits of the allowed operations on the cluster; `i32::MIN` when not asked for.
        cluster_authorized_operations: i32 = i32::MIN, 8..=10;
        /// Error of the whole request (KIP-1102: REBOOTSTRAP_REQUIRED).
        error_code: i16 = 0, 13..;
    }

    /// A broker of the cluster.
    pub struct MetadataBroker {
        /// Broker id.
        node_id: i32 = 0, 0..;
        /// Host name or address.
        host: String = String::new(), 0..;
        /// TCP port.
        port: i32 = 0, 0..;
        /// Rack, if configured.
        rack: Option<String> = None, 1.., null 1;
    }

    /// A topic of the cluster.
    pub struct MetadataTopic {
        /// 0, or why there is nothing to tell.
        error_code: i16 = 0, 0..;
        /// Name; null for an id that does not exist.
        name: Option<String> = None, 0.., null 12;
        /// Id; zero when unknown.
        topic_id: Uuid = ZERO_UUID, 10..;
        /// Whether it is internal to Kafka.
        is_internal: bool = false, 1..;
        /// The partitions.
        partitions: Vec<MetadataPartition> = Vec::new(), 0..;
        /// Bits of the allowed operations; `i32::MIN` when not asked for.
        topic_authorized_operations: i32 = i32::MIN, 8..;
    }

    /// A partition of a topic.
    pub struct MetadataPartition {
        /// 0, or why there is no leader.
        error_code: i16 = 0, 0..;
        /// Partition number.
        partition_index: i32 = 0, 0..;
        /// Leader, or −1.
        leader_id: i32 = 0, 0..;
        /// Epoch of the leader, or −1.
        leader_epoch: i32 = -1, 7..;
        /// All replicas.
        replica_nodes: Vec<i32> = Vec::new(), 0..;
        /// The replicas in sync.
        isr_nodes: Vec<i32> = Vec::new(), 0..;
        /// The replicas that are down.
        offline_replicas: Vec<i32> = Vec::new(), 5..;
    }
}
