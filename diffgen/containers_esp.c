/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images that Espressif's ROMs and boot loaders load: a header with magic 0xE9, then segments of {address, length,
 * bytes}. Source: ESP-IDF, "App Image Format"; ESP8266 technical reference, and esptool's firmware image document.
 */
#include "common/bytes.h"
#include "diffgen/detect.h"

#define MAGIC 0xe9u
#define MAX_SEGMENTS 16u
/* Images follow each other at multiples of this: boot loader, partition table, application. */
#define SECTOR ((size_t)4096)
/* Merged flash images hold few of them; what follows is data. */
#define MAX_IMAGES 4u
/* Below, instructions can not be fetched. */
#define FIRST_CODE 0x40000000u
#define ESP8266_FLASH 0x40200000u

/* A chip family: where its segments may go, and its RAM. */
struct chip {
    uint16_t id; /* in the header of ESP32 and later */
    uint8_t isa;
    const char *name;
    uint32_t data_start, data_len; /* flash mapped for data alone; 0: none */
    uint32_t ram_start, ram_len;   /* RAM for data */
};

#define ESP8266 0xffff

/* Only RAM for data counts: pointers to code in RAM point into the image, to ROM, or to what doesn't move. */
static const struct chip chips[] = {
    {ESP8266, KERF_ISA_XTENSA_CALL0, "ESP8266 image", 0, 0, 0x3ffe8000, 0x18000},
    {0, KERF_ISA_XTENSA_WINDOWED, "ESP32 image", 0x3f400000, 0x400000, 0x3ffa0000, 0x60000},
    {2, KERF_ISA_XTENSA_WINDOWED, "ESP32-S2 image", 0x3f000000, 0x400000, 0x3ff9e000, 0x62000},
    {9, KERF_ISA_XTENSA_WINDOWED, "ESP32-S3 image", 0x3c000000, 0x2000000, 0x3fc80000, 0x80000},
    {5, KERF_ISA_RISCV32, "ESP32-C3 image", 0x3c000000, 0x800000, 0x3fc80000, 0x60000},
    {12, KERF_ISA_RISCV32, "ESP32-C2 image", 0x3c000000, 0x400000, 0x3fca0000, 0x40000},
    {13, KERF_ISA_RISCV32, "ESP32-C6 image", 0, 0, 0x40800000, 0x80000},
    {16, KERF_ISA_RISCV32, "ESP32-H2 image", 0, 0, 0x40800000, 0x50000},
    {18, KERF_ISA_RISCV32, "ESP32-P4 image", 0, 0, 0x4ff00000, 0xc0000},
    {20, KERF_ISA_RISCV32, "ESP32-C61 image", 0, 0, 0x40800000, 0x50000},
    {23, KERF_ISA_RISCV32, "ESP32-C5 image", 0, 0, 0x40800000, 0x60000},
};

static const struct chip *find_chip(unsigned id)
{
    for (size_t i = 0; i < sizeof chips / sizeof chips[0]; i++) {
        if (chips[i].id == id) {
            return &chips[i];
        }
    }
    return NULL;
}

static bool is_code(const struct chip *chip, uint32_t addr)
{
    bool in_ram = addr - chip->ram_start < chip->ram_len;

    /* Chips without a bus for data alone keep code in the same RAM. */
    return addr - chip->data_start >= chip->data_len && (!in_ram || chip->ram_start >= FIRST_CODE);
}

/*
 * Walks the segments of an image at `pos` whose header is header_len bytes. *end is where the last one ends. With
 * `layout`, adds them. False: this is no such image.
 */
static bool walk(const uint8_t *image, size_t len, size_t pos, size_t header_len, const struct chip *chip,
                 struct kerf_layout *layout, size_t *end)
{
    unsigned segments = image[pos + 1];
    size_t at = pos + header_len;
    bool loads = false;

    for (unsigned i = 0; i < segments; i++) {
        if (at > len || len - at < 8) {
            return false;
        }
        uint32_t addr = kerf_load_le32(image + at);
        uint32_t size = kerf_load_le32(image + at + 4);

        at += 8;
        if (size > len - at || size > 0x2000000 || addr < 0x3c000000 || addr >= 0x61000000) {
            /* Padding segments have no address. */
            if (addr != 0 || size > len - at) {
                return false;
            }
        } else {
            loads = true;
            if (layout != NULL) {
                kerf_layout_add(layout, len, at, size, addr, is_code(chip, addr));
            }
        }
        at += size;
    }
    *end = at;
    return loads;
}

/* The chip of an image at `pos`, NULL if there is none; its length of header. */
static const struct chip *probe(const uint8_t *image, size_t len, size_t pos, size_t *header_len, size_t *end)
{
    if (len - pos < 32 || image[pos] != MAGIC || image[pos + 1] == 0 || image[pos + 1] > MAX_SEGMENTS ||
        image[pos + 2] > 15) {
        return NULL;
    }
    /* ESP32 and later: 24 bytes, reserved ones zero, the last says whether a digest follows. */
    const struct chip *chip = find_chip(kerf_load_le16(image + pos + 12));

    *header_len = 24;
    if (chip != NULL && image[pos + 23] <= 1 && walk(image, len, pos, *header_len, chip, NULL, end)) {
        return chip;
    }
    chip = find_chip(ESP8266);
    *header_len = 8;
    return walk(image, len, pos, *header_len, chip, NULL, end) ? chip : NULL;
}

/* Flash that no segment of the header covers is mapped at its position (an ESP8266 runs from it). */
static void fill_flash(size_t len, struct kerf_layout *layout)
{
    unsigned segments = layout->span_count;
    uint64_t pos = 0;

    for (unsigned i = 0; i <= segments; i++) {
        uint64_t next = i < segments ? layout->spans[i].pos : len;

        if (next > pos + 64) {
            kerf_layout_add(layout, len, pos, next - pos, ESP8266_FLASH + pos, true);
        }
        if (i < segments) {
            pos = layout->spans[i].pos + layout->spans[i].len;
        }
    }
}

bool kerf_container_read_esp(const uint8_t *image, size_t len, struct kerf_layout *layout)
{
    const struct chip *chip = NULL;
    unsigned images = 0;
    size_t header_len;
    size_t end;

    for (size_t pos = 0; pos + 32 <= len && images < MAX_IMAGES; pos += SECTOR) {
        const struct chip *here = probe(image, len, pos, &header_len, &end);

        if (here == NULL || (chip != NULL && here != chip)) {
            /* The first image starts at 0 or, behind blank flash, at one of the next sectors. */
            if (chip == NULL && pos >= 16 * SECTOR) {
                return false;
            }
            continue;
        }
        if (chip == NULL) {
            chip = here;
            layout->span_count = 0;
        }
        (void)walk(image, len, pos, header_len, chip, layout, &end);
        images++;
        pos = (end + SECTOR - 1) / SECTOR * SECTOR - SECTOR;
    }
    if (chip == NULL) {
        return false;
    }
    kerf_layout_finish(layout);
    if (chip->id == ESP8266) {
        fill_flash(len, layout);
        kerf_layout_finish(layout);
    }
    layout->container = chip->name;
    layout->addressed = true;
    layout->isa = chip->isa;
    layout->windows[0] = (struct kerf_range){chip->ram_start, chip->ram_len};
    layout->window_count = 1;
    return true;
}
