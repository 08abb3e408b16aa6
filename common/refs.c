/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References: found in old, predicted through the address map and what was learned, corrected (docs/FORMAT.md,
 * "References"). What pays, and how much, is in docs/DESIGN.md.
 */
#include <string.h>

#include "common/encode.h"
#include "common/run.h"
#include "common/varint.h"

#define WORD_REACH 31 /* bytes; wider reaches lost 1-2 %, narrower ones 1 % of a release's delta */

/* A prediction for a target, and how much it is to be believed. */
struct prediction {
    kerf_addr target;
    unsigned confidence; /* 0: no map entry; 1 .. 3: its newest outcomes */
    unsigned source;     /* 0: the map; 1: a target nearby was learned; 2: this very target was */
    unsigned slot;       /* of this very target among the learned ones */
    uint8_t *history;    /* of the map entry, or NULL */
};

static bool in_image(const struct kerf_run *run, kerf_addr addr)
{
    for (unsigned i = 0; i < run->c->region_count; i++) {
        const struct kerf_region *r = &run->regions[i];

        if (kerf_run_addr(run, addr - r->old_addr) < r->old_len) {
            return true;
        }
    }
    return false;
}

static bool in_ranges(const struct kerf_run *run, kerf_addr addr)
{
    for (unsigned i = 0; i < run->c->range_count; i++) {
        if (kerf_run_addr(run, addr - run->ranges[i].start) < run->ranges[i].len) {
            return true;
        }
    }
    return false;
}

/* Index of the entry with the largest start <= addr in a table sorted by start; -1: none. */
static int map_find(const struct kerf_run *run, kerf_addr addr, kerf_shift *shift)
{
    int low = 0;
    int high = run->c->map_len;

    while (low < high) {
        int mid = (low + high) / 2;
        kerf_addr start;
        kerf_shift unused;

        kerf_run_pair_get(run, run->map, (unsigned)mid, &start, &unused);
        if (start <= addr) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (low > 0) {
        kerf_addr start;

        kerf_run_pair_get(run, run->map, (unsigned)(low - 1), &start, shift);
    }
    return low - 1;
}

bool kerf_ref_map_distance(const struct kerf_run *run, kerf_pos new_pos, kerf_shift *distance)
{
    kerf_addr addr = kerf_run_new_addr(run, new_pos);
    kerf_addr best_start = 0;
    kerf_addr old_addr = 0;
    bool found = false;

    for (unsigned i = 0; i < run->c->map_len; i++) {
        kerf_addr start;
        kerf_shift shift;

        kerf_run_pair_get(run, run->map, i, &start, &shift);
        start = kerf_run_addr(run, start + (kerf_addr)shift);
        if (start <= addr && (!found || start > best_start)) {
            found = true;
            best_start = start;
            old_addr = kerf_run_addr(run, addr - (kerf_addr)shift);
        }
    }
    if (!found) {
        return false;
    }
    for (unsigned i = 0; i < run->c->region_count; i++) {
        const struct kerf_region *r = &run->regions[i];
        kerf_addr at = kerf_run_addr(run, old_addr - r->old_addr);

        if (at < r->old_len) {
            *distance = kerf_run_shift(run, r->old_pos + at - new_pos);
            return true;
        }
    }
    *distance = kerf_run_shift(run, old_addr - new_pos);
    return old_addr < run->c->old_size;
}

/*
 * Looks for the learned target nearest to `key`, at most `reach` away. If there is one, *shift is its shift, and pr->source and
 * pr->slot say what it is.
 */
static void learned_find(const struct kerf_run *run, kerf_addr key, kerf_addr reach, kerf_shift *shift,
                         struct prediction *pr)
{
    pr->source = 0;
    for (unsigned i = 0; i < run->c->learned_len; i++) {
        kerf_addr other;
        kerf_shift s;

        kerf_run_pair_get(run, run->learned, i, &other, &s);
        kerf_addr distance = key < other ? other - key : key - other;

        if (distance <= reach) {
            *shift = s;
            pr->slot = i;
            pr->source = distance == 0 ? 2 : distance <= WORD_REACH ? 1 : 0;
            if (distance == 0) {
                break;
            }
            reach = distance - 1;
        }
    }
}

static void learned_put(struct kerf_run *run, const struct prediction *pr, kerf_addr key, kerf_shift shift)
{
    struct kerf_codec *c = run->c;
    unsigned slot = pr->slot;

    if (pr->source != 2) {
        if (c->learned_cap == 0) {
            return;
        }
        slot = c->learned_next;
        c->learned_next = (uint16_t)(slot + 1 < c->learned_cap ? slot + 1 : 0);
        c->learned_len = (uint16_t)(c->learned_len + (c->learned_len < c->learned_cap));
    }
    kerf_run_pair_set(run, run->learned, slot, key, shift);
}

/* A target inside the segment itself moves as the segment does. */
static bool is_local(const struct kerf_run *run, const struct kerf_region *region, kerf_addr target)
{
    const struct kerf_codec *c = run->c;
    kerf_pos at = kerf_run_addr(run, target - region->old_addr);

    return at < region->old_len && region->old_pos + at >= c->seg_start && region->old_pos + at < c->old_end;
}

static void predict(const struct kerf_run *run, const struct kerf_region *region, unsigned kind, kerf_addr target,
                    bool ram, kerf_addr pc, struct prediction *pr)
{
    kerf_shift shift = 0;
    kerf_addr key = target & ~(kerf_addr)1; /* a Thumb function and the pointer to it differ in bit 0 */

    /* Strings and tables move together: what a word points to moves with what lies right beside it. */
    kerf_addr reach = ram ? KERF_POS_MAX : kind == KERF_REF_WORD || kind == KERF_REF_WORD8 ? WORD_REACH : 0;

    pr->confidence = 0;
    pr->history = NULL;
    if (!ram && is_local(run, region, target)) {
        pr->source = 1;
        pr->confidence = 3;
        pr->target = kerf_run_addr(
            run, target + (pc - kerf_run_addr(run, region->old_addr + (run->c->src_pos - region->old_pos))));
        return;
    }
    if (!ram) {
        int i = map_find(run, target, &shift);

        if (i >= 0) {
            pr->history = &run->map_history[i];
            pr->confidence = 3 - (*pr->history & 1u) - (*pr->history >> 1 & 1u);
        }
    }
    learned_find(run, key, reach, &shift, pr);
    if (pr->source == 2) {
        pr->history = NULL;
    }
    pr->target = kerf_run_addr(run, target + (kerf_addr)shift);
}

/* Pairs carry their form, and in the top bit that they are two bytes long, not four. */
#define PAIR_SHORT 0x80u

static void pair_expect(struct kerf_run *run, const struct kerf_ref *ref, kerf_addr pc, kerf_addr target)
{
    struct kerf_codec *c = run->c;

    for (unsigned i = 0; i < ref->low_count; i++) {
        struct kerf_pair *p = &c->pairs[c->pair_next];

        p->old_pos = (uint32_t)(c->src_pos + ref->low_at[i]);
        p->value = (uint32_t)(target - (ref->low_relative ? pc : 0)) + (uint32_t)(int32_t)ref->low_delta[i];
        c->pair_form[c->pair_next] = (uint8_t)(ref->low_form[i] | (ref->len == 2 ? PAIR_SHORT : 0));
        if (p->old_pos > c->pair_high) {
            c->pair_high = p->old_pos;
        }
        c->pair_next = (uint8_t)((c->pair_next + 1) % KERF_PAIRS);
    }
}

#if KERF_ENCODER
void kerf_ref_expect(struct kerf_run *run, const struct kerf_ref *ref)
{
    pair_expect(run, ref, 0, 0);
}
#endif

/* The second half expected at src_pos, if any. */
static bool pair_find(const struct kerf_run *run, struct kerf_ref *ref)
{
    const struct kerf_codec *c = run->c;
    uint32_t old_pos = (uint32_t)c->src_pos;

    if (old_pos > c->pair_high) {
        return false;
    }
    for (unsigned i = 0; i < KERF_PAIRS; i++) {
        if (c->pairs[i].old_pos == old_pos) {
            ref->kind = KERF_REF_LOW;
            ref->form = (uint8_t)(c->pair_form[i] & ~PAIR_SHORT);
            ref->len = (c->pair_form[i] & PAIR_SHORT) != 0 ? 2 : 4;
            ref->low_count = 0;
            ref->scale = 0;
            ref->target = c->pairs[i].value;
            return true;
        }
    }
    return false;
}

/* A word of 8 bytes, or else one of 4, that points somewhere and would not come to lie unaligned (`anywhere`: or would). */
static bool word_find(const struct kerf_run *run, const struct kerf_isa_view *view, bool anywhere, struct kerf_ref *ref)
{
    for (unsigned len = (view->kinds >> KERF_REF_WORD8 & 1) != 0 ? 8 : 4; len >= 4; len -= 4) {
        if ((view->pc & (len - 1)) == 0 && kerf_word_read(view, len, ref) &&
            kerf_run_addr(run, ref->target) == ref->target) {
            if (!in_image(run, ref->target)) {
                ref->kind = len == 4 && in_ranges(run, ref->target) ? KERF_REF_RAM : KERF_REF_NONE;
            }
            if ((view->kinds >> ref->kind & 1) != 0 && ref->kind != KERF_REF_NONE &&
                (anywhere || (kerf_run_new_addr(run, run->c->new_pos) & (len - 1)) == 0)) {
                return true;
            }
        }
    }
    return false;
}

#if KERF_ENCODER
/*
 * The generator codes the same old bytes again and again, and most begin no reference: half a byte of run->nothing, by
 * whether the sweep expects an instruction there, says so. 0: not known; 1 + n: none, and the sweep goes on n bytes ahead.
 */
static bool recall_nothing(const struct kerf_run *run, unsigned *step)
{
    struct kerf_codec *c = run->c;
    bool boundary = c->src_pos >= c->insn_end;
    unsigned known = run->nothing == NULL || (!boundary && c->record != 0)
                         ? 0 /* inside a type record it depends on the record */
                         : (unsigned)run->nothing[c->src_pos] >> (boundary ? 4 : 0) & 15u;

    *step = known - 1;
    c->record = known != 0 ? 0 : c->record;
    return known != 0;
}

static void remember_nothing(const struct kerf_run *run, bool boundary, unsigned step)
{
    if (run->nothing != NULL && step < 15) {
        run->nothing[run->c->src_pos] |= (uint8_t)((1 + step) << (boundary ? 4 : 0));
    }
}

size_t kerf_encode_quiet(struct kerf_encoder *e)
{
    struct kerf_run *run = &e->run;
    struct kerf_codec *c = run->c;
    unsigned most = c->left > c->quiet_left ? c->quiet_left : c->left > 0 ? (unsigned)c->left - 1 : 0;
    unsigned n = 0;

    if (run->nothing == NULL || c->from_new || c->raw_left > 0) {
        return 0;
    }
    for (; n < most; n++) {
        unsigned step = 0;

        if (c->region_count > 0 && ((uint32_t)c->src_pos <= c->pair_high || !recall_nothing(run, &step))) {
            break;
        }
        if (step != 0 && c->src_pos >= c->insn_end) {
            c->insn_end = c->src_pos + step;
        }
        c->new_tail = c->new_tail << 8 | run->new_image[c->new_pos++];
        c->src_pos++;
    }
    if (n > 0) {
        c->old_prev = run->old_image[c->src_pos - 1];
        c->quiet_left = (uint8_t)(c->quiet_left - n);
        c->left -= n;
        c->gap = (uint16_t)(c->gap + n < 0xffffu ? c->gap + n : 0xffffu);
    }
    return n;
}
#endif

kerf_err kerf_ref_find(struct kerf_run *run, struct kerf_ref *ref, const struct kerf_region **region)
{
    struct kerf_codec *c = run->c;
    const struct kerf_region *r = NULL;
    struct kerf_isa_view view;
    bool found;

    ref->kind = KERF_REF_NONE;
#if KERF_ENCODER
    unsigned known_step;

    if (recall_nothing(run, &known_step) && !pair_find(run, ref)) {
        if (known_step != 0 && c->src_pos >= c->insn_end) {
            c->insn_end = c->src_pos + known_step;
        }
        return KERF_OK;
    }
#endif
    for (unsigned i = 0; i < c->region_count; i++) {
        if (c->src_pos - run->regions[i].old_pos < run->regions[i].old_len) {
            r = &run->regions[i];
        }
    }
    if (r == NULL || r->kinds == 0) {
        return KERF_OK;
    }
    kerf_err err = kerf_run_view(run, &view.p);

    if (err != KERF_OK) {
        return err;
    }
    *region = r;
    view.pc = kerf_run_addr(run, r->old_addr + (c->src_pos - r->old_pos));
    view.kinds = r->kinds;
    view.boundary = c->src_pos >= c->insn_end;

    unsigned step = 0;

    view.record = c->record;
    view.rest = (uint32_t)(c->insn_end - c->src_pos);
    ref->record = 0;
    found = pair_find(run, ref);
#if KERF_ISA_HAS_BTF
    if (!found && (r->kinds >> KERF_REF_RECORDS & 1) != 0) {
        memset(ref, 0, sizeof *ref);
        step = kerf_btf_scan(&view, ref);
        found = ref->kind != KERF_REF_NONE;
    }
#endif
    c->record = ref->record;
    found = found || (c->record == 0 && word_find(run, &view, false, ref));
    if (!found && c->record == 0) {
        step = kerf_isa_scan(r->isa, &view, ref);
        if (ref->kind != KERF_REF_NONE) {
            ref->target = kerf_run_addr(run, ref->target);
            found = ref->anywhere || in_image(run, ref->target);
        }
#if KERF_ENCODER
        struct kerf_ref word; /* one that does not lie well here may do so elsewhere */

        if (!found && !word_find(run, &view, true, &word)) {
            remember_nothing(run, view.boundary, step);
        }
#endif
    }
    /* Nor does a reference reach over the end of a sector. */
    if (found && ref->len <= c->left && (!kerf_run_in_place(c) || ref->len - 1u <= (kerf_run_sector_rest(c) - 1))) {
        step = c->record == 0 ? ref->len : view.boundary ? step : 0;
    } else {
        ref->kind = KERF_REF_NONE;
        step = view.boundary ? step : 0;
    }
    if (step != 0) {
        c->insn_end = c->src_pos + step;
    }
    return KERF_OK;
}

/* The group of a kind, where a flag class tells fewer apart: code, words, RAM, the rest. */
static unsigned kind_group(const struct kerf_run *run, unsigned kind)
{
    static const uint8_t groups[KERF_REF_KINDS] = {0, 1, 2, 0, 0, 3, 3, 3, 0, 0, 0, 1};

    return run->sizes->kinds < KERF_REF_KINDS ? groups[kind] : kind;
}

/* "Is the prediction wrong?" */
static unsigned code_wrong(struct kerf_run *run, unsigned kind, const struct prediction *pr, bool unchanged, bool wrong)
{
    struct kerf_codec *c = run->c;
    unsigned h = c->ref_history;
    unsigned g = kind_group(run, kind);
    unsigned bits0 = c->flag_class & 2u; /* of the history, in each context */
    unsigned bits1 = c->flag_class + 2u;
    unsigned bits2 = c->flag_class + bits0 / 2;
    bool tiny = c->flag_class == 0;
    unsigned i[KERF_REF_TABLES] = {
        ((tiny ? g : g * 4 + pr->confidence) * 3 + pr->source) << bits0 | (h & ((1u << bits0) - 1)),
        g << bits1 | (h & ((1u << bits1) - 1)),
        ((g * 2 + unchanged) * 3 + (tiny ? (pr->confidence + 1) / 2 : pr->source)) << bits2 | (h & ((1u << bits2) - 1)),
    };
    uint16_t *counters[KERF_REF_TABLES];

    uint16_t *table = run->numbers + run->sizes->ref_at;

    for (unsigned t = 0; t < KERF_REF_TABLES; t++) {
        counters[t] = table + i[t];
        table += run->sizes->ref[t];
    }
    unsigned bit = kerf_model_mix(run->k, counters, KERF_REF_TABLES, run->weights, KERF_ADAPT_60, wrong);

    c->ref_history = (uint8_t)(h << 1 | bit);
    if (pr->history != NULL) {
        *pr->history = (uint8_t)((unsigned)*pr->history << 1 | bit);
    }
    return bit;
}

static enum kerf_number fix_number(unsigned kind, bool ram)
{
    if (ram) {
        return KERF_NUM_FIX_RAM;
    }
    switch (kind) {
    case KERF_REF_CALL:
        return KERF_NUM_FIX_CALL;
    case KERF_REF_WORD:
    case KERF_REF_WORD8:
        return KERF_NUM_FIX_WORD;
    default:
        return KERF_NUM_FIX_OTHER;
    }
}

/* How a reference was corrected. */
enum fix {
    FIX_UNCHANGED,
    FIX_PLAIN,
    FIX_TARGET
};

struct correction {
    enum fix fix;
    kerf_shift error; /* FIX_TARGET: the target is the predicted one + error */
};

/*
 * Corrects a wrong prediction: the old bytes unchanged; or the error of this kind's previous correction again; or a signed
 * distance; or nothing of this kind (plain). `unchanged`: the prediction was the old bytes, so that can't be it.
 */
static kerf_err code_fix(struct kerf_run *run, const struct kerf_ref *ref, bool unchanged, bool ram,
                         struct correction *fix)
{
    uint16_t *how = run->symbols + KERF_SYM_HOW + 4 * (size_t)kind_group(run, ref->kind);
    int32_t *last = &run->c->last_fix[ref->kind];

    if (!unchanged && kerf_model_bit(run->k, &how[0], fix->fix == FIX_UNCHANGED)) {
        fix->fix = FIX_UNCHANGED;
        return KERF_OK;
    }
    if (*last != 0 && kerf_model_bit(run->k, &how[1], fix->fix == FIX_TARGET && fix->error == *last)) {
        fix->fix = FIX_TARGET;
        fix->error = *last;
        return KERF_OK;
    }
    if (!kerf_model_bit(run->k, &how[2], fix->fix == FIX_TARGET)) {
        fix->fix = FIX_PLAIN;
        return KERF_OK;
    }
    fix->fix = FIX_TARGET;

    kerf_err err = kerf_run_signed(run, fix_number(ref->kind, ram), &how[3], ref->scale, &fix->error);

    *last = fix->error == (int32_t)fix->error ? (int32_t)fix->error : 0;
    return err;
}

#if KERF_ENCODER
/* What the encoder has to say of this reference: *wrong, and how to correct it. */
static void find_fix(const struct kerf_run *run, const struct kerf_ref *ref, const struct kerf_region *region,
                     const uint8_t *view, kerf_addr pc, const uint8_t *predicted, kerf_addr predicted_target,
                     bool *wrong, struct correction *fix)
{
    const uint8_t *p = run->new_image + run->c->new_pos;
    uint8_t again[8];
    kerf_addr target = 0;
    bool same = ref->kind != KERF_REF_LOW && kerf_isa_get(region->isa, ref, p, pc, &target);

    if (same) {
        /* The same instruction but for its target? */
        target = kerf_run_addr(run, target);
        memcpy(again, view, ref->len);
        kerf_isa_put(region->isa, ref->form, again, pc, target);
        same = memcmp(again, p, ref->len) == 0;
    }
    *wrong = memcmp(predicted, p, ref->len) != 0 ||
             (ref->kind == KERF_REF_PAIR && !(same && target == predicted_target));
    fix->fix = FIX_PLAIN;
    fix->error = 0;
    if (memcmp(p, view, ref->len) == 0 && memcmp(p, predicted, ref->len) != 0 &&
        !(same && ref->kind == KERF_REF_PAIR)) {
        fix->fix = FIX_UNCHANGED;
    } else if (same) {
        fix->fix = FIX_TARGET;
        fix->error = kerf_run_shift(run, target - predicted_target);
        if ((fix->error & ((1 << ref->scale) - 1)) != 0) {
            fix->fix = FIX_PLAIN;
        }
    }
}
#endif

static bool learns(unsigned kind)
{
    return kind != KERF_REF_LOW && kind != KERF_REF_BRANCH && kind != KERF_REF_BRANCH2 && kind != KERF_REF_LITERAL;
}

kerf_err kerf_ref_code(struct kerf_run *run, const struct kerf_ref *ref, const struct kerf_region *region, uint8_t *out,
                       bool *right, bool *plain)
{
    const uint8_t *view;
    struct correction fix = {FIX_PLAIN, 0};
    struct prediction pr = {ref->target, 3, 0, 0, NULL};
    kerf_addr pc = kerf_run_new_addr(run, run->c->new_pos);
    bool ram = ref->kind != KERF_REF_LOW && !in_image(run, ref->target);
    bool wrong = false;
    kerf_err err = kerf_run_view(run, &view);

    if (err != KERF_OK) {
        return err;
    }
    if (ref->kind != KERF_REF_LOW) {
        predict(run, region, ref->kind, ref->target, ram, pc, &pr);
    }
    memcpy(out, view, ref->len);
    kerf_isa_put(region->isa, ref->form, out, pc, pr.target);
    if (ref->kind != KERF_REF_LOW && ref->kind != KERF_REF_PAIR) {
        /* What the encoding can hold of the prediction. */
        pr.target = kerf_run_addr(run, kerf_isa_target(region->isa, ref->form, out, pc));
    }
    bool unchanged = memcmp(out, view, ref->len) == 0;

#if KERF_ENCODER
    if (run->new_image != NULL) {
        find_fix(run, ref, region, view, pc, out, pr.target, &wrong, &fix);
    }
#endif
    wrong = code_wrong(run, ref->kind, &pr, unchanged, wrong) != 0;
    *right = !wrong;
    *plain = false;
    kerf_addr target = pr.target;
    bool target_known = !wrong;

    if (wrong && ref->kind == KERF_REF_LOW) {
        *plain = true;
    } else if (wrong) {
        err = code_fix(run, ref, unchanged, ram, &fix);
        *plain = fix.fix == FIX_PLAIN;
        memcpy(out, view, ref->len);
        if (fix.fix == FIX_TARGET) {
            target = kerf_run_addr(run, target + (kerf_addr)fix.error);
            kerf_isa_put(region->isa, ref->form, out, pc, target);
            target_known = true;
        } else if (fix.fix == FIX_UNCHANGED && ref->kind != KERF_REF_PAIR) {
            target = kerf_run_addr(run, kerf_isa_target(region->isa, ref->form, out, pc));
            target_known = true;
        }
    }
    if (target_known && learns(ref->kind)) {
        /* What the map or a neighbour knows of code need not be kept. */
        if (ram || wrong || pr.source == 2) {
            learned_put(run, &pr, ref->target & ~(kerf_addr)1, kerf_run_shift(run, target - ref->target));
        }
    }
    pair_expect(run, ref, pc, target);
    return err;
}
