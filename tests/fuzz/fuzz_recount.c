/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recounts deltas that were tampered with (kerf-diff info --old, report): a delta of the generator whose header and
 * payload were changed, with digests that are right again, that of new too where there is such an image. Unchanged it
 * must be counted; else there may be an error, but of the file, not of the caller's.
 *
 *     input: which delta; then changes to the container (changes.h), bytes that are xored there
 */
#include <stdlib.h>
#include <string.h>

#include "common/host/hash.h"
#include "diffgen/kerf_diff.h"
#include "diffgen/work.h"
#include "tests/fuzz/agree_port.h"
#include "tests/fuzz/changes.h"
#include "tests/pack.h"

#define LEN 640u
#define SECTOR 128u
#define PIECE 1000u
#define CASES 5u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct base {
    uint8_t *delta;
    size_t len, old_len;
};

static uint8_t old_image[LEN], new_image[LEN];

static void require(bool kept)
{
    if (!kept) {
        abort();
    }
}

/* Full, two slots, in place by groups, in place with old bytes that are kept, and with such behind the images. */
static void set_up(struct base *bases)
{
    (void)test_image(old_image, LEN, SIZE_MAX, 0);
    /* Its halves change places, and some words are others. */
    memcpy(new_image, old_image + LEN / 2, LEN / 2);
    memcpy(new_image + LEN / 2, old_image, LEN / 2);
    for (unsigned i = 0; i < 5; i++) {
        test_noise(new_image + (size_t)120 * i, 12, 4 + i);
    }
    for (unsigned i = 0; i < CASES; i++) {
        struct kerf_diff_options options = {.ram = 2048, .level = 6, .codec = KERF_CODEC_NATIVE, .in_place = i >= 2};
        struct kerf_header header;

        bases[i].old_len = i == 0 ? 0 : LEN;
        if (options.in_place) {
            options.sector = SECTOR;
            options.scratch = 2;
            options.group = i == 2 ? 2 : 1;
            options.slot = i == 4 ? AGREE_SLOT : 0;
        }
        require(kerf_diff_create(old_image, bases[i].old_len, new_image, LEN, &options, &bases[i].delta, &bases[i].len,
                                 NULL) == KERF_OK);
        require(kerf_header_parse(bases[i].delta, bases[i].len, &header) == KERF_OK);
        require((header.kept > 0) == (i >= 3) && (header.beyond > 0) == (i == 4));
    }
}

static void change(uint8_t *delta, size_t delta_len, const uint8_t *data, size_t len)
{
    struct fuzz_change c;

    while (fuzz_change_next(&data, &len, delta_len, &c)) {
        for (size_t i = 0; i < c.len; i++) {
            delta[c.pos + i] ^= c.bytes[i];
        }
    }
}

/* The container again, with the digest of what it makes of old, if it makes anything. NULL: it can't be written. */
static uint8_t *mend(const struct base *base, uint8_t *delta, size_t *len)
{
    static struct agree_port device;
    struct kerf_region regions[KERF_MAX_REGIONS];
    struct kerf_range ranges[KERF_MAX_RANGES];
    struct kerf_header h;
    struct kerf_sha256_digest digest;
    uint8_t *payload;
    uint8_t *mended;

    if (kerf_header_parse(delta, *len, &h) != KERF_OK || h.new_size > AGREE_SLOT || h.payload_size > *len ||
        kerf_header_tables(delta, &h, regions, ranges) != KERF_OK) {
        return NULL;
    }
    if (agree_apply(&device, old_image, base->old_len, delta, *len, true, PIECE) == KERF_END) {
        test_digest(device.slot, (size_t)h.new_size, &digest);
        memcpy(h.new_digest.b, digest.b, KERF_DIGEST_LEN);
    }
    payload = malloc((size_t)h.payload_size + 1);
    require(payload != NULL);
    mended = kerf_unpack(&h, delta, *len, payload) == KERF_OK
                 ? test_pack(&h, regions, ranges, payload, (size_t)h.payload_size, len)
                 : NULL;
    free(payload);
    return mended;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct base bases[CASES];
    struct kerf_diff_report report = {0};
    const struct base *base;
    size_t delta_len;
    uint8_t *delta;
    uint8_t *mended;

    if (bases[0].delta == NULL) {
        set_up(bases);
    }
    if (len == 0) {
        return 0;
    }
    base = &bases[data[0] % CASES];
    delta_len = base->len;
    delta = malloc(delta_len);
    require(delta != NULL);
    memcpy(delta, base->delta, delta_len);
    change(delta, delta_len, data + 1, len - 1);
    mended = mend(base, delta, &delta_len);
    if (mended != NULL) {
        kerf_err err = kerf_diff_recount(old_image, base->old_len, mended, delta_len, NULL, &report);

        require(err == KERF_OK || (len > 1 && err < KERF_OK && err != KERF_ERR_ARGUMENT));
    }
    free(mended);
    free(delta);
    return 0;
}
