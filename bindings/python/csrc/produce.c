/* produce() and produce_batch(). */
#include "core.h"

/* ---- arguments ---- */

enum { TOPIC, VALUE, KEY, PARTITION, CALLBACK, ON_DELIVERY, TIMESTAMP, HEADERS, ARGUMENTS };

static const char *const argument_names[ARGUMENTS] = {"topic",    "value",       "key",       "partition",
                                                      "callback", "on_delivery", "timestamp", "headers"};
static PyObject *interned[ARGUMENTS];

int produce_setup(void) {
    for (int i = 0; i < ARGUMENTS; i++)
        if (!(interned[i] = PyUnicode_InternFromString(argument_names[i])))
            return -1;
    return 0;
}

/* Which argument a keyword names, or -1. Keywords in source code are interned, so that comparing pointers mostly does. */
static int argument_index(PyObject *name) {
    for (int i = 0; i < ARGUMENTS; i++)
        if (name == interned[i])
            return i;
    for (int i = 0; i < ARGUMENTS; i++)
        if (PyUnicode_Compare(name, interned[i]) == 0)
            return i;
    return -1;
}

static int parse_arguments(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, PyObject **out) {
    if (nargs > ARGUMENTS) {
        PyErr_Format(PyExc_TypeError, "produce() takes at most %d arguments (%zd given)", ARGUMENTS, nargs);
        return -1;
    }
    for (Py_ssize_t i = 0; i < nargs; i++)
        out[i] = args[i];
    Py_ssize_t keywords = kwnames ? PyTuple_Size(kwnames) : 0;
    for (Py_ssize_t i = 0; i < keywords; i++) {
        PyObject *name = PyTuple_GetItem(kwnames, i);
        int index = argument_index(name);
        if (index < 0) {
            PyErr_Format(PyExc_TypeError, "'%U' is an invalid keyword argument for produce()", name);
            return -1;
        }
        if (out[index]) {
            PyErr_Format(PyExc_TypeError, "argument '%U' for produce() given twice", name);
            return -1;
        }
        out[index] = args[nargs + i];
    }
    if (!out[TOPIC]) {
        PyErr_SetString(PyExc_TypeError, "produce() missing required argument 'topic' (pos 1)");
        return -1;
    }
    return 0;
}

/* Bytes of a key or value: NULL for None. `view` is to be released if its obj is set. */
static int bytes_of(PyObject *object, const char *what, const void **data, size_t *len, Py_buffer *view) {
    Py_ssize_t size = 0;
    view->obj = NULL;
    *data = NULL;
    *len = 0;
    if (!object || object == Py_None)
        return 0;
    if (PyBytes_Check(object)) {
#ifdef RKAFKA_FULL_API
        *data = PyBytes_AS_STRING(object);
        *len = (size_t)PyBytes_GET_SIZE(object);
#else
        char *start;
        if (PyBytes_AsStringAndSize(object, &start, &size))
            return -1;
        *data = start;
        *len = (size_t)size;
#endif
        return 0;
    }
    if (PyUnicode_Check(object)) {
        *data = PyUnicode_AsUTF8AndSize(object, &size);
        *len = (size_t)size;
        return *data ? 0 : -1;
    }
    if (PyObject_GetBuffer(object, view, PyBUF_SIMPLE)) {
        PyErr_Format(PyExc_TypeError, "%s must be str, bytes-like or None", what);
        return -1;
    }
    *data = view->len ? view->buf : "";
    *len = (size_t)view->len;
    return 0;
}

static void release(Py_buffer *view) {
    if (view->obj)
        PyBuffer_Release(view);
}

static int int_of(PyObject *object, const char *what, long long low, long long high, long long *out) {
    if (!object)
        return 0;
    long long n = PyLong_AsLongLong(object);
    if (n == -1 && PyErr_Occurred())
        return -1;
    if (n < low || n > high) {
        PyErr_Format(PyExc_OverflowError, "%s is out of range", what);
        return -1;
    }
    *out = n;
    return 0;
}

static int add_header(rk_headers_t *headers, PyObject *name, PyObject *value) {
    if (!PyUnicode_Check(name)) {
        PyErr_SetString(PyExc_TypeError, "Header name must be a str");
        return -1;
    }
    Py_ssize_t name_len;
    const char *text = PyUnicode_AsUTF8AndSize(name, &name_len);
    const void *data;
    size_t len;
    Py_buffer view;
    if (!text || bytes_of(value, "Header value", &data, &len, &view))
        return -1;
    rk_resp_err_t err = rk_headers_add(headers, text, (size_t)name_len, data, len);
    release(&view);
    if (err)
        core_raise(err, "Invalid header: %s", rk_err2str(err));
    return err ? -1 : 0;
}

/* From a list of pairs or a dict; NULL with an exception. */
static rk_headers_t *headers_of(PyObject *object) {
    rk_headers_t *headers = rk_headers_new(0);
    int failed = 0;
    if (PyDict_Check(object)) {
        Py_ssize_t position = 0;
        PyObject *name, *value;
        while (!failed && PyDict_Next(object, &position, &name, &value))
            failed = add_header(headers, name, value);
    } else if (PyList_Check(object)) {
        for (Py_ssize_t i = 0; !failed && i < PyList_Size(object); i++) {
            PyObject *pair = PyList_GetItem(object, i);
            if (PyTuple_Check(pair) && PyTuple_Size(pair) == 2) {
                failed = add_header(headers, PyTuple_GetItem(pair, 0), PyTuple_GetItem(pair, 1));
            } else {
                PyErr_SetString(PyExc_TypeError, "Headers are expected to be a list of (key, value) tuples");
                failed = 1;
            }
        }
    } else {
        PyErr_SetString(PyExc_TypeError, "Headers are expected to be a list of (key, value) tuples, or a dict");
        failed = 1;
    }
    if (failed) {
        rk_headers_destroy(headers);
        return NULL;
    }
    return headers;
}

/* ---- topics ---- */

void producer_forget_topics(Producer *self) {
    Py_ssize_t position = 0;
    PyObject *name, *handle;
    while (self->topics && PyDict_Next(self->topics, &position, &name, &handle))
        rk_topic_destroy(PyLong_AsVoidPtr(handle));
    Py_CLEAR(self->topics);
    Py_CLEAR(self->last_name);
    self->last_topic = NULL;
}

rk_topic_t *producer_topic(Producer *self, PyObject *name) {
    if (name == self->last_name)
        return self->last_topic;
    if (!PyUnicode_Check(name)) {
        PyErr_SetString(PyExc_TypeError, "topic must be a str");
        return NULL;
    }
    if (!self->topics && !(self->topics = PyDict_New()))
        return NULL;
    rk_topic_t *topic;
    PyObject *known = PyDict_GetItemWithError(self->topics, name);
    if (known) {
        topic = PyLong_AsVoidPtr(known);
    } else {
        Py_ssize_t len;
        const char *text = PyErr_Occurred() ? NULL : PyUnicode_AsUTF8AndSize(name, &len);
        if (!text)
            return NULL;
        topic = strlen(text) == (size_t)len ? rk_producer_topic(self->rk, text) : NULL;
        if (!topic) {
            core_raise(RK_RESP_ERR__INVALID_ARG, "Unable to produce message: invalid topic name \"%s\"", text);
            return NULL;
        }
        PyObject *handle = PyLong_FromVoidPtr(topic);
        int failed = !handle || PyDict_SetItem(self->topics, name, handle);
        Py_XDECREF(handle);
        if (failed) {
            rk_topic_destroy(topic);
            return NULL;
        }
    }
    PyObject *old = self->last_name;
    Py_INCREF(name);
    self->last_name = name;
    self->last_topic = topic;
    Py_XDECREF(old);
    return topic;
}

/* A callback to be called for a message, or NULL for the producer's own. */
static PyObject *own_callback(PyObject *callback, PyObject *alias) {
    if (!callback)
        callback = alias;
    return callback == Py_None ? NULL : callback;
}

static rk_resp_err_t produce_one(Producer *self, rk_topic_t *topic, const rk_message_t *m, rk_headers_t *headers) {
    rk_resp_err_t err;
    if (!self->partitioner)
        return headers ? rk_topic_produce_headers(topic, m->partition, 0, m->payload, m->len, m->key, m->key_len, headers,
                                                  m->timestamp_ms, m->opaque)
                       : rk_topic_produce(topic, m->partition, 0, m->payload, m->len, m->key, m->key_len,
                                          m->timestamp_ms, m->opaque);
    /* A partitioner of Python's may run on another thread, which must not wait for the GIL while we wait for it. */
    CallState call;
    core_begin(&call, self, 1);
    err = rk_topic_produce_headers(topic, m->partition, 0, m->payload, m->len, m->key, m->key_len, headers,
                                   m->timestamp_ms, m->opaque);
    if (core_end(&call))
        PyErr_WriteUnraisable((PyObject *)self);
    return err;
}

static void raise_refused(rk_resp_err_t err) {
    if (err == RK_RESP_ERR__QUEUE_FULL)
        PyErr_SetString(PyExc_BufferError, rk_err2str(err));
    else
        core_raise(err, "Unable to produce message: %s", rk_err2str(err));
}

PyObject *producer_produce(PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    Producer *self = (Producer *)object;
    PyObject *arg[ARGUMENTS] = {NULL};
    long long partition = RK_PARTITION_UA, timestamp = 0;
    if (parse_arguments(args, nargs, kwnames, arg) || !core_alive(self) ||
        int_of(arg[PARTITION], "partition", INT32_MIN, INT32_MAX, &partition) ||
        int_of(arg[TIMESTAMP], "timestamp", INT64_MIN, INT64_MAX, &timestamp))
        return NULL;
    rk_topic_t *topic = producer_topic(self, arg[TOPIC]);
    if (!topic)
        return NULL;

    rk_message_t m = {0};
    Py_buffer value, key;
    rk_headers_t *headers = NULL;
    if (bytes_of(arg[VALUE], "value", &m.payload, &m.len, &value))
        return NULL;
    if (bytes_of(arg[KEY], "key", &m.key, &m.key_len, &key)) {
        release(&value);
        return NULL;
    }
    if (arg[HEADERS] && arg[HEADERS] != Py_None && !(headers = headers_of(arg[HEADERS]))) {
        release(&value);
        release(&key);
        return NULL;
    }
    m.partition = (int32_t)partition;
    m.timestamp_ms = timestamp;
    PyObject *callback = own_callback(arg[CALLBACK], arg[ON_DELIVERY]);
    m.opaque = callback;
    /* Its report may be served by another thread before produce_one returns, if that gives up the GIL. */
    if (callback) {
        Py_INCREF(callback);
        self->callbacks++;
    }
    rk_resp_err_t err = produce_one(self, topic, &m, headers);
    release(&value);
    release(&key);
    if (!err)
        Py_RETURN_NONE;
    if (callback) {
        Py_DECREF(callback);
        self->callbacks--;
    }
    rk_headers_destroy(headers);
    raise_refused(err);
    return NULL;
}

/* ---- produce_batch ---- */

/* A message of a batch while its produce_batch runs. */
typedef struct {
    Py_buffer value, key;
    rk_headers_t *headers;
} Parts;

static int parse_part(PyObject *dict, const char *field, Py_ssize_t index, const void **data, size_t *len,
                      Py_buffer *view) {
    if (!bytes_of(PyDict_GetItemString(dict, field), field, data, len, view))
        return 0;
    if (PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_Format(PyExc_TypeError, "Message %s at index %zd must be bytes or str", field, index);
    return -1;
}

static int parse_number(PyObject *dict, const char *field, Py_ssize_t index, long long low, long long high,
                        long long *out) {
    PyObject *number = PyDict_GetItemString(dict, field);
    if (!number || number == Py_None)
        return 0;
    if (!PyLong_Check(number)) {
        PyErr_Format(PyExc_TypeError, "Message %s at index %zd must be int", field, index);
        return -1;
    }
    return int_of(number, field, low, high, out);
}

/* Fills a message from its dict. What it takes is in `parts`, also on failure. */
static int parse_message(PyObject *dict, Py_ssize_t index, int partition, PyObject *callback, rk_message_t *m,
                         Parts *parts) {
    long long own_partition = partition, timestamp = 0;
    if (!PyDict_Check(dict)) {
        PyErr_Format(PyExc_TypeError, "Message at index %zd must be a dict", index);
        return -1;
    }
    if (parse_part(dict, "value", index, &m->payload, &m->len, &parts->value) ||
        parse_part(dict, "key", index, &m->key, &m->key_len, &parts->key) ||
        parse_number(dict, "partition", index, INT32_MIN, INT32_MAX, &own_partition) ||
        parse_number(dict, "timestamp", index, INT64_MIN, INT64_MAX, &timestamp))
        return -1;
    PyObject *headers = PyDict_GetItemString(dict, "headers");
    if (headers && headers != Py_None && !(parts->headers = headers_of(headers)))
        return -1;
    m->partition = (int32_t)own_partition;
    m->timestamp_ms = timestamp;
    PyObject *own = own_callback(PyDict_GetItemString(dict, "callback"), PyDict_GetItemString(dict, "on_delivery"));
    m->opaque = own ? own : callback;
    return 0;
}

/* Produces those that have been parsed; failures are written into their dicts as "_error". */
static Py_ssize_t send_batch(Producer *self, rk_topic_t *topic, PyObject *list, rk_message_t *messages, Parts *parts,
                             Py_ssize_t count) {
    int one_by_one = self->partitioner != NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        one_by_one |= parts[i].headers != NULL;
        if (messages[i].opaque) {
            Py_INCREF((PyObject *)messages[i].opaque);
            self->callbacks++;
        }
    }
    if (!one_by_one)
        rk_topic_produce_batch(topic, RK_PARTITION_UA, RK_MSG_F_PARTITION, messages, (size_t)count);
    Py_ssize_t accepted = 0;
    /* Should the GIL be given up on the way, close() waits until the topic is not used any more. */
    self->users++;
    for (Py_ssize_t i = 0; i < count; i++) {
        rk_message_t *m = &messages[i];
        if (one_by_one) {
            m->err = produce_one(self, topic, m, parts[i].headers);
            parts[i].headers = m->err ? parts[i].headers : NULL;
        }
        if (!m->err) {
            accepted++;
            continue;
        }
        if (m->opaque) {
            Py_DECREF((PyObject *)m->opaque);
            self->callbacks--;
        }
        PyObject *dict = i < PyList_Size(list) ? PyList_GetItem(list, i) : NULL;
        PyObject *error = core_error(m->err, rk_err2str(m->err));
        if (!error || (dict && PyDict_Check(dict) && PyDict_SetItemString(dict, "_error", error)))
            PyErr_WriteUnraisable((PyObject *)self);
        Py_XDECREF(error);
    }
    self->users--;
    return accepted;
}

PyObject *producer_produce_batch(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"topic", "messages", "partition", "callback", "on_delivery", NULL};
    Producer *self = (Producer *)object;
    PyObject *name, *list, *callback = NULL, *alias = NULL;
    int partition = RK_PARTITION_UA;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UO|iOO", names, &name, &list, &partition, &callback, &alias))
        return NULL;
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "messages must be a list");
        return NULL;
    }
    if (!core_alive(self))
        return NULL;
    Py_ssize_t count = PyList_Size(list), parsed = 0, accepted = -1;
    rk_topic_t *topic = producer_topic(self, name);
    if (!topic || count == 0)
        return topic ? PyLong_FromLong(0) : NULL;
    callback = own_callback(callback, alias);
    rk_message_t *messages = calloc((size_t)count, sizeof *messages);
    Parts *parts = calloc((size_t)count, sizeof *parts);
    if (messages && parts) {
        int failed = 0;
        for (; !failed && parsed < count; parsed++)
            failed = parse_message(PyList_GetItem(list, parsed), parsed, partition, callback, &messages[parsed],
                                   &parts[parsed]);
        if (!failed)
            accepted = send_batch(self, topic, list, messages, parts, count);
    } else {
        PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < parsed; i++) {
        release(&parts[i].value);
        release(&parts[i].key);
        rk_headers_destroy(parts[i].headers);
    }
    free(messages);
    free(parts);
    return accepted < 0 ? NULL : PyLong_FromSsize_t(accepted);
}
