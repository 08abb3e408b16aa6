/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BBC micro:bit: nRF51822, Cortex-M0, 256 KiB of flash, 16 KiB of RAM. The flash is the chip's own, through its NVMC
 * (nRF51 Series Reference Manual 3.0, chapter 6): pages of 1 KiB are erased, aligned words are programmed.
 */
#include "common/bytes.h"
#include "patcher/patcher.h"
#include "patcher/port/bare/board.h"

#include <string.h>

/* The image itself has the first 64 KiB (microbit.ld). */
#define OLD_SLOT 0x00010000u
#define NEW_SLOT 0x00024000u
#define SLOT_SIZE 0x00014000u /* 80 KiB */
#define SPARE 0x00038000u
#define SPARE_SIZE 0x00008000u
#define FLASH_END 0x00040000u
#define SECTOR_SIZE 1024u
#define PAGE_SIZE 256u
#define UNIT 4u

#define NVMC_READY 0x4001e400u
#define NVMC_CONFIG 0x4001e504u
#define NVMC_ERASEPAGE 0x4001e508u
#define CONFIG_READ_ONLY 0u
#define CONFIG_WRITE 1u
#define CONFIG_ERASE 2u

/* 8 KiB for the decoder, a page, and the port's part; the stack has the rest of 16 KiB. */
static _Alignas(KERF_WORKSPACE_ALIGN) uint8_t workspace[10240];

static volatile uint32_t *reg(uint32_t address)
{
    return (volatile uint32_t *)(uintptr_t)address;
}

static void nvmc_wait(void)
{
    while ((*reg(NVMC_READY) & 1u) == 0) {
    }
}

/* New slot or spare area? */
static bool is_writable(uint32_t at, size_t len)
{
    return at >= NEW_SLOT && at <= FLASH_END && len <= FLASH_END - at;
}

static kerf_err erase(const uint8_t *sector)
{
    uint32_t at = (uint32_t)(uintptr_t)sector;

    if (!is_writable(at, SECTOR_SIZE) || at % SECTOR_SIZE != 0) {
        return KERF_ERR_FLASH;
    }
    *reg(NVMC_CONFIG) = CONFIG_ERASE;
    nvmc_wait();
    *reg(NVMC_ERASEPAGE) = at;
    nvmc_wait();
    *reg(NVMC_CONFIG) = CONFIG_READ_ONLY;
    nvmc_wait();
    return KERF_OK;
}

static kerf_err program(const uint8_t *to, const uint8_t *data, size_t len)
{
    uint32_t at = (uint32_t)(uintptr_t)to;

    if (!is_writable(at, len) || at % UNIT != 0 || len > PAGE_SIZE) {
        return KERF_ERR_FLASH;
    }
    *reg(NVMC_CONFIG) = CONFIG_WRITE;
    nvmc_wait();
    for (size_t i = 0; i < len; i += UNIT) {
        uint8_t word[UNIT] = {0xff, 0xff, 0xff, 0xff}; /* what is not programmed stays erased */

        memcpy(word, data + i, len - i < UNIT ? len - i : UNIT);
        *reg(at + (uint32_t)i) = kerf_load_le32(word);
        nvmc_wait();
    }
    *reg(NVMC_CONFIG) = CONFIG_READ_ONLY;
    nvmc_wait();
    return memcmp(to, data, len) == 0 ? KERF_OK : KERF_ERR_FLASH;
}

const struct kerf_board kerf_board = {
    .name = "microbit",
    .old_slot = (const uint8_t *)(uintptr_t)OLD_SLOT,
    .old_slot_size = SLOT_SIZE,
    .new_slot = (const uint8_t *)(uintptr_t)NEW_SLOT,
    .new_slot_size = SLOT_SIZE,
    .spare = (const uint8_t *)(uintptr_t)SPARE,
    .spare_size = SPARE_SIZE,
    .flash = (const uint8_t *)(uintptr_t)OLD_SLOT,
    .flash_size = FLASH_END - OLD_SLOT,
    .sector_size = SECTOR_SIZE,
    .page_size = PAGE_SIZE,
    .unit = UNIT,
    .interval = 8 * SECTOR_SIZE,
    .workspace = workspace,
    .workspace_size = sizeof(workspace),
    .erase = erase,
    .program = program,
};
