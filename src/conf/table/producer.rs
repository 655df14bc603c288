//! Properties of the producer as a whole.

use super::{alias, boolean, callback, choice, float, int, text, Property};

pub(super) static ROWS: &[Property] = &[
    text("transactional.id")
        .producer()
        .high()
        .about("Identity of a transactional producer; with it, an older instance of the same id is fenced."),
    int("transaction.timeout.ms", 1000, 2_147_483_647, 60_000)
        .producer()
        .medium()
        .about("How long the coordinator lets a transaction stay open before it aborts it."),
    boolean("enable.idempotence", false).producer().high().about(
        "Let brokers recognise repeated batches, so that each message is in the log once and in order. Sets, where \
             they were not set: `acks=all`, `max.in.flight=5`, `retries=2147483647`; refuses values that contradict.",
    ),
    boolean("enable.gapless.guarantee", false)
        .producer()
        .about("Fail for good when a message of a series could not be delivered. Needs `enable.idempotence`."),
    int("queue.buffering.max.messages", 0, 2_147_483_647, 100_000).producer().high().about(
        "Most messages in the client, of all topics, until their reports are taken; 0 means no limit. When \
         reached, produce fails with `_QUEUE_FULL`, or waits when asked to.",
    ),
    int("queue.buffering.max.kbytes", 1, 2_147_483_647, 1_048_576).producer().high().about(
        "Most kilobytes (of 1024) of messages in the client, of all topics. Takes precedence over \
         `queue.buffering.max.messages` when reached first.",
    ),
    float("queue.buffering.max.ms", 0.0, 900_000.0, 5.0).producer().high().about(
        "How long a batch waits for further messages before it is sent. More is cheaper per message, less is \
         faster. Fractions of milliseconds are allowed; 0 sends whatever is there as soon as the connection \
         is free.",
    ),
    alias("linger.ms", "queue.buffering.max.ms").producer().high(),
    int("message.send.max.retries", 0, 2_147_483_647, 2_147_483_647).producer().high().about(
        "How often a message is sent again after an error that may pass. `delivery.timeout.ms` limits it in \
         any case.",
    ),
    alias("retries", "message.send.max.retries").producer().high(),
    int("retry.backoff.ms", 1, 300_000, 100).medium().about(
        "Pause before a produce request is sent again; doubles with each attempt up to \
         `retry.backoff.max.ms`, with a random spread.",
    ),
    int("retry.backoff.max.ms", 1, 300_000, 1000).medium().about("Longest pause before sending again."),
    int("queue.buffering.backpressure.threshold", 1, 1_000_000, 1)
        .producer()
        .no_effect("a request is made only when the socket can take it; until then batches go on filling")
        .about(
            "Requests to a broker not yet written to its socket above which batches go on filling instead of \
         making further requests.",
        ),
    choice("compression.codec", &["none", "gzip", "snappy", "lz4", "zstd"], "none")
        .producer()
        .medium()
        .about("Codec of the batches. Batches that would not become smaller are sent plain."),
    alias("compression.type", "compression.codec").producer().medium(),
    int("batch.num.messages", 1, 1_000_000, 10_000).producer().medium().about("Most messages of a batch."),
    int("batch.size", 1, 2_147_483_647, 1_000_000).producer().medium().about(
        "Most bytes of a batch before compression, its framing included. `message.max.bytes` limits it as \
         well.",
    ),
    boolean("delivery.report.only.error", false).producer().about("Make delivery reports for failed messages only."),
    callback("dr_cb", "rk_conf_set_dr_msg_cb()").producer().about("In librdkafka, the old delivery report callback."),
    callback("dr_msg_cb", "rk_conf_set_dr_msg_cb() or rk_conf_set_dr_batch_cb()")
        .producer()
        .about("Called for each message's fate, from poll."),
    int("sticky.partitioning.linger.ms", 0, 900_000, 10).producer().about(
        "How long messages without a key go to one partition before the next is chosen (KIP-480); 0 chooses \
         one at random for each. Twice `linger.ms` unless set. Applies to the `random` and `.._random` \
         partitioners.",
    ),
];
