//! Fetch (1), v4–v17.
//!
//! * No fetch sessions (KIP-227): a client that asks for one gets session 0, and goes on with full fetches; a session id
//!   that comes nevertheless is FETCH_SESSION_ID_NOT_FOUND.
//! * Waits up to `max_wait_ms` for `min_bytes`, unless a partition has an error to tell. Limits are KIP-74's: the first
//!   batch of the answer comes whatever its size.
//! * From v13 on topics come by id. Fetching from followers is not offered.
//! * `read_committed` gets nothing from the first offset of an undecided transaction on, and the list of aborted
//!   transactions in what it gets; markers come to every reader.

use super::{add_endpoint, check_epoch, key, leader_of, Reply, Request};
use crate::mock::log::Isolation;
use crate::mock::topics::Topic;
use crate::protocol::messages::fetch::{
    AbortedTransaction, FetchPartition, FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData,
};
use crate::protocol::{DecodeError, Reader, Writer};
use std::sync::Arc;

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const FETCH_SESSION_ID_NOT_FOUND: i16 = 70;
/// The most that one answer carries, whatever the client allows, as `fetch.max.bytes` of a broker.
const MAX_ANSWER: usize = 55 << 20;

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = FetchRequest::decode(r, cx.version)?;
    // The fault, if any, struck now, and must not wait.
    if request.max_wait_ms > 0 && cx.fault.code() == 0 && request.session_id == 0 && !enough(cx, &request) {
        return Ok(Reply::Wait(Box::new(request)));
    }
    answer(cx, &request, w);
    Ok(Reply::Answer)
}

/// Whether the fetch can be answered now: enough bytes are there, or there is an error to tell.
pub fn enough(cx: &Request<'_>, request: &FetchRequest) -> bool {
    let min = request.min_bytes.max(0) as usize;
    let isolation = Isolation::from_wire(request.isolation_level);
    let mut found = 0;
    for t in &request.topics {
        let Ok(topic) = cx.topic(&t.topic, &t.topic_id) else { return true };
        for p in &t.partitions {
            let Some(partition) = topic.partition(p.partition) else { return true };
            let state = partition.state.lock();
            let in_range = (state.log.start_offset()..=state.log.end_offset()).contains(&p.fetch_offset);
            let epoch = check_epoch(p.current_leader_epoch, &state);
            if state.leader != cx.broker.id || !in_range || epoch != 0 {
                return true;
            }
            found += state.log.available(p.fetch_offset, isolation, min.max(1));
            if found >= min {
                return true;
            }
        }
    }
    false
}

/// Writes the answer from what is there.
pub fn answer(cx: &Request<'_>, request: &FetchRequest, w: &mut Writer) {
    let mut response = FetchResponse { throttle_time_ms: cx.throttle_ms, ..Default::default() };
    if request.session_id != 0 {
        response.error_code = FETCH_SESSION_ID_NOT_FOUND;
        response.encode(w, cx.version);
        return;
    }
    let isolation = Isolation::from_wire(request.isolation_level);
    let mut left = (request.max_bytes.max(0) as usize).min(MAX_ANSWER);
    let mut empty = true;
    // Records first, into one buffer, for the answer borrows them.
    let mut bytes = Vec::new();
    let mut parts: Vec<Vec<(Part, usize)>> = Vec::with_capacity(request.topics.len());
    for t in &request.topics {
        let topic = cx.topic(&t.topic, &t.topic_id);
        let read = |p| {
            let start = bytes.len();
            let part = read_partition(cx, &topic, p, isolation, (left, empty), &mut bytes);
            let n = bytes.len() - start;
            left = left.saturating_sub(n);
            empty &= n == 0;
            (part, n)
        };
        parts.push(t.partitions.iter().map(read).collect());
    }
    let mut rest = &bytes[..];
    for (t, parts) in request.topics.iter().zip(parts) {
        let mut partitions = Vec::with_capacity(parts.len());
        for (mut part, n) in parts {
            let (records, tail) = rest.split_at(n);
            rest = tail;
            part.records = Some(records);
            if part.current_leader.leader_id >= 0 {
                add_endpoint(&mut response.node_endpoints, cx, part.current_leader.leader_id);
            }
            partitions.push(part);
        }
        response.responses.push(FetchableTopicResponse { topic: t.topic.clone(), topic_id: t.topic_id, partitions });
    }
    response.encode(w, cx.version);
}

type Part = PartitionData<'static>;

fn read_partition(
    cx: &Request<'_>,
    topic: &Result<Arc<Topic>, i16>,
    p: &FetchPartition,
    isolation: Isolation,
    (left, at_least_one): (usize, bool),
    bytes: &mut Vec<u8>,
) -> Part {
    let mut out = Part { partition_index: p.partition, high_watermark: -1, ..Default::default() };
    let partition = match topic {
        Err(code) => {
            out.error_code = *code;
            return out;
        }
        Ok(topic) => {
            out.error_code = cx.partition_fault(topic, p.partition, key::FETCH);
            topic.partition(p.partition)
        }
    };
    if out.error_code != 0 {
        return out;
    }
    let Some(partition) = partition else {
        out.error_code = UNKNOWN_TOPIC_OR_PARTITION;
        return out;
    };
    let state = partition.state.lock();
    out.error_code = check_epoch(p.current_leader_epoch, &state);
    if state.leader != cx.broker.id {
        out.error_code = NOT_LEADER_OR_FOLLOWER;
    }
    if out.error_code != 0 {
        out.current_leader = leader_of(&state);
        return out;
    }
    out.high_watermark = state.log.end_offset();
    out.last_stable_offset = state.log.last_stable_offset();
    out.log_start_offset = state.log.start_offset();
    let limit = left.min(p.partition_max_bytes.max(0) as usize);
    match state.log.read(p.fetch_offset, isolation, limit, at_least_one, bytes) {
        Ok(end) if isolation == Isolation::ReadCommitted => {
            let aborted = state.log.aborted(p.fetch_offset, end).into_iter();
            let named = aborted.map(|(producer_id, first_offset)| AbortedTransaction { producer_id, first_offset });
            out.aborted_transactions = Some(named.collect());
        }
        // Null: nobody asked.
        Ok(_) => out.aborted_transactions = None,
        Err(e) => out.error_code = e.0 as i16,
    }
    out
}
