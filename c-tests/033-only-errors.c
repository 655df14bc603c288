/* delivery.report.only.error, no callback at all, and errors that a broker sends. */
#include "test.h"

static void on_reports(rk_producer_t *rk, const rk_message_t *m, size_t count, void *opaque) {
    for (size_t i = 0; i < count; i++)
        test_on_report(rk, &m[i], opaque);
}

static void only_errors(int by_batch) {
    test_reports_t reports;
    rk_conf_t *conf = test_conf(1);
    test_set(conf, "delivery.report.only.error", "true");
    test_count_reports(conf, &reports);
    if (by_batch)
        rk_conf_set_dr_batch_cb(conf, on_reports);
    rk_producer_t *rk = test_producer(conf);
    for (int i = 0; i < 10; i++)
        CHECK_OK(test_produce(rk, "quiet", 0, "x", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports.count, 0);
    const rk_resp_err_t refused[] = {RK_RESP_ERR_TOPIC_AUTHORIZATION_FAILED};
    CHECK_OK(rk_mock_push_request_errors(rk_producer_mock(rk), 0, refused, 1));
    CHECK_OK(test_produce(rk, "quiet", 0, "x", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports.count, 1);
    CHECK_ERR(reports.last_err, RK_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    rk_producer_destroy(rk);
}

int main(void) {
    only_errors(0);
    only_errors(1);

    /* Nobody wants reports: nobody needs to poll. */
    rk_conf_t *conf = test_conf(1);
    test_set(conf, "queue.buffering.max.messages", "100");
    rk_producer_t *rk = test_producer(conf);
    int accepted = 0;
    double end = test_now() + 20;
    while (accepted < 1000 && test_now() < end) {
        if (test_produce(rk, "silent", RK_PARTITION_UA, "x", NULL) == RK_RESP_ERR_NO_ERROR)
            accepted++;
        else
            test_sleep_ms(1);
    }
    CHECK_INT(accepted, 1000);
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(rk_producer_poll(rk, 0), 0);
    int64_t in_log = 0;
    for (int32_t p = 0; p < 4; p++)
        in_log += rk_mock_partition_end_offset(rk_producer_mock(rk), "silent", p);
    CHECK_INT(in_log, 1000);
    rk_producer_destroy(rk);
    return 0;
}
