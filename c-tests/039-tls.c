/* TLS from C: the verify callback's word on certificates that are right, of nobody known, of another name; client
 * certificates; and connections that are cut while they are written to, without SIGPIPE. The certificates are made by
 * c-tests/certificates.sh, if openssl is there. */
#include "sigpipe.h"

#include <pthread.h>

enum { NO_SUCH_CA = 20, OTHER_HOST = 62 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

typedef struct {
    int accept, forgive; /* what the callback says, and whether errors do not matter */
    int asked, leaves, last_error;
    rk_resp_err_t err;
    char reason[512];
    int reports, failed;
} app_t;

static char *read_file(const char *program, const char *name) {
    char path[1024];
    const char *slash = strrchr(program, '/');
    snprintf(path, sizeof path, "%.*s../tls/%s", slash ? (int)(slash - program + 1) : 0, program, name);
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    char *text = calloc(1, 20000);
    CHECK(text != NULL && fread(text, 1, 19999, f) > 0);
    fclose(f);
    return text;
}

static int verify(rk_producer_t *rk, const char *broker_name, int32_t broker_id, int *x509_error, int depth,
                  const char *buf, size_t size, char *errstr, size_t errstr_size, void *opaque) {
    app_t *app = opaque;
    (void)rk;
    pthread_mutex_lock(&lock);
    app->asked++;
    app->leaves += depth == 0;
    if (depth == 0)
        app->last_error = *x509_error;
    else
        CHECK_INT(*x509_error, 0);
    pthread_mutex_unlock(&lock);
    CHECK(strncmp(broker_name, "127.0.0.1:", 10) == 0 && broker_id >= -1);
    CHECK(size > 100 && (unsigned char)buf[0] == 0x30); /* a sequence of DER */
    if (app->forgive)
        *x509_error = 0;
    if (!app->accept)
        snprintf(errstr, errstr_size, "not to my taste");
    return app->accept;
}

static void on_error(rk_producer_t *rk, rk_resp_err_t err, const char *reason, void *opaque) {
    app_t *app = opaque;
    (void)rk;
    if (err != RK_RESP_ERR__SSL)
        return;
    app->err = err;
    snprintf(app->reason, sizeof app->reason, "%s", reason);
}

static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    app_t *app = opaque;
    (void)rk;
    app->reports++;
    app->failed += m->err != RK_RESP_ERR_NO_ERROR;
}

static rk_conf_t *secure_conf(rk_mock_cluster_t *mock, app_t *app, const char *ca) {
    rk_conf_t *conf = rk_conf_new();
    test_set(conf, "bootstrap.servers", rk_mock_cluster_bootstraps(mock));
    test_set(conf, "security.protocol", "ssl");
    test_set(conf, "ssl.ca.pem", ca);
    test_set(conf, "log_level", "0");
    rk_conf_set_opaque(conf, app);
    rk_conf_set_error_cb(conf, on_error);
    rk_conf_set_dr_msg_cb(conf, on_report);
    CHECK_INT(rk_conf_set_ssl_cert_verify_cb(conf, verify), RK_CONF_OK);
    return conf;
}

static void delivers(rk_conf_t *conf, app_t *app, int error) {
    rk_producer_t *rk = test_producer(conf);
    CHECK_OK(test_produce(rk, "t", 0, "x", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK(app->reports == 1 && app->failed == 0 && app->leaves >= 1 && app->err == 0);
    CHECK_INT(app->last_error, error);
    rk_producer_destroy(rk);
}

static void refused(rk_conf_t *conf, app_t *app, const char *word) {
    rk_producer_t *rk = test_producer(conf);
    CHECK_OK(test_produce(rk, "t", 0, "x", NULL));
    double end = test_now() + 20;
    while (!app->err && test_now() < end)
        rk_producer_poll(rk, 50);
    if (!app->err || !strstr(app->reason, word)) {
        fprintf(stderr, "\"%s\" is not in: %s\n", word, app->reason);
        exit(1);
    }
    CHECK_OK(rk_producer_purge(rk, RK_PURGE_F_QUEUE));
    rk_producer_destroy(rk);
}

static void cut(rk_mock_cluster_t *mock, const char *ca) {
    app_t app = {0};
    app.accept = 1;
    produce_through_cuts(secure_conf(mock, &app, ca), mock, 100, &app.reports);
}

int main(int argc, char **argv) {
    (void)argc;
    char why[512] = "";
    char *ca = read_file(argv[0], "ca.pem"), *other = read_file(argv[0], "other.pem");
    char *certificate = read_file(argv[0], "broker.pem"), *key = read_file(argv[0], "broker.key");
    char *elsewhere = read_file(argv[0], "elsewhere.pem"), *elsewhere_key = read_file(argv[0], "elsewhere.key");
    if (!ca || !other || !certificate || !key || !elsewhere || !elsewhere_key) {
        printf("SKIPPED: there are no certificates beside %s\n", argv[0]);
        return 0;
    }
    rk_mock_cluster_t *mock = rk_mock_cluster_new(1, why, sizeof why);
    CHECK(mock != NULL);
    CHECK_ERR(rk_mock_set_tls(mock, certificate, "nonsense", NULL, why, sizeof why), RK_RESP_ERR__INVALID_ARG);
    CHECK(strlen(why) > 0);
    CHECK_ERR(rk_mock_set_tls(mock, NULL, key, NULL, why, sizeof why), RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(rk_mock_set_tls(NULL, certificate, key, NULL, why, sizeof why), RK_RESP_ERR__INVALID_ARG);
    CHECK_OK(rk_mock_set_tls(mock, certificate, key, NULL, why, sizeof why));
    const app_t accepts = {1, 0, 0, 0, 0, 0, "", 0, 0};
    app_t app = accepts;
    delivers(secure_conf(mock, &app, ca), &app, 0);
    /* Accepted, but the error stands. */
    app = accepts;
    refused(secure_conf(mock, &app, other), &app, "no trusted CA");
    CHECK_INT(app.last_error, NO_SUCH_CA);
    app = accepts;
    app.forgive = 1;
    delivers(secure_conf(mock, &app, other), &app, NO_SUCH_CA);
    app = accepts;
    app.accept = 0;
    refused(secure_conf(mock, &app, ca), &app, "not to my taste");
    /* Nobody is asked when certificates are not checked. */
    app = accepts;
    app.accept = 0;
    rk_conf_t *conf = secure_conf(mock, &app, ca);
    test_set(conf, "enable.ssl.certificate.verification", "false");
    rk_producer_t *rk = test_producer(conf);
    CHECK_OK(test_produce(rk, "t", 0, "x", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(app.asked, 0);
    rk_producer_destroy(rk);

    cut(mock, ca);

    CHECK_OK(rk_mock_set_tls(mock, elsewhere, elsewhere_key, NULL, why, sizeof why));
    app = accepts;
    refused(secure_conf(mock, &app, ca), &app, "elsewhere.example");
    CHECK_INT(app.last_error, OTHER_HOST);
    app = accepts;
    app.forgive = 1;
    delivers(secure_conf(mock, &app, ca), &app, OTHER_HOST);

    /* Client certificates. */
    CHECK_OK(rk_mock_set_tls(mock, certificate, key, ca, why, sizeof why));
    app = accepts;
    refused(secure_conf(mock, &app, ca), &app, "ssl.certificate.location");
    app = accepts;
    conf = secure_conf(mock, &app, ca);
    test_set(conf, "ssl.certificate.pem", certificate);
    test_set(conf, "ssl.key.pem", key);
    delivers(conf, &app, 0);

    CHECK_INT(rk_conf_set_ssl_cert_verify_cb(NULL, verify), RK_CONF_INVALID);
    rk_mock_cluster_destroy(mock);
    free(ca);
    free(other);
    free(certificate);
    free(key);
    free(elsewhere);
    free(elsewhere_key);
    return 0;
}
