/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an existing delta's payload is made of: its map and segments are read off the decoder's state step by step, then the
 * encoder codes them once more and keeps the books. That its payload is the same, byte for byte, proves the count.
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
    uint8_t *payload, *new_image; /* new_image: KERF_PAD bytes longer than new */
    struct kerf_segments segments;
    struct kerf_map map;
};

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct recount *n = ctx;

    memcpy(buf, n->work.old_side.bytes + pos, len);
    return KERF_OK;
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct recount *n = ctx;

    memcpy(buf, n->new_image + pos, len);
    return KERF_OK;
}

static kerf_err prepare(struct recount *n, const uint8_t *old_image, size_t old_len, const uint8_t *delta,
                        size_t delta_len)
{
    kerf_err err = kerf_header_parse(delta, delta_len, &n->header);
    struct kerf_image *image = &n->work.image;

    if (err != KERF_OK) {
        return err;
    }
    if (n->header.payload_size > delta_len || n->header.new_size > KERF_DIFF_IMAGE_MAX ||
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
    return err == KERF_OK ? kerf_codec_init(n->codec, delta, &n->header) : err;
}

/* Decodes step by step, and notes each segment as it begins. */
static kerf_err decode(struct recount *n)
{
    const struct kerf_codec_io io = {n, read_old, read_new};
    struct kerf_codec *c = n->codec;
    size_t in_pos = 0;
    size_t in_len = (size_t)n->header.payload_size;
    kerf_err err = KERF_OK;

    while (err == KERF_OK) {
        const struct kerf_codec before = *c;
        uint8_t out[KERF_STEP_OUT];
        size_t len = 0;

        err = kerf_codec_step(c, &n->header, &io, n->payload, in_len, true, &in_pos, out, sizeof out, &len);
        if (err < KERF_OK || len == 0) {
            break;
        }
        memcpy(n->new_image + before.new_pos, out, len);
        if (before.left > 0) {
            continue;
        }
        if (c->copying) {
            const struct kerf_segment segment = {before.new_pos, c->src_pos - len, c->left + len, c->from_new != 0};
            kerf_err added = kerf_segments_add(&n->segments, &segment);

            err = added != KERF_OK ? added : err;
        }
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
    kerf_run_open(&run);
    for (unsigned i = 0; i < count; i++) {
        kerf_run_pair_get(&run, run.map, i, &n->map.list[i].start, &n->map.list[i].shift);
    }
    return KERF_OK;
}

static kerf_err encode(struct recount *n, struct kerf_diff_report *report)
{
    struct kerf_bytes payload = {0};
    struct kerf_encoding encoding;
    struct kerf_header header = n->header;
    kerf_err err = kerf_encode_plan(&n->work, &header, &n->segments, &n->map, &payload, &encoding);

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
    free(n.segments.list);
    free(n.map.list);
    return err;
}
