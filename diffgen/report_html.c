/* SPDX-License-Identifier: Apache-2.0 */
/* The page: one file that needs nothing else, and is readable without its script. */
#include <inttypes.h>

#include "common/host/cli.h"
#include "diffgen/report.h"

static void head(const struct kerf_report *r, struct kerf_text *t)
{
    kerf_text_add(
        t, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
           "script-src 'unsafe-inline'\">\n<meta name=\"generator\" content=\"kerf-diff " KERF_VERSION "\">\n<title>");
    kerf_text_escape(t, r->old_name);
    kerf_text_add(t, " to ");
    kerf_text_escape(t, r->new_name);
    kerf_text_add(t, ": %" PRIu64 " bytes</title>\n<style>\n", r->made.delta_len);
    kerf_text_add(t, "%s</style>\n</head>\n<body>\n<h1>", kerf_report_css);
    kerf_text_escape(t, r->old_name);
    kerf_text_add(t, " &rarr; ");
    kerf_text_escape(t, r->new_name);
    kerf_text_add(t, "</h1>\n<p class=\"sub\">");
    kerf_text_escape(t, r->made.recognised);
    kerf_text_add(t, "</p>\n");
}

static void card(struct kerf_text *t, const char *value, const char *label)
{
    kerf_text_add(t, "<div class=\"card\"><b>%s</b><span>%s</span></div>\n", value, label);
}

/* Which share of the addresses that changed was predicted. */
static double predicted(const struct kerf_report *r)
{
    return r->made.refs == 0 ? 100 : 100 * (1 - (double)r->made.refs_wrong / (double)r->made.refs);
}

static void cards(const struct kerf_report *r, struct kerf_text *t)
{
    char text[64];
    char label[96];
    double share = r->new_len == 0 ? 0 : 100 * (double)r->made.delta_len / (double)r->new_len;

    kerf_text_add(t, "<div class=\"cards\">\n");
    (void)snprintf(text, sizeof text, "%" PRIu64, r->made.delta_len);
    card(t, text, "bytes of delta");
    (void)snprintf(text, sizeof text, "%.*f %%", share < 1 ? 3 : 1, share);
    (void)snprintf(label, sizeof label, "of new's %zu bytes", r->new_len);
    card(t, text, label);
    (void)snprintf(text, sizeof text, "%" PRIu64, r->full_len);
    card(t, text, "bytes in a full payload");
    (void)snprintf(text, sizeof text, "%" PRIu64, r->made.workspace);
    (void)snprintf(label, sizeof label, "bytes of RAM to apply it, of %" PRIu64, r->diff.ram);
    card(t, text, label);
    if (r->made.refs > 0) {
        (void)snprintf(text, sizeof text, "%.1f %%", predicted(r));
        (void)snprintf(label, sizeof label, "of %" PRIu64 " references predicted", r->made.refs);
        card(t, text, label);
    }
    const struct kerf_report_item *first = kerf_names_first(&r->names);

    if (first != NULL && first->sum.total >= 8 * KERF_BIT) {
        kerf_text_add(t, "<div class=\"card\"><b>%.0f</b><span>costliest: <span class=\"mono\">",
                      kerf_report_bytes(first->sum.total));
        kerf_text_escape(t, first->name);
        kerf_text_add(t, "</span></span></div>\n");
    }
    kerf_text_add(t, "</div>\n");
}

static void advice(const struct kerf_report *r, struct kerf_text *t)
{
    kerf_text_add(t, "<h2 id=\"advice\">What could make it smaller</h2>\n");
    if (r->advice_count == 0) {
        kerf_text_add(t, "<p>Nothing that stands out in this pair.</p>\n");
        return;
    }
    kerf_text_add(t, "<ul class=\"advice\">\n");
    for (size_t i = 0; i < r->advice_count; i++) {
        kerf_text_add(t, "<li><b>");
        kerf_text_escape(t, r->advice[i].title);
        kerf_text_add(t, "</b>");
        kerf_text_escape(t, r->advice[i].text);
        kerf_text_add(t, "</li>\n");
    }
    kerf_text_add(t, "</ul>\n");
}

static void fact(struct kerf_text *t, const char *name, const char *value)
{
    kerf_text_add(t, "<dt>%s</dt><dd>", name);
    kerf_text_escape(t, value);
    kerf_text_add(t, "</dd>\n");
}

static void kinds(struct kerf_text *t, unsigned bits)
{
    static const char *const names[KERF_REF_KINDS] = {
        [KERF_REF_WORD] = "pointers",
        [KERF_REF_RAM] = "pointers to RAM",
        [KERF_REF_CALL] = "calls",
        [KERF_REF_JUMP] = "jumps",
        [KERF_REF_BRANCH] = "branches",
        [KERF_REF_BRANCH2] = "short branches",
        [KERF_REF_LITERAL] = "literal loads",
        [KERF_REF_PAIR] = "address pairs",
        [KERF_REF_WORD8] = "8-byte pointers",
    };
    bool first = true;

    for (unsigned i = 1; i < KERF_REF_KINDS; i++) {
        if ((bits >> i & 1) != 0 && names[i] != NULL) {
            kerf_text_add(t, "%s%s", first ? "" : ", ", names[i]);
            first = false;
        }
    }
    if (first) {
        kerf_text_add(t, "none");
    } else if ((bits >> KERF_REF_BIG_ENDIAN & 1) != 0) {
        kerf_text_add(t, "; words are big-endian");
    }
}

/* Which references the regions use: mostly all the same ones. */
static void reference_facts(const struct kerf_report *r, struct kerf_text *t)
{
    for (unsigned i = 0; i < r->header.region_count; i++) {
        const struct kerf_region *region = &r->regions[i];
        bool said = false;

        for (unsigned k = 0; k < i; k++) {
            said = said || (r->regions[k].isa == region->isa && r->regions[k].kinds == region->kinds);
        }
        if (!said) {
            kerf_text_add(t, "<dt>references in %s</dt><dd>", kerf_report_region_name(region));
            kinds(t, region->kinds);
            kerf_text_add(t, "</dd>\n");
        }
    }
}

static void header_facts(const struct kerf_report *r, struct kerf_text *t)
{
    const struct kerf_header *h = &r->header;
    char text[160];

    (void)snprintf(text, sizeof text, "%u, native codec%s%s", (unsigned)KERF_FORMAT_VERSION,
                   h->flags & KERF_FLAG_READS_NEW ? ", reads back new" : "", h->flags & KERF_FLAG_WIDE ? ", wide" : "");
    fact(t, "format", text);
    (void)snprintf(text, sizeof text,
                   "header %" PRIu64 ", chunk digests %" PRIu64 ", payload %" PRIu64 " bytes; chunks of %" PRIu32,
                   r->made.header_len, r->made.chain_len, (uint64_t)h->payload_size, h->chunk_size);
    fact(t, "container", text);
    (void)snprintf(text, sizeof text, "%u counters a table, flag class %u, map of %u entries, %u learned targets",
                   kerf_table_size(h->model.table_code), kerf_flag_class(h), (unsigned)h->model.map_cap,
                   (unsigned)h->model.learned_cap);
    fact(t, "model", text);
    (void)snprintf(text, sizeof text, "level %d, --ram %" PRIu64, r->diff.level, r->diff.ram);
    fact(t, "made with", text);
}

static void digests(const struct kerf_report *r, struct kerf_text *t)
{
    char hex[2 * KERF_SHA256_LEN + 1];
    const struct {
        const char *name;
        const struct kerf_sha256_digest *digest;
    } rows[] = {{"old sha256", &r->made.old_digest},
                {"new sha256", &r->made.new_digest},
                {"kerf-patch --expect", &r->made.chunk0_digest}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        kerf_text_add(t, "<dt>%s</dt><dd><code>%s</code></dd>\n", rows[i].name,
                      kerf_cli_format_hex(rows[i].digest->b, KERF_SHA256_LEN, hex));
    }
}

static void file_fact(struct kerf_text *t, const char *name, const struct kerf_flat *flat, const char *container,
                      size_t len)
{
    char text[160];

    (void)snprintf(text, sizeof text, "%s%s%s, %zu bytes", container == NULL ? "plain" : container,
                   flat->format != NULL ? ", flattened from " : "", flat->format != NULL ? flat->format : "", len);
    fact(t, name, text);
}

static void facts(const struct kerf_report *r, struct kerf_text *t)
{
    char text[160];

    kerf_text_add(t, "<h2 id=\"recognised\">What was recognised</h2>\n<dl class=\"facts\">\n");
    fact(t, "images", r->made.recognised);
    file_fact(t, "old file", &r->old_flat, r->old_container, r->old_len);
    file_fact(t, "new file", &r->new_flat, r->new_container, r->new_len);
    for (unsigned i = 0; i < r->header.range_count; i++) {
        (void)snprintf(text, sizeof text, "0x%08" PRIx64 " to 0x%08" PRIx64, (uint64_t)r->ranges[i].start,
                       (uint64_t)(r->ranges[i].start + r->ranges[i].len));
        fact(t, "RAM", text);
    }
    reference_facts(r, t);
    kerf_text_add(t, "</dl>\n");
    if (r->header.region_count == 0) {
        kerf_text_add(t, "<p>The delta uses no references: %s</p>\n",
                      r->image.region_count == 0 ? "no code was recognised." : "predicting them did not pay.");
    }
    kerf_text_add(t, "<h2 id=\"delta\">The delta</h2>\n<dl class=\"facts\">\n");
    header_facts(r, t);
    digests(r, t);
    kerf_text_add(t, "</dl>\n");
}

kerf_err kerf_report_html(const struct kerf_report *r, struct kerf_text *page)
{
    head(r, page);
    cards(r, page);
    advice(r, page);
    kerf_text_add(page, "<h2 id=\"where\">Where each part of new came from</h2>\n");
    kerf_report_picture(r, page);
    kerf_report_tables(r, page);
    facts(r, page);
    kerf_text_add(page, "<footer><p>Made by kerf-diff " KERF_VERSION
                        ". Costs are measured: the delta was coded once more, and each "
                        "step's bits were written down for the byte of new that it made.</p></footer>\n"
                        "<div id=\"tip\" hidden></div>\n<script>\n");
    kerf_text_add(page, "%s</script>\n</body>\n</html>\n", kerf_report_js);
    return page->failed ? KERF_ERR_RAM : KERF_OK;
}
