/* SPDX-License-Identifier: Apache-2.0 */
/* kerf-patch: applies a delta to a file. docs/man/kerf-patch.1 */
#define _GNU_SOURCE /* O_TMPFILE */
#define _FILE_OFFSET_BITS 64

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "common/host/hash.h"
#include "common/host/progress.h"
#include "patcher/patcher.h"
#include "patcher/port/posix.h"

#define INPUT_CAP ((size_t)32768) /* bytes of the delta read at once; at least 256, for the header */

/* The command line. */
struct options {
    const char *old_path; /* NULL: not given */
    const char *delta_path;
    const char *new_path; /* NULL: not given (dry run) */
    size_t expect_len;    /* bytes of `expect`; 0: not given */
    uint8_t expect[KERF_SHA256_LEN];
    bool dry_run, json, quiet, verbose;
};

/* One run. */
struct run {
    const struct options *options;
    int old_fd, delta_fd, scratch_fd; /* -1: not open; scratch_fd: where a dry run writes */
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

static int help(void)
{
    (void)fputs(
        "Usage: kerf-patch OLD DELTA -o NEW\n"
        "       kerf-patch FULL -o NEW\n"
        "Makes the new image from the old one and a delta made by kerf-diff, or from a full payload alone.\n"
        "\n"
        "  OLD                  the old image: a file or block device\n"
        "  DELTA                the delta; - reads it from standard input\n"
        "  -o, --output NEW     where the new image goes; it appears when it is complete and verified\n"
        "      --expect DIGEST  digest that the delta must have, as kerf-diff printed it (32 or 64 hex digits);\n"
        "                       without it the delta's integrity is checked, but not where it comes from\n"
        "  -n, --dry-run        apply and verify, but leave nothing behind; -o is not needed\n"
        "      --json           print the result as one JSON object\n"
        "  -q, --quiet          print nothing but errors\n"
        "  -v, --verbose        print more about the delta\n"
        "  -h, --help           print this\n"
        "      --version        print the version\n"
        "\n"
        "Exit codes: 0 done, 1 internal error, 2 usage, 3 damaged delta, 4 wrong old image, 5 file or disk error,\n"
        "6 not the delta that --expect names, 7 a limit or a missing feature.\n",
        stdout);
    return KERF_EXIT_OK;
}

/* Hashes once, so that the memory this program takes by itself can be measured: apply less version. */
static int version(void)
{
    static const uint8_t abc_start[4] = {0xba, 0x78, 0x16, 0xbf}; /* FIPS 180-4, example "abc" */
    struct kerf_sha256_digest digest;
    int code = kerf_cli_version();

    if (kerf_hash_bytes((const uint8_t *)"abc", 3, &digest) != KERF_OK || memcmp(digest.b, abc_start, 4) != 0) {
        return kerf_cli_fail(KERF_EXIT_INTERNAL, "SHA-256 of OpenSSL gives wrong results: check its installation");
    }
    (void)printf("format %d, %s (SHA-256 self-test passed)\n", KERF_FORMAT_VERSION, OpenSSL_version(OPENSSL_VERSION));
    return code;
}

static kerf_err parse_expect(struct options *o, const char *text)
{
    o->expect_len = strlen(text) == 2 * KERF_DIGEST_LEN ? KERF_DIGEST_LEN : KERF_SHA256_LEN;
    return kerf_cli_parse_hex(text, o->expect, o->expect_len);
}

/* Where the arguments go. Returns -1 to go on, else an exit code. */
static int parse_paths(struct options *o, int argc, char **argv)
{
    int count = argc - optind;

    if (count < 1 || count > 2) {
        return kerf_cli_usage(count < 1 ? "OLD and DELTA are missing" : "too many arguments, from '%s' on",
                              count < 1 ? "" : argv[optind + 2]);
    }
    o->old_path = count == 2 ? argv[optind] : NULL;
    o->delta_path = argv[optind + count - 1];
    if (o->new_path == NULL && !o->dry_run) {
        return kerf_cli_usage("-o NEW is missing");
    }
    if (o->old_path != NULL && strcmp(o->old_path, "-") == 0) {
        return kerf_cli_usage("the old image can't come from a pipe, it is read at random");
    }
    if (o->new_path != NULL && strcmp(o->new_path, "-") == 0) {
        return kerf_cli_usage("the new image can't go to a pipe, it is read back to be verified");
    }
    return -1;
}

static int parse_options(struct options *o, int argc, char **argv)
{
    enum {
        OPT_EXPECT = 256,
        OPT_JSON,
        OPT_VERSION
    };
    static const struct option longs[] = {
        {"output", required_argument, NULL, 'o'},
        {"expect", required_argument, NULL, OPT_EXPECT},
        {"dry-run", no_argument, NULL, 'n'},
        {"json", no_argument, NULL, OPT_JSON},
        {"quiet", no_argument, NULL, 'q'},
        {"verbose", no_argument, NULL, 'v'},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    opterr = 0;
    while ((c = getopt_long(argc, argv, ":o:nqvh", longs, NULL)) != -1) {
        switch (c) {
        case 'o':
            o->new_path = optarg;
            break;
        case OPT_EXPECT:
            if (parse_expect(o, optarg) != KERF_OK) {
                return kerf_cli_usage("--expect takes the 32 or 64 hex digits that kerf-diff printed, not '%s'",
                                      optarg);
            }
            break;
        case 'n':
            o->dry_run = true;
            break;
        case OPT_JSON:
            o->json = true;
            break;
        case 'q':
            o->quiet = true;
            break;
        case 'v':
            o->verbose = true;
            break;
        case 'h':
            return help();
        case OPT_VERSION:
            return version();
        default:
            return kerf_cli_bad_option(c, argv);
        }
    }
    return parse_paths(o, argc, argv);
}

static kerf_err open_input(const char *path, int flags, int *fd, struct kerf_why *why)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (*fd < 0) {
        kerf_why_errno(why, "read", path, errno);
        return KERF_ERR_FLASH;
    }
    return KERF_OK;
}

static bool same_file(int fd, const char *path)
{
    struct stat a;
    struct stat b;

    return path != NULL && fstat(fd, &a) == 0 && stat(path, &b) == 0 && S_ISREG(a.st_mode) && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static kerf_err open_inputs(struct run *r)
{
    const struct options *o = r->options;
    kerf_err err = KERF_OK;

    if (o->old_path != NULL) {
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

static kerf_err open_output(struct run *r)
{
    const struct options *o = r->options;
    kerf_err err;

    if (o->dry_run) {
        err = open_scratch(r);
    } else {
        err = kerf_file_writer_begin(&r->writer, o->new_path, 0, &r->why);
    }
    if (err != KERF_OK) {
        return err;
    }
    return kerf_posix_init(&r->posix, r->old_fd, o->old_path, o->dry_run ? r->scratch_fd : r->writer.fd,
                           o->dry_run ? "the temporary file" : o->new_path, UINT64_MAX, &r->why);
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
    if (size < r->header.old_size || (exact && size > r->header.old_size)) {
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
        kerf_progress_show(&r->progress, "applying", s.new_pos, s.new_size);
    } else if (s.phase == KERF_PHASE_VERIFY) {
        kerf_progress_show(&r->progress, "verifying", s.verified_pos, s.new_size);
    }
}

/* Feeds the delta to its end, and makes sure that nothing follows. */
static kerf_err feed(struct run *r)
{
    bool end = false;
    bool old_checked = false;
    kerf_err err;

    for (;;) {
        size_t used;

        if (kerf_cli_interrupted()) {
            kerf_why_set(&r->why, "interrupted: nothing was changed");
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
    const struct options *o = r->options;

    if (o->expect_len > 0 && memcmp(r->posix.chunk0_digest.b, o->expect, o->expect_len) != 0) {
        return KERF_ERR_CHUNK;
    }
    return KERF_OK;
}

static kerf_err apply(struct run *r)
{
    const struct options *o = r->options;
    struct kerf_patcher_expect expect;
    kerf_err err = peek(r);

    memset(&expect, 0, sizeof expect);
    expect.chunk0_known = o->expect_len > 0;
    memcpy(expect.chunk0_digest.b, o->expect, o->expect_len);
    if (err == KERF_OK) {
        err = kerf_patcher_init(r->workspace, r->workspace_len, &r->posix.port, &expect, 0, &r->patcher);
    }
    if (err == KERF_OK) {
        err = feed(r);
    }
    kerf_progress_end(&r->progress);
    return err == KERF_END ? check_expected(r) : err;
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
    const struct options *o = r->options;
    const struct kerf_header *h = &r->header;
    struct kerf_patcher_status s;
    char new_hex[2 * KERF_SHA256_LEN + 1];
    char chunk0_hex[2 * KERF_SHA256_LEN + 1];
    size_t workspace = kerf_header_workspace(h);
    size_t buffers = r->workspace_len - workspace + KERF_POSIX_MEMORY + INPUT_CAP;

    kerf_patcher_status(r->patcher, &s);
    (void)kerf_cli_format_hex(s.target_digest.b, KERF_SHA256_LEN, new_hex);
    (void)kerf_cli_format_hex(r->posix.chunk0_digest.b, KERF_SHA256_LEN, chunk0_hex);
    if (o->json) {
        return kerf_cli_json(json_pack(
            "{s:b, s:b, s:o?, s:I, s:I, s:I, s:s, s:s, s:b, s:I, s:I, s:s}", "ok", 1, "dry_run", (int)o->dry_run,
            "output", kerf_cli_json_text(o->dry_run ? NULL : o->new_path), "old_size", (json_int_t)h->old_size,
            "delta_size", (json_int_t)s.delta_pos, "new_size", (json_int_t)s.new_size, "sha256", new_hex,
            "delta_digest", chunk0_hex, "authenticated", o->expect_len > 0, "workspace", (json_int_t)workspace,
            "buffers", (json_int_t)buffers, "codec", codec_name(h)));
    }
    if (o->quiet) {
        return KERF_EXIT_OK;
    }
    if (o->verbose) {
        (void)printf("delta: %s, %u regions, chunks of %" PRIu32 " bytes, digest %s\n", codec_name(h),
                     (unsigned)h->region_count, h->chunk_size, chunk0_hex);
    }
    (void)printf(
        "%s: %" PRIu64 " bytes from %" PRIu64 " of old and %" PRIu64 " of delta, sha256 %s, workspace %zu bytes; %s\n",
        o->dry_run ? "dry run" : o->new_path, (uint64_t)s.new_size, (uint64_t)h->old_size, (uint64_t)s.delta_pos,
        new_hex, workspace, o->expect_len > 0 ? "authenticated" : "integrity checked, not authenticated (no --expect)");
    return KERF_EXIT_OK;
}

static void clean_up(struct run *r)
{
    kerf_file_writer_abort(&r->writer);
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

static int patch(const struct options *o)
{
    struct run r;
    kerf_err err;
    int code;

    memset(&r, 0, sizeof r);
    r.options = o;
    r.old_fd = r.delta_fd = r.scratch_fd = -1;
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
    if (err == KERF_OK && !o->dry_run) {
        err = kerf_file_writer_commit(&r.writer, &r.why);
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

int main(int argc, char **argv)
{
    struct options o;
    int code;

    memset(&o, 0, sizeof o);
    kerf_cli_begin("kerf-patch");
    code = parse_options(&o, argc, argv);
    if (code < 0) {
        kerf_cli_catch_signals();
        code = patch(&o);
    }
    return kerf_cli_end(code);
}
