//! What a report's walk over the records would otherwise have to work out byte by byte: 32 bits beside each record, its note.
//!
//! | top bits | record | further bits |
//! |---|---|---|
//! | `100` | a value alone | length of the record (14), where its value begins (4), timestamp delta (11) |
//! | `101` | value and headers | the same |
//! | `11` | key and value | length of the record (12), of its key (6), of its offset delta (2), timestamp delta (10) |
//! | `0…` | any, with a number of the client's own | that number |
//! | all set | any other | none |

use super::record::{read, uvarint_len, Fit, RecordRef, RecordView, NO_AUX, NO_HEADERS};
use super::section::HeaderSection;

const PLAIN: u32 = 0b100 << 29;
const HEADED: u32 = 0b101 << 29;
const PLAIN_MAX: usize = 1 << 14;
const PLAIN_TOTAL: u32 = 15;
const PLAIN_VALUE: u32 = 11;
const PLAIN_VALUE_MAX: usize = 1 << (PLAIN_TOTAL - PLAIN_VALUE);
const PLAIN_DELTA_MAX: i64 = 1 << PLAIN_VALUE;

/// Of such a length a varint has at most two bytes.
const HEADED_VALUE_MAX: usize = 1 << 13;

const KEYED: u32 = 0b11 << 30;
/// Less than what the bits can hold, so that no note is [`NO_AUX`].
const KEYED_MAX: usize = (1 << 12) - 1;
const KEYED_TOTAL: u32 = 18;
const KEYED_KEY: u32 = 12;
/// Of such a length a varint has one byte.
const KEYED_KEY_MAX: usize = 1 << (KEYED_TOTAL - KEYED_KEY);
const KEYED_OFFSET: u32 = 10;
const KEYED_OFFSET_MAX: usize = 1 << (KEYED_KEY - KEYED_OFFSET);
const KEYED_DELTA_MAX: i64 = 1 << KEYED_OFFSET;

/// The note of a record.
#[inline(always)]
pub fn note(rec: &RecordRef<'_, impl HeaderSection>, fit: &Fit) -> u32 {
    let (Some(value), NO_AUX) = (rec.value, rec.aux) else { return rec.aux };
    let (total, delta) = (fit.total, fit.timestamp_delta);
    let headers = rec.headers.section_len();
    match rec.key {
        None if total < PLAIN_MAX && (0..PLAIN_DELTA_MAX).contains(&delta) => {
            // At most 2 + 1 + 2 + 5 + 1 + 2.
            let value_at = total - headers - value.len();
            let kind = if rec.headers.is_empty() {
                PLAIN
            } else if value.len() < HEADED_VALUE_MAX {
                HEADED
            } else {
                return NO_AUX;
            };
            kind | (total << PLAIN_TOTAL | value_at << PLAIN_VALUE) as u32 | delta as u32
        }
        Some(key)
            if rec.headers.is_empty()
                && total < KEYED_MAX
                && key.len() < KEYED_KEY_MAX
                && (0..KEYED_DELTA_MAX).contains(&delta) =>
        {
            let offset_len = uvarint_len((fit.offset_delta as u64) << 1);
            if offset_len >= KEYED_OFFSET_MAX {
                return NO_AUX;
            }
            let lengths = total << KEYED_TOTAL | key.len() << KEYED_KEY | offset_len << KEYED_OFFSET;
            KEYED | lengths as u32 | delta as u32
        }
        _ => NO_AUX,
    }
}

/// The number that travels with a record of this note, or [`NO_AUX`].
#[inline(always)]
pub fn aux(note: u32) -> u32 {
    if (note as i32) < 0 {
        NO_AUX
    } else {
        note
    }
}

/// Whether it is the note of a value alone.
#[inline(always)]
pub fn is_plain(note: u32) -> bool {
    // One comparison: such are the smallest of all signed numbers.
    (note as i32) < HEADED as i32
}

/// Whether it is the note of a value and headers.
#[inline(always)]
pub fn is_headed(note: u32) -> bool {
    (HEADED..KEYED).contains(&note)
}

/// Whether it is the note of a key and a value.
#[inline(always)]
pub fn is_keyed(note: u32) -> bool {
    (KEYED..NO_AUX).contains(&note)
}

/// Reads a record by its note, and returns it with one past its last byte.
///
/// # Safety
/// As [`read`], and `note` is this record's.
#[allow(unsafe_code)]
#[inline(always)]
pub unsafe fn read_noted<'a>(at: *const u8, note: u32) -> (RecordView<'a>, *const u8) {
    // SAFETY: the caller's promises.
    unsafe {
        if is_plain(note) {
            read_plain(at, note)
        } else if is_keyed(note) {
            read_keyed(at, note)
        } else if is_headed(note) {
            read_headed(at, note)
        } else {
            read(at)
        }
    }
}

/// # Safety
/// As `read_noted`, and `is_plain` is true of the note.
#[allow(unsafe_code)]
#[inline(always)]
pub unsafe fn read_plain<'a>(at: *const u8, note: u32) -> (RecordView<'a>, *const u8) {
    let total = (note >> PLAIN_TOTAL) as usize & (PLAIN_MAX - 1);
    let value_at = (note >> PLAIN_VALUE) as usize & (PLAIN_VALUE_MAX - 1);
    // SAFETY: the record was written with exactly these lengths, and its last byte is the count of its headers.
    let value = unsafe { std::slice::from_raw_parts(at.add(value_at), total - 1 - value_at) };
    let timestamp_delta = note as i64 & (PLAIN_DELTA_MAX - 1);
    let record = RecordView { timestamp_delta, key: None, value: Some(value), headers: NO_HEADERS };
    // SAFETY: as above.
    (record, unsafe { at.add(total) })
}

/// # Safety
/// As `read_noted`, and `is_headed` is true of the note.
#[allow(unsafe_code)]
#[inline(always)]
pub unsafe fn read_headed<'a>(at: *const u8, note: u32) -> (RecordView<'a>, *const u8) {
    let total = (note >> PLAIN_TOTAL) as usize & (PLAIN_MAX - 1);
    let value_at = (note >> PLAIN_VALUE) as usize & (PLAIN_VALUE_MAX - 1);
    // SAFETY: the record was written with exactly these lengths. Before its value stand that one's length, a varint of one or
    // two bytes, and the key's, one byte without a top bit.
    let (value, headers, next) = unsafe {
        let (value, next) = (at.add(value_at), at.add(total));
        let (low, high) = (usize::from(*value.sub(2)), usize::from(*value.sub(1)));
        let len = if low < 0x80 { high >> 1 } else { (low & 0x7f | high << 7) >> 1 };
        let headers = value.add(len);
        (
            std::slice::from_raw_parts(value, len),
            std::slice::from_raw_parts(headers, next.offset_from(headers) as usize),
            next,
        )
    };
    let timestamp_delta = note as i64 & (PLAIN_DELTA_MAX - 1);
    (RecordView { timestamp_delta, key: None, value: Some(value), headers }, next)
}

/// Bytes of the length before `rest` bytes, itself among them, of which there are less than [`KEYED_MAX`].
#[inline(always)]
fn prefix_of(rest: usize) -> usize {
    // A varint has one byte up to 63, and two up to 8191.
    1 + usize::from(rest > 64)
}

/// # Safety
/// As `read_noted`, and `is_keyed` is true of the note.
#[allow(unsafe_code)]
#[inline(always)]
pub unsafe fn read_keyed<'a>(at: *const u8, note: u32) -> (RecordView<'a>, *const u8) {
    let total = (note >> KEYED_TOTAL) as usize & KEYED_MAX;
    let key_len = (note >> KEYED_KEY) as usize & (KEYED_KEY_MAX - 1);
    let offset_len = (note >> KEYED_OFFSET) as usize & (KEYED_OFFSET_MAX - 1);
    let timestamp_delta = note as i64 & (KEYED_DELTA_MAX - 1);
    let timestamp_len = 1 + usize::from(timestamp_delta >= 64);
    // Length, attributes, the two deltas, the key's length.
    let key_at = prefix_of(total) + 1 + timestamp_len + offset_len + 1;
    let after_key = total - 1 - key_at - key_len;
    let value_len = after_key - prefix_of(after_key);
    // SAFETY: the record was written with exactly these lengths, and its last byte is the count of its headers.
    let (key, value, next) = unsafe {
        let next = at.add(total);
        (
            std::slice::from_raw_parts(at.add(key_at), key_len),
            std::slice::from_raw_parts(next.sub(1 + value_len), value_len),
            next,
        )
    };
    (RecordView { timestamp_delta, key: Some(key), value: Some(value), headers: NO_HEADERS }, next)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::accumulator::record::{with_zigzag, write};
    use crate::sys::clock::Tick;

    /// Writes the record and reads it back by its note and without; tells its note.
    #[allow(unsafe_code)]
    fn round_trip(key: Option<&[u8]>, value: Option<&[u8]>, delta: i64, offset: u32, aux: u32) -> u32 {
        round_trip_headed(key, value, NO_HEADERS, delta, offset, aux)
    }

    #[allow(unsafe_code)]
    fn round_trip_headed(
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[u8],
        delta: i64,
        offset: u32,
        aux: u32,
    ) -> u32 {
        let now = Tick::from_us(0);
        let rec = RecordRef { key, value, headers, timestamp_ms: None, now, opaque: 0, aux };
        let (delta, zigzag) = with_zigzag(delta);
        let fit = Fit::new(rec.fixed_len(), offset, delta, zigzag);
        // One byte more than the record may touch, on either side.
        let mut bytes = vec![0xa5; fit.total + 2];
        let note = note(&rec, &fit);
        // SAFETY: the record has `total` bytes from the second on, and they outlive what is read of them.
        unsafe {
            write(bytes.as_mut_ptr().add(1), &rec, &fit);
            let at = bytes.as_ptr().add(1);
            for (got, next) in [read_noted(at, note), read(at)] {
                let of = format!("{:?} {:?} {delta} {offset}", key.map(<[u8]>::len), value.map(<[u8]>::len));
                assert_eq!((got.key, got.value, got.timestamp_delta), (key, value, delta), "{of}");
                assert_eq!((got.headers, next.offset_from(at) as usize), (headers, fit.total), "{of}");
            }
        }
        assert_eq!((bytes[0], bytes[fit.total + 1]), (0xa5, 0xa5));
        assert_eq!(super::aux(note), aux);
        note
    }

    #[test]
    fn notes_at_every_border_tell_what_was_written() {
        let bytes: Vec<u8> = (0..17_000u32).map(|i| (i * 31 + i / 251) as u8).collect();
        let step = if cfg!(miri) { 97 } else { 1 };
        let lengths = (0..320).step_by(step).chain(4_000..4_100).chain(8_180..8_200).chain(16_360..16_400);
        for len in lengths {
            let value = Some(&bytes[..len]);
            for delta in [0, 63, 64, 1023, 1024, 2047, 2048, -1] {
                let keyless = round_trip(None, value, delta, 8192, NO_AUX);
                // 13 bytes beside the value, one more for longer deltas.
                if !(16_369..=16_371).contains(&len) {
                    assert_eq!(is_plain(keyless), len < 16_371 && (0..2048).contains(&delta), "{len} {delta}");
                }
                for (offset, key_len) in [(0, 8), (63, 0), (64, 62), (8191, 63), (8192, 64), (1 << 20, 8)] {
                    let note = round_trip(Some(&bytes[len..len + key_len]), value, delta, offset, NO_AUX);
                    let short = key_len < 64 && offset < 1 << 20 && (0..1024).contains(&delta);
                    // Between the two it depends on the other lengths.
                    if !(4_000..4_090).contains(&len) {
                        assert_eq!(is_keyed(note), short && len < 4_000, "{len} {delta} {offset} {key_len}");
                    }
                }
            }
        }
    }

    #[test]
    fn headers_are_told_from_values_at_every_length() {
        let bytes: Vec<u8> = (0..17_000u32).map(|i| (i * 31 + i / 251) as u8).collect();
        let step = if cfg!(miri) { 97 } else { 1 };
        for len in (0..320).step_by(step).chain(8_180..8_200).chain(16_300..16_400) {
            for header_len in [2, 5, 54, 63, 64, 200] {
                for (delta, offset) in [(0, 0), (63, 63), (64, 64), (2047, 8192), (2048, 1 << 20), (-1, 7)] {
                    let headers = &bytes[300..300 + header_len];
                    let note = round_trip_headed(None, Some(&bytes[..len]), headers, delta, offset, NO_AUX);
                    let short = len < 8192 && (0..2048).contains(&delta);
                    assert_eq!(is_headed(note), short, "{len} {header_len} {delta} {offset}");
                    assert!(!is_plain(note) && !is_keyed(note));
                    let keyed = round_trip_headed(Some(b"key"), Some(&bytes[..len]), headers, delta, offset, NO_AUX);
                    assert_eq!(keyed, NO_AUX);
                    assert_eq!(round_trip_headed(None, None, headers, delta, offset, NO_AUX), NO_AUX);
                    assert_eq!(round_trip_headed(None, Some(&bytes[..len]), headers, delta, offset, 9), 9);
                }
            }
        }
    }

    #[test]
    fn numbers_and_null_values_have_no_layout() {
        for aux in [0, 7, (1 << 31) - 1] {
            assert_eq!(round_trip(Some(b"k"), Some(b"v"), 1, 0, aux), aux);
            assert_eq!(round_trip(None, Some(b"v"), 1, 0, aux), aux);
        }
        for key in [None, Some(&b"k"[..])] {
            assert_eq!(round_trip(key, None, 1, 0, NO_AUX), NO_AUX);
        }
    }
}
