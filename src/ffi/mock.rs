//! `rk_mock_*`: the embedded cluster, to test against.

use super::guard::{guard, live, put_text, text};
use super::handle::{give, handle, take, Lent};
use super::producer::code;
use super::types::*;
use crate::client::Headers;
use crate::error::RespErr;
use crate::mock::{MockCluster, MockRecord, Options};
use std::ffi::{c_char, c_int, c_void, CString};
use std::sync::Arc;

/// An embedded Kafka cluster: brokers 1 to n on loopback sockets, in threads of this process, everything in memory.
/// Thread-safe.
pub struct rk_mock_cluster_t {
    pub(super) cluster: Arc<MockCluster>,
    bootstraps: CString,
    /// Belongs to a producer.
    borrowed: bool,
}
handle!(rk_mock_cluster_t, b'm', OF_PROCESS, ONLY_THERE);

impl rk_mock_cluster_t {
    fn new(cluster: Arc<MockCluster>, borrowed: bool) -> rk_mock_cluster_t {
        let bootstraps = super::dispatch::c_text(&cluster.bootstrap());
        rk_mock_cluster_t { cluster, bootstraps, borrowed }
    }

    pub(super) fn lend(cluster: Arc<MockCluster>) -> Lent<rk_mock_cluster_t> {
        Lent(give(rk_mock_cluster_t::new(cluster, true)))
    }
}

/// Takes a message of a partition's log. It is valid until the callback returns.
pub type rk_mock_message_cb_t = Option<unsafe extern "C" fn(message: *const rk_message_t, opaque: *mut c_void)>;

/// A topic's name among an export's arguments.
macro_rules! topic {
    ($name:expr) => {
        // SAFETY: by the export's contract: NULL or a C string.
        match unsafe { text($name) } {
            Some(name) => name,
            None => return RespErr::ERR__INVALID_ARG.0,
        }
    };
}

/// Error codes as they are on the wire; `None` if one is none of a broker's, or for NULL with a count.
///
/// # Safety
/// `errors` is NULL or has `count` codes.
unsafe fn wire_errors(errors: *const rk_resp_err_t, count: usize) -> Option<Vec<i16>> {
    if count > 0 && errors.is_null() || count > 1 << 20 {
        return None;
    }
    // SAFETY: by contract.
    (0..count).map(|i| i16::try_from(unsafe { *errors.add(i) }).ok()).collect()
}

/// Starts an embedded cluster of 1 to 1000 brokers. Topics are created when they are first used, with four partitions. NULL
/// on failure, with the reason in `errstr`. A producer that sets `test.mock.num.brokers` has one of its own instead.
///
/// # Safety
/// `errstr` is NULL or has `errstr_size` bytes.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_cluster_new(
    broker_cnt: c_int,
    errstr: *mut c_char,
    errstr_size: usize,
) -> *mut rk_mock_cluster_t {
    guard!(std::ptr::null_mut(), {
        match MockCluster::new(broker_cnt, Options::default()) {
            Ok(cluster) => give(rk_mock_cluster_t::new(cluster, false)),
            Err(why) => {
                // SAFETY: by contract.
                unsafe { put_text(errstr, errstr_size, &why) };
                std::ptr::null_mut()
            }
        }
    })
}

/// Stops a cluster and forgets everything in it. Does nothing to one that belongs to a producer. NULL is fine.
///
/// # Safety
/// `cluster` is NULL or a live cluster; it is gone afterwards.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_cluster_destroy(cluster: *mut rk_mock_cluster_t) {
    guard!((), {
        if live!(cluster).borrowed {
            return;
        }
        // SAFETY: by contract, and it came from rk_mock_cluster_new.
        drop(unsafe { take(cluster) });
    })
}

/// What to set `bootstrap.servers` to. Lives as long as the cluster.
///
/// # Safety
/// `cluster` is NULL or a live cluster.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_cluster_bootstraps(cluster: *const rk_mock_cluster_t) -> *const c_char {
    guard!(std::ptr::null(), { live!(cluster, std::ptr::null()).bootstraps.as_ptr() })
}

/// Creates a topic; −1 stands for the default count of partitions (4) or replicas (as many as brokers, up to 3).
///
/// # Safety
/// `cluster` is NULL or a live cluster; `topic` is NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_topic_create(
    cluster: *mut rk_mock_cluster_t,
    topic: *const c_char,
    partition_cnt: c_int,
    replication_factor: c_int,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let c = live!(cluster, RespErr::ERR__INVALID_ARG.0);
        let topic = topic!(topic);
        let Ok(replicas) = i16::try_from(replication_factor) else { return RespErr::ERR__INVALID_ARG.0 };
        code(c.cluster.create_topic(topic, partition_cnt, replicas))
    })
}

/// Deletes a topic with its messages.
///
/// # Safety
/// `cluster` is NULL or a live cluster; `topic` is NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_topic_delete(cluster: *mut rk_mock_cluster_t, topic: *const c_char) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let c = live!(cluster, RespErr::ERR__INVALID_ARG.0);
        code(c.cluster.delete_topic(topic!(topic)))
    })
}

/// Lets a topic grow to so many partitions; it is created if it does not exist.
///
/// # Safety
/// `cluster` is NULL or a live cluster; `topic` is NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_topic_set_partition_cnt(
    cluster: *mut rk_mock_cluster_t,
    topic: *const c_char,
    partition_cnt: c_int,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let c = live!(cluster, RespErr::ERR__INVALID_ARG.0);
        code(c.cluster.set_partition_count(topic!(topic), partition_cnt))
    })
}

/// Makes another broker the leader of a partition (−1: none).
///
/// # Safety
/// `cluster` is NULL or a live cluster; `topic` is NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_partition_set_leader(
    cluster: *mut rk_mock_cluster_t,
    topic: *const c_char,
    partition: i32,
    broker_id: i32,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let c = live!(cluster, RespErr::ERR__INVALID_ARG.0);
        code(c.cluster.set_partition_leader(topic!(topic), partition, broker_id))
    })
}

/// The offset that the partition's next message will get, which is how many there were; negative is an error code.
///
/// # Safety
/// `cluster` is NULL or a live cluster; `topic` is NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_partition_end_offset(
    cluster: *const rk_mock_cluster_t,
    topic: *const c_char,
    partition: i32,
) -> i64 {
    guard!(i64::from(RespErr::ERR__FAIL.0), {
        let c = live!(cluster, i64::from(RespErr::ERR__INVALID_ARG.0));
        // SAFETY: by contract.
        let Some(topic) = (unsafe { text(topic) }) else { return i64::from(RespErr::ERR__INVALID_ARG.0) };
        // Brokers' codes are positive; here they must not look like offsets.
        c.cluster.high_watermark(topic, partition).unwrap_or_else(|e| -i64::from(e.0.abs()))
    })
}

/// Calls `cb` for each message in a partition's log, in order, with topic, partition, payload, key, offset, timestamp_ms
/// and headers.
///
/// # Safety
/// `cluster` is NULL or a live cluster; `topic` is NULL or a C string; `cb` can be called as its type says.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_partition_foreach(
    cluster: *const rk_mock_cluster_t,
    topic: *const c_char,
    partition: i32,
    cb: rk_mock_message_cb_t,
    opaque: *mut c_void,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let c = live!(cluster, RespErr::ERR__INVALID_ARG.0);
        let name = topic!(topic);
        // SAFETY: by contract.
        unsafe { foreach_record(c.cluster.log_records(name, partition), topic, partition, cb, opaque) }
    })
}

/// Hands records to a callback.
///
/// # Safety
/// As rk_mock_partition_foreach.
pub(super) unsafe fn foreach_record(
    records: Result<Vec<MockRecord>, RespErr>,
    topic: *const c_char,
    partition: i32,
    cb: rk_mock_message_cb_t,
    opaque: *mut c_void,
) -> rk_resp_err_t {
    let Some(call) = cb else { return RespErr::ERR__INVALID_ARG.0 };
    let records = match records {
        Ok(records) => records,
        Err(e) => return e.0,
    };
    for r in &records {
        let headers = wire_headers(r);
        let mut m = rk_message_t::empty();
        (m.topic, m.partition, m.offset, m.timestamp_ms) = (topic, partition, r.offset, r.timestamp);
        m.status = RK_MSG_STATUS_PERSISTED;
        m.set_bytes(r.value.as_deref(), r.key.as_deref(), headers.wire());
        // SAFETY: the application's function, called as its type says; the message lives until it returns.
        unsafe { call(&m, opaque) };
    }
    RespErr::NO_ERROR.0
}

fn wire_headers(r: &MockRecord) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in &r.headers {
        headers.add(name.as_bytes(), value.as_deref());
    }
    headers
}

/// Takes a broker down: connections are cut, new ones refused. −1 is all brokers.
///
/// # Safety
/// `cluster` is NULL or a live cluster.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_broker_set_down(cluster: *mut rk_mock_cluster_t, broker_id: i32) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, { code(live!(cluster, RespErr::ERR__INVALID_ARG.0).cluster.broker_down(broker_id)) })
}

/// Takes a broker up again, on the same address. −1 is all brokers.
///
/// # Safety
/// `cluster` is NULL or a live cluster.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_broker_set_up(cluster: *mut rk_mock_cluster_t, broker_id: i32) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, { code(live!(cluster, RespErr::ERR__INVALID_ARG.0).cluster.broker_up(broker_id)) })
}

/// Delays every answer of a broker by so many milliseconds. −1 is all brokers.
///
/// # Safety
/// `cluster` is NULL or a live cluster.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_broker_set_rtt(
    cluster: *mut rk_mock_cluster_t,
    broker_id: i32,
    rtt_ms: c_int,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        code(live!(cluster, RespErr::ERR__INVALID_ARG.0).cluster.set_rtt(broker_id, rtt_ms))
    })
}

/// Cuts the connections of a broker, which stays up. −1 is all brokers.
///
/// # Safety
/// `cluster` is NULL or a live cluster.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_broker_drop_connections(
    cluster: *mut rk_mock_cluster_t,
    broker_id: i32,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        code(live!(cluster, RespErr::ERR__INVALID_ARG.0).cluster.drop_connections(broker_id))
    })
}

/// Lets a broker read and answer nothing, with its connections open (`frozen` 1), or go on (0). −1 is all brokers.
///
/// # Safety
/// `cluster` is NULL or a live cluster.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_broker_set_frozen(
    cluster: *mut rk_mock_cluster_t,
    broker_id: i32,
    frozen: c_int,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let c = &live!(cluster, RespErr::ERR__INVALID_ARG.0).cluster;
        code(if frozen != 0 { c.freeze(broker_id) } else { c.unfreeze(broker_id) })
    })
}

/// Lets a broker carry out requests and keep their answers back (`held` 1), or send them (0). −1 is all brokers.
///
/// # Safety
/// `cluster` is NULL or a live cluster.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_broker_hold_responses(
    cluster: *mut rk_mock_cluster_t,
    broker_id: i32,
    held: c_int,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let c = &live!(cluster, RespErr::ERR__INVALID_ARG.0).cluster;
        code(if held != 0 { c.hold_responses(broker_id) } else { c.release_responses(broker_id) })
    })
}

/// Open connections of a broker.
///
/// # Safety
/// `cluster` is NULL or a live cluster.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_broker_connection_cnt(cluster: *const rk_mock_cluster_t, broker_id: i32) -> usize {
    guard!(0, { live!(cluster, 0).cluster.connection_count(broker_id) })
}

/// The next `count` requests of an API (0 is Produce, 3 Metadata) get these errors, one each, and nothing else happens.
/// RK_RESP_ERR__TRANSPORT cuts the connection instead, RK_RESP_ERR__TIMED_OUT never answers, RK_RESP_ERR_NO_ERROR lets one
/// pass.
///
/// # Safety
/// `cluster` is NULL or a live cluster; `errors` is NULL or has `count` codes.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_push_request_errors(
    cluster: *mut rk_mock_cluster_t,
    api_key: i16,
    errors: *const rk_resp_err_t,
    count: usize,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let c = live!(cluster, RespErr::ERR__INVALID_ARG.0);
        // SAFETY: by contract.
        let Some(errors) = (unsafe { wire_errors(errors, count) }) else { return RespErr::ERR__INVALID_ARG.0 };
        c.cluster.push_request_errors(api_key, &errors);
        RespErr::NO_ERROR.0
    })
}

/// As rk_mock_push_request_errors, but for one partition in requests that name it, the others being served.
///
/// # Safety
/// `cluster` is NULL or a live cluster; `topic` is NULL or a C string; `errors` is NULL or has `count` codes.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_partition_push_request_errors(
    cluster: *mut rk_mock_cluster_t,
    topic: *const c_char,
    partition: i32,
    api_key: i16,
    errors: *const rk_resp_err_t,
    count: usize,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let c = live!(cluster, RespErr::ERR__INVALID_ARG.0);
        let topic = topic!(topic);
        // SAFETY: by contract.
        let Some(errors) = (unsafe { wire_errors(errors, count) }) else { return RespErr::ERR__INVALID_ARG.0 };
        code(c.cluster.push_partition_request_errors(topic, partition, api_key, &errors))
    })
}

/// Takes back the errors pushed for an API that have not struck yet.
///
/// # Safety
/// `cluster` is NULL or a live cluster.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_clear_request_errors(cluster: *mut rk_mock_cluster_t, api_key: i16) {
    guard!((), { live!(cluster).cluster.clear_request_errors(api_key) })
}

/// The next request of an API is carried out, `bytes` of its answer are sent, and the connection is cut.
///
/// # Safety
/// `cluster` is NULL or a live cluster.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_drop_connection_mid_response(
    cluster: *mut rk_mock_cluster_t,
    api_key: i16,
    bytes: usize,
) {
    guard!((), { live!(cluster).cluster.drop_connection_mid_response(api_key, bytes) })
}

/// Answers of an API say that the client is throttled for so many milliseconds; 0 ends it.
///
/// # Safety
/// `cluster` is NULL or a live cluster.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_throttle(cluster: *mut rk_mock_cluster_t, api_key: i16, throttle_ms: c_int) {
    guard!((), { live!(cluster).cluster.throttle(api_key, throttle_ms) })
}

/// Offers only these versions of an API, as far as the cluster has them; min > max takes the API away.
///
/// # Safety
/// `cluster` is NULL or a live cluster.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_set_api_versions(
    cluster: *mut rk_mock_cluster_t,
    api_key: i16,
    min_version: i16,
    max_version: i16,
) {
    guard!((), { live!(cluster).cluster.set_api_version_range(api_key, min_version, max_version) })
}

/// Offers the API versions of a release of Apache Kafka, for example "0.11", or "newest" for everything.
/// RK_RESP_ERR__INVALID_ARG if it is not known.
///
/// # Safety
/// `cluster` is NULL or a live cluster; `release` is NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_set_release(cluster: *mut rk_mock_cluster_t, release: *const c_char) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let c = live!(cluster, RespErr::ERR__INVALID_ARG.0);
        // SAFETY: by contract.
        match unsafe { text(release) } {
            Some(release) if c.cluster.set_profile(release) => RespErr::NO_ERROR.0,
            _ => RespErr::ERR__INVALID_ARG.0,
        }
    })
}

/// Requests of an API that have come so far.
///
/// # Safety
/// `cluster` is NULL or a live cluster.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_request_cnt(cluster: *const rk_mock_cluster_t, api_key: i16) -> u64 {
    guard!(0, { live!(cluster, 0).cluster.request_count(api_key) })
}
