/* SPDX-License-Identifier: Apache-2.0 */
/* Instruction sets: known encodings, targets read and written, and that nothing but the view is looked at. */
#include "common/isa/isa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"

#define ALL_KINDS 0xffffu

/* A reference at `pc`. The bytes were assembled with GNU binutils, or by hand from the manuals and read back by objdump. */
struct sample {
    uint8_t isa;
    uint8_t kind;
    uint8_t len;
    uint32_t pc;
    uint32_t target;
    const char *hex; /* the instructions from pc on */
    uint8_t low_count;
    uint8_t low_at[KERF_REF_LOWS];
    int16_t low_delta[KERF_REF_LOWS];
};

/* A table: one reference a line. */
/* clang-format off */
#define ALONE 0, {0}, {0}

static const struct sample samples[] = {
    {KERF_ISA_THUMB, KERF_REF_CALL, 4, 0x1000, 0x1000, "fff7feff", ALONE},             /* bl . */
    {KERF_ISA_THUMB, KERF_REF_BRANCH, 4, 0x1000, 0x1008, "00f00280", ALONE},           /* beq.w */

    {KERF_ISA_A32, KERF_REF_CALL, 4, 0x100000, 0x0fffc0, "eeffffeb", ALONE},          /* bl */
    {KERF_ISA_A32, KERF_REF_CALL, 4, 0x100000, 0x100008, "0000000b", ALONE},          /* bleq */
    {KERF_ISA_A32, KERF_REF_CALL, 4, 0x100000, 0x100046, "0f0000fb", ALONE},          /* blx, to a halfword */
    {KERF_ISA_A32, KERF_REF_JUMP, 4, 0x100000, 0x102008, "000800ea", ALONE},          /* b */
    {KERF_ISA_A32, KERF_REF_BRANCH, 4, 0x100000, 0x0fffe0, "f6ffff1a", ALONE},        /* bne */
    {KERF_ISA_A32, KERF_REF_LITERAL, 4, 0x114, 0xfc, "20301fe5", ALONE},              /* ldr r3, [pc, #-32] */
    {KERF_ISA_A32, KERF_REF_LITERAL, 4, 0x118, 0x144, "24309fe5", ALONE},             /* ldr r3, [pc, #36] */
    {KERF_ISA_A32, KERF_REF_LITERAL, 4, 0x11c, 0x128, "0410dfe5", ALONE},             /* ldrb r1, [pc, #4] */
    {KERF_ISA_A32, KERF_REF_LITERAL, 4, 0x120, 0x120, "021b1fed", ALONE},             /* vldr d1, [pc, #-8] */
    {KERF_ISA_A32, KERF_REF_PAIR, 4, 0, 0x12345678, "785605e3345241e3", 1, {4}, {0}}, /* movw, movt r5 */
    {KERF_ISA_A32, KERF_REF_PAIR, 4, 0, 0x12345678, "785605e30000a0e1345241e3", 1, {8}, {0}},

    {KERF_ISA_AARCH64, KERF_REF_CALL, 4, 0x100, 0xc0, "f0ffff97", ALONE},                      /* bl */
    {KERF_ISA_AARCH64, KERF_REF_JUMP, 4, 0x104, 0x2104, "00080014", ALONE},                    /* b */
    {KERF_ISA_AARCH64, KERF_REF_BRANCH, 4, 0x108, 0xe8, "01ffff54", ALONE},                    /* b.ne */
    {KERF_ISA_AARCH64, KERF_REF_BRANCH, 4, 0x10c, 0x14c, "030200b4", ALONE},                   /* cbz x3 */
    {KERF_ISA_AARCH64, KERF_REF_BRANCH2, 4, 0x110, 0xd0, "03fe2f37", ALONE},                   /* tbnz w3, #5 */
    {KERF_ISA_AARCH64, KERF_REF_LITERAL, 4, 0x114, 0x178, "21030058", ALONE},                  /* ldr x1 */
    {KERF_ISA_AARCH64, KERF_REF_LITERAL, 4, 0x118, 0xb4, "e1fcff9c", ALONE},                   /* ldr q1 */
    {KERF_ISA_AARCH64, KERF_REF_LITERAL, 4, 0x120, 0x123, "00000070", ALONE},                  /* adr x0 */
    {KERF_ISA_AARCH64, KERF_REF_PAIR, 4, 0x100000, 0xb01123, "015000b0218c0491", 1, {4}, {0}}, /* adrp, add x1 */
    /* adrp x2 and four users: ldr, str q, ldrb, ldrh */
    {KERF_ISA_AARCH64, KERF_REF_PAIR, 4, 0x100008, 0xffc03128,
     "02d8fff0439440f9434c803d441c4039421c4079", 3, {4, 8, 12}, {0, 8, -289}},
    {KERF_ISA_AARCH64, KERF_REF_PAIR, 4, 0x100000, 0xb01123, "015000b0218c0491228c4039", 1, {4}, {0}},
    {KERF_ISA_AARCH64, KERF_REF_PAIR2, 4, 0x100000, 0xb01000, "015000b0418c0491", ALONE}, /* adrp x1; add x1, x2 */

    {KERF_ISA_XTENSA_CALL0, KERF_REF_CALL, 3, 0x100000, 0x100000, "c5ffff", ALONE},       /* call0 */
    {KERF_ISA_XTENSA_CALL0, KERF_REF_CALL, 3, 0x100003, 0x100000, "c5ffff", ALONE},       /* from the word of the pc */
    {KERF_ISA_XTENSA_WINDOWED, KERF_REF_CALL, 3, 0x100000, 0x100000, "e5ffff", ALONE},    /* call8 */
    {KERF_ISA_XTENSA_CALL0, KERF_REF_JUMP, 3, 0x100003, 0x0fffc0, "46eeff", ALONE},       /* j */
    {KERF_ISA_XTENSA_CALL0, KERF_REF_BRANCH, 3, 0x100006, 0x0fffd0, "1663fc", ALONE},     /* beqz a3 */
    {KERF_ISA_XTENSA_CALL0, KERF_REF_BRANCH2, 3, 0x100009, 0x100002, "2643f5", ALONE},    /* beqi a3, 4 */
    {KERF_ISA_XTENSA_CALL0, KERF_REF_BRANCH2, 3, 0x10000c, 0x100002, "f653f2", ALONE},    /* bgeui a3, 5 */
    {KERF_ISA_XTENSA_CALL0, KERF_REF_BRANCH2, 3, 0x10000f, 0x100002, "47b4ef", ALONE},    /* bgeu a4, a4 */
    {KERF_ISA_XTENSA_CALL0, KERF_REF_BRANCH2, 2, 0x100012, 0x100019, "8c33", ALONE},      /* beqz.n a3 */
    {KERF_ISA_XTENSA_WINDOWED, KERF_REF_BRANCH2, 3, 0x100000, 0x1000f4, "7683f0", ALONE}, /* loop a3 */
    {KERF_ISA_XTENSA_CALL0, KERF_REF_LITERAL, 3, 0x100014, 0x0ffff8, "31f9ff", ALONE}, /* l32r a3 */
    {KERF_ISA_XTENSA_WINDOWED, KERF_REF_LITERAL, 3, 0x100015, 0x0c0018, "310000", ALONE}, /* l32r, the farthest */

    {KERF_ISA_RISCV32, KERF_REF_CALL, 4, 0x100000, 0x0fffc0, "eff01ffc", ALONE},                 /* jal ra */
    {KERF_ISA_RISCV32, KERF_REF_JUMP, 4, 0x100004, 0x1ff800, "6ff0cf7f", ALONE},                 /* j */
    {KERF_ISA_RISCV64, KERF_REF_BRANCH, 4, 0x100008, 0x1007f4, "6306b57e", ALONE},               /* beq a0, a1 */
    {KERF_ISA_RISCV64, KERF_REF_BRANCH, 4, 0x10000c, 0x0ff82a, "e37fb580", ALONE},               /* bgeu a0, a1 */
    {KERF_ISA_RISCV64, KERF_REF_BRANCH2, 2, 0x100010, 0x100096, "59c1", ALONE},                  /* c.beqz a0 */
    {KERF_ISA_RISCV64, KERF_REF_BRANCH2, 2, 0x100012, 0x0fff12, "01d1", ALONE},                  /* c.beqz a0 */
    {KERF_ISA_RISCV64, KERF_REF_BRANCH2, 2, 0x100014, 0x0ff824, "01b8", ALONE},                  /* c.j */
    {KERF_ISA_RISCV32, KERF_REF_BRANCH2, 2, 0x100018, 0x100002, "ed37", ALONE},                  /* c.jal */
    {KERF_ISA_RISCV64, KERF_REF_PAIR, 4, 0x100000, 0x12444ffb, "175534121305b5ff", 1, {4}, {0}}, /* auipc, addi a0 */
    {KERF_ISA_RISCV64, KERF_REF_PAIR, 4, 0x100008, 0x0ff807, "17f3ffffe700f37f", 1, {4}, {0}},   /* auipc, jalr t1 */
    /* auipc a1; lw 4(a1), sw -8(a1), addi a1 */
    {KERF_ISA_RISCV64, KERF_REF_PAIR, 4, 0x100010, 0x101014,
     "9715000003a6450023acc5fe93858500", 3, {4, 8, 12}, {0, -12, 4}},
    {KERF_ISA_RISCV32, KERF_REF_PAIR, 4, 0, 0x7fffffff, "b707008003c7f7ff", 1, {4}, {0}}, /* lui a5; lbu -1(a5) */
    {KERF_ISA_RISCV32, KERF_REF_PAIR, 4, 0, 0x7fffffff, "b7070080010003c7f7ff", 1, {6}, {0}},

    {KERF_ISA_X86, KERF_REF_CALL, 5, 0x100, 0xc0, "e8bbffffff", ALONE},                 /* call */
    {KERF_ISA_X86, KERF_REF_JUMP, 5, 0x105, 0x2104, "e9fa1f0000", ALONE},               /* jmp */
    {KERF_ISA_X86_64, KERF_REF_BRANCH, 6, 0x100, 0x1106, "0f8500100000", ALONE},        /* jne */
    {KERF_ISA_X86, KERF_REF_PAIR2, 5, 0, 0x12345678, "a178563412", ALONE},              /* mov 0x12345678, %eax */
    {KERF_ISA_X86, KERF_REF_PAIR2, 5, 0, 0x12345678, "b978563412", ALONE},              /* mov $0x12345678, %ecx */
    {KERF_ISA_X86, KERF_REF_PAIR2, 5, 0, 0x12345678, "6878563412", ALONE},              /* push $0x12345678 */
    {KERF_ISA_X86, KERF_REF_PAIR2, 6, 0, 0x12345678, "c6057856341201", ALONE},          /* movb $1, 0x12345678 */
    {KERF_ISA_X86, KERF_REF_PAIR2, 7, 0, 0x12345678, "0fb60578563412", ALONE},          /* movzbl 0x12345678, %eax */
    {KERF_ISA_X86_64, KERF_REF_LITERAL, 6, 0x117, 0x1355, "c7053412000005000000", ALONE}, /* movl $5, 0x1234(%rip) */
    {KERF_ISA_X86_64, KERF_REF_LITERAL, 6, 0x121, 0xf8, "803dd0ffffff05", ALONE},         /* cmpb $5, -0x30(%rip) */
    {KERF_ISA_X86_64, KERF_REF_LITERAL, 6, 0x129, 0x173, "8d3d44000000", ALONE},          /* lea, behind its prefix */
    {KERF_ISA_X86_64, KERF_REF_LITERAL, 6, 0x12f, 0x145, "ff1510000000", ALONE},          /* call *0x10(%rip) */
    {KERF_ISA_X86_64, KERF_REF_LITERAL, 7, 0x135, 0x14c, "0fb60510000000", ALONE},        /* movzbl 0x10(%rip), %eax */
    {KERF_ISA_X86_64, KERF_REF_LITERAL, 6, 0x13c, 0x153, "f6051000000001", ALONE},        /* testb $1, 0x10(%rip) */
    {KERF_ISA_X86_64, KERF_REF_LITERAL, 6, 0x143, 0x15d, "f7051000000001000000", ALONE},  /* testl $1, 0x10(%rip) */
    {KERF_ISA_X86_64, KERF_REF_LITERAL, 6, 0x14d, 0x163, "f71510000000", ALONE},          /* notl 0x10(%rip) */
    {KERF_ISA_X86_64, KERF_REF_LITERAL, 6, 0x15b, 0x175, "69051000000000010000", ALONE},  /* imul $0x100 */

    /* BL, back and ahead, also from the second half of a word; BLNE; B; BEQ; BREQ; BL_S; BEQ_S; BREQ_S; LD_S; MOV_S */
    {KERF_ISA_ARC, KERF_REF_CALL, 4, 0x100000, 0x0fffc0, "c20fcfff", ALONE},
    {KERF_ISA_ARC, KERF_REF_CALL, 4, 0x100002, 0x343560, "620d8121", ALONE},
    {KERF_ISA_ARC, KERF_REF_CALL, 4, 0x100000, 0x100804, "04084200", ALONE},
    {KERF_ISA_ARC, KERF_REF_JUMP, 4, 0x100000, 0x300802, "03004100", ALONE},
    {KERF_ISA_ARC, KERF_REF_BRANCH, 4, 0x100000, 0x0ffffe, "fe07c1ff", ALONE},
    {KERF_ISA_ARC, KERF_REF_BRANCH2, 4, 0x100000, 0x0fff02, "030900c0", ALONE},
    {KERF_ISA_ARC, KERF_REF_CALL, 2, 0x100002, 0x0ffffc, "ffff", ALONE},
    {KERF_ISA_ARC, KERF_REF_BRANCH2, 2, 0x100002, 0x100010, "08f2", ALONE},
    {KERF_ISA_ARC, KERF_REF_BRANCH2, 2, 0x100000, 0x0fff80, "40e8", ALONE},
    {KERF_ISA_ARC, KERF_REF_LITERAL, 2, 0x100002, 0x1003fc, "ffd0", ALONE},
    {KERF_ISA_ARC, KERF_REF_PAIR2, 6, 0x100000, 0x12345678, "cf7034127856", ALONE},

    /* BL, back and ahead; B; BNE; BNE, short; LEA R0, of both lengths; LD R4 of pc; LD R2, ADD R6, ADD R13, of R24; LD R7 */
    {KERF_ISA_VIDEOCORE, KERF_REF_CALL, 4, 0x100000, 0x0fffc0, "ff9fe0ff", ALONE},
    {KERF_ISA_VIDEOCORE, KERF_REF_CALL, 4, 0x100000, 0x247372, "8a90b939", ALONE},
    {KERF_ISA_VIDEOCORE, KERF_REF_JUMP, 4, 0x100000, 0x211df4, "089efa8e", ALONE},
    {KERF_ISA_VIDEOCORE, KERF_REF_BRANCH, 4, 0x100000, 0x0ffffe, "7f91ffff", ALONE},
    {KERF_ISA_VIDEOCORE, KERF_REF_BRANCH2, 2, 0x100000, 0x100022, "9118", ALONE},
    {KERF_ISA_VIDEOCORE, KERF_REF_LITERAL, 4, 0x100000, 0x10020c, "e0bf0c02", ALONE},
    {KERF_ISA_VIDEOCORE, KERF_REF_LITERAL, 6, 0x100000, 0x3b9894, "00e594982b00", ALONE},
    {KERF_ISA_VIDEOCORE, KERF_REF_LITERAL, 6, 0x100000, 0x2ed1fe, "04e7fed11ef8", ALONE},
    {KERF_ISA_VIDEOCORE, KERF_REF_RAM, 4, 0x100000, 0x0e50, "02a8500e", ALONE},
    {KERF_ISA_VIDEOCORE, KERF_REF_RAM, 4, 0x100000, 0x0af4, "06b7f40a", ALONE},
    {KERF_ISA_VIDEOCORE, KERF_REF_RAM, 6, 0x100000, 0x0d0bb4, "0defb40b0d00", ALONE},
    {KERF_ISA_VIDEOCORE, KERF_REF_RAM, 6, 0x100000, 0x054558, "07e6584505c0", ALONE},

    {KERF_ISA_POWERPC_BE, KERF_REF_CALL, 4, 0x100, 0xc0, "4bffffc1", ALONE},              /* bl */
    {KERF_ISA_POWERPC_BE, KERF_REF_CALL, 4, 0x110, 0x123564, "48123455", ALONE},          /* bl */
    {KERF_ISA_POWERPC_LE, KERF_REF_CALL, 4, 0x110, 0x123564, "55341248", ALONE},          /* bl */
    {KERF_ISA_POWERPC_BE, KERF_REF_JUMP, 4, 0x104, 0x2104, "48002000", ALONE},            /* b */
    {KERF_ISA_POWERPC_BE, KERF_REF_BRANCH, 4, 0x108, 0xe8, "4182ffe0", ALONE},            /* beq */
    {KERF_ISA_POWERPC_LE, KERF_REF_BRANCH, 4, 0x10c, 0x710c, "00700042", ALONE},          /* bdnz */
    {KERF_ISA_POWERPC_BE, KERF_REF_BRANCH, 4, 0x144, 0x148, "429f0005", ALONE},           /* bcl 20,31 */
    /* lis r9; lwz r3, -32752(r9), stw r3, -32748(r9), addi r9; a store of r9 behind it is another's */
    {KERF_ISA_POWERPC_BE, KERF_REF_PAIR, 4, 0x114, 0x12348010,
     "3d2012358069801090698014392980189929ffff", 3, {4, 8, 12}, {0, 4, 8}},
    {KERF_ISA_POWERPC_LE, KERF_REF_PAIR, 4, 0x124, 0x118008, "12004c3c088062e8", 1, {4}, {0}},      /* addis r2, r12; ld r3 */
    {KERF_ISA_POWERPC_BE, KERF_REF_PAIR, 4, 0x124, 0x120010, "3c4c0012c8220010", 1, {4}, {0}},      /* lfd f1 */
    {KERF_ISA_POWERPC_BE, KERF_REF_PAIR, 4, 0x124, 0x120008, "3c4c0012f8820008", 1, {4}, {0}},      /* std r4 */
    {KERF_ISA_POWERPC_BE, KERF_REF_PAIR, 4, 0x148, 0x1234ffff,
     "3d20123560000000600000009869ffff", 1, {12}, {0}}, /* lis r9; nop; nop; stb r3, -1(r9) */

    {KERF_ISA_NDS32, KERF_REF_CALL, 4, 0x100000, 0x0fffc0, "49ffffe0", ALONE},                /* jal */
    {KERF_ISA_NDS32, KERF_REF_JUMP, 4, 0x100002, 0x102002, "48001000", ALONE},                /* j */
    {KERF_ISA_NDS32, KERF_REF_BRANCH, 4, 0x100000, 0x0ffffc, "4e42fffe", ALONE},              /* beqz r4 */
    {KERF_ISA_NDS32, KERF_REF_BRANCH2, 4, 0x100000, 0x100010, "4c114008", ALONE},             /* bne r1, r2 */
    {KERF_ISA_NDS32, KERF_REF_BRANCH2, 2, 0x100002, 0x10000e, "c006", ALONE},                 /* beqz38 r0 */
    {KERF_ISA_NDS32, KERF_REF_BRANCH2, 2, 0x100002, 0x0ffffe, "e9fe", ALONE},                 /* bnezs8 */
    {KERF_ISA_NDS32, KERF_REF_PAIR, 4, 0, 0x12345678, "46012345920058000678", 1, {6}, {0}}, /* sethi; nop16; ori */
    /* sethi r1; lwi r2, [r1 + 16], sbi r2, [r1 + 3], addi r1, 8; an ori of r1 behind it is another's */
    {KERF_ISA_NDS32, KERF_REF_PAIR, 4, 0, 0x12345010,
     "4611234504208004102080035010800858108010", 3, {4, 8, 12}, {0, -13, -8}},
    {KERF_ISA_NDS32, KERF_REF_PAIR, 4, 0, 0x12345ffe, "461123452220ffff", 1, {4}, {0}}, /* lhsi r2, [r1 - 2] */

    {KERF_ISA_MIPS16, KERF_REF_CALL, 4, 0x80100000, 0x80123458, "8018168d", ALONE},           /* jal */
    {KERF_ISA_MIPS16, KERF_REF_JUMP, 4, 0x100000, 0x0ffffe, "fff71d10", ALONE},               /* b, extended */
    {KERF_ISA_MIPS16, KERF_REF_BRANCH, 4, 0x100000, 0x100104, "80f00022", ALONE},             /* beqz v0, extended */
    {KERF_ISA_MIPS16, KERF_REF_BRANCH, 4, 0x100000, 0x100144, "a0f00061", ALONE},             /* btnez, extended */
    {KERF_ISA_MIPS16, KERF_REF_LITERAL, 4, 0x100002, 0x100424, "20f404b2", ALONE},            /* lw v0, of pc, extended */
    {KERF_ISA_MIPS16, KERF_REF_LITERAL, 4, 0x100000, 0x100021, "20f0010a", ALONE},            /* la v0, extended */
    {KERF_ISA_MIPS16, KERF_REF_BRANCH2, 2, 0x100000, 0x0ffffe, "fe17", ALONE},                /* b */
    {KERF_ISA_MIPS16, KERF_REF_BRANCH2, 2, 0x100002, 0x100014, "082a", ALONE},                /* bnez v0 */
    {KERF_ISA_MIPS16, KERF_REF_BRANCH2, 2, 0x100002, 0x100008, "0260", ALONE},                /* bteqz */
    {KERF_ISA_MIPS16, KERF_REF_LITERAL, 2, 0x100002, 0x1003fc, "ffb2", ALONE},                /* lw v0, of pc */
    {KERF_ISA_MIPS16, KERF_REF_LITERAL, 2, 0x100002, 0x100008, "020a", ALONE},                /* la v0 */

    {KERF_ISA_TC32, KERF_REF_CALL, 4, 0x1000, 0x0ffe, "ff97fd9f", ALONE},    /* tjl */
    {KERF_ISA_TC32, KERF_REF_CALL, 4, 0x1002, 0x12808, "1190019c", ALONE},   /* tjl, ahead */
    {KERF_ISA_TC32, KERF_REF_BRANCH, 2, 0x1000, 0x1000, "fe87", ALONE},      /* tj . */
    {KERF_ISA_TC32, KERF_REF_BRANCH, 2, 0x1002, 0x100a, "02c1", ALONE},      /* tjne */
    {KERF_ISA_TC32, KERF_REF_LITERAL, 2, 0x1002, 0x1014, "0408", ALONE},     /* tloadr r0, [pc, #16] */

    {KERF_ISA_BA2, KERF_REF_CALL, 3, 0x80123, 0x800bf, "48e7ff", ALONE},            /* bn.jal */
    {KERF_ISA_BA2, KERF_REF_CALL, 4, 0x80123, 0x80174, "d48a0000", ALONE},          /* bg.jal */
    {KERF_ISA_BA2, KERF_REF_JUMP, 4, 0x80123, 0x80174, "d58a0000", ALONE},          /* bg.j */
    {KERF_ISA_BA2, KERF_REF_BRANCH, 4, 0x80123, 0x80174, "d78a0000", ALONE},        /* bg.bnf */
    {KERF_ISA_BA2, KERF_REF_JUMP, 3, 0x80123, 0x80174, "468a00", ALONE},            /* bn.j */
    {KERF_ISA_BA2, KERF_REF_BRANCH, 3, 0x80123, 0x80174, "4728a0", ALONE},          /* bn.bf */
    {KERF_ISA_BA2, KERF_REF_BRANCH, 3, 0x80123, 0x80174, "4768a0", ALONE},          /* bn.bc */
    {KERF_ISA_BA2, KERF_REF_BRANCH, 4, 0x80123, 0x800bf, "d2a1039f", ALONE},        /* bg.beq */
    {KERF_ISA_BA2, KERF_REF_BRANCH2, 3, 0x80123, 0x800bf, "400139", ALONE},         /* bn.beqi */
    {KERF_ISA_BA2, KERF_REF_BRANCH2, 3, 0x80123, 0x80174, "45018a", ALONE},         /* bn.bltsi */
    {KERF_ISA_BA2, KERF_REF_BRANCH2, 2, 0x80123, 0x80174, "0e28", ALONE},           /* bt.j */
    {KERF_ISA_BA2, KERF_REF_RAM, 6, 0x80123, 0x04001234, "98e02c480020", ALONE},    /* bw.ori r7, r0 */
    {KERF_ISA_BA2, KERF_REF_RAM, 6, 0x80123, 0x04001234, "84e02c480020", ALONE},    /* bw.lbz */
    {KERF_ISA_BA2, KERF_REF_RAM, 6, 0x80123, 0x04001234, "88e0ac480020", ALONE},    /* bw.lhz */
    {KERF_ISA_BA2, KERF_REF_RAM, 6, 0x80123, 0x04001234, "8ce06c480020", ALONE},    /* bw.lwz */

    {KERF_ISA_HEXAGON, KERF_REF_CALL, 4, 0x1000, 0x1100, "80c0005a", ALONE},                 /* call */
    {KERF_ISA_HEXAGON, KERF_REF_CALL, 4, 0x1000, 0x0ffc, "feffff5b", ALONE},                 /* call, back */
    {KERF_ISA_HEXAGON, KERF_REF_JUMP, 4, 0x1000, 0x1100, "80c00058", ALONE},                 /* jump */
    {KERF_ISA_HEXAGON, KERF_REF_CALL, 4, 0x1000, 0x1100, "80c0005d", ALONE},                 /* if (p0) call */
    {KERF_ISA_HEXAGON, KERF_REF_CALL, 4, 0x1000, 0x0ffc, "fee0df5d", ALONE},                 /* if (p0) call, back */
    {KERF_ISA_HEXAGON, KERF_REF_BRANCH, 4, 0x1000, 0x1100, "80c0205c", ALONE},               /* if (!p0) jump:nt */
    {KERF_ISA_HEXAGON, KERF_REF_BRANCH, 4, 0x1000, 0x1100, "80c00061", ALONE},               /* if (r0!=#0) jump:nt */
    {KERF_ISA_HEXAGON, KERF_REF_BRANCH2, 4, 0x1000, 0x1100, "80c50110", ALONE},              /* p0=cmp.eq(r1,#5); jump */
    {KERF_ISA_HEXAGON, KERF_REF_BRANCH2, 4, 0x1000, 0x1100, "80c50116", ALONE},              /* r1=#5; jump */
    {KERF_ISA_HEXAGON, KERF_REF_BRANCH2, 4, 0x1000, 0x1100, "80c00224", ALONE},              /* if (cmp.eq(r1.new,#0)) */
    {KERF_ISA_HEXAGON, KERF_REF_PAIR, 4, 0, 0x12345678, "5951230100c70078", 1, {4}, {0}},    /* r0 = ## */
    {KERF_ISA_HEXAGON, KERF_REF_PAIR, 4, 0, 0x12345678, "5951230101c70275", 1, {4}, {0}},    /* cmp.eq(r2,##) */
    {KERF_ISA_HEXAGON, KERF_REF_PAIR, 4, 0, 0x12345678, "5951230101c78049", 1, {4}, {0}},    /* r1 = memw(##) */
    {KERF_ISA_HEXAGON, KERF_REF_PAIR, 4, 0, 0x12345678, "5951230138c28048", 1, {4}, {0}},    /* memw(##) = r2 */
    {KERF_ISA_HEXAGON, KERF_REF_PAIR, 4, 0, 0x12345678, "5951230138c382a1", 1, {4}, {0}},    /* memw(r2+##) = r3 */
    {KERF_ISA_HEXAGON, KERF_REF_PAIR, 4, 0, 0x12345678, "59512301b8c0433c", 1, {4}, {0}},    /* memw(r3+#4) = ## */
    {KERF_ISA_HEXAGON, KERF_REF_PAIR, 4, 0, 0x12345678, "5951230101de829b", 1, {4}, {0}},    /* r1 = memw(r2=##) */
    {KERF_ISA_HEXAGON, KERF_REF_PAIR, 4, 0, 0x12345678, "595123012100804b", 1, {4}, {0}},    /* r0 = ##, r1 = memw(r2) */
    {KERF_ISA_HEXAGON, KERF_REF_PAIR, 4, 0, 0x12345678, "5951230180c0005a00c70078", 1, {8}, {0}}, /* behind a call */

    {KERF_ISA_OFFSETS, KERF_REF_LITERAL, 4, 0x20000, 0x1000, "0010feff", ALONE},    /* back */
    {KERF_ISA_OFFSETS, KERF_REF_LITERAL, 4, 0x1000, 0x12002000, "00100012", ALONE}, /* ahead */

    {KERF_ISA_MCS51, KERF_REF_CALL, 3, 0x58123, 0x59abc, "129abc", ALONE},             /* lcall, within its bank */
    {KERF_ISA_MCS51, KERF_REF_CALL, 3, 0x58123, 0x1abc, "121abc", ALONE},              /* lcall */
    {KERF_ISA_MCS51, KERF_REF_JUMP, 3, 0x8123, 0x9abc, "029abc", ALONE},               /* ljmp */
    {KERF_ISA_MCS51, KERF_REF_JUMP, 3, 0x58123, 0x1abc, "021abc", ALONE},              /* ljmp */
    {KERF_ISA_MCS51, KERF_REF_RAM, 3, 0x58123, 0x801234, "901234", ALONE},             /* mov dptr, #0x1234 */
    {KERF_ISA_MCS51, KERF_REF_PAIR, 2, 0x58123, 0x801234, "7a34e97b12", 1, {3}, {0}},  /* mov r2; mov a, r1; mov r3 */
    {KERF_ISA_MCS51, KERF_REF_BRANCH2, 2, 0x8124, 0x8120, "70fa", ALONE},              /* jnz */
    {KERF_ISA_MCS51, KERF_REF_BRANCH2, 2, 0x8124, 0x8136, "8010", ALONE},              /* sjmp */
    {KERF_ISA_MCS51, KERF_REF_BRANCH2, 2, 0x8124, 0x8124, "dffe", ALONE},              /* djnz r7 */
    {KERF_ISA_MCS51, KERF_REF_BRANCH2, 3, 0x8124, 0x8137, "109910", ALONE},            /* jbc */
    {KERF_ISA_MCS51, KERF_REF_BRANCH2, 3, 0x8124, 0x8137, "309910", ALONE},            /* jnb */
    {KERF_ISA_MCS51, KERF_REF_BRANCH2, 3, 0x8124, 0x8137, "b60510", ALONE},            /* cjne @r0 */
    {KERF_ISA_MCS51, KERF_REF_BRANCH2, 3, 0x8124, 0x8137, "bf0510", ALONE},            /* cjne r7 */
    {KERF_ISA_MCS51, KERF_REF_BRANCH2, 3, 0x8124, 0x8137, "d53010", ALONE},            /* djnz 0x30 */
    {KERF_ISA_MCS51, KERF_REF_LITERAL, 3, 0x2003, 0x05e822, "22e80512198f40d00312198f", ALONE}, /* between two calls of one function */

    {KERF_ISA_AVR, KERF_REF_CALL, 4, 0x100, 0x40, "0e942000", ALONE},           /* call */
    {KERF_ISA_AVR, KERF_REF_CALL, 4, 0x108, 0x7ffffe, "ff95ffff", ALONE},       /* call, the highest */
    {KERF_ISA_AVR, KERF_REF_JUMP, 4, 0x104, 0x1fffe, "0c94ffff", ALONE},        /* jmp */
    {KERF_ISA_AVR, KERF_REF_BRANCH, 2, 0x10c, 0xcc, "dfcf", ALONE},             /* rjmp */
    {KERF_ISA_AVR, KERF_REF_BRANCH, 2, 0x10e, 0x150, "20d0", ALONE},            /* rcall */
    {KERF_ISA_AVR, KERF_REF_BRANCH2, 2, 0x110, 0x122, "41f0", ALONE},           /* breq */
    {KERF_ISA_AVR, KERF_REF_BRANCH2, 2, 0x112, 0x104, "c0f7", ALONE},           /* brcc */
    {KERF_ISA_AVR, KERF_REF_RAM, 4, 0x114, 0x802345, "80914523", ALONE},        /* lds r24 */
    {KERF_ISA_AVR, KERF_REF_RAM, 4, 0x118, 0x802345, "80934523", ALONE},        /* sts r24 */
    {KERF_ISA_AVR, KERF_REF_PAIR, 2, 0, 0x802345, "85e493e2", 1, {2}, {0}},     /* ldi r24, r25 */
    {KERF_ISA_AVR, KERF_REF_PAIR, 2, 0, 0x801234, "e4e325e0f2e1", 1, {4}, {0}}, /* ldi r30; r18; r31 */

    {KERF_ISA_MIPS32_BE, KERF_REF_CALL, 4, 0x100000, 0x100040, "0c040010", ALONE},          /* jal */
    {KERF_ISA_MIPS32_BE, KERF_REF_CALL, 4, 0x90100000, 0x90100040, "0c040010", ALONE},      /* in its 256 MiB */
    {KERF_ISA_MIPS32_BE, KERF_REF_JUMP, 4, 0x100004, 0x100ffc, "080403ff", ALONE},          /* j */
    {KERF_ISA_MIPS32_BE, KERF_REF_BRANCH, 4, 0x100008, 0x0fffcc, "1085fff0", ALONE},        /* beq a0, a1 */
    {KERF_ISA_MIPS32_BE, KERF_REF_BRANCH, 4, 0x100010, 0x101010, "048003ff", ALONE},        /* bltz a0 */
    {KERF_ISA_MIPS32_BE, KERF_REF_CALL, 4, 0x100014, 0x0fff94, "0411ffdf", ALONE},          /* bal */
    {KERF_ISA_MIPS32_LE, KERF_REF_BRANCH, 4, 0x10000c, 0x100050, "10008014", ALONE},        /* bnez a0 */
    {KERF_ISA_MIPS32_LE, KERF_REF_PAIR, 4, 0, 0x8000fff0, "0180043cf0ff8424", 1, {4}, {0}}, /* lui, addiu a0 */
    /* lui a1; lw 16(a1), sw -16(a1), lbu 4(a1) to a1 */
    {KERF_ISA_MIPS32_BE, KERF_REF_PAIR, 4, 0, 0x12340010,
     "3c0512348ca60010aca6fff090a5000490a50008", 3, {4, 8, 12}, {0, -32, -12}},
};
/* clang-format on */
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

/* A view that ends where its block ends, so that a sanitizer sees a look beyond it. */
static uint8_t *new_view(void)
{
    uint8_t *p = calloc(1, KERF_ISA_VIEW_LEN);

    assert_non_null(p);
    return p;
}

static void from_hex(const char *hex, uint8_t *p)
{
    for (size_t i = 0; hex[2 * i] != '\0'; i++) {
        char byte[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        p[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* What the codec does with second halves (refs.c): each is written with its target, and must come out as it was. */
static void assert_lows_are_rewritten(unsigned isa, const struct kerf_ref *ref, const uint8_t *p, kerf_addr pc)
{
    for (unsigned i = 0; i < ref->low_count; i++) {
        uint32_t value = (uint32_t)(ref->target - (ref->low_relative ? pc : 0)) + (uint32_t)(int32_t)ref->low_delta[i];
        uint8_t again[8] = {0};

        assert_true(ref->low_at[i] >= ref->len && ref->low_at[i] + ref->len <= KERF_ISA_VIEW_LEN);
        memcpy(again, p + ref->low_at[i], ref->len);
        kerf_isa_put(isa, ref->low_form[i], again, pc + ref->low_at[i], value);
        assert_memory_equal(again, p + ref->low_at[i], ref->len);
    }
}

/* Scans, and checks what holds for any bytes. */
static unsigned scan(unsigned isa, const uint8_t *p, kerf_addr pc, unsigned kinds, bool boundary, struct kerf_ref *ref)
{
    const struct kerf_isa_view view = {p, pc, (uint16_t)kinds, boundary, 0, 0};

    memset(ref, 0, sizeof(*ref));
    ref->kind = KERF_REF_WORD; /* as a word that is none leaves it */
    ref->form = 0xa5;
    ref->target = 0xa5a5a5a5;
    unsigned step = kerf_isa_scan(isa, &view, ref);

    assert_in_range(step, boundary ? 1 : 0, 10);
    if (ref->kind != KERF_REF_NONE) {
        uint8_t again[16];
        kerf_addr target = 0;

        assert_true((kinds >> ref->kind & 1) != 0 && ref->kind < KERF_REF_KINDS && ref->kind != KERF_REF_LOW);
        assert_in_range(ref->len, 2, 8);
        assert_in_range(ref->low_count, 0, KERF_REF_LOWS);
        assert_true((ref->kind == KERF_REF_PAIR) == (ref->low_count > 0));
        assert_true(kerf_isa_get(isa, ref, p, pc, &target));
        assert_int_equal((uint32_t)target, (uint32_t)ref->target);
        memset(again, 0x3c, sizeof(again));
        memcpy(again, p, ref->len);
        kerf_isa_put(isa, ref->form, again, pc, (uint32_t)target);
        if (ref->kind != KERF_REF_PAIR && memcmp(again, p, ref->len) != 0) {
            /* Minus 0, or an ADRP with two signs: put() chooses one of two encodings. */
            assert_int_equal((uint32_t)kerf_isa_target(isa, ref->form, again, pc), (uint32_t)target);
        }
        for (size_t i = ref->len; i < sizeof(again); i++) {
            assert_int_equal(again[i], 0x3c);
        }
        assert_lows_are_rewritten(isa, ref, p, pc);
    }
    return step;
}

static void known_encodings_are_found_with_their_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        uint8_t *p = new_view();
        struct kerf_ref ref;

        from_hex(s->hex, p);
        unsigned step = scan(s->isa, p, s->pc, ALL_KINDS, true, &ref);

        assert_int_equal(ref.kind, s->kind);
        assert_int_equal(ref.len, s->len);
        assert_int_equal((uint32_t)ref.target, s->target);
        assert_int_equal(ref.low_count, s->low_count);
        for (unsigned k = 0; k < s->low_count; k++) {
            assert_int_equal(ref.low_at[k], s->low_at[k]);
            assert_int_equal(ref.low_delta[k], s->low_delta[k]);
        }
        if (s->isa != KERF_ISA_X86 && s->isa != KERF_ISA_X86_64) {
            assert_int_equal(step, s->len);
        }
        (void)scan(s->isa, p, s->pc, ALL_KINDS & ~(1u << s->kind), true, &ref);
        assert_true(ref.kind == KERF_REF_NONE || ref.kind == KERF_REF_PAIR2);
        free(p);
    }
}

static void moved_code_keeps_its_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];

        for (int shift = -64; shift <= 64; shift += 32) {
            uint8_t *p = new_view();
            struct kerf_ref ref;
            kerf_addr pc = s->pc + (kerf_addr)(kerf_shift)shift;
            kerf_addr target;

            from_hex(s->hex, p);
            (void)scan(s->isa, p, s->pc, ALL_KINDS, true, &ref);
            /* A second half that is relative counts from the place of the first. */
            kerf_isa_put(s->isa, ref.form, p, pc, s->target);
            for (unsigned k = 0; k < ref.low_count; k++) {
                uint32_t value = (uint32_t)(s->target - (ref.low_relative ? pc : 0)) +
                                 (uint32_t)(int32_t)ref.low_delta[k];

                kerf_isa_put(s->isa, ref.low_form[k], p + ref.low_at[k], pc + ref.low_at[k], value);
            }
            assert_true(kerf_isa_get(s->isa, &ref, p, pc, &target));
            /* The others don't reach that far. */
            if (ref.kind != KERF_REF_BRANCH2 && ref.kind != KERF_REF_LITERAL) {
                assert_int_equal((uint32_t)target, s->target);
            }
            free(p);
        }
    }
}

/* Any target that a form can hold is read back as it was written. */
static void targets_written_are_read_back(void **state)
{
    uint32_t random = 1;

    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        uint8_t *p = new_view();
        struct kerf_ref ref;

        from_hex(s->hex, p);
        (void)scan(s->isa, p, s->pc, ALL_KINDS, true, &ref);
        for (unsigned n = 0; n < 2000; n++) {
            kerf_addr pc = (s->pc + (next_random(&random) & 0xffff0)) & UINT32_MAX;
            uint32_t wanted = n < 40 ? (uint32_t)pc + (1u << n % 32) * (n < 32 ? 1 : UINT32_MAX) : next_random(&random);
            kerf_addr held;
            kerf_addr again;

            kerf_isa_put(s->isa, ref.form, p, pc, wanted);
            if (ref.kind == KERF_REF_PAIR || !kerf_isa_get(s->isa, &ref, p, pc, &held)) {
                continue;
            }
            kerf_isa_put(s->isa, ref.form, p, pc, (uint32_t)held);
            assert_true(kerf_isa_get(s->isa, &ref, p, pc, &again));
            assert_int_equal((uint32_t)again, (uint32_t)held);
        }
        free(p);
    }
}

static void any_bytes_are_safe_and_unchanged_by_their_own_target(void **state)
{
    uint32_t random = 2463534242u;

    (void)state;
    for (unsigned isa = 0; isa < KERF_ISA_COUNT; isa++) {
        unsigned found = 0;

        for (unsigned n = 0; n < 20000; n++) {
            uint8_t *p = new_view();
            struct kerf_ref ref;
            uint32_t r = next_random(&random);

            /* Plain random bytes, and ones of few values: registers agree more often. */
            for (unsigned i = 0; i < KERF_ISA_VIEW_LEN; i += 4) {
                kerf_store_le32(p + i, (r & 1) != 0 ? next_random(&random)
                                                    : next_random(&random) & 0x9717709fu & next_random(&random));
            }
            kerf_addr pc = next_random(&random) & ((r & 2) != 0 ? ~3u : ~0u);

            (void)scan(isa, p, pc, (r & 4) != 0 ? ALL_KINDS : r >> 16, (r & 8) == 0, &ref);
            found += ref.kind != KERF_REF_NONE;
            free(p);
        }
        assert_true((isa == KERF_ISA_NONE || isa == KERF_ISA_BTF || isa == KERF_ISA_WORDS || isa == KERF_ISA_ELF) ==
                    (found == 0));
    }
}

/* A decoder goes over bytes by their forms alone: a sweep finds nothing there either, and comes to the same place. */
static void what_is_passed_begins_no_reference(void **state)
{
    uint32_t random = 88172645u;

    (void)state;
    for (unsigned isa = 0; isa < KERF_ISA_COUNT; isa++) {
        size_t passed = 0;

        for (unsigned n = 0; n < 4000; n++) {
            uint8_t bytes[40 + KERF_ISA_VIEW_LEN];
            uint8_t lens[KERF_PASS_FORMS];
            kerf_addr pc = next_random(&random) & ((n & 1) != 0 ? ~3u : ~0u);
            uint32_t r = next_random(&random);
            unsigned kinds = (n & 2) != 0 ? r & 0xffff & ~(1u << KERF_REF_RECORDS) : 1u << KERF_REF_CALL;
            size_t expected = r >> 16 & 7;
            size_t next = expected;

            for (unsigned i = 0; i < sizeof bytes; i++) {
                bytes[i] = (uint8_t)((next_random(&random) & 3) == 0 ? 0 : next_random(&random));
            }
            size_t len = kerf_isa_lens(isa, kinds, lens) ? kerf_isa_pass(isa, lens, bytes, 40, pc, &next) : 0;

            assert_true(len <= 40);
            for (size_t i = 0; i < len; i++) {
                struct kerf_isa_view view = {bytes + i, pc + i, (uint16_t)kinds, i >= expected, 0, 0};
                struct kerf_ref ref = {0};
                unsigned step = kerf_isa_scan(isa, &view, &ref);

                assert_int_equal(ref.kind, KERF_REF_NONE);
                expected = i >= expected ? i + step : expected;
            }
            assert_int_equal(next < len ? len : next, expected < len ? len : expected);
            passed += len;
        }
        assert_true(passed > 4000 || isa == KERF_ISA_MCS51);
    }
}

/* What is said to stay is what writing the target makes of it. */
static void what_stays_is_not_changed_by_its_new_target(void **state)
{
    uint32_t random = 3;
    unsigned stay = 0;

    (void)state;
    for (size_t i = 0; i < SAMPLES * 400; i++) {
        const struct sample *s = &samples[i / 400];
        uint8_t *p = new_view();
        uint8_t *again = new_view();
        struct kerf_ref ref;

        from_hex(s->hex, p);
        (void)scan(s->isa, p, s->pc, ALL_KINDS, true, &ref);
        memcpy(again, p, KERF_ISA_VIEW_LEN);
        kerf_addr move = next_random(&random) & (i % 2 == 0 ? 0xff000u : 0xffffeu);
        kerf_addr shift = move + next_random(&random) % 4 * (i % 3 == 0);
        unsigned form = (unsigned)s->isa << 8 | ref.form;

        if (kerf_isa_stays(form, &ref, s->pc, s->pc + move, ref.target + shift)) {
            kerf_addr target = ref.target + shift;

            (void)kerf_isa_code(form, again, s->pc + move, &target);
            assert_memory_equal(again, p, KERF_ISA_VIEW_LEN);
            stay++;
        }
        free(again);
        free(p);
    }
    assert_true(stay > SAMPLES * 50);
}

/* With MOVs between, so that the second half lies as far as it may, and one further. */
static void second_halves_are_looked_for_in_the_view_only(void **state)
{
    uint8_t *p = new_view();
    struct kerf_ref ref;

    (void)state;
    for (unsigned at = 4; at < KERF_ISA_VIEW_LEN; at += 4) {
        kerf_store_le32(p + at, 0xd503201f); /* nop */
    }
    kerf_store_le32(p, 0xb0005001);                         /* adrp x1 */
    kerf_store_le32(p + KERF_ISA_VIEW_LEN - 4, 0x91048c20); /* add x0, x1, #0x123 */
    (void)scan(KERF_ISA_AARCH64, p, 0x100000, ALL_KINDS, true, &ref);
    assert_int_equal(ref.kind, KERF_REF_PAIR);
    assert_int_equal(ref.low_at[0], KERF_ISA_VIEW_LEN - 4);
    kerf_store_le32(p + 4, 0x90000001); /* adrp x1 again: what follows is its */
    (void)scan(KERF_ISA_AARCH64, p, 0x100000, ALL_KINDS, true, &ref);
    assert_int_equal(ref.kind, KERF_REF_PAIR2);
    free(p);
}

static void odd_and_unaligned_positions_hold_no_aligned_instructions(void **state)
{
    static const uint8_t aligned[] = {KERF_ISA_A32,        KERF_ISA_AARCH64,    KERF_ISA_MIPS32_LE, KERF_ISA_MIPS32_BE,
                                      KERF_ISA_POWERPC_BE, KERF_ISA_POWERPC_LE, KERF_ISA_THUMB,     KERF_ISA_RISCV32,
                                      KERF_ISA_RISCV64,    KERF_ISA_AVR,        KERF_ISA_NDS32,     KERF_ISA_MIPS16,
                                      KERF_ISA_TC32,       KERF_ISA_HEXAGON};
    struct kerf_ref ref;

    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t *p = new_view();

        from_hex(samples[i].hex, p);
        for (size_t k = 0; k < sizeof(aligned); k++) {
            if (samples[i].isa == aligned[k]) {
                assert_int_equal(scan(aligned[k], p, samples[i].pc + 1u, ALL_KINDS, true, &ref), 1);
                assert_int_equal(ref.kind, KERF_REF_NONE);
            }
        }
        free(p);
    }
}

/* Zeros lead to the next multiple of 4, unless they are part of an instruction. */
static void xtensa_padding_is_no_instruction(void **state)
{
    static const struct {
        uint32_t pc;
        uint8_t bytes[3];
        uint8_t step;
    } known[] = {
        {0x1003, {0x00, 0x12, 0xc1}, 1}, /* then ADDI a1, a1 */
        {0x1002, {0x00, 0x00, 0x36}, 2}, /* then ENTRY */
        {0x1002, {0x00, 0x00, 0x00}, 3}, /* itself an instruction */
        {0x1001, {0x00, 0x00, 0x12}, 3}, {0x1000, {0x00, 0x00, 0x12}, 3}, {0x1003, {0x00, 0x13, 0x40}, 3}, /* SSL a3 */
        {0x1003, {0x00, 0x22, 0xa1}, 3}, /* SLL a2, a2 */
        {0x1003, {0x0c, 0x02, 0x00}, 2}, /* MOVI.N a2, 0 */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        uint8_t *p = new_view();
        struct kerf_ref ref;

        memcpy(p, known[i].bytes, sizeof(known[i].bytes));
        assert_int_equal(scan(KERF_ISA_XTENSA_WINDOWED, p, known[i].pc, ALL_KINDS, true, &ref), known[i].step);
        assert_int_equal(scan(KERF_ISA_XTENSA_CALL0, p, known[i].pc, ALL_KINDS, true, &ref), known[i].step);
        free(p);
    }
}

static void xtensa_calls_are_those_of_the_convention(void **state)
{
    uint8_t *p = new_view();
    struct kerf_ref ref;

    (void)state;
    p[0] = 0x05; /* CALL0 */
    (void)scan(KERF_ISA_XTENSA_WINDOWED, p, 0x1000, ALL_KINDS, true, &ref);
    assert_int_equal(ref.kind, KERF_REF_NONE);
    for (unsigned n = 1; n < 4; n++) {
        p[0] = (uint8_t)(0x05 | n << 4); /* CALL4, CALL8, CALL12 */
        (void)scan(KERF_ISA_XTENSA_WINDOWED, p, 0x1000, ALL_KINDS, true, &ref);
        assert_int_equal(ref.kind, KERF_REF_CALL);
        (void)scan(KERF_ISA_XTENSA_CALL0, p, 0x1000, ALL_KINDS, true, &ref);
        assert_int_equal(ref.kind, KERF_REF_NONE);
    }
    free(p);
}

/* What each word of data is, as a sweep sees it: n: a name, t: a type, '.': nothing, '-': no record. */
static void assert_records(const uint32_t *words, size_t count, const char *expected)
{
    uint8_t *p = calloc(1, 4 * count + KERF_ISA_VIEW_LEN);
    uint8_t record = 0;
    size_t next = 0;

    assert_non_null(p);
    for (size_t i = 0; i < count; i++) {
        kerf_store_le32(p + 4 * i, words[i]);
    }
    for (size_t pos = 0; pos < 4 * count; pos++) {
        const struct kerf_isa_view view = {p + pos,     0x1000 + pos, 1u << KERF_REF_RECORDS,
                                           pos >= next, record,       (uint32_t)(next - pos)};
        struct kerf_ref ref = {0};
        unsigned left = kerf_btf_scan(&view, &ref);
        char seen = ref.kind == KERF_REF_WORD ? 'n' : ref.kind == KERF_REF_RAM ? 't' : left > 0 ? '.' : '-';
        uint8_t again[4];

        assert_int_equal(seen, pos % 4 == 0 ? expected[pos / 4] : left > 0 ? '.' : '-');
        if (ref.kind != KERF_REF_NONE) {
            memcpy(again, p + pos, 4);
            kerf_isa_put(KERF_ISA_NONE, ref.form, again, 0, ref.target + 2);
            assert_int_equal(kerf_load_le32(again), kerf_load_le32(p + pos) + 1);
        }
        record = ref.record;
        next = view.boundary ? pos + (left > 0 ? left : 1) : next;
    }
    free(p);
}

/* Words of a file that begins at 0x1000: a table of two entries, a frame, and what comes after. */
static void elf_tables_and_frames_are_found(void **state)
{
    static const uint32_t words[] = {0x464c457f, 0x00010102, 0,          0x3b031b01, 0,      2,
                                     0xfffff000, 0x100,      0xfffff010, 0x120,      0x1234, 20,
                                     0x44,       0xffffff00, 64,         0,          0x2000, 0};
    static const char expected[] = "------tftf-.bp----";
    enum {
        COUNT = sizeof words / sizeof words[0]
    };
    uint8_t p[4 * COUNT + KERF_ISA_VIEW_LEN] = {0};
    struct kerf_elf elf = {{0}, {0}, 0};
    uint8_t record = 0;
    size_t next = 0;

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        kerf_store_le32(p + 4 * i, words[i]);
    }
    for (size_t pos = 0; pos < sizeof words; pos++) {
        const struct kerf_isa_view view = {p + pos,     0x1000 + pos, 1u << KERF_REF_FILES | 1u << KERF_REF_WORD8,
                                           pos >= next, record,       (uint32_t)(next - pos)};
        struct kerf_ref ref = {0};
        unsigned step = kerf_elf_scan(&view, 0x5000 + pos, &elf, &ref);
        char seen = ref.form == KERF_FORM_ELF + 1   ? (ref.kind == KERF_REF_WORD ? 't' : 'f')
                    : ref.form == KERF_FORM_ELF + 2 ? 'b'
                    : ref.form == KERF_FORM_ELF + 3 ? 'p'
                    : ref.record != 0               ? '.'
                                                    : '-';

        assert_int_equal(seen, pos % 4 == 0 ? expected[pos / 4] : ref.record != 0 ? '.' : '-');
        record = ref.record;
        next = seen == 't' || seen == 'f' ? pos + 4 : view.boundary ? pos + (step > 0 ? step : 1) : next;
        if (pos == 4 * 6) { /* from the table, which came to 0x500c */
            assert_int_equal((uint32_t)ref.target, 0x100c - 0x1000);
            assert_int_equal(kerf_elf_base(ref.form, 0x5018, &elf), 0x500c);
        } else if (pos == 4 * 12) {
            assert_int_equal(ref.target, 0x1000 + pos - 0x44);
        } else if (pos == 4 * 13) {
            assert_int_equal(ref.target, 0x1000 + pos - 0x100);
        } else if (pos == 4 * 16) { /* a pointer, from the header */
            assert_true(kerf_elf_word(&view, &elf, &ref));
            assert_int_equal(ref.target, 0x3000);
            assert_int_equal(kerf_elf_base(ref.form, 0x5018, &elf), 0x5000);
        }
    }
}

static void type_records_tell_names_from_types(void **state)
{
    static const uint32_t words[] = {
        1,  0x01000000, 4, 0x01000020,                   /* int */
        5,  0x04000002, 8, 7,          1, 0,  11, 4, 32, /* struct with two members */
        0,  0x0d000001, 1, 16,         3,                /* prototype with one parameter */
        0,  0x02000000, 2,                               /* pointer */
        0,  0x03000000, 0, 1,          1, 8,             /* array */
        21, 0x0c000001, 3,                               /* function */
        26, 0x0e000000, 1, 1,                            /* variable */
        31, 0x0f000001, 4, 7,          0, 4,             /* section */
        36, 0x13000001, 8, 40,         9, 0,             /* enumeration of 64 bits */
        44, 0x06000002, 4, 50,         0, 55, 1,         /* enumeration */
        60, 0x07000000, 0,                               /* forward */
        99, 0x20000000, 0,                               /* none: a bit that is always 0 */
    };
    (void)state;
    assert_records(words, sizeof(words) / sizeof(words[0]),
                   "n..."
                   "n..nt.nt."
                   "..tnt"
                   "..t"
                   "...tt."
                   "n.t"
                   "n.t."
                   "n..t.."
                   "n..n.."
                   "n..n.n."
                   "---"
                   "---");
}

static void what_is_not_quite_a_type_record_is_none(void **state)
{
    static const uint32_t pointer_with_count[] = {0, 0x02000001, 2, 0, 0x02000000, 3};
    static const uint32_t large_name[] = {0x1000000, 0x02000000, 2, 0, 0x02000000, 3};
    static const uint32_t no_next[] = {0, 0x02000000, 2, 0, 0, 0};
    static const uint32_t large_member[] = {1, 0x04000001, 2, 0x1000000, 1, 0, 0, 0x02000000, 3};

    (void)state;
    assert_records(pointer_with_count, 3, "---");
    assert_records(large_name, 3, "---");
    assert_records(no_next, 3, "---");
    assert_records(large_member, 4, "----");
}

static void unknown_instruction_sets_are_not_known(void **state)
{
    (void)state;
    for (unsigned isa = 0; isa < KERF_ISA_COUNT; isa++) {
        assert_true(kerf_isa_known(isa));
    }
    assert_false(kerf_isa_known(KERF_ISA_COUNT));
    assert_false(kerf_isa_known(255));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_encodings_are_found_with_their_targets),
        cmocka_unit_test(moved_code_keeps_its_targets),
        cmocka_unit_test(targets_written_are_read_back),
        cmocka_unit_test(any_bytes_are_safe_and_unchanged_by_their_own_target),
        cmocka_unit_test(what_is_passed_begins_no_reference),
        cmocka_unit_test(what_stays_is_not_changed_by_its_new_target),
        cmocka_unit_test(second_halves_are_looked_for_in_the_view_only),
        cmocka_unit_test(odd_and_unaligned_positions_hold_no_aligned_instructions),
        cmocka_unit_test(xtensa_padding_is_no_instruction),
        cmocka_unit_test(xtensa_calls_are_those_of_the_convention),
        cmocka_unit_test(elf_tables_and_frames_are_found),
        cmocka_unit_test(type_records_tell_names_from_types),
        cmocka_unit_test(what_is_not_quite_a_type_record_is_none),
        cmocka_unit_test(unknown_instruction_sets_are_not_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
