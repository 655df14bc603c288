//! Long stretches: what is congruent to the bytes so far, modulo the checksum's polynomial, is kept in four registers of 64
//! bytes. A step multiplies it past the next 256 bytes and adds those.

use super::power;
use std::arch::x86_64::{
    __m512i, _mm512_broadcast_i32x4, _mm512_clmulepi64_epi128, _mm512_loadu_si512, _mm512_storeu_si512,
    _mm512_ternarylogic_epi64, _mm512_xor_si512, _mm512_zextsi128_si512, _mm_crc32_u64, _mm_cvtsi32_si128,
    _mm_set_epi64x,
};

/// Bytes of a register, and of a step.
const REGISTER: usize = 64;
const STEP: usize = 4 * REGISTER;
/// From how many bytes on this is worth its beginning and its end.
pub const LEAST: usize = 2048;

/// Folds as many of the bytes, which are `LEAST` or more, as are whole registers; gives the checksum of those, not inverted as
/// `crc` is not, and what is left.
#[target_feature(enable = "avx512f,vpclmulqdq,sse4.2")]
pub fn append(crc: u32, bytes: &[u8]) -> (u64, &[u8]) {
    let (step, register) = (multiplier(PAST_STEP), multiplier(PAST_REGISTER));
    let (first, rest) = bytes.split_at(STEP);
    let mut sums: [__m512i; 4] = std::array::from_fn(|i| load(&first[i * REGISTER..]));
    sums[0] = _mm512_xor_si512(sums[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128(crc as i32)));
    let steps = rest.chunks_exact(STEP);
    let rest = steps.remainder();
    for bytes in steps {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = fold(*sum, step, load(&bytes[i * REGISTER..]));
        }
    }
    let mut sum = sums[0];
    for next in &sums[1..] {
        sum = fold(sum, register, *next);
    }
    let registers = rest.chunks_exact(REGISTER);
    let rest = registers.remainder();
    for bytes in registers {
        sum = fold(sum, register, load(bytes));
    }
    // The instruction makes a checksum of 64 bytes that have the same one as all of them.
    let mut last = [0u64; REGISTER / 8];
    // SAFETY: `last` has room for a register.
    unsafe { _mm512_storeu_si512(last.as_mut_ptr().cast(), sum) };
    (last.iter().fold(0, |crc, word| _mm_crc32_u64(crc, *word)), rest)
}

/// What multiplies the first and the second half of 16 bytes to take them past that many bytes. Bits are in the checksum's
/// order, the highest power in the lowest bit, and a product of two such halves is one power short; the first half is 64 powers
/// above the second.
const fn past(bytes: usize) -> [u64; 2] {
    let bits = 8 * bytes as u32;
    [(power(bits + 63) as u64) << 32, (power(bits - 1) as u64) << 32]
}

const PAST_STEP: [u64; 2] = past(STEP);
const PAST_REGISTER: [u64; 2] = past(REGISTER);

#[target_feature(enable = "avx512f")]
fn multiplier([first, second]: [u64; 2]) -> __m512i {
    _mm512_broadcast_i32x4(_mm_set_epi64x(second as i64, first as i64))
}

#[target_feature(enable = "avx512f,vpclmulqdq")]
fn fold(sum: __m512i, past: __m512i, next: __m512i) -> __m512i {
    const XOR: i32 = 0x96;
    let first = _mm512_clmulepi64_epi128::<0x00>(sum, past);
    let second = _mm512_clmulepi64_epi128::<0x11>(sum, past);
    _mm512_ternarylogic_epi64::<XOR>(first, second, next)
}

/// The first 64 of these bytes.
#[target_feature(enable = "avx512f")]
fn load(bytes: &[u8]) -> __m512i {
    let bytes = &bytes[..REGISTER];
    // SAFETY: as many bytes as a register has are there; they need not be aligned.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}
