/* A full queue refuses at once, takes messages again after reports were served, or lets a thread wait for room. */
#include "test.h"

#include <pthread.h>

enum { LIMIT = 100 };

static rk_producer_t *rk;
static volatile int entered, left;

static void *produce_blocking(void *opaque) {
    (void)opaque;
    entered = 1;
    CHECK_OK(rk_producer_produce(rk, "full", 0, RK_MSG_F_BLOCK, "x", 1, NULL, 0, 0, NULL));
    left = 1;
    return NULL;
}

int main(void) {
    test_reports_t reports;
    rk_conf_t *conf = test_conf(1);
    test_set(conf, "queue.buffering.max.messages", "100");
    test_count_reports(conf, &reports);
    rk = test_producer(conf);
    for (int i = 0; i < LIMIT; i++)
        CHECK_OK(test_produce(rk, "full", 0, "x", NULL));
    double start = test_now();
    CHECK_ERR(test_produce(rk, "full", 0, "x", NULL), RK_RESP_ERR__QUEUE_FULL);
    CHECK(test_now() - start < 1);
    /* Delivered or not: as long as its report was not served, a message takes its place. */
    test_sleep_ms(300);
    CHECK_ERR(test_produce(rk, "full", 0, "x", NULL), RK_RESP_ERR__QUEUE_FULL);
    CHECK_INT(rk_producer_len(rk), LIMIT);

    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, produce_blocking, NULL), 0);
    test_sleep_ms(300);
    CHECK(entered && !left);
    CHECK_INT(reports.count, 0);
    while (reports.count < LIMIT)
        CHECK(rk_producer_poll(rk, 10000) > 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(left, 1);

    for (int i = 0; i < LIMIT / 2; i++)
        CHECK_OK(test_produce(rk, "full", 0, "x", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports.count, LIMIT + 1 + LIMIT / 2);
    CHECK_INT(reports.failed, 0);
    CHECK_INT(rk_mock_partition_end_offset(rk_producer_mock(rk), "full", 0), reports.count);
    rk_producer_destroy(rk);
    return 0;
}
