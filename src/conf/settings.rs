//! The typed form of a configuration, which the client runs on: plain fields, made once when the producer is.

use crate::partitioner::PartitionerKind;
use std::fmt;
use std::ops::BitOr;

/// A set of `debug` contexts.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct DebugContexts(pub u32);

impl DebugContexts {
    pub const NONE: DebugContexts = DebugContexts(0);
    pub const GENERIC: DebugContexts = DebugContexts(1);
    pub const BROKER: DebugContexts = DebugContexts(1 << 1);
    pub const TOPIC: DebugContexts = DebugContexts(1 << 2);
    pub const METADATA: DebugContexts = DebugContexts(1 << 3);
    pub const FEATURE: DebugContexts = DebugContexts(1 << 4);
    pub const QUEUE: DebugContexts = DebugContexts(1 << 5);
    pub const MSG: DebugContexts = DebugContexts(1 << 6);
    pub const PROTOCOL: DebugContexts = DebugContexts(1 << 7);
    pub const CGRP: DebugContexts = DebugContexts(1 << 8);
    pub const SECURITY: DebugContexts = DebugContexts(1 << 9);
    pub const FETCH: DebugContexts = DebugContexts(1 << 10);
    pub const INTERCEPTOR: DebugContexts = DebugContexts(1 << 11);
    pub const PLUGIN: DebugContexts = DebugContexts(1 << 12);
    pub const CONSUMER: DebugContexts = DebugContexts(1 << 13);
    pub const ADMIN: DebugContexts = DebugContexts(1 << 14);
    pub const EOS: DebugContexts = DebugContexts(1 << 15);
    pub const MOCK: DebugContexts = DebugContexts(1 << 16);
    pub const ASSIGNOR: DebugContexts = DebugContexts(1 << 17);
    pub const CONF: DebugContexts = DebugContexts(1 << 18);
    pub const TELEMETRY: DebugContexts = DebugContexts(1 << 19);
    pub const ALL: DebugContexts = DebugContexts((1 << 20) - 1);

    /// Names in the order of their bits.
    pub const NAMES: [&'static str; 20] = [
        "generic",
        "broker",
        "topic",
        "metadata",
        "feature",
        "queue",
        "msg",
        "protocol",
        "cgrp",
        "security",
        "fetch",
        "interceptor",
        "plugin",
        "consumer",
        "admin",
        "eos",
        "mock",
        "assignor",
        "conf",
        "telemetry",
    ];

    /// True when any of `contexts` is on.
    #[inline]
    pub fn has(self, contexts: DebugContexts) -> bool {
        self.0 & contexts.0 != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for DebugContexts {
    type Output = DebugContexts;
    fn bitor(self, other: DebugContexts) -> DebugContexts {
        DebugContexts(self.0 | other.0)
    }
}

impl fmt::Display for DebugContexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == DebugContexts::ALL {
            return f.write_str("all");
        }
        let mut separator = "";
        for (bit, name) in DebugContexts::NAMES.iter().enumerate() {
            if self.0 & (1 << bit) != 0 {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DebugContexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DebugContexts({self})")
    }
}

/// `compression.codec`. The numbers are those of a record batch's attributes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Compression {
    #[default]
    None = 0,
    Gzip = 1,
    Snappy = 2,
    Lz4 = 3,
    Zstd = 4,
}

impl Compression {
    pub const ALL: [Compression; 5] =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}

/// `broker.address.family`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AddressFamily {
    #[default]
    Any,
    V4,
    V6,
}

/// The working global properties, checked and adjusted to each other. `_ms` fields are milliseconds.
#[derive(Clone, Debug)]
pub struct Settings {
    // Who and where.
    pub client_id: String,
    /// `host:port`, one per entry, IPv6 addresses in brackets; empty when not set.
    pub bootstrap: Vec<String>,
    /// `client.software.name`, as the broker may see it (KIP-511).
    pub software_name: String,
    pub software_version: String,

    // Sizes of requests and responses, in bytes.
    /// `message.max.bytes`: largest produce batch on the wire.
    pub message_max_bytes: usize,
    pub receive_message_max_bytes: usize,

    // Connections.
    pub max_in_flight: usize,
    pub socket_timeout_ms: i64,
    /// 0: the system's.
    pub socket_send_buffer_bytes: usize,
    /// 0: the system's.
    pub socket_receive_buffer_bytes: usize,
    pub socket_keepalive: bool,
    /// Requests timed out in a row after which the connection is closed; 0: never.
    pub socket_max_fails: u32,
    pub broker_address_ttl_ms: i64,
    /// `socket.nagle.disable`: set TCP_NODELAY.
    pub socket_nodelay: bool,
    pub broker_address_family: AddressFamily,
    pub connection_setup_timeout_ms: i64,
    /// 0: idle connections stay open.
    pub connections_max_idle_ms: i64,
    pub reconnect_backoff_ms: i64,
    pub reconnect_backoff_max_ms: i64,
    pub api_version_request_timeout_ms: i64,

    // Metadata.
    /// −1: no periodic refresh.
    pub metadata_refresh_interval_ms: i64,
    pub metadata_max_age_ms: i64,
    pub metadata_refresh_fast_interval_ms: i64,
    /// `metadata.recovery.strategy=rebootstrap`
    pub rebootstrap: bool,
    pub rebootstrap_trigger_ms: i64,
    /// Ask for the topics in use only.
    pub metadata_refresh_sparse: bool,
    /// How long a topic may be unknown to the brokers before its messages fail.
    pub topic_metadata_propagation_max_ms: i64,
    pub allow_auto_create_topics: bool,

    // Logs, events, statistics.
    pub debug: DebugContexts,
    /// syslog level: 0 emergency to 7 debug, which `debug` implies.
    pub log_level: i32,
    /// Logs wait in the event queue for poll instead of going out at once.
    pub log_queue: bool,
    pub log_connection_close: bool,
    /// 0: off.
    pub statistics_interval_ms: i64,

    // Producing.
    /// `queue.buffering.max.messages`; [`usize::MAX`] when the property is 0 (no limit).
    pub queue_max_messages: usize,
    /// `queue.buffering.max.kbytes`, in bytes.
    pub queue_max_bytes: usize,
    /// Microseconds: `linger.ms` takes fractions.
    pub linger_us: i64,
    pub batch_num_messages: usize,
    /// Bytes; never more than `message_max_bytes`.
    pub batch_size: usize,
    /// `transactional.id`
    pub transactional_id: Option<String>,
    pub transaction_timeout_ms: i64,
    /// `enable.idempotence`
    pub idempotence: bool,
    /// `enable.gapless.guarantee`
    pub gapless_guarantee: bool,
    pub retries: u32,
    pub retry_backoff_ms: i64,
    pub retry_backoff_max_ms: i64,
    pub delivery_report_only_error: bool,
    /// 0: keyless messages go to a random partition each.
    pub sticky_linger_ms: i64,
    /// Keyless messages go to short queues more often (KIP-794).
    pub partitioner_adaptive: bool,

    /// TLS and SASL.
    pub security: super::SecuritySettings,

    // Tests.
    /// Brokers of an embedded cluster to start and use; 0: none.
    pub mock_brokers: i32,
    pub mock_rtt_ms: i64,

    /// Texts to log as warnings when the producer is made: consumer properties, deprecated ones, those without effect.
    pub warnings: Vec<String>,
    /// What topics without a configuration of their own use.
    pub default_topic: TopicSettings,
}

/// The properties of topic scope.
#[derive(Clone, Debug)]
pub struct TopicSettings {
    /// −1: all in-sync replicas.
    pub acks: i16,
    /// The broker's time for gathering acks.
    pub request_timeout_ms: i64,
    /// `message.timeout.ms` = `delivery.timeout.ms`; 0: no limit.
    pub message_timeout_ms: i64,
    pub partitioner: PartitionerKind,
    pub compression: Compression,
    /// −1: the codec's own default.
    pub compression_level: i32,
}
