/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A32, the 32-bit Arm instruction set, little-endian. Source of the encodings: Arm Architecture Reference Manual ARMv7-A
 * and ARMv7-R (DDI 0406C), A5 and A8.8. The pc reads as the instruction's address + 8.
 */
#include "common/bytes.h"
#include "common/isa/form.h"

enum {
    BASE_PC8,
    BASE_ZERO
};
enum {
    BITS_BRANCH = 0,
    BITS_BLX = 1,
    BITS_LDR = 3,
    BITS_VLDR = 5,
    BITS_MOVW = 7,
    BITS_MOVT = 9
};
enum {
    FORM_MOVW = 7,
    FORM_MOVT
};

static const struct kerf_form_base bases[] = {{8, 0, 0}, {0, 32, 0}};

static const struct kerf_form_bits bits[] = {
    {0, 2, 24},               /* BITS_BRANCH: imm24 words */
    {24, 1, 1},  {0, 2, 24},  /* BITS_BLX: H, imm24 */
    {0, 0, 12},  {23, 12, 1}, /* BITS_LDR: imm12, U */
    {0, 2, 8},   {23, 10, 1}, /* BITS_VLDR: imm8 words, U */
    {0, 0, 12},  {16, 12, 4}, /* BITS_MOVW: imm12, imm4 */
    {0, 16, 12}, {16, 28, 4}, /* BITS_MOVT: the same for the upper half */
};

static const struct kerf_form forms[] = {
    {0xfe00, 0xfa00, KERF_REF_CALL, 4, BASE_PC8, KERF_FORM_SIGNED, BITS_BLX, 2},      /* BLX (immediate): to Thumb */
    {0xf000, 0xf000, KERF_REF_NONE, 4, BASE_PC8, KERF_FORM_UNSIGNED, 0, 0},           /* the other unconditional ones */
    {0xff00, 0xea00, KERF_REF_JUMP, 4, BASE_PC8, KERF_FORM_SIGNED, BITS_BRANCH, 1},   /* B */
    {0x0f00, 0x0a00, KERF_REF_BRANCH, 4, BASE_PC8, KERF_FORM_SIGNED, BITS_BRANCH, 1}, /* B<cond> */
    {0x0f00, 0x0b00, KERF_REF_CALL, 4, BASE_PC8, KERF_FORM_SIGNED, BITS_BRANCH, 1},   /* BL */
    {0x0f3f, 0x051f, KERF_REF_LITERAL, 4, BASE_PC8, KERF_FORM_UP_DOWN, BITS_LDR, 2},  /* LDR, LDRB (literal) */
    {0x0f3f, 0x0d1f, KERF_REF_LITERAL, 4, BASE_PC8, KERF_FORM_UP_DOWN, BITS_VLDR, 2}, /* VLDR (literal) */
    {0x0ff0, 0x0300, KERF_REF_PAIR, 4, BASE_ZERO, KERF_FORM_UNSIGNED, BITS_MOVW, 2},  /* MOVW */
    {0x0ff0, 0x0340, KERF_REF_LOW, 4, BASE_ZERO, KERF_FORM_UNSIGNED, BITS_MOVT, 2},   /* MOVT */
};

static const struct kerf_forms set = {forms, bits, bases, sizeof forms / sizeof forms[0], 16, false};

/* MOVT is looked for this many bytes after its MOVW. */
#define MOVT_REACH 16u

/* The instruction at q is the MOVT to the MOVW at p: of the same register and condition. */
static bool join(const uint8_t *p, const uint8_t *q, kerf_addr *target)
{
    kerf_addr high;

    if (!kerf_form_get(&set, FORM_MOVW, p, 0, target) || !kerf_form_get(&set, FORM_MOVT, q, 0, &high)) {
        return false;
    }
    *target |= high;
    return ((kerf_load_le32(p) ^ kerf_load_le32(q)) & 0xf000f000u) == 0;
}

unsigned kerf_a32_scan(const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    if ((view->pc & 3) != 0) {
        return 1;
    }
    (void)kerf_form_scan(&set, view, ref);
    if (ref->kind == KERF_REF_PAIR) {
        for (unsigned at = 4; at <= MOVT_REACH && ref->low_count == 0; at += 4) {
            kerf_addr target;

            if (join(view->p, view->p + at, &target)) {
                kerf_form_pair(ref, at, FORM_MOVT, target);
            }
        }
        if (ref->low_count == 0) {
            ref->kind = KERF_REF_NONE;
        }
    }
    return 4;
}

bool kerf_a32_get(const struct kerf_ref *shape, const uint8_t *p, kerf_addr pc, kerf_addr *target)
{
    if (shape->form == FORM_MOVW) {
        return join(p, p + shape->low_at[0], target);
    }
    return kerf_form_get(&set, shape->form, p, pc, target);
}

void kerf_a32_put(unsigned form, uint8_t *p, kerf_addr pc, kerf_addr target)
{
    kerf_form_put(&set, form, p, pc, target);
}
