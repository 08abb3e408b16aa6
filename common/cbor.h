/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cbor.h - the part of CBOR (RFC 8949) that Kerf's documents use, in its one deterministic form (section 4.2.1).
 *
 * Unsigned and negative integers, byte strings, UTF-8 text, arrays, maps and tags; nothing else: no floats, no simple
 * values, no indefinite lengths. The reader refuses every other way of writing the same thing: a head longer than
 * needed, map keys out of order or twice, a key that is neither integer nor text, more than KERF_CBOR_MAX_DEPTH levels.
 *
 * Both work over the caller's buffer, allocate nothing, don't recurse, and may be copied. Once one has failed it stays
 * failed: every later call returns (or does) the same. State: under 300 bytes; stack: under 100 bytes.
 * Byte by byte: docs/METADATA.md, "Encoding".
 */
#ifndef KERF_COMMON_CBOR_H
#define KERF_COMMON_CBOR_H

#include "common/error.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KERF_CBOR_MAX_DEPTH 8       /* arrays, maps and tags inside one another */
#define KERF_CBOR_MAX_LEN INT32_MAX /* bytes of a buffer that is read */

/* Major types; the values are those of the wire. */
enum kerf_cbor_type {
    KERF_CBOR_UINT = 0,
    KERF_CBOR_NINT = 1,
    KERF_CBOR_BYTES = 2,
    KERF_CBOR_TEXT = 3,
    KERF_CBOR_ARRAY = 4,
    KERF_CBOR_MAP = 5,
    KERF_CBOR_TAG = 6,
};

/* Bytes that lie in somebody else's buffer; not NUL-terminated, valid as long as that buffer. */
struct kerf_span {
    const uint8_t *p;
    size_t len;
};

/* A container that is open: how much is missing, and the key that the next one must follow. */
struct kerf_cbor_level {
    uint32_t left;    /* items to come; a map counts key and value apart */
    uint32_t key_pos; /* the previous key, encoded; key_len 0: none yet */
    uint32_t key_len;
    bool is_map;
};

struct kerf_cbor_reader {
    const uint8_t *buf;
    size_t len; /* bytes */
    size_t pos; /* next byte to read */
    kerf_err err;
    uint8_t depth; /* levels open */
    struct kerf_cbor_level levels[KERF_CBOR_MAX_DEPTH];
};

/*
 * Starts to read buf[0..len); the buffer must stay as it is while it is read. One item is expected at the top; what
 * follows it may be looked at through kerf_cbor_reader.pos. len over KERF_CBOR_MAX_LEN: the first call fails with
 * KERF_ERR_FORMAT.
 */
void kerf_cbor_reader_init(struct kerf_cbor_reader *r, const uint8_t *buf, size_t len);

/*
 * Each reads the next item. KERF_ERR_TRUNCATED: the buffer ends first. KERF_ERR_FORMAT: an item of another type, not in
 * deterministic form, out of range, or more items than the container around it has. A container counts as left when its
 * last item is read: there is no call to leave it. Strings are returned as views into the buffer.
 */
KERF_MUST_USE kerf_err kerf_cbor_read_uint(struct kerf_cbor_reader *r, uint64_t *v);
KERF_MUST_USE kerf_err kerf_cbor_read_int(struct kerf_cbor_reader *r, int64_t *v); /* -2^63 .. 2^63-1 */
KERF_MUST_USE kerf_err kerf_cbor_read_bytes(struct kerf_cbor_reader *r, struct kerf_span *v);
KERF_MUST_USE kerf_err kerf_cbor_read_text(struct kerf_cbor_reader *r, struct kerf_span *v); /* valid UTF-8 */
KERF_MUST_USE kerf_err kerf_cbor_read_array(struct kerf_cbor_reader *r, uint32_t *count);    /* items that follow */
KERF_MUST_USE kerf_err kerf_cbor_read_map(struct kerf_cbor_reader *r, uint32_t *count);      /* pairs that follow */
KERF_MUST_USE kerf_err kerf_cbor_read_tag(struct kerf_cbor_reader *r, uint64_t *tag);        /* one item follows */

/* Type of the next item, which stays to be read. KERF_ERR_TRUNCATED or KERF_ERR_FORMAT (a type outside the subset). */
KERF_MUST_USE kerf_err kerf_cbor_peek(struct kerf_cbor_reader *r, enum kerf_cbor_type *type);

/* Reads one whole item, whatever it is, checks it as the others do, and returns the bytes it takes. `item` may be NULL. */
KERF_MUST_USE kerf_err kerf_cbor_skip(struct kerf_cbor_reader *r, struct kerf_span *item);

/* After the top item: KERF_OK when it is complete and nothing follows it; else KERF_ERR_TRAILING or KERF_ERR_TRUNCATED. */
KERF_MUST_USE kerf_err kerf_cbor_reader_end(const struct kerf_cbor_reader *r);

struct kerf_cbor_writer {
    uint8_t *buf;
    size_t cap; /* bytes */
    size_t len; /* bytes written; beyond an error: unspecified */
    kerf_err err;
    uint8_t depth;
    struct kerf_cbor_level levels[KERF_CBOR_MAX_DEPTH];
};

/* Starts to write to buf[0..cap). */
void kerf_cbor_writer_init(struct kerf_cbor_writer *w, uint8_t *buf, size_t cap);

/*
 * Each appends an item, in shortest form. Errors are kept and answered by kerf_cbor_writer_end(): KERF_ERR_SPACE: the
 * buffer is full. KERF_ERR_ARGUMENT: keys not in order, a key of a wrong type, text that isn't UTF-8, too deep, or more
 * items than announced.
 */
void kerf_cbor_put_uint(struct kerf_cbor_writer *w, uint64_t v);
void kerf_cbor_put_int(struct kerf_cbor_writer *w, int64_t v);
void kerf_cbor_put_bytes(struct kerf_cbor_writer *w, const uint8_t *p, size_t len);
void kerf_cbor_put_text(struct kerf_cbor_writer *w, const uint8_t *p, size_t len);
void kerf_cbor_put_array(struct kerf_cbor_writer *w, uint32_t count); /* `count` items follow */
void kerf_cbor_put_map(struct kerf_cbor_writer *w, uint32_t count);   /* `count` pairs follow */
void kerf_cbor_put_tag(struct kerf_cbor_writer *w, uint64_t tag);     /* one item follows */

/* The first error, or KERF_OK with *len bytes written; KERF_ERR_ARGUMENT when announced items are missing. */
KERF_MUST_USE kerf_err kerf_cbor_writer_end(const struct kerf_cbor_writer *w, size_t *len);

#ifdef __cplusplus
}
#endif

#endif
