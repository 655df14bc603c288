//! Producing: by topic name, by topic handle, with headers, and arrays.

use super::dispatch;
use super::guard::{c_bytes, field, guard, live, MAX_FIELD};
use super::handle::{give, handle, take};
use super::headers::{in_place, list_of, rk_header_t, rk_headers_t};
use super::producer::{code, rk_producer_t, Inner};
use super::types::*;
use crate::client::{Message, Section, Topic};
use crate::error::RespErr;
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

/// A topic of a producer. Thread-safe; refuses messages once the producer is destroyed.
pub struct rk_topic_t {
    pub(super) topic: Topic,
    inner: Arc<Inner>,
}
handle!(rk_topic_t, b't', OF_PROCESS);

impl rk_topic_t {
    pub(super) fn give(topic: Topic, inner: Arc<Inner>) -> *mut rk_topic_t {
        give(rk_topic_t { topic, inner })
    }
}

/// A message as C gives it.
struct Raw {
    partition: i32,
    flags: c_int,
    payload: *const c_void,
    len: usize,
    key: *const c_void,
    key_len: usize,
    timestamp_ms: i64,
    opaque: *mut c_void,
}

impl Raw {
    /// It consists of a payload and perhaps a key, to be copied, for any partition: most are like this. Whether a key that
    /// is NULL has a length is not looked at.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        // One branch for all that must not be.
        let rest = (self.partition ^ RK_PARTITION_UA) | (self.flags & !RK_MSG_F_COPY);
        let too_long = (self.len | self.key_len) & !MAX_FIELD;
        (self.timestamp_ms as u64 | u64::from(rest as u32) | too_long as u64) == 0 && !self.payload.is_null()
    }
}

/// Why a message that did not pass the checks is refused.
#[cold]
fn refusal(m: &Raw) -> rk_resp_err_t {
    if m.len > MAX_FIELD || m.key_len > MAX_FIELD {
        RespErr::ERR_MSG_SIZE_TOO_LARGE.0
    } else if m.partition < RK_PARTITION_UA {
        RespErr::ERR__UNKNOWN_PARTITION.0
    } else {
        RespErr::ERR__INVALID_ARG.0
    }
}

/// Flags other than "copy": rare enough to be out of the way of the rest.
#[cold]
#[inline(never)]
fn may_block(inner: &Inner, flags: c_int) -> Result<bool, ()> {
    let known = RK_MSG_F_FREE | RK_MSG_F_COPY | RK_MSG_F_BLOCK | RK_MSG_F_PARTITION;
    if flags & !known != 0 || flags & (RK_MSG_F_FREE | RK_MSG_F_COPY) == (RK_MSG_F_FREE | RK_MSG_F_COPY) {
        return Err(());
    }
    // Within a callback this thread is the one that would have to make room.
    Ok(flags & RK_MSG_F_BLOCK != 0 && !dispatch::within_callback(inner.id()))
}

/// Checks a message and hands it over; on success a payload to be freed is freed.
///
/// # Safety
/// Payload and key are NULL or good for reading their lengths; with RK_MSG_F_FREE, the payload came from malloc().
#[inline(always)]
unsafe fn produce(inner: &Inner, topic: &Topic, m: &Raw, headers: Section<'_>) -> rk_resp_err_t {
    // One branch for all that must not be: no short cuts between the terms. The sum with RK_PARTITION_UA's opposite and
    // the time are negative if partition or time is out of range.
    let negative = (i64::from(m.partition) - i64::from(RK_PARTITION_UA)) | m.timestamp_ms;
    let no_payload = m.payload.is_null() & (m.len != 0);
    let no_key = m.key.is_null() & (m.key_len != 0);
    if no_payload | no_key | (negative < 0) | ((m.len | m.key_len) > MAX_FIELD) {
        return refusal(m);
    }
    // SAFETY: by contract, and the lengths are those of slices.
    let (payload, key) = unsafe { (field(m.payload, m.len), field(m.key, m.key_len)) };
    let mut block = false;
    if m.flags & !RK_MSG_F_COPY != 0 {
        match may_block(inner, m.flags) {
            Ok(yes) => block = yes,
            Err(()) => return refusal(m),
        }
    }
    let message = Message {
        partition: m.partition,
        payload,
        key,
        headers,
        timestamp_ms: m.timestamp_ms,
        opaque: m.opaque as usize,
        block,
    };
    let result = code(inner.client.produce(topic, &message));
    if m.flags & RK_MSG_F_FREE != 0 && result == RespErr::NO_ERROR.0 {
        // SAFETY: accepted, so the payload is ours by contract; it has been copied.
        unsafe { libc::free(m.payload.cast_mut()) };
    }
    result
}

/// Payload and key of a plain message, with a key if `KEY` says so. `None` for any other.
///
/// # Safety
/// As `produce`; whether the key is NULL is as `KEY` says.
#[inline(always)]
unsafe fn plain_parts<'a, const KEY: bool>(m: &Raw) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    if !m.is_plain() || !KEY && m.key_len != 0 {
        return None;
    }
    // SAFETY: not NULL where a slice is made, and the lengths are those of slices; the rest by contract.
    unsafe {
        let key = KEY.then(|| std::slice::from_raw_parts(m.key.cast(), m.key_len));
        Some((std::slice::from_raw_parts(m.payload.cast(), m.len), key))
    }
}

/// Produces a plain message. `None` for any other.
///
/// # Safety
/// As `produce`.
#[inline(always)]
unsafe fn produce_plain(inner: &Inner, topic: &Topic, m: Raw) -> Option<rk_resp_err_t> {
    // SAFETY: by contract.
    let (payload, key) = unsafe { if m.key.is_null() { plain_parts::<false>(&m) } else { plain_parts::<true>(&m) }? };
    Some(match key {
        None => hand_over(inner, topic, payload, None, m.opaque),
        Some(key) => hand_over_keyed(inner, topic, payload, key, m.opaque),
    })
}

#[inline(always)]
fn hand_over(inner: &Inner, topic: &Topic, payload: &[u8], key: Option<&[u8]>, opaque: *mut c_void) -> rk_resp_err_t {
    inner.client.produce_plain(topic, key, payload, Section::NONE.bytes(), opaque as usize).0
}

/// On its own so that messages without a key have more registers.
#[inline(never)]
fn hand_over_keyed(inner: &Inner, topic: &Topic, payload: &[u8], key: &[u8], opaque: *mut c_void) -> rk_resp_err_t {
    hand_over(inner, topic, payload, Some(key), opaque)
}

/// `produce` for messages with an array of headers.
///
/// # Safety
/// As rk_producer_produce_header_array.
#[inline(always)]
unsafe fn produce_array_headers(
    inner: &Inner,
    topic: &Topic,
    message: impl Fn() -> Raw,
    headers: *const rk_header_t,
    count: usize,
) -> rk_resp_err_t {
    let m = message();
    // SAFETY: by contract; whether there is a key is looked at.
    unsafe {
        let parts = if m.key.is_null() { plain_parts::<false>(&m) } else { plain_parts::<true>(&m) };
        if let Some((payload, key)) = parts {
            if let Some(section) = in_place(headers, count) {
                let opaque = m.opaque as usize;
                return match key {
                    // Compiled for either, as without headers.
                    None => inner.client.produce_plain(topic, None, payload, section, opaque),
                    key => inner.client.produce_plain(topic, key, payload, section, opaque),
                }
                .0;
            }
        }
        // Another message, so that the first never is in memory.
        produce_listed(inner, topic, &message(), headers, count)
    }
}

/// `produce_array_headers` where the message is not plain, or one of the headers not short, or wrong.
///
/// # Safety
/// As rk_producer_produce_header_array.
#[inline(never)]
unsafe fn produce_listed(
    inner: &Inner,
    topic: &Topic,
    m: &Raw,
    headers: *const rk_header_t,
    count: usize,
) -> rk_resp_err_t {
    // SAFETY: by contract.
    unsafe {
        match list_of(headers, count) {
            Some(list) => produce_shared(inner, topic, m, list.section()),
            None => RespErr::ERR__INVALID_ARG.0,
        }
    }
}

/// `produce` for the other exports: one copy of the whole path is enough for those.
///
/// # Safety
/// As `produce`.
#[inline(never)]
unsafe fn produce_shared(inner: &Inner, topic: &Topic, m: &Raw, headers: Section<'_>) -> rk_resp_err_t {
    // SAFETY: by contract.
    unsafe { produce(inner, topic, m, headers) }
}

/// Finds the topic of that name.
///
/// # Safety
/// `name` is NULL or a C string.
#[inline(always)]
unsafe fn topic_of(inner: &Inner, name: *const c_char) -> Result<&Topic, RespErr> {
    // SAFETY: by contract.
    let name = unsafe { c_bytes(name) }.ok_or(RespErr::ERR__INVALID_ARG)?;
    inner.client.topic_by_name(name)
}

/// Produces a message: it is copied into the queue, sent by a background thread, and its delivery report comes later by
/// rk_producer_poll (or rk_producer_poll_event), exactly one per accepted message. Does not wait for room or for
/// brokers, except with RK_MSG_F_BLOCK; a thread that is many MiB ahead of what brokers have confirmed lets others
/// have its core, for some 50 us per 128 KiB. Callable from any thread, and within delivery callbacks.
///
/// `partition` is RK_PARTITION_UA to have it chosen. `payload` NULL is a null value, a tombstone; `key` NULL is none.
/// `timestamp_ms` is milliseconds since the epoch, 0 for now. `msg_opaque` comes back in the report, untouched.
///
/// Returns RK_RESP_ERR_NO_ERROR if the message was accepted. Otherwise there will be no report:
/// RK_RESP_ERR__QUEUE_FULL (poll, then try again), RK_RESP_ERR_MSG_SIZE_TOO_LARGE (over `message.max.bytes`),
/// RK_RESP_ERR__UNKNOWN_PARTITION or RK_RESP_ERR__UNKNOWN_TOPIC (if that is known already; else the report says so, with
/// RK_RESP_ERR_UNKNOWN_TOPIC_OR_PART for a topic that does not come to be),
/// RK_RESP_ERR__INVALID_ARG (NULL or contradictory arguments, an illegal topic name, a negative time),
/// RK_RESP_ERR__FATAL (see rk_producer_fatal_error), RK_RESP_ERR__STATE (the producer is being destroyed).
///
/// # Safety
/// `rk` is NULL or a live producer; `topic` is NULL or a C string; `payload` and `key` are NULL or have `len` and
/// `key_len` bytes; with RK_MSG_F_FREE `payload` came from malloc().
#[no_mangle]
pub unsafe extern "C" fn rk_producer_produce(
    rk: *mut rk_producer_t,
    topic: *const c_char,
    partition: i32,
    msgflags: c_int,
    payload: *const c_void,
    len: usize,
    key: *const c_void,
    key_len: usize,
    timestamp_ms: i64,
    msg_opaque: *mut c_void,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let inner = &*live!(rk, RespErr::ERR__INVALID_ARG.0).inner;
        // Made where it is needed: on the short way it never is in memory.
        let m = || Raw { partition, flags: msgflags, payload, len, key, key_len, timestamp_ms, opaque: msg_opaque };
        // SAFETY: by contract.
        unsafe {
            let recent = recent_topic(inner, topic);
            match recent.and_then(|t| produce_plain(inner, t, m())) {
                Some(err) => err,
                None => produce_by_name(inner, recent, topic, &m(), std::ptr::null_mut()),
            }
        }
    })
}

/// The topic of that name, if it is one that this thread used lately.
///
/// # Safety
/// `name` is NULL or a C string.
#[inline(always)]
unsafe fn recent_topic(inner: &Inner, name: *const c_char) -> Option<&Topic> {
    if name.is_null() {
        return None;
    }
    // SAFETY: both are C strings, the one by contract.
    inner.client.recent_topic().filter(|recent| unsafe { libc::strcmp(recent.name().as_ptr(), name) } == 0)
}

/// Has `produce` called with the topic of that name, which is `recent` if there is one.
///
/// # Safety
/// `name` is NULL or a C string.
#[inline(always)]
unsafe fn on_topic(
    inner: &Inner,
    recent: Option<&Topic>,
    name: *const c_char,
    produce: impl FnOnce(&Topic) -> rk_resp_err_t,
) -> rk_resp_err_t {
    if let Some(topic) = recent {
        return produce(topic);
    }
    // SAFETY: by contract.
    let topic = match unsafe { topic_of(inner, name) } {
        Ok(topic) => topic,
        Err(e) => return e.0,
    };
    let result = produce(topic);
    if result == RespErr::NO_ERROR.0 {
        inner.client.used_topic(topic);
    }
    result
}

/// Produces, with headers unless they are NULL, to the topic of that name, which is `recent` if there is one.
///
/// # Safety
/// As rk_producer_produce_headers.
#[inline(never)]
unsafe fn produce_by_name(
    inner: &Inner,
    recent: Option<&Topic>,
    name: *const c_char,
    m: &Raw,
    headers: *mut rk_headers_t,
) -> rk_resp_err_t {
    // SAFETY: by contract.
    unsafe { on_topic(inner, recent, name, |topic| produce_with(inner, topic, m, headers)) }
}

/// As rk_producer_produce, with headers. If the message is accepted, `headers` is freed by the library; if not, it stays
/// the caller's. NULL headers are none.
///
/// # Safety
/// As rk_producer_produce; `headers` is NULL or a live list of headers.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_produce_headers(
    rk: *mut rk_producer_t,
    topic: *const c_char,
    partition: i32,
    msgflags: c_int,
    payload: *const c_void,
    len: usize,
    key: *const c_void,
    key_len: usize,
    headers: *mut rk_headers_t,
    timestamp_ms: i64,
    msg_opaque: *mut c_void,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let inner = &*live!(rk, RespErr::ERR__INVALID_ARG.0).inner;
        let m = Raw { partition, flags: msgflags, payload, len, key, key_len, timestamp_ms, opaque: msg_opaque };
        // SAFETY: by contract.
        unsafe { produce_by_name(inner, recent_topic(inner, topic), topic, &m, headers) }
    })
}

/// Produces to a topic without looking up its name: rk_producer_produce for hot loops, with the same arguments and results.
///
/// # Safety
/// `topic` is NULL or a live topic; the rest as rk_producer_produce.
#[no_mangle]
pub unsafe extern "C" fn rk_topic_produce(
    topic: *mut rk_topic_t,
    partition: i32,
    msgflags: c_int,
    payload: *const c_void,
    len: usize,
    key: *const c_void,
    key_len: usize,
    timestamp_ms: i64,
    msg_opaque: *mut c_void,
) -> rk_resp_err_t {
    let produce = if key.is_null() { topic_produce::<false> } else { topic_produce::<true> };
    // SAFETY: by contract. With the same arguments, so that this is a jump.
    unsafe { produce(topic, partition, msgflags, payload, len, key, key_len, timestamp_ms, msg_opaque) }
}

/// rk_topic_produce, compiled for messages with and without a key: those without have more registers, those with one need
/// not pass through what those without need.
///
/// # Safety
/// As rk_topic_produce; whether `key` is NULL is as `KEY` says.
#[inline(never)]
unsafe extern "C" fn topic_produce<const KEY: bool>(
    topic: *mut rk_topic_t,
    partition: i32,
    msgflags: c_int,
    payload: *const c_void,
    len: usize,
    key: *const c_void,
    key_len: usize,
    timestamp_ms: i64,
    msg_opaque: *mut c_void,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let t = live!(topic, RespErr::ERR__INVALID_ARG.0);
        // Made where it is needed: on the short way it never is in memory.
        let m = || Raw { partition, flags: msgflags, payload, len, key, key_len, timestamp_ms, opaque: msg_opaque };
        // SAFETY: by contract.
        unsafe {
            match plain_parts::<KEY>(&m()) {
                Some((payload, key)) => hand_over(&t.inner, &t.topic, payload, key, msg_opaque),
                None => produce_shared(&t.inner, &t.topic, &m(), Section::NONE),
            }
        }
    })
}

/// rk_producer_produce_headers for hot loops.
///
/// # Safety
/// `topic` is NULL or a live topic; the rest as rk_producer_produce_headers.
#[no_mangle]
pub unsafe extern "C" fn rk_topic_produce_headers(
    topic: *mut rk_topic_t,
    partition: i32,
    msgflags: c_int,
    payload: *const c_void,
    len: usize,
    key: *const c_void,
    key_len: usize,
    headers: *mut rk_headers_t,
    timestamp_ms: i64,
    msg_opaque: *mut c_void,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let t = live!(topic, RespErr::ERR__INVALID_ARG.0);
        let m = Raw { partition, flags: msgflags, payload, len, key, key_len, timestamp_ms, opaque: msg_opaque };
        // SAFETY: by contract.
        unsafe { produce_with(&t.inner, &t.topic, &m, headers) }
    })
}

/// As rk_producer_produce, with an array of `header_count` headers, which stays the caller's. The cheapest way to produce
/// with headers: nothing is allocated for a few short ones. RK_RESP_ERR__INVALID_ARG if a name is NULL or not UTF-8.
///
/// # Safety
/// As rk_producer_produce; `headers` is NULL or has `header_count` headers, with names and values of their lengths; the array
/// stays unchanged until the call returns.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_produce_header_array(
    rk: *mut rk_producer_t,
    topic: *const c_char,
    partition: i32,
    msgflags: c_int,
    payload: *const c_void,
    len: usize,
    key: *const c_void,
    key_len: usize,
    headers: *const rk_header_t,
    header_count: usize,
    timestamp_ms: i64,
    msg_opaque: *mut c_void,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let inner = &*live!(rk, RespErr::ERR__INVALID_ARG.0).inner;
        let m = || Raw { partition, flags: msgflags, payload, len, key, key_len, timestamp_ms, opaque: msg_opaque };
        // SAFETY: by contract.
        unsafe {
            on_topic(inner, recent_topic(inner, topic), topic, |t| {
                produce_array_headers(inner, t, m, headers, header_count)
            })
        }
    })
}

/// rk_producer_produce_header_array for hot loops.
///
/// # Safety
/// `topic` is NULL or a live topic; the rest as rk_producer_produce_header_array.
#[no_mangle]
pub unsafe extern "C" fn rk_topic_produce_header_array(
    topic: *mut rk_topic_t,
    partition: i32,
    msgflags: c_int,
    payload: *const c_void,
    len: usize,
    key: *const c_void,
    key_len: usize,
    headers: *const rk_header_t,
    header_count: usize,
    timestamp_ms: i64,
    msg_opaque: *mut c_void,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let t = live!(topic, RespErr::ERR__INVALID_ARG.0);
        let m = || Raw { partition, flags: msgflags, payload, len, key, key_len, timestamp_ms, opaque: msg_opaque };
        // SAFETY: by contract.
        unsafe { produce_array_headers(&t.inner, &t.topic, m, headers, header_count) }
    })
}

/// Produces with headers, which are consumed on success.
///
/// # Safety
/// As `produce`; `headers` is NULL or a live list.
unsafe fn produce_with(inner: &Inner, topic: &Topic, m: &Raw, headers: *mut rk_headers_t) -> rk_resp_err_t {
    if headers.is_null() {
        // SAFETY: by contract.
        return unsafe { produce_shared(inner, topic, m, Section::NONE) };
    }
    let list = live!(headers, RespErr::ERR__INVALID_ARG.0);
    // SAFETY: by contract.
    let result = unsafe { produce_shared(inner, topic, m, list.headers.section()) };
    if result == RespErr::NO_ERROR.0 {
        // SAFETY: the caller gave it away; `list` is not used any more.
        drop(unsafe { take(headers) });
    }
    result
}

/// Produces `count` messages; each is accepted or refused for itself, as rk_producer_produce would. Of each message
/// payload, len, key, key_len, timestamp_ms and opaque are read, and err is written. Returns how many were accepted.
///
/// `topic` NULL means that each message names its topic; RK_MSG_F_PARTITION in `msgflags`, its partition. RK_MSG_F_FREE
/// frees the payloads of accepted messages.
///
/// # Safety
/// `rk` is NULL or a live producer; `topic` is NULL or a C string; `messages` is NULL or has `count` messages whose
/// pointers are good for reading their lengths.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_produce_batch(
    rk: *mut rk_producer_t,
    topic: *const c_char,
    partition: i32,
    msgflags: c_int,
    messages: *mut rk_message_t,
    count: usize,
) -> usize {
    guard!(0, {
        let inner = &*live!(rk, 0).inner;
        // SAFETY: by contract.
        let all = (!topic.is_null()).then(|| unsafe { topic_of(inner, topic) });
        // SAFETY: by contract.
        unsafe {
            produce_array(inner, partition, msgflags, messages, count, |m| match all {
                Some(topic) => topic,
                None => topic_of(inner, m.topic),
            })
        }
    })
}

/// rk_producer_produce_batch with a topic handle.
///
/// # Safety
/// `topic` is NULL or a live topic; `messages` as rk_producer_produce_batch.
#[no_mangle]
pub unsafe extern "C" fn rk_topic_produce_batch(
    topic: *mut rk_topic_t,
    partition: i32,
    msgflags: c_int,
    messages: *mut rk_message_t,
    count: usize,
) -> usize {
    guard!(0, {
        let t = live!(topic, 0);
        // SAFETY: by contract.
        unsafe { produce_array(&t.inner, partition, msgflags, messages, count, |_| Ok(&t.topic)) }
    })
}

/// The array forms.
///
/// # Safety
/// As rk_producer_produce_batch.
unsafe fn produce_array<'a>(
    inner: &'a Inner,
    partition: i32,
    flags: c_int,
    messages: *mut rk_message_t,
    count: usize,
    topic: impl Fn(&rk_message_t) -> Result<&'a Topic, RespErr>,
) -> usize {
    if messages.is_null() || count > isize::MAX as usize / size_of::<rk_message_t>() {
        return 0;
    }
    let mut accepted = 0;
    for i in 0..count {
        // SAFETY: `i` is in the array; every bit pattern is an rk_message_t, and nothing else refers to it.
        let message = unsafe { &mut *messages.add(i) };
        let m = Raw {
            partition: if flags & RK_MSG_F_PARTITION != 0 { message.partition } else { partition },
            flags,
            payload: message.payload,
            len: message.len,
            key: message.key,
            key_len: message.key_len,
            timestamp_ms: message.timestamp_ms,
            opaque: message.opaque,
        };
        message.err = match topic(message) {
            // SAFETY: by contract.
            Ok(topic) => unsafe { produce_shared(inner, topic, &m, Section::NONE) },
            Err(e) => e.0,
        };
        accepted += usize::from(message.err == RespErr::NO_ERROR.0);
    }
    accepted
}

/// The topic's name. It lives as long as the topic.
///
/// # Safety
/// `topic` is NULL or a live topic.
#[no_mangle]
pub unsafe extern "C" fn rk_topic_name(topic: *const rk_topic_t) -> *const c_char {
    guard!(std::ptr::null(), { live!(topic, std::ptr::null()).topic.name().as_ptr() })
}

/// Frees a topic handle; messages already accepted are not touched. NULL is fine.
///
/// # Safety
/// `topic` is NULL or a live topic that no other thread uses; it is gone afterwards.
#[no_mangle]
pub unsafe extern "C" fn rk_topic_destroy(topic: *mut rk_topic_t) {
    guard!((), {
        // SAFETY: by contract.
        drop(unsafe { take(topic) });
    })
}
