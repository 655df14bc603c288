/* Messages over message.max.bytes are refused; the largest that fit are delivered. */
#include "test.h"

int main(void) {
    test_reports_t reports;
    rk_conf_t *conf = test_conf(1);
    test_set(conf, "message.max.bytes", "100000");
    test_count_reports(conf, &reports);
    rk_producer_t *rk = test_producer(conf);
    char *big = calloc(1, 2000000);
    CHECK(big != NULL);
    const rk_resp_err_t too_large = RK_RESP_ERR_MSG_SIZE_TOO_LARGE;
    CHECK_ERR(rk_producer_produce(rk, "big", 0, 0, big, 100001, NULL, 0, 0, NULL), too_large);
    CHECK_ERR(rk_producer_produce(rk, "big", 0, 0, NULL, 0, big, 2000000, 0, NULL), too_large);
    CHECK_ERR(rk_producer_produce(rk, "big", 0, 0, big, 60000, big, 60000, 0, NULL), too_large);
    CHECK_ERR(rk_producer_produce(rk, "big", 0, 0, big, (size_t)-1, NULL, 0, 0, NULL), too_large);
    CHECK_ERR(rk_producer_produce(rk, "big", 0, 0, big, 1, big, (size_t)1 << 40, 0, NULL), too_large);
    rk_headers_t *h = rk_headers_new(1);
    CHECK_OK(rk_headers_add(h, "h", 1, big, 200000));
    CHECK_ERR(rk_producer_produce_headers(rk, "big", 0, 0, "x", 1, NULL, 0, h, 0, NULL), too_large);
    rk_headers_destroy(h);
    CHECK_INT(rk_producer_len(rk), 0);
    CHECK_OK(rk_producer_produce(rk, "big", 0, 0, big, 99000, NULL, 0, 0, NULL));
    CHECK_OK(rk_producer_produce(rk, "big", 0, 0, big, 99000, NULL, 0, 0, NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports.count, 2);
    CHECK_INT(reports.failed, 0);
    rk_producer_destroy(rk);

    /* A broker that accepts less says so in the report. */
    conf = test_conf(1);
    test_set(conf, "message.max.bytes", "3000000");
    test_count_reports(conf, &reports);
    rk = test_producer(conf);
    CHECK_OK(rk_producer_produce(rk, "big", 0, 0, big, 2000000, NULL, 0, 0, NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports.count, 1);
    CHECK_ERR(reports.last_err, too_large);
    rk_producer_destroy(rk);
    free(big);
    return 0;
}
