/* SPDX-License-Identifier: Apache-2.0 */
/*
 * posix.h - the patcher's port for POSIX systems: old and new are open files or block devices.
 *
 * Reads go through small caches (old is never mapped or held), SHA-256 is OpenSSL's, LZMA2 payloads are liblzma's.
 * Beside the workspace it takes KERF_POSIX_MEMORY bytes, and liblzma up to 80 MiB for an LZMA2 payload.
 *
 *     struct kerf_posix posix;
 *     kerf_posix_init(&posix, old_fd, "old.bin", new_fd, "new.bin", UINT64_MAX, &why)
 *     kerf_patcher_init(..., &posix.port, ...)      then feed() with &posix.port
 *     on KERF_ERR_FLASH or KERF_ERR_RAM: posix.why.text says what failed, unless it is empty
 *     kerf_posix_free(&posix)
 */
#ifndef KERF_PATCHER_PORT_POSIX_H
#define KERF_PATCHER_PORT_POSIX_H

#include <lzma.h>

#include "common/codec.h"
#include "common/host/hash.h"
#include "common/host/why.h"
#include "patcher/patcher.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KERF_POSIX_PAGE 65536u /* bytes of a write; page_size of the port */
#define KERF_POSIX_LINE 4096u  /* bytes of a read */
#define KERF_POSIX_OLD_LINES 16u
#define KERF_POSIX_NEW_LINES 8u
#define KERF_POSIX_MEMORY ((KERF_POSIX_OLD_LINES + KERF_POSIX_NEW_LINES) * KERF_POSIX_LINE)

/* Lines of a file, each at its place: line number modulo `count`. */
struct kerf_posix_cache {
    int fd;
    const char *name;
    uint64_t size;  /* bytes that may be read, from the beginning */
    unsigned count; /* lines */
    uint8_t *lines;
    uint64_t line_pos[KERF_POSIX_OLD_LINES]; /* which stretch a line holds; UINT64_MAX: none */
};

/* Not to be moved while in use: port.ctx points to it. */
struct kerf_posix {
    struct kerf_port port;
    struct kerf_order_of_learned order;
    struct kerf_why why;                          /* what the last callback that failed found; empty: nothing to say */
    struct kerf_posix_cache old_cache, new_cache; /* new_cache.size: end of what was written */
    struct kerf_hash hash;
    bool reread;   /* true: before new is verified, the system is asked to forget it, so that it is read from the disk.
                    The caller may set it after init; for slots */
    bool in_place; /* old and new are the same file. The caller may set it after init */
    uint64_t
        slot_len; /* in place: bytes that a file keeps at the end, as it is longer than the old image; 0: new's length */
    int spare_fd; /* journal_file.h: flushed with new; -1: none */
    const char *spare_name;
    bool chunk0_hashed;
    struct kerf_sha256_digest chunk0_digest; /* of chunk 0, once it was hashed */
    lzma_stream xz;
    bool xz_begun;
};

/*
 * Sets up the port. The descriptors stay the caller's: old_fd readable (-1: there is no old image, and a delta that
 * needs one fails with KERF_ERR_SOURCE), new_fd readable and writable. The names are for messages and must stay valid.
 * slot_size: bytes that new may take at most (UINT64_MAX: no limit). KERF_ERR_RAM: no memory.
 */
KERF_MUST_USE kerf_err kerf_posix_init(struct kerf_posix *posix, int old_fd, const char *old_name, int new_fd,
                                       const char *new_name, uint64_t slot_size, struct kerf_why *why);

/* Goes on with a new image of which some is written: reads may go to the end of the file. */
KERF_MUST_USE kerf_err kerf_posix_resumed(struct kerf_posix *posix);

/* Releases what init took; the descriptors stay open. Safe after a failed init. */
void kerf_posix_free(struct kerf_posix *posix);

/*
 * Bytes that can be read from an open file or block device. KERF_ERR_FLASH: it is neither (a pipe, a folder). *exact:
 * it is a regular file, so that an image in it has just this size; a device may be larger than the image in it.
 */
KERF_MUST_USE kerf_err kerf_posix_size(int fd, const char *name, uint64_t *size, bool *exact, struct kerf_why *why);

/*
 * Opens a slot to read and write it: a file (`create`: made where there is none), or a block device, exclusively: one
 * that is in use, mounted or part of another device, is refused, and so are character devices, raw flash (MTD) among
 * them, whose sectors nobody erases here. KERF_ERR_FLASH, and the reason in `why`.
 */
KERF_MUST_USE kerf_err kerf_posix_open_slot(const char *path, bool create, int *fd, struct kerf_why *why);

/*
 * Is the image with this digest in the first `len` bytes of an open file or block device? false also where it can't be
 * read. If so, *whole is all of the digest.
 */
bool kerf_posix_holds(int fd, uint64_t len, const struct kerf_digest *digest, struct kerf_sha256_digest *whole);

#ifdef __cplusplus
}
#endif

#endif
