//! DeleteTopics (20).

use crate::protocol::wire::message;
use crate::protocol::{Uuid, ZERO_UUID};

message! {
    /// DeleteTopicsRequest, v1–v6.
    pub struct DeleteTopicsRequest for DeleteTopics {
        /// The topics, by name or id, from v6.
        topics: Vec<DeleteTopicState> = Vec::new(), 6..;
        /// The topics by name, up to v5.
        topic_names: Vec<String> = Vec::new(), 0..=5;
        /// Milliseconds to wait for the deletion.
        timeout_ms: i32 = 0, 0..;
    }

    /// A topic to delete.
    pub struct DeleteTopicState {
        /// Name, or null when given by id.
        name: Option<String> = None, 6.., null 6;
        /// Id, or zero.
        topic_id: Uuid = ZERO_UUID, 6..;
    }

    /// DeleteTopicsResponse, v1–v6.
    pub struct DeleteTopicsResponse for DeleteTopics {
        /// Milliseconds for which the client is throttled (KIP-219).
        throttle_time_ms: i32 = 0, 1..;
        /// One result per topic.
        responses: Vec<DeletableTopicResult> = Vec::new(), 0..;
    }

    /// What became of one topic.
    pub struct DeletableTopicResult {
        /// Name, if known.
        name: Option<String> = None, 0.., null 6;
        /// Id, or zero.
        topic_id: Uuid = ZERO_UUID, 6..;
        /// 0, or the error.
        error_code: i16 = 0, 0..;
        /// Text of the error.
        error_message: Option<String> = None, 5.., null 5;
    }
}
