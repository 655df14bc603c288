//! One record of a batch v2: its exact length before it is written, writing it into claimed memory, reading it back.
//!
//! Layout (Kafka protocol guide, "Record"): length varint, attributes i8, timestampDelta varlong, offsetDelta varint,
//! key length varint (−1: none), key, value length varint (−1: none), value, header count varint, headers.

/// What the application hands over, before it has an offset in a batch.
#[derive(Clone, Copy)]
pub struct RecordRef<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// The headers section as it goes on the wire, its count included; see [`NO_HEADERS`].
    pub headers: &'a [u8],
    /// CreateTime in milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// When it was handed over, microseconds since the epoch (coarse); for the report's latency.
    pub now_us: u64,
    pub opaque: usize,
    /// A number of the client's own that travels with the record to its report.
    pub aux: u32,
}

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

#[inline(always)]
fn uvarint_len(z: u64) -> usize {
    // ceil(bits / 7), at least one, without a division.
    let bits = 64 - (z | 1).leading_zeros() as usize;
    (bits * 9 + 64) >> 6
}

impl RecordRef<'_> {
    /// The length that does not depend on the record's place in its batch: all but the two deltas and the length prefix.
    #[inline(always)]
    pub fn fixed_len(&self) -> usize {
        let part = |b: Option<&[u8]>| match b {
            Some(b) => varint_len(b.len() as i64) + b.len(),
            None => 1,
        };
        1 + part(self.key) + part(self.value) + self.headers.len()
    }

    /// Length after the length prefix.
    #[inline(always)]
    pub fn body_len(fixed: usize, timestamp_delta: i64, offset_delta: u32) -> usize {
        fixed + varint_len(timestamp_delta) + varint_len(offset_delta as i64)
    }

    /// An upper bound of the whole record's length, wherever it lands.
    pub fn max_len(&self) -> usize {
        self.fixed_len() + 10 + 5 + 5
    }
}

/// Whole length of a record whose body is `body` bytes.
#[inline(always)]
pub fn total_len(body: usize) -> usize {
    body + varint_len(body as i64)
}

/// Writes the record at `at`; returns one past its last byte.
///
/// # Safety
/// `at` must be valid for writes of the record's whole length, `total_len(body)`, with `body` as `body_len` gave it for
/// the same deltas, and nobody else may access that memory meanwhile.
#[allow(unsafe_code)]
#[inline(always)]
pub unsafe fn write(at: *mut u8, rec: &RecordRef<'_>, body: usize, timestamp_delta: i64, offset_delta: u32) -> *mut u8 {
    // SAFETY: the caller vouches for `total_len(body)` bytes from `at`, which is what these writes add up to.
    unsafe {
        let mut p = put_varint(at, body as i64);
        *p = 0; // attributes, unused in batch v2
        p = put_varint(p.add(1), timestamp_delta);
        p = put_varint(p, offset_delta as i64);
        p = put_bytes(p, rec.key);
        p = put_bytes(p, rec.value);
        if rec.headers.len() == 1 {
            *p = rec.headers[0];
            p.add(1)
        } else {
            put_raw(p, rec.headers)
        }
    }
}

/// # Safety
/// `p` must be valid for writes of `varint_len(v)` bytes.
#[allow(unsafe_code)]
#[inline(always)]
unsafe fn put_varint(mut p: *mut u8, v: i64) -> *mut u8 {
    let mut z = zigzag(v);
    // SAFETY: one byte per seven bits, as counted by `varint_len`.
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

/// # Safety
/// `p` must be valid for writes of the length prefix and the bytes.
#[allow(unsafe_code)]
#[inline(always)]
unsafe fn put_bytes(p: *mut u8, bytes: Option<&[u8]>) -> *mut u8 {
    // SAFETY: passed on to the caller.
    unsafe {
        match bytes {
            None => put_varint(p, -1),
            Some(b) => put_raw(put_varint(p, b.len() as i64), b),
        }
    }
}

/// # Safety
/// `p` must be valid for writes of `b.len()` bytes and not overlap `b`.
#[allow(unsafe_code)]
#[inline(always)]
unsafe fn put_raw(p: *mut u8, b: &[u8]) -> *mut u8 {
    // SAFETY: claimed memory never overlaps the caller's buffer; the length is the caller's promise.
    unsafe {
        std::ptr::copy_nonoverlapping(b.as_ptr(), p, b.len());
        p.add(b.len())
    }
}

/// A record read back from a chunk for its report. Only ever reads what [`write`] wrote.
#[derive(Clone, Copy)]
pub struct RecordView<'a> {
    pub timestamp_delta: i64,
    pub offset_delta: u32,
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
        let (offset_delta, p) = get_varint(p);
        let (key, p) = get_bytes(p);
        let (value, p) = get_bytes(p);
        let headers = std::slice::from_raw_parts(p, end.offset_from(p) as usize);
        (RecordView { timestamp_delta, offset_delta: offset_delta as u32, key, value, headers }, end)
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
