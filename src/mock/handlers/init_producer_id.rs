//! InitProducerId (22), v0–v5.
//!
//! * Without a transactional id, by any broker: a new producer id with epoch 0; from v3 on a producer that names its own id
//!   gets the next epoch (KIP-360), or a new id when epochs are used up.
//! * With one, by its coordinator: see [`Coordinator::init`]. Before v4 PRODUCER_FENCED is told as INVALID_PRODUCER_EPOCH.
//!
//! [`Coordinator::init`]: crate::mock::txn::Coordinator::init

use super::{Reply, Request};
use crate::error::RespErr;
use crate::mock::txn::ProducerId;
use crate::protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::protocol::{DecodeError, Reader, Writer};
use std::time::Instant;

/// The first version whose clients understand PRODUCER_FENCED.
const FENCED_FROM: i16 = 4;

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = InitProducerIdRequest::decode(r, cx.version)?;
    let mut response = InitProducerIdResponse { throttle_time_ms: cx.throttle_ms, ..Default::default() };
    match cx.carry_out(|| next(cx, &request)) {
        Ok(p) => (response.producer_id, response.producer_epoch) = (p.id, p.epoch),
        Err(e) => response.error_code = cx.fenced_code(e, FENCED_FROM),
    }
    response.encode(w, cx.version);
    Ok(Reply::Answer)
}

fn next(cx: &Request<'_>, request: &InitProducerIdRequest) -> Result<ProducerId, RespErr> {
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return Err(RespErr::ERR_INVALID_REQUEST);
    }
    let own = ProducerId { id: request.producer_id, epoch: request.producer_epoch };
    let expected = (own.id >= 0).then_some(own);
    let Some(name) = &request.transactional_id else {
        let mut txns = cx.shared.txns.lock();
        return Ok(match expected {
            // The last epoch is Kafka's, to fence with.
            Some(p) if p.epoch < i16::MAX - 1 => ProducerId { epoch: p.epoch + 1, ..p },
            _ => ProducerId { id: txns.new_producer_id(), epoch: 0 },
        });
    };
    cx.with_transaction(name, |txns| txns.init(name, request.transaction_timeout_ms, expected, Instant::now()))
}
