/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "patcher/port/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "common/host/hash.h"
#include "common/host/json_read.h"
#include "patcher/port/memory.h"
#include "patcher/port/posix.h"

#define HASH_PIECE 65536u

/* --- Small things --- */

static uint64_t now_ms(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_MONOTONIC, &t) == 0 ? (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 : 0;
}

uint64_t kerf_agent_ms(const struct kerf_agent *agent)
{
    return now_ms() - agent->start_ms;
}

enum kerf_exit kerf_agent_fail(struct kerf_agent *agent, enum kerf_exit code, const char *format, ...)
{
    char text[sizeof agent->why.text];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    kerf_why_set(&agent->why, "%s", text);
    return code;
}

json_t *kerf_agent_event(const char *name)
{
    json_t *event = json_object();
    kerf_json_put_text(&event, "event", name);
    return event;
}

void kerf_agent_emit_event(struct kerf_agent *agent, json_t *event)
{
    if (event != NULL) {
        agent->ui.emit(agent->ui.ctx, event);
    }
}

enum kerf_exit kerf_agent_save(struct kerf_agent *agent)
{
    return kerf_state_save(agent->state_path, &agent->state, &agent->why) == KERF_OK ? KERF_EXIT_OK : KERF_EXIT_IO;
}

/* --- Opening --- */

static enum kerf_exit take_lock(struct kerf_agent *agent)
{
    char path[KERF_AGENT_PATH_CAP + 16];
    (void)snprintf(path, sizeof path, "%s/lock", agent->config->state);
    agent->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (agent->lock_fd < 0) {
        kerf_why_errno(&agent->why, "write", path, errno);
        return KERF_EXIT_IO;
    }
    if (flock(agent->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return kerf_agent_fail(agent, KERF_EXIT_IO, "another kerf-agent works on '%s': wait for it to end",
                               agent->config->state);
    }
    return KERF_EXIT_OK;
}

/* A device that has no state yet is as it left the factory: slot a, confirmed, with the version from the configuration. */
static enum kerf_exit factory_state(struct kerf_agent *agent)
{
    const struct kerf_agent_config *config = agent->config;
    struct kerf_slot_image *image = &agent->state.slots[0];
    bool exact = false;
    const int fd = open(config->slots[0], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        kerf_why_errno(&agent->why, "read", config->slots[0], errno);
        return KERF_EXIT_IO;
    }
    const kerf_err err = kerf_posix_size(fd, config->slots[0], &image->size, &exact, &agent->why);
    (void)close(fd);
    if (err != KERF_OK) {
        return KERF_EXIT_IO;
    }
    if (config->size != 0 && config->size > image->size) {
        return kerf_agent_fail(agent, KERF_EXIT_USAGE,
                               "'%s' is shorter than the %llu bytes of 'factory-size': correct one of them",
                               config->slots[0], (unsigned long long)config->size);
    }
    if (config->size == 0 && !exact) {
        return kerf_agent_fail(agent, KERF_EXIT_USAGE,
                               "'%s' is a device: give the factory image's length as 'factory-size'", config->slots[0]);
    }
    image->size = config->size != 0 ? config->size : image->size;
    image->valid = true;
    memcpy(image->version, config->version, sizeof image->version);
    agent->state.confirmed = true;
    const enum kerf_exit code = kerf_agent_hash_active(agent);
    image->digest = agent->digest;
    return code;
}

enum kerf_exit kerf_agent_open(struct kerf_agent *agent, const struct kerf_agent_config *config,
                               const struct kerf_agent_ui *ui)
{
    bool found = false;
    memset(agent, 0, sizeof *agent);
    agent->lock_fd = -1;
    agent->config = config;
    agent->ui = *ui;
    agent->start_ms = now_ms();
    agent->memory.start = kerf_memory_now();
    (void)snprintf(agent->state_path, sizeof agent->state_path, "%s/state", config->state);
    (void)snprintf(agent->reports_path, sizeof agent->reports_path, "%s/reports", config->state);
    (void)snprintf(agent->root_path, sizeof agent->root_path, "%s/root", config->state);
    memcpy(agent->reports.device_id, config->device, sizeof agent->reports.device_id);
    if (kerf_file_make_dirs(config->state, &agent->why) != KERF_OK) {
        return KERF_EXIT_IO;
    }
    enum kerf_exit code = take_lock(agent);
    if (code != KERF_EXIT_OK) {
        return code;
    }
    const kerf_err err = kerf_state_load(agent->state_path, &agent->state, &found, &agent->why);
    if (err != KERF_OK) {
        return KERF_EXIT_IO; /* damaged, too: a file of ours that can't be read as one */
    }
    code = found ? KERF_EXIT_OK : factory_state(agent);
    struct kerf_why why = {""};
    if (code == KERF_EXIT_OK && kerf_reports_load(agent->reports_path, &agent->reports, &why) != KERF_OK) {
        json_t *event = kerf_agent_event("warning");
        kerf_json_put_text(&event, "message", "the reports that waited can't be read and are dropped");
        kerf_json_put_text(&event, "why", why.text);
        kerf_agent_emit_event(agent, event);
    }
    return code;
}

void kerf_agent_close(struct kerf_agent *agent)
{
    if (agent->answered) {
        kerf_check_answer_free(&agent->answer);
        agent->answered = false;
    }
    kerf_agent_trust_close(&agent->trust);
    kerf_fetch_close(agent->fetch);
    agent->fetch = NULL;
    if (agent->lock_fd >= 0) {
        (void)close(agent->lock_fd);
        agent->lock_fd = -1;
    }
}

/* --- The active slot --- */

/* Hashes the first `size` bytes; *whole is false when there are fewer. */
static kerf_err hash_slot(const char *path, uint64_t size, struct kerf_sha256_digest *digest, bool *whole,
                          struct kerf_why *why)
{
    struct kerf_hash hash = {NULL};
    uint8_t *piece = malloc(HASH_PIECE);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    kerf_err err = piece != NULL ? KERF_OK : KERF_ERR_RAM;
    uint64_t left = size;
    ssize_t got = 1;
    if (fd < 0) {
        kerf_why_errno(why, "read", path, errno);
        err = KERF_ERR_FLASH;
    }
    if (err == KERF_OK) {
        err = kerf_hash_begin(&hash);
    }
    while (err == KERF_OK && left > 0 && got != 0) {
        got = read(fd, piece, left < HASH_PIECE ? (size_t)left : HASH_PIECE);
        if (got > 0) {
            err = kerf_hash_add(&hash, piece, (size_t)got);
            left -= (uint64_t)got;
        } else if (got < 0 && errno != EINTR) {
            kerf_why_errno(why, "read", path, errno);
            err = KERF_ERR_FLASH;
        }
    }
    *whole = left == 0;
    if (err == KERF_OK) {
        err = kerf_hash_end(&hash, digest);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    kerf_hash_free(&hash);
    free(piece);
    return err;
}

enum kerf_exit kerf_agent_hash_active(struct kerf_agent *agent)
{
    const struct kerf_slot_image *image = &agent->state.slots[agent->state.active];
    bool whole = false;
    const kerf_err err = hash_slot(agent->config->slots[agent->state.active], image->size, &agent->digest, &whole,
                                   &agent->why);
    if (err == KERF_ERR_RAM) {
        return kerf_agent_fail(agent, KERF_EXIT_INTERNAL, "out of memory");
    }
    /* A slot that was cut short has another digest than any image: the server will offer the whole. */
    return err == KERF_OK ? KERF_EXIT_OK : KERF_EXIT_IO;
}

/* --- Reports --- */

enum kerf_exit kerf_agent_go_online(struct kerf_agent *agent)
{
    const struct kerf_agent_config *config = agent->config;
    const struct kerf_fetch_options options = {
        .ca_file = config->ca,
        .connect_s = (long)config->connect_s,
        .stall_s = (long)config->stall_s,
        .retries = (unsigned)config->retries,
        .wait_ms = (unsigned)config->retry_ms,
    };
    if (agent->fetch != NULL) {
        return KERF_EXIT_OK;
    }
    const kerf_err err = kerf_fetch_open(&agent->fetch, &options, &agent->why);
    return err == KERF_OK ? KERF_EXIT_OK : err == KERF_ERR_ARGUMENT ? KERF_EXIT_IO : KERF_EXIT_INTERNAL;
}

void kerf_agent_report(struct kerf_agent *agent, const struct kerf_report *report)
{
    struct kerf_why why = {""};
    struct kerf_report full = *report;
    memcpy(full.txn, agent->state.txn, sizeof full.txn);
    memcpy(full.component, agent->config->component, sizeof full.component);
    full.seq = agent->state.report_seq++;
    full.ms = full.ms != 0 ? full.ms : kerf_agent_ms(agent);
    if (full.txn[0] != '\0' && (kerf_state_save(agent->state_path, &agent->state, &why) != KERF_OK ||
                                kerf_reports_add(agent->reports_path, &agent->reports, &full, &why) != KERF_OK)) {
        json_t *event = kerf_agent_event("warning");
        kerf_json_put_text(&event, "message", "a report can't be kept");
        kerf_json_put_text(&event, "why", why.text);
        kerf_agent_emit_event(agent, event);
    }
}

/* Will the server never take these reports, however often they are sent? */
static bool is_refused(long status)
{
    return status == 400 || status == 413 || status == 415;
}

void kerf_agent_send_reports(struct kerf_agent *agent)
{
    struct kerf_fetch_info info = {0};
    struct kerf_report_answer result = {0};
    struct kerf_why why = {""};
    char url[KERF_URL_CAP + 16];
    char *text = NULL;
    char *answer = NULL;
    size_t len = 0;
    size_t answer_len = 0;
    const size_t count = agent->reports.count;
    if (count == 0 || agent->config->server[0] == '\0') {
        return;
    }
    kerf_err err = kerf_agent_go_online(agent) == KERF_EXIT_OK ? KERF_OK : KERF_ERR_RAM;
    if (err == KERF_OK) {
        err = kerf_report_batch_write(&agent->reports, &text, &len);
    }
    (void)snprintf(url, sizeof url, "%s/v1/report", agent->config->server);
    if (err == KERF_OK) {
        err = kerf_fetch_post(agent->fetch, url, text, len, KERF_REPORT_ANSWER_MAX, &answer, &answer_len, &info, &why);
    }
    if (err == KERF_OK) {
        err = kerf_report_answer_read(answer, answer_len, &result, &why);
    }
    const bool sent = err == KERF_OK;
    if (sent || is_refused(info.http_status)) {
        /* What can't be removed is sent again, which is harmless; `why` tells. */
        (void)!kerf_reports_clear(agent->reports_path, &agent->reports, &why);
    }
    json_t *event = kerf_agent_event(sent ? "reported" : is_refused(info.http_status) ? "refused" : "waiting");
    kerf_json_put_uint(&event, "reports", count);
    kerf_json_put_text(&event, "why", why.text);
    kerf_agent_emit_event(agent, event);
    free(text);
    free(answer);
}

/* --- Status, confirm, rollback --- */

static json_t *slot_json(const struct kerf_agent *agent, unsigned slot)
{
    const struct kerf_slot_image *image = &agent->state.slots[slot];
    json_t *object = json_object();
    kerf_json_put_text(&object, "path", agent->config->slots[slot]);
    kerf_json_put(&object, "valid", json_boolean(image->valid));
    if (image->valid) {
        kerf_json_put_text(&object, "version", image->version);
        kerf_json_put_uint(&object, "size", image->size);
        kerf_json_put_digest(&object, "sha256", &image->digest);
        kerf_json_put_uint(&object, "release", image->release);
    }
    return object;
}

static bool is_as_installed(const struct kerf_agent *agent)
{
    const struct kerf_slot_image *image = &agent->state.slots[agent->state.active];
    return memcmp(agent->digest.b, image->digest.b, sizeof image->digest.b) == 0;
}

enum kerf_exit kerf_agent_status(struct kerf_agent *agent)
{
    const struct kerf_device_state *state = &agent->state;
    const enum kerf_exit code = kerf_agent_hash_active(agent);
    if (code != KERF_EXIT_OK) {
        return code;
    }
    json_t *event = kerf_agent_event("status");
    kerf_json_put_text(&event, "device", agent->config->device);
    kerf_json_put_text(&event, "product", agent->config->product);
    kerf_json_put_text(&event, "active", state->active == 0 ? "a" : "b");
    kerf_json_put(&event, "confirmed", json_boolean(state->confirmed));
    kerf_json_put(&event, "intact", json_boolean(is_as_installed(agent)));
    kerf_json_put(&event, "a", slot_json(agent, 0));
    kerf_json_put(&event, "b", slot_json(agent, 1));
    kerf_json_put_uint(&event, "release", state->release_seq);
    kerf_json_put_uint(&event, "sc", state->sc);
    kerf_json_put_uint(&event, "switches", state->boots);
    kerf_json_put_uint(&event, "reports_waiting", agent->reports.count);
    kerf_json_put_text(&event, "txn", state->txn);
    if (state->last.txn[0] != '\0') {
        json_t *last = json_object();
        kerf_json_put_text(&last, "mode", kerf_mode_name(state->last.mode));
        kerf_json_put_text(&last, "code", kerf_report_code_name(state->last.code));
        kerf_json_put_uint(&last, "tries", state->last.tries);
        kerf_json_put(&event, "last_failure", last);
    }
    kerf_agent_emit_event(agent, event);
    return KERF_EXIT_OK;
}

/* A report about the way from the other slot's image to the active one. */
static struct kerf_report switch_report(const struct kerf_agent *agent, enum kerf_report_phase phase)
{
    const struct kerf_slot_image *to = &agent->state.slots[agent->state.active];
    const struct kerf_slot_image *from = &agent->state.slots[1 - agent->state.active];
    struct kerf_report report = {.phase = phase, .to_known = true, .to = to->digest, .from_known = from->valid};
    report.from = from->digest;
    return report;
}

static void emit_slot_event(struct kerf_agent *agent, const char *name)
{
    const struct kerf_slot_image *image = &agent->state.slots[agent->state.active];
    json_t *event = kerf_agent_event(name);
    kerf_json_put_text(&event, "slot", agent->state.active == 0 ? "a" : "b");
    kerf_json_put_text(&event, "version", image->version);
    kerf_json_put_digest(&event, "sha256", &image->digest);
    kerf_agent_emit_event(agent, event);
}

static enum kerf_exit nothing(struct kerf_agent *agent, const char *reason, const char *message)
{
    json_t *event = kerf_agent_event("none");
    kerf_json_put_text(&event, "reason", reason);
    kerf_json_put_text(&event, "message", message);
    kerf_agent_emit_event(agent, event);
    return KERF_EXIT_NONE;
}

enum kerf_exit kerf_agent_confirm(struct kerf_agent *agent)
{
    const struct kerf_slot_image *image = &agent->state.slots[agent->state.active];
    if (agent->state.confirmed) {
        kerf_agent_send_reports(agent);
        return nothing(agent, "confirmed", "the running image is confirmed already");
    }
    enum kerf_exit code = kerf_agent_hash_active(agent);
    if (code != KERF_EXIT_OK) {
        return code;
    }
    if (!is_as_installed(agent)) {
        return kerf_agent_fail(agent, KERF_EXIT_TRUST,
                               "slot %s does not hold what was installed there: 'kerf-agent rollback' goes back",
                               agent->state.active == 0 ? "a" : "b");
    }
    agent->state.confirmed = true;
    agent->state.sc = image->sc > agent->state.sc ? image->sc : agent->state.sc;
    code = kerf_agent_save(agent);
    if (code != KERF_EXIT_OK) {
        return code;
    }
    emit_slot_event(agent, "confirmed");
    const struct kerf_report report = switch_report(agent, KERF_REPORT_CONFIRMED);
    kerf_agent_report(agent, &report);
    kerf_agent_send_reports(agent);
    return KERF_EXIT_OK;
}

enum kerf_exit kerf_agent_rollback(struct kerf_agent *agent)
{
    const unsigned back = 1 - agent->state.active;
    if (agent->state.confirmed) {
        return nothing(agent, "confirmed", "the running image is confirmed: there is no way back");
    }
    if (!agent->state.slots[back].valid) {
        return kerf_agent_fail(agent, KERF_EXIT_LIMIT, "slot %s holds nothing that boots", back == 0 ? "a" : "b");
    }
    struct kerf_report report = switch_report(agent, KERF_REPORT_ROLLED_BACK);
    report.code = KERF_CODE_BOOT_FAIL;
    struct kerf_last_attempt *last = &agent->state.last;
    memset(last, 0, sizeof *last);
    memcpy(last->txn, agent->state.txn, sizeof last->txn);
    memcpy(last->component, agent->config->component, sizeof last->component);
    last->phase = KERF_REPORT_ROLLED_BACK;
    last->code = KERF_CODE_BOOT_FAIL;
    last->tries = 1;
    last->target_known = true;
    last->target = agent->state.slots[agent->state.active].digest;
    agent->state.slots[agent->state.active].valid = false;
    agent->state.active = back;
    agent->state.confirmed = true;
    agent->state.boots++;
    const enum kerf_exit code = kerf_agent_save(agent);
    if (code != KERF_EXIT_OK) {
        return code;
    }
    emit_slot_event(agent, "rolled_back");
    kerf_agent_report(agent, &report);
    kerf_agent_send_reports(agent);
    return KERF_EXIT_OK;
}
