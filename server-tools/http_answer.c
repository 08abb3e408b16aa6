/* SPDX-License-Identifier: Apache-2.0 */
/* http_answer.c - requests read, answers written, files streamed. */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "server-tools/http_internal.h"
#include "server-tools/http_range.h"

#define STREAM_PIECE 65536u /* bytes of a file in memory per connection */

void kerf_http_connection_cut(struct kerf_http_connection *connection)
{
    const evutil_socket_t fd = connection->bev == NULL ? -1 : bufferevent_getfd(connection->bev);

    if (fd >= 0) {
        (void)shutdown(fd, SHUT_RDWR);
    }
}

enum kerf_http_method kerf_http_request_method(const struct kerf_http_request *request)
{
    const enum evhttp_cmd_type type = evhttp_request_get_command(request->evreq);

    return type == EVHTTP_REQ_GET    ? KERF_HTTP_GET
           : type == EVHTTP_REQ_HEAD ? KERF_HTTP_HEAD
           : type == EVHTTP_REQ_POST ? KERF_HTTP_POST
                                     : KERF_HTTP_OTHER;
}

const char *kerf_http_request_path(const struct kerf_http_request *request)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request->evreq);
    const char *path = uri == NULL ? NULL : evhttp_uri_get_path(uri);

    return path == NULL ? "" : path;
}

const char *kerf_http_request_header(const struct kerf_http_request *request, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(request->evreq), name);
}

const char *kerf_http_request_body(struct kerf_http_request *request, size_t *len)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(request->evreq);
    const unsigned char *data;

    *len = evbuffer_get_length(body);
    data = *len == 0 ? NULL : evbuffer_pullup(body, -1);
    if (data == NULL) {
        *len = 0;
        return "";
    }
    return (const char *)data;
}

const char *kerf_http_request_peer(const struct kerf_http_request *request)
{
    char *address = NULL;
    ev_uint16_t port = 0;
    struct evhttp_connection *connection = evhttp_request_get_connection(request->evreq);

    if (connection != NULL) {
        evhttp_connection_get_peer(connection, &address, &port);
    }
    return address == NULL ? "" : address;
}

void kerf_http_answer_header(struct kerf_http_request *request, const char *name, const char *value)
{
    (void)evhttp_add_header(evhttp_request_get_output_headers(request->evreq), name, value);
}

static void answer_length(struct kerf_http_request *request, uint64_t len)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%" PRIu64, len);
    kerf_http_answer_header(request, "Content-Length", text);
}

void kerf_http_answer_text(struct kerf_http_request *request, int status, const char *content_type, const char *text,
                           size_t len)
{
    struct evbuffer *body = evbuffer_new();

    request->answered = true;
    kerf_http_answer_header(request, "Content-Type", content_type);
    answer_length(request, len);
    if (body == NULL || (kerf_http_request_method(request) != KERF_HTTP_HEAD && evbuffer_add(body, text, len) != 0)) {
        kerf_http_connection_cut(request->connection); /* no memory: no answer is better than half of one */
    }
    evhttp_send_reply(request->evreq, status, NULL, body);
    if (body != NULL) {
        evbuffer_free(body);
    }
}

/* --- Files --- */

/* Reads the next piece; false when the file is shorter than it was, or can't be read. */
static bool read_piece(struct kerf_http_stream *stream, struct evbuffer *out)
{
    const size_t want = stream->left < STREAM_PIECE ? (size_t)stream->left : STREAM_PIECE;
    struct evbuffer_iovec space;
    ssize_t got;

    if (evbuffer_reserve_space(out, (ev_ssize_t)want, &space, 1) != 1) {
        return false;
    }
    do {
        got = pread(stream->fd, space.iov_base, want, (off_t)stream->pos);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        return false;
    }
    space.iov_len = (size_t)got;
    if (evbuffer_commit_space(out, &space, 1) != 0) {
        return false;
    }
    stream->pos += (uint64_t)got;
    stream->left -= (uint64_t)got;
    return true;
}

void kerf_http_stream_drop(struct kerf_http_stream *stream)
{
    struct evhttp_request *request = stream->request;

    if (stream->fd >= 0) {
        (void)close(stream->fd);
        stream->fd = -1;
        stream->request = NULL;
        /* Its connection is gone, and evhttp has left the request to us; this is how it is given back. */
        evhttp_send_reply_end(request);
    }
}

/* Sends the next piece, or ends the answer; called again whenever a piece is out. */
static void stream_next(struct evhttp_connection *evconnection, void *ctx)
{
    struct kerf_http_connection *connection = ctx;
    struct kerf_http_stream *stream = &connection->stream;
    struct evhttp_request *request = stream->request;
    struct evbuffer *piece;

    (void)evconnection;
    if (stream->fd < 0) {
        return;
    }
    if (stream->left == 0) {
        (void)close(stream->fd);
        stream->fd = -1;
        stream->request = NULL;
        evhttp_send_reply_end(request);
        return;
    }
    piece = evbuffer_new();
    if (piece == NULL || !read_piece(stream, piece)) {
        kerf_http_connection_cut(connection);
    } else {
        evhttp_send_reply_chunk_with_cb(request, piece, stream_next, connection);
    }
    if (piece != NULL) {
        evbuffer_free(piece);
    }
}

static int answer_empty(struct kerf_http_request *request, int status, int fd)
{
    (void)close(fd);
    request->answered = true;
    evhttp_send_reply(request->evreq, status, NULL, NULL);
    return status;
}

int kerf_http_answer_file(struct kerf_http_request *request, int fd, uint64_t size, const char *etag,
                          const char *content_type)
{
    const bool head = kerf_http_request_method(request) == KERF_HTTP_HEAD;
    const char *range = kerf_http_request_header(request, "Range");
    struct kerf_http_stream *stream = &request->connection->stream;
    uint64_t pos = 0;
    uint64_t len = size;
    enum kerf_range part = KERF_RANGE_WHOLE;
    char text[80];

    kerf_http_answer_header(request, "ETag", etag);
    kerf_http_answer_header(request, "Accept-Ranges", "bytes");
    if (kerf_range_none_match(kerf_http_request_header(request, "If-None-Match"), etag)) {
        return answer_empty(request, 304, fd);
    }
    if (!head && kerf_range_if(kerf_http_request_header(request, "If-Range"), etag)) {
        part = kerf_range_read(range, size, &pos, &len);
    }
    if (part == KERF_RANGE_NONE) {
        (void)snprintf(text, sizeof text, "bytes */%" PRIu64, size);
        kerf_http_answer_header(request, "Content-Range", text);
        return answer_empty(request, 416, fd);
    }
    kerf_http_answer_header(request, "Content-Type", content_type);
    answer_length(request, len);
    if (head || len == 0) {
        return answer_empty(request, 200, fd);
    }
    if (part == KERF_RANGE_PART) {
        (void)snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, pos, pos + len - 1, size);
        kerf_http_answer_header(request, "Content-Range", text);
    }
    request->answered = true;
    *stream = (struct kerf_http_stream){fd, pos, len, request->evreq};
    evhttp_send_reply_start(request->evreq, part == KERF_RANGE_PART ? 206 : 200, NULL);
    stream_next(NULL, request->connection);
    return part == KERF_RANGE_PART ? 206 : 200;
}
