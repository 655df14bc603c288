/* A topic that does not come into being is waited for, and then reported. */
#include "test.h"

int main(void) {
    test_reports_t reports;
    rk_conf_t *conf = test_conf(1);
    test_set(conf, "allow.auto.create.topics", "false");
    test_set(conf, "topic.metadata.propagation.max.ms", "500");
    test_count_reports(conf, &reports);
    rk_producer_t *rk = test_producer(conf);
    CHECK_OK(test_produce(rk, "nothing", RK_PARTITION_UA, "x", NULL));
    CHECK_OK(test_produce(rk, "nothing", 3, "x", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports.count, 2);
    CHECK_INT(reports.failed, 2);
    CHECK_ERR(reports.last_err, RK_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    /* Once it is there, it is found. */
    CHECK_OK(rk_mock_topic_create(rk_producer_mock(rk), "nothing", 1, 1));
    rk_resp_err_t err = RK_RESP_ERR__FAIL;
    for (int i = 0; i < 100 && err; i++) {
        err = test_produce(rk, "nothing", RK_PARTITION_UA, "x", NULL);
        if (!err) {
            CHECK_OK(rk_producer_flush(rk, 20000));
            err = reports.last_err;
        }
        test_sleep_ms(50);
    }
    CHECK_OK(err);
    rk_producer_destroy(rk);
    return 0;
}
