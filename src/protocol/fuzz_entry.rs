//! What the fuzz targets call. The test that replays their corpora calls the same functions.
//!
//! Besides not panicking, whatever decodes must encode again to bytes that decode to the same value.

use super::messages::{
    add_offsets_to_txn::*, add_partitions_to_txn::*, api_versions::*, create_partitions::*, create_topics::*,
    delete_topics::*, end_txn::*, fetch::*, find_coordinator::*, init_producer_id::*, list_offsets::*, metadata::*,
    offset_commit::*, offset_fetch::*, produce::*, sasl_authenticate::*, sasl_handshake::*, txn_offset_commit::*,
};
use super::records::codec::{compress, decompress, CompressCtx, Compression};
use super::records::Batches;
use super::{ApiKey, Reader, RequestHeader, Writer};
use std::cell::RefCell;

/// The most that compressed records may decompress to while fuzzing.
const MAX_OUTPUT: usize = 1 << 20;

macro_rules! check {
    ($ty:ident, $body:expr, $version:expr) => {
        if let Ok(m) = $ty::decode(&mut Reader::new($body), $version) {
            let mut w = Writer::new();
            m.encode(&mut w, $version);
            assert_eq!(w.error(), None);
            let mut r = Reader::new(w.as_slice());
            assert_eq!($ty::decode(&mut r, $version).as_ref(), Ok(&m));
            assert_eq!(r.finish(), Ok(()));
        }
    };
}

/// Splits off API key and version; `None` for one that the API table does not hold.
fn split(data: &[u8]) -> Option<(ApiKey, i16, &[u8])> {
    let (&[key, version], body) = data.split_first_chunk::<2>()?;
    let key = ApiKey::from_i16(key as i16)?;
    let version = version as i16;
    key.supports(version).then_some((key, version, body))
}

/// A response: API key (one byte), version (one byte), body.
pub fn response(data: &[u8]) {
    let Some((key, v, body)) = split(data) else { return };
    match key {
        ApiKey::ApiVersions => {
            let _ = ApiVersionsResponse::decode_any(&mut Reader::new(body), v);
            check!(ApiVersionsResponse, body, v);
        }
        ApiKey::CreatePartitions => check!(CreatePartitionsResponse, body, v),
        ApiKey::CreateTopics => check!(CreateTopicsResponse, body, v),
        ApiKey::DeleteTopics => check!(DeleteTopicsResponse, body, v),
        ApiKey::Fetch => check!(FetchResponse, body, v),
        ApiKey::FindCoordinator => check!(FindCoordinatorResponse, body, v),
        ApiKey::InitProducerId => check!(InitProducerIdResponse, body, v),
        ApiKey::ListOffsets => check!(ListOffsetsResponse, body, v),
        ApiKey::Metadata => check!(MetadataResponse, body, v),
        ApiKey::Produce => check!(ProduceResponse, body, v),
        ApiKey::AddOffsetsToTxn => check!(AddOffsetsToTxnResponse, body, v),
        ApiKey::AddPartitionsToTxn => check!(AddPartitionsToTxnResponse, body, v),
        ApiKey::EndTxn => check!(EndTxnResponse, body, v),
        ApiKey::OffsetCommit => check!(OffsetCommitResponse, body, v),
        ApiKey::OffsetFetch => check!(OffsetFetchResponse, body, v),
        ApiKey::TxnOffsetCommit => check!(TxnOffsetCommitResponse, body, v),
        ApiKey::SaslAuthenticate => check!(SaslAuthenticateResponse, body, v),
        ApiKey::SaslHandshake => check!(SaslHandshakeResponse, body, v),
    }
}

/// A request: API key (one byte), version (one byte), body. The body is also tried as a request with its header.
pub fn request(data: &[u8]) {
    let Some((key, v, body)) = split(data) else { return };
    let _ = RequestHeader::decode(&mut Reader::new(body));
    match key {
        ApiKey::ApiVersions => check!(ApiVersionsRequest, body, v),
        ApiKey::CreatePartitions => check!(CreatePartitionsRequest, body, v),
        ApiKey::CreateTopics => check!(CreateTopicsRequest, body, v),
        ApiKey::DeleteTopics => check!(DeleteTopicsRequest, body, v),
        ApiKey::Fetch => check!(FetchRequest, body, v),
        ApiKey::FindCoordinator => check!(FindCoordinatorRequest, body, v),
        ApiKey::InitProducerId => check!(InitProducerIdRequest, body, v),
        ApiKey::ListOffsets => check!(ListOffsetsRequest, body, v),
        ApiKey::Metadata => check!(MetadataRequest, body, v),
        ApiKey::Produce => check!(ProduceRequest, body, v),
        ApiKey::AddOffsetsToTxn => check!(AddOffsetsToTxnRequest, body, v),
        ApiKey::AddPartitionsToTxn => check!(AddPartitionsToTxnRequest, body, v),
        ApiKey::EndTxn => check!(EndTxnRequest, body, v),
        ApiKey::OffsetCommit => check!(OffsetCommitRequest, body, v),
        ApiKey::OffsetFetch => check!(OffsetFetchRequest, body, v),
        ApiKey::TxnOffsetCommit => check!(TxnOffsetCommitRequest, body, v),
        ApiKey::SaslAuthenticate => check!(SaslAuthenticateRequest, body, v),
        ApiKey::SaslHandshake => check!(SaslHandshakeRequest, body, v),
    }
}

thread_local! {
    static COMPRESS: RefCell<CompressCtx> = RefCell::default();
}

/// Bytes to be compressed by the codecs that are written here, in two parts: as they are, and repeated with changes over
/// more than one block.
pub fn compression(data: &[u8]) {
    let changed = |round: u8| data.iter().map(move |b| b ^ round >> 4);
    let long: Vec<u8> = (0..=u8::MAX).flat_map(changed).take(70_000).collect();
    for data in [data, &long] {
        let (a, b) = data.split_at(data.len() / 3);
        for codec in [Compression::Snappy, Compression::Lz4] {
            let mut packed = Vec::new();
            let done = COMPRESS.with_borrow_mut(|ctx| compress(codec, -1, &[a, b], &mut packed, ctx));
            assert!(done.is_ok());
            assert!(
                packed.len() <= data.len() + data.len() / 1000 + 40,
                "{codec:?} {} of {}",
                packed.len(),
                data.len()
            );
            assert!(decompress(codec, &packed, data.len()).is_ok_and(|back| back == data), "{codec:?}");
        }
    }
}

/// A blob of record batches. The checksum is not asked for, since no fuzzer would guess it.
pub fn record_batch(data: &[u8]) {
    for batch in Batches::new(data).map_while(Result::ok) {
        batch.check_crc();
        let Ok(records) = batch.decompressed(MAX_OUTPUT) else { continue };
        assert!(records.len() <= MAX_OUTPUT.max(batch.payload().len()));
        let mut count = 0;
        for record in batch.records(&records) {
            let Ok(record) = record else { return };
            assert_eq!(record.headers.len(), record.headers.clone().count());
            count += 1;
        }
        assert_eq!(count, batch.header.count);
    }
}
