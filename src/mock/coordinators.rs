//! Which broker coordinates what, and what coordinators do by themselves: time out transactions, write markers.

use super::batch::Marker;
use super::shared::{Broker, Shared};
use super::txn::{Coordinator, Ending, ProducerId, Target};
use crate::protocol::messages::find_coordinator::KEY_TYPE_TRANSACTION;
use std::sync::atomic::Ordering;
use std::time::Instant;

impl Shared {
    /// The coordinator of a group or transactional id: the broker it was moved to, or one chosen by a checksum of the key;
    /// if that is down, the next one. `None` if all are down.
    pub fn coordinator(&self, key_type: i8, key: &str) -> Option<&Broker> {
        let n = self.brokers.len();
        let moved = self.moved_coordinators.lock().get(&(key_type, key.to_string())).copied();
        let first = moved
            .and_then(|id| self.brokers.iter().position(|b| b.id == id))
            .unwrap_or(crc32c::crc32c(key.as_bytes()) as usize % n.max(1));
        (0..n).map(|i| &self.brokers[(first + i) % n]).find(|b| self.is_up(b.id))
    }

    pub fn is_coordinator(&self, broker: &Broker, key_type: i8, key: &str) -> bool {
        self.coordinator(key_type, key).is_some_and(|b| b.id == broker.id)
    }

    /// Writes the markers that are due of the transactions that `broker` coordinates, aborts those past their time, and
    /// notes when the next is due.
    pub fn run_txns(&self, broker: &Broker, txns: &mut Coordinator, now: Instant) {
        let endings = txns.run(now, |id| self.is_coordinator(broker, KEY_TYPE_TRANSACTION, id));
        for ending in &endings {
            self.write_markers(ending);
        }
        self.note_txn_due(broker, txns);
        if !endings.is_empty() {
            // Readers of committed records may go on.
            self.wake_all();
        }
    }

    fn write_markers(&self, ending: &Ending) {
        let ProducerId { id: producer_id, epoch } = ending.producer;
        let coordinator_epoch = self.coordinator_epoch.load(Ordering::Relaxed);
        let marker = Marker { producer_id, epoch, commit: ending.commit, coordinator_epoch };
        for target in &ending.targets {
            match target {
                Target::Group(group) => self.groups.lock().end_txn(group, ending.producer, ending.commit),
                Target::Partition(topic, index) => {
                    // One that was deleted meanwhile needs no marker.
                    let Some(p) = self.topics.read().get(topic).and_then(|t| t.partition(*index)) else { continue };
                    let mut state = p.state.lock();
                    let leader_epoch = state.leader_epoch;
                    if !state.log.end_txn(&marker, leader_epoch, super::handlers::now_ms()) {
                        self.log(format_args!(
                            "transactional id {}: marker of epoch {epoch} for {topic}-{index} is fenced",
                            ending.transactional_id
                        ));
                    }
                }
            }
        }
    }

    /// Tells `broker` when a transaction that it coordinates is due next.
    pub fn note_txn_due(&self, broker: &Broker, txns: &Coordinator) {
        let due = txns.next_due(|id| self.is_coordinator(broker, KEY_TYPE_TRANSACTION, id));
        let before = std::mem::replace(&mut *broker.txn_due.lock(), due);
        if due.is_some_and(|d| before.is_none_or(|b| d < b)) {
            broker.wake.wake();
        }
    }

    /// As [`Shared::note_txn_due`] for every broker, after coordinators may have moved.
    pub fn note_all_txn_dues(&self) {
        let txns = self.txns.lock();
        self.brokers.iter().for_each(|b| self.note_txn_due(b, &txns));
    }

    /// What another broker than the coordinator has done to a transaction is noted for the coordinator's thread.
    pub fn note_txn_change(&self, transactional_id: &str, txns: &Coordinator) {
        if let Some(b) = self.coordinator(KEY_TYPE_TRANSACTION, transactional_id) {
            self.note_txn_due(b, txns);
        }
    }
}
