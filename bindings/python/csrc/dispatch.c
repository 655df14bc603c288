/* The library's callbacks: they take the GIL, call Python, and keep its exceptions for the call that serves them. */
#include "core.h"

#include <time.h>

__thread CallState *core_innermost;

void core_begin(CallState *call, Producer *self, int release) {
    memset(call, 0, sizeof *call);
    call->outer = core_innermost;
    call->self = self;
    core_innermost = call;
    if (release) {
        self->users++;
        call->thread = PyEval_SaveThread();
    }
}

int core_end(CallState *call) {
    if (call->thread) {
        PyEval_RestoreThread(call->thread);
        call->self->users--;
    }
    core_innermost = call->outer;
    if (!call->failed)
        return 0;
    PyErr_Restore(call->type, call->value, call->traceback);
    return -1;
}

CallState *core_enter(Producer *self) {
    CallState *call = core_innermost;
    if (!call || call->self != self)
        return NULL;
    if (call->thread)
        PyEval_RestoreThread(call->thread);
    return call;
}

void core_leave(CallState *call) {
    if (call->thread)
        call->thread = PyEval_SaveThread();
}

void core_keep_exception(CallState *call, PyObject *where) {
    if (call->failed) {
        PyErr_WriteUnraisable(where);
        return;
    }
    call->failed = 1;
    PyErr_Fetch(&call->type, &call->value, &call->traceback);
}

/* ---- delivery reports ---- */

/* Keeps a report for the next poll: a callback before it has raised. */
static void defer(Producer *self, PyObject *callback, Message *m) {
    if (!self->deferred)
        self->deferred = PyList_New(0);
    PyObject *pair = self->deferred && !message_detach(m) ? PyTuple_Pack(2, callback, (PyObject *)m) : NULL;
    if (!pair || PyList_Append(self->deferred, pair))
        PyErr_WriteUnraisable(callback);
    Py_XDECREF(pair);
}

static int call_back(PyObject *callback, PyObject *error, Message *m) {
    PyObject *result = PyObject_CallFunctionObjArgs(callback, error ? error : Py_None, (PyObject *)m, NULL);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

void dispatch_reports(rk_producer_t *rk, const rk_message_t *messages, size_t count, void *opaque) {
    Producer *self = opaque;
    CallState *call;
    uint64_t failed = 0;
    for (size_t i = 0; i < count; i++)
        failed += messages[i].err != RK_RESP_ERR_NO_ERROR;
    if (failed)
        __atomic_add_fetch(&self->failed, failed, __ATOMIC_RELAXED);
    /* Nobody to be told: no callback for all, none of a single message. Read without the GIL; a message on its way has
       counted its callback before it was produced. */
    if (!self->on_delivery && !__atomic_load_n(&self->callbacks, __ATOMIC_ACQUIRE))
        return;
    if (!(call = core_enter(self)))
        return;
    PyObject *topic = NULL;
    Message *m = NULL;
    for (size_t i = 0; i < count; i++) {
        const rk_message_t *raw = &messages[i];
        PyObject *own = raw->opaque, *callback = own ? own : self->on_delivery, *error = NULL;
        if (own)
            self->callbacks--;
        if (!callback || call->drop || (self->only_errors && !raw->err)) {
            Py_XDECREF(own);
            continue;
        }
        Py_INCREF(callback);
        if ((topic || (topic = PyUnicode_FromString(raw->topic))) && (m || (m = message_blank())) &&
            (!raw->err || (error = core_error(raw->err, rk_message_errstr(raw))))) {
            message_fill(m, raw, topic, error);
            if (call->failed)
                defer(self, callback, m);
            else if (call_back(callback, error, m))
                core_keep_exception(call, callback);
            if (Py_REFCNT(m) == 1) {
                message_reset(m);
            } else {
                if (message_detach(m))
                    core_keep_exception(call, callback);
                Py_CLEAR(m);
            }
        } else {
            core_keep_exception(call, callback);
        }
        Py_XDECREF(error);
        Py_DECREF(callback);
        Py_XDECREF(own);
    }
    Py_XDECREF(m);
    Py_XDECREF(topic);
    core_leave(call);
}

Py_ssize_t dispatch_deferred(Producer *self) {
    Py_ssize_t served = 0;
    while (self->deferred && PyList_Size(self->deferred)) {
        PyObject *pair = PyList_GetItem(self->deferred, 0);
        Py_INCREF(pair);
        int failed = PyList_SetSlice(self->deferred, 0, 1, NULL);
        Message *m = (Message *)PyTuple_GetItem(pair, 1);
        failed = failed || call_back(PyTuple_GetItem(pair, 0), m->error, m);
        Py_DECREF(pair);
        served++;
        if (failed)
            return -1;
    }
    return served;
}

/* ---- other events ---- */

/* Calls `callback` with `argument` (or NULL with an exception), which is given up. */
static void call_with(CallState *call, PyObject *callback, PyObject *argument) {
    PyObject *result = argument ? PyObject_CallFunctionObjArgs(callback, argument, NULL) : NULL;
    Py_XDECREF(argument);
    if (!result)
        core_keep_exception(call, callback);
    Py_XDECREF(result);
}

void dispatch_error(rk_producer_t *rk, rk_resp_err_t err, const char *reason, void *opaque) {
    Producer *self = opaque;
    CallState *call = core_enter(self);
    if (!call)
        return;
    if (call->drop) {
        /* Nobody listens any more. */
    } else if (err == RK_RESP_ERR__FATAL) {
        /* A fatal error is raised by the call that serves it: it must not be missed. */
        char text[512];
        err = rk_producer_fatal_error(rk, text, sizeof text);
        PyObject *error = PyObject_CallFunction(core_make_error, "isiii", (int)err, text, 1, 0, 0);
        core_raise_object(error);
        core_keep_exception(call, (PyObject *)self);
    } else if (self->error_cb) {
        call_with(call, self->error_cb, core_error(err, reason));
    }
    core_leave(call);
}

void dispatch_stats(rk_producer_t *rk, const char *json, size_t len, void *opaque) {
    Producer *self = opaque;
    CallState *call = core_enter(self);
    if (!call)
        return;
    if (!call->drop && self->stats_cb)
        call_with(call, self->stats_cb, PyUnicode_DecodeUTF8(json, (Py_ssize_t)len, "replace"));
    core_leave(call);
}

void dispatch_throttle(rk_producer_t *rk, const char *broker, int32_t broker_id, int throttle_ms, void *opaque) {
    Producer *self = opaque;
    CallState *call = core_enter(self);
    if (!call)
        return;
    if (!call->drop && self->throttle_cb)
        call_with(call, self->throttle_cb,
                  PyObject_CallFunction(core_throttle_event, "sid", broker, (int)broker_id, throttle_ms / 1000.0));
    core_leave(call);
}

void dispatch_log(rk_producer_t *rk, int level, const char *facility, const char *text, void *opaque) {
    /* syslog's levels as those of logging */
    static const int levels[] = {50, 50, 50, 40, 30, 20, 20, 10};
    Producer *self = opaque;
    CallState *call = core_enter(self);
    if (!call)
        return;
    if (!call->drop && self->logger) {
        PyObject *result = PyObject_CallMethod(self->logger, "log", "issss", levels[level & 7], "%s [%s] %s", facility,
                                               rk_producer_name(rk), text);
        if (!result)
            core_keep_exception(call, self->logger);
        Py_XDECREF(result);
    }
    core_leave(call);
}

/* ---- tokens ---- */

/* Names and values in turn; 0 and NULL for no dict. -1 with an exception if one is no str. The strings belong to the dict. */
static Py_ssize_t extensions_of(PyObject *dict, const char ***out) {
    Py_ssize_t position = 0, count = 0;
    PyObject *name, *value;
    *out = NULL;
    if (!dict)
        return 0;
    *out = calloc(2 * (size_t)PyDict_Size(dict) + 1, sizeof **out);
    while (*out && PyDict_Next(dict, &position, &name, &value)) {
        Py_ssize_t len;
        if (!PyUnicode_Check(name) || !PyUnicode_Check(value)) {
            PyErr_SetString(PyExc_TypeError, "extensions must be a dict of str to str");
            return -1;
        }
        if (!((*out)[count++] = PyUnicode_AsUTF8AndSize(name, &len)) ||
            !((*out)[count++] = PyUnicode_AsUTF8AndSize(value, &len)))
            return -1;
    }
    return count;
}

void dispatch_token(rk_producer_t *rk, const char *config, void *opaque) {
    Producer *self = opaque;
    CallState *call = core_enter(self);
    if (!call)
        return;
    const char *token, *principal = "";
    const char **extensions = NULL;
    double expiry;
    PyObject *dict = NULL;
    PyObject *result = self->oauth_cb && !call->drop ? PyObject_CallFunction(self->oauth_cb, "s", config) : NULL;
    int set = 0;
    if (result && !PyTuple_Check(result)) {
        PyErr_SetString(PyExc_TypeError, "oauth_cb must return (token_str, expiry_time[, principal, extensions])");
    } else if (result && PyArg_ParseTuple(result, "sd|sO!", &token, &expiry, &principal, &PyDict_Type, &dict)) {
        Py_ssize_t count = extensions_of(dict, &extensions);
        char text[512];
        if (count >= 0) {
            set = !rk_producer_oauthbearer_set_token(rk, token, (int64_t)(expiry * 1000), principal, extensions,
                                                     (size_t)count, text, sizeof text);
            if (!set)
                PyErr_SetString(PyExc_ValueError, text);
        }
    }
    if (!set && !call->drop) {
        if (PyErr_Occurred())
            PyErr_WriteUnraisable(self->oauth_cb);
        rk_producer_oauthbearer_set_token_failure(rk, "OAuth callback raised exception");
    }
    self->token_set = set ? 1 : -1;
    free(extensions);
    Py_XDECREF(result);
    core_leave(call);
}

/* ---- partitioner ---- */

static int stopping; /* the interpreter is about to end */
static int running;  /* partitioners on threads of the library that are about to take the GIL, or have it */

static int32_t partition_of(Producer *self, const rk_partitioner_args_t *args) {
    PyObject *key = args->key ? PyBytes_FromStringAndSize(args->key, (Py_ssize_t)args->key_len) : NULL;
    PyObject *result = NULL;
    long partition = -1;
    if (key || !args->key)
        result = PyObject_CallFunction(self->partitioner, "sOi", args->topic, key ? key : Py_None,
                                       (int)args->partition_cnt);
    if (result)
        partition = PyLong_AsLong(result);
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(self->partitioner);
        partition = -1;
    }
    Py_XDECREF(result);
    Py_XDECREF(key);
    return partition < 0 || partition > INT32_MAX ? -1 : (int32_t)partition;
}

int32_t dispatch_partitioner(const rk_partitioner_args_t *args, void *opaque) {
    Producer *self = opaque;
    int32_t partition = -1;
    CallState *call = core_enter(self);
    if (call) {
        partition = partition_of(self, args);
        core_leave(call);
        return partition;
    }
    /* A thread of the library. Once the interpreter ends, taking the GIL would end this thread in the library's midst. */
    __atomic_add_fetch(&running, 1, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&stopping, __ATOMIC_SEQ_CST)) {
        PyGILState_STATE state = PyGILState_Ensure();
        partition = partition_of(self, args);
        PyGILState_Release(state);
    }
    __atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
    return partition;
}

PyObject *dispatch_stop(PyObject *module, PyObject *unused) {
    __atomic_store_n(&stopping, 1, __ATOMIC_SEQ_CST);
    Py_BEGIN_ALLOW_THREADS;
    while (__atomic_load_n(&running, __ATOMIC_SEQ_CST)) {
        struct timespec pause = {0, 1000000};
        nanosleep(&pause, NULL);
    }
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}
