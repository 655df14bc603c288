//! Decompressing what producers send, with a cap, on its own rather than by the client's code (see [`super::batch`]).

use super::batch::{Header, HEADER_LEN};
use std::borrow::Cow;
use std::io::Read;

/// The most that the records of one batch may decompress to.
const MAX_RECORDS: usize = 64 << 20;

/// The magic of Java's snappy framing: blocks with a big-endian length each, behind a header of 16 bytes.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER: usize = 16;

/// The records section of a whole batch, decompressed if need be.
pub fn records<'a>(h: &Header, batch: &'a [u8]) -> Result<Cow<'a, [u8]>, String> {
    let b = &batch[HEADER_LEN..];
    match h.codec() {
        0 => Ok(Cow::Borrowed(b)),
        1 => read_all("gzip", flate2::read::MultiGzDecoder::new(b)),
        2 => snappy(b).map(Cow::Owned).map_err(|e| format!("snappy: {e}")),
        3 => read_all("lz4", lz4_flex::frame::FrameDecoder::new(b)),
        4 => read_all("zstd", zstd::stream::read::Decoder::new(b).map_err(|e| format!("zstd: {e}"))?),
        other => Err(format!("compression type {other}")),
    }
}

fn read_all(codec: &str, decoder: impl Read) -> Result<Cow<'static, [u8]>, String> {
    let mut out = Vec::new();
    decoder.take(MAX_RECORDS as u64 + 1).read_to_end(&mut out).map_err(|e| format!("{codec}: {e}"))?;
    if out.len() > MAX_RECORDS {
        return Err(format!("{codec}: more than {MAX_RECORDS} bytes"));
    }
    Ok(Cow::Owned(out))
}

fn snappy(b: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    if !b.starts_with(XERIAL_MAGIC) {
        snappy_block(b, &mut out)?;
        return Ok(out);
    }
    let mut rest = b.get(XERIAL_HEADER..).ok_or("header cut short")?;
    while !rest.is_empty() {
        let (len, tail) = rest.split_first_chunk::<4>().ok_or("block length cut short")?;
        let len = usize::try_from(i32::from_be_bytes(*len)).map_err(|_| "negative block length")?;
        let (block, tail) = tail.split_at_checked(len).ok_or("block cut short")?;
        snappy_block(block, &mut out)?;
        rest = tail;
    }
    Ok(out)
}

fn snappy_block(b: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let len = snap::raw::decompress_len(b).map_err(|e| e.to_string())?;
    // Snappy shrinks to no less than about a twentieth, so a larger claim is a lie.
    if len > MAX_RECORDS - out.len() || len / 64 > b.len() {
        return Err(format!("{len} bytes out of {}", b.len()));
    }
    let start = out.len();
    out.resize(start + len, 0);
    snap::raw::Decoder::new().decompress(b, &mut out[start..]).map_err(|e| e.to_string())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::batch::{decode, header, tests::build};
    use super::*;
    use std::io::Write;

    fn recompress(codec: u8, records: Vec<u8>) -> Vec<u8> {
        let mut b = build(&[1, 2, 3], (-1, -1, -1));
        b.truncate(HEADER_LEN);
        b.extend_from_slice(&records);
        b[22] = codec;
        let len = b.len() as i32 - 12;
        b[8..12].copy_from_slice(&len.to_be_bytes());
        b
    }

    #[test]
    fn every_codec_is_read() {
        let plain = build(&[1, 2, 3], (-1, -1, -1));
        let records = &plain[HEADER_LEN..];
        let expected = decode(&plain).unwrap();
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(records).unwrap();
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(records).unwrap();
        let snappy = snap::raw::Encoder::new().compress_vec(records).unwrap();
        let mut xerial = XERIAL_MAGIC.to_vec();
        xerial.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
        xerial.extend_from_slice(&(snappy.len() as i32).to_be_bytes());
        xerial.extend_from_slice(&snappy);
        let all = [
            (1, gz.finish().unwrap()),
            (2, snappy),
            (2, xerial),
            (3, lz4.finish().unwrap()),
            (4, zstd::encode_all(records, 1).unwrap()),
        ];
        for (codec, bytes) in all {
            assert_eq!(decode(&recompress(codec, bytes.clone())).unwrap(), expected, "codec {codec}");
            // Cut short it is an error or at least never more records than were there.
            for n in 0..bytes.len() {
                assert!(decode(&recompress(codec, bytes[..n].to_vec())).map_or(true, |r| r == expected));
            }
        }
    }

    #[test]
    fn bombs_are_capped() {
        let zeros = vec![0; MAX_RECORDS + 1];
        let bomb = recompress(4, zstd::encode_all(&zeros[..], 1).unwrap());
        assert!(records(&header(&bomb).unwrap(), &bomb).unwrap_err().contains("more than"));
        // A snappy block of five bytes that claims 4 GiB.
        let lie = recompress(2, vec![0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert!(records(&header(&lie).unwrap(), &lie).is_err());
    }
}
