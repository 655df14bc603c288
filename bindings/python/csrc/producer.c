/* The producer's life, poll and flush; the module. */
#include "core.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* A wait is cut into pieces of so many milliseconds, so that Ctrl-C and close() are heard. */
#define SLICE_MS 200

PyObject *core_make_error, *core_exception, *core_throttle_event;

/* ---- what the other files use ---- */

int core_alive(Producer *self) {
    if (!self->rk)
        PyErr_SetString(PyExc_RuntimeError, "Producer has been closed");
    return self->rk != NULL;
}

void core_set(PyObject **slot, PyObject *object) {
    PyObject *old = *slot;
    Py_XINCREF(object);
    *slot = object;
    Py_XDECREF(old);
}

int core_timeout_ms(double seconds) {
    if (seconds < 0)
        return -1;
    return seconds > 2147483.0 ? INT32_MAX : (int)(seconds * 1000.0 + 0.5);
}

PyObject *core_error(int code, const char *text) { return PyObject_CallFunction(core_make_error, "is", code, text); }

PyObject *core_raise_object(PyObject *error) {
    PyObject *exception = error ? PyObject_CallFunctionObjArgs(core_exception, error, NULL) : NULL;
    if (exception)
        PyErr_SetObject(core_exception, exception);
    Py_XDECREF(exception);
    Py_XDECREF(error);
    return NULL;
}

PyObject *core_raise(int code, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return core_raise_object(core_error(code, text));
}

PyObject *core_raise_error(rk_error_t *error) {
    PyObject *object = PyObject_CallFunction(core_make_error, "isiii", (int)rk_error_code(error), rk_error_string(error),
                                             rk_error_is_fatal(error), rk_error_is_retriable(error),
                                             rk_error_txn_requires_abort(error));
    rk_error_destroy(error);
    return core_raise_object(object);
}

/* ---- birth ---- */

#define SELF ((Producer *)self)

static PyObject *producer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    return alloc(type, 0); /* zeroed */
}

static int set_property(rk_conf_t *conf, PyObject *pair) {
    const char *name, *value;
    char text[512];
    if (!PyArg_ParseTuple(pair, "ss", &name, &value))
        return -1;
    if (rk_conf_set(conf, name, value, text, sizeof text) == RK_CONF_OK)
        return 0;
    core_raise(RK_RESP_ERR__INVALID_ARG, "%s", text);
    return -1;
}

/* Takes the callables out of a dict that has no others. */
static int take_callbacks(Producer *self, PyObject *dict) {
    struct {
        const char *name;
        PyObject **slot;
    } all[] = {{"on_delivery", &self->on_delivery}, {"error_cb", &self->error_cb},       {"stats_cb", &self->stats_cb},
               {"throttle_cb", &self->throttle_cb}, {"oauth_cb", &self->oauth_cb},       {"logger", &self->logger},
               {"partitioner", &self->partitioner}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        PyObject *object = PyDict_GetItemString(dict, all[i].name);
        core_set(all[i].slot, object);
    }
    return 0;
}

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The first token is waited for: without one nothing could be sent. */
static int wait_for_token(Producer *self) {
    int64_t end = now_ms() + 10000;
    while (!self->token_set && now_ms() < end) {
        CallState call;
        core_begin(&call, self, 1);
        int served = rk_producer_poll(self->rk, SLICE_MS);
        if (core_end(&call) || PyErr_CheckSignals())
            return -1;
        if (served < 0)
            break;
    }
    if (self->token_set == 1)
        return 0;
    core_raise(RK_RESP_ERR_SASL_AUTHENTICATION_FAILED, "OAuth token not set: oauth_cb failed or was not called");
    return -1;
}

static int dispose(Producer *self, int drop);

/* __init__(properties as a list of pairs, callbacks as a dict, only_errors) */
static int producer_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    PyObject *properties, *callbacks;
    int only_errors;
    if (!PyArg_ParseTuple(args, "O!O!p", &PyList_Type, &properties, &PyDict_Type, &callbacks, &only_errors))
        return -1;
    if (SELF->rk) {
        PyErr_SetString(PyExc_RuntimeError, "Producer already initialized");
        return -1;
    }
    rk_conf_t *conf = rk_conf_new();
    for (Py_ssize_t i = 0; i < PyList_Size(properties); i++)
        if (set_property(conf, PyList_GetItem(properties, i))) {
            rk_conf_destroy(conf);
            return -1;
        }
    take_callbacks(SELF, callbacks);
    SELF->only_errors = only_errors;
    SELF->token_set = 0;
    rk_conf_set_opaque(conf, self);
    rk_conf_set_dr_batch_cb(conf, dispatch_reports);
    if (SELF->error_cb)
        rk_conf_set_error_cb(conf, dispatch_error);
    if (SELF->stats_cb)
        rk_conf_set_stats_cb(conf, dispatch_stats);
    if (SELF->throttle_cb)
        rk_conf_set_throttle_cb(conf, dispatch_throttle);
    if (SELF->oauth_cb)
        rk_conf_set_oauthbearer_token_refresh_cb(conf, dispatch_token);
    if (SELF->partitioner)
        rk_conf_set_partitioner_cb(conf, dispatch_partitioner);
    if (SELF->logger) {
        rk_conf_set(conf, "log.queue", "true", NULL, 0);
        rk_conf_set_log_cb(conf, dispatch_log);
    }
    char text[512];
    rk_producer_t *rk = rk_producer_new(conf, text, sizeof text);
    if (!rk) {
        rk_conf_destroy(conf);
        core_raise(RK_RESP_ERR__INVALID_ARG, "Failed to create producer: %s", text);
        return -1;
    }
    SELF->rk = rk;
    SELF->pid = (int)getpid();
    SELF->users = 0;
    if (SELF->oauth_cb && wait_for_token(SELF)) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        if (dispose(SELF, 1))
            PyErr_Clear();
        PyErr_Restore(type, value, traceback);
        return -1;
    }
    return 0;
}

/* ---- death ---- */

static int within_callback(Producer *self) {
    for (CallState *call = core_innermost; call; call = call->outer)
        if (call->self == self)
            return 1;
    return 0;
}

/* Ends the producer; -1 with an exception if a callback raised. With `drop` no callbacks are called. */
static int dispose(Producer *self, int drop) {
    rk_producer_t *rk = self->rk;
    self->rk = NULL; /* calls are refused from now on; those under way end within a slice */
    while (self->users && self->pid == (int)getpid()) {
        Py_BEGIN_ALLOW_THREADS;
        struct timespec pause = {0, 1000000};
        nanosleep(&pause, NULL);
        Py_END_ALLOW_THREADS;
    }
    producer_forget_topics(self);
    CallState call;
    core_begin(&call, self, 1);
    call.drop = drop;
    rk_producer_destroy(rk);
    return core_end(&call);
}

static int producer_traverse(PyObject *self, visitproc visit, void *arg) {
#if PY_VERSION_HEX >= 0x03090000
    Py_VISIT(Py_TYPE(self));
#endif
    Py_VISIT(SELF->on_delivery);
    Py_VISIT(SELF->error_cb);
    Py_VISIT(SELF->stats_cb);
    Py_VISIT(SELF->throttle_cb);
    Py_VISIT(SELF->oauth_cb);
    Py_VISIT(SELF->partitioner);
    Py_VISIT(SELF->logger);
    Py_VISIT(SELF->deferred);
    return 0;
}

static int clear_references(PyObject *self) {
    Py_CLEAR(SELF->on_delivery);
    Py_CLEAR(SELF->error_cb);
    Py_CLEAR(SELF->stats_cb);
    Py_CLEAR(SELF->throttle_cb);
    Py_CLEAR(SELF->oauth_cb);
    Py_CLEAR(SELF->partitioner);
    Py_CLEAR(SELF->logger);
    Py_CLEAR(SELF->deferred);
    return 0;
}

/* The garbage collector: callbacks are used by the library's threads until the producer has ended. */
static int producer_clear(PyObject *self) {
    if (SELF->rk && dispose(SELF, 1))
        PyErr_WriteUnraisable(self);
    return clear_references(self);
}

static void producer_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject *exception, *value, *traceback;
    PyObject_GC_UnTrack(self);
    PyErr_Fetch(&exception, &value, &traceback);
    producer_clear(self);
    PyErr_Restore(exception, value, traceback);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* ---- poll, flush, close ---- */

static PyObject *producer_poll(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"timeout", NULL};
    double timeout = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|d", names, &timeout) || !core_alive(SELF))
        return NULL;
    if (within_callback(SELF))
        return PyLong_FromLong(0);
    Py_ssize_t deferred = dispatch_deferred(SELF);
    if (deferred < 0)
        return NULL;
    int timeout_ms = deferred ? 0 : core_timeout_ms(timeout);
    int64_t end = timeout_ms > 0 ? now_ms() + timeout_ms : 0;
    int slice = timeout_ms >= 0 && timeout_ms < SLICE_MS ? timeout_ms : SLICE_MS;
    for (;;) {
        rk_producer_t *rk = SELF->rk;
        CallState call;
        if (!core_alive(SELF))
            return NULL;
        /* Without a wait the GIL is kept: giving it up costs more than most polls, and other threads may be slow to. */
        core_begin(&call, SELF, slice > 0 || SELF->partitioner);
        int served = rk_producer_poll(rk, slice);
        if (core_end(&call) || PyErr_CheckSignals())
            return NULL;
        if (served < 0)
            return core_raise(served, "Poll failed: %s", rk_err2str(served));
        if (served || timeout_ms == 0)
            return PyLong_FromSsize_t(deferred + served);
        if (timeout_ms > 0) {
            int64_t left = end - now_ms();
            if (left <= 0)
                return PyLong_FromSsize_t(deferred);
            slice = left < SLICE_MS ? (int)left : SLICE_MS;
        }
    }
}

static Py_ssize_t producer_len(PyObject *self) {
    Py_ssize_t deferred = SELF->deferred ? PyList_Size(SELF->deferred) : 0;
    return SELF->rk ? rk_producer_len(SELF->rk) + deferred : 0;
}

/* Waits at most so long (-1: for ever). 0 if all is delivered, 1 if something is left, -1 with an exception. */
static int flush(Producer *self, int timeout_ms) {
    int64_t end = now_ms() + timeout_ms;
    for (;;) {
        if (!core_alive(self) || dispatch_deferred(self) < 0 || !core_alive(self))
            return -1;
        int64_t left = timeout_ms < 0 ? SLICE_MS : end - now_ms();
        int slice = left < 0 ? 0 : left < SLICE_MS ? (int)left : SLICE_MS;
        rk_producer_t *rk = self->rk;
        CallState call;
        core_begin(&call, self, 1);
        rk_resp_err_t err = rk_producer_flush(rk, slice);
        if (core_end(&call) || PyErr_CheckSignals())
            return -1;
        if (!err)
            return self->deferred && PyList_Size(self->deferred) ? 1 : 0;
        if (err != RK_RESP_ERR__TIMED_OUT) {
            core_raise(err, "Flush failed: %s", rk_err2str(err));
            return -1;
        }
        if (left <= SLICE_MS && timeout_ms >= 0)
            return 1;
    }
}

static PyObject *producer_flush(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"timeout", NULL};
    double timeout = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|d", names, &timeout) || !core_alive(SELF))
        return NULL;
    int left = within_callback(SELF) ? 1 : flush(SELF, core_timeout_ms(timeout));
    if (left < 0)
        return NULL;
    return PyLong_FromSsize_t(left ? producer_len(self) : 0);
}

static PyObject *producer_close(PyObject *self, PyObject *unused) {
    if (!SELF->rk)
        Py_RETURN_TRUE;
    if (within_callback(SELF)) {
        PyErr_SetString(PyExc_RuntimeError, "close() within a callback of the same producer");
        return NULL;
    }
    PyObject *type = NULL, *value = NULL, *traceback = NULL;
    while (SELF->rk && flush(SELF, -1)) {
        if (!PyErr_Occurred())
            continue;
        if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
            Py_XDECREF(type);
            Py_XDECREF(value);
            Py_XDECREF(traceback);
            return NULL;
        }
        /* What a callback raises does not keep the others from being told; the first exception is raised at the end. */
        if (type)
            PyErr_WriteUnraisable(self);
        else
            PyErr_Fetch(&type, &value, &traceback);
        if (SELF->rk && rk_producer_fatal_error(SELF->rk, NULL, 0))
            break;
    }
    if (SELF->rk && dispose(SELF, 0)) {
        if (type)
            PyErr_WriteUnraisable(self);
        else
            PyErr_Fetch(&type, &value, &traceback);
    }
    if (type) {
        PyErr_Restore(type, value, traceback);
        return NULL;
    }
    Py_RETURN_TRUE;
}

static PyObject *producer_purge(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"in_queue", "in_flight", "blocking", NULL};
    int in_queue = 1, in_flight = 1, blocking = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|ppp", names, &in_queue, &in_flight, &blocking) || !core_alive(SELF))
        return NULL;
    rk_producer_t *rk = SELF->rk;
    CallState call;
    core_begin(&call, SELF, 1);
    rk_resp_err_t err = rk_producer_purge(rk, (in_queue ? RK_PURGE_F_QUEUE : 0) | (in_flight ? RK_PURGE_F_INFLIGHT : 0) |
                                                  (blocking ? 0 : RK_PURGE_F_NON_BLOCKING));
    if (core_end(&call))
        return NULL;
    if (err)
        return core_raise(err, "Purge failed: %s", rk_err2str(err));
    Py_RETURN_NONE;
}

static PyObject *producer_set_credentials(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"username", "password", NULL};
    const char *username, *password;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ss", names, &username, &password) || !core_alive(SELF))
        return NULL;
    rk_resp_err_t err = rk_producer_set_sasl_credentials(SELF->rk, username, password);
    if (err)
        return core_raise(err, "Failed to set SASL credentials: %s", rk_err2str(err));
    Py_RETURN_NONE;
}

static PyObject *producer_fileno(PyObject *self, PyObject *unused) {
    return core_alive(SELF) ? PyLong_FromLong(rk_producer_event_fd(SELF->rk)) : NULL;
}

static PyObject *producer_name(PyObject *self, void *unused) {
    return core_alive(SELF) ? PyUnicode_FromString(rk_producer_name(SELF->rk)) : NULL;
}

static PyObject *producer_failed(PyObject *self, void *unused) {
    return PyLong_FromUnsignedLongLong(__atomic_load_n(&SELF->failed, __ATOMIC_RELAXED));
}

static PyObject *producer_fatal_error(PyObject *self, PyObject *unused) {
    char text[512];
    if (!core_alive(SELF))
        return NULL;
    rk_resp_err_t err = rk_producer_fatal_error(SELF->rk, text, sizeof text);
    if (!err)
        Py_RETURN_NONE;
    return PyObject_CallFunction(core_make_error, "isiii", (int)err, text, 1, 0, 0);
}

/* Not that of a sequence: a producer with an empty queue is true. */
static int producer_bool(PyObject *self) { return 1; }

#define KW(function) ((PyCFunction)(void (*)(void))(function))
static PyMethodDef methods[] = {
    {"produce", KW(producer_produce), METH_FASTCALL | METH_KEYWORDS,
     "produce(topic, value=None, key=None, partition=-1, callback=None, on_delivery=None, timestamp=0, headers=None)\n\n"
     "Queues a message and returns at once; the report comes by poll(). BufferError if the queue is full."},
    {"produce_batch", KW(producer_produce_batch), METH_VARARGS | METH_KEYWORDS,
     "produce_batch(topic, messages, partition=-1, callback=None, on_delivery=None) -> messages accepted\n\n"
     "Messages are dicts with value, key, partition, timestamp, headers, callback; refused ones get \"_error\"."},
    {"poll", KW(producer_poll), METH_VARARGS | METH_KEYWORDS,
     "poll(timeout=-1) -> events served\n\nWaits for events, at most so many seconds, and calls their callbacks."},
    {"flush", KW(producer_flush), METH_VARARGS | METH_KEYWORDS,
     "flush(timeout=-1) -> messages left\n\nWaits until every message is delivered or has failed."},
    {"close", producer_close, METH_NOARGS, "close() -> True\n\nFlushes, calls the callbacks and ends the producer."},
    {"purge", KW(producer_purge), METH_VARARGS | METH_KEYWORDS,
     "purge(in_queue=True, in_flight=True, blocking=True)\n\nGives up messages; their reports come by poll()."},
    {"set_sasl_credentials", KW(producer_set_credentials), METH_VARARGS | METH_KEYWORDS,
     "set_sasl_credentials(username, password)\n\nFor PLAIN and SCRAM, from the next authentication on."},
    {"event_fd", producer_fileno, METH_NOARGS,
     "event_fd() -> int\n\nA descriptor that is readable while poll(0) has something to serve; -1 if there is none."},
    {"fatal_error", producer_fatal_error, METH_NOARGS, "fatal_error() -> KafkaError that ended the producer, or None"},
    {"init_transactions", KW(producer_init_transactions), METH_VARARGS | METH_KEYWORDS, "init_transactions(timeout=-1)"},
    {"begin_transaction", producer_begin_transaction, METH_NOARGS, "begin_transaction()"},
    {"commit_transaction", KW(producer_commit_transaction), METH_VARARGS | METH_KEYWORDS, "commit_transaction(timeout=-1)"},
    {"abort_transaction", KW(producer_abort_transaction), METH_VARARGS | METH_KEYWORDS, "abort_transaction(timeout=-1)"},
    {"_send_offsets", producer_send_offsets, METH_VARARGS, NULL},
    {"_metadata", producer_metadata, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"name", producer_name, NULL, "The client's name, as in logs.", NULL},
    {"failed", producer_failed, NULL, "Messages that have been reported as failed so far.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void *)producer_new},
    {Py_tp_init, (void *)producer_init},
    {Py_tp_dealloc, (void *)producer_dealloc},
    {Py_tp_traverse, (void *)producer_traverse},
    {Py_tp_clear, (void *)producer_clear},
    {Py_tp_methods, methods},
    {Py_tp_getset, getters},
    {Py_sq_length, (void *)producer_len},
    {Py_nb_bool, (void *)producer_bool},
    {0, NULL},
};

static PyType_Spec spec = {"rkafka._core.Producer", sizeof(Producer), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};

int producer_setup(PyObject *module) {
    PyObject *type = PyType_FromSpec(&spec);
    return type ? PyModule_AddObject(module, "Producer", type) : -1;
}
