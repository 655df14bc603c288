/* Times: now by default, or as given, in the report and in the log. */
#include "test.h"

static const int64_t given[] = {1, 1500000000123LL, 253402300799999LL};
static int reports, in_log;
static int64_t before;

static void check_time(const rk_message_t *m) {
    int i = ((const char *)m->payload)[0] - '0';
    if (i < 3) {
        CHECK_INT(m->timestamp_ms, given[i]);
    } else {
        CHECK(m->timestamp_ms >= before - 2000 && m->timestamp_ms <= (int64_t)time(NULL) * 1000 + 2000);
    }
}

static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    (void)rk;
    (void)opaque;
    reports++;
    CHECK_OK(m->err);
    check_time(m);
}

static void in_partition(const rk_message_t *m, void *opaque) {
    (void)opaque;
    in_log++;
    check_time(m);
}

int main(void) {
    rk_conf_t *conf = test_conf(1);
    rk_conf_set_dr_msg_cb(conf, on_report);
    rk_producer_t *rk = test_producer(conf);
    before = (int64_t)time(NULL) * 1000;
    for (int i = 0; i < 4; i++) {
        char text = (char)('0' + i);
        CHECK_OK(rk_producer_produce(rk, "times", 0, 0, &text, 1, NULL, 0, i < 3 ? given[i] : 0, NULL));
    }
    CHECK_ERR(rk_producer_produce(rk, "times", 0, 0, "x", 1, NULL, 0, -1, NULL), RK_RESP_ERR__INVALID_ARG);
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports, 4);
    CHECK_OK(rk_mock_partition_foreach(rk_producer_mock(rk), "times", 0, in_partition, NULL));
    CHECK_INT(in_log, 4);
    rk_producer_destroy(rk);
    return 0;
}
