/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_range.h - which part of a file a request asks for (RFC 9110, sections 13 and 14). Pure functions, reentrant.
 */
#ifndef KERF_SERVER_TOOLS_HTTP_RANGE_H
#define KERF_SERVER_TOOLS_HTTP_RANGE_H

#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum kerf_range {
    KERF_RANGE_WHOLE, /* all of it: no range, several, or one that isn't understood; status 200 */
    KERF_RANGE_PART,  /* status 206 */
    KERF_RANGE_NONE,  /* outside of the file; status 416 */
};

/*
 * Reads the value of a Range header (NULL: none) for a file of `size` bytes. *pos and *len are set to what must be
 * sent, in bytes: [pos, pos + len) lies in the file; len is 0 with KERF_RANGE_NONE.
 */
enum kerf_range kerf_range_read(const char *value, uint64_t size, uint64_t *pos, uint64_t *len);

/*
 * True when a Range header counts: there is no If-Range (NULL), or it is exactly `etag` (quotes included). Weak tags
 * and dates don't match.
 */
bool kerf_range_if(const char *if_range, const char *etag);

/* True when an If-None-Match header (NULL: none) names `etag` (quotes included) or is "*". Weak comparison. */
bool kerf_range_none_match(const char *if_none_match, const char *etag);

#ifdef __cplusplus
}
#endif

#endif
