/* SPDX-License-Identifier: Apache-2.0 */
/*
 * install.h - streams one payload through the patcher into the slot that doesn't boot.
 *
 * Nothing is believed but the signed release: the container's header must agree with it before the patcher sees a byte,
 * and the patcher authenticates every chunk from the digest of chunk 0 that the release states. The other slot isn't
 * written to before chunk 0 and the old image's digest are right. With a journal (journal_file.h) an install that was
 * cut off, by whatever end the process or the device came to, goes on in the next kerf_install_begin() for the same
 * payload. Memory, whatever the image size: the declared workspace, and the page and caches of posix.h.
 */
#ifndef KERF_PATCHER_PORT_INSTALL_H
#define KERF_PATCHER_PORT_INSTALL_H

#include "common/host/why.h"
#include "common/metadata.h"
#include "patcher/patcher.h"
#include "patcher/port/posix.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kerf_install_request {
    const char *old_path; /* slot that boots */
    uint64_t old_size;    /* bytes of the image in it */
    struct kerf_sha256_digest old_digest;
    const char *new_path;                   /* the other slot; a file is created where there is none */
    uint64_t slot_size;                     /* bytes that an image may take; 0: no limit but the device's */
    uint64_t ram;                           /* bytes of workspace, page buffer apart */
    bool lzma2;                             /* may liblzma's own memory (up to 80 MiB) be used? */
    const struct kerf_component *component; /* both out of the signed release; read during the whole install */
    const struct kerf_payload *payload;
    const char
        *journal_path;   /* where it keeps what it takes to go on after a cut, one for each new_path; NULL: nowhere */
    uint64_t checkpoint; /* bytes of new between two checkpoints; 0: journal_file.h's */
    void *ctx;           /* handed to: */
    /* Called once, before the other slot is changed for the first time: an error stops it there. */
    kerf_err (*claim)(void *ctx);
    /* Called often; `stage` is a literal. */
    void (*progress)(void *ctx, const char *stage, uint64_t done, uint64_t total);
};

/* Not to be moved while in use. */
struct kerf_install {
    struct kerf_posix posix; /* first: its port's ctx is also the install */
    struct kerf_port inner;  /* the callbacks of posix, before ours took their place */
    const struct kerf_install_request *request;
    int old_fd, new_fd, journal_fd; /* -1: not open */
    uint64_t resumed_from;          /* byte of the payload that feed() is to begin with; 0: not resumed */
    bool claimed;
    kerf_err err; /* stays once it is set; KERF_END when complete */
    uint8_t head[KERF_PROLOGUE_LEN + KERF_HEADER_MAX_LEN];
    size_t head_len;              /* bytes collected while `patcher` is NULL */
    void *workspace;              /* owned */
    size_t workspace_len;         /* bytes, page buffer included */
    struct kerf_patcher *patcher; /* NULL until the header was seen and agrees */
};

/*
 * Can this device take this payload at all? By what the release says alone; nothing is opened. KERF_OK, or
 * KERF_ERR_SOURCE (made for another old image), KERF_ERR_RAM, KERF_ERR_SPACE, KERF_ERR_UNSUPPORTED, KERF_ERR_MISMATCH
 * (the release contradicts itself).
 */
KERF_MUST_USE kerf_err kerf_install_fits(const struct kerf_install_request *request);

/*
 * Begins, or goes on where an install of the same payload was cut off; opens both slots and the journal. `request` must
 * stay valid. feed() wants the payload from install->resumed_from on. In any case kerf_install_close() afterwards.
 */
KERF_MUST_USE kerf_err kerf_install_begin(struct kerf_install *install, const struct kerf_install_request *request,
                                          struct kerf_why *why);

/* Takes the next bytes of the payload: a kerf_fetch_sink; `install` is a struct kerf_install. Errors stay. */
KERF_MUST_USE kerf_err kerf_install_feed(void *install, const uint8_t *data, size_t len);

/* What there is to say about an error beyond kerf_cli_err_text(): the file and the system's reason; "" for nothing. */
const char *kerf_install_why(const struct kerf_install *install);

/*
 * Says that there is no more. KERF_OK: the other slot holds the new image, whole, on disk, read back and right.
 * Otherwise the error that feed() gave, or KERF_ERR_TRUNCATED.
 */
KERF_MUST_USE kerf_err kerf_install_finish(struct kerf_install *install);

/* Releases everything; safe after a failed begin. */
void kerf_install_close(struct kerf_install *install);

/*
 * From which byte of the payload kerf_install_begin() would go on; 0: it would begin anew. Opens what is there for
 * reading alone.
 */
uint64_t kerf_install_position(const struct kerf_install_request *request);

/* Once it is finished, or has failed by more than the network: the next install begins anew. */
void kerf_install_forget(const struct kerf_install_request *request);

#ifdef __cplusplus
}
#endif

#endif
