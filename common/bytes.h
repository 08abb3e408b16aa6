/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes.h - fixed-width little-endian (and, where an ISA needs it, big-endian) integers in memory.
 * The only way bytes of a file become integers. No alignment is needed; nothing here can fail.
 */
#ifndef KERF_COMMON_BYTES_H
#define KERF_COMMON_BYTES_H

#include <stdint.h>
#include <string.h>

/* One instruction where the processor has it; gcc -Os does not always find it by itself. */
#if defined(__ARM_FEATURE_UNALIGNED) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define KERF_BYTES_AS_THEY_ARE 1
#else
#define KERF_BYTES_AS_THEY_ARE 0
#endif

static inline uint32_t kerf_load_le16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t kerf_load_le24(const uint8_t *p)
{
    return kerf_load_le16(p) | (uint32_t)p[2] << 16;
}

static inline uint32_t kerf_load_le32(const uint8_t *p)
{
#if KERF_BYTES_AS_THEY_ARE
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
#else
    return kerf_load_le24(p) | (uint32_t)p[3] << 24;
#endif
}

static inline uint64_t kerf_load_le64(const uint8_t *p)
{
    return (uint64_t)kerf_load_le32(p) | (uint64_t)kerf_load_le32(p + 4) << 32;
}

static inline uint32_t kerf_load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static inline void kerf_store_le16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void kerf_store_le24(uint8_t *p, uint32_t v)
{
    kerf_store_le16(p, v);
    p[2] = (uint8_t)(v >> 16);
}

static inline void kerf_store_le32(uint8_t *p, uint32_t v)
{
#if KERF_BYTES_AS_THEY_ARE
    memcpy(p, &v, sizeof v);
#else
    kerf_store_le24(p, v);
    p[3] = (uint8_t)(v >> 24);
#endif
}

static inline void kerf_store_le64(uint8_t *p, uint64_t v)
{
    kerf_store_le32(p, (uint32_t)v);
    kerf_store_le32(p + 4, (uint32_t)(v >> 32));
}

static inline void kerf_store_be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

#endif
