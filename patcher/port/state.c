/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "patcher/port/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "common/host/hash.h"
#include "common/host/json_read.h"

#define STATE_VERSION 1
#define STATE_DEPTH 8
#define SUM_LEN 8 /* bytes: against accidents, not against attackers, who could write the whole file */

static const char *const mode_words[] = {"", "delta", "full"};

/* --- Writing --- */

static json_t *slot_json(const struct kerf_slot_image *slot)
{
    json_t *object = json_object();
    kerf_json_put(&object, "valid", json_boolean(slot->valid));
    if (slot->valid) {
        kerf_json_put_text(&object, "version", slot->version);
        kerf_json_put_uint(&object, "size", slot->size);
        kerf_json_put_digest(&object, "sha256", &slot->digest);
        kerf_json_put_uint(&object, "release", slot->release);
        kerf_json_put_uint(&object, "sc", slot->sc);
    }
    return object;
}

static json_t *last_json(const struct kerf_last_attempt *last)
{
    json_t *object = json_object();
    kerf_json_put_text(&object, "txn", last->txn);
    kerf_json_put_text(&object, "component", last->component);
    kerf_json_put_text(&object, "mode", kerf_mode_name(last->mode));
    kerf_json_put_uint(&object, "phase", (uint64_t)last->phase);
    kerf_json_put_uint(&object, "code", (uint64_t)last->code);
    kerf_json_put_uint(&object, "tries", last->tries);
    if (last->target_known) {
        kerf_json_put_digest(&object, "target", &last->target);
    }
    return object;
}

static json_t *state_json(const struct kerf_device_state *state)
{
    json_t *slots = json_array();
    for (unsigned i = 0; i < KERF_SLOTS; i++) {
        kerf_json_append(&slots, slot_json(&state->slots[i]));
    }
    json_t *object = json_object();
    kerf_json_put_uint(&object, "v", STATE_VERSION);
    kerf_json_put_uint(&object, "active", state->active);
    kerf_json_put(&object, "confirmed", json_boolean(state->confirmed));
    kerf_json_put(&object, "slots", slots);
    kerf_json_put_uint(&object, "release", state->release_seq);
    kerf_json_put_uint(&object, "sc", state->sc);
    kerf_json_put_uint(&object, "boots", state->boots);
    kerf_json_put_text(&object, "txn", state->txn);
    kerf_json_put_uint(&object, "report_seq", state->report_seq);
    if (state->last.txn[0] != '\0') {
        kerf_json_put(&object, "last", last_json(&state->last));
    }
    return object;
}

/* The sum of a state, as hexadecimal digits: over its compact text, whose order of keys is the one in the file. */
static kerf_err state_sum(json_t *object, char sum[2 * SUM_LEN + 1])
{
    struct kerf_sha256_digest digest;
    char *text = json_dumps(object, JSON_COMPACT);
    if (text == NULL) {
        return KERF_ERR_RAM;
    }
    const kerf_err err = kerf_hash_bytes((const uint8_t *)text, strlen(text), &digest);
    free(text);
    if (err != KERF_OK) {
        return err;
    }
    (void)kerf_cli_format_hex(digest.b, SUM_LEN, sum);
    return KERF_OK;
}

kerf_err kerf_state_format(const struct kerf_device_state *state, char **text, size_t *len)
{
    char sum[2 * SUM_LEN + 1];
    json_t *inner = state_json(state);
    kerf_err err = inner != NULL ? state_sum(inner, sum) : KERF_ERR_ARGUMENT;
    if (err != KERF_OK) {
        json_decref(inner);
        return err;
    }
    json_t *outer = json_object();
    kerf_json_put_text(&outer, "sum", sum);
    kerf_json_put(&outer, "state", inner);
    return kerf_json_dump(outer, text, len);
}

/* --- Reading --- */

static void slot_read(struct kerf_json *json, const struct kerf_json_at *at, struct kerf_slot_image *slot)
{
    (void)kerf_json_bool(json, at, "valid", true, &slot->valid);
    if (!slot->valid) {
        return;
    }
    (void)kerf_json_text(json, at, "version", false, slot->version, sizeof slot->version);
    (void)kerf_json_uint(json, at, "size", true, 0, KERF_NUMBER_MAX, &slot->size);
    (void)kerf_json_digest(json, at, "sha256", true, &slot->digest);
    (void)kerf_json_uint(json, at, "release", true, 0, KERF_NUMBER_MAX, &slot->release);
    (void)kerf_json_uint(json, at, "sc", true, 0, KERF_NUMBER_MAX, &slot->sc);
}

static void last_read(struct kerf_json *json, const struct kerf_json_at *top, struct kerf_last_attempt *last)
{
    struct kerf_json_at at;
    if (!kerf_json_object(json, top, "last", false, &at)) {
        return;
    }
    unsigned mode = 0;
    uint64_t phase = 0;
    uint64_t code = 0;
    (void)kerf_json_text(json, &at, "txn", true, last->txn, sizeof last->txn);
    (void)kerf_json_text(json, &at, "component", false, last->component, sizeof last->component);
    (void)kerf_json_word(json, &at, "mode", false, mode_words, sizeof mode_words / sizeof mode_words[0], &mode);
    (void)kerf_json_uint(json, &at, "phase", true, KERF_REPORT_NONE, KERF_REPORT_ROLLED_BACK, &phase);
    (void)kerf_json_uint(json, &at, "code", true, KERF_CODE_NONE, KERF_CODE_BOOT_FAIL, &code);
    (void)kerf_json_uint32(json, &at, "tries", true, &last->tries);
    last->target_known = kerf_json_digest(json, &at, "target", false, &last->target);
    last->mode = (enum kerf_mode)mode;
    last->phase = (enum kerf_report_phase)phase;
    last->code = (enum kerf_report_code)code;
}

static void state_read(struct kerf_json *json, const struct kerf_json_at *at, struct kerf_device_state *state)
{
    uint64_t active = 0;
    size_t count = 0;
    (void)kerf_json_uint(json, at, "active", true, 0, KERF_SLOTS - 1, &active);
    state->active = (unsigned)active;
    (void)kerf_json_bool(json, at, "confirmed", true, &state->confirmed);
    json_t *slots = kerf_json_array(json, at, "slots", true, KERF_SLOTS, KERF_SLOTS, &count);
    for (size_t i = 0; i < count; i++) {
        struct kerf_json_at slot;
        kerf_json_element(json, at, "slots", slots, i, &slot);
        slot_read(json, &slot, &state->slots[i]);
    }
    (void)kerf_json_uint(json, at, "release", true, 0, KERF_NUMBER_MAX, &state->release_seq);
    (void)kerf_json_uint(json, at, "sc", true, 0, KERF_NUMBER_MAX, &state->sc);
    (void)kerf_json_uint32(json, at, "boots", true, &state->boots);
    (void)kerf_json_text(json, at, "txn", false, state->txn, sizeof state->txn);
    (void)kerf_json_uint32(json, at, "report_seq", true, &state->report_seq);
    last_read(json, at, &state->last);
    if (json->err == KERF_OK && !state->slots[state->active].valid) {
        kerf_json_fail(json, at, "active", "names a slot without an image");
    }
}

kerf_err kerf_state_parse(const char *text, size_t len, struct kerf_device_state *state, struct kerf_why *why)
{
    struct kerf_json json;
    struct kerf_json_at top;
    struct kerf_json_at inner;
    char want[2 * SUM_LEN + 1] = "";
    char sum[2 * SUM_LEN + 1] = "";
    uint64_t version = 0;

    memset(state, 0, sizeof *state);
    kerf_json_begin(&json, text, len, KERF_STATE_MAX, STATE_DEPTH, why, &top);
    (void)kerf_json_text(&json, &top, "sum", true, want, sizeof want);
    if (kerf_json_object(&json, &top, "state", true, &inner)) {
        const kerf_err err = state_sum(inner.object, sum);
        if (err != KERF_OK && json.err == KERF_OK) {
            json.err = err;
        } else if (strcmp(sum, want) != 0) {
            kerf_json_fail(&json, &top, "sum", "does not fit: the file was damaged or edited");
        }
        (void)kerf_json_uint(&json, &inner, "v", true, 0, UINT32_MAX, &version);
        if (json.err == KERF_OK && version != STATE_VERSION) {
            kerf_why_set(why, "a state of version %llu: a newer kerf-agent wrote it", (unsigned long long)version);
            json.err = KERF_ERR_VERSION;
        }
        state_read(&json, &inner, state);
    }
    const kerf_err err = kerf_json_end(&json);
    if (err != KERF_OK) {
        memset(state, 0, sizeof *state);
    }
    return err;
}

/* --- The file --- */

kerf_err kerf_state_load(const char *path, struct kerf_device_state *state, bool *found, struct kerf_why *why)
{
    struct kerf_why inner = {""};
    uint8_t *data = NULL;
    size_t len = 0;

    memset(state, 0, sizeof *state);
    *found = access(path, F_OK) == 0 || errno != ENOENT;
    if (!*found) {
        return KERF_OK;
    }
    kerf_err err = kerf_file_read(path, KERF_STATE_MAX, &data, &len, why);
    if (err == KERF_ERR_SPACE) {
        kerf_why_set(
            why, "'%s' is not a device state (too long): restore it, or remove it to start as from the factory", path);
        return KERF_ERR_FORMAT;
    }
    if (err != KERF_OK) {
        return err;
    }
    err = kerf_state_parse((const char *)data, len, state, &inner);
    free(data);
    if (err != KERF_OK) {
        kerf_why_set(why,
                     "'%s' is not a usable device state (%s): restore it, or remove it to start as from the factory",
                     path, inner.text);
    }
    return err;
}

kerf_err kerf_state_save(const char *path, const struct kerf_device_state *state, struct kerf_why *why)
{
    char *text = NULL;
    size_t len = 0;
    kerf_err err = kerf_state_format(state, &text, &len);
    if (err != KERF_OK) {
        kerf_why_set(why, "can't write the device state '%s': %s", path, kerf_cli_err_text(err));
        return err;
    }
    err = kerf_file_write(path, 0600, (const uint8_t *)text, len, why);
    free(text);
    return err;
}
