/* SPDX-License-Identifier: Apache-2.0 */
#include "common/container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/pack.h"

#define HEADER_CAP 256

/* A delta with every kind of field, as an ordinary small firmware has it. */
static void sample(struct kerf_header *h, struct kerf_region *regions, struct kerf_range *ranges)
{
    memset(h, 0, sizeof *h);
    h->codec = KERF_CODEC_NATIVE;
    h->flags = KERF_FLAG_READS_NEW;
    h->old_size = 320000;
    h->new_size = 321416;
    h->payload_size = 9000;
    h->chunk_size = 384;
    h->model = (struct kerf_model_params){7, 1, 64, 32};
    h->region_count = 1;
    h->range_count = 1;
    kerf_pack_noise(h->old_digest.b, KERF_DIGEST_LEN, 1);
    kerf_pack_noise(h->new_digest.b, KERF_DIGEST_LEN, 2);
    regions[0] = (struct kerf_region){0, 320000, 0, 321416, 0x08000000, 0x08000000, 1, 0x1fe};
    ranges[0] = (struct kerf_range){0x20000000, 0x20000};
}

static void assert_same_region(const struct kerf_region *a, const struct kerf_region *b)
{
    assert_true(a->old_pos == b->old_pos && a->old_len == b->old_len);
    assert_true(a->new_pos == b->new_pos && a->new_len == b->new_len);
    assert_true(a->old_addr == b->old_addr && a->new_addr == b->new_addr);
    assert_int_equal(a->isa, b->isa);
    assert_int_equal(a->kinds, b->kinds);
}

static size_t assert_round_trip(struct kerf_header *h, const struct kerf_region *regions,
                                const struct kerf_range *ranges)
{
    uint8_t buf[HEADER_CAP];
    size_t len;
    struct kerf_header back;
    struct kerf_region back_regions[KERF_MAX_REGIONS] = {{0}};
    struct kerf_range back_ranges[KERF_MAX_RANGES] = {{0}};

    assert_int_equal(kerf_header_write(h, regions, ranges, buf, sizeof buf, &len), KERF_OK);
    assert_int_equal(kerf_header_parse(buf, len, &back), KERF_OK);
    assert_int_equal(back.flags, h->flags);
    assert_int_equal(back.codec, h->codec);
    assert_true(back.old_size == h->old_size && back.new_size == h->new_size);
    assert_true(back.payload_size == h->payload_size);
    assert_int_equal(back.chunk_size, h->chunk_size);
    assert_int_equal(back.chunk0_len, h->chunk0_len);
    assert_int_equal(back.header_len, len);
    assert_int_equal(back.model.table_bits, h->model.table_bits);
    assert_int_equal(back.model.flag_class, h->model.flag_class);
    assert_int_equal(back.model.map_cap, h->model.map_cap);
    assert_int_equal(back.model.learned_cap, h->model.learned_cap);
    assert_int_equal(back.sector_log2, h->sector_log2);
    assert_int_equal(back.scratch, h->scratch);
    assert_int_equal(back.group, h->group);
    assert_memory_equal(&back.new_digest, &h->new_digest, sizeof back.new_digest);
    assert_int_equal(kerf_header_tables(buf, &back, back_regions, back_ranges), KERF_OK);
    for (unsigned i = 0; i < h->region_count; i++) {
        assert_same_region(&regions[i], &back_regions[i]);
    }
    for (unsigned i = 0; i < h->range_count; i++) {
        assert_true(ranges[i].start == back_ranges[i].start && ranges[i].len == back_ranges[i].len);
    }
    /* Every shorter piece of it is refused. */
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(kerf_header_parse(buf, cut, &back), KERF_ERR_FORMAT);
    }
    return len;
}

static void an_ordinary_header_takes_under_70_bytes(void **state)
{
    struct kerf_header h;
    struct kerf_region regions[1] = {{0}};
    struct kerf_range ranges[1] = {{0}};

    (void)state;
    sample(&h, regions, ranges);
    assert_in_range(assert_round_trip(&h, regions, ranges), 1, 69);
}

static void a_full_image_has_no_old_digest(void **state)
{
    struct kerf_header h;

    (void)state;
    memset(&h, 0, sizeof h);
    h.codec = KERF_CODEC_STORED;
    h.new_size = h.payload_size = 100000;
    h.chunk_size = 65536;
    assert_int_equal(assert_round_trip(&h, NULL, NULL), 7 + 2 + 1 + 3 + 3 + 16 + 1);
}

static void regions_in_another_order_and_odd_addresses_survive(void **state)
{
    struct kerf_header h;
    struct kerf_region regions[KERF_MAX_REGIONS] = {{0}};
    struct kerf_range ranges[KERF_MAX_RANGES] = {{0}};

    (void)state;
    sample(&h, regions, ranges);
    h.region_count = 3;
    regions[0] = (struct kerf_region){24, 1000, 5000, 900, 0x400D0018, 0x400D0020, 5, 0x80};
    regions[1] = (struct kerf_region){1024, 4000, 0, 5000, 0x3F400020, 0xFFFFFFC0, 0, 0x8006};
    regions[2] = (struct kerf_region){300000, 20000, 300008, 21408, 0, 0xFFFFFFFF, 255, 0};
    h.range_count = 2;
    ranges[0] = (struct kerf_range){1, 0x100};
    ranges[1] = (struct kerf_range){0xFFFFFF00, 0x100};
    (void)assert_round_trip(&h, regions, ranges);
}

static void in_place_fields_and_limits_survive(void **state)
{
    struct kerf_header h;
    struct kerf_region regions[1] = {{0}};
    struct kerf_range ranges[1] = {{0}};

    (void)state;
    sample(&h, regions, ranges);
    h.flags |= KERF_FLAG_IN_PLACE;
    h.sector_log2 = 12;
    h.scratch = UINT16_MAX;
    h.group = 1;
    h.model = (struct kerf_model_params){22, 2, KERF_MAX_MAP, KERF_MAX_LEARNED};
    h.chunk_size = KERF_CHUNK_MIN;
    (void)assert_round_trip(&h, regions, ranges);
}

static void wide_images_survive(void **state)
{
    struct kerf_header h;
    struct kerf_region regions[1] = {{0}};
    struct kerf_range ranges[1] = {{0}};

    (void)state;
    sample(&h, regions, ranges);
    h.flags |= KERF_FLAG_WIDE;
    h.new_size = (kerf_pos)5 << 32;
    regions[0].new_len = h.new_size;
    regions[0].old_addr = 0xFFFFFFC008000000;
    regions[0].new_addr = 0x1000;
    ranges[0] = (struct kerf_range){0xFFFFFFFFFFFFFF00, 0x100};
    (void)assert_round_trip(&h, regions, ranges);
}

static void the_writer_refuses_contradictions(void **state)
{
    struct kerf_header good;
    struct kerf_header h;
    struct kerf_region regions[2] = {{0}};
    struct kerf_region r;
    struct kerf_range ranges[2] = {{0}};
    uint8_t buf[HEADER_CAP];
    size_t len;

#define REFUSED(change)                                                                                                \
    do {                                                                                                               \
        sample(&h, regions, ranges);                                                                                   \
        change;                                                                                                        \
        assert_int_equal(kerf_header_write(&h, regions, ranges, buf, sizeof buf, &len), KERF_ERR_ARGUMENT);            \
    } while (0)

    (void)state;
    sample(&good, regions, ranges);
    r = regions[0];
    REFUSED(h.flags = 8);
    REFUSED(h.codec = 3);
    REFUSED(h.new_size = (kerf_pos)1 << 32);
    REFUSED(h.old_size = KERF_POS_MAX; h.flags |= KERF_FLAG_WIDE);
    REFUSED(h.payload_size = (kerf_pos)1 << 32);
    REFUSED(h.codec = KERF_CODEC_STORED);                                  /* and reads new back */
    REFUSED(h.codec = KERF_CODEC_STORED; h.flags = 0);                     /* payload is not new_size */
    REFUSED(h.flags = KERF_FLAG_IN_PLACE);                                 /* no sector */
    REFUSED(h.flags = KERF_FLAG_IN_PLACE; h.sector_log2 = 3; h.group = 1); /* a sector of 8 bytes */
    REFUSED(h.flags = KERF_FLAG_IN_PLACE; h.sector_log2 = 12; h.group = 0);
    REFUSED(h.chunk_size = 255);
    REFUSED(h.chunk_size = 257);
    REFUSED(h.chunk_size = 65536 + 4096);
    REFUSED(h.model.table_bits = 3);
    REFUSED(h.model.table_bits = 23);
    REFUSED(h.model.table_bits = 32 + 7);
    REFUSED(h.model.flag_class = 3);
    REFUSED(h.model.map_cap = KERF_MAX_MAP + 1);
    REFUSED(h.model.learned_cap = KERF_MAX_LEARNED + 1);
    REFUSED(h.region_count = KERF_MAX_REGIONS + 1);
    REFUSED(h.range_count = KERF_MAX_RANGES + 1);
    REFUSED(h.chunk0_len = 385);                       /* over chunk_size */
    REFUSED(h.chunk0_len = 10);                        /* under the header */
    REFUSED(h.chunk0_len = 80);                        /* no room for the digest of the next */
    REFUSED(h.payload_size = 100; h.chunk0_len = 300); /* more than the payload */
    REFUSED(regions[0].old_len = 0);
    REFUSED(regions[0].new_len = 0);
    REFUSED(regions[0].old_len++);
    REFUSED(regions[0].new_len++);
    REFUSED(regions[0].old_pos = 1);
    REFUSED(regions[0].new_pos = 1);
    REFUSED(regions[0].old_addr = (kerf_pos)1 << 32);
    REFUSED(regions[0].new_addr = (kerf_pos)1 << 32);
    REFUSED(h.region_count = 2; regions[1] = r); /* twice the same */
    REFUSED(h.region_count = 2; regions[0].old_len = 10; regions[1] = r; regions[1].old_pos = 10;
            regions[1].old_len -= 10); /* apart in old, overlapping in new */
    REFUSED(ranges[0].len = 0);
    REFUSED(ranges[0].len = 0x101);
    REFUSED(ranges[0].start = 0xFFFFFF01); /* over the highest address */
    REFUSED(h.range_count = 2; ranges[1] = ranges[0]);
#undef REFUSED
    h = good;
    assert_int_equal(kerf_header_write(&h, &r, ranges, buf, 20, &len), KERF_ERR_SPACE);
}

/* Whatever byte is changed: refused, or read as something that is written back the same way. */
static void every_changed_byte_is_refused_or_means_something_else(void **state)
{
    struct kerf_header h;
    struct kerf_region regions[KERF_MAX_REGIONS] = {{0}};
    struct kerf_range ranges[KERF_MAX_RANGES] = {{0}};
    uint8_t buf[HEADER_CAP];
    uint8_t again[HEADER_CAP];
    size_t len;
    size_t again_len;

    (void)state;
    sample(&h, regions, ranges);
    assert_int_equal(kerf_header_write(&h, regions, ranges, buf, sizeof buf, &len), KERF_OK);
    for (size_t i = 0; i < len; i++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            buf[i] ^= (uint8_t)flip;
            if (kerf_header_parse(buf, len, &h) == KERF_OK) {
                assert_int_equal(kerf_header_tables(buf, &h, regions, ranges), KERF_OK);
                assert_true(kerf_header_workspace(&h) > KERF_WORKSPACE_STATE);
                assert_int_equal(kerf_header_write(&h, regions, ranges, again, sizeof again, &again_len), KERF_OK);
                assert_true(again_len <= len);
            }
            buf[i] ^= (uint8_t)flip;
        }
    }
}

static void the_prologue_tells_foreign_files_and_versions(void **state)
{
    uint8_t p[KERF_PROLOGUE_LEN] = {'K', 'R', 'F', 0, 30, 100, 0};
    uint32_t chunk0_len;
    uint16_t header_len;

    (void)state;
    assert_int_equal(kerf_prologue_parse(p, &chunk0_len, &header_len), KERF_OK);
    assert_int_equal(chunk0_len, 100);
    assert_int_equal(header_len, 37);
    p[5] = 36; /* chunk 0 ends inside the header */
    assert_int_equal(kerf_prologue_parse(p, &chunk0_len, &header_len), KERF_ERR_FORMAT);
    p[4] = 250;
    p[6] = 200;
    assert_int_equal(kerf_prologue_parse(p, &chunk0_len, &header_len), KERF_ERR_FORMAT);
    p[3] = 1;
    assert_int_equal(kerf_prologue_parse(p, &chunk0_len, &header_len), KERF_ERR_VERSION);
    p[0] = 'B';
    assert_int_equal(kerf_prologue_parse(p, &chunk0_len, &header_len), KERF_ERR_FORMAT);
}

static void chunks_cover_the_payload_exactly(void **state)
{
    (void)state;
    for (uint32_t payload = 0; payload < 3000; payload++) {
        struct kerf_header h;
        struct kerf_chunk chunk;
        uint8_t buf[HEADER_CAP];
        size_t len;
        kerf_pos left = payload;

        memset(&h, 0, sizeof h);
        h.new_size = h.payload_size = payload;
        h.chunk_size = 272;
        assert_int_equal(kerf_header_write(&h, NULL, NULL, buf, sizeof buf, &len), KERF_OK);
        assert_int_equal(kerf_chunk_first(&h, &chunk), KERF_OK);
        left -= chunk.payload_len;
        while (!chunk.last) {
            assert_true(left > 0);
            kerf_chunk_next(&h, left, &chunk);
            assert_in_range(chunk.len, 1, 272);
            assert_in_range(chunk.payload_len, 1, left);
            left -= chunk.payload_len;
        }
        assert_int_equal(left, 0);
    }
}

static void chunk_sizes_are_rounded_down(void **state)
{
    (void)state;
    assert_int_equal(kerf_chunk_size_floor(0), 256);
    assert_int_equal(kerf_chunk_size_floor(256), 256);
    assert_int_equal(kerf_chunk_size_floor(287), 272);
    assert_int_equal(kerf_chunk_size_floor(4095), 3968);
    assert_int_equal(kerf_chunk_size_floor(4096), 4096);
    assert_int_equal(kerf_chunk_size_floor(UINT32_MAX), 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_header_takes_under_70_bytes),
        cmocka_unit_test(a_full_image_has_no_old_digest),
        cmocka_unit_test(regions_in_another_order_and_odd_addresses_survive),
        cmocka_unit_test(in_place_fields_and_limits_survive),
        cmocka_unit_test(wide_images_survive),
        cmocka_unit_test(the_writer_refuses_contradictions),
        cmocka_unit_test(every_changed_byte_is_refused_or_means_something_else),
        cmocka_unit_test(the_prologue_tells_foreign_files_and_versions),
        cmocka_unit_test(chunks_cover_the_payload_exactly),
        cmocka_unit_test(chunk_sizes_are_rounded_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
