/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where 8051 code lies: a call holds all of an address, and what it leads to nearly always begins behind the RET of the
 * function in front. Each pair of a call's target and such a place votes for the distance between them.
 *
 * Code of more than 64 KiB is in banks of 32 KiB that all appear at 0x8000, as common/isa/mcs51.c has them; the first
 * bank lies below.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "diffgen/detect.h"

#define SPACE 0x10000u
#define BANK_LEN 0x8000u
#define MAX_BANKS 8u
#define LCALL 0x12
#define RET 0x22
#define RETI 0x32
#define LJMP 0x02
/* Interrupt vectors: the first one's address, and how far they lie apart. */
#define VECTOR 3u
#define VECTOR_LEN 8u
#define MIN_SET 2u   /* vectors that jump or return, */
#define MIN_ENDS 8u  /* and functions that are called, behind the end of another one */
#define ENDS_PART 3u /* one of so many called */
/* Targets and places that are looked at. */
#define MAX_TARGETS 2048u
#define MAX_PLACES 4096u
/*
 * Votes for the distance, and how many times those of the next one. In images that are too short for functions that
 * many call, each target counts, and so must twice as many.
 */
#define SHORT_LEN 0x8000u
#define MIN_VOTES 6u
#define LEAD 2u

struct tables {
    uint8_t called[SPACE];     /* how often, as far as it matters */
    uint16_t votes[3 * SPACE]; /* by distance, and 2 * SPACE */
    uint16_t targets[MAX_TARGETS];
};

/* Addresses below the banks that are called more than once (of short images: at all). Where code has no banks, it does no harm that those above are not asked. */
static unsigned collect_targets(struct tables *t, const uint8_t *p, size_t len)
{
    unsigned count = 0;
    unsigned times = len > SHORT_LEN ? 2 : 1;

    for (size_t i = 0; i + 3 <= len; i++) {
        uint8_t *called = &t->called[p[i] == LCALL ? (p[i + 1] << 8 | p[i + 2]) : 0];

        if (p[i] == LCALL && called < t->called + BANK_LEN && *called < times && ++*called == times &&
            count < MAX_TARGETS) {
            t->targets[count++] = (uint16_t)(called - t->called);
        }
    }
    return count;
}

/* Votes; where most of them lie is the result, as address less position. False: nowhere. */
static bool elect(struct tables *t, const uint8_t *p, size_t len, int64_t *distance)
{
    unsigned targets = collect_targets(t, p, len);
    size_t end = len < 2 * SPACE ? len : 2 * SPACE;
    unsigned places = 0;
    size_t best = 0;
    unsigned next = 0;

    for (size_t i = 1; i < end && places < MAX_PLACES; i++) {
        if (p[i - 1] != RET || p[i] == RET) {
            continue;
        }
        places++;
        for (unsigned k = 0; k < targets; k++) {
            t->votes[2 * SPACE + t->targets[k] - i]++;
        }
    }
    for (size_t i = 0; i < 3 * SPACE; i++) {
        if (t->votes[i] > t->votes[best]) {
            next = t->votes[best];
            best = i;
        } else if (i != best && t->votes[i] > next) {
            next = t->votes[i];
        }
    }
    *distance = (int64_t)best - 2 * (int64_t)SPACE;
    return t->votes[best] >= (len > SHORT_LEN ? MIN_VOTES : 2 * MIN_VOTES) && t->votes[best] >= LEAD * next;
}

kerf_err kerf_detect_banks(const uint8_t *image, size_t len, struct kerf_layout *layout)
{
    struct tables *t = calloc(1, sizeof *t);
    int64_t distance;

    if (t == NULL) {
        return KERF_ERR_RAM;
    }
    bool found = elect(t, image, len, &distance);

    free(t);
    if (!found) {
        return KERF_OK;
    }
    /* Addresses as they would be without banks: what is below 0 is a header. */
    uint64_t first = distance > 0 ? (uint64_t)distance : 0;
    uint64_t end = (uint64_t)((int64_t)len + distance);
    bool banked = end > SPACE;

    layout->span_count = 0;
    layout->addressed = true;
    for (uint64_t bank = 0; bank < (banked ? MAX_BANKS : 1u); bank++) {
        uint64_t from = bank == 0 ? first : bank * BANK_LEN;
        uint64_t to = banked ? (bank + 1) * BANK_LEN : end;

        to = to < end ? to : end;
        if (from < to) {
            kerf_layout_add(layout, len, (uint64_t)((int64_t)from - distance), to - from,
                            bank == 0 ? from : bank << 16 | BANK_LEN, true);
        }
    }
    kerf_layout_finish(layout);
    return KERF_OK;
}

static unsigned address_at(const uint8_t *p)
{
    return (unsigned)p[1] << 8 | p[2];
}

/* Does the reset vector jump into the image, and some interrupt vectors jump or return? */
static bool has_vectors(const uint8_t *p, size_t len)
{
    unsigned code = address_at(p); /* where it begins: vectors lie below */
    unsigned set = 0;

    if (p[0] != LJMP || code >= len) {
        return false;
    }
    for (unsigned at = VECTOR; at + 3 <= code; at += VECTOR_LEN) {
        unsigned target = address_at(p + at);

        if (p[at] == LJMP && target >= VECTOR && target < len) {
            code = target < code ? target : code;
            set++;
        } else if (p[at] == RETI) {
            set++;
        } else if (p[at] != 0 && p[at] != 0xff) { /* one that is not set, or code */
            break;
        }
    }
    return set >= MIN_SET;
}

bool kerf_detect_mcs51(const uint8_t *image, size_t len)
{
    uint8_t called[SPACE / 8] = {0};
    unsigned targets = 0;
    unsigned ends = 0;

    if (len < VECTOR_LEN || len > SPACE || !has_vectors(image, len)) {
        return false;
    }
    for (size_t i = 0; i + 3 <= len; i++) {
        unsigned target = address_at(image + i);

        if (image[i] != LCALL || target == 0 || target >= len || (called[target / 8] >> target % 8 & 1) != 0) {
            continue;
        }
        called[target / 8] |= (uint8_t)(1u << target % 8);
        targets++;
        ends += image[target - 1] == RET || image[target - 1] == RETI;
    }
    return ends >= MIN_ENDS && ends * ENDS_PART >= targets;
}
