/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "patcher/port/reports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/host/cli.h"
#include "common/host/file.h"

kerf_err kerf_reports_load(const char *path, struct kerf_report_batch *queue, struct kerf_why *why)
{
    char device_id[KERF_NAME_CAP];
    uint8_t *data = NULL;
    size_t len = 0;
    kerf_err err;

    queue->count = 0;
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return KERF_OK;
    }
    err = kerf_file_read(path, KERF_REPORT_MAX, &data, &len, why);
    if (err != KERF_OK) {
        return err;
    }
    /* The id may have been changed since: reports go out under the present one. */
    memcpy(device_id, queue->device_id, sizeof device_id);
    err = kerf_report_batch_read((const char *)data, len, queue, why);
    free(data);
    if (err != KERF_OK) {
        queue->count = 0;
    }
    memcpy(queue->device_id, device_id, sizeof device_id);
    return err;
}

/* Which report can be missed most easily. */
static size_t least_needed(const struct kerf_report_batch *queue)
{
    for (size_t i = 0; i < queue->count; i++) {
        const enum kerf_report_phase phase = queue->reports[i].phase;
        if (phase != KERF_REPORT_FAILED && phase != KERF_REPORT_CONFIRMED && phase != KERF_REPORT_ROLLED_BACK) {
            return i;
        }
    }
    return 0;
}

kerf_err kerf_reports_add(const char *path, struct kerf_report_batch *queue, const struct kerf_report *report,
                          struct kerf_why *why)
{
    char *text = NULL;
    size_t len = 0;
    kerf_err err;

    if (queue->count == KERF_MAX_REPORTS) {
        const size_t i = least_needed(queue);
        queue->count--;
        memmove(&queue->reports[i], &queue->reports[i + 1], (queue->count - i) * sizeof queue->reports[0]);
    }
    queue->reports[queue->count++] = *report;
    err = kerf_report_batch_write(queue, &text, &len);
    if (err != KERF_OK) {
        queue->count--;
        kerf_why_set(why, "can't write a report: %s", kerf_cli_err_text(err));
        return err;
    }
    err = kerf_file_write(path, 0600, (const uint8_t *)text, len, why);
    free(text);
    return err;
}

kerf_err kerf_reports_clear(const char *path, struct kerf_report_batch *queue, struct kerf_why *why)
{
    queue->count = 0;
    if (unlink(path) != 0 && errno != ENOENT) {
        kerf_why_errno(why, "remove", path, errno);
        return KERF_ERR_FLASH;
    }
    return KERF_OK;
}
