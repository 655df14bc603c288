//! Callbacks that stand between the client and the network: sockets, brokers' certificates, SASL mechanisms.

use super::conf::rk_conf_t;
use super::dispatch::{self, c_text, Callbacks};
use super::guard::{guard, live_mut, text};
use super::producer::{rk_producer_t, Me};
use super::types::rk_conf_res_t;
use crate::client::{Custom, Hooks, Presented, Step};
use std::ffi::{c_char, c_int, c_void, CString};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::{atomic::Ordering::Acquire, Arc};
use zeroize::Zeroizing;

/// Makes a socket, as socket(2) does: returns its descriptor, or −1 with errno. `type` is SOCK_STREAM. The descriptor becomes
/// the library's, which makes it non-blocking and closes it; it should have FD_CLOEXEC. Called on threads of the library, at
/// once on several, so it must be thread-safe; it must not call the library.
pub type rk_socket_cb_t =
    Option<unsafe extern "C" fn(domain: c_int, r#type: c_int, protocol: c_int, opaque: *mut c_void) -> c_int>;

/// Connects a socket, as connect(2) does: returns 0, or an errno; EINPROGRESS if it has begun. `sockfd` is non-blocking and may be
/// made to block meanwhile. `addr` is what the broker's name resolved to, of `addrlen` bytes; `id` is that name as host:port, which
/// a proxy may want. Called on the thread of that broker, which serves nothing else until it returns: one that waits should
/// give up after some seconds with ETIMEDOUT. It must be thread-safe and must not call the library.
pub type rk_connect_cb_t = Option<
    unsafe extern "C" fn(
        sockfd: c_int,
        addr: *const libc::sockaddr,
        addrlen: c_int,
        id: *const c_char,
        opaque: *mut c_void,
    ) -> c_int,
>;

/// Judges a broker's certificate after the library has: called for each certificate of the chain that the broker presents, the
/// broker's own last, with depth 0. `buf` is the certificate as DER of `size` bytes. `*x509_error` is what is wrong with the
/// chain, in OpenSSL's numbers (X509_V_ERR_*: 10 expired, 20 no known CA, 62 another host name, 1 anything else); it is told with
/// depth 0 and is 0 elsewhere.
///
/// Returns 1 to accept the certificate, having set `*x509_error` to 0 if there was an error that does not matter; or 0 to
/// refuse it, with the reason as text in `errstr`. One that is accepted with its error left as it is, is refused with that
/// error's text. Called on threads of the library, so it must be thread-safe; `broker_name` is host:port, `broker_id` is −1
/// while it is not known, and `rk` is NULL until rk_producer_new has returned. It must not call the library, except for
/// rk_producer_name.
pub type rk_ssl_cert_verify_cb_t = Option<
    unsafe extern "C" fn(
        rk: *mut rk_producer_t,
        broker_name: *const c_char,
        broker_id: i32,
        x509_error: *mut c_int,
        depth: c_int,
        buf: *const c_char,
        size: usize,
        errstr: *mut c_char,
        errstr_size: usize,
        opaque: *mut c_void,
    ) -> c_int,
>;

/// The exchange goes on: what is in `out` goes to the broker.
pub const RK_SASL_SEND: c_int = 1;
/// The exchange is done: the broker has said all that it has to prove.
pub const RK_SASL_DONE: c_int = 0;
/// The exchange has failed: `errstr` says why, and the connection is closed.
pub const RK_SASL_FAIL: c_int = -1;

/// The client's side of a SASL mechanism (RFC 4422). Called for each step of an authentication, which there is one of for each
/// connection and each renewal of a session:
///
/// - first with `in` NULL: write the first message to `out`, and return RK_SASL_SEND;
/// - then with what the broker answered in `in`, of `in_size` bytes: return RK_SASL_SEND with another message, RK_SASL_DONE, or
///   RK_SASL_FAIL with the reason in `errstr`. A broker that accepts at once answers with 0 bytes, `in` not being NULL;
/// - last, however it ended, with `out` NULL: free what `*exchange` refers to.
///
/// `*out_size` is the size of the buffer `out`, 64 KiB, and must be set to the length of the message. `*exchange` is NULL at
/// first and the callback's to use. Authentications of several brokers run at once, each on a thread of the library, so it
/// must be thread-safe; `broker_name` is host:port, `broker_id` is −1 while it is not known, and `rk` is NULL until
/// rk_producer_new has returned. It must not call the library, except for rk_producer_name.
pub type rk_sasl_cb_t = Option<
    unsafe extern "C" fn(
        rk: *mut rk_producer_t,
        broker_name: *const c_char,
        broker_id: i32,
        exchange: *mut *mut c_void,
        r#in: *const c_void,
        in_size: usize,
        out: *mut c_void,
        out_size: *mut usize,
        errstr: *mut c_char,
        errstr_size: usize,
        opaque: *mut c_void,
    ) -> c_int,
>;

/// Sets the callback that makes sockets to brokers, instead of socket(2).
///
/// # Safety
/// `conf` is NULL or a live configuration; `cb` can be called as its type says for as long as the producer lives.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_set_socket_cb(conf: *mut rk_conf_t, cb: rk_socket_cb_t) {
    guard!((), { live_mut!(conf).callbacks.socket = cb })
}

/// Sets the callback that connects sockets to brokers, instead of connect(2): through a proxy, for instance, as in
/// examples/socks5.c.
///
/// # Safety
/// As rk_conf_set_socket_cb.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_set_connect_cb(conf: *mut rk_conf_t, cb: rk_connect_cb_t) {
    guard!((), { live_mut!(conf).callbacks.connect = cb })
}

/// Sets the callback that has the last word on brokers' certificates. It is asked at each TLS connection, sessions not being
/// resumed then, unless `enable.ssl.certificate.verification` is false. RK_CONF_INVALID for NULL as `conf`, else RK_CONF_OK.
///
/// # Safety
/// As rk_conf_set_socket_cb.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_set_ssl_cert_verify_cb(
    conf: *mut rk_conf_t,
    cb: rk_ssl_cert_verify_cb_t,
) -> rk_conf_res_t {
    guard!(rk_conf_res_t::RK_CONF_INVALID, {
        live_mut!(conf, rk_conf_res_t::RK_CONF_INVALID).callbacks.cert_verify = cb;
        rk_conf_res_t::RK_CONF_OK
    })
}

/// Brings along a SASL mechanism by its name, which `sasl.mechanisms` must be set to, too. It goes before one of the same name
/// that is built in. With `cb` NULL, there is none any more. RK_CONF_INVALID if no mechanism can have that name: 1 to 20
/// of the characters A-Z, 0-9, - and _ are wanted.
///
/// # Safety
/// As rk_conf_set_socket_cb; `mechanism` is NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_set_sasl_cb(
    conf: *mut rk_conf_t,
    mechanism: *const c_char,
    cb: rk_sasl_cb_t,
) -> rk_conf_res_t {
    guard!(rk_conf_res_t::RK_CONF_INVALID, {
        let c = live_mut!(conf, rk_conf_res_t::RK_CONF_INVALID);
        // SAFETY: by contract.
        let name = unsafe { text(mechanism) };
        let named = match (name, cb) {
            (_, None) => c.conf.set_custom_mechanism(None),
            (Some(name), _) => c.conf.set_custom_mechanism(Some(name)),
            (None, _) => return rk_conf_res_t::RK_CONF_INVALID,
        };
        if named.is_err() {
            return rk_conf_res_t::RK_CONF_INVALID;
        }
        c.callbacks.sasl = cb;
        rk_conf_res_t::RK_CONF_OK
    })
}

/// Room for a reason, and for a message of SASL.
const ERRSTR: usize = 512;
const SASL_OUT: usize = 64 << 10;

/// A reason that a callback wrote, fit for a log line.
fn reason(errstr: &[c_char; ERRSTR]) -> String {
    let bytes: Vec<u8> = errstr.iter().map(|c| *c as u8).take_while(|b| *b != 0).collect();
    String::from_utf8_lossy(&bytes).chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Lets the callbacks run.
pub(super) fn set_hooks(hooks: &mut Hooks, cb: Callbacks, me: &Arc<Me>) {
    // The closures capture the whole of `cb`, which may cross threads, not its pointer alone.
    if let Some(call) = cb.socket {
        hooks.sockets.socket = Some(Box::new(move |domain, kind, protocol| {
            let cb = &cb;
            // SAFETY: the application's function, called as its type says.
            match unsafe { call(domain, kind, protocol, cb.opaque) } {
                fd if fd < 0 => Err(io::Error::last_os_error()),
                // SAFETY: by the type's contract, a descriptor that is the library's now.
                fd => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
            }
        }));
    }
    if let Some(call) = cb.connect {
        hooks.sockets.connect = Some(Box::new(move |fd, addr, broker| {
            let (cb, broker) = (&cb, c_text(broker));
            // SAFETY: the application's function, called as its type says; address and name live until it returns.
            match unsafe { call(fd, addr.as_ptr().cast(), addr.len() as c_int, broker.as_ptr(), cb.opaque) } {
                0 => Ok(()),
                errno => Err(io::Error::from_raw_os_error(errno)),
            }
        }));
    }
    if let Some(call) = cb.cert_verify {
        let me = me.clone();
        hooks.verify = Some(Arc::new(move |broker: &str, id: i32, p: &Presented<'_>| {
            let (cb, broker) = (&cb, c_text(broker));
            let mut errstr = [0; ERRSTR];
            let (mut error, depth) = (p.error, c_int::try_from(p.depth).unwrap_or(c_int::MAX));
            // SAFETY: the application's function, called as its type says; all that it is given lives until it returns.
            let accepted = dispatch::with_frame(me.id(), || unsafe {
                let (der, out) = (p.der.as_ptr().cast(), errstr.as_mut_ptr());
                let rk = me.0.load(Acquire);
                call(rk, broker.as_ptr(), id, &mut error, depth, der, p.der.len(), out, ERRSTR - 1, cb.opaque)
            });
            match (accepted, error) {
                (0, _) => Err(Some(reason(&errstr)).filter(|r| !r.is_empty()).unwrap_or("no reason given".to_owned())),
                (_, 0) => Ok(()),
                // The error stands.
                _ => Err(String::new()),
            }
        }));
    }
    if let Some(call) = cb.sasl {
        let me = me.clone();
        hooks.sasl = Some(Box::new(move |broker: &str, id: i32| {
            let _ = &cb;
            Box::new(Exchange { call, cb, me: me.clone(), broker: c_text(broker), id, state: std::ptr::null_mut() })
        }));
    }
}

type SaslCall = unsafe extern "C" fn(
    *mut rk_producer_t,
    *const c_char,
    i32,
    *mut *mut c_void,
    *const c_void,
    usize,
    *mut c_void,
    *mut usize,
    *mut c_char,
    usize,
    *mut c_void,
) -> c_int;

/// One exchange of the application's mechanism.
struct Exchange {
    call: SaslCall,
    cb: Callbacks,
    me: Arc<Me>,
    broker: CString,
    id: i32,
    state: *mut c_void,
}

// SAFETY: the state is never followed here; by the type's contract the callback may run on any thread, one at a time for an
// exchange.
unsafe impl Send for Exchange {}

impl Exchange {
    fn call(&mut self, said: Option<&[u8]>, out: Option<&mut [u8]>, errstr: &mut [c_char; ERRSTR]) -> (c_int, usize) {
        // Of an answer without bytes the address still is not NULL.
        let (from, from_size) = said.map_or((std::ptr::null(), 0), |s| (s.as_ptr().cast(), s.len()));
        let (into, mut size) = out.map_or((std::ptr::null_mut(), 0), |o| (o.as_mut_ptr().cast(), o.len()));
        let (me, call) = (self.me.clone(), self.call);
        let result = dispatch::with_frame(me.id(), || {
            let (rk, name) = (me.0.load(Acquire), self.broker.as_ptr());
            let (state, errstr) = (&raw mut self.state, errstr.as_mut_ptr());
            // SAFETY: the application's function, called as its type says; all that it is given lives until it returns.
            unsafe {
                call(rk, name, self.id, state, from, from_size, into, &mut size, errstr, ERRSTR - 1, self.cb.opaque)
            }
        });
        (result, size)
    }
}

impl Custom for Exchange {
    fn step(&mut self, said: Option<&[u8]>) -> Result<Step, String> {
        let mut errstr = [0; ERRSTR];
        let mut out = Zeroizing::new(vec![0; SASL_OUT]);
        match self.call(said, Some(&mut out), &mut errstr) {
            (RK_SASL_SEND, size) if size <= SASL_OUT => {
                out.truncate(size);
                Ok(Step::Send(out))
            }
            (RK_SASL_SEND, _) => {
                Err("the SASL callback says that it has written more than there was room for".to_owned())
            }
            (RK_SASL_DONE, _) => Ok(Step::Done),
            _ => Err(Some(reason(&errstr)).filter(|r| !r.is_empty()).unwrap_or("the SASL callback failed".to_owned())),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.call(None, None, &mut [0; ERRSTR]);
    }
}
