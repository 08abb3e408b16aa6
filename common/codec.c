/* SPDX-License-Identifier: Apache-2.0 */
/* The order of steps of the native payload, and the plain bytes (docs/FORMAT.md, "Native payload"). */
#include "common/codec.h"

#include <string.h>

#include "common/encode.h"
#include "common/run.h"

enum state {
    STATE_START,
    STATE_MAP,
    STATE_RUN,
    STATE_GAP,
    STATE_LITERALS,
    STATE_SEGMENT,
    STATE_PLACE,
    STATE_COPY,
    STATE_END,
};

/* From this many equal bytes on, one flag speaks for QUIET_LEN bytes: it is what makes long equal stretches fast. */
#define QUIET_GAP 32u
#define QUIET_LEN 64u
#define GAP_MAX 0xffffu /* gap stops counting here */

static void produced(struct kerf_codec *c, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        c->new_tail = c->new_tail << 8 | bytes[i];
    }
    c->new_pos += (kerf_pos)len;
    c->left -= (kerf_pos)len;
    if (kerf_run_in_place(c) && kerf_run_sector_rest(c) == 0) {
        c->window_len = 0; /* the slot may change here: */
        c->quiet_left = 0; /* the encoder can't know yet what it will hold */
    }
}

/* --- Bytes by mixed contexts --- */

/* x * size / 2^32, without 64-bit arithmetic and without the lowest bits of x. */
static uint32_t scale_hash(uint32_t x, uint32_t size)
{
    return size <= 0x10000 ? ((x >> 16) * size) >> 16 : ((x >> 12) * (size >> 8)) >> 12;
}

/* `expected`: 256 + a byte; the last table's context is its next bit, as long as all bits before were right. 0: none. */
static unsigned code_byte(struct kerf_run *run, const uint32_t contexts[KERF_BYTE_TABLES], unsigned expected,
                          unsigned set, unsigned value)
{
    uint32_t table_size = kerf_table_size(run->c->table_code);
    uint32_t hash[KERF_BYTE_TABLES];
    uint16_t *counters[KERF_BYTE_TABLES];
    enum kerf_adapt adapt = table_size > 512 ? KERF_ADAPT_26 : KERF_ADAPT_18;
    unsigned node = 1;

    for (unsigned i = 0; i < KERF_BYTE_TABLES; i++) {
        hash[i] = (contexts[i] + 0x9e3779b9u * (i + 1)) * 0x2c1b3c6du;
        hash[i] ^= hash[i] >> 15;
    }
    while (node < 256) {
        expected <<= 1;
        bool hit = (expected ^ node << 9) < 0x200; /* the bits so far are those of expected >> 9 */

        for (unsigned i = 0; i < KERF_BYTE_TABLES; i++) {
            unsigned at = i == KERF_BYTE_TABLES - 1 && hit ? node | ((expected & 0x100) + 0x100) : node;
            uint32_t x = (hash[i] + at * 0x85ebca6bu) * 0x297a2d39u;

            /* The upper bits of x, scaled to the table's size, which is at most 2^20. */
            counters[i] = run->bytes + i * table_size + scale_hash(x, table_size);
        }
        unsigned bit = kerf_model_mix(run->k, counters, KERF_BYTE_TABLES,
                                      run->weights + KERF_WEIGHTS_BYTES + (size_t)set * (KERF_BYTE_TABLES + 1), adapt,
                                      value >> 7 & 1);

        value <<= 1;
        node = node << 1 | bit;
    }
    return node & 255;
}

/* A byte without a source. Context salts keep it apart from residues, with which it shares the tables. */
static kerf_err code_literal(struct kerf_run *run, uint8_t *byte)
{
    struct kerf_codec *c = run->c;
    /* Small tables have no room for whole bytes. */
    uint32_t tail = c->new_tail & (kerf_table_size(c->table_code) > 512 ? 0xffffffffu : 0xe0e0e0e0u);
    uint32_t phase = (uint32_t)c->new_pos & 3;
    uint8_t expected;
    kerf_err err = kerf_run_expected(run, &expected);

    if (err != KERF_OK) {
        return err;
    }
    const uint32_t contexts[KERF_BYTE_TABLES] = {
        phase | 0x10000000u,
        (tail & 0xff) | (phase & 1) << 8 | 0x20000000u,
        (tail >> 8 & 0xff) | phase << 8 | 0x30000000u,
        (tail & 0xf0f0) | phase | 0x40000000u,
        c->from_new | 0x50000000u,
    };

    *byte = (uint8_t)code_byte(run, contexts, 0x100u + expected, 1 + phase, *byte);
    return KERF_OK;
}

/* A byte that differs from its source byte: the difference. */
static kerf_err code_residue(struct kerf_run *run, uint8_t source, uint8_t *byte)
{
    struct kerf_codec *c = run->c;
    uint32_t phase = (uint32_t)c->new_pos & 3;
    uint32_t new_prev = c->new_tail & 0xff;
    uint32_t prev_diff = (new_prev - c->old_prev) & 0xff;
    uint8_t other;
    kerf_err err = kerf_run_old_byte(run, c->new_pos + (kerf_pos)c->recent[0][1], &other);

    if (err != KERF_OK) {
        return err;
    }
    const uint32_t contexts[KERF_BYTE_TABLES] = {
        phase | prev_diff << 8,
        phase | (uint32_t)c->last_diff << 8 | 0x100000u,
        ((uint32_t)(other - source) & 0xff) | 0x200000u,
        source | prev_diff << 8 | 0x300000u,
        new_prev | (uint32_t)source << 8 | 0x400000u,
    };
    unsigned diff = code_byte(run, contexts, 0, 0, (unsigned)(*byte - source) & 0xff);

    *byte = (uint8_t)(source + diff);
    c->last_diff = (uint8_t)diff;
    return KERF_OK;
}

/* "Does this byte differ from its source?" */
static unsigned code_differs(struct kerf_run *run, uint8_t source, unsigned differs)
{
    static const uint16_t gap_steps[] = {12, 16, 24, 40, 80, 200, 1000};
    struct kerf_codec *c = run->c;
    unsigned phase = (unsigned)c->new_pos & 3;
    unsigned h = c->equal_history;
    unsigned gap = c->gap;
    unsigned g = gap;
    unsigned i[KERF_EQUAL_TABLES];
    uint16_t *counters[KERF_EQUAL_TABLES];

    if (gap >= 8) {
        for (g = 8; g < 15 && gap >= gap_steps[g - 8]; g++) {
        }
    }
    switch (c->flag_class) {
    case 0:
        i[0] = (g >> 1) * 4 + phase;
        i[1] = h;
        i[2] = source >> 4;
        i[3] = (c->old_prev * 37u & 255) >> 4;
        break;
    case 1:
        i[0] = (g * 4 + phase) * 2 + (h & 1);
        i[1] = h;
        i[2] = source;
        i[3] = (c->old_prev * 37u & 255) >> 2;
        break;
    default:
        i[0] = (g * 4 + phase) * 4 + (h & 3);
        i[1] = h;
        i[2] = source * 2u + (gap < 4);
        i[3] = (c->old_prev + (gap < 4 ? 77u : 0)) * 37;
        break;
    }
    uint16_t *table = run->numbers + run->sizes->equal_at;

    for (unsigned t = 0; t < KERF_EQUAL_TABLES; t++) {
        counters[t] = table + (i[t] & (run->sizes->equal[t] - 1u));
        table += run->sizes->equal[t];
    }
    unsigned set = gap < 16;

    differs = kerf_model_mix(run->k, counters, KERF_EQUAL_TABLES,
                             run->weights + KERF_WEIGHTS_EQUAL + set * (KERF_EQUAL_TABLES + 1), KERF_ADAPT_40, differs);
    c->equal_history = (uint8_t)(h << 1 | differs);
    return differs;
}

/* --- Steps --- */

static kerf_err code_map(struct kerf_run *run, kerf_addr *start, kerf_shift *shift)
{
    struct kerf_codec *c = run->c;
    kerf_addr prev_start = 0;
    kerf_shift prev_shift = 0;

    if (c->map_len > 0) {
        kerf_run_pair_get(run, run->map, c->map_len - 1u, &prev_start, &prev_shift);
    }
    kerf_pos units = (*start - prev_start) / KERF_MAP_UNIT;
    kerf_shift difference = kerf_run_shift(run, (kerf_pos)*shift - (kerf_pos)prev_shift);
    kerf_err err = kerf_run_number(run, KERF_NUM_MAP_START, &units);

    if (err == KERF_OK) {
        err = kerf_run_signed(run, KERF_NUM_MAP_SHIFT, &run->symbols[KERF_SYM_ALIGNED + 1], 0, &difference);
    }
    *start = kerf_run_addr(run, prev_start + units * KERF_MAP_UNIT);
    *shift = kerf_run_shift(run, (kerf_pos)prev_shift + (kerf_pos)difference);
    if (err == KERF_OK && units > (kerf_run_addr(run, KERF_POS_MAX) - prev_start) / KERF_MAP_UNIT) {
        err = KERF_ERR_CORRUPT;
    }
    kerf_run_pair_set(run, run->map, c->map_len, *start, *shift);
    c->map_len++;
    return err;
}

static kerf_err code_gap(struct kerf_run *run, kerf_pos len)
{
    kerf_err err = kerf_run_span(run, KERF_NUM_GAP, 0, 0, &len);

    run->c->left = len;
    run->c->joined = len == 0;
    return err;
}

#if KERF_ENCODER
/* Encoding: do the next QUIET_LEN plain bytes of the segment equal their source? Walks ahead on a copy of the state. */
static kerf_err find_quiet(struct kerf_run *run, bool *quiet)
{
    struct kerf_codec saved = *run->c;
    struct kerf_codec *c = run->c;
    unsigned plain = 0;
    kerf_err err = KERF_OK;

    *quiet = true;
    while (err == KERF_OK && c->left > 0 && plain < QUIET_LEN) {
        struct kerf_ref ref = {0};
        const struct kerf_region *region;
        const uint8_t *view;
        kerf_pos n = 1;

        if (plain > 0) {
            err = kerf_ref_find(run, &ref, &region);
        }
        if (err == KERF_OK && ref.kind != KERF_REF_NONE) {
            kerf_ref_expect(run, &ref);
            n = ref.len;
        } else if (err == KERF_OK) {
            err = kerf_run_view(run, &view);
            *quiet = *quiet && err == KERF_OK && view[0] == run->new_image[c->new_pos];
            plain++;
            if (!*quiet) {
                break;
            }
        }
        c->src_pos += n;
        c->new_pos += n;
        c->left -= n;
        if (kerf_run_in_place(c) && kerf_run_sector_rest(c) == 0) {
            break;
        }
    }
    *c = saved;
    return err;
}
#endif

/* One byte of a segment that is no reference. */
static kerf_err code_plain(struct kerf_run *run, uint8_t *byte, enum kerf_step *what)
{
    struct kerf_codec *c = run->c;
    const uint8_t *view;
    kerf_err err = kerf_run_view(run, &view);

    if (err != KERF_OK) {
        return err;
    }
    uint8_t source = view[0];
    bool raw = c->raw_left > 0;
    unsigned differs = *byte != source;

    *what = KERF_STEP_QUIET;
    if (raw) {
        c->raw_left--;
    } else if (c->quiet_left == 0 && c->probe_left == 0 && c->gap >= QUIET_GAP) {
        bool quiet = false;

#if KERF_ENCODER
        if (run->new_image != NULL) {
            err = find_quiet(run, &quiet);
            if (err != KERF_OK) {
                return err;
            }
        }
#endif
        quiet = kerf_model_bit(run->k, &run->symbols[KERF_SYM_QUIET], !quiet) == 0;
        *(quiet ? &c->quiet_left : &c->probe_left) = QUIET_LEN;
    }
    if (!raw && c->quiet_left > 0) {
        c->quiet_left--;
        differs = 0;
    } else {
        if (!raw && c->probe_left > 0) {
            c->probe_left--;
        }
        differs = code_differs(run, source, differs);
#if KERF_ENCODER
        run->k->rc.mark = run->k->rc.cost; /* flag before, residue behind */
#endif
        *what = differs ? KERF_STEP_DIFFERENT : KERF_STEP_EQUAL;
    }
    if (differs) {
        c->gap = 0;
        err = code_residue(run, source, byte);
    } else {
        c->gap += c->gap < GAP_MAX;
        *byte = source;
    }
    c->old_prev = source;
    c->src_pos++;
    produced(c, byte, 1);
    return err;
}

/* The next byte of a segment from new. */
static kerf_err copy_new(struct kerf_run *run, uint8_t *out, enum kerf_step *what)
{
    const uint8_t *view;
    kerf_err err = kerf_run_view(run, &view);

    if (err == KERF_OK) {
        *what = KERF_STEP_QUIET;
        *out = view[0];
        run->c->src_pos++;
        produced(run->c, out, 1);
    }
    return err;
}

/* The next byte or reference of a segment. */
static kerf_err code_copy(struct kerf_run *run, uint8_t *out, size_t *len, enum kerf_step *what, struct kerf_ref *ref)
{
    struct kerf_codec *c = run->c;
    const struct kerf_region *region = NULL;
    kerf_err err = KERF_OK;

    *len = 1;
    ref->kind = KERF_REF_NONE;
    if (c->from_new) {
        return copy_new(run, out, what);
    }
    if (c->raw_left == 0 && c->region_count > 0) {
        err = kerf_ref_find(run, ref, &region);
    }
    if (err == KERF_OK && ref->kind != KERF_REF_NONE) {
        bool right;
        bool plain;

        err = kerf_ref_code(run, ref, region, out, &right, &plain);
        *what = right ? KERF_STEP_REF : KERF_STEP_REF_WRONG;
        if (err != KERF_OK || plain) {
            *len = 0;
            c->raw_left = ref->len;
            c->gap = 0;
            return err;
        }
        const uint8_t *view;

        err = kerf_run_view(run, &view);
        if (err == KERF_OK) {
            *len = ref->len;
            c->old_prev = view[ref->len - 1];
            c->gap += c->gap < GAP_MAX;
            c->src_pos += ref->len;
            produced(c, out, ref->len);
        }
        return err;
    }
    return err == KERF_OK ? code_plain(run, out, what) : err;
}

/* Where to go when a map entry, a gap or a segment is complete. */
static void advance(struct kerf_codec *c)
{
    if (c->state == STATE_MAP) {
        if (c->map_len == c->map_cap) {
            c->state = c->sectors_left > 0 ? STATE_RUN : STATE_GAP;
        }
    } else if ((c->state == STATE_LITERALS || c->state == STATE_COPY) && c->left == 0) {
        c->state = c->new_pos < c->new_end ? c->state == STATE_COPY ? STATE_GAP : STATE_SEGMENT
                   : c->sectors_left > 0   ? STATE_RUN
                                           : STATE_END;
    }
}

kerf_err kerf_codec_init(struct kerf_codec *c, const uint8_t *chunk0, const struct kerf_header *header)
{
    struct kerf_run run;

    memset(c, 0, sizeof *c);
    c->old_size = header->old_size;
    c->new_size = header->new_size;
    c->new_end = header->new_size;
    if ((header->flags & KERF_FLAG_IN_PLACE) != 0) {
#if KERF_IN_PLACE
        kerf_pos size = (kerf_pos)1 << header->sector_log2;

        c->sector_log2 = header->sector_log2;
        c->sectors_left = (uint32_t)(header->new_size / size + (header->new_size % size != 0));
        c->run_start = c->run_len = c->sectors_left;
#else
        return KERF_ERR_UNSUPPORTED;
#endif
    }
    c->map_cap = header->model.map_cap;
    c->learned_cap = header->model.learned_cap;
    c->table_code = header->model.table_code;
    c->flag_class = header->model.flag_class;
    c->flags = header->flags;
    c->region_count = header->region_count;
    c->range_count = header->range_count;
    for (unsigned i = 0; i < KERF_PAIRS; i++) {
        c->pairs[i].old_pos = UINT32_MAX;
    }
    kerf_run_open(&run, c);
    kerf_run_reset(&run);

    kerf_err err = kerf_header_tables(chunk0, header, run.regions, run.ranges);

#if KERF_POS_BITS == 64
    kerf_run_keep_regions(&run);
#endif

    for (unsigned i = 0; err == KERF_OK && i < c->region_count; i++) {
        const struct kerf_region *r = &run.regions[i];

        if (!kerf_isa_known(r->isa) || ((r->kinds >> KERF_REF_RECORDS & 1) != 0 && !kerf_isa_known(KERF_ISA_BTF))) {
            err = KERF_ERR_UNSUPPORTED;
        }
    }
    return err;
}

/* One decoding step; out has room for KERF_STEP_OUT bytes. */
static kerf_err decode_step(struct kerf_run *run, uint8_t *out, size_t *len)
{
    struct kerf_codec *c = run->c;
    struct kerf_segment segment = {0, 0, 1, false};
    struct kerf_ref ref;
    enum kerf_step what;
    kerf_addr start = 0;
    kerf_shift shift = 0;
    kerf_err err = KERF_OK;

    *len = 0;
    switch ((enum state)c->state) {
    case STATE_START:
        kerf_rc_decode_init(&run->k->rc);
        c->state = STATE_MAP;
        break;
    case STATE_MAP:
        err = code_map(run, &start, &shift);
        break;
    case STATE_RUN:
#if KERF_IN_PLACE
        err = kerf_run_sectors(run, 0, 1);
#endif
        c->state = STATE_GAP;
        break;
    case STATE_GAP:
        err = code_gap(run, 0);
        c->state = STATE_LITERALS;
        break;
    case STATE_LITERALS:
        *len = 1;
        out[0] = 0;
        err = code_literal(run, out);
        produced(c, out, 1);
        break;
    case STATE_SEGMENT:
        err = kerf_run_source(run, &segment);
        c->state = STATE_PLACE;
        break;
    case STATE_PLACE:
        err = kerf_run_place(run, 0);
        c->state = STATE_COPY;
        break;
    case STATE_COPY:
        out[0] = 0;
        err = code_copy(run, out, len, &what, &ref);
        break;
    case STATE_END:
        break;
    }
    advance(c);
    return err;
}

kerf_err kerf_codec_step(struct kerf_codec *c, const struct kerf_codec_io *io, const uint8_t *in, size_t in_len,
                         bool last, size_t *in_pos, uint8_t *out, size_t out_cap, size_t *out_len)
{
    struct kerf_coder k = {
        .rc =
            {.range = c->range, .code = c->code, .in = in, .in_pos = *in_pos, .in_len = in_len, .starved = c->starved},
        .noise = c->noise};
    struct kerf_run run = {.k = &k, .io = io, .out = out, .out_pos = c->new_pos - (kerf_pos)*out_len};
    kerf_err err = KERF_OK;

    kerf_run_open(&run, c);
    while (err == KERF_OK && c->state != STATE_END && out_cap - *out_len >= KERF_STEP_OUT &&
           (last || in_len - k.rc.in_pos >= KERF_STEP_MAX)) {
        size_t n = 0;

        err = decode_step(&run, out + *out_len, &n);
        *out_len += n;
        if (k.rc.starved > (last ? KERF_RC_MAX_STARVED : 0u)) {
            err = KERF_ERR_CORRUPT;
        }
        if (err == KERF_OK && n > 0 && c->state != STATE_END && kerf_run_in_place(c) &&
            (c->new_pos == c->new_end || kerf_run_sector_rest(c) == 0)) {
            err = KERF_SECTOR;
        }
    }
    c->range = k.rc.range;
    c->code = k.rc.code;
    c->noise = k.noise;
    c->starved = (uint8_t)k.rc.starved;
    *in_pos = k.rc.in_pos;
    if (err == KERF_OK && c->state == STATE_END) {
        err = !last ? KERF_ERR_TRAILING : k.rc.in_pos < in_len ? KERF_ERR_TRAILING : KERF_END;
    }
    return err;
}

#if KERF_ENCODER
void kerf_encode_begin(struct kerf_encoder *e, struct kerf_codec *c, const struct kerf_codec_io *io,
                       const uint8_t *new_image, void (*emit)(void *ctx, uint8_t byte), void *emit_ctx)
{
    memset(e, 0, sizeof *e);
    e->run.k = &e->k;
    e->run.io = io;
    e->run.out = new_image; /* all of new is there from the beginning */
    e->run.new_image = new_image;
    kerf_run_open(&e->run, c);
    kerf_rc_encode_init(&e->k.rc, emit, emit_ctx);
    c->state = STATE_MAP;
    advance(c);
}

#if KERF_IN_PLACE
kerf_err kerf_encode_run(struct kerf_encoder *e, uint32_t start, uint32_t len)
{
    struct kerf_codec *c = e->run.c;
    kerf_err err = c->state == STATE_RUN ? kerf_run_sectors(&e->run, start, len) : KERF_ERR_STATE;

    e->run.out_pos = 0;
    c->state = STATE_GAP;
    return err;
}
#endif

kerf_err kerf_encode_map(struct kerf_encoder *e, const struct kerf_map_entry *entry)
{
    struct kerf_codec *c = e->run.c;
    kerf_addr start = entry->start;
    kerf_shift shift = entry->shift;
    kerf_err err = c->state == STATE_MAP ? code_map(&e->run, &start, &shift) : KERF_ERR_STATE;

    advance(c);
    return err;
}

kerf_err kerf_encode_gap(struct kerf_encoder *e, kerf_pos len)
{
    struct kerf_codec *c = e->run.c;
    kerf_err err = c->state == STATE_GAP ? code_gap(&e->run, len) : KERF_ERR_STATE;

    c->state = STATE_LITERALS;
    advance(c);
    return err;
}

kerf_err kerf_encode_literal(struct kerf_encoder *e)
{
    struct kerf_codec *c = e->run.c;
    uint8_t byte = e->run.new_image[c->new_pos];
    kerf_err err = c->state == STATE_LITERALS ? code_literal(&e->run, &byte) : KERF_ERR_STATE;

    produced(c, &byte, 1);
    advance(c);
    return err;
}

kerf_err kerf_encode_segment(struct kerf_encoder *e, const struct kerf_segment *segment)
{
    struct kerf_codec *c = e->run.c;
    bool fits = c->state == STATE_SEGMENT && segment->new_pos == c->new_pos;

    e->k.rc.mark = 0;
    kerf_err err = fits ? kerf_run_source(&e->run, segment) : KERF_ERR_STATE;

    if (err == KERF_OK) {
        err = kerf_run_place(&e->run, kerf_run_shift(&e->run, segment->src_pos - c->new_pos));
    }
    c->state = STATE_COPY;
    return err;
}

kerf_err kerf_encode_copy(struct kerf_encoder *e, size_t *len, enum kerf_step *what, struct kerf_ref *ref)
{
    struct kerf_codec *c = e->run.c;
    uint8_t out[KERF_STEP_OUT];

    out[0] = e->run.new_image[c->new_pos];
    kerf_err err = c->state == STATE_COPY ? code_copy(&e->run, out, len, what, ref) : KERF_ERR_STATE;

    advance(c);
    return err;
}

kerf_err kerf_encode_peek(struct kerf_encoder *e, kerf_pos ahead, uint64_t *cost)
{
    struct kerf_codec *c = e->run.c;
    const kerf_pos left = c->left;
    const kerf_pos new_pos = c->new_pos;
    const uint32_t new_tail = c->new_tail;
    const uint64_t before = e->k.rc.cost;
    kerf_shift *const recent = c->recent[c->from_new];
    const kerf_shift newest = recent[0];
    void (*const emit)(void *ctx, uint8_t byte) = e->k.rc.emit;

    /* Were it a literal, the copy in progress would not be the last one. */
    recent[0] = recent[1];
    produced(c, e->run.new_image + c->new_pos, (size_t)ahead);

    uint8_t byte = e->run.new_image[c->new_pos];

    e->k.frozen = true;
    e->k.rc.emit = NULL;
    kerf_err err = code_literal(&e->run, &byte);

    e->k.rc.emit = emit;
    e->k.frozen = false;
    *cost = e->k.rc.cost - before;
    e->k.rc.cost = before;
    recent[0] = newest;
    c->left = left;
    c->new_pos = new_pos;
    c->new_tail = new_tail;
    return err;
}
#endif
