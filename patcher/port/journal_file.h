/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_file.h - the spare area of the POSIX port: journal and scratch in a file.
 *
 * The file, or block device, begins with a block that says its layout; the spare area (patcher.h) follows. Order on
 * disk: the file is emptied and synced, gets its layout and is synced, and so is its folder, all before the first write
 * to old or new. The patcher asks for a flush before each checkpoint (then new and scratch are synced) and after each
 * mark (then the mark is, and the body before it); a half of the journal that was erased is synced before anything is
 * written there. What was lost, torn or reordered between two fsyncs is only ever what no mark vouches for yet. So
 * nothing is believed of a file but what was synced: not its length, not its name.
 */
#ifndef KERF_PATCHER_PORT_JOURNAL_FILE_H
#define KERF_PATCHER_PORT_JOURNAL_FILE_H

#include "patcher/port/posix.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Takes up the journal in an open file (readable and writable; it stays the caller's). *found: it is one, and the port
 * has a spare area now, and its slot_len; *workspace_len then is as much workspace as kerf_patcher_resume() may need.
 * The file may be anything.
 */
KERF_MUST_USE kerf_err kerf_journal_file_open(struct kerf_posix *posix, int fd, const char *name, bool *found,
                                              size_t *workspace_len);

/*
 * Makes it a journal for a container with this header; in place with its scratch. Synced. A regular file is replaced by
 * another at `name`, its path: *fd is closed then, and is that file. Sets the port's page_size, too. `interval`: bytes
 * of new between two checkpoints, rounded up to 4096; 0: 1 MiB, or a 64th of new if that is more. In place the header
 * says it, and the port's slot_len is kept, too. KERF_ERR_SPACE: a device that is too small.
 */
KERF_MUST_USE kerf_err kerf_journal_file_create(struct kerf_posix *posix, int *fd, const char *name,
                                                const struct kerf_header *header, uint64_t interval);

/* Makes a journal that was opened or created one with nothing to go on from. For devices, which can't be removed. Synced. */
KERF_MUST_USE kerf_err kerf_journal_file_clear(struct kerf_posix *posix);

#ifdef __cplusplus
}
#endif

#endif
