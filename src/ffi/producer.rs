//! `rk_producer_*`: the producer and its life.

use super::conf::rk_conf_t;
use super::dispatch::{self, Callbacks};
use super::event::rk_event_t;
use super::guard::{guard, live, live_here, live_mut, put_text, text, timeout};
use super::handle::{give, handle, is_parents, take, Lent};
use super::interceptor::Chain;
use super::mock::rk_mock_cluster_t;
use super::network;
use super::topic::rk_topic_t;
use super::types::*;
use crate::client::{Hooks, PartitionerArgs, Producer};
use crate::error::RespErr;
use parking_lot::Mutex;
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering::*};
use std::sync::{Arc, OnceLock};

/// A producer. Thread-safe: any thread may produce, poll, flush, purge and so on at any time; only rk_producer_destroy must
/// come after everything else.
///
/// After fork() it goes on in the parent. In the child its threads do not exist: everything fails at once with
/// RK_RESP_ERR__STATE, and rk_producer_destroy forgets it without freeing it. Make a new one there. A child that comes from
/// a fork within a delivery callback sees the rest of that batch's callbacks, should it return.
pub struct rk_producer_t {
    pub(super) inner: Arc<Inner>,
}
handle!(rk_producer_t, b'p', OF_PROCESS);

/// What topics keep alive after the producer's handle is gone.
pub(super) struct Inner {
    pub client: Producer,
    pub callbacks: Callbacks,
    /// Interceptors.
    pub chain: Arc<Chain>,
    /// `delivery.report.only.error`.
    pub only_errors: bool,
    /// Arrays for the batch callback, one for each thread that polls at once.
    pub scratch: Mutex<Vec<Vec<rk_message_t>>>,
    mock: OnceLock<Option<Lent<rk_mock_cluster_t>>>,
    me: Arc<Me>,
}

// SAFETY: the arrays are empty while they lie in `scratch`, so the pointers of their messages go nowhere; the lent handle
// is of a thread-safe object; all else is Send and Sync by itself.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

/// The handle as callbacks are given it: NULL before `rk_producer_new` has returned, and after destruction. Its address
/// tells producers apart in the list of callbacks a thread is in.
pub(super) struct Me(pub(super) AtomicPtr<rk_producer_t>);

impl Me {
    pub(super) fn id(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self) as usize
    }
}

impl Inner {
    /// What tells this producer apart in `dispatch::within_callback`.
    pub fn id(&self) -> usize {
        self.me.id()
    }
}

/// The callbacks that the client calls from its own threads and while producing.
fn hooks(cb: Callbacks, chain: &Arc<Chain>, log_queue: bool, me: &Arc<Me>) -> Hooks {
    let mut hooks = Hooks {
        want_delivery: cb.dr_msg.is_some()
            || cb.dr_batch.is_some()
            || cb.events & RK_EVENT_DR != 0
            || chain.acknowledges(),
        want_errors: cb.error.is_some() || cb.events & RK_EVENT_ERROR != 0,
        want_stats: cb.stats.is_some() || cb.events & RK_EVENT_STATS != 0,
        reports_are_polled: cb.dr_msg.is_none() && cb.dr_batch.is_none() && cb.events & RK_EVENT_DR != 0,
        want_token_refresh: cb.token_refresh.is_some() || cb.events & RK_EVENT_OAUTHBEARER_TOKEN_REFRESH != 0,
        want_throttle: cb.throttle.is_some() || cb.events & RK_EVENT_THROTTLE != 0,
        ..Hooks::default()
    };
    network::set_hooks(&mut hooks, cb, me);
    chain.set_hooks(&mut hooks, me);
    if cb.log.is_some() && !log_queue {
        let me = me.clone();
        hooks.log = Some(Box::new(move |level: i32, facility: &str, text: &str| {
            let log = || dispatch::log_line(me.0.load(Acquire), &cb, level, facility, text);
            dispatch::with_frame(me.id(), log);
        }));
    }
    if let Some(call) = cb.partitioner {
        let me = me.clone();
        hooks.partitioner = Some(Box::new(move |a: &PartitionerArgs<'_>| {
            let args = rk_partitioner_args_t {
                topic: a.topic.as_ptr(),
                key: a.key.map_or(std::ptr::null(), |k| k.as_ptr().cast()),
                key_len: a.key.map_or(0, <[u8]>::len),
                partition_cnt: a.partition_cnt,
                msg_opaque: a.msg_opaque as *mut c_void,
                _available: (&raw const a.available).cast(),
            };
            // Capture the whole of `cb`, which may cross threads, not its pointer alone.
            let cb = &cb;
            // SAFETY: the application's function, called as its type says.
            dispatch::with_frame(me.id(), || unsafe { call(&args, cb.opaque) })
        }));
    }
    hooks
}

/// Tells a partitioner callback whether a partition has a leader at the moment: 1 or 0.
///
/// # Safety
/// `args` is NULL or what the running partitioner callback was given.
#[no_mangle]
pub unsafe extern "C" fn rk_partitioner_available(args: *const rk_partitioner_args_t, partition: i32) -> c_int {
    guard!(0, {
        // SAFETY: by contract.
        let Some(args) = (unsafe { args.as_ref() }) else { return 0 };
        if args._available.is_null() || !(0..args.partition_cnt).contains(&partition) {
            return 0;
        }
        // SAFETY: `hooks` put a pointer to this type there; the function it refers to lives until the callback returns.
        let available = unsafe { *args._available.cast::<&dyn Fn(i32) -> bool>() };
        c_int::from(available(partition))
    })
}

/// Makes a producer and starts its threads. No broker needs to be up.
///
/// On success the configuration belongs to the producer: do not use or free it any more. On failure NULL is returned, the
/// text in `errstr` says why, and the configuration is still the caller's.
///
/// # Safety
/// `conf` is NULL or a live configuration that no other thread uses; `errstr` is NULL or has `errstr_size` bytes.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_new(
    conf: *mut rk_conf_t,
    errstr: *mut c_char,
    errstr_size: usize,
) -> *mut rk_producer_t {
    guard!(std::ptr::null_mut(), {
        let fail = |why: &str| {
            // SAFETY: by contract.
            unsafe { put_text(errstr, errstr_size, why) };
            std::ptr::null_mut()
        };
        let c = live_mut!(conf, fail("no configuration given, or it has been used already"));
        let is_on = |name| c.conf.get(name).is_ok_and(|v| v == "true");
        let me = Arc::new(Me(AtomicPtr::default()));
        let log_queue = is_on("log.queue");
        let only_errors = is_on("delivery.report.only.error");
        let chain = Chain::new(c.interceptors.clone());
        let (callbacks, settings) = (c.callbacks, c.conf.settled());
        // `c` is not used any more: callbacks, which may use the configuration, can be called from here on.
        let client = match settings.and_then(|s| Producer::with(s, hooks(callbacks, &chain, log_queue, &me))) {
            Ok(client) => client,
            Err(why) => return fail(&why),
        };
        let inner = Arc::new(Inner {
            client,
            callbacks,
            chain,
            only_errors,
            scratch: Mutex::default(),
            mock: OnceLock::new(),
            me: me.clone(),
        });
        let rk = give(rk_producer_t { inner });
        me.0.store(rk, Release);
        // SAFETY: by contract; `c` is not used any more.
        drop(unsafe { take(conf) });
        rk
    })
}

/// Ends a producer. What is still queued or in flight is given up: call rk_producer_flush before, to have it delivered.
/// Every message still gets its report: the callbacks are called on this thread, with RK_RESP_ERR__DESTROY or
/// RK_RESP_ERR__PURGE_QUEUE / _INFLIGHT for what was given up, and may still use the handle. Then threads have ended,
/// connections are closed, and the handle is gone. With events instead of callbacks, what has not been taken is dropped.
///
/// Topic handles and events may be destroyed before or after; topics refuse messages from now on. From within a callback
/// of the same producer this function is refused: it logs an error and does nothing. NULL is fine.
///
/// # Safety
/// `rk` is NULL or a live producer that no other thread uses; it is gone afterwards.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_destroy(rk: *mut rk_producer_t) {
    guard!((), {
        // SAFETY: by contract.
        let _ = unsafe { destroy(rk, 0) };
    })
}

/// rk_producer_destroy with a choice: RK_DESTROY_F_NO_REPORTS drops the reports of messages that are given up, and those
/// that wait to be served, instead of calling the callbacks for them. RK_RESP_ERR__INVALID_ARG, with nothing done, for other
/// flags and for NULL; RK_RESP_ERR__STATE, with nothing done, from within a callback of the same producer.
///
/// # Safety
/// As rk_producer_destroy.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_destroy_flags(rk: *mut rk_producer_t, flags: c_int) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        if flags & !RK_DESTROY_F_NO_REPORTS != 0 {
            return RespErr::ERR__INVALID_ARG.0;
        }
        // SAFETY: by contract.
        code(unsafe { destroy(rk, flags) })
    })
}

/// Ends a producer.
///
/// # Safety
/// As rk_producer_destroy.
unsafe fn destroy(rk: *mut rk_producer_t, flags: c_int) -> Result<(), RespErr> {
    // SAFETY: by contract.
    if unsafe { is_parents(rk) } {
        // SAFETY: by contract.
        drop(unsafe { take(rk) });
        return Ok(());
    }
    let p = live!(rk, Err(RespErr::ERR__INVALID_ARG));
    let inner = p.inner.clone();
    if dispatch::within_callback(inner.id()) {
        let text = "rk_producer_destroy was called within a callback of the same producer: refused";
        if inner.callbacks.log.is_some() {
            dispatch::log_line(rk, &inner.callbacks, 3, "DESTROY", text);
        } else {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "rkafka: {text}");
        }
        return Err(RespErr::ERR__STATE);
    }
    inner.client.close();
    if flags & RK_DESTROY_F_NO_REPORTS == 0 {
        dispatch::with_frame(inner.id(), || dispatch::serve(rk, &inner, dispatch::Until::Now, |_| false));
    } else {
        while inner.client.poll_event(Some(std::time::Duration::ZERO)).is_some() {}
    }
    inner.me.0.store(std::ptr::null_mut(), Release);
    // SAFETY: by contract; `p` is not used any more.
    drop(unsafe { take(rk) });
    Ok(())
}

/// The name of the client, as in logs: `client.id`, "#producer-" and a number. It lives as long as the producer.
///
/// # Safety
/// `rk` is NULL or a live producer.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_name(rk: *const rk_producer_t) -> *const c_char {
    guard!(std::ptr::null(), { live!(rk, std::ptr::null()).inner.client.name().as_ptr() })
}

/// Waits at most `timeout_ms` for events (0: not at all, −1: for ever), and runs the callbacks of all that are there, on
/// this thread. Returns how many events were served; each delivery report counts as one. A negative number is an error
/// code (rk_resp_err_t): RK_RESP_ERR__STATE from within a callback, or if rk_conf_set_events chose the callback-free way,
/// and RK_RESP_ERR__INVALID_ARG for NULL.
///
/// Several threads may poll at once; then reports of one partition may be served side by side, out of order.
///
/// # Safety
/// `rk` is NULL or a live producer.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_poll(rk: *mut rk_producer_t, timeout_ms: c_int) -> c_int {
    guard!(RespErr::ERR__FAIL.0, {
        let p = live_here!(rk, RespErr::ERR__INVALID_ARG.0, RespErr::ERR__STATE.0);
        let inner = &*p.inner;
        if inner.callbacks.events != 0 || dispatch::within_callback(inner.id()) {
            return RespErr::ERR__STATE.0;
        }
        let served = dispatch::with_frame(inner.id(), || dispatch::poll(rk, inner, timeout(timeout_ms)));
        if inner.client.is_parents() {
            return RespErr::ERR__STATE.0;
        }
        served.try_into().unwrap_or(c_int::MAX)
    })
}

/// Waits at most `timeout_ms` for an event (0: not at all, −1: for ever) of the kinds chosen by rk_conf_set_events, and
/// hands it out; NULL if none came. Events of other kinds are served by their callbacks meanwhile. Free it with
/// rk_event_destroy, soon: delivery reports hold the memory and the queue space of their messages until then.
///
/// NULL at once if no kind was chosen, and from within a callback.
///
/// # Safety
/// `rk` is NULL or a live producer.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_poll_event(rk: *mut rk_producer_t, timeout_ms: c_int) -> *mut rk_event_t {
    guard!(std::ptr::null_mut(), {
        let p = live!(rk, std::ptr::null_mut());
        let inner = &*p.inner;
        if inner.callbacks.events == 0 || dispatch::within_callback(inner.id()) {
            return std::ptr::null_mut();
        }
        match dispatch::next_event(rk, inner, timeout(timeout_ms)) {
            Some(event) => rk_event_t::give(event, inner.only_errors),
            None => std::ptr::null_mut(),
        }
    })
}

/// A descriptor that is readable while there is something for rk_producer_poll or rk_producer_poll_event: for poll(2),
/// epoll, kqueue, libuv, asyncio. It belongs to the producer: do not read, write or close it. −1 if there is none.
///
/// # Safety
/// `rk` is NULL or a live producer.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_event_fd(rk: *mut rk_producer_t) -> c_int {
    guard!(-1, { live!(rk, -1).inner.client.event_fd() })
}

/// Waits at most `timeout_ms` (−1: for ever) until every message has been delivered or has failed and its report has been
/// served, without regard to `linger.ms`. Serves events like rk_producer_poll, except if rk_conf_set_events was used: then
/// another thread must take the events. RK_RESP_ERR__TIMED_OUT if messages remain, RK_RESP_ERR__STATE from within a callback.
///
/// # Safety
/// `rk` is NULL or a live producer.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_flush(rk: *mut rk_producer_t, timeout_ms: c_int) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let p = live_here!(rk, RespErr::ERR__INVALID_ARG.0, RespErr::ERR__STATE.0);
        let inner = &*p.inner;
        if dispatch::within_callback(inner.id()) {
            return RespErr::ERR__STATE.0;
        }
        let done = dispatch::with_frame(inner.id(), || dispatch::flush(rk, inner, timeout(timeout_ms)));
        if inner.client.is_parents() {
            // A callback forked, and this is the child.
            RespErr::ERR__STATE.0
        } else if done {
            RespErr::NO_ERROR.0
        } else {
            RespErr::ERR__TIMED_OUT.0
        }
    })
}

/// Gives up messages: those that wait (RK_PURGE_F_QUEUE), those that are in flight (RK_PURGE_F_INFLIGHT), or both. Their
/// reports come with RK_RESP_ERR__PURGE_QUEUE and RK_RESP_ERR__PURGE_INFLIGHT, by poll as always. Neither is nothing to
/// do. May be called within callbacks. RK_RESP_ERR__INVALID_ARG for other flags.
///
/// # Safety
/// `rk` is NULL or a live producer.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_purge(rk: *mut rk_producer_t, flags: c_int) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let p = live!(rk, RespErr::ERR__INVALID_ARG.0);
        let known = RK_PURGE_F_QUEUE | RK_PURGE_F_INFLIGHT | RK_PURGE_F_NON_BLOCKING;
        if flags & !known != 0 {
            return RespErr::ERR__INVALID_ARG.0;
        }
        code(p.inner.client.purge(flags))
    })
}

/// Messages that were accepted and whose reports have not been served yet (while a delivery callback runs, those of its
/// batch are included), plus other events that wait to be polled.
///
/// # Safety
/// `rk` is NULL or a live producer.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_len(rk: *const rk_producer_t) -> c_int {
    guard!(0, { live!(rk, 0).inner.client.len().try_into().unwrap_or(c_int::MAX) })
}

/// The error that ended this producer's use, or RK_RESP_ERR_NO_ERROR; its text goes into `errstr`.
///
/// # Safety
/// `rk` is NULL or a live producer; `errstr` is NULL or has `errstr_size` bytes.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_fatal_error(
    rk: *const rk_producer_t,
    errstr: *mut c_char,
    errstr_size: usize,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        let p = live!(rk, RespErr::ERR__INVALID_ARG.0);
        match p.inner.client.fatal_error() {
            None => RespErr::NO_ERROR.0,
            Some((err, why)) => {
                // SAFETY: by contract.
                unsafe { put_text(errstr, errstr_size, &why) };
                err.0
            }
        }
    })
}

/// A handle to a topic, for producing without looking up the name: thread-safe, free it with rk_topic_destroy. The topic
/// need not exist yet. NULL if the name is no legal topic name (1 to 249 of a–z, A–Z, 0–9, '.', '_' and '-', not "." or
/// "..").
///
/// # Safety
/// `rk` is NULL or a live producer; `topic` is NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_topic(rk: *mut rk_producer_t, topic: *const c_char) -> *mut rk_topic_t {
    guard!(std::ptr::null_mut(), {
        let p = live!(rk, std::ptr::null_mut());
        // SAFETY: by contract.
        let Some(name) = (unsafe { text(topic) }) else { return std::ptr::null_mut() };
        match p.inner.client.topic(name) {
            Ok(topic) => rk_topic_t::give(topic, p.inner.clone()),
            Err(_) => std::ptr::null_mut(),
        }
    })
}

/// The embedded cluster that the property `test.mock.num.brokers` started, to steer it with rk_mock_*; NULL if there is
/// none. It belongs to the producer: it is gone with it, and rk_mock_cluster_destroy leaves it alone.
///
/// # Safety
/// `rk` is NULL or a live producer.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_mock(rk: *mut rk_producer_t) -> *mut rk_mock_cluster_t {
    guard!(std::ptr::null_mut(), {
        let inner = &live_here!(rk, std::ptr::null_mut(), std::ptr::null_mut()).inner;
        let lent = inner.mock.get_or_init(|| inner.client.mock_cluster().map(rk_mock_cluster_t::lend));
        lent.as_ref().map_or(std::ptr::null_mut(), |m| m.0)
    })
}

/// A result as C gets it.
#[inline(always)]
pub(super) fn code(result: Result<(), RespErr>) -> rk_resp_err_t {
    match result {
        Ok(()) => RespErr::NO_ERROR.0,
        Err(e) => e.0,
    }
}
