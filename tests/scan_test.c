/* SPDX-License-Identifier: Apache-2.0 */
/* References of a whole image: what is remembered of one scan holds for the next one, which looks for fewer kinds. */
#include "diffgen/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/code_8051.h"

#define LEN 4096u
#define ALL_KINDS 0x07fcu /* and bit 0: this set's number is above 15 */
#define AT 0x100u

static uint8_t bytes[LEN + KERF_PAD];

/* The kind of the reference that begins at AT. */
static unsigned kind_at(const struct kerf_side *side)
{
    unsigned region = 0;
    struct kerf_ref ref = {0};

    return kerf_scan_find(side, AT, &region, &ref) ? ref.kind : KERF_REF_NONE;
}

/* Between two calls of one function lies what might be an address, as behind each of them. */
static void what_an_address_hid_is_found_without_addresses(void **state)
{
    struct kerf_side side = {.bytes = bytes, .len = LEN};
    struct kerf_image image = {.region_count = 1};

    (void)state;
    put_hex(bytes + AT, "9003bc1200369004001200362222"); /* mov dptr; lcall; mov dptr; lcall; ret */
    image.regions[0] = (struct kerf_region){.old_len = LEN, .new_len = LEN, .isa = KERF_ISA_MCS51};
    image.regions[0].kinds = kerf_isa_kinds(KERF_ISA_MCS51, ALL_KINDS);
    assert_int_equal(kerf_scan_side(&side, &image, false, true), KERF_OK);
    assert_int_equal(kind_at(&side), KERF_REF_NONE);
    kerf_scan_free(&side);

    image.regions[0].kinds = kerf_isa_kinds(KERF_ISA_MCS51, ALL_KINDS & ~(1u << KERF_REF_LITERAL));
    assert_int_equal(kerf_scan_side(&side, &image, false, false), KERF_OK);
    assert_int_equal(kind_at(&side), KERF_REF_RAM);
    kerf_scan_free(&side);
    free(side.mask_of_all);
    free(side.nothing_of_all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_address_hid_is_found_without_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
