//! Bounds what is queued: `queue.buffering.max.messages` exactly, by credits, and `queue.buffering.max.kbytes` by the
//! chunks' memory.
//!
//! A message takes one credit from one of a few shards (threads spread over them); a shard refills from the global pool
//! in lots, and when that is empty it takes from the other shards, so that no credit is out of reach.

use crate::sync::{AtomicI64, AtomicU32, Condvar, Ordering::*};
use crossbeam_utils::CachePadded;
// Only a hint, which the models of the lock-free code need not know of.
use std::sync::atomic::{AtomicI64 as HintI64, AtomicU32 as HintU32};
use std::time::Instant;

const SHARDS: usize = Budget::SHARDS;
const _: () = assert!(SHARDS.is_power_of_two());
const LOT: i64 = 256;
/// The credits of an unlimited queue.
const UNLIMITED: i64 = 1 << 60;

/// With so many bytes in closed batches that have no verdict, a thread that has filled some of the largest blocks lets others go
/// first: where they wait for its core, the broker's thread among them, what it sends is then still in a cache. Where they do
/// not, that is one short system call.
const BACKLOG: i64 = 1 << 20;
/// With so many, it also sleeps if nobody waits for its core: the broker's thread may wait for another one, and a scheduler moves
/// it only to a core that is idle. A queue that grows instead costs new memory, which for as many blocks takes the system longer
/// to clear than the nap lasts.
const FAR_AHEAD: i64 = 6 << 20;
/// After how many blocks. After each one, the calls and the switches cost more than what they are for.
const BLOCKS: u32 = 2;

/// How a thread goes on that has filled a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    On,
    Yield,
    Nap,
}

pub struct Budget {
    limit: i64,
    pool: CachePadded<AtomicI64>,
    shards: [CachePadded<AtomicI64>; SHARDS],
    bytes: CachePadded<AtomicI64>,
    bytes_limit: i64,
    /// Bytes of records in batches that are closed and have no verdict yet: to be sent, or in flight.
    closed: CachePadded<HintI64>,
    blocks: HintU32,
    waiters: AtomicU32,
    lock: parking_lot::Mutex<()>,
    freed: Condvar,
}

/// A number below [`Budget::SHARDS`] that costs nothing and is another for most threads: where this thread's stack lies. Only
/// speed depends on it.
#[inline(always)]
pub fn thread_hint() -> usize {
    let marker = 0u8;
    spread(std::ptr::from_ref(&marker) as u64)
}

/// Stacks lie one behind the other, mostly some power of two and a guard page of 4 KiB apart. The factor is such that for such
/// distances of 128 KiB and more the top bits of neighbours differ by a good part of the whole, and not by a simple one.
#[inline(always)]
fn spread(stack: u64) -> usize {
    ((stack >> 16).wrapping_mul(0x4F1B_BCDC_BFA5_3E0B) >> (u64::BITS - SHARDS.ilog2())) as usize
}

impl Budget {
    /// Threads are spread over so many counters.
    pub const SHARDS: usize = if cfg!(loom) { 8 } else { 16 };

    /// `max_messages` of 0 means no limit.
    pub fn new(max_messages: u64, max_bytes: u64) -> Budget {
        let limit = if max_messages == 0 { UNLIMITED } else { max_messages as i64 };
        Budget {
            limit,
            pool: CachePadded::new(AtomicI64::new(limit)),
            shards: std::array::from_fn(|_| CachePadded::new(AtomicI64::new(0))),
            bytes: CachePadded::new(AtomicI64::new(max_bytes as i64)),
            bytes_limit: max_bytes as i64,
            closed: CachePadded::new(HintI64::new(0)),
            blocks: HintU32::new(0),
            waiters: AtomicU32::new(0),
            lock: parking_lot::Mutex::new(()),
            freed: Condvar::new(),
        }
    }

    /// Takes a credit for one message; false when all are in use.
    #[inline(always)]
    pub fn take(&self, hint: usize) -> bool {
        let shard = &self.shards[hint % SHARDS];
        if shard.fetch_sub(1, Relaxed) > 0 {
            return true;
        }
        self.refill(hint % SHARDS)
    }

    #[cold]
    fn refill(&self, mine: usize) -> bool {
        self.shards[mine].fetch_add(1, Relaxed);
        let lot = LOT.min((self.limit / (2 * SHARDS as i64)).max(1));
        let mut got = take_up_to(&self.pool, lot);
        if got == 0 {
            for (i, other) in self.shards.iter().enumerate() {
                if i != mine {
                    got += take_up_to(other, i64::MAX);
                }
            }
        }
        if got == 0 {
            // Another thread may have refilled this very shard meanwhile.
            got = take_up_to(&self.shards[mine], 1);
        }
        if got > 1 {
            self.shards[mine].fetch_add(got - 1, Relaxed);
        }
        got > 0
    }

    /// Gives credits back, after the reports have been served.
    pub fn give(&self, messages: u32) {
        self.pool.fetch_add(messages as i64, Release);
        self.wake();
    }

    /// Messages that hold a credit.
    pub fn in_use(&self) -> usize {
        let free: i64 = self.shards.iter().map(|s| s.load(Relaxed)).sum::<i64>() + self.pool.load(Acquire);
        (self.limit - free).max(0) as usize
    }

    /// Charges memory; false when the limit would be passed.
    pub fn charge(&self, bytes: usize) -> bool {
        if self.bytes.fetch_sub(bytes as i64, Relaxed) >= bytes as i64 {
            return true;
        }
        self.bytes.fetch_add(bytes as i64, Relaxed);
        false
    }

    /// Charges memory that is needed to move messages already accepted, whatever the limit.
    pub fn charge_anyway(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes as i64, Relaxed);
    }

    pub fn discharge(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as i64, Relaxed);
        self.wake();
    }

    /// Memory still free under the limit.
    pub fn bytes_free(&self) -> i64 {
        self.bytes.load(Relaxed)
    }

    pub fn bytes_in_use(&self) -> usize {
        (self.bytes_limit - self.bytes.load(Relaxed)).max(0) as usize
    }

    /// A batch of so many bytes was closed.
    pub fn closed(&self, bytes: usize) {
        self.closed.fetch_add(bytes as i64, Relaxed);
    }

    /// A closed batch has its verdict.
    pub fn gone(&self, bytes: usize) {
        self.closed.fetch_sub(bytes as i64, Relaxed);
    }

    /// To be asked by a thread that has filled one of the largest blocks.
    pub fn pace(&self) -> Pace {
        match self.closed.load(Relaxed) {
            ..=BACKLOG => Pace::On,
            _ if !self.blocks.fetch_add(1, Relaxed).is_multiple_of(BLOCKS) => Pace::On,
            FAR_AHEAD.. => Pace::Nap,
            _ => Pace::Yield,
        }
    }

    pub fn limits(&self) -> (i64, i64) {
        (self.limit, self.bytes_limit)
    }

    fn wake(&self) {
        if self.waiters.load(SeqCst) > 0 {
            drop(self.lock.lock());
            self.freed.notify_all();
        }
    }

    /// Waits until something was given back or the time has come. The caller tries again either way, and passes `retry`
    /// to look once more after it has been counted as a waiter.
    pub fn wait(&self, until: Instant, retry: impl FnOnce() -> bool) -> bool {
        self.waiters.fetch_add(1, SeqCst);
        let mut guard = self.lock.lock();
        let done = retry();
        if !done {
            self.freed.wait_until(&mut guard, until);
        }
        self.waiters.fetch_sub(1, SeqCst);
        done
    }
}

fn take_up_to(from: &AtomicI64, most: i64) -> i64 {
    let mut have = from.load(Acquire);
    while have > 0 {
        let n = have.min(most);
        match from.compare_exchange_weak(have, have - n, AcqRel, Acquire) {
            Ok(_) => return n,
            Err(now) => have = now,
        }
    }
    0
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::spread;
    use std::collections::HashSet;

    #[test]
    fn threads_whose_stacks_are_neighbours_are_spread() {
        const PLACES: u64 = 1000;
        for kib in [128, 256, 512, 1024, 1536, 2048, 4096, 8192, 16384, 65536] {
            let distinct = |threads: u64| -> usize {
                let at = |place: u64| 0x7F00_0000_0000 + place * 0x12_3456_7000;
                let of = |place| (1..=threads).map(move |i| spread(at(place) - i * (kib + 4) * 1024));
                (0..PLACES).map(|place| of(place).collect::<HashSet<_>>().len()).sum()
            };
            assert!(distinct(2) >= 1850, "two threads, stacks of {kib} KiB: {} in {PLACES} cases", distinct(2));
            assert!(distinct(8) >= 6400, "eight threads, stacks of {kib} KiB: {} in {PLACES} cases", distinct(8));
        }
    }
}
