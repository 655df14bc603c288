//! The boundary: every export's body is one `guard!`, so that no panic crosses into C, and every argument passes one of
//! the readers here, so that NULL, a length no slice may have, or text that is not UTF-8 is an answer and never a crash.

use std::ffi::{c_char, c_int, c_void, CStr};
use std::io::Write;
use std::time::Duration;

/// Longest key, value or header that a record can hold: lengths are 32-bit on the wire.
pub(super) const MAX_FIELD: usize = i32::MAX as usize;

/// Runs the body; a panic in it becomes `$fallback`. `return` in the body leaves the export.
macro_rules! guard {
    ($fallback:expr, $body:block) => {
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| $body)) {
            Ok(value) => value,
            Err(_) => {
                $crate::ffi::guard::panicked();
                $fallback
            }
        }
    };
}
pub(super) use guard;

/// The live object behind a handle; leaves the export with `$fallback` if there is none.
macro_rules! live {
    ($ptr:expr $(, $fallback:expr)?) => {
        // SAFETY: the export's contract: NULL, or a handle of this type that is alive (see handle.rs on how far the
        // latter is checked).
        match unsafe { $crate::ffi::handle::live($ptr) } {
            Some(object) => object,
            None => return $($fallback)?,
        }
    };
}
pub(super) use live;

/// As `live!`, for exports that wait or lock: leaves with `$child` if the object came from the parent process by fork.
macro_rules! live_here {
    ($ptr:expr, $fallback:expr, $child:expr) => {{
        let object = $crate::ffi::guard::live!($ptr, $fallback);
        // SAFETY: as in `live!`.
        if unsafe { $crate::ffi::handle::is_parents($ptr) } {
            return $child;
        }
        object
    }};
}
pub(super) use live_here;

/// As `live!`, for exports that change the object: the contract says that no other thread uses it meanwhile.
macro_rules! live_mut {
    ($ptr:expr $(, $fallback:expr)?) => {
        // SAFETY: as in `live!`, and the caller uses the object from one thread at a time.
        match unsafe { $crate::ffi::handle::live_mut($ptr) } {
            Some(object) => object,
            None => return $($fallback)?,
        }
    };
}
pub(super) use live_mut;

/// The panic hook has printed the message and the place; this says what it means.
#[cold]
pub(super) fn panicked() {
    let _ = writeln!(std::io::stderr(), "rkafka: bug: a panic was stopped at the C boundary; please report it");
}

/// Bytes given as pointer and length: `Ok(None)` for NULL with length 0, `Err` for NULL with a length and for lengths no
/// record can hold.
///
/// # Safety
/// `ptr` is NULL or good for reading `len` bytes during `'a`.
#[inline(always)]
pub(super) unsafe fn bytes<'a>(ptr: *const c_void, len: usize) -> Result<Option<&'a [u8]>, ()> {
    if len > MAX_FIELD {
        return Err(());
    }
    if ptr.is_null() {
        return if len == 0 { Ok(None) } else { Err(()) };
    }
    // SAFETY: not NULL, shorter than isize::MAX, readable by this function's contract.
    Ok(Some(unsafe { std::slice::from_raw_parts(ptr.cast(), len) }))
}

/// A payload, key or header whose length has been checked; `None` for NULL.
///
/// # Safety
/// `ptr` is NULL or good for reading `len` bytes, at most MAX_FIELD.
#[inline(always)]
pub(super) unsafe fn field<'a>(ptr: *const c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: by contract.
    (!ptr.is_null()).then(|| unsafe { std::slice::from_raw_parts(ptr.cast(), len) })
}

/// The bytes of a C string, or `None` for NULL.
///
/// # Safety
/// `ptr` is NULL or points to a string with a NUL at its end, unchanged during `'a`.
#[inline(always)]
pub(super) unsafe fn c_bytes<'a>(ptr: *const c_char) -> Option<&'a [u8]> {
    if ptr.is_null() {
        return None;
    }
    // SAFETY: not NULL; NUL-terminated by this function's contract.
    Some(unsafe { CStr::from_ptr(ptr) }.to_bytes())
}

/// Whether the bytes are UTF-8. Most names are ASCII, which takes a fraction of the time to tell, and have 8 to 16 bytes, of
/// which the first and the last 8 are all.
#[inline]
pub(super) fn is_utf8(bytes: &[u8]) -> bool {
    let ascii = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) if bytes.len() <= 16 => {
            (u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last)) & 0x8080_8080_8080_8080 == 0
        }
        _ => bytes.is_ascii(),
    };
    ascii || std::str::from_utf8(bytes).is_ok()
}

/// A C string as text; `None` for NULL and for bytes that are not UTF-8.
///
/// # Safety
/// As [`c_bytes`].
pub(super) unsafe fn text<'a>(ptr: *const c_char) -> Option<&'a str> {
    // SAFETY: the same contract.
    unsafe { c_bytes(ptr) }.and_then(|b| std::str::from_utf8(b).ok())
}

/// Writes `text` with a NUL at its end into the caller's buffer, cut at a character if it does not fit. NULs inside the
/// text would end it early and become spaces.
///
/// # Safety
/// `out` is NULL or good for writing `size` bytes.
pub(super) unsafe fn put_text(out: *mut c_char, size: usize, text: &str) {
    if out.is_null() || size == 0 {
        return;
    }
    let mut n = text.len().min(size - 1);
    while !text.is_char_boundary(n) {
        n -= 1;
    }
    for (i, &b) in text.as_bytes()[..n].iter().enumerate() {
        // SAFETY: i < n < size.
        unsafe { out.add(i).write(if b == 0 { b' ' } else { b } as c_char) };
    }
    // SAFETY: n < size.
    unsafe { out.add(n).write(0) };
}

/// Writes an output value; NULL means that the caller does not want it.
///
/// # Safety
/// `out` is NULL or good for writing one `T`.
#[inline(always)]
pub(super) unsafe fn put<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: not NULL; writable by this function's contract.
        unsafe { out.write(value) };
    }
}

/// A timeout as the C API gives it: negative waits for ever.
pub(super) fn timeout(ms: c_int) -> Option<Duration> {
    u64::try_from(ms).ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_character_and_always_ended() {
        let put = |text: &str, size: usize| {
            let mut out = [b'#' as c_char; 16];
            // SAFETY: the buffer has 16 bytes, size is less.
            unsafe { put_text(out.as_mut_ptr(), size, text) };
            out.iter().take_while(|c| **c != 0).map(|&c| c as u8 as char).collect::<String>().replace('#', "")
        };
        assert_eq!(put("abcdef", 4), "abc");
        assert_eq!(put("abcdef", 7), "abcdef");
        assert_eq!(put("abé", 4), "ab");
        assert_eq!(put("a\0b", 9), "a b");
        // SAFETY: a size of 0 writes nothing.
        unsafe { put_text(std::ptr::null_mut(), 10, "x") };
    }

    #[test]
    fn text_is_told_from_other_bytes_wherever_they_are() {
        for len in 0..40 {
            assert!(is_utf8(&b"n".repeat(len)));
            for at in 0..len {
                let mut bytes = b"n".repeat(len);
                bytes[at] = 0xff;
                assert!(!is_utf8(&bytes), "{len} {at}");
                bytes.splice(at..=at, "é".bytes());
                assert!(is_utf8(&bytes), "{len} {at}");
            }
        }
    }

    #[test]
    fn bytes_refuses_what_no_slice_may_be() {
        // SAFETY: nothing is read for NULL or for lengths over the limit.
        unsafe {
            assert_eq!(bytes(std::ptr::null(), 0), Ok(None));
            assert_eq!(bytes(std::ptr::null(), 1), Err(()));
            assert_eq!(bytes(b"x".as_ptr().cast(), usize::MAX), Err(()));
            assert_eq!(bytes(b"x".as_ptr().cast(), 0), Ok(Some(&b""[..])));
        }
    }

    #[test]
    fn a_panic_is_an_answer() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let answer = guard!(-7, { [1, 2, 3].get(5).copied().unwrap() });
        std::panic::set_hook(hook);
        assert_eq!(answer, -7);
    }
}
