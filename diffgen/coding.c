/* SPDX-License-Identifier: Apache-2.0 */
#include "diffgen/coding.h"

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_sources *s = ctx;

    memcpy(buf, s->old_bytes + pos, len);
    return KERF_OK;
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_sources *s = ctx;

    memcpy(buf, s->new_bytes + pos, len);
    return KERF_OK;
}

struct kerf_codec_io kerf_sources_io(struct kerf_sources *sources)
{
    return (struct kerf_codec_io){.ctx = sources, .read_old = read_old, .read_new = read_new};
}

kerf_err kerf_coding_open(struct kerf_coding *coding, const struct kerf_work *w, struct kerf_header *header,
                          size_t map_count)
{
    size_t head_len = 0;

    coding->sources = (struct kerf_sources){w->old_side.bytes, w->new_side.bytes};
    coding->io = kerf_sources_io(&coding->sources);
    header->model.map_cap = (uint16_t)map_count;
    kerf_pack_assume(header); /* the codec does not look at them */
    kerf_err err = kerf_header_write(header, w->image.regions, w->image.ranges, coding->head, sizeof coding->head,
                                     &head_len);

    coding->workspace = err == KERF_OK ? kerf_codec_workspace(header) : 0;
    coding->order_len = header->model.learned_cap + 1u;
    coding->c = err == KERF_OK ? malloc(coding->workspace) : NULL;
    coding->order = malloc(coding->order_len * sizeof *coding->order);
    if (err == KERF_OK && (coding->c == NULL || coding->order == NULL)) {
        err = KERF_ERR_RAM;
    }
    if (err == KERF_OK) {
        err = kerf_codec_init(coding->c, coding->head, header);
    }
    if (err != KERF_OK) {
        kerf_coding_close(coding);
    }
    return err;
}

void kerf_coding_begin(struct kerf_coding *coding, const struct kerf_work *w, const struct kerf_header *header,
                       void (*emit)(void *ctx, uint8_t byte), void *emit_ctx)
{
    kerf_encode_begin(&coding->e, coding->c, header, &coding->io, w->new_side.bytes, emit, emit_ctx);
    /* In place, old changes on the way. */
    coding->e.run.old_image = w->order == NULL ? w->old_side.bytes : NULL;
    coding->e.run.nothing = w->order == NULL ? w->old_side.nothing : NULL;
    coding->e.run.found = w->order == NULL && w->old_side.refs != NULL ? kerf_scan_find : NULL;
    coding->e.run.found_ctx = &w->old_side;
    coding->e.run.order = coding->order;
}

void kerf_coding_close(struct kerf_coding *coding)
{
    free(coding->c);
    free(coding->order);
    coding->c = NULL;
    coding->order = NULL;
}
