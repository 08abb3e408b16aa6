/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes: read by skip, and item by item; what is accepted has one encoding, so that writing it gives the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "common/cbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* Copies one item of the reader to the writer; false: it wasn't accepted. */
static bool copy_item(struct kerf_cbor_reader *r, struct kerf_cbor_writer *w)
{
    enum kerf_cbor_type type;
    struct kerf_span span;
    uint32_t count;
    uint64_t u;
    int64_t i;

    if (kerf_cbor_peek(r, &type) != KERF_OK) {
        return false;
    }
    switch (type) {
    case KERF_CBOR_UINT:
        if (kerf_cbor_read_uint(r, &u) != KERF_OK) {
            return false;
        }
        kerf_cbor_put_uint(w, u);
        return true;
    case KERF_CBOR_NINT:
        if (kerf_cbor_read_int(r, &i) != KERF_OK) {
            return false;
        }
        kerf_cbor_put_int(w, i);
        return true;
    case KERF_CBOR_BYTES:
        if (kerf_cbor_read_bytes(r, &span) != KERF_OK) {
            return false;
        }
        kerf_cbor_put_bytes(w, span.p, span.len);
        return true;
    case KERF_CBOR_TEXT:
        if (kerf_cbor_read_text(r, &span) != KERF_OK) {
            return false;
        }
        kerf_cbor_put_text(w, span.p, span.len);
        return true;
    case KERF_CBOR_ARRAY:
        if (kerf_cbor_read_array(r, &count) != KERF_OK) {
            return false;
        }
        kerf_cbor_put_array(w, count);
        return true;
    case KERF_CBOR_MAP:
        if (kerf_cbor_read_map(r, &count) != KERF_OK) {
            return false;
        }
        kerf_cbor_put_map(w, count);
        return true;
    case KERF_CBOR_TAG:
        if (kerf_cbor_read_tag(r, &u) != KERF_OK) {
            return false;
        }
        kerf_cbor_put_tag(w, u);
        return true;
    }
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kerf_cbor_reader r;
    struct kerf_cbor_writer w;
    struct kerf_span item = {NULL, 0};
    size_t written = 0;
    uint8_t *buf = malloc(len + 1);

    if (buf == NULL) {
        return 0;
    }
    kerf_cbor_reader_init(&r, data, len);
    bool skipped = kerf_cbor_skip(&r, &item) == KERF_OK;
    expect(!skipped || (item.p == data && item.len == r.pos));
    bool whole = skipped && kerf_cbor_reader_end(&r) == KERF_OK;

    kerf_cbor_reader_init(&r, data, len);
    kerf_cbor_writer_init(&w, buf, len);
    while (kerf_cbor_reader_end(&r) == KERF_ERR_TRUNCATED && copy_item(&r, &w)) {
    }
    if (kerf_cbor_reader_end(&r) == KERF_OK) {
        expect(whole);
        expect(kerf_cbor_writer_end(&w, &written) == KERF_OK);
        expect(written == len && memcmp(buf, data, len) == 0);
    }
    free(buf);
    return 0;
}
