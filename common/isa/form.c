/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything here is arithmetic modulo 2^32: addresses that are wider lose their upper half in a value and get it back from
 * the pc, so that the width of kerf_addr changes no byte.
 */
#include "common/isa/form.h"

#if KERF_FORMS

/* Position of byte i of an instruction, from the lowest on. */
static unsigned byte_at(const struct kerf_forms *set, unsigned i)
{
    return set->big ? 3 - i : i;
}

static uint32_t load(const struct kerf_forms *set, const uint8_t *p, unsigned len)
{
    uint32_t insn = 0;

    for (unsigned i = 0; i < len; i++) {
        insn |= (uint32_t)p[byte_at(set, i)] << 8 * i;
    }
    return insn;
}

/* Both directions: reads *target from the instruction, or (`put`) returns the instruction with that target. */
static uint32_t code(const struct kerf_forms *set, const struct kerf_form *f, uint32_t insn, kerf_addr pc,
                     kerf_addr *target, bool put)
{
    const struct kerf_form_base *base = &set->bases[f->base];
    const struct kerf_form_bits *b = &set->bits[f->bits];
    uint32_t top = f->sign != 0 ? 1u << ((f->sign & 63u) - 1) : 0;
    bool up_down = (f->sign & KERF_FORM_UP_DOWN) != 0;
    /* In two steps: a shift by all of 32 bits is undefined. */
    kerf_addr keep = ~(kerf_addr)0 << base->align / 2u << (base->align - base->align / 2u);
    kerf_addr from = ((pc + base->before) & keep) + (kerf_addr)(kerf_shift)base->after;
    uint32_t v = 0;

    if (put) {
        v = (uint32_t)(*target - from) + base->round;
        if (up_down) {
            v = (v & 0x80000000u) != 0 ? (0 - v) & ~top : v | top;
        }
    }
    for (unsigned i = 0; i < f->bit_count; i++, b++) {
        uint32_t ones = (1u << b->width) - 1;

        if (put) {
            insn = (insn & ~(ones << b->from)) | (v >> b->to & ones) << b->from;
        } else {
            v |= (insn >> b->from & ones) << b->to;
        }
    }
    if (!put) {
        if (up_down) {
            v = (v & top) != 0 ? v ^ top : 0 - v;
        } else {
            v = (v ^ top) - top;
        }
        *target = from + (kerf_addr)(kerf_shift)(int32_t)v;
    }
    return insn;
}

/* Reads the target of one instruction. False: the bytes are not of this form. */
static bool get(const struct kerf_forms *set, const struct kerf_form *f, const uint8_t *p, kerf_addr pc,
                kerf_addr *target)
{
    uint32_t insn = load(set, p, f->len);

    (void)code(set, f, insn, pc, target, false);
    /* A value has one encoding: not -0, not two sign bits that differ. */
    return (insn >> set->opcode & f->mask) == f->match && code(set, f, insn, pc, target, true) == insn;
}

void kerf_forms_put(const struct kerf_forms *set, unsigned form, uint8_t *p, kerf_addr pc, kerf_addr target)
{
    const struct kerf_form *f = &set->forms[form];
    uint32_t insn = code(set, f, load(set, p, f->len), pc, &target, true);

    for (unsigned i = 0; i < f->len; i++) {
        p[byte_at(set, i)] = (uint8_t)(insn >> 8 * i);
    }
}

static const struct kerf_form *form_at(const struct kerf_forms *set, const uint8_t *p)
{
    uint32_t opcode = load(set, p, 4) >> set->opcode;
    const struct kerf_form *f = set->forms;

    while ((opcode & f->mask) != f->match) {
        f++;
    }
    return f;
}

#define JOIN_LAST 0x80u /* nothing behind this instruction can complete the first half */

/*
 * Does the instruction q, of form f, complete the first half at p? Returns 0, or the form of the second half; and JOIN_LAST.
 * *target, the value of the first half, becomes the target that both make.
 */
static unsigned join(const struct kerf_forms *set, const uint8_t *p, const uint8_t *q, kerf_addr *target)
{
    const struct kerf_form_pairs *pairs = &set->pairs;
    const struct kerf_form *f = form_at(set, q);
    uint32_t insn = load(set, q, 4);
    uint32_t r = load(set, p, 4) >> pairs->first & pairs->mask;
    unsigned last = (insn >> pairs->written & pairs->mask) == r ? JOIN_LAST : 0;
    kerf_addr low;

    if (f->kind != KERF_REF_LOW && f->kind != KERF_REF_PAIR) {
        return 0;
    }
    if (f->kind != (pairs->step != 0 ? KERF_REF_PAIR : KERF_REF_LOW) ||
        (insn >> pairs->second & pairs->mask) != r + pairs->step) {
        return last;
    }
    f += pairs->step;
    (void)code(set, f, insn, 0, &low, false);
    *target += low;
    return (unsigned)(f - set->forms) | (pairs->step != 0 ? JOIN_LAST : last);
}

bool kerf_forms_get(const struct kerf_forms *set, const struct kerf_ref *shape, const uint8_t *p, kerf_addr pc,
                    kerf_addr *target)
{
    return get(set, &set->forms[shape->form], p, pc, target) &&
           (shape->low_count == 0 || (join(set, p, p + shape->low_at[0], target) & ~JOIN_LAST) != 0);
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
        at += form_at(set, p + at)->len;
    }
}

/* Fills *ref with the reference of form `f`, if it is looked for. */
static void fill(const struct kerf_forms *set, const struct kerf_form *f, const struct kerf_isa_view *view,
                 struct kerf_ref *ref)
{
    unsigned kinds = view->kinds & ~(1u << KERF_REF_NONE | 1u << KERF_REF_LOW);
    const struct kerf_form_base *base = &set->bases[f->base];

    if ((kinds >> f->kind & 1) == 0 || !get(set, f, view->p, view->pc, &ref->target)) {
        return;
    }
    ref->kind = f->kind;
    ref->form = (uint8_t)(f - set->forms);
    ref->len = f->len;
    ref->scale = set->bits[f->bits].to;
    if (f->kind == KERF_REF_PAIR) {
        find_lows(set, view->p, ref);
        ref->low_relative = base->round != 0 && base->align == 0;
        if (ref->low_count > 0) {
            ref->scale = 0;
        } else {
            ref->kind = set->alone && (kinds >> KERF_REF_PAIR2 & 1) != 0 ? KERF_REF_PAIR2 : KERF_REF_NONE;
        }
    }
    /* These hold all of an address: what they mean need not be known to the header. */
    ref->anywhere = ref->kind == KERF_REF_PAIR || ref->kind == KERF_REF_RAM;
}

unsigned kerf_forms_scan(const struct kerf_forms *set, const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    const struct kerf_form *f = form_at(set, view->p);
    unsigned padding = set->padding != NULL ? set->padding(view) : 0;

    if ((view->pc & set->align) != 0) {
        return 1;
    }
    if (padding != 0) {
        return padding;
    }
    if (view->boundary || !set->swept) {
        fill(set, f, view, ref);
    }
    return f->len;
}
#endif
