//! AddOffsetsToTxn (25), v0–v4.
//!
//! * Adds the group's offsets to the transaction, as if they were a partition.
//! * Before v2 PRODUCER_FENCED is told as INVALID_PRODUCER_EPOCH.

use super::{Reply, Request};
use crate::error::RespErr;
use crate::mock::txn::{ProducerId, Target};
use crate::protocol::messages::add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use crate::protocol::{DecodeError, Reader, Writer};
use std::time::Instant;

const FENCED_FROM: i16 = 2;

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = AddOffsetsToTxnRequest::decode(r, cx.version)?;
    let producer = ProducerId { id: request.producer_id, epoch: request.producer_epoch };
    let name = &request.transactional_id;
    let verdict = cx.carry_out(|| {
        if request.group_id.is_empty() {
            return Err(RespErr::ERR_INVALID_GROUP_ID);
        }
        let target = Target::Group(request.group_id.clone());
        cx.with_transaction(name, |txns| txns.add(name, producer, [target], Instant::now()))
    });
    let error_code = verdict.err().map_or(0, |e| cx.fenced_code(e, FENCED_FROM));
    AddOffsetsToTxnResponse { throttle_time_ms: cx.throttle_ms, error_code }.encode(w, cx.version);
    Ok(Reply::Answer)
}
