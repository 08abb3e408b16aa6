/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One release, and a table of devices that ask. Images are named by one letter: digest "a" is 32 bytes 'a'. Release 10
 * has
 *   main  (order 2) -> M, from a (three deltas), b, c
 *   modem (order 1) -> N, from a; min_from_seq 4
 * and earlier releases made a, b (main 1.0, 1.1) and a (modem 7).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/container.h"
#include "common/isa/isa.h"
#include "server-tools/resolver.h"

#define THUMB (1u << KERF_ISA_THUMB)

static uint8_t document[KERF_METADATA_MAX_LEN];
static struct kerf_release release;

static struct kerf_span span(const char *text)
{
    const struct kerf_span s = {(const uint8_t *)text, strlen(text)};

    return s;
}

static struct kerf_sha256_digest digest(char letter)
{
    struct kerf_sha256_digest d;

    memset(d.b, letter, sizeof d.b);
    return d;
}

/* A payload named by one letter: full when `from` is 0. */
static struct kerf_payload payload(char name, uint64_t size, uint64_t workspace, uint32_t codec, uint32_t isas,
                                   char from)
{
    struct kerf_payload p;

    memset(&p, 0, sizeof p);
    p.digest = digest(name);
    p.size = size;
    p.format = span("kerf/0");
    p.workspace = workspace;
    p.codec = codec;
    p.isas = isas;
    if (from != 0) {
        p.is_delta = true;
        p.from_digest = digest(from);
        p.from_size = 5000;
        p.from_version = span("1.0");
    }
    return p;
}

static struct kerf_component_list component(const char *name, const char *version, char target, uint64_t order,
                                            struct kerf_payload *payloads, size_t count)
{
    struct kerf_component_list list;

    memset(&list, 0, sizeof list);
    list.component.name = span(name);
    list.component.version = span(version);
    list.component.size = 5000;
    list.component.digest = digest(target);
    list.component.order = order;
    list.payloads = payloads;
    list.payload_count = count;
    return list;
}

static int make_release(void **state)
{
    struct kerf_payload main_payloads[] = {
        payload('F', 1000, 8192, KERF_CODEC_NATIVE, THUMB, 0),  payload('G', 1200, 2048, KERF_CODEC_STORED, 0, 0),
        payload('H', 1000, 65536, KERF_CODEC_LZMA2, 0, 0),      payload('1', 100, 8192, KERF_CODEC_NATIVE, THUMB, 'a'),
        payload('2', 80, 16384, KERF_CODEC_NATIVE, THUMB, 'a'), payload('3', 60, 65536, KERF_CODEC_LZMA2, 0, 'a'),
        payload('4', 699, 8192, KERF_CODEC_NATIVE, THUMB, 'b'), payload('5', 700, 8192, KERF_CODEC_NATIVE, THUMB, 'c'),
    };
    struct kerf_payload modem_payloads[] = {
        payload('I', 900, 2048, KERF_CODEC_NATIVE, 0, 0),
        payload('6', 50, 2048, KERF_CODEC_NATIVE, 0, 'a'),
    };
    struct kerf_component_list components[] = {
        component("main", "1.2", 'M', 2, main_payloads, 8),
        component("modem", "8", 'N', 1, modem_payloads, 2),
    };
    const struct kerf_span hardware[] = {span("A"), span("B")};
    struct kerf_release r;
    size_t len;

    (void)state;
    memset(&r, 0, sizeof r);
    r.product = span("T1");
    r.seq = 10;
    r.sc = 5;
    r.version = span("2026.11");
    components[1].component.min_from_seq = 4;
    assert_int_equal(KERF_OK, kerf_release_write(&r, hardware, 2, components, 2, document, sizeof document, &len));
    assert_int_equal(KERF_OK, kerf_release_parse(document, len, &release));
    return 0;
}

/* What a device says; 0 and NULL: the usual (hardware A, release 9, 32 KiB, thumb, main 1.0 with image a, slot 8000). */
/* In the order in which the table reads best. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct device {
    const char *name;
    /* the request */
    const char *hw, *format, *feature, *ver;
    char image; /* '-': no digest */
    uint64_t ram, slot, seq, sc;
    bool metered;
    const char *modem_ver; /* NULL: it lists no modem */
    char modem_image;
    uint32_t failures;   /* of the pair a -> M */
    uint32_t last_tries; /* in `last`, for a delta to `last_to` */
    enum kerf_report_code last_code;
    char last_to; /* 0: not given */
    /* the answer */
    enum kerf_check_status status;
    const char *reason;
    const char
        *options; /* letters of main's payloads in order; of modem's before them, and a blank, if there are any */
    enum kerf_standing standing; /* of main */
};

static const struct device devices[] = {
    {.name = "known version and digest: deltas by size, then full",
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "21FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "lzma2 as well",
     .feature = "lzma2",
     .ram = 100000,
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "3HG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "no limit of RAM given",
     .ram = UINT64_MAX,
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "21FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "less RAM: the delta that fits",
     .ram = 8192,
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "1FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "RAM too small for any delta: full",
     .ram = 8191,
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "G",
     .standing = KERF_STANDING_KNOWN},
    {.name = "RAM too small for all",
     .ram = 2047,
     .status = KERF_CHECK_HOLD,
     .reason = "ram",
     .options = "",
     .standing = KERF_STANDING_KNOWN},
    {.name = "no instruction set: stored full",
     .feature = "riscv32",
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "G",
     .standing = KERF_STANDING_KNOWN},
    {.name = "another format",
     .format = "kerf/9",
     .status = KERF_CHECK_HOLD,
     .reason = "format",
     .options = "",
     .standing = KERF_STANDING_KNOWN},
    {.name = "digest known, version of another image: digest trusted",
     .ver = "1.1",
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "21FG",
     .standing = KERF_STANDING_RENAMED},
    {.name = "digest known, version nobody knows: digest trusted",
     .ver = "9.9",
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "21FG",
     .standing = KERF_STANDING_RENAMED},
    {.name = "digest known, no version",
     .ver = "",
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "21FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "version known, digest not: drift, full only",
     .image = 'x',
     .status = KERF_CHECK_UPDATE,
     .reason = "drift",
     .options = "FG",
     .standing = KERF_STANDING_DRIFT},
    {.name = "version of the target, digest unknown: drift",
     .ver = "1.2",
     .image = 'x',
     .status = KERF_CHECK_UPDATE,
     .reason = "drift",
     .options = "FG",
     .standing = KERF_STANDING_DRIFT},
    {.name = "nothing known: full only",
     .ver = "0.1",
     .image = 'x',
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "FG",
     .standing = KERF_STANDING_FOREIGN},
    {.name = "no digest: full only",
     .image = '-',
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "FG",
     .standing = KERF_STANDING_ABSENT},
    {.name = "up to date",
     .ver = "1.2",
     .image = 'M',
     .status = KERF_CHECK_NONE,
     .reason = "current",
     .options = "",
     .standing = KERF_STANDING_KNOWN},
    {.name = "up to date, in spite of the version",
     .ver = "1.0",
     .image = 'M',
     .status = KERF_CHECK_NONE,
     .reason = "current",
     .options = "",
     .standing = KERF_STANDING_RENAMED},
    {.name = "up to date, in spite of RAM",
     .ver = "1.2",
     .image = 'M',
     .ram = 1,
     .status = KERF_CHECK_NONE,
     .reason = "current",
     .options = "",
     .standing = KERF_STANDING_KNOWN},
    {.name = "delta just below 0.7 of the smallest full",
     .ver = "1.1",
     .image = 'b',
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "4FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "delta of 0.7: not offered",
     .ver = "1.1",
     .image = 'c',
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "FG",
     .standing = KERF_STANDING_RENAMED},
    {.name = "failed once: delta",
     .failures = 1,
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "21FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "failed twice: full only",
     .failures = 2,
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "failed twice by its own word",
     .last_tries = 2,
     .last_code = KERF_CODE_CHUNK_HASH,
     .last_to = 'M',
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "failed twice, target not said",
     .last_tries = 2,
     .last_code = KERF_CODE_CHUNK_HASH,
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "failed twice on the way to something else",
     .last_tries = 2,
     .last_code = KERF_CODE_CHUNK_HASH,
     .last_to = 'K',
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "21FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "failed because of the network",
     .last_tries = 9,
     .last_code = KERF_CODE_NET,
     .last_to = 'M',
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "21FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "failed once by its own word",
     .last_tries = 1,
     .last_code = KERF_CODE_CHUNK_HASH,
     .last_to = 'M',
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "21FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "metered: deltas only",
     .metered = true,
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "21",
     .standing = KERF_STANDING_KNOWN},
    {.name = "metered and failed twice: visibly nothing",
     .metered = true,
     .failures = 2,
     .status = KERF_CHECK_HOLD,
     .reason = "metered",
     .options = "",
     .standing = KERF_STANDING_KNOWN},
    {.name = "other hardware",
     .hw = "C",
     .status = KERF_CHECK_HOLD,
     .reason = "hardware",
     .options = "",
     .standing = KERF_STANDING_KNOWN},
    {.name = "hardware not given",
     .hw = "",
     .status = KERF_CHECK_HOLD,
     .reason = "hardware",
     .options = "",
     .standing = KERF_STANDING_KNOWN},
    {.name = "the device is ahead",
     .seq = 11,
     .status = KERF_CHECK_NONE,
     .reason = "newer",
     .options = "",
     .standing = KERF_STANDING_KNOWN},
    {.name = "same release, other image",
     .seq = 10,
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "21FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "security counter above",
     .sc = 6,
     .status = KERF_CHECK_HOLD,
     .reason = "rollback",
     .options = "",
     .standing = KERF_STANDING_KNOWN},
    {.name = "security counter equal",
     .sc = 5,
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "21FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "slot of the very size",
     .slot = 5000,
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "21FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "slot too small",
     .slot = 4999,
     .status = KERF_CHECK_HOLD,
     .reason = "slot",
     .options = "",
     .standing = KERF_STANDING_KNOWN},
    {.name = "two components, in the order of the release",
     .modem_ver = "7",
     .modem_image = 'a',
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "6I 21FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "one of two is right already",
     .ver = "1.2",
     .image = 'M',
     .modem_ver = "7",
     .modem_image = 'a',
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "6I ",
     .standing = KERF_STANDING_KNOWN},
    {.name = "minimum not reached: all or nothing",
     .seq = 3,
     .modem_ver = "7",
     .modem_image = 'a',
     .status = KERF_CHECK_HOLD,
     .reason = "minimum",
     .options = "",
     .standing = KERF_STANDING_KNOWN},
    {.name = "minimum just reached",
     .seq = 4,
     .modem_ver = "7",
     .modem_image = 'a',
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "6I 21FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "minimum of a component that the device doesn't have",
     .seq = 3,
     .status = KERF_CHECK_UPDATE,
     .reason = "update",
     .options = "21FG",
     .standing = KERF_STANDING_KNOWN},
    {.name = "digest of another component doesn't count",
     .modem_ver = "7",
     .modem_image = 'b',
     .status = KERF_CHECK_UPDATE,
     .reason = "drift",
     .options = "I 21FG",
     .standing = KERF_STANDING_KNOWN},
};

static void set_text(char *text, size_t cap, const char *value, const char *usual)
{
    (void)snprintf(text, cap, "%s", value != NULL ? value : usual);
}

static void make_request(const struct device *d, struct kerf_check_request *request)
{
    struct kerf_check_component *c = &request->components[0];

    memset(request, 0, sizeof *request);
    set_text(request->device.hw, KERF_NAME_CAP, d->hw, "A");
    set_text(request->client.formats[0], KERF_TAG_CAP, d->format, "kerf/0");
    set_text(request->client.features[0], KERF_TAG_CAP, d->feature, "thumb");
    request->client.format_count = 1;
    request->client.feature_count = 1;
    request->client.ram = d->ram == UINT64_MAX ? 0 : d->ram != 0 ? d->ram : 32768;
    request->client.metered = d->metered;
    request->release_seq = d->seq != 0 ? d->seq : 9;
    request->component_count = 1;
    set_text(c->name, KERF_NAME_CAP, NULL, "main");
    set_text(c->ver, KERF_NAME_CAP, d->ver, "1.0");
    c->digest_known = d->image != '-';
    c->digest = digest(d->image != 0 ? d->image : 'a');
    c->slot = d->slot != 0 ? d->slot : 8000;
    c->sc = d->sc;
    if (d->modem_ver != NULL) {
        c = &request->components[request->component_count++];
        set_text(c->name, KERF_NAME_CAP, NULL, "modem");
        set_text(c->ver, KERF_NAME_CAP, d->modem_ver, "");
        c->digest_known = true;
        c->digest = digest(d->modem_image);
    }
    if (d->last_tries > 0) {
        set_text(request->last.txn, KERF_NAME_CAP, NULL, "t");
        request->last.mode = KERF_MODE_DELTA;
        request->last.phase = KERF_REPORT_FAILED;
        request->last.code = d->last_code;
        request->last.tries = d->last_tries;
        request->last.target_known = d->last_to != 0;
        request->last.target = digest(d->last_to);
    }
}

/* The letters of all options; a blank after those of the modem. */
static void list_options(const struct kerf_check_answer *answer, char *text, size_t cap)
{
    size_t len = 0;

    for (size_t i = 0; i < answer->update_count; i++) {
        const struct kerf_update *update = &answer->updates[i];

        for (size_t j = 0; j < update->option_count && len + 2 < cap; j++) {
            text[len++] = (char)update->options[j].digest.b[0];
        }
        if (strcmp(update->component, "modem") == 0) {
            text[len++] = ' ';
        }
    }
    text[len] = '\0';
}

static void resolve(const struct device *d, const struct kerf_policy *policy, struct kerf_check_answer *answer,
                    struct kerf_resolver_notes *notes)
{
    const struct kerf_known_image images[] = {
        {span("main"), span("1.0"), digest('a')}, {span("main"), span("1.1"), digest('b')},
        {span("main"), span("1.0"), digest('c')}, {span("main"), span("1.2"), digest('M')},
        {span("modem"), span("7"), digest('a')},  {span("modem"), span("8"), digest('N')},
    };
    const struct kerf_resolver_view view = {&release, images, sizeof images / sizeof images[0]};
    const struct kerf_pair_failures failures[] = {
        {digest('a'), digest('K'), 9}, /* another pair */
        {digest('a'), digest('M'), d->failures},
    };
    struct kerf_check_request request;

    make_request(d, &request);
    kerf_resolve(&view, &request, failures, 2, policy, answer, notes);
}

static void each_device_gets_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        const struct device *d = &devices[i];
        struct kerf_check_answer answer;
        struct kerf_resolver_notes notes;
        char options[64];

        resolve(d, &kerf_policy_default, &answer, &notes);
        list_options(&answer, options, sizeof options);
        if (answer.status != d->status || strcmp(answer.reason, d->reason) != 0 || strcmp(options, d->options) != 0 ||
            notes.standings[0] != d->standing) {
            fail_msg("%s: status %d (%d), reason %s (%s), options '%s' ('%s'), standing %d (%d)", d->name,
                     (int)answer.status, (int)d->status, answer.reason, d->reason, options, d->options,
                     (int)notes.standings[0], (int)d->standing);
        }
        assert_int_equal(10, answer.set_release);
    }
}

static void an_answer_says_all_that_the_device_needs(void **state)
{
    const struct device d = {.modem_ver = "7", .modem_image = 'a'};
    struct kerf_check_answer answer;
    struct kerf_resolver_notes notes;

    (void)state;
    resolve(&d, &kerf_policy_default, &answer, &notes);
    assert_string_equal("2026.11", answer.set_name);
    assert_int_equal(2, answer.order_count);
    assert_string_equal("modem", answer.order[0]);
    assert_string_equal("main", answer.order[1]);
    assert_string_equal("1.0", answer.updates[1].from_ver);
    assert_int_equal('a', answer.updates[1].from.b[0]);
    assert_string_equal("1.2", answer.updates[1].to_ver);
    assert_int_equal('M', answer.updates[1].to.b[0]);
    assert_int_equal(5000, answer.updates[1].to_size);
    assert_int_equal(80, answer.updates[1].options[0].size);
    assert_int_equal(16384, answer.updates[1].options[0].ram);
    assert_string_equal("kerf/0", answer.updates[1].options[0].format);
    assert_int_equal(2, answer.updates[1].tries_delta);
    assert_int_equal(5, answer.updates[1].tries_full);
    assert_int_equal(14400, answer.poll_after);
}

static void policy_may_let_full_payloads_over_metered_links(void **state)
{
    const struct device d = {.metered = true, .failures = 2};
    struct kerf_policy policy = kerf_policy_default;
    struct kerf_check_answer answer;
    struct kerf_resolver_notes notes;
    char options[64];

    (void)state;
    policy.full_on_metered = true;
    resolve(&d, &policy, &answer, &notes);
    list_options(&answer, options, sizeof options);
    assert_string_equal("FG", options);
    assert_true(answer.updates[0].full_on_metered);
}

static void a_device_without_a_component_of_the_release_is_held(void **state)
{
    const struct kerf_resolver_view view = {&release, NULL, 0};
    const struct device d = {.hw = "A"};
    struct kerf_check_request request;
    struct kerf_check_answer answer;
    struct kerf_resolver_notes notes;

    (void)state;
    make_request(&d, &request);
    set_text(request.components[0].name, KERF_NAME_CAP, NULL, "other");
    kerf_resolve(&view, &request, NULL, 0, &kerf_policy_default, &answer, &notes);
    assert_int_equal(KERF_CHECK_HOLD, answer.status);
    assert_string_equal("component", answer.reason);
    assert_int_equal(0, answer.order_count);
}

static void a_full_payload_stays_however_many_deltas_there_are(void **state)
{
    struct kerf_payload payloads[3 + 20];
    struct kerf_component_list list;
    struct kerf_resolver_view view = {NULL, NULL, 0};
    const struct device d = {.hw = "A"};
    struct kerf_check_request request;
    struct kerf_check_answer answer;
    struct kerf_resolver_notes notes;
    struct kerf_release r;
    static uint8_t buf[KERF_METADATA_MAX_LEN];
    char options[64];
    size_t len;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        payloads[i] = payload((char)('X' + i), 1000 - i, 1000 + i, KERF_CODEC_NATIVE, 0, 0);
    }
    for (size_t i = 0; i < 20; i++) {
        payloads[3 + i] = payload((char)('a' + i), 100 - i, 1000 + i, KERF_CODEC_NATIVE, 0, 'a');
    }
    list = component("main", "1.2", 'M', 0, payloads, 23);
    memset(&r, 0, sizeof r);
    r.product = span("T1");
    r.seq = 10;
    r.version = span("1");
    assert_int_equal(KERF_OK, kerf_release_write(&r, NULL, 0, &list, 1, buf, sizeof buf, &len));
    assert_int_equal(KERF_OK, kerf_release_parse(buf, len, &r));
    view.release = &r;
    make_request(&d, &request);
    kerf_resolve(&view, &request, NULL, 0, &kerf_policy_default, &answer, &notes);
    list_options(&answer, options, sizeof options);
    assert_string_equal("tsrqZYX", options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_device_gets_what_the_table_says),
        cmocka_unit_test(an_answer_says_all_that_the_device_needs),
        cmocka_unit_test(policy_may_let_full_payloads_over_metered_links),
        cmocka_unit_test(a_device_without_a_component_of_the_release_is_held),
        cmocka_unit_test(a_full_payload_stays_however_many_deltas_there_are),
    };

    return cmocka_run_group_tests(tests, make_release, NULL);
}
