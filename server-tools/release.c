/* SPDX-License-Identifier: Apache-2.0 */
/* Planning a release: which payloads, from which earlier images. Publishing: publish.c. */
#include "server-tools/release.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "common/host/hash.h"
#include "server-tools/audit.h"
#include "server-tools/catalogue.h"
#include "server-tools/draft.h"

/* A release that came before, published or staged. */
struct earlier {
    uint8_t *staged_data; /* malloc'ed; NULL for a published one, which lies in the catalogue */
    struct kerf_release release;
};

/* One kerf_release_add() in progress. */
struct planning {
    const struct kerf_repository *repo;
    const struct kerf_release_request *request;
    struct kerf_release_report *report;
    struct kerf_why *why;
    struct kerf_catalogue catalogue;
    bool published;
    struct earlier *history; /* ascending by seq */
    size_t history_count;
    const struct earlier *same; /* the staged release of this version, to be added to; or NULL */
    uint64_t seq;
    struct kerf_component component;
    struct kerf_payload payloads[KERF_RELEASE_DELTAS_MAX + 1];
    size_t payload_count;
};

static kerf_err no_memory(struct kerf_why *why)
{
    kerf_why_set(why, "out of memory: free some memory");
    return KERF_ERR_RAM;
}

static struct kerf_span text_span(const char *text)
{
    return (struct kerf_span){(const uint8_t *)text, strlen(text)};
}

static kerf_err check_request(const struct kerf_release_request *request, struct kerf_why *why)
{
    const char *bad = NULL;

    if (!kerf_name_valid(text_span(request->product))) {
        bad = request->product;
    } else if (!kerf_name_valid(text_span(request->component))) {
        bad = request->component;
    }
    if (bad != NULL) {
        kerf_why_set(why, "'%s' can't be the name of a product or component: use 1 to 64 of A-Z a-z 0-9 . _ -", bad);
        return KERF_ERR_ARGUMENT;
    }
    if (!kerf_version_name_valid(text_span(request->version))) {
        kerf_why_set(why, "'%s' can't be a version: use 1 to 64 bytes of text", request->version);
        return KERF_ERR_ARGUMENT;
    }
    if (request->image_len == 0) {
        kerf_why_set(why, "the image is empty: check the file");
        return KERF_ERR_ARGUMENT;
    }
    if (request->deltas > KERF_RELEASE_DELTAS_MAX) {
        kerf_why_set(why, "deltas from %u releases are too many: at most %d", request->deltas, KERF_RELEASE_DELTAS_MAX);
        return KERF_ERR_ARGUMENT;
    }
    return KERF_OK;
}

/* --- What came before. --- */

static kerf_err read_staged(struct planning *p, uint64_t seq)
{
    char path[KERF_PATH_MAX];
    struct earlier *entry = &p->history[p->history_count];
    size_t len;

    (void)kerf_repository_staged_path(p->repo, p->request->product, seq, path);
    kerf_err err = kerf_file_read(path, KERF_METADATA_MAX_LEN, &entry->staged_data, &len, p->why);
    if (err != KERF_OK) {
        return err;
    }
    p->history_count++;
    err = kerf_release_parse(entry->staged_data, len, &entry->release);
    if (err != KERF_OK || entry->release.seq != seq) {
        kerf_why_set(p->why, "'%s' is damaged: remove it and add the release again", path);
        return err != KERF_OK ? err : KERF_ERR_MISMATCH;
    }
    return KERF_OK;
}

static kerf_err read_history(struct planning *p)
{
    uint64_t *staged = NULL;
    size_t staged_count = 0;
    kerf_err err = kerf_catalogue_load(&p->catalogue, p->repo, p->request->product, &p->published, p->why);

    if (err == KERF_OK) {
        err = kerf_repository_staged(p->repo, p->request->product, &staged, &staged_count, p->why);
    }
    if (err != KERF_OK) {
        return err;
    }
    p->history = calloc(p->catalogue.release_count + staged_count + 1, sizeof *p->history);
    if (p->history == NULL) {
        free(staged);
        return no_memory(p->why);
    }
    for (size_t i = 0; i < p->catalogue.release_count; i++) {
        p->history[p->history_count++].release = p->catalogue.releases[i].release;
    }
    uint64_t current = p->published ? p->catalogue.fresh.seq : 0;
    for (size_t i = 0; err == KERF_OK && i < staged_count; i++) {
        if (staged[i] > current) { /* others are left over from an interrupted publish */
            err = read_staged(p, staged[i]);
        }
    }
    free(staged);
    return err;
}

/* Which seq: that of a staged release of the same version, or the next. What came later than it is not history to it. */
static kerf_err place(struct planning *p)
{
    struct kerf_span version = text_span(p->request->version);

    p->seq = 1;
    for (size_t i = 0; i < p->history_count; i++) {
        const struct earlier *entry = &p->history[i];

        p->seq = entry->release.seq + 1;
        if (!kerf_span_equal(entry->release.version, version)) {
            continue;
        }
        if (entry->staged_data == NULL) {
            kerf_why_set(p->why, "%s %s is published already and can't change: use a new version", p->request->product,
                         p->request->version);
            return KERF_ERR_ARGUMENT;
        }
        p->same = entry;
        p->seq = entry->release.seq;
        break;
    }
    return KERF_OK;
}

static bool find_component(const struct kerf_release *release, struct kerf_span name, struct kerf_component *component)
{
    size_t cursor = 0;

    while (kerf_release_next_component(release, &cursor, component) == KERF_OK) {
        if (kerf_span_equal(component->name, name)) {
            return true;
        }
    }
    return false;
}

/* --- Payloads. --- */

/* Stores a container and appends it to the release. `from` NULL: a full payload. */
static kerf_err keep_payload(struct planning *p, const struct kerf_component *from, const uint8_t *data, size_t len,
                             struct kerf_release_payload *reported)
{
    struct kerf_payload *payload = &p->payloads[p->payload_count];
    struct kerf_header header;
    kerf_err err = kerf_audit_payload(data, len, payload, &header);

    if (err != KERF_OK || payload->is_delta != (from != NULL)) {
        kerf_why_set(p->why, "internal error: the payload that was made can't be read back: please report it");
        return KERF_ERR_STATE;
    }
    if (from != NULL) {
        payload->from_digest = from->digest;
        payload->from_version = from->version;
    }
    reported->digest = payload->digest;
    reported->size = payload->size;
    reported->workspace = payload->workspace;
    /* A full payload comes first; 10 and 7 times a size are far from overflow. */
    reported->published = from == NULL ||
                          len * (uint64_t)KERF_DELTA_WORTH_DEN < p->payloads[0].size * KERF_DELTA_WORTH_NUM;
    if (!reported->published) {
        return KERF_OK;
    }
    p->payload_count++;
    return kerf_repository_put(p->repo, KERF_STORE_PAYLOAD, data, len, &payload->digest, p->why);
}

/* Makes one payload from `old_image` (length 0: full). */
static kerf_err make_payload(struct planning *p, const struct kerf_component *from, const uint8_t *old_image,
                             size_t old_len)
{
    struct kerf_release_payload *reported = &p->report->payloads[p->report->payload_count];
    struct kerf_diff_options options = {
        .ram = p->request->ram,
        .codec =
            KERF_CODEC_NATIVE, /* every device has it; LZMA2 only some, so that it can't be the only full payload */
        .progress = p->request->progress,
        .progress_ctx = p->request->progress_ctx,
    };
    uint8_t *data;
    size_t len;

    *reported = (struct kerf_release_payload){.is_delta = from != NULL};
    if (from != NULL) {
        memcpy(reported->from_version, from->version.p, from->version.len);
    }
    kerf_err err = kerf_diff_create(old_image, old_len, p->request->image, p->request->image_len, &options, &data, &len,
                                    NULL);
    if (err != KERF_OK) {
        kerf_why_set(p->why, "can't make the %s%s of %s %s: %s", from != NULL ? "delta from " : "full payload",
                     reported->from_version, p->request->product, p->request->version,
                     err == KERF_ERR_RAM ? "not enough memory here, or --ram is too small: give it more"
                                         : kerf_cli_err_text(err));
        return err;
    }
    p->report->payload_count++;
    err = keep_payload(p, from, data, len, reported);
    free(data);
    return err;
}

static kerf_err make_delta(struct planning *p, const struct kerf_component *from)
{
    uint8_t *image;
    size_t len;
    kerf_err err = kerf_repository_get(p->repo, KERF_STORE_IMAGE, &from->digest, &image, &len, p->why);

    if (err != KERF_OK) {
        return err;
    }
    err = make_payload(p, from, image, len);
    free(image);
    return err;
}

/* Deltas from the images of the last releases before this one, newest first, each image once. */
static kerf_err make_deltas(struct planning *p)
{
    struct kerf_component from[KERF_RELEASE_DELTAS_MAX];
    size_t count = 0;
    kerf_err err = KERF_OK;

    for (size_t i = p->history_count; i > 0 && count < p->request->deltas; i--) {
        const struct kerf_release *release = &p->history[i - 1].release;
        bool repeated = false;

        if (release->seq >= p->seq || !find_component(release, p->component.name, &from[count])) {
            continue;
        }
        for (size_t j = 0; j < count; j++) {
            repeated = repeated || memcmp(from[j].digest.b, from[count].digest.b, KERF_SHA256_LEN) == 0;
        }
        if (!repeated && memcmp(from[count].digest.b, p->component.digest.b, KERF_SHA256_LEN) != 0) {
            count++;
        }
    }
    for (size_t i = 0; err == KERF_OK && i < count; i++) {
        err = make_delta(p, &from[i]);
    }
    return err;
}

/* --- The document. --- */

static kerf_err fill_draft(struct planning *p, struct kerf_draft *draft)
{
    const struct kerf_release_request *request = p->request;
    uint64_t sc_before = 0;
    kerf_err err = KERF_OK;

    for (size_t i = 0; i < p->history_count && p->history[i].release.seq < p->seq; i++) {
        sc_before = p->history[i].release.sc;
    }
    if (p->same != NULL) {
        err = kerf_draft_begin(draft, &p->same->release, p->why);
    } else {
        draft->release.sc = sc_before;
    }
    draft->release.product = text_span(request->product);
    draft->release.version = text_span(request->version);
    draft->release.seq = p->seq;
    draft->release.issued = request->now;
    draft->release.expires = request->expires;
    if (request->sc_given) {
        draft->release.sc = request->sc;
    }
    if (err == KERF_OK && draft->release.sc < sc_before) {
        kerf_why_set(p->why,
                     "security counter %" PRIu64 " is below %" PRIu64 " of the release before: devices would refuse it",
                     draft->release.sc, sc_before);
        return KERF_ERR_ARGUMENT;
    }
    if (err == KERF_OK && request->hardware_count > 0) {
        err = kerf_draft_hardware(draft, request->hardware, request->hardware_count, p->why);
    }
    return err;
}

static kerf_err stage(struct planning *p, struct kerf_draft *draft)
{
    char path[KERF_PATH_MAX];
    uint8_t *data;
    size_t len;
    kerf_err err = kerf_draft_component(draft, &p->component, p->payloads, p->payload_count, p->why);

    if (err == KERF_OK) {
        err = kerf_draft_write(draft, &data, &len, p->why);
    }
    if (err != KERF_OK) {
        return err;
    }
    err = kerf_file_make_dirs(kerf_repository_product_path(p->repo, p->request->product, true, path), p->why);
    if (err == KERF_OK) {
        (void)kerf_repository_staged_path(p->repo, p->request->product, p->seq, path);
        err = kerf_file_write(path, 0, data, len, p->why);
    }
    free(data);
    return err;
}

static kerf_err plan(struct planning *p, struct kerf_draft *draft)
{
    const struct kerf_release_request *request = p->request;
    struct kerf_component before;
    kerf_err err = read_history(p);

    if (err == KERF_OK) {
        err = place(p);
    }
    if (err == KERF_OK) {
        err = fill_draft(p, draft);
    }
    if (err == KERF_OK) {
        err = kerf_repository_put(p->repo, KERF_STORE_IMAGE, request->image, request->image_len, &p->component.digest,
                                  p->why);
    }
    p->component.name = text_span(request->component);
    p->component.version = text_span(request->version);
    p->component.size = request->image_len;
    p->component.order = request->order;
    p->report->seq = p->seq;
    p->report->image_digest = p->component.digest;
    p->report->image_size = request->image_len;
    p->report->replaced = p->same != NULL && find_component(&p->same->release, p->component.name, &before) &&
                          memcmp(before.digest.b, p->component.digest.b, KERF_SHA256_LEN) != 0;
    if (err == KERF_OK) {
        err = make_payload(p, NULL, NULL, 0);
    }
    if (err == KERF_OK) {
        err = make_deltas(p);
    }
    return err == KERF_OK ? stage(p, draft) : err;
}

kerf_err kerf_release_add(const struct kerf_repository *repo, const struct kerf_release_request *request,
                          struct kerf_release_report *report, struct kerf_why *why)
{
    struct kerf_draft draft = {0};
    kerf_err err = check_request(request, why);

    *report = (struct kerf_release_report){0};
    if (err != KERF_OK) {
        return err;
    }
    struct planning *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return no_memory(why);
    }
    p->repo = repo;
    p->request = request;
    p->report = report;
    p->why = why;
    err = plan(p, &draft);
    kerf_draft_free(&draft);
    for (size_t i = 0; i < p->history_count; i++) {
        free(p->history[i].staged_data);
    }
    free(p->history);
    kerf_catalogue_free(&p->catalogue);
    free(p);
    return err;
}
