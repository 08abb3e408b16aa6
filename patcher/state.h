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
 * The last bytes of a chunk's payload, which the decoder can't use alone, wait at the end of `tail`, in front of the payload of
 * the next. Until the header is known there is no codec state, and chunk 0 may take all that is behind `tail`. The 16 bytes
 * after a page hold what a step of the decoder wrote beyond it.
 *
 * What the functions here answer: KERF_OK, after which feed() says that there is more work; another answer of feed(); an error,
 * after which the state is not looked at again.
 */
#ifndef KERF_PATCHER_STATE_H
#define KERF_PATCHER_STATE_H

#include "common/codec.h"
#include "patcher/patcher.h"

#define STATE_DRY_RUN 1u /* KERF_PATCHER_DRY_RUN */
#define STATE_NEXT_KNOWN 2u
#define STATE_TARGET_KNOWN 4u
#define STATE_DECODED 8u /* nothing is left to decode, but perhaps a page to write */
#define STATE_SECTOR 16u /* in place: a sector is in progress, the last one of the group; or one is copied */
#define STATE_COMPLETE                                                                                                 \
    32u /* all of the image, in place of the sector, is decoded: a page that is not full is written, too */
#define STATE_JOURNAL 64u /* checkpoints are taken */
#define STATE_SPARE 128u  /* in place: the sector in progress is written to the spare area */

struct kerf_patcher {
    struct kerf_patcher_status status; /* the first: kerf_patcher_status() */
    uint32_t page_at, chunk_at;        /* where in the workspace the page is, and the chunk */
    size_t page_len;                   /* bytes in the page; over page_size: by at most KERF_STEP_OUT */
    size_t in_pos;                     /* where in the workspace the payload to decode is, */
    uint32_t in_end;                   /* and where the chunk in progress ends */
    uint32_t flags;                    /* STATE_ */
    uint32_t layout;                   /* STATE_LAYOUT: whose memory this is */
    uint32_t
        save_left; /* two slots: bytes of new to the next checkpoint; in place, while copying: read of the sector */
    kerf_pos payload_left; /* bytes of payload behind the chunk in progress */
    kerf_pos page_pos;     /* where in the slot the page goes, or in the spare area */
    kerf_pos erased_end;   /* up to here it is erased; while saving: the journal's half */
    uint32_t saves;        /* number of the newest checkpoint, from 1; odd ones are in the second half */
    uint32_t group_len;    /* in place: sectors in scratch, not yet in the slot; the one in progress is the last */
    uint32_t copied;       /* of these, while copying: how many are in the slot; just loaded: marks of the checkpoint */
    uint32_t workspace_len;    /* bytes, all of the workspace */
    struct kerf_header header; /* zeros until it is known, but for what the prologue says */
};

/* Changes whenever the meaning of the bytes in the workspace does: a checkpoint of another build is none. */
#define STATE_LAYOUT ((uint32_t)(4u << 24 | sizeof(struct kerf_codec) << 12 | sizeof(struct kerf_patcher)))

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

/*
 * What is expected waits in the two halves of status.target_digest, as long as that is not known: the digest of the chunk in
 * progress, and, until the header is there, that of new.
 */
static inline uint8_t *next_digest_of(struct kerf_patcher *p)
{
    return p->status.target_digest.b;
}

static inline uint8_t *expected_target_of(struct kerf_patcher *p)
{
    return p->status.target_digest.b + KERF_DIGEST_LEN;
}

static inline uint8_t *page_of(struct kerf_patcher *p)
{
    return (uint8_t *)p + p->page_at;
}

/* The numbers of the sectors in scratch. Chunk sizes are multiples of 16. */
static inline uint32_t *group_of(struct kerf_patcher *p)
{
    return (uint32_t *)(void *)page_of(p) - p->header.group;
}

static inline bool in_place(const struct kerf_patcher *p)
{
    return KERF_IN_PLACE && (p->header.flags & KERF_FLAG_IN_PLACE) != 0;
}

/* Where in the spare area the scratch of the group's sector i begins. */
static inline kerf_pos scratch_of(const struct kerf_patcher *p, const struct kerf_port *port, unsigned i)
{
    return port->journal_size + ((kerf_pos)i << p->header.sector_log2);
}

static inline bool journaled(const struct kerf_patcher *p)
{
    return KERF_JOURNAL && (p->flags & STATE_JOURNAL) != 0;
}

/* The next thing to do. */
static inline kerf_err enter(struct kerf_patcher *p, enum kerf_patcher_phase phase)
{
    p->status.phase = phase;
    p->status.verified_pos = 0;
    return KERF_OK;
}

/* --- sum.c --- */

/* Adds bytes to the hash in progress; status.verified_pos, 0 at its beginning, counts them. */
kerf_err kerf_sum_add(struct kerf_patcher *p, const struct kerf_port *port, const uint8_t *data, size_t len);
kerf_err kerf_sum_end(const struct kerf_port *port, struct kerf_sha256_digest *digest);
/* Ends it, too: the error `wrong` where the digest's first 16 bytes are not those expected. Not `known`: sets them. */
kerf_err kerf_sum_check(const struct kerf_port *port, uint8_t *expected, bool known, kerf_err wrong);
/* Copies KERF_DIGEST_LEN bytes: a call is shorter than what becomes of a memcpy. */
void kerf_digest_copy(uint8_t *to, const uint8_t *from);
/* Makes what was written durable. */
kerf_err kerf_port_flush(const struct kerf_port *port);

/* --- writer.c --- */

/* Erases a sector, or writes the page (or what there is of it): to the slot, or, while decoding in place, to scratch. */
kerf_err kerf_write_page(struct kerf_patcher *p, const struct kerf_port *port);

/* --- scratch.c --- */

/* What the codec's callbacks are given in place. */
struct kerf_in_place {
    struct kerf_patcher *p;
    const struct kerf_port *port;
};

/* The callbacks of the codec; new is what was written of it, to scratch or to the slot, and read in one sector at a time. */
kerf_err kerf_in_place_read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len);
kerf_err kerf_in_place_read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len);
/* The group's sector i is written next: to scratch or, in the phase COPY, to where it belongs. */
void kerf_in_place_begin(struct kerf_patcher *p, const struct kerf_port *port, unsigned i);

/* --- inplace.c --- */

/* Can an update in place with this header be done on this port? KERF_ERR_UNSUPPORTED, KERF_ERR_SPACE. */
kerf_err kerf_in_place_check(const struct kerf_header *h, const struct kerf_port *port);
/* The phase COPY. */
kerf_err kerf_in_place_copy(struct kerf_patcher *p, const struct kerf_port *port);

/* --- journal.c --- */

/* The phase SAVE is next: a checkpoint in the half that holds the older one. */
kerf_err kerf_journal_begin(struct kerf_patcher *p, const struct kerf_port *port);
/* All is checked and nothing is written yet: empties the half that is not written first, then as kerf_journal_begin(). */
kerf_err kerf_journal_first(struct kerf_patcher *p, const struct kerf_port *port);
/* The phase SAVE. When the checkpoint is there, the next phase is set. */
kerf_err kerf_journal_save(struct kerf_patcher *p, const struct kerf_port *port);
/* In place: the group is in the slot; from now on its scratch is free. The next phase is set. */
kerf_err kerf_journal_commit(struct kerf_patcher *p, const struct kerf_port *port);

#endif
