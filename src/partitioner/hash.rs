//! The hashes.

/// CRC-32 as zlib computes it (IEEE 802.3, reflected), not the CRC-32C of record batches.
#[inline]
pub(super) fn crc32(key: &[u8]) -> u32 {
    crc32fast::hash(key)
}

/// MurmurHash2 with the seed of Java's producer. Java reads the key as little-endian words, whatever the machine.
#[inline]
pub(super) fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    // The algorithm counts modulo 2^32, as Java's int does.
    let mut h = SEED ^ key.len() as u32;
    let mut tail = key;
    while let Some((word, rest)) = tail.split_first_chunk::<4>() {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
        tail = rest;
    }
    if !tail.is_empty() {
        let rest = tail.iter().rev().fold(0, |rest, byte| rest << 8 | u32::from(*byte));
        h = (h ^ rest).wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ h >> 15
}

/// FNV-1a, 32 bits.
#[inline]
pub(super) fn fnv1a(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5, |h, byte| (h ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
