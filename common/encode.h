/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode.h - the codec's other direction: the generator (diffgen/encode.c) drives the same steps with known values.
 * Only in builds with KERF_ENCODER.
 */
#ifndef KERF_COMMON_ENCODE_H
#define KERF_COMMON_ENCODE_H

#include "common/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An entry of the address map: from `start` on, up to the next entry, old addresses move by `shift`. */
struct kerf_map_entry {
    kerf_addr start;
    kerf_shift shift;
};

#define KERF_NOTHING_PINNED 15u /* half a byte of what is remembered of old (run.h): nothing ever is */

/* Holds pointers into itself, into the codec's block and to the images: it stays where it is while it is used. */
struct kerf_encoder {
    struct kerf_run run;
};

/*
 * kerf_codec_init() first; then the coder. `emit` as in rc.h. new_image is followed by KERF_ISA_VIEW_LEN zero bytes.
 * Ends with kerf_rc_encode_end(&e->run.k.rc).
 */
void kerf_encode_begin(struct kerf_encoder *e, struct kerf_codec *c, const struct kerf_header *header,
                       const struct kerf_codec_io *io, const uint8_t *new_image, void (*emit)(void *ctx, uint8_t byte),
                       void *emit_ctx);
/* All header->model.map_cap entries, in ascending order of start, before anything else. */
KERF_MUST_USE kerf_err kerf_encode_map(struct kerf_encoder *e, const struct kerf_map_entry *entry);
#if KERF_IN_PLACE
/*
 * In place, before the first gap, and again after each run: the sectors start .. start + len - 1 are produced next.
 * Gaps and segments end where the run does. What io.read_old() gives may change where a step has reached the end of a
 * sector.
 */
KERF_MUST_USE kerf_err kerf_encode_run(struct kerf_encoder *e, uint32_t start, uint32_t len);
/*
 * Or, with len 0: the sector `start` is made to hold old. Then, until it is full, in turns: len bytes (maybe 0) that
 * stay as they are, and a move of at least one: a copy of old, which is there from now on. They are written to `bytes`.
 */
KERF_MUST_USE kerf_err kerf_encode_keep(struct kerf_encoder *e, bool move, kerf_pos old_pos, kerf_pos len,
                                        uint8_t *bytes);
#endif
/* Then again and again: a gap, its literals one by one, and unless new (or the run) is complete a segment and its bytes. */
KERF_MUST_USE kerf_err kerf_encode_gap(struct kerf_encoder *e, kerf_pos len);
KERF_MUST_USE kerf_err kerf_encode_literal(struct kerf_encoder *e);
KERF_MUST_USE kerf_err kerf_encode_segment(struct kerf_encoder *e, const struct kerf_segment *segment);
/*
 * Takes bytes of the segment that nothing need be coded for, as far as e->run.nothing tells without looking: how many,
 * maybe 0. They were KERF_STEP_QUIET. The segment's last byte is never among them.
 */
size_t kerf_encode_quiet(struct kerf_encoder *e);
/* The next byte or reference of the segment: *len bytes, and what it was. */
KERF_MUST_USE kerf_err kerf_encode_copy(struct kerf_encoder *e, size_t *len, enum kerf_step *what,
                                        struct kerf_ref *ref);

/* What the byte of new `ahead` bytes on would cost as a literal here, in 2^-16 bits; changes nothing. */
KERF_MUST_USE kerf_err kerf_encode_peek(struct kerf_encoder *e, kerf_pos ahead, uint64_t *cost);

#ifdef __cplusplus
}
#endif

#endif
