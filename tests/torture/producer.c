/*
 * A producer that keeps a journal, for tests/torture: what it produced, and what it was told of each message.
 *
 *   producer --profile P --id N --topics T[,T…] --journal FILE [--rate PER_SECOND] [--size BYTES] [--keys N]
 *            [--flush-ms MS] [--group G] NAME=VALUE…
 *
 * It produces until stdin ends, then flushes and ends. Profiles are sets of properties, which NAME=VALUE may change:
 * at-most-once, at-least-once, idempotent, transactional. The last one produces transactions to all its topics, commits most of
 * them and aborts some, and commits offsets of the group with some: of partition 0 of the first topic, the transaction's number.
 * Those count up from id times a million.
 *
 * A message's value is "id:seq:txn:" and padding that follows from seq, its key "k" and a number. The journal has a line
 * for each thing that happened, in order; seq counts accepted messages from 0, topics count in the order of --topics:
 *   P seq topic key txn                                   accepted by produce
 *   D seq topic partition offset err status latency_ms    its delivery report
 *   T txn what                                            begin, commit? and committed, abort? and aborted
 *   O txn                                                 its number is committed for the group with it
 *   E text                                                an error of the client as a whole
 *   X text                                                a promise of the library that did not hold
 *   Z accepted reported flush_err                         the end
 * stdout has a line each second: accepted, delivered, failed, transactions committed and aborted.
 * Exit codes: 0; 2 for wrong use; 3 if a setting was refused; 4 if a promise did not hold; 5 after a fatal error of a
 * transactional producer, which is right if another one has fenced it.
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <poll.h>
#include <rkafka.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_TOPICS = 4, MAX_SIZE = 1 << 20, MAX_BEHIND_S = 10 };

static struct {
    const char *profile, *journal, *group;
    char *topics[MAX_TOPICS];
    int topic_count, id, rate, size, keys, flush_ms;
} opt = {.rate = 400, .size = 200, .keys = 50, .flush_ms = 150000};

static FILE *journal;
static uint64_t accepted, reported, delivered, failed, broken, committed, aborted;
/* When each accepted message was produced, ms; 0 once its report has come. */
static int64_t *pending;
static uint64_t pending_room;

static const char *const PROFILES[][8] = {
    {"at-most-once", "acks=0", "linger.ms=10", NULL},
    {"at-least-once", "acks=all", "linger.ms=20", "message.timeout.ms=600000", "retries=2147483647", NULL},
    {"transactional", "linger.ms=5", "message.timeout.ms=240000", "transaction.timeout.ms=300000", NULL},
    {"idempotent", "enable.idempotence=true", "linger.ms=10", "message.timeout.ms=600000", NULL},
};

static void die(const char *what, const char *why) {
    fprintf(stderr, "producer: %s: %s\n", what, why);
    exit(2);
}

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void broke(const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    broken++;
    fprintf(journal, "X %s\n", text);
    fprintf(stderr, "producer %d: %s\n", opt.id, text);
}

/* ---- callbacks, all of them within poll and flush on the one thread ---- */

static int topic_number(const char *name) {
    for (int i = 0; i < opt.topic_count; i++)
        if (strcmp(opt.topics[i], name) == 0)
            return i;
    return -1;
}

static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    uint64_t seq = (uint64_t)(uintptr_t)m->opaque - 1;
    (void)rk;
    (void)opaque;
    reported++;
    if (seq >= accepted) {
        broke("a report for message %" PRIu64 " of %" PRIu64, seq, accepted);
        return;
    }
    if (!pending[seq])
        broke("a second report for message %" PRIu64, seq);
    m->err ? failed++ : delivered++;
    fprintf(journal, "D %" PRIu64 " %d %d %" PRId64 " %d %d %" PRId64 "\n", seq, topic_number(m->topic), (int)m->partition,
            m->offset, (int)m->err, (int)m->status, now_ms() - pending[seq]);
    pending[seq] = 0;
}

static void on_error(rk_producer_t *rk, rk_resp_err_t err, const char *reason, void *opaque) {
    (void)rk;
    (void)opaque;
    fprintf(journal, "E %s: %s\n", rk_err2name(err), reason);
}

/* ---- producing ---- */

static void note_accepted(int topic, int key, uint64_t in_txn) {
    if (accepted >= pending_room) {
        pending_room = pending_room ? pending_room * 2 : 1 << 16;
        pending = realloc(pending, pending_room * sizeof *pending);
        if (!pending)
            die("journal", "out of memory");
    }
    pending[accepted] = now_ms();
    fprintf(journal, "P %" PRIu64 " %d %d %" PRIu64 "\n", accepted, topic, key, in_txn);
    accepted++;
}

/* One message; what produce says of it. */
static rk_resp_err_t produce_one(rk_producer_t *rk, int topic, uint64_t in_txn) {
    static char value[MAX_SIZE + 64];
    char key_text[16];
    int key = rand() % opt.keys;
    size_t pad = opt.size ? (size_t)(accepted * 7919 % (uint64_t)opt.size) : 0;
    int head = snprintf(value, 64, "%d:%" PRIu64 ":%" PRIu64 ":", opt.id, accepted, in_txn);
    memset(value + head, 'a' + (int)(accepted % 26), pad);
    int key_len = snprintf(key_text, sizeof key_text, "k%d", key);
    rk_resp_err_t err = rk_producer_produce(rk, opt.topics[topic], RK_PARTITION_UA, RK_MSG_F_COPY, value,
                                            (size_t)head + pad, key_text, (size_t)key_len, 0,
                                            (void *)(uintptr_t)(accepted + 1));
    if (!err)
        note_accepted(topic, key, in_txn);
    return err;
}

static int input_ended(void) {
    struct pollfd in = {.fd = 0, .events = POLLIN};
    char c;
    return poll(&in, 1, 0) > 0 && read(0, &c, 1) <= 0;
}

static void progress(void) {
    static int64_t last;
    if (now_ms() - last < 1000)
        return;
    last = now_ms();
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", accepted, delivered, failed, committed, aborted);
    fflush(stdout);
    fflush(journal);
}

/* At an even pace, with a burst now and then so that requests queue up behind each other. */
static void produce_until_told(rk_producer_t *rk) {
    int64_t last = now_ms();
    double credit = 0;
    while (!input_ended()) {
        progress();
        int64_t now = now_ms();
        credit += (double)(now - last) * opt.rate / 1000;
        last = now;
        if (rand() % 1000 == 0)
            credit += opt.rate;
        /* What cannot be sent is not heaped up for ever, nor made up for: a slow machine must be able to catch up. */
        if (accepted - reported > (uint64_t)(MAX_BEHIND_S * opt.rate))
            credit = 0;
        for (; credit >= 1; credit--) {
            rk_resp_err_t err = produce_one(rk, rand() % opt.topic_count, 0);
            if (err == RK_RESP_ERR__QUEUE_FULL)
                break;
            if (err) {
                broke("produce: %s", rk_err2name(err));
                return;
            }
        }
        rk_producer_poll(rk, 5);
    }
}

/* ---- transactions ---- */

/* What became of a transactional call. */
typedef enum { DONE, ABORT, FATAL } outcome_t;

typedef rk_error_t *(*txn_call_t)(rk_producer_t *rk, int timeout_ms);

static uint64_t txn;

/* Calls until it works or cannot, with time-outs that are short enough to be met. */
static outcome_t insist(const char *name, txn_call_t call, rk_producer_t *rk) {
    int64_t begun = now_ms();
    for (;;) {
        rk_error_t *e = call(rk, 200 + rand() % 3000);
        progress();
        if (!e)
            return DONE;
        int fatal = rk_error_is_fatal(e), abort = rk_error_txn_requires_abort(e), retriable = rk_error_is_retriable(e);
        fprintf(journal, "E %s: %s: %s%s%s%s\n", name, rk_error_name(e), rk_error_string(e), fatal ? " [fatal]" : "",
                abort ? " [abort]" : "", retriable ? " [retriable]" : "");
        if (!fatal && !abort && !retriable)
            broke("%s: %s: %s: and now?", name, rk_error_name(e), rk_error_string(e));
        rk_error_destroy(e);
        if (fatal)
            return FATAL;
        if (!retriable)
            return ABORT;
        if (now_ms() - begun > opt.flush_ms) {
            broke("%s takes over %d ms", name, opt.flush_ms);
            return FATAL;
        }
    }
}

static rk_error_t *send_offsets(rk_producer_t *rk, int timeout_ms) {
    rk_topic_partition_list_t *list = rk_topic_partition_list_new(1);
    rk_consumer_group_metadata_t *group = rk_consumer_group_metadata_new(opt.group);
    rk_topic_partition_list_add(list, opt.topics[0], 0)->offset = (int64_t)txn;
    rk_error_t *e = rk_producer_send_offsets_to_transaction(rk, list, group, timeout_ms);
    rk_consumer_group_metadata_destroy(group);
    rk_topic_partition_list_destroy(list);
    return e;
}

/* The messages of a transaction; ABORT if the library takes no more of them. */
static outcome_t fill(rk_producer_t *rk) {
    int64_t last = now_ms(), until = last + rand() % 500;
    double credit = 1;
    do {
        int64_t now = now_ms();
        credit += (double)(now - last) * opt.rate / 1000;
        for (last = now; credit >= 1; credit--) {
            rk_resp_err_t err = produce_one(rk, rand() % opt.topic_count, txn);
            if (err == RK_RESP_ERR__QUEUE_FULL)
                break;
            if (err) {
                fprintf(journal, "E produce: %s\n", rk_err2name(err));
                return ABORT;
            }
        }
        rk_producer_poll(rk, 5);
        progress();
    } while (now_ms() < until);
    return DONE;
}

static outcome_t transaction(rk_producer_t *rk) {
    rk_error_t *e = rk_producer_begin_transaction(rk);
    if (e) {
        int fatal = rk_error_is_fatal(e);
        if (!fatal)
            broke("begin: %s: %s", rk_error_name(e), rk_error_string(e));
        rk_error_destroy(e);
        return FATAL;
    }
    fprintf(journal, "T %" PRIu64 " begin\n", txn);
    outcome_t end = fill(rk);
    if (end == DONE && opt.group && rand() % 2) {
        fprintf(journal, "O %" PRIu64 "\n", txn);
        end = insist("send_offsets", send_offsets, rk);
    }
    if (end == DONE && rand() % 4 == 0)
        end = ABORT;
    if (end == DONE) {
        fprintf(journal, "T %" PRIu64 " commit?\n", txn);
        fflush(journal); /* Whoever is killed now may have committed it. */
        end = insist("commit", rk_producer_commit_transaction, rk);
        if (end == DONE) {
            fprintf(journal, "T %" PRIu64 " committed\n", txn);
            fflush(journal);
            committed++;
        }
    }
    if (end == ABORT) {
        fprintf(journal, "T %" PRIu64 " abort?\n", txn);
        end = insist("abort", rk_producer_abort_transaction, rk);
        if (end == ABORT)
            broke("an abort that asks for an abort");
        if (end == DONE) {
            fprintf(journal, "T %" PRIu64 " aborted\n", txn);
            aborted++;
        }
    }
    return end;
}

/* FATAL if the producer is of no use any more. */
static outcome_t transact_until_told(rk_producer_t *rk) {
    outcome_t end = insist("init", rk_producer_init_transactions, rk);
    for (txn = (uint64_t)opt.id * 1000000 + 1; end == DONE && !input_ended(); txn++)
        end = transaction(rk);
    return end;
}

/* ---- beginning and end ---- */

static void set(rk_conf_t *conf, const char *pair) {
    char name[128], why[512];
    const char *eq = strchr(pair, '=');
    if (!eq || (size_t)(eq - pair) >= sizeof name)
        die("not NAME=VALUE", pair);
    memcpy(name, pair, (size_t)(eq - pair));
    name[eq - pair] = 0;
    if (rk_conf_set(conf, name, eq + 1, why, sizeof why) != RK_CONF_OK) {
        fprintf(stderr, "producer: setting refused: %s\n", why);
        exit(3);
    }
}

static rk_producer_t *open_producer(char **pairs, int count) {
    char why[512];
    rk_conf_t *conf = rk_conf_new();
    const char *const *profile = NULL;
    for (size_t i = 0; i < sizeof PROFILES / sizeof *PROFILES; i++)
        if (strcmp(PROFILES[i][0], opt.profile) == 0)
            profile = PROFILES[i];
    if (!profile)
        die("no such profile", opt.profile);
    for (int i = 1; profile[i]; i++)
        set(conf, profile[i]);
    for (int i = 0; i < count; i++)
        set(conf, pairs[i]);
    rk_conf_set_dr_msg_cb(conf, on_report);
    rk_conf_set_error_cb(conf, on_error);
    rk_producer_t *rk = rk_producer_new(conf, why, sizeof why);
    if (!rk) {
        fprintf(stderr, "producer: refused: %s\n", why);
        exit(3);
    }
    return rk;
}

static void close_producer(rk_producer_t *rk, int may_be_fatal) {
    char why[512];
    rk_resp_err_t err = rk_producer_flush(rk, opt.flush_ms);
    if (err)
        broke("flush: %s, %d left", rk_err2name(err), rk_producer_len(rk));
    rk_resp_err_t fatal = rk_producer_fatal_error(rk, why, sizeof why);
    if (fatal && may_be_fatal)
        fprintf(stderr, "producer %d: fatal: %s: %s\n", opt.id, rk_err2name(fatal), why);
    else if (fatal)
        broke("fatal: %s: %s", rk_err2name(fatal), why);
    rk_producer_destroy(rk);
    if (reported != accepted)
        broke("%" PRIu64 " reports for %" PRIu64 " messages", reported, accepted);
    fprintf(journal, "Z %" PRIu64 " %" PRIu64 " %d\n", accepted, reported, (int)err);
    fclose(journal);
}

static int options(int argc, char **argv) {
    int i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        const char *name = argv[i] + 2;
        char *value = argv[i + 1];
        if (strcmp(name, "profile") == 0)
            opt.profile = value;
        else if (strcmp(name, "journal") == 0)
            opt.journal = value;
        else if (strcmp(name, "group") == 0)
            opt.group = value;
        else if (strcmp(name, "id") == 0)
            opt.id = atoi(value);
        else if (strcmp(name, "rate") == 0)
            opt.rate = atoi(value);
        else if (strcmp(name, "size") == 0)
            opt.size = atoi(value);
        else if (strcmp(name, "keys") == 0)
            opt.keys = atoi(value);
        else if (strcmp(name, "flush-ms") == 0)
            opt.flush_ms = atoi(value);
        else if (strcmp(name, "topics") == 0)
            for (char *t = strtok(value, ","); t && opt.topic_count < MAX_TOPICS; t = strtok(NULL, ","))
                opt.topics[opt.topic_count++] = t;
        else
            die("unknown option", argv[i]);
    }
    if (!opt.profile || !opt.journal || !opt.topic_count || opt.size < 0 || opt.size > MAX_SIZE || opt.keys < 1)
        die("usage", "see the head of tests/torture/producer.c");
    return i;
}

int main(int argc, char **argv) {
    int rest = options(argc, argv);
    journal = fopen(opt.journal, "w");
    if (!journal)
        die(opt.journal, "cannot be written");
    setvbuf(journal, NULL, _IOFBF, 1 << 20);
    srand((unsigned)opt.id + 1);
    rk_producer_t *rk = open_producer(argv + rest, argc - rest);
    outcome_t end = DONE;
    if (strcmp(opt.profile, "transactional") == 0)
        end = transact_until_told(rk);
    else
        produce_until_told(rk);
    progress();
    close_producer(rk, end == FATAL);
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", accepted, delivered, failed, committed, aborted);
    return broken ? 4 : end == FATAL ? 5 : 0;
}
