/* SPDX-License-Identifier: Apache-2.0 */
/* direct_calls.h - a direct call at p, which is at address pc, to a target, in each instruction set; from the manuals. */
#ifndef KERF_TESTS_DIRECT_CALLS_H
#define KERF_TESTS_DIRECT_CALLS_H

#include "common/bytes.h"

static inline void call_thumb(uint8_t *p, uint32_t pc, uint32_t target)
{
    uint32_t d = target - pc - 4;
    uint32_t s = d >> 24 & 1;

    kerf_store_le16(p, 0xf000 | s << 10 | (d >> 12 & 0x3ff));
    kerf_store_le16(p + 2, 0xd000 | ((d >> 23 ^ s ^ 1) & 1) << 13 | ((d >> 22 ^ s ^ 1) & 1) << 11 | (d >> 1 & 0x7ff));
}

static inline void call_a32(uint8_t *p, uint32_t pc, uint32_t target)
{
    kerf_store_le32(p, 0xeb000000 | ((target - pc - 8) >> 2 & 0xffffff));
}

static inline void call_aarch64(uint8_t *p, uint32_t pc, uint32_t target)
{
    kerf_store_le32(p, 0x94000000 | ((target - pc) >> 2 & 0x3ffffff));
}

static inline void call0(uint8_t *p, uint32_t pc, uint32_t target)
{
    kerf_store_le24(p, 0x05 | ((target - (pc & ~3u) - 4) >> 2 & 0x3ffff) << 6);
}

static inline void call8(uint8_t *p, uint32_t pc, uint32_t target)
{
    kerf_store_le24(p, 0x25 | ((target - (pc & ~3u) - 4) >> 2 & 0x3ffff) << 6);
}

static inline void call_riscv(uint8_t *p, uint32_t pc, uint32_t target)
{
    uint32_t d = target - pc;

    kerf_store_le32(p,
                    0xef | (d >> 20 & 1) << 31 | (d >> 1 & 0x3ff) << 21 | (d >> 11 & 1) << 20 | (d >> 12 & 0xff) << 12);
}

static inline void call_x86(uint8_t *p, uint32_t pc, uint32_t target)
{
    p[0] = 0xe8;
    kerf_store_le32(p + 1, target - pc - 5);
}

static inline void call_avr(uint8_t *p, uint32_t pc, uint32_t target)
{
    (void)pc;
    kerf_store_le16(p, 0x940e | (target >> 18 & 31) << 4 | (target >> 17 & 1));
    kerf_store_le16(p + 2, target >> 1);
}

static inline void call_mips_le(uint8_t *p, uint32_t pc, uint32_t target)
{
    (void)pc;
    kerf_store_le32(p, 0x0c000000 | (target >> 2 & 0x3ffffff));
}

static inline void call_mips_be(uint8_t *p, uint32_t pc, uint32_t target)
{
    (void)pc;
    kerf_store_be32(p, 0x0c000000 | (target >> 2 & 0x3ffffff));
}

static inline void call_arc(uint8_t *p, uint32_t pc, uint32_t target)
{
    uint32_t d = (target - (pc & ~3u)) >> 2;

    kerf_store_le16(p, 0x0802 | (d & 0x1ff) << 2);
    kerf_store_le16(p + 2, (d >> 9 & 0x3ff) << 6 | (d >> 19 & 15));
}

static inline void call_videocore(uint8_t *p, uint32_t pc, uint32_t target)
{
    uint32_t d = (target - pc) >> 1;

    kerf_store_le16(p, 0x9080 | (d >> 23 & 15) << 8 | (d >> 16 & 0x7f));
    kerf_store_le16(p + 2, d & 0xffff);
}

static inline void call_powerpc_be(uint8_t *p, uint32_t pc, uint32_t target)
{
    kerf_store_be32(p, 0x48000001 | ((target - pc) & 0x3fffffc));
}

static inline void call_powerpc_le(uint8_t *p, uint32_t pc, uint32_t target)
{
    kerf_store_le32(p, 0x48000001 | ((target - pc) & 0x3fffffc));
}

static inline void call_nds32(uint8_t *p, uint32_t pc, uint32_t target)
{
    kerf_store_be32(p, 0x49000000 | ((target - pc) >> 1 & 0xffffff));
}

static inline void call_tc32(uint8_t *p, uint32_t pc, uint32_t target)
{
    uint32_t d = (target - pc - 4) >> 1;

    kerf_store_le16(p, 0x9000 | (d >> 11 & 0x7ff));
    kerf_store_le16(p + 2, 0x9800 | (d & 0x7ff));
}

static inline void call_ba2(uint8_t *p, uint32_t pc, uint32_t target)
{
    uint32_t d = target - pc;

    p[0] = 0x48;
    p[1] = p[2] = 0;
    for (unsigned bit = 0; bit < 18; bit++) { /* the lowest comes first */
        p[(6 + bit) / 8] |= (uint8_t)((d >> bit & 1) << (7 - (6 + bit) % 8));
    }
}

static inline void call_hexagon(uint8_t *p, uint32_t pc, uint32_t target)
{
    uint32_t d = (target - pc) >> 2;

    kerf_store_le32(p, 0x5a00c000 | (d >> 13 & 0x1ff) << 16 | (d & 0x1fff) << 1);
}

static inline void call_mips16(uint8_t *p, uint32_t pc, uint32_t target)
{
    (void)pc;
    kerf_store_le16(p, 0x1800 | (target >> 18 & 31) << 5 | (target >> 23 & 31));
    kerf_store_le16(p + 2, target >> 2);
}

#endif
