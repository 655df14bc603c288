//! AddPartitionsToTxn (24), v0–v3, the versions of clients.
//!
//! * All partitions or none: if one does not exist, the others are OPERATION_NOT_ATTEMPTED.
//! * Before v2 PRODUCER_FENCED is told as INVALID_PRODUCER_EPOCH.

use super::{key, Reply, Request};
use crate::error::RespErr;
use crate::mock::txn::{ProducerId, Target};
use crate::protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopicResult,
};
use crate::protocol::{DecodeError, Reader, Writer};
use std::time::Instant;

const FENCED_FROM: i16 = 2;
const OPERATION_NOT_ATTEMPTED: i16 = 55;

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = AddPartitionsToTxnRequest::decode(r, cx.version)?;
    let mut response = AddPartitionsToTxnResponse { throttle_time_ms: cx.throttle_ms, ..Default::default() };
    let mut targets = Vec::new();
    let mut failed = false;
    for t in &request.v3_and_below_topics {
        let judge = |&p: &i32| {
            let partition_error_code = cx.partition_code(&t.name, p, key::ADD_PARTITIONS_TO_TXN);
            failed |= partition_error_code != 0;
            targets.push(Target::Partition(t.name.clone(), p));
            AddPartitionsToTxnPartitionResult { partition_index: p, partition_error_code }
        };
        let results_by_partition = t.partitions.iter().map(judge).collect();
        let topic = AddPartitionsToTxnTopicResult { name: t.name.clone(), results_by_partition };
        response.results_by_topic_v3_and_below.push(topic);
    }
    let name = &request.v3_and_below_transactional_id;
    let producer = ProducerId { id: request.v3_and_below_producer_id, epoch: request.v3_and_below_producer_epoch };
    let verdict = cx.carry_out(|| {
        if failed {
            return Err(RespErr(OPERATION_NOT_ATTEMPTED as i32));
        }
        cx.with_transaction(name, |txns| txns.add(name, producer, targets, Instant::now()))
    });
    if let Err(e) = verdict {
        let code = cx.fenced_code(e, FENCED_FROM);
        let all = response.results_by_topic_v3_and_below.iter_mut().flat_map(|t| &mut t.results_by_partition);
        all.filter(|p| p.partition_error_code == 0 || code != OPERATION_NOT_ATTEMPTED)
            .for_each(|p| p.partition_error_code = code);
    }
    response.encode(w, cx.version);
    Ok(Reply::Answer)
}
