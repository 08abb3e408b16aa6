/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/host/hash.h"
#include "patcher/port/journal_file.h"
#include "patcher/port/patch_work.h"

/*
 * A file that holds something else. One of an earlier run begins with KRFJ; what a power cut lost on a file system that
 * renames in parts is zeros, and what was cleared is 0xff. Devices hold anything before they are used.
 */
static bool is_foreign(int fd)
{
    static const uint8_t magic[] = {'K', 'R', 'F', 'J'};
    uint8_t head[sizeof magic] = {0};
    struct stat st;
    bool foreign = false;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || pread(fd, head, sizeof head, 0) < 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof head; i++) {
        foreign = foreign || (head[i] != magic[i] && head[i] != 0 && head[i] != 0xff);
    }
    return foreign;
}

kerf_err kerf_patch_state_open(struct kerf_patch_work *r)
{
    const struct kerf_patch_options *o = r->options;
    const char *base = o->state_path != NULL ? o->state_path : o->old_path;
    size_t len = strlen(base) + sizeof ".kerf-state";

    if (o->state_path == NULL && r->device) {
        kerf_why_set(&r->why, "'%s' is a device: say with --state where to keep what outlives a power cut", base);
        return KERF_ERR_ARGUMENT;
    }
    r->state_path = malloc(len);
    if (r->state_path == NULL) {
        return KERF_ERR_RAM;
    }
    (void)snprintf(r->state_path, len, "%s%s", base, o->state_path != NULL ? "" : ".kerf-state");
    r->state_fd = open(r->state_path, O_RDWR | O_CLOEXEC | (o->position ? 0 : O_CREAT), 0600);
    if (r->state_fd < 0) {
        kerf_why_errno(&r->why, "write", r->state_path, errno);
        return KERF_ERR_FLASH;
    }
    if (kerf_patch_files_same(r->state_fd, o->new_path) || kerf_patch_files_same(r->state_fd, o->old_path)) {
        kerf_why_set(&r->why, "'%s' is an image: give the state another file", r->state_path);
        return KERF_ERR_ARGUMENT;
    }
    if (kerf_patch_files_same(r->delta_fd, r->state_path)) {
        kerf_why_set(&r->why, "'%s' is the delta: give the state another file", r->state_path);
        return KERF_ERR_ARGUMENT;
    }
    if (is_foreign(r->state_fd)) {
        kerf_why_set(&r->why, "'%s' is no state of an update: remove it, or give the state another file",
                     r->state_path);
        return KERF_ERR_ARGUMENT;
    }
    return KERF_OK;
}

kerf_err kerf_patch_state_drop(struct kerf_patch_work *r)
{
    struct stat st;

    if (r->state_path == NULL || fstat(r->state_fd, &st) != 0) {
        return KERF_OK;
    }
    if (!S_ISREG(st.st_mode)) {
        return kerf_journal_file_clear(&r->posix);
    }
    return unlink(r->state_path) == 0 ? kerf_file_sync_folder(r->state_path, &r->why) : KERF_OK;
}

/* The digest of chunk 0, which names the delta; from a file whose header was read. false: it can't be told. */
static bool name_delta(struct kerf_patch_work *r, struct kerf_sha256_digest *digest)
{
    uint8_t *chunk0 = malloc(r->header.chunk0_len);
    bool named = r->whole && r->header.header_len != 0 && chunk0 != NULL &&
                 pread(r->delta_fd, chunk0, r->header.chunk0_len, 0) == (ssize_t)r->header.chunk0_len &&
                 kerf_hash_bytes(chunk0, r->header.chunk0_len, digest) == KERF_OK;

    free(chunk0);
    return named;
}

kerf_err kerf_patch_state_workspace(struct kerf_patch_work *r, size_t len)
{
    if (len > r->workspace_len || r->workspace == NULL) {
        free(r->workspace);
        r->workspace = malloc(len);
        r->workspace_len = len;
    }
    if (r->workspace == NULL) {
        kerf_why_set(&r->why, "there is no memory for a workspace of %zu bytes: free some memory", len);
        return KERF_ERR_RAM;
    }
    return KERF_OK;
}

kerf_err kerf_patch_state_resume(struct kerf_patch_work *r, const struct kerf_patcher_expect *expect)
{
    const struct kerf_patch_options *o = r->options;
    struct kerf_patcher_status s;
    struct stat st;
    struct kerf_sha256_digest name;
    size_t len = 0;
    bool found;
    bool named = name_delta(r, &name);
    kerf_err err = kerf_journal_file_open(&r->posix, r->state_fd, r->state_path, &found, &len);

    /* Without what was made of NEW, the state is that of an earlier run which ended before it could remove it. */
    if (err == KERF_OK && found && !o->in_place) {
        found = fstat(r->writer.fd, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_size > 0);
    }
    if (err == KERF_OK && found) {
        err = kerf_patch_state_workspace(r, len);
    }
    if (err != KERF_OK || !found) {
        return err == KERF_OK ? KERF_NONE : err;
    }
    r->posix.chunk0_hashed = true; /* not here, but by an earlier run */
    r->posix.chunk0_digest = named ? name : expect->chunk0_digest;
    err = kerf_patcher_resume(r->workspace, r->workspace_len, &r->posix.port, NULL, &r->patcher);
    if (err == KERF_OK) {
        kerf_patcher_status(r->patcher, &s);
        if ((named && memcmp(name.b, s.payload_digest.b, KERF_DIGEST_LEN) != 0) ||
            (expect->chunk0_known && memcmp(expect->chunk0_digest.b, s.payload_digest.b, KERF_DIGEST_LEN) != 0)) {
            kerf_why_set(&r->why, "'%s' is being updated with another delta: finish that with the same delta first",
                         o->old_path);
            err = o->in_place ? KERF_ERR_ARGUMENT : KERF_NONE;
        }
    }
    if (err == KERF_OK) {
        r->resumed_from = s.delta_pos;
        err = kerf_posix_resumed(&r->posix);
        return err == KERF_OK ? kerf_patch_files_skip(r, s.delta_pos) : err;
    }
    r->posix.chunk0_hashed = false;
    r->patcher = NULL;
    if (err == KERF_NONE) {
        r->why.text[0] = '\0';
    }
    return err;
}
