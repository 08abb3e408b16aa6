/* SPDX-License-Identifier: Apache-2.0 */
/*
 * detect.h - what image.c and its steps (look.h) ask of an image: its container, its instruction set, its load address, its RAM.
 *
 * Everything is a function of the bytes alone, in integer arithmetic, in time linear in the image up to 16 MiB and
 * constant above (samples). No allocation but for detect_base.c's tables, which it frees before it returns.
 */
#ifndef KERF_DIFFGEN_DETECT_H
#define KERF_DIFFGEN_DETECT_H

#include "common/container.h"
#include "common/isa/isa.h"
#include "diffgen/image.h"

/* Stretches that a container may list; those past the end are left out. */
#define KERF_MAX_SPANS 48
/* More RAM windows than that are not worth their header bytes. */
#define KERF_MAX_WINDOWS 4

/* A stretch of one image that is loaded as a whole. */
struct kerf_span {
    uint64_t pos;  /* in the image */
    uint64_t len;  /* bytes, > 0; pos + len is within the image */
    uint64_t addr; /* load address of pos */
    bool code;     /* may hold instructions */
};

/* How the image is laid out: by its header, or one span over everything. */
struct kerf_layout {
    const char *container; /* for people; NULL: none was recognised */
    bool addressed;        /* spans and their addresses come from the container */
    bool big_endian;       /* data words are */
    bool exact_windows;    /* the container lists the RAM in use, else it is to be looked for inside the windows */
    uint8_t isa;           /* the container says this instruction set; KERF_ISA_COUNT: it says nothing */
    unsigned span_count;
    unsigned window_count;
    struct kerf_span spans[KERF_MAX_SPANS];      /* sorted by pos, not overlapping */
    struct kerf_range windows[KERF_MAX_WINDOWS]; /* RAM, sorted; none: unknown */
};

/* --- containers.c, containers_esp.c, containers_wifi.c --- */

/* Reads the container's header, if it is one that is known; else one span over the whole image at address 0. */
void kerf_container_read(const uint8_t *image, size_t len, struct kerf_layout *layout);

/* The instruction set of an ELF file's e_machine; KERF_ISA_COUNT where that leaves it open. */
uint8_t kerf_elf_isa(uint64_t machine, bool wide, bool big_endian);

/* ESP8266 and ESP32-family images, also behind a boot loader; false: it is none, and *layout is unchanged. */
bool kerf_container_read_esp(const uint8_t *image, size_t len, struct kerf_layout *layout);

/* Patches and RAM images of MediaTek's Wi-Fi; false: it is none, and *layout is unchanged. */
bool kerf_container_read_wifi(const uint8_t *image, size_t len, struct kerf_layout *layout);

/* Appends a span, cut to the image; nothing where none of it is inside. Spans may come in any order. */
void kerf_layout_add(struct kerf_layout *layout, size_t image_len, uint64_t pos, uint64_t len, uint64_t addr,
                     bool code);

/* Sorts the spans by position and cuts those that overlap the one before. */
void kerf_layout_finish(struct kerf_layout *layout);

/* --- detect_isa.c --- */

/* Votes are also counted by parts of a stretch, at most so many. */
#define KERF_VOTE_PARTS 64u

/* The lowest `bits` of v, the other way round: numbers in BA2's instructions. */
static inline uint32_t kerf_detect_mirror(uint32_t v, unsigned bits)
{
    uint32_t m = 0;

    for (; bits > 0; bits--, v >>= 1) {
        m = m << 1 | (v & 1);
    }
    return m;
}

/* Direct calls whose target begins like a function, by instruction set. */
struct kerf_votes {
    bool quick;         /* of a stretch half is enough */
    uint64_t looked_at; /* bytes */
    uint64_t of[KERF_ISA_COUNT];
    uint32_t part[KERF_VOTE_PARTS][KERF_ISA_COUNT]; /* of the stretch that voted last */
};

/* Adds the votes of the stretch p[0 .. len) to *votes. */
void kerf_detect_votes(const uint8_t *p, size_t len, struct kerf_votes *votes);

/*
 * The instruction set with the most votes, those of another image (or NULL) added; KERF_ISA_NONE where they are too
 * few: `times` as many as are enough are asked for.
 */
unsigned kerf_detect_isa(const struct kerf_votes *votes, const struct kerf_votes *more, unsigned times);

/*
 * Where in an image, which voted last and as one stretch, this instruction set's code lies: from the first part with
 * votes to the last, and a part on either side. False: nowhere.
 */
bool kerf_detect_extent(const struct kerf_votes *votes, unsigned isa, size_t len, size_t *from, size_t *to);

/* True if a function of this instruction set seems to start at p (at least 4 bytes readable). */
bool kerf_detect_prologue(unsigned isa, const uint8_t *p);

/* Positions of instructions are multiples of this. */
unsigned kerf_detect_alignment(unsigned isa);

/* Windows that stand for a large image: [*from, *to) of number i; false past the last. */
bool kerf_detect_window(size_t len, unsigned i, size_t *from, size_t *to);

/* --- detect_base.c --- */

/* Where an image is loaded, as its words say. */
struct kerf_base {
    uint64_t addr; /* of p[0]; 0 where none was found */
    size_t votes;  /* 0: none was found */
    bool by_words; /* by words that point to functions and strings, as nearly always */
};

/*
 * What the search for the address of p[0] looks at: words, of 8 bytes where they are `wide`, and what they might point
 * to, functions and strings; where it is to be `quick` to begin with those in a part of the image. The image stays.
 * *search is to be closed. KERF_ERR_RAM when memory is short (7 MB).
 */
struct kerf_base_search;
KERF_MUST_USE kerf_err kerf_base_open(unsigned isa, bool wide, bool big_endian, bool quick, const uint8_t *p,
                                      size_t len, struct kerf_base_search **search);
/*
 * The address by their votes. `other`: what was found for the other image, or NULL; if it has nearly as many votes
 * here, no other address is looked at; if nothing was found there, less is tried.
 */
void kerf_base_find(struct kerf_base_search *search, const struct kerf_base *other, struct kerf_base *base);
void kerf_base_close(struct kerf_base_search *search);

/* --- detect_agree.c --- */

/*
 * Is `base`, that of the old image, the new one's, too? Without a search: as many words of new as of old point to
 * functions and strings there.
 */
bool kerf_base_agrees(unsigned isa, bool wide, bool big_endian, const uint8_t *old_image, size_t old_len,
                      const uint8_t *new_image, size_t new_len, const struct kerf_base *base);

/* --- detect_banks.c --- */

/*
 * Lays out an image of 8051 code, which has one span until then, by what its calls lead to: one span, or one for each
 * bank, at addresses as common/isa/mcs51.c has them. If they don't tell, *layout is unchanged. KERF_ERR_RAM when memory
 * is short (500 KB).
 */
KERF_MUST_USE kerf_err kerf_detect_banks(const uint8_t *image, size_t len, struct kerf_layout *layout);

/*
 * Does an image begin like 8051 code at address 0, with vectors, and calls lead behind the ends of functions? For images
 * with too few instructions that would vote for it.
 */
bool kerf_detect_mcs51(const uint8_t *image, size_t len);

/* --- detect_parts.c --- */

/*
 * Looks for parts of old and new that are loaded at addresses of their own, where both have one span of words of 4
 * bytes, and lays them out. *known: the span's address is; afterwards, that addresses are. KERF_ERR_RAM when memory is
 * short (4 bytes for each of the images, and 4 MB).
 */
KERF_MUST_USE kerf_err kerf_detect_parts(unsigned isa, bool big_endian, const uint8_t *const images[2],
                                         const size_t lens[2], struct kerf_layout *const layouts[2], bool *known);

/* --- detect_btf.c --- */

/* True if type records of Linux (BTF) are somewhere in the image. */
bool kerf_detect_btf(const uint8_t *image, size_t len);
/* Is at least a quarter of an image ELF files of 64 bits, two or more? */
bool kerf_detect_files(const uint8_t *image, size_t len);

/* --- detect_offsets.c --- */

/* Cuts the one region that was found where tables of words that count from themselves lie (KERF_ISA_OFFSETS). */
void kerf_detect_offsets(const uint8_t *old_image, const uint8_t *new_image, struct kerf_image *image);

/* --- detect_ram.c --- */

/*
 * The addresses outside the image at which its variables seem to lie: RAM that the container knows and words point to,
 * else where the addresses that instructions load cluster. Ascending, apart from each other, multiples of 256; at most
 * KERF_MAX_RANGES. KERF_ERR_RAM when memory is short (1 MB).
 */
KERF_MUST_USE kerf_err kerf_detect_ram(unsigned isa, const uint8_t *image, size_t len, const struct kerf_layout *layout,
                                       struct kerf_range *ranges, unsigned *count);

#endif
