//! Versions, and the texts of error codes.

use super::guard::guard;
use super::types::*;
use crate::error::RespErr;
use std::ffi::{c_char, c_int};

/// `MMmmpp00`, a byte for each of major, minor and patch, as the header's RK_VERSION.
const VERSION: c_int = {
    const fn number(s: &str) -> c_int {
        let (mut n, mut i) = (0, 0);
        while i < s.len() {
            n = n * 10 + (s.as_bytes()[i] - b'0') as c_int;
            i += 1;
        }
        n
    }
    number(env!("CARGO_PKG_VERSION_MAJOR")) << 24
        | number(env!("CARGO_PKG_VERSION_MINOR")) << 16
        | number(env!("CARGO_PKG_VERSION_PATCH")) << 8
};

/// The version of the library at run time, 0xMMmmpp00 with a byte for each of major, minor and patch. RK_VERSION is that
/// of the header.
#[no_mangle]
pub extern "C" fn rk_version() -> c_int {
    VERSION
}

/// The version of the library at run time as text. It lives for ever.
#[no_mangle]
pub extern "C" fn rk_version_str() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// What an error code means, for people: "Local: Message timed out". It lives for ever; so for codes that this version does
/// not know.
#[no_mangle]
pub extern "C" fn rk_err2str(err: rk_resp_err_t) -> *const c_char {
    guard!(c"?".as_ptr(), { RespErr(err).description_cstr().as_ptr() })
}

/// The name of an error code without RK_RESP_ERR_: "_MSG_TIMED_OUT". It lives for ever.
#[no_mangle]
pub extern "C" fn rk_err2name(err: rk_resp_err_t) -> *const c_char {
    guard!(c"?".as_ptr(), { RespErr(err).name_cstr().as_ptr() })
}

/// What a message's error means, or NULL if it has none. It lives for ever.
///
/// # Safety
/// `message` is NULL or a valid message.
#[no_mangle]
pub unsafe extern "C" fn rk_message_errstr(message: *const rk_message_t) -> *const c_char {
    guard!(std::ptr::null(), {
        // SAFETY: by contract.
        match unsafe { message.as_ref() } {
            Some(m) if m.err != 0 => RespErr(m.err).description_cstr().as_ptr(),
            _ => std::ptr::null(),
        }
    })
}

/// What is known of the message's being in the log: one of RK_MSG_STATUS_*.
///
/// # Safety
/// `message` is NULL or a valid message.
#[no_mangle]
pub unsafe extern "C" fn rk_message_status(message: *const rk_message_t) -> c_int {
    guard!(RK_MSG_STATUS_NOT_PERSISTED, {
        // SAFETY: by contract.
        unsafe { message.as_ref() }.map_or(RK_MSG_STATUS_NOT_PERSISTED, |m| m.status)
    })
}
