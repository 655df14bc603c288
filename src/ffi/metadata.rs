//! `rk_producer_metadata`: the cluster as plain C arrays.

use super::dispatch::c_text;
use super::guard::{guard, live, put, timeout};
use super::producer::rk_producer_t;
use super::topic::rk_topic_t;
use super::types::rk_resp_err_t;
use crate::client::{ClusterMetadata, PartitionMeta, TopicMeta};
use crate::error::RespErr;
use std::ffi::{c_char, c_int, CString};
use std::time::Duration;

/// A broker.
#[repr(C)]
pub struct rk_metadata_broker_t {
    /// Broker id.
    pub id: i32,
    /// Port.
    pub port: i32,
    /// Host name or address, as the broker advertises it.
    pub host: *const c_char,
    /// Rack, or NULL.
    pub rack: *const c_char,
}

/// A partition.
#[repr(C)]
pub struct rk_metadata_partition_t {
    /// Partition number.
    pub id: i32,
    /// What a broker says about it, for example RK_RESP_ERR_LEADER_NOT_AVAILABLE.
    pub err: rk_resp_err_t,
    /// Broker id of the leader, or −1.
    pub leader: i32,
    /// Leader epoch, or −1.
    pub leader_epoch: i32,
    /// Broker ids of the replicas.
    pub replicas: *const i32,
    /// Number of replicas.
    pub replica_cnt: usize,
    /// Broker ids of the replicas in sync.
    pub isrs: *const i32,
    /// Number of replicas in sync.
    pub isr_cnt: usize,
}

/// A topic.
#[repr(C)]
pub struct rk_metadata_topic_t {
    /// Name.
    pub name: *const c_char,
    /// What a broker says about it, for example RK_RESP_ERR_UNKNOWN_TOPIC_OR_PART.
    pub err: rk_resp_err_t,
    /// Topic id (a UUID); zero if brokers are older than topic ids.
    pub topic_id: [u8; 16],
    /// Partitions.
    pub partitions: *const rk_metadata_partition_t,
    /// Number of partitions.
    pub partition_cnt: usize,
}

/// The cluster as one broker sees it. Read-only; free it with rk_metadata_destroy.
#[repr(C)]
pub struct rk_metadata_t {
    /// Cluster id, or NULL.
    pub cluster_id: *const c_char,
    /// Broker id of the controller, or −1.
    pub controller_id: i32,
    /// Broker that answered.
    pub orig_broker_id: i32,
    /// Its name, host:port/id.
    pub orig_broker_name: *const c_char,
    /// Brokers.
    pub brokers: *const rk_metadata_broker_t,
    /// Number of brokers.
    pub broker_cnt: usize,
    /// Topics.
    pub topics: *const rk_metadata_topic_t,
    /// Number of topics.
    pub topic_cnt: usize,
}

/// What C sees, first, and after it all that it points to.
#[repr(C)]
struct Owned {
    c: rk_metadata_t,
    brokers: Vec<rk_metadata_broker_t>,
    topics: Vec<rk_metadata_topic_t>,
    partitions: Vec<Vec<rk_metadata_partition_t>>,
    /// Neither the strings' nor the numbers' memory moves with their vectors.
    strings: Vec<CString>,
    numbers: Vec<Box<[i32]>>,
}

impl Owned {
    fn new(m: ClusterMetadata) -> Box<Owned> {
        let mut o = Box::new(Owned {
            c: rk_metadata_t {
                cluster_id: std::ptr::null(),
                controller_id: m.controller_id,
                orig_broker_id: m.orig_broker_id,
                orig_broker_name: std::ptr::null(),
                brokers: std::ptr::null(),
                broker_cnt: m.brokers.len(),
                topics: std::ptr::null(),
                topic_cnt: m.topics.len(),
            },
            brokers: Vec::with_capacity(m.brokers.len()),
            topics: Vec::with_capacity(m.topics.len()),
            partitions: Vec::with_capacity(m.topics.len()),
            strings: Vec::new(),
            numbers: Vec::new(),
        });
        o.c.cluster_id = m.cluster_id.as_deref().map_or(std::ptr::null(), |id| o.string(id));
        o.c.orig_broker_name = o.string(&m.orig_broker_name);
        for b in &m.brokers {
            let (host, rack) = (o.string(&b.host), b.rack.as_deref().map_or(std::ptr::null(), |r| o.string(r)));
            o.brokers.push(rk_metadata_broker_t { id: b.id, port: b.port, host, rack });
        }
        for t in m.topics {
            o.topic(t);
        }
        o.c.brokers = o.brokers.as_ptr();
        o.c.topics = o.topics.as_ptr();
        o
    }

    fn string(&mut self, s: &str) -> *const c_char {
        let s = c_text(s);
        let at = s.as_ptr();
        self.strings.push(s);
        at
    }

    fn numbers(&mut self, list: Vec<i32>) -> (*const i32, usize) {
        let list = list.into_boxed_slice();
        let found = (list.as_ptr(), list.len());
        self.numbers.push(list);
        found
    }

    fn topic(&mut self, t: TopicMeta) {
        let name = self.string(&t.name);
        let partitions: Vec<_> = t.partitions.into_iter().map(|p| self.partition(p)).collect();
        self.topics.push(rk_metadata_topic_t {
            name,
            err: t.err.0,
            topic_id: t.topic_id,
            partitions: partitions.as_ptr(),
            partition_cnt: partitions.len(),
        });
        self.partitions.push(partitions);
    }

    fn partition(&mut self, p: PartitionMeta) -> rk_metadata_partition_t {
        let (replicas, replica_cnt) = self.numbers(p.replicas);
        let (isrs, isr_cnt) = self.numbers(p.isrs);
        rk_metadata_partition_t {
            id: p.id,
            err: p.err.0,
            leader: p.leader,
            leader_epoch: p.leader_epoch,
            replicas,
            replica_cnt,
            isrs,
            isr_cnt,
        }
    }
}

/// Asks the cluster about itself: brokers, and all its topics (`all_topics` not 0), or only `only_topic`, or those that
/// this producer uses (both 0). On success `*metadata` is set, to be freed with rk_metadata_destroy. Waits at most
/// `timeout_ms`: RK_RESP_ERR__TIMED_OUT, or RK_RESP_ERR__TRANSPORT if no broker can be reached. May be called within
/// callbacks.
///
/// # Safety
/// `rk` is NULL or a live producer; `only_topic` is NULL or a live topic of it; `metadata` is NULL or can be written.
#[no_mangle]
pub unsafe extern "C" fn rk_producer_metadata(
    rk: *mut rk_producer_t,
    all_topics: c_int,
    only_topic: *mut rk_topic_t,
    metadata: *mut *const rk_metadata_t,
    timeout_ms: c_int,
) -> rk_resp_err_t {
    guard!(RespErr::ERR__FAIL.0, {
        // SAFETY: by contract.
        unsafe { put(metadata, std::ptr::null()) };
        let p = live!(rk, RespErr::ERR__INVALID_ARG.0);
        if metadata.is_null() {
            return RespErr::ERR__INVALID_ARG.0;
        }
        let only = match only_topic.is_null() {
            true => None,
            false => Some(&live!(only_topic, RespErr::ERR__INVALID_ARG.0).topic),
        };
        // For ever is as long as anybody will run this.
        let wait = timeout(timeout_ms).unwrap_or(Duration::from_secs(365 * 86_400));
        match p.inner.client.metadata(all_topics != 0, only, wait) {
            Ok(found) => {
                // SAFETY: by contract.
                unsafe { put(metadata, Box::into_raw(Owned::new(found)).cast_const().cast()) };
                RespErr::NO_ERROR.0
            }
            Err(e) => e.0,
        }
    })
}

/// Frees what rk_producer_metadata gave. NULL is fine.
///
/// # Safety
/// `metadata` is NULL or came from rk_producer_metadata; it is gone afterwards.
#[no_mangle]
pub unsafe extern "C" fn rk_metadata_destroy(metadata: *const rk_metadata_t) {
    guard!((), {
        if !metadata.is_null() {
            // SAFETY: it is the first field of an `Owned` that went out by Box::into_raw.
            drop(unsafe { Box::from_raw(metadata.cast_mut().cast::<Owned>()) });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::BrokerMeta;
    use std::ffi::CStr;

    #[test]
    fn arrays_say_what_the_client_knows() {
        let partition = |id| PartitionMeta {
            id,
            err: RespErr::NO_ERROR,
            leader: 1,
            leader_epoch: 4,
            replicas: vec![1, 2, 3],
            isrs: vec![1],
        };
        let topic = |name: &str, n| TopicMeta {
            name: name.into(),
            err: RespErr::NO_ERROR,
            topic_id: [7; 16],
            partitions: (0..n).map(partition).collect(),
        };
        let m = ClusterMetadata {
            cluster_id: None,
            controller_id: 2,
            orig_broker_id: 1,
            orig_broker_name: "h:1/1".into(),
            brokers: vec![BrokerMeta { id: 1, host: "h".into(), port: 1, rack: Some("r".into()) }],
            topics: vec![topic("a", 2), topic("b", 0), topic("c", 9)],
        };
        let c = Box::into_raw(Owned::new(m)).cast_const().cast::<rk_metadata_t>();
        // SAFETY: the structure is alive until it is destroyed, its counts are those of its arrays.
        unsafe {
            assert!((*c).cluster_id.is_null());
            assert_eq!(((*c).broker_cnt, (*c).topic_cnt), (1, 3));
            assert_eq!(CStr::from_ptr((*(*c).brokers).rack), c"r");
            let last = &*(*c).topics.add(2);
            assert_eq!((CStr::from_ptr(last.name), last.partition_cnt), (c"c", 9));
            let p = &*last.partitions.add(8);
            assert_eq!((p.id, p.leader_epoch, p.isr_cnt), (8, 4, 1));
            assert_eq!(std::slice::from_raw_parts(p.replicas, p.replica_cnt), [1, 2, 3]);
            rk_metadata_destroy(c);
        }
    }
}
