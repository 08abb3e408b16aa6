/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts the power before every operation on files of an update, and settles what was not synced in many ways
 * (tests/file_model.h); then the next process must make the new image. In all of it the old image of two slots is never
 * touched, what has the new image's name is the new image, and once the program says that it is done, that is on disk.
 *
 *     filecut [quick | full] [NAME]      NAME: one scenario; `filecut list` prints them
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "diffgen/diffgen.h"
#include "patcher/port/install.h"
#include "patcher/port/patch_run.h"
#include "tests/file_model.h"
#include "tests/pack.h"

#define LEN_CAP 40000
#define SMALL 24000
#define SHIFT 5000
#define OLD MODEL_ROOT "a/old"
#define NEW MODEL_ROOT "b/new"
#define STATE MODEL_ROOT "c/state"
#define DELTA MODEL_ROOT "d/delta"
#define DEVICE_LEN ((size_t)65536)
#define STATE_LEN ((size_t)131072)
#define MARK MODEL_ROOT "c/active" /* of the agent's: which slot boots */

struct image {
    uint8_t bytes[LEN_CAP];
    size_t len;
};

struct scenario {
    const char *name;
    bool in_place, shrinks, agent;
    bool no_state;     /* nothing to go on with */
    bool occupied;     /* NEW exists already */
    bool device;       /* NEW, or in place OLD, is a block device */
    bool state_device; /* the state is */
};

static const struct scenario scenarios[] = {
    {.name = "file", .no_state = true},
    {.name = "file-over-file", .no_state = true, .occupied = true},
    {.name = "state"},
    {.name = "state-over-file", .occupied = true, .shrinks = true},
    {.name = "device", .device = true},
    {.name = "state-on-device", .state_device = true},
    {.name = "all-on-devices", .device = true, .state_device = true},
    {.name = "in-place-grows", .in_place = true},
    {.name = "in-place-shrinks", .in_place = true, .shrinks = true},
    {.name = "in-place-device", .in_place = true, .device = true},
    {.name = "in-place-all-devices", .in_place = true, .shrinks = true, .device = true, .state_device = true},
    {.name = "agent", .agent = true},
    {.name = "agent-slot-device", .agent = true, .device = true, .occupied = true},
};

static struct image small, big;
static const struct image *old_image, *new_image;
static uint8_t *delta;
static size_t delta_len;
static struct kerf_diff_report report;
static const struct scenario *now;
static bool full;

static struct {
    uint64_t operations, cuts, recoveries, second, failures;
} total;

static void require(bool kept)
{
    if (!kept) {
        abort();
    }
}

static void complain(const char *what, uint32_t cut, uint32_t how, uint32_t second)
{
    total.failures++;
    (void)printf("FAILED: %s: cut at %u, settled by %#x, second cut at %d: %s\n", now->name, cut, how, (int)second,
                 what);
}

/* --- The programs --- */

static int run_patch(void)
{
    struct kerf_patch_options o;

    memset(&o, 0, sizeof o);
    o.old_path = now->in_place ? NEW : OLD;
    o.new_path = now->in_place ? NULL : NEW;
    o.delta_path = DELTA;
    o.state_path = now->no_state ? NULL : STATE;
    o.in_place = now->in_place;
    o.checkpoint = now->no_state || now->in_place ? 0 : 8192;
    o.quiet = true;
    return kerf_patch_run(&o);
}

static kerf_err mark(void *slot)
{
    return kerf_file_write(MARK, 0, slot, 1, NULL);
}

static kerf_err claim(void *ctx)
{
    (void)ctx;
    return mark("a");
}

static void progress(void *ctx, const char *stage, uint64_t done, uint64_t all)
{
    (void)ctx;
    (void)stage;
    (void)done;
    (void)all;
}

/* What the agent does with its slots (agent_update.c), without a network. */
static int run_agent(void)
{
    struct kerf_header header;
    struct kerf_component component;
    struct kerf_payload payload;
    struct kerf_install install;
    struct kerf_why why;

    require(kerf_header_parse(delta, delta_len, &header) == KERF_OK);
    memset(&component, 0, sizeof component);
    memset(&payload, 0, sizeof payload);
    component.size = new_image->len;
    component.digest = report.new_digest;
    payload.is_delta = true;
    payload.from_size = old_image->len;
    test_digest(old_image->bytes, old_image->len, &payload.from_digest);
    payload.chunk0 = report.chunk0_digest;
    payload.codec = header.codec;
    payload.flags = header.flags;
    payload.workspace = kerf_header_workspace(&header);
    const struct kerf_install_request request = {.old_path = OLD,
                                                 .old_size = old_image->len,
                                                 .old_digest = payload.from_digest,
                                                 .new_path = NEW,
                                                 .ram = 65536,
                                                 .component = &component,
                                                 .payload = &payload,
                                                 .journal_path = STATE,
                                                 .checkpoint = 8192,
                                                 .claim = claim,
                                                 .progress = progress};
    kerf_err err = kerf_install_begin(&install, &request, &why);

    for (size_t pos = (size_t)install.resumed_from; err == KERF_OK && pos < delta_len;) {
        size_t n = delta_len - pos < 1000 ? delta_len - pos : 1000;

        err = kerf_install_feed(&install, delta + pos, n);
        pos += n;
    }
    if (err == KERF_OK) {
        err = kerf_install_finish(&install);
    }
    kerf_install_close(&install);
    if (err == KERF_OK) {
        err = mark("b");
    }
    if (err == KERF_OK) {
        kerf_install_forget(&request);
    }
    return err == KERF_OK ? 0 : 1;
}

/* The next process. What it has to say is not for this test's reader. */
static int run(uint32_t cut, uint32_t fail)
{
    static int quiet = -1, loud = -1;
    int code;

    if (quiet < 0) {
        quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
        loud = dup(STDERR_FILENO);
        require(quiet >= 0 && loud >= 0);
    }
    require(dup2(quiet, STDERR_FILENO) >= 0);
    model_begin(cut, fail);
    code = now->agent ? run_agent() : run_patch();
    require(dup2(loud, STDERR_FILENO) >= 0);
    return code;
}

/* --- What must hold --- */

static bool is(const char *path, const struct image *image, bool device)
{
    size_t len;
    const uint8_t *data = model_get(path, &len);

    return data != NULL && (device ? len >= image->len : len == image->len) &&
           memcmp(data, image->bytes, image->len) == 0;
}

static bool is_new(void)
{
    return is(NEW, new_image, now->device);
}

static bool is_there(const char *path)
{
    size_t len;

    return model_get(path, &len) != NULL;
}

/* On disk after a cut, before anything runs; NULL: all is well. */
static const char *check_disk(void)
{
    size_t len;
    const uint8_t *active;

    if (!now->in_place && !is(OLD, old_image, false)) {
        return "the old image was touched";
    }
    if (now->agent) {
        active = model_get(MARK, &len);
        return active != NULL && (len != 1 || (active[0] == 'b' && !is_new())) ? "what boots is not an image" : NULL;
    }
    if (!now->in_place && !now->device && is_there(NEW) && !is_new() && !(now->occupied && is(NEW, &small, false))) {
        return "NEW is not the new image";
    }
    return NULL;
}

/* After a process that was not cut. */
static const char *check_done(int code)
{
    if (code != 0) {
        return "the next process did not make the new image";
    }
    if (!is_new()) {
        return "done, and it is not the new image";
    }
    model_crash(0);
    return is_new() ? check_disk() : "done, and not on disk";
}

/* --- Cuts --- */

/* The ways in which a cut is settled: of few changes every subset. Returns false after the last. */
static bool next_way(uint32_t pending, uint32_t seeds, uint32_t n, uint32_t *how)
{
    uint32_t subsets = pending <= (full ? 6u : 2u) ? 1u << pending : 0;
    uint32_t chosen = subsets == 0 ? MODEL_LENGTHS : subsets;

    *how = n == chosen ? MODEL_LENGTHS : n > chosen ? MODEL_RANDOM + n - 1 : subsets == 0 ? n : MODEL_SUBSETS + n;
    return n < chosen + 1 + seeds && (pending > 0 || n == 0);
}

/* Cuts the recovery as well, here and there. */
static void cut_again(const struct model_copy *settled, uint32_t cut, uint32_t how)
{
    uint32_t step = full ? 2 + how % 5 : 17;
    uint32_t last = UINT32_MAX;

    for (uint32_t again = how % step; again < last; again += step) {
        const char *wrong;

        model_restore(settled);
        (void)run(again, MODEL_NEVER);
        if (!model_is_cut()) {
            last = again;
            continue;
        }
        model_crash(MODEL_RANDOM + cut + 31 * again);
        wrong = check_disk();
        wrong = wrong == NULL ? check_done(run(MODEL_NEVER, MODEL_NEVER)) : wrong;
        if (wrong != NULL) {
            complain(wrong, cut, how, again);
        }
        total.second++;
    }
}

static void settle_all_ways(uint32_t cut, uint32_t seeds)
{
    struct model_copy *off = model_save();
    uint32_t pending = model_pending();
    uint32_t how;

    for (uint32_t n = 0; next_way(pending, seeds, n, &how); n++) {
        const char *wrong;
        struct model_copy *settled;

        model_restore(off);
        model_crash(how);
        wrong = check_disk();
        settled = model_save();
        wrong = wrong == NULL ? check_done(run(MODEL_NEVER, MODEL_NEVER)) : wrong;
        if (wrong != NULL) {
            complain(wrong, cut, how, UINT32_MAX);
        }
        total.recoveries++;
        if (wrong == NULL && (cut + n) % (full ? 8 : 29) == 0) {
            cut_again(settled, cut, how);
        }
        model_free_copy(settled);
    }
    model_free_copy(off);
}

/* An operation fails, the process ends; then the power goes, or not, and the next one must do. */
static void fail_at(const struct model_copy *start, uint32_t at)
{
    for (uint32_t how = 0; how < (full ? 8u : 3u); how++) {
        const char *wrong = NULL;
        int code;

        model_restore(start);
        code = run(MODEL_NEVER, at);
        if (code == 0 && !is_new()) {
            wrong = "an operation failed, and the program says that it is done";
        }
        if (how > 0) {
            model_crash(how == 1 ? 0 : MODEL_RANDOM + how + 8 * at);
            wrong = wrong == NULL ? check_disk() : wrong;
            if (code == 0 && !is_new()) {
                wrong = "an operation failed, done, and not on disk";
            }
        }
        wrong = wrong == NULL ? check_done(run(MODEL_NEVER, MODEL_NEVER)) : wrong;
        if (wrong != NULL) {
            complain(wrong, at, how, UINT32_MAX - 1);
        }
        total.recoveries++;
    }
}

static void set_up(void)
{
    struct kerf_diff_options options = {.ram = 3072, .codec = KERF_CODEC_NATIVE};
    static uint8_t bytes[STATE_LEN];

    old_image = now->shrinks ? &big : &small;
    new_image = now->shrinks ? &small : &big;
    if (now->in_place) {
        options.in_place = true;
        options.sector = 4096;
        options.scratch = options.group = 2;
    }
    require(kerf_diff_create(old_image->bytes, old_image->len, new_image->bytes, new_image->len, &options, &delta,
                             &delta_len, &report) == KERF_OK);
    model_reset();
    model_put(DELTA, delta, delta_len, false);
    memset(bytes, 0x5a, sizeof bytes);
    if (now->state_device) {
        model_put(STATE, bytes, STATE_LEN, true);
    }
    if (!now->in_place) {
        model_put(OLD, old_image->bytes, old_image->len, false);
    }
    if (now->in_place) {
        memcpy(bytes, old_image->bytes, old_image->len);
        model_put(NEW, bytes, now->device ? DEVICE_LEN : old_image->len, now->device);
    } else if (now->device) {
        model_put(NEW, bytes, DEVICE_LEN, true);
    } else if (now->occupied) {
        model_put(NEW, small.bytes, small.len, false);
    }
}

static void run_scenario(void)
{
    struct model_copy *start;
    uint32_t operations;
    const char *wrong;

    set_up();
    start = model_save();
    int code = run(MODEL_NEVER, MODEL_NEVER);
    operations = model_operations();
    wrong = check_done(code);
    if (wrong != NULL) {
        complain(wrong, MODEL_NEVER, 0, UINT32_MAX);
    }
    if (!now->state_device && is_there(STATE) && !now->agent) {
        complain("a state is left", MODEL_NEVER, 0, UINT32_MAX);
    }
    for (uint32_t cut = 0; wrong == NULL && cut < operations; cut++) {
        model_restore(start);
        (void)run(cut, MODEL_NEVER);
        settle_all_ways(cut, full ? 24 : 3);
        if (full || cut % 3 == 0) {
            fail_at(start, cut);
        }
        total.cuts++;
    }
    total.operations += operations;
    (void)printf("%-22s %4u operations; so far %llu recoveries, %llu after a second cut, failures = %llu\n", now->name,
                 operations, (unsigned long long)total.recoveries, (unsigned long long)total.second,
                 (unsigned long long)total.failures);
    (void)fflush(stdout);
    model_free_copy(start);
    free(delta);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
            (void)puts(scenarios[i].name);
        }
        return 0;
    }
    full = argc > 1 && strcmp(argv[1], "full") == 0;
    kerf_cli_begin("filecut");
    small.len = test_image(small.bytes, SMALL, SIZE_MAX, 0);
    big.len = test_image(big.bytes, SMALL, SMALL / 2, SHIFT);
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        now = &scenarios[i];
        if (argc < 3 || strcmp(argv[2], now->name) == 0) {
            run_scenario();
        }
    }
    model_reset();
    (void)printf("operations cut %llu, recoveries %llu, after a second cut %llu, failures = %llu\n",
                 (unsigned long long)total.cuts, (unsigned long long)total.recoveries, (unsigned long long)total.second,
                 (unsigned long long)total.failures);
    return total.failures == 0 ? 0 : 1;
}
