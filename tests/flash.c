/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/flash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum unit_state {
    UNIT_ERASED,
    UNIT_PROGRAMMED,
    UNIT_TORN,
    UNIT_WEAK, /* torn; its undefined bits read all as they are, or all the other way */
};

#define BLOCK 64u /* bytes of a block, or a unit where that is more */

/* A block as it was. What follows in the log: its bytes, their undefined bits, and the states of its units. */
struct flash_undo {
    uint64_t key;
    uint32_t number;
    bool unstable;
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

/* --- Blocks: what is logged, and has a key --- */

static uint32_t units_of_block(const struct flash *f)
{
    return f->block / f->unit;
}

static uint64_t add_word(uint64_t key, uint64_t word)
{
    key = (key ^ word) * 0x9e3779b97f4a7c15u;
    return key ^ key >> 29;
}

uint64_t flash_add_key(uint64_t key, const uint8_t *data, size_t len)
{
    uint64_t other = ~key; /* two at a time: neither waits for the other's product */
    uint64_t words[2];
    size_t i = 0;

    for (; len - i >= sizeof words; i += sizeof words) {
        memcpy(words, data + i, sizeof words);
        key = add_word(key, words[0]);
        other = add_word(other, words[1]);
    }
    memset(words, 0, sizeof words);
    memcpy(words, data + i, len - i);
    return add_word(add_word(add_word(key, words[0]), words[1]), other);
}

static uint64_t block_key(const struct flash *f, uint32_t b)
{
    uint64_t key = flash_add_key(mix(b + 1u), f->bytes + (size_t)b * f->block, f->block);

    if (f->unstable[b]) {
        key = flash_add_key(~key, f->undefined + (size_t)b * f->block, f->block);
    }
    return mix(flash_add_key(key, f->units + (size_t)b * units_of_block(f), units_of_block(f)));
}

static size_t undo_len(const struct flash *f)
{
    return (sizeof(struct flash_undo) + 2 * (size_t)f->block + units_of_block(f) + 7) & ~(size_t)7;
}

/* The block is going to be changed: notes how it is. */
static void open_block(struct flash *f, uint32_t b)
{
    struct flash_undo undo = {f->block_keys[b], b, f->unstable[b]};
    uint8_t *to;

    if (f->log_len == f->log_cap) {
        f->log_cap = f->log_cap * 2 + 256;
        f->log = realloc(f->log, f->log_cap * undo_len(f));
        require(f->log != NULL, "out of memory");
    }
    to = f->log + f->log_len++ * undo_len(f);
    memcpy(to, &undo, sizeof undo);
    to += sizeof undo;
    memcpy(to, f->bytes + (size_t)b * f->block, f->block);
    to += f->block;
    if (undo.unstable) {
        memcpy(to, f->undefined + (size_t)b * f->block, f->block);
    }
    to += f->block;
    memcpy(to, f->units + (size_t)b * units_of_block(f), units_of_block(f));
    f->key ^= undo.key;
}

/* It was changed; `key` is its new one. */
static void close_block(struct flash *f, uint32_t b, uint64_t key)
{
    f->block_keys[b] = key;
    f->key ^= key;
}

/* Is any of its bits undefined? */
static bool is_unstable(const struct flash *f, uint32_t b)
{
    for (uint32_t i = 0; i < f->block; i++) {
        if (f->undefined[(size_t)b * f->block + i] != 0) {
            return true;
        }
    }
    return false;
}

static void set_stable(struct flash *f, uint32_t b)
{
    if (f->unstable[b]) {
        memset(f->undefined + (size_t)b * f->block, 0, f->block);
        f->unstable[b] = false;
        f->unstable_count--;
    }
}

static void erase_block(struct flash *f, uint32_t b)
{
    open_block(f, b);
    set_stable(f, b);
    memset(f->bytes + (size_t)b * f->block, 0xff, f->block);
    memset(f->units + (size_t)b * units_of_block(f), UNIT_ERASED, units_of_block(f));
    close_block(f, b, f->erased_keys[b]);
}

/* A change of single bytes, from `pos` on, all in one block, begins; end_bytes() ends it. */
static uint32_t begin_bytes(struct flash *f, uint32_t pos)
{
    open_block(f, pos / f->block);
    return pos / f->block;
}

static void set(struct flash *f, uint32_t pos, uint8_t byte, uint8_t undefined, enum unit_state unit)
{
    f->bytes[pos] = byte;
    f->undefined[pos] = undefined;
    f->units[pos / f->unit] = (uint8_t)unit;
}

static void end_bytes(struct flash *f, uint32_t b)
{
    bool unstable = is_unstable(f, b);

    f->unstable_count += (uint32_t)unstable - (uint32_t)f->unstable[b];
    f->unstable[b] = unstable;
    close_block(f, b, block_key(f, b));
}

/* Bytes that are programmed as a whole: the log has each block once. */
static void program_bytes(struct flash *f, uint32_t pos, const uint8_t *data, uint32_t len)
{
    while (len > 0) {
        uint32_t b = begin_bytes(f, pos);
        uint32_t n = f->block - pos % f->block < len ? f->block - pos % f->block : len;

        memcpy(f->bytes + pos, data, n);
        memset(f->undefined + pos, 0, n);
        memset(f->units + pos / f->unit, UNIT_PROGRAMMED, (pos % f->unit + n + f->unit - 1) / f->unit);
        end_bytes(f, b);
        pos += n;
        data += n;
        len -= n;
    }
}

/* --- The flash --- */

void flash_init(struct flash *f, uint32_t size, uint32_t sector, uint32_t unit, uint64_t seed)
{
    uint32_t block = unit > BLOCK ? unit : BLOCK;
    uint32_t blocks = size / block;

    require(size % sector == 0 && sector % block == 0 && block % unit == 0, "sizes that don't fit");
    memset(f, 0, sizeof *f);
    f->size = size;
    f->sector = sector;
    f->unit = unit;
    f->block = block;
    f->noise = seed;
    f->bytes = malloc(size);
    f->undefined = calloc(size, 1);
    f->units = malloc(size / unit);
    f->erases = calloc(size / sector, sizeof *f->erases);
    f->unstable = calloc(blocks, sizeof *f->unstable);
    f->block_keys = calloc(blocks, sizeof *f->block_keys);
    f->erased_keys = calloc(blocks, sizeof *f->erased_keys);
    require(f->bytes != NULL && f->undefined != NULL && f->units != NULL && f->erases != NULL && f->unstable != NULL &&
                f->block_keys != NULL && f->erased_keys != NULL,
            "out of memory");
    memset(f->bytes, 0xff, size);
    memset(f->units, UNIT_ERASED, size / unit);
    for (uint32_t b = 0; b < blocks; b++) {
        f->erased_keys[b] = block_key(f, b);
    }
    for (uint32_t i = 0; i < size; i++) {
        f->bytes[i] = (uint8_t)noise(f);
    }
    memset(f->units, UNIT_PROGRAMMED, size / unit);
    for (uint32_t b = 0; b < blocks; b++) {
        close_block(f, b, block_key(f, b));
    }
}

void flash_free(struct flash *f)
{
    free(f->bytes);
    free(f->undefined);
    free(f->units);
    free(f->erases);
    free(f->unstable);
    free(f->block_keys);
    free(f->erased_keys);
    free(f->log);
    memset(f, 0, sizeof *f);
}

/* Something is done in [pos .. pos+len). */
static void note(struct flash *f, uint32_t pos, size_t len, enum flash_watch what)
{
    for (unsigned i = 0; i < FLASH_WATCHES; i++) {
        if (f->watch[i] == FLASH_WATCH_NOTHING && pos < f->watched[i] + f->sector && pos + len > f->watched[i]) {
            f->watch[i] = what;
        }
    }
}

void flash_watch(struct flash *f, unsigned i, uint32_t pos)
{
    f->watched[i] = pos / f->sector * f->sector;
    f->watch[i] = FLASH_WATCH_NOTHING;
}

bool flash_unstable_without(const struct flash *f, uint32_t pos)
{
    uint32_t sector = pos / f->sector;
    uint32_t count = f->unstable_count;

    for (uint32_t b = sector * (f->sector / f->block); b < (sector + 1) * (f->sector / f->block); b++) {
        count -= f->unstable[b];
    }
    return count > 0;
}

uint64_t flash_key_without(const struct flash *f, uint32_t pos)
{
    uint32_t sector = pos / f->sector;
    uint64_t key = f->key ^ mix(~(uint64_t)sector);

    for (uint32_t b = sector * (f->sector / f->block); b < (sector + 1) * (f->sector / f->block); b++) {
        key ^= f->block_keys[b];
    }
    return key;
}

/* Do weak bits read all the other way, this time? As a mask. */
static uint32_t read_weak(struct flash *f)
{
    uint32_t other = (uint32_t)noise(f) & 1u;

    if (f->weak_left > 0) {
        other = f->weak_reads & 1u;
        f->weak_reads >>= 1;
        f->weak_left--;
    }
    return 0 - other;
}

void flash_read(struct flash *f, uint32_t pos, uint8_t *buf, size_t len)
{
    uint32_t end = pos + (uint32_t)len;
    uint32_t weak = 0;
    bool is_weak = false;

    require(pos <= f->size && len <= f->size - pos, "read outside of the flash");
    note(f, pos, len, FLASH_WATCH_USED);
    if (len > 0) {
        memcpy(buf, f->bytes + pos, len);
    }
    if (f->unstable_count == 0) {
        return;
    }
    for (uint32_t at = pos, next; at < end; at = next) {
        next = (at / f->block + 1) * f->block;
        next = next < end ? next : end;
        for (uint32_t i = at; f->unstable[at / f->block] && i < next; i++) {
            if (f->undefined[i] != 0 && f->units[i / f->unit] == UNIT_WEAK && !is_weak) {
                weak = read_weak(f);
                is_weak = true;
            }
            if (f->undefined[i] != 0) {
                buf[i - pos] ^= (uint8_t)((f->units[i / f->unit] == UNIT_WEAK ? weak : noise(f)) & f->undefined[i]);
            }
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

static void erase_sector(struct flash *f, uint32_t pos)
{
    for (uint32_t b = pos / f->block; b < (pos + f->sector) / f->block; b++) {
        erase_block(f, b);
    }
}

void flash_erase(struct flash *f, uint32_t pos)
{
    require(pos % f->sector == 0 && pos < f->size, "erase of what is not a sector");
    operation(f, true, pos, NULL, f->sector);
    note(f, pos, f->sector, FLASH_WATCH_ERASED);
    erase_sector(f, pos);
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
    note(f, pos, whole, FLASH_WATCH_USED);
    program_bytes(f, pos, padded, whole);
    f->program_count++;
}

void flash_preset(struct flash *f, uint32_t pos, const uint8_t *data, size_t len)
{
    require(pos <= f->size && len <= f->size - pos, "preset outside of the flash");
    program_bytes(f, pos, data, (uint32_t)len);
}

void flash_flip(struct flash *f, uint64_t bit)
{
    uint32_t pos = (uint32_t)(bit / 8);
    uint32_t b;

    require(pos < f->size, "flip outside of the flash");
    b = begin_bytes(f, pos);
    f->bytes[pos] ^= (uint8_t)(1u << bit % 8);
    end_bytes(f, b);
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
    case FLASH_CUT_WEAK:
        set(f, pos, before, (uint8_t)~before, UNIT_WEAK);
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
    case FLASH_CUT_WEAK:
        if (reached || unit) {
            set(f, pos, byte, unit ? (uint8_t)~byte : 0, unit ? UNIT_WEAK : UNIT_PROGRAMMED);
        }
        break;
    default:
        if (reached || unit) {
            set(f, pos, reached ? byte : f->bytes[pos], 0, unit ? UNIT_TORN : UNIT_PROGRAMMED);
        }
        break;
    }
}

/* Byte k of the operation is the first that was not reached. */
static void torn(struct flash *f, enum flash_cut how, uint32_t k)
{
    uint32_t i = 0;

    while (i < f->op_len) {
        uint32_t b = begin_bytes(f, f->op_pos + i);

        do {
            if (f->erasing) {
                torn_erase(f, f->op_pos + i, how, i < k);
            } else {
                torn_program(f, f->op_pos + i, f->op_data[i], how, i < k, i / f->unit == k / f->unit);
            }
            i++;
        } while (i < f->op_len && (f->op_pos + i) % f->block != 0);
        end_bytes(f, b);
    }
}

void flash_cut(struct flash *f, enum flash_cut how)
{
    /* Where it stopped: byte k is the first that was not reached. */
    uint32_t k = how == FLASH_CUT_LAST ? f->op_len - 1 : noise(f) % f->op_len;

    if (how == FLASH_CUT_BEFORE) {
        return;
    }
    if (how == FLASH_CUT_AFTER) {
        if (f->erasing) {
            erase_sector(f, f->op_pos);
        } else {
            program_bytes(f, f->op_pos, f->op_data, f->op_len);
        }
    } else {
        torn(f, how, k);
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
        const uint8_t *from = f->log + --f->log_len * undo_len(f);
        struct flash_undo undo;
        uint32_t b;

        memcpy(&undo, from, sizeof undo);
        b = undo.number;
        from += sizeof undo;
        memcpy(f->bytes + (size_t)b * f->block, from, f->block);
        from += f->block;
        set_stable(f, b);
        if (undo.unstable) {
            memcpy(f->undefined + (size_t)b * f->block, from, f->block);
            f->unstable[b] = true;
            f->unstable_count++;
        }
        from += f->block;
        memcpy(f->units + (size_t)b * units_of_block(f), from, units_of_block(f));
        f->key ^= f->block_keys[b];
        close_block(f, b, undo.key);
    }
}

void flash_settle(struct flash *f)
{
    f->log_len = 0;
}
