/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What could make a delta smaller, from what was measured of it. Each piece of advice has a condition under which it is
 * worth reading; a good delta gets none.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "diffgen/report.h"

/* Stretches that are looked at for what can't be compressed. */
#define WINDOW 1024u
/* References that point that near to each other are to one area. */
#define AREA_LOG2 12u
/* Bytes that differ are of one place where a sixteenth of new, or so many bytes, holds more than half of them. */
#define CHANGES_MIN 4096u

static void advise(struct kerf_report *r, const char *title, const char *format, ...) KERF_PRINTF(3, 4);

static void advise(struct kerf_report *r, const char *title, const char *format, ...)
{
    va_list args;

    if (r->advice_count == KERF_ADVICE_MAX) {
        return;
    }
    struct kerf_report_advice *a = &r->advice[r->advice_count++];

    (void)snprintf(a->title, sizeof a->title, "%s", title);
    va_start(args, format);
    (void)vsnprintf(a->text, sizeof a->text, format, args);
    va_end(args);
}

static void about_full(struct kerf_report *r)
{
    if (r->old_len > 0 && r->full_len > 0 && r->made.delta_len >= r->full_len - r->full_len / 10) {
        advise(r, "A full payload is as good",
               "A full payload of new has %" PRIu64 " bytes, the delta %" PRIu64
               ". The full one needs no old image, so every device can take it: kerf-diff --full. If the two images "
               "should be alike, one of them is probably encrypted, compressed, or of another product.",
               r->full_len, r->made.delta_len);
    }
}

static void about_recognition(struct kerf_report *r)
{
    bool none = strstr(r->made.recognised, "nothing recognised") != NULL;

    if (none && r->old_len > 0 && r->made.delta_len > 200) {
        advise(
            r, "No instruction set was recognised",
            "Addresses in code and data that moved were sent like any other bytes. If the images hold code, name it "
            "with --isa and --base (kerf-diff --help lists the names), or give the program's ELF file with --elf-new.");
    } else if (strstr(r->made.recognised, "load address unknown") != NULL) {
        advise(r, "The load address is unknown",
               "Pointers and absolute addresses can't be predicted without it. Give it with --base, or the program's "
               "ELF file with --elf-new.");
    }
}

/* Literals that cost all of their eight bits can't be made smaller by anybody: they were compressed or encrypted before. */
static void about_packed(struct kerf_report *r)
{
    const struct kerf_costs *c = &r->costs;
    uint64_t packed = 0;
    kerf_cost cost = 0;
    uint64_t first = 0;

    for (size_t pos = 0; pos + WINDOW <= c->new_len; pos += WINDOW) {
        struct kerf_report_block block = {.pos = pos, .len = WINDOW};

        kerf_costs_block(c, &block);
        if (block.sum.total >= (kerf_cost)WINDOW * 8 * KERF_BIT / 16 * 15) {
            first = packed == 0 ? pos : first;
            packed += WINDOW;
            cost += block.sum.total;
        }
    }
    if (packed > 0 && kerf_report_bytes(cost) * 5 > (double)r->made.delta_len) {
        advise(
            r, "Compressed or encrypted content changed",
            "%.0f %% of the delta is for %" PRIu64 " bytes of new, from 0x%" PRIx64
            " on, that look like noise: content that was compressed or encrypted before it came into the image. Store "
            "it plain in the image (the delta compresses it on its way), or leave out of it what need not change.",
            kerf_report_percent(kerf_report_bytes(cost), (double)r->made.delta_len), packed, first);
    }
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The length of a time (12:34:56) or a date (Jan  1 2024, 2024-01-31) that begins at p; 0: none does. */
static size_t stamp_at(const uint8_t *p, size_t left)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    if (left >= 8 && is_digit(p[0]) && is_digit(p[1]) && p[2] == ':' && is_digit(p[3]) && is_digit(p[4]) &&
        p[5] == ':' && is_digit(p[6]) && is_digit(p[7])) {
        return 8;
    }
    if (left >= 10 && p[0] == '2' && p[1] == '0' && is_digit(p[2]) && is_digit(p[3]) && p[4] == '-' && is_digit(p[5]) &&
        is_digit(p[6]) && p[7] == '-' && is_digit(p[8]) && is_digit(p[9])) {
        return 10;
    }
    for (unsigned i = 0; left >= 11 && i < 36; i += 3) {
        if (memcmp(p, months + i, 3) == 0 && p[3] == ' ' && (p[4] == ' ' || is_digit(p[4])) && is_digit(p[5]) &&
            p[6] == ' ' && p[7] == '2' && p[8] == '0' && is_digit(p[9]) && is_digit(p[10])) {
            return 11;
        }
    }
    return 0;
}

static void about_stamps(struct kerf_report *r)
{
    const struct kerf_costs *c = &r->costs;
    unsigned count = 0;
    kerf_cost cost = 0;
    char sample[16] = "";
    uint64_t at = 0;

    for (size_t pos = 0; pos < c->new_len; pos++) {
        size_t len = stamp_at(c->new_image + pos, c->new_len - pos);
        bool changed = false;

        for (size_t i = 0; i < len; i++) {
            changed = changed || c->origin[pos + i] != KERF_ORIGIN_OLD;
        }
        if (changed) {
            if (count == 0) {
                memcpy(sample, c->new_image + pos, len);
                at = pos;
            }
            count++;
            cost += kerf_costs_sum(c, pos, pos + len).total;
            pos += len - 1;
        }
    }
    if (count > 0 && (kerf_report_bytes(cost) >= 20 || kerf_report_bytes(cost) * 50 > (double)r->made.delta_len)) {
        advise(r, "Times of the build are in the image",
               "%u dates or times changed, for %.0f bytes of delta, such as \"%s\" at 0x%" PRIx64
               ". A build that gives the same bytes for the same sources (SOURCE_DATE_EPOCH, no __DATE__ and __TIME__) "
               "saves them, and makes equal images equal.",
               count, kerf_report_bytes(cost), sample, at);
    }
}

static int by_target(const void *a, const void *b)
{
    uint32_t x = ((const struct kerf_cost_event *)a)->target;
    uint32_t y = ((const struct kerf_cost_event *)b)->target;

    return x < y ? -1 : x > y;
}

/* Wrong references whose targets lie near each other: [*from, *to) of the sorted list with the most of them. */
static void densest(const struct kerf_cost_event *wrong, size_t count, size_t *from, size_t *to)
{
    *from = 0;
    *to = 0;
    for (size_t i = 0, j = 0; i < count; i++) {
        while (j < count && wrong[j].target - wrong[i].target < 1u << AREA_LOG2) {
            j++;
        }
        if (j - i > *to - *from) {
            *from = i;
            *to = j;
        }
    }
}

static bool in_image(const struct kerf_report *r, uint32_t target)
{
    for (unsigned i = 0; i < r->header.region_count; i++) {
        if (target - (uint32_t)r->regions[i].old_addr < r->regions[i].old_len) {
            return true;
        }
    }
    return false;
}

static kerf_err about_references(struct kerf_report *r)
{
    const struct kerf_costs *c = &r->costs;
    struct kerf_cost_event *wrong = calloc(c->event_count + 1, sizeof *wrong);
    size_t count = 0;
    size_t from = 0;
    size_t to = 0;
    kerf_cost cost = 0;

    if (wrong == NULL) {
        return KERF_ERR_RAM;
    }
    for (size_t i = 0; i < c->event_count; i++) {
        if (c->events[i].wrong) {
            wrong[count++] = c->events[i];
        }
    }
    if (count > 0) {
        qsort(wrong, count, sizeof *wrong, by_target);
    }
    densest(wrong, count, &from, &to);
    for (size_t i = from; i < to; i++) {
        cost += wrong[i].cost;
    }
    if (to - from >= 12 && (to - from) * 4 >= count && kerf_report_bytes(cost) * 20 > (double)r->made.delta_len) {
        uint32_t first = wrong[from].target;
        bool code = in_image(r, first);

        advise(r,
               code ? "What moved around in one area is pointed to from everywhere" : "Variables changed places in RAM",
               "%zu of %zu references that were not as predicted are to 0x%08" PRIx32 "..0x%08" PRIx32
               " (old addresses), for %.0f bytes. %s",
               to - from, count, first, wrong[to - 1].target, kerf_report_bytes(cost),
               code ? "Several small pieces there went different ways: a fixed order of objects and sections in the "
                      "linker script keeps them together; more --ram gives the decoder a finer map."
                    : "A fixed order of .data and .bss in the linker script (-fdata-sections with SORT_BY_NAME, new "
                      "variables at the end) keeps the others where they were.");
    }
    free(wrong);
    return KERF_OK;
}

/* Where bytes differ: the `len` bytes of new that cost most of it. *stretches: of WINDOW bytes, in which any do. */
static kerf_cost densest_changes(const struct kerf_costs *c, uint64_t len, uint64_t *from, size_t *stretches)
{
    kerf_cost most = 0;
    kerf_cost sum = 0;
    uint64_t next = 0;

    *from = 0;
    *stretches = 0;
    for (size_t i = 0, j = 0; j < c->event_count; j++) {
        const struct kerf_cost_event *event = &c->events[j];

        if (event->part != KERF_PART_RESIDUES) {
            continue;
        }
        if (event->pos >= next) {
            next = (event->pos / WINDOW + 1) * (uint64_t)WINDOW;
            ++*stretches;
        }
        sum += event->cost;
        for (; c->events[i].pos + len <= event->pos; i++) {
            sum -= c->events[i].part == KERF_PART_RESIDUES ? c->events[i].cost : 0;
        }
        if (sum > most) {
            most = sum;
            *from = c->events[i].pos;
        }
    }
    return most;
}

/* Bytes that differ inside of what is copied are the larger part: what that is, where it is, and what makes it less. */
static void about_changes(struct kerf_report *r)
{
    kerf_cost cost = r->made.part_cost[KERF_PART_RESIDUES];
    double share = kerf_report_percent(kerf_report_bytes(cost), (double)r->made.delta_len);
    uint64_t len = r->new_len / 16 > CHANGES_MIN ? r->new_len / 16 : CHANGES_MIN;
    uint64_t from = 0;
    size_t stretches = 0;

    if (share < 40 || kerf_report_bytes(cost) < 200) {
        return;
    }
    uint64_t changed = r->costs.origin_bytes[KERF_ORIGIN_CHANGED];

    if (densest_changes(&r->costs, len, &from, &stretches) * 2 > cost && len * 4 <= r->new_len) {
        advise(r, "Bytes of one place differ",
               "%.0f %% of the delta is for %" PRIu64
               " bytes inside of what was copied that are others now, most of them between 0x%" PRIx64 " and 0x%" PRIx64
               " of new. If a tool makes what lies there (a table, a font, packed data), let it give the same bytes "
               "for the same input, in the same order.",
               share, changed, from, from + len < r->new_len ? from + len : r->new_len);
    } else {
        advise(r, "Bytes differ in many places of what was copied",
               "%.0f %% of the delta is for %" PRIu64
               " bytes inside of what was copied that are others now, in %zu stretches of %u bytes. They are no "
               "addresses that moved, as far as those were recognised: other values, registers or instructions. Where "
               "the sources did not change, the compiler did: the same version and options for both builds, and no "
               "optimisation across files (LTO), keep code as it was.",
               share, changed, stretches, WINDOW);
    }
}

/* Segments that do not go on behind the one before. */
static void about_order(struct kerf_report *r)
{
    const struct kerf_segments *s = &r->costs.segments;
    uint64_t copied = 0;
    uint64_t odd = 0;
    uint64_t moved = 0;
    unsigned pieces = 0;
    bool code = false;

    for (size_t i = 0; i < s->count; i++) {
        const struct kerf_segment *segment = &s->list[i];

        if (segment->from_new) {
            continue;
        }
        if (r->costs.moved[i] && segment->len >= 32) {
            pieces++;
            moved += segment->len;
        }
        copied += segment->len;
        odd += ((segment->src_pos - segment->new_pos) & 3) != 0 ? segment->len : 0;
    }
    double share = kerf_report_percent(
        kerf_report_bytes(r->made.part_cost[KERF_PART_SEGMENTS] + r->made.part_cost[KERF_PART_MAP]),
        (double)r->made.delta_len);

    if (pieces >= 24 && moved * 20 > copied && share > 15) {
        advise(r, "The order of linking changed",
               "%u pieces of 32 bytes and more, %.0f %% of what was copied, are at another place among the others; "
               "where they come from and how addresses moved takes %.0f %% of the delta. Link the same objects in the "
               "same order (sorted file names, SORT_BY_NAME in the linker script).",
               pieces, kerf_report_percent((double)moved, (double)copied), share);
    }
    for (unsigned i = 0; i < r->header.region_count; i++) {
        code = code || r->regions[i].isa == KERF_ISA_THUMB;
    }
    if (code && copied > 0 && odd * 5 > copied && r->made.part_cost[KERF_PART_RESIDUES] > 400 * KERF_BIT) {
        advise(r, "Code moved by a number of bytes that is no multiple of 4",
               "%.0f %% of what was copied did. Loads of literals in Thumb code count from a multiple of 4, so they "
               "change with such a move. Functions aligned to 4 bytes (-falign-functions=4) move evenly.",
               kerf_report_percent((double)odd, (double)copied));
    }
}

static void about_ram(struct kerf_report *r)
{
    const struct kerf_report_profile *best = NULL;

    for (size_t i = 0; i < r->profile_count; i++) {
        const struct kerf_report_profile *p = &r->profiles[i];

        /* The next one up of those for devices that saves 8 % at least. */
        if (p->fits && p->ram > r->diff.ram && p->ram <= 65536 &&
            p->delta_len < r->made.delta_len - r->made.delta_len / 12 && best == NULL) {
            best = p;
        }
    }
    if (best != NULL) {
        advise(r, "More RAM would pay", "With --ram %" PRIu64 "K the delta has %" PRIu64 " bytes, %.0f %% less.",
               best->ram / 1024, best->delta_len,
               kerf_report_percent((double)(r->made.delta_len - best->delta_len), (double)r->made.delta_len));
    }
}

kerf_err kerf_report_advise(struct kerf_report *r)
{
    about_full(r);
    about_recognition(r);
    about_packed(r);
    about_order(r);
    kerf_err err = about_references(r);

    about_stamps(r);
    about_changes(r);
    about_ram(r);
    return err;
}
