/* fork(): in the child, what the parent made gives a clear error at once and can be destroyed; the child can make its own.
 * The parent does not notice. */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs `check` in a child, which tells by a byte that it came to its end, and is then gone without any clean-up. */
static void in_child(void (*check)(void *), void *arg) {
    int fds[2];
    CHECK_INT(pipe(fds), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        alarm(60);
        check(arg);
        CHECK_INT(write(fds[1], "y", 1), 1);
        kill(getpid(), SIGKILL);
    }
    close(fds[1]);
    char byte = 0;
    CHECK_INT(read(fds[0], &byte, 1), 1);
    close(fds[0]);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
}

typedef struct {
    rk_producer_t *rk;
    rk_topic_t *topic;
    rk_event_t *event;
} handles_t;

static void refused(handles_t *h) {
    char why[256] = "";
    CHECK_ERR(test_produce(h->rk, "t", 0, "x", NULL), RK_RESP_ERR__STATE);
    CHECK_ERR(test_produce(h->rk, "new-topic", 0, "x", NULL), RK_RESP_ERR__STATE);
    CHECK_ERR(rk_topic_produce(h->topic, 0, RK_MSG_F_BLOCK, "x", 1, NULL, 0, 0, NULL), RK_RESP_ERR__STATE);
    CHECK(rk_producer_topic(h->rk, "another") == NULL);
    double start = test_now();
    CHECK_ERR(rk_producer_flush(h->rk, -1), RK_RESP_ERR__STATE);
    CHECK_INT(rk_producer_poll(h->rk, -1), RK_RESP_ERR__STATE);
    CHECK(rk_producer_poll_event(h->rk, -1) == NULL);
    CHECK_ERR(rk_producer_purge(h->rk, RK_PURGE_F_QUEUE | RK_PURGE_F_INFLIGHT), RK_RESP_ERR__STATE);
    const rk_metadata_t *metadata = NULL;
    CHECK_ERR(rk_producer_metadata(h->rk, 1, NULL, &metadata, 30000), RK_RESP_ERR__STATE);
    CHECK_INT(rk_producer_len(h->rk), 0);
    CHECK_INT(rk_producer_event_fd(h->rk), -1);
    CHECK(rk_producer_mock(h->rk) == NULL);
    CHECK_ERR(rk_producer_fatal_error(h->rk, why, sizeof why), RK_RESP_ERR__STATE);
    CHECK(strstr(why, "fork") != NULL);
    rk_error_t *error = rk_producer_begin_transaction(h->rk);
    CHECK_ERR(rk_error_code(error), RK_RESP_ERR__STATE);
    CHECK(strstr(rk_error_string(error), "fork") != NULL);
    rk_error_destroy(error);
    error = rk_producer_init_transactions(h->rk, -1);
    CHECK_ERR(rk_error_code(error), RK_RESP_ERR__STATE);
    rk_error_destroy(error);
    CHECK_ERR(rk_producer_oauthbearer_set_token_failure(h->rk, "none"), RK_RESP_ERR__STATE);
    *why = 0;
    CHECK_ERR(rk_producer_oauthbearer_set_token(h->rk, "t", 1, "p", NULL, 0, why, sizeof why), RK_RESP_ERR__STATE);
    CHECK(strstr(why, "fork") != NULL);
    CHECK(rk_producer_name(h->rk) != NULL);
    CHECK_STR(rk_topic_name(h->topic), "t");
    CHECK(test_now() - start < 10);
}

static void child_of_queue(void *arg) {
    handles_t *h = (handles_t *)arg;
    refused(h);
    rk_topic_destroy(h->topic);
    rk_event_destroy(h->event);
    rk_producer_destroy(h->rk);
    /* A producer of its own, which a grandchild must leave alone too. */
    test_reports_t reports;
    rk_conf_t *conf = test_conf(1);
    test_count_reports(conf, &reports);
    rk_producer_t *rk = test_producer(conf);
    for (int i = 0; i < 10; i++)
        CHECK_OK(test_produce(rk, "mine", RK_PARTITION_UA, "x", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports.count, 10);
    CHECK_INT(reports.failed, 0);
    rk_producer_destroy(rk);
}

/* With messages queued and in flight, reports not yet taken, and handles of each kind. */
static void forked_with_messages_queued(void) {
    rk_conf_t *conf = test_conf(1);
    rk_conf_set_events(conf, RK_EVENT_DR);
    rk_producer_t *rk = test_producer(conf);
    handles_t h = {rk, rk_producer_topic(rk, "t"), NULL};
    CHECK_OK(rk_topic_produce(h.topic, 0, 0, "x", 1, NULL, 0, 0, NULL));
    h.event = rk_producer_poll_event(rk, 20000);
    CHECK(h.event != NULL);
    CHECK_OK(rk_mock_broker_set_frozen(rk_producer_mock(rk), 1, 1));
    for (int i = 0; i < 100; i++)
        CHECK_OK(rk_topic_produce(h.topic, 0, 0, "x", 1, NULL, 0, 0, NULL));
    test_sleep_ms(50);
    in_child(child_of_queue, &h);
    CHECK_OK(rk_mock_broker_set_frozen(rk_producer_mock(rk), 1, 0));
    rk_event_destroy(h.event);
    int delivered = 0;
    double until = test_now() + 30;
    while (delivered < 100 && test_now() < until) {
        rk_event_t *event = rk_producer_poll_event(rk, 1000);
        const rk_message_t *m;
        while (event && (m = rk_event_message_next(event)) != NULL) {
            CHECK_OK(m->err);
            delivered++;
        }
        rk_event_destroy(event);
    }
    CHECK_INT(delivered, 100);
    rk_topic_destroy(h.topic);
    rk_producer_destroy(rk);
}

static handles_t in_callback;
static int callbacks;

static void child_of_callback(void *arg) {
    refused((handles_t *)arg);
}

static void forking_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    (void)opaque;
    CHECK_OK(m->err);
    CHECK(rk == in_callback.rk);
    if (callbacks++ == 0)
        in_child(child_of_callback, &in_callback);
}

/* Within a callback: refused for both reasons, in one way. */
static void forked_in_a_callback(void) {
    rk_conf_t *conf = test_conf(1);
    rk_conf_set_dr_msg_cb(conf, forking_report);
    rk_producer_t *rk = test_producer(conf);
    in_callback.rk = rk;
    in_callback.topic = rk_producer_topic(rk, "t");
    for (int i = 0; i < 10; i++)
        CHECK_OK(rk_topic_produce(in_callback.topic, 0, 0, "x", 1, NULL, 0, 0, NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(callbacks, 10);
    rk_topic_destroy(in_callback.topic);
    rk_producer_destroy(rk);
}

static pid_t me;

static void returning_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    (void)rk;
    (void)m;
    int *left = (int *)opaque;
    if (getpid() == me && --*left == 0 && fork() == 0) {
        alarm(60);
    }
}

/* The child comes back from the callback, and so from the flush that it was in. */
static void child_returns_from_a_callback(void) {
    int left = 5;
    me = getpid();
    rk_conf_t *conf = test_conf(1);
    rk_conf_set_opaque(conf, &left);
    rk_conf_set_dr_msg_cb(conf, returning_report);
    rk_producer_t *rk = test_producer(conf);
    for (int i = 0; i < 10; i++) {
        CHECK_OK(test_produce(rk, "t", 0, "x", NULL));
        test_sleep_ms(10);
    }
    rk_resp_err_t err = rk_producer_flush(rk, -1);
    if (getpid() != me) {
        CHECK_ERR(err, RK_RESP_ERR__STATE);
        rk_producer_destroy(rk);
        kill(getpid(), SIGKILL);
    }
    CHECK_OK(err);
    int status = 0;
    CHECK(wait(&status) > 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    rk_producer_destroy(rk);
}

static volatile int running = 1;

static void *produce_and_poll(void *arg) {
    rk_producer_t *rk = (rk_producer_t *)arg;
    while (running) {
        test_produce(rk, "t", RK_PARTITION_UA, "busy", NULL);
        rk_producer_poll(rk, 0);
    }
    return NULL;
}

static void child_of_busy(void *arg) {
    handles_t *h = (handles_t *)arg;
    refused(h);
    rk_topic_destroy(h->topic);
    rk_producer_destroy(h->rk);
}

/* At any moment of other threads' work. */
static void forked_while_others_work(void) {
    test_reports_t reports;
    rk_conf_t *conf = test_conf(1);
    test_count_reports(conf, &reports);
    rk_producer_t *rk = test_producer(conf);
    handles_t h = {rk, rk_producer_topic(rk, "t"), NULL};
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, produce_and_poll, rk), 0);
    for (int i = 0; i < 20; i++) {
        test_sleep_ms(3);
        in_child(child_of_busy, &h);
    }
    running = 0;
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_OK(rk_producer_flush(rk, 30000));
    CHECK_INT(reports.failed, 0);
    rk_topic_destroy(h.topic);
    rk_producer_destroy(rk);
}

int main(void) {
    forked_with_messages_queued();
    forked_in_a_callback();
    child_returns_from_a_callback();
    forked_while_others_work();
    return 0;
}
