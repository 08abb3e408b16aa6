/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-check where one coding is all there is: a second thread runs the shipped decoder on the payload while it is
 * made, a little behind the coder, in a workspace of the declared size. What is left for the end is the container
 * around the payload.
 *
 * Bytes come out of the coder late, by four or more: in a small delta that is most of an image. But a stream that ends
 * with what the coder holds back now decodes like the real one up to where the coder is. So the decoder takes that, and
 * when the real bytes are there, what they add to the stream is added to its `code`, which is the stream less what the
 * decisions took of it. The decisions before were those of the real bytes exactly if `code` is then still below
 * `range`.
 */
#define _POSIX_C_SOURCE 200809L
#include "diffgen/beside.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "common/host/hash.h"
#include "diffgen/tasks.h"

#define PAGE 4096
#define PIECES 64u      /* new goes on in so many pieces, */
#define PIECE_MIN 1024u /* of at least so many bytes: the decoder is told of what was made of each */
#define HELD_MAX 24u    /* bytes that a coder holds back: while there are more, the decoder waits */
#define PATIENCE 4000u  /* looks for news before a thread sleeps: to be woken takes both longer than a piece */

/* How far the coder is, and who waits for that. */
struct progress {
    size_t len; /* bytes of payload that are there */
    uint8_t held[HELD_MAX];
    size_t held_len;  /* how the stream could end, */
    kerf_pos new_pos; /* for this part of new */
    bool last;        /* it ends without them */
    bool given_up;
};

struct kerf_beside {
    struct kerf_task task;
    void (*first)(void *ctx); /* what the thread does before it follows; NULL: nothing */
    void *first_ctx;
    atomic_uint news;     /* how often something has changed below */
    pthread_mutex_t lock; /* of: */
    pthread_cond_t changed;
    unsigned asleep; /* threads in pthread_cond_wait() */
    struct progress progress;
    bool first_done;
    const struct kerf_work *w;
    const uint8_t *payload;   /* does not move while the decoder runs */
    size_t payload_len;       /* in the end */
    struct kerf_bytes *bytes; /* of the coder, while it is at work */
    /* Of the decoder: */
    struct kerf_header header;
    struct kerf_codec *codec, *fresh; /* its workspace, and what that was at first */
    size_t codec_len;
    struct kerf_order_of_learned order;
    uint8_t *stream; /* what it is given, */
    size_t stream_len;
    size_t sure;   /* of which so many bytes are the payload's for sure, */
    size_t in_pos; /* and so many were taken */
    size_t written;
    bool checked; /* all of the payload was decoded, and made new */
    uint8_t page[PAGE + KERF_STEP_OUT];
};

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_side *old_side = &((const struct kerf_beside *)ctx)->w->old_side;

    return kerf_selfcheck_read(old_side->bytes, old_side->len, pos, buf, len);
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_beside *b = ctx;

    return kerf_selfcheck_read(b->w->new_side.bytes, b->written, pos, buf, len);
}

/*
 * The stream becomes payload[0 .. len) and held[0 .. held_len), and what was taken of it before is put right. False: it
 * would have been decoded otherwise.
 */
static bool extend(struct kerf_beside *b, size_t len, const uint8_t *held, size_t held_len)
{
    struct kerf_rc_state *coder = &b->codec->coder;
    size_t end = len + held_len > b->in_pos ? len + held_len : b->in_pos;
    int64_t more = 0; /* the stream now less the one before, in units of the last byte that was taken */

    for (size_t i = b->sure; i < end; i++) {
        uint8_t byte = i < len ? b->payload[i] : i < len + held_len ? held[i - len] : 0;

        if (i < b->in_pos) {
            more = more * 256 + byte - b->stream[i];
            if (more > UINT32_MAX || more < -(int64_t)UINT32_MAX) {
                return false;
            }
        }
        b->stream[i] = byte;
    }
    more += coder->code;
    if (more < 0 || more >= coder->range) {
        return false;
    }
    coder->code = (uint32_t)more;
    b->sure = len;
    b->stream_len = len + held_len;
    return true;
}

/* Decodes new up to new_pos, where a step ends; with `last` all that there is. KERF_END: it was all, and is new. */
static kerf_err decode(struct kerf_beside *b, kerf_pos new_pos, bool last)
{
    const struct kerf_side *new_side = &b->w->new_side;
    bool ordered = b->header.model.learned_cap > KERF_SELFCHECK_LEARNED;
    struct kerf_codec_io io = {b, read_old, read_new, ordered ? &b->order : NULL};
    /* No step that begins before new_pos looks at what is behind the stream. */
    size_t in_len = last ? b->stream_len : b->stream_len + KERF_STEP_MAX;
    kerf_err err = KERF_OK;

    while (err == KERF_OK && (last || b->written < new_pos)) {
        size_t room = last || new_pos - b->written > PAGE ? sizeof b->page : new_pos - b->written + KERF_STEP_OUT - 1;
        size_t made = 0;

        err = kerf_codec_step(b->codec, &b->header, &io, b->stream, in_len, last, &b->in_pos, b->page, room, &made);
        if (made > new_side->len - b->written || memcmp(new_side->bytes + b->written, b->page, made) != 0 ||
            (!last && b->in_pos > b->stream_len) || (err == KERF_OK && made == 0)) {
            return KERF_ERR_TARGET;
        }
        b->written += made;
    }
    return err == KERF_END && b->written != new_side->len ? KERF_ERR_TARGET : err;
}

/* There may be news since `seen`: returns soon after there are, or after a while. */
static void look_out(struct kerf_beside *b, unsigned seen)
{
    for (unsigned i = 0; i < PATIENCE && atomic_load_explicit(&b->news, memory_order_relaxed) == seen; i++) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    }
}

/* With the lock: something has changed. */
static void tell_news(struct kerf_beside *b)
{
    (void)atomic_fetch_add_explicit(&b->news, 1, memory_order_relaxed);
    if (b->asleep > 0) {
        (void)pthread_cond_signal(&b->changed);
    }
}

/* With the lock, which is free meanwhile. */
static void wait_for_news(struct kerf_beside *b)
{
    b->asleep++;
    (void)pthread_cond_wait(&b->changed, &b->lock);
    b->asleep--;
}

static void follow(void *ctx)
{
    struct kerf_beside *b = ctx;
    struct progress now = {.last = false};
    kerf_err err = KERF_OK;
    unsigned seen = 0;

    while (err == KERF_OK && !now.last) {
        kerf_pos before = now.new_pos;

        look_out(b, seen);
        (void)pthread_mutex_lock(&b->lock);
        while (b->progress.new_pos == before && !b->progress.last && !b->progress.given_up) {
            wait_for_news(b);
        }
        now = b->progress;
        seen = atomic_load_explicit(&b->news, memory_order_relaxed);
        (void)pthread_mutex_unlock(&b->lock);
        if (now.given_up) {
            err = KERF_ERR_STATE;
        } else if (!extend(b, now.len, now.held, now.held_len)) {
            err = KERF_ERR_CORRUPT;
        }
        if (err == KERF_OK && now.last) {
            b->stream_len = now.len; /* what was taken from behind its end are zeros that a decoder makes up */
        }
        if (err == KERF_OK) {
            err = decode(b, now.new_pos, now.last);
        }
    }
    b->checked = err == KERF_END;
}

static void do_first(void *ctx)
{
    struct kerf_beside *b = ctx;

    b->first(b->first_ctx);
    (void)pthread_mutex_lock(&b->lock);
    b->first_done = true;
    tell_news(b);
    (void)pthread_mutex_unlock(&b->lock);
    follow(b);
}

bool kerf_beside_do(struct kerf_beside *b, void (*run)(void *ctx), void *ctx)
{
    b->first = run;
    b->first_ctx = ctx;
    return kerf_task_start(&b->task, do_first, b);
}

void kerf_beside_done(struct kerf_beside *b)
{
    look_out(b, 0);
    (void)pthread_mutex_lock(&b->lock);
    while (b->task.runs && !b->first_done) {
        wait_for_news(b);
    }
    (void)pthread_mutex_unlock(&b->lock);
}

static void tell(struct kerf_beside *b, const struct progress *progress)
{
    (void)pthread_mutex_lock(&b->lock);
    b->progress = *progress;
    tell_news(b);
    (void)pthread_mutex_unlock(&b->lock);
}

static void give_up(struct kerf_beside *b)
{
    if (b->task.runs) {
        tell(b, &(struct progress){.given_up = true});
        kerf_task_wait(&b->task);
    }
    b->checked = false;
}

struct kerf_beside *kerf_beside_open(void)
{
    struct kerf_beside *b = calloc(1, sizeof *b);

    if (b != NULL && pthread_mutex_init(&b->lock, NULL) != 0) {
        free(b);
        return NULL;
    }
    if (b != NULL && pthread_cond_init(&b->changed, NULL) != 0) {
        (void)pthread_mutex_destroy(&b->lock);
        free(b);
        return NULL;
    }
    return b;
}

void kerf_beside_close(struct kerf_beside *b)
{
    if (b == NULL) {
        return;
    }
    give_up(b);
    (void)pthread_cond_destroy(&b->changed);
    (void)pthread_mutex_destroy(&b->lock);
    free(b->codec);
    free(b->fresh);
    free(b->stream);
    free(b);
}

bool kerf_beside_start(struct kerf_beside *b, const struct kerf_work *w, const struct kerf_header *header,
                       const uint8_t *head, struct kerf_bytes *payload)
{
    size_t most = w->new_side.len + w->new_side.len / 8 + PAGE; /* of literals that nothing packs, and some */

    if (b->payload != NULL || payload->len != 0) {
        return false; /* one coding is enough */
    }
    free(payload->data);
    payload->data = malloc(most);
    payload->cap = payload->data == NULL ? 0 : most;
    b->codec_len = kerf_codec_workspace(header);
    b->codec = calloc(1, b->codec_len);
    b->fresh = malloc(b->codec_len);
    b->stream = malloc(most);
    if (payload->data == NULL || b->codec == NULL || b->fresh == NULL || b->stream == NULL ||
        kerf_codec_init(b->codec, head, header) != KERF_OK) {
        return false;
    }
    memcpy(b->fresh, b->codec, b->codec_len);
    b->w = w;
    b->header = *header;
    b->payload = payload->data;
    b->bytes = payload;
    return b->task.runs || kerf_task_start(&b->task, follow, b); /* it may wait already */
}

kerf_pos kerf_beside_piece(const struct kerf_work *w)
{
    return w->new_side.len / PIECES > PIECE_MIN ? w->new_side.len / PIECES : PIECE_MIN;
}

void kerf_beside_emit(void *beside, uint8_t byte)
{
    struct kerf_beside *b = beside;

    if (b->bytes->len + KERF_STEP_MAX + HELD_MAX >= b->bytes->cap) {
        give_up(b); /* it has to move */
    }
    kerf_bytes_emit(b->bytes, byte);
}

/* What would end the stream if all of new were coded. Returns how many bytes; more than HELD_MAX: too many. */
static size_t hold(const struct kerf_rc *rc, uint8_t held[HELD_MAX])
{
    uint8_t carry = (uint8_t)(rc->low >> 32);
    size_t len = 0;

    if (rc->carry_len + 5 > HELD_MAX) {
        return HELD_MAX + 1;
    }
    if (rc->cache_valid) {
        held[len++] = (uint8_t)(rc->cache + carry);
    }
    for (uint64_t i = 0; i < rc->carry_len; i++) {
        held[len++] = (uint8_t)(0xff + carry);
    }
    /* The first byte of all is 0, and left out. */
    for (unsigned shift = rc->started ? 32 : 24; shift > 0; shift -= 8) {
        held[len++] = (uint8_t)(rc->low >> (shift - 8));
    }
    return len;
}

void kerf_beside_tell(struct kerf_beside *b, const struct kerf_rc *rc, kerf_pos new_pos)
{
    struct progress now = {.len = b->bytes->len, .new_pos = new_pos};

    now.held_len = hold(rc, now.held);
    if (b->task.runs && now.held_len <= HELD_MAX) {
        tell(b, &now);
    }
}

void kerf_beside_end(struct kerf_beside *b, bool complete)
{
    if (!complete || !b->task.runs) {
        give_up(b);
        return;
    }
    b->payload_len = b->bytes->len;
    tell(b, &(struct progress){.len = b->payload_len, .last = true});
}

/* The chunks of the container, whose header was read: the digest of each is in the one before. */
static kerf_err check_chain(const struct kerf_header *header, const uint8_t *delta, size_t delta_len)
{
    struct kerf_chunk chunk;
    const uint8_t *expected = NULL;
    kerf_pos left = header->payload_size;
    size_t at = 0;
    kerf_err err = kerf_chunk_first(header, &chunk);

    while (err == KERF_OK) {
        struct kerf_sha256_digest digest;

        if (chunk.len > delta_len - at) {
            return KERF_ERR_TRUNCATED;
        }
        err = expected == NULL ? KERF_OK : kerf_hash_bytes(delta + at, chunk.len, &digest);
        if (err == KERF_OK && expected != NULL && memcmp(expected, digest.b, KERF_DIGEST_LEN) != 0) {
            err = KERF_ERR_CHUNK;
        }
        at += chunk.len;
        left -= chunk.payload_len;
        if (err != KERF_OK || chunk.last) {
            break;
        }
        expected = delta + at - KERF_DIGEST_LEN;
        kerf_chunk_next(header, left, &chunk);
    }
    return err == KERF_OK && at != delta_len ? KERF_ERR_TRAILING : err;
}

/* Is the decoder that this container begins with the one that the payload was decoded by, and that payload in it? */
static kerf_err check_container(const struct kerf_beside *b, const struct kerf_diff_report *report,
                                const uint8_t *delta, size_t delta_len)
{
    struct kerf_header header;
    const struct kerf_model_params *m = &b->header.model;
    kerf_err err = kerf_header_parse(delta, delta_len, &header);

    if (err == KERF_OK) {
        err = check_chain(&header, delta, delta_len);
    }
    if (err != KERF_OK || header.codec != KERF_CODEC_NATIVE || header.flags != b->header.flags ||
        header.old_size != b->w->old_side.len || header.new_size != b->w->new_side.len ||
        header.payload_size != b->payload_len || header.model.table_code != m->table_code ||
        header.model.classes != m->classes || header.model.map_cap != m->map_cap ||
        header.model.learned_cap != m->learned_cap || kerf_codec_workspace(&header) != b->codec_len ||
        (header.old_size > 0 && memcmp(header.old_digest.b, report->old_digest.b, KERF_DIGEST_LEN) != 0) ||
        memcmp(header.new_digest.b, report->new_digest.b, KERF_DIGEST_LEN) != 0) {
        return err == KERF_OK ? KERF_ERR_STATE : err;
    }
    memset(b->codec, 0, b->codec_len);

    uint8_t *payload = malloc(b->payload_len + 1);

    err = payload == NULL ? KERF_ERR_RAM : kerf_codec_init(b->codec, delta, &header);
    if (err == KERF_OK) {
        err = kerf_unpack(&header, delta, delta_len, payload);
    }
    if (err == KERF_OK &&
        (memcmp(payload, b->payload, b->payload_len) != 0 || memcmp(b->codec, b->fresh, b->codec_len) != 0)) {
        err = KERF_ERR_STATE;
    }
    free(payload);
    return err;
}

kerf_err kerf_beside_finish(struct kerf_beside *b, const struct kerf_bytes *payload,
                            const struct kerf_diff_report *report, const uint8_t *delta, size_t delta_len, bool *done)
{
    if (b->payload == NULL) {
        give_up(b); /* nothing was coded */
    }
    kerf_task_wait(&b->task);
    *done = b->checked && b->payload == payload->data;
    return *done ? check_container(b, report, delta, delta_len) : KERF_OK;
}
