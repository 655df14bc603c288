/* Reports by the array, in order; poll counts each report as an event. */
#include "test.h"

enum { COUNT = 5000 };

static int next_opaque, calls;

static void on_reports(rk_producer_t *rk, const rk_message_t *m, size_t count, void *opaque) {
    (void)rk;
    CHECK_STR((const char *)opaque, "mine");
    CHECK(count > 0);
    calls++;
    for (size_t i = 0; i < count; i++) {
        CHECK_OK(m[i].err);
        CHECK_INT(m[i].partition, 1);
        CHECK_INT((intptr_t)m[i].opaque, next_opaque);
        CHECK_INT(m[i].offset, next_opaque);
        CHECK(m[i].len == sizeof(int) && memcmp(m[i].payload, &next_opaque, sizeof(int)) == 0);
        next_opaque++;
    }
}

/* Set too, and never called: the other one goes before it. */
static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    (void)rk;
    (void)m;
    (void)opaque;
    CHECK(!"called");
}

int main(void) {
    rk_conf_t *conf = test_conf(1);
    rk_conf_set_opaque(conf, (void *)"mine");
    rk_conf_set_dr_batch_cb(conf, on_reports);
    rk_conf_set_dr_msg_cb(conf, on_report);
    rk_producer_t *rk = test_producer(conf);
    rk_topic_t *topic = rk_producer_topic(rk, "batches");
    for (int i = 0; i < COUNT; i++)
        CHECK_OK(rk_topic_produce(topic, 1, RK_MSG_F_COPY, &i, sizeof i, NULL, 0, 0, (void *)(intptr_t)i));
    int served = 0;
    double end = test_now() + 20;
    while (served < COUNT && test_now() < end) {
        int n = rk_producer_poll(rk, 100);
        CHECK(n >= 0);
        served += n;
    }
    CHECK_INT(served, COUNT);
    CHECK_INT(next_opaque, COUNT);
    CHECK(calls < COUNT / 10);
    CHECK_INT(rk_producer_poll(rk, 0), 0);
    rk_topic_destroy(topic);
    rk_producer_destroy(rk);
    return 0;
}
