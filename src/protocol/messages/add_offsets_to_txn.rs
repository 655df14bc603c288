//! AddOffsetsToTxn (25): tells the transaction coordinator that a transaction commits offsets of a group (KIP-98).

use crate::protocol::wire::message;

message! {
    /// AddOffsetsToTxnRequest, v0–v4. From v2 on PRODUCER_FENCED is understood, from v4 TRANSACTION_ABORTABLE (KIP-890).
    pub struct AddOffsetsToTxnRequest for AddOffsetsToTxn {
        /// Transactional id.
        transactional_id: String = String::new(), 0..;
        /// Producer id of the transactional id.
        producer_id: i64 = 0, 0..;
        /// Epoch of the producer id.
        producer_epoch: i16 = 0, 0..;
        /// The group.
        group_id: String = String::new(), 0..;
    }

    /// AddOffsetsToTxnResponse, v0–v4.
    pub struct AddOffsetsToTxnResponse for AddOffsetsToTxn {
        /// Milliseconds for which the client is throttled (KIP-219).
        throttle_time_ms: i32 = 0, 0..;
        /// 0, or the error.
        error_code: i16 = 0, 0..;
    }
}
