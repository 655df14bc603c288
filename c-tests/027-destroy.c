/* Destroying with messages queued: each gets its report, on this thread, before the call returns. */
#include "test.h"

#include <pthread.h>

enum { COUNT = 1000 };

static int seen[COUNT];
static pthread_t me;

static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    (void)rk;
    (void)opaque;
    CHECK(pthread_equal(pthread_self(), me));
    CHECK(m->err == RK_RESP_ERR__DESTROY || m->err == RK_RESP_ERR__PURGE_QUEUE || m->err == RK_RESP_ERR__PURGE_INFLIGHT);
    CHECK_INT(m->offset, RK_OFFSET_INVALID);
    CHECK(m->status != RK_MSG_STATUS_PERSISTED);
    seen[(intptr_t)m->opaque]++;
}

int main(void) {
    me = pthread_self();
    for (int brokers = 0; brokers < 2; brokers++) {
        memset(seen, 0, sizeof seen);
        rk_conf_t *conf = test_conf(brokers);
        test_set(conf, "linger.ms", "10000"); /* nothing is sent before */
        rk_conf_set_dr_msg_cb(conf, on_report);
        rk_producer_t *rk = test_producer(conf);
        rk_topic_t *topic = rk_producer_topic(rk, "queued");
        for (int i = 0; i < COUNT; i++)
            CHECK_OK(rk_topic_produce(topic, RK_PARTITION_UA, 0, "x", 1, NULL, 0, 0, (void *)(intptr_t)i));
        double start = test_now();
        rk_producer_destroy(rk);
        CHECK(test_now() - start < 5);
        for (int i = 0; i < COUNT; i++)
            CHECK_INT(seen[i], 1);
        /* The topic handle is still ours, and refuses. */
        CHECK_ERR(rk_topic_produce(topic, 0, 0, "x", 1, NULL, 0, 0, NULL), RK_RESP_ERR__STATE);
        CHECK_STR(rk_topic_name(topic), "queued");
        rk_topic_destroy(topic);
    }
    /* Many producers, one after another and at once: nothing is left over. */
    for (int i = 0; i < 20; i++)
        rk_producer_destroy(test_producer(test_conf(i % 2)));
    rk_producer_t *many[10];
    for (int i = 0; i < 10; i++)
        many[i] = test_producer(test_conf(i % 2));
    for (int i = 0; i < 10; i++)
        rk_producer_destroy(many[i]);
    return 0;
}
