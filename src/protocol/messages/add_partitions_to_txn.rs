//! AddPartitionsToTxn (24): tells the transaction coordinator which partitions a transaction writes to (KIP-98).
//!
//! These are the versions of clients. From v4 on brokers ask each other with this API, about several transactions at once
//! (KIP-890), and a client of transaction version 2 does not need it: Produce adds the partition.

use crate::protocol::wire::message;

message! {
    /// AddPartitionsToTxnRequest, v0–v3. From v2 on PRODUCER_FENCED is understood.
    pub struct AddPartitionsToTxnRequest for AddPartitionsToTxn {
        /// Transactional id.
        v3_and_below_transactional_id: String = String::new(), 0..=3;
        /// Producer id of the transactional id.
        v3_and_below_producer_id: i64 = 0, 0..=3;
        /// Epoch of the producer id.
        v3_and_below_producer_epoch: i16 = 0, 0..=3;
        /// Partitions to add.
        v3_and_below_topics: Vec<AddPartitionsToTxnTopic> = Vec::new(), 0..=3;
    }

    /// A topic of the request.
    pub struct AddPartitionsToTxnTopic {
        /// Name.
        name: String = String::new(), 0..;
        /// Partition numbers.
        partitions: Vec<i32> = Vec::new(), 0..;
    }

    /// AddPartitionsToTxnResponse, v0–v3.
    pub struct AddPartitionsToTxnResponse for AddPartitionsToTxn {
        /// Milliseconds for which the client is throttled (KIP-219).
        throttle_time_ms: i32 = 0, 0..;
        /// The topics.
        results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult> = Vec::new(), 0..=3;
    }

    /// A topic of the response.
    pub struct AddPartitionsToTxnTopicResult {
        /// Name.
        name: String = String::new(), 0..;
        /// The partitions.
        results_by_partition: Vec<AddPartitionsToTxnPartitionResult> = Vec::new(), 0..;
    }

    /// A partition of the response.
    pub struct AddPartitionsToTxnPartitionResult {
        /// Partition number.
        partition_index: i32 = 0, 0..;
        /// 0, or the error. If one partition fails, none is added, and the others have OPERATION_NOT_ATTEMPTED.
        partition_error_code: i16 = 0, 0..;
    }
}
