/* SPDX-License-Identifier: Apache-2.0 */
/*
 * beside.h - the self-check by a second thread, while the payload is made.
 */
#ifndef KERF_DIFFGEN_BESIDE_H
#define KERF_DIFFGEN_BESIDE_H

#include "diffgen/work.h"

/* All for the thread that codes. NULL: out of memory. */
struct kerf_beside *kerf_beside_open(void);
/* Stops the decoder, if it runs. NULL: nothing. */
void kerf_beside_close(struct kerf_beside *b);
/*
 * Before the coding its thread may do something else: run(ctx), beside the caller. False: there is no thread, and nothing
 * was called. Once, and kerf_beside_done() returns when run() has, before anything else is asked of it.
 */
bool kerf_beside_do(struct kerf_beside *b, void (*run)(void *ctx), void *ctx);
void kerf_beside_done(struct kerf_beside *b);
/*
 * The coding begins: of `payload`, which is empty and stays where it is until kerf_beside_end(), with this header,
 * whose bytes are head. w's images stay. Two slots alone, and once. False: there is no decoder beside it; else bytes go
 * through kerf_beside_emit().
 */
bool kerf_beside_start(struct kerf_beside *b, const struct kerf_work *w, const struct kerf_header *header,
                       const uint8_t *head, struct kerf_bytes *payload);
void kerf_beside_emit(void *beside, uint8_t byte);
/* Between two steps, now and then, about each kerf_beside_piece() bytes: new up to new_pos is coded. rc: the coder. */
void kerf_beside_tell(struct kerf_beside *b, const struct kerf_rc *rc, kerf_pos new_pos);
kerf_pos kerf_beside_piece(const struct kerf_work *w);
/* The coding ends. `complete`: the payload is whole, and payload->data stays until kerf_beside_finish(). */
void kerf_beside_end(struct kerf_beside *b, bool complete);
/*
 * Waits for the decoder, and looks at the container that was made of the payload. *done: that was a self-check; false:
 * the payload was not decoded, or not to new, and the usual one has to say what is wrong. KERF_ERR_: the container is
 * wrong.
 */
KERF_MUST_USE kerf_err kerf_beside_finish(struct kerf_beside *b, const struct kerf_bytes *payload,
                                          const struct kerf_diff_report *report, const uint8_t *delta, size_t delta_len,
                                          bool *done);

#endif
