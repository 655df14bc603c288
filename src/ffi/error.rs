//! `rk_error_*`: errors that tell more than a code.

use super::guard::{guard, live};
use super::handle::{give, handle, take};
use super::types::*;
use crate::error::{Error, RespErr};
use std::ffi::{c_char, c_int, CString};

/// Why a call failed, and what may be done about it. Immutable, so any thread may read it; freed by rk_error_destroy.
pub struct rk_error_t {
    error: Error,
    text: CString,
}
handle!(rk_error_t, b'x');

impl rk_error_t {
    pub(super) fn give(error: Error) -> *mut rk_error_t {
        let text = if error.text().is_empty() { error.code().description() } else { error.text() };
        let text = CString::new(text.replace('\0', " ")).unwrap_or_default();
        give(rk_error_t { error, text })
    }

    /// NULL for success.
    pub(super) fn of(result: Result<(), Error>) -> *mut rk_error_t {
        result.map_or_else(rk_error_t::give, |()| std::ptr::null_mut())
    }
}

/// The code; RK_RESP_ERR_NO_ERROR for NULL.
///
/// # Safety
/// `error` is NULL or a live error.
#[no_mangle]
pub unsafe extern "C" fn rk_error_code(error: *const rk_error_t) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, { live!(error, RespErr::NO_ERROR.0).error.code().0 })
}

/// The code's name, for example `_FENCED`; empty for NULL. It lives for ever.
///
/// # Safety
/// `error` is NULL or a live error.
#[no_mangle]
pub unsafe extern "C" fn rk_error_name(error: *const rk_error_t) -> *const c_char {
    guard!(c"".as_ptr(), { live!(error, c"".as_ptr()).error.code().name_cstr().as_ptr() })
}

/// The text for people; empty for NULL. It belongs to the error.
///
/// # Safety
/// `error` is NULL or a live error.
#[no_mangle]
pub unsafe extern "C" fn rk_error_string(error: *const rk_error_t) -> *const c_char {
    guard!(c"".as_ptr(), { live!(error, c"".as_ptr()).text.as_ptr() })
}

/// 1 if the client cannot go on: close it.
///
/// # Safety
/// `error` is NULL or a live error.
#[no_mangle]
pub unsafe extern "C" fn rk_error_is_fatal(error: *const rk_error_t) -> c_int {
    guard!(0, { c_int::from(live!(error, 0).error.is_fatal()) })
}

/// 1 if the same call may be made again, and then goes on where it was.
///
/// # Safety
/// `error` is NULL or a live error.
#[no_mangle]
pub unsafe extern "C" fn rk_error_is_retriable(error: *const rk_error_t) -> c_int {
    guard!(0, { c_int::from(live!(error, 0).error.is_retriable()) })
}

/// 1 if the transaction must be aborted (rk_producer_abort_transaction), after which the next one can begin.
///
/// # Safety
/// `error` is NULL or a live error.
#[no_mangle]
pub unsafe extern "C" fn rk_error_txn_requires_abort(error: *const rk_error_t) -> c_int {
    guard!(0, { c_int::from(live!(error, 0).error.requires_abort()) })
}

/// Frees an error. NULL is fine.
///
/// # Safety
/// `error` is NULL or a live error; it is gone afterwards.
#[no_mangle]
pub unsafe extern "C" fn rk_error_destroy(error: *mut rk_error_t) {
    guard!((), {
        // SAFETY: by contract.
        drop(unsafe { take(error) });
    })
}
