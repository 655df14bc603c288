/*
 * The few functions of libuv that the addon calls. libuv's ABI is stable within its major version, node exports it, and
 * napi_get_uv_event_loop is made for this; but uv.h does not come with the Node-API headers, so what is needed of it
 * is declared here. Handles are allocated with uv_handle_size, so their layout does not matter.
 */
#ifndef RKAFKA_UV_ABI_H
#define RKAFKA_UV_ABI_H

#include <stddef.h>

struct uv_loop_s;
typedef struct uv_handle_s uv_handle_t;

enum { UV_ASYNC = 1, UV_POLL = 8 }; /* of uv_handle_type */
enum { UV_READABLE = 1 };

size_t uv_handle_size(int type);
void *uv_handle_get_data(const uv_handle_t *handle);
void uv_handle_set_data(uv_handle_t *handle, void *data);
void uv_close(uv_handle_t *handle, void (*closed)(uv_handle_t *handle));
void uv_ref(uv_handle_t *handle);
void uv_unref(uv_handle_t *handle);
int uv_async_init(struct uv_loop_s *loop, uv_handle_t *async, void (*cb)(uv_handle_t *async));
int uv_async_send(uv_handle_t *async);
int uv_poll_init(struct uv_loop_s *loop, uv_handle_t *poll, int fd);
int uv_poll_start(uv_handle_t *poll, int events, void (*cb)(uv_handle_t *poll, int status, int events));
int uv_poll_stop(uv_handle_t *poll);

#endif
