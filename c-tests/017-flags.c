/* Who frees the payload, and flags that contradict each other. (Leaks and double frees show under AddressSanitizer.) */
#include "test.h"

static char *text(const char *s) {
    char *p = malloc(strlen(s) + 1);
    CHECK(p != NULL);
    return strcpy(p, s);
}

int main(void) {
    test_reports_t reports;
    rk_conf_t *conf = test_conf(1);
    test_count_reports(conf, &reports);
    rk_producer_t *rk = test_producer(conf);

    /* Accepted: the library's. */
    CHECK_OK(rk_producer_produce(rk, "flags", 0, RK_MSG_F_FREE, text("mine no more"), 12, NULL, 0, 0, NULL));
    CHECK_OK(rk_producer_produce(rk, "flags", 0, RK_MSG_F_FREE, NULL, 0, NULL, 0, 0, NULL));
    /* Refused: still ours. */
    char *p = text("still mine");
    CHECK_ERR(rk_producer_produce(rk, "not legal", 0, RK_MSG_F_FREE, p, 10, NULL, 0, 0, NULL), RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(rk_producer_produce(rk, "flags", 0, RK_MSG_F_FREE | RK_MSG_F_COPY, p, 10, NULL, 0, 0, NULL),
              RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(rk_producer_produce(rk, "flags", 0, 0x4000, p, 10, NULL, 0, 0, NULL), RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(rk_producer_produce(rk, "flags", -2, 0, p, 10, NULL, 0, 0, NULL), RK_RESP_ERR__UNKNOWN_PARTITION);
    CHECK_STR(p, "still mine");
    /* Copied: ours, and free to be changed at once. */
    CHECK_OK(rk_producer_produce(rk, "flags", 0, RK_MSG_F_COPY, p, 10, NULL, 0, 0, NULL));
    memset(p, '#', 10);
    free(p);
    /* Arrays. */
    rk_message_t list[2];
    memset(list, 0, sizeof list);
    list[0].payload = text("a"), list[0].len = 1;
    list[1].payload = p = text("b"), list[1].len = (size_t)-1;
    CHECK_INT(rk_producer_produce_batch(rk, "flags", 0, RK_MSG_F_FREE, list, 2), 1);
    CHECK_ERR(list[1].err, RK_RESP_ERR_MSG_SIZE_TOO_LARGE);
    free(p);

    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(reports.count, 4);
    CHECK_INT(reports.failed, 0);
    rk_producer_destroy(rk);
    return 0;
}
