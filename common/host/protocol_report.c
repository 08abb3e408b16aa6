/* SPDX-License-Identifier: Apache-2.0 */
/* protocol_report.c - reports, and the answer to them. */
#include <string.h>

#include "common/host/json_read.h"
#include "common/host/protocol.h"
#include "common/host/protocol_words.h"

static void report_read(struct kerf_json *json, const struct kerf_json_at *at, struct kerf_report *report)
{
    unsigned word = 0;

    kerf_json_text(json, at, "txn", true, report->txn, sizeof report->txn);
    kerf_json_uint32(json, at, "seq", true, &report->seq);
    kerf_json_text(json, at, "component", false, report->component, sizeof report->component);
    if (kerf_json_word(json, at, "phase", true, kerf_phase_words, KERF_PHASE_WORDS, &word)) {
        report->phase = (enum kerf_report_phase)word;
    }
    if (kerf_json_word(json, at, "code",
                       report->phase == KERF_REPORT_FAILED || report->phase == KERF_REPORT_ROLLED_BACK, kerf_code_words,
                       KERF_CODE_WORDS, &word)) {
        report->code = (enum kerf_report_code)word;
    }
    if (kerf_json_word(json, at, "mode", false, kerf_mode_words, KERF_MODE_WORDS, &word)) {
        report->mode = (enum kerf_mode)word;
    }
    report->from_known = kerf_json_digest(json, at, "from", false, &report->from);
    report->to_known = kerf_json_digest(json, at, "to", false, &report->to);
    kerf_json_uint(json, at, "bytes", false, 0, KERF_NUMBER_MAX, &report->bytes);
    kerf_json_uint(json, at, "ms", false, 0, KERF_NUMBER_MAX, &report->ms);
    kerf_json_uint(json, at, "ram", false, 0, KERF_NUMBER_MAX, &report->ram);
}

kerf_err kerf_report_batch_read(const char *text, size_t len, struct kerf_report_batch *batch, struct kerf_why *why)
{
    struct kerf_json json;
    struct kerf_json_at top;
    struct kerf_json_at at;
    json_t *array;
    size_t count;

    memset(batch, 0, sizeof *batch);
    kerf_json_begin(&json, text, len, KERF_REPORT_MAX, KERF_PROTOCOL_DEPTH, why, &top);
    kerf_protocol_version_read(&json, &top);
    kerf_json_object(&json, &top, "device", true, &at);
    kerf_json_text(&json, &at, "id", true, batch->device_id, sizeof batch->device_id);
    array = kerf_json_array(&json, &top, "reports", true, 1, KERF_MAX_REPORTS, &count);
    for (size_t i = 0; i < count; i++) {
        kerf_json_element(&json, &top, "reports", array, i, &at);
        report_read(&json, &at, &batch->reports[i]);
    }
    batch->count = count;
    return kerf_json_end(&json);
}

kerf_err kerf_report_batch_write(const struct kerf_report_batch *batch, char **text, size_t *len)
{
    json_t *top;
    json_t *device;
    json_t *reports;

    if (batch->count > KERF_MAX_REPORTS) {
        return KERF_ERR_ARGUMENT;
    }
    top = kerf_protocol_begin();
    device = json_object();
    reports = json_array();
    kerf_json_put_text(&device, "id", batch->device_id);
    kerf_json_put(&top, "device", device);
    for (size_t i = 0; i < batch->count; i++) {
        const struct kerf_report *report = &batch->reports[i];
        json_t *object = json_object();

        kerf_json_put_text(&object, "txn", report->txn);
        kerf_json_put_uint(&object, "seq", report->seq);
        kerf_json_put_text(&object, "component", report->component);
        kerf_json_put_text(&object, "phase", kerf_report_phase_name(report->phase));
        kerf_json_put_text(&object, "code", kerf_report_code_name(report->code));
        kerf_json_put_text(&object, "mode", kerf_mode_name(report->mode));
        if (report->from_known) {
            kerf_json_put_digest(&object, "from", &report->from);
        }
        if (report->to_known) {
            kerf_json_put_digest(&object, "to", &report->to);
        }
        kerf_json_put_uint(&object, "bytes", report->bytes);
        kerf_json_put_uint(&object, "ms", report->ms);
        kerf_json_put_uint(&object, "ram", report->ram);
        kerf_json_append(&reports, object);
    }
    kerf_json_put(&top, "reports", reports);
    return kerf_json_dump(top, text, len);
}

kerf_err kerf_report_answer_read(const char *text, size_t len, struct kerf_report_answer *answer, struct kerf_why *why)
{
    struct kerf_json json;
    struct kerf_json_at top;

    memset(answer, 0, sizeof *answer);
    kerf_json_begin(&json, text, len, KERF_REPORT_ANSWER_MAX, KERF_PROTOCOL_DEPTH, why, &top);
    kerf_protocol_version_read(&json, &top);
    kerf_json_uint32(&json, &top, "stored", true, &answer->stored);
    kerf_json_uint32(&json, &top, "known", true, &answer->known);
    return kerf_json_end(&json);
}

kerf_err kerf_report_answer_write(const struct kerf_report_answer *answer, char **text, size_t *len)
{
    json_t *top = kerf_protocol_begin();

    kerf_json_put_uint(&top, "stored", answer->stored);
    kerf_json_put_uint(&top, "known", answer->known);
    return kerf_json_dump(top, text, len);
}
