/* A partitioner of the application's own. */
#include "test.h"

static int calls, wrong;

static int32_t choose(const rk_partitioner_args_t *args, void *opaque) {
    CHECK(opaque == &calls);
    CHECK_STR(args->topic, "chosen");
    CHECK_INT(args->partition_cnt, 4);
    CHECK_INT(rk_partitioner_available(args, 0), 1);
    CHECK_INT(rk_partitioner_available(args, 4), 0);
    CHECK_INT(rk_partitioner_available(args, -1), 0);
    calls++;
    if (args->key_len == 0)
        return 99;
    return ((const char *)args->key)[0] - '0';
}

static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    (void)rk;
    (void)opaque;
    if (m->key_len == 0) {
        CHECK_ERR(m->err, RK_RESP_ERR__UNKNOWN_PARTITION);
        wrong++;
    } else {
        CHECK_OK(m->err);
        CHECK_INT(m->partition, ((const char *)m->key)[0] - '0');
    }
}

int main(void) {
    rk_conf_t *conf = test_conf(1);
    rk_conf_set_opaque(conf, &calls);
    rk_conf_set_partitioner_cb(conf, choose);
    rk_conf_set_dr_msg_cb(conf, on_report);
    rk_producer_t *rk = test_producer(conf);
    rk_mock_cluster_t *mock = rk_producer_mock(rk);
    CHECK_OK(rk_mock_topic_create(mock, "chosen", 4, 1));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 40; i++) {
            char key = (char)('0' + i % 4);
            CHECK_OK(rk_producer_produce(rk, "chosen", RK_PARTITION_UA, 0, "x", 1, &key, 1, 0, NULL));
        }
        /* Not a partition: refused if the topic is known, else reported. */
        rk_resp_err_t err = test_produce(rk, "chosen", RK_PARTITION_UA, "x", NULL);
        if (err) {
            CHECK_ERR(err, RK_RESP_ERR__UNKNOWN_PARTITION);
            wrong++;
        }
        CHECK_OK(rk_producer_flush(rk, 20000));
    }
    CHECK_INT(wrong, 2);
    CHECK(calls >= 82);
    for (int32_t p = 0; p < 4; p++)
        CHECK_INT(rk_mock_partition_end_offset(mock, "chosen", p), 20);
    /* A partition that is asked for is not chosen. */
    int before = calls;
    CHECK_OK(rk_producer_produce(rk, "chosen", 2, 0, "x", 1, "2", 1, 0, NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(calls, before);
    rk_producer_destroy(rk);
    return 0;
}
