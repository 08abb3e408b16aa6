/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "patcher/port/patch_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "common/container.h"
#include "common/host/cli.h"
#include "common/host/hash.h"

enum {
    OPT_CHECKPOINT = 256,
    OPT_EXPECT,
    OPT_FROM,
    OPT_IN_PLACE,
    OPT_JSON,
    OPT_POSITION,
    OPT_STATE,
    OPT_VERSION
};

static int help(void)
{
    (void)fputs(
        "Usage: kerf-patch OLD DELTA -o NEW\n"
        "       kerf-patch FULL -o NEW\n"
        "       kerf-patch --in-place FILE DELTA\n"
        "       kerf-patch --position --state FILE\n"
        "Makes the new image from the old one and a delta made by kerf-diff, or from a full payload alone.\n"
        "\n"
        "  OLD                  the old image: a file or block device\n"
        "  DELTA                the delta; - reads it from standard input\n"
        "  -o, --output NEW     where the new image goes; it appears when it is complete and verified;\n"
        "                       a block device is written to at once\n"
        "      --expect DIGEST  digest that the delta must have, as kerf-diff printed it (32 or 64 hex digits);\n"
        "                       without it the delta's integrity is checked, but not where it comes from\n"
        "      --in-place       OLD becomes the new image, by a delta made for that; what it takes to go on after a\n"
        "                       power cut is in OLD.kerf-state, unless --state says where\n"
        "      --state FILE     keep in FILE what it takes to go on after a power cut or an interruption: run again\n"
        "      --checkpoint N   bytes of NEW between two points to go on from, such as 256K\n"
        "      --position       print from which byte of the delta on it goes on, and do nothing\n"
        "      --from BYTE      DELTA begins at this byte of the delta; for a pipe\n"
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

static kerf_err parse_expect(struct kerf_patch_options *o, const char *text)
{
    o->expect_len = strlen(text) == 2 * KERF_DIGEST_LEN ? KERF_DIGEST_LEN : KERF_SHA256_LEN;
    return kerf_cli_parse_hex(text, o->expect, o->expect_len);
}

static kerf_err parse_from(struct kerf_patch_options *o, const char *text)
{
    char *end;

    errno = 0;
    o->from = strtoull(text, &end, 10);
    return errno != 0 || *end != '\0' || *text < '0' || *text > '9' ? KERF_ERR_ARGUMENT : KERF_OK;
}

/* Where the arguments go. Returns -1 to go on, else an exit code. */
static int parse_paths(struct kerf_patch_options *o, int argc, char **argv)
{
    int count = argc - optind;

    if (o->position) {
        return o->state_path == NULL || count > 0 ? kerf_cli_usage("--position takes --state FILE, and nothing else")
                                                  : -1;
    }
    if (o->in_place && (count != 2 || o->new_path != NULL || o->dry_run)) {
        return kerf_cli_usage("--in-place takes OLD and DELTA, and neither -o nor -n");
    }
    if (o->from > 0 && o->state_path == NULL && !o->in_place) {
        return kerf_cli_usage("--from needs --state, which says what is done before");
    }
    if (o->checkpoint > 0 && (o->state_path == NULL || o->in_place)) {
        return kerf_cli_usage("--checkpoint needs --state; in place the delta says it");
    }
    if (o->state_path != NULL && o->dry_run) {
        return kerf_cli_usage("a dry run leaves nothing behind, so --state has nothing to keep");
    }
    if (count < 1 || count > 2) {
        return kerf_cli_usage(count < 1 ? "OLD and DELTA are missing" : "too many arguments, from '%s' on",
                              count < 1 ? "" : argv[optind + 2]);
    }
    o->old_path = count == 2 ? argv[optind] : NULL;
    o->delta_path = argv[optind + count - 1];
    if (o->new_path == NULL && !o->dry_run && !o->in_place) {
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

/* The value of one of these options. Returns -1 to go on, else an exit code. */
static int parse_value(struct kerf_patch_options *o, int option)
{
    switch (option) {
    case OPT_CHECKPOINT:
        return kerf_cli_parse_size(optarg, &o->checkpoint) == KERF_OK && o->checkpoint > 0
                   ? -1
                   : kerf_cli_usage("--checkpoint takes a size such as 65536, 64K or 2M, not '%s'", optarg);
    case OPT_EXPECT:
        return parse_expect(o, optarg) == KERF_OK
                   ? -1
                   : kerf_cli_usage("--expect takes the 32 or 64 hex digits that kerf-diff printed, not '%s'", optarg);
    default:
        return parse_from(o, optarg) == KERF_OK ? -1
                                                : kerf_cli_usage("--from takes a number of bytes, not '%s'", optarg);
    }
}

/* One option. Returns -1 to go on, else an exit code. */
static int parse_option(void *ctx, int c)
{
    struct kerf_patch_options *o = ctx;

    switch (c) {
    case 'o':
        o->new_path = optarg;
        return -1;
    case OPT_CHECKPOINT:
    case OPT_EXPECT:
    case OPT_FROM:
        return parse_value(o, c);
    case OPT_IN_PLACE:
        o->in_place = true;
        return -1;
    case OPT_STATE:
        o->state_path = optarg;
        return -1;
    case OPT_POSITION:
        o->position = true;
        return -1;
    case 'n':
        o->dry_run = true;
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
    default:
        return version();
    }
}

int kerf_patch_options_parse(struct kerf_patch_options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        {"output", required_argument, NULL, 'o'},
        {"checkpoint", required_argument, NULL, OPT_CHECKPOINT},
        {"expect", required_argument, NULL, OPT_EXPECT},
        {"in-place", no_argument, NULL, OPT_IN_PLACE},
        {"state", required_argument, NULL, OPT_STATE},
        {"position", no_argument, NULL, OPT_POSITION},
        {"from", required_argument, NULL, OPT_FROM},
        {"dry-run", no_argument, NULL, 'n'},
        {"json", no_argument, NULL, OPT_JSON},
        {"quiet", no_argument, NULL, 'q'},
        {"verbose", no_argument, NULL, 'v'},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const int code = kerf_cli_options(argc, argv, ":o:nqvh", longs, parse_option, o);

    return code < 0 ? parse_paths(o, argc, argv) : code;
}
