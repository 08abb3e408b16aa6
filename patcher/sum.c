/* SPDX-License-Identifier: Apache-2.0 */
/* The port's hash and flush, as the phases use them. */
#include "patcher/state.h"

#include <string.h>

kerf_err kerf_sum_add(struct kerf_patcher *p, const struct kerf_port *port, const uint8_t *data, size_t len)
{
    kerf_err err = KERF_OK;

    if (p->status.verified_pos == 0) {
        err = port->hash(port->ctx, KERF_HASH_START, NULL, 0, NULL);
    }
    if (err == KERF_OK) {
        err = port->hash(port->ctx, KERF_HASH_ADD, data, len, NULL);
    }
    p->status.verified_pos += (kerf_pos)len;
    return err;
}

kerf_err kerf_sum_end(const struct kerf_port *port, struct kerf_sha256_digest *digest)
{
    return port->hash(port->ctx, KERF_HASH_END, NULL, 0, digest);
}

kerf_err kerf_sum_check(const struct kerf_port *port, uint8_t *expected, bool known, kerf_err wrong)
{
    struct kerf_sha256_digest digest;
    kerf_err err = kerf_sum_end(port, &digest);

    if (err == KERF_OK && known) {
        return memcmp(digest.b, expected, KERF_DIGEST_LEN) == 0 ? KERF_OK : wrong;
    }
    kerf_digest_copy(expected, digest.b);
    return err;
}

void kerf_digest_copy(uint8_t *to, const uint8_t *from)
{
    memcpy(to, from, KERF_DIGEST_LEN);
}

kerf_err kerf_port_flush(const struct kerf_port *port)
{
    return port->flush_new != NULL ? port->flush_new(port->ctx) : KERF_OK;
}
