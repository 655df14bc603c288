//! Produce (0): writing record batches (KIP-98, KIP-467, KIP-516, KIP-951).

use crate::protocol::error::Result;
use crate::protocol::wire::{message, Wire};
use crate::protocol::{ApiKey, Reader, Uuid, Writer, ZERO_UUID};

message! {
    /// ProduceRequest, v3–v13, as a broker reads it. The client writes it piecewise, see [`request`].
    pub struct ProduceRequest<'a> for Produce {
        /// Transactional id, null outside transactions.
        transactional_id: Option<&'a str> = None, 3.., null 3;
        /// 0: no answer, 1: leader only, −1: all in-sync replicas.
        acks: i16 = 0, 0..;
        /// Milliseconds the broker may wait for replicas.
        timeout_ms: i32 = 0, 0..;
        /// The topics.
        topic_data: Vec<TopicProduceData<'a>> = Vec::new(), 0..;
    }

    /// A topic of the request: by name up to v12, by id from v13.
    pub struct TopicProduceData<'a> {
        /// Name, up to v12.
        name: &'a str = "", 0..=12;
        /// Id, from v13.
        topic_id: Uuid = ZERO_UUID, 13..;
        /// The partitions.
        partition_data: Vec<PartitionProduceData<'a>> = Vec::new(), 0..;
    }

    /// A partition of the request.
    pub struct PartitionProduceData<'a> {
        /// Partition number.
        index: i32 = 0, 0..;
        /// Record batches.
        records: Option<&'a [u8]> = None, 0.., null 0;
    }

    /// One record that made the broker refuse its batch (KIP-467).
    pub struct BatchIndexAndErrorMessage<'a> {
        /// Index of the record in the batch.
        batch_index: i32 = 0, 8..;
        /// What is wrong with it.
        batch_index_error_message: Option<&'a str> = None, 8.., null 8;
    }

    /// The leader of a partition, as an answer to a request that reached another broker (KIP-951).
    pub struct LeaderIdAndEpoch {
        /// Broker id, or −1.
        leader_id: i32 = -1, 10..;
        /// Leader epoch, or −1.
        leader_epoch: i32 = -1, 10..;
    }

    /// Address of a broker named as a leader (KIP-951).
    pub struct NodeEndpoint {
        /// Broker id.
        node_id: i32 = 0, 10..;
        /// Host name or address.
        host: String = String::new(), 10..;
        /// TCP port.
        port: i32 = 0, 10..;
        /// Rack, if configured.
        rack: Option<String> = None, 10.., null 10;
    }
}

/// What became of one partition of a ProduceRequest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionResponse<'a> {
    /// Topic name, empty from v13.
    pub topic: &'a str,
    /// Topic id, zero up to v12.
    pub topic_id: Uuid,
    /// Partition number.
    pub index: i32,
    /// 0, or the error.
    pub error_code: i16,
    /// Offset of the first record.
    pub base_offset: i64,
    /// Broker time of the append in ms when the topic uses LogAppendTime, else −1.
    pub log_append_time_ms: i64,
    /// First offset of the log, or −1 (v5).
    pub log_start_offset: i64,
    /// The records at fault (v8, KIP-467).
    pub record_errors: Vec<BatchIndexAndErrorMessage<'a>>,
    /// Text of the error (v8, KIP-467).
    pub error_message: Option<&'a str>,
    /// The leader, when this broker is not it (v10, KIP-951).
    pub current_leader: LeaderIdAndEpoch,
}

impl Default for PartitionResponse<'_> {
    fn default() -> Self {
        Self {
            topic: "",
            topic_id: ZERO_UUID,
            index: 0,
            error_code: 0,
            base_offset: 0,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            error_message: None,
            current_leader: LeaderIdAndEpoch::default(),
        }
    }
}

/// ProduceResponse, v3–v13, with the partitions of all topics in one list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProduceResponse<'a> {
    /// The partitions, those of one topic together.
    pub responses: Vec<PartitionResponse<'a>>,
    /// Milliseconds for which the client is throttled (KIP-219).
    pub throttle_time_ms: i32,
    /// Addresses of the leaders named in `current_leader` (v10, KIP-951).
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// Partitions reserved at once, whatever the count says.
const MAX_RESERVE: usize = 1024;

impl<'a> ProduceResponse<'a> {
    /// Appends the message. Neighbours with the same topic become one topic of the wire.
    pub fn encode(&self, w: &mut Writer, version: i16) {
        let flexible = ApiKey::Produce.is_flexible(version);
        let same_topic =
            |a: &PartitionResponse<'_>, b: &PartitionResponse<'_>| a.topic == b.topic && a.topic_id == b.topic_id;
        w.array_len(self.responses.chunk_by(same_topic).count(), flexible);
        for topic in self.responses.chunk_by(same_topic) {
            write_topic(w, version, flexible, topic[0].topic, &topic[0].topic_id);
            w.array_len(topic.len(), flexible);
            for p in topic {
                p.write(w, version, flexible);
            }
            w.no_tagged_fields(flexible);
        }
        w.i32(self.throttle_time_ms);
        if flexible {
            let endpoints = version >= 10 && !self.node_endpoints.is_empty();
            w.uvarint(endpoints as u32);
            if endpoints {
                w.tagged_field(0, |w| self.node_endpoints.write(w, version, true));
            }
        }
    }

    /// Reads the message; strings are borrowed, the only allocation is the list (and lists of errors, if any).
    ///
    /// # Errors
    /// When the bytes are too few or malformed.
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self> {
        let flexible = ApiKey::Produce.is_flexible(version);
        let mut out = Self::default();
        // A topic takes at least its name or id and its array count.
        let topic_min = if version >= 13 {
            18
        } else if flexible {
            3
        } else {
            6
        };
        let topics = r.array_len(flexible, topic_min).map_err(|e| e.in_field("responses"))?;
        for _ in 0..topics {
            let (topic, topic_id) = if version >= 13 {
                ("", r.uuid().map_err(|e| e.in_field("topic_id"))?)
            } else {
                (r.str(flexible).map_err(|e| e.in_field("name"))?, ZERO_UUID)
            };
            let n = r
                .array_len(flexible, PartitionResponse::min_size(version, flexible))
                .map_err(|e| e.in_field("partition_responses"))?;
            out.responses.reserve(n.min(MAX_RESERVE));
            for _ in 0..n {
                out.responses.push(PartitionResponse::read(r, version, flexible, topic, topic_id)?);
            }
            if flexible {
                r.skip_tagged_fields()?;
            }
        }
        out.throttle_time_ms = r.i32().map_err(|e| e.in_field("throttle_time_ms"))?;
        if flexible {
            r.tagged_fields(|tag, r| {
                let known = tag == 0 && version >= 10;
                if known {
                    out.node_endpoints = Wire::read(r, version, true).map_err(|e| e.in_field("node_endpoints"))?;
                }
                Ok(known)
            })?;
        }
        Ok(out)
    }
}

impl<'a> PartitionResponse<'a> {
    fn min_size(version: i16, flexible: bool) -> usize {
        // index, error code, base offset, log append time
        let mut n = 4 + 2 + 8 + 8;
        if version >= 5 {
            n += 8;
        }
        if version >= 8 {
            n += if flexible { 2 } else { 6 };
        }
        n + flexible as usize
    }

    fn write(&self, w: &mut Writer, version: i16, flexible: bool) {
        w.i32(self.index);
        w.i16(self.error_code);
        w.i64(self.base_offset);
        w.i64(self.log_append_time_ms);
        if version >= 5 {
            w.i64(self.log_start_offset);
        }
        if version >= 8 {
            self.record_errors.write(w, version, flexible);
            w.nullable_str(self.error_message, flexible);
        }
        if flexible {
            let leader = version >= 10 && self.current_leader != LeaderIdAndEpoch::default();
            w.uvarint(leader as u32);
            if leader {
                w.tagged_field(0, |w| self.current_leader.write(w, version, true));
            }
        }
    }

    fn read(r: &mut Reader<'a>, version: i16, flexible: bool, topic: &'a str, topic_id: Uuid) -> Result<Self> {
        let mut p = Self { topic, topic_id, ..Self::default() };
        p.index = r.i32().map_err(|e| e.in_field("index"))?;
        p.error_code = r.i16().map_err(|e| e.in_field("error_code"))?;
        p.base_offset = r.i64().map_err(|e| e.in_field("base_offset"))?;
        p.log_append_time_ms = r.i64().map_err(|e| e.in_field("log_append_time_ms"))?;
        if version >= 5 {
            p.log_start_offset = r.i64().map_err(|e| e.in_field("log_start_offset"))?;
        }
        if version >= 8 {
            p.record_errors = Wire::read(r, version, flexible).map_err(|e| e.in_field("record_errors"))?;
            p.error_message = r.nullable_str(flexible).map_err(|e| e.in_field("error_message"))?;
        }
        if flexible {
            r.tagged_fields(|tag, r| {
                let known = tag == 0 && version >= 10;
                if known {
                    p.current_leader = Wire::read(r, version, true).map_err(|e| e.in_field("current_leader"))?;
                }
                Ok(known)
            })?;
        }
        Ok(p)
    }
}

fn write_topic(w: &mut Writer, version: i16, flexible: bool, name: &str, topic_id: &Uuid) {
    if version >= 13 {
        w.uuid(topic_id);
    } else {
        w.str(name, flexible);
    }
}

/// Writing a ProduceRequest around record bytes that are sent from elsewhere.
///
/// The caller writes the pieces in the order `begin`, then per topic `topic`, then per partition `partition`, *its
/// own record bytes*, `end_partition`; `end_topic`; and `end`. The record bytes need not go through the writer: note
/// [`Writer::len`] after `partition`, send the records from where they lie at that point, and pass the sum of their
/// lengths to [`Writer::end_frame`].
pub mod request {
    use super::{write_topic, ApiKey, Uuid, Writer};

    fn flexible(version: i16) -> bool {
        ApiKey::Produce.is_flexible(version)
    }

    /// Top-level fields and the count of topics that follow. `timeout_ms` is how long the broker may wait for
    /// replicas.
    pub fn begin(
        w: &mut Writer,
        version: i16,
        transactional_id: Option<&str>,
        acks: i16,
        timeout_ms: i32,
        topic_count: usize,
    ) {
        w.nullable_str(transactional_id, flexible(version));
        w.i16(acks);
        w.i32(timeout_ms);
        w.array_len(topic_count, flexible(version));
    }

    /// A topic (`name` is written up to v12, `topic_id` from v13) and the count of partitions that follow.
    pub fn topic(w: &mut Writer, version: i16, name: &str, topic_id: &Uuid, partition_count: usize) {
        write_topic(w, version, flexible(version), name, topic_id);
        w.array_len(partition_count, flexible(version));
    }

    /// A partition and the length of its records, whose bytes come next.
    pub fn partition(w: &mut Writer, version: i16, index: i32, records_len: usize) {
        w.i32(index);
        w.array_len(records_len, flexible(version));
    }

    /// Ends a partition, after its record bytes.
    pub fn end_partition(w: &mut Writer, version: i16) {
        w.no_tagged_fields(flexible(version));
    }

    /// Ends a topic, after its last partition.
    pub fn end_topic(w: &mut Writer, version: i16) {
        w.no_tagged_fields(flexible(version));
    }

    /// Ends the request, after the last topic.
    pub fn end(w: &mut Writer, version: i16) {
        w.no_tagged_fields(flexible(version));
    }
}
