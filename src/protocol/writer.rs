use super::error::EncodeError;
use super::Uuid;

/// Appends protocol types to a byte buffer.
///
/// Writing never fails at once; what no length field can express (see [`EncodeError`]) is remembered and reported by
/// [`end_frame`](Writer::end_frame) or [`error`](Writer::error), and such a buffer must not be sent.
#[derive(Debug, Default)]
pub struct Writer {
    buf: Vec<u8>,
    error: Option<EncodeError>,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty writer with room for so many bytes: up to there the buffer does not move.
    pub fn with_capacity(bytes: usize) -> Self {
        Self::from_vec(Vec::with_capacity(bytes))
    }

    /// Appends to `buf`, whose content is kept.
    pub fn from_vec(buf: Vec<u8>) -> Self {
        Self { buf, error: None }
    }

    /// The buffer, given up.
    pub fn into_vec(self) -> Vec<u8> {
        self.buf
    }

    /// What has been written.
    pub fn as_slice(&self) -> &[u8] {
        &self.buf
    }

    /// Bytes written.
    #[inline]
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }

    /// Forgets content and error, keeps the allocation.
    pub fn clear(&mut self) {
        self.buf.clear();
        self.error = None;
    }

    /// The first thing that could not be encoded, if any.
    pub fn error(&self) -> Option<EncodeError> {
        self.error
    }

    #[cold]
    fn fail(&mut self, e: EncodeError) {
        self.error.get_or_insert(e);
    }

    /// Raw bytes.
    #[inline]
    pub fn raw(&mut self, b: &[u8]) {
        self.buf.extend_from_slice(b);
    }

    /// int8
    #[inline]
    pub fn i8(&mut self, v: i8) {
        self.buf.push(v as u8);
    }

    /// One byte, unsigned.
    #[inline]
    pub fn u8(&mut self, v: u8) {
        self.buf.push(v);
    }

    /// bool
    #[inline]
    pub fn bool(&mut self, v: bool) {
        self.buf.push(v as u8);
    }

    /// int16
    #[inline]
    pub fn i16(&mut self, v: i16) {
        self.raw(&v.to_be_bytes());
    }

    /// uint16
    #[inline]
    pub fn u16(&mut self, v: u16) {
        self.raw(&v.to_be_bytes());
    }

    /// int32
    #[inline]
    pub fn i32(&mut self, v: i32) {
        self.raw(&v.to_be_bytes());
    }

    /// uint32
    #[inline]
    pub fn u32(&mut self, v: u32) {
        self.raw(&v.to_be_bytes());
    }

    /// int64
    #[inline]
    pub fn i64(&mut self, v: i64) {
        self.raw(&v.to_be_bytes());
    }

    /// uuid
    #[inline]
    pub fn uuid(&mut self, v: &Uuid) {
        self.raw(v);
    }

    /// Unsigned varint.
    #[inline]
    pub fn uvarint(&mut self, v: u32) {
        self.uvarlong(v as u64);
    }

    /// Unsigned 64-bit varint.
    #[inline]
    pub fn uvarlong(&mut self, mut v: u64) {
        while v >= 0x80 {
            self.buf.push(v as u8 | 0x80);
            v >>= 7;
        }
        self.buf.push(v as u8);
    }

    /// Zigzag varint of 32 bits.
    #[inline]
    pub fn varint(&mut self, v: i32) {
        self.uvarint(((v << 1) ^ (v >> 31)) as u32);
    }

    /// Zigzag varint of 64 bits.
    #[inline]
    pub fn varlong(&mut self, v: i64) {
        self.uvarlong(((v << 1) ^ (v >> 63)) as u64);
    }

    /// Nullable string.
    #[inline]
    pub fn nullable_str(&mut self, v: Option<&str>, flexible: bool) {
        match (v, flexible) {
            (Some(s), _) => self.str(s, flexible),
            (None, true) => self.uvarint(0),
            (None, false) => self.i16(-1),
        }
    }

    /// String.
    #[inline]
    pub fn str(&mut self, v: &str, flexible: bool) {
        // Kafka limits strings to 32767 bytes in either encoding.
        match i16::try_from(v.len()) {
            Ok(n) if flexible => self.uvarint(n as u32 + 1),
            Ok(n) => self.i16(n),
            Err(_) => return self.fail(EncodeError::StringTooLong),
        }
        self.raw(v.as_bytes());
    }

    /// Nullable byte string (bytes, records).
    #[inline]
    pub fn nullable_bytes(&mut self, v: Option<&[u8]>, flexible: bool) {
        self.nullable_len(v.map(<[u8]>::len), flexible);
        self.raw(v.unwrap_or_default());
    }

    /// Byte string.
    #[inline]
    pub fn bytes(&mut self, v: &[u8], flexible: bool) {
        self.nullable_bytes(Some(v), flexible);
    }

    /// Length prefix of a nullable array or byte string.
    #[inline]
    pub fn nullable_len(&mut self, len: Option<usize>, flexible: bool) {
        match len.map(i32::try_from) {
            None if flexible => self.uvarint(0),
            None => self.i32(-1),
            Some(Ok(n)) if flexible => self.uvarint(n as u32 + 1),
            Some(Ok(n)) => self.i32(n),
            Some(Err(_)) => self.fail(EncodeError::TooLarge),
        }
    }

    /// Length prefix of an array or byte string.
    #[inline]
    pub fn array_len(&mut self, len: usize, flexible: bool) {
        self.nullable_len(Some(len), flexible);
    }

    /// Element count of a tagged field section, when the version has one.
    #[inline]
    pub fn no_tagged_fields(&mut self, flexible: bool) {
        if flexible {
            self.u8(0);
        }
    }

    /// One tagged field: tag, size, and the value that `value` writes.
    pub fn tagged_field(&mut self, tag: u32, value: impl FnOnce(&mut Writer)) {
        self.uvarint(tag);
        let start = self.buf.len();
        value(self);
        let Ok(size) = u32::try_from(self.buf.len() - start) else { return self.fail(EncodeError::TooLarge) };
        // The size goes in front of a value whose length is known only now. Tagged fields are rare and small, so
        // moving the value is cheaper than computing sizes beforehand.
        let end = self.buf.len();
        self.uvarint(size);
        let size_len = self.buf.len() - end;
        self.buf[start..].rotate_right(size_len);
    }

    /// Starts a frame: reserves the four bytes of its size. Returns what [`end_frame`](Self::end_frame) needs.
    pub fn begin_frame(&mut self) -> usize {
        let start = self.buf.len();
        self.i32(0);
        start
    }

    /// Ends the frame begun at `start` by filling in its size: what was written since, plus `extra` bytes that the
    /// caller sends from elsewhere (record batches).
    ///
    /// # Errors
    /// When anything written, or the frame itself, does not fit its length field.
    pub fn end_frame(&mut self, start: usize, extra: usize) -> Result<(), EncodeError> {
        let size = (self.buf.len() - start - 4).checked_add(extra).and_then(|n| i32::try_from(n).ok());
        match size {
            Some(n) => self.buf[start..start + 4].copy_from_slice(&n.to_be_bytes()),
            None => self.fail(EncodeError::TooLarge),
        }
        self.error.map_or(Ok(()), Err)
    }
}
