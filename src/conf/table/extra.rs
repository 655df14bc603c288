//! Names of the Java client, properties that only this client has, and those for tests.

use super::{alias, boolean, int, java, text, Convert, Property};

const TRUST_STORE: &str =
    "Java key and trust stores are not supported; give certificates as PEM files by `ssl.ca.location`, \
                           `ssl.certificate.location` and `ssl.key.location`";
const JAAS: &str = "JAAS and Java login classes are not supported; give user and password by `sasl.username` and \
                    `sasl.password`";
const JAVA_TLS: &str = "this is a property of Java's TLS; there is nothing like it here";
const METRICS: &str = "Java metrics do not exist here; see `statistics.interval.ms`";
const SERIALIZER: &str =
    "there are no serializers here: give key and value as bytes, or let a language binding convert \
                          them";
const LEVEL: &str = "use `compression.level`, which is for whichever codec is set";

pub(super) static ROWS: &[Property] = &[
    // Java names of properties above.
    alias("buffer.memory", "queue.buffering.max.kbytes").converted(Convert::BytesToKib).producer().high(),
    alias("max.request.size", "message.max.bytes").medium(),
    alias("send.buffer.bytes", "socket.send.buffer.bytes"),
    alias("receive.buffer.bytes", "socket.receive.buffer.bytes"),
    alias("partitioner.class", "partitioner").converted(Convert::PartitionerClass).topic().producer().medium(),
    // Java properties that librdkafka does not have.
    boolean("partitioner.ignore.keys", false).producer().about(
        "Choose partitions as if no message had a key (KIP-794). Does not apply to `round_robin` and to a callback.",
    ),
    boolean("partitioner.adaptive.partitioning.enable", true).producer().about(
        "Give messages without a key more often to partitions whose queue is short, so that a slow broker gets fewer \
         (KIP-794).",
    ),
    int("partitioner.availability.timeout.ms", 0, 2_147_483_647, 0)
        .producer()
        .refused("not supported in this version yet")
        .about(
            "Give no messages without a key to partitions of a broker that has been unable to take requests for this \
         long; 0 switches it off (KIP-794). Needs `partitioner.adaptive.partitioning.enable`.",
        ),
    // For bindings and tests.
    text("client.software.name").or("rkafka").about(
        "Name of the software, told to brokers (KIP-511). Characters other than `a-zA-Z0-9.-` become `-`. For \
         bindings.",
    ),
    text("client.software.version")
        .or(env!("CARGO_PKG_VERSION"))
        .about("Version of the software, told to brokers (KIP-511). For bindings."),
    boolean("enable.sparse.connections", true)
        .medium()
        .refused("connections are always made when they are needed")
        .about("Connect only to brokers that are needed."),
    int("test.mock.num.brokers", 0, 10_000, 0)
        .about("Start an embedded cluster of this many brokers and use it instead of `bootstrap.servers`. For tests."),
    int("test.mock.broker.rtt", 0, 3_600_000, 0)
        .about("Delay of the embedded cluster's answers in milliseconds. For tests."),
    // Java properties that cannot work.
    java("key.serializer", SERIALIZER),
    java("value.serializer", SERIALIZER),
    java("key.deserializer", SERIALIZER),
    java("value.deserializer", SERIALIZER),
    java("interceptor.classes", "Java interceptors are not supported"),
    java("config.providers", "configuration providers are not supported; give the values themselves"),
    java("metric.reporters", METRICS),
    java("metrics.num.samples", METRICS),
    java("metrics.recording.level", METRICS),
    java("metrics.sample.window.ms", METRICS),
    java("auto.include.jmx.reporter", METRICS),
    java(
        "max.block.ms",
        "produce does not block unless the call asks for it (RK_MSG_F_BLOCK), and then until there is room",
    ),
    java("metadata.max.idle.ms", "topics are kept as long as the producer lives"),
    java(
        "socket.connection.setup.timeout.max.ms",
        "the time for connecting does not grow; use `socket.connection.setup.timeout.ms`",
    ),
    java("compression.gzip.level", LEVEL),
    java("compression.lz4.level", LEVEL),
    java("compression.zstd.level", LEVEL),
    java("transaction.two.phase.commit.enable", "transactions are not supported in this version yet"),
    java("ssl.keystore.type", TRUST_STORE),
    java("ssl.keystore.key", TRUST_STORE),
    java("ssl.keystore.certificate.chain", TRUST_STORE),
    java("ssl.truststore.location", TRUST_STORE),
    java("ssl.truststore.password", TRUST_STORE),
    java("ssl.truststore.type", TRUST_STORE),
    java("ssl.truststore.certificates", TRUST_STORE),
    java("ssl.protocol", JAVA_TLS),
    java("ssl.enabled.protocols", JAVA_TLS),
    java("ssl.provider", JAVA_TLS),
    java("ssl.keymanager.algorithm", JAVA_TLS),
    java("ssl.trustmanager.algorithm", JAVA_TLS),
    java("ssl.secure.random.implementation", JAVA_TLS),
    java("ssl.engine.factory.class", JAVA_TLS),
    java("security.providers", JAVA_TLS),
    java("sasl.jaas.config", JAAS),
    java("sasl.client.callback.handler.class", JAAS),
    java("sasl.login.callback.handler.class", JAAS),
    java("sasl.login.class", JAAS),
];
