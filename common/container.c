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
    const uint8_t *at, *end; /* end is NULL once something is wrong */
#if KERF_POS_BITS == 64
    kerf_pos address_max; /* 2^32 - 1, in wide containers 2^64 - 1; signed numbers are added modulo this + 1 */
#endif
};

#if KERF_POS_BITS == 64
#define ADDRESS_MAX(cursor) ((cursor)->address_max)
#else
#define ADDRESS_MAX(cursor) UINT32_MAX
#endif

static kerf_pos within(struct cursor *c, kerf_pos v, kerf_pos max)
{
    if (v > max) {
        c->end = NULL;
        return 0;
    }
    return v;
}

static uint8_t take_byte(struct cursor *c)
{
    return c->at < c->end ? *c->at++ : (uint8_t)within(c, 1, 0);
}

/* A varint of at most max. By itself, not through varint.h, so that devices get by without 64-bit arithmetic. */
static kerf_pos take(struct cursor *c, kerf_pos max)
{
    kerf_pos v = 0;
    unsigned shift = 0;
    uint8_t b;

    do {
        b = take_byte(c);
        if (shift > KERF_POS_BITS - 1 || (kerf_pos)(b & 0x7f) > KERF_POS_MAX >> shift ||
            (KERF_ENCODER && b == 0 && shift > 0)) {
            return within(c, 1, 0);
        }
        v |= (kerf_pos)(b & 0x7f) << shift;
        shift += 7;
    } while (b >= 0x80);
    return within(c, v, max);
}

/* base + a signed number. */
static kerf_pos take_near(struct cursor *c, kerf_pos base)
{
    kerf_pos z = take(c, ADDRESS_MAX(c));

    return (base + (z >> 1 ^ (~(z & 1) + 1))) & ADDRESS_MAX(c);
}

static void take_digest(struct cursor *c, struct kerf_digest *digest)
{
    for (unsigned i = 0; i < KERF_DIGEST_LEN; i++) {
        digest->b[i] = take_byte(c);
    }
}

/* Addresses travel with their bytes reversed: those that code is linked to end in zeros. */
static kerf_pos reverse_address(kerf_pos addr, kerf_pos address_max)
{
    uint8_t b[8];

    (void)address_max;
#if KERF_POS_BITS == 64
    if (address_max != UINT32_MAX) {
        kerf_store_le64(b, addr);
        return (kerf_pos)kerf_load_be32(b) << 32 | kerf_load_be32(b + 4);
    }
#endif
    kerf_store_le32(b, (uint32_t)addr);
    return kerf_load_be32(b);
}

static kerf_pos take_address(struct cursor *c)
{
    return reverse_address(take(c, ADDRESS_MAX(c)), ADDRESS_MAX(c));
}

#if KERF_POS_BITS == 64 || KERF_ENCODER
static kerf_pos address_max(const struct kerf_header *h)
{
    return (h->flags & KERF_FLAG_WIDE) != 0 ? KERF_POS_MAX : UINT32_MAX;
}
#endif

/*
 * Numbers that lie outside of an image, or that overlap, do no harm: whatever uses a region compares positions with it and checks
 * what comes out. Only hosts refuse them (sound()).
 */
static void take_regions(struct cursor *c, const struct kerf_header *h, struct kerf_region *regions)
{
    kerf_pos old_end = 0;
    kerf_pos new_end = 0;
    kerf_pos max = ADDRESS_MAX(c);

    for (struct kerf_region *r = regions; r < regions + h->region_count; r++) {
        kerf_pos old_gap;
        kerf_pos old_rest;

        r->isa = take_byte(c);
        r->kinds = (uint16_t)take(c, UINT16_MAX);
        old_gap = take(c, max);
        r->old_pos = (old_end + old_gap) & max;
        old_rest = take(c, max);
        r->old_len = (h->old_size - r->old_pos - old_rest) & max;
        r->old_addr = take_address(c);
        r->new_pos = take_near(c, new_end + old_gap);
        r->new_len = (h->new_size - r->new_pos - take_near(c, old_rest)) & max;
        r->new_addr = take_near(c, r->old_addr);
        old_end = r->old_pos + r->old_len;
        new_end = r->new_pos + r->new_len;
    }
}

static void take_ranges(struct cursor *c, const struct kerf_header *h, struct kerf_range *ranges)
{
    for (struct kerf_range *r = ranges; r < ranges + h->range_count; r++) {
        r->start = take_address(c);
        r->len = take(c, ADDRESS_MAX(c) >> 8) << 8;
    }
}

#if KERF_ENCODER
/* True if [pos, pos + len) is not empty and lies in an image of `size` bytes from `from` on. */
static bool inside(kerf_pos from, kerf_pos pos, kerf_pos len, kerf_pos size)
{
    return len > 0 && pos >= from && pos <= size && len <= size - pos;
}

/* True if the tables keep all rules of the format. */
static bool sound(const struct kerf_header *h, const struct kerf_region *regions, const struct kerf_range *ranges)
{
    kerf_pos old_end = 0;

    for (unsigned i = 0; i < h->region_count; i++) {
        const struct kerf_region *r = &regions[i];

        if (!inside(old_end, r->old_pos, r->old_len, h->old_size) || !inside(0, r->new_pos, r->new_len, h->new_size)) {
            return false;
        }
        old_end = r->old_pos + r->old_len;
        for (unsigned k = 0; k < i; k++) {
            if (r->new_pos < regions[k].new_pos + regions[k].new_len && regions[k].new_pos < r->new_pos + r->new_len) {
                return false;
            }
        }
    }
    for (unsigned i = 0; i < h->range_count; i++) {
        kerf_pos start = ranges[i].start;

        if (ranges[i].len == 0 || ranges[i].len - 1 > address_max(h) - start ||
            (i > 0 && start <= ranges[i - 1].start + (ranges[i - 1].len - 1))) {
            return false;
        }
    }
    return true;
}
#endif

static void take_model(struct cursor *c, struct kerf_header *h)
{
    unsigned tables = take_byte(c);
    unsigned counts;

    h->model.table_code = tables & 63;
    h->model.flag_class = (uint8_t)within(c, tables >> 6, MODEL_CLASSES - 1);
    h->model.map_cap = (uint16_t)take(c, KERF_MAX_MAP);
    h->model.learned_cap = (uint16_t)take(c, KERF_MAX_LEARNED);
    counts = take_byte(c);
    h->region_count = (uint8_t)within(c, counts & 15, KERF_MAX_REGIONS);
    h->range_count = (uint8_t)within(c, counts >> 4, KERF_MAX_RANGES);
}

/* All from the sizes up to the tables. */
static void take_fields(struct cursor *c, struct kerf_header *h)
{
    unsigned code;

    h->old_size = take(c, POSITION_MAX);
    h->new_size = within(c, take_near(c, h->old_size), POSITION_MAX);
    h->payload_size = take(c, POSITION_MAX < ADDRESS_MAX(c) ? POSITION_MAX : ADDRESS_MAX(c));
    if (h->old_size > 0) {
        take_digest(c, &h->old_digest);
    }
    take_digest(c, &h->new_digest);
    code = CHUNK_CODE_MIN + (unsigned)within(c, take_byte(c) - CHUNK_CODE_MIN, CHUNK_CODE_MAX - CHUNK_CODE_MIN);
    h->chunk_size = (16u + (code & 15u)) << (code >> 4);
    if ((h->flags & KERF_FLAG_IN_PLACE) != 0) {
        h->sector_log2 = take_byte(c);
        h->scratch = (uint16_t)take(c, UINT16_MAX);
        h->group = (uint16_t)take(c, UINT16_MAX);
    }
    if (h->codec == KERF_CODEC_NATIVE) {
        take_model(c, h);
    }
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
    return prologue[4] - 1u < KERF_HEADER_MAX_LEN && *header_len <= *chunk0_len ? KERF_OK : KERF_ERR_FORMAT;
}

kerf_err kerf_header_tables(const uint8_t *chunk0, const struct kerf_header *header, struct kerf_region *regions,
                            struct kerf_range *ranges)
{
    struct cursor c = {.at = chunk0 + header->tables_pos, .end = chunk0 + header->header_len};

#if KERF_POS_BITS == 64
    c.address_max = address_max(header);
#endif
    take_regions(&c, header, regions);
    take_ranges(&c, header, ranges);
#if KERF_ENCODER
    if (!sound(header, regions, ranges)) {
        return KERF_ERR_FORMAT;
    }
#endif
    return c.at == c.end ? KERF_OK : KERF_ERR_FORMAT;
}

kerf_err kerf_header_parse(const uint8_t *chunk0, size_t len, struct kerf_header *header)
{
    struct cursor c = {.at = chunk0 + KERF_PROLOGUE_LEN, .end = chunk0};
    kerf_err err;

    memset(header, 0, sizeof *header);
    if (len < KERF_PROLOGUE_LEN) {
        return KERF_ERR_FORMAT;
    }
    err = kerf_prologue_parse(chunk0, &header->chunk0_len, &header->header_len);
    if (err != KERF_OK) {
        return err;
    }
    if (header->header_len > len) {
        return KERF_ERR_FORMAT;
    }
    c.end += header->header_len;
    header->version = KERF_FORMAT_VERSION;
    header->flags = (uint8_t)within(&c, take_byte(&c), KERF_FLAGS_ALL);
    header->codec = (uint8_t)within(&c, take_byte(&c), KERF_CODEC_LZMA2);
#if KERF_POS_BITS == 64
    c.address_max = address_max(header);
#else
    if ((header->flags & KERF_FLAG_WIDE) != 0) {
        return KERF_ERR_UNSUPPORTED;
    }
#endif
    take_fields(&c, header);
    header->tables_pos = (uint16_t)(c.at - chunk0);
    if (c.end == NULL || contradicts(header)) {
        return KERF_ERR_FORMAT;
    }
#if KERF_ENCODER
    struct kerf_region regions[KERF_MAX_REGIONS];
    struct kerf_range ranges[KERF_MAX_RANGES];

    return kerf_header_tables(chunk0, header, regions, ranges);
#else
    /* Devices read the tables once they know where to. */
    return header->codec == KERF_CODEC_NATIVE || c.at == c.end ? KERF_OK : KERF_ERR_FORMAT;
#endif
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
