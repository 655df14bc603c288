//! Partitioners: pure functions from a key (or the lack of one) to a partition, computed exactly as the other clients do.

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
}

impl PartitionerKind {
    pub const ALL: [PartitionerKind; 8] = [
        PartitionerKind::Random,
        PartitionerKind::Consistent,
        PartitionerKind::ConsistentRandom,
        PartitionerKind::Murmur2,
        PartitionerKind::Murmur2Random,
        PartitionerKind::Fnv1a,
        PartitionerKind::Fnv1aRandom,
        PartitionerKind::RoundRobin,
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
        }
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
