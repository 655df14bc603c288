/* JavaScript values from and to C. */
#include "rkafka_node.h"

#include <stdlib.h>
#include <string.h>

/* Text as UTF-8, into the small buffer if it surely fits: a character cut off at its end has at most four bytes. */
static bool get_text(napi_env env, napi_value value, bytes_t *bytes)
{
    size_t len = 0;
    if (napi_get_value_string_utf8(env, value, bytes->small, sizeof bytes->small, &len) != napi_ok)
        return false;
    if (len + 4 < sizeof bytes->small) {
        bytes->data = bytes->small;
        bytes->len = len;
        return true;
    }
    if (napi_get_value_string_utf8(env, value, NULL, 0, &len) != napi_ok)
        return false;
    bytes->heap = malloc(len + 1);
    if (!bytes->heap || napi_get_value_string_utf8(env, value, bytes->heap, len + 1, &len) != napi_ok) {
        free(bytes->heap);
        bytes->heap = NULL;
        return false;
    }
    bytes->data = bytes->heap;
    bytes->len = len;
    return true;
}

/* The bytes of a Buffer (any view), of a string, or none. They are good until the call returns. */
bool get_bytes(napi_env env, napi_value value, bytes_t *bytes)
{
    napi_valuetype type;
    bytes->data = NULL;
    bytes->len = 0;
    bytes->heap = NULL;
    if (napi_typeof(env, value, &type) != napi_ok)
        return false;
    if (type == napi_null || type == napi_undefined)
        return true;
    if (type == napi_string)
        return get_text(env, value, bytes);
    void *data = NULL;
    bool is_buffer = false; /* asked first: older versions of node end the process at anything else */
    if (type != napi_object || napi_is_buffer(env, value, &is_buffer) != napi_ok || !is_buffer ||
        napi_get_buffer_info(env, value, &data, &bytes->len) != napi_ok)
        return false;
    bytes->data = data ? data : ""; /* an empty value is not a null value */
    return true;
}

char *get_string(napi_env env, napi_value value)
{
    size_t len = 0;
    if (napi_get_value_string_utf8(env, value, NULL, 0, &len) != napi_ok)
        return NULL;
    char *text = malloc(len + 1);
    if (text && napi_get_value_string_utf8(env, value, text, len + 1, &len) != napi_ok) {
        free(text);
        return NULL;
    }
    return text;
}

int32_t get_int(napi_env env, napi_value value, int32_t otherwise)
{
    int32_t number;
    return napi_get_value_int32(env, value, &number) == napi_ok ? number : otherwise;
}

napi_value js_string(napi_env env, const char *text)
{
    napi_value value = NULL;
    if (text)
        napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
    else
        napi_get_null(env, &value);
    return value;
}

napi_value js_int(napi_env env, int32_t number)
{
    napi_value value = NULL;
    napi_create_int32(env, number, &value);
    return value;
}

napi_value js_number(napi_env env, double number)
{
    napi_value value = NULL;
    napi_create_double(env, number, &value);
    return value;
}

void set(napi_env env, napi_value object, const char *name, napi_value value)
{
    if (value)
        napi_set_named_property(env, object, name, value);
}

/* What lib/error.js makes a LibrdKafkaError of. */
napi_value js_error(napi_env env, int code, const char *message)
{
    napi_value error = NULL;
    napi_create_error(env, NULL, js_string(env, message ? message : rk_err2str(code)), &error);
    set(env, error, "code", js_int(env, code));
    return error;
}

napi_value js_rk_error(napi_env env, const rk_error_t *error)
{
    napi_value value = js_error(env, rk_error_code(error), rk_error_string(error)), flag;
    napi_get_boolean(env, rk_error_is_fatal(error), &flag);
    set(env, value, "isFatal", flag);
    napi_get_boolean(env, rk_error_is_retriable(error), &flag);
    set(env, value, "isRetriable", flag);
    napi_get_boolean(env, rk_error_txn_requires_abort(error), &flag);
    set(env, value, "isTxnRequiresAbort", flag);
    return value;
}

void throw_error(napi_env env, int code, const char *message)
{
    napi_throw(env, js_error(env, code, message));
}

void throw_type_error(napi_env env, const char *message)
{
    napi_throw_type_error(env, NULL, message);
}

bool bind(napi_env env, napi_value object, const char *name, napi_callback cb, void *data)
{
    napi_value function;
    return napi_create_function(env, name, NAPI_AUTO_LENGTH, cb, data, &function) == napi_ok &&
           napi_set_named_property(env, object, name, function) == napi_ok;
}
