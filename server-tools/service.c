/* SPDX-License-Identifier: Apache-2.0 */
/* service.c - the paths, checks and reports. */
#define _POSIX_C_SOURCE 200809L
#include "server-tools/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/rand.h>

#include "common/host/cli.h"
#include "common/host/json_read.h"
#include "common/host/protocol.h"
#include "server-tools/service_internal.h"

#define TXN_BYTES 16

static const char *const standing_words[] = {"absent", "known", "renamed", "drift", "foreign"};

static uint64_t now_seconds(void)
{
    const time_t now = time(NULL);

    return now < 0 ? 0 : (uint64_t)now;
}

/* Logs an error of the database: the server goes on without it where it can. */
static void log_fleet_error(const struct kerf_service *service, const struct kerf_why *why)
{
    kerf_log_event(&service->log, "error", json_pack("{s:s}", "error", why->text));
}

/* --- POST /v1/check --- */

static bool fill_urls(const struct kerf_service *service, struct kerf_check_answer *answer)
{
    for (size_t i = 0; i < answer->update_count; i++) {
        for (size_t j = 0; j < answer->updates[i].option_count; j++) {
            struct kerf_option *option = &answer->updates[i].options[j];
            const size_t cap = strlen(service->url_base) + 3 + 2 * KERF_SHA256_LEN + 1;
            char hex[2 * KERF_SHA256_LEN + 1];

            option->urls[0] = malloc(cap);
            if (option->urls[0] == NULL) {
                return false;
            }
            (void)snprintf(option->urls[0], cap, "%s/p/%s", service->url_base,
                           kerf_cli_format_hex(option->digest.b, sizeof option->digest.b, hex));
            option->url_count = 1;
        }
    }
    return true;
}

/* A fresh document for this very answer, or the published one; *owned is what must be freed. */
static void fill_fresh(struct kerf_service *service, const struct kerf_snapshot_product *product, const char *nonce,
                       struct kerf_blob *blob, uint8_t **owned)
{
    struct kerf_why why;

    *owned = NULL;
    blob->data = product->catalogue.fresh_document.data;
    blob->len = product->catalogue.fresh_document.len;
    if (service->fresh_key != NULL) {
        struct kerf_fresh fresh = product->catalogue.fresh;

        fresh.issued = now_seconds();
        fresh.expires = fresh.issued + service->fresh_seconds;
        fresh.nonce.p = (const uint8_t *)nonce;
        fresh.nonce.len = strlen(nonce);
        if (kerf_sign_fresh(&fresh, service->fresh_key, owned, &blob->len, &why) == KERF_OK) {
            blob->data = *owned;
        } else {
            blob->len = product->catalogue.fresh_document.len;
            kerf_log_event(&service->log, "error", json_pack("{s:s}", "error", why.text));
        }
    }
}

/* The documents are the catalogue's; forget_metadata() takes them out again before the answer is freed. */
static void fill_metadata(const struct kerf_snapshot_product *product, uint64_t root_version,
                          struct kerf_check_answer *answer)
{
    const struct kerf_catalogue *catalogue = &product->catalogue;
    const struct kerf_document *release = &kerf_catalogue_current(catalogue)->document;

    for (size_t i = root_version < catalogue->root_count ? (size_t)root_version : catalogue->root_count;
         i < catalogue->root_count && answer->root_count < KERF_MAX_ROOTS; i++) {
        answer->roots[answer->root_count].data = catalogue->roots[i].data;
        answer->roots[answer->root_count].len = catalogue->roots[i].len;
        answer->root_count++;
    }
    answer->release.data = release->data;
    answer->release.len = release->len;
}

static void forget_metadata(struct kerf_check_answer *answer)
{
    memset(answer->roots, 0, sizeof answer->roots);
    memset(&answer->release, 0, sizeof answer->release);
    memset(&answer->fresh, 0, sizeof answer->fresh);
}

static bool make_txn(char txn[KERF_NAME_CAP])
{
    uint8_t bytes[TXN_BYTES];

    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return false;
    }
    (void)kerf_cli_format_hex(bytes, sizeof bytes, txn);
    return true;
}

/* Counts, logs and stores what was decided; nothing of it may keep the answer from the device. */
static void note_check(struct kerf_service *service, const struct kerf_http_request *http_request,
                       const struct kerf_check_request *request, const struct kerf_resolver_notes *notes,
                       const struct kerf_check_answer *answer)
{
    static const char *const status_words[] = {"none", "update", "hold"};
    json_t *standings = json_object();
    json_t *fields;
    struct kerf_why why;
    bool drift = false;

    service->counts.checks++;
    service->counts.updates += answer->status == KERF_CHECK_UPDATE;
    service->counts.holds += answer->status == KERF_CHECK_HOLD;
    fields = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "peer", kerf_http_request_peer(http_request), "device",
                       request->device.id, "model", request->device.model, "txn", answer->txn, "status",
                       status_words[answer->status], "reason", answer->reason, "release",
                       (json_int_t)answer->set_release);
    for (size_t i = 0; i < request->component_count; i++) {
        drift = drift || notes->standings[i] == KERF_STANDING_DRIFT;
        kerf_json_put_text(&standings, request->components[i].name, standing_words[notes->standings[i]]);
    }
    kerf_json_put(&fields, "components", standings);
    if (answer->update_count > 0) {
        const struct kerf_option *best = &answer->updates[0].options[0];

        kerf_json_put_text(&fields, "first", kerf_mode_name(best->kind));
        kerf_json_put_uint(&fields, "size", best->size);
    }
    kerf_log_event(&service->log, "check", fields);
    service->counts.drifts += drift;
    if (kerf_fleet_check(service->fleet, request, notes, now_seconds(), &why) != KERF_OK) {
        log_fleet_error(service, &why);
    }
}

/* The request is valid and its product known. */
static void answer_check(struct kerf_service *service, struct kerf_http_request *http_request,
                         const struct kerf_check_request *request, const struct kerf_snapshot_product *product,
                         struct kerf_check_answer *answer)
{
    struct kerf_pair_failures failures[KERF_FLEET_MAX_FAILURES];
    struct kerf_resolver_notes notes;
    struct kerf_why why;
    size_t failure_count = 0;
    uint8_t *owned = NULL;
    char *text = NULL;
    size_t len = 0;
    kerf_err err;

    if (kerf_fleet_failures(service->fleet, request->device.id, failures, &failure_count, &why) != KERF_OK) {
        failure_count = 0; /* the device falls back by itself, and says so in `last` */
        log_fleet_error(service, &why);
    }
    kerf_resolve(&product->view, request, failures, failure_count, &service->policy, answer, &notes);
    if (!make_txn(answer->txn) || !fill_urls(service, answer)) {
        kerf_service_refuse(service, http_request, 503, "no memory for the answer");
        return;
    }
    fill_metadata(product, request->root_version, answer);
    fill_fresh(service, product, request->nonce, &answer->fresh, &owned);
    err = kerf_check_answer_write(answer, &text, &len);
    forget_metadata(answer);
    free(owned);
    if (err == KERF_OK) {
        note_check(service, http_request, request, &notes, answer);
    }
    kerf_service_answer(service, http_request, err, text, len);
}

static void handle_check(struct kerf_service *service, struct kerf_http_request *http_request)
{
    const struct kerf_snapshot_product *product;
    struct kerf_check_request request;
    struct kerf_check_answer answer;
    struct kerf_why why;
    size_t len;
    const char *body = kerf_http_request_body(http_request, &len);
    kerf_err err;

    if (len > KERF_CHECK_REQUEST_MAX) {
        kerf_service_refuse(service, http_request, 413, "a check has at most 32768 bytes");
        return;
    }
    if (kerf_http_is_busy(service->http)) {
        kerf_service_refuse(service, http_request, 503, "too many connections now");
        return;
    }
    err = kerf_check_request_read(body, len, &request, &why);
    if (err != KERF_OK) {
        kerf_service_refuse(service, http_request, err == KERF_ERR_RAM ? 503 : 400, why.text);
        return;
    }
    product = kerf_snapshot_find(service->snapshot, request.device.model);
    if (product == NULL) {
        kerf_service_refuse(service, http_request, 404, "device.model: no such product here");
        return;
    }
    memset(&answer, 0, sizeof answer);
    answer_check(service, http_request, &request, product, &answer);
    kerf_check_answer_free(&answer);
}

/* --- POST /v1/report --- */

static void log_report(const struct kerf_service *service, const struct kerf_http_request *http_request,
                       const char *device, const struct kerf_report *report)
{
    kerf_log_event(&service->log, "report",
                   json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s}", "peer", kerf_http_request_peer(http_request),
                             "device", device, "txn", report->txn, "seq", (json_int_t)report->seq, "component",
                             report->component, "phase", kerf_report_phase_name(report->phase), "code",
                             kerf_report_code_name(report->code), "mode", kerf_mode_name(report->mode)));
}

static void handle_report(struct kerf_service *service, struct kerf_http_request *http_request)
{
    struct kerf_report_batch batch;
    struct kerf_report_answer answer;
    struct kerf_why why;
    size_t len;
    const char *body = kerf_http_request_body(http_request, &len);
    char *text = NULL;
    kerf_err err;

    if (len > KERF_REPORT_MAX) {
        kerf_service_refuse(service, http_request, 413, "a report has at most 65536 bytes");
        return;
    }
    err = kerf_report_batch_read(body, len, &batch, &why);
    if (err != KERF_OK) {
        kerf_service_refuse(service, http_request, err == KERF_ERR_RAM ? 503 : 400, why.text);
        return;
    }
    err = kerf_fleet_report(service->fleet, &batch, now_seconds(), &answer, &why);
    if (err != KERF_OK) {
        log_fleet_error(service, &why);
        kerf_service_refuse(service, http_request, 503, "reports can't be stored now");
        return;
    }
    service->counts.reports += answer.stored;
    for (size_t i = 0; i < batch.count; i++) {
        log_report(service, http_request, batch.device_id, &batch.reports[i]);
    }
    err = kerf_report_answer_write(&answer, &text, &len);
    kerf_service_answer(service, http_request, err, text, len);
}

/* --- GET /healthz --- */

static void handle_health(struct kerf_service *service, struct kerf_http_request *http_request)
{
    json_t *products = json_object();
    json_t *top = json_object();
    char *text = NULL;
    size_t len = 0;
    kerf_err err;

    for (size_t i = 0; i < service->snapshot->product_count; i++) {
        const struct kerf_catalogue *catalogue = &service->snapshot->products[i].catalogue;
        json_t *product = json_object();

        kerf_json_put_uint(&product, "release", catalogue->fresh.seq);
        kerf_json_put_uint(&product, "fresh_expires", catalogue->fresh.expires);
        kerf_json_put(&products, catalogue->product, product);
    }
    kerf_json_put_text(&top, "status", "ok");
    kerf_json_put_text(&top, "version", KERF_VERSION);
    kerf_json_put(&top, "products", products);
    kerf_json_put_uint(&top, "connections", kerf_http_connections(service->http));
    kerf_json_put_uint(&top, "checks", service->counts.checks);
    kerf_json_put_uint(&top, "updates", service->counts.updates);
    kerf_json_put_uint(&top, "holds", service->counts.holds);
    kerf_json_put_uint(&top, "drifts", service->counts.drifts);
    kerf_json_put_uint(&top, "reports", service->counts.reports);
    kerf_json_put_uint(&top, "refused", service->counts.refused);
    err = kerf_json_dump(top, &text, &len);
    kerf_service_answer(service, http_request, err, text, len);
}

/* --- Paths --- */

/* True when the method is allowed; else 405 was answered. */
static bool allow(struct kerf_service *service, struct kerf_http_request *request, bool post)
{
    const enum kerf_http_method method = kerf_http_request_method(request);

    if (post ? method == KERF_HTTP_POST : method == KERF_HTTP_GET || method == KERF_HTTP_HEAD) {
        return true;
    }
    kerf_http_answer_header(request, "Allow", post ? "POST" : "GET, HEAD");
    kerf_service_refuse(service, request, 405, "method not allowed here");
    return false;
}

/* A POST with a body as it is. */
static bool allow_post(struct kerf_service *service, struct kerf_http_request *request)
{
    const char *encoding = kerf_http_request_header(request, "Content-Encoding");

    if (!allow(service, request, true)) {
        return false;
    }
    if (encoding != NULL && strcmp(encoding, "identity") != 0) {
        kerf_service_refuse(service, request, 415, "send the body without Content-Encoding");
        return false;
    }
    return true;
}

void kerf_service_handle(void *ctx, struct kerf_http_request *request)
{
    struct kerf_service *service = ctx;
    const char *path = kerf_http_request_path(request);

    if (strcmp(path, "/v1/check") == 0) {
        if (allow_post(service, request)) {
            handle_check(service, request);
        }
    } else if (strcmp(path, "/v1/report") == 0) {
        if (allow_post(service, request)) {
            handle_report(service, request);
        }
    } else if (strncmp(path, "/p/", 3) == 0) {
        if (allow(service, request, false)) {
            kerf_service_payload(service, request, path + 3);
        }
    } else if (strncmp(path, "/metadata/", 10) == 0) {
        if (allow(service, request, false)) {
            kerf_service_metadata(service, request, path + 10);
        }
    } else if (strcmp(path, "/healthz") == 0) {
        if (allow(service, request, false)) {
            handle_health(service, request);
        }
    } else {
        kerf_service_refuse(service, request, 404, "there is nothing at this path");
    }
}

/* --- Reload --- */

/* A key that no device would accept is better noticed here than by the fleet. */
static kerf_err check_fresh_key(const struct kerf_service *service, const struct kerf_snapshot *snapshot,
                                struct kerf_why *why)
{
    for (size_t i = 0; service->fresh_key != NULL && i < snapshot->product_count; i++) {
        const struct kerf_root *root = &snapshot->products[i].catalogue.root;
        bool found = false;

        for (uint32_t j = 0; j < root->key_count; j++) {
            found = found || ((root->roles[KERF_DOC_FRESH].key_mask & 1u << j) != 0 &&
                              memcmp(root->keys[j].id.b, service->fresh_key->id.b, KERF_KEY_ID_LEN) == 0);
        }
        if (!found) {
            kerf_why_set(why, "the fresh key is not one of product '%s': name the key that its root lists",
                         snapshot->products[i].catalogue.product);
            return KERF_ERR_SIGNATURE;
        }
    }
    return KERF_OK;
}

kerf_err kerf_service_reload(struct kerf_service *service, struct kerf_why *why)
{
    struct kerf_snapshot *snapshot = NULL;
    kerf_err err;

    kerf_snapshot_stamp_take(&service->stamp, &service->repo);
    err = kerf_snapshot_load(&snapshot, &service->repo, why);
    if (err == KERF_OK) {
        err = check_fresh_key(service, snapshot, why);
    }
    if (err != KERF_OK) {
        kerf_snapshot_free(snapshot);
        if (service->snapshot != NULL) {
            kerf_log_event(&service->log, "error", json_pack("{s:s}", "error", why->text));
        }
        return err;
    }
    kerf_snapshot_free(service->snapshot);
    service->snapshot = snapshot;
    for (size_t i = 0; i < snapshot->product_count; i++) {
        const struct kerf_catalogue *catalogue = &snapshot->products[i].catalogue;

        kerf_log_event(&service->log, "loaded",
                       json_pack("{s:s, s:I, s:I, s:b}", "product", catalogue->product, "release",
                                 (json_int_t)catalogue->fresh.seq, "fresh_expires",
                                 (json_int_t)catalogue->fresh.expires, "fresh_expired",
                                 catalogue->fresh.expires <= now_seconds()));
    }
    return KERF_OK;
}
