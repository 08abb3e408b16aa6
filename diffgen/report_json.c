/* SPDX-License-Identifier: Apache-2.0 */
/* The report for programs: the same numbers as on the page, as one JSON object. */
#include <string.h>

#include "common/host/cli.h"
#include "diffgen/report.h"

static json_t *origins(const struct kerf_report *r)
{
    const uint64_t *n = r->costs.origin_bytes;

    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "old", (json_int_t)n[KERF_ORIGIN_OLD], "references",
                     (json_int_t)n[KERF_ORIGIN_REF], "changed", (json_int_t)n[KERF_ORIGIN_CHANGED], "new",
                     (json_int_t)n[KERF_ORIGIN_NEW], "literals", (json_int_t)n[KERF_ORIGIN_LITERAL]);
}

/* The regions of the delta, each with what its bytes cost. */
static void add_regions(json_t *object, const struct kerf_report *r)
{
    kerf_diff_add_regions(object, &r->header, r->regions, r->ranges);
    for (unsigned i = 0; i < r->header.region_count; i++) {
        size_t from = (size_t)r->regions[i].new_pos;
        struct kerf_cost_sum sum = kerf_costs_sum(&r->costs, from, from + (size_t)r->regions[i].new_len);

        (void)json_object_set_new(json_array_get(json_object_get(object, "regions"), i), "cost",
                                  json_real(kerf_report_bytes(sum.total)));
    }
}

static json_t *profiles(const struct kerf_report *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->profile_count; i++) {
        const struct kerf_report_profile *p = &r->profiles[i];

        (void)json_array_append_new(list, p->fits ? json_pack("{s:I, s:b, s:I, s:I}", "ram", (json_int_t)p->ram, "fits",
                                                              1, "delta_size", (json_int_t)p->delta_len, "workspace",
                                                              (json_int_t)p->workspace)
                                                  : json_pack("{s:I, s:b}", "ram", (json_int_t)p->ram, "fits", 0));
    }
    return list;
}

static json_t *places(const struct kerf_report *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->place_count; i++) {
        const struct kerf_report_block *b = &r->places[i];

        (void)json_array_append_new(list, json_pack("{s:I, s:I, s:f}", "pos", (json_int_t)b->pos, "len",
                                                    (json_int_t)b->len, "cost", kerf_report_bytes(b->sum.total)));
    }
    return list;
}

/* Those that cost something, in the order of the image. */
static json_t *items(const struct kerf_report_item *from, size_t count, bool sections)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        const struct kerf_report_item *item = &from[i];

        if (item->sum.total == 0 || (item->name == NULL && !sections)) {
            continue;
        }
        json_t *object = json_pack("{s:o?, s:I, s:I, s:I, s:f}", "section", kerf_cli_json_text(item->section), "addr",
                                   (json_int_t)item->addr, "pos", (json_int_t)item->pos, "len", (json_int_t)item->len,
                                   "cost", kerf_report_bytes(item->sum.total));

        if (object != NULL && !sections) {
            (void)json_object_set_new(object, "name", kerf_cli_json_text(item->name));
        }
        (void)json_array_append_new(list, object);
    }
    return list;
}

static json_t *advice(const struct kerf_report *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->advice_count; i++) {
        (void)json_array_append_new(list, json_pack("{s:o?, s:o?}", "title", kerf_cli_json_text(r->advice[i].title),
                                                    "text", kerf_cli_json_text(r->advice[i].text)));
    }
    return list;
}

int kerf_report_json(const struct kerf_report *r, const char *output)
{
    json_t *object = json_pack(
        "{s:b, s:o?, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:o?}", "ok", 1, "output", kerf_cli_json_text(output),
        "delta_size", (json_int_t)r->made.delta_len, "old_size", (json_int_t)r->old_len, "new_size",
        (json_int_t)r->new_len, "full_size", (json_int_t)r->full_len, "header_size", (json_int_t)r->made.header_len,
        "chain_size", (json_int_t)r->made.chain_len, "workspace", (json_int_t)r->made.workspace, "ram",
        (json_int_t)r->diff.ram, "level", r->diff.level, "recognised", kerf_cli_json_text(r->made.recognised));

    if (object != NULL) {
        kerf_diff_add_parts(object, &r->made);
        kerf_diff_add_flat(object, &r->old_flat, &r->new_flat);
        (void)json_object_set_new(object, "origin_bytes", origins(r));
        add_regions(object, r);
        (void)json_object_set_new(object, "profiles", profiles(r));
        (void)json_object_set_new(object, "places", places(r));
        (void)json_object_set_new(object, "advice", advice(r));
    }
    if (object != NULL && r->names.count > 0) {
        (void)json_object_set_new(object, "sections", items(r->names.sections, r->names.section_count, true));
        (void)json_object_set_new(object, "symbols", items(r->names.items, r->names.count, false));
    }
    return kerf_cli_json(object);
}
