/* SPDX-License-Identifier: Apache-2.0 */
/* Files of several programs: each is found at the address that it is linked for, and nothing where there is but one. */
#include "tests/image_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/program.h"

#define FILLER 512u /* between programs: noise */
#define FILE_LEN (PROGRAM_LEN + FILLER + PROGRAM_LEN + FILLER)

/* Two programs, the second one `shift` bytes further on; noise between and behind them. */
static void make_file(unsigned isa, uint32_t first, uint32_t second, uint32_t shift, uint8_t *p)
{
    test_noise(p, FILE_LEN, 7);
    make_program(isa, first, 1, p);
    program_layout = 1000;
    make_program(isa, second, 2, p + PROGRAM_LEN + shift);
    program_layout = 0;
}

static void recognise(const uint8_t *old_image, const uint8_t *new_image, size_t len, int level, bool parts,
                      struct kerf_image *image)
{
    const struct kerf_diff_options options = {.level = level};
    struct kerf_image whole = {0};
    struct kerf_image alone;

    assert_int_equal(kerf_image_recognise(old_image, len, new_image, len, &options, parts ? &whole : NULL, image),
                     KERF_OK);
    if (image->in_parts) { /* what there is without them is said, too */
        assert_int_equal(kerf_image_recognise(old_image, len, new_image, len, &options, NULL, &alone), KERF_OK);
        assert_int_equal(whole.region_count, alone.region_count);
        assert_int_equal(whole.range_count, alone.range_count);
        assert_memory_equal(whole.regions, alone.regions, alone.region_count * sizeof alone.regions[0]);
        assert_memory_equal(whole.ranges, alone.ranges, alone.range_count * sizeof alone.ranges[0]);
        assert_string_equal(whole.recognised, alone.recognised);
    }
    const char *bad = test_image_check(image, len, len);

    assert_null(bad);
}

/* The region that an old position lies in. */
static const struct kerf_region *region_at(const struct kerf_image *image, size_t pos)
{
    for (unsigned i = 0; i < image->region_count; i++) {
        if (pos - image->regions[i].old_pos < image->regions[i].old_len) {
            return &image->regions[i];
        }
    }
    fail();
    return NULL;
}

/* What a program begins with has its address, in old and in new. */
static void check_addresses(const struct kerf_image *image, size_t old_pos, size_t new_pos, uint32_t base)
{
    for (uint32_t f = 2; f + 2 < FUNCTIONS; f++) {
        for (unsigned k = 0; k < 2; k++) {
            uint32_t at = k == 0 ? function_at(f) : string_at(f);
            const struct kerf_region *r = region_at(image, old_pos + at);

            assert_int_equal((uint32_t)(r->old_addr + (old_pos + at - r->old_pos)), base + at);
            assert_int_equal((uint32_t)(r->new_addr + (new_pos + at - r->new_pos)), base + at);
        }
    }
}

static void programs_in_one_file_have_their_own_addresses(void **state)
{
    static const uint8_t isas[] = {KERF_ISA_THUMB,     KERF_ISA_A32, KERF_ISA_RISCV32,
                                   KERF_ISA_MIPS32_BE, KERF_ISA_ARC, KERF_ISA_XTENSA_CALL0};
    static uint8_t old_image[FILE_LEN];
    static uint8_t new_image[FILE_LEN];
    struct kerf_image image;

    (void)state;
    for (size_t i = 0; i < sizeof isas; i++) {
        make_file(isas[i], 0x08004000, 0x20400000, 64, old_image);
        make_file(isas[i], 0x08004000, 0x20400000, 256, new_image);
        recognise(old_image, new_image, FILE_LEN, 6, true, &image);
        assert_true(image.in_parts);
        check_addresses(&image, 0, 0, 0x08004000);
        program_layout = 1000;
        check_addresses(&image, PROGRAM_LEN + 64, PROGRAM_LEN + 256, 0x20400000);
        program_layout = 0;
        recognise(old_image, new_image, FILE_LEN, 6, false, &image);
        assert_false(image.in_parts);
        recognise(old_image, new_image, FILE_LEN, 1, true, &image); /* takes too long there */
        assert_false(image.in_parts);
    }
}

/* Programs that lie as far apart in the address space as in the file. */
static void one_address_is_not_divided(void **state)
{
    static uint8_t old_image[FILE_LEN];
    static uint8_t new_image[FILE_LEN];
    struct kerf_image image;

    (void)state;
    make_file(KERF_ISA_THUMB, 0x08004000, 0x08004000 + PROGRAM_LEN + 64, 64, old_image);
    make_file(KERF_ISA_THUMB, 0x08004000, 0x08004000 + PROGRAM_LEN + 64, 64, new_image);
    recognise(old_image, new_image, FILE_LEN, 6, true, &image);
    assert_false(image.in_parts);
    assert_int_equal(image.region_count, 1);
    assert_int_equal(image.regions[0].old_addr, 0x08004000);
}

/* A part that only one of the images has is none. */
static void parts_are_of_both_images(void **state)
{
    static uint8_t old_image[FILE_LEN];
    static uint8_t new_image[FILE_LEN];
    struct kerf_image image;

    (void)state;
    make_file(KERF_ISA_THUMB, 0x08004000, 0x20400000, 64, old_image);
    make_file(KERF_ISA_THUMB, 0x48004000, 0x30400000, 64, new_image);
    recognise(old_image, new_image, FILE_LEN, 6, true, &image);
    assert_false(image.in_parts);
}

/* Changed anywhere, whatever is found stays within the images. */
static void damaged_files_are_survived(void **state)
{
    uint8_t *old_image = malloc(FILE_LEN);
    uint8_t *new_image = malloc(FILE_LEN);
    struct kerf_image image;
    uint32_t seed = 1;

    (void)state;
    assert_non_null(old_image);
    assert_non_null(new_image);
    for (unsigned run = 0; run < 60; run++) {
        make_file(KERF_ISA_THUMB, 0x08004000, run % 2 == 0 ? 0x20400000 : 0xfffff000, 64, old_image);
        memcpy(new_image, old_image, FILE_LEN);
        for (unsigned i = 0; i < 40; i++) {
            uint8_t *p = i % 2 == 0 ? old_image : new_image;

            test_noise(p + next_random(&seed) % (FILE_LEN - 16), next_random(&seed) % 16, seed);
        }
        recognise(old_image, new_image, FILE_LEN - run, 6, true, &image);
    }
    free(old_image);
    free(new_image);
}

/* Parts of which the second moves among the addresses: 1, or neither: 0. */
static void make_pair(unsigned moves, uint8_t *old_image, uint8_t *new_image)
{
    make_file(KERF_ISA_THUMB, 0x08004000, 0x20400000, 64, old_image);
    make_file(KERF_ISA_THUMB, 0x08004000, 0x20400000 + moves * 0x1040, 64, new_image);
}

/* A delta has regions for parts where that makes it smaller. */
static void parts_are_taken_where_they_pay(void **state)
{
    static uint8_t old_image[FILE_LEN];
    static uint8_t new_image[FILE_LEN];
    struct kerf_diff_options options = {.level = 6, .ram = 8192, .codec = KERF_CODEC_NATIVE};
    struct kerf_diff_report report;
    uint8_t *delta;
    size_t len;

    (void)state;
    for (unsigned moves = 0; moves < 2; moves++) {
        make_pair(moves, old_image, new_image);
        assert_int_equal(kerf_diff_create(old_image, FILE_LEN, new_image, FILE_LEN, &options, &delta, &len, &report),
                         KERF_OK);
        assert_int_equal(strstr(report.recognised, "regions") != NULL, moves);
        assert_int_equal(report.in_parts, moves);
        free(delta);
    }
}

/* For shell tests: the pair whose parts pay, as two files. */
static int write_pair(char **paths)
{
    static uint8_t images[2][FILE_LEN];
    bool written = true;

    make_pair(1, images[0], images[1]);
    for (unsigned i = 0; i < 2; i++) {
        FILE *file = fopen(paths[i], "wb");

        written = file != NULL && fwrite(images[i], 1, FILE_LEN, file) == FILE_LEN && written;
        written = file != NULL && fclose(file) == 0 && written;
    }
    return written ? 0 : 1;
}

/* parts_test [OLD NEW]: runs the tests, or writes a pair of files */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_in_one_file_have_their_own_addresses),
        cmocka_unit_test(one_address_is_not_divided),
        cmocka_unit_test(parts_are_of_both_images),
        cmocka_unit_test(damaged_files_are_survived),
        cmocka_unit_test(parts_are_taken_where_they_pay),
    };

    return argc == 3 ? write_pair(argv + 1) : cmocka_run_group_tests(tests, NULL, NULL);
}
