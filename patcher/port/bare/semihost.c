/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/port/bare/semihost.h"

enum semihost_op {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_SEEK = 0x0a,
    SYS_GET_CMDLINE = 0x15,
    SYS_EXIT_EXTENDED = 0x20,
};

#define OPEN_READ_BINARY 1u
#define OPEN_WRITE_BINARY 5u
#define APPLICATION_EXIT 0x20026u /* ADP_Stopped_ApplicationExit */

/* The host reads and writes memory behind the compiler's back. */
#ifdef __riscv
static uint32_t call(enum semihost_op op, const void *argument)
{
    register uint32_t a0 __asm__("a0") = (uint32_t)op;
    register const void *a1 __asm__("a1") = argument;

    /* "RISC-V Semihosting", 0.4: these three, uncompressed and in one page. */
    __asm__ volatile(".option push\n.option norvc\n.balign 16\n"
                     "slli zero, zero, 0x1f\nebreak\nsrai zero, zero, 7\n.option pop"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
    return a0;
}
#else
static uint32_t call(enum semihost_op op, const void *argument)
{
    register uint32_t r0 __asm__("r0") = (uint32_t)op;
    register const void *r1 __asm__("r1") = argument;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}
#endif

/* Addresses are 32 bit, which the blocks of arguments rely on. */
static uint32_t address(const void *p)
{
    return (uint32_t)(uintptr_t)p;
}

static uint32_t text_len(const char *text)
{
    uint32_t len = 0;

    while (text[len] != '\0') {
        len++;
    }
    return len;
}

kerf_semihost_file kerf_semihost_open(const char *path)
{
    const uint32_t block[3] = {address(path), OPEN_READ_BINARY, text_len(path)};

    return (kerf_semihost_file)call(SYS_OPEN, block);
}

kerf_err kerf_semihost_read(kerf_semihost_file file, uint8_t *buf, size_t len, size_t *got)
{
    const uint32_t block[3] = {(uint32_t)file, address(buf), (uint32_t)len};
    uint32_t left = call(SYS_READ, block); /* bytes NOT read */

    *got = 0;
    if (left > len) {
        return KERF_ERR_FLASH;
    }
    *got = len - left;
    return KERF_OK;
}

kerf_err kerf_semihost_seek(kerf_semihost_file file, uint32_t pos)
{
    const uint32_t block[2] = {(uint32_t)file, pos};

    return call(SYS_SEEK, block) == 0 ? KERF_OK : KERF_ERR_FLASH;
}

kerf_err kerf_semihost_save(const char *path, const uint8_t *data, size_t len)
{
    const uint32_t name[3] = {address(path), OPEN_WRITE_BINARY, text_len(path)};
    kerf_semihost_file file = (kerf_semihost_file)call(SYS_OPEN, name);
    const uint32_t block[3] = {(uint32_t)file, address(data), (uint32_t)len};
    uint32_t left;

    if (file < 0) {
        return KERF_ERR_FLASH;
    }
    left = call(SYS_WRITE, block); /* bytes NOT written */
    kerf_semihost_close(file);
    return left == 0 ? KERF_OK : KERF_ERR_FLASH;
}

void kerf_semihost_close(kerf_semihost_file file)
{
    const uint32_t block[1] = {(uint32_t)file};

    (void)call(SYS_CLOSE, block);
}

void kerf_semihost_cmdline(char *buf, size_t cap)
{
    uint32_t block[2] = {address(buf), (uint32_t)cap - 1};

    if (call(SYS_GET_CMDLINE, block) != 0 || block[1] >= cap) {
        block[1] = 0;
    }
    buf[block[1]] = '\0';
}

void kerf_semihost_print(const char *text)
{
    (void)call(SYS_WRITE0, text);
}

void kerf_semihost_print_u32(uint32_t v)
{
    char text[11];
    size_t at = sizeof(text) - 1;

    text[at] = '\0';
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    kerf_semihost_print(text + at);
}

void kerf_semihost_print_hex(const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        const char text[3] = {digits[data[i] >> 4], digits[data[i] & 15], '\0'};

        kerf_semihost_print(text);
    }
}

_Noreturn void kerf_semihost_exit(uint32_t status)
{
    const uint32_t block[2] = {APPLICATION_EXIT, status};

    for (;;) {
        (void)call(SYS_EXIT_EXTENDED, block);
    }
}
