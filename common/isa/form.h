/* SPDX-License-Identifier: Apache-2.0 */
/*
 * form.h - instruction sets as tables; for isa.c and the instruction sets alone.
 *
 * A form says how one instruction is told, which bits of it hold a value, and what that value is counted from. One
 * table serves finding, reading and writing, so that they can't drift; code remains only for what a table can't say.
 */
#ifndef KERF_COMMON_ISA_FORM_H
#define KERF_COMMON_ISA_FORM_H

#include "common/isa/isa.h"

/* Is any of them in this build? */
#define KERF_FORMS_BESIDE_THUMB                                                                                        \
    (KERF_ISA_HAS_A32 || KERF_ISA_HAS_AARCH64 || KERF_ISA_HAS_XTENSA || KERF_ISA_HAS_RISCV || KERF_ISA_HAS_AVR ||      \
     KERF_ISA_HAS_MIPS || KERF_ISA_HAS_ARC || KERF_ISA_HAS_VIDEOCORE || KERF_ISA_HAS_POWERPC || KERF_ISA_HAS_NDS32 ||  \
     KERF_ISA_HAS_MIPS16 || KERF_ISA_HAS_TC32 || KERF_ISA_HAS_MCS51 || KERF_ISA_HAS_BA2 || KERF_ISA_HAS_HEXAGON ||     \
     KERF_ISA_HAS_OFFSETS)
#define KERF_FORMS (KERF_ISA_HAS_THUMB || KERF_FORMS_BESIDE_THUMB)

/* Bits [from, from + width) of the instruction are bits [to, to + width) of its value. */
struct kerf_form_bits {
    uint16_t from : 5, to : 5, width : 5;
};

/* What a value is counted from: ((pc + before) rounded down to a multiple of 2^n) + after * 2^18. */
struct kerf_form_base {
    uint8_t before;
    uint8_t align; /* half of n; 16: nothing is left of the pc, the value is absolute */
    uint8_t round; /* not 0: 2^round is added to a value before its lower bits are cut off: its second half is signed */
    int8_t after;
};

struct kerf_form {
    uint16_t mask, match;  /* of the opcode (struct kerf_forms); a mask of 0 and a match of 1 is never found */
    uint8_t kind : 4;      /* enum kerf_ref_kind; KERF_REF_NONE: an instruction without a target */
    uint8_t len : 4;       /* bytes, 1 .. 10; of more than 4 the last 4 are the word that fields lie in */
    uint8_t base : 3;      /* index into the instruction set's bases */
    uint8_t bit_count : 5; /* fields */
    uint8_t sign;          /* n: the value has n bits, the top one its sign; 0: it has none */
    uint8_t bits;          /* index of its first field: that of the lowest bits, which say the unit of the value */
};

/* In `sign`: the top bit is no sign but says whether the bits below are added (1) or subtracted (0). */
#define KERF_FORM_UP_DOWN 0x80u

#define KERF_FORM(mask, match, kind, len, base, sign, bits, bit_count)                                                 \
    {                                                                                                                  \
        mask, match, kind, len, base, bit_count, sign, bits                                                            \
    }
#define KERF_FORM_LENGTH(mask, match, len) KERF_FORM(mask, match, KERF_REF_NONE, len, 0, 0, 0, 0)

/*
 * How second halves are told: by the register that the first half writes, KERF_REF_LOW, or of the next register a first
 * half like it. No instruction is looked at behind a half that writes that register again.
 */
struct kerf_form_pairs {
    uint8_t first;   /* the lowest bit of the register that a first half writes */
    uint8_t second;  /* ... that a second half reads */
    uint8_t written; /* ... that a second half writes */
    uint8_t mask;    /* of these registers */
    uint8_t step;    /* the second half's register is so many higher; then it is the form behind the first's */
};

#define KERF_FORMS_UPPER 24

/* An instruction set. The index in `forms` is the number of a form; the first that matches counts; the last matches all. */
struct kerf_forms {
    const struct kerf_form *forms;
    const struct kerf_form_bits *bits;
    const struct kerf_form_base *bases;
    struct kerf_form_pairs pairs;
    uint8_t align; /* the lowest bits of the pc, 0 where instructions start */
    uint8_t
        opcode; /* the opcode is the 16 bits from this one on, 0 behind 31; KERF_FORMS_UPPER: bits 24-31 and, above them, bits 8-15 */
    uint8_t swept; /* instructions of at most so many bytes are taken only where the sweep says that one starts */
    bool big;      /* instructions are big-endian words of 4 bytes */
    bool padded;   /* kerf_xtensa_padding() is asked */
    bool mirrored; /* the bits of each byte are the other way round */
    bool alone;    /* first halves count without a second one, as KERF_REF_PAIR2 */
};

extern const struct kerf_forms kerf_forms_thumb, kerf_forms_a32, kerf_forms_aarch64, kerf_forms_avr, kerf_forms_mips_le,
    kerf_forms_mips_be, kerf_forms_riscv32, kerf_forms_riscv64, kerf_forms_xtensa_call0, kerf_forms_xtensa_windowed,
    kerf_forms_arc, kerf_forms_videocore, kerf_forms_powerpc_be, kerf_forms_powerpc_le, kerf_forms_nds32,
    kerf_forms_mips16, kerf_forms_tc32, kerf_forms_mcs51, kerf_forms_ba2, kerf_forms_hexagon, kerf_forms_offsets;

/* Bytes at the view that are none of an instruction. xtensa.c */
unsigned kerf_xtensa_padding(const struct kerf_isa_view *view);

/* An address of 3 bytes in a table of calls between banks; false: it is none. mcs51.c */
bool kerf_mcs51_far(const struct kerf_isa_view *view, struct kerf_ref *ref);

/* As in isa.h, where pc is a multiple of what the set asks. */
#if KERF_FORMS
unsigned kerf_forms_scan(const struct kerf_forms *set, const struct kerf_isa_view *view, struct kerf_ref *ref);
kerf_addr kerf_forms_code(const struct kerf_forms *set, unsigned form, uint8_t *p, kerf_addr pc,
                          const kerf_addr *target);
#if KERF_ENCODER
void kerf_forms_nothing(const struct kerf_forms *set, unsigned kinds, const uint8_t *p, size_t len, kerf_addr pc,
                        uint8_t *nothing);
bool kerf_forms_get(const struct kerf_forms *set, const struct kerf_ref *shape, const uint8_t *p, kerf_addr pc,
                    kerf_addr *target);
/* less: the target before less the one now. */
bool kerf_forms_stays(const struct kerf_forms *set, unsigned form, kerf_addr less, kerf_addr from, kerf_addr to);
/* For kerf_isa_pass(). */
void kerf_forms_lens(const struct kerf_forms *set, unsigned kinds, uint8_t lens[KERF_PASS_FORMS]);
size_t kerf_forms_pass(const struct kerf_forms *set, const uint8_t lens[KERF_PASS_FORMS], const uint8_t *p, size_t len,
                       kerf_addr pc, size_t *next);
#endif
#else
static inline unsigned kerf_forms_scan(const struct kerf_forms *set, const struct kerf_isa_view *view,
                                       struct kerf_ref *ref)
{
    (void)set;
    (void)view;
    (void)ref;
    return 1;
}

static inline bool kerf_forms_get(const struct kerf_forms *set, const struct kerf_ref *shape, const uint8_t *p,
                                  kerf_addr pc, kerf_addr *target)
{
    (void)set;
    (void)shape;
    (void)p;
    (void)pc;
    (void)target;
    return false;
}

static inline kerf_addr kerf_forms_code(const struct kerf_forms *set, unsigned form, uint8_t *p, kerf_addr pc,
                                        const kerf_addr *target)
{
    (void)set;
    (void)form;
    (void)p;
    (void)target;
    return pc;
}
#endif

#endif
