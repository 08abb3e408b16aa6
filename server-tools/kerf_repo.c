/* SPDX-License-Identifier: Apache-2.0 */
/* kerf-repo: makes releases and publishes them. docs/man/kerf-repo.1. Its command line: repo_options.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "common/host/progress.h"
#include "server-tools/audit.h"
#include "server-tools/release.h"
#include "server-tools/repo_command.h"
#include "server-tools/sign.h"

#define IMAGE_MAX_LEN (SIZE_MAX / 4) /* what doesn't fit into memory is refused when it is read */

/* --- What every command needs. --- */

json_t *kerf_repo_json_digest(const struct kerf_sha256_digest *digest)
{
    char hex[2 * KERF_SHA256_LEN + 1];

    return json_string(kerf_cli_format_hex(digest->b, KERF_SHA256_LEN, hex));
}

json_t *kerf_repo_json_text(struct kerf_span s)
{
    return json_stringn((const char *)s.p, s.len);
}

/* One line for an error. `why` says it all; the exit code follows from `err`. */
int kerf_repo_fail(const struct kerf_repo_command *c, kerf_err err, const struct kerf_why *why)
{
    enum kerf_exit code = kerf_cli_err_exit(err);

    if (err == KERF_ERR_RAM && strncmp(why->text, "out of memory", 13) == 0) {
        code = KERF_EXIT_INTERNAL;
    }
    return kerf_cli_failed(c->json, err, code, why->text[0] != '\0' ? why->text : kerf_cli_err_text(err));
}

/* Opens the repository that the command names, and locks it for those that write. */
int kerf_repo_open(const struct kerf_repo_command *c, struct kerf_repository *repo, int *lock)
{
    struct kerf_why why = {""};
    kerf_err err = kerf_repository_open(repo, c->operands[0], &why);

    if (err == KERF_OK && lock != NULL) {
        err = kerf_repository_lock(repo, lock, &why);
    }
    return err == KERF_OK ? KERF_EXIT_OK : kerf_repo_fail(c, err, &why);
}

/* --- init, keygen --- */

static int run_init(const struct kerf_repo_command *c)
{
    struct kerf_why why = {""};
    kerf_err err = kerf_repository_init(c->operands[0], &why);

    if (err != KERF_OK) {
        return kerf_repo_fail(c, err, &why);
    }
    if (c->json) {
        return kerf_cli_json(
            json_pack("{s:b, s:s, s:o}", "ok", 1, "command", "init", "repository", kerf_cli_json_text(c->operands[0])));
    }
    (void)printf("%s: an empty repository. Next: kerf-repo keygen %s\n", c->operands[0], c->operands[0]);
    return KERF_EXIT_OK;
}

static const char *keys_dir(const struct kerf_repo_command *c, const struct kerf_repository *repo, char *path)
{
    return c->keys != NULL ? c->keys : kerf_repository_keys_path(repo, path);
}

/* Makes the key of one role; `keys` gets what is to be printed. */
static kerf_err make_key(const char *dir, enum kerf_doc_type role, int32_t alg, json_t *keys, struct kerf_why *why)
{
    char path[KERF_PATH_MAX];
    char id[2 * KERF_KEY_ID_LEN + 1];
    char public_key[2 * KERF_PUBLIC_KEY_MAX_LEN + 1];
    struct kerf_signing_key key;
    int n = snprintf(path, sizeof path, "%s/%s", dir, kerf_release_key_name(role));

    if (n < 0 || (size_t)n >= sizeof path) {
        kerf_why_set(why, "the path of the keys is too long: choose a shorter one");
        return KERF_ERR_ARGUMENT;
    }
    kerf_err err = kerf_signing_key_generate(&key, alg, why);
    if (err != KERF_OK) {
        return err;
    }
    err = kerf_signing_key_save(&key, path, why);
    if (err == KERF_OK) {
        json_t *entry = json_pack("{s:s, s:s, s:s, s:s, s:o}", "role", kerf_repo_roles[role], "alg",
                                  alg == KERF_ALG_ES256 ? "es256" : "ed25519", "id",
                                  kerf_cli_format_hex(key.id.b, KERF_KEY_ID_LEN, id), "public",
                                  kerf_cli_format_hex(key.public_key, key.public_key_len, public_key), "file",
                                  kerf_cli_json_text(path));
        if (json_array_append_new(keys, entry) != 0) {
            kerf_why_set(why, "out of memory: free some memory");
            err = KERF_ERR_RAM;
        }
    }
    kerf_signing_key_free(&key);
    return err;
}

static int run_keygen(const struct kerf_repo_command *c)
{
    struct kerf_repository repo;
    char path[KERF_PATH_MAX];
    struct kerf_why why = {""};
    int lock = -1;
    int code = kerf_repo_open(c, &repo, &lock);

    if (code != KERF_EXIT_OK) {
        return code;
    }
    const char *dir = keys_dir(c, &repo, path);
    json_t *keys = json_array();
    kerf_err err = kerf_file_make_dirs(dir, &why);
    /* A second run must not end with some keys new and some old, so that all are looked for first. */
    for (size_t i = 0; err == KERF_OK && i < KERF_DOC_TYPES; i++) {
        char file[KERF_PATH_MAX];
        enum kerf_doc_type role = (enum kerf_doc_type)i;

        if (c->has_role && role != c->only_role) {
            continue;
        }
        (void)snprintf(file, sizeof file, "%s/%s", dir, kerf_release_key_name(role));
        FILE *there = fopen(file, "rb");
        if (there != NULL) {
            (void)fclose(there);
            kerf_why_set(&why, "'%s' exists and is not replaced: use it, or choose another folder with --keys", file);
            err = KERF_ERR_ARGUMENT;
        }
    }
    for (size_t i = 0; err == KERF_OK && i < KERF_DOC_TYPES; i++) {
        if (!c->has_role || (enum kerf_doc_type)i == c->only_role) {
            err = make_key(dir, (enum kerf_doc_type)i, c->alg, keys, &why);
        }
    }
    kerf_repository_unlock(lock);
    if (err != KERF_OK) {
        json_decref(keys);
        return kerf_repo_fail(c, err, &why);
    }
    if (c->json) {
        return kerf_cli_json(json_pack("{s:b, s:s, s:o}", "ok", 1, "command", "keygen", "keys", keys));
    }
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *entry = json_array_get(keys, i);

        (void)printf("%-8s key %s  %s\n", json_string_value(json_object_get(entry, "role")),
                     json_string_value(json_object_get(entry, "id")),
                     json_string_value(json_object_get(entry, "file")));
    }
    (void)printf("Private: keep copies of root.pem and release.pem off this machine; root.pem is needed once for each "
                 "product.\n");
    json_decref(keys);
    return KERF_EXIT_OK;
}

/* --- add-release --- */

static json_t *release_json(const struct kerf_release_request *request, const struct kerf_release_report *report)
{
    json_t *payloads = json_array();

    for (size_t i = 0; i < report->payload_count; i++) {
        const struct kerf_release_payload *payload = &report->payloads[i];
        json_t *entry = json_pack("{s:s, s:b, s:o, s:I, s:I}", "kind", payload->is_delta ? "delta" : "full",
                                  "published", payload->published, "sha256", kerf_repo_json_digest(&payload->digest),
                                  "size", (json_int_t)payload->size, "ram", (json_int_t)payload->workspace);

        if (payload->is_delta) {
            (void)json_object_set_new(entry, "from", json_string(payload->from_version));
        }
        (void)json_array_append_new(payloads, entry);
    }
    return json_pack("{s:b, s:s, s:s, s:s, s:s, s:I, s:b, s:{s:I, s:o}, s:o}", "ok", 1, "command", "add-release",
                     "product", request->product, "version", request->version, "component", request->component, "seq",
                     (json_int_t)report->seq, "replaced", (int)report->replaced, "image", "size",
                     (json_int_t)report->image_size, "sha256", kerf_repo_json_digest(&report->image_digest), "payloads",
                     payloads);
}

static void release_print(const struct kerf_release_request *request, const struct kerf_release_report *report)
{
    char hex[2 * KERF_SHA256_LEN + 1];

    (void)printf("%s %s  seq %" PRIu64 "  component %s  %" PRIu64 " bytes  sha256 %s\n", request->product,
                 request->version, report->seq, request->component, report->image_size,
                 kerf_cli_format_hex(report->image_digest.b, KERF_SHA256_LEN, hex));
    for (size_t i = 0; i < report->payload_count; i++) {
        const struct kerf_release_payload *payload = &report->payloads[i];

        (void)printf("  %-5s %-24s %10" PRIu64 " bytes  %5.1f %%  RAM %" PRIu64 "%s\n",
                     payload->is_delta ? "delta" : "full", payload->from_version, payload->size,
                     100.0 * (double)payload->size / (double)report->image_size, payload->workspace,
                     payload->published ? "" : "  dropped: not well below the full payload");
    }
    (void)printf("Staged%s. Next: kerf-repo publish\n",
                 report->replaced ? ", in place of another image that was staged as this version" : "");
}

static int run_add_release(const struct kerf_repo_command *c)
{
    struct kerf_repository repo;
    struct kerf_release_report report;
    struct kerf_progress progress;
    struct kerf_why why = {""};
    uint8_t *image;
    size_t image_len;
    int lock = -1;
    int code = kerf_repo_open(c, &repo, &lock);

    if (code != KERF_EXIT_OK) {
        return code;
    }
    kerf_err err = kerf_file_read(c->operands[3], IMAGE_MAX_LEN, &image, &image_len, &why);
    if (err != KERF_OK) {
        kerf_repository_unlock(lock);
        return kerf_repo_fail(c, err, &why);
    }
    kerf_progress_begin(&progress, c->quiet);
    struct kerf_release_request request = {
        .product = c->operands[1],
        .version = c->operands[2],
        .component = c->component,
        .image = image,
        .image_len = image_len,
        .ram = c->ram,
        .deltas = (unsigned)c->deltas,
        .sc_given = c->sc_given,
        .sc = c->sc,
        .hardware = c->hardware,
        .hardware_count = c->hardware_count,
        .now = c->now,
        .expires = c->expires_days == 0 ? 0 : c->now + c->expires_days * KERF_REPO_DAY,
        .order = c->order,
        .progress = kerf_progress_show,
        .progress_ctx = &progress,
    };
    err = kerf_release_add(&repo, &request, &report, &why);
    kerf_progress_end(&progress);
    free(image);
    kerf_repository_unlock(lock);
    if (err != KERF_OK) {
        return kerf_repo_fail(c, err, &why);
    }
    if (c->json) {
        return kerf_cli_json(release_json(&request, &report));
    }
    release_print(&request, &report);
    return KERF_EXIT_OK;
}

/* --- publish --- */

static int run_publish(const struct kerf_repo_command *c)
{
    struct kerf_repository repo;
    struct kerf_release_keys keys;
    struct kerf_publish_report report;
    char path[KERF_PATH_MAX];
    struct kerf_why why = {""};
    int lock = -1;
    int code = kerf_repo_open(c, &repo, &lock);

    if (code != KERF_EXIT_OK) {
        return code;
    }
    kerf_err err = kerf_release_keys_load(&keys, keys_dir(c, &repo, path), &why);
    if (err == KERF_OK) {
        const struct kerf_publish_request request = {
            .keys = &keys,
            .now = c->now,
            .fresh_expires = c->now + c->fresh_days * KERF_REPO_DAY,
            .root_expires = c->now + (uint64_t)KERF_ROOT_DAYS_DEFAULT * KERF_REPO_DAY,
        };

        err = kerf_release_publish(&repo, &request, &report, &why);
        kerf_release_keys_free(&keys);
    }
    kerf_repository_unlock(lock);
    if (err != KERF_OK) {
        return kerf_repo_fail(c, err, &why);
    }
    if (report.products == 0) {
        return kerf_cli_failed(c->json, KERF_NONE, KERF_EXIT_NONE,
                               "nothing to publish: add a release first (kerf-repo add-release)");
    }
    if (c->json) {
        return kerf_cli_json(json_pack("{s:b, s:s, s:I, s:I, s:I}", "ok", 1, "command", "publish", "products",
                                       (json_int_t)report.products, "releases", (json_int_t)report.releases, "roots",
                                       (json_int_t)report.roots));
    }
    (void)printf("Published %zu new release%s; %zu product%s fresh for %" PRIu64 " days", report.releases,
                 report.releases == 1 ? "" : "s", report.products, report.products == 1 ? "" : "s", c->fresh_days);
    (void)printf(report.roots > 0 ? "; %zu new root%s\n" : "\n", report.roots, report.roots == 1 ? "" : "s");
    return KERF_EXIT_OK;
}

/* --- verify --- */

static int run_verify(const struct kerf_repo_command *c)
{
    struct kerf_repository repo;
    struct kerf_audit audit = {0};
    struct kerf_why why = {""};
    int code = kerf_repo_open(c, &repo, NULL);

    if (code != KERF_EXIT_OK) {
        return code;
    }
    kerf_err err = kerf_audit_repository(&repo, &audit, &why);
    if (err != KERF_OK) {
        return kerf_repo_fail(c, err, &why);
    }
    if (c->json) {
        return kerf_cli_json(json_pack("{s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "ok", 1, "command", "verify",
                                       "products", (json_int_t)audit.products, "releases", (json_int_t)audit.releases,
                                       "payloads", (json_int_t)audit.payloads, "images", (json_int_t)audit.images,
                                       "bytes", (json_int_t)audit.bytes, "unused", (json_int_t)audit.unused));
    }
    (void)printf("Good. Products %zu, releases %zu, payloads %zu, images %zu, bytes %" PRIu64 ", files unused %zu\n",
                 audit.products, audit.releases, audit.payloads, audit.images, audit.bytes, audit.unused);
    return KERF_EXIT_OK;
}

/* --- The commands. --- */

const struct kerf_repo_verb kerf_repo_verbs[] = {
    {"init", 1, "init DIR", "", run_init},
    {"keygen", 1, "keygen DIR [--keys KEYDIR] [--role root|release|fresh] [--alg ed25519|es256]", "keys,role,alg,",
     run_keygen},
    {"add-release", 4,
     "add-release DIR PRODUCT VERSION IMAGE [--component NAME] [--ram SIZE]\n"
     "              [--deltas N] [--sc N] [--hw ID,...] [--expires DAYS] [--order N]",
     "component,ram,deltas,sc,hw,expires,order,quiet,", run_add_release},
    {"publish", 1, "publish DIR [--keys KEYDIR] [--fresh DAYS]", "keys,fresh,", run_publish},
    {"verify", 1, "verify DIR", "", run_verify},
    {"list", 1, "list DIR", "", kerf_repo_list},
};
const size_t kerf_repo_verb_count = sizeof kerf_repo_verbs / sizeof kerf_repo_verbs[0];

int main(int argc, char *argv[])
{
    struct kerf_repo_command c;
    const struct kerf_repo_verb *verb;

    kerf_cli_begin("kerf-repo");
    int code = kerf_repo_read_command(argc, argv, &c, &verb);
    if (code == KERF_EXIT_OK && verb != NULL) {
        code = verb->run(&c);
    }
    free(c.hardware_text);
    return kerf_cli_end(code);
}
