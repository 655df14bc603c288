//! Shortcuts of producing threads to what they last used: an atomic pointer that is followed without a reference count.

use super::budget::Budget;
use parking_lot::Mutex;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering::*};
use std::sync::Arc;

/// Threads are spread over so many shortcuts, by their `thread_hint`.
pub const SLOTS: usize = Budget::SHARDS;

/// A line of its own. Two, as where threads write all the time, are not worth their memory here.
#[repr(align(64))]
struct Slot<T>(AtomicPtr<T>);

/// What a shortcut ever pointed to is kept alive as long as this, so it should be things that live as long anyway.
pub struct Shortcuts<T> {
    slots: [Slot<T>; SLOTS],
    /// Sorted by address.
    kept: Mutex<Vec<Arc<T>>>,
}

impl<T> Default for Shortcuts<T> {
    fn default() -> Self {
        Shortcuts { slots: std::array::from_fn(|_| Slot(AtomicPtr::new(null_mut()))), kept: Mutex::new(Vec::new()) }
    }
}

impl<T> Shortcuts<T> {
    #[inline(always)]
    #[allow(unsafe_code)]
    pub fn get(&self, hint: usize) -> Option<&T> {
        // SAFETY: null, or from an `Arc` in `kept`, which is never taken out of it.
        unsafe { self.slots[hint % SLOTS].0.load(Acquire).as_ref() }
    }

    pub fn set(&self, hint: usize, to: &Arc<T>) {
        let at = Arc::as_ptr(to);
        let mut kept = self.kept.lock();
        if let Err(place) = kept.binary_search_by_key(&at, Arc::as_ptr) {
            kept.insert(place, to.clone());
        }
        drop(kept);
        self.slots[hint % SLOTS].0.store(at.cast_mut(), Release);
    }

    /// Until the next `set` no thread has one.
    pub fn clear(&self) {
        self.slots.iter().for_each(|s| s.0.store(null_mut(), Release));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_found_and_kept_until_the_end() {
        let (a, b) = (Arc::new(1), Arc::new(2));
        let s = Shortcuts::default();
        assert_eq!(s.get(3), None);
        for _ in 0..3 {
            s.set(3, &a);
            s.set(3 + SLOTS, &b);
            s.set(4, &a);
        }
        assert_eq!((s.get(3), s.get(4), s.get(5)), (Some(&2), Some(&1), None));
        assert_eq!((Arc::strong_count(&a), Arc::strong_count(&b)), (2, 2));
        s.clear();
        assert_eq!((s.get(3), s.get(4)), (None, None));
        assert_eq!(Arc::strong_count(&a), 2);
        drop(s);
        assert_eq!(Arc::strong_count(&a), 1);
    }
}
