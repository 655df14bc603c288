//! When to ask for metadata, of which topics, and whom.

use super::broker::{BrokerHandle, BrokerOp, LinkState, MetadataQuery};
use super::metadata::ClusterMetadata;
use super::shared::Shared;
use crate::error::RespErr;
use crate::protocol::messages::metadata::MetadataResponse;
use crossbeam_channel::Sender;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A request whose answer has not come.
struct Outstanding {
    tag: u64,
    deadline: Instant,
    topics: Vec<String>,
}

/// An application that waits for the cluster's metadata.
struct Query {
    all: bool,
    topic: Option<String>,
    reply: Sender<Result<ClusterMetadata, RespErr>>,
    until: Instant,
    /// The request that will answer it, once sent.
    tag: Option<u64>,
}

/// Topics are asked for again at growing intervals while something about them is not as it should be.
struct Wanted {
    at: Instant,
    interval: Duration,
}

pub struct Asker {
    wanted: BTreeMap<String, Wanted>,
    /// The brokers alone are to be asked for: at the start, so that an application hears early of brokers that are down.
    brokers_wanted: bool,
    refresh_at: Option<Instant>,
    outstanding: Option<Outstanding>,
    /// After a failure, not before.
    not_before: Option<Instant>,
    queries: Vec<Query>,
    next_tag: u64,
    /// Whom to ask next.
    turn: usize,
    fast: Duration,
    slow: Duration,
    refresh: Option<Duration>,
    auto_create: bool,
    /// How long one broker is waited for before another is asked.
    patience: Duration,
    /// Since when metadata was asked for without an answer that is one, and whether an attempt has failed already.
    in_vain_since: Option<Instant>,
    failing: bool,
    /// After how long in vain the known brokers are to be forgotten (KIP-1102); `None`: never.
    trigger: Option<Duration>,
    /// Bootstrap brokers are asked even though others are known (KIP-899).
    rebootstrap: bool,
}

impl Asker {
    pub fn new(shared: &Shared) -> Asker {
        let s = &shared.settings;
        let refresh = (s.metadata_refresh_interval_ms > 0)
            .then(|| Duration::from_millis(s.metadata_refresh_interval_ms.min(s.metadata_max_age_ms) as u64));
        Asker {
            wanted: BTreeMap::new(),
            brokers_wanted: true,
            refresh_at: refresh.map(|r| Instant::now() + r),
            outstanding: None,
            not_before: None,
            queries: Vec::new(),
            next_tag: 1,
            turn: fastrand::usize(0..1024),
            fast: Duration::from_millis(s.metadata_refresh_fast_interval_ms.max(1) as u64),
            slow: Duration::from_millis(s.retry_backoff_max_ms.max(s.metadata_refresh_fast_interval_ms) as u64),
            refresh,
            auto_create: s.allow_auto_create_topics,
            patience: Duration::from_millis(s.socket_timeout_ms.min(5000) as u64),
            in_vain_since: None,
            failing: false,
            trigger: s.rebootstrap.then(|| Duration::from_millis(s.rebootstrap_trigger_ms as u64)),
            rebootstrap: s.rebootstrap,
        }
    }

    /// The topic is to be asked for at once.
    pub fn want(&mut self, topic: &str, now: Instant) {
        let fast = self.fast;
        self.wanted
            .entry(topic.to_owned())
            .and_modify(|w| w.at = w.at.min(now))
            .or_insert(Wanted { at: now, interval: fast });
    }

    /// The topic is to be asked for, at once unless it was just now.
    pub fn want_soon(&mut self, topic: &str) {
        let asked = self.outstanding.as_ref().is_some_and(|o| o.topics.iter().any(|t| t == topic));
        if !asked && !self.wanted.contains_key(topic) {
            self.want(topic, Instant::now());
        }
    }

    /// Something about the topic is still not as it should be: ask again, later each time.
    pub fn want_again(&mut self, topic: &str) {
        let now = Instant::now();
        let (fast, slow) = (self.fast, self.slow);
        let w = self.wanted.entry(topic.to_owned()).or_insert(Wanted { at: now, interval: fast });
        w.at = now + w.interval;
        w.interval = (w.interval * 2).min(slow);
    }

    /// What is known of the topic will do for now; the rest is asked for in a while, unless the topic is asked for anyhow.
    pub fn want_rest(&mut self, topic: &str) {
        let fast = self.fast;
        self.wanted.entry(topic.to_owned()).or_insert_with(|| Wanted { at: Instant::now() + fast, interval: fast });
    }

    /// The topic is as it should be.
    pub fn satisfied(&mut self, topic: &str) {
        self.wanted.remove(topic);
    }

    pub fn query(
        &mut self,
        all: bool,
        topic: Option<String>,
        reply: Sender<Result<ClusterMetadata, RespErr>>,
        until: Instant,
    ) {
        self.queries.push(Query { all, topic, reply, until, tag: None });
    }

    pub fn broker_came_up(&mut self) {
        self.not_before = None;
    }

    /// When to find the cluster anew, unless metadata comes.
    pub fn rebootstrap_at(&self) -> Option<Instant> {
        Some(self.in_vain_since.filter(|_| self.failing)? + self.trigger?)
    }

    /// The cluster is looked for anew from now on: nothing is expected from those who were asked.
    pub fn rebootstrapped(&mut self) {
        self.brokers_wanted = true;
        if let Some(tag) = self.outstanding.as_ref().map(|o| o.tag) {
            self.failed(tag);
        }
        (self.in_vain_since, self.failing) = (None, false);
        self.not_before = Some(Instant::now() + self.fast);
    }

    pub fn next_timer(&self) -> Option<Instant> {
        let queries = self.queries.iter().map(|q| q.until);
        let unsent = self.queries.iter().any(|q| q.tag.is_none()).then_some(self.not_before).flatten();
        let recovery = self.rebootstrap_at();
        let requests: Option<Instant> = match &self.outstanding {
            Some(o) => Some(o.deadline),
            None => {
                let wanted = self.wanted.values().map(|w| w.at).min();
                let first = wanted.into_iter().chain(self.refresh_at).min();
                let first = if self.brokers_wanted { Some(Instant::now()) } else { first };
                first.map(|at| self.not_before.map_or(at, |n| n.max(at)))
            }
        };
        requests.into_iter().chain(queries).chain(unsent).chain(recovery).min()
    }

    /// Sends what is due.
    pub fn ask(&mut self, shared: &Shared, now: Instant) {
        self.queries.retain(|q| {
            let late = now >= q.until;
            if late {
                let _ = q.reply.send(Err(RespErr::ERR__TIMED_OUT));
            }
            !late
        });
        if self.not_before.is_some_and(|t| now < t) {
            return;
        }
        self.not_before = None;
        for i in 0..self.queries.len() {
            if self.queries[i].tag.is_none() {
                let q = &self.queries[i];
                let topics = if q.all { None } else { Some(q.topic.iter().cloned().collect()) };
                let tag = self.send(shared, topics, false);
                self.queries[i].tag = tag;
            }
        }
        if self.outstanding.as_ref().is_some_and(|o| now >= o.deadline) {
            // No word from that broker: ask another.
            self.failing = true;
            let lost = self.outstanding.take().map(|o| o.topics).unwrap_or_default();
            lost.iter().for_each(|t| self.want(t, now));
        }
        if self.outstanding.is_some() {
            return;
        }
        let full = self.refresh_at.is_some_and(|t| now >= t);
        let mut topics: Vec<String> = if full {
            self.refresh_at = self.refresh.map(|r| now + r);
            shared.topics.iter().map(|t| t.state.info.name.clone()).collect()
        } else {
            self.wanted.iter().filter(|(_, w)| w.at <= now).map(|(t, _)| t.clone()).collect()
        };
        if topics.is_empty() && !full && !self.brokers_wanted {
            return;
        }
        topics.dedup();
        let everything = full && !shared.settings.metadata_refresh_sparse;
        let request = if everything { None } else { Some(topics.clone()) };
        if let Some(tag) = self.send(shared, request, true) {
            // While it is under way these are not due; the answer says whether to ask again.
            for t in &topics {
                if let Some(w) = self.wanted.get_mut(t) {
                    w.at = now + self.patience;
                }
            }
            self.outstanding = Some(Outstanding { tag, deadline: now + self.patience, topics });
        } else {
            self.not_before = Some(now + self.fast);
        }
    }

    fn send(&mut self, shared: &Shared, topics: Option<Vec<String>>, leaders_will_do: bool) -> Option<u64> {
        let broker = self.choose(shared)?;
        let tag = self.next_tag;
        self.next_tag += 1;
        self.in_vain_since.get_or_insert_with(Instant::now);
        let request = MetadataQuery { topics, allow_auto_create: self.auto_create, leaders_will_do };
        broker.send(BrokerOp::Metadata { request, tag });
        Some(tag)
    }

    /// Whom `choose` would choose now.
    pub fn next_to_ask(&mut self, shared: &Shared) -> Option<Arc<BrokerHandle>> {
        let turn = self.turn;
        let choice = self.choose(shared);
        self.turn = turn;
        choice
    }

    /// Connected brokers first, then those that have failed least, in turn. Once others are known, bootstrap brokers are
    /// among them only if `metadata.recovery.strategy` says so.
    pub(super) fn choose(&mut self, shared: &Shared) -> Option<Arc<BrokerHandle>> {
        let brokers = shared.brokers.read();
        let known = brokers.keys().any(|id| *id >= 0);
        let may_ask = |b: &&Arc<BrokerHandle>| b.id >= 0 || self.rebootstrap || !known;
        let mut all: Vec<&Arc<BrokerHandle>> = brokers.values().filter(may_ask).collect();
        all.sort_by_key(|b| b.id);
        self.turn = self.turn.wrapping_add(1);
        let n = all.len();
        let turn = self.turn;
        let rank = |b: &BrokerHandle| match b.state() {
            LinkState::Up => (0, 0),
            LinkState::Down => (2, b.failures.load(Relaxed)),
            _ => (1, 0),
        };
        (0..n).map(|i| all[(i + turn) % n]).min_by_key(|b| rank(b)).cloned()
    }

    pub fn answered(&mut self, tag: u64, response: &MetadataResponse, from: i32, from_name: String) {
        self.brokers_wanted = false;
        (self.in_vain_since, self.failing) = (None, false);
        if self.outstanding.as_ref().is_some_and(|o| o.tag == tag) {
            self.outstanding = None;
        }
        self.queries.retain(|q| {
            if q.tag == Some(tag) {
                let _ = q.reply.send(Ok(ClusterMetadata::new(response, from, from_name.clone())));
            }
            q.tag != Some(tag)
        });
    }

    pub fn failed(&mut self, tag: u64) {
        self.failing = true;
        let now = Instant::now();
        if self.outstanding.as_ref().is_some_and(|o| o.tag == tag) {
            let topics = self.outstanding.take().map(|o| o.topics).unwrap_or_default();
            topics.iter().for_each(|t| self.want(t, now));
        }
        // Unsent again: another broker may answer in time.
        self.queries.iter_mut().filter(|q| q.tag == Some(tag)).for_each(|q| q.tag = None);
        self.not_before = Some(now + self.fast);
    }
}
