/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coding.h - an encoder with all that it needs: its tables, and the two images that it reads.
 */
#ifndef KERF_DIFFGEN_CODING_H
#define KERF_DIFFGEN_CODING_H

#include "diffgen/work.h"

/* Holds pointers into itself: it stays where it is while it is open. */
struct kerf_coding {
    struct kerf_encoder e;
    struct kerf_codec *c;
    size_t workspace; /* bytes at c */
    uint16_t *order;
    size_t order_len; /* entries */
    struct kerf_sources sources;
    struct kerf_codec_io io;
    uint8_t head[256]; /* what the codec was set up with */
};

/* header->model.map_cap becomes map_count. Closed on failure, too. */
KERF_MUST_USE kerf_err kerf_coding_open(struct kerf_coding *coding, const struct kerf_work *w,
                                        struct kerf_header *header, size_t map_count);
/* The payload goes to `emit`; NULL: it is only priced. In place, sources.old_bytes becomes what the slot holds. */
void kerf_coding_begin(struct kerf_coding *coding, const struct kerf_work *w, const struct kerf_header *header,
                       void (*emit)(void *ctx, uint8_t byte), void *emit_ctx);
void kerf_coding_close(struct kerf_coding *coding);

#endif
