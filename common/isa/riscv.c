/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RISC-V, 32 and 64 bits, with compressed instructions. Source of the encodings: The RISC-V Instruction Set Manual, Volume I
 * (20191213), 2.2 to 2.6 and 16.8.
 *
 * AUIPC and LUI make the upper 20 bits of an address, what follows adds 12 signed bits, so the upper part is rounded to
 * nearest: the bases of the two are 0x800 lower. Only where an instruction starts: compressed code gets back into step
 * within a few instructions, and 1 word in 128 looks like JAL.
 */
#include "common/bytes.h"
#include "common/isa/form.h"

enum {
    BASE_PC,
    BASE_ZERO,
    BASE_PC_ROUND,
    BASE_ZERO_ROUND
};
enum {
    BITS_JAL = 0,
    BITS_BRANCH = 4,
    BITS_CJ = 8,
    BITS_CB = 16,
    BITS_UPPER = 21,
    BITS_I = 22,
    BITS_S = 23
};
enum {
    FORM_AUIPC = 0,
    FORM_LUI,
    FORM_LOW_I = 7,
    FORM_LOW_S,
    FORM_CJAL
};

static const struct kerf_form_base bases[] = {{0, 0, 0}, {0, 32, 0}, {0, 0, -0x800}, {0, 32, -0x800}};

static const struct kerf_form_bits bits[] = {
    {21, 1, 10},  {20, 11, 1}, {12, 12, 8}, {31, 20, 1}, /* BITS_JAL */
    {8, 1, 4},    {25, 5, 6},  {7, 11, 1},  {31, 12, 1}, /* BITS_BRANCH */
    {3, 1, 3},    {11, 4, 1},  {2, 5, 1},   {7, 6, 1},   {6, 7, 1},  {9, 8, 2}, {8, 10, 1}, {12, 11, 1}, /* BITS_CJ */
    {3, 1, 2},    {10, 3, 2},  {2, 5, 1},   {5, 6, 2},   {12, 8, 1},                                     /* BITS_CB */
    {12, 12, 20},             /* BITS_UPPER */
    {20, 0, 12},              /* BITS_I */
    {7, 0, 5},    {25, 5, 7}, /* BITS_S */
};

static const struct kerf_form forms[] = {
    {0x007f, 0x0017, KERF_REF_PAIR, 4, BASE_PC_ROUND, KERF_FORM_SIGNED, BITS_UPPER, 1},     /* AUIPC */
    {0x007f, 0x0037, KERF_REF_PAIR, 4, BASE_ZERO_ROUND, KERF_FORM_UNSIGNED, BITS_UPPER, 1}, /* LUI */
    {0x0fff, 0x006f, KERF_REF_JUMP, 4, BASE_PC, KERF_FORM_SIGNED, BITS_JAL, 4},             /* J: JAL x0 */
    {0x007f, 0x006f, KERF_REF_CALL, 4, BASE_PC, KERF_FORM_SIGNED, BITS_JAL, 4},             /* JAL */
    {0x007f, 0x0063, KERF_REF_BRANCH, 4, BASE_PC, KERF_FORM_SIGNED, BITS_BRANCH, 4},        /* BEQ ... */
    {0xc003, 0xc001, KERF_REF_BRANCH2, 2, BASE_PC, KERF_FORM_SIGNED, BITS_CB, 5},           /* C.BEQZ, C.BNEZ */
    {0xe003, 0xa001, KERF_REF_BRANCH2, 2, BASE_PC, KERF_FORM_SIGNED, BITS_CJ, 8},           /* C.J */
    {0, 1, KERF_REF_LOW, 4, BASE_ZERO, KERF_FORM_UNSIGNED, BITS_I, 1},                      /* ADDI, loads, JALR */
    {0, 1, KERF_REF_LOW, 4, BASE_ZERO, KERF_FORM_UNSIGNED, BITS_S, 2},                      /* stores */
    {0xe003, 0x2001, KERF_REF_BRANCH2, 2, BASE_PC, KERF_FORM_SIGNED, BITS_CJ, 8}, /* C.JAL, 32 bits only: last */
};

static const struct kerf_forms set = {forms, bits, bases, sizeof forms / sizeof forms[0], 0, false};
static const struct kerf_forms set64 = {forms, bits, bases, FORM_CJAL, 0, false};

static unsigned length_of(const uint8_t *p)
{
    return (p[0] & 3) == 3 ? 4 : 2;
}

/* The form of the 12 bits that the instruction at q adds to register `base`; 0: it doesn't. */
static unsigned low_form(const uint8_t *q, uint32_t base)
{
    uint32_t insn = kerf_load_le32(q);
    uint32_t op = insn & 0x7f;

    if ((insn >> 15 & 31) != base) {
        return 0;
    }
    if ((op & 0x7b) == 0x23) { /* STORE, STORE-FP */
        return FORM_LOW_S;
    }
    /* LOAD, LOAD-FP; ADDI, ADDIW, JALR */
    return (op & 0x7b) == 0x03 || (((op & 0x77) == 0x13 || op == 0x67) && (insn & 0x7000) == 0) ? FORM_LOW_I : 0;
}

static uint32_t rd_of(const uint8_t *p)
{
    return kerf_load_le16(p) >> 7 & 31;
}

/* The target of AUIPC or LUI at p and the instruction at q. */
static bool join(unsigned form, const uint8_t *p, const uint8_t *q, kerf_addr pc, kerf_addr *target)
{
    unsigned low = low_form(q, rd_of(p));
    kerf_addr low_part;

    if (low == 0 || rd_of(p) == 0 || !kerf_form_get(&set, form, p, pc, target)) {
        return false;
    }
    (void)kerf_form_get(&set, low, q, 0, &low_part);
    *target += low_part ^ 0x800; /* its sign, and what the rounding took away */
    return true;
}

static void find_lows(const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    const uint8_t *p = view->p;
    unsigned at = 4;

    while (at <= KERF_ISA_VIEW_LEN - 4 && ref->low_count < KERF_REF_LOWS) {
        const uint8_t *q = p + at;
        unsigned len = length_of(q);
        kerf_addr target;

        if (len == 4) {
            uint32_t op = q[0] & 0x7fu;

            if (join(ref->form, p, q, view->pc, &target)) {
                kerf_form_pair(ref, at, low_form(q, rd_of(p)), target);
            }
            /* Overwritten: all but stores and branches write rd. */
            if ((op & 0x7b) != 0x23 && op != 0x63 && rd_of(q) == rd_of(p)) {
                return;
            }
        }
        at += len;
    }
}

unsigned kerf_riscv_scan(bool wide, const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    if ((view->pc & 1) != 0) {
        return 1;
    }
    if (view->boundary) {
        (void)kerf_form_scan(wide ? &set64 : &set, view, ref);
        if (ref->kind == KERF_REF_PAIR) {
            find_lows(view, ref);
            ref->low_relative = ref->form == FORM_AUIPC;
            if (ref->low_count == 0) {
                ref->kind = KERF_REF_NONE;
            }
        }
    }
    return length_of(view->p);
}

bool kerf_riscv_get(const struct kerf_ref *shape, const uint8_t *p, kerf_addr pc, kerf_addr *target)
{
    if (shape->kind == KERF_REF_PAIR) {
        return join(shape->form, p, p + shape->low_at[0], pc, target);
    }
    return kerf_form_get(&set, shape->form, p, pc, target);
}

void kerf_riscv_put(unsigned form, uint8_t *p, kerf_addr pc, kerf_addr target)
{
    kerf_form_put(&set, form, p, pc, target);
}
