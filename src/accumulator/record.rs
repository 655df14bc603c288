//! One record of a batch v2: its exact length before it is written, writing it into claimed memory, reading it back.
//!
//! All of it is inlined into callers that know which parts a record has not, and then costs nothing for those.
//!
//! Layout (Kafka protocol guide, "Record"): length varint, attributes i8, timestampDelta varlong, offsetDelta varint,
//! key length varint (−1: none), key, value length varint (−1: none), value, header count varint, headers.

use super::section::HeaderSection;
use crate::sys::clock::Tick;

/// What the application hands over, before it has an offset in a batch.
#[derive(Clone, Copy)]
pub struct RecordRef<'a, H = &'a [u8]> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// The headers section as it goes on the wire, its count included (see [`NO_HEADERS`]), or what it is to be made of.
    pub headers: H,
    /// CreateTime in milliseconds since the epoch; `None` is when it was handed over.
    pub timestamp_ms: Option<i64>,
    /// When it was handed over; also for the report's latency.
    pub now: Tick,
    pub opaque: usize,
    /// A number of the client's own that travels with the record to its report: below 2^31, or [`NO_AUX`].
    pub aux: u32,
}

/// No number travels with the record.
pub const NO_AUX: u32 = u32::MAX;

/// The headers section of a record without headers.
pub const NO_HEADERS: &[u8] = &[0];

/// Bytes of the varint of `v` (zigzag).
#[inline(always)]
pub fn varint_len(v: i64) -> usize {
    uvarint_len(zigzag(v))
}

#[inline(always)]
fn zigzag(v: i64) -> u64 {
    ((v << 1) ^ (v >> 63)) as u64
}

/// A number with its zigzag code, which is what varints are of.
pub fn with_zigzag(v: i64) -> (i64, u64) {
    (v, zigzag(v))
}

#[inline(always)]
pub(super) fn uvarint_len(z: u64) -> usize {
    // ceil(bits / 7), at least one, without a division.
    let bits = 64 - (z | 1).leading_zeros() as usize;
    (bits * 9 + 64) >> 6
}

impl<H: HeaderSection> RecordRef<'_, H> {
    /// The length that does not depend on the record's place in its batch: all but the two deltas and the length prefix.
    #[inline(always)]
    pub fn fixed_len(&self) -> usize {
        let part = |b: Option<&[u8]>| match b {
            // No length of a slice is negative.
            Some(b) => uvarint_len((b.len() as u64) << 1) + b.len(),
            None => 1,
        };
        1 + part(self.key) + part(self.value) + self.headers.section_len()
    }

    /// CreateTime in milliseconds since the epoch.
    pub fn create_ms(&self) -> i64 {
        self.timestamp_ms.unwrap_or_else(|| self.now.ms())
    }

    /// An upper bound of the whole record's length, wherever it lands.
    pub fn max_len(&self) -> usize {
        self.fixed_len() + 10 + 5 + 5
    }
}

/// A record's place in its batch, and how long it is there.
#[derive(Clone, Copy)]
pub struct Fit {
    pub(super) offset_delta: u32,
    pub(super) timestamp_delta: i64,
    timestamp_zigzag: u64,
    /// Length after the length prefix.
    body: usize,
    /// Length of the whole record.
    pub total: usize,
}

impl Fit {
    /// `fixed` is the record's `fixed_len`; `timestamp_zigzag` is as [`with_zigzag`] gives it.
    #[inline(always)]
    pub fn new(fixed: usize, offset_delta: u32, timestamp_delta: i64, timestamp_zigzag: u64) -> Fit {
        let body = fixed + uvarint_len(timestamp_zigzag) + uvarint_len((offset_delta as u64) << 1);
        let total = body + uvarint_len((body as u64) << 1);
        Fit { offset_delta, timestamp_delta, timestamp_zigzag, body, total }
    }
}

/// Writes the record at `at`; returns one past its last byte.
///
/// # Safety
/// `at` must be valid for writes of `fit.total` bytes, `fit` must have been made of this record's `fixed_len`, and nobody
/// else may access that memory meanwhile.
#[allow(unsafe_code)]
#[inline(always)]
pub unsafe fn write(at: *mut u8, rec: &RecordRef<'_, impl HeaderSection>, fit: &Fit) {
    // SAFETY: the caller vouches for `total` bytes from `at`, which is what these writes add up to.
    unsafe {
        let mut p = put_uvarint(at, (fit.body as u64) << 1);
        *p = 0; // attributes, unused in batch v2
        p = put_uvarint(p.add(1), fit.timestamp_zigzag);
        p = put_uvarint(p, (fit.offset_delta as u64) << 1);
        p = put_bytes::<true>(p, rec.key);
        if rec.headers.is_empty() {
            // Before the value, after whose copy nothing is to be remembered.
            *at.add(fit.total - 1) = NO_HEADERS[0];
            put_bytes::<false>(p, rec.value);
        } else {
            p = put_bytes::<false>(p, rec.value);
            rec.headers.write(p);
        }
    }
}

/// # Safety
/// `p` must be valid for writes of `uvarint_len(z)` bytes.
#[allow(unsafe_code)]
#[inline(always)]
unsafe fn put_uvarint(p: *mut u8, z: u64) -> *mut u8 {
    // SAFETY: one byte per seven bits, as counted by `uvarint_len`.
    unsafe {
        if z < 0x80 {
            *p = z as u8;
            p.add(1)
        } else if z < 0x4000 {
            *p = z as u8 | 0x80;
            *p.add(1) = (z >> 7) as u8;
            p.add(2)
        } else {
            put_long_uvarint(p, z)
        }
    }
}

/// # Safety
/// As `put_uvarint`.
#[allow(unsafe_code)]
#[cold]
unsafe fn put_long_uvarint(mut p: *mut u8, mut z: u64) -> *mut u8 {
    // SAFETY: one byte per seven bits, as counted by `uvarint_len`.
    unsafe {
        while z >= 0x80 {
            *p = z as u8 | 0x80;
            p = p.add(1);
            z >>= 7;
        }
        *p = z as u8;
        p.add(1)
    }
}

/// `KEY`: they are likely to be as short as most keys.
///
/// # Safety
/// `p` must be valid for writes of the length prefix and the bytes.
#[allow(unsafe_code)]
#[inline(always)]
unsafe fn put_bytes<const KEY: bool>(p: *mut u8, bytes: Option<&[u8]>) -> *mut u8 {
    // SAFETY: passed on to the caller; claimed memory never overlaps the caller's buffer.
    unsafe {
        match bytes {
            None => put_uvarint(p, zigzag(-1)),
            Some(b) => {
                let p = put_uvarint(p, (b.len() as u64) << 1);
                if KEY {
                    copy_small(b.as_ptr(), p, b.len());
                } else {
                    copy(b.as_ptr(), p, b.len());
                }
                p.add(b.len())
            }
        }
    }
}

/// Longer messages are worth a call of `memcpy`.
const SHORT_COPY: usize = 128;

/// `memcpy` for short messages, where they are written. Besides the call this spares what the C library may use for it: on
/// some processors the widest registers, after which the caller's own floating point can stall for many times what the copy
/// took.
///
/// # Safety
/// As `copy_nonoverlapping` of bytes.
#[allow(unsafe_code)]
#[inline(always)]
pub(super) unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: all ends lie within the `len` bytes; two from the same length on may overlap, with the same content.
    unsafe {
        match len {
            65..=SHORT_COPY => ends::<[u64; 8]>(from, to, len),
            33..=64 => ends::<[u64; 4]>(from, to, len),
            17..=32 => ends::<[u64; 2]>(from, to, len),
            8..=16 => ends::<u64>(from, to, len),
            4..=7 => ends::<u32>(from, to, len),
            2..=3 => ends::<u16>(from, to, len),
            1 => *to = *from,
            0 => {}
            _ => std::ptr::copy_nonoverlapping(from, to, len),
        }
    }
}

/// `copy` for what is likely to have 8 to 16 bytes: keys, and names and values of headers.
///
/// # Safety
/// As `copy`.
#[allow(unsafe_code)]
#[inline(always)]
pub(super) unsafe fn copy_small(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promises; both parts lie within the `len` bytes.
    unsafe {
        if (8..=16).contains(&len) {
            let (first, last) = (from.cast::<u64>().read_unaligned(), from.add(len - 8).cast::<u64>().read_unaligned());
            to.cast::<u64>().write_unaligned(first);
            to.add(len - 8).cast::<u64>().write_unaligned(last);
        } else {
            copy_apart(from, to, len);
        }
    }
}

/// `copy`, out of the way of what is likely.
///
/// # Safety
/// As `copy`.
#[allow(unsafe_code)]
#[inline(never)]
unsafe fn copy_apart(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: by contract.
    unsafe { copy(from, to, len) }
}

/// Copies the first and the last of the bytes, as many of each as `T` has.
///
/// # Safety
/// As `copy_nonoverlapping` of `len` bytes, which are at least those of `T`.
#[allow(unsafe_code)]
#[inline(always)]
unsafe fn ends<T: Copy>(from: *const u8, to: *mut u8, len: usize) {
    let last = len - size_of::<T>();
    // SAFETY: both parts lie within the `len` bytes.
    unsafe {
        to.cast::<T>().write_unaligned(from.cast::<T>().read_unaligned());
        to.add(last).cast::<T>().write_unaligned(from.add(last).cast::<T>().read_unaligned());
    }
}

/// A record read back from a chunk for its report. Only ever reads what [`write`] wrote.
#[derive(Clone, Copy)]
pub struct RecordView<'a> {
    pub timestamp_delta: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// The headers section, count included.
    pub headers: &'a [u8],
}

/// Reads the record at `at` and returns it with one past its last byte.
///
/// # Safety
/// At `at` there must be a record that [`write`] wrote, and it must stay unchanged for `'a`. So nothing is checked here:
/// this runs once per message in poll.
#[allow(unsafe_code)]
#[inline(always)]
pub unsafe fn read<'a>(at: *const u8) -> (RecordView<'a>, *const u8) {
    // SAFETY: the lengths in the record are those that `write` put there, so every pointer stays within it.
    unsafe {
        let (body_len, body) = get_varint(at);
        let end = body.add(body_len as usize);
        let (timestamp_delta, p) = get_varint(body.add(1));
        let (_offset_delta, p) = get_varint(p);
        let (key, p) = get_bytes(p);
        let (value, p) = get_bytes(p);
        let headers = std::slice::from_raw_parts(p, end.offset_from(p) as usize);
        (RecordView { timestamp_delta, key, value, headers }, end)
    }
}

/// # Safety
/// At `p` there must be a varint that `put_varint` wrote.
#[allow(unsafe_code)]
#[inline(always)]
unsafe fn get_varint(p: *const u8) -> (i64, *const u8) {
    // SAFETY: each byte but the last has its high bit set, and only those are passed over.
    let (z, p) = unsafe {
        let first = *p as u64;
        if first < 0x80 {
            (first, p.add(1))
        } else {
            let second = *p.add(1) as u64;
            let z = (first & 0x7f) | (second & 0x7f) << 7;
            if second < 0x80 {
                (z, p.add(2))
            } else {
                get_long_varint(p.add(2), z)
            }
        }
    };
    ((z >> 1) as i64 ^ -((z & 1) as i64), p)
}

/// The third and further bytes of a varint whose first two gave `z`.
///
/// # Safety
/// As `get_varint`.
#[allow(unsafe_code)]
#[cold]
unsafe fn get_long_varint(mut p: *const u8, mut z: u64) -> (u64, *const u8) {
    let mut shift = 14;
    loop {
        // SAFETY: as in `get_varint`: the varint goes on until a byte without the high bit.
        let byte = unsafe { *p } as u64;
        z |= (byte & 0x7f) << shift;
        // SAFETY: as above.
        p = unsafe { p.add(1) };
        if byte < 0x80 || shift >= 63 {
            return (z, p);
        }
        shift += 7;
    }
}

/// # Safety
/// At `p` there must be bytes that `put_bytes` wrote.
#[allow(unsafe_code)]
#[inline(always)]
unsafe fn get_bytes<'a>(p: *const u8) -> (Option<&'a [u8]>, *const u8) {
    // SAFETY: passed on to the caller.
    unsafe {
        let (n, p) = get_varint(p);
        if n < 0 {
            (None, p)
        } else {
            (Some(std::slice::from_raw_parts(p, n as usize)), p.add(n as usize))
        }
    }
}
