//! The transaction coordinator's state machine: producer ids and epochs by transactional id, what a transaction has written
//! to, and when it ends. No sockets, logs or clocks: the caller brings the time, and writes the markers.
//!
//! The states and answers are those of Kafka's `TransactionCoordinator`, for transaction versions 0 to 2 (KIP-98, KIP-360,
//! KIP-890).

use crate::error::RespErr;
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

const NO_EPOCH: i16 = -1;
const NO_PRODUCER_ID: i64 = -1;
/// The last epoch that a client gets; the one above is for fencing it.
const LAST_EPOCH: i16 = i16::MAX - 1;

/// Error of a transaction that can go on only after an abort (KIP-890).
pub const TRANSACTION_ABORTABLE: RespErr = RespErr(120);

/// What a transaction writes to: a partition, or the offsets of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Partition(String, i32),
    Group(String),
}

/// A producer as it names itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerId {
    pub id: i64,
    pub epoch: i16,
}

/// The state of a transactional id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There has been no transaction since the producer began.
    Empty,
    Ongoing,
    /// Decided (true: commit), the markers are not written yet.
    Prepare(bool),
    /// The markers are written.
    Complete(bool),
}

/// A decided transaction whose markers are to be written.
#[derive(Debug, PartialEq, Eq)]
pub struct Ending {
    pub transactional_id: String,
    /// Of the markers.
    pub producer: ProducerId,
    pub commit: bool,
    pub targets: BTreeSet<Target>,
}

struct Txn {
    producer: ProducerId,
    /// The epoch before a bump that the producer may not have heard of, or −1.
    last_epoch: i16,
    /// The id before the present one, whose epochs were used up.
    previous_id: i64,
    /// The id from the end of the transaction on, if epochs are used up.
    next_id: i64,
    timeout: Duration,
    state: State,
    targets: BTreeSet<Target>,
    started: Instant,
    /// When the markers of a decided transaction are written.
    complete_at: Instant,
}

impl Txn {
    fn exhausted(&self) -> bool {
        self.producer.epoch >= LAST_EPOCH
    }

    /// When something happens by itself.
    fn due(&self) -> Option<Instant> {
        match self.state {
            State::Ongoing => self.started.checked_add(self.timeout),
            State::Prepare(_) => Some(self.complete_at),
            State::Empty | State::Complete(_) => None,
        }
    }
}

/// Every transactional id of a cluster.
pub struct Coordinator {
    txns: HashMap<String, Txn>,
    next_producer_id: i64,
    /// From the decision to the markers.
    pub completion_delay: Duration,
    /// `transaction.max.timeout.ms`
    pub max_timeout: Duration,
    /// The finalized `transaction.version`.
    pub version: i16,
}

impl Default for Coordinator {
    fn default() -> Coordinator {
        Coordinator {
            txns: HashMap::new(),
            next_producer_id: 1000,
            completion_delay: Duration::ZERO,
            max_timeout: Duration::from_secs(15 * 60),
            version: 2,
        }
    }
}

impl Coordinator {
    pub fn new_producer_id(&mut self) -> i64 {
        self.next_producer_id += 1;
        self.next_producer_id - 1
    }

    /// InitProducerId with a transactional id: a new epoch, which fences the producers before it. `expected` is what a
    /// producer that goes on after an error names (KIP-360). An open transaction is aborted first, which is answered with
    /// CONCURRENT_TRANSACTIONS.
    pub fn init(
        &mut self,
        transactional_id: &str,
        timeout_ms: i32,
        expected: Option<ProducerId>,
        now: Instant,
    ) -> Result<ProducerId, RespErr> {
        let timeout = Duration::from_millis(timeout_ms.max(0) as u64);
        if timeout_ms <= 0 || timeout > self.max_timeout {
            return Err(RespErr::ERR_INVALID_TRANSACTION_TIMEOUT);
        }
        let delay = self.completion_delay;
        // Ids are plenty, so one is taken whether it is needed or not.
        let fresh = ProducerId { id: self.next_producer_id, epoch: 0 };
        let Some(t) = self.txns.get_mut(transactional_id) else {
            self.next_producer_id += 1;
            let t = Txn {
                producer: fresh,
                last_epoch: NO_EPOCH,
                previous_id: NO_PRODUCER_ID,
                next_id: NO_PRODUCER_ID,
                timeout,
                state: State::Empty,
                targets: BTreeSet::new(),
                started: now,
                complete_at: now,
            };
            self.txns.insert(transactional_id.to_string(), t);
            return Ok(fresh);
        };
        let known = |e: ProducerId| e.id == t.producer.id || (e.id == t.previous_id && e.epoch >= LAST_EPOCH);
        if !expected.is_none_or(known) {
            return Err(RespErr::ERR_PRODUCER_FENCED);
        }
        match t.state {
            State::Prepare(_) => return Err(RespErr::ERR_CONCURRENT_TRANSACTIONS),
            State::Ongoing => {
                fence(t, now + delay);
                return Err(RespErr::ERR_CONCURRENT_TRANSACTIONS);
            }
            State::Empty | State::Complete(_) => {}
        }
        if t.exhausted() && expected.is_none_or(|e| e.epoch == t.producer.epoch) {
            self.next_producer_id += 1;
            t.last_epoch = if expected.is_some() { t.producer.epoch } else { NO_EPOCH };
            t.previous_id = t.producer.id;
            t.producer = fresh;
        } else {
            match expected {
                None => {
                    t.last_epoch = NO_EPOCH;
                    t.producer.epoch += 1;
                }
                Some(e) if e.epoch == t.producer.epoch => {
                    t.last_epoch = t.producer.epoch;
                    t.producer.epoch += 1;
                }
                // The producer asks again, for it has not heard the answer.
                Some(e) if e.epoch == t.last_epoch => {}
                Some(_) => return Err(RespErr::ERR_PRODUCER_FENCED),
            }
        }
        t.timeout = timeout;
        t.state = State::Empty;
        Ok(t.producer)
    }

    /// The transaction of a producer that may write now.
    fn writable(&mut self, transactional_id: &str, producer: ProducerId) -> Result<&mut Txn, RespErr> {
        let t = self.txns.get_mut(transactional_id).ok_or(RespErr::ERR_INVALID_PRODUCER_ID_MAPPING)?;
        // Before the epochs are compared: with transaction version 2 the producer has the id and epoch to come.
        if matches!(t.state, State::Prepare(_)) && (t.next_id == producer.id || t.producer == producer) {
            return Err(RespErr::ERR_CONCURRENT_TRANSACTIONS);
        }
        if t.producer.id != producer.id {
            return Err(RespErr::ERR_INVALID_PRODUCER_ID_MAPPING);
        }
        if t.producer.epoch != producer.epoch {
            return Err(RespErr::ERR_PRODUCER_FENCED);
        }
        Ok(t)
    }

    /// Adds what the transaction writes to (AddPartitionsToTxn, AddOffsetsToTxn, or Produce and TxnOffsetCommit of
    /// transaction version 2); the first opens the transaction.
    pub fn add(
        &mut self,
        transactional_id: &str,
        producer: ProducerId,
        targets: impl IntoIterator<Item = Target>,
        now: Instant,
    ) -> Result<(), RespErr> {
        let t = self.writable(transactional_id, producer)?;
        if t.state != State::Ongoing {
            t.state = State::Ongoing;
            t.started = now;
            t.targets.clear();
        }
        t.targets.extend(targets);
        Ok(())
    }

    /// Whether the transaction is open and has `target`; TRANSACTION_ABORTABLE if not.
    pub fn verify(&mut self, transactional_id: &str, producer: ProducerId, target: &Target) -> Result<(), RespErr> {
        let t = self.writable(transactional_id, producer)?;
        if t.state == State::Ongoing && t.targets.contains(target) {
            Ok(())
        } else {
            Err(TRANSACTION_ABORTABLE)
        }
    }

    /// EndTxn: decides the transaction, and tells the producer's id and epoch from then on. `bump` is transaction version
    /// 2, where each end brings a new epoch and an abort is possible without a transaction (KIP-890).
    pub fn end(
        &mut self,
        transactional_id: &str,
        producer: ProducerId,
        commit: bool,
        bump: bool,
        now: Instant,
    ) -> Result<ProducerId, RespErr> {
        let fresh = self.next_producer_id;
        let complete_at = now + self.completion_delay;
        let t = self.txns.get_mut(transactional_id).ok_or(RespErr::ERR_INVALID_PRODUCER_ID_MAPPING)?;
        let same = t.producer == producer;
        // The producer has not heard the answer, and tries again under the epoch before.
        let again = t.producer.id == producer.id && t.producer.epoch == producer.epoch.wrapping_add(1);
        let rotated = t.previous_id == producer.id && producer.epoch == LAST_EPOCH && t.producer.epoch == 0;
        let retry = bump && (again || rotated);
        if t.producer.id != producer.id && !retry {
            return Err(RespErr::ERR_INVALID_PRODUCER_ID_MAPPING);
        }
        let valid = match t.state {
            _ if !bump => same,
            State::Empty | State::Ongoing => same,
            State::Prepare(_) => again,
            State::Complete(_) => retry || same,
        };
        if !valid {
            return Err(RespErr::ERR_PRODUCER_FENCED);
        }
        let nothing_to_abort = bump && !commit && !retry;
        match t.state {
            State::Ongoing => {}
            State::Prepare(c) if c == commit => return Err(RespErr::ERR_CONCURRENT_TRANSACTIONS),
            State::Complete(c) if c == commit && (retry || !bump) => return Ok(t.producer),
            State::Empty | State::Complete(_) if nothing_to_abort => t.targets.clear(),
            _ => return Err(RespErr::ERR_INVALID_TXN_STATE),
        }
        t.state = State::Prepare(commit);
        t.complete_at = complete_at;
        if !bump {
            return Ok(t.producer);
        }
        t.last_epoch = t.producer.epoch;
        if t.exhausted() {
            t.next_id = fresh;
            self.next_producer_id += 1;
        }
        t.producer.epoch = t.producer.epoch.saturating_add(1);
        Ok(if t.next_id == NO_PRODUCER_ID { t.producer } else { ProducerId { id: t.next_id, epoch: 0 } })
    }

    /// Aborts transactions past their time, and takes what is to be written of decided ones, among the transactional ids
    /// that `mine` says. The caller writes the markers before it lets the coordinator go.
    pub fn run(&mut self, now: Instant, mine: impl Fn(&str) -> bool) -> Vec<Ending> {
        let delay = self.completion_delay;
        let mut endings = Vec::new();
        for (name, t) in &mut self.txns {
            if t.due().is_none_or(|at| at > now) || !mine(name) {
                continue;
            }
            if t.state == State::Ongoing {
                fence(t, now + delay);
            }
            if let State::Prepare(commit) = t.state {
                if t.complete_at <= now {
                    let targets = std::mem::take(&mut t.targets);
                    endings.push(Ending { transactional_id: name.clone(), producer: t.producer, commit, targets });
                    complete(t, commit);
                }
            }
        }
        endings
    }

    /// When [`Coordinator::run`] has something to do next for the transactional ids that `mine` says.
    pub fn next_due(&self, mine: impl Fn(&str) -> bool) -> Option<Instant> {
        self.txns.iter().filter(|(name, t)| t.due().is_some() && mine(name)).filter_map(|(_, t)| t.due()).min()
    }

    /// Makes the markers of decided transactions due at once.
    pub fn hurry(&mut self, now: Instant) {
        self.txns.values_mut().for_each(|t| t.complete_at = t.complete_at.min(now));
    }

    /// Producer and state of a transactional id.
    pub fn get(&self, transactional_id: &str) -> Option<(ProducerId, State)> {
        self.txns.get(transactional_id).map(|t| (t.producer, t.state))
    }

    /// Makes the epoch another one, to test what happens when they are used up.
    pub fn set_epoch(&mut self, transactional_id: &str, epoch: i16) -> bool {
        self.txns.get_mut(transactional_id).map(|t| t.producer.epoch = epoch).is_some()
    }

    /// Forgets a transactional id (`transactional.id.expiration.ms`) unless a transaction is open.
    pub fn forget(&mut self, transactional_id: &str) -> bool {
        let idle = |t: &Txn| matches!(t.state, State::Empty | State::Complete(_));
        self.txns.get(transactional_id).is_some_and(idle) && self.txns.remove(transactional_id).is_some()
    }
}

/// Decides to abort, under an epoch that no client gets.
fn fence(t: &mut Txn, complete_at: Instant) {
    t.producer.epoch = t.producer.epoch.saturating_add(1);
    t.last_epoch = NO_EPOCH;
    t.state = State::Prepare(false);
    t.complete_at = complete_at;
}

fn complete(t: &mut Txn, commit: bool) {
    t.state = State::Complete(commit);
    if t.next_id != NO_PRODUCER_ID {
        t.previous_id = t.producer.id;
        t.producer = ProducerId { id: t.next_id, epoch: 0 };
        t.next_id = NO_PRODUCER_ID;
    }
}

#[cfg(test)]
mod tests;
