//! OffsetFetch (9): the committed offsets of groups.

use crate::protocol::wire::message;

message! {
    /// OffsetFetchRequest, v1–v9: one group in the top-level fields up to v7, `groups` from v8 (KIP-709).
    pub struct OffsetFetchRequest for OffsetFetch {
        /// The group, up to v7.
        group_id: String = String::new(), 0..=7;
        /// The topics, null for all, up to v7.
        topics: Option<Vec<OffsetFetchRequestTopic>> = Some(Vec::new()), 0..=7, null 2;
        /// The groups, from v8.
        groups: Vec<OffsetFetchRequestGroup> = Vec::new(), 8..;
        /// Whether offsets of undecided transactions shall be an error that asks to try again (KIP-447).
        require_stable: bool = false, 7..;
    }

    /// A topic of the request.
    pub struct OffsetFetchRequestTopic {
        /// Name.
        name: String = String::new(), 0..=9;
        /// Partition numbers.
        partition_indexes: Vec<i32> = Vec::new(), 0..;
    }

    /// A group of the request.
    pub struct OffsetFetchRequestGroup {
        /// The group.
        group_id: String = String::new(), 8..;
        /// Member id of a group of KIP-848, or null.
        member_id: Option<String> = None, 9.., null 9;
        /// Epoch of that member, or −1.
        member_epoch: i32 = -1, 9..;
        /// The topics, null for all.
        topics: Option<Vec<OffsetFetchRequestTopic>> = Some(Vec::new()), 8.., null 8;
    }

    /// OffsetFetchResponse, v1–v9.
    pub struct OffsetFetchResponse for OffsetFetch {
        /// Milliseconds for which the client is throttled (KIP-219).
        throttle_time_ms: i32 = 0, 3..;
        /// The topics, up to v7.
        topics: Vec<OffsetFetchResponseTopic> = Vec::new(), 0..=7;
        /// 0, or the error of the group, up to v7.
        error_code: i16 = 0, 2..=7;
        /// The groups, from v8.
        groups: Vec<OffsetFetchResponseGroup> = Vec::new(), 8..;
    }

    /// A group of the response.
    pub struct OffsetFetchResponseGroup {
        /// The group.
        group_id: String = String::new(), 8..;
        /// The topics.
        topics: Vec<OffsetFetchResponseTopic> = Vec::new(), 8..;
        /// 0, or the error of the group.
        error_code: i16 = 0, 8..;
    }

    /// A topic of the response.
    pub struct OffsetFetchResponseTopic {
        /// Name.
        name: String = String::new(), 0..=9;
        /// The partitions.
        partitions: Vec<OffsetFetchResponsePartition> = Vec::new(), 0..;
    }

    /// A partition of the response.
    pub struct OffsetFetchResponsePartition {
        /// Partition number.
        partition_index: i32 = 0, 0..;
        /// Committed offset, −1 if there is none.
        committed_offset: i64 = 0, 0..;
        /// Leader epoch of the last consumed record, or −1 (KIP-320).
        committed_leader_epoch: i32 = -1, 5..;
        /// Text kept with the offset.
        metadata: Option<String> = Some(String::new()), 0.., null 0;
        /// 0, or the error.
        error_code: i16 = 0, 0..;
    }
}
