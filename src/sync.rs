//! The one alias for atomics and locks, so that loom can swap them where the lock-free code is modelled.

#[cfg(loom)]
pub use loom::sync::atomic::{
    AtomicBool, AtomicI32, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};
#[cfg(not(loom))]
pub use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

#[cfg(loom)]
pub use loom::hint::spin_loop;
#[cfg(loom)]
pub use loom::thread::yield_now;
/// Lets others have this core: those that wait for it, or, where there are none, whom the scheduler moves there while this
/// thread sleeps for as short as the system can, some 50 us.
#[cfg(not(loom))]
pub fn nap() {
    use std::time::{Duration, Instant};
    /// So long a yield takes at the most that was for nothing.
    const IN_VAIN: Duration = Duration::from_micros(3);
    let begun = Instant::now();
    yield_now();
    if begun.elapsed() < IN_VAIN {
        std::thread::sleep(Duration::from_nanos(1));
    }
}
#[cfg(loom)]
pub use loom::thread::yield_now as nap;

#[cfg(not(loom))]
pub use std::hint::spin_loop;
#[cfg(not(loom))]
pub use std::thread::yield_now;

pub use std::sync::{Arc, OnceLock, Weak};

#[cfg(not(loom))]
pub use parking_lot::{Condvar, Mutex, MutexGuard};

/// loom's mutex behind parking_lot's interface.
#[cfg(loom)]
pub struct Mutex<T>(loom::sync::Mutex<T>);
#[cfg(loom)]
impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Mutex(loom::sync::Mutex::new(value))
    }
    pub fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
#[cfg(loom)]
pub use parking_lot::Condvar;
