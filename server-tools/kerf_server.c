/* SPDX-License-Identifier: Apache-2.0 */
/* kerf-server: answers devices over HTTPS from a repository. docs/man/kerf-server.1 */
#define _POSIX_C_SOURCE 200809L
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/host/cli.h"
#include "server-tools/service.h"

#define WATCH_SECONDS 1 /* how often the repository is looked at, and pending device states are written */
#define FRESH_SECONDS 86400u
#define POLL_MAX 31622400u /* a year, PROTOCOL.md's limit */

struct options {
    const char *repo_dir, *cert_path, *key_path, *db_path; /* NULL: not given */
    const char *fresh_key_path;
    const char *listen;
    const char *url_base;
    char host[256];
    uint16_t port;
    uint64_t poll_after; /* seconds */
    uint64_t connections, request_seconds;
    bool tls12, full_on_metered, json_log;
};

/* The parts of the running server. */
struct server {
    struct options options;
    struct kerf_service service;
    struct kerf_signing_key fresh_key;
    struct kerf_http *http;
};

static int help(void)
{
    (void)fputs(
        "Usage: kerf-server --repo DIR --cert FILE --key FILE --db FILE [options]\n"
        "Answers devices over HTTPS: which delta or image they should fetch, the payloads, their reports.\n"
        "\n"
        "      --repo DIR          repository made by kerf-repo\n"
        "      --cert FILE         certificate chain (PEM), the server's own first\n"
        "      --key FILE          its private key (PEM, no passphrase)\n"
        "      --db FILE           database of reports and device states (SQLite); made where it is missing\n"
        "      --listen HOST:PORT  where to listen, 127.0.0.1:8443 by default; port 0 takes any free one; [::1]:8443\n"
        "      --url-base URL      payload URLs begin with this (a CDN, say); by default they are on this server\n"
        "      --fresh-key FILE    sign a fresh document per answer, with the device's nonce, by this online key\n"
        "      --poll SECONDS      when devices ask again, 14400 by default\n"
        "      --full-on-metered   offer full payloads over metered links too\n"
        "      --connections N     at once, at most, 4096 by default\n"
        "      --request-seconds N a request must be complete within this time, 30 by default\n"
        "      --tls12             accept TLS 1.2 too; by default 1.3 only\n"
        "      --json-log          log lines (standard error) are JSON\n"
        "  -h, --help              print this\n"
        "      --version           print the version\n"
        "\n"
        "Prints its address on standard output when it is ready. SIGTERM and SIGINT end it once answers in progress "
        "are\n"
        "out; SIGHUP loads repository and certificate anew. A publish is noticed by itself.\n"
        "Exit codes: 0 stopped, 1 internal error, 2 usage, 3 damaged repository, 5 file or disk error, 6 signature "
        "check\n"
        "failed, 8 can't listen.\n",
        stdout);
    return KERF_EXIT_OK;
}

/* --- Command line --- */

/* Splits HOST:PORT or [HOST]:PORT. */
static kerf_err parse_listen(struct options *o)
{
    const char *colon = strrchr(o->listen, ':');
    const char *host = o->listen;
    size_t host_len;
    uint64_t port = 0;

    if (colon == NULL || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        kerf_cli_parse_size(colon + 1, &port) != KERF_OK || port > UINT16_MAX) {
        return KERF_ERR_ARGUMENT;
    }
    host_len = (size_t)(colon - host);
    if (host_len >= 2 && host[0] == '[' && host[host_len - 1] == ']') {
        host++;
        host_len -= 2;
    } else if (memchr(host, ':', host_len) != NULL) {
        return KERF_ERR_ARGUMENT;
    }
    if (host_len == 0 || host_len >= sizeof o->host) {
        return KERF_ERR_ARGUMENT;
    }
    memcpy(o->host, host, host_len);
    o->host[host_len] = '\0';
    o->port = (uint16_t)port;
    return KERF_OK;
}

/* True for a number of min .. max. */
static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *n)
{
    return kerf_cli_parse_size(text, n) == KERF_OK && *n >= min && *n <= max;
}

/* What every run needs. Returns -1 to go on, else an exit code. */
static int check_options(struct options *o, int argc, char **argv)
{
    if (optind < argc) {
        return kerf_cli_usage("'%s' is one argument too many", argv[optind]);
    }
    if (o->repo_dir == NULL || o->cert_path == NULL || o->key_path == NULL || o->db_path == NULL) {
        return kerf_cli_usage("%s is missing", o->repo_dir == NULL    ? "--repo DIR"
                                               : o->cert_path == NULL ? "--cert FILE"
                                               : o->key_path == NULL  ? "--key FILE"
                                                                      : "--db FILE");
    }
    if (parse_listen(o) != KERF_OK) {
        return kerf_cli_usage("--listen takes HOST:PORT, as in 127.0.0.1:8443 or [::1]:8443, not '%s'", o->listen);
    }
    return -1;
}

/* --url-base: https or http, no slash at its end. */
static bool valid_url_base(const char *url)
{
    const size_t len = strlen(url);

    return (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0) && url[len - 1] != '/' && len < 900 &&
           strpbrk(url, " \t\r\n\"<>") == NULL;
}

enum {
    OPT_REPO = 256,
    OPT_CERT,
    OPT_KEY,
    OPT_DB,
    OPT_LISTEN,
    OPT_URL_BASE,
    OPT_FRESH_KEY,
    OPT_POLL,
    OPT_METERED,
    OPT_CONNECTIONS,
    OPT_REQUEST_SECONDS,
    OPT_TLS12,
    OPT_JSON_LOG,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"repo", required_argument, NULL, OPT_REPO},
    {"cert", required_argument, NULL, OPT_CERT},
    {"key", required_argument, NULL, OPT_KEY},
    {"db", required_argument, NULL, OPT_DB},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"url-base", required_argument, NULL, OPT_URL_BASE},
    {"fresh-key", required_argument, NULL, OPT_FRESH_KEY},
    {"poll", required_argument, NULL, OPT_POLL},
    {"full-on-metered", no_argument, NULL, OPT_METERED},
    {"connections", required_argument, NULL, OPT_CONNECTIONS},
    {"request-seconds", required_argument, NULL, OPT_REQUEST_SECONDS},
    {"tls12", no_argument, NULL, OPT_TLS12},
    {"json-log", no_argument, NULL, OPT_JSON_LOG},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

/* Takes one option. Returns -1 to go on, else an exit code. */
static int take_option(void *ctx, int c)
{
    struct options *o = ctx;

    switch (c) {
    case OPT_REPO:
        o->repo_dir = optarg;
        return -1;
    case OPT_CERT:
        o->cert_path = optarg;
        return -1;
    case OPT_KEY:
        o->key_path = optarg;
        return -1;
    case OPT_DB:
        o->db_path = optarg;
        return -1;
    case OPT_LISTEN:
        o->listen = optarg;
        return -1;
    case OPT_URL_BASE:
        o->url_base = optarg;
        return valid_url_base(optarg)
                   ? -1
                   : kerf_cli_usage("--url-base takes a URL such as https://cdn.example.com/fw, not '%s'", optarg);
    case OPT_FRESH_KEY:
        o->fresh_key_path = optarg;
        return -1;
    case OPT_POLL:
        return parse_number(optarg, 1, POLL_MAX, &o->poll_after)
                   ? -1
                   : kerf_cli_usage("--poll takes seconds, 1 to %u, not '%s'", POLL_MAX, optarg);
    case OPT_METERED:
        o->full_on_metered = true;
        return -1;
    case OPT_CONNECTIONS:
        return parse_number(optarg, 1, 1000000, &o->connections)
                   ? -1
                   : kerf_cli_usage("--connections takes a number from 1 to 1000000, not '%s'", optarg);
    case OPT_REQUEST_SECONDS:
        return parse_number(optarg, 1, 3600, &o->request_seconds)
                   ? -1
                   : kerf_cli_usage("--request-seconds takes a number from 1 to 3600, not '%s'", optarg);
    case OPT_TLS12:
        o->tls12 = true;
        return -1;
    case OPT_JSON_LOG:
        o->json_log = true;
        return -1;
    case 'h':
        return help();
    default:
        return kerf_cli_version();
    }
}

static int parse_options(struct options *o, int argc, char **argv)
{
    const int code = kerf_cli_options(argc, argv, ":h", long_options, take_option, o);

    return code < 0 ? check_options(o, argc, argv) : code;
}

/* --- Events --- */

static void on_stop(void *ctx)
{
    struct server *server = ctx;

    kerf_log_event(&server->service.log, "stopping",
                   json_pack("{s:I}", "connections", (json_int_t)kerf_http_connections(server->http)));
    kerf_http_stop(server->http);
}

static void on_reload(void *ctx)
{
    struct server *server = ctx;
    struct kerf_why why;

    (void)!kerf_service_reload(&server->service, &why); /* says itself what is wrong; the old snapshot stays */
    if (kerf_http_reload(server->http, &why) != KERF_OK) {
        kerf_log_event(&server->service.log, "error", json_pack("{s:s}", "error", why.text));
    }
}

static void on_tick(void *ctx)
{
    struct server *server = ctx;
    struct kerf_snapshot_stamp stamp;
    struct kerf_why why;

    if (kerf_fleet_flush(server->service.fleet, &why) != KERF_OK) {
        kerf_log_event(&server->service.log, "error", json_pack("{s:s}", "error", why.text));
    }
    kerf_snapshot_stamp_take(&stamp, &server->service.repo);
    if (!kerf_snapshot_stamp_equal(&stamp, &server->service.stamp)) {
        (void)!kerf_service_reload(&server->service, &why);
    }
}

/* --- The run --- */

static kerf_err open_parts(struct server *server, struct kerf_why *why)
{
    const struct options *o = &server->options;
    struct kerf_service *service = &server->service;
    struct kerf_http_config config = {
        .host = o->host,
        .port = o->port,
        .cert_path = o->cert_path,
        .key_path = o->key_path,
        .tls12 = o->tls12,
        .limits = kerf_http_limits_default,
        .handler = kerf_service_handle,
        .handler_ctx = service,
    };
    kerf_err err = kerf_repository_open(&service->repo, o->repo_dir, why);

    config.limits.connections = (unsigned)o->connections;
    config.limits.request_seconds = (unsigned)o->request_seconds;
    if (err == KERF_OK && o->fresh_key_path != NULL) {
        err = kerf_signing_key_load(&server->fresh_key, o->fresh_key_path, why);
        service->fresh_key = &server->fresh_key;
    }
    if (err == KERF_OK) {
        err = kerf_fleet_open(&service->fleet, o->db_path, why);
    }
    if (err == KERF_OK) {
        err = kerf_http_open(&server->http, &config, why);
    }
    service->http = server->http;
    /* Last, as it is what logs: whoever connects meanwhile waits in the listener's queue. */
    return err == KERF_OK ? kerf_service_reload(service, why) : err;
}

static kerf_err add_events(struct server *server)
{
    kerf_err err = kerf_http_on_signal(server->http, SIGTERM, on_stop, server);

    if (err == KERF_OK) {
        err = kerf_http_on_signal(server->http, SIGINT, on_stop, server);
    }
    if (err == KERF_OK) {
        err = kerf_http_on_signal(server->http, SIGHUP, on_reload, server);
    }
    return err == KERF_OK ? kerf_http_every(server->http, WATCH_SECONDS, on_tick, server) : err;
}

/* One line on standard output, for people and for scripts that wait for it. */
static void announce(const struct server *server)
{
    const char *host = server->options.host;
    const bool v6 = strchr(host, ':') != NULL;
    char url[320];

    (void)snprintf(url, sizeof url, "https://%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "",
                   kerf_http_port(server->http));
    if (server->options.json_log) {
        (void)kerf_cli_json(
            json_pack("{s:s, s:s, s:i}", "event", "ready", "url", url, "port", (int)kerf_http_port(server->http)));
    } else {
        (void)printf("kerf-server: listening on %s\n", url);
    }
    (void)fflush(stdout);
}

static int run(struct server *server)
{
    struct kerf_why why = {""};
    kerf_err err = open_parts(server, &why);
    bool serving = false;

    if (err == KERF_OK) {
        err = add_events(server);
    }
    if (err == KERF_OK) {
        announce(server);
        serving = true;
        err = kerf_http_run(server->http);
        kerf_log_event(&server->service.log, "stopped",
                       json_pack("{s:I, s:I}", "checks", (json_int_t)server->service.counts.checks, "reports",
                                 (json_int_t)server->service.counts.reports));
    }
    if (err != KERF_OK) {
        /* An address that can't be listened on is the network's fault, not the command line's. */
        const bool network = !serving && err == KERF_ERR_ARGUMENT && server->service.fleet != NULL &&
                             server->http == NULL;

        return kerf_cli_fail(network ? KERF_EXIT_NETWORK : kerf_cli_err_exit(err), "%s",
                             why.text[0] != '\0' ? why.text : kerf_cli_err_text(err));
    }
    return KERF_EXIT_OK;
}

int main(int argc, char **argv)
{
    struct server server;
    int code;

    kerf_cli_begin("kerf-server");
    memset(&server, 0, sizeof server);
    server.options.listen = "127.0.0.1:8443";
    server.options.url_base = "";
    server.options.poll_after = kerf_policy_default.poll_after;
    server.options.request_seconds = kerf_http_limits_default.request_seconds;
    server.options.connections = kerf_http_limits_default.connections;
    code = parse_options(&server.options, argc, argv);
    if (code >= 0) {
        return kerf_cli_end(code);
    }
    server.service.policy = kerf_policy_default;
    server.service.policy.poll_after = (uint32_t)server.options.poll_after;
    server.service.policy.full_on_metered = server.options.full_on_metered;
    server.service.url_base = server.options.url_base;
    server.service.fresh_seconds = FRESH_SECONDS;
    server.service.log.json = server.options.json_log;
    code = run(&server);
    kerf_http_close(server.http);
    kerf_fleet_close(server.service.fleet);
    kerf_snapshot_free(server.service.snapshot);
    kerf_signing_key_free(&server.fresh_key);
    return kerf_cli_end(code);
}
