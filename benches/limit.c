/*
 * The limit that this machine sets to any producer: the work that cannot be left out, and nothing else.
 *
 *   limit --bootstrap HOST:PORT [--count N] [--size BYTES] [--ready | --two]
 *
 * One thread encodes records (no key) into batches of up to 1,000,000 bytes, sums each with CRC32C and writes it as a Produce
 * request with acks=all, to the partitions of the topic in turn; answers are read as they come, without waiting, and all
 * of them at the end. No queue, no second thread, no reports, no timestamps but one per batch.
 * With --ready a batch is encoded and summed once and only written, again and again: the loopback's and the broker's limit.
 * With --two, one thread encodes and sums, and another writes, with at most four batches between them.
 *
 *   limit --bootstrap HOST:PORT --start ROUNDS
 *
 * The round trips that a producer cannot do without before its first message is confirmed, one after the other on
 * blocking sockets: connect, ApiVersions, Metadata; then to the leader connect, ApiVersions, Produce. Prints the median.
 *
 * Prints one line of JSON, named as producer_bench names its figures. Any answer that is not the expected one ends the run.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "crc32c.h"
#include "measure.h"
#include "wire.h"

enum { PRODUCE = 0, METADATA = 3, API_VERSIONS = 18 };
enum { PRODUCE_VERSION = 7, METADATA_VERSION = 12, API_VERSIONS_VERSION = 3 };

#define PARTITIONS 8
#define PAYLOADS 256        /* different values, used in turn */
#define BATCH_BYTES 1000000 /* batch.size of the other programs */
#define BATCH_HEADER 61     /* bytes of a record batch (v2) before its records */
#define RECORD_EXTRA 20     /* most bytes of a record beside its value */
#define TOPIC "bench"

static struct {
    struct sockaddr_in broker;
    uint64_t count;
    size_t size;
    int ready, two, rounds;
} opt = {.count = 1000000, .size = 100};

static struct {
    int fd;
    int32_t sent, answered; /* correlation ids: the last one used, and the last one answered */
    size_t have;
    uint8_t answers[64 << 10];
} conn;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "limit: %s: %s\n", what, why);
    exit(1);
}

/* ---- record batches ---- */

static inline uint8_t *varint(uint8_t *p, int64_t value) { /* zigzag, as records have them */
    uint64_t v = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    for (; v > 127; v >>= 7)
        *p++ = (uint8_t)(v | 128);
    *p++ = (uint8_t)v;
    return p;
}

static inline int64_t varint_len(int64_t value) {
    uint64_t v = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    return (70 - __builtin_clzll(v | 1)) / 7;
}

/* Encodes up to `most` records into `batch`, which has room; gives their number, and the length of it all. */
static uint64_t encode(uint8_t *batch, uint64_t first, uint64_t most, const uint8_t *payloads, size_t *length) {
    const size_t size = opt.size;
    const int64_t fixed = 4 + varint_len((int64_t)size) + (int64_t)size; /* attributes, time, no key, no headers */
    uint8_t *p = batch + BATCH_HEADER;
    uint64_t n = 0;
    for (; n < most && (n == 0 || (size_t)(p - batch) + size + RECORD_EXTRA <= BATCH_BYTES); n++) {
        p = varint(p, fixed + varint_len((int64_t)n));
        *p++ = 0; /* attributes */
        *p++ = 0; /* timestampDelta */
        p = varint(p, (int64_t)n);
        p = varint(p, -1); /* no key */
        p = varint(p, (int64_t)size);
        memcpy(p, payloads + (first + n) % PAYLOADS * size, size);
        p += size;
        p = varint(p, 0); /* headers */
    }
    *length = (size_t)(p - batch);
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    writer_t w = {.data = batch, .room = BATCH_HEADER};
    put_i64(&w, 0); /* baseOffset */
    put_i32(&w, *length - 12);
    put_i32(&w, -1); /* partitionLeaderEpoch */
    put_i8(&w, 2);   /* magic */
    put_i32(&w, 0);  /* crc, below */
    put_i16(&w, 0);  /* attributes */
    put_i32(&w, n - 1);
    put_i64(&w, ms);
    put_i64(&w, ms);
    put_i64(&w, -1); /* producerId */
    put_i16(&w, -1);
    put_i32(&w, -1);
    put_i32(&w, n);
    w.len = 17;
    put_i32(&w, crc32c(batch + 21, *length - 21));
    return n;
}

/* ---- the connection ---- */

static void open_connection(void) {
    int on = 1;
    conn.have = 0;
    conn.sent = conn.answered = 0;
    conn.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn.fd < 0 || setsockopt(conn.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        connect(conn.fd, (struct sockaddr *)&opt.broker, sizeof opt.broker) != 0)
        fail("connect", strerror(errno));
}

/* Begins a request in an empty buffer; `flexible` headers end with tagged fields. */
static void begin(writer_t *w, int api, int version, int flexible) {
    w->len = 0;
    put_i32(w, 0); /* size: see send_request */
    put_i16(w, api);
    put_i16(w, version);
    put_i32(w, ++conn.sent);
    put_string(w, 0, "limit", 5);
    put_tags(w, flexible);
}

static void send_request(writer_t *w, const uint8_t *records, size_t length) {
    size_t size = w->len - 4 + length;
    for (int i = 0; i < 4; i++)
        w->data[i] = (uint8_t)(size >> (24 - 8 * i));
    struct iovec parts[2] = {{w->data, w->len}, {(void *)(uintptr_t)records, length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    for (size_t left = w->len + length; left;) {
        ssize_t n = sendmsg(conn.fd, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            fail("send", strerror(errno));
        left -= (size_t)n;
        for (int i = 0; i < 2; i++) { /* what is gone of each part */
            size_t gone = (size_t)n < parts[i].iov_len ? (size_t)n : parts[i].iov_len;
            parts[i].iov_base = (uint8_t *)parts[i].iov_base + gone;
            parts[i].iov_len -= gone;
            n -= (ssize_t)gone;
        }
    }
}

/* Checks one answer: answers come in the order of the requests, and a Produce answer must tell of no error. */
static void answer(const uint8_t *frame, size_t size, int api) {
    reader_t r = {frame, frame + size, 0};
    uint16_t len;
    if (get_i32(&r) != ++conn.answered)
        fail("answer", "not the next request's");
    if (api == PRODUCE) {
        int topics = get_i32(&r);
        get_string(&r, 0, &len);
        int partitions = get_i32(&r);
        take(&r, 4); /* its index */
        int err = get_i16(&r);
        if (topics != 1 || partitions != 1 || err || r.bad)
            fail("answer", "messages were refused");
    } else if (api == API_VERSIONS && (get_i16(&r) || r.bad))
        fail("answer", "ApiVersions was refused");
}

/* Reads what has come (`flags` MSG_DONTWAIT), or waits for something to come (0). All answers are to `api`. */
static void take_answers(int api, int flags) {
    ssize_t n = recv(conn.fd, conn.answers + conn.have, sizeof conn.answers - conn.have, flags);
    if (n < 0 && (errno == EINTR || (errno == EAGAIN && flags)))
        return;
    if (n <= 0)
        fail("receive", n ? strerror(errno) : "the broker has closed the connection");
    conn.have += (size_t)n;
    size_t at = 0;
    while (conn.have - at >= 4) {
        size_t size = (size_t)big_endian(conn.answers + at, 4);
        if (conn.have - at < 4 + size)
            break;
        answer(conn.answers + at + 4, size, api);
        at += 4 + size;
    }
    memmove(conn.answers, conn.answers + at, conn.have - at);
    conn.have -= at;
    if (conn.have == sizeof conn.answers)
        fail("answer", "too long");
}

static void wait_for_answers(int api) {
    while (conn.answered < conn.sent)
        take_answers(api, 0);
}

static void send_batch(writer_t *w, int32_t partition, const uint8_t *batch, size_t length) {
    begin(w, PRODUCE, PRODUCE_VERSION, 0);
    put_string(w, 0, NULL, 0); /* transactional_id */
    put_i16(w, -1);            /* acks */
    put_i32(w, 30000);         /* timeout_ms */
    put_i32(w, 1);
    put_string(w, 0, TOPIC, strlen(TOPIC));
    put_i32(w, 1);
    put_i32(w, partition);
    put_i32(w, length);
    send_request(w, batch, length);
}

static void ask_versions(writer_t *w) {
    begin(w, API_VERSIONS, API_VERSIONS_VERSION, 1);
    put_string(w, 1, "limit", 5); /* client_software_name and _version */
    put_string(w, 1, "1", 1);
    put_tags(w, 1);
    send_request(w, NULL, 0);
    wait_for_answers(API_VERSIONS);
}

static void ask_metadata(writer_t *w) {
    static const uint8_t no_id[16];
    begin(w, METADATA, METADATA_VERSION, 1);
    put_array(w, 1, 1);
    memcpy(put_room(w, sizeof no_id), no_id, sizeof no_id);
    put_string(w, 1, TOPIC, strlen(TOPIC));
    put_tags(w, 1);
    put_i8(w, 1); /* allow_auto_topic_creation */
    put_i8(w, 0); /* include_topic_authorized_operations */
    put_tags(w, 1);
    send_request(w, NULL, 0);
    wait_for_answers(METADATA);
}

/* ---- what is measured ---- */

/* Batches on their way from the thread that encodes them to the one that writes them: never more, so that they stay in the
 * caches, and either waits for the other. */
#define RING 4
static struct {
    uint8_t *batch[RING];
    size_t length[RING];
    uint64_t records[RING];
    sem_t filled, empty;
} ring;

static void *encode_all(void *payloads) {
    for (uint64_t done = 0, k = 0; done < opt.count; k++) {
        uint64_t i = k % RING;
        sem_wait(&ring.empty);
        ring.records[i] = encode(ring.batch[i], done, opt.count - done, payloads, &ring.length[i]);
        done += ring.records[i];
        sem_post(&ring.filled);
    }
    return NULL;
}

static uint8_t *batch_buffer(void) {
    return must(malloc(BATCH_HEADER + BATCH_BYTES + opt.size + RECORD_EXTRA));
}

/* Encodes on a thread of its own, and writes on this one. */
static void write_from_ring(writer_t *w, const uint8_t *payloads) {
    pthread_t encoder;
    sem_init(&ring.filled, 0, 0);
    sem_init(&ring.empty, 0, RING);
    for (int i = 0; i < RING; i++)
        ring.batch[i] = batch_buffer();
    if (pthread_create(&encoder, NULL, encode_all, (void *)(uintptr_t)payloads) != 0)
        fail("thread", "can't start");
    uint64_t done = 0;
    for (uint64_t k = 0; done < opt.count; k++) {
        sem_wait(&ring.filled);
        send_batch(w, (int32_t)(k % PARTITIONS), ring.batch[k % RING], ring.length[k % RING]);
        done += ring.records[k % RING];
        sem_post(&ring.empty);
        take_answers(PRODUCE, MSG_DONTWAIT);
    }
    pthread_join(encoder, NULL);
}

static void run_batches(uint8_t *batch, const uint8_t *payloads) {
    writer_t w = {0};
    open_connection();
    ask_versions(&w);
    ask_metadata(&w);
    double cpu = cpu_seconds();
    uint64_t begun = now(), done = 0, in_batch = 0;
    size_t length = 0;
    if (opt.two) {
        write_from_ring(&w, payloads);
        done = opt.count;
    }
    for (int32_t k = 0; done < opt.count; k++) {
        uint64_t left = opt.count - done;
        if (!opt.ready || !in_batch || in_batch > left)
            in_batch = encode(batch, done, left, payloads, &length);
        send_batch(&w, k % PARTITIONS, batch, length);
        done += in_batch;
        take_answers(PRODUCE, MSG_DONTWAIT);
    }
    wait_for_answers(PRODUCE);
    double wall = (double)(now() - begun) / 1e9;
    cpu = cpu_seconds() - cpu;
    printf("{\"library\":\"limit\",\"count\":%llu,\"wall_s\":%.6f,\"cpu_s\":%.6f,\"rate\":%.0f,\"cpu_ns\":%.2f,"
           "\"peak_rss_kib\":%ld}\n",
           (unsigned long long)done, wall, cpu, (double)done / wall, cpu * 1e9 / (double)done,
           status_of("/proc/self/status", "VmHWM"));
}

static void run_starts(uint8_t *batch, const uint8_t *payloads) {
    uint64_t *took = must(calloc((size_t)opt.rounds, sizeof *took));
    writer_t w = {0};
    size_t length;
    for (int i = 0; i < opt.rounds; i++) {
        uint64_t begun = now();
        open_connection();
        ask_versions(&w);
        ask_metadata(&w);
        int bootstrap = conn.fd;
        open_connection();
        ask_versions(&w);
        encode(batch, 0, 1, payloads, &length);
        send_batch(&w, 0, batch, length);
        wait_for_answers(PRODUCE);
        took[i] = now() - begun;
        close(bootstrap);
        close(conn.fd);
    }
    qsort(took, (size_t)opt.rounds, sizeof *took, by_value);
    printf("{\"library\":\"limit\",\"count\":%d,\"start_us\":%.1f}\n", opt.rounds, (double)took[opt.rounds / 2] / 1e3);
}

static void parse_address(char *text) {
    char *colon = strrchr(text, ':');
    if (colon)
        *colon = 0;
    opt.broker.sin_family = AF_INET;
    opt.broker.sin_port = htons((uint16_t)(colon ? atoi(colon + 1) : 0));
    if (!colon || inet_pton(AF_INET, text, &opt.broker.sin_addr) != 1)
        fail("--bootstrap", "not an IPv4 address and a port");
}

int main(int argc, char **argv) {
    static const struct option longs[] = {{"bootstrap", 1, 0, 'b'}, {"count", 1, 0, 'c'}, {"size", 1, 0, 's'},
                                          {"ready", 0, 0, 'r'},     {"two", 0, 0, 't'}, {"start", 1, 0, 'S'}, {0, 0, 0, 0}};
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 'b': parse_address(optarg); break;
        case 'c': opt.count = strtoull(optarg, NULL, 10); break;
        case 's': opt.size = strtoul(optarg, NULL, 10); break;
        case 'r': opt.ready = 1; break;
        case 't': opt.two = 1; break;
        case 'S': opt.rounds = atoi(optarg); break;
        default: return 2;
        }
    }
    if (!opt.broker.sin_port || !opt.count || !opt.size || opt.size > 100u << 20 || opt.rounds < 0 || optind != argc) {
        fprintf(stderr, "usage: see the top of benches/limit.c\n");
        return 2;
    }
    crc32c_init();
    if (!crc32c_self_test())
        fail("checksum", "the self-test failed");
    uint8_t *batch = batch_buffer();
    uint8_t *payloads = must(malloc(PAYLOADS * opt.size));
    memset(payloads, 'x', PAYLOADS * opt.size);
    if (opt.rounds)
        run_starts(batch, payloads);
    else
        run_batches(batch, payloads);
    return 0;
}
