//! The application's callbacks: each checks what it is given, and calls what is allowed and what is refused there.

use super::program::{c_string, Program};
use rkafka::ffi::*;
use std::ffi::{c_char, c_int, c_void};
use std::ptr::{null, null_mut};

/// # Safety
/// `conf` is NULL or alive.
pub(super) unsafe fn set_callbacks(conf: *mut rk_conf_t, p: &mut Program<'_>) {
    let b = p.byte();
    // SAFETY: by contract; the callbacks are functions.
    unsafe {
        match b % 8 {
            0 => rk_conf_set_dr_msg_cb(conf, Some(report)),
            1 => rk_conf_set_dr_batch_cb(conf, Some(reports)),
            2 => rk_conf_set_partitioner_cb(conf, Some(partition)),
            3 => rk_conf_set_oauthbearer_token_refresh_cb(conf, Some(refresh)),
            4 => rk_conf_set_opaque(conf, c_string(b"opaque").cast_mut().cast()),
            5 if b & 8 != 0 => {
                let name = c_string(if b & 64 == 0 { b"first" } else { b"second" });
                let (send, told) = ((b & 16 == 0).then_some(on_send as _), (b & 32 == 0).then_some(on_fate as _));
                rk_conf_add_interceptor(conf, name, send, told, null_mut(), null_mut(), 0);
            }
            5 => rk_conf_set_dr_msg_cb(conf, None),
            6 => rk_conf_set_events(conf, p.int()),
            _ => {
                rk_conf_set_socket_cb(conf, (b & 8 == 0).then_some(make_socket as _));
                rk_conf_set_connect_cb(conf, (b & 16 == 0).then_some(connect as _));
                rk_conf_set_ssl_cert_verify_cb(conf, Some(verify));
                let mechanism = if b & 32 == 0 { c_string(b"PLAIN") } else { p.name() };
                rk_conf_set_sasl_cb(conf, mechanism, (b & 64 == 0).then_some(authenticate as _));
            }
        }
    }
}

pub(super) unsafe extern "C" fn quiet(
    _: *mut rk_producer_t,
    _: c_int,
    _: *const c_char,
    text: *const c_char,
    _: *mut c_void,
) {
    assert!(!text.is_null());
}

/// A delivery callback that calls what is allowed, and what is refused.
pub(super) unsafe extern "C" fn report(rk: *mut rk_producer_t, m: *const rk_message_t, opaque: *mut c_void) {
    // SAFETY: the library's own arguments; the rest is what the header allows within a callback.
    unsafe {
        assert!(!rk.is_null() && !m.is_null() && !rk_message_errstr(m).is_null() == ((*m).err != 0));
        let mut headers = null_mut();
        if rk_message_headers(m, &mut headers) == 0 {
            assert!(rk_headers_count(headers) > 0);
            rk_headers_destroy(headers);
        }
        assert!(rk_producer_len(rk) > 0);
        if opaque.is_null() {
            return;
        }
        assert!(rk_producer_poll(rk, 0) < 0);
        assert_ne!(rk_producer_flush(rk, 0), 0);
        rk_producer_destroy(rk);
        rk_producer_purge(rk, 3);
    }
}

pub(super) unsafe extern "C" fn reports(_: *mut rk_producer_t, m: *const rk_message_t, count: usize, _: *mut c_void) {
    assert!(!m.is_null() && count > 0);
}

/// An interceptor that changes headers, and calls what is refused.
pub(super) unsafe extern "C" fn on_send(
    rk: *mut rk_producer_t,
    m: *const rk_message_t,
    headers: *mut rk_headers_t,
    _: *mut c_void,
) -> rk_resp_err_t {
    let value = [0u8; 1500];
    // SAFETY: the library's own arguments, alive until this returns.
    unsafe {
        assert!(!rk.is_null() && !(*m).topic.is_null() && (*m).err == 0);
        let before = rk_headers_count(headers);
        // For some messages more than `message.max.bytes`.
        assert_eq!(rk_headers_add(headers, c"h".as_ptr(), 1, value.as_ptr().cast(), (*m).len % 3 * 700), 0);
        assert_eq!(rk_headers_count(headers), before + 1);
        if before > 3 {
            assert_eq!(rk_headers_remove(headers, c"h".as_ptr()), 0);
        }
        let again = rk_producer_produce(rk, (*m).topic, 0, 0, null(), 0, null(), 0, 0, null_mut());
        assert_ne!(again, 0);
        assert!(rk_producer_poll(rk, 0) < 0);
        rk_producer_destroy(rk);
        (*m).partition
    }
}

pub(super) unsafe extern "C" fn on_fate(
    rk: *mut rk_producer_t,
    m: *const rk_message_t,
    _: *mut c_void,
) -> rk_resp_err_t {
    // SAFETY: the library's own arguments, alive until this returns.
    unsafe {
        assert!(!rk.is_null() && !(*m).topic.is_null());
        let mut headers = null_mut();
        rk_message_headers(m, &mut headers);
        rk_headers_destroy(headers);
        rk_producer_destroy(rk);
        (*m).err
    }
}

pub(super) unsafe extern "C" fn refresh(rk: *mut rk_producer_t, _: *const c_char, _: *mut c_void) {
    // SAFETY: the library's own handle, within a callback.
    unsafe { rk_producer_oauthbearer_set_token_failure(rk, c_string(b"no").cast()) };
}

pub(super) unsafe extern "C" fn make_socket(domain: c_int, kind: c_int, protocol: c_int, _: *mut c_void) -> c_int {
    // SAFETY: no pointers.
    unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) }
}

pub(super) unsafe extern "C" fn connect(
    fd: c_int,
    addr: *const libc::sockaddr,
    len: c_int,
    id: *const c_char,
    _: *mut c_void,
) -> c_int {
    // SAFETY: the library's own arguments.
    unsafe {
        assert!(libc::strlen(id) > 0);
        if libc::connect(fd, addr, len as libc::socklen_t) == 0 {
            0
        } else {
            *libc::__errno_location()
        }
    }
}

pub(super) unsafe extern "C" fn verify(
    _: *mut rk_producer_t,
    _: *const c_char,
    _: i32,
    error: *mut c_int,
    _: c_int,
    der: *const c_char,
    size: usize,
    _: *mut c_char,
    _: usize,
    _: *mut c_void,
) -> c_int {
    // SAFETY: the library's own arguments.
    unsafe {
        assert!(size > 0 && *der == 0x30);
        *error = 0;
    }
    1
}

/// Wrong in one of three ways, or right, by the port of the broker.
pub(super) unsafe extern "C" fn authenticate(
    _: *mut rk_producer_t,
    broker: *const c_char,
    _: i32,
    state: *mut *mut c_void,
    said: *const c_void,
    _: usize,
    out: *mut c_void,
    out_size: *mut usize,
    _: *mut c_char,
    _: usize,
    _: *mut c_void,
) -> c_int {
    // SAFETY: the library's own arguments; the state is what was allocated at the beginning.
    unsafe {
        if out.is_null() {
            libc::free(*state);
            return 0;
        }
        if said.is_null() {
            *state = libc::calloc(1, 16);
        }
        let kind = *broker.add(libc::strlen(broker) - 1) % 4;
        if kind == 0 {
            *out_size += 1;
        } else {
            out.cast::<u8>().copy_from(b"\0user\0pencil".as_ptr(), 12);
            *out_size = 12;
        }
        match kind {
            1 => RK_SASL_FAIL,
            2 => RK_SASL_SEND,
            _ if said.is_null() => RK_SASL_SEND,
            _ => RK_SASL_DONE,
        }
    }
}

pub(super) unsafe extern "C" fn partition(args: *const rk_partitioner_args_t, _: *mut c_void) -> i32 {
    // SAFETY: the library's own argument.
    unsafe { (*args).partition_cnt - 2 + rk_partitioner_available(args, 1) }
}

pub(super) unsafe extern "C" fn count(m: *const rk_message_t, opaque: *mut c_void) {
    assert!(!m.is_null());
    // SAFETY: the counter of the caller below.
    unsafe { *opaque.cast::<usize>() += 1 };
}
