/* SPDX-License-Identifier: Apache-2.0 */
/*
 * startup.c - vector table (on RISC-V: entry point), memory set-up, and the painted stack. Symbols come from
 * sections.ld.
 */
#include "patcher/port/bare/startup.h"
#include "patcher/port/bare/semihost.h"

#include <string.h>

#define PAINT 0xa5u
#define EXIT_FAULT 100u

extern uint8_t kerf_ld_data_load[], kerf_ld_data[], kerf_ld_data_end[];
extern uint8_t kerf_ld_bss[], kerf_ld_bss_end[];
extern uint8_t kerf_ld_stack_limit[], kerf_ld_stack_top[];

int main(void);
_Noreturn void kerf_reset_handler(void);
_Noreturn void kerf_fault_handler(void);

#ifdef __riscv
/* The first bytes of the image: where the processor begins. */
__asm__(".pushsection .vectors, \"ax\", %progbits\n"
        ".global kerf_start\n"
        "kerf_start:\n"
        "la sp, kerf_ld_stack_top\n"
        "la t0, kerf_fault_handler\n"
        "csrw mtvec, t0\n"
        "j kerf_reset_handler\n"
        ".popsection\n");
#else
typedef void vector(void);

/* The core's 16 vectors; no interrupt of a peripheral is ever enabled. */
__attribute__((section(".vectors"), used)) static const union {
    vector *handler;
    uint8_t *stack;
} vectors[16] = {
    {.stack = kerf_ld_stack_top},    {.handler = kerf_reset_handler}, {.handler = kerf_fault_handler},
    {.handler = kerf_fault_handler}, {.handler = kerf_fault_handler}, {.handler = kerf_fault_handler},
    {.handler = kerf_fault_handler}, {.handler = kerf_fault_handler}, {.handler = kerf_fault_handler},
    {.handler = kerf_fault_handler}, {.handler = kerf_fault_handler}, {.handler = kerf_fault_handler},
    {.handler = kerf_fault_handler}, {.handler = kerf_fault_handler}, {.handler = kerf_fault_handler},
    {.handler = kerf_fault_handler},
};
#endif

static const uint8_t *painted_end;

static uint8_t *stack_pointer(void)
{
    uint8_t *sp;

#ifdef __riscv
    __asm__ volatile("mv %0, sp" : "=r"(sp));
#else
    __asm__ volatile("mov %0, sp" : "=r"(sp));
#endif
    return sp;
}

__attribute__((used)) _Noreturn void kerf_reset_handler(void)
{
    memcpy(kerf_ld_data, kerf_ld_data_load, (size_t)(kerf_ld_data_end - kerf_ld_data));
    memset(kerf_ld_bss, 0, (size_t)(kerf_ld_bss_end - kerf_ld_bss));
    kerf_stack_paint();
    kerf_semihost_exit((uint32_t)main());
}

__attribute__((used, aligned(4))) _Noreturn void kerf_fault_handler(void)
{
    kerf_semihost_print("fault: the image reached an address or instruction it may not\n");
    kerf_semihost_exit(EXIT_FAULT);
}

__attribute__((noinline)) void kerf_stack_paint(void)
{
    volatile uint8_t *p = kerf_ld_stack_limit;
    const volatile uint8_t *end = stack_pointer();

    /* Up to the stack pointer: nothing below it is in use, as no interrupt is. */
    while (p < end) {
        *p++ = PAINT;
    }
    painted_end = stack_pointer();
}

uint32_t kerf_stack_peak(void)
{
    const uint8_t *p = kerf_ld_stack_limit;

    while (p < painted_end && *p == PAINT) {
        p++;
    }
    return (uint32_t)(painted_end - p);
}

uint32_t kerf_stack_size(void)
{
    return (uint32_t)(kerf_ld_stack_top - kerf_ld_stack_limit);
}
