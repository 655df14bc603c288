//! Partitioners: functions from a key (or the lack of one) to a partition, computed exactly as the other clients do, so
//! that a key goes to the same partition whichever client writes it.
//!
//! Which messages are spread instead says [`PartitionerKind::is_keyless_random`]; those stick to a partition that
//! [`sticky::choose`] names, or get a random one each.

mod hash;
pub mod sticky;

use std::fmt;
use std::str::FromStr;

/// `partitioner`
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PartitionerKind {
    /// A random partition, or the sticky one.
    Random,
    /// CRC-32 of the key; messages without a key go to one partition.
    Consistent,
    /// CRC-32 of the key; messages with an empty or no key go to a random partition.
    #[default]
    ConsistentRandom,
    /// Java's murmur2 of the key; messages without a key go to one partition.
    Murmur2,
    /// Java's default: murmur2 of the key; messages without a key go to a random partition.
    Murmur2Random,
    /// FNV-1a of the key; messages without a key go to one partition.
    Fnv1a,
    /// FNV-1a of the key; messages without a key go to a random partition.
    Fnv1aRandom,
    /// One partition after the other, keys or not.
    RoundRobin,
    /// Every message as if it had no key: Java's `partitioner.ignore.keys`.
    UniformSticky,
}

impl PartitionerKind {
    pub const ALL: [PartitionerKind; 9] = [
        PartitionerKind::Random,
        PartitionerKind::Consistent,
        PartitionerKind::ConsistentRandom,
        PartitionerKind::Murmur2,
        PartitionerKind::Murmur2Random,
        PartitionerKind::Fnv1a,
        PartitionerKind::Fnv1aRandom,
        PartitionerKind::RoundRobin,
        PartitionerKind::UniformSticky,
    ];

    /// The property's value.
    pub const fn name(self) -> &'static str {
        match self {
            PartitionerKind::Random => "random",
            PartitionerKind::Consistent => "consistent",
            PartitionerKind::ConsistentRandom => "consistent_random",
            PartitionerKind::Murmur2 => "murmur2",
            PartitionerKind::Murmur2Random => "murmur2_random",
            PartitionerKind::Fnv1a => "fnv1a",
            PartitionerKind::Fnv1aRandom => "fnv1a_random",
            PartitionerKind::RoundRobin => "round_robin",
            PartitionerKind::UniformSticky => "uniform_sticky",
        }
    }

    /// True when a message with this key (None: no key) goes to any partition rather than to one that follows from the
    /// key: to the sticky one, or with `sticky.partitioning.linger.ms=0` to a random one.
    ///
    /// An empty key is a key to all but `consistent_random`, whose CRC-32 would be 0.
    #[inline]
    pub fn is_keyless_random(self, key: Option<&[u8]>) -> bool {
        match self {
            PartitionerKind::ConsistentRandom => key.is_none_or(<[u8]>::is_empty),
            PartitionerKind::Random | PartitionerKind::Murmur2Random | PartitionerKind::Fnv1aRandom => key.is_none(),
            PartitionerKind::UniformSticky => true,
            PartitionerKind::Consistent
            | PartitionerKind::Murmur2
            | PartitionerKind::Fnv1a
            | PartitionerKind::RoundRobin => false,
        }
    }

    /// True when the partition of a message with this key follows from the key alone.
    #[inline]
    pub fn is_by_key(self, key: Option<&[u8]>) -> bool {
        !matches!(self, PartitionerKind::Random | PartitionerKind::RoundRobin) && !self.is_keyless_random(key)
    }

    /// `None` for `random`, `round_robin` and `uniform_sticky`, which go by no such number.
    pub fn key_hash(self) -> Option<KeyHash> {
        match self {
            PartitionerKind::Consistent | PartitionerKind::ConsistentRandom => Some(hash::crc32),
            // Java clears the sign rather than taking the absolute value.
            PartitionerKind::Murmur2 | PartitionerKind::Murmur2Random => Some(|key| hash::murmur2(key) & 0x7fff_ffff),
            // Sarama's hash partitioner takes the absolute value of a signed number.
            PartitionerKind::Fnv1a | PartitionerKind::Fnv1aRandom => {
                Some(|key| (hash::fnv1a(key) as i32).unsigned_abs())
            }
            PartitionerKind::Random | PartitionerKind::RoundRobin | PartitionerKind::UniformSticky => None,
        }
    }
}

/// Makes a number of a key, of which the remainder by the partition count is the key's partition.
pub type KeyHash = fn(&[u8]) -> u32;

/// The partition out of `n` of a key with this hash; 0 when `n` is not positive.
#[inline(always)]
pub fn partition_of_hash(hash: u32, n: i32) -> i32 {
    if n <= 0 {
        return 0;
    }
    let n = n as u32;
    // Less than n, so it fits. Most counts are powers of two, and a division takes its time.
    (if n.is_power_of_two() { hash & (n - 1) } else { hash % n }) as i32
}

/// The partition out of `n` for a message with this key; no key counts as an empty one. For `random` and
/// `uniform_sticky` it is a random one. `round_robin` depends on what went before, which the caller counts; here it is 0,
/// as is everything when `n` is not positive.
#[inline(never)]
pub fn partition_for_key(kind: PartitionerKind, key: Option<&[u8]>, n: i32) -> i32 {
    match kind.key_hash() {
        Some(hash) => partition_of_hash(hash(key.unwrap_or_default()), n),
        None if kind == PartitionerKind::RoundRobin || n <= 0 => 0,
        None => fastrand::i32(0..n),
    }
}

impl fmt::Display for PartitionerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PartitionerKind {
    type Err = ();
    fn from_str(name: &str) -> Result<PartitionerKind, ()> {
        PartitionerKind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name)).ok_or(())
    }
}
