//! EndTxn (26), v0–v5.
//!
//! * The markers are written before the answer, unless a delay is set: then the transactional id is busy meanwhile, and
//!   answers CONCURRENT_TRANSACTIONS.
//! * v5 is of transaction version 2: each end brings a new epoch, and an abort may come without a transaction (KIP-890).
//! * Before v2 PRODUCER_FENCED is told as INVALID_PRODUCER_EPOCH.

use super::{Reply, Request};
use crate::mock::txn::ProducerId;
use crate::protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};
use crate::protocol::{DecodeError, Reader, Writer};
use std::time::Instant;

const FENCED_FROM: i16 = 2;
const BUMP_FROM: i16 = 5;

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = EndTxnRequest::decode(r, cx.version)?;
    let producer = ProducerId { id: request.producer_id, epoch: request.producer_epoch };
    let name = &request.transactional_id;
    let bump = cx.version >= BUMP_FROM;
    let verdict = cx.carry_out(|| {
        cx.with_transaction(name, |txns| txns.end(name, producer, request.committed, bump, Instant::now()))
    });
    let mut response = EndTxnResponse { throttle_time_ms: cx.throttle_ms, ..Default::default() };
    match verdict {
        Ok(p) if bump => (response.producer_id, response.producer_epoch) = (p.id, p.epoch),
        Ok(_) => {}
        Err(e) => response.error_code = cx.fenced_code(e, FENCED_FROM),
    }
    response.encode(w, cx.version);
    Ok(Reply::Answer)
}
