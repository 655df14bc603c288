/*
 * A Kafka broker that accepts and discards, for measuring producers.
 *
 *   sink [--port P] [--host H] [--partitions N] [--topics NAME:N,NAME:N]
 *        [--produce-max V] [--no-crc] [--quiet]
 *
 * Prints "listening HOST:PORT" once it does (port 0, the default, takes a free one), and on SIGTERM
 * or SIGINT one line of JSON: connections, requests, batches, records, bytes, bad_crc, bad_seq, duplicates.
 * Without --topics every name asked for exists, with --partitions (8) partitions.
 *
 * Speaks ApiVersions 0-4, Metadata 0-12, Produce 3-13 and InitProducerId 0-4 as broker 1 of a
 * cluster of one. Every batch's framing and CRC32C is checked, and of idempotent producers the sequence;
 * a batch that fails is answered with the error a real broker would give. Any other request, or one
 * that can't be parsed, ends the connection with a line on stderr.
 *
 * One thread per connection, which reads into one big buffer and works on the requests in place.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crc32c.h"
#include "wire.h"

enum { PRODUCE = 0, FETCH = 1, METADATA = 3, FIND_COORDINATOR = 10, API_VERSIONS = 18, INIT_PRODUCER_ID = 22 };
enum { CORRUPT_MESSAGE = 2, UNKNOWN_TOPIC_OR_PARTITION = 3, OUT_OF_ORDER_SEQUENCE = 45 };
enum { UNSUPPORTED_VERSION = 35 };

#define NODE_ID 1
#define MAX_REQUEST (256u << 20) /* as a guard against a lost frame boundary */
#define MAX_READ (256u << 10)    /* larger reads only fall out of the cache */
#define BATCH_HEADER 61          /* bytes of a record batch (v2) before its records */

typedef struct {
    pthread_mutex_t lock;
    int64_t next_offset;
    int64_t producer_id;
    int32_t next_sequence;
    int16_t producer_epoch;
} partition_t;

typedef struct topic {
    struct topic *next;
    uint8_t id[16];
    int32_t count;
    partition_t *partitions;
    uint16_t name_len;
    char name[];
} topic_t;

static struct {
    const char *host;
    int port, partitions, fixed_topics, produce_max, no_crc, quiet;
} opt = {.host = "127.0.0.1", .partitions = 8, .produce_max = 13};

static struct {
    atomic_ullong connections, requests, batches, records, bytes, bad_crc, bad_seq, duplicates;
} sums;

static _Atomic(topic_t *) topics;
static pthread_mutex_t topics_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_llong next_producer_id = 1000;

/* ---- topics: never removed, so a reader may walk the list without the lock ---- */

static topic_t *topic_add(const char *name, uint16_t len, int32_t count) {
    topic_t *t = must(calloc(1, sizeof *t + len));
    uint64_t h = 1469598103934665603u;
    for (uint16_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)name[i]) * 1099511628211u;
    memcpy(t->id, &h, 8);
    h = ~h * 0x9e3779b97f4a7c15u;
    memcpy(t->id + 8, &h, 8);
    t->count = count;
    t->partitions = must(calloc((size_t)count, sizeof *t->partitions));
    for (int32_t i = 0; i < count; i++) {
        pthread_mutex_init(&t->partitions[i].lock, NULL);
        t->partitions[i].producer_id = -1;
    }
    t->name_len = len;
    memcpy(t->name, name, len);
    t->next = atomic_load(&topics);
    atomic_store(&topics, t);
    return t;
}

static topic_t *topic_find(const char *name, uint16_t len) {
    for (topic_t *t = atomic_load(&topics); t; t = t->next)
        if (t->name_len == len && memcmp(t->name, name, len) == 0)
            return t;
    return NULL;
}

static topic_t *topic_by_id(const uint8_t id[16]) {
    for (topic_t *t = atomic_load(&topics); t; t = t->next)
        if (memcmp(t->id, id, 16) == 0)
            return t;
    return NULL;
}

static topic_t *topic_get(const char *name, uint16_t len) {
    topic_t *t = topic_find(name, len);
    if (t || opt.fixed_topics)
        return t;
    pthread_mutex_lock(&topics_lock);
    t = topic_find(name, len);
    if (!t)
        t = topic_add(name, len, opt.partitions);
    pthread_mutex_unlock(&topics_lock);
    return t;
}

/* ---- ApiVersions ---- */

static void api_versions(writer_t *w, int version) {
    /* Fetch and FindCoordinator are listed, not served: librdkafka takes record batches v2, zstd
     * and LZ4 to be known only to brokers that list them. */
    const int apis[][3] = {{PRODUCE, 3, opt.produce_max}, {FETCH, 4, 11},   {METADATA, 0, 12},
                           {FIND_COORDINATOR, 0, 2},      {API_VERSIONS, 0, 4}, {INIT_PRODUCER_ID, 0, 4}};
    int n = (int)(sizeof apis / sizeof *apis), unsupported = version > 4, flexible = version >= 3 && !unsupported;
    put_i16(w, unsupported ? UNSUPPORTED_VERSION : 0);
    put_array(w, flexible, n);
    for (int i = 0; i < n; i++) {
        put_i16(w, apis[i][0]);
        put_i16(w, apis[i][1]);
        put_i16(w, apis[i][2]);
        put_tags(w, flexible);
    }
    if (version >= 1 && !unsupported)
        put_i32(w, 0); /* throttle_time_ms */
    put_tags(w, flexible);
}

/* ---- Metadata ---- */

static void metadata_topic(writer_t *w, int v, const topic_t *t, const char *name, uint16_t len, const uint8_t *id) {
    int flexible = v >= 9;
    put_i16(w, t ? 0 : UNKNOWN_TOPIC_OR_PARTITION);
    put_string(w, flexible, t ? t->name : name, t ? t->name_len : len);
    if (v >= 10)
        memcpy(put_room(w, 16), t ? t->id : id, 16);
    if (v >= 1)
        put_i8(w, 0); /* is_internal */
    put_array(w, flexible, t ? t->count : 0);
    for (int32_t i = 0; t && i < t->count; i++) {
        put_i16(w, 0);
        put_i32(w, i);
        put_i32(w, NODE_ID);
        if (v >= 7)
            put_i32(w, 0); /* leader_epoch */
        for (int list = 0; list < 2; list++) { /* replica_nodes, isr_nodes */
            put_array(w, flexible, 1);
            put_i32(w, NODE_ID);
        }
        if (v >= 5)
            put_array(w, flexible, 0); /* offline_replicas */
        put_tags(w, flexible);
    }
    if (v >= 8)
        put_i32(w, INT32_MIN); /* topic_authorized_operations: not asked for */
    put_tags(w, flexible);
}

static void metadata(reader_t *r, writer_t *w, int v) {
    static const uint8_t no_id[16];
    int flexible = v >= 9;
    if (v >= 3)
        put_i32(w, 0); /* throttle_time_ms */
    put_array(w, flexible, 1);
    put_i32(w, NODE_ID);
    put_string(w, flexible, opt.host, strlen(opt.host));
    put_i32(w, opt.port);
    if (v >= 1)
        put_string(w, flexible, NULL, 0); /* rack */
    put_tags(w, flexible);
    if (v >= 2)
        put_string(w, flexible, "sink", 4);
    if (v >= 1)
        put_i32(w, NODE_ID); /* controller_id */

    int64_t n = get_len(r, flexible, 1);
    if (n < 0 || (v == 0 && n == 0)) { /* every topic */
        int32_t count = 0;
        topic_t *first = atomic_load(&topics);
        for (topic_t *t = first; t; t = t->next)
            count++;
        put_array(w, flexible, count);
        for (topic_t *t = first; t; t = t->next)
            metadata_topic(w, v, t, NULL, 0, no_id);
    } else {
        if (n > r->end - r->p) {
            r->bad = 1;
            return;
        }
        put_array(w, flexible, (int32_t)n);
        for (; n > 0 && !r->bad; n--) {
            uint16_t len;
            const uint8_t *id = v >= 10 ? take(r, 16) : no_id;
            const char *name = get_string(r, flexible, &len);
            skip_tags(r, flexible);
            if (!r->bad)
                metadata_topic(w, v, name ? topic_get(name, len) : topic_by_id(id), name, len, id);
        }
    }
    if (v >= 8 && v <= 10)
        put_i32(w, INT32_MIN); /* cluster_authorized_operations: not asked for */
    put_tags(w, flexible);
}

/* ---- InitProducerId ---- */

static void init_producer_id(writer_t *w, int version) {
    put_i32(w, 0); /* throttle_time_ms */
    put_i16(w, 0);
    put_i64(w, atomic_fetch_add(&next_producer_id, 1));
    put_i16(w, 0); /* producer_epoch */
    put_tags(w, version >= 2);
}

/* ---- Produce ---- */

/* Checks the batches of one partition, gives its answer's error code and the first batch's offset. */
static int16_t take_records(topic_t *t, int32_t index, const uint8_t *p, size_t len, int64_t *base_offset) {
    *base_offset = -1;
    if (!t || index < 0 || index >= t->count)
        return UNKNOWN_TOPIC_OR_PARTITION;
    partition_t *part = &t->partitions[index];
    while (len) {
        uint64_t size = len < BATCH_HEADER ? 0 : 12 + big_endian(p + 8, 4);
        int32_t count = len < BATCH_HEADER ? 0 : (int32_t)big_endian(p + 57, 4);
        int sound = size >= BATCH_HEADER && size <= len && p[16] == 2 && count > 0 &&
                    big_endian(p + 23, 4) == (uint32_t)count - 1;
        if (!sound || (!opt.no_crc && big_endian(p + 17, 4) != crc32c(p + 21, size - 21))) {
            atomic_fetch_add_explicit(&sums.bad_crc, 1, memory_order_relaxed);
            return CORRUPT_MESSAGE;
        }
        int64_t producer_id = (int64_t)big_endian(p + 43, 8);
        int16_t epoch = (int16_t)big_endian(p + 51, 2);
        int32_t sequence = (int32_t)big_endian(p + 53, 4);
        int16_t err = 0;
        pthread_mutex_lock(&part->lock);
        if (producer_id >= 0) {
            if (part->producer_id != producer_id || part->producer_epoch != epoch) {
                part->producer_id = producer_id;
                part->producer_epoch = epoch;
                part->next_sequence = 0;
            }
            if (sequence != part->next_sequence) {
                int again = sequence < part->next_sequence;
                atomic_fetch_add_explicit(again ? &sums.duplicates : &sums.bad_seq, 1, memory_order_relaxed);
                err = again ? 0 : OUT_OF_ORDER_SEQUENCE;
                count = 0;
            } else
                part->next_sequence = (int32_t)(((int64_t)sequence + count) & INT32_MAX);
        }
        if (*base_offset < 0)
            *base_offset = part->next_offset;
        part->next_offset += count;
        pthread_mutex_unlock(&part->lock);
        if (err)
            return err;
        if (count) {
            atomic_fetch_add_explicit(&sums.batches, 1, memory_order_relaxed);
            atomic_fetch_add_explicit(&sums.records, (unsigned)count, memory_order_relaxed);
            atomic_fetch_add_explicit(&sums.bytes, size, memory_order_relaxed);
        }
        p += size;
        len -= size;
    }
    return 0;
}

/* Returns acks: 0 wants no answer. */
static int produce(reader_t *r, writer_t *w, int v) {
    int flexible = v >= 9;
    uint16_t len;
    get_string(r, flexible, &len); /* transactional_id */
    int acks = get_i16(r);
    take(r, 4); /* timeout_ms */
    int64_t n = get_len(r, flexible, 1);
    put_array(w, flexible, n < 0 ? 0 : (int32_t)n);
    for (; n > 0 && !r->bad; n--) {
        topic_t *t;
        if (v >= 13) {
            const uint8_t *id = take(r, 16);
            if (!id)
                break;
            t = topic_by_id(id);
            memcpy(put_room(w, 16), id, 16);
        } else {
            const char *name = get_string(r, flexible, &len);
            t = name ? topic_get(name, len) : NULL;
            put_string(w, flexible, name, len);
        }
        int64_t parts = get_len(r, flexible, 1);
        put_array(w, flexible, parts < 0 ? 0 : (int32_t)parts);
        for (; parts > 0 && !r->bad; parts--) {
            int32_t index = get_i32(r);
            int64_t size = get_len(r, flexible, 1), base_offset;
            const uint8_t *records = size < 0 ? NULL : take(r, (size_t)size);
            int16_t err = take_records(t, index, records, records ? (size_t)size : 0, &base_offset);
            skip_tags(r, flexible);
            put_i32(w, index);
            put_i16(w, err);
            put_i64(w, base_offset);
            put_i64(w, -1); /* log_append_time_ms: the producer's timestamps stand */
            if (v >= 5)
                put_i64(w, 0); /* log_start_offset */
            if (v >= 8) {
                put_array(w, flexible, 0);        /* record_errors */
                put_string(w, flexible, NULL, 0); /* error_message */
            }
            put_tags(w, flexible);
        }
        skip_tags(r, flexible);
        put_tags(w, flexible);
    }
    put_i32(w, 0); /* throttle_time_ms */
    put_tags(w, flexible);
    return acks;
}

/* ---- connections ---- */

/* Handles one request, appends its answer. False if the connection has to end. */
static int handle(const uint8_t *frame, size_t size, writer_t *w) {
    reader_t r = {frame, frame + size, 0};
    int api = get_i16(&r), v = get_i16(&r), answer = 1;
    int32_t correlation = get_i32(&r);
    int64_t client_id = get_i16(&r); /* the header keeps the old string form in every version */
    if (client_id > 0)
        take(&r, (size_t)client_id);
    int flexible = (api == PRODUCE || api == METADATA) ? v >= 9 : api == INIT_PRODUCER_ID ? v >= 2 : v >= 3;
    skip_tags(&r, flexible && !r.bad);

    size_t start = w->len;
    put_i32(w, 0); /* size, filled in below */
    put_i32(w, correlation);
    put_tags(w, flexible && api != API_VERSIONS);
    if (api == API_VERSIONS)
        api_versions(w, v);
    else if (api == METADATA && v <= 12)
        metadata(&r, w, v);
    else if (api == INIT_PRODUCER_ID && v <= 4)
        init_producer_id(w, v);
    else if (api == PRODUCE && v >= 3 && v <= opt.produce_max)
        answer = produce(&r, w, v) != 0;
    else {
        fprintf(stderr, "sink: request %d version %d is not served\n", api, v);
        return 0;
    }
    if (r.bad) {
        fprintf(stderr, "sink: request %d version %d is malformed\n", api, v);
        return 0;
    }
    if (!answer) {
        w->len = start;
        return 1;
    }
    uint32_t len = htonl((uint32_t)(w->len - start - 4));
    memcpy(w->data + start, &len, 4);
    return 1;
}

static int send_all(int fd, const uint8_t *p, size_t len) {
    while (len) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        p += n;
        len -= (size_t)n;
    }
    return 1;
}

static void *serve(void *arg) {
    int fd = (int)(intptr_t)arg;
    size_t room = 4u << 20, have = 0; /* room for the usual request of 1 MB and the next one's start */
    uint8_t *buf = must(malloc(room));
    writer_t out = {0};
    for (;;) {
        ssize_t n = recv(fd, buf + have, room - have < MAX_READ ? room - have : MAX_READ, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        have += (size_t)n;
        size_t at = 0, want = 0;
        while (have - at >= 4) {
            want = 4 + (size_t)big_endian(buf + at, 4);
            if (want > MAX_REQUEST) {
                fprintf(stderr, "sink: request of %zu bytes\n", want);
                goto end;
            }
            if (have - at < want)
                break;
            atomic_fetch_add_explicit(&sums.requests, 1, memory_order_relaxed);
            if (!handle(buf + at + 4, want - 4, &out))
                goto end;
            at += want;
            want = 0;
        }
        if (out.len && !send_all(fd, out.data, out.len))
            break;
        out.len = 0;
        if (at) {
            memmove(buf, buf + at, have - at);
            have -= at;
        }
        if (want > room) {
            room = want;
            buf = must(realloc(buf, room));
        }
    }
end:
    close(fd);
    free(buf);
    free(out.data);
    return NULL;
}

static void *accept_all(void *arg) {
    int listener = (int)(intptr_t)arg, on = 1;
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        atomic_fetch_add(&sums.connections, 1);
        pthread_t thread;
        if (pthread_create(&thread, &detached, serve, (void *)(intptr_t)fd) != 0)
            close(fd);
    }
    return NULL;
}

static void add_topics(char *list) {
    for (char *save, *item = strtok_r(list, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
        char *colon = strrchr(item, ':');
        int n = colon ? atoi(colon + 1) : opt.partitions;
        if (n < 1 || n > 100000) {
            fprintf(stderr, "sink: bad partition count in %s\n", item);
            exit(2);
        }
        topic_add(item, (uint16_t)(colon ? colon - item : (long)strlen(item)), n);
    }
    opt.fixed_topics = 1;
}

int main(int argc, char **argv) {
    static const struct option longs[] = {
        {"port", 1, 0, 'p'},   {"host", 1, 0, 'h'},  {"partitions", 1, 0, 'n'},  {"topics", 1, 0, 't'},
        {"no-crc", 0, 0, 'c'}, {"quiet", 0, 0, 'q'}, {"produce-max", 1, 0, 'm'}, {0, 0, 0, 0}};
    char *list = NULL;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 'p': opt.port = atoi(optarg); break;
        case 'h': opt.host = optarg; break;
        case 'n': opt.partitions = atoi(optarg); break;
        case 't': list = optarg; break;
        case 'c': opt.no_crc = 1; break;
        case 'q': opt.quiet = 1; break;
        case 'm': opt.produce_max = atoi(optarg); break;
        default: return 2;
        }
    }
    if (opt.partitions < 1 || opt.partitions > 100000 || opt.produce_max < 3 || opt.produce_max > 13) {
        fprintf(stderr, "sink: a number is out of range\n");
        return 2;
    }
    crc32c_init();
    if (!crc32c_self_test()) {
        fprintf(stderr, "sink: the checksum's self-test failed\n");
        return 1;
    }
    if (list)
        add_topics(list);

    /* Signals are taken by sigwait below, so no thread may receive them. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
    socklen_t len = sizeof addr;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (inet_pton(AF_INET, opt.host, &addr.sin_addr) != 1 || bind(fd, (struct sockaddr *)&addr, len) != 0 ||
        listen(fd, 64) != 0 || getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
        perror("sink: listen");
        return 1;
    }
    opt.port = ntohs(addr.sin_port);
    pthread_t thread;
    if (pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)fd) != 0)
        return 1;
    printf("listening %s:%d\n", opt.host, opt.port);
    fflush(stdout);

    int sig;
    sigwait(&signals, &sig);
    if (!opt.quiet)
        printf("{\"connections\":%llu,\"requests\":%llu,\"batches\":%llu,\"records\":%llu,\"bytes\":%llu,"
               "\"bad_crc\":%llu,\"bad_seq\":%llu,\"duplicates\":%llu}\n",
               sums.connections, sums.requests, sums.batches, sums.records, sums.bytes, sums.bad_crc, sums.bad_seq,
               sums.duplicates);
    return 0;
}
