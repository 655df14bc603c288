//! Metadata (3), v1–v13.
//!
//! * No topics named (null) means all, an empty list none. From v12 on a topic may be asked for by id.
//! * An unknown topic is created if the request and the cluster allow it, and answered at once, where a real broker
//!   would say LEADER_NOT_AVAILABLE for a moment.
//! * A broker that was taken down stays listed with its partitions, as before a controller notices, and counts as an
//!   offline replica. The controller is the lowest broker that is up.
//! * REBOOTSTRAP_REQUIRED (129), pushed as an error, is the answer's own from v13 on (KIP-1102); others go to the topics.

use super::{Reply, Request};
use crate::mock::topics::{valid_name, Topic};
use crate::protocol::messages::metadata::{
    MetadataBroker, MetadataPartition, MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataTopic,
};
use crate::protocol::{DecodeError, Reader, Writer, ZERO_UUID};
use std::sync::atomic::Ordering;
use std::sync::Arc;

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const LEADER_NOT_AVAILABLE: i16 = 5;
const INVALID_TOPIC: i16 = 17;
const UNKNOWN_TOPIC_ID: i16 = 100;
const REBOOTSTRAP_REQUIRED: i16 = 129;

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = MetadataRequest::decode(r, cx.version)?;
    let mut response = MetadataResponse {
        throttle_time_ms: cx.throttle_ms,
        cluster_id: Some(cx.shared.options.cluster_id.clone()),
        controller_id: cx.shared.controller(),
        ..Default::default()
    };
    if cx.fault.code() == REBOOTSTRAP_REQUIRED && cx.version >= 13 {
        response.error_code = REBOOTSTRAP_REQUIRED;
        response.encode(w, cx.version);
        return Ok(Reply::Answer);
    }
    let mut down = Vec::new();
    for b in &cx.shared.brokers {
        let control = b.control.lock();
        if control.down {
            down.push(b.id);
        }
        let (host, port, rack) = (b.host.clone(), b.port as i32, control.rack.clone());
        response.brokers.push(MetadataBroker { node_id: b.id, host, port, rack });
    }
    response.topics = match request.topics {
        None => cx.shared.topics.read().all().iter().map(|t| describe(cx, t, &down)).collect(),
        Some(asked) => asked.into_iter().map(|t| one_topic(cx, t, request.allow_auto_topic_creation, &down)).collect(),
    };
    response.encode(w, cx.version);
    Ok(Reply::Answer)
}

fn one_topic(cx: &Request<'_>, asked: MetadataRequestTopic, may_create: bool, down: &[i32]) -> MetadataTopic {
    let failed = |error_code| MetadataTopic { error_code, ..Default::default() };
    let Some(name) = asked.name else {
        let topic = cx.shared.topics.read().get_by_id(&asked.topic_id).cloned();
        return match topic {
            Some(t) if asked.topic_id != ZERO_UUID => describe(cx, &t, down),
            _ => MetadataTopic { topic_id: asked.topic_id, ..failed(UNKNOWN_TOPIC_ID) },
        };
    };
    if cx.fault.code() != 0 {
        return MetadataTopic { name: Some(name), ..failed(cx.fault.code()) };
    }
    if !valid_name(&name) {
        return MetadataTopic { name: Some(name), ..failed(INVALID_TOPIC) };
    }
    let known = cx.shared.topics.read().get(&name).cloned();
    let topic = match known {
        Some(t) => Ok(t),
        None if may_create && cx.shared.auto_create_topics.load(Ordering::Relaxed) => {
            cx.shared.topic_or_create(&name).map_err(|e| e.0 as i16)
        }
        None => Err(UNKNOWN_TOPIC_OR_PARTITION),
    };
    match topic {
        Ok(t) => describe(cx, &t, down),
        Err(code) => MetadataTopic { name: Some(name), ..failed(code) },
    }
}

fn describe(cx: &Request<'_>, topic: &Arc<Topic>, down: &[i32]) -> MetadataTopic {
    let error_code = if cx.fault.code() != 0 { cx.fault.code() } else { topic.error() };
    let partition = |index: i32, leader: i32, epoch: i32, replicas: &[i32]| MetadataPartition {
        error_code: if leader < 0 { LEADER_NOT_AVAILABLE } else { 0 },
        partition_index: index,
        leader_id: leader,
        leader_epoch: epoch,
        replica_nodes: replicas.to_vec(),
        isr_nodes: replicas.iter().copied().filter(|id| !down.contains(id)).collect(),
        offline_replicas: replicas.iter().copied().filter(|id| down.contains(id)).collect(),
    };
    let all = if error_code == 0 { topic.partitions() } else { Vec::new() };
    let partitions = all
        .iter()
        .map(|p| {
            let s = p.state.lock();
            partition(p.index, s.leader, s.leader_epoch, &s.replicas)
        })
        .collect();
    MetadataTopic {
        error_code,
        name: Some(topic.name.to_string()),
        topic_id: topic.id,
        partitions,
        ..Default::default()
    }
}
