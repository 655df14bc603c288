/* Message: a delivery report, built no further than the callback looks at it. */
#include "core.h"

PyTypeObject *message_type;

#define SELF ((Message *)self)

static PyObject *or_none(PyObject *object) {
    if (!object)
        object = Py_None;
    Py_INCREF(object);
    return object;
}

static PyObject *get_bytes(PyObject **slot, const void *data, size_t len) {
    if (!*slot && data)
        if (!(*slot = PyBytes_FromStringAndSize(data, (Py_ssize_t)len)))
            return NULL;
    return or_none(*slot);
}

PyObject *headers_to_python(const rk_message_t *raw) {
    rk_headers_t *headers;
    if (rk_message_headers(raw, &headers) || !headers)
        Py_RETURN_NONE;
    PyObject *list = PyList_New(0);
    const char *name;
    size_t name_len, value_len;
    const void *value;
    for (size_t i = 0; list && !rk_headers_get(headers, i, &name, &name_len, &value, &value_len); i++) {
        PyObject *pair = value ? Py_BuildValue("(s#y#)", name, (Py_ssize_t)name_len, value, (Py_ssize_t)value_len)
                               : Py_BuildValue("(s#O)", name, (Py_ssize_t)name_len, Py_None);
        if (!pair || PyList_Append(list, pair))
            Py_CLEAR(list);
        Py_XDECREF(pair);
    }
    rk_headers_destroy(headers);
    return list;
}

static PyObject *get_headers(Message *m) {
    if (!m->headers && m->raw) {
        PyObject *headers = headers_to_python(m->raw);
        if (!headers)
            return NULL;
        m->headers = headers;
    }
    return or_none(m->headers);
}

static PyObject *message_topic(PyObject *self, PyObject *unused) { return or_none(SELF->topic); }
static PyObject *message_error(PyObject *self, PyObject *unused) { return or_none(SELF->error); }
static PyObject *message_headers(PyObject *self, PyObject *unused) { return get_headers(SELF); }

static PyObject *message_value(PyObject *self, PyObject *unused) {
    return get_bytes(&SELF->value, SELF->raw ? SELF->raw->payload : NULL, SELF->raw ? SELF->raw->len : 0);
}

static PyObject *message_key(PyObject *self, PyObject *unused) {
    return get_bytes(&SELF->key, SELF->raw ? SELF->raw->key : NULL, SELF->raw ? SELF->raw->key_len : 0);
}

static PyObject *message_partition(PyObject *self, PyObject *unused) {
    return SELF->partition < 0 ? or_none(NULL) : PyLong_FromLong(SELF->partition);
}

static PyObject *message_offset(PyObject *self, PyObject *unused) {
    return SELF->offset < 0 ? or_none(NULL) : PyLong_FromLongLong(SELF->offset);
}

static PyObject *message_leader_epoch(PyObject *self, PyObject *unused) {
    return SELF->leader_epoch < 0 ? or_none(NULL) : PyLong_FromLong(SELF->leader_epoch);
}

static PyObject *message_latency(PyObject *self, PyObject *unused) {
    return SELF->latency < 0 ? or_none(NULL) : PyFloat_FromDouble(SELF->latency);
}

static PyObject *message_timestamp(PyObject *self, PyObject *unused) {
    return Py_BuildValue("(iL)", (int)SELF->timestamp_type, (long long)SELF->timestamp);
}

static PyObject *message_delivery_count(PyObject *self, PyObject *unused) {
    return SELF->delivery_count <= 0 ? or_none(NULL) : PyLong_FromLong(SELF->delivery_count);
}

static PyObject *set_slot(PyObject **slot, PyObject *object) {
    PyObject *old = *slot;
    Py_INCREF(object);
    *slot = object;
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static PyObject *message_set_topic(PyObject *self, PyObject *object) { return set_slot(&SELF->topic, object); }
static PyObject *message_set_key(PyObject *self, PyObject *object) { return set_slot(&SELF->key, object); }
static PyObject *message_set_value(PyObject *self, PyObject *object) { return set_slot(&SELF->value, object); }
static PyObject *message_set_headers(PyObject *self, PyObject *object) { return set_slot(&SELF->headers, object); }
static PyObject *message_set_error(PyObject *self, PyObject *object) { return set_slot(&SELF->error, object); }

int message_detach(Message *m) {
    PyObject *self = (PyObject *)m;
    PyObject *parts[] = {message_key(self, NULL), message_value(self, NULL), get_headers(m)};
    int result = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!parts[i])
            result = -1;
        Py_XDECREF(parts[i]);
    }
    m->raw = NULL;
    return result;
}

/* Pickle: the class and its arguments. */
static PyObject *message_reduce(PyObject *self, PyObject *unused) {
    PyObject *key = message_key(self, NULL), *value = message_value(self, NULL), *headers = get_headers(SELF);
    PyObject *result = NULL;
    if (key && value && headers)
        result = Py_BuildValue("O(OiLOOOO(iL)dih)", (PyObject *)message_type, SELF->topic ? SELF->topic : Py_None,
                               (int)SELF->partition, (long long)SELF->offset, key, value, headers,
                               SELF->error ? SELF->error : Py_None, (int)SELF->timestamp_type,
                               (long long)SELF->timestamp, SELF->latency, (int)SELF->leader_epoch, SELF->delivery_count);
    Py_XDECREF(key);
    Py_XDECREF(value);
    Py_XDECREF(headers);
    return result;
}

static PyObject *message_repr(PyObject *self) {
    return PyUnicode_FromFormat("<rkafka.Message topic=%S partition=%d offset=%lld error=%S>",
                                SELF->topic ? SELF->topic : Py_None, (int)SELF->partition, (long long)SELF->offset,
                                SELF->error ? SELF->error : Py_None);
}

static Py_ssize_t message_len(PyObject *self) {
    if (SELF->value && SELF->value != Py_None)
        return PyObject_Size(SELF->value);
    return SELF->raw && SELF->raw->payload ? (Py_ssize_t)SELF->raw->len : 0;
}

static PyObject *message_compare(PyObject *self, PyObject *other, int op) {
    if ((op != Py_EQ && op != Py_NE) || !PyObject_TypeCheck(other, message_type)) {
        Py_INCREF(Py_NotImplemented);
        return Py_NotImplemented;
    }
    Message *a = SELF, *b = (Message *)other;
    int same = a->partition == b->partition && a->offset == b->offset && a->leader_epoch == b->leader_epoch &&
               a->timestamp == b->timestamp;
    PyObject *(*const parts[])(PyObject *, PyObject *) = {message_topic, message_key, message_value, message_headers,
                                                          message_error};
    for (size_t i = 0; same == 1 && i < sizeof parts / sizeof *parts; i++) {
        PyObject *x = parts[i](self, NULL), *y = parts[i](other, NULL);
        same = x && y ? PyObject_RichCompareBool(x, y, Py_EQ) : -1;
        Py_XDECREF(x);
        Py_XDECREF(y);
    }
    return same < 0 ? NULL : PyBool_FromLong(op == Py_EQ ? same : !same);
}

static void blank(Message *m) {
    m->raw = NULL;
    m->topic = m->key = m->value = m->headers = m->error = NULL;
    m->partition = m->leader_epoch = m->delivery_count = -1;
    m->timestamp_type = 0;
    m->offset = RK_OFFSET_INVALID;
    m->timestamp = 0;
    m->latency = -1.0;
}

Message *message_blank(void) {
    Message *m = PyObject_New(Message, message_type);
    if (m)
        blank(m);
    return m;
}

void message_fill(Message *m, const rk_message_t *raw, PyObject *topic, PyObject *error) {
    m->raw = raw;
    Py_INCREF(topic);
    m->topic = topic;
    Py_XINCREF(error);
    m->error = error;
    m->partition = raw->partition;
    m->offset = raw->offset;
    m->timestamp = raw->timestamp_ms;
    m->timestamp_type = raw->timestamp_type;
    m->latency = (double)raw->latency_us * 1e-6;
}

void message_reset(Message *m) {
    m->raw = NULL;
    Py_CLEAR(m->topic);
    Py_CLEAR(m->key);
    Py_CLEAR(m->value);
    Py_CLEAR(m->headers);
    Py_CLEAR(m->error);
}

static PyObject *message_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    PyObject *self = alloc(type, 0);
    if (self)
        blank(SELF);
    return self;
}

static int message_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"topic", "partition", "offset", "key", "value", "headers", "error", "timestamp", "latency",
                            "leader_epoch", "delivery_count", NULL};
    PyObject *topic = NULL, *key = NULL, *value = NULL, *headers = NULL, *error = NULL, *timestamp = NULL;
    int partition = -1, leader_epoch = -1;
    short delivery_count = -1;
    long long offset = -1;
    double latency = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OiLOOOOOdih", names, &topic, &partition, &offset, &key, &value,
                                     &headers, &error, &timestamp, &latency, &leader_epoch, &delivery_count))
        return -1;
    int type = 0;
    long long ms = 0;
    if (timestamp && timestamp != Py_None) {
        if (!PyTuple_Check(timestamp) || PyTuple_Size(timestamp) != 2) {
            PyErr_SetString(PyExc_TypeError, "timestamp must be a tuple of (int, int)");
            return -1;
        }
        if (!PyArg_ParseTuple(timestamp, "iL", &type, &ms))
            return -1;
    }
    message_reset(SELF);
    PyObject *given[] = {topic, key, value, headers, error};
    PyObject **slots[] = {&SELF->topic, &SELF->key, &SELF->value, &SELF->headers, &SELF->error};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (given[i] && given[i] != Py_None) {
            Py_INCREF(given[i]);
            *slots[i] = given[i];
        }
    SELF->partition = partition < 0 ? -1 : partition;
    SELF->offset = offset < 0 ? RK_OFFSET_INVALID : offset;
    SELF->leader_epoch = leader_epoch < 0 ? -1 : leader_epoch;
    SELF->delivery_count = delivery_count <= 0 ? -1 : delivery_count;
    SELF->timestamp_type = type;
    SELF->timestamp = ms;
    SELF->latency = latency < 0 ? -1.0 : latency;
    return 0;
}

static void message_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    message_reset(SELF);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"topic", message_topic, METH_NOARGS, "Topic name."},
    {"partition", message_partition, METH_NOARGS, "Partition, or None if it has none."},
    {"offset", message_offset, METH_NOARGS, "Offset, or None if it has none."},
    {"key", message_key, METH_NOARGS, "Key as bytes, or None."},
    {"value", message_value, METH_NOARGS, "Value as bytes, or None."},
    {"headers", message_headers, METH_NOARGS, "Headers as a list of (name, value), or None."},
    {"error", message_error, METH_NOARGS, "KafkaError, or None if it was delivered."},
    {"timestamp", message_timestamp, METH_NOARGS, "(type, milliseconds since the epoch)."},
    {"latency", message_latency, METH_NOARGS, "Seconds from produce() to the broker's answer, or None."},
    {"leader_epoch", message_leader_epoch, METH_NOARGS, "Leader epoch, or None if it is not known."},
    {"delivery_count", message_delivery_count, METH_NOARGS, "How often a share group's consumer has been given the message; None in reports."},
    {"set_topic", message_set_topic, METH_O, "Sets what topic() answers."},
    {"set_key", message_set_key, METH_O, "Sets what key() answers."},
    {"set_value", message_set_value, METH_O, "Sets what value() answers."},
    {"set_headers", message_set_headers, METH_O, "Sets what headers() answers."},
    {"set_error", message_set_error, METH_O, "Sets what error() answers."},
    {"__reduce__", message_reduce, METH_NOARGS, "For pickle."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A message, or its delivery report."},
    {Py_tp_new, (void *)message_new},
    {Py_tp_init, (void *)message_init},
    {Py_tp_dealloc, (void *)message_dealloc},
    {Py_tp_repr, (void *)message_repr},
    {Py_tp_richcompare, (void *)message_compare},
    {Py_tp_hash, (void *)PyObject_HashNotImplemented},
    {Py_tp_methods, methods},
    {Py_sq_length, (void *)message_len},
    {0, NULL},
};

static PyType_Spec spec = {"rkafka._core.Message", sizeof(Message), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

int message_setup(PyObject *module) {
    PyObject *type = PyType_FromSpec(&spec);
    if (!type)
        return -1;
    message_type = (PyTypeObject *)type;
    Py_INCREF(type);
    return PyModule_AddObject(module, "Message", type);
}
