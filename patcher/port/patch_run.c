/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "patcher/port/patch_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/host/cli.h"
#include "patcher/port/journal_file.h"
#include "patcher/port/patch_work.h"

/*
 * Looks at the header before it is authenticated, to know how much workspace to get. A header that can't be read is no
 * error here: with a workspace that holds any chunk 0 the patcher finds the same fault, but in the right order.
 */
static kerf_err peek(struct kerf_patch_work *r)
{
    uint16_t chunk0_len;
    uint16_t header_len;
    bool end = false;
    kerf_err err = KERF_OK;

    while (err == KERF_OK && !end && r->input_len < KERF_PROLOGUE_LEN + KERF_HEADER_MAX_LEN) {
        err = kerf_patch_files_read(r, &end);
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
static kerf_err check_old(struct kerf_patch_work *r)
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

static void show_progress(struct kerf_patch_work *r)
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
static kerf_err feed(struct kerf_patch_work *r)
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
        err = kerf_patch_files_read(r, &end);
        if (err != KERF_OK) {
            return err;
        }
    }
}

/* In place: a file that is longer than the old image is a whole slot, and stays as long. */
static uint64_t slot_len(struct kerf_patch_work *r)
{
    uint64_t size = 0;
    bool exact = false;

    return r->options->in_place &&
                   kerf_posix_size(r->old_fd, r->options->old_path, &size, &exact, &r->why) == KERF_OK && exact &&
                   size > r->header.old_size
               ? size
               : 0;
}

/* In place: room for a new image that is longer, before the old one is touched. */
static kerf_err reserve(const struct kerf_patch_work *r, struct kerf_why *why)
{
    uint64_t sector = (uint64_t)1 << r->header.sector_log2;
    uint64_t len = (r->header.new_size + sector - 1) / sector * sector;

    return r->options->in_place ? kerf_file_reserve(r->old_fd, r->options->old_path, len, why) : KERF_OK;
}

/* A delta for two slots would read from the file in place what it has overwritten; one for a single slot is of no use beside it. */
static kerf_err check_slots(struct kerf_patch_work *r)
{
    const struct kerf_patch_options *o = r->options;
    bool one_slot = (r->header.flags & KERF_FLAG_IN_PLACE) != 0;

    if (o->in_place && !one_slot && r->header.old_size > 0) {
        kerf_why_set(
            &r->why,
            "'%s' is not for an update in place: use it without --in-place, or one made by kerf-diff --in-place",
            o->delta_path);
        return KERF_ERR_ARGUMENT;
    }
    if (!o->in_place && one_slot) {
        kerf_why_set(&r->why, "'%s' is for an update in place: copy the old image, and use it on that with --in-place",
                     o->delta_path);
        return KERF_ERR_ARGUMENT;
    }
    return KERF_OK;
}

static kerf_err begin(struct kerf_patch_work *r, struct kerf_patcher_expect *expect)
{
    const struct kerf_patch_options *o = r->options;
    kerf_err err = KERF_NONE;

    r->whole = o->from == 0;
    if (r->whole) {
        err = peek(r);
        err = err == KERF_OK ? check_slots(r) : err;
    }
    if ((err == KERF_OK || err == KERF_NONE) && (o->state_path != NULL || o->in_place)) {
        err = kerf_patch_state_open(r);
        err = err == KERF_OK ? kerf_patch_state_resume(r, expect) : err;
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
            err = reserve(r, &r->why);
            err = err == KERF_OK
                      ? kerf_journal_file_create(&r->posix, &r->state_fd, r->state_path, &r->header, o->checkpoint)
                      : err;
            err = err == KERF_OK ? kerf_patch_state_workspace(r, kerf_patcher_workspace(&r->header, &r->posix.port))
                                 : err;
        }
    }
    if (err == KERF_OK) {
        err = kerf_patcher_init(r->workspace, r->workspace_len, &r->posix.port, expect, 0, &r->patcher);
    }
    return err;
}

/* In place: OLD is not the old image, but the one that the delta makes of it, as after an earlier run. */
static bool is_up_to_date(struct kerf_patch_work *r, kerf_err err)
{
    return err == KERF_ERR_SOURCE && r->options->in_place && r->resumed_from == 0 && r->posix.chunk0_hashed &&
           kerf_posix_holds(r->old_fd, r->header.new_size, &r->header.new_digest, &r->new_digest);
}

static kerf_err apply(struct kerf_patch_work *r)
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
    return err == KERF_END ? (kerf_patch_expected(r) ? KERF_OK : KERF_ERR_CHUNK) : err;
}

/* The new image is there and right: gives it its length and its name. */
static kerf_err finish(struct kerf_patch_work *r)
{
    const struct kerf_patch_options *o = r->options;
    int fd = o->in_place ? r->old_fd : r->writer.fd;
    struct kerf_patcher_status s;
    struct stat st;
    uint64_t len;
    kerf_err err = KERF_OK;

    if (r->up_to_date) {
        return kerf_patch_state_drop(r);
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
    return err == KERF_OK ? kerf_patch_state_drop(r) : err;
}

int kerf_patch_position(const struct kerf_patch_options *o)
{
    struct kerf_patch_work r;
    struct kerf_patcher_status s;
    size_t len = 0;
    bool found = false;
    kerf_err err;

    memset(&r, 0, sizeof r);
    memset(&s, 0, sizeof s);
    r.options = o;
    err = kerf_posix_init(&r.posix, -1, "", -1, "", UINT64_MAX, &r.why);
    if (err == KERF_OK && access(o->state_path, F_OK) == 0) {
        err = kerf_patch_state_open(&r);
        err = err == KERF_OK ? kerf_journal_file_open(&r.posix, r.state_fd, o->state_path, &found, &len) : err;
    }
    if (err == KERF_OK && found) {
        r.posix.port.flush = NULL; /* nothing is written here */
        err = kerf_patch_state_workspace(&r, len);
        err = err == KERF_OK ? kerf_patcher_resume(r.workspace, len, &r.posix.port, NULL, &r.patcher) : err;
        if (err == KERF_OK) {
            kerf_patcher_status(r.patcher, &s);
        }
    }
    kerf_posix_free(&r.posix);
    free(r.workspace);
    free(r.state_path);
    if (err < KERF_OK) {
        return kerf_cli_failed(o->json, err, kerf_cli_err_exit(err),
                               r.why.text[0] != '\0' ? r.why.text : r.posix.why.text);
    }
    if (o->json) {
        return kerf_cli_json(json_pack("{s:b, s:I}", "ok", 1, "position", (json_int_t)s.delta_pos));
    }
    (void)printf("%" PRIu64 "\n", (uint64_t)s.delta_pos);
    return KERF_EXIT_OK;
}

int kerf_patch_run(const struct kerf_patch_options *o)
{
    struct kerf_patch_work r;
    kerf_err err;
    int code;

    memset(&r, 0, sizeof r);
    r.options = o;
    r.device = kerf_patch_files_device(o->in_place ? o->old_path : o->dry_run ? NULL : o->new_path);
    r.old_fd = r.delta_fd = r.scratch_fd = r.state_fd = -1;
    r.writer = (struct kerf_file_writer)KERF_FILE_WRITER_NONE;
    kerf_progress_begin(&r.progress, o->quiet);
    r.input = malloc(KERF_PATCH_INPUT);
    err = r.input == NULL ? KERF_ERR_RAM : kerf_patch_files_open(&r);
    if (err == KERF_OK) {
        err = kerf_patch_files_output(&r);
    }
    if (err == KERF_OK) {
        err = apply(&r);
    }
    if (err == KERF_OK) {
        err = finish(&r);
    }
    if (r.state_path != NULL &&
        ((err == KERF_ERR_SOURCE && r.resumed_from == 0) || (err == KERF_ERR_TARGET && !o->in_place))) {
        kerf_err dropped = kerf_patch_state_drop(&r); /* nothing was begun, or going on would end the same way */

        (void)dropped;
    }
    if (err == KERF_OK) {
        code = kerf_patch_report_success(&r);
    } else {
        code = kerf_patch_report_failure(&r, err);
    }
    kerf_patch_files_close(&r);
    return code;
}
