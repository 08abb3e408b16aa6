/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arm MPS2 with AN385 (Cortex-M3), AN386 (Cortex-M4) or AN505 (Cortex-M33), as QEMU has them: no flash, but 16 MiB of
 * PSRAM, in which a NOR flash is modelled strictly: sectors are erased whole, a byte is programmed once, writes outside
 * a slot fail. QEMU's virt with RV32 does it in its RAM. From CMakeLists.txt: KERF_BOARD_PSRAM and KERF_BOARD_TIMER,
 * addresses; no timer: 0.
 */
#include "patcher/patcher.h"
#include "patcher/port/bare/board.h"

#include <string.h>

#define PSRAM KERF_BOARD_PSRAM
#define PSRAM_SIZE 0x01000000u
#define SLOT_SIZE 0x00700000u /* 7 MiB each, 2 MiB for the spare area */
#define SPARE (PSRAM + 2 * SLOT_SIZE)
#define SPARE_SIZE (PSRAM_SIZE - 2 * SLOT_SIZE)
#define SECTOR_SIZE 4096u
#define PAGE_SIZE 256u
#define UNIT 8u
#define ERASED 0xffu

/* CMSDK APB timer 0 (Cortex-M System Design Kit, 4.5): counts down at the system clock, 25 MHz, or 20 on AN505. */
#define TIMER_CTRL KERF_BOARD_TIMER
#define TIMER_VALUE (KERF_BOARD_TIMER + 4u)
#define TIMER_RELOAD (KERF_BOARD_TIMER + 8u)

static _Alignas(KERF_WORKSPACE_ALIGN) uint8_t workspace[1u << 20];

/* The same bytes, to be written to; NULL unless they lie in the new slot or the spare area. */
static uint8_t *writable(const uint8_t *p, size_t len)
{
    uint32_t at = (uint32_t)(uintptr_t)p;

    return at >= PSRAM + SLOT_SIZE && at - PSRAM <= PSRAM_SIZE && len <= PSRAM_SIZE - (at - PSRAM) ? (uint8_t *)at
                                                                                                   : NULL;
}

static kerf_err erase(const uint8_t *sector)
{
    uint8_t *to = writable(sector, SECTOR_SIZE);

    if (to == NULL || (uint32_t)(uintptr_t)to % SECTOR_SIZE != 0) {
        return KERF_ERR_FLASH;
    }
    memset(to, ERASED, SECTOR_SIZE);
    return KERF_OK;
}

static kerf_err program(const uint8_t *at, const uint8_t *data, size_t len)
{
    uint8_t *to = writable(at, len);

    if (to == NULL || (uint32_t)(uintptr_t)to % UNIT != 0 || len > PAGE_SIZE) {
        return KERF_ERR_FLASH;
    }
    for (size_t i = 0; i < len; i++) {
        if (to[i] != ERASED) {
            return KERF_ERR_FLASH;
        }
        to[i] = data[i];
    }
    return KERF_OK;
}

#if KERF_BOARD_TIMER
static volatile uint32_t *reg(uint32_t address)
{
    return (volatile uint32_t *)(uintptr_t)address;
}

static uint32_t ticks(void)
{
    if (*reg(TIMER_CTRL) == 0) {
        *reg(TIMER_RELOAD) = UINT32_MAX;
        *reg(TIMER_VALUE) = UINT32_MAX;
        *reg(TIMER_CTRL) = 1;
    }
    return UINT32_MAX - *reg(TIMER_VALUE);
}

#define TICKS ticks
#else
#define TICKS NULL
#endif

const struct kerf_board kerf_board = {
    .name = KERF_BOARD_TIMER != 0 ? "mps2" : "virt",
    .old_slot = (const uint8_t *)(uintptr_t)PSRAM,
    .old_slot_size = SLOT_SIZE,
    .new_slot = (const uint8_t *)(uintptr_t)(PSRAM + SLOT_SIZE),
    .new_slot_size = SLOT_SIZE,
    .spare = (const uint8_t *)(uintptr_t)SPARE,
    .spare_size = SPARE_SIZE,
    .flash = (const uint8_t *)(uintptr_t)PSRAM,
    .flash_size = PSRAM_SIZE,
    .sector_size = SECTOR_SIZE,
    .page_size = PAGE_SIZE,
    .unit = UNIT,
    .interval = SECTOR_SIZE,
    .workspace = workspace,
    .workspace_size = sizeof(workspace),
    .erase = erase,
    .program = program,
    .ticks = TICKS,
};
