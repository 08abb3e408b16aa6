/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MIPS32 and MIPS64, both byte orders. Source of the encodings: MIPS Architecture for Programmers, Volume II-A (MD00086),
 * revisions up to 5. Not MIPS16e, not microMIPS.
 *
 * J and JAL hold the lower 28 bits of an address in the 256 MiB around the pc. LUI makes the upper half of an address, what
 * follows adds 16 signed bits, so that LUI's base is 0x8000 lower.
 */
#include "common/isa/form.h"

enum {
    BASE_PC4,
    BASE_REGION,
    BASE_ROUND,
    BASE_ZERO
};
enum {
    BITS_J = 0,
    BITS_BRANCH = 1,
    BITS_LUI = 2,
    BITS_LOW = 3
};
enum {
    FORM_LUI = 0,
    FORM_LOW = 6
};

static const struct kerf_form_base bases[] = {{4, 0, 0}, {4, 28, 0}, {0, 32, -0x8000}, {0, 32, 0}};

static const struct kerf_form_bits bits[] = {
    {0, 2, 26},  /* BITS_J */
    {0, 2, 16},  /* BITS_BRANCH */
    {0, 16, 16}, /* BITS_LUI */
    {0, 0, 16},  /* BITS_LOW */
};

static const struct kerf_form forms[] = {
    {0xffe0, 0x3c00, KERF_REF_PAIR, 4, BASE_ROUND, KERF_FORM_UNSIGNED, BITS_LUI, 1},  /* LUI */
    {0xfc00, 0x0c00, KERF_REF_CALL, 4, BASE_REGION, KERF_FORM_UNSIGNED, BITS_J, 1},   /* JAL */
    {0xfc00, 0x0800, KERF_REF_JUMP, 4, BASE_REGION, KERF_FORM_UNSIGNED, BITS_J, 1},   /* J */
    {0xffff, 0x0411, KERF_REF_CALL, 4, BASE_PC4, KERF_FORM_SIGNED, BITS_BRANCH, 1},   /* BAL: BGEZAL of $zero */
    {0xb000, 0x1000, KERF_REF_BRANCH, 4, BASE_PC4, KERF_FORM_SIGNED, BITS_BRANCH, 1}, /* BEQ .. BGTZ, BEQL .. BGTZL */
    {0xfc0c, 0x0400, KERF_REF_BRANCH, 4, BASE_PC4, KERF_FORM_SIGNED, BITS_BRANCH, 1}, /* BLTZ, BGEZ and their kin */
    {0, 1, KERF_REF_LOW, 4, BASE_ZERO, KERF_FORM_UNSIGNED, BITS_LOW, 1},              /* what adds to LUI */
};

static const struct kerf_forms sets[2] = {
    {forms, bits, bases, sizeof forms / sizeof forms[0], 16, false},
    {forms, bits, bases, sizeof forms / sizeof forms[0], 16, true},
};

static uint32_t insn_at(bool big, const uint8_t *p)
{
    return kerf_form_load(&sets[big], p, 4);
}

/* The instruction adds its 16 bits to register `base`: ADDIU, DADDIU, loads and stores. */
static bool adds_to(uint32_t insn, uint32_t base)
{
    uint32_t op = insn >> 26;

    return (insn >> 21 & 31) == base && (op == 9 || op == 25 || op >= 32);
}

/* The instruction writes register r; unknown ones don't. */
static bool writes(uint32_t insn, uint32_t r)
{
    uint32_t op = insn >> 26;

    if (op == 0) {
        return (insn >> 11 & 31) == r;
    }
    return ((op >= 8 && op < 16) || op == 25 || (op >= 32 && op < 40)) && (insn >> 16 & 31) == r;
}

/* The target of the LUI at p and the instruction at q. */
static bool join(bool big, const uint8_t *p, const uint8_t *q, kerf_addr *target)
{
    uint32_t low = insn_at(big, q);

    if (!kerf_form_get(&sets[big], FORM_LUI, p, 0, target)) {
        return false;
    }
    *target += (low & 0xffff) ^ 0x8000; /* its sign, and what the rounding took away */
    return adds_to(low, insn_at(big, p) >> 16 & 31);
}

unsigned kerf_mips_scan(bool big, const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    const uint8_t *p = view->p;

    if ((view->pc & 3) != 0) {
        return 1;
    }
    (void)kerf_form_scan(&sets[big], view, ref);
    if (ref->kind == KERF_REF_PAIR) {
        for (unsigned at = 4; at < KERF_ISA_VIEW_LEN && ref->low_count < KERF_REF_LOWS; at += 4) {
            kerf_addr target;

            if (join(big, p, p + at, &target)) {
                kerf_form_pair(ref, at, FORM_LOW, target);
            }
            if (writes(insn_at(big, p + at), insn_at(big, p) >> 16 & 31)) {
                break;
            }
        }
        if (ref->low_count == 0) {
            ref->kind = KERF_REF_NONE;
        }
    }
    return 4;
}

bool kerf_mips_get(bool big, const struct kerf_ref *shape, const uint8_t *p, kerf_addr pc, kerf_addr *target)
{
    if (shape->form == FORM_LUI) {
        return join(big, p, p + shape->low_at[0], target);
    }
    return kerf_form_get(&sets[big], shape->form, p, pc, target);
}

void kerf_mips_put(bool big, unsigned form, uint8_t *p, kerf_addr pc, kerf_addr target)
{
    kerf_form_put(&sets[big], form, p, pc, target);
}
