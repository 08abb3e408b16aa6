/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal, on a small pair of images: everything is tried. tests/powercut.c cuts operations in half, with real
 * firmware.
 */
#include "patcher/patcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "diffgen/diffgen.h"
#include "patcher/state.h"
#include "tests/flash_port.h"
#include "tests/pack.h"

#define LEN_CAP 6000
#define WORKSPACE_WORDS 1024
#define MOST_STEPS 100000u

static uint8_t old_image[LEN_CAP];
static size_t old_len;
static uint8_t edited[LEN_CAP], swapped[LEN_CAP]; /* old with new bytes in it; with its halves in another order */
/* A payload from old to one of these. */
struct payload {
    const uint8_t *new_image;
    size_t new_len;
    uint8_t *delta;
    size_t delta_len;
    struct kerf_header header;
    struct kerf_patcher_expect expect;
};
static struct payload two_slots = {.new_image = edited}, one_slot = {.new_image = edited};
/* In one slot, where old is kept: in scratch and the slot, or in the room behind the images. */
static struct payload keeps = {.new_image = swapped}, has_room = {.new_image = swapped};
/* The payload that the tests run with; and a full image, to offer instead. */
static const uint8_t *new_image;
static size_t new_len;
static uint8_t *delta, *other;
static size_t delta_len, other_len;
static struct kerf_header header;
static struct kerf_patcher_expect expect, expect_other;
static const struct flash_geometry geometry = {.sector = 512, .page = 64, .unit = 16, .interval = 1};

/* scratch: 0: two slots. slot: bytes of the one; 0: not told. */
static int make_delta(struct payload *payload, size_t len, uint16_t scratch, uint16_t group, uint64_t slot)
{
    struct kerf_diff_options options = {.ram = KERF_DIFF_RAM_MIN, .codec = KERF_CODEC_NATIVE}; /* several chunks */
    struct kerf_diff_report report;

    payload->new_len = len;
    if (scratch > 0) {
        options.in_place = true;
        options.sector = 512;
        options.scratch = scratch;
        options.group = group;
        options.slot = slot;
    }
    if (kerf_diff_create(old_image, old_len, payload->new_image, len, &options, &payload->delta, &payload->delta_len,
                         &report) != KERF_OK ||
        kerf_header_parse(payload->delta, payload->delta_len, &payload->header) != KERF_OK) {
        return -1;
    }
    payload->expect.chunk0_known = true;
    payload->expect.chunk0_digest = report.chunk0_digest;
    return 0;
}

static int make_deltas(void **state)
{
    struct kerf_header h;

    (void)state;
    old_len = test_image(old_image, 4000, SIZE_MAX, 0);
    size_t edited_len = test_image(edited, 4000, 2000, 300);

    memcpy(swapped, old_image + old_len / 2, old_len / 2);
    memcpy(swapped + old_len / 2, old_image, old_len / 2);
    if (make_delta(&two_slots, edited_len, 0, 0, 0) != 0 || make_delta(&one_slot, edited_len, 2, 2, 0) != 0 ||
        make_delta(&keeps, old_len, 3, 0, 0) != 0 || make_delta(&has_room, old_len, 1, 0, 16384) != 0) {
        return -1;
    }
    other = test_pack_stored(NULL, 0, edited, edited_len, 256, &other_len);
    if (other == NULL || kerf_header_parse(other, other_len, &h) != KERF_OK) {
        return -1;
    }
    expect_other.chunk0_known = true;
    test_digest(other, h.chunk0_len, &expect_other.chunk0_digest);
    return 0;
}

static int use(const struct payload *payload)
{
    new_image = payload->new_image;
    new_len = payload->new_len;
    delta = payload->delta;
    delta_len = payload->delta_len;
    header = payload->header;
    expect = payload->expect;
    return 0;
}

static int use_two_slots(void **state)
{
    (void)state;
    return use(&two_slots);
}

static int use_one_slot(void **state)
{
    (void)state;
    return use(&one_slot);
}

static int use_keeps(void **state)
{
    (void)state;
    return use(&keeps);
}

static int use_room(void **state)
{
    (void)state;
    return use(&has_room);
}

static int free_deltas(void **state)
{
    (void)state;
    free(two_slots.delta);
    free(one_slot.delta);
    free(keeps.delta);
    free(has_room.delta);
    free(other);
    return 0;
}

/* A device: what is in its memory is gone with each reboot. */
struct device {
    struct flash flash;
    struct flash_port port;
    uint64_t workspace[WORKSPACE_WORDS];
    size_t workspace_len;
    struct kerf_patcher *p;
    uint64_t operations; /* a digest of all of them */
};

static void note(void *ctx)
{
    struct device *d = ctx;
    const struct flash *f = &d->flash;

    d->operations = (d->operations ^ f->op_pos ^ (uint64_t)f->op_len << 32 ^ f->erasing) * 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0; f->op_data != NULL && i < f->op_len; i++) {
        d->operations = (d->operations ^ f->op_data[i]) * 0x9e3779b97f4a7c15u;
    }
}

static void switch_on(struct device *d)
{
    memset(d, 0, sizeof *d);
    flash_port_init(&d->port, &d->flash, &header, &geometry, old_image, old_len);
    d->workspace_len = kerf_patcher_workspace(&header, &d->port.port);
    assert_true(d->workspace_len <= sizeof d->workspace);
    d->flash.before = note;
    d->flash.before_ctx = d;
}

static void switch_off(struct device *d)
{
    flash_port_free(&d->port);
    flash_free(&d->flash);
}

/* Memory is lost; the journal says where to go on. KERF_NONE: from the beginning, which is begun. */
static kerf_err reboot(struct device *d, const struct kerf_patcher_expect *e, size_t *pos)
{
    struct kerf_patcher_status s;
    kerf_err err;

    memset(d->workspace, 0xee, sizeof d->workspace);
    err = kerf_patcher_resume(d->workspace, d->workspace_len, &d->port.port, e, &d->p);
    if (err == KERF_NONE) {
        memset(d->workspace, 0xdd, sizeof d->workspace);
        assert_int_equal(kerf_patcher_init(d->workspace, d->workspace_len, &d->port.port, e, 0, &d->p), KERF_OK);
    }
    kerf_patcher_status(d->p, &s);
    *pos = (size_t)s.delta_pos;
    return err;
}

/* Feeds data[pos .. end) in pieces, `steps` calls at most. */
static kerf_err feed(struct device *d, const uint8_t *data, size_t *pos, size_t end, size_t piece, unsigned steps)
{
    kerf_err err = KERF_MORE_WORK;

    for (unsigned i = 0; i < steps && err >= 0 && err != KERF_END; i++) {
        size_t used;

        err = kerf_patcher_feed(d->p, &d->port.port, data + *pos, end - *pos < piece ? end - *pos : piece, &used);
        *pos += used;
        if (err == KERF_MORE_INPUT && *pos == end) {
            break;
        }
    }
    return err;
}

static void check_new(struct device *d)
{
    assert_memory_equal(d->flash.bytes, new_image, new_len);
}

static void the_way_it_is_fed_changes_no_operation(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 7, 13, 61, 127, 251, 509, 100000};
    uint64_t operations = 0;

    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct device d;
        size_t pos;

        switch_on(&d);
        assert_int_equal(reboot(&d, &expect, &pos), KERF_NONE);
        assert_int_equal(feed(&d, delta, &pos, delta_len, pieces[i], MOST_STEPS), KERF_END);
        check_new(&d);
        assert_true(i == 0 || d.operations == operations);
        operations = d.operations;
        switch_off(&d);
    }
}

/* ... and power goes; what is fed then is what comes behind the position that the journal says. */
static void it_may_stop_at_every_byte_of_the_delta(void **state)
{
    size_t saved = 0;

    (void)state;
    for (size_t stop = 0; stop < delta_len; stop++) {
        struct device d;
        size_t pos;

        switch_on(&d);
        assert_int_equal(reboot(&d, &expect, &pos), KERF_NONE);
        assert_int_equal(feed(&d, delta, &pos, stop, 17, MOST_STEPS), KERF_MORE_INPUT);
        assert_int_equal(pos, stop);
        assert_int_equal(reboot(&d, &expect, &pos), stop < header.chunk0_len ? KERF_NONE : KERF_OK);
        assert_true(pos <= stop);
        saved = pos > saved ? pos : saved;
        assert_int_equal(feed(&d, delta, &pos, delta_len, 100, MOST_STEPS), KERF_END);
        check_new(&d);
        switch_off(&d);
    }
    assert_true(saved > delta_len / 2);
}

static void it_may_stop_after_every_call(void **state)
{
    kerf_err err = KERF_OK;

    (void)state;
    for (unsigned stop = 0; err != KERF_END; stop++) {
        struct device d;
        size_t pos;
        size_t first;

        switch_on(&d);
        assert_int_equal(reboot(&d, &expect, &pos), KERF_NONE);
        err = feed(&d, delta, &pos, delta_len, 1000, stop);
        assert_true(err >= 0);
        first = pos;
        (void)reboot(&d, NULL, &pos);
        assert_true(pos <= first);
        assert_int_equal(feed(&d, delta, &pos, delta_len, 1000, MOST_STEPS), KERF_END);
        check_new(&d);
        switch_off(&d);
    }
}

/* No bit of the journal can change so that a wrong image comes out. */
static void every_flipped_bit_is_survived(void **state)
{
    struct device d;
    size_t pos;
    unsigned anew = 0;
    unsigned older = 0;
    kerf_pos newest;
    struct kerf_patcher_status s;

    (void)state;
    switch_on(&d);
    assert_int_equal(reboot(&d, &expect, &pos), KERF_NONE);
    do {
        assert_true(feed(&d, delta, &pos, delta_len, 5, 1) > 0);
        kerf_patcher_status(d.p, &s);
    } while (s.new_pos < new_len / 2);
    assert_int_equal(reboot(&d, &expect, &pos), KERF_OK);
    kerf_patcher_status(d.p, &s);
    newest = s.new_pos;
    for (uint32_t bit = d.port.slot_len * 8; bit < d.flash.size * 8; bit++) {
        size_t mark = flash_mark(&d.flash);

        flash_flip(&d.flash, bit);
        anew += reboot(&d, &expect, &pos) == KERF_NONE;
        kerf_patcher_status(d.p, &s);
        older += s.new_pos < newest;
        if (s.new_pos < newest || bit % 97 == 0) { /* the rest of the newest checkpoint's recoveries are the same */
            assert_int_equal(feed(&d, delta, &pos, delta_len, 1000, bit % 31 == 0 ? MOST_STEPS : 20),
                             bit % 31 == 0 ? KERF_END : KERF_MORE_WORK);
            if (bit % 31 == 0) {
                check_new(&d);
            }
        }
        flash_back(&d.flash, mark);
    }
    assert_int_equal(anew, 0);
    assert_true(older > header.chunk_size); /* bits of the newest copy */
    switch_off(&d);
}

static void another_payload_starts_anew(void **state)
{
    struct device d;
    size_t pos;
    size_t used;

    (void)state;
    switch_on(&d);
    assert_int_equal(reboot(&d, &expect, &pos), KERF_NONE);
    (void)feed(&d, delta, &pos, delta_len - 1, 1000, MOST_STEPS);
    /* By name it isn't taken up ... */
    assert_int_equal(reboot(&d, &expect_other, &pos), KERF_NONE);
    assert_int_equal(pos, 0);
    /* ... and without a name its bytes are found out. */
    assert_int_equal(reboot(&d, NULL, &pos), KERF_OK);
    assert_true(pos > 0 && pos < other_len);
    assert_in_range(-feed(&d, other, &pos, other_len, 1000, MOST_STEPS), -KERF_ERR_CHUNK, -KERF_ERR_TRAILING);
    /* It wrote a checkpoint of its own before it changed the slot: nothing of the first is ever resumed. */
    assert_int_equal(reboot(&d, &expect_other, &pos), KERF_NONE);
    for (bool begun = false; !begun;) {
        uint64_t erases = d.flash.erase_count;

        assert_true(kerf_patcher_feed(d.p, &d.port.port, other + pos, other_len - pos, &used) > 0);
        pos += used;
        begun = d.flash.erase_count > erases && d.flash.op_pos < d.port.slot_len;
    }
    assert_int_equal(reboot(&d, &expect, &pos), KERF_NONE);
    assert_int_equal(reboot(&d, &expect_other, &pos), KERF_OK);
    assert_int_equal(feed(&d, other, &pos, other_len, 1000, MOST_STEPS), KERF_END);
    check_new(&d);
    switch_off(&d);
}

static void what_is_done_is_verified_again_until_it_is_forgotten(void **state)
{
    struct device d;
    size_t pos;
    uint64_t programs;

    (void)state;
    switch_on(&d);
    assert_int_equal(reboot(&d, &expect, &pos), KERF_NONE);
    assert_int_equal(feed(&d, delta, &pos, delta_len, 1000, MOST_STEPS), KERF_END);
    assert_int_equal(reboot(&d, &expect, &pos), KERF_OK);
    assert_int_equal(feed(&d, delta, &pos, delta_len, 1000, MOST_STEPS), KERF_END);
    programs = d.flash.program_count;
    assert_int_equal(kerf_patcher_forget(d.p, &d.port.port), KERF_OK);
    assert_int_equal(d.flash.program_count, programs);
    assert_int_equal(reboot(&d, NULL, &pos), KERF_NONE);
    check_new(&d);
    switch_off(&d);
}

/* What patcher.h says of wear. */
static void sectors_wear_as_stated(void **state)
{
    struct device d;
    size_t pos;
    uint32_t sectors = ((uint32_t)new_len + geometry.sector - 1) / geometry.sector;
    uint32_t most = 0;

    (void)state;
    switch_on(&d);
    assert_int_equal(reboot(&d, &expect, &pos), KERF_NONE);
    assert_int_equal(feed(&d, delta, &pos, delta_len, 1000, MOST_STEPS), KERF_END);
    for (uint32_t i = 0; i < d.flash.size / geometry.sector; i++) {
        uint32_t journal_end = (d.port.slot_len + d.port.port.journal_size) / geometry.sector;

        if (i < d.port.slot_len / geometry.sector) {
            assert_int_equal(d.flash.erases[i], i < sectors);
        } else if (i < journal_end) {
            most = d.flash.erases[i] > most ? d.flash.erases[i] : most;
        } else {
            /* Scratch: once a group; the last may be smaller. */
            assert_int_equal(d.flash.erases[i], (sectors + 1 - (i - journal_end)) / 2);
        }
    }
    /* A half is written at every other checkpoint. */
    sectors = d.port.in_place ? (sectors + 1) / 2 : sectors;
    assert_in_range(most, sectors / 2, (sectors + 1) / 2 + 1);
    switch_off(&d);
}

static void a_journal_or_workspace_that_does_not_fit_is_refused(void **state)
{
    struct device d;
    size_t pos;
    uint64_t before;
    struct kerf_port good;
    struct kerf_port saved;

#define REFUSED(change)                                                                                                \
    do {                                                                                                               \
        d.port.port = good;                                                                                            \
        change;                                                                                                        \
        assert_false(kerf_port_fits(&d.port.port));                                                                    \
    } while (0)

    (void)state;
    switch_on(&d);
    good = saved = d.port.port;
    assert_true(kerf_port_fits(&good));
    REFUSED(d.port.port.read_spare = NULL);
    REFUSED(d.port.port.spare.erase = NULL);
    REFUSED(d.port.port.spare.write = NULL);
    REFUSED(d.port.port.spare_unit = 0);
    REFUSED(d.port.port.spare_unit = 8);
    REFUSED(d.port.port.spare_unit = 24);
    REFUSED(d.port.port.spare_unit = 128);
    REFUSED(d.port.port.spare.sector_size = 0);
    REFUSED(d.port.port.spare.sector_size = 96);
    REFUSED(d.port.port.interval = 0);
    REFUSED(d.port.port.interval = 256);
    REFUSED(d.port.port.journal_size = 3 * 512);
    REFUSED(d.port.port.spare_size = d.port.port.journal_size - 1);
    good.slot.sector_size = good.interval = 192;
    good.spare_size = good.journal_size;
    d.port.port = good;
    assert_true(kerf_port_fits(&good));
    REFUSED(d.port.port.spare_size++); /* scratch */
    good = saved;
#undef REFUSED
    d.port.port = good;
    d.port.port.journal_size -= 2 * geometry.sector;
    before = d.flash.erase_count;
    assert_int_equal(reboot(&d, &expect, &pos), KERF_NONE);
    assert_int_equal(feed(&d, delta, &pos, delta_len, 1000, MOST_STEPS), KERF_ERR_SPACE);
    assert_int_equal(d.flash.erase_count, before);

    /* A checkpoint is not read into less memory than it was taken from. */
    d.port.port = good;
    assert_int_equal(reboot(&d, &expect, &pos), KERF_NONE);
    (void)feed(&d, delta, &pos, delta_len - 1, 1000, MOST_STEPS);
    for (size_t len = 0; len < d.workspace_len; len++) {
        kerf_err err = kerf_patcher_resume(d.workspace, len, &d.port.port, NULL, &d.p);

        assert_int_equal(err, len < kerf_patcher_workspace_min(&d.port.port) ? KERF_ERR_RAM : KERF_NONE);
    }
    assert_int_equal(reboot(&d, &expect, &pos), KERF_OK);
    switch_off(&d);
}

static void a_dry_run_leaves_the_journal_alone(void **state)
{
    struct device d;
    size_t pos = 0;

    (void)state;
    switch_on(&d);
    d.port.old_len = 0;
    assert_int_equal(kerf_patcher_init(d.workspace, d.workspace_len, &d.port.port, NULL, KERF_PATCHER_DRY_RUN, &d.p),
                     KERF_OK);
    assert_int_equal(feed(&d, other, &pos, other_len, 1000, MOST_STEPS), KERF_END);
    assert_true(d.flash.erase_count + d.flash.program_count == 0);
    switch_off(&d);
}

/* A flipped bit may take the newest checkpoint of an update in place: then the older one fits no longer, and that is found out. */
static void in_place_no_flipped_bit_makes_a_wrong_image(void **state)
{
    struct device d;
    size_t pos;
    unsigned right = 0;
    unsigned refused = 0;

    (void)state;
    for (unsigned step = 20; step < 2000; step += 97) {
        switch_on(&d);
        assert_int_equal(reboot(&d, &expect, &pos), KERF_NONE);
        if (feed(&d, delta, &pos, delta_len, 1000, step) == KERF_END) {
            switch_off(&d);
            break;
        }
        for (uint32_t bit = d.port.slot_len * 8 + step % 29; bit < (d.port.slot_len + d.port.port.journal_size) * 8;
             bit += 29) {
            size_t mark = flash_mark(&d.flash);
            kerf_err err;

            flash_flip(&d.flash, bit);
            (void)reboot(&d, &expect, &pos);
            err = feed(&d, delta, &pos, delta_len, 1000, MOST_STEPS);
            assert_true(err == KERF_END || err < 0);
            if (err == KERF_END) {
                check_new(&d);
            }
            *(err == KERF_END ? &right : &refused) += 1;
            flash_back(&d.flash, mark);
        }
        switch_off(&d);
    }
    assert_true(right > refused && refused > 0);
}

/* Sectors, pages or scratch that the header does not fit, and no journal: nothing is written. */
static void in_place_a_port_that_does_not_fit_is_refused(void **state)
{
    struct device d;
    size_t pos;

#define REFUSED(error, change)                                                                                         \
    do {                                                                                                               \
        switch_on(&d);                                                                                                 \
        change;                                                                                                        \
        assert_int_equal(reboot(&d, &expect, &pos), KERF_NONE);                                                        \
        assert_int_equal(feed(&d, delta, &pos, delta_len, 1000, MOST_STEPS), error);                                   \
        assert_true(d.flash.erase_count + d.flash.program_count == 0);                                                 \
        switch_off(&d);                                                                                                \
    } while (0)

    (void)state;
    REFUSED(KERF_ERR_UNSUPPORTED, d.port.port.journal_size = 0);
    REFUSED(KERF_ERR_SPACE, d.port.port.spare_size -= 1);
    REFUSED(KERF_ERR_SPACE, d.port.port.slot_size = (kerf_pos)new_len - 1);
    REFUSED(KERF_ERR_UNSUPPORTED, d.port.port.interval = d.port.port.slot.sector_size = 1024);
#undef REFUSED
}

/* Two devices on one flash: the second goes on where power was cut. */
struct cuts {
    struct device first, second;
    unsigned count; /* operations */
};

/* Before an operation of the first device: two of the ways to cut it, others for the next one, and what comes after. */
static void cut(void *ctx)
{
    struct cuts *c = ctx;
    struct flash *f = &c->first.flash;
    const struct flash op = *f;

    f->before = NULL;
    for (unsigned i = 0; i < 2; i++) {
        enum flash_cut how = (enum flash_cut)((c->count + 3 * i) % FLASH_CUT_COUNT);
        size_t mark = flash_mark(f);
        size_t pos;

        f->erasing = op.erasing;
        f->op_pos = op.op_pos;
        f->op_len = op.op_len;
        f->op_data = op.op_data;
        flash_cut(f, how);
        (void)reboot(&c->second, &expect, &pos);
        assert_int_equal(feed(&c->second, delta, &pos, delta_len, 1000, MOST_STEPS), KERF_END);
        check_new(&c->first);
        flash_back(f, mark);
    }
    c->count++;
    flash_settle(f);
    f->before = cut;
}

static void every_operation_may_be_cut_where_old_is_kept(void **state)
{
    struct cuts c = {.count = 0};
    size_t pos;

    (void)state;
    assert_true(header.kept > 0 && header.group == 1);
    switch_on(&c.first);
    flash_port_init(&c.second.port, &c.first.flash, &header, &geometry, old_image, old_len);
    c.second.workspace_len = c.first.workspace_len;
    c.first.flash.before = cut;
    c.first.flash.before_ctx = &c;
    assert_int_equal(reboot(&c.first, &expect, &pos), KERF_NONE);
    assert_int_equal(feed(&c.first, delta, &pos, delta_len, 1000, MOST_STEPS), KERF_END);
    check_new(&c.first);
    assert_true(c.count > 300);
    flash_port_free(&c.second.port);
    switch_off(&c.first);
}

/* Sectors of the slot are erased twice at most, those behind what the delta uses never; the room saves bytes. */
static void old_is_kept_in_the_room_behind_the_images(void **state)
{
    struct device d;
    size_t pos;
    uint32_t used = kerf_header_slot(&header) << header.sector_log2;
    uint32_t most = 0;

    (void)state;
    assert_true(header.beyond > 0 && used <= 16384 && keeps.header.beyond == 0 && delta_len <= keeps.delta_len);
    switch_on(&d);
    assert_int_equal(reboot(&d, &expect, &pos), KERF_NONE);
    assert_int_equal(feed(&d, delta, &pos, delta_len, 1000, MOST_STEPS), KERF_END);
    check_new(&d);
    for (uint32_t i = 0; i < d.port.slot_len / geometry.sector; i++) {
        most = d.flash.erases[i] > most ? d.flash.erases[i] : most;
        assert_true(d.flash.erases[i] == 0 || i < used / geometry.sector);
    }
    assert_in_range(most, 1, 2);
    switch_off(&d);
    /* One sector less will not do. */
    switch_on(&d);
    d.port.port.slot_size = used - 1;
    assert_int_equal(reboot(&d, &expect, &pos), KERF_NONE);
    assert_int_equal(feed(&d, delta, &pos, delta_len, 1000, MOST_STEPS), KERF_ERR_SPACE);
    assert_true(d.flash.erase_count + d.flash.program_count == 0);
    switch_off(&d);
}

#define TWO(test) cmocka_unit_test_setup(test, use_two_slots)
#define ONE(test)                                                                                                      \
    {                                                                                                                  \
#test " (in place)", test, use_one_slot, NULL, NULL                                                            \
    }
#define KEEPS(test)                                                                                                    \
    {                                                                                                                  \
#test " (in place, old is kept)", test, use_keeps, NULL, NULL                                                  \
    }
#define ROOM(test)                                                                                                     \
    {                                                                                                                  \
#test " (in place, in a larger slot)", test, use_room, NULL, NULL                                              \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TWO(the_way_it_is_fed_changes_no_operation),
        TWO(it_may_stop_at_every_byte_of_the_delta),
        TWO(it_may_stop_after_every_call),
        TWO(every_flipped_bit_is_survived),
        TWO(another_payload_starts_anew),
        TWO(what_is_done_is_verified_again_until_it_is_forgotten),
        TWO(sectors_wear_as_stated),
        TWO(a_journal_or_workspace_that_does_not_fit_is_refused),
        TWO(a_dry_run_leaves_the_journal_alone),
        ONE(the_way_it_is_fed_changes_no_operation),
        ONE(it_may_stop_at_every_byte_of_the_delta),
        ONE(it_may_stop_after_every_call),
        ONE(what_is_done_is_verified_again_until_it_is_forgotten),
        ONE(sectors_wear_as_stated),
        ONE(in_place_no_flipped_bit_makes_a_wrong_image),
        ONE(in_place_a_port_that_does_not_fit_is_refused),
        KEEPS(the_way_it_is_fed_changes_no_operation),
        KEEPS(every_operation_may_be_cut_where_old_is_kept),
        ROOM(the_way_it_is_fed_changes_no_operation),
        ROOM(every_operation_may_be_cut_where_old_is_kept),
        ROOM(old_is_kept_in_the_room_behind_the_images),
    };

    return cmocka_run_group_tests(tests, make_deltas, free_deltas);
}
