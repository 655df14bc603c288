//! `rk_mock_*`: TLS, SASL and transactions of the embedded cluster.

use super::guard::{guard, live, put_text, text};
use super::mock::{foreach_record, rk_mock_cluster_t, rk_mock_message_cb_t};
use super::producer::code;
use super::types::rk_resp_err_t;
use crate::error::RespErr;
use std::ffi::{c_char, c_int, c_void};

/// Lets the brokers speak TLS, with a certificate (and those that lead to its CA) and its key, as PEM texts. With
/// `client_ca_pem`, clients must show a certificate that one of these CAs has signed; NULL: none is asked for. Connections that
/// stand stay as they are. RK_RESP_ERR__INVALID_ARG, with a text, if the PEM cannot be used.
///
/// # Safety
/// `cluster` is NULL or a live cluster; the texts are NULL or C strings; `errstr` is NULL or has `errstr_size` bytes.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_set_tls(
    cluster: *mut rk_mock_cluster_t,
    certificate_pem: *const c_char,
    key_pem: *const c_char,
    client_ca_pem: *const c_char,
    errstr: *mut c_char,
    errstr_size: usize,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let fail = |why: &str| {
            // SAFETY: by contract.
            unsafe { put_text(errstr, errstr_size, why) };
            RespErr::ERR__INVALID_ARG.0
        };
        let c = live!(cluster, fail("no cluster given"));
        // SAFETY: by contract.
        let (certificate, key, ca) = unsafe { (text(certificate_pem), text(key_pem), text(client_ca_pem)) };
        let (Some(certificate), Some(key)) = (certificate, key) else { return fail("no certificate or no key given") };
        match c.cluster.security().with_tls(certificate, key, ca) {
            Ok(security) => {
                c.cluster.set_security(security);
                RespErr::NO_ERROR.0
            }
            Err(why) => fail(&why),
        }
    })
}

/// Lets the brokers ask for SASL by these mechanisms, names separated by commas: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512,
/// OAUTHBEARER (tokens without a signature). Empty or NULL: no SASL. Sessions end after `session_lifetime_ms`, or never (0).
/// RK_RESP_ERR__INVALID_ARG for mechanisms that are not there.
///
/// # Safety
/// `cluster` is NULL or a live cluster; `mechanisms` is NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_set_sasl(
    cluster: *mut rk_mock_cluster_t,
    mechanisms: *const c_char,
    session_lifetime_ms: i64,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let c = live!(cluster, RespErr::ERR__INVALID_ARG.0);
        // SAFETY: by contract.
        let names = unsafe { text(mechanisms) }.unwrap_or_default();
        let names: Vec<&str> = names.split(',').map(str::trim).filter(|n| !n.is_empty()).collect();
        match c.cluster.security().without_sasl().with_sasl(&names) {
            Ok(security) => {
                c.cluster.set_security(security.with_session_lifetime(session_lifetime_ms));
                RespErr::NO_ERROR.0
            }
            Err(_) => RespErr::ERR__INVALID_ARG.0,
        }
    })
}

/// Adds a user of PLAIN and SCRAM, or gives it another password. If there is any user, tokens must be for one, too.
///
/// # Safety
/// `cluster` is NULL or a live cluster; `name` and `password` are NULL or C strings.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_set_user(
    cluster: *mut rk_mock_cluster_t,
    name: *const c_char,
    password: *const c_char,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let c = live!(cluster, RespErr::ERR__INVALID_ARG.0);
        // SAFETY: by contract.
        let (Some(name), Some(password)) = (unsafe { text(name) }, unsafe { text(password) }) else {
            return RespErr::ERR__INVALID_ARG.0;
        };
        c.cluster.set_security(c.cluster.security().with_user(name, password));
        RespErr::NO_ERROR.0
    })
}

/// Finalizes the feature `transaction.version`: 0, 1 or 2, as rules of transactions that clients must keep (KIP-890).
///
/// # Safety
/// `cluster` is NULL or a live cluster.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_set_transaction_version(
    cluster: *mut rk_mock_cluster_t,
    version: c_int,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let c = live!(cluster, RespErr::ERR__INVALID_ARG.0);
        match i16::try_from(version) {
            Ok(version @ 0..=2) => {
                c.cluster.set_transaction_version(version);
                RespErr::NO_ERROR.0
            }
            _ => RespErr::ERR__INVALID_ARG.0,
        }
    })
}

/// Makes a broker the coordinator of a transactional id; the others answer NOT_COORDINATOR.
///
/// # Safety
/// `cluster` is NULL or a live cluster; `transactional_id` is NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_transaction_set_coordinator(
    cluster: *mut rk_mock_cluster_t,
    transactional_id: *const c_char,
    broker_id: i32,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let c = live!(cluster, RespErr::ERR__INVALID_ARG.0);
        // SAFETY: by contract.
        let Some(id) = (unsafe { text(transactional_id) }) else { return RespErr::ERR__INVALID_ARG.0 };
        code(c.cluster.move_transaction_coordinator(id, broker_id))
    })
}

/// The offset that a consumer group has committed for a partition, as rk_producer_send_offsets_to_transaction does; RK_OFFSET_INVALID if
/// there is none.
///
/// # Safety
/// `cluster` is NULL or a live cluster; `group` and `topic` are NULL or C strings.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_group_committed_offset(
    cluster: *const rk_mock_cluster_t,
    group: *const c_char,
    topic: *const c_char,
    partition: i32,
) -> i64 {
    guard!(crate::client::OFFSET_INVALID, {
        let c = live!(cluster, crate::client::OFFSET_INVALID);
        // SAFETY: by contract.
        let (Some(group), Some(topic)) = (unsafe { text(group) }, unsafe { text(topic) }) else {
            return crate::client::OFFSET_INVALID;
        };
        c.cluster.committed_offset(group, topic, partition).unwrap_or(crate::client::OFFSET_INVALID)
    })
}

/// As rk_mock_partition_foreach, but for the messages alone that a consumer with `isolation.level=read_committed` gets.
///
/// # Safety
/// As rk_mock_partition_foreach.
#[no_mangle]
pub unsafe extern "C" fn rk_mock_partition_foreach_committed(
    cluster: *const rk_mock_cluster_t,
    topic: *const c_char,
    partition: i32,
    cb: rk_mock_message_cb_t,
    opaque: *mut c_void,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let c = live!(cluster, RespErr::ERR__INVALID_ARG.0);
        // SAFETY: by contract.
        let Some(name) = (unsafe { text(topic) }) else { return RespErr::ERR__INVALID_ARG.0 };
        // SAFETY: by contract.
        unsafe { foreach_record(c.cluster.committed_records(name, partition), topic, partition, cb, opaque) }
    })
}
