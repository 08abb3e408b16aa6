/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - what a program that runs for long says: one line per event on standard error, for people
 * ("2026-09-01T12:00:00Z check device=SN0042 status=update") or as JSON
 * ({"t":"...","event":"check","device":"SN0042"}). Values may be foreign bytes: control characters never reach the
 * line.
 */
#ifndef KERF_SERVER_TOOLS_LOG_H
#define KERF_SERVER_TOOLS_LOG_H

#include <jansson.h>

#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kerf_log {
    bool json;
};

/*
 * Writes one line with the fields of a flat object (strings, integers, booleans), which is released; NULL: no fields
 * (no memory, or none).
 */
void kerf_log_event(const struct kerf_log *log, const char *event, json_t *fields);

#ifdef __cplusplus
}
#endif

#endif
