/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/patcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/memory_port.h"
#include "tests/pack.h"

#define OLD_LEN 3000
#define NEW_LEN 5000
#define SLOT 8192

/* Stored payloads: the whole way but the native codec, which tests of the codec and of diffgen cover. */
struct fixture {
    uint8_t old_image[OLD_LEN];
    uint8_t new_image[NEW_LEN];
    uint8_t *delta;
    size_t delta_len;
    struct kerf_patcher_expect expect;
};

static void setup(struct fixture *f, size_t old_len, size_t new_len, uint32_t chunk_size)
{
    memset(f, 0, sizeof *f);
    test_noise(f->old_image, OLD_LEN, 1);
    test_noise(f->new_image, NEW_LEN, 2);
    f->delta = test_pack_stored(f->old_image, old_len, f->new_image, new_len, chunk_size, &f->delta_len);
    assert_non_null(f->delta);
    struct kerf_header h;
    assert_int_equal(kerf_header_parse(f->delta, f->delta_len, &h), KERF_OK);
    f->expect.chunk0_known = true;
    f->expect.target_known = true;
    test_digest(f->delta, h.chunk0_len, &f->expect.chunk0_digest);
    test_digest(f->new_image, new_len, &f->expect.target_digest);
}

static void teardown(struct fixture *f)
{
    free(f->delta);
}

/* Applies f->delta in exactly the workspace it declares. */
static kerf_err apply(struct fixture *f, struct memory_port *m, size_t piece, const struct kerf_patcher_expect *expect,
                      struct kerf_patcher_status *status)
{
    return memory_port_apply(m, f->delta, f->delta_len, piece, expect, 0,
                             memory_port_workspace(m, f->delta, f->delta_len), status);
}

static kerf_err apply_once(struct fixture *f)
{
    struct memory_port m;
    kerf_err err;

    memory_port_init(&m, f->old_image, OLD_LEN, SLOT, 256, 1024);
    err = apply(f, &m, f->delta_len, NULL, NULL);
    memory_port_free(&m);
    return err;
}

static void pieces_of_any_size_give_the_same_image(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 7, 13, 61, 127, 251, 509, 1021, 100000};
    static const uint32_t pages[] = {1, 4, 64, 250, 256, 1000, 65536};

    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        for (size_t j = 0; j < sizeof pages / sizeof pages[0]; j++) {
            struct fixture f;
            struct memory_port m;
            struct kerf_patcher_status s;

            setup(&f, OLD_LEN, NEW_LEN, 272);
            memory_port_init(&m, f.old_image, OLD_LEN, SLOT, pages[j], pages[j] * 2);
            assert_int_equal(apply(&f, &m, pieces[i], &f.expect, &s), KERF_END);
            assert_true(m.written == NEW_LEN);
            assert_memory_equal(m.new_image, f.new_image, NEW_LEN);
            assert_int_equal(s.phase, KERF_PHASE_DONE);
            assert_true(s.delta_pos == f.delta_len && s.new_pos == NEW_LEN && s.verified_pos == NEW_LEN);
            assert_memory_equal(&s.target_digest, &f.expect.target_digest, KERF_SHA256_LEN);
            assert_int_equal(m.flushes, 1);
            assert_int_equal(m.writes, (NEW_LEN + pages[j] - 1) / pages[j]);
            assert_int_equal(m.erases, (NEW_LEN + 2 * pages[j] - 1) / (2 * pages[j]));
            memory_port_free(&m);
            teardown(&f);
        }
    }
}

static void images_of_every_length_arrive(void **state)
{
    (void)state;
    for (size_t new_len = 0; new_len < 1200; new_len++) {
        struct fixture f;
        struct memory_port m;

        setup(&f, new_len % 3 == 0 ? 0 : OLD_LEN, new_len, 256);
        memory_port_init(&m, f.old_image, OLD_LEN, SLOT, 64, 0);
        assert_int_equal(apply(&f, &m, 97, &f.expect, NULL), KERF_END);
        assert_true(m.written == new_len);
        assert_memory_equal(m.new_image, f.new_image, new_len);
        memory_port_free(&m);
        teardown(&f);
    }
}

static void every_cut_is_truncated(void **state)
{
    struct fixture f;
    size_t whole;

    (void)state;
    setup(&f, OLD_LEN, 700, 256);
    whole = f.delta_len;
    for (f.delta_len = 0; f.delta_len < whole; f.delta_len++) {
        assert_int_equal(apply_once(&f), KERF_ERR_TRUNCATED);
    }
    teardown(&f);
}

static void bytes_after_the_end_are_refused(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 600; piece += 37) {
        struct fixture f;
        struct memory_port m;
        uint8_t *longer;

        setup(&f, OLD_LEN, 300, 256);
        longer = malloc(f.delta_len + 1);
        assert_non_null(longer);
        memcpy(longer, f.delta, f.delta_len);
        longer[f.delta_len] = 0;
        memory_port_init(&m, f.old_image, OLD_LEN, SLOT, 64, 0);
        assert_int_equal(memory_port_apply(&m, longer, f.delta_len + 1, piece, NULL, 0, 1024, NULL), KERF_ERR_TRAILING);
        free(longer);
        memory_port_free(&m);
        teardown(&f);
    }
}

/* With the digest of chunk 0 no bit can be changed unseen, nor by hand any outside of chunk 0. */
static void every_flipped_bit_is_found(void **state)
{
    struct fixture f;
    struct kerf_header h;

    (void)state;
    setup(&f, OLD_LEN, 700, 256);
    assert_int_equal(kerf_header_parse(f.delta, f.delta_len, &h), KERF_OK);
    for (size_t bit = 0; bit < f.delta_len * 8; bit++) {
        struct memory_port m;
        kerf_err err;

        f.delta[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memory_port_init(&m, f.old_image, OLD_LEN, SLOT, 256, 1024);
        err = apply(&f, &m, 100, &f.expect, NULL);
        assert_true(err < 0);
        if (bit / 8 >= KERF_PROLOGUE_LEN && bit / 8 < h.chunk0_len) {
            assert_int_equal(err, KERF_ERR_CHUNK);
            assert_int_equal(m.writes + m.erases, 0);
        }
        memory_port_free(&m);

        memory_port_init(&m, f.old_image, OLD_LEN, SLOT, 256, 1024);
        err = apply(&f, &m, 100, NULL, NULL);
        assert_true(err < 0 || (m.written == 700 && memcmp(m.new_image, f.new_image, 700) == 0));
        if (bit / 8 >= h.chunk0_len) {
            assert_int_equal(err, KERF_ERR_CHUNK);
        }
        memory_port_free(&m);
        f.delta[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    teardown(&f);
}

static void a_wrong_old_image_is_refused_before_the_first_erase(void **state)
{
    struct fixture f;
    struct memory_port m;
    struct kerf_patcher_status s;

    (void)state;
    setup(&f, OLD_LEN, NEW_LEN, 256);
    f.old_image[OLD_LEN - 1] ^= 1;
    memory_port_init(&m, f.old_image, OLD_LEN, SLOT, 256, 1024);
    assert_int_equal(apply(&f, &m, 1000, NULL, &s), KERF_ERR_SOURCE);
    assert_int_equal(s.phase, KERF_PHASE_FAILED);
    assert_int_equal(s.err, KERF_ERR_SOURCE);
    assert_int_equal(m.writes + m.erases, 0);
    memory_port_free(&m);
    teardown(&f);
}

static void what_the_release_says_must_match(void **state)
{
    struct fixture f;
    struct memory_port m;

    (void)state;
    setup(&f, OLD_LEN, NEW_LEN, 256);
    memory_port_init(&m, f.old_image, OLD_LEN, SLOT, 256, 1024);
    f.expect.target_digest.b[0] ^= 1;
    assert_int_equal(apply(&f, &m, 1000, &f.expect, NULL), KERF_ERR_MISMATCH);
    assert_int_equal(m.writes + m.erases, 0);
    f.expect.target_digest.b[0] ^= 1;
    f.expect.target_digest.b[31] ^= 1; /* beyond what the header says */
    assert_int_equal(apply(&f, &m, 1000, &f.expect, NULL), KERF_END);
    memory_port_free(&m);
    teardown(&f);
}

static void a_slot_or_workspace_too_small_is_refused_before_the_first_erase(void **state)
{
    struct fixture f;
    struct memory_port m;
    size_t need;

    (void)state;
    setup(&f, OLD_LEN, NEW_LEN, 512);
    memory_port_init(&m, f.old_image, OLD_LEN, NEW_LEN - 1, 256, 1024);
    assert_int_equal(apply(&f, &m, 1000, NULL, NULL), KERF_ERR_SPACE);
    memory_port_free(&m);
    memory_port_init(&m, f.old_image, OLD_LEN, NEW_LEN, 256, 1024);
    need = memory_port_workspace(&m, f.delta, f.delta_len);
    for (size_t len = 0; len < need; len++) {
        assert_int_equal(memory_port_apply(&m, f.delta, f.delta_len, 1000, NULL, 0, len, NULL), KERF_ERR_RAM);
    }
    assert_int_equal(m.writes + m.erases, 0);
    assert_int_equal(memory_port_apply(&m, f.delta, f.delta_len, 1000, NULL, 0, need, NULL), KERF_END);
    memory_port_free(&m);
    teardown(&f);
}

static void any_callback_may_fail_once_or_for_ever(void **state)
{
    struct fixture f;
    unsigned calls = 0;

    (void)state;
    setup(&f, OLD_LEN, 2000, 256);
    for (unsigned at = 0; at <= calls; at++) {
        for (unsigned for_ever = 0; for_ever < 2; for_ever++) {
            struct memory_port m;
            struct kerf_patcher_status s;

            memory_port_init(&m, f.old_image, OLD_LEN, SLOT, 256, 1024);
            m.fail_at = at;
            m.fail_for_ever = for_ever != 0;
            assert_int_equal(apply(&f, &m, 300, NULL, &s), at == 0 ? KERF_END : KERF_ERR_FLASH);
            assert_int_equal(s.phase, at == 0 ? KERF_PHASE_DONE : KERF_PHASE_FAILED);
            calls = at == 0 ? m.calls : calls;
            memory_port_free(&m);
        }
    }
    assert_true(calls > 40);
    teardown(&f);
}

/* What is written but does not read back right is found by the last check. */
static kerf_err lossy_write(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    struct memory_port *m = ctx;

    memcpy(m->new_image + pos, buf, len);
    m->new_image[pos] ^= pos == 512 ? 0x10 : 0;
    m->written = (kerf_pos)(pos + len);
    m->writes++;
    return KERF_OK;
}

static void flash_that_forgets_is_found(void **state)
{
    struct fixture f;
    struct memory_port m;

    (void)state;
    setup(&f, OLD_LEN, 2000, 256);
    memory_port_init(&m, f.old_image, OLD_LEN, SLOT, 256, 1024);
    m.port.slot.write = lossy_write;
    assert_int_equal(apply(&f, &m, 300, NULL, NULL), KERF_ERR_TARGET);
    memory_port_free(&m);
    teardown(&f);
}

static void a_dry_run_writes_nothing(void **state)
{
    struct fixture f;
    struct memory_port m;
    struct kerf_patcher_status s;

    (void)state;
    setup(&f, OLD_LEN, NEW_LEN, 256);
    memory_port_init(&m, f.old_image, OLD_LEN, SLOT, 256, 1024);
    assert_int_equal(memory_port_apply(&m, f.delta, f.delta_len, 50, NULL, KERF_PATCHER_DRY_RUN, 2048, &s), KERF_END);
    assert_int_equal(m.writes + m.erases + m.flushes, 0);
    assert_true(s.new_pos == NEW_LEN);
    f.delta[f.delta_len - 1] ^= 1;
    assert_int_equal(memory_port_apply(&m, f.delta, f.delta_len, 50, NULL, KERF_PATCHER_DRY_RUN, 2048, &s),
                     KERF_ERR_CHUNK);
    memory_port_free(&m);
    teardown(&f);
}

static void every_call_does_bounded_work_and_may_be_the_last(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, OLD_LEN, NEW_LEN, 256);
    for (unsigned stop = 0; stop < 2000; stop++) {
        struct memory_port m;
        struct kerf_patcher *p;
        uint64_t workspace[256];
        size_t pos = 0;
        size_t used;
        kerf_err err = KERF_OK;

        memory_port_init(&m, f.old_image, OLD_LEN, SLOT, 64, 128);
        assert_int_equal(kerf_patcher_init(workspace, sizeof workspace, &m.port, NULL, 0, &p), KERF_OK);
        for (unsigned i = 0; i < stop && err != KERF_END; i++) {
            unsigned writes = m.writes;
            unsigned erases = m.erases;

            err = kerf_patcher_feed(p, &m.port, f.delta + pos, f.delta_len - pos, &used);
            assert_true(err >= 0);
            assert_in_range(m.writes - writes, 0, 1);
            assert_in_range(m.erases - erases, 0, m.writes - writes); /* the sector that the page begins */
            pos += used;
        }
        if (err == KERF_END) {
            memory_port_free(&m);
            break;
        }
        kerf_patcher_abort(p);
        assert_int_equal(kerf_patcher_feed(p, &m.port, f.delta + pos, f.delta_len - pos, &used), KERF_ERR_STATE);
        assert_int_equal(kerf_patcher_finish(p), KERF_ERR_STATE);
        memory_port_free(&m);
        assert_true(stop < 1999);
    }
    teardown(&f);
}

static void the_workspace_may_be_moved_between_calls(void **state)
{
    struct fixture f;
    struct memory_port m;
    struct kerf_patcher *p;
    uint64_t workspace[2][128];
    unsigned at = 0;
    size_t pos = 0;
    kerf_err err;

    (void)state;
    setup(&f, OLD_LEN, NEW_LEN, 256);
    memory_port_init(&m, f.old_image, OLD_LEN, SLOT, 64, 128);
    assert_int_equal(kerf_patcher_init(workspace[0], sizeof workspace[0], &m.port, NULL, 0, &p), KERF_OK);
    do {
        size_t used;

        memcpy(workspace[!at], workspace[at], sizeof workspace[0]);
        memset(workspace[at], 0x5a, sizeof workspace[0]);
        at = !at;
        p = (struct kerf_patcher *)(void *)workspace[at];
        err = kerf_patcher_feed(p, &m.port, f.delta + pos, f.delta_len - pos < 33 ? f.delta_len - pos : 33, &used);
        pos += used;
    } while (err > 0 && err != KERF_END);
    assert_int_equal(err, KERF_END);
    assert_memory_equal(m.new_image, f.new_image, NEW_LEN);
    memory_port_free(&m);
    teardown(&f);
}

static void ports_that_lack_something_do_not_fit(void **state)
{
    struct memory_port m;
    struct kerf_port good;

#define REFUSED(change)                                                                                                \
    do {                                                                                                               \
        m.port = good;                                                                                                 \
        change;                                                                                                        \
        assert_false(kerf_port_fits(&m.port));                                                                         \
    } while (0)

    (void)state;
    memory_port_init(&m, NULL, 0, SLOT, 64, 128);
    good = m.port;
    assert_true(kerf_port_fits(&good));
    REFUSED(m.port.io.read_old = NULL);
    REFUSED(m.port.io.read_new = NULL);
    REFUSED(m.port.slot.write = NULL);
    REFUSED(m.port.slot.erase = NULL);
    REFUSED(m.port.hash = NULL);
    REFUSED(m.port.page_size = 0);
    REFUSED(m.port.page_size = 65537);
    REFUSED(m.port.slot.sector_size = 100);
#undef REFUSED
    memory_port_free(&m);
}

/* No codec, flag or size that this build can't do gets as far as an erase. */
static void what_this_build_cannot_do_is_refused(void **state)
{
    struct fixture f;
    struct kerf_header h;
    struct memory_port m;
    static const uint8_t payload[100];

    (void)state;
    setup(&f, OLD_LEN, 100, 256);
    teardown(&f);
    memset(&h, 0, sizeof h);
    h.old_size = OLD_LEN;
    h.new_size = 100;
    h.chunk_size = 256;
    h.codec = KERF_CODEC_LZMA2; /* the port has no unpack */
    f.delta = test_pack(&h, NULL, NULL, payload, sizeof payload, &f.delta_len);
    assert_non_null(f.delta);
    memory_port_init(&m, f.old_image, OLD_LEN, SLOT, 64, 128);
    assert_int_equal(apply(&f, &m, 1000, NULL, NULL), KERF_ERR_UNSUPPORTED);
    teardown(&f);
    h.codec = KERF_CODEC_STORED;
    h.flags = KERF_FLAG_IN_PLACE;
    h.sector_log2 = 12;
    h.scratch = 1;
    h.group = 1;
    f.delta = test_pack(&h, NULL, NULL, payload, sizeof payload, &f.delta_len);
    assert_non_null(f.delta);
    assert_int_equal(apply(&f, &m, 1000, NULL, NULL), KERF_ERR_UNSUPPORTED);
    teardown(&f);
    assert_int_equal(m.writes + m.erases, 0);
    memory_port_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_size_give_the_same_image),
        cmocka_unit_test(images_of_every_length_arrive),
        cmocka_unit_test(every_cut_is_truncated),
        cmocka_unit_test(bytes_after_the_end_are_refused),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(a_wrong_old_image_is_refused_before_the_first_erase),
        cmocka_unit_test(what_the_release_says_must_match),
        cmocka_unit_test(a_slot_or_workspace_too_small_is_refused_before_the_first_erase),
        cmocka_unit_test(any_callback_may_fail_once_or_for_ever),
        cmocka_unit_test(flash_that_forgets_is_found),
        cmocka_unit_test(a_dry_run_writes_nothing),
        cmocka_unit_test(every_call_does_bounded_work_and_may_be_the_last),
        cmocka_unit_test(the_workspace_may_be_moved_between_calls),
        cmocka_unit_test(ports_that_lack_something_do_not_fit),
        cmocka_unit_test(what_this_build_cannot_do_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
