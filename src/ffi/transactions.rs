//! `rk_producer_init_transactions` and the other transactional calls, and the consumer group's metadata that goes with
//! offsets.

use super::dispatch;
use super::error::rk_error_t;
use super::guard::{guard, live, live_here, text, timeout};
use super::handle::{give, handle, take};
use super::producer::rk_producer_t;
use super::topic_partition::{offsets_of, rk_topic_partition_list_t};
use crate::client::{GroupMetadata, Producer, MADE_BEFORE_FORK};
use crate::error::{Error, RespErr};
use std::ffi::{c_char, c_int};
use std::time::Duration;

/// Who a consumer is in its group (KIP-447), for rk_producer_send_offsets_to_transaction. Immutable.
pub struct rk_consumer_group_metadata_t {
    group: GroupMetadata,
}
handle!(rk_consumer_group_metadata_t, b'g');

/// Metadata of a consumer of which only the group is known. NULL if `group_id` is NULL, empty or not UTF-8.
///
/// # Safety
/// `group_id` is NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_consumer_group_metadata_new(group_id: *const c_char) -> *mut rk_consumer_group_metadata_t {
    guard!(std::ptr::null_mut(), {
        // SAFETY: the same contract.
        unsafe { rk_consumer_group_metadata_new_with_genid(group_id, -1, c"".as_ptr(), std::ptr::null()) }
    })
}

/// Metadata of a member of a group: then the coordinator refuses offsets of one that the group has thrown out meanwhile.
/// `group_instance_id` is NULL but for a static member. NULL if a string is not UTF-8, or one of the others is NULL.
///
/// # Safety
/// The strings are NULL or C strings.
#[no_mangle]
pub unsafe extern "C" fn rk_consumer_group_metadata_new_with_genid(
    group_id: *const c_char,
    generation_id: i32,
    member_id: *const c_char,
    group_instance_id: *const c_char,
) -> *mut rk_consumer_group_metadata_t {
    guard!(std::ptr::null_mut(), {
        // SAFETY: by contract.
        let (group, member, instance) = unsafe { (text(group_id), text(member_id), text(group_instance_id)) };
        match (group, member) {
            (Some(group), Some(member)) if !group.is_empty() && (instance.is_some() || group_instance_id.is_null()) => {
                give(rk_consumer_group_metadata_t {
                    group: GroupMetadata {
                        group_id: group.to_owned(),
                        generation_id,
                        member_id: member.to_owned(),
                        group_instance_id: instance.map(str::to_owned),
                    },
                })
            }
            _ => std::ptr::null_mut(),
        }
    })
}

/// Frees group metadata. NULL is fine.
///
/// # Safety
/// `metadata` is NULL or live; it is gone afterwards.
#[no_mangle]
pub unsafe extern "C" fn rk_consumer_group_metadata_destroy(metadata: *mut rk_consumer_group_metadata_t) {
    guard!((), {
        // SAFETY: by contract.
        drop(unsafe { take(metadata) });
    })
}

fn panicked() -> *mut rk_error_t {
    rk_error_t::give(Error::new(RespErr::ERR__FAIL, "a bug in rkafka: see standard error"))
}

fn no_producer() -> *mut rk_error_t {
    rk_error_t::give(Error::new(RespErr::ERR__INVALID_ARG, "no producer given, or it has been destroyed"))
}

fn of_parent() -> *mut rk_error_t {
    rk_error_t::give(Error::new(RespErr::ERR__STATE, MADE_BEFORE_FORK))
}

/// Runs a transactional call, which may serve callbacks by the function that it is given.
fn run(
    rk: *mut rk_producer_t,
    p: &rk_producer_t,
    call: impl FnOnce(&Producer, &mut dyn FnMut(Option<Duration>) -> bool) -> Result<(), Error>,
) -> *mut rk_error_t {
    let inner = &*p.inner;
    if dispatch::within_callback(inner.id()) {
        let text = "transactional calls that wait cannot be made within a callback of the same producer";
        return rk_error_t::give(Error::new(RespErr::ERR__STATE, text));
    }
    let mut flush = |within: Option<Duration>| dispatch::with_frame(inner.id(), || dispatch::flush(rk, inner, within));
    rk_error_t::of(call(&inner.client, &mut flush))
}

/// Makes the producer ready for transactions: gets its producer id and epoch from the transaction coordinator, which
/// fences older producers of the same `transactional.id` and completes what they left open. To be called once, before the
/// first message. Waits at most `timeout_ms` (-1: for ever); after RK_RESP_ERR__TIMED_OUT, which is retriable, the work
/// goes on, and calling again waits for its end.
///
/// Returns NULL on success, else an error to be freed with rk_error_destroy: RK_RESP_ERR__NOT_CONFIGURED without
/// `transactional.id`; RK_RESP_ERR__STATE when called a second time; RK_RESP_ERR__CONFLICT while another call is under
/// way; fatal ones (rk_error_is_fatal) such as RK_RESP_ERR_INVALID_TRANSACTION_TIMEOUT and
/// RK_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED. Thread-safe, but one transactional call at a time.
///
/// # Safety
/// `rk` is NULL or a live producer.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_init_transactions(rk: *mut rk_producer_t, timeout_ms: c_int) -> *mut rk_error_t {
    guard!(panicked(), {
        let p = live_here!(rk, no_producer(), of_parent());
        run(rk, p, |client, _| client.init_transactions(timeout(timeout_ms)))
    })
}

/// Begins a transaction: messages produced from here on belong to it, until commit or abort; outside of transactions
/// produce answers with RK_RESP_ERR__STATE. Does not wait.
///
/// Returns NULL, or an error to be freed: RK_RESP_ERR__STATE before rk_producer_init_transactions and within a transaction.
///
/// # Safety
/// `rk` is NULL or a live producer.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_begin_transaction(rk: *mut rk_producer_t) -> *mut rk_error_t {
    guard!(panicked(), {
        let p = live_here!(rk, no_producer(), of_parent());
        rk_error_t::of(p.inner.client.begin_transaction())
    })
}

/// Adds a consumer's offsets to the transaction: they count for its group when the transaction commits. `offsets` holds
/// those of the next messages to be consumed, one past the last processed; entries with a negative offset are left out.
/// The consumer must not commit offsets itself (`enable.auto.commit=false`). Both stay the caller's.
///
/// Waits at most `timeout_ms`, and no longer than the transaction may last; after RK_RESP_ERR__TIMED_OUT, which is
/// retriable, the same call may be made again. Returns NULL, or an error to be freed; where rk_error_txn_requires_abort
/// says so, for example for a member that its group has thrown out, the transaction must be aborted.
///
/// # Safety
/// Each is NULL or live.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_send_offsets_to_transaction(
    rk: *mut rk_producer_t,
    offsets: *const rk_topic_partition_list_t,
    metadata: *const rk_consumer_group_metadata_t,
    timeout_ms: c_int,
) -> *mut rk_error_t {
    guard!(panicked(), {
        let p = live_here!(rk, no_producer(), of_parent());
        let required = || {
            let text = "cgmetadata and offsets are required parameters";
            rk_error_t::give(Error::new(RespErr::ERR__INVALID_ARG, text))
        };
        let group = live!(metadata, required()).group.clone();
        // SAFETY: by contract.
        let Some(offsets) = (unsafe { offsets_of(offsets) }) else { return required() };
        run(rk, p, |client, _| client.send_offsets_to_transaction(offsets, group, timeout(timeout_ms)))
    })
}

/// Commits the transaction: waits until every message of it is delivered (serving delivery reports as rk_producer_flush
/// does; where they are taken as events, another thread must poll), then ends it.
///
/// Waits at most `timeout_ms` (-1: for ever); after RK_RESP_ERR__TIMED_OUT, which is retriable, calling again goes on.
/// Returns NULL, or an error to be freed: where rk_error_txn_requires_abort says so, for example because a message could
/// not be delivered, the transaction must be aborted; RK_RESP_ERR__FENCED, fatal, when a newer producer with the same
/// `transactional.id` has taken over, or the transaction took longer than `transaction.timeout.ms`.
///
/// # Safety
/// `rk` is NULL or a live producer.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_commit_transaction(rk: *mut rk_producer_t, timeout_ms: c_int) -> *mut rk_error_t {
    guard!(panicked(), {
        let p = live_here!(rk, no_producer(), of_parent());
        run(rk, p, |client, flush| client.commit_transaction(timeout(timeout_ms), flush))
    })
}

/// Gives up the transaction: messages that wait get a report with RK_RESP_ERR__PURGE_QUEUE, those in flight are waited for,
/// and consumers that read committed messages see none of them. Also the way out of an error for which
/// rk_error_txn_requires_abort holds.
///
/// Waits at most `timeout_ms` (-1: for ever), serving delivery reports as rk_producer_flush does; after
/// RK_RESP_ERR__TIMED_OUT, which is retriable, calling again goes on. Returns NULL, or an error to be freed.
///
/// # Safety
/// `rk` is NULL or a live producer.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_abort_transaction(rk: *mut rk_producer_t, timeout_ms: c_int) -> *mut rk_error_t {
    guard!(panicked(), {
        let p = live_here!(rk, no_producer(), of_parent());
        run(rk, p, |client, flush| client.abort_transaction(timeout(timeout_ms), flush))
    })
}
