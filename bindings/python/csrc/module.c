/* The module: functions that need no producer. */
#include "core.h"

/* _setup(make_error, KafkaException, ThrottleEvent): what the Python part gives the extension. */
static PyObject *module_setup(PyObject *module, PyObject *args) {
    PyObject *make_error, *exception, *throttle;
    if (!PyArg_ParseTuple(args, "OOO", &make_error, &exception, &throttle))
        return NULL;
    core_set(&core_make_error, make_error);
    core_set(&core_exception, exception);
    core_set(&core_throttle_event, throttle);
    Py_RETURN_NONE;
}

static PyObject *module_version(PyObject *module, PyObject *unused) {
    return Py_BuildValue("(si)", rk_version_str(), rk_version());
}

static PyObject *code_text(PyObject *argument, const char *(*function)(rk_resp_err_t)) {
    long code = PyLong_AsLong(argument);
    if (code == -1 && PyErr_Occurred())
        return NULL;
    return PyUnicode_FromString(function((rk_resp_err_t)code));
}

static PyObject *module_err2str(PyObject *module, PyObject *code) { return code_text(code, rk_err2str); }
static PyObject *module_err2name(PyObject *module, PyObject *code) { return code_text(code, rk_err2name); }

/* conf_check(name, value) -> what is wrong with it, or None */
static PyObject *module_conf_check(PyObject *module, PyObject *args) {
    const char *name, *value;
    char text[512] = "";
    if (!PyArg_ParseTuple(args, "ss", &name, &value))
        return NULL;
    rk_conf_t *conf = rk_conf_new();
    rk_conf_res_t result = rk_conf_set(conf, name, value, text, sizeof text);
    rk_conf_destroy(conf);
    if (result == RK_CONF_OK)
        Py_RETURN_NONE;
    return PyUnicode_FromString(text);
}

static PyMethodDef functions[] = {
    {"_setup", module_setup, METH_VARARGS, NULL},
    {"_stop_partitioners", dispatch_stop, METH_NOARGS, NULL},
    {"libversion", module_version, METH_NOARGS, "libversion() -> version of librkafka as a str and as an int"},
    {"err2str", module_err2str, METH_O, "err2str(code) -> what an error code means"},
    {"err2name", module_err2name, METH_O, "err2name(code) -> the name of an error code"},
    {"conf_check", module_conf_check, METH_VARARGS,
     "conf_check(name, value) -> what is wrong with a property's value, or None"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "rkafka._core", NULL, -1, functions,
                                        NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__core(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module && (produce_setup() || message_setup(module) || producer_setup(module)))
        Py_CLEAR(module);
    return module;
}
