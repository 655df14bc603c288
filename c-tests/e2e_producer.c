/*
 * Produces the messages it is told on stdin and prints what becomes of each: the sending half of tests/kafka/e2e.py.
 *
 *   e2e_producer [--flush-ms MS] NAME=VALUE...       settings, bootstrap.servers among them
 *
 * stdin, numbers in network order, one after the other until the end:
 *   u16 length, topic; i32 partition (-1: the partitioner's choice); i64 timestamp_ms (0: now);
 *   i32 length (-1: null), key; i32 length (-1: null), value;
 *   i32 headers, each u16 length, name; i32 length (-1: null), value
 *
 * stdout, one JSON object a line; "i" counts the messages of stdin from 0:
 *   {"i":7,"partition":0,"offset":12,"timestamp":1,"err":0,"name":"","status":2,"key_len":8,"len":100,"ms":5}
 *                                    a delivery report; "ms" is how long after produce it came
 *   {"i":8,"refused":10,"name":"MSG_SIZE_TOO_LARGE"}     produce said no
 *   {"done":true,"flush":0,"left":0}                     after the last flush
 *
 * A full queue is waited for. Built with PEER_LIBRDKAFKA it is the same program over librdkafka,
 * by which the suite itself can be checked.
 */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef PEER_LIBRDKAFKA
#include <librdkafka/rdkafka.h>
typedef rd_kafka_t producer_t;
typedef rd_kafka_message_t report_t;
typedef rd_kafka_headers_t headers_t;
enum { QUEUE_FULL = RD_KAFKA_RESP_ERR__QUEUE_FULL };
#define err_name(e) rd_kafka_err2name((rd_kafka_resp_err_t)(e))
#define headers_new(n) rd_kafka_headers_new(n)
#define headers_add(h, name, name_len, v, len) rd_kafka_header_add(h, name, (ssize_t)(name_len), v, (ssize_t)(len))
#define headers_destroy rd_kafka_headers_destroy
#define producer_poll rd_kafka_poll
#define producer_flush rd_kafka_flush
#define producer_len rd_kafka_outq_len
#define producer_destroy rd_kafka_destroy
#else
#include <rkafka.h>
typedef rk_producer_t producer_t;
typedef rk_message_t report_t;
typedef rk_headers_t headers_t;
enum { QUEUE_FULL = RK_RESP_ERR__QUEUE_FULL };
#define err_name(e) rk_err2name((rk_resp_err_t)(e))
#define headers_new(n) rk_headers_new(n)
#define headers_add(h, name, name_len, v, len) rk_headers_add(h, name, name_len, v, len)
#define headers_destroy rk_headers_destroy
#define producer_poll rk_producer_poll
#define producer_flush rk_producer_flush
#define producer_len rk_producer_len
#define producer_destroy rk_producer_destroy
#endif

static void die(const char *what, const char *why) {
    fprintf(stderr, "e2e_producer: %s: %s\n", what, why);
    exit(2);
}

/* Status 3 tells the suite that this build can't be set up as asked. */
static void refuse(const char *why) {
    fprintf(stderr, "e2e_producer: setting refused: %s\n", why);
    exit(3);
}

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What a message's opaque points to; freed with its report. */
typedef struct {
    uint64_t number;
    int64_t at_ms;
} ticket_t;

static void print_report(const report_t *m, void *opaque, int64_t timestamp, int status) {
    ticket_t *t = opaque;
    printf("{\"i\":%llu,\"partition\":%d,\"offset\":%lld,\"timestamp\":%lld,\"err\":%d,\"name\":\"%s\",\"status\":%d,"
           "\"key_len\":%zu,\"len\":%zu,\"ms\":%lld}\n",
           (unsigned long long)t->number, (int)m->partition, (long long)m->offset, (long long)timestamp, (int)m->err,
           m->err ? err_name(m->err) : "", status, m->key_len, m->len, (long long)(now_ms() - t->at_ms));
    free(t);
}

#ifdef PEER_LIBRDKAFKA
static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque) {
    rd_kafka_timestamp_type_t type;
    (void)rk;
    (void)opaque;
    print_report(m, m->_private, rd_kafka_message_timestamp(m, &type), (int)rd_kafka_message_status(m));
}

static producer_t *open_producer(char **settings, int count) {
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (int i = 0; i < count; i++) {
        char *eq = strchr(settings[i], '=');
        if (!eq)
            die("not NAME=VALUE", settings[i]);
        *eq = 0;
        if (rd_kafka_conf_set(conf, settings[i], eq + 1, why, sizeof why) != RD_KAFKA_CONF_OK)
            refuse(why);
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    producer_t *p = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!p)
        refuse(why);
    return p;
}

static int produce(producer_t *p, const char *topic, int32_t partition, const char *value, size_t len,
                   const char *key, size_t key_len, headers_t *headers, int64_t timestamp, void *opaque) {
    return (int)rd_kafka_producev(p, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE((void *)value, len),
                                  RD_KAFKA_V_KEY(key, key_len), RD_KAFKA_V_HEADERS(headers),
                                  RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
}
#else
static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    (void)rk;
    (void)opaque;
    print_report(m, m->opaque, m->timestamp_ms, (int)m->status);
}

static producer_t *open_producer(char **settings, int count) {
    char why[512];
    rk_conf_t *conf = rk_conf_new();
    for (int i = 0; i < count; i++) {
        char *eq = strchr(settings[i], '=');
        if (!eq)
            die("not NAME=VALUE", settings[i]);
        *eq = 0;
        if (rk_conf_set(conf, settings[i], eq + 1, why, sizeof why) != RK_CONF_OK)
            refuse(why);
    }
    rk_conf_set_dr_msg_cb(conf, on_report);
    producer_t *p = rk_producer_new(conf, why, sizeof why);
    if (!p)
        refuse(why);
    return p;
}

static int produce(producer_t *p, const char *topic, int32_t partition, const char *value, size_t len,
                   const char *key, size_t key_len, headers_t *headers, int64_t timestamp, void *opaque) {
    if (headers)
        return (int)rk_producer_produce_headers(p, topic, partition, RK_MSG_F_COPY, value, len, key, key_len, headers,
                                                timestamp, opaque);
    return (int)rk_producer_produce(p, topic, partition, RK_MSG_F_COPY, value, len, key, key_len, timestamp, opaque);
}
#endif

/* ---- stdin ---- */

static int read_bytes(void *out, size_t n) {
    return n == 0 || fread(out, n, 1, stdin) == 1;
}

static int64_t read_number(int bytes) {
    uint8_t b[8];
    uint64_t v = 0;
    if (!read_bytes(b, (size_t)bytes))
        die("stdin", "ends within a message");
    for (int i = 0; i < bytes; i++)
        v = v << 8 | b[i];
    return bytes == 4 ? (int32_t)v : (int64_t)v;
}

/* A buffer that keeps its memory from one message to the next. */
typedef struct {
    char *data;
    size_t room;
} buffer_t;

/* `n` bytes of stdin and a terminating zero: never NULL, for an empty string is not a null one. */
static char *read_into(buffer_t *b, size_t n) {
    if (n + 1 > b->room) {
        b->room = n + 1;
        b->data = realloc(b->data, b->room);
        if (!b->data)
            die("stdin", "out of memory");
    }
    if (!read_bytes(b->data, n))
        die("stdin", "ends within a message");
    b->data[n] = 0;
    return b->data;
}

static char *read_nullable(buffer_t *b, size_t *len) {
    int64_t n = read_number(4);
    *len = n < 0 ? 0 : (size_t)n;
    return n < 0 ? NULL : read_into(b, *len);
}

static headers_t *read_headers(buffer_t *name, buffer_t *value) {
    int64_t count = read_number(4);
    if (count <= 0)
        return NULL;
    headers_t *h = headers_new((size_t)count);
    while (count--) {
        size_t name_len = (size_t)read_number(2), len;
        read_into(name, name_len);
        char *v = read_nullable(value, &len);
        int err = (int)headers_add(h, name->data, name_len, v, len);
        if (err)
            die("header", err_name(err));
    }
    return h;
}

/* ---- threads ---- */

static atomic_int stop;

/* Reports are printed as they come, also while the main thread waits for stdin. */
static void *poll_all(void *p) {
    while (!stop) {
        producer_poll(p, 50);
        fflush(stdout);
    }
    return NULL;
}

static void produce_all(producer_t *p) {
    buffer_t topic = {0}, key = {0}, value = {0}, name = {0}, header = {0};
    for (uint64_t i = 0;; i++) {
        int first = getchar();
        if (first == EOF)
            break;
        size_t topic_len = (size_t)first << 8 | (size_t)read_number(1), key_len, len;
        read_into(&topic, topic_len);
        int32_t partition = (int32_t)read_number(4);
        int64_t timestamp = read_number(8);
        char *k = read_nullable(&key, &key_len);
        char *v = read_nullable(&value, &len);
        headers_t *h = read_headers(&name, &header);
        ticket_t *ticket = malloc(sizeof *ticket);
        if (!ticket)
            die("ticket", "out of memory");
        ticket->number = i;
        ticket->at_ms = now_ms();
        int err;
        while ((err = produce(p, topic.data, partition, v, len, k, key_len, h, timestamp, ticket)) == QUEUE_FULL)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        if (err) {
            printf("{\"i\":%llu,\"refused\":%d,\"name\":\"%s\"}\n", (unsigned long long)i, err, err_name(err));
            if (h)
                headers_destroy(h);
            free(ticket);
        }
    }
    free(topic.data);
    free(key.data);
    free(value.data);
    free(name.data);
    free(header.data);
}

int main(int argc, char **argv) {
    int flush_ms = 60000, at = 1;
    pthread_t poller;
    if (argc > 2 && strcmp(argv[1], "--flush-ms") == 0) {
        flush_ms = atoi(argv[2]);
        at = 3;
    }
    static char out[1 << 16];
    setvbuf(stdout, out, _IOFBF, sizeof out);
    producer_t *p = open_producer(argv + at, argc - at);
    if (pthread_create(&poller, NULL, poll_all, p) != 0)
        die("thread", "can't start");
    produce_all(p);
    stop = 1;
    pthread_join(poller, NULL);
    int err = (int)producer_flush(p, flush_ms);
    printf("{\"done\":true,\"flush\":%d,\"left\":%d}\n", err, (int)producer_len(p));
    fflush(stdout);
    producer_destroy(p);
    return 0;
}
