/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_ask.c - the first half of an update: what is there, what does the server say, and what of that is signed.
 */
#define _DEFAULT_SOURCE
#include "patcher/port/agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/rand.h>

#include "common/host/cli.h"
#include "common/host/json_read.h"
#include "patcher/patcher.h"

#define NONCE_LEN 16u         /* bytes; twice as many characters */
#define CLOCK_SET 1735689600u /* 2025-01-01: a clock before that has not been set since the battery was out */

static struct kerf_span span_of(const char *text)
{
    return (struct kerf_span){(const uint8_t *)text, strlen(text)};
}

/* --- The request --- */

static void fill_request(const struct kerf_agent *agent, const char *nonce, struct kerf_check_request *request)
{
    const struct kerf_agent_config *config = agent->config;
    const struct kerf_device_state *state = &agent->state;
    const struct kerf_slot_image *image = &state->slots[state->active];
    struct kerf_check_component *component = &request->components[0];

    memset(request, 0, sizeof *request);
    memcpy(request->device.id, config->device, sizeof request->device.id);
    memcpy(request->device.model, config->product, sizeof request->device.model);
    memcpy(request->device.hw, config->hw, sizeof request->device.hw);
    (void)snprintf(request->client.name, sizeof request->client.name, "kerf-agent");
    (void)snprintf(request->client.ver, sizeof request->client.ver, "%s", KERF_VERSION);
    request->client.format_count = 1;
    (void)snprintf(request->client.formats[0], sizeof request->client.formats[0], "%s", KERF_PROTOCOL_FORMAT);
    kerf_features_set(&request->client, kerf_patcher_isas() | (config->lzma2 ? KERF_FEATURE_LZMA2 : 0));
    request->client.ram = config->ram;
    request->client.resume = true;
    request->client.metered = config->metered;
    request->boot_known = true;
    request->boot_confirmed = state->confirmed;
    request->boot_count = state->boots;
    request->root_version = agent->trust.root.version;
    request->release_seq = state->release_seq;
    request->component_count = 1;
    memcpy(component->name, config->component, sizeof component->name);
    memcpy(component->ver, image->version, sizeof component->ver);
    component->digest_known = true;
    component->digest = agent->digest;
    component->size = image->size;
    component->slot = config->slot_size;
    component->sc = state->sc;
    request->last = state->last;
    memcpy(request->channel, config->channel, sizeof request->channel);
    (void)snprintf(request->nonce, sizeof request->nonce, "%s", nonce);
}

static enum kerf_exit make_nonce(struct kerf_agent *agent, char nonce[2 * NONCE_LEN + 1])
{
    uint8_t bytes[NONCE_LEN];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return kerf_agent_fail(agent, KERF_EXIT_INTERNAL, "the system has no random numbers");
    }
    (void)kerf_cli_format_hex(bytes, sizeof bytes, nonce);
    return KERF_EXIT_OK;
}

/* A message as an event, for those who want to see what goes over the wire. */
static void emit_message(struct kerf_agent *agent, const char *name, const char *url, const char *text, size_t len)
{
    json_t *event = kerf_agent_event(name);
    kerf_json_put_text(&event, "url", url);
    kerf_json_put_uint(&event, "bytes", len);
    kerf_json_put(&event, "body", json_loadb(text, len, 0, NULL));
    kerf_agent_emit_event(agent, event);
}

/* --- The exchange --- */

static enum kerf_exit exchange(struct kerf_agent *agent, const char *nonce)
{
    struct kerf_fetch_info info = {0};
    struct kerf_why why = {""};
    char url[KERF_URL_CAP + 16];
    char *text = NULL;
    char *answer = NULL;
    size_t len = 0;
    size_t answer_len = 0;
    struct kerf_check_request *request = malloc(sizeof *request);
    if (request == NULL) {
        return kerf_agent_fail(agent, KERF_EXIT_INTERNAL, "out of memory");
    }
    fill_request(agent, nonce, request);
    kerf_err err = kerf_check_request_write(request, &text, &len);
    free(request);
    if (err != KERF_OK) {
        return kerf_agent_fail(agent, KERF_EXIT_USAGE, "the configuration has a text that is not UTF-8: correct it");
    }
    (void)snprintf(url, sizeof url, "%s/v1/check", agent->config->server);
    emit_message(agent, "request", url, text, len);
    err = kerf_fetch_post(agent->fetch, url, text, len, KERF_CHECK_ANSWER_MAX, &answer, &answer_len, &info,
                          &agent->why);
    free(text);
    if (err != KERF_OK) {
        return info.untrusted ? KERF_EXIT_TRUST : KERF_EXIT_NETWORK;
    }
    emit_message(agent, "answer", url, answer, answer_len);
    err = kerf_check_answer_read(answer, answer_len, &agent->answer, &why);
    free(answer);
    if (err != KERF_OK) {
        return kerf_agent_fail(agent, KERF_EXIT_NETWORK, "'%s' does not answer as a Kerf server does: %s", url,
                               why.text);
    }
    agent->answered = true;
    return KERF_EXIT_OK;
}

/* --- What is signed --- */

static enum kerf_exit verify_answer(struct kerf_agent *agent, const char *nonce)
{
    const time_t now = time(NULL);
    const struct kerf_trust_self self = {
        .product = span_of(agent->config->product),
        .hardware = span_of(agent->config->hw),
        .have = {.seq = agent->state.release_seq, .sc = agent->state.sc},
        .now = now > (time_t)CLOCK_SET ? (uint64_t)now : 0,
        .nonce = span_of(nonce),
    };
    const kerf_err err = kerf_agent_trust_accept(&agent->trust, &agent->answer, &self, agent->root_path, &agent->why);
    if (err != KERF_OK) {
        return err == KERF_ERR_FLASH ? KERF_EXIT_IO : err == KERF_ERR_RAM ? KERF_EXIT_INTERNAL : KERF_EXIT_TRUST;
    }
    if (agent->trust.release_known && agent->trust.release.seq > agent->state.release_seq) {
        agent->state.release_seq = agent->trust.release.seq;
        return kerf_agent_save(agent);
    }
    return KERF_EXIT_OK;
}

/* Our component in the signed release. False: there is none. */
static bool find_component(struct kerf_agent *agent)
{
    size_t cursor = 0;
    while (kerf_release_next_component(&agent->trust.release, &cursor, &agent->component) == KERF_OK) {
        if (kerf_span_equal(agent->component.name, span_of(agent->config->component))) {
            return true;
        }
    }
    return false;
}

static enum kerf_exit none(struct kerf_agent *agent, const char *reason, const char *message)
{
    json_t *event = kerf_agent_event("none");
    kerf_json_put_text(&event, "status", agent->answer.status == KERF_CHECK_HOLD ? "hold" : "none");
    kerf_json_put_text(&event, "reason", reason);
    kerf_json_put_text(&event, "message", message);
    kerf_json_put_uint(&event, "poll_after", agent->answer.poll_after);
    kerf_agent_emit_event(agent, event);
    return KERF_EXIT_NONE;
}

/* What the server advises, held against what is signed. */
static enum kerf_exit judge(struct kerf_agent *agent)
{
    const struct kerf_check_answer *answer = &agent->answer;
    if (answer->status != KERF_CHECK_UPDATE) {
        return none(agent, answer->reason,
                    answer->status == KERF_CHECK_HOLD ? "there is something newer, but not for this device now"
                                                      : "the device is up to date");
    }
    agent->update = NULL;
    for (size_t i = 0; i < answer->update_count; i++) {
        if (strcmp(answer->updates[i].component, agent->config->component) == 0) {
            agent->update = &answer->updates[i];
        }
    }
    if (agent->update == NULL) {
        return none(agent, "component", "the server has updates for other components only");
    }
    if (!agent->trust.release_known || !find_component(agent)) {
        return kerf_agent_fail(agent, KERF_EXIT_TRUST, "the server offers '%s' without a signed release that has it",
                               agent->config->component);
    }
    if (memcmp(agent->component.digest.b, agent->digest.b, sizeof agent->digest.b) == 0) {
        return none(agent, "current", "the device is up to date");
    }
    if (memcmp(agent->component.digest.b, agent->update->to.b, sizeof agent->update->to.b) != 0) {
        return kerf_agent_fail(agent, KERF_EXIT_TRUST, "the server offers another image than the signed release has");
    }
    if (agent->component.min_from_seq > agent->state.slots[agent->state.active].release) {
        return none(agent, "minimum", "the device must take an earlier release first");
    }
    return KERF_EXIT_OK;
}

static void emit_device(struct kerf_agent *agent)
{
    const struct kerf_slot_image *image = &agent->state.slots[agent->state.active];
    json_t *event = kerf_agent_event("device");
    kerf_json_put_text(&event, "slot", agent->state.active == 0 ? "a" : "b");
    kerf_json_put_text(&event, "version", image->version);
    kerf_json_put_uint(&event, "size", image->size);
    kerf_json_put_digest(&event, "sha256", &agent->digest);
    kerf_agent_emit_event(agent, event);
}

enum kerf_exit kerf_agent_ask(struct kerf_agent *agent)
{
    char nonce[2 * NONCE_LEN + 1];
    enum kerf_exit code = KERF_EXIT_OK;
    const kerf_err err = kerf_agent_trust_open(&agent->trust, agent->config->root, agent->root_path,
                                               agent->config->product, &agent->why);
    if (err != KERF_OK) {
        return err == KERF_ERR_FLASH || err == KERF_ERR_SPACE ? KERF_EXIT_IO : KERF_EXIT_TRUST;
    }
    code = kerf_agent_hash_active(agent);
    if (code == KERF_EXIT_OK) {
        emit_device(agent);
        code = make_nonce(agent, nonce);
    }
    if (code == KERF_EXIT_OK) {
        code = kerf_agent_go_online(agent);
    }
    if (code == KERF_EXIT_OK) {
        kerf_agent_send_reports(agent);
        code = exchange(agent, nonce);
    }
    if (code == KERF_EXIT_OK) {
        code = verify_answer(agent, nonce);
    }
    return code == KERF_EXIT_OK ? judge(agent) : code;
}
