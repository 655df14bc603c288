/* Brokers that close connections while they are written to: SIGPIPE is never raised, in no thread. */
#include "sigpipe.h"

int main(void) {
    test_reports_t reports;
    rk_conf_t *conf = test_conf(1);
    test_count_reports(conf, &reports);
    produce_through_cuts(conf, NULL, 300, &reports.count);
    return 0;
}
