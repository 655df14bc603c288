//! The cluster's handle: starting it, the methods by which a test or a program steers it, and a look into its logs.

pub mod txns;

use super::batch::{self, Header, Record};
use super::faults::{Fault, Faults, HostileMode};
use super::profiles;
use super::security::Security;
use super::server;
use super::shared::{Broker, Control, Options, SeenRequest, Shared};
use super::topics::Partition;
use crate::error::RespErr;
use parking_lot::Mutex;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::thread::JoinHandle;

/// An embedded Kafka cluster: one thread and one loopback port per broker. Dropping it stops and joins every thread.
///
/// Brokers are numbered from 1. Every method may be called from any thread at any time; those that take a broker's id take
/// −1 for all brokers where that makes sense, and return when the change is in effect. Errors are the codes that a broker
/// would answer, or `_UNKNOWN_BROKER` for a broker that does not exist.
pub struct MockCluster {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl MockCluster {
    /// Starts `n_brokers` brokers. The error says which address could not be had.
    pub fn new(n_brokers: i32, options: Options) -> Result<Arc<MockCluster>, String> {
        let (shared, listeners) = Shared::new(n_brokers, options)?;
        // From here on, dropping `cluster` ends the threads that have started.
        let cluster = Arc::new(MockCluster { shared: shared.clone(), threads: Mutex::default() });
        for (i, listener) in listeners.into_iter().enumerate() {
            let shared = shared.clone();
            let thread = std::thread::Builder::new()
                .name(format!("rk:mock{}", i + 1))
                .spawn(move || server::run(shared, i, listener))
                .map_err(|e| format!("cannot start a broker's thread: {e}"))?;
            cluster.threads.lock().push(thread);
        }
        Ok(cluster)
    }

    /// `host:port` of every broker, for `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        let all: Vec<String> = self.shared.brokers.iter().map(Broker::address).collect();
        all.join(",")
    }

    /// Stops every broker and waits for the threads. Further calls do nothing.
    pub fn shutdown(&self) {
        self.shared.stop();
        for t in std::mem::take(&mut *self.threads.lock()) {
            // A thread that panicked has told so on standard error.
            let _ = t.join();
        }
    }

    // Topics

    /// Creates a topic; −1 stands for the default count of partitions or replicas.
    pub fn create_topic(&self, name: &str, partitions: i32, replication_factor: i16) -> Result<(), RespErr> {
        self.shared.create_topic(name, partitions, replication_factor, self.shared.log_config()).map(|_| ())
    }

    pub fn delete_topic(&self, name: &str) -> Result<(), RespErr> {
        let result = self.shared.topics.write().delete(name);
        self.shared.wake_all();
        result
    }

    /// Deletes a topic and creates it anew, empty and with another topic id, with as many partitions and replicas.
    pub fn recreate_topic(&self, name: &str) -> Result<(), RespErr> {
        let mut topics = self.shared.topics.write();
        let old = topics.get(name).cloned().ok_or(RespErr::ERR_UNKNOWN_TOPIC_OR_PART)?;
        topics.delete(name)?;
        let (count, rf) = (old.partition_count(), old.replication_factor);
        topics.create(name, count, rf, &self.shared.broker_ids(), self.shared.log_config())?;
        drop(topics);
        self.shared.wake_all();
        Ok(())
    }

    /// Adds partitions up to `count`; the topic is created with so many if it does not exist.
    pub fn set_partition_count(&self, topic: &str, count: i32) -> Result<(), RespErr> {
        let exists = self.shared.topics.read().get(topic).is_some();
        if !exists {
            return self.create_topic(topic, count, -1);
        }
        self.shared.topics.read().grow(topic, count, &self.shared.broker_ids(), self.shared.log_config())
    }

    /// Makes another broker the leader (−1: none) and raises the leader epoch. The topic is created if need be.
    pub fn set_partition_leader(&self, topic: &str, partition: i32, broker: i32) -> Result<(), RespErr> {
        if broker != -1 && self.shared.broker(broker).is_none() {
            return Err(RespErr::ERR__UNKNOWN_BROKER);
        }
        let p = self.partition_or_create(topic, partition)?;
        self.shared.move_leader(&p, broker);
        self.shared.wake_all();
        Ok(())
    }

    /// The leader's id, or −1.
    pub fn partition_leader(&self, topic: &str, partition: i32) -> Result<i32, RespErr> {
        Ok(self.partition(topic, partition)?.state.lock().leader)
    }

    /// Gives every partition whose leader is down another one that is up, as a controller would.
    pub fn fail_over(&self) {
        let up: Vec<i32> = self.shared.broker_ids().into_iter().filter(|id| self.shared.is_up(*id)).collect();
        for topic in self.shared.topics.read().all() {
            for p in topic.partitions() {
                let leader = p.state.lock().leader;
                if !up.contains(&leader) {
                    let next = up.get(p.index as usize % up.len().max(1)).copied().unwrap_or(-1);
                    self.shared.move_leader(&p, next);
                }
            }
        }
        self.shared.wake_all();
    }

    /// Metadata answers with this error for the topic until it is set to 0. The topic is created if need be.
    pub fn set_topic_error(&self, topic: &str, error: i16) -> Result<(), RespErr> {
        self.shared.topic_or_create(topic)?.error.store(error, Ordering::Relaxed);
        Ok(())
    }

    /// Drops whole batches before `offset` and makes it the first that can be read.
    pub fn delete_records(&self, topic: &str, partition: i32, offset: i64) -> Result<(), RespErr> {
        self.partition(topic, partition)?.state.lock().log.delete_before(offset)
    }

    /// Forgets every idempotent producer's sequences in the partition, as when they expire.
    pub fn forget_producers(&self, topic: &str, partition: i32) -> Result<(), RespErr> {
        self.partition(topic, partition)?.state.lock().log.forget_producers();
        Ok(())
    }

    /// `num.partitions`: the partition count of topics created without one from now on.
    pub fn set_default_partitions(&self, count: i32) {
        self.shared.default_partitions.store(count, Ordering::Relaxed);
    }

    /// `auto.create.topics.enable`
    pub fn set_auto_create_topics(&self, yes: bool) {
        self.shared.auto_create_topics.store(yes, Ordering::Relaxed);
    }

    /// `message.max.bytes`: the largest batch taken from now on.
    pub fn set_message_max_bytes(&self, bytes: usize) {
        self.shared.message_max_bytes.store(bytes, Ordering::Relaxed);
    }

    // Brokers

    /// Closes the listener and every connection. Leaders stay as they are (see [`MockCluster::fail_over`]), and so does
    /// Metadata, as in the first seconds after a crash. Coordinators move to other brokers at once.
    pub fn broker_down(&self, broker: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.down = true)?;
        self.shared.note_all_txn_dues();
        Ok(())
    }

    /// Listens again, on the same port.
    pub fn broker_up(&self, broker: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.down = false)?;
        self.shared.note_all_txn_dues();
        Ok(())
    }

    /// Closes every connection of the broker, and goes on listening.
    pub fn drop_connections(&self, broker: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.cut_connections = true)
    }

    /// Nothing is accepted, read or answered until [`MockCluster::unfreeze`]; connections stay open.
    pub fn freeze(&self, broker: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.frozen = true)
    }

    pub fn unfreeze(&self, broker: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.frozen = false)
    }

    /// Requests are carried out, their answers kept back until [`MockCluster::release_responses`].
    pub fn hold_responses(&self, broker: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.hold = true)
    }

    pub fn release_responses(&self, broker: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.hold = false)
    }

    /// Delays every answer by so many milliseconds.
    pub fn set_rtt(&self, broker: i32, ms: i32) -> Result<(), RespErr> {
        self.change(broker, |c| c.rtt_ms = ms.max(0) as u32)
    }

    /// The rack that Metadata tells.
    pub fn set_rack(&self, broker: i32, rack: Option<&str>) -> Result<(), RespErr> {
        self.change(broker, |c| c.rack = rack.map(str::to_string))
    }

    /// Open connections of the broker; 0 if it does not exist.
    pub fn connection_count(&self, broker: i32) -> usize {
        self.shared.broker(broker).map_or(0, |b| b.connections.load(Ordering::Relaxed))
    }

    /// Connections that the broker has accepted since the start; 0 if it does not exist.
    pub fn accepted_connections(&self, broker: i32) -> u64 {
        self.shared.broker(broker).map_or(0, |b| b.accepted.load(Ordering::Relaxed))
    }

    /// What connections made from now on must do before they are served: TLS, SASL. Connections that stand stay.
    pub fn set_security(&self, security: Security) {
        *self.shared.security.write() = security;
    }

    /// What `set_security` set.
    pub fn security(&self) -> Security {
        self.shared.security.read().clone()
    }

    // Versions

    /// Offers these versions of an API, as far as the broker has them; `min > max` takes the API away.
    pub fn set_api_version_range(&self, api_key: i16, min: i16, max: i16) {
        let mut versions = self.shared.versions.write();
        if min > max {
            versions.remove(&api_key);
        } else if let Some(&(lowest, highest)) = profiles::newest().get(&api_key) {
            versions.insert(api_key, (min.max(lowest), max.min(highest)));
        }
    }

    /// Imitates a release, see [`profiles::names`]; "newest" is everything. Sets `transaction.version` too. False if it is
    /// not known.
    pub fn set_profile(&self, release: &str) -> bool {
        let versions = if release == "newest" { Some(profiles::newest()) } else { profiles::profile(release) };
        let Some(versions) = versions else { return false };
        *self.shared.versions.write() = versions;
        self.set_transaction_version(profiles::transaction_version(release));
        true
    }

    // Faults

    /// The next requests of `api_key`, one each, get these error codes and nothing else happens; −195 closes the
    /// connection instead, −185 never answers this request nor those behind it on its connection, 0 lets one pass.
    pub fn push_request_errors(&self, api_key: i16, errors: &[i16]) {
        self.shared.faults.lock().push(None, api_key, errors.iter().map(|e| Fault::error(*e)));
    }

    /// As [`MockCluster::push_request_errors`], but the request is carried out before the error strikes: batches are
    /// appended whose producer will not know.
    pub fn push_after_append_errors(&self, api_key: i16, errors: &[i16]) {
        let faults = errors.iter().map(|e| Fault { after: true, ..Fault::error(*e) });
        self.shared.faults.lock().push(None, api_key, faults);
    }

    /// As [`MockCluster::push_request_errors`] for one broker, with a delay of the answer in milliseconds. These strike
    /// before the cluster's.
    pub fn push_broker_request_error_rtts(
        &self,
        broker: i32,
        api_key: i16,
        errors: &[(i16, i32)],
    ) -> Result<(), RespErr> {
        self.shared.broker(broker).ok_or(RespErr::ERR__UNKNOWN_BROKER)?;
        let faults = errors.iter().map(|(e, ms)| Fault { rtt_ms: (*ms).max(0) as u32, ..Fault::error(*e) });
        self.shared.faults.lock().push(Some(broker), api_key, faults);
        Ok(())
    }

    /// Error codes for one partition in the next requests of `api_key` (Produce, Fetch, ListOffsets) that name it.
    pub fn push_partition_request_errors(
        &self,
        topic: &str,
        partition: i32,
        api_key: i16,
        errors: &[i16],
    ) -> Result<(), RespErr> {
        self.partition_or_create(topic, partition)?;
        self.shared.faults.lock().push_partition(topic, partition, api_key, errors);
        Ok(())
    }

    /// The next request of `api_key` is carried out, `bytes` of its answer are sent, then the connection is closed.
    pub fn drop_connection_mid_response(&self, api_key: i16, bytes: usize) {
        self.shared.faults.lock().push(None, api_key, [Fault { cut: Some(bytes), ..Fault::NONE }]);
    }

    /// Takes back what was pushed for `api_key`.
    pub fn clear_request_errors(&self, api_key: i16) {
        self.shared.faults.lock().clear(api_key);
    }

    /// Pushed errors of `api_key` that have not struck yet.
    pub fn pending_request_errors(&self, api_key: i16) -> usize {
        self.shared.faults.lock().pending(api_key)
    }

    /// Answers of `api_key` say that the client is throttled for so many milliseconds (KIP-219); 0 ends it.
    pub fn throttle(&self, api_key: i16, ms: i32) {
        self.shared.faults.lock().set_throttle(api_key, ms.max(0));
    }

    /// Strikes requests at random until set to `None`; see [`Faults::random`].
    pub fn set_faults(&self, faults: Option<Faults>) {
        self.shared.faults.lock().set_random(faults);
    }

    /// Every answer is spoilt, until set to [`HostileMode::None`].
    pub fn set_hostile(&self, mode: HostileMode) {
        self.shared.faults.lock().set_hostile(None, mode);
    }

    /// The answers of one API are spoilt; the others follow [`MockCluster::set_hostile`].
    pub fn set_hostile_for(&self, api_key: i16, mode: HostileMode) {
        self.shared.faults.lock().set_hostile(Some(api_key), mode);
    }

    // Inspection

    /// Requests of an API that have come, whatever became of them.
    pub fn request_count(&self, api_key: i16) -> u64 {
        self.shared.request_count(api_key)
    }

    /// Starts to keep a note of every request, or stops it.
    pub fn record_requests(&self, on: bool) {
        self.shared.record_requests(on);
    }

    /// The requests noted since the last call.
    pub fn take_requests(&self) -> Vec<SeenRequest> {
        self.shared.take_requests()
    }

    /// Records, record bytes (of batches, as on the wire) and batches accepted so far.
    pub fn produced(&self) -> (u64, u64, u64) {
        let s = &self.shared;
        (s.records.load(Ordering::Relaxed), s.bytes.load(Ordering::Relaxed), s.batches.load(Ordering::Relaxed))
    }

    /// Topics in the order of their names, with their partition counts.
    pub fn topics(&self) -> Vec<(String, i32)> {
        self.shared.topics.read().all().iter().map(|t| (t.name.to_string(), t.partition_count())).collect()
    }

    /// The topic's id (KIP-516).
    pub fn topic_id(&self, topic: &str) -> Option<[u8; 16]> {
        self.shared.topics.read().get(topic).map(|t| t.id)
    }

    /// The offset that the partition's next record gets. Markers of transactions count.
    pub fn high_watermark(&self, topic: &str, partition: i32) -> Result<i64, RespErr> {
        Ok(self.partition(topic, partition)?.state.lock().log.end_offset())
    }

    /// The first offset that can be read.
    pub fn log_start_offset(&self, topic: &str, partition: i32) -> Result<i64, RespErr> {
        Ok(self.partition(topic, partition)?.state.lock().log.start_offset())
    }

    /// Bytes of batches kept in the partition.
    pub fn log_size(&self, topic: &str, partition: i32) -> Result<usize, RespErr> {
        Ok(self.partition(topic, partition)?.state.lock().log.bytes())
    }

    /// Batches that idempotent producers sent again and that were not appended twice.
    pub fn duplicate_batches(&self, topic: &str, partition: i32) -> Result<u64, RespErr> {
        Ok(self.partition(topic, partition)?.state.lock().log.duplicates())
    }

    /// Every record kept in the partition, decoded: those of undecided and aborted transactions too, but not the markers
    /// (see [`MockCluster::markers`], [`MockCluster::committed_records`]).
    pub fn log_records(&self, topic: &str, partition: i32) -> Result<Vec<MockRecord>, RespErr> {
        let p = self.partition(topic, partition)?;
        let batches: Vec<Vec<u8>> = p.state.lock().log.batches().map(<[u8]>::to_vec).collect();
        decode(&batches, |_| true)
    }

    /// The last lines about refused input, broken connections and the like.
    pub fn log_lines(&self) -> Vec<String> {
        self.shared.log_lines()
    }

    fn partition(&self, topic: &str, partition: i32) -> Result<Arc<Partition>, RespErr> {
        let topics = self.shared.topics.read();
        topics.get(topic).and_then(|t| t.partition(partition)).ok_or(RespErr::ERR_UNKNOWN_TOPIC_OR_PART)
    }

    fn partition_or_create(&self, topic: &str, partition: i32) -> Result<Arc<Partition>, RespErr> {
        self.shared.topic_or_create(topic)?.partition(partition).ok_or(RespErr::ERR_UNKNOWN_TOPIC_OR_PART)
    }

    fn change(&self, broker: i32, f: impl Fn(&mut Control)) -> Result<(), RespErr> {
        if broker == -1 {
            self.shared.brokers.iter().for_each(|b| b.change(&f));
            return Ok(());
        }
        self.shared.broker(broker).map(|b| b.change(f)).ok_or(RespErr::ERR__UNKNOWN_BROKER)
    }
}

/// The records of the batches that are wanted and are no markers.
fn decode(batches: &[Vec<u8>], wanted: impl Fn(&Header) -> bool) -> Result<Vec<MockRecord>, RespErr> {
    let mut all = Vec::new();
    for b in batches {
        let h = batch::header(b).ok_or(RespErr::ERR_INVALID_MSG)?;
        if h.control() || !wanted(&h) {
            continue;
        }
        for (i, r) in batch::decode(b).map_err(|_| RespErr::ERR_INVALID_MSG)?.into_iter().enumerate() {
            let Record { offset, timestamp, key, value, headers } = r;
            all.push(MockRecord {
                offset,
                timestamp,
                key,
                value,
                headers,
                producer_id: h.producer_id,
                epoch: h.producer_epoch,
                sequence: if h.producer_id < 0 { -1 } else { batch::add_sequence(h.base_sequence, i as i32) },
                codec: h.codec(),
                transactional: h.transactional(),
            });
        }
    }
    Ok(all)
}

impl Drop for MockCluster {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// One record of a partition's log, as [`MockCluster::log_records`] decodes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MockRecord {
    pub offset: i64,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// −1 for a producer that is not idempotent.
    pub producer_id: i64,
    pub epoch: i16,
    /// −1 for a producer that is not idempotent.
    pub sequence: i32,
    /// The batch's compression: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub codec: i16,
    /// Part of a transaction, whatever became of it.
    pub transactional: bool,
}
