/* SPDX-License-Identifier: Apache-2.0 */
#include "server-tools/resolver.h"

#include <stdio.h>
#include <string.h>

#include "common/container.h"

const struct kerf_policy kerf_policy_default = {
    .delta_worth_num = 7,
    .delta_worth_den = 10,
    .pair_failures_max = 2,
    .tries_delta = 2,
    .tries_full = 5,
    .backoff_base = 60,
    .backoff_max = 21600,
    .full_on_metered = false,
    .poll_after = 14400,
    .poll_spread = 0.2,
};

/* Why nothing can be offered, in the order in which a payload is looked at: the last one reached says the most. */
enum refusal {
    REFUSED_FORMAT,
    REFUSED_FEATURE,
    REFUSED_RAM,
    REFUSED_METERED,
    REFUSED_NOT, /* fits */
};

static const char *const refusal_words[] = {"format", "feature", "ram", "metered", NULL};

/* What one resolution works on. */
struct resolution {
    const struct kerf_resolver_view *view;
    const struct kerf_check_request *request;
    const struct kerf_pair_failures *failures;
    size_t failure_count;
    const struct kerf_policy *policy;
    uint32_t features; /* kerf_features_mask() */
};

static struct kerf_span span_of(const char *text)
{
    const struct kerf_span span = {(const uint8_t *)text, strlen(text)};

    return span;
}

/* Copies a name or version; the documents' longest (KERF_NAME_MAX_LEN) always fits, other bytes are cut. */
static void copy_span(char *text, size_t cap, struct kerf_span span)
{
    const size_t len = span.len < cap ? span.len : cap - 1;

    memcpy(text, span.p, len);
    text[len] = '\0';
}

static bool same_digest(const struct kerf_sha256_digest *a, const struct kerf_sha256_digest *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool kerf_report_blames_payload(enum kerf_mode mode, enum kerf_report_code code)
{
    if (mode != KERF_MODE_DELTA) {
        return false;
    }
    switch (code) {
    case KERF_CODE_SRC_MISMATCH:
    case KERF_CODE_DELTA_BAD:
    case KERF_CODE_CHUNK_HASH:
    case KERF_CODE_DST_HASH:
    case KERF_CODE_NO_SPACE:
    case KERF_CODE_NO_RAM:
    case KERF_CODE_FLASH:
    case KERF_CODE_BOOT_FAIL:
        return true;
    case KERF_CODE_NONE:
    case KERF_CODE_NET:
    case KERF_CODE_TLS:
    case KERF_CODE_SIG:
    case KERF_CODE_EXPIRED:
    case KERF_CODE_ROLLBACK:
    case KERF_CODE_BATTERY:
    case KERF_CODE_TIMEOUT:
    case KERF_CODE_CANCELLED:
        return false;
    }
    return false;
}

static enum kerf_standing standing_of(const struct kerf_resolver_view *view,
                                      const struct kerf_check_component *component)
{
    const struct kerf_span name = span_of(component->name);
    const struct kerf_span version = span_of(component->ver);
    bool version_known = false;
    bool digest_known = false;

    if (!component->digest_known) {
        return KERF_STANDING_ABSENT;
    }
    for (size_t i = 0; i < view->image_count; i++) {
        const struct kerf_known_image *image = &view->images[i];

        if (kerf_span_equal(image->component, name)) {
            const bool same_version = version.len == 0 || kerf_span_equal(image->version, version);

            if (same_digest(&image->digest, &component->digest)) {
                digest_known = true;
                if (same_version) {
                    return KERF_STANDING_KNOWN;
                }
            }
            version_known = version_known || (version.len > 0 && same_version);
        }
    }
    if (digest_known) {
        return KERF_STANDING_RENAMED;
    }
    return version_known ? KERF_STANDING_DRIFT : KERF_STANDING_FOREIGN;
}

/* The component of the release with this name. */
static bool find_component(const struct kerf_release *release, const char *name, struct kerf_component *component)
{
    size_t cursor = 0;

    while (kerf_release_next_component(release, &cursor, component) == KERF_OK) {
        if (kerf_span_equal(component->name, span_of(name))) {
            return true;
        }
    }
    return false;
}

/* True when this device failed this pair as often as policy bears, by its reports or by its own word. */
static bool pair_failed(const struct resolution *r, const struct kerf_check_component *have,
                        const struct kerf_component *target)
{
    const struct kerf_last_attempt *last = &r->request->last;

    for (size_t i = 0; i < r->failure_count; i++) {
        const struct kerf_pair_failures *f = &r->failures[i];

        if (f->count >= r->policy->pair_failures_max && same_digest(&f->from, &have->digest) &&
            same_digest(&f->to, &target->digest)) {
            return true;
        }
    }
    return last->txn[0] != '\0' && kerf_report_blames_payload(last->mode, last->code) &&
           last->tries >= r->policy->pair_failures_max &&
           (last->component[0] == '\0' || strcmp(last->component, have->name) == 0) &&
           (!last->target_known || same_digest(&last->target, &target->digest));
}

/* Can this device's patcher take this payload? */
static enum refusal refusal_of(const struct resolution *r, const struct kerf_payload *payload)
{
    const struct kerf_client_info *client = &r->request->client;
    bool format_known = false;

    for (size_t i = 0; i < client->format_count; i++) {
        format_known = format_known || kerf_span_equal(payload->format, span_of(client->formats[i]));
    }
    if (!format_known) {
        return REFUSED_FORMAT;
    }
    /* In place: the request has no word yet for a slot's geometry, so no device can ask for one. */
    if ((payload->isas & ~r->features) != 0 || payload->in_place ||
        (payload->codec == KERF_CODEC_LZMA2 && (r->features & KERF_FEATURE_LZMA2) == 0)) {
        return REFUSED_FEATURE;
    }
    if (client->ram > 0 && payload->workspace > client->ram) {
        return REFUSED_RAM;
    }
    if (!payload->is_delta && client->metered && !r->policy->full_on_metered) {
        return REFUSED_METERED;
    }
    return REFUSED_NOT;
}

/* Size of the smallest full payload; 0: there is none (publish refuses that). */
static uint64_t smallest_full(const struct kerf_component *target)
{
    struct kerf_payload payload;
    size_t cursor = 0;
    uint64_t size = 0;

    while (kerf_component_next_payload(target, &cursor, &payload) == KERF_OK) {
        if (!payload.is_delta && (size == 0 || payload.size < size)) {
            size = payload.size;
        }
    }
    return size;
}

/* size * den < full * num, where the products may not fit into 64 bits: both sides are divided by den * num. */
static bool worth_it(const struct kerf_policy *policy, uint64_t size, uint64_t full)
{
    const uint64_t num = policy->delta_worth_num;
    const uint64_t den = policy->delta_worth_den;

    if (size < UINT64_MAX / den && full < UINT64_MAX / num) {
        return size * den < full * num;
    }
    return size / num < full / den;
}

/*
 * Puts a payload where it belongs: deltas first, then full payloads, each by size. When the list is full the largest of
 * the kind that has more than half of it goes, so that a full payload always stays.
 */
static void insert_option(struct kerf_update *update, const struct kerf_payload *payload)
{
    const enum kerf_mode kind = payload->is_delta ? KERF_MODE_DELTA : KERF_MODE_FULL;
    struct kerf_option option;
    size_t pos = 0;
    size_t same = 0;

    memset(&option, 0, sizeof option);
    option.kind = kind;
    copy_span(option.format, sizeof option.format, payload->format);
    option.size = payload->size;
    option.ram = payload->workspace;
    option.digest = payload->digest;
    for (size_t i = 0; i < update->option_count; i++) {
        const struct kerf_option *other = &update->options[i];

        same += other->kind == kind;
        /* KERF_MODE_DELTA is below KERF_MODE_FULL. */
        pos += other->kind < kind || (other->kind == kind && other->size <= option.size);
    }
    if (same == KERF_MAX_OPTIONS / 2) {
        const size_t last = (kind == KERF_MODE_DELTA ? 0 : update->option_count - same) + same - 1;

        if (pos > last) {
            return;
        }
        memmove(&update->options[pos + 1], &update->options[pos], (last - pos) * sizeof option);
    } else {
        memmove(&update->options[pos + 1], &update->options[pos], (update->option_count - pos) * sizeof option);
        update->option_count++;
    }
    update->options[pos] = option;
}

/* Fills the options; returns why there are none. */
static enum refusal collect_options(const struct resolution *r, const struct kerf_check_component *have,
                                    const struct kerf_component *target, struct kerf_update *update)
{
    const uint64_t full = smallest_full(target);
    const bool deltas = have->digest_known && !pair_failed(r, have, target);
    enum refusal furthest = REFUSED_FORMAT;
    struct kerf_payload payload;
    size_t cursor = 0;

    while (kerf_component_next_payload(target, &cursor, &payload) == KERF_OK) {
        enum refusal refusal;

        if (payload.is_delta && (!deltas || !same_digest(&payload.from_digest, &have->digest) ||
                                 !worth_it(r->policy, payload.size, full))) {
            continue;
        }
        refusal = refusal_of(r, &payload);
        if (refusal == REFUSED_NOT) {
            insert_option(update, &payload);
        }
        furthest = refusal > furthest ? refusal : furthest;
    }
    return furthest;
}

/* One component: an update with options, or the reason to hold. NULL: all is well; *needed says whether there is one. */
static const char *resolve_component(const struct resolution *r, const struct kerf_check_component *have,
                                     const struct kerf_component *target, struct kerf_update *update, bool *needed)
{
    enum refusal refusal;

    *needed = !have->digest_known || !same_digest(&have->digest, &target->digest);
    if (!*needed) {
        return NULL;
    }
    if (r->view->release->sc < have->sc) {
        return "rollback";
    }
    if (r->request->release_seq < target->min_from_seq) {
        return "minimum";
    }
    if (have->slot > 0 && target->size > have->slot) {
        return "slot";
    }
    memset(update, 0, sizeof *update);
    (void)snprintf(update->component, sizeof update->component, "%s", have->name);
    (void)snprintf(update->from_ver, sizeof update->from_ver, "%s", have->ver);
    update->from_known = have->digest_known;
    update->from = have->digest;
    copy_span(update->to_ver, sizeof update->to_ver, target->version);
    update->to = target->digest;
    update->to_size = target->size;
    update->tries_delta = r->policy->tries_delta;
    update->tries_full = r->policy->tries_full;
    update->backoff_base = r->policy->backoff_base;
    update->backoff_max = r->policy->backoff_max;
    update->full_on_metered = r->policy->full_on_metered;
    refusal = collect_options(r, have, target, update);
    return update->option_count > 0 ? NULL : refusal_words[refusal];
}

/* The device's components that the release has, as indexes into request->components, in the order of application. */
static size_t order_components(const struct resolution *r, size_t order[KERF_MAX_COMPONENTS])
{
    uint64_t ranks[KERF_MAX_COMPONENTS];
    size_t count = 0;

    for (size_t i = 0; i < r->request->component_count; i++) {
        const char *name = r->request->components[i].name;
        struct kerf_component target;
        size_t pos;

        if (!find_component(r->view->release, name, &target)) {
            continue;
        }
        for (pos = count; pos > 0 && (ranks[pos - 1] > target.order ||
                                      (ranks[pos - 1] == target.order &&
                                       strcmp(r->request->components[order[pos - 1]].name, name) > 0));
             pos--) {
            ranks[pos] = ranks[pos - 1];
            order[pos] = order[pos - 1];
        }
        ranks[pos] = target.order;
        order[pos] = i;
        count++;
    }
    return count;
}

static void decide(struct kerf_check_answer *answer, enum kerf_check_status status, const char *reason)
{
    answer->status = status;
    answer->update_count = status == KERF_CHECK_UPDATE ? answer->update_count : 0;
    (void)snprintf(answer->reason, sizeof answer->reason, "%s", reason);
}

static void begin_answer(const struct resolution *r, struct kerf_check_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    answer->poll_after = r->policy->poll_after;
    answer->poll_spread = r->policy->poll_spread;
    answer->set_known = true;
    answer->set_atomic = true;
    answer->set_release = r->view->release->seq;
    copy_span(answer->set_name, sizeof answer->set_name, r->view->release->version);
}

void kerf_resolve(const struct kerf_resolver_view *view, const struct kerf_check_request *request,
                  const struct kerf_pair_failures *failures, size_t failure_count, const struct kerf_policy *policy,
                  struct kerf_check_answer *answer, struct kerf_resolver_notes *notes)
{
    const struct resolution r = {
        view, request, failures, failure_count, policy, kerf_features_mask(&request->client),
    };
    size_t order[KERF_MAX_COMPONENTS] = {0};
    bool drift = false;

    begin_answer(&r, answer);
    memset(notes, 0, sizeof *notes);
    for (size_t i = 0; i < request->component_count; i++) {
        notes->standings[i] = standing_of(view, &request->components[i]);
    }
    answer->order_count = order_components(&r, order);
    for (size_t i = 0; i < answer->order_count; i++) {
        (void)snprintf(answer->order[i], KERF_NAME_CAP, "%s", request->components[order[i]].name);
    }
    if (request->release_seq > view->release->seq) {
        decide(answer, KERF_CHECK_NONE, "newer");
        return;
    }
    if (!kerf_release_has_hardware(view->release, span_of(request->device.hw))) {
        decide(answer, KERF_CHECK_HOLD, "hardware");
        return;
    }
    if (answer->order_count == 0) {
        decide(answer, KERF_CHECK_HOLD, "component");
        return;
    }
    for (size_t i = 0; i < answer->order_count; i++) {
        const struct kerf_check_component *have = &request->components[order[i]];
        struct kerf_component target;
        const char *hold;
        bool needed = false;

        if (!find_component(view->release, have->name, &target)) {
            continue; /* not possible: order_components() found it */
        }
        hold = resolve_component(&r, have, &target, &answer->updates[answer->update_count], &needed);
        if (hold != NULL) {
            decide(answer, KERF_CHECK_HOLD, hold);
            return;
        }
        answer->update_count += needed;
        drift = drift || (needed && notes->standings[order[i]] == KERF_STANDING_DRIFT);
    }
    if (answer->update_count == 0) {
        decide(answer, KERF_CHECK_NONE, "current");
    } else {
        decide(answer, KERF_CHECK_UPDATE, drift ? "drift" : "update");
    }
}
