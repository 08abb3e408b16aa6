/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an existing delta's payload is made of: its map and segments are read off the decoder's state step by step, then
 * the encoder codes them once more and keeps the books. That its payload is the same, byte for byte, proves the count.
 */
#include <string.h>

#include "common/host/hash.h"
#include "common/run.h"
#include "diffgen/kerf_diff.h"
#include "diffgen/work.h"

struct recount {
    struct kerf_header header;
    struct kerf_work work;
    struct kerf_codec *codec;
    struct kerf_order_of_learned learned;
    uint8_t *payload, *new_image; /* new_image: KERF_PAD bytes longer than new */
    struct kerf_segments segments;
    struct kerf_map map;
    /* In place: the order of sectors, as far as it is known; what the slot holds; the sector that is being made to hold old. */
    struct kerf_order order;
    size_t made;
    struct kerf_slot slot;
    uint8_t *kept;
};

static kerf_err prepare_slot(struct recount *n)
{
    kerf_err err = kerf_order_open(&n->order, &n->header);

    n->work.order = &n->order;
    n->order.sectors = kerf_header_sectors(&n->header);
    n->kept = calloc(1, (size_t)1 << n->header.sector_log2);
    for (size_t i = 0; err == KERF_OK && i < n->order.count; i++) {
        n->order.rank[i] = SIZE_MAX; /* not produced */
    }
    if (err == KERF_OK) {
        err = kerf_slot_open(&n->slot, n->work.old_side.bytes, n->work.old_side.len, &n->header);
    }
    return n->kept == NULL ? KERF_ERR_RAM : err;
}

static kerf_err prepare(struct recount *n, const uint8_t *old_image, size_t old_len, const uint8_t *delta,
                        size_t delta_len)
{
    kerf_err err = kerf_header_parse(delta, delta_len, &n->header);
    struct kerf_image *image = &n->work.image;

    if (err != KERF_OK) {
        return err;
    }
    if (((uint64_t)kerf_header_sectors(&n->header) << n->header.sector_log2) > KERF_DIFF_IMAGE_MAX ||
        n->header.payload_size > delta_len || n->header.new_size > KERF_DIFF_IMAGE_MAX ||
        n->header.old_size != old_len) {
        return KERF_ERR_FORMAT;
    }
    uint8_t *old_copy = malloc(old_len + KERF_PAD);

    n->work.old_side.bytes = old_copy;
    n->payload = malloc((size_t)n->header.payload_size + 1);
    n->new_image = calloc(1, (size_t)n->header.new_size + KERF_PAD);
    n->codec = malloc(kerf_codec_workspace(&n->header));
    if (old_copy == NULL || n->payload == NULL || n->new_image == NULL || n->codec == NULL) {
        return KERF_ERR_RAM;
    }
    memset(old_copy + old_len, 0, KERF_PAD);
    if (old_len > 0) {
        memcpy(old_copy, old_image, old_len);
    }
    n->work.old_side.len = old_len;
    n->work.new_side.bytes = n->new_image;
    n->work.new_side.len = (size_t)n->header.new_size;
    image->region_count = n->header.region_count;
    image->range_count = n->header.range_count;
    err = kerf_header_tables(delta, &n->header, image->regions, image->ranges);
    if (err == KERF_OK && (n->header.flags & KERF_FLAG_IN_PLACE) != 0) {
        err = prepare_slot(n);
    }
    return err == KERF_OK ? kerf_codec_init(n->codec, delta, &n->header) : err;
}

/* --- In place --- */

/* Is the sector of the slot that holds `new_pos` one to come, and no other than new's? */
static bool is_to_come(const struct recount *n, size_t new_pos)
{
    size_t sector = new_pos >> n->order.sector_log2;

    return sector < n->order.count && n->order.rank[sector] == SIZE_MAX;
}

/* A sector begins that is to hold old. */
static kerf_err begin_keep(struct recount *n, size_t sector)
{
    struct kerf_order *o = &n->order;
    struct kerf_keep *keeps = realloc(o->keeps, (o->keep_count + 1) * sizeof *keeps);

    if (keeps == NULL) {
        return KERF_ERR_RAM;
    }
    o->keeps = keeps;
    o->keeps[o->keep_count++] = (struct kerf_keep){n->made, sector, o->move_count, 0};
    return KERF_OK;
}

/* A move is complete: the decoder has it in its table. */
static kerf_err add_move(struct recount *n)
{
    struct kerf_order *o = &n->order;
    struct kerf_move *moves = realloc(o->moves, (o->move_count + 1) * sizeof *moves);
    struct kerf_run run = {0};

    if (moves == NULL) {
        return KERF_ERR_RAM;
    }
    run.c = n->codec;
    run.h = &n->header;
    (void)kerf_run_open(&run);
    const struct kerf_move_entry *m = &run.t.moves[o->move_count];

    o->moves = moves;
    o->moves[o->move_count++] = (struct kerf_move){m->old_pos, m->len, m->pos};
    o->keeps[o->keep_count - 1].count++;
    return KERF_OK;
}

/* What a step of the decoder made of a sector: it comes into the slot once it is complete. `begins`: a run of sectors, or a keep. */
static kerf_err take_sector(struct recount *n, bool begins, const uint8_t *out, size_t len, bool complete)
{
    const struct kerf_codec *c = n->codec;
    struct kerf_order *o = &n->order;
    size_t pos = (size_t)c->new_pos - len;
    size_t sector = ((size_t)c->new_pos - 1) >> o->sector_log2;
    kerf_err err = KERF_OK;

    if (c->keeping != 0) {
        if (begins) {
            err = begin_keep(n, sector);
        }
        memcpy(n->kept + (pos - (sector << o->sector_log2)), out, len);
        if (err == KERF_OK && c->moves_len > o->move_count) {
            err = add_move(n);
        }
        if (err == KERF_OK && complete) {
            kerf_slot_keep(&n->slot, n->kept, sector);
        }
    } else if (!is_to_come(n, pos)) {
        err = KERF_ERR_CORRUPT;
    } else {
        memcpy(n->new_image + pos, out, len);
        if (complete) {
            kerf_slot_sector(&n->slot, n->new_image, sector);
            o->rank[sector] = n->made;
            o->sector[n->made++] = sector;
        }
    }
    return err;
}

static int by_new_pos(const void *a, const void *b)
{
    const struct kerf_segment *x = a;
    const struct kerf_segment *y = b;

    return (x->new_pos > y->new_pos) - (x->new_pos < y->new_pos);
}

/* The plan as the encoder takes it: by position, with an order that says what is left of old when. */
static kerf_err finish_order(struct recount *n)
{
    if (n->segments.count > 0) {
        qsort(n->segments.list, n->segments.count, sizeof *n->segments.list, by_new_pos);
    }
    if (n->made < n->order.count || n->order.keep_count < n->header.kept) {
        return KERF_ERR_CORRUPT;
    }
    return n->order.keep_count > 0 ? kerf_order_gone(&n->order) : KERF_OK;
}

/* --- All payloads --- */

/* Decodes step by step, and notes each segment as it begins. */
static kerf_err decode(struct recount *n)
{
    struct kerf_sources sources = {n->work.order != NULL ? n->slot.bytes : n->work.old_side.bytes, n->new_image};
    struct kerf_codec_io io = kerf_sources_io(&sources);
    struct kerf_codec *c = n->codec;
    size_t in_pos = 0;
    size_t in_len = (size_t)n->header.payload_size;
    kerf_err err = KERF_OK;

    io.order = &n->learned;
    while (err == KERF_OK) {
        const struct kerf_codec before = *c;
        uint8_t out[KERF_STEP_OUT];
        size_t len = 0;

        err = kerf_codec_step(c, &n->header, &io, n->payload, in_len, true, &in_pos, out, sizeof out, &len);
        if (err < KERF_OK || len == 0) {
            break;
        }
        kerf_err taken = KERF_OK;
        if (n->work.order != NULL) {
            taken = take_sector(n, before.left == 0 && before.new_pos == before.new_end, out, len, err != KERF_OK);
            err = err == KERF_SECTOR ? KERF_OK : err;
        } else {
            memcpy(n->new_image + before.new_pos, out, len);
        }
        if (before.left == 0 && c->copying && !c->keeping) {
            const struct kerf_segment segment = {c->new_pos - len, c->src_pos - len, c->left + len, c->from_new != 0};

            taken = taken != KERF_OK ? taken : kerf_segments_add(&n->segments, &segment);
        }
        err = taken != KERF_OK ? taken : err;
    }
    if (err == KERF_END && n->work.order != NULL) {
        const kerf_err finished = finish_order(n);

        err = finished != KERF_OK ? finished : err;
    }
    return err == KERF_END ? KERF_OK : err < KERF_OK ? err : KERF_ERR_CORRUPT;
}

static kerf_err check_new(const struct recount *n)
{
    struct kerf_sha256_digest digest;
    kerf_err err = kerf_hash_bytes(n->new_image, (size_t)n->header.new_size, &digest);

    return err == KERF_OK && memcmp(digest.b, n->header.new_digest.b, KERF_DIGEST_LEN) != 0 ? KERF_ERR_TARGET : err;
}

static kerf_err read_map(struct recount *n)
{
    struct kerf_run run = {0};
    size_t count = n->header.model.map_cap;

    n->map.list = malloc((count + 1) * sizeof *n->map.list);
    if (n->map.list == NULL) {
        return KERF_ERR_RAM;
    }
    n->map.count = count;
    run.c = n->codec;
    run.h = &n->header;
    (void)kerf_run_open(&run);
    for (unsigned i = 0; i < count; i++) {
        kerf_run_pair_get(&run, run.t.map, i, &n->map.list[i].start, &n->map.list[i].shift);
    }
    return KERF_OK;
}

static kerf_err encode(struct recount *n, struct kerf_diff_report *report)
{
    struct kerf_bytes payload = {0};
    struct kerf_encoding encoding;
    struct kerf_header header = n->header;
    kerf_err err = kerf_encode_plan(&n->work, &header, &n->segments, &n->map, &payload, &encoding);

    if (err != KERF_OK && err != KERF_ERR_RAM) {
        err = KERF_ERR_STATE; /* what the encoder does not do, where old is kept */
    }
    if (err == KERF_OK && (payload.len != n->header.payload_size ||
                           (payload.len > 0 && memcmp(payload.data, n->payload, payload.len) != 0))) {
        err = KERF_ERR_STATE;
    }
    if (err == KERF_OK) {
        memcpy(report->part_cost, encoding.part, sizeof report->part_cost);
        report->segments = n->segments.count;
        report->literals = encoding.literals;
        report->refs = encoding.refs;
        report->refs_wrong = encoding.refs_wrong;
    }
    free(payload.data);
    return err;
}

kerf_err kerf_diff_recount(const uint8_t *old_image, size_t old_len, const uint8_t *delta, size_t delta_len,
                           const struct kerf_trace *trace, struct kerf_diff_report *report)
{
    struct recount n = {.work = {.trace = trace}};
    kerf_err err = prepare(&n, old_image, old_len, delta, delta_len);

    if (err == KERF_OK) {
        err = kerf_unpack(&n.header, delta, delta_len, n.payload);
    }
    if (err == KERF_OK) {
        err = decode(&n);
    }
    if (err == KERF_OK) {
        err = check_new(&n);
    }
    if (err == KERF_OK) {
        err = read_map(&n);
    }
    if (err == KERF_OK) {
        err = encode(&n, report);
    }
    free((void *)(uintptr_t)n.work.old_side.bytes);
    free(n.payload);
    free(n.new_image);
    free(n.codec);
    free(n.kept);
    kerf_slot_close(&n.slot);
    kerf_order_close(&n.order);
    free(n.segments.list);
    free(n.map.list);
    return err;
}
