//! Properties of consumers. A producer takes them with a warning and ignores them.

use super::{alias, boolean, callback, choice, int, text, Property};

pub(super) static ROWS: &[Property] = &[
    text("group.id").consumer().high().about("Consumer group."),
    text("group.instance.id").consumer().medium().about("Identity of a static group member."),
    text("partition.assignment.strategy")
        .or("range,roundrobin")
        .consumer()
        .medium()
        .about("How the group's leader deals out partitions."),
    int("session.timeout.ms", 1, 3_600_000, 45_000).consumer().high().about("How long a group member may be silent."),
    int("heartbeat.interval.ms", 1, 3_600_000, 3000).consumer().about("How often a group member reports."),
    text("group.protocol.type").or("consumer").consumer().about("Protocol type of the group."),
    choice("group.protocol", &["classic", "consumer"], "classic")
        .consumer()
        .high()
        .about("Which group protocol to use (KIP-848)."),
    text("group.remote.assignor").consumer().medium().about("Server-side assignor."),
    int("coordinator.query.interval.ms", 1, 3_600_000, 600_000)
        .consumer()
        .about("How often the group's coordinator is looked up."),
    int("max.poll.interval.ms", 1, 86_400_000, 300_000)
        .consumer()
        .high()
        .about("How long a consumer may go without polling."),
    boolean("enable.auto.commit", true).consumer().high().about("Commit offsets in the background."),
    int("auto.commit.interval.ms", 0, 86_400_000, 5000).consumer().medium().about("How often offsets are committed."),
    boolean("enable.auto.offset.store", true)
        .consumer()
        .high()
        .about("Store a message's offset when it is handed over."),
    int("queued.min.messages", 1, 10_000_000, 100_000)
        .consumer()
        .medium()
        .about("Messages to keep ready per partition."),
    int("queued.max.messages.kbytes", 1, 2_097_151, 65_536).consumer().medium().about("Kilobytes to keep ready."),
    int("fetch.wait.max.ms", 0, 300_000, 500).consumer().about("How long a broker may wait to fill a fetch response."),
    int("fetch.queue.backoff.ms", 0, 300_000, 1000)
        .consumer()
        .medium()
        .about("Pause before fetching again when enough is ready."),
    int("fetch.message.max.bytes", 1, 1_000_000_000, 1_048_576)
        .consumer()
        .medium()
        .about("Bytes to fetch of a partition at once."),
    alias("max.partition.fetch.bytes", "fetch.message.max.bytes").consumer().medium(),
    int("fetch.max.bytes", 0, 2_147_483_135, 52_428_800).consumer().medium().about("Bytes to fetch at once."),
    int("fetch.min.bytes", 0, 2_147_483_647, 1).consumer().about("Fewest bytes a fetch response should have."),
    int("fetch.error.backoff.ms", 0, 300_000, 500).consumer().medium().about("Pause after a failed fetch."),
    choice("offset.store.method", &["none", "file", "broker"], "broker")
        .consumer()
        .deprecated()
        .about("Where offsets are kept."),
    choice("isolation.level", &["read_uncommitted", "read_committed"], "read_committed")
        .consumer()
        .high()
        .about("Which transactional messages are read."),
    callback("consume_cb", "")
        .consumer()
        .refused("consumers are not supported in this version")
        .about("Called for each message."),
    callback("rebalance_cb", "")
        .consumer()
        .refused("consumers are not supported in this version")
        .about("Called when partitions are dealt out."),
    callback("offset_commit_cb", "")
        .consumer()
        .refused("consumers are not supported in this version")
        .about("Called when offsets were committed."),
    boolean("enable.partition.eof", false).consumer().about("Report the end of a partition."),
    boolean("check.crcs", false).consumer().medium().about("Check the checksums of what is read."),
    int("max.poll.records", 1, 2_147_483_647, 500).consumer().about("Most records of a poll of a share consumer."),
    text("share.acknowledgement.mode").or("implicit").consumer().medium().about("How a share consumer acknowledges."),
    boolean("auto.commit.enable", true)
        .topic()
        .consumer()
        .deprecated()
        .about("Old name of committing in the background."),
    boolean("enable.auto.commit", true).topic().consumer().deprecated().about("Commit offsets in the background."),
    int("auto.commit.interval.ms", 10, 86_400_000, 60_000)
        .topic()
        .consumer()
        .high()
        .about("How often offsets are committed."),
    choice("auto.offset.reset", &["smallest", "earliest", "beginning", "largest", "latest", "end", "error"], "largest")
        .topic()
        .consumer()
        .high()
        .about("Where to start without a committed offset."),
    text("offset.store.path").or(".").topic().consumer().deprecated().about("Folder of offset files."),
    int("offset.store.sync.interval.ms", -1, 86_400_000, -1)
        .topic()
        .consumer()
        .deprecated()
        .about("How often offset files are synced."),
    choice("offset.store.method", &["file", "broker"], "broker")
        .topic()
        .consumer()
        .deprecated()
        .about("Where offsets are kept."),
    int("consume.callback.max.messages", 0, 1_000_000, 0)
        .topic()
        .consumer()
        .about("Most messages of one call of a consume callback."),
];
