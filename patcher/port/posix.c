/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include "patcher/port/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XZ_MEMORY_MAX ((uint64_t)80 << 20) /* what the largest preset of xz needs, and some */

static kerf_err read_at(struct kerf_posix *posix, const struct kerf_posix_cache *file, uint64_t pos, uint8_t *buf,
                        size_t len)
{
    while (len > 0) {
        ssize_t n = pos > INT64_MAX ? 0 : pread(file->fd, buf, len, (off_t)pos);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            if (n < 0) {
                kerf_why_errno(&posix->why, "read", file->name, errno);
            } else {
                kerf_why_set(&posix->why, "can't read '%s': it ends too early: check that nothing changes it meanwhile",
                             file->name);
            }
            return KERF_ERR_FLASH;
        }
        buf += n;
        len -= (size_t)n;
        pos += (uint64_t)n;
    }
    return KERF_OK;
}

/* Makes sure that the line which holds `pos` is in the cache; NULL: it can't be read. *len: bytes in it from pos on. */
static const uint8_t *line_at(struct kerf_posix *posix, struct kerf_posix_cache *cache, uint64_t pos, size_t *len)
{
    uint64_t start = pos & ~(uint64_t)(KERF_POSIX_LINE - 1);
    size_t line_len = cache->size - start < KERF_POSIX_LINE ? (size_t)(cache->size - start) : KERF_POSIX_LINE;
    unsigned slot = (unsigned)(start / KERF_POSIX_LINE % cache->count);
    uint8_t *line = cache->lines + (size_t)slot * KERF_POSIX_LINE;

    if (cache->line_pos[slot] != start) {
        cache->line_pos[slot] = UINT64_MAX;
        if (read_at(posix, cache, start, line, line_len) != KERF_OK) {
            return NULL;
        }
        /* A line that is not full yet must be read again once more was written. */
        if (line_len == KERF_POSIX_LINE) {
            cache->line_pos[slot] = start;
        }
    }
    *len = line_len - (size_t)(pos - start);
    return line + (pos - start);
}

static kerf_err read_cached(struct kerf_posix *posix, struct kerf_posix_cache *cache, uint64_t pos, uint8_t *buf,
                            size_t len)
{
    if (pos > cache->size || len > cache->size - pos) {
        kerf_why_set(&posix->why, "can't read '%s': it is shorter than it should be: check that it is the right file",
                     cache->name);
        return KERF_ERR_FLASH;
    }
    while (len > 0) {
        size_t n;
        const uint8_t *line = line_at(posix, cache, pos, &n);

        if (line == NULL) {
            return KERF_ERR_FLASH;
        }
        n = n < len ? n : len;
        memcpy(buf, line, n);
        pos += n;
        buf += n;
        len -= n;
    }
    return KERF_OK;
}

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    struct kerf_posix *posix = ctx;

    /* Without an old image, or with one that is too short, it is not the one the delta was made from. */
    if (pos > posix->old_cache.size || len > posix->old_cache.size - pos) {
        return KERF_ERR_SOURCE;
    }
    return read_cached(posix, &posix->old_cache, pos, buf, len);
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    struct kerf_posix *posix = ctx;
    uint64_t size = posix->new_cache.size;
    size_t there = len;

    if (posix->in_place) {
        /* The slot is as long as it must be; what the file does not hold yet is anything. */
        there = pos >= size ? 0 : size - pos < len ? (size_t)(size - pos) : len;
        memset(buf + there, 0, len - there);
    }
    return there == 0 ? KERF_OK : read_cached(posix, &posix->new_cache, pos, buf, there);
}

static void forget(struct kerf_posix_cache *cache)
{
    memset(cache->line_pos, 0xff, sizeof cache->line_pos);
}

static kerf_err write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    struct kerf_posix *posix = ctx;
    struct kerf_posix_cache *file = &posix->new_cache;
    uint64_t at = pos;

    if (at > INT64_MAX || len > INT64_MAX - at) {
        kerf_why_errno(&posix->why, "write", file->name, EFBIG);
        return KERF_ERR_FLASH;
    }
    while (len > 0) {
        ssize_t n = pwrite(file->fd, buf, len, (off_t)at);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            kerf_why_errno(&posix->why, "write", file->name, n < 0 ? errno : ENOSPC);
            return KERF_ERR_FLASH;
        }
        buf += n;
        len -= (size_t)n;
        at += (uint64_t)n;
    }
    file->size = posix->in_place && file->size > at ? file->size : at;
    if (posix->in_place) {
        forget(&posix->old_cache);
        forget(&posix->new_cache);
    }
    return KERF_OK;
}

/* A device that has nothing to sync (MTD, say) answers EINVAL. */
static kerf_err sync_file(struct kerf_posix *posix, int fd, const char *name)
{
    if (fsync(fd) != 0 && errno != EINVAL) {
        kerf_why_errno(&posix->why, "write", name, errno);
        return KERF_ERR_FLASH;
    }
    return KERF_OK;
}

static kerf_err flush_new(void *ctx)
{
    struct kerf_posix *posix = ctx;
    kerf_err err = sync_file(posix, posix->new_cache.fd, posix->new_cache.name);

    if (err == KERF_OK && posix->spare_fd >= 0) {
        err = sync_file(posix, posix->spare_fd, posix->spare_name);
    }
    if (err != KERF_OK) {
        return err;
    }
    forget(&posix->new_cache);
    if (posix->reread) {
        (void)posix_fadvise(posix->new_cache.fd, 0, 0, POSIX_FADV_DONTNEED); /* advice: may do nothing */
    }
    return KERF_OK;
}

static kerf_err hash(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                     struct kerf_sha256_digest *digest)
{
    struct kerf_posix *posix = ctx;
    kerf_err err = kerf_hash_hook(&posix->hash, op, data, len, digest);

    if (op == KERF_HASH_END && !posix->chunk0_hashed && err == KERF_OK) {
        posix->chunk0_hashed = true;
        posix->chunk0_digest = *digest;
    }
    return err;
}

static kerf_err unpack(void *ctx, const uint8_t *in, size_t in_len, bool last, size_t *in_used, uint8_t *out,
                       size_t out_cap, size_t *out_len)
{
    struct kerf_posix *posix = ctx;
    lzma_stream *xz = &posix->xz;
    lzma_ret ret = LZMA_OK;

    if (!posix->xz_begun) {
        ret = lzma_stream_decoder(xz, XZ_MEMORY_MAX, 0);
        posix->xz_begun = true;
    }
    xz->next_in = in;
    xz->avail_in = in_len;
    xz->next_out = out;
    xz->avail_out = out_cap;
    if (ret == LZMA_OK) {
        ret = lzma_code(xz, last ? LZMA_FINISH : LZMA_RUN);
    }
    *in_used = in_len - xz->avail_in;
    *out_len = out_cap - xz->avail_out;
    switch (ret) {
    case LZMA_OK:
        return KERF_OK;
    case LZMA_STREAM_END:
        return KERF_END;
    case LZMA_MEM_ERROR:
    case LZMA_MEMLIMIT_ERROR:
        kerf_why_set(&posix->why, "unpacking this payload takes more memory than there is: use another payload");
        return KERF_ERR_RAM;
    default:
        return KERF_ERR_CORRUPT;
    }
}

static kerf_err cache_init(struct kerf_posix_cache *cache, int fd, const char *name, uint64_t size, unsigned count)
{
    cache->fd = fd;
    cache->name = name;
    cache->size = size;
    cache->count = count;
    cache->lines = malloc((size_t)count * KERF_POSIX_LINE);
    forget(cache);
    return cache->lines == NULL ? KERF_ERR_RAM : KERF_OK;
}

kerf_err kerf_posix_init(struct kerf_posix *posix, int old_fd, const char *old_name, int new_fd, const char *new_name,
                         uint64_t slot_size, struct kerf_why *why)
{
    static const lzma_stream no_stream = LZMA_STREAM_INIT;
    uint64_t old_size = 0;
    kerf_err err = KERF_OK;

    memset(posix, 0, sizeof *posix);
    posix->xz = no_stream;
    posix->spare_fd = -1;
    posix->port.io.ctx = posix;
    posix->port.slot_size = slot_size;
    posix->port.page_size = KERF_POSIX_PAGE;
    posix->port.io.read_old = read_old;
    posix->port.io.read_new = read_new;
    posix->port.slot.write = write_new;
    posix->port.flush = flush_new;
    posix->port.hash = hash;
    posix->port.unpack = unpack;
    posix->port.io.order = &posix->order;
    if (old_fd >= 0) {
        bool exact;

        err = kerf_posix_size(old_fd, old_name, &old_size, &exact, why);
    }
    if (err != KERF_OK) {
        return err;
    }
    if (cache_init(&posix->old_cache, old_fd, old_name, old_size, KERF_POSIX_OLD_LINES) != KERF_OK ||
        cache_init(&posix->new_cache, new_fd, new_name, 0, KERF_POSIX_NEW_LINES) != KERF_OK) {
        kerf_why_set(why, "out of memory: free some memory");
        kerf_posix_free(posix);
        return KERF_ERR_RAM;
    }
    return KERF_OK;
}

kerf_err kerf_posix_resumed(struct kerf_posix *posix)
{
    bool exact;

    return kerf_posix_size(posix->new_cache.fd, posix->new_cache.name, &posix->new_cache.size, &exact, &posix->why);
}

void kerf_posix_free(struct kerf_posix *posix)
{
    free(posix->old_cache.lines);
    free(posix->new_cache.lines);
    posix->old_cache.lines = NULL;
    posix->new_cache.lines = NULL;
    kerf_hash_free(&posix->hash);
    lzma_end(&posix->xz);
}

kerf_err kerf_posix_size(int fd, const char *name, uint64_t *size, bool *exact, struct kerf_why *why)
{
    struct stat st;
    off_t end;

    if (fstat(fd, &st) != 0) {
        kerf_why_errno(why, "read", name, errno);
        return KERF_ERR_FLASH;
    }
    if (S_ISDIR(st.st_mode)) {
        kerf_why_errno(why, "read", name, EISDIR);
        return KERF_ERR_FLASH;
    }
    *exact = S_ISREG(st.st_mode);
    end = *exact ? st.st_size : lseek(fd, 0, SEEK_END);
    if (end < 0) {
        kerf_why_errno(why, "read", name, errno);
        return KERF_ERR_FLASH;
    }
    *size = (uint64_t)end;
    return KERF_OK;
}

kerf_err kerf_posix_open_slot(const char *path, bool create, int *fd, struct kerf_why *why)
{
    struct stat st;
    bool there = stat(path, &st) == 0;
    bool device = there && S_ISBLK(st.st_mode);

    *fd = -1;
    if (there && S_ISCHR(st.st_mode)) {
        kerf_why_set(
            why,
            "can't write '%s': it is a character device: name a file or block device; for raw flash (/dev/mtd0) "
            "its block device (/dev/mtdblock0)",
            path);
        return KERF_ERR_FLASH;
    }
    *fd = open(path, O_RDWR | O_CLOEXEC | (device ? O_EXCL : create ? O_CREAT : 0), create ? 0600 : 0);
    if (*fd < 0 && device && errno == EBUSY) {
        kerf_why_set(why, "can't write '%s': it is in use: unmount it, and end what else has it", path);
    } else if (*fd < 0) {
        kerf_why_errno(why, "write", path, errno);
    }
    return *fd < 0 ? KERF_ERR_FLASH : KERF_OK;
}

bool kerf_posix_holds(int fd, uint64_t len, const struct kerf_digest *digest, struct kerf_sha256_digest *whole)
{
    uint8_t buf[KERF_POSIX_LINE];
    struct kerf_hash hash = {NULL};
    kerf_err err = len > INT64_MAX ? KERF_ERR_FLASH : kerf_hash_begin(&hash);

    for (uint64_t pos = 0; err == KERF_OK && pos < len;) {
        size_t want = len - pos < sizeof buf ? (size_t)(len - pos) : sizeof buf;
        ssize_t n = pread(fd, buf, want, (off_t)pos);

        if (n > 0) {
            err = kerf_hash_add(&hash, buf, (size_t)n);
            pos += (uint64_t)n;
        } else if (n == 0 || errno != EINTR) {
            err = KERF_ERR_FLASH;
        }
    }
    if (err == KERF_OK) {
        err = kerf_hash_end(&hash, whole);
    }
    kerf_hash_free(&hash);
    return err == KERF_OK && memcmp(whole->b, digest->b, sizeof digest->b) == 0;
}
