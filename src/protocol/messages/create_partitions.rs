//! CreatePartitions (37): more partitions for a topic (KIP-195).

use crate::protocol::wire::message;

message! {
    /// CreatePartitionsRequest, v0–v3.
    pub struct CreatePartitionsRequest for CreatePartitions {
        /// The topics to grow.
        topics: Vec<CreatePartitionsTopic> = Vec::new(), 0..;
        /// Milliseconds to wait for the creation.
        timeout_ms: i32 = 0, 0..;
        /// Only check whether the partitions could be created.
        validate_only: bool = false, 0..;
    }

    /// A topic to grow.
    pub struct CreatePartitionsTopic {
        /// Name.
        name: String = String::new(), 0..;
        /// The new count of partitions, old ones included.
        count: i32 = 0, 0..;
        /// Manual assignment of the new partitions, or null.
        assignments: Option<Vec<CreatePartitionsAssignment>> = Some(Vec::new()), 0.., null 0;
    }

    /// Manual assignment of one new partition.
    pub struct CreatePartitionsAssignment {
        /// Its replicas.
        broker_ids: Vec<i32> = Vec::new(), 0..;
    }

    /// CreatePartitionsResponse, v0–v3.
    pub struct CreatePartitionsResponse for CreatePartitions {
        /// Milliseconds for which the client is throttled (KIP-219).
        throttle_time_ms: i32 = 0, 0..;
        /// One result per topic.
        results: Vec<CreatePartitionsTopicResult> = Vec::new(), 0..;
    }

    /// What became of one topic.
    pub struct CreatePartitionsTopicResult {
        /// Name.
        name: String = String::new(), 0..;
        /// 0, or the error.
        error_code: i16 = 0, 0..;
        /// Text of the error.
        error_message: Option<String> = None, 0.., null 0;
    }
}
