/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_internal.h - what http.c (server, TLS, connections) and http_answer.c (answers, files) share; not for anybody
 * else.
 */
#ifndef KERF_SERVER_TOOLS_HTTP_INTERNAL_H
#define KERF_SERVER_TOOLS_HTTP_INTERNAL_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <openssl/ssl.h>

#include "server-tools/http.h"

#define KERF_HTTP_EVENTS_MAX 8

/* A file on its way out. */
struct kerf_http_stream {
    int fd;                         /* -1: none */
    uint64_t pos;                   /* of the next byte to read */
    uint64_t left;                  /* bytes to read */
    struct evhttp_request *request; /* ours until the stream ends */
};

/* One connection; lives as long as its SSL object, which is what owns it. */
struct kerf_http_connection {
    struct kerf_http *http;
    struct kerf_http_connection *prev, *next;
    struct bufferevent *bev; /* frees the SSL object, and with it this, just before itself */
    uint64_t deadline_ms;    /* monotonic; when the connection is cut */
    size_t output_left;      /* bytes waiting to be sent when last looked at */
    bool answering;
    struct kerf_http_stream stream;
};

struct kerf_http_request {
    struct kerf_http *http;
    struct kerf_http_connection *connection;
    struct evhttp_request *evreq;
    bool answered;
};

/* Closes the connection from below: evhttp sees its end and cleans up in its own time. */
void kerf_http_connection_cut(struct kerf_http_connection *connection);

/* Ends a stream whose connection is gone. */
void kerf_http_stream_drop(struct kerf_http_stream *stream);

#endif
