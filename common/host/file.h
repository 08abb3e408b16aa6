/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h - whole files in, whole files out; on the host.
 *
 * What is written appears under its name complete and on disk, or not at all: the bytes go to a temporary file in the
 * same folder (.kerf-*.tmp), which is synced, renamed over the name, and its folder synced. Whatever fails, the
 * temporary file is removed and an existing file of that name is left as it was. A symbolic link is followed: the file
 * it points to is replaced. A name that exists and is not a regular file (a folder, /dev/null) is refused.
 *
 * Errors: KERF_ERR_FLASH for anything the operating system refuses, KERF_ERR_RAM for no memory, KERF_ERR_SPACE where a
 * caller's limit is exceeded; `why` (may be NULL) has the line for people.
 */
#ifndef KERF_COMMON_HOST_FILE_H
#define KERF_COMMON_HOST_FILE_H

#include <sys/types.h>

#include "common/error.h"
#include "common/host/why.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Reads a whole file, or standard input where path is "-". *data is malloc'ed, owned by the caller (free), never NULL
 * on success, and followed by KERF_FILE_PAD zero bytes that *len does not count, for readers that look ahead.
 * KERF_ERR_SPACE: longer than max_len bytes (SIZE_MAX: no limit).
 */
#define KERF_FILE_PAD 64u
KERF_MUST_USE kerf_err kerf_file_read(const char *path, size_t max_len, uint8_t **data, size_t *len,
                                      struct kerf_why *why);

/*
 * Writes a whole file at once, durably and atomically. `mode` are its permissions (umask is not applied, 0600 means
 * 0600); 0 means those of the file that it replaces, or 0666 less umask for a new one.
 */
KERF_MUST_USE kerf_err kerf_file_write(const char *path, mode_t mode, const uint8_t *data, size_t len,
                                       struct kerf_why *why);
/* The same, but for what can be made again: whole or not at all too, and on the disk when the system likes. */
KERF_MUST_USE kerf_err kerf_file_write_unsynced(const char *path, mode_t mode, const uint8_t *data, size_t len,
                                                struct kerf_why *why);

/*
 * Room on the disk for the first `len` bytes of the regular file `fd`, whose length stays; `path` names it in messages.
 * KERF_ERR_FLASH: there is none. Where that can't be told, all is well.
 */
KERF_MUST_USE kerf_err kerf_file_reserve(int fd, const char *path, uint64_t len, struct kerf_why *why);

/* Makes what was made, renamed or removed in the folder of `path` durable. */
KERF_MUST_USE kerf_err kerf_file_sync_folder(const char *path, struct kerf_why *why);

/* Creates a folder and those above it where they are missing (0777 less umask). An existing folder is fine. */
KERF_MUST_USE kerf_err kerf_file_make_dirs(const char *path, struct kerf_why *why);

/* A file in the making. Set it to KERF_FILE_WRITER_NONE before first use; abort is then always safe. */
struct kerf_file_writer {
    int fd;          /* the temporary file, open for reading and writing; -1: none */
    char *path;      /* final name, links resolved; owned */
    char *temp_path; /* owned */
    uint64_t len;    /* end of what was written, where append continues; bytes */
    bool unsynced; /* may be set: what is written can be made again, and need not be on the disk when commit returns */
};

#define KERF_FILE_WRITER_NONE                                                                                          \
    {                                                                                                                  \
        -1, NULL, NULL, 0, false                                                                                       \
    }

/* Creates the temporary file. `mode` as in kerf_file_write(). */
KERF_MUST_USE kerf_err kerf_file_writer_begin(struct kerf_file_writer *w, const char *path, mode_t mode,
                                              struct kerf_why *why);
/* Writes at the end. */
KERF_MUST_USE kerf_err kerf_file_writer_append(struct kerf_file_writer *w, const uint8_t *data, size_t len,
                                               struct kerf_why *why);
/* Makes the file appear under its name. The writer is empty afterwards, also after an error. */
KERF_MUST_USE kerf_err kerf_file_writer_commit(struct kerf_file_writer *w, struct kerf_why *why);
/* Removes the temporary file. Does nothing to an empty writer. */
void kerf_file_writer_abort(struct kerf_file_writer *w);

#ifdef __cplusplus
}
#endif

#endif
