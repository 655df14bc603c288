//! ListOffsets (2): offsets by timestamp.

use crate::protocol::wire::message;

/// `timestamp` that asks for the end of the log.
pub const LATEST_TIMESTAMP: i64 = -1;
/// `timestamp` that asks for the start of the log.
pub const EARLIEST_TIMESTAMP: i64 = -2;
/// `timestamp` that asks for the record with the highest timestamp (v7, KIP-734).
pub const MAX_TIMESTAMP: i64 = -3;
/// `timestamp` that asks for the start of the log on the broker's own disk (v8, KIP-405).
pub const EARLIEST_LOCAL_TIMESTAMP: i64 = -4;
/// `timestamp` that asks for the last offset in remote storage (v9, KIP-1005).
pub const LATEST_TIERED_TIMESTAMP: i64 = -5;

message! {
    /// ListOffsetsRequest, v1–v10.
    pub struct ListOffsetsRequest for ListOffsets {
        /// −1 for a client.
        replica_id: i32 = 0, 0..;
        /// 0 read_uncommitted, 1 read_committed.
        isolation_level: i8 = 0, 2..;
        /// The topics.
        topics: Vec<ListOffsetsTopic> = Vec::new(), 0..;
        /// Milliseconds to wait for remote storage (KIP-1075).
        timeout_ms: i32 = 0, 10..;
    }

    /// A topic of the request.
    pub struct ListOffsetsTopic {
        /// Name.
        name: String = String::new(), 0..;
        /// The partitions.
        partitions: Vec<ListOffsetsPartition> = Vec::new(), 0..;
    }

    /// A partition of the request.
    pub struct ListOffsetsPartition {
        /// Partition number.
        partition_index: i32 = 0, 0..;
        /// Leader epoch the client knows, or −1.
        current_leader_epoch: i32 = -1, 4..;
        /// Milliseconds since the epoch, or one of the constants of this module.
        timestamp: i64 = 0, 0..;
    }

    /// ListOffsetsResponse, v1–v10.
    pub struct ListOffsetsResponse for ListOffsets {
        /// Milliseconds for which the client is throttled (KIP-219).
        throttle_time_ms: i32 = 0, 2..;
        /// The topics.
        topics: Vec<ListOffsetsTopicResponse> = Vec::new(), 0..;
    }

    /// A topic of the response.
    pub struct ListOffsetsTopicResponse {
        /// Name.
        name: String = String::new(), 0..;
        /// The partitions.
        partitions: Vec<ListOffsetsPartitionResponse> = Vec::new(), 0..;
    }

    /// A partition of the response.
    pub struct ListOffsetsPartitionResponse {
        /// Partition number.
        partition_index: i32 = 0, 0..;
        /// 0, or the error.
        error_code: i16 = 0, 0..;
        /// Timestamp of the record found, or −1.
        timestamp: i64 = -1, 1..;
        /// Offset found, or −1.
        offset: i64 = -1, 1..;
        /// Leader epoch of that record, or −1.
        leader_epoch: i32 = -1, 4..;
    }
}
