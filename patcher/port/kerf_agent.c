/* SPDX-License-Identifier: Apache-2.0 */
/* kerf-agent: keeps a device with two slots up to date. docs/man/kerf-agent.1 */
#define _DEFAULT_SOURCE

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "common/host/json_read.h"
#include "common/host/progress.h"
#include "patcher/port/agent.h"

#define KEYS_MAX 64
#define LONG_TEXT 100 /* characters of a value that are shown to people */

struct command;

/* The command line. */
struct options {
    const struct command *command;
    const char *config_path;
    const char *values[KEYS_MAX]; /* of the configuration, by kerf_agent_config_key(); NULL: not given */
    bool json, quiet, verbose;
    struct kerf_agent_config config;
};

/* What the agent's events are shown with. */
struct screen {
    const struct options *options;
    struct kerf_progress progress;
};

struct command {
    const char *name;
    bool network;
    enum kerf_exit (*run)(struct kerf_agent *agent);
    const char *help;
};

static const struct command commands[] = {
    {"check", true, kerf_agent_check, "ask the server what there is for this device; changes nothing"},
    {"update", true, kerf_agent_update, "check, then bring the other slot up to date and switch to it"},
    {"confirm", false, kerf_agent_confirm, "after the boot: the new image works, keep it"},
    {"rollback", false, kerf_agent_rollback, "after the boot: it does not, go back to the other slot"},
    {"status", false, kerf_agent_status, "what the device holds"},
};

static int help(void)
{
    (void)fputs("Usage: kerf-agent COMMAND --config FILE [--KEY VALUE]...\n"
                "Keeps a device with two slots up to date.\n\n",
                stdout);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        (void)printf("  %-20s %s\n", commands[i].name, commands[i].help);
    }
    (void)fputs("\n"
                "  -c, --config FILE    lines KEY = VALUE, or a JSON object\n"
                "      --json           one JSON object per event and line\n"
                "  -q, --quiet          print nothing but errors\n"
                "  -v, --verbose        show the messages that are exchanged\n"
                "  -h, --help           print this\n"
                "      --version        print the version\n"
                "\n"
                "Keys, in the file or as options:\n",
                stdout);
    for (size_t i = 0; kerf_agent_config_key(i) != NULL; i++) {
        (void)printf("  --%-18s %s\n", kerf_agent_config_key(i), kerf_agent_config_help(i));
    }
    (void)fputs("\n"
                "Exit codes: 0 done (check: there is an update), 1 internal error, 2 usage, 5 file or disk error,\n"
                "6 not to be trusted, 7 a limit or a missing feature, 8 network or server, 10 nothing to do.\n",
                stdout);
    return KERF_EXIT_OK;
}

/* --- Events, for people --- */

static const char *text_at(const json_t *event, const char *key)
{
    const char *text = json_string_value(json_object_get(event, key));
    return text != NULL ? text : "";
}

static unsigned long long number_at(const json_t *event, const char *key)
{
    const json_int_t value = json_integer_value(json_object_get(event, key));
    return value > 0 ? (unsigned long long)value : 0;
}

static const char *known(const char *text)
{
    return text[0] != '\0' ? text : "(unknown)";
}

/* A copy in which long texts, which are signed documents in base64, are cut. */
static json_t *shortened(const json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    json_t *copy;
    if (json_is_object(value)) {
        copy = json_object();
        json_object_foreach((json_t *)value, key, item)
        { /* NOLINT: jansson's macro takes no const */
            kerf_json_put(&copy, key, shortened(item));
        }
        return copy;
    }
    if (json_is_array(value)) {
        copy = json_array();
        json_array_foreach(value, i, item)
        {
            kerf_json_append(&copy, shortened(item));
        }
        return copy;
    }
    const char *text = json_string_value(value);
    if (text != NULL && strlen(text) > LONG_TEXT) {
        return json_sprintf("%.20s... (%u characters of base64)", text, (unsigned)strlen(text));
    }
    return json_deep_copy(value);
}

static void show_message(const json_t *event, const char *arrow)
{
    json_t *body = shortened(json_object_get(event, "body"));
    char *text = json_dumps(body, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    (void)printf("%s %s, %llu bytes\n%s\n\n", arrow, text_at(event, "url"), number_at(event, "bytes"),
                 text != NULL ? text : "");
    free(text);
    json_decref(body);
}

static void show_offer(const json_t *event)
{
    size_t i;
    json_t *option;
    (void)printf("offer    %s (release %llu), %llu bytes, sha256 %.16s...\n", text_at(event, "version"),
                 number_at(event, "release"), number_at(event, "size"), text_at(event, "sha256"));
    json_array_foreach(json_object_get(event, "options"), i, option)
    {
        const bool usable = json_is_true(json_object_get(option, "usable"));
        (void)printf("         %-5s %8llu bytes, %llu bytes of workspace%s%s\n", text_at(option, "kind"),
                     number_at(option, "size"), number_at(option, "ram"),
                     usable ? "" : ", not usable: ", text_at(option, "error"));
    }
}

static void show_installed(const json_t *event)
{
    const json_t *memory = json_object_get(event, "memory");
    const unsigned long long full = number_at(event, "full_size");
    const unsigned long long payload = number_at(event, "payload_size");
    (void)printf("\nupdated to %s in slot %s by %s; boot it, then run 'kerf-agent confirm'\n",
                 text_at(event, "version"), text_at(event, "slot"), text_at(event, "kind"));
    (void)printf("  image          %10llu bytes\n", number_at(event, "image_size"));
    (void)printf("  full payload   %10llu bytes\n", full);
    (void)printf("  fetched        %10llu bytes (%s, %.1f %% of the full payload)\n", payload, text_at(event, "kind"),
                 full > 0 ? 100.0 * (double)payload / (double)full : 100.0);
    (void)printf("  time           %10.2f s\n", (double)number_at(event, "ms") / 1000.0);
    (void)printf("  workspace      %10llu bytes, and %llu of page buffer\n", number_at(memory, "workspace"),
                 number_at(memory, "page"));
    (void)printf("  peak RAM       %10llu KiB, %llu KiB over the start (TLS and JSON)\n",
                 number_at(memory, "peak") / 1024, number_at(memory, "over_start") / 1024);
    (void)printf("  added          %10llu KiB by download and apply, whatever the image size\n",
                 number_at(memory, "download_and_apply") / 1024);
    (void)printf("  sha256         %s, read back and verified\n", text_at(event, "sha256"));
}

static void show_status(const json_t *event)
{
    const char *active = text_at(event, "active");
    (void)printf("device   %s, product %s\n", text_at(event, "device"), text_at(event, "product"));
    for (const char *slot = "a\0b\0"; *slot != '\0'; slot += 2) {
        const json_t *image = json_object_get(event, slot);
        if (!json_is_true(json_object_get(image, "valid"))) {
            (void)printf("slot %s   nothing that boots\n", slot);
            continue;
        }
        (void)printf(
            "slot %s   version %s, %llu bytes, sha256 %.16s...%s%s%s\n", slot, known(text_at(image, "version")),
            number_at(image, "size"), text_at(image, "sha256"), *slot == *active ? ", boots" : "",
            *slot == *active && !json_is_true(json_object_get(event, "confirmed")) ? ", not confirmed" : "",
            *slot == *active && !json_is_true(json_object_get(event, "intact")) ? ", NOT as it was installed" : "");
    }
    (void)printf("trust    release %llu or later, security counter %llu or higher\n", number_at(event, "release"),
                 number_at(event, "sc"));
    (void)printf("reports  %llu wait for the server\n", number_at(event, "reports_waiting"));
    const json_t *failure = json_object_get(event, "last_failure");
    if (failure != NULL) {
        (void)printf("failed   %s, %s, %llu times\n", text_at(failure, "mode"), text_at(failure, "code"),
                     number_at(failure, "tries"));
    }
}

static void show_rest(const char *name, const json_t *event)
{
    if (strcmp(name, "device") == 0) {
        (void)printf("device   version %s in slot %s, %llu bytes, sha256 %.16s...\n", known(text_at(event, "version")),
                     text_at(event, "slot"), number_at(event, "size"), text_at(event, "sha256"));
    } else if (strcmp(name, "none") == 0) {
        (void)printf("nothing  %s (%s)\n", text_at(event, "message"), known(text_at(event, "reason")));
    } else if (strcmp(name, "download") == 0) {
        (void)printf("fetch    %s, %llu bytes, %s\n", text_at(event, "kind"), number_at(event, "size"),
                     text_at(event, "url"));
        if (number_at(event, "from") > 0) {
            (void)printf("         goes on at byte %llu, where it was cut off\n", number_at(event, "from"));
        }
    } else if (strcmp(name, "failed") == 0) {
        (void)printf("failed   %s: %s\n", text_at(event, "kind"), text_at(event, "message"));
    } else if (strcmp(name, "confirmed") == 0) {
        (void)printf("confirmed: version %s in slot %s stays\n", text_at(event, "version"), text_at(event, "slot"));
    } else if (strcmp(name, "rolled_back") == 0) {
        (void)printf("rolled back to version %s in slot %s\n", text_at(event, "version"), text_at(event, "slot"));
    } else if (strcmp(name, "reported") == 0) {
        (void)printf("reports  %llu with the server\n", number_at(event, "reports"));
    } else if (strcmp(name, "waiting") == 0) {
        (void)printf("reports  %llu wait: %s\n", number_at(event, "reports"), text_at(event, "why"));
    } else if (strcmp(name, "refused") == 0) {
        (void)printf("reports  %llu refused by the server, dropped: %s\n", number_at(event, "reports"),
                     text_at(event, "why"));
    } else if (strcmp(name, "warning") == 0) {
        (void)fprintf(stderr, "kerf-agent: %s: %s\n", text_at(event, "message"), text_at(event, "why"));
    }
}

static void emit(void *ctx, json_t *event)
{
    struct screen *screen = ctx;
    const char *name = text_at(event, "event");
    const bool is_message = strcmp(name, "request") == 0 || strcmp(name, "answer") == 0;
    kerf_progress_end(&screen->progress);
    if (screen->options->quiet || (is_message && !screen->options->verbose)) {
        json_decref(event);
        return;
    }
    if (screen->options->json) {
        (void)kerf_cli_json(event);
        (void)fflush(stdout);
        return;
    }
    if (is_message) {
        show_message(event, strcmp(name, "request") == 0 ? "-->" : "<--");
    } else if (strcmp(name, "offer") == 0) {
        show_offer(event);
    } else if (strcmp(name, "installed") == 0) {
        show_installed(event);
    } else if (strcmp(name, "status") == 0) {
        show_status(event);
    } else {
        show_rest(name, event);
    }
    (void)fflush(stdout);
    json_decref(event);
}

static void show_progress(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    struct screen *screen = ctx;
    kerf_progress_show(&screen->progress, stage, done, total);
}

/* --- The command line --- */

/* Long options: the fixed ones, then a key each. Values of keys are kept and applied after the file. */
enum {
    OPT_JSON = 256,
    OPT_VERSION,
    OPT_KEY /* + index */
};

static void make_longs(struct option longs[KEYS_MAX + 8])
{
    static const struct option fixed[] = {
        {"config", required_argument, NULL, 'c'}, {"json", no_argument, NULL, OPT_JSON},
        {"quiet", no_argument, NULL, 'q'},        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},         {"version", no_argument, NULL, OPT_VERSION},
    };
    size_t count = sizeof fixed / sizeof fixed[0];
    memset(longs, 0, (KEYS_MAX + 8) * sizeof longs[0]);
    memcpy(longs, fixed, sizeof fixed);
    for (size_t i = 0; i < KEYS_MAX && kerf_agent_config_key(i) != NULL; i++) {
        longs[count++] = (struct option){kerf_agent_config_key(i), required_argument, NULL, OPT_KEY + (int)i};
    }
}

/* kerf_cli_fail(code, "%s", text); with --json also as an event. */
static int failed(const struct options *o, enum kerf_exit code, const char *text)
{
    if (o->json) {
        json_t *event = kerf_agent_event("error");
        kerf_json_put_uint(&event, "exit", (uint64_t)code);
        kerf_json_put_text(&event, "message", text);
        (void)kerf_cli_json(event);
    }
    return kerf_cli_fail(code, "%s", text);
}

static int read_config(struct options *o)
{
    struct kerf_why why = {""};
    uint8_t *data = NULL;
    size_t len = 0;
    kerf_err err = KERF_OK;
    kerf_agent_config_defaults(&o->config);
    if (o->config_path != NULL) {
        err = kerf_file_read(o->config_path, KERF_AGENT_CONFIG_MAX, &data, &len, &why);
        if (err != KERF_OK) {
            return failed(o, err == KERF_ERR_SPACE ? KERF_EXIT_USAGE : kerf_cli_err_exit(err), why.text);
        }
        err = kerf_agent_config_parse(&o->config, (const char *)data, len, &why);
        free(data);
        if (err != KERF_OK) {
            struct kerf_why line;
            kerf_why_set(&line, "'%s': %s", o->config_path, why.text);
            return failed(o, KERF_EXIT_USAGE, line.text);
        }
    }
    for (size_t i = 0; i < KEYS_MAX && err == KERF_OK; i++) {
        if (o->values[i] != NULL) {
            err = kerf_agent_config_set(&o->config, kerf_agent_config_key(i), o->values[i], &why);
        }
    }
    return err == KERF_OK ? -1 : kerf_cli_usage("--%s", why.text);
}

/* One option. Returns -1 to go on, else an exit code. */
static int parse_option(void *ctx, int c)
{
    struct options *o = ctx;
    switch (c) {
    case 'c':
        o->config_path = optarg;
        return -1;
    case 'q':
        o->quiet = true;
        return -1;
    case 'v':
        o->verbose = true;
        return -1;
    case OPT_JSON:
        o->json = true;
        return -1;
    case 'h':
        return help();
    case OPT_VERSION:
        return kerf_cli_version();
    default:
        o->values[c - OPT_KEY] = optarg;
        return -1;
    }
}

/* Returns -1 to go on, else an exit code. */
static int parse_options(struct options *o, int argc, char **argv)
{
    struct option longs[KEYS_MAX + 8];
    make_longs(longs);
    const int code = kerf_cli_options(argc, argv, ":c:qvh", longs, parse_option, o);
    if (code >= 0) {
        return code;
    }
    if (argc - optind != 1) {
        return argc == optind ? kerf_cli_usage("a command is missing (check, update, confirm, rollback, status)")
                              : kerf_cli_usage("too many arguments, from '%s' on", argv[optind + 1]);
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[optind], commands[i].name) == 0) {
            o->command = &commands[i];
            return read_config(o);
        }
    }
    return kerf_cli_usage("unknown command '%s'", argv[optind]);
}

static int run(const struct options *o)
{
    struct screen screen = {.options = o};
    const struct kerf_agent_ui ui = {&screen, emit, show_progress};
    struct kerf_why why = {""};
    if (kerf_agent_config_check(&o->config, o->command->network, &why) != KERF_OK) {
        return failed(o, KERF_EXIT_USAGE, why.text);
    }
    struct kerf_agent *agent = malloc(sizeof *agent);
    if (agent == NULL) {
        return failed(o, KERF_EXIT_INTERNAL, "out of memory");
    }
    kerf_progress_begin(&screen.progress, o->quiet || o->json);
    enum kerf_exit code = kerf_agent_open(agent, &o->config, &ui);
    if (code == KERF_EXIT_OK) {
        code = o->command->run(agent);
    }
    kerf_progress_end(&screen.progress);
    if (code != KERF_EXIT_OK && code != KERF_EXIT_NONE) {
        (void)failed(o, code, agent->why.text);
    }
    kerf_agent_close(agent);
    free(agent);
    return (int)code;
}

int main(int argc, char **argv)
{
    struct options options = {.config_path = NULL};
    kerf_cli_begin("kerf-agent");
    kerf_cli_json_events();
    const int code = parse_options(&options, argc, argv);
    return kerf_cli_end(code >= 0 ? code : run(&options));
}
