//! Layouts that the comparison with another crate does not show.

use super::*;
use crate::protocol::messages::produce::request;

/// The pieces a client writes around its records make the same bytes as the whole struct.
#[test]
fn produce_request_in_pieces() {
    let mut g = Gen(3);
    let api = ApiKey::Produce.api();
    for v in (api.min..=api.max).cycle().take(200) {
        let mut m = ProduceRequest::sample(&mut g, v);
        for p in m.topic_data.iter_mut().flat_map(|t| &mut t.partition_data) {
            p.records.get_or_insert(b"x");
        }
        let mut w = Writer::new();
        let frame = w.begin_frame();
        // Where records belong, and which.
        let mut holes: Vec<(usize, &[u8])> = Vec::new();
        request::begin(&mut w, v, m.transactional_id, m.acks, m.timeout_ms, m.topic_data.len());
        for t in &m.topic_data {
            request::topic(&mut w, v, t.name, &t.topic_id, t.partition_data.len());
            for p in &t.partition_data {
                let records = p.records.unwrap();
                request::partition(&mut w, v, p.index, records.len());
                holes.push((w.len(), records));
                request::end_partition(&mut w, v);
            }
            request::end_topic(&mut w, v);
        }
        request::end(&mut w, v);
        w.end_frame(frame, holes.iter().map(|h| h.1.len()).sum()).unwrap();
        let mut sent = w.into_vec();
        for (at, records) in holes.into_iter().rev() {
            sent.splice(at..at, records.iter().copied());
        }
        let size = i32::from_be_bytes(*sent.first_chunk().unwrap());
        assert_eq!(size as usize, sent.len() - 4);
        assert_eq!(sent[4..], written(|w| m.encode(w, v)), "v{v}");
    }
}

/// A broker that does not know the version answers in the layout of v0, whatever was asked.
#[test]
fn unsupported_api_versions_is_read_in_v0() {
    let answer = ApiVersionsResponse {
        error_code: UNSUPPORTED_VERSION,
        api_keys: vec![ApiVersion { api_key: 18, min_version: 0, max_version: 2 }],
        ..ApiVersionsResponse::default()
    };
    let bytes = written(|w| answer.encode(w, 0));
    for v in 0..=4 {
        let mut r = Reader::new(&bytes);
        assert_eq!(ApiVersionsResponse::decode_any(&mut r, v).as_ref(), Ok(&answer));
        assert_eq!(r.finish(), Ok(()));
    }
    assert_eq!(answer.range(18), Some((0, 2)));
    assert_eq!(answer.range(0), None);
    // Other answers come in the layout of their version.
    let other = ApiVersionsResponse { error_code: 0, throttle_time_ms: 9, ..answer };
    for v in 1..=4 {
        let bytes = written(|w| other.encode(w, v));
        assert_eq!(ApiVersionsResponse::decode_any(&mut Reader::new(&bytes), v).as_ref(), Ok(&other));
    }
}

/// Tags of later versions are skipped, known ones found among them.
#[test]
fn unknown_tagged_fields_are_skipped() {
    // No error, no topics, no throttle; tags 0 (one endpoint) and 7.
    let endpoint = [2, 0, 0, 0, 5, 2, b'h', 0, 0, 0, 9, 0, 1, 1, 1, 0xaa]; // with an unknown tag 1 of its own
    let bytes = [&[1, 0, 0, 0, 0, 2, 0, 16][..], &endpoint, &[7, 3, 1, 2, 3]].concat();
    let m = ProduceResponse::decode(&mut Reader::new(&bytes), 10).unwrap();
    let endpoint = NodeEndpoint { node_id: 5, host: "h".into(), port: 9, rack: None };
    assert_eq!(m.node_endpoints, [endpoint]);
    // In v9 the tag has no meaning yet.
    assert_eq!(ProduceResponse::decode(&mut Reader::new(&bytes), 9).unwrap().node_endpoints, []);
    // A known tag longer than its value.
    let bytes = [1, 0, 0, 0, 0, 1, 0, 2, 1, 0];
    assert_eq!(ProduceResponse::decode(&mut Reader::new(&bytes), 10).unwrap_err().what, "bytes left over");
}

#[test]
fn nulls_only_where_the_version_allows_them() {
    let with_null = |v| written(|w| MetadataTopic::default_with_null(w, v));
    for v in 1..=13 {
        let got = MetadataResponse::decode(&mut Reader::new(&with_null(v)), v);
        assert_eq!(got.is_ok(), v >= 12, "v{v}: {got:?}");
        if let Err(e) = got {
            assert_eq!((e.what, e.field), ("null where none is allowed", "name"));
        }
    }
    // A null array where none is allowed, and a negative length.
    let e = MetadataResponse::decode(&mut Reader::new(&(-1i32).to_be_bytes()), 1).unwrap_err();
    assert_eq!((e.what, e.field, e.offset), ("null where none is allowed", "brokers", 4));
    let e = MetadataResponse::decode(&mut Reader::new(&(-2i32).to_be_bytes()), 1).unwrap_err();
    assert_eq!((e.what, e.field, e.offset), ("negative length", "brokers", 4));
    assert_eq!(e.to_string(), "negative length in brokers at byte 4");
}

impl MetadataTopic {
    /// A MetadataResponse with one topic, whose name is null.
    fn default_with_null(w: &mut Writer, v: i16) {
        let flexible = v >= 9;
        let mut head = Writer::new();
        MetadataResponse::default().encode(&mut head, v);
        // Everything up to the topics, as the message without any has it.
        let tail = 4 * (8..=10).contains(&v) as usize + 2 * (v >= 13) as usize + flexible as usize;
        let topics = if flexible { 1 } else { 4 };
        let bytes = head.into_vec();
        w.raw(&bytes[..bytes.len() - tail - topics]);
        w.array_len(1, flexible);
        w.i16(3);
        w.nullable_str(None, flexible);
        if v >= 10 {
            w.uuid(&[0; 16]);
        }
        w.bool(false);
        w.array_len(0, flexible);
        if v >= 8 {
            w.i32(i32::MIN);
        }
        w.no_tagged_fields(flexible);
        w.raw(&bytes[bytes.len() - tail..]);
    }
}
