/* What an environment has of the addon: its libuv handles, its clients, and how it goes without leaving any behind. */
#include "rkafka_node.h"

#include <stdlib.h>

void instance_release(instance_t *instance)
{
    if (atomic_fetch_sub(&instance->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&instance->lock);
    free(instance);
}

static void on_done(uv_handle_t *async)
{
    ops_done(uv_handle_get_data(async));
}

/* The environment waits for the closing of the last handle: a libuv loop must not end with handles open. */
static void gone_if_closed(instance_t *instance)
{
    if (instance->open_handles || !instance->hook || !instance->closed)
        return;
    napi_async_cleanup_hook_handle hook = instance->hook;
    instance->hook = NULL;
    napi_remove_async_cleanup_hook(hook);
    instance_release(instance);
}

static void on_closed(uv_handle_t *handle)
{
    instance_t *instance = uv_handle_get_data(handle);
    free(handle);
    instance->open_handles--;
    gone_if_closed(instance);
    instance_release(instance);
}

uv_handle_t *instance_open(instance_t *instance, int type)
{
    uv_handle_t *handle = calloc(1, uv_handle_size(type));
    if (handle) {
        atomic_fetch_add(&instance->refs, 1);
        instance->open_handles++;
    }
    return handle;
}

void instance_close(instance_t *instance, uv_handle_t *handle)
{
    uv_handle_set_data(handle, instance);
    uv_close(handle, on_closed);
}

static void on_cleanup(napi_async_cleanup_hook_handle hook, void *data)
{
    instance_t *instance = data;
    instance->hook = hook;
    while (instance->clients)
        client_abandon(instance->clients);
    pthread_mutex_lock(&instance->lock);
    instance->closed = true;
    pthread_mutex_unlock(&instance->lock);
    ops_done(instance);
    if (instance->async) {
        uv_handle_t *async = instance->async;
        instance->async = NULL;
        instance_close(instance, async);
    } else {
        gone_if_closed(instance);
    }
}

instance_t *instance_new(napi_env env)
{
    instance_t *instance = calloc(1, sizeof *instance);
    if (!instance)
        return NULL;
    atomic_init(&instance->refs, 1);
    instance->env = env;
    pthread_mutex_init(&instance->lock, NULL);
    if (napi_get_uv_event_loop(env, &instance->loop) != napi_ok ||
        !(instance->async = instance_open(instance, UV_ASYNC)))
        return NULL;
    if (uv_async_init(instance->loop, instance->async, on_done) != 0)
        return NULL;
    uv_handle_set_data(instance->async, instance);
    uv_unref(instance->async);
    napi_add_async_cleanup_hook(env, on_cleanup, instance, &instance->hook);
    return instance;
}

void instance_keep_alive(instance_t *instance, int change)
{
    int before = instance->busy;
    instance->busy += change;
    if (!instance->async)
        return;
    if (before == 0 && instance->busy > 0)
        uv_ref(instance->async);
    else if (before > 0 && instance->busy == 0)
        uv_unref(instance->async);
}

/* Calls a function from the event loop: microtasks run after it, and what it throws is an uncaught exception. */
void call_js(napi_env env, napi_value function, size_t argc, const napi_value *argv)
{
    napi_value global, result, thrown;
    bool pending = false;
    napi_get_global(env, &global);
    if (napi_make_callback(env, NULL, global, function, argc, argv, &result) == napi_ok)
        return;
    napi_is_exception_pending(env, &pending);
    if (pending && napi_get_and_clear_last_exception(env, &thrown) == napi_ok)
        napi_fatal_exception(env, thrown);
}
