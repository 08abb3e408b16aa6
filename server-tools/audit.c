/* SPDX-License-Identifier: Apache-2.0 */
#include "server-tools/audit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/host/cli.h"
#include "common/host/file.h"
#include "common/host/hash.h"
#include "common/isa/isa.h"
#include "server-tools/catalogue.h"

/* The digests that documents mention, to find what nobody mentions. */
struct mentions {
    struct kerf_sha256_digest *digests;
    size_t count, cap;
};

/* One audit in progress. */
struct auditing {
    const struct kerf_repository *repo;
    struct kerf_audit *audit;
    struct mentions *mentions; /* NULL: not wanted */
    struct kerf_why *why;
};

static kerf_err no_memory(struct kerf_why *why)
{
    kerf_why_set(why, "out of memory: free some memory");
    return KERF_ERR_RAM;
}

static kerf_err mention(struct auditing *a, const struct kerf_sha256_digest *digest)
{
    struct mentions *m = a->mentions;

    if (m == NULL) {
        return KERF_OK;
    }
    if (m->count == m->cap) {
        size_t cap = m->cap == 0 ? 64 : 2 * m->cap;
        struct kerf_sha256_digest *grown = realloc(m->digests, cap * sizeof *grown);

        if (grown == NULL) {
            return no_memory(a->why);
        }
        m->digests = grown;
        m->cap = cap;
    }
    m->digests[m->count++] = *digest;
    return KERF_OK;
}

kerf_err kerf_audit_payload(const uint8_t *data, size_t len, struct kerf_payload *payload, struct kerf_header *header)
{
    static const uint8_t format[] = {'k', 'e', 'r', 'f', '/', '0'};
    struct kerf_region regions[KERF_MAX_REGIONS];
    struct kerf_range ranges[KERF_MAX_RANGES];
    uint16_t chunk0_len;
    uint16_t header_len;

    memset(payload, 0, sizeof *payload);
    if (len < KERF_PROLOGUE_LEN) {
        return KERF_ERR_TRUNCATED;
    }
    kerf_err err = kerf_prologue_parse(data, &chunk0_len, &header_len);
    if (err == KERF_OK && chunk0_len > len) {
        return KERF_ERR_TRUNCATED;
    }
    if (err == KERF_OK) {
        err = kerf_header_parse(data, chunk0_len, header);
    }
    if (err == KERF_OK) {
        err = kerf_header_tables(data, header, regions, ranges);
    }
    if (err != KERF_OK) {
        return err;
    }
    if (kerf_hash_bytes(data, len, &payload->digest) != KERF_OK ||
        kerf_hash_bytes(data, chunk0_len, &payload->chunk0) != KERF_OK) {
        return KERF_ERR_RAM;
    }
    payload->size = len;
    payload->format = (struct kerf_span){format, sizeof format};
    payload->workspace = kerf_header_workspace(header);
    payload->codec = header->codec;
    payload->flags = header->flags;
    for (unsigned i = 0; i < header->region_count; i++) {
        /* The header's parser knows them all: under 32. */
        payload->isas |= kerf_isa_needs(regions[i].isa, regions[i].kinds) & ~1u;
    }
    payload->is_delta = header->old_size != 0;
    payload->from_size = header->old_size;
    payload->in_place = (header->flags & KERF_FLAG_IN_PLACE) != 0;
    payload->sector_log2 = header->sector_log2;
    payload->scratch = header->scratch;
    payload->group = header->group;
    return KERF_OK;
}

/* Does what a release says of a payload agree with the payload itself? */
static bool agrees(const struct kerf_component *component, const struct kerf_payload *said,
                   const struct kerf_payload *found, const struct kerf_header *header)
{
    bool geometry = said->in_place == found->in_place &&
                    (!said->in_place || (said->sector_log2 == found->sector_log2 && said->scratch == found->scratch &&
                                         said->group == found->group));
    bool from = said->is_delta == found->is_delta && said->from_size == found->from_size &&
                (!said->is_delta || memcmp(said->from_digest.b, header->old_digest.b, KERF_DIGEST_LEN) == 0);
    bool target = component->size == header->new_size &&
                  memcmp(component->digest.b, header->new_digest.b, KERF_DIGEST_LEN) == 0;

    return geometry && from && target && said->size == found->size && said->workspace == found->workspace &&
           said->codec == found->codec && said->flags == found->flags && said->isas == found->isas &&
           memcmp(said->chunk0.b, found->chunk0.b, KERF_SHA256_LEN) == 0 &&
           kerf_span_equal(said->format, found->format);
}

static kerf_err audit_payload(struct auditing *a, const struct kerf_component *component,
                              const struct kerf_payload *said)
{
    char path[KERF_PATH_MAX];
    struct kerf_payload found;
    struct kerf_header header;
    uint8_t *data;
    size_t len;
    kerf_err err = kerf_repository_get(a->repo, KERF_STORE_PAYLOAD, &said->digest, &data, &len, a->why);

    if (err != KERF_OK) {
        return err;
    }
    err = kerf_audit_payload(data, len, &found, &header);
    free(data);
    if (err == KERF_ERR_RAM) {
        return no_memory(a->why);
    }
    if (err != KERF_OK || !agrees(component, said, &found, &header)) {
        kerf_why_set(a->why, "'%s' isn't what the release says it is: remove it and add the release again",
                     kerf_repository_object_path(a->repo, KERF_STORE_PAYLOAD, &said->digest, path));
        return KERF_ERR_MISMATCH;
    }
    a->audit->payloads++;
    a->audit->bytes += len;
    return mention(a, &said->digest);
}

static kerf_err audit_image(struct auditing *a, const struct kerf_component *component)
{
    char path[KERF_PATH_MAX];
    struct kerf_sha256_digest found;
    uint64_t size;
    kerf_err err = kerf_hash_file(kerf_repository_object_path(a->repo, KERF_STORE_IMAGE, &component->digest, path),
                                  &found, &size, a->why);

    if (err != KERF_OK) {
        return err;
    }
    if (size != component->size || memcmp(found.b, component->digest.b, KERF_SHA256_LEN) != 0) {
        kerf_why_set(a->why, "'%s' is damaged: restore it", path);
        return KERF_ERR_MISMATCH;
    }
    a->audit->images++;
    a->audit->bytes += size;
    return mention(a, &component->digest);
}

static kerf_err audit_component(struct auditing *a, const struct kerf_release *release,
                                const struct kerf_component *component)
{
    struct kerf_payload payload;
    size_t cursor = 0;
    bool full = false;
    kerf_err err;

    while ((err = kerf_component_next_payload(component, &cursor, &payload)) == KERF_OK) {
        full = full || !payload.is_delta;
        err = audit_payload(a, component, &payload);
        if (err != KERF_OK) {
            return err;
        }
    }
    if (err != KERF_END) {
        return err;
    }
    if (!full) {
        kerf_why_set(a->why, "release %" PRIu64 " has no full payload for '%.*s': add the release again", release->seq,
                     (int)component->name.len, (const char *)component->name.p);
        return KERF_ERR_MISMATCH;
    }
    return audit_image(a, component);
}

static kerf_err audit_release(struct auditing *a, const struct kerf_release *release)
{
    struct kerf_component component;
    size_t cursor = 0;
    kerf_err err;

    while ((err = kerf_release_next_component(release, &cursor, &component)) == KERF_OK) {
        err = audit_component(a, release, &component);
        if (err != KERF_OK) {
            return err;
        }
    }
    a->audit->releases++;
    return err == KERF_END ? KERF_OK : err;
}

kerf_err kerf_audit_release(const struct kerf_repository *repo, const struct kerf_release *release,
                            struct kerf_audit *audit, struct kerf_why *why)
{
    struct auditing a = {repo, audit, NULL, why};

    return audit_release(&a, release);
}

static kerf_err audit_staged(struct auditing *a, const char *product, uint64_t current_seq)
{
    uint64_t *seqs;
    size_t count;
    kerf_err err = kerf_repository_staged(a->repo, product, &seqs, &count, a->why);

    for (size_t i = 0; err == KERF_OK && i < count; i++) {
        char path[KERF_PATH_MAX];
        struct kerf_release release;
        uint8_t *data;
        size_t len;

        if (seqs[i] <= current_seq) { /* published; the interrupted publish didn't come to remove it */
            continue;
        }
        (void)kerf_repository_staged_path(a->repo, product, seqs[i], path);
        err = kerf_file_read(path, KERF_METADATA_MAX_LEN, &data, &len, a->why);
        if (err != KERF_OK) {
            break;
        }
        err = kerf_release_parse(data, len, &release);
        if (err == KERF_OK) {
            err = audit_release(a, &release);
        } else {
            kerf_why_set(a->why, "'%s' is damaged: remove it and add the release again", path);
        }
        free(data);
    }
    free(seqs);
    return err;
}

static kerf_err audit_product(struct auditing *a, const char *product)
{
    struct kerf_catalogue catalogue;
    bool found;
    kerf_err err = kerf_catalogue_load(&catalogue, a->repo, product, &found, a->why);

    for (size_t i = 0; err == KERF_OK && i < catalogue.release_count; i++) {
        err = audit_release(a, &catalogue.releases[i].release);
    }
    if (err == KERF_OK) {
        err = audit_staged(a, product, found ? catalogue.fresh.seq : 0);
    }
    kerf_catalogue_free(&catalogue);
    a->audit->products += found ? 1u : 0u;
    return err;
}

static int compare_digests(const void *a, const void *b)
{
    return memcmp(a, b, KERF_SHA256_LEN);
}

/* Counts the files of a store that aren't mentioned; `mentions` must be sorted. */
static kerf_err count_unused(struct auditing *a, const char *folder)
{
    char path[KERF_PATH_MAX];
    struct kerf_name_list list;
    size_t dir_len = strlen(a->repo->dir);

    memcpy(path, a->repo->dir, dir_len);
    memcpy(path + dir_len, folder, strlen(folder) + 1); /* struct kerf_repository leaves room */
    kerf_err err = kerf_repository_list(path, &list, a->why);
    for (size_t i = 0; err == KERF_OK && i < list.count; i++) {
        struct kerf_sha256_digest digest = {{0}};

        if (kerf_cli_parse_hex(list.names[i], digest.b, KERF_SHA256_LEN) != KERF_OK || a->mentions->count == 0 ||
            bsearch(&digest, a->mentions->digests, a->mentions->count, sizeof digest, compare_digests) == NULL) {
            a->audit->unused++;
        }
    }
    kerf_name_list_free(&list);
    return err;
}

kerf_err kerf_audit_repository(const struct kerf_repository *repo, struct kerf_audit *audit, struct kerf_why *why)
{
    struct mentions mentions = {NULL, 0, 0};
    struct auditing a = {repo, audit, &mentions, why};
    struct kerf_name_list products;

    *audit = (struct kerf_audit){0};
    kerf_err err = kerf_repository_products(repo, true, &products, why);
    for (size_t i = 0; err == KERF_OK && i < products.count; i++) {
        err = audit_product(&a, products.names[i]);
    }
    kerf_name_list_free(&products);
    if (err == KERF_OK && mentions.count > 0) {
        qsort(mentions.digests, mentions.count, sizeof mentions.digests[0], compare_digests);
    }
    if (err == KERF_OK) {
        err = count_unused(&a, "/public/p");
    }
    if (err == KERF_OK) {
        err = count_unused(&a, "/i");
    }
    free(mentions.digests);
    return err;
}
