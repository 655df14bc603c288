//! Hashes and partitions against `vectors/partitioner.tsv`, which `vectors/partitioner.py` computes on its own, and
//! against the values that the Java client, Sarama and librdkafka test themselves with.

use proptest::prelude::*;
use rkafka::partitioner::{partition_for_key, PartitionerKind};

const BY_CRC: [PartitionerKind; 2] = [PartitionerKind::Consistent, PartitionerKind::ConsistentRandom];
const BY_MURMUR: [PartitionerKind; 2] = [PartitionerKind::Murmur2, PartitionerKind::Murmur2Random];
const BY_FNV: [PartitionerKind; 2] = [PartitionerKind::Fnv1a, PartitionerKind::Fnv1aRandom];

fn hash_key(kind: PartitionerKind, key: &[u8]) -> u32 {
    kind.key_hash().expect("a partitioner by hash")(key)
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digit).collect()
}

#[test]
fn independent_vectors() {
    let mut count = 0;
    for line in include_str!("vectors/partitioner.tsv").lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        let key = unhex(cells[0]);
        let number = |at: usize| u32::from_str_radix(cells[at], 16).expect("hex");
        let absolute = (number(3) as i32).unsigned_abs();
        for (kinds, hash) in [(BY_CRC, number(1)), (BY_MURMUR, number(2) & 0x7fff_ffff), (BY_FNV, absolute)] {
            for kind in kinds {
                assert_eq!(hash_key(kind, &key), hash, "{kind} {}", cells[0]);
            }
        }
        for chosen in cells[4].split(' ') {
            let (n, partitions) = chosen.split_once(':').expect("count:partitions");
            let n: i32 = n.parse().expect("count");
            for (kinds, partition) in [BY_CRC, BY_MURMUR, BY_FNV].into_iter().zip(partitions.split(',')) {
                for kind in kinds {
                    let found = partition_for_key(kind, Some(&key), n).to_string();
                    assert_eq!(found, partition, "{kind} {} of {n}", cells[0]);
                    count += 1;
                }
            }
        }
    }
    assert!(count > 10_000, "{count}");
}

#[test]
fn values_of_other_clients() {
    let java = [
        (&b"21"[..], -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ];
    for (key, hash) in java {
        assert_eq!(hash_key(PartitionerKind::Murmur2Random, key), hash as u32 & 0x7fff_ffff, "{key:?}");
    }
    let murmur2 =
        [(&b"kafka"[..], 0xd067cf64u32), (b"giberish123456789", 0x8f552b0c), (b"1234", 0x9fc97b14), (b"", 0x106e08d9)];
    for (key, hash) in murmur2 {
        assert_eq!(hash_key(PartitionerKind::Murmur2, key), hash & 0x7fff_ffff, "{key:?}");
    }
    // Go's, with the sign taken off as Sarama does.
    let fnv1a =
        [(&b"kafka"[..], 0x0d33c4e1u32), (b"giberish123456789", 0x77a58295), (b"1234", 0x023bdd03), (b"", 0x7ee3623b)];
    for (key, hash) in fnv1a {
        assert_eq!(hash_key(PartitionerKind::Fnv1a, key), hash, "{key:?}");
    }
    assert_eq!(hash_key(PartitionerKind::Consistent, b"123456789"), 0xcbf4_3926);
}

/// What happens to messages without a key, and with an empty one.
#[test]
fn missing_and_empty_keys() {
    let spread = |kind: PartitionerKind| (kind.is_keyless_random(None), kind.is_keyless_random(Some(b"")));
    assert_eq!(spread(PartitionerKind::Random), (true, false));
    assert_eq!(spread(PartitionerKind::ConsistentRandom), (true, true));
    assert_eq!(spread(PartitionerKind::Murmur2Random), (true, false));
    assert_eq!(spread(PartitionerKind::Fnv1aRandom), (true, false));
    for kind in [PartitionerKind::Consistent, PartitionerKind::Murmur2, PartitionerKind::Fnv1a] {
        assert_eq!(spread(kind), (false, false), "{kind}");
        assert!(kind.is_by_key(None));
        assert_eq!(partition_for_key(kind, None, 9), partition_for_key(kind, Some(b""), 9), "{kind}");
    }
    assert_eq!(spread(PartitionerKind::RoundRobin), (false, false));
    assert_eq!(partition_for_key(PartitionerKind::Consistent, None, 9), 0);
    for kind in PartitionerKind::ALL {
        assert_eq!(kind.is_keyless_random(Some(b"key")), kind == PartitionerKind::UniformSticky, "{kind}");
        assert_eq!(kind.name().parse(), Ok(kind));
        assert_eq!(partition_for_key(kind, Some(b"key"), 0), 0);
        assert_eq!(partition_for_key(kind, Some(b"key"), -1), 0);
    }
}

#[test]
fn random_reaches_every_partition() {
    let mut seen = [false; 5];
    for _ in 0..1_000 {
        seen[partition_for_key(PartitionerKind::Random, Some(b"same"), 5) as usize] = true;
    }
    assert_eq!(seen, [true; 5]);
}

proptest! {
    #[test]
    fn partitions_exist(key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..80)), n in 1..=i32::MAX) {
        for kind in PartitionerKind::ALL {
            let partition = partition_for_key(kind, key.as_deref(), n);
            prop_assert!((0..n).contains(&partition), "{kind}: {partition}");
        }
    }
}
