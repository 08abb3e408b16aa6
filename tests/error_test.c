/* SPDX-License-Identifier: Apache-2.0 */
#include "common/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void success_and_hints_are_nobodys_fault(void **state)
{
    (void)state;
    assert_int_equal(kerf_err_fault(KERF_OK), KERF_FAULT_NONE);
    assert_int_equal(kerf_err_fault(KERF_MORE_INPUT), KERF_FAULT_NONE);
    assert_int_equal(kerf_err_fault(KERF_MORE_WORK), KERF_FAULT_NONE);
    assert_int_equal(kerf_err_fault(KERF_END), KERF_FAULT_NONE);
}

static void each_group_of_numbers_has_one_fault(void **state)
{
    (void)state;
    for (int err = -10; err >= -89; err--) {
        enum kerf_fault expected = err > -30   ? KERF_FAULT_DELTA
                                   : err > -50 ? KERF_FAULT_DEVICE
                                   : err > -70 ? KERF_FAULT_TRUST
                                               : KERF_FAULT_CALLER;

        assert_int_equal(kerf_err_fault((kerf_err)err), expected);
    }
}

/* Part of the API: released devices report these numbers. */
static void the_numbers_stay_as_they_are(void **state)
{
    (void)state;
    assert_int_equal(KERF_ERR_FORMAT, -10);
    assert_int_equal(KERF_ERR_UNSUPPORTED, -17);
    assert_int_equal(KERF_ERR_SOURCE, -30);
    assert_int_equal(KERF_ERR_RAM, -33);
    assert_int_equal(KERF_ERR_SIGNATURE, -50);
    assert_int_equal(KERF_ERR_MISMATCH, -53);
    assert_int_equal(KERF_ERR_STATE, -70);
    assert_int_equal(KERF_ERR_ARGUMENT, -71);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_and_hints_are_nobodys_fault),
        cmocka_unit_test(each_group_of_numbers_has_one_fault),
        cmocka_unit_test(the_numbers_stay_as_they_are),
    };

    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
