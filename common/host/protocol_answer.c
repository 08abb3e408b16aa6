/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
/* protocol_answer.c - the answer to a check. */
#include <stdlib.h>
#include <string.h>

#include "common/host/json_read.h"
#include "common/host/protocol.h"
#include "common/host/protocol_words.h"

#define STATUS_WORDS 4
#define ANSWER_COUNT_MAX 1000u       /* tries */
#define ANSWER_SECONDS_MAX 31622400u /* a year: no wait is longer */

/* Index: enum kerf_check_status + 1, as word 0 means "not given" to kerf_json_word(). */
static const char *const status_words[STATUS_WORDS] = {"", "none", "update", "hold"};

/* --- Reading --- */

static void option_read(struct kerf_json *json, const struct kerf_json_at *at, struct kerf_option *option)
{
    unsigned word = 0;
    size_t count;
    const json_t *urls;

    if (kerf_json_word(json, at, "kind", true, kerf_mode_words, KERF_MODE_WORDS, &word)) {
        option->kind = (enum kerf_mode)word;
    }
    kerf_json_text(json, at, "format", true, option->format, sizeof option->format);
    kerf_json_uint(json, at, "size", true, 1, KERF_NUMBER_MAX, &option->size);
    kerf_json_uint(json, at, "ram", false, 0, KERF_NUMBER_MAX, &option->ram);
    kerf_json_digest(json, at, "sha256", true, &option->digest);
    urls = kerf_json_array(json, at, "urls", true, 1, KERF_MAX_URLS, &count);
    for (size_t i = 0; i < count; i++) {
        char url[KERF_URL_CAP] = "";

        kerf_json_text_element(json, at, "urls", urls, i, url, sizeof url);
        option->urls[i] = strdup(url);
        if (option->urls[i] == NULL && json->err == KERF_OK) {
            kerf_why_set(json->why, "no memory for the message");
            json->err = KERF_ERR_RAM;
            return;
        }
        option->url_count = i + 1;
    }
}

static void update_read(struct kerf_json *json, const struct kerf_json_at *at, struct kerf_update *update)
{
    struct kerf_json_at inner;
    size_t count;
    json_t *array;

    kerf_json_text(json, at, "component", true, update->component, sizeof update->component);
    kerf_json_object(json, at, "from", false, &inner);
    kerf_json_text(json, &inner, "ver", false, update->from_ver, sizeof update->from_ver);
    update->from_known = kerf_json_digest(json, &inner, "sha256", false, &update->from);
    kerf_json_object(json, at, "to", true, &inner);
    kerf_json_text(json, &inner, "ver", true, update->to_ver, sizeof update->to_ver);
    kerf_json_digest(json, &inner, "sha256", true, &update->to);
    kerf_json_uint(json, &inner, "size", true, 0, KERF_NUMBER_MAX, &update->to_size);
    array = kerf_json_array(json, at, "options", true, 1, KERF_MAX_OPTIONS, &count);
    for (size_t i = 0; i < count; i++) {
        kerf_json_element(json, at, "options", array, i, &inner);
        option_read(json, &inner, &update->options[i]);
    }
    update->option_count = count;
    kerf_json_object(json, at, "tries", false, &inner);
    update->tries_delta = 2;
    update->tries_full = 5;
    update->backoff_base = 60;
    update->backoff_max = 21600;
    kerf_json_uint32(json, &inner, "delta", false, &update->tries_delta);
    kerf_json_uint32(json, &inner, "full", false, &update->tries_full);
    if (update->tries_delta > ANSWER_COUNT_MAX || update->tries_full > ANSWER_COUNT_MAX) {
        kerf_json_fail(json, at, "tries", "at most 1000 expected");
    }
    kerf_json_object(json, at, "backoff", false, &inner);
    kerf_json_uint32(json, &inner, "base", false, &update->backoff_base);
    kerf_json_uint32(json, &inner, "max", false, &update->backoff_max);
    if (update->backoff_base > ANSWER_SECONDS_MAX || update->backoff_max > ANSWER_SECONDS_MAX) {
        kerf_json_fail(json, at, "backoff", "at most a year expected");
    }
    kerf_json_bool(json, at, "full_on_metered", false, &update->full_on_metered);
}

static void set_read(struct kerf_json *json, const struct kerf_json_at *top, struct kerf_check_answer *answer)
{
    struct kerf_json_at at;
    const json_t *array;
    size_t count;

    answer->set_known = kerf_json_object(json, top, "set", false, &at);
    kerf_json_uint(json, &at, "release", answer->set_known, 1, KERF_NUMBER_MAX, &answer->set_release);
    kerf_json_text(json, &at, "name", false, answer->set_name, sizeof answer->set_name);
    kerf_json_bool(json, &at, "atomic", false, &answer->set_atomic);
    array = kerf_json_array(json, &at, "order", false, 0, KERF_MAX_COMPONENTS, &count);
    for (size_t i = 0; i < count; i++) {
        kerf_json_text_element(json, &at, "order", array, i, answer->order[i], KERF_NAME_CAP);
    }
    answer->order_count = count;
}

static void metadata_read(struct kerf_json *json, const struct kerf_json_at *top, struct kerf_check_answer *answer)
{
    struct kerf_json_at at;
    const json_t *array;
    size_t count;

    kerf_json_object(json, top, "metadata", false, &at);
    array = kerf_json_array(json, &at, "root", false, 0, KERF_MAX_ROOTS, &count);
    for (size_t i = 0; i < count; i++) {
        kerf_json_base64_element(json, &at, "root", array, i, KERF_DOCUMENT_MAX, &answer->roots[i].data,
                                 &answer->roots[i].len);
    }
    answer->root_count = count;
    kerf_json_base64(json, &at, "release", KERF_DOCUMENT_MAX, &answer->release.data, &answer->release.len);
    kerf_json_base64(json, &at, "fresh", KERF_DOCUMENT_MAX, &answer->fresh.data, &answer->fresh.len);
}

kerf_err kerf_check_answer_read(const char *text, size_t len, struct kerf_check_answer *answer, struct kerf_why *why)
{
    struct kerf_json json;
    struct kerf_json_at top;
    struct kerf_json_at at;
    unsigned word = 1;
    size_t count;
    json_t *array;
    kerf_err err;

    memset(answer, 0, sizeof *answer);
    kerf_json_begin(&json, text, len, KERF_CHECK_ANSWER_MAX, KERF_PROTOCOL_DEPTH, why, &top);
    kerf_protocol_version_read(&json, &top);
    kerf_json_text(&json, &top, "txn", true, answer->txn, sizeof answer->txn);
    if (kerf_json_word(&json, &top, "status", true, status_words, STATUS_WORDS, &word)) {
        answer->status = (enum kerf_check_status)(word - 1);
    }
    kerf_json_text(&json, &top, "reason", false, answer->reason, sizeof answer->reason);
    kerf_json_object(&json, &top, "poll", true, &at);
    kerf_json_uint32(&json, &at, "after", true, &answer->poll_after);
    if (answer->poll_after > ANSWER_SECONDS_MAX) {
        kerf_json_fail(&json, &at, "after", "at most a year expected");
    }
    kerf_json_fraction(&json, &at, "spread", &answer->poll_spread);
    set_read(&json, &top, answer);
    array = kerf_json_array(&json, &top, "updates", answer->status == KERF_CHECK_UPDATE,
                            answer->status == KERF_CHECK_UPDATE ? 1 : 0, KERF_MAX_COMPONENTS, &count);
    for (size_t i = 0; i < count; i++) {
        kerf_json_element(&json, &top, "updates", array, i, &at);
        update_read(&json, &at, &answer->updates[i]);
    }
    answer->update_count = count;
    kerf_json_object(&json, &top, "when", false, &at);
    kerf_json_uint(&json, &at, "not_before", false, 0, KERF_NUMBER_MAX, &answer->not_before);
    metadata_read(&json, &top, answer);
    err = kerf_json_end(&json);
    if (err != KERF_OK) {
        kerf_check_answer_free(answer);
    }
    return err;
}

void kerf_check_answer_free(struct kerf_check_answer *answer)
{
    /* Every slot, not only those counted: a reader that failed may have filled more. */
    for (size_t i = 0; i < KERF_MAX_COMPONENTS; i++) {
        for (size_t j = 0; j < KERF_MAX_OPTIONS; j++) {
            for (size_t k = 0; k < KERF_MAX_URLS; k++) {
                free(answer->updates[i].options[j].urls[k]);
            }
        }
    }
    for (size_t i = 0; i < KERF_MAX_ROOTS; i++) {
        free(answer->roots[i].data);
    }
    free(answer->release.data);
    free(answer->fresh.data);
    memset(answer, 0, sizeof *answer);
}

/* --- Writing --- */

static json_t *option_write(const struct kerf_option *option)
{
    json_t *object = json_object();
    json_t *urls = json_array();

    kerf_json_put_text(&object, "kind", kerf_mode_name(option->kind));
    kerf_json_put_text(&object, "format", option->format);
    kerf_json_put_uint(&object, "size", option->size);
    kerf_json_put_digest(&object, "sha256", &option->digest);
    kerf_json_put_uint(&object, "ram", option->ram);
    for (size_t i = 0; i < option->url_count; i++) {
        kerf_json_append(&urls, json_string(option->urls[i]));
    }
    kerf_json_put(&object, "urls", urls);
    return object;
}

/* An object of two numbers. */
static json_t *pair_write(const char *key_a, uint64_t a, const char *key_b, uint64_t b)
{
    json_t *object = json_object();

    kerf_json_put_uint(&object, key_a, a);
    kerf_json_put_uint(&object, key_b, b);
    return object;
}

static json_t *update_write(const struct kerf_update *update)
{
    json_t *object = json_object();
    json_t *inner = json_object();
    json_t *options = json_array();

    kerf_json_put_text(&object, "component", update->component);
    kerf_json_put_text(&inner, "ver", update->from_ver);
    if (update->from_known) {
        kerf_json_put_digest(&inner, "sha256", &update->from);
    }
    kerf_json_put(&object, "from", inner);
    inner = json_object();
    kerf_json_put_text(&inner, "ver", update->to_ver);
    kerf_json_put_digest(&inner, "sha256", &update->to);
    kerf_json_put_uint(&inner, "size", update->to_size);
    kerf_json_put(&object, "to", inner);
    for (size_t i = 0; i < update->option_count; i++) {
        kerf_json_append(&options, option_write(&update->options[i]));
    }
    kerf_json_put(&object, "options", options);
    kerf_json_put(&object, "tries", pair_write("delta", update->tries_delta, "full", update->tries_full));
    kerf_json_put(&object, "backoff", pair_write("base", update->backoff_base, "max", update->backoff_max));
    kerf_json_put(&object, "full_on_metered", json_boolean(update->full_on_metered));
    return object;
}

static json_t *metadata_write(const struct kerf_check_answer *answer)
{
    json_t *object = json_object();
    json_t *roots = json_array();

    for (size_t i = 0; i < answer->root_count; i++) {
        kerf_json_append(&roots, kerf_json_of_base64(answer->roots[i].data, answer->roots[i].len));
    }
    kerf_json_put(&object, "root", roots);
    if (answer->release.data != NULL) {
        kerf_json_put(&object, "release", kerf_json_of_base64(answer->release.data, answer->release.len));
    }
    if (answer->fresh.data != NULL) {
        kerf_json_put(&object, "fresh", kerf_json_of_base64(answer->fresh.data, answer->fresh.len));
    }
    return object;
}

/* True when all counts are within the arrays that they count. */
static bool counts_fit(const struct kerf_check_answer *answer)
{
    if (answer->order_count > KERF_MAX_COMPONENTS || answer->update_count > KERF_MAX_COMPONENTS ||
        answer->root_count > KERF_MAX_ROOTS) {
        return false;
    }
    for (size_t i = 0; i < answer->update_count; i++) {
        if (answer->updates[i].option_count > KERF_MAX_OPTIONS) {
            return false;
        }
        for (size_t j = 0; j < answer->updates[i].option_count; j++) {
            if (answer->updates[i].options[j].url_count > KERF_MAX_URLS) {
                return false;
            }
        }
    }
    return true;
}

kerf_err kerf_check_answer_write(const struct kerf_check_answer *answer, char **text, size_t *len)
{
    json_t *top;
    json_t *inner;

    if (!counts_fit(answer)) {
        return KERF_ERR_ARGUMENT;
    }
    top = kerf_protocol_begin();
    kerf_json_put_text(&top, "txn", answer->txn);
    kerf_json_put_text(&top, "status", status_words[answer->status + 1]);
    kerf_json_put_text(&top, "reason", answer->reason);
    inner = json_object();
    kerf_json_put_uint(&inner, "after", answer->poll_after);
    kerf_json_put(&inner, "spread", json_real(answer->poll_spread));
    kerf_json_put(&top, "poll", inner);
    if (answer->set_known) {
        inner = json_object();
        kerf_json_put_uint(&inner, "release", answer->set_release);
        kerf_json_put_text(&inner, "name", answer->set_name);
        kerf_json_put(&inner, "order", kerf_protocol_texts(answer->order[0], answer->order_count, KERF_NAME_CAP));
        kerf_json_put(&inner, "atomic", json_boolean(answer->set_atomic));
        kerf_json_put(&top, "set", inner);
    }
    inner = json_array();
    for (size_t i = 0; i < answer->update_count; i++) {
        kerf_json_append(&inner, update_write(&answer->updates[i]));
    }
    kerf_json_put(&top, "updates", inner);
    inner = json_object();
    kerf_json_put_uint(&inner, "not_before", answer->not_before);
    kerf_json_put(&top, "when", inner);
    kerf_json_put(&top, "metadata", metadata_write(answer));
    return kerf_json_dump(top, text, len);
}
