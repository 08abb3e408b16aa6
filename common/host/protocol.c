/* SPDX-License-Identifier: Apache-2.0 */
/* protocol.c - the words of the protocol, the check request, and the answer of an error. */
#include "common/host/protocol.h"

#include <stdio.h>
#include <string.h>

#include "common/host/json_read.h"
#include "common/host/protocol_words.h"
#include "common/isa/isa.h"

const char *const kerf_mode_words[KERF_MODE_WORDS] = {"", "delta", "full"};

const char *const kerf_phase_words[KERF_PHASE_WORDS] = {
    "", "accepted", "download", "apply", "verify", "reboot", "confirmed", "failed", "rolled_back",
};

const char *const kerf_code_words[KERF_CODE_WORDS] = {
    "",         "NET",      "TLS",    "SIG",   "EXPIRED", "ROLLBACK", "SRC_MISMATCH", "DELTA_BAD", "CHUNK_HASH",
    "DST_HASH", "NO_SPACE", "NO_RAM", "FLASH", "BATTERY", "TIMEOUT",  "CANCELLED",    "BOOT_FAIL",
};

const char *kerf_mode_name(enum kerf_mode mode)
{
    return kerf_mode_words[mode];
}

const char *kerf_report_phase_name(enum kerf_report_phase phase)
{
    return kerf_phase_words[phase];
}

const char *kerf_report_code_name(enum kerf_report_code code)
{
    return kerf_code_words[code];
}

enum kerf_report_code kerf_report_code_of(kerf_err err)
{
    switch (err) {
    case KERF_OK:
    case KERF_MORE_INPUT:
    case KERF_MORE_WORK:
    case KERF_END:
    case KERF_SECTOR:
    case KERF_NONE:
        return KERF_CODE_NONE;
    case KERF_ERR_CHUNK:
        return KERF_CODE_CHUNK_HASH;
    case KERF_ERR_TARGET:
        return KERF_CODE_DST_HASH;
    case KERF_ERR_SOURCE:
        return KERF_CODE_SRC_MISMATCH;
    case KERF_ERR_FLASH:
        return KERF_CODE_FLASH;
    case KERF_ERR_SPACE:
        return KERF_CODE_NO_SPACE;
    case KERF_ERR_RAM:
        return KERF_CODE_NO_RAM;
    case KERF_ERR_SIGNATURE:
    case KERF_ERR_MISMATCH:
        return KERF_CODE_SIG;
    case KERF_ERR_ROLLBACK:
        return KERF_CODE_ROLLBACK;
    case KERF_ERR_EXPIRED:
        return KERF_CODE_EXPIRED;
    case KERF_ERR_STATE:
    case KERF_ERR_ARGUMENT:
        return KERF_CODE_CANCELLED; /* our own fault, not the payload's: it must not count against the pair */
    case KERF_ERR_FORMAT:
    case KERF_ERR_VERSION:
    case KERF_ERR_CORRUPT:
    case KERF_ERR_TRUNCATED:
    case KERF_ERR_TRAILING:
    case KERF_ERR_UNSUPPORTED:
        return KERF_CODE_DELTA_BAD;
    }
    return KERF_CODE_DELTA_BAD;
}

/* By enum kerf_isa_id. */
static const char *const isa_words[KERF_ISA_COUNT] = {
    [KERF_ISA_NONE] = NULL, /* data alone: every patcher */
    [KERF_ISA_THUMB] = "thumb",
    [KERF_ISA_A32] = "a32",
    [KERF_ISA_AARCH64] = "aarch64",
    [KERF_ISA_XTENSA_CALL0] = "xtensa-call0",
    [KERF_ISA_XTENSA_WINDOWED] = "xtensa-windowed",
    [KERF_ISA_RISCV32] = "riscv32",
    [KERF_ISA_RISCV64] = "riscv64",
    [KERF_ISA_X86] = "x86",
    [KERF_ISA_X86_64] = "x86-64",
    [KERF_ISA_AVR] = "avr",
    [KERF_ISA_MIPS32_LE] = "mips32-le",
    [KERF_ISA_MIPS32_BE] = "mips32-be",
    [KERF_ISA_BTF] = "btf",
    [KERF_ISA_WORDS] = "words",
    [KERF_ISA_ARC] = "arc",
    [KERF_ISA_VIDEOCORE] = "videocore4",
    [KERF_ISA_POWERPC_BE] = "powerpc-be",
    [KERF_ISA_POWERPC_LE] = "powerpc-le",
    [KERF_ISA_NDS32] = "nds32",
    [KERF_ISA_MIPS16] = "mips16",
    [KERF_ISA_TC32] = "tc32",
    [KERF_ISA_MCS51] = "mcs51",
    [KERF_ISA_BA2] = "ba2",
    [KERF_ISA_HEXAGON] = "hexagon",
    [KERF_ISA_OFFSETS] = "offsets",
    [KERF_ISA_ELF] = "elf",
};

void kerf_features_set(struct kerf_client_info *client, uint32_t mask)
{
    client->feature_count = 0;
    for (unsigned isa = KERF_ISA_NONE + 1; isa < KERF_ISA_COUNT; isa++) {
        if ((mask & 1u << isa) != 0) {
            (void)snprintf(client->features[client->feature_count++], KERF_TAG_CAP, "%s", isa_words[isa]);
        }
    }
    if ((mask & KERF_FEATURE_LZMA2) != 0) {
        (void)snprintf(client->features[client->feature_count++], KERF_TAG_CAP, "lzma2");
    }
}

uint32_t kerf_features_mask(const struct kerf_client_info *client)
{
    uint32_t mask = 1u << KERF_ISA_NONE;

    for (size_t i = 0; i < client->feature_count; i++) {
        for (unsigned isa = KERF_ISA_NONE + 1; isa < KERF_ISA_COUNT; isa++) {
            if (strcmp(client->features[i], isa_words[isa]) == 0) {
                mask |= 1u << isa;
            }
        }
        if (strcmp(client->features[i], "lzma2") == 0) {
            mask |= KERF_FEATURE_LZMA2;
        }
    }
    return mask;
}

/* --- Reading --- */

void kerf_protocol_version_read(struct kerf_json *json, const struct kerf_json_at *top)
{
    uint64_t version = 0;

    if (kerf_json_uint(json, top, "v", true, 0, KERF_NUMBER_MAX, &version) && version != KERF_PROTOCOL_VERSION) {
        kerf_why_set(json->why, "v: this side speaks protocol version %d only", KERF_PROTOCOL_VERSION);
        json->err = KERF_ERR_VERSION;
    }
}

static void device_read(struct kerf_json *json, const struct kerf_json_at *top, struct kerf_device_info *device)
{
    struct kerf_json_at at;
    struct kerf_json_at attrs;
    const char *key;
    json_t *value;

    kerf_json_object(json, top, "device", true, &at);
    kerf_json_text(json, &at, "id", true, device->id, sizeof device->id);
    kerf_json_text(json, &at, "model", true, device->model, sizeof device->model);
    kerf_json_text(json, &at, "hw", false, device->hw, sizeof device->hw);
    kerf_json_object(json, &at, "attrs", false, &attrs);
    json_object_foreach(attrs.object, key, value)
    {
        struct kerf_attr *attr = &device->attrs[device->attr_count];

        if (device->attr_count == KERF_MAX_ATTRS) {
            kerf_json_fail(json, &at, "attrs", "too many");
            return;
        }
        /* The key goes into no message as it is foreign text of any length. */
        if (strlen(key) == 0 || strlen(key) >= sizeof attr->key) {
            kerf_json_fail(json, &at, "attrs", "keys of 1 to 64 bytes expected");
            return;
        }
        memcpy(attr->key, key, strlen(key) + 1);
        if (!kerf_json_text(json, &attrs, attr->key, true, attr->value, sizeof attr->value)) {
            return;
        }
        device->attr_count++;
    }
}

static void client_read(struct kerf_json *json, const struct kerf_json_at *top, struct kerf_client_info *client)
{
    struct kerf_json_at at;
    const json_t *array;
    size_t count;

    kerf_json_object(json, top, "client", true, &at);
    kerf_json_text(json, &at, "name", false, client->name, sizeof client->name);
    kerf_json_text(json, &at, "ver", false, client->ver, sizeof client->ver);
    array = kerf_json_array(json, &at, "formats", true, 1, KERF_MAX_FORMATS, &count);
    for (size_t i = 0; i < count; i++) {
        kerf_json_text_element(json, &at, "formats", array, i, client->formats[i], KERF_TAG_CAP);
    }
    client->format_count = count;
    array = kerf_json_array(json, &at, "features", false, 0, KERF_MAX_FEATURES, &count);
    for (size_t i = 0; i < count; i++) {
        kerf_json_text_element(json, &at, "features", array, i, client->features[i], KERF_TAG_CAP);
    }
    client->feature_count = count;
    kerf_json_uint(json, &at, "ram", false, 0, KERF_NUMBER_MAX, &client->ram);
    kerf_json_bool(json, &at, "resume", false, &client->resume);
    kerf_json_bool(json, &at, "metered", false, &client->metered);
}

static void components_read(struct kerf_json *json, const struct kerf_json_at *top, struct kerf_check_request *request)
{
    size_t count;
    json_t *array = kerf_json_array(json, top, "components", true, 1, KERF_MAX_COMPONENTS, &count);

    for (size_t i = 0; i < count; i++) {
        struct kerf_check_component *c = &request->components[i];
        struct kerf_json_at at;

        kerf_json_element(json, top, "components", array, i, &at);
        kerf_json_text(json, &at, "name", true, c->name, sizeof c->name);
        kerf_json_text(json, &at, "ver", false, c->ver, sizeof c->ver);
        c->digest_known = kerf_json_digest(json, &at, "sha256", false, &c->digest);
        kerf_json_uint(json, &at, "size", false, 0, KERF_NUMBER_MAX, &c->size);
        kerf_json_uint(json, &at, "slot", false, 0, KERF_NUMBER_MAX, &c->slot);
        kerf_json_uint(json, &at, "sc", false, 0, KERF_NUMBER_MAX, &c->sc);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(request->components[j].name, c->name) == 0) {
                kerf_json_fail(json, &at, "name", "named twice");
            }
        }
    }
    request->component_count = count;
}

static void last_read(struct kerf_json *json, const struct kerf_json_at *top, struct kerf_last_attempt *last)
{
    struct kerf_json_at at;
    unsigned word = 0;

    if (!kerf_json_object(json, top, "last", false, &at)) {
        return;
    }
    kerf_json_text(json, &at, "txn", true, last->txn, sizeof last->txn);
    kerf_json_text(json, &at, "component", false, last->component, sizeof last->component);
    if (kerf_json_word(json, &at, "mode", false, kerf_mode_words, KERF_MODE_WORDS, &word)) {
        last->mode = (enum kerf_mode)word;
    }
    if (kerf_json_word(json, &at, "phase", false, kerf_phase_words, KERF_PHASE_WORDS, &word)) {
        last->phase = (enum kerf_report_phase)word;
    }
    if (kerf_json_word(json, &at, "code", false, kerf_code_words, KERF_CODE_WORDS, &word)) {
        last->code = (enum kerf_report_code)word;
    }
    kerf_json_uint32(json, &at, "tries", false, &last->tries);
    last->target_known = kerf_json_digest(json, &at, "to", false, &last->target);
}

kerf_err kerf_check_request_read(const char *text, size_t len, struct kerf_check_request *request, struct kerf_why *why)
{
    struct kerf_json json;
    struct kerf_json_at top;
    struct kerf_json_at at;

    memset(request, 0, sizeof *request);
    kerf_json_begin(&json, text, len, KERF_CHECK_REQUEST_MAX, KERF_PROTOCOL_DEPTH, why, &top);
    kerf_protocol_version_read(&json, &top);
    device_read(&json, &top, &request->device);
    client_read(&json, &top, &request->client);
    request->boot_known = kerf_json_object(&json, &top, "boot", false, &at);
    kerf_json_uint32(&json, &at, "n", false, &request->boot_count);
    kerf_json_bool(&json, &at, "confirmed", false, &request->boot_confirmed);
    kerf_json_text(&json, &at, "why", false, request->boot_why, sizeof request->boot_why);
    kerf_json_object(&json, &top, "meta", false, &at);
    kerf_json_uint(&json, &at, "root", false, 0, KERF_NUMBER_MAX, &request->root_version);
    kerf_json_uint(&json, &at, "release", false, 0, KERF_NUMBER_MAX, &request->release_seq);
    components_read(&json, &top, request);
    last_read(&json, &top, &request->last);
    kerf_json_text(&json, &top, "channel", false, request->channel, sizeof request->channel);
    kerf_json_text(&json, &top, "nonce", false, request->nonce, sizeof request->nonce);
    return kerf_json_end(&json);
}

/* --- Writing --- */

json_t *kerf_protocol_begin(void)
{
    json_t *top = json_object();

    kerf_json_put_uint(&top, "v", KERF_PROTOCOL_VERSION);
    return top;
}

json_t *kerf_protocol_texts(const char *texts, size_t count, size_t stride)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++) {
        kerf_json_append(&array, json_string(texts + i * stride));
    }
    return array;
}

static json_t *device_write(const struct kerf_device_info *device)
{
    json_t *object = json_object();

    kerf_json_put_text(&object, "id", device->id);
    kerf_json_put_text(&object, "model", device->model);
    kerf_json_put_text(&object, "hw", device->hw);
    if (device->attr_count > 0) {
        json_t *attrs = json_object();

        for (size_t i = 0; i < device->attr_count; i++) {
            kerf_json_put_text(&attrs, device->attrs[i].key, device->attrs[i].value);
        }
        kerf_json_put(&object, "attrs", attrs);
    }
    return object;
}

static json_t *client_write(const struct kerf_client_info *client)
{
    json_t *object = json_object();

    kerf_json_put_text(&object, "name", client->name);
    kerf_json_put_text(&object, "ver", client->ver);
    kerf_json_put(&object, "formats", kerf_protocol_texts(client->formats[0], client->format_count, KERF_TAG_CAP));
    kerf_json_put(&object, "features", kerf_protocol_texts(client->features[0], client->feature_count, KERF_TAG_CAP));
    if (client->ram > 0) {
        kerf_json_put_uint(&object, "ram", client->ram);
    }
    kerf_json_put(&object, "resume", json_boolean(client->resume));
    kerf_json_put(&object, "metered", json_boolean(client->metered));
    return object;
}

static json_t *components_write(const struct kerf_check_request *request)
{
    json_t *array = json_array();

    for (size_t i = 0; i < request->component_count; i++) {
        const struct kerf_check_component *c = &request->components[i];
        json_t *object = json_object();

        kerf_json_put_text(&object, "name", c->name);
        kerf_json_put_text(&object, "ver", c->ver);
        if (c->digest_known) {
            kerf_json_put_uint(&object, "size", c->size);
            kerf_json_put_digest(&object, "sha256", &c->digest);
        }
        kerf_json_put_uint(&object, "sc", c->sc);
        if (c->slot > 0) {
            kerf_json_put_uint(&object, "slot", c->slot);
        }
        kerf_json_append(&array, object);
    }
    return array;
}

static json_t *last_write(const struct kerf_last_attempt *last)
{
    json_t *object = json_object();

    kerf_json_put_text(&object, "txn", last->txn);
    kerf_json_put_text(&object, "component", last->component);
    kerf_json_put_text(&object, "mode", kerf_mode_name(last->mode));
    kerf_json_put_text(&object, "phase", kerf_report_phase_name(last->phase));
    kerf_json_put_text(&object, "code", kerf_report_code_name(last->code));
    kerf_json_put_uint(&object, "tries", last->tries);
    if (last->target_known) {
        kerf_json_put_digest(&object, "to", &last->target);
    }
    return object;
}

kerf_err kerf_check_request_write(const struct kerf_check_request *request, char **text, size_t *len)
{
    json_t *top = kerf_protocol_begin();
    json_t *object;

    if (request->device.attr_count > KERF_MAX_ATTRS || request->client.format_count > KERF_MAX_FORMATS ||
        request->client.feature_count > KERF_MAX_FEATURES || request->component_count > KERF_MAX_COMPONENTS) {
        json_decref(top);
        return KERF_ERR_ARGUMENT;
    }
    kerf_json_put(&top, "device", device_write(&request->device));
    kerf_json_put(&top, "client", client_write(&request->client));
    if (request->boot_known) {
        object = json_object();
        kerf_json_put_uint(&object, "n", request->boot_count);
        kerf_json_put(&object, "confirmed", json_boolean(request->boot_confirmed));
        kerf_json_put_text(&object, "why", request->boot_why);
        kerf_json_put(&top, "boot", object);
    }
    object = json_object();
    kerf_json_put_uint(&object, "root", request->root_version);
    kerf_json_put_uint(&object, "release", request->release_seq);
    kerf_json_put(&top, "meta", object);
    kerf_json_put(&top, "components", components_write(request));
    if (request->last.txn[0] != '\0') {
        kerf_json_put(&top, "last", last_write(&request->last));
    }
    kerf_json_put_text(&top, "channel", request->channel);
    kerf_json_put_text(&top, "nonce", request->nonce);
    return kerf_json_dump(top, text, len);
}

/* --- The answer of an error --- */

kerf_err kerf_error_write(const char *message, char **text, size_t *len)
{
    json_t *top = kerf_protocol_begin();
    struct kerf_why line;

    kerf_why_set(&line, "%s", message);
    for (char *c = line.text; *c != '\0'; c++) {
        if ((unsigned char)*c > 0x7E) {
            *c = '?'; /* the message may quote, and cut, foreign bytes that are not UTF-8 */
        }
    }
    kerf_json_put_text(&top, "error", line.text);
    return kerf_json_dump(top, text, len);
}

void kerf_error_read(const char *text, size_t len, char *message, size_t cap)
{
    struct kerf_json json;
    struct kerf_json_at top;
    char found[512] = "";

    kerf_json_begin(&json, text, len, KERF_REPORT_ANSWER_MAX, KERF_PROTOCOL_DEPTH, NULL, &top);
    kerf_json_text(&json, &top, "error", false, found, sizeof found);
    message[0] = '\0';
    if (kerf_json_end(&json) == KERF_OK) {
        (void)snprintf(message, cap, "%s", found);
    }
}
