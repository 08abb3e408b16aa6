/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers that say where an image is loaded. None is trusted: what lies outside the image is cut or left out.
 * Sources: System V ABI (ELF); Microsoft PE/COFF; ST UM0391 (DfuSe); U-Boot image.h; Linux Documentation/arm64/booting.
 */
#include <string.h>

#include "common/bytes.h"
#include "diffgen/detect.h"

/* Program headers and sections looked at; real images have fewer. */
#define MAX_HEADERS 64u

/* Words to which a program's uninitialised data belong; the largest are kept. */
static void add_window(struct kerf_layout *layout, uint64_t start, uint64_t len)
{
    unsigned at = layout->window_count;
    struct kerf_range window = {start & ~(uint64_t)255, ((start & 255) + len + 255) & ~(uint64_t)255};

    if (window.len == 0 || window.len > UINT64_MAX - window.start) {
        return;
    }
    for (unsigned i = 0; i < layout->window_count; i++) {
        const struct kerf_range *w = &layout->windows[i];

        if (window.start < w->start + w->len && w->start < window.start + window.len) {
            return;
        }
    }
    if (at == KERF_MAX_WINDOWS) {
        return;
    }
    for (; at > 0 && layout->windows[at - 1].start > window.start; at--) {
        layout->windows[at] = layout->windows[at - 1];
    }
    layout->windows[at] = window;
    layout->exact_windows = true;
    layout->window_count++;
}

/* A reader of one byte order. */
struct reader {
    const uint8_t *p;
    size_t len;
    bool big_endian;
};

static uint64_t get(const struct reader *r, uint64_t pos, unsigned bytes)
{
    uint64_t v = 0;

    if (pos > r->len || r->len - pos < bytes) {
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++) {
        v = v << 8 | r->p[pos + (r->big_endian ? i : bytes - 1 - i)];
    }
    return v;
}

uint8_t kerf_elf_isa(uint64_t machine, bool wide, bool big_endian)
{
    switch (machine) {
    case 8:
        return wide ? KERF_ISA_NONE : big_endian ? KERF_ISA_MIPS32_BE : KERF_ISA_MIPS32_LE;
    case 20: /* 32 bits, 64 */
    case 21:
        return big_endian ? KERF_ISA_POWERPC_BE : KERF_ISA_POWERPC_LE;
    case 40: /* ARM: A32, Thumb or both */
    case 94: /* Xtensa: of either ABI */
        return big_endian ? KERF_ISA_NONE : KERF_ISA_COUNT;
    case 3:
        return KERF_ISA_X86;
    case 62:
        return KERF_ISA_X86_64;
    case 83:
        return KERF_ISA_AVR;
    case 93:  /* ARCompact */
    case 195: /* ARCv2 */
        return big_endian ? KERF_ISA_NONE : KERF_ISA_ARC;
    case 137: /* "VideoCore III", and its successors */
        return big_endian ? KERF_ISA_NONE : KERF_ISA_VIDEOCORE;
    case 164:
        return big_endian ? KERF_ISA_NONE : KERF_ISA_HEXAGON;
    case 183:
        return big_endian ? KERF_ISA_NONE : KERF_ISA_AARCH64;
    case 243:
        return wide ? KERF_ISA_RISCV64 : KERF_ISA_RISCV32;
    default:
        return KERF_ISA_NONE;
    }
}

static bool read_elf(const uint8_t *image, size_t len, struct kerf_layout *layout)
{
    if (len < 64 || memcmp(image, "\177ELF", 4) != 0 || image[4] < 1 || image[4] > 2 || image[5] < 1 || image[5] > 2) {
        return false;
    }
    struct reader r = {image, len, image[5] == 2};
    bool wide = image[4] == 2;
    uint64_t table = wide ? get(&r, 32, 8) : get(&r, 28, 4);
    uint64_t entry_len = get(&r, wide ? 54 : 42, 2);
    uint64_t entries = get(&r, wide ? 56 : 44, 2);
    unsigned field = wide ? 8 : 4;

    layout->container = "ELF";
    layout->big_endian = r.big_endian;
    layout->isa = kerf_elf_isa(get(&r, 18, 2), wide, r.big_endian);
    if (entry_len < 8 * (uint64_t)field - (wide ? 8 : 0) || table >= len) {
        return true;
    }
    for (uint64_t i = 0; i < entries && i < MAX_HEADERS; i++) {
        uint64_t at = table + i * entry_len;
        uint64_t flags = get(&r, at + (wide ? 4 : 24), 4);
        uint64_t pos = get(&r, at + (wide ? 8 : 4), field);
        uint64_t addr = get(&r, at + (wide ? 16 : 8), field);
        uint64_t file_len = get(&r, at + (wide ? 32 : 16), field);
        uint64_t mem_len = get(&r, at + (wide ? 40 : 20), field);

        if (get(&r, at, 4) != 1) { /* PT_LOAD */
            continue;
        }
        kerf_layout_add(layout, len, pos, file_len, addr, (flags & 1) != 0);
        if (mem_len > file_len && file_len <= UINT64_MAX - addr && mem_len <= UINT64_MAX - 256) {
            add_window(layout, addr + file_len, mem_len - file_len);
        }
    }
    layout->addressed = layout->span_count > 0;
    return true;
}

static unsigned pe_isa(uint64_t machine)
{
    switch (machine) {
    case 0x14c:
        return KERF_ISA_X86;
    case 0x8664:
        return KERF_ISA_X86_64;
    case 0xaa64:
        return KERF_ISA_AARCH64;
    case 0x1c2:
    case 0x1c4:
        return KERF_ISA_THUMB;
    case 0x5032:
        return KERF_ISA_RISCV32;
    case 0x5064:
        return KERF_ISA_RISCV64;
    default:
        return KERF_ISA_NONE;
    }
}

static bool read_pe(const uint8_t *image, size_t len, struct kerf_layout *layout)
{
    struct reader r = {image, len, false};
    uint64_t head = get(&r, 60, 4);

    if (len < 64 || image[0] != 'M' || image[1] != 'Z') {
        return false;
    }
    if (memcmp(image + 56, "ARM\x64", 4) == 0) {
        /* Its PE header, if it has one, tells the EFI loader's addresses; pointers hold the kernel's. */
        layout->container = "Linux arm64 Image";
        layout->isa = KERF_ISA_AARCH64;
        return true;
    }
    if (get(&r, head, 4) != 0x4550) {
        return false;
    }
    uint64_t sections = get(&r, head + 6, 2);
    uint64_t optional = head + 24;
    uint64_t table = optional + get(&r, head + 20, 2);
    uint64_t base = get(&r, optional, 2) == 0x20b ? get(&r, optional + 24, 8) : get(&r, optional + 28, 4);

    layout->container = "PE";
    layout->isa = (uint8_t)pe_isa(get(&r, head + 4, 2));
    for (uint64_t i = 0; i < sections && i < MAX_HEADERS; i++) {
        uint64_t at = table + i * 40;

        kerf_layout_add(layout, len, get(&r, at + 20, 4), get(&r, at + 16, 4), base + get(&r, at + 12, 4),
                        (get(&r, at + 36, 4) & 0x20000020) != 0);
    }
    layout->addressed = layout->span_count > 0;
    return true;
}

/* ST's DFU file: targets hold elements of {address, length, bytes}. */
static bool read_dfuse(const uint8_t *image, size_t len, struct kerf_layout *layout)
{
    struct reader r = {image, len, false};
    uint64_t pos = 11;

    if (len < 11 || memcmp(image, "DfuSe\x01", 6) != 0) {
        return false;
    }
    layout->container = "DfuSe";
    for (unsigned target = 0; target < image[10] && len > pos && len - pos >= 274; target++) {
        uint64_t elements = get(&r, pos + 270, 4);

        if (memcmp(image + pos, "Target", 6) != 0) {
            break;
        }
        pos += 274;
        for (uint64_t i = 0; i < elements && i < MAX_HEADERS && pos < len; i++) {
            uint64_t size = get(&r, pos + 4, 4);

            kerf_layout_add(layout, len, pos + 8, size, get(&r, pos, 4), true);
            pos += 8 + size;
        }
    }
    layout->addressed = layout->span_count > 0;
    return true;
}

static bool read_uimage(const uint8_t *image, size_t len, struct kerf_layout *layout)
{
    if (len < 64 || kerf_load_be32(image) != 0x27051956) {
        return false;
    }
    layout->container = "uImage";
    if (image[31] == 0) { /* not compressed */
        kerf_layout_add(layout, len, 64, kerf_load_be32(image + 12), kerf_load_be32(image + 16), true);
    }
    layout->addressed = layout->span_count > 0;
    return true;
}

void kerf_container_read(const uint8_t *image, size_t len, struct kerf_layout *layout)
{
    memset(layout, 0, sizeof *layout);
    layout->isa = KERF_ISA_COUNT;
    if (!read_elf(image, len, layout) && !kerf_container_read_esp(image, len, layout) && !read_pe(image, len, layout) &&
        !read_dfuse(image, len, layout) && !read_uimage(image, len, layout)) {
        (void)kerf_container_read_wifi(image, len, layout);
    }
    kerf_layout_finish(layout);
    if (layout->span_count == 0) {
        layout->addressed = false;
        kerf_layout_add(layout, len, 0, len, 0, true);
    }
}
