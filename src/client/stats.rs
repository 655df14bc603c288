//! Statistics: counters that the threads keep, and the JSON document with the fields that librdkafka's users know.

use super::broker::BrokerHandle;
use super::events::Event;
use super::shared::Shared;
use super::topic::{Partition, TopicState, KNOWN};
use crate::sys::clock;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde_json::{json, Map, Value};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;

/// Totals of the client.
#[derive(Default)]
pub struct ClientCounters {
    pub tx_messages: AtomicU64,
    pub tx_message_bytes: AtomicU64,
}

/// Totals of a broker's connection.
#[derive(Default)]
pub struct BrokerCounters {
    pub tx: AtomicU64,
    pub tx_bytes: AtomicU64,
    pub tx_errors: AtomicU64,
    pub tx_retries: AtomicU64,
    pub req_timeouts: AtomicU64,
    pub rx: AtomicU64,
    pub rx_bytes: AtomicU64,
    pub rx_errors: AtomicU64,
    pub rx_correlation_errors: AtomicU64,
    pub rx_partial: AtomicU64,
    pub wakeups: AtomicU64,
    pub connects: AtomicU64,
    pub disconnects: AtomicU64,
    /// Requests that wait to be written, and that wait for a response; and the messages in them.
    pub outbuf_count: AtomicU64,
    pub waiting_count: AtomicU64,
    pub outbuf_messages: AtomicU64,
    pub waiting_messages: AtomicU64,
    pub last_tx_us: AtomicU64,
    pub last_rx_us: AtomicU64,
    /// Requests by API key.
    pub requests: RequestCounts,
    /// Microseconds from produce to the request, by batch.
    pub int_latency: Window,
    /// Microseconds from the request's making to its last byte written.
    pub outbuf_latency: Window,
    /// Microseconds from request to response.
    pub rtt: Window,
    /// Milliseconds of throttling asked for.
    pub throttle: Window,
}

/// Figures of a topic's batches.
#[derive(Default)]
pub struct BatchWindows {
    /// Bytes per batch.
    pub size: Window,
    /// Messages per batch.
    pub count: Window,
}

/// Requests sent, by API key.
pub struct RequestCounts(pub [AtomicU64; 96]);

impl Default for RequestCounts {
    fn default() -> Self {
        RequestCounts(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

/// Values since the last statistics document.
pub struct Window(Mutex<Inner>);

struct Inner {
    histogram: Option<Histogram<u32>>,
    sum: u64,
    out_of_range: u64,
}

const MOST: u64 = 60_000_000_000;

impl Default for Window {
    fn default() -> Self {
        Window(Mutex::new(Inner { histogram: None, sum: 0, out_of_range: 0 }))
    }
}

impl Window {
    pub fn record(&self, value: u64) {
        let mut w = self.0.lock();
        if w.histogram.is_none() {
            w.histogram = Histogram::new_with_bounds(1, MOST, 2).ok();
        }
        let fits = w.histogram.as_mut().is_some_and(|h| h.record(value).is_ok());
        if fits {
            w.sum += value;
        } else {
            w.out_of_range += 1;
        }
    }

    /// The window's figures; it starts anew.
    fn roll(&self) -> Value {
        let mut w = self.0.lock();
        let (sum, out) = (w.sum, w.out_of_range);
        (w.sum, w.out_of_range) = (0, 0);
        let Some(h) = w.histogram.as_mut().filter(|h| !h.is_empty()) else {
            return json!({"min": 0, "max": 0, "avg": 0, "sum": 0, "cnt": 0, "stddev": 0, "hdrsize": 0, "p50": 0,
                "p75": 0, "p90": 0, "p95": 0, "p99": 0, "p99_99": 0, "outofrange": out});
        };
        let q = |p: f64| h.value_at_quantile(p);
        let v = json!({"min": h.min(), "max": h.max(), "avg": sum / h.len(), "sum": sum, "cnt": h.len(),
            "stddev": h.stdev() as u64, "hdrsize": h.distinct_values() * 4, "p50": q(0.50), "p75": q(0.75),
            "p90": q(0.90), "p95": q(0.95), "p99": q(0.99), "p99_99": q(0.9999), "outofrange": out});
        h.reset();
        v
    }
}

/// Makes the document and hands it to the application.
pub fn emit(shared: &Arc<Shared>) {
    if shared.hooks.want_stats {
        shared.events.push(Event::Stats(document(shared).to_string()));
    }
}

fn document(s: &Shared) -> Value {
    let now_us = clock::precise_us();
    let handles: Vec<Arc<BrokerHandle>> = s.brokers.read().values().cloned().collect();
    let mut brokers = Map::new();
    let mut totals = [0u64; 4];
    for b in &handles {
        let c = &b.counters;
        for (total, counter) in totals.iter_mut().zip([&c.tx, &c.tx_bytes, &c.rx, &c.rx_bytes]) {
            *total += counter.load(Relaxed);
        }
        brokers.insert(b.name(), broker(s, b, now_us));
    }
    let mut topics = Map::new();
    for t in s.topics.iter() {
        topics.insert(t.state.info.name.clone(), topic(&t.state));
    }
    let (max_messages, max_bytes) = s.home.budget.limits();
    json!({
        "name": s.name.to_string_lossy(), "client_id": s.settings.client_id, "type": "producer",
        "ts": s.started.elapsed().as_micros() as u64, "time": now_us / 1_000_000,
        "age": s.started.elapsed().as_micros() as u64,
        "replyq": s.events.len(), "msg_cnt": s.home.budget.in_use(), "msg_size": s.home.budget.bytes_in_use(),
        "msg_max": max_messages, "msg_size_max": max_bytes, "simple_cnt": 0, "metadata_cache_cnt": topics.len(),
        "brokers": brokers, "topics": topics,
        "tx": totals[0], "tx_bytes": totals[1], "rx": totals[2], "rx_bytes": totals[3],
        "txmsgs": s.counters.tx_messages.load(Relaxed), "txmsg_bytes": s.counters.tx_message_bytes.load(Relaxed),
        "rxmsgs": 0, "rxmsg_bytes": 0,
    })
}

fn broker(s: &Shared, b: &BrokerHandle, now_us: u64) -> Value {
    let c = &b.counters;
    let g = |a: &AtomicU64| a.load(Relaxed);
    let idle = |a: &AtomicU64| match g(a) {
        0 => -1i64,
        t => now_us.saturating_sub(t) as i64,
    };
    let mut requests = Map::new();
    for (key, n) in c.requests.0.iter().enumerate() {
        if let (n @ 1.., Some(api)) = (g(n), crate::protocol::api::ApiKey::from_i16(key as i16)) {
            requests.insert(api.api().name.to_owned(), n.into());
        }
    }
    let mut toppars = Map::new();
    for t in s.topics.iter() {
        for p in t.state.all_partitions().filter(|p| p.index >= 0 && p.leader.load(Relaxed) == b.id) {
            let name = format!("{}-{}", p.info.name, p.index);
            toppars.insert(name, json!({"topic": p.info.name, "partition": p.index}));
        }
    }
    json!({
        "name": b.name(), "nodeid": b.id, "nodename": b.node_name(),
        "source": if b.id >= 0 { "learned" } else { "configured" },
        "state": b.state().name(), "stateage": b.state_since.lock().elapsed().as_micros() as u64,
        "outbuf_cnt": g(&c.outbuf_count), "outbuf_msg_cnt": g(&c.outbuf_messages),
        "waitresp_cnt": g(&c.waiting_count), "waitresp_msg_cnt": g(&c.waiting_messages),
        "tx": g(&c.tx), "txbytes": g(&c.tx_bytes), "txerrs": g(&c.tx_errors), "txretries": g(&c.tx_retries),
        "txidle": idle(&c.last_tx_us), "req_timeouts": g(&c.req_timeouts),
        "rx": g(&c.rx), "rxbytes": g(&c.rx_bytes), "rxerrs": g(&c.rx_errors),
        "rxcorriderrs": g(&c.rx_correlation_errors), "rxpartial": g(&c.rx_partial), "rxidle": idle(&c.last_rx_us),
        "zbuf_grow": 0, "buf_grow": 0, "wakeups": g(&c.wakeups),
        "connects": g(&c.connects), "disconnects": g(&c.disconnects),
        "int_latency": c.int_latency.roll(), "outbuf_latency": c.outbuf_latency.roll(), "rtt": c.rtt.roll(),
        "throttle": c.throttle.roll(), "req": requests, "toppars": toppars,
    })
}

fn topic(t: &TopicState) -> Value {
    let age = |at: Option<std::time::Instant>| at.map_or(0, |t| t.elapsed().as_millis() as u64);
    let meta = t.meta.lock();
    let mut partitions = Map::new();
    let n = t.partition_count();
    for p in t.all_partitions().filter(|p| p.index < n) {
        partitions.insert(p.index.to_string(), partition(t, p));
    }
    json!({
        "topic": t.info.name, "age": age(Some(meta.created)), "metadata_age": age(meta.refreshed),
        "batchsize": t.info.batches.size.roll(), "batchcnt": t.info.batches.count.roll(), "partitions": partitions,
    })
}

fn partition(t: &TopicState, p: &Partition) -> Value {
    let (messages, bytes) = p.queue.queued();
    let in_flight = p.queue.lock().in_flight;
    let g = |a: &AtomicU64| a.load(Relaxed);
    json!({
        "partition": p.index, "broker": p.leader.load(Relaxed), "leader": p.leader.load(Relaxed),
        "desired": false, "unknown": p.index >= 0 && t.state.load(Relaxed) != KNOWN,
        "msgq_cnt": messages, "msgq_bytes": bytes, "xmit_msgq_cnt": 0, "xmit_msgq_bytes": 0,
        "fetchq_cnt": 0, "fetchq_size": 0, "fetch_state": "none", "query_offset": -1001, "next_offset": 0,
        "app_offset": -1001, "stored_offset": -1001, "stored_leader_epoch": -1, "committed_offset": -1001,
        "committed_leader_epoch": -1, "eof_offset": -1001, "lo_offset": -1001, "hi_offset": -1001,
        "ls_offset": -1001, "consumer_lag": -1, "consumer_lag_stored": -1,
        "leader_epoch": p.leader_epoch.load(Relaxed),
        "txmsgs": g(&p.counters.tx_messages), "txbytes": g(&p.counters.tx_bytes), "rxmsgs": 0, "rxbytes": 0,
        "msgs": g(&p.counters.tx_messages) + messages, "rx_ver_drops": 0, "msgs_inflight": in_flight,
        "next_ack_seq": 0, "next_err_seq": 0, "acked_msgid": g(&p.counters.acked),
    })
}
