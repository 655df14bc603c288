//! Records whose time is over (`message.timeout.ms`).

use super::delivery::{Status, Verdict};
use super::shared::Shared;
use super::topic::Partition;
use crate::accumulator::batch::Batch;
use crate::error::RespErr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much of its time a batch may take to fill before its records are told apart from the batch: records of one batch
/// expire together, at the first one's time.
pub fn expire(shared: &Shared, p: &Arc<Partition>, now: Instant) {
    let ms = p.info.conf.message_timeout_ms;
    if ms <= 0 {
        return;
    }
    let timeout = Duration::from_millis(ms as u64);
    let gap;
    let over: Vec<Batch<Partition>> = {
        let mut inner = p.queue.lock();
        if inner.open_since().is_some_and(|t| now >= t + timeout) {
            p.queue.close_open_in(&mut inner);
        }
        let (over, kept): (Vec<_>, Vec<_>) = inner.ready.drain(..).partition(|b| now >= b.opened + timeout);
        inner.ready = kept.into();
        gap = over.iter().any(|b| b.base_sequence >= 0);
        inner.sequence.draining |= gap;
        p.backlog.store(inner.ready.len() as u32, Relaxed);
        over
    };
    fail(shared, over, RespErr::ERR__MSG_TIMED_OUT);
    if gap {
        shared.note_gap(p, RespErr::ERR__MSG_TIMED_OUT);
    }
}

/// Takes everything that waits in the queue, open batch included.
pub fn take_all(p: &Partition) -> Vec<Batch<Partition>> {
    let mut inner = p.queue.lock();
    p.queue.close_open_in(&mut inner);
    p.backlog.store(0, Relaxed);
    inner.sequence.draining |= inner.ready.iter().any(|b| b.base_sequence >= 0);
    inner.ready.drain(..).collect()
}

/// Reports batches that were waiting, not in flight.
pub fn fail(shared: &Shared, batches: impl IntoIterator<Item = Batch<Partition>>, err: RespErr) {
    for batch in batches {
        let status = if batch.possibly_persisted { Status::PossiblyPersisted } else { Status::NotPersisted };
        shared.deliver(batch, Verdict::failed(err, status));
    }
}
