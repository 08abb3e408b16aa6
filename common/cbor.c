/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cbor.h"

#include <string.h>

/* What an item begins with. */
struct head {
    enum kerf_cbor_type type;
    uint64_t value; /* the integer, the length in bytes, the count of items, or the tag */
    size_t start;   /* where it begins in the buffer */
    bool is_key;
};

/* --- Shared by both directions. --- */

/* Records the key buf[pos .. end) as the newest of its map, if it follows the one before in bytewise order. */
static bool key_follows(struct kerf_cbor_level *level, const uint8_t *buf, size_t pos, size_t end)
{
    size_t len = end - pos;

    if (level->key_len != 0) {
        size_t common = len < level->key_len ? len : level->key_len;
        int order = memcmp(buf + level->key_pos, buf + pos, common);

        /* No encoded item is a prefix of another, so that equal bytes mean an equal key. */
        if (order >= 0) {
            return false;
        }
    }
    level->key_pos = (uint32_t)pos; /* buffers are at most KERF_CBOR_MAX_LEN bytes */
    level->key_len = (uint32_t)len;
    return true;
}

static bool may_be_key(enum kerf_cbor_type type)
{
    return type == KERF_CBOR_UINT || type == KERF_CBOR_NINT || type == KERF_CBOR_TEXT;
}

/* Length of the UTF-8 character at p[0..len), 0 for an invalid one: overlong, surrogate, over U+10FFFF, cut off. */
static size_t utf8_char(const uint8_t *p, size_t len)
{
    uint8_t low = 0x80; /* range of the second byte */
    uint8_t high = 0xBF;
    size_t n;

    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        n = 2;
    } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        n = 3;
        low = p[0] == 0xE0 ? 0xA0 : 0x80;
        high = p[0] == 0xED ? 0x9F : 0xBF;
    } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        n = 4;
        low = p[0] == 0xF0 ? 0x90 : 0x80;
        high = p[0] == 0xF4 ? 0x8F : 0xBF;
    } else {
        return 0;
    }
    if (len < n || p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xC0u) != 0x80) {
            return 0;
        }
    }
    return n;
}

static bool utf8_valid(const uint8_t *p, size_t len)
{
    while (len > 0) {
        size_t n = utf8_char(p, len);

        if (n == 0) {
            return false;
        }
        p += n;
        len -= n;
    }
    return true;
}

/* --- Reader. --- */

static kerf_err fail(struct kerf_cbor_reader *r, kerf_err err)
{
    r->err = err;
    return err;
}

void kerf_cbor_reader_init(struct kerf_cbor_reader *r, const uint8_t *buf, size_t len)
{
    memset(r, 0, sizeof *r);
    r->buf = buf;
    r->len = len;
    if (len > KERF_CBOR_MAX_LEN) {
        r->err = KERF_ERR_FORMAT;
    }
}

/* Leaves the containers that are complete. */
static void leave(struct kerf_cbor_reader *r)
{
    while (r->depth > 0 && r->levels[r->depth - 1].left == 0) {
        r->depth--;
    }
}

/* Opens a container of `left` items that is_map or not. */
static kerf_err open_level(struct kerf_cbor_reader *r, uint64_t left, bool is_map)
{
    if (left > r->len - r->pos) { /* each item takes a byte at least; so 32 bits are enough, too */
        return fail(r, KERF_ERR_TRUNCATED);
    }
    if (r->depth == KERF_CBOR_MAX_DEPTH) {
        return fail(r, KERF_ERR_FORMAT);
    }
    r->levels[r->depth] = (struct kerf_cbor_level){(uint32_t)left, 0, 0, is_map};
    r->depth++;
    return KERF_OK;
}

/* Reads the argument of a head whose low five bits are `info`: the shortest form only. */
static kerf_err read_argument(struct kerf_cbor_reader *r, uint8_t info, uint64_t *value)
{
    if (info < 24) {
        *value = info;
        return KERF_OK;
    }
    if (info > 27) {
        return fail(r, KERF_ERR_FORMAT);
    }
    size_t n = (size_t)1 << (info - 24);
    if (r->len - r->pos < n) {
        return fail(r, KERF_ERR_TRUNCATED);
    }
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        v = v << 8 | r->buf[r->pos + i];
    }
    r->pos += n;
    /* What fits into the next shorter form must use it. */
    if (n == 1 ? v < 24 : v >> (n * 4) == 0) {
        return fail(r, KERF_ERR_FORMAT);
    }
    *value = v;
    return KERF_OK;
}

/* Reads the head of the next item and takes the item off what its container still expects. */
static kerf_err read_head(struct kerf_cbor_reader *r, struct head *head)
{
    if (r->err != KERF_OK) {
        return r->err;
    }
    leave(r);
    if (r->depth == 0 && r->pos != 0) { /* a second item at the top */
        return fail(r, KERF_ERR_FORMAT);
    }
    if (r->pos == r->len) {
        return fail(r, KERF_ERR_TRUNCATED);
    }
    head->start = r->pos;
    uint8_t first = r->buf[r->pos++];
    if (first >> 5 > KERF_CBOR_TAG) {
        return fail(r, KERF_ERR_FORMAT);
    }
    head->type = (enum kerf_cbor_type)(first >> 5);
    head->is_key = false;
    if (r->depth > 0) {
        struct kerf_cbor_level *level = &r->levels[r->depth - 1];

        head->is_key = level->is_map && level->left % 2 == 0;
        level->left--;
    }
    if (head->is_key && !may_be_key(head->type)) {
        return fail(r, KERF_ERR_FORMAT);
    }
    return read_argument(r, first & 31, &head->value);
}

/* The rest of an item after its head: content of a string (returned in *v), opening of a container, order of a key. */
static kerf_err read_body(struct kerf_cbor_reader *r, const struct head *head, struct kerf_span *v)
{
    switch (head->type) {
    case KERF_CBOR_UINT:
    case KERF_CBOR_NINT:
        break;
    case KERF_CBOR_BYTES:
    case KERF_CBOR_TEXT:
        if (head->value > r->len - r->pos) {
            return fail(r, KERF_ERR_TRUNCATED);
        }
        *v = (struct kerf_span){r->buf + r->pos, (size_t)head->value};
        r->pos += v->len;
        if (head->type == KERF_CBOR_TEXT && !utf8_valid(v->p, v->len)) {
            return fail(r, KERF_ERR_FORMAT);
        }
        break;
    case KERF_CBOR_ARRAY:
        return open_level(r, head->value, false);
    case KERF_CBOR_MAP:
        if (head->value > KERF_CBOR_MAX_LEN / 2) { /* twice the count must not overflow */
            return fail(r, KERF_ERR_TRUNCATED);
        }
        return open_level(r, head->value * 2, true);
    case KERF_CBOR_TAG:
        return open_level(r, 1, false);
    }
    if (head->is_key && !key_follows(&r->levels[r->depth - 1], r->buf, head->start, r->pos)) {
        return fail(r, KERF_ERR_FORMAT);
    }
    return KERF_OK;
}

/* Reads one item (of a container: its head) that must be of type `type`. */
static kerf_err read_item(struct kerf_cbor_reader *r, enum kerf_cbor_type type, struct head *head, struct kerf_span *v)
{
    kerf_err err = read_head(r, head);

    if (err != KERF_OK) {
        return err;
    }
    if (head->type != type) {
        return fail(r, KERF_ERR_FORMAT);
    }
    return read_body(r, head, v);
}

kerf_err kerf_cbor_read_uint(struct kerf_cbor_reader *r, uint64_t *v)
{
    struct head head = {0};
    struct kerf_span unused;
    kerf_err err = read_item(r, KERF_CBOR_UINT, &head, &unused);

    *v = head.value;
    return err;
}

kerf_err kerf_cbor_read_int(struct kerf_cbor_reader *r, int64_t *v)
{
    struct head head = {0};
    struct kerf_span unused;
    kerf_err err = read_head(r, &head);

    *v = 0;
    if (err != KERF_OK) {
        return err;
    }
    if ((head.type != KERF_CBOR_UINT && head.type != KERF_CBOR_NINT) || head.value > INT64_MAX) {
        return fail(r, KERF_ERR_FORMAT);
    }
    *v = head.type == KERF_CBOR_UINT ? (int64_t)head.value : -1 - (int64_t)head.value;
    return read_body(r, &head, &unused);
}

kerf_err kerf_cbor_read_bytes(struct kerf_cbor_reader *r, struct kerf_span *v)
{
    struct head head;

    *v = (struct kerf_span){NULL, 0};
    return read_item(r, KERF_CBOR_BYTES, &head, v);
}

kerf_err kerf_cbor_read_text(struct kerf_cbor_reader *r, struct kerf_span *v)
{
    struct head head;

    *v = (struct kerf_span){NULL, 0};
    return read_item(r, KERF_CBOR_TEXT, &head, v);
}

kerf_err kerf_cbor_read_array(struct kerf_cbor_reader *r, uint32_t *count)
{
    struct head head = {0};
    struct kerf_span unused;
    kerf_err err = read_item(r, KERF_CBOR_ARRAY, &head, &unused);

    *count = err == KERF_OK ? (uint32_t)head.value : 0; /* open_level() checked the range */
    return err;
}

kerf_err kerf_cbor_read_map(struct kerf_cbor_reader *r, uint32_t *count)
{
    struct head head = {0};
    struct kerf_span unused;
    kerf_err err = read_item(r, KERF_CBOR_MAP, &head, &unused);

    *count = err == KERF_OK ? (uint32_t)head.value : 0;
    return err;
}

kerf_err kerf_cbor_read_tag(struct kerf_cbor_reader *r, uint64_t *tag)
{
    struct head head = {0};
    struct kerf_span unused;
    kerf_err err = read_item(r, KERF_CBOR_TAG, &head, &unused);

    *tag = head.value;
    return err;
}

kerf_err kerf_cbor_peek(struct kerf_cbor_reader *r, enum kerf_cbor_type *type)
{
    struct kerf_cbor_reader copy = *r; /* nothing of the reader may move, and it may not fail for a look */
    struct head head;
    kerf_err err = read_head(&copy, &head);

    if (err == KERF_OK) {
        *type = head.type;
    }
    return err;
}

kerf_err kerf_cbor_skip(struct kerf_cbor_reader *r, struct kerf_span *item)
{
    struct kerf_span unused;
    struct head head;

    leave(r);
    size_t start = r->pos;
    uint8_t depth = r->depth;
    do {
        kerf_err err = read_head(r, &head);

        if (err == KERF_OK) {
            err = read_body(r, &head, &unused);
        }
        if (err != KERF_OK) {
            return err;
        }
        leave(r);
    } while (r->depth > depth); /* each turn reads at least a byte */
    if (item != NULL) {
        *item = (struct kerf_span){r->buf + start, r->pos - start};
    }
    return KERF_OK;
}

kerf_err kerf_cbor_reader_end(const struct kerf_cbor_reader *r)
{
    if (r->err != KERF_OK) {
        return r->err;
    }
    for (uint8_t i = 0; i < r->depth; i++) {
        if (r->levels[i].left != 0) {
            return KERF_ERR_TRUNCATED;
        }
    }
    if (r->pos == 0) {
        return KERF_ERR_TRUNCATED;
    }
    return r->pos == r->len ? KERF_OK : KERF_ERR_TRAILING;
}

/* --- Writer. --- */

void kerf_cbor_writer_init(struct kerf_cbor_writer *w, uint8_t *buf, size_t cap)
{
    memset(w, 0, sizeof *w);
    w->buf = buf;
    w->cap = cap > KERF_CBOR_MAX_LEN ? KERF_CBOR_MAX_LEN : cap;
}

/* Appends bytes; false, with the error kept, where they don't fit. */
static bool put_raw(struct kerf_cbor_writer *w, const uint8_t *p, size_t len)
{
    if (w->err != KERF_OK) {
        return false;
    }
    if (len > w->cap - w->len) {
        w->err = KERF_ERR_SPACE;
        return false;
    }
    if (len > 0) { /* memcpy may not be given NULL */
        memcpy(w->buf + w->len, p, len);
        w->len += len;
    }
    return true;
}

/* Writes a head in its shortest form to head[0..9) and returns its length. */
static size_t make_head(enum kerf_cbor_type type, uint64_t value, uint8_t *head)
{
    uint8_t info = 24; /* 24, 25, 26, 27: 1, 2, 4, 8 bytes follow */
    size_t n = 1;

    if (value < 24) {
        head[0] = (uint8_t)((unsigned)type << 5 | (unsigned)value);
        return 1;
    }
    while (n < 8 && value >> 8 * n != 0) {
        n *= 2;
        info++;
    }
    head[0] = (uint8_t)((unsigned)type << 5 | info);
    for (size_t i = 0; i < n; i++) {
        head[1 + i] = (uint8_t)(value >> 8 * (n - 1 - i));
    }
    return 1 + n;
}

/* Appends a whole item: head, and for strings what follows it. */
static void put_item(struct kerf_cbor_writer *w, enum kerf_cbor_type type, uint64_t value, const uint8_t *p, size_t len)
{
    uint8_t head[9];
    size_t head_len = make_head(type, value, head);
    struct kerf_cbor_level *level = NULL;
    size_t start = w->len;

    if (w->err != KERF_OK) {
        return;
    }
    while (w->depth > 0 && w->levels[w->depth - 1].left == 0) {
        w->depth--;
    }
    if (w->depth > 0) {
        level = &w->levels[w->depth - 1];
    }
    bool is_key = level != NULL && level->is_map && level->left % 2 == 0;
    if ((level == NULL && w->len != 0) || (is_key && !may_be_key(type))) {
        w->err = KERF_ERR_ARGUMENT;
        return;
    }
    if (!put_raw(w, head, head_len) || !put_raw(w, p, len)) {
        return;
    }
    if (level != NULL) {
        level->left--;
    }
    if (is_key && !key_follows(level, w->buf, start, w->len)) {
        w->err = KERF_ERR_ARGUMENT;
    }
}

/* Appends the head of a container and opens it. */
static void put_container(struct kerf_cbor_writer *w, enum kerf_cbor_type type, uint64_t value, uint32_t left)
{
    put_item(w, type, value, NULL, 0);
    if (w->err != KERF_OK) {
        return;
    }
    if (w->depth == KERF_CBOR_MAX_DEPTH) {
        w->err = KERF_ERR_ARGUMENT;
        return;
    }
    w->levels[w->depth] = (struct kerf_cbor_level){left, 0, 0, type == KERF_CBOR_MAP};
    w->depth++;
}

void kerf_cbor_put_uint(struct kerf_cbor_writer *w, uint64_t v)
{
    put_item(w, KERF_CBOR_UINT, v, NULL, 0);
}

void kerf_cbor_put_int(struct kerf_cbor_writer *w, int64_t v)
{
    if (v >= 0) {
        put_item(w, KERF_CBOR_UINT, (uint64_t)v, NULL, 0);
    } else {
        put_item(w, KERF_CBOR_NINT, (uint64_t)(-1 - v), NULL, 0); /* -1 - v can't overflow for v < 0 */
    }
}

void kerf_cbor_put_bytes(struct kerf_cbor_writer *w, const uint8_t *p, size_t len)
{
    put_item(w, KERF_CBOR_BYTES, len, p, len);
}

void kerf_cbor_put_text(struct kerf_cbor_writer *w, const uint8_t *p, size_t len)
{
    if (w->err == KERF_OK && !utf8_valid(p, len)) {
        w->err = KERF_ERR_ARGUMENT;
    }
    put_item(w, KERF_CBOR_TEXT, len, p, len);
}

void kerf_cbor_put_array(struct kerf_cbor_writer *w, uint32_t count)
{
    put_container(w, KERF_CBOR_ARRAY, count, count);
}

void kerf_cbor_put_map(struct kerf_cbor_writer *w, uint32_t count)
{
    if (w->err == KERF_OK && count > UINT32_MAX / 2) {
        w->err = KERF_ERR_ARGUMENT;
    }
    put_container(w, KERF_CBOR_MAP, count, count * 2);
}

void kerf_cbor_put_tag(struct kerf_cbor_writer *w, uint64_t tag)
{
    put_container(w, KERF_CBOR_TAG, tag, 1);
}

kerf_err kerf_cbor_writer_end(const struct kerf_cbor_writer *w, size_t *len)
{
    if (w->err != KERF_OK) {
        return w->err;
    }
    for (uint8_t i = 0; i < w->depth; i++) {
        if (w->levels[i].left != 0) {
            return KERF_ERR_ARGUMENT;
        }
    }
    if (w->len == 0) {
        return KERF_ERR_ARGUMENT;
    }
    *len = w->len;
    return KERF_OK;
}
