//! The main thread's part of transactions: requests to the coordinators, one at a time, and what follows from the answers.
//!
//! What to ask next is read off the shared state each time, so that nothing need be undone when the state changes while
//! an answer is awaited.

use super::answers::{fate, for_application, Fate};
use super::{OffsetsJob, State, COMPLETION_PAUSE_MS};
use crate::client::broker::{BrokerOp, Query};
use crate::client::main_thread::MainThread;
use crate::client::topic::Partition;
use crate::conf::DebugContexts;
use crate::error::{Error, RespErr};
use crate::protocol::api::ApiKey;
use crate::protocol::messages::add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use crate::protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, AddPartitionsToTxnTopic,
};
use crate::protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};
use crate::protocol::messages::find_coordinator::{
    FindCoordinatorRequest, FindCoordinatorResponse, KEY_TYPE_GROUP, KEY_TYPE_TRANSACTION,
};
use crate::protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic, TxnOffsetCommitResponse,
};
use crate::protocol::{DecodeError, Reader, Writer};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The last versions of transaction version 1; the ones above act by the rules of version 2.
const LAST_END_TXN_V1: i16 = 4;
const LAST_TXN_OFFSET_COMMIT_V1: i16 = 4;
/// First InitProducerId that raises the epoch of an id (KIP-360).
const FIRST_INIT_WITH_EPOCH: i16 = 3;

/// After so many a refusal to abort is believed: some seconds with the usual backoff.
const MOST_REFUSED_ABORTS: u32 = 10;

/// What is asked for next, or awaited.
enum Step {
    FindTransactions,
    FindGroup(String),
    Init { bump: bool },
    AddPartitions(Vec<Arc<Partition>>),
    AddOffsets,
    CommitOffsets,
    End { commit: bool },
}

impl Step {
    fn api(&self) -> ApiKey {
        match self {
            Step::FindTransactions | Step::FindGroup(_) => ApiKey::FindCoordinator,
            Step::Init { .. } => ApiKey::InitProducerId,
            Step::AddPartitions(_) => ApiKey::AddPartitionsToTxn,
            Step::AddOffsets => ApiKey::AddOffsetsToTxn,
            Step::CommitOffsets => ApiKey::TxnOffsetCommit,
            Step::End { .. } => ApiKey::EndTxn,
        }
    }

    fn what(&self) -> &'static str {
        match self {
            Step::FindTransactions => "Failed to find the transaction coordinator",
            Step::FindGroup(_) => "Failed to find the group's coordinator",
            Step::Init { .. } => "Failed to acquire transactional PID",
            Step::AddPartitions(_) => "Failed to add partitions to transaction",
            Step::AddOffsets => "Failed to add offsets to transaction",
            Step::CommitOffsets => "Failed to commit offsets to transaction",
            Step::End { commit: true } => "EndTxn commit failed",
            Step::End { commit: false } => "EndTxn abort failed",
        }
    }
}

struct Awaited {
    tag: u64,
    step: Step,
    broker: String,
    deadline: Instant,
}

/// The main thread's notes on the coordinators.
#[derive(Default)]
pub struct Coordinator {
    node: Option<i32>,
    group: Option<(String, i32)>,
    awaited: Option<Awaited>,
    not_before: Option<Instant>,
    backoff_ms: u64,
    /// Answers to an abort that may mean a newer instance, or not yet.
    refused_aborts: u32,
    next_tag: u64,
    /// The end of the client has been told of.
    buried: bool,
}

impl Coordinator {
    /// When something is to be done without any word from outside.
    pub fn next_timer(&self) -> Option<Instant> {
        self.awaited.as_ref().map(|a| a.deadline).or(self.not_before)
    }
}

impl MainThread {
    /// Does what the state asks for, if nothing is awaited.
    pub(in crate::client) fn drive_transaction(&mut self, now: Instant) {
        if !self.shared.txn.enabled() {
            return;
        }
        if self.transaction.awaited.as_ref().is_some_and(|a| now >= a.deadline) {
            // The broker is stuck, perhaps: another may be the coordinator by now.
            let late = self.transaction.awaited.take();
            if let Some(a) = late {
                self.transaction_answer_is(a, RespErr::ERR__TIMED_OUT);
            }
        }
        if self.transaction.awaited.is_some() || self.transaction.not_before.is_some_and(|t| now < t) {
            return;
        }
        self.transaction.not_before = None;
        let Some(step) = self.next_step() else { return };
        let step = match &step {
            Step::CommitOffsets => match self.group_to_find() {
                Some(group) => Step::FindGroup(group),
                None => step,
            },
            _ if self.transaction.node.is_none() => {
                self.give_back(step);
                Step::FindTransactions
            }
            _ => step,
        };
        self.take_step(step, now);
    }

    /// The group whose coordinator must be found first.
    fn group_to_find(&self) -> Option<String> {
        let inner = self.shared.txn.inner.lock();
        let group = &inner.offsets.as_ref()?.group.group_id;
        let known = self.transaction.group.as_ref().is_some_and(|(g, _)| g == group);
        (!known).then(|| group.clone())
    }

    /// What the state asks for.
    fn next_step(&mut self) -> Option<Step> {
        let shared = self.shared.clone();
        let txn = &shared.txn;
        let mut inner = txn.inner.lock();
        match inner.state {
            State::WaitPid => Some(Step::Init { bump: false }),
            State::InTransaction | State::BeginCommit => {
                if !inner.pending.is_empty() {
                    return Some(Step::AddPartitions(std::mem::take(&mut inner.pending)));
                }
                let job = inner.offsets.as_ref().filter(|job| job.result.is_none())?;
                Some(if job.added || txn.is_v2() { Step::CommitOffsets } else { Step::AddOffsets })
            }
            State::CommittingTransaction => Some(Step::End { commit: true }),
            State::AbortingTransaction => {
                if txn.started.load(Acquire) && !inner.forgotten {
                    Some(Step::End { commit: false })
                } else if inner.bump || inner.forgotten {
                    Some(Step::Init { bump: true })
                } else {
                    shared.set_transaction_state(&mut inner, State::AbortNotAcked);
                    None
                }
            }
            State::AbortableError => {
                // Waiting for the abort would let a flush before it wait for ever.
                drop(inner);
                shared.fail_everything(RespErr::ERR__PURGE_QUEUE);
                None
            }
            State::FatalError if !self.transaction.buried => {
                self.transaction.buried = true;
                drop(inner);
                shared.fail_everything(RespErr::ERR__FATAL);
                None
            }
            _ => None,
        }
    }

    fn take_step(&mut self, step: Step, now: Instant) {
        let node = match &step {
            Step::FindTransactions | Step::FindGroup(_) => self.asker.choose(&self.shared),
            Step::CommitOffsets => self.transaction.group.as_ref().and_then(|(_, n)| self.broker(*n)),
            _ => self.transaction.node.and_then(|n| self.broker(n)),
        };
        let (Some(broker), Some(query)) = (node, self.query(&step)) else {
            // The broker has left the cluster, or the call was given up.
            self.forget_coordinator(&step);
            self.give_back(step);
            return self.pause();
        };
        self.transaction.next_tag += 1;
        let tag = self.transaction.next_tag;
        self.shared.debug(DebugContexts::EOS, "TXNREQ", || format!("{}: {:?}", broker.name(), step.api()));
        if matches!(step, Step::AddPartitions(_) | Step::AddOffsets | Step::CommitOffsets) {
            self.shared.txn.started.store(true, Release);
        }
        let deadline = now + Duration::from_millis(self.shared.topic_settings.request_timeout_ms.max(1) as u64);
        self.transaction.awaited = Some(Awaited { tag, step, broker: broker.name(), deadline });
        broker.send(BrokerOp::Query { query, tag });
    }

    fn broker(&self, id: i32) -> Option<Arc<crate::client::broker::BrokerHandle>> {
        self.shared.brokers.read().get(&id).cloned()
    }

    /// The step's request. `None`: it is not wanted any more.
    fn query(&self, step: &Step) -> Option<Query> {
        let shared = &self.shared;
        let id = shared.txn.id.clone().unwrap_or_default();
        let (producer_id, producer_epoch) = shared.ids.current().unwrap_or((-1, -1));
        let v2 = shared.txn.is_v2();
        Some(match step {
            Step::FindTransactions => find(&id, KEY_TYPE_TRANSACTION),
            Step::FindGroup(group) => find(group, KEY_TYPE_GROUP),
            Step::Init { bump } => {
                let known = *bump && !shared.txn.inner.lock().forgotten;
                let body = InitProducerIdRequest {
                    transactional_id: Some(id),
                    transaction_timeout_ms: shared.settings.transaction_timeout_ms as i32,
                    producer_id: if known { producer_id } else { -1 },
                    producer_epoch: if known { producer_epoch } else { -1 },
                };
                let least = if known { FIRST_INIT_WITH_EPOCH } else { 0 };
                Query::new(ApiKey::InitProducerId, least, i16::MAX, move |w, v| body.encode(w, v))
            }
            Step::AddPartitions(partitions) => {
                let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
                for p in partitions {
                    topics.entry(&p.info.name).or_default().push(p.index);
                }
                let topics = topics
                    .into_iter()
                    .map(|(name, partitions)| AddPartitionsToTxnTopic { name: name.to_owned(), partitions });
                let body = AddPartitionsToTxnRequest {
                    v3_and_below_transactional_id: id,
                    v3_and_below_producer_id: producer_id,
                    v3_and_below_producer_epoch: producer_epoch,
                    v3_and_below_topics: topics.collect(),
                };
                Query::new(ApiKey::AddPartitionsToTxn, 0, i16::MAX, move |w, v| body.encode(w, v))
            }
            Step::AddOffsets => {
                let group_id = shared.txn.inner.lock().offsets.as_ref()?.group.group_id.clone();
                let body = AddOffsetsToTxnRequest { transactional_id: id, producer_id, producer_epoch, group_id };
                Query::new(ApiKey::AddOffsetsToTxn, 0, i16::MAX, move |w, v| body.encode(w, v))
            }
            Step::CommitOffsets => {
                let inner = shared.txn.inner.lock();
                let body = commit_offsets(inner.offsets.as_ref()?, id, producer_id, producer_epoch);
                let most = if v2 { i16::MAX } else { LAST_TXN_OFFSET_COMMIT_V1 };
                Query::new(ApiKey::TxnOffsetCommit, 0, most, move |w, v| body.encode(w, v))
            }
            Step::End { commit } => {
                let body = EndTxnRequest { transactional_id: id, producer_id, producer_epoch, committed: *commit };
                let most = if v2 { i16::MAX } else { LAST_END_TXN_V1 };
                Query::new(ApiKey::EndTxn, 0, most, move |w, v| body.encode(w, v))
            }
        })
    }

    /// A broker has answered, or could not be asked.
    pub(in crate::client) fn transaction_answer(&mut self, tag: u64, result: Result<(i16, Vec<u8>), RespErr>) {
        // An answer that comes after its time was given up with the request.
        let Some(a) = self.transaction.awaited.take_if(|a| a.tag == tag) else { return };
        match result {
            Err(e) => self.transaction_answer_is(a, e),
            Ok((version, body)) => {
                let outcome = self.read_answer(&a.step, version, &body);
                self.transaction_answer_is(a, outcome.unwrap_or(RespErr::ERR__BAD_MSG));
            }
        }
    }

    /// Reads the answer and takes what it brings; the error that it gives.
    fn read_answer(&mut self, step: &Step, version: i16, body: &[u8]) -> Result<RespErr, DecodeError> {
        let r = &mut Reader::new(body);
        match step {
            Step::FindTransactions | Step::FindGroup(_) => {
                let body = FindCoordinatorResponse::decode(r, version)?;
                let (err, node, host, port) = match body.coordinators.first() {
                    Some(c) => (c.error_code, c.node_id, &c.host, c.port),
                    None => (body.error_code, body.node_id, &body.host, body.port),
                };
                let err = RespErr::from_wire(err);
                let port = u16::try_from(port).ok().filter(|_| node >= 0 && !host.is_empty());
                match (err, port) {
                    (RespErr::NO_ERROR, Some(port)) => {
                        self.ensure_broker(node, host, port);
                        match step {
                            Step::FindGroup(group) => self.transaction.group = Some((group.clone(), node)),
                            _ => self.transaction.node = Some(node),
                        }
                        Ok(err)
                    }
                    (RespErr::NO_ERROR, None) => Ok(RespErr::ERR_COORDINATOR_NOT_AVAILABLE),
                    _ => Ok(err),
                }
            }
            Step::Init { .. } => {
                let body = InitProducerIdResponse::decode(r, version)?;
                let err = RespErr::from_wire(body.error_code);
                if err == RespErr::NO_ERROR {
                    self.shared.ids.set(body.producer_id, body.producer_epoch);
                }
                Ok(err)
            }
            Step::AddPartitions(_) => {
                let body = AddPartitionsToTxnResponse::decode(r, version)?;
                let codes = body.results_by_topic_v3_and_below.iter().flat_map(|t| &t.results_by_partition);
                Ok(first_error(codes.map(|p| p.partition_error_code)))
            }
            Step::AddOffsets => Ok(RespErr::from_wire(AddOffsetsToTxnResponse::decode(r, version)?.error_code)),
            Step::CommitOffsets => {
                let body = TxnOffsetCommitResponse::decode(r, version)?;
                Ok(first_error(body.topics.iter().flat_map(|t| &t.partitions).map(|p| p.error_code)))
            }
            Step::End { .. } => {
                let body = EndTxnResponse::decode(r, version)?;
                let err = RespErr::from_wire(body.error_code);
                if err == RespErr::NO_ERROR && body.producer_id >= 0 && body.producer_epoch >= 0 {
                    // The next transaction's epoch (KIP-890), which is as good as a raised one.
                    self.shared.ids.set(body.producer_id, body.producer_epoch);
                    self.shared.txn.inner.lock().bump = false;
                }
                Ok(err)
            }
        }
    }

    /// Acts on the error, or success, of a step.
    fn transaction_answer_is(&mut self, a: Awaited, err: RespErr) {
        let shared = self.shared.clone();
        shared.debug(DebugContexts::EOS, "TXNRESP", || format!("{}: {:?}: {}", a.broker, a.step.api(), err.name()));
        let mut fate = fate(a.step.api(), err);
        if err == RespErr::ERR_INVALID_TXN_STATE && matches!(a.step, Step::End { .. }) {
            // Where it is not known whether a partition was added, there may be nothing to end.
            let unknown = !shared.txn.known.load(Acquire) && !shared.txn.is_v2();
            fate = if unknown { Fate::Done } else { fate };
        }
        if err == RespErr::ERR_PRODUCER_FENCED && matches!(a.step, Step::End { commit: false }) {
            // Under version 2 Kafka answers so while the last transaction is still being completed, if nothing of this one
            // has reached it. Another instance's doing does not pass.
            let t = &mut self.transaction;
            if shared.txn.is_v2() && !shared.txn.known.load(Acquire) && t.refused_aborts < MOST_REFUSED_ABORTS {
                t.refused_aborts += 1;
                fate = Fate::Again;
            }
        }
        let told = for_application(err);
        let text = || format!("{} on broker {}: {}", a.step.what(), a.broker, err.description());
        if fate == Fate::Done {
            (self.transaction.backoff_ms, self.transaction.refused_aborts) = (0, 0);
        }
        match fate {
            Fate::Done => self.step_done(a.step),
            Fate::Again | Fate::FindAgain => {
                let mut inner = shared.txn.inner.lock();
                if inner.state == State::WaitPid {
                    inner.init_error = Some(told);
                }
                drop(inner);
                if fate == Fate::FindAgain {
                    self.forget_coordinator(&a.step);
                }
                self.give_back(a.step);
                self.pause();
                if err == RespErr::ERR_CONCURRENT_TRANSACTIONS {
                    let soon = Instant::now() + Duration::from_millis(COMPLETION_PAUSE_MS);
                    self.transaction.not_before = self.transaction.not_before.map(|at| at.min(soon));
                }
            }
            Fate::Abort | Fate::AbortForgotten => {
                let forgotten = fate == Fate::AbortForgotten;
                let mut inner = shared.txn.inner.lock();
                if forgotten {
                    inner.forgotten = true;
                } else if matches!(inner.state, State::WaitPid | State::AbortingTransaction) {
                    // There is no transaction to abort, or the abort itself was refused.
                    drop(inner);
                    shared.set_fatal(told, text());
                    return;
                }
                if let (Some(job), Step::AddOffsets | Step::CommitOffsets) = (&mut inner.offsets, &a.step) {
                    job.result = Some(Err(Error::txn_requires_abort(told, text())));
                }
                drop(inner);
                shared.transaction_failed(told, text(), false);
                shared.txn.changed.notify_all();
            }
            Fate::Fatal => {
                let reason = if told == RespErr::ERR__FENCED {
                    format!(
                        "{}: this producer has been fenced by a newer instance with the same transactional.id, or \
                             the transaction took longer than transaction.timeout.ms",
                        text()
                    )
                } else {
                    text()
                };
                shared.set_fatal(told, reason);
            }
        }
    }

    fn step_done(&mut self, step: Step) {
        let shared = self.shared.clone();
        let txn = &shared.txn;
        match step {
            Step::FindTransactions | Step::FindGroup(_) => {}
            Step::Init { bump } => {
                let mut inner = txn.inner.lock();
                (inner.bump, inner.forgotten) = (false, false);
                let done = if bump { State::AbortNotAcked } else { State::ReadyNotAcked };
                if matches!(inner.state, State::WaitPid | State::AbortingTransaction) {
                    shared.set_transaction_state(&mut inner, done);
                }
            }
            Step::AddPartitions(partitions) => {
                let serial = txn.serial.load(Relaxed);
                txn.confirmed();
                for p in partitions {
                    p.in_transaction.store(serial, Release);
                    shared.send_look(&p);
                }
            }
            Step::AddOffsets => {
                let mut inner = txn.inner.lock();
                txn.confirmed();
                if let Some(job) = &mut inner.offsets {
                    job.added = true;
                }
            }
            Step::CommitOffsets => {
                txn.confirmed();
                if let Some(job) = &mut txn.inner.lock().offsets {
                    job.result = Some(Ok(()));
                }
                txn.changed.notify_all();
            }
            Step::End { commit } => {
                let mut inner = txn.inner.lock();
                txn.started.store(false, Release);
                match inner.state {
                    State::CommittingTransaction if commit => {
                        shared.set_transaction_state(&mut inner, State::CommitNotAcked);
                    }
                    // The epoch may still have to be raised; see `next_step`.
                    _ => {}
                }
            }
        }
    }

    /// Partitions that were not added are to be added still.
    fn give_back(&mut self, step: Step) {
        if let Step::AddPartitions(partitions) = step {
            let mut inner = self.shared.txn.inner.lock();
            if matches!(inner.state, State::InTransaction | State::BeginCommit) {
                inner.pending.extend(partitions);
            }
        }
    }

    fn forget_coordinator(&mut self, step: &Step) {
        match step {
            Step::CommitOffsets => self.transaction.group = None,
            _ => self.transaction.node = None,
        }
    }

    fn pause(&mut self) {
        let s = &self.shared.settings;
        let t = &mut self.transaction;
        let (least, most) = (s.retry_backoff_ms.max(1) as u64, s.retry_backoff_max_ms.max(1) as u64);
        t.backoff_ms = (t.backoff_ms * 2).clamp(least.min(most), most);
        t.not_before = Some(Instant::now() + Duration::from_millis(t.backoff_ms));
    }
}

fn find(key: &str, key_type: i8) -> Query {
    let body = FindCoordinatorRequest { key: key.to_owned(), key_type, coordinator_keys: vec![key.to_owned()] };
    // v0 knows groups alone.
    let least = i16::from(key_type == KEY_TYPE_TRANSACTION);
    Query::new(ApiKey::FindCoordinator, least, i16::MAX, move |w: &mut Writer, v| body.encode(w, v))
}

fn commit_offsets(job: &OffsetsJob, id: String, producer_id: i64, producer_epoch: i16) -> TxnOffsetCommitRequest {
    let topics = job.offsets.iter().map(|t| TxnOffsetCommitRequestTopic {
        name: t.topic.clone(),
        partitions: t
            .partitions
            .iter()
            .map(|p| TxnOffsetCommitRequestPartition {
                partition_index: p.partition,
                committed_offset: p.offset,
                committed_leader_epoch: p.leader_epoch,
                committed_metadata: Some(p.metadata.clone().unwrap_or_default()),
            })
            .collect(),
    });
    TxnOffsetCommitRequest {
        transactional_id: id,
        group_id: job.group.group_id.clone(),
        producer_id,
        producer_epoch,
        generation_id: job.group.generation_id,
        member_id: job.group.member_id.clone(),
        group_instance_id: job.group.group_instance_id.clone(),
        topics: topics.collect(),
    }
}

/// The error that decides: the first that is not for the sake of another's.
fn first_error(codes: impl Iterator<Item = i16>) -> RespErr {
    let errors = codes.map(RespErr::from_wire).filter(|e| *e != RespErr::NO_ERROR);
    let mut fallback = RespErr::NO_ERROR;
    for e in errors {
        if e != RespErr::ERR_OPERATION_NOT_ATTEMPTED {
            return e;
        }
        fallback = e;
    }
    fallback
}
