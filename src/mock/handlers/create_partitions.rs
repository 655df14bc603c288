//! CreatePartitions (37), v0–v3.
//!
//! * Any broker grows a topic, at once. A manual assignment is ignored: leaders go round the brokers.

use super::{Reply, Request};
use crate::error::RespErr;
use crate::protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use crate::protocol::{DecodeError, Reader, Writer};

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = CreatePartitionsRequest::decode(r, cx.version)?;
    let mut results = Vec::new();
    for t in request.topics {
        let result = match cx.fault.code() {
            0 => grow(cx, &t, request.validate_only),
            code => Err(RespErr(code as i32)),
        };
        let (error_code, error_message) = match result {
            Ok(()) => (0, None),
            Err(e) => (e.0 as i16, Some(e.description().to_string())),
        };
        results.push(CreatePartitionsTopicResult { name: t.name, error_code, error_message });
    }
    CreatePartitionsResponse { throttle_time_ms: cx.throttle_ms, results }.encode(w, cx.version);
    Ok(Reply::Answer)
}

fn grow(cx: &Request<'_>, t: &CreatePartitionsTopic, validate_only: bool) -> Result<(), RespErr> {
    let topics = cx.shared.topics.read();
    let topic = topics.get(&t.name).ok_or(RespErr::ERR_UNKNOWN_TOPIC_OR_PART)?;
    if validate_only {
        return if t.count > topic.partition_count() { Ok(()) } else { Err(RespErr::ERR_INVALID_PARTITIONS) };
    }
    topics.grow(&t.name, t.count, &cx.shared.broker_ids(), cx.shared.log_config())
}
