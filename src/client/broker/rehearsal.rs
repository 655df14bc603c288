//! What a new thread does while its broker works on the first answers: it reads made-up ones, so that the code for the real ones
//! and some memory are there by then. A program's pages come into memory when they are first touched, which takes one to three
//! microseconds each, for 64 KiB of code or 4 of memory.

use super::deputy::EARLY_VERSION;
use crate::protocol::messages::api_versions::ApiVersionsResponse;
use crate::protocol::messages::metadata::MetadataResponse;
use crate::protocol::messages::produce::ProduceResponse;
use crate::protocol::Reader;
use std::collections::HashMap;
use std::hint::black_box;

/// About what applying metadata and the first batch need.
const MEMORY: usize = 12 << 10;

pub(super) fn rehearse() {
    black_box(Vec::from([1u8; MEMORY]));
    // The first one of a thread asks the system for random numbers.
    black_box(HashMap::from([(0, 0)]));
    // What the compiler knows nothing of, it reads as it reads real answers.
    let _ = black_box(ApiVersionsResponse::decode_any(&mut Reader::new(black_box(API_VERSIONS)), black_box(3)));
    let _ = black_box(MetadataResponse::decode(&mut Reader::new(black_box(METADATA)), black_box(EARLY_VERSION)));
    let _ = black_box(ProduceResponse::decode(&mut Reader::new(black_box(PRODUCE)), black_box(12)));
}

/// One API, v3.
const API_VERSIONS: &[u8] = &[0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// One broker, "b", and one topic, "t", of one partition, in `EARLY_VERSION`.
const METADATA: &[u8] = &[
    0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, b'b', 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1,
    b't', 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// One partition of topic "t", v12.
const PRODUCE: &[u8] = &[
    2, 2, b't', 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,
    0, 0, 0, 0, 0, 0,
];

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_answers_are_whole() {
        let (mut versions, mut metadata, mut produce) =
            (Reader::new(API_VERSIONS), Reader::new(METADATA), Reader::new(PRODUCE));
        assert_eq!(ApiVersionsResponse::decode(&mut versions, 3).unwrap().api_keys.len(), 1);
        let m = MetadataResponse::decode(&mut metadata, EARLY_VERSION).unwrap();
        assert_eq!((m.brokers.len(), m.topics.len(), m.topics[0].partitions.len()), (1, 1, 1));
        assert_eq!(ProduceResponse::decode(&mut produce, 12).unwrap().responses.len(), 1);
        assert!([versions, metadata, produce].iter().all(|r| r.rest().is_empty()));
    }
}
