/* socket_cb and connect_cb: sockets of the application's making, connected by it, at once or not; errors of either. */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_int made, connected, wrong;

typedef struct {
    int no_sockets, refuse, block;
    rk_resp_err_t err;
    char reason[512];
    int count;
} app_t;

static int on_socket(int domain, int type, int protocol, void *opaque) {
    const app_t *app = opaque;
    if (app->no_sockets) {
        errno = EMFILE;
        return -1;
    }
    made++;
    wrong += domain != AF_INET || type != SOCK_STREAM;
    int fd = socket(domain, type, protocol);
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

static int on_connect(int fd, const struct sockaddr *addr, int addrlen, const char *id, void *opaque) {
    const app_t *app = opaque;
    const struct sockaddr_in *in = (const void *)addr;
    char name[64];
    connected++;
    snprintf(name, sizeof name, "127.0.0.1:%d", ntohs(in->sin_port));
    wrong += addrlen != (int)sizeof *in || addr->sa_family != AF_INET || strcmp(id, name) != 0;
    wrong += !(fcntl(fd, F_GETFL) & O_NONBLOCK);
    if (app->refuse)
        return EACCES;
    if (app->block)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return connect(fd, addr, (socklen_t)addrlen) == 0 ? 0 : errno;
}

static void on_error(rk_producer_t *rk, rk_resp_err_t err, const char *reason, void *opaque) {
    app_t *app = opaque;
    (void)rk;
    if (err == RK_RESP_ERR__ALL_BROKERS_DOWN)
        return;
    app->err = err;
    snprintf(app->reason, sizeof app->reason, "%s", reason);
}

static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    app_t *app = opaque;
    (void)rk;
    app->count += m->err == RK_RESP_ERR_NO_ERROR;
}

static rk_producer_t *producer(rk_mock_cluster_t *mock, app_t *app) {
    rk_conf_t *conf = rk_conf_new();
    test_set(conf, "bootstrap.servers", rk_mock_cluster_bootstraps(mock));
    test_set(conf, "log_level", "0");
    rk_conf_set_opaque(conf, app);
    rk_conf_set_error_cb(conf, on_error);
    rk_conf_set_dr_msg_cb(conf, on_report);
    rk_conf_set_socket_cb(conf, on_socket);
    rk_conf_set_connect_cb(conf, on_connect);
    return test_producer(conf);
}

static void delivers(rk_mock_cluster_t *mock, app_t app) {
    rk_producer_t *rk = producer(mock, &app);
    for (int i = 0; i < 1000; i++)
        CHECK_OK(test_produce(rk, "t", i % 2, "x", NULL)); /* led by two brokers */
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(app.count, 1000);
    rk_producer_destroy(rk);
}

static void fails(rk_mock_cluster_t *mock, app_t app, int number) {
    char word[32];
    rk_producer_t *rk = producer(mock, &app);
    CHECK_OK(test_produce(rk, "t", 0, "x", NULL));
    double end = test_now() + 20;
    while (!app.err && test_now() < end)
        rk_producer_poll(rk, 50);
    CHECK_ERR(app.err, RK_RESP_ERR__TRANSPORT);
    snprintf(word, sizeof word, "os error %d", number);
    CHECK(strstr(app.reason, word) != NULL);
    CHECK_OK(rk_producer_purge(rk, RK_PURGE_F_QUEUE));
    rk_producer_destroy(rk);
}

int main(void) {
    char why[512] = "";
    rk_mock_cluster_t *mock = rk_mock_cluster_new(2, why, sizeof why);
    CHECK(mock != NULL);
    CHECK_OK(rk_mock_topic_create(mock, "t", 2, 1));
    app_t app = {0};
    delivers(mock, app);
    app.block = 1;
    delivers(mock, app);
    CHECK(made >= 4 && connected == made);
    app.refuse = 1;
    fails(mock, app, EACCES);
    app.no_sockets = 1;
    fails(mock, app, EMFILE);
    CHECK_INT(wrong, 0);
    rk_conf_set_socket_cb(NULL, on_socket);
    rk_conf_set_connect_cb(NULL, on_connect);
    rk_mock_cluster_destroy(mock);
    return 0;
}
