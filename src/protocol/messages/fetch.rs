//! Fetch (1): reading record batches.

use super::produce::{LeaderIdAndEpoch, NodeEndpoint};
use crate::protocol::wire::message;
use crate::protocol::{Uuid, ZERO_UUID};

message! {
    /// FetchRequest, v4–v17.
    pub struct FetchRequest for Fetch {
        /// Cluster id, if known.
        cluster_id: Option<String> = None, 12.., null 12, tag 0;
        /// −1 for a consumer.
        replica_id: i32 = -1, 0..=14;
        /// Who fetches (KIP-903).
        replica_state: ReplicaState = ReplicaState::default(), 15.., tag 1;
        /// Milliseconds to wait for `min_bytes`.
        max_wait_ms: i32 = 0, 0..;
        /// Bytes for which the broker waits.
        min_bytes: i32 = 0, 0..;
        /// Bytes of the whole response (KIP-74).
        max_bytes: i32 = i32::MAX, 3..;
        /// 0 read_uncommitted, 1 read_committed.
        isolation_level: i8 = 0, 4..;
        /// Fetch session (KIP-227), 0 for none.
        session_id: i32 = 0, 7..;
        /// Epoch of the session; −1 for a full fetch outside any session.
        session_epoch: i32 = -1, 7..;
        /// The topics.
        topics: Vec<FetchTopic> = Vec::new(), 0..;
        /// Partitions to drop from the session.
        forgotten_topics_data: Vec<ForgottenTopic> = Vec::new(), 7..;
        /// Rack of the consumer (KIP-392).
        rack_id: String = String::new(), 11..;
    }

    /// Who fetches (KIP-903).
    pub struct ReplicaState {
        /// −1 for a consumer.
        replica_id: i32 = -1, 15..;
        /// Epoch of the follower, or −1.
        replica_epoch: i64 = -1, 15..;
    }

    /// A topic of the request: by name up to v12, by id from v13.
    pub struct FetchTopic {
        /// Name, up to v12.
        topic: String = String::new(), 0..=12;
        /// Id, from v13.
        topic_id: Uuid = ZERO_UUID, 13..;
        /// The partitions.
        partitions: Vec<FetchPartition> = Vec::new(), 0..;
    }

    /// A partition of the request.
    pub struct FetchPartition {
        /// Partition number.
        partition: i32 = 0, 0..;
        /// Leader epoch the client knows, or −1 (KIP-320).
        current_leader_epoch: i32 = -1, 9..;
        /// First offset wanted.
        fetch_offset: i64 = 0, 0..;
        /// Epoch of the last record fetched, or −1.
        last_fetched_epoch: i32 = -1, 12..;
        /// Log start of a follower; −1 for a consumer.
        log_start_offset: i64 = -1, 5..;
        /// Bytes of this partition (KIP-74).
        partition_max_bytes: i32 = 0, 0..;
        /// Directory of a follower (KIP-853).
        replica_directory_id: Uuid = ZERO_UUID, 17.., tag 0;
    }

    /// Partitions to drop from the session.
    pub struct ForgottenTopic {
        /// Name, up to v12.
        topic: String = String::new(), 7..=12;
        /// Id, from v13.
        topic_id: Uuid = ZERO_UUID, 13..;
        /// Partition numbers.
        partitions: Vec<i32> = Vec::new(), 7..;
    }

    /// FetchResponse, v4–v17. Records are borrowed.
    pub struct FetchResponse<'a> for Fetch {
        /// Milliseconds for which the client is throttled (KIP-219).
        throttle_time_ms: i32 = 0, 1..;
        /// Error of the whole request.
        error_code: i16 = 0, 7..;
        /// Fetch session, 0 for none.
        session_id: i32 = 0, 7..;
        /// The topics.
        responses: Vec<FetchableTopicResponse<'a>> = Vec::new(), 0..;
        /// Addresses of the leaders named in `current_leader` (KIP-951).
        node_endpoints: Vec<NodeEndpoint> = Vec::new(), 16.., tag 0;
    }

    /// A topic of the response.
    pub struct FetchableTopicResponse<'a> {
        /// Name, up to v12.
        topic: String = String::new(), 0..=12;
        /// Id, from v13.
        topic_id: Uuid = ZERO_UUID, 13..;
        /// The partitions.
        partitions: Vec<PartitionData<'a>> = Vec::new(), 0..;
    }

    /// A partition of the response.
    pub struct PartitionData<'a> {
        /// Partition number.
        partition_index: i32 = 0, 0..;
        /// 0, or the error.
        error_code: i16 = 0, 0..;
        /// Offset after the last replicated record.
        high_watermark: i64 = 0, 0..;
        /// Offset up to which all transactions are decided, or −1.
        last_stable_offset: i64 = -1, 4..;
        /// First offset of the log, or −1.
        log_start_offset: i64 = -1, 5..;
        /// Where the client's log diverges, if it does.
        diverging_epoch: EpochEndOffset = EpochEndOffset::default(), 12.., tag 0;
        /// The leader, when this broker is not it.
        current_leader: LeaderIdAndEpoch = LeaderIdAndEpoch::default(), 12.., tag 1;
        /// Snapshot to fetch instead.
        snapshot_id: SnapshotId = SnapshotId::default(), 12.., tag 2;
        /// Aborted transactions, or null.
        aborted_transactions: Option<Vec<AbortedTransaction>> = Some(Vec::new()), 4.., null 4;
        /// Replica to fetch from next, or −1 (KIP-392).
        preferred_read_replica: i32 = -1, 11..;
        /// Record batches, the last possibly cut off.
        records: Option<&'a [u8]> = None, 0.., null 0;
    }

    /// Largest epoch and its end, for truncation (KIP-320).
    pub struct EpochEndOffset {
        /// Epoch, or −1.
        epoch: i32 = -1, 12..;
        /// End offset, or −1.
        end_offset: i64 = -1, 12..;
    }

    /// A snapshot of a log.
    pub struct SnapshotId {
        /// End offset, or −1.
        end_offset: i64 = -1, 0..;
        /// Epoch, or −1.
        epoch: i32 = -1, 0..;
    }

    /// An aborted transaction in the range fetched.
    pub struct AbortedTransaction {
        /// Producer id.
        producer_id: i64 = 0, 4..;
        /// First offset of the transaction.
        first_offset: i64 = 0, 4..;
    }
}
