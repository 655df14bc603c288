//! Topics and their partitions, as producing threads see them: every read is lock-free.

use super::delivery::{Status, Verdict};
use super::shared::Shared;
use super::sticky::Sticky;
use crate::accumulator::batch::{Batch, BatchOwner};
use crate::accumulator::partition::PartitionQueue;
use crate::accumulator::shortcut::Shortcuts;
use crate::conf::{Compression, TopicSettings};
use crate::error::RespErr;
use crate::partitioner::KeyHash;
use crossbeam_utils::CachePadded;
use parking_lot::{Mutex, RwLock};
use std::ffi::{CStr, CString};
use std::sync::atomic::{fence, AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicU8, Ordering::*};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

/// What a topic's partitions know of it.
pub struct TopicInfo {
    /// Topic id (KIP-516) by the latest metadata; zero while unknown.
    pub id: Mutex<[u8; 16]>,
    pub name: String,
    pub cname: CString,
    pub conf: TopicSettings,
    pub batches: super::stats::BatchWindows,
}

/// Counters of a partition for the statistics.
#[derive(Default)]
pub struct PartitionCounters {
    pub tx_messages: AtomicU64,
    pub tx_bytes: AtomicU64,
    pub acked: AtomicU64,
}

/// No leader is known.
pub const NO_LEADER: i32 = -1;

/// A partition of a topic, or (index −1) the records of a topic whose partitions are not known yet.
pub struct Partition {
    pub info: Arc<TopicInfo>,
    pub index: i32,
    pub queue: PartitionQueue<Partition>,
    shared: Weak<Shared>,
    /// Broker id of the leader, or [`NO_LEADER`].
    pub leader: AtomicI32,
    pub leader_epoch: AtomicI32,
    /// The broker thread that has batches of it in flight (see `Schedule::owner`); means something only while it has.
    pub flight_owner: AtomicU32,
    /// A message to the leader's thread to look at this partition is under way.
    pub look: AtomicBool,
    /// In which of its lists a broker thread has this partition; see `broker::schedule`.
    pub scheduled: AtomicU64,
    /// The round of collecting in which it was last taken; see `broker::schedule`.
    pub round: AtomicU64,
    /// Number of the transaction that it was last added to, and of that for which it was last asked to be added; see
    /// `transaction`.
    pub in_transaction: AtomicU32,
    pub asked_for_transaction: AtomicU32,
    /// Closed batches that wait, for the adaptive partitioner.
    pub backlog: AtomicU32,
    pub counters: PartitionCounters,
}

impl Partition {
    fn new(shared: &Arc<Shared>, info: &Arc<TopicInfo>, index: i32) -> Arc<Partition> {
        Arc::new(Partition {
            info: info.clone(),
            index,
            queue: PartitionQueue::new(shared.home.clone(), info.conf.compression == Compression::None),
            shared: Arc::downgrade(shared),
            leader: AtomicI32::new(NO_LEADER),
            leader_epoch: AtomicI32::new(-1),
            flight_owner: AtomicU32::new(0),
            look: AtomicBool::new(false),
            scheduled: AtomicU64::new(0),
            round: AtomicU64::new(u64::MAX),
            in_transaction: AtomicU32::new(0),
            asked_for_transaction: AtomicU32::new(0),
            backlog: AtomicU32::new(0),
            counters: PartitionCounters::default(),
        })
    }
}

impl BatchOwner for Partition {
    fn lost(&self, mut batch: Batch<Self>) {
        match self.shared.upgrade() {
            Some(shared) => {
                let status = if batch.possibly_persisted { Status::PossiblyPersisted } else { Status::NotPersisted };
                shared.deliver(batch, Verdict::failed(RespErr::ERR__FAIL, status));
            }
            None => batch.settle(),
        }
    }
}

/// What is known of a topic's partitions.
pub const UNKNOWN: u8 = 0;
pub const KNOWN: u8 = 1;

/// Partitions live in segments of doubling size that are never moved, so that readers need no lock.
const SEGMENTS: usize = 24;
/// So many are found without looking for their segment.
const NEAR: usize = 32;

pub struct TopicState {
    pub info: Arc<TopicInfo>,
    /// [`UNKNOWN`] or [`KNOWN`].
    pub state: AtomicU8,
    count: AtomicI32,
    /// The partitioner's.
    pub key_hash: Option<KeyHash>,
    segments: [OnceLock<Box<[Arc<Partition>]>>; SEGMENTS],
    /// The first of those in `segments`.
    near: [OnceLock<Arc<Partition>>; NEAR],
    /// Where records wait until the partitions are known.
    pub unassigned: Arc<Partition>,
    pub sticky: Sticky,
    /// The same, where a message without key and partition may go there without any further question.
    pub shortcut: Shortcuts<Partition>,
    pub round_robin: CachePadded<AtomicU32>,
    /// Partitions that have a leader.
    pub available: RwLock<Arc<[i32]>>,
    pub meta: Mutex<TopicMetaState>,
}

/// The main thread's notes on a topic.
pub struct TopicMetaState {
    /// Since when brokers say that it does not exist.
    pub missing_since: Option<Instant>,
    /// When its metadata last arrived.
    pub refreshed: Option<Instant>,
    pub created: Instant,
}

/// Segment and place of partition `i`: segment k holds 2^k partitions from 2^k − 1 on.
#[inline(always)]
fn locate(i: u32) -> (usize, usize) {
    let k = 31 - (i + 1).leading_zeros();
    (k as usize, (i + 1 - (1 << k)) as usize)
}

/// Most partitions of a topic that the client will follow.
pub const MAX_PARTITIONS: i32 = (1 << SEGMENTS) - 1;

impl TopicState {
    pub fn new(shared: &Arc<Shared>, info: TopicInfo) -> Arc<TopicState> {
        let info = Arc::new(info);
        Arc::new(TopicState {
            unassigned: Partition::new(shared, &info, -1),
            key_hash: info.conf.partitioner.key_hash(),
            info,
            state: AtomicU8::new(UNKNOWN),
            count: AtomicI32::new(0),
            segments: std::array::from_fn(|_| OnceLock::new()),
            near: std::array::from_fn(|_| OnceLock::new()),
            sticky: Sticky::default(),
            shortcut: Shortcuts::default(),
            round_robin: CachePadded::new(AtomicU32::new(0)),
            available: RwLock::new(Arc::from([])),
            meta: Mutex::new(TopicMetaState { missing_since: None, refreshed: None, created: Instant::now() }),
        })
    }

    /// Partitions of the topic by the latest metadata; 0 while unknown.
    #[inline(always)]
    pub fn partition_count(&self) -> i32 {
        self.count.load(Acquire)
    }

    /// Partition `i`, if the topic has or had one.
    #[inline(always)]
    pub fn partition(&self, i: i32) -> Option<&Arc<Partition>> {
        let i = u32::try_from(i).ok()?;
        if let Some(slot) = self.near.get(i as usize) {
            return slot.get();
        }
        let (segment, at) = locate(i);
        self.segments.get(segment)?.get()?.get(at)
    }

    /// Makes sure that partitions 0 to n−1 exist and publishes the count. Main thread only.
    pub fn set_partition_count(&self, shared: &Arc<Shared>, n: i32) {
        let n = n.clamp(0, MAX_PARTITIONS);
        if n > 0 {
            let (last, _) = locate(n as u32 - 1);
            for k in 0..=last {
                self.segments[k].get_or_init(|| {
                    let first = (1i32 << k) - 1;
                    (first..first + (1 << k)).map(|i| Partition::new(shared, &self.info, i)).collect()
                });
            }
            let made = self.segments[..=last].iter().filter_map(OnceLock::get).flat_map(|segment| segment.iter());
            for (slot, p) in self.near.iter().zip(made) {
                slot.get_or_init(|| p.clone());
            }
        }
        let before = self.count.swap(n, AcqRel);
        if n < before {
            // See `Shared::stick`.
            fence(SeqCst);
            self.shortcut.clear();
        }
    }

    /// Every partition that was ever known, the unassigned one first.
    pub fn all_partitions(&self) -> impl Iterator<Item = &Arc<Partition>> {
        std::iter::once(&self.unassigned).chain(self.segments.iter().filter_map(|s| s.get()).flat_map(|s| s.iter()))
    }
}

/// A topic of a client, for producing without a name look-up. Keeps the client's shared state alive, not its threads.
#[derive(Clone)]
pub struct Topic {
    pub(super) state: Arc<TopicState>,
}

impl Topic {
    pub fn name(&self) -> &CStr {
        &self.state.info.cname
    }
}

#[cfg(test)]
mod tests {
    use super::locate;

    #[test]
    fn segments_tile_the_partitions() {
        let mut expected = (0, 0);
        for i in 0..100_000 {
            assert_eq!(locate(i), expected);
            expected =
                if expected.1 + 1 == 1 << expected.0 { (expected.0 + 1, 0) } else { (expected.0, expected.1 + 1) };
        }
    }
}
