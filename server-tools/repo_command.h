/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repo_command.h - what the files of kerf-repo share: its command line, read, and how a command ends.
 */
#ifndef KERF_SERVER_TOOLS_REPO_COMMAND_H
#define KERF_SERVER_TOOLS_REPO_COMMAND_H

#include <jansson.h>

#include "common/host/why.h"
#include "server-tools/repository.h"

#define KERF_REPO_DAY 86400u /* seconds */
#define KERF_REPO_MAX_OPERANDS 4
#define KERF_REPO_MAX_HARDWARE 256

/* The command line, read. */
struct kerf_repo_command {
    const char *operands[KERF_REPO_MAX_OPERANDS]; /* after the command's name */
    bool json;
    bool quiet;
    const char *component, *keys;
    bool has_role;
    enum kerf_doc_type only_role;
    int32_t alg; /* KERF_ALG_, of new keys */
    uint64_t ram, deltas, sc, expires_days, fresh_days, order;
    bool sc_given;
    char *hardware_text; /* owned; cut into ids */
    const char *hardware[KERF_REPO_MAX_HARDWARE];
    size_t hardware_count;
    uint64_t now;
};

/* One of the commands. */
struct kerf_repo_verb {
    const char *name;
    int operand_count; /* the repository's folder included */
    const char *usage;
    const char *options; /* names of the long options that it takes, each followed by a comma */
    int (*run)(const struct kerf_repo_command *c);
};

/* The commands. */
extern const struct kerf_repo_verb kerf_repo_verbs[];
extern const size_t kerf_repo_verb_count;

/* "root", "release", "fresh": by enum kerf_doc_type. */
extern const char *const kerf_repo_roles[KERF_DOC_TYPES];

/*
 * Reads the command line. *verb NULL with KERF_EXIT_OK: help or version was printed. Otherwise an exit code, the reason
 * being on standard error.
 */
int kerf_repo_read_command(int argc, char *argv[], struct kerf_repo_command *command,
                           const struct kerf_repo_verb **verb);

/* Prints `why` as the one line of a failed command and returns the exit code that goes with `err`. */
int kerf_repo_fail(const struct kerf_repo_command *c, kerf_err err, const struct kerf_why *why);

/* Opens the repository that the command names; `lock` not NULL: locks it for writing, too. An exit code. */
int kerf_repo_open(const struct kerf_repo_command *c, struct kerf_repository *repo, int *lock);

/* A digest, or a text, as a JSON string; NULL without memory. */
json_t *kerf_repo_json_digest(const struct kerf_sha256_digest *digest);
json_t *kerf_repo_json_text(struct kerf_span text);

/* The command `list`. */
int kerf_repo_list(const struct kerf_repo_command *c);

#endif
