/* SPDX-License-Identifier: Apache-2.0 */
/*
 * made_payload.h - a payload that the encoder makes, of whatever plan a fuzz input says: it reaches what random bytes
 * hardly ever do, such as a reference that is given up where a sector begins, and whatever the format becomes.
 */
#ifndef KERF_TESTS_FUZZ_MADE_PAYLOAD_H
#define KERF_TESTS_FUZZ_MADE_PAYLOAD_H

#include "common/encode.h"

#define FUZZ_PLAN_MAX 128u

/* What a new image is made of, from its start to its end; between the segments are literals. */
struct fuzz_plan {
    struct kerf_segment segments[FUZZ_PLAN_MAX];
    unsigned count;
};

/*
 * Fills in the plan, and new_image, of header->new_size bytes, from the input:
 *     literals 0 .. 7 (3 bits), edits 0 .. 7 (3), from new (1), on from where the last one ended (1)       1
 *     the literals                                                                                         1 each
 *     of a segment: where from, how long; each edit of one from old: where, what (exclusive or)            2, 1; 1, 1
 * and so on; zeros once it has ended.
 */
void fuzz_plan_make(const struct kerf_header *header, const uint8_t *old_image, const uint8_t *data, size_t len,
                    struct fuzz_plan *plan, uint8_t *new_image);

/*
 * Codes the plan. `chunk0` is the header as written, `slot` holds old and room for all sectors of new; new_image is
 * followed by KERF_ISA_VIEW_LEN zeros. In place sectors come upwards in one run. Aborts where the encoder refuses what
 * it has to take. Returns the payload's length, at most `cap`.
 */
size_t fuzz_plan_code(const struct kerf_header *header, const uint8_t *chunk0, const struct fuzz_plan *plan,
                      const uint8_t *new_image, uint8_t *slot, uint8_t *payload, size_t cap);

#endif
