/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the page: parts, places, sections, symbols, RAM profiles. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "diffgen/report.h"

/* The address at which byte `pos` of new is loaded; false: it is not known. */
static bool address_of(const struct kerf_report *r, uint64_t pos, uint64_t *addr)
{
    bool coded = r->header.region_count > 0;
    unsigned count = coded ? r->header.region_count : r->image.region_count;
    const struct kerf_region *regions = coded ? r->regions : r->image.regions;

    for (unsigned i = 0; i < count && r->addressed; i++) {
        if (pos >= regions[i].new_pos && pos - regions[i].new_pos < regions[i].new_len) {
            *addr = pos - regions[i].new_pos + regions[i].new_addr;
            return true;
        }
    }
    return false;
}

static const struct {
    const char *style, *text, *means;
} parts[KERF_PART_COUNT] = {
    [KERF_PART_MAP] = {"map", "address map", "how addresses moved from old to new"},
    [KERF_PART_SEGMENTS] = {"segments", "segments", "what is copied, from where, how much"},
    [KERF_PART_LITERALS] = {"literal", "literals", "bytes without a source"},
    [KERF_PART_EQUAL] = {"old", "bytes as in old", "that copied bytes are right"},
    [KERF_PART_RESIDUES] = {"changed", "bytes that differ", "what they are instead"},
    [KERF_PART_REFS] = {"ref", "references", "that predicted addresses are right, and corrections"},
};

/* A number of bytes for people, a fraction of one with a digit, in a cell that sorts. */
static void cell_bytes(struct kerf_text *t, double value)
{
    kerf_text_add(
        t, value < 100 ? "<td class=\"n\" data-v=\"%.3f\">%.1f</td>" : "<td class=\"n\" data-v=\"%.3f\">%.0f</td>",
        value, value);
}

static void cell_percent(struct kerf_text *t, double value)
{
    kerf_text_add(t, "<td class=\"n\" data-v=\"%.4f\">%.1f&nbsp;%%</td>", value, fabs(value) < 0.05 ? 0 : value);
}

static const char *style_of(unsigned part)
{
    return part == KERF_PART_SEGMENTS ? "segment" : parts[part].style;
}

/* What a sum is made of, as a bar whose length is its share of `most`. */
static void cell_bar(struct kerf_text *t, const struct kerf_cost_sum *sum, kerf_cost most)
{
    kerf_text_add(t, "<td><div class=\"bar\">");
    for (unsigned i = 0; i < KERF_PART_COUNT && most > 0; i++) {
        double width = 100 * (double)sum->part[i] / (double)most;

        if (width >= 0.05) {
            kerf_text_add(t, "<i class=\"f-%s\" style=\"width:%.1f%%\" title=\"%s: %.1f bytes\"></i>", style_of(i),
                          width, parts[i].text, kerf_report_bytes(sum->part[i]));
        }
    }
    kerf_text_add(t, "</div></td>");
}

static void part_row(struct kerf_text *t, const char *style, const char *text, const char *means, double value,
                     double whole)
{
    kerf_text_add(t, "<tr><td>%s%s%s%s</td>", style != NULL ? "<i class=\"key f-" : "", style != NULL ? style : "",
                  style != NULL ? "\"></i>" : "", text);
    cell_bytes(t, value);
    cell_percent(t, kerf_report_percent(value, whole));
    kerf_text_add(t, "<td class=\"soft\">%s</td></tr>\n", means);
}

static void write_parts(const struct kerf_report *r, struct kerf_text *t)
{
    double whole = (double)r->made.delta_len;
    double rest = whole - (double)r->made.header_len - (double)r->made.chain_len;

    kerf_text_add(t,
                  "<h2 id=\"parts\">What the bytes are for</h2>\n<div class=\"scroll\"><table "
                  "id=\"t-parts\">\n<thead><tr><th>part</th>"
                  "<th class=\"n\">bytes</th><th class=\"n\">share</th><th>what it says</th></tr></thead>\n<tbody>\n");
    part_row(t, NULL, "header", "sizes, digests, regions, tables", (double)r->made.header_len, whole);
    part_row(t, NULL, "chunk digests", "each chunk vouches for the next", (double)r->made.chain_len, whole);
    for (unsigned i = 0; i < KERF_PART_COUNT; i++) {
        part_row(t, style_of(i), parts[i].text, parts[i].means, kerf_report_bytes(r->made.part_cost[i]), whole);
        rest -= kerf_report_bytes(r->made.part_cost[i]);
    }
    part_row(t, NULL, "end and rounding", "to whole bytes", rest, whole);
    kerf_text_add(t,
                  "</tbody>\n<tfoot><tr class=\"total\"><td>delta</td><td class=\"n\" data-v=\"%" PRIu64 "\">%" PRIu64
                  "</td><td class=\"n\"></td><td></td></tr></tfoot>\n</table></div>\n",
                  r->made.delta_len, r->made.delta_len);
    kerf_text_add(t,
                  "<p class=\"soft\">%" PRIu64 " segments, %" PRIu64 " bytes of literals; %" PRIu64
                  " references, %" PRIu64 " of them corrected.</p>\n",
                  r->made.segments, r->made.literals, r->made.refs, r->made.refs_wrong);
}

static void write_name(struct kerf_text *t, const struct kerf_report_item *item)
{
    if (item->name != NULL) {
        kerf_text_escape(t, item->name);
    } else if (item->section != NULL) {
        kerf_text_add(t, "<span class=\"soft\">");
        kerf_text_escape(t, item->section);
        kerf_text_add(t, ", no symbol</span>");
    } else {
        kerf_text_add(t, "<span class=\"soft\">outside of all sections</span>");
    }
}

static void place_row(const struct kerf_report *r, struct kerf_text *t, const struct kerf_report_block *b,
                      bool addressed)
{
    uint64_t addr;

    kerf_text_add(t,
                  "<tr data-from=\"%" PRIu64 "\" data-len=\"%" PRIu64 "\"><td class=\"mono\" data-v=\"%" PRIu64
                  "\">0x%" PRIx64 "</td>",
                  b->pos, b->len, b->pos, b->pos);
    if (address_of(r, b->pos, &addr)) {
        kerf_text_add(t, "<td class=\"mono\" data-v=\"%" PRIu64 "\">0x%08" PRIx64 "</td>", addr, addr);
    } else if (addressed) {
        kerf_text_add(t, "<td data-v=\"0\"></td>");
    }
    kerf_text_add(t, "<td class=\"n\" data-v=\"%" PRIu64 "\">%" PRIu64 "</td>", b->len, b->len);
    cell_bytes(t, kerf_report_bytes(b->sum.total));
    cell_percent(t, kerf_report_percent(kerf_report_bytes(b->sum.total), (double)r->made.delta_len));
    cell_bar(t, &b->sum, r->places[0].sum.total);
    if (r->names.count > 0) {
        const struct kerf_report_item *item = kerf_names_costliest(&r->names, &r->costs, b->pos, b->pos + b->len);

        kerf_text_add(t, "<td class=\"name mono\">");
        if (item != NULL) {
            write_name(t, item);
        }
        kerf_text_add(t, "</td>");
    }
    kerf_text_add(t, "<td></td></tr>\n");
}

static void write_places(const struct kerf_report *r, struct kerf_text *t)
{
    bool addressed = false;
    uint64_t addr;

    kerf_text_add(t, "<h2 id=\"places\">The costliest places</h2>\n");
    if (r->place_count == 0) {
        kerf_text_add(t, "<p>No place of new costs as much as two bytes.</p>\n");
        return;
    }
    for (size_t i = 0; i < r->place_count; i++) {
        addressed = addressed || address_of(r, r->places[i].pos, &addr);
    }
    kerf_text_add(
        t,
        "<div class=\"scroll\"><table class=\"sortable\" id=\"t-places\">\n<thead><tr><th>in new</th>%s"
        "<th class=\"n\">bytes of new</th><th class=\"n\" aria-sort=\"descending\">cost</th><th class=\"n\">share</th>"
        "<th>what for</th>%s<th></th></tr></thead>\n<tbody>\n",
        addressed ? "<th>address</th>" : "", r->names.count > 0 ? "<th>mostly in</th>" : "");
    for (size_t i = 0; i < r->place_count; i++) {
        place_row(r, t, &r->places[i], addressed);
    }
    kerf_text_add(t, "</tbody></table></div>\n");
}

/* --- Sections and symbols --- */

static int dearer(const void *a, const void *b)
{
    const struct kerf_report_item *x = *(const struct kerf_report_item *const *)a;
    const struct kerf_report_item *y = *(const struct kerf_report_item *const *)b;

    if (x->sum.total != y->sum.total) {
        return x->sum.total > y->sum.total ? -1 : 1;
    }
    return x->pos < y->pos ? -1 : x->pos > y->pos;
}

/* Pointers to the items, the costliest first. NULL: no memory. */
static const struct kerf_report_item **by_cost(const struct kerf_report_item *items, size_t count)
{
    const struct kerf_report_item **list = malloc((count + 1) * sizeof *list);

    for (size_t i = 0; list != NULL && i < count; i++) {
        list[i] = &items[i];
    }
    if (list != NULL && count > 0) {
        qsort(list, count, sizeof(const struct kerf_report_item *), dearer);
    }
    return list;
}

static void write_sections(const struct kerf_report *r, struct kerf_text *t)
{
    const struct kerf_report_names *names = &r->names;
    const struct kerf_report_item **list = by_cost(names->sections, names->section_count);

    if (list == NULL) {
        t->failed = true;
        return;
    }
    kerf_text_add(
        t,
        "<h2 id=\"sections\">Cost by section</h2>\n<div class=\"scroll\"><table class=\"sortable\" id=\"t-sections\">\n"
        "<caption>Named by ");
    kerf_text_escape(t, r->names_from);
    kerf_text_add(
        t, "</caption>\n<thead><tr><th>section</th><th>address</th><th>in new</th><th class=\"n\">bytes of new</th>"
           "<th class=\"n\" aria-sort=\"descending\">cost</th><th class=\"n\">share</th><th>what "
           "for</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < names->section_count; i++) {
        const struct kerf_report_item *item = list[i];

        if (item->len == 0) {
            continue;
        }
        kerf_text_add(t, "<tr><td class=\"name mono\">");
        if (item->section != NULL) {
            kerf_text_escape(t, item->section);
            kerf_text_add(t,
                          "</td><td class=\"mono\" data-v=\"%" PRIu64 "\">0x%08" PRIx64
                          "</td><td class=\"mono\" data-v=\"%" PRIu64 "\">0x%" PRIx64 "</td>",
                          item->addr, item->addr, item->pos, item->pos);
        } else {
            kerf_text_add(
                t,
                "<span class=\"soft\">outside of all sections</span></td><td data-v=\"0\"></td><td data-v=\"0\"></td>");
        }
        kerf_text_add(t, "<td class=\"n\" data-v=\"%" PRIu64 "\">%" PRIu64 "</td>", item->len, item->len);
        cell_bytes(t, kerf_report_bytes(item->sum.total));
        cell_percent(t, kerf_report_percent(kerf_report_bytes(item->sum.total), (double)r->made.delta_len));
        cell_bar(t, &item->sum, list[0]->sum.total);
        kerf_text_add(t, "</tr>\n");
    }
    kerf_text_add(t, "</tbody></table></div>\n");
    free(list);
}

/* What became of it since old, as far as its name tells. */
static void cell_change(struct kerf_text *t, const struct kerf_report_item *item)
{
    int64_t grown = (int64_t)(item->len - item->old_len);

    if (item->name == NULL) {
        kerf_text_add(t, "<td class=\"n\" data-v=\"0\"></td>");
    } else if (!item->in_old) {
        kerf_text_add(t, "<td class=\"n\" data-v=\"%" PRIu64 "\">new</td>", item->len);
    } else {
        kerf_text_add(t, "<td class=\"n\" data-v=\"%" PRId64 "\">%+" PRId64 "</td>", grown, grown);
    }
}

static void symbol_row(const struct kerf_report *r, struct kerf_text *t, const struct kerf_report_item *item,
                       kerf_cost most, bool with_old)
{
    kerf_text_add(t, "<tr data-from=\"%" PRIu64 "\" data-len=\"%" PRIu64 "\"><td class=\"name mono\">", item->pos,
                  item->len);
    write_name(t, item);
    kerf_text_add(t, "</td><td class=\"mono\">");
    if (item->section != NULL) {
        kerf_text_escape(t, item->section);
        kerf_text_add(t, "</td><td class=\"mono\" data-v=\"%" PRIu64 "\">0x%08" PRIx64 "</td>", item->addr, item->addr);
    } else {
        kerf_text_add(t, "</td><td data-v=\"0\"></td>");
    }
    kerf_text_add(t, "<td class=\"n\" data-v=\"%" PRIu64 "\">%" PRIu64 "</td>", item->len, item->len);
    if (with_old) {
        cell_change(t, item);
    }
    cell_bytes(t, kerf_report_bytes(item->sum.total));
    cell_percent(t, kerf_report_percent(kerf_report_bytes(item->sum.total), (double)r->made.delta_len));
    cell_bar(t, &item->sum, most);
    kerf_text_add(t, "<td></td></tr>\n");
}

static void write_symbols(const struct kerf_report *r, struct kerf_text *t)
{
    const struct kerf_report_names *names = &r->names;
    const struct kerf_report_item **list = by_cost(names->items, names->count);
    bool with_old = false;
    size_t shown = 0;
    size_t costly = 0;
    kerf_cost rest = 0;

    if (list == NULL) {
        t->failed = true;
        return;
    }
    for (size_t i = 0; i < names->count; i++) {
        with_old = with_old || names->items[i].in_old;
        costly += names->items[i].sum.total > 0;
    }
    shown = r->top < costly ? r->top : costly;
    kerf_text_add(t,
                  "<h2 id=\"symbols-title\">Which function costs the most bytes</h2>\n<p class=\"tools\" "
                  "hidden><label>Show names with <input "
                  "type=\"search\" id=\"filter\"></label></p>\n<div class=\"scroll\" id=\"symbols\"><table "
                  "class=\"sortable\" id=\"t-symbols\">\n"
                  "<thead><tr><th>symbol</th><th>section</th><th>address</th><th class=\"n\">bytes of new</th>%s"
                  "<th class=\"n\" aria-sort=\"descending\">cost</th><th class=\"n\">share</th><th>what "
                  "for</th><th></th></tr></thead>\n<tbody>\n",
                  with_old ? "<th class=\"n\">grown</th>" : "");
    for (size_t i = 0; i < shown; i++) {
        symbol_row(r, t, list[i], list[0]->sum.total, with_old);
    }
    kerf_text_add(t, "</tbody></table></div>\n");
    for (size_t i = shown; i < names->count; i++) {
        rest += list[i]->sum.total;
    }
    kerf_text_add(t, "<p class=\"soft\">%zu more cost %.1f bytes together; %zu cost nothing.%s</p>\n", costly - shown,
                  kerf_report_bytes(rest), names->count - costly, shown < costly ? " --top shows more." : "");
    free(list);
}

/* --- Regions --- */

const char *kerf_report_region_name(const struct kerf_region *region)
{
    return region->isa == KERF_ISA_NONE ? "data" : kerf_diff_isa_name(region->isa);
}

static void region_row(const struct kerf_report *r, struct kerf_text *t, const struct kerf_region *region,
                       const struct kerf_cost_sum *sum, kerf_cost most)
{
    uint64_t old_pos = region->old_pos;
    uint64_t new_pos = region->new_pos;

    kerf_text_add(t,
                  "<tr data-from=\"%" PRIu64 "\" data-len=\"%" PRIu64 "\"><td class=\"mono\" data-v=\"%" PRIu64
                  "\">0x%" PRIx64 "+0x%" PRIx64 "</td>",
                  new_pos, (uint64_t)region->new_len, new_pos, new_pos, (uint64_t)region->new_len);
    if (r->addressed) {
        kerf_text_add(t, "<td class=\"mono\" data-v=\"%" PRIu64 "\">0x%08" PRIx64, (uint64_t)region->new_addr,
                      (uint64_t)region->new_addr);
        if (region->old_addr != region->new_addr) {
            kerf_text_add(t, " (old: 0x%08" PRIx64 ")", (uint64_t)region->old_addr);
        }
        kerf_text_add(t, "</td>");
    } else {
        kerf_text_add(t, "<td class=\"soft\" data-v=\"0\">unknown</td>");
    }
    kerf_text_add(t, "<td class=\"mono\" data-v=\"%" PRIu64 "\">0x%" PRIx64 "+0x%" PRIx64 "</td><td>%s</td>", old_pos,
                  old_pos, (uint64_t)region->old_len, kerf_report_region_name(region));
    cell_bytes(t, kerf_report_bytes(sum->total));
    cell_percent(t, kerf_report_percent(kerf_report_bytes(sum->total), (double)r->made.delta_len));
    cell_bar(t, sum, most);
    kerf_text_add(t, "<td></td></tr>\n");
}

static void subtract(struct kerf_cost_sum *from, const struct kerf_cost_sum *sum)
{
    from->total -= sum->total;
    for (unsigned i = 0; i < KERF_PART_COUNT; i++) {
        from->part[i] -= sum->part[i];
    }
}

static void write_regions(const struct kerf_report *r, struct kerf_text *t)
{
    struct kerf_cost_sum sums[KERF_MAX_REGIONS];
    struct kerf_cost_sum rest = kerf_costs_sum(&r->costs, 0, r->new_len);
    kerf_cost most = 1;

    if (r->header.region_count == 0) {
        return;
    }
    for (unsigned i = 0; i < r->header.region_count; i++) {
        size_t from = (size_t)r->regions[i].new_pos;

        sums[i] = kerf_costs_sum(&r->costs, from, from + (size_t)r->regions[i].new_len);
        most = sums[i].total > most ? sums[i].total : most;
        subtract(&rest, &sums[i]);
    }
    most = rest.total > most ? rest.total : most;
    kerf_text_add(t,
                  "<h2 id=\"regions\">Cost by region</h2>\n<p class=\"soft\">%s</p>\n<div class=\"scroll\"><table "
                  "class=\"sortable\" id=\"t-regions\">\n<thead><tr><th aria-sort=\"ascending\">in new</th><th>loaded "
                  "at</th><th>in old</th><th>code</th><th class=\"n\">cost</th><th "
                  "class=\"n\">share</th><th>what for</th><th></th></tr></thead>\n<tbody>\n",
                  r->made.in_parts
                      ? "The file holds several programs or sections, each loaded at an address of its own, as the "
                        "pointers in them say; what lies between them has the address of the whole, or one that "
                        "nothing points to."
                      : "Stretches of the image whose references the delta predicts.");
    for (unsigned i = 0; i < r->header.region_count; i++) {
        region_row(r, t, &r->regions[i], &sums[i], most);
    }
    kerf_text_add(t, "</tbody>\n<tfoot><tr><td class=\"soft\" colspan=\"4\">outside of them</td>");
    cell_bytes(t, kerf_report_bytes(rest.total));
    cell_percent(t, kerf_report_percent(kerf_report_bytes(rest.total), (double)r->made.delta_len));
    cell_bar(t, &rest, most);
    kerf_text_add(t, "<td></td></tr></tfoot>\n</table></div>\n");
}

/* --- Profiles --- */

static void write_profiles(const struct kerf_report *r, struct kerf_text *t)
{
    uint64_t scale = 1; /* the full payload is often far larger: the bars are for telling deltas apart */

    if (r->profile_count == 0) {
        return;
    }
    for (size_t i = 0; i < r->profile_count; i++) {
        scale = r->profiles[i].fits && r->profiles[i].delta_len > scale ? r->profiles[i].delta_len : scale;
    }
    kerf_text_add(
        t,
        "<h2 id=\"profiles\">What more or less RAM would give</h2>\n<div class=\"scroll\"><table id=\"t-profiles\">\n"
        "<thead><tr><th>--ram</th><th class=\"n\">delta</th><th class=\"n\">of new</th><th class=\"n\">workspace</th>"
        "<th>size</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < r->profile_count; i++) {
        const struct kerf_report_profile *p = &r->profiles[i];

        kerf_text_add(t, "<tr%s><td>", p->is_the_one ? " class=\"here\"" : "");
        if (p->ram % 1024 == 0) {
            kerf_text_add(t, "%" PRIu64 "K", p->ram / 1024);
        } else {
            kerf_text_add(t, "%" PRIu64, p->ram);
        }
        kerf_text_add(t, "%s%s%s</td>", p->name != NULL ? " <span class=\"soft\">" : "", p->name != NULL ? p->name : "",
                      p->name != NULL ? "</span>" : "");
        if (!p->fits) {
            kerf_text_add(t, "<td class=\"n\">&ndash;</td><td></td><td></td><td class=\"soft\">too little for these "
                             "images</td></tr>\n");
            continue;
        }
        kerf_text_add(t, "<td class=\"n\">%" PRIu64 "</td>", p->delta_len);
        cell_percent(t, kerf_report_percent((double)p->delta_len, (double)r->new_len));
        kerf_text_add(t,
                      "<td class=\"n\">%" PRIu64
                      "</td><td><div class=\"bar\"><i class=\"f-%s\" style=\"width:%.1f%%\"></i></div></td></tr>\n",
                      p->workspace, p->is_the_one ? "ref" : "old",
                      kerf_report_percent((double)p->delta_len, (double)scale));
    }
    kerf_text_add(t,
                  "</tbody></table></div>\n<p class=\"soft\">All at level %d. The marked row is the delta that this "
                  "page is about. "
                  "A full payload has %" PRIu64 " bytes.</p>\n",
                  r->diff.level, r->full_len);
}

void kerf_report_tables(const struct kerf_report *r, struct kerf_text *t)
{
    write_parts(r, t);
    if (r->names.count > 0) {
        write_symbols(r, t);
        write_sections(r, t);
    }
    write_regions(r, t);
    write_places(r, t);
    write_profiles(r, t);
}
