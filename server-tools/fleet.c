/* SPDX-License-Identifier: Apache-2.0 */
#include "server-tools/fleet.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_VERSION 1
#define BUSY_MS 1000 /* how long another program (a backup, an administrator) may hold the file before a call fails */

static const char schema[] = "BEGIN;"
                             "CREATE TABLE device (id TEXT PRIMARY KEY, model TEXT NOT NULL, hw TEXT NOT NULL,"
                             " client TEXT NOT NULL, release INTEGER NOT NULL, boot INTEGER NOT NULL,"
                             " confirmed INTEGER NOT NULL, seen INTEGER NOT NULL) WITHOUT ROWID;"
                             "CREATE TABLE component (device TEXT NOT NULL, name TEXT NOT NULL, ver TEXT NOT NULL,"
                             " digest BLOB, standing INTEGER NOT NULL, seen INTEGER NOT NULL,"
                             " PRIMARY KEY (device, name)) WITHOUT ROWID;"
                             "CREATE INDEX component_standing ON component (standing);"
                             "CREATE TABLE report (device TEXT NOT NULL, txn TEXT NOT NULL, seq INTEGER NOT NULL,"
                             " received INTEGER NOT NULL, component TEXT NOT NULL, phase TEXT NOT NULL,"
                             " code TEXT NOT NULL, mode TEXT NOT NULL, source BLOB, target BLOB,"
                             " bytes INTEGER NOT NULL, ms INTEGER NOT NULL, ram INTEGER NOT NULL,"
                             " PRIMARY KEY (device, txn, seq)) WITHOUT ROWID;"
                             "CREATE TABLE failure (device TEXT NOT NULL, source BLOB NOT NULL, target BLOB NOT NULL,"
                             " count INTEGER NOT NULL, last INTEGER NOT NULL,"
                             " PRIMARY KEY (device, source, target)) WITHOUT ROWID;"
                             "PRAGMA user_version = 1;"
                             "COMMIT;";

enum statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_SAVEPOINT,
    SQL_RELEASE,
    SQL_UNDO,
    SQL_REPORT,
    SQL_FAILURE,
    SQL_FAILURES,
    SQL_DEVICE,
    SQL_COMPONENT,
    SQL_COMPONENT_GONE,
    SQL_COUNTS,
    SQL_STATEMENTS,
};

static const char *const sql[SQL_STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_SAVEPOINT] = "SAVEPOINT batch",
    [SQL_RELEASE] = "RELEASE batch",
    [SQL_UNDO] = "ROLLBACK TO batch",
    [SQL_REPORT] = "INSERT INTO report VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13) ON CONFLICT DO NOTHING",
    [SQL_FAILURE] = "INSERT INTO failure VALUES (?1,?2,?3,1,?4)"
                    " ON CONFLICT DO UPDATE SET count = count + 1, last = ?4",
    [SQL_FAILURES] = "SELECT source, target, count FROM failure WHERE device = ?1 ORDER BY last DESC LIMIT ?2",
    [SQL_DEVICE] = "INSERT INTO device VALUES (?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT DO UPDATE SET model = ?2, hw = ?3,"
                   " client = ?4, release = ?5, boot = ?6, confirmed = ?7, seen = ?8",
    [SQL_COMPONENT] =
        "INSERT INTO component VALUES (?1,?2,?3,?4,?5,?6) ON CONFLICT DO UPDATE SET ver = ?3, digest = ?4,"
        " standing = ?5, seen = ?6",
    [SQL_COMPONENT_GONE] = "DELETE FROM component WHERE device = ?1 AND seen < ?2",
    [SQL_COUNTS] = "SELECT (SELECT count(*) FROM device), (SELECT count(*) FROM component WHERE standing = ?1),"
                   " (SELECT count(*) FROM report), (SELECT count(*) FROM failure)",
};

struct kerf_fleet {
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_STATEMENTS];
    bool open; /* a transaction has begun */
};

static kerf_err fail(const struct kerf_fleet *fleet, struct kerf_why *why)
{
    kerf_why_set(why, "database: %s: check the disk and the file", sqlite3_errmsg(fleet->db));
    return KERF_ERR_FLASH;
}

/* --- Small steps; parameters count from 1. Binding fails only without memory, and then so does the step. --- */

static void bind_text(sqlite3_stmt *s, int index, const char *text)
{
    (void)sqlite3_bind_text(s, index, text, -1, SQLITE_STATIC);
}

static void bind_number(sqlite3_stmt *s, int index, uint64_t n)
{
    (void)sqlite3_bind_int64(s, index, n > INT64_MAX ? INT64_MAX : (sqlite3_int64)n);
}

/* NULL where it isn't known. */
static void bind_digest(sqlite3_stmt *s, int index, bool known, const struct kerf_sha256_digest *digest)
{
    if (known) {
        (void)sqlite3_bind_blob(s, index, digest->b, sizeof digest->b, SQLITE_STATIC);
    } else {
        (void)sqlite3_bind_null(s, index);
    }
}

/* Runs a statement that gives no rows; it can be bound anew afterwards. */
static kerf_err run(const struct kerf_fleet *fleet, enum statement which, struct kerf_why *why)
{
    const int result = sqlite3_step(fleet->statements[which]);
    const kerf_err err = result == SQLITE_DONE ? KERF_OK : fail(fleet, why); /* before reset changes the message */

    (void)sqlite3_reset(fleet->statements[which]);
    return err;
}

static kerf_err begin(struct kerf_fleet *fleet, struct kerf_why *why)
{
    kerf_err err = KERF_OK;

    if (!fleet->open) {
        err = run(fleet, SQL_BEGIN, why);
        fleet->open = err == KERF_OK;
    }
    return err;
}

kerf_err kerf_fleet_flush(struct kerf_fleet *fleet, struct kerf_why *why)
{
    kerf_err err = KERF_OK;

    if (fleet->open) {
        err = run(fleet, SQL_COMMIT, why);
        if (err != KERF_OK) {
            /* Not committed is not acknowledged: what was pending is dropped, so that the next call can start anew. */
            (void)sqlite3_exec(fleet->db, "ROLLBACK", NULL, NULL, NULL);
        }
        fleet->open = false;
    }
    return err;
}

/* --- Opening --- */

static int read_version(void *version, int count, char **values, char **names)
{
    (void)names;
    *(int *)version = count == 1 && values[0] != NULL ? atoi(values[0]) : INT_MAX;
    return 0;
}

static kerf_err prepare(struct kerf_fleet *fleet, const char *path, struct kerf_why *why)
{
    int version = INT_MAX;

    (void)sqlite3_busy_timeout(fleet->db, BUSY_MS);
    if (sqlite3_exec(fleet->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(fleet->db, "PRAGMA user_version", read_version, &version, NULL) != SQLITE_OK) {
        kerf_why_set(why, "can't open database '%s': %s: check the path, or name another file", path,
                     sqlite3_errmsg(fleet->db));
        return KERF_ERR_FLASH;
    }
    if (version > SCHEMA_VERSION) {
        kerf_why_set(why, "database '%s' is of a later version: use the program that made it, or name another file",
                     path);
        return KERF_ERR_VERSION;
    }
    if (version == 0 && sqlite3_exec(fleet->db, schema, NULL, NULL, NULL) != SQLITE_OK) {
        kerf_why_set(why, "can't make database '%s': %s", path, sqlite3_errmsg(fleet->db));
        return KERF_ERR_FLASH;
    }
    for (int i = 0; i < SQL_STATEMENTS; i++) {
        if (sqlite3_prepare_v3(fleet->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &fleet->statements[i], NULL) !=
            SQLITE_OK) {
            kerf_why_set(why, "'%s' is not a Kerf database: %s: name another file", path, sqlite3_errmsg(fleet->db));
            return KERF_ERR_FLASH;
        }
    }
    return KERF_OK;
}

kerf_err kerf_fleet_open(struct kerf_fleet **fleet, const char *path, struct kerf_why *why)
{
    struct kerf_fleet *opened = calloc(1, sizeof *opened);
    kerf_err err;

    *fleet = NULL;
    if (opened == NULL) {
        kerf_why_set(why, "no memory for the database");
        return KERF_ERR_RAM;
    }
    if (sqlite3_open_v2(path, &opened->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        kerf_why_set(why, "can't open database '%s': %s: check the path and its permissions", path,
                     sqlite3_errmsg(opened->db));
        kerf_fleet_close(opened);
        return KERF_ERR_FLASH;
    }
    err = prepare(opened, path, why);
    if (err != KERF_OK) {
        kerf_fleet_close(opened);
        return err;
    }
    *fleet = opened;
    return KERF_OK;
}

void kerf_fleet_close(struct kerf_fleet *fleet)
{
    if (fleet == NULL) {
        return;
    }
    (void)!kerf_fleet_flush(fleet, NULL);
    for (int i = 0; i < SQL_STATEMENTS; i++) {
        (void)sqlite3_finalize(fleet->statements[i]);
    }
    (void)sqlite3_close(fleet->db);
    free(fleet);
}

/* --- Reports --- */

static kerf_err insert_report(struct kerf_fleet *fleet, const char *device, const struct kerf_report *r, uint64_t now,
                              bool *is_new, struct kerf_why *why)
{
    sqlite3_stmt *s = fleet->statements[SQL_REPORT];
    kerf_err err;

    bind_text(s, 1, device);
    bind_text(s, 2, r->txn);
    bind_number(s, 3, r->seq);
    bind_number(s, 4, now);
    bind_text(s, 5, r->component);
    bind_text(s, 6, kerf_report_phase_name(r->phase));
    bind_text(s, 7, kerf_report_code_name(r->code));
    bind_text(s, 8, kerf_mode_name(r->mode));
    bind_digest(s, 9, r->from_known, &r->from);
    bind_digest(s, 10, r->to_known, &r->to);
    bind_number(s, 11, r->bytes);
    bind_number(s, 12, r->ms);
    bind_number(s, 13, r->ram);
    err = run(fleet, SQL_REPORT, why);
    *is_new = err == KERF_OK && sqlite3_changes(fleet->db) > 0;
    if (*is_new && r->from_known && r->to_known && kerf_report_blames_payload(r->mode, r->code)) {
        s = fleet->statements[SQL_FAILURE];
        bind_text(s, 1, device);
        bind_digest(s, 2, true, &r->from);
        bind_digest(s, 3, true, &r->to);
        bind_number(s, 4, now);
        err = run(fleet, SQL_FAILURE, why);
    }
    return err;
}

kerf_err kerf_fleet_report(struct kerf_fleet *fleet, const struct kerf_report_batch *batch, uint64_t now,
                           struct kerf_report_answer *answer, struct kerf_why *why)
{
    kerf_err err = begin(fleet, why);

    memset(answer, 0, sizeof *answer);
    if (err == KERF_OK) {
        err = run(fleet, SQL_SAVEPOINT, why);
    }
    if (err != KERF_OK) {
        return err;
    }
    for (size_t i = 0; i < batch->count && err == KERF_OK; i++) {
        bool is_new = false;

        err = insert_report(fleet, batch->device_id, &batch->reports[i], now, &is_new, why);
        answer->stored += is_new;
        answer->known += !is_new;
    }
    if (err != KERF_OK) {
        (void)!run(fleet, SQL_UNDO, NULL);
        (void)!run(fleet, SQL_RELEASE, NULL);
        return err;
    }
    err = run(fleet, SQL_RELEASE, why);
    return err != KERF_OK ? err : kerf_fleet_flush(fleet, why);
}

/* --- Devices --- */

kerf_err kerf_fleet_check(struct kerf_fleet *fleet, const struct kerf_check_request *request,
                          const struct kerf_resolver_notes *notes, uint64_t now, struct kerf_why *why)
{
    sqlite3_stmt *s = fleet->statements[SQL_DEVICE];
    kerf_err err = begin(fleet, why);

    if (err != KERF_OK) {
        return err;
    }
    bind_text(s, 1, request->device.id);
    bind_text(s, 2, request->device.model);
    bind_text(s, 3, request->device.hw);
    bind_text(s, 4, request->client.ver);
    bind_number(s, 5, request->release_seq);
    bind_number(s, 6, request->boot_count);
    bind_number(s, 7, request->boot_confirmed);
    bind_number(s, 8, now);
    err = run(fleet, SQL_DEVICE, why);
    for (size_t i = 0; i < request->component_count && err == KERF_OK; i++) {
        const struct kerf_check_component *c = &request->components[i];

        s = fleet->statements[SQL_COMPONENT];
        bind_text(s, 1, request->device.id);
        bind_text(s, 2, c->name);
        bind_text(s, 3, c->ver);
        bind_digest(s, 4, c->digest_known, &c->digest);
        bind_number(s, 5, (uint64_t)notes->standings[i]);
        bind_number(s, 6, now);
        err = run(fleet, SQL_COMPONENT, why);
    }
    if (err == KERF_OK) {
        s = fleet->statements[SQL_COMPONENT_GONE];
        bind_text(s, 1, request->device.id);
        bind_number(s, 2, now);
        err = run(fleet, SQL_COMPONENT_GONE, why);
    }
    return err;
}

kerf_err kerf_fleet_failures(struct kerf_fleet *fleet, const char *device_id,
                             struct kerf_pair_failures failures[KERF_FLEET_MAX_FAILURES], size_t *count,
                             struct kerf_why *why)
{
    sqlite3_stmt *s = fleet->statements[SQL_FAILURES];
    int result;

    *count = 0;
    bind_text(s, 1, device_id);
    bind_number(s, 2, KERF_FLEET_MAX_FAILURES);
    while ((result = sqlite3_step(s)) == SQLITE_ROW && *count < KERF_FLEET_MAX_FAILURES) {
        struct kerf_pair_failures *f = &failures[*count];
        const sqlite3_int64 times = sqlite3_column_int64(s, 2);

        if (sqlite3_column_bytes(s, 0) == KERF_SHA256_LEN && sqlite3_column_bytes(s, 1) == KERF_SHA256_LEN) {
            memcpy(f->from.b, sqlite3_column_blob(s, 0), sizeof f->from.b);
            memcpy(f->to.b, sqlite3_column_blob(s, 1), sizeof f->to.b);
            f->count = times > UINT32_MAX ? UINT32_MAX : (uint32_t)times;
            (*count)++;
        }
    }
    if (result != SQLITE_DONE && result != SQLITE_ROW) {
        const kerf_err err = fail(fleet, why);

        (void)sqlite3_reset(s);
        return err;
    }
    (void)sqlite3_reset(s);
    return KERF_OK;
}

kerf_err kerf_fleet_count(struct kerf_fleet *fleet, struct kerf_fleet_counts *counts, struct kerf_why *why)
{
    sqlite3_stmt *s = fleet->statements[SQL_COUNTS];
    kerf_err err = KERF_OK;

    memset(counts, 0, sizeof *counts);
    bind_number(s, 1, KERF_STANDING_DRIFT);
    if (sqlite3_step(s) == SQLITE_ROW) {
        counts->devices = (uint64_t)sqlite3_column_int64(s, 0);
        counts->drifted = (uint64_t)sqlite3_column_int64(s, 1);
        counts->reports = (uint64_t)sqlite3_column_int64(s, 2);
        counts->failed_pairs = (uint64_t)sqlite3_column_int64(s, 3);
    } else {
        err = fail(fleet, why);
    }
    (void)sqlite3_reset(s);
    return err;
}
