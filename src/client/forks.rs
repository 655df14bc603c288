//! After fork(2) a child has a copy of every client and none of its threads: nothing would ever be sent, a lock that one of
//! those threads held would never be released, and the connections are the parent's. So in a child, clients of the parent
//! refuse everything with `ERR__STATE`, and are leaked instead of closed. A child may make clients of its own.

use super::shared::Shared;
use crate::error::RespErr;
use crate::sys::fork::on_fork;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering::*};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};

/// What a client that came by fork says of itself.
pub const MADE_BEFORE_FORK: &str =
    "the producer was made by the parent of this process, before fork(): its threads and connections are \
                       the parent's; make a new one here";

/// Forks between the first process and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);

type Clients = Vec<Weak<Shared>>;
/// The clients made in this process. Locked throughout each fork, so that the child finds it whole.
static CLIENTS: Mutex<Clients> = Mutex::new(Vec::new());

thread_local! {
    static HELD: RefCell<Option<MutexGuard<'static, Clients>>> = const { RefCell::new(None) };
}

/// Tells processes apart that came from each other by fork: what was made under another generation is not this process's.
#[inline(always)]
pub fn generation() -> u32 {
    GENERATION.load(Relaxed)
}

/// From now on a child of this process will find the client refused.
pub fn register(shared: &Arc<Shared>) {
    static HANDLERS: Once = Once::new();
    HANDLERS.call_once(|| on_fork(before, parent, child));
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    clients.retain(|c| c.strong_count() > 0);
    clients.push(Arc::downgrade(shared));
}

extern "C" fn before() {
    let guard = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    // A thread that is about to end has no such place any more; then the list is just not locked.
    let _ = HELD.try_with(|held| *held.borrow_mut() = Some(guard));
}

extern "C" fn parent() {
    let _ = HELD.try_with(|held| held.borrow_mut().take());
}

extern "C" fn child() {
    GENERATION.fetch_add(1, Relaxed);
    let held = HELD.try_with(|held| held.borrow_mut().take()).ok().flatten();
    if let Some(mut clients) = held.or_else(|| CLIENTS.try_lock().ok()) {
        for shared in clients.drain(..).filter_map(|c| c.upgrade()) {
            // What produce looks at anyway: messages cost nothing more for this.
            shared.refuse.store(RespErr::ERR__STATE.0, Relaxed);
            // The last reference may have been another thread's, and its work must not be done here.
            std::mem::forget(shared);
        }
    }
}
