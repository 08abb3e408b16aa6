/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C library's calls, as the linker's --wrap turns them here: to the model, or to the system. Both names of each, as
 * it depends on _FILE_OFFSET_BITS which one a file uses.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/file_model.h"

/* Declares the system's function and ours. */
#define CALL(result, name, ...)                                                                                        \
    result __real_##name(__VA_ARGS__);                                                                                 \
    result __wrap_##name(__VA_ARGS__);                                                                                 \
    result __wrap_##name(__VA_ARGS__)

static bool is_ours(int fd)
{
    return fd >= MODEL_FD;
}

static mode_t mode_of(int flags, va_list args)
{
    return (flags & O_CREAT) != 0 ? (mode_t)va_arg(args, unsigned) : 0;
}

#define OPEN(name)                                                                                                     \
    CALL(int, name, const char *path, int flags, ...)                                                                  \
    {                                                                                                                  \
        va_list args;                                                                                                  \
        va_start(args, flags);                                                                                         \
        mode_t mode = mode_of(flags, args);                                                                            \
        va_end(args);                                                                                                  \
        return model_has(path) ? model_open(path, flags) : __real_##name(path, flags, mode);                           \
    }

OPEN(open)
OPEN(open64)

CALL(int, close, int fd)
{
    return is_ours(fd) ? model_close(fd) : __real_close(fd);
}

CALL(ssize_t, read, int fd, void *buf, size_t len)
{
    if (!is_ours(fd)) {
        return __real_read(fd, buf, len);
    }
    uint64_t *pos = model_pos(fd);
    ssize_t n = model_read(fd, buf, len, *pos);

    *pos += n > 0 ? (uint64_t)n : 0;
    return n;
}

#define POSITIONED(name, buffer, model)                                                                                \
    CALL(ssize_t, name, int fd, buffer buf, size_t len, off_t pos)                                                     \
    {                                                                                                                  \
        return is_ours(fd) ? model(fd, buf, len, (uint64_t)pos) : __real_##name(fd, buf, len, pos);                    \
    }

POSITIONED(pread, void *, model_read)
POSITIONED(pread64, void *, model_read)
POSITIONED(pwrite, const void *, model_write)
POSITIONED(pwrite64, const void *, model_write)

static int fill_stat(const char *path, int fd, struct stat *st)
{
    bool device;
    bool folder;
    uint64_t len;
    uint64_t number;

    if (model_stat(path, fd, &device, &folder, &len, &number) != 0) {
        return -1;
    }
    memset(st, 0, sizeof *st);
    st->st_mode = (mode_t)((folder ? S_IFDIR : device ? S_IFBLK : S_IFREG) | 0644);
    st->st_size = device ? 0 : (off_t)len;
    st->st_ino = (ino_t)number;
    st->st_rdev = device ? (dev_t)number : 0;
    st->st_uid = getuid();
    st->st_gid = getgid();
    return 0;
}

#define STAT(name)                                                                                                     \
    CALL(int, name, const char *path, struct stat *st)                                                                 \
    {                                                                                                                  \
        return model_has(path) ? fill_stat(path, -1, st) : __real_##name(path, st);                                    \
    }
#define FSTAT(name)                                                                                                    \
    CALL(int, name, int fd, struct stat *st)                                                                           \
    {                                                                                                                  \
        return is_ours(fd) ? fill_stat(NULL, fd, st) : __real_##name(fd, st);                                          \
    }

STAT(stat)
STAT(stat64)
FSTAT(fstat)
FSTAT(fstat64)

static off_t seek(int fd, off_t pos, int whence)
{
    struct stat st;
    bool device;
    bool folder;
    uint64_t len;
    uint64_t number;

    if (fill_stat(NULL, fd, &st) != 0 || model_stat(NULL, fd, &device, &folder, &len, &number) != 0) {
        return -1;
    }
    *model_pos(fd) = (uint64_t)pos + (whence == SEEK_END ? len : whence == SEEK_CUR ? *model_pos(fd) : 0);
    return (off_t)*model_pos(fd);
}

#define SEEK(name)                                                                                                     \
    CALL(off_t, name, int fd, off_t pos, int whence)                                                                   \
    {                                                                                                                  \
        return is_ours(fd) ? seek(fd, pos, whence) : __real_##name(fd, pos, whence);                                   \
    }
#define TRUNCATE(name)                                                                                                 \
    CALL(int, name, int fd, off_t len)                                                                                 \
    {                                                                                                                  \
        return is_ours(fd) ? model_truncate(fd, (uint64_t)len) : __real_##name(fd, len);                               \
    }
#define ADVISE(name)                                                                                                   \
    CALL(int, name, int fd, off_t pos, off_t len, int advice)                                                          \
    {                                                                                                                  \
        return is_ours(fd) ? 0 : __real_##name(fd, pos, len, advice);                                                  \
    }

SEEK(lseek)
SEEK(lseek64)
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)
ADVISE(posix_fadvise)
ADVISE(posix_fadvise64)

CALL(int, fsync, int fd)
{
    return is_ours(fd) ? model_sync(fd) : __real_fsync(fd);
}

CALL(int, rename, const char *from, const char *to)
{
    return model_has(from) ? model_rename(from, to) : __real_rename(from, to);
}

CALL(int, unlink, const char *path)
{
    return model_has(path) ? model_unlink(path) : __real_unlink(path);
}

CALL(int, access, const char *path, int mode)
{
    struct stat st;

    return model_has(path) ? fill_stat(path, -1, &st) : __real_access(path, mode);
}

CALL(char *, realpath, const char *path, char *resolved)
{
    return model_has(path) ? strdup(path) : __real_realpath(path, resolved);
}

CALL(int, fchmod, int fd, mode_t mode)
{
    return is_ours(fd) ? 0 : __real_fchmod(fd, mode);
}

CALL(int, fchown, int fd, uid_t uid, gid_t gid)
{
    return is_ours(fd) ? 0 : __real_fchown(fd, uid, gid);
}
