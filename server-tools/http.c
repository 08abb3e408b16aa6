/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - the server: TLS, listening, connections and their deadlines, the loop. */
#define _POSIX_C_SOURCE 200809L
#include "server-tools/http.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <openssl/err.h>

#include "server-tools/http_internal.h"

#define SWEEP_MS 250
#define FILES_RESERVED 64u /* descriptors for everything that is not a connection or the file it sends */

const struct kerf_http_limits kerf_http_limits_default = {
    .connections = 4096,
    .header_bytes = 16384,
    .body_bytes = 262144,
    .request_seconds = 30,
    .stall_seconds = 60,
    .stop_seconds = 10,
};

struct callback {
    struct event *event;
    kerf_http_event *call;
    void *ctx;
};

struct kerf_http {
    struct kerf_http_config config;
    struct event_base *base;
    struct evhttp *evhttp;
    struct evconnlistener *listener; /* owned by evhttp */
    SSL_CTX *tls;
    struct event *sweep;
    struct callback callbacks[KERF_HTTP_EVENTS_MAX];
    size_t callback_count;
    struct kerf_http_connection *connections; /* list */
    unsigned connection_count;
    uint16_t port;
    bool full; /* the listener is off because of too many connections */
    bool stopping;
    uint64_t stop_ms; /* when patience ends; only while stopping */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- TLS --- */

/* Never asks a terminal for a passphrase: an encrypted key is an error. */
static int no_passphrase(char *buf, int size, int rwflag, void *ctx)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)ctx;
    return -1;
}

static kerf_err load_file_error(struct kerf_why *why, const char *what, const char *path)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    FILE *file = fopen(path, "rb");

    ERR_clear_error();
    if (file == NULL) {
        kerf_why_errno(why, "read", path, errno);
    } else {
        (void)fclose(file);
        kerf_why_set(why, "'%s' is no usable %s (%s): a PEM file is needed, a key without passphrase", path, what,
                     reason == NULL ? "unknown reason" : reason);
    }
    return KERF_ERR_FLASH;
}

static kerf_err make_tls(const struct kerf_http_config *config, SSL_CTX **made, struct kerf_why *why)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    kerf_err err = KERF_OK;

    if (tls == NULL) {
        kerf_why_set(why, "no memory for TLS");
        return KERF_ERR_RAM;
    }
    SSL_CTX_set_default_passwd_cb(tls, no_passphrase);
    (void)SSL_CTX_set_min_proto_version(tls, config->tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
    (void)SSL_CTX_set_cipher_list(tls, "ECDHE+AESGCM:ECDHE+CHACHA20"); /* TLS 1.2 only; all of 1.3 are good */
    (void)SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                       SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_use_certificate_chain_file(tls, config->cert_path) != 1) {
        err = load_file_error(why, "certificate", config->cert_path);
    } else if (SSL_CTX_use_PrivateKey_file(tls, config->key_path, SSL_FILETYPE_PEM) != 1) {
        err = load_file_error(why, "private key", config->key_path);
    } else if (SSL_CTX_check_private_key(tls) != 1) {
        ERR_clear_error();
        kerf_why_set(why, "key '%s' does not belong to certificate '%s': name the pair", config->key_path,
                     config->cert_path);
        err = KERF_ERR_FLASH;
    }
    if (err != KERF_OK) {
        SSL_CTX_free(tls);
        return err;
    }
    *made = tls;
    return KERF_OK;
}

kerf_err kerf_http_reload(struct kerf_http *http, struct kerf_why *why)
{
    SSL_CTX *tls = NULL;
    const kerf_err err = make_tls(&http->config, &tls, why);

    if (err == KERF_OK) {
        SSL_CTX_free(http->tls); /* connections that use it keep it alive */
        http->tls = tls;
    }
    return err;
}

/* --- Connections --- */

/* OpenSSL calls this when the SSL object of a connection is freed: the one moment that no path of evhttp can miss. */
static void connection_gone(void *ssl, void *data, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
    struct kerf_http_connection *connection = data;

    (void)ssl;
    (void)ad;
    (void)index;
    (void)argl;
    (void)argp;
    if (connection == NULL) {
        return;
    }
    kerf_http_stream_drop(&connection->stream);
    if (connection->prev != NULL) {
        connection->prev->next = connection->next;
    } else {
        connection->http->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->prev = connection->prev;
    }
    connection->http->connection_count--;
    free(connection);
}

/* The slot of an SSL object in which its connection lies. */
static int connection_index(void)
{
    static int slot = -1; /* one per process, never given back: OpenSSL has no more of an interface */

    if (slot < 0) {
        slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, connection_gone);
    }
    return slot;
}

/*
 * evhttp asks for the transport of a connection that it is about to accept. Without memory this returns NULL, evhttp
 * takes a transport without TLS, and on_request() refuses what comes over it.
 */
static struct bufferevent *new_transport(struct event_base *base, void *ctx)
{
    struct kerf_http *http = ctx;
    struct kerf_http_connection *connection = calloc(1, sizeof *connection);
    SSL *ssl = SSL_new(http->tls);

    if (connection == NULL || ssl == NULL || SSL_set_ex_data(ssl, connection_index(), connection) != 1) {
        SSL_free(ssl);
        free(connection);
        return NULL;
    }
    connection->http = http;
    connection->stream.fd = -1;
    connection->deadline_ms = now_ms() + http->config.limits.request_seconds * 1000ull;
    connection->next = http->connections;
    if (http->connections != NULL) {
        http->connections->prev = connection;
    }
    http->connections = connection;
    http->connection_count++;
    connection->bev = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (connection->bev != NULL) {
        bufferevent_openssl_set_allow_dirty_shutdown(connection->bev, 1);
    }
    if (http->connection_count >= http->config.limits.connections) {
        http->full = true;
        (void)evconnlistener_disable(http->listener);
    }
    return connection->bev;
}

/* An answer is out. */
static void answer_done(struct evhttp_request *evreq, void *ctx)
{
    struct kerf_http_connection *connection = ctx;

    (void)evreq;
    connection->answering = false;
    connection->deadline_ms = now_ms() + connection->http->config.limits.request_seconds * 1000ull;
    if (connection->http->stopping) {
        connection->deadline_ms = now_ms() + SWEEP_MS; /* time for the last bytes to leave the socket */
    }
}

/* A request is complete. */
static void on_request(struct evhttp_request *evreq, void *ctx)
{
    struct kerf_http *http = ctx;
    struct evhttp_connection *evconnection = evhttp_request_get_connection(evreq);
    SSL *ssl = bufferevent_openssl_get_ssl(evhttp_connection_get_bufferevent(evconnection));
    struct kerf_http_request request = {http, NULL, evreq, false};
    const int one = 1;

    request.connection = ssl == NULL ? NULL : SSL_get_ex_data(ssl, connection_index());
    if (request.connection == NULL) {
        evhttp_send_error(evreq, 400, NULL);
        return;
    }
    request.connection->answering = true;
    request.connection->output_left = 0;
    request.connection->deadline_ms = now_ms() + http->config.limits.stall_seconds * 1000ull;
    evhttp_request_set_on_complete_cb(evreq, answer_done, request.connection);
    (void)setsockopt(bufferevent_getfd(request.connection->bev), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (http->stopping) {
        (void)evhttp_add_header(evhttp_request_get_output_headers(evreq), "Connection", "close");
    }
    http->config.handler(http->config.handler_ctx, &request);
    if (!request.answered) {
        evhttp_send_reply(evreq, 500, NULL, NULL);
    }
}

static void sweep(evutil_socket_t fd, short what, void *ctx)
{
    struct kerf_http *http = ctx;
    const uint64_t now = now_ms();

    (void)fd;
    (void)what;
    for (struct kerf_http_connection *c = http->connections; c != NULL; c = c->next) {
        if (c->answering) {
            const size_t left = evbuffer_get_length(bufferevent_get_output(c->bev));

            if (left != c->output_left) { /* it moves: patience starts anew */
                c->output_left = left;
                c->deadline_ms = now + http->config.limits.stall_seconds * 1000ull;
            }
        }
        if (now >= c->deadline_ms || (http->stopping && now >= http->stop_ms)) {
            kerf_http_connection_cut(c);
        }
    }
    if (http->full && !http->stopping && http->connection_count < http->config.limits.connections) {
        http->full = false;
        (void)evconnlistener_enable(http->listener);
    }
    /* Past the deadline everything was cut; two more sweeps let evhttp notice. */
    if (http->stopping && (http->connection_count == 0 || now >= http->stop_ms + 2ull * SWEEP_MS)) {
        (void)event_base_loopbreak(http->base);
    }
}

/* --- Opening and closing --- */

/* Each connection may have a file open as well. */
static unsigned connections_allowed(unsigned wanted)
{
    struct rlimit files;
    rlim_t allowed;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return wanted;
    }
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    allowed = files.rlim_cur > FILES_RESERVED ? (files.rlim_cur - FILES_RESERVED) / 2 : 1;
    allowed = allowed < 1 ? 1 : allowed;
    return allowed < wanted ? (unsigned)allowed : wanted;
}

static kerf_err listen_on(struct kerf_http *http, struct kerf_why *why)
{
    struct evhttp_bound_socket *bound;
    struct sockaddr_storage address;
    socklen_t address_len = sizeof address;

    errno = 0;
    bound = evhttp_bind_socket_with_handle(http->evhttp, http->config.host, http->config.port);
    if (bound == NULL) {
        kerf_why_set(why, "can't listen on %s port %u: %s: choose another address or port (--listen)",
                     http->config.host, http->config.port, errno == 0 ? "no such address" : strerror(errno));
        return KERF_ERR_ARGUMENT;
    }
    http->listener = evhttp_bound_socket_get_listener(bound);
    if (getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &address_len) != 0) {
        kerf_why_set(why, "can't learn the port that is listened on: %s", strerror(errno));
        return KERF_ERR_FLASH;
    }
    http->port = ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&address)->sin6_port
                                                     : ((struct sockaddr_in *)(void *)&address)->sin_port);
    return KERF_OK;
}

static kerf_err make_loop(struct kerf_http *http, struct kerf_why *why)
{
    const struct timeval pace = {0, SWEEP_MS * 1000};
    const struct timeval forever = {86400, 0}; /* our own deadlines come first; evhttp's count idle reads as stalls */

    http->base = event_base_new();
    http->evhttp = http->base == NULL ? NULL : evhttp_new(http->base);
    http->sweep = http->base == NULL ? NULL : event_new(http->base, -1, EV_PERSIST, sweep, http);
    if (http->evhttp == NULL || http->sweep == NULL || event_add(http->sweep, &pace) != 0) {
        kerf_why_set(why, "no memory for the server");
        return KERF_ERR_RAM;
    }
    evhttp_set_bevcb(http->evhttp, new_transport, http);
    evhttp_set_gencb(http->evhttp, on_request, http);
    evhttp_set_max_headers_size(http->evhttp, (ev_ssize_t)http->config.limits.header_bytes);
    evhttp_set_max_body_size(http->evhttp, (ev_ssize_t)http->config.limits.body_bytes);
    evhttp_set_timeout_tv(http->evhttp, &forever);
    evhttp_set_default_content_type(http->evhttp, NULL);
    /* All methods reach the handler, which says 405 where it must. */
    evhttp_set_allowed_methods(http->evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                                 EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
    /* So that the client reads the 413 before its connection is reset. */
    (void)evhttp_set_flags(http->evhttp, EVHTTP_SERVER_LINGERING_CLOSE);
    return KERF_OK;
}

/* libevent's own warnings (a failed accept, mostly) would go to standard error in a form of their own. */
static void no_log(int severity, const char *message)
{
    (void)severity;
    (void)message;
}

kerf_err kerf_http_open(struct kerf_http **http, const struct kerf_http_config *config, struct kerf_why *why)
{
    struct kerf_http *opened = calloc(1, sizeof *opened);
    kerf_err err;

    *http = NULL;
    if (opened == NULL || connection_index() < 0) {
        free(opened);
        kerf_why_set(why, "no memory for the server");
        return KERF_ERR_RAM;
    }
    event_set_log_callback(no_log);
    opened->config = *config;
    opened->config.limits.connections = connections_allowed(config->limits.connections);
    err = kerf_http_reload(opened, why);
    if (err == KERF_OK) {
        err = make_loop(opened, why);
    }
    if (err == KERF_OK) {
        err = listen_on(opened, why);
    }
    if (err != KERF_OK) {
        kerf_http_close(opened);
        return err;
    }
    *http = opened;
    return KERF_OK;
}

void kerf_http_close(struct kerf_http *http)
{
    if (http == NULL) {
        return;
    }
    for (size_t i = 0; i < http->callback_count; i++) {
        event_free(http->callbacks[i].event);
    }
    if (http->sweep != NULL) {
        event_free(http->sweep);
    }
    if (http->evhttp != NULL) {
        evhttp_free(http->evhttp);
    }
    if (http->base != NULL) {
        (void)event_base_loop(http->base, EVLOOP_NONBLOCK); /* what evhttp_free() left to be freed later */
        event_base_free(http->base);
    }
    SSL_CTX_free(http->tls);
    free(http);
}

/* --- The loop --- */

static void call_back(evutil_socket_t fd, short what, void *ctx)
{
    const struct callback *callback = ctx;

    (void)fd;
    (void)what;
    callback->call(callback->ctx);
}

static kerf_err add_event(struct kerf_http *http, int signal_number, unsigned seconds, kerf_http_event *call, void *ctx)
{
    struct callback *callback = &http->callbacks[http->callback_count];
    const struct timeval pace = {(time_t)seconds, 0};

    if (http->callback_count == KERF_HTTP_EVENTS_MAX) {
        return KERF_ERR_STATE;
    }
    callback->call = call;
    callback->ctx = ctx;
    callback->event = seconds > 0 ? event_new(http->base, -1, EV_PERSIST, call_back, callback)
                                  : evsignal_new(http->base, signal_number, call_back, callback);
    if (callback->event == NULL || event_add(callback->event, seconds > 0 ? &pace : NULL) != 0) {
        if (callback->event != NULL) {
            event_free(callback->event);
        }
        return KERF_ERR_RAM;
    }
    http->callback_count++;
    return KERF_OK;
}

kerf_err kerf_http_on_signal(struct kerf_http *http, int signal_number, kerf_http_event *event, void *ctx)
{
    return add_event(http, signal_number, 0, event, ctx);
}

kerf_err kerf_http_every(struct kerf_http *http, unsigned seconds, kerf_http_event *event, void *ctx)
{
    return seconds == 0 ? KERF_ERR_ARGUMENT : add_event(http, 0, seconds, event, ctx);
}

kerf_err kerf_http_run(struct kerf_http *http)
{
    return event_base_dispatch(http->base) < 0 ? KERF_ERR_STATE : KERF_OK;
}

void kerf_http_stop(struct kerf_http *http)
{
    const uint64_t now = now_ms();

    if (http->stopping) {
        http->stop_ms = now;
        return;
    }
    http->stopping = true;
    http->stop_ms = now + http->config.limits.stop_seconds * 1000ull;
    (void)evconnlistener_disable(http->listener);
    for (struct kerf_http_connection *c = http->connections; c != NULL; c = c->next) {
        if (!c->answering) {
            c->deadline_ms = now + SWEEP_MS; /* a request that is just coming in may still make it */
        }
    }
}

uint16_t kerf_http_port(const struct kerf_http *http)
{
    return http->port;
}

unsigned kerf_http_connections(const struct kerf_http *http)
{
    return http->connection_count;
}

bool kerf_http_is_busy(const struct kerf_http *http)
{
    return http->connection_count > http->config.limits.connections - http->config.limits.connections / 8;
}
