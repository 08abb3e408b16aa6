/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses outside the image are RAM: instructions load addresses of variables (literals, pairs), and those lie
 * close together. A number that happens to look like an address stands alone. Words of code are not asked: MOVS R0, #0
 * and the halfword before it are the word 0x2000xxxx, in RAM on every Cortex-M.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "diffgen/detect.h"

/* Distinct values that are kept. */
#define VALUE_BITS 16
#define MAX_VALUES ((size_t)1 << VALUE_BITS)
/* Words in a stretch of 64 KiB that are enough to judge it. */
#define MIN_PAGE_WORDS 64u

/* Values further apart belong to different clusters; a cluster of fewer values is chance. */
#define MAX_STEP 0x4000u
#define MIN_VALUES 8u
/* A page at either end of a cluster with fewer values is cut off. */
#define PAGE 0x1000u
#define MIN_EDGE 3u
/* One value of so many at least is a multiple of 4; of instructions taken for numbers it is one of four. */
#define MIN_ALIGNED 3u
/* A cluster with less than this part of the largest one's values is dropped. */
#define MIN_SHARE 8u
/* Clusters this close are one range: another one would cost header bytes. */
#define MAX_JOIN 0x100000u
/* Words that point to a container's RAM and make its range worth the header bytes. */
#define MIN_WORDS 32u
/* What is below or above is a number. */
#define LOWEST 0x20000u
#define HIGHEST 0xfffff000u

/* Bytes of a function that are looked at. */
#define XTENSA_SWEEP 1024u
/* The reach of a second half of a pair, in bytes. */
#define PAIR_REACH 16u

/*
 * SRAM of Cortex-M parts: NXP's with a radio, and LPC55; CCM or SRAM of some; nearly everyone's, a part of it below
 * 0x20000000; of a radio's own processor; Renesas RA8; banks of large STM32s; secure SRAM, of STM32N6 last.
 */
static const struct kerf_range cortex_windows[] = {
    {0x04000000, 0x100000}, {0x10000000, 0x100000}, {0x1ffe0000, 0x420000}, {0x21000000, 0x100000},
    {0x22000000, 0x200000}, {0x24000000, 0x100000}, {0x30000000, 0x100000}, {0x34000000, 0x400000},
};
static const struct kerf_range all_addresses = {LOWEST, HIGHEST - LOWEST};

/* Data space of AVRs as common/isa/avr.c has it: SRAM starts at one of these, above the I/O registers. */
static const struct kerf_range avr_ranges[] = {
    {0x800100, 0x4000}, /* classic ones */
    {0x802000, 0x6000}, /* XMEGA */
};

struct values {
    size_t count;
    unsigned bits; /* log2 of what is used of: */
    uint32_t seen[2 * MAX_VALUES];
    uint32_t words[0x10000]; /* distinct words by upper half */
    uint32_t aligned[0x10000];
    uint32_t at[MAX_VALUES];
};

static uint32_t *slot_of(struct values *v, uint32_t value)
{
    return &v->seen[value * 0x9e3779b1u >> (32 - v->bits)];
}

/* To touch all of the table would take longer than all else in a small image. */
static void clear(struct values *v, size_t len)
{
    v->count = 0;
    v->bits = 10;
    while (v->bits <= VALUE_BITS && (size_t)1 << v->bits < len / 2) {
        v->bits++;
    }
    memset(v->seen, 0, sizeof v->seen[0] << v->bits);
}

static void add(struct values *v, uint32_t value)
{
    uint32_t *seen = slot_of(v, value);

    if (value >= LOWEST && value < HIGHEST && *seen != value && v->count < MAX_VALUES) {
        *seen = value;
        v->at[v->count++] = value;
    }
}

static void add_word(struct values *v, const uint8_t *p, size_t len, uint64_t pos)
{
    if (pos < len && len - pos >= 4) {
        add(v, kerf_load_le32(p + pos));
    }
}

static uint32_t thumb_immediate(const uint8_t *p)
{
    uint32_t h1 = kerf_load_le16(p);
    uint32_t h2 = kerf_load_le16(p + 2);

    return (h1 & 15) << 12 | (h1 >> 10 & 1) << 11 | (h2 >> 12 & 7) << 8 | (h2 & 0xff);
}

/* LDR literal, and MOVW with MOVT. All positions are taken: chance values don't cluster. */
static void collect_thumb(struct values *v, const uint8_t *p, size_t from, size_t to, size_t len)
{
    for (size_t i = from; i + 4 <= to; i += 2) {
        uint32_t h = kerf_load_le16(p + i);

        if ((h & 0xf800) == 0x4800) {
            add_word(v, p, len, (i & ~(size_t)3) + 4 + (h & 0xff) * 4);
        } else if (h == 0xf8df) {
            add_word(v, p, len, (i & ~(size_t)3) + 4 + (kerf_load_le16(p + i + 2) & 0xfff));
        } else if ((h & 0xfbf0) == 0xf240) {
            for (size_t k = i + 4; k <= i + PAIR_REACH && k + 4 <= to; k += 2) {
                if ((kerf_load_le16(p + k) & 0xfbf0) == 0xf2c0 &&
                    ((kerf_load_le16(p + k + 2) ^ kerf_load_le16(p + i + 2)) & 0x0f00) == 0) {
                    add(v, thumb_immediate(p + i) | thumb_immediate(p + k) << 16);
                    break;
                }
            }
        }
    }
}

/* TLOADR of the pc. */
static void collect_tc32(struct values *v, const uint8_t *p, size_t from, size_t to, size_t len)
{
    for (size_t i = from; i + 2 <= to; i += 2) {
        uint32_t h = kerf_load_le16(p + i);

        if ((h & 0xf800) == 0x0800) {
            add_word(v, p, len, (i & ~(size_t)3) + 4 + (h & 0xff) * 4);
        }
    }
}

static void collect_a32(struct values *v, const uint8_t *p, size_t from, size_t to, size_t len)
{
    for (size_t i = from; i + 4 <= to; i += 4) {
        uint32_t w = kerf_load_le32(p + i);

        if ((w & 0x0fff0000) == 0x059f0000) { /* LDR Rt, [PC, #n] */
            add_word(v, p, len, i + 8 + (w & 0xfff));
        }
    }
}

static void collect_aarch64(struct values *v, const uint8_t *p, size_t from, size_t to, size_t len)
{
    for (size_t i = from; i + 4 <= to; i += 4) {
        uint32_t w = kerf_load_le32(p + i);

        if ((w & 0xff000000) == 0x58000000 && (w & 0x00800000) == 0) { /* LDR Xt, ahead */
            add_word(v, p, len, i + (uint64_t)(w >> 5 & 0x3ffff) * 4);
        }
    }
}

static bool xtensa_returns(const uint8_t *p)
{
    uint32_t w = kerf_load_le24(p);

    /* RET.N, RETW.N; RET, RETW */
    return (w & 0xffff) == 0xf00d || (w & 0xffff) == 0xf01d || w == 0x000080 || w == 0x000090;
}

/*
 * L32R, which looks back up to 256 KiB: one byte of 16 looks like it, so only what is met on the way from a function's
 * start to its first return counts.
 */
static void collect_xtensa(struct values *v, unsigned isa, const uint8_t *p, size_t from, size_t to, size_t len)
{
    for (size_t start = from; start + 4 <= to; start += 4) {
        size_t i = start;

        if (!kerf_detect_prologue(isa, p + i)) {
            continue;
        }
        while (i < start + XTENSA_SWEEP && i + 4 <= to && !xtensa_returns(p + i)) {
            size_t back = 0x40000 - (size_t)(kerf_load_le24(p + i) >> 8) * 4;
            size_t next = (i + 3) & ~(size_t)3;

            if ((p[i] & 15) == 1 && next >= back) {
                add_word(v, p, len, next - back);
            }
            i += (p[i] & 15) >= 8 && (p[i] & 15) < 14 ? 2 : 3;
        }
    }
}

/*
 * Words of whatever kind from stretches of 64 KiB where nearly all are multiples of 4: numbers and instructions aren't.
 * For Xtensa cores of unknown chips, whose literals may be anywhere.
 */
static void collect_words(struct values *v, const uint8_t *p, size_t len)
{
    size_t from;
    size_t to;

    memset(v->words, 0, sizeof v->words);
    memset(v->aligned, 0, sizeof v->aligned);
    for (unsigned i = 0; kerf_detect_window(len, i, &from, &to); i++) {
        for (size_t pos = from; pos + 4 <= to; pos += 4) {
            uint32_t word = kerf_load_le32(p + pos);

            if (*slot_of(v, word) != word) {
                *slot_of(v, word) = word;
                v->words[word >> 16]++;
                v->aligned[word >> 16] += word % 4 == 0;
            }
        }
    }
    memset(v->seen, 0, sizeof v->seen[0] << v->bits);
    for (unsigned i = 0; kerf_detect_window(len, i, &from, &to); i++) {
        for (size_t pos = from; pos + 4 <= to; pos += 4) {
            uint32_t word = kerf_load_le32(p + pos);
            uint32_t n = v->words[word >> 16];

            if (n >= MIN_PAGE_WORDS && v->aligned[word >> 16] >= n - n / 8) {
                add(v, word);
            }
        }
    }
}

static uint32_t riscv_low(uint32_t w)
{
    uint32_t low = (w & 0x7f) == 0x23 ? (w >> 25) << 5 | (w >> 7 & 31) : w >> 20;

    return low - (low >> 11 << 12);
}

/* LUI or AUIPC with ADDI, a load or a store. */
static void collect_riscv(struct values *v, const uint8_t *p, size_t from, size_t to, uint32_t addr)
{
    for (size_t i = from; i + 4 <= to; i += 2) {
        uint32_t w = kerf_load_le32(p + i);
        uint32_t reg = w >> 7 & 31;

        if ((w & 0x5f) != 0x17 || reg == 0) {
            continue;
        }
        uint32_t high = (w & 0xfffff000) + ((w & 0x7f) == 0x17 ? addr + (uint32_t)i : 0);

        for (size_t k = i + 4; k <= i + PAIR_REACH && k + 4 <= to; k += 2) {
            uint32_t low = kerf_load_le32(p + k);

            if (((low & 0x707f) == 0x13 || (low & 0x7f) == 0x03 || (low & 0x7f) == 0x23) && (low >> 15 & 31) == reg) {
                add(v, high + riscv_low(low));
                break;
            }
        }
    }
}

/* MIPS: LUI with ADDIU, a load or a store; PowerPC: LIS with ADDI, a load or a store. */
static void collect_upper(struct values *v, bool powerpc, const uint8_t *p, size_t from, size_t to, bool big_endian)
{
    const unsigned upper = powerpc ? 21 : 16; /* where the register is that the first one writes, */
    const unsigned lower = powerpc ? 16 : 21; /* and that the second one reads */

    for (size_t i = from; i + 4 <= to; i += 4) {
        uint32_t w = big_endian ? kerf_load_be32(p + i) : kerf_load_le32(p + i);

        if ((w >> 26) != 15 || (w >> lower & 31) != 0) {
            continue;
        }
        for (size_t k = i + 4; k <= i + PAIR_REACH && k + 4 <= to; k += 4) {
            uint32_t low = big_endian ? kerf_load_be32(p + k) : kerf_load_le32(p + k);

            if ((low >> 26 == (powerpc ? 14 : 9) || (low >> 29 >= 4 && (!powerpc || low >> 26 < 56))) &&
                (low >> lower & 31) == (w >> upper & 31)) {
                add(v, (w << 16) + (low & 0xffff) - ((low & 0x8000) << 1));
                break;
            }
        }
    }
}

/* BA2: BW.ORI, loads and stores of R0, whose last 4 bytes are an address from its lowest bit to its highest; of larger units the lowest ones are none. */
static void collect_ba2(struct values *v, const uint8_t *p, size_t from, size_t to)
{
    for (size_t i = from; i + 6 <= to; i++) {
        unsigned unit = p[i] >> 4 == 8 ? p[i] >> 2 & 3 : 0; /* 2: 2 bytes, 3: 4 */

        if ((p[i] >> 4 != 8 && p[i] >> 2 != 0x26) || (p[i + 1] & 31) != 0) {
            continue;
        }
        uint32_t address = kerf_detect_mirror(kerf_load_be32(p + i + 2), 32);

        add(v, unit < 2 ? address : address >> (unit - 1) << (unit - 1));
    }
}

/* NDS32: SETHI with ORI, ADDI, a load or a store. */
static void collect_nds32(struct values *v, const uint8_t *p, size_t from, size_t to)
{
    for (size_t i = from; i + 4 <= to; i += 2) {
        uint32_t w = kerf_load_be32(p + i);

        if (w >> 25 != 0x23) {
            continue;
        }
        for (size_t k = i + 4; k <= i + PAIR_REACH && k + 4 <= to; k += p[k] >= 0x80 ? 2 : 4) {
            uint32_t low = kerf_load_be32(p + k);
            unsigned what = low >> 25; /* the access has 1 << (what & 3) bytes */

            if ((low >> 15 & 31) == (w >> 20 & 31) &&
                (what == 0x28 || what == 0x2c || (what < 0x14 && (what & 7) < 3))) {
                add(v, (w << 12) + (what < 0x14 ? (low << (what & 3) & 0xfff) : low & 0xfff));
                break;
            }
        }
    }
}

static void collect(struct values *v, unsigned isa, const uint8_t *p, const struct kerf_span *span)
{
    size_t skip = (size_t)(0 - span->addr) & 3; /* words lie where addresses are multiples of 4 */
    size_t len = span->len > skip ? (size_t)span->len - skip : 0;
    size_t from;
    size_t to;

    p += span->pos + skip;
    for (unsigned i = 0; kerf_detect_window(len, i, &from, &to); i++) {
        switch (isa) {
        case KERF_ISA_THUMB:
            collect_thumb(v, p, from, to, len);
            break;
        case KERF_ISA_TC32:
            collect_tc32(v, p, from, to, len);
            break;
        case KERF_ISA_A32:
            collect_a32(v, p, from, to, len);
            break;
        case KERF_ISA_AARCH64:
            collect_aarch64(v, p, from, to, len);
            break;
        case KERF_ISA_XTENSA_CALL0:
        case KERF_ISA_XTENSA_WINDOWED:
            collect_xtensa(v, isa, p, from, to, len);
            break;
        case KERF_ISA_RISCV32:
        case KERF_ISA_RISCV64:
            collect_riscv(v, p, from, to, (uint32_t)(span->addr + skip));
            break;
        case KERF_ISA_MIPS32_LE:
        case KERF_ISA_MIPS32_BE:
            collect_upper(v, false, p, from, to, isa == KERF_ISA_MIPS32_BE);
            break;
        case KERF_ISA_BA2:
            collect_ba2(v, p, from, to);
            break;
        case KERF_ISA_NDS32:
            collect_nds32(v, p, from, to);
            break;
        case KERF_ISA_POWERPC_BE:
            collect_upper(v, true, p, from, to, true);
            break;
        default:
            return;
        }
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Sorts the values and drops those inside the image. */
static void tidy(struct values *v, const struct kerf_layout *layout)
{
    size_t kept = 0;

    for (size_t i = 0; i < v->count; i++) {
        bool inside = false;

        for (unsigned s = 0; s < layout->span_count; s++) {
            inside = inside || v->at[i] - layout->spans[s].addr < layout->spans[s].len;
        }
        if (!inside) {
            v->at[kept++] = v->at[i];
        }
    }
    v->count = kept;
    qsort(v->at, v->count, sizeof v->at[0], compare);
}

struct cluster {
    uint32_t first, last; /* values */
    size_t count;
};

/* The cluster of the sorted values at[0 .. count), without pages at its ends that hold next to nothing. */
static struct cluster make_cluster(const uint32_t *at, size_t count)
{
    for (size_t n = 1; count >= MIN_VALUES; at += n, count -= n) {
        for (n = 1; n < MIN_EDGE && at[n] / PAGE == at[0] / PAGE; n++) {
        }
        if (n == MIN_EDGE) {
            break;
        }
    }
    for (size_t n = 1; count >= MIN_VALUES; count -= n) {
        for (n = 1; n < MIN_EDGE && at[count - 1 - n] / PAGE == at[count - 1] / PAGE; n++) {
        }
        if (n == MIN_EDGE) {
            break;
        }
    }
    size_t aligned = 0;

    for (size_t i = 0; i < count; i++) {
        aligned += at[i] % 4 == 0;
    }
    if (count < MIN_VALUES || aligned * MIN_ALIGNED < count) {
        return (struct cluster){0, 0, 0};
    }
    return (struct cluster){at[0], at[count - 1], count};
}

/* Puts the cluster among the largest ones, or joins it to the one before. Clusters come in ascending order. */
static unsigned keep(struct cluster *kept, unsigned count, struct cluster c)
{
    unsigned small = 0;

    if (c.count == 0) {
        return count;
    }
    if (count > 0 && c.first - kept[count - 1].last <= MAX_JOIN) {
        kept[count - 1].last = c.last;
        kept[count - 1].count += c.count;
        return count;
    }
    if (count < KERF_MAX_RANGES) {
        kept[count] = c;
        return count + 1;
    }
    for (unsigned i = 1; i < count; i++) {
        small = kept[i].count < kept[small].count ? i : small;
    }
    if (c.count > kept[small].count) {
        memmove(&kept[small], &kept[small + 1], (count - 1 - small) * sizeof kept[0]);
        kept[count - 1] = c;
    }
    return count;
}

static unsigned cluster_values(const struct values *v, const struct kerf_range *windows, unsigned window_count,
                               struct kerf_range *ranges)
{
    struct cluster kept[KERF_MAX_RANGES];
    unsigned count = 0;
    unsigned used = 0;
    size_t most = 0;
    size_t end = 0;

    for (unsigned w = 0; w < window_count; w++) {
        while (end < v->count && v->at[end] < windows[w].start) {
            end++;
        }
        for (size_t start = end; end < v->count && v->at[end] - windows[w].start < windows[w].len; start = end) {
            do {
                end++;
            } while (end < v->count && v->at[end] - windows[w].start < windows[w].len &&
                     v->at[end] - v->at[end - 1] <= MAX_STEP);
            count = keep(kept, count, make_cluster(&v->at[start], end - start));
        }
    }
    for (unsigned k = 0; k < count; k++) {
        most = kept[k].count > most ? kept[k].count : most;
    }
    for (unsigned k = 0; k < count; k++) {
        uint64_t start = kept[k].first / PAGE * PAGE;

        if (kept[k].count >= most / MIN_SHARE) {
            ranges[used++] = (struct kerf_range){start, kept[k].last / PAGE * PAGE + PAGE - start};
        }
    }
    return used;
}

/* Windows that the container knows, where enough aligned words point to them. */
static unsigned used_windows(const uint8_t *image, size_t len, const struct kerf_layout *layout,
                             struct kerf_range *ranges)
{
    size_t counts[KERF_MAX_WINDOWS] = {0};
    unsigned count = 0;
    size_t from;
    size_t to;

    for (unsigned i = 0; kerf_detect_window(len, i, &from, &to); i++) {
        for (size_t pos = from; pos + 4 <= to; pos += 4) {
            uint32_t word = kerf_load_le32(image + pos);

            for (unsigned w = 0; w < layout->window_count; w++) {
                counts[w] += word - layout->windows[w].start < layout->windows[w].len;
            }
        }
    }
    for (unsigned i = 0; i < layout->window_count && count < KERF_MAX_RANGES; i++) {
        if (counts[i] >= MIN_WORDS) {
            ranges[count++] = layout->windows[i];
        }
    }
    return count;
}

/* LDS and STS tell where variables are: on an XMEGA, registers are below 0x1000 and SRAM starts at 0x2000. */
static unsigned avr_ram(const uint8_t *image, size_t len, struct kerf_range *ranges)
{
    size_t low = 0;
    size_t high = 0;

    for (size_t i = 0; i + 4 <= len; i += 2) {
        uint32_t at = kerf_load_le16(image + i + 2);

        if ((kerf_load_le16(image + i) & 0xfc0f) == 0x9000) {
            low += at >= 0x100 && at < 0x2000;
            high += at >= 0x2000 && at < 0x8000;
        }
    }
    if (low + high < MIN_WORDS) {
        return 0;
    }
    ranges[0] = avr_ranges[high > low];
    return 1;
}

kerf_err kerf_detect_ram(unsigned isa, const uint8_t *image, size_t len, const struct kerf_layout *layout,
                         struct kerf_range *ranges, unsigned *count)
{
    const struct kerf_range *windows = layout->windows;
    unsigned window_count = layout->window_count;

    if (layout->exact_windows) {
        *count = used_windows(image, len, layout, ranges);
        if (*count > 0) {
            return KERF_OK;
        }
        window_count = 0;
    }
    if (isa == KERF_ISA_AVR) {
        *count = avr_ram(image, len, ranges);
        return KERF_OK;
    }
    struct values *v = malloc(sizeof *v);

    if (v == NULL) {
        return KERF_ERR_RAM;
    }
    clear(v, len);
    if (window_count == 0 && isa == KERF_ISA_THUMB) {
        windows = cortex_windows;
        window_count = sizeof cortex_windows / sizeof cortex_windows[0];
    } else if (window_count == 0) {
        windows = &all_addresses;
        window_count = 1;
    }
    for (unsigned i = 0; i < layout->span_count; i++) {
        const struct kerf_span *span = &layout->spans[i];

        if (windows == &all_addresses && (isa == KERF_ISA_XTENSA_CALL0 || isa == KERF_ISA_XTENSA_WINDOWED)) {
            collect_words(v, image + span->pos, (size_t)span->len);
        } else if (span->code) {
            collect(v, isa, image, span);
        }
    }
    tidy(v, layout);
    *count = cluster_values(v, windows, window_count, ranges);
    free(v);
    return KERF_OK;
}
