/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two images are. Each is laid out by its header, or as one stretch; stretches are paired; the instruction set
 * is voted for over both images; a stretch without an address gets one by votes; RAM is where words point to.
 */
#include "diffgen/image.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "diffgen/look.h"

/* One shift has so many times the votes of the others, or there are parts at several. */
#define SHIFT_LEAD 4u
/* Larger images are not looked at again where nothing is recognised. */
#define MAX_SHIFTED ((size_t)8 << 20)

/* Parts at load addresses of their own, where pointers have 4 bytes. look->words: an address is known. */
static kerf_err find_parts(struct kerf_look *look, struct kerf_image *image)
{
    struct kerf_look_side *sides = look->sides;
    const uint8_t *const images[2] = {sides[0].p, sides[1].p};
    const size_t lens[2] = {sides[0].len, sides[1].len};
    struct kerf_layout *const layouts[2] = {&sides[0].layout, &sides[1].layout};
    unsigned isa = look->isa;

    /* AVR's program is at 0, and what points to it has 2 bytes. */
    if (isa == KERF_ISA_NONE || isa == KERF_ISA_AVR || (kerf_isa_traits[isa].words & KERF_WORDS) != KERF_WORDS) {
        return KERF_OK;
    }
    kerf_err err = kerf_detect_parts(isa, kerf_look_big_endian(isa, &sides[0]), images, lens, layouts, &look->words);

    image->in_parts = err == KERF_OK && layouts[0]->span_count > 1;
    return err;
}

/*
 * What is outside of the code of an image without a header, often packed, holds calls by chance: it is left out of the
 * region where it is the larger part of both images. Not where the load address is known: then it may hold pointers.
 */
static void trim(struct kerf_look *look)
{
    size_t from[2];
    size_t to[2];

    for (unsigned i = 0; i < 2; i++) {
        const struct kerf_look_side *side = &look->sides[i];

        if (look->votes[i].looked_at == 0) {
            kerf_look_vote(side, &look->votes[i]);
        }
        if (!kerf_detect_extent(&look->votes[i], look->isa, side->len, &from[i], &to[i]) ||
            to[i] - from[i] > side->len / 2) {
            return;
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        struct kerf_span *span = &look->sides[i].layout.spans[0];

        span->pos = from[i];
        span->len = to[i] - from[i];
        span->addr += from[i];
    }
}

/* Addresses are modulo 2^32 unless the container is wide. */
static kerf_pos address(uint64_t addr, bool wide)
{
    return (kerf_pos)(wide ? addr : addr & UINT32_MAX);
}

/* Kinds of references of a pair of stretches. */
static unsigned kinds_of(const struct kerf_look *look, const struct kerf_look_pair *pair, bool code)
{
    const struct kerf_isa_traits *isa = &kerf_isa_traits[look->isa];
    unsigned kinds = code ? isa->kinds : 0;

    if (look->words) {
        /* Of addresses above 4 GiB the lower halves are told apart well enough: no need for wide positions. */
        bool halves = !look->wide && pair->old_span.addr >> 32 != 0;

        kinds |= halves ? KERF_BIT_OF(KERF_REF_WORD) : isa->words;
        kinds |= kerf_look_big_endian(look->isa, &look->sides[0]) ? KERF_BIG_ENDIAN_WORDS : 0;
    }
    kinds = kerf_isa_kinds(code ? look->isa : KERF_ISA_NONE, kinds);
    kinds |= look->records ? KERF_BIT_OF(KERF_REF_RECORDS) : 0;
    return kinds | (look->files && (kinds & KERF_WORDS8) != 0 ? KERF_BIT_OF(KERF_REF_FILES) : 0);
}

static void make_regions(struct kerf_image *image, const struct kerf_look_pairs *pairs, const struct kerf_look *look)
{
    image->region_count = pairs->count;
    for (unsigned i = 0; i < pairs->count; i++) {
        const struct kerf_look_pair *pair = &pairs->at[i];
        struct kerf_region *r = &image->regions[i];
        bool code = pair->old_span.code || pair->new_span.code;

        r->old_pos = (kerf_pos)pair->old_span.pos;
        r->old_len = (kerf_pos)pair->old_span.len;
        r->old_addr = address(pair->old_span.addr, look->wide);
        r->new_pos = (kerf_pos)pair->new_span.pos;
        r->new_len = (kerf_pos)pair->new_span.len;
        r->new_addr = address(pair->new_span.addr, look->wide);
        r->isa = (uint8_t)(code ? look->isa : KERF_ISA_NONE);
        r->kinds = (uint16_t)kinds_of(look, pair, code);
    }
}

/* Ranges as the header takes them: within the address space, ascending, apart from each other. */
static void make_ranges(struct kerf_image *image, struct kerf_range *ranges, unsigned count, bool wide)
{
    uint64_t end = wide ? UINT64_MAX : UINT32_MAX;

    image->range_count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct kerf_range range = {address(ranges[i].start, wide), ranges[i].len};
        const struct kerf_range *last = &image->ranges[image->range_count > 0 ? image->range_count - 1 : 0];

        if (range.len == 0 || range.len - 1 > end - range.start ||
            (image->range_count > 0 && range.start < last->start + last->len)) {
            continue;
        }
        image->ranges[image->range_count++] = range;
    }
}

/* RAM as a hint says it, old's first: references are looked for in old. */
static void hinted_ranges(const struct kerf_diff_options *options, struct kerf_range *ranges, unsigned *count)
{
    const struct kerf_diff_hint *hint = options->old_hint != NULL && options->old_hint->range_count > 0
                                            ? options->old_hint
                                            : options->new_hint;

    if (hint != NULL) {
        *count = hint->range_count;
        memcpy(ranges, hint->ranges, hint->range_count * sizeof *ranges);
    }
}

/* Appends to the line for people. */
static void say(struct kerf_image *image, const char *format, ...)
{
    size_t used = strlen(image->recognised);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(image->recognised + used, sizeof image->recognised - used, format, args);
    va_end(args);
}

static void describe(struct kerf_image *image, const struct kerf_look *look)
{
    if (look->sides[0].layout.container != NULL) {
        say(image, "%s, ", look->sides[0].layout.container);
    }
    say(image, "%s", kerf_isa_traits[look->isa].people);
    if (image->region_count > 1) {
        say(image, " in %u regions", image->region_count);
    } else if (look->words || image->regions[0].old_addr != 0) {
        say(image, " at 0x%08" PRIx64, (uint64_t)image->regions[0].old_addr);
        if (image->regions[0].new_addr != image->regions[0].old_addr) {
            say(image, " (new: 0x%08" PRIx64 ")", (uint64_t)image->regions[0].new_addr);
        }
    } else if (look->isa != KERF_ISA_AVR) { /* which is always at 0 */
        say(image, ", load address unknown");
    }
    for (unsigned i = 0; i < image->range_count; i++) {
        say(image, "%s 0x%08" PRIx64 "+0x%" PRIx64, i == 0 ? ", RAM" : ",", (uint64_t)image->ranges[i].start,
            (uint64_t)image->ranges[i].len);
    }
}

/* Makes the regions and ranges, once the stretches have addresses. */
static kerf_err finish(struct kerf_look *look, const struct kerf_diff_options *options, struct kerf_image *image)
{
    const struct kerf_look_side *old_side = &look->sides[0];
    struct kerf_range ranges[KERF_MAX_RANGES];
    struct kerf_look_pairs pairs;
    unsigned range_count = 0;

    look->words |= look->files && kerf_look_wide_words(look->isa);
    if (look->isa == KERF_ISA_NONE && !look->words) {
        if (look->records) {
            image->region_count = 1;
            image->regions[0] = (struct kerf_region){
                .old_len = old_side->len, .new_len = look->sides[1].len, .kinds = (uint16_t)1u << KERF_REF_RECORDS};
            say(image, "type records of Linux (BTF)");
        } else {
            say(image, "nothing recognised; general model");
        }
        return KERF_OK;
    }
    if (look->votes[0].looked_at > 0 && old_side->layout.container == NULL && !look->words) {
        trim(look);
    }
    kerf_look_pair(look->sides, &pairs);
    make_regions(image, &pairs, look);

    kerf_err err = kerf_detect_ram(look->isa, old_side->p, old_side->len, &old_side->layout, ranges, &range_count);

    if (err == KERF_OK && range_count == 0) {
        hinted_ranges(options, ranges, &range_count);
    }
    if (err == KERF_OK) {
        make_ranges(image, ranges, range_count, look->wide);
        describe(image, look);
        kerf_detect_offsets(old_side->p, look->sides[1].p, image);
    }
    return err;
}

/* Reads headers; where they are none that are known, or of different kinds, each image is one stretch. */
static void lay_out(struct kerf_look *look, const struct kerf_diff_options *options)
{
    struct kerf_look_side *sides = look->sides;

    kerf_container_read(sides[0].p, sides[0].len, &sides[0].layout);
    kerf_container_read(sides[1].p, sides[1].len, &sides[1].layout);
    if (options->base_known || sides[0].layout.container != sides[1].layout.container) {
        kerf_look_one_span(&sides[0], options->base_known ? options->base : 0);
        kerf_look_one_span(&sides[1], options->base_known ? options->base : 0);
    }
}

static kerf_err recognise(const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                          const struct kerf_diff_options *options, struct kerf_image *whole, struct kerf_image *image)
{
    struct kerf_look look = {.sides = {{old_image, old_len, {0}}, {new_image, new_len, {0}}},
                             .votes = {{.quick = options->level == 1}, {.quick = options->level == 1}},
                             .isa = options->isa != NULL ? kerf_isa_by_name(options->isa) : KERF_ISA_COUNT,
                             .wide = (uint64_t)old_len >> 32 != 0 || (uint64_t)new_len >> 32 != 0,
                             .records = kerf_detect_btf(old_image, old_len) && kerf_detect_btf(new_image, new_len),
                             .files = kerf_detect_files(old_image, old_len) && kerf_detect_files(new_image, new_len),
                             .words = true};

    memset(image, 0, sizeof *image);
    if (options->isa != NULL && look.isa == KERF_ISA_COUNT) {
        return KERF_ERR_ARGUMENT;
    }
    if (look.isa == KERF_ISA_NONE || old_len == 0 || new_len == 0) {
        say(image, look.isa == KERF_ISA_NONE ? "not looked at; general model" : "nothing recognised; general model");
        return KERF_OK;
    }
    lay_out(&look, options);
    kerf_err err = kerf_look_isa(&look, options);

    if (err == KERF_OK && !look.sides[0].layout.addressed && !options->base_known) {
        err = kerf_look_bases(&look, options);
        if (err == KERF_OK && whole != NULL) {
            struct kerf_look without = look;

            err = find_parts(&look, image);
            if (err == KERF_OK && image->in_parts) {
                memset(whole, 0, sizeof *whole);
                err = finish(&without, options, whole);
            }
        }
    }
    return err == KERF_OK ? finish(&look, options, image) : err;
}

/* How many bytes in front of the code put its words at odd places, as a header or an archive does: 1 .. 3; 0: nothing is seen then either. */
static unsigned shift_of(const uint8_t *p, size_t len, unsigned *isa)
{
    uint64_t most = 0;
    uint64_t others = 0;
    unsigned shift = 0;

    for (unsigned i = 1; i < 4; i++) {
        struct kerf_votes votes = {0};

        kerf_detect_votes(p + i, len - i, &votes);
        votes.of[KERF_ISA_MCS51] = 0; /* whose code may be anywhere */

        unsigned what = kerf_detect_isa(&votes, NULL, KERF_VOTES_CLEAR);

        if (i >= kerf_detect_alignment(what)) {
            continue; /* as it was some bytes before */
        }
        if (votes.of[what] > most) {
            others += most;
            *isa = what;
            most = votes.of[what];
            shift = i;
        } else {
            others += votes.of[what];
        }
    }
    return most >= SHIFT_LEAD * others ? shift : 0;
}

static void move(struct kerf_image *image, unsigned old_shift, unsigned new_shift)
{
    for (unsigned i = 0; i < image->region_count; i++) {
        image->regions[i].old_pos += old_shift;
        image->regions[i].new_pos += new_shift;
    }
}

static bool hints_base(const struct kerf_diff_hint *hint)
{
    return hint != NULL && hint->base_known;
}

kerf_err kerf_image_recognise(const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                              const struct kerf_diff_options *options, struct kerf_image *whole,
                              struct kerf_image *image)
{
    if (options->level == 1 || hints_base(options->old_hint) || hints_base(options->new_hint)) {
        whole = NULL;
    }
    kerf_err err = recognise(old_image, old_len, new_image, new_len, options, whole, image);

    if (err != KERF_OK || image->region_count > 0 || options->isa != NULL || options->base_known ||
        options->level == 1 || old_len > MAX_SHIFTED || new_len > MAX_SHIFTED || old_len < KERF_MIN_REGION ||
        new_len < KERF_MIN_REGION) {
        return err;
    }
    unsigned isa[2] = {KERF_ISA_NONE, KERF_ISA_NONE};
    unsigned old_shift = shift_of(old_image, old_len, &isa[0]);
    unsigned new_shift = old_shift > 0 ? shift_of(new_image, new_len, &isa[1]) : 0;

    if (new_shift == 0 || isa[0] != isa[1]) {
        return KERF_OK;
    }
    err = recognise(old_image + old_shift, old_len - old_shift, new_image + new_shift, new_len - new_shift, options,
                    whole, image);
    move(image, old_shift, new_shift);
    if (image->in_parts) {
        move(whole, old_shift, new_shift);
    }
    return err;
}
