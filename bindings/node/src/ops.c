/*
 * Calls that wait: each has a thread of its own, so that neither the event loop nor libuv's few workers (files, names of
 * hosts) are held up, and no exit of the process waits for them. When one is done, the environment's async handle is
 * rung and the callback is called from the event loop.
 */
#include "rkafka_node.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct op {
    op_t *next;
    client_t *client;
    napi_ref callback;
    void (*work)(op_t *op);                       /* on the thread; may use rk */
    napi_value (*result)(napi_env env, op_t *op); /* on the event loop, unless it failed; may be NULL */
    rk_producer_t *rk;
    bool uses_rk; /* counted in client->using_rk */
    int timeout_ms;
    int kind;
    char *topic;
    rk_conf_t *conf;
    rk_topic_partition_list_t *offsets;
    rk_consumer_group_metadata_t *group;
    /* outcome */
    rk_resp_err_t err;
    char text[ERRSTR_SIZE];
    rk_error_t *error;
    const rk_metadata_t *metadata;
};

static void op_free(op_t *op)
{
    free(op->topic);
    rk_conf_destroy(op->conf);
    rk_topic_partition_list_destroy(op->offsets);
    rk_consumer_group_metadata_destroy(op->group);
    rk_error_destroy(op->error);
    rk_metadata_destroy(op->metadata);
    client_release(op->client);
    free(op);
}

static void *op_thread(void *arg)
{
    op_t *op = arg;
    client_t *client = op->client;
    instance_t *instance = client->instance;
    rk_producer_t *orphan = NULL;

    op->work(op);
    if (op->uses_rk) {
        pthread_mutex_lock(&client->lock);
        if (--client->using_rk == 0) {
            orphan = client->abandoned;
            client->abandoned = NULL;
            pthread_cond_broadcast(&client->idle);
        }
        pthread_mutex_unlock(&client->lock);
    }
    rk_producer_destroy_flags(orphan, RK_DESTROY_F_NO_REPORTS);

    /* The client, and with it the instance, may go as soon as the event loop has the operation. */
    atomic_fetch_add(&instance->refs, 1);
    pthread_mutex_lock(&instance->lock);
    bool closed = instance->closed;
    if (!closed) {
        op->next = instance->done;
        instance->done = op;
        uv_async_send(instance->async);
    }
    pthread_mutex_unlock(&instance->lock);
    if (closed) {
        if (!op->uses_rk)
            rk_producer_destroy_flags(op->rk, RK_DESTROY_F_NO_REPORTS); /* just started, and nobody wants it */
        op_free(op);
    }
    instance_release(instance);
    return NULL;
}

static op_t *op_new(client_t *client, void (*work)(op_t *op))
{
    op_t *op = calloc(1, sizeof *op);
    if (!op)
        return NULL;
    op->client = client;
    client_retain(client);
    op->work = work;
    return op;
}

/* Starts the thread. `callback` is called with an Error or null, and the result. */
static napi_value op_run(napi_env env, op_t *op, napi_value callback)
{
    client_t *client = op->client;
    pthread_attr_t attr;
    pthread_t thread;
    napi_create_reference(env, callback, 1, &op->callback);
    if (op->uses_rk) {
        pthread_mutex_lock(&client->lock);
        client->using_rk++;
        pthread_mutex_unlock(&client->lock);
    }
    instance_keep_alive(client->instance, 1);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &attr, op_thread, op);
    pthread_attr_destroy(&attr);
    if (failed) {
        op->err = RK_RESP_ERR__CRIT_SYS_RESOURCE;
        op->work = NULL;
        if (op->uses_rk) {
            pthread_mutex_lock(&client->lock);
            client->using_rk--;
            pthread_mutex_unlock(&client->lock);
        }
        pthread_mutex_lock(&client->instance->lock);
        op->next = client->instance->done;
        client->instance->done = op;
        pthread_mutex_unlock(&client->instance->lock);
        uv_async_send(client->instance->async);
    }
    return NULL;
}

static void finish(instance_t *instance, op_t *op)
{
    napi_env env = instance->env;
    napi_handle_scope scope;
    napi_value callback = NULL, argv[2];
    if (napi_open_handle_scope(env, &scope) != napi_ok)
        return;
    napi_get_null(env, &argv[0]);
    napi_get_undefined(env, &argv[1]);
    if (op->error)
        argv[0] = js_rk_error(env, op->error);
    else if (op->err)
        argv[0] = js_error(env, op->err, op->text[0] ? op->text : NULL);
    else if (op->result)
        argv[1] = op->result(env, op);
    napi_get_reference_value(env, op->callback, &callback);
    napi_delete_reference(env, op->callback);
    instance_keep_alive(instance, -1);
    op_free(op);
    if (callback)
        call_js(env, callback, 2, argv);
    napi_close_handle_scope(env, scope);
}

/* Those that have ended, in the order in which they did. When the instance is closed they are only freed. */
void ops_done(instance_t *instance)
{
    op_t *op, *in_order = NULL;
    pthread_mutex_lock(&instance->lock);
    op = instance->done;
    instance->done = NULL;
    bool closed = instance->closed;
    pthread_mutex_unlock(&instance->lock);
    while (op) {
        op_t *next = op->next;
        op->next = in_order;
        in_order = op;
        op = next;
    }
    while ((op = in_order)) {
        in_order = op->next;
        if (!closed) {
            finish(instance, op);
            continue;
        }
        if (!op->uses_rk)
            rk_producer_destroy_flags(op->rk, RK_DESTROY_F_NO_REPORTS);
        op_free(op);
    }
}

/* ---- start and stop ---- */

static void start_work(op_t *op)
{
    op->rk = rk_producer_new(op->conf, op->text, sizeof op->text);
    if (op->rk)
        op->conf = NULL;
    else
        op->err = RK_RESP_ERR__INVALID_ARG;
}

static napi_value start_result(napi_env env, op_t *op)
{
    client_started(op->client, op->rk);
    return js_string(env, rk_producer_name(op->rk));
}

/* start(callback): the producer's name. */
napi_value op_start(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_value argv[1];
    size_t argc = 1;
    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&client);
    op_t *op = client->rk ? NULL : op_new(client, start_work);
    if (!op) {
        throw_error(env, RK_RESP_ERR__STATE, NULL);
        return NULL;
    }
    op->conf = rk_conf_dup(client->conf);
    op->result = start_result;
    return op_run(env, op, argv[0]);
}

static void stop_work(op_t *op)
{
    client_t *client = op->client;
    pthread_mutex_lock(&client->lock);
    while (client->using_rk)
        pthread_cond_wait(&client->idle, &client->lock);
    pthread_mutex_unlock(&client->lock);
    rk_producer_destroy_flags(op->rk, RK_DESTROY_F_NO_REPORTS);
    op->rk = NULL;
}

/* stop(callback): ends the producer once operations under way have come back. Nothing may be called any more from now. */
napi_value op_stop(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_value argv[1];
    size_t argc = 1;
    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&client);
    op_t *op = op_new(client, stop_work);
    if (!op) {
        throw_error(env, RK_RESP_ERR__CRIT_SYS_RESOURCE, NULL);
        return NULL;
    }
    op->rk = client_stop(client);
    return op_run(env, op, argv[0]);
}

/* ---- those that use the producer ---- */

static op_t *using_rk(napi_env env, client_t *client, void (*work)(op_t *op), int timeout_ms)
{
    op_t *op = client->rk ? op_new(client, work) : NULL;
    if (!op) {
        throw_error(env, RK_RESP_ERR__STATE, NULL);
        return NULL;
    }
    op->rk = client->rk;
    op->uses_rk = true;
    op->timeout_ms = timeout_ms;
    return op;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* In slices, because nothing else ends a flush when the client is stopped. */
static void flush_work(op_t *op)
{
    int64_t end = now_ms() + op->timeout_ms;
    for (;;) {
        int64_t left = op->timeout_ms < 0 ? INT32_MAX : end - now_ms();
        op->err = rk_producer_flush(op->rk, left < 0 ? 0 : left > 200 ? 200 : (int)left);
        pthread_mutex_lock(&op->client->lock);
        bool cancelled = op->client->cancelled;
        pthread_mutex_unlock(&op->client->lock);
        if (op->err != RK_RESP_ERR__TIMED_OUT || left <= 0 || cancelled)
            return;
    }
}

/* flush(timeout, callback). Somebody must drain meanwhile. */
napi_value op_flush(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_value argv[2];
    size_t argc = 2;
    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&client);
    op_t *op = using_rk(env, client, flush_work, get_int(env, argv[0], 500));
    return op ? op_run(env, op, argv[1]) : NULL;
}

static void purge_work(op_t *op)
{
    op->err = rk_producer_purge(op->rk, op->kind);
}

/* purgeAndWait(flags, callback): when it is called back, the reports of what was given up are there to be drained. */
napi_value op_purge(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_value argv[2];
    size_t argc = 2;
    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&client);
    op_t *op = using_rk(env, client, purge_work, 0);
    if (!op)
        return NULL;
    op->kind = get_int(env, argv[0], 0);
    return op_run(env, op, argv[1]);
}

static void metadata_work(op_t *op)
{
    rk_topic_t *topic = NULL;
    if (op->topic && !(topic = rk_producer_topic(op->rk, op->topic))) {
        op->err = RK_RESP_ERR__INVALID_ARG;
        return;
    }
    op->err = rk_producer_metadata(op->rk, op->kind, topic, &op->metadata, op->timeout_ms);
    rk_topic_destroy(topic);
}

static napi_value int_array(napi_env env, const int32_t *numbers, size_t count)
{
    napi_value array;
    napi_create_array_with_length(env, count, &array);
    for (size_t i = 0; i < count; i++)
        napi_set_element(env, array, (uint32_t)i, js_int(env, numbers[i]));
    return array;
}

static napi_value metadata_topic(napi_env env, const rk_metadata_topic_t *topic)
{
    napi_value out, partitions;
    napi_create_object(env, &out);
    set(env, out, "name", js_string(env, topic->name));
    if (topic->err)
        set(env, out, "error", js_error(env, topic->err, NULL));
    napi_create_array_with_length(env, topic->partition_cnt, &partitions);
    for (size_t i = 0; i < topic->partition_cnt; i++) {
        const rk_metadata_partition_t *p = &topic->partitions[i];
        napi_value entry;
        napi_create_object(env, &entry);
        set(env, entry, "id", js_int(env, p->id));
        set(env, entry, "leader", js_int(env, p->leader));
        set(env, entry, "replicas", int_array(env, p->replicas, p->replica_cnt));
        set(env, entry, "isrs", int_array(env, p->isrs, p->isr_cnt));
        napi_set_element(env, partitions, (uint32_t)i, entry);
    }
    set(env, out, "partitions", partitions);
    return out;
}

static napi_value metadata_result(napi_env env, op_t *op)
{
    const rk_metadata_t *m = op->metadata;
    napi_value out, list;
    napi_create_object(env, &out);
    set(env, out, "orig_broker_id", js_int(env, m->orig_broker_id));
    set(env, out, "orig_broker_name", js_string(env, m->orig_broker_name));
    set(env, out, "cluster_id", js_string(env, m->cluster_id));
    set(env, out, "controller_id", js_int(env, m->controller_id));
    napi_create_array_with_length(env, m->topic_cnt, &list);
    for (size_t i = 0; i < m->topic_cnt; i++)
        napi_set_element(env, list, (uint32_t)i, metadata_topic(env, &m->topics[i]));
    set(env, out, "topics", list);
    napi_create_array_with_length(env, m->broker_cnt, &list);
    for (size_t i = 0; i < m->broker_cnt; i++) {
        napi_value broker;
        napi_create_object(env, &broker);
        set(env, broker, "id", js_int(env, m->brokers[i].id));
        set(env, broker, "host", js_string(env, m->brokers[i].host));
        set(env, broker, "port", js_int(env, m->brokers[i].port));
        if (m->brokers[i].rack)
            set(env, broker, "rack", js_string(env, m->brokers[i].rack));
        napi_set_element(env, list, (uint32_t)i, broker);
    }
    set(env, out, "brokers", list);
    return out;
}

/* metadata(topic or null, allTopics, timeout, callback). */
napi_value op_metadata(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_value argv[4];
    size_t argc = 4;
    bool all = false;
    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&client);
    op_t *op = using_rk(env, client, metadata_work, get_int(env, argv[2], 30000));
    if (!op)
        return NULL;
    op->topic = get_string(env, argv[0]);
    napi_get_value_bool(env, argv[1], &all);
    op->kind = all;
    op->result = metadata_result;
    return op_run(env, op, argv[3]);
}

enum { TXN_INIT, TXN_COMMIT, TXN_ABORT };

static void transaction_work(op_t *op)
{
    op->error = op->kind == TXN_INIT     ? rk_producer_init_transactions(op->rk, op->timeout_ms)
                : op->kind == TXN_COMMIT ? rk_producer_commit_transaction(op->rk, op->timeout_ms)
                                         : rk_producer_abort_transaction(op->rk, op->timeout_ms);
}

/* transaction(0 init, 1 commit, 2 abort; timeout, callback). Somebody must drain meanwhile. */
napi_value op_transaction(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_value argv[3];
    size_t argc = 3;
    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&client);
    op_t *op = using_rk(env, client, transaction_work, get_int(env, argv[1], 5000));
    if (!op)
        return NULL;
    op->kind = get_int(env, argv[0], TXN_ABORT);
    return op_run(env, op, argv[2]);
}

static void send_offsets_work(op_t *op)
{
    op->error = rk_producer_send_offsets_to_transaction(op->rk, op->offsets, op->group, op->timeout_ms);
}

static rk_topic_partition_list_t *get_offsets(napi_env env, napi_value flat)
{
    uint32_t count = 0;
    napi_get_array_length(env, flat, &count);
    rk_topic_partition_list_t *list = rk_topic_partition_list_new((int)(count / 4));
    for (uint32_t i = 0; i + 3 < count; i += 4) {
        napi_value value[4];
        int64_t offset = RK_OFFSET_INVALID;
        for (uint32_t k = 0; k < 4; k++)
            napi_get_element(env, flat, i + k, &value[k]);
        char *topic = get_string(env, value[0]);
        rk_topic_partition_t *entry = rk_topic_partition_list_add(list, topic, get_int(env, value[1], -1));
        if (entry) {
            napi_get_value_int64(env, value[2], &offset);
            entry->offset = offset;
            entry->metadata = get_string(env, value[3]);
            entry->metadata_size = entry->metadata ? strlen(entry->metadata) : 0;
        }
        free(topic);
    }
    return list;
}

/*
 * sendOffsets(offsets, groupId, generationId, memberId, groupInstanceId, timeout, callback): `offsets` holds topic, partition,
 * offset and metadata (or null) in turn; memberId and groupInstanceId may be null.
 */
napi_value op_send_offsets(napi_env env, napi_callback_info info)
{
    client_t *client;
    napi_value argv[7];
    size_t argc = 7;
    napi_get_cb_info(env, info, &argc, argv, NULL, (void **)&client);
    op_t *op = using_rk(env, client, send_offsets_work, get_int(env, argv[5], 5000));
    if (!op)
        return NULL;
    char *group = get_string(env, argv[1]), *member = get_string(env, argv[3]), *static_id = get_string(env, argv[4]);
    op->offsets = get_offsets(env, argv[0]);
    op->group = member ? rk_consumer_group_metadata_new_with_genid(group, get_int(env, argv[2], -1), member, static_id)
                       : rk_consumer_group_metadata_new(group);
    free(group);
    free(member);
    free(static_id);
    return op_run(env, op, argv[6]);
}
