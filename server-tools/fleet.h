/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fleet.h - what the server must remember, in one SQLite file (WAL): reports, the last state of each device, and how
 * often which pair of images failed on it.
 *
 * One writer, one thread. What kerf_fleet_report() acknowledged survives kill -9 and power cuts. The state of devices
 * is written in transactions of up to a second (kerf_fleet_flush()): it comes again with the next check.
 * Errors: KERF_ERR_FLASH (disk, file, damaged database; `why` says), KERF_ERR_VERSION (a later schema). `why` may be
 * NULL.
 */
#ifndef KERF_SERVER_TOOLS_FLEET_H
#define KERF_SERVER_TOOLS_FLEET_H

#include "common/host/protocol.h"
#include "server-tools/resolver.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Pairs that are remembered for one device when it asks; the newest. */
#define KERF_FLEET_MAX_FAILURES 32

struct kerf_fleet;

/* Opens the file, and makes it where it is missing. */
KERF_MUST_USE kerf_err kerf_fleet_open(struct kerf_fleet **fleet, const char *path, struct kerf_why *why);
/* Writes what is pending and closes; NULL is fine. */
void kerf_fleet_close(struct kerf_fleet *fleet);

/*
 * Stores a batch that came in at `now` (seconds since 1970), whole or not at all, and returns when it is on disk.
 * Reports known by device, txn and seq are counted in answer->known and change nothing. A new one that blames a delta
 * (kerf_report_blames_payload) for a pair that it names counts as a failure of that pair on this device.
 */
KERF_MUST_USE kerf_err kerf_fleet_report(struct kerf_fleet *fleet, const struct kerf_report_batch *batch, uint64_t now,
                                         struct kerf_report_answer *answer, struct kerf_why *why);

/* Notes what a device said of itself, to be written by the next kerf_fleet_flush() or kerf_fleet_report(). */
KERF_MUST_USE kerf_err kerf_fleet_check(struct kerf_fleet *fleet, const struct kerf_check_request *request,
                                        const struct kerf_resolver_notes *notes, uint64_t now, struct kerf_why *why);
KERF_MUST_USE kerf_err kerf_fleet_flush(struct kerf_fleet *fleet, struct kerf_why *why);

/* The pairs that failed on this device; *count is at most KERF_FLEET_MAX_FAILURES. */
KERF_MUST_USE kerf_err kerf_fleet_failures(struct kerf_fleet *fleet, const char *device_id,
                                           struct kerf_pair_failures failures[KERF_FLEET_MAX_FAILURES], size_t *count,
                                           struct kerf_why *why);

/* Counts over the whole fleet. */
struct kerf_fleet_counts {
    uint64_t devices;
    uint64_t drifted; /* components that a device said had a known version with an unknown digest, in its last check */
    uint64_t reports;
    uint64_t failed_pairs; /* device and pair */
};

KERF_MUST_USE kerf_err kerf_fleet_count(struct kerf_fleet *fleet, struct kerf_fleet_counts *counts,
                                        struct kerf_why *why);

#ifdef __cplusplus
}
#endif

#endif
