/* SPDX-License-Identifier: Apache-2.0 */
/* The patcher with native payloads, as diffgen makes them: whole, in pieces, damaged, and on devices that fail. */
#include "diffgen/diffgen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "tests/direct_calls.h"
#include "tests/memory_port.h"
#include "tests/pack.h"

#define LEN_CAP 12000
#define SLOT 16384
#define SECTOR 4096u
#define BASE 0x08000000u

static uint8_t old_image[LEN_CAP];
static uint8_t new_image[LEN_CAP];
static size_t new_len;
static uint8_t *delta;
static size_t delta_len;
static struct kerf_patcher_expect expected;

static int make_delta(void **state)
{
    struct kerf_diff_options options;
    struct kerf_diff_report report;
    struct kerf_sha256_digest digest;
    size_t old_len = test_image(old_image, 8000, SIZE_MAX, 0);

    (void)state;
    new_len = test_image(new_image, 8000, 2000, 24);
    memset(&options, 0, sizeof options);
    options.ram = KERF_DIFF_RAM_MIN;
    options.codec = -1;
    if (kerf_diff_create(old_image, old_len, new_image, new_len, &options, &delta, &delta_len, &report) != KERF_OK) {
        return -1;
    }
    test_digest(new_image, new_len, &digest);
    expected.chunk0_known = true;
    expected.target_known = true;
    expected.chunk0_digest = report.chunk0_digest;
    expected.target_digest = digest;
    return memcmp(&digest, &report.new_digest, sizeof digest);
}

static int free_delta(void **state)
{
    (void)state;
    free(delta);
    return 0;
}

static kerf_err apply(struct memory_port *m, size_t piece, const struct kerf_patcher_expect *expect)
{
    return memory_port_apply(m, delta, delta_len, piece, expect, 0, memory_port_workspace(m, delta, delta_len), NULL);
}

static void any_pieces_and_pages_give_the_new_image(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 17, 63, 64, 65, 1000, 1000000};
    static const uint32_t pages[] = {1, 8, 100, 256, 4096};

    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        for (size_t j = 0; j < sizeof pages / sizeof pages[0]; j++) {
            struct memory_port m;

            memory_port_init(&m, old_image, 8000, SLOT, pages[j], pages[j] * 4);
            assert_int_equal(apply(&m, pieces[i], &expected), KERF_END);
            assert_true(m.written == new_len);
            assert_memory_equal(m.new_image, new_image, new_len);
            memory_port_free(&m);
        }
    }
}

static void a_delta_for_2_kib_fits_into_2_kib(void **state)
{
    struct kerf_header h;

    (void)state;
    assert_int_equal(kerf_header_parse(delta, delta_len, &h), KERF_OK);
    assert_in_range(kerf_header_workspace(&h), 1, KERF_DIFF_RAM_MIN);
}

/* Damage that digests would find, with the digests mended: the decoder must cope, and a wrong image is never accepted. */
static void every_flipped_bit_is_survived_by_the_decoder(void **state)
{
    struct kerf_header good;
    uint8_t *damaged = malloc(delta_len);

    (void)state;
    assert_non_null(damaged);
    assert_int_equal(kerf_header_parse(delta, delta_len, &good), KERF_OK);
    for (size_t bit = 0; bit < delta_len * 8; bit++) {
        struct memory_port m;
        kerf_err err;

        memcpy(damaged, delta, delta_len);
        damaged[bit / 8] ^= (uint8_t)(1u << bit % 8);
        (void)test_pack_seal(damaged, delta_len);
        memory_port_init(&m, old_image, 8000, SLOT, 256, 1024);
        err = memory_port_apply(&m, damaged, delta_len, 500, NULL, 0, 65536, NULL);
        if (err == KERF_END) {
            /* Bits of a digest of old or new are never among these: they are checked. */
            assert_true(m.written == new_len);
            assert_memory_equal(m.new_image, new_image, new_len);
        }
        memory_port_free(&m);
    }
    free(damaged);
}

static void every_cut_is_truncated(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < delta_len; cut++) {
        struct memory_port m;

        memory_port_init(&m, old_image, 8000, SLOT, 256, 1024);
        assert_int_equal(memory_port_apply(&m, delta, cut, 500, NULL, 0, 4096, NULL), KERF_ERR_TRUNCATED);
        memory_port_free(&m);
    }
}

static void any_callback_may_fail(void **state)
{
    struct memory_port m;
    unsigned calls;

    (void)state;
    memory_port_init(&m, old_image, 8000, SLOT, 256, 1024);
    assert_int_equal(apply(&m, 500, &expected), KERF_END);
    calls = m.calls;
    memory_port_free(&m);
    for (unsigned at = 1; at <= calls; at++) {
        memory_port_init(&m, old_image, 8000, SLOT, 256, 1024);
        m.fail_at = at;
        assert_int_equal(apply(&m, 500, &expected), KERF_ERR_FLASH);
        memory_port_free(&m);
    }
}

/* Moves, drops and adds stretches of an image; returns the new length. */
static size_t edit(uint8_t *image, const uint8_t *from, size_t len, uint32_t seed)
{
    uint8_t dice[64];

    memcpy(image, from, len);
    test_noise(dice, sizeof dice, seed);
    for (size_t i = 0; i + 8 <= sizeof dice; i += 8) {
        size_t at = kerf_load_le16(dice + i) % len;
        size_t n = 1 + kerf_load_le16(dice + i + 2) % (dice[i + 4] < 128 ? 20 : 1500);

        if (dice[i + 5] % 3 == 0 && len + n <= LEN_CAP) {
            memmove(image + at + n, image + at, len - at);
            test_noise(image + at, n, seed + (uint32_t)i);
            len += n;
        } else if (dice[i + 5] % 3 == 1 && n < len - at) {
            memmove(image + at, image + at + n, len - at - n);
            len -= n;
        } else if (n <= len - at) {
            memmove(image + kerf_load_le16(dice + i + 6) % (len - n + 1), image + at, n);
        }
    }
    return len;
}

/* Making a delta for one slot applies it on a simulated slot: only the verdict is left to look at. */
static void any_edit_can_be_made_in_one_slot(void **state)
{
    static const struct {
        uint32_t sector;
        uint16_t scratch, group;
    } geometries[] = {{16, 1, 1}, {256, 2, 2}, {1024, 4, 3}, {4096, 2, 1}, {65536, 1, 1}};
    uint8_t *edited = malloc(LEN_CAP);

    (void)state;
    assert_non_null(edited);
    for (uint32_t seed = 1; seed <= 15; seed++) {
        struct kerf_diff_options options = {.level = 3, .codec = -1, .in_place = true};
        struct kerf_diff_report report;
        struct kerf_header h;
        uint8_t *made;
        size_t made_len;
        size_t edited_len = seed == 1 ? 0 : edit(edited, old_image, 8000, seed);

        options.sector = geometries[seed % 5].sector;
        options.scratch = geometries[seed % 5].scratch;
        options.group = geometries[seed % 5].group;
        options.no_new = seed % 4 == 0;
        assert_int_equal(kerf_diff_create(old_image, 8000, edited, edited_len, &options, &made, &made_len, &report),
                         KERF_OK);
        assert_int_equal(kerf_header_parse(made, made_len, &h), KERF_OK);
        assert_true((h.flags & KERF_FLAG_IN_PLACE) != 0 && h.group == options.group && h.scratch == options.scratch);
        assert_true((kerf_pos)1 << h.sector_log2 == options.sector);
        free(made);
    }
    free(edited);
}

/* As images over 4 GiB have. */
static void positions_of_64_bits(void **state)
{
    uint8_t *edited = malloc(LEN_CAP);

    (void)state;
    assert_non_null(edited);
    for (uint32_t seed = 1; seed <= 12; seed++) {
        struct kerf_diff_options options = {.codec = -1, .wide = true};
        struct kerf_header h;
        uint8_t *made;
        size_t made_len;
        size_t edited_len = edit(edited, old_image, 8000, seed);

        options.level = seed % 4 == 0 ? 1 : 6;
        options.ram = (uint64_t)KERF_DIFF_RAM_MIN << seed % 6;
        assert_int_equal(
            kerf_diff_create(old_image, seed % 3 == 0 ? 0 : 8000, edited, edited_len, &options, &made, &made_len, NULL),
            KERF_OK);
        assert_int_equal(kerf_header_parse(made, made_len, &h), KERF_OK);
        assert_true((h.flags & KERF_FLAG_WIDE) != 0);
        free(made);
    }
    free(edited);
}

/* Calls of functions before and behind `inserted` bytes; where a sector begins there are none, if that is not 0. */
static void put_calls(uint8_t *image, size_t inserted)
{
    size_t at = 0;

    for (uint32_t i = 0; at < 2 * SLOT; i += 4) {
        uint32_t to = i * 2654435761u % SLOT & ~63u;

        if (i == SLOT) {
            memset(image + at, 0xbf, inserted); /* BFBF: a hint */
            at += inserted;
        }
        if (inserted != 0 && at % SECTOR == 0) {
            kerf_store_le32(image + at, 0x46c046c0); /* MOV r8, r8 */
        } else {
            call_thumb(image + at, BASE + (uint32_t)at, BASE + 2 * to + (2 * to < SLOT ? 0 : (uint32_t)inserted));
        }
        at += 4;
    }
}

/* A reference that is given up produces nothing, so that no sector ends there. */
static void a_reference_may_be_given_up_where_a_sector_begins(void **state)
{
    static uint8_t images[2][2 * SLOT];
    struct kerf_diff_options options = {.level = 1, .codec = -1, .in_place = true, .sector = SECTOR, .scratch = 2};
    struct kerf_diff_report report;
    uint8_t *made;
    size_t made_len;

    (void)state;
    options.isa = "thumb";
    options.base_known = true;
    options.base = BASE;
    put_calls(images[0], 0);
    put_calls(images[1], 64);
    assert_int_equal(kerf_diff_create(images[0], 2 * SLOT, images[1], 2 * SLOT, &options, &made, &made_len, &report),
                     KERF_OK);
    assert_true(report.refs > SLOT / 4); /* most calls are copied as such */
    free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_edit_can_be_made_in_one_slot),
        cmocka_unit_test(a_reference_may_be_given_up_where_a_sector_begins),
        cmocka_unit_test(positions_of_64_bits),
        cmocka_unit_test(any_pieces_and_pages_give_the_new_image),
        cmocka_unit_test(a_delta_for_2_kib_fits_into_2_kib),
        cmocka_unit_test(every_flipped_bit_is_survived_by_the_decoder),
        cmocka_unit_test(every_cut_is_truncated),
        cmocka_unit_test(any_callback_may_fail),
    };

    return cmocka_run_group_tests(tests, make_delta, free_delta);
}
