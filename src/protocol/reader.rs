use super::error::{DecodeError, Result};
use super::Uuid;

/// The longest unsigned varint for 32 and 64 bits.
const MAX_VARINT32: usize = 5;
const MAX_VARINT64: usize = 10;

/// A bounded cursor over received bytes.
///
/// Every method fails, and leaves the bytes alone, when fewer bytes are left than it needs. Strings and byte strings
/// are borrowed from the input. The `flexible` argument chooses between the old length prefixes (16 or 32 bits, −1
/// for null) and the compact ones of KIP-482 (unsigned varint of length + 1, 0 for null).
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    buf: &'a [u8],
    pos: usize,
    /// Offset of `buf[0]` in the outermost message, for error texts of nested readers.
    base: usize,
}

macro_rules! fixed {
    ($($(#[$doc:meta])* $name:ident -> $ty:ty;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name(&mut self) -> Result<$ty> {
            self.array().map(<$ty>::from_be_bytes)
        }
    )*};
}

impl<'a> Reader<'a> {
    /// Reads from the start of `buf`.
    pub fn new(buf: &'a [u8]) -> Self {
        Self { buf, pos: 0, base: 0 }
    }

    /// Bytes not yet read.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.buf.len() - self.pos
    }

    /// The bytes not yet read, without consuming them.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        &self.buf[self.pos..]
    }

    /// Offset of the next byte from the start of the outermost message.
    #[inline]
    pub fn offset(&self) -> usize {
        self.base + self.pos
    }

    /// Fails when bytes are left over.
    pub fn finish(&self) -> Result<()> {
        if self.remaining() == 0 {
            Ok(())
        } else {
            Err(self.err("bytes left over"))
        }
    }

    #[cold]
    pub(crate) fn err(&self, what: &'static str) -> DecodeError {
        DecodeError::new(what, self.offset())
    }

    /// The next `n` bytes.
    #[inline]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        if n > self.remaining() {
            return Err(self.err("length beyond the end"));
        }
        let out = &self.buf[self.pos..self.pos + n];
        self.pos += n;
        Ok(out)
    }

    /// A reader confined to the next `n` bytes, which this one skips.
    pub fn sub(&mut self, n: usize) -> Result<Reader<'a>> {
        let base = self.offset();
        Ok(Reader { buf: self.take(n)?, pos: 0, base })
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.rest().first_chunk::<N>() {
            Some(a) => {
                self.pos += N;
                Ok(*a)
            }
            None => Err(self.err("message too short")),
        }
    }

    fixed! {
        /// int8
        i8 -> i8;
        /// One byte, unsigned.
        u8 -> u8;
        /// int16, big-endian.
        i16 -> i16;
        /// uint16, big-endian.
        u16 -> u16;
        /// int32, big-endian.
        i32 -> i32;
        /// uint32, big-endian.
        u32 -> u32;
        /// int64, big-endian.
        i64 -> i64;
    }

    /// bool; any byte but zero is true, as in Java.
    #[inline]
    pub fn bool(&mut self) -> Result<bool> {
        Ok(self.u8()? != 0)
    }

    /// uuid
    #[inline]
    pub fn uuid(&mut self) -> Result<Uuid> {
        self.array()
    }

    /// Unsigned varint of at most 32 bits.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u32> {
        // One byte is by far the commonest.
        if let Some(&b) = self.rest().first() {
            if b < 0x80 {
                self.pos += 1;
                return Ok(b as u32);
            }
        }
        let v = self.uvarint_bytes(MAX_VARINT32)?;
        u32::try_from(v).map_err(|_| self.err("varint beyond 32 bits"))
    }

    /// Unsigned varint of at most 64 bits.
    #[inline]
    pub fn uvarlong(&mut self) -> Result<u64> {
        self.uvarint_bytes(MAX_VARINT64)
    }

    fn uvarint_bytes(&mut self, max: usize) -> Result<u64> {
        let mut v = 0u64;
        for (i, &b) in self.rest().iter().take(max).enumerate() {
            let bits = (b & 0x7f) as u64;
            // The tenth byte of a 64-bit varint has room for one bit.
            if i == MAX_VARINT64 - 1 && bits > 1 {
                return Err(self.err("varint beyond 64 bits"));
            }
            v |= bits << (7 * i);
            if b < 0x80 {
                self.pos += i + 1;
                return Ok(v);
            }
        }
        Err(self.err(if self.remaining() < max { "message too short" } else { "varint too long" }))
    }

    /// Zigzag varint of 32 bits, as in records.
    #[inline]
    pub fn varint(&mut self) -> Result<i32> {
        let v = self.uvarint()?;
        Ok((v >> 1) as i32 ^ -((v & 1) as i32))
    }

    /// Zigzag varint of 64 bits, as in records.
    #[inline]
    pub fn varlong(&mut self) -> Result<i64> {
        let v = self.uvarlong()?;
        Ok((v >> 1) as i64 ^ -((v & 1) as i64))
    }

    /// The length prefix of a string, `None` for null.
    #[inline]
    fn string_len(&mut self, flexible: bool) -> Result<Option<usize>> {
        if flexible {
            match (self.uvarint()? as usize).checked_sub(1) {
                // Compact strings may be no longer than the others.
                Some(n) if n > i16::MAX as usize => Err(self.err("string longer than 32767 bytes")),
                n => Ok(n),
            }
        } else {
            let n = self.i16()?;
            self.length(n as i64)
        }
    }

    /// The length prefix of an array or byte string, `None` for null.
    #[inline]
    fn long_len(&mut self, flexible: bool) -> Result<Option<usize>> {
        if flexible {
            match (self.uvarint()? as usize).checked_sub(1) {
                Some(n) if n > i32::MAX as usize => Err(self.err("length beyond 2 GiB")),
                n => Ok(n),
            }
        } else {
            let n = self.i32()?;
            self.length(n as i64)
        }
    }

    #[inline]
    fn length(&self, n: i64) -> Result<Option<usize>> {
        match n {
            -1 => Ok(None),
            n if n >= 0 => Ok(Some(n as usize)),
            _ => Err(self.err("negative length")),
        }
    }

    fn utf8(&self, b: &'a [u8]) -> Result<&'a str> {
        std::str::from_utf8(b).map_err(|_| self.err("string is not UTF-8"))
    }

    /// Nullable string.
    #[inline]
    pub fn nullable_str(&mut self, flexible: bool) -> Result<Option<&'a str>> {
        match self.string_len(flexible)? {
            None => Ok(None),
            Some(n) => {
                let b = self.take(n)?;
                self.utf8(b).map(Some)
            }
        }
    }

    /// String; null is an error.
    #[inline]
    pub fn str(&mut self, flexible: bool) -> Result<&'a str> {
        self.nullable_str(flexible)?.ok_or_else(|| self.err("null where none is allowed"))
    }

    /// Nullable byte string (bytes, records).
    #[inline]
    pub fn nullable_bytes(&mut self, flexible: bool) -> Result<Option<&'a [u8]>> {
        match self.long_len(flexible)? {
            None => Ok(None),
            Some(n) => self.take(n).map(Some),
        }
    }

    /// Byte string; null is an error.
    #[inline]
    pub fn bytes(&mut self, flexible: bool) -> Result<&'a [u8]> {
        self.nullable_bytes(flexible)?.ok_or_else(|| self.err("null where none is allowed"))
    }

    /// Element count of a nullable array whose elements take at least `min_size` bytes each. A count that the
    /// remaining bytes cannot hold is an error, so the caller may loop over it.
    #[inline]
    pub fn nullable_array_len(&mut self, flexible: bool, min_size: usize) -> Result<Option<usize>> {
        match self.long_len(flexible)? {
            None => Ok(None),
            Some(n) if n <= self.remaining() / min_size.max(1) => Ok(Some(n)),
            Some(_) => Err(self.err("array count beyond the end")),
        }
    }

    /// Like [`nullable_array_len`](Self::nullable_array_len), but null is an error.
    #[inline]
    pub fn array_len(&mut self, flexible: bool, min_size: usize) -> Result<usize> {
        self.nullable_array_len(flexible, min_size)?.ok_or_else(|| self.err("null where none is allowed"))
    }

    /// Reads a tagged field section (KIP-482). `known` gets each tag with a reader confined to its value and returns
    /// false for a tag it does not know, which is skipped. A known value must be read to its end.
    pub fn tagged_fields(&mut self, mut known: impl FnMut(u32, &mut Reader<'a>) -> Result<bool>) -> Result<()> {
        let count = self.uvarint()? as usize;
        // A tag and a size take a byte each.
        if count > self.remaining() / 2 {
            return Err(self.err("tagged field count beyond the end"));
        }
        let mut last = None;
        for _ in 0..count {
            let tag = self.uvarint()?;
            // Tags come in increasing order, none twice.
            if last.is_some_and(|l| l >= tag) {
                return Err(self.err("tagged fields out of order"));
            }
            last = Some(tag);
            let size = self.uvarint()? as usize;
            let mut value = self.sub(size)?;
            if known(tag, &mut value)? {
                value.finish()?;
            }
        }
        Ok(())
    }

    /// Skips a tagged field section of which no tag is known.
    #[inline]
    pub fn skip_tagged_fields(&mut self) -> Result<()> {
        self.tagged_fields(|_, _| Ok(false))
    }
}
