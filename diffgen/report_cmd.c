/* SPDX-License-Identifier: Apache-2.0 */
/* kerf-diff report: makes a delta, measures it, and writes a page about it. docs/man/kerf-diff.1 */
#define _POSIX_C_SOURCE 200809L
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "common/host/progress.h"
#include "diffgen/detect.h"
#include "diffgen/inputs.h"
#include "diffgen/report.h"

#define TOP_DEFAULT 100u
#define TOP_MAX 5000u /* rows; the page stays small */

/* The command line. */
struct options {
    const char *old_path, *new_path;
    const char *page_path;                     /* NULL: none is written, with --json alone */
    const char *elf_old_path, *new_names_path; /* NULL: not given; of new an ELF file or a map */
    struct kerf_diff_options diff;
    size_t top;
    bool flatten, no_profiles, json, quiet;
};

/* One run. */
struct run {
    const struct options *options;
    struct kerf_input old_input, new_input;
    const uint8_t *old_image, *new_image; /* of the inputs */
    uint8_t *delta;
    size_t delta_len;
    struct kerf_image whole; /* where report.image is in parts: without them */
    struct kerf_report report;
    struct kerf_progress progress;
    struct kerf_why why;
};

static int help(void)
{
    (void)fputs(
        "Usage: kerf-diff report OLD NEW [-o PAGE]\n"
        "Makes a delta as kerf-diff does and writes a page about it, one HTML file that needs nothing else: where each "
        "part of\n"
        "NEW came from, what it cost, which functions cost most, what more RAM would give, what could make it "
        "smaller.\n"
        "\n"
        "  -o, --output PAGE   where the page goes; report.html by default, - is standard output\n"
        "      --elf-new FILE  the ELF file that NEW was made of: costs by section and function\n"
        "      --elf-old FILE  that of OLD: also says which functions are new or grew\n"
        "      --map-new FILE  a linker's map instead of --elf-new (GNU ld, LLVM lld)\n"
        "      --top N         rows of the table of functions; 100 by default\n"
        "      --no-profiles   don't make deltas for other sizes of RAM: quicker\n"
        "  -r, --ram SIZE, -1 .. -9, --isa NAME, --base ADDRESS, --in-place ..., --flatten, --no-new\n"
        "                      for the delta, as kerf-diff --help says\n"
        "      --json          print the same numbers as one JSON object; a page is written only with -o\n"
        "      --memory SIZE   memory that kerf-diff may take here; with less, matches are searched for in larger "
        "steps\n"
        "  -j, --jobs N        threads, by default one for each processor\n"
        "  -q, --quiet         print nothing but errors\n"
        "  -h, --help          print this\n"
        "\n"
        "The delta itself is not written: make it with kerf-diff and the same options.\n",
        stdout);
    return KERF_EXIT_OK;
}

static int parse_top(struct options *o, const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || n < 1 || n > TOP_MAX) {
        return kerf_cli_usage("report: --top takes a number of rows, 1 to %u, not '%s'", TOP_MAX, text);
    }
    o->top = n;
    return -1;
}

static int set_names(struct options *o, const char *path)
{
    if (o->new_names_path != NULL) {
        return kerf_cli_usage("report: give one of --elf-new and --map-new");
    }
    o->new_names_path = path;
    return -1;
}

enum {
    OPT_ELF_OLD = 256,
    OPT_NAMES_NEW,
    OPT_FLATTEN,
    OPT_TOP,
    OPT_NO_PROFILES,
    OPT_JSON,
};

/* One option. Returns -1 to go on, else an exit code. */
static int parse_option(void *ctx, int c)
{
    struct options *o = ctx;

    switch (c) {
    case 'o':
        o->page_path = optarg;
        return -1;
    case OPT_ELF_OLD:
        o->elf_old_path = optarg;
        return -1;
    case OPT_NAMES_NEW:
        return set_names(o, optarg);
    case OPT_FLATTEN:
        o->flatten = true;
        return -1;
    case OPT_TOP:
        return parse_top(o, optarg);
    case OPT_NO_PROFILES:
        o->no_profiles = true;
        return -1;
    case OPT_JSON:
        o->json = true;
        return -1;
    case 'q':
        o->quiet = true;
        return -1;
    case 'h':
        return help();
    default:
        return kerf_diff_take(&o->diff, c, optarg);
    }
}

static int parse_paths(struct options *o, int argc, char **argv)
{
    int count = argc - optind;

    if (count < 2) {
        return kerf_cli_usage(count == 1 ? "report: NEW is missing" : "report: OLD and NEW are missing");
    }
    if (count > 2) {
        return kerf_cli_usage("report: too many arguments, from '%s' on", argv[optind + 2]);
    }
    o->old_path = argv[optind];
    o->new_path = argv[optind + 1];
    if (strcmp(o->old_path, "-") == 0 && strcmp(o->new_path, "-") == 0) {
        return kerf_cli_usage("report: only one of the two images can come from standard input");
    }
    if (o->page_path == NULL && !o->json) {
        o->page_path = "report.html";
    }
    if (o->json && o->page_path != NULL && strcmp(o->page_path, "-") == 0) {
        return kerf_cli_usage("report: the page goes to standard output, where --json prints: name a file with -o");
    }
    if (o->page_path != NULL) {
        const char *inputs[] = {o->old_path, o->new_path, o->elf_old_path, o->new_names_path};

        for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
            if (kerf_diff_same_file(inputs[i], o->page_path)) {
                return kerf_cli_usage("report: '%s' is one of the inputs: give the page another name", o->page_path);
            }
        }
    }
    return -1;
}

static int parse_options(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        {"output", required_argument, NULL, 'o'},
        {"elf-old", required_argument, NULL, OPT_ELF_OLD},
        {"elf-new", required_argument, NULL, OPT_NAMES_NEW},
        {"map-new", required_argument, NULL, OPT_NAMES_NEW},
        {"flatten", no_argument, NULL, OPT_FLATTEN},
        {"top", required_argument, NULL, OPT_TOP},
        {"no-profiles", no_argument, NULL, OPT_NO_PROFILES},
        KERF_DIFF_OPTIONS,
        {"json", no_argument, NULL, OPT_JSON},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int code = kerf_cli_options(argc, argv, ":o:qh" KERF_DIFF_SHORTS, longs, parse_option, o);

    return code < 0 ? parse_paths(o, argc, argv) : code;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return strcmp(path, "-") == 0 ? "standard input" : slash == NULL || slash[1] == '\0' ? path : slash + 1;
}

static kerf_err read_inputs(struct run *r)
{
    const struct options *o = r->options;
    struct kerf_report *report = &r->report;

    r->old_input = (struct kerf_input){.path = o->old_path, .names_path = o->elf_old_path, .flatten = o->flatten};
    r->new_input = (struct kerf_input){.path = o->new_path, .names_path = o->new_names_path, .flatten = o->flatten};
    kerf_err err = kerf_inputs_read(&r->old_input, &r->new_input, kerf_diff_image_max(&r->report.diff), &r->why);

    r->old_image = r->old_input.image;
    r->new_image = r->new_input.image;
    report->old_len = r->old_input.len;
    report->new_len = r->new_input.len;
    report->old_flat = r->old_input.flat;
    report->new_flat = r->new_input.flat;
    report->diff.old_hint = &r->old_input.hint;
    report->diff.new_hint = &r->new_input.hint;
    report->old_name = base_name(o->old_path);
    report->new_name = base_name(o->new_path);
    report->names_from = o->new_names_path == NULL ? NULL : base_name(o->new_names_path);
    return err;
}

/* All of new, from its first byte's address on: a map can't tell that itself. */
static struct kerf_symbols_range whole_range(const struct run *r)
{
    struct kerf_symbols_range range = {.len = r->new_input.len};

    if (r->options->diff.base_known) {
        range.addr = r->options->diff.base;
    } else if (r->new_input.hint.base_known) {
        range.addr = r->new_input.hint.base;
    } else {
        range.addr = kerf_symbols_base(&r->new_input.symbols);
    }
    return range;
}

/* The load addresses of new as they were recognised, without gaps; returns how many ranges. 0: they are not known. */
static size_t recognised_ranges(const struct run *r, struct kerf_symbols_range ranges[KERF_MAX_REGIONS])
{
    const struct kerf_image *image = &r->report.image;
    bool known = false;

    for (unsigned i = 0; i < image->region_count; i++) {
        const struct kerf_region *region = &image->regions[i];
        uint64_t end = i + 1 < image->region_count ? image->regions[i + 1].new_pos : r->new_input.len;
        uint64_t before = i == 0 && region->new_addr >= region->new_pos ? region->new_pos : 0;

        ranges[i].pos = region->new_pos - before;
        ranges[i].addr = region->new_addr - before;
        ranges[i].len = end - ranges[i].pos;
        known = known || region->new_addr != 0;
    }
    return known ? image->region_count : 0;
}

/* An ELF file's names have their places already. */
static kerf_err place_names(struct run *r)
{
    struct kerf_input *in = &r->new_input;
    struct kerf_symbols_range ranges[KERF_MAX_REGIONS];
    size_t count = 0;

    if (in->names_path == NULL || in->symbols.is_elf) {
        return KERF_OK;
    }
    if (!r->options->diff.base_known && !in->hint.base_known) {
        count = recognised_ranges(r, ranges);
    }
    if (count == 0) {
        ranges[count++] = whole_range(r);
    }
    if (kerf_symbols_place_map(&in->symbols, ranges, count) == 0) {
        kerf_why_set(&r->why, "'%s' has no section inside '%s': give its load address with --base", in->names_path,
                     in->path);
        return KERF_ERR_ARGUMENT;
    }
    return KERF_OK;
}

/* The two images as they are recognised; the delta may use less of it. */
static kerf_err recognise(struct run *r)
{
    struct kerf_report *report = &r->report;
    struct kerf_layout layout;

    kerf_container_read(r->old_image, report->old_len, &layout);
    report->old_container = layout.container;
    kerf_container_read(r->new_image, report->new_len, &layout);
    report->new_container = layout.container;
    return report->old_len == 0 ? KERF_OK
                                : kerf_image_recognise(r->old_image, report->old_len, r->new_image, report->new_len,
                                                       &report->diff, &r->whole, &report->image);
}

static kerf_err make_delta(struct run *r)
{
    struct kerf_report *report = &r->report;
    kerf_err err = kerf_diff_create(r->old_image, report->old_len, r->new_image, report->new_len, &report->diff,
                                    &r->delta, &r->delta_len, &report->made);

    if (err == KERF_ERR_RAM) {
        kerf_why_set(&r->why, "--ram: %" PRIu64 " bytes are too few for these images, or memory is short: give more",
                     report->diff.ram);
    } else if (err == KERF_ERR_SPACE && report->made.memory_needed > 0) {
        kerf_diff_explain_memory(&r->why, &report->diff, &report->made);
    } else if (err == KERF_ERR_SPACE || err == KERF_ERR_ARGUMENT) {
        kerf_diff_explain_in_place(&r->why, &report->diff, report->old_len, report->new_len);
    }
    if (err == KERF_OK && report->image.in_parts && !report->made.in_parts) {
        report->image = r->whole; /* the parts did not pay */
    }
    if (err == KERF_OK) {
        err = kerf_header_parse(r->delta, r->delta_len, &report->header);
    }
    report->addressed = strstr(report->made.recognised, "load address unknown") == NULL;
    return err == KERF_OK ? kerf_header_tables(r->delta, &report->header, report->regions, report->ranges) : err;
}

static kerf_err make_full(struct run *r)
{
    struct kerf_diff_options diff = r->report.diff;
    struct kerf_diff_report made;
    uint8_t *full;
    size_t full_len;

    diff.in_place = false;
    kerf_err err = kerf_diff_create(NULL, 0, r->new_image, r->report.new_len, &diff, &full, &full_len, &made);

    free(full);
    r->report.full_len = full_len;
    return err;
}

/* The same delta for one other size of RAM. */
static kerf_err make_profile(struct run *r, const char *name, uint64_t ram)
{
    struct kerf_report *report = &r->report;
    struct kerf_report_profile *p = &report->profiles[report->profile_count];
    struct kerf_diff_options diff = report->diff;
    struct kerf_diff_report made = report->made;
    uint8_t *delta = NULL;
    size_t delta_len;
    kerf_err err = KERF_OK;

    *p = (struct kerf_report_profile){.name = name, .ram = ram, .is_the_one = ram == report->diff.ram};
    diff.ram = ram;
    if (!p->is_the_one) {
        err = kerf_diff_create(r->old_image, report->old_len, r->new_image, report->new_len, &diff, &delta, &delta_len,
                               &made);
    }
    free(delta);
    p->fits = err == KERF_OK;
    p->delta_len = made.delta_len;
    p->workspace = made.workspace;
    report->profile_count++;
    return err == KERF_ERR_RAM ? KERF_OK : err;
}

static kerf_err make_profiles(struct run *r)
{
    uint64_t own = r->report.diff.ram;
    bool own_made = false;
    kerf_err err = KERF_OK;

    for (size_t i = 0; err == KERF_OK && kerf_diff_profiles[i].name != NULL; i++) {
        const struct kerf_diff_profile *p = &kerf_diff_profiles[i];

        if (!own_made && own < p->ram) {
            err = make_profile(r, NULL, own);
        }
        own_made = own_made || own <= p->ram;
        if (err == KERF_OK) {
            err = make_profile(r, p->name, p->ram);
        }
    }
    return err == KERF_OK && !own_made ? make_profile(r, NULL, own) : err;
}

static kerf_err measure(struct run *r)
{
    struct kerf_report *report = &r->report;
    struct kerf_costs *costs = &report->costs;

    costs->old_image = r->old_image;
    costs->new_image = r->new_image;
    costs->old_len = report->old_len;
    costs->new_len = report->new_len;
    kerf_err err = kerf_costs_collect(costs, r->delta, r->delta_len, &report->made);

    if (err == KERF_OK) {
        err = kerf_costs_places(costs, report->places, KERF_PLACES_MAX, &report->place_count);
    }
    if (err == KERF_OK && r->options->new_names_path != NULL) {
        err = kerf_names_collect(&report->names, costs, &r->new_input.symbols,
                                 r->options->elf_old_path == NULL ? NULL : &r->old_input.symbols);
    }
    return err;
}

static bool to_stdout(const struct options *o)
{
    return o->page_path != NULL && strcmp(o->page_path, "-") == 0;
}

static kerf_err write_page(struct run *r)
{
    struct kerf_text page = {0};
    kerf_err err = KERF_OK;

    if (r->options->page_path == NULL) {
        return KERF_OK;
    }
    err = kerf_report_html(&r->report, &page);
    if (err == KERF_OK && to_stdout(r->options)) {
        (void)fwrite(page.data, 1, page.len, stdout); /* a failed write shows in kerf_cli_end() */
    } else if (err == KERF_OK) {
        kerf_cli_catch_signals(); /* so that no temporary file is left */
        err = kerf_file_write(r->options->page_path, 0, (const uint8_t *)page.data, page.len, &r->why);
    }
    free(page.data);
    return err;
}

typedef kerf_err step(struct run *r);

static kerf_err run_all(struct run *r)
{
    static step *const steps[] = {read_inputs, recognise, place_names, make_delta, measure, make_full};
    kerf_err err = KERF_OK;

    for (size_t i = 0; err == KERF_OK && i < sizeof steps / sizeof steps[0]; i++) {
        err = steps[i](r);
    }
    if (err == KERF_OK && !r->options->no_profiles) {
        err = make_profiles(r);
    }
    if (err == KERF_OK) {
        err = kerf_report_advise(&r->report);
    }
    kerf_progress_end(&r->progress);
    return err == KERF_OK ? write_page(r) : err;
}

static void show(const struct run *r)
{
    const struct kerf_report *report = &r->report;
    FILE *to = to_stdout(r->options) ? stderr : stdout;
    const struct kerf_report_item *item = kerf_names_first(&report->names);

    (void)fprintf(to,
                  "%s: about a delta of %" PRIu64 " bytes, workspace %" PRIu64 " of %" PRIu64
                  " bytes; a full payload has %" PRIu64 "\n",
                  to == stderr ? "standard output" : r->options->page_path, report->made.delta_len,
                  report->made.workspace, report->diff.ram, report->full_len);
    kerf_diff_show_flat(to, &report->old_flat, &report->new_flat, report->old_len, report->new_len);
    if (report->made.recognised[0] != '\0') {
        (void)fprintf(to, "images: %s\n", report->made.recognised);
    }
    if (item != NULL) {
        (void)fprintf(to, "costliest: %s, %.0f bytes\n", item->name, kerf_report_bytes(item->sum.total));
    }
    for (size_t i = 0; i < report->advice_count; i++) {
        (void)fprintf(to, "advice: %s\n", report->advice[i].title);
    }
}

static int report_failure(const struct run *r, kerf_err err)
{
    /* A file that is not what an option takes is a wrong command line. */
    return kerf_cli_failed(r->options->json, err, err == KERF_ERR_FORMAT ? KERF_EXIT_USAGE : kerf_cli_err_exit(err),
                           r->why.text[0] != '\0' ? r->why.text : kerf_cli_err_text(err));
}

int kerf_diff_report(int argc, char **argv)
{
    struct options o = {.top = TOP_DEFAULT};
    struct run r;

    o.diff.codec = KERF_CODEC_NATIVE; /* of the others there is nothing to tell apart */
    o.diff.ram = KERF_DIFF_RAM_DEFAULT;
    o.diff.level = KERF_DIFF_LEVEL_DEFAULT;
    o.diff.jobs = kerf_diff_cores();
    int code = parse_options(&o, argc, argv);

    if (code >= 0) {
        return code;
    }
    memset(&r, 0, sizeof r);
    r.options = &o;
    kerf_progress_begin(&r.progress, o.quiet);
    r.report.diff = o.diff;
    r.report.diff.padded = true;
    r.report.diff.progress = kerf_progress_show;
    r.report.diff.progress_ctx = &r.progress;
    r.report.top = o.top;
    kerf_err err = run_all(&r);

    if (err != KERF_OK) {
        code = report_failure(&r, err);
    } else if (o.json) {
        code = kerf_report_json(&r.report, o.page_path);
    } else {
        if (!o.quiet) {
            show(&r);
        }
        code = KERF_EXIT_OK;
    }
    kerf_costs_free(&r.report.costs);
    kerf_names_free(&r.report.names);
    kerf_input_free(&r.old_input);
    kerf_input_free(&r.new_input);
    free(r.delta);
    return code;
}
