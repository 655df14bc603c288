//! Batches: when they are sent, how large they are, how many go in a request; which partitions keyless messages take.

use crate::common::{alone, beside, ms, Harness};
use rkafka::client::PARTITION_UA;
use rkafka::partitioner::{partition_for_key, PartitionerKind};
use std::collections::HashMap;
use std::time::Instant;

const PRODUCE: i16 = 0;

#[test]
fn wait_for_linger() {
    let _stage = alone();
    let (h, t) = Harness::ready(1, &[("linger.ms", "200")]);
    let first = h.one(&t);
    std::thread::sleep(ms(50));
    let second = h.one(&t);
    let f = h.wait_fate(first, ms(3000));
    let after = f.at - h.sent_at(first);
    assert!(after >= ms(195) && after < ms(300), "{after:?}");
    let second = h.wait_fate(second, ms(10));
    assert_eq!(second.offset, f.offset + 1);
}

#[test]
fn do_not_wait_when_full() {
    let _stage = alone();
    let (h, t) = Harness::ready(1, &[("linger.ms", "5000"), ("batch.num.messages", "10")]);
    let ids = h.produce_many(&t, 0, 11);
    for id in &ids[..10] {
        let f = h.wait_fate(*id, ms(1000));
        assert!(f.at - h.sent_at(*id) < ms(500));
    }
    std::thread::sleep(ms(200));
    assert!(h.fate(ids[10]).is_none());
}

#[test]
fn do_not_wait_in_flush() {
    let _stage = alone();
    let (h, t) = Harness::ready(4, &[("linger.ms", "10000")]);
    for round in 0..50 {
        h.produce_many(&t, round % 4, 3);
        let began = Instant::now();
        h.flush(ms(9000));
        assert!(began.elapsed() < ms(500), "{:?}", began.elapsed());
    }
}

#[test]
fn hold_no_more_than_batch_num_messages() {
    let _stage = beside();
    for n in [1u64, 10, 5000] {
        let (h, t) = Harness::ready(1, &[("linger.ms", "500"), ("batch.num.messages", &n.to_string())]);
        let (_, _, before) = h.cluster().produced();
        h.produce_many(&t, 0, 10_000);
        h.flush(ms(5000));
        assert_eq!(h.cluster().produced().2 - before, 10_000 / n, "of {n}");
    }
}

#[test]
fn hold_no_more_than_batch_size() {
    let _stage = beside();
    let (mut h, t) = Harness::ready(1, &[("linger.ms", "500"), ("batch.size", "2000")]);
    h.pad = 200;
    let before = h.cluster().produced();
    h.produce_many(&t, 0, 1000);
    h.flush(ms(5000));
    let after = h.cluster().produced();
    let (bytes, batches) = (after.1 - before.1, after.2 - before.2);
    let mean = bytes / batches;
    // The header of 61 bytes is not counted, and no record is longer than 220 bytes.
    assert!((1780..=2061).contains(&mean), "{mean} bytes on average");
}

#[test]
fn of_several_partitions_go_in_one_request() {
    let _stage = alone();
    let (h, t) = Harness::ready(8, &[("linger.ms", "100")]);
    let before = (h.cluster().request_count(PRODUCE), h.cluster().produced().2);
    for p in 0..8 {
        h.produce_many(&t, p, 1);
    }
    h.flush(ms(3000));
    let after = (h.cluster().request_count(PRODUCE), h.cluster().produced().2);
    assert_eq!(after.1 - before.1, 8);
    assert!(after.0 - before.0 <= 2, "{} requests", after.0 - before.0);
}

#[test]
fn of_keyless_messages_stick_and_spread() {
    let _stage = beside();
    let (h, t) = Harness::ready(
        4,
        &[("linger.ms", "50"), ("batch.num.messages", "20"), ("partitioner.adaptive.partitioning.enable", "false")],
    );
    let before = h.cluster().produced().2;
    let ids = h.produce_many(&t, PARTITION_UA, 8000);
    h.flush(ms(5000));
    let batches = h.cluster().produced().2 - before;
    // Full batches, but for the last of each partition and those that flushing and sending cut short.
    assert!((400..500).contains(&batches), "{batches}");
    let fates = h.fates();
    let mut count = [0; 4];
    ids.iter().for_each(|id| count[fates[id].partition as usize] += 1);
    assert!(count.iter().all(|n| (1200..2800).contains(n)), "{count:?}");
}

#[test]
fn round_robin_and_random_spread_each_message() {
    let _stage = beside();
    let (h, t) = Harness::ready(4, &[("partitioner", "round_robin")]);
    let ids = h.produce_many(&t, PARTITION_UA, 400);
    h.flush(ms(5000));
    let fates = h.fates();
    let chosen: Vec<i32> = ids.iter().map(|id| fates[id].partition).collect();
    assert!(chosen.windows(2).all(|w| w[1] == (w[0] + 1) % 4), "{chosen:?}");
    let (h, t) = Harness::ready(
        4,
        &[
            ("partitioner", "random"),
            ("sticky.partitioning.linger.ms", "0"),
            ("partitioner.adaptive.partitioning.enable", "false"),
        ],
    );
    let ids = h.produce_many(&t, PARTITION_UA, 4000);
    h.flush(ms(5000));
    let fates = h.fates();
    let mut count = [0; 4];
    ids.iter().for_each(|id| count[fates[id].partition as usize] += 1);
    assert!(count.iter().all(|n| (850..1150).contains(n)), "{count:?}");
    let same = ids.windows(2).filter(|w| fates[&w[0]].partition == fates[&w[1]].partition).count();
    assert!((800..1200).contains(&same), "{same} of 4000 went where the one before went");
}

#[test]
fn of_keyed_messages_go_where_the_table_says() {
    let _stage = beside();
    // Key (hex) → partition of 12 by consistent, murmur2, fnv1a; computed by an independent program.
    let mut table: Vec<(Vec<u8>, [i32; 3])> = Vec::new();
    for line in include_str!("../vectors/partitioner.tsv").lines().filter(|l| !l.starts_with('#')).take(300) {
        let cells: Vec<&str> = line.split('\t').collect();
        let key =
            (0..cells[0].len()).step_by(2).map(|i| u8::from_str_radix(&cells[0][i..i + 2], 16).expect("hex")).collect();
        let of12 = cells[4].split(' ').find_map(|c| c.strip_prefix("12:")).expect("a column for 12");
        let p: Vec<i32> = of12.split(',').map(|p| p.parse().expect("a number")).collect();
        table.push((key, [p[0], p[1], p[2]]));
    }
    for kind in PartitionerKind::ALL {
        let column = match kind {
            PartitionerKind::Consistent | PartitionerKind::ConsistentRandom => 0,
            PartitionerKind::Murmur2 | PartitionerKind::Murmur2Random => 1,
            PartitionerKind::Fnv1a | PartitionerKind::Fnv1aRandom => 2,
            _ => continue,
        };
        let (h, t) = Harness::ready(12, &[("partitioner", kind.name())]);
        let mut expected = HashMap::new();
        for (i, (key, partitions)) in table.iter().enumerate() {
            if kind.is_keyless_random(Some(key)) {
                continue;
            }
            assert_eq!(partition_for_key(kind, Some(key), 12), partitions[column]);
            let id = h.produce(&t, PARTITION_UA, Some(key), (0, i)).expect("accepted");
            expected.insert(id, partitions[column]);
        }
        h.flush(ms(5000));
        let fates = h.fates();
        for (id, partition) in expected {
            assert_eq!(fates[&id].partition, partition, "{kind}, message {id}");
        }
    }
}

#[test]
fn of_messages_with_an_empty_key_are_those_without_one() {
    let _stage = beside();
    let (h, t) = Harness::ready(4, &[("linger.ms", "5000")]);
    for round in 0..40 {
        // So that partition 0, which an empty key's CRC-32 would say, has a batch that is open.
        h.produce(&t, 0, Some(b"any"), (round, 0)).expect("accepted");
        let ids = [None, Some(&b""[..])].map(|key| h.produce(&t, PARTITION_UA, key, (round, 1)).expect("accepted"));
        h.flush(ms(5000));
        let fates = h.fates();
        assert_eq!(fates[&ids[0]].partition, fates[&ids[1]].partition, "round {round}");
    }
}
