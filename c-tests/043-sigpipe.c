/* Brokers that close connections while they are written to: SIGPIPE is never raised, in no thread. */
#include "sigpipe.h"

int main(void) {
    signal(SIGPIPE, on_sigpipe);
    test_reports_t reports;
    rk_conf_t *conf = test_conf(1);
    test_set(conf, "linger.ms", "0");
    test_set(conf, "retry.backoff.ms", "1");
    test_set(conf, "retry.backoff.max.ms", "5");
    test_set(conf, "reconnect.backoff.ms", "1");
    test_set(conf, "reconnect.backoff.max.ms", "5");
    test_set(conf, "log_level", "0");
    test_count_reports(conf, &reports);
    rk_producer_t *rk = test_producer(conf);
    rk_mock_cluster_t *mock = rk_producer_mock(rk);
    static char payload[50000];
    int accepted = 0;
    for (int i = 0; i < 300; i++) {
        for (int k = 0; k < 5; k++)
            accepted += rk_producer_produce(rk, "t", RK_PARTITION_UA, 0, payload, sizeof payload, NULL, 0, 0, NULL) ==
                        RK_RESP_ERR_NO_ERROR;
        if (i % 3 == 0)
            CHECK_OK(rk_mock_broker_drop_connections(mock, 1));
        if (i % 50 == 10)
            CHECK_OK(rk_mock_broker_set_down(mock, 1));
        if (i % 50 == 12)
            CHECK_OK(rk_mock_broker_set_up(mock, 1));
        rk_producer_poll(rk, 1);
    }
    CHECK(!pending_somewhere());
    CHECK_OK(rk_mock_broker_set_up(mock, 1));
    CHECK_OK(rk_producer_flush(rk, 30000));
    CHECK_INT(reports.count, accepted);
    CHECK(!pending_somewhere());
    rk_producer_destroy(rk);
    CHECK(!raised);
    return 0;
}
