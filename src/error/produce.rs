//! What a producer must do about the code of a partition in a ProduceResponse, or about a request that got none.
//!
//! One row per code, each with its reason. A code without a row is a refusal that a repetition cannot change: it is
//! permanent, and nothing was persisted.

use super::RespErr;

/// What is known of the batch's being in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PersistedHint {
    /// The broker refused it, or it was never sent.
    NotPersisted,
    /// It may have been appended although the answer is an error or missing.
    PossiblyPersisted,
    /// It is in the log.
    Persisted,
}

/// What to do with a batch after an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrAction {
    /// Send the batch again after the backoff, while its messages have time and retries left.
    pub retriable: bool,
    /// Ask for metadata at once: what is known of the partition's leader is stale.
    pub refresh_metadata: bool,
    /// Sending again counts against `retries`. False where the broker surely did not append, so that no retry can
    /// duplicate and `delivery.timeout.ms` alone is the limit.
    pub counts_retry: bool,
    /// Report the failure to the application.
    pub permanent: bool,
    /// An idempotent or transactional producer cannot go on after this.
    pub fatal: bool,
    /// Not a failure at all: an earlier attempt was appended.
    pub success: bool,
    /// When the batch holds more than one record, halve it and send the parts; permanent only for a single record.
    pub split: bool,
    pub persisted: PersistedHint,
}

const PERMANENT: ErrAction = ErrAction {
    retriable: false,
    refresh_metadata: false,
    counts_retry: false,
    permanent: true,
    fatal: false,
    success: false,
    split: false,
    persisted: PersistedHint::NotPersisted,
};
const RETRY: ErrAction = ErrAction { retriable: true, counts_retry: true, permanent: false, ..PERMANENT };
/// The broker is not the leader, so it did not append: try the new one, for as long as the message lives.
const REFRESH: ErrAction = ErrAction { retriable: true, refresh_metadata: true, permanent: false, ..PERMANENT };
const FATAL: ErrAction = ErrAction { fatal: true, ..PERMANENT };
const SUCCESS: ErrAction =
    ErrAction { permanent: false, success: true, persisted: PersistedHint::Persisted, ..PERMANENT };

const fn maybe(action: ErrAction) -> ErrAction {
    ErrAction { persisted: PersistedHint::PossiblyPersisted, ..action }
}

/// Rows by code, ascending.
#[rustfmt::skip]
static ACTIONS: &[(RespErr, ErrAction)] = &[
    // The answer could not be decoded: the append may have happened, and the next attempt would meet the same answer.
    (RespErr::ERR__BAD_MSG, maybe(PERMANENT)),
    // The connection broke after sending. The leader may have moved, and the request may have been served.
    (RespErr::ERR__TRANSPORT, maybe(ErrAction { counts_retry: true, ..REFRESH })),
    // Out of time while in flight: nobody waits for a further attempt.
    (RespErr::ERR__MSG_TIMED_OUT, maybe(PERMANENT)),
    // No answer within the time allowed; the broker may still be at it.
    (RespErr::ERR__TIMED_OUT, maybe(RETRY)),
    // The TLS session broke: like a broken connection.
    (RespErr::ERR__SSL, maybe(RETRY)),
    // Timed out before it was sent: no risk of a duplicate.
    (RespErr::ERR__TIMED_OUT_QUEUE, ErrAction { counts_retry: false, ..RETRY }),
    // Taken back from the send queue to be sent anew.
    (RespErr::ERR__RETRY, ErrAction { counts_retry: false, ..RETRY }),
    // Dropped by the application's wish before it was sent.
    (RespErr::ERR__PURGE_QUEUE, PERMANENT),
    // Dropped by the application's wish while its answer was awaited.
    (RespErr::ERR__PURGE_INFLIGHT, maybe(PERMANENT)),
    // The broker left the cluster, the request had not been sent: find the new leader.
    (RespErr::ERR__DESTROY_BROKER, REFRESH),
    // An unexpected exception in the broker. Repeating is no cure (Java says so too); when it was thrown is unknown.
    (RespErr::ERR_UNKNOWN, maybe(PERMANENT)),
    // The checksum did not match at the broker: damaged on the way, and the batch here is sound.
    (RespErr::ERR_INVALID_MSG, RETRY),
    // The broker does not host the partition (any more, or not yet): metadata is stale.
    (RespErr::ERR_UNKNOWN_TOPIC_OR_PART, REFRESH),
    // An election is under way.
    (RespErr::ERR_LEADER_NOT_AVAILABLE, REFRESH),
    // Leadership moved.
    (RespErr::ERR_NOT_LEADER_FOR_PARTITION, REFRESH),
    // Appended by the leader, but not by enough replicas within `request.timeout.ms`.
    (RespErr::ERR_REQUEST_TIMED_OUT, maybe(RETRY)),
    // Not sent by brokers of our time for Produce; as a stale view of the cluster.
    (RespErr::ERR_BROKER_NOT_AVAILABLE, REFRESH),
    (RespErr::ERR_REPLICA_NOT_AVAILABLE, REFRESH),
    // The batch exceeds the topic's `max.message.bytes`, each record perhaps does not.
    (RespErr::ERR_MSG_SIZE_TOO_LARGE, ErrAction { split: true, ..PERMANENT }),
    // The broker was cut off while serving: like a broken connection.
    (RespErr::ERR_NETWORK_EXCEPTION, maybe(ErrAction { counts_retry: true, ..REFRESH })),
    // The transaction's coordinator, which the leader asks before it appends, is not ready or has moved (KIP-890).
    (RespErr::ERR_COORDINATOR_LOAD_IN_PROGRESS, RETRY),
    (RespErr::ERR_COORDINATOR_NOT_AVAILABLE, ErrAction { counts_retry: false, ..RETRY }),
    (RespErr::ERR_NOT_COORDINATOR, ErrAction { counts_retry: false, ..RETRY }),
    // The topic's name is not one: no repetition helps.
    (RespErr::ERR_TOPIC_EXCEPTION, PERMANENT),
    // The batch exceeds the log's segment size: smaller ones may fit.
    (RespErr::ERR_RECORD_LIST_TOO_LARGE, ErrAction { split: true, ..PERMANENT }),
    // Too few in-sync replicas to begin with, refused before the append.
    (RespErr::ERR_NOT_ENOUGH_REPLICAS, RETRY),
    // Replicas fell out of sync after the leader's append.
    (RespErr::ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, maybe(RETRY)),
    (RespErr::ERR_INVALID_REQUIRED_ACKS, PERMANENT),
    // Rights do not change by repeating, and the application must hear of it soon.
    (RespErr::ERR_TOPIC_AUTHORIZATION_FAILED, PERMANENT),
    // An idempotent producer lacks the right to its id.
    (RespErr::ERR_CLUSTER_AUTHORIZATION_FAILED, FATAL),
    // Outside `message.timestamp.before.max.ms` or `after.max.ms`.
    (RespErr::ERR_INVALID_TIMESTAMP, PERMANENT),
    (RespErr::ERR_UNSUPPORTED_VERSION, PERMANENT),
    // The topic's format is too old for what the batch carries (headers, sequences).
    (RespErr::ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, PERMANENT),
    (RespErr::ERR_POLICY_VIOLATION, PERMANENT),
    // A batch before this one is missing. An idempotent producer decides by its sequences; without them it is an answer
    // to a question not asked.
    (RespErr::ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, maybe(PERMANENT)),
    // The broker has the batch already, from an attempt whose answer was lost. Offset and time stay unknown.
    (RespErr::ERR_DUPLICATE_SEQUENCE_NUMBER, SUCCESS),
    // The epoch is old: a transactional producer was fenced, an idempotent one takes a new id.
    (RespErr::ERR_INVALID_PRODUCER_EPOCH, PERMANENT),
    // The transaction is not open at the coordinator: abort it.
    (RespErr::ERR_INVALID_TXN_STATE, PERMANENT),
    // The coordinator has forgotten the producer's id: a transactional producer gets one anew with the abort.
    (RespErr::ERR_INVALID_PRODUCER_ID_MAPPING, PERMANENT),
    // Another operation of this transaction is being completed (KIP-890 verification).
    (RespErr::ERR_CONCURRENT_TRANSACTIONS, ErrAction { counts_retry: false, ..RETRY }),
    (RespErr::ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, FATAL),
    // The leader's disk failed: it will resign, another takes over.
    (RespErr::ERR_KAFKA_STORAGE_ERROR, ErrAction { counts_retry: true, ..REFRESH }),
    // The broker forgot the producer (retention). An idempotent producer takes a new epoch.
    (RespErr::ERR_UNKNOWN_PRODUCER_ID, PERMANENT),
    // Metadata is older than the leader's.
    (RespErr::ERR_FENCED_LEADER_EPOCH, REFRESH),
    // The broker's knowledge lags behind ours: give it time.
    (RespErr::ERR_UNKNOWN_LEADER_EPOCH, ErrAction { refresh_metadata: false, ..REFRESH }),
    (RespErr::ERR_UNSUPPORTED_COMPRESSION_TYPE, PERMANENT),
    // Some records were refused (KIP-467); the response names them.
    (RespErr::ERR_INVALID_RECORD, PERMANENT),
    // The quota's answer where no throttle time is given: later.
    (RespErr::ERR_THROTTLING_QUOTA_EXCEEDED, ErrAction { counts_retry: false, ..RETRY }),
    // A newer producer uses the same `transactional.id`.
    (RespErr::ERR_PRODUCER_FENCED, FATAL),
    // The topic was deleted and perhaps made anew: its id must be looked up again (KIP-516).
    (RespErr::ERR_UNKNOWN_TOPIC_ID, REFRESH),
    (RespErr::ERR_INCONSISTENT_TOPIC_ID, REFRESH),
    // The transaction must be aborted; this batch is lost with it (KIP-890).
    (RespErr::ERR_TRANSACTION_ABORTABLE, PERMANENT),
];

/// What a producer must do about `code`. `NO_ERROR` is a success; a code without a rule is permanent.
///
/// For a request that was never sent, nothing was persisted and no retry need be counted, whatever the code says.
pub fn produce_action(code: RespErr) -> ErrAction {
    if code.is_ok() {
        return SUCCESS;
    }
    ACTIONS.binary_search_by_key(&code, |row| row.0).map_or(PERMANENT, |at| ACTIONS[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_consistent() {
        assert!(ACTIONS.windows(2).all(|w| w[0].0 < w[1].0));
        for (code, a) in ACTIONS {
            assert_eq!(u8::from(a.retriable) + u8::from(a.permanent) + u8::from(a.success), 1, "{code:?}");
            assert!(!a.fatal || a.permanent, "{code:?}");
            assert!(!a.refresh_metadata || a.retriable, "{code:?}");
            assert!(!a.counts_retry || a.retriable, "{code:?}");
            // What may be in the log already must not be repeated for ever: the copies would pile up.
            assert!(!a.retriable || a.persisted == PersistedHint::NotPersisted || a.counts_retry, "{code:?}");
        }
    }

    #[test]
    fn rules_that_matter_most() {
        let leader = produce_action(RespErr::ERR_NOT_LEADER_FOR_PARTITION);
        assert!(leader.retriable && leader.refresh_metadata && !leader.counts_retry);
        let broken = produce_action(RespErr::ERR__TRANSPORT);
        assert!(broken.retriable && broken.counts_retry);
        assert_eq!(broken.persisted, PersistedHint::PossiblyPersisted);
        assert!(produce_action(RespErr::ERR_DUPLICATE_SEQUENCE_NUMBER).success);
        assert!(produce_action(RespErr::NO_ERROR).success);
        assert!(produce_action(RespErr::ERR_TOPIC_AUTHORIZATION_FAILED).permanent);
        assert!(produce_action(RespErr::ERR_MSG_SIZE_TOO_LARGE).split);
        assert!(produce_action(RespErr(31_000)).permanent);
    }
}
