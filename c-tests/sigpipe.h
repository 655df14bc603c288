/*
 * A witness that SIGPIPE is raised in no thread, for programs whose brokers close connections while they are written to.
 */
#ifndef SIGPIPE_H
#define SIGPIPE_H

#include "test.h"

#include <dirent.h>
#include <signal.h>

static volatile sig_atomic_t raised;

static void on_sigpipe(int number) {
    (void)number;
    raised = 1;
}

/* Whether the signal is pending in some thread: those of the library block signals. Linux tells; elsewhere the handler
 * alone is the witness. */
static int pending_somewhere(void) {
    int found = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        return 0;
    struct dirent *task;
    while ((task = readdir(tasks)) != NULL) {
        char path[300], line[256];
        unsigned long long bits = 0;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *status = fopen(path, "r");
        if (!status)
            continue;
        while (fgets(line, sizeof line, status)) {
            if (sscanf(line, "SigPnd: %llx", &bits) == 1 || sscanf(line, "ShdPnd: %llx", &bits) == 1)
                found |= (bits >> (SIGPIPE - 1) & 1) != 0;
        }
        fclose(status);
    }
    closedir(tasks);
    return found;
}

/* Produces while the broker closes connections again and again, and goes and comes back. Nothing is lost and SIGPIPE is
 * raised in no thread. `mock`: NULL is the producer's own; `reports` counts them. */
static void produce_through_cuts(rk_conf_t *conf, rk_mock_cluster_t *mock, int rounds, const int *reports) {
    static char payload[50000];
    int accepted = 0;
    signal(SIGPIPE, on_sigpipe);
    test_set(conf, "linger.ms", "0");
    test_set(conf, "retry.backoff.ms", "1");
    test_set(conf, "retry.backoff.max.ms", "5");
    test_set(conf, "reconnect.backoff.ms", "1");
    test_set(conf, "reconnect.backoff.max.ms", "5");
    test_set(conf, "log_level", "0");
    rk_producer_t *rk = test_producer(conf);
    if (!mock)
        mock = rk_producer_mock(rk);
    for (int i = 0; i < rounds; i++) {
        for (int k = 0; k < 5; k++)
            accepted += rk_producer_produce(rk, "cut", RK_PARTITION_UA, 0, payload, sizeof payload, NULL, 0, 0, NULL) ==
                        RK_RESP_ERR_NO_ERROR;
        if (i % 3 == 0)
            CHECK_OK(rk_mock_broker_drop_connections(mock, 1));
        if (i % 50 == 10)
            CHECK_OK(rk_mock_broker_set_down(mock, 1));
        if (i % 50 == 12)
            CHECK_OK(rk_mock_broker_set_up(mock, 1));
        rk_producer_poll(rk, 1);
    }
    CHECK(!pending_somewhere());
    CHECK_OK(rk_mock_broker_set_up(mock, 1));
    CHECK_OK(rk_producer_flush(rk, 50000));
    CHECK_INT(*reports, accepted);
    CHECK(!pending_somewhere());
    rk_producer_destroy(rk);
    CHECK(!raised);
}

#endif
