//! Record headers, kept in the form in which they go on the wire, so that producing with headers is one copy.

use crate::accumulator::record::varint_len;
pub use crate::accumulator::section::Section;
use crate::accumulator::section::{ShortHeaders, ROOM, SMALL};

/// An ordered list of headers: names may repeat, a value may be none. Not tied to a client; clone freely.
#[derive(Clone, Default)]
pub struct Headers {
    /// Used while `long` is empty.
    short: ShortHeaders,
    /// Once they are too many, too long, or one is null: the headers section of a record, count as varint, then the entries.
    long: Vec<u8>,
    /// How many there are in `long`.
    long_count: usize,
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.wire() == other.wire()
    }
}

impl Eq for Headers {}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

fn put_varint(out: &mut Vec<u8>, v: i64) {
    let mut z = ((v << 1) ^ (v >> 63)) as u64;
    while z >= 0x80 {
        out.push(z as u8 | 0x80);
        z >>= 7;
    }
    out.push(z as u8);
}

fn put_field(out: &mut Vec<u8>, field: Option<&[u8]>) {
    put_varint(out, field.map_or(-1, |f| f.len() as i64));
    out.extend_from_slice(field.unwrap_or_default());
}

impl Headers {
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }

    /// With room for about so many small headers, so that adding them need not move the others.
    #[inline]
    pub fn with_capacity(count: usize) -> Self {
        let mut headers = Headers::new();
        if count > ROOM / 32 {
            headers.long.reserve(count.min(64) * 32);
        }
        headers
    }

    /// Takes a headers section as a record has it; `None` if the bytes are not one.
    pub fn from_wire(raw: &[u8]) -> Option<Headers> {
        let count = HeadersRef::new(raw).count();
        let mut h = Headers::new();
        for (name, value) in HeadersRef::new(raw) {
            h.add(name, value);
        }
        (h.count() == count).then_some(h)
    }

    /// Appends a header.
    #[inline(always)]
    pub fn add(&mut self, name: &[u8], value: Option<&[u8]>) {
        if !(self.long.is_empty() && value.is_some_and(|v| self.short.add(name, v))) {
            self.add_long(name, value);
        }
    }

    #[inline(never)]
    fn add_long(&mut self, name: &[u8], value: Option<&[u8]>) {
        if self.long.is_empty() {
            self.long.extend_from_slice(self.short.section().bytes());
            self.long_count = self.short.count();
        }
        let old = varint_len(self.long_count as i64);
        self.long_count += 1;
        if self.long_count <= SMALL {
            self.long[0] = (self.long_count as u8) << 1;
        } else {
            let mut head = Vec::with_capacity(5);
            put_varint(&mut head, self.long_count as i64);
            self.long.splice(..old, head);
        }
        put_field(&mut self.long, Some(name));
        put_field(&mut self.long, value);
    }

    /// Removes every header of that name; returns how many there were.
    pub fn remove(&mut self, name: &[u8]) -> usize {
        let before = self.count();
        let mut kept = Headers::new();
        for (n, v) in self.iter().filter(|(n, _)| *n != name) {
            kept.add(n, v);
        }
        *self = kept;
        before - self.count()
    }

    /// The last header of that name.
    pub fn get_last(&self, name: &[u8]) -> Option<Option<&[u8]>> {
        self.iter().filter(|(n, _)| *n == name).last().map(|(_, v)| v)
    }

    pub fn count(&self) -> usize {
        if self.long.is_empty() {
            self.short.count()
        } else {
            self.long_count
        }
    }

    pub fn iter(&self) -> HeadersRef<'_> {
        HeadersRef::new(self.wire())
    }

    /// The headers section of a record.
    #[inline(always)]
    pub fn section(&self) -> Section<'_> {
        if self.long.is_empty() {
            self.short.section()
        } else {
            Section::of(&self.long)
        }
    }

    #[inline(always)]
    pub fn wire(&self) -> &[u8] {
        self.section().bytes()
    }
}

/// Iterates over a headers section: name and value. Ends at the first byte that does not fit the format.
#[derive(Clone, Copy, Debug)]
pub struct HeadersRef<'a> {
    rest: &'a [u8],
    left: usize,
}

fn take_varint(b: &mut &[u8]) -> Option<i64> {
    let mut z = 0u64;
    for (i, &byte) in b.iter().enumerate().take(10) {
        z |= ((byte & 0x7f) as u64) << (7 * i);
        if byte < 0x80 {
            *b = &b[i + 1..];
            return Some((z >> 1) as i64 ^ -((z & 1) as i64));
        }
    }
    None
}

fn take<'a>(b: &mut &'a [u8], n: i64) -> Option<&'a [u8]> {
    let (v, rest) = b.split_at_checked(usize::try_from(n).ok()?)?;
    *b = rest;
    Some(v)
}

impl<'a> HeadersRef<'a> {
    /// `raw` as a record's headers section: count, then entries.
    pub fn new(raw: &'a [u8]) -> Self {
        let mut rest = raw;
        let left = take_varint(&mut rest).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        HeadersRef { rest, left }
    }
}

impl<'a> Iterator for HeadersRef<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let n = take_varint(&mut self.rest)?;
        let name = take(&mut self.rest, n)?;
        let value = match take_varint(&mut self.rest)? {
            n if n < 0 => None,
            n => Some(take(&mut self.rest, n)?),
        };
        Some((name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_keep_order_repeats_and_null() {
        let mut h = Headers::new();
        for i in 0..200u32 {
            h.add(format!("n{}", i % 7).as_bytes(), (i % 5 != 0).then_some(&i.to_be_bytes()[..]));
        }
        assert_eq!((h.count(), h.iter().count()), (200, 200));
        for (i, (n, v)) in h.iter().enumerate() {
            assert_eq!(n, format!("n{}", i % 7).as_bytes());
            assert_eq!(v, (i % 5 != 0).then_some(&(i as u32).to_be_bytes()[..]));
        }
        assert_eq!(h.get_last(b"n3"), Some(Some(&199u32.to_be_bytes()[..])));
        assert_eq!(h.get_last(b"x"), None);
        assert_eq!(Headers::from_wire(h.wire()).as_ref(), Some(&h));
        assert_eq!(h.remove(b"n3"), 29);
        assert_eq!((h.count(), h.get_last(b"n3")), (171, None));
    }

    /// Where a length needs a second byte, where the list no longer fits its own bytes, where a value is null.
    #[test]
    fn short_and_long_lists_are_alike_on_the_wire() {
        let bytes = [b'b'; 80];
        let field = |n: usize| &bytes[..n];
        let mut lists: Vec<Vec<(&[u8], Option<&[u8]>)>> = Vec::new();
        for n in 0..80 {
            lists.push(vec![(field(n), Some(field(1)))]);
            lists.push(vec![(field(1), Some(field(n)))]);
            lists.push(vec![(field(20), Some(field(10))), (field(n), Some(field(20))), (field(3), None)]);
            lists.push(vec![(field(n), None), (field(n), Some(field(n)))]);
            lists.push(vec![(field(0), Some(field(0))); n]);
        }
        for list in lists {
            for capacity in [0, 1, 3, 4, 100] {
                let mut h = Headers::with_capacity(capacity);
                let mut wire = Vec::new();
                put_varint(&mut wire, list.len() as i64);
                for (name, value) in &list {
                    h.add(name, *value);
                    put_field(&mut wire, Some(name));
                    put_field(&mut wire, *value);
                }
                assert_eq!((h.wire(), h.count()), (&wire[..], list.len()));
                assert!(h.iter().eq(list.iter().copied()) && h.clone() == h);
            }
        }
    }

    #[test]
    fn broken_headers_end_the_iteration() {
        let mut h = Headers::new();
        h.add(b"name", Some(b"value"));
        h.add(b"other", None);
        for n in 0..h.wire().len() {
            assert!(HeadersRef::new(&h.wire()[..n]).count() < 2);
            assert!(Headers::from_wire(&h.wire()[..n]).is_none_or(|x| x.count() < 2));
        }
    }
}
