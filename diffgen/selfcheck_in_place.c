/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes a finished in-place delta with the shipped decoder, on a slot that is overwritten as a device does it. */
#include <string.h>

#include "diffgen/work.h"

#define OUT_CAP 300 /* bytes that are decoded at a time */

struct check {
    struct kerf_header header;
    struct kerf_slot slot;
    struct kerf_codec *codec;
    uint8_t *payload;
    uint8_t *new_image; /* what was decoded; other bytes are noise */
    bool *done;         /* for each sector */
};

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct check *k = ctx;

    if (pos > k->header.old_size || len > k->header.old_size - pos) {
        return KERF_ERR_STATE;
    }
    memcpy(buf, k->slot.bytes + pos, len);
    return KERF_OK;
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct check *k = ctx;

    if (pos > k->header.new_size || len > k->header.new_size - pos) {
        return KERF_ERR_STATE;
    }
    memcpy(buf, k->new_image + pos, len);
    return KERF_OK;
}

/* The sector that ends at `end` is complete. */
static kerf_err complete(struct check *k, kerf_pos end)
{
    size_t sector = (size_t)(end - 1) >> k->header.sector_log2;

    if (k->done[sector]) {
        return KERF_ERR_STATE;
    }
    k->done[sector] = true;
    kerf_slot_sector(&k->slot, k->new_image, sector);
    return KERF_OK;
}

static kerf_err decode(struct check *k)
{
    const struct kerf_codec_io io = {k, read_old, read_new};
    size_t in_pos = 0;
    kerf_err err = KERF_OK;

    while (err == KERF_OK) {
        uint8_t out[OUT_CAP];
        size_t len = 0;

        err = kerf_codec_step(k->codec, &io, k->payload, (size_t)k->header.payload_size, true, &in_pos, out, sizeof out,
                              &len);
        if (err < KERF_OK) {
            return err;
        }
        kerf_pos end = kerf_codec_new_pos(k->codec);

        memcpy(k->new_image + (end - len), out, len);
        if (err == KERF_SECTOR || (err == KERF_END && end > 0)) {
            kerf_err twice = complete(k, end);

            err = twice != KERF_OK ? twice : err == KERF_SECTOR ? KERF_OK : err;
        }
    }
    return err;
}

static kerf_err run(struct check *k, const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                    const uint8_t *delta, size_t delta_len)
{
    size_t sectors = (new_len >> k->header.sector_log2) + 1;
    kerf_err err = kerf_slot_open(&k->slot, old_image, old_len, &k->header);

    k->codec = malloc(kerf_codec_workspace(&k->header));
    k->payload = malloc((size_t)k->header.payload_size + 1);
    k->new_image = malloc(new_len + 1);
    k->done = calloc(sectors, sizeof *k->done);
    if (k->codec == NULL || k->payload == NULL || k->new_image == NULL || k->done == NULL) {
        return KERF_ERR_RAM;
    }
    memset(k->new_image, 0xa5, new_len + 1);
    if (err == KERF_OK) {
        err = kerf_unpack(&k->header, delta, delta_len, k->payload);
    }
    if (err == KERF_OK) {
        err = kerf_codec_init(k->codec, delta, &k->header);
    }
    if (err == KERF_OK) {
        err = decode(k);
    }
    return err == KERF_END && memcmp(k->new_image, new_image, new_len) == 0 ? KERF_OK
           : err < KERF_OK                                                  ? err
                                                                            : KERF_ERR_TARGET;
}

kerf_err kerf_selfcheck_in_place(const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                                 const uint8_t *delta, size_t delta_len)
{
    struct check k = {0};
    kerf_err err = kerf_header_parse(delta, delta_len, &k.header);

    if (err == KERF_OK) {
        err = run(&k, old_image, old_len, new_image, new_len, delta, delta_len);
    }
    kerf_slot_close(&k.slot);
    free(k.codec);
    free(k.payload);
    free(k.new_image);
    free(k.done);
    return err;
}
