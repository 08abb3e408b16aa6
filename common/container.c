/* SPDX-License-Identifier: Apache-2.0 */
/* docs/FORMAT.md, "Container", "Header", "Chunks". */
#include "common/container.h"

#include <string.h>

#include "common/bytes.h"
#include "common/isa/isa.h"

#define CHUNK_UNITS_MIN (KERF_CHUNK_MIN / KERF_CHUNK_UNIT)
#define MODEL_CLASSES 3u
#define TABLE_CODE_MAX 127u
#define REGION_ISA_MAX 31u
#define SECTOR_LOG2_MIN 4u
#define SECTOR_LOG2_MAX 24u
/* The first byte: the codec in bits 0 and 1, the flags above. */
#define FORM_CODEC 3u
#define FORM_FLAGS_AT 2
/* The second one: the number of regions in bits 0 to 3, that of ranges above. */
#define COUNTS_RANGES_AT 4
/* Positions stay below 2^63 on hosts, so that sums of two never overflow. */
#define POSITION_MAX ((kerf_pos)(KERF_POS_MAX == UINT32_MAX ? UINT32_MAX : INT64_MAX))
/* Bytes of a header before it is packed: a field of 4 bytes takes 8 in wide containers. */
#define FIRST_LEN 16u
#define SECOND_LEN(wide) ((wide) ? 28u : 16u)
#define REGION_LEN(wide) ((wide) ? 52u : 28u)
#define RANGE_LEN(wide) ((wide) ? 16u : 8u)

/* Devices unpack a header to where it is used. */
#define IN_PLACE_OF_FIELDS (!KERF_STRICT && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

_Static_assert(offsetof(struct kerf_header, old_digest) + KERF_DIGEST_LEN == offsetof(struct kerf_header, new_digest),
               "kerf_header_read()");
#if KERF_POS_BITS == 32
_Static_assert(offsetof(struct kerf_header, kept) == FIRST_LEN + SECOND_LEN(false) - 2 &&
                   offsetof(struct kerf_region, kinds) == REGION_LEN(false) - 2 &&
                   sizeof(struct kerf_range) == RANGE_LEN(false),
               "the file's order");
#endif

/*
 * Unpacks n bytes: before each eight comes a byte that says which of them are there, the first by its lowest bit; the
 * others are 0. So is what is missing at the end. Returns where it is.
 */
static const uint8_t *unpack(const uint8_t *at, const uint8_t *end, uint8_t *to, size_t n)
{
    unsigned mask = 1;

    while (n > 0) {
        uint8_t b = 0;

        if ((mask & 1) != 0 && at != end) {
            b = *at++;
        }
        if (mask == 1) {
            mask = 0x100u | b;
            continue;
        }
        *to++ = b;
        mask >>= 1;
        n--;
    }
    return at;
}

#if !IN_PLACE_OF_FIELDS
#define PLAIN_MAX (KERF_MAX_REGIONS * REGION_LEN(true) + KERF_MAX_RANGES * RANGE_LEN(true))

/* The reverse; returns how many bytes that are, at most n + (n + 7) / 8. */
static size_t pack(const uint8_t *from, size_t n, uint8_t *to)
{
    size_t len = 0;
    size_t mask = 0;

    for (size_t i = 0; i < n; i++) {
        if (i % 8 == 0) {
            mask = len++;
            to[mask] = 0;
        }
        if (from[i] != 0) {
            to[mask] |= (uint8_t)(1u << i % 8);
            to[len++] = from[i];
        }
    }
    return len;
}

/* Unpacks n bytes, at most PLAIN_MAX, if just they are packed at *at. */
static bool take(const uint8_t **at, const uint8_t *end, uint8_t *to, size_t n)
{
    uint8_t again[PLAIN_MAX / 8 * 9 + 1];
    const uint8_t *from = *at;

    *at = unpack(from, end, to, n);
    return pack(to, n, again) == (size_t)(*at - from) && memcmp(again, from, (size_t)(*at - from)) == 0;
}

static bool is_wide(const struct kerf_header *h)
{
    return KERF_POS_BITS == 64 && (h->flags & KERF_FLAG_WIDE) != 0;
}

/* A position: 4 bytes, in wide containers 8. Moves *at. */
static kerf_pos take_position(const uint8_t **at, bool wide)
{
    kerf_pos v = wide ? (kerf_pos)kerf_load_le64(*at) : kerf_load_le32(*at);

    *at += wide ? 8 : 4;
    return v;
}
#endif

/* Regions: what new differs in from old is coded, and lengths as those of what follows. Devices look here what they are. */
static kerf_err settle_regions(const struct kerf_header *h, struct kerf_region *regions, kerf_pos max)
{
    kerf_err err = KERF_OK;

    for (struct kerf_region *r = regions; r < regions + h->region_count; r++) {
        for (unsigned i = 0; i < 3; i++) {
            r->numbers[i + 3] ^= r->numbers[i];
        }
#if !KERF_STRICT
        r->old_addr -= r->old_pos;
        r->new_addr -= r->new_pos;
#endif
        r->old_len = (h->old_size - r->old_pos - r->old_len) & max;
        r->new_len = (h->new_size - r->new_pos - r->new_len) & max;
        if (!KERF_STRICT && !kerf_isa_takes(r->isa, r->kinds)) {
            err = KERF_ERR_UNSUPPORTED;
        }
    }
    return err;
}

#if KERF_STRICT
static kerf_pos address_max(const struct kerf_header *h)
{
    return is_wide(h) ? KERF_POS_MAX : UINT32_MAX;
}

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

/* True if a field is more than it may be, or two of them contradict each other. */
static bool contradicts(const struct kerf_header *h)
{
    bool native = h->codec == KERF_CODEC_NATIVE;
    bool in_place = (h->flags & KERF_FLAG_IN_PLACE) != 0;
    const struct kerf_model_params *m = &h->model;
    struct kerf_chunk chunk;

    return h->codec > KERF_CODEC_LZMA2 || h->old_size > POSITION_MAX || h->new_size > POSITION_MAX ||
           h->payload_size > POSITION_MAX || h->chunk_size > KERF_CHUNK_MAX ||
           (native ? m->table_code > TABLE_CODE_MAX || kerf_flag_class(h) >= MODEL_CLASSES ||
                         m->map_cap > KERF_MAX_MAP || m->learned_cap > KERF_MAX_LEARNED ||
                         h->region_count > KERF_MAX_REGIONS || h->range_count > KERF_MAX_RANGES
                   : (h->flags & KERF_FLAG_READS_NEW) != 0 || m->table_code > 0 || m->classes > 0 || m->map_cap > 0 ||
                         m->learned_cap > 0 || h->region_count > 0 || h->range_count > 0) ||
           (in_place ? h->old_size == 0 || h->new_size >> h->sector_log2 >= UINT32_MAX
                     : h->sector_log2 > 0 || h->scratch > 0 || h->group > 0 || h->kept > 0) ||
           (h->kept == 0 ? h->moves_cap > 0 || h->beyond > 0
                         : !native || h->moves_cap - 1u >= KERF_MAX_MOVES || h->old_size > UINT32_MAX ||
                               h->new_size > UINT32_MAX || kerf_header_sectors(h) > UINT32_MAX >> h->sector_log2) ||
           kerf_chunk_first(h, &chunk) != KERF_OK;
}
#endif

/* Of these a build that leaves them out knows nothing. */
#define UNKNOWN_FLAGS ((KERF_POS_BITS == 32 ? KERF_FLAG_WIDE : 0) | (KERF_IN_PLACE ? 0 : KERF_FLAG_IN_PLACE))

/* The numbers that the first four bytes hold. */
static void settle_fields(struct kerf_header *h, unsigned form, unsigned counts, unsigned chunk)
{
    h->codec = form & FORM_CODEC;
    h->flags = (uint8_t)(form >> FORM_FLAGS_AT);
    h->region_count = counts & ((1u << COUNTS_RANGES_AT) - 1);
    h->range_count = (uint8_t)(counts >> COUNTS_RANGES_AT);
    h->chunk_size = (chunk + CHUNK_UNITS_MIN) * KERF_CHUNK_UNIT;
}

static kerf_err check_fields(const struct kerf_header *h)
{
    if ((h->flags & UNKNOWN_FLAGS) != 0) {
        return KERF_ERR_UNSUPPORTED;
    }
    if (KERF_IN_PLACE && (h->flags & KERF_FLAG_IN_PLACE) != 0 &&
        (h->sector_log2 - SECTOR_LOG2_MIN > SECTOR_LOG2_MAX - SECTOR_LOG2_MIN || h->group - 1u >= h->scratch ||
         (h->kept > 0 && h->group > 1))) {
        return KERF_ERR_FORMAT;
    }
    return h->chunk0_len > h->chunk_size || (h->codec - 1u >= KERF_CODEC_LZMA2 && h->payload_size != h->new_size)
               ? KERF_ERR_FORMAT
               : KERF_OK;
}

/* Bytes of the digests, which are the last of a header: that of old, if there is an old image, and that of new. */
static size_t digests_len(const struct kerf_header *h)
{
    return (h->old_size > 0 ? 2 : 1) * sizeof h->new_digest;
}

kerf_err kerf_prologue_parse(const uint8_t prologue[KERF_PROLOGUE_LEN], uint16_t *chunk0_len, uint16_t *header_len)
{
    const uint32_t magic = 0x46524b | (uint32_t)KERF_FORMAT_VERSION << 24; /* "KRF" */
    uint32_t differs = kerf_load_le32(prologue) ^ magic;

    if (differs != 0) {
        return differs << 8 == 0 ? KERF_ERR_VERSION : KERF_ERR_FORMAT;
    }
    *header_len = (uint16_t)(KERF_PROLOGUE_LEN + prologue[4]);
    *chunk0_len = (uint16_t)kerf_load_le16(prologue + 5);
    return (!KERF_STRICT || prologue[4] - 1u < KERF_HEADER_MAX_LEN) && *header_len <= *chunk0_len ? KERF_OK
                                                                                                  : KERF_ERR_FORMAT;
}

kerf_err kerf_header_tables(const uint8_t *chunk0, const struct kerf_header *header, struct kerf_region *regions,
                            struct kerf_range *ranges)
{
    const uint8_t *at = chunk0 + header->tables_pos;
    const uint8_t *end = chunk0 + header->header_len;

#if IN_PLACE_OF_FIELDS
    (void)ranges;
    (void)unpack(at, end, (uint8_t *)regions,
                 header->region_count * sizeof *regions + header->range_count * sizeof *ranges);
    return settle_regions(header, regions, KERF_POS_MAX);
#else
    bool wide = is_wide(header);
    uint8_t plain[PLAIN_MAX];
    const uint8_t *p = plain;

    if (!take(&at, end, plain, header->region_count * REGION_LEN(wide) + header->range_count * RANGE_LEN(wide)) ||
        (size_t)(end - at) != digests_len(header)) {
        return KERF_ERR_FORMAT;
    }
    for (struct kerf_region *r = regions; r < regions + header->region_count; r++) {
        for (unsigned i = 0; i < 6; i++) {
            r->numbers[i] = take_position(&p, wide);
        }
        r->isa = p[0];
        r->kinds = (uint16_t)kerf_load_le16(p + 2);
        if (p[0] > REGION_ISA_MAX || p[1] != 0) {
            return KERF_ERR_FORMAT;
        }
        p += 4;
    }
    for (unsigned i = 0; i < header->range_count; i++) {
        ranges[i].start = take_position(&p, wide);
        ranges[i].len = take_position(&p, wide);
    }
    kerf_err err = settle_regions(header, regions, wide ? KERF_POS_MAX : UINT32_MAX);

#if KERF_STRICT
    if (!sound(header, regions, ranges)) {
        err = KERF_ERR_FORMAT;
    }
#endif
    return err;
#endif
}

kerf_err kerf_header_read(const uint8_t *chunk0, struct kerf_header *header)
{
    const uint8_t *at = chunk0 + KERF_PROLOGUE_LEN;
    const uint8_t *end = chunk0 + header->header_len;
    kerf_err err;

#if IN_PLACE_OF_FIELDS
    const uint8_t *first = (uint8_t *)header;

    at = unpack(at, end, (uint8_t *)header, FIRST_LEN + SECOND_LEN(false));
    settle_fields(header, first[0], first[1], kerf_load_le16(first + 2));
#else
    uint8_t plain[FIRST_LEN + SECOND_LEN(true)];
    const uint8_t *p = plain + 16;

    if (!take(&at, end, plain, FIRST_LEN) || plain[0] > (KERF_FLAGS_ALL << FORM_FLAGS_AT | FORM_CODEC)) {
        return KERF_ERR_FORMAT;
    }
    settle_fields(header, plain[0], plain[1], kerf_load_le16(plain + 2));
    if (!take(&at, end, plain + FIRST_LEN, SECOND_LEN(is_wide(header)))) {
        return KERF_ERR_FORMAT;
    }
    header->model = (struct kerf_model_params){plain[4], plain[5], (uint16_t)kerf_load_le16(plain + 6),
                                               (uint16_t)kerf_load_le16(plain + 8)};
    header->sector_log2 = plain[10];
    header->beyond = plain[11];
    header->scratch = (uint16_t)kerf_load_le16(plain + 12);
    header->group = (uint16_t)kerf_load_le16(plain + 14);
    header->old_size = take_position(&p, is_wide(header));
    header->new_size = take_position(&p, is_wide(header));
    header->payload_size = take_position(&p, is_wide(header));
    header->moves_cap = (uint16_t)kerf_load_le16(p);
    header->kept = (uint16_t)kerf_load_le16(p + 2);
#endif
    header->new_size ^= header->old_size;
    header->tables_pos = (uint16_t)(at - chunk0);

    size_t n = digests_len(header);

    if ((size_t)(end - at) < n) {
        return KERF_ERR_FORMAT;
    }
    /* The header has them side by side, too. */
    memcpy((uint8_t *)(&header->new_digest + 1) - n, end - n, n);
    err = check_fields(header);
#if KERF_STRICT
    struct kerf_region regions[KERF_MAX_REGIONS];
    struct kerf_range ranges[KERF_MAX_RANGES];

    if (err == KERF_OK) {
        err = contradicts(header) ? KERF_ERR_FORMAT : kerf_header_tables(chunk0, header, regions, ranges);
    }
#endif
    return err; /* devices read the tables once they know where to */
}

kerf_err kerf_header_parse(const uint8_t *chunk0, size_t len, struct kerf_header *header)
{
    kerf_err err;

    memset(header, 0, sizeof *header);
    if (len < KERF_PROLOGUE_LEN) {
        return KERF_ERR_FORMAT;
    }
    err = kerf_prologue_parse(chunk0, &header->chunk0_len, &header->header_len);
    if (err != KERF_OK) {
        return err;
    }
    return header->header_len > len ? KERF_ERR_FORMAT : kerf_header_read(chunk0, header);
}

uint32_t kerf_header_slot(const struct kerf_header *h)
{
    kerf_pos size = h->old_size > h->new_size ? h->old_size : h->new_size;

    return (uint32_t)((size - 1) >> h->sector_log2) + 1 + h->beyond;
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
/* Appends to bytes that are to be packed. */
static void put(uint8_t **to, uint64_t v, unsigned len)
{
    for (; len > 0; len--, v >>= 8) {
        *(*to)++ = (uint8_t)v;
    }
}

/* Packs it to *len of buf. */
static kerf_err put_packed(uint8_t *buf, size_t cap, size_t *len, const uint8_t *plain, size_t n)
{
    uint8_t packed[PLAIN_MAX / 8 * 9 + 1];
    size_t packed_len = pack(plain, n, packed);

    if (cap - *len < packed_len) {
        return KERF_ERR_SPACE;
    }
    memcpy(buf + *len, packed, packed_len);
    *len += packed_len;
    return KERF_OK;
}

/* True if v fits its bytes. */
static bool put_position(uint8_t **to, kerf_pos v, bool wide)
{
    put(to, v, wide ? 8 : 4);
    return wide || v <= UINT32_MAX;
}

static kerf_err put_tables(uint8_t *buf, size_t cap, size_t *len, const struct kerf_header *h,
                           const struct kerf_region *regions, const struct kerf_range *ranges)
{
    bool wide = is_wide(h);
    bool fits = true;
    uint8_t plain[PLAIN_MAX];
    uint8_t *p = plain;

    for (const struct kerf_region *r = regions; r < regions + h->region_count; r++) {
        kerf_pos old_rest = h->old_size - r->old_pos - r->old_len;
        kerf_pos new_rest = h->new_size - r->new_pos - r->new_len;

        fits &= put_position(&p, r->old_pos, wide);
        fits &= put_position(&p, old_rest, wide);
        fits &= put_position(&p, r->old_addr, wide);
        fits &= put_position(&p, r->new_pos ^ r->old_pos, wide);
        fits &= put_position(&p, new_rest ^ old_rest, wide);
        fits &= put_position(&p, r->new_addr ^ r->old_addr, wide);
        put(&p, r->isa | (uint32_t)r->kinds << 16, 4);
    }
    for (unsigned i = 0; i < h->range_count; i++) {
        fits &= put_position(&p, ranges[i].start, wide);
        fits &= put_position(&p, ranges[i].len, wide);
    }
    return fits ? put_packed(buf, cap, len, plain, (size_t)(p - plain)) : KERF_ERR_ARGUMENT;
}

uint32_t kerf_chunk_size_floor(uint32_t bytes)
{
    return bytes < KERF_CHUNK_MIN   ? KERF_CHUNK_MIN
           : bytes > KERF_CHUNK_MAX ? KERF_CHUNK_MAX
                                    : bytes / KERF_CHUNK_UNIT * KERF_CHUNK_UNIT;
}

static kerf_err put_fields(uint8_t *buf, size_t cap, size_t *len, const struct kerf_header *h)
{
    bool wide = is_wide(h);
    bool in_place = (h->flags & KERF_FLAG_IN_PLACE) != 0;
    bool kept = in_place && h->kept > 0;
    bool fits = true;
    uint8_t plain[FIRST_LEN + SECOND_LEN(true)];
    uint8_t *p = plain;

    put(&p, h->codec | (unsigned)h->flags << FORM_FLAGS_AT, 1);
    put(&p, h->region_count | (unsigned)h->range_count << COUNTS_RANGES_AT, 1);
    put(&p, h->chunk_size / KERF_CHUNK_UNIT - CHUNK_UNITS_MIN, 2);
    put(&p, h->model.table_code, 1);
    put(&p, h->model.classes, 1);
    put(&p, h->model.map_cap, 2);
    put(&p, h->model.learned_cap, 2);
    put(&p, in_place ? h->sector_log2 : 0u, 1);
    put(&p, kept ? h->beyond : 0u, 1);
    put(&p, in_place ? h->scratch : 0u, 2);
    put(&p, in_place ? h->group : 0u, 2);
    fits &= put_position(&p, h->old_size, wide);
    fits &= put_position(&p, h->new_size ^ h->old_size, wide);
    fits &= put_position(&p, h->payload_size, wide);
    put(&p, kept ? h->moves_cap : 0u, 2);
    put(&p, kept ? h->kept : 0u, 2);

    kerf_err err = fits ? put_packed(buf, cap, len, plain, FIRST_LEN) : KERF_ERR_ARGUMENT;

    return err == KERF_OK ? put_packed(buf, cap, len, plain + FIRST_LEN, SECOND_LEN(wide)) : err;
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
    static const uint8_t magic[] = {'K', 'R', 'F', KERF_FORMAT_VERSION};
    const size_t max = KERF_PROLOGUE_LEN + KERF_HEADER_MAX_LEN;
    size_t digests = digests_len(header);

    cap = cap < max ? cap : max;
    *len = KERF_PROLOGUE_LEN;
    if (header->chunk_size != kerf_chunk_size_floor(header->chunk_size) || header->region_count > KERF_MAX_REGIONS ||
        header->range_count > KERF_MAX_RANGES) {
        return KERF_ERR_ARGUMENT;
    }
    if (cap < KERF_PROLOGUE_LEN) {
        return KERF_ERR_SPACE;
    }
    kerf_err err = put_fields(buf, cap, len, header);

    header->tables_pos = (uint16_t)*len;
    if (err == KERF_OK) {
        err = put_tables(buf, cap, len, header, regions, ranges);
    }
    if (err == KERF_OK && cap - *len < digests) {
        err = KERF_ERR_SPACE;
    }
    if (err != KERF_OK) {
        return err;
    }
    memcpy(buf + *len, (uint8_t *)(&header->new_digest + 1) - digests, digests);
    *len += digests;
    header->header_len = (uint16_t)*len;
    if (header->chunk0_len == 0) {
        uint32_t largest = header->chunk_size < UINT16_MAX ? header->chunk_size : UINT16_MAX;
        bool fits = *len <= largest && header->payload_size <= largest - *len;

        header->chunk0_len = (uint16_t)(fits ? *len + header->payload_size : largest);
    }
    memcpy(buf, magic, sizeof magic);
    buf[4] = (uint8_t)(*len - KERF_PROLOGUE_LEN);
    kerf_store_le16(buf + 5, header->chunk0_len);
    return reads_back(buf, header, regions, ranges) ? KERF_OK : KERF_ERR_ARGUMENT;
}

#endif
