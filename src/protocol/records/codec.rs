//! Compression of the records of a batch, in the formats that Kafka's clients and brokers exchange.
//!
//! | Codec  | Written                                        | Read                                     |
//! |--------|------------------------------------------------|------------------------------------------|
//! | gzip   | one member                                     | members in a row                         |
//! | snappy | one raw block, as librdkafka writes            | raw block, or snappy-java's framing      |
//! | lz4    | LZ4 frame, independent blocks, no content size | LZ4 frame                                |
//! | zstd   | one frame with content size                    | frames in a row                          |
//!
//! Raw snappy rather than snappy-java's framing: both are read by every client and broker (snappy-java falls back to
//! raw when its magic is missing), and the raw block is smaller and compresses across 64 KiB instead of 32.
//!
//! gzip is written by libdeflate, in three quarters of zlib-rs's time and half of zlib's, at a better ratio; what comes from
//! the network is read by zlib-rs. Snappy and lz4 are written by [`super::lz`], which is faster at an equal ratio than the
//! crates that read them, and than the C libraries.

use super::lz::{self, Lz};
use libdeflater::{CompressionLvl, Compressor};
use lz4_flex::frame::FrameDecoder;
use std::fmt;
use std::io::Read;
use zstd::zstd_safe;

/// A codec, with the number it has in the attributes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Not compressed.
    #[default]
    None = 0,
    /// gzip; levels 0–9, default 6.
    Gzip = 1,
    /// Snappy; no levels.
    Snappy = 2,
    /// LZ4 frame; only the fast mode is there, levels are accepted and make no difference.
    Lz4 = 3,
    /// Zstandard (KIP-110); levels 1–22, default 3.
    Zstd = 4,
}

impl Compression {
    /// The codec named by the low bits of batch attributes, if known.
    pub fn from_attributes(attributes: i16) -> Option<Self> {
        match attributes & super::batch::ATTR_COMPRESSION {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Why records could not be compressed or decompressed.
#[derive(Debug)]
pub enum CodecError {
    /// The attributes name a codec that does not exist.
    UnknownCodec,
    /// More output than the caller allows.
    TooLarge,
    /// The compressed bytes are damaged.
    Corrupt(String),
    /// The codec refused to compress.
    Failed(String),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCodec => f.write_str("unknown compression codec"),
            Self::TooLarge => f.write_str("decompressed records exceed the limit"),
            Self::Corrupt(e) => write!(f, "compressed records are damaged: {e}"),
            Self::Failed(e) => write!(f, "compression failed: {e}"),
        }
    }
}

impl std::error::Error for CodecError {}

/// `compression.level`: the codec's own default.
pub const DEFAULT_LEVEL: i32 = -1;

/// Encoder states and buffers, kept from one batch to the next. One per thread that compresses.
#[derive(Default)]
pub struct CompressCtx {
    gzip: Option<(i32, Compressor)>,
    /// Where gzip's input lies in one piece; empty between batches.
    gathered: Vec<u8>,
    /// Where gzip writes.
    packed: Vec<u8>,
    /// Of snappy and lz4.
    lz: Option<Lz>,
    zstd: Option<zstd_safe::CCtx<'static>>,
}

impl fmt::Debug for CompressCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompressCtx").finish_non_exhaustive()
    }
}

/// Appends to `out` the compressed concatenation of `parts`. Levels out of a codec's range are clamped to it;
/// [`DEFAULT_LEVEL`] is the codec's default.
///
/// # Errors
/// When the codec fails, e.g. for lack of memory; `out` then holds rubbish after its old content. The context stays
/// usable.
pub fn compress(
    codec: Compression,
    level: i32,
    parts: &[&[u8]],
    out: &mut Vec<u8>,
    ctx: &mut CompressCtx,
) -> Result<(), CodecError> {
    match codec {
        Compression::None => {
            parts.iter().for_each(|p| out.extend_from_slice(p));
            Ok(())
        }
        Compression::Gzip => ctx.gzip(level, parts, out),
        Compression::Snappy => ctx.snappy(parts, out),
        Compression::Lz4 => {
            ctx.lz4(parts, out);
            Ok(())
        }
        Compression::Zstd => ctx.zstd(level, parts, out),
    }
}

fn failed(e: impl fmt::Display) -> CodecError {
    CodecError::Failed(e.to_string())
}

fn corrupt(e: impl fmt::Display) -> CodecError {
    CodecError::Corrupt(e.to_string())
}

fn total(parts: &[&[u8]]) -> usize {
    parts.iter().map(|p| p.len()).sum()
}

impl CompressCtx {
    fn gzip(&mut self, level: i32, parts: &[&[u8]], out: &mut Vec<u8>) -> Result<(), CodecError> {
        let level = if level < 0 { 6 } else { level.min(9) };
        let compressor = match &mut self.gzip {
            Some((l, c)) if *l == level => c,
            slot => {
                let known = CompressionLvl::new(level).map_err(|_| failed("no such level"))?;
                &mut slot.insert((level, Compressor::new(known))).1
            }
        };
        // It takes its input in one piece, and wants room for what does not shrink. Both are touched once and used again;
        // `out` stays as long as its batch is in flight, and should be no longer than what is in it.
        let input = match parts {
            [one] => *one,
            _ => {
                self.gathered.reserve_exact(total(parts));
                parts.iter().for_each(|p| self.gathered.extend_from_slice(p));
                &self.gathered[..]
            }
        };
        let bound = compressor.gzip_compress_bound(input.len());
        if self.packed.len() < bound {
            self.packed.resize(bound, 0);
        }
        let done =
            compressor.gzip_compress(input, &mut self.packed).map(|len| out.extend_from_slice(&self.packed[..len]));
        self.gathered.clear();
        self.gathered.shrink_to(MAX_KEPT);
        self.packed.truncate(MAX_KEPT);
        self.packed.shrink_to(MAX_KEPT);
        done.map_err(failed)
    }

    fn snappy(&mut self, parts: &[&[u8]], out: &mut Vec<u8>) -> Result<(), CodecError> {
        let mut left = u32::try_from(total(parts)).map_err(|_| failed("more than snappy's length field can tell"))?;
        while left >= 0x80 {
            out.push(left as u8 | 0x80);
            left >>= 7;
        }
        out.push(left as u8);
        let lz = self.lz.get_or_insert_with(Lz::default);
        lz.blocks::<lz::Snappy>(parts, |packed, _| out.extend_from_slice(packed));
        Ok(())
    }

    fn lz4(&mut self, parts: &[&[u8]], out: &mut Vec<u8>) {
        out.extend_from_slice(LZ4_HEADER);
        let lz = self.lz.get_or_insert_with(Lz::default);
        lz.blocks::<lz::Lz4>(parts, |packed, plain| {
            let (head, bytes) = match packed.len() < plain.len() {
                true => (packed.len() as u32, packed),
                false => (plain.len() as u32 | LZ4_PLAIN, plain),
            };
            out.extend_from_slice(&head.to_le_bytes());
            out.extend_from_slice(bytes);
        });
        out.extend_from_slice(&[0; 4]);
    }

    fn zstd(&mut self, level: i32, parts: &[&[u8]], out: &mut Vec<u8>) -> Result<(), CodecError> {
        use zstd_safe::{get_error_name, CParameter, InBuffer, OutBuffer, ResetDirective};
        let failed = |code| CodecError::Failed(get_error_name(code).to_owned());
        let level = if level <= 0 { zstd_safe::CLEVEL_DEFAULT } else { level.min(22) };
        let cctx = match &mut self.zstd {
            Some(c) => c,
            slot => slot
                .insert(zstd_safe::CCtx::try_create().ok_or_else(|| CodecError::Failed("out of memory".to_owned()))?),
        };
        cctx.reset(ResetDirective::SessionOnly).map_err(failed)?;
        cctx.set_parameter(CParameter::CompressionLevel(level)).map_err(failed)?;
        let total = total(parts);
        // The default level's tables for long input take 768 KiB. Of these sizes they leave room in a core's cache, which
        // saves 4 to 10 % of the time, at the same ratio. Zero: as the level says.
        let (hash_log, chain_log) =
            if level == zstd_safe::CLEVEL_DEFAULT && total > ZSTD_LONG { (16, 14) } else { (0, 0) };
        cctx.set_parameter(CParameter::HashLog(hash_log)).map_err(failed)?;
        cctx.set_parameter(CParameter::ChainLog(chain_log)).map_err(failed)?;
        cctx.set_pledged_src_size(Some(total as u64)).map_err(failed)?;
        out.reserve(zstd_safe::compress_bound(total));
        let mut pos = out.len();
        let mut output = OutBuffer::around_pos(out, pos);
        use zstd_safe::zstd_sys::ZSTD_EndDirective::{ZSTD_e_continue, ZSTD_e_end};
        for part in parts {
            let mut input = InBuffer::around(part);
            while input.pos() < part.len() {
                cctx.compress_stream2(&mut output, &mut input, ZSTD_e_continue).map_err(failed)?;
                // The whole of compress_bound is reserved, so output never runs out and input always moves on.
            }
        }
        let left = cctx.compress_stream2(&mut output, &mut InBuffer::around(&[]), ZSTD_e_end).map_err(failed)?;
        pos = output.pos();
        debug_assert_eq!(pos, out.len());
        if left != 0 {
            return Err(CodecError::Failed("output larger than its bound".to_owned()));
        }
        Ok(())
    }
}

/// Of each of gzip's buffers, what is kept from one batch to the next: enough for the default of `batch.size`.
const MAX_KEPT: usize = 1 << 20;

/// Input longer than this is long to zstd, which has other parameters for it.
const ZSTD_LONG: usize = 256 << 10;

const LZ4_MAGIC: &[u8] = &0x184D_2204u32.to_le_bytes();

/// The magic; version 1, independent blocks, no checksums, no content size; blocks of at most 64 KiB, which is what
/// librdkafka and Java write; and the second byte of the xxhash32 of these two bytes.
const LZ4_HEADER: &[u8] = &[0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];

/// In the length of a block: it is not compressed.
const LZ4_PLAIN: u32 = 1 << 31;

/// The magic of snappy-java's framing; a version and the lowest compatible version follow, four bytes each.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER: usize = 16;

/// The most output bytes that a byte of a raw snappy block can stand for (a copy of 64 bytes takes at least two).
const SNAPPY_MAX_RATIO: usize = 32;

/// Bytes that may be reserved at once for decompressed output; more is reserved as it comes.
const MAX_RESERVE: usize = 1 << 20;

/// The decompressed form of `input`, of at most `max_output` bytes. Memory in use grows with the output that really
/// comes, not with what the input announces; zstd and lz4 windows are bounded too. An LZ4 frame cut off between blocks
/// yields what came before the cut, which the count of records then shows.
///
/// # Errors
/// When the input is damaged or the output would be longer than `max_output`.
pub fn decompress(codec: Compression, input: &[u8], max_output: usize) -> Result<Vec<u8>, CodecError> {
    match codec {
        Compression::None if input.len() > max_output => Err(CodecError::TooLarge),
        Compression::None => Ok(input.to_vec()),
        Compression::Gzip => read_all(flate2::bufread::MultiGzDecoder::new(input), input.len(), max_output),
        Compression::Snappy => {
            let mut out = Vec::new();
            match input.strip_prefix(XERIAL_MAGIC) {
                Some(_) => snappy_framed(input, &mut out, max_output)?,
                None => snappy_block(input, &mut out, max_output)?,
            }
            Ok(out)
        }
        // The magic is checked here to keep out the legacy frame, which Kafka never had.
        Compression::Lz4 if !input.starts_with(LZ4_MAGIC) => Err(corrupt("not an LZ4 frame")),
        Compression::Lz4 => read_all(FrameDecoder::new(input), input.len(), max_output),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(failed)?;
            // A frame names the window its decoder must keep; allow what the output may need, and no less than the
            // 8 MiB that the format asks every decoder to support.
            let window_log = max_output.next_power_of_two().trailing_zeros().clamp(23, 27);
            decoder.window_log_max(window_log).map_err(failed)?;
            read_all(decoder, input.len(), max_output)
        }
    }
}

fn read_all(reader: impl Read, input_len: usize, max_output: usize) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::with_capacity(input_len.saturating_mul(4).min(max_output).min(MAX_RESERVE));
    reader.take(max_output as u64 + 1).read_to_end(&mut out).map_err(corrupt)?;
    if out.len() > max_output {
        return Err(CodecError::TooLarge);
    }
    Ok(out)
}

fn snappy_block(input: &[u8], out: &mut Vec<u8>, max_output: usize) -> Result<(), CodecError> {
    let len = snap::raw::decompress_len(input).map_err(corrupt)?;
    if len > max_output - out.len() {
        return Err(CodecError::TooLarge);
    }
    if len > input.len().saturating_mul(SNAPPY_MAX_RATIO) {
        return Err(corrupt("announced length is impossible"));
    }
    let start = out.len();
    out.resize(start + len, 0);
    let n = snap::raw::Decoder::new().decompress(input, &mut out[start..]).map_err(corrupt)?;
    out.truncate(start + n);
    Ok(())
}

/// snappy-java: a header, then blocks with their lengths in front; streams may be concatenated, header and all.
fn snappy_framed(mut input: &[u8], out: &mut Vec<u8>, max_output: usize) -> Result<(), CodecError> {
    while !input.is_empty() {
        if input.starts_with(XERIAL_MAGIC) {
            input = input.get(XERIAL_HEADER..).ok_or_else(|| corrupt("header is cut off"))?;
            continue;
        }
        let (len, rest) = input.split_first_chunk::<4>().ok_or_else(|| corrupt("block length is cut off"))?;
        let len = u32::from_be_bytes(*len) as usize;
        let (block, rest) = rest.split_at_checked(len).ok_or_else(|| corrupt("block is cut off"))?;
        snappy_block(block, out, max_output)?;
        input = rest;
    }
    Ok(())
}
