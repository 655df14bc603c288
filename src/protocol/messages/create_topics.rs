//! CreateTopics (19).

use crate::protocol::wire::message;
use crate::protocol::{Uuid, ZERO_UUID};

message! {
    /// CreateTopicsRequest, v2–v7.
    pub struct CreateTopicsRequest for CreateTopics {
        /// The topics to create.
        topics: Vec<CreatableTopic> = Vec::new(), 0..;
        /// Milliseconds to wait for the creation.
        timeout_ms: i32 = 60000, 0..;
        /// Only check whether the topics could be created.
        validate_only: bool = false, 1..;
    }

    /// A topic to create.
    pub struct CreatableTopic {
        /// Name.
        name: String = String::new(), 0..;
        /// Partition count; −1 for the broker's default (KIP-464) or with `assignments`.
        num_partitions: i32 = 0, 0..;
        /// Replica count; −1 for the broker's default (KIP-464) or with `assignments`.
        replication_factor: i16 = 0, 0..;
        /// Manual assignment of replicas, or empty.
        assignments: Vec<CreatableReplicaAssignment> = Vec::new(), 0..;
        /// Topic configuration.
        configs: Vec<CreatableTopicConfig> = Vec::new(), 0..;
    }

    /// Manual assignment of one partition.
    pub struct CreatableReplicaAssignment {
        /// Partition number.
        partition_index: i32 = 0, 0..;
        /// Its replicas, the preferred leader first.
        broker_ids: Vec<i32> = Vec::new(), 0..;
    }

    /// One topic configuration property to set.
    pub struct CreatableTopicConfig {
        /// Property name.
        name: String = String::new(), 0..;
        /// Value.
        value: Option<String> = None, 0.., null 0;
    }

    /// CreateTopicsResponse, v2–v7.
    pub struct CreateTopicsResponse for CreateTopics {
        /// Milliseconds for which the client is throttled (KIP-219).
        throttle_time_ms: i32 = 0, 2..;
        /// One result per topic.
        topics: Vec<CreatableTopicResult> = Vec::new(), 0..;
    }

    /// What became of one topic.
    pub struct CreatableTopicResult {
        /// Name.
        name: String = String::new(), 0..;
        /// Id of the new topic.
        topic_id: Uuid = ZERO_UUID, 7..;
        /// 0, or the error.
        error_code: i16 = 0, 0..;
        /// Text of the error.
        error_message: Option<String> = None, 1.., null 0;
        /// Why the configuration is not told, or 0 (KIP-525).
        topic_config_error_code: i16 = 0, 5.., tag 0;
        /// Partition count.
        num_partitions: i32 = -1, 5..;
        /// Replica count.
        replication_factor: i16 = -1, 5..;
        /// Configuration of the topic, null when it is not told.
        configs: Option<Vec<CreatableTopicConfigs>> = Some(Vec::new()), 5.., null 5;
    }

    /// One topic configuration property in effect.
    pub struct CreatableTopicConfigs {
        /// Property name.
        name: String = String::new(), 5..;
        /// Value.
        value: Option<String> = None, 5.., null 5;
        /// Whether it cannot be changed.
        read_only: bool = false, 5..;
        /// Where the value comes from.
        config_source: i8 = -1, 5..;
        /// Whether the value is hidden.
        is_sensitive: bool = false, 5..;
    }
}
