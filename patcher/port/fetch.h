/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch.h - HTTPS for the agent, over libcurl: a message posted, or a payload streamed in order whatever the network
 * does.
 *
 * Certificates are always verified, TLS is 1.2 or later, and no URL or redirect may leave https. Memory: libcurl's and
 * OpenSSL's, and one receive buffer; nothing grows with the payload. One struct keeps its connection between calls; not
 * for several threads at once.
 */
#ifndef KERF_PATCHER_PORT_FETCH_H
#define KERF_PATCHER_PORT_FETCH_H

#include "common/error.h"
#include "common/host/protocol.h"
#include "common/host/why.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kerf_fetch_options {
    const char *ca_file; /* PEM; the only CAs trusted. NULL or "": those of the system. Must stay valid */
    long connect_s;      /* seconds for a connection */
    long stall_s;        /* seconds with next to no data before a connection is given up */
    unsigned retries;    /* attempts in a row without progress before a download fails, 1 or more */
    unsigned wait_ms;    /* before the second attempt; doubled each time, up to 30 s */
};

/* What happened; filled whether or not the call succeeds. */
struct kerf_fetch_info {
    enum kerf_report_code code; /* NET, TLS, TIMEOUT: the network's or the server's fault; NONE otherwise */
    bool untrusted;             /* the server's certificate was not accepted */
    long http_status;           /* of the last answer; 0: none came */
    uint64_t received;          /* bytes of bodies taken from the network, thrown-away ones included */
    unsigned attempts;          /* connections tried */
    unsigned resumed;           /* attempts that went on where the one before ended */
};

struct kerf_fetch;

/* *fetch is owned by the caller (kerf_fetch_close). KERF_ERR_RAM: libcurl can't start. KERF_ERR_ARGUMENT: no such CA file. */
KERF_MUST_USE kerf_err kerf_fetch_open(struct kerf_fetch **fetch, const struct kerf_fetch_options *options,
                                       struct kerf_why *why);
void kerf_fetch_close(struct kerf_fetch *fetch);

/*
 * Posts JSON and takes the answer, of at most max_len bytes, once; nothing is repeated, no redirect followed. *answer
 * is malloc'ed, ends with a 0, and is the caller's (free); NULL on error. KERF_ERR_TRUNCATED: no connection, or any
 * status but 200 (`why` has the server's own words). KERF_ERR_SPACE: a longer answer. KERF_ERR_RAM.
 */
KERF_MUST_USE kerf_err kerf_fetch_post(struct kerf_fetch *fetch, const char *url, const char *body, size_t body_len,
                                       size_t max_len, char **answer, size_t *answer_len, struct kerf_fetch_info *info,
                                       struct kerf_why *why);

/* Takes the next bytes of a payload. An error ends the download and is what kerf_fetch_get() returns. */
typedef kerf_err kerf_fetch_sink(void *ctx, const uint8_t *data, size_t len);

/*
 * Gets a payload of exactly `size` bytes, from byte `from` on, and hands them to `sink`, each once, in order. Whatever
 * cuts the stream - a lost connection, a stall, a short or wrong length - it goes on from the next byte with a Range
 * request; a server that answers 200 to that is taken at its word and what is known already is thrown away. Bytes
 * beyond `size` are not looked at. KERF_ERR_TRUNCATED: the retries are used up, or the server has no such file. Errors
 * of the sink.
 */
KERF_MUST_USE kerf_err kerf_fetch_get(struct kerf_fetch *fetch, const char *url, uint64_t from, uint64_t size,
                                      kerf_fetch_sink *sink, void *ctx, struct kerf_fetch_info *info,
                                      struct kerf_why *why);

/* Makes `url`, which may be relative to `base`, absolute. KERF_ERR_ARGUMENT: not a URL, not https, or over cap - 1 bytes. */
KERF_MUST_USE kerf_err kerf_fetch_resolve(const char *base, const char *url, char *absolute, size_t cap,
                                          struct kerf_why *why);

#ifdef __cplusplus
}
#endif

#endif
