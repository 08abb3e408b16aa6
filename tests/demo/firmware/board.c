/* SPDX-License-Identifier: Apache-2.0 */
/*
 * board.c - start-up, serial port and the system calls that newlib asks for.
 */
#include "board.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

/* CMSDK APB UART 0 (ARM DDI 0479, "APB UART"). */
#define UART_BASE 0x40004000u
#define UART_DATA (*(volatile uint32_t *)(UART_BASE + 0x00))
#define UART_STATE (*(volatile uint32_t *)(UART_BASE + 0x04))
#define UART_CTRL (*(volatile uint32_t *)(UART_BASE + 0x08))
#define UART_BAUDDIV (*(volatile uint32_t *)(UART_BASE + 0x10))
#define UART_STATE_TX_FULL 1u
#define UART_CTRL_TX_ENABLE 1u

#define SEMIHOSTING_EXIT_EXTENDED 0x20u
#define SEMIHOSTING_APPLICATION_EXIT 0x20026u

extern uint8_t data_load[], data_start[], data_end[], bss_start[], bss_end[], heap_start[], heap_end[];
extern uint32_t stack_top;
extern void __libc_init_array(void);
extern int main(void);

/* What newlib calls; it has no header for them. */
int _write(int fd, const char *text, int len);
int _read(int fd, char *text, int len);
int _close(int fd);
int _lseek(int fd, int pos, int whence);
int _fstat(int fd, struct stat *st);
int _isatty(int fd);
int _getpid(void);
int _kill(int pid, int signal);
void _exit(int code);
void *_sbrk(ptrdiff_t grow);
void _init(void);
void _fini(void);
void reset_handler(void);

static void fault_handler(void)
{
    static const char text[] = "fault: the terminal stops\n";
    board_write(text, sizeof text - 1);
    board_power_off(1);
}

typedef void vector(void);

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    vector *handlers[15];
} vectors = {
    &stack_top,
    {reset_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, NULL, NULL, NULL, NULL,
     fault_handler, fault_handler, NULL, fault_handler, fault_handler},
};

void reset_handler(void)
{
    memcpy(data_start, data_load, (size_t)(data_end - data_start));
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    board_init();
    __libc_init_array();
    board_power_off(main());
}

void board_init(void)
{
    UART_BAUDDIV = 16;
    UART_CTRL = UART_CTRL_TX_ENABLE;
}

void board_write(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        while ((UART_STATE & UART_STATE_TX_FULL) != 0) {
        }
        UART_DATA = (uint8_t)text[i];
    }
}

void board_power_off(int code)
{
    const uint32_t block[2] = {SEMIHOSTING_APPLICATION_EXIT, (uint32_t)code};
    register uint32_t operation __asm__("r0") = SEMIHOSTING_EXIT_EXTENDED;
    register const uint32_t *argument __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : : "r"(operation), "r"(argument) : "memory");
    for (;;) {
    }
}

int _write(int fd, const char *text, int len)
{
    (void)fd;
    board_write(text, (size_t)len);
    return len;
}

int _read(int fd, char *text, int len)
{
    (void)fd;
    (void)text;
    (void)len;
    return 0;
}

int _close(int fd)
{
    (void)fd;
    return -1;
}

int _lseek(int fd, int pos, int whence)
{
    (void)fd;
    (void)pos;
    (void)whence;
    return 0;
}

int _fstat(int fd, struct stat *st)
{
    (void)fd;
    st->st_mode = S_IFCHR;
    return 0;
}

int _isatty(int fd)
{
    return fd <= 2;
}

int _getpid(void)
{
    return 1;
}

int _kill(int pid, int signal)
{
    (void)pid;
    (void)signal;
    errno = EINVAL;
    return -1;
}

void _exit(int code)
{
    board_power_off(code);
}

void *_sbrk(ptrdiff_t grow)
{
    static uint8_t *top = heap_start;
    if (grow > heap_end - top || grow < heap_start - top) {
        errno = ENOMEM;
        return (void *)-1;
    }
    uint8_t *old_top = top;
    top += grow;
    return old_top;
}

void _init(void)
{
}

void _fini(void)
{
}
