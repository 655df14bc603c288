//! The produce path: from the application's call to a record in an open chunk. No lock, allocation, reference count or
//! system call per message; those are in `produce_slow`, once per chunk.

use super::headers::Section;
use super::shared::Shared;
use super::topic::{Partition, Topic, TopicState, KNOWN};
use crate::accumulator::budget::thread_hint;
use crate::accumulator::chunk::Append;
use crate::accumulator::partition::NoMemory;
use crate::accumulator::record::{RecordRef, NO_AUX};
use crate::accumulator::section::HeaderSection;
use crate::error::RespErr;
use crate::partitioner::{self, sticky, PartitionerKind};
use crate::sys::clock::Tick;
use std::ffi::CStr;
use std::sync::atomic::{fence, Ordering::*};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The partition is to be chosen by the partitioner.
pub const PARTITION_UA: i32 = -1;

/// A message to produce. Everything borrowed is copied before the call returns.
pub struct Message<'a> {
    /// The partition, or [`PARTITION_UA`].
    pub partition: i32,
    pub payload: Option<&'a [u8]>,
    pub key: Option<&'a [u8]>,
    pub headers: Section<'a>,
    /// CreateTime in milliseconds since the epoch; 0 is now.
    pub timestamp_ms: i64,
    pub opaque: usize,
    /// Wait while the queue is full instead of failing.
    pub block: bool,
}

/// What a partitioner callback is given.
pub struct PartitionerArgs<'a> {
    pub topic: &'a CStr,
    pub key: Option<&'a [u8]>,
    pub partition_cnt: i32,
    pub msg_opaque: usize,
    /// Whether a partition has a leader.
    pub available: &'a dyn Fn(i32) -> bool,
}

pub type PartitionerFn = Box<dyn Fn(&PartitionerArgs<'_>) -> i32 + Send + Sync>;

impl Shared {
    /// Accepts the message, or tells why not; an accepted message gets exactly one report.
    #[inline(always)]
    pub fn produce(self: &Arc<Self>, topic: &Topic, m: &Message<'_>) -> Result<(), RespErr> {
        let refusal = self.refuse.load(Relaxed);
        if refusal != 0 {
            return Err(RespErr(refusal));
        }
        let rec = RecordRef {
            key: m.key,
            value: m.payload,
            headers: m.headers.bytes(),
            timestamp_ms: (m.timestamp_ms != 0).then_some(m.timestamp_ms),
            now: Tick::now(),
            opaque: m.opaque,
            aux: NO_AUX,
        };
        let fixed = rec.fixed_len();
        if fixed > self.max_record {
            return Err(RespErr::ERR_MSG_SIZE_TOO_LARGE);
        }
        let hint = thread_hint();
        if !self.home.budget.take(hint) && !(m.block && self.wait_for_credit(hint)) {
            return Err(RespErr::ERR__QUEUE_FULL);
        }
        let t = &*topic.state;
        if let Some(p) = self.fast_partition(t, m.key, m.partition, hint) {
            if p.queue.append(&rec, fixed) == Append::Done {
                return Ok(());
            }
        }
        // Not `m` itself, which would have to be put together in memory for that.
        self.produce_slow(t, m.partition, m.block, rec, hint)
    }

    /// As `produce`, for a message with a value, perhaps a key, perhaps headers, and nothing else, for any partition: most are
    /// like this. A good deal shorter, since it knows what the record has not, all the more where it is compiled for no key,
    /// which takes the partition that this thread took last without asking why, and for no headers. `NO_ERROR` is an accepted
    /// message: a `Result` would have to be taken apart again for C.
    #[inline(always)]
    pub fn produce_plain(
        self: &Arc<Self>,
        topic: &Topic,
        key: Option<&[u8]>,
        payload: &[u8],
        headers: impl HeaderSection,
        opaque: usize,
    ) -> RespErr {
        let refusal = self.refuse.load(Relaxed);
        if refusal != 0 {
            return RespErr(refusal);
        }
        let rec =
            RecordRef { key, value: Some(payload), headers, timestamp_ms: None, now: Tick::now(), opaque, aux: NO_AUX };
        let fixed = rec.fixed_len();
        if fixed > self.max_record {
            return RespErr::ERR_MSG_SIZE_TOO_LARGE;
        }
        let hint = thread_hint();
        if !self.home.budget.take(hint) {
            return RespErr::ERR__QUEUE_FULL;
        }
        let t = &*topic.state;
        let partition = match key {
            None => t.shortcut.get(hint),
            Some(_) => self.fast_partition(t, key, PARTITION_UA, hint).map(|p| &**p),
        };
        if let Some(p) = partition {
            if p.queue.append(&rec, fixed) == Append::Done {
                return RespErr::NO_ERROR;
            }
        }
        let accepted = HeaderSection::with_bytes(rec, |rec| self.produce_slow(t, PARTITION_UA, false, rec, hint));
        accepted.err().unwrap_or(RespErr::NO_ERROR)
    }

    /// The partition, where choosing it takes no more than arithmetic.
    #[inline(always)]
    fn fast_partition<'t>(
        &self,
        t: &'t TopicState,
        key: Option<&[u8]>,
        asked: i32,
        hint: usize,
    ) -> Option<&'t Arc<Partition>> {
        if t.state.load(Acquire) != KNOWN || self.slow_partitioner {
            return None;
        }
        let n = t.partition_count();
        let kind = t.info.conf.partitioner;
        let i = match (key, t.key_hash) {
            _ if asked >= 0 => asked,
            // Of an empty key not every partitioner makes a number.
            (Some(key @ [_, ..]), Some(hash)) => partitioner::partition_of_hash(hash(key), n),
            _ if kind.is_keyless_random(key) => t.sticky.get(hint),
            _ => partitioner::partition_for_key(kind, key, n),
        };
        if i >= n {
            return None;
        }
        t.partition(i)
    }

    #[cold]
    fn wait_for_credit(&self, hint: usize) -> bool {
        loop {
            let mut got = false;
            self.home.budget.wait(Instant::now() + Duration::from_millis(100), || {
                got = self.home.budget.take(hint);
                got
            });
            if got || self.home.budget.take(hint) {
                return true;
            }
            if self.refuse.load(Relaxed) != 0 {
                return false;
            }
        }
    }

    /// The credit is taken; the record goes where it belongs, under that partition's lock.
    #[cold]
    #[inline(never)]
    fn produce_slow(
        self: &Arc<Self>,
        t: &TopicState,
        asked: i32,
        block: bool,
        rec: RecordRef<'_>,
        hint: usize,
    ) -> Result<(), RespErr> {
        if self.hooks.on_send.is_some() || self.hooks.on_refused.is_some() {
            self.intercept(t, asked, block, rec, hint)
        } else {
            self.enqueue(t, asked, block, rec, hint)
        }
    }

    /// `produce_slow` without interceptors.
    pub(super) fn enqueue(
        self: &Arc<Self>,
        t: &TopicState,
        asked: i32,
        block: bool,
        rec: RecordRef<'_>,
        hint: usize,
    ) -> Result<(), RespErr> {
        // For its report, should it fail before it has a partition.
        let rec = RecordRef { aux: asked as u32, ..rec };
        loop {
            match self.place(t, &rec, asked, hint, None) {
                Ok(()) => return Ok(()),
                Err(RespErr::ERR__QUEUE_FULL) if block && self.refuse.load(Relaxed) == 0 => {
                    self.home.budget.wait(Instant::now() + Duration::from_millis(20), || false);
                }
                Err(e) => {
                    self.home.budget.give(1);
                    return Err(e);
                }
            }
        }
    }

    /// Puts an accepted record into its partition's queue, or into the topic's waiting queue while the partitions are
    /// not known. `moved` is for records that come from that waiting queue, accepted then: they pass the memory limit and
    /// the gate.
    pub(super) fn place(
        self: &Arc<Self>,
        t: &TopicState,
        rec: &RecordRef<'_>,
        asked: i32,
        hint: usize,
        moved: Option<(Instant, u64)>,
    ) -> Result<(), RespErr> {
        let full = |p: &Arc<Partition>, e: NoMemory| {
            self.look(p, e.closed);
            RespErr::ERR__QUEUE_FULL
        };
        loop {
            if moved.is_none() && t.state.load(Acquire) != KNOWN {
                // The gate: under the lock of the waiting queue the state cannot change to KNOWN.
                let gate = || t.state.load(Acquire) != KNOWN;
                let p = &t.unassigned;
                if let Some(change) =
                    p.queue.append_locked(p, rec, self.limits, None, true, gate).map_err(|e| full(p, e))?
                {
                    self.look(p, change.opened || change.closed);
                    return Ok(());
                }
                continue;
            }
            let n = t.partition_count();
            if n <= 0 {
                return Err(RespErr::ERR__UNKNOWN_TOPIC);
            }
            let rec = &RecordRef { aux: NO_AUX, ..*rec };
            let (i, keyless) = self.choose(t, rec, asked, n, hint)?;
            let p = t.partition(i).ok_or(RespErr::ERR__UNKNOWN_PARTITION)?;
            // A keyless record does not open a batch on the partition where the last one just ended: it moves on.
            let Some(change) =
                p.queue.append_locked(p, rec, self.limits, moved, !keyless, || true).map_err(|e| full(p, e))?
            else {
                continue;
            };
            self.look(p, change.opened || change.closed);
            if change.appended {
                return Ok(());
            }
            let next = self.rotate(t, i, hint);
            let p = t.partition(next).ok_or(RespErr::ERR__UNKNOWN_PARTITION)?;
            if let Some(change) =
                p.queue.append_locked(p, rec, self.limits, moved, true, || true).map_err(|e| full(p, e))?
            {
                self.look(p, change.opened || change.closed);
                return Ok(());
            }
        }
    }

    /// The partition by request, callback, key or stickiness; and whether it may be changed for another rather than have a batch
    /// opened there.
    fn choose(
        &self,
        t: &TopicState,
        rec: &RecordRef<'_>,
        asked: i32,
        n: i32,
        hint: usize,
    ) -> Result<(i32, bool), RespErr> {
        if asked >= 0 {
            return if asked < n { Ok((asked, false)) } else { Err(RespErr::ERR__UNKNOWN_PARTITION) };
        }
        let kind = t.info.conf.partitioner;
        let i = if let Some(callback) = &self.hooks.partitioner {
            let available = t.available.read().clone();
            callback(&PartitionerArgs {
                topic: &t.info.cname,
                key: rec.key,
                partition_cnt: n,
                msg_opaque: rec.opaque,
                available: &|i| available.contains(&i),
            })
        } else if kind == PartitionerKind::RoundRobin {
            (t.round_robin.fetch_add(1, Relaxed) % n as u32) as i32
        } else if kind.is_keyless_random(rec.key) {
            if self.settings.sticky_linger_ms == 0 {
                self.draws(t, -1)()
            } else {
                let i = t.sticky.get(hint);
                if !(0..n).contains(&i) {
                    return Ok((self.rotate(t, i, hint), false));
                }
                // With a slow partitioner there is a call of this for each message.
                if !self.slow_partitioner {
                    self.stick(t, i, hint);
                }
                return Ok((i, true));
            }
        } else {
            partitioner::partition_for_key(kind, rec.key, n)
        };
        if (0..n).contains(&i) {
            Ok((i, false))
        } else {
            Err(RespErr::ERR__UNKNOWN_PARTITION)
        }
    }

    /// Moves this thread's sticky partition on, and where others can be had, not to one that another thread fills.
    fn rotate(&self, t: &TopicState, previous: i32, hint: usize) -> i32 {
        let next = t.sticky.draw(hint, self.draws(t, previous), |i| self.load(t, i));
        self.stick(t, next, hint);
        next
    }

    /// Draws partitions: random ones that have a leader, away from those with a backlog (KIP-480, KIP-794).
    fn draws<'t>(&self, t: &'t TopicState, previous: i32) -> impl FnMut() -> i32 + use<'t> {
        let mut available = t.available.read().clone();
        let mut loads = Vec::new();
        if available.is_empty() {
            available = (0..t.partition_count()).collect();
        } else if self.settings.partitioner_adaptive {
            loads = available.iter().map(|&i| self.load(t, i)).collect();
        }
        let uneven = loads.iter().any(|&l| l != loads[0]);
        let mut rng = fastrand::Rng::new();
        move || sticky::choose(&available, uneven.then_some(&loads[..]), previous, &mut rng)
    }

    /// Batches that wait for a partition's leader; none, if that is not to be looked at.
    fn load(&self, t: &TopicState, i: i32) -> u32 {
        if self.settings.partitioner_adaptive {
            t.partition(i).map_or(0, |p| p.backlog.load(Relaxed))
        } else {
            0
        }
    }

    /// Makes a partition this thread's sticky one.
    fn stick(&self, t: &TopicState, i: i32, hint: usize) {
        t.sticky.set(hint, i);
        if self.slow_partitioner || t.state.load(Acquire) != KNOWN {
            return;
        }
        if let Some(p) = t.partition(i) {
            t.shortcut.set(hint, p);
            // Either this thread sees that the topic has fewer partitions now, or `set_partition_count` sees the shortcut.
            fence(SeqCst);
            if i >= t.partition_count() {
                t.shortcut.clear();
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::client::{Hooks, Producer};
    use crate::conf::Conf;

    #[test]
    fn threads_that_move_on_do_not_meet() {
        let mut conf = Conf::new();
        for (name, value) in [("test.mock.num.brokers", "1"), ("partitioner.adaptive.partitioning.enable", "false")] {
            conf.set(name, value).expect("a property");
        }
        let settings = conf.settled().expect("settings");
        let producer = Producer::with(settings, Hooks::default()).expect("a producer");
        producer.mock_cluster().expect("the embedded broker").create_topic("t", 12, 1).expect("a topic");
        let shared = producer.shared();
        let topic = shared.topic("t").expect("a topic");
        producer.metadata(false, Some(topic), Duration::from_secs(10)).expect("metadata");
        let t = &topic.state;
        let (mut a, mut b) = (-1, -1);
        // By chance they would meet every twelfth time.
        for i in 0..100 {
            a = shared.rotate(t, a, 1);
            assert_ne!(a, b, "turn {i}");
            b = shared.rotate(t, b, 2);
            assert_ne!(a, b, "turn {i}");
        }
    }
}
