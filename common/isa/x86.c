/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86 and x86-64. Source of the encodings: Intel 64 and IA-32 Architectures Software Developer's Manual, Volume 2
 * (325383), 2.1, 2.2.1.6 and appendix A.
 *
 * Calls, jumps and Jcc with 32-bit displacements, and operands in memory at [disp32]: relative to the next instruction
 * with 64 bits, absolute with 32. Looked for at every byte: telling the length of every instruction would take more
 * code than all the rest, and 32 bits seldom point into the image by chance.
 *
 * A form is where the field lies: bits 0-1: bytes before it; bits 2-4: bytes of the instruction behind it; bit 5: the
 * field is absolute. Prefixes are not part of it.
 */
#include "common/bytes.h"
#include "common/isa/isa.h"

#define FORM_BEHIND(len) ((len) << 2)
#define FORM_ABSOLUTE 0x20u

/* One-byte opcodes with an operand in memory: bit (opcode & 15) of element opcode >> 4. */
static const uint16_t has_memory[16] = {0x0f0f, 0x0f0f, 0x0f0f, 0x0f0f, 0,      0,      0x0a08, 0,
                                        0xaffb, 0,      0,      0,      0x00c3, 0xff0f, 0,      0xc0c0};

/* Bytes of immediate operand that follow the displacement, for the one-byte opcodes. */
static unsigned immediate_len(uint32_t op, uint32_t modrm)
{
    bool test = (op & 0xfe) == 0xf6 && (modrm & 0x30) == 0; /* alone in its group */

    if (op == 0x69 || op == 0x81 || op == 0xc7 || (test && op == 0xf7)) {
        return 4;
    }
    return op == 0x6b || op == 0x80 || op == 0x83 || op == 0xc0 || op == 0xc1 || op == 0xc6 || test;
}

/* The form of the instruction at p and its kind; 0: none. */
static unsigned form_of(bool wide, const uint8_t *p, unsigned *kind)
{
    uint32_t op = p[0];
    unsigned at = 2;
    unsigned behind = 0;

    *kind = op == 0xe8 ? KERF_REF_CALL : KERF_REF_JUMP;
    if (op == 0xe8 || op == 0xe9) {
        return 1;
    }
    if (op == 0x0f) {
        *kind = KERF_REF_BRANCH;
        if ((p[1] & 0xf0) == 0x80) {
            return 2;
        }
        at = 3;
    } else if ((has_memory[op >> 4] >> (op & 15) & 1) != 0) {
        behind = immediate_len(op, p[1]);
    } else {
        at = 0;
    }
    *kind = wide ? KERF_REF_LITERAL : KERF_REF_PAIR2;
    if (at != 0 && (p[at - 1] & 0xc7) == 0x05) {
        return at | (wide ? FORM_BEHIND(behind) : FORM_ABSOLUTE);
    }
    /* MOV of EAX from and to memory; MOV of an immediate; PUSH of one. */
    if (!wide && ((op & 0xfc) == 0xa0 || (op & 0xf8) == 0xb8 || op == 0x68)) {
        return 1 | FORM_ABSOLUTE;
    }
    return 0;
}

kerf_addr kerf_x86_code(unsigned form, uint8_t *p, kerf_addr pc, const kerf_addr *target)
{
    uint8_t *field = p + (form & 3);
    bool absolute = (form & FORM_ABSOLUTE) != 0;
    kerf_addr base = absolute ? 0 : pc + (form & 3) + 4 + (form >> 2);

    if (target != NULL) {
        kerf_store_le32(field, (uint32_t)(*target - base));
        return *target;
    }
    uint32_t v = kerf_load_le32(field);

    return absolute ? v : base + (kerf_addr)(kerf_shift)(int32_t)v;
}

unsigned kerf_x86_scan(bool wide, const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    unsigned kind;
    unsigned form = form_of(wide, view->p, &kind);

    if (form != 0 && (view->kinds >> kind & 1) != 0) {
        ref->kind = (uint8_t)kind;
        ref->form = (uint8_t)form;
        ref->len = (uint8_t)((form & 3) + 4);
        ref->target = kerf_x86_code(form, (uint8_t *)(uintptr_t)view->p, view->pc, NULL);
    }
    return 1;
}

#if KERF_ENCODER
bool kerf_x86_is(bool wide, unsigned form, const uint8_t *p)
{
    unsigned kind;

    return form_of(wide, p, &kind) == form;
}

size_t kerf_x86_pass(bool wide, const uint8_t *p, size_t len)
{
    unsigned kind;
    size_t n = 0;

    while (n < len && form_of(wide, p + n, &kind) == 0) {
        n++;
    }
    return n;
}
#endif
