/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References: found in old, predicted through the address map and what was learned, corrected (docs/FORMAT.md,
 * "References"). What pays, and how much, is in docs/DESIGN.md.
 */
#include <string.h>

#include "common/encode.h"
#include "common/run.h"

#define WORD_REACH 31 /* bytes; wider reaches lost 1-2 %, narrower ones 1 % of a release's delta */

/* Where a prediction comes from. */
enum source {
    SOURCE_NONE,
    SOURCE_MAP,   /* of the map, */
    SOURCE_NEAR,  /* of a learned target nearby, */
    SOURCE_EXACT, /* of this very target, that was learned; */
    SOURCE_LOCAL, /* inside the segment */
};

struct prediction {
    kerf_addr target;
    uint_fast8_t source; /* enum source */
    uint8_t *entry;      /* SOURCE_EXACT: of this target among the learned ones */
};

static bool in_image(const struct kerf_run *run, kerf_addr addr)
{
    if (KERF_ENCODER && run->h->region_count == 1) { /* sooner */
        return kerf_run_addr(run, addr - kerf_run_regions(run)->old_addr) < kerf_run_regions(run)->old_len;
    }
    return kerf_run_region(run, KERF_OLD_ADDR, addr) != NULL;
}

static bool in_ranges(const struct kerf_run *run, kerf_addr addr)
{
    const struct kerf_range *r = kerf_run_ranges(run);

    for (unsigned left = run->h->range_count; left > 0; left--, r++) {
        if (kerf_run_addr(run, addr - r->start) < r->len) {
            return true;
        }
    }
    return false;
}

/*
 * The entry with the highest key up to `key`, the last one of several; NULL: none. `moved`, 1: the key of an entry is
 * its own plus its shift; else 0.
 */
KERF_AS_WRITTEN __attribute__((noinline)) static uint8_t *nearest(const struct kerf_run *run, uint8_t *table,
                                                                  unsigned len, kerf_addr key, unsigned moved)
{
    kerf_addr best = key;
    size_t bytes = kerf_run_pair_bytes(run);
    uint8_t *end = table + len * bytes;
    uint8_t *found = NULL;

    for (uint8_t *at = table; at != end; at += bytes) {
        kerf_addr start;
        kerf_shift shift;

        kerf_run_pair_get(run, at, 0, &start, &shift);
        kerf_addr distance = kerf_run_addr(run, key - start - (kerf_addr)shift * moved);

        if (distance <= best) {
            best = distance;
            found = at;
        }
    }
    return found;
}

/* Of the learned targets the highest up to `key`. */
static uint8_t *nearest_learned(const struct kerf_run *run, kerf_addr key)
{
#if KERF_ENCODER
    if (run->order != NULL) {
        unsigned rank = kerf_ref_learned_rank(run, KERF_STATE(run)->learned_len, key, UINT16_MAX);

        return rank == 0 ? NULL : run->t.learned + run->order[rank - 1] * kerf_run_pair_bytes(run);
    }
#endif
    return nearest(run, run->t.learned, KERF_STATE(run)->learned_len, key, 0);
}

/* The shift that the map has for an old address. */
static kerf_shift map_shift(const struct kerf_run *run, kerf_addr addr)
{
#if KERF_ENCODER
    /* The same by halves: maps of a generator are long. */
    unsigned low = 0;
    unsigned high = KERF_STATE(run)->map_len;
    kerf_addr start;
    kerf_shift shift = 0;

    while (low < high) {
        unsigned mid = (low + high) / 2;

        kerf_run_pair_get(run, run->t.map, mid, &start, &shift);
        if (start <= addr) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    shift = 0;
    if (low > 0) {
        kerf_run_pair_get(run, run->t.map, low - 1, &start, &shift);
    }
    return shift;
#else
    for (unsigned i = KERF_STATE(run)->map_len; i-- > 0;) {
        kerf_addr start;
        kerf_shift shift;

        kerf_run_pair_get(run, run->t.map, i, &start, &shift);
        if (start <= addr) {
            return shift;
        }
    }
    return 0;
#endif
}

kerf_shift kerf_ref_map_distance(const struct kerf_run *run, kerf_pos new_pos)
{
    kerf_addr addr = kerf_run_new_addr(run, new_pos);
    const uint8_t *entry = nearest(run, run->t.map, KERF_STATE(run)->map_len, addr, 1);

    if (entry != NULL) {
        kerf_addr start;
        kerf_shift shift;

        kerf_run_pair_get(run, entry, 0, &start, &shift);
        addr -= (kerf_addr)shift;
    }

    const struct kerf_region *r = kerf_run_region(run, KERF_OLD_ADDR, addr);

    if (r != NULL) {
        addr -= kerf_region_old_bias(r);
    }
    return kerf_run_shift(run, addr - new_pos);
}

static void predict(const struct kerf_run *run, const struct kerf_region *region, const struct kerf_ref *ref, bool ram,
                    kerf_addr pc, struct prediction *pr)
{
    const struct kerf_codec *c = KERF_STATE(run);
    kerf_addr target = ref->target;
    kerf_shift shift = 0;
    kerf_pos at = kerf_run_addr(run, target - kerf_region_old_bias(region));

    /* A target inside the segment itself moves as the segment does. */
    if (at - c->seg_start < c->old_end - c->seg_start) {
        pr->source = SOURCE_LOCAL;
        shift = kerf_run_shift(run, pc - kerf_region_old_bias(region) - c->src_pos);
    } else {
        /* Strings and tables move together: what a word points to moves with what lies right beside it. */
        bool word = ref->kind == KERF_REF_WORD || (KERF_ISA_HAS_WORDS && ref->kind == KERF_REF_WORD8);
        kerf_addr reach = ram ? KERF_POS_MAX - 1 : word ? WORD_REACH : 0;
        kerf_addr distance = target & ~(kerf_addr)1;
        uint8_t *entry = nearest_learned(run, distance);

        /* Where there is none it is one of key and shift 0, as it were, in slot 0. */
        pr->entry = run->t.learned;
        if (entry != NULL) {
            kerf_addr key;

            pr->entry = entry;
            kerf_run_pair_get(run, entry, 0, &key, &shift);
            distance -= key;
        }
        /* Keys are even, so that of RAM nothing is out of reach. */
        pr->source = distance == 0 ? SOURCE_EXACT : SOURCE_NEAR;
        if (distance > reach) {
            pr->source = SOURCE_MAP;
            shift = map_shift(run, target);
        }
    }
    pr->target = kerf_run_addr(run, target + (kerf_addr)shift);
}

/* A Thumb function and the pointer to it differ in bit 0, which keys have not. */
static void learn(struct kerf_run *run, const struct prediction *pr, kerf_addr key, kerf_shift shift)
{
    struct kerf_codec *c = KERF_STATE(run);
    uint8_t *entry = pr->entry;
#if KERF_ENCODER
    unsigned len = c->learned_len;
#endif

    if (pr->source != SOURCE_EXACT) {
        unsigned slot = c->learned_next;

        if (slot == run->h->model.learned_cap) {
            slot = 0;
        }
        c->learned_next = (uint16_t)(slot + 1);
        if (c->learned_len < c->learned_next) {
            c->learned_len = c->learned_next;
        }
        entry = run->t.learned + slot * kerf_run_pair_bytes(run);
    }
#if KERF_ENCODER
    unsigned slot = (unsigned)((size_t)(entry - run->t.learned) / kerf_run_pair_bytes(run));

    /* Of an exact one the key is as before, but where 0 was taken for learned: that is slot 0, of whatever key. */
    if (run->order != NULL && (pr->source != SOURCE_EXACT || slot < len)) {
        kerf_ref_learned_move(run, slot, slot < len, key & ~(kerf_addr)1);
    }
#endif
    kerf_run_pair_set(run, entry, 0, key & ~(kerf_addr)1, shift);
}

#if KERF_PAIRS_IN_BUILD
/* Pairs carry their form, and in the top bit that they are two bytes long, not four. */
#define PAIR_SHORT 0x80u

static void pair_expect(struct kerf_run *run, const struct kerf_ref *ref, kerf_addr pc, kerf_addr target)
{
    struct kerf_codec *c = KERF_STATE(run);

    for (unsigned i = 0; i < ref->low_count; i++) {
        struct kerf_pair *p = &c->pairs[c->pair_next];

        p->old_pos = (uint32_t)(c->src_pos + ref->low_at[i]);
        p->value = (uint32_t)(target - (ref->low_relative ? pc : 0)) + (uint32_t)(int32_t)ref->low_delta[i];
        c->pair_isa[c->pair_next] = (uint8_t)ref->isa;
        c->pair_form[c->pair_next] = (uint8_t)(ref->low_form[i] | (ref->len == 2 ? PAIR_SHORT : 0));
        if (p->old_pos > c->pair_high) {
            c->pair_high = p->old_pos;
        }
        c->pair_next = (uint8_t)((c->pair_next + 1) % KERF_PAIRS);
    }
}

/* The second half expected at src_pos, if any. */
static bool pair_find(const struct kerf_run *run, struct kerf_ref *ref)
{
    const struct kerf_codec *c = KERF_STATE(run);
    uint32_t old_pos = (uint32_t)c->src_pos;

    if (old_pos > c->pair_high) {
        return false;
    }
    for (unsigned i = 0; i < KERF_PAIRS; i++) {
        if (c->pairs[i].old_pos == old_pos) {
            ref->kind = KERF_REF_LOW;
            ref->isa = c->pair_isa[i];
            ref->form = (uint8_t)(c->pair_form[i] & ~PAIR_SHORT);
            ref->len = (c->pair_form[i] & PAIR_SHORT) != 0 ? 2 : 4;
            ref->target = c->pairs[i].value;
            return true;
        }
    }
    return false;
}

#else
static void pair_expect(struct kerf_run *run, const struct kerf_ref *ref, kerf_addr pc, kerf_addr target)
{
    (void)run;
    (void)ref;
    (void)pc;
    (void)target;
}

static bool pair_find(const struct kerf_run *run, struct kerf_ref *ref)
{
    (void)run;
    (void)ref;
    return false;
}
#endif

#if KERF_ENCODER
void kerf_ref_expect(struct kerf_run *run, const struct kerf_ref *ref)
{
    pair_expect(run, ref, 0, 0);
}
#endif

/* A word that points somewhere and would not come to lie unaligned (`anywhere`: or would). */
static bool word_find(const struct kerf_run *run, const struct kerf_isa_view *view, bool anywhere, struct kerf_ref *ref)
{
    /* Of 8 bytes or of 4; that it is a multiple of 4 comes first, so that few are read. */
    if ((view->pc & 3) != 0) {
        return false;
    }
    kerf_addr at = view->pc | (anywhere ? 0 : kerf_run_new_addr(run, KERF_STATE(run)->new_pos));

    if ((at & 3) != 0 || !kerf_word_read(view, ref) || (KERF_ISA_HAS_WORDS && (at & (ref->len - 1u)) != 0) ||
        kerf_run_addr(run, ref->target) != ref->target) {
        return false;
    }
    if (!in_image(run, ref->target)) {
        ref->kind = in_ranges(run, ref->target) ? KERF_REF_RAM : KERF_REF_NONE;
    }
    return ((view->kinds & ~(1u << KERF_REF_NONE)) >> ref->kind & 1) != 0;
}

#if KERF_ISA_HAS_ELF
static bool has_files(const struct kerf_region *r)
{
    return (r->kinds >> KERF_REF_FILES & 1) != 0;
}

/* The same in ELF files, whose words count from their header. */
static bool file_word_find(const struct kerf_run *run, const struct kerf_isa_view *view, bool anywhere,
                           struct kerf_ref *ref)
{
    const struct kerf_elf *elf = &KERF_STATE(run)->elf;
    kerf_addr new_pc = kerf_run_new_addr(run, KERF_STATE(run)->new_pos);

    ref->len = 0;
    if ((view->pc & 3) != 0 || (view->kinds >> KERF_REF_WORD8 & 1) == 0) {
        return false;
    }
    bool lies = kerf_elf_word(view, elf, ref) && (((uint32_t)new_pc - elf->file[1]) & 7) == 0;

    if (anywhere ? ref->len == 0 : !lies) {
        ref->kind = KERF_REF_NONE;
        return false;
    }
    ref->target = kerf_run_addr(run, ref->target);
    return true;
}
#endif

#if KERF_ISA_HAS_BTF || KERF_ISA_HAS_ELF
/* Does a record lie here, on which the sweep goes on by *step? *entry: that of a table, which is in *ref. */
static bool find_record(struct kerf_run *run, const struct kerf_region *r, const struct kerf_isa_view *view,
                        struct kerf_ref *ref, unsigned *step, bool *entry)
{
    struct kerf_codec *c = KERF_STATE(run);
    unsigned len = 0;

    ref->record = 0;
#if KERF_ISA_HAS_BTF
    if ((r->kinds >> KERF_REF_RECORDS & 1) != 0 && (view->boundary || view->record < KERF_ELF_FRAME)) {
        len = kerf_btf_scan(view, ref);
    }
#endif
#if KERF_ISA_HAS_ELF
    if (len == 0 && has_files(r)) {
        len = kerf_elf_scan(view, kerf_run_new_addr(run, c->new_pos), &c->elf, ref);
        ref->target = kerf_run_addr(run, ref->target);
    }
#endif
    c->record = ref->record;
    *step = c->record != 0 ? len : 0;
    *entry = c->record == 0 && len != 0;
    return c->record != 0;
}
#endif

static bool find_word(const struct kerf_run *run, const struct kerf_region *r, const struct kerf_isa_view *view,
                      bool anywhere, struct kerf_ref *ref)
{
#if KERF_ISA_HAS_ELF
    if (has_files(r)) {
        return file_word_find(run, view, anywhere, ref);
    }
#endif
    (void)r;
    return word_find(run, view, anywhere, ref);
}

#if KERF_ENCODER
/*
 * The generator codes the same old bytes again and again, and most begin no reference: half a byte of run->nothing, by
 * whether the sweep expects an instruction there, says so. 0: not known; 1 + n: none, and the sweep goes on n bytes
 * ahead.
 */
static bool recall_nothing(const struct kerf_run *run, unsigned *step)
{
    struct kerf_codec *c = KERF_STATE(run);
    bool boundary = c->src_pos >= c->insn_end;
    unsigned known = run->nothing == NULL || (!boundary && c->record != 0)
                         ? 0 /* inside a type record it depends on the record */
                         : (unsigned)run->nothing[c->src_pos] >> (boundary ? 4 : 0) & 15u;

    known = known == KERF_NOTHING_PINNED ? 0 : known;
    *step = known - 1;
    c->record = known != 0 ? 0 : c->record;
    return known != 0;
}

static void remember_nothing(const struct kerf_run *run, bool boundary, unsigned step)
{
    if (run->nothing != NULL && step < KERF_NOTHING_PINNED - 1 && run->nothing[KERF_STATE(run)->src_pos] != 0xff) {
        run->nothing[KERF_STATE(run)->src_pos] |= (uint8_t)((1 + step) << (boundary ? 4 : 0));
    }
}

/* Neither an instruction nor a word begins here: the same as kerf_ref_find() finds, sooner. */
static bool is_between(struct kerf_run *run, const struct kerf_region *r, struct kerf_ref *ref)
{
    struct kerf_codec *c = KERF_STATE(run);
    kerf_addr at = kerf_region_old_bias(r) + c->src_pos;
    bool starts = c->src_pos >= c->insn_end;

    if ((at & run->align) == 0 || pair_find(run, ref)) {
        return false;
    }
    remember_nothing(run, starts, 1);
    c->insn_end = starts ? c->src_pos + 1 : c->insn_end;
    c->record = starts ? 0 : c->record;
    return true;
}
#endif

/* What not everything that finds a reference sets. */
static void clear(struct kerf_ref *ref)
{
    ref->kind = KERF_REF_NONE;
    ref->scale = 0;
    ref->low_count = 0;
    ref->anywhere = false;
}

#if KERF_ENCODER
/*
 * Is it known to the generator which reference begins here? The same as kerf_ref_find() finds, sooner. Second halves
 * are told by their first ones, what is in records by those.
 */
static bool recall_found(struct kerf_run *run, const struct kerf_region *r, struct kerf_ref *ref)
{
    struct kerf_codec *c = KERF_STATE(run);
    unsigned region;

    if (run->found == NULL || c->src_pos < c->insn_end || (uint32_t)c->src_pos <= c->pair_high ||
        (r->kinds & KERF_REFS_OF_PLACES) != 0 || (run->h->flags & KERF_FLAG_WIDE) != 0 ||
        !run->found(run->found_ctx, c->src_pos, &region, ref)) {
        return false;
    }
    bool word = ref->form >= KERF_FORM_WORDS;

    if (ref->kind == KERF_REF_PAIR || ref->kind == KERF_REF_LOW || ref->len > c->left ||
        r != kerf_run_regions(run) + region || (word && (kerf_run_new_addr(run, c->new_pos) & (ref->len - 1u)) != 0)) {
        ref->kind = KERF_REF_NONE;
        return false;
    }
    ref->isa = r->isa;
    ref->scale = word ? 0 : (uint8_t)kerf_isa_scale(r->isa, ref->form);
    c->insn_end = c->src_pos + ref->len;
    c->record = 0;
    return true;
}
#endif

/* An instruction that points nowhere is no reference. */
static void check_target(const struct kerf_run *run, struct kerf_ref *ref)
{
    ref->target = kerf_run_addr(run, ref->target);
    if (!ref->anywhere && !in_image(run, ref->target)) {
        ref->kind = KERF_REF_NONE;
    }
}

const struct kerf_region *kerf_ref_find(struct kerf_run *run, struct kerf_ref *ref)
{
    struct kerf_codec *c = KERF_STATE(run);

    clear(ref);
#if KERF_ENCODER
    unsigned known_step;

    if (recall_nothing(run, &known_step) && !pair_find(run, ref)) {
        if (known_step != 0 && c->src_pos >= c->insn_end) {
            c->insn_end = c->src_pos + known_step;
        }
        return NULL;
    }
    const struct kerf_region *r = kerf_run_source_region(run);
#else
    const struct kerf_region *r = kerf_run_region(run, KERF_OLD_POS, c->src_pos);
#endif

    if (r == NULL || r->kinds == 0) {
        return r;
    }
#if KERF_ENCODER
    if (is_between(run, r, ref) || recall_found(run, r, ref)) {
        return r;
    }
#endif
    struct kerf_isa_view view;

    ref->isa = r->isa;
    view.p = run->view;
    view.pc = kerf_run_addr(run, kerf_region_old_bias(r) + c->src_pos);
    view.kinds = r->kinds;
    view.boundary = c->src_pos >= c->insn_end;
#if KERF_ISA_HAS_BTF || KERF_ISA_HAS_ELF
    view.record = c->record;
    view.rest = (uint32_t)(c->insn_end - c->src_pos);
#endif
    unsigned step = 0;

    bool pair = pair_find(run, ref);
    bool record = false;
    bool entry = false;

#if KERF_ISA_HAS_BTF || KERF_ISA_HAS_ELF
    c->record = 0;
    record = !pair && find_record(run, r, &view, ref, &step, &entry);
#endif
    if (!pair && !record && !entry && !find_word(run, r, &view, false, ref)) {
        step = kerf_isa_scan(r->isa, &view, ref);
        if (ref->kind != KERF_REF_NONE) {
            check_target(run, ref);
        }
#if KERF_ENCODER
        struct kerf_ref word; /* one that does not lie well here may do so elsewhere */

        if (run->nothing != NULL && ref->kind == KERF_REF_NONE && !find_word(run, r, &view, true, &word)) {
            remember_nothing(run, view.boundary, step);
        }
#endif
    }
    /* Nor does a reference reach over the end of a sector. */
    if (ref->kind != KERF_REF_NONE && ref->len <= c->left &&
        (!kerf_run_in_place(run) || ref->len - 1u <= (kerf_run_sector_rest(run) - 1))) {
        step = !record ? ref->len : view.boundary ? step : 0;
    } else {
        ref->kind = KERF_REF_NONE;
        step = view.boundary ? step : 0;
    }
    if (step != 0) {
        c->insn_end = c->src_pos + step;
    }
    return r;
}

/* "Is the prediction wrong?" */
static unsigned code_wrong(struct kerf_run *run, unsigned kind, unsigned source, unsigned unchanged, bool wrong)
{
    struct kerf_codec *c = KERF_STATE(run);
    unsigned h = c->ref_history;
    const unsigned contexts[KERF_REF_TABLES] = {
        kind | source << 4 | h << 7,
        kind | h << 4,
        unchanged | source << 1 | kind << 4 | h << 8,
    };
    unsigned bit = kerf_run_flag(run, contexts, KERF_REF_TABLES, wrong);

    c->ref_history = (uint8_t)(h << 1 | bit);
    return bit;
}

/* How a wrong prediction is corrected: a number. */
enum fix {
    FIX_PLAIN,     /* no more is said of this reference: plain bytes follow */
    FIX_UNCHANGED, /* it is as it was in old */
    FIX_ERROR,     /* less one: by how much the target is wrong, signed and not 0, in units of the form's scale */
};

#if KERF_ENCODER
/* What the encoder has to say of this reference: *wrong, and how it is corrected (kerf_ref_code()). */
static kerf_pos find_fix(const struct kerf_run *run, const struct kerf_ref *ref, const struct kerf_region *region,
                         const uint8_t *view, kerf_addr pc, const uint8_t *predicted, kerf_addr predicted_target,
                         bool *wrong)
{
    const uint8_t *p = run->new_image + KERF_STATE(run)->new_pos;
    bool right = memcmp(predicted, p, ref->len) == 0;
    uint8_t again[8];

    if (right && ref->kind != KERF_REF_PAIR) { /* as nearly always: there is nothing to correct */
        *wrong = false;
        return FIX_PLAIN;
    }
    kerf_addr target = 0;
    bool same = ref->kind != KERF_REF_LOW && kerf_isa_get(region->isa, ref, p, pc, &target);

    if (same) {
        /* The same instruction but for its target? */
        target = kerf_run_addr(run, target);
        memcpy(again, view, ref->len);
        kerf_isa_put(region->isa, ref->form, again, pc, target);
        same = memcmp(again, p, ref->len) == 0;
    }
    *wrong = !right || (ref->kind == KERF_REF_PAIR && !(same && target == predicted_target));
    kerf_pos error = target - predicted_target;

    if (memcmp(p, view, ref->len) == 0 && !right && !(same && ref->kind == KERF_REF_PAIR)) {
        return FIX_UNCHANGED;
    }
    if (!same || error == 0 || (error & ((1u << ref->scale) - 1)) != 0) {
        return FIX_PLAIN;
    }
    return kerf_run_fold(kerf_run_shift(run, error) >> ref->scale) + FIX_ERROR - 1;
}
#endif

bool kerf_ref_code(struct kerf_run *run, const struct kerf_ref *ref, const struct kerf_region *region, uint8_t *out)
{
    const uint8_t *view = run->view;
    struct prediction pr = {ref->target, SOURCE_NONE, NULL};
    kerf_addr new_pc = kerf_run_new_addr(run, KERF_STATE(run)->new_pos);
    kerf_addr pc = new_pc; /* what the reference counts from */
    unsigned form = (unsigned)(KERF_PAIRS_IN_BUILD ? ref->isa : region->isa) << 8 | ref->form;
    bool ram = !in_image(run, ref->target);
    bool low = KERF_PAIRS_IN_BUILD && ref->kind == KERF_REF_LOW;
    bool known = !low; /* pr.target is to become the new target */
    bool wrong = false;
    kerf_pos fix = FIX_PLAIN;

#if KERF_ISA_HAS_ELF
    if (ref->form >= KERF_FORM_ELF && ref->form < KERF_FORM_BTF) {
        pc = kerf_elf_base(ref->form, new_pc, &KERF_STATE(run)->elf);
    }
#endif
    if (!low) {
        predict(run, region, ref, ram, new_pc, &pr);
    }
    memcpy(out, view, ref->len);
    bool unchanged = false;

#if KERF_ENCODER
    kerf_addr old_pc = kerf_region_old_bias(region) + KERF_STATE(run)->src_pos;

    unchanged = !low && kerf_isa_stays(form, ref, old_pc, pc, pr.target); /* as mostly */
#endif
    if (!unchanged) {
        (void)kerf_isa_code(form, out, pc, &pr.target);
        unchanged = memcmp(out, view, ref->len) == 0;
    }
#if KERF_ENCODER
    if (run->new_image != NULL) {
        fix = find_fix(run, ref, region, view, pc, out, pr.target, &wrong);
    }
#endif
    wrong = code_wrong(run, ref->kind, pr.source, unchanged, wrong) != 0;
    kerf_run_note(run, wrong ? KERF_STEP_REF_WRONG : KERF_STEP_REF);
    if (wrong) {
        if (low) {
            return false;
        }
        fix = kerf_run_number(run, KERF_NUM_FIX, fix);
        memcpy(out, view, ref->len);
        if (fix >= FIX_ERROR) {
            pr.target = kerf_run_addr(run, pr.target + (kerf_run_unfold(fix - FIX_ERROR + 1) << ref->scale));
            (void)kerf_isa_code(form, out, pc, &pr.target);
        } else {
            known = fix == FIX_UNCHANGED && !(KERF_PAIRS_IN_BUILD && ref->kind == KERF_REF_PAIR);
            if (known) {
                pr.target = kerf_run_addr(run, kerf_isa_code(form, out, pc, NULL));
            }
        }
    }
    /* What the map or a neighbour knows of code need not be kept. */
    if (known && run->h->model.learned_cap != 0 && (ram || wrong || pr.source == SOURCE_EXACT)) {
        learn(run, &pr, ref->target, kerf_run_shift(run, pr.target - ref->target));
    }
    pair_expect(run, ref, pc, pr.target);
    return !wrong || fix != FIX_PLAIN;
}
