/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/made_payload.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

#define SEGMENT_MIN 4u

/* The input, taken from the front; zeros once it has ended. */
struct taker {
    const uint8_t *data;
    size_t len;
};

static unsigned take(struct taker *t)
{
    if (t->len == 0) {
        return 0;
    }
    t->len--;
    return *t->data++;
}

static kerf_pos smaller(kerf_pos a, kerf_pos b)
{
    return a < b ? a : b;
}

/* The segment at the end of what there is of new, with its edits. false: nothing can be copied. */
static bool add_segment(const struct kerf_header *h, const uint8_t *old_image, unsigned what, struct taker *t,
                        struct kerf_segment *s, kerf_pos old_end, uint8_t *new_image)
{
    bool from_new = (what & 64) != 0 && (h->flags & KERF_FLAG_READS_NEW) != 0;
    kerf_pos there = from_new ? s->new_pos : h->old_size;
    kerf_pos pos = (what & 128) != 0 && !from_new ? old_end : take(t) | take(t) << 8;

    if (there == 0 || h->new_size - s->new_pos < SEGMENT_MIN) {
        return false;
    }
    s->from_new = from_new;
    s->src_pos = pos % there;
    s->len = smaller(SEGMENT_MIN + take(t), h->new_size - s->new_pos);
    s->len = from_new ? s->len : smaller(s->len, h->old_size - s->src_pos);
    for (kerf_pos i = 0; i < s->len; i++) {
        new_image[s->new_pos + i] = from_new ? new_image[s->src_pos + i] : old_image[s->src_pos + i];
    }
    for (unsigned edits = what >> 3 & 7; edits > 0 && !from_new && s->len > 0; edits--) {
        new_image[s->new_pos + take(t) % s->len] ^= (uint8_t)take(t);
    }
    return true;
}

void fuzz_plan_make(const struct kerf_header *header, const uint8_t *old_image, const uint8_t *data, size_t len,
                    struct fuzz_plan *plan, uint8_t *new_image)
{
    struct taker t = {data, len};
    kerf_pos end = 0;
    kerf_pos old_end = 0;

    memset(new_image, 0, (size_t)header->new_size);
    plan->count = 0;
    while (plan->count < FUZZ_PLAN_MAX && end < header->new_size && t.len > 0) {
        unsigned what = take(&t);

        for (unsigned i = what & 7; i > 0 && end < header->new_size; i--) {
            new_image[end++] = (uint8_t)take(&t);
        }
        struct kerf_segment *s = &plan->segments[plan->count];

        s->new_pos = end;
        if (add_segment(header, old_image, what, &t, s, old_end, new_image)) {
            plan->count++;
            end += s->len;
            old_end = s->from_new ? old_end : s->src_pos + s->len;
        }
    }
}

/* --- Coding. --- */

struct coding {
    struct kerf_encoder e;
    const struct kerf_header *header;
    const uint8_t *new_image;
    uint8_t *slot, *payload;
    size_t len, cap;
    kerf_pos pending; /* in place: where the group in progress begins */
};

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void emit(void *ctx, uint8_t byte)
{
    struct coding *x = ctx;

    require(x->len < x->cap);
    x->payload[x->len++] = byte;
}

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct coding *x = ctx;

    memcpy(buf, x->slot + pos, len);
    return KERF_OK;
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct coding *x = ctx;

    memcpy(buf, x->new_image + pos, len);
    return KERF_OK;
}

/* In place: complete groups come into the slot, as soon as their last step is done. */
static void note_sectors(struct coding *x)
{
    kerf_pos end = x->e.run.c->new_pos;
    kerf_pos group = (kerf_pos)x->header->group << x->header->sector_log2;

    if ((x->header->flags & KERF_FLAG_IN_PLACE) == 0) {
        return;
    }
    while (end - x->pending >= group) {
        memcpy(x->slot + x->pending, x->new_image + x->pending, (size_t)group);
        x->pending += group;
    }
}

static void code_literals(struct coding *x, kerf_pos end)
{
    require(kerf_encode_gap(&x->e, end - x->e.run.c->new_pos) == KERF_OK);
    while (x->e.run.c->new_pos < end) {
        require(kerf_encode_literal(&x->e) == KERF_OK);
        note_sectors(x);
    }
}

static void code_segment(struct coding *x, const struct kerf_segment *s)
{
    require(kerf_encode_segment(&x->e, s) == KERF_OK);
    while (x->e.run.c->new_pos < s->new_pos + s->len) {
        struct kerf_ref ref = {0};
        enum kerf_step what;
        size_t len = kerf_encode_quiet(&x->e);

        require(len > 0 || kerf_encode_copy(&x->e, &len, &what, &ref) == KERF_OK);
        note_sectors(x);
    }
}

/* An entry each 64 bytes from the first region on. */
static void code_map(struct coding *x)
{
    const struct kerf_region *first = kerf_run_regions(&x->e.run);
    kerf_addr start = x->header->region_count > 0 ? first->old_addr & 0x7ffffff8 : 0; /* far from where it wraps */

    for (unsigned i = 0; i < x->header->model.map_cap; i++) {
        const struct kerf_map_entry entry = {start + 64 * i, (kerf_shift)(4 * i)};

        require(kerf_encode_map(&x->e, &entry) == KERF_OK);
    }
}

size_t fuzz_plan_code(const struct kerf_header *header, const uint8_t *chunk0, const struct fuzz_plan *plan,
                      const uint8_t *new_image, uint8_t *slot, uint8_t *payload, size_t cap)
{
    struct coding x = {.header = header, .new_image = new_image, .slot = slot, .payload = payload, .cap = cap};
    const struct kerf_codec_io io = {.ctx = &x, .read_old = read_old, .read_new = read_new};
    struct kerf_codec *c = malloc(kerf_codec_workspace(header));
    uint16_t *order = malloc((header->model.learned_cap + 1u) * sizeof *order);

    require(c != NULL && order != NULL && kerf_codec_init(c, chunk0, header) == KERF_OK);
    kerf_encode_begin(&x.e, c, header, &io, new_image, emit, &x);
    x.e.run.order = order;
    code_map(&x);
    if (header->new_size > 0) {
        if ((header->flags & KERF_FLAG_IN_PLACE) != 0) {
            uint32_t sectors = (uint32_t)(((header->new_size - 1) >> header->sector_log2) + 1);

            require(kerf_encode_run(&x.e, 0, sectors) == KERF_OK);
        }
        for (unsigned i = 0; i < plan->count; i++) {
            code_literals(&x, plan->segments[i].new_pos);
            code_segment(&x, &plan->segments[i]);
        }
        if (c->new_pos < header->new_size) {
            code_literals(&x, header->new_size);
        }
    }
    kerf_rc_encode_end(&x.e.run.k.rc);
    free(order);
    free(c);
    return x.len;
}
