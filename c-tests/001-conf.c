/* Properties: set, read back, refused, suggested, copied, listed. */
#include "test.h"

int main(void) {
    char why[512] = "", value[64];
    size_t size = sizeof value, count = 0;
    rk_conf_t *conf = rk_conf_new();

    CHECK_INT(rk_conf_set(conf, "linger.ms", "12", why, sizeof why), RK_CONF_OK);
    CHECK_INT(rk_conf_get(conf, "linger.ms", value, &size), RK_CONF_OK);
    CHECK(strncmp(value, "12", 2) == 0);
    CHECK_INT(size, strlen(value) + 1);

    /* An alias, and Java's name. */
    CHECK_INT(rk_conf_set(conf, "queue.buffering.max.ms", "7", why, sizeof why), RK_CONF_OK);
    size = sizeof value;
    CHECK_INT(rk_conf_get(conf, "linger.ms", value, &size), RK_CONF_OK);
    CHECK_STR(value, "7");
    CHECK_INT(rk_conf_set(conf, "bootstrap.servers", "a:1,b:2", why, sizeof why), RK_CONF_OK);
    size = 0;
    CHECK_INT(rk_conf_get(conf, "metadata.broker.list", NULL, &size), RK_CONF_OK);
    CHECK_INT(size, strlen("a:1,b:2") + 1);
    /* Too small a buffer: cut, ended, and the size that is needed. */
    size = 4;
    CHECK_INT(rk_conf_get(conf, "metadata.broker.list", value, &size), RK_CONF_OK);
    CHECK_STR(value, "a:1");
    CHECK_INT(size, strlen("a:1,b:2") + 1);

    /* A wrong name suggests the near one; a wrong value names the property. */
    CHECK_INT(rk_conf_set(conf, "lingr.ms", "1", why, sizeof why), RK_CONF_UNKNOWN);
    CHECK(strstr(why, "lingr.ms") && strstr(why, "linger.ms"));
    CHECK_INT(rk_conf_get(conf, "no.such.thing", value, &size), RK_CONF_UNKNOWN);
    CHECK_INT(rk_conf_set(conf, "linger.ms", "soon", why, sizeof why), RK_CONF_INVALID);
    CHECK(strstr(why, "linger.ms") && strstr(why, "soon"));
    CHECK_INT(rk_conf_set(conf, "acks", "7000000", why, sizeof why), RK_CONF_INVALID);
    size = sizeof value;
    CHECK_INT(rk_conf_get(conf, "linger.ms", value, &size), RK_CONF_OK);
    CHECK_STR(value, "7");
    /* The text is cut to the buffer and ended; none at all is fine. */
    memset(why, '#', sizeof why);
    CHECK_INT(rk_conf_set(conf, "lingr.ms", "1", why, 5), RK_CONF_UNKNOWN);
    CHECK_INT(strlen(why), 4);
    CHECK(why[5] == '#');
    CHECK_INT(rk_conf_set(conf, "lingr.ms", "1", NULL, 0), RK_CONF_UNKNOWN);
    /* Not UTF-8. */
    CHECK_INT(rk_conf_set(conf, "client.id", "\xff\xfe", why, sizeof why), RK_CONF_INVALID);

    rk_conf_t *copy = rk_conf_dup(conf);
    test_set(conf, "linger.ms", "100");
    size = sizeof value;
    CHECK_INT(rk_conf_get(copy, "linger.ms", value, &size), RK_CONF_OK);
    CHECK_STR(value, "7");

    char **list = rk_conf_dump(copy, &count);
    CHECK(list != NULL && count > 100 && count % 2 == 0);
    int found = 0;
    for (size_t i = 0; i < count; i += 2)
        found += strcmp(list[i], "queue.buffering.max.ms") == 0 && strcmp(list[i + 1], "7") == 0;
    CHECK_INT(found, 1);
    rk_conf_dump_free(list, count);

    rk_conf_destroy(copy);
    rk_conf_destroy(conf);

    /* A configuration that no producer can run with stays the caller's. */
    conf = rk_conf_new();
    test_set(conf, "bootstrap.servers", "localhost:1");
    test_set(conf, "linger.ms", "10000");
    test_set(conf, "message.timeout.ms", "100");
    why[0] = 0;
    CHECK(rk_producer_new(conf, why, sizeof why) == NULL);
    CHECK(strlen(why) > 0);
    rk_conf_destroy(conf);
    return 0;
}
