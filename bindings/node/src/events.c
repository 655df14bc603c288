/* Events from the producer to JavaScript: delivery reports as columns, many per call, others as small arrays. */
#include "rkafka_node.h"

#include <string.h>

#define BYTES_MAX (1u << 20) /* of keys and values */

/* Where keys and values of reports lie until they are copied into one Buffer for all. */
typedef struct {
    rk_event_t *events[RUNS_MAX]; /* hold the bytes; freed at the end */
    int event_count;
    const void *keys[REPORTS_MAX], *values[REPORTS_MAX];
    size_t bytes;
} sources_t;

static void add_report(columns_t *columns, sources_t *sources, uint32_t at, const rk_message_t *message, bool values)
{
    columns->offset[at] = (double)message->offset;
    columns->timestamp[at] = (double)message->timestamp_ms;
    columns->slot[at] = (uint32_t)(uintptr_t)message->opaque;
    columns->err[at] = message->err;
    columns->size[at] = (uint32_t)message->len;
    columns->key_len[at] = message->key ? (int32_t)message->key_len : -1;
    sources->keys[at] = message->key;
    if (message->key)
        sources->bytes += message->key_len;
    if (!values)
        return;
    columns->value_len[at] = message->payload ? (int32_t)message->len : -1;
    sources->values[at] = message->payload;
    if (message->payload)
        sources->bytes += message->len;
}

/* Keys and values, one after the other in the order of the reports. */
static napi_value copy_bytes(napi_env env, const columns_t *columns, const sources_t *sources, uint32_t count, bool values)
{
    char *to;
    napi_value buffer;
    if (napi_create_buffer(env, sources->bytes, (void **)&to, &buffer) != napi_ok)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (columns->key_len[i] > 0) {
            memcpy(to, sources->keys[i], columns->key_len[i]);
            to += columns->key_len[i];
        }
        if (values && columns->value_len[i] > 0) {
            memcpy(to, sources->values[i], columns->value_len[i]);
            to += columns->value_len[i];
        }
    }
    return buffer;
}

/* Any other event as an array: its kind, then what it says. */
static napi_value other_event(napi_env env, rk_event_t *event)
{
    napi_value out;
    int level = 0, throttle_ms = 0;
    int32_t broker_id = -1;
    const char *facility = NULL, *text = NULL, *broker = NULL;
    napi_create_array(env, &out);
    napi_set_element(env, out, 0, js_int(env, rk_event_type(event)));
    switch (rk_event_type(event)) {
    case RK_EVENT_ERROR:
        napi_set_element(env, out, 1, js_int(env, rk_event_error(event)));
        napi_set_element(env, out, 2, js_string(env, rk_event_error_string(event)));
        napi_set_element(env, out, 3, js_int(env, rk_event_error_is_fatal(event)));
        break;
    case RK_EVENT_LOG:
        rk_event_log(event, &level, &facility, &text);
        napi_set_element(env, out, 1, js_int(env, level));
        napi_set_element(env, out, 2, js_string(env, facility));
        napi_set_element(env, out, 3, js_string(env, text));
        break;
    case RK_EVENT_STATS:
        napi_set_element(env, out, 1, js_string(env, rk_event_stats(event)));
        break;
    case RK_EVENT_THROTTLE:
        rk_event_throttle(event, &broker, &broker_id, &throttle_ms);
        napi_set_element(env, out, 1, js_string(env, broker));
        napi_set_element(env, out, 2, js_int(env, broker_id));
        napi_set_element(env, out, 3, js_int(env, throttle_ms));
        break;
    case RK_EVENT_OAUTHBEARER_TOKEN_REFRESH:
        napi_set_element(env, out, 1, js_string(env, rk_event_config_string(event)));
        break;
    }
    return out;
}

void client_drop_pending(client_t *client)
{
    rk_event_destroy(client->pending);
    client->pending = NULL;
}

/* Whether a call has taken as much as it should: so much memory is used at once, and so long the event loop waits. */
static bool is_full(const sources_t *sources, uint32_t count, uint32_t others)
{
    return count == REPORTS_MAX || sources->event_count == RUNS_MAX || others == RUNS_MAX || sources->bytes >= BYTES_MAX;
}

/*
 * drain(out): takes events, writes reports into the columns and returns how many. `out.runs` becomes the number of runs,
 * `out.more` whether there may be more, `out.bytes` the keys and values if there are any, `out.events` an array of the other
 * events if there are any.
 */
napi_value client_drain(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_value argv[1], others = NULL, more;
    size_t argc = 1;
    sources_t sources; /* not cleared: 64 KiB on the stack of which only the used part is touched */
    uint32_t count = 0, runs = 0, other_count = 0;

    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&client);
    sources.event_count = 0;
    sources.bytes = 0;
    while (client->rk && !is_full(&sources, count, other_count)) {
        rk_event_t *event = client->pending ? client->pending : rk_producer_poll_event(client->rk, 0);
        client->pending = NULL;
        if (!event)
            break;
        if (rk_event_type(event) != RK_EVENT_DR) {
            if (!others)
                napi_create_array(env, &others);
            napi_set_element(env, others, other_count++, other_event(env, event));
            rk_event_destroy(event);
            continue;
        }
        const rk_message_t *message = NULL;
        uint32_t first = count;
        int topic = -1;
        int32_t partition = RK_PARTITION_UA;
        bool full = false;
        while (!full && (message = rk_event_message_next(event))) {
            if (count == first) {
                topic = client_topic(client, message->topic);
                partition = message->partition;
            }
            add_report(client->columns, &sources, count++, message, client->want_values);
            full = is_full(&sources, count, other_count);
        }
        if (count > first) {
            int32_t *run = client->columns->run[runs++];
            run[0] = topic;
            run[1] = partition;
            run[2] = (int32_t)(count - first);
        }
        if (message)
            client->pending = event;
        else
            sources.events[sources.event_count++] = event;
    }
    if (sources.bytes)
        set(env, argv[0], "bytes", copy_bytes(env, client->columns, &sources, count, client->want_values));
    for (int i = 0; i < sources.event_count; i++)
        rk_event_destroy(sources.events[i]);
    if (others)
        set(env, argv[0], "events", others);
    set(env, argv[0], "runs", js_int(env, (int32_t)runs));
    napi_get_boolean(env, is_full(&sources, count, other_count), &more);
    set(env, argv[0], "more", more);
    return js_int(env, (int32_t)count);
}
