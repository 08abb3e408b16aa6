/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resumes from whatever is in the journal: a device that stopped in the middle of an update (two slots or in place),
 * whose journal was then changed. It resumes or starts anew, and in the end there is the new image or an error.
 *
 *     input: which device (bit 0), whether bytes are put there (bit 1) or flipped; then changes (changes.h)
 */
#include <stdlib.h>
#include <string.h>

#include "diffgen/diffgen.h"
#include "tests/flash_port.h"
#include "tests/fuzz/changes.h"
#include "tests/pack.h"

#define OLD_LEN 3000u
#define NEW_LEN 3000u
#define STEPS_MAX 20000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint8_t old_image[OLD_LEN], new_image[NEW_LEN];

struct device {
    struct flash flash;
    struct flash_port port;
    uint8_t *delta;
    size_t delta_len;
    uint64_t *workspace;
    size_t workspace_len;
    size_t mark;
};

static void require(bool kept)
{
    if (!kept) {
        abort();
    }
}

static kerf_err feed(struct device *d, struct kerf_patcher *p, size_t pos, size_t stop)
{
    kerf_err err = KERF_MORE_WORK;

    for (unsigned i = 0; err > KERF_OK && err != KERF_END; i++) {
        struct kerf_patcher_status s;
        size_t used;

        require(i < STEPS_MAX);
        err = kerf_patcher_feed(p, &d->port.port, d->delta + pos, d->delta_len - pos, &used);
        pos += used;
        kerf_patcher_status(p, &s);
        if (s.new_pos > stop || (err == KERF_MORE_INPUT && pos == d->delta_len)) {
            break;
        }
    }
    return err;
}

/* A device that stopped halfway. */
static void set_up(struct device *d, bool in_place)
{
    static const struct flash_geometry geometry = {.sector = 512, .page = 64, .unit = 16, .interval = 1};
    struct kerf_diff_options options = {.ram = 3072, .codec = KERF_CODEC_NATIVE, .in_place = in_place};
    struct kerf_header header;
    struct kerf_patcher *p;

    if (in_place) {
        options.sector = geometry.sector;
        options.scratch = options.group = 2;
    }
    require(kerf_diff_create(old_image, OLD_LEN, new_image, NEW_LEN, &options, &d->delta, &d->delta_len, NULL) ==
            KERF_OK);
    require(kerf_header_parse(d->delta, d->delta_len, &header) == KERF_OK);
    flash_port_init(&d->port, &d->flash, &header, &geometry, old_image, OLD_LEN);
    d->workspace_len = kerf_patcher_workspace(&header, &d->port.port);
    d->workspace = calloc(1, d->workspace_len + 8);
    require(d->workspace != NULL);
    require(kerf_patcher_init(d->workspace, d->workspace_len, &d->port.port, NULL, 0, &p) == KERF_OK);
    require(feed(d, p, 0, NEW_LEN * 2 / 3) > KERF_OK);
    d->mark = flash_mark(&d->flash);
}

static void change(struct device *d, const uint8_t *data, size_t len, bool put)
{
    struct fuzz_change c;

    while (fuzz_change_next(&data, &len, d->port.port.journal_size, &c)) {
        for (size_t i = 0; i < c.len; i++) {
            uint32_t at = d->port.slot_len + (uint32_t)(c.pos + i);
            uint8_t byte = put ? c.bytes[i] : d->flash.bytes[at] ^ c.bytes[i];

            flash_preset(&d->flash, at, &byte, 1);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct device devices[2];
    struct kerf_patcher_status s;
    struct kerf_patcher *p = NULL;
    struct device *d;
    kerf_err err;

    if (devices[0].delta == NULL) {
        test_noise(old_image, sizeof old_image, 3);
        memcpy(new_image, old_image, sizeof new_image);
        for (unsigned i = 0; i < 10; i++) {
            test_noise(new_image + (size_t)300 * i, 30, 4 + i);
        }
        set_up(&devices[0], false);
        set_up(&devices[1], true);
    }
    if (len == 0) {
        return 0;
    }
    d = &devices[data[0] & 1];
    change(d, data + 1, len - 1, (data[0] & 2) != 0);
    err = kerf_patcher_resume(d->workspace, d->workspace_len, &d->port.port, NULL, &p);
    require(err == KERF_OK || err == KERF_NONE);
    if (err == KERF_OK) {
        kerf_patcher_status(p, &s);
        require(s.delta_pos <= d->delta_len && s.new_pos <= NEW_LEN);
    }
    /* To the end takes its time: only some go there, the first among them. */
    if (err == KERF_OK && len % 16 == 1) {
        err = feed(d, p, (size_t)s.delta_pos, SIZE_MAX);
        require(err == KERF_END || err < KERF_OK);
        require(err != KERF_END || memcmp(d->flash.bytes, new_image, NEW_LEN) == 0);
    }
    flash_back(&d->flash, d->mark);
    return 0;
}
