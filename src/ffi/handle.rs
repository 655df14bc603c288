//! Opaque handles: a Box whose first word is a tag of its type. Destroying overwrites the tag, so that most uses of a
//! handle after its destruction, of a handle of another type, and second destructions are noticed and refused. That is
//! best effort: once the allocator has reused the memory, nothing can be told any more.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// First field of every handle.
pub(super) struct Tag(AtomicU64);

impl Tag {
    pub fn new<T: Handle>() -> Tag {
        Tag(AtomicU64::new(T::TAG))
    }
}

const DEAD: u64 = 0xdead_0000_6b72_6b72;

pub(super) trait Handle {
    /// A number that memory rarely holds by chance, different for each type.
    const TAG: u64;
    /// Where the tag is. No reference is made: the memory may turn out to hold something else.
    ///
    /// # Safety
    /// `this` is not NULL.
    unsafe fn tag(this: *const Self) -> *const Tag;
}

/// Declares the tag of a handle type; `$letter` tells the types apart.
macro_rules! handle {
    ($type:ty, $letter:literal) => {
        impl $crate::ffi::handle::Handle for $type {
            const TAG: u64 = 0x726b_6b61_666b_6100 | $letter as u64;
            #[inline(always)]
            unsafe fn tag(this: *const Self) -> *const $crate::ffi::handle::Tag {
                // SAFETY: only the place is computed.
                unsafe { &raw const (*this).tag }
            }
        }
    };
}
pub(super) use handle;

/// Hands an object to C.
pub(super) fn give<T: Handle>(object: T) -> *mut T {
    Box::into_raw(Box::new(object))
}

/// The object behind a handle; `None` for NULL and for handles that are seen to be dead or of another type.
///
/// # Safety
/// `ptr` is NULL or came from [`give`], and the object is not changed or destroyed during `'a`.
#[inline(always)]
pub(super) unsafe fn live<'a, T: Handle>(ptr: *const T) -> Option<&'a T> {
    if ptr.is_null() {
        return None;
    }
    // SAFETY: not NULL; the tag tells whether the rest is what the type says.
    unsafe { ((*T::tag(ptr)).0.load(Relaxed) == T::TAG).then(|| &*ptr) }
}

/// As [`live`], to change the object.
///
/// # Safety
/// As [`live`], and nothing else refers to the object during `'a`.
#[inline(always)]
pub(super) unsafe fn live_mut<'a, T: Handle>(ptr: *mut T) -> Option<&'a mut T> {
    // SAFETY: by contract.
    unsafe { live(ptr)? };
    // SAFETY: it is alive, and nothing else refers to it.
    Some(unsafe { &mut *ptr })
}

/// Takes the object back from C, and marks the handle dead.
///
/// # Safety
/// As [`live_mut`]; the handle is not used afterwards.
pub(super) unsafe fn take<T: Handle>(ptr: *mut T) -> Option<Box<T>> {
    // SAFETY: not NULL.
    if ptr.is_null() || unsafe { (*T::tag(ptr)).0.compare_exchange(T::TAG, DEAD, Relaxed, Relaxed) }.is_err() {
        return None;
    }
    // SAFETY: it came from `give`, and the tag says that nobody took it before.
    Some(unsafe { Box::from_raw(ptr) })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct A {
        tag: Tag,
        value: u8,
    }
    handle!(A, b'A');
    struct B {
        tag: Tag,
    }
    handle!(B, b'B');

    #[test]
    fn null_and_foreign_handles_are_refused() {
        let a = give(A { tag: Tag::new::<A>(), value: 7 });
        let b = give(B { tag: Tag::new::<B>() });
        // SAFETY: both are alive; a B is as large as the tag that is read of it.
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
