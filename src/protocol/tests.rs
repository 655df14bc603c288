//! Primitive types, headers, negotiation.

use super::api::{begin_request, begin_response, finish_response_header, APIS};
use super::*;
use proptest::prelude::*;

fn written(f: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::new();
    f(&mut w);
    w.into_vec()
}

#[test]
fn varints_have_the_bytes_of_the_specification() {
    for (v, bytes) in [
        (0u32, &[0u8][..]),
        (127, &[0x7f]),
        (128, &[0x80, 1]),
        (300, &[0xac, 2]),
        (u32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
    ] {
        assert_eq!(written(|w| w.uvarint(v)), bytes);
        assert_eq!(Reader::new(bytes).uvarint(), Ok(v));
    }
    for (v, bytes) in [(0i32, &[0u8][..]), (-1, &[1]), (1, &[2]), (-64, &[0x7f]), (64, &[0x80, 1])] {
        assert_eq!(written(|w| w.varint(v)), bytes);
        assert_eq!(Reader::new(bytes).varint(), Ok(v));
    }
}

#[test]
fn overlong_varints_are_refused() {
    assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x10]).uvarint().unwrap_err().what, "varint beyond 32 bits");
    assert_eq!(Reader::new(&[0x80; 6]).uvarint().unwrap_err().what, "varint too long");
    assert_eq!(Reader::new(&[0x80; 4]).uvarint().unwrap_err().what, "message too short");
    assert_eq!(Reader::new(&[0x80; 11]).uvarlong().unwrap_err().what, "varint too long");
    let mut b = [0xff; 10];
    b[9] = 1;
    assert_eq!(Reader::new(&b).uvarlong(), Ok(u64::MAX));
    b[9] = 2;
    assert_eq!(Reader::new(&b).uvarlong().unwrap_err().what, "varint beyond 64 bits");
}

#[test]
fn counts_are_held_against_the_bytes_left() {
    let bytes = written(|w| {
        w.array_len(3, false);
        w.raw(&[0; 11]);
    });
    assert_eq!(Reader::new(&bytes).array_len(false, 3), Ok(3));
    assert_eq!(Reader::new(&bytes).array_len(false, 4).unwrap_err().what, "array count beyond the end");
    let huge = written(|w| w.array_len(i32::MAX as usize, true));
    assert_eq!(Reader::new(&huge).array_len(true, 0).unwrap_err().what, "array count beyond the end");
    assert_eq!(Reader::new(&[0]).nullable_array_len(true, 1), Ok(None));
    assert_eq!(Reader::new(&[0]).array_len(true, 1).unwrap_err().what, "null where none is allowed");
    // 2³² − 2 elements: a compact count has no sign.
    assert_eq!(
        Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).array_len(true, 1).unwrap_err().what,
        "length beyond 2 GiB"
    );
}

#[test]
fn strings_and_bytes_in_both_encodings() {
    for flexible in [false, true] {
        let bytes = written(|w| {
            w.str("naïve", flexible);
            w.nullable_str(None, flexible);
            w.nullable_str(Some(""), flexible);
            w.bytes(b"xyz", flexible);
            w.nullable_bytes(None, flexible);
        });
        let mut r = Reader::new(&bytes);
        assert_eq!(r.str(flexible), Ok("naïve"));
        assert_eq!(r.nullable_str(flexible), Ok(None));
        assert_eq!(r.str(flexible), Ok(""));
        assert_eq!(r.bytes(flexible), Ok(&b"xyz"[..]));
        assert_eq!(r.clone().bytes(flexible).unwrap_err().what, "null where none is allowed");
        assert_eq!(r.nullable_bytes(flexible), Ok(None));
        assert_eq!(r.finish(), Ok(()));
        let long = "x".repeat(32768);
        let mut w = Writer::new();
        w.str(&long[1..], flexible);
        assert_eq!(w.error(), None);
        assert_eq!(Reader::new(w.as_slice()).str(flexible), Ok(&long[1..]));
        w.str(&long, flexible);
        assert_eq!(w.error(), Some(EncodeError::StringTooLong));
        assert_eq!(w.end_frame(0, 0), Err(EncodeError::StringTooLong));
    }
    assert_eq!(Reader::new(&[0, 1, 0xff]).str(false).unwrap_err().what, "string is not UTF-8");
    assert_eq!(Reader::new(&[0xff, 0xfe]).nullable_str(false).unwrap_err().what, "negative length");
    assert_eq!(Reader::new(&[0, 2, b'x']).str(false).unwrap_err().what, "length beyond the end");
}

#[test]
fn tagged_fields_must_be_in_order_and_within_bounds() {
    let read = |b: &[u8]| Reader::new(b).skip_tagged_fields().map_err(|e| e.what);
    assert_eq!(read(&[0]), Ok(()));
    assert_eq!(read(&[2, 0, 0, 5, 1, 9]), Ok(()));
    assert_eq!(read(&[2, 5, 0, 5, 0]), Err("tagged fields out of order"));
    assert_eq!(read(&[1, 5, 2, 0]), Err("length beyond the end"));
    assert_eq!(read(&[2, 5, 0]), Err("tagged field count beyond the end"));
}

#[test]
fn frames_count_what_is_sent_from_elsewhere() {
    let mut w = Writer::from_vec(vec![9]);
    let start = w.begin_frame();
    w.i16(5);
    w.end_frame(start, 100).unwrap();
    assert_eq!(w.as_slice(), [9, 0, 0, 0, 102, 0, 5]);
    assert_eq!(w.end_frame(start, i32::MAX as usize - 2), Ok(()));
    assert_eq!(w.end_frame(start, i32::MAX as usize - 1), Err(EncodeError::TooLarge));
    w.clear();
    assert_eq!((w.error(), w.len()), (None, 0));
}

#[test]
fn request_headers() {
    for (key, version) in [(ApiKey::Produce, 8), (ApiKey::Produce, 9), (ApiKey::ApiVersions, 3), (ApiKey::Metadata, 4)]
    {
        let mut w = Writer::new();
        let start = begin_request(&mut w, key, version, 77, Some("cli"));
        w.end_frame(start, 0).unwrap();
        let flexible = key.is_flexible(version);
        assert_eq!(w.len(), 4 + 2 + 2 + 4 + 5 + flexible as usize);
        let mut r = Reader::new(&w.as_slice()[4..]);
        let h = RequestHeader::decode(&mut r).unwrap();
        let want =
            RequestHeader { api_key: key as i16, api_version: version, correlation_id: 77, client_id: Some("cli") };
        assert_eq!((h, r.remaining()), (want, 0));
    }
    // An unknown API is read as far as every header goes.
    let mut r = Reader::new(&[0x7f, 0xff, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 42]);
    assert_eq!(RequestHeader::decode(&mut r).unwrap().client_id, None);
    assert_eq!(r.remaining(), 1);
}

#[test]
fn response_headers() {
    for (key, version, len) in [
        (ApiKey::Produce, 8, 8),
        (ApiKey::Produce, 9, 9),
        (ApiKey::ApiVersions, 3, 8),
        (ApiKey::ApiVersions, 4, 8),
        (ApiKey::SaslHandshake, 1, 8),
    ] {
        let mut w = Writer::new();
        let start = begin_response(&mut w, key, version, 5);
        w.end_frame(start, 0).unwrap();
        assert_eq!(w.len(), len, "{key:?} v{version}");
        let mut r = Reader::new(&w.as_slice()[8..]);
        finish_response_header(&mut r, key, version).unwrap();
        assert_eq!(r.finish(), Ok(()));
    }
}

#[test]
fn versions_are_negotiated() {
    use ApiKey::*;
    let max = Produce.api().max;
    assert_eq!(negotiate(Produce, 0, 3), Some(3));
    assert_eq!(negotiate(Produce, 0, 2), None);
    assert_eq!(negotiate(Produce, 3, i16::MAX), Some(max));
    assert_eq!(negotiate(Produce, max, max), Some(max));
    assert_eq!(negotiate(Produce, max + 1, max + 3), None);
    assert_eq!(negotiate(Metadata, 0, 4), Some(4));
    // A broker of 2017 (0.11).
    assert_eq!(negotiate(ApiVersions, 0, 1), Some(1));
}

#[test]
fn the_table_is_consistent() {
    for api in APIS {
        assert!(api.min >= 0 && api.min <= api.max, "{api:?}");
        assert_eq!(ApiKey::from_i16(api.key as i16), Some(api.key));
        assert_eq!(api.key.api(), api);
        assert!(api.key.supports(api.max) && !api.key.supports(api.max + 1) && !api.key.supports(api.min - 1));
        assert_eq!(api.key.request_header_version(api.max), if api.max >= api.flexible { 2 } else { 1 });
    }
    assert_eq!(ApiKey::from_i16(-1), None);
}

proptest! {
    #[test]
    fn integers_round_trip(a: i8, b: i16, c: i32, d: i64, e: u32, f: u64, g: u16, u: [u8; 16], t: bool) {
        let bytes = written(|w| {
            w.i8(a); w.i16(b); w.i32(c); w.i64(d); w.u32(e); w.u16(g); w.uuid(&u); w.bool(t);
            w.uvarint(e); w.uvarlong(f); w.varint(c); w.varlong(d);
        });
        let mut r = Reader::new(&bytes);
        prop_assert_eq!((r.i8(), r.i16(), r.i32(), r.i64()), (Ok(a), Ok(b), Ok(c), Ok(d)));
        prop_assert_eq!((r.u32(), r.u16(), r.uuid(), r.bool()), (Ok(e), Ok(g), Ok(u), Ok(t)));
        prop_assert_eq!((r.uvarint(), r.uvarlong(), r.varint(), r.varlong()), (Ok(e), Ok(f), Ok(c), Ok(d)));
        prop_assert_eq!(r.finish(), Ok(()));
    }
}
