/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/flash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum unit_state {
    UNIT_ERASED,
    UNIT_PROGRAMMED,
    UNIT_TORN,
};

/* A byte as it was. */
struct flash_undo {
    uint32_t pos;
    uint8_t byte, undefined, unit;
};

static void require(bool kept, const char *rule)
{
    if (!kept) {
        (void)fprintf(stderr, "flash: %s\n", rule);
        abort();
    }
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint32_t noise(struct flash *f)
{
    f->noise += 0x9e3779b97f4a7c15u;
    return (uint32_t)mix(f->noise);
}

static uint64_t byte_key(const struct flash *f, uint32_t pos)
{
    return mix((uint64_t)pos << 16 | (uint32_t)f->undefined[pos] << 8 | f->bytes[pos]);
}

static uint64_t unit_key(const struct flash *f, uint32_t unit)
{
    return mix((uint64_t)1 << 63 | (uint64_t)unit << 8 | f->units[unit]);
}

/* Every change goes through here. */
static void set(struct flash *f, uint32_t pos, uint8_t byte, uint8_t undefined, enum unit_state unit)
{
    uint32_t u = pos / f->unit;

    if (f->bytes[pos] == byte && f->undefined[pos] == undefined && f->units[u] == unit) {
        return;
    }
    if (f->log_len == f->log_cap) {
        f->log_cap = f->log_cap * 2 + 4096;
        f->log = realloc(f->log, f->log_cap * sizeof *f->log);
        require(f->log != NULL, "out of memory");
    }
    f->log[f->log_len++] = (struct flash_undo){pos, f->bytes[pos], f->undefined[pos], f->units[u]};
    f->key ^= byte_key(f, pos);
    f->bytes[pos] = byte;
    f->undefined[pos] = undefined;
    f->key ^= byte_key(f, pos);
    if (f->units[u] != unit) {
        f->key ^= unit_key(f, u);
        f->units[u] = (uint8_t)unit;
        f->key ^= unit_key(f, u);
    }
}

void flash_init(struct flash *f, uint32_t size, uint32_t sector, uint32_t unit, uint64_t seed)
{
    require(size % sector == 0 && sector % unit == 0, "sizes that don't fit");
    memset(f, 0, sizeof *f);
    f->size = size;
    f->sector = sector;
    f->unit = unit;
    f->noise = seed;
    f->bytes = malloc(size);
    f->undefined = calloc(size, 1);
    f->units = malloc(size / unit);
    f->erases = calloc(size / sector, sizeof *f->erases);
    require(f->bytes != NULL && f->undefined != NULL && f->units != NULL && f->erases != NULL, "out of memory");
    for (uint32_t i = 0; i < size; i++) {
        f->bytes[i] = (uint8_t)noise(f);
    }
    memset(f->units, UNIT_PROGRAMMED, size / unit);
}

void flash_free(struct flash *f)
{
    free(f->bytes);
    free(f->undefined);
    free(f->units);
    free(f->erases);
    free(f->log);
    memset(f, 0, sizeof *f);
}

void flash_read(struct flash *f, uint32_t pos, uint8_t *buf, size_t len)
{
    require(pos <= f->size && len <= f->size - pos, "read outside of the flash");
    memcpy(buf, f->bytes + pos, len);
    for (size_t i = 0; i < len; i++) {
        if (f->undefined[pos + i] != 0) {
            buf[i] ^= (uint8_t)(noise(f) & f->undefined[pos + i]);
        }
    }
}

static void operation(struct flash *f, bool erasing, uint32_t pos, const uint8_t *data, uint32_t len)
{
    f->erasing = erasing;
    f->op_pos = pos;
    f->op_len = len;
    f->op_data = data;
    if (f->before != NULL) {
        f->before(f->before_ctx);
    }
}

void flash_erase(struct flash *f, uint32_t pos)
{
    require(pos % f->sector == 0 && pos < f->size, "erase of what is not a sector");
    operation(f, true, pos, NULL, f->sector);
    for (uint32_t i = 0; i < f->sector; i++) {
        set(f, pos + i, 0xff, 0, UNIT_ERASED);
    }
    f->erases[pos / f->sector]++;
    f->erase_count++;
}

void flash_program(struct flash *f, uint32_t pos, const uint8_t *data, size_t len)
{
    uint8_t padded[8192]; /* not on the heap: `before` may leave by longjmp; not static: it may program in its turn */
    uint32_t whole = ((uint32_t)len + f->unit - 1) / f->unit * f->unit;

    require(len > 0 && whole <= sizeof padded, "nothing to program, or more than there are pages for");
    require(pos % f->unit == 0 && pos <= f->size && whole <= f->size - pos, "program outside of units");
    for (uint32_t i = 0; i < whole; i += f->unit) {
        require(f->units[(pos + i) / f->unit] == UNIT_ERASED, "a unit is programmed that is not erased");
    }
    memset(padded, 0xff, whole);
    memcpy(padded, data, len);
    operation(f, false, pos, padded, whole);
    for (uint32_t i = 0; i < whole; i++) {
        set(f, pos + i, padded[i], 0, UNIT_PROGRAMMED);
    }
    f->program_count++;
}

void flash_preset(struct flash *f, uint32_t pos, const uint8_t *data, size_t len)
{
    require(pos <= f->size && len <= f->size - pos, "preset outside of the flash");
    for (size_t i = 0; i < len; i++) {
        set(f, pos + (uint32_t)i, data[i], 0, UNIT_PROGRAMMED);
    }
}

void flash_flip(struct flash *f, uint64_t bit)
{
    uint32_t pos = (uint32_t)(bit / 8);

    require(pos < f->size, "flip outside of the flash");
    set(f, pos, f->bytes[pos] ^ (uint8_t)(1u << bit % 8), f->undefined[pos], f->units[pos / f->unit]);
}

/* A byte of an erase that was cut. */
static void torn_erase(struct flash *f, uint32_t pos, enum flash_cut how, bool reached)
{
    uint8_t before = f->bytes[pos];
    uint8_t bits = (uint8_t)noise(f);

    switch (how) {
    case FLASH_CUT_BITS:
        set(f, pos, reached ? 0xff : (uint8_t)(before | bits), 0, UNIT_TORN);
        break;
    case FLASH_CUT_NOISE:
        set(f, pos, bits, 0, UNIT_TORN);
        break;
    case FLASH_CUT_UNSTABLE:
        set(f, pos, before, reached ? 0xff : (uint8_t)~before, UNIT_TORN);
        break;
    default:
        set(f, pos, reached ? 0xff : before, 0, UNIT_TORN);
        break;
    }
}

/* A byte of a program that was cut. `reached`: it is before the point where it stopped; `unit`: in the same unit. */
static void torn_program(struct flash *f, uint32_t pos, uint8_t byte, enum flash_cut how, bool reached, bool unit)
{
    uint8_t bits = (uint8_t)noise(f);

    switch (how) {
    case FLASH_CUT_BITS:
        set(f, pos, byte | bits, 0, UNIT_TORN);
        break;
    case FLASH_CUT_NOISE:
        if (reached || unit) {
            set(f, pos, unit ? bits : byte, 0, unit ? UNIT_TORN : UNIT_PROGRAMMED);
        }
        break;
    case FLASH_CUT_UNSTABLE:
        if (reached || unit) {
            set(f, pos, byte, unit ? (uint8_t)~byte : 0, unit ? UNIT_TORN : UNIT_PROGRAMMED);
        }
        break;
    default:
        if (reached || unit) {
            set(f, pos, reached ? byte : f->bytes[pos], 0, unit ? UNIT_TORN : UNIT_PROGRAMMED);
        }
        break;
    }
}

void flash_cut(struct flash *f, enum flash_cut how)
{
    /* Where it stopped: byte k is the first that was not reached. */
    uint32_t k = how == FLASH_CUT_LAST ? f->op_len - 1 : noise(f) % f->op_len;

    if (how == FLASH_CUT_BEFORE) {
        return;
    }
    for (uint32_t i = 0; i < f->op_len; i++) {
        uint32_t pos = f->op_pos + i;

        if (how == FLASH_CUT_AFTER) {
            set(f, pos, f->erasing ? 0xff : f->op_data[i], 0, f->erasing ? UNIT_ERASED : UNIT_PROGRAMMED);
        } else if (f->erasing) {
            torn_erase(f, pos, how, i < k);
        } else {
            torn_program(f, pos, f->op_data[i], how, i < k, i / f->unit == k / f->unit);
        }
    }
    if (f->erasing) {
        f->erases[f->op_pos / f->sector]++;
    }
}

size_t flash_mark(const struct flash *f)
{
    return f->log_len;
}

void flash_back(struct flash *f, size_t mark)
{
    while (f->log_len > mark) {
        struct flash_undo undo = f->log[--f->log_len];

        set(f, undo.pos, undo.byte, undo.undefined, undo.unit);
        f->log_len--; /* set() logged it, too */
    }
}

void flash_settle(struct flash *f)
{
    f->log_len = 0;
}
