/* An error that ends a producer's use: told as RK_RESP_ERR__FATAL, by callback and as an event; the reason is asked for. */
#include "test.h"

static rk_resp_err_t heard = RK_RESP_ERR_NO_ERROR;

static void on_error(rk_producer_t *rk, rk_resp_err_t err, const char *reason, void *opaque) {
    (void)rk;
    (void)reason;
    (void)opaque;
    heard = err;
}

/* A producer whose broker refuses it a producer id, with one message in its queue. */
static rk_producer_t *refused_producer(rk_conf_t *conf) {
    const rk_resp_err_t refusal = RK_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    test_set(conf, "enable.idempotence", "true");
    rk_producer_t *rk = test_producer(conf);
    CHECK_OK(rk_mock_push_request_errors(rk_producer_mock(rk), 22, &refusal, 1));
    CHECK_OK(test_produce(rk, "t", 0, "x", NULL));
    return rk;
}

static void check_refused(rk_producer_t *rk) {
    char why[256] = "";
    CHECK_ERR(rk_producer_fatal_error(rk, why, sizeof why), RK_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    CHECK(strlen(why) > 0);
    CHECK_ERR(test_produce(rk, "t", 0, "x", NULL), RK_RESP_ERR__FATAL);
    rk_producer_destroy(rk);
}

int main(void) {
    test_reports_t reports;
    rk_conf_t *conf = test_conf(1);
    test_count_reports(conf, &reports);
    rk_conf_set_error_cb(conf, on_error);
    rk_producer_t *rk = refused_producer(conf);
    /* The flush that serves the failed report serves the error as well. */
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports.failed, 1);
    CHECK_ERR(heard, RK_RESP_ERR__FATAL);
    check_refused(rk);

    conf = test_conf(1);
    rk_conf_set_events(conf, RK_EVENT_ERROR);
    rk = refused_producer(conf);
    rk_event_t *event = rk_producer_poll_event(rk, 20000);
    CHECK_INT(rk_event_type(event), RK_EVENT_ERROR);
    CHECK_INT(rk_event_error_is_fatal(event), 1);
    CHECK_ERR(rk_event_error(event), RK_RESP_ERR__FATAL);
    rk_event_destroy(event);
    check_refused(rk);
    return 0;
}
