/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_model.h - files and block devices in memory, of which a power cut loses, tears and reorders what was not synced.
 *
 * The linker puts it in place of the C library's calls (file_model_calls.c, -Wl,--wrap): paths under MODEL_ROOT are in
 * the model, all others are the system's. What a program writes is seen by its reads at once, and on disk is, of each
 * file, what fsync() of it has confirmed; of each folder, the names that fsync() of it has. After a cut there may be
 * any of the rest as well:
 *
 *   - each write, each change of a length, each name made, given to another file, or removed: done or not, whatever
 *   became of
 *     those before it; a rename is done whole or not at all
 *   - of a write each sector of 512 bytes by itself; one sector torn at any byte
 *   - a file longer than what of it was written: zeros, or bytes of someone else
 *
 * A cut comes before an operation that changes something (model_cut_at); from then on every call fails, and changes
 * nothing, until model_crash() has settled what is on disk and the next process may begin. Not reentrant. Aborts when
 * it is full.
 */
#ifndef KERF_TESTS_FILE_MODEL_H
#define KERF_TESTS_FILE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_ROOT "/model/" /* followed by FOLDER/NAME; all folders are there */
#define MODEL_NEVER UINT32_MAX

/* Forgets everything. */
void model_reset(void);

/* Puts a file, or a block device of that size, on disk. */
void model_put(const char *path, const uint8_t *data, size_t len, bool device);

/* What a process sees of a file; NULL: no such file. Valid until the next call. */
const uint8_t *model_get(const char *path, size_t *len);

/* Operations that change something, since the last of these two calls. */
uint32_t model_operations(void);

/* The next process: power goes before its operation `cut`, and its operation `fail` fails with EIO; MODEL_NEVER: never. */
void model_begin(uint32_t cut, uint32_t fail);
bool model_is_cut(void);

/* Of everything since it was last synced, how many changes are not on disk for sure. */
uint32_t model_pending(void);

/*
 * The power is back. `how` chooses what of these changes is there: 0 nothing, 1 everything, 2 the last one alone, 3 all
 * but the last, 4 the last two; MODEL_LENGTHS everything but bytes, so that what a file grew by is someone else's; from
 * MODEL_SUBSETS on each bit of how - MODEL_SUBSETS says of a change whether it is;
 * from MODEL_RANDOM on it is a seed for sectors, tears and lengths.
 */
#define MODEL_LENGTHS 5u
#define MODEL_SUBSETS 0x10000u
#define MODEL_RANDOM 0x20000000u
void model_crash(uint32_t how);

/* A copy of all there is, to come back to; model_free_copy(). */
struct model_copy;
struct model_copy *model_save(void);
void model_restore(const struct model_copy *copy);
void model_free_copy(struct model_copy *copy);

/* --- For file_model_calls.c: as the system's calls of these names; descriptors from MODEL_FD on are the model's. --- */

#define MODEL_FD 5000
bool model_has(const char *path);
int model_open(const char *path, int flags);
int model_close(int fd);
/* Returns how many bytes, or -1 with errno. */
long model_read(int fd, void *buf, size_t len, uint64_t pos);
long model_write(int fd, const void *buf, size_t len, uint64_t pos);
/* pos of read(): where a descriptor is. */
uint64_t *model_pos(int fd);
int model_truncate(int fd, uint64_t len);
int model_sync(int fd);
int model_rename(const char *from, const char *to);
int model_unlink(const char *path);
/* `path`, or NULL and fd. */
int model_stat(const char *path, int fd, bool *device, bool *folder, uint64_t *len, uint64_t *number);

#endif
