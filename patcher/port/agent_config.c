/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "patcher/port/agent_config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/host/cli.h"
#include "common/host/json_read.h"
#include "common/metadata.h"

#define CONFIG_DEPTH 2
#define RAM_DEFAULT 16384u
#define CONNECT_S_DEFAULT 20u
#define STALL_S_DEFAULT 30u
#define RETRIES_DEFAULT 5u
#define RETRY_MS_DEFAULT 1000u
#define SECONDS_MAX 86400u

enum kind {
    TEXT,   /* char array of `cap` bytes */
    NAME,   /* the same; a name as in the metadata */
    SIZE,   /* uint64_t, bytes */
    NUMBER, /* uint64_t up to `cap` */
    BOOLEAN,
};

struct field {
    const char *key;
    enum kind kind;
    size_t pos; /* in struct kerf_agent_config */
    size_t cap;
    const char *help;
};

#define FIELD(key, kind, member, help)                                                                                 \
    {                                                                                                                  \
        key, kind, offsetof(struct kerf_agent_config, member), sizeof(((struct kerf_agent_config *)NULL)->member),     \
            help                                                                                                       \
    }
#define NUMBER_FIELD(key, member, max, help)                                                                           \
    {                                                                                                                  \
        key, NUMBER, offsetof(struct kerf_agent_config, member), max, help                                             \
    }

static const struct field fields[] = {
    FIELD("server", TEXT, server, "https://host[:port] of the update server"),
    FIELD("ca", TEXT, ca, "PEM file of the only CAs to trust; without it, those of the system"),
    FIELD("product", NAME, product, "name of the product, as in the release"),
    FIELD("hw", NAME, hw, "hardware id of this device"),
    FIELD("device", NAME, device, "id of this device"),
    FIELD("component", NAME, component, "what the slots hold (default: main)"),
    FIELD("channel", NAME, channel, "channel to ask for"),
    FIELD("state", TEXT, state, "folder where the agent keeps its state"),
    FIELD("root", TEXT, root, "trusted root document of the product"),
    FIELD("slot-a", TEXT, slots[0], "file or block device of slot a"),
    FIELD("slot-b", TEXT, slots[1], "file or block device of slot b"),
    FIELD("slot-size", SIZE, slot_size, "bytes that an image may take (default: no limit for files)"),
    FIELD("factory-size", SIZE, size, "bytes of the factory image in slot a (default: the whole file)"),
    FIELD("factory-version", TEXT, version, "version of the factory image"),
    FIELD("ram", SIZE, ram, "workspace for the decoder (default: 16K)"),
    FIELD("checkpoint", SIZE, checkpoint, "bytes of image between two points to go on from (default: 1M, or a 64th)"),
    FIELD("lzma2", BOOLEAN, lzma2, "true: take LZMA2 payloads, which need up to 80 MiB more (default: false)"),
    FIELD("metered", BOOLEAN, metered, "true: the link costs money"),
    NUMBER_FIELD("connect-s", connect_s, SECONDS_MAX, "seconds for a connection (default: 20)"),
    NUMBER_FIELD("stall-s", stall_s, SECONDS_MAX, "seconds without data before a connection is given up (default: 30)"),
    NUMBER_FIELD("retries", retries, 1000, "attempts in a row without progress (default: 5)"),
    NUMBER_FIELD("retry-ms", retry_ms, 3600000, "milliseconds before the second attempt (default: 1000)"),
};

#define FIELD_COUNT (sizeof fields / sizeof fields[0])

const char *kerf_agent_config_key(size_t index)
{
    return index < FIELD_COUNT ? fields[index].key : NULL;
}

const char *kerf_agent_config_help(size_t index)
{
    return index < FIELD_COUNT ? fields[index].help : NULL;
}

void kerf_agent_config_defaults(struct kerf_agent_config *config)
{
    memset(config, 0, sizeof *config);
    (void)snprintf(config->component, sizeof config->component, "main");
    config->ram = RAM_DEFAULT;
    config->connect_s = CONNECT_S_DEFAULT;
    config->stall_s = STALL_S_DEFAULT;
    config->retries = RETRIES_DEFAULT;
    config->retry_ms = RETRY_MS_DEFAULT;
}

/* NULL, or what is expected instead of this text. */
static const char *text_error(const struct field *field, const char *value)
{
    const size_t len = strlen(value);
    if (len == 0 || len >= field->cap) {
        return len == 0 ? "a value" : "a shorter text";
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7F) {
            return "a text without control characters";
        }
    }
    if (field->kind == NAME && !kerf_name_valid((struct kerf_span){(const uint8_t *)value, len})) {
        return "a name of A-Z a-z 0-9 . _ - that does not begin with a dot";
    }
    return NULL;
}

/* The same for a number, which is stored. */
static const char *number_error(const struct field *field, const char *value, uint64_t *number)
{
    if (kerf_cli_parse_size(value, number) != KERF_OK) {
        return field->kind == SIZE ? "a size such as 65536, 64K or 2M" : "a number";
    }
    if (field->kind == NUMBER && (*number > field->cap || !isdigit((unsigned char)value[strlen(value) - 1]))) {
        return "a smaller number, without a unit";
    }
    return *number > KERF_NUMBER_MAX ? "a smaller number" : NULL;
}

static const char *boolean_error(const char *value, bool *flag)
{
    *flag = strcmp(value, "true") == 0 || strcmp(value, "yes") == 0;
    return *flag || strcmp(value, "false") == 0 || strcmp(value, "no") == 0 ? NULL : "true or false";
}

kerf_err kerf_agent_config_set(struct kerf_agent_config *config, const char *key, const char *value,
                               struct kerf_why *why)
{
    const struct field *field = NULL;
    for (size_t i = 0; i < FIELD_COUNT && field == NULL; i++) {
        field = strcmp(fields[i].key, key) == 0 ? &fields[i] : NULL;
    }
    if (field == NULL) {
        kerf_why_set(why, "unknown key '%.64s': see 'kerf-agent --help' for all of them", key);
        return KERF_ERR_ARGUMENT;
    }
    uint8_t *const target = (uint8_t *)config + field->pos;
    const char *expected = NULL;
    uint64_t number = 0;
    bool flag = false;
    switch (field->kind) {
    case TEXT:
    case NAME:
        expected = text_error(field, value);
        break;
    case SIZE:
    case NUMBER:
        expected = number_error(field, value, &number);
        break;
    case BOOLEAN:
        expected = boolean_error(value, &flag);
        break;
    }
    if (expected != NULL) {
        kerf_why_set(why, "%s '%.200s': %s is expected", field->key, value, expected);
        return KERF_ERR_ARGUMENT;
    }
    if (field->kind == BOOLEAN) {
        memcpy(target, &flag, sizeof flag);
    } else if (field->kind == TEXT || field->kind == NAME) {
        memcpy(target, value, strlen(value) + 1);
    } else {
        memcpy(target, &number, sizeof number);
    }
    return KERF_OK;
}

static kerf_err parse_json(struct kerf_agent_config *config, const char *text, size_t len, struct kerf_why *why)
{
    struct kerf_json json;
    struct kerf_json_at top;
    const char *key;
    json_t *value;

    kerf_json_begin(&json, text, len, KERF_AGENT_CONFIG_MAX, CONFIG_DEPTH, why, &top);
    json_object_foreach(json.err == KERF_OK ? top.object : NULL, key, value)
    {
        char number[24];
        const char *as_text = json_string_value(value);
        if (json_is_integer(value)) {
            (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
            as_text = number;
        } else if (json_is_boolean(value)) {
            as_text = json_is_true(value) ? "true" : "false";
        }
        if (as_text == NULL) {
            kerf_why_set(why, "%.64s: a string, a number, true or false is expected", key);
            json.err = KERF_ERR_FORMAT;
            break;
        }
        json.err = kerf_agent_config_set(config, key, as_text, why);
        if (json.err != KERF_OK) {
            break;
        }
    }
    return kerf_json_end(&json);
}

/* Cuts white space off both ends of line[0..len). */
static struct kerf_span trim(const char *line, size_t len)
{
    while (len > 0 && isspace((unsigned char)line[0])) {
        line++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)line[len - 1])) {
        len--;
    }
    return (struct kerf_span){(const uint8_t *)line, len};
}

static kerf_err parse_line(struct kerf_agent_config *config, struct kerf_span line, unsigned number,
                           struct kerf_why *why)
{
    struct kerf_why inner = {""};
    char key[64];
    char value[KERF_URL_CAP];
    if (line.len == 0 || line.p[0] == '#') {
        return KERF_OK;
    }
    const char *equals = memchr(line.p, '=', line.len);
    if (equals == NULL || memchr(line.p, '\0', line.len) != NULL) {
        kerf_why_set(why, "line %u: 'key = value' is expected", number);
        return KERF_ERR_FORMAT;
    }
    const size_t key_part = (size_t)(equals - (const char *)line.p);
    const struct kerf_span left = trim((const char *)line.p, key_part);
    const struct kerf_span right = trim(equals + 1, line.len - key_part - 1);
    if (left.len >= sizeof key || right.len >= sizeof value) {
        kerf_why_set(why, "line %u: too long", number);
        return KERF_ERR_FORMAT;
    }
    memcpy(key, left.p, left.len);
    key[left.len] = '\0';
    memcpy(value, right.p, right.len);
    value[right.len] = '\0';
    const kerf_err err = kerf_agent_config_set(config, key, value, &inner);
    if (err != KERF_OK) {
        kerf_why_set(why, "line %u: %s", number, inner.text);
    }
    return err;
}

kerf_err kerf_agent_config_parse(struct kerf_agent_config *config, const char *text, size_t len, struct kerf_why *why)
{
    if (len > KERF_AGENT_CONFIG_MAX) {
        kerf_why_set(why, "over %u bytes: that is no configuration", KERF_AGENT_CONFIG_MAX);
        return KERF_ERR_FORMAT;
    }
    const struct kerf_span whole = trim(text, len);
    if (whole.len > 0 && whole.p[0] == '{') {
        return parse_json(config, text, len, why);
    }
    size_t pos = 0;
    for (unsigned number = 1; pos < len; number++) {
        const char *end = memchr(text + pos, '\n', len - pos);
        const size_t line_len = end != NULL ? (size_t)(end - (text + pos)) : len - pos;
        const kerf_err err = parse_line(config, trim(text + pos, line_len), number, why);
        if (err != KERF_OK) {
            return err;
        }
        pos += line_len + (end != NULL ? 1 : 0);
    }
    return KERF_OK;
}

kerf_err kerf_agent_config_check(const struct kerf_agent_config *config, bool network, struct kerf_why *why)
{
    const struct {
        const char *key;
        const char *value;
        bool needed;
    } texts[] = {
        {"state", config->state, true},      {"slot-a", config->slots[0], true}, {"slot-b", config->slots[1], true},
        {"product", config->product, true},  {"device", config->device, true},   {"root", config->root, network},
        {"server", config->server, network},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i].needed && texts[i].value[0] == '\0') {
            kerf_why_set(why, "'%s' is not set: give it in the configuration file or as --%s", texts[i].key,
                         texts[i].key);
            return KERF_ERR_ARGUMENT;
        }
    }
    if (strcmp(config->slots[0], config->slots[1]) == 0) {
        kerf_why_set(why, "slot-a and slot-b are the same file: an update needs two");
        return KERF_ERR_ARGUMENT;
    }
    if (config->server[0] != '\0' && strncasecmp(config->server, "https://", 8) != 0) {
        kerf_why_set(why, "server '%.200s': only https:// is allowed", config->server);
        return KERF_ERR_ARGUMENT;
    }
    if (config->connect_s == 0 || config->stall_s == 0 || config->retries == 0) {
        kerf_why_set(why, "connect-s, stall-s and retries must be 1 or more");
        return KERF_ERR_ARGUMENT;
    }
    return KERF_OK;
}
