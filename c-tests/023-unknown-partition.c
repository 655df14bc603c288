/* A partition that the topic does not have: refused where that is known, reported where it comes out later. */
#include "test.h"

int main(void) {
    test_reports_t reports;
    rk_conf_t *conf = test_conf(1);
    test_count_reports(conf, &reports);
    rk_producer_t *rk = test_producer(conf);
    CHECK_OK(rk_mock_topic_create(rk_producer_mock(rk), "small", 2, 1));
    CHECK_OK(test_produce(rk, "small", 7, "x", NULL)); /* not known yet */
    CHECK_OK(test_produce(rk, "small", 1, "x", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports.count, 2);
    CHECK_INT(reports.failed, 1);
    CHECK_ERR(test_produce(rk, "small", 2, "x", NULL), RK_RESP_ERR__UNKNOWN_PARTITION);
    CHECK_ERR(test_produce(rk, "small", 0x7fffffff, "x", NULL), RK_RESP_ERR__UNKNOWN_PARTITION);
    CHECK_OK(test_produce(rk, "small", 0, "x", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports.count, 3);
    CHECK_INT(reports.failed, 1);
    rk_producer_destroy(rk);
    return 0;
}
