//! What is known of the cluster, in the form in which applications ask for it.

use crate::error::RespErr;
use crate::protocol::messages::metadata::MetadataResponse;

/// The cluster as one broker described it.
#[derive(Clone, Debug, Default)]
pub struct ClusterMetadata {
    /// `None` from brokers that do not tell.
    pub cluster_id: Option<String>,
    /// −1 when not known.
    pub controller_id: i32,
    /// The broker that answered.
    pub orig_broker_id: i32,
    pub orig_broker_name: String,
    pub brokers: Vec<BrokerMeta>,
    pub topics: Vec<TopicMeta>,
}

#[derive(Clone, Debug)]
pub struct BrokerMeta {
    pub id: i32,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
}

#[derive(Clone, Debug)]
pub struct TopicMeta {
    pub name: String,
    pub err: RespErr,
    /// Zero from brokers that do not tell (before 2.8).
    pub topic_id: [u8; 16],
    pub partitions: Vec<PartitionMeta>,
}

#[derive(Clone, Debug)]
pub struct PartitionMeta {
    pub id: i32,
    pub err: RespErr,
    /// Broker id, or −1.
    pub leader: i32,
    /// −1 from brokers that do not tell (before 2.1).
    pub leader_epoch: i32,
    pub replicas: Vec<i32>,
    pub isrs: Vec<i32>,
}

impl ClusterMetadata {
    pub(super) fn new(r: &MetadataResponse, orig_broker_id: i32, orig_broker_name: String) -> ClusterMetadata {
        let brokers = r.brokers.iter().map(|b| BrokerMeta {
            id: b.node_id,
            host: b.host.clone(),
            port: b.port,
            rack: b.rack.clone(),
        });
        let topics = r.topics.iter().map(|t| TopicMeta {
            name: t.name.clone().unwrap_or_default(),
            err: RespErr::from_wire(t.error_code),
            topic_id: t.topic_id,
            partitions: t
                .partitions
                .iter()
                .map(|p| PartitionMeta {
                    id: p.partition_index,
                    err: RespErr::from_wire(p.error_code),
                    leader: p.leader_id,
                    leader_epoch: p.leader_epoch,
                    replicas: p.replica_nodes.clone(),
                    isrs: p.isr_nodes.clone(),
                })
                .collect(),
        });
        ClusterMetadata {
            cluster_id: r.cluster_id.clone(),
            controller_id: r.controller_id,
            orig_broker_id,
            orig_broker_name,
            brokers: brokers.collect(),
            topics: topics.collect(),
        }
    }
}
