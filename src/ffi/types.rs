//! Public types and constants. Sizes and field orders here are the ABI: fields are only ever added in place of reserved
//! ones.

use super::producer::rk_producer_t;
use crate::client::{Delivery, Report, Status};
use crate::error::RespErr;
use std::ffi::{c_char, c_int, c_void};

/// `enum` in the header, which is written from the error table; any number may arrive here.
pub type rk_resp_err_t = c_int;

/// The partition is chosen by the partitioner.
pub const RK_PARTITION_UA: i32 = -1;

/// Offset of a message that has none (it failed, or `acks=0`).
pub const RK_OFFSET_INVALID: i64 = -1001;

/// The payload was allocated with malloc(), and the library frees it with free() if the message is accepted. If produce
/// fails, it stays the caller's. (The payload is copied within the call, as always.)
pub const RK_MSG_F_FREE: c_int = 0x1;
/// The payload is copied and stays the caller's. This is what happens without any flag, too. Not with RK_MSG_F_FREE.
pub const RK_MSG_F_COPY: c_int = 0x2;
/// Wait while the queue is full, instead of failing with RK_RESP_ERR__QUEUE_FULL. Some other thread must poll meanwhile
/// if delivery reports are asked for. Has no effect within a callback, where waiting might be for ever.
pub const RK_MSG_F_BLOCK: c_int = 0x4;
/// For the array forms: each message names its own partition.
pub const RK_MSG_F_PARTITION: c_int = 0x8;

/// Purge messages that wait in the queue.
pub const RK_PURGE_F_QUEUE: c_int = 0x1;
/// Purge messages that are sent and not answered. Whether they are in the log is then unknown.
pub const RK_PURGE_F_INFLIGHT: c_int = 0x2;
/// Don't wait for the purge to be done.
pub const RK_PURGE_F_NON_BLOCKING: c_int = 0x4;

/// Messages that are given up get no reports.
pub const RK_DESTROY_F_NO_REPORTS: c_int = 0x1;

/// Not an event, or NULL.
pub const RK_EVENT_NONE: c_int = 0x0;
/// Delivery reports of one batch: `rk_event_message_next`, `rk_event_messages`.
pub const RK_EVENT_DR: c_int = 0x1;
/// A log line (only with the property `log.queue=true`): `rk_event_log`.
pub const RK_EVENT_LOG: c_int = 0x4;
/// An error of the client as a whole: `rk_event_error`, `rk_event_error_string`, `rk_event_error_is_fatal`.
pub const RK_EVENT_ERROR: c_int = 0x8;
/// Statistics: `rk_event_stats`.
pub const RK_EVENT_STATS: c_int = 0x40;
/// A broker asks the client to hold back: `rk_event_throttle`.
pub const RK_EVENT_THROTTLE: c_int = 0x80;
/// A token is wanted: `rk_event_config_string`, then rk_producer_oauthbearer_set_token or _set_token_failure.
pub const RK_EVENT_OAUTHBEARER_TOKEN_REFRESH: c_int = 0x100;

/// The message was never written to a broker, or a broker refused it.
pub const RK_MSG_STATUS_NOT_PERSISTED: c_int = 0;
/// The message was written to a broker whose answer is not known.
pub const RK_MSG_STATUS_POSSIBLY_PERSISTED: c_int = 1;
/// The message is in the log.
pub const RK_MSG_STATUS_PERSISTED: c_int = 2;

/// There is no timestamp, or it is not known whose it is.
pub const RK_TIMESTAMP_NOT_AVAILABLE: i32 = 0;
/// CreateTime: the message's own, given to produce or taken by it.
pub const RK_TIMESTAMP_CREATE_TIME: i32 = 1;
/// LogAppendTime: the broker's, in a topic with `message.timestamp.type=LogAppendTime`.
pub const RK_TIMESTAMP_LOG_APPEND_TIME: i32 = 2;

/// Result of setting or reading a property.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum rk_conf_res_t {
    /// There is no such property.
    RK_CONF_UNKNOWN = -2,
    /// The value is not valid for it, or the arguments are not.
    RK_CONF_INVALID = -1,
    /// Done.
    RK_CONF_OK = 0,
}

/// A message: its delivery report, and the element of the array forms of produce.
///
/// As a report it is the library's: it and everything it points to are valid until the callback returns, or until the
/// event is destroyed.
///
/// As input (`rk_producer_produce_batch`), zero it first and set payload, len, key, key_len, timestamp_ms, opaque, and
/// topic and partition where the function says so; err is written.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rk_message_t {
    /// RK_RESP_ERR_NO_ERROR if the message was delivered.
    pub err: rk_resp_err_t,
    /// Topic name.
    pub topic: *const c_char,
    /// Partition, or RK_PARTITION_UA if the message failed before it had one.
    pub partition: i32,
    /// Value; NULL is a null value (a tombstone), which an empty value (not NULL, len 0) is not.
    pub payload: *const c_void,
    /// Bytes at payload.
    pub len: usize,
    /// Key, or NULL if it has none.
    pub key: *const c_void,
    /// Bytes at key.
    pub key_len: usize,
    /// Offset in the partition, or RK_OFFSET_INVALID.
    pub offset: i64,
    /// Milliseconds since the epoch: CreateTime, or LogAppendTime where the topic is configured for that. As input, 0 is
    /// now.
    pub timestamp_ms: i64,
    /// The msg_opaque it was produced with.
    pub opaque: *mut c_void,
    /// Microseconds from produce to the arrival of the answer.
    pub latency_us: i64,
    /// What is known of the message's being in the log: one of RK_MSG_STATUS_*.
    pub status: i32,
    /// Private; read with rk_message_headers.
    pub _headers_len: u32,
    /// Private.
    pub _headers: *const c_void,
    /// Whose time timestamp_ms is, in reports and interceptors: one of RK_TIMESTAMP_*.
    pub timestamp_type: i32,
    /// Reserved: zero.
    pub _reserved_int: i32,
    /// Reserved: zero.
    pub _reserved: [u64; 2],
}

impl rk_message_t {
    pub(super) const fn empty() -> rk_message_t {
        rk_message_t {
            err: 0,
            topic: std::ptr::null(),
            partition: RK_PARTITION_UA,
            payload: std::ptr::null(),
            len: 0,
            key: std::ptr::null(),
            key_len: 0,
            offset: RK_OFFSET_INVALID,
            timestamp_ms: 0,
            opaque: std::ptr::null_mut(),
            latency_us: 0,
            status: RK_MSG_STATUS_NOT_PERSISTED,
            _headers_len: 0,
            _headers: std::ptr::null(),
            timestamp_type: RK_TIMESTAMP_NOT_AVAILABLE,
            _reserved_int: 0,
            _reserved: [0; 2],
        }
    }

    /// A template for the reports of a delivery.
    pub(super) fn of(d: &Delivery) -> rk_message_t {
        let mut m = rk_message_t::empty();
        m.topic = d.topic_name().as_ptr();
        m.timestamp_type = if d.has_append_time() { RK_TIMESTAMP_LOG_APPEND_TIME } else { RK_TIMESTAMP_CREATE_TIME };
        if let Some((err, partition, status)) = d.common() {
            m.set_fate(err, partition, status);
        }
        m
    }

    #[inline(always)]
    fn set_fate(&mut self, err: RespErr, partition: i32, status: Status) {
        self.err = err.0;
        self.partition = partition;
        self.status = status as i32;
    }

    /// Sets all that may differ between the reports of a delivery.
    #[inline(always)]
    pub(super) fn set(&mut self, r: &Report<'_>) {
        self.set_fate(r.err, r.partition, r.status);
        self.set_record(r);
    }

    /// Sets what differs where the reports have a fate in common. The walk over reports spends its time here.
    #[inline(always)]
    pub(super) fn set_record(&mut self, r: &Report<'_>) {
        self.offset = r.offset;
        self.timestamp_ms = r.timestamp_ms;
        self.opaque = r.opaque as *mut c_void;
        self.latency_us = r.latency_us;
        self.set_bytes(r.payload, r.key, r.raw_headers);
    }

    #[inline(always)]
    pub(super) fn set_bytes(&mut self, payload: Option<&[u8]>, key: Option<&[u8]>, raw_headers: &[u8]) {
        let raw = |field: Option<&[u8]>| field.map_or((std::ptr::null(), 0), |b| (b.as_ptr().cast(), b.len()));
        (self.payload, self.len) = raw(payload);
        (self.key, self.key_len) = raw(key);
        self._headers = raw_headers.as_ptr().cast();
        self._headers_len = raw_headers.len() as u32;
    }
}

/// Takes a delivery report. `message` is valid until the callback returns; `opaque` is that of rk_conf_set_opaque.
pub type rk_dr_msg_cb_t =
    Option<unsafe extern "C" fn(rk: *mut rk_producer_t, message: *const rk_message_t, opaque: *mut c_void)>;

/// Takes delivery reports of one partition, in order; `messages` is valid until the callback returns. A large batch may
/// come in several calls.
pub type rk_dr_batch_cb_t = Option<
    unsafe extern "C" fn(rk: *mut rk_producer_t, messages: *const rk_message_t, count: usize, opaque: *mut c_void),
>;

/// Takes an error of the client as a whole. Most are for information: the client recovers by itself. After
/// RK_RESP_ERR__FATAL it does not; see rk_producer_fatal_error.
pub type rk_error_cb_t = Option<
    unsafe extern "C" fn(rk: *mut rk_producer_t, err: rk_resp_err_t, reason: *const c_char, opaque: *mut c_void),
>;

/// Takes a log line: level as syslog's (0 emergency to 7 debug), facility, text. Unless `log.queue=true`, it is called at
/// once, on any thread, also while produce runs; `rk` is NULL until rk_producer_new has returned. It must not call the
/// library then, except for rk_producer_name.
pub type rk_log_cb_t = Option<
    unsafe extern "C" fn(
        rk: *mut rk_producer_t,
        level: c_int,
        facility: *const c_char,
        text: *const c_char,
        opaque: *mut c_void,
    ),
>;

/// Takes the statistics document (JSON, `json_len` bytes and a NUL) every `statistics.interval.ms`.
pub type rk_stats_cb_t =
    Option<unsafe extern "C" fn(rk: *mut rk_producer_t, json: *const c_char, json_len: usize, opaque: *mut c_void)>;

/// Is asked for a token of the SASL mechanism OAUTHBEARER. `oauthbearer_config` is the property `sasl.oauthbearer.config`.
pub type rk_oauthbearer_token_refresh_cb_t =
    Option<unsafe extern "C" fn(rk: *mut rk_producer_t, oauthbearer_config: *const c_char, opaque: *mut c_void)>;

/// Is told that a broker asked the client to hold back for `throttle_ms`.
pub type rk_throttle_cb_t = Option<
    unsafe extern "C" fn(
        rk: *mut rk_producer_t,
        broker_name: *const c_char,
        broker_id: i32,
        throttle_ms: c_int,
        opaque: *mut c_void,
    ),
>;

/// What a partitioner callback is given. Valid until it returns.
#[repr(C)]
pub struct rk_partitioner_args_t {
    /// Topic name.
    pub topic: *const c_char,
    /// Key, or NULL.
    pub key: *const c_void,
    /// Bytes at key.
    pub key_len: usize,
    /// Partitions that the topic has.
    pub partition_cnt: i32,
    /// The msg_opaque of the message.
    pub msg_opaque: *mut c_void,
    /// Private; ask rk_partitioner_available.
    pub _available: *const c_void,
}

/// Chooses the partition of a message, 0 to partition_cnt − 1; other numbers fail the message with
/// RK_RESP_ERR__UNKNOWN_PARTITION. It is called on producing threads within produce, and on a thread of the library for
/// messages that were produced before the topic was known, so it must be thread-safe, and quick. It must not call the
/// library, except for rk_partitioner_available.
pub type rk_partitioner_cb_t =
    Option<unsafe extern "C" fn(args: *const rk_partitioner_args_t, opaque: *mut c_void) -> i32>;

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{offset_of, size_of};

    /// The ABI on 64-bit systems: programs compiled against an older header must find every field.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn message_layout_is_fixed() {
        assert_eq!(size_of::<rk_message_t>(), 128);
        assert_eq!(offset_of!(rk_message_t, topic), 8);
        assert_eq!(offset_of!(rk_message_t, payload), 24);
        assert_eq!(offset_of!(rk_message_t, offset), 56);
        assert_eq!(offset_of!(rk_message_t, latency_us), 80);
        assert_eq!(offset_of!(rk_message_t, status), 88);
        assert_eq!(offset_of!(rk_message_t, _headers), 96);
        assert_eq!(offset_of!(rk_message_t, timestamp_type), 104);
    }

    #[test]
    fn reports_tell_whose_time_they_bear() {
        use crate::ffi::*;
        use crate::mock::{MockCluster, Options};

        unsafe extern "C" fn on_report(_: *mut rk_producer_t, m: *const rk_message_t, opaque: *mut c_void) {
            // SAFETY: the message is the library's; the opaque is the list below.
            let (m, seen) = unsafe { (&*m, &mut *opaque.cast::<Vec<(rk_resp_err_t, i32, bool)>>()) };
            seen.push((m.err, m.timestamp_type, m.timestamp_ms == 1));
        }
        for log_append_time in [false, true] {
            let cluster = MockCluster::new(1, Options { log_append_time, ..Options::default() }).expect("a cluster");
            let bootstrap = std::ffi::CString::new(cluster.bootstrap()).unwrap();
            let mut seen: Vec<(rk_resp_err_t, i32, bool)> = Vec::new();
            // SAFETY: handles are alive, `seen` outlives the producer.
            unsafe {
                let conf = rk_conf_new();
                let name = c"bootstrap.servers".as_ptr();
                assert_eq!(
                    rk_conf_set(conf, name, bootstrap.as_ptr(), std::ptr::null_mut(), 0),
                    rk_conf_res_t::RK_CONF_OK
                );
                rk_conf_set_opaque(conf, (&raw mut seen).cast());
                rk_conf_set_dr_msg_cb(conf, Some(on_report));
                let rk = rk_producer_new(conf, std::ptr::null_mut(), 0);
                let value = c"v".as_ptr().cast();
                assert_eq!(
                    rk_producer_produce(
                        rk,
                        c"t".as_ptr(),
                        0,
                        0,
                        value,
                        1,
                        std::ptr::null(),
                        0,
                        1,
                        std::ptr::null_mut()
                    ),
                    0
                );
                assert_eq!(rk_producer_flush(rk, 30_000), 0);
                rk_producer_destroy(rk);
            }
            let kind = if log_append_time { RK_TIMESTAMP_LOG_APPEND_TIME } else { RK_TIMESTAMP_CREATE_TIME };
            assert_eq!(seen, [(0, kind, !log_append_time)]);
        }
    }
}
