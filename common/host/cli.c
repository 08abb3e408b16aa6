/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "common/host/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *program_name = "kerf";
static bool json_asked;  /* --json is on the command line */
static bool json_events; /* kerf_cli_json_events() */
static volatile sig_atomic_t caught_signal;

static void on_signal(int number)
{
    caught_signal = number;
}

void kerf_cli_catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action;

    memset(&action, 0, sizeof action); /* no SA_RESTART: a read that blocks must come back */
    action.sa_handler = on_signal;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction before;

        /* What was ignored from the start (nohup) stays so. */
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            (void)sigaction(numbers[i], &action, NULL);
        }
    }
}

bool kerf_cli_interrupted(void)
{
    return caught_signal != 0;
}

void kerf_cli_begin(const char *program)
{
    program_name = program;
    (void)signal(SIGPIPE, SIG_IGN);
    /* Else the next file that is opened would be standard input, or messages would go into it. It can't be read, or written. */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

int kerf_cli_end(int code)
{
    bool failed = ferror(stdout) != 0;

    if (caught_signal != 0) {
        (void)signal(caught_signal, SIG_DFL);
        (void)raise(caught_signal);
    }
    errno = 0;
    if (fflush(stdout) != 0 || failed) {
        struct kerf_why why;

        kerf_why_errno(&why, "write", "-", errno == 0 ? EIO : errno);
        (void)kerf_cli_fail(KERF_EXIT_IO, "%s", why.text);
        return code == KERF_EXIT_OK ? KERF_EXIT_IO : code;
    }
    return code;
}

int kerf_cli_fail(enum kerf_exit code, const char *format, ...)
{
    char text[1024];
    struct kerf_why why;
    va_list args;

    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0) {
        text[0] = '\0';
    }
    va_end(args);
    kerf_why_set(&why, "%s", text);
    (void)fflush(stdout);
    (void)fprintf(stderr, "%s: %s\n", program_name, why.text);
    return (int)code;
}

void kerf_cli_json_events(void)
{
    json_events = true;
}

int kerf_cli_failed(bool json, kerf_err err, enum kerf_exit code, const char *text)
{
    (void)kerf_cli_fail(code, "%s", text);
    if (json) {
        (void)kerf_cli_json(json_pack("{s:s*, s:b, s:s, s:i, s:o?}", "event", json_events ? "error" : NULL, "ok", 0,
                                      "error", kerf_cli_err_name(err), "exit", (int)code, "message",
                                      kerf_cli_json_text(text)));
    }
    return (int)code;
}

int kerf_cli_usage(const char *format, ...)
{
    char text[512];
    struct kerf_why why;
    va_list args;

    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0) {
        text[0] = '\0';
    }
    va_end(args);
    kerf_why_set(&why, "%s: try '%s --help'", text, program_name);
    return kerf_cli_failed(json_asked, KERF_ERR_ARGUMENT, KERF_EXIT_USAGE, why.text);
}

int kerf_cli_version(void)
{
    (void)printf("%s %s\n", program_name, KERF_VERSION);
    return KERF_EXIT_OK;
}

/* What getopt_long() found wrong: it returned '?' or ':'. */
static int bad_option(int result, char *const argv[])
{
    const char *given = optind > 0 ? argv[optind - 1] : "";

    if (result == ':') {
        return kerf_cli_usage("'%s' needs a value", given);
    }
    if (optopt != 0 && given[0] == '-' && given[1] == '-') {
        return kerf_cli_usage("'%s' takes no value", given);
    }
    /* In a bundle of short options optind has not moved on yet. */
    if (optopt != 0 && (given[0] != '-' || strchr(given, optopt) == NULL)) {
        return kerf_cli_usage("unknown option '-%c'", optopt);
    }
    return kerf_cli_usage("unknown option '%s'", given);
}

int kerf_cli_options(int argc, char *argv[], const char *shorts, const struct option *longs, kerf_cli_take *take,
                     void *ctx)
{
    int code = -1;
    int c;

    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        json_asked = json_asked || strcmp(argv[i], "--json") == 0;
    }
    opterr = 0;
    while (code < 0 && (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        code = c == '?' || c == ':' ? bad_option(c, argv) : take(ctx, c);
    }
    return code;
}

int kerf_cli_json(json_t *object)
{
    if (object == NULL) {
        return kerf_cli_fail(KERF_EXIT_INTERNAL, "out of memory: free some memory");
    }
    /* A failed write shows in kerf_cli_end(). */
    (void)json_dumpf(object, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    (void)putchar('\n');
    json_decref(object);
    return KERF_EXIT_OK;
}

json_t *kerf_cli_json_text(const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    const size_t width = sizeof replacement - 1;
    const size_t len = text == NULL ? 0 : strlen(text);
    char *clean = text == NULL || len > SIZE_MAX / width - 1 ? NULL : malloc(len * width + 1);
    size_t clean_len = 0;

    if (clean == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < len;) {
        const size_t char_len = kerf_why_char_len(text + i);

        memcpy(clean + clean_len, char_len == 0 ? replacement : text + i, char_len == 0 ? width : char_len);
        clean_len += char_len == 0 ? width : char_len;
        i += char_len == 0 ? 1 : char_len;
    }
    json_t *value = json_stringn(clean, clean_len);

    free(clean);
    return value;
}

kerf_err kerf_cli_parse_size(const char *text, uint64_t *size)
{
    uint64_t v = 0;
    unsigned shift = 0;

    if (*text < '0' || *text > '9') {
        return KERF_ERR_ARGUMENT;
    }
    for (; *text >= '0' && *text <= '9'; text++) {
        unsigned digit = (unsigned)(*text - '0');

        if (v > (UINT64_MAX - digit) / 10) {
            return KERF_ERR_ARGUMENT;
        }
        v = v * 10 + digit;
    }
    if (*text != '\0') {
        static const char units[] = "kKmMgG";
        const char *unit = strchr(units, *text);

        if (unit == NULL) {
            return KERF_ERR_ARGUMENT;
        }
        shift = (unsigned)((unit - units) / 2 + 1) * 10;
        text++;
        if (strcmp(text, "") != 0 && strcmp(text, "B") != 0 && strcmp(text, "iB") != 0) {
            return KERF_ERR_ARGUMENT;
        }
    }
    if (v > UINT64_MAX >> shift) {
        return KERF_ERR_ARGUMENT;
    }
    *size = v << shift;
    return KERF_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

kerf_err kerf_cli_parse_hex(const char *text, uint8_t *bytes, size_t len)
{
    if (strlen(text) != len * 2) {
        return KERF_ERR_ARGUMENT;
    }
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return KERF_ERR_ARGUMENT;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return KERF_OK;
}

char *kerf_cli_format_hex(const uint8_t *bytes, size_t len, char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * len] = '\0';
    return text;
}

/* One row per error: its number, its name in JSON, its exit code, its line. */
static const struct {
    kerf_err err;
    enum kerf_exit code;
    const char *name;
    const char *text;
} errors[] = {
    {KERF_OK, KERF_EXIT_OK, "ok", "no error"},
    {KERF_MORE_INPUT, KERF_EXIT_OK, "more-input", "more input is needed"},
    {KERF_MORE_WORK, KERF_EXIT_OK, "more-work", "there is more to do"},
    {KERF_SECTOR, KERF_EXIT_OK, "sector", "a sector is complete"},
    {KERF_END, KERF_EXIT_OK, "end", "finished"},
    {KERF_NONE, KERF_EXIT_OK, "none", "there is nothing"},
    {KERF_ERR_FORMAT, KERF_EXIT_DELTA, "format",
     "not a Kerf delta, or its header is damaged: check that it is the right file and fetch it again"},
    {KERF_ERR_VERSION, KERF_EXIT_DELTA, "version",
     "made in a version of the Kerf format that this program does not know: use a matching kerf-diff and kerf-patch"},
    {KERF_ERR_CORRUPT, KERF_EXIT_DELTA, "corrupt", "the delta is damaged: fetch it again"},
    {KERF_ERR_CHUNK, KERF_EXIT_DELTA, "chunk", "the delta is damaged (the digest of a chunk is wrong): fetch it again"},
    {KERF_ERR_TRUNCATED, KERF_EXIT_DELTA, "truncated", "the delta is cut short: fetch it again"},
    {KERF_ERR_TRAILING, KERF_EXIT_DELTA, "trailing", "there are bytes after the end of the delta: fetch it again"},
    {KERF_ERR_TARGET, KERF_EXIT_DELTA, "target",
     "the new image has the wrong digest, so the delta is damaged or badly made: fetch it again or make a new one"},
    {KERF_ERR_UNSUPPORTED, KERF_EXIT_LIMIT, "unsupported",
     "the delta needs a feature that this build leaves out: use a fuller build, or a delta made without it"},
    {KERF_ERR_SOURCE, KERF_EXIT_SOURCE, "source",
     "the old image is not the one that the delta was made from: use the delta for this image, or a full image"},
    {KERF_ERR_FLASH, KERF_EXIT_IO, "io", "reading or writing an image failed: check the file and the disk it is on"},
    {KERF_ERR_SPACE, KERF_EXIT_LIMIT, "space", "the new image does not fit into its slot: use a larger slot"},
    {KERF_ERR_RAM, KERF_EXIT_LIMIT, "ram",
     "the delta needs more workspace than there is: make one with a smaller kerf-diff --ram"},
    {KERF_ERR_SIGNATURE, KERF_EXIT_TRUST, "signature",
     "no valid signature by a known key, or too few: check the keys and where the file comes from"},
    {KERF_ERR_ROLLBACK, KERF_EXIT_TRUST, "rollback", "older than what was already accepted: offer a newer release"},
    {KERF_ERR_EXPIRED, KERF_EXIT_TRUST, "expired", "signed, but its time is over: check the clock, or sign it anew"},
    {KERF_ERR_MISMATCH, KERF_EXIT_TRUST, "mismatch",
     "the signed data and what was found disagree: check where the files come from"},
    {KERF_ERR_STATE, KERF_EXIT_INTERNAL, "state", "internal error: please report it with the command line"},
    {KERF_ERR_ARGUMENT, KERF_EXIT_USAGE, "argument", "an argument is out of range: see the manual page"},
};

static size_t find(kerf_err err)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (errors[i].err == err) {
            return i;
        }
    }
    return sizeof errors / sizeof errors[0] - 2; /* an unknown number is a bug: KERF_ERR_STATE */
}

const char *kerf_cli_err_text(kerf_err err)
{
    return errors[find(err)].text;
}

enum kerf_exit kerf_cli_err_exit(kerf_err err)
{
    return errors[find(err)].code;
}

const char *kerf_cli_err_name(kerf_err err)
{
    return errors[find(err)].name;
}
