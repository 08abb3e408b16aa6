/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h - HTTPS, as narrow as the server needs it, over libevent (evhttp) and OpenSSL; nothing of either shows here.
 *
 * One thread runs the loop, and everything is called from it. Each connection has deadlines that no trickle of bytes
 * moves: a request must be complete within limits.request_seconds of the connection or of the answer before; an answer
 * must make progress within limits.stall_seconds. Beyond limits.connections nothing more is accepted until one closes.
 */
#ifndef KERF_SERVER_TOOLS_HTTP_H
#define KERF_SERVER_TOOLS_HTTP_H

#include "common/error.h"
#include "common/host/why.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kerf_http;         /* the server */
struct kerf_http_request; /* one request; valid until its handler returns */

enum kerf_http_method {
    KERF_HTTP_GET,
    KERF_HTTP_HEAD,
    KERF_HTTP_POST,
    KERF_HTTP_OTHER,
};

/* Answers one request, by exactly one kerf_http_answer_*() before it returns. */
typedef void kerf_http_handler(void *ctx, struct kerf_http_request *request);
typedef void kerf_http_event(void *ctx);

struct kerf_http_limits {
    unsigned connections;  /* at once; lowered to what the process may open */
    unsigned header_bytes; /* of a request, all lines together */
    unsigned body_bytes;   /* of a request; beyond it the answer is a bare 413 */
    unsigned request_seconds;
    unsigned stall_seconds;
    unsigned stop_seconds; /* that answers in progress get after kerf_http_stop() */
};

extern const struct kerf_http_limits kerf_http_limits_default;

struct kerf_http_config {
    const char *host;      /* address or name to listen on */
    uint16_t port;         /* 0: any free one */
    const char *cert_path; /* PEM, the chain from the server's certificate up */
    const char *key_path;  /* PEM, not encrypted */
    bool tls12;            /* true: TLS 1.2 too; false: 1.3 only */
    struct kerf_http_limits limits;
    kerf_http_handler *handler;
    void *handler_ctx;
};

/*
 * Listens; connections are served once kerf_http_run() runs. What `config` points to must stay valid. KERF_ERR_FLASH:
 * certificate or key can't be read or don't belong together. KERF_ERR_ARGUMENT: host or port can't be listened on.
 * KERF_ERR_RAM. `why` may be NULL.
 */
KERF_MUST_USE kerf_err kerf_http_open(struct kerf_http **http, const struct kerf_http_config *config,
                                      struct kerf_why *why);

/* Reads certificate and key again, for connections from now on. On an error the old ones stay. */
KERF_MUST_USE kerf_err kerf_http_reload(struct kerf_http *http, struct kerf_why *why);

/* Calls back when the process gets a signal, and every so often. Before kerf_http_run(); at most 8 of both. */
KERF_MUST_USE kerf_err kerf_http_on_signal(struct kerf_http *http, int signal_number, kerf_http_event *event,
                                           void *ctx);
KERF_MUST_USE kerf_err kerf_http_every(struct kerf_http *http, unsigned seconds, kerf_http_event *event, void *ctx);

/* Serves until kerf_http_stop(), and then until the last answer is out or limits.stop_seconds are over. */
KERF_MUST_USE kerf_err kerf_http_run(struct kerf_http *http);
/* Ends the run: nothing more is accepted, idle connections close. The second call ends it at once. */
void kerf_http_stop(struct kerf_http *http);
/* Releases everything; NULL is fine. Not while it runs. */
void kerf_http_close(struct kerf_http *http);

/* The port that is listened on. */
uint16_t kerf_http_port(const struct kerf_http *http);
/* Connections open now. */
unsigned kerf_http_connections(const struct kerf_http *http);
/* True when so many connections are open that work should be put off (503). */
bool kerf_http_is_busy(const struct kerf_http *http);

/* --- A request. Pointers are valid until it is answered. --- */

enum kerf_http_method kerf_http_request_method(const struct kerf_http_request *request);
/* The path, neither decoded nor normalised; begins with '/' unless the request is odd. Never NULL. */
const char *kerf_http_request_path(const struct kerf_http_request *request);
/* Value of a header, the name in any case; NULL: not given. */
const char *kerf_http_request_header(const struct kerf_http_request *request, const char *name);
/* The body, in one piece; "" when there is none. */
const char *kerf_http_request_body(struct kerf_http_request *request, size_t *len);
/* The address of the other side, as text; never NULL. */
const char *kerf_http_request_peer(const struct kerf_http_request *request);

/* --- Its answer. --- */

/* Adds a header; before the answer. Neither may hold a line break. */
void kerf_http_answer_header(struct kerf_http_request *request, const char *name, const char *value);
/* Answers with a body of `len` bytes, which are copied. To HEAD only its length is sent. */
void kerf_http_answer_text(struct kerf_http_request *request, int status, const char *content_type, const char *text,
                           size_t len);
/*
 * Answers GET and HEAD with an open regular file (taken over and closed in any case) of `size` bytes: 200, 206, 304 or
 * 416 by the headers of the request. `etag` comes with its quotes. The file is read in pieces while it is sent; should
 * it turn out shorter, or unreadable, the connection is cut, so that no one takes a part for the whole. Returns the
 * status.
 */
int kerf_http_answer_file(struct kerf_http_request *request, int fd, uint64_t size, const char *etag,
                          const char *content_type);

#ifdef __cplusplus
}
#endif

#endif
