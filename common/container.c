/* SPDX-License-Identifier: Apache-2.0 */
/* docs/FORMAT.md, "Container", "Header", "Chunks". */
#include "common/container.h"

#include <string.h>

#include "common/bytes.h"
#include "common/codec.h"

#define CHUNK_CODE_MIN 0x40u /* 256 bytes */
#define CHUNK_CODE_MAX 0xC0u /* 65536 bytes */
#define MODEL_CLASSES 3u
#define SECTOR_LOG2_MIN 4u
#define SECTOR_LOG2_MAX 24u
/* Positions stay below 2^63 on hosts, so that sums of two never overflow. */
#define POSITION_MAX ((kerf_pos)(KERF_POS_MAX == UINT32_MAX ? UINT32_MAX : INT64_MAX))

/* Reads a header; the first thing wrong sticks, and everything read after it is 0. */
struct cursor {
    const uint8_t *buf;
    size_t len, pos;      /* bytes */
    kerf_pos address_max; /* 2^32 - 1, in wide containers 2^64 - 1; signed numbers are added modulo this + 1 */
    bool bad;
};

static kerf_pos within(struct cursor *c, kerf_pos v, kerf_pos max)
{
    if (v > max) {
        c->bad = true;
        return 0;
    }
    return v;
}

static uint8_t take_byte(struct cursor *c)
{
    if (c->bad || c->pos == c->len) {
        c->bad = true;
        return 0;
    }
    return c->buf[c->pos++];
}

/* A varint of at most max. By itself, not through varint.h, so that devices get by without 64-bit arithmetic. */
static kerf_pos take(struct cursor *c, kerf_pos max)
{
    kerf_pos v = 0;
    unsigned shift = 0;
    uint8_t b;

    do {
        b = take_byte(c);
        if (shift > KERF_POS_BITS - 1 || (kerf_pos)(b & 0x7f) > KERF_POS_MAX >> shift || (b == 0 && shift > 0)) {
            c->bad = true;
        }
        if (c->bad) {
            return 0;
        }
        v |= (kerf_pos)(b & 0x7f) << shift;
        shift += 7;
    } while (b >= 0x80);
    return within(c, v, max);
}

/* base + a signed number, which must come out as 0 .. max. */
static kerf_pos take_near(struct cursor *c, kerf_pos base, kerf_pos max)
{
    kerf_pos z = take(c, c->address_max);

    return within(c, (base + (z >> 1 ^ (~(z & 1) + 1))) & c->address_max, max);
}

static void take_digest(struct cursor *c, struct kerf_digest *digest)
{
    if (c->bad || c->len - c->pos < KERF_DIGEST_LEN) {
        c->bad = true;
        return;
    }
    memcpy(digest->b, c->buf + c->pos, KERF_DIGEST_LEN);
    c->pos += KERF_DIGEST_LEN;
}

/* Addresses travel with their bytes reversed: those that code is linked to end in zeros. */
static kerf_pos reverse_address(kerf_pos addr, kerf_pos address_max)
{
    kerf_pos v = 0;

    for (; address_max != 0; address_max >>= 8) {
        v = v << 8 | (addr & 0xff);
        addr >>= 8;
    }
    return v;
}

static kerf_pos take_address(struct cursor *c)
{
    return reverse_address(take(c, c->address_max), c->address_max);
}

static kerf_pos address_max(const struct kerf_header *h)
{
    return (h->flags & KERF_FLAG_WIDE) != 0 ? KERF_POS_MAX : UINT32_MAX;
}

static void take_regions(struct cursor *c, const struct kerf_header *h, struct kerf_region *regions)
{
    kerf_pos old_end = 0;
    kerf_pos new_end = 0;

    for (struct kerf_region *r = regions; r < regions + h->region_count && !c->bad; r++) {
        kerf_pos old_rest;
        kerf_pos new_rest;

        r->isa = take_byte(c);
        r->kinds = (uint16_t)take(c, UINT16_MAX);
        r->old_pos = old_end + take(c, h->old_size - old_end);
        old_rest = h->old_size - r->old_pos;
        r->old_len = old_rest - take(c, old_rest);
        r->old_addr = take_address(c);
        r->new_pos = take_near(c, r->old_pos - old_end + new_end, h->new_size);
        new_rest = h->new_size - r->new_pos;
        r->new_len = new_rest - take_near(c, old_rest - r->old_len, new_rest);
        r->new_addr = take_near(c, r->old_addr, c->address_max);
        old_end = r->old_pos + r->old_len;
        new_end = r->new_pos + r->new_len;
        if (r->old_len == 0 || r->new_len == 0) {
            c->bad = true;
        }
        for (const struct kerf_region *other = regions; other < r; other++) {
            if (r->new_pos < other->new_pos + other->new_len && other->new_pos < new_end) {
                c->bad = true;
            }
        }
    }
}

static void take_ranges(struct cursor *c, const struct kerf_header *h, struct kerf_range *ranges)
{
    kerf_pos last = 0; /* last address of the previous range */

    for (unsigned i = 0; i < h->range_count; i++) {
        kerf_pos start = take_address(c);
        kerf_pos len = take(c, c->address_max >> 8) << 8;

        if (len == 0 || (i > 0 && start <= last) || len - 1 > c->address_max - start) {
            c->bad = true;
        }
        last = start + len - 1;
        ranges[i].start = start;
        ranges[i].len = len;
    }
}

static void take_model(struct cursor *c, struct kerf_header *h)
{
    uint8_t tables = take_byte(c);
    uint8_t counts;

    h->model.table_code = tables & 63;
    h->model.flag_class = tables >> 6;
    h->model.map_cap = (uint16_t)take(c, KERF_MAX_MAP);
    h->model.learned_cap = (uint16_t)take(c, KERF_MAX_LEARNED);
    counts = take_byte(c);
    h->region_count = counts & 15;
    h->range_count = counts >> 4;
    if (h->model.flag_class >= MODEL_CLASSES || h->region_count > KERF_MAX_REGIONS ||
        h->range_count > KERF_MAX_RANGES) {
        c->bad = true;
    }
}

/* All from the sizes up to the tables. */
static void take_fields(struct cursor *c, struct kerf_header *h)
{
    unsigned code;

    h->old_size = take(c, POSITION_MAX);
    h->new_size = take_near(c, h->old_size, POSITION_MAX);
    h->payload_size = take(c, POSITION_MAX < c->address_max ? POSITION_MAX : c->address_max);
    if (h->old_size > 0) {
        take_digest(c, &h->old_digest);
    }
    take_digest(c, &h->new_digest);
    code = take_byte(c);
    if (code < CHUNK_CODE_MIN || code > CHUNK_CODE_MAX) {
        c->bad = true;
        return;
    }
    h->chunk_size = (16u + (code & 15u)) << (code >> 4);
    if ((h->flags & KERF_FLAG_IN_PLACE) != 0) {
        h->sector_log2 = take_byte(c);
        h->scratch = (uint16_t)take(c, UINT16_MAX);
        h->group = (uint16_t)take(c, UINT16_MAX);
    }
    if (h->codec == KERF_CODEC_NATIVE) {
        take_model(c, h);
    }
    h->tables_pos = (uint16_t)c->pos;
}

/* True if two fields of a header contradict each other, or one is out of its range. */
static bool contradicts(const struct kerf_header *h)
{
    struct kerf_chunk chunk;
    bool in_place = (h->flags & KERF_FLAG_IN_PLACE) != 0;

#if KERF_POS_BITS == 64
    if ((h->old_size > UINT32_MAX || h->new_size > UINT32_MAX) && (h->flags & KERF_FLAG_WIDE) == 0) {
        return true;
    }
#endif
    return (h->codec == KERF_CODEC_STORED && h->payload_size != h->new_size) ||
           (h->codec != KERF_CODEC_NATIVE && (h->flags & KERF_FLAG_READS_NEW) != 0) ||
           (in_place && (h->old_size == 0 || h->sector_log2 < SECTOR_LOG2_MIN || h->sector_log2 > SECTOR_LOG2_MAX ||
                         h->group == 0 || h->group > h->scratch || h->new_size >> h->sector_log2 >= UINT32_MAX)) ||
           kerf_chunk_first(h, &chunk) != KERF_OK;
}

kerf_err kerf_prologue_parse(const uint8_t prologue[KERF_PROLOGUE_LEN], uint32_t *chunk0_len, uint16_t *header_len)
{
    if (memcmp(prologue, "KRF", 3) != 0) {
        return KERF_ERR_FORMAT;
    }
    if (prologue[3] != KERF_FORMAT_VERSION) {
        return KERF_ERR_VERSION;
    }
    *header_len = (uint16_t)(KERF_PROLOGUE_LEN + prologue[4]);
    *chunk0_len = kerf_load_le16(prologue + 5);
    return prologue[4] <= KERF_HEADER_MAX_LEN && *header_len <= *chunk0_len ? KERF_OK : KERF_ERR_FORMAT;
}

kerf_err kerf_header_tables(const uint8_t *chunk0, const struct kerf_header *header, struct kerf_region *regions,
                            struct kerf_range *ranges)
{
    struct cursor c = {chunk0, header->header_len, header->tables_pos, address_max(header), false};

    take_regions(&c, header, regions);
    take_ranges(&c, header, ranges);
    return c.bad || c.pos != c.len ? KERF_ERR_FORMAT : KERF_OK;
}

kerf_err kerf_header_parse(const uint8_t *chunk0, size_t len, struct kerf_header *header)
{
    struct kerf_region regions[KERF_MAX_REGIONS];
    struct kerf_range ranges[KERF_MAX_RANGES];
    struct cursor c = {chunk0, len, KERF_PROLOGUE_LEN, 0, false};
    kerf_err err;

    memset(header, 0, sizeof *header);
    if (len < KERF_PROLOGUE_LEN) {
        return KERF_ERR_FORMAT;
    }
    err = kerf_prologue_parse(chunk0, &header->chunk0_len, &header->header_len);
    if (err != KERF_OK) {
        return err;
    }
    c.len = header->header_len < len ? header->header_len : len;
    header->version = KERF_FORMAT_VERSION;
    header->flags = take_byte(&c);
    header->codec = take_byte(&c);
    if (header->flags > KERF_FLAGS_ALL || header->codec > KERF_CODEC_LZMA2) {
        return KERF_ERR_FORMAT;
    }
    c.address_max = address_max(header);
    if (KERF_POS_BITS == 32 && (header->flags & KERF_FLAG_WIDE) != 0) {
        return KERF_ERR_UNSUPPORTED;
    }
    take_fields(&c, header);
    if (c.bad || header->header_len > len || contradicts(header)) {
        return KERF_ERR_FORMAT;
    }
    return kerf_header_tables(chunk0, header, regions, ranges);
}

size_t kerf_header_workspace(const struct kerf_header *header)
{
    size_t codec = kerf_codec_workspace(header);
    size_t rest = (size_t)KERF_WORKSPACE_STATE + KERF_STEP_MAX + header->chunk_size;

    return codec > SIZE_MAX - rest ? SIZE_MAX : codec + rest;
}

kerf_err kerf_chunk_first(const struct kerf_header *header, struct kerf_chunk *chunk)
{
    uint32_t payload_len = header->chunk0_len - header->header_len;

    if (header->chunk0_len > header->chunk_size || payload_len > header->payload_size) {
        return KERF_ERR_FORMAT;
    }
    chunk->len = header->chunk0_len;
    chunk->last = payload_len == header->payload_size;
    if (!chunk->last) {
        if (payload_len < KERF_DIGEST_LEN) {
            return KERF_ERR_FORMAT;
        }
        payload_len -= KERF_DIGEST_LEN;
    }
    chunk->payload_len = payload_len;
    return KERF_OK;
}

void kerf_chunk_next(const struct kerf_header *header, kerf_pos payload_left, struct kerf_chunk *chunk)
{
    chunk->last = payload_left <= header->chunk_size;
    chunk->len = chunk->last ? (uint32_t)payload_left : header->chunk_size;
    chunk->payload_len = chunk->last ? chunk->len : chunk->len - KERF_DIGEST_LEN;
}

#if KERF_ENCODER
#include "common/varint.h"

/* Appends to a header; the first thing that does not fit sticks. */
struct writer {
    uint8_t *buf;
    size_t cap, len;      /* bytes */
    kerf_pos address_max; /* as in struct cursor */
    kerf_err err;
};

static void put(struct writer *w, uint64_t v)
{
    if (w->err == KERF_OK) {
        w->err = kerf_varint_put(w->buf, w->cap, &w->len, v);
    }
}

static void put_bytes(struct writer *w, const uint8_t *bytes, size_t len)
{
    if (w->err != KERF_OK || w->cap - w->len < len) {
        w->err = KERF_ERR_SPACE;
        return;
    }
    memcpy(w->buf + w->len, bytes, len);
    w->len += len;
}

static void put_byte(struct writer *w, unsigned b)
{
    uint8_t byte = (uint8_t)b;

    put_bytes(w, &byte, 1);
}

/* v, seen from `base`. */
static void put_near(struct writer *w, kerf_pos base, kerf_pos v)
{
    uint64_t difference = (uint64_t)v - base;

    put(w, kerf_zigzag(w->address_max == UINT32_MAX ? (int32_t)(uint32_t)difference : (int64_t)difference));
}

static void put_tables(struct writer *w, const struct kerf_header *h, const struct kerf_region *regions,
                       const struct kerf_range *ranges)
{
    kerf_pos old_end = 0;
    kerf_pos new_end = 0;

    for (unsigned i = 0; i < h->region_count; i++) {
        const struct kerf_region *r = &regions[i];
        kerf_pos old_rest = h->old_size - r->old_pos - r->old_len;

        put_byte(w, r->isa);
        put(w, r->kinds);
        put(w, r->old_pos - old_end);
        put(w, old_rest);
        put(w, reverse_address(r->old_addr, w->address_max));
        put_near(w, r->old_pos - old_end + new_end, r->new_pos);
        put_near(w, old_rest, h->new_size - r->new_pos - r->new_len);
        put_near(w, r->old_addr, r->new_addr);
        old_end = r->old_pos + r->old_len;
        new_end = r->new_pos + r->new_len;
    }
    for (unsigned i = 0; i < h->range_count; i++) {
        put(w, reverse_address(ranges[i].start, w->address_max));
        put(w, ranges[i].len >> 8);
    }
}

/* The byte that says `size`; 0 where none does. */
static unsigned chunk_code(uint32_t size)
{
    for (unsigned code = CHUNK_CODE_MIN; code <= CHUNK_CODE_MAX; code++) {
        if ((16u + (code & 15u)) << (code >> 4) == size) {
            return code;
        }
    }
    return 0;
}

uint32_t kerf_chunk_size_floor(uint32_t bytes)
{
    uint32_t size = KERF_CHUNK_MIN;

    for (unsigned code = CHUNK_CODE_MIN; code <= CHUNK_CODE_MAX; code++) {
        uint32_t candidate = (16u + (code & 15u)) << (code >> 4);

        if (candidate <= bytes) {
            size = candidate;
        }
    }
    return size;
}

static void put_header(struct writer *w, struct kerf_header *h)
{
    put_byte(w, h->flags);
    put_byte(w, h->codec);
    put(w, h->old_size);
    put_near(w, h->old_size, h->new_size);
    put(w, h->payload_size);
    if (h->old_size > 0) {
        put_bytes(w, h->old_digest.b, KERF_DIGEST_LEN);
    }
    put_bytes(w, h->new_digest.b, KERF_DIGEST_LEN);
    put_byte(w, chunk_code(h->chunk_size));
    if ((h->flags & KERF_FLAG_IN_PLACE) != 0) {
        put_byte(w, h->sector_log2);
        put(w, h->scratch);
        put(w, h->group);
    }
    if (h->codec == KERF_CODEC_NATIVE) {
        put_byte(w, h->model.table_code | (unsigned)h->model.flag_class << 6);
        put(w, h->model.map_cap);
        put(w, h->model.learned_cap);
        put_byte(w, h->region_count | (unsigned)h->range_count << 4);
    }
    h->tables_pos = (uint16_t)w->len;
}

/* True if reading `buf` gives just what was to be written: refuses whatever the fields can't hold. */
static bool reads_back(const uint8_t *buf, const struct kerf_header *h, const struct kerf_region *regions,
                       const struct kerf_range *ranges)
{
    struct kerf_header parsed;
    struct kerf_region parsed_regions[KERF_MAX_REGIONS];
    struct kerf_range parsed_ranges[KERF_MAX_RANGES];
    bool same = kerf_header_parse(buf, h->header_len, &parsed) == KERF_OK && parsed.flags == h->flags &&
                parsed.codec == h->codec && parsed.region_count == h->region_count &&
                parsed.range_count == h->range_count && parsed.model.table_code == h->model.table_code &&
                parsed.model.flag_class == h->model.flag_class &&
                kerf_header_tables(buf, &parsed, parsed_regions, parsed_ranges) == KERF_OK;

    for (unsigned i = 0; same && i < h->region_count; i++) {
        const struct kerf_region *a = &regions[i];
        const struct kerf_region *b = &parsed_regions[i];

        same = a->old_pos == b->old_pos && a->old_len == b->old_len && a->new_pos == b->new_pos &&
               a->new_len == b->new_len && a->old_addr == b->old_addr && a->new_addr == b->new_addr;
    }
    for (unsigned i = 0; same && i < h->range_count; i++) {
        same = ranges[i].start == parsed_ranges[i].start && ranges[i].len == parsed_ranges[i].len;
    }
    return same;
}

kerf_err kerf_header_write(struct kerf_header *header, const struct kerf_region *regions,
                           const struct kerf_range *ranges, uint8_t *buf, size_t cap, size_t *len)
{
    const size_t max = KERF_PROLOGUE_LEN + KERF_HEADER_MAX_LEN;
    struct writer w = {buf, cap < max ? cap : max, 0, address_max(header), KERF_OK};
    static const uint8_t magic[] = {'K', 'R', 'F', KERF_FORMAT_VERSION, 0, 0, 0};

    if (chunk_code(header->chunk_size) == 0 || header->region_count > KERF_MAX_REGIONS ||
        header->range_count > KERF_MAX_RANGES) {
        return KERF_ERR_ARGUMENT;
    }
    put_bytes(&w, magic, sizeof magic);
    put_header(&w, header);
    if (header->codec == KERF_CODEC_NATIVE) {
        put_tables(&w, header, regions, ranges);
    }
    if (w.err != KERF_OK) {
        return w.err;
    }
    header->version = KERF_FORMAT_VERSION;
    header->header_len = (uint16_t)w.len;
    if (header->chunk0_len == 0) {
        uint32_t largest = header->chunk_size < UINT16_MAX ? header->chunk_size : UINT16_MAX;
        bool fits = w.len <= largest && header->payload_size <= largest - w.len;

        header->chunk0_len = fits ? (uint32_t)(w.len + header->payload_size) : largest;
    }
    if (header->chunk0_len > UINT16_MAX) {
        return KERF_ERR_ARGUMENT;
    }
    buf[4] = (uint8_t)(w.len - KERF_PROLOGUE_LEN);
    kerf_store_le16(buf + 5, header->chunk0_len);
    *len = w.len;
    return reads_back(buf, header, regions, ranges) ? KERF_OK : KERF_ERR_ARGUMENT;
}

#endif
