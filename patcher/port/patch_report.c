/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/host/cli.h"
#include "patcher/port/patch_work.h"

/* The line and the exit code for what went wrong. */
static enum kerf_exit explain(struct kerf_patch_work *r, kerf_err err)
{
    enum kerf_exit code = kerf_cli_err_exit(err);
    struct kerf_patcher_status s;

    memset(&s, 0, sizeof s);
    if (r->patcher != NULL) {
        kerf_patcher_status(r->patcher, &s);
    }
    if (r->why.text[0] == '\0' && r->posix.why.text[0] != '\0') {
        r->why = r->posix.why;
    }
    if (err == KERF_ERR_CHUNK && r->options->expect_len > 0 && !kerf_patch_expected(r)) {
        char found[2 * KERF_SHA256_LEN + 1];

        kerf_why_set(&r->why,
                     "this is not the delta that --expect names, its digest is %s: don't use it, fetch the right one",
                     kerf_cli_format_hex(r->posix.chunk0_digest.b, r->options->expect_len, found));
        code = KERF_EXIT_TRUST;
    } else if (err == KERF_ERR_SOURCE && r->options->old_path == NULL) {
        kerf_why_set(&r->why, "'%s' is a delta, not a full payload: name the old image in front of it",
                     r->options->delta_path);
        code = KERF_EXIT_USAGE;
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
    return code;
}

int kerf_patch_report_failure(struct kerf_patch_work *r, kerf_err err)
{
    enum kerf_exit code = explain(r, err);

    return kerf_cli_failed(r->options->json, err, code, r->why.text);
}

static const char *codec_name(const struct kerf_header *h)
{
    static const char *const names[] = {"stored", "native", "lzma2"};

    return h->codec < sizeof names / sizeof names[0] ? names[h->codec] : "unknown";
}

int kerf_patch_report_success(const struct kerf_patch_work *r)
{
    const struct kerf_patch_options *o = r->options;
    const struct kerf_header *h = &r->header;
    struct kerf_patcher_status s;
    char new_hex[2 * KERF_SHA256_LEN + 1];
    char chunk0_hex[2 * KERF_SHA256_LEN + 1];
    size_t workspace = kerf_header_workspace(h);
    size_t buffers = r->workspace_len - workspace + KERF_POSIX_MEMORY + KERF_PATCH_INPUT;

    kerf_patcher_status(r->patcher, &s);
    if (r->up_to_date) {
        s.target_digest = r->new_digest;
        s.new_pos = h->new_size;
    }
    (void)kerf_cli_format_hex(s.target_digest.b, KERF_SHA256_LEN, new_hex);
    (void)kerf_cli_format_hex(r->posix.chunk0_digest.b, KERF_SHA256_LEN, chunk0_hex);
    if (o->json) {
        return kerf_cli_json(json_pack(
            "{s:b, s:b, s:b, s:b, s:o?, s:I, s:I, s:I, s:I, s:s, s:s, s:b, s:I, s:I, s:s}", "ok", 1, "dry_run",
            (int)o->dry_run, "up_to_date", (int)r->up_to_date, "replaced_old", r->replaces_old && !o->dry_run, "output",
            kerf_cli_json_text(o->dry_run    ? NULL
                               : o->in_place ? o->old_path
                                             : o->new_path),
            "resumed_from", (json_int_t)r->resumed_from, "old_size", (json_int_t)h->old_size, "delta_size",
            (json_int_t)s.delta_pos, "new_size", (json_int_t)s.new_pos, "sha256", new_hex, "delta_digest", chunk0_hex,
            "authenticated", o->expect_len > 0, "workspace", (json_int_t)workspace, "buffers", (json_int_t)buffers,
            "codec", codec_name(h)));
    }
    if (o->quiet) {
        return KERF_EXIT_OK;
    }
    if (r->up_to_date) {
        (void)printf("%s: already up to date: %" PRIu64 " bytes, sha256 %s\n", o->old_path, (uint64_t)s.new_pos,
                     new_hex);
        return KERF_EXIT_OK;
    }
    if (o->verbose) {
        (void)printf("delta: %s, %u regions, chunks of %" PRIu32 " bytes, digest %s\n", codec_name(h),
                     (unsigned)h->region_count, h->chunk_size, chunk0_hex);
    }
    (void)printf("%s: %" PRIu64 " bytes from %" PRIu64 " of old and %" PRIu64
                 " of delta, sha256 %s, workspace %zu bytes; %s%s\n",
                 o->dry_run    ? "dry run"
                 : o->in_place ? o->old_path
                               : o->new_path,
                 (uint64_t)s.new_pos, (uint64_t)h->old_size, (uint64_t)s.delta_pos, new_hex, workspace,
                 o->expect_len > 0 ? "authenticated" : "integrity checked, not authenticated (no --expect)",
                 r->replaces_old && !o->dry_run ? "; the old image is replaced" : "");
    return KERF_EXIT_OK;
}
