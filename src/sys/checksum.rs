//! CRC-32C with few instructions per byte. Where the processor has the instruction, three streams at once, eight bytes a step,
//! put together by tables of what a stretch of zeros does to a checksum. Where it multiplies polynomials in the widest
//! registers, long stretches are folded in those, at half the time.

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[allow(unsafe_code)]
mod fold;
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[allow(unsafe_code)]
mod x86;

/// The CRC-32C of what `crc` is the CRC-32C of, followed by `bytes`.
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if let Some(crc) = x86::append(crc, bytes) {
        return crc;
    }
    ::crc32c::crc32c_append(crc, bytes)
}

/// Finds out now what the processor can do, rather than with the first checksum of more than a few bytes.
pub fn prepare() {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    x86::prepare();
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
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

/// x to that power, modulo the polynomial.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const fn power(mut exponent: u32) -> u32 {
    let (mut power, mut square) = (1 << 31, 1 << 30);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = multiply(power, square);
        }
        square = multiply(square, square);
        exponent >>= 1;
    }
    power
}

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

/// The checksum byte by byte.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[cold]
fn by_table(crc: u32, bytes: &[u8]) -> u32 {
    static OF_BYTE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < table.len() {
            table[byte] = multiply(byte as u32, 1 << (31 - 8));
            byte += 1;
        }
        table
    };
    !bytes.iter().fold(!crc, |crc, &b| crc >> 8 ^ OF_BYTE[usize::from(crc as u8 ^ b)])
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
    fn long_stretches_agree_with_the_plain_algorithm() {
        prepare();
        let mut random = fastrand::Rng::with_seed(32);
        let bytes: Vec<u8> =
            std::iter::repeat_with(|| random.u8(..)).take(if cfg!(miri) { 5000 } else { 300_000 }).collect();
        for _ in 0..if cfg!(miri) { 2 } else { 500 } {
            let from = random.usize(..bytes.len());
            let (crc, stretch) = (random.u32(..), &bytes[from..random.usize(from..bytes.len())]);
            assert_eq!(
                crc32c_append(crc, stretch),
                ::crc32c::crc32c_append(crc, stretch),
                "{from}, {} bytes",
                stretch.len()
            );
        }
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
        // Else short ones would go by the table, which is tested below.
        prepare();
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
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        for n in 0..bytes.len() {
            assert_eq!(by_table(7, &bytes[n..]), ::crc32c::crc32c_append(7, &bytes[n..]), "from {n} on");
            // Also on a machine that has more than this.
            if let Some(crc) = x86::append_at_most(x86::Has::Instruction, 7, &bytes[n..]) {
                assert_eq!(crc, ::crc32c::crc32c_append(7, &bytes[n..]), "from {n} on");
            }
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
