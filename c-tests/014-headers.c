/* Headers: in the log and in the report as they were given; owned by the library once the message is accepted. */
#include "test.h"

static int reports, in_log;

static void check_headers(const rk_message_t *m) {
    rk_headers_t *h = NULL;
    const char *name;
    const void *value;
    size_t name_len, value_len;
    CHECK_OK(rk_message_headers(m, &h));
    CHECK_INT(rk_headers_count(h), 4);
    CHECK_OK(rk_headers_get(h, 0, &name, &name_len, &value, &value_len));
    CHECK(name_len == 1 && memcmp(name, "a", 1) == 0 && value_len == 3 && memcmp(value, "1\0z", 3) == 0);
    CHECK_OK(rk_headers_get(h, 1, &name, &name_len, &value, &value_len));
    CHECK(name_len == 5 && memcmp(name, "empty", 5) == 0 && value != NULL && value_len == 0);
    CHECK_OK(rk_headers_get(h, 2, &name, &name_len, &value, &value_len));
    CHECK(name_len == 4 && memcmp(name, "null", 4) == 0 && value == NULL && value_len == 0);
    CHECK_OK(rk_headers_get_last(h, "a", &value, &value_len));
    CHECK(value_len == 1 && memcmp(value, "2", 1) == 0);
    CHECK_ERR(rk_headers_get(h, 4, NULL, NULL, NULL, NULL), RK_RESP_ERR__NOENT);
    CHECK_ERR(rk_headers_get_last(h, "b", &value, &value_len), RK_RESP_ERR__NOENT);
    rk_headers_destroy(h);
}

/* Of lengths on either side of where another way to copy them begins, and a name that is not ASCII. */
static const rk_header_t most[] = {{"header-name", 11, "value-of-header", 15},
                                   {"n", 1, "", 0},
                                   {"\xc3\xa4hnlich", 8, "seventeen bytes..", 17},
                                   {"12345678", 8, "1234567", 7}};

static size_t as_most_are(uint32_t i, const rk_header_t **headers) {
    *headers = most;
    return i % 5;
}

/* Around the lengths and the numbers from which on a varint has two bytes, with and without a null value. */
static size_t at_borders(uint32_t i, const rk_header_t **headers) {
    enum { FROM = 700, MANY = 66 };
    static rk_header_t h[MANY];
    static char letters[131]; /* an odd number, so that each length comes with and without a key */
    size_t n = i % sizeof letters;
    memset(letters, 'l', sizeof letters);
    *headers = h;
    if (i >= FROM) { /* many */
        for (n = 0; n < i % MANY; n++)
            h[n] = (rk_header_t){letters, n % 3, letters, n % 5};
        return n;
    }
    h[0] = (rk_header_t){letters, n, "value", 5};
    h[1] = (rk_header_t){"name", 4, letters, n};
    h[2] = (rk_header_t){"null", 4, NULL, 0};
    return 2 + i / sizeof letters / 2 % 2;
}

typedef struct {
    size_t (*headers)(uint32_t i, const rk_header_t **headers); /* those of message i */
    int reported, logged;
} kind_t;

/* Some number as value, perhaps the same as key. */
static void check_message(const rk_message_t *m, const kind_t *kind) {
    uint32_t i;
    CHECK_INT(m->len, sizeof i);
    memcpy(&i, m->payload, sizeof i);
    CHECK(i % 2 ? m->key_len == sizeof i && memcmp(m->key, &i, sizeof i) == 0 : m->key == NULL);
    const rk_header_t *want;
    size_t count = kind->headers(i, &want);
    rk_headers_t *h = NULL;
    const char *name;
    const void *value;
    size_t name_len, value_len;
    CHECK_ERR(rk_message_headers(m, &h), count ? RK_RESP_ERR_NO_ERROR : RK_RESP_ERR__NOENT);
    CHECK_INT(rk_headers_count(h), count);
    for (size_t k = 0; k < count; k++) {
        CHECK_OK(rk_headers_get(h, k, &name, &name_len, &value, &value_len));
        CHECK(name_len == want[k].name_len && memcmp(name, want[k].name, name_len) == 0);
        CHECK(value_len == want[k].value_len && (value == NULL) == (want[k].value == NULL));
        CHECK(value == NULL || memcmp(value, want[k].value, value_len) == 0);
    }
    rk_headers_destroy(h);
}

static void logged(const rk_message_t *m, void *kind) {
    ((kind_t *)kind)->logged++;
    check_message(m, (kind_t *)kind);
}

static void reported(rk_producer_t *rk, const rk_message_t *m, void *kind) {
    (void)rk;
    CHECK_OK(m->err);
    ((kind_t *)kind)->reported++;
    check_message(m, (kind_t *)kind);
}

/* Messages as most are, no partition asked for, with an array of headers. */
static void messages_with(size_t (*headers)(uint32_t, const rk_header_t **)) {
    kind_t kind = {headers, 0, 0};
    rk_conf_t *conf = test_conf(1);
    rk_conf_set_opaque(conf, &kind);
    rk_conf_set_dr_msg_cb(conf, reported);
    rk_producer_t *rk = test_producer(conf);
    rk_topic_t *topic = rk_producer_topic(rk, "most");
    for (uint32_t i = 0; i < 1000; i++) {
        const void *key = i % 2 ? &i : NULL;
        size_t key_len = i % 2 ? sizeof i : 0;
        const rk_header_t *h;
        size_t count = headers(i, &h);
        if (i % 3)
            CHECK_OK(rk_topic_produce_header_array(topic, RK_PARTITION_UA, RK_MSG_F_COPY, &i, sizeof i, key, key_len, h,
                                                   count, 0, NULL));
        else
            CHECK_OK(rk_producer_produce_header_array(rk, "most", RK_PARTITION_UA, RK_MSG_F_COPY, &i, sizeof i, key,
                                                      key_len, h, count, 0, NULL));
        if (i == 0) /* from here on the topic is known, and there is a chunk */
            CHECK_OK(rk_producer_flush(rk, 20000));
    }
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(kind.reported, 1000);
    for (int32_t p = 0; p < 4; p++)
        CHECK_OK(rk_mock_partition_foreach(rk_producer_mock(rk), "most", p, logged, &kind));
    CHECK_INT(kind.logged, 1000);
    rk_topic_destroy(topic);
    rk_producer_destroy(rk);
}

static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    rk_headers_t *h = (rk_headers_t *)m->opaque; /* anything but NULL */
    (void)rk;
    (void)opaque;
    reports++;
    CHECK_OK(m->err);
    if (m->len == 4) {
        check_headers(m);
    } else {
        CHECK_ERR(rk_message_headers(m, &h), RK_RESP_ERR__NOENT);
        CHECK(h == NULL);
    }
}

static void in_partition(const rk_message_t *m, void *opaque) {
    (void)opaque;
    in_log++;
    if (m->len == 4)
        check_headers(m);
}

static rk_headers_t *make(void) {
    rk_headers_t *h = rk_headers_new(4);
    CHECK_OK(rk_headers_add(h, "a", 1, "1\0z", 3));
    CHECK_OK(rk_headers_add_str(h, "gone", "x"));
    CHECK_OK(rk_headers_add_str(h, "empty", ""));
    CHECK_OK(rk_headers_add(h, "null", 4, NULL, 0));
    CHECK_OK(rk_headers_add(h, "a", 1, "2", 1));
    CHECK_OK(rk_headers_remove(h, "gone"));
    CHECK_ERR(rk_headers_remove(h, "gone"), RK_RESP_ERR__NOENT);
    return h;
}

int main(void) {
    rk_conf_t *conf = test_conf(1);
    rk_conf_set_dr_msg_cb(conf, on_report);
    rk_producer_t *rk = test_producer(conf);
    rk_topic_t *topic = rk_producer_topic(rk, "headers");
    rk_headers_t *h = make(), *copy = rk_headers_copy(h);
    CHECK_OK(rk_producer_produce_headers(rk, "headers", 0, 0, "with", 4, NULL, 0, h, 0, rk)); /* h is gone */
    CHECK_OK(rk_topic_produce_headers(topic, 0, 0, "with", 4, "k", 1, copy, 0, rk));
    CHECK_OK(rk_topic_produce_headers(topic, 0, 0, "without", 7, "k", 1, NULL, 0, rk));
    CHECK_OK(rk_topic_produce_headers(topic, 0, 0, "without", 7, "k", 1, rk_headers_new(0), 0, rk));
    CHECK_OK(test_produce(rk, "headers", 0, "without", rk));
    /* An array, which stays ours in any case. */
    const rk_header_t array[] = {{"a", 1, "1\0z", 3}, {"empty", 5, "", 0}, {"null", 4, NULL, 0}, {"a", 1, "2", 1}};
    CHECK_OK(rk_topic_produce_header_array(topic, 0, 0, "with", 4, "k", 1, array, 4, 0, rk));
    CHECK_OK(rk_producer_produce_header_array(rk, "headers", 0, 0, "with", 4, NULL, 0, array, 4, 0, rk));
    CHECK_OK(rk_producer_produce_header_array(rk, "headers", 0, 0, "without", 7, NULL, 0, array, 0, 0, rk));
    CHECK_OK(rk_topic_produce_header_array(topic, 0, 0, "without", 7, NULL, 0, NULL, 0, 0, rk));
    const rk_header_t bad[] = {{"fine", 4, "x", 1}, {NULL, 0, "x", 1}, {"\xff", 1, "x", 1}, {"name", 4, NULL, 1},
                               {NULL, 1, "x", 1}, {"name", (size_t)-1, "x", 1}};
    for (int i = 1; i < 6; i++) {
        const rk_header_t two[] = {bad[0], bad[i]};
        CHECK_ERR(rk_topic_produce_header_array(topic, 0, 0, "x", 1, NULL, 0, two, 2, 0, rk), RK_RESP_ERR__INVALID_ARG);
        CHECK_ERR(rk_producer_produce_header_array(rk, "headers", 0, 0, "x", 1, NULL, 0, two, 2, 0, rk),
                  RK_RESP_ERR__INVALID_ARG);
    }
    CHECK_ERR(rk_topic_produce_header_array(topic, 0, 0, "x", 1, NULL, 0, NULL, 1, 0, rk), RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(rk_topic_produce_header_array(topic, 0, 0, "x", 1, NULL, 0, array, (size_t)-1, 0, rk),
              RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(rk_producer_produce_header_array(rk, NULL, 0, 0, "x", 1, NULL, 0, array, 4, 0, rk),
              RK_RESP_ERR__INVALID_ARG);
    /* Refused: they stay ours. */
    h = make();
    CHECK_ERR(rk_producer_produce_headers(rk, "headers", 0, 0, NULL, 4, NULL, 0, h, 0, rk), RK_RESP_ERR__INVALID_ARG);
    CHECK_INT(rk_headers_count(h), 4);
    rk_headers_destroy(h);

    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports, 9);
    CHECK_OK(rk_mock_partition_foreach(rk_producer_mock(rk), "headers", 0, in_partition, NULL));
    CHECK_INT(in_log, 9);
    rk_topic_destroy(topic);
    rk_producer_destroy(rk);
    messages_with(as_most_are);
    messages_with(at_borders);
    return 0;
}
