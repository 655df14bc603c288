/*
 * CRC32C (Castagnoli) for the benchmark's broker.
 *
 * With SSE4.2 or the ARMv8 CRC instructions three streams are summed at once, which hides the
 * instruction's latency (3 cycles for a throughput of 1), and are then joined by tables that
 * advance a checksum over a fixed run of zero bytes. Elsewhere: eight tables, eight bytes a step.
 *
 * Call crc32c_init once before any other function, from one thread.
 */
#ifndef BENCH_CRC32C_H
#define BENCH_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

#define CRC32C_POLY 0x82f63b78u /* reflected */
#define CRC32C_LONG 4096        /* bytes per stream of the big step */
#define CRC32C_SHORT 256        /* bytes per stream of the small step */

static uint32_t crc32c_table[8][256];
static uint32_t crc32c_long[4][256], crc32c_short[4][256];
static int crc32c_hardware;

static uint32_t crc32c_soft(uint32_t crc, const uint8_t *p, size_t len) {
    while (len >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        w = __builtin_bswap64(w);
#endif
        w ^= crc;
        crc = 0;
        for (int k = 0; k < 8; k++)
            crc ^= crc32c_table[7 - k][(w >> (8 * k)) & 255];
        p += 8;
        len -= 8;
    }
    while (len--)
        crc = crc32c_table[0][(crc ^ *p++) & 255] ^ (crc >> 8);
    return crc;
}

/* Four tables that advance a checksum over `zeros` zero bytes, one table per checksum byte. */
static void crc32c_zero_tables(uint32_t out[4][256], size_t zeros) {
    static const uint8_t zero[CRC32C_SHORT];
    uint32_t bit[32];
    for (int i = 0; i < 32; i++) {
        uint32_t crc = 1u << i;
        for (size_t done = 0; done < zeros; done += sizeof zero)
            crc = crc32c_soft(crc, zero, sizeof zero);
        bit[i] = crc;
    }
    for (int t = 0; t < 4; t++)
        for (int v = 0; v < 256; v++) {
            uint32_t crc = 0;
            for (int i = 0; i < 8; i++)
                if (v >> i & 1)
                    crc ^= bit[8 * t + i];
            out[t][v] = crc;
        }
}

static void crc32c_init(void) {
    for (uint32_t v = 0; v < 256; v++) {
        uint32_t crc = v;
        for (int i = 0; i < 8; i++)
            crc = crc & 1 ? crc >> 1 ^ CRC32C_POLY : crc >> 1;
        crc32c_table[0][v] = crc;
    }
    for (int t = 1; t < 8; t++)
        for (int v = 0; v < 256; v++) {
            uint32_t crc = crc32c_table[t - 1][v];
            crc32c_table[t][v] = crc32c_table[0][crc & 255] ^ (crc >> 8);
        }
    crc32c_zero_tables(crc32c_long, CRC32C_LONG);
    crc32c_zero_tables(crc32c_short, CRC32C_SHORT);
#if defined(__x86_64__)
    crc32c_hardware = __builtin_cpu_supports("sse4.2");
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
    crc32c_hardware = 1;
#endif
}

#if defined(__x86_64__) || (defined(__aarch64__) && defined(__ARM_FEATURE_CRC32))

#if defined(__x86_64__)
#define CRC32C_TARGET __attribute__((target("sse4.2")))
#define CRC32C_STEP8(crc, w) _mm_crc32_u64(crc, w)
#define CRC32C_STEP1(crc, b) _mm_crc32_u8((uint32_t)(crc), b)
#else
#define CRC32C_TARGET
#define CRC32C_STEP8(crc, w) __crc32cd((uint32_t)(crc), w)
#define CRC32C_STEP1(crc, b) __crc32cb((uint32_t)(crc), b)
#endif

static inline uint32_t crc32c_shift(uint32_t t[4][256], uint32_t crc) {
    return t[0][crc & 255] ^ t[1][crc >> 8 & 255] ^ t[2][crc >> 16 & 255] ^ t[3][crc >> 24];
}

static inline uint64_t crc32c_word(const uint8_t *p) {
    uint64_t w;
    memcpy(&w, p, 8);
    return w;
}

CRC32C_TARGET static uint32_t crc32c_hard(uint32_t start, const uint8_t *p, size_t len) {
    uint64_t a = start;
    for (int big = 1; big >= 0; big--) {
        size_t n = big ? CRC32C_LONG : CRC32C_SHORT;
        uint32_t(*table)[256] = big ? crc32c_long : crc32c_short;
        while (len >= 3 * n) {
            uint64_t b = 0, c = 0;
            for (const uint8_t *end = p + n; p < end; p += 8) {
                a = CRC32C_STEP8(a, crc32c_word(p));
                b = CRC32C_STEP8(b, crc32c_word(p + n));
                c = CRC32C_STEP8(c, crc32c_word(p + 2 * n));
            }
            a = crc32c_shift(table, (uint32_t)a) ^ b;
            a = crc32c_shift(table, (uint32_t)a) ^ c;
            p += 2 * n;
            len -= 3 * n;
        }
    }
    for (; len >= 8; p += 8, len -= 8)
        a = CRC32C_STEP8(a, crc32c_word(p));
    for (; len; p++, len--)
        a = CRC32C_STEP1(a, *p);
    return (uint32_t)a;
}
#endif

/* The checksum of `len` bytes at `data`, as a record batch (v2) carries it. */
static uint32_t crc32c(const void *data, size_t len) {
#if defined(__x86_64__) || (defined(__aarch64__) && defined(__ARM_FEATURE_CRC32))
    if (crc32c_hardware)
        return ~crc32c_hard(~0u, data, len);
#endif
    return ~crc32c_soft(~0u, data, len);
}

/* Non-zero if both ways give the known checksums, over the lengths where they change step. */
static int crc32c_self_test(void) {
    static uint8_t buf[3 * CRC32C_LONG + 3 * CRC32C_SHORT + 13];
    if (crc32c("123456789", 9) != 0xe3069283u)
        return 0;
    for (size_t i = 0; i < sizeof buf; i++)
        buf[i] = (uint8_t)(i * 131 + (i >> 8));
    for (size_t cut = 0; cut < 16; cut++)
        if (crc32c(buf + cut, sizeof buf - 2 * cut) != ~crc32c_soft(~0u, buf + cut, sizeof buf - 2 * cut))
            return 0;
    return 1;
}

#endif
