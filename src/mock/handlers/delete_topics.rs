//! DeleteTopics (20), v1–v6.
//!
//! * Any broker deletes, at once and for good. From v6 on topics may be given by id.

use super::{Reply, Request};
use crate::error::RespErr;
use crate::protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use crate::protocol::{DecodeError, Reader, Writer};

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let mut request = DeleteTopicsRequest::decode(r, cx.version)?;
    let by_name = |name| DeleteTopicState { name: Some(name), ..Default::default() };
    request.topics.extend(request.topic_names.drain(..).map(by_name));
    let mut responses = Vec::new();
    for t in request.topics {
        let mut topics = cx.shared.topics.write();
        let name = t.name.or_else(|| topics.get_by_id(&t.topic_id).map(|t| t.name.to_string()));
        let result = match (&name, cx.fault.code()) {
            (_, code) if code != 0 => Err(RespErr(code as i32)),
            (Some(name), _) => topics.delete(name),
            (None, _) => Err(RespErr::ERR_UNKNOWN_TOPIC_ID),
        };
        let error_code = result.err().map_or(0, |e| e.0 as i16);
        responses.push(DeletableTopicResult { name, topic_id: t.topic_id, error_code, ..Default::default() });
    }
    cx.shared.wake_all();
    DeleteTopicsResponse { throttle_time_ms: cx.throttle_ms, responses }.encode(w, cx.version);
    Ok(Reply::Answer)
}
