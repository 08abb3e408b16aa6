/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 8051, found in Zigbee devices (CC253x), Wi-Fi controllers and embedded controllers. Source of the encodings: MCS 51
 * Microcontroller Family User's Manual (272383), chapter 2. AJMP and ACALL are left to the plain bytes.
 *
 * Addresses have 16 bits, upper byte first. Of code beyond 64 KiB, in banks that all appear at 0x8000, number k lies at k << 16 | 0x8000:
 * then an address from 0x8000 on is one in the bank that the instruction lies in. Data space is at 0x800000.
 *
 * Calls between banks go through a table of LCALL to one function, each with 3 bytes behind it that are the address as
 * it is here (IAR's compiler).
 */
#include "common/isa/form.h"

#include "common/bytes.h"

#if KERF_ISA_HAS_MCS51
enum {
    BASE_ZERO,
    BASE_BANK,
    BASE_DATA,
    BASE_PC2,
    BASE_PC3
};
enum {
    BITS_ADDR = 0,
    BITS_FAR = 2,
    BITS_REL2 = 3,
    BITS_REL3 = 4,
    BITS_LOW = 5,
    BITS_HIGH = 6
};

static const struct kerf_form_base bases[] = {
    {0, 16, 0, 0}, {0, 8, 0, 0}, {0, 16, 0, 0x20}, {2, 0, 0, 0}, {3, 0, 0, 0}};

static const struct kerf_form_bits bits[] = {
    {16, 0, 8}, {8, 8, 8}, /* BITS_ADDR */
    {0, 0, 24},            /* BITS_FAR */
    {8, 0, 8},             /* BITS_REL2 */
    {16, 0, 8},            /* BITS_REL3 */
    {8, 0, 8},             /* BITS_LOW */
    {8, 8, 8},             /* BITS_HIGH */
};

/* The opcode is the first byte, and above it the second. */
static const struct kerf_form forms[] = {
    KERF_FORM(0x80ff, 0x8012, KERF_REF_CALL, 3, BASE_BANK, 0, BITS_ADDR, 2),   /* LCALL of 0x8000 and above */
    KERF_FORM(0x00ff, 0x0012, KERF_REF_CALL, 3, BASE_ZERO, 0, BITS_ADDR, 2),   /* LCALL */
    KERF_FORM(0x80ff, 0x8002, KERF_REF_JUMP, 3, BASE_BANK, 0, BITS_ADDR, 2),   /* LJMP of 0x8000 and above */
    KERF_FORM(0x00ff, 0x0002, KERF_REF_JUMP, 3, BASE_ZERO, 0, BITS_ADDR, 2),   /* LJMP */
    KERF_FORM(0x00ff, 0x0090, KERF_REF_RAM, 3, BASE_DATA, 0, BITS_ADDR, 2),    /* MOV DPTR, # */
    KERF_FORM(0x00f8, 0x0078, KERF_REF_PAIR, 2, BASE_DATA, 0, BITS_LOW, 1),    /* MOV Rn, # of the lower byte */
    KERF_FORM(0, 1, KERF_REF_LOW, 2, BASE_ZERO, 0, BITS_HIGH, 1),              /* MOV Rn + 1, # of the upper byte */
    KERF_FORM(0x00cf, 0x0040, KERF_REF_BRANCH2, 2, BASE_PC2, 8, BITS_REL2, 1), /* JC, JNC, JZ, JNZ */
    KERF_FORM(0x00ff, 0x0080, KERF_REF_BRANCH2, 2, BASE_PC2, 8, BITS_REL2, 1), /* SJMP */
    KERF_FORM(0x00f8, 0x00d8, KERF_REF_BRANCH2, 2, BASE_PC2, 8, BITS_REL2, 1), /* DJNZ Rn */
    KERF_FORM(0x00ff, 0x0010, KERF_REF_BRANCH2, 3, BASE_PC3, 8, BITS_REL3, 1), /* JBC */
    KERF_FORM(0x00ef, 0x0020, KERF_REF_BRANCH2, 3, BASE_PC3, 8, BITS_REL3, 1), /* JB, JNB */
    KERF_FORM(0x00fc, 0x00b4, KERF_REF_BRANCH2, 3, BASE_PC3, 8, BITS_REL3, 1), /* CJNE */
    KERF_FORM(0x00f8, 0x00b8, KERF_REF_BRANCH2, 3, BASE_PC3, 8, BITS_REL3, 1), /* CJNE Rn */
    KERF_FORM(0x00ff, 0x00d5, KERF_REF_BRANCH2, 3, BASE_PC3, 8, BITS_REL3, 1), /* DJNZ of memory */
    KERF_FORM_LENGTH(0x00ef, 0x0043, 3),                                       /* ORL, ANL # to memory */
    KERF_FORM_LENGTH(0x00ff, 0x0063, 3),                                       /* XRL # to memory */
    KERF_FORM_LENGTH(0x00ff, 0x0075, 3),                                       /* MOV # to memory */
    KERF_FORM_LENGTH(0x00ff, 0x0085, 3),                                       /* MOV of memory to memory */
    KERF_FORM_LENGTH(0x00ff, 0x00a5, 1),
    KERF_FORM_LENGTH(0x000b, 0x0001, 2), /* all others of x1 and x5 */
    KERF_FORM_LENGTH(0x00ef, 0x00a0, 2), /* ORL, ANL C, /bit */
    KERF_FORM_LENGTH(0x00ef, 0x00c0, 2), /* PUSH, POP */
    KERF_FORM_LENGTH(0x00cf, 0x0042, 2),
    KERF_FORM_LENGTH(0x00cf, 0x0082, 2),
    KERF_FORM_LENGTH(0x00ef, 0x00c2, 2),
    KERF_FORM_LENGTH(0x00ef, 0x0024, 2),
    KERF_FORM_LENGTH(0x00cf, 0x0044, 2),
    KERF_FORM_LENGTH(0x00ff, 0x0094, 2),
    KERF_FORM_LENGTH(0x00fe, 0x0076, 2),
    KERF_FORM_LENGTH(0x00de, 0x0086, 2),
    KERF_FORM_LENGTH(0x00d8, 0x0088, 2),
    KERF_FORM_LENGTH(0, 0, 1),
    KERF_FORM(0, 0, KERF_REF_LITERAL, 3, BASE_ZERO, 0, BITS_FAR, 1), /* what follows an LCALL of the table */
};

/* The upper byte goes to the next register. */
const struct kerf_forms kerf_forms_mcs51 = {
    .forms = forms, .bits = bits, .bases = bases, .pairs = {0, 0, 0, 7, 1}, .swept = 4};

bool kerf_mcs51_far(const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    const uint8_t *p = view->p;

    if ((view->kinds >> KERF_REF_LITERAL & 1) == 0 || p[3] != 0x12 || p[9] != 0x12 || p[4] != p[10] || p[5] != p[11]) {
        return false;
    }
    ref->kind = KERF_REF_LITERAL;
    ref->form = (uint8_t)(sizeof forms / sizeof forms[0] - 1);
    ref->len = 3;
    ref->target = view->pc - (kerf_addr)(uint32_t)view->pc + kerf_load_le24(p);
    return true;
}
#endif
