/* Interceptors: called in order, for every way to produce; headers that they add go into the log; each message that on_send
 * saw has one on_acknowledgement, whatever became of it. */
#include "test.h"

#include <pthread.h>

/* What an interceptor counts; its opaque. `before` is the interceptor that is called before it. */
typedef struct counts {
    const struct counts *before;
    int sent, acknowledged, failed;
    rk_resp_err_t last_err;
    int32_t last_partition;
    rk_resp_err_t answer; /* returned by both callbacks */
    pthread_t thread;     /* that all calls must come from */
} counts_t;

/* The opaque of delivery callback and log callback. */
typedef struct {
    const counts_t *interceptor;
    int reports, log_lines;
} seen_t;

static const char PARENT[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

static int begins(const void *bytes, size_t len, const char *text) {
    return len >= strlen(text) && memcmp(bytes, text, strlen(text)) == 0;
}

/* The first: adds a header, for a large message a very large one. */
static rk_resp_err_t tracer_on_send(rk_producer_t *rk, const rk_message_t *m, rk_headers_t *headers, void *opaque) {
    counts_t *c = (counts_t *)opaque;
    rk_headers_t *none;
    const void *value;
    size_t len;
    CHECK(rk != NULL && pthread_equal(pthread_self(), c->thread));
    CHECK(begins(m->topic, strlen(m->topic), "intercepted"));
    CHECK(m->payload == NULL || begins(m->payload, m->len, "value"));
    CHECK(m->key == NULL || (m->key_len == 3 && begins(m->key, 3, "key")));
    CHECK(m->timestamp_ms > 1000000000000);
    CHECK_INT(m->timestamp_type, RK_TIMESTAMP_CREATE_TIME);
    CHECK_INT(m->offset, RK_OFFSET_INVALID);
    CHECK_ERR(rk_message_headers(m, &none), RK_RESP_ERR__NOENT);
    if (m->len == 9) { /* "value+own": with headers of its own */
        CHECK_INT(rk_headers_count(headers), 2);
        CHECK_OK(rk_headers_get_last(headers, "own", &value, &len));
        CHECK(len == 1 && begins(value, len, "1"));
        CHECK_OK(rk_headers_remove(headers, "gone"));
    } else {
        CHECK_INT(rk_headers_count(headers), 0);
    }
    CHECK_OK(rk_headers_add_str(headers, "traceparent", PARENT));
    if (m->len == 10) { /* "value+huge" */
        void *huge = calloc(1, 2000000);
        CHECK_OK(rk_headers_add(headers, "huge", 4, huge, 2000000));
        free(huge);
    }
    c->sent++;
    c->last_partition = m->partition;
    return c->answer;
}

/* The second: sees what the first added. What it must not call is refused. */
static rk_resp_err_t auditor_on_send(rk_producer_t *rk, const rk_message_t *m, rk_headers_t *headers, void *opaque) {
    counts_t *c = (counts_t *)opaque;
    const void *value;
    size_t len;
    CHECK_OK(rk_headers_get_last(headers, "traceparent", &value, &len));
    CHECK(len == strlen(PARENT) && begins(value, len, PARENT));
    CHECK_OK(rk_headers_add_str(headers, "audited", NULL));
    CHECK_ERR(test_produce(rk, m->topic, 0, "value", NULL), RK_RESP_ERR__STATE);
    CHECK_INT(rk_producer_poll(rk, 0), RK_RESP_ERR__STATE);
    CHECK_ERR(rk_producer_flush(rk, 0), RK_RESP_ERR__STATE);
    c->sent++;
    CHECK_INT(c->sent, c->before->sent);
    return c->answer;
}

static void check_headers(const rk_message_t *m) {
    rk_headers_t *h;
    const char *name;
    const void *value;
    size_t name_len, len, own = m->len == 9;
    CHECK_OK(rk_message_headers(m, &h));
    CHECK_INT(rk_headers_count(h), 2 + own + (m->len == 10));
    if (own) {
        CHECK_OK(rk_headers_get(h, 0, &name, &name_len, &value, &len));
        CHECK(name_len == 3 && begins(name, 3, "own"));
    }
    CHECK_OK(rk_headers_get(h, own, &name, &name_len, &value, &len));
    CHECK(name_len == 11 && begins(name, 11, "traceparent"));
    CHECK(len == strlen(PARENT) && begins(value, len, PARENT));
    CHECK_OK(rk_headers_get_last(h, "audited", &value, &len));
    CHECK(value == NULL);
    rk_headers_destroy(h);
}

static rk_resp_err_t on_acknowledgement(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    counts_t *c = (counts_t *)opaque;
    CHECK(rk != NULL && pthread_equal(pthread_self(), c->thread));
    check_headers(m);
    c->acknowledged++;
    if (c->before)
        CHECK_INT(c->acknowledged, c->before->acknowledged);
    c->failed += m->err != RK_RESP_ERR_NO_ERROR;
    CHECK(m->err ? m->status != RK_MSG_STATUS_PERSISTED : m->status == RK_MSG_STATUS_PERSISTED);
    c->last_err = m->err;
    c->last_partition = m->partition;
    return c->answer;
}

static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    seen_t *seen = (seen_t *)opaque;
    (void)rk;
    check_headers(m);
    seen->reports++;
    if (seen->interceptor)
        CHECK(seen->interceptor->acknowledged >= seen->reports); /* it heard first */
}

static void on_log(rk_producer_t *rk, int level, const char *facility, const char *text, void *opaque) {
    (void)rk;
    (void)level;
    if (strcmp(facility, "ICFAIL") == 0) {
        CHECK(strstr(text, "tracer") && strstr(text, "intercepted"));
        ((seen_t *)opaque)->log_lines++;
    }
}

static void in_partition(const rk_message_t *m, void *opaque) {
    check_headers(m);
    ++*(int *)opaque;
}

static void add(rk_conf_t *conf, counts_t *tracer, counts_t *auditor) {
    char why[256];
    memset(tracer, 0, sizeof *tracer);
    memset(auditor, 0, sizeof *auditor);
    auditor->before = tracer;
    tracer->thread = auditor->thread = pthread_self();
    CHECK(rk_conf_add_interceptor(conf, "tracer", tracer_on_send, on_acknowledgement, tracer, why, sizeof why) == RK_CONF_OK);
    CHECK(rk_conf_add_interceptor(conf, "auditor", auditor_on_send, on_acknowledgement, auditor, why, sizeof why) == RK_CONF_OK);
}

static void check_counts(const counts_t *c, int messages, int failed) {
    CHECK_INT(c->sent, messages);
    CHECK_INT(c->acknowledged, messages);
    CHECK_INT(c->failed, failed);
}

static void adding(void) {
    rk_conf_t *conf = test_conf(0);
    counts_t a, b;
    char why[256] = "";
    add(conf, &a, &b);
    CHECK(rk_conf_add_interceptor(conf, "tracer", tracer_on_send, NULL, NULL, why, sizeof why) == RK_CONF_INVALID);
    CHECK(strstr(why, "\"tracer\" already"));
    CHECK(rk_conf_add_interceptor(conf, "idle", NULL, NULL, NULL, why, sizeof why) == RK_CONF_INVALID);
    CHECK(strstr(why, "neither"));
    CHECK(rk_conf_add_interceptor(conf, NULL, tracer_on_send, NULL, NULL, why, sizeof why) == RK_CONF_INVALID);
    CHECK(rk_conf_add_interceptor(conf, "", tracer_on_send, NULL, NULL, NULL, 0) == RK_CONF_INVALID);
    CHECK(rk_conf_add_interceptor(NULL, "x", tracer_on_send, NULL, NULL, why, sizeof why) == RK_CONF_INVALID);
    /* A copy has them, too. */
    rk_conf_t *copy = rk_conf_dup(conf);
    rk_conf_destroy(conf);
    CHECK(rk_conf_add_interceptor(copy, "auditor", tracer_on_send, NULL, NULL, why, sizeof why) == RK_CONF_INVALID);
    rk_conf_destroy(copy);
}

/* Every way to produce; refusals; an interceptor that fails. */
static void delivered(void) {
    enum { BY_NAME = 500, ARRAY = 40 };
    counts_t tracer, auditor;
    seen_t seen = {&auditor, 0, 0};
    rk_message_t array[ARRAY];
    const void *value;
    size_t len;
    int n = 0, in_log = 0;
    rk_conf_t *conf = test_conf(1);
    add(conf, &tracer, &auditor);
    rk_conf_set_opaque(conf, &seen);
    rk_conf_set_dr_msg_cb(conf, on_report);
    rk_conf_set_log_cb(conf, on_log);
    rk_producer_t *rk = test_producer(conf);
    rk_topic_t *topic = rk_producer_topic(rk, "intercepted");
    CHECK_OK(test_produce(rk, "intercepted", RK_PARTITION_UA, "value", NULL)); /* the topic is not known yet */
    CHECK_INT(tracer.last_partition, RK_PARTITION_UA);
    CHECK_OK(rk_producer_flush(rk, 20000));
    n++;
    for (int i = 0; i < BY_NAME; i++, n += 2) {
        CHECK_OK(test_produce(rk, "intercepted", RK_PARTITION_UA, "value", NULL));
        CHECK_OK(rk_topic_produce(topic, RK_PARTITION_UA, 0, "value", 5, NULL, 0, 0, NULL));
    }
    CHECK_OK(rk_producer_produce(rk, "intercepted", 2, 0, NULL, 0, "key", 3, 1600000000000, NULL));
    CHECK_INT(tracer.last_partition, 2);
    CHECK_OK(rk_topic_produce(topic, RK_PARTITION_UA, 0, "value", 5, "key", 3, 0, NULL));
    n += 2;
    for (int i = 0; i < 2; i++, n++) {
        rk_headers_t *own = rk_headers_new(2);
        CHECK_OK(rk_headers_add_str(own, "own", "1"));
        CHECK_OK(rk_headers_add_str(own, "gone", "x"));
        if (i == 0) {
            /* Refused, so the list is the caller's as it was. */
            CHECK_ERR(rk_producer_produce_headers(rk, "intercepted", 99, 0, "value+own", 9, NULL, 0, own, 0, NULL),
                      RK_RESP_ERR__UNKNOWN_PARTITION);
            CHECK_INT(rk_headers_count(own), 2);
            CHECK_OK(rk_headers_get_last(own, "gone", &value, &len));
            CHECK_INT(tracer.failed, 1);
            CHECK_ERR(tracer.last_err, RK_RESP_ERR__UNKNOWN_PARTITION);
            CHECK_INT(tracer.last_partition, 99);
            CHECK_OK(rk_producer_produce_headers(rk, "intercepted", -1, 0, "value+own", 9, NULL, 0, own, 0, NULL));
        } else {
            CHECK_OK(rk_topic_produce_headers(topic, -1, 0, "value+own", 9, "key", 3, own, 0, NULL));
        }
    }
    memset(array, 0, sizeof array);
    for (int i = 0; i < ARRAY; i++) {
        array[i].payload = "value";
        array[i].len = 5;
    }
    CHECK_INT(rk_producer_produce_batch(rk, "intercepted", -1, 0, array, ARRAY), ARRAY);
    CHECK_INT(rk_topic_produce_batch(topic, -1, 0, array, ARRAY), ARRAY);
    n += 2 * ARRAY;
    /* Too large only with its headers, so both saw it; too large by itself, so none did. */
    CHECK_ERR(test_produce(rk, "intercepted", -1, "value+huge", NULL), RK_RESP_ERR_MSG_SIZE_TOO_LARGE);
    CHECK_ERR(tracer.last_err, RK_RESP_ERR_MSG_SIZE_TOO_LARGE);
    char *huge = (char *)calloc(1, 2000000);
    CHECK_ERR(rk_topic_produce(topic, -1, 0, huge, 2000000, NULL, 0, 0, NULL), RK_RESP_ERR_MSG_SIZE_TOO_LARGE);
    free(huge);

    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(seen.reports, n);
    check_counts(&tracer, n + 2, 2);
    check_counts(&auditor, n + 2, 2);
    for (int32_t p = 0; p < 4; p++)
        CHECK_OK(rk_mock_partition_foreach(rk_producer_mock(rk), "intercepted", p, in_partition, &in_log));
    CHECK_INT(in_log, n);
    CHECK_INT(rk_producer_len(rk), 0);

    /* One that fails is logged, for on_send and for on_acknowledgement, and the message goes on. */
    tracer.answer = RK_RESP_ERR__FAIL;
    CHECK_OK(test_produce(rk, "intercepted", RK_PARTITION_UA, "value", NULL));
    CHECK_INT(seen.log_lines, 1);
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(seen.log_lines, 2);
    CHECK_INT(seen.reports, n + 1);
    rk_topic_destroy(topic);
    rk_producer_destroy(rk);
    check_counts(&auditor, n + 3, 2);
}

/* Nobody answers: messages time out, are purged, and are given up by destroy, without any delivery callback. */
static void failed(void) {
    counts_t tracer, auditor;
    rk_conf_t *conf = test_conf(0);
    add(conf, &tracer, &auditor);
    test_set(conf, "message.timeout.ms", "300");
    rk_producer_t *rk = test_producer(conf);
    for (int i = 0; i < 7; i++)
        CHECK_OK(test_produce(rk, "intercepted", i % 2, "value", NULL));
    while (auditor.acknowledged < 7)
        CHECK(rk_producer_poll(rk, 20000) > 0);
    CHECK_ERR(tracer.last_err, RK_RESP_ERR__MSG_TIMED_OUT);
    rk_producer_destroy(rk);
    check_counts(&tracer, 7, 7);

    conf = test_conf(0);
    add(conf, &tracer, &auditor);
    rk = test_producer(conf);
    for (int i = 0; i < 9; i++)
        CHECK_OK(test_produce(rk, "intercepted", 3, "value", NULL));
    CHECK_OK(rk_producer_purge(rk, RK_PURGE_F_QUEUE));
    CHECK_INT(auditor.acknowledged, 0); /* only by poll */
    CHECK_INT(rk_producer_poll(rk, 20000), 9);
    CHECK_ERR(auditor.last_err, RK_RESP_ERR__PURGE_QUEUE);
    CHECK_INT(auditor.last_partition, 3);
    CHECK_OK(test_produce(rk, "intercepted", 3, "value", NULL));
    rk_producer_destroy(rk);
    check_counts(&tracer, 10, 10);
    check_counts(&auditor, 10, 10);
}

/* Events: acknowledged before they are handed out. Where reports of failures alone are asked for, interceptors hear of all. */
static void events(int only_errors) {
    counts_t tracer, auditor;
    int reports = 0;
    rk_conf_t *conf = test_conf(1);
    add(conf, &tracer, &auditor);
    rk_conf_set_events(conf, RK_EVENT_DR);
    if (only_errors)
        test_set(conf, "delivery.report.only.error", "true");
    rk_producer_t *rk = test_producer(conf);
    for (int i = 0; i < 30; i++)
        CHECK_OK(test_produce(rk, "intercepted", i % 2, "value", NULL));
    const double until = test_now() + 30;
    while (auditor.acknowledged < 30 && test_now() < until) {
        const rk_message_t *m;
        rk_event_t *e = rk_producer_poll_event(rk, 100);
        while ((m = rk_event_message_next(e)) != NULL) {
            check_headers(m);
            CHECK(auditor.acknowledged >= ++reports);
        }
        CHECK(!e || !only_errors);
        rk_event_destroy(e);
    }
    CHECK_INT(reports, only_errors ? 0 : 30);
    CHECK_INT(rk_producer_len(rk), 0);
    rk_producer_destroy(rk);
    check_counts(&tracer, 30, 0);
}

/* Reports of failures alone, by callback. */
static void only_errors(void) {
    counts_t tracer, auditor;
    seen_t seen = {NULL, 0, 0};
    rk_conf_t *conf = test_conf(1);
    add(conf, &tracer, &auditor);
    test_set(conf, "delivery.report.only.error", "true");
    rk_conf_set_opaque(conf, &seen);
    rk_conf_set_dr_msg_cb(conf, on_report);
    rk_producer_t *rk = test_producer(conf);
    for (int i = 0; i < 30; i++)
        CHECK_OK(test_produce(rk, "intercepted", -1, "value", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(seen.reports, 0);
    check_counts(&auditor, 30, 0);
    rk_producer_destroy(rk);
}

/* Within transactions; what ends them serves reports, so that commit has heard of every message. */
static void transactions(void) {
    counts_t tracer, auditor;
    rk_conf_t *conf = test_conf(1);
    add(conf, &tracer, &auditor);
    test_set(conf, "transactional.id", "traced");
    rk_producer_t *rk = test_producer(conf);
    CHECK_ERR(test_produce(rk, "intercepted", 0, "value", NULL), RK_RESP_ERR__STATE); /* seen by neither */
    CHECK(rk_producer_init_transactions(rk, 30000) == NULL);
    CHECK(rk_producer_begin_transaction(rk) == NULL);
    for (int i = 0; i < 20; i++)
        CHECK_OK(test_produce(rk, "intercepted", i % 2, "value", NULL));
    CHECK(rk_producer_commit_transaction(rk, 30000) == NULL);
    check_counts(&auditor, 20, 0);
    CHECK(rk_producer_begin_transaction(rk) == NULL);
    CHECK_OK(test_produce(rk, "intercepted", 0, "value", NULL));
    CHECK(rk_producer_abort_transaction(rk, 30000) == NULL);
    CHECK_INT(auditor.sent, 21);
    CHECK_INT(auditor.acknowledged, 21);
    rk_producer_destroy(rk);
}

int main(void) {
    adding();
    delivered();
    failed();
    events(0);
    events(1);
    only_errors();
    transactions();
    return 0;
}
