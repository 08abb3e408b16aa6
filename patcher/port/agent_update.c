/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_update.c - the second half: options, best first, until one fills the other slot; then the switch.
 */
#define _DEFAULT_SOURCE
#include "patcher/port/agent.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/host/cli.h"
#include "common/host/json_read.h"
#include "patcher/port/install.h"
#include "patcher/port/memory.h"

/* One way to the new image, being tried. */
struct attempt {
    struct kerf_agent *agent;
    const struct kerf_option *option;
    struct kerf_payload payload; /* what the signed release says of it */
    char journal_path[KERF_AGENT_PATH_CAP + 16];
    kerf_err err;
    enum kerf_exit exit;        /* when it failed */
    enum kerf_report_code code; /* the same, for the server */
    struct kerf_why why;
    uint64_t received;     /* bytes from the network */
    uint64_t resumed_from; /* byte of the payload that an earlier run was cut off at */
    unsigned resumed;      /* connections that went on */
    size_t workspace;      /* bytes, page buffer included */
};

static unsigned other_slot(const struct kerf_agent *agent)
{
    return 1 - agent->state.active;
}

/* --- What the release says of an option --- */

/* Finds the option's payload in the signed release. KERF_ERR_MISMATCH: it isn't there, or isn't as the server says. */
static kerf_err find_payload(const struct kerf_agent *agent, const struct kerf_option *option,
                             struct kerf_payload *payload)
{
    size_t cursor = 0;
    while (kerf_component_next_payload(&agent->component, &cursor, payload) == KERF_OK) {
        if (memcmp(payload->digest.b, option->digest.b, sizeof option->digest.b) == 0) {
            return payload->size == option->size && payload->is_delta == (option->kind == KERF_MODE_DELTA)
                       ? KERF_OK
                       : KERF_ERR_MISMATCH;
        }
    }
    return KERF_ERR_MISMATCH;
}

static uint64_t full_size(const struct kerf_agent *agent)
{
    struct kerf_payload payload;
    size_t cursor = 0;
    uint64_t size = 0;
    while (kerf_component_next_payload(&agent->component, &cursor, &payload) == KERF_OK) {
        if (!payload.is_delta && (size == 0 || payload.size < size)) {
            size = payload.size;
        }
    }
    return size;
}

static kerf_err claim(void *ctx);
static void progress(void *ctx, const char *stage, uint64_t done, uint64_t total);

static void fill_request(struct attempt *a, struct kerf_install_request *request)
{
    const struct kerf_agent *agent = a->agent;
    (void)snprintf(a->journal_path, sizeof a->journal_path, "%s/journal-%c", agent->config->state,
                   other_slot(agent) == 0 ? 'a' : 'b');
    *request = (struct kerf_install_request){
        .old_path = agent->config->slots[agent->state.active],
        .old_size = agent->state.slots[agent->state.active].size,
        .old_digest = agent->digest,
        .new_path = agent->config->slots[other_slot(agent)],
        .slot_size = agent->config->slot_size,
        .ram = agent->config->ram,
        .lzma2 = agent->config->lzma2,
        .component = &agent->component,
        .payload = &a->payload,
        .journal_path = a->journal_path,
        .checkpoint = agent->config->checkpoint,
        .ctx = a,
        .claim = claim,
        .progress = progress,
    };
}

/* Prepares an attempt and says whether this device can make it. */
static kerf_err prepare(struct kerf_agent *agent, const struct kerf_option *option, struct attempt *a)
{
    struct kerf_install_request request;
    memset(a, 0, sizeof *a);
    a->agent = agent;
    a->option = option;
    kerf_err err = find_payload(agent, option, &a->payload);
    if (err == KERF_OK) {
        fill_request(a, &request);
        err = kerf_install_fits(&request);
    }
    if (err == KERF_OK && option->kind == KERF_MODE_FULL && agent->config->metered && !agent->update->full_on_metered) {
        kerf_why_set(&a->why, "the link is metered, and the server's policy keeps full payloads off it");
        err = KERF_ERR_UNSUPPORTED;
    }
    return err;
}

static void emit_offer(struct kerf_agent *agent)
{
    const struct kerf_component *component = &agent->component;
    json_t *options = json_array();
    for (size_t i = 0; i < agent->update->option_count; i++) {
        struct attempt a;
        const struct kerf_option *option = &agent->update->options[i];
        const kerf_err err = prepare(agent, option, &a);
        json_t *object = json_object();
        kerf_json_put_text(&object, "kind", kerf_mode_name(option->kind));
        kerf_json_put_uint(&object, "size", option->size);
        kerf_json_put_uint(&object, "ram", option->ram);
        kerf_json_put(&object, "usable", json_boolean(err == KERF_OK));
        if (err != KERF_OK) {
            kerf_json_put_text(&object, "error", kerf_cli_err_name(err));
        }
        kerf_json_append(&options, object);
    }
    json_t *event = kerf_agent_event("offer");
    kerf_json_put_uint(&event, "release", agent->trust.release.seq);
    kerf_json_put(&event, "version", json_stringn((const char *)component->version.p, component->version.len));
    kerf_json_put_uint(&event, "size", component->size);
    kerf_json_put_digest(&event, "sha256", &component->digest);
    kerf_json_put_text(&event, "reason", agent->answer.reason);
    kerf_json_put(&event, "options", options);
    kerf_agent_emit_event(agent, event);
}

enum kerf_exit kerf_agent_check(struct kerf_agent *agent)
{
    const enum kerf_exit code = kerf_agent_ask(agent);
    if (code == KERF_EXIT_OK) {
        emit_offer(agent);
    }
    return code;
}

/* --- One attempt --- */

/* The install is about to write: from here on the other slot holds nothing that boots, and the state must say so first. */
static kerf_err claim(void *ctx)
{
    struct attempt *a = ctx;
    struct kerf_agent *agent = a->agent;
    memset(&agent->state.slots[other_slot(agent)], 0, sizeof agent->state.slots[0]);
    return kerf_state_save(agent->state_path, &agent->state, &a->why);
}

static void progress(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    const struct attempt *a = ctx;
    a->agent->ui.progress(a->agent->ui.ctx, stage, done, total);
}

/* What a failure of the payload or the device means to scripts: damage on the way is a matter of trust here. */
static enum kerf_exit exit_of(kerf_err err)
{
    if (err == KERF_ERR_UNSUPPORTED) {
        return KERF_EXIT_LIMIT;
    }
    return kerf_err_fault(err) == KERF_FAULT_DELTA ? KERF_EXIT_TRUST : kerf_cli_err_exit(err);
}

static const char *text_of(kerf_err err)
{
    switch (err) {
    case KERF_ERR_FORMAT:
    case KERF_ERR_CORRUPT:
    case KERF_ERR_CHUNK:
    case KERF_ERR_TRAILING:
        return "what the server sends is not the payload that was signed";
    case KERF_ERR_MISMATCH:
        return "the payload is not the one that the signed release describes";
    default:
        return kerf_cli_err_text(err);
    }
}

/* Fetches one URL into a new install. */
static kerf_err run_url(struct attempt *a, const struct kerf_install_request *request, const char *relative)
{
    struct kerf_agent *agent = a->agent;
    struct kerf_install install;
    struct kerf_fetch_info info = {0};
    char url[KERF_URL_CAP];
    kerf_err err = kerf_fetch_resolve(agent->config->server, relative, url, sizeof url, &a->why);
    if (err != KERF_OK) {
        a->exit = KERF_EXIT_NETWORK;
        a->code = KERF_CODE_NET;
        return err;
    }
    err = kerf_install_begin(&install, request, &a->why);
    a->resumed_from = install.resumed_from;
    json_t *event = kerf_agent_event("download");
    kerf_json_put_text(&event, "kind", kerf_mode_name(a->option->kind));
    kerf_json_put_text(&event, "url", url);
    kerf_json_put_uint(&event, "size", a->payload.size);
    kerf_json_put_uint(&event, "from", a->resumed_from);
    kerf_agent_emit_event(agent, event);
    if (err == KERF_OK) {
        err = kerf_fetch_get(agent->fetch, url, install.resumed_from, a->payload.size, kerf_install_feed, &install,
                             &info, &a->why);
        a->received += info.received;
        a->resumed += info.resumed;
    }
    if (err == KERF_OK) {
        err = kerf_install_finish(&install);
    }
    if (err != KERF_OK) {
        a->code = info.code != KERF_CODE_NONE ? info.code : kerf_report_code_of(err);
        a->exit = info.untrusted ? KERF_EXIT_TRUST : info.code != KERF_CODE_NONE ? KERF_EXIT_NETWORK : exit_of(err);
        if (a->why.text[0] == '\0') {
            const char *why = kerf_install_why(&install);
            kerf_why_set(&a->why, "%s", why[0] != '\0' ? why : text_of(err));
        }
    }
    a->workspace = install.workspace_len;
    kerf_install_close(&install);
    return err;
}

static void run_urls(struct attempt *a, const struct kerf_install_request *request)
{
    a->err = KERF_ERR_MISMATCH;
    for (size_t i = 0; i < a->option->url_count && a->err != KERF_OK; i++) {
        /* The next URL is for networks that fail; a payload that is wrong, or a disk that is full, is so everywhere. */
        if (i > 0 && a->exit != KERF_EXIT_NETWORK) {
            break;
        }
        memset(&a->why, 0, sizeof a->why);
        a->err = run_url(a, request, a->option->urls[i]);
    }
}

static void run_attempt(struct attempt *a)
{
    struct kerf_install_request request;
    struct kerf_agent *agent = a->agent;
    fill_request(a, &request);
    const uint64_t before = kerf_memory_now();
    const uint64_t earlier_peak = kerf_memory_peak();
    const bool reset = kerf_memory_reset_peak();
    run_urls(a, &request);
    if (a->resumed_from > 0 && (a->err == KERF_ERR_TARGET || a->err == KERF_ERR_CORRUPT)) {
        /* Something else wrote to the slot since the earlier run was cut off. */
        kerf_install_forget(&request);
        run_urls(a, &request);
    }
    if (a->err != KERF_OK && a->exit != KERF_EXIT_NETWORK && a->exit != KERF_EXIT_IO) {
        kerf_install_forget(&request); /* what was wrong once is not gone on with */
    }
    const uint64_t peak = kerf_memory_peak();
    const uint64_t base = reset ? before : earlier_peak;
    const uint64_t grown = peak > base ? peak - base : 0;
    agent->memory.download = grown > agent->memory.download ? grown : agent->memory.download;
    agent->memory.peak = peak > earlier_peak ? peak : earlier_peak;
}

/* --- Telling the server --- */

static struct kerf_report new_report(const struct attempt *a, enum kerf_report_phase phase)
{
    const struct kerf_agent *agent = a->agent;
    struct kerf_report report = {
        .phase = phase,
        .mode = a->option->kind,
        .from_known = true,
        .from = agent->digest,
        .to_known = true,
        .to = agent->component.digest,
        .bytes = a->received,
        .ram = agent->memory.peak,
    };
    return report;
}

static void report_phase(const struct attempt *a, enum kerf_report_phase phase)
{
    const struct kerf_report report = new_report(a, phase);
    kerf_agent_report(a->agent, &report);
}

/* Does this failure say something about the payload, not about the network? */
static bool blames_payload(enum kerf_report_code code)
{
    return code != KERF_CODE_NET && code != KERF_CODE_TLS && code != KERF_CODE_TIMEOUT;
}

static void note_failure(const struct attempt *a)
{
    struct kerf_agent *agent = a->agent;
    struct kerf_last_attempt *last = &agent->state.last;
    const bool again = last->txn[0] != '\0' && last->target_known && last->mode == a->option->kind &&
                       memcmp(last->target.b, agent->component.digest.b, sizeof last->target.b) == 0;
    /* A network that fails afterwards must not hide which payload is bad. */
    const bool covers = strcmp(last->txn, agent->state.txn) == 0 && blames_payload(last->code);
    if (!covers || blames_payload(a->code)) {
        const uint32_t tries = again ? last->tries : 0;
        memset(last, 0, sizeof *last);
        memcpy(last->txn, agent->state.txn, sizeof last->txn);
        memcpy(last->component, agent->config->component, sizeof last->component);
        last->mode = a->option->kind;
        last->phase = KERF_REPORT_FAILED;
        last->code = a->code;
        last->tries = tries + 1;
        last->target_known = true;
        last->target = agent->component.digest;
    }
    struct kerf_report report = new_report(a, KERF_REPORT_FAILED);
    report.code = a->code;
    kerf_agent_report(agent, &report); /* saves the state */
    json_t *event = kerf_agent_event("failed");
    kerf_json_put_text(&event, "kind", kerf_mode_name(a->option->kind));
    kerf_json_put_text(&event, "error", kerf_cli_err_name(a->err));
    kerf_json_put_text(&event, "code", kerf_report_code_name(a->code));
    kerf_json_put_text(&event, "message", a->why.text);
    kerf_agent_emit_event(agent, event);
}

/* --- The switch --- */

/* One atomic write of the state is the whole switch: before it the device boots the old image, after it the new one. */
static enum kerf_exit switch_slots(const struct attempt *a)
{
    struct kerf_agent *agent = a->agent;
    const struct kerf_device_state before = agent->state;
    struct kerf_slot_image *image = &agent->state.slots[other_slot(agent)];
    memset(image, 0, sizeof *image);
    image->valid = true;
    memcpy(image->version, agent->component.version.p, agent->component.version.len);
    image->size = agent->component.size;
    image->digest = agent->component.digest;
    image->release = agent->trust.release.seq;
    image->sc = agent->trust.release.sc;
    agent->state.active = other_slot(agent);
    agent->state.confirmed = false;
    agent->state.boots++;
    memset(&agent->state.last, 0, sizeof agent->state.last);
    const enum kerf_exit code = kerf_agent_save(agent);
    if (code != KERF_EXIT_OK) {
        agent->state = before;
    }
    return code;
}

static void emit_installed(const struct attempt *a)
{
    struct kerf_agent *agent = a->agent;
    const struct kerf_slot_image *image = &agent->state.slots[agent->state.active];
    json_t *memory = json_object();
    kerf_json_put_uint(&memory, "peak", agent->memory.peak);
    kerf_json_put_uint(&memory, "over_start",
                       agent->memory.peak > agent->memory.start ? agent->memory.peak - agent->memory.start : 0);
    kerf_json_put_uint(&memory, "download_and_apply", agent->memory.download);
    kerf_json_put_uint(&memory, "workspace", a->payload.workspace);
    kerf_json_put_uint(&memory, "page", a->workspace - a->payload.workspace);
    json_t *event = kerf_agent_event("installed");
    kerf_json_put_text(&event, "slot", agent->state.active == 0 ? "a" : "b");
    kerf_json_put_text(&event, "version", image->version);
    kerf_json_put_text(&event, "kind", kerf_mode_name(a->option->kind));
    kerf_json_put_uint(&event, "image_size", image->size);
    kerf_json_put_uint(&event, "full_size", full_size(agent));
    kerf_json_put_uint(&event, "payload_size", a->payload.size);
    kerf_json_put_uint(&event, "received", a->received);
    kerf_json_put_uint(&event, "resumed", a->resumed);
    kerf_json_put_uint(&event, "resumed_from", a->resumed_from);
    kerf_json_put_digest(&event, "sha256", &image->digest);
    kerf_json_put_uint(&event, "ms", kerf_agent_ms(agent));
    kerf_json_put(&event, "memory", memory);
    kerf_agent_emit_event(agent, event);
}

static enum kerf_exit finish(struct attempt *a)
{
    struct kerf_install_request request;
    report_phase(a, KERF_REPORT_VERIFY);
    fill_request(a, &request); /* before the slots change places */
    const enum kerf_exit code = switch_slots(a);
    if (code != KERF_EXIT_OK) {
        return code;
    }
    kerf_install_forget(&request);
    emit_installed(a);
    /* agent->digest is still the old image's: the pair stays the same in all reports of this update. */
    report_phase(a, KERF_REPORT_REBOOT);
    kerf_agent_send_reports(a->agent);
    return KERF_EXIT_OK;
}

/* --- The order of things --- */

/*
 * Which option comes first: the server's best, unless less than that takes is missing of one that an earlier run was
 * cut off at.
 */
static size_t first_option(struct kerf_agent *agent)
{
    uint64_t least = UINT64_MAX;
    size_t first = 0;
    for (size_t i = 0; i < agent->update->option_count; i++) {
        struct attempt a;
        struct kerf_install_request request;
        if (prepare(agent, &agent->update->options[i], &a) != KERF_OK) {
            continue;
        }
        fill_request(&a, &request);
        const uint64_t from = kerf_install_position(&request);
        const uint64_t missing = from < a.payload.size ? a.payload.size - from : 0;
        if (least == UINT64_MAX || (from > 0 && missing < least)) {
            least = missing;
            first = i;
        }
    }
    return first;
}

/* Tries the options, best first. A failed delta is followed by the full payload at once. */
static enum kerf_exit try_options(struct kerf_agent *agent)
{
    enum kerf_exit code = KERF_EXIT_LIMIT;
    kerf_err unusable = KERF_ERR_MISMATCH;
    struct kerf_why why = {""};
    bool tried = false;
    const size_t first = first_option(agent);
    for (size_t i = 0; i < agent->update->option_count; i++) {
        struct attempt a;
        const size_t index = i == 0 ? first : i <= first ? i - 1 : i;
        const kerf_err err = prepare(agent, &agent->update->options[index], &a);
        if (err != KERF_OK) {
            unusable = err;
            kerf_why_set(&why, "%s", a.why.text[0] != '\0' ? a.why.text : text_of(err));
            continue;
        }
        tried = true;
        report_phase(&a, KERF_REPORT_DOWNLOAD);
        run_attempt(&a);
        if (a.err == KERF_OK) {
            report_phase(&a, KERF_REPORT_APPLY);
            return finish(&a);
        }
        note_failure(&a);
        code = kerf_agent_fail(agent, a.exit, "%s: slot %s still boots what it did", a.why.text,
                               agent->state.active == 0 ? "a" : "b");
        if (a.err == KERF_ERR_FLASH || a.err == KERF_ERR_SPACE) {
            break; /* the disk: another payload won't mend it */
        }
    }
    if (!tried) {
        code = kerf_agent_fail(agent, exit_of(unusable), "none of the server's payloads can be used: %s", why.text);
    }
    kerf_agent_send_reports(agent);
    return code;
}

enum kerf_exit kerf_agent_update(struct kerf_agent *agent)
{
    if (!agent->state.confirmed) {
        return kerf_agent_fail(agent, KERF_EXIT_USAGE,
                               "the running image is not confirmed, and the other slot is the only way back: run "
                               "'kerf-agent confirm' or 'kerf-agent rollback' first");
    }
    enum kerf_exit code = kerf_agent_ask(agent);
    if (code != KERF_EXIT_OK) {
        return code;
    }
    emit_offer(agent);
    if (agent->answer.not_before > (uint64_t)time(NULL)) {
        json_t *event = kerf_agent_event("none");
        kerf_json_put_text(&event, "reason", "not_before");
        kerf_json_put_text(&event, "message", "the server asks to wait with this update");
        kerf_agent_emit_event(agent, event);
        return KERF_EXIT_NONE;
    }
    memcpy(agent->state.txn, agent->answer.txn, sizeof agent->state.txn);
    agent->state.report_seq = 0;
    code = kerf_agent_save(agent);
    if (code != KERF_EXIT_OK) {
        return code;
    }
    const struct kerf_report accepted = {
        .phase = KERF_REPORT_ACCEPTED,
        .from_known = true,
        .from = agent->digest,
        .to_known = true,
        .to = agent->component.digest,
    };
    kerf_agent_report(agent, &accepted);
    return try_options(agent);
}
