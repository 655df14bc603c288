//! The headers section of a record, and short ones, which need no memory besides their own.

use super::record::{copy_small, NO_HEADERS};
use std::mem::MaybeUninit;

/// Longest name or value, and most headers, whose varint has one byte.
pub const SMALL: usize = 63;

/// Most bytes of a short section.
pub const ROOM: usize = 96;

/// The headers section of a record: count, then entries.
#[derive(Clone, Copy)]
pub struct Section<'a>(&'a [u8]);

impl<'a> Section<'a> {
    pub const NONE: Section<'static> = Section(NO_HEADERS);

    /// `raw` is a section: the caller wrote one there.
    pub fn of(raw: &'a [u8]) -> Section<'a> {
        Section(raw)
    }

    #[inline(always)]
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }
}

/// A few short headers, none of them null.
#[derive(Clone)]
pub struct ShortHeaders {
    /// The section: the first `len` bytes are written.
    bytes: [MaybeUninit<u8>; ROOM],
    len: usize,
    count: usize,
}

impl ShortHeaders {
    #[inline(always)]
    pub fn new() -> Self {
        let mut bytes = [MaybeUninit::uninit(); ROOM];
        bytes[0].write(0);
        ShortHeaders { bytes, len: 1, count: 0 }
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
            copy_small(name.as_ptr(), name_at, name.len());
            copy_small(value.as_ptr(), value_at, value.len());
        }
        (self.len, self.count) = (len, self.count + 1);
        self.bytes[0].write((self.count as u8) << 1);
        true
    }

    #[inline(always)]
    pub fn count(&self) -> usize {
        self.count
    }

    #[allow(unsafe_code)]
    #[inline(always)]
    pub fn section(&self) -> Section<'_> {
        // SAFETY: the first `len` bytes were written, the first by `new`, the others by `add`.
        Section(unsafe { std::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.len) })
    }
}

impl Default for ShortHeaders {
    fn default() -> Self {
        Self::new()
    }
}
