/*
 * Produces messages and prints the first delivery reports and a rate.
 *
 * By default to a broker embedded in this process. Environment: BOOTSTRAP=host:port for a real one, COUNT, SIZE (bytes),
 * TOPIC, CODEC (none, gzip, snappy, lz4, zstd).
 */
#include <rkafka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    long delivered, failed;
} totals_t;

/* Called within rk_producer_poll and rk_producer_flush, on this thread. */
static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    totals_t *totals = opaque;
    (void)rk;
    if (m->err) {
        if (totals->failed++ < 5)
            fprintf(stderr, "message %ld failed: %s\n", (long)(intptr_t)m->opaque, rk_err2str(m->err));
    } else if (totals->delivered++ < 5) {
        printf("message %ld: %s [%d] at offset %lld after %lld us\n", (long)(intptr_t)m->opaque, m->topic,
               (int)m->partition, (long long)m->offset, (long long)m->latency_us);
    }
}

static const char *setting(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

static void set(rk_conf_t *conf, const char *name, const char *value) {
    char why[256];
    if (rk_conf_set(conf, name, value, why, sizeof why) != RK_CONF_OK) {
        fprintf(stderr, "%s\n", why);
        exit(1);
    }
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void) {
    const char *bootstrap = setting("BOOTSTRAP", ""), *topic_name = setting("TOPIC", "demo");
    long count = atol(setting("COUNT", "1000000"));
    size_t size = (size_t)atol(setting("SIZE", "100"));
    totals_t totals = {0, 0};
    char why[512];

    rk_conf_t *conf = rk_conf_new();
    if (*bootstrap)
        set(conf, "bootstrap.servers", bootstrap);
    else
        set(conf, "test.mock.num.brokers", "1");
    set(conf, "compression.type", setting("CODEC", "none"));
    set(conf, "linger.ms", "5");
    rk_conf_set_opaque(conf, &totals);
    rk_conf_set_dr_msg_cb(conf, on_report);

    rk_producer_t *rk = rk_producer_new(conf, why, sizeof why); /* owns conf now */
    if (!rk) {
        fprintf(stderr, "%s\n", why);
        rk_conf_destroy(conf);
        return 1;
    }
    rk_topic_t *topic = rk_producer_topic(rk, topic_name);
    char *payload = malloc(size ? size : 1);
    if (!topic || !payload) {
        fprintf(stderr, "not a topic name: %s\n", topic_name);
        return 1;
    }
    memset(payload, 'x', size);

    printf("rkafka %s: %ld messages of %zu bytes to %s at %s\n", rk_version_str(), count, size, topic_name,
           *bootstrap ? bootstrap : "the embedded broker");
    double start = now();
    for (long i = 0; i < count; i++) {
        rk_resp_err_t err;
        while ((err = rk_topic_produce(topic, RK_PARTITION_UA, RK_MSG_F_COPY, payload, size, NULL, 0, 0,
                                       (void *)(intptr_t)i)) == RK_RESP_ERR__QUEUE_FULL)
            rk_producer_poll(rk, 10); /* makes room */
        if (err) {
            fprintf(stderr, "message %ld was refused: %s\n", i, rk_err2str(err));
            totals.failed++;
        }
        if (i % 128 == 0)
            rk_producer_poll(rk, 0);
    }
    rk_resp_err_t err = rk_producer_flush(rk, 60 * 1000);
    double seconds = now() - start;
    if (err)
        fprintf(stderr, "flush: %s, %d messages remain\n", rk_err2str(err), rk_producer_len(rk));

    rk_topic_destroy(topic);
    rk_producer_destroy(rk); /* what remained gets its reports here */
    free(payload);
    printf("%ld delivered, %ld failed in %.2f s: %.0f messages/s, %.1f MB/s\n", totals.delivered, totals.failed,
           seconds, (double)totals.delivered / seconds, (double)totals.delivered * (double)size / seconds / 1e6);
    return totals.delivered == count ? 0 : 1;
}
