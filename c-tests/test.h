/*
 * What the test programs share. A failed check prints its place and ends the program with status 1.
 */
#ifndef TEST_H
#define TEST_H

#include <rkafka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(condition)                                                                      \
    do {                                                                                      \
        if (!(condition)) {                                                                   \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);           \
            exit(1);                                                                          \
        }                                                                                     \
    } while (0)

#define CHECK_INT(got, want)                                                                  \
    do {                                                                                      \
        long long got_ = (long long)(got), want_ = (long long)(want);                         \
        if (got_ != want_) {                                                                  \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, got_, want_); \
            exit(1);                                                                          \
        }                                                                                     \
    } while (0)

#define CHECK_ERR(got, want)                                                                  \
    do {                                                                                      \
        rk_resp_err_t got_ = (got), want_ = (want);                                           \
        if (got_ != want_) {                                                                  \
            fprintf(stderr, "%s:%d: %s is %s, not %s\n", __FILE__, __LINE__, #got,            \
                    rk_err2name(got_), rk_err2name(want_));                                   \
            exit(1);                                                                          \
        }                                                                                     \
    } while (0)

#define CHECK_OK(got) CHECK_ERR(got, RK_RESP_ERR_NO_ERROR)

#define CHECK_STR(got, want)                                                                  \
    do {                                                                                      \
        const char *got_ = (got), *want_ = (want);                                            \
        if (!got_ || strcmp(got_, want_) != 0) {                                              \
            fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #got,    \
                    got_ ? got_ : "(null)", want_);                                           \
            exit(1);                                                                          \
        }                                                                                     \
    } while (0)

/* Seconds on a clock that only goes forward. */
static inline double test_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void test_sleep_ms(long ms) {
    struct timespec t;
    t.tv_sec = ms / 1000;
    t.tv_nsec = ms % 1000 * 1000000;
    nanosleep(&t, NULL);
}

static inline void test_set(rk_conf_t *conf, const char *name, const char *value) {
    char why[512] = "";
    if (rk_conf_set(conf, name, value, why, sizeof why) != RK_CONF_OK) {
        fprintf(stderr, "%s=%s: %s\n", name, value, why);
        exit(1);
    }
}

/* A configuration with an embedded cluster of so many brokers, or with one that nobody answers for (0). */
static inline rk_conf_t *test_conf(int brokers) {
    char n[16];
    rk_conf_t *conf = rk_conf_new();
    CHECK(conf != NULL);
    if (brokers > 0) {
        snprintf(n, sizeof n, "%d", brokers);
        test_set(conf, "test.mock.num.brokers", n);
    } else {
        test_set(conf, "bootstrap.servers", "127.0.0.1:1");
        test_set(conf, "log_level", "0");
    }
    test_set(conf, "linger.ms", "5");
    return conf;
}

static inline rk_producer_t *test_producer(rk_conf_t *conf) {
    char why[512] = "";
    rk_producer_t *rk = rk_producer_new(conf, why, sizeof why);
    if (!rk) {
        fprintf(stderr, "rk_producer_new: %s\n", why);
        exit(1);
    }
    return rk;
}

/* Produces a C string without its NUL. */
static inline rk_resp_err_t test_produce(rk_producer_t *rk, const char *topic, int32_t partition, const char *text,
                                         void *opaque) {
    return rk_producer_produce(rk, topic, partition, RK_MSG_F_COPY, text, strlen(text), NULL, 0, 0, opaque);
}

/* Counts of reports, as the opaque of the two callbacks below. */
typedef struct {
    int count, failed;
    rk_resp_err_t last_err;
} test_reports_t;

static inline void test_on_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    test_reports_t *r = (test_reports_t *)opaque;
    (void)rk;
    r->count++;
    r->failed += m->err != RK_RESP_ERR_NO_ERROR;
    r->last_err = m->err;
}

/* Lets reports be counted in `r`. */
static inline void test_count_reports(rk_conf_t *conf, test_reports_t *r) {
    memset(r, 0, sizeof *r);
    rk_conf_set_opaque(conf, r);
    rk_conf_set_dr_msg_cb(conf, test_on_report);
}

#endif
