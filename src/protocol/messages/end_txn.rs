//! EndTxn (26): commits or aborts a transaction (KIP-98).

use crate::protocol::wire::message;

message! {
    /// EndTxnRequest, v0–v5. From v2 on PRODUCER_FENCED is understood, from v4 TRANSACTION_ABORTABLE; v5 is of transaction
    /// version 2, which gives the producer a new epoch with each transaction (KIP-890).
    pub struct EndTxnRequest for EndTxn {
        /// Transactional id.
        transactional_id: String = String::new(), 0..;
        /// Producer id of the transactional id.
        producer_id: i64 = 0, 0..;
        /// Epoch of the producer id.
        producer_epoch: i16 = 0, 0..;
        /// True to commit, false to abort.
        committed: bool = false, 0..;
    }

    /// EndTxnResponse, v0–v5.
    pub struct EndTxnResponse for EndTxn {
        /// Milliseconds for which the client is throttled (KIP-219).
        throttle_time_ms: i32 = 0, 0..;
        /// 0, or the error.
        error_code: i16 = 0, 0..;
        /// Producer id from now on, or −1.
        producer_id: i64 = -1, 5..;
        /// Epoch from now on, or −1.
        producer_epoch: i16 = -1, 5..;
    }
}
