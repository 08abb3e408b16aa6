/* SPDX-License-Identifier: Apache-2.0 */
/*
 * powercut.c - powercut OLD NEW DELTA [name=value ...]: cuts the power at every flash operation of an update.
 *
 * Applies the delta to a strict model of NOR flash (flash.h). Before each operation the power is cut in every way that
 * the model knows: what is left of the operation is done, memory is lost, and the update goes on from the journal. Up
 * to `depth` cuts follow each other; of three, one at most leaves weak bits (docs/DESIGN.md, "Power cuts"). The new
 * image must be there in the end. A recovery is followed until one of these is so, each of which tells how it goes on:
 *
 *   - Flash and workspace are what they were at some moment before, after which as many cuts were tried.
 *   - As many cuts left the same in the flash before (no power, no memory; but not where bits read differently each
 *   time).
 *   - It has resumed, and flash and workspace are those of a recovery before but for the sector in which power was cut,
 *     and that recovery, which was followed, erased this sector before it read or programmed anything there. The model
 *     of the flash sees all that is read. Before the last cut all recoveries from further cuts must have done the same
 *     that were followed from then on until the sector was erased: so nothing that was tried depended on what was in it.
 *     Such a recovery from a further cut is not followed where it is like one of the same recovery, of which that is
 *     known, but followed where it is only like one that was seen before. Bits that read differently each time may be
 *     in this sector alone (after the last cut elsewhere, too).
 *
 * `all=1` does without the last two.
 *
 *     sector=4096 unit=256 page=256    flash geometry in bytes; page: what is programmed at once
 *     interval=1                       sectors of new between two checkpoints (two slots)
 *     depth=1                          cuts that follow each other
 *     seed=0                           of what is left to chance: where operations stop, and bits that are undefined, but for
 *                                      the first reads of a mark that is weak
 *     all=0                            1: more recoveries are followed, see above
 *     sample=1                         cuts at one of so many operations (of the first run; `sample2` of recoveries), and at each that
 *                                      programs less than a page of the journal: marks
 *     earlier=DELTA from=OLD           the device is not new: this update, from OLD, was done before, and the first thing that is
 *                                      done is to forget it; OLD's size and the workspace are at most those of the
 *                                      update
 *     part=0 parts=1                   of the first run's operations only those of the part-th stretch of so many; all parts make
 *                                      up the whole, whoever runs them
 *
 * Prints one line; exit status 0 if nothing failed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "patcher/patcher.h"
#include "patcher/state.h"
#include "tests/flash_port.h"

#define DEPTH_MAX 3u
_Static_assert(DEPTH_MAX <= FLASH_WATCHES, "each cut's sector is watched");
#define PIECE 509u /* bytes fed at a time */

/* Moments that were seen: an open hash table. */
struct moment {
    uint64_t key; /* 0: free */
    uint32_t when;
    uint32_t open; /* bit n: the sector in which the n-th cut was, from 0, was neither erased nor used */
};

struct seen {
    struct moment *moments;
    size_t count, cap;
};

/* A recovery that is followed, and which others will be like. */
struct followed {
    uint32_t since; /* moments from then on are its own */
    bool spoilt;    /* its sector was read or programmed in a recovery from a further cut, or that is not known */
};

struct file {
    uint8_t *data;
    size_t len;
};

/* One device after the other: level 0 never lost power, level n lost it n times. */
struct device {
    struct flash_port port;
    uint64_t *workspace;
};

struct world {
    struct file old_image, new_image, delta;
    struct kerf_header header;
    struct kerf_patcher_expect expect;
    struct flash_geometry geometry;
    const char *earlier, *from;           /* names of files, or NULL */
    struct kerf_patcher *earlier_patcher; /* in the workspace of earlier_device */
    uint32_t depth, sample, sample2, part, parts, all, seed;
    uint64_t all_ops; /* of an update without cuts */
    struct flash flash;
    size_t workspace_len;
    struct device devices[DEPTH_MAX + 1], earlier_device;
    struct seen seen[DEPTH_MAX + 1]; /* [n]: moments after which n cuts are tried */
    struct seen left[DEPTH_MAX + 1]; /* [n]: what n cuts left in the flash */
    struct seen
        resumed[DEPTH_MAX + 1]; /* [n]: where recoveries from the n-th cut began that erased its sector unread */
    struct followed followed[DEPTH_MAX + 1];
    uint32_t now; /* counts what was followed */
    unsigned level;
    bool begun;                  /* more than the journal was written to */
    uint64_t ops[DEPTH_MAX + 1]; /* operations done by devices of each level */
    uint64_t cut_ops, cuts[DEPTH_MAX + 1], same, alike, anew, failures;
    uint64_t path[DEPTH_MAX + 1]; /* for messages: the operation at which power was cut, and how */
    enum flash_cut how[DEPTH_MAX + 1];
};

static void die(const char *what, const char *name)
{
    (void)fprintf(stderr, "powercut: %s%s\n", what, name);
    exit(2);
}

static void *get(size_t len)
{
    void *p = calloc(1, len + 1);

    if (p == NULL) {
        die("out of memory", "");
    }
    return p;
}

static struct file read_file(const char *name)
{
    struct file file = {NULL, 0};
    FILE *f = fopen(name, "rb");
    long len;

    if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (len = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0) {
        die("can't read ", name);
        return file;
    }
    file.len = (size_t)len;
    file.data = get(file.len);
    if (fread(file.data, 1, file.len, f) != file.len) {
        die("can't read ", name);
    }
    (void)fclose(f);
    return file;
}

/* --- Moments that were seen --- */

static struct moment *find(const struct seen *seen, uint64_t key)
{
    for (size_t i = (size_t)key & (seen->cap - 1); seen->cap > 0 && seen->moments[i].key != 0;
         i = (i + 1) & (seen->cap - 1)) {
        if (seen->moments[i].key == key) {
            return &seen->moments[i];
        }
    }
    return NULL;
}

static void add(struct seen *seen, struct moment moment)
{
    size_t i;

    if (seen->count * 2 >= seen->cap) {
        struct seen old = *seen;

        seen->cap = old.cap == 0 ? 4096 : old.cap * 2;
        seen->moments = get(seen->cap * sizeof *seen->moments);
        seen->count = 0;
        for (i = 0; i < old.cap; i++) {
            if (old.moments[i].key != 0) {
                add(seen, old.moments[i]);
            }
        }
        free(old.moments);
    }
    for (i = (size_t)moment.key & (seen->cap - 1); seen->moments[i].key != 0; i = (i + 1) & (seen->cap - 1)) {
    }
    seen->moments[i] = moment;
    seen->count++;
}

/* --- What is known of the sectors in which the first `levels` cuts were --- */

/* Those that were neither erased nor used. */
static uint32_t open_sectors(const struct world *w, unsigned levels)
{
    uint32_t open = 0;

    for (unsigned i = 0; i < levels; i++) {
        open |= (uint32_t)(w->flash.watch[i] == FLASH_WATCH_NOTHING) << i;
    }
    return open;
}

/* Nobody looks at what follows: what becomes of them is not known. */
static void lose_sight(struct world *w, unsigned levels)
{
    uint32_t open = open_sectors(w, levels);

    for (unsigned i = 0; i < levels; i++) {
        w->followed[i + 1].spoilt |= (open >> i & 1) != 0;
    }
}

/*
 * Is there a moment of this key, after which what becomes of the sectors of all recoveries is known that others shall
 * be like? That is so for moments of their own.
 */
static bool known(const struct world *w, const struct seen *seen, uint64_t key, unsigned levels)
{
    const struct moment *m = find(seen, key);
    uint32_t open = open_sectors(w, levels);

    for (unsigned i = 0; m != NULL && i < levels; i++) {
        const struct followed *f = &w->followed[i + 1];

        if ((open >> i & 1) != 0 && !f->spoilt && (m->when < f->since || (m->open >> i & 1) == 0)) {
            return false;
        }
    }
    return m != NULL;
}

/* The moment is followed from here on, or, `open` having been so, was. */
static void note_moment(const struct world *w, struct seen *seen, uint64_t key, uint32_t open)
{
    struct moment *m = find(seen, key);
    struct moment now = {key, w->now, open};

    if (m == NULL) {
        add(seen, now);
    } else {
        *m = now;
    }
}

/* --- Keys of moments --- */

/* Of the memory of the device of this level, and of `flash_key`. Page bytes that hold nothing don't count, nor which port it is. `unstable`: how weak bits will read does. */
static uint64_t moment(const struct world *w, uint64_t flash_key, bool unstable)
{
    struct kerf_patcher *p = (struct kerf_patcher *)(void *)w->devices[w->level].workspace;
    const uint8_t *end = p->page_at > 0 ? page_of(p) + p->page_len : (const uint8_t *)(p + 1);
    const uint64_t weak = unstable ? (uint64_t)w->flash.weak_left << 32 | w->flash.weak_reads : 0;
    const uint64_t progress[] = {p->phase, p->verified_pos, p->page_pos, weak};

    flash_key = flash_add_key(flash_key, (const uint8_t *)progress, sizeof progress);
    return flash_add_key(flash_key, (const uint8_t *)&p->header, (size_t)(end - (const uint8_t *)&p->header)) | 1;
}

/* Was this moment seen with as many cuts to come? Notes it if not. */
static bool seen_before(struct world *w)
{
    uint64_t key = moment(w, w->flash.key, w->flash.unstable_count > 0);
    unsigned left = w->depth - w->level;

    for (unsigned n = left; w->level > 0 && n <= w->depth; n++) {
        if (known(w, &w->seen[n], key, w->level - 1)) {
            w->followed[w->level].spoilt |= w->flash.watch[w->level - 1] == FLASH_WATCH_NOTHING;
            return true;
        }
    }
    note_moment(w, &w->seen[left], key, open_sectors(w, w->level));
    return false;
}

/*
 * Did as many cuts leave the same in the flash before? All else is lost, so what follows is the same, too; but not
 * where bits are read that are different each time.
 */
static bool left_before(struct world *w)
{
    struct seen *left = &w->left[w->level];
    uint64_t key = flash_add_key(w->flash.key, (const uint8_t *)&w->begun, sizeof w->begun) | 1;

    if (w->all || w->flash.unstable_count > 0) {
        return false;
    }
    if (known(w, left, key, w->level - 1)) {
        return true;
    }
    note_moment(w, left, key, open_sectors(w, w->level - 1));
    return false;
}

/* --- Runs --- */

static void fail(struct world *w, const char *why, kerf_err err)
{
    w->failures++;
    if (w->failures > 20) {
        return;
    }
    (void)fprintf(stderr, "FAILED: %s (%d); cuts:", why, (int)err);
    for (unsigned i = 0; i < w->level; i++) {
        (void)fprintf(stderr, " %" PRIu64 "/%d", w->path[i], (int)w->how[i]);
    }
    (void)fprintf(stderr, "\n");
}

/* Forgets the update before. What is cut in that is not forgotten again: the next one is begun. */
static kerf_err forget(struct world *w)
{
    kerf_err err = KERF_OK;

    if (w->level == 0 && w->earlier_patcher != NULL) {
        err = kerf_patcher_forget(w->earlier_patcher, &w->earlier_device.port.port);
    }
    return err;
}

/* Starts or resumes an apply on the device of this level; *pos: where in the delta to go on. */
static kerf_err start(struct world *w, struct kerf_patcher **p, size_t *pos)
{
    struct device *d = &w->devices[w->level];
    struct kerf_patcher_status status;
    kerf_err err;

    memset(d->workspace, 0xa5 + (int)w->level, w->workspace_len);
    err = kerf_patcher_resume(d->workspace, w->workspace_len, &d->port.port, &w->expect, p);
    if (err == KERF_NONE) {
        w->anew += w->level > 0;
        if (w->begun) {
            fail(w, "there was a checkpoint, and none was found", err);
        }
        memset(d->workspace, 0x5a + (int)w->level, w->workspace_len);
        err = kerf_patcher_init(d->workspace, w->workspace_len, &d->port.port, &w->expect, 0, p);
    }
    if (err == KERF_OK) {
        kerf_patcher_status(*p, &status);
        *pos = (size_t)status.delta_pos;
    }
    return err;
}

/* To the end, or to a moment that was seen; true: it went well. */
static bool follow(struct world *w, struct kerf_patcher *p, size_t pos)
{
    struct device *d = &w->devices[w->level];
    kerf_err err = KERF_OK;
    size_t used;

    while (err >= KERF_OK && err != KERF_END) {
        uint64_t ops = w->ops[w->level];
        size_t len = w->delta.len - pos < PIECE ? w->delta.len - pos : PIECE;

        err = kerf_patcher_feed(p, &d->port.port, w->delta.data + pos, len, &used);
        pos += used;
        if (err == KERF_MORE_INPUT && pos == w->delta.len) {
            err = KERF_ERR_TRUNCATED;
        }
        if (err > KERF_OK && ops != w->ops[w->level] && seen_before(w) && w->level > 0) {
            return true;
        }
    }
    lose_sight(w, w->level);
    if (err != KERF_END) {
        fail(w, "the update did not go on", err);
    } else if (memcmp(w->flash.bytes, w->new_image.data, w->new_image.len) != 0) {
        fail(w, "the slot holds something else than the new image", err);
        err = KERF_ERR_TARGET;
    }
    return err == KERF_END;
}

/* Was a recovery followed, with as many cuts to come, that is like this but for the sector at cut_pos? */
static bool resumed_before(struct world *w, uint64_t key, uint32_t cut_pos)
{
    enum flash_watch watch[FLASH_WATCHES];
    bool found = false;

    memcpy(watch, w->flash.watch, sizeof watch);
    for (unsigned i = 0; i < w->level - 1; i++) {
        /* It erased this sector unread. An earlier cut may have been in the same one. */
        if (w->flash.watched[i] == cut_pos / w->flash.sector * w->flash.sector && watch[i] == FLASH_WATCH_NOTHING) {
            w->flash.watch[i] = FLASH_WATCH_ERASED;
        }
    }
    for (unsigned n = 1; n <= w->level && !found; n++) {
        found = known(w, &w->resumed[n], key, w->level - 1);
    }
    memcpy(w->flash.watch, watch, sizeof watch);
    return found;
}

/* An update, or a recovery from a cut in the sector at `cut_pos`. */
static void run(struct world *w, uint32_t cut_pos)
{
    struct flash *f = &w->flash;
    struct followed *followed = &w->followed[w->level];
    struct kerf_patcher *p = NULL;
    size_t pos = 0;
    uint64_t key = 0;
    uint32_t open;
    kerf_err err = forget(w);

    if (err == KERF_OK) {
        err = start(w, &p, &pos);
    }
    if (err < KERF_OK) {
        lose_sight(w, w->level > 0 ? w->level - 1 : 0);
        fail(w, "the update did not begin", err);
        return;
    }
    if (w->level == 0 || w->all) {
        (void)follow(w, p, pos);
        return;
    }
    key = flash_add_key(flash_key_without(f, cut_pos), (const uint8_t *)&w->begun, sizeof w->begun);
    bool unstable = flash_unstable_without(f, cut_pos);

    key = moment(w, key, unstable);
    followed->spoilt = w->level < w->depth && unstable;
    if (!followed->spoilt && resumed_before(w, key, cut_pos)) {
        w->alike++;
        return;
    }
    open = open_sectors(w, w->level - 1);
    followed->since = ++w->now;
    flash_watch(f, w->level - 1, cut_pos);
    if (follow(w, p, pos) && f->watch[w->level - 1] == FLASH_WATCH_ERASED && !followed->spoilt) {
        note_moment(w, &w->resumed[w->level], key, open);
    }
}

/* Three cuts of which one left weak bits already? */
static bool weak_before(const struct world *w)
{
    bool weak = false;

    for (unsigned i = 0; w->depth > 2 && i < w->level; i++) {
        weak |= w->how[i] == FLASH_CUT_WEAK;
    }
    return weak;
}

/*
 * Of a mark that was left weak the next reads are not left to chance: one that is right once, and wrong after the next
 * cut, or the other way round, must not be missed. Two are of one restart at most.
 */
#define WEAK_READS 3u

/* One cut in the operation `op`, what comes of it, and back. */
static void cut(struct world *w, const struct flash *op, enum flash_cut how, const uint32_t *weak_reads)
{
    struct flash *f = &w->flash;
    size_t mark = flash_mark(f);
    bool begun = w->begun;

    f->erasing = op->erasing;
    f->op_pos = op->op_pos;
    f->op_len = op->op_len;
    f->op_data = op->op_data;
    w->how[w->level] = how;
    flash_cut(f, how);
    if (weak_reads != NULL) {
        f->weak_reads = *weak_reads;
        f->weak_left = WEAK_READS;
    }
    w->cuts[w->level]++;
    w->level++;
    w->ops[w->level] = 0;
    if (left_before(w)) {
        w->same++;
    } else {
        run(w, op->op_pos);
    }
    w->level--;
    for (unsigned i = 0; i < w->level; i++) {
        w->followed[i + 1].spoilt |= op->watch[i] == FLASH_WATCH_NOTHING && f->watch[i] == FLASH_WATCH_USED;
    }
    memcpy(f->watch, op->watch, sizeof f->watch);
    f->weak_reads = op->weak_reads;
    f->weak_left = op->weak_left;
    w->begun = begun;
    flash_back(f, mark);
}

/* Before an operation: every cut in it. */
static void before(void *ctx)
{
    struct world *w = ctx;
    struct flash *f = &w->flash;
    struct flash op = *f; /* the operation; the recoveries have others */
    uint64_t n = w->ops[w->level]++;
    uint32_t sample = w->level == 0 ? w->sample : w->sample2;
    bool in_journal = op.op_pos >= w->devices[0].port.slot_len &&
                      op.op_pos < w->devices[0].port.slot_len + w->devices[0].port.port.journal_size;
    bool is_mark = in_journal && !op.erasing && op.op_len < w->geometry.page;

    sample = is_mark ? 1 : sample;
    w->begun = w->begun || !in_journal;
    if (w->level >= w->depth ||
        (w->level == 0 && (n < w->all_ops * w->part / w->parts || n >= w->all_ops * (w->part + 1) / w->parts)) ||
        (sample > 1 && n * 0x9e3779b97f4a7c15u >> 33 & (sample - 1))) {
        return;
    }
    w->cut_ops++;
    w->path[w->level] = n;
    for (int how = 0; how < FLASH_CUT_COUNT; how++) {
        if (how != FLASH_CUT_WEAK) {
            cut(w, &op, (enum flash_cut)how, NULL);
        } else if (!weak_before(w)) {
            for (uint32_t reads = 0; is_mark && reads < 1u << WEAK_READS; reads++) {
                cut(w, &op, FLASH_CUT_WEAK, &reads);
            }
            if (!is_mark) {
                cut(w, &op, FLASH_CUT_WEAK, NULL);
            }
        }
    }
    if (w->level == 0) {
        flash_settle(f);
    }
}

/* --- Setting up --- */

static void parse(struct world *w, int argc, char **argv)
{
    for (int i = 4; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        uint32_t *where = NULL;
        static const char *const names[] = {"sector",  "unit", "page",  "interval", "depth", "sample",
                                            "sample2", "part", "parts", "all",      "seed"};
        uint32_t *const fields[] = {&w->geometry.sector, &w->geometry.unit, &w->geometry.page, &w->geometry.interval,
                                    &w->depth,           &w->sample,        &w->sample2,       &w->part,
                                    &w->parts,           &w->all,           &w->seed};

        if (value != NULL && strncmp(argv[i], "earlier=", 8) == 0) {
            w->earlier = value + 1;
            continue;
        }
        if (value != NULL && strncmp(argv[i], "from=", 5) == 0) {
            w->from = value + 1;
            continue;
        }
        for (size_t k = 0; value != NULL && k < sizeof names / sizeof names[0]; k++) {
            if (strncmp(names[k], argv[i], (size_t)(value - argv[i])) == 0 && names[k][value - argv[i]] == '\0') {
                where = fields[k];
            }
        }
        if (where == NULL) {
            die("what is ", argv[i]);
            return;
        }
        *where = (uint32_t)strtoul(value + 1, NULL, 10);
    }
    if (w->depth > DEPTH_MAX || ((w->sample - 1) & w->sample) != 0 || ((w->sample2 - 1) & w->sample2) != 0) {
        die("depth is at most 3, samples are powers of 2", "");
    }
    if (w->part >= w->parts) {
        die("part is less than parts", "");
    }
    if ((w->earlier == NULL) != (w->from == NULL)) {
        die("an earlier update has a delta and an image", "");
    }
}

/* Does the earlier update, to the end, and does not forget it. */
static void update_before(struct world *w)
{
    struct file delta = read_file(w->earlier);
    struct file from = read_file(w->from);
    struct device *d = &w->earlier_device;
    const struct flash_port *now = &w->devices[0].port;
    struct kerf_header header;
    size_t used;
    size_t len;
    kerf_err err = kerf_header_parse(delta.data, delta.len, &header);

    if (err == KERF_OK) {
        flash_port_init(&d->port, &w->flash, &header, &w->geometry, from.data, from.len);
        if (d->port.slot_len > now->slot_len || d->port.port.spare_size > now->port.spare_size) {
            die("larger than the device: ", w->earlier);
        }
        d->port.slot_len = now->slot_len;
        d->port.port.slot_size = now->port.slot_size;
        d->port.port.journal_size = now->port.journal_size;
        d->port.port.spare_size = now->port.spare_size;
        if (d->port.in_place) {
            flash_preset(&w->flash, 0, from.data, from.len);
        }
        len = kerf_patcher_workspace(&header, &d->port.port);
        if (len >
            w->workspace_len) { /* the device has it, so its journal's checkpoints are not too large for the next */
            w->workspace_len = len;
        }
        d->workspace = get(len);
        err = kerf_patcher_init(d->workspace, len, &d->port.port, NULL, 0, &w->earlier_patcher);
    }
    for (size_t pos = 0; err >= KERF_OK && err != KERF_END; pos += used) {
        len = delta.len - pos < PIECE ? delta.len - pos : PIECE;
        err = kerf_patcher_feed(w->earlier_patcher, &d->port.port, delta.data + pos, len, &used);
    }
    if (err != KERF_END || memcmp(w->flash.bytes, w->old_image.data, w->old_image.len) != 0) {
        die("does not make the old image: ", w->earlier);
    }
    memset(w->flash.erases, 0, w->flash.size / w->flash.sector * sizeof *w->flash.erases);
    w->flash.program_count = 0;
    free(delta.data);
    free(from.data);
}

static void set_up(struct world *w)
{
    if (kerf_header_parse(w->delta.data, w->delta.len, &w->header) != KERF_OK) {
        die("not a delta", "");
    }
    for (unsigned i = 0; i <= DEPTH_MAX; i++) {
        struct device *d = &w->devices[i];

        flash_port_init(&d->port, &w->flash, &w->header, &w->geometry, w->old_image.data, w->old_image.len);
    }
    w->workspace_len = kerf_patcher_workspace(&w->header, &w->devices[0].port.port);
    w->expect.chunk0_known = true;
    if (kerf_hash_bytes(w->delta.data, w->header.chunk0_len, &w->expect.chunk0_digest) != KERF_OK) {
        die("can't hash", "");
    }
    if (w->earlier != NULL) {
        update_before(w);
    }
    for (unsigned i = 0; i <= DEPTH_MAX; i++) {
        w->devices[i].workspace = get(w->workspace_len);
    }
    w->flash.noise += (uint64_t)w->seed << 32;
    flash_settle(&w->flash);
}

/* Erases of the sector that was erased most, from `start` to `end`, and of all. */
static void wear(const struct world *w, uint32_t start, uint32_t end, uint32_t *most, uint64_t *sum)
{
    *most = 0;
    *sum = 0;
    for (uint32_t i = start / w->flash.sector; i < end / w->flash.sector; i++) {
        *most = w->flash.erases[i] > *most ? w->flash.erases[i] : *most;
        *sum += w->flash.erases[i];
    }
}

static void count(void *ctx)
{
    struct world *w = ctx;

    w->all_ops++;
}

/* An update without cuts: its operations, and what it wears. */
static void measure(struct world *w)
{
    size_t mark = flash_mark(&w->flash);
    uint32_t most[3];
    uint64_t sum[3];
    const struct flash_port *fp = &w->devices[0].port;
    const struct flash_geometry *g = &w->geometry;
    uint32_t journal = fp->slot_len + fp->port.journal_size;

    w->flash.before = count;
    w->flash.before_ctx = w;
    run(w, 0);
    wear(w, 0, fp->slot_len, &most[0], &sum[0]);
    wear(w, fp->slot_len, journal, &most[1], &sum[1]);
    wear(w, journal, w->flash.size, &most[2], &sum[2]);
    printf(
        "%s, %zu -> %zu bytes, delta %zu, workspace %zu; sector %u, page %u, unit %u: erases of a slot sector %u, of "
        "a journal sector %u (of %u, sum %" PRIu64 "), of a scratch sector %u (of %u, sum %" PRIu64 "); %" PRIu64
        " programs\n",
        fp->in_place ? "in place" : "two slots", w->old_image.len, w->new_image.len, w->delta.len,
        kerf_header_workspace(&w->header), g->sector, g->page, g->unit, most[0], most[1],
        fp->port.journal_size / g->sector, sum[1], most[2], (w->flash.size - journal) / g->sector, sum[2],
        w->flash.program_count);
    flash_back(&w->flash, mark);
    for (unsigned i = 0; i <= DEPTH_MAX; i++) {
        free(w->seen[i].moments);
        memset(&w->seen[i], 0, sizeof w->seen[i]);
    }
}

int main(int argc, char **argv)
{
    static struct world w;

    if (argc < 4) {
        die("powercut OLD NEW DELTA [name=value ...]", "");
    }
    w.geometry = (struct flash_geometry){.sector = 4096, .page = 256, .unit = 256, .interval = 1};
    w.depth = w.sample = w.sample2 = w.parts = 1;
    parse(&w, argc, argv);
    w.old_image = read_file(argv[1]);
    w.new_image = read_file(argv[2]);
    w.delta = read_file(argv[3]);
    set_up(&w);
    measure(&w);
    w.flash.before = before;
    w.ops[0] = 0;
    run(&w, 0);
    printf("  operations %" PRIu64 ", cut %" PRIu64 "; cuts: first %" PRIu64 ", second %" PRIu64 ", third %" PRIu64
           "; of these like one before: flash %" PRIu64 ", all but a sector erased unread %" PRIu64
           "; started anew %" PRIu64 "; failures %" PRIu64 "\n",
           w.ops[0], w.cut_ops, w.cuts[0], w.cuts[1], w.cuts[2], w.same, w.alike, w.anew, w.failures);
    for (unsigned i = 0; i <= DEPTH_MAX; i++) {
        flash_port_free(&w.devices[i].port);
        free(w.devices[i].workspace);
        free(w.seen[i].moments);
        free(w.left[i].moments);
        free(w.resumed[i].moments);
    }
    if (w.earlier != NULL) {
        flash_port_free(&w.earlier_device.port);
        free(w.earlier_device.workspace);
    }
    flash_free(&w.flash);
    free(w.old_image.data);
    free(w.new_image.data);
    free(w.delta.data);
    return w.failures == 0 ? 0 : 1;
}
