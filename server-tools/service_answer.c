/* SPDX-License-Identifier: Apache-2.0 */
/* service_answer.c - answers in JSON, and refusals. */
#include <stdlib.h>

#include "common/host/protocol.h"
#include "server-tools/service_internal.h"

#define RETRY_SECONDS "30"

void kerf_service_refuse(struct kerf_service *service, struct kerf_http_request *request, int status,
                         const char *message)
{
    char *text = NULL;
    size_t len = 0;

    service->counts.refused++;
    kerf_log_event(&service->log, "refused",
                   json_pack("{s:s, s:s, s:i, s:s}", "peer", kerf_http_request_peer(request), "path",
                             kerf_http_request_path(request), "status", status, "error", message));
    if (status == 429 || status == 503) {
        kerf_http_answer_header(request, "Retry-After", RETRY_SECONDS);
    }
    if (kerf_error_write(message, &text, &len) == KERF_OK) {
        kerf_http_answer_text(request, status, "application/json", text, len);
    } else {
        kerf_http_answer_text(request, status, "application/json", "", 0);
    }
    free(text);
}

void kerf_service_answer(struct kerf_service *service, struct kerf_http_request *request, kerf_err err, char *text,
                         size_t len)
{
    if (err != KERF_OK) {
        kerf_service_refuse(service, request, 503, "no memory for the answer");
        return;
    }
    kerf_http_answer_header(request, "Cache-Control", "no-store");
    kerf_http_answer_text(request, 200, "application/json", text, len);
    free(text);
}
