/* Reading and writing Kafka's wire format, for the benchmark's broker and its limit. `flexible` picks the compact forms of KIP-482. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *p) {
    if (!p) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return p;
}

/* ---- reading: past the end everything is zero and `bad` is set ---- */

typedef struct {
    const uint8_t *p, *end;
    int bad;
} reader_t;

static const uint8_t *take(reader_t *r, size_t n) {
    if ((size_t)(r->end - r->p) < n) {
        r->bad = 1;
        r->p = r->end;
        return NULL;
    }
    r->p += n;
    return r->p - n;
}

static uint64_t big_endian(const uint8_t *p, int n) {
    uint64_t v = 0;
    while (n--)
        v = v << 8 | *p++;
    return v;
}

static uint64_t get_int(reader_t *r, int n) {
    const uint8_t *p = take(r, (size_t)n);
    return p ? big_endian(p, n) : 0;
}

#define get_i16(r) ((int16_t)get_int(r, 2))
#define get_i32(r) ((int32_t)get_int(r, 4))
#define get_i64(r) ((int64_t)get_int(r, 8))

static uint32_t get_uvarint(reader_t *r) {
    uint32_t v = 0;
    for (int shift = 0; shift < 35; shift += 7) {
        uint8_t b = (uint8_t)get_int(r, 1);
        v |= (uint32_t)(b & 127) << shift;
        if (!(b & 128))
            return v;
    }
    r->bad = 1;
    return 0;
}

/* Length of a string, of bytes (`wide`) or of an array (`wide`); -1 is null. */
static int64_t get_len(reader_t *r, int flexible, int wide) {
    if (flexible)
        return (int64_t)get_uvarint(r) - 1;
    return wide ? get_i32(r) : get_i16(r);
}

static const char *get_string(reader_t *r, int flexible, uint16_t *len) {
    int64_t n = get_len(r, flexible, 0);
    *len = n < 0 ? 0 : (uint16_t)n;
    return n < 0 ? NULL : (const char *)take(r, (size_t)n);
}

static inline void skip_tags(reader_t *r, int flexible) {
    if (!flexible)
        return;
    for (uint32_t n = get_uvarint(r); n && !r->bad; n--) {
        get_uvarint(r);
        take(r, get_uvarint(r));
    }
}

/* ---- writing: answers collect in one buffer per connection ---- */

typedef struct {
    uint8_t *data;
    size_t len, room;
} writer_t;

static uint8_t *put_room(writer_t *w, size_t n) {
    if (w->room - w->len < n) {
        w->room = 2 * w->room + n + 4096;
        w->data = must(realloc(w->data, w->room));
    }
    w->len += n;
    return w->data + w->len - n;
}

static void put_int(writer_t *w, int n, uint64_t v) {
    uint8_t *p = put_room(w, (size_t)n);
    while (n--) {
        p[n] = (uint8_t)v;
        v >>= 8;
    }
}

#define put_i8(w, v) put_int(w, 1, (uint64_t)(v))
#define put_i16(w, v) put_int(w, 2, (uint64_t)(v))
#define put_i32(w, v) put_int(w, 4, (uint64_t)(v))
#define put_i64(w, v) put_int(w, 8, (uint64_t)(v))

static void put_uvarint(writer_t *w, uint32_t v) {
    for (; v > 127; v >>= 7)
        put_i8(w, v | 128);
    put_i8(w, v);
}

static void put_array(writer_t *w, int flexible, int32_t count) {
    if (flexible)
        put_uvarint(w, (uint32_t)(count + 1));
    else
        put_i32(w, count);
}

static void put_string(writer_t *w, int flexible, const char *s, size_t len) {
    if (flexible)
        put_uvarint(w, s ? (uint32_t)len + 1 : 0);
    else
        put_i16(w, s ? (int64_t)len : -1);
    if (s && len)
        memcpy(put_room(w, len), s, len);
}

static void put_tags(writer_t *w, int flexible) {
    if (flexible)
        put_i8(w, 0);
}

#endif
