/* A SASL mechanism by callback: PLAIN as the application speaks it, right and wrong, renewed; one that fails by itself, one
 * that says too much; names that no mechanism can have. Every exchange is ended. */
#include "test.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int begun, ended, answered, with_name;

typedef struct {
    int steps;
} exchange_t;

typedef struct {
    const char *password;
    rk_resp_err_t err;
    char reason[512];
} app_t;

static int plain(rk_producer_t *rk, const char *broker_name, int32_t broker_id, void **exchange, const void *in,
                 size_t in_size, void *out, size_t *out_size, char *errstr, size_t errstr_size, void *opaque) {
    const app_t *app = opaque;
    exchange_t *e = *exchange;
    (void)rk;
    pthread_mutex_lock(&lock);
    if (!out) {
        ended += e != NULL;
        pthread_mutex_unlock(&lock);
        free(e);
        return RK_SASL_DONE;
    }
    with_name += strncmp(broker_name, "127.0.0.1:", 10) == 0 && broker_id >= -1;
    begun += in == NULL;
    answered += in != NULL;
    pthread_mutex_unlock(&lock);
    if (in) {
        CHECK(e != NULL && e->steps == 1);
        CHECK_INT(in_size, 0);
        return RK_SASL_DONE;
    }
    CHECK(e == NULL && *out_size >= 65536);
    *exchange = e = calloc(1, sizeof *e);
    CHECK(e != NULL);
    e->steps = 1;
    if (!app->password) {
        snprintf(errstr, errstr_size, "no password\nat hand");
        return RK_SASL_FAIL;
    }
    if (!*app->password) {
        *out_size += 1;
        return RK_SASL_SEND;
    }
    *out_size = (size_t)snprintf(out, *out_size, "%calice%c%s", 0, 0, app->password);
    return RK_SASL_SEND;
}

static void on_error(rk_producer_t *rk, rk_resp_err_t err, const char *reason, void *opaque) {
    app_t *app = opaque;
    (void)rk;
    if (err != RK_RESP_ERR__AUTHENTICATION)
        return;
    app->err = err;
    snprintf(app->reason, sizeof app->reason, "%s", reason);
}

static rk_producer_t *producer(rk_mock_cluster_t *mock, app_t *app, const char *mechanism) {
    rk_conf_t *conf = rk_conf_new();
    test_set(conf, "bootstrap.servers", rk_mock_cluster_bootstraps(mock));
    test_set(conf, "security.protocol", "sasl_plaintext");
    test_set(conf, "log_level", "0");
    test_set(conf, "reconnect.backoff.max.ms", "500");
    CHECK_INT(rk_conf_set_sasl_cb(conf, mechanism, plain), RK_CONF_OK);
    test_set(conf, "sasl.mechanisms", mechanism);
    rk_conf_set_opaque(conf, app);
    rk_conf_set_error_cb(conf, on_error);
    return test_producer(conf);
}

/* Waits for an authentication error; its text must hold the word. */
static void refused(rk_mock_cluster_t *mock, const char *password, const char *mechanism, const char *word) {
    app_t app = {0};
    app.password = password;
    rk_producer_t *rk = producer(mock, &app, mechanism);
    CHECK_OK(test_produce(rk, "t", 0, "x", NULL));
    double end = test_now() + 20;
    while (!app.err && test_now() < end)
        rk_producer_poll(rk, 50);
    if (!app.err || !strstr(app.reason, word)) {
        fprintf(stderr, "\"%s\" is not in: %s\n", word, app.reason);
        exit(1);
    }
    CHECK(!strchr(app.reason, '\n'));
    CHECK_OK(rk_producer_purge(rk, RK_PURGE_F_QUEUE));
    rk_producer_destroy(rk);
}

int main(void) {
    char why[512] = "";
    rk_mock_cluster_t *mock = rk_mock_cluster_new(1, why, sizeof why);
    CHECK(mock != NULL);
    CHECK_ERR(rk_mock_set_sasl(mock, "PLAIN,KERBEROS", 0), RK_RESP_ERR__INVALID_ARG);
    CHECK_OK(rk_mock_set_sasl(mock, "PLAIN", 1000));
    CHECK_OK(rk_mock_set_user(mock, "alice", "in wonderland"));

    app_t app = {0};
    app.password = "in wonderland";
    rk_producer_t *rk = producer(mock, &app, "PLAIN");
    int sent = 0;
    double end = test_now() + 20;
    /* Until the session has been renewed twice. */
    while (answered < 4 && test_now() < end) {
        CHECK_OK(test_produce(rk, "t", 0, "x", NULL));
        sent++;
        rk_producer_poll(rk, 20);
    }
    CHECK(answered >= 4);
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(rk_mock_partition_end_offset(mock, "t", 0), sent);
    CHECK_INT(app.err, 0);
    rk_producer_destroy(rk);

    refused(mock, "elsewhere", "PLAIN", "Invalid username or password");
    refused(mock, NULL, "PLAIN", "no password?at hand");
    refused(mock, "", "PLAIN", "room");
    refused(mock, "x", "OF-MY-OWN", "PLAIN");
    CHECK_INT(rk_mock_partition_end_offset(mock, "t", 0), sent);
    CHECK_INT(begun, ended);
    CHECK_INT(begun + answered, with_name);

    rk_conf_t *conf = rk_conf_new();
    CHECK_INT(rk_conf_set_sasl_cb(conf, NULL, plain), RK_CONF_INVALID);
    CHECK_INT(rk_conf_set_sasl_cb(conf, "", plain), RK_CONF_INVALID);
    CHECK_INT(rk_conf_set_sasl_cb(conf, "lower", plain), RK_CONF_INVALID);
    CHECK_INT(rk_conf_set_sasl_cb(conf, "MORE-THAN-TWENTY-CHARACTERS", plain), RK_CONF_INVALID);
    CHECK_INT(rk_conf_set_sasl_cb(NULL, "MINE", plain), RK_CONF_INVALID);
    /* Taken back: the name is unknown again. */
    CHECK_INT(rk_conf_set_sasl_cb(conf, "MINE", plain), RK_CONF_OK);
    CHECK_INT(rk_conf_set_sasl_cb(conf, NULL, NULL), RK_CONF_OK);
    test_set(conf, "security.protocol", "sasl_plaintext");
    test_set(conf, "sasl.mechanisms", "MINE");
    CHECK(rk_producer_new(conf, why, sizeof why) == NULL && strstr(why, "MINE"));
    rk_conf_destroy(conf);
    CHECK_ERR(rk_mock_set_sasl(NULL, "PLAIN", 0), RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(rk_producer_set_sasl_credentials(NULL, "user", "password"), RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(rk_mock_set_user(mock, NULL, NULL), RK_RESP_ERR__INVALID_ARG);
    rk_mock_cluster_destroy(mock);
    return 0;
}
