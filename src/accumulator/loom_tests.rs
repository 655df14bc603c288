//! Models of the lock-free parts, run by loom through every interleaving that matters: `make loom`.

use super::batch::{Batch, BatchOwner, Home};
use super::budget::Budget;
use super::chunk::Append;
use super::partition::{BatchLimits, PartitionQueue};
use super::pool::Pool;
use super::record::{RecordRef, NO_AUX, NO_HEADERS};
use crate::sys::clock::Tick;
use loom::thread;
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

fn produce(q: &PartitionQueue<Owner>, o: &Arc<Owner>, opaque: usize, limits: BatchLimits) {
    let rec = RecordRef {
        key: None,
        value: Some(&[opaque as u8; 3]),
        headers: NO_HEADERS,
        timestamp_ms: None,
        now: Tick::from_us(1000),
        opaque,
        aux: NO_AUX,
    };
    if q.append(&rec, rec.fixed_len()) != Append::Done {
        q.append_locked(o, &rec, limits, None, true, || true).unwrap();
    }
}

/// What is in the batches now: opaque values in order. Each record must be whole.
fn drain(q: &PartitionQueue<Owner>) -> Vec<usize> {
    q.close_open();
    let batches: Vec<_> = q.lock().ready.drain(..).collect();
    let mut out = Vec::new();
    for mut b in batches {
        b.complete();
        let plain = b.slices().fold(crc32c::crc32c(b"header"), crc32c::crc32c_append);
        assert_eq!(b.crc32c_after(b"header"), plain);
        for it in b.records() {
            assert_eq!(it.record.value, Some(&[it.opaque as u8; 3][..]));
            out.push(it.opaque);
        }
        assert_eq!(b.records().count(), b.count as usize);
        b.settle();
    }
    out
}

/// Two threads append, one of them these; it then takes what is there, as a broker thread does.
fn model(limits: BatchLimits, mine: &'static [usize]) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let home = Arc::new(Home { pool: Pool::default(), budget: Budget::new(0, 1 << 20) });
        let (q, o) = (Arc::new(PartitionQueue::new(home, true)), Arc::new(Owner::default()));
        let other = {
            let (q, o) = (q.clone(), o.clone());
            thread::spawn(move || {
                produce(&q, &o, 1, limits);
                produce(&q, &o, 2, limits);
            })
        };
        mine.iter().for_each(|&opaque| produce(&q, &o, opaque, limits));
        // A broker thread takes what is there, recycles it, and comes back for the rest.
        let mut seen = drain(&q);
        other.join().unwrap();
        seen.extend(drain(&q));
        let one: Vec<_> = seen.iter().filter(|x| **x < 10).collect();
        assert_eq!(one, [&1, &2], "{seen:?}");
        let others: Vec<_> = seen.iter().filter(|x| **x >= 10).collect();
        assert!(others.into_iter().eq(mine), "{seen:?}");
        assert_eq!(o.lost.load(Relaxed), 0);
    });
}

#[test]
fn appends_against_sealing_and_recycling() {
    model(BatchLimits { bytes: 1 << 20, messages: 100 }, &[11]);
}

#[test]
fn appends_that_fill_batches() {
    model(BatchLimits { bytes: 1 << 20, messages: 1 }, &[11]);
}

/// A thread seals the piece, and would sum it, that another is still writing to.
#[test]
fn appends_to_a_piece_that_is_sealed() {
    model(BatchLimits { bytes: 1 << 20, messages: 2 }, &[11, 12]);
}

#[test]
fn credits_are_never_lost_or_made() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let b = Arc::new(Budget::new(2, 1));
        let other = {
            let b = b.clone();
            thread::spawn(move || usize::from(b.take(1)))
        };
        let mine = usize::from(b.take(0)) + usize::from(b.take(0));
        let all = mine + other.join().unwrap();
        assert!(all <= 2);
        assert_eq!(b.in_use(), all);
    });
}
