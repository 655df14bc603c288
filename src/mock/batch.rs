//! What a broker looks at in a record batch (v2): its 61-byte header, its checksum, and the framing of its records.
//!
//! This reads the layout on its own, not through the client's encoder, so that a mistake there does not cancel out here.

use crate::error::RespErr;

/// Bytes before the first record.
pub const HEADER_LEN: usize = 61;
/// `baseOffset` and `batchLength`: what `batchLength` does not count.
pub const LENGTH_OVERHEAD: usize = 12;

const CODEC_MASK: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// The header of one record batch, read from bytes that hold at least [`HEADER_LEN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub base_offset: i64,
    /// The whole batch in bytes, `baseOffset` and `batchLength` included.
    pub size: usize,
    pub leader_epoch: i32,
    pub magic: i8,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub count: i32,
}

impl Header {
    /// 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd; others are refused by [`check`].
    pub fn codec(&self) -> i16 {
        self.attributes & CODEC_MASK
    }

    pub fn log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    pub fn transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    pub fn control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// The sequence of the last record; sequences wrap from `i32::MAX` to 0.
    pub fn last_sequence(&self) -> i32 {
        add_sequence(self.base_sequence, self.last_offset_delta)
    }
}

/// `sequence` advanced by `by`, wrapping from `i32::MAX` to 0 as Kafka's `DefaultRecordBatch.incrementSequence`.
pub fn add_sequence(sequence: i32, by: i32) -> i32 {
    ((sequence as u32).wrapping_add(by as u32) & i32::MAX as u32) as i32
}

fn be<const N: usize>(b: &[u8], at: usize) -> [u8; N] {
    let mut a = [0; N];
    a.copy_from_slice(&b[at..at + N]);
    a
}

/// Reads the header at the start of `b`; `None` if fewer than [`HEADER_LEN`] bytes are there.
pub fn header(b: &[u8]) -> Option<Header> {
    if b.len() < HEADER_LEN {
        return None;
    }
    Some(Header {
        base_offset: i64::from_be_bytes(be(b, 0)),
        size: (i32::from_be_bytes(be(b, 8)).max(0) as usize).saturating_add(LENGTH_OVERHEAD),
        leader_epoch: i32::from_be_bytes(be(b, 12)),
        magic: b[16] as i8,
        crc: u32::from_be_bytes(be(b, 17)),
        attributes: i16::from_be_bytes(be(b, 21)),
        last_offset_delta: i32::from_be_bytes(be(b, 23)),
        base_timestamp: i64::from_be_bytes(be(b, 27)),
        max_timestamp: i64::from_be_bytes(be(b, 35)),
        producer_id: i64::from_be_bytes(be(b, 43)),
        producer_epoch: i16::from_be_bytes(be(b, 51)),
        base_sequence: i32::from_be_bytes(be(b, 53)),
        count: i32::from_be_bytes(be(b, 57)),
    })
}

/// Writes the offset of the first record and the leader epoch, which the checksum does not cover. `b` is a whole batch.
pub fn assign(b: &mut [u8], base_offset: i64, leader_epoch: i32) {
    b[..8].copy_from_slice(&base_offset.to_be_bytes());
    b[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
}

/// Stamps a batch with the broker's time (`message.timestamp.type=LogAppendTime`) and renews its checksum.
pub fn stamp_append_time(b: &mut [u8], now_ms: i64) {
    let attributes = i16::from_be_bytes(be(b, 21)) | LOG_APPEND_TIME;
    b[21..23].copy_from_slice(&attributes.to_be_bytes());
    b[35..43].copy_from_slice(&now_ms.to_be_bytes());
    seal(b);
}

/// The end of a transaction in one partition, as a control batch tells it (`EndTransactionMarker`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    pub producer_id: i64,
    pub epoch: i16,
    /// COMMIT, or ABORT.
    pub commit: bool,
    /// Rises when the transaction coordinator moves.
    pub coordinator_epoch: i32,
}

/// The control batch of a marker: one record, its key version 0 and type (0 abort, 1 commit), its value version 0 and the
/// coordinator's epoch.
pub fn marker(m: &Marker, now_ms: i64) -> Vec<u8> {
    let mut record = vec![0, 0, 0]; // attributes, timestampDelta, offsetDelta
    record.push(4 << 1);
    record.extend_from_slice(&[0, 0, 0, m.commit as u8]);
    record.push(6 << 1);
    record.extend_from_slice(&[0, 0]);
    record.extend_from_slice(&m.coordinator_epoch.to_be_bytes());
    record.push(0); // no headers
    let mut b = Vec::with_capacity(HEADER_LEN + 1 + record.len());
    b.extend_from_slice(&0i64.to_be_bytes());
    b.extend_from_slice(&((HEADER_LEN - LENGTH_OVERHEAD + 1 + record.len()) as i32).to_be_bytes());
    b.extend_from_slice(&0i32.to_be_bytes());
    b.push(2);
    b.extend_from_slice(&[0; 4]);
    b.extend_from_slice(&(TRANSACTIONAL | CONTROL).to_be_bytes());
    b.extend_from_slice(&0i32.to_be_bytes());
    b.extend_from_slice(&now_ms.to_be_bytes());
    b.extend_from_slice(&now_ms.to_be_bytes());
    b.extend_from_slice(&m.producer_id.to_be_bytes());
    b.extend_from_slice(&m.epoch.to_be_bytes());
    b.extend_from_slice(&(-1i32).to_be_bytes());
    b.extend_from_slice(&1i32.to_be_bytes());
    b.push((record.len() << 1) as u8);
    b.extend_from_slice(&record);
    seal(&mut b);
    b
}

/// Writes the checksum of a whole batch.
fn seal(b: &mut [u8]) {
    let crc = crc32c::crc32c(&b[21..]);
    b[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// How much of a produced batch is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Header and checksum; the record count is believed.
    Header,
    /// Also that the records' lengths and offset deltas add up; compressed records are decompressed for it.
    Records,
}

/// Why a batch is refused: the error code of the answer, and a line for the log.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: RespErr,
    pub why: String,
}

fn refuse<T>(code: RespErr, why: String) -> Result<T, Refusal> {
    Err(Refusal { code, why })
}

/// Checks one produced partition's bytes as a broker's `LogValidator` does: exactly one batch of magic 2, whole, right
/// checksum, offsets 0..count. `max_bytes` is `message.max.bytes`.
pub fn check(b: &[u8], strictness: Strictness, max_bytes: usize) -> Result<Header, Refusal> {
    let Some(h) = header(b) else {
        return refuse(RespErr::ERR_INVALID_MSG, format!("{} bytes are no record batch", b.len()));
    };
    if h.magic != 2 {
        return refuse(RespErr::ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, format!("magic {} instead of 2", h.magic));
    }
    if h.size < HEADER_LEN || h.size > b.len() {
        return refuse(
            RespErr::ERR_INVALID_MSG,
            format!("batchLength says {} bytes in all, {} are there", h.size, b.len()),
        );
    }
    if h.size < b.len() {
        return refuse(
            RespErr::ERR_INVALID_RECORD,
            format!("{} bytes after the batch of {}", b.len() - h.size, h.size),
        );
    }
    if h.size > max_bytes {
        return refuse(
            RespErr::ERR_MSG_SIZE_TOO_LARGE,
            format!("batch of {} bytes, message.max.bytes is {max_bytes}", h.size),
        );
    }
    let crc = crc32c::crc32c(&b[21..]);
    if crc != h.crc {
        return refuse(RespErr::ERR_INVALID_MSG, format!("crc {:08x} in the batch, {crc:08x} of its bytes", h.crc));
    }
    if h.codec() > 4 {
        return refuse(RespErr::ERR_UNSUPPORTED_COMPRESSION_TYPE, format!("compression type {}", h.codec()));
    }
    if h.count <= 0 || h.last_offset_delta != h.count - 1 {
        return refuse(
            RespErr::ERR_INVALID_RECORD,
            format!("{} records with lastOffsetDelta {}", h.count, h.last_offset_delta),
        );
    }
    if h.control() || h.log_append_time() {
        return refuse(RespErr::ERR_INVALID_RECORD, format!("attributes {:#06x} from a producer", h.attributes));
    }
    if h.producer_id >= 0 && (h.producer_epoch < 0 || h.base_sequence < 0) {
        return refuse(
            RespErr::ERR_INVALID_RECORD,
            format!("producer {} with epoch {}, sequence {}", h.producer_id, h.producer_epoch, h.base_sequence),
        );
    }
    if h.transactional() && h.producer_id < 0 {
        return refuse(RespErr::ERR_INVALID_RECORD, "a transactional batch without a producer id".to_string());
    }
    if strictness == Strictness::Records {
        let records = super::codec::records(&h, b).map_err(|why| Refusal { code: RespErr::ERR_INVALID_MSG, why })?;
        if let Err(why) = check_records(&h, &records) {
            return refuse(RespErr::ERR_INVALID_RECORD, why);
        }
    }
    Ok(h)
}

/// Walks the records' lengths, offset deltas and timestamps without looking at their content.
fn check_records(h: &Header, records: &[u8]) -> Result<(), String> {
    let mut at = Cursor { b: records, at: 0 };
    let mut max_ts = i64::MIN;
    for i in 0..h.count {
        let len = at.varint().ok_or_else(|| format!("record {i} of {} is not there", h.count))?;
        let end = usize::try_from(len).ok().and_then(|l| at.at.checked_add(l)).filter(|e| *e <= records.len());
        let end = end.ok_or_else(|| format!("record {i}: length {len}, {} bytes left", records.len() - at.at))?;
        let fields = (|| {
            at.skip(1)?;
            Some((at.varint()?, at.varint()?))
        })();
        match fields {
            Some((ts, delta)) if at.at <= end && delta == i as i64 => max_ts = max_ts.max(ts),
            Some((_, delta)) => return Err(format!("record {i}: offsetDelta {delta}")),
            None => return Err(format!("record {i} ends within its fields")),
        }
        at.at = end;
    }
    if at.at != records.len() {
        return Err(format!("{} bytes after the last of {} records", records.len() - at.at, h.count));
    }
    let max_ts = h.base_timestamp.saturating_add(max_ts);
    if max_ts != h.max_timestamp {
        return Err(format!("maxTimestamp {} in the header, {max_ts} of the records", h.max_timestamp));
    }
    Ok(())
}

/// One record as a consumer would see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub offset: i64,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Decodes the records of a whole batch; an error says what is wrong with it.
pub fn decode(b: &[u8]) -> Result<Vec<Record>, String> {
    let h = header(b).filter(|h| h.size <= b.len()).ok_or("not a whole batch")?;
    let records = super::codec::records(&h, &b[..h.size])?;
    let mut at = Cursor { b: &records, at: 0 };
    let mut all = Vec::new();
    for i in 0..h.count {
        let record = decode_record(&h, &mut at).ok_or_else(|| format!("record {i} of {} is broken", h.count))?;
        all.push(record);
    }
    Ok(all)
}

fn decode_record(h: &Header, at: &mut Cursor<'_>) -> Option<Record> {
    let len = usize::try_from(at.varint()?).ok()?;
    let end = at.at.checked_add(len).filter(|e| *e <= at.b.len())?;
    at.skip(1)?;
    let timestamp = h.base_timestamp.wrapping_add(at.varint()?);
    let timestamp = if h.log_append_time() { h.max_timestamp } else { timestamp };
    let offset = h.base_offset.wrapping_add(at.varint()?);
    let key = at.nullable_bytes()?;
    let value = at.nullable_bytes()?;
    let mut headers = Vec::new();
    for _ in 0..at.varint()? {
        let name = String::from_utf8(at.nullable_bytes()??).ok()?;
        headers.push((name, at.nullable_bytes()?));
    }
    (at.at == end).then_some(Record { offset, timestamp, key, value, headers })
}

struct Cursor<'a> {
    b: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn skip(&mut self, n: usize) -> Option<()> {
        self.at = self.at.checked_add(n).filter(|e| *e <= self.b.len())?;
        Some(())
    }

    /// A zigzag varint or varlong.
    fn varint(&mut self) -> Option<i64> {
        let mut z = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.b.get(self.at)?;
            self.at += 1;
            z |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some((z >> 1) as i64 ^ -((z & 1) as i64));
            }
        }
        None
    }

    /// Outer `None`: broken; inner `None`: null.
    fn nullable_bytes(&mut self) -> Option<Option<Vec<u8>>> {
        match self.varint()? {
            -1 => Some(None),
            n => {
                let start = self.at;
                self.skip(usize::try_from(n).ok()?)?;
                Some(Some(self.b[start..self.at].to_vec()))
            }
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    fn put_varint(out: &mut Vec<u8>, v: i64) {
        let mut z = ((v << 1) ^ (v >> 63)) as u64;
        while z >= 0x80 {
            out.push(z as u8 | 0x80);
            z >>= 7;
        }
        out.push(z as u8);
    }

    /// A plain batch of records with the given timestamps, key "k", value "v<i>" and one header.
    pub fn build(timestamps: &[i64], producer: (i64, i16, i32)) -> Vec<u8> {
        let base = timestamps[0];
        let mut records = Vec::new();
        for (i, ts) in timestamps.iter().enumerate() {
            let mut r = vec![0];
            put_varint(&mut r, ts - base);
            put_varint(&mut r, i as i64);
            put_varint(&mut r, 1);
            r.push(b'k');
            let value = format!("v{i}");
            put_varint(&mut r, value.len() as i64);
            r.extend_from_slice(value.as_bytes());
            put_varint(&mut r, 1);
            put_varint(&mut r, 1);
            r.push(b'h');
            put_varint(&mut r, -1);
            put_varint(&mut records, r.len() as i64);
            records.extend_from_slice(&r);
        }
        let mut b = Vec::new();
        b.extend_from_slice(&0i64.to_be_bytes());
        b.extend_from_slice(&((49 + records.len()) as i32).to_be_bytes());
        b.extend_from_slice(&(-1i32).to_be_bytes());
        b.push(2);
        b.extend_from_slice(&[0; 4]);
        b.extend_from_slice(&0i16.to_be_bytes());
        b.extend_from_slice(&(timestamps.len() as i32 - 1).to_be_bytes());
        b.extend_from_slice(&base.to_be_bytes());
        b.extend_from_slice(&timestamps.iter().max().unwrap().to_be_bytes());
        b.extend_from_slice(&producer.0.to_be_bytes());
        b.extend_from_slice(&producer.1.to_be_bytes());
        b.extend_from_slice(&producer.2.to_be_bytes());
        b.extend_from_slice(&(timestamps.len() as i32).to_be_bytes());
        b.extend_from_slice(&records);
        seal(&mut b);
        b
    }

    /// The same as records of a transaction.
    pub fn build_txn(timestamps: &[i64], producer: (i64, i16, i32)) -> Vec<u8> {
        let mut b = build(timestamps, producer);
        b[21..23].copy_from_slice(&TRANSACTIONAL.to_be_bytes());
        seal(&mut b);
        b
    }

    fn code(b: &[u8]) -> i32 {
        check(b, Strictness::Records, 1 << 20).map_or_else(|r| r.code.0, |_| 0)
    }

    #[test]
    fn a_good_batch_passes_and_decodes() {
        let b = build(&[1000, 1010, 990], (-1, -1, -1));
        assert_eq!(code(&b), 0);
        let records = decode(&b).unwrap();
        assert_eq!(records.len(), 3);
        assert_eq!(records[2].timestamp, 990);
        assert_eq!(records[2].offset, 2);
        assert_eq!(records[1].value.as_deref(), Some(&b"v1"[..]));
        assert_eq!(records[1].headers, vec![("h".to_string(), None)]);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = build(&[1000, 1010], (7, 0, 0));
        for bit in 0..good.len() * 8 {
            let mut b = good.clone();
            b[bit / 8] ^= 1 << (bit % 8);
            // baseOffset and partitionLeaderEpoch are the broker's to write.
            let free = (0..8).contains(&(bit / 8)) || (12..16).contains(&(bit / 8));
            assert_eq!(code(&b) == 0, free, "bit {bit}");
        }
    }

    #[test]
    fn wrong_counts_behind_a_right_checksum_are_noticed() {
        let good = build(&[1000, 1010], (-1, -1, -1));
        let changed = |at: usize, v: &[u8]| {
            let mut b = good.clone();
            b[at..at + v.len()].copy_from_slice(v);
            seal(&mut b);
            code(&b)
        };
        assert_eq!(changed(57, &3i32.to_be_bytes()), RespErr::ERR_INVALID_RECORD.0, "count without lastOffsetDelta");
        assert_eq!(changed(57, &i32::MAX.to_be_bytes()), RespErr::ERR_INVALID_RECORD.0);
        assert_eq!(changed(35, &5i64.to_be_bytes()), RespErr::ERR_INVALID_RECORD.0, "maxTimestamp");
        assert_eq!(changed(21, &5i16.to_be_bytes()), RespErr::ERR_UNSUPPORTED_COMPRESSION_TYPE.0);
        assert_eq!(changed(61, &[0x7e]), RespErr::ERR_INVALID_RECORD.0, "record length");
        let mut b = good.clone();
        b[57..61].copy_from_slice(&3i32.to_be_bytes());
        b[23..27].copy_from_slice(&2i32.to_be_bytes());
        seal(&mut b);
        assert_eq!(code(&b), RespErr::ERR_INVALID_RECORD.0, "one record more than there is");
        let mut b = good.clone();
        b.push(0);
        assert_eq!(code(&b), RespErr::ERR_INVALID_RECORD.0, "bytes after the batch");
        assert_eq!(code(&good[..good.len() - 1]), RespErr::ERR_INVALID_MSG.0);
        assert_eq!(code(&good[..20]), RespErr::ERR_INVALID_MSG.0);
        assert_eq!(
            check(&good, Strictness::Header, good.len() - 1).map_err(|r| r.code),
            Err(RespErr::ERR_MSG_SIZE_TOO_LARGE)
        );
    }

    #[test]
    fn append_time_renews_the_checksum() {
        let mut b = build(&[1000, 1010], (-1, -1, -1));
        stamp_append_time(&mut b, 5000);
        let h = header(&b).unwrap();
        assert_eq!(h.crc, crc32c::crc32c(&b[21..]));
        assert!(decode(&b).unwrap().iter().all(|r| r.timestamp == 5000));
    }

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(add_sequence(i32::MAX, 1), 0);
        assert_eq!(add_sequence(i32::MAX - 1, 3), 1);
        assert_eq!(add_sequence(5, 0), 5);
    }
}
