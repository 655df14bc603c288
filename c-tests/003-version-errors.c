/* Versions, and names and texts of error codes, known and unknown. */
#include "test.h"

int main(void) {
    char version[32];
    CHECK_INT(rk_version(), RK_VERSION);
    CHECK_STR(rk_version_str(), RK_VERSION_STR);
    snprintf(version, sizeof version, "%d.%d.%d", rk_version() >> 24, rk_version() >> 16 & 255, rk_version() >> 8 & 255);
    CHECK_STR(version, rk_version_str());

    CHECK_STR(rk_err2name(RK_RESP_ERR__MSG_TIMED_OUT), "_MSG_TIMED_OUT");
    CHECK_STR(rk_err2str(RK_RESP_ERR_NO_ERROR), "Success");
    CHECK_INT(RK_RESP_ERR__QUEUE_FULL, -184);
    CHECK_INT(RK_RESP_ERR_UNKNOWN_TOPIC_OR_PART, 3);
    CHECK_STR(rk_err2name((rk_resp_err_t)9999), "ERR_9999?");
    CHECK(strlen(rk_err2str((rk_resp_err_t)-12345)) > 0);
    for (int code = -300; code < 300; code++)
        CHECK(strlen(rk_err2str((rk_resp_err_t)code)) > 0 && strlen(rk_err2name((rk_resp_err_t)code)) > 0);
    return 0;
}
