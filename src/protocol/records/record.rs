//! Records inside a batch, uncompressed.

use crate::protocol::error::{DecodeError, Result};
use crate::protocol::{Reader, Writer};

/// The fewest bytes of a record: one each for length, attributes, two deltas, two lengths and the header count.
const MIN_RECORD: usize = 7;
/// The fewest bytes of a header: two lengths.
const MIN_HEADER: usize = 2;

/// A record, borrowed from its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// No bit is in use.
    pub attributes: i8,
    /// Timestamp less the batch's `base_timestamp`, ms.
    pub timestamp_delta: i64,
    /// Offset less the batch's `base_offset`.
    pub offset_delta: i32,
    /// Key, or null.
    pub key: Option<&'a [u8]>,
    /// Value, or null (a tombstone in compacted topics).
    pub value: Option<&'a [u8]>,
    /// Headers, in order; names may repeat.
    pub headers: HeadersIter<'a>,
}

/// A header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Name; UTF-8 by convention, though nothing on the way enforces it.
    pub key: &'a [u8],
    /// Value, or null.
    pub value: Option<&'a [u8]>,
}

/// Iterates over the headers of a record, which were checked when the record was decoded.
#[derive(Debug, Clone)]
pub struct HeadersIter<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl PartialEq for HeadersIter<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.clone().eq(other.clone())
    }
}

impl Eq for HeadersIter<'_> {}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.left = self.left.checked_sub(1)?;
        read_header(&mut self.reader).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for HeadersIter<'_> {}

fn read_bytes<'a>(r: &mut Reader<'a>) -> Result<Option<&'a [u8]>> {
    match r.varint()? {
        -1 => Ok(None),
        n => match usize::try_from(n) {
            Ok(n) => r.take(n).map(Some),
            Err(_) => Err(r.err("negative length")),
        },
    }
}

fn read_header<'a>(r: &mut Reader<'a>) -> Result<Header<'a>> {
    let key = read_bytes(r).map_err(|e| e.in_field("header key"))?;
    let key = key.ok_or_else(|| r.err("null where none is allowed").in_field("header key"))?;
    Ok(Header { key, value: read_bytes(r).map_err(|e| e.in_field("header value"))? })
}

impl<'a> Record<'a> {
    /// Reads one record, length included.
    ///
    /// # Errors
    /// When the record does not lie in the bytes left, or its fields do not fill it exactly.
    pub fn read(r: &mut Reader<'a>) -> Result<Self> {
        let len = r.varint().map_err(|e| e.in_field("record length"))?;
        let len = usize::try_from(len).map_err(|_| r.err("negative length").in_field("record length"))?;
        let mut r = r.sub(len).map_err(|e| e.in_field("record length"))?;
        let named = |field: &'static str| move |e: DecodeError| e.in_field(field);
        let attributes = r.i8().map_err(named("record attributes"))?;
        let timestamp_delta = r.varlong().map_err(named("timestamp delta"))?;
        let offset_delta = r.varint().map_err(named("offset delta"))?;
        let key = read_bytes(&mut r).map_err(named("record key"))?;
        let value = read_bytes(&mut r).map_err(named("record value"))?;
        let count = r.varint().map_err(named("header count"))?;
        let left = match usize::try_from(count) {
            Ok(n) if n <= r.remaining() / MIN_HEADER => n,
            _ => return Err(r.err("header count beyond the end").in_field("header count")),
        };
        let headers = HeadersIter { reader: r.clone(), left };
        for _ in 0..left {
            read_header(&mut r)?;
        }
        r.finish().map_err(named("record"))?;
        Ok(Self { attributes, timestamp_delta, offset_delta, key, value, headers })
    }
}

/// Iterates over the uncompressed records of a batch; fails when they do not fill their bytes exactly. Ends after the
/// first error.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    reader: Reader<'a>,
    left: usize,
    failed: bool,
}

impl<'a> Records<'a> {
    /// Records of `data`, as many as the batch header's `count` says.
    pub fn new(data: &'a [u8], count: i32) -> Self {
        let left = usize::try_from(count).unwrap_or(usize::MAX);
        Self { reader: Reader::new(data), left, failed: false }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || (self.left == 0 && self.reader.remaining() == 0) {
            return None;
        }
        let record = if self.left == 0 {
            Err(self.reader.err("bytes left over").in_field("records"))
        } else if self.left > self.reader.remaining() / MIN_RECORD {
            Err(self.reader.err("count beyond the end").in_field("records"))
        } else {
            self.left -= 1;
            Record::read(&mut self.reader)
        };
        self.failed = record.is_err();
        Some(record)
    }
}

/// Appends one record, length included. Meant for tests and the embedded broker; the producer encodes in place.
pub fn encode_record(
    out: &mut Vec<u8>,
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[Header<'_>],
) {
    fn bytes(w: &mut Writer, b: Option<&[u8]>) {
        // Records hold far less than 2 GiB; a longer slice would be refused by any reader.
        w.varint(b.map_or(-1, |b| b.len() as i32));
        w.raw(b.unwrap_or_default());
    }
    let mut w = Writer::new();
    w.i8(0);
    w.varlong(timestamp_delta);
    w.varint(offset_delta);
    bytes(&mut w, key);
    bytes(&mut w, value);
    w.varint(headers.len() as i32);
    for h in headers {
        bytes(&mut w, Some(h.key));
        bytes(&mut w, h.value);
    }
    let body = w.into_vec();
    let mut w = Writer::from_vec(std::mem::take(out));
    w.varint(body.len() as i32);
    w.raw(&body);
    *out = w.into_vec();
}
