/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Xtensa, little-endian, of both calling conventions: CALL0 alone (ESP8266), and windows (ESP32: CALL4, CALL8, CALL12).
 * Source of the encodings: Xtensa Instruction Set Architecture Reference Manual (2010), 3.8 and 7.
 *
 * Only where an instruction starts: they are 3 bytes long, with the density option also 2, and lie at any byte, so that
 * 1 position in 16 looks like a call.
 */
#include "common/isa/form.h"

enum {
    BASE_PC4,
    BASE_CALL,
    BASE_LITERAL
};
enum {
    BITS_CALL = 0,
    BITS_J = 1,
    BITS_LITERAL = 2,
    BITS_12 = 3,
    BITS_8 = 4,
    BITS_NARROW = 5
};
enum {
    FORM_CALLN = 9
};

/* L32R counts words back from the 256 KiB below the pc's next word. */
static const struct kerf_form_base bases[] = {{4, 0, 0}, {4, 2, 0}, {3, 2, -0x40000}};

static const struct kerf_form_bits bits[] = {
    {6, 2, 18},             /* BITS_CALL */
    {6, 0, 18},             /* BITS_J */
    {8, 2, 16},             /* BITS_LITERAL */
    {12, 0, 12},            /* BITS_12 */
    {16, 0, 8},             /* BITS_8 */
    {12, 0, 4},  {4, 4, 2}, /* BITS_NARROW */
};

static const struct kerf_form forms[] = {
    {0x000f, 0x0001, KERF_REF_LITERAL, 3, BASE_LITERAL, KERF_FORM_UNSIGNED, BITS_LITERAL, 1}, /* L32R */
    {0x003f, 0x0006, KERF_REF_JUMP, 3, BASE_PC4, KERF_FORM_SIGNED, BITS_J, 1},                /* J */
    {0x003f, 0x0016, KERF_REF_BRANCH, 3, BASE_PC4, KERF_FORM_SIGNED, BITS_12, 1},             /* BEQZ ... */
    {0x003f, 0x0026, KERF_REF_BRANCH2, 3, BASE_PC4, KERF_FORM_SIGNED, BITS_8, 1},             /* BEQI ... */
    {0x00bf, 0x00b6, KERF_REF_BRANCH2, 3, BASE_PC4, KERF_FORM_SIGNED, BITS_8, 1},             /* BLTUI, BGEUI */
    {0x80ff, 0x8076, KERF_REF_BRANCH2, 3, BASE_PC4, KERF_FORM_UNSIGNED, BITS_8, 1},           /* LOOP ... */
    {0x000f, 0x0007, KERF_REF_BRANCH2, 3, BASE_PC4, KERF_FORM_SIGNED, BITS_8, 1},             /* BEQ ... */
    {0x008f, 0x008c, KERF_REF_BRANCH2, 2, BASE_PC4, KERF_FORM_UNSIGNED, BITS_NARROW, 2},      /* BEQZ.N, BNEZ.N */
    {0x003f, 0x0005, KERF_REF_CALL, 3, BASE_CALL, KERF_FORM_SIGNED, BITS_CALL, 1},            /* CALL0 */
    {0x000f, 0x0005, KERF_REF_CALL, 3, BASE_CALL, KERF_FORM_SIGNED, BITS_CALL,
     1}, /* CALL4 ..., with windows only: last */
};

static const struct kerf_forms call0_set = {forms, bits, bases, FORM_CALLN, 0, false};
static const struct kerf_forms set = {forms, bits, bases, sizeof forms / sizeof forms[0], 0, false};

unsigned kerf_xtensa_scan(bool windowed, const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    unsigned op0 = view->p[0] & 15u;

    if (view->boundary) {
        (void)kerf_form_scan(windowed ? &set : &call0_set, view, ref);
    }
    return op0 >= 8 && op0 < 14 ? 2 : 3;
}

bool kerf_xtensa_get(const struct kerf_ref *shape, const uint8_t *p, kerf_addr pc, kerf_addr *target)
{
    return kerf_form_get(&set, shape->form, p, pc, target);
}

void kerf_xtensa_put(unsigned form, uint8_t *p, kerf_addr pc, kerf_addr target)
{
    kerf_form_put(&set, form, p, pc, target);
}
