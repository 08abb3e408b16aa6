/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/pack.h"

#define HEADER_CAP 256

/* What a header says. */
struct sample {
    struct kerf_header h;
    struct kerf_region regions[KERF_MAX_REGIONS];
    struct kerf_range ranges[KERF_MAX_RANGES];
};

/* A delta with every kind of field, as an ordinary small firmware has it. */
static struct sample ordinary(void)
{
    struct sample s;

    memset(&s, 0, sizeof s);
    s.h.codec = KERF_CODEC_NATIVE;
    s.h.flags = KERF_FLAG_READS_NEW;
    s.h.old_size = 320000;
    s.h.new_size = 321416;
    s.h.payload_size = 9000;
    s.h.chunk_size = 384;
    s.h.model = (struct kerf_model_params){7, 1, 64, 32};
    s.h.region_count = 1;
    s.h.range_count = 1;
    test_noise(s.h.old_digest.b, KERF_DIGEST_LEN, 1);
    test_noise(s.h.new_digest.b, KERF_DIGEST_LEN, 2);
    s.regions[0] = (struct kerf_region){{{0, 320000, 0x08000000, 0, 321416, 0x08000000}}, 1, 0x1fe};
    s.ranges[0] = (struct kerf_range){0x20000000, 0x20000};
    return s;
}

static void assert_same_region(const struct kerf_region *a, const struct kerf_region *b)
{
    assert_true(a->old_pos == b->old_pos && a->old_len == b->old_len);
    assert_true(a->new_pos == b->new_pos && a->new_len == b->new_len);
    assert_true(a->old_addr == b->old_addr && a->new_addr == b->new_addr);
    assert_int_equal(a->isa, b->isa);
    assert_int_equal(a->kinds, b->kinds);
}

static size_t assert_round_trip(struct sample *s)
{
    uint8_t buf[HEADER_CAP];
    size_t len;
    struct sample back;
    struct kerf_header cut_header;

    memset(&back, 0, sizeof back);
    assert_int_equal(kerf_header_write(&s->h, s->regions, s->ranges, buf, sizeof buf, &len), KERF_OK);
    assert_int_equal(kerf_header_parse(buf, len, &back.h), KERF_OK);
    assert_int_equal(back.h.flags, s->h.flags);
    assert_int_equal(back.h.codec, s->h.codec);
    assert_true(back.h.old_size == s->h.old_size && back.h.new_size == s->h.new_size);
    assert_true(back.h.payload_size == s->h.payload_size);
    assert_int_equal(back.h.chunk_size, s->h.chunk_size);
    assert_int_equal(back.h.chunk0_len, s->h.chunk0_len);
    assert_int_equal(back.h.header_len, len);
    assert_int_equal(back.h.model.table_code, s->h.model.table_code);
    assert_int_equal(back.h.model.classes, s->h.model.classes);
    assert_int_equal(back.h.model.map_cap, s->h.model.map_cap);
    assert_int_equal(back.h.model.learned_cap, s->h.model.learned_cap);
    assert_int_equal(back.h.sector_log2, s->h.sector_log2);
    assert_int_equal(back.h.scratch, s->h.scratch);
    assert_int_equal(back.h.group, s->h.group);
    assert_int_equal(back.h.region_count, s->h.region_count);
    assert_int_equal(back.h.range_count, s->h.range_count);
    assert_memory_equal(&back.h.old_digest, &s->h.old_digest, KERF_DIGEST_LEN);
    assert_memory_equal(&back.h.new_digest, &s->h.new_digest, KERF_DIGEST_LEN);
    assert_int_equal(kerf_header_tables(buf, &back.h, back.regions, back.ranges), KERF_OK);
    for (unsigned i = 0; i < KERF_MAX_REGIONS; i++) {
        assert_same_region(&s->regions[i], &back.regions[i]);
    }
    for (unsigned i = 0; i < KERF_MAX_RANGES; i++) {
        assert_true(s->ranges[i].start == back.ranges[i].start && s->ranges[i].len == back.ranges[i].len);
    }
    /* Every shorter piece of it is refused. */
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(kerf_header_parse(buf, cut, &cut_header), KERF_ERR_FORMAT);
    }
    return len;
}

static void an_ordinary_header_takes_under_70_bytes(void **state)
{
    struct sample s = ordinary();

    (void)state;
    assert_in_range(assert_round_trip(&s), 1, 69);
}

static void a_full_image_has_no_old_digest(void **state)
{
    struct sample s;

    (void)state;
    memset(&s, 0, sizeof s);
    s.h.codec = KERF_CODEC_STORED;
    s.h.new_size = s.h.payload_size = 100000;
    s.h.chunk_size = 65536;
    assert_int_equal(assert_round_trip(&s), 7 + 2 + 2 + 2 + 3 + 3 + 16);
}

static void regions_in_another_order_and_odd_addresses_survive(void **state)
{
    struct sample s = ordinary();

    (void)state;
    s.h.region_count = 3;
    s.regions[0] = (struct kerf_region){{{24, 1000, 0x400D0018, 5000, 900, 0x400D0020}}, 5, 0x80};
    s.regions[1] = (struct kerf_region){{{1024, 4000, 0x3F400020, 0, 5000, 0xFFFFFFC0}}, 0, 0x8006};
    s.regions[2] = (struct kerf_region){{{300000, 20000, 0, 300008, 21408, 0xFFFFFFFF}}, 15, 0};
    s.h.range_count = 2;
    s.ranges[0] = (struct kerf_range){1, 0x100};
    s.ranges[1] = (struct kerf_range){0xFFFFFF00, 0x100};
    (void)assert_round_trip(&s);
}

static void in_place_fields_and_limits_survive(void **state)
{
    struct sample s = ordinary();

    (void)state;
    s.h.flags |= KERF_FLAG_IN_PLACE;
    s.h.sector_log2 = 12;
    s.h.scratch = UINT16_MAX;
    s.h.group = 1;
    s.h.model = (struct kerf_model_params){22, 2, KERF_MAX_MAP, KERF_MAX_LEARNED};
    s.h.chunk_size = KERF_CHUNK_MIN;
    (void)assert_round_trip(&s);
    s.h.kept = UINT16_MAX;
    s.h.moves_cap = KERF_MAX_MOVES;
    s.h.beyond = UINT8_MAX;
    (void)assert_round_trip(&s);
    assert_int_equal(kerf_header_slot(&s.h),
                     1 + ((s.h.old_size > s.h.new_size ? s.h.old_size : s.h.new_size) - 1) / 4096 + UINT8_MAX);
    assert_int_equal(kerf_header_sectors(&s.h), kerf_header_slot(&s.h) + UINT16_MAX - 1);
}

static void wide_images_survive(void **state)
{
    struct sample s = ordinary();

    (void)state;
    s.h.flags |= KERF_FLAG_WIDE;
    s.h.new_size = (kerf_pos)5 << 32;
    s.regions[0].new_len = s.h.new_size;
    s.regions[0].old_addr = 0xFFFFFFC008000000;
    s.regions[0].new_addr = 0x1000;
    s.ranges[0] = (struct kerf_range){0xFFFFFFFFFFFFFF00, 0x100};
    (void)assert_round_trip(&s);
}

static void the_writer_refuses_contradictions(void **state)
{
    struct kerf_region r = ordinary().regions[0];
    struct sample s;
    uint8_t buf[HEADER_CAP];
    size_t len;

#define REFUSED(change)                                                                                                \
    do {                                                                                                               \
        s = ordinary();                                                                                                \
        change;                                                                                                        \
        assert_int_equal(kerf_header_write(&s.h, s.regions, s.ranges, buf, sizeof buf, &len), KERF_ERR_ARGUMENT);      \
    } while (0)

    (void)state;
    REFUSED(s.h.flags = 8);
    REFUSED(s.h.codec = 3);
    REFUSED(s.h.codec = 4);
    REFUSED(s.h.new_size = (kerf_pos)1 << 32);
    REFUSED(s.h.old_size = KERF_POS_MAX; s.h.flags |= KERF_FLAG_WIDE);
    REFUSED(s.h.payload_size = (kerf_pos)1 << 32);
    REFUSED(s.h.codec = KERF_CODEC_STORED);                               /* and reads new back */
    REFUSED(s.h.codec = KERF_CODEC_STORED; s.h.flags = 0);                /* payload is not new_size */
    REFUSED(s.h.flags = KERF_FLAG_IN_PLACE; s.h.group = s.h.scratch = 1); /* no sector */
    REFUSED(s.h.flags = KERF_FLAG_IN_PLACE; s.h.sector_log2 = 3; s.h.group = s.h.scratch = 1); /* of 8 bytes */
    REFUSED(s.h.flags = KERF_FLAG_IN_PLACE; s.h.sector_log2 = 12; s.h.scratch = 1; s.h.group = 0);
    REFUSED(s.h.flags = KERF_FLAG_IN_PLACE; s.h.sector_log2 = 12; s.h.scratch = 1; s.h.group = 2);
#define KEEPING(change)                                                                                                \
    REFUSED(s.h.flags = KERF_FLAG_IN_PLACE; s.h.sector_log2 = 12; s.h.scratch = 2; s.h.group = 1; s.h.kept = 1;        \
            s.h.moves_cap = 1; change)
    KEEPING(s.h.moves_cap = 0);
    KEEPING(s.h.moves_cap = KERF_MAX_MOVES + 1);
    KEEPING(s.h.group = 2);
    KEEPING(s.h.sector_log2 = 24; s.h.scratch = 300); /* over 2^32 bytes */
    REFUSED(s.h.chunk_size = 255);
    REFUSED(s.h.chunk_size = 257);
    REFUSED(s.h.chunk_size = 65536 + 4096);
    REFUSED(s.h.model.table_code = 128 + 7);
    REFUSED(s.h.model.classes = 3);
    REFUSED(s.h.model.map_cap = KERF_MAX_MAP + 1);
    REFUSED(s.h.model.learned_cap = KERF_MAX_LEARNED + 1);
    REFUSED(s.h.region_count = KERF_MAX_REGIONS + 1);
    REFUSED(s.h.range_count = KERF_MAX_RANGES + 1);
    REFUSED(s.h.chunk0_len = 385);                         /* over chunk_size */
    REFUSED(s.h.chunk0_len = 10);                          /* under the header */
    REFUSED(s.h.chunk0_len = 78);                          /* no room for the digest of the next */
    REFUSED(s.h.payload_size = 100; s.h.chunk0_len = 300); /* more than the payload */
    REFUSED(s.regions[0].old_len = 0);
    REFUSED(s.regions[0].new_len = 0);
    REFUSED(s.regions[0].old_len++);
    REFUSED(s.regions[0].new_len++);
    REFUSED(s.regions[0].old_pos = 1);
    REFUSED(s.regions[0].new_pos = 1);
    REFUSED(s.regions[0].old_addr = (kerf_pos)1 << 32);
    REFUSED(s.regions[0].new_addr = (kerf_pos)1 << 32);
    REFUSED(s.h.region_count = 2; s.regions[1] = r); /* twice the same */
    REFUSED(s.h.region_count = 2; s.regions[0].old_len = 10; s.regions[1] = r; s.regions[1].old_pos = 10;
            s.regions[1].old_len -= 10); /* apart in old, overlapping in new */
    REFUSED(s.ranges[0].len = 0);
    REFUSED(s.ranges[0].start = 0xFFFFFF01); /* over the highest address */
    REFUSED(s.h.range_count = 2; s.ranges[1] = s.ranges[0]);
#undef REFUSED
    s = ordinary();
    assert_int_equal(kerf_header_write(&s.h, s.regions, s.ranges, buf, 20, &len), KERF_ERR_SPACE);
}

/* Whatever byte is changed: refused, or read as something that is written back the same way. */
static void every_changed_byte_is_refused_or_means_something_else(void **state)
{
    struct sample s = ordinary();
    uint8_t buf[HEADER_CAP];
    uint8_t again[HEADER_CAP];
    size_t len;
    size_t again_len;

    (void)state;
    assert_int_equal(kerf_header_write(&s.h, s.regions, s.ranges, buf, sizeof buf, &len), KERF_OK);
    for (size_t i = 0; i < len; i++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            buf[i] ^= (uint8_t)flip;
            if (kerf_header_parse(buf, len, &s.h) == KERF_OK) {
                assert_int_equal(kerf_header_tables(buf, &s.h, s.regions, s.ranges), KERF_OK);
                assert_true(kerf_header_workspace(&s.h) > KERF_WORKSPACE_STATE);
                assert_int_equal(kerf_header_write(&s.h, s.regions, s.ranges, again, sizeof again, &again_len),
                                 KERF_OK);
                assert_true(again_len <= len);
            }
            buf[i] ^= (uint8_t)flip;
        }
    }
}

static void the_prologue_tells_foreign_files_and_versions(void **state)
{
    uint8_t p[KERF_PROLOGUE_LEN] = {'K', 'R', 'F', 0, 30, 100, 0};
    uint16_t chunk0_len;
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
    assert_int_equal(kerf_chunk_size_floor(4095), 4080);
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
