/* The clock is set back and forth by an hour while messages are sent, retried and time out: they are delivered all the
 * same, time-outs and waiting keep to real time, and reports tell sane latencies. Records' timestamps follow the clock. */
#define _GNU_SOURCE /* for syscall() */
#include "test.h"

#ifndef __linux__
int main(void) {
    return 0;
}
#else

#include <pthread.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

enum { HOUR = 3600 };

static volatile long shift;
static volatile int running;

/* The program's own functions come before libc's: what the library reads is the clock as it has been set. */
int clock_gettime(clockid_t clock, struct timespec *t) {
    int result = (int)syscall(SYS_clock_gettime, clock, t);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        t->tv_sec += shift;
    return result;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

static void *set_the_clock(void *arg) {
    (void)arg;
    for (int i = 0; running; i++) {
        test_sleep_ms(7);
        shift = i % 2 == 0 ? -HOUR : i % 4 == 1 ? 0 : HOUR;
    }
    return NULL;
}

static int64_t last_timestamp, worst_latency;
static int reports, failed;

static void on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    (void)rk;
    (void)opaque;
    reports++;
    failed += m->err != RK_RESP_ERR_NO_ERROR;
    CHECK(m->latency_us >= 0);
    if (m->latency_us > worst_latency)
        worst_latency = m->latency_us;
    last_timestamp = m->timestamp_ms;
}

static rk_producer_t *producer(int brokers, const char *timeout) {
    rk_conf_t *conf = test_conf(brokers);
    test_set(conf, "message.timeout.ms", timeout);
    test_set(conf, "log_level", "0");
    test_set(conf, "retry.backoff.ms", "10");
    test_set(conf, "statistics.interval.ms", "50");
    test_set(conf, "topic.metadata.refresh.interval.ms", "100");
    rk_conf_set_dr_msg_cb(conf, on_report);
    reports = failed = 0;
    worst_latency = 0;
    return test_producer(conf);
}

/* The functions above are what the library calls. */
static void timestamps_follow_the_clock(void) {
    rk_producer_t *rk = producer(1, "60000");
    struct timespec real;
    for (int way = -1; way <= 1; way++) {
        shift = way * HOUR;
        CHECK_OK(test_produce(rk, "t", 0, "x", NULL));
        CHECK_OK(rk_producer_flush(rk, 20000));
        syscall(SYS_clock_gettime, CLOCK_REALTIME, &real);
        long long off = (long long)last_timestamp / 1000 - (long long)real.tv_sec;
        CHECK(off >= way * HOUR - 30 && off <= way * HOUR + 30);
    }
    CHECK_INT(failed, 0);
    CHECK(worst_latency < 10000000);
    rk_producer_destroy(rk);
}

static void messages_are_delivered(void) {
    rk_producer_t *rk = producer(1, "60000");
    rk_mock_cluster_t *mock = rk_producer_mock(rk);
    for (int i = 0; i < 500; i++) {
        if (i % 50 == 10)
            CHECK_OK(rk_mock_broker_drop_connections(mock, 1));
        CHECK_OK(test_produce(rk, "t", RK_PARTITION_UA, "x", NULL));
        rk_producer_poll(rk, 1);
    }
    CHECK_OK(rk_producer_flush(rk, 30000));
    CHECK_INT(reports, 500);
    CHECK_INT(failed, 0);
    CHECK(worst_latency < 30000000);
    rk_producer_destroy(rk);
}

static void waiting_and_time_outs_keep_to_real_time(void) {
    rk_producer_t *rk = producer(0, "1000");
    double start = test_now();
    for (int i = 0; i < 20; i++)
        CHECK_OK(test_produce(rk, "nowhere", RK_PARTITION_UA, "x", NULL));
    CHECK_ERR(rk_producer_flush(rk, 400), RK_RESP_ERR__TIMED_OUT);
    double took = test_now() - start;
    CHECK(took >= 0.39 && took < 0.9);
    CHECK_INT(rk_producer_poll(rk, 100), 0);
    CHECK_OK(rk_producer_flush(rk, 20000));
    took = test_now() - start;
    CHECK(took >= 0.9 && took < 10);
    CHECK_INT(failed, 20);
    CHECK(worst_latency >= 900000 && worst_latency < 10000000);
    rk_producer_destroy(rk);
}

int main(void) {
    timestamps_follow_the_clock();
    pthread_t thread;
    running = 1;
    CHECK_INT(pthread_create(&thread, NULL, set_the_clock, NULL), 0);
    messages_are_delivered();
    waiting_and_time_outs_keep_to_real_time();
    running = 0;
    CHECK_INT(pthread_join(thread, NULL), 0);
    return 0;
}
#endif
