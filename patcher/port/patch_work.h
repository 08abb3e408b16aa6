/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_work.h - what the parts of a run of kerf-patch know of each other. patch_run.c knows their order; patch_files.c
 * opens, reads and closes the files, patch_state.c keeps what outlives a power cut, patch_report.c tells how it ended.
 * What is written when stands in patch_run.h.
 */
#ifndef KERF_PATCHER_PORT_PATCH_WORK_H
#define KERF_PATCHER_PORT_PATCH_WORK_H

#include <string.h>

#include "common/host/file.h"
#include "common/host/progress.h"
#include "patcher/patcher.h"
#include "patcher/port/patch_options.h"
#include "patcher/port/posix.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KERF_PATCH_INPUT ((size_t)32768) /* bytes of the delta read at once; at least 256, for the header */

/* One run. */
struct kerf_patch_work {
    const struct kerf_patch_options *options;
    int old_fd, delta_fd, scratch_fd; /* -1: not open; scratch_fd: where a dry run writes */
    int state_fd;
    bool whole;  /* the delta is input from its beginning, and `header` was looked at */
    bool device; /* NEW is a block device, which is written to as it is */
    uint64_t resumed_from;
    bool replaces_old; /* NEW is OLD */
    bool up_to_date;   /* in place: OLD was the new image already, of this digest */
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
};

/* Is chunk 0 what --expect names, beyond the 16 bytes that the patcher compares? True where it names nothing. */
static inline bool kerf_patch_expected(const struct kerf_patch_work *r)
{
    return memcmp(r->posix.chunk0_digest.b, r->options->expect, r->options->expect_len) == 0;
}

/* --- patch_files.c: the files of a run. What fails says why in r->why. --- */
/* Is it a block device? NULL is none. */
bool kerf_patch_files_device(const char *path);
/* The same file, or the same device. */
bool kerf_patch_files_same(int fd, const char *path);
/* OLD and the delta. */
KERF_MUST_USE kerf_err kerf_patch_files_open(struct kerf_patch_work *r);
/* What NEW is written to, and r->posix over it and OLD. */
KERF_MUST_USE kerf_err kerf_patch_files_output(struct kerf_patch_work *r);
/* Reads more of the delta behind what is left of it in r->input. *end: there is no more. */
KERF_MUST_USE kerf_err kerf_patch_files_read(struct kerf_patch_work *r, bool *end);
/* Brings the input to position `pos` of the delta. */
KERF_MUST_USE kerf_err kerf_patch_files_skip(struct kerf_patch_work *r, uint64_t pos);
/* Closes all, and frees what r owns; what was made of NEW and is not complete goes, unless a later run can go on with it. */
void kerf_patch_files_close(struct kerf_patch_work *r);

/* --- patch_state.c: going on after a cut. --- */
KERF_MUST_USE kerf_err kerf_patch_state_open(struct kerf_patch_work *r);
/* All is done, or will never be: what was kept to go on with is removed, in a way that lasts. */
KERF_MUST_USE kerf_err kerf_patch_state_drop(struct kerf_patch_work *r);
/* A workspace of at least `len` bytes in r; what is in it may be lost. */
KERF_MUST_USE kerf_err kerf_patch_state_workspace(struct kerf_patch_work *r, size_t len);
/* KERF_OK: goes on after a cut. KERF_NONE: there is nothing to go on with, and a new journal is made. */
KERF_MUST_USE kerf_err kerf_patch_state_resume(struct kerf_patch_work *r, const struct kerf_patcher_expect *expect);

/* --- patch_report.c: what is printed. Both return the exit code. --- */
int kerf_patch_report_failure(struct kerf_patch_work *r, kerf_err err);
int kerf_patch_report_success(const struct kerf_patch_work *r);

#ifdef __cplusplus
}
#endif

#endif
