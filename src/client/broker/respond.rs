//! Responses: the versions a broker speaks, metadata, and the verdicts of batches.

use super::auth::SaslNext;
use super::conn::{InFlight, Purpose};
use super::link::Link;
use super::stream::Stream;
use super::thread::BrokerThread;
use crate::accumulator::batch::Batch;
use crate::accumulator::partition::split;
use crate::client::delivery::{Status, Verdict, OFFSET_INVALID};
use crate::client::events::Event;
use crate::client::expiry;
use crate::client::idempotence::{self, Refused};
use crate::client::main_thread::MainOp;
use crate::client::topic::Partition;
use crate::client::transaction;
use crate::conf::DebugContexts;
use crate::error::{produce_action, PersistedHint, RespErr};
use crate::protocol::api::{finish_response_header, ApiKey};
use crate::protocol::messages::api_versions::ApiVersionsResponse;
use crate::protocol::messages::init_producer_id::InitProducerIdResponse;
use crate::protocol::messages::metadata::MetadataResponse;
use crate::protocol::messages::produce::{PartitionResponse, ProduceResponse};
use crate::protocol::Reader;
use crate::security::tls::explain;
use crate::sys::clock;
use std::io;
use std::sync::atomic::Ordering::*;
use std::time::{Duration, Instant};

/// Versions of a broker that does not answer ApiVersions as we ask: those of Kafka 0.11.
const FALLBACK_VERSIONS: &[(i16, i16, i16)] = &[(0, 0, 3), (3, 0, 4), (18, 0, 1)];

/// Answers by which a broker says that a batch does not continue the series that it knows.
fn is_refusal_by_sequence(err: RespErr) -> bool {
    matches!(
        err,
        RespErr::ERR_OUT_OF_ORDER_SEQUENCE_NUMBER
            | RespErr::ERR_UNKNOWN_PRODUCER_ID
            | RespErr::ERR_INVALID_PRODUCER_EPOCH
    )
}

/// Finalized feature that says by which rules transactions go (KIP-890).
const TRANSACTION_FEATURE: &str = "transaction.version";

/// Reads in one round, so that a fast broker cannot keep the thread from its other duties.
const READS: usize = 16;

/// What a response asks of the thread beyond itself.
pub(super) enum After {
    Nothing,
    Sasl(SaslNext),
    Ready,
    AskVersionsAgain(i16),
}

impl BrokerThread {
    /// Reads what the socket has and serves every whole response.
    pub(super) fn receive(&mut self) {
        for _ in 0..READS {
            let Link::Up(conn) = &mut self.link else { return };
            match conn.fill() {
                Ok((0, _)) => {
                    let text = match &conn.stream {
                        Stream::Plain(_) if conn.versions.is_empty() => {
                            "Disconnected while the protocol versions were being asked for: is this a Kafka broker, and a \
                             port without TLS (security.protocol)?"
                        }
                        Stream::Tls(_) if conn.versions.is_empty() => {
                            "Disconnected while the protocol versions were being asked for: the broker may want a client \
                             certificate (ssl.certificate.location)"
                        }
                        // As Kafka does where a client does not authenticate on a port of SASL.
                        _ if !conn.answered && !self.shared.settings.security.protocol.sasl() => {
                            "Disconnected before anything was answered: the port may want SASL (security.protocol)"
                        }
                        _ => "Disconnected",
                    };
                    return self.go_down(RespErr::ERR__TRANSPORT, text.to_owned());
                }
                Ok((n, more)) => {
                    self.me.counters.rx_bytes.fetch_add(n as u64, Relaxed);
                    if !self.serve_frames() || !more {
                        return;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.me.counters.rx_errors.fetch_add(1, Relaxed);
                    return match e.downcast::<rustls::Error>() {
                        Ok(e) => {
                            let text = explain(&e, &self.me.address.lock().0);
                            self.go_down(RespErr::ERR__SSL, format!("Receive failed: {text}"));
                        }
                        Err(e) => self.go_down(RespErr::ERR__TRANSPORT, format!("Receive failed: {e}")),
                    };
                }
            }
        }
    }

    /// Serves the whole frames in the buffer; false if the link went down.
    fn serve_frames(&mut self) -> bool {
        loop {
            let Link::Up(conn) = &mut self.link else { return false };
            let range = match conn.next_frame() {
                Ok(Some(range)) => range,
                Ok(None) => return true,
                Err(text) => {
                    self.me.counters.rx_errors.fetch_add(1, Relaxed);
                    self.go_down(RespErr::ERR__BAD_MSG, text);
                    return false;
                }
            };
            // Taken off the link while it is served, so that the frame can be borrowed beside `self`.
            let Link::Up(mut conn) = std::mem::replace(&mut self.link, Link::Down { retry_at: Instant::now() }) else {
                return false;
            };
            let mut versions = std::mem::take(&mut conn.versions);
            let served = match conn.in_flight.pop_front() {
                None => Err("a response to no request".to_owned()),
                Some(request) => {
                    conn.answered |= !matches!(request.purpose, Purpose::ApiVersions | Purpose::Sasl);
                    self.serve(conn.bytes(range), request, &mut versions)
                }
            };
            conn.versions = versions;
            self.link = Link::Up(conn);
            match served {
                Ok(After::Nothing) => {}
                Ok(After::Ready) => self.versions_known(),
                Ok(After::Sasl(next)) => {
                    if !self.sasl_next(next) {
                        return false;
                    }
                }
                Ok(After::AskVersionsAgain(version)) => self.send_api_versions(version),
                Err(text) => {
                    self.me.counters.rx_errors.fetch_add(1, Relaxed);
                    self.go_down(RespErr::ERR__BAD_MSG, text);
                    return false;
                }
            }
        }
    }

    fn serve(&mut self, frame: &[u8], request: InFlight, versions: &mut Vec<(i16, i16, i16)>) -> Result<After, String> {
        self.me.counters.rx.fetch_add(1, Relaxed);
        if self.shared.settings.statistics_interval_ms > 0 {
            let c = &self.me.counters;
            c.rtt.record(request.sent.elapsed().as_micros() as u64);
            c.outbuf_latency.record((request.sent - request.made).as_micros() as u64);
            self.me.counters.last_rx_us.store(clock::precise_us(), Relaxed);
        }
        let mut r = Reader::new(frame);
        let (api, version) = (request.api, request.version);
        let bad = |e: crate::protocol::DecodeError| format!("a malformed {} v{version} response: {e}", api.api().name);
        let id = r.i32().map_err(bad)?;
        if id != request.correlation_id || !request.fully_written() {
            self.me.counters.rx_correlation_errors.fetch_add(1, Relaxed);
            let expected = request.correlation_id;
            self.lost_request(request);
            return Err(format!("a response with correlation id {id} where {expected} was due"));
        }
        self.timed_out_in_a_row = 0;
        let header = finish_response_header(&mut r, api, version).map_err(bad);
        match request.purpose {
            Purpose::GivenUp => Ok(After::Nothing),
            Purpose::ApiVersions => {
                header?;
                let body = ApiVersionsResponse::decode_any(&mut r, version).map_err(bad)?;
                self.versions_arrived(body, version, versions)
            }
            Purpose::Metadata { tag, early } => {
                let decoded = header.and_then(|()| MetadataResponse::decode(&mut r, version).map_err(bad));
                match decoded {
                    Ok(body) => {
                        self.throttle(body.throttle_time_ms);
                        let result = Ok(Box::new(body));
                        let (from, early) = (self.me.id, early.is_some());
                        self.main_has_to_look |=
                            self.shared.serve_or_send(MainOp::Metadata { tag, from, early, result });
                        Ok(After::Nothing)
                    }
                    Err(text) => {
                        self.metadata_failed(tag, RespErr::ERR__BAD_MSG);
                        Err(text)
                    }
                }
            }
            Purpose::Query { tag } => {
                if let Err(text) = header {
                    self.query_answered(tag, Err(RespErr::ERR__BAD_MSG));
                    return Err(text);
                }
                self.query_answered(tag, Ok((version, r.rest().to_vec())));
                Ok(After::Nothing)
            }
            Purpose::Sasl => {
                header?;
                self.sasl_answered(api, version, &mut r)
            }
            Purpose::ProducerId => {
                let decoded = header.and_then(|()| InitProducerIdResponse::decode(&mut r, version).map_err(bad));
                match decoded {
                    Ok(body) => {
                        self.producer_id_answered(match RespErr::from_wire(body.error_code) {
                            RespErr::NO_ERROR => Ok((body.producer_id, body.producer_epoch)),
                            e => Err(e),
                        });
                        self.throttle(body.throttle_time_ms);
                        Ok(After::Nothing)
                    }
                    Err(text) => {
                        self.producer_id_answered(Err(RespErr::ERR__BAD_MSG));
                        Err(text)
                    }
                }
            }
            Purpose::Produce { batches, topic_ids, .. } => {
                self.produce_in_flight = self.produce_in_flight.saturating_sub(1);
                let decoded = header.and_then(|()| ProduceResponse::decode(&mut r, version).map_err(bad));
                match decoded {
                    Ok(body) => {
                        self.produce_answered(batches, &topic_ids, &body);
                        self.throttle(body.throttle_time_ms);
                        Ok(After::Nothing)
                    }
                    Err(text) => {
                        for mut batch in batches.into_iter().flatten() {
                            batch.possibly_persisted = true;
                            self.retry_or_fail(batch, RespErr::ERR__TRANSPORT);
                        }
                        Err(text)
                    }
                }
            }
        }
    }

    fn versions_arrived(
        &mut self,
        body: ApiVersionsResponse,
        asked: i16,
        versions: &mut Vec<(i16, i16, i16)>,
    ) -> Result<After, String> {
        match RespErr::from_wire(body.error_code) {
            RespErr::NO_ERROR => {
                *versions = body.api_keys.iter().map(|k| (k.api_key, k.min_version, k.max_version)).collect();
                let level = body.finalized_features.iter().find(|f| f.name == TRANSACTION_FEATURE);
                let level = level.map_or(0, |f| f.max_version_level);
                self.shared.txn.feature_known(body.finalized_features_epoch, level);
            }
            RespErr::ERR_UNSUPPORTED_VERSION if asked > 0 => {
                // The answer may name the versions that the broker takes for this very request (KIP-511).
                let max = body.range(ApiKey::ApiVersions as i16).map_or(0, |(_, max)| max);
                return Ok(After::AskVersionsAgain(max.clamp(0, asked - 1)));
            }
            e => return Err(format!("ApiVersions failed: {}", e.description())),
        }
        if versions.is_empty() {
            *versions = FALLBACK_VERSIONS.to_vec();
        }
        self.shared
            .debug(DebugContexts::FEATURE, "APIVERSION", || format!("{}: {} APIs", self.me.name(), versions.len()));
        Ok(After::Ready)
    }

    pub(super) fn query_answered(&self, tag: u64, result: Result<(i16, Vec<u8>), RespErr>) {
        self.shared.tell_main(MainOp::Answer { tag, result });
    }

    pub(super) fn producer_id_answered(&self, result: Result<(i64, i16), RespErr>) {
        self.shared.tell_main(MainOp::ProducerId(result));
    }

    /// Gives each batch of the request its verdict.
    fn produce_answered(
        &mut self,
        mut batches: Vec<Option<Batch<Partition>>>,
        topic_ids: &[[u8; 16]],
        body: &ProduceResponse<'_>,
    ) {
        let mut guess = 0;
        for answer in &body.responses {
            let is_it = |i: usize, b: &Batch<Partition>| {
                b.owner.index == answer.index
                    && (b.owner.info.name == answer.topic
                        || (answer.topic.is_empty() && topic_ids[i] == answer.topic_id))
            };
            // Brokers answer in the order of the request; if one does not, look for it.
            let n = batches.len();
            let at = (0..n).map(|i| (guess + i) % n).find(|&i| batches[i].as_ref().is_some_and(|b| is_it(i, b)));
            if let Some(batch) = at.and_then(|i| batches[i].take()) {
                guess = at.map_or(0, |i| (i + 1) % n);
                self.judge(batch, answer, body);
            }
        }
        // A broker that leaves a batch out of its answer has not said what became of it.
        for mut batch in batches.into_iter().flatten() {
            batch.possibly_persisted = true;
            self.settle(batch, Verdict::failed(RespErr::ERR__BAD_MSG, Status::PossiblyPersisted));
        }
    }

    fn judge(&mut self, mut batch: Batch<Partition>, answer: &PartitionResponse<'_>, body: &ProduceResponse<'_>) {
        let err = RespErr::from_wire(answer.error_code);
        let action = produce_action(err);
        let fenced = self.shared.txn.enabled() && err == RespErr::ERR_INVALID_PRODUCER_EPOCH;
        if batch.base_sequence >= 0 && is_refusal_by_sequence(err) && !fenced {
            return self.sequence_refused(batch, err);
        }
        if action.success {
            let known = err == RespErr::NO_ERROR && answer.base_offset >= 0;
            let verdict = Verdict {
                err: RespErr::NO_ERROR,
                status: Status::Persisted,
                base_offset: if known { answer.base_offset } else { OFFSET_INVALID },
                append_time: answer.log_append_time_ms,
            };
            return self.settle(batch, verdict);
        }
        self.shared.debug(DebugContexts::MSG, "MSGSET", || {
            format!(
                "{}: {} [{}]: batch of {} failed: {}",
                self.me.name(),
                batch.owner.info.name,
                batch.owner.index,
                batch.count,
                err.description()
            )
        });
        // An error with an offset came after the leader's append: with acks=all it may lose its office, its disk or its
        // replicas while it waits for them, and answers by the same codes as one that appended nothing.
        if action.persisted == PersistedHint::PossiblyPersisted || answer.base_offset >= 0 {
            batch.possibly_persisted = true;
        }
        if action.refresh_metadata {
            self.shared.tell_main(MainOp::Refresh(batch.owner.clone()));
            let leader = &answer.current_leader;
            if leader.leader_id >= 0 {
                let endpoint = body.node_endpoints.iter().find(|n| n.node_id == leader.leader_id);
                self.shared.tell_main(MainOp::Leader {
                    partition: batch.owner.clone(),
                    leader: leader.leader_id,
                    epoch: leader.leader_epoch,
                    endpoint: endpoint.and_then(|n| Some((n.host.clone(), u16::try_from(n.port).ok()?))),
                });
            }
        }
        if action.retriable {
            return self.retry_or_fail(batch, err);
        }
        if action.split && self.may_split(&batch) {
            return self.split(batch);
        }
        let fenced = matches!(err, RespErr::ERR_INVALID_PRODUCER_EPOCH | RespErr::ERR_PRODUCER_FENCED);
        if fenced && self.shared.txn.enabled() {
            let text = format!(
                "{}: {} [{}]: {}: transactional producer fenced by newer producer instance",
                self.me.name(),
                batch.owner.info.name,
                batch.owner.index,
                err.description()
            );
            self.shared.set_fatal(RespErr::ERR__FENCED, text);
        } else if action.fatal && self.shared.ids.enabled() {
            let text =
                format!("{}: {} [{}]: {}", self.me.name(), batch.owner.info.name, batch.owner.index, err.description());
            self.shared.set_fatal(err, text);
        }
        let status = if batch.possibly_persisted { Status::PossiblyPersisted } else { Status::NotPersisted };
        // The records named are at fault; the others failed only for being in one batch with them (KIP-467).
        let own: Vec<(u32, RespErr)> =
            answer.record_errors.iter().map(|e| (e.batch_index as u32, RespErr::ERR_INVALID_RECORD)).collect();
        let verdict = if own.is_empty() {
            Verdict::failed(err, status)
        } else {
            Verdict::failed(RespErr::ERR__INVALID_DIFFERENT_RECORD, status)
        };
        self.settle_with(batch, verdict, own);
    }

    /// Whether smaller batches may be tried. Of a sequenced batch that may be in the log already, the parts could come to lie
    /// beside it: brokers know a batch again by its first and last sequence.
    fn may_split(&self, batch: &Batch<Partition>) -> bool {
        batch.count > 1 && !(batch.base_sequence >= 0 && batch.possibly_persisted)
    }

    /// A batch of several records that the broker finds too large goes back to its place in parts, to be sent at once
    /// (KIP-126). That is no retry: each part is smaller, down to the single record.
    fn split(&mut self, batch: Batch<Partition>) {
        let (p, number) = (batch.owner.clone(), batch.number);
        let parts = split(batch);
        self.shared.debug(DebugContexts::MSG, "SPLIT", || {
            format!("{} [{}]: the batch is too large, sent again in {} parts", p.info.name, p.index, parts.len())
        });
        {
            let mut inner = p.queue.lock();
            inner.in_flight = inner.in_flight.saturating_sub(1);
            inner.sequence.came_back(number);
            parts.into_iter().for_each(|part| inner.put_back(part));
            p.backlog.store(inner.ready.len() as u32, Relaxed);
        }
        if let Some(code) = self.shared.txn.given_up() {
            // The purge that began the abort may have been before.
            expiry::fail(&self.shared, expiry::take_all(&p), code);
        }
        self.look(p);
    }

    /// The broker's idea of the partition's series is another than ours.
    fn sequence_refused(&mut self, mut batch: Batch<Partition>, err: RespErr) {
        let p = batch.owner.clone();
        let given_up = self.shared.txn.given_up();
        let (verdict, over) = {
            let mut inner = p.queue.lock();
            let number = batch.number;
            inner.sequence.came_back(number);
            (idempotence::refused(&mut inner, &mut batch, err), inner.sequence.draining)
        };
        self.shared.debug(DebugContexts::EOS, "SEQUENCE", || {
            format!(
                "{} [{}]: sequence {} of epoch {} refused: {}",
                p.info.name,
                p.index,
                batch.base_sequence,
                batch.producer_epoch,
                err.description()
            )
        });
        if over && self.shared.txn.enabled() {
            let text = format!(
                "ProduceRequest for {} [{}] with {} message(s) failed: {}: current transaction must be aborted",
                p.info.name,
                p.index,
                batch.count,
                err.description()
            );
            self.shared.transaction_failed(err, text, true);
        }
        match verdict {
            Refused::Again if over && self.shared.txn.enabled() => {
                // Batches before it may be missing because an abort took them from the queue: then that is the reason.
                let code = given_up.unwrap_or(err);
                self.settle(batch, Verdict::failed(code, Status::NotPersisted));
            }
            Refused::Again => self.retry_or_fail(batch, RespErr::ERR__RETRY),
            Refused::Lost => self.settle(batch, Verdict::failed(err, Status::PossiblyPersisted)),
        }
    }

    /// Puts a batch back to be sent again, or gives it its verdict if it may not be.
    pub(super) fn retry_or_fail(&mut self, mut batch: Batch<Partition>, code: RespErr) {
        let now = Instant::now();
        let action = produce_action(code);
        let s = &self.shared.settings;
        if action.counts_retry && batch.attempts > 0 {
            batch.retries += 1;
        }
        let status = if batch.possibly_persisted { Status::PossiblyPersisted } else { Status::NotPersisted };
        if !action.retriable || batch.retries > s.retries {
            return self.settle(batch, Verdict::failed(code, status));
        }
        if super::thread::expiry_of(&batch).is_some_and(|t| now >= t) {
            return self.settle(batch, Verdict::failed(RespErr::ERR__MSG_TIMED_OUT, status));
        }
        let doubled = (s.retry_backoff_ms as u64) << batch.attempts.saturating_sub(1).min(16);
        let doubled = match code {
            RespErr::ERR_CONCURRENT_TRANSACTIONS => doubled.min(transaction::COMPLETION_PAUSE_MS),
            _ => doubled,
        };
        // ±20 %, so that partitions and clients do not come back all at once.
        let jittered = doubled.min(s.retry_backoff_max_ms as u64) * fastrand::u64(80..=120) / 100;
        let at = now + Duration::from_millis(jittered);
        batch.not_before = Some(at);
        if batch.attempts > 0 {
            self.me.counters.tx_retries.fetch_add(1, Relaxed);
        }
        let p = batch.owner.clone();
        {
            let mut inner = p.queue.lock();
            // Under the lock: the purge that begins an abort takes it after the state has changed.
            if let Some(code) = self.shared.txn.given_up() {
                drop(inner);
                return self.settle(batch, Verdict::failed(code, status));
            }
            inner.in_flight = inner.in_flight.saturating_sub(1);
            let number = batch.number;
            inner.sequence.came_back(number);
            inner.put_back(batch);
            p.backlog.store(inner.ready.len() as u32, Relaxed);
        }
        // Whoever leads the partition now takes it up, this thread included.
        self.look(p);
    }

    pub(super) fn settle(&mut self, batch: Batch<Partition>, verdict: Verdict) {
        self.settle_with(batch, verdict, Vec::new());
    }

    /// Gives a batch that was in flight its verdict.
    fn settle_with(&mut self, mut batch: Batch<Partition>, verdict: Verdict, own: Vec<(u32, RespErr)>) {
        let p = batch.owner.clone();
        let gap = verdict.err != RespErr::NO_ERROR && batch.base_sequence >= 0;
        let (back, waiting) = {
            let mut inner = p.queue.lock();
            inner.in_flight = inner.in_flight.saturating_sub(1);
            let number = batch.number;
            inner.sequence.came_back(number);
            inner.sequence.draining |= gap;
            let waiting = inner.sequence.draining || !inner.sequence.confirmed;
            let series = (batch.producer_id, batch.producer_epoch);
            if verdict.err == RespErr::NO_ERROR && inner.sequence.producer == Some(series) {
                inner.sequence.confirmed = true;
            }
            (inner.in_flight == 0, self.shared.ids.enabled() && (waiting || batch.possibly_persisted))
        };
        let doubt_over = batch.possibly_persisted && waiting;
        if let Some((_, buffer)) = batch.compressed.take() {
            self.keep_buffer(buffer);
        }
        self.shared.deliver_with(batch, verdict, own);
        if gap && !matches!(verdict.err, RespErr::ERR__PURGE_INFLIGHT | RespErr::ERR__DESTROY) {
            self.shared.note_gap(&p, verdict.err);
        }
        if back && (self.stopping || p.leader.load(Acquire) != self.me.id) {
            self.shared.send_look(&p);
        } else if (back && waiting) || doubt_over {
            self.look(p);
        }
    }

    /// Requests with acks=0 are done when they are written.
    pub(super) fn settle_unanswered(&mut self) {
        loop {
            let Link::Up(conn) = &mut self.link else { return };
            let Some(request) = conn.take_unanswered() else { return };
            self.produce_in_flight = self.produce_in_flight.saturating_sub(1);
            if let Purpose::Produce { batches, .. } = request.purpose {
                for batch in batches.into_iter().flatten() {
                    let verdict = Verdict {
                        err: RespErr::NO_ERROR,
                        status: Status::PossiblyPersisted,
                        base_offset: OFFSET_INVALID,
                        append_time: -1,
                    };
                    self.settle(batch, verdict);
                }
            }
        }
    }

    /// The broker asks to be left alone for a while; the client holds back by itself (KIP-219).
    fn throttle(&mut self, ms: i32) {
        if ms <= 0 {
            return;
        }
        self.me.counters.throttle.record(ms as u64);
        let most = Duration::from_millis((ms as u64).min(3_600_000));
        self.throttled_until = Some(Instant::now() + most);
        if self.shared.hooks.want_throttle {
            self.shared.events.push(Event::Throttle {
                broker_name: self.me.node_name(),
                broker_id: self.me.id,
                throttle_ms: ms,
            });
        }
    }

    pub(super) fn metadata_failed(&self, tag: u64, code: RespErr) {
        self.shared.tell_main(MainOp::Metadata { tag, from: self.me.id, early: false, result: Err(code) });
    }

    /// The link failed while requests for metadata waited for it: another broker may be asked.
    pub(super) fn fail_waiting_metadata(&mut self, code: RespErr) {
        if std::mem::take(&mut self.producer_id_wanted) {
            self.producer_id_answered(Err(code));
        }
        for (_, tag) in std::mem::take(&mut self.queries) {
            self.query_answered(tag, Err(code));
        }
        for (_, tag) in std::mem::take(&mut self.metadata_queue) {
            self.metadata_failed(tag, code);
        }
    }
}
