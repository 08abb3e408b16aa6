/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* O_TMPFILE */
#define _FILE_OFFSET_BITS 64
#include "patcher/port/patch_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "common/host/hash.h"
#include "common/host/progress.h"
#include "patcher/patcher.h"
#include "patcher/port/journal_file.h"
#include "patcher/port/posix.h"

#define INPUT_CAP ((size_t)32768) /* bytes of the delta read at once; at least 256, for the header */

/* One run. */
struct run {
    const struct kerf_patch_options *options;
    int old_fd, delta_fd, scratch_fd; /* -1: not open; scratch_fd: where a dry run writes */
    int state_fd;
    bool whole;  /* the delta is input from its beginning, and `header` was looked at */
    bool device; /* NEW is a block device, which is written to as it is */
    uint64_t resumed_from;
    bool up_to_date; /* in place: OLD was the new image already, of this digest */
    struct kerf_sha256_digest new_digest;
    char *state_path, *partial_path; /* owned; NULL: none */
    struct kerf_file_writer writer;
    struct kerf_posix posix;
    struct kerf_progress progress;
    struct kerf_patcher *patcher;
    void *workspace;
    size_t workspace_len;
    struct kerf_header header; /* as looked at before it is authenticated; zeros: not to be read */
    uint8_t *input;
    size_t input_len, input_pos;
    struct kerf_why why; /* of the first failure; empty: kerf_cli_err_text() says enough */
    int exit_code;       /* of the first failure where it is not the usual one; -1: the usual one */
};

static kerf_err open_input(const char *path, int flags, int *fd, struct kerf_why *why)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (*fd < 0) {
        kerf_why_errno(why, "read", path, errno);
        return KERF_ERR_FLASH;
    }
    return KERF_OK;
}

static bool is_device(const char *path)
{
    struct stat st;

    return path != NULL && stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

/* The same file, or the same device. */
static bool same_file(int fd, const char *path)
{
    struct stat a;
    struct stat b;

    if (fd < 0 || path == NULL || fstat(fd, &a) != 0 || stat(path, &b) != 0) {
        return false;
    }
    return S_ISBLK(a.st_mode) ? S_ISBLK(b.st_mode) && a.st_rdev == b.st_rdev
                              : S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static kerf_err open_inputs(struct run *r)
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
    if (err == KERF_OK && same_file(r->delta_fd, o->new_path)) {
        kerf_why_set(&r->why, "'%s' is the delta: give the new image another name", o->new_path);
        return KERF_ERR_ARGUMENT;
    }
    if (err == KERF_OK && r->device && !o->in_place && same_file(r->old_fd, o->new_path)) {
        kerf_why_set(&r->why, "'%s' is the old image, and would be gone before it is read: use --in-place",
                     o->new_path);
        return KERF_ERR_ARGUMENT;
    }
    return err;
}

/* A file without a name, gone when it is closed. */
static kerf_err open_scratch(struct run *r)
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
 * NEW in the making is a file that a later run finds again, or the device that NEW is: exclusively, which a mounted one refuses.
 * r->writer gives a file its name in the end.
 */
static kerf_err open_partial(struct run *r)
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

static kerf_err open_output(struct run *r)
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

/* Reads more of the delta behind what is left of it. *end: there is no more. */
static kerf_err read_input(struct run *r, bool *end)
{
    ssize_t n;

    memmove(r->input, r->input + r->input_pos, r->input_len - r->input_pos);
    r->input_len -= r->input_pos;
    r->input_pos = 0;
    do {
        n = read(r->delta_fd, r->input + r->input_len, INPUT_CAP - r->input_len);
    } while (n < 0 && errno == EINTR && !kerf_cli_interrupted());
    if (n < 0) {
        kerf_why_errno(&r->why, "read", r->options->delta_path, errno);
        return KERF_ERR_FLASH;
    }
    r->input_len += (size_t)n;
    *end = n == 0;
    return KERF_OK;
}

/*
 * Looks at the header before it is authenticated, to know how much workspace to get. A header that can't be read is no
 * error here: with a workspace that holds any chunk 0 the patcher finds the same fault, but in the right order.
 */
static kerf_err peek(struct run *r)
{
    uint32_t chunk0_len;
    uint16_t header_len;
    bool end = false;
    kerf_err err = KERF_OK;

    while (err == KERF_OK && !end && r->input_len < KERF_PROLOGUE_LEN + KERF_HEADER_MAX_LEN) {
        err = read_input(r, &end);
    }
    if (err != KERF_OK) {
        return err;
    }
    r->workspace_len = kerf_patcher_workspace_min(&r->posix.port) + UINT16_MAX;
    if (r->input_len >= KERF_PROLOGUE_LEN && kerf_prologue_parse(r->input, &chunk0_len, &header_len) == KERF_OK) {
        if (kerf_header_parse(r->input, r->input_len, &r->header) == KERF_OK) {
            r->workspace_len = kerf_patcher_workspace(&r->header, &r->posix.port);
        } else {
            memset(&r->header, 0, sizeof r->header);
        }
    }
    r->workspace = malloc(r->workspace_len);
    if (r->workspace == NULL) {
        kerf_why_set(&r->why, "the delta needs %zu bytes of workspace, and there is no memory for it: free some memory",
                     r->workspace_len);
        return KERF_ERR_RAM;
    }
    return KERF_OK;
}

/* What can be told of the old image without hashing it. */
static kerf_err check_old(struct run *r)
{
    uint64_t size;
    bool exact;

    if (r->header.old_size == 0) {
        return KERF_OK;
    }
    if (r->options->old_path == NULL ||
        kerf_posix_size(r->old_fd, r->options->old_path, &size, &exact, &r->why) != KERF_OK) {
        return KERF_ERR_SOURCE;
    }
    if (size < r->header.old_size || (exact && !r->options->in_place && size > r->header.old_size)) {
        kerf_why_set(&r->why,
                     "'%s' has %" PRIu64 " bytes, but the delta was made from an image of %" PRIu64
                     ": use the delta for this image, or a full payload",
                     r->options->old_path, size, (uint64_t)r->header.old_size);
        return KERF_ERR_SOURCE;
    }
    return KERF_OK;
}

static void show_progress(struct run *r)
{
    struct kerf_patcher_status s;

    if (!r->progress.on) {
        return;
    }
    kerf_patcher_status(r->patcher, &s);
    if (s.phase == KERF_PHASE_SOURCE) {
        kerf_progress_show(&r->progress, "checking", s.verified_pos, r->header.old_size);
    } else if (s.phase == KERF_PHASE_APPLY) {
        kerf_progress_show(&r->progress, "applying", s.new_pos, r->header.new_size);
    } else if (s.phase == KERF_PHASE_VERIFY) {
        kerf_progress_show(&r->progress, "verifying", s.verified_pos, r->header.new_size);
    }
}

/* Feeds the delta to its end, and makes sure that nothing follows. */
static kerf_err feed(struct run *r)
{
    bool end = false;
    bool old_checked = r->posix.chunk0_hashed; /* the journal stands for it */
    kerf_err err;

    for (;;) {
        size_t used;

        if (kerf_cli_interrupted()) {
            kerf_why_set(&r->why, "%s",
                         r->state_path != NULL ? "interrupted: run it again, and it goes on"
                         : r->device           ? "interrupted: what is on the device now is no image: run it again"
                                               : "interrupted: nothing was changed");
            return KERF_ERR_STATE;
        }
        err = kerf_patcher_feed(r->patcher, &r->posix.port, r->input + r->input_pos, r->input_len - r->input_pos,
                                &used);
        if (err < KERF_OK) {
            return err;
        }
        r->input_pos += used;
        if (!old_checked && r->posix.chunk0_hashed) { /* the header is accepted now */
            old_checked = true;
            if (check_old(r) != KERF_OK) {
                return KERF_ERR_SOURCE;
            }
        }
        show_progress(r);
        if (err == KERF_MORE_WORK || r->input_pos < r->input_len) {
            continue;
        }
        if (end) {
            return kerf_patcher_finish(r->patcher);
        }
        err = read_input(r, &end);
        if (err != KERF_OK) {
            return err;
        }
    }
}

/* What --expect says beyond the 16 bytes that the patcher compares. */
static kerf_err check_expected(struct run *r)
{
    const struct kerf_patch_options *o = r->options;

    if (o->expect_len > 0 && memcmp(r->posix.chunk0_digest.b, o->expect, o->expect_len) != 0) {
        return KERF_ERR_CHUNK;
    }
    return KERF_OK;
}

/* --- Going on after a cut --- */

static kerf_err open_state(struct run *r)
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
    if (same_file(r->state_fd, o->new_path) || same_file(r->state_fd, o->old_path)) {
        kerf_why_set(&r->why, "'%s' is an image: give the state another file", r->state_path);
        return KERF_ERR_ARGUMENT;
    }
    return KERF_OK;
}

/* All is done, or will never be: what was kept to go on with is removed, in a way that lasts. */
static kerf_err drop_state(struct run *r)
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
static bool name_delta(struct run *r, struct kerf_sha256_digest *digest)
{
    uint8_t *chunk0 = malloc(r->header.chunk0_len);
    bool named = r->whole && r->header.header_len != 0 && chunk0 != NULL &&
                 pread(r->delta_fd, chunk0, r->header.chunk0_len, 0) == (ssize_t)r->header.chunk0_len &&
                 kerf_hash_bytes(chunk0, r->header.chunk0_len, digest) == KERF_OK;

    free(chunk0);
    return named;
}

static kerf_err get_workspace(struct run *r, size_t len)
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

/* Brings the input to where the apply goes on. */
static kerf_err skip_to(struct run *r, uint64_t pos)
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
        err = read_input(r, &end);
    }
    r->input_pos += end ? 0 : (size_t)skip;
    return err;
}

/* KERF_OK: goes on after a cut. KERF_NONE: there is nothing to go on with, and a new journal is made. */
static kerf_err resume(struct run *r, struct kerf_patcher_expect *expect)
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
        err = get_workspace(r, len);
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
        return err == KERF_OK ? skip_to(r, s.delta_pos) : err;
    }
    r->posix.chunk0_hashed = false;
    r->patcher = NULL;
    if (err == KERF_NONE) {
        r->why.text[0] = '\0';
    }
    return err;
}

/* In place: a file that is longer than the old image is a whole slot, and stays as long. */
static uint64_t slot_len(struct run *r)
{
    uint64_t size = 0;
    bool exact = false;

    return r->options->in_place &&
                   kerf_posix_size(r->old_fd, r->options->old_path, &size, &exact, &r->why) == KERF_OK && exact &&
                   size > r->header.old_size
               ? size
               : 0;
}

static kerf_err begin(struct run *r, struct kerf_patcher_expect *expect)
{
    const struct kerf_patch_options *o = r->options;
    kerf_err err = KERF_NONE;

    r->whole = o->from == 0;
    if (r->whole) {
        err = peek(r);
    }
    if ((err == KERF_OK || err == KERF_NONE) && (o->state_path != NULL || o->in_place)) {
        err = open_state(r);
        err = err == KERF_OK ? resume(r, expect) : err;
        if (err != KERF_NONE) {
            return err;
        }
        if (!r->whole) {
            kerf_why_set(&r->why, "there is nothing to go on with: give the delta from its beginning");
            return KERF_ERR_ARGUMENT;
        }
        err = KERF_OK;
        if (r->header.header_len != 0) {
            r->posix.slot_len = slot_len(r);
            err = kerf_journal_file_create(&r->posix, r->state_fd, r->state_path, &r->header, o->checkpoint);
            err = err == KERF_OK ? get_workspace(r, kerf_patcher_workspace(&r->header, &r->posix.port)) : err;
        }
    }
    if (err == KERF_OK) {
        err = kerf_patcher_init(r->workspace, r->workspace_len, &r->posix.port, expect, 0, &r->patcher);
    }
    return err;
}

/* In place: OLD is not the old image, but the one that the delta makes of it, as after an earlier run. */
static bool is_up_to_date(struct run *r, kerf_err err)
{
    return err == KERF_ERR_SOURCE && r->options->in_place && r->resumed_from == 0 && r->posix.chunk0_hashed &&
           kerf_posix_holds(r->old_fd, r->header.new_size, &r->header.new_digest, &r->new_digest);
}

static kerf_err apply(struct run *r)
{
    const struct kerf_patch_options *o = r->options;
    struct kerf_patcher_expect expect;
    kerf_err err;

    memset(&expect, 0, sizeof expect);
    expect.chunk0_known = o->expect_len > 0;
    memcpy(expect.chunk0_digest.b, o->expect, o->expect_len);
    err = begin(r, &expect);
    if (err == KERF_OK) {
        err = feed(r);
    }
    kerf_progress_end(&r->progress);
    if (is_up_to_date(r, err)) {
        r->up_to_date = true;
        err = KERF_END;
    }
    return err == KERF_END ? check_expected(r) : err;
}

/* The new image is there and right: gives it its length and its name. */
static kerf_err finish(struct run *r)
{
    const struct kerf_patch_options *o = r->options;
    int fd = o->in_place ? r->old_fd : r->writer.fd;
    struct kerf_patcher_status s;
    struct stat st;
    uint64_t len;
    kerf_err err = KERF_OK;

    if (r->up_to_date) {
        return drop_state(r);
    }
    kerf_patcher_status(r->patcher, &s);
    len = s.new_pos > r->posix.slot_len ? s.new_pos : r->posix.slot_len;
    if (o->dry_run) {
        return KERF_OK;
    }
    if ((o->in_place || o->state_path != NULL) && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        (ftruncate(fd, (off_t)len) != 0 || fsync(fd) != 0)) {
        kerf_why_errno(&r->why, "write", o->in_place ? o->old_path : o->new_path, errno);
        return KERF_ERR_FLASH;
    }
    if (r->partial_path == NULL && !o->in_place) {
        return kerf_file_writer_commit(&r->writer, &r->why);
    }
    if (r->partial_path != NULL && !r->device) {
        r->writer.temp_path = strdup(r->partial_path);
        err = r->writer.temp_path == NULL ? KERF_ERR_RAM : kerf_file_writer_commit(&r->writer, &r->why);
    }
    return err == KERF_OK ? drop_state(r) : err;
}

int kerf_patch_position(const struct kerf_patch_options *o)
{
    struct run r;
    struct kerf_patcher_status s;
    size_t len = 0;
    bool found = false;
    kerf_err err;

    memset(&r, 0, sizeof r);
    memset(&s, 0, sizeof s);
    r.options = o;
    err = kerf_posix_init(&r.posix, -1, "", -1, "", UINT64_MAX, &r.why);
    if (err == KERF_OK && access(o->state_path, F_OK) == 0) {
        err = open_state(&r);
        err = err == KERF_OK ? kerf_journal_file_open(&r.posix, r.state_fd, o->state_path, &found, &len) : err;
    }
    if (err == KERF_OK && found) {
        r.posix.port.flush_new = NULL; /* nothing is written here */
        err = get_workspace(&r, len);
        err = err == KERF_OK ? kerf_patcher_resume(r.workspace, len, &r.posix.port, NULL, &r.patcher) : err;
        if (err == KERF_OK) {
            kerf_patcher_status(r.patcher, &s);
        }
    }
    kerf_posix_free(&r.posix);
    free(r.workspace);
    free(r.state_path);
    if (err < KERF_OK) {
        return kerf_cli_fail(kerf_cli_err_exit(err), "%s", r.why.text[0] != '\0' ? r.why.text : r.posix.why.text);
    }
    if (o->json) {
        return kerf_cli_json(json_pack("{s:b, s:I}", "ok", 1, "position", (json_int_t)s.delta_pos));
    }
    (void)printf("%" PRIu64 "\n", (uint64_t)s.delta_pos);
    return KERF_EXIT_OK;
}

/* The line and the exit code for what went wrong. */
static void explain(struct run *r, kerf_err err)
{
    struct kerf_patcher_status s;

    memset(&s, 0, sizeof s);
    if (r->patcher != NULL) {
        kerf_patcher_status(r->patcher, &s);
    }
    r->exit_code = (int)kerf_cli_err_exit(err);
    if (r->why.text[0] == '\0' && r->posix.why.text[0] != '\0') {
        r->why = r->posix.why;
    }
    if (err == KERF_ERR_CHUNK && r->options->expect_len > 0 && check_expected(r) != KERF_OK) {
        char found[2 * KERF_SHA256_LEN + 1];

        kerf_why_set(&r->why,
                     "this is not the delta that --expect names, its digest is %s: don't use it, fetch the right one",
                     kerf_cli_format_hex(r->posix.chunk0_digest.b, r->options->expect_len, found));
        r->exit_code = KERF_EXIT_TRUST;
    } else if (err == KERF_ERR_SOURCE && r->options->old_path == NULL) {
        kerf_why_set(&r->why, "'%s' is a delta, not a full payload: name the old image in front of it",
                     r->options->delta_path);
        r->exit_code = KERF_EXIT_USAGE;
    } else if (err == KERF_ERR_SOURCE && r->why.text[0] == '\0') {
        kerf_why_set(
            &r->why,
            "'%s' is not the image that the delta was made from: use the delta for this image, or a full payload",
            r->options->old_path);
    } else if (err == KERF_ERR_TRUNCATED) {
        kerf_why_set(&r->why, "the delta ends after %" PRIu64 " bytes, before it is complete: fetch it again",
                     (uint64_t)s.delta_pos);
    } else if (err == KERF_ERR_TRAILING) {
        kerf_why_set(&r->why, "the delta is complete after %" PRIu64 " bytes, but more follow: fetch it again",
                     (uint64_t)s.delta_pos);
    } else if (r->why.text[0] == '\0') {
        kerf_why_set(&r->why, "%s", kerf_cli_err_text(err));
    }
}

static int report_failure(const struct run *r, kerf_err err)
{
    int code = kerf_cli_fail((enum kerf_exit)r->exit_code, "%s", r->why.text);

    if (r->options->json) {
        (void)kerf_cli_json(json_pack("{s:b, s:s, s:i, s:s}", "ok", 0, "error", kerf_cli_err_name(err), "exit", code,
                                      "message", r->why.text));
    }
    return code;
}

static const char *codec_name(const struct kerf_header *h)
{
    static const char *const names[] = {"stored", "native", "lzma2"};

    return h->codec < sizeof names / sizeof names[0] ? names[h->codec] : "unknown";
}

static int report_success(const struct run *r)
{
    const struct kerf_patch_options *o = r->options;
    const struct kerf_header *h = &r->header;
    struct kerf_patcher_status s;
    char new_hex[2 * KERF_SHA256_LEN + 1];
    char chunk0_hex[2 * KERF_SHA256_LEN + 1];
    size_t workspace = kerf_header_workspace(h);
    size_t buffers = r->workspace_len - workspace + KERF_POSIX_MEMORY + INPUT_CAP;

    kerf_patcher_status(r->patcher, &s);
    if (r->up_to_date) {
        s.target_digest = r->new_digest;
        s.new_pos = h->new_size;
    }
    (void)kerf_cli_format_hex(s.target_digest.b, KERF_SHA256_LEN, new_hex);
    (void)kerf_cli_format_hex(r->posix.chunk0_digest.b, KERF_SHA256_LEN, chunk0_hex);
    if (o->json) {
        return kerf_cli_json(json_pack("{s:b, s:b, s:b, s:o?, s:I, s:I, s:I, s:I, s:s, s:s, s:b, s:I, s:I, s:s}", "ok",
                                       1, "dry_run", (int)o->dry_run, "up_to_date", (int)r->up_to_date, "output",
                                       kerf_cli_json_text(o->dry_run    ? NULL
                                                          : o->in_place ? o->old_path
                                                                        : o->new_path),
                                       "resumed_from", (json_int_t)r->resumed_from, "old_size", (json_int_t)h->old_size,
                                       "delta_size", (json_int_t)s.delta_pos, "new_size", (json_int_t)s.new_pos,
                                       "sha256", new_hex, "delta_digest", chunk0_hex, "authenticated",
                                       o->expect_len > 0, "workspace", (json_int_t)workspace, "buffers",
                                       (json_int_t)buffers, "codec", codec_name(h)));
    }
    if (o->quiet) {
        return KERF_EXIT_OK;
    }
    if (r->up_to_date) {
        (void)printf("%s: already up to date: %" PRIu64 " bytes, sha256 %s\n", o->old_path, (uint64_t)s.new_pos,
                     new_hex);
        return KERF_EXIT_OK;
    }
    if (o->verbose) {
        (void)printf("delta: %s, %u regions, chunks of %" PRIu32 " bytes, digest %s\n", codec_name(h),
                     (unsigned)h->region_count, h->chunk_size, chunk0_hex);
    }
    (void)printf("%s: %" PRIu64 " bytes from %" PRIu64 " of old and %" PRIu64
                 " of delta, sha256 %s, workspace %zu bytes; %s\n",
                 o->dry_run    ? "dry run"
                 : o->in_place ? o->old_path
                               : o->new_path,
                 (uint64_t)s.new_pos, (uint64_t)h->old_size, (uint64_t)s.delta_pos, new_hex, workspace,
                 o->expect_len > 0 ? "authenticated" : "integrity checked, not authenticated (no --expect)");
    return KERF_EXIT_OK;
}

static void clean_up(struct run *r)
{
    if (r->partial_path != NULL && r->writer.fd >= 0) { /* for the next run */
        (void)close(r->writer.fd);
        free(r->writer.path);
    } else {
        kerf_file_writer_abort(&r->writer);
    }
    if (r->state_fd >= 0) {
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

int kerf_patch_run(const struct kerf_patch_options *o)
{
    struct run r;
    kerf_err err;
    int code;

    memset(&r, 0, sizeof r);
    r.options = o;
    r.device = is_device(o->in_place ? o->old_path : o->dry_run ? NULL : o->new_path);
    r.old_fd = r.delta_fd = r.scratch_fd = r.state_fd = -1;
    r.writer = (struct kerf_file_writer)KERF_FILE_WRITER_NONE;
    kerf_progress_begin(&r.progress, o->quiet);
    r.input = malloc(INPUT_CAP);
    err = r.input == NULL ? KERF_ERR_RAM : open_inputs(&r);
    if (err == KERF_OK) {
        err = open_output(&r);
    }
    if (err == KERF_OK) {
        err = apply(&r);
    }
    if (err == KERF_OK) {
        err = finish(&r);
    }
    if (r.state_path != NULL &&
        ((err == KERF_ERR_SOURCE && r.resumed_from == 0) || (err == KERF_ERR_TARGET && !o->in_place))) {
        kerf_err dropped = drop_state(&r); /* nothing was begun, or going on would end the same way */

        (void)dropped;
    }
    if (err == KERF_OK) {
        code = report_success(&r);
    } else {
        explain(&r, err);
        code = report_failure(&r, err);
    }
    clean_up(&r);
    return code;
}
