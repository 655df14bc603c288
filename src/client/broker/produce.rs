//! Making Produce requests: which batches go, their headers and checksums, and the bytes around their records.

use super::conn::{records_len, InFlight, Purpose};
use super::link::Link;
use super::thread::BrokerThread;
use super::Query;
use crate::accumulator::batch::Batch;
use crate::client::delivery::{Status, Verdict};
use crate::client::expiry;
use crate::client::idempotence::{self, Next};
use crate::client::log::WARNING;
use crate::client::topic::Partition;
use crate::conf::{Compression, DebugContexts};
use crate::error::RespErr;
use crate::protocol::api::{begin_request, ApiKey};
use crate::protocol::messages::api_versions::ApiVersionsRequest;
use crate::protocol::messages::init_producer_id::InitProducerIdRequest;
use crate::protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use crate::protocol::messages::produce::request;
use crate::protocol::records::batch::{BatchHeader, ATTR_TRANSACTIONAL, HEADER_LEN};
use crate::protocol::records::codec;
use crate::protocol::{negotiate, Writer};
use crate::sys::checksum::crc32c_append;
use std::sync::atomic::Ordering::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of records in one request, over which no further batch is added. Java's `max.request.size` is of this order.
const REQUEST_BYTES: usize = 1 << 20;

/// Buffers of compressed batches kept for further ones while some are in flight.
const SPARE_BUFFERS: usize = 4;

/// First Produce version that may carry zstd (KIP-110), and the last that names topics, not their ids (KIP-516).
const ZSTD_VERSION: i16 = 7;
const LAST_BY_NAME: i16 = 12;

/// Last Produce version that leaves it to AddPartitionsToTxn to add partitions to a transaction (KIP-890).
const LAST_WITHOUT_TRANSACTIONS_V2: i16 = 11;

impl BrokerThread {
    /// A Produce request could be written now.
    pub(super) fn can_send(&self) -> bool {
        match &self.link {
            Link::Up(conn) => {
                self.is_up()
                    && !self.authenticating()
                    && !conn.blocked()
                    && self.throttled_until.is_none()
                    && self.shared.ids.ready()
                    && self.produce_in_flight < self.shared.settings.max_in_flight
            }
            _ => false,
        }
    }

    pub(super) fn send_what_is_due(&mut self) {
        if !self.is_up() || self.authenticating() {
            return;
        }
        if std::mem::take(&mut self.producer_id_wanted) {
            self.send_init_producer_id();
        }
        while let Some((query, tag)) = self.queries.pop_front() {
            self.send_query(query, tag);
        }
        while let Some((query, tag)) = self.metadata_queue.pop_front() {
            self.send_metadata(query, tag);
        }
        while self.can_send() && !self.sched.ready.is_empty() {
            let batches = self.collect();
            if batches.is_empty() {
                break;
            }
            self.send_produce(batches);
            self.flush();
        }
    }

    /// Takes the first ready batch of as many partitions as fit in a request.
    fn collect(&mut self) -> Vec<Batch<Partition>> {
        let now = Instant::now();
        self.sched.begin_round();
        let mut batches: Vec<Batch<Partition>> = Vec::new();
        let mut bytes = 0;
        let mut more = Vec::new();
        for _ in 0..self.sched.ready.len() {
            let Some(p) = self.sched.next_ready() else { break };
            if p.leader.load(Acquire) != self.me.id {
                self.shared.send_look(&p);
                continue;
            }
            if !self.sched.first_in_round(&p) {
                // A request may hold one batch of a partition: brokers keep only one of several.
                more.push(p);
                continue;
            }
            let mut inner = p.queue.lock();
            if inner.in_flight > 0 && p.flight_owner.load(Relaxed) != self.sched.owner() {
                // The old leader's thread still has batches of it, and tells when they are back: order before speed.
                continue;
            }
            let Some(front) = inner.ready.front() else { continue };
            if let Some(at) = front.not_before.filter(|at| *at > now) {
                drop(inner);
                self.sched.add_backoff(&p, at);
                continue;
            }
            if self.shared.txn.enabled() && !self.shared.txn.admits(&self.shared, &p) {
                drop(inner);
                // Accepted by a call that overlapped the failure.
                if let Some(code) = self.shared.txn.given_up() {
                    expiry::fail(&self.shared, expiry::take_all(&p), code);
                }
                continue;
            }
            if !batches.is_empty() && bytes + front.bytes > REQUEST_BYTES {
                drop(inner);
                more.push(p);
                break;
            }
            let batch = if self.shared.ids.enabled() {
                match idempotence::next_batch(&self.shared.ids, &mut inner) {
                    Next::Batch(batch) => batch,
                    // Settling or putting back the last one in flight leads here again.
                    Next::Wait => continue,
                    Next::NoId => {
                        more.push(p.clone());
                        self.shared.need_producer_id();
                        break;
                    }
                }
            } else {
                let Some(batch) = inner.ready.pop_front() else { continue };
                batch
            };
            inner.in_flight += 1;
            if batch.base_sequence >= 0 {
                inner.sequence.sent(batch.number, batch.possibly_persisted);
            }
            p.flight_owner.store(self.sched.owner(), Relaxed);
            p.backlog.store(inner.ready.len() as u32, Relaxed);
            let again = !inner.ready.is_empty();
            drop(inner);
            bytes += batch.bytes;
            batches.push(batch);
            if again {
                more.push(p);
            }
        }
        more.iter().for_each(|p| self.sched.add_ready(p));
        batches
    }

    fn send_produce(&mut self, batches: Vec<Batch<Partition>>) {
        let Link::Up(conn) = &self.link else { return self.return_unsent(batches) };
        let range = conn.version_range(ApiKey::Produce);
        let shared = self.shared.clone();
        let txn = &shared.txn;
        let most = if !txn.enabled() || txn.is_v2() { i16::MAX } else { LAST_WITHOUT_TRANSACTIONS_V2 };
        let version = range.and_then(|(min, max)| negotiate(ApiKey::Produce, min, max.min(most)));
        let Some(version) = version.filter(|v| !txn.is_v2() || *v > LAST_WITHOUT_TRANSACTIONS_V2) else {
            return self.refuse_for_version(batches, range);
        };
        let mut ready = Vec::with_capacity(batches.len());
        for mut batch in batches {
            if self.prepare(&mut batch, version) {
                ready.push(batch);
            } else {
                let text = format!(
                    "{}: the broker is too old for compression.codec=zstd (Kafka 2.1 or newer)",
                    self.me.name()
                );
                self.refuse(vec![batch], RespErr::ERR__UNSUPPORTED_FEATURE, text);
            }
        }
        if ready.is_empty() {
            return;
        }
        // Partitions of a topic must be neighbours.
        ready.sort_by_key(|b| Arc::as_ptr(&b.owner.info) as usize);
        // Read once: the main thread may change them meanwhile.
        let mut topic_ids: Vec<[u8; 16]> = Vec::with_capacity(ready.len());
        for (i, b) in ready.iter().enumerate() {
            let same = i > 0 && Arc::ptr_eq(&ready[i - 1].owner.info, &b.owner.info);
            topic_ids.push(if same { topic_ids[i - 1] } else { *b.owner.info.id.lock() });
        }
        // Ids must be known for every topic of the request.
        let version = if topic_ids.contains(&[0; 16]) { version.min(LAST_BY_NAME) } else { version };
        let conf = &ready[0].owner.info.conf;
        let (acks, timeout_ms) = (conf.acks, conf.request_timeout_ms);
        let Link::Up(conn) = &mut self.link else { return };
        let id = conn.correlation_id();
        let mut w = Writer::from_vec(Vec::with_capacity(64 + ready.len() * (HEADER_LEN + 16)));
        let start = begin_request(&mut w, ApiKey::Produce, version, id, Some(&self.shared.settings.client_id));
        let same = |a: &Batch<Partition>, b: &Batch<Partition>| Arc::ptr_eq(&a.owner.info, &b.owner.info);
        request::begin(&mut w, version, txn.id.as_deref(), acks, timeout_ms as i32, ready.chunk_by(same).count());
        let mut cuts = Vec::with_capacity(ready.len());
        let mut extra = 0;
        for topic in ready.chunk_by(same) {
            let info = &topic[0].owner.info;
            request::topic(&mut w, version, &info.name, &topic_ids[cuts.len()], topic.len());
            for batch in topic {
                let len = records_len(batch);
                request::partition(&mut w, version, batch.owner.index, HEADER_LEN + len);
                w.raw(&batch_header(batch, txn.enabled()));
                cuts.push(w.len());
                extra += len;
                request::end_partition(&mut w, version);
            }
            request::end_topic(&mut w, version);
        }
        request::end(&mut w, version);
        if w.end_frame(start, extra).is_err() {
            let text = "a Produce request does not fit the protocol's length fields".to_owned();
            return self.refuse(ready, RespErr::ERR__FAIL, text);
        }
        self.count_sent(ApiKey::Produce, &ready);
        // The broker answers within `timeout_ms` even if replicas lag; the rest is for the way.
        let deadline = Instant::now() + Duration::from_millis(timeout_ms as u64 + 1000);
        let first_expiry = ready.iter().filter_map(super::thread::expiry_of).min();
        let batches = ready.into_iter().map(Some).collect();
        let purpose = Purpose::Produce { batches, topic_ids, acks };
        let request = InFlight::new(id, ApiKey::Produce, version, deadline, purpose, w.into_vec(), cuts);
        let Link::Up(conn) = &mut self.link else { return };
        conn.push(request);
        self.produce_in_flight += 1;
        self.watch(first_expiry.map_or(deadline, |e| e.min(deadline)));
    }

    /// Waits for the batch's last records to be written and compresses them. False: the broker cannot take it.
    fn prepare(&mut self, batch: &mut Batch<Partition>, version: i16) -> bool {
        batch.complete();
        batch.attempts += 1;
        let owner = batch.owner.clone();
        let (kind, level) = (owner.info.conf.compression, owner.info.conf.compression_level);
        if kind == Compression::None {
            return true;
        }
        if kind == Compression::Zstd && version < ZSTD_VERSION {
            return false;
        }
        if !batch.compression_tried {
            batch.compression_tried = true;
            let codec = match kind {
                Compression::None => return true,
                Compression::Gzip => codec::Compression::Gzip,
                Compression::Snappy => codec::Compression::Snappy,
                Compression::Lz4 => codec::Compression::Lz4,
                Compression::Zstd => codec::Compression::Zstd,
            };
            let parts: Vec<&[u8]> = batch.slices().collect();
            let mut buffer = self.spare_buffers.pop().unwrap_or_default();
            let done = codec::compress(codec, level, &parts, &mut buffer, &mut self.compress);
            match done {
                Ok(()) if buffer.len() < batch.bytes => {
                    batch.compressed = Some((kind as u8, buffer));
                    return true;
                }
                // What does not shrink goes plain.
                Ok(()) => {}
                Err(e) => self.shared.log(WARNING, "COMPRESS", format!("{}: {e}; sent uncompressed", kind.name())),
            }
            self.keep_buffer(buffer);
        }
        true
    }

    /// Takes the buffer of a batch that needs it no longer. Memory given back to the system and asked for anew with each
    /// batch would be cleared each time.
    pub(super) fn keep_buffer(&mut self, mut buffer: Vec<u8>) {
        if self.spare_buffers.len() < SPARE_BUFFERS {
            buffer.clear();
            self.spare_buffers.push(buffer);
        }
    }

    fn count_sent(&self, api: ApiKey, batches: &[Batch<Partition>]) {
        let c = &self.me.counters;
        c.requests.0[api as usize].fetch_add(1, Relaxed);
        if self.shared.settings.statistics_interval_ms > 0 {
            for b in batches {
                c.int_latency.record(b.opened.elapsed().as_micros() as u64);
                b.owner.info.batches.size.record(b.bytes as u64);
                b.owner.info.batches.count.record(b.count as u64);
            }
        }
    }

    /// Batches that this broker can never take: reported, with the reason as an error event.
    fn refuse(&mut self, batches: Vec<Batch<Partition>>, code: RespErr, text: String) {
        self.shared.error_event(code, text);
        for batch in batches {
            self.settle(batch, Verdict::failed(code, Status::NotPersisted));
        }
    }

    /// The broker has no version of Produce for these batches.
    fn refuse_for_version(&mut self, batches: Vec<Batch<Partition>>, range: Option<(i16, i16)>) {
        let code = RespErr::ERR__UNSUPPORTED_FEATURE;
        let text = "the broker has no version of Produce that this client speaks (it needs record batches v2: Kafka 0.11 or newer)";
        self.refuse(batches, code, format!("{}: {text}", self.me.name()));
        if range.and_then(|(min, max)| negotiate(ApiKey::Produce, min, max)).is_none() {
            // A new connection asks for the versions anew: what this one was told may have been damaged. No Produce request is
            // in flight here.
            self.go_down(code, text.to_owned());
        }
    }

    fn return_unsent(&mut self, batches: Vec<Batch<Partition>>) {
        for batch in batches {
            self.retry_or_fail(batch, RespErr::ERR__RETRY);
        }
    }

    pub(super) fn send_api_versions(&mut self, version: i16) {
        let s = &self.shared.settings;
        let body = ApiVersionsRequest {
            client_software_name: s.software_name.clone(),
            client_software_version: s.software_version.clone(),
        };
        self.send_simple(ApiKey::ApiVersions, version, Purpose::ApiVersions, |w| body.encode(w, version));
    }

    fn send_init_producer_id(&mut self) {
        let Link::Up(conn) = &self.link else { return };
        let range = conn.version_range(ApiKey::InitProducerId);
        let Some(version) = range.and_then(|(min, max)| negotiate(ApiKey::InitProducerId, min, max)) else {
            return self.producer_id_answered(Err(RespErr::ERR__UNSUPPORTED_FEATURE));
        };
        // No transactional id, so the timeout means nothing; Java sends the largest.
        let body = InitProducerIdRequest { transaction_timeout_ms: i32::MAX, ..Default::default() };
        self.count_sent(ApiKey::InitProducerId, &[]);
        self.send_simple(ApiKey::InitProducerId, version, Purpose::ProducerId, |w| body.encode(w, version));
    }

    fn send_metadata(&mut self, query: super::MetadataQuery, tag: u64) {
        let Link::Up(conn) = &self.link else { return };
        let range = conn.version_range(ApiKey::Metadata);
        let Some(version) = range.and_then(|(min, max)| negotiate(ApiKey::Metadata, min, max)) else {
            self.metadata_failed(tag, RespErr::ERR__UNSUPPORTED_FEATURE);
            return;
        };
        self.write_metadata(query, version, Purpose::Metadata { tag, early: None });
    }

    pub(super) fn write_metadata(&mut self, query: super::MetadataQuery, version: i16, purpose: Purpose) {
        self.shared.debug(DebugContexts::METADATA, "METADATA", || {
            format!("{}: asking for {:?} (v{version})", self.me.name(), query.topics)
        });
        let topics = query.topics.map(|names| {
            names.into_iter().map(|n| MetadataRequestTopic { name: Some(n), ..Default::default() }).collect()
        });
        let body = MetadataRequest { topics, allow_auto_topic_creation: query.allow_auto_create, ..Default::default() };
        self.count_sent(ApiKey::Metadata, &[]);
        self.send_simple(ApiKey::Metadata, version, purpose, |w| body.encode(w, version));
    }

    fn send_query(&mut self, query: Query, tag: u64) {
        let Link::Up(conn) = &self.link else {
            return self.query_answered(tag, Err(RespErr::ERR__TRANSPORT));
        };
        let range = conn.version_range(query.api);
        let version = range
            .and_then(|(min, max)| negotiate(query.api, min, max.min(*query.versions.end())))
            .filter(|v| query.versions.contains(v));
        let Some(version) = version else {
            return self.query_answered(tag, Err(RespErr::ERR__UNSUPPORTED_FEATURE));
        };
        self.count_sent(query.api, &[]);
        self.send_simple(query.api, version, Purpose::Query { tag }, |w| (query.body)(w, version));
    }

    pub(super) fn send_simple(&mut self, api: ApiKey, version: i16, purpose: Purpose, body: impl FnOnce(&mut Writer)) {
        self.send_in(Writer::new(), api, version, purpose, body);
    }

    /// As `send_simple`, written into that buffer.
    pub(super) fn send_in(
        &mut self,
        mut w: Writer,
        api: ApiKey,
        version: i16,
        purpose: Purpose,
        body: impl FnOnce(&mut Writer),
    ) {
        let deadline = self.api_deadline(api);
        let Link::Up(conn) = &mut self.link else { return };
        let id = conn.correlation_id();
        let start = begin_request(&mut w, api, version, id, Some(&self.shared.settings.client_id));
        body(&mut w);
        if w.end_frame(start, 0).is_ok() {
            conn.push(InFlight::new(id, api, version, deadline, purpose, w.into_vec(), Vec::new()));
            self.watch(deadline);
        }
        self.flush();
    }
}

/// The header of a batch, with its checksum over the records' bytes as they are sent.
fn batch_header(b: &Batch<Partition>, transactional: bool) -> [u8; HEADER_LEN] {
    let codec = b.compressed.as_ref().map_or(0, |(codec, _)| *codec as i16);
    let attributes = if transactional { codec | ATTR_TRANSACTIONAL } else { codec };
    let header = BatchHeader {
        base_offset: 0,
        batch_length: (HEADER_LEN - 12 + records_len(b)) as i32,
        partition_leader_epoch: -1,
        magic: 2,
        crc: 0,
        attributes,
        last_offset_delta: b.count as i32 - 1,
        base_timestamp: b.base_timestamp,
        max_timestamp: b.max_timestamp(),
        producer_id: b.producer_id,
        producer_epoch: b.producer_epoch,
        base_sequence: b.base_sequence,
        count: b.count as i32,
    };
    let mut bytes = [0; HEADER_LEN];
    header.write(&mut bytes);
    // The checksum covers everything after itself.
    let crc = match &b.compressed {
        Some((_, records)) => crc32c_append(crc32c_append(0, &bytes[21..]), records),
        None => b.crc32c_after(&bytes[21..]),
    };
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}
