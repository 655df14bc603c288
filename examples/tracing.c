/*
 * Carries the context of a trace in headers (W3C Trace Context) by an interceptor: each message gets a `traceparent`, with an id of
 * its own and the trace's id, and each span ends with the message's acknowledgement. What takes ids from a generator and
 * prints spans here, asks OpenTelemetry in earnest.
 *
 * Environment: BOOTSTRAP=host:port (default: the embedded broker), COUNT, TOPIC.
 */
#include <rkafka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TRACEPARENT = 55 }; /* 00-<32 hexadecimal digits>-<16>-<2> */

typedef struct {
    uint64_t seed;
    long started, ended, failed;
} tracer_t;

/* xorshift64*: never 0, as the ids of traces must not be. One thread produces here; a tracer for several needs one of each. */
static uint64_t next_id(tracer_t *t) {
    t->seed ^= t->seed >> 12;
    t->seed ^= t->seed << 25;
    t->seed ^= t->seed >> 27;
    return t->seed * UINT64_C(2685821657736338717);
}

/* Runs within rk_producer_produce. A message whose headers name a parent stays in that trace; another begins one. */
static rk_resp_err_t on_send(rk_producer_t *rk, const rk_message_t *m, rk_headers_t *headers, void *opaque) {
    tracer_t *t = opaque;
    char parent[TRACEPARENT + 1], trace[33];
    const void *given;
    size_t len;
    (void)rk;
    (void)m;
    if (rk_headers_get_last(headers, "traceparent", &given, &len) == RK_RESP_ERR_NO_ERROR && given && len == TRACEPARENT) {
        memcpy(trace, (const char *)given + 3, 32);
        trace[32] = '\0';
        rk_headers_remove(headers, "traceparent");
    } else {
        uint64_t high = next_id(t), low = next_id(t);
        snprintf(trace, sizeof trace, "%016" PRIx64 "%016" PRIx64, high, low);
    }
    snprintf(parent, sizeof parent, "00-%s-%016" PRIx64 "-01", trace, next_id(t));
    t->started++;
    return rk_headers_add_str(headers, "traceparent", parent);
}

/* Runs within poll and flush (or within produce, if the message is refused after on_send). */
static rk_resp_err_t on_acknowledgement(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    tracer_t *t = opaque;
    rk_headers_t *headers;
    const void *parent;
    size_t len;
    (void)rk;
    t->ended++;
    t->failed += m->err != RK_RESP_ERR_NO_ERROR;
    if (rk_message_headers(m, &headers) != RK_RESP_ERR_NO_ERROR)
        return RK_RESP_ERR_NO_ERROR;
    if (t->ended <= 3 && rk_headers_get_last(headers, "traceparent", &parent, &len) == RK_RESP_ERR_NO_ERROR)
        printf("span %.*s: %s[%" PRId32 "] at offset %" PRId64 ", %" PRId64 " us, %s\n", (int)len, (const char *)parent,
               m->topic, m->partition, m->offset, m->latency_us, rk_err2name(m->err));
    rk_headers_destroy(headers);
    return RK_RESP_ERR_NO_ERROR;
}

static const char *setting(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

int main(void) {
    const char *topic = setting("TOPIC", "demo"), *bootstrap = setting("BOOTSTRAP", "");
    long count = atol(setting("COUNT", "1000"));
    tracer_t tracer = {0, 0, 0, 0};
    char why[512];
    tracer.seed = (uint64_t)time(NULL) | 1;

    rk_conf_t *conf = rk_conf_new();
    if (rk_conf_add_interceptor(conf, "tracing", on_send, on_acknowledgement, &tracer, why, sizeof why) != RK_CONF_OK ||
        rk_conf_set(conf, *bootstrap ? "bootstrap.servers" : "test.mock.num.brokers", *bootstrap ? bootstrap : "1", why,
                    sizeof why) != RK_CONF_OK) {
        fprintf(stderr, "%s\n", why);
        rk_conf_destroy(conf);
        return 1;
    }
    rk_producer_t *rk = rk_producer_new(conf, why, sizeof why);
    if (!rk) {
        fprintf(stderr, "%s\n", why);
        rk_conf_destroy(conf);
        return 1;
    }
    for (long i = 0; i < count;) {
        char text[32];
        int n = snprintf(text, sizeof text, "message %ld", i);
        rk_resp_err_t err =
            rk_producer_produce(rk, topic, RK_PARTITION_UA, RK_MSG_F_COPY, text, (size_t)n, NULL, 0, 0, NULL);
        if (!err) {
            i++;
        } else if (err != RK_RESP_ERR__QUEUE_FULL) {
            fprintf(stderr, "%s\n", rk_err2str(err));
            break;
        }
        rk_producer_poll(rk, err ? 10 : 0);
    }
    rk_producer_flush(rk, 30000);
    rk_producer_destroy(rk);
    printf("%ld spans begun, %ld ended, %ld of them failed\n", tracer.started, tracer.ended, tracer.failed);
    return tracer.ended == tracer.started && tracer.ended >= count && tracer.failed == 0 ? 0 : 1;
}
