//! ListOffsets (2), v1–v10.
//!
//! * Latest is the end of the log; with `read_committed` the last stable offset, beyond which no record is found either.
//!   Earliest is the log start, as is earliest-local (−4).
//! * A timestamp gives the first record at or after it, or −1; −3 the record with the highest timestamp (KIP-734).
//! * There is no tiered storage: −5 answers offset −1.

use super::{check_epoch, key, Reply, Request};
use crate::mock::log::Isolation;
use crate::mock::topics::Topic;
use crate::protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse, EARLIEST_LOCAL_TIMESTAMP, EARLIEST_TIMESTAMP, LATEST_TIERED_TIMESTAMP, LATEST_TIMESTAMP,
    MAX_TIMESTAMP,
};
use crate::protocol::{DecodeError, Reader, Writer, ZERO_UUID};
use std::sync::Arc;

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const NOT_LEADER_OR_FOLLOWER: i16 = 6;

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = ListOffsetsRequest::decode(r, cx.version)?;
    let isolation = Isolation::from_wire(request.isolation_level);
    let mut topics = Vec::new();
    for t in request.topics {
        let topic = cx.topic(&t.name, &ZERO_UUID);
        let partitions = t.partitions.iter().map(|p| offset(cx, &topic, p, isolation)).collect();
        topics.push(ListOffsetsTopicResponse { name: t.name, partitions });
    }
    ListOffsetsResponse { throttle_time_ms: cx.throttle_ms, topics }.encode(w, cx.version);
    Ok(Reply::Answer)
}

fn offset(
    cx: &Request<'_>,
    topic: &Result<Arc<Topic>, i16>,
    p: &ListOffsetsPartition,
    isolation: Isolation,
) -> ListOffsetsPartitionResponse {
    let mut out = ListOffsetsPartitionResponse { partition_index: p.partition_index, ..Default::default() };
    let partition = match topic {
        Err(code) => {
            out.error_code = *code;
            return out;
        }
        Ok(topic) => {
            out.error_code = cx.partition_fault(topic, p.partition_index, key::LIST_OFFSETS);
            topic.partition(p.partition_index)
        }
    };
    let Some(partition) = partition.filter(|_| out.error_code == 0) else {
        if out.error_code == 0 {
            out.error_code = UNKNOWN_TOPIC_OR_PARTITION;
        }
        return out;
    };
    let state = partition.state.lock();
    out.error_code = check_epoch(p.current_leader_epoch, &state);
    if state.leader != cx.broker.id {
        out.error_code = NOT_LEADER_OR_FOLLOWER;
    }
    if out.error_code != 0 {
        return out;
    }
    let end = state.log.end_for(isolation);
    let found = match p.timestamp {
        LATEST_TIMESTAMP => Some((end, -1)),
        EARLIEST_TIMESTAMP | EARLIEST_LOCAL_TIMESTAMP => Some((state.log.start_offset(), -1)),
        MAX_TIMESTAMP => state.log.max_timestamp().filter(|f| f.0 < end),
        LATEST_TIERED_TIMESTAMP => None,
        timestamp => state.log.find_timestamp(timestamp).filter(|f| f.0 < end),
    };
    if let Some((offset, timestamp)) = found {
        out.offset = offset;
        out.timestamp = timestamp;
        out.leader_epoch = state.leader_epoch;
    }
    out
}
