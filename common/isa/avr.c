/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AVR. Source of the encodings: AVR Instruction Set Manual (DS40002198).
 *
 * Flash is at its byte addresses, as GNU tools have it; instructions count in words of 2 bytes. Data space is at 0x800000: a
 * range for 8 KiB of RAM at 0x2000 starts at 0x802000 (docs/FORMAT.md, "Ranges").
 */
#include "common/bytes.h"
#include "common/isa/form.h"

enum {
    BASE_ZERO,
    BASE_PC2,
    BASE_DATA
};
enum {
    BITS_CALL = 0,
    BITS_RJMP = 3,
    BITS_BRANCH = 4,
    BITS_DATA = 5,
    BITS_LDI = 6,
    BITS_LDI_HIGH = 8
};
enum {
    FORM_LDI = 5,
    FORM_LDI_HIGH
};

static const struct kerf_form_base bases[] = {{0, 32, 0}, {2, 0, 0}, {0, 32, 0x800000}};

static const struct kerf_form_bits bits[] = {
    {16, 1, 16}, {0, 17, 1}, {4, 18, 5}, /* BITS_CALL */
    {0, 1, 12},                          /* BITS_RJMP */
    {3, 1, 7},                           /* BITS_BRANCH */
    {16, 0, 16},                         /* BITS_DATA */
    {0, 0, 4},   {8, 4, 4},              /* BITS_LDI */
    {0, 8, 4},   {8, 12, 4},             /* BITS_LDI_HIGH */
};

static const struct kerf_form forms[] = {
    {0xfe0e, 0x940e, KERF_REF_CALL, 4, BASE_ZERO, KERF_FORM_UNSIGNED, BITS_CALL, 3},   /* CALL */
    {0xfe0e, 0x940c, KERF_REF_JUMP, 4, BASE_ZERO, KERF_FORM_UNSIGNED, BITS_CALL, 3},   /* JMP */
    {0xfc0f, 0x9000, KERF_REF_RAM, 4, BASE_DATA, KERF_FORM_UNSIGNED, BITS_DATA, 1},    /* LDS, STS */
    {0xe000, 0xc000, KERF_REF_BRANCH, 2, BASE_PC2, KERF_FORM_SIGNED, BITS_RJMP, 1},    /* RJMP, RCALL */
    {0xf800, 0xf000, KERF_REF_BRANCH2, 2, BASE_PC2, KERF_FORM_SIGNED, BITS_BRANCH, 1}, /* BREQ ... */
    {0xf000, 0xe000, KERF_REF_PAIR, 2, BASE_DATA, KERF_FORM_UNSIGNED, BITS_LDI, 2},    /* LDI */
    {0, 1, KERF_REF_LOW, 2, BASE_ZERO, KERF_FORM_UNSIGNED, BITS_LDI_HIGH, 2},          /* LDI of the next register */
};

static const struct kerf_forms set = {forms, bits, bases, sizeof forms / sizeof forms[0], 0, false};

/* The second LDI is looked for this many bytes after the first. */
#define LDI_REACH 4u

/* p loads the lower byte of a data address into a register, q the upper byte into the next. */
static bool join(const uint8_t *p, const uint8_t *q, kerf_addr *target)
{
    kerf_addr high;

    if (!kerf_form_get(&set, FORM_LDI, p, 0, target)) {
        return false;
    }
    (void)kerf_form_get(&set, FORM_LDI_HIGH, q, 0, &high);
    *target |= high;
    return (kerf_load_le16(q) & 0xf0f0) == (kerf_load_le16(p) & 0xf0f0) + 0x10;
}

unsigned kerf_avr_scan(const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    uint32_t insn = kerf_load_le16(view->p);

    if ((view->pc & 1) != 0) {
        return 1;
    }
    if (view->boundary) {
        (void)kerf_form_scan(&set, view, ref);
    }
    if (ref->kind == KERF_REF_PAIR) {
        for (unsigned at = 2; at <= LDI_REACH && ref->low_count == 0; at += 2) {
            kerf_addr target;

            if (join(view->p, view->p + at, &target)) {
                kerf_form_pair(ref, at, FORM_LDI_HIGH, target);
            }
        }
        if (ref->low_count == 0) {
            ref->kind = KERF_REF_NONE;
        }
    }
    return (insn & 0xfe0c) == 0x940c || (insn & 0xfc0f) == 0x9000 ? 4 : 2;
}

bool kerf_avr_get(const struct kerf_ref *shape, const uint8_t *p, kerf_addr pc, kerf_addr *target)
{
    if (shape->form == FORM_LDI) {
        return join(p, p + shape->low_at[0], target);
    }
    return kerf_form_get(&set, shape->form, p, pc, target);
}

void kerf_avr_put(unsigned form, uint8_t *p, kerf_addr pc, kerf_addr target)
{
    kerf_form_put(&set, form, p, pc, target);
}
