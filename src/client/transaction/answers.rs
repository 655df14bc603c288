//! What an answer of a coordinator means for the transaction.

use crate::error::RespErr;
use crate::protocol::api::ApiKey;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Done,
    /// Ask again, after a pause.
    Again,
    /// Ask who the coordinator is, then ask again.
    FindAgain,
    /// The transaction must be aborted.
    Abort,
    /// The transaction must be aborted, and the coordinator has forgotten the producer id.
    AbortForgotten,
    Fatal,
}

/// Judges the error of a request to a coordinator.
pub fn fate(api: ApiKey, err: RespErr) -> Fate {
    match err {
        RespErr::NO_ERROR => Fate::Done,
        RespErr::ERR__UNSUPPORTED_FEATURE | RespErr::ERR_UNSUPPORTED_VERSION => Fate::Fatal,
        // The connection failed, or the broker left the cluster: another may be the coordinator by now.
        e if e.is_local() => Fate::FindAgain,
        RespErr::ERR_NOT_COORDINATOR | RespErr::ERR_COORDINATOR_NOT_AVAILABLE => Fate::FindAgain,
        // The coordinator starts up, or still completes the last transaction.
        RespErr::ERR_COORDINATOR_LOAD_IN_PROGRESS
        | RespErr::ERR_CONCURRENT_TRANSACTIONS
        | RespErr::ERR_REQUEST_TIMED_OUT
        | RespErr::ERR_NOT_ENOUGH_REPLICAS
        | RespErr::ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND
        | RespErr::ERR_KAFKA_STORAGE_ERROR
        | RespErr::ERR_THROTTLING_QUOTA_EXCEEDED
        | RespErr::ERR_NETWORK_EXCEPTION => Fate::Again,
        // A newly made topic that not every broker knows of.
        RespErr::ERR_UNKNOWN_TOPIC_OR_PART if matches!(api, ApiKey::AddPartitionsToTxn | ApiKey::TxnOffsetCommit) => {
            Fate::Again
        }
        // A newer instance has the transactional id, or the transaction took too long.
        RespErr::ERR_INVALID_PRODUCER_EPOCH | RespErr::ERR_PRODUCER_FENCED => Fate::Fatal,
        RespErr::ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        | RespErr::ERR_CLUSTER_AUTHORIZATION_FAILED
        | RespErr::ERR_INVALID_TXN_STATE
        | RespErr::ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT => Fate::Fatal,
        RespErr::ERR_INVALID_PRODUCER_ID_MAPPING | RespErr::ERR_UNKNOWN_PRODUCER_ID => Fate::AbortForgotten,
        RespErr::ERR_GROUP_AUTHORIZATION_FAILED => Fate::Abort,
        // Nothing can be done without a producer id or a coordinator.
        _ if matches!(api, ApiKey::InitProducerId | ApiKey::FindCoordinator) => Fate::Fatal,
        _ => Fate::Abort,
    }
}

/// The code as the application hears it.
pub fn for_application(err: RespErr) -> RespErr {
    match err {
        RespErr::ERR_INVALID_PRODUCER_EPOCH | RespErr::ERR_PRODUCER_FENCED => RespErr::ERR__FENCED,
        RespErr::ERR__TIMED_OUT_QUEUE => RespErr::ERR__TIMED_OUT,
        e => e,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_each_kind() {
        for (api, code, expected) in [
            (ApiKey::EndTxn, RespErr::NO_ERROR, Fate::Done),
            (ApiKey::EndTxn, RespErr::ERR__TRANSPORT, Fate::FindAgain),
            (ApiKey::EndTxn, RespErr::ERR_NOT_COORDINATOR, Fate::FindAgain),
            (ApiKey::AddPartitionsToTxn, RespErr::ERR_CONCURRENT_TRANSACTIONS, Fate::Again),
            (ApiKey::AddPartitionsToTxn, RespErr::ERR_UNKNOWN_TOPIC_OR_PART, Fate::Again),
            (ApiKey::AddPartitionsToTxn, RespErr::ERR_TOPIC_AUTHORIZATION_FAILED, Fate::Abort),
            (ApiKey::TxnOffsetCommit, RespErr::ERR_ILLEGAL_GENERATION, Fate::Abort),
            (ApiKey::TxnOffsetCommit, RespErr::ERR_TRANSACTION_ABORTABLE, Fate::Abort),
            (ApiKey::EndTxn, RespErr::ERR_PRODUCER_FENCED, Fate::Fatal),
            (ApiKey::EndTxn, RespErr::ERR_INVALID_PRODUCER_ID_MAPPING, Fate::AbortForgotten),
            (ApiKey::InitProducerId, RespErr::ERR_INVALID_TRANSACTION_TIMEOUT, Fate::Fatal),
        ] {
            assert_eq!(fate(api, code), expected, "{api:?} {code:?}");
        }
        assert_eq!(for_application(RespErr::ERR_PRODUCER_FENCED), RespErr::ERR__FENCED);
    }
}
