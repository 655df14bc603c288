//! The cluster over its sockets, by a client of a few lines.

use super::batch::tests::build;
use super::profiles::key;
use super::*;
use crate::error::RespErr;
use crate::protocol::messages::add_offsets_to_txn::AddOffsetsToTxnRequest;
use crate::protocol::messages::add_partitions_to_txn::AddPartitionsToTxnRequest;
use crate::protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::protocol::messages::end_txn::EndTxnRequest;
use crate::protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use crate::protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::protocol::messages::list_offsets::*;
use crate::protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use crate::protocol::messages::offset_commit::OffsetCommitRequest;
use crate::protocol::messages::offset_fetch::OffsetFetchRequest;
use crate::protocol::messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use crate::protocol::messages::txn_offset_commit::TxnOffsetCommitRequest;
use crate::protocol::sample::{Gen, Sample};
use crate::protocol::{api, ApiKey, Reader, Writer};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

mod offsets;
mod transactions;

struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    fn new(cluster: &MockCluster, broker: usize) -> Client {
        let all = cluster.bootstrap();
        let stream = TcpStream::connect(all.split(',').nth(broker - 1).unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Client { stream, correlation_id: 0 }
    }

    fn send(&mut self, key: ApiKey, version: i16, body: impl FnOnce(&mut Writer)) {
        self.correlation_id += 1;
        let mut w = Writer::new();
        let start = api::begin_request(&mut w, key, version, self.correlation_id, Some("test"));
        body(&mut w);
        w.end_frame(start, 0).unwrap();
        self.stream.write_all(w.as_slice()).unwrap();
    }

    /// The next answer after its length field; `None` if the connection ends.
    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut len = [0; 4];
        self.stream.read_exact(&mut len).ok()?;
        let mut b = vec![0; i32::from_be_bytes(len) as usize];
        self.stream.read_exact(&mut b).ok()?;
        Some(b)
    }

    fn call(&mut self, key: ApiKey, version: i16, body: impl FnOnce(&mut Writer)) -> Option<Vec<u8>> {
        self.send(key, version, body);
        let b = self.receive()?;
        let mut r = Reader::new(&b);
        assert_eq!(r.i32().unwrap(), self.correlation_id);
        api::finish_response_header(&mut r, key, version).unwrap();
        Some(r.rest().to_vec())
    }

    fn produce(&mut self, version: i16, topic: &str, index: i32, batch: &[u8]) -> Option<(i16, i64)> {
        let data = vec![PartitionProduceData { index, records: Some(batch) }];
        let topic_data = vec![TopicProduceData { name: topic, partition_data: data, ..Default::default() }];
        let request = ProduceRequest { acks: -1, timeout_ms: 1000, topic_data, ..Default::default() };
        let b = self.call(ApiKey::Produce, version, |w| request.encode(w, version))?;
        let mut r = Reader::new(&b);
        let response = ProduceResponse::decode(&mut r, version).unwrap();
        r.finish().unwrap();
        Some((response.responses[0].error_code, response.responses[0].base_offset))
    }

    fn metadata(&mut self, version: i16, topics: Option<&[&str]>) -> MetadataResponse {
        let topics = topics.map(|t| {
            t.iter().map(|n| MetadataRequestTopic { name: Some(n.to_string()), ..Default::default() }).collect()
        });
        let request = MetadataRequest { topics, ..Default::default() };
        let b = self.call(ApiKey::Metadata, version, |w| request.encode(w, version)).unwrap();
        MetadataResponse::decode(&mut Reader::new(&b), version).unwrap()
    }
}

fn fetch_request(topic: &str, offset: i64, max_wait_ms: i32) -> FetchRequest {
    let p = FetchPartition { fetch_offset: offset, partition_max_bytes: 1 << 20, ..Default::default() };
    let topics = vec![FetchTopic { topic: topic.to_string(), partitions: vec![p], ..Default::default() }];
    FetchRequest { max_wait_ms, min_bytes: 1, topics, ..Default::default() }
}

fn cluster(brokers: i32) -> Arc<MockCluster> {
    MockCluster::new(brokers, Options::default()).unwrap()
}

fn plain() -> Vec<u8> {
    build(&[1, 2, 3], (-1, -1, -1))
}

#[test]
fn api_versions_falls_back() {
    let c = cluster(1);
    let mut client = Client::new(&c, 1);
    let mut request =
        ApiVersionsRequest { client_software_name: "rkafka".to_string(), client_software_version: "1.0".to_string() };
    for version in 0..=4 {
        let b = client.call(ApiKey::ApiVersions, version, |w| request.encode(w, version)).unwrap();
        let r = ApiVersionsResponse::decode_any(&mut Reader::new(&b), version).unwrap();
        assert_eq!(r.error_code, 0);
        assert_eq!(r.range(key::PRODUCE), Some((0, ApiKey::Produce.api().max)));
    }
    assert!(c.set_profile("1.0"));
    let b = client.call(ApiKey::ApiVersions, 3, |w| request.encode(w, 3)).unwrap();
    let r = ApiVersionsResponse::decode_any(&mut Reader::new(&b), 3).unwrap();
    assert_eq!((r.error_code, r.range(key::API_VERSIONS)), (35, Some((0, 1))));
    c.set_profile("newest");
    request.client_software_name = "-bad-".to_string();
    let b = client.call(ApiKey::ApiVersions, 3, |w| request.encode(w, 3)).unwrap();
    assert_eq!(ApiVersionsResponse::decode(&mut Reader::new(&b), 3).unwrap().error_code, 42);
}

#[test]
fn produce_and_fetch_in_every_version() {
    let c = cluster(1);
    let mut client = Client::new(&c, 1);
    c.create_topic("t", 1, 1).unwrap();
    let id = c.topic_id("t").unwrap();
    let mut offset = 0;
    for version in 3..=12 {
        assert_eq!(client.produce(version, "t", 0, &plain()), Some((0, offset)));
        offset += 3;
    }
    let produce_max = ApiKey::Produce.api().max;
    for (version, topic_id, expected) in [(produce_max, id, 0), (produce_max, [9; 16], 100)] {
        let batch = plain();
        let data = vec![PartitionProduceData { index: 0, records: Some(&batch) }];
        let topic_data = vec![TopicProduceData { topic_id, partition_data: data, ..Default::default() }];
        let request = ProduceRequest { acks: 1, topic_data, ..Default::default() };
        let b = client.call(ApiKey::Produce, version, |w| request.encode(w, version)).unwrap();
        let r = ProduceResponse::decode(&mut Reader::new(&b), version).unwrap();
        assert_eq!(r.responses[0].error_code, expected);
    }
    assert_eq!(c.high_watermark("t", 0), Ok(33));
    for version in 4..=ApiKey::Fetch.api().max {
        let mut request = fetch_request("t", 4, 0);
        request.topics[0].topic_id = if version >= 13 { id } else { [0; 16] };
        let b = client.call(ApiKey::Fetch, version, |w| request.encode(w, version)).unwrap();
        let r = FetchResponse::decode(&mut Reader::new(&b), version).unwrap();
        let p = &r.responses[0].partitions[0];
        assert_eq!((p.error_code, p.high_watermark), (0, 33), "v{version}");
        assert_eq!(batch::header(p.records.unwrap()).unwrap().base_offset, 3);
        assert_eq!(p.records.unwrap().len(), plain().len() * 10);
    }
    let records = c.log_records("t", 0).unwrap();
    assert_eq!((records.len(), records[32].offset, records[32].sequence), (33, 32, -1));
    assert_eq!(c.produced().0, 33);
}

#[test]
fn bad_batches_are_refused_and_told_why() {
    let c = cluster(1);
    let mut client = Client::new(&c, 1);
    c.create_topic("t", 1, 1).unwrap();
    let mut bad = plain();
    *bad.last_mut().unwrap() ^= 1;
    assert_eq!(client.produce(9, "t", 0, &bad), Some((2, -1)));
    assert_eq!(client.produce(9, "t", 0, b""), Some((2, -1)));
    assert_eq!(client.produce(9, "t", 1, &plain()), Some((3, -1)));
    assert_eq!(client.produce(9, "nope", 0, &plain()), Some((3, -1)));
    assert!(c.log_lines()[0].contains("crc"), "{:?}", c.log_lines());
    assert_eq!(c.high_watermark("t", 0), Ok(0));
}

#[test]
fn a_fetch_waits_for_data_and_no_longer() {
    let c = cluster(2);
    c.create_topic("t", 1, 1).unwrap();
    let (mut reader, mut writer) = (Client::new(&c, 1), Client::new(&c, 1));
    let start = Instant::now();
    let b = reader.call(ApiKey::Fetch, 11, |w| fetch_request("t", 0, 100).encode(w, 11)).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert!(FetchResponse::decode(&mut Reader::new(&b), 11).unwrap().responses[0].partitions[0]
        .records
        .unwrap()
        .is_empty());
    reader.send(ApiKey::Fetch, 11, |w| fetch_request("t", 0, 8000).encode(w, 11));
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(writer.produce(9, "t", 0, &plain()), Some((0, 0)));
    assert!(reader.receive().is_some_and(|b| b.len() > plain().len()));
    assert!(start.elapsed() < Duration::from_secs(5));
    // Leaving the leader ends the wait with an error.
    reader.send(ApiKey::Fetch, 11, |w| fetch_request("t", 3, 8000).encode(w, 11));
    std::thread::sleep(Duration::from_millis(30));
    c.set_partition_leader("t", 0, 2).unwrap();
    let b = reader.receive().unwrap();
    let r = FetchResponse::decode(&mut Reader::new(&b[4..]), 11).unwrap();
    assert_eq!(r.responses[0].partitions[0].error_code, 6);
    assert!(start.elapsed() < Duration::from_secs(5));
    // Beyond the end.
    c.set_partition_leader("t", 0, 1).unwrap();
    let b = reader.call(ApiKey::Fetch, 11, |w| fetch_request("t", 4, 8000).encode(w, 11)).unwrap();
    assert_eq!(FetchResponse::decode(&mut Reader::new(&b), 11).unwrap().responses[0].partitions[0].error_code, 1);
}

#[test]
fn metadata_tells_topics_leaders_and_creates() {
    let c = cluster(3);
    let mut client = Client::new(&c, 2);
    for version in 1..=ApiKey::Metadata.api().max {
        let m = client.metadata(version, Some(&["auto", "bad name"]));
        assert_eq!(m.brokers.len(), 3);
        assert_eq!(m.controller_id, 1);
        assert_eq!((m.topics[0].error_code, m.topics[1].error_code), (0, 17));
        let leaders: Vec<i32> = m.topics[0].partitions.iter().map(|p| p.leader_id).collect();
        assert_eq!(leaders, [1, 2, 3, 1]);
        assert_eq!(client.metadata(version, None).topics.len(), 1);
        assert_eq!(client.metadata(version, Some(&[])).topics.len(), 0);
    }
    let id = c.topic_id("auto").unwrap();
    assert_eq!(client.metadata(12, None).topics[0].topic_id, id);
    c.recreate_topic("auto").unwrap();
    assert_ne!(c.topic_id("auto").unwrap(), id);
    c.set_partition_leader("auto", 0, -1).unwrap();
    let m = client.metadata(12, None);
    assert_eq!((m.topics[0].partitions[0].error_code, m.topics[0].partitions[0].leader_epoch), (5, 1));
    c.set_partition_count("auto", 6).unwrap();
    assert_eq!(client.metadata(12, None).topics[0].partitions.len(), 6);
    c.delete_topic("auto").unwrap();
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic { name: Some("gone".to_string()), ..Default::default() }]),
        allow_auto_topic_creation: false,
        ..Default::default()
    };
    let b = client.call(ApiKey::Metadata, 12, |w| request.encode(w, 12)).unwrap();
    assert_eq!(MetadataResponse::decode(&mut Reader::new(&b), 12).unwrap().topics[0].error_code, 3);
    assert!(c.topics().is_empty());
}

#[test]
fn the_wrong_broker_names_the_leader() {
    let c = cluster(2);
    c.create_topic("t", 1, 1).unwrap();
    c.set_partition_leader("t", 0, 2).unwrap();
    let mut client = Client::new(&c, 1);
    let batch = plain();
    let data = vec![PartitionProduceData { index: 0, records: Some(&batch) }];
    let topic_data = vec![TopicProduceData { name: "t", partition_data: data, ..Default::default() }];
    let request = ProduceRequest { acks: 1, topic_data, ..Default::default() };
    let b = client.call(ApiKey::Produce, 10, |w| request.encode(w, 10)).unwrap();
    let r = ProduceResponse::decode(&mut Reader::new(&b), 10).unwrap();
    let leader = &r.responses[0].current_leader;
    assert_eq!((r.responses[0].error_code, leader.leader_id, leader.leader_epoch), (6, 2, 1));
    assert_eq!(r.node_endpoints[0].node_id, 2);
    assert!(c.bootstrap().ends_with(&format!(":{}", r.node_endpoints[0].port)));
}

#[test]
fn idempotent_batches_are_appended_once() {
    let c = cluster(1);
    c.create_topic("t", 1, 1).unwrap();
    let mut client = Client::new(&c, 1);
    let request = InitProducerIdRequest::default();
    let b = client.call(ApiKey::InitProducerId, 4, |w| request.encode(w, 4)).unwrap();
    let p = InitProducerIdResponse::decode(&mut Reader::new(&b), 4).unwrap();
    assert_eq!((p.error_code, p.producer_epoch), (0, 0));
    let batch = |seq| build(&[1, 2], (p.producer_id, 0, seq));
    assert_eq!(client.produce(9, "t", 0, &batch(0)), Some((0, 0)));
    // The connection is cut after the append; sent again, the batch is where it was.
    c.push_after_append_errors(key::PRODUCE, &[faults::CLOSE]);
    assert_eq!(client.produce(9, "t", 0, &batch(2)), None);
    let mut client = Client::new(&c, 1);
    assert_eq!(client.produce(9, "t", 0, &batch(2)), Some((0, 2)));
    assert_eq!(client.produce(9, "t", 0, &batch(6)), Some((45, -1)));
    assert_eq!(c.high_watermark("t", 0), Ok(4));
    assert_eq!(c.duplicate_batches("t", 0), Ok(1));
    let sequences: Vec<i32> = c.log_records("t", 0).unwrap().iter().map(|r| r.sequence).collect();
    assert_eq!(sequences, [0, 1, 2, 3]);
}

#[test]
fn pushed_errors_strike_once_each() {
    let c = cluster(1);
    c.create_topic("t", 2, 1).unwrap();
    let mut client = Client::new(&c, 1);
    c.push_request_errors(key::PRODUCE, &[19, 0]);
    c.push_partition_request_errors("t", 1, key::PRODUCE, &[56]).unwrap();
    assert_eq!(client.produce(9, "t", 0, &plain()), Some((19, -1)));
    assert_eq!(client.produce(9, "t", 0, &plain()), Some((0, 0)));
    assert_eq!(client.produce(9, "t", 1, &plain()), Some((56, -1)));
    assert_eq!(client.produce(9, "t", 1, &plain()), Some((0, 0)));
    c.push_after_append_errors(key::PRODUCE, &[20]);
    assert_eq!(client.produce(9, "t", 0, &plain()), Some((20, 3)));
    assert_eq!(c.high_watermark("t", 0), Ok(6));
    c.push_broker_request_error_rtts(1, key::PRODUCE, &[(0, 80), (faults::CLOSE, 0)]).unwrap();
    let start = Instant::now();
    assert_eq!(client.produce(9, "t", 0, &plain()), Some((0, 6)));
    assert!(start.elapsed() >= Duration::from_millis(80));
    assert_eq!(client.produce(9, "t", 0, &plain()), None);
    assert_eq!(c.high_watermark("t", 0), Ok(9));
    assert_eq!(c.pending_request_errors(key::PRODUCE), 0);
    assert_eq!(c.request_count(key::PRODUCE), 7);
    // A part of the answer, then the end.
    c.drop_connection_mid_response(key::PRODUCE, 7);
    let mut client = Client::new(&c, 1);
    assert_eq!(client.produce(9, "t", 0, &plain()), None);
    assert_eq!(c.high_watermark("t", 0), Ok(12));
    c.set_topic_error("t", 29).unwrap();
    assert_eq!(Client::new(&c, 1).metadata(9, Some(&["t"])).topics[0].error_code, 29);
}

#[test]
fn silence_mutes_the_connection_alone() {
    let c = cluster(1);
    c.create_topic("t", 1, 1).unwrap();
    let mut client = Client::new(&c, 1);
    c.push_after_append_errors(key::PRODUCE, &[faults::SILENCE]);
    client.stream.set_read_timeout(Some(Duration::from_millis(60))).unwrap();
    assert_eq!(client.produce(9, "t", 0, &plain()), None);
    assert_eq!(client.produce(9, "t", 0, &plain()), None);
    assert_eq!(c.high_watermark("t", 0), Ok(3));
    assert_eq!(Client::new(&c, 1).produce(9, "t", 0, &plain()), Some((0, 3)));
    assert_eq!(c.accepted_connections(1), 2);
    // The broker notices when the muted client goes.
    drop(client);
    let start = Instant::now();
    while c.connection_count(1) > 0 {
        assert!(start.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn settings_change_while_it_runs() {
    let c = cluster(1);
    let mut client = Client::new(&c, 1);
    c.set_default_partitions(7);
    assert_eq!(client.metadata(9, Some(&["seven"])).topics[0].partitions.len(), 7);
    c.set_auto_create_topics(false);
    assert_eq!(client.metadata(9, Some(&["other"])).topics[0].error_code, 3);
    c.set_message_max_bytes(plain().len() - 1);
    assert_eq!(client.produce(9, "seven", 0, &plain()), Some((10, -1)));
}

/// Requests of every API and version with some bits flipped: the broker must outlive them all.
#[test]
fn damaged_requests_do_no_harm() {
    let c = cluster(2);
    c.create_topic("t", 2, 1).unwrap();
    let mut rng = faults::SplitMix(11);
    let mut g = Gen(11);
    let batch = build(&[1, 2], (5, 0, 0));
    for api in handlers::TABLE {
        for version in api.min..=api.max {
            let key = ApiKey::from_i16(api.key).unwrap();
            let mut w = Writer::new();
            let start = api::begin_request(&mut w, key, version, 1, Some("test"));
            match key {
                ApiKey::Produce => {
                    let data = vec![PartitionProduceData { index: 0, records: Some(&batch) }];
                    let topic_data = vec![TopicProduceData { name: "t", partition_data: data, ..Default::default() }];
                    ProduceRequest { acks: 1, topic_data, ..Default::default() }.encode(&mut w, version);
                }
                ApiKey::Fetch => fetch_request("t", 0, 1).encode(&mut w, version),
                ApiKey::Metadata => {
                    let topic = MetadataRequestTopic { name: Some("t".to_string()), ..Default::default() };
                    MetadataRequest { topics: Some(vec![topic]), ..Default::default() }.encode(&mut w, version);
                }
                ApiKey::AddPartitionsToTxn => {
                    AddPartitionsToTxnRequest::sample(&mut g, version).encode(&mut w, version)
                }
                ApiKey::AddOffsetsToTxn => AddOffsetsToTxnRequest::sample(&mut g, version).encode(&mut w, version),
                ApiKey::EndTxn => EndTxnRequest::sample(&mut g, version).encode(&mut w, version),
                ApiKey::TxnOffsetCommit => TxnOffsetCommitRequest::sample(&mut g, version).encode(&mut w, version),
                ApiKey::OffsetCommit => OffsetCommitRequest::sample(&mut g, version).encode(&mut w, version),
                ApiKey::OffsetFetch => OffsetFetchRequest::sample(&mut g, version).encode(&mut w, version),
                // A run of small numbers reads as lengths, counts and short strings of the others.
                _ => w.raw(&[0, 1, 0, 2, b'a', b'b', 2, b'c', 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 2, 3, 0, 0, 0, 0, 1, 0, 0]),
            }
            w.end_frame(start, 0).unwrap();
            for _ in 0..12 {
                let mut b = w.as_slice().to_vec();
                for _ in 0..rng.below(6) {
                    // The length, API key and version stay.
                    let at = 8 + rng.below(b.len() as u64 - 8) as usize;
                    b[at] ^= 1 << rng.below(8);
                }
                let _ = Client::new(&c, 1 + rng.below(2) as usize).stream.write_all(&b);
            }
        }
    }
    for broker in 1..=2 {
        assert_eq!(Client::new(&c, broker).metadata(9, Some(&["t"])).brokers.len(), 2);
    }
}

#[test]
fn throttling_is_told() {
    let c = cluster(1);
    c.throttle(key::METADATA, 123);
    assert_eq!(Client::new(&c, 1).metadata(9, None).throttle_time_ms, 123);
    c.throttle(key::METADATA, 0);
    assert_eq!(Client::new(&c, 1).metadata(9, None).throttle_time_ms, 0);
}

#[test]
fn brokers_go_down_and_come_back() {
    let c = cluster(2);
    c.create_topic("t", 2, 1).unwrap();
    let mut client = Client::new(&c, 1);
    client.metadata(9, None);
    assert_eq!(c.connection_count(1), 1);
    c.broker_down(1).unwrap();
    assert_eq!(c.connection_count(1), 0);
    assert_eq!(client.stream.read(&mut [0; 8]).unwrap_or(0), 0);
    assert!(TcpStream::connect(c.bootstrap().split(',').next().unwrap()).is_err());
    let m = Client::new(&c, 2).metadata(9, None);
    assert_eq!((m.controller_id, m.topics[0].partitions[0].leader_id), (2, 1));
    assert_eq!(m.topics[0].partitions[0].offline_replicas, [1]);
    c.fail_over();
    assert_eq!(c.partition_leader("t", 0), Ok(2));
    c.broker_up(1).unwrap();
    assert_eq!(Client::new(&c, 1).metadata(9, None).brokers.len(), 2);
    assert_eq!(c.broker_down(3), Err(RespErr::ERR__UNKNOWN_BROKER));
}

#[test]
fn freeze_and_hold_keep_answers_back() {
    let c = cluster(1);
    c.create_topic("t", 1, 1).unwrap();
    let mut client = Client::new(&c, 1);
    client.metadata(9, None);
    c.freeze(1).unwrap();
    client.send(ApiKey::Metadata, 9, |w| MetadataRequest::default().encode(w, 9));
    client.stream.set_read_timeout(Some(Duration::from_millis(60))).unwrap();
    assert!(client.receive().is_none());
    assert_eq!(c.request_count(key::METADATA), 1);
    client.stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    c.unfreeze(1).unwrap();
    assert!(client.receive().is_some());
    c.hold_responses(1).unwrap();
    client.send(ApiKey::Metadata, 9, |w| MetadataRequest::default().encode(w, 9));
    client.stream.set_read_timeout(Some(Duration::from_millis(60))).unwrap();
    assert!(client.receive().is_none());
    assert_eq!(c.request_count(key::METADATA), 3);
    client.stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    c.release_responses(1).unwrap();
    assert!(client.receive().is_some());
    c.set_rtt(-1, 50).unwrap();
    let start = Instant::now();
    client.metadata(9, None);
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[test]
fn offsets_are_listed() {
    let c = MockCluster::new(1, Options { retention_bytes: 200, ..Default::default() }).unwrap();
    c.create_topic("t", 1, 1).unwrap();
    let mut client = Client::new(&c, 1);
    for i in 0..5 {
        client.produce(9, "t", 0, &build(&[i * 100, i * 100 + 50], (-1, -1, -1))).unwrap();
    }
    let start = c.log_start_offset("t", 0).unwrap();
    assert!(start > 0 && c.log_size("t", 0).unwrap() <= 200);
    for version in 1..=ApiKey::ListOffsets.api().max {
        let mut ask = |timestamp| {
            let p = ListOffsetsPartition { timestamp, ..Default::default() };
            let topics = vec![ListOffsetsTopic { name: "t".to_string(), partitions: vec![p] }];
            let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
            let b = client.call(ApiKey::ListOffsets, version, |w| request.encode(w, version)).unwrap();
            let r = ListOffsetsResponse::decode(&mut Reader::new(&b), version).unwrap();
            let p = &r.topics[0].partitions[0];
            assert_eq!(p.error_code, 0);
            (p.offset, p.timestamp)
        };
        assert_eq!(ask(LATEST_TIMESTAMP), (10, -1));
        assert_eq!(ask(EARLIEST_TIMESTAMP), (start, -1));
        assert_eq!(ask(401), (9, 450));
        assert_eq!(ask(451), (-1, -1));
        assert_eq!(ask(MAX_TIMESTAMP), (9, 450));
    }
}

#[test]
fn nonsense_closes_the_connection_alone() {
    let c = cluster(1);
    let pieces: [&[u8]; 5] = [
        &[0xff, 0xff, 0xff, 0xff],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0, 0, 0, 3, 1, 2, 3],
        // Produce v9 with a topic count far beyond the bytes.
        &[0, 0, 0, 19, 0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0xff],
        // An API that is not offered.
        &[0, 0, 0, 10, 0, 11, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
    ];
    for bytes in pieces {
        let mut client = Client::new(&c, 1);
        client.stream.write_all(bytes).unwrap();
        assert!(client.receive().is_none(), "{bytes:?}");
    }
    let mut rng = faults::SplitMix(7);
    for _ in 0..300 {
        let mut client = Client::new(&c, 1);
        let len = rng.below(200) as usize;
        let mut b = (len as i32).to_be_bytes().to_vec();
        let keys = [0, 1, 2, 3, 8, 9, 10, 18, 19, 20, 22, 24, 25, 26, 28, 37];
        b.extend_from_slice(&[0, keys[rng.below(16) as usize], 0, rng.below(14) as u8]);
        b.extend((4..len).map(|_| rng.next() as u8 & rng.next() as u8));
        let _ = client.stream.write_all(&b);
    }
    assert_eq!(Client::new(&c, 1).metadata(9, Some(&["after"])).topics[0].error_code, 0);
    assert!(!c.log_lines().is_empty());
}

#[test]
fn hostile_answers_leave_the_broker_whole() {
    let c = cluster(1);
    let ask = |mode| {
        c.set_hostile_for(key::METADATA, mode);
        let mut client = Client::new(&c, 1);
        client.send(ApiKey::Metadata, 9, |w| MetadataRequest::default().encode(w, 9));
        client.stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut b = [0; 4];
        let n = client.stream.read(&mut b).unwrap_or(0);
        (n, i32::from_be_bytes(b))
    };
    assert_eq!(ask(HostileMode::NeverAnswer).0, 0);
    assert_eq!(ask(HostileMode::NegativeLength), (4, -1));
    assert_eq!(ask(HostileMode::Oversize(1 << 30)), (4, 1 << 30));
    assert_eq!(ask(HostileMode::OneBytePerSecond).0, 1);
    c.set_hostile(HostileMode::None);
    assert_eq!(Client::new(&c, 1).metadata(9, None).brokers.len(), 1);
}

#[test]
fn random_faults_never_lose_what_was_confirmed() {
    let seed = 20;
    let c = cluster(3);
    c.create_topic("t", 1, 3).unwrap();
    c.set_faults(Some(Faults::random(seed).percent(50).max_delay(2).silence(false)));
    let mut confirmed = 0;
    let (mut sequence, mut broker) = (0, 1);
    for _ in 0..400 {
        let batch = build(&[1], (77, 0, sequence));
        match Client::new(&c, broker).produce(9, "t", 0, &batch) {
            Some((0, offset)) => {
                assert_eq!(offset, sequence as i64, "seed {seed}");
                sequence += 1;
                confirmed += 1;
            }
            _ => broker = c.partition_leader("t", 0).unwrap() as usize,
        }
    }
    assert!(confirmed > 100, "{confirmed}");
    let extra = c.high_watermark("t", 0).unwrap() - confirmed;
    // The last batch may be there without its producer having heard.
    assert!((0..=1).contains(&extra), "{extra}, seed {seed}");
}

#[test]
fn shutdown_ends_every_thread() {
    let c = cluster(5);
    let _client = Client::new(&c, 3);
    c.freeze(2).unwrap();
    c.shutdown();
    c.shutdown();
    assert!(c.broker_down(1).is_ok());
    assert!(TcpStream::connect(c.bootstrap().split(',').next().unwrap()).is_err());
}
