/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* O_TMPFILE */
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/host/cli.h"
#include "patcher/port/patch_work.h"

static kerf_err open_input(const char *path, int flags, int *fd, struct kerf_why *why)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (*fd < 0) {
        kerf_why_errno(why, "read", path, errno);
        return KERF_ERR_FLASH;
    }
    return KERF_OK;
}

bool kerf_patch_files_device(const char *path)
{
    struct stat st;

    return path != NULL && stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

bool kerf_patch_files_same(int fd, const char *path)
{
    struct stat a;
    struct stat b;

    if (fd < 0 || path == NULL || fstat(fd, &a) != 0 || stat(path, &b) != 0) {
        return false;
    }
    return S_ISBLK(a.st_mode) ? S_ISBLK(b.st_mode) && a.st_rdev == b.st_rdev
                              : S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

kerf_err kerf_patch_files_open(struct kerf_patch_work *r)
{
    const struct kerf_patch_options *o = r->options;
    kerf_err err = KERF_OK;

    if (o->in_place) {
        err = kerf_posix_open_slot(o->old_path, false, &r->old_fd, &r->why);
    } else if (o->old_path != NULL) {
        /* A pipe can't be the old image; without O_NONBLOCK opening one waits for a writer, before that can be said. */
        err = open_input(o->old_path, O_NONBLOCK, &r->old_fd, &r->why);
    }
    if (err == KERF_OK && strcmp(o->delta_path, "-") == 0) {
        r->delta_fd = STDIN_FILENO;
    } else if (err == KERF_OK) {
        err = open_input(o->delta_path, 0, &r->delta_fd, &r->why);
    }
    if (err == KERF_OK && kerf_patch_files_same(r->delta_fd, o->new_path)) {
        kerf_why_set(&r->why, "'%s' is the delta: give the new image another name", o->new_path);
        return KERF_ERR_ARGUMENT;
    }
    r->replaces_old = err == KERF_OK && !o->in_place && kerf_patch_files_same(r->old_fd, o->new_path);
    if (r->replaces_old && r->device) {
        kerf_why_set(&r->why, "'%s' is the old image, and would be gone before it is read: use --in-place",
                     o->new_path);
        return KERF_ERR_ARGUMENT;
    }
    return err;
}

/* A file without a name, gone when it is closed. */
static kerf_err open_scratch(struct kerf_patch_work *r)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];

    folder = folder == NULL || folder[0] == '\0' ? "/tmp" : folder;
    r->scratch_fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (r->scratch_fd < 0 && snprintf(path, sizeof path, "%s/kerf-XXXXXX", folder) < (int)sizeof path) {
        r->scratch_fd = mkostemp(path, O_CLOEXEC); /* a file system without O_TMPFILE */
        if (r->scratch_fd >= 0) {
            (void)unlink(path);
        }
    }
    if (r->scratch_fd < 0) {
        kerf_why_errno(&r->why, "write to", folder, errno);
        return KERF_ERR_FLASH;
    }
    return KERF_OK;
}

/*
 * NEW in the making is a file that a later run finds again, or the device that NEW is: exclusively, which a mounted one
 * refuses. r->writer gives a file its name in the end.
 */
static kerf_err open_partial(struct kerf_patch_work *r)
{
    const char *path = r->options->new_path;
    size_t len = strlen(path) + sizeof ".kerf-partial";

    r->writer.path = strdup(path);
    r->partial_path = malloc(len);
    if (r->writer.path == NULL || r->partial_path == NULL) {
        return KERF_ERR_RAM;
    }
    (void)snprintf(r->partial_path, len, "%s%s", path, r->device ? "" : ".kerf-partial");
    if (r->device) {
        return kerf_posix_open_slot(r->partial_path, false, &r->writer.fd, &r->why);
    }
    r->writer.fd = open(r->partial_path, O_RDWR | O_CLOEXEC | O_CREAT, 0666);
    if (r->writer.fd < 0) {
        kerf_why_errno(&r->why, "write", r->partial_path, errno);
        return KERF_ERR_FLASH;
    }
    return KERF_OK;
}

kerf_err kerf_patch_files_output(struct kerf_patch_work *r)
{
    const struct kerf_patch_options *o = r->options;
    const char *name = o->in_place ? o->old_path : o->dry_run ? "the temporary file" : o->new_path;
    uint64_t limit = UINT64_MAX;
    bool exact;
    kerf_err err = KERF_OK;
    int fd;

    if (o->dry_run) {
        err = open_scratch(r);
    } else if (r->device || o->state_path != NULL) {
        err = o->in_place ? KERF_OK : open_partial(r);
    } else if (!o->in_place) {
        err = kerf_file_writer_begin(&r->writer, o->new_path, 0, &r->why);
    }
    fd = o->in_place ? r->old_fd : o->dry_run ? r->scratch_fd : r->writer.fd;
    if (err == KERF_OK && r->device) {
        err = kerf_posix_size(fd, name, &limit, &exact, &r->why);
    }
    if (err == KERF_OK) {
        err = kerf_posix_init(&r->posix, r->old_fd, o->old_path, fd, name, limit, &r->why);
        r->posix.in_place = o->in_place;
        if (o->in_place) {
            r->posix.new_cache.size = r->posix.old_cache.size;
        }
        r->posix.reread = r->device;
    }
    return err;
}

kerf_err kerf_patch_files_read(struct kerf_patch_work *r, bool *end)
{
    ssize_t n;

    memmove(r->input, r->input + r->input_pos, r->input_len - r->input_pos);
    r->input_len -= r->input_pos;
    r->input_pos = 0;
    do {
        n = read(r->delta_fd, r->input + r->input_len, KERF_PATCH_INPUT - r->input_len);
    } while (n < 0 && errno == EINTR && !kerf_cli_interrupted());
    if (n < 0) {
        kerf_why_errno(&r->why, "read", r->options->delta_path, errno);
        return KERF_ERR_FLASH;
    }
    r->input_len += (size_t)n;
    *end = n == 0;
    return KERF_OK;
}

kerf_err kerf_patch_files_skip(struct kerf_patch_work *r, uint64_t pos)
{
    bool end = false;
    uint64_t skip = pos - r->options->from;
    kerf_err err = KERF_OK;

    if (pos < r->options->from) {
        kerf_why_set(&r->why, "the delta is needed from byte %" PRIu64 " on", pos);
        return KERF_ERR_ARGUMENT;
    }
    if (r->options->from == 0 && lseek(r->delta_fd, (off_t)pos, SEEK_SET) >= 0) {
        r->input_len = r->input_pos = 0;
        return KERF_OK;
    }
    while (err == KERF_OK && skip > r->input_len - r->input_pos && !end) {
        skip -= r->input_len - r->input_pos;
        r->input_pos = r->input_len;
        err = kerf_patch_files_read(r, &end);
    }
    r->input_pos += end ? 0 : (size_t)skip;
    return err;
}

/* A file that a later run would find nothing in to go on with. */
static void drop_empty(int fd, const char *path)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0 && st.st_nlink > 0) {
        (void)unlink(path);
    }
}

void kerf_patch_files_close(struct kerf_patch_work *r)
{
    if (r->partial_path != NULL && r->writer.fd >= 0) { /* for the next run */
        drop_empty(r->writer.fd, r->partial_path);
        (void)close(r->writer.fd);
        free(r->writer.path);
    } else {
        kerf_file_writer_abort(&r->writer);
    }
    if (r->state_fd >= 0) {
        drop_empty(r->state_fd, r->state_path);
        (void)close(r->state_fd);
    }
    free(r->state_path);
    free(r->partial_path);
    kerf_posix_free(&r->posix);
    free(r->workspace);
    free(r->input);
    if (r->old_fd >= 0) {
        (void)close(r->old_fd);
    }
    if (r->delta_fd > STDIN_FILENO) {
        (void)close(r->delta_fd);
    }
    if (r->scratch_fd >= 0) {
        (void)close(r->scratch_fd);
    }
}
