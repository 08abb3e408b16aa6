/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/json_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/host/base64.h"
#include "common/host/cli.h"

static void fail(struct kerf_json *json, kerf_err err, const char *path, const char *key, const char *expected)
{
    if (json->err == KERF_OK) {
        json->err = err;
        kerf_why_set(json->why, "%s%s: %s", path, key, expected);
    }
}

void kerf_json_fail(struct kerf_json *json, const struct kerf_json_at *at, const char *key, const char *expected)
{
    fail(json, KERF_ERR_FORMAT, at->path, key, expected);
}

static void fail_element(struct kerf_json *json, const struct kerf_json_at *at, const char *key, size_t index,
                         const char *expected)
{
    char name[80];

    (void)snprintf(name, sizeof name, "%s[%zu]", key, index);
    fail(json, KERF_ERR_FORMAT, at->path, name, expected);
}

/*
 * The deepest nesting of brackets outside of strings. jansson's own limit is 2048 levels of recursion, more stack than
 * a request is worth; text that isn't JSON gets some number here and is refused by the parser.
 */
static unsigned nesting(const char *text, size_t len)
{
    unsigned depth = 0;
    unsigned deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        const char c = text[i];

        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

void kerf_json_begin(struct kerf_json *json, const char *text, size_t len, size_t max_len, unsigned max_depth,
                     struct kerf_why *why, struct kerf_json_at *top)
{
    json_error_t error;

    json->root = NULL;
    json->err = KERF_OK;
    json->why = why;
    top->object = NULL;
    top->path[0] = '\0';
    if (len > max_len) {
        kerf_why_set(why, "message of %zu bytes: at most %zu are allowed", len, max_len);
        json->err = KERF_ERR_FORMAT;
        return;
    }
    if (nesting(text, len) > max_depth) {
        kerf_why_set(why, "message: nested deeper than %u levels", max_depth);
        json->err = KERF_ERR_FORMAT;
        return;
    }
    json->root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (json->root == NULL) {
        if (json_error_code(&error) == json_error_out_of_memory) {
            kerf_why_set(why, "no memory for the message");
            json->err = KERF_ERR_RAM;
        } else {
            kerf_why_set(why, "not JSON: line %d, column %d: %s", error.line, error.column, error.text);
            json->err = KERF_ERR_FORMAT;
        }
    } else if (!json_is_object(json->root)) {
        kerf_why_set(why, "message: an object {...} expected");
        json->err = KERF_ERR_FORMAT;
    } else {
        top->object = json->root;
    }
}

kerf_err kerf_json_end(struct kerf_json *json)
{
    json_decref(json->root);
    json->root = NULL;
    return json->err;
}

/* The value of a key; NULL when it is absent or null, which is an error if it is required. */
static json_t *get(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required)
{
    json_t *value = json->err != KERF_OK ? NULL : json_object_get(at->object, key);

    if (value == NULL || json_is_null(value)) {
        if (required) {
            kerf_json_fail(json, at, key, "missing");
        }
        return NULL;
    }
    return value;
}

/* NULL, or what is wrong with a text. jansson has checked that it is UTF-8 without NULs. */
static const char *text_error(const json_t *value, size_t cap)
{
    const char *text = json_string_value(value);
    const size_t len = json_string_length(value);

    if (text == NULL) {
        return "a string expected";
    }
    if (len == 0) {
        return "is empty";
    }
    if (len >= cap) {
        return "too long";
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) {
            return "no control characters allowed";
        }
    }
    return NULL;
}

bool kerf_json_text(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required, char *text,
                    size_t cap)
{
    const json_t *value = get(json, at, key, required);
    const char *error;

    if (value == NULL) {
        return false;
    }
    error = text_error(value, cap);
    if (error != NULL) {
        kerf_json_fail(json, at, key, error);
        return false;
    }
    memcpy(text, json_string_value(value), json_string_length(value) + 1);
    return true;
}

bool kerf_json_uint(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required, uint64_t min,
                    uint64_t max, uint64_t *value)
{
    const json_t *found = get(json, at, key, required);
    json_int_t n;

    if (found == NULL) {
        return false;
    }
    n = json_integer_value(found); /* 0 for another type, which is refused in any case */
    if (!json_is_integer(found) || n < 0 || (uint64_t)n < min || (uint64_t)n > max) {
        char expected[80];

        (void)snprintf(expected, sizeof expected, "an integer within %llu .. %llu expected", (unsigned long long)min,
                       (unsigned long long)max);
        kerf_json_fail(json, at, key, expected);
        return false;
    }
    *value = (uint64_t)n;
    return true;
}

bool kerf_json_uint32(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required,
                      uint32_t *value)
{
    uint64_t wide = 0;

    if (!kerf_json_uint(json, at, key, required, 0, UINT32_MAX, &wide)) {
        return false;
    }
    *value = (uint32_t)wide;
    return true;
}

bool kerf_json_bool(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required, bool *value)
{
    const json_t *found = get(json, at, key, required);

    if (found == NULL) {
        return false;
    }
    if (!json_is_boolean(found)) {
        kerf_json_fail(json, at, key, "true or false expected");
        return false;
    }
    *value = json_is_true(found);
    return true;
}

bool kerf_json_fraction(struct kerf_json *json, const struct kerf_json_at *at, const char *key, double *value)
{
    const json_t *found = get(json, at, key, false);
    double n;

    if (found == NULL) {
        return false;
    }
    n = json_number_value(found);
    if (!json_is_number(found) || !(n >= 0 && n <= 1)) {
        kerf_json_fail(json, at, key, "a number within 0 .. 1 expected");
        return false;
    }
    *value = n;
    return true;
}

bool kerf_json_digest(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required,
                      struct kerf_sha256_digest *digest)
{
    const json_t *found = get(json, at, key, required);

    if (found == NULL) {
        return false;
    }
    /* json_string_value() is NULL for another type; a NUL can't be inside, so the text has the length it seems to have. */
    if (!json_is_string(found) ||
        kerf_cli_parse_hex(json_string_value(found), digest->b, sizeof digest->b) != KERF_OK) {
        kerf_json_fail(json, at, key, "64 hexadecimal digits (a SHA-256) expected");
        return false;
    }
    return true;
}

bool kerf_json_word(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required,
                    const char *const *words, size_t count, unsigned *value)
{
    const json_t *found = get(json, at, key, required);

    if (found == NULL) {
        return false;
    }
    if (!json_is_string(found)) {
        kerf_json_fail(json, at, key, "a string expected");
        return false;
    }
    for (size_t i = 1; i < count; i++) {
        if (strcmp(words[i], json_string_value(found)) == 0) {
            *value = (unsigned)i;
            return true;
        }
    }
    kerf_json_fail(json, at, key, "not one of the words of the protocol");
    return false;
}

/* NULL, or what is wrong. */
static const char *decode_base64(const json_t *value, size_t max_len, uint8_t **data, size_t *len)
{
    const size_t text_len = json_string_length(value);
    uint8_t *buf;

    if (!json_is_string(value)) {
        return "a string expected";
    }
    if (text_len == 0) {
        return "is empty";
    }
    if (text_len > kerf_base64_len(max_len)) {
        return "too long";
    }
    buf = malloc(text_len / 4 * 3 + 1);
    if (buf == NULL || kerf_base64_decode(json_string_value(value), text_len, buf, len) != KERF_OK) {
        free(buf);
        return buf == NULL ? "no memory" : "base64 expected";
    }
    *data = buf;
    return NULL;
}

bool kerf_json_base64(struct kerf_json *json, const struct kerf_json_at *at, const char *key, size_t max_len,
                      uint8_t **data, size_t *len)
{
    const json_t *found = get(json, at, key, false);
    const char *error;

    if (found == NULL) {
        return false;
    }
    error = decode_base64(found, max_len, data, len);
    if (error != NULL) {
        kerf_json_fail(json, at, key, error);
    }
    return error == NULL;
}

/* Ends an inner path; one that was cut (no message of ours nests so deep) is better left out than misleading. */
static void set_path(struct kerf_json_at *inner, int path_len)
{
    inner->object = NULL;
    if (path_len < 0 || (size_t)path_len >= sizeof inner->path) {
        inner->path[0] = '\0';
    }
}

bool kerf_json_object(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required,
                      struct kerf_json_at *inner)
{
    json_t *found = get(json, at, key, required);

    set_path(inner, snprintf(inner->path, sizeof inner->path, "%s%s.", at->path, key));
    if (found == NULL) {
        return false;
    }
    if (!json_is_object(found)) {
        kerf_json_fail(json, at, key, "an object {...} expected");
        return false;
    }
    inner->object = found;
    return true;
}

json_t *kerf_json_array(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required,
                        size_t min, size_t max, size_t *count)
{
    json_t *found = get(json, at, key, required);

    *count = 0;
    if (found == NULL) {
        return NULL;
    }
    if (!json_is_array(found) || json_array_size(found) < min || json_array_size(found) > max) {
        char expected[80];

        (void)snprintf(expected, sizeof expected, "an array of %zu to %zu elements expected", min, max);
        kerf_json_fail(json, at, key, expected);
        return NULL;
    }
    *count = json_array_size(found);
    return found;
}

void kerf_json_element(struct kerf_json *json, const struct kerf_json_at *at, const char *key, json_t *array,
                       size_t index, struct kerf_json_at *inner)
{
    json_t *found = json_array_get(array, index);

    set_path(inner, snprintf(inner->path, sizeof inner->path, "%s%s[%zu].", at->path, key, index));
    if (!json_is_object(found)) {
        fail_element(json, at, key, index, "an object {...} expected");
    } else if (json->err == KERF_OK) {
        inner->object = found;
    }
}

void kerf_json_text_element(struct kerf_json *json, const struct kerf_json_at *at, const char *key, const json_t *array,
                            size_t index, char *text, size_t cap)
{
    const json_t *found = json_array_get(array, index);
    const char *error = text_error(found, cap);

    if (error != NULL) {
        fail_element(json, at, key, index, error);
        return;
    }
    memcpy(text, json_string_value(found), json_string_length(found) + 1);
}

void kerf_json_base64_element(struct kerf_json *json, const struct kerf_json_at *at, const char *key,
                              const json_t *array, size_t index, size_t max_len, uint8_t **data, size_t *len)
{
    const char *error = decode_base64(json_array_get(array, index), max_len, data, len);

    if (error != NULL) {
        fail_element(json, at, key, index, error);
    }
}

/* --- Writing --- */

void kerf_json_put(json_t **object, const char *key, json_t *value)
{
    if (*object == NULL) {
        json_decref(value);
    } else if (json_object_set_new(*object, key, value) != 0) {
        json_decref(*object);
        *object = NULL;
    }
}

void kerf_json_append(json_t **array, json_t *value)
{
    if (*array == NULL) {
        json_decref(value);
    } else if (json_array_append_new(*array, value) != 0) {
        json_decref(*array);
        *array = NULL;
    }
}

void kerf_json_put_text(json_t **object, const char *key, const char *text)
{
    if (text[0] != '\0') {
        kerf_json_put(object, key, json_string(text));
    }
}

void kerf_json_put_uint(json_t **object, const char *key, uint64_t value)
{
    kerf_json_put(object, key, value > INT64_MAX ? NULL : json_integer((json_int_t)value));
}

void kerf_json_put_digest(json_t **object, const char *key, const struct kerf_sha256_digest *digest)
{
    char text[2 * KERF_SHA256_LEN + 1];

    kerf_json_put(object, key, json_string(kerf_cli_format_hex(digest->b, sizeof digest->b, text)));
}

json_t *kerf_json_of_base64(const uint8_t *data, size_t len)
{
    char *text = malloc(kerf_base64_len(len) + 1);
    json_t *value;

    if (text == NULL) {
        return NULL;
    }
    kerf_base64_encode(data, len, text);
    value = json_stringn_nocheck(text, kerf_base64_len(len)); /* ASCII for certain */
    free(text);
    return value;
}

kerf_err kerf_json_dump(json_t *object, char **text, size_t *len)
{
    *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(object);
    if (*text == NULL) {
        return KERF_ERR_ARGUMENT;
    }
    *len = strlen(*text);
    return KERF_OK;
}
