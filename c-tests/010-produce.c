/* Messages with and without key and value arrive in the log as they were produced, and each is reported once. */
#include "test.h"

enum { COUNT = 1000 };

static int seen[COUNT];
static int64_t next_offset[4];
static int in_log;

static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    int i = (int)(intptr_t)m->opaque;
    char value[32];
    (void)opaque;
    CHECK(rk_producer_name(rk) != NULL);
    CHECK_OK(m->err);
    CHECK(rk_message_errstr(m) == NULL);
    CHECK(i >= 0 && i < COUNT);
    CHECK_INT(seen[i]++, 0);
    CHECK_STR(m->topic, "things");
    CHECK_INT(m->status, RK_MSG_STATUS_PERSISTED);
    CHECK_INT(rk_message_status(m), RK_MSG_STATUS_PERSISTED);
    CHECK(m->partition >= 0 && m->partition < 4);
    CHECK_INT(m->offset, next_offset[m->partition]++);
    CHECK(m->latency_us >= 0 && m->latency_us < 60 * 1000000);
    CHECK(m->timestamp_ms > 1600000000000LL);
    if (i % 7 == 0) {
        CHECK(m->payload == NULL && m->len == 0);
    } else if (i % 7 == 1) {
        CHECK(m->payload != NULL && m->len == 0);
    } else {
        snprintf(value, sizeof value, "value %d", i);
        CHECK(m->len == strlen(value) && memcmp(m->payload, value, m->len) == 0);
    }
    if (i % 3 == 0)
        CHECK(m->key == NULL && m->key_len == 0);
    else
        CHECK(m->key_len == sizeof i && memcmp(m->key, &i, sizeof i) == 0);
}

static void in_partition(const rk_message_t *m, void *opaque) {
    CHECK_INT(m->partition, *(int32_t *)opaque);
    in_log++;
}

int main(void) {
    rk_conf_t *conf = test_conf(1);
    rk_conf_set_dr_msg_cb(conf, on_report);
    rk_producer_t *rk = test_producer(conf);
    rk_topic_t *topic = rk_producer_topic(rk, "things");
    CHECK_STR(rk_topic_name(topic), "things");
    CHECK(rk_producer_topic(rk, "no spaces allowed") == NULL);
    CHECK(rk_producer_topic(rk, "") == NULL);
    CHECK_ERR(test_produce(rk, "no spaces allowed", 0, "x", NULL), RK_RESP_ERR__INVALID_ARG);

    for (int i = 0; i < COUNT; i++) {
        char value[32];
        const void *payload = value, *key = i % 3 ? &i : NULL;
        snprintf(value, sizeof value, "value %d", i);
        size_t len = strlen(value), key_len = key ? sizeof i : 0;
        if (i % 7 == 0)
            payload = NULL, len = 0;
        else if (i % 7 == 1)
            len = 0;
        int32_t partition = i % 5 == 0 ? 2 : RK_PARTITION_UA;
        void *opaque = (void *)(intptr_t)i;
        if (i % 2)
            CHECK_OK(rk_topic_produce(topic, partition, RK_MSG_F_COPY, payload, len, key, key_len, 0, opaque));
        else
            CHECK_OK(rk_producer_produce(rk, "things", partition, 0, payload, len, key, key_len, 0, opaque));
    }
    CHECK(rk_producer_len(rk) > 0);
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(rk_producer_len(rk), 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(seen[i], 1);

    int64_t end = 0;
    for (int32_t p = 0; p < 4; p++) {
        CHECK_OK(rk_mock_partition_foreach(rk_producer_mock(rk), "things", p, in_partition, &p));
        end += rk_mock_partition_end_offset(rk_producer_mock(rk), "things", p);
    }
    CHECK_INT(in_log, COUNT);
    CHECK_INT(end, COUNT);
    CHECK(rk_mock_partition_end_offset(rk_producer_mock(rk), "nothing", 0) < 0);
    rk_topic_destroy(topic);
    rk_producer_destroy(rk);
    return 0;
}
