/* SPDX-License-Identifier: Apache-2.0 */
/* kerf-diff: makes a delta between two files. docs/man/kerf-diff.1 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include "diffgen/kerf_diff.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "common/host/progress.h"
#include "diffgen/inputs.h"
#include "diffgen/work.h"

#define LARGE_BLOCK (1 << 20) /* bytes */

/* The command line. */
struct options {
    const char *old_path; /* NULL: a full payload */
    const char *new_path;
    const char *delta_path;                  /* "-": standard output */
    const char *old_elf_path, *new_elf_path; /* NULL: not given */
    struct kerf_diff_options diff;
    bool full, flatten, json, quiet, verbose;
    bool by_work; /* --profile auto */
};

/* One run. */
struct run {
    const struct options *options;
    struct kerf_diff_options diff; /* those of the command line, and the progress line */
    struct kerf_input old_input, new_input;
    const uint8_t *old_image, *new_image; /* of the inputs */
    uint8_t *delta;
    size_t delta_len;
    struct kerf_progress progress;
    struct kerf_diff_result result;
    struct kerf_why why; /* of the first failure; empty: kerf_cli_err_text() says enough */
    int exit_code;       /* of the first failure where it is not the usual one; -1: the usual one */
};

#define HELP_INDENT 22 /* columns of help() */
#define HELP_WIDTH 110

/* Names of instruction sets, on lines of their own that begin with so many blanks. */
static void list_isas(int indent, int width)
{
    int column = width;

    for (unsigned isa = 0; kerf_isa_name(isa) != NULL; isa++) {
        int len = (int)strlen(kerf_isa_name(isa)) + 2;

        if (column + len > width) {
            (void)printf("%s\n%*s", isa == 0 ? "" : ",", indent, "");
            column = indent;
        } else {
            (void)printf(", ");
        }
        (void)printf("%s", kerf_isa_name(isa));
        column += len;
    }
}

static int help(void)
{
    (void)fputs("Usage: kerf-diff OLD NEW -o DELTA\n"
                "       kerf-diff --full NEW -o PAYLOAD\n"
                "       kerf-diff report OLD NEW [-o PAGE]\n"
                "       kerf-diff info DELTA [--expect DIGEST] [--old OLD] [--json]\n"
                "Makes a delta that turns OLD into NEW, applies it with the decoder that devices run, in the memory "
                "that they have,\n"
                "and only then lets it appear. Or makes a full payload of NEW; or says what is in a delta; or makes a "
                "page about it,\n"
                "with pictures, that says where its bytes went (kerf-diff report --help).\n"
                "\n"
                "  -o, --output DELTA  where the delta goes; - is standard output\n"
                "  -r, --ram SIZE      workspace that the decoder may take: bytes, K, M, or tiny (2K), small (4K), "
                "default (8K),\n"
                "                      medium (16K), large (64K), host (1M); at least 2K\n"
                "      --profile NAME  one of these names, or auto: by the images' sizes and the work of decoding\n"
                "  -1 .. -9            fast .. small; 6 by default\n"
                "      --full          a full payload: needs no old image\n"
                "      --codec NAME    native, or lzma2: a full payload for devices with liblzma, quick to apply\n"
                "      --isa NAME      instruction set, where it is not recognised:",
                stdout);
    list_isas(HELP_INDENT, HELP_WIDTH);
    (void)fputs(
        "\n"
        "      --base ADDRESS  load address of both images, in hexadecimal, where it is not recognised\n"
        "      --in-place sector=BYTES,scratch=SECTORS[,group=SECTORS][,slot=BYTES]\n"
        "                      for a device with one slot, where NEW takes OLD's place sector by sector;\n"
        "                      where the slot is larger, its other sectors may keep bytes of OLD for a while\n"
        "      --elf-old FILE, --elf-new FILE\n"
        "                      ELF files of the images, for what their bytes leave open\n"
        "      --flatten       Intel HEX, S-records, UF2, DfuSe and DFU files: the delta is of the images in them\n"
        "      --no-new        the decoder must not read back what it has written\n"
        "      --expect DIGEST info: the digest that the delta must have, as kerf-diff printed it\n"
        "      --old OLD       info: decode the payload too, and count where its bytes went\n"
        "      --memory SIZE   memory that kerf-diff may take here: by default 64 MB and 5 bytes for each byte of "
        "the images;\n"
        "                      with less, matches are searched for in larger steps\n"
        "  -j, --jobs N        threads, by default one for each processor; the delta is the same\n"
        "      --json          print the result as one JSON object\n"
        "  -q, --quiet         print nothing but errors and warnings\n"
        "  -v, --verbose       print where the bytes went, and compare with a full payload\n"
        "  -h, --help          print this\n"
        "      --version       print the version\n"
        "\n"
        "Exit codes: 0 done, 1 internal error or out of memory, 2 usage, 3 damaged delta (info), 4 not its old "
        "image (info),\n"
        "5 file or disk error, 6 not the delta that --expect names (info), 7 does not fit: --ram too small, "
        "image too large.\n",
        stdout);
    return KERF_EXIT_OK;
}

static int parse_paths(struct options *o, int argc, char **argv)
{
    int want = o->full ? 1 : 2;
    int count = argc - optind;

    if (count < want) {
        return kerf_cli_usage(o->full ? "NEW is missing" : count == 1 ? "NEW is missing" : "OLD and NEW are missing");
    }
    if (count > want) {
        return kerf_cli_usage(o->full ? "--full takes one image, so '%s' is too many"
                                      : "too many arguments, from '%s' on",
                              argv[optind + want]);
    }
    if (!o->full && o->diff.codec == KERF_CODEC_LZMA2) {
        return kerf_cli_usage("--codec lzma2 packs the whole new image: it goes with --full");
    }
    if (o->full && o->old_elf_path != NULL) {
        return kerf_cli_usage("--full has no old image, so --elf-old is none of it");
    }
    if (o->full && o->diff.in_place) {
        return kerf_cli_usage("--in-place needs an old image, so not --full");
    }
    if (o->delta_path == NULL) {
        return kerf_cli_usage("-o DELTA is missing");
    }
    o->old_path = o->full ? NULL : argv[optind];
    o->new_path = argv[optind + want - 1];
    if (!o->full && strcmp(o->old_path, "-") == 0 && strcmp(o->new_path, "-") == 0) {
        return kerf_cli_usage("only one of the two images can come from standard input");
    }
    if (strcmp(o->delta_path, "-") == 0 && o->json) {
        return kerf_cli_usage("the delta goes to standard output, where --json prints: name a file with -o");
    }
    if (strcmp(o->delta_path, "-") == 0 && isatty(STDOUT_FILENO) == 1) {
        return kerf_cli_usage("a delta is no text for a terminal: name a file with -o");
    }
    return -1;
}

enum {
    OPT_FULL = 256,
    OPT_PROFILE,
    OPT_CODEC,
    OPT_ELF_OLD,
    OPT_ELF_NEW,
    OPT_FLATTEN,
    OPT_JSON,
    OPT_VERSION
};

/* One option. Returns -1 to go on, else an exit code. */
static int parse_option(void *ctx, int c)
{
    struct options *o = ctx;

    switch (c) {
    case 'o':
        o->delta_path = optarg;
        return -1;
    case 'r':
        o->by_work = false;
        return kerf_diff_take(&o->diff, c, optarg);
    case OPT_PROFILE:
        return kerf_diff_parse_profile(&o->diff, &o->by_work, optarg);
    case OPT_FULL:
        o->full = true;
        return -1;
    case OPT_CODEC:
        if (strcmp(optarg, "native") != 0 && strcmp(optarg, "lzma2") != 0) {
            return kerf_cli_usage("--codec: '%s' is no codec: native or lzma2", optarg);
        }
        o->diff.codec = strcmp(optarg, "lzma2") == 0 ? KERF_CODEC_LZMA2 : KERF_CODEC_NATIVE;
        return -1;
    case OPT_ELF_OLD:
        o->old_elf_path = optarg;
        return -1;
    case OPT_ELF_NEW:
        o->new_elf_path = optarg;
        return -1;
    case OPT_FLATTEN:
        o->flatten = true;
        return -1;
    case OPT_JSON:
        o->json = true;
        return -1;
    case 'q':
        o->quiet = true;
        return -1;
    case 'v':
        o->verbose = true;
        return -1;
    case 'h':
        return help();
    case OPT_VERSION:
        (void)kerf_cli_version();
        (void)printf("format %d\n", KERF_FORMAT_VERSION);
        return KERF_EXIT_OK;
    default:
        return kerf_diff_take(&o->diff, c, optarg);
    }
}

static int parse_options(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        {"output", required_argument, NULL, 'o'},
        {"profile", required_argument, NULL, OPT_PROFILE},
        {"full", no_argument, NULL, OPT_FULL},
        {"codec", required_argument, NULL, OPT_CODEC},
        {"elf-old", required_argument, NULL, OPT_ELF_OLD},
        {"elf-new", required_argument, NULL, OPT_ELF_NEW},
        {"flatten", no_argument, NULL, OPT_FLATTEN},
        KERF_DIFF_OPTIONS,
        {"json", no_argument, NULL, OPT_JSON},
        {"quiet", no_argument, NULL, 'q'},
        {"verbose", no_argument, NULL, 'v'},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int code = kerf_cli_options(argc, argv, ":o:qvh" KERF_DIFF_SHORTS, longs, parse_option, o);

    return code < 0 ? parse_paths(o, argc, argv) : code;
}

/* The delta may not take an image's place. */
static kerf_err check_names(struct run *r)
{
    const struct options *o = r->options;

    if (strcmp(o->delta_path, "-") != 0 &&
        (kerf_diff_same_file(o->old_path, o->delta_path) || kerf_diff_same_file(o->new_path, o->delta_path))) {
        kerf_why_set(&r->why, "'%s' is one of the images: give the delta another name", o->delta_path);
        return KERF_ERR_ARGUMENT;
    }
    return KERF_OK;
}

#define SOON_LEN (1u << 20) /* bytes of both images: of less the delta is there at once */

/*
 * Can the delta be written, once it is made? Where that takes a while, better to hear of it now. The temporary file is
 * gone before this returns, and no signal leaves it behind.
 */
static kerf_err check_output(struct run *r)
{
    const struct options *o = r->options;
    struct kerf_file_writer writer = KERF_FILE_WRITER_NONE;
    sigset_t all;
    sigset_t before;

    if (strcmp(o->delta_path, "-") == 0 || (uint64_t)r->result.old_len + r->result.new_len < SOON_LEN) {
        return KERF_OK;
    }
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &before);
    kerf_err err = kerf_file_writer_begin(&writer, o->delta_path, 0, &r->why);

    kerf_file_writer_abort(&writer);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return err;
}

static kerf_err read_images(struct run *r)
{
    const struct options *o = r->options;

    r->old_input = (struct kerf_input){.path = o->old_path, .names_path = o->old_elf_path, .flatten = o->flatten};
    r->new_input = (struct kerf_input){.path = o->new_path, .names_path = o->new_elf_path, .flatten = o->flatten};
    kerf_err err = kerf_inputs_read(&r->old_input, &r->new_input, kerf_diff_image_max(&o->diff), &r->why);
    const char *map = o->new_elf_path != NULL && !r->new_input.symbols.is_elf   ? o->new_elf_path
                      : o->old_elf_path != NULL && !r->old_input.symbols.is_elf ? o->old_elf_path
                                                                                : NULL;

    if (err == KERF_OK && map != NULL) {
        kerf_why_set(&r->why, "'%s' is no ELF file", map);
        err = KERF_ERR_ARGUMENT;
    }
    r->old_image = r->old_input.image;
    r->new_image = r->new_input.image;
    r->result.old_len = r->old_input.len;
    r->result.new_len = r->new_input.len;
    r->result.old_is_empty = o->old_path != NULL && r->old_input.len == 0;
    r->result.old_flat = r->old_input.flat;
    r->result.new_flat = r->new_input.flat;
    r->result.could_be_flat = err == KERF_OK && !o->flatten ? kerf_flatten_format(r->new_image, r->result.new_len)
                                                            : NULL;
    r->diff.old_hint = &r->old_input.hint;
    r->diff.new_hint = &r->new_input.hint;
    if (err == KERF_ERR_FORMAT) {
        r->exit_code = KERF_EXIT_USAGE;
    }
    return err;
}

/* The least --ram, from the one given on, that makes a decoder for these images; the one given where it is enough. */
static uint64_t ram_needed(const struct run *r)
{
    const struct kerf_diff_options *diff = &r->diff;
    uint64_t ram = diff->ram;
    struct kerf_image image = {0};

    if (r->result.old_len > 0 && kerf_image_recognise(r->old_image, r->result.old_len, r->new_image, r->result.new_len,
                                                      diff, NULL, &image) != KERF_OK) {
        return ram;
    }
    for (; ram < UINT32_MAX; ram += 16) {
        struct kerf_header header = {.codec = KERF_CODEC_NATIVE,
                                     .region_count = (uint8_t)image.region_count,
                                     .range_count = (uint8_t)image.range_count};

        if (kerf_params_choose(ram, 0, &header) == KERF_OK) {
            break;
        }
    }
    return ram;
}

/* The line and the exit code for an error of kerf_diff_create(). */
static void explain_create(struct run *r, kerf_err err)
{
    uint64_t ram = r->diff.ram;
    uint64_t needed = err == KERF_ERR_RAM ? ram_needed(r) : ram;

    if (needed > ram) {
        kerf_why_set(&r->why, "--ram: %" PRIu64 " bytes are too few for these images: give at least %" PRIu64, ram,
                     needed);
    } else if (err == KERF_ERR_RAM) {
        kerf_why_set(&r->why,
                     "out of memory with images of %zu and %zu bytes: free some memory, or use a larger machine",
                     r->result.old_len, r->result.new_len);
        r->exit_code = KERF_EXIT_INTERNAL;
    } else if (err == KERF_ERR_SPACE && r->result.report.memory_needed > 0) {
        kerf_diff_explain_memory(&r->why, &r->diff, &r->result.report);
    } else if (err == KERF_ERR_SPACE || err == KERF_ERR_ARGUMENT) {
        kerf_diff_explain_in_place(&r->why, &r->diff, r->result.old_len, r->result.new_len);
    } else if (err == KERF_ERR_STATE) {
        kerf_why_set(&r->why,
                     "the delta failed its own check and was thrown away, which is a bug: please report it with "
                     "the two images");
    }
}

/* All of the delta but next to nothing is for bytes that old does not have: a large part of new. Such images may still pack well. */
static bool is_all_new(const struct run *r)
{
    const uint64_t *cost = r->result.report.part_cost;
    uint64_t all = 0;

    for (unsigned i = 0; i < KERF_PART_COUNT; i++) {
        all += cost[i];
    }
    return r->delta_len > r->result.new_len / KERF_DIFF_SMALL &&
           cost[KERF_PART_SEGMENTS] + cost[KERF_PART_LITERALS] > all - all / 64;
}

/*
 * Is a full payload as good? It is made to compare with only where that is likely, or asked for. One that is nearly as
 * small is the better choice: it needs no old image, so every device can take it.
 */
static kerf_err compare_full(struct run *r)
{
    const struct options *o = r->options;
    struct kerf_diff_report full_report;
    struct kerf_diff_options full_options = r->diff;
    uint8_t *full;
    size_t full_len;

    /* Full, what comes from old takes a quarter of that at least, unless it is nearly nothing. */
    bool likely = (r->delta_len > r->result.new_len / 2 || is_all_new(r)) &&
                  r->result.report.served / 4 < r->delta_len / 8;

    if (r->result.old_len == 0 || !(o->verbose || likely)) {
        return KERF_OK;
    }
    full_options.in_place = false;
    kerf_err err = kerf_diff_create(NULL, 0, r->new_image, r->result.new_len, &full_options, &full, &full_len,
                                    &full_report);

    if (err == KERF_OK) {
        free(full);
        r->result.full_len = full_len;
        r->result.full_is_better = r->delta_len >= full_len - full_len / 10;
    }
    return err;
}

static double now(void)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static kerf_err make(struct run *r)
{
    double start = now();

    if (r->options->by_work) {
        kerf_diff_profile_by_work(&r->diff, r->result.old_len, r->result.new_len);
        r->result.ram = r->diff.ram;
    }
    kerf_err err = kerf_diff_create(r->old_image, r->result.old_len, r->new_image, r->result.new_len, &r->diff,
                                    &r->delta, &r->delta_len, &r->result.report);

    r->result.seconds = now() - start;
    if (err == KERF_OK) {
        err = compare_full(r);
    }
    kerf_progress_end(&r->progress);
    if (err != KERF_OK) {
        explain_create(r, err);
    }
    return err;
}

static kerf_err write_delta(struct run *r)
{
    const struct options *o = r->options;

    if (strcmp(o->delta_path, "-") != 0) {
        /* To wait for a disk may take longer than all the rest. */
        return (o->diff.level == 1 ? kerf_file_write_unsynced : kerf_file_write)(o->delta_path, 0, r->delta,
                                                                                 r->delta_len, &r->why);
    }
    errno = 0;
    if (fwrite(r->delta, 1, r->delta_len, stdout) != r->delta_len || fflush(stdout) != 0) {
        kerf_why_errno(&r->why, "write", "-", errno == 0 ? EIO : errno);
        clearerr(stdout); /* it was said */
        return KERF_ERR_FLASH;
    }
    return KERF_OK;
}

static int report_failure(const struct run *r, kerf_err err)
{
    return kerf_cli_failed(r->options->json, err,
                           r->exit_code >= 0 ? (enum kerf_exit)r->exit_code : kerf_cli_err_exit(err),
                           r->why.text[0] != '\0' ? r->why.text : kerf_cli_err_text(err));
}

/* Bytes of both. Level 1 has little memory at a time; the others would come to keep more than they say they take. */
#define KEEP_LEN_FASTEST (8u << 20)
#define KEEP_LEN (2u << 20)

/*
 * For small images memory that was freed is kept for the next who asks: what a system takes to hand out fresh pages
 * again and again is a tenth of the time then.
 */
static void keep_memory(const struct run *r)
{
#ifdef __GLIBC__
    if ((uint64_t)r->result.old_len + r->result.new_len <= (r->diff.level == 1 ? KEEP_LEN_FASTEST : KEEP_LEN)) {
        (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
        (void)mallopt(M_TRIM_THRESHOLD, 128 << 20);
        (void)mallopt(M_ARENA_MAX, 1); /* threads, too: they ask seldom */
    }
#else
    (void)r;
#endif
}

static int diff(const struct options *o)
{
    struct run r;
    int code;

    memset(&r, 0, sizeof r);
    r.options = o;
    r.exit_code = -1;
    kerf_progress_begin(&r.progress, o->quiet);
    r.diff = o->diff;
    r.diff.padded = true;
    r.diff.progress = kerf_progress_show;
    r.diff.progress_ctx = &r.progress;
    r.result.output = o->delta_path;
    r.result.ram = o->diff.ram;
    r.result.level = o->diff.level;
    kerf_err err = check_names(&r);

    if (err == KERF_OK) {
        err = read_images(&r);
    }
    if (err == KERF_OK) {
        err = check_output(&r);
    }
    if (err == KERF_OK) {
        keep_memory(&r);
        err = make(&r);
    }
    if (err == KERF_OK) {
        kerf_cli_catch_signals(); /* so that no temporary file is left */
        err = write_delta(&r);
    }
    if (err != KERF_OK) {
        code = report_failure(&r, err);
    } else if (o->json) {
        code = kerf_diff_show_json(&r.result);
    } else {
        code = kerf_diff_show(&r.result, o->verbose, o->quiet);
    }
    kerf_input_free(&r.old_input);
    kerf_input_free(&r.new_input);
    free(r.delta);
    return code;
}

int main(int argc, char **argv)
{
    struct options o;
    int code;

    memset(&o, 0, sizeof o);
    o.diff.codec = -1;
    o.diff.ram = KERF_DIFF_RAM_DEFAULT;
    o.diff.level = KERF_DIFF_LEVEL_DEFAULT;
    o.diff.jobs = kerf_diff_cores();
    kerf_cli_begin("kerf-diff");
#ifdef __GLIBC__
    /* Large blocks go back to the system when they are freed; else the library learns from the first ones to keep them. */
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
#endif
    if (argc > 1 && strcmp(argv[1], "info") == 0) {
        return kerf_cli_end(kerf_diff_info(argc - 1, argv + 1));
    }
    if (argc > 1 && strcmp(argv[1], "report") == 0) {
        return kerf_cli_end(kerf_diff_report(argc - 1, argv + 1));
    }
    code = parse_options(&o, argc, argv);
    if (code < 0) {
        code = diff(&o);
    }
    return kerf_cli_end(code);
}
