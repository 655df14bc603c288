/*
 * The extension module: what its files share.
 *
 * Everything here runs with the GIL held unless a comment says otherwise. Only the stable ABI of Python 3.9 is used, so one
 * build serves every later Python; compile with -DRKAFKA_FULL_API to measure what that costs.
 */
#ifndef RKAFKA_PYTHON_CORE_H
#define RKAFKA_PYTHON_CORE_H

#define PY_SSIZE_T_CLEAN
#ifndef RKAFKA_FULL_API
#define Py_LIMITED_API 0x03090000
#endif
#include <Python.h>
#include <rkafka.h>
#include <stdint.h>

/*
 * Three things became part of the stable ABI later than Python 3.9, without a change: they are in its libpython with these
 * very signatures and this layout.
 */
#if defined(Py_LIMITED_API) && Py_LIMITED_API < 0x030a0000
#ifndef METH_FASTCALL
#define METH_FASTCALL 0x0080
#endif
const char *PyUnicode_AsUTF8AndSize(PyObject *unicode, Py_ssize_t *size);
#endif
#if defined(Py_LIMITED_API) && Py_LIMITED_API < 0x030b0000
typedef struct {
    void *buf;
    PyObject *obj;
    Py_ssize_t len, itemsize;
    int readonly, ndim;
    char *format;
    Py_ssize_t *shape, *strides, *suboffsets;
    void *internal;
} Py_buffer;
#ifndef PyBUF_SIMPLE
#define PyBUF_SIMPLE 0
#endif
int PyObject_GetBuffer(PyObject *obj, Py_buffer *view, int flags);
void PyBuffer_Release(Py_buffer *view);
#endif

typedef struct {
    PyObject_HEAD
    rk_producer_t *rk; /* NULL before __init__ and after close() */
    /* What the configuration asks to be called; NULL where it does not. */
    PyObject *on_delivery, *error_cb, *stats_cb, *throttle_cb, *oauth_cb, *partitioner, *logger;
    PyObject *topics;       /* name -> topic handle as an int; the handles are freed with the producer */
    PyObject *last_name;    /* the name of the last message, and its handle: most programs use one string object */
    rk_topic_t *last_topic;
    PyObject *deferred;     /* reports, (callback, message), that came after a callback had raised an exception */
    Py_ssize_t callbacks;   /* messages on their way that have a callback of their own */
    uint64_t failed;        /* messages reported with an error so far; changed without the GIL */
    int users;              /* threads that are in the library without the GIL, or will be again before they return */
    int pid;                /* the process that made it: after fork() the users of the parent are not there */
    int only_errors;        /* delivery.report.only.error */
    int token_set;          /* by oauth_cb, or its failure: 1 or -1 */
} Producer;

/*
 * One call into the library that may run callbacks. Calls of a thread form a list, as a callback may call another producer.
 */
typedef struct CallState {
    struct CallState *outer;
    Producer *self;
    PyThreadState *thread; /* NULL while the GIL is held */
    int drop;              /* the producer goes: forget reports */
    int failed;            /* a callback raised: the exception is below */
    PyObject *type, *value, *traceback;
} CallState;

/* The calling thread's innermost call; NULL if it is in none, as on threads of the library. */
extern __thread CallState *core_innermost;

/* Begins a call; `release` gives up the GIL for its duration. */
void core_begin(CallState *call, Producer *self, int release);
/* Ends it, with the GIL. -1 and an exception if a callback raised one, else 0. */
int core_end(CallState *call);
/* The library calls back: takes the GIL. NULL if this is no thread of Python's. */
CallState *core_enter(Producer *self);
void core_leave(CallState *call);
/* Keeps the current exception for core_end; a second one is told to sys.unraisablehook. */
void core_keep_exception(CallState *call, PyObject *where);

/* Puts a new reference to `object` (or NULL) into `slot`. */
void core_set(PyObject **slot, PyObject *object);
/* RuntimeError "Producer has been closed" and 0 if it is, or was never initialised; else 1. */
int core_alive(Producer *self);
/* Milliseconds of a timeout in seconds; negative is for ever (-1). */
int core_timeout_ms(double seconds);

/* Objects of the Python part, set once by its import. */
extern PyObject *core_make_error;     /* (code, text, fatal, retriable, requires_abort) -> KafkaError */
extern PyObject *core_exception;      /* KafkaException */
extern PyObject *core_throttle_event; /* ThrottleEvent */

PyObject *core_error(int code, const char *text);
/* Raises KafkaException of a KafkaError (or NULL, with an exception), which is given up; always NULL. */
PyObject *core_raise_object(PyObject *error);
PyObject *core_raise(int code, const char *format, ...);
/* Raises KafkaException for an error of the library, which is freed; NULL. */
PyObject *core_raise_error(rk_error_t *error);

/* ---- message.c ---- */

typedef struct {
    PyObject_HEAD
    const rk_message_t *raw; /* what key, value and headers are made of when first asked for; only within the callback */
    PyObject *topic, *key, *value, *headers, *error;
    int32_t partition, leader_epoch, timestamp_type;
    int16_t delivery_count; /* of share groups' consumers: never in reports, but programs may make messages that have it */
    int64_t offset, timestamp;
    double latency; /* seconds, negative if not known */
} Message;

extern PyTypeObject *message_type;
int message_setup(PyObject *module);
/* An empty message, to be filled by message_fill. */
Message *message_blank(void);
/* Makes it a report. `topic` and `error` (or NULL) are borrowed. */
void message_fill(Message *message, const rk_message_t *raw, PyObject *topic, PyObject *error);
/* Empties a message that nobody else has, for the next report. */
void message_reset(Message *message);
/* Copies what it still borrows from the library. -1 with an exception if there is no memory. */
int message_detach(Message *message);
PyObject *headers_to_python(const rk_message_t *raw);

/* ---- produce.c ---- */

PyObject *producer_produce(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *producer_produce_batch(PyObject *self, PyObject *args, PyObject *kwargs);
int produce_setup(void);
/* The handle of a topic, made when first asked for; it belongs to the producer. NULL with an exception. */
rk_topic_t *producer_topic(Producer *self, PyObject *name);
/* Frees the topic handles. */
void producer_forget_topics(Producer *self);

/* ---- dispatch.c: the library's callbacks ---- */

void dispatch_reports(rk_producer_t *rk, const rk_message_t *messages, size_t count, void *opaque);
void dispatch_error(rk_producer_t *rk, rk_resp_err_t err, const char *reason, void *opaque);
void dispatch_stats(rk_producer_t *rk, const char *json, size_t len, void *opaque);
void dispatch_throttle(rk_producer_t *rk, const char *broker, int32_t broker_id, int throttle_ms, void *opaque);
void dispatch_log(rk_producer_t *rk, int level, const char *facility, const char *text, void *opaque);
void dispatch_token(rk_producer_t *rk, const char *config, void *opaque);
int32_t dispatch_partitioner(const rk_partitioner_args_t *args, void *opaque);
/* Calls the callbacks of deferred reports; their number, or -1 with an exception. */
Py_ssize_t dispatch_deferred(Producer *self);
/* No partitioner is called from now on; waits for those that run. At the interpreter's exit. */
PyObject *dispatch_stop(PyObject *module, PyObject *unused);

/* ---- cluster.c: metadata and transactions ---- */

PyObject *producer_metadata(PyObject *self, PyObject *args);
PyObject *producer_init_transactions(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *producer_begin_transaction(PyObject *self, PyObject *unused);
PyObject *producer_commit_transaction(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *producer_abort_transaction(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *producer_send_offsets(PyObject *self, PyObject *args);

/* ---- producer.c ---- */

int producer_setup(PyObject *module);

#endif
