//! Decoders must not allocate more than their input justifies, whatever it announces.

use rkafka::protocol::fuzz_entry;
use rkafka::protocol::messages::{fetch::FetchRequest, metadata::MetadataResponse, produce::ProduceResponse};
use rkafka::protocol::records::{decompress, Compression, Records};
use rkafka::protocol::{ApiKey, Reader, Writer};
use stats_alloc::{Region, StatsAlloc, INSTRUMENTED_SYSTEM};
use std::alloc::System;
use std::sync::Mutex;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The counters are of the whole process, so one test measures at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Bytes that `f` asks the allocator for, those given back included.
fn allocated<T>(f: impl FnOnce() -> T) -> usize {
    let region = Region::new(ALLOCATOR);
    let result = f();
    let bytes = region.change().bytes_allocated;
    drop(result);
    bytes
}

/// An array element takes at most some 20 times its bytes on the wire, and lists double as they grow.
fn justified(input: usize) -> usize {
    64 * input + 4096
}

#[test]
fn counts_reserve_nothing_that_is_not_there() {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    for flexible in [false, true] {
        // An array of as many elements as a length field can hold, followed by little.
        let mut w = Writer::new();
        if flexible {
            w.uvarint(i32::MAX as u32);
        } else {
            w.i32(i32::MAX);
        }
        w.raw(&[0; 64]);
        let bytes = w.into_vec();
        let version = if flexible { 9 } else { 8 };
        let produce = allocated(|| ProduceResponse::decode(&mut Reader::new(&bytes), version));
        assert!(produce <= justified(bytes.len()), "{produce}");
        // After the throttle time, the brokers.
        let bytes = [&[0; 4], &bytes[..]].concat();
        let metadata = allocated(|| MetadataResponse::decode(&mut Reader::new(&bytes), version));
        assert!(metadata <= justified(bytes.len()), "{metadata}");
    }
    let records = allocated(|| Records::new(&[0; 64], i32::MAX).collect::<Vec<_>>());
    assert!(records <= justified(64), "{records}");
}

/// Valid arrays of the smallest elements are the worst ratio that can be reached.
#[test]
fn smallest_elements_stay_within_the_ratio() {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    for n in [10, 1000, 100_000] {
        let mut w = Writer::new();
        FetchRequest::default().encode(&mut w, 13);
        // Neither topics nor forgotten topics: their counts are the third and fourth byte from the end, before an
        // empty rack and the tags. Give it n forgotten topics, each an id without partitions.
        let head = w.as_slice()[..w.len() - 3].to_vec();
        let mut w = Writer::from_vec(head);
        w.array_len(n, true);
        for _ in 0..n {
            w.uuid(&[1; 16]);
            w.array_len(0, true);
            w.u8(0);
        }
        w.str("", true);
        w.u8(0);
        let bytes = w.into_vec();
        let used = allocated(|| {
            let m = FetchRequest::decode(&mut Reader::new(&bytes), 13).unwrap();
            assert_eq!(m.forgotten_topics_data.len(), n);
        });
        assert!(used <= justified(bytes.len()), "{n}: {used} for {}", bytes.len());
    }
}

#[test]
fn random_messages_stay_within_the_ratio() {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    let mut x = 42u64;
    let mut next = move || {
        x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (x >> 33) as usize
    };
    for _ in 0..200 {
        let body: Vec<u8> =
            (0..next() % 400).map(|_| if next() % 3 > 0 { (next() % 6) as u8 } else { next() as u8 }).collect();
        for key in 0..40i16 {
            let Some(key) = ApiKey::from_i16(key) else { continue };
            for version in key.api().min..=key.api().max {
                let data = [&[key as u8, version as u8], &body[..]].concat();
                for entry in [fuzz_entry::request, fuzz_entry::response] {
                    // The entry decodes twice and encodes once.
                    let used = allocated(|| entry(&data));
                    assert!(used <= 4 * justified(data.len()), "{key:?} v{version}: {used} for {}", data.len());
                }
            }
        }
    }
}

/// Decompression takes memory for what comes out and for the blocks of lz4 (up to 4 MiB), not for what the input
/// announces. (The window of zstd is the C library's, not counted here; `decompress` bounds it.)
#[test]
fn announced_sizes_reserve_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    const LIMIT: usize = 100 << 20;
    // A raw block of 64 MiB, in eight bytes; a zstd frame of 64 MiB; an lz4 frame of 4 MiB blocks.
    let snappy = [0x80, 0x80, 0x80, 0x20, 0, b'x', 0, b'x'];
    let mut zstd = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    zstd.extend_from_slice(&(64u32 << 20).to_le_bytes());
    // A block of 100 bytes that is cut off.
    zstd.extend_from_slice(&[0x21, 3, 0, b'x']);
    let lz4 = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73, 100, 0, 0, 0, 0];
    for (codec, input, allowed) in [
        (Compression::Snappy, &snappy[..], 1 << 16),
        (Compression::Zstd, &zstd[..], 1 << 20),
        (Compression::Lz4, &lz4[..], 9 << 20),
        (Compression::Gzip, &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 0xff][..], 1 << 20),
    ] {
        let used = allocated(|| assert!(decompress(codec, input, LIMIT).is_err(), "{codec:?}"));
        assert!(used <= allowed, "{codec:?}: {used}");
    }
}
