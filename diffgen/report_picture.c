/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The picture: old above, new below, ribbons from one to the other; what new is made of; what that cost. An SVG of
 * 100000 units by 350, stretched to the page's width; a zoom shows a part of it. Shapes are merged and dropped where a
 * screen can't show them, so that the page stays small whatever the images' size; the data for tips come with it as
 * JSON.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "diffgen/report.h"

#define WIDTH 100000.0
#define HEIGHT 350
#define BLOCKS_MAX 2048u
#define RIBBONS_MAX 1200u
#define NAMES_MAX 3000u

/* Where the rows lie, from top to bottom. */
#define OLD_TOP 18.0
#define OLD_END 32.0
#define NEW_TOP 150.0
#define NEW_LEN 58.0
#define NAME_TOP 210.0
#define NAME_END 220.0
#define COST_TOP 240.0
#define COST_END 348.0

static const char *const origin_class[KERF_ORIGIN_COUNT] = {"old", "ref", "changed", "new", "literal"};
static const char *const origin_label[KERF_ORIGIN_COUNT] = {"as in old", "addresses predicted", "copied and corrected",
                                                            "as earlier in new", "literals"};
static const char *const part_class[KERF_PART_COUNT] = {"map", "segment", "literal", "old", "changed", "ref"};
static const char *const part_label[KERF_PART_COUNT] = {"address map",     "segments",          "literals",
                                                        "bytes as in old", "bytes that differ", "references"};

struct picture {
    const struct kerf_report *report;
    struct kerf_text *page;
    double span; /* bytes that WIDTH stands for */
    struct kerf_report_block *blocks;
    size_t block_count, block_len;
    kerf_cost most; /* that a block costs */
};

/* A copy, or several that went nearly the same way. */
struct ribbon {
    uint64_t new_pos, new_len, old_pos, old_len;
    uint32_t pieces;
    bool moved; /* at another place among the others than it was */
};

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double x_of(const struct picture *p, uint64_t pos)
{
    return (double)pos * WIDTH / p->span;
}

static void rectangle(struct picture *p, double x, double y, double width, double height)
{
    kerf_text_add(p->page, "M%.0f %.1fh%.0fv%.1fh%.0fz", x, y, width, height, -width);
}

/* --- Ribbons --- */

static int longer(const void *a, const void *b)
{
    const struct ribbon *x = a;
    const struct ribbon *y = b;

    return x->new_len > y->new_len ? -1 : x->new_len < y->new_len;
}

/* Does the segment go on with the ribbon, as far as can be seen? */
static bool continues(const struct picture *p, const struct ribbon *r, const struct kerf_segment *s)
{
    double pixel = p->span / 8000;
    double shift = (double)s->src_pos - (double)s->new_pos - ((double)r->old_pos - (double)r->new_pos);
    double gap = (double)s->new_pos - (double)(r->new_pos + r->new_len);

    return fabs(shift) < pixel && gap < pixel && s->src_pos >= r->old_pos;
}

static size_t make_ribbons(const struct picture *p, struct ribbon *ribbons)
{
    const struct kerf_segments *s = &p->report->costs.segments;
    size_t count = 0;

    for (size_t i = 0; i < s->count; i++) {
        const struct kerf_segment *segment = &s->list[i];
        struct ribbon *last = &ribbons[count > 0 ? count - 1 : 0];
        bool moved = p->report->costs.moved[i];

        if (segment->from_new) {
            continue;
        }
        if (count > 0 && moved == last->moved && continues(p, last, segment)) {
            uint64_t old_len = segment->src_pos + segment->len - last->old_pos;

            last->new_len = segment->new_pos + segment->len - last->new_pos;
            last->old_len = old_len > last->old_len ? old_len : last->old_len;
            last->pieces++;
        } else {
            ribbons[count++] = (struct ribbon){
                segment->new_pos, segment->len, segment->src_pos, segment->len, 1, moved};
        }
    }
    return count;
}

static void draw_ribbon(struct picture *p, const struct ribbon *r, const char *class_name)
{
    double least = WIDTH / 2400; /* less can't be seen */
    double old_x = x_of(p, r->old_pos);
    double new_x = x_of(p, r->new_pos);
    double old_width = larger(x_of(p, r->old_len), least);
    double new_width = larger(x_of(p, r->new_len), least);
    double middle = (OLD_END + NEW_TOP) / 2;

    kerf_text_add(
        p->page,
        "<path class=\"f-%s\" d=\"M%.0f %.0fh%.0fC%.0f %.0f %.0f %.0f %.0f %.0fh%.0fC%.0f %.0f %.0f %.0f %.0f %.0fz\">",
        class_name, old_x, OLD_END, old_width, old_x + old_width, middle, new_x + new_width, middle, new_x + new_width,
        NEW_TOP, -new_width, new_x, middle, old_x, middle, old_x, OLD_END);
    kerf_text_add(p->page, "<title>old 0x%" PRIx64 "..0x%" PRIx64 " to new 0x%" PRIx64 "..0x%" PRIx64, r->old_pos,
                  r->old_pos + r->old_len, r->new_pos, r->new_pos + r->new_len);
    if (r->pieces > 1) {
        kerf_text_add(p->page, ", %" PRIu32 " copies", r->pieces);
    }
    kerf_text_add(p->page, "%s</title></path>\n", r->moved ? ", at another place than before" : "");
}

static kerf_err draw_ribbons(struct picture *p)
{
    size_t all = p->report->costs.segments.count;
    struct ribbon *ribbons = malloc((all + 1) * sizeof *ribbons);
    uint64_t left_out = 0;

    if (ribbons == NULL) {
        return KERF_ERR_RAM;
    }
    size_t count = make_ribbons(p, ribbons);

    if (count > 0) {
        qsort(ribbons, count, sizeof *ribbons, longer);
    }
    for (size_t i = RIBBONS_MAX; i < count; i++) {
        left_out += ribbons[i].new_len;
    }
    kerf_text_add(p->page, "<g class=\"ribbons\">\n");
    /* The short ones last, on top. */
    for (size_t i = 0; i < count && i < RIBBONS_MAX; i++) {
        draw_ribbon(p, &ribbons[i], ribbons[i].moved ? "moved" : i % 2 == 0 ? "ribbon" : "ribbon2");
    }
    kerf_text_add(p->page, "</g>\n");
    if (left_out > 0) {
        kerf_text_add(p->page, "<!-- %zu short copies of %" PRIu64 " bytes are not drawn -->\n", count - RIBBONS_MAX,
                      left_out);
    }
    free(ribbons);
    return KERF_OK;
}

/* --- Strips --- */

static kerf_err make_blocks(struct picture *p)
{
    const struct kerf_costs *costs = &p->report->costs;

    p->block_len = 16;
    while (costs->new_len / p->block_len >= BLOCKS_MAX) {
        p->block_len *= 2;
    }
    p->block_count = (costs->new_len + p->block_len - 1) / p->block_len;
    p->blocks = calloc(p->block_count + 1, sizeof *p->blocks);
    if (p->blocks == NULL) {
        return KERF_ERR_RAM;
    }
    for (size_t i = 0; i < p->block_count; i++) {
        struct kerf_report_block *block = &p->blocks[i];

        block->pos = i * p->block_len;
        block->len = costs->new_len - block->pos < p->block_len ? costs->new_len - block->pos : p->block_len;
        kerf_costs_block(costs, block);
        p->most = block->sum.total > p->most ? block->sum.total : p->most;
    }
    return KERF_OK;
}

/* Where the shares of a block begin, from the top: what is not as in old is at least a line high. */
static void shares(const struct kerf_report_block *block, double top[KERF_ORIGIN_COUNT + 1])
{
    double height[KERF_ORIGIN_COUNT] = {0};
    double rest = NEW_LEN;

    for (unsigned i = KERF_ORIGIN_OLD + 1; i < KERF_ORIGIN_COUNT; i++) {
        height[i] = block->origin[i] == 0 ? 0 : larger(1.5, NEW_LEN * block->origin[i] / (double)block->len);
        rest -= height[i];
    }
    height[KERF_ORIGIN_OLD] = block->origin[KERF_ORIGIN_OLD] == 0 || rest < 0 ? 0 : rest;
    double sum = 0;

    for (unsigned i = 0; i < KERF_ORIGIN_COUNT; i++) {
        sum += height[i];
    }
    top[0] = NEW_TOP;
    for (unsigned i = 0; i < KERF_ORIGIN_COUNT; i++) {
        top[i + 1] = top[i] + (sum > 0 ? height[i] * NEW_LEN / sum : 0);
    }
}

/* One path of an origin; blocks in a row that look the same are one shape. */
static void draw_origin(struct picture *p, unsigned origin)
{
    double run_top = 0;
    double run_len = 0;
    uint64_t run_pos = 0;

    kerf_text_add(p->page, "<path class=\"f-%s\" d=\"", origin_class[origin]);
    for (size_t i = 0; i <= p->block_count; i++) {
        double top[KERF_ORIGIN_COUNT + 1] = {0};

        if (i < p->block_count) {
            shares(&p->blocks[i], top);
        }
        double len = top[origin + 1] - top[origin];

        if (i > 0 && i < p->block_count && fabs(top[origin] - run_top) < 0.05 && fabs(len - run_len) < 0.05) {
            continue;
        }
        uint64_t pos = i < p->block_count ? p->blocks[i].pos : p->report->new_len;

        if (run_len > 0) {
            rectangle(p, x_of(p, run_pos), run_top, x_of(p, pos) - x_of(p, run_pos), run_len);
        }
        run_pos = pos;
        run_top = top[origin];
        run_len = len;
    }
    kerf_text_add(p->page, "\"/>\n");
}

static void draw_cost(struct picture *p, unsigned part)
{
    kerf_text_add(p->page, "<path class=\"f-%s\" d=\"", part_class[part]);
    for (size_t i = 0; i < p->block_count && p->most > 0; i++) {
        const struct kerf_report_block *b = &p->blocks[i];
        double height = (COST_END - COST_TOP) * sqrt((double)b->sum.total / (double)p->most);
        kerf_cost below = 0;

        for (unsigned k = 0; k < part; k++) {
            below += b->sum.part[k];
        }
        if (b->sum.part[part] > 0 && height >= 0.3) {
            double unit = height / (double)b->sum.total;
            double end = COST_END - unit * (double)below;
            double len = unit * (double)b->sum.part[part];

            if (len >= 0.1) {
                rectangle(p, x_of(p, b->pos), end - len, x_of(p, b->len), len);
            }
        }
    }
    kerf_text_add(p->page, "\"/>\n");
}

static void draw_sections(struct picture *p)
{
    const struct kerf_report_names *names = &p->report->names;
    uint32_t last = UINT32_MAX;
    uint64_t start = 0;
    unsigned drawn = 0;

    for (size_t i = 0; i <= names->count && names->count > 0; i++) {
        uint32_t here = i < names->count ? names->items[i].section_index : UINT32_MAX;

        if (i > 0 && here == last && i < names->count) {
            continue;
        }
        uint64_t pos = i < names->count ? names->items[i].pos : p->report->new_len;

        if (i > 0 && last != UINT32_MAX && drawn < 400) {
            kerf_text_add(p->page, "<path class=\"f-%s\" d=\"", drawn++ % 2 == 0 ? "even" : "odd");
            rectangle(p, x_of(p, start), NAME_TOP, x_of(p, pos) - x_of(p, start), NAME_END - NAME_TOP);
            kerf_text_add(p->page, "\"><title>section ");
            kerf_text_escape(p->page, names->items[i - 1].section);
            kerf_text_add(p->page, ", new 0x%" PRIx64 "..0x%" PRIx64 "</title></path>\n", start, pos);
        }
        last = here;
        start = pos;
    }
}

/* Of regions loaded at several addresses: where each lies, in old above, and in new where no sections are shown. */
static void draw_regions(struct picture *p)
{
    const struct kerf_report *r = p->report;
    unsigned count = r->header.region_count;

    for (unsigned i = 0; i < 2 * count && count > 1; i++) {
        const struct kerf_region *region = &r->regions[i % count];
        bool is_new = i >= count;
        uint64_t pos = is_new ? region->new_pos : region->old_pos;
        uint64_t len = is_new ? region->new_len : region->old_len;
        double top = is_new ? NAME_TOP : OLD_TOP;
        double end = is_new ? NAME_END : OLD_END;

        if (is_new && r->names.count > 0) {
            break;
        }
        kerf_text_add(p->page, "<path class=\"f-%s\" d=\"", i % count % 2 == 0 ? "even" : "odd");
        rectangle(p, x_of(p, pos), top, x_of(p, len), end - top);
        kerf_text_add(p->page, "\"><title>%s, %s 0x%" PRIx64 "..0x%" PRIx64, kerf_report_region_name(region),
                      is_new ? "new" : "old", pos, pos + len);
        if (r->addressed) {
            kerf_text_add(p->page, ", loaded at 0x%08" PRIx64,
                          (uint64_t)(is_new ? region->new_addr : region->old_addr));
        }
        kerf_text_add(p->page, "</title></path>\n");
    }
}

/* --- Data for tips --- */

static void write_block(struct picture *p, const struct kerf_report_block *b)
{
    if (b->origin[KERF_ORIGIN_OLD] == b->len && b->sum.total < KERF_BIT / 2) {
        kerf_text_add(p->page, "0");
        return;
    }
    kerf_text_add(p->page, "[");
    for (unsigned i = 0; i < KERF_ORIGIN_COUNT; i++) {
        kerf_text_add(p->page, "%s%" PRIu32, i == 0 ? "" : ",", b->origin[i]);
    }
    for (unsigned i = 0; i < KERF_PART_COUNT; i++) {
        kerf_text_add(p->page, ",%.0f", kerf_report_bytes(b->sum.part[i]) * 10);
    }
    kerf_text_add(p->page, "]");
}

static void write_labels(struct picture *p, const char *name, const char *const *labels, size_t count)
{
    kerf_text_add(p->page, ",\n\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        kerf_text_add(p->page, "%s", i == 0 ? "" : ",");
        kerf_text_json(p->page, labels[i]);
    }
    kerf_text_add(p->page, "]");
}

static void write_data(struct picture *p)
{
    const struct kerf_report *r = p->report;
    const struct kerf_report_names *names = &r->names;
    kerf_cost least = 0;
    size_t written = 0;

    kerf_text_add(p->page, "<script type=\"application/json\" id=\"data\">{\"span\":%.0f,\"new_len\":%zu,\"block\":%zu",
                  p->span, r->new_len, p->block_len);
    write_labels(p, "origins", origin_label, KERF_ORIGIN_COUNT);
    write_labels(p, "parts", part_label, KERF_PART_COUNT);
    kerf_text_add(p->page, ",\n\"regions\":[");
    for (unsigned i = 0; i < r->header.region_count; i++) {
        kerf_text_add(p->page, "%s[%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", i == 0 ? "" : ",",
                      (uint64_t)r->regions[i].new_pos, (uint64_t)r->regions[i].new_len,
                      (uint64_t)r->regions[i].new_addr);
    }
    kerf_text_add(p->page, "],\n\"blocks\":[");
    for (size_t i = 0; i < p->block_count; i++) {
        kerf_text_add(p->page, "%s", i == 0 ? "" : i % 16 == 0 ? ",\n" : ",");
        write_block(p, &p->blocks[i]);
    }
    /* All names, or those that cost something, or those that cost a byte. */
    if (names->count > NAMES_MAX) {
        size_t costly = 0;

        for (size_t i = 0; i < names->count; i++) {
            costly += names->items[i].sum.total > 0;
        }
        least = costly > NAMES_MAX ? 8 * KERF_BIT : 1;
    }
    kerf_text_add(p->page, "],\n\"names\":[");
    for (size_t i = 0; i < names->count && written < NAMES_MAX; i++) {
        const struct kerf_report_item *item = &names->items[i];

        if (item->name != NULL && item->sum.total >= least) {
            kerf_text_add(p->page, "%s[%" PRIu64 ",%" PRIu64 ",", written++ == 0 ? "" : ",\n", item->pos, item->len);
            kerf_text_json(p->page, item->name);
            kerf_text_add(p->page, "]");
        }
    }
    kerf_text_add(p->page, "]}</script>\n");
}

static void write_keys(struct picture *p, const char *title, const char *const *classes, const char *const *labels,
                       size_t from, size_t count)
{
    kerf_text_add(p->page, "<ul class=\"keys\"><li>%s</li>", title);
    for (size_t i = from; i < count; i++) {
        kerf_text_add(p->page, "<li><i class=\"f-%s\"></i>%s</li>", classes[i], labels[i]);
    }
    kerf_text_add(p->page, "</ul>\n");
}

static void write_frame(struct picture *p)
{
    static const struct {
        double top;
        const char *text;
    } tags[] = {{0, "old image"},
                {OLD_END + 2, "where each part went"},
                {NEW_TOP - 15, "new image, by what it is made of"},
                {COST_TOP - 12, "what it cost"}};

    kerf_text_add(p->page, "<div class=\"tools\" hidden><button type=\"button\" data-zoom=\"in\">zoom in</button>"
                           "<button type=\"button\" data-zoom=\"out\">zoom out</button>"
                           "<button type=\"button\" data-zoom=\"left\" aria-label=\"to the left\">&larr;</button>"
                           "<button type=\"button\" data-zoom=\"right\" aria-label=\"to the right\">&rarr;</button>"
                           "<button type=\"button\" data-zoom=\"all\">all</button>"
                           "<span class=\"soft\">or drag over a part of the picture; arrow keys, + and &minus; in "
                           "it</span></div>\n<div class=\"picture\">\n");
    kerf_text_add(p->page, "<div class=\"tags\" aria-hidden=\"true\">");
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        kerf_text_add(p->page, "<span style=\"top:%.0fpx\">%s</span>", tags[i].top, tags[i].text);
    }
    kerf_text_add(p->page,
                  "</div>\n<svg id=\"picture\" viewBox=\"0 0 %.0f %d\" preserveAspectRatio=\"none\" role=\"img\" "
                  "aria-label=\"Where each part of the new image came from, and what it cost\">\n",
                  WIDTH, HEIGHT);
}

void kerf_report_picture(const struct kerf_report *report, struct kerf_text *page)
{
    struct picture p = {.report = report, .page = page};

    p.span = (double)(report->old_len > report->new_len ? report->old_len : report->new_len);
    p.span = p.span < 1 ? 1 : p.span;
    if (make_blocks(&p) != KERF_OK) {
        page->failed = true;
        return;
    }
    kerf_text_add(page, "<figure>\n");
    write_frame(&p);
    kerf_text_add(page, "<path class=\"f-oldbar\" d=\"");
    rectangle(&p, 0, OLD_TOP, x_of(&p, report->old_len), OLD_END - OLD_TOP);
    kerf_text_add(page, "\"/>\n");
    if (draw_ribbons(&p) != KERF_OK) {
        page->failed = true;
    }
    for (unsigned i = 0; i < KERF_ORIGIN_COUNT; i++) {
        draw_origin(&p, i);
    }
    draw_sections(&p);
    draw_regions(&p);
    kerf_text_add(page, "<path class=\"baseline\" d=\"");
    rectangle(&p, 0, COST_END, WIDTH, 1);
    kerf_text_add(page, "\"/>\n");
    for (unsigned i = 0; i < KERF_PART_COUNT; i++) {
        draw_cost(&p, i);
    }
    kerf_text_add(page,
                  "<rect id=\"choose\" x=\"0\" y=\"0\" width=\"0\" height=\"%d\"/>"
                  "<rect id=\"cursor\" x=\"0\" y=\"0\" width=\"0\" height=\"%d\"/>\n</svg>\n</div>\n",
                  HEIGHT, HEIGHT);
    kerf_text_add(page, "<div class=\"axis mono\"><span>0x0</span><span></span><span>0x%" PRIx64 "</span></div>\n",
                  (uint64_t)p.span);
    write_keys(&p, "New:", origin_class, origin_label, 0, KERF_ORIGIN_COUNT);
    write_keys(&p, "Cost:", part_class, part_label, 1, KERF_PART_COUNT);
    kerf_text_add(page, "<ul class=\"keys\"><li>Ribbons:</li><li><i class=\"f-ribbon\"></i>in the old order</li>"
                        "<li><i class=\"f-moved\"></i>at another place among the others</li></ul>\n");
    kerf_text_add(
        page,
        "<figcaption>Both images from their first byte on, at one scale. A column of new and of the cost "
        "stands for %zu bytes; the highest costs %.1f bytes of delta, and heights are square roots, so that small "
        "costs are seen too.%s</figcaption>\n</figure>\n",
        p.block_len, kerf_report_bytes(p.most),
        report->names.count > 0           ? " The grey row between them: sections."
        : report->header.region_count > 1 ? " The grey row between them: regions."
                                          : "");
    write_data(&p);
    free(p.blocks);
}
