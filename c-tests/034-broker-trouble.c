/* Brokers that go down, cut connections, move leaders, answer with errors: each message is delivered, once. */
#include "test.h"

int main(void) {
    test_reports_t reports;
    char why[256] = "";
    rk_mock_cluster_t *mock = rk_mock_cluster_new(3, why, sizeof why);
    CHECK(mock != NULL);
    CHECK_OK(rk_mock_topic_create(mock, "moving", 2, 3));
    rk_conf_t *conf = rk_conf_new();
    test_set(conf, "bootstrap.servers", rk_mock_cluster_bootstraps(mock));
    test_set(conf, "linger.ms", "0");
    test_set(conf, "log_level", "0");
    test_set(conf, "retry.backoff.ms", "20");
    test_set(conf, "reconnect.backoff.ms", "20");
    test_count_reports(conf, &reports);
    rk_producer_t *rk = test_producer(conf);
    CHECK(rk_producer_mock(rk) == NULL);

    const rk_resp_err_t twice[] = {RK_RESP_ERR_NOT_ENOUGH_REPLICAS, RK_RESP_ERR_REQUEST_TIMED_OUT};
    CHECK_OK(test_produce(rk, "moving", 0, "1", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_OK(rk_mock_partition_set_leader(mock, "moving", 0, 2));
    CHECK_OK(test_produce(rk, "moving", 0, "2", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_OK(rk_mock_push_request_errors(mock, 0, twice, 2));
    CHECK_OK(test_produce(rk, "moving", 0, "3", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_OK(rk_mock_broker_drop_connections(mock, -1));
    CHECK_OK(test_produce(rk, "moving", 0, "4", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_OK(rk_mock_broker_set_down(mock, 2));
    CHECK_OK(test_produce(rk, "moving", 0, "5", NULL));
    CHECK_ERR(rk_producer_flush(rk, 200), RK_RESP_ERR__TIMED_OUT);
    CHECK_OK(rk_mock_broker_set_up(mock, 2));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports.count, 5);
    CHECK_INT(reports.failed, 0);
    CHECK_INT(rk_mock_partition_end_offset(mock, "moving", 0), 5);
    CHECK(rk_mock_request_cnt(mock, 0) >= 7);
    CHECK_ERR(rk_mock_broker_set_down(mock, 9), RK_RESP_ERR__UNKNOWN_BROKER);
    rk_producer_destroy(rk);
    rk_mock_cluster_destroy(mock);
    return 0;
}
