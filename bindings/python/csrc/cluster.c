/* Metadata and transactions. */
#include "core.h"

#include <string.h>
#include <time.h>

/* ---- metadata ---- */

static PyObject *ids_to_python(const int32_t *ids, size_t count) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *id = PyLong_FromLong(ids[i]);
        if (!id || PyList_Append(list, id))
            Py_CLEAR(list);
        Py_XDECREF(id);
    }
    return list;
}

/* Appends `item`, which is given up; clears the list if there is none. */
static void append(PyObject **list, PyObject *item) {
    if (*list && (!item || PyList_Append(*list, item)))
        Py_CLEAR(*list);
    Py_XDECREF(item);
}

static PyObject *topic_to_python(const rk_metadata_topic_t *topic) {
    PyObject *partitions = PyList_New(0);
    for (size_t i = 0; partitions && i < topic->partition_cnt; i++) {
        const rk_metadata_partition_t *p = &topic->partitions[i];
        append(&partitions, Py_BuildValue("(iiiiNN)", (int)p->id, (int)p->err, (int)p->leader, (int)p->leader_epoch,
                                          ids_to_python(p->replicas, p->replica_cnt),
                                          ids_to_python(p->isrs, p->isr_cnt)));
    }
    return partitions ? Py_BuildValue("(siN)", topic->name, (int)topic->err, partitions) : NULL;
}

/* _metadata(topic, timeout): nested tuples, which the Python part makes classes of. */
PyObject *producer_metadata(PyObject *object, PyObject *args) {
    Producer *self = (Producer *)object;
    PyObject *name;
    double timeout;
    if (!PyArg_ParseTuple(args, "Od", &name, &timeout) || !core_alive(self))
        return NULL;
    rk_topic_t *topic = NULL;
    if (name != Py_None && !(topic = producer_topic(self, name)))
        return NULL;
    const rk_metadata_t *metadata = NULL;
    rk_producer_t *rk = self->rk;
    CallState call;
    core_begin(&call, self, 1);
    rk_resp_err_t err = rk_producer_metadata(rk, topic == NULL, topic, &metadata, core_timeout_ms(timeout));
    if (core_end(&call)) {
        rk_metadata_destroy(metadata);
        return NULL;
    }
    if (err)
        return core_raise(err, "Failed to get metadata: %s", rk_err2str(err));
    PyObject *brokers = PyList_New(0), *topics = PyList_New(0), *result = NULL;
    for (size_t i = 0; brokers && i < metadata->broker_cnt; i++) {
        const rk_metadata_broker_t *b = &metadata->brokers[i];
        append(&brokers, Py_BuildValue("(isiz)", (int)b->id, b->host, (int)b->port, b->rack));
    }
    for (size_t i = 0; topics && i < metadata->topic_cnt; i++)
        append(&topics, topic_to_python(&metadata->topics[i]));
    if (brokers && topics)
        result = Py_BuildValue("(ziizOO)", metadata->cluster_id, (int)metadata->controller_id,
                               (int)metadata->orig_broker_id, metadata->orig_broker_name, brokers, topics);
    Py_XDECREF(brokers);
    Py_XDECREF(topics);
    rk_metadata_destroy(metadata);
    return result;
}

/* ---- transactions ---- */

typedef struct {
    rk_topic_partition_list_t *offsets;
    rk_consumer_group_metadata_t *group;
} Offsets;

typedef rk_error_t *(*transactional)(rk_producer_t *rk, const Offsets *offsets, int timeout_ms);

static rk_error_t *do_init(rk_producer_t *rk, const Offsets *unused, int ms) {
    return rk_producer_init_transactions(rk, ms);
}
static rk_error_t *do_commit(rk_producer_t *rk, const Offsets *unused, int ms) {
    return rk_producer_commit_transaction(rk, ms);
}
static rk_error_t *do_abort(rk_producer_t *rk, const Offsets *unused, int ms) {
    return rk_producer_abort_transaction(rk, ms);
}
static rk_error_t *do_send_offsets(rk_producer_t *rk, const Offsets *o, int ms) {
    return rk_producer_send_offsets_to_transaction(rk, o->offsets, o->group, ms);
}

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Calls in slices, each of which goes on where the one before timed out, so that signals are heard in between. */
static PyObject *run(Producer *self, transactional function, const Offsets *offsets, double timeout) {
    const int SLICE_MS = 200;
    int timeout_ms = core_timeout_ms(timeout);
    int64_t end = now_ms() + timeout_ms;
    for (;;) {
        if (!core_alive(self))
            return NULL;
        int64_t left = timeout_ms < 0 ? SLICE_MS : end - now_ms();
        int last = left <= SLICE_MS && timeout_ms >= 0;
        int slice = left < 0 ? 0 : left < SLICE_MS ? (int)left : SLICE_MS;
        rk_producer_t *rk = self->rk;
        CallState call;
        core_begin(&call, self, 1);
        rk_error_t *error = function(rk, offsets, slice);
        if (core_end(&call)) {
            rk_error_destroy(error);
            return NULL;
        }
        if (!error)
            Py_RETURN_NONE;
        if (last || rk_error_code(error) != RK_RESP_ERR__TIMED_OUT || !rk_error_is_retriable(error))
            return core_raise_error(error);
        rk_error_destroy(error);
        if (PyErr_CheckSignals())
            return NULL;
    }
}

static PyObject *run_with_timeout(PyObject *self, transactional function, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"timeout", NULL};
    double timeout = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|d", names, &timeout))
        return NULL;
    return run((Producer *)self, function, NULL, timeout);
}

PyObject *producer_init_transactions(PyObject *self, PyObject *args, PyObject *kwargs) {
    return run_with_timeout(self, do_init, args, kwargs);
}

PyObject *producer_commit_transaction(PyObject *self, PyObject *args, PyObject *kwargs) {
    return run_with_timeout(self, do_commit, args, kwargs);
}

PyObject *producer_abort_transaction(PyObject *self, PyObject *args, PyObject *kwargs) {
    return run_with_timeout(self, do_abort, args, kwargs);
}

PyObject *producer_begin_transaction(PyObject *object, PyObject *unused) {
    Producer *self = (Producer *)object;
    if (!core_alive(self))
        return NULL;
    rk_error_t *error = rk_producer_begin_transaction(self->rk);
    if (error)
        return core_raise_error(error);
    Py_RETURN_NONE;
}

static int add_offset(rk_topic_partition_list_t *list, PyObject *tuple) {
    const char *topic, *metadata;
    int partition, leader_epoch;
    long long offset;
    Py_ssize_t metadata_len;
    if (!PyArg_ParseTuple(tuple, "siLz#i", &topic, &partition, &offset, &metadata, &metadata_len, &leader_epoch))
        return -1;
    rk_topic_partition_t *entry = rk_topic_partition_list_add(list, topic, partition);
    if (!entry) {
        core_raise(RK_RESP_ERR__INVALID_ARG, "Invalid topic: %s", topic);
        return -1;
    }
    entry->offset = offset;
    if (leader_epoch >= 0)
        rk_topic_partition_set_leader_epoch(entry, leader_epoch);
    if (metadata && metadata_len && (entry->metadata = malloc((size_t)metadata_len))) {
        memcpy(entry->metadata, metadata, (size_t)metadata_len);
        entry->metadata_size = (size_t)metadata_len;
    }
    return 0;
}

/* _send_offsets([(topic, partition, offset, metadata, leader_epoch)], (group, generation, member, instance), timeout) */
PyObject *producer_send_offsets(PyObject *object, PyObject *args) {
    Producer *self = (Producer *)object;
    PyObject *list, *result = NULL;
    const char *group, *member, *instance;
    int generation;
    double timeout;
    if (!PyArg_ParseTuple(args, "O!(sisz)d", &PyList_Type, &list, &group, &generation, &member, &instance, &timeout) ||
        !core_alive(self))
        return NULL;
    Offsets offsets = {rk_topic_partition_list_new((int)PyList_Size(list)),
                       rk_consumer_group_metadata_new_with_genid(group, generation, member, instance)};
    int failed = 0;
    if (!offsets.group) {
        core_raise(RK_RESP_ERR__INVALID_ARG, "Invalid consumer group metadata");
        failed = 1;
    }
    for (Py_ssize_t i = 0; !failed && i < PyList_Size(list); i++)
        failed = add_offset(offsets.offsets, PyList_GetItem(list, i));
    if (!failed)
        result = run(self, do_send_offsets, &offsets, timeout);
    rk_topic_partition_list_destroy(offsets.offsets);
    rk_consumer_group_metadata_destroy(offsets.group);
    return result;
}
