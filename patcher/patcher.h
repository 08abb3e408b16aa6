/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patcher.h - applies a Kerf container (a delta, or a full image) while it streams in.
 *
 * The one header an integrator includes. Freestanding C11: no libc beyond memcpy, memset, memmove, memcmp; no malloc,
 * no recursion, no globals. All state lives in one workspace block that the caller gives: flat, without inner pointers.
 *
 *     kerf_prologue_parse / kerf_header_parse      (common/container.h) look at the first bytes of the file
 *     kerf_patcher_workspace()                     how much RAM it will take
 *     kerf_patcher_init()
 *     loop:  kerf_patcher_feed() while it says KERF_MORE_WORK or KERF_MORE_INPUT
 *     KERF_END: the new image is written, flushed, read back, and its digest is right
 *
 * The order of checks (docs/SECURITY.md): chunk 0 is authenticated (struct kerf_patcher_expect) before its header is
 * believed; sizes, ISAs, workspace and slot size next; then the digest of the old image; only then the first erase.
 * Each chunk is authenticated before the decoder sees a byte of it. The digest of the new image is computed from what
 * read_new() returns once the last byte is programmed.
 */
#ifndef KERF_PATCHER_H
#define KERF_PATCHER_H

#include "common/codec.h"
#include "common/container.h"
#include "common/error.h"
#include "common/isa/isa.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* KERF_JOURNAL: 0 leaves out the journal, and updates in place with it. */
#ifndef KERF_JOURNAL
#define KERF_JOURNAL 1
#endif
/* KERF_UNPACK: 0 leaves out payloads that struct kerf_port's `unpack` decodes (LZMA2). */
#ifndef KERF_UNPACK
#define KERF_UNPACK 1
#endif

/* How a part of the flash is written: a slot, or the spare area. */
struct kerf_flash {
    uint32_t sector_size; /* erase unit in bytes; 0, in a slot: nothing needs erasing (files) */
    /* Erases the sector that begins at pos (a multiple of sector_size). Not called if sector_size is 0. */
    kerf_err (*erase)(void *ctx, kerf_pos pos);
    /* Programs [pos .. pos+len), in each sector in ascending order, each byte once after it was erased; pos is a multiple of
       the unit, and len is one but at the end of an image. */
    kerf_err (*write)(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len);
};

/*
 * What the device does for the patcher. Every callback returns KERF_OK, or an error that the patcher passes on as it is
 * (KERF_ERR_FLASH when in doubt) and after which the apply stays failed. `io.ctx` is handed to each. Callbacks may not
 * call back into the patcher. The struct is read during every call and must stay valid and unchanged while the apply
 * lasts.
 */
struct kerf_port {
    /*
     * io.ctx
     * io.read_old(ctx, pos, buf, len)   reads old[pos .. pos+len) into buf. The patcher never asks outside the old image's size.
     *                                   `len` is at most page_size, or 64 where that is more; so it is for read_new()
     * io.read_new(ctx, pos, buf, len)   reads back new[pos .. pos+len), all of it programmed before (in place: inside of the slot)
     * io.order                          hosts: common/codec.h; all zero when an apply begins, or goes on. NULL: none
     */
    struct kerf_codec_io io;
    struct kerf_flash slot; /* where new goes. Its unit: page_size */
    /* Below. sector_size is a multiple of page_size. Erased bits are those of erased flash, in a file too (write 0xff). Its
       unit: spare_unit; at most page_size bytes at a time. */
    struct kerf_flash spare;
    kerf_pos slot_size; /* bytes that the new image may take at most */
    uint32_t page_size; /* slot.write() gets this many bytes at a time (the last time fewer), 1 .. 65536; a multiple of
                           the program unit; it is taken from the workspace */
    /*
     * Makes all that was erased and programmed, in the spare area too, durable (fsync). NULL where it is durable by
     * itself. Called at the end and, with a journal, before each checkpoint and after each mark in it.
     */
    kerf_err (*flush)(void *ctx);
    /* SHA-256, state in ctx, the patcher's alone from KERF_HASH_START to KERF_HASH_END, which may be many calls of feed().
       kerf_sha256_hook() (common/sha256.h) will do where there is no library or hardware. */
    kerf_err (*hash)(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                     struct kerf_sha256_digest *digest);
    /*
     * Payload codecs beyond the native one (LZMA2); NULL in builds without. Turns in[0..in_len) into at most out_cap
     * bytes: sets *in_used and *out_len; `last`: no input follows. KERF_OK, KERF_END at the end of the stream, or
     * KERF_ERR_CORRUPT.
     */
    kerf_err (*unpack)(void *ctx, const uint8_t *in, size_t in_len, bool last, size_t *in_used, uint8_t *out,
                       size_t out_cap, size_t *out_len);

    /*
     * The spare area, with `spare`: sectors outside of the slots that keep what is in them when power goes. The journal
     * is first (below, "Power cuts"), scratch for updates in place follows. Without one all of this is 0 and NULL: a
     * cut starts anew.
     */
    /* Reads spare[pos .. pos+len) into buf; any length. */
    kerf_err (*read_spare)(void *ctx, kerf_pos pos, uint8_t *buf, size_t len);
    /* Bytes; a multiple of 2 * spare.sector_size; kerf_patcher_journal() says how many a delta needs. */
    uint32_t journal_size;
    kerf_pos spare_size; /* bytes, journal included */
    uint32_t spare_unit; /* bytes that are programmed at once, once after each erase: a power of 2, 16 or more, that the
                            program unit divides and that divides page_size */
    /* Bytes of new between two checkpoints; a multiple of page_size and slot.sector_size. Not for updates in place, where the
       header says it. */
    uint32_t interval;
};

/* What the signed release says of this payload. Fields that are not known are left zero. */
struct kerf_patcher_expect {
    bool chunk0_known;                       /* false: by hand; integrity only, nothing is authenticated */
    bool target_known;                       /* false: whatever new image the header says */
    struct kerf_sha256_digest chunk0_digest; /* SHA-256 of chunk 0; its first 16 bytes are compared */
    struct kerf_sha256_digest
        target_digest; /* SHA-256 of the new image; its first 16 bytes are compared, as the header's */
};

/* Options of kerf_patcher_init(). */
#define KERF_PATCHER_DRY_RUN                                                                                           \
    1u /* decode and check, write nothing: slot.erase and slot.write are not called; a delta that
                                   reads back new can't be dry-run beyond its chunks (KERF_ERR_UNSUPPORTED) unless the
                                   port's read_new/write keep the bytes elsewhere */

/* Where an apply stands; what feed() does next. */
enum kerf_patcher_phase {
    KERF_PHASE_HEADER, /* collecting chunk 0 */
    KERF_PHASE_SOURCE, /* hashing the old image */
    KERF_PHASE_CHUNK,  /* collecting another chunk */
    KERF_PHASE_APPLY,  /* decoding and writing */
    KERF_PHASE_SAVE,   /* taking a checkpoint */
    KERF_PHASE_COPY,   /* in place: copying from scratch to the slot */
    KERF_PHASE_VERIFY, /* reading the new image back and hashing it */
    KERF_PHASE_DONE,
    KERF_PHASE_FAILED,
};

struct kerf_patcher_status {
    enum kerf_patcher_phase phase;
    kerf_err err;                            /* why it failed; KERF_OK otherwise */
    kerf_pos delta_pos;                      /* bytes of the container taken so far */
    kerf_pos new_pos;                        /* bytes of the new image produced so far */
    kerf_pos new_size;                       /* 0 while the header is not known */
    kerf_pos verified_pos;                   /* bytes hashed in the phases SOURCE (of old) and VERIFY, DONE (of new) */
    struct kerf_digest payload_digest;       /* of chunk 0, once it is authenticated: names the payload */
    struct kerf_sha256_digest target_digest; /* valid in the phase DONE */
};

/* The state at the beginning of the workspace; its insides are not for the caller (patcher/state.h). */
struct kerf_patcher {
    uint8_t phase;                /* enum kerf_patcher_phase */
    uint8_t err;                  /* KERF_ERROR(): why it failed; KERF_END in the phase DONE */
    kerf_pos verified_pos;        /* bytes hashed; in place, while copying: bytes of scratch that are in the slot */
    kerf_pos page_pos;            /* where what is written next goes, in slot or spare area */
    const struct kerf_port *port; /* of the call in progress */
    size_t page_max;              /* most that page_at may be in this workspace */
    /* From here on: what checkpoints hold. */
    struct kerf_header header;  /* zeros until it is known, but for what the prologue says */
    uint32_t flags;             /* STATE_ */
    uint32_t in_end;            /* where in the workspace the chunk in progress ends, */
    size_t in_pos;              /* and where the payload to decode is */
    size_t page_len;            /* bytes in the page; over page_size: by at most KERF_STEP_OUT */
    uint32_t page_at, chunk_at; /* where in the workspace the page is, and the chunk */
    kerf_pos payload_left;      /* bytes of payload behind the chunk in progress; while that is collected, with it */
#if KERF_JOURNAL
    uint32_t group_len; /* in place: sectors in scratch, not yet in the slot; without the one in progress */
    uint32_t saves;     /* number of the newest checkpoint, from 1; odd ones are in the second half */
    kerf_pos out_pos;   /* bytes of new written so far; in place those that are kept, too: the page is what follows */
    uint32_t
        save_left;   /* two slots: bytes of new to the next checkpoint; in place: where mark 3 of the newest one goes */
    uint32_t layout; /* STATE_LAYOUT: whose memory this is */
#endif
    kerf_pos delta_pos;
    struct kerf_digest payload_digest;
    struct kerf_sha256_digest digest; /* the last one that was computed */
};

/* Alignment that the workspace block needs, in bytes. */
#define KERF_WORKSPACE_ALIGN 8u

/* In place: bytes of workspace for the numbers of the sectors in a group. */
static inline size_t kerf_patcher_group(const struct kerf_header *header)
{
    return KERF_IN_PLACE ? sizeof(uint32_t) * header->group : 0;
}

/*
 * Bytes of workspace for a container with this header on this port: what the header declares (kerf_header_workspace)
 * plus the page buffer.
 */
static inline size_t kerf_patcher_workspace(const struct kerf_header *header, const struct kerf_port *port)
{
    return kerf_header_workspace(header) + kerf_patcher_group(header) + port->page_size + 16;
}

/* The smallest workspace that kerf_patcher_init() takes, whatever the container. */
static inline size_t kerf_patcher_workspace_min(const struct kerf_port *port)
{
    return (size_t)KERF_WORKSPACE_STATE + 64 + KERF_CHUNK_MIN + port->page_size + 16;
}

/*
 * True if the port keeps all that is said of it above: callbacks, sizes and what divides what. No other function looks,
 * and none works with a port that doesn't: ask while you write one (an assertion, a test). A product need not link
 * this.
 */
bool kerf_port_fits(const struct kerf_port *port);

/* kerf_patcher_init() and kerf_patcher_resume(), which see. */
KERF_MUST_USE kerf_err kerf_patcher_start(struct kerf_patcher *patcher, size_t workspace_len,
                                          const struct kerf_port *port, const struct kerf_patcher_expect *expect,
                                          unsigned options);
KERF_MUST_USE kerf_err kerf_patcher_load(struct kerf_patcher *patcher, size_t workspace_len,
                                         const struct kerf_port *port, const struct kerf_patcher_expect *expect);

/*
 * Begins an apply. `workspace`, aligned to KERF_WORKSPACE_ALIGN, is owned by the patcher until the apply is over; it
 * may be copied and moved between calls. `expect` is copied; NULL means by hand. `options`: KERF_PATCHER_, or 0.
 * KERF_ERR_RAM: too small even to begin. *patcher is the handle (the workspace itself).
 */
KERF_MUST_USE static inline kerf_err kerf_patcher_init(void *workspace, size_t workspace_len,
                                                       const struct kerf_port *port,
                                                       const struct kerf_patcher_expect *expect, unsigned options,
                                                       struct kerf_patcher **patcher)
{
    *patcher = (struct kerf_patcher *)workspace;
    return kerf_patcher_start(*patcher, workspace_len, port, expect, options);
}

/*
 * Takes delta bytes, in pieces of any size, and does a bounded piece of work: at most the `data` taken and hashed, or a
 * page decoded, or one hashed, or one written, where it begins a sector with the erase of that. *used says how many
 * bytes of `data` were taken; the rest must be fed again. `data` is not kept.
 *   KERF_MORE_INPUT  all of `data` was taken and more is needed
 *   KERF_MORE_WORK   call again, with the rest of `data` (len may be 0)
 *   KERF_END         the new image is complete and verified; bytes fed after it are KERF_ERR_TRAILING
 *   an error         the apply has failed and stays failed
 */
KERF_MUST_USE kerf_err kerf_patcher_feed(struct kerf_patcher *patcher, const struct kerf_port *port,
                                         const uint8_t *data, size_t len, size_t *used);

/* Says that no more input will come: KERF_ERR_TRUNCATED, or KERF_END after feed() said so. */
KERF_MUST_USE static inline kerf_err kerf_patcher_finish(struct kerf_patcher *patcher)
{
    if (patcher->err == 0) {
        patcher->phase = KERF_PHASE_FAILED;
        patcher->err = KERF_ERROR(KERF_ERR_TRUNCATED);
    }
    return kerf_error(patcher->err);
}

/* Gives up; the slot holds a part of the new image. The apply stays failed with KERF_ERR_STATE. */
static inline void kerf_patcher_abort(struct kerf_patcher *patcher)
{
    patcher->phase = KERF_PHASE_FAILED;
    patcher->err = KERF_ERROR(KERF_ERR_STATE);
}

/* Bytes of new produced so far, in place with those of old that are kept. */
static inline kerf_pos kerf_patcher_new_pos(const struct kerf_patcher *patcher)
{
#if KERF_JOURNAL
    return patcher->out_pos + (kerf_pos)patcher->page_len;
#else
    return patcher->page_pos + (kerf_pos)patcher->page_len;
#endif
}

static inline void kerf_patcher_status(const struct kerf_patcher *patcher, struct kerf_patcher_status *status)
{
    status->phase = (enum kerf_patcher_phase)patcher->phase;
    status->err = patcher->phase == KERF_PHASE_FAILED ? kerf_error(patcher->err) : KERF_OK;
    status->delta_pos = patcher->delta_pos;
    status->new_size = patcher->header.new_size;
    status->new_pos = kerf_patcher_new_pos(patcher);
    if (status->new_pos > status->new_size) {
        status->new_pos = status->new_size;
    }
    status->verified_pos = patcher->phase == KERF_PHASE_DONE ? status->new_size : patcher->verified_pos;
    status->payload_digest = patcher->payload_digest;
    status->target_digest = patcher->digest;
}

/*
 * --- Power cuts (not in builds with KERF_JOURNAL 0) ---
 *
 * A checkpoint is a copy of the workspace, buffered input included, taken where the output reaches the border of a
 * sector. The journal holds two of them, one in each half, written in turn; the newest valid one wins. Each is
 *
 *     body: the workspace from the header on, without the page buffer | mark 1 | mark 2 | in place: mark 3
 *
 * where a mark is the first 16 bytes of the body's SHA-256, in spare_unit bytes; mark 1 is programmed once the body is,
 * and flushed, and makes the checkpoint valid. So nothing that a cut leaves half erased or half programmed is ever
 * taken for one, whatever is left of the checkpoint that was there before.
 * But what was programmed when power went may read right once and wrong the next time, or the other way round: mark 2
 * says that mark 1 is done. So at a restart a checkpoint is taken before anything else is written: without mark 2,
 * while the older one is there, the same once more in its place; else a newer one, in place of what may be left of
 * such. The layout of the body is this build's: another build of the patcher finds no checkpoint in it.
 *
 *     at every start:  kerf_patcher_resume()
 *       KERF_OK        feed() the container from kerf_patcher_status.delta_pos on (Range: bytes=delta_pos-), to which nothing
 *                      may be left: call feed() all the same, with length 0, until it says KERF_END
 *       KERF_NONE      nothing to resume: kerf_patcher_init(), and feed() the container from its beginning
 *     at KERF_END, and after the boot loader was told:  kerf_patcher_forget()
 *
 * A new apply empties the journal, after all that is checked before the first write, and takes its first checkpoint.
 * Wear, in erases per update: in two slots each sector of the slot once, and once more for each cut in it; in each half
 * of the journal, each sector that the body reaches for every other checkpoint of (bytes of new / interval) + 1, and
 * the first sector once more at the beginning; all of one half for each restart.
 */

/*
 * --- In place (not in builds with KERF_IN_PLACE 0) ---
 *
 * One slot holds the old image, and read_old() and read_new() both read it. The delta was made for it (kerf-diff
 * --in-place): its header says the size of a sector, which is a multiple of page_size and of the port's sectors, which
 * are powers of 2 then, and how many of them are copied at a time (the group). A journal is needed, and in the spare
 * area behind it the scratch that the header says; the slot holds both images, and the sectors behind them that the
 * header says, in whole sectors. Where the group is 1, the delta may have sectors of slot and scratch hold what is
 * still needed of old: those are made and copied like sectors of new, and a sector of the slot does that once at most,
 * one behind both images twice. Sectors are made in scratch; a checkpoint is taken; they are copied to the slot, whole,
 * again after each cut until all are there; mark 3 says that. From the first checkpoint on it stands for the old
 * image's digest: after a cut it is resumed whatever the slot holds, and KERF_NONE means that nothing was changed. So
 * kerf_patcher_resume() comes first at every start, before anything boots from the slot, and kerf_patcher_forget()
 * before the next update.
 *
 * Wear per update: each sector of the slot that new reaches once, twice where it held old for a while (and once more
 * for each cut while its group was copied), a scratch sector once a group, the others once for each time that they hold
 * old (kerf-diff --json says how often the sectors are erased that wear most), of each half of the journal every sector
 * once in two groups (and of one half for each restart).
 */

/*
 * Bytes of journal (kerf_port.journal_size) that a container with this header needs on this port: two halves, each a
 * workspace without page, and the marks, rounded up to sectors.
 */
size_t kerf_patcher_journal(const struct kerf_header *header, const struct kerf_port *port);

/*
 * Goes on where the newest checkpoint was taken. Workspace and port as for kerf_patcher_init(): the workspace must be
 * as large as the container needs, what was expected and the options are remembered. Writes nothing. With `expect` and
 * chunk0_known only an apply of that payload is resumed; without, any, and bytes of another payload fail with
 * KERF_ERR_CHUNK.
 *   KERF_OK    *patcher goes on; what was fed before status.delta_pos isn't needed again
 *   KERF_NONE  there is no valid checkpoint (of this payload)
 *   KERF_ERR_RAM as kerf_patcher_init(), or an error of the port
 */
KERF_MUST_USE static inline kerf_err kerf_patcher_resume(void *workspace, size_t workspace_len,
                                                         const struct kerf_port *port,
                                                         const struct kerf_patcher_expect *expect,
                                                         struct kerf_patcher **patcher)
{
    *patcher = (struct kerf_patcher *)workspace;
    return kerf_patcher_load(*patcher, workspace_len, port, expect);
}

/*
 * Forgets the apply: two erases, the older checkpoint first, so that a cut between them loses nothing. A cut in the
 * second may leave no checkpoint: then kerf_patcher_resume() says KERF_NONE of an update that is done, which in place
 * is told from one that never began by what the slot holds (the digest of old, or of new).
 */
KERF_MUST_USE kerf_err kerf_patcher_forget(const struct kerf_patcher *patcher, const struct kerf_port *port);

/* Which ISAs this build decodes: bit (1 << enum kerf_isa_id). */
static inline uint32_t kerf_patcher_isas(void)
{
    return KERF_ISAS_KNOWN;
}

#ifdef __cplusplus
}
#endif

#endif
