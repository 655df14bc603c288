/*
 * The callback-free way, in an epoll loop: the producer's descriptor becomes readable when there are events, and
 * rk_producer_poll_event hands them out. A timer descriptor stands for the rest of the program.
 */
#define _GNU_SOURCE
#include <rkafka.h>

#ifndef __linux__
#include <stdio.h>
int main(void) {
    puts("epoll is Linux's: use poll(2) or kqueue with the same descriptor");
    return 0;
}
#else
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { MESSAGES = 20 };

static int reported;

/* Takes everything that is there, without waiting. */
static void on_readable(rk_producer_t *rk) {
    rk_event_t *event;
    while ((event = rk_producer_poll_event(rk, 0))) {
        const rk_message_t *m;
        switch (rk_event_type(event)) {
        case RK_EVENT_DR:
            printf("%zu reports in one event\n", rk_event_message_count(event));
            while ((m = rk_event_message_next(event))) {
                reported++;
                if (m->err)
                    fprintf(stderr, "failed: %s\n", rk_err2str(m->err));
            }
            break;
        case RK_EVENT_ERROR:
            fprintf(stderr, "%s: %s\n", rk_err2name(rk_event_error(event)), rk_event_error_string(event));
            break;
        default:
            printf("%s\n", rk_event_name(event));
        }
        rk_event_destroy(event);
    }
}

int main(void) {
    char why[256];
    const char *bootstrap = getenv("BOOTSTRAP");
    rk_conf_t *conf = rk_conf_new();
    rk_conf_res_t res = bootstrap ? rk_conf_set(conf, "bootstrap.servers", bootstrap, why, sizeof why)
                                  : rk_conf_set(conf, "test.mock.num.brokers", "1", why, sizeof why);
    if (res != RK_CONF_OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    rk_conf_set_events(conf, RK_EVENT_DR | RK_EVENT_ERROR | RK_EVENT_STATS);
    rk_producer_t *rk = rk_producer_new(conf, why, sizeof why);
    if (!rk) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }

    int loop = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec every = {{0, 50 * 1000 * 1000}, {0, 1}};
    timerfd_settime(timer, 0, &every, NULL);
    struct epoll_event on_timer = {.events = EPOLLIN, .data.fd = timer};
    struct epoll_event on_event = {.events = EPOLLIN, .data.fd = rk_producer_event_fd(rk)};
    epoll_ctl(loop, EPOLL_CTL_ADD, timer, &on_timer);
    epoll_ctl(loop, EPOLL_CTL_ADD, on_event.data.fd, &on_event);

    for (int produced = 0, rounds = 0; reported < MESSAGES && rounds < 1000; rounds++) {
        struct epoll_event ready;
        if (epoll_wait(loop, &ready, 1, 1000) != 1)
            continue;
        if (ready.data.fd == timer) {
            uint64_t ticks;
            if (read(timer, &ticks, sizeof ticks) < 0)
                break;
            for (int i = 0; i < 5 && produced < MESSAGES; i++, produced++)
                if (rk_producer_produce(rk, "events", RK_PARTITION_UA, RK_MSG_F_COPY, "tick", 4, NULL, 0, 0, NULL))
                    return 1;
        } else {
            on_readable(rk);
        }
    }
    printf("%d of %d messages reported\n", reported, MESSAGES);
    close(timer);
    close(loop);
    rk_producer_destroy(rk);
    return reported == MESSAGES ? 0 : 1;
}
#endif
