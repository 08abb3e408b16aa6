/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reports.h - reports that wait for the server, in a file of the state folder: a power cut or a server that is away
 * loses none. The file is a message of POST /v1/report as it will be sent. At most KERF_MAX_REPORTS wait; when there
 * are more, the oldest that only tells of progress goes, then the oldest.
 */
#ifndef KERF_PATCHER_PORT_REPORTS_H
#define KERF_PATCHER_PORT_REPORTS_H

#include "common/host/protocol.h"
#include "common/host/why.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Reads the queue; none is an empty one (count 0). KERF_ERR_FORMAT: a damaged file; the queue is then empty and the
 * file will be replaced by the next kerf_reports_add(). Errors of kerf_file_read().
 */
KERF_MUST_USE kerf_err kerf_reports_load(const char *path, struct kerf_report_batch *queue, struct kerf_why *why);

/* Adds a report and makes the file durable. `queue` carries the device's id. */
KERF_MUST_USE kerf_err kerf_reports_add(const char *path, struct kerf_report_batch *queue,
                                        const struct kerf_report *report, struct kerf_why *why);

/* Forgets all: the server has them. */
KERF_MUST_USE kerf_err kerf_reports_clear(const char *path, struct kerf_report_batch *queue, struct kerf_why *why);

#ifdef __cplusplus
}
#endif

#endif
