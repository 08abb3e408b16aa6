/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/host/base64.h"
#include "common/host/protocol.h"

#define HEX "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static const char check_text[] =
    "{\"v\":1,\"device\":{\"id\":\"SN0042\",\"model\":\"T1\",\"hw\":\"B\",\"attrs\":{\"region\":\"EU\"}},"
    "\"client\":{\"name\":\"kerf-agent\",\"ver\":\"0.1.0\",\"formats\":[\"kerf/0\"],\"features\":[\"thumb\",\"lzma2\"],"
    "\"ram\":16384,\"resume\":true,\"metered\":false},\"boot\":{\"n\":131,\"confirmed\":true,\"why\":\"update\"},"
    "\"meta\":{\"root\":3,\"release\":41},\"components\":[{\"name\":\"main\",\"ver\":\"1.2.3\",\"size\":912384,"
    "\"sha256\":\"" HEX "\",\"sc\":7,\"slot\":1048576}],\"last\":{\"txn\":\"t\",\"component\":\"main\","
    "\"mode\":\"delta\",\"phase\":\"failed\",\"code\":\"SRC_MISMATCH\",\"tries\":2,\"to\":\"" HEX "\"},"
    "\"channel\":\"stable\",\"nonce\":\"n0\"}";

static const char answer_text[] =
    "{\"v\":1,\"txn\":\"t\",\"status\":\"update\",\"reason\":\"update\",\"poll\":{\"after\":14400,\"spread\":0.2},"
    "\"set\":{\"release\":42,\"name\":\"2026.09\",\"order\":[\"main\"],\"atomic\":true},"
    "\"updates\":[{\"component\":\"main\",\"from\":{\"ver\":\"1\",\"sha256\":\"" HEX "\"},"
    "\"to\":{\"ver\":\"2\",\"sha256\":\"" HEX "\",\"size\":915000},"
    "\"options\":[{\"kind\":\"delta\",\"format\":\"kerf/0\",\"size\":18342,\"sha256\":\"" HEX "\",\"ram\":8192,"
    "\"urls\":[\"/p/x\"]}],\"tries\":{\"delta\":2,\"full\":5},\"backoff\":{\"base\":60,\"max\":21600},"
    "\"full_on_metered\":false}],\"when\":{\"not_before\":7},"
    "\"metadata\":{\"root\":[\"AAEC\"],\"release\":\"AAE=\",\"fresh\":\"AA==\"}}";

static const char report_text[] =
    "{\"v\":1,\"device\":{\"id\":\"SN0042\"},\"reports\":[{\"txn\":\"t\",\"seq\":3,\"component\":\"main\","
    "\"phase\":\"failed\",\"code\":\"CHUNK_HASH\",\"mode\":\"delta\",\"from\":\"" HEX "\",\"to\":\"" HEX "\","
    "\"bytes\":18342,\"ms\":2210,\"ram\":8440}]}";

/* A reader as the tables below use it: reads, and frees what was read. */
static kerf_err read_check(const char *text, size_t len, struct kerf_why *why)
{
    struct kerf_check_request request;

    return kerf_check_request_read(text, len, &request, why);
}

static kerf_err read_answer(const char *text, size_t len, struct kerf_why *why)
{
    struct kerf_check_answer answer;
    const kerf_err err = kerf_check_answer_read(text, len, &answer, why);

    kerf_check_answer_free(&answer);
    return err;
}

static kerf_err read_report(const char *text, size_t len, struct kerf_why *why)
{
    struct kerf_report_batch batch;

    return kerf_report_batch_read(text, len, &batch, why);
}

struct message {
    const char *text;
    kerf_err (*read)(const char *text, size_t len, struct kerf_why *why);
};

static const struct message messages[] = {
    {check_text, read_check},
    {answer_text, read_answer},
    {report_text, read_report},
};

static void what_is_read_is_what_was_written(void **state)
{
    struct kerf_check_request request;
    struct kerf_check_answer answer;
    struct kerf_report_batch batch;
    struct kerf_why why = {""};
    char *text;
    size_t len;

    (void)state;
    assert_int_equal(KERF_OK, kerf_check_request_read(check_text, strlen(check_text), &request, &why));
    assert_string_equal("EU", request.device.attrs[0].value);
    assert_int_equal(16384, request.client.ram);
    assert_int_equal(41, request.release_seq);
    assert_int_equal(0x9f, request.components[0].digest.b[0]);
    assert_int_equal(KERF_CODE_SRC_MISMATCH, request.last.code);
    assert_int_equal(KERF_OK, kerf_check_request_write(&request, &text, &len));
    assert_int_equal(len, strlen(text));
    assert_int_equal(KERF_OK, kerf_check_request_read(text, len, &request, &why));
    free(text);

    assert_int_equal(KERF_OK, kerf_check_answer_read(answer_text, strlen(answer_text), &answer, &why));
    assert_int_equal(KERF_CHECK_UPDATE, answer.status);
    assert_int_equal(KERF_MODE_DELTA, answer.updates[0].options[0].kind);
    assert_int_equal(7, answer.not_before);
    assert_int_equal(3, answer.roots[0].len);
    assert_int_equal(KERF_OK, kerf_check_answer_write(&answer, &text, &len));
    assert_string_equal(answer_text, text);
    free(text);
    kerf_check_answer_free(&answer);

    assert_int_equal(KERF_OK, kerf_report_batch_read(report_text, strlen(report_text), &batch, &why));
    assert_int_equal(KERF_OK, kerf_report_batch_write(&batch, &text, &len));
    assert_string_equal(report_text, text);
    free(text);
}

static void a_cut_message_is_refused_at_every_byte(void **state)
{
    (void)state;
    for (size_t m = 0; m < sizeof messages / sizeof messages[0]; m++) {
        for (size_t len = 0; len < strlen(messages[m].text); len++) {
            assert_int_equal(KERF_ERR_FORMAT, messages[m].read(messages[m].text, len, NULL));
        }
    }
}

/* Where a value lies, so that it can be replaced. */
struct place {
    json_t *root;
    json_t *parent;
    const char *key; /* NULL: an array */
    size_t index;
    const struct message *message;
    unsigned refused; /* counted */
};

/* Puts `with` (released) in the place of a value, reads the message, puts the value back. */
static kerf_err read_with(const struct place *place, json_t *with, struct kerf_why *why)
{
    json_t *before = place->key != NULL ? json_object_get(place->parent, place->key)
                                        : json_array_get(place->parent, place->index);
    char *text;
    kerf_err err;

    json_incref(before);
    assert_int_equal(0, place->key != NULL ? json_object_set_new(place->parent, place->key, with)
                                           : json_array_set_new(place->parent, place->index, with));
    text = json_dumps(place->root, JSON_COMPACT);
    assert_non_null(text);
    err = place->message->read(text, strlen(text), why);
    free(text);
    assert_int_equal(0, place->key != NULL ? json_object_set_new(place->parent, place->key, before)
                                           : json_array_set_new(place->parent, place->index, before));
    return err;
}

/* Every type that this value is not must be refused, by a message that names the key. */
static void try_wrong_types(struct place *place, json_t *value)
{
    json_t *const others[] = {json_object(), json_array(), json_string(""), json_integer(-1), json_true()};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct kerf_why why = {""};

        if (json_typeof(others[i]) == json_typeof(value) || (json_is_boolean(others[i]) && json_is_boolean(value))) {
            json_decref(others[i]);
            continue;
        }
        if (json_is_number(value) && json_is_integer(others[i])) {
            json_decref(others[i]);
            continue;
        }
        assert_int_equal(KERF_ERR_FORMAT, read_with(place, others[i], &why));
        if (place->key != NULL && strstr(why.text, place->key) == NULL) {
            fail_msg("'%s' doesn't name %s", why.text, place->key);
        }
        place->refused++;
    }
}

/* Does so for every value below this one. */
static void visit_values(struct place *place, json_t *value)
{
    struct place below = *place;
    const char *key;
    json_t *inner;
    size_t index;

    below.parent = value;
    json_object_foreach(value, key, inner)
    {
        below.key = key;
        try_wrong_types(&below, inner);
        visit_values(&below, inner);
    }
    below.key = NULL;
    json_array_foreach(value, index, inner)
    {
        below.index = index;
        try_wrong_types(&below, inner);
        visit_values(&below, inner);
    }
    place->refused = below.refused;
}

static void every_value_of_a_wrong_type_is_refused_and_named(void **state)
{
    (void)state;
    for (size_t m = 0; m < sizeof messages / sizeof messages[0]; m++) {
        json_t *root = json_loads(messages[m].text, 0, NULL);
        struct place place = {root, NULL, NULL, 0, &messages[m], 0};

        assert_non_null(root);
        visit_values(&place, root);
        assert_true(place.refused > 30);
        json_decref(root);
    }
}

/* check_text with one piece of it replaced. */
static char *replaced(const char *text, const char *piece, const char *by)
{
    const char *at = strstr(text, piece);
    const size_t cap = strlen(text) + strlen(by) + 1;
    char *result = malloc(cap);

    assert_non_null(at);
    assert_non_null(result);
    (void)snprintf(result, cap, "%.*s%s%s", (int)(at - text), text, by, at + strlen(piece));
    return result;
}

struct change {
    const char *piece, *by;
    const char *says; /* part of the message; NULL: must be taken */
};

static void check_changes(const struct message *message, const struct change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = replaced(message->text, changes[i].piece, changes[i].by);
        struct kerf_why why = {""};
        const kerf_err err = message->read(text, strlen(text), &why);

        if ((err == KERF_OK) != (changes[i].says == NULL) ||
            (changes[i].says != NULL && strstr(why.text, changes[i].says) == NULL)) {
            fail_msg("%s -> %s: %d '%s', expected '%s'", changes[i].piece, changes[i].by, (int)err, why.text,
                     changes[i].says == NULL ? "(taken)" : changes[i].says);
        }
        free(text);
    }
}

#define LONG64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void limits_of_a_check_are_kept(void **state)
{
    static const struct change changes[] = {
        {"\"v\":1", "\"v\":2", "v: "},
        {"\"v\":1,", "", "v: missing"},
        {"\"SN0042\"", "\"" LONG64 "\"", NULL},
        {"\"SN0042\"", "\"" LONG64 "a\"", "device.id: too long"},
        {"\"SN0042\"", "\"a\\nb\"", "device.id: no control"},
        {"\"SN0042\"", "\"a\\u0000b\"", "not JSON"},
        {"\"SN0042\"", "null", "device.id: missing"},
        {"\"hw\":\"B\"", "\"hw\":null", NULL},
        {"\"hw\":\"B\"", "\"hw\":\"B\",\"hw\":\"C\"", "not JSON"},
        {"\"hw\":\"B\"", "\"unknown\":[{\"x\":[1.5]}]", NULL},
        {"\"formats\":[\"kerf/0\"]", "\"formats\":[]", "client.formats: an array of 1 to 8"},
        {"\"formats\":[\"kerf/0\"]", "\"formats\":[\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\"]",
         "client.formats"},
        {"\"kerf/0\"", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "client.formats[0]: too long"},
        {"\"kerf/0\"", "7", "client.formats[0]: a string"},
        {"16384", "9007199254740991", NULL},
        {"16384", "9007199254740992", "client.ram"},
        {"16384", "99999999999999999999", "not JSON"},
        {"16384", "1.5", "client.ram"},
        {"16384", "-1", "client.ram"},
        {"\"n\":131", "\"n\":4294967296", "boot.n"},
        {"\"sha256\":\"" HEX "\"", "\"sha256\":\"9f86\"", "components[0].sha256: 64 hex"},
        {"\"sha256\":\"" HEX "\",", "", NULL},
        {"\"code\":\"SRC_MISMATCH\"", "\"code\":\"WHAT\"", "last.code"},
        {"\"code\":\"SRC_MISMATCH\"", "\"code\":\"\"", "last.code"},
        {"\"nonce\":\"n0\"", "\"nonce\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", NULL},
        {"\"nonce\":\"n0\"", "\"nonce\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "nonce: too long"},
        {"}],\"last\"", "},{\"name\":\"main\"}],\"last\"", "components[1].name: named twice"},
        {"}],\"last\"", "},{\"ver\":\"1\"}],\"last\"", "components[1].name: missing"},
        {"}],\"last\"", "},7],\"last\"", "components[1]: an object"},
        {"\"attrs\":{\"region\":\"EU\"}", "\"attrs\":{\"" LONG64 "a\":\"EU\"}", "device.attrs: keys"},
        {"\"attrs\":{\"region\":\"EU\"}", "\"attrs\":{\"a\\u001b\":7}", "a string expected"},
    };

    (void)state;
    check_changes(&messages[0], changes, sizeof changes / sizeof changes[0]);
}

static void limits_of_an_answer_are_kept(void **state)
{
    static const struct change changes[] = {
        {"\"update\",\"reason\"", "\"hold\",\"reason\"", NULL},
        {"\"update\",\"reason\"", "\"maybe\",\"reason\"", "status"},
        {"14400", "31622401", "poll.after"},
        {"0.2", "1.1", "poll.spread"},
        {"0.2", "1", NULL},
        {"\"base\":60", "\"base\":31622401", "updates[0].backoff"},
        {"\"delta\":2", "\"delta\":1001", "updates[0].tries"},
        {"\"urls\":[\"/p/x\"]", "\"urls\":[]", "updates[0].options[0].urls"},
        {"\"urls\":[\"/p/x\"]", "\"urls\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", "updates[0].options[0].urls"},
        {"\"AAEC\"", "\"AAE\"", "metadata.root[0]: base64"},
        {"\"AAE=\"", "\"AAF=\"", "metadata.release: base64"}, /* a spare bit */
        {"\"AAE=\"", "\"AA E\"", "metadata.release: base64"},
        {"\"AA==\"", "\"\"", "metadata.fresh: is empty"},
        {"\"size\":18342", "\"size\":0", "updates[0].options[0].size"},
        {"\"kind\":\"delta\"", "\"kind\":\"half\"", "updates[0].options[0].kind"},
    };

    (void)state;
    check_changes(&messages[1], changes, sizeof changes / sizeof changes[0]);
}

static void limits_of_a_report_are_kept(void **state)
{
    static const struct change changes[] = {
        {",\"code\":\"CHUNK_HASH\"", "", "reports[0].code: missing"},
        {"\"phase\":\"failed\",\"code\":\"CHUNK_HASH\"", "\"phase\":\"reboot\"", NULL},
        {"\"seq\":3,", "", "reports[0].seq: missing"},
        {"\"seq\":3", "\"seq\":-1", "reports[0].seq"},
        {"\"from\":\"" HEX "\",", "", NULL},
        {"\"mode\":\"delta\"", "\"mode\":\"both\"", "reports[0].mode"},
        {"\"reports\":[{", "\"reports\":[", "not JSON"},
    };

    (void)state;
    check_changes(&messages[2], changes, sizeof changes / sizeof changes[0]);
}

static void too_long_and_too_deep_messages_are_refused(void **state)
{
    const size_t cap = KERF_CHECK_REQUEST_MAX + 1;
    char *text = malloc(cap + 1);
    struct kerf_why why = {""};

    (void)state;
    assert_non_null(text);
    (void)snprintf(text, cap + 1, "%-*s", (int)cap, check_text); /* blanks behind it */
    assert_int_equal(KERF_OK, read_check(text, KERF_CHECK_REQUEST_MAX, &why));
    assert_int_equal(KERF_ERR_FORMAT, read_check(text, KERF_CHECK_REQUEST_MAX + 1, &why));
    assert_non_null(strstr(why.text, "32768"));
    memset(text, '[', cap);
    assert_int_equal(KERF_ERR_FORMAT, read_check(text, KERF_CHECK_REQUEST_MAX, &why));
    assert_non_null(strstr(why.text, "16 levels"));
    free(text);
}

static void an_error_can_be_written_whatever_is_in_it(void **state)
{
    char message[40];
    char *text;
    size_t len;

    (void)state;
    assert_int_equal(KERF_OK, kerf_error_write("near \xff\x1b \"here\"", &text, &len));
    assert_string_equal("{\"v\":1,\"error\":\"near ?? \\\"here\\\"\"}", text);
    kerf_error_read(text, len, message, sizeof message);
    assert_string_equal("near ?? \"here\"", message);
    kerf_error_read("<html>", 6, message, sizeof message);
    assert_string_equal("", message);
    free(text);
}

static void feature_words_and_masks_agree(void **state)
{
    struct kerf_client_info client;

    (void)state;
    memset(&client, 0, sizeof client);
    kerf_features_set(&client, 1u << 1 | 1u << 12 | KERF_FEATURE_LZMA2);
    assert_int_equal(3, client.feature_count);
    assert_string_equal("thumb", client.features[0]);
    (void)snprintf(client.features[client.feature_count++], KERF_TAG_CAP, "of tomorrow");
    assert_int_equal(1u | 1u << 1 | 1u << 12 | KERF_FEATURE_LZMA2, kerf_features_mask(&client));
}

static void base64_is_that_of_rfc_4648(void **state)
{
    static const char *const plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    static const char *const coded[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};

    (void)state;
    for (size_t i = 0; i < 7; i++) {
        char text[16];
        uint8_t data[16];
        size_t len = 99;

        kerf_base64_encode((const uint8_t *)plain[i], strlen(plain[i]), text);
        assert_string_equal(coded[i], text);
        assert_int_equal(strlen(text), kerf_base64_len(strlen(plain[i])));
        assert_int_equal(KERF_OK, kerf_base64_decode(text, strlen(text), data, &len));
        assert_int_equal(strlen(plain[i]), len);
        assert_memory_equal(plain[i], data, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_what_was_written),
        cmocka_unit_test(a_cut_message_is_refused_at_every_byte),
        cmocka_unit_test(every_value_of_a_wrong_type_is_refused_and_named),
        cmocka_unit_test(limits_of_a_check_are_kept),
        cmocka_unit_test(limits_of_an_answer_are_kept),
        cmocka_unit_test(limits_of_a_report_are_kept),
        cmocka_unit_test(too_long_and_too_deep_messages_are_refused),
        cmocka_unit_test(an_error_can_be_written_whatever_is_in_it),
        cmocka_unit_test(feature_words_and_masks_agree),
        cmocka_unit_test(base64_is_that_of_rfc_4648),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
