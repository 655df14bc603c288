/* Errors, logs, statistics and throttling, by callbacks and by events. */
#include "test.h"

static int errors, stats, throttles, logs;

static void on_error(rk_producer_t *rk, rk_resp_err_t err, const char *reason, void *opaque) {
    (void)rk;
    CHECK(opaque == &errors);
    CHECK(err != RK_RESP_ERR_NO_ERROR && strlen(reason) > 0);
    errors++;
}

static void on_stats(rk_producer_t *rk, const char *json, size_t json_len, void *opaque) {
    (void)opaque;
    CHECK(strlen(json) == json_len && json[0] == '{' && json[json_len - 1] == '}');
    CHECK(strstr(json, rk_producer_name(rk)) != NULL);
    stats++;
}

static void on_throttle(rk_producer_t *rk, const char *broker_name, int32_t broker_id, int throttle_ms, void *opaque) {
    (void)rk;
    (void)opaque;
    CHECK(strlen(broker_name) > 0);
    CHECK_INT(broker_id, 1);
    CHECK_INT(throttle_ms, 50);
    throttles++;
}

static void on_log(rk_producer_t *rk, int level, const char *facility, const char *text, void *opaque) {
    (void)rk;
    (void)opaque;
    CHECK(level >= 0 && level <= 7 && strlen(facility) > 0 && strlen(text) > 0);
    logs++;
}

int main(void) {
    /* Nobody answers: an error that says so. */
    rk_conf_t *conf = test_conf(0);
    test_set(conf, "statistics.interval.ms", "100");
    test_set(conf, "log.queue", "true");
    test_set(conf, "log_level", "7");
    test_set(conf, "debug", "all");
    rk_conf_set_opaque(conf, &errors);
    rk_conf_set_error_cb(conf, on_error);
    rk_conf_set_stats_cb(conf, on_stats);
    rk_conf_set_log_cb(conf, on_log);
    rk_producer_t *rk = test_producer(conf);
    CHECK_INT(logs, 0); /* they wait for poll */
    CHECK_OK(test_produce(rk, "t", RK_PARTITION_UA, "x", NULL));
    double end = test_now() + 20;
    while ((errors < 1 || stats < 2 || logs < 1) && test_now() < end)
        CHECK(rk_producer_poll(rk, 1000) >= 0);
    CHECK(errors >= 1 && stats >= 2 && logs >= 1);
    rk_producer_destroy(rk);

    /* Throttling by a broker; logs at once, from any thread. */
    logs = 0;
    conf = test_conf(1);
    test_set(conf, "debug", "all");
    rk_conf_set_throttle_cb(conf, on_throttle);
    rk_conf_set_log_cb(conf, on_log);
    rk = test_producer(conf);
    rk_mock_throttle(rk_producer_mock(rk), 0, 50);
    CHECK_OK(test_produce(rk, "t", RK_PARTITION_UA, "x", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK(logs > 0);
    for (int i = 0; i < 100 && throttles == 0; i++)
        CHECK(rk_producer_poll(rk, 100) >= 0);
    CHECK(throttles >= 1);
    rk_mock_throttle(rk_producer_mock(rk), 0, 0);
    rk_producer_destroy(rk);

    /* The same as events. */
    conf = test_conf(1);
    test_set(conf, "statistics.interval.ms", "100");
    test_set(conf, "debug", "all");
    test_set(conf, "log.queue", "true");
    rk_conf_set_events(conf, RK_EVENT_DR | RK_EVENT_ERROR | RK_EVENT_STATS | RK_EVENT_THROTTLE | RK_EVENT_LOG);
    rk = test_producer(conf);
    rk_mock_throttle(rk_producer_mock(rk), 0, 50);
    CHECK_OK(test_produce(rk, "t", RK_PARTITION_UA, "x", NULL));
    int kinds = 0, stopped = 0;
    const int all = RK_EVENT_DR | RK_EVENT_ERROR | RK_EVENT_STATS | RK_EVENT_THROTTLE | RK_EVENT_LOG;
    end = test_now() + 20;
    while (kinds != all && test_now() < end) {
        rk_event_t *event = rk_producer_poll_event(rk, 1000);
        const char *name = NULL, *text = NULL;
        int32_t id = 0;
        int number = 0;
        kinds |= rk_event_type(event);
        switch (rk_event_type(event)) {
        case RK_EVENT_STATS:
            CHECK(rk_event_stats(event) != NULL && rk_event_stats(event)[0] == '{');
            break;
        case RK_EVENT_THROTTLE:
            CHECK_INT(rk_event_throttle(event, &name, &id, &number), 0);
            CHECK(strlen(name) > 0 && id == 1 && number == 50);
            break;
        case RK_EVENT_LOG:
            CHECK_INT(rk_event_log(event, &number, &name, &text), 0);
            CHECK(number <= 7 && strlen(name) > 0 && strlen(text) > 0);
            CHECK_INT(rk_event_throttle(event, &name, &id, &number), -1);
            break;
        case RK_EVENT_ERROR:
            CHECK(rk_event_error(event) != RK_RESP_ERR_NO_ERROR && strlen(rk_event_error_string(event)) > 0);
            CHECK_INT(rk_event_error_is_fatal(event), 0);
            break;
        default:
            break;
        }
        rk_event_destroy(event);
        if (!stopped && (kinds & RK_EVENT_DR) && (kinds & RK_EVENT_THROTTLE)) {
            CHECK_OK(rk_mock_broker_set_down(rk_producer_mock(rk), 1));
            stopped = 1;
        }
    }
    CHECK_INT(kinds, all);
    rk_producer_destroy(rk);
    return 0;
}
