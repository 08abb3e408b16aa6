/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which instruction set: each one's direct calls are decoded wherever their bit pattern occurs, and those whose target
 * begins like a function are its votes. Patterns alone occur in anything; a call that meets a function start by chance
 * is rare enough (at most one in 80 KB of noise, for windowed Xtensa) that real code stands out by a factor of 50.
 */
#include <string.h>

#include "common/bytes.h"
#include "diffgen/detect.h"
#include "diffgen/detect_seek.h"

/* A large image is judged by this many windows of this size. */
#define WINDOW_LEN ((size_t)256 << 10)
#define WINDOW_COUNT 64u

/* Fewer votes than MIN_VOTES + bytes / BYTES_PER_VOTE are noise. */
#define MIN_VOTES 10u
#define BYTES_PER_VOTE 8192u

/* A part with more votes than PART_NOISE + bytes / BYTES_PER_PART_VOTE holds code. */
#define PART_NOISE 3u
#define BYTES_PER_PART_VOTE 2048u

/* x86 calls further than this are taken for chance: a 32-bit distance fits nearly anywhere in an image. */
#define X86_REACH 0x100000

/* Bytes of a MIPS function in which it saves RA. */
#define MIPS_REACH 40u

/* The largest AVR has 384 KiB of flash. */
#define AVR_MAX_LEN ((size_t)512 << 10)

/* The largest 8051s have 256 KiB. */
#define MCS51_MAX_LEN ((size_t)512 << 10)

/* What one voter sees: a stretch, and the part of it to look at; 4 bytes from `to` on are readable. */
struct stretch {
    const uint8_t *p;
    size_t len; /* at least 8 */
    size_t from, to;
};

/* The first place from i on where the stretch may hold what is looked for; else s->to or behind. */
static inline size_t seek(const struct stretch *s, const struct kerf_seek *key, size_t i)
{
    return kerf_seek(key, s->p, s->len, i, s->to);
}

static int64_t sign_extend(uint32_t v, unsigned bits)
{
    uint32_t sign = (uint32_t)1 << (bits - 1);

    return (int64_t)(v & (sign - 1)) - (int64_t)(v & sign);
}

/* Does a function start at this distance from `pos`? 8 bytes at a target are always readable. */
static bool hits(const struct stretch *s, unsigned isa, int64_t target)
{
    return target >= 0 && target <= (int64_t)s->len - 8 && kerf_detect_prologue(isa, s->p + target);
}

static bool thumb_starts(uint32_t h)
{
    /* PUSH {.., LR}; PUSH.W (STMDB SP!) */
    return (h & 0xff00) == 0xb500 || h == 0xe92d;
}

static bool aarch64_starts(uint32_t w)
{
    /* STP X29, X30, [SP, #-n]!; SUB SP, SP, #n; PACIASP; BTI C; another STP with writeback to SP */
    return (w & 0xffc07fff) == 0xa9807bfd || (w & 0xff8003ff) == 0xd10003ff || w == 0xd503233f || w == 0xd503245f ||
           (w & 0xffc003e0) == 0xa98003e0;
}

static bool a32_starts(uint32_t w)
{
    /* STMDB SP!, {..}; SUB SP, SP, #n; MOV IP, SP; STR Rt, [SP, #-4]! */
    return (w & 0xffff0000) == 0xe92d0000 || (w & 0xfffff000) == 0xe24dd000 || w == 0xe1a0c00d ||
           (w & 0xffff0fff) == 0xe52d0004;
}

static bool riscv_starts(uint32_t w)
{
    uint32_t h = w & 0xffff;

    /* C.ADDI16SP -n; C.ADDI SP, -n; ADDI SP, SP, -n */
    return ((h & 0xef83) == 0x6101 && (h & 0x1000) != 0) || (h & 0xff83) == 0x1101 || h == 0x1141 ||
           ((w & 0x000fffff) == 0x00010113 && (w & 0x80000000u) != 0);
}

static bool avr_starts(uint32_t h)
{
    /* PUSH Rr; MOVW; LDI */
    return (h & 0xfe0f) == 0x920f || (h & 0xff00) == 0x0100 || (h & 0xf000) == 0xe000;
}

static bool x86_starts(const uint8_t *p)
{
    /* PUSH EBP, EBX, ESI, EDI (or RBP ..) */
    return p[0] == 0x55 || p[0] == 0x53 || p[0] == 0x56 || p[0] == 0x57;
}

static bool x86_64_starts(const uint8_t *p)
{
    /* MOV or SUB SP and the like with REX.W; PUSH with REX; PUSH R12 .. R15; ENDBR64 */
    return (p[0] == 0x48 && (p[1] == 0x89 || p[1] == 0x83 || p[1] == 0x8b || p[1] == 0x81)) ||
           (p[0] == 0x40 && (p[1] & 0xf8) == 0x50) || (p[0] == 0x41 && (p[1] & 0xfc) == 0x54) ||
           kerf_load_le32(p) == 0xfa1e0ff3;
}

static bool mips_starts(uint32_t w)
{
    /* ADDIU SP, SP, -n */
    return (w & 0xffff8000) == 0x27bd8000;
}

static bool powerpc_starts(uint32_t w)
{
    /* STWU R1, -n(R1); STDU; MFLR R0; ADDIS R2, R12, n; STD Rs, -n(R1) */
    return (w & 0xffff8000) == 0x94218000 || (w & 0xffff8003) == 0xf8218001 || w == 0x7c0802a6 ||
           (w & 0xffff0000) == 0x3c4c0000 || (w & 0xfc1f8003) == 0xf8018000;
}

static bool nds32_starts(uint32_t w)
{
    /* PUSH25; SMW.ADM of some registers to (SP) */
    return (w & 0xff800000) == 0xfc000000 || (w & 0xfe0f803f) == 0x3a0f803c;
}

static bool mips16_starts(uint32_t w)
{
    /* ADDIU SP, -n; SW RA, n(SP) */
    return (w & 0xff00ff80) == 0x62006380;
}

static bool tc32_starts(uint32_t h)
{
    /* TPUSH {.., LR} */
    return (h & 0xff00) == 0x6500;
}

static bool arc_starts(uint32_t h)
{
    /* PUSH_S, ENTER_S; SUB_S SP, SP, n */
    return (h & 0xfce0) == 0xc0e0 || (h & 0xffe0) == 0xc1a0;
}

static bool videocore_starts(uint32_t h)
{
    /* STM of R0 or R6 and those behind, and LR, to (--SP) */
    return (h & 0xffc0) == 0x0380;
}

/* Hexagon: the packet does not end with this word. */
static bool goes_on(uint32_t w)
{
    unsigned parse = w >> 14 & 3;

    return parse == 1 || parse == 2;
}

static bool hexagon_starts(const uint8_t *p)
{
    uint32_t w = kerf_load_le32(p);

    /* ALLOCFRAME, as the first or the second of its packet */
    return (w & 0xffff3800) == 0xa09d0000 || (goes_on(w) && (kerf_load_le32(p + 4) & 0xffff3800) == 0xa09d0000);
}

bool kerf_detect_prologue(unsigned isa, const uint8_t *p)
{
    switch (isa) {
    case KERF_ISA_THUMB:
        return thumb_starts(kerf_load_le16(p));
    case KERF_ISA_A32:
        return a32_starts(kerf_load_le32(p));
    case KERF_ISA_AARCH64:
        return aarch64_starts(kerf_load_le32(p));
    case KERF_ISA_XTENSA_CALL0: /* ADDI A1, A1, n */
        return p[0] == 0x12 && p[1] == 0xc1;
    case KERF_ISA_XTENSA_WINDOWED: /* ENTRY A1, n */
        return p[0] == 0x36 && (p[1] & 15) == 1;
    case KERF_ISA_RISCV32:
    case KERF_ISA_RISCV64:
        return riscv_starts(kerf_load_le32(p));
    case KERF_ISA_X86:
        return x86_starts(p);
    case KERF_ISA_X86_64:
        return x86_64_starts(p);
    case KERF_ISA_AVR:
        return avr_starts(kerf_load_le16(p));
    case KERF_ISA_ARC:
        return arc_starts(kerf_load_le16(p));
    case KERF_ISA_VIDEOCORE:
        return videocore_starts(kerf_load_le16(p));
    case KERF_ISA_NDS32:
        return nds32_starts(kerf_load_be32(p));
    case KERF_ISA_MIPS16:
        return mips16_starts(kerf_load_le32(p));
    case KERF_ISA_BA2: /* BN.ENTRI */
        return p[0] == 0x47 && p[1] >> 4 == 0xa;
    case KERF_ISA_HEXAGON:
        return hexagon_starts(p);
    case KERF_ISA_TC32:
        return tc32_starts(kerf_load_le16(p));
    case KERF_ISA_POWERPC_BE:
        return powerpc_starts(kerf_load_be32(p));
    case KERF_ISA_POWERPC_LE:
        return powerpc_starts(kerf_load_le32(p));
    case KERF_ISA_MIPS32_LE:
        return mips_starts(kerf_load_le32(p));
    case KERF_ISA_MIPS32_BE:
        return mips_starts(kerf_load_be32(p));
    default:
        return false;
    }
}

unsigned kerf_detect_alignment(unsigned isa)
{
    switch (isa) {
    case KERF_ISA_X86:
    case KERF_ISA_X86_64:
    case KERF_ISA_BA2:
        return 1;
    case KERF_ISA_THUMB:
    case KERF_ISA_RISCV32:
    case KERF_ISA_RISCV64:
    case KERF_ISA_AVR:
    case KERF_ISA_ARC:
    case KERF_ISA_NDS32:
    case KERF_ISA_VIDEOCORE:
    case KERF_ISA_TC32:
        return 2;
    default: /* Xtensa functions start at multiples of 4 */
        return 4;
    }
}

bool kerf_detect_window(size_t len, unsigned i, size_t *from, size_t *to)
{
    if (len <= WINDOW_LEN * WINDOW_COUNT) {
        *from = 0;
        *to = len;
        return i == 0;
    }
    *from = len / WINDOW_COUNT * i & ~(size_t)4095;
    *to = *from + WINDOW_LEN;
    return i < WINDOW_COUNT;
}

static uint64_t vote_thumb(const struct stretch *s)
{
    static const struct kerf_seek key = {2, 1, 0xf8, 0xf0};
    uint64_t votes = 0;

    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        uint32_t h1 = kerf_load_le16(s->p + i);

        uint32_t h2 = kerf_load_le16(s->p + i + 2);

        if ((h2 & 0xd000) == 0xd000) {
            uint32_t sign = h1 >> 10 & 1;
            uint32_t i1 = (h2 >> 13 ^ sign ^ 1) & 1;
            uint32_t i2 = (h2 >> 11 ^ sign ^ 1) & 1;
            uint32_t d = sign << 24 | i1 << 23 | i2 << 22 | (h1 & 0x3ff) << 12 | (h2 & 0x7ff) << 1;

            votes += hits(s, KERF_ISA_THUMB, (int64_t)i + 4 + sign_extend(d, 25));
        }
    }
    return votes;
}

static uint64_t vote_aarch64(const struct stretch *s)
{
    static const struct kerf_seek key = {4, 3, 0xfc, 0x94};
    uint64_t votes = 0;

    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        votes += hits(s, KERF_ISA_AARCH64, (int64_t)i + 4 * sign_extend(kerf_load_le32(s->p + i) & 0x3ffffff, 26));
    }
    return votes;
}

static uint64_t vote_a32(const struct stretch *s)
{
    static const struct kerf_seek key = {4, 3, 0xff, 0xeb};
    uint64_t votes = 0;

    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        votes += hits(s, KERF_ISA_A32, (int64_t)i + 8 + 4 * sign_extend(kerf_load_le32(s->p + i) & 0xffffff, 24));
    }
    return votes;
}

/* CALL0 and CALL4/8/12, of an image whose position 0 is at an address that is `phase` modulo 4. */
static void vote_xtensa(const struct stretch *s, unsigned phase, struct kerf_votes *votes)
{
    static const struct kerf_seek key = {1, 0, 0x0f, 5};

    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        uint32_t w = kerf_load_le24(s->p + i);
        int64_t target = (int64_t)((i + phase) & ~(size_t)3) - phase + 4 + 4 * sign_extend(w >> 6, 18);
        unsigned isa = (w >> 4 & 3) != 0 ? KERF_ISA_XTENSA_WINDOWED : KERF_ISA_XTENSA_CALL0;

        votes->of[isa] += hits(s, isa, target);
    }
}

/* A function that saves RA as 8 or as 4 bytes soon after it has moved SP tells RV64 and RV32 apart. */
static unsigned riscv_width(const uint8_t *p, size_t left)
{
    for (size_t i = 2; i <= 8 && i + 4 <= left; i += 2) {
        uint32_t w = kerf_load_le32(p + i);

        if ((w & 0xe07f) == 0xe006 || (w & 0x01fff07f) == 0x00113023) { /* C.SDSP RA; SD RA, n(SP) */
            return KERF_ISA_RISCV64;
        }
        if ((w & 0xe07f) == 0xc006 || (w & 0x01fff07f) == 0x00112023) { /* C.SWSP RA; SW RA, n(SP) */
            return KERF_ISA_RISCV32;
        }
    }
    return KERF_ISA_NONE;
}

/* JAL RA, and AUIPC RA with JALR RA. All votes go to the width that has more. */
static void vote_riscv(const struct stretch *s, struct kerf_votes *votes)
{
    static const struct kerf_seek key = {2, 0, 0x87, 0x87};
    uint64_t all = 0;
    uint64_t wide = 0;
    uint64_t narrow = 0;

    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        uint32_t w = kerf_load_le32(s->p + i);
        int64_t target;

        if ((w & 0xfff) == 0x0ef) {
            target = (int64_t)i + sign_extend((w >> 31 & 1) << 20 | (w >> 12 & 0xff) << 12 | (w >> 20 & 1) << 11 |
                                                  (w >> 21 & 0x3ff) << 1,
                                              21);
        } else if ((w & 0xfff) == 0x097 && i + 8 <= s->len && (kerf_load_le32(s->p + i + 4) & 0xfffff) == 0x80e7) {
            target = (int64_t)i + sign_extend(w & 0xfffff000, 32) + sign_extend(kerf_load_le32(s->p + i + 4) >> 20, 12);
        } else {
            continue;
        }
        if (hits(s, KERF_ISA_RISCV32, target)) {
            unsigned isa = riscv_width(s->p + target, s->len - (size_t)target);

            all++;
            wide += isa == KERF_ISA_RISCV64;
            narrow += isa == KERF_ISA_RISCV32;
        }
    }
    votes->of[wide > narrow ? KERF_ISA_RISCV64 : KERF_ISA_RISCV32] += all;
}

static uint64_t vote_avr(const struct stretch *s)
{
    static const struct kerf_seek key = {2, 1, 0xfe, 0x94};
    uint64_t votes = 0;

    if (s->len > AVR_MAX_LEN) {
        return 0;
    }
    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        uint32_t h = kerf_load_le16(s->p + i);

        if ((h & 0xfe0e) == 0x940e) {
            uint32_t word = (h >> 4 & 31) << 17 | (h & 1) << 16 | kerf_load_le16(s->p + i + 2);

            votes += hits(s, KERF_ISA_AVR, (int64_t)word * 2);
        }
    }
    return votes;
}

/* BL and B of 25 bits: others reach what is near, and hit by chance. */
static uint64_t vote_arc(const struct stretch *s)
{
    static const struct kerf_seek key = {2, 1, 0xf8, 0x08};
    uint64_t votes = 0;

    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        uint32_t w = kerf_load_le32(s->p + i);

        if ((w & 0x0010f803) == 0x0802) {
            uint32_t d = (w >> 2 & 0x1ff) | (w >> 22) << 9 | (w >> 16 & 15) << 19;

            votes += hits(s, KERF_ISA_ARC, (int64_t)(i & ~(size_t)3) + 4 * sign_extend(d, 23));
        }
    }
    return votes;
}

static uint64_t vote_videocore(const struct stretch *s)
{
    static const struct kerf_seek key = {2, 1, 0xf0, 0x90};
    uint64_t votes = 0;

    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        uint32_t w = kerf_load_le32(s->p + i);

        if ((w & 0xf080) == 0x9080) {
            uint32_t d = (w >> 8 & 15) << 23 | (w & 127) << 16 | w >> 16;

            votes += hits(s, KERF_ISA_VIDEOCORE, (int64_t)i + 2 * sign_extend(d, 27));
        }
    }
    return votes;
}

/* CALL rel32. All votes go to the mode in which more of the targets make sense alone. */
static void vote_x86(const struct stretch *s, struct kerf_votes *votes)
{
    static const struct kerf_seek key = {1, 0, 0xff, 0xe8};
    uint64_t common = 0;
    uint64_t long_mode = 0;

    for (size_t i = seek(s, &key, s->from); i < s->to && i + 5 <= s->len; i = seek(s, &key, i + key.step)) {
        int64_t d = sign_extend(kerf_load_le32(s->p + i + 1), 32);

        if (d > -X86_REACH && d < X86_REACH) {
            common += hits(s, KERF_ISA_X86, (int64_t)i + 5 + d);
            long_mode += hits(s, KERF_ISA_X86_64, (int64_t)i + 5 + d);
        }
    }
    votes->of[long_mode * 4 > common ? KERF_ISA_X86_64 : KERF_ISA_X86] += common + long_mode;
}

static bool is_bl(uint32_t w)
{
    return (w & 0xfc000003) == 0x48000001;
}

/* BL, of either byte order; what is one in both counts as big-endian. */
static uint64_t vote_powerpc(const struct stretch *s, bool big)
{
    unsigned isa = big ? KERF_ISA_POWERPC_BE : KERF_ISA_POWERPC_LE;
    uint8_t at = big ? 0 : 3;
    const struct kerf_seek key = {4, at, 0xfc, 0x48};
    uint64_t votes = 0;

    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        uint32_t be = kerf_load_be32(s->p + i);
        uint32_t w = big ? be : kerf_load_le32(s->p + i);

        if (is_bl(w) && (big || !is_bl(be))) {
            votes += hits(s, isa, (int64_t)i + sign_extend(w & 0x3fffffc, 26));
        }
    }
    return votes;
}

/* Functions that save RA soon after they have moved SP: jumps hold no distance, and MIPS has few other direct calls. */
static uint64_t vote_mips(const struct stretch *s, bool big)
{
    uint8_t at = big ? 0 : 3;
    const struct kerf_seek key = {4, at, 0xff, 0x27};
    uint64_t votes = 0;

    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        if (!kerf_detect_prologue(big ? KERF_ISA_MIPS32_BE : KERF_ISA_MIPS32_LE, s->p + i)) {
            continue;
        }
        for (size_t k = i + 4; k <= i + MIPS_REACH && k + 4 <= s->len; k += 4) {
            uint32_t w = big ? kerf_load_be32(s->p + k) : kerf_load_le32(s->p + k);

            if ((w & 0xffff0000) == 0xafbf0000) { /* SW RA, n(SP) */
                votes++;
                break;
            }
        }
    }
    return votes;
}

/* JAL. */
static uint64_t vote_nds32(const struct stretch *s)
{
    static const struct kerf_seek key = {2, 0, 0xff, 0x49};
    uint64_t votes = 0;

    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        votes += hits(s, KERF_ISA_NDS32, (int64_t)i + 2 * sign_extend(kerf_load_be32(s->p + i) & 0xffffff, 24));
    }
    return votes;
}

/* Functions that save RA as they move SP: as with MIPS32, jumps hold no distance. */
static uint64_t vote_mips16(const struct stretch *s)
{
    static const struct kerf_seek key = {4, 3, 0xff, 0x62};
    uint64_t votes = 0;

    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        votes += kerf_detect_prologue(KERF_ISA_MIPS16, s->p + i);
    }
    return votes;
}

/* BN.JAL. */
static uint64_t vote_ba2(const struct stretch *s)
{
    static const struct kerf_seek key = {1, 0, 0xfc, 0x48};
    uint64_t votes = 0;

    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        votes += hits(s, KERF_ISA_BA2,
                      (int64_t)i + sign_extend(kerf_detect_mirror(kerf_load_be32(s->p + i) >> 8 & 0x3ffff, 18), 18));
    }
    return votes;
}

/* CALL, which counts from the first of its packet's words. */
static uint64_t vote_hexagon(const struct stretch *s)
{
    static const struct kerf_seek key = {4, 3, 0xfe, 0x5a};
    uint64_t votes = 0;

    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        uint32_t w = kerf_load_le32(s->p + i);
        size_t packet = i;

        while (packet >= 4 && packet + 12 > i && goes_on(kerf_load_le32(s->p + packet - 4))) {
            packet -= 4;
        }
        votes += hits(s, KERF_ISA_HEXAGON,
                      (int64_t)packet + 4 * sign_extend((w >> 16 & 0x1ff) << 13 | (w >> 1 & 0x1fff), 22));
    }
    return votes;
}

/* MOV DPTR, # with MOVX A, @DPTR or MOVX @DPTR, A: calls say nothing where the load address is unknown. */
static uint64_t vote_mcs51(const struct stretch *s)
{
    static const struct kerf_seek key = {1, 0, 0xff, 0x90};
    uint64_t votes = 0;

    if (s->len > MCS51_MAX_LEN) {
        return 0;
    }
    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        votes += (s->p[i + 3] & 0xef) == 0xe0;
    }
    return votes;
}

/* TJL. */
static uint64_t vote_tc32(const struct stretch *s)
{
    static const struct kerf_seek key = {2, 1, 0xf8, 0x90};
    uint64_t votes = 0;

    for (size_t i = seek(s, &key, s->from); i < s->to; i = seek(s, &key, i + key.step)) {
        uint32_t w = kerf_load_le32(s->p + i);

        if ((w & 0xf800f800) == 0x98009000) {
            votes += hits(s, KERF_ISA_TC32,
                          (int64_t)i + 4 + 2 * sign_extend((w & 0x7ff) << 11 | (w >> 16 & 0x7ff), 22));
        }
    }
    return votes;
}

static void vote_all(const struct stretch *s, struct kerf_votes *votes)
{
    votes->of[KERF_ISA_THUMB] += vote_thumb(s);
    votes->of[KERF_ISA_AARCH64] += vote_aarch64(s);
    votes->of[KERF_ISA_A32] += vote_a32(s);
    vote_xtensa(s, 0, votes);
    vote_riscv(s, votes);
    votes->of[KERF_ISA_AVR] += vote_avr(s);
    vote_x86(s, votes);
    votes->of[KERF_ISA_ARC] += vote_arc(s);
    votes->of[KERF_ISA_VIDEOCORE] += vote_videocore(s);
    votes->of[KERF_ISA_POWERPC_BE] += vote_powerpc(s, true);
    votes->of[KERF_ISA_POWERPC_LE] += vote_powerpc(s, false);
    votes->of[KERF_ISA_MIPS32_LE] += vote_mips(s, false);
    votes->of[KERF_ISA_MIPS32_BE] += vote_mips(s, true);
    votes->of[KERF_ISA_NDS32] += vote_nds32(s);
    votes->of[KERF_ISA_MIPS16] += vote_mips16(s);
    votes->of[KERF_ISA_TC32] += vote_tc32(s);
    votes->of[KERF_ISA_MCS51] += vote_mcs51(s);
    votes->of[KERF_ISA_BA2] += vote_ba2(s);
    votes->of[KERF_ISA_HEXAGON] += vote_hexagon(s);
}

/* The length of the parts that votes are counted by, the last one's aside. */
static size_t part_of(size_t len, unsigned *parts)
{
    size_t part_len = len / KERF_VOTE_PARTS & ~(size_t)4095;

    part_len = part_len > 0 ? part_len : 4096;
    *parts = len < KERF_VOTE_PARTS * part_len ? (unsigned)((len + part_len - 1) / part_len) : KERF_VOTE_PARTS;
    return part_len;
}

/* With so many parts every second one is enough where it is to be quick. */
#define QUICK_PARTS 12u

void kerf_detect_votes(const uint8_t *p, size_t len, struct kerf_votes *votes)
{
    struct stretch s = {p, len, 0, 0};
    uint64_t before[KERF_ISA_COUNT];
    unsigned parts;
    size_t part_len = part_of(len, &parts);

    if (len < 16) {
        return;
    }
    bool quick = votes->quick && parts >= QUICK_PARTS;

    for (unsigned i = 0; i < parts; i++) {
        if (quick && i % 2 == 1) {
            memcpy(votes->part[i], votes->part[i - 1], sizeof votes->part[i]);
            continue;
        }
        s.from = part_len * i;
        s.to = i + 1 < parts ? s.from + (part_len < WINDOW_LEN ? part_len : WINDOW_LEN) : len;
        votes->looked_at += s.to - s.from;
        s.to = s.to < len - 4 ? s.to : len - 4;
        memcpy(before, votes->of, sizeof before);
        vote_all(&s, votes);
        for (unsigned isa = 0; isa < KERF_ISA_COUNT; isa++) {
            votes->part[i][isa] = (uint32_t)(votes->of[isa] - before[isa]);
        }
    }
}

bool kerf_detect_extent(const struct kerf_votes *votes, unsigned isa, size_t len, size_t *from, size_t *to)
{
    unsigned parts;
    size_t part_len = part_of(len, &parts);
    unsigned first = parts;
    unsigned last = 0;

    for (unsigned i = 0; i < parts; i++) {
        if (votes->part[i][isa] > PART_NOISE + part_len / BYTES_PER_PART_VOTE) {
            first = first < i ? first : i;
            last = i;
        }
    }
    if (first == parts) {
        return false;
    }
    /* Functions that nothing calls lie at the edges. */
    *from = first > 0 ? part_len * (first - 1) : 0;
    *to = last + 2 < parts ? part_len * (last + 2) : len;
    return true;
}

unsigned kerf_detect_isa(const struct kerf_votes *votes, const struct kerf_votes *more, unsigned times)
{
    uint64_t looked_at = votes->looked_at + (more != NULL ? more->looked_at : 0);
    unsigned best = KERF_ISA_NONE;
    uint64_t most = 0;

    for (unsigned isa = 1; isa < KERF_ISA_COUNT; isa++) {
        uint64_t count = votes->of[isa] + (more != NULL ? more->of[isa] : 0);

        if (count > most) {
            best = isa;
            most = count;
        }
    }
    return most >= times * (MIN_VOTES + looked_at / BYTES_PER_VOTE) ? best : KERF_ISA_NONE;
}
