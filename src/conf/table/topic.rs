//! Properties of topic scope. Set among the others, they apply to every topic.

use super::{alias, boolean, callback, choice, int, Property, NO_CALLBACK, PARTITIONERS};

pub(super) static ROWS: &[Property] = &[
    int("request.required.acks", -1, 1000, -1).named(&[("all", -1)]).topic().producer().high().about(
        "Whose acknowledgement a batch needs: -1 or `all`: every in-sync replica; 1: the leader; 0: nobody's, \
         the broker sends no answer and the offset stays unknown.",
    ),
    alias("acks", "request.required.acks").topic().producer().high(),
    int("request.timeout.ms", 1, 900_000, 30_000)
        .topic()
        .producer()
        .medium()
        .about("How long a broker may take to gather the acknowledgements that `acks` asks for."),
    int("message.timeout.ms", 0, 2_147_483_647, 300_000).topic().producer().high().about(
        "How long a message may take, counted from produce, with all its retries, until it is reported as \
         failed with `_MSG_TIMED_OUT`; 0 means no limit.",
    ),
    alias("delivery.timeout.ms", "message.timeout.ms").topic().producer().high(),
    choice("queuing.strategy", &["fifo", "lifo"], "fifo")
        .topic()
        .producer()
        .deprecated()
        .refused("only `fifo` is supported: partitions keep their order")
        .about("Order in which messages are sent."),
    boolean("produce.offset.report", false)
        .topic()
        .producer()
        .deprecated()
        .no_effect("reports always carry the offset")
        .about("Formerly switched on the offset in delivery reports."),
    choice("partitioner", &PARTITIONERS, "consistent_random").topic().producer().high().about(
        "How a message without an explicit partition gets one. `random`: at random; `consistent`: CRC-32 of the \
         key, no key counts as an empty one; `consistent_random`: the same, but an empty or no key is random; \
         `murmur2`: Java's hash of the key, no key counts as an empty one; `murmur2_random`: the same, but no key \
         is random (Java's default); `fnv1a`: FNV-1a of the key, no key counts as an empty one; `fnv1a_random`: \
         the same, but no key is random; `round_robin`: one after the other, whatever the key; `uniform_sticky`: \
         no key is looked at. Random ones stick to a partition for a while, see `sticky.partitioning.linger.ms`.",
    ),
    callback("partitioner_cb", "rk_conf_set_partitioner_cb()")
        .topic()
        .producer()
        .about("Called to choose a partition."),
    callback("msg_order_cmp", "")
        .topic()
        .producer()
        .deprecated()
        .refused(NO_CALLBACK)
        .about("Called to compare messages in the queue."),
    callback("opaque", "rk_conf_set_opaque()").topic().about("Pointer of the application's that topic callbacks get."),
    choice("compression.codec", &["none", "gzip", "snappy", "lz4", "zstd", "inherit"], "inherit")
        .topic()
        .producer()
        .high()
        .about("Codec of this topic's batches; `inherit` takes the client's."),
    alias("compression.type", "compression.codec").topic().producer().medium(),
    int("compression.level", -1, 12, -1).topic().producer().medium().about(
        "Effort of the codec: gzip 0 to 9, zstd 1 to 12; lz4 and snappy have one only. -1 takes the codec's \
         default.",
    ),
];
