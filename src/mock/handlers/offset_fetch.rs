//! OffsetFetch (9), v1–v9, by the group's coordinator.
//!
//! * Groups that are not known have no offsets (−1), nor have partitions nobody committed. Null topics mean all (v2).
//! * With `require_stable` (v7) a partition with an offset of an undecided transaction is UNSTABLE_OFFSET_COMMIT (KIP-447).
//! * v1 has no error of the group: it comes with each partition.

use super::{key, Reply, Request};
use crate::mock::groups::Groups;
use crate::protocol::messages::find_coordinator::KEY_TYPE_GROUP;
use crate::protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestTopic, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use crate::protocol::{DecodeError, Reader, Writer};

const NOT_COORDINATOR: i16 = 16;
const UNSTABLE_OFFSET_COMMIT: i16 = 88;

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = OffsetFetchRequest::decode(r, cx.version)?;
    let mut response = OffsetFetchResponse { throttle_time_ms: cx.throttle_ms, ..Default::default() };
    let groups = cx.shared.groups.lock();
    if cx.version >= 8 {
        for g in &request.groups {
            let error_code = group_code(cx, &g.group_id);
            let asked = g.topics.as_deref().filter(|_| error_code == 0);
            let topics = if error_code == 0 {
                fetch(cx, &groups, &g.group_id, asked, request.require_stable, 0)
            } else {
                Vec::new()
            };
            response.groups.push(OffsetFetchResponseGroup { group_id: g.group_id.clone(), topics, error_code });
        }
    } else {
        let code = group_code(cx, &request.group_id);
        response.error_code = code;
        if code == 0 || cx.version < 2 {
            let asked = request.topics.as_deref();
            response.topics = fetch(cx, &groups, &request.group_id, asked, request.require_stable, code);
        }
    }
    response.encode(w, cx.version);
    Ok(Reply::Answer)
}

fn group_code(cx: &Request<'_>, group: &str) -> i16 {
    match cx.fault.code() {
        0 if !cx.shared.is_coordinator(cx.broker, KEY_TYPE_GROUP, group) => NOT_COORDINATOR,
        code => code,
    }
}

fn fetch(
    cx: &Request<'_>,
    groups: &Groups,
    group: &str,
    asked: Option<&[OffsetFetchRequestTopic]>,
    require_stable: bool,
    error: i16,
) -> Vec<OffsetFetchResponseTopic> {
    let committed = groups.committed(group);
    let all: Vec<OffsetFetchRequestTopic>;
    let asked = match asked {
        Some(asked) => asked,
        None => {
            let mut by_topic: Vec<OffsetFetchRequestTopic> = Vec::new();
            for (topic, partition) in committed.keys() {
                match by_topic.last_mut().filter(|t| t.name == *topic) {
                    Some(t) => t.partition_indexes.push(*partition),
                    None => {
                        let partition_indexes = vec![*partition];
                        by_topic.push(OffsetFetchRequestTopic { name: topic.clone(), partition_indexes });
                    }
                }
            }
            all = by_topic;
            &all
        }
    };
    let one = |topic: &str, partition_index: i32| {
        let mut out = OffsetFetchResponsePartition {
            partition_index,
            committed_offset: -1,
            error_code: error,
            ..Default::default()
        };
        if out.error_code == 0 {
            out.error_code = cx.partition_fault_by_name(topic, partition_index, key::OFFSET_FETCH);
        }
        if out.error_code == 0 && require_stable && groups.is_pending(group, topic, partition_index) {
            out.error_code = UNSTABLE_OFFSET_COMMIT;
        }
        if out.error_code == 0 {
            if let Some(c) = committed.get(&(topic.to_string(), partition_index)) {
                out.committed_offset = c.offset;
                out.committed_leader_epoch = c.leader_epoch;
                out.metadata = c.metadata.clone();
            }
        }
        out
    };
    let topic = |t: &OffsetFetchRequestTopic| OffsetFetchResponseTopic {
        name: t.name.clone(),
        partitions: t.partition_indexes.iter().map(|p| one(&t.name, *p)).collect(),
    };
    asked.iter().map(topic).collect()
}
