//! OffsetCommit (8): offsets of a group.

use crate::protocol::wire::message;

message! {
    /// OffsetCommitRequest, v2–v9.
    pub struct OffsetCommitRequest for OffsetCommit {
        /// The group.
        group_id: String = String::new(), 0..;
        /// Generation of the classic group, epoch of the member of a new one (KIP-848), or −1.
        generation_id_or_member_epoch: i32 = -1, 1..;
        /// Member id, or empty.
        member_id: String = String::new(), 1..;
        /// Static member id, or null (KIP-345).
        group_instance_id: Option<String> = None, 7.., null 7;
        /// Milliseconds to keep the offset, −1 for the broker's own setting.
        retention_time_ms: i64 = -1, 2..=4;
        /// The topics.
        topics: Vec<OffsetCommitRequestTopic> = Vec::new(), 0..;
    }

    /// A topic of the request.
    pub struct OffsetCommitRequestTopic {
        /// Name.
        name: String = String::new(), 0..=9;
        /// The partitions.
        partitions: Vec<OffsetCommitRequestPartition> = Vec::new(), 0..;
    }

    /// A partition of the request.
    pub struct OffsetCommitRequestPartition {
        /// Partition number.
        partition_index: i32 = 0, 0..;
        /// Offset to commit: that of the next record to be consumed.
        committed_offset: i64 = 0, 0..;
        /// Leader epoch of the last consumed record, or −1 (KIP-320).
        committed_leader_epoch: i32 = -1, 6..;
        /// Text kept with the offset.
        committed_metadata: Option<String> = Some(String::new()), 0.., null 0;
    }

    /// OffsetCommitResponse, v2–v9.
    pub struct OffsetCommitResponse for OffsetCommit {
        /// Milliseconds for which the client is throttled (KIP-219).
        throttle_time_ms: i32 = 0, 3..;
        /// The topics.
        topics: Vec<OffsetCommitResponseTopic> = Vec::new(), 0..;
    }

    /// A topic of the response.
    pub struct OffsetCommitResponseTopic {
        /// Name.
        name: String = String::new(), 0..=9;
        /// The partitions.
        partitions: Vec<OffsetCommitResponsePartition> = Vec::new(), 0..;
    }

    /// A partition of the response.
    pub struct OffsetCommitResponsePartition {
        /// Partition number.
        partition_index: i32 = 0, 0..;
        /// 0, or the error.
        error_code: i16 = 0, 0..;
    }
}
