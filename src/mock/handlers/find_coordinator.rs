//! FindCoordinator (10), v0–v6.
//!
//! * Every key has its coordinator among the brokers that are up (see [`Shared::coordinator`]), groups and transactional
//!   ids apart. Groups have offsets, but no members: the APIs of joining one are not offered.
//! * v0 knows groups alone. Other key types than group, transaction and share are INVALID_REQUEST.
//!
//! [`Shared::coordinator`]: crate::mock::shared::Shared::coordinator

use super::{Reply, Request};
use crate::protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse, KEY_TYPE_GROUP, KEY_TYPE_SHARE,
};
use crate::protocol::{DecodeError, Reader, Writer};

const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const INVALID_REQUEST: i16 = 42;

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = FindCoordinatorRequest::decode(r, cx.version)?;
    let known = (KEY_TYPE_GROUP..=KEY_TYPE_SHARE).contains(&request.key_type);
    let find = |key: String| {
        let code = match cx.fault.code() {
            0 if !known => INVALID_REQUEST,
            0 => COORDINATOR_NOT_AVAILABLE,
            code => code,
        };
        match cx.shared.coordinator(request.key_type, &key).filter(|_| known && cx.fault.code() == 0) {
            Some(b) => {
                Coordinator { key, node_id: b.id, host: b.host.clone(), port: b.port as i32, ..Default::default() }
            }
            None => Coordinator { key, node_id: -1, port: -1, error_code: code, ..Default::default() },
        }
    };
    let mut response = FindCoordinatorResponse { throttle_time_ms: cx.throttle_ms, ..Default::default() };
    if cx.version >= 4 {
        response.coordinators = request.coordinator_keys.into_iter().map(find).collect();
    } else {
        let c = find(request.key);
        response.error_code = c.error_code;
        (response.node_id, response.host, response.port) = (c.node_id, c.host, c.port);
    }
    response.encode(w, cx.version);
    Ok(Reply::Answer)
}
