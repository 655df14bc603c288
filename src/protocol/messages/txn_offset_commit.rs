//! TxnOffsetCommit (28): offsets of a group that count when the transaction commits (KIP-98, KIP-447).

use crate::protocol::wire::message;

message! {
    /// TxnOffsetCommitRequest, v0–v5. From v3 on the group's coordinator can fence an old member (KIP-447); v4 understands
    /// TRANSACTION_ABORTABLE, v5 adds the group to the transaction itself (KIP-890).
    pub struct TxnOffsetCommitRequest for TxnOffsetCommit {
        /// Transactional id.
        transactional_id: String = String::new(), 0..;
        /// The group.
        group_id: String = String::new(), 0..;
        /// Producer id of the transactional id.
        producer_id: i64 = 0, 0..;
        /// Epoch of the producer id.
        producer_epoch: i16 = 0, 0..;
        /// Generation of the consumer, or −1.
        generation_id: i32 = -1, 3..;
        /// Member id of the consumer, or empty.
        member_id: String = String::new(), 3..;
        /// Static member id of the consumer, or null.
        group_instance_id: Option<String> = None, 3.., null 3;
        /// The topics.
        topics: Vec<TxnOffsetCommitRequestTopic> = Vec::new(), 0..;
    }

    /// A topic of the request.
    pub struct TxnOffsetCommitRequestTopic {
        /// Name.
        name: String = String::new(), 0..;
        /// The partitions.
        partitions: Vec<TxnOffsetCommitRequestPartition> = Vec::new(), 0..;
    }

    /// A partition of the request.
    pub struct TxnOffsetCommitRequestPartition {
        /// Partition number.
        partition_index: i32 = 0, 0..;
        /// Offset to commit: that of the next record to be consumed.
        committed_offset: i64 = 0, 0..;
        /// Leader epoch of the last consumed record, or −1 (KIP-320).
        committed_leader_epoch: i32 = -1, 2..;
        /// Text kept with the offset.
        committed_metadata: Option<String> = Some(String::new()), 0.., null 0;
    }

    /// TxnOffsetCommitResponse, v0–v5.
    pub struct TxnOffsetCommitResponse for TxnOffsetCommit {
        /// Milliseconds for which the client is throttled (KIP-219).
        throttle_time_ms: i32 = 0, 0..;
        /// The topics.
        topics: Vec<TxnOffsetCommitResponseTopic> = Vec::new(), 0..;
    }

    /// A topic of the response.
    pub struct TxnOffsetCommitResponseTopic {
        /// Name.
        name: String = String::new(), 0..;
        /// The partitions.
        partitions: Vec<TxnOffsetCommitResponsePartition> = Vec::new(), 0..;
    }

    /// A partition of the response.
    pub struct TxnOffsetCommitResponsePartition {
        /// Partition number.
        partition_index: i32 = 0, 0..;
        /// 0, or the error.
        error_code: i16 = 0, 0..;
    }
}
