//! InitProducerId (22): producer id and epoch of an idempotent or transactional producer (KIP-98, KIP-360).

use crate::protocol::wire::message;

message! {
    /// InitProducerIdRequest, v0–v5.
    pub struct InitProducerIdRequest for InitProducerId {
        /// Transactional id; null for a producer that is only idempotent.
        transactional_id: Option<String> = None, 0.., null 0;
        /// Milliseconds after which the coordinator aborts an idle transaction.
        transaction_timeout_ms: i32 = 0, 0..;
        /// Current producer id, or −1.
        producer_id: i64 = -1, 3..;
        /// Current epoch, or −1.
        producer_epoch: i16 = -1, 3..;
    }

    /// InitProducerIdResponse, v0–v5.
    pub struct InitProducerIdResponse for InitProducerId {
        /// Milliseconds for which the client is throttled (KIP-219).
        throttle_time_ms: i32 = 0, 0..;
        /// 0, or the error.
        error_code: i16 = 0, 0..;
        /// Producer id.
        producer_id: i64 = -1, 0..;
        /// Epoch of the producer id.
        producer_epoch: i16 = 0, 0..;
    }
}
