/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's configuration: both ways of writing it, and what is wrong is named with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "patcher/port/agent_config.h"

static kerf_err parse(struct kerf_agent_config *config, const char *text, struct kerf_why *why)
{
    kerf_agent_config_defaults(config);
    why->text[0] = '\0';
    return kerf_agent_config_parse(config, text, strlen(text), why);
}

static void lines_and_json_say_the_same(void **unused)
{
    static const char lines[] = "# a device\n\nserver = https://updates.example:8443\n  product=terminal\r\n"
                                "ram = 32K\nmetered = true\nstall-s = 7\nslot-a = /dev/mmcblk0p2\n";
    static const char json[] = "{\"server\":\"https://updates.example:8443\",\"product\":\"terminal\",\"ram\":32768,"
                               "\"metered\":true,\"stall-s\":7,\"slot-a\":\"/dev/mmcblk0p2\"}";
    struct kerf_agent_config a;
    struct kerf_agent_config b;
    struct kerf_why why;
    (void)unused;
    assert_int_equal(parse(&a, lines, &why), KERF_OK);
    assert_int_equal(parse(&b, json, &why), KERF_OK);
    assert_memory_equal(&a, &b, sizeof a);
    assert_string_equal(a.server, "https://updates.example:8443");
    assert_int_equal(a.ram, 32768);
    assert_true(a.metered);
    assert_int_equal(a.stall_s, 7);
    assert_string_equal(a.component, "main");
}

static void what_is_wrong_is_named(void **unused)
{
    static const struct {
        const char *text;
        const char *said;
    } cases[] = {
        {"server https://x", "line 1"},
        {"\n\nram = much\n", "line 3: ram"},
        {"rma = 4K", "unknown key 'rma'"},
        {"product = two words", "product"},
        {"product =", "product"},
        {"metered = maybe", "true or false"},
        {"retries = 5K", "retries"},
        {"retries = 100000", "retries"},
        {"{\"ram\": 4.5}", "ram"},
        {"{\"ram\": -1}", "ram"},
        {"{\"ram\": ", "not JSON"},
        {"{\"server\": [\"https://x\"]}", "server"},
        {"{\"server\": {\"a\": {}}}", "nested"},
    };
    struct kerf_agent_config config;
    struct kerf_why why;
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(parse(&config, cases[i].text, &why) < 0);
        if (strstr(why.text, cases[i].said) == NULL) {
            fail_msg("'%s' says '%s'", cases[i].text, why.text);
        }
    }
}

static void a_text_that_is_too_long_is_refused(void **unused)
{
    struct kerf_agent_config config;
    struct kerf_why why;
    char line[4096];
    (void)unused;
    memset(line, 'x', sizeof line);
    memcpy(line, "state = ", 8);
    line[sizeof line - 1] = '\0';
    assert_int_equal(parse(&config, line, &why), KERF_ERR_FORMAT);
    line[8 + KERF_AGENT_PATH_CAP] = '\0';
    assert_int_equal(parse(&config, line, &why), KERF_ERR_ARGUMENT);
    line[8 + KERF_AGENT_PATH_CAP - 1] = '\0';
    assert_int_equal(parse(&config, line, &why), KERF_OK);
}

static void a_device_needs_two_slots_and_https(void **unused)
{
    static const char good[] =
        "server = https://x\nproduct = p\ndevice = d\nstate = s\nroot = r\nslot-a = a\nslot-b = b\n";
    struct kerf_agent_config config;
    struct kerf_why why;
    (void)unused;
    assert_int_equal(parse(&config, good, &why), KERF_OK);
    assert_int_equal(kerf_agent_config_check(&config, true, &why), KERF_OK);
    assert_int_equal(kerf_agent_config_set(&config, "slot-b", "a", &why), KERF_OK);
    assert_int_equal(kerf_agent_config_check(&config, true, &why), KERF_ERR_ARGUMENT);
    assert_int_equal(kerf_agent_config_set(&config, "slot-b", "b", &why), KERF_OK);
    assert_int_equal(kerf_agent_config_set(&config, "server", "http://x", &why), KERF_OK);
    assert_int_equal(kerf_agent_config_check(&config, true, &why), KERF_ERR_ARGUMENT);
    config.server[0] = '\0';
    assert_int_equal(kerf_agent_config_check(&config, true, &why), KERF_ERR_ARGUMENT);
    assert_int_equal(kerf_agent_config_check(&config, false, &why), KERF_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_and_json_say_the_same),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_text_that_is_too_long_is_refused),
        cmocka_unit_test(a_device_needs_two_slots_and_https),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
