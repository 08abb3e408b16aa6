/* SPDX-License-Identifier: Apache-2.0 */
#include "server-tools/draft.h"

#include <stdlib.h>
#include <string.h>

/* What goes into an envelope must leave room for the envelope and some signatures. */
#define DRAFT_MAX_LEN (KERF_METADATA_MAX_LEN - 2048)

static kerf_err no_memory(struct kerf_why *why)
{
    kerf_why_set(why, "out of memory: free some memory");
    return KERF_ERR_RAM;
}

static int compare_spans(struct kerf_span a, struct kerf_span b)
{
    int order = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_ids(const void *a, const void *b)
{
    const struct kerf_span *x = a;
    const struct kerf_span *y = b;

    return compare_spans(*x, *y);
}

/* The hardware ids of a parsed release. */
static kerf_err copy_hardware(struct kerf_draft *draft, const struct kerf_release *release, struct kerf_why *why)
{
    size_t pos = 0;

    if (release->hardware_count == 0) {
        return KERF_OK;
    }
    draft->hardware = calloc(release->hardware_count, sizeof *draft->hardware);
    if (draft->hardware == NULL) {
        return no_memory(why);
    }
    for (uint32_t i = 0; i < release->hardware_count; i++) {
        struct kerf_cbor_reader r;

        kerf_cbor_reader_init(&r, release->hardware.p + pos, release->hardware.len - pos);
        kerf_err err = kerf_cbor_read_text(&r, &draft->hardware[i]);
        if (err != KERF_OK) {
            return err;
        }
        pos += r.pos;
        draft->hardware_count++;
    }
    return KERF_OK;
}

static kerf_err copy_component(struct kerf_draft *draft, const struct kerf_component *component, struct kerf_why *why)
{
    struct kerf_payload *payloads = calloc(component->payload_count, sizeof *payloads);
    size_t cursor = 0;
    kerf_err err = KERF_OK;

    if (payloads == NULL) {
        return no_memory(why);
    }
    for (uint32_t i = 0; err == KERF_OK && i < component->payload_count; i++) {
        err = kerf_component_next_payload(component, &cursor, &payloads[i]);
    }
    if (err == KERF_OK) {
        err = kerf_draft_component(draft, component, payloads, component->payload_count, why);
    }
    free(payloads);
    return err;
}

kerf_err kerf_draft_begin(struct kerf_draft *draft, const struct kerf_release *release, struct kerf_why *why)
{
    struct kerf_component component;
    size_t cursor = 0;

    *draft = (struct kerf_draft){.release = *release};
    kerf_err err = copy_hardware(draft, release, why);
    while (err == KERF_OK && (err = kerf_release_next_component(release, &cursor, &component)) == KERF_OK) {
        err = copy_component(draft, &component, why);
    }
    return err == KERF_END ? KERF_OK : err;
}

kerf_err kerf_draft_hardware(struct kerf_draft *draft, const char *const *ids, size_t count, struct kerf_why *why)
{
    free(draft->hardware);
    draft->hardware_count = 0;
    draft->hardware = calloc(count + 1, sizeof *draft->hardware);
    if (draft->hardware == NULL) {
        return no_memory(why);
    }
    for (size_t i = 0; i < count; i++) {
        draft->hardware[i] = (struct kerf_span){(const uint8_t *)ids[i], strlen(ids[i])};
        if (!kerf_name_valid(draft->hardware[i])) {
            kerf_why_set(why, "'%s' can't be a hardware id: use 1 to 64 of A-Z a-z 0-9 . _ -", ids[i]);
            return KERF_ERR_ARGUMENT;
        }
    }
    qsort(draft->hardware, count, sizeof *draft->hardware, compare_ids);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || !kerf_span_equal(draft->hardware[i], draft->hardware[i - 1])) {
            draft->hardware[draft->hardware_count++] = draft->hardware[i];
        }
    }
    return KERF_OK;
}

kerf_err kerf_draft_component(struct kerf_draft *draft, const struct kerf_component *component,
                              const struct kerf_payload *payloads, size_t count, struct kerf_why *why)
{
    struct kerf_component_list *list = realloc(draft->components, (draft->component_count + 1) * sizeof *list);
    size_t i = 0;

    if (list == NULL) {
        return no_memory(why);
    }
    draft->components = list;
    struct kerf_payload *copy = calloc(count + 1, sizeof *copy);
    if (copy == NULL) {
        return no_memory(why);
    }
    if (count > 0) {
        memcpy(copy, payloads, count * sizeof *copy);
    }
    while (i < draft->component_count && compare_spans(list[i].component.name, component->name) < 0) {
        i++;
    }
    if (i < draft->component_count && kerf_span_equal(list[i].component.name, component->name)) {
        free(list[i].payloads);
    } else {
        memmove(&list[i + 1], &list[i], (draft->component_count - i) * sizeof *list);
        draft->component_count++;
    }
    list[i] = (struct kerf_component_list){*component, copy, count};
    return KERF_OK;
}

kerf_err kerf_draft_write(const struct kerf_draft *draft, uint8_t **data, size_t *len, struct kerf_why *why)
{
    *data = malloc(DRAFT_MAX_LEN);
    if (*data == NULL) {
        return no_memory(why);
    }
    kerf_err err = kerf_release_write(&draft->release, draft->hardware, draft->hardware_count, draft->components,
                                      draft->component_count, *data, DRAFT_MAX_LEN, len);
    if (err != KERF_OK) {
        free(*data);
        *data = NULL;
        kerf_why_set(why, err == KERF_ERR_SPACE
                              ? "the release document gets over 64 KiB: use fewer components, --deltas or --hw"
                              : "the release has a value that is not allowed: check versions, sizes and ids");
        return KERF_ERR_ARGUMENT;
    }
    return KERF_OK;
}

void kerf_draft_free(struct kerf_draft *draft)
{
    for (size_t i = 0; i < draft->component_count; i++) {
        free(draft->components[i].payloads);
    }
    free(draft->components);
    free(draft->hardware);
    *draft = (struct kerf_draft){0};
}
