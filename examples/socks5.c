/*
 * Produces through a SOCKS5 proxy (RFC 1928), by rk_conf_set_connect_cb: every connection to a broker goes to the proxy, which is
 * told the broker's name and connects on.
 *
 * Environment: SOCKS5=host:port (the proxy, by IPv4 address), BOOTSTRAP=host:port, COUNT, TOPIC. Names of brokers must resolve
 * here, too, though the proxy looks them up by itself.
 */
#include <rkafka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL /* where a socket's own option takes its place */
#define MSG_NOSIGNAL 0
#endif

enum { PATIENCE_MS = 10000 };

static struct sockaddr_in proxy;

static long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

/* Waits until the socket can be read or written; 0 or an errno. */
static int wait_for(int fd, short events, long until) {
    struct pollfd p;
    long left = until - now_ms();
    p.fd = fd;
    p.events = events;
    p.revents = 0;
    int n = poll(&p, 1, left > 0 ? (int)left : 0);
    return n > 0 ? 0 : n == 0 ? ETIMEDOUT : errno;
}

/* Sends or receives all `size` bytes; 0 or an errno. */
static int exchange(int fd, unsigned char *bytes, size_t size, int sending, long until) {
    size_t done = 0;
    while (done < size) {
        int err = wait_for(fd, sending ? POLLOUT : POLLIN, until);
        if (err)
            return err;
        ssize_t n = sending ? send(fd, bytes + done, size - done, MSG_NOSIGNAL) : recv(fd, bytes + done, size - done, 0);
        if (n == 0)
            return ECONNRESET;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EAGAIN && errno != EINTR)
            return errno;
    }
    return 0;
}

/* Runs on the thread of the broker; the socket is non-blocking. `id` is the broker's host:port. */
static int connect_by_proxy(int fd, const struct sockaddr *addr, int addrlen, const char *id, void *opaque) {
    static const unsigned char hello[] = {5, 1, 0}; /* version 5, one method: no authentication */
    const long until = now_ms() + PATIENCE_MS;
    const char *colon = strrchr(id, ':');
    size_t name = colon ? (size_t)(colon - id) : 0;
    unsigned char b[300];
    int err, failed = 0;
    socklen_t size = sizeof failed;
    (void)addr;
    (void)addrlen;
    (void)opaque;
    if (name == 0 || name > 255)
        return EINVAL;
    if (connect(fd, (const struct sockaddr *)&proxy, sizeof proxy) != 0 && errno != EINPROGRESS)
        return errno;
    if ((err = wait_for(fd, POLLOUT, until)) != 0)
        return err;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) != 0 || failed)
        return failed ? failed : errno;
    memcpy(b, hello, sizeof hello);
    if ((err = exchange(fd, b, sizeof hello, 1, until)) != 0 || (err = exchange(fd, b, 2, 0, until)) != 0)
        return err;
    if (b[0] != 5 || b[1] != 0)
        return EACCES; /* the proxy wants to know who this is */
    int port = atoi(colon + 1);
    b[0] = 5;
    b[1] = 1; /* connect */
    b[2] = 0;
    b[3] = 3; /* to a name */
    b[4] = (unsigned char)name;
    memcpy(b + 5, id, name);
    b[5 + name] = (unsigned char)(port >> 8);
    b[6 + name] = (unsigned char)port;
    if ((err = exchange(fd, b, 7 + name, 1, until)) != 0 || (err = exchange(fd, b, 4, 0, until)) != 0)
        return err;
    if (b[0] != 5 || b[1] != 0)
        return ECONNREFUSED;
    /* The address that the proxy connects from, and a port: of no use here. */
    if (b[3] == 3) {
        if ((err = exchange(fd, b + 4, 1, 0, until)) != 0)
            return err;
        return exchange(fd, b + 5, (size_t)b[4] + 2, 0, until);
    }
    return exchange(fd, b + 4, b[3] == 4 ? 16 + 2 : 4 + 2, 0, until);
}

static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    long *delivered = opaque;
    (void)rk;
    if (m->err)
        fprintf(stderr, "a message failed: %s\n", rk_err2str(m->err));
    else
        ++*delivered;
}

static const char *setting(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

int main(void) {
    const char *topic = setting("TOPIC", "demo"), *bootstrap = setting("BOOTSTRAP", ""), *at = setting("SOCKS5", "");
    long count = atol(setting("COUNT", "1000")), delivered = 0;
    const char *colon = strrchr(at, ':');
    char why[512], host[64] = "";
    if (colon && (size_t)(colon - at) < sizeof host)
        memcpy(host, at, (size_t)(colon - at));
    proxy.sin_family = AF_INET;
    if (!*bootstrap || inet_pton(AF_INET, host, &proxy.sin_addr) != 1) {
        fprintf(stderr, "set BOOTSTRAP=host:port and SOCKS5=address:port\n");
        return 1;
    }
    proxy.sin_port = htons((unsigned short)atoi(colon + 1));

    rk_conf_t *conf = rk_conf_new();
    rk_conf_set_opaque(conf, &delivered);
    rk_conf_set_dr_msg_cb(conf, on_report);
    rk_conf_set_connect_cb(conf, connect_by_proxy);
    if (rk_conf_set(conf, "bootstrap.servers", bootstrap, why, sizeof why) != RK_CONF_OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    rk_producer_t *rk = rk_producer_new(conf, why, sizeof why);
    if (!rk) {
        fprintf(stderr, "%s\n", why);
        rk_conf_destroy(conf);
        return 1;
    }
    for (long i = 0; i < count;) {
        char text[32];
        int n = snprintf(text, sizeof text, "message %ld", i);
        rk_resp_err_t err =
            rk_producer_produce(rk, topic, RK_PARTITION_UA, RK_MSG_F_COPY, text, (size_t)n, NULL, 0, 0, NULL);
        if (!err) {
            i++;
        } else if (err != RK_RESP_ERR__QUEUE_FULL) {
            fprintf(stderr, "%s\n", rk_err2str(err));
            break;
        }
        rk_producer_poll(rk, err ? 10 : 0);
    }
    rk_producer_flush(rk, 30000);
    rk_producer_destroy(rk);
    printf("%ld of %ld messages delivered through %s\n", delivered, count, at);
    return delivered == count ? 0 : 1;
}
