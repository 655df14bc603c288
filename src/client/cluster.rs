//! Applying metadata: which brokers there are, which partitions topics have and who leads them; moving records that
//! waited for that to their partitions.

use super::broker::{BrokerHandle, BrokerOp};
use super::delivery::{Status, Verdict};
use super::expiry;
use super::main_thread::MainThread;
use super::topic::{Partition, TopicState, KNOWN, NO_LEADER, UNKNOWN};
use crate::accumulator::batch::Batch;
use crate::accumulator::partition::PartitionQueue;
use crate::accumulator::record::RecordRef;
use crate::conf::DebugContexts;
use crate::error::RespErr;
use crate::protocol::messages::metadata::{MetadataPartition, MetadataResponse, MetadataTopic};
use crate::sys::clock::Tick;
use std::collections::HashMap;
use std::sync::atomic::Ordering::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A broker that was a bootstrap broker when it was found.
pub(super) struct Adopted {
    id: i32,
    bootstrap: i32,
    host: String,
    port: u16,
}

impl MainThread {
    pub(super) fn apply_brokers(&mut self, r: &MetadataResponse) {
        for b in &r.brokers {
            let Ok(port) = u16::try_from(b.port) else { continue };
            // Negative ids are this client's own names for bootstrap brokers.
            if b.node_id < 0 || b.host.is_empty() {
                continue;
            }
            self.ensure_broker(b.node_id, &b.host, port);
        }
        if r.brokers.is_empty() {
            return;
        }
        // They left the cluster, or are down: their partitions are led by others, or by nobody for now.
        self.retire_brokers(|id| !r.brokers.iter().any(|b| b.node_id == id));
    }

    /// Forgets brokers learned from metadata. Partitions that they led have no leader until metadata names one.
    fn retire_brokers(&mut self, which: impl Fn(i32) -> bool) {
        let gone: Vec<i32> = self.shared.brokers.read().keys().copied().filter(|id| *id >= 0 && which(*id)).collect();
        for id in gone {
            let handle = self.shared.brokers.write().remove(&id);
            if let Some(b) = handle {
                self.shared.debug(DebugContexts::BROKER, "NODE", || format!("{}: no longer in the cluster", b.name()));
                for t in self.shared.topics.iter() {
                    for p in t.state.all_partitions() {
                        let _ = p.leader.compare_exchange(id, NO_LEADER, AcqRel, Relaxed);
                    }
                }
                b.send(BrokerOp::Retire);
                self.restore_bootstrap(id);
            }
        }
    }

    /// Forgets the cluster's brokers, so that they are found anew from `bootstrap.servers` (KIP-1102). Batches in flight
    /// come back and wait for their partitions' leaders.
    pub(super) fn rebootstrap(&mut self, why: &str) {
        self.asker.rebootstrapped();
        if !self.shared.brokers.read().keys().any(|id| *id >= 0) {
            return;
        }
        self.shared.log(super::log::NOTICE, "REBOOTSTRAP", format!("Looking for the cluster anew: {why}"));
        self.retire_brokers(|_| true);
        for t in self.shared.topics.iter() {
            // A cluster in another place numbers the epochs of its leaders as it likes.
            t.state.all_partitions().for_each(|p| p.leader_epoch.store(-1, Relaxed));
            self.asker.want_soon(&t.state.info.name);
        }
    }

    pub(super) fn ensure_broker(&mut self, id: i32, host: &str, port: u16) {
        let known = self.shared.brokers.read().get(&id).cloned();
        match known {
            Some(b) => {
                let changed = {
                    let a = b.address.lock();
                    a.0 != host || a.1 != port
                };
                if changed {
                    b.send(BrokerOp::Address(host.to_owned(), port));
                    self.restore_bootstrap(id);
                }
            }
            None if self.adopt_bootstrap(id, host, port) => {}
            None => self.start_broker(id, host.to_owned(), port),
        }
    }

    fn start_broker(&mut self, id: i32, host: String, port: u16) {
        if let Err(e) = self.add_broker(id, host.clone(), port) {
            let text = format!("{host}:{port}/{id}: cannot start its thread: {e}");
            self.shared.error_event(RespErr::ERR__CRIT_SYS_RESOURCE, text);
        }
    }

    /// If a bootstrap broker has this address, it is this broker: its thread and its connection are taken over, which spares
    /// both a second one, and a start its second handshake.
    fn adopt_bootstrap(&mut self, id: i32, host: &str, port: u16) -> bool {
        let at_address = |b: &&Arc<BrokerHandle>| {
            let a = b.address.lock();
            b.id < 0 && a.0 == host && a.1 == port
        };
        let Some(bootstrap) = self.shared.brokers.read().values().find(at_address).cloned() else { return false };
        let known = bootstrap.known_as(id);
        // First this: what is meant for the broker comes behind it.
        bootstrap.send(BrokerOp::Become(known.clone()));
        let mut brokers = self.shared.brokers.write();
        brokers.remove(&bootstrap.id);
        brokers.insert(id, known);
        self.adopted.push(Adopted { id, bootstrap: bootstrap.id, host: host.to_owned(), port });
        true
    }

    /// The broker is no longer at the address that it has in `bootstrap.servers`, or not in the cluster: others may be
    /// found there.
    fn restore_bootstrap(&mut self, id: i32) {
        if let Some(i) = self.adopted.iter().position(|a| a.id == id) {
            let a = self.adopted.swap_remove(i);
            self.start_broker(a.bootstrap, a.host, a.port);
        }
    }

    pub(super) fn apply_topics(&mut self, r: &MetadataResponse) {
        for t in &r.topics {
            let Some(name) = t.name.as_deref() else { continue };
            let Some(topic) = self.shared.topics.get(name.as_bytes()) else { continue };
            let state = topic.state.clone();
            match RespErr::from_wire(t.error_code) {
                RespErr::NO_ERROR => self.apply_topic(&state, t),
                RespErr::ERR_UNKNOWN_TOPIC_OR_PART | RespErr::ERR_UNKNOWN_TOPIC_ID => self.topic_missing(&state),
                RespErr::ERR_LEADER_NOT_AVAILABLE if !t.partitions.is_empty() => self.apply_topic(&state, t),
                // It is being created, or the broker is not ready to tell.
                e if crate::error::produce_action(e).retriable => self.asker.want_again(name),
                e => self.topic_refused(&state, e),
            }
        }
    }

    fn apply_topic(&mut self, t: &Arc<TopicState>, r: &MetadataTopic) {
        let recreated = {
            let mut id = t.info.id.lock();
            let recreated = *id != [0; 16] && r.topic_id != [0; 16] && *id != r.topic_id;
            *id = r.topic_id;
            recreated
        };
        {
            let mut meta = t.meta.lock();
            meta.missing_since = None;
            meta.refreshed = Some(Instant::now());
        }
        let n = r.partitions.iter().map(|p| p.partition_index.saturating_add(1)).max().unwrap_or(0);
        if n as usize > r.partitions.len() {
            // A broker lists every partition. An index beyond their number is damage, and must not make partitions up.
            let text = format!(
                "Topic {}: metadata lists {} partitions, one with index {}",
                t.info.name,
                r.partitions.len(),
                n - 1
            );
            self.shared.log(super::log::ERR, "METADATA", text);
            self.asker.want_again(&t.info.name);
            return;
        }
        let before = t.partition_count();
        t.set_partition_count(&self.shared, n);
        let leader_of = |rp: &MetadataPartition| match rp.leader_id {
            id if id >= 0 && self.shared.brokers.read().contains_key(&id) => (id, rp.leader_epoch),
            _ => (NO_LEADER, -1),
        };
        let leaders: Vec<_> =
            r.partitions.iter().filter_map(|rp| Some((t.partition(rp.partition_index)?, leader_of(rp)))).collect();
        let mut available: Vec<i32> =
            leaders.iter().filter(|(_, (leader, _))| *leader != NO_LEADER).map(|(p, _)| p.index).collect();
        let complete = n > 0 && available.len() == leaders.len();
        available.sort_unstable();
        *t.available.write() = available.into();
        if n < before {
            // The topic was made anew with fewer partitions: records for the others have nowhere to go.
            for p in (n..before).filter_map(|i| t.partition(i)) {
                p.leader.store(NO_LEADER, Release);
                expiry::fail(&self.shared, expiry::take_all(p), RespErr::ERR__UNKNOWN_PARTITION);
            }
        }
        if n > 0 && t.state.load(Acquire) == UNKNOWN {
            self.assign_waiting(t);
        }
        // Not before the topic is known: else messages that waited for it could be sent and reported before that, and what is
        // produced behind them be taken for messages to an unknown topic.
        for (p, (leader, epoch)) in leaders {
            self.set_leader(p, leader, epoch, recreated);
        }
        if complete {
            self.asker.satisfied(&t.info.name);
        } else {
            self.asker.want_again(&t.info.name);
        }
    }

    /// Sets a partition's leader, unless what is known is newer.
    fn set_leader(&self, p: &Arc<Partition>, leader: i32, epoch: i32, recreated: bool) {
        let known = p.leader_epoch.load(Relaxed);
        if epoch >= 0 && epoch < known && !recreated && p.leader.load(Relaxed) != NO_LEADER {
            return;
        }
        if leader == NO_LEADER && !recreated && p.leader.load(Relaxed) == NO_LEADER {
            return;
        }
        if epoch >= 0 || recreated {
            p.leader_epoch.store(epoch, Relaxed);
        }
        if p.leader.swap(leader, AcqRel) != leader {
            self.shared.debug(DebugContexts::TOPIC, "LEADER", || {
                format!("{} [{}]: leader is {leader}, epoch {epoch}", p.info.name, p.index)
            });
            self.shared.send_look(p);
        }
    }

    /// A response of the old leader named the new one (KIP-951): no need to wait for metadata.
    pub(super) fn leader_named(
        &mut self,
        p: &Arc<Partition>,
        leader: i32,
        epoch: i32,
        endpoint: Option<(String, u16)>,
    ) {
        if leader < 0 || epoch <= p.leader_epoch.load(Relaxed) {
            return;
        }
        if let Some((host, port)) = endpoint {
            self.ensure_broker(leader, &host, port);
        }
        if self.shared.brokers.read().contains_key(&leader) {
            self.set_leader(p, leader, epoch, false);
        }
    }

    fn topic_missing(&mut self, t: &Arc<TopicState>) {
        let propagation = Duration::from_millis(self.shared.settings.topic_metadata_propagation_max_ms as u64);
        let since = *t.meta.lock().missing_since.get_or_insert_with(Instant::now);
        for p in t.all_partitions() {
            // The leader stays what it was until the topic is surely gone; it may be stale metadata.
            if since.elapsed() >= propagation {
                p.leader.store(NO_LEADER, Release);
                expiry::fail(&self.shared, expiry::take_all(p), RespErr::ERR_UNKNOWN_TOPIC_OR_PART);
            }
        }
        let waiting = t.all_partitions().any(|p| !p.queue.lock().is_empty());
        if waiting || since.elapsed() < propagation {
            self.asker.want_again(&t.info.name);
        } else {
            self.asker.satisfied(&t.info.name);
        }
    }

    /// The brokers will not have this topic (not authorised, an illegal name): what waits for it fails now.
    fn topic_refused(&mut self, t: &Arc<TopicState>, err: RespErr) {
        self.asker.satisfied(&t.info.name);
        self.shared.error_event(err, format!("Topic {}: {}", t.info.name, err.description()));
        for p in t.all_partitions() {
            expiry::fail(&self.shared, expiry::take_all(p), err);
        }
    }

    /// Moves the records that waited for the topic's partitions to them, and opens the way for new ones behind them.
    fn assign_waiting(&self, t: &Arc<TopicState>) {
        let mut rounds = 0;
        let waiting = &t.unassigned;
        loop {
            let mut inner = waiting.queue.lock();
            waiting.queue.close_open_in(&mut inner);
            let batches: Vec<Batch<Partition>> = inner.ready.drain(..).collect();
            if batches.is_empty() {
                // Under the lock: whoever comes to append here asks the state again, and goes on to the partition.
                t.state.store(KNOWN, Release);
                return;
            }
            rounds += 1;
            // Producers may append as fast as this moves; from the third round on they wait at the lock.
            let held = (rounds >= 3).then_some(inner);
            batches.into_iter().for_each(|b| self.assign_batch(t, b));
            drop(held);
        }
    }

    fn assign_batch(&self, t: &Arc<TopicState>, mut batch: Batch<Partition>) {
        batch.complete();
        let mut refused: HashMap<i32, PartitionQueue<Partition>> = HashMap::new();
        for item in batch.records() {
            let rec = RecordRef {
                key: item.record.key,
                value: item.record.value,
                headers: item.record.headers,
                timestamp_ms: Some(item.timestamp_ms),
                now: Tick::from_us(item.handed_over_us),
                opaque: item.opaque,
                aux: item.aux,
            };
            if let Err(e) = self.shared.place(t, &rec, item.aux as i32, 0, Some((batch.opened, batch.opened_us))) {
                let queue = refused.entry(e.0).or_insert_with(|| PartitionQueue::new(self.shared.home.clone(), false));
                let kept = queue.append_locked(
                    &t.unassigned,
                    &rec,
                    self.shared.limits,
                    Some((batch.opened, batch.opened_us)),
                    true,
                    || true,
                );
                // Records that were accepted pass every limit; a loss here would be a report that never comes.
                assert!(matches!(kept, Ok(Some(c)) if c.appended), "a refused record is kept for its report");
            }
        }
        for (code, queue) in refused {
            queue.close_open();
            let batches: Vec<_> = queue.lock().ready.drain(..).collect();
            for b in batches {
                self.shared.deliver(b, Verdict::failed(RespErr(code), Status::NotPersisted));
            }
        }
        batch.moved();
    }
}
