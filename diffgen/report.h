/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - the parts of `kerf-diff report`: a page about one delta. report_cmd.c knows the order; each part is a
 * leaf.
 */
#ifndef KERF_DIFFGEN_REPORT_H
#define KERF_DIFFGEN_REPORT_H

#include "diffgen/kerf_diff.h"
#include "diffgen/symbols.h"
#include "diffgen/work.h"

/* What a byte of new is. */
enum kerf_origin {
    KERF_ORIGIN_OLD,     /* as it is in old */
    KERF_ORIGIN_REF,     /* of an address that changed, and was predicted */
    KERF_ORIGIN_CHANGED, /* copied, but corrected */
    KERF_ORIGIN_NEW,     /* as it is earlier in new */
    KERF_ORIGIN_LITERAL, /* sent without a source */
    KERF_ORIGIN_COUNT,
};

/* --- report_costs.c: where the bytes of new came from, and what each cost. --- */

/* What something cost at one place of new. */
struct kerf_cost_event {
    uint32_t pos;
    uint32_t cost;   /* bits * 2^-16 */
    uint32_t target; /* of a reference: the old address, modulo 2^32; else 0 */
    uint8_t part;    /* enum kerf_diff_part */
    bool wrong;      /* a reference that was not as predicted */
};

/* For people: bytes of delta, and percent, 0 of nothing. */
static inline double kerf_report_bytes(kerf_cost cost)
{
    return (double)cost / 65536 / 8;
}

static inline double kerf_report_percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

struct kerf_cost_sum {
    kerf_cost total;
    kerf_cost part[KERF_PART_COUNT];
};

/* A stretch of new. */
struct kerf_report_block {
    uint64_t pos, len;
    uint32_t origin[KERF_ORIGIN_COUNT]; /* bytes */
    struct kerf_cost_sum sum;
};

struct kerf_costs {
    const uint8_t *old_image, *new_image; /* the caller's */
    size_t old_len, new_len;
    uint8_t *origin; /* enum kerf_origin of each byte of new */
    struct kerf_cost_event *events;
    size_t event_count, event_cap;
    struct kerf_segments segments; /* as coded */
    bool *moved;                   /* for each: from old, but not in the order that most of new keeps */
    uint64_t origin_bytes[KERF_ORIGIN_COUNT];
    bool failed; /* out of memory */
};

/* Decodes and codes the delta again (kerf_diff_recount()) and fills all of *costs; kerf_costs_free() in any case. */
KERF_MUST_USE kerf_err kerf_costs_collect(struct kerf_costs *costs, const uint8_t *delta, size_t delta_len,
                                          struct kerf_diff_report *report);
void kerf_costs_free(struct kerf_costs *costs);
/* What new[from .. to) cost. */
struct kerf_cost_sum kerf_costs_sum(const struct kerf_costs *costs, size_t from, size_t to);
/* Fills in a block whose pos and len are set. */
void kerf_costs_block(const struct kerf_costs *costs, struct kerf_report_block *block);
/*
 * The costliest places of new, dearest first: neighbouring pieces that cost much, as one. Fills at most `max` of
 * blocks[]; returns how many.
 */
KERF_MUST_USE kerf_err kerf_costs_places(const struct kerf_costs *costs, struct kerf_report_block *blocks, size_t max,
                                         size_t *count);

/* --- report_names.c: costs by section and by symbol. --- */

/* A part of new that has a name. All items together are all of new. */
struct kerf_report_item {
    const char *name, *section; /* of the symbol and its section; name NULL: a section's bytes without a symbol; */
                                /* both NULL: bytes outside of all sections */
    uint64_t addr, pos, len;    /* address and length as the program has them; place in the image */
    uint64_t old_len;           /* of the symbol of this name in old */
    bool in_old;                /* there is one */
    uint32_t section_index;
    struct kerf_cost_sum sum;
};

struct kerf_report_names {
    struct kerf_report_item *items; /* in the order of the image */
    size_t count, cap;
    struct kerf_report_item *sections; /* one for each placed section and, last, what is outside */
    size_t section_count;
};

/* old_symbols may be NULL. kerf_names_free() in any case. */
KERF_MUST_USE kerf_err kerf_names_collect(struct kerf_report_names *names, const struct kerf_costs *costs,
                                          const struct kerf_symbols *symbols, const struct kerf_symbols *old_symbols);
void kerf_names_free(struct kerf_report_names *names);
/* The named item that costs most; NULL: no names. */
const struct kerf_report_item *kerf_names_first(const struct kerf_report_names *names);
/* The item that costs most of what new[from .. to) costs; NULL: there are none. */
const struct kerf_report_item *kerf_names_costliest(const struct kerf_report_names *names,
                                                    const struct kerf_costs *costs, uint64_t from, uint64_t to);

/* --- Everything on the page. --- */

#define KERF_PROFILES_MAX 8
#define KERF_PLACES_MAX 20
#define KERF_ADVICE_MAX 12

/* What a delta would be like at another --ram. */
struct kerf_report_profile {
    const char *name;   /* as --ram takes it; NULL: a size alone */
    uint64_t ram;       /* bytes asked for */
    bool fits;          /* false: no decoder for these images fits */
    uint64_t delta_len; /* bytes */
    uint64_t workspace; /* bytes */
    bool is_the_one;    /* that the page is about */
};

struct kerf_report_advice {
    char title[120];
    char text[600];
};

struct kerf_report {
    const char *old_name, *new_name; /* without folders, as given: escape them */
    size_t old_len, new_len;
    struct kerf_flat old_flat, new_flat; /* what they were flattened from */
    struct kerf_diff_options diff;
    struct kerf_diff_report made;
    struct kerf_header header;
    struct kerf_region regions[KERF_MAX_REGIONS];
    struct kerf_range ranges[KERF_MAX_RANGES];
    struct kerf_image image;                   /* what the delta was made with; its header has the regions that pay */
    bool addressed;                            /* load addresses are known */
    const char *old_container, *new_container; /* NULL: none was recognised */
    uint64_t full_len;                         /* of a full payload */
    const char *names_from;                    /* the ELF file or map of new, without folders; NULL: none */
    struct kerf_costs costs;
    struct kerf_report_names names; /* count 0: no ELF file or map was given */
    struct kerf_report_block places[KERF_PLACES_MAX];
    size_t place_count;
    struct kerf_report_profile profiles[KERF_PROFILES_MAX];
    size_t profile_count;
    struct kerf_report_advice advice[KERF_ADVICE_MAX];
    size_t advice_count;
    size_t top; /* rows of the table of symbols */
};

/* --- report_advice.c --- */
/* What could make the delta smaller, by what was measured. The most useful first. */
KERF_MUST_USE kerf_err kerf_report_advise(struct kerf_report *report);

/* --- report_text.c: text that grows. --- */
struct kerf_text {
    char *data;
    size_t len, cap;
    bool failed; /* out of memory */
};

void kerf_text_add(struct kerf_text *text, const char *format, ...) KERF_PRINTF(2, 3);
/* As text between tags or in an attribute: &, <, >, quotes escaped; what is not UTF-8 or steers becomes U+FFFD. */
void kerf_text_escape(struct kerf_text *text, const char *string);
/* As a string of JSON that may stand in a <script>, with its quotes. */
void kerf_text_json(struct kerf_text *text, const char *string);

/* --- report_html.c, report_tables.c, report_picture.c --- */
KERF_MUST_USE kerf_err kerf_report_html(const struct kerf_report *report, struct kerf_text *page);
void kerf_report_picture(const struct kerf_report *report, struct kerf_text *page);
void kerf_report_tables(const struct kerf_report *report, struct kerf_text *page);
/* "Thumb-2", or "data" */
const char *kerf_report_region_name(const struct kerf_region *region);
/* report.css and report.js, as text. */
extern const char kerf_report_css[];
extern const char kerf_report_js[];

/* --- report_json.c --- */
/* Returns an exit code. `output`: the page's name, or NULL. */
int kerf_report_json(const struct kerf_report *report, const char *output);

#endif
