/*
 * A program that does something else and polls on a timer, so that delivery reports are served even when it produces
 * nothing. Here the something else is a message a second's tenth, ten times; a GUI or game loop would look the same.
 */
#include <rkafka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int reported;

static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    (void)rk;
    (void)opaque;
    reported++;
    printf("report: %.*s: %s\n", (int)m->len, (const char *)m->payload, m->err ? rk_err2str(m->err) : "delivered");
}

/* A tick of the program's timer: never waits. */
static void on_timer(rk_producer_t *rk) {
    rk_producer_poll(rk, 0);
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
    rk_conf_set_dr_msg_cb(conf, on_report);
    rk_producer_t *rk = rk_producer_new(conf, why, sizeof why);
    if (!rk) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    const struct timespec tick = {0, 20 * 1000 * 1000};
    for (int i = 0; i < 50; i++) {
        if (i % 5 == 0) {
            char text[32];
            int len = snprintf(text, sizeof text, "event %d", i / 5);
            rk_resp_err_t err =
                rk_producer_produce(rk, "events", RK_PARTITION_UA, RK_MSG_F_COPY, text, (size_t)len, NULL, 0, 0, NULL);
            if (err)
                fprintf(stderr, "produce: %s\n", rk_err2str(err));
        }
        nanosleep(&tick, NULL);
        on_timer(rk);
    }
    rk_producer_flush(rk, 10 * 1000);
    rk_producer_destroy(rk);
    return reported == 10 ? 0 : 1;
}
