/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device core as one file: all of common/ and patcher/ that decodes, but for the tables of instruction sets.
 * Compiled with gcc's -fwhole-program it is smaller than its parts (docs/PORTING.md, "Add the sources"; docs/DESIGN.md,
 * "The core as one file").
 */
#include "common/codec.h"
#include "common/container.h"
#include "common/isa/form.h"
#include "common/run.h"
#include "patcher/patcher.h"
#include "patcher/state.h"

#if defined(__GNUC__) && !defined(__clang__)
/* What others call: a product patcher.h, and container.h and codec.h as far as devices need them. All else is static, as it were. */
#define CALLED(function) extern __typeof__(function) function __attribute__((externally_visible))
/* These are smaller as they are, apart from what calls them. */
#define APART(function) extern __typeof__(function) function __attribute__((noinline))

CALLED(kerf_prologue_parse);
CALLED(kerf_header_parse);
CALLED(kerf_header_slot);
CALLED(kerf_header_workspace);
CALLED(kerf_patcher_start);
CALLED(kerf_patcher_feed);
#if KERF_JOURNAL
CALLED(kerf_patcher_journal);
CALLED(kerf_patcher_load);
CALLED(kerf_patcher_forget);
#endif
CALLED(kerf_model_mix_decode); /* by nobody, but else its loops are unrolled in part */
APART(kerf_codec_init);
APART(kerf_digest_copy);
APART(kerf_run_fail);
APART(kerf_run_region);
#if KERF_JOURNAL
APART(kerf_journal_end);
APART(kerf_journal_save);
APART(kerf_state_open);
APART(kerf_read);
#endif
#endif

#include "common/codec.c"
#include "common/container.c"
#include "common/in_place.c"
#include "common/isa/btf.c"
#include "common/isa/elf.c"
#include "common/isa/form.c"
#include "common/isa/isa.c"
#include "common/isa/word.c"
#include "common/model.c"
#include "common/rc.c"
#include "common/refs.c"
#include "common/run.c"
#include "common/source.c"
#include "common/tables.c"
#include "patcher/inplace.c"
#include "patcher/journal.c"
#include "patcher/patcher.c"
#include "patcher/use_port.c"
#include "patcher/writer.c"
