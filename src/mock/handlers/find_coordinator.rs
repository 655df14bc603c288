//! FindCoordinator (10), v0–v6.
//!
//! * Every key has its coordinator among the brokers that are up, chosen by a checksum of the key. There are no groups
//!   or transactions behind it: a client that goes on to join one finds that those APIs are not offered.

use super::{Reply, Request};
use crate::mock::shared::Broker;
use crate::protocol::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use crate::protocol::{DecodeError, Reader, Writer};

const COORDINATOR_NOT_AVAILABLE: i16 = 15;

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = FindCoordinatorRequest::decode(r, cx.version)?;
    let up: Vec<&Broker> = cx.shared.brokers.iter().filter(|b| cx.shared.is_up(b.id)).collect();
    let find = |key: String| {
        let found = up.get(crc32c::crc32c(key.as_bytes()) as usize % up.len().max(1));
        match found.filter(|_| cx.fault.code() == 0) {
            Some(b) => {
                Coordinator { key, node_id: b.id, host: b.host.clone(), port: b.port as i32, ..Default::default() }
            }
            None => {
                let code = if cx.fault.code() == 0 { COORDINATOR_NOT_AVAILABLE } else { cx.fault.code() };
                Coordinator { key, node_id: -1, port: -1, error_code: code, ..Default::default() }
            }
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
