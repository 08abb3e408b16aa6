/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that comes over the network as JSON: checks, answers, reports. What is read must be written again, what
 * was written must be read again, and be the same from then on.
 */
#include <stdlib.h>
#include <string.h>

#include "common/host/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A message in, its text out; NULL when it was refused. */
typedef char *rewrite(const char *text, size_t len, size_t *out_len);

static char *rewrite_check(const char *text, size_t len, size_t *out_len)
{
    struct kerf_check_request request;
    char *out = NULL;

    if (kerf_check_request_read(text, len, &request, NULL) != KERF_OK) {
        return NULL;
    }
    if (kerf_check_request_write(&request, &out, out_len) != KERF_OK) {
        abort();
    }
    return out;
}

static char *rewrite_answer(const char *text, size_t len, size_t *out_len)
{
    struct kerf_check_answer answer;
    char *out = NULL;

    if (kerf_check_answer_read(text, len, &answer, NULL) != KERF_OK) {
        return NULL;
    }
    if (kerf_check_answer_write(&answer, &out, out_len) != KERF_OK) {
        abort();
    }
    kerf_check_answer_free(&answer);
    return out;
}

static char *rewrite_report(const char *text, size_t len, size_t *out_len)
{
    struct kerf_report_batch batch;
    char *out = NULL;

    if (kerf_report_batch_read(text, len, &batch, NULL) != KERF_OK) {
        return NULL;
    }
    if (kerf_report_batch_write(&batch, &out, out_len) != KERF_OK) {
        abort();
    }
    return out;
}

static void try(rewrite *message, const char *text, size_t len, size_t max_len)
{
    size_t first_len;
    size_t second_len;
    char *first = message(text, len, &first_len);
    char *second;

    /* What is at its limit may grow beyond it: escapes, and keys that were not given but have a value now. */
    if (first == NULL || first_len > max_len) {
        free(first);
        return;
    }
    second = message(first, first_len, &second_len);
    if (second == NULL || second_len != first_len || memcmp(first, second, first_len) != 0) {
        abort();
    }
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct kerf_report_answer answer;
    struct kerf_why why;
    char message[64];

    try(rewrite_check, text, size, KERF_CHECK_REQUEST_MAX);
    try(rewrite_answer, text, size, KERF_CHECK_ANSWER_MAX);
    try(rewrite_report, text, size, KERF_REPORT_MAX);
    if (kerf_report_answer_read(text, size, &answer, &why) != KERF_OK && strlen(why.text) == 0) {
        abort(); /* a refusal always says why */
    }
    kerf_error_read(text, size, message, sizeof message);
    return 0;
}
