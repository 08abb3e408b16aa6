/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_config.h - what kerf-agent is told about its device: from a file, then from the command line, which wins.
 *
 * The file is either one JSON object of strings, numbers and booleans, or lines "key = value" with # comments; the keys
 * are the same as the long options (kerf_agent_config_key). Relative paths count from the current directory. Reentrant.
 */
#ifndef KERF_PATCHER_PORT_AGENT_CONFIG_H
#define KERF_PATCHER_PORT_AGENT_CONFIG_H

#include "common/host/protocol.h"
#include "common/host/why.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KERF_AGENT_CONFIG_MAX 65536u /* bytes of the file */
#define KERF_AGENT_PATH_CAP 1024     /* bytes of a path, the terminating 0 included */

struct kerf_agent_config {
    char server[KERF_URL_CAP];          /* "https://host[:port][/path]", without "/v1/..." */
    char ca[KERF_AGENT_PATH_CAP];       /* PEM file of the only CAs that are trusted; empty: those of the system */
    char product[KERF_NAME_CAP];        /* also sent as the device's model */
    char hw[KERF_NAME_CAP];             /* may be empty */
    char device[KERF_NAME_CAP];         /* the device's id */
    char component[KERF_NAME_CAP];      /* "main" unless set */
    char channel[KERF_NAME_CAP];        /* may be empty */
    char version[KERF_NAME_CAP];        /* of the image in slot a as it left the factory; may be empty */
    char state[KERF_AGENT_PATH_CAP];    /* folder of the agent's own files */
    char root[KERF_AGENT_PATH_CAP];     /* root document the device was born with */
    char slots[2][KERF_AGENT_PATH_CAP]; /* a, b: files or block devices */
    uint64_t size;                      /* bytes of the factory image in slot a; 0: the whole file */
    uint64_t slot_size;                 /* bytes that an image may take; 0: a device's size, for files no limit */
    uint64_t ram;                       /* bytes of workspace, page buffer apart */
    uint64_t checkpoint;                /* bytes of new between two checkpoints; 0: journal_file.h's */
    bool metered;                       /* the link costs money */
    bool lzma2;                         /* payloads that take liblzma's memory on top (up to 80 MiB) are welcome */
    uint64_t connect_s;                 /* seconds for a connection, TLS included */
    uint64_t stall_s;                   /* seconds without data until a connection is given up */
    uint64_t retries;                   /* attempts in a row without progress before a download fails */
    uint64_t retry_ms;                  /* milliseconds before the second attempt; doubled up to 30 s */
};

/* The keys, in the order of --help; NULL after the last. */
const char *kerf_agent_config_key(size_t index);
/* One line for people about that key. */
const char *kerf_agent_config_help(size_t index);

void kerf_agent_config_defaults(struct kerf_agent_config *config);

/* Sets one value from text. KERF_ERR_ARGUMENT: no such key, or a value that it can't have. */
KERF_MUST_USE kerf_err kerf_agent_config_set(struct kerf_agent_config *config, const char *key, const char *value,
                                             struct kerf_why *why);

/* Reads text[0..len) of a file into *config, over what is there. KERF_ERR_ARGUMENT, KERF_ERR_FORMAT, KERF_ERR_RAM. */
KERF_MUST_USE kerf_err kerf_agent_config_parse(struct kerf_agent_config *config, const char *text, size_t len,
                                               struct kerf_why *why);

/* Are all values there that a device needs, and do they make sense? With `network`, those for a server as well. */
KERF_MUST_USE kerf_err kerf_agent_config_check(const struct kerf_agent_config *config, bool network,
                                               struct kerf_why *why);

#ifdef __cplusplus
}
#endif

#endif
