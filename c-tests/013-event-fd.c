/* The descriptor is readable while there is something to take, and only then. */
#include "test.h"

#include <poll.h>

static int readable(int fd, int ms) {
    struct pollfd p;
    p.fd = fd;
    p.events = POLLIN;
    p.revents = 0;
    int n = poll(&p, 1, ms);
    CHECK(n >= 0);
    return n;
}

int main(void) {
    rk_conf_t *conf = test_conf(1);
    rk_conf_set_events(conf, RK_EVENT_DR);
    rk_producer_t *rk = test_producer(conf);
    int fd = rk_producer_event_fd(rk), reported = 0;
    CHECK(fd >= 0);
    CHECK_INT(rk_producer_event_fd(rk), fd);
    CHECK_INT(readable(fd, 50), 0);
    for (int round = 0; round < 20; round++) {
        CHECK_OK(test_produce(rk, "fd", RK_PARTITION_UA, "x", NULL));
        CHECK_INT(readable(fd, 10000), 1);
        rk_event_t *event;
        while ((event = rk_producer_poll_event(rk, 0))) {
            reported += (int)rk_event_message_count(event);
            rk_event_destroy(event);
        }
        CHECK_INT(reported, round + 1);
        CHECK_INT(readable(fd, 0), 0);
    }
    rk_producer_destroy(rk);

    /* With callbacks, too; asked for when there is something already. */
    test_reports_t reports;
    conf = test_conf(1);
    test_count_reports(conf, &reports);
    rk = test_producer(conf);
    CHECK_OK(test_produce(rk, "fd", RK_PARTITION_UA, "x", NULL));
    test_sleep_ms(300);
    fd = rk_producer_event_fd(rk);
    CHECK_INT(readable(fd, 10000), 1);
    CHECK(rk_producer_poll(rk, 0) > 0);
    CHECK_INT(reports.count, 1);
    CHECK_INT(readable(fd, 0), 0);
    rk_producer_destroy(rk);
    return 0;
}
