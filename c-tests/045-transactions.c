/* Transactions from C, by each version of their rules: what is committed, what is aborted, offsets of a group, a coordinator
 * that moves; as the embedded cluster tells. */
#include "test.h"

#define NO_ERROR(call)                                                                        \
    do {                                                                                      \
        rk_error_t *error_ = (call);                                                          \
        if (error_) {                                                                         \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, rk_error_string(error_)); \
            exit(1);                                                                          \
        }                                                                                     \
    } while (0)

static void on_message(const rk_message_t *m, void *opaque) {
    int *sum = opaque;
    CHECK(m->len == 1);
    *sum += ((const char *)m->payload)[0] - '0';
}

/* The sum of the digits in the log, of committed messages or of all. */
static int digits(rk_mock_cluster_t *mock, int committed) {
    int sum = 0;
    CHECK_OK((committed ? rk_mock_partition_foreach_committed : rk_mock_partition_foreach)(mock, "t", 0, on_message, &sum));
    return sum;
}

static void offsets(rk_producer_t *rk, int64_t offset) {
    rk_topic_partition_list_t *list = rk_topic_partition_list_new(1);
    rk_consumer_group_metadata_t *group = rk_consumer_group_metadata_new("g");
    rk_topic_partition_list_add(list, "source", 3);
    CHECK_OK(rk_topic_partition_list_set_offset(list, "source", 3, offset));
    NO_ERROR(rk_producer_send_offsets_to_transaction(rk, list, group, 20000));
    rk_consumer_group_metadata_destroy(group);
    rk_topic_partition_list_destroy(list);
}

static void version(int number) {
    char why[512] = "";
    rk_mock_cluster_t *mock = rk_mock_cluster_new(3, why, sizeof why);
    CHECK(mock != NULL);
    CHECK_OK(rk_mock_set_transaction_version(mock, number));
    CHECK_OK(rk_mock_topic_create(mock, "t", 1, 1));
    CHECK_OK(rk_mock_topic_create(mock, "source", 4, 1));
    rk_conf_t *conf = rk_conf_new();
    test_set(conf, "bootstrap.servers", rk_mock_cluster_bootstraps(mock));
    test_set(conf, "transactional.id", "mine");
    rk_producer_t *rk = test_producer(conf);
    NO_ERROR(rk_producer_init_transactions(rk, 20000));

    NO_ERROR(rk_producer_begin_transaction(rk));
    CHECK_OK(test_produce(rk, "t", 0, "1", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    CHECK_INT(digits(mock, 0), 1);
    CHECK_INT(digits(mock, 1), 0);
    offsets(rk, 42);
    CHECK_INT(rk_mock_group_committed_offset(mock, "g", "source", 3), RK_OFFSET_INVALID);
    NO_ERROR(rk_producer_commit_transaction(rk, 20000));
    CHECK_INT(digits(mock, 1), 1);
    CHECK_INT(rk_mock_group_committed_offset(mock, "g", "source", 3), 42);

    NO_ERROR(rk_producer_begin_transaction(rk));
    CHECK_OK(test_produce(rk, "t", 0, "3", NULL));
    CHECK_OK(rk_producer_flush(rk, 20000));
    offsets(rk, 43);
    NO_ERROR(rk_producer_abort_transaction(rk, 20000));
    CHECK_INT(digits(mock, 0), 4);
    CHECK_INT(digits(mock, 1), 1);
    CHECK_INT(rk_mock_group_committed_offset(mock, "g", "source", 3), 42);

    /* The coordinator is another broker within each of the next ones. */
    for (int broker = 1; broker <= 3; broker++) {
        NO_ERROR(rk_producer_begin_transaction(rk));
        CHECK_OK(test_produce(rk, "t", 0, "5", NULL));
        CHECK_OK(rk_mock_transaction_set_coordinator(mock, "mine", broker));
        NO_ERROR(rk_producer_commit_transaction(rk, 20000));
    }
    CHECK_INT(digits(mock, 1), 16);
    rk_producer_destroy(rk);
    rk_mock_cluster_destroy(mock);
}

int main(void) {
    int nobody = 0;
    for (int number = 0; number <= 2; number++)
        version(number);
    rk_mock_cluster_t *mock = rk_mock_cluster_new(1, NULL, 0);
    CHECK_ERR(rk_mock_set_transaction_version(mock, 3), RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(rk_mock_set_transaction_version(NULL, 2), RK_RESP_ERR__INVALID_ARG);
    CHECK_ERR(rk_mock_transaction_set_coordinator(mock, NULL, 1), RK_RESP_ERR__INVALID_ARG);
    CHECK(rk_mock_transaction_set_coordinator(mock, "x", 7) != RK_RESP_ERR_NO_ERROR);
    CHECK(rk_mock_partition_foreach_committed(mock, "none", 0, on_message, &nobody) != RK_RESP_ERR_NO_ERROR);
    CHECK_ERR(rk_mock_partition_foreach_committed(mock, NULL, 0, on_message, &nobody), RK_RESP_ERR__INVALID_ARG);
    CHECK_INT(rk_mock_group_committed_offset(mock, NULL, "t", 0), RK_OFFSET_INVALID);
    CHECK_INT(rk_mock_group_committed_offset(NULL, "g", "t", 0), RK_OFFSET_INVALID);
    rk_mock_cluster_destroy(mock);
    return 0;
}
