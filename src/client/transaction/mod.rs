//! Transactions (KIP-98, KIP-447, KIP-890): the state that all threads share.
//!
//! Application threads change the state and wait for it to change ([`app`]); the main thread talks to the coordinators
//! ([`coordinator`]); broker threads ask whether a partition's batches may go ([`Transactions::admits`]) and tell of
//! failures.
//!
//! With transaction version 1 a partition is added to the transaction by AddPartitionsToTxn before its first batch goes:
//! the broker thread asks for that when it comes to the batch, so that one request adds all partitions that came up
//! meanwhile. With version 2 the Produce request adds it.

mod answers;
mod app;
mod coordinator;

pub use app::{GroupMetadata, OffsetToCommit, TopicOffsets};
pub use coordinator::Coordinator;

use super::main_thread::MainOp;
use super::shared::Shared;
use super::topic::Partition;
use crate::conf::DebugContexts;
use crate::error::{Error, RespErr};
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering::*};
use std::sync::Arc;
use std::time::Instant;

/// `transaction.version` from which on Produce adds partitions and each transaction has an epoch of its own (KIP-890).
const TRANSACTION_V2: i16 = 2;

/// Pause before another try where the last transaction is still being completed, which takes a few milliseconds.
pub const COMPLETION_PAUSE_MS: u64 = 20;

/// Where a transactional producer is. The names are those that users know from librdkafka's logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Init,
    WaitPid,
    ReadyNotAcked,
    Ready,
    InTransaction,
    BeginCommit,
    CommittingTransaction,
    CommitNotAcked,
    BeginAbort,
    AbortingTransaction,
    AbortNotAcked,
    AbortableError,
    FatalError,
}

/// The calls of which one at a time may be under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    Init,
    Begin,
    SendOffsets,
    Commit,
    Abort,
}

impl Call {
    fn name(self) -> &'static str {
        match self {
            Call::Init => "init_transactions",
            Call::Begin => "begin_transaction",
            Call::SendOffsets => "send_offsets_to_transaction",
            Call::Commit => "commit_transaction",
            Call::Abort => "abort_transaction",
        }
    }
}

/// Offsets on their way into the transaction.
struct OffsetsJob {
    group: GroupMetadata,
    offsets: Vec<TopicOffsets>,
    /// The transaction's coordinator knows that the group takes part.
    added: bool,
    result: Option<Result<(), Error>>,
}

struct Inner {
    state: State,
    /// The call under way, and whether a thread is in it; without one it timed out and is to be resumed.
    call: Option<(Call, bool)>,
    began: Option<Instant>,
    /// The epoch must be raised before the next transaction (KIP-360).
    bump: bool,
    /// The coordinator has forgotten the producer id: the next one is asked for anew.
    forgotten: bool,
    /// Partitions to be added.
    pending: Vec<Arc<Partition>>,
    /// Why the state is `AbortableError` or `FatalError`.
    error: Option<(RespErr, String)>,
    /// The last thing that kept `init_transactions` from being done.
    init_error: Option<RespErr>,
    offsets: Option<OffsetsJob>,
}

pub struct Transactions {
    /// `transactional.id`
    pub id: Option<String>,
    /// Number of the transaction whose batches may be sent, from 1; 0: none.
    open: AtomicU32,
    serial: AtomicU32,
    /// See [`Transactions::given_up`]; 0: no.
    given_up: AtomicI32,
    /// The coordinator may know of the current transaction.
    started: AtomicBool,
    /// It knows for sure.
    known: AtomicBool,
    /// The current transaction is of version 2.
    v2: AtomicBool,
    /// Messages of the current transaction that failed.
    failed: AtomicU64,
    /// Finalized `transaction.version` of the cluster, with the epoch of that knowledge.
    feature: Mutex<(i64, i16)>,
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Transactions {
    pub fn new(id: Option<String>) -> Transactions {
        Transactions {
            id,
            open: AtomicU32::new(0),
            serial: AtomicU32::new(0),
            given_up: AtomicI32::new(0),
            started: AtomicBool::new(false),
            known: AtomicBool::new(false),
            v2: AtomicBool::new(false),
            failed: AtomicU64::new(0),
            feature: Mutex::new((-1, 0)),
            inner: Mutex::new(Inner {
                state: State::Init,
                call: None,
                began: None,
                bump: false,
                forgotten: false,
                pending: Vec::new(),
                error: None,
                init_error: None,
                offsets: None,
            }),
            changed: Condvar::new(),
        }
    }

    /// The producer is transactional.
    #[inline]
    pub fn enabled(&self) -> bool {
        self.id.is_some()
    }

    /// The current transaction is of version 2: see [`Transactions::admits`].
    pub fn is_v2(&self) -> bool {
        self.v2.load(Acquire)
    }

    /// A batch or an offset of the transaction was taken.
    pub fn confirmed(&self) {
        if self.enabled() {
            self.known.store(true, Release);
        }
    }

    /// The transaction has failed, or the client: whatever waits or comes back from a broker is not sent any more, but
    /// reported with this code.
    pub fn given_up(&self) -> Option<RespErr> {
        Some(RespErr(self.given_up.load(Acquire))).filter(|e| *e != RespErr::NO_ERROR)
    }

    /// A broker has told the cluster's features (KIP-584); the latest knowledge counts.
    pub fn feature_known(&self, epoch: i64, level: i16) {
        let mut feature = self.feature.lock();
        if epoch > feature.0 {
            *feature = (epoch, level);
        }
    }

    /// Whether batches of the partition may be sent now. If not, whoever makes it so has the partition looked at again.
    pub fn admits(&self, shared: &Shared, p: &Arc<Partition>) -> bool {
        let serial = self.open.load(Acquire);
        if serial == 0 {
            return false;
        }
        if self.is_v2() {
            self.started.store(true, Release);
            return true;
        }
        if p.in_transaction.load(Acquire) == serial {
            return true;
        }
        if p.asked_for_transaction.swap(serial, AcqRel) != serial {
            self.inner.lock().pending.push(p.clone());
            shared.tell_main(MainOp::Transaction);
        }
        false
    }
}

impl Shared {
    /// Changes the state; the caller holds the lock.
    fn set_transaction_state(&self, inner: &mut Inner, state: State) {
        if inner.state == state {
            return;
        }
        self.debug(DebugContexts::EOS, "TXNSTATE", || {
            format!("Transaction state change {:?} -> {state:?}", inner.state)
        });
        inner.state = state;
        let txn = &self.txn;
        let open = matches!(state, State::InTransaction | State::BeginCommit);
        txn.open.store(if open { txn.serial.load(Relaxed) } else { 0 }, Release);
        let given_up = match state {
            State::AbortableError | State::BeginAbort | State::AbortingTransaction => RespErr::ERR__PURGE_QUEUE,
            State::FatalError => RespErr::ERR__FATAL,
            _ => RespErr::NO_ERROR,
        };
        txn.given_up.store(given_up.0, Release);
        // Outside of a transaction nothing is accepted. A fatal error or the closing of the client stays.
        let (from, to) = if state == State::InTransaction {
            (RespErr::ERR__STATE.0, RespErr::NO_ERROR.0)
        } else {
            (RespErr::NO_ERROR.0, RespErr::ERR__STATE.0)
        };
        if !(state == State::InTransaction && self.closing.load(Acquire)) {
            let _ = self.refuse.compare_exchange(from, to, AcqRel, Relaxed);
        }
        txn.changed.notify_all();
    }

    /// The current transaction cannot be committed any more. What waits of it is not sent: the main thread gives it up.
    pub(super) fn transaction_failed(&self, code: RespErr, text: String, bump: bool) {
        let mut inner = self.txn.inner.lock();
        inner.bump |= bump;
        if matches!(inner.state, State::InTransaction | State::BeginCommit | State::CommittingTransaction) {
            self.debug(DebugContexts::EOS, "TXNERR", || format!("{text}: the transaction must be aborted"));
            if let Some(job) = &mut inner.offsets {
                job.result.get_or_insert_with(|| Err(Error::txn_requires_abort(code, text.clone())));
            }
            inner.error = Some((code, text));
            self.set_transaction_state(&mut inner, State::AbortableError);
            self.drive_transaction_soon();
        }
    }

    /// The main thread is to do what the state asks for.
    fn drive_transaction_soon(&self) {
        self.tell_main(MainOp::Transaction);
    }

    /// Messages got a final failure. A batch with a sequence leaves a gap in its partition's series, which only a new
    /// epoch ends, so nothing more of the transaction can be sent.
    pub(super) fn transaction_messages_failed(&self, p: &Partition, count: u32, err: RespErr, sequenced: bool) {
        self.txn.failed.fetch_add(count as u64, Release);
        // What is told of a transaction is a time that was over, not a message's.
        let code = if err == RespErr::ERR__MSG_TIMED_OUT { RespErr::ERR__TIMED_OUT } else { err };
        if sequenced {
            let text = format!(
                "{count} message(s) for {} [{}] failed: {}: current transaction must be aborted",
                p.info.name,
                p.index,
                err.description()
            );
            self.transaction_failed(code, text, true);
        }
    }

    /// A fatal error, of the transactions or not: no call can succeed any more.
    pub(super) fn transactions_are_over(&self, code: RespErr, text: &str) {
        if self.txn.enabled() {
            let mut inner = self.txn.inner.lock();
            if let Some(job) = &mut inner.offsets {
                job.result.get_or_insert_with(|| Err(Error::fatal(code, text)));
            }
            inner.error = Some((code, text.to_owned()));
            self.set_transaction_state(&mut inner, State::FatalError);
        }
    }

    /// The client closes: calls that wait return.
    pub(super) fn wake_transaction_callers(&self) {
        // Under the lock, so that none is about to wait without having seen it.
        let _inner = self.txn.inner.lock();
        self.txn.changed.notify_all();
    }
}
