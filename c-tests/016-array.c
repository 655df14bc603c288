/* The array forms: each message for itself. */
#include "test.h"

static rk_message_t message(const char *topic, int32_t partition, const char *text) {
    rk_message_t m;
    memset(&m, 0, sizeof m);
    m.topic = topic;
    m.partition = partition;
    m.payload = text;
    m.len = text ? strlen(text) : 3;
    return m;
}

int main(void) {
    test_reports_t reports;
    rk_conf_t *conf = test_conf(1);
    test_count_reports(conf, &reports);
    rk_producer_t *rk = test_producer(conf);
    rk_mock_cluster_t *mock = rk_producer_mock(rk);
    rk_topic_t *topic = rk_producer_topic(rk, "one");

    rk_message_t list[4];
    list[0] = message(NULL, 0, "a");
    list[1] = message(NULL, 1, NULL); /* NULL with a length */
    list[2] = message(NULL, 2, "c");
    list[3] = message(NULL, 2, "d");
    CHECK_INT(rk_topic_produce_batch(topic, 3, 0, list, 4), 3);
    CHECK_OK(list[0].err);
    CHECK_ERR(list[1].err, RK_RESP_ERR__INVALID_ARG);
    CHECK_OK(list[3].err);
    CHECK_INT(rk_topic_produce_batch(topic, 3, RK_MSG_F_PARTITION, list, 4), 3);
    CHECK_INT(rk_producer_produce_batch(rk, "one", 3, RK_MSG_F_COPY, list, 1), 1);
    CHECK_INT(rk_producer_produce_batch(rk, "one", 3, 0, list, 0), 0);

    list[0] = message("two", 0, "a");
    list[1] = message("three", 0, "b");
    list[2] = message(NULL, 0, "c");
    list[3] = message("not legal", 0, "d");
    CHECK_INT(rk_producer_produce_batch(rk, NULL, 0, RK_MSG_F_PARTITION, list, 4), 2);
    CHECK_ERR(list[2].err, RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(list[3].err, RK_RESP_ERR__INVALID_ARG);

    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports.count, 9);
    CHECK_INT(reports.failed, 0);
    CHECK_INT(rk_mock_partition_end_offset(mock, "one", 3), 4);
    CHECK_INT(rk_mock_partition_end_offset(mock, "one", 0), 1);
    CHECK_INT(rk_mock_partition_end_offset(mock, "one", 2), 2);
    CHECK_INT(rk_mock_partition_end_offset(mock, "two", 0), 1);
    CHECK_INT(rk_mock_partition_end_offset(mock, "three", 0), 1);
    rk_topic_destroy(topic);
    rk_producer_destroy(rk);
    return 0;
}
