/* SPDX-License-Identifier: Apache-2.0 */
/*
 * board.h - the demo terminal's board (MPS2 AN385): serial port, staging area for updates, power.
 */
#ifndef DEMO_BOARD_H
#define DEMO_BOARD_H

#include <stddef.h>
#include <stdint.h>

/* Which release this is: 1, 2 or 3. Set by build.sh; the code that it switches is what changed between the releases. */
#ifndef FIRMWARE_RELEASE
#error "FIRMWARE_RELEASE is not set"
#endif

/* Where a loader leaves the container of an update, and where the second slot begins. Both in the second MiB of flash. */
#define BOARD_STAGING_ADDR 0x00100000u
#define BOARD_STAGING_LEN 0x00080000u
#define BOARD_SLOT_B_ADDR 0x00200000u
#define BOARD_SLOT_LEN 0x00100000u

void board_init(void);
void board_write(const char *text, size_t len);
/* Never returns. Under QEMU (semihosting) it ends the emulator with `code`. */
void board_power_off(int code) __attribute__((noreturn));

#endif
