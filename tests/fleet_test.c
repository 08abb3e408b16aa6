/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server-tools/fleet.h"

/* A database in a folder of its own. */
struct fixture {
    char dir[64];
    char path[80];
    struct kerf_fleet *fleet;
    struct kerf_why why;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/kerf-fleet-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof f->path, "%s/fleet.db", f->dir);
    assert_int_equal(KERF_OK, kerf_fleet_open(&f->fleet, f->path, &f->why));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    struct fixture *f = *state;

    kerf_fleet_close(f->fleet);
    for (size_t i = 0; i < 3; i++) {
        char path[100];

        (void)snprintf(path, sizeof path, "%s%s", f->path, suffixes[i]);
        (void)unlink(path);
    }
    (void)rmdir(f->dir);
    free(f);
    return 0;
}

/* A report of a delta that failed. */
static struct kerf_report failure(const char *txn, uint32_t seq, enum kerf_report_code code)
{
    struct kerf_report report;

    memset(&report, 0, sizeof report);
    (void)snprintf(report.txn, sizeof report.txn, "%s", txn);
    report.seq = seq;
    report.phase = KERF_REPORT_FAILED;
    report.code = code;
    report.mode = KERF_MODE_DELTA;
    report.from_known = true;
    report.to_known = true;
    memset(report.from.b, 1, sizeof report.from.b);
    memset(report.to.b, 2, sizeof report.to.b);
    return report;
}

static struct kerf_report_answer put(struct fixture *f, const char *device, const struct kerf_report *reports,
                                     size_t count)
{
    struct kerf_report_batch batch;
    struct kerf_report_answer answer;

    memset(&batch, 0, sizeof batch);
    (void)snprintf(batch.device_id, sizeof batch.device_id, "%s", device);
    memcpy(batch.reports, reports, count * sizeof *reports);
    batch.count = count;
    assert_int_equal(KERF_OK, kerf_fleet_report(f->fleet, &batch, 1000, &answer, &f->why));
    return answer;
}

static uint32_t failures_of(struct fixture *f, const char *device)
{
    struct kerf_pair_failures failures[KERF_FLEET_MAX_FAILURES];
    size_t count;

    assert_int_equal(KERF_OK, kerf_fleet_failures(f->fleet, device, failures, &count, &f->why));
    assert_true(count <= 1);
    if (count == 0) {
        return 0;
    }
    assert_int_equal(1, failures[0].from.b[31]);
    assert_int_equal(2, failures[0].to.b[31]);
    return failures[0].count;
}

static void a_report_counts_once_however_often_it_comes(void **state)
{
    struct fixture *f = *state;
    const struct kerf_report reports[2] = {
        failure("t1", 0, KERF_CODE_DELTA_BAD),
        failure("t1", 1, KERF_CODE_DELTA_BAD),
    };
    struct kerf_report_answer answer = put(f, "SN1", reports, 1);

    assert_int_equal(1, answer.stored);
    assert_int_equal(0, answer.known);
    assert_int_equal(1, failures_of(f, "SN1"));
    answer = put(f, "SN1", reports, 2);
    assert_int_equal(1, answer.stored);
    assert_int_equal(1, answer.known);
    assert_int_equal(2, failures_of(f, "SN1"));
    answer = put(f, "SN1", reports, 2);
    assert_int_equal(0, answer.stored);
    assert_int_equal(2, answer.known);
    assert_int_equal(2, failures_of(f, "SN1"));
}

static void devices_do_not_share_transactions(void **state)
{
    struct fixture *f = *state;
    const struct kerf_report report = failure("t1", 0, KERF_CODE_DELTA_BAD);

    assert_int_equal(1, put(f, "SN1", &report, 1).stored);
    assert_int_equal(1, put(f, "SN2", &report, 1).stored);
    assert_int_equal(1, failures_of(f, "SN1"));
    assert_int_equal(1, failures_of(f, "SN2"));
    assert_int_equal(0, failures_of(f, "SN3"));
}

static void only_what_blames_the_delta_counts_against_the_pair(void **state)
{
    struct fixture *f = *state;
    struct kerf_report report = failure("t1", 0, KERF_CODE_NET);

    (void)put(f, "SN1", &report, 1);
    report = failure("t1", 1, KERF_CODE_DELTA_BAD);
    report.mode = KERF_MODE_FULL;
    (void)put(f, "SN1", &report, 1);
    report = failure("t1", 2, KERF_CODE_DELTA_BAD);
    report.from_known = false;
    (void)put(f, "SN1", &report, 1);
    assert_int_equal(0, failures_of(f, "SN1"));
    report = failure("t1", 3, KERF_CODE_SRC_MISMATCH);
    (void)put(f, "SN1", &report, 1);
    assert_int_equal(1, failures_of(f, "SN1"));
}

static void what_was_acknowledged_is_there_after_opening_again(void **state)
{
    struct fixture *f = *state;
    const struct kerf_report report = failure("t1", 0, KERF_CODE_DELTA_BAD);

    (void)put(f, "SN1", &report, 1);
    kerf_fleet_close(f->fleet);
    assert_int_equal(KERF_OK, kerf_fleet_open(&f->fleet, f->path, &f->why));
    assert_int_equal(1, failures_of(f, "SN1"));
    assert_int_equal(1, put(f, "SN1", &report, 1).known);
}

static void a_device_is_remembered_as_it_was_last(void **state)
{
    struct fixture *f = *state;
    struct kerf_check_request request;
    struct kerf_resolver_notes notes;
    struct kerf_fleet_counts counts;

    memset(&request, 0, sizeof request);
    memset(&notes, 0, sizeof notes);
    (void)snprintf(request.device.id, sizeof request.device.id, "SN1");
    (void)snprintf(request.device.model, sizeof request.device.model, "T1");
    (void)snprintf(request.components[0].name, KERF_NAME_CAP, "main");
    (void)snprintf(request.components[1].name, KERF_NAME_CAP, "modem");
    request.component_count = 2;
    notes.standings[0] = KERF_STANDING_DRIFT;
    notes.standings[1] = KERF_STANDING_DRIFT;
    assert_int_equal(KERF_OK, kerf_fleet_check(f->fleet, &request, &notes, 1000, &f->why));
    assert_int_equal(KERF_OK, kerf_fleet_flush(f->fleet, &f->why));
    assert_int_equal(KERF_OK, kerf_fleet_count(f->fleet, &counts, &f->why));
    assert_int_equal(1, counts.devices);
    assert_int_equal(2, counts.drifted);

    request.component_count = 1; /* the modem is gone, main is well again */
    notes.standings[0] = KERF_STANDING_KNOWN;
    assert_int_equal(KERF_OK, kerf_fleet_check(f->fleet, &request, &notes, 1001, &f->why));
    assert_int_equal(KERF_OK, kerf_fleet_count(f->fleet, &counts, &f->why));
    assert_int_equal(1, counts.devices);
    assert_int_equal(0, counts.drifted);
}

static void a_later_schema_and_a_foreign_file_are_refused(void **state)
{
    struct fixture *f = *state;
    struct kerf_fleet *other = NULL;
    FILE *file;

    kerf_fleet_close(f->fleet);
    f->fleet = NULL;
    file = fopen(f->path, "r+b");
    assert_non_null(file);
    assert_int_equal(0, fseek(file, 63, SEEK_SET)); /* last byte of user_version in SQLite's header */
    assert_int_equal(9, fputc(9, file));
    assert_int_equal(0, fclose(file));
    assert_int_equal(KERF_ERR_VERSION, kerf_fleet_open(&other, f->path, &f->why));
    assert_null(other);

    file = fopen(f->path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 200; i++) {
        assert_true(fputs("this is not a database\n", file) >= 0);
    }
    assert_int_equal(0, fclose(file));
    assert_int_equal(KERF_ERR_FLASH, kerf_fleet_open(&other, f->path, &f->why));
    assert_non_null(strstr(f->why.text, f->path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_report_counts_once_however_often_it_comes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(devices_do_not_share_transactions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_blames_the_delta_counts_against_the_pair, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_acknowledged_is_there_after_opening_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_device_is_remembered_as_it_was_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_later_schema_and_a_foreign_file_are_refused, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
