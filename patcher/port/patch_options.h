/* SPDX-License-Identifier: Apache-2.0 */
/* patch_options.h - the command line of kerf-patch. */
#ifndef KERF_PATCHER_PORT_PATCH_OPTIONS_H
#define KERF_PATCHER_PORT_PATCH_OPTIONS_H

#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The command line. */
struct kerf_patch_options {
    const char *old_path; /* NULL: not given */
    const char *delta_path;
    const char *new_path;   /* NULL: not given (dry run) */
    const char *state_path; /* NULL: not given */
    uint64_t checkpoint;    /* bytes of new between two checkpoints; 0: journal_file.h's */
    uint64_t from;          /* where in the delta its input begins */
    size_t expect_len;      /* bytes of `expect`; 0: not given */
    uint8_t expect[KERF_SHA256_LEN];
    bool dry_run, json, quiet, verbose, in_place, position;
};

/* Reads it into *o, which is zero before. Returns -1 to go on, else an exit code: help was printed, or a complaint. */
int kerf_patch_options_parse(struct kerf_patch_options *o, int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
