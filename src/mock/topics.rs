//! Topics, their ids, partitions, leaders and logs.

use super::log::{Log, LogConfig};
use crate::error::RespErr;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI16, Ordering};
use std::sync::Arc;

/// A topic id (KIP-516): the 16 bytes of a UUID.
pub type TopicId = [u8; 16];

/// Most partitions of a topic; a request for more is a mistake.
pub const MAX_PARTITIONS: i32 = 100_000;

pub struct Partition {
    pub index: i32,
    pub state: Mutex<PartitionState>,
}

pub struct PartitionState {
    /// A broker's id, or −1.
    pub leader: i32,
    /// Rises with every change of leader.
    pub leader_epoch: i32,
    pub replicas: Vec<i32>,
    pub log: Log,
}

pub struct Topic {
    pub name: Arc<str>,
    pub id: TopicId,
    pub replication_factor: i16,
    /// Metadata answers with this code if it is not 0.
    pub error: AtomicI16,
    partitions: RwLock<Vec<Arc<Partition>>>,
}

impl Topic {
    pub fn partition(&self, index: i32) -> Option<Arc<Partition>> {
        usize::try_from(index).ok().and_then(|i| self.partitions.read().get(i).cloned())
    }

    pub fn partitions(&self) -> Vec<Arc<Partition>> {
        self.partitions.read().clone()
    }

    pub fn partition_count(&self) -> i32 {
        self.partitions.read().len() as i32
    }

    pub fn error(&self) -> i16 {
        self.error.load(Ordering::Relaxed)
    }

    fn grow(&self, count: i32, brokers: &[i32], log: LogConfig) {
        let mut partitions = self.partitions.write();
        for index in partitions.len() as i32..count {
            // Leaders go round the brokers; each partition's replicas are the brokers after its leader.
            let n = brokers.len().max(1);
            let rf = (self.replication_factor.max(1) as usize).min(n);
            let replicas: Vec<i32> = (0..rf).filter_map(|r| brokers.get((index as usize + r) % n)).copied().collect();
            partitions.push(Arc::new(Partition {
                index,
                state: Mutex::new(PartitionState {
                    leader: replicas.first().copied().unwrap_or(-1),
                    leader_epoch: 0,
                    replicas,
                    log: Log::new(log),
                }),
            }));
        }
    }
}

/// Every topic of a cluster, by name and by id.
#[derive(Default)]
pub struct Topics {
    by_name: HashMap<Arc<str>, Arc<Topic>>,
    by_id: HashMap<TopicId, Arc<Topic>>,
    created: u64,
}

impl Topics {
    pub fn get(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name)
    }

    pub fn get_by_id(&self, id: &TopicId) -> Option<&Arc<Topic>> {
        self.by_id.get(id)
    }

    /// All topics in the order of their names.
    pub fn all(&self) -> Vec<Arc<Topic>> {
        let mut all: Vec<_> = self.by_name.values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Creates a topic, or answers with the code that a broker's CreateTopics would.
    pub fn create(
        &mut self,
        name: &str,
        partitions: i32,
        replication_factor: i16,
        brokers: &[i32],
        log: LogConfig,
    ) -> Result<Arc<Topic>, RespErr> {
        if !valid_name(name) {
            return Err(RespErr::ERR_TOPIC_EXCEPTION);
        }
        if self.by_name.contains_key(name) {
            return Err(RespErr::ERR_TOPIC_ALREADY_EXISTS);
        }
        if !(1..=MAX_PARTITIONS).contains(&partitions) {
            return Err(RespErr::ERR_INVALID_PARTITIONS);
        }
        if replication_factor < 1 || replication_factor as usize > brokers.len() {
            return Err(RespErr::ERR_INVALID_REPLICATION_FACTOR);
        }
        self.created += 1;
        let topic = Arc::new(Topic {
            name: name.into(),
            id: self.new_id(name),
            replication_factor,
            error: AtomicI16::new(0),
            partitions: RwLock::new(Vec::new()),
        });
        topic.grow(partitions, brokers, log);
        self.by_name.insert(topic.name.clone(), topic.clone());
        self.by_id.insert(topic.id, topic.clone());
        Ok(topic)
    }

    /// A version 4 UUID that no other topic of this cluster has had: a hash of the name, and the count of topics made.
    fn new_id(&self, name: &str) -> TopicId {
        let mut id = [0; 16];
        let hash = crc32c::crc32c(name.as_bytes());
        id[..4].copy_from_slice(&hash.to_be_bytes());
        id[4..6].copy_from_slice(&hash.to_le_bytes()[..2]);
        id[6] = 0x40;
        id[8..].copy_from_slice(&self.created.to_be_bytes());
        id[8] = 0x80;
        id
    }

    pub fn delete(&mut self, name: &str) -> Result<(), RespErr> {
        let topic = self.by_name.remove(name).ok_or(RespErr::ERR_UNKNOWN_TOPIC_OR_PART)?;
        self.by_id.remove(&topic.id);
        Ok(())
    }

    /// Adds partitions up to `count`, which must be more than there are.
    pub fn grow(&self, name: &str, count: i32, brokers: &[i32], log: LogConfig) -> Result<(), RespErr> {
        let topic = self.get(name).ok_or(RespErr::ERR_UNKNOWN_TOPIC_OR_PART)?;
        if count <= topic.partition_count() || count > MAX_PARTITIONS {
            return Err(RespErr::ERR_INVALID_PARTITIONS);
        }
        topic.grow(count, brokers, log);
        Ok(())
    }
}

/// Kafka's rule: 1 to 249 of letters, digits, `.`, `_`, `-`, and not `.` or `..`.
pub fn valid_name(name: &str) -> bool {
    (1..=249).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogConfig = LogConfig { retention_bytes: 1000, discard: false, log_append_time: false };

    #[test]
    fn leaders_go_round_and_ids_differ() {
        let mut t = Topics::default();
        let a = t.create("a", 5, 2, &[1, 2, 3], LOG).unwrap();
        let leaders: Vec<i32> = a.partitions().iter().map(|p| p.state.lock().leader).collect();
        assert_eq!(leaders, [1, 2, 3, 1, 2]);
        assert_eq!(a.partition(2).unwrap().state.lock().replicas, [3, 1]);
        assert!(a.partition(5).is_none() && a.partition(-1).is_none());
        t.delete("a").unwrap();
        let again = t.create("a", 1, 1, &[1, 2, 3], LOG).unwrap();
        assert_ne!(a.id, again.id);
        assert!(t.get_by_id(&a.id).is_none() && t.get_by_id(&again.id).is_some());
        t.grow("a", 4, &[1, 2, 3], LOG).unwrap();
        assert_eq!(again.partition_count(), 4);
        assert_eq!(t.grow("a", 4, &[1], LOG), Err(RespErr::ERR_INVALID_PARTITIONS));
    }

    #[test]
    fn bad_wishes_are_refused() {
        let mut t = Topics::default();
        let mut code = |name: &str, p, rf| t.create(name, p, rf, &[1], LOG).map(|_| ()).unwrap_err();
        assert_eq!(code("a b", 1, 1), RespErr::ERR_TOPIC_EXCEPTION);
        assert_eq!(code("", 1, 1), RespErr::ERR_TOPIC_EXCEPTION);
        assert_eq!(code("a", 0, 1), RespErr::ERR_INVALID_PARTITIONS);
        assert_eq!(code("a", 1, 2), RespErr::ERR_INVALID_REPLICATION_FACTOR);
    }
}
