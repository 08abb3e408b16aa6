/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/port/bare/port_stack.h"
#include "patcher/port/bare/device.h"

#define STACK_SIZE 1024 /* bytes; SHA-256 takes some 400 */

/* Starts as zeros, which stand for paint: what was in use may be a few bytes more when zeros were pushed last. */
__attribute__((used)) _Alignas(16) uint8_t kerf_port_stack[STACK_SIZE];

#define TEXT(x) #x
#define VALUE(x) TEXT(x)

#ifdef __riscv
/* All arguments are in registers. */
#define ENTRY(name)                                                                                                    \
    __asm__(".pushsection .text.kerf_entry_" #name ", \"ax\", %progbits\n"                                             \
            ".balign 4\n"                                                                                              \
            ".global kerf_entry_" #name "\n"                                                                           \
            ".type kerf_entry_" #name ", %function\n"                                                                  \
            "kerf_entry_" #name ":\n"                                                                                  \
            "addi sp, sp, -16\n"                                                                                       \
            "sw ra, 12(sp)\n"                                                                                          \
            "sw s0, 8(sp)\n"                                                                                           \
            "mv s0, sp\n"                                                                                              \
            "la sp, kerf_port_stack + " VALUE(STACK_SIZE) "\n"                                                         \
                                                          "call kerf_device_" #name "\n"                               \
                                                          "mv sp, s0\n"                                                \
                                                          "lw ra, 12(sp)\n"                                            \
                                                          "lw s0, 8(sp)\n"                                             \
                                                          "addi sp, sp, 16\n"                                          \
                                                          "ret\n"                                                      \
                                                          ".popsection\n")
#else
/*
 * r0 .. r3 are the arguments, a fifth lies on the stack and is copied along. Instructions of ARMv6-M. No interrupt of a
 * peripheral is ever enabled, so that nothing minds where sp points.
 */
#define ENTRY(name)                                                                                                    \
    __asm__(".pushsection .text.kerf_entry_" #name ", \"ax\", %progbits\n"                                             \
            ".balign 4\n"                                                                                              \
            ".thumb\n"                                                                                                 \
            ".syntax unified\n"                                                                                        \
            ".global kerf_entry_" #name "\n"                                                                           \
            ".type kerf_entry_" #name ", %function\n"                                                                  \
            "kerf_entry_" #name ":\n"                                                                                  \
            "push {r4, r5, r6, lr}\n"                                                                                  \
            "mov r4, sp\n"                                                                                             \
            "ldr r6, [r4, #16]\n"                                                                                      \
            "ldr r5, =kerf_port_stack + " VALUE(STACK_SIZE) " - 8\n"                                                   \
                                                            "mov sp, r5\n"                                             \
                                                            "str r6, [r5]\n"                                           \
                                                            "bl kerf_device_" #name "\n"                               \
                                                            "mov sp, r4\n"                                             \
                                                            "pop {r4, r5, r6, pc}\n"                                   \
                                                            ".pool\n"                                                  \
                                                            ".popsection\n")
#endif

ENTRY(read_old);
ENTRY(read_new);
ENTRY(erase_new);
ENTRY(write_new);
ENTRY(read_spare);
ENTRY(erase_spare);
ENTRY(write_spare);
ENTRY(hash);

uint32_t kerf_port_stack_peak(void)
{
    uint32_t unused = 0;

    while (unused < STACK_SIZE && kerf_port_stack[unused] == 0) {
        unused++;
    }
    return STACK_SIZE - unused;
}
