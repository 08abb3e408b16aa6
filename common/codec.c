/* SPDX-License-Identifier: Apache-2.0 */
/* The order of steps of the native payload, and the plain bytes (docs/FORMAT.md, "Native payload"). */
#include "common/codec.h"

#include <string.h>

#include "common/encode.h"
#include "common/run.h"

/* From this many equal bytes on, one flag speaks for STRETCH bytes: it is what makes long equal stretches fast. */
#define STRETCH_GAP 32u
#define STRETCH 64u

#define BYTE_LIMIT 10u /* how slow counters of bytes may become (model.c): 1/18 */

/* Goes on by bytes of new. In place: does a sector end with them, or all that is to be produced for now? */
static bool produced(struct kerf_run *run, const uint8_t *bytes, size_t len)
{
    struct kerf_codec *c = KERF_STATE(run);

    kerf_run_pass(run, bytes, len);
    c->src_pos += (kerf_pos)len;
    c->left -= (kerf_pos)len;
    /* Where a reference was given up nothing was produced, also where a sector begins. */
    if (!kerf_run_in_place(run) || len == 0 || kerf_run_sector_rest(run) != 0) {
        return kerf_run_in_place(run) && c->new_pos == c->new_end;
    }
    c->window_len = 0; /* the slot may change here: */
    c->stretch = 0;    /* the encoder can't know yet what it will hold */
    return true;
}

/* --- Bytes by mixed contexts --- */

/*
 * `contexts`: numbers to which those of the nodes, below 2^10, are added. `expected`: 256 + a byte; as long as all bits
 * so far are its own, the last table's context is its next bit, and the weights are those of the set behind the next.
 * 0: none.
 */
KERF_AS_WRITTEN static unsigned code_byte(struct kerf_run *run, const uint32_t contexts[KERF_BYTE_TABLES],
                                          unsigned expected, unsigned set, unsigned value)
{
    uint32_t table_size = kerf_table_size(run->h->model.table_code);
    uint16_t *counters[KERF_BYTE_TABLES];
    int16_t *weights = run->t.weights + set * (KERF_MIX_MAX + 1);
    unsigned node = 1;

    while (node < 256) {
        uint16_t *table = run->t.bytes;
        uint32_t at = node;
        unsigned more = 0;

        expected <<= 1;
        if ((expected ^ node << 9) < 0x200) { /* the bits so far are those of expected >> 9 */
            at |= (expected & 0x100) + 0x100; /* for the last table, which comes first */
            more = 2 * (KERF_MIX_MAX + 1);
        }
        for (unsigned i = KERF_BYTE_TABLES; i-- > 0; at = node, table += table_size) {
            /* By the golden ratio neighbours lie evenly apart: few contexts, as order 0 has, hardly meet in a small table. */
            uint32_t x = (contexts[i] + at) * 0x9e3779b9u;

            counters[i] = table + kerf_rc_part(x, table_size);
        }
        unsigned bit = kerf_model_mix(&run->k, counters, KERF_BYTE_TABLES, weights + more, BYTE_LIMIT, value >> 7 & 1);

        value <<= 1;
        node = node << 1 | bit;
    }
    return node & 255;
}

/* A byte without a source. */
static uint8_t code_literal(struct kerf_run *run, uint8_t byte)
{
    struct kerf_codec *c = KERF_STATE(run);
    /* Small tables have no room for whole bytes, but of text, whose bytes are few. */
    uint32_t mask = run->h->model.table_code > 20 ? 0xffffu : 0xf0e0u;
    uint32_t tail = c->new_tail & mask;
    uint32_t phase = kerf_run_place(run) & kerf_literal_phases(run->h);
    uint8_t expected = kerf_run_byte(run, c->from_new, c->new_pos + (kerf_pos)c->recent[c->from_new][0]);
    const uint32_t contexts[KERF_BYTE_TABLES] = {
        phase << 8,
        (tail & 0xff) << 10 | phase << 8,
        tail >> 8 << 10 | phase << 8,
        (expected & mask >> 8) << 11 | phase << 8,
        (uint32_t)c->from_new << 10,
    };

    return (uint8_t)code_byte(run, contexts, 0x100u + expected, KERF_WEIGHTS_LITERAL + (phase & 1), byte);
}

/* A byte that differs from its source byte: the difference. */
static uint8_t code_residue(struct kerf_run *run, uint8_t source, uint8_t byte)
{
    struct kerf_codec *c = KERF_STATE(run);
    uint32_t phase = (uint32_t)c->new_pos & 3;
    uint32_t new_prev = c->new_tail & 0xff;
    uint32_t prev_diff = (new_prev - c->old_prev) & 0xff;
    uint8_t other = kerf_run_byte(run, KERF_FROM_OLD, c->new_pos + (kerf_pos)c->recent[0][1]);
    uint32_t contexts[KERF_BYTE_TABLES] = {
        phase | prev_diff << 2,  phase | (uint32_t)c->last_diff << 2, (uint32_t)(other - source) & 0xff,
        source | prev_diff << 8, new_prev | (uint32_t)source << 8,
    };

    /* Far from those of literals, with which they share the tables, and from each other. */
    for (unsigned i = 0; i < KERF_BYTE_TABLES; i++) {
        contexts[i] = (contexts[i] + 1) * 0x2c1b3c6du;
        contexts[i] ^= contexts[i] >> 15;
    }
    c->last_diff = (uint8_t)code_byte(run, contexts, 0, KERF_WEIGHTS_RESIDUE, (unsigned)(byte - source) & 0xff);
    return (uint8_t)(source + c->last_diff);
}

/* "Does this byte differ from its source?" */
static unsigned code_differs(struct kerf_run *run, uint8_t source, unsigned differs)
{
    struct kerf_codec *c = KERF_STATE(run);
    unsigned g = 31u - (unsigned)__builtin_clz(2u * c->gap + 1); /* bits of gap, modulo 2^31 */
    unsigned soon = c->gap < 4 ? 256 : 0;
    const unsigned contexts[KERF_EQUAL_TABLES] = {
        g | ((unsigned)c->new_pos & 3) << 4 | (unsigned)c->equal_history << 6,
        c->equal_history,
        source | soon,
        c->old_prev | soon,
    };

    differs = kerf_run_flag(run, contexts, KERF_EQUAL_TABLES, differs);
    c->equal_history = (uint8_t)((unsigned)c->equal_history << 1 | differs);
    return differs;
}

/* --- Steps --- */

static void code_map(struct kerf_run *run, kerf_addr start, kerf_shift shift)
{
    struct kerf_codec *c = KERF_STATE(run);
    kerf_addr prev_start = 0;
    kerf_shift prev_shift = 0;

    if (c->map_len > 0) {
        kerf_run_pair_get(run, run->t.map, c->map_len - 1u, &prev_start, &prev_shift);
    }
    kerf_pos units = kerf_run_number(run, KERF_NUM_MAP_START, (start - prev_start) / KERF_MAP_UNIT);
    kerf_pos change = kerf_run_number(run, KERF_NUM_MAP_SHIFT,
                                      kerf_run_fold(kerf_run_shift(run, (kerf_pos)shift - (kerf_pos)prev_shift)));

    start = kerf_run_addr(run, prev_start + units * KERF_MAP_UNIT);
    if (start < prev_start) {
        kerf_run_refuse(run);
    }
    kerf_run_pair_set(run, run->t.map, c->map_len, start,
                      kerf_run_shift(run, (kerf_pos)prev_shift + kerf_run_unfold(change)));
    c->map_len++;
}

static void code_gap(struct kerf_run *run, kerf_pos len)
{
    struct kerf_codec *c = KERF_STATE(run);

    kerf_run_span(run, KERF_NUM_GAP, 0, 0, len);
    c->between = (uint8_t)(c->left < 3 ? c->left : 3);
    c->copying = 0;
}

#if KERF_ENCODER
/* Encoding: do the next STRETCH plain bytes of the segment equal their source? Walks ahead on a copy of the state. */
static bool find_quiet(struct kerf_run *run)
{
    struct kerf_codec saved = *KERF_STATE(run);
    struct kerf_codec *c = KERF_STATE(run);
    unsigned plain = 0;
    bool quiet = true;

    while (quiet && c->left > 0 && plain < STRETCH) {
        const uint8_t *view = kerf_run_view(run);
        struct kerf_ref ref = {.kind = KERF_REF_NONE};
        unsigned most = STRETCH - plain < c->left ? STRETCH - plain : (unsigned)c->left;
        kerf_pos n = plain > 0 && run->old_image != NULL && !kerf_run_in_place(run) ? kerf_ref_none(run, most) : 0;

        if (n > 0) { /* as mostly: many at once */
            quiet = memcmp(view, run->new_image + c->new_pos, (size_t)n) == 0;
            plain += (unsigned)n;
            c->src_pos += n;
            c->new_pos += n;
            c->left -= n;
            continue;
        }
        n = 1;
        if (plain > 0) {
            (void)kerf_ref_find(run, &ref);
        }
        if (ref.kind != KERF_REF_NONE) {
            kerf_ref_expect(run, &ref);
            n = ref.len;
        } else {
            quiet = view[0] == run->new_image[c->new_pos];
            plain++;
        }
        c->src_pos += n;
        c->new_pos += n;
        c->left -= n;
        if (kerf_run_in_place(run) && kerf_run_sector_rest(run) == 0) {
            break;
        }
    }
    *c = saved;
    return quiet;
}
#endif

/* One byte of a segment that is no reference. (Apart, so that its frame is not there below a reference's.) */
__attribute__((noinline)) static uint8_t code_plain(struct kerf_run *run, uint8_t source, uint8_t byte)
{
    struct kerf_codec *c = KERF_STATE(run);
    unsigned stretch = c->stretch;
    unsigned told = 1; /* of each byte, whether it differs */
    unsigned differs = 0;

    if (stretch < 2 && c->gap >= STRETCH_GAP) {
        bool quiet = false;

#if KERF_ENCODER
        quiet = run->new_image != NULL && find_quiet(run);
#endif
        stretch = 2 * STRETCH + kerf_model_bit(&run->k, &run->t.counters[KERF_SYM_QUIET], !quiet);
    }
    if (stretch >= 2) {
        told = stretch & 1;
        stretch -= 2;
    }
    c->stretch = (uint8_t)stretch;
    if (told) {
        differs = code_differs(run, source, byte != source);
#if KERF_ENCODER
        run->k.rc.mark = run->k.rc.cost; /* flag before, residue behind */
#endif
        kerf_run_note(run, differs ? KERF_STEP_DIFFERENT : KERF_STEP_EQUAL);
    }
    if (differs) {
        c->gap = 0;
        source = code_residue(run, source, byte);
    }
    return source;
}

#if KERF_ENCODER
/* Of bytes that begin no reference, and are taken as they are: how many more may be made at once? */
static unsigned quiet_room(const struct kerf_run *run)
{
    const struct kerf_codec *c = KERF_STATE(run);
    size_t made = (size_t)(c->new_pos - run->out_pos) + KERF_STEP_OUT;
    size_t room = run->out_room > made ? run->out_room - made : 0;
    kerf_pos seen = c->window_len - (c->src_pos - c->window_pos); /* that run->view shows */
    unsigned quiet = kerf_codec_quiet(c);

    room = room < seen ? room : (size_t)seen;
    room = room < c->left - 1 ? room : (size_t)c->left - 1;
    return room < quiet ? (unsigned)room : quiet;
}

/* Decoding: is a byte of old, which begins no reference, taken as it is, and another one after it within this call? */
static bool goes_on(const struct kerf_run *run)
{
    const struct kerf_codec *c = KERF_STATE(run);

    return kerf_codec_quiet(c) > 0 && c->left > 1 && run->new_image == NULL && !kerf_run_in_place(run) &&
           run->out_room > (size_t)(c->new_pos - run->out_pos) + KERF_STEP_OUT;
}

/* The same as code_copy() for many bytes, sooner: up to a reference, whose region this returns, or where quiet ends. */
static const struct kerf_region *copy_quiet(struct kerf_run *run, struct kerf_ref *ref)
{
    struct kerf_codec *c = KERF_STATE(run);
    const struct kerf_region *region = NULL;

    while (ref->kind == KERF_REF_NONE && goes_on(run)) {
        uint8_t *out = run->out + (c->new_pos - run->out_pos);

        *out = c->old_prev = *run->view;
        c->stretch = (uint8_t)(c->stretch - 2);
        c->gap++;
        (void)produced(run, out, 1);
        const uint8_t *view = kerf_run_view(run);
        unsigned n = goes_on(run) ? kerf_ref_pass(run, quiet_room(run)) : 0;

        if (n > 0) { /* as mostly: many at once */
            out++;
            memcpy(out, view, n);
            c->old_prev = view[n - 1];
            c->stretch = (uint8_t)(c->stretch - 2 * n);
            c->gap += n;
            (void)produced(run, out, n);
            (void)kerf_run_view(run);
        }
        region = kerf_ref_find(run, ref);
    }
    return region;
}
#endif

/* The next byte or reference of a segment: its length, 0 where a reference was given up. */
static unsigned code_copy(struct kerf_run *run, uint8_t *out, struct kerf_ref *ref)
{
    struct kerf_codec *c = KERF_STATE(run);
    const struct kerf_region *region = NULL;

    ref->kind = KERF_REF_NONE;
    kerf_run_note(run, KERF_STEP_QUIET);
    if (c->from_new) {
        out[0] = kerf_run_byte(run, KERF_IN_PLACE ? KERF_FROM_MADE : KERF_FROM_NEW, c->src_pos);
        return 1;
    }
    const uint8_t *view = kerf_run_view(run);

    if (c->src_pos >= c->raw_end) {
        region = kerf_ref_find(run, ref);
#if KERF_ENCODER
        if (ref->kind == KERF_REF_NONE && goes_on(run)) {
            region = copy_quiet(run, ref);
            view = run->view;
            out = run->out + (c->new_pos - run->out_pos);
            out[0] = 0;
        }
#endif
    }
    if (ref->kind == KERF_REF_NONE) {
        out[0] = code_plain(run, view[0], out[0]);
        ref->len = 1;
    } else if (!kerf_ref_code(run, ref, region, out)) {
        c->raw_end = c->src_pos + ref->len;
        c->gap = 0;
        c->stretch = 0;
        return 0;
    }
    c->old_prev = view[ref->len - 1];
    c->gap++;
    return ref->len;
}

kerf_err kerf_codec_init(struct kerf_codec *c, const uint8_t *chunk0, const struct kerf_header *header)
{
#if KERF_CALL_IN_STATE
    struct kerf_run *run = c;
#else
    struct kerf_run beside = {.c = c};
    struct kerf_run *run = &beside;
#endif

    memset(c, 0, sizeof *c);
    c->new_end = header->new_size;
    c->copying = 1;
#if KERF_CALL_IN_STATE
    c->k.rc.s.range = 1;
#else
    c->coder.range = 1;
#endif
#if KERF_IN_PLACE
    c->old_there = header->old_size;
#endif
    if ((header->flags & KERF_FLAG_IN_PLACE) != 0) {
#if KERF_IN_PLACE
        kerf_pos size = (kerf_pos)1 << header->sector_log2;

        c->sectors_left = (uint32_t)(header->new_size / size + (header->new_size % size != 0));
        c->run_start = c->run_len = c->sectors_left;
        c->new_end = 0;
        if (c->sectors_left > 0) {
            c->sectors_left += header->kept;
        }
#endif /* else no header says so */
    }
    if (KERF_PAIRS_IN_BUILD) {
        memset(c->pairs, 0xff, sizeof c->pairs); /* no old position */
    }
    run->h = header;
    kerf_run_reset(run, kerf_run_open(run));

    struct kerf_region *regions = kerf_run_regions(run);
    kerf_err err = kerf_header_tables(chunk0, header, regions, kerf_run_ranges(run));

    kerf_run_keep_regions(run);
    for (unsigned i = 0; KERF_STRICT && err == KERF_OK && i < header->region_count; i++) {
        if (!kerf_isa_takes(regions[i].isa, regions[i].kinds)) {
            err = KERF_ERR_UNSUPPORTED;
        }
    }
    return err;
}

/* One decoding step, which writes KERF_STEP_OUT bytes at most: true if a sector ends with them. */
static bool decode_step(struct kerf_run *run)
{
    struct kerf_codec *c = KERF_STATE(run);

    if (c->left > 0) { /* the first, as it is so most of the time */
        struct kerf_ref ref;
        uint8_t *out = run->out + (c->new_pos - run->out_pos);
        unsigned len = 1;

        if (KERF_IN_PLACE && c->keeping) {
            return kerf_run_keep(run, out) > 0 && (c->new_pos == c->new_end || kerf_run_sector_rest(run) == 0);
        }
        if (KERF_ENCODER) {
            out[0] = 0;
        }
        if (c->copying) {
            len = code_copy(run, out, &ref);
        } else {
            out[0] = code_literal(run, 0);
        }
        /* A host may have gone on by more than that. */
        return produced(run, KERF_ENCODER ? run->out + (c->new_pos - run->out_pos) : out, len);
    }
    if (c->map_len < run->h->model.map_cap) {
        code_map(run, 0, 0);
#if KERF_IN_PLACE
    } else if (c->new_pos == c->new_end) {
        kerf_run_sectors(run, 0, 1);
#endif
    } else if (c->copying) {
        code_gap(run, 0);
    } else {
        c->copying = 1;
#if KERF_IN_PLACE
        if (c->keeping) {
            kerf_run_move(run, 0, 1);
            return false;
        }
#endif
        kerf_run_segment(run, &(struct kerf_segment){.len = 1});
    }
    return false;
}

/*
 * As many steps as input and output allow: `most` bytes of output may be there before one, `least` of input must, 0: no input
 * follows; `out_len` bytes of output are there. (Apart, so that what calls kerf_codec_step() can take in the rest of that.)
 */
__attribute__((noinline)) static void decode_steps(struct kerf_run *run, size_t out_len, size_t most, size_t least)
{
    const struct kerf_codec *c = KERF_STATE(run);
    const struct kerf_rc *rc = &run->k.rc;
    bool sector_ends = false;

    run->out_pos = c->new_pos - (kerf_pos)out_len;
    (void)kerf_run_open(run);
    kerf_run_load_regions(run);
#if KERF_ENCODER
    kerf_ref_order_load(run);
#endif
    while (run->err == 0) {
        if (c->new_pos == c->new_end && c->sectors_left == 0) {
            run->err = least == 0 && rc->in_pos >= rc->in_len ? KERF_END : KERF_ERROR(KERF_ERR_TRAILING);
        } else if (sector_ends) {
            run->err = KERF_SECTOR;
        } else if ((size_t)(c->new_pos - run->out_pos) > most || rc->in_len - rc->in_pos < least) {
            break;
        } else {
            sector_ends = decode_step(run);
        }
    }
    if (KERF_STRICT && rc->in_pos > rc->in_len + KERF_RC_MAX_STARVED) {
        run->err = KERF_ERROR(KERF_ERR_CORRUPT);
    }
}

kerf_err kerf_codec_step(struct kerf_codec *c, const struct kerf_header *header, const struct kerf_codec_io *io,
                         const uint8_t *in, size_t in_len, bool last, size_t *in_pos, uint8_t *out, size_t out_cap,
                         size_t *out_len)
{
#if KERF_CALL_IN_STATE
    struct kerf_run *run = c;

    run->err = 0;
#else
    struct kerf_run beside = {.k.rc.s = c->coder, .c = c};
    struct kerf_run *run = &beside;
#endif

    run->k.rc.in = in;
    run->k.rc.in_pos = *in_pos;
    run->k.rc.in_len = in_len;
    run->h = header;
    run->io = io;
    run->out = out;
#if KERF_ENCODER
    run->out_room = out_cap;
#endif
    decode_steps(run, *out_len, out_cap - KERF_STEP_OUT, last ? 0 : KERF_STEP_MAX);
#if KERF_ENCODER
    kerf_ref_order_keep(run);
#endif
#if !KERF_CALL_IN_STATE
    c->coder = run->k.rc.s;
#endif
    *in_pos = run->k.rc.in_pos;
    *out_len = (size_t)(c->new_pos - run->out_pos);
    return kerf_error(run->err);
}

#if KERF_ENCODER
void kerf_encode_begin(struct kerf_encoder *e, struct kerf_codec *c, const struct kerf_header *header,
                       const struct kerf_codec_io *io, const uint8_t *new_image, void (*emit)(void *ctx, uint8_t byte),
                       void *emit_ctx)
{
    memset(e, 0, sizeof *e);
    e->run.io = io;
    e->run.c = c;
    e->run.h = header;
    e->run.new_image = new_image;
    (void)kerf_run_open(&e->run);
    kerf_run_load_regions(&e->run);
    kerf_rc_encode_init(&e->run.k.rc, emit, emit_ctx);
}

/* Is it the time for this? Between gaps and segments: `copying` says which of them was the last. */
static bool expects(struct kerf_encoder *e, bool map, bool inside, bool copying)
{
    const struct kerf_codec *c = e->run.c;

    if ((c->map_len < e->run.h->model.map_cap) != map || (c->left > 0) != inside ||
        (!map && (c->copying != 0) != copying)) {
        kerf_run_fail(&e->run, KERF_ERROR(KERF_ERR_STATE));
    }
    return e->run.err == 0;
}

#if KERF_IN_PLACE
kerf_err kerf_encode_run(struct kerf_encoder *e, uint32_t start, uint32_t len)
{
    if (e->run.c->new_pos != e->run.c->new_end) {
        return KERF_ERR_STATE;
    }
    kerf_run_sectors(&e->run, start, len);
    e->run.out_pos = 0;
    return kerf_error(e->run.err);
}

kerf_err kerf_encode_keep(struct kerf_encoder *e, bool move, kerf_pos old_pos, kerf_pos len, uint8_t *bytes)
{
    struct kerf_codec *c = e->run.c;

    if (!expects(e, false, false, !move)) {
        return kerf_error(e->run.err);
    }
    if (move) {
        c->copying = 1;
        kerf_run_move(&e->run, old_pos, len);
    } else {
        code_gap(&e->run, len);
    }
    while (e->run.err == 0 && c->left > 0) {
        bytes += kerf_run_keep(&e->run, bytes);
    }
    return kerf_error(e->run.err);
}
#endif

kerf_err kerf_encode_map(struct kerf_encoder *e, const struct kerf_map_entry *entry)
{
    if (expects(e, true, false, true)) {
        code_map(&e->run, entry->start, entry->shift);
    }
    return kerf_error(e->run.err);
}

kerf_err kerf_encode_gap(struct kerf_encoder *e, kerf_pos len)
{
    if (expects(e, false, false, true)) {
        code_gap(&e->run, len);
    }
    return kerf_error(e->run.err);
}

kerf_err kerf_encode_literal(struct kerf_encoder *e)
{
    if (expects(e, false, true, false)) {
        const uint8_t *byte = e->run.new_image + e->run.c->new_pos;

        (void)code_literal(&e->run, *byte);
        (void)produced(&e->run, byte, 1);
    }
    return kerf_error(e->run.err);
}

kerf_err kerf_encode_segment(struct kerf_encoder *e, const struct kerf_segment *segment)
{
    if (expects(e, false, false, false)) {
        e->run.k.rc.mark = 0;
        e->run.c->copying = 1;
        kerf_run_segment(&e->run, segment);
    }
    return kerf_error(e->run.err);
}

kerf_err kerf_encode_copy(struct kerf_encoder *e, size_t *len, enum kerf_step *what, struct kerf_ref *ref)
{
    *len = 0;
    if (expects(e, false, true, true)) {
        uint8_t out[KERF_STEP_OUT] = {e->run.new_image[e->run.c->new_pos]};

        *len = code_copy(&e->run, out, ref);
        *what = e->run.what;
        (void)produced(&e->run, out, *len);
    }
    return kerf_error(e->run.err);
}

kerf_err kerf_encode_peek(struct kerf_encoder *e, kerf_pos ahead, uint64_t *cost)
{
    struct kerf_codec *c = e->run.c;
    struct kerf_rc *rc = &e->run.k.rc;
    const kerf_pos new_pos = c->new_pos;
    const uint32_t new_tail = c->new_tail;
    const uint8_t slip = c->slip;
    const uint64_t before = rc->cost;
    const uint32_t range = rc->s.range;
    kerf_shift *const recent = c->recent[c->from_new];
    const kerf_shift newest = recent[0];
    void (*const emit)(void *ctx, uint8_t byte) = rc->emit;

    /* Were it a literal, the copy in progress would not be the last one. */
    recent[0] = recent[1];
    for (kerf_pos i = 0; i < ahead; i++) {
        kerf_run_pass(&e->run, e->run.new_image + c->new_pos, 1);
    }
    e->run.k.frozen = true;
    rc->emit = NULL;
    (void)code_literal(&e->run, e->run.new_image[c->new_pos]);
    rc->emit = emit;
    e->run.k.frozen = false;
    *cost = rc->cost - before;
    rc->cost = before;
    rc->s.range = range;
    recent[0] = newest;
    c->new_pos = new_pos;
    c->new_tail = new_tail;
    c->slip = slip;
    return kerf_error(e->run.err);
}
#endif
