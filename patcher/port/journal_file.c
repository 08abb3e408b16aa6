/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include "patcher/port/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/host/file.h"

#define HEAD_LEN 4096u
#define HEAD_USED 40u            /* the digest of these bytes follows them */
#define UNIT 512u                /* bytes of a mark: a disk's sector */
#define INTERVAL_MIN (1u << 20)  /* bytes of new between checkpoints, at least, unless it is said, */
#define CHECKPOINTS_MAX 64u      /* and no more of them than that */
#define PAGE_MAX KERF_POSIX_PAGE /* bytes of a write */
#define PAGE_MIN 4096u           /* the same where checkpoints are closer to each other */

static kerf_err refused(struct kerf_posix *posix, const char *verb)
{
    kerf_why_errno(&posix->why, verb, posix->spare_name, errno);
    return KERF_ERR_FLASH;
}

/* What was never written reads as zeros. */
static kerf_err read_at(struct kerf_posix *posix, uint64_t pos, uint8_t *buf, size_t len)
{
    while (len > 0) {
        ssize_t n = pread(posix->spare_fd, buf, len, (off_t)pos);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return refused(posix, "read");
        }
        if (n == 0) {
            memset(buf, 0, len);
            n = (ssize_t)len;
        }
        buf += n;
        len -= (size_t)n;
        pos += (uint64_t)n;
    }
    return KERF_OK;
}

static kerf_err write_at(struct kerf_posix *posix, uint64_t pos, const uint8_t *buf, size_t len)
{
    while (len > 0) {
        ssize_t n = pwrite(posix->spare_fd, buf, len, (off_t)pos);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n < 0 ? errno : ENOSPC;
            return refused(posix, "write");
        }
        buf += n;
        len -= (size_t)n;
        pos += (uint64_t)n;
    }
    return KERF_OK;
}

static kerf_err read_spare(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    return read_at(ctx, pos + HEAD_LEN, buf, len);
}

static kerf_err write_spare(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    return write_at(ctx, pos + HEAD_LEN, buf, len);
}

static kerf_err sync_spare(struct kerf_posix *posix)
{
    return fsync(posix->spare_fd) == 0 || errno == EINVAL ? KERF_OK : refused(posix, "write");
}

/* Not synced: what is left of a checkpoint that was there before fits no other. */
static kerf_err erase_spare(void *ctx, kerf_pos pos)
{
    struct kerf_posix *posix = ctx;
    uint32_t sector = posix->port.spare.sector_size;
    uint8_t blank[4096];
    kerf_err err = KERF_OK;

    memset(blank, 0xff, sizeof blank);
    for (uint32_t done = 0; err == KERF_OK && done < sector; done += (uint32_t)sizeof blank) {
        uint32_t n = sector - done;

        err = write_at(posix, pos + HEAD_LEN + done, blank, n < sizeof blank ? n : sizeof blank);
    }
    return err;
}

/* Hands the spare area to the port, whose sizes are set. */
static void use(struct kerf_posix *posix)
{
    posix->port.spare.sector_size = posix->port.page_size;
    posix->port.spare_unit = posix->port.page_size < UNIT ? posix->port.page_size : UNIT;
    posix->port.read_spare = read_spare;
    posix->port.spare.erase = erase_spare;
    posix->port.spare.write = write_spare;
}

static kerf_err seal(const uint8_t head[HEAD_USED], struct kerf_sha256_digest *digest)
{
    return kerf_hash_bytes(head, HEAD_USED, digest);
}

kerf_err kerf_journal_file_open(struct kerf_posix *posix, int fd, const char *name, bool *found, size_t *workspace_len)
{
    uint8_t head[HEAD_USED + KERF_SHA256_LEN];
    struct kerf_sha256_digest digest;
    struct kerf_port *port = &posix->port;
    kerf_err err;

    *found = false;
    posix->spare_fd = fd;
    posix->spare_name = name;
    err = read_at(posix, 0, head, sizeof head);
    if (err == KERF_OK) {
        err = seal(head, &digest);
    }
    if (err != KERF_OK || memcmp(head, "KRFJ\1\0\0\0", 8) != 0 ||
        memcmp(head + HEAD_USED, digest.b, sizeof digest.b) != 0) {
        return err;
    }
    port->journal_size = kerf_load_le32(head + 8);
    port->page_size = kerf_load_le32(head + 12);
    port->interval = kerf_load_le32(head + 16);
    port->spare_size = (kerf_pos)kerf_load_le64(head + 24);
    posix->slot_len = kerf_load_le64(head + 32);
    use(posix);
    *workspace_len = (size_t)port->journal_size / 2 + port->page_size;
    *found = true;
    return KERF_OK;
}

/* Bytes of new between two checkpoints, a multiple of the page, which this sets. */
static uint32_t set_interval(struct kerf_port *port, const struct kerf_header *header, uint64_t wish)
{
    uint64_t usual = (uint64_t)header->new_size / CHECKPOINTS_MAX;

    usual = usual < INTERVAL_MIN ? INTERVAL_MIN : usual;
    wish = wish == 0 ? usual : wish;
    wish = wish < UINT32_MAX / 2 ? wish : UINT32_MAX / 2;
    port->page_size = wish < PAGE_MAX ? PAGE_MIN : PAGE_MAX;
    return (uint32_t)(wish + port->page_size - 1) / port->page_size * port->page_size;
}

/*
 * The layout first, and synced: without the newer checkpoint the older one would still be taken for something to go on
 * from. Then where checkpoints of the present layout begin.
 */
kerf_err kerf_journal_file_clear(struct kerf_posix *posix)
{
    uint8_t blank[HEAD_LEN];
    kerf_err err;

    memset(blank, 0xff, sizeof blank);
    err = write_at(posix, 0, blank, sizeof blank);
    err = err == KERF_OK ? sync_spare(posix) : err;
    for (unsigned half = 0; err == KERF_OK && half < 2; half++) {
        err = write_at(posix, HEAD_LEN + (uint64_t)posix->port.journal_size / 2 * half, blank, sizeof blank);
    }
    return err == KERF_OK ? sync_spare(posix) : err;
}

/*
 * A file is made beside the one that is there and takes its place, so that it begins with a whole head or is empty,
 * whatever is lost: by that kerf-patch tells it from the files of others.
 */
static kerf_err make_file(struct kerf_posix *posix, int *fd, const uint8_t head[HEAD_LEN])
{
    struct kerf_file_writer w = KERF_FILE_WRITER_NONE;
    kerf_err err = kerf_file_writer_begin(&w, posix->spare_name, 0, &posix->why);

    if (err == KERF_OK) {
        err = kerf_file_reserve(w.fd, posix->spare_name, HEAD_LEN + (uint64_t)posix->port.spare_size, &posix->why);
    }
    if (err == KERF_OK) {
        err = kerf_file_writer_append(&w, head, HEAD_LEN, &posix->why);
    }
    if (err == KERF_OK) {
        err = kerf_file_writer_commit(&w, &posix->why);
    }
    kerf_file_writer_abort(&w);
    if (err != KERF_OK) {
        return err;
    }
    int made = open(posix->spare_name, O_RDWR | O_CLOEXEC);

    if (made < 0) {
        return refused(posix, "write");
    }
    (void)close(*fd);
    *fd = made;
    posix->spare_fd = made;
    return KERF_OK;
}

/* On a device nothing is left that an apply could go on with, also if what follows is lost or done in another order. */
static kerf_err make_on_device(struct kerf_posix *posix, uint64_t size, const uint8_t head[HEAD_LEN])
{
    kerf_err err;

    if (size < HEAD_LEN + (uint64_t)posix->port.spare_size) {
        kerf_why_set(
            &posix->why, "'%s' has %llu bytes, and %llu are needed to keep the state: use a file or a larger device",
            posix->spare_name, (unsigned long long)size, HEAD_LEN + (unsigned long long)posix->port.spare_size);
        return KERF_ERR_SPACE;
    }
    err = kerf_journal_file_clear(posix);
    err = err == KERF_OK ? write_at(posix, 0, head, HEAD_LEN) : err;
    return err == KERF_OK ? sync_spare(posix) : err;
}

kerf_err kerf_journal_file_create(struct kerf_posix *posix, int *fd, const char *name, const struct kerf_header *header,
                                  uint64_t interval)
{
    uint8_t head[HEAD_LEN];
    struct kerf_sha256_digest digest;
    struct kerf_port *port = &posix->port;
    uint64_t sector = (uint64_t)1 << header->sector_log2;
    size_t journal;
    uint64_t size;
    bool exact; /* a file's */
    kerf_err err;

    posix->spare_fd = *fd;
    posix->spare_name = name;
    port->interval = set_interval(port, header, interval);
    port->spare_size = 0;
    if ((header->flags & KERF_FLAG_IN_PLACE) != 0) {
        port->page_size = sector < PAGE_MAX ? (uint32_t)sector : PAGE_MAX;
        port->interval = PAGE_MAX;
        port->spare_size = (kerf_pos)(header->scratch * sector);
    }
    use(posix);
    journal = kerf_patcher_journal(header, port);
    if (journal > UINT32_MAX) {
        return KERF_ERR_RAM;
    }
    port->journal_size = (uint32_t)journal;
    port->spare_size += (kerf_pos)journal;
    memset(head, 0, sizeof head);
    memcpy(head, "KRFJ\1", 5);
    kerf_store_le32(head + 8, port->journal_size);
    kerf_store_le32(head + 12, port->page_size);
    kerf_store_le32(head + 16, port->interval);
    kerf_store_le64(head + 24, port->spare_size);
    kerf_store_le64(head + 32, posix->slot_len);
    err = seal(head, &digest);
    memcpy(head + HEAD_USED, digest.b, sizeof digest.b);
    if (err == KERF_OK) {
        err = kerf_posix_size(*fd, name, &size, &exact, &posix->why);
    }
    if (err != KERF_OK) {
        return err;
    }
    return exact ? make_file(posix, fd, head) : make_on_device(posix, size, head);
}
