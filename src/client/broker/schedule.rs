//! When a broker thread has to look at which partition again: linger, retry backoff, expiry; and which have batches ready.
//!
//! A partition is in each list at most once, by the bits in `Partition::scheduled`, which also name the thread whose
//! lists are meant: after a leader change the new thread starts from no bits, and what the old thread still has in its
//! lists it drops when it comes to it. (At worst a partition is in a list twice, which costs one look too many.)

use super::super::topic::Partition;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Instant;

pub const READY: u8 = 1;
pub const LINGER: u8 = 2;
pub const BACKOFF: u8 = 4;
pub const EXPIRY: u8 = 8;

/// A partition at a time; the heap's top is the earliest.
pub struct Timed {
    pub at: Instant,
    pub partition: Arc<Partition>,
}

impl PartialEq for Timed {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl Eq for Timed {}
impl PartialOrd for Timed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Timed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.at.cmp(&self.at)
    }
}

pub struct Schedule {
    /// This thread, as the bits' owner. Not the broker's id: a broker that leaves the cluster and comes back is served by
    /// another thread, whose lists are empty.
    owner: u32,
    round: u32,
    pub ready: VecDeque<Arc<Partition>>,
    /// In the order of their deadlines, since linger is the same for all.
    pub linger: VecDeque<Timed>,
    pub backoff: BinaryHeap<Timed>,
    pub expiry: BinaryHeap<Timed>,
}

impl Schedule {
    pub fn new() -> Schedule {
        static OWNERS: AtomicU32 = AtomicU32::new(0);
        Schedule {
            owner: OWNERS.fetch_add(1, Relaxed),
            round: 0,
            ready: VecDeque::new(),
            linger: VecDeque::new(),
            backoff: BinaryHeap::new(),
            expiry: BinaryHeap::new(),
        }
    }

    /// A number that no other broker thread of the process has.
    pub fn owner(&self) -> u32 {
        self.owner
    }

    /// Begins a round in which each partition is to be taken once; see `first_in_round`.
    pub fn begin_round(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// Whether the partition is met for the first time in this round.
    pub fn first_in_round(&self, p: &Partition) -> bool {
        let mark = (self.owner as u64) << 32 | self.round as u64;
        p.round.swap(mark, Relaxed) != mark
    }

    fn bits(&self, p: &Partition) -> u8 {
        let word = p.scheduled.load(Relaxed);
        if word >> 63 == 1 && (word >> 8) as u32 == self.owner {
            word as u8
        } else {
            0
        }
    }

    fn set_bits(&self, p: &Partition, bits: u8) {
        // The top bit says that there is an owner.
        p.scheduled.store((self.owner as u64) << 8 | bits as u64 | 1 << 63, Relaxed);
    }

    /// Enters the partition into a list unless it is there; true if it was not.
    fn enter(&self, p: &Partition, bit: u8) -> bool {
        let bits = self.bits(p);
        if bits & bit == 0 {
            self.set_bits(p, bits | bit);
        }
        bits & bit == 0
    }

    /// The partition has left a list.
    pub fn left(&self, p: &Partition, bit: u8) {
        // The word may be another thread's by now: its bits are not this thread's to clear.
        let bits = self.bits(p);
        if bits & bit != 0 {
            self.set_bits(p, bits & !bit);
        }
    }

    pub fn add_ready(&mut self, p: &Arc<Partition>) {
        if self.enter(p, READY) {
            self.ready.push_back(p.clone());
        }
    }

    pub fn add_linger(&mut self, p: &Arc<Partition>, at: Instant) {
        if self.enter(p, LINGER) {
            self.linger.push_back(Timed { at, partition: p.clone() });
        }
    }

    pub fn add_backoff(&mut self, p: &Arc<Partition>, at: Instant) {
        if self.enter(p, BACKOFF) {
            self.backoff.push(Timed { at, partition: p.clone() });
        }
    }

    pub fn add_expiry(&mut self, p: &Arc<Partition>, at: Instant) {
        if self.enter(p, EXPIRY) {
            self.expiry.push(Timed { at, partition: p.clone() });
        }
    }

    /// As `add_expiry`, for one that may be listed with a later time: listed again then, which costs a look too many.
    pub fn expiry_no_later_than(&mut self, p: &Arc<Partition>, at: Instant) {
        self.enter(p, EXPIRY);
        self.expiry.push(Timed { at, partition: p.clone() });
    }

    pub fn next_ready(&mut self) -> Option<Arc<Partition>> {
        let p = self.ready.pop_front()?;
        self.left(&p, READY);
        Some(p)
    }

    /// The next partition whose open batch has lingered long enough.
    pub fn due_linger(&mut self, now: Instant) -> Option<Arc<Partition>> {
        if self.linger.front()?.at > now {
            return None;
        }
        let p = self.linger.pop_front()?.partition;
        self.left(&p, LINGER);
        Some(p)
    }

    pub fn due_backoff(&mut self, now: Instant) -> Option<Arc<Partition>> {
        if self.backoff.peek()?.at > now {
            return None;
        }
        let p = self.backoff.pop()?.partition;
        self.left(&p, BACKOFF);
        Some(p)
    }

    pub fn due_expiry(&mut self, now: Instant) -> Option<Arc<Partition>> {
        if self.expiry.peek()?.at > now {
            return None;
        }
        let p = self.expiry.pop()?.partition;
        self.left(&p, EXPIRY);
        Some(p)
    }
}
