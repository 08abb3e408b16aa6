/* SPDX-License-Identifier: Apache-2.0 */
/* What images are: programs of every instruction set, put together here, in raw files and in containers; and nonsense. */
#include "tests/image_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "diffgen/detect.h"
#include "tests/code_8051.h"
#include "tests/pack.h"
#include "tests/program.h"

/* Recognises and checks what always holds. */
static void recognise(const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                      const char *isa, struct kerf_image *image)
{
    struct kerf_diff_options options;

    memset(&options, 0, sizeof(options));
    options.isa = isa;
    assert_int_equal(kerf_image_recognise(old_image, old_len, new_image, new_len, &options, NULL, image), KERF_OK);
    const char *bad = test_image_check(image, old_len, new_len);

    assert_null(bad);
}

static void raw_programs_of_every_isa_are_told_apart(void **state)
{
    static const uint32_t bases[] = {0x08004000, 0x80100000, 0x00400000};
    static uint8_t old_image[PROGRAM_LEN];
    static uint8_t new_image[PROGRAM_LEN];
    struct kerf_image image;

    (void)state;
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        for (size_t b = 0; b < sizeof bases / sizeof bases[0]; b++) {
            uint32_t base = machines[i].isa == KERF_ISA_AVR ? 0 : bases[b];

            make_program(machines[i].isa, base, 1, old_image);
            make_program(machines[i].isa, base, 2, new_image);
            recognise(old_image, sizeof(old_image), new_image, sizeof(new_image), NULL, &image);
            assert_int_equal(image.region_count, 1);
            assert_int_equal(image.regions[0].isa, machines[i].isa);
            assert_int_equal(image.regions[0].old_addr, base);
            assert_int_equal(image.regions[0].new_addr, base);
            assert_int_equal(image.regions[0].old_len, PROGRAM_LEN);
            assert_int_not_equal(image.regions[0].kinds & 1u << KERF_REF_CALL, 0);
            if (machines[i].isa != KERF_ISA_AVR) {
                unsigned word = machines[i].pointer_len == 8 ? KERF_REF_WORD8 : KERF_REF_WORD;

                assert_int_not_equal(image.regions[0].kinds & 1u << word, 0);
            }
            assert_int_equal(image.regions[0].kinds >> KERF_REF_BIG_ENDIAN & 1,
                             machines[i].isa == KERF_ISA_MIPS32_BE || machines[i].isa == KERF_ISA_POWERPC_BE ||
                                 machines[i].isa == KERF_ISA_BA2);
            assert_int_equal(image.regions[0].kinds & 1, machines[i].isa >> 4);
        }
    }
}

static void images_that_moved_have_two_addresses(void **state)
{
    static uint8_t old_image[PROGRAM_LEN];
    static uint8_t new_image[PROGRAM_LEN];
    struct kerf_image image;

    (void)state;
    make_program(KERF_ISA_THUMB, 0x08004000, 1, old_image);
    make_program(KERF_ISA_THUMB, 0x08040000, 1, new_image);
    recognise(old_image, sizeof(old_image), new_image, sizeof(new_image), NULL, &image);
    assert_int_equal(image.regions[0].old_addr, 0x08004000);
    assert_int_equal(image.regions[0].new_addr, 0x08040000);
}

static void an_image_behind_a_header_of_any_length_has_its_address(void **state)
{
    static uint8_t old_image[PROGRAM_LEN + 100];
    static uint8_t new_image[PROGRAM_LEN + 100];
    struct kerf_image image;

    (void)state;
    test_noise(old_image, 100, 1);
    test_noise(new_image, 100, 2);
    make_program(KERF_ISA_XTENSA_WINDOWED, 0x00900000, 1, old_image + 100);
    make_program(KERF_ISA_XTENSA_WINDOWED, 0x00900000, 2, new_image + 100);
    recognise(old_image, sizeof(old_image), new_image, sizeof(new_image), NULL, &image);
    assert_int_equal(image.regions[0].isa, KERF_ISA_XTENSA_WINDOWED);
    assert_int_equal(image.regions[0].old_addr, 0x00900000 - 100);
}

/* Jumps tell 28 bits of the address, few pointers to functions the others. */
static void an_image_of_mips16_is_placed_by_its_jumps(void **state)
{
    static uint8_t p[PROGRAM_LEN];
    struct kerf_image image;

    (void)state;
    make_program(KERF_ISA_MIPS16, 0x80100000, 1, p);
    memset(p + CODE_LEN + 48, 0, FUNCTIONS * 16 - 48);
    recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
    assert_int_equal(image.regions[0].isa, KERF_ISA_MIPS16);
    assert_int_equal(image.regions[0].old_addr, 0x80100000);
}

/* A kernel linked for 0xffff800008000000. `nops`: pointers are to two in front of each function. */
static void make_kernel(uint32_t seed, bool nops, uint8_t *p)
{
    make_program(KERF_ISA_AARCH64, 0x08000000, seed, p);
    for (uint32_t f = 0; f < 2 * FUNCTIONS; f++) {
        uint8_t *pointer = p + CODE_LEN + f * 8u;

        kerf_store_le64(pointer, 0xffff800000000000u + kerf_load_le64(pointer) - (nops && f < FUNCTIONS ? 8 : 0));
    }
    for (uint32_t f = 1; nops && f < FUNCTIONS; f++) {
        kerf_store_le64(p + function_at(f) - 8, 0xd503201fd503201fu);
    }
}

static void addresses_above_4_gib_are_told_by_their_lower_halves(void **state)
{
    static uint8_t old_image[PROGRAM_LEN];
    static uint8_t new_image[PROGRAM_LEN];
    struct kerf_image image;

    (void)state;
    for (unsigned nops = 0; nops < 2; nops++) {
        make_kernel(1, nops != 0, old_image);
        make_kernel(2, nops != 0, new_image);
        recognise(old_image, sizeof(old_image), new_image, sizeof(new_image), NULL, &image);
        assert_int_equal(image.region_count, 1);
        assert_int_equal(image.regions[0].isa, KERF_ISA_AARCH64);
        assert_int_equal(image.regions[0].old_addr, 0x08000000);
        assert_int_not_equal(image.regions[0].kinds & 1u << KERF_REF_WORD, 0);
        assert_int_equal(image.regions[0].kinds & 1u << KERF_REF_WORD8, 0);
    }
}

static void type_records_are_looked_for_where_both_images_have_some(void **state)
{
    static const uint32_t header[] = {0x0001eb9f, 24, 0, 24, 24, 1};
    static uint8_t old_image[PROGRAM_LEN];
    static uint8_t new_image[PROGRAM_LEN];
    struct kerf_image image;

    (void)state;
    test_noise(old_image, sizeof(old_image), 1);
    test_noise(new_image, sizeof(new_image), 2);
    for (size_t i = 0; i < sizeof header / sizeof header[0]; i++) {
        kerf_store_le32(old_image + 5000 + 4 * i, header[i]);
    }
    recognise(old_image, sizeof(old_image), new_image, sizeof(new_image), NULL, &image);
    assert_int_equal(image.region_count, 0);
    memcpy(new_image + 9000, old_image + 5000, sizeof header);
    recognise(old_image, sizeof(old_image), new_image, sizeof(new_image), NULL, &image);
    assert_int_equal(image.region_count, 1);
    assert_int_equal(image.regions[0].isa, KERF_ISA_NONE);
    assert_int_equal(image.regions[0].kinds, 1u << KERF_REF_RECORDS);
    kerf_store_le32(new_image + 9012, PROGRAM_LEN); /* longer than what follows */
    recognise(old_image, sizeof(old_image), new_image, sizeof(new_image), NULL, &image);
    assert_int_equal(image.region_count, 0);
}

/* The header of an ELF file of 64 bits that is `len` long, with its last table at the end. */
static void put_elf_header(uint8_t *p, uint32_t len)
{
    kerf_store_le32(p, 0x464c457f);
    kerf_store_le32(p + 4, 0x00010102);
    kerf_store_le32(p + 40, len - 3 * 64);
    kerf_store_le32(p + 44, 0);
    kerf_store_le32(p + 58, 64 | 3 << 16);
}

static void elf_files_are_seen_where_they_are_a_quarter_and_more_than_one(void **state)
{
    static uint8_t p[100000];

    (void)state;
    test_noise(p, sizeof(p), 1);
    assert_false(kerf_detect_files(p, sizeof(p)));
    put_elf_header(p + 1000, 20000);
    put_elf_header(p + 30000, 4000);
    assert_false(kerf_detect_files(p, sizeof(p)));
    put_elf_header(p + 30000, 6000);
    assert_true(kerf_detect_files(p, sizeof(p)));
    put_elf_header(p + 30000, 80000); /* longer than what follows */
    assert_false(kerf_detect_files(p, sizeof(p)));
    put_elf_header(p + 1000, 90000); /* one alone */
    assert_false(kerf_detect_files(p, sizeof(p)));
}

/* A Thumb program for 0x08000000 whose functions load addresses of variables from `ram` on. */
static void make_program_with_ram(uint32_t ram, uint8_t *p)
{
    uint32_t seed = 3;

    make_program(KERF_ISA_THUMB, 0x08000000, 1, p);
    for (uint32_t f = 0; f < FUNCTIONS; f++) {
        uint8_t *end = p + (f + 1) * FUNCTION_LEN;

        kerf_store_le16(end - 8, 0x4800); /* LDR R0, [PC, #0]: the word 4 bytes on */
        kerf_store_le16(end - 6, 0xbd10); /* POP {R4, PC} */
        kerf_store_le32(end - 4, f == 0 ? ram - 1 : ram + next_random(&seed) % 0x600 * 4);
    }
}

static void ram_is_where_literals_cluster(void **state)
{
    static uint8_t p[PROGRAM_LEN];
    struct kerf_image image;

    (void)state;
    make_program_with_ram(0x20003000, p);
    recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
    assert_int_equal(image.range_count, 1);
    assert_int_equal(image.ranges[0].start, 0x20003000);
    assert_int_equal(image.ranges[0].len, 0x2000);
    assert_non_null(strstr(image.recognised, "Thumb-2 at 0x08000000, RAM 0x20003000+0x2000"));
    make_program_with_ram(0x04008000, p); /* of some parts of NXP's */
    recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
    assert_int_equal(image.range_count, 1);
    assert_int_equal(image.ranges[0].start, 0x04008000);
    make_program_with_ram(0x05008000, p); /* of nobody's */
    recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
    assert_int_equal(image.range_count, 0);
}

/* A vector table: a stack pointer, and handlers, of which five differ. */
static void put_vectors(uint8_t *p, uint32_t base, uint32_t first)
{
    kerf_store_le32(p, 0x20002000);
    for (uint32_t f = 0; f < 15; f++) {
        kerf_store_le32(p + 4 + 4 * (size_t)f, base + first + 1 + function_at(f % 5));
    }
}

/* Little code, linked for `base`, with a vector table in front. */
static void make_small(uint32_t base, uint8_t *p, size_t len)
{
    test_noise(p, len, 9);
    put_vectors(p, base, 0x100);
    for (uint32_t f = 0; f < 12; f++) {
        uint32_t at = 0x100 + function_at(f);

        kerf_store_le16(p + at, 0xb510);
        for (uint32_t k = 4; k < 20; k += 4) {
            call_thumb(p + at + k, at + k, 0x100 + function_at((f * 5 + k) % 12));
        }
    }
}

/* Without a header; behind one, of 4 bytes more in new: its program has not moved. */
static void a_small_thumb_image_is_placed_by_its_vectors(void **state)
{
    static uint8_t old_image[60 + 2048];
    static uint8_t new_image[64 + 2048];
    struct kerf_image image;

    (void)state;
    test_noise(old_image, 60, 1);
    test_noise(new_image, 64, 2);
    make_small(0x08004000, old_image + 60, 2048);
    recognise(old_image + 60, 2048, old_image + 60, 2048, NULL, &image);
    assert_int_equal(image.regions[0].isa, KERF_ISA_THUMB);
    assert_int_equal(image.regions[0].old_addr, 0x08004000);
    make_small(0x08004000, new_image + 64, 2048);
    recognise(old_image, sizeof(old_image), new_image, sizeof(new_image), NULL, &image);
    assert_int_equal(image.regions[0].isa, KERF_ISA_THUMB);
    assert_int_equal(image.regions[0].old_addr, 0x08004000 - 60);
    assert_int_equal(image.regions[0].new_addr, 0x08004000 - 64);
    kerf_store_le32(old_image + 60 + 8, 0x08014101); /* points past the end: no vector table */
    kerf_store_le32(new_image + 64 + 8, 0x08014101);
    recognise(old_image, sizeof(old_image), new_image, sizeof(new_image), NULL, &image);
    assert_int_equal(image.regions[0].old_addr, 0);
}

/* Functions that nothing points to but handlers, each behind another one's return. */
static void make_handlers(uint32_t base, uint8_t *p, size_t len)
{
    make_small(base, p, len);
    for (uint32_t v = 0; v < 15; v++) {
        uint32_t at = 0x100 + function_at(v % 7) + 22; /* no granule apart from each other */

        kerf_store_le16(p + at - 2, 0x4770);
        kerf_store_le16(p + at, 0x4801);
        kerf_store_le32(p + 4 + 4 * (size_t)v, base + at + 1);
    }
}

static void a_thumb_image_without_pointers_is_placed_by_its_handlers(void **state)
{
    static uint8_t p[2048];
    struct kerf_image image;

    (void)state;
    for (uint32_t base = 0; base < 0x08003000; base += 0x08001000) {
        make_handlers(base, p, sizeof(p));
        recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
        assert_int_equal(image.regions[0].isa, KERF_ISA_THUMB);
        assert_int_equal(image.regions[0].old_addr, base);
        assert_int_not_equal(image.regions[0].kinds & 1u << KERF_REF_WORD, 0);
    }
}

/* Pointers to variables that lie as far apart as functions do. */
static void no_image_begins_where_its_reset_vector_is_outside(void **state)
{
    static uint8_t p[PROGRAM_LEN];
    struct kerf_image image;

    (void)state;
    make_program(KERF_ISA_THUMB, 0x20003000, 1, p);
    recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
    assert_int_equal(image.regions[0].old_addr, 0x20003000);
    put_vectors(p, 0x08000000, FUNCTION_LEN);
    recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
    assert_int_not_equal(image.regions[0].old_addr, 0x20003000);
}

static void few_pointers_are_enough_at_address_0(void **state)
{
    static uint8_t p[PROGRAM_LEN];
    struct kerf_image image;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        make_program(KERF_ISA_RISCV32, i * 0x80000000u, 1, p);
        memset(p + CODE_LEN, 0, 40); /* all pointers but seven */
        memset(p + CODE_LEN + 96, 0, FUNCTIONS * 16 - 96);
        recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
        assert_int_equal(image.regions[0].kinds >> KERF_REF_WORD & 1, i == 0);
    }
}

/* 62 bytes, as in front of a Zigbee update: no word behind them is at a multiple of 4. */
static void words_are_found_behind_an_odd_header(void **state)
{
    static uint8_t p[62 + PROGRAM_LEN];
    struct kerf_image image;

    (void)state;
    test_noise(p, 62, 1);
    make_program_with_ram(0x20003000, p + 62);
    put_vectors(p + 62, 0x08000000, FUNCTION_LEN);
    recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
    assert_int_equal(image.regions[0].old_addr, 0x08000000 - 62);
    assert_int_equal(image.range_count, 1);
    assert_int_equal(image.ranges[0].start, 0x20003000);
    make_program(KERF_ISA_THUMB, 0, 1,
                 p + 62); /* the header would lie at the end of the address space: it is left out */
    put_vectors(p + 62, 0, FUNCTION_LEN);
    recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
    assert_int_equal(image.regions[0].old_pos, 62);
    assert_int_equal(image.regions[0].new_len, PROGRAM_LEN);
    assert_int_equal(image.regions[0].old_addr, 0);
    assert_int_not_equal(image.regions[0].kinds & 1u << KERF_REF_WORD, 0);
}

/* An update of a Zigbee device says how long its header is: 56 bytes and 6 of an element. */
static void a_zigbee_update_says_where_its_image_begins(void **state)
{
    static uint8_t p[62 + PROGRAM_LEN];
    struct kerf_image image;

    (void)state;
    test_noise(p, 62, 1);
    kerf_store_le16(p + 6, 56);
    make_program(KERF_ISA_RISCV32, 0, 1, p + 62);
    for (unsigned marked = 0; marked < 2; marked++) {
        recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
        assert_int_equal(image.regions[0].isa, KERF_ISA_RISCV32);
        assert_int_equal(image.regions[0].kinds >> KERF_REF_WORD & 1, marked);
        assert_int_equal(image.regions[0].old_pos, marked ? 62 : 0);
        kerf_store_le32(p, 0x0beef11e);
    }
    kerf_store_le16(p + 6, 0xffff); /* longer than the file */
    recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
    assert_int_equal(image.regions[0].old_pos, 0);
}

/* Of Telink: the mark that its boot loader looks for tells where the image begins. */
static void a_mark_tells_where_an_image_of_tc32_begins(void **state)
{
    static uint8_t p[62 + PROGRAM_LEN];
    struct kerf_image image;

    (void)state;
    test_noise(p, 62, 1);
    make_program(KERF_ISA_TC32, 0x8000, 1, p + 62);
    recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
    assert_int_equal(image.regions[0].isa, KERF_ISA_TC32);
    assert_int_not_equal(image.regions[0].old_addr, 0x8000 - 62);
    memcpy(p + 62 + 8, "KNLT", 4);
    recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
    assert_int_equal(image.regions[0].old_addr, 0x8000 - 62);
    make_program(KERF_ISA_BA2, 0x80000, 1, p + 62); /* so does NXP's */
    put_hex(p + 62, "123456781122334455667788");
    recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
    assert_int_equal(image.regions[0].isa, KERF_ISA_BA2);
    assert_int_equal(image.regions[0].old_addr, 0x80000 - 62);
}

/* Of 1 byte in old, of 5 in new: no instruction is where one of Thumb can be. */
static void code_behind_an_odd_number_of_bytes_is_found(void **state)
{
    static uint8_t old_image[1 + PROGRAM_LEN];
    static uint8_t new_image[5 + PROGRAM_LEN];
    struct kerf_image image;

    (void)state;
    make_program(KERF_ISA_THUMB, 0x08000000, 1, old_image + 1);
    make_program(KERF_ISA_THUMB, 0x08000000, 2, new_image + 5);
    recognise(old_image, sizeof(old_image), new_image, sizeof(new_image), NULL, &image);
    assert_int_equal(image.region_count, 1);
    assert_int_equal(image.regions[0].old_pos, 1);
    assert_int_equal(image.regions[0].old_addr, 0x08000000);
    assert_int_equal(image.regions[0].new_addr - image.regions[0].new_pos, 0x08000000 - 5);
}

/* Behind a header; the second half at 0x8000 or in banks there, by how much there is. */
static void code_of_8051_is_placed_by_its_calls(void **state)
{
    static uint8_t p[30 + BANKS_END - BANKS_FIRST];
    struct kerf_image image;

    (void)state;
    test_noise(p, 30, 1);
    make_8051(p + 30, BANKS_END);
    recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
    assert_int_equal(image.region_count, 3);
    assert_int_equal(image.regions[0].isa, KERF_ISA_MCS51);
    assert_int_equal(image.regions[0].old_addr, BANKS_FIRST - 30);
    assert_int_equal(image.regions[1].new_pos, 30 + 0x8000 - BANKS_FIRST);
    assert_int_equal(image.regions[1].new_addr, 0x18000);
    assert_int_equal(image.regions[2].old_addr, 0x28000);
    assert_int_equal(image.regions[2].old_len, BANKS_END - 0x10000);

    const size_t len = 30 + 0xc000 - BANKS_FIRST;
    recognise(p, len, p, len, NULL, &image);
    assert_int_equal(image.region_count, 1);
    assert_int_equal(image.regions[0].old_addr, BANKS_FIRST - 30);
    for (uint32_t i = 0; function_of_8051_at(i) < 0xc000; i++) { /* nothing where calls lead to */
        p[30 + function_of_8051_at(i) - BANKS_FIRST - (i > 0)] = 0;
    }
    recognise(p, len, p, len, NULL, &image);
    assert_int_equal(image.region_count, 0);
}

/* --- Containers. --- */

#define ELF_TEXT 0x200u
#define ELF_DATA (ELF_TEXT + PROGRAM_LEN)
#define ELF_LEN (ELF_DATA + 0x400u)

static void put_segment(uint8_t *p, uint32_t flags, uint64_t pos, uint64_t addr, uint64_t file_len, uint64_t mem_len)
{
    kerf_store_le32(p, 1);
    kerf_store_le32(p + 4, flags);
    kerf_store_le64(p + 8, pos);
    kerf_store_le64(p + 16, addr);
    kerf_store_le64(p + 24, addr);
    kerf_store_le64(p + 32, file_len);
    kerf_store_le64(p + 40, mem_len);
}

static void make_elf(uint32_t seed, uint8_t *p)
{
    memset(p, 0, ELF_LEN);
    memcpy(p, "\177ELF\2\1\1", 7);
    kerf_store_le16(p + 16, 2);
    kerf_store_le16(p + 18, 183);
    kerf_store_le64(p + 32, 64);
    kerf_store_le16(p + 54, 56);
    kerf_store_le16(p + 56, 2);
    put_segment(p + 64, 5, ELF_TEXT, 0x400200, PROGRAM_LEN, PROGRAM_LEN);
    put_segment(p + 64 + 56, 6, ELF_DATA, 0x500000, 0x400, 0x1400);
    make_program(KERF_ISA_AARCH64, 0x400200, seed, p + ELF_TEXT);
    for (uint32_t i = 0; i < 0x400; i += 8) {
        kerf_store_le64(p + ELF_DATA + i, 0x500400 + i);
    }
}

static void elf_segments_are_regions(void **state)
{
    static uint8_t old_image[ELF_LEN];
    static uint8_t new_image[ELF_LEN];
    struct kerf_image image;

    (void)state;
    make_elf(1, old_image);
    make_elf(2, new_image);
    recognise(old_image, ELF_LEN, new_image, ELF_LEN, NULL, &image);
    assert_int_equal(image.region_count, 2);
    assert_int_equal(image.regions[0].isa, KERF_ISA_AARCH64);
    assert_int_equal(image.regions[0].old_pos, ELF_TEXT);
    assert_int_equal(image.regions[0].old_len, PROGRAM_LEN);
    assert_int_equal(image.regions[0].old_addr, 0x400200);
    assert_int_equal(image.regions[1].isa, KERF_ISA_NONE);
    assert_int_equal(image.regions[1].old_addr, 0x500000);
    assert_int_equal(image.regions[1].kinds, 1u << KERF_REF_WORD8);
    assert_int_equal(image.range_count, 1);
    assert_int_equal(image.ranges[0].start, 0x500400);
    assert_int_equal(image.ranges[0].len, 0x1000);
}

static void elf_headers_that_lie_are_survived(void **state)
{
    static const uint64_t lies[] = {0, 1, 63, ELF_LEN - 1, ELF_LEN, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};
    static uint8_t p[ELF_LEN];
    struct kerf_image image;

    (void)state;
    for (size_t l = 0; l < sizeof lies / sizeof lies[0]; l++) {
        for (size_t at = 16; at < 64 + 2 * 56; at += 4) {
            make_elf(1, p);
            if (at % 8 == 0) {
                kerf_store_le64(p + at, lies[l]);
            } else {
                kerf_store_le16(p + at, (uint32_t)lies[l] & 0xffff);
            }
            recognise(p, ELF_LEN, p, ELF_LEN, NULL, &image);
        }
    }
    make_elf(1, p);
    for (size_t len = 0; len < ELF_TEXT + 64; len++) {
        uint8_t *cut = malloc(len > 0 ? len : 1);

        assert_non_null(cut);
        memcpy(cut, p, len);
        recognise(cut, len, cut, len, NULL, &image);
        free(cut);
    }
}

static uint8_t *put_esp_segment(uint8_t *p, uint32_t addr, uint32_t len)
{
    kerf_store_le32(p, addr);
    kerf_store_le32(p + 4, len);
    return p + 8;
}

/* ESP32-C3: constants, code in flash, data in RAM, and one too small to matter. Returns the length. */
static size_t make_esp(uint32_t seed, uint8_t *start)
{
    uint8_t *p = start + 24;

    memset(start, 0, 24);
    start[0] = 0xe9;
    start[1] = 4;
    start[12] = 5;
    p = put_esp_segment(p, 0x3c000020, 0x200);
    test_noise(p, 0x200, seed);
    p = put_esp_segment(p + 0x200, 0x3fc80000, 0x100);
    test_noise(p, 0x100, seed);
    p = put_esp_segment(p + 0x100, 0x50000000, 4);
    p = put_esp_segment(p + 4, 0x42000020, PROGRAM_LEN);
    make_program(KERF_ISA_RISCV32, 0x42000020, seed, p);
    return (size_t)(p + PROGRAM_LEN - start);
}

static void esp32_segments_are_regions_also_behind_a_boot_loader(void **state)
{
    static const size_t offsets[] = {0, 0x1000, 0x8000};
    static uint8_t old_image[0x8000 + PROGRAM_LEN + 0x1000];
    static uint8_t new_image[0x8000 + PROGRAM_LEN + 0x1000];
    struct kerf_image image;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        memset(old_image, 0xff, sizeof(old_image));
        memset(new_image, 0xff, sizeof(new_image));
        size_t old_len = offsets[i] + make_esp(1, old_image + offsets[i]);
        size_t new_len = offsets[i] + make_esp(2, new_image + offsets[i]);

        recognise(old_image, old_len, new_image, new_len, NULL, &image);
        assert_int_equal(image.region_count, 3);
        assert_int_equal(image.regions[0].isa, KERF_ISA_NONE);
        assert_int_equal(image.regions[0].old_pos, offsets[i] + 32);
        assert_int_equal(image.regions[0].old_addr, 0x3c000020);
        assert_int_equal(image.regions[2].isa, KERF_ISA_RISCV32);
        assert_int_equal(image.regions[2].old_addr, 0x42000020);
        assert_int_equal(image.regions[2].new_len, PROGRAM_LEN);
        assert_non_null(strstr(image.recognised, "ESP32-C3 image"));
    }
}

static void an_esp8266_runs_the_rest_of_the_file_from_flash(void **state)
{
    static uint8_t p[0x1000 + PROGRAM_LEN];
    struct kerf_image image;

    (void)state;
    memset(p, 0, sizeof(p));
    p[0] = 0xe9;
    p[1] = 2;
    uint8_t *at = put_esp_segment(p + 8, 0x40100000, 0x200);

    (void)put_esp_segment(at + 0x200, 0x3ffe8000, 0x100);
    make_program(KERF_ISA_XTENSA_CALL0, 0x40201000, 1, p + 0x1000);
    recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
    assert_int_equal(image.region_count, 3);
    assert_int_equal(image.regions[0].isa, KERF_ISA_XTENSA_CALL0);
    assert_int_equal(image.regions[0].old_addr, 0x40100000);
    assert_int_equal(image.regions[1].isa, KERF_ISA_NONE);
    assert_int_equal(image.regions[2].old_addr - image.regions[2].old_pos, 0x40200000);
    assert_int_equal(image.regions[2].old_pos + image.regions[2].old_len, sizeof(p));
}

static void dfuse_and_uimage_say_their_addresses(void **state)
{
    static uint8_t p[293 + PROGRAM_LEN];
    struct kerf_image image;

    (void)state;
    memset(p, 0, sizeof(p));
    memcpy(p, "DfuSe\1", 6);
    p[10] = 1;
    memcpy(p + 11, "Target", 6);
    kerf_store_le32(p + 11 + 270, 1);
    (void)put_esp_segment(p + 285, 0x08008000, PROGRAM_LEN);
    make_program(KERF_ISA_THUMB, 0x08008000, 1, p + 293);
    recognise(p, sizeof(p), p, sizeof(p), NULL, &image);
    assert_int_equal(image.regions[0].isa, KERF_ISA_THUMB);
    assert_int_equal(image.regions[0].old_pos, 293);
    assert_int_equal(image.regions[0].old_addr, 0x08008000);

    memset(p, 0, 64);
    kerf_store_be32(p, 0x27051956);
    kerf_store_be32(p + 12, PROGRAM_LEN);
    kerf_store_be32(p + 16, 0xc0008000);
    make_program(KERF_ISA_A32, 0xc0008000, 1, p + 64);
    recognise(p, 64 + PROGRAM_LEN, p, 64 + PROGRAM_LEN, NULL, &image);
    assert_int_equal(image.regions[0].isa, KERF_ISA_A32);
    assert_int_equal(image.regions[0].old_pos, 64);
    assert_int_equal(image.regions[0].old_addr, 0xc0008000);
}

static void different_containers_are_one_region(void **state)
{
    static uint8_t elf[ELF_LEN];
    static uint8_t raw[PROGRAM_LEN];
    struct kerf_image image;

    (void)state;
    make_elf(1, elf);
    make_program(KERF_ISA_AARCH64, 0x400200, 2, raw);
    recognise(elf, ELF_LEN, raw, PROGRAM_LEN, NULL, &image);
    assert_int_equal(image.region_count, 1);
    assert_int_equal(image.regions[0].isa, KERF_ISA_AARCH64);
    assert_int_equal(image.regions[0].old_pos, 0);
    assert_int_equal(image.regions[0].new_len, PROGRAM_LEN);
}

/* --- Hints, and nothing to be found. --- */

static void hints_decide(void **state)
{
    static uint8_t p[PROGRAM_LEN];
    struct kerf_diff_options options;
    struct kerf_image image;

    (void)state;
    make_program(KERF_ISA_THUMB, 0x08004000, 1, p);
    recognise(p, sizeof(p), p, sizeof(p), "none", &image);
    assert_int_equal(image.region_count, 0);
    recognise(p, sizeof(p), p, sizeof(p), "riscv32", &image);
    assert_int_equal(image.regions[0].isa, KERF_ISA_RISCV32);

    memset(&options, 0, sizeof(options));
    options.base_known = true;
    options.base = 0x12345600;
    assert_int_equal(kerf_image_recognise(p, sizeof(p), p, sizeof(p), &options, NULL, &image), KERF_OK);
    assert_int_equal(image.regions[0].isa, KERF_ISA_THUMB);
    assert_int_equal(image.regions[0].old_addr, 0x12345600);
    assert_int_equal(image.regions[0].new_addr, 0x12345600);

    options.isa = "z80";
    assert_int_equal(kerf_image_recognise(p, sizeof(p), p, sizeof(p), &options, NULL, &image), KERF_ERR_ARGUMENT);
}

static void elf_files_tell_what_the_bytes_leave_open(void **state)
{
    struct kerf_diff_hint hint = {.isa = KERF_ISA_THUMB,
                                  .base_known = true,
                                  .base = 0x08004000,
                                  .range_count = 1,
                                  .ranges = {{0x20000000, 0x4000}}};
    struct kerf_diff_options options;
    struct kerf_image image;
    uint8_t noise[5000];

    (void)state;
    test_noise(noise, sizeof(noise), 7);
    memset(&options, 0, sizeof(options));
    options.old_hint = &hint;
    assert_int_equal(kerf_image_recognise(noise, sizeof(noise), noise, sizeof(noise), &options, NULL, &image), KERF_OK);
    assert_int_equal(image.region_count, 1);
    assert_int_equal(image.regions[0].isa, KERF_ISA_THUMB);
    assert_int_equal(image.regions[0].old_addr, 0x08004000);
    assert_int_equal(image.regions[0].new_addr, 0x08004000);
    assert_int_equal(image.range_count, 1);
    assert_int_equal(image.ranges[0].len, 0x4000);

    /* What the program's own bytes say of its instruction set counts; the address is the file's. */
    uint8_t *p = malloc(PROGRAM_LEN);

    assert_non_null(p);
    make_program(KERF_ISA_A32, 0x20000, 1, p);
    assert_int_equal(kerf_image_recognise(p, PROGRAM_LEN, p, PROGRAM_LEN, &options, NULL, &image), KERF_OK);
    assert_int_equal(image.regions[0].isa, KERF_ISA_A32);
    assert_int_equal(image.regions[0].old_addr, 0x08004000);
    free(p);
}

static void every_isa_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KERF_ISA_COUNT; i++) {
        assert_non_null(kerf_isa_name(i));
    }
    assert_null(kerf_isa_name(KERF_ISA_COUNT));
}

static void noise_text_zeros_and_nothing_are_not_recognised(void **state)
{
    enum {
        LEN = 300000
    };
    uint8_t *p = malloc(LEN);
    struct kerf_image image;

    (void)state;
    assert_non_null(p);
    for (uint32_t seed = 1; seed <= 3; seed++) {
        test_noise(p, LEN, seed);
        recognise(p, LEN, p, LEN, NULL, &image);
        assert_int_equal(image.region_count, 0);
    }
    for (size_t i = 0; i < LEN; i++) {
        p[i] = (uint8_t) "the quick brown fox jumps over the lazy dog, "[i * 7 % 45];
    }
    recognise(p, LEN, p, LEN, NULL, &image);
    assert_int_equal(image.region_count, 0);
    memset(p, 0, LEN);
    recognise(p, LEN, p, LEN, NULL, &image);
    assert_int_equal(image.region_count, 0);
    recognise(p, 0, p, LEN, NULL, &image);
    assert_int_equal(image.region_count, 0);
    recognise(p, LEN, p, 0, NULL, &image);
    assert_int_equal(image.region_count, 0);
    for (size_t len = 0; len < 40; len++) {
        recognise(p, len, p, 40 - len, NULL, &image);
        assert_int_equal(image.region_count, 0);
    }
    assert_string_equal(image.recognised, "nothing recognised; general model");
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_programs_of_every_isa_are_told_apart),
        cmocka_unit_test(images_that_moved_have_two_addresses),
        cmocka_unit_test(an_image_behind_a_header_of_any_length_has_its_address),
        cmocka_unit_test(an_image_of_mips16_is_placed_by_its_jumps),
        cmocka_unit_test(addresses_above_4_gib_are_told_by_their_lower_halves),
        cmocka_unit_test(type_records_are_looked_for_where_both_images_have_some),
        cmocka_unit_test(elf_files_are_seen_where_they_are_a_quarter_and_more_than_one),
        cmocka_unit_test(ram_is_where_literals_cluster),
        cmocka_unit_test(a_small_thumb_image_is_placed_by_its_vectors),
        cmocka_unit_test(a_thumb_image_without_pointers_is_placed_by_its_handlers),
        cmocka_unit_test(no_image_begins_where_its_reset_vector_is_outside),
        cmocka_unit_test(few_pointers_are_enough_at_address_0),
        cmocka_unit_test(words_are_found_behind_an_odd_header),
        cmocka_unit_test(a_zigbee_update_says_where_its_image_begins),
        cmocka_unit_test(a_mark_tells_where_an_image_of_tc32_begins),
        cmocka_unit_test(code_behind_an_odd_number_of_bytes_is_found),
        cmocka_unit_test(code_of_8051_is_placed_by_its_calls),
        cmocka_unit_test(elf_segments_are_regions),
        cmocka_unit_test(elf_headers_that_lie_are_survived),
        cmocka_unit_test(esp32_segments_are_regions_also_behind_a_boot_loader),
        cmocka_unit_test(an_esp8266_runs_the_rest_of_the_file_from_flash),
        cmocka_unit_test(dfuse_and_uimage_say_their_addresses),
        cmocka_unit_test(different_containers_are_one_region),
        cmocka_unit_test(hints_decide),
        cmocka_unit_test(elf_files_tell_what_the_bytes_leave_open),
        cmocka_unit_test(every_isa_has_a_name),
        cmocka_unit_test(noise_text_zeros_and_nothing_are_not_recognised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
