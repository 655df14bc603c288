/* NULL, for every pointer of every function: an answer, never a crash. */
#include "test.h"

int main(void) {
    char text[16] = "unchanged";
    size_t n = 5;
    const void *p = text;
    const char *s = NULL;
    int level = 0;
    int32_t id = 0;
    rk_headers_t *out = NULL;
    const rk_metadata_t *md = NULL;
    const rk_resp_err_t bad_arg = RK_RESP_ERR__INVALID_ARG;

    CHECK(rk_conf_dup(NULL) == NULL);
    rk_conf_destroy(NULL);
    CHECK_INT(rk_conf_set(NULL, "a", "b", text, sizeof text), RK_CONF_INVALID);
    CHECK(strcmp(text, "unchanged") != 0);
    CHECK_INT(rk_conf_get(NULL, "a", text, &n), RK_CONF_INVALID);
    CHECK(rk_conf_dump(NULL, &n) == NULL && n == 0);
    CHECK(rk_conf_dump(NULL, NULL) == NULL);
    rk_conf_dump_free(NULL, 7);
    rk_conf_set_opaque(NULL, NULL);
    rk_conf_set_dr_msg_cb(NULL, NULL);
    rk_conf_set_dr_batch_cb(NULL, NULL);
    rk_conf_set_error_cb(NULL, NULL);
    rk_conf_set_log_cb(NULL, NULL);
    rk_conf_set_stats_cb(NULL, NULL);
    rk_conf_set_throttle_cb(NULL, NULL);
    rk_conf_set_partitioner_cb(NULL, NULL);
    rk_conf_set_events(NULL, RK_EVENT_DR);
    CHECK_INT(rk_partitioner_available(NULL, 0), 0);

    CHECK(rk_producer_new(NULL, text, sizeof text) == NULL);
    CHECK(rk_producer_new(NULL, NULL, 0) == NULL);
    rk_producer_destroy(NULL);
    CHECK(rk_producer_name(NULL) == NULL);
    CHECK_INT(rk_producer_poll(NULL, 0), bad_arg);
    CHECK(rk_producer_poll_event(NULL, 0) == NULL);
    CHECK_INT(rk_producer_event_fd(NULL), -1);
    CHECK_ERR(rk_producer_flush(NULL, 0), bad_arg);
    CHECK_ERR(rk_producer_purge(NULL, RK_PURGE_F_QUEUE), bad_arg);
    CHECK_INT(rk_producer_len(NULL), 0);
    CHECK_ERR(rk_producer_fatal_error(NULL, text, sizeof text), bad_arg);
    CHECK(rk_producer_topic(NULL, "t") == NULL);
    CHECK(rk_producer_mock(NULL) == NULL);
    CHECK_ERR(rk_producer_metadata(NULL, 1, NULL, &md, 0), bad_arg);
    rk_metadata_destroy(NULL);
    CHECK_ERR(rk_producer_produce(NULL, "t", 0, 0, "x", 1, NULL, 0, 0, NULL), bad_arg);
    CHECK_ERR(rk_producer_produce_headers(NULL, "t", 0, 0, "x", 1, NULL, 0, NULL, 0, NULL), bad_arg);
    CHECK_INT(rk_producer_produce_batch(NULL, "t", 0, 0, NULL, 3), 0);
    CHECK_ERR(rk_topic_produce(NULL, 0, 0, "x", 1, NULL, 0, 0, NULL), bad_arg);
    CHECK_ERR(rk_topic_produce_headers(NULL, 0, 0, "x", 1, NULL, 0, NULL, 0, NULL), bad_arg);
    CHECK_ERR(rk_producer_produce_header_array(NULL, "t", 0, 0, "x", 1, NULL, 0, NULL, 0, 0, NULL), bad_arg);
    CHECK_ERR(rk_topic_produce_header_array(NULL, 0, 0, "x", 1, NULL, 0, NULL, 0, 0, NULL), bad_arg);
    CHECK_INT(rk_topic_produce_batch(NULL, 0, 0, NULL, 3), 0);
    CHECK(rk_topic_name(NULL) == NULL);
    rk_topic_destroy(NULL);

    CHECK(rk_headers_copy(NULL) == NULL);
    rk_headers_destroy(NULL);
    CHECK_ERR(rk_headers_add(NULL, "a", 1, "b", 1), bad_arg);
    CHECK_ERR(rk_headers_add_str(NULL, "a", "b"), bad_arg);
    CHECK_ERR(rk_headers_remove(NULL, "a"), bad_arg);
    CHECK_INT(rk_headers_count(NULL), 0);
    CHECK_ERR(rk_headers_get_last(NULL, "a", &p, &n), bad_arg);
    CHECK_ERR(rk_headers_get(NULL, 0, &s, &n, &p, &n), bad_arg);
    CHECK_ERR(rk_message_headers(NULL, &out), bad_arg);
    CHECK(rk_message_errstr(NULL) == NULL);
    CHECK_INT(rk_message_status(NULL), RK_MSG_STATUS_NOT_PERSISTED);

    CHECK_INT(rk_event_type(NULL), RK_EVENT_NONE);
    CHECK_STR(rk_event_name(NULL), "(NONE)");
    CHECK_INT(rk_event_message_count(NULL), 0);
    CHECK(rk_event_message_next(NULL) == NULL);
    CHECK(rk_event_messages(NULL, &n) == NULL && n == 0);
    n = 1;
    CHECK(rk_event_message_slice(NULL, &n) == NULL && n == 0);
    CHECK_OK(rk_event_error(NULL));
    CHECK_STR(rk_event_error_string(NULL), "");
    CHECK_INT(rk_event_error_is_fatal(NULL), 0);
    CHECK_INT(rk_event_log(NULL, &level, &s, &s), -1);
    CHECK(rk_event_stats(NULL) == NULL);
    CHECK_INT(rk_event_throttle(NULL, &s, &id, &level), -1);
    rk_event_destroy(NULL);

    CHECK(rk_mock_cluster_new(0, text, sizeof text) == NULL);
    CHECK(rk_mock_cluster_new(-1, NULL, 0) == NULL);
    rk_mock_cluster_destroy(NULL);
    CHECK(rk_mock_cluster_bootstraps(NULL) == NULL);
    CHECK_ERR(rk_mock_topic_create(NULL, "t", 1, 1), bad_arg);
    CHECK_ERR(rk_mock_topic_delete(NULL, "t"), bad_arg);
    CHECK_ERR(rk_mock_partition_foreach(NULL, "t", 0, NULL, NULL), bad_arg);
    CHECK_INT(rk_mock_partition_end_offset(NULL, "t", 0), bad_arg);
    CHECK_ERR(rk_mock_broker_set_down(NULL, 1), bad_arg);
    CHECK_ERR(rk_mock_push_request_errors(NULL, 0, NULL, 1), bad_arg);
    CHECK_INT(rk_mock_request_cnt(NULL, 0), 0);

    /* With live handles, the other arguments. */
    rk_conf_t *conf = test_conf(1);
    CHECK_INT(rk_conf_set(conf, NULL, "b", NULL, 0), RK_CONF_INVALID);
    CHECK_INT(rk_conf_set(conf, "linger.ms", NULL, NULL, 0), RK_CONF_INVALID);
    CHECK_INT(rk_conf_get(conf, NULL, text, &n), RK_CONF_INVALID);
    CHECK_INT(rk_conf_get(conf, "linger.ms", NULL, NULL), RK_CONF_OK);
    rk_producer_t *rk = test_producer(conf);
    CHECK(rk_producer_topic(rk, NULL) == NULL);
    CHECK_ERR(rk_producer_produce(rk, NULL, 0, 0, "x", 1, NULL, 0, 0, NULL), bad_arg);
    CHECK_ERR(rk_producer_produce(rk, "t", 0, 0, NULL, 1, NULL, 0, 0, NULL), bad_arg);
    CHECK_ERR(rk_producer_produce(rk, "t", 0, 0, "x", 1, NULL, 1, 0, NULL), bad_arg);
    /* Also where the message is otherwise as most are, and the topic one that this thread used before. */
    rk_topic_t *topic = rk_producer_topic(rk, "t");
    const int flags[] = {0, RK_MSG_F_COPY};
    for (int i = 0; i < 2; i++) {
        CHECK_OK(rk_producer_produce(rk, "t", RK_PARTITION_UA, flags[i], "x", 1, NULL, 0, 0, NULL));
        CHECK_ERR(rk_producer_produce(rk, "t", RK_PARTITION_UA, flags[i], "x", 1, NULL, 1, 0, NULL), bad_arg);
        CHECK_ERR(rk_producer_produce(rk, "t", RK_PARTITION_UA, flags[i], NULL, 1, "k", 1, 0, NULL), bad_arg);
        CHECK_OK(rk_topic_produce(topic, RK_PARTITION_UA, flags[i], "x", 1, NULL, 0, 0, NULL));
        CHECK_ERR(rk_topic_produce(topic, RK_PARTITION_UA, flags[i], "x", 1, NULL, 1, 0, NULL), bad_arg);
        CHECK_ERR(rk_topic_produce(topic, RK_PARTITION_UA, flags[i], NULL, 1, "k", 1, 0, NULL), bad_arg);
        CHECK_ERR(rk_topic_produce(NULL, RK_PARTITION_UA, flags[i], "x", 1, "k", 1, 0, NULL), bad_arg);
    }
    rk_topic_destroy(topic);
    CHECK_OK(rk_producer_flush(rk, 10000));
    CHECK_ERR(rk_producer_metadata(rk, 1, NULL, NULL, 10), bad_arg);
    CHECK_OK(rk_producer_fatal_error(rk, NULL, 0));
    CHECK_INT(rk_producer_produce_batch(rk, "t", 0, 0, NULL, 3), 0);
    rk_mock_cluster_t *mock = rk_producer_mock(rk);
    CHECK(mock != NULL && mock == rk_producer_mock(rk));
    rk_mock_cluster_destroy(mock); /* the producer's: nothing happens */
    CHECK(rk_mock_cluster_bootstraps(mock) != NULL);
    CHECK_ERR(rk_mock_topic_create(mock, NULL, 1, 1), bad_arg);
    CHECK_ERR(rk_mock_push_request_errors(mock, 0, NULL, 1), bad_arg);
    CHECK_ERR(rk_mock_set_release(mock, "0.0.1-none"), bad_arg);
    rk_producer_destroy(rk);

    rk_headers_t *h = rk_headers_new(0);
    CHECK_ERR(rk_headers_add(h, NULL, 0, "x", 1), bad_arg);
    CHECK_ERR(rk_headers_add_str(h, NULL, "x"), bad_arg);
    CHECK_ERR(rk_headers_get_last(h, NULL, NULL, NULL), bad_arg);
    CHECK_OK(rk_headers_add_str(h, "n", NULL));
    CHECK_OK(rk_headers_get_last(h, "n", NULL, NULL));
    CHECK_OK(rk_headers_get(h, 0, NULL, NULL, NULL, NULL));
    rk_headers_destroy(h);
    return 0;
}
