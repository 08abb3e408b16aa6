/* SPDX-License-Identifier: Apache-2.0 */
/* The answers are those of NIST's examples for FIPS 180-4. */
#include "common/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void hex_of(const struct kerf_sha256_digest *digest, char hex[2 * KERF_SHA256_LEN + 1])
{
    for (size_t i = 0; i < KERF_SHA256_LEN; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", digest->b[i]);
    }
}

static void assert_digest_is(struct kerf_sha256 *s, const char *expected)
{
    struct kerf_sha256_digest digest;
    char hex[2 * KERF_SHA256_LEN + 1];

    kerf_sha256_end(s, &digest);
    hex_of(&digest, hex);
    assert_string_equal(hex, expected);
}

static void assert_text_hashes_to(const char *text, const char *expected)
{
    struct kerf_sha256 s;

    kerf_sha256_init(&s);
    kerf_sha256_add(&s, (const uint8_t *)text, strlen(text));
    assert_digest_is(&s, expected);
}

static void the_empty_message_has_its_known_digest(void **state)
{
    (void)state;
    assert_text_hashes_to("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void one_block_hashes_as_fips_180_4_says(void **state)
{
    (void)state;
    assert_text_hashes_to("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void two_blocks_hash_as_fips_180_4_says(void **state)
{
    (void)state;
    assert_text_hashes_to("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void a_message_whose_padding_takes_a_block_of_its_own_hashes_right(void **state)
{
    (void)state;
    assert_text_hashes_to(
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopq"
        "rsmnopqrstnopqrstu",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
}

static void a_million_letters_hash_as_fips_180_4_says(void **state)
{
    struct kerf_sha256 s;
    uint8_t block[1000];

    (void)state;
    memset(block, 'a', sizeof(block));
    kerf_sha256_init(&s);
    for (int i = 0; i < 1000; i++) {
        kerf_sha256_add(&s, block, sizeof(block));
    }
    assert_digest_is(&s, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void the_cut_into_pieces_does_not_matter(void **state)
{
    uint8_t data[300];
    struct kerf_sha256 whole;
    struct kerf_sha256_digest expected;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 7);
    }
    kerf_sha256_init(&whole);
    kerf_sha256_add(&whole, data, sizeof(data));
    kerf_sha256_end(&whole, &expected);
    for (size_t piece = 1; piece <= 130; piece++) {
        struct kerf_sha256 s;
        struct kerf_sha256_digest digest;

        kerf_sha256_init(&s);
        for (size_t pos = 0; pos < sizeof(data); pos += piece) {
            kerf_sha256_add(&s, data + pos, sizeof(data) - pos < piece ? sizeof(data) - pos : piece);
        }
        kerf_sha256_end(&s, &digest);
        assert_memory_equal(&digest, &expected, sizeof(digest));
    }
}

static void adding_nothing_changes_nothing(void **state)
{
    struct kerf_sha256 s;

    (void)state;
    kerf_sha256_init(&s);
    kerf_sha256_add(&s, (const uint8_t *)"ab", 2);
    kerf_sha256_add(&s, NULL, 0);
    kerf_sha256_add(&s, (const uint8_t *)"c", 1);
    assert_digest_is(&s, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void a_copied_state_goes_on_by_itself(void **state)
{
    struct kerf_sha256 s, copy;

    (void)state;
    kerf_sha256_init(&s);
    kerf_sha256_add(&s, (const uint8_t *)"a", 1);
    copy = s;
    kerf_sha256_add(&s, (const uint8_t *)"something else", 14);
    kerf_sha256_add(&copy, (const uint8_t *)"bc", 2);
    assert_digest_is(&copy, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_empty_message_has_its_known_digest),
        cmocka_unit_test(one_block_hashes_as_fips_180_4_says),
        cmocka_unit_test(two_blocks_hash_as_fips_180_4_says),
        cmocka_unit_test(a_message_whose_padding_takes_a_block_of_its_own_hashes_right),
        cmocka_unit_test(a_million_letters_hash_as_fips_180_4_says),
        cmocka_unit_test(the_cut_into_pieces_does_not_matter),
        cmocka_unit_test(adding_nothing_changes_nothing),
        cmocka_unit_test(a_copied_state_goes_on_by_itself),
    };

    return cmocka_run_group_tests_name("sha256", tests, NULL, NULL);
}
