use super::batch::{Batch, BatchOwner, Home};
use super::budget::{Budget, Pace};
use super::chunk::Append;
use super::partition::{split, BatchLimits, PartitionQueue};
use super::pool::{Pool, CLASSES};
use super::record::{RecordRef, NO_AUX, NO_HEADERS};
use crate::sys::clock::Tick;
use proptest::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering::*};
use std::sync::Arc;

#[derive(Default)]
struct Owner {
    lost: AtomicU32,
}

impl BatchOwner for Owner {
    fn lost(&self, batch: Batch<Self>) {
        self.lost.fetch_add(batch.count, Relaxed);
    }
}

fn home(messages: u64, bytes: u64) -> Arc<Home> {
    Arc::new(Home { pool: Pool::default(), budget: Budget::new(messages, bytes) })
}

fn rec<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>, ts: i64, opaque: usize) -> RecordRef<'a> {
    let now = Tick::from_us(ts.unsigned_abs() * 1000);
    RecordRef { key, value, headers: NO_HEADERS, timestamp_ms: Some(ts), now, opaque, aux: 7 }
}

fn produce(q: &PartitionQueue<Owner>, o: &Arc<Owner>, r: &RecordRef<'_>, limits: BatchLimits) -> bool {
    q.append(r, r.fixed_len()) == Append::Done || q.append_locked(o, r, limits, None, true, || true).is_ok()
}

const LIMITS: BatchLimits = BatchLimits { bytes: 1_000_000, messages: 10_000 };

fn drain(q: &PartitionQueue<Owner>) -> Vec<Batch<Owner>> {
    q.close_open();
    let mut out: Vec<_> = q.lock().ready.drain(..).collect();
    for b in &mut out {
        b.complete();
        let plain = b.slices().fold(crc32c::crc32c(b"header"), crc32c::crc32c_append);
        assert_eq!(b.crc32c_after(b"header"), plain, "{} records, {} bytes", b.count, b.bytes);
    }
    out
}

#[test]
fn records_come_back_in_order_with_their_entries() {
    let (h, o) = (home(0, 1 << 30), Arc::new(Owner::default()));
    let q = PartitionQueue::new(h.clone(), true);
    let value = vec![b'v'; 300];
    for i in 0..5000usize {
        let key = i.to_be_bytes();
        let key = (i % 3 != 0).then_some(&key[..]);
        assert!(produce(&q, &o, &rec(key, Some(&value[..i % 300]), 1_700_000_000_000 + i as i64, i), LIMITS));
    }
    let mut next = 0usize;
    let mut batches = drain(&q);
    for b in &batches {
        let bytes: usize = b.slices().map(<[u8]>::len).sum();
        assert_eq!(bytes, b.bytes);
        for it in b.records() {
            assert_eq!((it.opaque, it.aux), (next, 7));
            assert_eq!(it.timestamp_ms, 1_700_000_000_000 + next as i64);
            assert_eq!(it.record.value.unwrap(), &value[..next % 300]);
            assert_eq!(it.record.key.is_some(), !next.is_multiple_of(3));
            next += 1;
        }
        assert_eq!(b.records().count(), b.count as usize);
    }
    assert_eq!(next, 5000);
    batches.iter_mut().for_each(Batch::settle);
    drop(batches);
    assert_eq!(o.lost.load(Relaxed), 0);
    assert_eq!(h.budget.bytes_in_use(), 0);
}

#[test]
fn batches_keep_their_limits() {
    let (h, o) = (home(0, 1 << 30), Arc::new(Owner::default()));
    let q = PartitionQueue::new(h, true);
    let limits = BatchLimits { bytes: 10_000, messages: 50 };
    for i in 0..1000 {
        assert!(produce(&q, &o, &rec(None, Some(&vec![0; i]), 1, i), limits));
    }
    let long = vec![1u8; 200_000];
    assert!(produce(&q, &o, &rec(None, Some(&long), 1, 1000), limits));
    let batches = drain(&q);
    assert_eq!(batches.iter().map(|b| b.count).sum::<u32>(), 1001);
    for b in &batches {
        assert!(b.count <= 50 && (b.bytes <= 10_000 || b.count == 1), "{} records, {} bytes", b.count, b.bytes);
    }
    assert_eq!(batches.last().unwrap().records().next().unwrap().record.value.unwrap(), &long[..]);
}

#[test]
fn a_batch_dropped_without_a_verdict_is_told_to_its_owner() {
    let (h, o) = (home(100, 1 << 20), Arc::new(Owner::default()));
    let q = PartitionQueue::new(h.clone(), true);
    for i in 0..10 {
        assert!(h.budget.take(0));
        assert!(produce(&q, &o, &rec(None, None, 1, i), LIMITS));
    }
    assert_eq!(h.budget.in_use(), 10);
    drop(drain(&q));
    assert_eq!(o.lost.load(Relaxed), 10);
    assert_eq!(h.budget.in_use(), 0);
}

#[test]
fn a_thread_far_ahead_gives_way_until_batches_are_gone() {
    let (h, o) = (home(0, 1 << 30), Arc::new(Owner::default()));
    let q = PartitionQueue::new(h.clone(), true);
    let add = |bytes: usize| {
        assert!(produce(&q, &o, &rec(None, Some(&vec![0; bytes]), 1, 0), LIMITS));
        q.close_open();
    };
    // Two blocks; after one of them it gives way, if at all.
    let two_blocks = || {
        let paces = [h.budget.pace(), h.budget.pace()];
        assert!(paces.contains(&Pace::On));
        *paces.iter().find(|p| **p != Pace::On).unwrap_or(&Pace::On)
    };
    assert_eq!(two_blocks(), Pace::On);
    add(3 << 20);
    assert_eq!([two_blocks(), two_blocks()], [Pace::Yield; 2]);
    add(6 << 20);
    assert_eq!([two_blocks(), two_blocks()], [Pace::Nap; 2]);
    let mut batches = drain(&q);
    batches.iter_mut().for_each(Batch::settle);
    assert_eq!(two_blocks(), Pace::On);
    drop(batches);
    assert_eq!(two_blocks(), Pace::On);
    // What is split is counted once, and not at all when its parts are gone.
    for i in 0..3 {
        assert!(produce(&q, &o, &rec(None, Some(&vec![0; 1 << 20]), 1, i), BatchLimits { bytes: 4 << 20, ..LIMITS }));
    }
    let batch = drain(&q).pop().expect("a batch");
    assert_eq!(two_blocks(), Pace::Yield);
    let parts = split(batch);
    assert!(parts.len() > 1 && two_blocks() == Pace::Yield);
    drop(parts);
    assert_eq!(two_blocks(), Pace::On);
}

#[test]
fn memory_is_bounded_and_comes_back() {
    let (h, o) = (home(0, 64 << 10), Arc::new(Owner::default()));
    let q = PartitionQueue::new(h.clone(), true);
    let value = [0u8; 100];
    let mut accepted = 0;
    while produce(&q, &o, &rec(None, Some(&value), 1, accepted), LIMITS) {
        accepted += 1;
        assert!(accepted < 1000, "the limit does not hold");
    }
    assert!(accepted > 350, "{accepted} of 64 KiB");
    let mut b = drain(&q);
    b.iter_mut().for_each(Batch::settle);
    drop(b);
    assert_eq!(h.budget.bytes_in_use(), 0);
    assert!(produce(&q, &o, &rec(None, Some(&value), 1, 0), LIMITS));
    assert!(h.pool.spare_bytes() > 0);
    for _ in 0..20 {
        h.pool.trim();
    }
    assert_eq!(h.pool.spare_bytes(), 0);
}

#[test]
fn credits_are_exact() {
    let b = Budget::new(1000, 1);
    let mut n = 0;
    while b.take(n % 5) {
        n += 1;
    }
    assert_eq!((n, b.in_use()), (1000, 1000));
    b.give(3);
    assert!(b.take(7) && b.take(0) && b.take(1) && !b.take(2));
}

/// Batches of many pieces and of few, of long records and of short ones: `drain` compares their checksums.
#[test]
fn pieces_are_summed_by_whoever_fills_them() {
    let (h, o) = (home(0, 1 << 30), Arc::new(Owner::default()));
    for uncompressed in [true, false] {
        let q = PartitionQueue::new(h.clone(), uncompressed);
        let value = vec![b'v'; 200_000];
        let mut summed = 0;
        for round in 0..if cfg!(miri) { 1 } else { 8 } {
            for i in 0..if cfg!(miri) { 300 } else { 6_000 } {
                let len = if i % 1_999 == 1_998 { 100_000 + i } else { (i * 37 + round) % 250 };
                assert!(produce(&q, &o, &rec(None, Some(&value[..len]), i as i64, i), LIMITS));
            }
            for mut b in drain(&q) {
                summed += b.summed;
                b.settle();
            }
        }
        assert!(cfg!(miri) || (summed > 8) == uncompressed, "{summed} pieces were summed early");
    }
}

/// Many threads append while one closes, settles and recycles: every record comes back once, each thread's in order.
#[test]
fn threads_and_recycling() {
    append_and_recycle(BatchLimits { bytes: 3_000, messages: 40 });
    append_and_recycle(LIMITS);
}

fn append_and_recycle(limits: BatchLimits) {
    let threads = 4;
    let each = if cfg!(miri) { 60 } else { 60_000 };
    let (h, o) = (home(0, 1 << 30), Arc::new(Owner::default()));
    let q = Arc::new(PartitionQueue::new(h, true));
    let handles: Vec<_> = (0..threads)
        .map(|t| {
            let (q, o) = (q.clone(), o.clone());
            std::thread::spawn(move || {
                for i in 0..each {
                    let value = vec![t as u8; i % 90];
                    assert!(produce(&q, &o, &rec(None, Some(&value), i as i64, t << 32 | i), limits));
                }
            })
        })
        .collect();
    let mut next = vec![0usize; threads];
    let mut take = |q: &PartitionQueue<Owner>| {
        for mut b in drain(q) {
            for it in b.records() {
                let (t, i) = (it.opaque >> 32, it.opaque & 0xffff_ffff);
                assert_eq!(i, next[t]);
                assert_eq!(it.record.value.unwrap(), vec![t as u8; i % 90]);
                next[t] += 1;
            }
            assert_eq!(b.records().count(), b.count as usize);
            b.settle();
        }
    };
    while handles.iter().any(|t| !t.is_finished()) {
        take(&q);
    }
    handles.into_iter().for_each(|t| t.join().unwrap());
    take(&q);
    assert_eq!(next, vec![each; threads]);
}

/// The pages of memory that are behind these bytes now.
#[cfg(all(target_os = "linux", not(miri)))]
#[allow(unsafe_code)]
fn pages_behind(data: *mut u8, len: usize) -> usize {
    let mut pages = vec![0u8; len / 4096];
    // SAFETY: the block is mapped, and there is a byte for each of its pages.
    assert_eq!(unsafe { libc::mincore(data.cast(), len, pages.as_mut_ptr()) }, 0);
    pages.iter().filter(|p| **p & 1 == 1).count()
}

#[test]
#[cfg(all(target_os = "linux", not(miri)))]
fn a_warm_block_has_its_memory_before_it_is_taken() {
    let pool = Pool::default();
    let (largest, size) = (CLASSES.len() - 1, CLASSES[CLASSES.len() - 1]);
    (0..largest).for_each(|class| pool.warm(class));
    assert_eq!(pool.spare_bytes(), 0);
    // Of a new slab, and of one whose memory went back.
    for _ in 0..2 {
        for _ in 0..3 {
            pool.warm(largest);
            assert_eq!(pool.spare_bytes(), size);
        }
        let chunk = pool.get(largest);
        assert_eq!(pool.spare_bytes(), 0);
        assert_eq!(pages_behind(chunk.block().0, size), size / 4096);
        pool.put(chunk);
        while pool.spare_bytes() > 0 {
            pool.trim();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, ..ProptestConfig::default() })]
    #[test]
    fn what_is_written_is_read(
        recs in prop::collection::vec((prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
            prop::option::of(prop::collection::vec(any::<u8>(), 0..200)), any::<i32>(), any::<usize>()), 1..50)
    ) {
        let (h, o) = (home(0, 1 << 30), Arc::new(Owner::default()));
        let q = PartitionQueue::new(h, true);
        for (k, v, ts, op) in &recs {
            prop_assert!(produce(&q, &o, &rec(k.as_deref(), v.as_deref(), *ts as i64, *op), LIMITS));
        }
        let batches = drain(&q);
        let items: Vec<_> = batches.iter().flat_map(|b| b.records()).collect();
        prop_assert_eq!(items.len(), recs.len());
        for (it, (k, v, ts, op)) in items.iter().zip(&recs) {
            prop_assert_eq!(it.record.key, k.as_deref());
            prop_assert_eq!(it.record.value, v.as_deref());
            prop_assert_eq!((it.timestamp_ms, it.opaque, it.record.headers), (*ts as i64, *op, NO_HEADERS));
        }
    }

    /// Every kind of record that has a way of its own through `append` and to its report; on the wire all are alike.
    #[test]
    fn reports_and_wire_agree_for_every_kind_of_record(
        recs in prop::collection::vec(
            (prop::option::weighted(0.3, prop::collection::vec(any::<u8>(), 0..40)),
             prop::option::weighted(0.9, prop::collection::vec(any::<u8>(), 0..300)),
             prop::option::weighted(0.3, -3_000_000i64..3_000_000), 0u64..4, any::<usize>(),
             prop::option::weighted(0.1, 0u32..100), any::<bool>()), 1..120)
    ) {
        let (h, o) = (home(0, 1 << 30), Arc::new(Owner::default()));
        let q = PartitionQueue::new(h, true);
        let begin_us = crate::sys::clock::precise_us();
        let headers: [u8; 5] = [2, 2, b'h', 2, b'v'];
        let mut now_us = begin_us;
        let mut want = Vec::new();
        for (k, v, ts, tick, op, aux, with_headers) in &recs {
            // Most have the same reading of the clock as the one before, some one that is later.
            now_us += [0, 0, 4_000, 7_000_000][*tick as usize];
            let now = Tick::from_us(now_us);
            let rec = RecordRef {
                key: k.as_deref(),
                value: v.as_deref(),
                headers: if *with_headers && k.is_some() { &headers } else { NO_HEADERS },
                timestamp_ms: ts.map(|t| (begin_us / 1000) as i64 + t),
                now,
                opaque: *op,
                aux: aux.unwrap_or(NO_AUX),
            };
            prop_assert!(produce(&q, &o, &rec, LIMITS));
            want.push((rec.key, rec.value, rec.headers, rec.create_ms(), *op, rec.aux, now.us()));
        }
        let batches = drain(&q);
        let mut walked = Vec::new();
        for b in &batches {
            let first = walked.len();
            b.records().each(usize::MAX, |it| walked.push(it));
            prop_assert_eq!(walked.len() - first, b.count as usize);
            let latest = walked[first..].iter().map(|it| it.timestamp_ms).max();
            prop_assert_eq!(Some(b.max_timestamp()), latest);
            let bytes: Vec<u8> = b.slices().flatten().copied().collect();
            let wire: Vec<_> = crate::protocol::records::Records::new(&bytes, b.count as i32).collect();
            prop_assert_eq!(wire.len(), b.count as usize);
            for ((n, r), it) in wire.into_iter().enumerate().zip(&walked[first..]) {
                let r = r.expect("a record as the protocol has it");
                prop_assert_eq!((r.attributes, r.offset_delta), (0, n as i32));
                prop_assert_eq!((r.key, r.value), (it.record.key, it.record.value));
                prop_assert_eq!(b.base_timestamp + r.timestamp_delta, it.timestamp_ms);
                prop_assert_eq!(r.headers.len(), usize::from(it.record.headers.len() > 1));
            }
        }
        let iterated: Vec<_> = batches.iter().flat_map(|b| b.records()).collect();
        prop_assert_eq!(walked.len(), want.len());
        for ((it, also), w) in walked.iter().zip(&iterated).zip(&want) {
            for it in [it, also] {
                let got = (it.record.key, it.record.value, it.record.headers, it.timestamp_ms, it.opaque, it.aux);
                prop_assert_eq!(got, (w.0, w.1, w.2, w.3, w.4, w.5));
                // Right to the millisecond, and never before the chunk was opened.
                let early = it.handed_over_us as i64 - w.6 as i64;
                prop_assert!((-1000..10_000_000).contains(&early), "{} us", early);
            }
        }
    }

    #[test]
    fn varint_lengths(v in any::<i64>()) {
        let z = ((v << 1) ^ (v >> 63)) as u64;
        let bits = 64 - z.leading_zeros().min(63) as usize;
        prop_assert_eq!(super::record::varint_len(v), bits.div_ceil(7));
    }
}

#[test]
fn a_batch_splits_into_parts_that_are_batches_of_their_own() {
    let headers = [2, 2, b'h', 1, 2, b'g', 2, b'v'];
    let long = vec![b'l'; 100_000];
    let small = |i: usize| vec![i as u8; i % 5];
    let uneven = |i: usize| if i == 3 { long.clone() } else { small(i) };
    let sizes: [(usize, &dyn Fn(usize) -> Vec<u8>); 5] =
        [(2, &small), (3, &small), (1000, &small), (8, &uneven), (700, &|i| vec![b'x'; i])];
    for (n, value) in sizes {
        let (h, o) = (home(0, 1 << 20), Arc::new(Owner::default()));
        let q = PartitionQueue::new(h.clone(), true);
        let (first_ts, sequence) = (1_700_000_000_000i64, i32::MAX - 1);
        for i in 0..n {
            let v = value(i);
            // Times that go forth and back.
            let ts = first_ts + (i as i64 * 7919) % 100 - 50;
            let r = RecordRef { headers: &headers[..], ..rec((i % 2 == 0).then_some(b"k"), Some(&v), ts, i) };
            h.budget.take(0);
            let changed = q.append_locked(&o, &r, LIMITS, Some((std::time::Instant::now(), 0)), true, || true);
            assert!(changed.is_ok());
        }
        let mut whole = drain(&q).pop().expect("one batch");
        assert_eq!(whole.count as usize, n);
        let (number, opened) = (whole.number, whole.opened);
        (whole.producer_id, whole.producer_epoch, whole.base_sequence) = (7, 3, sequence);
        whole.retries = 2;
        // Down to single records.
        let mut todo = vec![whole];
        let mut singles: Vec<Batch<Owner>> = Vec::new();
        while let Some(b) = todo.pop() {
            if b.count == 1 {
                singles.push(b);
                continue;
            }
            let (count, bytes) = (b.count, b.bytes);
            let parts = split(b);
            assert_eq!(parts.iter().map(|p| p.count).sum::<u32>(), count);
            assert!(parts.windows(2).all(|w| w[0].number < w[1].number));
            for p in &parts {
                assert!(p.count <= count.div_ceil(2), "{} of {count} records", p.count);
                assert!(p.count == 1 || p.bytes <= bytes / 2 + 32, "{} of {bytes} bytes", p.bytes);
                assert_eq!((p.opened, p.retries, p.producer_id, p.producer_epoch), (opened, 2, 7, 3));
            }
            todo.extend(parts.into_iter().rev());
            assert_eq!(h.budget.in_use(), n);
        }
        assert_eq!(singles.len(), n);
        for (i, b) in singles.iter_mut().enumerate() {
            b.complete();
            assert_eq!(b.number, number + i as u64);
            assert_eq!(b.base_sequence, ((sequence as i64 + i as i64) & i32::MAX as i64) as i32);
            let it = b.records().next().expect("a record");
            assert_eq!(it.record.timestamp_delta, 0);
            assert_eq!(it.timestamp_ms, first_ts + (i as i64 * 7919) % 100 - 50);
            assert_eq!(b.max_timestamp(), it.timestamp_ms);
            assert_eq!((it.opaque, it.aux, it.record.headers), (i, 7, &headers[..]));
            assert_eq!(it.record.value, Some(&value(i)[..]));
            assert_eq!(it.record.key.is_some(), i % 2 == 0);
            b.settle();
        }
        drop(singles);
        assert_eq!(o.lost.load(Relaxed), 0);
        assert_eq!((h.budget.bytes_in_use(), h.budget.in_use()), (0, 0));
        // What is produced next comes after every part.
        assert!(produce(&q, &o, &rec(None, None, 1, 0), LIMITS));
        let mut next = drain(&q);
        assert_eq!(next[0].number, number + n as u64);
        next.iter_mut().for_each(Batch::moved);
    }
}
