//! Calls of more than a line: producing, events, headers, transactions.

use super::program::Program;
use super::World;
use rkafka::ffi::*;
use std::ffi::c_int;
use std::ptr::{null, null_mut};

/// # Safety
/// As [`super::call`].
pub(super) unsafe fn produce(w: &mut World, p: &mut Program<'_>) {
    let b = p.byte();
    let (partition, mut flags) = (p.int(), c_int::from(p.byte() % 16));
    // Waiting for room in the queue may be for ever, with nobody to poll.
    flags &= !RK_MSG_F_BLOCK;
    let (mut payload, mut len) = p.bytes();
    let (key, key_len) = p.bytes();
    let time = p.number();
    if flags & RK_MSG_F_FREE != 0 {
        len %= 3000;
        // SAFETY: malloc takes any length.
        payload = unsafe { libc::calloc(len.max(1), 1) };
    }
    let opaque = null_mut();
    // SAFETY: by contract. Headers that went with a message are the library's.
    let accepted = unsafe {
        match b % 6 {
            0 => rk_producer_produce(
                w.producers.at(p.byte()),
                p.name(),
                partition,
                flags,
                payload,
                len,
                key,
                key_len,
                time,
                opaque,
            ),
            1 => {
                let topic = w.topics.at(p.byte());
                rk_topic_produce(topic, partition, flags, payload, len, key, key_len, time, opaque)
            }
            4 | 5 => {
                let array: Vec<rk_header_t> = (0..p.byte() % 4)
                    .map(|_| {
                        let ((name, name_len), (value, value_len)) = (p.bytes(), p.bytes());
                        rk_header_t { name: name.cast(), name_len, value, value_len }
                    })
                    .collect();
                let (list, n) = (array.as_ptr(), array.len());
                if b % 6 == 4 {
                    let rk = w.producers.at(p.byte());
                    let name = p.name();
                    rk_producer_produce_header_array(
                        rk, name, partition, flags, payload, len, key, key_len, list, n, time, opaque,
                    )
                } else {
                    let topic = w.topics.at(p.byte());
                    rk_topic_produce_header_array(
                        topic, partition, flags, payload, len, key, key_len, list, n, time, opaque,
                    )
                }
            }
            other => {
                let b = p.byte();
                let headers = w.headers.at(b);
                let err = if other == 2 {
                    let rk = w.producers.at(p.byte());
                    let name = p.name();
                    rk_producer_produce_headers(
                        rk, name, partition, flags, payload, len, key, key_len, headers, time, opaque,
                    )
                } else {
                    let topic = w.topics.at(p.byte());
                    rk_topic_produce_headers(topic, partition, flags, payload, len, key, key_len, headers, time, opaque)
                };
                if err == 0 {
                    w.headers.take(b);
                }
                err
            }
        }
    };
    if flags & RK_MSG_F_FREE != 0 && accepted != 0 {
        // SAFETY: refused, so it is still this function's.
        unsafe { libc::free(payload.cast_mut()) };
    }
}

/// # Safety
/// As [`super::call`].
pub(super) unsafe fn produce_batch(w: &mut World, p: &mut Program<'_>) {
    let flags = c_int::from(p.byte() % 16) & !(RK_MSG_F_BLOCK | RK_MSG_F_FREE);
    // SAFETY: all zeros is a message.
    let mut messages: Vec<rk_message_t> = (0..p.byte() % 5).map(|_| unsafe { std::mem::zeroed() }).collect();
    for m in &mut messages {
        (m.payload, m.len) = p.bytes();
        (m.key, m.key_len) = p.bytes();
        (m.topic, m.partition, m.timestamp_ms) = (p.name(), p.int(), p.number());
    }
    let (list, n) = (messages.as_mut_ptr(), messages.len());
    // SAFETY: by contract; the messages have the lengths they say, or NULL, or lengths no message has.
    unsafe {
        let accepted = if p.byte().is_multiple_of(2) {
            let rk = w.producers.at(p.byte());
            rk_producer_produce_batch(rk, p.name(), p.int(), flags, list, n)
        } else {
            rk_topic_produce_batch(w.topics.at(p.byte()), p.int(), flags, list, n)
        };
        assert!(accepted <= n);
    }
}

/// # Safety
/// NULL or alive.
pub(super) unsafe fn look_at_event(event: *mut rk_event_t) {
    // SAFETY: by contract; outputs can be written.
    unsafe {
        let kind = rk_event_type(event);
        assert!(!rk_event_name(event).is_null());
        let (mut n, mut level, mut a, mut b, mut id, mut ms) = (0, 0, null(), null(), 0, 0);
        rk_event_messages(event, &mut n);
        let m = rk_event_message_next(event);
        assert!(m.is_null() || kind == RK_EVENT_DR);
        let some = rk_event_message_slice(event, &mut n);
        assert!(some.is_null() == (n == 0) && (n == 0 || kind == RK_EVENT_DR));
        rk_message_status(m);
        rk_event_message_count(event);
        rk_event_error(event);
        rk_event_error_is_fatal(event);
        rk_event_log(event, &mut level, &mut a, &mut b);
        rk_event_throttle(event, &mut a, &mut id, &mut ms);
        let _ = (rk_event_error_string(event), rk_event_stats(event), rk_event_config_string(event));
    }
}

/// # Safety
/// As [`super::call`].
pub(super) unsafe fn headers(w: &mut World, p: &mut Program<'_>) {
    let b = p.byte();
    let h = w.headers.at(p.byte());
    let (mut name, mut value, mut n, mut m) = (null(), null(), 0, 0);
    // SAFETY: by contract; outputs can be written.
    unsafe {
        match b % 8 {
            0 | 1 => w.headers.add(rk_headers_new(p.byte() as usize)),
            2 => w.headers.add(rk_headers_copy(h)),
            3 => rk_headers_destroy(w.headers.take(p.byte())),
            4 => {
                let (bytes, len) = p.bytes();
                let (name, name_len) = p.bytes();
                rk_headers_add(h, name.cast(), name_len, bytes, len);
            }
            5 => {
                rk_headers_add_str(h, p.name(), p.name());
            }
            6 => {
                rk_headers_remove(h, p.name());
            }
            _ => {
                rk_headers_get(h, p.byte() as usize, &mut name, &mut n, &mut value, &mut m);
                rk_headers_get_last(h, p.name(), &mut value, &mut n);
                rk_headers_count(h);
            }
        }
    }
}

/// # Safety
/// As [`super::call`].
pub(super) unsafe fn transaction(w: &mut World, p: &mut Program<'_>) {
    let b = p.byte();
    let rk = w.producers.at(p.byte());
    // SAFETY: by contract.
    unsafe {
        let error = match b % 10 {
            0 | 1 => rk_producer_init_transactions(rk, p.wait()),
            2 => rk_producer_begin_transaction(rk),
            3 => rk_producer_send_offsets_to_transaction(rk, w.lists.at(p.byte()), w.groups.at(p.byte()), p.wait()),
            4 => rk_producer_commit_transaction(rk, p.wait()),
            5 => rk_producer_abort_transaction(rk, p.wait()),
            6 => {
                w.lists.add(rk_topic_partition_list_new(c_int::from(p.byte())));
                if w.lists.0.len() > 3 {
                    rk_topic_partition_list_destroy(w.lists.take(p.byte()));
                }
                null_mut()
            }
            7 => {
                w.groups.add(rk_consumer_group_metadata_new(p.name()));
                w.groups.add(rk_consumer_group_metadata_new_with_genid(p.name(), p.int(), p.name(), p.name()));
                rk_consumer_group_metadata_destroy(w.groups.take(p.byte()));
                null_mut()
            }
            8 => {
                rk_error_destroy(w.errors.take(p.byte()));
                null_mut()
            }
            _ => {
                let e = w.errors.at(p.byte());
                assert!(!rk_error_name(e).is_null() && !rk_error_string(e).is_null());
                rk_error_code(e);
                let _ = (rk_error_is_fatal(e), rk_error_is_retriable(e), rk_error_txn_requires_abort(e));
                null_mut()
            }
        };
        w.errors.add(error);
    }
}
