//! The headers section of a record: written by somebody before, or made in the record of a few short headers.

use super::record::{copy, copy_small, RecordRef, NO_HEADERS};
use std::mem::MaybeUninit;

/// A headers section, or what one is to be made of.
///
/// # Safety
/// `write` writes as many bytes as `section_len` says, one or more, which is the same each time. If `is_empty` says so, and only
/// then, that is one byte, a zero.
#[allow(unsafe_code)]
pub unsafe trait HeaderSection: Copy {
    /// Bytes of the section.
    fn section_len(self) -> usize;

    /// Whether there are no headers in it.
    fn is_empty(self) -> bool;

    /// Writes the section.
    ///
    /// # Safety
    /// `to` is valid for writes of `section_len` bytes, and nobody else accesses them meanwhile.
    unsafe fn write(self, to: *mut u8);

    /// Gives a record's section as bytes, which may need memory of its own.
    fn with_bytes<R>(rec: RecordRef<'_, Self>, f: impl FnOnce(RecordRef<'_>) -> R) -> R;
}

// SAFETY: a slice's length stays. Whoever fills in `RecordRef::headers` with bytes has a section there.
#[allow(unsafe_code)]
unsafe impl HeaderSection for &[u8] {
    #[inline(always)]
    fn section_len(self) -> usize {
        self.len()
    }

    #[inline(always)]
    fn is_empty(self) -> bool {
        self.len() == NO_HEADERS.len()
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut u8) {
        // SAFETY: by contract.
        unsafe { copy(self.as_ptr(), to, self.len()) }
    }

    #[inline(always)]
    fn with_bytes<R>(rec: RecordRef<'_, Self>, f: impl FnOnce(RecordRef<'_>) -> R) -> R {
        f(rec)
    }
}

/// A few short headers, none of them null, where the application has them: the section is made in the record.
#[derive(Clone, Copy)]
pub struct InPlace<'a, T, F> {
    headers: &'a [T],
    /// Name and value of one.
    parts: F,
    len: usize,
}

impl<'a, T: Copy, F: Fn(&'a T) -> (&'a [u8], &'a [u8]) + Copy> InPlace<'a, T, F> {
    /// One header or more and at most [`SMALL`]; `payload` is the length of all names and values together.
    ///
    /// # Safety
    /// That is their length, `parts` gives the same each time, and no name or value is longer than [`SMALL`].
    #[allow(unsafe_code)]
    #[inline(always)]
    pub unsafe fn new(headers: &'a [T], payload: usize, parts: F) -> Self {
        InPlace { headers, parts, len: 1 + 2 * headers.len() + payload }
    }
}

// SAFETY: by the contract of `new` the count is not zero, it and all lengths have one byte each, and the length was added up of
// these.
#[allow(unsafe_code)]
unsafe impl<'a, T: Copy, F: Fn(&'a T) -> (&'a [u8], &'a [u8]) + Copy> HeaderSection for InPlace<'a, T, F> {
    #[inline(always)]
    fn section_len(self) -> usize {
        self.len
    }

    #[inline(always)]
    fn is_empty(self) -> bool {
        false
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut u8) {
        // SAFETY: by contract so many bytes may be written, which is what these writes add up to.
        unsafe {
            *to = (self.headers.len() as u8) << 1;
            let mut at = to.add(1);
            for h in self.headers {
                let (name, value) = (self.parts)(h);
                at = put_header(at, name, value);
            }
            debug_assert_eq!(at.offset_from(to) as usize, self.len);
        }
    }

    #[cold]
    fn with_bytes<R>(rec: RecordRef<'_, Self>, f: impl FnOnce(RecordRef<'_>) -> R) -> R {
        let mut bytes = vec![0; rec.headers.len];
        // SAFETY: there are so many bytes.
        unsafe { rec.headers.write(bytes.as_mut_ptr()) };
        let RecordRef { key, value, timestamp_ms, now, opaque, aux, .. } = rec;
        f(RecordRef { key, value, headers: &bytes, timestamp_ms, now, opaque, aux })
    }
}

/// Writes one header; returns one past its last byte.
///
/// # Safety
/// Neither name nor value is longer than [`SMALL`]; `at` is valid for writes of both and two bytes more, which overlap neither.
#[allow(unsafe_code)]
#[inline(always)]
unsafe fn put_header(mut at: *mut u8, name: &[u8], value: &[u8]) -> *mut u8 {
    for part in [name, value] {
        // SAFETY: by contract; their lengths have one byte each.
        unsafe {
            *at = (part.len() as u8) << 1;
            copy_small(part.as_ptr(), at.add(1), part.len());
            at = at.add(1 + part.len());
        }
    }
    at
}

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
        // SAFETY: neither is longer than `SMALL`; `len` is not more than there is room for, and where it ends after this.
        unsafe { put_header(self.bytes.as_mut_ptr().cast::<u8>().add(self.len), name, value) };
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// For the lengths between which the ways to copy change, the section is the one that a list makes, and nothing is written
    /// beside it.
    #[test]
    #[allow(unsafe_code)]
    fn made_in_place_or_listed_a_section_is_the_same() {
        let bytes: Vec<u8> = (0..64).collect();
        for name_len in 0..=28 {
            for value_len in 0..=17 {
                for count in 1..=3 {
                    let (name, value) = (&bytes[..name_len], &bytes[64 - value_len..]);
                    let mut list = ShortHeaders::new();
                    let headers: Vec<(&[u8], &[u8])> = [(name, value), (value, name), (name, name)][..count].to_vec();
                    let payload = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
                    let listed = headers.iter().all(|(name, value)| list.add(name, value));
                    // SAFETY: these are their lengths, and they are short.
                    let section = unsafe { InPlace::new(&headers, payload, |h| *h) };
                    let n = section.section_len();
                    let mut written = vec![0xff; n + 2];
                    // SAFETY: `n` bytes from the second on are there.
                    unsafe { section.write(written[1..].as_mut_ptr()) };
                    assert_eq!((written[0], written[n + 1]), (0xff, 0xff));
                    assert_eq!(listed, n <= ROOM);
                    if listed {
                        assert_eq!(&written[1..=n], list.section().bytes());
                    }
                }
            }
        }
    }
}
