/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "patcher/port/fetch.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "common/host/cli.h"

#define WAIT_MAX_MS 30000u
#define STALL_BYTES_PER_S 64L /* slower than this for stall_s counts as a stall */
#define PROGRESS_MIN 1024u    /* an attempt that brings less, and not the end, counts as one without progress */
#define REDIRECTS_MAX 3L
#define RECEIVE_BUFFER 16384L

struct kerf_fetch {
    CURL *curl;
    struct kerf_fetch_options options;
    char error[CURL_ERROR_SIZE];
};

/* --- Set-up --- */

kerf_err kerf_fetch_open(struct kerf_fetch **fetch, const struct kerf_fetch_options *options, struct kerf_why *why)
{
    *fetch = NULL;
    if (options->ca_file != NULL && options->ca_file[0] != '\0' && access(options->ca_file, R_OK) != 0) {
        kerf_why_set(why, "can't read the CA file '%s': give the PEM file of the server's CA", options->ca_file);
        return KERF_ERR_ARGUMENT;
    }
    struct kerf_fetch *f = calloc(1, sizeof *f);
    if (f == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(f);
        kerf_why_set(why, "libcurl can't start: out of memory");
        return KERF_ERR_RAM;
    }
    f->options = *options;
    f->curl = curl_easy_init();
    if (f->curl == NULL) {
        kerf_fetch_close(f);
        kerf_why_set(why, "libcurl can't start: out of memory");
        return KERF_ERR_RAM;
    }
    *fetch = f;
    return KERF_OK;
}

void kerf_fetch_close(struct kerf_fetch *fetch)
{
    if (fetch != NULL) {
        curl_easy_cleanup(fetch->curl);
        curl_global_cleanup();
        free(fetch);
    }
}

/* What every request has in common. False: libcurl lacks something that safety depends on. */
static bool prepare(struct kerf_fetch *f, const char *url)
{
    CURL *c = f->curl;
    const bool own_ca = f->options.ca_file != NULL && f->options.ca_file[0] != '\0';
    curl_easy_reset(c); /* keeps the connection */
    f->error[0] = '\0';
    bool ok = curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK;
    ok = ok && curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK;
    ok = ok && curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "https") == CURLE_OK;
    ok = ok && curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
    ok = ok && curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    if (own_ca) {
        /* Debian's libcurl trusts /etc/ssl/certs beside CAINFO unless it is told not to. */
        ok = ok && curl_easy_setopt(c, CURLOPT_CAINFO, f->options.ca_file) == CURLE_OK;
        ok = ok && curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK;
    }
    ok = ok && curl_easy_setopt(c, CURLOPT_ERRORBUFFER, f->error) == CURLE_OK;
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, f->options.connect_s);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES_PER_S);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, f->options.stall_s);
    (void)curl_easy_setopt(c, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
    (void)curl_easy_setopt(c, CURLOPT_USERAGENT, "kerf-agent/" KERF_VERSION);
    return ok;
}

/* Which of the network's faults this is. */
static void blame(struct kerf_fetch_info *info, CURLcode result)
{
    switch ((int)result) {
    case CURLE_OK:
        break;
    case CURLE_PEER_FAILED_VERIFICATION: /* also CURLE_SSL_CACERT */
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        info->untrusted = true;
        info->code = KERF_CODE_TLS;
        break;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
        info->code = KERF_CODE_TLS;
        break;
    case CURLE_OPERATION_TIMEDOUT:
        info->code = KERF_CODE_TIMEOUT;
        break;
    default:
        info->code = KERF_CODE_NET;
        break;
    }
}

static const char *curl_text(const struct kerf_fetch *f, CURLcode result)
{
    return f->error[0] != '\0' ? f->error : curl_easy_strerror(result);
}

/* --- Posting --- */

struct collector {
    char *data;
    size_t len, max_len;
    kerf_err err;
};

static size_t collect(char *data, size_t unit, size_t count, void *ctx)
{
    struct collector *to = ctx;
    const size_t len = unit * count;
    if (len > to->max_len - to->len) {
        to->err = KERF_ERR_SPACE;
        return 0;
    }
    char *grown = realloc(to->data, to->len + len + 1);
    if (grown == NULL) {
        to->err = KERF_ERR_RAM;
        return 0;
    }
    memcpy(grown + to->len, data, len);
    to->data = grown;
    to->len += len;
    grown[to->len] = '\0';
    return len;
}

static kerf_err post_error(const struct kerf_fetch *f, CURLcode result, const struct collector *got, const char *url,
                           struct kerf_fetch_info *info, struct kerf_why *why)
{
    char message[200];
    if (got->err != KERF_OK) {
        info->code = KERF_CODE_NET;
        kerf_why_set(why,
                     got->err == KERF_ERR_SPACE ? "'%s' sends over %zu bytes: that is no Kerf server"
                                                : "'%s': out of memory for an answer of up to %zu bytes",
                     url, got->max_len);
        return got->err;
    }
    if (result != CURLE_OK) {
        blame(info, result);
        kerf_why_set(why, "can't reach '%s': %s", url, curl_text(f, result));
        return KERF_ERR_TRUNCATED;
    }
    info->code = KERF_CODE_NET;
    kerf_error_read(got->data != NULL ? got->data : "", got->len, message, sizeof message);
    kerf_why_set(why, "'%s' answers %ld%s%s", url, info->http_status, message[0] != '\0' ? ": " : "", message);
    return KERF_ERR_TRUNCATED;
}

kerf_err kerf_fetch_post(struct kerf_fetch *fetch, const char *url, const char *body, size_t body_len, size_t max_len,
                         char **answer, size_t *answer_len, struct kerf_fetch_info *info, struct kerf_why *why)
{
    struct collector got = {NULL, 0, max_len, KERF_OK};
    memset(info, 0, sizeof *info);
    *answer = NULL;
    *answer_len = 0;
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (headers == NULL || !prepare(fetch, url)) {
        curl_slist_free_all(headers);
        kerf_why_set(why, "libcurl can't do HTTPS to '%s' as it must be done", url);
        return KERF_ERR_RAM;
    }
    CURL *c = fetch->curl;
    (void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(c, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
    (void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_len);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, collect);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, &got);
    (void)curl_easy_setopt(c, CURLOPT_TIMEOUT, fetch->options.connect_s + 2 * fetch->options.stall_s);
    info->attempts = 1;
    const CURLcode result = curl_easy_perform(c);
    (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &info->http_status);
    curl_slist_free_all(headers);
    info->received = got.len;
    if (result != CURLE_OK || info->http_status != 200 || got.data == NULL) {
        const kerf_err err = post_error(fetch, result, &got, url, info, why);
        free(got.data);
        return err;
    }
    *answer = got.data;
    *answer_len = got.len;
    return KERF_OK;
}

/* --- Streaming --- */

struct stream {
    CURL *curl;
    kerf_fetch_sink *sink;
    void *ctx;
    kerf_err err;         /* of the sink */
    uint64_t pos, size;   /* next byte wanted; bytes in all */
    bool begun;           /* the body of this answer has begun, and `skip` is known */
    bool wrong;           /* this answer can't be used */
    uint64_t skip;        /* bytes of this answer that are known already */
    bool range_known;     /* this answer has a Content-Range */
    uint64_t range_start; /* its first byte */
    uint64_t received;
};

/* Looks at one header line. A new status line begins a new answer (redirects). */
static size_t header_line(char *data, size_t unit, size_t count, void *ctx)
{
    static const char name[] = "content-range:";
    struct stream *s = ctx;
    const size_t len = unit * count;
    char value[64];
    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        s->range_known = false;
    }
    if (len > sizeof name && len < sizeof name - 1 + sizeof value && strncasecmp(data, name, sizeof name - 1) == 0) {
        unsigned long long start = 0;
        const size_t value_len = len - (sizeof name - 1);
        memcpy(value, data + sizeof name - 1, value_len);
        value[value_len] = '\0';
        if (sscanf(value, " bytes %19llu-", &start) == 1) {
            s->range_known = true;
            s->range_start = start;
        }
    }
    return len;
}

/* Decides, at the first byte of a body, where in the payload it begins. */
static void begin_body(struct stream *s)
{
    long status = 0;
    (void)curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    s->begun = true;
    if (status == 200) {
        s->skip = s->pos;
    } else if (status == 206 && s->range_known && s->range_start <= s->pos) {
        s->skip = s->pos - s->range_start;
    } else {
        s->wrong = true;
    }
}

static size_t body_part(char *data, size_t unit, size_t count, void *ctx)
{
    struct stream *s = ctx;
    const size_t len = unit * count;
    size_t used = 0;
    s->received += len;
    if (!s->begun) {
        begin_body(s);
    }
    if (s->wrong) {
        return 0;
    }
    used = s->skip < len ? (size_t)s->skip : len;
    s->skip -= used;
    const uint64_t left = s->size - s->pos;
    const size_t fresh = left < len - used ? (size_t)left : len - used;
    if (fresh > 0) {
        s->err = s->sink(s->ctx, (const uint8_t *)data + used, fresh);
        if (s->err != KERF_OK) {
            return 0;
        }
        s->pos += fresh;
    }
    /* Whatever follows the last byte is not our payload: hang up. */
    return fresh == len - used ? len : 0;
}

static CURLcode attempt(struct kerf_fetch *f, struct stream *s, const char *url, bool use_range)
{
    char range[24];
    CURL *c = f->curl;
    if (!prepare(f, url)) {
        return CURLE_NOT_BUILT_IN;
    }
    s->begun = false;
    s->wrong = false;
    s->range_known = false;
    (void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    (void)curl_easy_setopt(c, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    (void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, header_line);
    (void)curl_easy_setopt(c, CURLOPT_HEADERDATA, s);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, body_part);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
    if (use_range) {
        (void)snprintf(range, sizeof range, "%llu-", (unsigned long long)s->pos);
        (void)curl_easy_setopt(c, CURLOPT_RANGE, range);
    }
    return curl_easy_perform(c);
}

static void wait_ms(uint64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000L};
    while (nanosleep(&left, &left) != 0) {
    }
}

/* Milliseconds before the next attempt: what the server asks for, within bounds, or doubled each time. */
static uint64_t pause_ms(const struct kerf_fetch *f, unsigned fruitless)
{
    curl_off_t asked = 0;
    uint64_t ms = f->options.wait_ms;
    for (unsigned i = 1; i < fruitless && ms < WAIT_MAX_MS; i++) {
        ms *= 2;
    }
    if (curl_easy_getinfo(f->curl, CURLINFO_RETRY_AFTER, &asked) == CURLE_OK && asked > 0) {
        ms = asked > (curl_off_t)(WAIT_MAX_MS / 1000) ? WAIT_MAX_MS : (uint64_t)asked * 1000;
    }
    return ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS;
}

/* Is there no sense in asking again? */
static bool is_final(long status)
{
    return status >= 400 && status < 500 && status != 408 && status != 429;
}

kerf_err kerf_fetch_get(struct kerf_fetch *fetch, const char *url, uint64_t from, uint64_t size, kerf_fetch_sink *sink,
                        void *ctx, struct kerf_fetch_info *info, struct kerf_why *why)
{
    struct stream s = {.curl = fetch->curl, .sink = sink, .ctx = ctx, .pos = from, .size = size};
    CURLcode result = CURLE_OK;
    bool use_range = true;
    memset(info, 0, sizeof *info);
    for (unsigned fruitless = 0; s.pos < s.size && fruitless < fetch->options.retries;) {
        if (info->attempts > 0) {
            wait_ms(pause_ms(fetch, fruitless));
        }
        const uint64_t begin = s.pos;
        info->attempts++;
        info->resumed += s.pos > 0 ? 1 : 0;
        result = attempt(fetch, &s, url, use_range && s.pos > 0);
        info->http_status = 0;
        (void)curl_easy_getinfo(fetch->curl, CURLINFO_RESPONSE_CODE, &info->http_status);
        info->received = s.received;
        if (s.err != KERF_OK) {
            return s.err;
        }
        fruitless = s.pos - begin >= PROGRESS_MIN ? 1 : fruitless + 1;
        if (use_range && (info->http_status == 416 || (info->http_status == 206 && s.wrong))) {
            use_range = false; /* it denies that the rest exists, or sends another part: try the whole */
        } else if (s.pos < s.size && is_final(info->http_status)) {
            break;
        }
    }
    if (s.pos == s.size) {
        return KERF_OK;
    }
    if (result == CURLE_OK || (result == CURLE_WRITE_ERROR && s.wrong)) {
        info->code = KERF_CODE_NET;
        kerf_why_set(why, "'%s' answers %ld and %llu of %llu bytes", url, info->http_status, (unsigned long long)s.pos,
                     (unsigned long long)s.size);
    } else {
        blame(info, result);
        kerf_why_set(why, "can't fetch '%s' beyond byte %llu of %llu: %s", url, (unsigned long long)s.pos,
                     (unsigned long long)s.size, curl_text(fetch, result));
    }
    return KERF_ERR_TRUNCATED;
}

kerf_err kerf_fetch_resolve(const char *base, const char *url, char *absolute, size_t cap, struct kerf_why *why)
{
    CURLU *u = curl_url();
    char *text = NULL;
    char *scheme = NULL;
    bool ok = u != NULL && curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK &&
              curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && strcasecmp(scheme, "https") == 0 &&
              curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK && strlen(text) < cap;
    if (ok) {
        memcpy(absolute, text, strlen(text) + 1);
    } else {
        kerf_why_set(why, "'%.200s' is not an https URL", url);
    }
    curl_free(text);
    curl_free(scheme);
    curl_url_cleanup(u);
    return ok ? KERF_OK : KERF_ERR_ARGUMENT;
}
