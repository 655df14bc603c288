/* Metadata: brokers, topics, partitions, replicas. */
#include "test.h"

int main(void) {
    rk_producer_t *rk = test_producer(test_conf(3));
    rk_mock_cluster_t *mock = rk_producer_mock(rk);
    CHECK_OK(rk_mock_topic_create(mock, "six", 6, 3));
    CHECK_OK(rk_mock_topic_create(mock, "one", 1, 1));
    CHECK_OK(rk_mock_partition_set_leader(mock, "six", 4, 2));

    const rk_metadata_t *md = NULL;
    CHECK_OK(rk_producer_metadata(rk, 1, NULL, &md, 10000));
    CHECK(md->cluster_id != NULL && strlen(md->cluster_id) > 0);
    CHECK_INT(md->controller_id, 1);
    CHECK_INT(md->broker_cnt, 3);
    CHECK(md->orig_broker_name != NULL);
    for (size_t i = 0; i < md->broker_cnt; i++) {
        CHECK(md->brokers[i].id >= 1 && md->brokers[i].id <= 3);
        CHECK_STR(md->brokers[i].host, "127.0.0.1");
        CHECK(md->brokers[i].port > 0);
    }
    CHECK_INT(md->topic_cnt, 2);
    const rk_metadata_topic_t *six = &md->topics[strcmp(md->topics[0].name, "six") ? 1 : 0];
    CHECK_STR(six->name, "six");
    CHECK_OK(six->err);
    CHECK_INT(six->partition_cnt, 6);
    for (size_t i = 0; i < 6; i++) {
        const rk_metadata_partition_t *p = &six->partitions[i];
        CHECK_OK(p->err);
        CHECK_INT(p->replica_cnt, 3);
        CHECK(p->isr_cnt >= 1 && p->isr_cnt <= 3);
        if (p->id == 4)
            CHECK_INT(p->leader, 2);
    }
    rk_metadata_destroy(md);

    rk_topic_t *topic = rk_producer_topic(rk, "one");
    CHECK_OK(rk_producer_metadata(rk, 0, topic, &md, 10000));
    CHECK_INT(md->topic_cnt, 1);
    CHECK_STR(md->topics[0].name, "one");
    CHECK_INT(md->topics[0].partition_cnt, 1);
    rk_metadata_destroy(md);
    rk_topic_destroy(topic);
    rk_producer_destroy(rk);

    rk = test_producer(test_conf(0));
    double start = test_now();
    rk_resp_err_t err = rk_producer_metadata(rk, 1, NULL, &md, 300);
    CHECK(err == RK_RESP_ERR__TIMED_OUT || err == RK_RESP_ERR__TRANSPORT);
    CHECK(md == NULL);
    CHECK(test_now() - start < 5);
    rk_producer_destroy(rk);
    return 0;
}
