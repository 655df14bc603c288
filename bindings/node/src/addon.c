/* The module: what lib/native.js gets. One instance per environment, so workers have their own. */
#include "rkafka_node.h"

/* err2str(code) */
static napi_value err2str(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    size_t argc = 1;
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    return js_string(env, rk_err2str(get_int(env, argv[0], RK_RESP_ERR_UNKNOWN)));
}

/* err2name(code): without RK_RESP_ERR_ */
static napi_value err2name(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    size_t argc = 1;
    napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
    return js_string(env, rk_err2name(get_int(env, argv[0], RK_RESP_ERR_UNKNOWN)));
}

/* defaults(): every property with its default, names and values in turn. */
static napi_value defaults(napi_env env, napi_callback_info info)
{
    size_t count = 0;
    napi_value out;
    rk_conf_t *conf = rk_conf_new();
    char **list = rk_conf_dump(conf, &count);
    (void)info;
    napi_create_array_with_length(env, count, &out);
    for (size_t i = 0; i < count; i++)
        napi_set_element(env, out, (uint32_t)i, js_string(env, list[i]));
    rk_conf_dump_free(list, count);
    rk_conf_destroy(conf);
    return out;
}

static void constant(napi_env env, napi_value exports, const char *name, int32_t number)
{
    set(env, exports, name, js_int(env, number));
}

NAPI_MODULE_INIT()
{
    instance_t *instance = instance_new(env);
    if (!instance) {
        throw_error(env, RK_RESP_ERR__CRIT_SYS_RESOURCE, "rkafka: no memory for the addon");
        return NULL;
    }
    bind(env, exports, "client", client_new, instance);
    bind(env, exports, "mock", mock_new, NULL);
    bind(env, exports, "err2str", err2str, NULL);
    bind(env, exports, "err2name", err2name, NULL);
    bind(env, exports, "defaults", defaults, NULL);
    set(env, exports, "version", js_string(env, rk_version_str()));
    constant(env, exports, "REPORTS_MAX", REPORTS_MAX);
    constant(env, exports, "RUNS_MAX", RUNS_MAX);
    constant(env, exports, "ERR_BEGIN", RK_RESP_ERR__BEGIN);
    constant(env, exports, "ERR_END_ALL", RK_RESP_ERR_END_ALL);
    constant(env, exports, "EVENT_DR", RK_EVENT_DR);
    constant(env, exports, "EVENT_LOG", RK_EVENT_LOG);
    constant(env, exports, "EVENT_ERROR", RK_EVENT_ERROR);
    constant(env, exports, "EVENT_STATS", RK_EVENT_STATS);
    constant(env, exports, "EVENT_THROTTLE", RK_EVENT_THROTTLE);
    constant(env, exports, "EVENT_TOKEN_REFRESH", RK_EVENT_OAUTHBEARER_TOKEN_REFRESH);
    return exports;
}
