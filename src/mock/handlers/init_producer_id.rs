//! InitProducerId (22), v0–v5.
//!
//! * Without a transactional id: a new producer id with epoch 0; from v3 on a producer that names its own id gets the next
//!   epoch (KIP-360), or a new id when epochs are used up.
//! * With one: the same producer id each time, with the next epoch.

use super::{Reply, Request};
use crate::protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::protocol::{DecodeError, Reader, Writer};
use std::sync::atomic::Ordering;

const INVALID_REQUEST: i16 = 42;

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = InitProducerIdRequest::decode(r, cx.version)?;
    let mut response = InitProducerIdResponse { throttle_time_ms: cx.throttle_ms, ..Default::default() };
    if cx.fault.code() != 0 {
        response.error_code = cx.fault.code();
    } else if request.transactional_id.as_deref() == Some("") {
        response.error_code = INVALID_REQUEST;
    } else {
        (response.producer_id, response.producer_epoch) = next(cx, &request);
    }
    response.encode(w, cx.version);
    Ok(Reply::Answer)
}

fn next(cx: &Request<'_>, request: &InitProducerIdRequest) -> (i64, i16) {
    let fresh = || (cx.shared.next_producer_id.fetch_add(1, Ordering::Relaxed), 0);
    // The last epoch is Kafka's, to fence with.
    let bump = |(id, epoch): (i64, i16)| if epoch < i16::MAX - 1 { (id, epoch + 1) } else { fresh() };
    match &request.transactional_id {
        Some(name) => {
            let mut all = cx.shared.transactional.lock();
            let next = all.get(name).map_or_else(fresh, |known| bump(*known));
            all.insert(name.clone(), next);
            next
        }
        None if request.producer_id >= 0 && request.producer_epoch >= 0 => {
            bump((request.producer_id, request.producer_epoch))
        }
        None => fresh(),
    }
}
