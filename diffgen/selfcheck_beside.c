/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-check where one coding is all there is: a second thread runs the shipped decoder on the payload while it is made, a little
 * behind the coder, in a workspace of the declared size. What is left for the end is the container around the payload.
 */
#define _POSIX_C_SOURCE 200809L
#include "diffgen/beside.h"

#include <pthread.h>
#include <string.h>

#include "common/host/hash.h"
#include "diffgen/tasks.h"

#define PAGE 4096
#define PIECES 64u      /* new goes on in so many pieces, */
#define PIECE_MIN 1024u /* of at least so many bytes: the decoder is told of what was made of each */
#define RECENT 8u       /* bytes of payload, of which it is known where in new they came out; a power of two */
/*
 * The decoder takes three bytes before the first decision, then one where the coder moves one out of `low`. Of those the first is no byte
 * of the payload, and the newest waits for a carry. So when byte k, counted from 1, comes out on the way from a position of new, all steps
 * up to there take k + LEAD bytes at most; unless byte k + 1 comes out there too.
 */
#define LEAD 4u

/* How far the coder is, and who waits for that. */
struct progress {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t len;       /* bytes of payload that are there */
    kerf_pos new_pos; /* up to here in new nothing behind them is taken */
    bool last;        /* they are all */
    bool given_up;
};

struct kerf_beside {
    struct kerf_task task;
    struct progress progress;
    const struct kerf_work *w;
    const uint8_t *payload; /* does not move while the decoder runs */
    size_t payload_len;     /* in the end */
    /* Of the coder, while it is at work: */
    struct kerf_bytes *bytes;
    const struct kerf_codec *coder;
    kerf_pos from[RECENT]; /* where in new it was when it put out byte k, at k modulo RECENT */
    kerf_pos told, piece;  /* the decoder was told of new up to `told` */
    /* Of the decoder: */
    struct kerf_header header;
    struct kerf_codec *codec, *fresh; /* its workspace, and what that was at first */
    size_t codec_len;
    struct kerf_order_of_learned order;
    size_t written;
    bool checked; /* all of the payload was decoded, and made new */
    uint8_t page[PAGE + KERF_STEP_OUT];
};

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_side *old_side = &((const struct kerf_beside *)ctx)->w->old_side;

    if (pos > old_side->len || len > old_side->len - pos) {
        return KERF_ERR_STATE;
    }
    memcpy(buf, old_side->bytes + pos, len);
    return KERF_OK;
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_beside *b = ctx;

    if (pos > b->written || len > b->written - pos) {
        return KERF_ERR_STATE;
    }
    memcpy(buf, b->w->new_side.bytes + pos, len);
    return KERF_OK;
}

/* Decodes new up to new_pos; with `last` all that there is. KERF_END: it was all, and is new. */
static kerf_err decode(struct kerf_beside *b, size_t len, kerf_pos new_pos, bool last, size_t *in_pos)
{
    const struct kerf_side *new_side = &b->w->new_side;
    bool many = b->header.model.learned_cap > KERF_SELFCHECK_LEARNED;
    struct kerf_codec_io io = {.ctx = b, .read_old = read_old, .read_new = read_new, .order = many ? &b->order : NULL};
    /* Behind `len` there is nothing yet, and it is not looked at: no step begins at new_pos. */
    size_t in_len = last ? len : len + KERF_STEP_MAX;
    kerf_err err = KERF_OK;

    while (err == KERF_OK && (last || b->written < new_pos)) {
        size_t room = last || new_pos - b->written > PAGE ? sizeof b->page : new_pos - b->written + KERF_STEP_OUT - 1;
        size_t made = 0;

        err = kerf_codec_step(b->codec, &b->header, &io, b->payload, in_len, last, in_pos, b->page, room, &made);
        if (made > new_side->len - b->written || memcmp(new_side->bytes + b->written, b->page, made) != 0 ||
            *in_pos > len || (err == KERF_OK && made == 0)) {
            return KERF_ERR_TARGET;
        }
        b->written += made;
    }
    return err == KERF_END && b->written != new_side->len ? KERF_ERR_TARGET : err;
}

static void follow(void *ctx)
{
    struct kerf_beside *b = ctx;
    struct progress *p = &b->progress;
    kerf_err err = KERF_OK;
    size_t in_pos = 0;
    size_t len = 0;
    kerf_pos new_pos = 0;
    bool last = false;

    while (err == KERF_OK && !last) {
        (void)pthread_mutex_lock(&p->lock);
        while (p->new_pos == new_pos && !p->last && !p->given_up) {
            (void)pthread_cond_wait(&p->changed, &p->lock);
        }
        len = p->len;
        new_pos = p->new_pos;
        last = p->last;
        err = p->given_up ? KERF_ERR_STATE : KERF_OK;
        (void)pthread_mutex_unlock(&p->lock);
        if (err == KERF_OK) {
            err = decode(b, len, new_pos, last, &in_pos);
        }
    }
    b->checked = err == KERF_END;
}

static void tell(struct kerf_beside *b, bool last)
{
    struct progress *p = &b->progress;

    (void)pthread_mutex_lock(&p->lock);
    p->len = b->bytes->len;
    p->new_pos = b->told;
    p->last = last;
    (void)pthread_cond_signal(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
}

static void give_up(struct kerf_beside *b)
{
    if (b->task.runs) {
        (void)pthread_mutex_lock(&b->progress.lock);
        b->progress.given_up = true;
        (void)pthread_cond_signal(&b->progress.changed);
        (void)pthread_mutex_unlock(&b->progress.lock);
        kerf_task_wait(&b->task);
    }
    b->checked = false;
}

struct kerf_beside *kerf_beside_open(void)
{
    struct kerf_beside *b = calloc(1, sizeof *b);

    if (b != NULL && pthread_mutex_init(&b->progress.lock, NULL) != 0) {
        free(b);
        return NULL;
    }
    if (b != NULL && pthread_cond_init(&b->progress.changed, NULL) != 0) {
        (void)pthread_mutex_destroy(&b->progress.lock);
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
    (void)pthread_cond_destroy(&b->progress.changed);
    (void)pthread_mutex_destroy(&b->progress.lock);
    free(b->codec);
    free(b->fresh);
    free(b);
}

bool kerf_beside_start(struct kerf_beside *b, const struct kerf_work *w, const struct kerf_header *header,
                       const uint8_t *head, const struct kerf_codec *coder, struct kerf_bytes *payload)
{
    size_t most = w->new_side.len + w->new_side.len / 8 + PAGE; /* of literals that nothing packs, and some */

    give_up(b);
    free(b->codec);
    free(b->fresh);
    b->codec_len = kerf_codec_workspace(header);
    b->codec = calloc(1, b->codec_len);
    b->fresh = calloc(1, b->codec_len);
    if (b->codec == NULL || b->fresh == NULL || kerf_codec_init(b->codec, head, header) != KERF_OK ||
        payload->len != 0) {
        return false;
    }
    free(payload->data);
    payload->data = malloc(most);
    payload->cap = payload->data == NULL ? 0 : most;
    memcpy(b->fresh, b->codec, b->codec_len);
    b->w = w;
    b->header = *header;
    b->payload = payload->data;
    b->bytes = payload;
    b->coder = coder;
    b->piece = w->new_side.len / PIECES > PIECE_MIN ? w->new_side.len / PIECES : PIECE_MIN;
    b->told = 0;
    b->written = 0;
    b->progress.len = 0;
    b->progress.new_pos = 0;
    b->progress.last = false;
    b->progress.given_up = false;
    memset(b->from, 0, sizeof b->from);
    return payload->data != NULL && kerf_task_start(&b->task, follow, b);
}

void kerf_beside_emit(void *beside, uint8_t byte)
{
    struct kerf_beside *b = beside;

    if (b->bytes->len + KERF_STEP_MAX >= b->bytes->cap) {
        give_up(b); /* it has to move */
    }
    kerf_bytes_emit(b->bytes, byte);
    b->from[b->bytes->len % RECENT] = b->coder->new_pos;
    if (b->bytes->len <= LEAD || !b->task.runs) {
        return;
    }
    kerf_pos to = b->from[(b->bytes->len - LEAD) % RECENT];

    if (to >= b->told + b->piece && to != b->from[(b->bytes->len - LEAD + 1) % RECENT]) {
        b->told = to;
        tell(b, false);
    }
}

void kerf_beside_end(struct kerf_beside *b, bool complete)
{
    if (complete && b->task.runs) {
        b->payload_len = b->bytes->len;
        tell(b, true);
    } else {
        give_up(b);
    }
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
        header.model.flag_class != m->flag_class || header.model.map_cap != m->map_cap ||
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
    kerf_task_wait(&b->task);
    *done = b->checked && b->payload == payload->data;
    return *done ? check_container(b, report, delta, delta_len) : KERF_OK;
}
