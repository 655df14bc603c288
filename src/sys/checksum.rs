//! CRC-32C with few instructions per byte: where the processor has the instruction, three streams at once, eight bytes a
//! step, put together by tables of what a stretch of zeros does to a checksum.

/// The CRC-32C of what `crc` is the CRC-32C of, followed by `bytes`.
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if x86::has_instruction() {
        // SAFETY: the processor has the instructions that `append` is compiled for.
        #[allow(unsafe_code)]
        return unsafe { x86::append(crc, bytes) };
    }
    ::crc32c::crc32c_append(crc, bytes)
}

/// Finds out now what the processor can do, rather than with the first checksum.
pub fn prepare() {
    crc32c_append(0, &[]);
}

/// The CRC-32C of two stretches, one after the other, from that of each and the second's length.
pub fn crc32c_combine(first: u32, second: u32, second_len: usize) -> u32 {
    let powers = POWERS.iter().enumerate().filter(|(k, _)| second_len >> k & 1 == 1);
    powers.fold(first, |crc, (_, &power)| multiply(crc, power)) ^ second
}

const POLYNOMIAL: u32 = 0x82f6_3b78;

/// x to the power of 8 * 2^k, modulo the polynomial: what 2^k bytes of zeros multiply a checksum with.
static POWERS: [u32; 40] = {
    let mut powers = [1 << (31 - 8); 40];
    let mut k = 1;
    while k < powers.len() {
        powers[k] = multiply(powers[k - 1], powers[k - 1]);
        k += 1;
    }
    powers
};

/// A product of polynomials modulo that of the checksum; the highest bit is the coefficient of 1.
const fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = 32;
    while bit > 0 {
        bit -= 1;
        product ^= b & (a >> bit & 1).wrapping_neg();
        b = b >> 1 ^ POLYNOMIAL & (b & 1).wrapping_neg();
    }
    product
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[allow(unsafe_code)]
mod x86 {
    use super::POLYNOMIAL;
    use std::arch::x86_64::{__cpuid, _mm_crc32_u64, _mm_crc32_u8, _mm_prefetch, _MM_HINT_T0};
    use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

    /// Whether the processor has SSE 4.2. The standard library's detection asks for every feature at once, and where the
    /// machine is a virtual one each of those questions goes to the hypervisor: tens of microseconds of a client's start.
    // The intrinsic is a safe function in later versions of Rust.
    #[allow(unused_unsafe)]
    #[inline]
    pub fn has_instruction() -> bool {
        const SSE_4_2: u32 = 1 << 20;
        const UNKNOWN: u8 = 2;
        static KNOWN: AtomicU8 = AtomicU8::new(UNKNOWN);
        match KNOWN.load(Relaxed) {
            UNKNOWN => {
                // SAFETY: every processor of this architecture has CPUID and its first leaf.
                let has = unsafe { __cpuid(1) }.ecx & SSE_4_2 != 0;
                KNOWN.store(u8::from(has), Relaxed);
                has
            }
            known => known == 1,
        }
    }

    /// Bytes of each of the three streams, in long stretches and in short ones.
    const LONG: usize = 1024;
    const SHORT: usize = 128;
    static AFTER_LONG: Zeros = Zeros::new(LONG);
    static AFTER_SHORT: Zeros = Zeros::new(SHORT);

    /// What a stretch of zeros makes of a checksum: the sum over its four bytes.
    struct Zeros([[u32; 256]; 4]);

    impl Zeros {
        /// `len` is a power of two.
        const fn new(len: usize) -> Zeros {
            // A checksum is a vector of bits, and each byte of zeros multiplies it by the same matrix.
            let mut columns = [0u32; 32];
            let mut i = 0;
            while i < 32 {
                let mut c = 1u32 << i;
                let mut bit = 0;
                while bit < 8 {
                    c = if c & 1 == 1 { c >> 1 ^ POLYNOMIAL } else { c >> 1 };
                    bit += 1;
                }
                columns[i] = c;
                i += 1;
            }
            let mut covers = 1;
            while covers < len {
                let mut squared = [0u32; 32];
                let mut i = 0;
                while i < 32 {
                    squared[i] = times(&columns, columns[i]);
                    i += 1;
                }
                columns = squared;
                covers *= 2;
            }
            let mut table = [[0u32; 256]; 4];
            let mut byte = 0;
            while byte < 4 {
                let mut value = 0;
                while value < 256 {
                    table[byte][value] = times(&columns, (value as u32) << (8 * byte));
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

    const fn times(columns: &[u32; 32], vector: u32) -> u32 {
        let mut sum = 0;
        let mut i = 0;
        while i < 32 {
            if vector >> i & 1 == 1 {
                sum ^= columns[i];
            }
            i += 1;
        }
        sum
    }

    /// One step of eight bytes.
    ///
    /// # Safety
    /// The processor has SSE 4.2.
    #[inline]
    #[target_feature(enable = "sse4.2")]
    // The intrinsic is a safe function from Rust 1.87 on.
    #[allow(unused_unsafe)]
    unsafe fn step(crc: u64, word: &[u8]) -> u64 {
        let word = word.try_into().map_or(0, u64::from_le_bytes);
        // SAFETY: by contract.
        unsafe { _mm_crc32_u64(crc, word) }
    }

    /// Three streams of `N` bytes each; returns what is left.
    ///
    /// # Safety
    /// The processor has SSE 4.2.
    #[target_feature(enable = "sse4.2")]
    // As in `step`.
    #[allow(unused_unsafe)]
    unsafe fn stretches<'a, const N: usize>(crc: &mut u64, mut bytes: &'a [u8], zeros: &Zeros) -> &'a [u8] {
        while bytes.len() >= 3 * N {
            let (stretch, rest) = bytes.split_at(3 * N);
            let (first, others) = stretch.split_at(N);
            let (second, third) = others.split_at(N);
            let (mut a, mut b, mut c) = (*crc, 0, 0);
            for ((x, y), z) in first.chunks_exact(64).zip(second.chunks_exact(64)).zip(third.chunks_exact(64)) {
                // Records come from another thread's cache, and a stretch is over before the processor has seen where it goes
                // on. A prefetch past the end does nothing.
                for line in [x, y, z] {
                    // SAFETY: a prefetch reads and writes nothing.
                    unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(3 * N).cast()) };
                }
                for i in (0..64).step_by(8) {
                    // SAFETY: by contract.
                    (a, b, c) = unsafe { (step(a, &x[i..i + 8]), step(b, &y[i..i + 8]), step(c, &z[i..i + 8])) };
                }
            }
            *crc = zeros.apply(zeros.apply(a) ^ b) ^ c;
            bytes = rest;
        }
        bytes
    }

    /// # Safety
    /// The processor has SSE 4.2.
    #[target_feature(enable = "sse4.2")]
    #[allow(unused_unsafe)]
    pub unsafe fn append(crc: u32, bytes: &[u8]) -> u32 {
        let mut crc = !crc as u64;
        // SAFETY: by contract.
        unsafe {
            let bytes = stretches::<LONG>(&mut crc, bytes, &AFTER_LONG);
            let bytes = stretches::<SHORT>(&mut crc, bytes, &AFTER_SHORT);
            let words = bytes.chunks_exact(8);
            let last = words.remainder();
            crc = words.fold(crc, |crc, w| step(crc, w));
            !last.iter().fold(crc as u32, |crc, &b| _mm_crc32_u8(crc, b))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // RFC 3720, B.4
        assert_eq!(crc32c_append(0, &[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c_append(0, &[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c_append(0, b"123456789"), 0xe306_9283);
    }

    #[test]
    fn long_stretches_are_combined_as_the_plain_algorithm_does() {
        for len in [1, 0xffff, 1_000_000, 0x7fff_ffff, 0x12_3456_789a] {
            let (a, b) = (0xdead_beef, 0x1234_5678);
            assert_eq!(crc32c_combine(a, b, len), ::crc32c::crc32c_combine(a, b, len), "{len} bytes");
        }
    }

    #[test]
    fn every_length_and_split_agrees_with_the_plain_algorithm() {
        let mut x = 1u32;
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 24) as u8
        })
        .take(8000)
        .collect();
        let step = if cfg!(miri) { 997 } else { 1 };
        for n in (0..bytes.len()).step_by(step) {
            assert_eq!(crc32c_append(0, &bytes[..n]), ::crc32c::crc32c(&bytes[..n]), "{n} bytes");
        }
        for n in (0..bytes.len()).step_by(step.max(13)) {
            let (a, b) = bytes.split_at(n);
            assert_eq!(crc32c_append(crc32c_append(0, a), b), ::crc32c::crc32c(&bytes), "{n} bytes first");
            assert_eq!(
                crc32c_combine(::crc32c::crc32c(a), ::crc32c::crc32c(b), b.len()),
                ::crc32c::crc32c(&bytes),
                "{n} bytes first"
            );
        }
    }
}
