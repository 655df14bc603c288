//! Properties of every client: names, connections, metadata, logs.

use super::{
    alias, boolean, callback, choice, flags, int, patterns, text, Property, BUILT_FEATURES, FEATURES, NO_CALLBACK,
};
use crate::conf::settings::DebugContexts;

pub(super) static ROWS: &[Property] = &[
    flags("builtin.features", &FEATURES, BUILT_FEATURES).about(
        "What this build can do. Setting it checks that every feature named is in the build and fails \
         otherwise, so that an application can ask early for what it needs.",
    ),
    text("client.id").or("rdkafka").about("Name of this client in the brokers' logs, quotas and metrics."),
    text("metadata.broker.list").high().about(
        "Brokers to find the cluster with: `host[:port]`, separated by commas; port 9092 when left out, IPv6 \
         addresses in brackets. One that answers is enough: the others are learned from it.",
    ),
    alias("bootstrap.servers", "metadata.broker.list").high(),
    int("message.max.bytes", 1000, 1_000_000_000, 1_000_000).medium().about(
        "Largest produce batch in bytes, as sent. A message that alone would exceed it is refused with \
         `MSG_SIZE_TOO_LARGE`. Brokers have limits of their own (`max.message.bytes` of the topic).",
    ),
    int("message.copy.max.bytes", 0, 1_000_000_000, 65_535)
        .no_effect("each record is encoded into its batch once, by the producing thread")
        .about("In librdkafka, messages up to this many bytes are copied into the request."),
    int("receive.message.max.bytes", 1000, 2_147_483_647, 100_000_000).medium().about(
        "Largest response in bytes that is read. A larger one closes the connection, so that a peer that is \
         no broker cannot exhaust memory.",
    ),
    int("max.in.flight.requests.per.connection", 1, 1_000_000, 1_000_000).about(
        "Requests that may await their answers on one connection. Retries can reorder messages of a partition \
         unless it is 1.",
    ),
    alias("max.in.flight", "max.in.flight.requests.per.connection"),
    choice("metadata.recovery.strategy", &["none", "rebootstrap"], "rebootstrap").about(
        "What to do when no known broker can be reached: `rebootstrap` asks `bootstrap.servers` again, `none` goes on \
         trying the known ones (KIP-899).",
    ),
    int("metadata.recovery.rebootstrap.trigger.ms", 0, 2_147_483_647, 300_000).about(
        "How long metadata must have been asked for in vain until `metadata.recovery.strategy=rebootstrap` forgets the \
         known brokers and finds the cluster anew from `bootstrap.servers`, as it does at once when a broker asks for \
         that (KIP-1102).",
    ),
    int("topic.metadata.refresh.interval.ms", -1, 3_600_000, 300_000).about(
        "How often metadata of the topics in use is asked for even without a reason, to see new brokers, \
         partitions and leaders. -1 switches it off, which is not advised.",
    ),
    int("metadata.max.age.ms", 1, 86_400_000, 900_000).about(
        "Age after which cached metadata is no longer relied on. Three times \
         `topic.metadata.refresh.interval.ms` unless set. Note that Java gives this name to the refresh \
         interval.",
    ),
    int("topic.metadata.refresh.fast.interval.ms", 1, 60_000, 100).about(
        "First pause between requests for metadata while a partition has no leader or a topic is unknown; \
         doubles up to `retry.backoff.max.ms`. `retry.backoff.ms` unless set.",
    ),
    int("topic.metadata.refresh.fast.cnt", 0, 1000, 10)
        .deprecated()
        .no_effect("fast refreshes go on until the leader is known")
        .about("Formerly the number of fast refreshes."),
    boolean("topic.metadata.refresh.sparse", true)
        .about("Ask only for the topics in use instead of all topics of the cluster."),
    int("topic.metadata.propagation.max.ms", 0, 3_600_000, 30_000).about(
        "How long a topic may be unknown to the brokers, counted from its first use, before its messages fail \
         with `_UNKNOWN_TOPIC`: a new topic takes a moment to be known everywhere.",
    ),
    patterns("topic.blacklist")
        .no_effect("a producer asks only for the topics it was given")
        .about("Regular expressions, separated by commas, of topic names to leave out of metadata."),
    flags("debug", &DebugContexts::NAMES, "").medium().about(
        "Contexts whose debug lines are logged, separated by commas. For a producer's troubles \
         `broker,topic,msg` is a good start.",
    ),
    int("socket.timeout.ms", 10, 300_000, 60_000).about(
        "How long a request may await its answer, where no time of its own applies (`request.timeout.ms` for \
         produce requests).",
    ),
    int("socket.blocking.max.ms", 1, 60_000, 1000)
        .deprecated()
        .no_effect("threads wait in poll and are woken at once")
        .about("Formerly a limit for blocking calls."),
    int("socket.send.buffer.bytes", 0, 100_000_000, 0)
        .about("Send buffer of broker sockets (SO_SNDBUF); 0 leaves it to the system, but for connections within this host, \
             which get 512 KiB: more than that only makes them slower."),
    int("socket.receive.buffer.bytes", 0, 100_000_000, 0)
        .about("Receive buffer of broker sockets (SO_RCVBUF); 0 leaves it to the system."),
    boolean("socket.keepalive.enable", false)
        .about("Let the system probe idle connections (SO_KEEPALIVE), so that dead peers are noticed."),
    boolean("socket.nagle.disable", true).about("Send at once instead of gathering small packets (TCP_NODELAY)."),
    int("socket.max.fails", 0, 1_000_000, 1)
        .about("Requests timed out in a row after which the connection is closed and opened anew; 0 never does."),
    int("broker.address.ttl", 0, 86_400_000, 1000)
        .about("How long, in milliseconds, the addresses of a host name are used before the name is resolved again."),
    choice("broker.address.family", &["any", "v4", "v6"], "any")
        .about("Which addresses of a broker to use: IPv4, IPv6 or both."),
    int("socket.connection.setup.timeout.ms", 1000, 2_147_483_647, 30_000)
        .medium()
        .about("How long a connection may take until it can be used: TCP, and the first ApiVersions exchange."),
    int("connections.max.idle.ms", 0, 2_147_483_647, 0).medium().about(
        "Close connections without traffic for this long; 0 leaves them open. Brokers close theirs after \
         `connections.max.idle.ms`, 10 minutes by default. For Azure Event Hubs a little less than 4 minutes \
         is used unless set.",
    ),
    int("reconnect.backoff.jitter.ms", 0, 3_600_000, 0)
        .deprecated()
        .no_effect("a spread of a quarter is part of `reconnect.backoff.ms`")
        .about("Formerly the spread of reconnects."),
    int("reconnect.backoff.ms", 0, 3_600_000, 100).medium().about(
        "First pause before connecting again to a broker that could not be reached or was lost; doubles with \
         each failure, with a random spread.",
    ),
    int("reconnect.backoff.max.ms", 0, 3_600_000, 10_000).medium().about("Longest pause before connecting again."),
    int("statistics.interval.ms", 0, 86_400_000, 0)
        .high()
        .about("How often a statistics event is made (JSON); 0 switches them off."),
    int("enabled_events", 0, 2_147_483_647, 0)
        .no_effect("a producer polled for events hands out every kind")
        .about("Kinds of events, as bits, to be handed out as events."),
    callback("error_cb", "rk_conf_set_error_cb()")
        .about("Called for errors that concern the client as a whole, from poll."),
    callback("throttle_cb", "rk_conf_set_throttle_cb()")
        .about("Called when a broker's quota holds this client back, from poll."),
    callback("stats_cb", "rk_conf_set_stats_cb()").about("Called with the statistics, from poll."),
    callback("log_cb", "rk_conf_set_log_cb()").about("Called for each log line instead of writing it to stderr."),
    int("log_level", 0, 7, 6).about(
        "syslog level up to which lines are logged: 3 errors, 4 warnings, 6 information, 7 debug. Setting \
         `debug` raises it to 7.",
    ),
    boolean("log.queue", false).about(
        "Keep log lines in the event queue until poll, instead of handing them over from the thread that \
         logs.",
    ),
    boolean("log.thread.name", true)
        .no_effect("lines name the broker they are about")
        .about("Put the name of the logging thread into each line."),
    boolean("enable.random.seed", true)
        .no_effect("random numbers come from a generator of the client's own")
        .about("In librdkafka, seed the C library's random numbers."),
    boolean("log.connection.close", true)
        .about("Log when a broker closes a connection. Brokers do so to idle ones, so that this may be noise."),
    callback("background_event_cb", "")
        .refused("callbacks run only on the application's threads; poll from a thread of its own instead")
        .about("Called from a thread of the client's own for each event."),
    callback("socket_cb", "rk_conf_set_socket_cb()").about("Makes sockets, instead of socket(2)."),
    callback("connect_cb", "rk_conf_set_connect_cb()").about("Connects sockets, instead of connect(2)."),
    callback("closesocket_cb", "").refused(NO_CALLBACK).about("Closes sockets."),
    callback("open_cb", "").refused(NO_CALLBACK).about("Opens files."),
    callback("resolve_cb", "").refused(NO_CALLBACK).about("Resolves host names."),
    callback("opaque", "rk_conf_set_opaque()").about("Pointer of the application's that callbacks get."),
    callback("default_topic_conf", "")
        .refused("set topic properties in the same configuration as the others; they are what every topic gets")
        .about("Configuration of topics without one of their own."),
    int("internal.termination.signal", 0, 128, 0)
        .no_effect("threads are woken by descriptors")
        .about("In librdkafka, the signal that interrupts its threads at the end."),
    boolean("api.version.request", true)
        .high()
        .deprecated()
        .refused("every supported broker (0.11 and later) is asked for its versions")
        .about("Ask each broker for the versions it knows (ApiVersions)."),
    int("api.version.request.timeout.ms", 1, 300_000, 10_000)
        .about("How long a broker's answer to ApiVersions is awaited."),
    int("api.version.fallback.ms", 0, 604_800_000, 0)
        .medium()
        .deprecated()
        .no_effect("ApiVersions is asked on each connection")
        .about("In librdkafka, how long `broker.version.fallback` is used after ApiVersions failed."),
    text("broker.version.fallback")
        .or("0.10.0")
        .medium()
        .deprecated()
        .no_effect("every supported broker answers ApiVersions")
        .about("In librdkafka, the version assumed of a broker that does not answer ApiVersions."),
    boolean("allow.auto.create.topics", false).about(
        "Let brokers make unknown topics on first use (they must have `auto.create.topics.enable=true`). A \
         producer uses `true` unless set.",
    ),
    text("plugin.library.paths").refused("plugins are not supported").about("Libraries to load as plugins."),
    callback("interceptors", "").refused("interceptors are not supported").about("Interceptors added by plugins."),
    text("client.rack")
        .no_effect("only consumers choose replicas by it")
        .about("Rack of this client, as in `broker.rack`."),
    choice("client.dns.lookup", &["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"], "use_all_dns_ips")
        .refused("canonical names serve Kerberos only, which is not supported in this version")
        .about(
            "`use_all_dns_ips` tries every address of a host name in turn; \
         `resolve_canonical_bootstrap_servers_only` replaces each bootstrap name by the canonical names of \
         its addresses.",
        ),
    boolean("enable.metrics.push", true)
        .no_effect("metrics are not pushed in this version")
        .about("Push client metrics to the cluster when it asks for them (KIP-714)."),
];
