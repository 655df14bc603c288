//! What properties demand of each other, and the typed settings made of them.

use super::parse::{self, Value};
use super::settings::{AddressFamily, Compression, DebugContexts, Settings, TopicSettings};
use super::table::{Scope, Status, UsedBy, TABLE};
use super::{Conf, Typed};
use crate::partitioner::PartitionerKind;

/// Idle time for Azure Event Hubs, whose load balancer forgets connections after four minutes without a word.
const AZURE_IDLE_MS: i64 = (4 * 60 - 10) * 1000;

impl Conf {
    fn global(&self) -> Typed<'_> {
        Typed { conf: self, scope: Scope::Global }
    }

    fn topic(&self) -> Typed<'_> {
        Typed { conf: self, scope: Scope::Topic }
    }

    /// Gives a property a value that follows from others, without its counting as set by the application.
    fn adjust(&mut self, name: &str, value: Value) {
        let global = TABLE.resolve(Scope::Global, name);
        if let Some((at, _)) = global.or_else(|| TABLE.resolve(Scope::Topic, name)) {
            self.adjusted.push((at, std::mem::replace(&mut self.values[at], value)));
        }
    }

    /// The typed settings, or why there are none. The configuration stays as it is.
    pub fn settled(&mut self) -> Result<Settings, String> {
        let settings = self.finalize().map(|()| self.settings());
        while let Some((at, value)) = self.adjusted.pop() {
            self.values[at] = value;
        }
        settings
    }

    /// Checks the properties against each other and sets those that follow from others; afterwards
    /// [`settings`](Self::settings) and [`get`](Self::get) show the result. Err says which properties are at odds.
    pub fn finalize(&mut self) -> Result<(), String> {
        self.adjusted.clear();
        let (backoff, backoff_max) =
            (self.global().int("reconnect.backoff.ms"), self.global().int("reconnect.backoff.max.ms"));
        if backoff_max < backoff {
            return Err(format!(
                "`reconnect.backoff.max.ms` ({backoff_max}) must not be less than `reconnect.backoff.ms` ({backoff})"
            ));
        }
        let linger_ms = self.global().float("linger.ms");
        let timeout_ms = self.topic().int("message.timeout.ms");
        if timeout_ms != 0 && timeout_ms as f64 <= linger_ms {
            if self.is_modified("linger.ms") {
                return Err(format!(
                    "`message.timeout.ms` ({timeout_ms}) must be greater than `linger.ms` ({linger_ms}), or messages \
                     would time out while they wait to be sent"
                ));
            }
            self.adjust("linger.ms", Value::Float(timeout_ms as f64 - 0.1));
        }
        if !self.is_modified("sticky.partitioning.linger.ms") {
            let sticky = (2.0 * self.global().float("linger.ms")).min(900_000.0);
            self.adjust("sticky.partitioning.linger.ms", Value::Int(sticky as i64));
        }
        let refresh = self.global().int("topic.metadata.refresh.interval.ms");
        if !self.is_modified("metadata.max.age.ms") && refresh > 0 {
            self.adjust("metadata.max.age.ms", Value::Int(refresh * 3));
        }
        if !self.is_modified("topic.metadata.refresh.fast.interval.ms") {
            let backoff = self.global().int("retry.backoff.ms");
            self.adjust("topic.metadata.refresh.fast.interval.ms", Value::Int(backoff));
        }
        if !self.is_modified("connections.max.idle.ms") {
            let azure = self.global().text("bootstrap.servers").to_ascii_lowercase().contains("azure");
            self.adjust("connections.max.idle.ms", Value::Int(if azure { AZURE_IDLE_MS } else { 0 }));
        }
        self.finalize_transactions()?;
        self.finalize_idempotence()?;
        self.finalize_security()?;
        if !self.is_modified("allow.auto.create.topics") {
            self.adjust("allow.auto.create.topics", Value::Bool(true));
        }
        Ok(())
    }

    /// What `transactional.id` demands of other properties.
    fn finalize_transactions(&mut self) -> Result<(), String> {
        if self.global().text("transactional.id").is_empty() {
            return Ok(());
        }
        if !self.global().on("enable.idempotence") {
            if self.is_modified("enable.idempotence") {
                return Err("`transactional.id` requires `enable.idempotence=true`".to_owned());
            }
            self.adjust("enable.idempotence", Value::Bool(true));
        }
        let timeout = self.global().int("transaction.timeout.ms");
        let socket = self.global().int("socket.timeout.ms");
        if !self.is_modified("socket.timeout.ms") {
            // So that a request can be lost and sent again before the transaction is over.
            self.adjust("socket.timeout.ms", Value::Int((timeout - 100).clamp(900, 300_000)));
        } else if timeout + 100 < socket {
            return Err(format!(
                "`socket.timeout.ms` ({socket}) must be at most `transaction.timeout.ms` ({timeout}) + 100"
            ));
        }
        let message = self.topic().int("message.timeout.ms");
        if !self.is_modified("message.timeout.ms") {
            self.adjust("message.timeout.ms", Value::Int(timeout));
        } else if message > timeout {
            return Err(format!(
                "`message.timeout.ms` ({message}) must be at most `transaction.timeout.ms` ({timeout})"
            ));
        }
        Ok(())
    }

    /// What `enable.idempotence` demands of other properties.
    fn finalize_idempotence(&mut self) -> Result<(), String> {
        if !self.global().on("enable.idempotence") {
            if self.global().on("enable.gapless.guarantee") {
                return Err("`enable.gapless.guarantee` needs `enable.idempotence=true`".to_owned());
            }
            return Ok(());
        }
        let (in_flight, retries) = (self.global().int("max.in.flight"), self.global().int("retries"));
        if in_flight > 5 {
            if self.is_modified("max.in.flight") {
                return Err(format!(
                    "`max.in.flight` ({in_flight}) must be 5 or less when `enable.idempotence` is true"
                ));
            }
            self.adjust("max.in.flight", Value::Int(5));
        }
        if retries < 1 {
            return Err("`retries` must be 1 or more when `enable.idempotence` is true".to_owned());
        }
        let acks = self.topic().int("acks");
        if acks != -1 {
            return Err(format!("`acks` ({acks}) must be all (-1) when `enable.idempotence` is true"));
        }
        if self.topic().text("queuing.strategy") != "fifo" {
            return Err("`queuing.strategy` must be fifo when `enable.idempotence` is true".to_owned());
        }
        Ok(())
    }

    /// Texts to log as warnings when a producer is made of this configuration.
    fn warnings(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for (at, row) in TABLE.rows().iter().enumerate().filter(|(at, _)| self.modified[*at]) {
            let name = row.name;
            if row.used_by == UsedBy::Consumer {
                texts.push(format!(
                    "Configuration property {name} is a consumer property and will be ignored by this producer instance"
                ));
            } else if let Status::NoEffect(why) = row.status {
                if self.values[at] != Value::default_of(row) {
                    texts.push(format!("Configuration property {name} has no effect: {why}"));
                }
            } else if row.deprecated {
                texts.push(format!("Configuration property {name} is deprecated"));
            }
        }
        let global = self.global();
        let (backoff, backoff_max) = (global.int("retry.backoff.ms"), global.int("retry.backoff.max.ms"));
        if backoff > backoff_max {
            texts.push(format!(
                "`retry.backoff.ms` ({backoff}) is greater than `retry.backoff.max.ms` ({backoff_max}): every pause \
                 will be {backoff_max} ms"
            ));
        }
        let fast = global.int("topic.metadata.refresh.fast.interval.ms");
        if self.is_modified("topic.metadata.refresh.fast.interval.ms") && fast > backoff_max {
            texts.push(format!(
                "`topic.metadata.refresh.fast.interval.ms` ({fast}) is greater than `retry.backoff.max.ms` \
                 ({backoff_max}): every pause will be {backoff_max} ms"
            ));
        }
        let acks = self.topic().int("acks");
        if acks > 1 {
            texts.push(format!("`acks` is {acks}: brokers of our time take only all (-1), 0 and 1"));
        }
        for name in ["client.software.name", "client.software.version"] {
            let text = global.text(name);
            let safe = parse::software(text, "");
            if safe != text {
                texts.push(format!("Configuration property {name} may hold `a-zA-Z0-9.-` only: \"{safe}\" is used"));
            }
        }
        self.security_warnings(&mut texts);
        if global.text("bootstrap.servers").is_empty() && global.int("test.mock.num.brokers") == 0 {
            texts.push("No `bootstrap.servers` configured: the client cannot find a cluster".to_owned());
        }
        texts
    }

    /// The typed settings. Call [`finalize`](Self::finalize) first: what it would refuse is not checked here.
    pub fn settings(&self) -> Settings {
        let global = self.global();
        let debug = DebugContexts(global.flags("debug"));
        let message_max_bytes = global.size("message.max.bytes");
        Settings {
            client_id: global.text("client.id").to_owned(),
            // Checked when it was set.
            bootstrap: parse::servers(global.text("bootstrap.servers")).unwrap_or_default(),
            software_name: parse::software(global.text("client.software.name"), "rkafka"),
            software_version: parse::software(global.text("client.software.version"), env!("CARGO_PKG_VERSION")),

            message_max_bytes,
            receive_message_max_bytes: global.size("receive.message.max.bytes"),

            max_in_flight: global.size("max.in.flight"),
            socket_timeout_ms: global.int("socket.timeout.ms"),
            socket_send_buffer_bytes: global.size("socket.send.buffer.bytes"),
            socket_receive_buffer_bytes: global.size("socket.receive.buffer.bytes"),
            socket_keepalive: global.on("socket.keepalive.enable"),
            socket_max_fails: global.count("socket.max.fails"),
            broker_address_ttl_ms: global.int("broker.address.ttl"),
            socket_nodelay: global.on("socket.nagle.disable"),
            broker_address_family: match global.text("broker.address.family") {
                "v4" => AddressFamily::V4,
                "v6" => AddressFamily::V6,
                _ => AddressFamily::Any,
            },
            connection_setup_timeout_ms: global.int("socket.connection.setup.timeout.ms"),
            connections_max_idle_ms: global.int("connections.max.idle.ms"),
            reconnect_backoff_ms: global.int("reconnect.backoff.ms"),
            reconnect_backoff_max_ms: global.int("reconnect.backoff.max.ms"),
            api_version_request_timeout_ms: global.int("api.version.request.timeout.ms"),

            metadata_refresh_interval_ms: global.int("topic.metadata.refresh.interval.ms"),
            metadata_max_age_ms: global.int("metadata.max.age.ms"),
            metadata_refresh_fast_interval_ms: global.int("topic.metadata.refresh.fast.interval.ms"),
            rebootstrap: global.text("metadata.recovery.strategy") == "rebootstrap",
            rebootstrap_trigger_ms: global.int("metadata.recovery.rebootstrap.trigger.ms"),
            metadata_refresh_sparse: global.on("topic.metadata.refresh.sparse"),
            topic_metadata_propagation_max_ms: global.int("topic.metadata.propagation.max.ms"),
            allow_auto_create_topics: global.on("allow.auto.create.topics"),

            debug,
            log_level: if debug.is_empty() { i32::try_from(global.int("log_level")).unwrap_or(6) } else { 7 },
            log_queue: global.on("log.queue"),
            log_connection_close: global.on("log.connection.close"),
            statistics_interval_ms: global.int("statistics.interval.ms"),

            queue_max_messages: match global.size("queue.buffering.max.messages") {
                0 => usize::MAX,
                n => n,
            },
            queue_max_bytes: global.size("queue.buffering.max.kbytes").saturating_mul(1024),
            linger_us: (global.float("linger.ms") * 1000.0) as i64,
            batch_num_messages: global.size("batch.num.messages"),
            batch_size: global.size("batch.size").min(message_max_bytes),
            transactional_id: Some(global.text("transactional.id")).filter(|id| !id.is_empty()).map(str::to_owned),
            transaction_timeout_ms: global.int("transaction.timeout.ms"),
            idempotence: global.on("enable.idempotence"),
            gapless_guarantee: global.on("enable.gapless.guarantee"),
            retries: global.count("retries"),
            retry_backoff_ms: global.int("retry.backoff.ms"),
            retry_backoff_max_ms: global.int("retry.backoff.max.ms"),
            delivery_report_only_error: global.on("delivery.report.only.error"),
            sticky_linger_ms: global.int("sticky.partitioning.linger.ms"),
            partitioner_adaptive: global.on("partitioner.adaptive.partitioning.enable"),

            security: self.security_settings(),

            mock_brokers: i32::try_from(global.int("test.mock.num.brokers")).unwrap_or(0),
            mock_rtt_ms: global.int("test.mock.broker.rtt"),

            warnings: self.warnings(),
            default_topic: self.topic_settings(),
        }
    }

    /// The settings of a topic.
    pub fn topic_settings(&self) -> TopicSettings {
        let (topic, global) = (self.topic(), self.global());
        let codec = match topic.text("compression.codec") {
            "inherit" => global.text("compression.codec"),
            own => own,
        };
        TopicSettings {
            acks: i16::try_from(topic.int("acks")).unwrap_or(-1),
            request_timeout_ms: topic.int("request.timeout.ms"),
            message_timeout_ms: topic.int("message.timeout.ms"),
            partitioner: match topic.text("partitioner").parse().unwrap_or_default() {
                PartitionerKind::RoundRobin => PartitionerKind::RoundRobin,
                _ if global.on("partitioner.ignore.keys") => PartitionerKind::UniformSticky,
                kind => kind,
            },
            compression: Compression::ALL.into_iter().find(|c| c.name() == codec).unwrap_or_default(),
            compression_level: i32::try_from(topic.int("compression.level")).unwrap_or(-1),
        }
    }
}
