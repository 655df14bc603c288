/*
 * The addon's parts and who owns what.
 *
 * An instance is what one environment (the main thread or a worker) has of the addon: the async handle by which threads
 * tell that an operation is done, and its clients. A client is a producer with its configuration, and lives as long as
 * anything refers to it: its JavaScript object, its functions, its operations. Everything here runs on the
 * environment's thread, except for the `work` of operations (ops.c).
 */
#ifndef RKAFKA_NODE_H
#define RKAFKA_NODE_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rkafka.h"
#include "uv_abi.h"

#define ERRSTR_SIZE 512

typedef struct op op_t;
typedef struct client client_t;

typedef struct instance {
    atomic_int refs; /* clients, operations, and one of the environment itself */
    napi_env env;
    napi_async_cleanup_hook_handle hook;
    struct uv_loop_s *loop;
    uv_handle_t *async;
    int open_handles; /* of libuv, until whose closing the environment must not go */
    int busy;         /* reasons to keep the event loop running */
    client_t *clients;
    pthread_mutex_t lock;
    bool closed;    /* under the lock: nobody is told any more */
    op_t *done;     /* under the lock: operations that have ended, newest first */
} instance_t;

/* Reports as columns, which JavaScript reads as typed arrays: no call of Node-API for a message. */
#define REPORTS_MAX 4096
#define RUNS_MAX 512

typedef struct {
    double offset[REPORTS_MAX];
    double timestamp[REPORTS_MAX];
    uint32_t slot[REPORTS_MAX];
    int32_t err[REPORTS_MAX];
    uint32_t size[REPORTS_MAX];
    int32_t key_len[REPORTS_MAX];   /* -1: none */
    int32_t value_len[REPORTS_MAX]; /* -1: null */
    int32_t run[RUNS_MAX][3];       /* topic, partition, count: reports that follow each other */
} columns_t;

struct client {
    atomic_int refs;
    instance_t *instance;
    client_t *next, **at; /* in the instance's list, while the environment lives */
    rk_conf_t *conf;
    bool want_values;
    rk_producer_t *rk; /* while started */
    rk_topic_t **topics;
    int topic_count, last_topic;
    int32_t *topic_table; /* hash table from names: index + 1, or 0 */
    uint32_t topic_slots;
    /* Operations under way use `rk` on their threads: it is destroyed when there are none. */
    pthread_mutex_t lock;
    pthread_cond_t idle;
    int using_rk;
    bool cancelled; /* operations that wait should end */
    rk_producer_t *abandoned; /* the last operation destroys it */
    bool keeps_alive;
    uv_handle_t *poll;
    napi_ref on_readable; /* while the event loop watches `poll`: what it calls */
    columns_t *columns;   /* in an ArrayBuffer that drain() is given */
    rk_event_t *pending;  /* an event whose reports did not fit */
};

/* instance.c */
instance_t *instance_new(napi_env env);
void instance_release(instance_t *instance);
void instance_keep_alive(instance_t *instance, int change);
uv_handle_t *instance_open(instance_t *instance, int type);
void instance_close(instance_t *instance, uv_handle_t *handle);
void call_js(napi_env env, napi_value function, size_t argc, const napi_value *argv);

/* client.c */
napi_value client_new(napi_env env, napi_callback_info info);
void client_retain(client_t *client);
void client_release(client_t *client);
void client_abandon(client_t *client);
void client_started(client_t *client, rk_producer_t *rk);
rk_producer_t *client_stop(client_t *client);
int client_topic(client_t *client, const char *name);

/* events.c */
napi_value client_drain(napi_env env, napi_callback_info info);
void client_drop_pending(client_t *client);

/* ops.c */
napi_value op_start(napi_env env, napi_callback_info info);
napi_value op_stop(napi_env env, napi_callback_info info);
napi_value op_flush(napi_env env, napi_callback_info info);
napi_value op_purge(napi_env env, napi_callback_info info);
napi_value op_metadata(napi_env env, napi_callback_info info);
napi_value op_transaction(napi_env env, napi_callback_info info);
napi_value op_send_offsets(napi_env env, napi_callback_info info);
void ops_done(instance_t *instance);

/* values.c */
typedef struct {
    const void *data; /* NULL for null and undefined */
    size_t len;
    void *heap; /* to be freed */
    char small[1024];
} bytes_t;

bool get_bytes(napi_env env, napi_value value, bytes_t *bytes);
char *get_string(napi_env env, napi_value value); /* to be freed; NULL unless it is a string */
int32_t get_int(napi_env env, napi_value value, int32_t otherwise);
napi_value js_string(napi_env env, const char *text);
napi_value js_int(napi_env env, int32_t number);
napi_value js_number(napi_env env, double number);
void set(napi_env env, napi_value object, const char *name, napi_value value);
napi_value js_error(napi_env env, int code, const char *message);
napi_value js_rk_error(napi_env env, const rk_error_t *error);
void throw_error(napi_env env, int code, const char *message);
void throw_type_error(napi_env env, const char *message);
bool bind(napi_env env, napi_value object, const char *name, napi_callback cb, void *data);

/* mock.c */
napi_value mock_new(napi_env env, napi_callback_info info);

#endif
