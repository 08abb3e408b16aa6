/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_read.h - strict reading of JSON that somebody else wrote, with errors that name the key.
 *
 * A struct kerf_json walks one document. Once something was wrong it stays failed, later calls do nothing, and the
 * first reason is kept: a reader is a plain list of gets, with one look at `err` at its end. A key that is absent, or
 * null, leaves the output as it was (readers start from zero) unless it is required. Keys nobody asks for are ignored.
 */
#ifndef KERF_COMMON_HOST_JSON_READ_H
#define KERF_COMMON_HOST_JSON_READ_H

#include <jansson.h>

#include "common/error.h"
#include "common/host/why.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kerf_json {
    json_t *root;         /* owned; NULL after a failure to parse */
    kerf_err err;         /* KERF_OK so far, or the first error */
    struct kerf_why *why; /* may be NULL */
};

/* Where a value lies: an object and its path from the top, for messages. */
struct kerf_json_at {
    json_t *object; /* borrowed from the document; NULL: absent, every get finds nothing */
    char path[64];  /* "" at the top, else "components[2]." */
};

/*
 * Parses text[0..len): one JSON object of at most max_len bytes with at most max_depth levels, without duplicate keys,
 * NULs in strings, or anything after it. Failures are in json->err (KERF_ERR_FORMAT, KERF_ERR_RAM). kerf_json_end()
 * afterwards, always. `top` is the object.
 */
void kerf_json_begin(struct kerf_json *json, const char *text, size_t len, size_t max_len, unsigned max_depth,
                     struct kerf_why *why, struct kerf_json_at *top);
/* Releases the document and returns json->err. */
KERF_MUST_USE kerf_err kerf_json_end(struct kerf_json *json);

/* Marks the document as failed: "<path><key>: <expected>". */
void kerf_json_fail(struct kerf_json *json, const struct kerf_json_at *at, const char *key, const char *expected);

/* Each returns true when the key is there and was read. `required`: absent is an error. */

/* 1 to cap - 1 bytes of UTF-8 without control characters, and a 0. */
bool kerf_json_text(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required, char *text,
                    size_t cap);
/* An integer within min .. max. */
bool kerf_json_uint(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required, uint64_t min,
                    uint64_t max, uint64_t *value);
/* The same for 32 bits. */
bool kerf_json_uint32(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required,
                      uint32_t *value);
bool kerf_json_bool(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required, bool *value);
/* An integer or real number within 0 .. 1. */
bool kerf_json_fraction(struct kerf_json *json, const struct kerf_json_at *at, const char *key, double *value);
/* 64 hexadecimal digits. */
bool kerf_json_digest(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required,
                      struct kerf_sha256_digest *digest);
/* One of the words[1 .. count-1]; *value is its index. */
bool kerf_json_word(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required,
                    const char *const *words, size_t count, unsigned *value);
/* Base64 of 1 .. max_len bytes; *data is malloc'ed and the caller's, also if the document fails later. */
bool kerf_json_base64(struct kerf_json *json, const struct kerf_json_at *at, const char *key, size_t max_len,
                      uint8_t **data, size_t *len);
/* An object; inner->object is NULL when there is none. */
bool kerf_json_object(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required,
                      struct kerf_json_at *inner);
/* An array of min .. max elements; NULL when there is none. *count is then 0. */
json_t *kerf_json_array(struct kerf_json *json, const struct kerf_json_at *at, const char *key, bool required,
                        size_t min, size_t max, size_t *count);
/* Element `index` of such an array as an object. */
void kerf_json_element(struct kerf_json *json, const struct kerf_json_at *at, const char *key, json_t *array,
                       size_t index, struct kerf_json_at *inner);
/* Element `index` of such an array as a text. */
void kerf_json_text_element(struct kerf_json *json, const struct kerf_json_at *at, const char *key, const json_t *array,
                            size_t index, char *text, size_t cap);
/* Element `index` of such an array as base64. */
void kerf_json_base64_element(struct kerf_json *json, const struct kerf_json_at *at, const char *key,
                              const json_t *array, size_t index, size_t max_len, uint8_t **data, size_t *len);

/*
 * Writing: sets object[key] and takes over `value`; a NULL value, or no memory, drops the whole object: *object becomes
 * NULL, and later calls do nothing but release `value`. One look at the end is enough.
 */
void kerf_json_put(json_t **object, const char *key, json_t *value);
/* The same for the end of an array. */
void kerf_json_append(json_t **array, json_t *value);
/* Does nothing for an empty text. */
void kerf_json_put_text(json_t **object, const char *key, const char *text);
void kerf_json_put_uint(json_t **object, const char *key, uint64_t value);
void kerf_json_put_digest(json_t **object, const char *key, const struct kerf_sha256_digest *digest);
/* NULL when there is no memory. */
json_t *kerf_json_of_base64(const uint8_t *data, size_t len);
/*
 * Text of an object, compact, keys in the order in which they were put; releases the object. *text is malloc'ed, ends
 * with a 0 that *len doesn't count. KERF_ERR_ARGUMENT: object is NULL (what was put was not UTF-8, or no memory).
 */
KERF_MUST_USE kerf_err kerf_json_dump(json_t *object, char **text, size_t *len);

#ifdef __cplusplus
}
#endif

#endif
