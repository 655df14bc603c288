/* Handles of another kind are refused. (So are destroyed ones, as a rule, which a test cannot rely upon.) */
#include "test.h"

int main(void) {
    rk_producer_t *rk = test_producer(test_conf(1));
    rk_topic_t *topic = rk_producer_topic(rk, "t");
    void *p = rk, *t = topic;
    CHECK_ERR(rk_topic_produce((rk_topic_t *)p, 0, 0, "x", 1, NULL, 0, 0, NULL), RK_RESP_ERR__INVALID_ARG);
    CHECK(rk_topic_name((rk_topic_t *)p) == NULL);
    CHECK_INT(rk_producer_poll((rk_producer_t *)t, 0), RK_RESP_ERR__INVALID_ARG);
    rk_producer_destroy((rk_producer_t *)t);
    CHECK_STR(rk_topic_name(topic), "t");
    rk_topic_destroy((rk_topic_t *)p);
    CHECK(rk_producer_name(rk) != NULL);
    rk_topic_destroy(topic);
    rk_producer_destroy(rk);
    return 0;
}
