/* SPDX-License-Identifier: Apache-2.0 */
/* What images are: programs of every instruction set, put together here, in raw files and in containers; and nonsense. */
#include "tests/image_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "tests/code_8051.h"
#include "tests/direct_calls.h"
#include "tests/pack.h"

#define FUNCTION_LEN 64u
#define FUNCTIONS 96u
#define STRING_LEN 24u
#define CODE_LEN (FUNCTIONS * FUNCTION_LEN)
/* Code, pointers to functions and strings, strings. */
#define PROGRAM_LEN (CODE_LEN + FUNCTIONS * 16u + FUNCTIONS * STRING_LEN)

/* What a program of one instruction set is made of. */
struct machine {
    uint8_t isa;
    uint8_t pointer_len;
    const char *start; /* first instructions of a function, in hexadecimal */
    const char *filler;
    void (*call)(uint8_t *p, uint32_t pc, uint32_t target);
};

static const struct machine machines[] = {
    {KERF_ISA_THUMB, 4, "f0b5", "00bf", call_thumb},                       /* push {r4-r7,lr}; nop */
    {KERF_ISA_A32, 4, "10402de9", "0000a0e1", call_a32},                   /* push {r4,lr}; nop */
    {KERF_ISA_AARCH64, 8, "fd7bbfa9", "1f2003d5", call_aarch64},           /* stp x29,x30,[sp,#-16]!; nop */
    {KERF_ISA_XTENSA_CALL0, 4, "12c1f0", "f02000", call0},                 /* addi a1,a1,-16; nop */
    {KERF_ISA_XTENSA_WINDOWED, 4, "364100", "f02000", call8},              /* entry a1,32; nop */
    {KERF_ISA_RISCV32, 4, "411106c6", "0100", call_riscv},                 /* c.addi sp,-16; c.swsp ra,12; c.nop */
    {KERF_ISA_RISCV64, 8, "411106e4", "0100", call_riscv},                 /* c.addi sp,-16; c.sdsp ra,8; c.nop */
    {KERF_ISA_X86, 4, "5589e5", "90", call_x86},                           /* push ebp; mov ebp,esp; nop */
    {KERF_ISA_X86_64, 8, "f30f1efa4883ec08", "90", call_x86},              /* endbr64; sub rsp,8; nop */
    {KERF_ISA_AVR, 4, "cf93df93", "0000", call_avr},                       /* push r28; push r29; nop */
    {KERF_ISA_MIPS32_LE, 4, "e8ffbd271400bfaf", "00000000", call_mips_le}, /* addiu sp,-24; sw ra,20(sp); nop */
    {KERF_ISA_MIPS32_BE, 4, "27bdffe8afbf0014", "00000000", call_mips_be},
    {KERF_ISA_ARC, 4, "f1c0", "e078", call_arc},                               /* push_s blink; nop_s */
    {KERF_ISA_POWERPC_BE, 4, "9421ffe07c0802a6", "60000000", call_powerpc_be}, /* stwu r1,-32(r1); mflr r0; nop */
    {KERF_ISA_POWERPC_LE, 8, "a602087ce1ff21f8", "00000060", call_powerpc_le}, /* mflr r0; stdu r1,-32(r1); nop */
    {KERF_ISA_NDS32, 4, "fc00", "9200", call_nds32},                           /* push25; nop16 */
    {KERF_ISA_MIPS16, 4, "f0630362", "0065", call_mips16},                     /* addiu sp,-128; sw ra,12(sp); nop */
    {KERF_ISA_BA2, 4, "47a404", "0400", call_ba2},                             /* bn.entri; bt.mov r0,r0 */
    {KERF_ISA_TC32, 4, "7065", "c006", call_tc32},                             /* tpush {r4-r6,lr}; nop */
    {KERF_ISA_VIDEOCORE, 4, "a703", "0100", call_videocore},                   /* stm r6-r13, lr, (--sp); nop */
};

static const struct machine *machine_of(unsigned isa)
{
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        if (machines[i].isa == isa) {
            return &machines[i];
        }
    }
    fail();
    return NULL;
}

static void put_pointer(const struct machine *m, uint8_t *p, uint32_t v)
{
    if (m->isa == KERF_ISA_MIPS32_BE || m->isa == KERF_ISA_POWERPC_BE || m->isa == KERF_ISA_BA2) {
        kerf_store_be32(p, v);
    } else if (m->pointer_len == 4) {
        kerf_store_le32(p, v);
    } else {
        kerf_store_le64(p, v);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Starts come irregularly, or the address would be ambiguous: at a multiple of 4 within the function's 64 bytes. */
static uint32_t function_at(uint32_t f)
{
    return f * FUNCTION_LEN + (f * 2654435761u >> 29) * 4u;
}

static uint32_t string_at(uint32_t f)
{
    return CODE_LEN + FUNCTIONS * 16u + f * STRING_LEN + 1 + (f * 2246822519u >> 29);
}

/* A program linked for `base`: functions that call each other at random, pointers to them and to strings, the strings. */
static void make_program(unsigned isa, uint32_t base, uint32_t seed, uint8_t *p)
{
    const struct machine *m = machine_of(isa);
    uint32_t pointers = CODE_LEN;

    memset(p, 0, PROGRAM_LEN);
    for (uint32_t f = 0; f < FUNCTIONS; f++) {
        uint32_t at = function_at(f);
        uint32_t end = (f + 1) * FUNCTION_LEN;

        at += (uint32_t)put_hex(p + at, m->start);
        for (unsigned k = 1; at + 12 < end; k++) {
            if (k % 4 == 1) {
                m->call(p + at, base + at, base + function_at(next_random(&seed) % FUNCTIONS));
                at += m->call == call_x86 ? 5 : m->call == call0 || m->call == call8 || m->call == call_ba2 ? 3 : 4;
            } else {
                at += (uint32_t)put_hex(p + at, m->filler);
            }
        }
        put_pointer(m, p + pointers + f * 8u,
                    base + function_at(f * 7u % FUNCTIONS) +
                        (isa == KERF_ISA_THUMB || isa == KERF_ISA_MIPS16 || isa == KERF_ISA_TC32));
        put_pointer(m, p + pointers + FUNCTIONS * 8u + f * 8u, base + string_at(f));
        memcpy(p + string_at(f), "text of nr. ", 12);
        p[string_at(f) + 12] = (uint8_t)('A' + f % 26);
    }
}

/* Recognises and checks what always holds. */
static void recognise(const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                      const char *isa, struct kerf_image *image)
{
    struct kerf_diff_options options;

    memset(&options, 0, sizeof(options));
    options.isa = isa;
    assert_int_equal(kerf_image_recognise(old_image, old_len, new_image, new_len, &options, image), KERF_OK);
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
    assert_int_equal(kerf_image_recognise(p, sizeof(p), p, sizeof(p), &options, &image), KERF_OK);
    assert_int_equal(image.regions[0].isa, KERF_ISA_THUMB);
    assert_int_equal(image.regions[0].old_addr, 0x12345600);
    assert_int_equal(image.regions[0].new_addr, 0x12345600);

    options.isa = "z80";
    assert_int_equal(kerf_image_recognise(p, sizeof(p), p, sizeof(p), &options, &image), KERF_ERR_ARGUMENT);
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
    assert_int_equal(kerf_image_recognise(noise, sizeof(noise), noise, sizeof(noise), &options, &image), KERF_OK);
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
    assert_int_equal(kerf_image_recognise(p, PROGRAM_LEN, p, PROGRAM_LEN, &options, &image), KERF_OK);
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
        cmocka_unit_test(addresses_above_4_gib_are_told_by_their_lower_halves),
        cmocka_unit_test(type_records_are_looked_for_where_both_images_have_some),
        cmocka_unit_test(ram_is_where_literals_cluster),
        cmocka_unit_test(a_small_thumb_image_is_placed_by_its_vectors),
        cmocka_unit_test(few_pointers_are_enough_at_address_0),
        cmocka_unit_test(words_are_found_behind_an_odd_header),
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
