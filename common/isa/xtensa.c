/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Xtensa, little-endian, of both calling conventions: CALL0 alone (ESP8266), and windows (ESP32: CALL4, CALL8, CALL12).
 * Source of the encodings: Xtensa Instruction Set Architecture Reference Manual (2010), 3.8 and 7.
 *
 * Instructions are 2 or 3 bytes long, at any byte, and 1 in 16 looks like a call, so that all hangs on the sweep's
 * being in step: taking calls wherever they seem to be made deltas of ESP32 images twice as large. What throws it out
 * of step are literals, and the padding before them, before functions and loops: known for what it is, a fifth less
 * delta.
 */
#include "common/isa/form.h"

#if KERF_ISA_HAS_XTENSA
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
    AT_WINDOWED = 2
};

/* L32R counts words back from the 256 KiB below the pc's next word. */
static const struct kerf_form_base bases[] = {{4, 0, 0, 0}, {4, 1, 0, 0}, {3, 1, 0, -1}};

static const struct kerf_form_bits bits[] = {
    {6, 2, 18},             /* BITS_CALL */
    {6, 0, 18},             /* BITS_J */
    {8, 2, 16},             /* BITS_LITERAL */
    {12, 0, 12},            /* BITS_12 */
    {16, 0, 8},             /* BITS_8 */
    {12, 0, 4},  {4, 4, 2}, /* BITS_NARROW */
};

static const struct kerf_form forms[] = {
    KERF_FORM(0x003f, 0x0005, KERF_REF_CALL, 3, BASE_CALL, 20, BITS_CALL, 1), /* CALL0 */
    KERF_FORM_LENGTH(0x000f, 0x0005, 3),                                      /* without windows: data */
    KERF_FORM_LENGTH(0x003f, 0x0005, 3), /* AT_WINDOWED: CALL0 is hardly ever one */
    KERF_FORM(0x000f, 0x0005, KERF_REF_CALL, 3, BASE_CALL, 20, BITS_CALL, 1),         /* CALL4, CALL8, CALL12 */
    KERF_FORM(0x000f, 0x0001, KERF_REF_LITERAL, 3, BASE_LITERAL, 0, BITS_LITERAL, 1), /* L32R */
    KERF_FORM(0x003f, 0x0006, KERF_REF_JUMP, 3, BASE_PC4, 18, BITS_J, 1),             /* J */
    KERF_FORM(0x003f, 0x0016, KERF_REF_BRANCH, 3, BASE_PC4, 12, BITS_12, 1),          /* BEQZ ... */
    KERF_FORM(0x003f, 0x0026, KERF_REF_BRANCH2, 3, BASE_PC4, 8, BITS_8, 1),           /* BEQI ... */
    KERF_FORM(0x00bf, 0x00b6, KERF_REF_BRANCH2, 3, BASE_PC4, 8, BITS_8, 1),           /* BLTUI, BGEUI */
    KERF_FORM(0x80ff, 0x8076, KERF_REF_BRANCH2, 3, BASE_PC4, 0, BITS_8, 1),           /* LOOP ... */
    KERF_FORM(0x000f, 0x0007, KERF_REF_BRANCH2, 3, BASE_PC4, 8, BITS_8, 1),           /* BEQ ... */
    KERF_FORM(0x008f, 0x008c, KERF_REF_BRANCH2, 2, BASE_PC4, 0, BITS_NARROW, 2),      /* BEQZ.N, BNEZ.N */
    KERF_FORM_LENGTH(0x0008, 0x0000, 3),
    KERF_FORM_LENGTH(0x000e, 0x000e, 3),
    KERF_FORM_LENGTH(0, 0, 2),
};

/*
 * Zeros up to a multiple of 4, where functions and loops start. Three of them are an instruction for the sweep
 * (padding, too); shifts by register, SSL and SLL, have one in front.
 */
unsigned kerf_xtensa_padding(const struct kerf_isa_view *view)
{
    const uint8_t *p = view->p;
    unsigned phase = (unsigned)view->pc & 3;

    if (phase < 2 || p[0] != 0 || (p[1] | p[2]) == 0 || (phase == 2 ? p[1] != 0 : p[2] == 0x40 || p[2] == 0xa1)) {
        return 0;
    }
    return 4 - phase;
}

const struct kerf_forms kerf_forms_xtensa_call0 = {
    .forms = forms, .bits = bits, .bases = bases, .padded = true, .swept = 4};
const struct kerf_forms kerf_forms_xtensa_windowed = {
    .forms = forms + AT_WINDOWED, .bits = bits, .bases = bases, .padded = true, .swept = 4};
#endif
