//! `rk_conf_*`: properties, and the callbacks.

use super::dispatch::{c_text, Callbacks};
use super::guard::{guard, live, live_mut, put, put_text, text};
use super::handle::{give, handle, take};
use super::interceptor::Interceptor;
use super::types::*;
use crate::conf::{Conf, ConfError};
use std::ffi::{c_char, c_int, c_void, CString};
use zeroize::Zeroizing;

/// The configuration of a producer. Not thread-safe: use it from one thread at a time.
pub struct rk_conf_t {
    pub(super) conf: Conf,
    pub(super) callbacks: Callbacks,
    pub(super) interceptors: Vec<Interceptor>,
}
handle!(rk_conf_t, b'c');

/// Makes a configuration in which every property has its default. It is the caller's until rk_producer_new takes it.
#[no_mangle]
pub extern "C" fn rk_conf_new() -> *mut rk_conf_t {
    guard!(std::ptr::null_mut(), {
        give(rk_conf_t { conf: Conf::new(), callbacks: Callbacks::default(), interceptors: Vec::new() })
    })
}

/// Makes a copy, callbacks, interceptors and opaque included. NULL for NULL.
///
/// # Safety
/// `conf` is NULL or a live configuration.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_dup(conf: *const rk_conf_t) -> *mut rk_conf_t {
    guard!(std::ptr::null_mut(), {
        let c = live!(conf, std::ptr::null_mut());
        give(rk_conf_t { conf: c.conf.clone(), callbacks: c.callbacks, interceptors: c.interceptors.clone() })
    })
}

/// Frees a configuration that no producer has taken. NULL is fine.
///
/// # Safety
/// `conf` is NULL or a live configuration; it is gone afterwards.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_destroy(conf: *mut rk_conf_t) {
    guard!((), {
        // SAFETY: by contract.
        drop(unsafe { take(conf) });
    })
}

/// Sets a property by its name or an alias, as in CONFIGURATION.md. Java's names work too. If it fails, the text in
/// `errstr` names the property, what is wrong, and the likely name if this one is unknown; the property keeps its value.
///
/// # Safety
/// `conf` is NULL or a live configuration; `name` and `value` are NULL or C strings; `errstr` is NULL or has `errstr_size`
/// bytes.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_set(
    conf: *mut rk_conf_t,
    name: *const c_char,
    value: *const c_char,
    errstr: *mut c_char,
    errstr_size: usize,
) -> rk_conf_res_t {
    guard!(rk_conf_res_t::RK_CONF_INVALID, {
        let fail = |res, why: &str| {
            // SAFETY: by contract.
            unsafe { put_text(errstr, errstr_size, why) };
            res
        };
        let c = live_mut!(conf, fail(rk_conf_res_t::RK_CONF_INVALID, "no configuration given"));
        // SAFETY: by contract.
        let (name, value) = unsafe { (text(name), text(value)) };
        let (Some(name), Some(value)) = (name, value) else {
            return fail(rk_conf_res_t::RK_CONF_INVALID, "name and value must be UTF-8 strings, not NULL");
        };
        match c.conf.set(name, value) {
            Ok(()) => rk_conf_res_t::RK_CONF_OK,
            Err(e) => fail(
                if matches!(e, ConfError::Unknown(_)) {
                    rk_conf_res_t::RK_CONF_UNKNOWN
                } else {
                    rk_conf_res_t::RK_CONF_INVALID
                },
                &e.to_string(),
            ),
        }
    })
}

/// Reads a property back, in the form in which rk_conf_set takes it.
///
/// `*value_size` is the size of the buffer `value`, and becomes the size that the value needs with its NUL. With
/// `value` NULL only the size is told. A value that does not fit is cut, and still ended with a NUL.
///
/// # Safety
/// `conf` is NULL or a live configuration; `name` is NULL or a C string; `value` is NULL or has `*value_size` bytes;
/// `value_size` is NULL (then nothing is written to `value`) or points to a size.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_get(
    conf: *const rk_conf_t,
    name: *const c_char,
    value: *mut c_char,
    value_size: *mut usize,
) -> rk_conf_res_t {
    guard!(rk_conf_res_t::RK_CONF_INVALID, {
        let c = live!(conf, rk_conf_res_t::RK_CONF_INVALID);
        // SAFETY: by contract.
        let Some(name) = (unsafe { text(name) }) else { return rk_conf_res_t::RK_CONF_INVALID };
        // It may be a secret.
        let Ok(current) = c.conf.get(name).map(Zeroizing::new) else { return rk_conf_res_t::RK_CONF_UNKNOWN };
        if !value_size.is_null() {
            // SAFETY: by contract.
            unsafe {
                put_text(value, value_size.read(), &current);
                value_size.write(current.len() + 1);
            }
        }
        rk_conf_res_t::RK_CONF_OK
    })
}

/// Lists every property: names and values in turn, `*count` strings in all, so half as many properties. Passwords are
/// shown as "[redacted]". Free it with rk_conf_dump_free. NULL if there is no memory.
///
/// # Safety
/// `conf` is NULL or a live configuration; `count` is NULL or points to a size.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_dump(conf: *const rk_conf_t, count: *mut usize) -> *mut *mut c_char {
    guard!(std::ptr::null_mut(), {
        // SAFETY: by contract.
        unsafe { put(count, 0) };
        let c = live!(conf, std::ptr::null_mut());
        let mut list: Vec<*mut c_char> = Vec::new();
        for (name, value) in c.conf.dump() {
            for s in [name, value] {
                list.push(c_text(&s).into_raw());
            }
        }
        // SAFETY: by contract.
        unsafe { put(count, list.len()) };
        Box::into_raw(list.into_boxed_slice()).cast()
    })
}

/// Frees the list of rk_conf_dump; `count` is the number it gave. NULL is fine.
///
/// # Safety
/// `list` is NULL or came from rk_conf_dump with this `count`, its strings unchanged; it is gone afterwards.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_dump_free(list: *mut *mut c_char, count: usize) {
    guard!((), {
        if list.is_null() {
            return;
        }
        // SAFETY: a boxed slice of `count` strings, each from CString::into_raw, by contract.
        unsafe {
            for s in Box::from_raw(std::ptr::slice_from_raw_parts_mut(list, count)) {
                drop(CString::from_raw(s));
            }
        }
    })
}

/// Sets the pointer that every callback is given as its last argument. Default NULL.
///
/// # Safety
/// `conf` is NULL or a live configuration. The pointer itself is never followed.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_set_opaque(conf: *mut rk_conf_t, opaque: *mut c_void) {
    guard!((), { live_mut!(conf).callbacks.opaque = opaque })
}

/// Sets the callback for delivery reports, one call per message, made within rk_producer_poll, _flush and _destroy on the
/// calling thread. It may produce, purge and ask for the length; it must not throw C++ exceptions or longjmp out. Without
/// a delivery callback and without RK_EVENT_DR in rk_conf_set_events, reports are thrown away.
///
/// # Safety
/// `conf` is NULL or a live configuration; `cb` can be called as its type says for as long as the producer lives.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_set_dr_msg_cb(conf: *mut rk_conf_t, cb: rk_dr_msg_cb_t) {
    guard!((), { live_mut!(conf).callbacks.dr_msg = cb })
}

/// Sets the callback for delivery reports that takes many at once, cheaper than one call per message. If both are set,
/// this one is used.
///
/// # Safety
/// As rk_conf_set_dr_msg_cb.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_set_dr_batch_cb(conf: *mut rk_conf_t, cb: rk_dr_batch_cb_t) {
    guard!((), { live_mut!(conf).callbacks.dr_batch = cb })
}

/// Sets the callback for errors of the client as a whole, called like that for delivery reports. Without it, and without
/// RK_EVENT_ERROR, they are logged.
///
/// # Safety
/// As rk_conf_set_dr_msg_cb.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_set_error_cb(conf: *mut rk_conf_t, cb: rk_error_cb_t) {
    guard!((), { live_mut!(conf).callbacks.error = cb })
}

/// Sets the callback for log lines; by default they go to stderr. See rk_log_cb_t on when it is called.
///
/// # Safety
/// As rk_conf_set_dr_msg_cb, and it is thread-safe.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_set_log_cb(conf: *mut rk_conf_t, cb: rk_log_cb_t) {
    guard!((), { live_mut!(conf).callbacks.log = cb })
}

/// Sets the callback for statistics, called like that for delivery reports every `statistics.interval.ms`.
///
/// # Safety
/// As rk_conf_set_dr_msg_cb.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_set_stats_cb(conf: *mut rk_conf_t, cb: rk_stats_cb_t) {
    guard!((), { live_mut!(conf).callbacks.stats = cb })
}

/// Sets the callback that hears of throttling by brokers, called like that for delivery reports.
///
/// # Safety
/// As rk_conf_set_dr_msg_cb.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_set_throttle_cb(conf: *mut rk_conf_t, cb: rk_throttle_cb_t) {
    guard!((), { live_mut!(conf).callbacks.throttle = cb })
}

/// Sets the callback that chooses partitions, instead of the property `partitioner`.
///
/// # Safety
/// As rk_conf_set_dr_msg_cb, and it is thread-safe.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_set_partitioner_cb(conf: *mut rk_conf_t, cb: rk_partitioner_cb_t) {
    guard!((), { live_mut!(conf).callbacks.partitioner = cb })
}

/// Chooses the callback-free way: the kinds of events in the mask (RK_EVENT_DR, _ERROR, _LOG, _STATS, _THROTTLE,
/// _OAUTHBEARER_TOKEN_REFRESH, joined by |) are handed out by rk_producer_poll_event; kinds that are not in it still go to their callbacks. With a mask other
/// than 0, rk_producer_poll is refused and rk_producer_flush only waits. Unknown bits are ignored.
///
/// # Safety
/// `conf` is NULL or a live configuration.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_set_events(conf: *mut rk_conf_t, mask: c_int) {
    guard!((), {
        let known = RK_EVENT_DR
            | RK_EVENT_LOG
            | RK_EVENT_ERROR
            | RK_EVENT_STATS
            | RK_EVENT_THROTTLE
            | RK_EVENT_OAUTHBEARER_TOKEN_REFRESH;
        live_mut!(conf).callbacks.events = mask & known;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dump_is_freed_with_its_count_and_read_back_with_get() {
        // SAFETY: handles are alive, buffers have the sizes given.
        unsafe {
            let conf = rk_conf_new();
            let mut err = [0 as c_char; 256];
            let set = rk_conf_set(conf, c"linger.ms".as_ptr(), c"7".as_ptr(), err.as_mut_ptr(), err.len());
            assert_eq!(set, rk_conf_res_t::RK_CONF_OK);
            let copy = rk_conf_dup(conf);
            rk_conf_destroy(conf);
            let (mut n, mut size) = (0, err.len());
            let list = rk_conf_dump(copy, &mut n);
            assert!(n > 0 && n % 2 == 0);
            rk_conf_dump_free(list, n);
            let got = rk_conf_get(copy, c"linger.ms".as_ptr(), err.as_mut_ptr(), &mut size);
            assert_eq!((got, size, err[0] as u8), (rk_conf_res_t::RK_CONF_OK, 2, b'7'));
            rk_conf_destroy(copy);
        }
    }
}
