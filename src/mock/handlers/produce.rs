//! Produce (0), v3–v13.
//!
//! * Each partition's batch is checked whole (see [`batch::check`]) before it is appended; one bad batch does not keep the
//!   other partitions' from being appended.
//! * The leader alone appends; another broker answers NOT_LEADER_OR_FOLLOWER, from v10 on with the leader and its address
//!   (KIP-951). From v13 on topics come by id.
//! * Idempotent batches are held to their sequences; a batch that came before is answered with its first offset, as Kafka
//!   does, and not appended again.
//! * Transactional batches must belong to an open transaction that has the partition: else INVALID_TXN_STATE, or
//!   TRANSACTION_ABORTABLE from v11 on. From v12 on they add it themselves, if the cluster has transaction version 2
//!   (KIP-890). A fenced producer is told INVALID_PRODUCER_EPOCH.
//! * acks=1 and acks=all are the same, for nothing is replicated. acks=0 has no answer; an error closes the connection.
//! * zstd needs v7 (KIP-110).

use super::{add_endpoint, key, leader_of, now_ms, Reply, Request};
use crate::error::RespErr;
use crate::mock::batch::{self, Header, Refusal};
use crate::mock::topics::{Partition, Topic};
use crate::mock::txn::{Coordinator, ProducerId, Target, TRANSACTION_ABORTABLE};
use crate::protocol::messages::produce::{PartitionResponse, ProduceRequest, ProduceResponse};
use crate::protocol::{DecodeError, Reader, Writer};
use std::borrow::Cow;
use std::sync::atomic::Ordering;

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const INVALID_REQUIRED_ACKS: i16 = 21;
const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: i16 = 53;
const ABORTABLE_FROM: i16 = 11;
const ADDS_FROM: i16 = 12;
const ZSTD: i16 = 4;
const ZSTD_VERSION: i16 = 7;

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = ProduceRequest::decode(r, cx.version)?;
    let now = now_ms();
    // Texts of errors, which the answer borrows; most requests have none.
    let mut texts: Vec<(usize, String)> = Vec::new();
    let mut response = ProduceResponse { throttle_time_ms: cx.throttle_ms, ..Default::default() };
    for t in &request.topic_data {
        let topic = cx.topic(t.name, &t.topic_id);
        for p in &t.partition_data {
            let mut out =
                PartitionResponse { topic: t.name, topic_id: t.topic_id, index: p.index, ..Default::default() };
            (out.base_offset, out.log_append_time_ms) = (-1, -1);
            let verdict = match &topic {
                Err(code) => Err(Failure::code(*code)),
                Ok(_) if !matches!(request.acks, -1..=1) => Err(Failure::code(INVALID_REQUIRED_ACKS)),
                Ok(topic) => match topic.partition(p.index) {
                    None => Err(Failure::code(UNKNOWN_TOPIC_OR_PARTITION)),
                    Some(partition) => {
                        let to = Place { topic, partition: &partition, transactional_id: request.transactional_id };
                        append(cx, &to, p.records.unwrap_or_default(), now, &mut out)
                    }
                },
            };
            if let Err(failure) = verdict {
                out.error_code = failure.code;
                if !failure.why.is_empty() {
                    cx.shared.log(format_args!("broker {}: {}-{}: {}", cx.broker.id, t.name, p.index, failure.why));
                    texts.push((response.responses.len(), failure.why.into_owned()));
                }
            }
            if out.current_leader.leader_id >= 0 {
                add_endpoint(&mut response.node_endpoints, cx, out.current_leader.leader_id);
            }
            response.responses.push(out);
        }
    }
    for (i, text) in &texts {
        response.responses[*i].error_message = Some(text);
    }
    if cx.fault.move_leader {
        move_leaders(cx, &request);
    }
    if request.acks == 0 {
        let failed = response.responses.iter().find(|p| p.error_code != 0);
        return Ok(match failed {
            Some(p) => Reply::Close(format!("acks=0 and error {} for partition {}", p.error_code, p.index)),
            None => Reply::Nothing,
        });
    }
    response.encode(w, cx.version);
    Ok(Reply::Answer)
}

struct Failure {
    code: i16,
    why: Cow<'static, str>,
}

impl Failure {
    fn code(code: i16) -> Failure {
        Failure { code, why: Cow::Borrowed("") }
    }
}

impl From<Refusal> for Failure {
    fn from(r: Refusal) -> Failure {
        Failure { code: r.code.0 as i16, why: Cow::Owned(r.why) }
    }
}

/// Where a batch goes, and in which transaction.
struct Place<'a> {
    topic: &'a Topic,
    partition: &'a Partition,
    transactional_id: Option<&'a str>,
}

fn append(
    cx: &Request<'_>,
    to: &Place<'_>,
    records: &[u8],
    now: i64,
    out: &mut PartitionResponse<'_>,
) -> Result<(), Failure> {
    let partition = to.partition;
    let fault = cx.partition_fault(to.topic, partition.index, key::PRODUCE);
    if fault != 0 {
        return Err(Failure::code(fault));
    }
    // The checksum is taken before the partition is locked.
    let checked = batch::check(records, cx.shared.strictness(), cx.shared.message_max_bytes.load(Ordering::Relaxed));
    // Held while the batch is appended, so that its transaction is not decided meanwhile.
    let txns = checked.as_ref().is_ok_and(Header::transactional).then(|| cx.shared.txns.lock());
    let mut state = partition.state.lock();
    if state.leader != cx.broker.id {
        out.current_leader = leader_of(&state);
        return Err(Failure::code(NOT_LEADER_OR_FOLLOWER));
    }
    let h = checked?;
    if h.codec() == ZSTD && cx.version < ZSTD_VERSION {
        return Err(Failure::code(UNSUPPORTED_COMPRESSION_TYPE));
    }
    if let Some(mut txns) = txns {
        join_transaction(cx, &mut txns, to, ProducerId { id: h.producer_id, epoch: h.producer_epoch })?;
    }
    let epoch = state.leader_epoch;
    let appended = state.log.append(records, &h, epoch, now).map_err(|e| Failure::code(e.0 as i16))?;
    out.log_start_offset = state.log.start_offset();
    drop(state);
    if !appended.duplicate {
        cx.shared.records.fetch_add(h.count as u64, Ordering::Relaxed);
        cx.shared.bytes.fetch_add(records.len() as u64, Ordering::Relaxed);
        cx.shared.batches.fetch_add(1, Ordering::Relaxed);
    }
    out.base_offset = appended.base_offset;
    out.log_append_time_ms = appended.append_time_ms;
    if cx.fault.code() != 0 {
        // The batch is in the log, and its producer hears otherwise. As with Kafka the offset is told all the same.
        return Err(Failure::code(cx.fault.code()));
    }
    Ok(())
}

fn join_transaction(
    cx: &Request<'_>,
    txns: &mut Coordinator,
    to: &Place<'_>,
    producer: ProducerId,
) -> Result<(), Failure> {
    let id = to.transactional_id.ok_or(Failure::code(TRANSACTIONAL_ID_AUTHORIZATION_FAILED))?;
    let target = Target::Partition(to.topic.name.to_string(), to.partition.index);
    let adds = cx.version >= ADDS_FROM;
    cx.join_transaction(txns, id, producer, target, adds).map_err(|e| {
        let e = match e {
            RespErr::ERR_PRODUCER_FENCED => RespErr::ERR_INVALID_PRODUCER_EPOCH,
            // Older clients would take it for final.
            RespErr::ERR_CONCURRENT_TRANSACTIONS if !adds => RespErr::ERR_NOT_ENOUGH_REPLICAS,
            TRANSACTION_ABORTABLE if cx.version < ABORTABLE_FROM => RespErr::ERR_INVALID_TXN_STATE,
            e => e,
        };
        Failure::code(e.0 as i16)
    })
}

/// Moves the leader of every partition of the request to the next broker.
fn move_leaders(cx: &Request<'_>, request: &ProduceRequest<'_>) {
    let ids = cx.shared.broker_ids();
    for t in &request.topic_data {
        let Ok(topic) = cx.topic(t.name, &t.topic_id) else { continue };
        for p in t.partition_data.iter().filter_map(|p| topic.partition(p.index)) {
            let leader = p.state.lock().leader;
            let at = ids.iter().position(|id| *id == leader).unwrap_or(0);
            cx.shared.move_leader(&p, ids[(at + 1) % ids.len()]);
        }
    }
    cx.shared.wake_all();
}
