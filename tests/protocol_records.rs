//! Record batches against the `kafka-protocol` crate, both ways, with every codec.

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records as theirs;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use rkafka::protocol::records::batch::{encode_batch, ATTR_TRANSACTIONAL};
use rkafka::protocol::records::{
    compress, encode_record, BatchHeader, Batches, CompressCtx, Compression, Header, HEADER_LEN,
};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
struct Rec {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: BTreeMap<String, Option<Vec<u8>>>,
}

fn record() -> impl Strategy<Value = Rec> {
    let bytes = || option::of(vec(any::<u8>(), 0..100));
    let headers = btree_map("[a-zé]{0,8}", bytes(), 0..4);
    // Neighbouring timestamps, as batches have them, before and after the first.
    (1_700_000_000_000i64..1_700_000_001_000, bytes(), bytes(), headers)
        .prop_map(|(timestamp, key, value, headers)| Rec { timestamp, key, value, headers })
}

const CODECS: [(Compression, theirs::Compression); 5] = [
    (Compression::None, theirs::Compression::None),
    (Compression::Gzip, theirs::Compression::Gzip),
    (Compression::Snappy, theirs::Compression::Snappy),
    (Compression::Lz4, theirs::Compression::Lz4),
    (Compression::Zstd, theirs::Compression::Zstd),
];

type Headers<'a> = Vec<(&'a [u8], Option<&'a [u8]>)>;
/// What both sides say about a record: offset, timestamp, key, value, headers.
type View<'a> = (i64, i64, Option<&'a [u8]>, Option<&'a [u8]>, Headers<'a>);

fn view(r: &theirs::Record) -> View<'_> {
    let headers = r.headers.iter().map(|(k, v)| (k.as_str().as_bytes(), v.as_deref())).collect();
    (r.offset, r.timestamp, r.key.as_deref(), r.value.as_deref(), headers)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn they_read_what_we_write(recs in vec(record(), 1..20), codec in 0usize..5, transactional: bool) {
        let (ours, _) = CODECS[codec];
        let first = recs[0].timestamp;
        let mut data = Vec::new();
        for (i, r) in recs.iter().enumerate() {
            let headers: Vec<_> =
                r.headers.iter().map(|(k, v)| Header { key: k.as_bytes(), value: v.as_deref() }).collect();
            encode_record(&mut data, r.timestamp - first, i as i32, r.key.as_deref(), r.value.as_deref(), &headers);
        }
        let mut packed = Vec::new();
        let (a, b) = data.split_at(data.len() / 2);
        compress(ours, -1, &[a, b], &mut packed, &mut CompressCtx::default()).unwrap();
        let header = BatchHeader {
            base_offset: 1000,
            attributes: ours as i16 | if transactional { ATTR_TRANSACTIONAL } else { 0 },
            last_offset_delta: recs.len() as i32 - 1,
            base_timestamp: first,
            max_timestamp: recs.iter().map(|r| r.timestamp).max().unwrap(),
            producer_id: 77,
            producer_epoch: 3,
            base_sequence: 5,
            count: recs.len() as i32,
            ..BatchHeader::default()
        };
        let bytes = encode_batch(&header, &packed);
        let set = theirs::RecordBatchDecoder::decode(&mut Bytes::from(bytes)).unwrap();
        prop_assert_eq!(set.compression, CODECS[codec].1);
        prop_assert_eq!(set.records.len(), recs.len());
        for (i, (t, r)) in set.records.iter().zip(&recs).enumerate() {
            let headers: Vec<_> = r.headers.iter().map(|(k, v)| (k.as_bytes(), v.as_deref())).collect();
            let want = (1000 + i as i64, r.timestamp, r.key.as_deref(), r.value.as_deref(), headers);
            prop_assert_eq!(view(t), want);
            prop_assert_eq!((t.producer_id, t.producer_epoch, t.sequence), (77, 3, 5 + i as i32));
            prop_assert_eq!((t.transactional, t.control), (transactional, false));
        }
    }

    #[test]
    fn we_read_what_they_write(recs in vec(record(), 1..20), codec in 0usize..5) {
        let (ours, compression) = CODECS[codec];
        let records: Vec<_> = recs.iter().enumerate().map(|(i, r)| theirs::Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: 4,
            producer_id: 9,
            producer_epoch: 1,
            timestamp_type: theirs::TimestampType::Creation,
            offset: 50 + i as i64,
            sequence: 7 + i as i32,
            timestamp: r.timestamp,
            key: r.key.clone().map(Bytes::from),
            value: r.value.clone().map(Bytes::from),
            headers: r.headers.iter()
                .map(|(k, v)| (StrBytes::from_string(k.clone()), v.clone().map(Bytes::from)))
                .collect::<IndexMap<_, _>>(),
        }).collect();
        let mut buf = BytesMut::new();
        let options = theirs::RecordEncodeOptions { version: 2, compression };
        theirs::RecordBatchEncoder::encode(&mut buf, records.iter(), &options).unwrap();

        let mut seen = 0;
        for batch in Batches::new(&buf) {
            let batch = batch.unwrap();
            let h = batch.header;
            prop_assert!(batch.check_crc());
            prop_assert_eq!(batch.payload().len(), batch.bytes.len() - HEADER_LEN);
            prop_assert_eq!(h.compression(), Some(ours));
            prop_assert_eq!((h.producer_id, h.producer_epoch, h.partition_leader_epoch), (9, 1, 4));
            prop_assert_eq!(h.base_sequence, 7 + seen as i32);
            let data = batch.decompressed(1 << 20).unwrap();
            for r in batch.records(&data) {
                let r = r.unwrap();
                let headers = r.headers.map(|h| (h.key, h.value)).collect();
                let got = (h.base_offset + r.offset_delta as i64, h.base_timestamp + r.timestamp_delta, r.key, r.value, headers);
                prop_assert_eq!(view(&records[seen]), got);
                seen += 1;
            }
        }
        prop_assert_eq!(seen, records.len());
    }
}
