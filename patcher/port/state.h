/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.h - what a device with two slots knows of itself, in one small file that is replaced whole.
 *
 * The file is JSON, {"sum":"...","state":{...}}: `sum` is the beginning of the SHA-256 of the state as it is written,
 * so that a file that a dying disk has torn or changed is noticed and not acted on. Reentrant.
 */
#ifndef KERF_PATCHER_PORT_STATE_H
#define KERF_PATCHER_PORT_STATE_H

#include "common/host/protocol.h"
#include "common/host/why.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KERF_STATE_MAX 16384u /* bytes of the file */
#define KERF_SLOTS 2u

/* What one slot holds. */
struct kerf_slot_image {
    bool valid;                       /* false: nothing that may be booted; the rest is zero */
    char version[KERF_NAME_CAP];      /* may be empty: not known */
    uint64_t size;                    /* bytes of the image, from the beginning of the slot */
    struct kerf_sha256_digest digest; /* of these bytes, as they were when it was installed */
    uint64_t release;                 /* seq of the release it came with; 0: not by an update */
    uint64_t sc;                      /* security counter of that release */
};

struct kerf_device_state {
    unsigned active; /* the slot that boots: 0 (a) or 1 (b) */
    bool confirmed;  /* the active image was found to work; false: the other slot is the way back */
    struct kerf_slot_image slots[KERF_SLOTS];
    uint64_t release_seq;          /* newest release the device has accepted: older ones are refused */
    uint64_t sc;                   /* security counter of the newest confirmed image: lower ones are refused */
    uint32_t boots;                /* times the slots were switched */
    char txn[KERF_NAME_CAP];       /* of the latest update, begun or finished; empty: none yet */
    uint32_t report_seq;           /* reports made about it */
    struct kerf_last_attempt last; /* how the latest update failed; txn is empty when it did not */
};

/* Reads text[0..len). KERF_ERR_FORMAT: torn, changed or not a state; KERF_ERR_VERSION; KERF_ERR_RAM. */
KERF_MUST_USE kerf_err kerf_state_parse(const char *text, size_t len, struct kerf_device_state *state,
                                        struct kerf_why *why);

/* *text is malloc'ed, ends with a 0 that *len doesn't count, and belongs to the caller (free). */
KERF_MUST_USE kerf_err kerf_state_format(const struct kerf_device_state *state, char **text, size_t *len);

/*
 * Reads the file. *found is false when there is none, which is no error: the state is then all zero. Errors of
 * kerf_state_parse() and kerf_file_read().
 */
KERF_MUST_USE kerf_err kerf_state_load(const char *path, struct kerf_device_state *state, bool *found,
                                       struct kerf_why *why);

/* Replaces the file, durably: after a power cut it is the old one or the new one. */
KERF_MUST_USE kerf_err kerf_state_save(const char *path, const struct kerf_device_state *state, struct kerf_why *why);

#ifdef __cplusplus
}
#endif

#endif
