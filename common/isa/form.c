/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything here is arithmetic modulo 2^32: addresses that are wider lose their upper half in a value and get it back
 * from the pc, so that the width of kerf_addr changes no byte.
 */
#include "common/isa/form.h"

#include "common/bytes.h"

#if KERF_FORMS

#define HAS_BIG (KERF_ISA_HAS_MIPS || KERF_ISA_HAS_POWERPC || KERF_ISA_HAS_NDS32)

/* What none of the sets in this build has takes no code. */
static bool is_big(const struct kerf_forms *set)
{
    return HAS_BIG && set->big;
}

static bool is_up_down(const struct kerf_form *f)
{
    return KERF_ISA_HAS_A32 && (f->sign & KERF_FORM_UP_DOWN) != 0;
}

#define HAS_UPPER (KERF_ISA_HAS_THUMB || KERF_ISA_HAS_MIPS16 || KERF_ISA_HAS_TC32 || KERF_ISA_HAS_HEXAGON)

static uint32_t opcode_of(const struct kerf_forms *set, uint32_t insn)
{
    if (HAS_UPPER && (!KERF_FORMS_BESIDE_THUMB || set->opcode == KERF_FORMS_UPPER)) {
        return (insn & 0xff00) | insn >> 24;
    }
    if (KERF_ISA_HAS_POWERPC) {
        return insn >> set->opcode | insn << (-set->opcode & 31);
    }
    return KERF_ISA_HAS_A32 || KERF_ISA_HAS_AARCH64 || KERF_ISA_HAS_MIPS || KERF_ISA_HAS_NDS32 || KERF_ISA_HAS_OFFSETS
               ? insn >> set->opcode
               : insn;
}

/* The bits of each byte the other way round. */
static uint32_t mirror(uint32_t v)
{
    v = (v >> 1 & 0x55555555) | (v & 0x55555555) << 1;
    v = (v >> 2 & 0x33333333) | (v & 0x33333333) << 2;
    return (v >> 4 & 0x0f0f0f0f) | (v & 0x0f0f0f0f) << 4;
}

static uint32_t load_insn(const struct kerf_forms *set, const uint8_t *p)
{
    uint32_t insn = is_big(set) ? kerf_load_be32(p) : kerf_load_le32(p);

    return KERF_ISA_HAS_BA2 && set->mirrored ? mirror(insn) : insn;
}

#define HAS_LONG (KERF_ISA_HAS_ARC || KERF_ISA_HAS_VIDEOCORE || KERF_ISA_HAS_BA2)

/* Where the word lies that holds the fields: the last 4 bytes of longer instructions. */
static uint8_t *fields_at(const struct kerf_form *f, uint8_t *p)
{
    return HAS_LONG && f->len > 4 ? p + f->len - 4 : p;
}

#define HAS_AFTER (KERF_ISA_HAS_XTENSA || KERF_ISA_HAS_AVR || KERF_ISA_HAS_MCS51)
#define HAS_ROUND (KERF_ISA_HAS_RISCV || KERF_ISA_HAS_MIPS || KERF_ISA_HAS_POWERPC)

/* Moves the fields of a form from where they lie in an instruction to where they lie in its value, or (`back`) the other way. */
__attribute__((noinline)) static uint32_t move_fields(const struct kerf_forms *set, const struct kerf_form *f,
                                                      uint32_t from, bool back)
{
    const struct kerf_form_bits *b = &set->bits[f->bits];
    uint32_t to = 0;

    for (const struct kerf_form_bits *end = b + f->bit_count; b < end; b++) {
        uint32_t ones = (1u << b->width) - 1;

        to |= back ? (from >> b->to & ones) << b->from : (from >> b->from & ones) << b->to;
    }
    return to;
}

kerf_addr kerf_forms_code(const struct kerf_forms *set, unsigned form, uint8_t *p, kerf_addr pc,
                          const kerf_addr *target)
{
    const struct kerf_form *f = &set->forms[form];
    const struct kerf_form_base *base = &set->bases[f->base];
    uint32_t top = f->sign != 0 ? 1u << ((f->sign - 1u) & 31u) : 0;
    bool up_down = is_up_down(f);
    kerf_addr from = (pc + base->before) >> base->align >> base->align << base->align << base->align;
    p = fields_at(f, p);
    uint32_t insn = load_insn(set, p);
    uint32_t fields = move_fields(set, f, insn, false);
    uint32_t v;

    if (HAS_AFTER) {
        from += (kerf_addr)((kerf_shift)base->after * (1 << 18));
    }
    if (target == NULL) {
        v = up_down && (fields & top) == 0 ? 0 - fields : (fields ^ top) - (up_down ? 0 : top);
        return from + (kerf_addr)(kerf_shift)(int32_t)v;
    }
    v = (uint32_t)(*target - from);
    if (HAS_ROUND) {
        v += (1u << base->round) & ~1u;
    }
    if (up_down) {
        v = (v & 0x80000000u) != 0 ? (0 - v) & ~top : v | top;
    }
    /* Of shorter instructions the bytes behind them come back as they were. */
    insn ^= move_fields(set, f, fields ^ v, true);
    if (is_big(set)) {
        kerf_store_be32(p, insn);
    } else {
        kerf_store_le32(p, KERF_ISA_HAS_BA2 && set->mirrored ? mirror(insn) : insn);
    }
    return 0;
}

/* The target that is there. */
static kerf_addr target_of(const struct kerf_forms *set, unsigned form, const uint8_t *p, kerf_addr pc)
{
    return kerf_forms_code(set, form, (uint8_t *)(uintptr_t)p, pc, NULL);
}

#if KERF_ENCODER
/*
 * Hosts look at the same opcodes again and again, and remember the form of each: of a few sets, for all threads. Where
 * a set's place is another's they search.
 */
#define REMEMBERED 8u
#define PLACE_LEN 32u /* bytes that a set takes, about */
#define PAGE_LEN 4096u

static struct {
    const struct kerf_forms *set;
    uint8_t form[0x10000]; /* by opcode, 1 + it; 0: not known */
} remembered[REMEMBERED];

/* Takes the place for a set. Its pages are written to: reading first would have the system make each of them twice. */
static bool claim(unsigned place, const struct kerf_forms *set)
{
    const struct kerf_forms *owner = NULL;

    if (!__atomic_compare_exchange_n(&remembered[place].set, &owner, set, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        return owner == set;
    }
    for (size_t i = 0; i < sizeof remembered[place].form; i += PAGE_LEN) {
        __atomic_store_n(&remembered[place].form[i], 0, __ATOMIC_RELAXED);
    }
    return true;
}

/* Where the forms of a set are remembered; NULL: nowhere. */
static uint8_t *recall(const struct kerf_forms *set)
{
    unsigned place = (unsigned)((uintptr_t)set / PLACE_LEN % REMEMBERED);

    return __atomic_load_n(&remembered[place].set, __ATOMIC_RELAXED) == set || claim(place, set)
               ? remembered[place].form
               : NULL;
}

/* known: recall() of the set. */
static inline unsigned form_known(const struct kerf_forms *set, uint8_t *known, const uint8_t *p)
{
    uint32_t insn = load_insn(set, p);
    uint8_t *place = known != NULL ? &known[opcode_of(set, insn) & 0xffff] : NULL;
    unsigned form = place != NULL ? __atomic_load_n(place, __ATOMIC_RELAXED) : 0;

    if (form != 0) {
        return form - 1;
    }
    while ((opcode_of(set, insn) & set->forms[form].mask) != set->forms[form].match) {
        form++;
    }
    if (place != NULL) {
        __atomic_store_n(place, (uint8_t)(form + 1), __ATOMIC_RELAXED);
    }
    return form;
}

static unsigned form_at(const struct kerf_forms *set, const uint8_t *p)
{
    return form_known(set, recall(set), p);
}
#else
KERF_AS_WRITTEN static unsigned form_at(const struct kerf_forms *set, const uint8_t *p)
{
    uint32_t insn = load_insn(set, p);
    const struct kerf_form *f = set->forms;

    while ((opcode_of(set, insn) & f->mask) != f->match) {
        f++;
    }
    return (unsigned)(f - set->forms);
}
#endif

#if KERF_PAIRS_IN_BUILD
#define JOIN_LAST 0x80u /* nothing behind this instruction can complete the first half */

/*
 * Does the instruction q complete the first half at p? Returns 0, or the form of the second half; and JOIN_LAST.
 * *target, the value of the first half, becomes the target that both make.
 */
static unsigned join(const struct kerf_forms *set, const uint8_t *p, const uint8_t *q, kerf_addr *target)
{
    const struct kerf_form_pairs *pairs = &set->pairs;
    unsigned form = form_at(set, q);
    unsigned kind = set->forms[form].kind;
    uint32_t insn = load_insn(set, q);
    uint32_t r = load_insn(set, p) >> pairs->first & pairs->mask;
    unsigned last = 0;

    if (kind == KERF_REF_LOW || kind == KERF_REF_PAIR) {
        last = (insn >> pairs->written & pairs->mask) == r ? JOIN_LAST : 0;
        if (kind == (pairs->step != 0 ? KERF_REF_PAIR : KERF_REF_LOW) &&
            (insn >> pairs->second & pairs->mask) == r + pairs->step) {
            form += pairs->step;
            last = pairs->step != 0 ? JOIN_LAST : last;
            *target += target_of(set, form, q, 0);
            return last | form;
        }
    }
    return last;
}

/* Looks for the instructions that complete the first half in *ref. */
static void find_lows(const struct kerf_forms *set, const uint8_t *p, struct kerf_ref *ref)
{
    kerf_addr first = ref->target;
    unsigned at = ref->len;
    unsigned low = 0;

    while (at <= KERF_ISA_VIEW_LEN - 4 && ref->low_count < KERF_REF_LOWS && (low & JOIN_LAST) == 0) {
        unsigned i = ref->low_count;
        kerf_addr target = first;

        low = join(set, p, p + at, &target);
        if ((low & ~JOIN_LAST) != 0) {
            if (i == 0) {
                ref->target = target;
            }
            kerf_shift delta = (kerf_shift)(target - ref->target);

            /* Halves of one first half lie a few KiB apart at most; one beyond is left to the plain bytes. */
            if (delta == (int16_t)delta) {
                ref->low_at[i] = (uint8_t)at;
                ref->low_form[i] = (uint8_t)(low & ~JOIN_LAST);
                ref->low_delta[i] = (int16_t)delta;
                ref->low_count++;
            }
        }
        at += set->forms[form_at(set, p + at)].len;
    }
}

#endif

/* No bits of kinds that are found by a look at an instruction: second halves are found by their first ones. */
#define NOT_LOOKED_FOR (1u << KERF_REF_NONE | 1u << KERF_REF_LOW)

#if KERF_ENCODER
#define HOST_APART __attribute__((noinline))

/* Most instructions are no reference: the length of one of this form that is none, sooner than below. 0: it may be one. */
static unsigned plain_len(const struct kerf_forms *set, const struct kerf_isa_view *view, unsigned form)
{
    const struct kerf_form *f = &set->forms[form];

    return (set->padded && view->p[0] == 0) || (view->kinds & ~NOT_LOOKED_FOR) >> f->kind & 1 ? 0
                                                                                              : f->len; /* or padding */
}
#else
#define HOST_APART
#endif

/* What kerf_forms_scan() does. known: the form of the instruction, or NULL. (Apart on hosts, so that its frame is not there for most.) */
HOST_APART static unsigned scan(const struct kerf_forms *set, const struct kerf_isa_view *view, struct kerf_ref *ref,
                                const unsigned *known)
{
    unsigned kinds = view->kinds & ~NOT_LOOKED_FOR;
    unsigned padding = KERF_ISA_HAS_XTENSA && set->padded ? kerf_xtensa_padding(view) : 0;

    if (padding != 0) {
        return padding;
    }
    unsigned form = known != NULL ? *known : form_at(set, view->p);
    const struct kerf_form *f = &set->forms[form];

    if ((!view->boundary && f->len <= set->swept) || (kinds >> f->kind & 1) == 0) {
        return f->len;
    }
    ref->kind = f->kind;
    ref->form = (uint8_t)form;
    ref->len = f->len;
    ref->scale = set->bits[f->bits].to;
    ref->target = target_of(set, form, view->p, view->pc);
#if KERF_PAIRS_IN_BUILD
    if (f->kind == KERF_REF_PAIR) {
        find_lows(set, view->p, ref);
        ref->low_relative = set->bases[f->base].round != 0 && set->bases[f->base].align == 0;
        if (ref->low_count > 0) {
            ref->scale = 0;
        } else {
            ref->kind = set->alone && (kinds >> KERF_REF_PAIR2 & 1) != 0 ? KERF_REF_PAIR2 : KERF_REF_NONE;
        }
    }
#endif
    /* These hold all of an address: what they mean need not be known to the header. */
    ref->anywhere = ref->kind == KERF_REF_PAIR || ref->kind == KERF_REF_RAM;
    return f->len;
}

unsigned kerf_forms_scan(const struct kerf_forms *set, const struct kerf_isa_view *view, struct kerf_ref *ref)
{
#if KERF_ENCODER
    unsigned form = form_at(set, view->p);
    unsigned plain = plain_len(set, view, form);

    return plain != 0 ? plain : scan(set, view, ref, &form);
#else
    return scan(set, view, ref, NULL);
#endif
}

#if KERF_ENCODER
void kerf_forms_nothing(const struct kerf_forms *set, unsigned kinds, const uint8_t *p, size_t len, kerf_addr pc,
                        uint8_t *nothing)
{
    const struct kerf_forms own = *set; /* so that what is written is seen to be none of it */
    uint8_t *known = recall(set);
    uint8_t plain[256]; /* by form: what is told of an instruction that is no reference; 0: nothing */
    unsigned form = 0;

    do {
        const struct kerf_form *f = &own.forms[form];

        plain[form] = (uint8_t)(((kinds & ~NOT_LOOKED_FOR) >> f->kind & 1) == 0 ? (1u + f->len) * 0x11u : 0);
        form++; /* one of mask 0 that is never found may lie before the last */
    } while ((own.forms[form - 1].mask | own.forms[form - 1].match) != 0);
    for (size_t i = (size_t)(0 - pc) & own.align; i < len; i += own.align + 1u) {
        uint8_t is = plain[form_known(&own, known, p + i)];

        nothing[i] |= own.padded && p[i] == 0 ? 0 : is; /* no padding either */
    }
}

#define SWEPT 0x80u /* of lens: not where the sweep does not come to it */

void kerf_forms_lens(const struct kerf_forms *set, unsigned kinds, uint8_t lens[KERF_PASS_FORMS])
{
    unsigned form = 0;

    do {
        const struct kerf_form *f = &set->forms[form];

        lens[form] = (uint8_t)(((kinds & ~NOT_LOOKED_FOR) >> f->kind & 1) == 0 ? f->len
                               : f->len <= set->swept                          ? SWEPT
                                                                               : 0);
        form++;
    } while ((set->forms[form - 1].mask | set->forms[form - 1].match) != 0);
}

size_t kerf_forms_pass(const struct kerf_forms *set, const uint8_t lens[KERF_PASS_FORMS], const uint8_t *p, size_t len,
                       kerf_addr pc, size_t *next)
{
    const struct kerf_forms own = *set;
    uint8_t *known = recall(set);
    size_t sweep = *next;
    size_t i = (size_t)(0 - pc) & own.align;

    for (; i < len; i += own.align + 1u) {
        unsigned is = lens[form_known(&own, known, p + i)];

        if (is == 0 || (is == SWEPT && i >= sweep) || (own.padded && p[i] == 0)) {
            break;
        }
        sweep = i >= sweep ? i + is : sweep;
    }
    *next = sweep;
    return i < len ? i : len;
}

bool kerf_forms_stays(const struct kerf_forms *set, unsigned form, kerf_addr less, kerf_addr from, kerf_addr to)
{
    const struct kerf_form *f = &set->forms[form];
    const struct kerf_form_base *base = &set->bases[f->base];
    unsigned align = base->align;

    /* Of a pair the target is not its own; the others are not read as they were written. */
    if (f->kind == KERF_REF_PAIR || f->kind == KERF_REF_LOW || base->round != 0 || is_up_down(f)) {
        return false;
    }
    from = (from + base->before) >> align >> align << align << align;
    to = (to + base->before) >> align >> align << align << align;
    return (uint32_t)less == (uint32_t)(from - to);
}

bool kerf_forms_get(const struct kerf_forms *set, const struct kerf_ref *shape, const uint8_t *p, kerf_addr pc,
                    kerf_addr *target)
{
    const struct kerf_form *f = &set->forms[shape->form];
    uint32_t insn = load_insn(set, p);

    *target = target_of(set, shape->form, p, pc);
    return (opcode_of(set, insn) & f->mask) == f->match &&
           (!KERF_PAIRS_IN_BUILD || shape->low_count == 0 ||
            (join(set, p, p + shape->low_at[0], target) & ~JOIN_LAST) != 0);
}
#endif
#endif
