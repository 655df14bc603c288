//! CreateTopics (19), v2–v7.
//!
//! * Any broker creates; there is no NOT_CONTROLLER. −1 partitions or replicas mean the cluster's defaults.
//! * A manual assignment sets partition count, replicas and leaders.
//! * Of the topic's configuration `retention.bytes` and `message.timestamp.type` are heeded, the rest is ignored.

use super::{Reply, Request};
use crate::error::RespErr;
use crate::mock::topics::{valid_name, Topic, MAX_PARTITIONS};
use crate::protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use crate::protocol::{DecodeError, Reader, Writer};
use std::sync::Arc;

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = CreateTopicsRequest::decode(r, cx.version)?;
    let mut topics = Vec::new();
    for t in request.topics {
        let result = match cx.fault.code() {
            0 if request.validate_only => validate(cx, &t).map(|()| None),
            0 => create(cx, &t).map(Some),
            code => Err(RespErr(code as i32)),
        };
        let mut out = CreatableTopicResult { name: t.name, ..Default::default() };
        match result {
            Ok(Some(topic)) => {
                out.topic_id = topic.id;
                out.num_partitions = topic.partition_count();
                out.replication_factor = topic.replication_factor;
            }
            Ok(None) => {}
            Err(e) => {
                out.error_code = e.0 as i16;
                out.error_message = Some(e.description().to_string());
            }
        }
        topics.push(out);
    }
    CreateTopicsResponse { throttle_time_ms: cx.throttle_ms, topics }.encode(w, cx.version);
    Ok(Reply::Answer)
}

fn validate(cx: &Request<'_>, t: &CreatableTopic) -> Result<(), RespErr> {
    if !valid_name(&t.name) {
        return Err(RespErr::ERR_TOPIC_EXCEPTION);
    }
    if cx.shared.topics.read().get(&t.name).is_some() {
        return Err(RespErr::ERR_TOPIC_ALREADY_EXISTS);
    }
    let assigned = !t.assignments.is_empty();
    if !assigned && t.num_partitions != -1 && !(1..=MAX_PARTITIONS).contains(&t.num_partitions) {
        return Err(RespErr::ERR_INVALID_PARTITIONS);
    }
    let brokers = cx.shared.brokers.len();
    if !assigned && t.replication_factor != -1 && !(1..=brokers).contains(&(t.replication_factor.max(0) as usize)) {
        return Err(RespErr::ERR_INVALID_REPLICATION_FACTOR);
    }
    Ok(())
}

fn create(cx: &Request<'_>, t: &CreatableTopic) -> Result<Arc<Topic>, RespErr> {
    validate(cx, t)?;
    let mut log = cx.shared.log_config();
    for c in &t.configs {
        let value = c.value.as_deref().unwrap_or_default();
        match c.name.as_str() {
            "retention.bytes" => {
                let bytes: i64 = value.parse().map_err(|_| RespErr::ERR_INVALID_CONFIG)?;
                // −1 asks for no limit; memory has one.
                log.retention_bytes = usize::try_from(bytes).unwrap_or(log.retention_bytes);
            }
            "message.timestamp.type" => {
                log.log_append_time = match value {
                    "LogAppendTime" => true,
                    "CreateTime" => false,
                    _ => return Err(RespErr::ERR_INVALID_CONFIG),
                }
            }
            _ => {}
        }
    }
    if t.assignments.is_empty() {
        return cx.shared.create_topic(&t.name, t.num_partitions, t.replication_factor, log);
    }
    let count = t.assignments.len() as i32;
    let rf = t.assignments[0].broker_ids.len();
    let mut leaders = vec![None; t.assignments.len()];
    for a in &t.assignments {
        let leader = a.broker_ids.first().copied().filter(|_| a.broker_ids.len() == rf);
        let known = a.broker_ids.iter().all(|id| cx.shared.broker(*id).is_some());
        let slot = usize::try_from(a.partition_index).ok().and_then(|i| leaders.get_mut(i));
        match (slot, leader) {
            (Some(slot), Some(leader)) if known => *slot = Some((leader, a.broker_ids.clone())),
            _ => return Err(RespErr::ERR_INVALID_REPLICA_ASSIGNMENT),
        }
    }
    if leaders.iter().any(Option::is_none) {
        return Err(RespErr::ERR_INVALID_REPLICA_ASSIGNMENT);
    }
    let topic = cx.shared.create_topic(&t.name, count, rf.min(i16::MAX as usize) as i16, log)?;
    for (p, (leader, replicas)) in topic.partitions().iter().zip(leaders.into_iter().flatten()) {
        let mut s = p.state.lock();
        (s.leader, s.replicas) = (leader, replicas);
    }
    Ok(topic)
}
