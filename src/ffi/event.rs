//! `rk_event_*`: events as objects, for whoever cannot take callbacks.

use super::dispatch::{c_text, fill, kind, told};
use super::guard::{guard, live, live_mut, put};
use super::handle::{give, handle, take};
use super::types::*;
use crate::client::{Delivery, Event, Reports};
use crate::error::RespErr;
use std::ffi::{c_char, c_int, CString};
use zeroize::Zeroize;

/// An event. Not thread-safe, but any thread may use and free it.
pub struct rk_event_t {
    kind: c_int,
    /// Text of an error, log line, statistics document; broker name of a throttle.
    text: CString,
    facility: CString,
    code: RespErr,
    fatal: bool,
    /// Level of a log line; id of a broker.
    number: i32,
    throttle_ms: i32,
    dr: Option<DrWalk>,
}
handle!(rk_event_t, b'e', OF_PROCESS);

/// Delivery reports, walked record by record or as an array. Fields drop in this order: the walk before what it walks.
struct DrWalk {
    reports: Reports<'static>,
    /// Messages of the record-by-record walk, made some at a time, which costs less than one by one; how many there are, and
    /// the next of them. What they have in common is set once.
    slice: Box<[rk_message_t]>,
    made: usize,
    at: usize,
    /// The array, once it was asked for.
    all: Option<Vec<rk_message_t>>,
    only_errors: bool,
    delivery: Box<Delivery>,
}

/// As many as stay in a core's nearest cache.
const SLICE: usize = 64;

impl DrWalk {
    fn new(delivery: Delivery, only_errors: bool) -> DrWalk {
        let delivery = Box::new(delivery);
        let place = &raw const *delivery;
        // SAFETY: the box keeps the delivery where it is, unchanged, for as long as `reports` lives.
        let at_rest: &'static Delivery = unsafe { &*place };
        let slice = vec![rk_message_t::of(at_rest); at_rest.count().min(SLICE)].into_boxed_slice();
        DrWalk { reports: at_rest.reports(), slice, made: 0, at: 0, all: None, only_errors, delivery }
    }

    #[inline(always)]
    fn next(&mut self) -> Option<&rk_message_t> {
        if self.at == self.made {
            self.refill();
            if self.made == 0 {
                return None;
            }
        }
        let message = self.slice.get(self.at)?;
        self.at += 1;
        Some(message)
    }

    fn next_slice(&mut self) -> &[rk_message_t] {
        if self.at == self.made {
            self.refill();
        }
        let from = std::mem::replace(&mut self.at, self.made);
        self.slice.get(from..self.made).unwrap_or_default()
    }

    #[inline(never)]
    fn refill(&mut self) {
        self.at = 0;
        self.made = fill(&mut self.slice, &mut self.reports, &self.delivery, self.only_errors);
    }

    fn all(&mut self) -> &[rk_message_t] {
        if self.all.is_none() {
            let mut list = Vec::with_capacity(self.delivery.count());
            let mut message = rk_message_t::of(&self.delivery);
            self.delivery.each_report(|r| {
                if !(self.only_errors && r.err == RespErr::NO_ERROR) {
                    message.set(&r);
                    list.push(message);
                }
            });
            self.all = Some(list);
        }
        self.all.as_deref().unwrap_or_default()
    }
}

impl rk_event_t {
    pub(super) fn give(event: Event, only_errors: bool) -> *mut rk_event_t {
        let mut e = rk_event_t {
            kind: kind(&event),
            text: CString::default(),
            facility: CString::default(),
            code: RespErr::NO_ERROR,
            fatal: false,
            number: 0,
            throttle_ms: 0,
            dr: None,
        };
        match event {
            Event::Delivery(d) => {
                e.code = d.err();
                e.dr = Some(DrWalk::new(d, only_errors));
            }
            Event::Error { code, text, fatal } => (e.code, e.text, e.fatal) = (told(code, fatal), c_text(&text), fatal),
            Event::Throttle { broker_name, broker_id, throttle_ms } => {
                (e.text, e.number, e.throttle_ms) = (c_text(&broker_name), broker_id, throttle_ms);
            }
            Event::Log { level, facility, text } => {
                (e.number, e.facility, e.text) = (level, c_text(facility), c_text(&text));
            }
            Event::Stats(json) => e.text = c_text(&json),
            Event::TokenRefresh(config) => e.text = c_text(config.expose()),
        }
        give(e)
    }
}

/// The event's kind, one of RK_EVENT_*.
///
/// # Safety
/// `event` is NULL or a live event.
#[no_mangle]
pub unsafe extern "C" fn rk_event_type(event: *const rk_event_t) -> c_int {
    guard!(RK_EVENT_NONE, { live!(event, RK_EVENT_NONE).kind })
}

/// The property `sasl.oauthbearer.config`, of an event of the kind RK_EVENT_OAUTHBEARER_TOKEN_REFRESH; else NULL. It lives
/// as long as the event.
///
/// # Safety
/// `event` is NULL or a live event.
#[no_mangle]
pub unsafe extern "C" fn rk_event_config_string(event: *const rk_event_t) -> *const c_char {
    guard!(std::ptr::null(), {
        let e = live!(event, std::ptr::null());
        if e.kind == RK_EVENT_OAUTHBEARER_TOKEN_REFRESH {
            e.text.as_ptr()
        } else {
            std::ptr::null()
        }
    })
}

/// The name of the event's kind. It lives for ever.
///
/// # Safety
/// `event` is NULL or a live event.
#[no_mangle]
pub unsafe extern "C" fn rk_event_name(event: *const rk_event_t) -> *const c_char {
    guard!(c"(NONE)".as_ptr(), {
        let name = match live!(event, c"(NONE)".as_ptr()).kind {
            RK_EVENT_DR => c"DeliveryReport",
            RK_EVENT_LOG => c"Log",
            RK_EVENT_ERROR => c"Error",
            RK_EVENT_STATS => c"Statistics",
            RK_EVENT_THROTTLE => c"Throttle",
            RK_EVENT_OAUTHBEARER_TOKEN_REFRESH => c"SaslOAuthBearerTokenRefresh",
            _ => c"?",
        };
        name.as_ptr()
    })
}

/// RK_EVENT_DR: how many messages it reports on, all of one partition. With `delivery.report.only.error=true`, those
/// among them that were delivered are counted, but not listed. 0 for other kinds.
///
/// # Safety
/// `event` is NULL or a live event.
#[no_mangle]
pub unsafe extern "C" fn rk_event_message_count(event: *const rk_event_t) -> usize {
    guard!(0, { live!(event, 0).dr.as_ref().map_or(0, |dr| dr.delivery.count()) })
}

/// RK_EVENT_DR: the next report, in the order in which the messages were accepted; NULL at the end. The message is valid
/// until the next call; payload, key and headers, until the event is freed. Cheaper than rk_event_messages.
///
/// # Safety
/// `event` is NULL or a live event.
#[no_mangle]
pub unsafe extern "C" fn rk_event_message_next(event: *mut rk_event_t) -> *const rk_message_t {
    guard!(std::ptr::null(), {
        let e = live_mut!(event, std::ptr::null());
        e.dr.as_mut().and_then(DrWalk::next).map_or(std::ptr::null(), |m| m)
    })
}

/// RK_EVENT_DR: the next reports, as many as are at hand, in the order in which the messages were accepted: an array of
/// `*count` messages. NULL and 0 at the end; NULL, and nothing is passed over, without `count`. Like as many calls of
/// rk_event_message_next, and cheaper; the messages are valid until the next call of either; payload, key and headers, until
/// the event is freed.
///
/// # Safety
/// `event` is NULL or a live event; `count` is NULL or can be written.
#[no_mangle]
pub unsafe extern "C" fn rk_event_message_slice(event: *mut rk_event_t, count: *mut usize) -> *const rk_message_t {
    guard!(std::ptr::null(), {
        if count.is_null() {
            return std::ptr::null();
        }
        // SAFETY: by contract.
        unsafe { put(count, 0) };
        let e = live_mut!(event, std::ptr::null());
        let slice = e.dr.as_mut().map(DrWalk::next_slice).unwrap_or_default();
        if slice.is_empty() {
            return std::ptr::null();
        }
        // SAFETY: by contract.
        unsafe { put(count, slice.len()) };
        slice.as_ptr()
    })
}

/// RK_EVENT_DR: all reports as an array of `*count` messages, valid until the event is freed. Does not move
/// rk_event_message_next. NULL and 0 for other kinds.
///
/// # Safety
/// `event` is NULL or a live event; `count` is NULL or can be written.
#[no_mangle]
pub unsafe extern "C" fn rk_event_messages(event: *mut rk_event_t, count: *mut usize) -> *const rk_message_t {
    guard!(std::ptr::null(), {
        // SAFETY: by contract.
        unsafe { put(count, 0) };
        let e = live_mut!(event, std::ptr::null());
        let Some(dr) = &mut e.dr else { return std::ptr::null() };
        let all = dr.all();
        // SAFETY: by contract.
        unsafe { put(count, all.len()) };
        all.as_ptr()
    })
}

/// RK_EVENT_ERROR: the code, RK_RESP_ERR__FATAL for what rk_producer_fatal_error tells. RK_EVENT_DR: the batch's code; single messages may differ. Otherwise RK_RESP_ERR_NO_ERROR.
///
/// # Safety
/// `event` is NULL or a live event.
#[no_mangle]
pub unsafe extern "C" fn rk_event_error(event: *const rk_event_t) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, { live!(event, RespErr::NO_ERROR.0).code.0 })
}

/// RK_EVENT_ERROR: what happened; for other kinds the description of rk_event_error. Lives as long as the event.
///
/// # Safety
/// `event` is NULL or a live event.
#[no_mangle]
pub unsafe extern "C" fn rk_event_error_string(event: *const rk_event_t) -> *const c_char {
    guard!(c"".as_ptr(), {
        let e = live!(event, c"".as_ptr());
        if e.kind == RK_EVENT_ERROR {
            e.text.as_ptr()
        } else {
            e.code.description_cstr().as_ptr()
        }
    })
}

/// RK_EVENT_ERROR: 1 if the producer cannot go on, else 0.
///
/// # Safety
/// `event` is NULL or a live event.
#[no_mangle]
pub unsafe extern "C" fn rk_event_error_is_fatal(event: *const rk_event_t) -> c_int {
    guard!(0, { c_int::from(live!(event, 0).fatal) })
}

/// RK_EVENT_LOG: level (syslog's), facility and text. Returns 0, or −1 for other kinds. Strings live as long as the event;
/// outputs may be NULL.
///
/// # Safety
/// `event` is NULL or a live event; outputs are NULL or can be written.
#[no_mangle]
pub unsafe extern "C" fn rk_event_log(
    event: *const rk_event_t,
    level: *mut c_int,
    facility: *mut *const c_char,
    text: *mut *const c_char,
) -> c_int {
    guard!(-1, {
        let e = live!(event, -1);
        if e.kind != RK_EVENT_LOG {
            return -1;
        }
        // SAFETY: by contract.
        unsafe {
            put(level, e.number);
            put(facility, e.facility.as_ptr());
            put(text, e.text.as_ptr());
        }
        0
    })
}

/// RK_EVENT_STATS: the statistics document, JSON; NULL for other kinds. Lives as long as the event.
///
/// # Safety
/// `event` is NULL or a live event.
#[no_mangle]
pub unsafe extern "C" fn rk_event_stats(event: *const rk_event_t) -> *const c_char {
    guard!(std::ptr::null(), {
        let e = live!(event, std::ptr::null());
        if e.kind == RK_EVENT_STATS {
            e.text.as_ptr()
        } else {
            std::ptr::null()
        }
    })
}

/// RK_EVENT_THROTTLE: which broker, and for how many milliseconds. Returns 0, or −1 for other kinds. The name lives as long
/// as the event; outputs may be NULL.
///
/// # Safety
/// `event` is NULL or a live event; outputs are NULL or can be written.
#[no_mangle]
pub unsafe extern "C" fn rk_event_throttle(
    event: *const rk_event_t,
    broker_name: *mut *const c_char,
    broker_id: *mut i32,
    throttle_ms: *mut c_int,
) -> c_int {
    guard!(-1, {
        let e = live!(event, -1);
        if e.kind != RK_EVENT_THROTTLE {
            return -1;
        }
        // SAFETY: by contract.
        unsafe {
            put(broker_name, e.text.as_ptr());
            put(broker_id, e.number);
            put(throttle_ms, e.throttle_ms);
        }
        0
    })
}

/// Frees an event. For delivery reports, memory and queue space of their messages are given back. NULL is fine.
///
/// # Safety
/// `event` is NULL or a live event; it is gone afterwards.
#[no_mangle]
pub unsafe extern "C" fn rk_event_destroy(event: *mut rk_event_t) {
    guard!((), {
        // SAFETY: by contract.
        let Some(e) = (unsafe { take(event) }) else { return };
        if e.kind == RK_EVENT_OAUTHBEARER_TOKEN_REFRESH {
            // `sasl.oauthbearer.config` may hold secrets.
            e.text.into_bytes_with_nul().zeroize();
        }
    })
}
