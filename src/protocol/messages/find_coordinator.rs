//! FindCoordinator (10): the broker in charge of a group or transactional id (KIP-98, KIP-699).

use crate::protocol::wire::message;

/// `key_type` of consumer groups.
pub const KEY_TYPE_GROUP: i8 = 0;
/// `key_type` of transactional ids.
pub const KEY_TYPE_TRANSACTION: i8 = 1;
/// `key_type` of share groups (KIP-932).
pub const KEY_TYPE_SHARE: i8 = 2;

message! {
    /// FindCoordinatorRequest, v0–v6.
    pub struct FindCoordinatorRequest for FindCoordinator {
        /// The key, up to v3.
        key: String = String::new(), 0..=3;
        /// What the keys name.
        key_type: i8 = 0, 1..;
        /// The keys, from v4.
        coordinator_keys: Vec<String> = Vec::new(), 4..;
    }

    /// FindCoordinatorResponse, v0–v6: one coordinator in the top-level fields up to v3, `coordinators` from v4.
    pub struct FindCoordinatorResponse for FindCoordinator {
        /// Milliseconds for which the client is throttled (KIP-219).
        throttle_time_ms: i32 = 0, 1..;
        /// 0, or the error.
        error_code: i16 = 0, 0..=3;
        /// Text of the error.
        error_message: Option<String> = None, 1..=3, null 1;
        /// Broker id.
        node_id: i32 = 0, 0..=3;
        /// Host of the broker.
        host: String = String::new(), 0..=3;
        /// Port of the broker.
        port: i32 = 0, 0..=3;
        /// One answer per key.
        coordinators: Vec<Coordinator> = Vec::new(), 4..;
    }

    /// The coordinator of one key.
    pub struct Coordinator {
        /// The key asked for.
        key: String = String::new(), 4..;
        /// Broker id.
        node_id: i32 = 0, 4..;
        /// Host of the broker.
        host: String = String::new(), 4..;
        /// Port of the broker.
        port: i32 = 0, 4..;
        /// 0, or the error.
        error_code: i16 = 0, 4..;
        /// Text of the error.
        error_message: Option<String> = None, 4.., null 4;
    }
}
