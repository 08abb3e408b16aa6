/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* asprintf, fallocate */
#define _FILE_OFFSET_BITS 64
#include "common/host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP ((size_t)65536)

static kerf_err no_memory(struct kerf_why *why)
{
    kerf_why_set(why, "out of memory: free some memory");
    return KERF_ERR_RAM;
}

static kerf_err too_large(const char *path, size_t max_len, struct kerf_why *why)
{
    kerf_why_set(why, "'%s' is larger than %zu bytes, the most this can be: check that it is the right file", path,
                 max_len);
    return KERF_ERR_SPACE;
}

/* Reads fd to its end, with `hint` bytes expected. */
static kerf_err read_all(int fd, const char *path, size_t hint, size_t max_len, uint8_t **data, size_t *len,
                         struct kerf_why *why)
{
    size_t cap = hint < max_len ? hint + 1 : READ_STEP; /* one more, to see the end without growing */
    uint8_t *buf = malloc(cap + KERF_FILE_PAD);
    size_t n = 0;

    if (buf == NULL) {
        return no_memory(why);
    }
    for (;;) {
        if (n == cap) {
            size_t larger = cap > SIZE_MAX / 2 - KERF_FILE_PAD ? 0 : cap * 2;
            uint8_t *grown = larger == 0 ? NULL : realloc(buf, larger + KERF_FILE_PAD);

            if (grown == NULL) {
                free(buf);
                return no_memory(why);
            }
            buf = grown;
            cap = larger;
        }
        ssize_t got = read(fd, buf + n, cap - n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            kerf_why_errno(why, "read", path, errno);
            free(buf);
            return KERF_ERR_FLASH;
        }
        if (got == 0) {
            break;
        }
        n += (size_t)got;
        if (n > max_len) {
            free(buf);
            return too_large(path, max_len, why);
        }
    }
    memset(buf + n, 0, KERF_FILE_PAD);
    *data = buf;
    *len = n;
    return KERF_OK;
}

kerf_err kerf_file_read(const char *path, size_t max_len, uint8_t **data, size_t *len, struct kerf_why *why)
{
    struct stat st;
    size_t hint = 0;
    kerf_err err;

    if (strcmp(path, "-") == 0) {
        return read_all(STDIN_FILENO, path, READ_STEP, max_len, data, len, why);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        kerf_why_errno(why, "read", path, errno);
        return KERF_ERR_FLASH;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        hint = (uint64_t)st.st_size < SIZE_MAX / 2 ? (size_t)st.st_size : 0;
    }
    err = hint > max_len ? too_large(path, max_len, why) : read_all(fd, path, hint, max_len, data, len, why);
    (void)close(fd);
    return err;
}

/* malloc'ed folder of `path`, "." for a bare name. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL) {
        return strdup(".");
    }
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* Opens a new file of a random name next to `path`. Returns its descriptor, or -1 with errno. */
static int open_temp(const char *path, char **temp_path)
{
    char *folder = folder_of(path);
    int fd = -1;

    *temp_path = NULL;
    for (unsigned tries = 0; folder != NULL && tries < 100; tries++) {
        uint64_t tag;

        if (getrandom(&tag, sizeof tag, 0) != (ssize_t)sizeof tag ||
            asprintf(temp_path, "%s/.kerf-%016" PRIx64 ".tmp", folder, tag) < 0) {
            *temp_path = NULL;
            break;
        }
        /* Not mkstemp: its fixed 0600 can't be turned into "0666 less umask" without races between threads. */
        fd = open(*temp_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) {
            break;
        }
        free(*temp_path);
        *temp_path = NULL;
    }
    int saved = errno;
    free(folder);
    errno = saved;
    return fd;
}

/* Gives the temporary file its permissions: `mode`, or those (and, if we may, the owner) of the file it replaces. */
static int set_permissions(int fd, mode_t mode, const struct stat *replaced)
{
    if (mode != 0) {
        return fchmod(fd, mode);
    }
    if (replaced != NULL) {
        if (fchown(fd, replaced->st_uid, replaced->st_gid) != 0) {
            return fchmod(fd, replaced->st_mode & 0777); /* not our file: never hand on set-user-id bits */
        }
        return fchmod(fd, replaced->st_mode & 07777);
    }
    return 0;
}

kerf_err kerf_file_writer_begin(struct kerf_file_writer *w, const char *path, mode_t mode, struct kerf_why *why)
{
    struct stat st;
    bool exists = stat(path, &st) == 0;

    *w = (struct kerf_file_writer)KERF_FILE_WRITER_NONE;
    if (exists && !S_ISREG(st.st_mode)) {
        kerf_why_set(why, "can't write '%s': it exists and is not a regular file: name another file", path);
        return KERF_ERR_FLASH;
    }
    if (path[0] == '\0' || path[strlen(path) - 1] == '/') {
        kerf_why_errno(why, "write", path, path[0] == '\0' ? ENOENT : EISDIR);
        return KERF_ERR_FLASH;
    }
    w->path = exists ? realpath(path, NULL) : strdup(path);
    if (w->path != NULL) {
        w->fd = open_temp(w->path, &w->temp_path);
    }
    if (w->fd < 0 || set_permissions(w->fd, mode, exists ? &st : NULL) != 0) {
        kerf_why_errno(why, "write", path, errno);
        kerf_file_writer_abort(w);
        return KERF_ERR_FLASH;
    }
    return KERF_OK;
}

kerf_err kerf_file_writer_append(struct kerf_file_writer *w, const uint8_t *data, size_t len, struct kerf_why *why)
{
    if (len > INT64_MAX - w->len) {
        kerf_why_errno(why, "write", w->path, EFBIG);
        return KERF_ERR_FLASH;
    }
    while (len > 0) {
        ssize_t n = pwrite(w->fd, data, len, (off_t)w->len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            kerf_why_errno(why, "write", w->path, n < 0 ? errno : ENOSPC);
            return KERF_ERR_FLASH;
        }
        data += n;
        len -= (size_t)n;
        w->len += (uint64_t)n;
    }
    return KERF_OK;
}

static kerf_err writer_sync(struct kerf_file_writer *w, struct kerf_why *why)
{
    if (fsync(w->fd) != 0) {
        kerf_why_errno(why, "write", w->path, errno);
        return KERF_ERR_FLASH;
    }
    return KERF_OK;
}

kerf_err kerf_file_reserve(int fd, const char *path, uint64_t len, struct kerf_why *why)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || len == 0 || len > INT64_MAX ||
        fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)len) == 0 || (errno != ENOSPC && errno != EDQUOT)) {
        return KERF_OK;
    }
    kerf_why_errno(why, "write", path, errno);
    return KERF_ERR_FLASH;
}

/* Some file systems can't sync a folder (EINVAL): nothing is lost then. */
kerf_err kerf_file_sync_folder(const char *path, struct kerf_why *why)
{
    char *folder = folder_of(path);
    int fd = folder == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    kerf_err err = KERF_OK;

    /* A folder that may be written but not read (EACCES) can't be opened to be synced. */
    if (fd < 0 ? errno != EACCES : fsync(fd) != 0 && errno != EINVAL) {
        kerf_why_errno(why, "sync the folder of", path, errno);
        err = KERF_ERR_FLASH;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(folder);
    return err;
}

kerf_err kerf_file_writer_commit(struct kerf_file_writer *w, struct kerf_why *why)
{
    kerf_err err = w->unsynced ? KERF_OK : writer_sync(w, why);

    if (err == KERF_OK) {
        int closed = close(w->fd); /* a network file system may report a full disk only here */

        w->fd = -1;
        if (closed != 0 || rename(w->temp_path, w->path) != 0) {
            kerf_why_errno(why, "write", w->path, errno);
            err = KERF_ERR_FLASH;
        }
    }
    if (err == KERF_OK) {
        free(w->temp_path);
        w->temp_path = NULL;
        err = w->unsynced ? KERF_OK : kerf_file_sync_folder(w->path, why);
    }
    kerf_file_writer_abort(w);
    return err;
}

void kerf_file_writer_abort(struct kerf_file_writer *w)
{
    int saved = errno;

    if (w->fd >= 0) {
        (void)close(w->fd);
    }
    if (w->temp_path != NULL) {
        (void)unlink(w->temp_path);
    }
    free(w->temp_path);
    free(w->path);
    *w = (struct kerf_file_writer)KERF_FILE_WRITER_NONE;
    errno = saved;
}

static kerf_err write_all(const char *path, mode_t mode, bool unsynced, const uint8_t *data, size_t len,
                          struct kerf_why *why)
{
    struct kerf_file_writer w;
    kerf_err err = kerf_file_writer_begin(&w, path, mode, why);

    w.unsynced = unsynced;
    if (err == KERF_OK) {
        err = kerf_file_writer_append(&w, data, len, why);
    }
    if (err == KERF_OK) {
        return kerf_file_writer_commit(&w, why);
    }
    kerf_file_writer_abort(&w);
    return err;
}

kerf_err kerf_file_write(const char *path, mode_t mode, const uint8_t *data, size_t len, struct kerf_why *why)
{
    return write_all(path, mode, false, data, len, why);
}

kerf_err kerf_file_write_unsynced(const char *path, mode_t mode, const uint8_t *data, size_t len, struct kerf_why *why)
{
    return write_all(path, mode, true, data, len, why);
}

kerf_err kerf_file_make_dirs(const char *path, struct kerf_why *why)
{
    char *part = strdup(path);
    struct stat st;

    if (part == NULL) {
        return no_memory(why);
    }
    for (char *c = part; *c != '\0';) {
        c += strspn(c, "/");
        c += strcspn(c, "/");
        char kept = *c;
        *c = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST) {
            kerf_why_errno(why, "make the folder", part, errno);
            free(part);
            return KERF_ERR_FLASH;
        }
        *c = kept;
    }
    free(part);
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        kerf_why_set(why, "can't make the folder '%s': a file has that name: choose another", path);
        return KERF_ERR_FLASH;
    }
    return KERF_OK;
}
