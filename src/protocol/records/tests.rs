use super::batch::{crc, encode_batch, seal, ATTR_CONTROL, ATTR_TRANSACTIONAL};
use super::codec::CodecError;
use super::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn packed(codec: Compression, level: i32, parts: &[&[u8]], ctx: &mut CompressCtx) -> Vec<u8> {
    let mut out = b"before".to_vec();
    compress(codec, level, parts, &mut out, ctx).unwrap();
    assert_eq!(&out[..6], b"before");
    out.split_off(6)
}

fn text(len: usize) -> Vec<u8> {
    (0..len).map(|i| b"the quick brown fox "[i % 20] ^ (i / 997) as u8).collect()
}

fn noise(len: usize) -> Vec<u8> {
    let mut x = 1u64;
    let byte = || {
        x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (x >> 56) as u8
    };
    std::iter::repeat_with(byte).take(len).collect()
}

#[test]
fn codecs_round_trip_with_one_context() {
    let mut ctx = CompressCtx::default();
    for len in [0, 1, 1000, 65_536, 140_001, 300_000] {
        let data = text(len);
        for codec in CODECS {
            let levels: &[i32] = if len > 1000 { &[-1, 1] } else { &[-1, 0, 1, 9, 12, 99] };
            for &level in levels {
                let (a, b) = data.split_at(len / 3);
                let c = packed(codec, level, &[a, &[], b], &mut ctx);
                let whole = packed(codec, level, &[&data], &mut ctx);
                assert_eq!(decompress(codec, &whole, len).unwrap(), data, "{codec:?} {len}");
                assert_eq!(decompress(codec, &c, len).unwrap(), data, "{codec:?} {len}");
                if len >= 65_536 && codec != Compression::None {
                    assert!(c.len() < len / 2, "{codec:?} {len} -> {}", c.len());
                }
            }
        }
    }
}

/// What is kept of a long batch is less than it took.
#[test]
fn a_short_batch_after_a_long_one_round_trips() {
    let (long, mut ctx) = (text(2_500_000), CompressCtx::default());
    for data in [&long[..], &long[..1000], &long] {
        let (a, b) = data.split_at(data.len() / 3);
        let c = packed(Compression::Gzip, -1, &[a, b], &mut ctx);
        assert_eq!(decompress(Compression::Gzip, &c, data.len()).unwrap(), data, "{}", data.len());
    }
}

#[test]
fn incompressible_input_round_trips() {
    let noise = noise(200_000);
    for codec in CODECS {
        for len in [70_000, 65_536, 131_072, 200_000, 1000, 20, 1] {
            let data = &noise[..len];
            let c = packed(codec, -1, &[data], &mut CompressCtx::default());
            assert_eq!(decompress(codec, &c, len).unwrap(), data);
            assert!(c.len() <= len + len / 1000 + 40, "{codec:?} {len} -> {}", c.len());
        }
    }
}

/// The crates' own compressors, which are only in use here.
#[test]
fn the_ratio_is_that_of_the_usual_compressors() {
    let json: Vec<u8> = (0..3000u32)
        .flat_map(|i| {
            let x = i.wrapping_mul(2_654_435_761);
            format!(
                "{{\"event\":\"view\",\"user\":{},\"page\":\"/products/{}\",\"ms\":{}}}",
                x % 9973,
                x >> 20,
                x % 100
            )
            .into_bytes()
        })
        .collect();
    let text = text(200_000);
    for data in [&json, &text] {
        let size = |codec| packed(codec, -1, &[data], &mut CompressCtx::default()).len();
        let mut gzip = flate2::read::GzEncoder::new(&data[..], flate2::Compression::new(6));
        let gzip = std::io::copy(&mut gzip, &mut std::io::sink()).unwrap() as usize;
        assert!(size(Compression::Gzip) <= gzip, "{} against {gzip}", size(Compression::Gzip));
        let snappy = snap::raw::Encoder::new().compress_vec(data).unwrap().len();
        let lz4: usize = data.chunks(1 << 16).map(|block| lz4_flex::block::compress(block).len() + 4).sum();
        assert!(size(Compression::Snappy) <= snappy + snappy / 50, "{} against {snappy}", size(Compression::Snappy));
        assert!(size(Compression::Lz4) <= lz4 + lz4 / 50, "{} against {lz4}", size(Compression::Lz4));
    }
}

/// Each length of a repetition and of the literals before it, near and far, and each length of the whole.
#[test]
fn repetitions_of_every_length_round_trip() {
    const GAPS: [(usize, usize); 8] =
        [(0, 1), (1, 3), (4, 2047), (14, 2048), (15, 50), (17, 70), (61, 80), (300, 40_000)];
    let noise = noise(70_000);
    let mut ctx = CompressCtx::default();
    for codec in [Compression::Snappy, Compression::Lz4] {
        for len in (0..90).chain([256, 257, 273, 274, 275, 300, 525, 65_000]) {
            for (literals, back) in GAPS {
                let start = &noise[..back];
                let again = start.iter().cycle().take(len).copied();
                let data: Vec<u8> =
                    start.iter().copied().chain(again).chain(noise[back..][..literals].to_vec()).collect();
                // The last byte but one is at the end of the repetition or among literals; a second one follows.
                let twice = [&data[..], &data[..]].concat();
                for data in [&data, &twice] {
                    let c = packed(codec, -1, &[data], &mut ctx);
                    assert_eq!(&decompress(codec, &c, data.len()).unwrap(), data, "{codec:?} {len} {literals} {back}");
                }
            }
        }
    }
}

#[test]
fn output_over_the_limit_is_refused() {
    let data = vec![0u8; 2 << 20];
    for codec in CODECS {
        let c = packed(codec, -1, &[&data], &mut CompressCtx::default());
        for limit in [0, 1000, data.len() - 1] {
            assert!(matches!(decompress(codec, &c, limit), Err(CodecError::TooLarge)), "{codec:?} {limit}");
        }
        assert_eq!(decompress(codec, &c, data.len()).unwrap().len(), data.len());
    }
}

#[test]
fn damaged_input_is_an_error_not_a_panic() {
    let data = text(5000);
    for codec in &CODECS[1..] {
        let c = packed(*codec, -1, &[&data], &mut CompressCtx::default());
        for cut in 0..c.len() {
            // LZ4 frames may end between blocks unnoticed; what comes out is then a prefix.
            if let Ok(out) = decompress(*codec, &c[..cut], 1 << 20) {
                assert!(out.len() < data.len() || cut + 8 >= c.len(), "{codec:?} cut at {cut}");
                assert!(data.starts_with(&out), "{codec:?} cut at {cut}");
            }
            let mut bad = c.clone();
            bad[cut] ^= 0x55;
            let _ = decompress(*codec, &bad, 1 << 20);
        }
    }
}

#[test]
fn snappy_framing_of_java_is_read() {
    let data = text(70_000);
    let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for block in data.chunks(32 * 1024) {
        let c = snap::raw::Encoder::new().compress_vec(block).unwrap();
        framed.extend_from_slice(&(c.len() as u32).to_be_bytes());
        framed.extend_from_slice(&c);
    }
    assert_eq!(decompress(Compression::Snappy, &framed, data.len()).unwrap(), data);
    let twice = [framed.as_slice(), framed.as_slice()].concat();
    assert_eq!(decompress(Compression::Snappy, &twice, 2 * data.len()).unwrap(), [&data[..], &data[..]].concat());
    assert!(matches!(decompress(Compression::Snappy, &framed, data.len() - 1), Err(CodecError::TooLarge)));
    assert!(decompress(Compression::Snappy, &framed[..framed.len() - 1], data.len()).is_err());
    // A block that announces 4 GiB.
    assert!(decompress(Compression::Snappy, b"\xff\xff\xff\xff\x0f\0\0", usize::MAX).is_err());
}

#[test]
fn lz4_frame_header_is_what_java_reads() {
    let c = packed(Compression::Lz4, -1, &[&text(1000)], &mut CompressCtx::default());
    assert_eq!(c[..4], [0x04, 0x22, 0x4d, 0x18]);
    // Version 1, independent blocks, no checksums, no content size; 64 KiB blocks; and the second byte of the xxhash32
    // of these two.
    assert_eq!(c[4..7], [0x60, 0x40, 0x82]);
    assert_eq!(c[c.len() - 4..], [0; 4], "end mark");
}

#[test]
fn context_can_move_to_a_thread() {
    fn send<T: Send>() {}
    send::<CompressCtx>();
}

#[test]
fn crc_over_slices_is_that_of_the_whole() {
    let header = BatchHeader { count: 3, attributes: ATTR_TRANSACTIONAL | ATTR_CONTROL, ..BatchHeader::default() };
    let mut head = [0; HEADER_LEN];
    header.write(&mut head);
    let data = text(1000);
    assert_eq!(crc(&head, [&data[..]]), crc(&head, [&data[..1], &[], &data[1..]]));
    seal(&mut head, [&data[..500], &data[500..]]);
    assert_eq!(u32::from_be_bytes(head[17..21].try_into().unwrap()), crc(&head, [&data[..]]));
    // The check value of CRC-32C.
    assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
}

fn batch_of(n: i32) -> Vec<u8> {
    let mut records = Vec::new();
    for i in 0..n {
        encode_record(&mut records, i as i64, i, Some(b"k"), Some(&text(10)), &[]);
    }
    encode_batch(&BatchHeader { count: n, last_offset_delta: n - 1, ..BatchHeader::default() }, &records)
}

#[test]
fn batches_are_walked_and_cut_off_ones_seen() {
    let blob = [batch_of(1), batch_of(5), batch_of(2)].concat();
    let counts = |b: Batches<'_>| b.map(|x| x.map(|b| b.header.count)).collect::<Result<Vec<_>, _>>();
    assert_eq!(counts(Batches::new(&blob)).unwrap(), [1, 5, 2]);
    let ends = [batch_of(1).len(), batch_of(1).len() + batch_of(5).len(), blob.len()];
    for cut in 0..blob.len() {
        let whole = ends.iter().filter(|e| **e <= cut).count();
        assert_eq!(counts(Batches::fetched(&blob[..cut])).unwrap(), [1, 5, 2][..whole], "cut at {cut}");
        let exact = cut == 0 || ends.contains(&cut);
        assert_eq!(counts(Batches::new(&blob[..cut])).is_ok(), exact, "cut at {cut}");
    }
}

#[test]
fn bad_batch_headers_are_refused() {
    let good = batch_of(2);
    let with = |at: usize, bytes: &[u8]| {
        let mut b = good.clone();
        b[at..at + bytes.len()].copy_from_slice(bytes);
        let crc_ok = Batches::new(&b).next().unwrap().map(|b| b.check_crc());
        crc_ok
    };
    assert!(with(0, &[1]).unwrap(), "the offset is outside of the checksum");
    assert!(!with(60, &[3]).unwrap());
    assert_eq!(with(16, &[1]).unwrap_err().what, "message format is not v2");
    assert_eq!(with(8, &48i32.to_be_bytes()).unwrap_err().field, "batch_length");
    assert_eq!(with(8, &(-1i32).to_be_bytes()).unwrap_err().field, "batch_length");
    assert_eq!(with(8, &i32::MAX.to_be_bytes()).unwrap_err().what, "length beyond the end");
    assert_eq!(with(57, &(-1i32).to_be_bytes()).unwrap_err().field, "count");
    assert_eq!(with(23, &(-1i32).to_be_bytes()).unwrap_err().field, "last_offset_delta");
}

#[test]
fn records_must_match_count_and_bytes() {
    let bytes = batch_of(3);
    let batch = Batches::new(&bytes).next().unwrap().unwrap();
    let data = batch.decompressed(0).unwrap();
    let all = |d: &[u8], n| Records::new(d, n).collect::<Result<Vec<_>, _>>().map(|v| v.len());
    assert_eq!(all(&data, 3), Ok(3));
    assert_eq!(all(&data, 2).unwrap_err().what, "bytes left over");
    assert_eq!(all(&data, 4).unwrap_err().what, "count beyond the end");
    assert_eq!(all(&data, -1).unwrap_err().what, "count beyond the end");
    for cut in 0..data.len() {
        assert!(all(&data[..cut], 3).is_err());
    }
    // A record longer than its fields.
    assert_eq!(all(&[16, 0, 0, 0, 1, 1, 0, 0, 0], 1).unwrap_err().what, "bytes left over");
    // Header counts that are negative or too large.
    assert_eq!(all(&[12, 0, 0, 0, 1, 1, 1], 1).unwrap_err().field, "header count");
    assert_eq!(all(&[12, 0, 0, 0, 1, 1, 2], 1).unwrap_err().field, "header count");
    // A key length of −2, and a header without a key.
    assert_eq!(all(&[12, 0, 0, 0, 3, 1, 0], 1).unwrap_err().field, "record key");
    assert_eq!(all(&[16, 0, 0, 0, 1, 1, 2, 1, 1], 1).unwrap_err().field, "header key");
}

/// Writes the seed corpus of the fuzz target; run it by name after a change of the format.
#[test]
#[ignore = "writes files"]
fn write_fuzz_corpus() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/record_batch");
    std::fs::create_dir_all(&dir).unwrap();
    let mut records = Vec::new();
    let headers = [Header { key: b"h", value: None }, Header { key: b"trace", value: Some(b"1") }];
    for i in 0..20 {
        let key = (i % 3 > 0).then_some(&b"key"[..]);
        encode_record(&mut records, i as i64, i, key, Some(&text(i as usize)), &headers[..i as usize % 3]);
    }
    for codec in CODECS {
        let header = BatchHeader {
            attributes: codec as i16,
            count: 20,
            last_offset_delta: 19,
            max_timestamp: 19,
            ..BatchHeader::default()
        };
        let batch = encode_batch(&header, &packed(codec, -1, &[&records], &mut CompressCtx::default()));
        std::fs::write(dir.join(format!("{codec:?}").to_lowercase()), batch).unwrap();
    }
    std::fs::write(dir.join("three"), [batch_of(1), batch_of(2), batch_of(3)].concat()).unwrap();
}

type Rec = (i64, i32, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn records() -> impl Strategy<Value = Vec<Rec>> {
    let bytes = || vec(any::<u8>(), 0..200);
    let headers = vec((bytes(), option::of(bytes())), 0..4);
    vec((any::<i64>(), any::<i32>(), option::of(bytes()), option::of(bytes()), headers), 0..20)
}

proptest! {
    #[test]
    fn records_round_trip(recs in records(), codec in 0i16..5) {
        let mut data = Vec::new();
        for (ts, off, k, v, hs) in &recs {
            let headers: Vec<_> = hs.iter().map(|(key, v)| Header { key, value: v.as_deref() }).collect();
            encode_record(&mut data, *ts, *off, k.as_deref(), v.as_deref(), &headers);
        }
        let header = BatchHeader { attributes: codec, count: recs.len() as i32, ..BatchHeader::default() };
        let c = packed(Compression::from_attributes(codec).unwrap(), -1, &[&data], &mut CompressCtx::default());
        let bytes = encode_batch(&header, &c);
        let batch = Batches::new(&bytes).next().unwrap().unwrap();
        prop_assert!(batch.check_crc());
        let data = batch.decompressed(data.len()).unwrap();
        let back: Vec<Rec> = batch.records(&data).map(|r| {
            let r = r.unwrap();
            let headers = r.headers.map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec))).collect();
            (r.timestamp_delta, r.offset_delta, r.key.map(<[u8]>::to_vec), r.value.map(<[u8]>::to_vec), headers)
        }).collect();
        prop_assert_eq!(back, recs);
    }

    /// Text made of new bytes and of pieces of what came before, given in parts.
    #[test]
    fn repetitive_text_round_trips(steps in vec((any::<u32>(), 0usize..400, vec(any::<u8>(), 0..30)), 1..600),
                                   cut in any::<prop::sample::Index>()) {
        let mut data = b"{}".to_vec();
        for (from, len, new) in steps {
            let from = from as usize % data.len();
            let piece: Vec<u8> = data[from..].iter().cycle().take(len).copied().collect();
            data.extend_from_slice(&piece);
            data.extend_from_slice(&new);
        }
        let (a, b) = data.split_at(cut.index(data.len()));
        for codec in [Compression::Snappy, Compression::Lz4] {
            let c = packed(codec, -1, &[a, b], &mut CompressCtx::default());
            prop_assert_eq!(&decompress(codec, &c, data.len()).unwrap(), &data);
        }
    }

    #[test]
    fn header_round_trips(head in vec(any::<u8>(), HEADER_LEN)) {
        let mut head: [u8; HEADER_LEN] = head.try_into().unwrap();
        head[16] = 2;
        let h = BatchHeader::read(&mut crate::protocol::Reader::new(&head)).unwrap();
        let mut out = [0; HEADER_LEN];
        h.write(&mut out);
        prop_assert_eq!(out, head);
    }

    #[test]
    fn random_records_never_panic(data in vec(any::<u8>(), 0..300), count in any::<i32>()) {
        let _ = Records::new(&data, count).map(|r| r.map(|r| r.headers.count())).collect::<Result<Vec<_>, _>>();
        for codec in CODECS {
            if let Ok(out) = decompress(codec, &data, 10_000) {
                prop_assert!(out.len() <= 10_000);
            }
        }
    }
}
