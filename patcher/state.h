/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.h - the patcher's state and the memory around it; for the files of this folder alone.
 *
 *     +--------------+-------------+------+------------+-----------+----------------+
 *     | kerf_patcher | codec state | tail | chunk      | in place: | page           |
 *     | (256)        |             | (64) | chunk_size | 4 * group | page_size + 16 |
 *     +--------------+-------------+------+------------+-----------+----------------+
 *                    ^ codec_of()         ^ chunk_of() ^ group_of()^ page_of()
 *
 * The last bytes of a chunk's payload, which the decoder can't use alone, wait at the end of `tail`, in front of the
 * payload of the next. Until the header is known there is no codec state, and chunk 0 may take all that is behind
 * `tail`. The 16 bytes after a page hold what a step of the decoder wrote beyond it.
 *
 * What goes wrong is kept in the state, kerf_fail(), and once something has, the port is asked for nothing more: so
 * functions need not look after each call whether it did what it should. What they do to the state then does not matter.
 */
#ifndef KERF_PATCHER_STATE_H
#define KERF_PATCHER_STATE_H

#include "common/codec.h"
#include "patcher/patcher.h"

#define STATE_DRY_RUN 1u    /* KERF_PATCHER_DRY_RUN */
#define STATE_NEXT_KNOWN 2u /* what the digest of the chunk in progress must be */
#define STATE_JOURNAL 4u    /* checkpoints are taken */
#define STATE_TARGET_KNOWN 8u
#define STATE_DECODED 16u /* nothing is left to decode, but perhaps a page to write */
#define STATE_COMPLETE                                                                                                 \
    32u /* all of the image, in place of the sector, is decoded: a page that is not full is written, too */

/* Where in the workspace what checkpoints hold begins. */
#define STATE_BODY offsetof(struct kerf_patcher, header)

/* Changes whenever the meaning of the bytes in the workspace does: a checkpoint of another build is none. */
#define STATE_LAYOUT ((uint32_t)(6u << 24 | sizeof(struct kerf_codec) << 12 | sizeof(struct kerf_patcher)))

_Static_assert(sizeof(struct kerf_patcher) <= KERF_WORKSPACE_STATE, "FORMAT.md: Workspace");
_Static_assert(KERF_WORKSPACE_STATE % KERF_WORKSPACE_ALIGN == 0, "the codec's state follows");

static inline struct kerf_codec *codec_of(struct kerf_patcher *p)
{
    return (struct kerf_codec *)(void *)((uint8_t *)p + KERF_WORKSPACE_STATE);
}

static inline uint8_t *chunk_of(struct kerf_patcher *p)
{
    return (uint8_t *)p + p->chunk_at;
}

/* The digest that the chunk in progress must have waits where that of old was, which is looked at once before chunk 1. */
static inline uint8_t *next_digest_of(struct kerf_patcher *p)
{
    return p->header.old_digest.b;
}

/* That of new, if it is known, where the codec's state will be. */
static inline uint8_t *expected_target_of(struct kerf_patcher *p)
{
    return (uint8_t *)p + KERF_WORKSPACE_STATE;
}

static inline uint8_t *page_of(struct kerf_patcher *p)
{
    return (uint8_t *)p + p->page_at;
}

/* The numbers of the sectors in scratch, that of the one in progress included. Chunk sizes are multiples of 16. */
static inline uint32_t *group_of(struct kerf_patcher *p)
{
    return (uint32_t *)(void *)page_of(p) - p->header.group;
}

static inline bool in_place(const struct kerf_patcher *p)
{
    return KERF_IN_PLACE && (p->header.flags & KERF_FLAG_IN_PLACE) != 0;
}

static inline bool journaled(const struct kerf_patcher *p)
{
    return KERF_JOURNAL && (p->flags & STATE_JOURNAL) != 0;
}

/* The first error stays; 0 is none. KERF_ERROR() of it is enough. */
static inline void kerf_fail(struct kerf_patcher *p, uint8_t error)
{
    if (p->err == 0) {
        p->err = error;
    }
}

/* --- use_port.c --- */

/* A callback that reads, of port->io or port->read_spare. */
typedef kerf_err kerf_read_callback(void *ctx, kerf_pos pos, uint8_t *buf, size_t len);

/* Asks it, unless something has gone wrong. Returns what has. */
kerf_err kerf_read(struct kerf_patcher *p, kerf_read_callback *read, kerf_pos pos, uint8_t *buf, size_t len);

/* Clears a workspace; KERF_ERR_RAM where it is too small for any container. */
kerf_err kerf_state_open(struct kerf_patcher *p, size_t workspace_len, const struct kerf_port *port);
/* Adds bytes to the hash in progress; verified_pos, 0 at its beginning, counts them. */
void kerf_sum_add(struct kerf_patcher *p, const uint8_t *data, size_t len);
/* Ends it: p->digest. The error `wrong` where its first 16 bytes are not those expected, which may be p->digest itself. */
void kerf_sum_end(struct kerf_patcher *p, const uint8_t *expected, uint8_t wrong);
/* Copies KERF_DIGEST_LEN bytes: a call is shorter than what becomes of a memcpy. */
void kerf_digest_copy(uint8_t *to, const uint8_t *from);
/* Makes what was written durable. */
kerf_err kerf_port_flush(const struct kerf_port *port);
/* The same, unless something has gone wrong. */
void kerf_flush(struct kerf_patcher *p);

/*
 * Writes to page_pos in the slot or in the spare area, and moves that on. Where a sector begins there, it is erased
 * first: what is written begins and ends with sectors, or goes on where it ended.
 */
void kerf_put(struct kerf_patcher *p, bool spare, const uint8_t *data, size_t len);

/* --- writer.c --- */

/* The phase APPLY: writes the page, or what there is of it: to the slot, or, in place, to scratch. */
void kerf_write_page(struct kerf_patcher *p);

/* --- inplace.c --- */

/* Can an update in place with this header be done on this port? KERF_ERR_UNSUPPORTED, KERF_ERR_SPACE, as the state keeps them; 0. */
uint8_t kerf_in_place_check(const struct kerf_header *h, const struct kerf_port *port);
/* The callbacks of the codec, which are given the patcher; new is what was written of it, to scratch or to the slot. */
kerf_err kerf_in_place_read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len);
kerf_err kerf_in_place_read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len);
/* Where in scratch a byte of new, or of old that is kept, is made in the group's sector i. */
kerf_pos kerf_in_place_scratch(const struct kerf_patcher *p, unsigned i, kerf_pos pos);
/* The phase COPY. */
void kerf_in_place_copy(struct kerf_patcher *p);

/* --- journal.c --- */

/* Bytes of a half that a checkpoint takes, marks included, where the page is at `page_at`. */
uint32_t kerf_journal_end(size_t page_at, const struct kerf_port *port);

/* The phase SAVE is next: a checkpoint in the half that holds the older one. */
void kerf_journal_begin(struct kerf_patcher *p);
/* All is checked and nothing is written yet: empties the half that is not written first, then as kerf_journal_begin(). */
void kerf_journal_first(struct kerf_patcher *p);
/* The phase SAVE. When the checkpoint is there, the next phase is set. */
void kerf_journal_save(struct kerf_patcher *p);
/* Writes a mark, and flushes. */
void kerf_journal_mark(struct kerf_patcher *p);

#endif
