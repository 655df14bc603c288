/* The callback-free way: delivery reports walked one by one and as an array; poll is refused, flush only waits. */
#include "test.h"

enum { COUNT = 300 };

int main(void) {
    rk_conf_t *conf = test_conf(1);
    rk_conf_set_events(conf, RK_EVENT_DR | RK_EVENT_ERROR);
    rk_producer_t *rk = test_producer(conf);
    CHECK_INT(rk_producer_poll(rk, 0), RK_RESP_ERR__STATE);
    CHECK(rk_producer_poll_event(rk, 0) == NULL);
    for (int i = 0; i < COUNT; i++)
        CHECK_OK(rk_producer_produce(rk, "events", 0, 0, &i, sizeof i, NULL, 0, 0, (void *)(intptr_t)i));
    /* Nobody takes the events meanwhile. */
    double start = test_now();
    CHECK_ERR(rk_producer_flush(rk, 300), RK_RESP_ERR__TIMED_OUT);
    CHECK(test_now() - start >= 0.29);

    int next = 0;
    double end = test_now() + 20;
    while (next < COUNT && test_now() < end) {
        rk_event_t *event = rk_producer_poll_event(rk, 1000);
        if (!event)
            continue;
        CHECK_INT(rk_event_type(event), RK_EVENT_DR);
        CHECK_STR(rk_event_name(event), "DeliveryReport");
        CHECK_OK(rk_event_error(event));
        CHECK_STR(rk_event_error_string(event), "Success");
        CHECK(rk_event_stats(event) == NULL);
        size_t count = 0;
        const rk_message_t *all = rk_event_messages(event, &count), *m;
        CHECK(all != NULL && count == rk_event_message_count(event) && count > 0);
        CHECK(rk_event_messages(event, NULL) == all);
        size_t i = 0;
        size_t few = 7;
        CHECK(rk_event_message_slice(event, NULL) == NULL);
        /* One by one up to a place within what is made at once, then as many at a time as there are. */
        while (few && (m = i < 10 ? rk_event_message_next(event) : rk_event_message_slice(event, &few))) {
            for (size_t k = 0; k < (i < 10 ? 1 : few); k++, m++) {
                CHECK(i + k < count);
                CHECK_STR(m->topic, "events");
                CHECK_INT((intptr_t)m->opaque, next);
                CHECK_INT((intptr_t)all[i + k].opaque, next);
                CHECK(all[i + k].payload == m->payload && all[i + k].offset == m->offset);
                CHECK(memcmp(m->payload, &next, sizeof next) == 0);
                next++;
            }
            i += i < 10 ? 1 : few;
        }
        CHECK_INT(i, count);
        CHECK(rk_event_message_next(event) == NULL);
        CHECK(rk_event_message_slice(event, &few) == NULL && few == 0);
        /* The messages count until the event is freed. */
        CHECK(rk_producer_len(rk) >= (int)count);
        rk_event_destroy(event);
    }
    CHECK_INT(next, COUNT);
    CHECK_OK(rk_producer_flush(rk, 5000));
    CHECK_INT(rk_producer_len(rk), 0);

    /* An event outlives its producer; what nobody takes is no leak. */
    CHECK_OK(test_produce(rk, "events", 0, "late", NULL));
    rk_event_t *event = rk_producer_poll_event(rk, 10000);
    CHECK(event != NULL);
    CHECK_OK(test_produce(rk, "events", 0, "never taken", NULL));
    rk_producer_destroy(rk);
    const rk_message_t *m = rk_event_message_next(event);
    CHECK(m != NULL && m->len == 4 && memcmp(m->payload, "late", 4) == 0);
    CHECK_STR(m->topic, "events");
    rk_event_destroy(event);

    /* Without rk_conf_set_events there are no events to take. */
    rk = test_producer(test_conf(1));
    CHECK(rk_producer_poll_event(rk, -1) == NULL);
    rk_producer_destroy(rk);
    return 0;
}
