//! The application's side of transactions: calls that change the state, and wait until the main thread has done its part.
//!
//! A call that times out leaves the work under way; the same call made again goes on where it was. Until then every other
//! call is refused.

use super::{Call, Inner, OffsetsJob, State};
use crate::client::producer::{Producer, PURGE_QUEUE};
use crate::client::shared::Shared;
use crate::error::{Error, RespErr};
use parking_lot::MutexGuard;
use std::sync::atomic::Ordering::*;
use std::time::{Duration, Instant};

/// Identity of the consumer whose offsets a transaction commits (KIP-447): the coordinator then refuses those of a member
/// that the group has thrown out meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMetadata {
    pub group_id: String,
    /// −1 where there is no consumer group membership to check.
    pub generation_id: i32,
    pub member_id: String,
    pub group_instance_id: Option<String>,
}

/// The offsets to commit for one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicOffsets {
    pub topic: String,
    pub partitions: Vec<OffsetToCommit>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetToCommit {
    pub partition: i32,
    /// That of the next message to be consumed.
    pub offset: i64,
    /// Leader epoch of the last message consumed, or −1.
    pub leader_epoch: i32,
    pub metadata: Option<String>,
}

/// How a call serves delivery reports while it waits for all messages to be done: waits at most that long (`None`: for
/// ever), and tells whether none is left.
pub type Flush<'a> = &'a mut dyn FnMut(Option<Duration>) -> bool;

/// How often a call that waits for messages looks whether that has become vain.
const FLUSH_SLICE: Duration = Duration::from_millis(100);

/// A call under way; other calls are refused until it is dropped, or until it is resumed if it is to be. To be made before
/// the lock is taken, so that it is dropped after.
struct InCall<'a> {
    shared: &'a Shared,
    resumable: bool,
}

impl Drop for InCall<'_> {
    fn drop(&mut self) {
        let mut inner = self.shared.txn.inner.lock();
        inner.call = inner.call.filter(|_| self.resumable).map(|(call, _)| (call, false));
    }
}

fn time_left(until: Option<Instant>) -> Option<Duration> {
    until.map(|t| t.saturating_duration_since(Instant::now()))
}

/// The error of a call that is not valid in this state.
fn wrong_state(inner: &Inner) -> Error {
    let (code, text) = inner.error.clone().unwrap_or((RespErr::ERR__STATE, String::new()));
    match inner.state {
        State::FatalError => Error::fatal(code, text),
        State::AbortableError => Error::txn_requires_abort(code, text),
        state => Error::new(RespErr::ERR__STATE, format!("Operation not valid in state {state:?}")),
    }
}

fn still_busy() -> Error {
    Error::retriable(RespErr::ERR__TIMED_OUT, "Timed out waiting for operation to finish, retry call to resume")
}

impl Shared {
    /// The call is the only one from here on.
    fn begin_call(&self, call: Call) -> Result<InCall<'_>, Error> {
        if !self.txn.enabled() {
            let text = "The Transactional API requires transactional.id to be configured";
            return Err(Error::new(RespErr::ERR__NOT_CONFIGURED, text));
        }
        let mut inner = self.txn.inner.lock();
        match inner.call {
            Some((other, _)) if other != call => Err(Error::retriable(
                RespErr::ERR__CONFLICT,
                format!("Conflicting {} API call is already in progress", other.name()),
            )),
            Some((_, true)) => Err(Error::retriable(
                RespErr::ERR__PREV_IN_PROGRESS,
                format!("Simultaneous {} API calls not allowed", call.name()),
            )),
            _ => {
                inner.call = Some((call, true));
                Ok(InCall { shared: self, resumable: false })
            }
        }
    }

    /// Waits until the state is none of `busy`; false: the time is over.
    fn wait_while_in(&self, inner: &mut MutexGuard<'_, Inner>, busy: &[State], until: Option<Instant>) -> bool {
        while busy.contains(&inner.state) {
            match until {
                None => self.txn.changed.wait(inner),
                Some(t) => {
                    if self.txn.changed.wait_until(inner, t).timed_out() && busy.contains(&inner.state) {
                        return false;
                    }
                }
            }
            if self.closing.load(Acquire) {
                return false;
            }
        }
        true
    }

    /// Waits until no message is left, as long as the state stays what it is; false: messages are left.
    fn flush_while_in(&self, state: State, until: Option<Instant>, flush: Flush<'_>) -> bool {
        loop {
            let left = time_left(until);
            if flush(Some(left.map_or(FLUSH_SLICE, |l| l.min(FLUSH_SLICE)))) {
                return true;
            }
            let over = left.is_some_and(|l| l.is_zero()) || self.closing.load(Acquire);
            if over || self.txn.inner.lock().state != state {
                return false;
            }
        }
    }
}

impl Producer {
    /// Gets the producer's id and epoch from the transaction coordinator, which fences older instances of the same
    /// `transactional.id` and completes what they left open. To be called once, before anything else. `None`: no time limit.
    pub fn init_transactions(&self, timeout: Option<Duration>) -> Result<(), Error> {
        let shared = self.shared();
        let until = timeout.map(|t| Instant::now() + t);
        let mut call = shared.begin_call(Call::Init)?;
        let mut inner = shared.txn.inner.lock();
        match inner.state {
            State::Init => {
                shared.set_transaction_state(&mut inner, State::WaitPid);
                shared.drive_transaction_soon();
            }
            State::WaitPid | State::ReadyNotAcked => {}
            _ => return Err(wrong_state(&inner)),
        }
        if !shared.wait_while_in(&mut inner, &[State::WaitPid], until) {
            call.resumable = true;
            let reason = inner.init_error.filter(|e| *e != RespErr::ERR__TIMED_OUT);
            return Err(reason.map_or_else(still_busy, |e| {
                // Connections come and go: it is the time that is over.
                let code = if e.is_local() { RespErr::ERR__TIMED_OUT } else { e };
                Error::retriable(code, format!("Failed to initialize Producer ID: {}", e.description()))
            }));
        }
        if inner.state != State::ReadyNotAcked {
            return Err(wrong_state(&inner));
        }
        shared.set_transaction_state(&mut inner, State::Ready);
        drop(inner);
        Ok(())
    }

    /// Begins a transaction: what is produced from here on belongs to it.
    pub fn begin_transaction(&self) -> Result<(), Error> {
        let shared = self.shared();
        let _call = shared.begin_call(Call::Begin)?;
        let mut inner = shared.txn.inner.lock();
        if inner.state != State::Ready {
            return Err(wrong_state(&inner));
        }
        let txn = &shared.txn;
        let serial = txn.serial.load(Relaxed).wrapping_add(1).max(1);
        txn.serial.store(serial, Relaxed);
        txn.started.store(false, Relaxed);
        txn.known.store(false, Relaxed);
        txn.failed.store(0, Relaxed);
        txn.v2.store(txn.feature.lock().1 >= super::TRANSACTION_V2, Release);
        (inner.bump, inner.error, inner.began) = (false, None, Some(Instant::now()));
        inner.pending.clear();
        shared.set_transaction_state(&mut inner, State::InTransaction);
        drop(inner);
        if self.messages_pending() > 0 {
            // What a produce call that overlapped the end of the last transaction left behind.
            shared.look_at_all();
        }
        Ok(())
    }

    /// Adds consumer offsets to the transaction: they count when it commits. Offsets are those of the next messages to be
    /// consumed. Waits for the coordinators' answers, no longer than the transaction may last.
    pub fn send_offsets_to_transaction(
        &self,
        offsets: Vec<TopicOffsets>,
        group: GroupMetadata,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        let shared = self.shared();
        let now = Instant::now();
        let _call = shared.begin_call(Call::SendOffsets)?;
        let mut inner = shared.txn.inner.lock();
        if inner.state != State::InTransaction {
            return Err(wrong_state(&inner));
        }
        if offsets.iter().all(|t| t.partitions.is_empty()) {
            return Ok(());
        }
        let limit = Duration::from_millis(shared.settings.transaction_timeout_ms as u64);
        let end = inner.began.unwrap_or(now) + limit;
        let until = timeout.map_or(end, |t| end.min(now + t));
        inner.offsets = Some(OffsetsJob { group, offsets, added: false, result: None });
        shared.drive_transaction_soon();
        loop {
            if let Some(result) = inner.offsets.as_mut().and_then(|job| job.result.take()) {
                inner.offsets = None;
                return result;
            }
            let late = shared.txn.changed.wait_until(&mut inner, until).timed_out();
            let unfinished = inner.offsets.as_ref().is_some_and(|job| job.result.is_none());
            if unfinished && (late || shared.closing.load(Acquire)) {
                // Made again it starts over, which the coordinators take as the same.
                inner.offsets = None;
                return Err(still_busy());
            }
        }
    }

    /// Waits until every message of the transaction is delivered, then commits it. Fails, with the transaction to be
    /// aborted, if a message could not be delivered.
    pub fn commit_transaction(&self, timeout: Option<Duration>, flush: Flush<'_>) -> Result<(), Error> {
        let shared = self.shared();
        let until = timeout.map(|t| Instant::now() + t);
        let mut call = shared.begin_call(Call::Commit)?;
        let mut inner = shared.txn.inner.lock();
        match inner.state {
            State::InTransaction => shared.set_transaction_state(&mut inner, State::BeginCommit),
            State::BeginCommit | State::CommittingTransaction | State::CommitNotAcked => {}
            _ => return Err(wrong_state(&inner)),
        }
        if inner.state == State::BeginCommit {
            drop(inner);
            let flushed = shared.flush_while_in(State::BeginCommit, until, flush);
            inner = shared.txn.inner.lock();
            let failed = shared.txn.failed.load(Acquire);
            if inner.state == State::BeginCommit && failed > 0 {
                let text = format!("{failed} message(s) failed delivery (see individual delivery reports)");
                inner.error = Some((RespErr::ERR__INCONSISTENT, text));
                shared.set_transaction_state(&mut inner, State::AbortableError);
            }
            if inner.state != State::BeginCommit {
                return Err(wrong_state(&inner));
            }
            if !flushed {
                call.resumable = true;
                return Err(self.not_flushed());
            }
            if !shared.txn.started.load(Acquire) {
                // Neither a broker nor a coordinator has heard of it.
                shared.set_transaction_state(&mut inner, State::CommitNotAcked);
            } else {
                shared.set_transaction_state(&mut inner, State::CommittingTransaction);
                shared.drive_transaction_soon();
            }
        }
        if !shared.wait_while_in(&mut inner, &[State::CommittingTransaction], until) {
            call.resumable = true;
            return Err(still_busy());
        }
        if inner.state != State::CommitNotAcked {
            return Err(wrong_state(&inner));
        }
        shared.set_transaction_state(&mut inner, State::Ready);
        Ok(())
    }

    /// Gives up the transaction: messages that wait get a report with `ERR__PURGE_QUEUE`, those in flight are waited for;
    /// consumers that read committed messages see none of them.
    pub fn abort_transaction(&self, timeout: Option<Duration>, flush: Flush<'_>) -> Result<(), Error> {
        let shared = self.shared();
        let until = timeout.map(|t| Instant::now() + t);
        let mut call = shared.begin_call(Call::Abort)?;
        let mut inner = shared.txn.inner.lock();
        match inner.state {
            State::InTransaction | State::AbortableError => {
                inner.pending.clear();
                shared.set_transaction_state(&mut inner, State::BeginAbort);
            }
            State::BeginAbort | State::AbortingTransaction | State::AbortNotAcked => {}
            _ => return Err(wrong_state(&inner)),
        }
        if inner.state == State::BeginAbort {
            drop(inner);
            let _ = self.purge(PURGE_QUEUE);
            let flushed = shared.flush_while_in(State::BeginAbort, until, flush);
            inner = shared.txn.inner.lock();
            if inner.state != State::BeginAbort {
                return Err(wrong_state(&inner));
            }
            if !flushed {
                call.resumable = true;
                return Err(self.not_flushed());
            }
            if !shared.txn.started.load(Acquire) && !inner.bump {
                shared.set_transaction_state(&mut inner, State::AbortNotAcked);
            } else {
                shared.set_transaction_state(&mut inner, State::AbortingTransaction);
                shared.drive_transaction_soon();
            }
        }
        if !shared.wait_while_in(&mut inner, &[State::AbortingTransaction], until) {
            call.resumable = true;
            return Err(still_busy());
        }
        if inner.state != State::AbortNotAcked {
            return Err(wrong_state(&inner));
        }
        shared.set_transaction_state(&mut inner, State::Ready);
        Ok(())
    }

    fn not_flushed(&self) -> Error {
        let text = format!(
            "Failed to flush all outstanding messages within the API timeout: {} message(s) remaining{}",
            self.len(),
            if self.shared().hooks.reports_are_polled {
                ": the event queue must be polled for delivery report events in a separate thread or prior to this call"
            } else {
                ""
            }
        );
        Error::retriable(RespErr::ERR__TIMED_OUT, text)
    }
}
