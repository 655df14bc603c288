/* Within a callback: produce, len and purge work; poll, flush and destroy are refused; another producer may be polled. */
#include "test.h"

static rk_producer_t *other;
static int reports, produced, logged, over;

static void on_log(rk_producer_t *rk, int level, const char *facility, const char *text, void *opaque) {
    (void)rk;
    (void)opaque;
    if (strcmp(facility, "DESTROY") == 0 && strstr(text, "refused")) {
        CHECK_INT(level, 3);
        logged++;
    }
}

static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    (void)m;
    CHECK(opaque == &reports);
    reports++;
    CHECK(rk_producer_len(rk) >= 1);
    CHECK_INT(rk_producer_poll(rk, 1000), RK_RESP_ERR__STATE);
    CHECK(rk_producer_poll_event(rk, 1000) == NULL);
    CHECK_ERR(rk_producer_flush(rk, 1000), RK_RESP_ERR__STATE);
    rk_producer_destroy(rk);
    CHECK(rk_producer_name(rk) != NULL);
    if (produced < 5) {
        produced++;
        CHECK_OK(test_produce(rk, "callbacks", 0, "from a callback", NULL));
    }
    CHECK_OK(rk_producer_purge(rk, RK_PURGE_F_INFLIGHT | RK_PURGE_F_NON_BLOCKING));
    CHECK(rk_producer_poll(other, 0) >= 0);
    CHECK_OK(rk_producer_flush(other, 0));
}

static void on_destroy(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    (void)opaque;
    reports++;
    CHECK(m->err != RK_RESP_ERR_NO_ERROR);
    CHECK(rk_producer_name(rk) != NULL);
    CHECK_INT(rk_producer_poll(rk, 1000), RK_RESP_ERR__STATE);
    CHECK(test_produce(rk, "callbacks", 0, "too late", NULL) != RK_RESP_ERR_NO_ERROR);
}

/* A callback cannot wait for the room that only its own thread can make. */
static void on_report_full(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    (void)opaque;
    if (m->err || over) /* given up by destroy, or delivered just before it */
        return;
    reports++;
    rk_resp_err_t err;
    do
        err = rk_producer_produce(rk, "callbacks", 0, RK_MSG_F_BLOCK, "x", 1, NULL, 0, 0, NULL);
    while (!err && rk_producer_len(rk) < 1000);
    CHECK_ERR(err, RK_RESP_ERR__QUEUE_FULL);
}

int main(void) {
    other = test_producer(test_conf(0));
    rk_conf_t *conf = test_conf(1);
    rk_conf_set_opaque(conf, &reports);
    rk_conf_set_dr_msg_cb(conf, on_report);
    rk_conf_set_log_cb(conf, on_log);
    rk_producer_t *rk = test_producer(conf);
    CHECK_OK(test_produce(rk, "callbacks", 0, "first", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports, 6);
    CHECK_INT(logged, 6);
    rk_producer_destroy(rk);

    reports = 0;
    conf = test_conf(0);
    rk_conf_set_dr_msg_cb(conf, on_destroy);
    rk = test_producer(conf);
    for (int i = 0; i < 3; i++)
        CHECK_OK(test_produce(rk, "callbacks", 0, "x", NULL));
    rk_producer_destroy(rk);
    CHECK_INT(reports, 3);

    reports = 0;
    conf = test_conf(1);
    test_set(conf, "queue.buffering.max.messages", "10");
    rk_conf_set_dr_msg_cb(conf, on_report_full);
    rk = test_producer(conf);
    CHECK_OK(test_produce(rk, "callbacks", 0, "x", NULL));
    CHECK(rk_producer_poll(rk, 10000) > 0);
    CHECK(reports >= 1);
    over = 1;
    CHECK_OK(rk_producer_purge(rk, RK_PURGE_F_QUEUE | RK_PURGE_F_INFLIGHT));
    rk_producer_destroy(rk);
    rk_producer_destroy(other);
    return 0;
}
