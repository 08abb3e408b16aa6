/* SPDX-License-Identifier: Apache-2.0 */
/* kerf-repo list: what is published and staged, for people or as JSON. */
#include "server-tools/repo_command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "server-tools/catalogue.h"

static void span_print(struct kerf_span s)
{
    (void)printf("%.*s", (int)s.len, (const char *)s.p);
}

static json_t *payload_json(const struct kerf_payload *payload)
{
    json_t *entry = json_pack("{s:s, s:o, s:o, s:I, s:I}", "kind", payload->is_delta ? "delta" : "full", "format",
                              kerf_repo_json_text(payload->format), "sha256", kerf_repo_json_digest(&payload->digest),
                              "size", (json_int_t)payload->size, "ram", (json_int_t)payload->workspace);

    if (payload->is_delta) {
        (void)json_object_set_new(entry, "from",
                                  json_pack("{s:o, s:o, s:I}", "version", kerf_repo_json_text(payload->from_version),
                                            "sha256", kerf_repo_json_digest(&payload->from_digest), "size",
                                            (json_int_t)payload->from_size));
    }
    return entry;
}

static json_t *list_release_json(const struct kerf_release *release, const char *state)
{
    struct kerf_component component;
    struct kerf_payload payload;
    size_t cursor = 0;
    json_t *components = json_array();

    while (kerf_release_next_component(release, &cursor, &component) == KERF_OK) {
        json_t *payloads = json_array();
        size_t at = 0;

        while (kerf_component_next_payload(&component, &at, &payload) == KERF_OK) {
            (void)json_array_append_new(payloads, payload_json(&payload));
        }
        (void)json_array_append_new(
            components, json_pack("{s:o, s:o, s:I, s:o, s:o}", "name", kerf_repo_json_text(component.name), "version",
                                  kerf_repo_json_text(component.version), "size", (json_int_t)component.size, "sha256",
                                  kerf_repo_json_digest(&component.digest), "payloads", payloads));
    }
    return json_pack("{s:I, s:o, s:s, s:I, s:I, s:I, s:o}", "seq", (json_int_t)release->seq, "version",
                     kerf_repo_json_text(release->version), "state", state, "sc", (json_int_t)release->sc, "issued",
                     (json_int_t)release->issued, "expires", (json_int_t)release->expires, "components", components);
}

static void list_release_print(struct kerf_span product, const struct kerf_release *release, const char *state)
{
    struct kerf_component component;
    struct kerf_payload payload;
    size_t cursor = 0;

    span_print(product);
    (void)printf("  ");
    span_print(release->version);
    (void)printf("  seq %" PRIu64 "  sc %" PRIu64 "  %s\n", release->seq, release->sc, state);
    while (kerf_release_next_component(release, &cursor, &component) == KERF_OK) {
        char hex[2 * KERF_SHA256_LEN + 1];
        size_t at = 0;

        (void)printf("  ");
        span_print(component.name);
        (void)printf("  %" PRIu64 " bytes  sha256 %s\n", component.size,
                     kerf_cli_format_hex(component.digest.b, KERF_SHA256_LEN, hex));
        while (kerf_component_next_payload(&component, &at, &payload) == KERF_OK) {
            (void)printf("    %-5s %-24.*s %10" PRIu64 " bytes  RAM %" PRIu64 "\n", payload.is_delta ? "delta" : "full",
                         (int)payload.from_version.len, payload.is_delta ? (const char *)payload.from_version.p : "",
                         payload.size, payload.workspace);
        }
    }
}

/* Prints a release, or adds it to `out`. */
static void list_release(struct kerf_span product, const struct kerf_release *release, const char *state, json_t *out)
{
    if (out == NULL) {
        list_release_print(product, release, state);
    } else {
        (void)json_array_append_new(out, list_release_json(release, state));
    }
}

static kerf_err list_staged(const struct kerf_repository *repo, const char *product, uint64_t current, json_t *out,
                            struct kerf_why *why)
{
    struct kerf_span name = {(const uint8_t *)product, strlen(product)};
    uint64_t *seqs;
    size_t count;
    kerf_err err = kerf_repository_staged(repo, product, &seqs, &count, why);

    for (size_t i = 0; err == KERF_OK && i < count; i++) {
        char path[KERF_PATH_MAX];
        struct kerf_release release;
        uint8_t *data;
        size_t len;

        if (seqs[i] <= current) {
            continue;
        }
        (void)kerf_repository_staged_path(repo, product, seqs[i], path);
        err = kerf_file_read(path, KERF_METADATA_MAX_LEN, &data, &len, why);
        if (err != KERF_OK) {
            break;
        }
        err = kerf_release_parse(data, len, &release);
        if (err == KERF_OK) {
            list_release(name, &release, "staged", out);
        } else {
            kerf_why_set(why, "'%s' is damaged: remove it and add the release again", path);
        }
        free(data);
    }
    free(seqs);
    return err;
}

static kerf_err list_product(const struct kerf_repository *repo, const char *product, json_t *out, struct kerf_why *why)
{
    struct kerf_catalogue catalogue;
    bool found;
    kerf_err err = kerf_catalogue_load(&catalogue, repo, product, &found, why);

    if (err != KERF_OK) {
        return err;
    }
    json_t *releases = out == NULL ? NULL : json_array();
    for (size_t i = 0; i < catalogue.release_count; i++) {
        list_release(catalogue.root.product, &catalogue.releases[i].release,
                     i + 1 == catalogue.release_count ? "current" : "published", releases);
    }
    err = list_staged(repo, product, found ? catalogue.fresh.seq : 0, releases, why);
    if (out != NULL) {
        (void)json_array_append_new(out, json_pack("{s:s, s:I, s:I, s:o}", "product", product, "root",
                                                   (json_int_t)catalogue.root_count, "fresh_expires",
                                                   (json_int_t)catalogue.fresh.expires, "releases", releases));
    }
    kerf_catalogue_free(&catalogue);
    return err;
}

int kerf_repo_list(const struct kerf_repo_command *c)
{
    struct kerf_repository repo;
    struct kerf_name_list products;
    struct kerf_why why = {""};
    int code = kerf_repo_open(c, &repo, NULL);

    if (code != KERF_EXIT_OK) {
        return code;
    }
    json_t *out = c->json ? json_array() : NULL;
    kerf_err err = kerf_repository_products(&repo, true, &products, &why);
    for (size_t i = 0; err == KERF_OK && i < products.count; i++) {
        err = list_product(&repo, products.names[i], out, &why);
    }
    bool empty = products.count == 0;
    kerf_name_list_free(&products);
    if (err != KERF_OK) {
        json_decref(out);
        return kerf_repo_fail(c, err, &why);
    }
    if (c->json) {
        return kerf_cli_json(json_pack("{s:b, s:s, s:o}", "ok", 1, "command", "list", "products", out));
    }
    if (empty) {
        (void)printf("No releases yet.\n");
    }
    return KERF_EXIT_OK;
}
