/* SPDX-License-Identifier: Apache-2.0 */
/* docs/FORMAT.md, "Container", "Header", "Chunks". */
#include "common/container.h"

#include <string.h>

#include "common/bytes.h"
#include "common/codec.h"

#define CHUNK_CODE_MAX 0x80u /* 65536 bytes */
#define MODEL_CLASSES 3u
#define TABLES_MAX 0x3fffu /* bits of table_code, flag_class and phases */
#define SECTOR_LOG2_MIN 4u
#define SECTOR_LOG2_MAX 24u
/* The first byte: the codec in bits 0 and 1, the flags above. */
#define FORM_CODEC 3u
#define FORM_FLAGS_AT 2
/* A region's first number: the instruction set in bits 0 to 4, the kinds from bit 4 on; of these bit 0 is none (isa/isa.h). */
#define REGION_ISA 31u
#define REGION_KINDS_AT 4
/* Positions stay below 2^63 on hosts, so that sums of two never overflow. */
#define POSITION_MAX ((kerf_pos)(KERF_POS_MAX == UINT32_MAX ? UINT32_MAX : INT64_MAX))
/*
 * Hosts refuse all that the format forbids. Devices refuse what could lead them out of their memory, or on for ever; other
 * numbers that are too large they take modulo the width of what holds them.
 */
#define STRICT (KERF_ENCODER || KERF_POS_BITS == 64)

_Static_assert(offsetof(struct kerf_header, old_digest) + KERF_DIGEST_LEN == offsetof(struct kerf_header, new_digest),
               "take_digests()");
_Static_assert(KERF_ISA_WORDS <= REGION_ISA + 1, "the header has four bits for an instruction set");

/* Reads a header; the first thing wrong sticks, and everything read after it is 0. */
struct cursor {
    const uint8_t *data;
    size_t at, len; /* len is 0 once something is wrong */
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
    if (STRICT && v > max) {
        c->len = 0;
        return 0;
    }
    return v;
}

/* A varint. By itself, not through varint.h, so that devices get by without 64-bit arithmetic. */
static kerf_pos take(struct cursor *c)
{
    kerf_pos v = 0;
    unsigned shift = 0;
    uint8_t b;

    do {
        if (c->at >= c->len || shift >= KERF_POS_BITS) {
            c->len = 0;
            return 0;
        }
        b = c->data[c->at++];
        if (STRICT && ((kerf_pos)(b & 0x7f) > KERF_POS_MAX >> shift || (b == 0 && shift > 0))) {
            c->len = 0;
        }
        v |= (kerf_pos)(b & 0x7f) << shift;
        shift += 7;
    } while (b >= 0x80);
    return v;
}

/* A varint of at most max. */
static kerf_pos take_to(struct cursor *c, kerf_pos max)
{
    return within(c, take(c), max);
}

/* base + a signed number. */
static kerf_pos take_near(struct cursor *c, kerf_pos base)
{
    kerf_pos z = take_to(c, ADDRESS_MAX(c));

    return (base + (z >> 1 ^ (~(z & 1) + 1))) & ADDRESS_MAX(c);
}

/* The digest of old, if there is an old image, and that of new. */
static void take_digests(struct cursor *c, struct kerf_header *h)
{
    size_t n = (h->old_size > 0 ? 2 : 1) * sizeof h->new_digest;

    if (c->at + n > c->len) {
        c->len = 0;
        return;
    }
    /* The header has them side by side, too. */
    memcpy((uint8_t *)h + offsetof(struct kerf_header, new_digest) + sizeof h->new_digest - n, c->data + c->at, n);
    c->at += n;
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
    return reverse_address(take_to(c, ADDRESS_MAX(c)), ADDRESS_MAX(c));
}

#if STRICT
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
        kerf_pos what = take_to(c, (kerf_pos)UINT16_MAX << REGION_KINDS_AT | REGION_ISA);
        kerf_pos old_gap;
        kerf_pos old_rest;

        r->isa = what & REGION_ISA;
        r->kinds = (uint16_t)(what >> REGION_KINDS_AT);
        old_gap = take_to(c, max);
        r->old_pos = (old_end + old_gap) & max;
        old_rest = take_to(c, max);
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
        r->len = take_to(c, ADDRESS_MAX(c) >> 8) << 8;
    }
}

#if STRICT
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

/* True if two fields of a header contradict each other. */
static bool contradicts(const struct kerf_header *h)
{
    struct kerf_chunk chunk;

    return ((h->old_size > UINT32_MAX || h->new_size > UINT32_MAX) &&
            ((h->flags & KERF_FLAG_WIDE) == 0 || h->kept > 0)) ||
           (h->codec != KERF_CODEC_NATIVE && (h->flags & KERF_FLAG_READS_NEW) != 0) ||
           ((h->flags & KERF_FLAG_IN_PLACE) != 0 &&
            (h->old_size == 0 || h->new_size >> h->sector_log2 >= UINT32_MAX)) ||
           (h->kept > 0 && (h->codec != KERF_CODEC_NATIVE || h->moves_cap == 0 ||
                            kerf_header_sectors(h) > UINT32_MAX >> h->sector_log2)) ||
           kerf_chunk_first(h, &chunk) != KERF_OK;
}
#endif

/* Of these a build that leaves them out knows nothing. */
#define UNKNOWN_FLAGS ((KERF_POS_BITS == 32 ? KERF_FLAG_WIDE : 0) | (KERF_IN_PLACE ? 0 : KERF_FLAG_IN_PLACE))

static void take_in_place(struct cursor *c, struct kerf_header *h)
{
    h->sector_log2 = (uint8_t)take_to(c, SECTOR_LOG2_MAX);
    h->scratch = (uint16_t)take_to(c, UINT16_MAX);
    h->group = (uint16_t)take_to(c, UINT16_MAX);
    h->kept = (uint16_t)take_to(c, UINT16_MAX);
    if (h->kept > 0) {
        h->moves_cap = (uint16_t)take_to(c, KERF_MAX_MOVES);
        h->beyond = (uint8_t)take_to(c, UINT8_MAX);
    }
    if (h->sector_log2 - SECTOR_LOG2_MIN > SECTOR_LOG2_MAX - SECTOR_LOG2_MIN || h->group - 1u >= h->scratch ||
        (h->kept > 0 && h->group > 1)) {
        c->len = 0;
    }
}

static void take_model(struct cursor *c, struct kerf_header *h)
{
    unsigned v = (unsigned)take_to(c, TABLES_MAX);

    h->model.table_code = v & 63;
    h->model.classes = (uint8_t)(v >> 6);
    h->model.map_cap = (uint16_t)take_to(c, KERF_MAX_MAP);
    h->model.learned_cap = (uint16_t)take_to(c, KERF_MAX_LEARNED);
    v = (unsigned)take_to(c, UINT8_MAX);
    h->region_count = (uint8_t)within(c, v & 15, KERF_MAX_REGIONS);
    h->range_count = (uint8_t)within(c, v >> 4 & 15, KERF_MAX_RANGES);
}

/* All fields but the tables. */
static kerf_err take_fields(struct cursor *c, struct kerf_header *h)
{
    kerf_pos v = take(c);

    h->codec = v & FORM_CODEC;
    h->flags = (uint8_t)(v >> FORM_FLAGS_AT);
    if (v > (KERF_FLAGS_ALL << FORM_FLAGS_AT | FORM_CODEC) || h->codec > KERF_CODEC_LZMA2) {
        return KERF_ERR_FORMAT;
    }
    if ((h->flags & UNKNOWN_FLAGS) != 0) {
        return KERF_ERR_UNSUPPORTED;
    }
#if KERF_POS_BITS == 64
    c->address_max = address_max(h);
#endif
    h->old_size = take_to(c, POSITION_MAX);
    h->new_size = within(c, take_near(c, h->old_size), POSITION_MAX);
    h->payload_size = take_to(c, POSITION_MAX < ADDRESS_MAX(c) ? POSITION_MAX : ADDRESS_MAX(c));
    take_digests(c, h);
    v = (uint8_t)take_to(c, CHUNK_CODE_MAX);
    h->chunk_size = (uint32_t)(16 + (v & 15)) << ((v >> 4) + 4);
    if (KERF_IN_PLACE && (h->flags & KERF_FLAG_IN_PLACE) != 0) {
        take_in_place(c, h);
    }
    if (h->codec == KERF_CODEC_NATIVE) {
        take_model(c, h);
    }
    return c->len == 0 || kerf_flag_class(h) >= MODEL_CLASSES || h->chunk0_len > h->chunk_size ||
                   (h->codec == KERF_CODEC_STORED && h->payload_size != h->new_size)
               ? KERF_ERR_FORMAT
               : KERF_OK;
}

kerf_err kerf_prologue_parse(const uint8_t prologue[KERF_PROLOGUE_LEN], uint32_t *chunk0_len, uint16_t *header_len)
{
    const uint32_t magic = 0x46524b | (uint32_t)KERF_FORMAT_VERSION << 24; /* "KRF" */
    uint32_t differs = kerf_load_le32(prologue) ^ magic;

    if (differs != 0) {
        return differs << 8 == 0 ? KERF_ERR_VERSION : KERF_ERR_FORMAT;
    }
    *header_len = (uint16_t)(KERF_PROLOGUE_LEN + prologue[4]);
    *chunk0_len = kerf_load_le16(prologue + 5);
    return prologue[4] - 1u < KERF_HEADER_MAX_LEN && *header_len <= *chunk0_len ? KERF_OK : KERF_ERR_FORMAT;
}

kerf_err kerf_header_tables(const uint8_t *chunk0, const struct kerf_header *header, struct kerf_region *regions,
                            struct kerf_range *ranges)
{
    struct cursor c = {.data = chunk0, .at = header->tables_pos, .len = header->header_len};

#if KERF_POS_BITS == 64
    c.address_max = address_max(header);
#endif
    take_regions(&c, header, regions);
    take_ranges(&c, header, ranges);
#if STRICT
    if (c.at != c.len || !sound(header, regions, ranges)) {
        return KERF_ERR_FORMAT;
    }
#endif
    return c.len > 0 ? KERF_OK : KERF_ERR_FORMAT;
}

kerf_err kerf_header_parse(const uint8_t *chunk0, size_t len, struct kerf_header *header)
{
    struct cursor c = {.data = chunk0, .at = KERF_PROLOGUE_LEN};
    kerf_err err;

    memset(header, 0, sizeof *header);
    if (len < KERF_PROLOGUE_LEN) {
        return KERF_ERR_FORMAT;
    }
    err = kerf_prologue_parse(chunk0, &header->chunk0_len, &header->header_len);
    if (err != KERF_OK) {
        return err;
    }
    c.len = header->header_len;
    if (c.len > len) {
        return KERF_ERR_FORMAT;
    }
    err = take_fields(&c, header);
    header->tables_pos = (uint16_t)c.at;
#if STRICT
    struct kerf_region regions[KERF_MAX_REGIONS];
    struct kerf_range ranges[KERF_MAX_RANGES];

    if (err == KERF_OK) {
        err = contradicts(header) ? KERF_ERR_FORMAT : kerf_header_tables(chunk0, header, regions, ranges);
    }
#endif
    return err; /* devices read the tables once they know where to */
}

uint32_t kerf_header_slot(const struct kerf_header *h)
{
    kerf_pos size = h->old_size > h->new_size ? h->old_size : h->new_size;

    return (uint32_t)((size - 1) >> h->sector_log2) + 1 + h->beyond;
}

size_t kerf_header_workspace(const struct kerf_header *header)
{
    return kerf_codec_workspace(header) + KERF_WORKSPACE_STATE + KERF_STEP_MAX + header->chunk_size;
}

kerf_err kerf_chunk_first(const struct kerf_header *header, struct kerf_chunk *chunk)
{
    uint32_t payload_len = header->chunk0_len - header->header_len;

    if (header->chunk0_len > header->chunk_size || payload_len > header->payload_size) {
        return KERF_ERR_FORMAT;
    }
    chunk->len = header->chunk0_len;
    chunk->payload_pos = header->header_len;
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
    chunk->payload_pos = 0;
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

        put(w, r->isa | (uint32_t)r->kinds << REGION_KINDS_AT);
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

/* The number that says `size`; over CHUNK_CODE_MAX where none does. */
static unsigned chunk_code(uint32_t size)
{
    for (unsigned code = 0; code <= CHUNK_CODE_MAX; code++) {
        if ((16u + (code & 15u)) << ((code >> 4) + 4) == size) {
            return code;
        }
    }
    return CHUNK_CODE_MAX + 1;
}

uint32_t kerf_chunk_size_floor(uint32_t bytes)
{
    uint32_t size = KERF_CHUNK_MIN;

    for (unsigned code = 0; code <= CHUNK_CODE_MAX; code++) {
        uint32_t candidate = (16u + (code & 15u)) << ((code >> 4) + 4);

        if (candidate <= bytes) {
            size = candidate;
        }
    }
    return size;
}

static void put_header(struct writer *w, struct kerf_header *h)
{
    put(w, h->codec | (unsigned)h->flags << FORM_FLAGS_AT);
    put(w, h->old_size);
    put_near(w, h->old_size, h->new_size);
    put(w, h->payload_size);
    if (h->old_size > 0) {
        put_bytes(w, h->old_digest.b, KERF_DIGEST_LEN);
    }
    put_bytes(w, h->new_digest.b, KERF_DIGEST_LEN);
    put(w, chunk_code(h->chunk_size));
    if ((h->flags & KERF_FLAG_IN_PLACE) != 0) {
        put(w, h->sector_log2);
        put(w, h->scratch);
        put(w, h->group);
        put(w, h->kept);
        if (h->kept > 0) {
            put(w, h->moves_cap);
            put(w, h->beyond);
        }
    }
    if (h->codec == KERF_CODEC_NATIVE) {
        put(w, h->model.table_code | (unsigned)h->model.classes << 6);
        put(w, h->model.map_cap);
        put(w, h->model.learned_cap);
        put(w, h->region_count | (unsigned)h->range_count << 4);
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
                parsed.model.classes == h->model.classes &&
                kerf_header_tables(buf, &parsed, parsed_regions, parsed_ranges) == KERF_OK;

    for (unsigned i = 0; same && i < h->region_count; i++) {
        const struct kerf_region *a = &regions[i];
        const struct kerf_region *b = &parsed_regions[i];

        same = a->isa == b->isa && a->kinds == b->kinds && a->old_pos == b->old_pos && a->old_len == b->old_len &&
               a->new_pos == b->new_pos && a->new_len == b->new_len && a->old_addr == b->old_addr &&
               a->new_addr == b->new_addr;
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

    if (chunk_code(header->chunk_size) > CHUNK_CODE_MAX || header->region_count > KERF_MAX_REGIONS ||
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
