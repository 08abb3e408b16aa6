/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/state.h"

#define PIECE 4096u /* bytes hashed in one call of feed(), and read at most at once */

kerf_err kerf_digest_more(struct kerf_patcher *p, const struct kerf_port *port, const uint8_t *memory,
                          kerf_err (*read)(void *ctx, kerf_pos pos, uint8_t *buf, size_t len), kerf_pos total,
                          struct kerf_sha256_digest *digest)
{
    kerf_pos end = total - p->hashed < PIECE ? total : p->hashed + PIECE;
    kerf_err err = KERF_OK;

    if (p->hashed == 0) {
        err = port->hash(port->ctx, KERF_HASH_START, NULL, 0, NULL);
    }
    while (err == KERF_OK && p->hashed < end) {
        size_t n = (size_t)(end - p->hashed);
        const uint8_t *data = memory;

        if (data != NULL) {
            data += p->hashed;
        } else {
            uint8_t *page = page_of(p);

            n = n < port->page_size ? n : port->page_size;
            err = read(port->ctx, p->hashed, page, n);
            if (err != KERF_OK) {
                break;
            }
            data = page;
        }
        err = port->hash(port->ctx, KERF_HASH_ADD, data, n, NULL);
        p->hashed += (kerf_pos)n;
    }
    if (err != KERF_OK) {
        return err;
    }
    if (p->hashed < total) {
        return KERF_MORE_WORK;
    }
    p->hashed = 0;
    return port->hash(port->ctx, KERF_HASH_END, NULL, 0, digest);
}
