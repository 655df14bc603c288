//! Interceptors: chains of callbacks that see each message when it is produced and when its fate is known.

use super::conf::rk_conf_t;
use super::dispatch;
use super::guard::{guard, live_mut, put_text, text};
use super::handle::{give, take};
use super::headers::rk_headers_t;
use super::producer::{rk_producer_t, Inner, Me};
use super::types::*;
use crate::client::{Delivery, Headers, HeadersRef, Hooks, Sending, Warn};
use crate::error::RespErr;
use std::ffi::{c_char, c_void};
use std::sync::{atomic::Ordering::Acquire, Arc};

/// Sees a message that is being produced, before it is encoded and before its partition is chosen: called on the thread that
/// produces, within rk_producer_produce and every other function that produces, so at once on several threads if several
/// produce, and it must be thread-safe.
///
/// Of `message`, topic, partition (RK_PARTITION_UA if it is to be chosen), payload, key, timestamp_ms and opaque can be read.
/// `headers` is the list of the message's headers, empty if it has none, to be read and changed by rk_headers_*: what is in it
/// when the last interceptor has returned goes with the message. A list that the application gave to produce is not touched.
/// Both are the library's and valid until the callback returns: do not free the list. `opaque` is that of
/// rk_conf_add_interceptor.
///
/// Returns RK_RESP_ERR_NO_ERROR; anything else is logged, with the interceptor's name, and changes nothing: the message goes
/// on, with its headers as they are. Apart from rk_headers_*, it must not call functions of the same producer: poll, flush and
/// destroy are refused, and so is to produce (RK_RESP_ERR__STATE). It must not block, throw C++ exceptions or longjmp out.
pub type rk_interceptor_on_send_cb_t = Option<
    unsafe extern "C" fn(
        rk: *mut rk_producer_t,
        message: *const rk_message_t,
        headers: *mut rk_headers_t,
        opaque: *mut c_void,
    ) -> rk_resp_err_t,
>;

/// Is told a message's fate, by err, partition, offset, latency_us, status as in a delivery report: called once for each
/// message that was accepted, delivered or not, on the thread that serves its report: within rk_producer_poll, _flush, _destroy and
/// the functions that end transactions just before the delivery callback, within rk_producer_poll_event just before the
/// event is handed out. Several threads that poll call it at once. rk_message_headers reads the headers.
///
/// Also called within the produce call itself, on that thread, for a message that on_send has seen and that is refused after
/// that (a topic or partition that does not exist, headers that make it too large, no memory left to the queue), with the error
/// that produce returns; so each on_send has its on_acknowledgement, unless RK_DESTROY_F_NO_REPORTS drops it with the report.
/// Messages that are refused before (wrong arguments, a full queue, a fatal error) are seen by neither.
///
/// `message` is valid until the callback returns; `opaque` is that of rk_conf_add_interceptor. What it returns is treated as
/// that of rk_interceptor_on_send_cb_t. It must not call functions of the same producer, nor block, throw or longjmp out.
pub type rk_interceptor_on_acknowledgement_cb_t = Option<
    unsafe extern "C" fn(rk: *mut rk_producer_t, message: *const rk_message_t, opaque: *mut c_void) -> rk_resp_err_t,
>;

/// One interceptor of a chain.
#[derive(Clone)]
pub(super) struct Interceptor {
    name: String,
    on_send: rk_interceptor_on_send_cb_t,
    on_acknowledgement: rk_interceptor_on_acknowledgement_cb_t,
    opaque: *mut c_void,
}

// SAFETY: the library never follows the opaque pointer; the application says by adding the interceptor that it may run on any
// thread that produces or polls, as the callbacks' documentation demands.
unsafe impl Send for Interceptor {}
// SAFETY: as above; there is nothing to change through a shared reference.
unsafe impl Sync for Interceptor {}

/// The interceptors of a producer, in the order of their calls.
#[derive(Default)]
pub(super) struct Chain {
    list: Vec<Interceptor>,
    acknowledges: bool,
}

impl Chain {
    pub(super) fn new(list: Vec<Interceptor>) -> Arc<Chain> {
        let acknowledges = list.iter().any(|i| i.on_acknowledgement.is_some());
        Arc::new(Chain { list, acknowledges })
    }

    /// Whether reports are wanted for the chain's sake.
    pub(super) fn acknowledges(&self) -> bool {
        self.acknowledges
    }

    /// Lets the client call the chain within produce.
    pub(super) fn set_hooks(self: &Arc<Self>, hooks: &mut Hooks, me: &Arc<Me>) {
        hooks.want_every_delivery = self.acknowledges;
        if self.list.iter().any(|i| i.on_send.is_some()) {
            let (chain, me) = (self.clone(), me.clone());
            hooks.on_send = Some(Box::new(move |s: &Sending<'_>, warn: Warn<'_>| chain.on_send(&me, s, warn)));
        }
        if self.acknowledges {
            let (chain, me) = (self.clone(), me.clone());
            hooks.on_refused =
                Some(Box::new(move |s: &Sending<'_>, err, warn: Warn<'_>| chain.on_refused(&me, s, err, warn)));
        }
    }

    fn on_send(&self, me: &Arc<Me>, s: &Sending<'_>, warn: Warn<'_>) -> Result<Option<Headers>, RespErr> {
        if dispatch::within_interceptor(me.id()) {
            return Err(RespErr::ERR__STATE);
        }
        let mut headers = Headers::with_capacity(8);
        HeadersRef::new(s.raw_headers).for_each(|(name, value)| headers.add(name, value));
        let list = give(rk_headers_t { headers });
        let message = message_of(s);
        let rk = me.0.load(Acquire);
        dispatch::with_interceptor_frame(me.id(), || {
            for i in &self.list {
                if let Some(call) = i.on_send {
                    // SAFETY: the application's function, called as its type says; message and list live until it returns.
                    let err = unsafe { call(rk, &message, list, i.opaque) };
                    i.check("on_send", err, s.topic.to_str(), s.partition, warn);
                }
            }
        });
        // SAFETY: it came from `give`, and callbacks have no use of it any more. If one has freed it, the headers stay as
        // they were.
        Ok(unsafe { take(list) }.map(|l| l.headers))
    }

    fn on_refused(&self, me: &Arc<Me>, s: &Sending<'_>, err: RespErr, warn: Warn<'_>) {
        // One that produces, though it must not, would get here again and again.
        if dispatch::within_interceptor(me.id()) {
            return;
        }
        let mut message = message_of(s);
        message.err = err.0;
        message.set_bytes(s.payload, s.key, s.raw_headers);
        dispatch::with_interceptor_frame(me.id(), || self.each(me.0.load(Acquire), &message, warn));
    }

    /// Tells the chain a message's fate.
    fn each(&self, rk: *mut rk_producer_t, message: &rk_message_t, warn: Warn<'_>) {
        for i in &self.list {
            if let Some(call) = i.on_acknowledgement {
                // SAFETY: the application's function, called as its type says; the message lives until it returns.
                let err = unsafe { call(rk, message, i.opaque) };
                // SAFETY: the library's own, a C string or NULL.
                let topic = unsafe { text(message.topic) };
                i.check("on_acknowledgement", err, Ok::<_, ()>(topic.unwrap_or("")), message.partition, warn);
            }
        }
    }
}

impl Interceptor {
    /// Logs what a callback returned, if it failed.
    fn check<E>(&self, what: &str, err: rk_resp_err_t, topic: Result<&str, E>, partition: i32, warn: Warn<'_>) {
        if err != RespErr::NO_ERROR.0 {
            let (name, topic, why) = (&self.name, topic.unwrap_or(""), RespErr(err).description());
            warn(&format!("Interceptor {name} failed {what} of a message for {topic} [{partition}]: {why}"));
        }
    }
}

/// A message within the produce call, without its headers, which are a list at that point.
fn message_of(s: &Sending<'_>) -> rk_message_t {
    let mut m = rk_message_t::empty();
    m.topic = s.topic.as_ptr();
    m.partition = s.partition;
    m.timestamp_ms = s.timestamp_ms;
    m.timestamp_type = RK_TIMESTAMP_CREATE_TIME;
    m.opaque = s.opaque as *mut c_void;
    m.set_bytes(s.payload, s.key, &[]);
    m
}

/// Calls on_acknowledgement for every report of a delivery; returns how many reports that were. Within a frame.
pub(super) fn acknowledge(rk: *mut rk_producer_t, inner: &Inner, d: &Delivery) -> usize {
    if !inner.chain.acknowledges() {
        return 0;
    }
    let mut message = rk_message_t::of(d);
    d.each_report(|r| {
        message.set(&r);
        inner.chain.each(rk, &message, &|text| inner.client.interceptor_failed(text));
    });
    d.count()
}

/// Adds an interceptor, to be called after those added before: on_send for each message that is produced,
/// on_acknowledgement when its fate is known; one of them may be NULL. This is how context of a trace gets into headers, as in
/// examples/tracing.c. The name tells interceptors apart and is shown in the log. `opaque` is handed to the callbacks and
/// never followed. rk_conf_dup copies interceptors, with the same opaque.
///
/// An on_send makes producing slower for every message, also if it does nothing: the partition's lock is taken, and a list of
/// headers is made. With an on_acknowledgement reports are made for every message even if nobody else wants them
/// (`delivery.report.only.error`, no delivery callback): the application must poll.
///
/// RK_CONF_INVALID, with the reason in `errstr`, if there is an interceptor of that name already, if the name is NULL, empty
/// or not UTF-8, or if both callbacks are NULL; else RK_CONF_OK.
///
/// # Safety
/// `conf` is NULL or a live configuration; `name` is NULL or a C string; the callbacks can be called as their types say for as
/// long as the producer lives; `errstr` is NULL or has `errstr_size` bytes.
#[no_mangle]
pub unsafe extern "C" fn rk_conf_add_interceptor(
    conf: *mut rk_conf_t,
    name: *const c_char,
    on_send: rk_interceptor_on_send_cb_t,
    on_acknowledgement: rk_interceptor_on_acknowledgement_cb_t,
    opaque: *mut c_void,
    errstr: *mut c_char,
    errstr_size: usize,
) -> rk_conf_res_t {
    guard!(rk_conf_res_t::RK_CONF_INVALID, {
        let fail = |why: &str| {
            // SAFETY: by contract.
            unsafe { put_text(errstr, errstr_size, why) };
            rk_conf_res_t::RK_CONF_INVALID
        };
        let c = live_mut!(conf, fail("no configuration given"));
        // SAFETY: by contract.
        let Some(name) = (unsafe { text(name) }).filter(|n| !n.is_empty()) else {
            return fail("an interceptor's name must be a UTF-8 string, not NULL or empty");
        };
        if on_send.is_none() && on_acknowledgement.is_none() {
            return fail(&format!("interceptor \"{name}\" has neither on_send nor on_acknowledgement"));
        }
        if c.interceptors.iter().any(|i| i.name == name) {
            return fail(&format!("there is an interceptor \"{name}\" already"));
        }
        c.interceptors.push(Interceptor { name: name.to_owned(), on_send, on_acknowledgement, opaque });
        rk_conf_res_t::RK_CONF_OK
    })
}
