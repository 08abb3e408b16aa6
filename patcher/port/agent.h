/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent.h - what kerf-agent does: ask a server, believe only what is signed, bring the other slot up to date, report.
 *
 * A device is a state folder and two slots (agent_config.h). The folder holds `state` (state.h), `reports` (reports.h),
 * `root` (a newer root that was accepted) and `lock`. One agent at a time per folder.
 *
 * What happens is told as events, one JSON object each, through `emit`: see docs/man/kerf-agent.1, "EVENTS".
 */
#ifndef KERF_PATCHER_PORT_AGENT_H
#define KERF_PATCHER_PORT_AGENT_H

#include <jansson.h>

#include "common/host/exit.h"
#include "common/host/why.h"
#include "patcher/port/agent_config.h"
#include "patcher/port/agent_trust.h"
#include "patcher/port/fetch.h"
#include "patcher/port/reports.h"
#include "patcher/port/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Takes over `event`, whose key "event" names it. */
typedef void kerf_agent_emit(void *ctx, json_t *event);
/* `stage` is a literal. */
typedef void kerf_agent_progress(void *ctx, const char *stage, uint64_t done, uint64_t total);

struct kerf_agent_ui {
    void *ctx;
    kerf_agent_emit *emit;
    kerf_agent_progress *progress;
};

/* Memory in bytes. */
struct kerf_agent_memory {
    uint64_t start;    /* resident at kerf_agent_open() */
    uint64_t peak;     /* most of all phases that are over */
    uint64_t download; /* most while a payload was fetched and applied, over what was resident before */
};

struct kerf_agent {
    const struct kerf_agent_config *config;
    struct kerf_agent_ui ui;
    struct kerf_why
        why; /* the one line about what went wrong, when a command answers an exit code that isn't OK or NONE */
    int lock_fd;
    char state_path[KERF_AGENT_PATH_CAP + 16];
    char reports_path[KERF_AGENT_PATH_CAP + 16];
    char root_path[KERF_AGENT_PATH_CAP + 16];
    struct kerf_device_state state;
    struct kerf_report_batch reports;
    struct kerf_sha256_digest digest; /* of the active slot's image, as it lies there */
    struct kerf_agent_trust trust;
    struct kerf_fetch *fetch; /* NULL until the network is needed */
    struct kerf_check_answer answer;
    bool answered;                    /* `answer` owns memory */
    struct kerf_component component;  /* ours in the signed release; valid after an offer */
    const struct kerf_update *update; /* ours in the answer; the same */
    uint64_t start_ms;
    struct kerf_agent_memory memory;
};

/* Opens the device: lock, state (as from the factory when there is none), reports. kerf_agent_close() in any case. */
enum kerf_exit kerf_agent_open(struct kerf_agent *agent, const struct kerf_agent_config *config,
                               const struct kerf_agent_ui *ui);
void kerf_agent_close(struct kerf_agent *agent);

/* Each is a command; KERF_EXIT_NONE: there is nothing to do. */
enum kerf_exit kerf_agent_check(struct kerf_agent *agent);
enum kerf_exit kerf_agent_update(struct kerf_agent *agent);
enum kerf_exit kerf_agent_confirm(struct kerf_agent *agent);
enum kerf_exit kerf_agent_rollback(struct kerf_agent *agent);
enum kerf_exit kerf_agent_status(struct kerf_agent *agent);

/* --- Between the agent's own files: --- */

/* Hashes the active slot into agent->digest. */
enum kerf_exit kerf_agent_hash_active(struct kerf_agent *agent);

/* Asks the server and verifies the answer. OK: there is an offer (agent->component, agent->update). NONE: there isn't. */
enum kerf_exit kerf_agent_ask(struct kerf_agent *agent);

/* Starts libcurl if it isn't yet. */
enum kerf_exit kerf_agent_go_online(struct kerf_agent *agent);

enum kerf_exit kerf_agent_save(struct kerf_agent *agent);

/* Queues a report about agent->state.txn: `report` without txn, seq and component. A full disk is told, and no error. */
void kerf_agent_report(struct kerf_agent *agent, const struct kerf_report *report);

/* Sends what is queued. A server that is away is told as an event, and no error: it stays queued. */
void kerf_agent_send_reports(struct kerf_agent *agent);

/* An event under way: kerf_json_put() more into it, then emit. */
json_t *kerf_agent_event(const char *name);
void kerf_agent_emit_event(struct kerf_agent *agent, json_t *event);

/* Sets agent->why and returns `code`. */
enum kerf_exit kerf_agent_fail(struct kerf_agent *agent, enum kerf_exit code, const char *format, ...)
    KERF_PRINTF(3, 4);

/* Milliseconds since kerf_agent_open(). */
uint64_t kerf_agent_ms(const struct kerf_agent *agent);

#ifdef __cplusplus
}
#endif

#endif
