/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the stages: images, references, matches, plan, encoding, container, self-check. */
#include "diffgen/diffgen.h"

#include <stdio.h>
#include <string.h>

#include "common/host/hash.h"
#include "diffgen/beside.h"
#include "diffgen/lz.h"
#include "diffgen/tasks.h"

static void tell(const struct kerf_work *w, const char *stage, uint64_t done, uint64_t total)
{
    if (w->options->progress != NULL) {
        w->options->progress(w->options->progress_ctx, stage, done, total);
    }
}

/* The image with zeros behind it. */
static kerf_err side_open(struct kerf_side *side, const uint8_t *bytes, size_t len, bool padded)
{
    side->bytes = bytes;
    side->len = len;
    if (padded && bytes != NULL) {
        return KERF_OK;
    }
    side->copy = malloc(len + KERF_PAD);
    if (side->copy == NULL) {
        return KERF_ERR_RAM;
    }
    if (bytes != NULL && len > 0) {
        memcpy(side->copy, bytes, len);
    }
    memset(side->copy + len, 0, KERF_PAD);
    side->bytes = side->copy;
    return KERF_OK;
}

static void side_close(struct kerf_side *side)
{
    kerf_scan_free(side);
    free(side->nothing_of_all);
    free(side->mask_of_all);
    free(side->copy);
    side->copy = NULL;
    side->bytes = NULL;
}

#define HASH_BESIDE (256u << 10) /* bytes of both images: to start a thread takes longer for fewer */

/* The digests of both images, which nobody needs before the delta is put together. */
struct hashing {
    struct kerf_task task;
    const struct kerf_work *w;
    struct kerf_diff_report *report;
    kerf_err err;
};

static void hash_images(void *ctx)
{
    struct hashing *h = ctx;
    const struct kerf_work *w = h->w;

    h->err = kerf_hash_bytes(w->old_side.bytes, w->old_side.len, &h->report->old_digest);
    if (h->err == KERF_OK) {
        h->err = kerf_hash_bytes(w->new_side.bytes, w->new_side.len, &h->report->new_digest);
    }
}

static uint8_t wide_flag(const struct kerf_work *w)
{
    bool wide = w->options->wide || w->old_side.len > UINT32_MAX || w->new_side.len > UINT32_MAX;

    return wide ? KERF_FLAG_WIDE : 0;
}

static kerf_err fill_header(const struct kerf_work *w, uint64_t ram, struct kerf_header *header)
{
    memset(header, 0, sizeof *header);
    header->codec = KERF_CODEC_NATIVE;
    header->old_size = w->old_side.len;
    header->new_size = w->new_side.len;
    header->flags = (uint8_t)(wide_flag(w) | (w->options->no_new ? 0 : KERF_FLAG_READS_NEW));
    if (w->options->in_place) {
        header->flags |= KERF_FLAG_IN_PLACE;
        header->scratch = w->options->scratch;
        header->group = w->options->group > 0 ? w->options->group : w->options->scratch;
        while (w->options->sector >> header->sector_log2 > 1) {
            header->sector_log2++;
        }
    }
    header->region_count = (uint8_t)w->image.region_count;
    header->range_count = (uint8_t)w->image.range_count;
    return kerf_params_choose(ram, 0, header);
}

static kerf_err fill_digests(struct hashing *hashing, struct kerf_header *header)
{
    kerf_task_wait(&hashing->task);
    if (hashing->w->old_side.len > 0) {
        memcpy(header->old_digest.b, hashing->report->old_digest.b, KERF_DIGEST_LEN);
    }
    memcpy(header->new_digest.b, hashing->report->new_digest.b, KERF_DIGEST_LEN);
    return hashing->err;
}

/* Nothing was found that saves bytes: the new image as it is, in the largest chunks that fit. */
static kerf_err make_stored(struct kerf_work *w, uint64_t ram, struct kerf_header *header, uint8_t **delta,
                            size_t *delta_len, struct kerf_diff_report *report)
{
    uint64_t room = ram < KERF_CHUNK_MAX ? ram : KERF_CHUNK_MAX;

    header->codec = KERF_CODEC_STORED;
    header->flags &= (uint8_t)~KERF_FLAG_READS_NEW;
    memset(&header->model, 0, sizeof header->model);
    header->region_count = 0;
    header->range_count = 0;
    do {
        header->chunk_size = kerf_chunk_size_floor((uint32_t)room--);
    } while (kerf_header_workspace(header) > ram);
    report->part_cost[KERF_PART_LITERALS] = w->new_side.len * 8 * KERF_BIT;
    report->literals = w->new_side.len;
    kerf_err err = kerf_pack(header, &w->image, w->new_side.bytes, w->new_side.len, delta, delta_len);

    if (err == KERF_OK) {
        report->chain_len = *delta_len - w->new_side.len - header->header_len;
    }
    return err;
}

#define STORED_MARGIN 100u /* a native payload that saves less than one byte in so many takes its time for nothing */

/* A native payload, or where that hardly saves anything the image as it is. */
static kerf_err pack_shorter(struct kerf_work *w, uint64_t ram, struct kerf_header *header,
                             const struct kerf_bytes *payload, uint8_t **delta, size_t *delta_len,
                             struct kerf_diff_report *report, bool *stored)
{
    struct kerf_header other = *header;
    uint8_t *image = NULL;
    size_t image_len = 0;
    size_t little = w->new_side.len / STORED_MARGIN;

    if (payload->data == NULL && w->new_side.len > 0) { /* nobody thought that it would save anything */
        *stored = true;
        return make_stored(w, ram, header, delta, delta_len, report);
    }
    kerf_err err = kerf_pack(header, &w->image, payload->data, payload->len, delta, delta_len);

    if (err == KERF_OK && *delta_len > w->new_side.len - little && w->options->codec < 0 && !w->options->in_place) {
        err = make_stored(w, ram, &other, &image, &image_len, report);
        *stored = err == KERF_OK && image_len <= *delta_len + 2 * little; /* digests that long chunks do without */
    }
    if (*stored) {
        free(*delta);
        *delta = image;
        *delta_len = image_len;
        *header = other;
    } else {
        free(image);
    }
    return err;
}

/* Forgets the smallest region; with the last one the ranges, too, which nothing looks for then. */
static void drop_region(struct kerf_image *image)
{
    unsigned least = 0;

    for (unsigned i = 1; i < image->region_count; i++) {
        if (image->regions[i].old_len < image->regions[least].old_len) {
            least = i;
        }
    }
    image->region_count--;
    for (unsigned i = least; i < image->region_count; i++) {
        image->regions[i] = image->regions[i + 1];
    }
    if (image->region_count == 0) {
        image->range_count = 0;
    }
}

/* The delta is to prove itself: was that done beside its coding? Else now. */
static kerf_err check(struct kerf_work *w, const struct kerf_bytes *payload, const uint8_t *delta, size_t delta_len,
                      struct kerf_diff_report *report)
{
    kerf_err err = KERF_OK;
    bool done = false;

    tell(w, "self-check", 0, 1);
    if (payload != NULL && w->beside != NULL) {
        err = kerf_beside_finish(w->beside, payload, report, delta, delta_len, &done);
    }
    if (!done) {
        err = w->options->in_place ? kerf_selfcheck_in_place(w->old_side.bytes, w->old_side.len, w->new_side.bytes,
                                                             w->new_side.len, delta, delta_len, &report->erases)
                                   : kerf_selfcheck(w->old_side.bytes, w->old_side.len, w->new_side.bytes,
                                                    w->new_side.len, delta, delta_len);
    }
    return err == KERF_OK || err == KERF_ERR_RAM ? err : KERF_ERR_STATE;
}

static kerf_err make_native(struct kerf_work *w, uint64_t ram, struct hashing *hashing, struct kerf_header *header,
                            uint8_t **delta, size_t *delta_len, struct kerf_diff_report *report)
{
    struct kerf_plan plan = {0};
    struct kerf_order order = {0};
    kerf_err err = fill_header(w, ram, header);

    while (err == KERF_ERR_RAM && w->image.region_count > 0) {
        /* Too many regions for so little RAM: the smallest goes. */
        drop_region(&w->image);
        err = fill_header(w, ram, header);
    }
    if (err == KERF_OK && w->options->in_place) {
        err = kerf_order_open(&order, header);
        w->order = &order;
    }
    if (err == KERF_OK) {
        err = kerf_strategy_run(w, ram, header, &plan, &report->memory_needed);
    }
    if (err == KERF_OK) {
        err = fill_digests(hashing, header);
    }
    bool stored = false;

    if (err == KERF_OK) {
        err = pack_shorter(w, ram, header, &plan.payload, delta, delta_len, report, &stored);
    }
    if (err == KERF_OK && !stored) {
        memcpy(report->part_cost, plan.encoding.part, sizeof report->part_cost);
        report->segments = plan.segments.count;
        report->literals = plan.encoding.literals;
        report->served = *delta_len > w->new_side.len / KERF_DIFF_SMALL
                             ? kerf_params_served(&w->new_side, &plan.segments)
                             : 0;
        report->refs = plan.encoding.refs;
        report->refs_wrong = plan.encoding.refs_wrong;
        report->chain_len = *delta_len - plan.payload.len - header->header_len;
    }
    if (err == KERF_OK) {
        err = check(w, stored ? NULL : &plan.payload, *delta, *delta_len, report);
    }
    kerf_beside_close(w->beside); /* it reads the payload, also one that is not taken */
    w->beside = NULL;
    kerf_plan_free(&plan);
    kerf_order_close(&order);
    w->order = NULL;
    return err;
}

/* A full payload as an .xz stream. */
static kerf_err make_lzma2(struct kerf_work *w, uint64_t ram, struct hashing *hashing, struct kerf_header *header,
                           uint8_t **delta, size_t *delta_len, struct kerf_diff_report *report)
{
    struct kerf_bytes payload = {0};
    kerf_err err = fill_header(w, ram, header);
    uint64_t most = ram - (uint64_t)(kerf_header_workspace(header) - kerf_codec_workspace(header) - header->chunk_size);

    header->codec = KERF_CODEC_LZMA2;
    header->flags = wide_flag(w);
    header->chunk_size = kerf_chunk_size_floor((uint32_t)(most < KERF_CHUNK_MAX ? most : KERF_CHUNK_MAX));
    memset(&header->model, 0, sizeof header->model);
    if (err == KERF_OK) {
        tell(w, "packing", 0, 1);
        err = kerf_lzma2_encode(w->new_side.bytes, w->new_side.len, w->options->level, &payload);
    }
    if (err == KERF_OK) {
        err = fill_digests(hashing, header);
    }
    if (err == KERF_OK) {
        err = kerf_pack(header, &w->image, payload.data, payload.len, delta, delta_len);
        report->chain_len = *delta_len - payload.len - header->header_len;
    }
    if (err == KERF_OK) {
        err = check(w, NULL, *delta, *delta_len, report);
    }
    free(payload.data);
    return err;
}

static void work_close(struct kerf_work *w)
{
    kerf_beside_close(w->beside);
    side_close(&w->old_side);
    side_close(&w->new_side);
    kerf_match_free(w);
    free(w->literal_cost);
    kerf_lz_forget(w->copies);
    free(w->places);
}

static kerf_err check_options(const struct kerf_diff_options *options, size_t old_len, size_t new_len)
{
    if (options->level < 0 || options->level > 9 || options->codec < -1 || options->codec > KERF_CODEC_LZMA2) {
        return KERF_ERR_ARGUMENT;
    }
    if (options->codec == KERF_CODEC_STORED) {
        return KERF_ERR_ARGUMENT;
    }
    if (options->in_place &&
        (options->sector < 16 || options->sector > 1u << 24 || (options->sector & (options->sector - 1)) != 0 ||
         options->scratch < 1 || options->group > options->scratch)) {
        return KERF_ERR_ARGUMENT;
    }
    if (options->ram != 0 && options->ram < KERF_DIFF_RAM_MIN) {
        return KERF_ERR_RAM;
    }
    if ((options->in_place && old_len == 0) || (options->codec == KERF_CODEC_LZMA2 && old_len > 0)) {
        return KERF_ERR_ARGUMENT;
    }
    return options->in_place && options->slot != 0 && (old_len > options->slot || new_len > options->slot)
               ? KERF_ERR_SPACE
               : KERF_OK;
}

static kerf_err weigh_parts(struct kerf_work *w, const struct kerf_image *whole);

/* w->image: `image`, or, where that is NULL, what the two sides are. References are for images that 32-bit addresses reach. */
static kerf_err find_image(struct kerf_work *w, const struct kerf_image *image)
{
    const struct kerf_side *old_side = &w->old_side;
    const struct kerf_side *new_side = &w->new_side;
    struct kerf_image whole;
    kerf_err err = KERF_OK;

    if (image != NULL) {
        w->image = *image;
    } else if (old_side->len > 0 && ((uint64_t)old_side->len | new_side->len) >> 32 == 0) {
        err = kerf_image_recognise(old_side->bytes, old_side->len, new_side->bytes, new_side->len, w->options, &whole,
                                   &w->image);
        if (err == KERF_OK && w->image.in_parts) {
            err = weigh_parts(w, &whole);
        }
    }
    for (unsigned i = 0; i < w->image.region_count; i++) {
        if (!kerf_isa_known(w->image.regions[i].isa)) {
            w->image.regions[i].isa = KERF_ISA_NONE;
        }
    }
    return err;
}

/* kerf_diff_create(), of images that are recognised, or not yet: NULL. */
static kerf_err create(const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                       const struct kerf_diff_options *options, const struct kerf_image *image, uint8_t **delta,
                       size_t *delta_len, struct kerf_diff_report *report)
{
    struct kerf_work w = {.options = options};
    struct hashing hashing = {.w = &w};
    struct kerf_diff_report own_report;
    struct kerf_header header = {0};
    kerf_err err = check_options(options, old_len, new_len);

    *delta = NULL;
    *delta_len = 0;
    if (report == NULL) {
        report = &own_report;
    }
    memset(report, 0, sizeof *report);
    if (err != KERF_OK) {
        return err;
    }
    err = side_open(&w.old_side, old_image, old_len, options->padded);
    if (err == KERF_OK) {
        err = side_open(&w.new_side, new_image, new_len, options->padded);
    }
    hashing.report = report;
    bool beside = options->jobs > 1 && (uint64_t)old_len + new_len >= HASH_BESIDE;

    if (err == KERF_OK && (!beside || !kerf_task_start(&hashing.task, hash_images, &hashing))) {
        hash_images(&hashing);
    }
    if (err == KERF_OK) {
        err = find_image(&w, image);
    }
    if (err == KERF_OK) {
        err = (options->codec == KERF_CODEC_LZMA2 ? make_lzma2 : make_native)(
            &w, options->ram == 0 ? KERF_DIFF_RAM_DEFAULT : options->ram, &hashing, &header, delta, delta_len, report);
    }
    kerf_task_wait(&hashing.task);
    if (err == KERF_OK) {
        err = kerf_hash_bytes(*delta, header.chunk0_len, &report->chunk0_digest);
    }
    report->delta_len = *delta_len;
    report->header_len = header.header_len;
    report->workspace = kerf_header_workspace(&header);
    (void)snprintf(report->recognised, sizeof report->recognised, "%s", w.image.recognised);
    report->in_parts = w.image.in_parts;
    if (err != KERF_OK) {
        free(*delta);
        *delta = NULL;
        *delta_len = 0;
    }
    work_close(&w);
    return err;
}

/* Parts at addresses of their own cost header, and those at one address confuse each other: do they pay in a quick delta? */
static kerf_err weigh_parts(struct kerf_work *w, const struct kerf_image *whole)
{
    struct kerf_diff_options quick = *w->options;
    size_t lens[2] = {0, 0};
    kerf_err err = KERF_OK;

    quick.level = 1;
    quick.in_place = false;
    quick.padded = true;
    quick.progress = NULL;
    for (unsigned i = 0; i < 2 && err == KERF_OK; i++) {
        uint8_t *delta;

        tell(w, "parts", i, 2);
        err = create(w->old_side.bytes, w->old_side.len, w->new_side.bytes, w->new_side.len, &quick,
                     i == 0 ? &w->image : whole, &delta, &lens[i], NULL);
        free(delta);
    }
    if (err == KERF_OK && lens[0] >= lens[1]) {
        w->image = *whole;
    }
    return err;
}

kerf_err kerf_diff_create(const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                          const struct kerf_diff_options *options, uint8_t **delta, size_t *delta_len,
                          struct kerf_diff_report *report)
{
    return create(old_image, old_len, new_image, new_len, options, NULL, delta, delta_len, report);
}
