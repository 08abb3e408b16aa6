/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service_internal.h - what service.c (checks, reports), service_files.c (payloads, metadata) and
 * service_answer.c share; not for others.
 */
#ifndef KERF_SERVER_TOOLS_SERVICE_INTERNAL_H
#define KERF_SERVER_TOOLS_SERVICE_INTERNAL_H

#include "server-tools/service.h"

/* Answers with an error and logs it. 429 and 503 get their Retry-After. */
void kerf_service_refuse(struct kerf_service *service, struct kerf_http_request *request, int status,
                         const char *message);

/* Answers 200 with a text, which is freed; or 503 when `err` says that there is none. */
void kerf_service_answer(struct kerf_service *service, struct kerf_http_request *request, kerf_err err, char *text,
                         size_t len);

/* `name` is what follows "/p/" or "/metadata/" in the path. */
void kerf_service_payload(struct kerf_service *service, struct kerf_http_request *request, const char *name);
void kerf_service_metadata(struct kerf_service *service, struct kerf_http_request *request, const char *name);

#endif
