/* Tokens of OAUTHBEARER: asked for by callback or event, given, refused with a reason; NULL everywhere. */
#include "test.h"

static int asked;

static void on_refresh(rk_producer_t *rk, const char *oauthbearer_config, void *opaque) {
    const char *const extensions[] = {"trace", "1"};
    const int64_t hour = (int64_t)(time(NULL) + 3600) * 1000;
    char why[256] = "";
    CHECK(opaque == &asked && strcmp(oauthbearer_config, "mine=1") == 0);
    CHECK_ERR(rk_producer_oauthbearer_set_token(rk, "a b", hour, "me", NULL, 0, why, sizeof why),
              RK_RESP_ERR__INVALID_ARG);
    CHECK(strlen(why) > 0 && strstr(why, "a b") == NULL);
    CHECK_ERR(rk_producer_oauthbearer_set_token(rk, "token", 1, "me", NULL, 0, NULL, 0), RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(rk_producer_oauthbearer_set_token(rk, "token", hour, "me", extensions, 1, why, sizeof why),
              RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(rk_producer_oauthbearer_set_token(rk, NULL, hour, NULL, NULL, 0, why, sizeof why),
              RK_RESP_ERR__INVALID_ARG);
    CHECK_OK(rk_producer_oauthbearer_set_token(rk, "token", hour, "me", extensions, 2, why, sizeof why));
    asked++;
}

static rk_conf_t *oauth_conf(void) {
    rk_conf_t *conf = test_conf(1);
    test_set(conf, "security.protocol", "sasl_plaintext");
    test_set(conf, "sasl.mechanisms", "OAUTHBEARER");
    test_set(conf, "sasl.oauthbearer.config", "mine=1");
    return conf;
}

int main(void) {
    rk_conf_t *conf = oauth_conf();
    rk_conf_set_opaque(conf, &asked);
    rk_conf_set_oauthbearer_token_refresh_cb(conf, on_refresh);
    rk_producer_t *rk = test_producer(conf);
    double end = test_now() + 20;
    while (asked == 0 && test_now() < end)
        CHECK(rk_producer_poll(rk, 100) >= 0);
    CHECK_INT(asked, 1);
    CHECK_ERR(rk_producer_oauthbearer_set_token_failure(rk, NULL), RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(rk_producer_oauthbearer_set_token_failure(rk, ""), RK_RESP_ERR__INVALID_ARG);
    rk_producer_destroy(rk);

    /* The same by events. */
    conf = oauth_conf();
    rk_conf_set_events(conf, RK_EVENT_OAUTHBEARER_TOKEN_REFRESH | RK_EVENT_ERROR);
    rk = test_producer(conf);
    rk_event_t *event = rk_producer_poll_event(rk, 20000);
    CHECK(event != NULL);
    CHECK_INT(rk_event_type(event), RK_EVENT_OAUTHBEARER_TOKEN_REFRESH);
    CHECK(strcmp(rk_event_config_string(event), "mine=1") == 0);
    rk_event_destroy(event);
    CHECK_OK(rk_producer_oauthbearer_set_token_failure(rk, "no luck"));
    event = rk_producer_poll_event(rk, 20000);
    CHECK(event != NULL);
    CHECK_INT(rk_event_type(event), RK_EVENT_ERROR);
    CHECK(strstr(rk_event_error_string(event), "no luck") != NULL && rk_event_config_string(event) == NULL);
    rk_event_destroy(event);
    rk_producer_destroy(rk);

    /* A producer without tokens, and no producer. */
    rk = test_producer(test_conf(1));
    CHECK_ERR(rk_producer_oauthbearer_set_token(rk, "t", 1, "p", NULL, 0, NULL, 0), RK_RESP_ERR__STATE);
    CHECK_ERR(rk_producer_oauthbearer_set_token_failure(rk, "x"), RK_RESP_ERR__STATE);
    rk_producer_destroy(rk);
    rk_conf_set_oauthbearer_token_refresh_cb(NULL, on_refresh);
    CHECK_ERR(rk_producer_oauthbearer_set_token(NULL, "t", 1, "p", NULL, 0, NULL, 0), RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(rk_producer_oauthbearer_set_token_failure(NULL, "x"), RK_RESP_ERR__INVALID_ARG);
    CHECK(rk_event_config_string(NULL) == NULL);
    return 0;
}
