/* SPDX-License-Identifier: Apache-2.0 */
/*
 * semihost.h - the debugger's (here QEMU's) files, console and exit, by BKPT 0xAB, on RISC-V by EBREAK. Arm,
 * "Semihosting for AArch32 and AArch64", 2.0. For images that run under QEMU or a debug probe only: without one, that
 * is a fault.
 */
#ifndef KERF_PORT_BARE_SEMIHOST_H
#define KERF_PORT_BARE_SEMIHOST_H

#include "common/error.h"
#include "common/types.h"

/* A file of the host; below 0: none. */
typedef int32_t kerf_semihost_file;

/* Opens a file for reading; below 0 when it can't be. The path is relative to where QEMU was started. */
kerf_semihost_file kerf_semihost_open(const char *path);
/* Reads up to `len` bytes at the file's position; *got is 0 at the end. KERF_ERR_FLASH: the host could not. */
KERF_MUST_USE kerf_err kerf_semihost_read(kerf_semihost_file file, uint8_t *buf, size_t len, size_t *got);
/* Goes to a position of the file, which must not be behind its end. */
KERF_MUST_USE kerf_err kerf_semihost_seek(kerf_semihost_file file, uint32_t pos);
void kerf_semihost_close(kerf_semihost_file file);
/* Writes a whole file of the host anew. */
KERF_MUST_USE kerf_err kerf_semihost_save(const char *path, const uint8_t *data, size_t len);

/* Copies the command line, cut to `cap` - 1 bytes, and ends it with a zero; an empty one when there is none. */
void kerf_semihost_cmdline(char *buf, size_t cap);

/* Writes text to the console. */
void kerf_semihost_print(const char *text);
/* The same for a number, in decimal. */
void kerf_semihost_print_u32(uint32_t v);
/* The same for bytes, two hexadecimal digits each. */
void kerf_semihost_print_hex(const uint8_t *data, size_t len);

/* Ends the emulator with this exit status; does not return. */
_Noreturn void kerf_semihost_exit(uint32_t status);

#endif
