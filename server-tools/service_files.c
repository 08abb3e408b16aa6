/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service_files.c - payloads and metadata, as files of the repository. A path of the file system is only ever put
 * together from a parsed digest, a valid name and a parsed number: there is nothing in it that a client has written.
 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/host/cli.h"
#include "server-tools/service_internal.h"

#define IMMUTABLE "public, max-age=31536000, immutable"

/* Opens a regular file; -1 when it was refused (the request is then answered). */
static int open_file(struct kerf_service *service, struct kerf_http_request *request, const char *path, struct stat *st)
{
    /* O_NONBLOCK: a FIFO put there by mistake must not stop the server. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        kerf_service_refuse(service, request, 404, "there is no such file");
        return -1;
    }
    if (fd < 0 || fstat(fd, st) != 0 || !S_ISREG(st->st_mode)) {
        struct kerf_why why;

        kerf_why_errno(&why, "serve", path, fd < 0 ? errno : EISDIR);
        kerf_log_event(&service->log, "error", json_pack("{s:s}", "error", why.text));
        if (fd >= 0) {
            (void)close(fd);
        }
        kerf_service_refuse(service, request, 503, "the file can't be read now");
        return -1;
    }
    return fd;
}

static void log_file(const struct kerf_service *service, const struct kerf_http_request *request, const char *event,
                     const char *name, int status)
{
    const char *range = kerf_http_request_header(request, "Range");

    kerf_log_event(&service->log, event,
                   json_pack("{s:s, s:s, s:i, s:s*}", "peer", kerf_http_request_peer(request), "name", name, "status",
                             status, "range", range));
}

void kerf_service_payload(struct kerf_service *service, struct kerf_http_request *request, const char *name)
{
    struct kerf_sha256_digest digest;
    struct stat st;
    char path[KERF_PATH_MAX];
    char etag[2 * KERF_SHA256_LEN + 3];
    char hex[2 * KERF_SHA256_LEN + 1];
    int fd;

    if (strspn(name, "0123456789abcdef") != strlen(name) ||
        kerf_cli_parse_hex(name, digest.b, sizeof digest.b) != KERF_OK) {
        kerf_service_refuse(service, request, 404, "payloads are /p/ and 64 lower-case hexadecimal digits");
        return;
    }
    fd = open_file(service, request, kerf_repository_object_path(&service->repo, KERF_STORE_PAYLOAD, &digest, path),
                   &st);
    if (fd < 0) {
        return;
    }
    (void)kerf_cli_format_hex(digest.b, sizeof digest.b, hex);
    (void)snprintf(etag, sizeof etag, "\"%s\"", hex);
    /* Before the answer: it is what may free the request's headers. */
    log_file(service, request, "payload", hex, 0);
    kerf_http_answer_header(request, "Cache-Control", IMMUTABLE);
    (void)kerf_http_answer_file(request, fd, (uint64_t)st.st_size, etag, "application/octet-stream");
}

/* A decimal number from 1 up without leading zeros; 0: not one. */
static uint64_t parse_number(const char *text)
{
    uint64_t n = 0;

    if (*text == '0' || *text == '\0' || strlen(text) > 19) { /* 19 digits always fit into 64 bits */
        return 0;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return 0;
        }
        n = n * 10 + (uint64_t)(*text - '0');
    }
    return n;
}

/* "<product>/fresh", "<product>/root.<N>" or "<product>/release.<seq>" to a path; NULL: none of these. */
static const char *document_path(const struct kerf_service *service, const char *name, bool *immutable, char *path)
{
    const char *slash = strchr(name, '/');
    char product[KERF_NAME_MAX_LEN + 1];
    const struct kerf_span span = {(const uint8_t *)name, slash == NULL ? 0 : (size_t)(slash - name)};
    uint64_t number;

    if (slash == NULL || span.len > KERF_NAME_MAX_LEN || !kerf_name_valid(span)) {
        return NULL;
    }
    memcpy(product, name, span.len);
    product[span.len] = '\0';
    name = slash + 1;
    *immutable = strcmp(name, "fresh") != 0;
    if (!*immutable) {
        return kerf_repository_document_path(&service->repo, product, KERF_DOC_FRESH, 0, path);
    }
    if (strncmp(name, "root.", 5) == 0) {
        number = parse_number(name + 5);
        return number == 0 ? NULL : kerf_repository_document_path(&service->repo, product, KERF_DOC_ROOT, number, path);
    }
    if (strncmp(name, "release.", 8) == 0) {
        number = parse_number(name + 8);
        return number == 0 ? NULL
                           : kerf_repository_document_path(&service->repo, product, KERF_DOC_RELEASE, number, path);
    }
    return NULL;
}

void kerf_service_metadata(struct kerf_service *service, struct kerf_http_request *request, const char *name)
{
    char path[KERF_PATH_MAX];
    char etag[80];
    struct stat st;
    bool immutable = false;
    const bool current = strcmp(name, "current") == 0;
    const char *found = current ? kerf_repository_current_path(&service->repo, path)
                                : document_path(service, name, &immutable, path);
    int fd;

    if (found == NULL) {
        kerf_service_refuse(service, request, 404, "there is no such document");
        return;
    }
    fd = open_file(service, request, found, &st);
    if (fd < 0) {
        return;
    }
    /* These files are replaced by a rename, never changed: identity and time name the content. */
    (void)snprintf(etag, sizeof etag, "\"%llx-%llx-%llx.%lx\"", (unsigned long long)st.st_ino,
                   (unsigned long long)st.st_size, (unsigned long long)st.st_mtim.tv_sec,
                   (unsigned long)st.st_mtim.tv_nsec);
    log_file(service, request, "metadata", name, 0);
    kerf_http_answer_header(request, "Cache-Control", immutable ? IMMUTABLE : "no-cache");
    (void)kerf_http_answer_file(request, fd, (uint64_t)st.st_size, etag,
                                current ? "application/json" : "application/cbor");
}
