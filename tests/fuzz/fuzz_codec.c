/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a native payload, without container and patcher around them. The input is
 *     flags, table code, map_cap, learned_cap, regions | ranges << 4      5 bytes
 *     in place: sector_log2 - 4                                           1, modulo 8
 *     group - 1; how many sectors hold old, moves less 1, sectors beyond  1: 2, 2, 3, 1 bits; the others count if the
 *     group is 1
 *     old_size, new_size                                                  2 each, modulo 4097 and 513; new_size from
 *     32768 on: the payload is made, see the end
 *     how the payload is cut                                              1
 *     a tile that the old image is laid with                              1 of length, then as many bytes
 *     each region: isa, kinds, old_pos, old_len, new_pos, new_len, old_addr, new_addr less old_addr
 *                                                                         1, 2, 1, 1, 1, 1, 4, 1; stretches in 1/256 of
 *                                                                         the image
 *     each range: start, length / 256                                     4, 1
 *     the payload, or what new is made of and the plan (made_payload.h) by which the encoder makes one; then the map has
 *     three entries at most, no sector holds old, and new must come of it
 * It is decoded at once, and again in pieces of odd sizes by a state that moves to another block between calls. The
 * callbacks abort when anything outside of old, or of new beyond what was handed out (in place: outside of new), is
 * asked for; both runs must give the same bytes and the same verdict. In place, complete groups of sectors come into
 * the slot.
 */
#include "common/codec.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "tests/fuzz/made_payload.h"

#define OLD_CAP 4096u
#define NEW_CAP 512u
#define GROUP_MAX 4u
#define KEPT_MAX 3u
#define SECTOR_MAX 2048u
#define SLOT_CAP (OLD_CAP + 4 * SECTOR_MAX) /* sectors of old, one beyond, and two of scratch */
#define MAX_REGIONS 3u
#define MAX_RANGES 2u
#define WORKSPACE_MAX ((size_t)1 << 16)
#define MAX_CALLS 20000u
#define MADE 0x8000u        /* in new_size */
#define MADE_CAP (1u << 14) /* bytes of a payload that is made: far more than any takes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The input, taken from the front; zeros once it has ended. */
struct taker {
    const uint8_t *data;
    size_t len;
};

struct test {
    struct kerf_header header;
    uint8_t chunk0[256];
    uint8_t old_image[OLD_CAP];
    const uint8_t *payload;
    size_t payload_len;
    bool made; /* the payload comes from the encoder, and gives new_image */
    uint8_t new_image[NEW_CAP + KERF_ISA_VIEW_LEN];
    uint8_t made_payload[MADE_CAP];
    size_t limit; /* bytes that may be written: of new, in place of all sectors */
};

/* One decoding run. */
struct decoding {
    const struct test *test;
    uint8_t new_image[SLOT_CAP]; /* in place by sectors, what is to hold old included */
    uint8_t slot[SLOT_CAP];      /* old; in place what becomes of it */
    uint8_t
        produced[2 * NEW_CAP +
                 KEPT_MAX *
                     SECTOR_MAX]; /* bytes of new in the order in which they came; in place a sector may come twice */
    size_t written;               /* bytes of new that calls handed out */
    size_t right;                 /* the same, and those before the step that failed */
    kerf_pos sector_ends[GROUP_MAX]; /* of the group in progress */
    unsigned sectors;
    kerf_err verdict;
};

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static uint32_t take(struct taker *t, unsigned bytes)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < bytes && t->len > 0; i++) {
        v |= (uint32_t)*t->data << 8 * i;
        t->data++;
        t->len--;
    }
    return v;
}

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct decoding *d = ctx;

    size_t there = d->test->limit > d->test->header.old_size ? d->test->limit : d->test->header.old_size;

    require(len > 0 && len <= there && pos <= there - len);
    memcpy(buf, d->slot + pos, len);
    return KERF_OK;
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct decoding *d = ctx;

    require((d->test->header.flags & KERF_FLAG_READS_NEW) != 0);
    size_t there = (d->test->header.flags & KERF_FLAG_IN_PLACE) != 0 ? d->test->header.new_size : d->written;

    require(len > 0 && len <= there && pos <= there - len);
    memcpy(buf, d->new_image + pos, len);
    return KERF_OK;
}

/* A position in 1/256 of what is left of an image. */
static kerf_pos cut(struct taker *t, kerf_pos len)
{
    return len * take(t, 1) / 256;
}

static void take_region(struct taker *t, const struct kerf_header *h, const struct kerf_region *before, kerf_addr high,
                        struct kerf_region *r)
{
    kerf_pos old_end = before != NULL ? before->old_pos + before->old_len : 0;
    kerf_pos new_end = before != NULL ? before->new_pos + before->new_len : 0;

    r->isa = (uint8_t)(take(t, 1) % KERF_ISA_WORDS);
    r->kinds = (uint16_t)take(t, 2);
    r->old_pos = old_end + cut(t, h->old_size - old_end);
    r->old_len = h->old_size - r->old_pos - cut(t, h->old_size - r->old_pos);
    r->new_pos = new_end + cut(t, h->new_size - new_end);
    r->new_len = h->new_size - r->new_pos - cut(t, h->new_size - r->new_pos);
    r->old_addr = high + take(t, 4);
    r->new_addr = r->old_addr + take(t, 1);
    if ((h->flags & KERF_FLAG_WIDE) == 0) {
        r->old_addr &= UINT32_MAX;
        r->new_addr &= UINT32_MAX;
    }
}

/* Sets up header and old image from the input; false: no valid header comes of it. */
static bool set_up(struct test *test, struct taker *t, unsigned *cuts)
{
    struct kerf_header h = {.codec = KERF_CODEC_NATIVE, .chunk_size = 65536};
    struct kerf_region regions[MAX_REGIONS];
    struct kerf_range ranges[MAX_RANGES];
    uint8_t tile[256 + 16]; /* 16 more than are used: gcc -O3 fills it by vectors, and warns of their ends */
    unsigned tile_len;
    size_t header_len;

    h.flags = (uint8_t)(take(t, 1) & KERF_FLAGS_ALL);
    h.model.table_code = (uint8_t)(take(t, 1) & 127u);
    h.model.classes = (uint8_t)KERF_CLASSES(h.model.table_code % 3u, h.model.table_code >> 1 & 3u,
                                            h.model.table_code >> 3 & 3u, h.model.table_code >> 4 & 3u);
    h.model.map_cap = (uint16_t)take(t, 1);
    h.model.learned_cap = (uint16_t)take(t, 1);
    unsigned counts = take(t, 1);

    h.region_count = (uint8_t)((counts & 15) % (MAX_REGIONS + 1));
    h.range_count = (uint8_t)((counts >> 4) % (MAX_RANGES + 1));
    if ((h.flags & KERF_FLAG_IN_PLACE) != 0) {
        h.sector_log2 = (uint8_t)(4 + take(t, 1) % 8);

        unsigned kept = take(t, 1);

        h.group = (uint16_t)(1 + kept % GROUP_MAX);
        h.scratch = h.group;
        if (h.group == 1) {
            h.kept = kept >> 2 & KEPT_MAX;
            h.moves_cap = h.kept > 0 ? (uint16_t)(1 + (kept >> 4 & 7)) : 0;
            h.beyond = h.kept > 0 ? (uint8_t)(kept >> 7) : 0;
            h.scratch = (uint16_t)(1 + h.kept);
        }
    }
    h.old_size = take(t, 2) % (OLD_CAP + 1);

    unsigned new_size = take(t, 2);

    test->made = (new_size & MADE) != 0;
    h.new_size = new_size % MADE % (NEW_CAP + 1);
    if (test->made) { /* with a short map, and nothing of old is kept */
        h.model.map_cap %= 4u;
        h.scratch = h.group;
        h.kept = 0;
        h.moves_cap = 0;
        h.beyond = 0;
    }
    *cuts = take(t, 1);
    tile_len = take(t, 1) & 255u;
    for (unsigned i = 0; i < tile_len; i++) {
        tile[i] = (uint8_t)take(t, 1);
    }
    for (unsigned i = 0; i < OLD_CAP; i++) {
        /* The same instructions again and again, but for one byte of each round. */
        unsigned byte = tile_len == 0 ? i * 37 : tile[i % tile_len];

        test->old_image[i] = (uint8_t)(byte + (i % 13 == 0 ? i / 13 : 0));
    }
    kerf_addr high = (h.flags & KERF_FLAG_WIDE) != 0 ? ((kerf_addr)1 << (KERF_POS_BITS - 1)) : 0;

    for (unsigned i = 0; i < h.region_count; i++) {
        take_region(t, &h, i > 0 ? &regions[i - 1] : NULL, high, &regions[i]);
    }
    for (unsigned i = 0; i < h.range_count; i++) {
        ranges[i].start = high + take(t, 4);
        ranges[i].len = (kerf_pos)take(t, 1) << 8;
    }
    test->payload = t->data;
    test->payload_len = t->len;
    test->limit = h.kept > 0 ? (size_t)kerf_header_sectors(&h) << h.sector_log2 : (size_t)h.new_size;
    return test->limit <= SLOT_CAP &&
           kerf_header_write(&h, regions, ranges, test->chunk0, sizeof test->chunk0, &header_len) == KERF_OK &&
           kerf_header_parse(test->chunk0, header_len, &test->header) == KERF_OK &&
           kerf_codec_workspace(&test->header) <= WORKSPACE_MAX;
}

/* A call's worth of input and output. */
struct piece {
    size_t in_len, out_cap;
};

static struct piece next_piece(uint32_t *x, size_t left, bool whole)
{
    struct piece piece = {left, NEW_CAP + KERF_STEP_OUT};

    if (!whole) {
        *x = *x * 1664525u + 1013904223u;
        piece.in_len = KERF_STEP_MAX + (*x >> 16) % 80;
        piece.in_len = piece.in_len < left ? piece.in_len : left;
        piece.out_cap = KERF_STEP_OUT + (*x >> 24) % 50;
    }
    return piece;
}

/* The state goes to a new block; the old one is no longer there. */
static struct kerf_codec *move(struct kerf_codec *c, size_t len)
{
    struct kerf_codec *copy = malloc(len);

    require(copy != NULL);
    memcpy(copy, c, len);
    free(c);
    return copy;
}

/* A sector is complete, and perhaps its group. */
static void commit(struct decoding *d, kerf_pos end)
{
    const struct kerf_header *h = &d->test->header;

    d->sector_ends[d->sectors++] = end;
    if (d->sectors < h->group) {
        return;
    }
    for (unsigned i = 0; i < d->sectors; i++) {
        kerf_pos start = (d->sector_ends[i] - 1) >> h->sector_log2 << h->sector_log2;

        memcpy(d->slot + start, d->new_image + start, (size_t)(d->sector_ends[i] - start));
    }
    d->sectors = 0;
}

/* Takes what a call produced. */
static void take_out(struct decoding *d, const struct kerf_codec *c, const uint8_t *out, size_t len)
{
    kerf_pos end = kerf_codec_new_pos(c);

    require(len <= sizeof d->produced - d->written);
    memcpy(d->produced + d->written, out, len);
    if (d->verdict < KERF_OK) {
        d->right = d->written + (len > KERF_STEP_OUT ? len - KERF_STEP_OUT : 0);
        return;
    }
    require(len <= end && end <= d->test->limit);
    memcpy(d->new_image + (end - len), out, len);
    d->written += len;
    d->right = d->written;
    if (d->verdict == KERF_SECTOR) {
        require(len > 0);
        commit(d, end);
        d->verdict = KERF_OK;
    }
}

static void decode(struct decoding *d, const struct test *test, unsigned cuts, bool whole)
{
    struct kerf_order_of_learned order = {0};
    const struct kerf_codec_io io = {
        .ctx = d, .read_old = read_old, .read_new = read_new, .order = whole ? NULL : &order};
    size_t workspace_len = kerf_codec_workspace(&test->header);
    struct kerf_codec *c = malloc(workspace_len);
    uint32_t x = cuts;
    size_t used = 0;
    size_t starved = 0; /* zero bytes that were made up behind the payload */

    require(c != NULL);
    d->test = test;
    d->written = 0;
    d->right = 0;
    d->sectors = 0;
    memset(d->new_image, 0, sizeof d->new_image);
    memset(d->slot, 0, sizeof d->slot);
    memcpy(d->slot, test->old_image, sizeof test->old_image);
    d->verdict = kerf_codec_init(c, test->chunk0, &test->header);
    require(d->verdict == KERF_OK || d->verdict == KERF_ERR_UNSUPPORTED);
    for (unsigned calls = 0; d->verdict == KERF_OK; calls++) {
        struct piece piece = next_piece(&x, test->payload_len - used, whole);
        bool last = used + piece.in_len == test->payload_len;
        uint8_t *in = malloc(piece.in_len + 1);
        uint8_t *out = malloc(piece.out_cap);
        size_t in_used = starved;
        size_t out_len = 0;

        require(in != NULL && out != NULL && calls < MAX_CALLS);
        memcpy(in, test->payload + used, piece.in_len);
        c = whole ? c : move(c, workspace_len);
        d->verdict = kerf_codec_step(c, &test->header, &io, in, piece.in_len, last, &in_used, out, piece.out_cap,
                                     &out_len);
        starved = in_used > piece.in_len ? in_used - piece.in_len : 0;
        in_used -= starved;
        require(starved == 0 || last);
        require(out_len <= piece.out_cap);
        require(d->verdict <= KERF_OK || d->verdict == KERF_END || d->verdict == KERF_SECTOR);
        require(d->verdict != KERF_OK || in_used + out_len > 0);
        used += d->verdict >= KERF_OK ? in_used : 0;
        take_out(d, c, out, out_len);
        free(in);
        free(out);
    }
    bool twice = (test->header.flags & KERF_FLAG_IN_PLACE) != 0;

    require(d->verdict != KERF_END || ((twice || d->written == test->header.new_size) && used == test->payload_len));
    free(c);
}

/* The rest of the input is a plan: codes it. */
static void make_payload(struct test *test)
{
    static struct fuzz_plan plan;
    static uint8_t slot[SLOT_CAP];

    memset(test->new_image, 0, sizeof test->new_image);
    memset(slot, 0, sizeof slot);
    memcpy(slot, test->old_image, sizeof test->old_image);
    fuzz_plan_make(&test->header, test->old_image, test->payload, test->payload_len, &plan, test->new_image);
    test->payload_len = fuzz_plan_code(&test->header, test->chunk0, &plan, test->new_image, slot, test->made_payload,
                                       sizeof test->made_payload);
    test->payload = test->made_payload;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct test test;
    static struct decoding whole;
    static struct decoding pieces;
    struct taker t = {data, len};
    unsigned cuts;

    if (set_up(&test, &t, &cuts)) {
        if (test.made) {
            make_payload(&test);
        }
        decode(&whole, &test, cuts, true);
        decode(&pieces, &test, cuts, false);
        size_t both = whole.right < pieces.right ? whole.right : pieces.right;

        require(whole.verdict == pieces.verdict && memcmp(whole.produced, pieces.produced, both) == 0);
        if (test.made) {
            require(whole.verdict == KERF_END);
            require(memcmp(whole.new_image, test.new_image, (size_t)test.header.new_size) == 0);
        }
    }
    return 0;
}
