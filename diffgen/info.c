/* SPDX-License-Identifier: Apache-2.0 */
/* kerf-diff info: what is in a delta, from its file alone, and with the old image down to where its bytes went. */
#define _POSIX_C_SOURCE 200809L
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/host/cli.h"
#include "common/host/file.h"
#include "common/host/hash.h"
#include "diffgen/image.h"
#include "diffgen/kerf_diff.h"

/* The command line. */
struct options {
    const char *delta_path;
    const char *old_path; /* NULL: not given */
    size_t expect_len;    /* bytes of `expect`; 0: not given */
    uint8_t expect[KERF_SHA256_LEN];
    bool json;
};

/* One run. */
struct info {
    const struct options *options;
    uint8_t *delta, *old_image;
    size_t delta_len, old_len;
    struct kerf_header header;
    struct kerf_region regions[KERF_MAX_REGIONS];
    struct kerf_range ranges[KERF_MAX_RANGES];
    uint64_t chunks;
    uint64_t chain_len; /* bytes of chunk digests */
    struct kerf_sha256_digest chunk0_digest, file_digest;
    bool counted; /* recount is filled in */
    struct kerf_diff_report recount;
    struct kerf_why why;
};

enum {
    OPT_OLD = 256,
    OPT_EXPECT,
    OPT_JSON
};

/* One option. Returns -1 to go on, else an exit code. */
static int parse_option(void *ctx, int c)
{
    struct options *o = ctx;

    switch (c) {
    case OPT_OLD:
        o->old_path = optarg;
        return -1;
    case OPT_EXPECT:
        o->expect_len = strlen(optarg) == 2 * (size_t)KERF_DIGEST_LEN ? KERF_DIGEST_LEN : KERF_SHA256_LEN;
        return kerf_cli_parse_hex(optarg, o->expect, o->expect_len) == KERF_OK
                   ? -1
                   : kerf_cli_usage("info: --expect takes 32 or 64 hexadecimal digits, not '%s'", optarg);
    case OPT_JSON:
        o->json = true;
        return -1;
    default:
        (void)fputs("Usage: kerf-diff info DELTA [--expect DIGEST] [--old OLD] [--json]\n"
                    "Prints what is in a delta or full payload, and what of it was checked. The digests in the file "
                    "vouch for\n"
                    "every chunk but the first; --expect does for that one; with its old image the payload is "
                    "decoded,\n"
                    "the new image checked, and it is said where the bytes went.\n",
                    stdout);
        return KERF_EXIT_OK;
    }
}

static int parse_options(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        {"old", required_argument, NULL, OPT_OLD},
        {"expect", required_argument, NULL, OPT_EXPECT},
        {"json", no_argument, NULL, OPT_JSON},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const int code = kerf_cli_options(argc, argv, ":h", longs, parse_option, o);

    if (code >= 0) {
        return code;
    }
    if (argc - optind != 1) {
        return kerf_cli_usage(argc - optind < 1 ? "info: DELTA is missing" : "info: too many arguments, from '%s' on",
                              argc - optind < 1 ? "" : argv[optind + 1]);
    }
    o->delta_path = argv[optind];
    if (o->old_path != NULL && strcmp(o->old_path, "-") == 0 && strcmp(o->delta_path, "-") == 0) {
        return kerf_cli_usage("info: only one of the two files can come from standard input");
    }
    return -1;
}

/* The file ends at `end`, or would, by what its header says. */
static kerf_err check_end(struct info *n, uint64_t end)
{
    if (n->delta_len < end) {
        kerf_why_set(&n->why, "the delta ends after %zu bytes of %" PRIu64 ": fetch it again", n->delta_len, end);
        return KERF_ERR_TRUNCATED;
    }
    if (n->delta_len > end) {
        kerf_why_set(&n->why, "the delta is complete after %" PRIu64 " bytes, but more follow: fetch it again", end);
        return KERF_ERR_TRAILING;
    }
    return KERF_OK;
}

static kerf_err read_header(struct info *n)
{
    uint16_t chunk0_len;
    uint16_t header_len;
    kerf_err err = n->delta_len < KERF_PROLOGUE_LEN ? check_end(n, KERF_PROLOGUE_LEN) : KERF_OK;

    if (err == KERF_OK) {
        err = kerf_prologue_parse(n->delta, &chunk0_len, &header_len);
    }
    if (err == KERF_OK && n->delta_len < header_len) {
        err = check_end(n, chunk0_len);
    }
    if (err == KERF_OK) {
        err = kerf_header_parse(n->delta, n->delta_len, &n->header);
    }
    return err == KERF_OK ? kerf_header_tables(n->delta, &n->header, n->regions, n->ranges) : err;
}

/* Walks the chain; every digest but that of chunk 0, which nothing in the file vouches for, is checked. */
static kerf_err check_chain(struct info *n)
{
    struct kerf_chunk chunk;
    struct kerf_sha256_digest digest;
    uint64_t pos = 0;
    kerf_pos left = n->header.payload_size;
    const uint8_t *next = NULL;
    kerf_err err = kerf_chunk_first(&n->header, &chunk);

    while (err == KERF_OK) {
        uint64_t digest_pos = pos + chunk.payload_pos + chunk.payload_len;

        if (chunk.len > n->delta_len - pos) {
            return check_end(n, pos + chunk.len);
        }
        err = kerf_hash_bytes(n->delta + pos, chunk.len, &digest);
        if (err == KERF_OK && next != NULL && memcmp(next, digest.b, KERF_DIGEST_LEN) != 0) {
            kerf_why_set(&n->why, "the delta is damaged between byte %" PRIu64 " and %" PRIu64 ": fetch it again", pos,
                         pos + chunk.len);
            return KERF_ERR_CHUNK;
        }
        if (n->chunks == 0) {
            n->chunk0_digest = digest;
        }
        n->chunks++;
        n->chain_len += chunk.last ? 0 : KERF_DIGEST_LEN;
        pos += chunk.len;
        left -= chunk.payload_len;
        if (chunk.last) {
            break;
        }
        next = n->delta + digest_pos;
        kerf_chunk_next(&n->header, left, &chunk);
    }
    return err == KERF_OK ? check_end(n, pos) : err;
}

/* Is it the delta that --expect names? Its first chunk's digest says so, and vouches for the others. */
static kerf_err check_expect(struct info *n)
{
    const struct options *o = n->options;

    if (o->expect_len > 0 && memcmp(o->expect, n->chunk0_digest.b, o->expect_len) != 0) {
        kerf_why_set(&n->why,
                     "it is not the delta that --expect names, or damaged in its first %" PRIu32
                     " bytes: fetch it again",
                     n->header.chunk0_len);
        return KERF_ERR_MISMATCH;
    }
    return KERF_OK;
}

/* Is this the old image? Then counts what the payload is made of. */
static kerf_err recount(struct info *n)
{
    const struct kerf_header *h = &n->header;
    struct kerf_sha256_digest digest;
    kerf_err err = kerf_file_read(n->options->old_path, KERF_DIFF_IMAGE_MAX, &n->old_image, &n->old_len, &n->why);

    if (err == KERF_OK) {
        err = kerf_hash_bytes(n->old_image, n->old_len, &digest);
    }
    if (err == KERF_OK && h->old_size > 0 &&
        (n->old_len != h->old_size || memcmp(digest.b, h->old_digest.b, KERF_DIGEST_LEN) != 0)) {
        kerf_why_set(&n->why, "'%s' is not the image that the delta was made from: name that, or leave --old out",
                     n->options->old_path);
        return KERF_ERR_SOURCE;
    }
    if (err == KERF_OK && h->codec == KERF_CODEC_NATIVE) {
        err = kerf_diff_recount(n->old_image, (size_t)h->old_size, n->delta, n->delta_len, NULL, &n->recount);
        n->counted = err == KERF_OK;
        if (err == KERF_ERR_STATE) {
            kerf_why_set(&n->why,
                         "the payload was made by another encoder, its bytes can't be told apart: leave --old out");
            err = KERF_ERR_UNSUPPORTED;
        }
    }
    return err;
}

static const char *codec_name(const struct kerf_header *h)
{
    static const char *const names[] = {"stored", "native", "lzma2"};

    return h->codec < sizeof names / sizeof names[0] ? names[h->codec] : "unknown";
}

static void show_tables(const struct info *n)
{
    const struct kerf_header *h = &n->header;

    for (unsigned i = 0; i < h->region_count; i++) {
        const struct kerf_region *r = &n->regions[i];

        (void)printf("region %u:     %s, kinds 0x%04x, old 0x%" PRIx64 "+0x%" PRIx64 " at 0x%" PRIx64 ", new 0x%" PRIx64
                     "+0x%" PRIx64 " at 0x%" PRIx64 "\n",
                     i, kerf_diff_isa_name(r->isa), (unsigned)r->kinds, (uint64_t)r->old_pos, (uint64_t)r->old_len,
                     (uint64_t)r->old_addr, (uint64_t)r->new_pos, (uint64_t)r->new_len, (uint64_t)r->new_addr);
    }
    for (unsigned i = 0; i < h->range_count; i++) {
        (void)printf("range %u:      0x%" PRIx64 "+0x%" PRIx64 "\n", i, (uint64_t)n->ranges[i].start,
                     (uint64_t)n->ranges[i].len);
    }
}

/* What was checked, and what was not. */
static void show_checked(const struct info *n)
{
    if (n->options->expect_len > 0) {
        (void)printf("checked:      all of it: the delta that --expect names, undamaged\n");
    } else if (n->chunks == 1) {
        (void)printf("checked:      header and length; no digest vouches for the payload: give --expect%s\n",
                     n->old_image != NULL ? "" : " (or --old)");
    } else {
        (void)printf("checked:      the chain of digests is intact from chunk 1 on; nothing vouches for chunk 0, the "
                     "first %" PRIu32 " bytes: give --expect%s\n",
                     n->header.chunk0_len, n->old_image != NULL ? "" : " (or --old)");
    }
    if (n->counted) {
        (void)printf("              it decodes from old to the new image with the header's digest\n");
    } else if (n->old_image != NULL) {
        (void)printf(
            "              old is the right image; payloads of this codec are not decoded here: try kerf-patch\n");
    }
}

static void show_text(const struct info *n)
{
    const struct kerf_header *h = &n->header;
    char hex[2 * KERF_SHA256_LEN + 1];

    (void)printf("%s: %s, format %u\n", n->options->delta_path, h->old_size == 0 ? "a full payload" : "a delta",
                 (unsigned)KERF_FORMAT_VERSION);
    (void)printf("size:         %zu bytes: header %u, payload %" PRIu64 ", chunk digests %" PRIu64 "\n", n->delta_len,
                 (unsigned)h->header_len, (uint64_t)h->payload_size, n->chain_len);
    if (n->chunks == 1) {
        (void)printf("chunks:       1\n");
    } else {
        (void)printf("chunks:       %" PRIu64 ", of %" PRIu32 " bytes (the first %" PRIu32 ")\n", n->chunks,
                     h->chunk_size, h->chunk0_len);
    }
    show_checked(n);
    if (h->old_size > 0) {
        (void)printf("old image:    %" PRIu64 " bytes, sha256 %s...\n", (uint64_t)h->old_size,
                     kerf_cli_format_hex(h->old_digest.b, KERF_DIGEST_LEN, hex));
    }
    (void)printf("new image:    %" PRIu64 " bytes, sha256 %s...\n", (uint64_t)h->new_size,
                 kerf_cli_format_hex(h->new_digest.b, KERF_DIGEST_LEN, hex));
    (void)printf("codec:        %s%s%s%s\n", codec_name(h), h->flags & KERF_FLAG_READS_NEW ? ", reads back new" : "",
                 h->flags & KERF_FLAG_WIDE ? ", wide" : "", h->flags & KERF_FLAG_IN_PLACE ? ", in place" : "");
    (void)printf("workspace:    %zu bytes\n", kerf_header_workspace(h));
    if (h->codec == KERF_CODEC_NATIVE) {
        (void)printf("model:        %u counters a table, flag class %u, map of %u, %u learned targets\n",
                     kerf_table_size(h->model.table_code), kerf_flag_class(h), (unsigned)h->model.map_cap,
                     (unsigned)h->model.learned_cap);
    }
    if (h->flags & KERF_FLAG_IN_PLACE) {
        (void)printf("in place:     sectors of 2^%u bytes, %u of scratch, %u in a group\n", (unsigned)h->sector_log2,
                     (unsigned)h->scratch, (unsigned)h->group);
        if (h->kept > 0) {
            (void)printf("keeps old:    in %u sectors, moved in %u stretches at most; %u sectors of the slot behind "
                         "the images\n",
                         (unsigned)h->kept, (unsigned)h->moves_cap, (unsigned)h->beyond);
        }
    }
    show_tables(n);
    (void)printf("--expect:     %s\n", kerf_cli_format_hex(n->chunk0_digest.b, KERF_SHA256_LEN, hex));
    (void)printf("file sha256:  %s\n", kerf_cli_format_hex(n->file_digest.b, KERF_SHA256_LEN, hex));
    if (n->counted) {
        kerf_diff_show_parts(stdout, &n->recount);
    }
}

static int show_json(const struct info *n)
{
    const struct kerf_header *h = &n->header;
    char old_hex[2 * KERF_DIGEST_LEN + 1];
    char new_hex[2 * KERF_DIGEST_LEN + 1];
    char chunk0_hex[2 * KERF_SHA256_LEN + 1];
    char file_hex[2 * KERF_SHA256_LEN + 1];

    (void)kerf_cli_format_hex(h->old_digest.b, KERF_DIGEST_LEN, old_hex);
    (void)kerf_cli_format_hex(h->new_digest.b, KERF_DIGEST_LEN, new_hex);
    (void)kerf_cli_format_hex(n->chunk0_digest.b, KERF_SHA256_LEN, chunk0_hex);
    (void)kerf_cli_format_hex(n->file_digest.b, KERF_SHA256_LEN, file_hex);
    json_t *object = json_pack(
        "{s:b, s:s, s:i, s:s, s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:s, s:I, s:b, s:b, s:b, s:s, s:s}",
        "ok", 1, "kind", h->old_size == 0 ? "full" : "delta", "format", KERF_FORMAT_VERSION, "codec", codec_name(h),
        "size", (json_int_t)n->delta_len, "header_size", (int)h->header_len, "payload_size",
        (json_int_t)h->payload_size, "chain_size", (json_int_t)n->chain_len, "chunks", (json_int_t)n->chunks,
        "chunk_size", (json_int_t)h->chunk_size, "chunk0_size", (json_int_t)h->chunk0_len, "old_size",
        (json_int_t)h->old_size, "new_size", (json_int_t)h->new_size, "old_digest", h->old_size > 0 ? old_hex : NULL,
        "new_digest", new_hex, "workspace", (json_int_t)kerf_header_workspace(h), "reads_new",
        (h->flags & KERF_FLAG_READS_NEW) != 0, "wide", (h->flags & KERF_FLAG_WIDE) != 0, "in_place",
        (h->flags & KERF_FLAG_IN_PLACE) != 0, "delta_digest", chunk0_hex, "sha256", file_hex);

    if (object != NULL && h->codec == KERF_CODEC_NATIVE) {
        (void)json_object_set_new(object, "model",
                                  json_pack("{s:i, s:i, s:i, s:i}", "table_size",
                                            (int)kerf_table_size(h->model.table_code), "flag_class",
                                            (int)kerf_flag_class(h), "map_cap", (int)h->model.map_cap, "learned_cap",
                                            (int)h->model.learned_cap));
        kerf_diff_add_regions(object, h, n->regions, n->ranges);
    }
    if (object != NULL && h->flags & KERF_FLAG_IN_PLACE) {
        (void)json_object_set_new(object, "sectors",
                                  json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "log2", (int)h->sector_log2, "scratch",
                                            (int)h->scratch, "group", (int)h->group, "kept", (int)h->kept, "moves",
                                            (int)h->moves_cap, "beyond", (int)h->beyond));
    }
    if (object != NULL) {
        (void)json_object_set_new(object, "checked",
                                  json_pack("{s:b, s:b, s:b}", "first_chunk", n->options->expect_len > 0,
                                            "other_chunks", n->chunks > 1, "decodes", n->counted));
    }
    if (object != NULL && n->counted) {
        kerf_diff_add_parts(object, &n->recount);
    }
    return kerf_cli_json(object);
}

static int report_failure(const struct info *n, kerf_err err)
{
    return kerf_cli_failed(n->options->json, err, kerf_cli_err_exit(err),
                           n->why.text[0] != '\0' ? n->why.text : kerf_cli_err_text(err));
}

int kerf_diff_info(int argc, char **argv)
{
    struct options o = {0};
    struct info n;
    int code = parse_options(&o, argc, argv);

    if (code >= 0) {
        return code;
    }
    memset(&n, 0, sizeof n);
    n.options = &o;
    kerf_err err = kerf_file_read(o.delta_path, SIZE_MAX, &n.delta, &n.delta_len, &n.why);

    if (err == KERF_OK) {
        err = read_header(&n);
    }
    if (err == KERF_OK) {
        err = check_chain(&n);
    }
    if (err == KERF_OK) {
        err = check_expect(&n);
    }
    if (err == KERF_OK) {
        err = kerf_hash_bytes(n.delta, n.delta_len, &n.file_digest);
    }
    if (err == KERF_OK && o.old_path != NULL) {
        err = recount(&n);
    }
    if (err != KERF_OK) {
        code = report_failure(&n, err);
    } else if (o.json) {
        code = show_json(&n);
    } else {
        show_text(&n);
        code = KERF_EXIT_OK;
    }
    free(n.delta);
    free(n.old_image);
    return code;
}
