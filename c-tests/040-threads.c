/* Four threads produce into one producer, another polls: one report per message, and order per thread and partition. */
#include "test.h"

#include <pthread.h>

enum { THREADS = 4, PER_THREAD = 50000, PARTITIONS = 4 };

typedef struct {
    int thread, number;
} id_t_;

static rk_producer_t *rk;
static rk_topic_t *topic;
static unsigned char reported[THREADS][PER_THREAD];
static int total, last[THREADS][PARTITIONS], in_log;
static volatile int producing = THREADS;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void on_report(rk_producer_t *rk_, const rk_message_t *m, void *opaque) {
    intptr_t id = (intptr_t)m->opaque;
    (void)rk_;
    (void)opaque;
    CHECK_OK(m->err);
    CHECK_INT(reported[id / PER_THREAD][id % PER_THREAD]++, 0);
    total++;
}

static void in_partition(const rk_message_t *m, void *opaque) {
    id_t_ id;
    (void)opaque;
    CHECK(m->len == sizeof id);
    memcpy(&id, m->payload, sizeof id);
    CHECK(id.thread >= 0 && id.thread < THREADS);
    CHECK(id.number > last[id.thread][m->partition]);
    CHECK_INT(id.number % PARTITIONS, m->partition);
    last[id.thread][m->partition] = id.number;
    in_log++;
}

static void *produce(void *opaque) {
    id_t_ id = {(int)(intptr_t)opaque, 0};
    for (int i = 0; i < PER_THREAD; i++) {
        id.number = i;
        void *mark = (void *)(intptr_t)(id.thread * PER_THREAD + i);
        if (i % 2) {
            CHECK_OK(rk_topic_produce(topic, i % PARTITIONS, RK_MSG_F_BLOCK, &id, sizeof id, NULL, 0, 0, mark));
        } else {
            rk_resp_err_t err;
            while ((err = rk_producer_produce(rk, "threads", i % PARTITIONS, 0, &id, sizeof id, NULL, 0, 0, mark)) ==
                   RK_RESP_ERR__QUEUE_FULL)
                test_sleep_ms(1);
            CHECK_OK(err);
        }
    }
    pthread_mutex_lock(&lock);
    producing--;
    pthread_mutex_unlock(&lock);
    return NULL;
}

static int still_producing(void) {
    pthread_mutex_lock(&lock);
    int n = producing;
    pthread_mutex_unlock(&lock);
    return n > 0;
}

static void *poll_all(void *opaque) {
    (void)opaque;
    while (still_producing() || rk_producer_len(rk) > 0)
        CHECK(rk_producer_poll(rk, 20) >= 0);
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS], poller;
    rk_conf_t *conf = test_conf(1);
    test_set(conf, "queue.buffering.max.messages", "20000");
    test_set(conf, "max.in.flight", "1");
    rk_conf_set_dr_msg_cb(conf, on_report);
    rk = test_producer(conf);
    CHECK_OK(rk_mock_topic_create(rk_producer_mock(rk), "threads", PARTITIONS, 1));
    topic = rk_producer_topic(rk, "threads");
    CHECK_INT(pthread_create(&poller, NULL, poll_all, NULL), 0);
    for (intptr_t i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, produce, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    CHECK_INT(pthread_join(poller, NULL), 0);
    CHECK_INT(total, THREADS * PER_THREAD);

    memset(last, -1, sizeof last);
    for (int32_t p = 0; p < PARTITIONS; p++)
        CHECK_OK(rk_mock_partition_foreach(rk_producer_mock(rk), "threads", p, in_partition, NULL));
    CHECK_INT(in_log, THREADS * PER_THREAD);
    rk_topic_destroy(topic);
    rk_producer_destroy(rk);
    return 0;
}
