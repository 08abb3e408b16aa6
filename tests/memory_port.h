/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory_port.h - a port over memory that is strict about the contract of struct kerf_port and can fail on demand.
 * A breach of the contract (reading what was not written, writing twice or unerased ...) aborts the program.
 */
#ifndef KERF_TESTS_MEMORY_PORT_H
#define KERF_TESTS_MEMORY_PORT_H

#include "common/sha256.h"
#include "patcher/patcher.h"

struct memory_port {
    struct kerf_port port;
    const uint8_t *old_image;
    size_t old_len;
    uint8_t *new_image; /* malloc'ed, slot_size bytes */
    kerf_pos written;   /* end of what was programmed */
    kerf_pos erased;    /* end of what was erased */
    bool hashing;
    struct kerf_sha256 sha;
    uint64_t quick;     /* instead of sha: pack.h */
    unsigned calls;     /* of read, write, erase, flush, hash */
    unsigned fail_at;   /* the call that fails, from 1; 0: none */
    bool fail_for_ever; /* and all after it */
    unsigned writes, erases, flushes;
};

void memory_port_init(struct memory_port *m, const uint8_t *old_image, size_t old_len, size_t slot_size,
                      uint32_t page_size, uint32_t sector_size);
void memory_port_free(struct memory_port *m);

/* A whole apply: workspace of workspace_len bytes, the delta in pieces of `piece` bytes. KERF_END or the error. */
kerf_err memory_port_apply(struct memory_port *m, const uint8_t *delta, size_t delta_len, size_t piece,
                           const struct kerf_patcher_expect *expect, unsigned options, size_t workspace_len,
                           struct kerf_patcher_status *status);

/* What kerf_patcher_workspace() says for a container; a small workspace where its header can't be read. */
size_t memory_port_workspace(const struct memory_port *m, const uint8_t *delta, size_t delta_len);

#endif
