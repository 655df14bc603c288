//! SASL credentials given by the application while the producer runs: `rk_producer_oauthbearer_*`, tokens of the mechanism
//! OAUTHBEARER, and `rk_producer_set_sasl_credentials`.

use super::conf::rk_conf_t;
use super::guard::{guard, live_here, live_mut, put_text, text};
use super::producer::rk_producer_t;
use super::types::*;
use crate::client::MADE_BEFORE_FORK;
use crate::error::RespErr;
use std::ffi::c_char;

/// Sets the callback that gets tokens for the SASL mechanism OAUTHBEARER, called like that for delivery reports: at first
/// soon after the producer was made, then when four fifths of a token's lifetime are over, and ten seconds after a
/// failure. It must lead to rk_producer_oauthbearer_set_token or rk_producer_oauthbearer_set_token_failure, at once or
/// later, on any thread. Until there is a token, no broker is connected to. Not used with
/// `enable.sasl.oauthbearer.unsecure.jwt`, `sasl.oauthbearer.method=oidc` and AWS_MSK_IAM.
///
/// # Safety
/// `conf` is NULL or a live configuration; `cb` can be called as its type says for as long as the producer lives.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_set_oauthbearer_token_refresh_cb(
    conf: *mut rk_conf_t,
    cb: rk_oauthbearer_token_refresh_cb_t,
) {
    guard!((), { live_mut!(conf).callbacks.token_refresh = cb })
}

/// Gives the producer a token. Connections made from now on, and sessions that are renewed, use it.
///
/// `md_lifetime_ms` is when it expires, in milliseconds since the epoch. `extensions` are `extension_size` strings, names
/// and values in turn (KIP-342), or NULL. Everything is copied.
///
/// Returns RK_RESP_ERR_NO_ERROR; RK_RESP_ERR__INVALID_ARG if token, time or an extension cannot be, with a text that says
/// why; RK_RESP_ERR__STATE if the producer's settings ask for no tokens.
///
/// # Safety
/// `rk` is NULL or a live producer; the strings are NULL or C strings; `extensions` is NULL or an array of
/// `extension_size` such pointers; `errstr` is NULL or has `errstr_size` bytes.
#[no_mangle]
#[allow(clippy::too_many_arguments)]
pub unsafe extern "C" fn rk_producer_oauthbearer_set_token(
    rk: *mut rk_producer_t,
    token_value: *const c_char,
    md_lifetime_ms: i64,
    md_principal_name: *const c_char,
    extensions: *const *const c_char,
    extension_size: usize,
    errstr: *mut c_char,
    errstr_size: usize,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let fail = |code: RespErr, why: &str| {
            // SAFETY: by contract.
            unsafe { put_text(errstr, errstr_size, why) };
            code.0
        };
        let invalid = |why: &str| fail(RespErr::ERR__INVALID_ARG, why);
        let p = live_here!(rk, invalid("no producer given"), fail(RespErr::ERR__STATE, MADE_BEFORE_FORK));
        // SAFETY: by contract.
        let (value, principal) = unsafe { (text(token_value), text(md_principal_name)) };
        let (Some(value), Some(principal)) = (value, principal) else {
            return invalid("token and principal must be UTF-8 strings, not NULL");
        };
        if !extension_size.is_multiple_of(2) || extension_size > MAX_EXTENSIONS {
            return invalid(
                "extensions are names and values in turn, so their number is even; at most 128 pairs are possible",
            );
        }
        let mut list = Vec::new();
        if !extensions.is_null() {
            // SAFETY: by contract, an array of that many pointers to strings.
            let strings: Vec<Option<&str>> =
                unsafe { std::slice::from_raw_parts(extensions, extension_size).iter().map(|s| text(*s)).collect() };
            for pair in strings.chunks_exact(2) {
                let [Some(name), Some(content)] = pair else {
                    return invalid("extensions must be UTF-8 strings, not NULL");
                };
                list.push(((*name).to_owned(), (*content).to_owned()));
            }
        }
        match p.inner.client.set_token(value, md_lifetime_ms, principal, list) {
            Ok(()) => RespErr::NO_ERROR.0,
            Err((code, why)) => fail(code, &why),
        }
    })
}

/// Names and values taken by rk_producer_oauthbearer_set_token.
const MAX_EXTENSIONS: usize = 256;

/// Tells the producer that a token could not be got. An error event (RK_RESP_ERR__AUTHENTICATION) says so, and the refresh
/// callback is called again ten seconds later.
///
/// Returns RK_RESP_ERR_NO_ERROR; RK_RESP_ERR__INVALID_ARG if `errstr` is NULL or empty; RK_RESP_ERR__STATE if the
/// producer's settings ask for no tokens.
///
/// # Safety
/// `rk` is NULL or a live producer; `errstr` is NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_oauthbearer_set_token_failure(
    rk: *mut rk_producer_t,
    errstr: *const c_char,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let p = live_here!(rk, RespErr::ERR__INVALID_ARG.0, RespErr::ERR__STATE.0);
        // SAFETY: by contract.
        let why = unsafe { text(errstr) }.unwrap_or_default();
        p.inner.client.set_token_failure(why).map_or_else(|e| e.0, |()| RespErr::NO_ERROR.0)
    })
}

/// Replaces `sasl.username` and `sasl.password` for the mechanisms PLAIN and SCRAM: they are used from the next
/// authentication on, and connections that are up stay up. Both are copied, the password into memory that is wiped.
///
/// Returns RK_RESP_ERR_NO_ERROR; RK_RESP_ERR__INVALID_ARG if one is NULL or not UTF-8, with nothing changed. Thread-safe.
///
/// # Safety
/// `rk` is NULL or a live producer; the strings are NULL or C strings.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_set_sasl_credentials(
    rk: *mut rk_producer_t,
    username: *const c_char,
    password: *const c_char,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let p = live_here!(rk, RespErr::ERR__INVALID_ARG.0, RespErr::ERR__STATE.0);
        // SAFETY: by contract.
        let (username, password) = unsafe { (text(username), text(password)) };
        let (Some(username), Some(password)) = (username, password) else {
            return RespErr::ERR__INVALID_ARG.0;
        };
        p.inner.client.set_sasl_credentials(username, password);
        RespErr::NO_ERROR.0
    })
}
