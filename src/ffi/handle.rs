//! Opaque handles: what C holds is a pointer to a tag, which tells the type, with the object behind it. Destroying
//! overwrites the tag, so that most uses of a handle after its destruction, of a handle of another type, and second
//! destructions are noticed and refused. That is best effort: once the allocator has reused the memory, nothing can be
//! told any more.

use crate::client::generation;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(super) trait Handle {
    /// A number that memory rarely holds by chance, different for each type.
    const TAG: u64;
    /// It lives with threads of the process that made it. In a child (fork) destroying it only marks it as dead.
    const OF_PROCESS: bool = false;
    /// In a child it is as good as dead at once.
    const ONLY_THERE: bool = false;
}

/// What a handle points to; C sees it as an opaque `T`. The tag comes first, so that it can be read whatever the type is.
#[repr(C)]
struct Tagged<T> {
    tag: AtomicU64,
    /// The process that it was made in (`client::generation`).
    generation: u32,
    object: T,
}

const DEAD: u64 = 0xdead_0000_6b72_6b72;

/// Declares the tag of a handle type; `$letter` tells the types apart.
macro_rules! handle {
    ($type:ty, $letter:literal) => {
        impl $crate::ffi::handle::Handle for $type {
            const TAG: u64 = 0x726b_6b61_666b_6100 | $letter as u64;
        }
    };
    ($type:ty, $letter:literal, $($limit:ident),+) => {
        impl $crate::ffi::handle::Handle for $type {
            const TAG: u64 = 0x726b_6b61_666b_6100 | $letter as u64;
            $(const $limit: bool = true;)+
        }
    };
}
pub(super) use handle;

/// Hands an object to C.
pub(super) fn give<T: Handle>(object: T) -> *mut T {
    Box::into_raw(Box::new(Tagged { tag: AtomicU64::new(T::TAG), generation: generation(), object })).cast()
}

/// The tag of whatever the handle points to.
///
/// # Safety
/// `ptr` is not NULL and came from [`give`], of this type or another.
#[inline(always)]
unsafe fn tag<'a, T>(ptr: *const T) -> &'a AtomicU64 {
    // SAFETY: every handle begins with its tag.
    unsafe { &*ptr.cast::<AtomicU64>() }
}

/// The object behind a handle; `None` for NULL and for handles that are seen to be dead or of another type.
///
/// # Safety
/// `ptr` is NULL or came from [`give`], and the object is not changed or destroyed during `'a`.
#[inline(always)]
pub(super) unsafe fn live<'a, T: Handle>(ptr: *const T) -> Option<&'a T> {
    // SAFETY: by contract.
    if ptr.is_null() || unsafe { tag(ptr) }.load(Relaxed) != T::TAG {
        return None;
    }
    // SAFETY: the tag says that it is a `Tagged<T>`.
    let tagged = unsafe { &*ptr.cast::<Tagged<T>>() };
    if T::ONLY_THERE && tagged.generation != generation() {
        return None;
    }
    Some(&tagged.object)
}

/// Whether a handle came into this process by fork: it is alive, and was made by the parent.
///
/// # Safety
/// As [`live`].
pub(super) unsafe fn is_parents<T: Handle>(ptr: *const T) -> bool {
    // SAFETY: by contract.
    if ptr.is_null() || unsafe { tag(ptr) }.load(Relaxed) != T::TAG {
        return false;
    }
    // SAFETY: the tag says that it is a `Tagged<T>`.
    unsafe { (*ptr.cast::<Tagged<T>>()).generation != generation() }
}

/// As [`live`], to change the object.
///
/// # Safety
/// As [`live`], and nothing else refers to the object during `'a`.
#[inline(always)]
pub(super) unsafe fn live_mut<'a, T: Handle>(ptr: *mut T) -> Option<&'a mut T> {
    // SAFETY: by contract.
    if ptr.is_null() || unsafe { tag(ptr) }.load(Relaxed) != T::TAG {
        return None;
    }
    // SAFETY: the tag says that it is a `Tagged<T>`; nothing else refers to it.
    Some(unsafe { &mut (*ptr.cast::<Tagged<T>>()).object })
}

/// Takes the object back from C, and marks the handle dead.
///
/// # Safety
/// As [`live_mut`]; the handle is not used afterwards.
pub(super) unsafe fn take<T: Handle>(ptr: *mut T) -> Option<T> {
    // SAFETY: by contract.
    if ptr.is_null() || unsafe { tag(ptr) }.compare_exchange(T::TAG, DEAD, Relaxed, Relaxed).is_err() {
        return None;
    }
    // SAFETY: it came from `give`, of this type, and the tag says that nobody took it before.
    let tagged = unsafe { Box::from_raw(ptr.cast::<Tagged<T>>()) };
    if T::OF_PROCESS && tagged.generation != generation() {
        // Freeing it would wait for threads and locks that are the parent's.
        Box::leak(tagged);
        return None;
    }
    Some(tagged.object)
}

/// A handle that C may use but that belongs to the library: gone with its owner.
pub(super) struct Lent<T: Handle>(pub *mut T);

impl<T: Handle> Drop for Lent<T> {
    fn drop(&mut self) {
        // SAFETY: it came from `give`; C's use of it has ended with its owner, by contract.
        drop(unsafe { take(self.0) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct A {
        value: u64,
    }
    handle!(A, b'A');
    struct B;
    handle!(B, b'B');

    #[test]
    fn null_and_foreign_handles_are_refused() {
        let a = give(A { value: 7 });
        let b = give(B);
        // SAFETY: both are alive.
        unsafe {
            assert_eq!(live(a).map(|a| a.value), Some(7));
            assert!(live(b.cast::<A>()).is_none() && live(std::ptr::null::<A>()).is_none());
            assert!(take(b.cast::<A>()).is_none());
            live_mut(a).unwrap().value = 8;
            assert_eq!(take(a).map(|a| a.value), Some(8));
            assert!(take(b).is_some());
        }
    }
}
