//! The headers section of a record, and one made on the stack for a message about to be produced.

use super::record::{copy, NO_HEADERS};
use std::mem::MaybeUninit;

/// Longest name or value, and most headers, whose varint has one byte.
pub const SMALL: usize = 63;

/// Most bytes of a section made on the stack.
pub const ROOM: usize = 96;

/// The headers section of a record: count, then entries.
#[derive(Clone, Copy)]
pub struct Section<'a>(&'a [u8]);

impl<'a> Section<'a> {
    pub const NONE: Section<'static> = Section(NO_HEADERS);

    #[inline(always)]
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }
}

/// A few short headers that need no memory besides the stack, for the length of one call.
pub struct ShortHeaders {
    bytes: [MaybeUninit<u8>; ROOM],
    len: usize,
    count: usize,
}

impl ShortHeaders {
    #[inline(always)]
    pub fn new() -> Self {
        ShortHeaders { bytes: [MaybeUninit::uninit(); ROOM], len: 1, count: 0 }
    }

    /// Appends a header; false, with nothing done, if it is too long for that.
    #[allow(unsafe_code)]
    #[inline(always)]
    pub fn add(&mut self, name: &[u8], value: &[u8]) -> bool {
        let len = self.len + name.len() + value.len() + 2;
        if (name.len() | value.len() | (self.count + 1)) > SMALL || len > ROOM {
            return false;
        }
        // SAFETY: `len` is not more than there is room for, and where it ends after these writes.
        unsafe {
            let name_at = self.bytes.as_mut_ptr().cast::<u8>().add(self.len + 1);
            let value_at = name_at.add(name.len() + 1);
            *name_at.sub(1) = (name.len() as u8) << 1;
            *value_at.sub(1) = (value.len() as u8) << 1;
            copy_field(name.as_ptr(), name_at, name.len());
            copy_field(value.as_ptr(), value_at, value.len());
        }
        (self.len, self.count) = (len, self.count + 1);
        true
    }

    #[allow(unsafe_code)]
    #[inline(always)]
    pub fn section(&mut self) -> Section<'_> {
        self.bytes[0].write((self.count as u8) << 1);
        // SAFETY: the first `len` bytes were written, this one and by `add`.
        Section(unsafe { std::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.len) })
    }
}

/// `copy` for lengths that most names and values have.
///
/// # Safety
/// As `copy`.
#[allow(unsafe_code)]
#[inline(always)]
unsafe fn copy_field(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promises; both parts lie within the `len` bytes.
    unsafe {
        if (8..=16).contains(&len) {
            let (first, last) = (from.cast::<u64>().read_unaligned(), from.add(len - 8).cast::<u64>().read_unaligned());
            to.cast::<u64>().write_unaligned(first);
            to.add(len - 8).cast::<u64>().write_unaligned(last);
        } else {
            copy(from, to, len);
        }
    }
}

impl Default for ShortHeaders {
    fn default() -> Self {
        Self::new()
    }
}
