/*
 * Measures one producer run and prints one line of JSON.
 *
 * Built twice from this one file: with PEER_LIBRDKAFKA against librdkafka, without it against
 * rkafka, so that both do the same work with the same settings. See usage() for the arguments.
 *
 * Full speed (rate 0): each producing thread produces in a loop, polls without waiting every 128
 * messages, and polls for as long as it takes when the queue is full; at the end everything is flushed. CPU time, wall
 * time and memory are those of this process from before the first message until after the last report.
 *
 * After the messages, or instead of them, the client may be watched while it has nothing to do (--idle), measured while it
 * cannot get rid of anything (--hold), and its start may be timed (--start).
 *
 * With a rate the producing threads keep to a timetable, a further thread polls, and the time
 * from produce to delivery report is kept for every message after the first tenth.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "measure.h"

static void fail(const char *what, const char *why) {
    fprintf(stderr, "producer_bench: %s: %s\n", what, why);
    exit(1);
}

static void delivered(int err, void *opaque);

#define MAX_HEADERS 16 /* of a message */

#ifdef PEER_LIBRDKAFKA
#include "shim_librdkafka.h"
#else
#include "shim_rkafka.h"
#endif

#define MAX_THREADS 64
#define MAX_SETTINGS 64
#define PAYLOADS 256    /* different values, used in turn */
#define POLL_EVERY 128

static struct {
    const char *bootstrap, *topic, *payload, *dr;
    uint64_t count, warm_up;
    double rate;
    size_t size;
    int keys, threads, headers, by_name, partition, events, start, idle, hold, paced;
    int settings;
    char *setting[MAX_SETTINGS];
} opt = {.topic = "bench", .payload = "x", .dr = "msg", .count = 1000000, .size = 100, .threads = 1, .partition = -1};

static client_t client;
static char *payloads;
static uint64_t to_produce; /* by all threads, in this round */
static _Atomic(uint64_t) sum_delivered, sum_errors, sum_full;
static _Atomic(int) last_error, stop_polling;
static uint64_t *sent_at, *latency; /* by message number, nanoseconds; only with a rate */

static _Thread_local uint64_t my_delivered, my_errors;

/* Called by the shim's callback for each delivery report. */
static void delivered(int err, void *opaque) {
    my_delivered++;
    if (err) {
        my_errors++;
        last_error = err;
    }
    if (latency) {
        uint64_t i = (uint64_t)(uintptr_t)opaque - 1;
        latency[i] = now() - sent_at[i];
    }
}

static void hand_in_counts(void) {
    sum_delivered += my_delivered;
    sum_errors += my_errors;
    my_delivered = my_errors = 0;
}

/* ---- what is sent ---- */

static uint64_t seed = 88172645463325252u;

static uint64_t random64(void) { /* xorshift64: the same bytes in every run */
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

/* An event as web shops log them, cut or continued to exactly `size` bytes. */
static void json_payload(char *out, size_t size) {
    static const char *kinds[] = {"page_view", "add_to_cart", "checkout", "payment_accepted", "search", "login"};
    static const char *paths[] = {"/", "/products/list", "/products/detail", "/cart", "/account/orders", "/search"};
    size_t len = 0;
    while (len < size) {
        char item[512];
        uint64_t r = random64();
        int n = snprintf(item, sizeof item,
                         "{\"event\":\"%s\",\"timestamp\":\"2024-05-%02uT%02u:%02u:%02u.%03uZ\",\"user_id\":%u,"
                         "\"session\":\"%016llx\",\"path\":\"%s\",\"amount\":%u.%02u,\"currency\":\"EUR\","
                         "\"country\":\"%s\",\"success\":%s}",
                         kinds[r % 6], (unsigned)(r >> 8) % 28 + 1, (unsigned)(r >> 16) % 24, (unsigned)(r >> 20) % 60,
                         (unsigned)(r >> 24) % 60, (unsigned)(r >> 28) % 1000, (unsigned)(r >> 32) % 1000000,
                         (unsigned long long)random64(), paths[(r >> 40) % 6], (unsigned)(r >> 44) % 500,
                         (unsigned)(r >> 50) % 100, (r >> 56) & 1 ? "DE" : "FR", (r >> 57) & 7 ? "true" : "false");
        size_t part = (size_t)n < size - len ? (size_t)n : size - len;
        memcpy(out + len, item, part);
        len += part;
    }
}

static void make_payloads(void) {
    payloads = malloc(PAYLOADS * opt.size + 1);
    if (!payloads)
        fail("payloads", "out of memory");
    for (int i = 0; i < PAYLOADS; i++) {
        char *p = payloads + (size_t)i * opt.size;
        if (strcmp(opt.payload, "json") == 0)
            json_payload(p, opt.size);
        else if (strcmp(opt.payload, "random") == 0)
            for (size_t k = 0; k < opt.size; k++)
                p[k] = (char)(random64() >> 32);
        else
            memset(p, 'x', opt.size);
    }
}

/* Eight bytes for key number i of opt.keys. */
static uint64_t key_of(uint64_t i) {
    return (i % (uint64_t)opt.keys + 1) * 0x9e3779b97f4a7c15u;
}

/* ---- threads ---- */

static void wait_until(uint64_t at) {
    struct timespec t = {.tv_sec = (time_t)(at / 1000000000u), .tv_nsec = (long)(at % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static void *produce_all(void *arg) {
    uint64_t first = (uint64_t)(uintptr_t)arg, step = (uint64_t)opt.threads, full = 0, since_poll = 0;
    const uint64_t count = to_produce;
    const size_t size = opt.size;
    const char *const values = payloads;
    uint64_t start = now();
    const int paced = opt.paced; /* no floating point between calls: it can stall behind what memcpy did */
    const double interval = paced ? 1e9 / opt.rate : 0;
    if (paced)
        prctl(PR_SET_TIMERSLACK, 1ul, 0, 0, 0);
    for (uint64_t i = first; i < count; i += step) {
        uint64_t key = opt.keys ? key_of(i) : 0;
        message_t m = {.payload = values + i % PAYLOADS * size,
                       .len = size,
                       .key = opt.keys ? &key : NULL,
                       .key_len = opt.keys ? sizeof key : 0,
                       .partition = opt.partition,
                       .headers = opt.headers,
                       .by_name = opt.by_name,
                       .opaque = (void *)(uintptr_t)(i + 1)};
        if (paced) {
            uint64_t due = start + (uint64_t)((double)i * interval);
            if (due > now())
                wait_until(due);
            sent_at[i] = now();
        }
        int err;
        while ((err = client_produce(&client, &m)) == ERR_QUEUE_FULL) {
            full++;
            client_poll(&client, 100);
        }
        if (err)
            fail("produce", client_error(err));
        if (!paced && ++since_poll == POLL_EVERY) {
            since_poll = 0;
            client_poll(&client, 0);
        }
    }
    sum_full += full;
    hand_in_counts();
    return NULL;
}

static void *poll_all(void *arg) {
    (void)arg;
    while (!stop_polling)
        client_poll(&client, 100);
    hand_in_counts();
    return NULL;
}

/* ---- results ---- */

/* How often threads of this process have gone to sleep. */
static long sleeps(void) {
    long sum = 0;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[300];
        snprintf(path, sizeof path, "/proc/self/task/%s/status", e->d_name);
        long n = *e->d_name == '.' ? 0 : status_of(path, "voluntary_ctxt_switches");
        sum += n > 0 ? n : 0;
    }
    if (d)
        closedir(d);
    return sum;
}

/* Watches the client while nothing is asked of it. */
static void print_idle(void) {
    sleep(3); /* what is over takes its time to be put away */
    long before = sleeps();
    double cpu = cpu_seconds();
    sleep((unsigned)opt.idle);
    printf(",\"idle\":{\"rss_kib\":%ld,\"wakeups_per_s\":%.2f,\"cpu_ms_per_s\":%.3f}",
           status_of("/proc/self/status", "VmRSS"), (double)(sleeps() - before - 1) / opt.idle,
           (cpu_seconds() - cpu) * 1e3 / opt.idle);
}

/* Queues all messages at a broker that has been stopped, and tells what that took of memory. */
static void hold_all(void) {
    if (kill(opt.hold, SIGSTOP) != 0)
        fail("--hold", "no such process");
    long before = status_of("/proc/self/status", "VmRSS");
    for (uint64_t i = 0; i < opt.count; i++) {
        message_t m = {.payload = payloads + i % PAYLOADS * opt.size, .len = opt.size, .partition = opt.partition,
                       .opaque = (void *)(uintptr_t)(i + 1)};
        int err = client_produce(&client, &m);
        if (err)
            fail("produce", client_error(err));
    }
    long after = status_of("/proc/self/status", "VmRSS");
    kill(opt.hold, SIGCONT);
    printf(",\"held_bytes\":%.1f", (double)(after - before) * 1024 / (double)opt.count);
}

static void print_latency(void) {
    uint64_t skip = opt.count / 10, n = opt.count - skip;
    uint64_t *v = latency + skip;
    qsort(v, n, sizeof *v, by_value);
    const struct { const char *name; double p; } at[] = {{"p50", .5}, {"p99", .99}, {"p999", .999}, {"max", 1}};
    printf(",\"latency_us\":{");
    for (int i = 0; i < 4; i++) {
        uint64_t k = (uint64_t)(at[i].p * (double)n);
        printf("%s\"%s\":%.1f", i ? "," : "", at[i].name, (double)v[k < n ? k : n - 1] / 1e3);
    }
    printf("}");
}

static void usage(void) {
    fputs("usage: producer_bench --bootstrap HOST:PORT [options]\n"
          "  --topic NAME (bench)      --partition N (-1: the partitioner's choice)\n"
          "  --count N (1000000)       --size BYTES (100)      --payload x|random|json (x)\n"
          "  --warm-up N (0)           messages before the measurement begins\n"
          "  --keys K (0: no keys; else 8-byte keys, K different ones in turn)\n"
          "  --headers N (0)           --threads N (1)         --by-name (default: by topic handle)\n"
          "  --rate MESSAGES/S (0: full speed, else measures latency)\n"
          "  --dr msg|batch|event      reports one by one (msg), a batch at a time where the library can, or as events\n"
          "  --start                   time from rk_producer_new, and from before the configuration, to the first report\n"
          "  --hold PID                stop that process, the broker, and measure the memory of messages queued meanwhile\n"
          "  --idle S                  afterwards watch the idle client for so long; with --count 0 nothing but that\n"
          "  --codec C --linger MS --acks A --idempotence 0|1 --stats MS   short for the settings\n"
          "  -X NAME=VALUE             any further setting; wins over those above\n",
          stderr);
    exit(2);
}

static void add_setting(const char *name, const char *value) {
    if (opt.settings == MAX_SETTINGS)
        fail("settings", "too many");
    if (asprintf(&opt.setting[opt.settings++], "%s=%s", name, value) < 0)
        fail("settings", "out of memory");
}

static void parse_args(int argc, char **argv) {
    static const struct option longs[] = {
        {"bootstrap", 1, 0, 'b'}, {"topic", 1, 0, 't'},   {"count", 1, 0, 'c'},   {"size", 1, 0, 's'},
        {"payload", 1, 0, 'p'},   {"keys", 1, 0, 'k'},    {"headers", 1, 0, 'h'}, {"threads", 1, 0, 'T'},
        {"by-name", 0, 0, 'n'},   {"rate", 1, 0, 'r'},    {"dr", 1, 0, 'd'},      {"codec", 1, 0, 'z'},
        {"linger", 1, 0, 'l'},    {"acks", 1, 0, 'a'},    {"idempotence", 1, 0, 'i'}, {"stats", 1, 0, 'S'},
        {"partition", 1, 0, 'P'}, {"idle", 1, 0, 'I'},    {"hold", 1, 0, 'H'},    {"start", 0, 0, 'O'},
        {"warm-up", 1, 0, 'w'},           {0, 0, 0, 0}};
    const char *codec = "none", *linger = "5", *acks = "all", *idempotence = "false", *stats = "0";
    char *further[MAX_SETTINGS];
    int furthers = 0;
    for (int c; (c = getopt_long(argc, argv, "X:", longs, NULL)) != -1;) {
        switch (c) {
        case 'b': opt.bootstrap = optarg; break;
        case 't': opt.topic = optarg; break;
        case 'c': opt.count = strtoull(optarg, NULL, 10); break;
        case 's': opt.size = strtoul(optarg, NULL, 10); break;
        case 'p': opt.payload = optarg; break;
        case 'k': opt.keys = atoi(optarg); break;
        case 'h': opt.headers = atoi(optarg); break;
        case 'T': opt.threads = atoi(optarg); break;
        case 'n': opt.by_name = 1; break;
        case 'r': opt.rate = atof(optarg); break;
        case 'd': opt.dr = optarg; break;
        case 'z': codec = optarg; break;
        case 'l': linger = optarg; break;
        case 'a': acks = optarg; break;
        case 'i': idempotence = atoi(optarg) || *optarg == 't' ? "true" : "false"; break;
        case 'S': stats = optarg; break;
        case 'P': opt.partition = atoi(optarg); break;
        case 'I': opt.idle = atoi(optarg); break;
        case 'H': opt.hold = atoi(optarg); break;
        case 'O': opt.start = 1; break;
        case 'w': opt.warm_up = strtoull(optarg, NULL, 10); break;
        case 'X':
            if (!strchr(optarg, '=') || furthers == MAX_SETTINGS)
                usage();
            further[furthers++] = optarg;
            break;
        default: usage();
        }
    }
    if (!opt.bootstrap || opt.headers < 0 || opt.headers > MAX_HEADERS || opt.threads < 1 ||
        opt.threads > MAX_THREADS || (!opt.count && !opt.idle) || optind != argc)
        usage();
    opt.events = strcmp(opt.dr, "event") == 0;
    opt.paced = opt.rate > 0;
    if (opt.events && (opt.threads > 1 || opt.rate > 0))
        fail("--dr event", "only with one thread at full speed");
    add_setting("bootstrap.servers", opt.bootstrap);
    add_setting("queue.buffering.max.messages", "1000000");
    add_setting("queue.buffering.max.kbytes", "1048576");
    add_setting("batch.size", "1000000");
    add_setting("batch.num.messages", "10000");
    add_setting("linger.ms", linger);
    add_setting("acks", acks);
    add_setting("compression.codec", codec);
    add_setting("enable.idempotence", idempotence);
    add_setting("statistics.interval.ms", stats);
    for (int i = 0; i < furthers; i++) {
        char *eq = strchr(further[i], '=');
        *eq = 0;
        add_setting(further[i], eq + 1);
    }
}

/* Produces `count` messages by all threads and waits for their reports, unless a thread of its own polls. */
static void produce_round(uint64_t count) {
    pthread_t thread[MAX_THREADS];
    to_produce = count;
    for (int i = 0; i < opt.threads; i++)
        if (pthread_create(&thread[i], NULL, produce_all, (void *)(uintptr_t)i) != 0)
            fail("thread", "can't start");
    for (int i = 0; i < opt.threads; i++)
        pthread_join(thread[i], NULL);
    while (opt.events && sum_delivered + my_delivered < count)
        client_poll(&client, 100);
    int err = client_flush(&client, 120000);
    if (err)
        fail("flush", client_error(err));
    hand_in_counts();
}

int main(int argc, char **argv) {
    pthread_t poller;
    parse_args(argc, argv);
    make_payloads();
    if (opt.rate > 0) {
        sent_at = calloc(opt.count, sizeof *sent_at);
        latency = calloc(opt.count, sizeof *latency);
        if (!sent_at || !latency)
            fail("latencies", "out of memory");
        memset(sent_at, 1, opt.count * sizeof *sent_at); /* page faults now, not while measuring */
        memset(latency, 0, opt.count * sizeof *latency);
    }
    uint64_t begun = now(), reported = 0;
    client_open(&client, opt.setting, opt.settings, opt.topic, opt.dr);
    if (opt.start) {
        message_t m = {.payload = payloads, .len = opt.size, .partition = opt.partition};
        int err = client_produce(&client, &m);
        if (err)
            fail("produce", client_error(err));
        while (!my_delivered)
            client_poll(&client, 100);
        reported = now();
        my_delivered = 0;
    }
    if (opt.count) /* else it may be that there is no broker */
        client_wait_topic(&client, opt.topic);
    if (opt.hold) {
        printf("{\"library\":\"-\"");
        hold_all();
        printf("}\n");
        fflush(stdout);
        return client_flush(&client, 120000) != 0;
    }

    if (opt.warm_up) { /* memory that the kernel must clear once, connections, caches */
        produce_round(opt.warm_up);
        if (sum_delivered != opt.warm_up || sum_errors)
            fail("warm-up", "not everything was delivered");
        sum_delivered = sum_full = 0;
    }
    double cpu = cpu_seconds();
    uint64_t start = now();
    if (opt.rate > 0 && pthread_create(&poller, NULL, poll_all, NULL) != 0)
        fail("thread", "can't start");
    produce_round(opt.count);
    if (opt.rate > 0) { /* the poller may still hold reports that flush did not wait for */
        stop_polling = 1;
        pthread_join(poller, NULL);
    }
    hand_in_counts();
    double wall = (double)(now() - start) / 1e9;
    cpu = cpu_seconds() - cpu;
    long rss = status_of("/proc/self/status", "VmHWM"); /* ru_maxrss starts at what the parent had */

    char version[512];
    client_version(version, sizeof version);
    printf("{\"library\":\"%s\",\"count\":%llu,\"delivered\":%llu,\"errors\":%llu,\"last_error\":\"%s\","
           "\"queue_full\":%llu,\"wall_s\":%.6f,\"cpu_s\":%.6f,\"rate\":%.0f,\"cpu_ns\":%.2f,\"peak_rss_kib\":%ld",
           version, (unsigned long long)opt.count, (unsigned long long)sum_delivered, (unsigned long long)sum_errors,
           sum_errors ? client_error(last_error) : "", (unsigned long long)sum_full, wall, cpu,
           (double)opt.count / wall, opt.count ? cpu * 1e9 / (double)opt.count : 0, rss);
    if (latency)
        print_latency();
    if (opt.start)
        printf(",\"start_us\":%.0f,\"configured_start_us\":%.0f", (double)(reported - client.made_at) / 1e3,
               (double)(reported - begun) / 1e3);
    if (opt.idle)
        print_idle();
    printf("}\n");
    fflush(stdout);
    client_close(&client);
    return sum_delivered == opt.count && !sum_errors ? 0 : 1;
}
