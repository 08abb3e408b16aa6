/* SPDX-License-Identifier: Apache-2.0 */
/* What kerf-diff says about the delta it made. */
#define _POSIX_C_SOURCE 200809L
#include "diffgen/kerf_diff.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/host/cli.h"
#include "diffgen/image.h"

static const struct {
    const char *name, *text;
} parts[KERF_PART_COUNT] = {
    [KERF_PART_MAP] = {"map", "address map"},
    [KERF_PART_SEGMENTS] = {"segments", "segments"},
    [KERF_PART_LITERALS] = {"literals", "literals"},
    [KERF_PART_EQUAL] = {"equal", "bytes as in old"},
    [KERF_PART_RESIDUES] = {"residues", "bytes that differ"},
    [KERF_PART_REFS] = {"refs", "references"},
};

/* 2^-16 bits to bytes. */
static double part_bytes(const struct kerf_diff_report *report, unsigned part)
{
    return (double)report->part_cost[part] / 65536 / 8;
}

void kerf_diff_show_parts(FILE *to, const struct kerf_diff_report *report)
{
    for (unsigned i = 0; i < KERF_PART_COUNT; i++) {
        (void)fprintf(to, "  %-18s %10.1f bytes\n", parts[i].text, part_bytes(report, i));
    }
    (void)fprintf(to,
                  "  %" PRIu64 " segments, %" PRIu64 " bytes of literals, %" PRIu64 " references, %" PRIu64
                  " of them corrected\n",
                  report->segments, report->literals, report->refs, report->refs_wrong);
}

void kerf_diff_add_parts(json_t *object, const struct kerf_diff_report *report)
{
    json_t *costs = json_object();

    for (unsigned i = 0; i < KERF_PART_COUNT; i++) {
        (void)json_object_set_new(costs, parts[i].name, json_real(part_bytes(report, i)));
    }
    (void)json_object_set_new(object, "part_bytes", costs);
    (void)json_object_set_new(object, "segments", json_integer((json_int_t)report->segments));
    (void)json_object_set_new(object, "literals", json_integer((json_int_t)report->literals));
    (void)json_object_set_new(object, "refs", json_integer((json_int_t)report->refs));
    (void)json_object_set_new(object, "refs_wrong", json_integer((json_int_t)report->refs_wrong));
}

const char *kerf_diff_isa_name(unsigned isa)
{
    return kerf_isa_name(isa) != NULL ? kerf_isa_name(isa) : "unknown";
}

void kerf_diff_add_regions(json_t *object, const struct kerf_header *header, const struct kerf_region *regions,
                           const struct kerf_range *ranges)
{
    json_t *region_list = json_array();
    json_t *range_list = json_array();

    for (unsigned i = 0; i < header->region_count; i++) {
        const struct kerf_region *r = &regions[i];

        (void)json_array_append_new(region_list,
                                    json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I}", "isa",
                                              kerf_diff_isa_name(r->isa), "kinds", (int)r->kinds, "old_pos",
                                              (json_int_t)r->old_pos, "old_len", (json_int_t)r->old_len, "old_addr",
                                              (json_int_t)r->old_addr, "new_pos", (json_int_t)r->new_pos, "new_len",
                                              (json_int_t)r->new_len, "new_addr", (json_int_t)r->new_addr));
    }
    for (unsigned i = 0; i < header->range_count; i++) {
        (void)json_array_append_new(range_list, json_pack("{s:I, s:I}", "start", (json_int_t)ranges[i].start, "len",
                                                          (json_int_t)ranges[i].len));
    }
    (void)json_object_set_new(object, "regions", region_list);
    (void)json_object_set_new(object, "ranges", range_list);
}

static void show_flat(FILE *to, const char *side, const struct kerf_flat *flat, size_t len)
{
    if (flat->format != NULL) {
        (void)fprintf(to, "%s was flattened from %s: %zu bytes", side, flat->format, len);
        if (flat->addressed) {
            (void)fprintf(to, " at 0x%08" PRIx64, flat->base);
        }
        (void)fputs("; the delta is of those\n", to);
    }
}

void kerf_diff_show_flat(FILE *to, const struct kerf_flat *old_flat, const struct kerf_flat *new_flat, size_t old_len,
                         size_t new_len)
{
    show_flat(to, "old", old_flat, old_len);
    show_flat(to, "new", new_flat, new_len);
}

static json_t *flat_json(const struct kerf_flat *flat)
{
    json_t *object = json_pack("{s:s}", "format", flat->format);

    if (object != NULL && flat->addressed) {
        (void)json_object_set_new(object, "base", json_integer((json_int_t)flat->base));
    }
    return object;
}

void kerf_diff_add_flat(json_t *object, const struct kerf_flat *old_flat, const struct kerf_flat *new_flat)
{
    if (old_flat->format != NULL) {
        (void)json_object_set_new(object, "old_flattened", flat_json(old_flat));
    }
    if (new_flat->format != NULL) {
        (void)json_object_set_new(object, "new_flattened", flat_json(new_flat));
    }
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static void show_text(FILE *to, const struct kerf_diff_result *result, bool verbose)
{
    const struct kerf_diff_report *report = &result->report;
    char chunk0_hex[2 * KERF_SHA256_LEN + 1];
    char old_hex[2 * KERF_SHA256_LEN + 1];
    char new_hex[2 * KERF_SHA256_LEN + 1];

    (void)fprintf(to, "%s: %" PRIu64 " bytes, ", strcmp(result->output, "-") == 0 ? "standard output" : result->output,
                  report->delta_len);
    if (result->new_len > 0) {
        double share = percent(report->delta_len, result->new_len);

        (void)fprintf(to, "%.*f %% of new's %zu, ", share < 1 ? 3 : 1, share, result->new_len);
    } else {
        (void)fputs("new is empty, ", to);
    }
    if (result->new_len > report->delta_len) {
        (void)fprintf(to, "%.*f times smaller, ", result->new_len / 100 < report->delta_len ? 1 : 0,
                      (double)result->new_len / (double)report->delta_len);
    }
    if (result->old_len > 0) {
        (void)fprintf(to, "from old's %zu", result->old_len);
    } else {
        (void)fputs("a full payload", to);
    }
    (void)fprintf(to, "; workspace %" PRIu64 " of %" PRIu64 " bytes; %.2f s\n", report->workspace, result->ram,
                  result->seconds);
    kerf_diff_show_flat(to, &result->old_flat, &result->new_flat, result->old_len, result->new_len);
    if (report->recognised[0] != '\0') {
        (void)fprintf(to, "images: %s\n", report->recognised);
    }
    if (report->erases.journal > 0) {
        (void)fprintf(to,
                      "in place: a sector of the slot is erased at most %" PRIu32 " times, of scratch %" PRIu32
                      ", of the journal %" PRIu32 "\n",
                      report->erases.slot, report->erases.scratch, report->erases.journal);
    }
    if (verbose) {
        (void)fprintf(to, "  %-18s %8" PRIu64 "   bytes\n  %-18s %8" PRIu64 "\n", "header", report->header_len,
                      "chunk digests", report->chain_len);
        kerf_diff_show_parts(to, report);
        if (result->full_len > 0) {
            (void)fprintf(to, "  a full payload has %" PRIu64 " bytes\n", result->full_len);
        }
        (void)fprintf(to, "old sha256 %s\nnew sha256 %s\n",
                      kerf_cli_format_hex(report->old_digest.b, KERF_SHA256_LEN, old_hex),
                      kerf_cli_format_hex(report->new_digest.b, KERF_SHA256_LEN, new_hex));
    }
    if (result->could_be_flat != NULL) {
        (void)fprintf(to,
                      "new is %s: with --flatten the delta would be of what a device has in its flash, and smaller\n",
                      result->could_be_flat);
    }
    (void)fprintf(to, "to authenticate it: kerf-patch --expect %s\n",
                  kerf_cli_format_hex(report->chunk0_digest.b, KERF_SHA256_LEN, chunk0_hex));
}

static void warn(const struct kerf_diff_result *result)
{
    (void)fflush(stdout);
    if (result->old_is_empty || (result->new_len == 0 && result->old_len > 0)) {
        (void)fprintf(stderr, "kerf-diff: warning: the %s image is empty%s: check the file\n",
                      result->old_is_empty ? "old" : "new", result->old_is_empty ? ", so this is a full payload" : "");
    }
    if (result->full_is_better && result->new_len > 0) {
        (void)fprintf(stderr,
                      "kerf-diff: warning: a full payload has %" PRIu64 " bytes and needs no old image: use --full\n",
                      result->full_len);
    }
}

int kerf_diff_show(const struct kerf_diff_result *result, bool verbose, bool quiet)
{
    if (!quiet) {
        show_text(strcmp(result->output, "-") == 0 ? stderr : stdout, result, verbose);
    }
    warn(result);
    return KERF_EXIT_OK;
}

int kerf_diff_show_json(const struct kerf_diff_result *result)
{
    const struct kerf_diff_report *report = &result->report;
    char chunk0_hex[2 * KERF_SHA256_LEN + 1];
    char old_hex[2 * KERF_SHA256_LEN + 1];
    char new_hex[2 * KERF_SHA256_LEN + 1];

    (void)kerf_cli_format_hex(report->old_digest.b, KERF_SHA256_LEN, old_hex);
    (void)kerf_cli_format_hex(report->new_digest.b, KERF_SHA256_LEN, new_hex);
    (void)kerf_cli_format_hex(report->chunk0_digest.b, KERF_SHA256_LEN, chunk0_hex);
    warn(result);
    json_t *object = json_pack(
        "{s:b, s:o?, s:I, s:I, s:I, s:I, s:I, s:i, s:s?, s:s, s:s, s:s, s:I, s:I, s:I, s:f}", "ok", 1, "output",
        kerf_cli_json_text(result->output), "delta_size", (json_int_t)report->delta_len, "old_size",
        (json_int_t)result->old_len, "new_size", (json_int_t)result->new_len, "workspace",
        (json_int_t)report->workspace, "ram", (json_int_t)result->ram, "level", result->level, "old_sha256",
        result->old_len > 0 ? old_hex : NULL, "new_sha256", new_hex, "delta_digest", chunk0_hex, "recognised",
        report->recognised, "header_size", (json_int_t)report->header_len, "chain_size", (json_int_t)report->chain_len,
        "payload_size", (json_int_t)(report->delta_len - report->header_len - report->chain_len), "seconds",
        result->seconds);

    if (object != NULL) {
        kerf_diff_add_parts(object, report);
        kerf_diff_add_flat(object, &result->old_flat, &result->new_flat);
    }
    if (object != NULL && report->erases.journal > 0) {
        (void)json_object_set_new(object, "erases",
                                  json_pack("{s:I, s:I, s:I}", "slot", (json_int_t)report->erases.slot, "scratch",
                                            (json_int_t)report->erases.scratch, "journal",
                                            (json_int_t)report->erases.journal));
    }
    if (object != NULL && result->full_len > 0) {
        (void)json_object_set_new(object, "full_size", json_integer((json_int_t)result->full_len));
        (void)json_object_set_new(object, "full_is_better", json_boolean(result->full_is_better));
    }
    return kerf_cli_json(object);
}
