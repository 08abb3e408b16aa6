/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_run.h - what kerf-patch does with its files, once the command line is read.
 *
 * What is written when, so that a power cut at any moment leaves the old image, the new one, or what the next run makes
 * the new one of; the operating system may lose, tear and reorder all that was not synced. tests/filecut.c cuts at each
 * of these.
 *
 *   NEW a file        a temporary file beside it: written, synced; renamed; the folder synced
 *   ... with --state  NEW.kerf-partial is that file. The state: emptied, synced; its layout written, synced; its folder
 *   synced;
 *                     then as journal_file.h says. In the end NEW.kerf-partial gets its length, is synced, renamed, the
 *                     folder synced; then the state is removed, its folder synced. A state without NEW.kerf-partial
 *                     counts as none
 *   NEW a device      written to as it is; synced, and read back from the device
 *   --in-place        the state as above, all before the first write to OLD; in the end OLD gets its length and is synced; then the
 *                     state is removed, its folder synced
 *   a state on a device  is not removed: its beginning is overwritten, and synced
 */
#ifndef KERF_PATCHER_PORT_PATCH_RUN_H
#define KERF_PATCHER_PORT_PATCH_RUN_H

#include "patcher/port/patch_options.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Applies the delta, prints the result. Returns the exit code (docs/man/kerf-patch.1). */
int kerf_patch_run(const struct kerf_patch_options *o);

/* --position: prints from which byte of the delta a run with this state would go on. Returns the exit code. */
int kerf_patch_position(const struct kerf_patch_options *o);

#ifdef __cplusplus
}
#endif

#endif
