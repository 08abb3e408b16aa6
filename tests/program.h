/* SPDX-License-Identifier: Apache-2.0 */
/* program.h - programs of every instruction set, put together for tests that recognise them. cmocka.h comes first. */
#ifndef KERF_TESTS_PROGRAM_H
#define KERF_TESTS_PROGRAM_H

#include <string.h>

#include "common/bytes.h"
#include "common/isa/isa.h"
#include "tests/code_8051.h"
#include "tests/direct_calls.h"
#include "tests/pack.h"

#define FUNCTION_LEN 64u
#define FUNCTIONS 96u
#define STRING_LEN 24u
#define CODE_LEN (FUNCTIONS * FUNCTION_LEN)
/* Code, pointers to functions and strings, strings. */
#define PROGRAM_LEN (CODE_LEN + FUNCTIONS * 16u + FUNCTIONS * STRING_LEN)

/* What a program of one instruction set is made of. */
struct machine {
    uint8_t isa;
    uint8_t pointer_len;
    const char *start; /* first instructions of a function, in hexadecimal */
    const char *filler;
    void (*call)(uint8_t *p, uint32_t pc, uint32_t target);
};

static const struct machine machines[] = {
    {KERF_ISA_THUMB, 4, "f0b5", "00bf", call_thumb},                       /* push {r4-r7,lr}; nop */
    {KERF_ISA_A32, 4, "10402de9", "0000a0e1", call_a32},                   /* push {r4,lr}; nop */
    {KERF_ISA_AARCH64, 8, "fd7bbfa9", "1f2003d5", call_aarch64},           /* stp x29,x30,[sp,#-16]!; nop */
    {KERF_ISA_XTENSA_CALL0, 4, "12c1f0", "f02000", call0},                 /* addi a1,a1,-16; nop */
    {KERF_ISA_XTENSA_WINDOWED, 4, "364100", "f02000", call8},              /* entry a1,32; nop */
    {KERF_ISA_RISCV32, 4, "411106c6", "0100", call_riscv},                 /* c.addi sp,-16; c.swsp ra,12; c.nop */
    {KERF_ISA_RISCV64, 8, "411106e4", "0100", call_riscv},                 /* c.addi sp,-16; c.sdsp ra,8; c.nop */
    {KERF_ISA_X86, 4, "5589e5", "90", call_x86},                           /* push ebp; mov ebp,esp; nop */
    {KERF_ISA_X86_64, 8, "f30f1efa4883ec08", "90", call_x86},              /* endbr64; sub rsp,8; nop */
    {KERF_ISA_AVR, 4, "cf93df93", "0000", call_avr},                       /* push r28; push r29; nop */
    {KERF_ISA_MIPS32_LE, 4, "e8ffbd271400bfaf", "00000000", call_mips_le}, /* addiu sp,-24; sw ra,20(sp); nop */
    {KERF_ISA_MIPS32_BE, 4, "27bdffe8afbf0014", "00000000", call_mips_be},
    {KERF_ISA_ARC, 4, "f1c0", "e078", call_arc},                               /* push_s blink; nop_s */
    {KERF_ISA_POWERPC_BE, 4, "9421ffe07c0802a6", "60000000", call_powerpc_be}, /* stwu r1,-32(r1); mflr r0; nop */
    {KERF_ISA_POWERPC_LE, 8, "a602087ce1ff21f8", "00000060", call_powerpc_le}, /* mflr r0; stdu r1,-32(r1); nop */
    {KERF_ISA_NDS32, 4, "fc00", "9200", call_nds32},                           /* push25; nop16 */
    {KERF_ISA_MIPS16, 4, "f0630362", "0065", call_mips16},                     /* addiu sp,-128; sw ra,12(sp); nop */
    {KERF_ISA_BA2, 4, "47a404", "0400", call_ba2},                             /* bn.entri; bt.mov r0,r0 */
    {KERF_ISA_TC32, 4, "7065", "c006", call_tc32},                             /* tpush {r4-r6,lr}; nop */
    {KERF_ISA_HEXAGON, 4, "02c09da0", "00c0007f", call_hexagon},               /* allocframe(#16); nop */
    {KERF_ISA_VIDEOCORE, 4, "a703", "0100", call_videocore},                   /* stm r6-r13, lr, (--sp); nop */
};

static inline const struct machine *machine_of(unsigned isa)
{
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        if (machines[i].isa == isa) {
            return &machines[i];
        }
    }
    fail();
    return NULL;
}

static inline void put_pointer(const struct machine *m, uint8_t *p, uint32_t v)
{
    if (m->isa == KERF_ISA_MIPS32_BE || m->isa == KERF_ISA_POWERPC_BE || m->isa == KERF_ISA_BA2) {
        kerf_store_be32(p, v);
    } else if (m->pointer_len == 4) {
        kerf_store_le32(p, v);
    } else {
        kerf_store_le64(p, v);
    }
}

static inline uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Programs of different layouts begin their functions and strings at different places. */
static uint32_t program_layout;

/* Starts come irregularly, or the address would be ambiguous: at a multiple of 4 within the function's 64 bytes. */
static inline uint32_t function_at(uint32_t f)
{
    return f * FUNCTION_LEN + ((f + program_layout) * 2654435761u >> 29) * 4u;
}

static inline uint32_t string_at(uint32_t f)
{
    return CODE_LEN + FUNCTIONS * 16u + f * STRING_LEN + 1 + ((f + program_layout) * 2246822519u >> 29);
}

/* A program linked for `base`: functions that call each other at random, pointers to them and to strings, the strings. */
static inline void make_program(unsigned isa, uint32_t base, uint32_t seed, uint8_t *p)
{
    const struct machine *m = machine_of(isa);
    uint32_t pointers = CODE_LEN;

    memset(p, 0, PROGRAM_LEN);
    for (uint32_t f = 0; f < FUNCTIONS; f++) {
        uint32_t at = function_at(f);
        uint32_t end = (f + 1) * FUNCTION_LEN;

        at += (uint32_t)put_hex(p + at, m->start);
        for (unsigned k = 1; at + 12 < end; k++) {
            if (k % 4 == 1) {
                m->call(p + at, base + at, base + function_at(next_random(&seed) % FUNCTIONS));
                at += m->call == call_x86 ? 5 : m->call == call0 || m->call == call8 || m->call == call_ba2 ? 3 : 4;
            } else {
                at += (uint32_t)put_hex(p + at, m->filler);
            }
        }
        put_pointer(m, p + pointers + f * 8u,
                    base + function_at(f * 7u % FUNCTIONS) +
                        (isa == KERF_ISA_THUMB || isa == KERF_ISA_MIPS16 || isa == KERF_ISA_TC32));
        put_pointer(m, p + pointers + FUNCTIONS * 8u + f * 8u, base + string_at(f));
        memcpy(p + string_at(f), "text of nr. ", 12);
        p[string_at(f) + 12] = (uint8_t)('A' + f % 26);
    }
}

#endif
