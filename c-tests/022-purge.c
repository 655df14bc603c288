/* Purging: what waits, what is in flight; each message still gets its one report. */
#include "test.h"

int main(void) {
    test_reports_t reports;
    rk_conf_t *conf = test_conf(0);
    test_count_reports(conf, &reports);
    rk_producer_t *rk = test_producer(conf);
    for (int i = 0; i < 50; i++)
        CHECK_OK(test_produce(rk, "purged", i % 2 ? 3 : RK_PARTITION_UA, "x", NULL));
    CHECK_ERR(rk_producer_purge(rk, 0), RK_RESP_ERR_NO_ERROR);
    CHECK_ERR(rk_producer_purge(rk, 0x40), RK_RESP_ERR__INVALID_ARG);
    CHECK_OK(rk_producer_purge(rk, RK_PURGE_F_NON_BLOCKING));
    CHECK_INT(rk_producer_poll(rk, 0), 0);
    CHECK_OK(rk_producer_purge(rk, RK_PURGE_F_QUEUE));
    CHECK_INT(reports.count, 0); /* only by poll */
    while (reports.count < 50)
        CHECK(rk_producer_poll(rk, 5000) > 0);
    CHECK_INT(reports.count, 50);
    CHECK_INT(reports.failed, 50);
    CHECK_ERR(reports.last_err, RK_RESP_ERR__PURGE_QUEUE);
    CHECK_INT(rk_producer_len(rk), 0);
    rk_producer_destroy(rk);

    /* In flight: the broker holds its answer back. */
    conf = test_conf(1);
    test_count_reports(conf, &reports);
    rk = test_producer(conf);
    rk_mock_cluster_t *mock = rk_producer_mock(rk);
    CHECK_OK(test_produce(rk, "purged", 0, "first", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_OK(rk_mock_broker_hold_responses(mock, 1, 1));
    CHECK_OK(test_produce(rk, "purged", 0, "second", NULL));
    for (int i = 0; i < 200 && rk_mock_partition_end_offset(mock, "purged", 0) < 2; i++)
        test_sleep_ms(50);
    CHECK_OK(rk_producer_purge(rk, RK_PURGE_F_QUEUE)); /* nothing there */
    CHECK_INT(rk_producer_poll(rk, 100), 0);
    CHECK_OK(rk_producer_purge(rk, RK_PURGE_F_INFLIGHT));
    CHECK(rk_producer_poll(rk, 10000) > 0);
    CHECK_INT(reports.count, 2);
    CHECK_ERR(reports.last_err, RK_RESP_ERR__PURGE_INFLIGHT);
    CHECK_OK(rk_mock_broker_hold_responses(mock, 1, 0));
    /* And it goes on. */
    CHECK_OK(test_produce(rk, "purged", 0, "third", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports.count, 3);
    CHECK_OK(reports.last_err);
    rk_producer_destroy(rk);
    return 0;
}
