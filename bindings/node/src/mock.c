/* The embedded cluster, for tests: brokers on loopback sockets in threads of this process. */
#include "rkafka_node.h"

#include <stdlib.h>

typedef struct {
    rk_mock_cluster_t *cluster; /* NULL once closed */
    napi_ref self;              /* until closed: clients know the cluster by its addresses alone */
} mock_t;

static rk_mock_cluster_t *cluster_of(napi_env env, napi_callback_info info, napi_value *argv, size_t argc)
{
    mock_t *mock;
    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&mock);
    return mock->cluster;
}

static napi_value done(napi_env env, rk_resp_err_t err)
{
    if (err)
        throw_error(env, err, NULL);
    return NULL;
}

static napi_value mock_bootstraps(napi_env env, napi_callback_info info)
{
    return js_string(env, rk_mock_cluster_bootstraps(cluster_of(env, info, NULL, 0)));
}

/* createTopic(name, partitions, replicas) */
static napi_value mock_create_topic(napi_env env, napi_callback_info info)
{
    napi_value argv[3];
    rk_mock_cluster_t *cluster = cluster_of(env, info, argv, 3);
    char *name = get_string(env, argv[0]);
    rk_resp_err_t err = rk_mock_topic_create(cluster, name, get_int(env, argv[1], -1), get_int(env, argv[2], -1));
    free(name);
    return done(env, err);
}

static napi_value bytes_value(napi_env env, const void *data, size_t len)
{
    napi_value value;
    if (!data)
        napi_get_null(env, &value);
    else
        napi_create_buffer_copy(env, len, data, NULL, &value);
    return value;
}

typedef struct {
    napi_env env;
    napi_value list;
    uint32_t count;
} listing_t;

static void add_message(const rk_message_t *message, void *opaque)
{
    listing_t *listing = opaque;
    napi_env env = listing->env;
    napi_value out, headers;
    rk_headers_t *list = NULL;
    napi_create_object(env, &out);
    set(env, out, "offset", js_number(env, (double)message->offset));
    set(env, out, "timestamp", js_number(env, (double)message->timestamp_ms));
    set(env, out, "key", bytes_value(env, message->key, message->key_len));
    set(env, out, "value", bytes_value(env, message->payload, message->len));
    napi_create_array(env, &headers);
    if (rk_message_headers(message, &list) == RK_RESP_ERR_NO_ERROR) {
        for (size_t i = 0; i < rk_headers_count(list); i++) {
            const char *name;
            const void *value;
            size_t name_len, value_len;
            napi_value pair, text;
            rk_headers_get(list, i, &name, &name_len, &value, &value_len);
            napi_create_array(env, &pair);
            napi_create_string_utf8(env, name, name_len, &text);
            napi_set_element(env, pair, 0, text);
            napi_set_element(env, pair, 1, bytes_value(env, value, value_len));
            napi_set_element(env, headers, (uint32_t)i, pair);
        }
        rk_headers_destroy(list);
    }
    set(env, out, "headers", headers);
    napi_set_element(env, listing->list, listing->count++, out);
}

/* messages(topic, partition): what the partition's log holds. */
static napi_value mock_messages(napi_env env, napi_callback_info info)
{
    napi_value argv[2];
    rk_mock_cluster_t *cluster = cluster_of(env, info, argv, 2);
    listing_t listing = {env, NULL, 0};
    char *topic = get_string(env, argv[0]);
    napi_create_array(env, &listing.list);
    rk_resp_err_t err = rk_mock_partition_foreach(cluster, topic, get_int(env, argv[1], 0), add_message, &listing);
    free(topic);
    return err ? done(env, err) : listing.list;
}

/* endOffset(topic, partition) */
static napi_value mock_end_offset(napi_env env, napi_callback_info info)
{
    napi_value argv[2];
    rk_mock_cluster_t *cluster = cluster_of(env, info, argv, 2);
    char *topic = get_string(env, argv[0]);
    int64_t offset = rk_mock_partition_end_offset(cluster, topic, get_int(env, argv[1], 0));
    free(topic);
    return offset < 0 ? done(env, (rk_resp_err_t)offset) : js_number(env, (double)offset);
}

static napi_value mock_broker_down(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    rk_mock_cluster_t *cluster = cluster_of(env, info, argv, 1);
    return done(env, rk_mock_broker_set_down(cluster, get_int(env, argv[0], -1)));
}

static napi_value mock_broker_up(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    rk_mock_cluster_t *cluster = cluster_of(env, info, argv, 1);
    return done(env, rk_mock_broker_set_up(cluster, get_int(env, argv[0], -1)));
}

/* brokerRtt(broker, milliseconds) */
static napi_value mock_broker_rtt(napi_env env, napi_callback_info info)
{
    napi_value argv[2];
    rk_mock_cluster_t *cluster = cluster_of(env, info, argv, 2);
    return done(env, rk_mock_broker_set_rtt(cluster, get_int(env, argv[0], -1), get_int(env, argv[1], 0)));
}

static napi_value mock_drop_connections(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    rk_mock_cluster_t *cluster = cluster_of(env, info, argv, 1);
    return done(env, rk_mock_broker_drop_connections(cluster, get_int(env, argv[0], -1)));
}

/* pushErrors(apiKey, [codes]): the next requests of that API fail so. */
static napi_value mock_push_errors(napi_env env, napi_callback_info info)
{
    napi_value argv[2];
    rk_mock_cluster_t *cluster = cluster_of(env, info, argv, 2);
    uint32_t count = 0;
    napi_get_array_length(env, argv[1], &count);
    rk_resp_err_t *errors = calloc(count ? count : 1, sizeof *errors);
    if (!errors)
        return done(env, RK_RESP_ERR__CRIT_SYS_RESOURCE);
    for (uint32_t i = 0; i < count; i++) {
        napi_value code;
        napi_get_element(env, argv[1], i, &code);
        errors[i] = get_int(env, code, 0);
    }
    rk_resp_err_t err = rk_mock_push_request_errors(cluster, (int16_t)get_int(env, argv[0], 0), errors, count);
    free(errors);
    return done(env, err);
}

/* throttle(apiKey, milliseconds) */
static napi_value mock_throttle(napi_env env, napi_callback_info info)
{
    napi_value argv[2];
    rk_mock_cluster_t *cluster = cluster_of(env, info, argv, 2);
    rk_mock_throttle(cluster, (int16_t)get_int(env, argv[0], 0), get_int(env, argv[1], 0));
    return NULL;
}

/* requestCount(apiKey) */
static napi_value mock_request_count(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    rk_mock_cluster_t *cluster = cluster_of(env, info, argv, 1);
    return js_number(env, (double)rk_mock_request_cnt(cluster, (int16_t)get_int(env, argv[0], 0)));
}

/* setSasl(mechanisms, session lifetime in ms): null for none. */
static napi_value mock_set_sasl(napi_env env, napi_callback_info info)
{
    napi_value argv[2];
    rk_mock_cluster_t *cluster = cluster_of(env, info, argv, 2);
    char *mechanisms = get_string(env, argv[0]);
    rk_resp_err_t err = rk_mock_set_sasl(cluster, mechanisms, get_int(env, argv[1], 0));
    free(mechanisms);
    return done(env, err);
}

/* setUser(name, password) */
static napi_value mock_set_user(napi_env env, napi_callback_info info)
{
    napi_value argv[2];
    rk_mock_cluster_t *cluster = cluster_of(env, info, argv, 2);
    char *name = get_string(env, argv[0]), *password = get_string(env, argv[1]);
    rk_resp_err_t err = rk_mock_set_user(cluster, name, password);
    free(name);
    free(password);
    return done(env, err);
}

/* setTls(certificate, key): PEM. */
static napi_value mock_set_tls(napi_env env, napi_callback_info info)
{
    napi_value argv[2];
    rk_mock_cluster_t *cluster = cluster_of(env, info, argv, 2);
    char text[ERRSTR_SIZE] = "";
    char *certificate = get_string(env, argv[0]), *key = get_string(env, argv[1]);
    rk_resp_err_t err = rk_mock_set_tls(cluster, certificate, key, NULL, text, sizeof text);
    free(certificate);
    free(key);
    if (err)
        throw_error(env, err, text);
    return NULL;
}

/* close(): later calls answer as for no cluster. */
static napi_value mock_close(napi_env env, napi_callback_info info)
{
    mock_t *mock;
    napi_get_cb_info(env, info, NULL, NULL, NULL, (void **)&mock);
    rk_mock_cluster_destroy(mock->cluster);
    mock->cluster = NULL;
    if (mock->self)
        napi_delete_reference(env, mock->self);
    mock->self = NULL;
    return NULL;
}

static const struct {
    const char *name;
    napi_callback cb;
} METHODS[] = {
    {"bootstraps", mock_bootstraps},
    {"createTopic", mock_create_topic},
    {"messages", mock_messages},
    {"endOffset", mock_end_offset},
    {"brokerDown", mock_broker_down},
    {"brokerUp", mock_broker_up},
    {"brokerRtt", mock_broker_rtt},
    {"dropConnections", mock_drop_connections},
    {"pushErrors", mock_push_errors},
    {"throttle", mock_throttle},
    {"requestCount", mock_request_count},
    {"setSasl", mock_set_sasl},
    {"setUser", mock_set_user},
    {"setTls", mock_set_tls},
    {"close", mock_close},
};

static void on_collected(napi_env env, void *data, void *hint)
{
    mock_t *mock = data;
    (void)env;
    (void)hint;
    rk_mock_cluster_destroy(mock->cluster);
    free(mock);
}

/* mock(brokers): throws if the cluster cannot be started. It runs until close(), or the environment's end. */
napi_value mock_new(napi_env env, napi_callback_info info)
{
    napi_value argv[1], object;
    size_t argc = 1;
    char text[ERRSTR_SIZE] = "";
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    mock_t *mock = calloc(1, sizeof *mock);
    if (!mock)
        return done(env, RK_RESP_ERR__CRIT_SYS_RESOURCE);
    mock->cluster = rk_mock_cluster_new(get_int(env, argv[0], 1), text, sizeof text);
    if (!mock->cluster) {
        free(mock);
        throw_error(env, RK_RESP_ERR__INVALID_ARG, text);
        return NULL;
    }
    napi_create_object(env, &object);
    for (size_t i = 0; i < sizeof METHODS / sizeof *METHODS; i++)
        bind(env, object, METHODS[i].name, METHODS[i].cb, mock);
    napi_wrap(env, object, mock, on_collected, NULL, NULL);
    napi_create_reference(env, object, 1, &mock->self);
    return object;
}
