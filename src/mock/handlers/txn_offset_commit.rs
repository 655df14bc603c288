//! TxnOffsetCommit (28), v0–v5, by the group's coordinator.
//!
//! * The offsets count when the transaction commits. The group must have been added to the transaction; v5 adds it, if the
//!   cluster has transaction version 2 (KIP-890).
//! * From v3 on the member is judged (KIP-447), as a test has set it; a group without members takes offsets of whoever
//!   names no generation.
//! * A fenced producer is told INVALID_PRODUCER_EPOCH in every version. Before v4 TRANSACTION_ABORTABLE is INVALID_TXN_STATE.

use super::{key, Reply, Request};
use crate::error::RespErr;
use crate::mock::groups::{CommittedOffset, Committer};
use crate::mock::txn::{ProducerId, Target, TRANSACTION_ABORTABLE};
use crate::protocol::messages::find_coordinator::KEY_TYPE_GROUP;
use crate::protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use crate::protocol::{DecodeError, Reader, Writer};

const ABORTABLE_FROM: i16 = 4;
const ADDS_FROM: i16 = 5;

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = TxnOffsetCommitRequest::decode(r, cx.version)?;
    let mut topics = Vec::new();
    let verdict = cx.carry_out(|| commit(cx, &request, &mut topics));
    if let Err(e) = verdict {
        topics.clear();
        for t in &request.topics {
            let failed = |index| TxnOffsetCommitResponsePartition { partition_index: index, error_code: e.0 as i16 };
            let partitions = t.partitions.iter().map(|p| failed(p.partition_index)).collect();
            topics.push(TxnOffsetCommitResponseTopic { name: t.name.clone(), partitions });
        }
    }
    TxnOffsetCommitResponse { throttle_time_ms: cx.throttle_ms, topics }.encode(w, cx.version);
    Ok(Reply::Answer)
}

fn commit(
    cx: &Request<'_>,
    request: &TxnOffsetCommitRequest,
    topics: &mut Vec<TxnOffsetCommitResponseTopic>,
) -> Result<(), RespErr> {
    let group = &request.group_id;
    if !cx.shared.is_coordinator(cx.broker, KEY_TYPE_GROUP, group) {
        return Err(RespErr::ERR_NOT_COORDINATOR);
    }
    let producer = ProducerId { id: request.producer_id, epoch: request.producer_epoch };
    let who = Committer {
        generation: request.generation_id,
        member_id: &request.member_id,
        group_instance_id: request.group_instance_id.as_deref(),
    };
    // Held to the end, so that the transaction is not decided between the check and the offsets.
    let mut txns = cx.shared.txns.lock();
    let target = Target::Group(group.clone());
    cx.join_transaction(&mut txns, &request.transactional_id, producer, target, cx.version >= ADDS_FROM).map_err(
        |e| match e {
            RespErr::ERR_PRODUCER_FENCED => RespErr::ERR_INVALID_PRODUCER_EPOCH,
            RespErr::ERR_CONCURRENT_TRANSACTIONS if cx.version < ADDS_FROM => RespErr::ERR_COORDINATOR_LOAD_IN_PROGRESS,
            TRANSACTION_ABORTABLE if cx.version < ABORTABLE_FROM => RespErr::ERR_INVALID_TXN_STATE,
            e => e,
        },
    )?;
    let mut groups = cx.shared.groups.lock();
    groups.check_txn_commit(group, who, producer)?;
    for t in &request.topics {
        let mut partitions = Vec::new();
        for p in &t.partitions {
            let mut error_code = cx.partition_code(&t.name, p.partition_index, key::TXN_OFFSET_COMMIT);
            if error_code == 0 {
                let offset = CommittedOffset {
                    offset: p.committed_offset,
                    leader_epoch: p.committed_leader_epoch,
                    metadata: p.committed_metadata.clone(),
                };
                let put = groups.put(group, Some(producer), &t.name, p.partition_index, offset);
                error_code = put.err().map_or(0, |e| e.0 as i16);
            }
            partitions.push(TxnOffsetCommitResponsePartition { partition_index: p.partition_index, error_code });
        }
        topics.push(TxnOffsetCommitResponseTopic { name: t.name.clone(), partitions });
    }
    Ok(())
}
