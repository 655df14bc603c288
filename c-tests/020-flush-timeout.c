/* No broker: flush and poll keep to their time, and the messages get their reports at the end. */
#include "test.h"

int main(void) {
    test_reports_t reports;
    rk_conf_t *conf = test_conf(0);
    test_count_reports(conf, &reports);
    rk_producer_t *rk = test_producer(conf);
    CHECK_OK(rk_producer_flush(rk, 0)); /* nothing to wait for */
    CHECK_OK(rk_producer_flush(rk, -1));
    for (int i = 0; i < 10; i++)
        CHECK_OK(test_produce(rk, "nowhere", RK_PARTITION_UA, "x", NULL));
    double start = test_now();
    CHECK_ERR(rk_producer_flush(rk, 400), RK_RESP_ERR__TIMED_OUT);
    double took = test_now() - start;
    CHECK(took >= 0.39 && took < 5);
    CHECK_ERR(rk_producer_flush(rk, 0), RK_RESP_ERR__TIMED_OUT);
    start = test_now();
    CHECK_INT(rk_producer_poll(rk, 200), 0);
    took = test_now() - start;
    CHECK(took >= 0.19 && took < 5);
    CHECK_INT(rk_producer_len(rk), 10);
    CHECK_INT(reports.count, 0);
    start = test_now();
    rk_producer_destroy(rk);
    CHECK(test_now() - start < 5);
    CHECK_INT(reports.count, 10);
    CHECK_INT(reports.failed, 10);

    /* message.timeout.ms ends the waiting earlier. */
    conf = test_conf(0);
    test_set(conf, "message.timeout.ms", "300");
    test_count_reports(conf, &reports);
    rk = test_producer(conf);
    CHECK_OK(test_produce(rk, "nowhere", RK_PARTITION_UA, "x", NULL));
    CHECK_OK(test_produce(rk, "nowhere", 3, "x", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports.count, 2);
    CHECK_ERR(reports.last_err, RK_RESP_ERR__MSG_TIMED_OUT);
    rk_producer_destroy(rk);
    return 0;
}
