/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.h - the patcher's state and the memory around it; for the files of this folder alone.
 *
 *     +-------------+-------------+------------+------------+-----------+-------------------+
 *     | kerf_patcher| codec state | tail       | chunk      | in place: | page              |
 *     | (256)       | (codec_len) | (64)       | chunk_size | 4 * group | page_size + 16    |
 *     +-------------+-------------+------------+------------+-----------+-------------------+
 *                                 ^ buffer_of()             ^ group_of()^ page_of()
 *
 * A chunk is received behind `tail`; the last bytes of the payload before it, which the decoder could not use alone, wait at
 * the end of `tail` and are moved up to the chunk's payload once the chunk is authenticated. Until the header is known
 * codec_len is 0 and chunk 0 may take all that is behind `tail`. The 16 bytes after a page hold what a step of the decoder
 * wrote beyond it.
 */
#ifndef KERF_PATCHER_STATE_H
#define KERF_PATCHER_STATE_H

#include "common/codec.h"
#include "patcher/patcher.h"

/* What feed() does next. Each call does one of these. */
enum stage {
    STAGE_COLLECT,      /* take input until the chunk is whole */
    STAGE_AUTHENTICATE, /* hash the chunk, compare, and for chunk 0 read the header */
    STAGE_SOURCE,       /* hash the old image */
    STAGE_SAVE,         /* write a checkpoint */
    STAGE_COPY,         /* in place: copy a group of sectors from scratch to the slot */
    STAGE_DECODE,       /* decode until a page is full or input runs out, and write the page */
    STAGE_VERIFY,       /* read new back and hash it */
    STAGE_DONE,
};

#define STATE_DRY_RUN 1u /* KERF_PATCHER_DRY_RUN */
#define STATE_CHUNK0_KNOWN 2u
#define STATE_TARGET_KNOWN 4u
#define STATE_LAST_CHUNK 8u /* no chunk follows the one in progress */
#define STATE_DECODED 16u   /* nothing is left to decode, but perhaps a page to write */
#define STATE_SECTOR 32u    /* in place: a sector is in progress, the last one of the group */
#define STATE_COMPLETE 64u  /* in place: all of it is decoded */

/* In this order because Thumb-1 reaches the first 32 bytes and the first 32 words of a struct with one short instruction. */
struct kerf_patcher {
    int8_t err;                     /* kerf_err that ended the apply, or 0 */
    uint8_t stage;                  /* enum stage */
    uint8_t flags;                  /* STATE_ */
    uint8_t half;                   /* 0, 1: where in the journal the newest checkpoint is, or is being written */
    uint32_t layout;                /* STATE_LAYOUT: whose memory this is */
    uint32_t workspace_len;         /* bytes, all of the workspace */
    uint32_t codec_len;             /* bytes of the codec's state */
    uint32_t page_len;              /* bytes in the page buffer; over page_size: by at most KERF_STEP_OUT */
    uint32_t chunk_len, chunk_have; /* bytes of the chunk in progress, and those received */
    uint32_t in_pos, in_end;        /* payload to decode: buffer_of()[in_pos .. in_end) */
    uint32_t save_left;             /* bytes of new to the next checkpoint */
    uint16_t group_len;         /* in place: sectors in scratch, not yet in the slot; the one in progress is the last */
    uint16_t copied;            /* of these, while copying: how many are in the slot */
    kerf_pos delta_pos;         /* bytes of the container taken */
    kerf_pos payload_left;      /* bytes of payload behind the chunk in progress */
    kerf_pos hashed;            /* bytes that went into the hash in progress; while saving: bytes of it written */
    kerf_pos made;              /* bytes of new written (in place: to scratch at least) */
    kerf_pos page_pos;          /* where in new the page begins */
    kerf_pos erased_end;        /* up to here the slot is erased; while saving: the journal's half */
    struct kerf_header header;  /* zeros until it is known */
    struct kerf_digest next;    /* what the chunk in progress must have */
    struct kerf_digest payload; /* of chunk 0 */
    struct kerf_sha256_digest target; /* of new: what is expected, where that is known; what was found, in the end */
};

/* Changes whenever the meaning of the bytes in the workspace does: a checkpoint of another build is none. */
#define STATE_LAYOUT ((uint32_t)(1u << 24 | sizeof(struct kerf_codec) << 12 | sizeof(struct kerf_patcher)))

_Static_assert(sizeof(struct kerf_patcher) <= KERF_WORKSPACE_STATE, "FORMAT.md: Workspace");
_Static_assert(KERF_WORKSPACE_STATE % KERF_WORKSPACE_ALIGN == 0, "the codec's state follows");

static inline struct kerf_codec *codec_of(struct kerf_patcher *p)
{
    return (struct kerf_codec *)(void *)((uint8_t *)p + KERF_WORKSPACE_STATE);
}

/* `tail` and the chunk behind it, KERF_STEP_MAX bytes further. */
static inline uint8_t *buffer_of(struct kerf_patcher *p)
{
    return (uint8_t *)p + KERF_WORKSPACE_STATE + p->codec_len;
}

/* The numbers of the sectors in scratch. Chunk sizes are multiples of 16. */
static inline uint32_t *group_of(struct kerf_patcher *p)
{
    return (uint32_t *)(void *)(buffer_of(p) + KERF_STEP_MAX + p->header.chunk_size);
}

static inline uint8_t *page_of(struct kerf_patcher *p)
{
    return (uint8_t *)(group_of(p) + (KERF_IN_PLACE ? p->header.group : 0u));
}

static inline bool in_place(const struct kerf_patcher *p)
{
    return KERF_IN_PLACE && (p->header.flags & KERF_FLAG_IN_PLACE) != 0;
}

/* --- digest.c --- */

/*
 * Hashes at most 4 KiB more of `total` bytes: of `memory`, or, where that is NULL, of what `read` gives, through the page
 * buffer, which must be free. KERF_MORE_WORK: there is more. KERF_OK: *digest is the digest of all.
 */
kerf_err kerf_digest_more(struct kerf_patcher *p, const struct kerf_port *port, const uint8_t *memory,
                          kerf_err (*read)(void *ctx, kerf_pos pos, uint8_t *buf, size_t len), kerf_pos total,
                          struct kerf_sha256_digest *digest);

/* --- input.c --- */

/* The stages COLLECT and AUTHENTICATE; the latter says KERF_OK once the chunk's digest is right. */
kerf_err kerf_input_collect(struct kerf_patcher *p, const uint8_t *data, size_t len, size_t *used);
kerf_err kerf_input_authenticate(struct kerf_patcher *p, const struct kerf_port *port);
/*
 * An authenticated chunk: keeps the digest of the next, which lies payload_pos bytes into it, and puts what was left of the
 * payload before in front of its payload.
 */
void kerf_input_open(struct kerf_patcher *p, size_t payload_pos);
/* Begins the chunk that follows: what was not decoded of this one is kept. */
void kerf_input_next(struct kerf_patcher *p);

/* --- apply.c --- */

/* Chunk 0 is authenticated: reads the header, checks that this device can do it, lays out the workspace. */
kerf_err kerf_apply_begin(struct kerf_patcher *p, const struct kerf_port *port);
/*
 * The stage DECODE, while the page is not full. KERF_OK: a piece was decoded. KERF_END: that was the last.
 * KERF_MORE_INPUT: the next chunk is needed.
 */
kerf_err kerf_apply_decode(struct kerf_patcher *p, const struct kerf_port *port);

/* --- writer.c --- */

/* Erases a sector, or writes the page (or what there is of it). */
kerf_err kerf_writer_step(struct kerf_patcher *p, const struct kerf_port *port);

/* --- inplace.c --- */

/* Can an update in place with this header be done on this port? KERF_ERR_UNSUPPORTED, KERF_ERR_SPACE. */
kerf_err kerf_in_place_check(const struct kerf_header *h, const struct kerf_port *port);
/* Where in the spare area the scratch of the group's sector i begins. */
kerf_pos kerf_in_place_scratch(const struct kerf_patcher *p, const struct kerf_port *port, unsigned i);
/* `len` bytes were decoded, the page's newest: a new sector begins with the first of them. */
void kerf_in_place_decoded(struct kerf_patcher *p, size_t len);
/* Reads new wherever it is: in the page, in scratch, in the slot. */
kerf_err kerf_in_place_read(struct kerf_patcher *p, const struct kerf_port *port, kerf_pos pos, uint8_t *buf,
                            size_t len);
/* The stage COPY. */
kerf_err kerf_in_place_copy(struct kerf_patcher *p, const struct kerf_port *port);

/* --- journal.c --- */

/* Is there a journal, and are checkpoints to be taken? False in builds without. */
static inline bool kerf_journal_on(const struct kerf_patcher *p, const struct kerf_port *port)
{
    return KERF_JOURNAL && port->journal_size != 0 && (p->flags & STATE_DRY_RUN) == 0 &&
           p->header.codec != KERF_CODEC_LZMA2; /* whose state is not in the workspace */
}

/* Is the port's spare area what patcher.h asks for? */
bool kerf_journal_fits(const struct kerf_port *port);
/* The stage SAVE is next: a checkpoint in the half that holds the older one. KERF_MORE_WORK. */
kerf_err kerf_journal_begin(struct kerf_patcher *p, const struct kerf_port *port);
/* All is checked and nothing is written yet: empties the half that is not written first, then as kerf_journal_begin(). */
kerf_err kerf_journal_first(struct kerf_patcher *p, const struct kerf_port *port);
/* The stage SAVE. KERF_MORE_WORK; when the checkpoint is there, the next stage is set. */
kerf_err kerf_journal_save(struct kerf_patcher *p, const struct kerf_port *port);
/* In place: the group is in the slot; from now on its scratch is free. KERF_MORE_WORK, and the next stage is set. */
kerf_err kerf_journal_commit(struct kerf_patcher *p, const struct kerf_port *port);
/*
 * Reads the newest valid checkpoint into a workspace of at least kerf_patcher_workspace_min(). KERF_NONE: there is none of this
 * payload (NULL: of any).
 */
kerf_err kerf_journal_load(struct kerf_patcher *p, uint32_t workspace_len, const struct kerf_port *port,
                           const struct kerf_sha256_digest *payload);

#endif
