/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of kerf-repo: options and operands, all checked before a command runs. */
#define _POSIX_C_SOURCE 200809L
#include "server-tools/repo_command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/host/cli.h"
#include "server-tools/release.h"

#define MAX_DAYS 36500u

const char *const kerf_repo_roles[KERF_DOC_TYPES] = {"root", "release", "fresh"};

static int help(void)
{
    (void)printf(
        "kerf-repo: makes releases, with deltas between them, and publishes them as a signed static tree.\n\n");
    for (size_t i = 0; i < kerf_repo_verb_count; i++) {
        (void)printf("%s kerf-repo %s\n", i == 0 ? "Usage:" : "      ", kerf_repo_verbs[i].usage);
    }
    (void)printf("\n"
                 "  --component NAME  which part of the device IMAGE is (default: " KERF_RELEASE_COMPONENT_DEFAULT ")\n"
                 "  --ram SIZE        workspace the device has, e.g. 8K (default: 8K)\n"
                 "  --deltas N        make deltas from the last N releases (default: %d, at most %d)\n"
                 "  --sc N            security counter; never falls (default: that of the release before)\n"
                 "  --hw ID,...       hardware the release is for (default: all of the product)\n"
                 "  --expires DAYS    validity of the release, 0: for ever (default: %d)\n"
                 "  --order N         lower components are applied first (default: 0)\n"
                 "  --keys KEYDIR     where the private keys are (default: DIR/keys)\n"
                 "  --role ROLE       make this one key only\n"
                 "  --alg ALGORITHM   of new keys: ed25519 or es256 (default: ed25519)\n"
                 "  --fresh DAYS      how long devices may take this state for current (default: %d)\n"
                 "  --json            print one line of JSON\n"
                 "  -q, --quiet       no progress line\n"
                 "  -h, --help        print this\n"
                 "  --version         print the version\n\n"
                 "DIR/public is what a web server serves. SOURCE_DATE_EPOCH sets the time, for reproducible output.\n"
                 "Exit codes: 0 done, 1 internal, 2 usage, 3 damaged input, 5 file or disk, 6 trust, 7 does not fit,\n"
                 "10 nothing to publish. More: man kerf-repo\n",
                 KERF_RELEASE_DELTAS_DEFAULT, KERF_RELEASE_DELTAS_MAX, KERF_RELEASE_DAYS_DEFAULT,
                 KERF_FRESH_DAYS_DEFAULT);
    return KERF_EXIT_OK;
}

/* A decimal number up to `max`. */
static bool parse_number(const char *text, uint64_t max, uint64_t *v)
{
    if (strspn(text, "0123456789") != strlen(text) || kerf_cli_parse_size(text, v) != KERF_OK) {
        return false;
    }
    return *v <= max;
}

static int parse_hardware(struct kerf_repo_command *c, const char *text)
{
    free(c->hardware_text);
    c->hardware_text = strdup(text);
    c->hardware_count = 0;
    if (c->hardware_text == NULL) {
        return kerf_cli_fail(KERF_EXIT_INTERNAL, "out of memory: free some memory");
    }
    for (char *at = c->hardware_text; at != NULL;) {
        char *comma = strchr(at, ',');

        if (c->hardware_count == KERF_REPO_MAX_HARDWARE) {
            return kerf_cli_usage("--hw takes at most %d ids", KERF_REPO_MAX_HARDWARE);
        }
        c->hardware[c->hardware_count++] = at;
        if (comma != NULL) {
            *comma++ = '\0';
        }
        at = comma;
    }
    return KERF_EXIT_OK;
}

static int parse_role(struct kerf_repo_command *c, const char *text)
{
    for (size_t i = 0; i < KERF_DOC_TYPES; i++) {
        if (strcmp(text, kerf_repo_roles[i]) == 0) {
            c->has_role = true;
            c->only_role = (enum kerf_doc_type)i;
            return KERF_EXIT_OK;
        }
    }
    return kerf_cli_usage("'%s' is not a role: use root, release or fresh", text);
}

static int parse_alg(struct kerf_repo_command *c, const char *text)
{
    if (strcmp(text, "ed25519") != 0 && strcmp(text, "es256") != 0) {
        return kerf_cli_usage("'%s' is not a signature algorithm: use ed25519 or es256", text);
    }
    c->alg = text[1] == 's' ? KERF_ALG_ES256 : KERF_ALG_EDDSA;
    return KERF_EXIT_OK;
}

enum option_code {
    OPT_COMPONENT = 256,
    OPT_RAM,
    OPT_DELTAS,
    OPT_SC,
    OPT_HW,
    OPT_EXPIRES,
    OPT_ORDER,
    OPT_KEYS,
    OPT_ROLE,
    OPT_ALG,
    OPT_FRESH,
    OPT_JSON,
    OPT_QUIET,
    OPT_HELP,
    OPT_VERSION,
};

static const struct option long_options[] = {
    {"component", required_argument, NULL, OPT_COMPONENT},
    {"ram", required_argument, NULL, OPT_RAM},
    {"deltas", required_argument, NULL, OPT_DELTAS},
    {"sc", required_argument, NULL, OPT_SC},
    {"hw", required_argument, NULL, OPT_HW},
    {"expires", required_argument, NULL, OPT_EXPIRES},
    {"order", required_argument, NULL, OPT_ORDER},
    {"keys", required_argument, NULL, OPT_KEYS},
    {"role", required_argument, NULL, OPT_ROLE},
    {"alg", required_argument, NULL, OPT_ALG},
    {"fresh", required_argument, NULL, OPT_FRESH},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

/* What those take that are numbers, by the place in long_options. */
static const char *const takes_text[] = {
    [OPT_RAM - OPT_COMPONENT] = "a size of 2K or more, such as 8K",
    [OPT_DELTAS - OPT_COMPONENT] = "a number of releases, 0 to 64",
    [OPT_SC - OPT_COMPONENT] = "a number from 0 on",
    [OPT_EXPIRES - OPT_COMPONENT] = "days, 0 (for ever) to 36500",
    [OPT_ORDER - OPT_COMPONENT] = "a number from 0 on",
    [OPT_FRESH - OPT_COMPONENT] = "days, 1 to 36500",
};

/* Takes one option of the command line. */
static int take_option(struct kerf_repo_command *c, int option, const char *value)
{
    bool good = true;

    switch (option) {
    case OPT_COMPONENT:
        c->component = value;
        break;
    case OPT_RAM:
        good = kerf_cli_parse_size(value, &c->ram) == KERF_OK && c->ram >= KERF_DIFF_RAM_MIN;
        break;
    case OPT_DELTAS:
        good = parse_number(value, KERF_RELEASE_DELTAS_MAX, &c->deltas);
        break;
    case OPT_SC:
        good = parse_number(value, INT64_MAX, &c->sc);
        c->sc_given = true;
        break;
    case OPT_HW:
        return parse_hardware(c, value);
    case OPT_EXPIRES:
        good = parse_number(value, MAX_DAYS, &c->expires_days);
        break;
    case OPT_ORDER:
        good = parse_number(value, INT64_MAX, &c->order);
        break;
    case OPT_KEYS:
        c->keys = value;
        break;
    case OPT_ROLE:
        return parse_role(c, value);
    case OPT_ALG:
        return parse_alg(c, value);
    case OPT_FRESH:
        good = parse_number(value, MAX_DAYS, &c->fresh_days) && c->fresh_days > 0;
        break;
    case OPT_JSON:
        c->json = true;
        break;
    default:
        c->quiet = true;
        break;
    }
    return good ? KERF_EXIT_OK
                : kerf_cli_usage("--%s takes %s, not '%s'", long_options[option - OPT_COMPONENT].name,
                                 takes_text[option - OPT_COMPONENT], value);
}

/* Does the command take this option? Its name stands in verb->options with a comma behind it. */
static bool takes(const struct kerf_repo_verb *verb, const char *name)
{
    size_t len = strlen(name);

    if (strcmp(name, "json") == 0 || strcmp(name, "quiet") == 0) {
        return true;
    }
    for (const char *at = verb->options; *at != '\0'; at = strchr(at, ',') + 1) {
        if (strncmp(at, name, len) == 0 && at[len] == ',') {
            return true;
        }
    }
    return false;
}

static int read_time(uint64_t *now)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");

    if (epoch == NULL || epoch[0] == '\0') {
        *now = (uint64_t)time(NULL);
        return KERF_EXIT_OK;
    }
    if (!parse_number(epoch, INT64_MAX / 2, now)) {
        return kerf_cli_usage("SOURCE_DATE_EPOCH is '%s', which is not a number of seconds", epoch);
    }
    return KERF_EXIT_OK;
}

static const struct kerf_repo_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < kerf_repo_verb_count; i++) {
        if (strcmp(name, kerf_repo_verbs[i].name) == 0) {
            return &kerf_repo_verbs[i];
        }
    }
    return NULL;
}

/* The options of a command line; `seen` has a bit for each that was given, by its place in long_options. */
struct given {
    struct kerf_repo_command *command;
    uint32_t seen;
};

/* Returns -1 to go on, else an exit code. */
static int note_option(void *ctx, int option)
{
    struct given *given = ctx;

    option = option == 'q' ? OPT_QUIET : option == 'h' ? OPT_HELP : option;
    if (option == OPT_HELP || option == OPT_VERSION) {
        return option == OPT_HELP ? help() : kerf_cli_version();
    }
    given->seen |= 1u << (option - OPT_COMPONENT);
    const int code = take_option(given->command, option, optarg);

    return code == KERF_EXIT_OK ? -1 : code;
}

int kerf_repo_read_command(int argc, char *argv[], struct kerf_repo_command *c, const struct kerf_repo_verb **found)
{
    struct given given = {.command = c};

    *found = NULL;
    *c = (struct kerf_repo_command){
        .component = KERF_RELEASE_COMPONENT_DEFAULT,
        .deltas = KERF_RELEASE_DELTAS_DEFAULT,
        .expires_days = KERF_RELEASE_DAYS_DEFAULT,
        .fresh_days = KERF_FRESH_DAYS_DEFAULT,
        .alg = KERF_ALG_EDDSA,
    };
    int code = kerf_cli_options(argc, argv, ":qh", long_options, note_option, &given);

    if (code >= 0) {
        return code;
    }
    if (optind == argc) {
        return kerf_cli_usage("no command");
    }
    const struct kerf_repo_verb *verb = find_verb(argv[optind]);
    if (verb == NULL) {
        return kerf_cli_usage("'%s' is not a command", argv[optind]);
    }
    for (int i = 0; long_options[i].name != NULL; i++) {
        if ((given.seen >> i & 1u) != 0 && !takes(verb, long_options[i].name)) {
            return kerf_cli_usage("%s takes no --%s", verb->name, long_options[i].name);
        }
    }
    if (argc - optind - 1 != verb->operand_count) {
        return kerf_cli_usage("%s takes %d argument%s, not %d", verb->name, verb->operand_count,
                              verb->operand_count == 1 ? "" : "s", argc - optind - 1);
    }
    for (int i = 0; i < verb->operand_count; i++) {
        c->operands[i] = argv[optind + 1 + i];
    }
    *found = verb;
    return read_time(&c->now);
}
