//! The processor's own instruction for CRC-32C, and which processor this is.

use super::{by_table, fold, multiply, power};
use std::arch::x86_64::{__cpuid, _mm_crc32_u64, _mm_crc32_u8, _mm_prefetch, _xgetbv, _MM_HINT_T0};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// What the processor has for this.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Has {
    Nothing,
    /// SSE 4.2.
    Instruction,
    /// And AVX-512F with VPCLMULQDQ, whose registers the system keeps.
    Folding,
}

static KNOWN: AtomicU8 = AtomicU8::new(u8::MAX);

/// What the processor has; `None`: nobody has asked it yet.
#[inline]
fn known() -> Option<Has> {
    const ALL: [Has; 3] = [Has::Nothing, Has::Instruction, Has::Folding];
    ALL.get(KNOWN.load(Relaxed) as usize).copied()
}

/// Asks the processor what it has, unless somebody has.
///
/// The standard library's detection asks for every feature at once, and where the machine is a virtual one each of those
/// questions goes to the hypervisor: tens of microseconds of a client's start.
#[cold]
pub fn prepare() -> Has {
    known().unwrap_or_else(|| {
        let has = ask();
        KNOWN.store(has as u8, Relaxed);
        has
    })
}

// The intrinsic is a safe function in later versions of Rust.
#[allow(unused_unsafe)]
fn ask() -> Has {
    // From the manuals: leaf 1, and leaf 7 of those that have it; in XCR0 the registers of SSE, AVX and AVX-512.
    const SSE_4_2: u32 = 1 << 20;
    const OS_XSAVE: u32 = 1 << 27;
    const AVX_512_F: u32 = 1 << 16;
    const VPCLMULQDQ: u32 = 1 << 10;
    const KEPT: u64 = 0b1110_0110;
    // SAFETY: every processor of this architecture has CPUID and its first leaves.
    let (most, first) = unsafe { (__cpuid(0).eax, __cpuid(1).ecx) };
    if first & SSE_4_2 == 0 {
        return Has::Nothing;
    }
    if most < 7 || first & OS_XSAVE == 0 {
        return Has::Instruction;
    }
    // SAFETY: the processor has leaf 7, and XGETBV if the system uses XSAVE.
    let (seventh, kept) = unsafe { (__cpuid(7), _xgetbv(0)) };
    let folds = seventh.ebx & AVX_512_F != 0 && seventh.ecx & VPCLMULQDQ != 0 && kept & KEPT == KEPT;
    if folds {
        Has::Folding
    } else {
        Has::Instruction
    }
}

/// The checksum by what the processor has; `None` if that is nothing.
pub fn append(crc: u32, bytes: &[u8]) -> Option<u32> {
    append_at_most(Has::Folding, crc, bytes)
}

/// As `append`, as if the processor had no more than that.
pub fn append_at_most(most: Has, crc: u32, bytes: &[u8]) -> Option<u32> {
    let has = match known() {
        Some(has) => has,
        // Sooner done than the question is answered.
        None if bytes.len() <= FEW => return Some(by_table(crc, bytes)),
        None => prepare(),
    };
    match has.min(most) {
        Has::Nothing => None,
        Has::Folding if bytes.len() >= fold::LEAST => {
            // SAFETY: the processor has what both are compiled for.
            Some(unsafe {
                let (folded, rest) = fold::append(!crc, bytes);
                by_instruction(folded, rest)
            })
        }
        // SAFETY: the processor has the instruction.
        _ => Some(unsafe { by_instruction(u64::from(!crc), bytes) }),
    }
}

/// Bytes of which a table is as fast as a processor that has to be asked first.
const FEW: usize = 1024;

/// Bytes of each of the three streams, in long stretches and in short ones.
const LONG: usize = 1024;
const SHORT: usize = 128;
static AFTER_LONG: Zeros = Zeros::new(LONG);
static AFTER_SHORT: Zeros = Zeros::new(SHORT);

/// What a stretch of zeros makes of a checksum: the sum over its four bytes.
struct Zeros([[u32; 256]; 4]);

impl Zeros {
    const fn new(len: usize) -> Zeros {
        let past = power(8 * len as u32);
        let mut table = [[0u32; 256]; 4];
        let mut byte = 0;
        while byte < 4 {
            let mut value = 0;
            while value < 256 {
                table[byte][value] = multiply((value as u32) << (8 * byte), past);
                value += 1;
            }
            byte += 1;
        }
        Zeros(table)
    }

    fn apply(&self, crc: u64) -> u64 {
        let [a, b, c, d, ..] = crc.to_le_bytes();
        let t = &self.0;
        (t[0][a as usize] ^ t[1][b as usize] ^ t[2][c as usize] ^ t[3][d as usize]) as u64
    }
}

/// One step of eight bytes.
#[inline]
#[target_feature(enable = "sse4.2")]
fn step(crc: u64, word: &[u8]) -> u64 {
    _mm_crc32_u64(crc, word.try_into().map_or(0, u64::from_le_bytes))
}

/// Three streams of `N` bytes each; returns what is left.
#[target_feature(enable = "sse4.2")]
fn stretches<'a, const N: usize>(crc: &mut u64, mut bytes: &'a [u8], zeros: &Zeros) -> &'a [u8] {
    while bytes.len() >= 3 * N {
        let (stretch, rest) = bytes.split_at(3 * N);
        let (first, others) = stretch.split_at(N);
        let (second, third) = others.split_at(N);
        let (mut a, mut b, mut c) = (*crc, 0, 0);
        for ((x, y), z) in first.chunks_exact(64).zip(second.chunks_exact(64)).zip(third.chunks_exact(64)) {
            // Records come from another thread's cache, and a stretch is over before the processor has seen where it goes
            // on. A prefetch past the end does nothing.
            for line in [x, y, z] {
                // SAFETY: a prefetch reads and writes nothing. (In later versions of Rust the intrinsic is a safe function.)
                #[allow(unused_unsafe)]
                unsafe {
                    _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(3 * N).cast())
                };
            }
            for i in (0..64).step_by(8) {
                (a, b, c) = (step(a, &x[i..i + 8]), step(b, &y[i..i + 8]), step(c, &z[i..i + 8]));
            }
        }
        *crc = zeros.apply(zeros.apply(a) ^ b) ^ c;
        bytes = rest;
    }
    bytes
}

/// The checksum of what `crc` is that of, not yet inverted, and these.
#[target_feature(enable = "sse4.2")]
fn by_instruction(mut crc: u64, bytes: &[u8]) -> u32 {
    let bytes = stretches::<LONG>(&mut crc, bytes, &AFTER_LONG);
    let bytes = stretches::<SHORT>(&mut crc, bytes, &AFTER_SHORT);
    let words = bytes.chunks_exact(8);
    let last = words.remainder();
    crc = words.fold(crc, |crc, w| step(crc, w));
    !last.iter().fold(crc as u32, |crc, &b| _mm_crc32_u8(crc, b))
}
