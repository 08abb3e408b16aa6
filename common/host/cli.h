/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h - what every Kerf command line has in common.
 *
 * A program calls kerf_cli_begin() first and returns kerf_cli_end(code) from main. Anything wrong is one line on
 * standard error, "kerf-xxx: what is wrong: what to do", and an exit code of exit.h. Not for use by several threads at
 * once.
 */
#ifndef KERF_COMMON_HOST_CLI_H
#define KERF_COMMON_HOST_CLI_H

#include <jansson.h>

#include "common/error.h"
#include "common/host/exit.h"
#include "common/host/why.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of every program of this tree. */
#define KERF_VERSION "0.1.0-dev"

/*
 * `program` is the name in messages (a literal, e.g. "kerf-patch"). Makes a closed pipe an error, not a death, and
 * keeps standard input, output and error that were closed from becoming other files.
 */
void kerf_cli_begin(const char *program);

/* What main() returns: `code`, or KERF_EXIT_IO (with a message) where standard output could not be written. */
int kerf_cli_end(int code);

/*
 * From now on an interrupt (SIGINT, SIGTERM, SIGHUP) does not end the program: blocking calls fail with EINTR, and
 * kerf_cli_interrupted() is true, so that what was begun can be cleaned up. kerf_cli_end() then ends it by that signal.
 */
void kerf_cli_catch_signals(void);
bool kerf_cli_interrupted(void);

/* Prints "<program>: <message>\n" to standard error and returns `code`, so that `return kerf_cli_fail(...)` reads well. */
int kerf_cli_fail(enum kerf_exit code, const char *format, ...) KERF_PRINTF(2, 3);

/*
 * kerf_cli_fail(code, "%s", text); with `json` also as an object on standard output: ok (false), error (the name of
 * `err`), exit and message.
 */
int kerf_cli_failed(bool json, kerf_err err, enum kerf_exit code, const char *text);

/* The program's JSON is a line for each event, and failures are events, too: their objects begin with event ("error"). */
void kerf_cli_json_events(void);

/*
 * kerf_cli_fail(KERF_EXIT_USAGE, ...) with ": try '<program> --help'" added; as kerf_cli_failed() where --json is among
 * the arguments that kerf_cli_options() was given.
 */
int kerf_cli_usage(const char *format, ...) KERF_PRINTF(1, 2);

/* Prints "<program> <KERF_VERSION>\n" to standard output; returns KERF_EXIT_OK. */
int kerf_cli_version(void);

/*
 * Reads a program's options, by getopt_long(): `take` gets each, with its value in getopt's optarg, and answers -1 to
 * go on, or an exit code. Returns the first such code, or a usage error that names an argument which is no option of
 * these or lacks its value; -1: go on with argv[optind], the first that is no option. `shorts` begins with ':'.
 */
struct option;
typedef int kerf_cli_take(void *ctx, int option);
int kerf_cli_options(int argc, char *argv[], const char *shorts, const struct option *longs, kerf_cli_take *take,
                     void *ctx);

/* Prints `object` to standard output as one JSON line and releases it. NULL (no memory) is KERF_EXIT_INTERNAL. */
int kerf_cli_json(json_t *object);

/*
 * A new string value; bytes of `text` that are not UTF-8 become U+FFFD, as JSON can't carry them: a file name may be
 * any bytes. NULL: `text` is NULL, or no memory.
 */
json_t *kerf_cli_json_text(const char *text);

/*
 * A size: digits, then nothing or K, M, G (1024-based, either case, "KiB" and "KB" as well). KERF_ERR_ARGUMENT: not
 * one, or over 64 bits.
 */
KERF_MUST_USE kerf_err kerf_cli_parse_size(const char *text, uint64_t *size);

/* Exactly len * 2 hex digits of either case. KERF_ERR_ARGUMENT otherwise. */
KERF_MUST_USE kerf_err kerf_cli_parse_hex(const char *text, uint8_t *bytes, size_t len);

/* Writes len * 2 lower-case digits and a NUL; returns `text`. */
char *kerf_cli_format_hex(const uint8_t *bytes, size_t len, char *text);

/* "what is wrong: what to do" for people, for any kerf_err; never NULL, no line break. */
const char *kerf_cli_err_text(kerf_err err);

/* The exit code that goes with an error; KERF_EXIT_OK for values from 0 up. */
enum kerf_exit kerf_cli_err_exit(kerf_err err);

/* A stable name for programs: "KERF_ERR_SOURCE" -> "source"; used in JSON. */
const char *kerf_cli_err_name(kerf_err err);

#ifdef __cplusplus
}
#endif

#endif
