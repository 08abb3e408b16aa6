/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "server-tools/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_CAP 4096

static void put(char *line, size_t *len, const char *text)
{
    const size_t room = LINE_CAP - *len;
    const int n = snprintf(line + *len, room, "%s", text);

    *len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* key=value; a value with blanks or quotes is written as a JSON string, which has no control characters either. */
static void put_field(char *line, size_t *len, const char *key, const json_t *value)
{
    const char *text = json_string_value(value);
    char *dumped = NULL;

    put(line, len, " ");
    put(line, len, key);
    put(line, len, "=");
    if (text == NULL || text[0] == '\0' || strpbrk(text, " \"\\=") != NULL) {
        dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        text = dumped;
    }
    put(line, len, text == NULL ? "?" : text);
    free(dumped);
}

static void print_plain(const char *time_text, const char *event, json_t *fields)
{
    char line[LINE_CAP];
    size_t len = 0;
    const char *key;
    json_t *value;

    put(line, &len, time_text);
    put(line, &len, " ");
    put(line, &len, event);
    json_object_foreach(fields, key, value)
    {
        put_field(line, &len, key, value);
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F) {
            line[i] = '?';
        }
    }
    (void)fprintf(stderr, "%s\n", line);
}

void kerf_log_event(const struct kerf_log *log, const char *event, json_t *fields)
{
    const time_t now = time(NULL);
    char time_text[32] = "";
    struct tm parts;

    if (gmtime_r(&now, &parts) != NULL) {
        (void)strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    if (log->json) {
        json_t *line = json_pack("{s:s, s:s}", "t", time_text, "event", event);
        char *text;

        if (line != NULL && fields != NULL) {
            (void)json_object_update_missing(line, fields);
        }
        text = line == NULL ? NULL : json_dumps(line, JSON_COMPACT);
        (void)fprintf(stderr, "%s\n", text == NULL ? "{\"event\":\"no memory to log\"}" : text);
        free(text);
        json_decref(line);
    } else {
        print_plain(time_text, event, fields);
    }
    json_decref(fields);
}
