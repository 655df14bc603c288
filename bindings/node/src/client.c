/* A producer as JavaScript sees it: its configuration, its topics, and produce, which is called for every message. */
#include "rkafka_node.h"

#include <stdlib.h>
#include <string.h>

void client_retain(client_t *client)
{
    atomic_fetch_add(&client->refs, 1);
}

void client_release(client_t *client)
{
    if (atomic_fetch_sub(&client->refs, 1) != 1)
        return;
    rk_conf_destroy(client->conf);
    pthread_mutex_destroy(&client->lock);
    pthread_cond_destroy(&client->idle);
    instance_release(client->instance);
    free(client);
}

/* ---- topics ---- */

static uint32_t hash(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 16777619u;
    return h;
}

static int32_t *find_topic(client_t *client, const char *name)
{
    uint32_t mask = client->topic_slots - 1, at = hash(name) & mask;
    while (client->topic_table[at] && strcmp(rk_topic_name(client->topics[client->topic_table[at] - 1]), name) != 0)
        at = (at + 1) & mask;
    return &client->topic_table[at];
}

/* The index of a topic that has been produced to, or -1. Reports come in runs, so the last one is likely. */
int client_topic(client_t *client, const char *name)
{
    if (client->last_topic < client->topic_count &&
        strcmp(rk_topic_name(client->topics[client->last_topic]), name) == 0)
        return client->last_topic;
    int index = client->topic_count ? *find_topic(client, name) - 1 : -1;
    if (index >= 0)
        client->last_topic = index;
    return index;
}

static bool grow_topics(client_t *client)
{
    uint32_t slots = client->topic_slots ? client->topic_slots * 2 : 16;
    int32_t *table = calloc(slots, sizeof *table);
    rk_topic_t **topics = realloc(client->topics, slots * sizeof *topics);
    if (topics)
        client->topics = topics;
    if (!table || !topics) {
        free(table);
        return false;
    }
    free(client->topic_table);
    client->topic_table = table;
    client->topic_slots = slots;
    for (int i = 0; i < client->topic_count; i++)
        *find_topic(client, rk_topic_name(client->topics[i])) = i + 1;
    return true;
}

/* topic(name): the index for produce, or an error code. */
static napi_value client_add_topic(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_value argv[1];
    size_t argc = 1;
    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&client);
    if (!client->rk)
        return js_int(env, RK_RESP_ERR__STATE);
    char *name = get_string(env, argv[0]);
    int32_t index = RK_RESP_ERR__INVALID_ARG;
    rk_topic_t *topic = rk_producer_topic(client->rk, name);
    if (topic && (uint32_t)client->topic_count * 2 >= client->topic_slots && !grow_topics(client)) {
        rk_topic_destroy(topic);
        topic = NULL;
        index = RK_RESP_ERR__CRIT_SYS_RESOURCE;
    }
    if (topic) {
        index = client->topic_count++;
        client->topics[index] = topic;
        *find_topic(client, name) = index + 1;
    }
    free(name);
    return js_int(env, index);
}

static void drop_topics(client_t *client)
{
    for (int i = 0; i < client->topic_count; i++)
        rk_topic_destroy(client->topics[i]);
    free(client->topics);
    free(client->topic_table);
    client->topics = NULL;
    client->topic_table = NULL;
    client->topic_count = 0;
    client->topic_slots = 0;
    client->last_topic = 0;
}

/* ---- life ---- */

static void on_readable(uv_handle_t *poll, int status, int events)
{
    client_t *client = uv_handle_get_data(poll);
    napi_env env = client->instance->env;
    napi_handle_scope scope;
    napi_value function;
    (void)status;
    (void)events;
    if (!client->on_readable || napi_open_handle_scope(env, &scope) != napi_ok)
        return;
    if (napi_get_reference_value(env, client->on_readable, &function) == napi_ok && function)
        call_js(env, function, 0, NULL);
    napi_close_handle_scope(env, scope);
}

static void stop_polling(client_t *client)
{
    if (!client->on_readable)
        return;
    napi_delete_reference(client->instance->env, client->on_readable);
    client->on_readable = NULL;
    if (client->poll)
        uv_poll_stop(client->poll);
}

/* setPolling(function or null): what is called when there is something to drain. False if that cannot be. */
static napi_value client_set_polling(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_value argv[1], result;
    size_t argc = 1;
    napi_valuetype type = napi_undefined;
    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&client);
    napi_typeof(env, argv[0], &type);
    stop_polling(client);
    if (client->poll && type == napi_function && napi_create_reference(env, argv[0], 1, &client->on_readable) == napi_ok)
        uv_poll_start(client->poll, UV_READABLE, on_readable);
    napi_get_boolean(env, client->poll != NULL, &result);
    return result;
}

void client_started(client_t *client, rk_producer_t *rk)
{
    instance_t *instance = client->instance;
    int fd = rk_producer_event_fd(rk);
    client->rk = rk;
    client->cancelled = false;
    client->keeps_alive = true;
    instance_keep_alive(instance, 1);
    if (fd < 0 || !(client->poll = instance_open(instance, UV_POLL)))
        return;
    if (uv_poll_init(instance->loop, client->poll, fd) != 0) {
        instance->open_handles--;
        instance_release(instance);
        free(client->poll);
        client->poll = NULL;
        return;
    }
    uv_handle_set_data(client->poll, client);
    uv_unref(client->poll);
}

/* Takes the producer away from the client, for its end. Operations that wait are told to come back. */
rk_producer_t *client_stop(client_t *client)
{
    rk_producer_t *rk = client->rk;
    client->rk = NULL;
    stop_polling(client);
    if (client->poll) {
        instance_close(client->instance, client->poll);
        client->poll = NULL;
    }
    client_drop_pending(client);
    drop_topics(client);
    if (client->keeps_alive) {
        client->keeps_alive = false;
        instance_keep_alive(client->instance, -1);
    }
    pthread_mutex_lock(&client->lock);
    client->cancelled = true;
    pthread_mutex_unlock(&client->lock);
    return rk;
}

/* The environment ends, or nothing refers to the client any more. An operation under way may outlive both. */
void client_abandon(client_t *client)
{
    if (client->at) {
        *client->at = client->next;
        if (client->next)
            client->next->at = client->at;
        client->at = NULL;
    }
    rk_producer_t *rk = client_stop(client);
    pthread_mutex_lock(&client->lock);
    if (rk && client->using_rk) {
        client->abandoned = rk;
        rk = NULL;
    }
    pthread_mutex_unlock(&client->lock);
    if (rk)
        rk_producer_destroy_flags(rk, RK_DESTROY_F_NO_REPORTS);
}

static void on_collected(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)hint;
    client_abandon(data);
    client_release(data);
}

static void on_function_collected(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)hint;
    client_release(data);
}

/* ---- produce ---- */

static rk_headers_t *get_headers(napi_env env, napi_value list)
{
    uint32_t count = 0;
    napi_get_array_length(env, list, &count);
    rk_headers_t *headers = rk_headers_new(count / 2);
    for (uint32_t i = 0; i + 1 < count; i += 2) {
        napi_value name, value;
        bytes_t n, v;
        if (napi_get_element(env, list, i, &name) != napi_ok || napi_get_element(env, list, i + 1, &value) != napi_ok)
            break;
        bool ok = get_bytes(env, name, &n);
        ok = get_bytes(env, value, &v) && ok;
        if (ok)
            rk_headers_add(headers, n.data, n.len, v.data, v.len);
        free(n.heap);
        free(v.heap);
        if (!ok)
            break;
    }
    return headers;
}

/*
 * produce(topic, partition, value, key, timestamp, slot, headers): undefined if the message was accepted, else the error
 * code. `topic` is an index from topic(); `slot` comes back with the report; `headers` are names and values in turn.
 */
static napi_value client_produce(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_value argv[7];
    size_t argc = 7;
    int32_t topic = -1, partition = RK_PARTITION_UA;
    int64_t timestamp = 0;
    uint32_t slot = 0;
    bytes_t value, key;
    rk_headers_t *headers = NULL;
    rk_resp_err_t err;
    bool is_list = false;

    if (napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&client) != napi_ok)
        return NULL;
    napi_get_value_int32(env, argv[0], &topic);
    napi_get_value_int32(env, argv[1], &partition);
    if (topic < 0 || topic >= client->topic_count)
        return js_int(env, client->rk ? RK_RESP_ERR__UNKNOWN_TOPIC : RK_RESP_ERR__STATE);
    if (!get_bytes(env, argv[2], &value)) {
        napi_throw_error(env, NULL, "Message must be a buffer or null");
        return NULL;
    }
    if (!get_bytes(env, argv[3], &key)) {
        free(value.heap);
        throw_type_error(env, "Key must be a buffer, a string or null");
        return NULL;
    }
    napi_get_value_int64(env, argv[4], &timestamp);
    napi_get_value_uint32(env, argv[5], &slot);
    if (argc > 6 && napi_is_array(env, argv[6], &is_list) == napi_ok && is_list)
        headers = get_headers(env, argv[6]);

    rk_topic_t *rkt = client->topics[topic];
    void *opaque = (void *)(uintptr_t)slot;
    if (headers)
        err = rk_topic_produce_headers(rkt, partition, RK_MSG_F_COPY, value.data, value.len, key.data, key.len, headers,
                                       timestamp, opaque);
    else
        err = rk_topic_produce(rkt, partition, RK_MSG_F_COPY, value.data, value.len, key.data, key.len, timestamp,
                               opaque);
    if (headers && err)
        rk_headers_destroy(headers);
    free(value.heap);
    free(key.heap);
    return err ? js_int(env, err) : NULL;
}

/* ---- small calls ---- */

static void free_secret(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static napi_value client_len(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_get_cb_info(env, info, NULL, NULL, NULL, (void **)&client);
    return js_int(env, client->rk ? rk_producer_len(client->rk) : 0);
}

/* purge(flags): an error code or 0. Does not wait until it is done. */
static napi_value client_purge(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_value argv[1];
    size_t argc = 1;
    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&client);
    int flags = get_int(env, argv[0], 0) | RK_PURGE_F_NON_BLOCKING;
    return js_int(env, client->rk ? rk_producer_purge(client->rk, flags) : RK_RESP_ERR__STATE);
}

/* setToken(token, lifetime in ms since the epoch, principal): throws if it can't be. */
static napi_value client_set_token(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_value argv[3];
    size_t argc = 3;
    int64_t lifetime = 0;
    char text[ERRSTR_SIZE] = "";
    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&client);
    if (!client->rk) {
        throw_error(env, RK_RESP_ERR__STATE, NULL);
        return NULL;
    }
    char *token = get_string(env, argv[0]);
    char *principal = get_string(env, argv[2]);
    napi_get_value_int64(env, argv[1], &lifetime);
    rk_resp_err_t err = rk_producer_oauthbearer_set_token(client->rk, token, lifetime, principal ? principal : "", NULL,
                                                          0, text, sizeof text);
    free_secret(token);
    free(principal);
    if (err)
        throw_error(env, err, text[0] ? text : NULL);
    return NULL;
}

/* setTokenFailure(text): it is asked for again later. An error code or 0. */
static napi_value client_set_token_failure(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_value argv[1];
    size_t argc = 1;
    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&client);
    char *text = get_string(env, argv[0]);
    rk_resp_err_t err = client->rk ? rk_producer_oauthbearer_set_token_failure(client->rk, text) : RK_RESP_ERR__STATE;
    free(text);
    return js_int(env, err);
}

/* setSaslCredentials(username, password): an error code or 0. */
static napi_value client_set_sasl_credentials(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_value argv[2];
    size_t argc = 2;
    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&client);
    char *username = get_string(env, argv[0]), *password = get_string(env, argv[1]);
    rk_resp_err_t err = client->rk ? rk_producer_set_sasl_credentials(client->rk, username, password)
                                   : RK_RESP_ERR__STATE;
    free(username);
    free_secret(password);
    return js_int(env, err);
}

/* fatalError(): an Error, or null. */
static napi_value client_fatal_error(napi_env env, napi_callback_info info)
{
    client_t *client;
    char text[ERRSTR_SIZE] = "";
    napi_value null;
    napi_get_cb_info(env, info, NULL, NULL, NULL, (void **)&client);
    rk_resp_err_t err = client->rk ? rk_producer_fatal_error(client->rk, text, sizeof text) : RK_RESP_ERR_NO_ERROR;
    napi_get_null(env, &null);
    return err ? js_error(env, err, text) : null;
}

/* beginTransaction(): an Error, or undefined. It does not wait. */
static napi_value client_begin(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_get_cb_info(env, info, NULL, NULL, NULL, (void **)&client);
    if (!client->rk)
        return js_error(env, RK_RESP_ERR__STATE, NULL);
    rk_error_t *error = rk_producer_begin_transaction(client->rk);
    napi_value result = error ? js_rk_error(env, error) : NULL;
    rk_error_destroy(error);
    return result;
}

/* ---- construction ---- */

static const struct {
    const char *name;
    napi_callback cb;
} METHODS[] = {
    {"topic", client_add_topic},
    {"produce", client_produce},
    {"drain", client_drain},
    {"setPolling", client_set_polling},
    {"length", client_len},
    {"purge", client_purge},
    {"setToken", client_set_token},
    {"setTokenFailure", client_set_token_failure},
    {"setSaslCredentials", client_set_sasl_credentials},
    {"fatalError", client_fatal_error},
    {"beginTransaction", client_begin},
    {"start", op_start},
    {"stop", op_stop},
    {"flush", op_flush},
    {"purgeAndWait", op_purge},
    {"metadata", op_metadata},
    {"transaction", op_transaction},
    {"sendOffsets", op_send_offsets},
};

static bool configure(napi_env env, rk_conf_t *conf, napi_value pairs)
{
    uint32_t count = 0;
    char text[ERRSTR_SIZE];
    napi_get_array_length(env, pairs, &count);
    for (uint32_t i = 0; i + 1 < count; i += 2) {
        napi_value name_value, value_value;
        napi_get_element(env, pairs, i, &name_value);
        napi_get_element(env, pairs, i + 1, &value_value);
        char *name = get_string(env, name_value), *value = get_string(env, value_value);
        text[0] = 0;
        bool ok = rk_conf_set(conf, name, value, text, sizeof text) == RK_CONF_OK;
        free(name);
        free_secret(value); /* it may be a password */
        if (!ok) {
            throw_error(env, RK_RESP_ERR__INVALID_ARG, text);
            return false;
        }
    }
    return true;
}

static napi_value make_object(napi_env env, client_t *client)
{
    napi_value object, columns;
    if (napi_create_object(env, &object) != napi_ok)
        return NULL;
    for (size_t i = 0; i < sizeof METHODS / sizeof *METHODS; i++) {
        napi_value function;
        if (napi_create_function(env, METHODS[i].name, NAPI_AUTO_LENGTH, METHODS[i].cb, client, &function) != napi_ok)
            return NULL;
        client_retain(client);
        napi_add_finalizer(env, function, client, on_function_collected, NULL, NULL);
        napi_set_named_property(env, object, METHODS[i].name, function);
    }
    if (napi_create_arraybuffer(env, sizeof(columns_t), (void **)&client->columns, &columns) != napi_ok)
        return NULL;
    set(env, object, "columns", columns);
    client_retain(client);
    napi_wrap(env, object, client, on_collected, NULL, NULL);
    return object;
}

/*
 * client(pairs, events, wantValues): names and values of properties in turn, RK_EVENT_* to be handed out, and
 * whether reports bear their messages' values. Throws if a property cannot be.
 */
napi_value client_new(napi_env env, napi_callback_info info)
{
    instance_t *instance;
    napi_value argv[3];
    size_t argc = 3;
    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&instance);
    rk_conf_t *conf = rk_conf_new();
    if (!configure(env, conf, argv[0])) {
        rk_conf_destroy(conf);
        return NULL;
    }
    client_t *client = calloc(1, sizeof *client);
    if (!client) {
        rk_conf_destroy(conf);
        throw_error(env, RK_RESP_ERR__CRIT_SYS_RESOURCE, NULL);
        return NULL;
    }
    atomic_init(&client->refs, 1);
    client->instance = instance;
    atomic_fetch_add(&instance->refs, 1);
    client->conf = conf;
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->idle, NULL);
    rk_conf_set_events(conf, get_int(env, argv[1], 0));
    napi_get_value_bool(env, argv[2], &client->want_values);
    client->next = instance->clients;
    client->at = &instance->clients;
    if (client->next)
        client->next->at = &client->next;
    instance->clients = client;
    /* From here on the list's client is that of the object, which refers to it until it is collected. */
    napi_value object = make_object(env, client);
    client_release(client);
    return object;
}
