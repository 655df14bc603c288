//! The idempotent producer (KIP-98, KIP-360): producer id and epoch, sequences by partition, and what to do when a
//! broker's idea of them and ours differ.
//!
//! Within a partition every batch that was sent under an epoch continues the sequence of the one before. When a batch gets
//! a final failure, or the broker says that one is out of order though none before it is open, the partition *drains*:
//! nothing new is sent; what comes back waits; batches that may be in the log are sent again under their old sequence, to
//! which the broker answers whether it has them; then the rest is sequenced anew from zero, under the next epoch. So
//! nothing is in the log twice, and the order stays.

use super::broker::BrokerOp;
use super::main_thread::{MainOp, MainThread};
use super::shared::Shared;
use super::topic::Partition;
use crate::accumulator::batch::Batch;
use crate::accumulator::partition::{sequence_after, Inner};
use crate::conf::DebugContexts;
use crate::error::RespErr;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::*};
use std::time::{Duration, Instant};

/// Last epoch that a producer uses; the one above is the broker's, to fence with.
const LAST_EPOCH: i16 = i16::MAX - 1;

/// The client's producer id and epoch.
pub struct ProducerIds {
    enabled: bool,
    /// Epochs are raised by the transaction coordinator alone.
    transactional: bool,
    /// A gap in a partition's series is fatal (`enable.gapless.guarantee`).
    pub gapless: bool,
    current: Mutex<Option<(i64, i16)>>,
    known: AtomicBool,
}

impl ProducerIds {
    pub fn new(enabled: bool, gapless: bool, transactional: bool) -> ProducerIds {
        ProducerIds { enabled, transactional, gapless, current: Mutex::new(None), known: AtomicBool::new(false) }
    }

    #[inline]
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// Batches may be sent, as far as ids go.
    #[inline]
    pub fn ready(&self) -> bool {
        !self.enabled || self.known.load(Acquire)
    }

    pub fn current(&self) -> Option<(i64, i16)> {
        *self.current.lock()
    }

    pub fn set(&self, id: i64, epoch: i16) {
        *self.current.lock() = Some((id, epoch));
        self.known.store(true, Release);
    }

    /// Goes on to the epoch after `old`, unless another partition has done so already. After the last epoch a new id is
    /// needed: then there is none until the main thread has got it.
    fn bump(&self, old: (i64, i16)) {
        let mut current = self.current.lock();
        if *current == Some(old) {
            if old.1 < LAST_EPOCH {
                *current = Some((old.0, old.1 + 1));
            } else {
                *current = None;
                self.known.store(false, Release);
            }
        }
    }
}

/// The next batch of a partition to be sent, or why none is.
pub enum Next {
    Batch(Batch<Partition>),
    /// Not before what is in flight has come back.
    Wait,
    /// Not before there is a producer id.
    NoId,
}

/// Takes the next batch with its sequence. The caller has seen that there is one and that its backoff is over.
pub fn next_batch(ids: &ProducerIds, inner: &mut Inner<Partition>) -> Next {
    if ids.transactional {
        match (inner.sequence.producer, ids.current()) {
            // A new transaction's epoch. Nothing of the old one is left: its end waited for that.
            (Some(old), Some(new)) if old != new && inner.in_flight == 0 => start_anew(inner),
            // The transaction has failed, and its end brings a new epoch.
            (Some(_), _) if inner.sequence.draining => return Next::Wait,
            // A failure before anything was sent.
            (None, _) => inner.sequence.draining = false,
            _ => {}
        }
    }
    if inner.sequence.draining {
        if inner.in_flight > 0 {
            return Next::Wait;
        }
        let in_doubt = |b: &Batch<Partition>| b.base_sequence >= 0 && b.possibly_persisted;
        if let Some(batch) = inner.ready.iter().position(in_doubt).and_then(|i| inner.ready.remove(i)) {
            return Next::Batch(batch);
        }
        if let Some(old) = inner.sequence.producer {
            ids.bump(old);
        }
        start_anew(inner);
    }
    if !inner.sequence.confirmed && inner.in_flight > 0 {
        return Next::Wait;
    }
    // Brokers remember a producer's last five batches. So that the answer to one that is sent again always tells whether it
    // is in the log, nothing new follows it meanwhile: at most four came after it.
    if inner.sequence.doubt_in_flight() && inner.ready.front().is_some_and(|b| !b.possibly_persisted) {
        return Next::Wait;
    }
    let producer = match inner.sequence.producer {
        Some(producer) => producer,
        None => {
            let Some(producer) = ids.current() else { return Next::NoId };
            inner.sequence.producer = Some(producer);
            inner.sequence.next = 0;
            inner.sequence.confirmed = false;
            producer
        }
    };
    let Some(mut batch) = inner.ready.pop_front() else { return Next::Wait };
    if batch.base_sequence < 0 {
        (batch.producer_id, batch.producer_epoch) = producer;
        batch.base_sequence = inner.sequence.next;
        inner.sequence.next = sequence_after(inner.sequence.next, batch.count);
    }
    Next::Batch(batch)
}

/// Whatever waits is sequenced anew, under the producer id and epoch of that time.
fn start_anew(inner: &mut Inner<Partition>) {
    inner.sequence.producer = None;
    inner.sequence.draining = false;
    for batch in &mut inner.ready {
        (batch.producer_id, batch.producer_epoch, batch.base_sequence) = (-1, -1, -1);
    }
}

/// What becomes of a batch whose sequence or epoch the broker refused.
pub enum Refused {
    /// It goes back to its place; it is not in the log.
    Again,
    /// Nobody can tell whether it is in the log.
    Lost,
}

/// Judges a refusal by sequence. The batch is no longer counted as in flight.
pub fn refused(inner: &mut Inner<Partition>, batch: &mut Batch<Partition>, err: RespErr) -> Refused {
    let earlier_open = inner.sequence.earlier_in_flight(batch.number)
        || inner.ready.iter().any(|b| b.number < batch.number && b.base_sequence >= 0);
    if err == RespErr::ERR_OUT_OF_ORDER_SEQUENCE_NUMBER {
        // The broker knows the producer's last batches and this is not among them.
        batch.possibly_persisted = false;
        inner.sequence.draining |= !earlier_open;
        return Refused::Again;
    }
    inner.sequence.draining = true;
    if batch.possibly_persisted {
        Refused::Lost
    } else {
        Refused::Again
    }
}

impl Shared {
    /// The main thread is to get a producer id.
    pub fn need_producer_id(&self) {
        self.tell_main(MainOp::NeedProducerId);
    }

    /// A sequenced batch gets a final failure other than by the application's wish: there is a gap in its partition's
    /// series, which may have been forbidden.
    pub fn note_gap(&self, p: &Partition, err: RespErr) {
        if self.ids.gapless && self.ids.enabled() && !self.txn.enabled() {
            let text = format!(
                "{} [{}]: a batch failed ({}), which leaves a gap in its partition, and enable.gapless.guarantee is set",
                p.info.name,
                p.index,
                err.description()
            );
            self.set_fatal(RespErr::ERR__GAPLESS_GUARANTEE, text);
        }
    }
}

/// The main thread's notes on getting a producer id.
pub struct IdRequest {
    /// When to ask; `None`: not at all.
    pub at: Option<Instant>,
    outstanding: bool,
}

impl IdRequest {
    /// Asked for at once if `wanted`.
    pub fn new(wanted: bool) -> IdRequest {
        IdRequest { at: wanted.then(Instant::now), outstanding: false }
    }
}

impl MainThread {
    pub(super) fn producer_id_needed(&mut self) {
        if !self.id_request.outstanding && !self.shared.ids.ready() && !self.shared.txn.enabled() {
            self.id_request.at.get_or_insert_with(Instant::now);
        }
    }

    /// Asks any broker for a producer id, when it is time.
    pub(super) fn ask_for_producer_id(&mut self, now: Instant) {
        if self.id_request.at.is_none_or(|at| now < at) || self.shared.ids.ready() {
            return;
        }
        match self.asker.choose(&self.shared) {
            Some(broker) => {
                broker.send(BrokerOp::ProducerId);
                self.id_request = IdRequest { at: None, outstanding: true };
            }
            None => self.id_request.at = Some(now + Duration::from_millis(100)),
        }
    }

    pub(super) fn producer_id_arrived(&mut self, result: Result<(i64, i16), RespErr>) {
        self.id_request.outstanding = false;
        match result {
            Ok((id, epoch)) => {
                self.shared.debug(DebugContexts::EOS, "GETPID", || format!("producer id {id}, epoch {epoch}"));
                self.shared.ids.set(id, epoch);
                self.shared.wake_brokers();
            }
            Err(e @ (RespErr::ERR_CLUSTER_AUTHORIZATION_FAILED | RespErr::ERR__UNSUPPORTED_FEATURE)) => {
                let text = format!("Failed to get a producer id, which enable.idempotence needs: {}", e.description());
                self.shared.set_fatal(e, text);
                self.shared.fail_everything(RespErr::ERR__FATAL);
            }
            Err(e) => {
                self.shared.debug(DebugContexts::EOS, "GETPID", || format!("no producer id: {}", e.description()));
                let wait = self.shared.settings.retry_backoff_ms.max(1) as u64;
                self.id_request.at = Some(Instant::now() + Duration::from_millis(wait));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(sequence_after(0, 5), 5);
        assert_eq!(sequence_after(i32::MAX - 2, 3), 0);
        assert_eq!(sequence_after(i32::MAX, 1), 0);
        assert_eq!(sequence_after(i32::MAX, 10), 9);
    }

    #[test]
    fn epochs_rise_once_per_refusal_and_end() {
        let ids = ProducerIds::new(true, false, false);
        assert!(!ids.ready());
        ids.set(7, 0);
        ids.bump((7, 0));
        // Another partition, of the same old epoch.
        ids.bump((7, 0));
        assert_eq!(ids.current(), Some((7, 1)));
        ids.set(7, LAST_EPOCH);
        ids.bump((7, LAST_EPOCH));
        assert!(!ids.ready() && ids.current().is_none());
    }
}
