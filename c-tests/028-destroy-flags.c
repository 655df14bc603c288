/* Destroying without reports: no callback is called any more, and nothing is left over. */
#include "test.h"

static int reports;

static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    (void)opaque;
    (void)m;
    if (reports++ == 0)
        CHECK_ERR(rk_producer_destroy_flags(rk, RK_DESTROY_F_NO_REPORTS), RK_RESP_ERR__STATE);
}

int main(void) {
    CHECK_ERR(rk_producer_destroy_flags(NULL, 0), RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(rk_producer_destroy_flags(NULL, RK_DESTROY_F_NO_REPORTS), RK_RESP_ERR__INVALID_ARG);
    for (int brokers = 0; brokers < 2; brokers++) {
        for (int flags = 0; flags < 2; flags++) {
            reports = 0;
            rk_conf_t *conf = test_conf(brokers);
            test_set(conf, "linger.ms", "10000"); /* what is queued stays there */
            rk_conf_set_dr_msg_cb(conf, on_report);
            rk_producer_t *rk = test_producer(conf);
            rk_topic_t *topic = rk_producer_topic(rk, "queued");
            /* Reports that wait to be served. */
            for (int i = 0; i < 50; i++)
                CHECK_OK(rk_topic_produce(topic, RK_PARTITION_UA, 0, "x", 1, NULL, 0, 0, NULL));
            CHECK_OK(rk_producer_purge(rk, RK_PURGE_F_QUEUE));
            /* Queued, and with a broker, in flight. */
            if (brokers > 0) {
                CHECK_OK(rk_mock_broker_set_frozen(rk_producer_mock(rk), 1, 1));
                CHECK_OK(rk_topic_produce(topic, 0, 0, "x", 1, NULL, 0, 0, NULL));
                CHECK_ERR(rk_producer_destroy_flags(rk, 0x40), RK_RESP_ERR__INVALID_ARG);
                test_sleep_ms(20);
            }
            for (int i = 0; i < 1000; i++)
                CHECK_OK(rk_topic_produce(topic, RK_PARTITION_UA, 0, "x", 1, NULL, 0, 0, NULL));
            double start = test_now();
            CHECK_OK(rk_producer_destroy_flags(rk, flags ? RK_DESTROY_F_NO_REPORTS : 0));
            CHECK(test_now() - start < 5);
            CHECK_INT(reports, flags ? 0 : 1050 + brokers);
            CHECK_ERR(rk_topic_produce(topic, 0, 0, "x", 1, NULL, 0, 0, NULL), RK_RESP_ERR__STATE);
            rk_topic_destroy(topic);
        }
    }
    return 0;
}
