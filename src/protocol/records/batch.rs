//! The record batch: header, checksum, and walking several batches.

use super::codec::{decompress, CodecError, Compression};
use super::record::Records;
use crate::protocol::error::{DecodeError, Result};
use crate::protocol::Reader;
use std::borrow::Cow;

/// Bytes of a batch header.
pub const HEADER_LEN: usize = 61;

/// Offset of the checksummed part: everything from `attributes` to the end of the batch.
pub const CRC_START: usize = 21;

/// Bytes of `base_offset` and `batch_length`, which `batch_length` does not count.
pub const LOG_OVERHEAD: usize = 12;

/// The message format this library speaks.
pub const MAGIC: i8 = 2;

/// Bit of `attributes`: timestamps are the broker's append time.
pub const ATTR_LOG_APPEND_TIME: i16 = 1 << 3;
/// Bit of `attributes`: the batch belongs to a transaction.
pub const ATTR_TRANSACTIONAL: i16 = 1 << 4;
/// Bit of `attributes`: the batch holds a transaction marker.
pub const ATTR_CONTROL: i16 = 1 << 5;
/// Bit of `attributes`: `base_timestamp` is a delete horizon (KIP-534).
pub const ATTR_DELETE_HORIZON: i16 = 1 << 6;
/// Bits of `attributes` that hold the [`Compression`].
pub const ATTR_COMPRESSION: i16 = 7;

/// The header of a record batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record; producers write 0, the broker fills it in.
    pub base_offset: i64,
    /// Bytes that follow this field.
    pub batch_length: i32,
    /// Leader epoch at append; producers write −1.
    pub partition_leader_epoch: i32,
    /// Message format, 2.
    pub magic: i8,
    /// CRC-32C of everything after this field.
    pub crc: u32,
    /// Compression and `ATTR_*` bits.
    pub attributes: i16,
    /// Offset of the last record less `base_offset`.
    pub last_offset_delta: i32,
    /// Timestamp of the first record, ms.
    pub base_timestamp: i64,
    /// Largest timestamp, ms.
    pub max_timestamp: i64,
    /// Producer id, or −1.
    pub producer_id: i64,
    /// Epoch of the producer id, or −1.
    pub producer_epoch: i16,
    /// Sequence number of the first record, or −1.
    pub base_sequence: i32,
    /// Count of records.
    pub count: i32,
}

impl Default for BatchHeader {
    /// An empty batch of a producer that is not idempotent.
    fn default() -> Self {
        Self {
            base_offset: 0,
            batch_length: (HEADER_LEN - LOG_OVERHEAD) as i32,
            partition_leader_epoch: -1,
            magic: MAGIC,
            crc: 0,
            attributes: 0,
            last_offset_delta: 0,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            count: 0,
        }
    }
}

impl BatchHeader {
    /// The compression, if the number is known.
    pub fn compression(&self) -> Option<Compression> {
        Compression::from_attributes(self.attributes)
    }

    /// Whether timestamps are the broker's append time.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & ATTR_LOG_APPEND_TIME != 0
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & ATTR_TRANSACTIONAL != 0
    }

    /// Whether the batch holds a transaction marker instead of records.
    pub fn is_control(&self) -> bool {
        self.attributes & ATTR_CONTROL != 0
    }

    /// Sets `batch_length` for `records_len` bytes of (compressed) records. Lengths beyond the field saturate, and
    /// such a batch is refused by any reader; callers keep batches far below that.
    pub fn set_records_len(&mut self, records_len: usize) {
        self.batch_length = i32::try_from(records_len + HEADER_LEN - LOG_OVERHEAD).unwrap_or(i32::MAX);
    }

    /// Writes the header. `crc` is written as it is; see [`seal`] for filling it in afterwards.
    pub fn write(&self, out: &mut [u8; HEADER_LEN]) {
        out[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        out[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        out[12..16].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        out[16] = self.magic as u8;
        out[17..21].copy_from_slice(&self.crc.to_be_bytes());
        out[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        out[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        out[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        out[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        out[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        out[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        out[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        out[57..61].copy_from_slice(&self.count.to_be_bytes());
    }

    /// Reads the fields, judging none of them but the magic.
    ///
    /// # Errors
    /// When fewer than [`HEADER_LEN`] bytes are left, or the format is not v2.
    pub fn read(r: &mut Reader<'_>) -> Result<Self> {
        let mut h = Self {
            base_offset: r.i64()?,
            batch_length: r.i32()?,
            partition_leader_epoch: r.i32()?,
            magic: r.i8()?,
            ..Self::default()
        };
        // Older formats have other fields from here on.
        if h.magic != MAGIC {
            return Err(r.err("message format is not v2"));
        }
        h.crc = r.u32()?;
        h.attributes = r.i16()?;
        h.last_offset_delta = r.i32()?;
        h.base_timestamp = r.i64()?;
        h.max_timestamp = r.i64()?;
        h.producer_id = r.i64()?;
        h.producer_epoch = r.i16()?;
        h.base_sequence = r.i32()?;
        h.count = r.i32()?;
        Ok(h)
    }
}

/// CRC-32C of a batch: of the header from [`CRC_START`] on, then of the record bytes in as many slices as they lie in.
pub fn crc<'p>(header: &[u8; HEADER_LEN], parts: impl IntoIterator<Item = &'p [u8]>) -> u32 {
    parts.into_iter().fold(crc32c::crc32c(&header[CRC_START..]), crc32c::crc32c_append)
}

/// Computes the checksum (see [`crc`]) and writes it into the header.
pub fn seal<'p>(header: &mut [u8; HEADER_LEN], parts: impl IntoIterator<Item = &'p [u8]>) {
    let crc = crc(header, parts);
    header[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// A whole batch from a header (whose length and checksum are computed here) and its (compressed) records.
pub fn encode_batch(header: &BatchHeader, records: &[u8]) -> Vec<u8> {
    let mut header = *header;
    header.set_records_len(records.len());
    let mut head = [0; HEADER_LEN];
    header.write(&mut head);
    seal(&mut head, [records]);
    [&head, records].concat()
}

/// A batch that lies in received bytes; its structure is checked, its checksum only by [`check_crc`](Self::check_crc).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordBatch<'a> {
    /// The header.
    pub header: BatchHeader,
    /// The whole batch, header included.
    pub bytes: &'a [u8],
}

impl<'a> RecordBatch<'a> {
    /// Reads one batch.
    ///
    /// # Errors
    /// When the batch does not lie wholly in the bytes left, its format is not v2, or its counts make no sense.
    pub fn parse(r: &mut Reader<'a>) -> Result<Self> {
        let start = r.clone();
        let header = BatchHeader::read(&mut r.clone()).map_err(|e| e.in_field("record batch header"))?;
        let fail = |what, field| Err(DecodeError { what, field, offset: start.offset() });
        let len = match usize::try_from(header.batch_length) {
            Ok(n) if n >= HEADER_LEN - LOG_OVERHEAD => n + LOG_OVERHEAD,
            _ => return fail("batch shorter than its header", "batch_length"),
        };
        if header.count < 0 {
            return fail("negative count", "count");
        }
        if header.last_offset_delta < 0 {
            return fail("negative offset delta", "last_offset_delta");
        }
        let bytes = r.take(len).map_err(|e| e.in_field("batch_length"))?;
        Ok(Self { header, bytes })
    }

    /// The records as they lie in the batch, maybe compressed.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[HEADER_LEN..]
    }

    /// Whether the checksum is right.
    pub fn check_crc(&self) -> bool {
        crc32c::crc32c(&self.bytes[CRC_START..]) == self.header.crc
    }

    /// The records, decompressed if need be; iterate them with [`Records::new`] and the header's `count`.
    ///
    /// # Errors
    /// When the codec is unknown, the bytes are damaged, or they decompress to more than `max_output` bytes.
    pub fn decompressed(&self, max_output: usize) -> std::result::Result<Cow<'a, [u8]>, CodecError> {
        match self.header.compression() {
            Some(Compression::None) => Ok(Cow::Borrowed(self.payload())),
            Some(codec) => decompress(codec, self.payload(), max_output).map(Cow::Owned),
            None => Err(CodecError::UnknownCodec),
        }
    }

    /// Iterates over the records in `data`, which came from [`decompressed`](Self::decompressed).
    pub fn records<'d>(&self, data: &'d [u8]) -> Records<'d> {
        Records::new(data, self.header.count)
    }
}

/// Iterates over the batches of a blob, such as the `records` of a ProduceRequest or a FetchResponse. Ends after the
/// first error.
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    reader: Reader<'a>,
    allow_partial: bool,
}

impl<'a> Batches<'a> {
    /// The batches of `blob`, which must hold whole batches.
    pub fn new(blob: &'a [u8]) -> Self {
        Self { reader: Reader::new(blob), allow_partial: false }
    }

    /// The batches of `blob`, whose last one may be cut off, as brokers do in a FetchResponse.
    pub fn fetched(blob: &'a [u8]) -> Self {
        Self { reader: Reader::new(blob), allow_partial: true }
    }

    /// Whether the rest is the start of a batch that is longer than what is left.
    fn partial(&self) -> bool {
        let rest = self.reader.rest();
        match rest.get(8..LOG_OVERHEAD).and_then(|b| b.first_chunk()) {
            Some(len) => usize::try_from(i32::from_be_bytes(*len)).is_ok_and(|n| n > rest.len() - LOG_OVERHEAD),
            None => true,
        }
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<RecordBatch<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.remaining() == 0 || (self.allow_partial && self.partial()) {
            return None;
        }
        let batch = RecordBatch::parse(&mut self.reader);
        if batch.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(batch)
    }
}
