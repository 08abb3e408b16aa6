/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything here is arithmetic modulo 2^32: addresses that are wider lose their upper half in a value and get it back from
 * the pc, so that the width of kerf_addr changes no byte.
 */
#include "common/isa/form.h"

uint32_t kerf_form_load(const struct kerf_forms *set, const uint8_t *p, unsigned len)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < len; i++) {
        v |= (uint32_t)p[set->big ? 3 - i : i] << 8 * i;
    }
    return v;
}

static kerf_addr base_of(const struct kerf_forms *set, const struct kerf_form *f, kerf_addr pc)
{
    const struct kerf_form_base *base = &set->bases[f->base];
    unsigned half = base->align / 2u;
    /* In two steps: a shift by all of 32 bits is undefined. */
    kerf_addr keep = ~(kerf_addr)0 << half << (base->align - half);

    return ((pc + base->before) & keep) + (kerf_addr)(kerf_shift)base->after;
}

/* The top bit of the value's last field. */
static uint32_t top_of(const struct kerf_forms *set, const struct kerf_form *f)
{
    const struct kerf_form_bits *last = &set->bits[f->bits + f->bit_count - 1];

    return 1u << (last->to + last->width - 1);
}

bool kerf_form_get(const struct kerf_forms *set, unsigned form, const uint8_t *p, kerf_addr pc, kerf_addr *target)
{
    const struct kerf_form *f = &set->forms[form];
    uint32_t insn = kerf_form_load(set, p, f->len);
    uint32_t top = top_of(set, f);
    uint32_t v = 0;
    bool minus_0 = false;

    for (unsigned i = 0; i < f->bit_count; i++) {
        const struct kerf_form_bits *b = &set->bits[f->bits + i];

        v |= (insn >> b->from & ((1u << b->width) - 1)) << b->to;
    }
    if (f->sign == KERF_FORM_SIGNED) {
        v = (v ^ top) - top;
    } else if (f->sign == KERF_FORM_UP_DOWN) {
        minus_0 = v == 0; /* kerf_form_put() writes +0 */
        v = (v & top) != 0 ? v ^ top : 0 - v;
    }
    *target = base_of(set, f, pc) + (kerf_addr)(kerf_shift)(int32_t)v;
    return !minus_0 && (insn >> set->opcode & f->mask) == f->match;
}

void kerf_form_put(const struct kerf_forms *set, unsigned form, uint8_t *p, kerf_addr pc, kerf_addr target)
{
    const struct kerf_form *f = &set->forms[form];
    uint32_t insn = kerf_form_load(set, p, f->len);
    uint32_t v = (uint32_t)(target - base_of(set, f, pc));

    if (f->sign == KERF_FORM_UP_DOWN) {
        uint32_t top = top_of(set, f);

        v = (v & 0x80000000u) != 0 ? (0 - v) & ~top : v | top;
    }
    for (unsigned i = 0; i < f->bit_count; i++) {
        const struct kerf_form_bits *b = &set->bits[f->bits + i];
        uint32_t ones = (1u << b->width) - 1;

        insn = (insn & ~(ones << b->from)) | (v >> b->to & ones) << b->from;
    }
    for (unsigned i = 0; i < f->len; i++) {
        p[set->big ? 3 - i : i] = (uint8_t)(insn >> 8 * i);
    }
}

unsigned kerf_form_scan(const struct kerf_forms *set, const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    uint32_t opcode = kerf_form_load(set, view->p, 4) >> set->opcode;
    unsigned form = 0;

    while (form < set->count && (opcode & set->forms[form].mask) != set->forms[form].match) {
        form++;
    }
    if (form < set->count) {
        const struct kerf_form *f = &set->forms[form];
        unsigned kinds = view->kinds & ~(1u << KERF_REF_NONE | 1u << KERF_REF_LOW);

        if ((kinds >> f->kind & 1) != 0 && kerf_form_get(set, form, view->p, view->pc, &ref->target)) {
            ref->kind = f->kind;
            ref->form = (uint8_t)form;
            ref->len = f->len;
            ref->scale = set->bits[f->bits].to;
        }
    }
    return form;
}

void kerf_form_pair(struct kerf_ref *ref, unsigned at, unsigned form, kerf_addr target)
{
    unsigned i = ref->low_count;
    kerf_shift delta = 0;

    if (i == 0) {
        ref->target = target;
    } else {
        /* Halves that share a first half lie a few KiB apart at most; one beyond is left to the plain bytes. */
        delta = (kerf_shift)(target - ref->target);
        if (delta != (int16_t)delta) {
            return;
        }
    }
    ref->scale = 0; /* the target is whole now */
    ref->low_at[i] = (uint8_t)at;
    ref->low_form[i] = (uint8_t)form;
    ref->low_delta[i] = (int16_t)delta;
    ref->low_count++;
}
