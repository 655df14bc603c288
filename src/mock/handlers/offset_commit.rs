//! OffsetCommit (8), v2–v9, by the group's coordinator.
//!
//! * A group without members takes offsets of whoever names no generation; a member that a test has set is held to its
//!   generation.
//! * Offsets are kept for good; retention times are ignored.

use super::{key, Reply, Request};
use crate::error::RespErr;
use crate::mock::groups::{CommittedOffset, Committer};
use crate::protocol::messages::find_coordinator::KEY_TYPE_GROUP;
use crate::protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::protocol::{DecodeError, Reader, Writer};

pub fn handle(cx: &Request<'_>, r: &mut Reader<'_>, w: &mut Writer) -> Result<Reply, DecodeError> {
    let request = OffsetCommitRequest::decode(r, cx.version)?;
    let mut topics = Vec::new();
    if let Err(e) = cx.carry_out(|| commit(cx, &request, &mut topics)) {
        topics.clear();
        for t in &request.topics {
            let failed = |index| OffsetCommitResponsePartition { partition_index: index, error_code: e.0 as i16 };
            let partitions = t.partitions.iter().map(|p| failed(p.partition_index)).collect();
            topics.push(OffsetCommitResponseTopic { name: t.name.clone(), partitions });
        }
    }
    OffsetCommitResponse { throttle_time_ms: cx.throttle_ms, topics }.encode(w, cx.version);
    Ok(Reply::Answer)
}

fn commit(
    cx: &Request<'_>,
    request: &OffsetCommitRequest,
    topics: &mut Vec<OffsetCommitResponseTopic>,
) -> Result<(), RespErr> {
    let group = &request.group_id;
    if !cx.shared.is_coordinator(cx.broker, KEY_TYPE_GROUP, group) {
        return Err(RespErr::ERR_NOT_COORDINATOR);
    }
    let who = Committer {
        generation: request.generation_id_or_member_epoch,
        member_id: &request.member_id,
        group_instance_id: request.group_instance_id.as_deref(),
    };
    let mut groups = cx.shared.groups.lock();
    groups.check_commit(group, who)?;
    for t in &request.topics {
        let mut partitions = Vec::new();
        for p in &t.partitions {
            let mut error_code = cx.partition_code(&t.name, p.partition_index, key::OFFSET_COMMIT);
            if error_code == 0 {
                let offset = CommittedOffset {
                    offset: p.committed_offset,
                    leader_epoch: p.committed_leader_epoch,
                    metadata: p.committed_metadata.clone(),
                };
                let put = groups.put(group, None, &t.name, p.partition_index, offset);
                error_code = put.err().map_or(0, |e| e.0 as i16);
            }
            partitions.push(OffsetCommitResponsePartition { partition_index: p.partition_index, error_code });
        }
        topics.push(OffsetCommitResponseTopic { name: t.name.clone(), partitions });
    }
    Ok(())
}
