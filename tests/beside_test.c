/* SPDX-License-Identifier: Apache-2.0 */
/* The self-check by a second thread: what it lets pass, and that it sees each damage. */
#include "diffgen/beside.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diffgen/diffgen.h"
#include "diffgen/tasks.h"
#include "tests/pack.h"

#define LEN 20000u

/*
 * A coding: all of new copied from old, but for some bytes that differ and `literals` at its end. The images are its
 * own: its second thread may read them until it is closed.
 */
struct coding {
    uint8_t old_image[LEN + KERF_PAD], new_image[LEN + KERF_PAD];
    struct kerf_diff_options options;
    struct kerf_work w;
    struct kerf_header h;
    uint8_t head[256];
    struct kerf_segments segments;
    struct kerf_map map;
    struct kerf_bytes payload;
    struct kerf_encoding encoding;
    struct kerf_diff_report report;
};

static void open_coding(struct coding *c, size_t differ, size_t literals)
{
    const struct kerf_segment segment = {0, 0, LEN - literals, false};
    size_t head_len;

    *c = (struct coding){.options = {.codec = -1}};
    c->w.options = &c->options;
    c->h = (struct kerf_header){.codec = KERF_CODEC_NATIVE, .old_size = LEN, .new_size = LEN};
    test_noise(c->old_image, LEN, 1);
    test_noise(c->new_image, LEN, 2);
    memcpy(c->new_image, c->old_image, LEN - literals);
    for (size_t i = 0; i < differ; i++) {
        c->new_image[i * 97 % (LEN - literals)] ^= (uint8_t)(1 + i);
    }
    c->w.old_side = (struct kerf_side){.bytes = c->old_image, .masked = c->old_image, .len = LEN};
    c->w.new_side = (struct kerf_side){.bytes = c->new_image, .masked = c->new_image, .len = LEN};
    test_digest(c->old_image, LEN, &c->report.old_digest);
    test_digest(c->new_image, LEN, &c->report.new_digest);
    memcpy(c->h.old_digest.b, c->report.old_digest.b, sizeof c->h.old_digest.b);
    memcpy(c->h.new_digest.b, c->report.new_digest.b, sizeof c->h.new_digest.b);
    assert_int_equal(kerf_params_choose(4096, 0, &c->h), KERF_OK);
    c->h.model.map_cap = 0;
    assert_int_equal(kerf_segments_add(&c->segments, &segment), KERF_OK);
    c->w.beside = kerf_beside_open();
    assert_non_null(c->w.beside);
    c->h.payload_size = KERF_CHUNK_MAX;
    c->h.chunk0_len = KERF_CHUNK_MIN;
    assert_int_equal(kerf_header_write(&c->h, NULL, NULL, c->head, sizeof c->head, &head_len), KERF_OK);
}

static void code(struct coding *c)
{
    assert_int_equal(kerf_encode_plan(&c->w, &c->h, &c->segments, &c->map, &c->payload, &c->encoding), KERF_OK);
}

/* The container of the payload. */
static uint8_t *pack(struct coding *c, size_t *len)
{
    uint8_t *delta;

    assert_int_equal(kerf_pack(&c->h, &c->w.image, c->payload.data, c->payload.len, &delta, len), KERF_OK);
    return delta;
}

static void close_coding(struct coding *c)
{
    kerf_beside_close(c->w.beside);
    free(c->payload.data);
    free(c->segments.list);
}

static void a_payload_is_checked_while_it_is_coded(void **state)
{
    static const size_t differ[] = {0, 1, 20, 3000};
    static const size_t literals[] = {0, 1, 700, LEN - 1};

    (void)state;
    for (size_t i = 0; i < 16; i++) {
        struct coding c;
        bool done = false;
        size_t len;

        open_coding(&c, differ[i % 4], literals[i / 4]);
        code(&c);

        uint8_t *delta = pack(&c, &len);

        assert_int_equal(kerf_beside_finish(c.w.beside, &c.payload, &c.report, delta, len, &done), KERF_OK);
        assert_true(done);
        assert_int_equal(kerf_selfcheck(c.old_image, LEN, c.new_image, LEN, delta, len), KERF_OK);
        free(delta);
        close_coding(&c);
    }
}

/* Gives the bytes of one coding to a decoder as another would, with the one at `wrong` flipped. */
static bool passes(const struct coding *made, size_t wrong)
{
    struct coding c;
    bool done = false;
    size_t len;

    open_coding(&c, 20, 700);
    c.h = made->h;
    assert_true(kerf_beside_start(c.w.beside, &c.w, &c.h, c.head, &c.payload));
    for (size_t i = 0; i < made->payload.len; i++) {
        kerf_beside_emit(c.w.beside, (uint8_t)(made->payload.data[i] ^ (i == wrong ? 0x10 : 0)));
    }
    kerf_beside_end(c.w.beside, true);

    uint8_t *delta = pack(&c, &len);
    kerf_err err = kerf_beside_finish(c.w.beside, &c.payload, &c.report, delta, len, &done);

    free(delta);
    close_coding(&c);
    return err == KERF_OK && done;
}

static void a_wrong_byte_of_the_payload_is_seen(void **state)
{
    struct coding c;

    (void)state;
    open_coding(&c, 20, 700);
    code(&c);
    assert_true(passes(&c, SIZE_MAX));
    for (size_t i = 0; i < c.payload.len; i += 1 + c.payload.len / 60) {
        assert_false(passes(&c, i));
    }
    assert_false(passes(&c, c.payload.len - 1));
    close_coding(&c);
}

/* What the decoder was told the stream would end with is put right later, or is seen. */
static void a_wrong_promise_is_seen(void **state)
{
    struct coding c;
    struct kerf_rc rc = {.started = true, .cache_valid = true, .cache = 0x5a, .low = 0x12345678};
    bool done = true;
    size_t len;

    (void)state;
    open_coding(&c, 20, 700);
    code(&c);

    struct coding other;

    open_coding(&other, 20, 700);
    other.h = c.h;
    assert_true(kerf_beside_start(other.w.beside, &other.w, &other.h, other.head, &other.payload));
    for (size_t i = 0; i < c.payload.len; i++) {
        kerf_beside_emit(other.w.beside, c.payload.data[i]);
        if (i == 10) {
            kerf_beside_tell(other.w.beside, &rc, LEN - 700);
        }
    }
    kerf_beside_end(other.w.beside, true);

    uint8_t *delta = pack(&other, &len);

    assert_int_equal(kerf_beside_finish(other.w.beside, &other.payload, &other.report, delta, len, &done), KERF_OK);
    assert_true(!done || kerf_selfcheck(c.old_image, LEN, c.new_image, LEN, delta, len) == KERF_OK);
    free(delta);
    close_coding(&other);
    close_coding(&c);
}

static void a_wrong_byte_of_the_container_is_seen(void **state)
{
    struct coding c;
    bool done = false;
    size_t len;

    (void)state;
    open_coding(&c, 3000, 700);
    code(&c);

    uint8_t *delta = pack(&c, &len);

    for (size_t i = 0; i < len; i++) {
        delta[i] ^= 1;
        assert_int_not_equal(kerf_beside_finish(c.w.beside, &c.payload, &c.report, delta, len, &done), KERF_OK);
        delta[i] ^= 1;
    }
    assert_int_not_equal(kerf_beside_finish(c.w.beside, &c.payload, &c.report, delta, len - 1, &done), KERF_OK);
    assert_int_equal(kerf_beside_finish(c.w.beside, &c.payload, &c.report, delta, len, &done), KERF_OK);
    free(delta);
    close_coding(&c);
}

static void what_is_not_finished_is_not_checked(void **state)
{
    struct coding c;
    bool done = true;
    size_t len;

    (void)state;
    open_coding(&c, 20, 700);
    assert_true(kerf_beside_start(c.w.beside, &c.w, &c.h, c.head, &c.payload));
    kerf_beside_emit(c.w.beside, 1);
    kerf_beside_end(c.w.beside, false);

    uint8_t *delta = pack(&c, &len);

    assert_int_equal(kerf_beside_finish(c.w.beside, &c.payload, &c.report, delta, len, &done), KERF_OK);
    assert_false(done);
    free(delta);
    close_coding(&c);
}

/*
 * The slowest second thread that there can be: it begins when another one waits for it, or when a plan was freed, which
 * then waits until it has ended.
 */
static struct {
    bool used, runs;
    sem_t begin, end;
    void (*run)(void *ctx);
    void *ctx;
} late;

static void run_late(void *ctx)
{
    (void)ctx;
    assert_int_equal(sem_wait(&late.begin), 0);
    late.run(late.ctx);
    assert_int_equal(sem_post(&late.end), 0);
}

bool __real_kerf_task_start(struct kerf_task *task, void (*run)(void *ctx), void *ctx);
bool __wrap_kerf_task_start(struct kerf_task *task, void (*run)(void *ctx), void *ctx);
bool __wrap_kerf_task_start(struct kerf_task *task, void (*run)(void *ctx), void *ctx)
{
    if (!late.used) {
        return __real_kerf_task_start(task, run, ctx);
    }
    assert_false(late.runs);
    late.run = run;
    late.ctx = ctx;
    late.runs = __real_kerf_task_start(task, run_late, NULL);
    return late.runs;
}

void __real_kerf_task_wait(struct kerf_task *task);
void __wrap_kerf_task_wait(struct kerf_task *task);
void __wrap_kerf_task_wait(struct kerf_task *task)
{
    if (late.runs && task->runs) {
        late.runs = false;
        assert_int_equal(sem_post(&late.begin), 0);
    }
    __real_kerf_task_wait(task);
}

void __real_kerf_plan_free(struct kerf_plan *plan);
void __wrap_kerf_plan_free(struct kerf_plan *plan);
void __wrap_kerf_plan_free(struct kerf_plan *plan)
{
    bool frees = plan->payload.data != NULL;

    __real_kerf_plan_free(plan);
    if (frees && late.runs) {
        late.runs = false;
        assert_int_equal(sem_post(&late.begin), 0);
        assert_int_equal(sem_wait(&late.end), 0);
    }
}

/* Noise is stored after all: a coded payload that is not taken is freed when its check has ended. */
static void a_payload_that_is_not_taken_is_not_freed_while_it_is_read(void **state)
{
    const struct kerf_diff_options options = {.codec = -1, .level = 1, .jobs = 2};
    static uint8_t noise[LEN + KERF_PAD];
    uint8_t *delta;
    size_t len;

    (void)state;
    test_noise(noise, LEN, 1);
    assert_int_equal(sem_init(&late.begin, 0, 0), 0);
    assert_int_equal(sem_init(&late.end, 0, 0), 0);
    late.used = true;
    assert_int_equal(kerf_diff_create(noise, 0, noise, LEN, &options, &delta, &len, NULL), KERF_OK);
    late.used = false;
    assert_false(late.runs);
    assert_in_range(len, LEN, LEN + 256);
    free(delta);
    assert_int_equal(sem_destroy(&late.begin), 0);
    assert_int_equal(sem_destroy(&late.end), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payload_is_checked_while_it_is_coded),
        cmocka_unit_test(a_wrong_byte_of_the_payload_is_seen),
        cmocka_unit_test(a_wrong_promise_is_seen),
        cmocka_unit_test(a_wrong_byte_of_the_container_is_seen),
        cmocka_unit_test(what_is_not_finished_is_not_checked),
        cmocka_unit_test(a_payload_that_is_not_taken_is_not_freed_while_it_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
