//! Every message in every version against the `kafka-protocol` crate: what we write it must read, to the same field
//! values, and write again byte for byte; and what it writes we must read.

use super::{
    add_offsets_to_txn::*, add_partitions_to_txn::*, api_versions::*, create_partitions::*, create_topics::*,
    delete_topics::*, end_txn::*, fetch::*, find_coordinator::*, init_producer_id::*, list_offsets::*, metadata::*,
    offset_commit::*, offset_fetch::*, produce::*, sasl_authenticate::*, sasl_handshake::*, txn_offset_commit::*,
};
use crate::protocol::sample::{Gen, Sample};
use crate::protocol::{ApiKey, Reader, Writer};
use bytes::BytesMut;
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable};
use proptest::prelude::*;

mod debug_tree;
mod layout;
use debug_tree::Tree;

fn written(encode: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::new();
    encode(&mut w);
    assert_eq!(w.error(), None);
    w.into_vec()
}

/// The other crate's reading of `bytes`, checked to encode to the same bytes again.
fn theirs_of<T: Decodable + Encodable>(bytes: &[u8], version: i16) -> T {
    let mut rest = bytes;
    let t = T::decode(&mut rest, version).expect("they decode what we encode");
    assert!(rest.is_empty(), "they leave {} bytes", rest.len());
    let mut again = BytesMut::new();
    t.encode(&mut again, version).expect("they encode");
    assert_eq!(again, bytes, "the same value has other bytes in v{version}");
    t
}

macro_rules! message_tests {
    ($($name:ident: $ty:ident, $key:ident $(, $compare:expr)?;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(24))]
            $(
                #[test]
                fn $name(seed in any::<u64>()) {
                    let mut g = Gen(seed);
                    let api = ApiKey::$key.api();
                    for v in api.min..=api.max {
                        let m = $ty::sample(&mut g, v);
                        let bytes = written(|w| m.encode(w, v));
                        let mut r = Reader::new(&bytes);
                        let back = $ty::decode(&mut r, v);
                        prop_assert_eq!(back.as_ref(), Ok(&m), "v{}", v);
                        prop_assert_eq!(r.finish(), Ok(()));
                        let t: theirs::$ty = theirs_of(&bytes, v);
                        message_tests!(@compare m, t, v $(, $compare)?);
                    }
                }
            )*
        }

        /// A message cut off anywhere is an error; a damaged one never panics.
        #[test]
        fn truncated_and_damaged_messages() {
            for seed in 0..3 {
                let mut g = Gen(seed);
                $(
                    let api = ApiKey::$key.api();
                    for v in api.min..=api.max {
                        let bytes = written(|w| $ty::sample(&mut g, v).encode(w, v));
                        for cut in 0..bytes.len() {
                            let got = $ty::decode(&mut Reader::new(&bytes[..cut]), v);
                            assert!(got.is_err(), "{} v{v} cut at {cut}: {got:?}", stringify!($ty));
                            let mut bad = bytes.clone();
                            bad[cut] = g.next() as u8;
                            let _ = $ty::decode(&mut Reader::new(&bad), v);
                        }
                    }
                )*
            }
        }

        #[test]
        fn random_bytes_never_panic() {
            let mut g = Gen(1);
            for _ in 0..2000 {
                // Small numbers are likelier, since they make plausible lengths.
                let bytes: Vec<u8> =
                    (0..g.below(80)).map(|_| if g.below(3) > 0 { g.below(5) as u8 } else { g.next() as u8 }).collect();
                $(
                    let api = ApiKey::$key.api();
                    for v in api.min..=api.max {
                        let _ = $ty::decode(&mut Reader::new(&bytes), v);
                    }
                )*
            }
        }

        /// Writes the seed corpora of the fuzz targets; run it by name after a change of messages.
        #[test]
        #[ignore = "writes files"]
        fn write_fuzz_corpus() {
            let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
            let mut g = Gen(7);
            $(
                let api = ApiKey::$key.api();
                let target = if stringify!($ty).ends_with("Request") { "request" } else { "response" };
                let dir = root.join(target);
                std::fs::create_dir_all(&dir).unwrap();
                for v in [api.min, (api.flexible - 1).min(api.max), api.max] {
                    let mut data = vec![api.key as u8, v as u8];
                    data.extend(written(|w| $ty::sample(&mut g, v).encode(w, v)));
                    std::fs::write(dir.join(format!("{}-v{v}", stringify!($name))), data).unwrap();
                }
            )*
        }
    };
    (@compare $m:ident, $t:ident, $v:ident) => {
        let (ours, theirs) = (Tree::parse(&format!("{:?}", $m)), Tree::parse(&format!("{:?}", $t)));
        if let Err(e) = ours.is_part_of(&theirs) {
            panic!("v{}: {e}\nours:   {:?}\ntheirs: {:?}", $v, $m, $t);
        }
    };
    (@compare $m:ident, $t:ident, $v:ident, $compare:expr) => {
        $compare(&$m, &$t, $v)
    };
}

message_tests! {
    api_versions_request: ApiVersionsRequest, ApiVersions;
    api_versions_response: ApiVersionsResponse, ApiVersions;
    create_partitions_request: CreatePartitionsRequest, CreatePartitions;
    create_partitions_response: CreatePartitionsResponse, CreatePartitions;
    create_topics_request: CreateTopicsRequest, CreateTopics;
    create_topics_response: CreateTopicsResponse, CreateTopics;
    delete_topics_request: DeleteTopicsRequest, DeleteTopics;
    delete_topics_response: DeleteTopicsResponse, DeleteTopics;
    fetch_request: FetchRequest, Fetch;
    fetch_response: FetchResponse, Fetch;
    find_coordinator_request: FindCoordinatorRequest, FindCoordinator;
    find_coordinator_response: FindCoordinatorResponse, FindCoordinator, compare_find_coordinator_responses;
    init_producer_id_request: InitProducerIdRequest, InitProducerId;
    init_producer_id_response: InitProducerIdResponse, InitProducerId;
    list_offsets_request: ListOffsetsRequest, ListOffsets;
    list_offsets_response: ListOffsetsResponse, ListOffsets;
    metadata_request: MetadataRequest, Metadata;
    metadata_response: MetadataResponse, Metadata;
    produce_request: ProduceRequest, Produce;
    produce_response: ProduceResponse, Produce, compare_produce_responses;
    sasl_authenticate_request: SaslAuthenticateRequest, SaslAuthenticate;
    sasl_authenticate_response: SaslAuthenticateResponse, SaslAuthenticate;
    sasl_handshake_request: SaslHandshakeRequest, SaslHandshake;
    sasl_handshake_response: SaslHandshakeResponse, SaslHandshake;
    // Later ones at the end, so that the corpora of the others stay as they are.
    add_offsets_to_txn_request: AddOffsetsToTxnRequest, AddOffsetsToTxn;
    add_offsets_to_txn_response: AddOffsetsToTxnResponse, AddOffsetsToTxn;
    add_partitions_to_txn_request: AddPartitionsToTxnRequest, AddPartitionsToTxn;
    add_partitions_to_txn_response: AddPartitionsToTxnResponse, AddPartitionsToTxn;
    end_txn_request: EndTxnRequest, EndTxn;
    end_txn_response: EndTxnResponse, EndTxn;
    offset_commit_request: OffsetCommitRequest, OffsetCommit;
    offset_commit_response: OffsetCommitResponse, OffsetCommit;
    offset_fetch_request: OffsetFetchRequest, OffsetFetch;
    offset_fetch_response: OffsetFetchResponse, OffsetFetch;
    txn_offset_commit_request: TxnOffsetCommitRequest, TxnOffsetCommit;
    txn_offset_commit_response: TxnOffsetCommitResponse, TxnOffsetCommit;
}

/// The error message, where a version lacks it, is null with us, empty with them.
fn compare_find_coordinator_responses(
    ours: &FindCoordinatorResponse,
    theirs: &theirs::FindCoordinatorResponse,
    version: i16,
) {
    let ours =
        Tree::parse(&format!("{ours:?}")).without(if (1..=3).contains(&version) { &[] } else { &["error_message"] });
    ours.is_part_of(&Tree::parse(&format!("{theirs:?}"))).unwrap();
}

/// Ours has the partitions of all topics in one list.
fn compare_produce_responses(ours: &ProduceResponse<'_>, theirs: &theirs::ProduceResponse, version: i16) {
    let nested: Vec<_> =
        theirs.responses.iter().flat_map(|t| t.partition_responses.iter().map(move |p| (t, p))).collect();
    assert_eq!(ours.responses.len(), nested.len());
    for (o, (t, p)) in ours.responses.iter().zip(nested) {
        assert_eq!((o.topic, &o.topic_id), (t.name.as_str(), t.topic_id.as_bytes()), "v{version}");
        let (ours, theirs) = (Tree::parse(&format!("{o:?}")), Tree::parse(&format!("{p:?}")));
        ours.without(&["topic", "topic_id"]).is_part_of(&theirs).unwrap();
    }
    assert_eq!(ours.throttle_time_ms, theirs.throttle_time_ms);
    let endpoints = Tree::parse(&format!("{:?}", ours.node_endpoints));
    endpoints.is_part_of(&Tree::parse(&format!("{:?}", theirs.node_endpoints))).unwrap();
}
