/* SPDX-License-Identifier: Apache-2.0 */
/* Codes a plan with the shared codec, and keeps the books: what each part cost (books.h). */
#include <string.h>

#include "diffgen/beside.h"
#include "diffgen/books.h"
#include "diffgen/coding.h"

/* What one encoding works with. */
struct session {
    const struct kerf_work *w;
    struct kerf_coding coding;
    struct kerf_books books;
    struct kerf_encoding *out;
    const struct kerf_encoding *rival; /* NULL: no race */
    unsigned margin;
    unsigned marks;        /* noted so far */
    kerf_pos next_mark;    /* position of the next one */
    bool beside;           /* w->beside follows, */
    kerf_pos next_tell;    /* and is told next from this position on */
    kerf_pos next_stop;    /* the first of both */
    uint8_t *literal_cost; /* what every byte costs as a literal is to be measured; or NULL */
    struct kerf_slot slot; /* in place */
    size_t sector;         /* in place: the one in progress */
};

/* In place: the slot may change after a step that reached the end of a sector. */
static void note_sector(struct session *s)
{
    const struct kerf_order *o = s->w->order;
    kerf_pos end = s->coding.e.run.c->new_pos;

    if (s->slot.bytes != NULL && (end == o->new_len || (end >> o->sector_log2) != s->sector)) {
        kerf_slot_sector(&s->slot, s->w->new_side.bytes, s->sector++);
    }
}

static void trace(const struct session *s, struct kerf_trace_step step)
{
    if (s->w->trace != NULL) {
        s->w->trace->step(s->w->trace->ctx, &step);
    }
}

/* Marks passed before a race may be given up: what the models still have to learn costs all plans about the same. */
#define MARKS_MIN 3

/* What a plan will cost in the end if it goes on as up to the mark. */
static kerf_cost project(const struct kerf_encoding *e, unsigned marks)
{
    kerf_cost map = e->part[KERF_PART_MAP];

    return map + (e->mark[marks - 1] - map) / marks * KERF_MARKS;
}

/* Notes the cost at a mark, and tells who follows. False: the race is lost. */
static bool pass_marks(struct session *s)
{
    kerf_pos len = s->w->new_side.len;
    kerf_cost cost = s->coding.e.run.k.rc.cost;

    if (s->beside && s->coding.e.run.c->new_pos >= s->next_tell) {
        kerf_beside_tell(s->w->beside, &s->coding.e.run.k.rc, s->coding.e.run.c->new_pos);
        s->next_tell = s->coding.e.run.c->new_pos + kerf_beside_piece(s->w);
    }
    while (s->marks < KERF_MARKS && s->coding.e.run.c->new_pos >= s->next_mark) {
        s->out->mark[s->marks++] = cost;
        s->next_mark = len / KERF_MARKS * (s->marks + 1);
    }
    s->next_stop = s->beside && s->next_tell < s->next_mark ? s->next_tell : s->next_mark;
    if (s->rival == NULL || s->marks < MARKS_MIN || s->w->order != NULL) {
        return true;
    }
    /* The map is paid for at the start, what it gains comes in new's whole length. */
    kerf_cost own = project(s->out, s->marks);
    kerf_cost other = project(s->rival, s->marks);

    /* What was a hopeful difference at first is a sure one in the end. */
    return own <= other + other / s->margin * (KERF_MARKS + 2 - s->marks) / KERF_MARKS;
}

static kerf_err encode_literals(struct session *s, kerf_pos len)
{
    kerf_cost before = s->coding.e.run.k.rc.cost;
    kerf_pos start = s->coding.e.run.c->new_pos;
    kerf_err err = kerf_encode_gap(&s->coding.e, len);

    s->out->part[KERF_PART_SEGMENTS] += s->coding.e.run.k.rc.cost - before;
    trace(s, (struct kerf_trace_step){
                 .part = KERF_PART_SEGMENTS, .new_pos = start, .cost = s->coding.e.run.k.rc.cost - before});
    s->books.gap.count[kerf_work_place(s->w, (size_t)start)][kerf_price_symbol(len + 1)]++;
    for (; err == KERF_OK && len > 0; len--) {
        kerf_pos at = s->coding.e.run.c->new_pos;

        before = s->coding.e.run.k.rc.cost;
        err = kerf_encode_literal(&s->coding.e);
        note_sector(s);
        s->out->part[KERF_PART_LITERALS] += s->coding.e.run.k.rc.cost - before;
        s->out->literals++;
        s->books.literal += s->coding.e.run.k.rc.cost - before;
        trace(s, (struct kerf_trace_step){
                     .part = KERF_PART_LITERALS, .new_pos = at, .len = 1, .cost = s->coding.e.run.k.rc.cost - before});
        if (s->literal_cost != NULL) {
            s->literal_cost[at] = kerf_literal_pack(s->coding.e.run.k.rc.cost - before);
        } else if (s->w->literal_cost != NULL) {
            s->books.literal_estimate += kerf_literal_cost(s->w, at);
        }
        if (err == KERF_OK && s->coding.e.run.c->new_pos >= s->next_stop && !pass_marks(s)) {
            err = KERF_END;
        }
    }
    return err;
}

static void note_quiet(struct session *s, size_t len, unsigned *gap)
{
    for (; len > 0 && *gap < 15; len--) {
        s->books.equal[(*gap)++][0].count++;
    }
    s->books.equal[15][0].count += len;
}

static void note_copy(struct session *s, enum kerf_step what, const struct kerf_ref *ref, unsigned *gap, kerf_cost cost)
{
    struct kerf_books *b = &s->books;
    kerf_cost residue;
    bool ram = ref->kind != KERF_REF_NONE && !kerf_scan_inside(&s->w->image, false, ref->target);

    switch (what) {
    case KERF_STEP_QUIET:
    case KERF_STEP_EQUAL:
        kerf_books_add(&b->equal[*gap][0], cost);
        s->out->part[KERF_PART_EQUAL] += cost;
        *gap += *gap < 15;
        break;
    case KERF_STEP_DIFFERENT:
        residue = s->coding.e.run.k.rc.cost - s->coding.e.run.k.rc.mark;
        kerf_books_add(&b->equal[*gap][1], cost - residue);
        kerf_books_add(&b->residue, residue);
        s->out->part[KERF_PART_RESIDUES] += cost;
        *gap = 0;
        break;
    case KERF_STEP_REF:
    case KERF_STEP_REF_WRONG:
        s->out->part[KERF_PART_REFS] += cost;
        s->out->refs++;
        s->out->refs_wrong += what == KERF_STEP_REF_WRONG;
        if (ref->kind != KERF_REF_LOW) {
            bool right = what == KERF_STEP_REF;

            kerf_books_add(ram ? (right ? &b->ram_right : &b->ram_wrong) : right ? &b->ref_right : &b->ref_wrong, cost);
        }
        break;
    }
}

static void trace_copy(const struct session *s, const struct kerf_segment *segment, size_t len, enum kerf_step what,
                       const struct kerf_ref *ref, kerf_cost cost)
{
    const struct kerf_codec *c = s->coding.e.run.c;

    if (s->w->trace == NULL) {
        return;
    }
    bool is_ref = what == KERF_STEP_REF || what == KERF_STEP_REF_WRONG;

    trace(s, (struct kerf_trace_step){.part = is_ref                        ? KERF_PART_REFS
                                              : what == KERF_STEP_DIFFERENT ? KERF_PART_RESIDUES
                                                                            : KERF_PART_EQUAL,
                                      .new_pos = c->new_pos - (kerf_pos)len,
                                      .len = (kerf_pos)len,
                                      .segment = segment,
                                      .src_pos = c->src_pos - (kerf_pos)len,
                                      .what = what,
                                      .ref = is_ref ? ref : NULL,
                                      .cost = cost});
}

/* What the next bytes would cost as literals; not of quiet stretches, where nothing competes with the copy. */
static kerf_err measure(struct session *s, kerf_pos end)
{
    const struct kerf_codec *c = s->coding.e.run.c;
    kerf_err err = KERF_OK;

    for (kerf_pos i = 0; err == KERF_OK && kerf_codec_quiet(c) == 0 && i < end - c->new_pos; i++) {
        if (i > 0 && !kerf_side_inside(&s->w->new_side, c->new_pos + i)) {
            break;
        }
        uint64_t cost;

        err = kerf_encode_peek(&s->coding.e, i, &cost);
        s->literal_cost[c->new_pos + i] = kerf_literal_pack(cost);
    }
    return err;
}

/* Notes what a segment cost; `old_end`: where the one from old before it ended. */
static void note_segment(struct session *s, const struct kerf_segment *segment, kerf_cost cost, kerf_pos old_end)
{
    struct kerf_books *b = &s->books;
    unsigned place = kerf_work_place(s->w, (size_t)segment->new_pos);
    unsigned jump = s->coding.e.run.c->jump;
    unsigned len = kerf_books_bits(segment->len);
    bool is_far = jump == KERF_JUMP_FAR;

    b->numbers[segment->from_new][!is_far] += s->coding.e.run.k.rc.mark;
    kerf_cost rest = cost > s->coding.e.run.k.rc.mark ? cost - s->coding.e.run.k.rc.mark : 0; /* without numbers */

    if (!segment->from_new) {
        kerf_books_add(&b->jump[jump], rest);
        b->old_len.count[len]++;
        if (jump == KERF_JUMP_FAR) {
            b->old_distance.count[kerf_jump_bits((int64_t)(kerf_shift)(segment->src_pos - old_end))]++;
            kerf_books_add(&b->far, cost);
        }
    } else if (jump == KERF_JUMP_FAR) {
        kerf_books_add(&b->place[KERF_BOOKS_PLACE_FAR][s->coding.e.run.c->between], rest);
        b->new_len.count[place][kerf_price_symbol(segment->len)]++;
        unsigned is_long = segment->len >= 4;
        kerf_pos distance = segment->new_pos - segment->src_pos;

        b->new_distance[is_long].count[kerf_books_bits(distance)]++;
        b->new_low[is_long][place][distance & 3] += distance >= 4;
    } else {
        kerf_books_add(
            &b->place[jump == 0 ? KERF_BOOKS_PLACE_AGAIN : KERF_BOOKS_PLACE_OLDER][s->coding.e.run.c->between], rest);
        b->new_len_again.count[place][kerf_price_symbol(segment->len)]++;
    }
}

static kerf_err encode_segment(struct session *s, const struct kerf_segment *segment)
{
    kerf_cost before = s->coding.e.run.k.rc.cost;
    kerf_pos old_end = s->coding.e.run.c->old_end;
    kerf_err err = kerf_encode_segment(&s->coding.e, segment);

    s->out->part[KERF_PART_SEGMENTS] += s->coding.e.run.k.rc.cost - before;
    trace(s, (struct kerf_trace_step){.part = KERF_PART_SEGMENTS,
                                      .new_pos = segment->new_pos,
                                      .segment = segment,
                                      .src_pos = segment->src_pos,
                                      .cost = s->coding.e.run.k.rc.cost - before});

    note_segment(s, segment, s->coding.e.run.k.rc.cost - before, old_end);

    unsigned gap = 8;
    kerf_pos end = segment->new_pos + segment->len;

    while (err == KERF_OK && s->coding.e.run.c->new_pos < end) {
        struct kerf_ref ref = {0};
        enum kerf_step what = KERF_STEP_QUIET;
        size_t len = kerf_encode_quiet(&s->coding.e);

        if (s->literal_cost != NULL && len == 0) {
            err = measure(s, end);
            if (err != KERF_OK) {
                break;
            }
        }
        before = s->coding.e.run.k.rc.cost;
        if (len > 0) {
            note_quiet(s, len, &gap);
        } else {
            err = kerf_encode_copy(&s->coding.e, &len, &what, &ref);
            if (!segment->from_new) {
                note_copy(s, what, &ref, &gap, s->coding.e.run.k.rc.cost - before);
            }
        }
        trace_copy(s, segment, len, what, &ref, s->coding.e.run.k.rc.cost - before);
        note_sector(s);
        if (err == KERF_OK && s->coding.e.run.c->new_pos >= s->next_stop && !pass_marks(s)) {
            err = KERF_END;
        }
    }
    return err;
}

/* From new_pos up to `end`; *next: the first segment that was not coded yet. */
static kerf_err encode_stretch(struct session *s, const struct kerf_segments *segments, kerf_pos end, size_t *next)
{
    kerf_pos start = s->coding.e.run.c->new_pos;
    kerf_err err = KERF_OK;

    while (err == KERF_OK && *next < segments->count && segments->list[*next].new_pos - start < end - start) {
        const struct kerf_segment *segment = &segments->list[(*next)++];

        err = encode_literals(s, segment->new_pos - s->coding.e.run.c->new_pos);
        if (err == KERF_OK) {
            err = encode_segment(s, segment);
        }
    }
    if (err == KERF_OK && (s->coding.e.run.c->new_pos < end || end == 0)) {
        err = encode_literals(s, end - s->coding.e.run.c->new_pos);
    }
    return err;
}

/* What is kept of old before the sector at `rank` is produced; *next: the first that was not coded yet. */
static kerf_err encode_keeps(struct session *s, size_t rank, size_t *next)
{
    const struct kerf_order *o = s->w->order;
    kerf_err err = KERF_OK;

    for (; err == KERF_OK && *next < o->keep_count && o->keeps[*next].rank == rank; ++*next) {
        const struct kerf_keep *keep = &o->keeps[*next];
        size_t size = (size_t)1 << o->sector_log2;
        size_t start = keep->sector << o->sector_log2;
        uint8_t *bytes = malloc(size);
        size_t at = 0;

        err = bytes == NULL ? KERF_ERR_RAM : kerf_encode_run(&s->coding.e, (uint32_t)keep->sector, 0);
        for (size_t i = keep->first; err == KERF_OK && i < keep->first + keep->count; i++) {
            const struct kerf_move *m = &o->moves[i];

            err = kerf_encode_keep(&s->coding.e, false, 0, m->pos - start - at, bytes + at);
            at = m->pos - start;
            if (err == KERF_OK) {
                err = kerf_encode_keep(&s->coding.e, true, m->old_pos, m->len, bytes + at);
            }
            at += m->len;
        }
        if (err == KERF_OK && at < size) {
            err = kerf_encode_keep(&s->coding.e, false, 0, size - at, bytes + at);
        }
        if (err == KERF_OK) {
            kerf_slot_keep(&s->slot, bytes, keep->sector);
        }
        free(bytes);
    }
    return err;
}

/* Run by run; `pieces` are in that order, and the slot changes as they are coded. */
static kerf_err encode_runs(struct session *s, const struct kerf_segments *pieces)
{
    const struct kerf_order *o = s->w->order;
    struct kerf_run_of_sectors run;
    size_t next = 0;
    size_t next_keep = 0;
    kerf_err err = KERF_OK;

    for (size_t rank = 0; err == KERF_OK && rank < o->count; rank += run.len) {
        kerf_cost before = s->coding.e.run.k.rc.cost;

        run = kerf_order_run(o, rank);
        s->sector = o->sector[rank];
        err = encode_keeps(s, rank, &next_keep);
        if (err != KERF_OK) {
            break;
        }
        err = kerf_encode_run(&s->coding.e, (uint32_t)s->sector, (uint32_t)run.len);
        s->out->part[KERF_PART_SEGMENTS] += s->coding.e.run.k.rc.cost - before;
        trace(s, (struct kerf_trace_step){
                     .part = KERF_PART_SEGMENTS, .new_pos = run.start, .cost = s->coding.e.run.k.rc.cost - before});
        if (err == KERF_OK) {
            err = encode_stretch(s, pieces, run.end, &next);
        }
    }
    return err;
}

static kerf_err encode_in_place(struct session *s, const struct kerf_header *header,
                                const struct kerf_segments *segments)
{
    struct kerf_segments pieces = {0};
    kerf_err err = kerf_slot_open(&s->slot, s->w->old_side.bytes, s->w->old_side.len, header);

    if (err == KERF_OK) {
        err = kerf_order_cut(s->w->order, segments, &pieces);
    }
    if (err == KERF_OK) {
        s->coding.sources.old_bytes = s->slot.bytes;
        err = encode_runs(s, &pieces);
    }
    kerf_slot_close(&s->slot);
    free(pieces.list);
    return err;
}

/* KERF_END: the race is lost. */
static kerf_err encode_all(struct session *s, const struct kerf_header *header, const struct kerf_segments *segments,
                           const struct kerf_map *map)
{
    kerf_err err = KERF_OK;
    size_t next = 0;

    for (size_t i = 0; err == KERF_OK && i < map->count; i++) {
        err = kerf_encode_map(&s->coding.e, &map->list[i]);
    }
    s->out->part[KERF_PART_MAP] = s->coding.e.run.k.rc.cost;
    if (err == KERF_OK && s->w->order != NULL && s->w->order->count > 0) {
        return encode_in_place(s, header, segments);
    }
    /* Of an empty image nothing is coded: its decoder is done before the first step. */
    return err == KERF_OK && s->w->new_side.len > 0 ? encode_stretch(s, segments, s->w->new_side.len, &next) : err;
}

static kerf_err run(struct session *s, struct kerf_header *header, const struct kerf_segments *segments,
                    const struct kerf_map *map, struct kerf_bytes *payload)
{
    const struct kerf_work *w = s->w;
    struct kerf_encoding *encoding = s->out;
    memset(encoding, 0, sizeof *encoding);
    s->next_mark = w->new_side.len / KERF_MARKS;
    kerf_err err = kerf_coding_open(&s->coding, w, header, map->count);

    if (err == KERF_OK) {
        s->beside = payload != NULL && w->beside != NULL &&
                    kerf_beside_start(w->beside, w, header, s->coding.head, payload);
        kerf_coding_begin(&s->coding, w, header,
                          s->beside         ? kerf_beside_emit
                          : payload != NULL ? kerf_bytes_emit
                                            : NULL,
                          s->beside ? (void *)w->beside : payload);
        err = encode_all(s, header, segments, map);
    }
    if (err == KERF_OK && payload != NULL) {
        kerf_rc_encode_end(&s->coding.e.run.k.rc);
        err = payload->failed ? KERF_ERR_RAM : KERF_OK;
    }
    if (s->beside) {
        kerf_beside_end(w->beside, err == KERF_OK);
    }
    encoding->total = err == KERF_END ? UINT64_MAX : s->coding.e.run.k.rc.cost;
    kerf_books_close(&s->books, &encoding->prices);
    kerf_books_lean(&encoding->prices, w->old_side.len > 0 && encoding->total <= w->new_side.len * 8 * KERF_BIT / 2);
    if (s->literal_cost != NULL) {
        /* Below 1024: what is copied now the models have not learned; as literals it would cost less. */
        encoding->prices.literal_scale = w->old_side.len > 0 ? 875 : 970;
    }
    kerf_coding_close(&s->coding);
    return err == KERF_END ? KERF_OK : err;
}

kerf_err kerf_encode_plan(const struct kerf_work *w, struct kerf_header *header, const struct kerf_segments *segments,
                          const struct kerf_map *map, struct kerf_bytes *payload, struct kerf_encoding *encoding)
{
    struct session s = {.w = w, .out = encoding};

    return run(&s, header, segments, map, payload);
}

kerf_err kerf_encode_race(const struct kerf_work *w, struct kerf_header *header, const struct kerf_segments *segments,
                          const struct kerf_map *map, const struct kerf_encoding *rival, unsigned margin,
                          struct kerf_bytes *payload, struct kerf_encoding *encoding)
{
    struct session s = {.w = w, .out = encoding, .rival = rival, .margin = margin};

    return run(&s, header, segments, map, payload);
}

kerf_err kerf_encode_measure(struct kerf_work *w, struct kerf_header *header, const struct kerf_segments *segments,
                             const struct kerf_map *map, struct kerf_bytes *payload, struct kerf_encoding *encoding)
{
    struct session s = {.w = w, .out = encoding, .literal_cost = w->literal_cost};

    return run(&s, header, segments, map, payload);
}
