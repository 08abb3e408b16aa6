/* SPDX-License-Identifier: Apache-2.0 */
/*
 * form.h - instructions whose target is a few bit fields, as tables; for the instruction sets alone.
 *
 * A form says how one instruction is told, which bits of it hold a value, and what that value is counted from. One table
 * serves finding, reading and writing, so that they can't drift; code remains only for what a table can't say.
 */
#ifndef KERF_COMMON_ISA_FORM_H
#define KERF_COMMON_ISA_FORM_H

#include "common/isa/isa.h"

/* Bits [from, from + width) of the instruction are bits [to, to + width) of its value. */
struct kerf_form_bits {
    uint8_t from, to, width;
};

/* What a value is counted from: ((pc + before) rounded down to a multiple of 2^align) + after. */
struct kerf_form_base {
    uint8_t before;
    uint8_t align; /* 32: nothing is left of the pc, the value is absolute */
    int32_t after;
};

enum kerf_form_sign {
    KERF_FORM_UNSIGNED,
    KERF_FORM_SIGNED,  /* the value's top bit is its sign */
    KERF_FORM_UP_DOWN, /* the value's top bit says whether the rest is added (1) or subtracted (0) */
};

struct kerf_form {
    uint16_t mask, match; /* of the half that holds the opcode; a mask of 0 and a match of 1 is never found */
    uint8_t kind;         /* enum kerf_ref_kind; KERF_REF_NONE hides the forms after it from these instructions */
    uint8_t len;          /* bytes, 2 .. 4 */
    uint8_t base;         /* index into the instruction set's bases */
    uint8_t sign;         /* enum kerf_form_sign */
    uint8_t bits;         /* index of its first field: that of the lowest bits, which say the unit of the value */
    uint8_t bit_count;    /* fields; the last one has the value's top bits; 0 where kind is KERF_REF_NONE */
};

/* The forms of an instruction set; the index in `forms` is the number of the form. */
struct kerf_forms {
    const struct kerf_form *forms;
    const struct kerf_form_bits *bits;
    const struct kerf_form_base *bases;
    uint8_t count;  /* of forms */
    uint8_t opcode; /* 0: the opcode is in bits 0-15, 16: in bits 16-31 */
    bool big;       /* instructions are big-endian words of 4 bytes */
};

/* The instruction at p, of len bytes (1 .. 4), zeros above. */
uint32_t kerf_form_load(const struct kerf_forms *set, const uint8_t *p, unsigned len);

/*
 * Looks for a form at view->p; fills *ref for one of a kind that is looked for (a KERF_REF_PAIR without second halves).
 * Returns the form's number, looked for or not; set->count: none.
 */
unsigned kerf_form_scan(const struct kerf_forms *set, const struct kerf_isa_view *view, struct kerf_ref *ref);

/* Reads the target, in any case; false: the bytes are not of this form, or hold -0. */
bool kerf_form_get(const struct kerf_forms *set, unsigned form, const uint8_t *p, kerf_addr pc, kerf_addr *target);

/* Writes the target. */
void kerf_form_put(const struct kerf_forms *set, unsigned form, uint8_t *p, kerf_addr pc, kerf_addr target);

/*
 * Gives *ref, a first half, one more second half, `at` bytes behind it, that together with it makes `target`. The first
 * such target becomes the reference's. There must be room for it.
 */
void kerf_form_pair(struct kerf_ref *ref, unsigned at, unsigned form, kerf_addr target);

#endif
