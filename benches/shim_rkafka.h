/* The client under test, as producer_bench.c wants it: rkafka. */
#include <rkafka.h>

enum { ERR_QUEUE_FULL = RK_RESP_ERR__QUEUE_FULL };

typedef struct {
    rk_producer_t *rk;
    rk_topic_t *rkt;
    const char *topic;
    int events;
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
    return rk_err2str((rk_resp_err_t)err);
}

static void shim_report(rk_producer_t *rk, const rk_message_t *m, void *opaque) {
    (void)rk;
    (void)opaque;
    delivered((int)m->err, m->opaque);
}

static void shim_report_batch(rk_producer_t *rk, const rk_message_t *m, size_t count, void *opaque) {
    (void)rk;
    (void)opaque;
    for (size_t i = 0; i < count; i++)
        delivered((int)m[i].err, m[i].opaque);
}

static void client_open(client_t *c, char **setting, int settings, const char *topic, const char *dr) {
    char why[512];
    rk_conf_t *conf = rk_conf_new();
    for (int i = 0; i < settings; i++) {
        char *eq = strchr(setting[i], '=');
        *eq = 0;
        if (rk_conf_set(conf, setting[i], eq + 1, why, sizeof why) != RK_CONF_OK)
            fail("setting", why);
    }
    c->events = strcmp(dr, "event") == 0;
    if (c->events)
        rk_conf_set_events(conf, RK_EVENT_DR);
    else if (strcmp(dr, "batch") == 0)
        rk_conf_set_dr_batch_cb(conf, shim_report_batch);
    else
        rk_conf_set_dr_msg_cb(conf, shim_report);
    c->made_at = now();
    c->rk = rk_producer_new(conf, why, sizeof why);
    if (!c->rk)
        fail("new", why);
    c->topic = topic;
    c->rkt = rk_producer_topic(c->rk, topic);
    if (!c->rkt)
        fail("topic", topic);
}

/* Connects and learns the topic, so that the run measures neither. */
static void client_wait_topic(client_t *c, const char *topic) {
    const rk_metadata_t *md;
    (void)topic;
    int err = (int)rk_producer_metadata(c->rk, 0, c->rkt, &md, 30000);
    if (err)
        fail("metadata", client_error(err));
    rk_metadata_destroy(md);
}

static inline int client_produce(client_t *c, const message_t *m) {
    if (m->headers) {
        rk_header_t h[MAX_HEADERS];
        for (int i = 0; i < m->headers; i++)
            h[i] = (rk_header_t){"header-name", 11, "value-of-header", 15};
        return (int)rk_topic_produce_header_array(c->rkt, m->partition, RK_MSG_F_COPY, m->payload, m->len, m->key,
                                                  m->key_len, h, (size_t)m->headers, 0, m->opaque);
    }
    if (m->by_name)
        return (int)rk_producer_produce(c->rk, c->topic, m->partition, RK_MSG_F_COPY, m->payload, m->len, m->key,
                                        m->key_len, 0, m->opaque);
    return (int)rk_topic_produce(c->rkt, m->partition, RK_MSG_F_COPY, m->payload, m->len, m->key, m->key_len, 0,
                                 m->opaque);
}

static int shim_take_events(client_t *c, int timeout_ms) {
    int n = 0;
    for (rk_event_t *e; (e = rk_producer_poll_event(c->rk, timeout_ms)); timeout_ms = 0) {
        size_t count;
        for (const rk_message_t *m; (m = rk_event_message_slice(e, &count)); n += (int)count)
            for (size_t i = 0; i < count; i++)
                delivered((int)m[i].err, m[i].opaque);
        rk_event_destroy(e);
    }
    return n;
}

static inline int client_poll(client_t *c, int timeout_ms) {
    if (c->events)
        return shim_take_events(c, timeout_ms);
    return rk_producer_poll(c->rk, timeout_ms);
}

static int client_flush(client_t *c, int timeout_ms) {
    return (int)rk_producer_flush(c->rk, timeout_ms);
}

static void client_close(client_t *c) {
    rk_topic_destroy(c->rkt);
    rk_producer_destroy(c->rk);
}

static void client_version(char *out, size_t size) {
    snprintf(out, size, "rkafka %s", rk_version_str());
}

