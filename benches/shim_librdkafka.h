/* The client under test, as producer_bench.c wants it: librdkafka. */
#include <librdkafka/rdkafka.h>

enum { ERR_QUEUE_FULL = RD_KAFKA_RESP_ERR__QUEUE_FULL };

typedef struct {
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
    const char *topic;
    rd_kafka_queue_t *events;
    uint64_t made_at; /* when the configuration was ready and the client began */
} client_t;

typedef struct {
    const void *payload, *key;
    size_t len, key_len;
    int32_t partition;
    int headers, by_name;
    void *opaque;
} message_t;

static const char *client_error(int err) {
    return rd_kafka_err2str((rd_kafka_resp_err_t)err);
}

static void shim_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque) {
    (void)rk;
    (void)opaque;
    delivered(m->err, m->_private);
}

static void client_open(client_t *c, char **setting, int settings, const char *topic, const char *dr) {
    char why[512];
    int events = strcmp(dr, "event") == 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (strcmp(dr, "batch") == 0)
        fail("--dr batch", "not in librdkafka");
    for (int i = 0; i < settings; i++) {
        char *eq = strchr(setting[i], '=');
        *eq = 0;
        if (rd_kafka_conf_set(conf, setting[i], eq + 1, why, sizeof why) != RD_KAFKA_CONF_OK)
            fail("setting", why);
    }
    if (events)
        rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
    else
        rd_kafka_conf_set_dr_msg_cb(conf, shim_report);
    c->made_at = now();
    c->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!c->rk)
        fail("new", why);
    c->events = events ? rd_kafka_queue_get_main(c->rk) : NULL;
    c->topic = topic;
    c->rkt = rd_kafka_topic_new(c->rk, topic, NULL);
    if (!c->rkt)
        fail("topic", client_error(rd_kafka_last_error()));
}

/* Connects and learns the topic, so that the run measures neither. */
static void client_wait_topic(client_t *c, const char *topic) {
    const struct rd_kafka_metadata *md;
    (void)topic;
    int err = rd_kafka_metadata(c->rk, 0, c->rkt, &md, 30000);
    if (err)
        fail("metadata", client_error(err));
    rd_kafka_metadata_destroy(md);
}

static inline int client_produce(client_t *c, const message_t *m) {
    if (m->headers) {
        rd_kafka_vu_t v[6 + MAX_HEADERS];
        size_t n = 0;
        v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = c->rkt};
        v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = m->partition};
        v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY};
        v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)m->payload, m->len}};
        v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)m->key, m->key_len}};
        v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = m->opaque};
        for (int i = 0; i < m->headers; i++)
            v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADER,
                                     .u.header = {"header-name", "value-of-header", 15}};
        rd_kafka_error_t *error = rd_kafka_produceva(c->rk, v, n);
        int err = rd_kafka_error_code(error);
        if (error)
            rd_kafka_error_destroy(error);
        return err;
    }
    if (m->by_name)
        return rd_kafka_producev(c->rk, RD_KAFKA_V_TOPIC(c->topic), RD_KAFKA_V_PARTITION(m->partition),
                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                 RD_KAFKA_V_VALUE((void *)m->payload, m->len), RD_KAFKA_V_KEY(m->key, m->key_len),
                                 RD_KAFKA_V_OPAQUE(m->opaque), RD_KAFKA_V_END);
    if (rd_kafka_produce(c->rkt, m->partition, RD_KAFKA_MSG_F_COPY, (void *)m->payload, m->len, m->key, m->key_len,
                         m->opaque) == 0)
        return 0;
    return rd_kafka_last_error();
}

static int shim_take_events(client_t *c, int timeout_ms) {
    int n = 0;
    for (rd_kafka_event_t *e; (e = rd_kafka_queue_poll(c->events, timeout_ms)); timeout_ms = 0) {
        const rd_kafka_message_t *m[64];
        for (size_t count; (count = rd_kafka_event_message_array(e, m, 64)); n += (int)count)
            for (size_t i = 0; i < count; i++)
                delivered(m[i]->err, m[i]->_private);
        rd_kafka_event_destroy(e);
    }
    return n;
}

static inline int client_poll(client_t *c, int timeout_ms) {
    if (c->events)
        return shim_take_events(c, timeout_ms);
    return rd_kafka_poll(c->rk, timeout_ms);
}

static int client_flush(client_t *c, int timeout_ms) {
    return rd_kafka_flush(c->rk, timeout_ms);
}

static void client_close(client_t *c) {
    if (c->events)
        rd_kafka_queue_destroy(c->events);
    rd_kafka_topic_destroy(c->rkt);
    rd_kafka_destroy(c->rk);
}

static void client_version(char *out, size_t size) {
    snprintf(out, size, "librdkafka %s", rd_kafka_version_str());
}
