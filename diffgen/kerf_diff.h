/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kerf_diff.h - the parts of the command kerf-diff; not for others.
 */
#ifndef KERF_DIFFGEN_KERF_DIFF_H
#define KERF_DIFFGEN_KERF_DIFF_H

#include <jansson.h>
#include <stdio.h>

#include "common/host/why.h"
#include "diffgen/diffgen.h"
#include "diffgen/flatten.h"

/* Images longer than this are refused as they are read, in bytes; memory is mostly the limit. */
#define KERF_DIFF_IMAGE_MAX (SIZE_MAX / 16)
#define KERF_DIFF_JOBS_MAX 64u

struct kerf_trace;

/* What a created delta is reported by. */
struct kerf_diff_result {
    const char *output;                  /* as named; "-": standard output */
    size_t old_len, new_len;             /* bytes */
    bool old_is_empty;                   /* old was given, and has no bytes */
    struct kerf_flat old_flat, new_flat; /* what they were flattened from; no image in there */
    const char *could_be_flat;           /* what new is, not flattened, where it could have been; NULL: nothing */
    uint64_t full_len;                   /* bytes of a full payload of new; 0: none was made to compare with */
    bool full_is_better;                 /* the delta is hardly smaller than that */
    uint64_t ram;                        /* bytes asked for */
    int level;
    double seconds; /* spent on making and checking it */
    struct kerf_diff_report report;
};

/*
 * options.c: the options that kerf-diff and kerf-diff report both take, those of making a delta: a part of the table
 * and of the string that getopt is given. What it answers for them kerf_diff_take() takes.
 */
enum kerf_diff_option {
    KERF_DIFF_OPT_ISA = 512,
    KERF_DIFF_OPT_BASE,
    KERF_DIFF_OPT_IN_PLACE,
    KERF_DIFF_OPT_NO_NEW,
    KERF_DIFF_OPT_MEMORY,
};
#define KERF_DIFF_SHORTS "r:j:123456789"
#define KERF_DIFF_OPTIONS                                                                                              \
    {"ram", required_argument, NULL, 'r'}, {"isa", required_argument, NULL, KERF_DIFF_OPT_ISA},                        \
        {"base", required_argument, NULL, KERF_DIFF_OPT_BASE},                                                         \
        {"in-place", required_argument, NULL, KERF_DIFF_OPT_IN_PLACE},                                                 \
        {"no-new", no_argument, NULL, KERF_DIFF_OPT_NO_NEW},                                                           \
        {"memory", required_argument, NULL, KERF_DIFF_OPT_MEMORY},                                                     \
    {                                                                                                                  \
        "jobs", required_argument, NULL, 'j'                                                                           \
    }
/* Takes one of them, with the argument `text`. Sets its field and returns -1, or says what is wrong: an exit code. */
int kerf_diff_take(struct kerf_diff_options *diff, int option, const char *text);
/* --profile: a name of kerf_diff_profiles[], or auto: *by_work, and the images' sizes decide. Returns as kerf_diff_take(). */
int kerf_diff_parse_profile(struct kerf_diff_options *diff, bool *by_work, const char *text);
/* RAM, and the codec if none was asked for, by what there is to decode: no clock is asked, the same images give the same delta. */
void kerf_diff_profile_by_work(struct kerf_diff_options *diff, uint64_t old_len, uint64_t new_len);
/* Bytes of an image that is worth reading: one longer than all the memory is not. */
size_t kerf_diff_image_max(const struct kerf_diff_options *diff);
/* Processors of this machine, 1 .. KERF_DIFF_JOBS_MAX: what --jobs is by default. */
unsigned kerf_diff_cores(void);
/* The line for KERF_ERR_SPACE, where it is about a slot, and KERF_ERR_ARGUMENT; none if they are not about --in-place. */
void kerf_diff_explain_in_place(struct kerf_why *why, const struct kerf_diff_options *diff, size_t old_len,
                                size_t new_len);
/* The line for KERF_ERR_SPACE, where it is not. */
void kerf_diff_explain_memory(struct kerf_why *why, const struct kerf_diff_options *diff,
                              const struct kerf_diff_report *report);
/* Do both paths name one file that is there? NULL names none. options.c */
bool kerf_diff_same_file(const char *a_path, const char *b_path);

/* Names that --ram takes beside sizes, by size; the last has none. */
struct kerf_diff_profile {
    const char *name;
    uint64_t ram;
};
extern const struct kerf_diff_profile kerf_diff_profiles[];

/* report.c: the result as text or as JSON; both return an exit code. `quiet` leaves the text out, not the warning. */
int kerf_diff_show(const struct kerf_diff_result *result, bool verbose, bool quiet);
int kerf_diff_show_json(const struct kerf_diff_result *result);
/* What the images were flattened from: a line each, and as a member of a JSON object; nothing where they were not. */
void kerf_diff_show_flat(FILE *to, const struct kerf_flat *old_flat, const struct kerf_flat *new_flat, size_t old_len,
                         size_t new_len);
void kerf_diff_add_flat(json_t *object, const struct kerf_flat *old_flat, const struct kerf_flat *new_flat);
/* Where the bytes went: as lines of text, and as members of a JSON object. */
void kerf_diff_show_parts(FILE *to, const struct kerf_diff_report *report);
void kerf_diff_add_parts(json_t *object, const struct kerf_diff_report *report);
/* The tables of a delta's header, as "regions" and "ranges". */
void kerf_diff_add_regions(json_t *object, const struct kerf_header *header, const struct kerf_region *regions,
                           const struct kerf_range *ranges);
/* As --isa takes it; "unknown" for a number that this build does not know. */
const char *kerf_diff_isa_name(unsigned isa);

/* info.c: `kerf-diff info ...`; argv[0] is "info". Returns an exit code. */
int kerf_diff_info(int argc, char **argv);
/* report_cmd.c: `kerf-diff report ...`; argv[0] is "report". Returns an exit code. */
int kerf_diff_report(int argc, char **argv);

/*
 * recount.c: what an existing delta's payload is made of. Decodes `delta` (a whole container whose chain was checked)
 * from old, and codes what it found once more with the books open; the payload comes out the same, or KERF_ERR_STATE
 * says that it was made by another encoder and can't be counted. Fills part_cost, segments, literals, refs and
 * refs_wrong of *report. `trace` (work.h; may be NULL) is told what each step made and cost.
 * KERF_ERR_CORRUPT, KERF_ERR_RAM and so on as the decoder says.
 */
KERF_MUST_USE kerf_err kerf_diff_recount(const uint8_t *old_image, size_t old_len, const uint8_t *delta,
                                         size_t delta_len, const struct kerf_trace *trace,
                                         struct kerf_diff_report *report);

#endif
