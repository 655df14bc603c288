//! From the client's events to the application's callbacks, on the thread that polls.

use super::interceptor::acknowledge;
use super::network::{rk_connect_cb_t, rk_sasl_cb_t, rk_socket_cb_t, rk_ssl_cert_verify_cb_t};
use super::producer::{rk_producer_t, Inner};
use super::types::*;
use crate::client::{Delivery, Event, Report, Reports};
use crate::error::RespErr;
use std::cell::Cell;
use std::ffi::{c_int, c_void, CString};
use std::time::{Duration, Instant};
use zeroize::Zeroize;

/// The application's side of a configuration.
#[derive(Clone, Copy)]
pub(super) struct Callbacks {
    pub opaque: *mut c_void,
    pub dr_msg: rk_dr_msg_cb_t,
    pub dr_batch: rk_dr_batch_cb_t,
    pub error: rk_error_cb_t,
    pub log: rk_log_cb_t,
    pub stats: rk_stats_cb_t,
    pub throttle: rk_throttle_cb_t,
    pub token_refresh: rk_oauthbearer_token_refresh_cb_t,
    pub partitioner: rk_partitioner_cb_t,
    pub socket: rk_socket_cb_t,
    pub connect: rk_connect_cb_t,
    pub cert_verify: rk_ssl_cert_verify_cb_t,
    pub sasl: rk_sasl_cb_t,
    /// Kinds that are handed out as events.
    pub events: c_int,
}

impl Default for Callbacks {
    fn default() -> Self {
        Callbacks {
            opaque: std::ptr::null_mut(),
            dr_msg: None,
            dr_batch: None,
            error: None,
            log: None,
            stats: None,
            throttle: None,
            token_refresh: None,
            partitioner: None,
            socket: None,
            connect: None,
            cert_verify: None,
            sasl: None,
            events: 0,
        }
    }
}

// SAFETY: the library never follows the opaque pointer; the application says by setting callbacks that they may run on any
// thread that polls (and those for logs, partitioners and the network on any thread at all), as their documentation demands.
unsafe impl Send for Callbacks {}
// SAFETY: as above; there is nothing to change through a shared reference.
unsafe impl Sync for Callbacks {}

/// Marks that this thread is within a callback of a producer, for as long as it lives. Frames form a list on the stack, so
/// that a callback of one producer may poll another.
pub(super) struct Frame {
    producer: usize,
    /// An interceptor runs within produce.
    interceptor: bool,
    previous: *const Frame,
}

thread_local! {
    static INNERMOST: Cell<*const Frame> = const { Cell::new(std::ptr::null()) };
}

/// True while this thread is within a callback of that producer.
pub(super) fn within_callback(producer: usize) -> bool {
    within(|f| f.producer == producer)
}

/// True while this thread is within an interceptor that produce of that producer called.
pub(super) fn within_interceptor(producer: usize) -> bool {
    within(|f| f.producer == producer && f.interceptor)
}

fn within(is_it: impl Fn(&Frame) -> bool) -> bool {
    let mut frame = INNERMOST.get();
    // SAFETY: frames of this thread's list live on its stack, in `with_frame` calls that have not returned.
    while let Some(f) = unsafe { frame.as_ref() } {
        if is_it(f) {
            return true;
        }
        frame = f.previous;
    }
    false
}

/// Runs `f`, in which callbacks of that producer are called.
pub(super) fn with_frame<R>(producer: usize, f: impl FnOnce() -> R) -> R {
    in_frame(producer, false, f)
}

/// Runs `f`, in which produce of that producer calls interceptors.
pub(super) fn with_interceptor_frame<R>(producer: usize, f: impl FnOnce() -> R) -> R {
    in_frame(producer, true, f)
}

fn in_frame<R>(producer: usize, interceptor: bool, f: impl FnOnce() -> R) -> R {
    struct Restore(*const Frame);
    impl Drop for Restore {
        fn drop(&mut self) {
            INNERMOST.set(self.0);
        }
    }
    let frame = Frame { producer, interceptor, previous: INNERMOST.get() };
    // Also when a panic unwinds through here.
    let _restore = Restore(frame.previous);
    INNERMOST.set(&frame);
    f()
}

/// Most reports in one call of the batch callback: so many that a call may cost something, as where it takes an interpreter's
/// lock, and still few enough for a core's cache.
const BATCH_SLICE: usize = 512;

/// Makes messages of the next reports of a delivery, in slots that are `rk_message_t::of` it, where what all have in common is
/// set already. Returns how many there are, 0 at the end. With `only_errors` those of delivered records are left out.
pub(super) fn fill(slots: &mut [rk_message_t], reports: &mut Reports<'_>, d: &Delivery, only_errors: bool) -> usize {
    let skips = |err| only_errors && err == RespErr::NO_ERROR;
    if d.common().is_some_and(|(err, ..)| !skips(err)) {
        let mut slots = slots.iter_mut();
        return reports.each_in_common(slots.len(), |r| {
            if let Some(m) = slots.next() {
                m.set_record(&r);
            }
        });
    }
    let mut made = 0;
    while made < slots.len() {
        let Some(r) = reports.next() else { break };
        if !skips(r.err) {
            slots[made].set(&r);
            made += 1;
        }
    }
    made
}

/// After so many events a poll returns even if there are more, so that it ends while others keep producing.
const POLL_MAX: usize = 100_000;

/// Delivery reports of one batch; returns how many there were.
fn deliver(rk: *mut rk_producer_t, inner: &Inner, scratch: &mut Vec<rk_message_t>, d: &Delivery) -> usize {
    let acknowledged = acknowledge(rk, inner, d);
    if acknowledged > 0 && inner.client.is_parents() {
        // An interceptor forked, and this is the child.
        return acknowledged;
    }
    let cb = &inner.callbacks;
    let mut template = rk_message_t::of(d);
    let common = d.common();
    let only_errors = inner.only_errors;
    if only_errors && common.is_some_and(|(err, ..)| err == RespErr::NO_ERROR) {
        return acknowledged;
    }
    let skip = |r: &Report<'_>| only_errors && r.err == RespErr::NO_ERROR;
    let mut served = 0;
    if let Some(call) = cb.dr_batch {
        scratch.clear();
        scratch.resize(d.count().min(BATCH_SLICE), template);
        let mut reports = d.reports();
        loop {
            let made = fill(scratch, &mut reports, d, only_errors);
            if made == 0 {
                break;
            }
            served += made;
            // SAFETY: the application's function, called as its type says; the array lives until it returns.
            unsafe { call(rk, scratch.as_ptr(), made, cb.opaque) };
        }
    } else if let Some(call) = cb.dr_msg {
        let mut serve = |template: &rk_message_t| {
            served += 1;
            // SAFETY: the application's function, called as its type says; the message lives until it returns.
            unsafe { call(rk, template, cb.opaque) };
        };
        if common.is_some() {
            d.each_report(|r| {
                template.set_record(&r);
                serve(&template);
            });
        } else {
            for r in d.reports().filter(|r| !skip(r)) {
                template.set(&r);
                serve(&template);
            }
        }
    }
    served.max(acknowledged)
}

/// Text for C: a NUL inside would end it early, so it becomes a space.
pub(super) fn c_text(s: &str) -> CString {
    CString::new(s).unwrap_or_else(|_| CString::new(s.replace('\0', " ")).unwrap_or_default())
}

/// Calls the log callback.
pub(super) fn log_line(rk: *mut rk_producer_t, cb: &Callbacks, level: i32, facility: &str, text: &str) {
    if let Some(call) = cb.log {
        let (facility, text) = (c_text(facility), c_text(text));
        // SAFETY: the application's function, called as its type says.
        unsafe { call(rk, level as c_int, facility.as_ptr(), text.as_ptr(), cb.opaque) };
    }
}

/// Runs the callbacks of one event; returns how many events the application counts in it.
fn dispatch(rk: *mut rk_producer_t, inner: &Inner, scratch: &mut Vec<rk_message_t>, event: Event) -> usize {
    let cb = &inner.callbacks;
    match event {
        // The delivery is dropped after its callbacks, and with it memory and credits go back.
        Event::Delivery(d) => {
            let served = deliver(rk, inner, scratch, &d);
            if inner.client.is_parents() {
                // A callback forked, and this is the child: memory and credits are the parent's.
                std::mem::forget(d);
            }
            served
        }
        Event::Error { code, text, fatal } => {
            let Some(call) = cb.error else { return 0 };
            let text = c_text(&text);
            // SAFETY: the application's function, called as its type says.
            unsafe { call(rk, told(code, fatal).0, text.as_ptr(), cb.opaque) };
            1
        }
        Event::Throttle { broker_name, broker_id, throttle_ms } => {
            let Some(call) = cb.throttle else { return 0 };
            let name = c_text(&broker_name);
            // SAFETY: the application's function, called as its type says.
            unsafe { call(rk, name.as_ptr(), broker_id, throttle_ms, cb.opaque) };
            1
        }
        Event::Log { level, facility, text } => {
            log_line(rk, cb, level, facility, &text);
            usize::from(cb.log.is_some())
        }
        Event::TokenRefresh(config) => {
            let Some(call) = cb.token_refresh else { return 0 };
            let config = c_text(config.expose());
            // SAFETY: the application's function, called as its type says.
            unsafe { call(rk, config.as_ptr(), cb.opaque) };
            config.into_bytes_with_nul().zeroize();
            1
        }
        Event::Stats(json) => {
            let Some(call) = cb.stats else { return 0 };
            let json = c_text(&json);
            // SAFETY: the application's function, called as its type says.
            unsafe { call(rk, json.as_ptr(), json.as_bytes().len(), cb.opaque) };
            1
        }
    }
}

/// The code that an error event bears: one for all that are fatal, so that none is taken for a passing one.
/// `rk_producer_fatal_error` has the error itself.
pub(super) fn told(code: RespErr, fatal: bool) -> RespErr {
    if fatal {
        RespErr::ERR__FATAL
    } else {
        code
    }
}

/// The kind that `rk_conf_set_events` knows an event by.
pub(super) fn kind(event: &Event) -> c_int {
    match event {
        Event::Delivery(_) => RK_EVENT_DR,
        Event::Error { .. } => RK_EVENT_ERROR,
        Event::Throttle { .. } => RK_EVENT_THROTTLE,
        Event::Log { .. } => RK_EVENT_LOG,
        Event::Stats(_) => RK_EVENT_STATS,
        Event::TokenRefresh(_) => RK_EVENT_OAUTHBEARER_TOKEN_REFRESH,
    }
}

/// A point in time to wait for.
#[derive(Clone, Copy)]
pub(super) enum Until {
    Now,
    At(Instant),
    Ever,
}

impl Until {
    pub fn after(timeout: Option<Duration>) -> Until {
        match timeout {
            Some(Duration::ZERO) => Until::Now,
            // Past the end of the clock is never.
            Some(t) => Instant::now().checked_add(t).map_or(Until::Ever, Until::At),
            None => Until::Ever,
        }
    }

    pub fn left(self) -> Option<Duration> {
        match self {
            Until::Now => Some(Duration::ZERO),
            Until::At(t) => Some(t.saturating_duration_since(Instant::now())),
            Until::Ever => None,
        }
    }
}

/// Waits for the first event, then runs the callbacks of everything that is there. Within a frame.
pub(super) fn serve(rk: *mut rk_producer_t, inner: &Inner, until: Until, stop: impl Fn(usize) -> bool) -> usize {
    let Some(first) = inner.client.poll_event(until.left()) else { return 0 };
    let mut scratch = inner.scratch.lock().pop().unwrap_or_default();
    let mut served = dispatch(rk, inner, &mut scratch, first);
    while !stop(served) {
        // An event that nobody listens to is no reason to return early.
        let wait = if served == 0 { until.left() } else { Some(Duration::ZERO) };
        let Some(event) = inner.client.poll_event(wait) else { break };
        served += dispatch(rk, inner, &mut scratch, event);
    }
    scratch.clear();
    if !inner.client.is_parents() {
        inner.scratch.lock().push(scratch);
    }
    served
}

/// `rk_producer_poll`.
pub(super) fn poll(rk: *mut rk_producer_t, inner: &Inner, timeout: Option<Duration>) -> usize {
    serve(rk, inner, Until::after(timeout), |served| served >= POLL_MAX)
}

/// The next event of a kind that the application takes as an event; other kinds go to their callbacks.
pub(super) fn next_event(rk: *mut rk_producer_t, inner: &Inner, timeout: Option<Duration>) -> Option<Event> {
    let until = Until::after(timeout);
    loop {
        let event = inner.client.poll_event(until.left())?;
        if kind(&event) & inner.callbacks.events != 0 {
            let Event::Delivery(d) = &event else { return Some(event) };
            if !inner.chain.acknowledges() {
                return Some(event);
            }
            with_frame(inner.id(), || acknowledge(rk, inner, d));
            if inner.client.is_parents() {
                // An interceptor forked, and this is the child: memory and credits are the parent's.
                std::mem::forget(event);
                return None;
            }
            if inner.only_errors && d.clean() {
                // It came for the interceptors alone.
                continue;
            }
            return Some(event);
        }
        let mut scratch = Vec::new();
        with_frame(inner.id(), || dispatch(rk, inner, &mut scratch, event));
    }
}

/// How long a flush waits before it looks again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LAST_PAUSE: Duration = Duration::from_millis(10);

/// Waits, serving events unless they are the application's to take, until no message is pending. False: time is up.
pub(super) fn flush(rk: *mut rk_producer_t, inner: &Inner, timeout: Option<Duration>) -> bool {
    struct Flushing<'a>(&'a Inner);
    impl Drop for Flushing<'_> {
        fn drop(&mut self) {
            self.0.client.set_flushing(false);
        }
    }
    let until = Until::after(timeout);
    inner.client.set_flushing(true);
    let _flushing = Flushing(inner);
    // Reports that nobody wants, or that another thread serves, do not wake this one, so it looks again by itself.
    let mut pause = FIRST_PAUSE;
    loop {
        if inner.client.messages_pending() == 0 {
            // What came with or behind the last report, for instance the error that made it fail.
            if inner.callbacks.events == 0 {
                serve(rk, inner, Until::Now, |served| served >= POLL_MAX);
            }
            return true;
        }
        if inner.client.is_parents() {
            return false;
        }
        let left = until.left();
        let slice = left.map_or(pause, |l| l.min(pause));
        if inner.callbacks.events == 0 {
            let done = |_| inner.client.messages_pending() == 0;
            if serve(rk, inner, Until::after(Some(slice)), done) > 0 {
                pause = FIRST_PAUSE;
            }
        } else {
            std::thread::sleep(slice);
        }
        if left == Some(Duration::ZERO) {
            return inner.client.messages_pending() == 0;
        }
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_nest_and_end_even_with_a_panic() {
        assert!(!within_callback(1));
        with_frame(1, || {
            assert!(within_callback(1) && !within_callback(2));
            with_frame(2, || assert!(within_callback(1) && within_callback(2)));
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(|_| {}));
            assert!(std::panic::catch_unwind(|| with_frame(3, || panic!())).is_err());
            std::panic::set_hook(hook);
            assert!(within_callback(1) && !within_callback(2) && !within_callback(3));
            assert!(!std::thread::spawn(|| within_callback(1)).join().unwrap());
        });
        assert!(!within_callback(1));
    }

    #[test]
    fn time_left_never_overflows() {
        assert_eq!(Until::after(None).left(), None);
        assert_eq!(Until::after(Some(Duration::ZERO)).left(), Some(Duration::ZERO));
        assert!(Until::after(Some(Duration::MAX)).left().is_none());
        assert!(Until::after(Some(Duration::from_secs(9))).left() > Some(Duration::from_secs(8)));
    }
}
