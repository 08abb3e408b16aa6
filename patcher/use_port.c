/* SPDX-License-Identifier: Apache-2.0 */
/* A clear workspace, and the port as the phases use it. */
#include "patcher/state.h"

#include <string.h>

kerf_err kerf_state_open(struct kerf_patcher *p, size_t workspace_len, const struct kerf_port *port)
{
    if (workspace_len < kerf_patcher_workspace_min(port)) {
        return KERF_ERR_RAM;
    }
    memset(p, 0, workspace_len); /* all of it: what a checkpoint copies shall not be what lay there before */
    p->port = port;
    p->page_max = workspace_len - port->page_size - KERF_STEP_OUT;
    return KERF_OK;
}

kerf_err kerf_read(struct kerf_patcher *p, kerf_read_callback *read, kerf_pos pos, uint8_t *buf, size_t len)
{
    if (p->err == 0) {
        p->err = KERF_ERROR(read(p->port->io.ctx, pos, buf, len));
    }
    return kerf_error(p->err);
}

static void hash(struct kerf_patcher *p, enum kerf_hash_op op, const uint8_t *data, size_t len)
{
    if (p->err == 0) {
        p->err = KERF_ERROR(p->port->hash(p->port->io.ctx, op, data, len, &p->digest));
    }
}

void kerf_sum_add(struct kerf_patcher *p, const uint8_t *data, size_t len)
{
    if (p->verified_pos == 0) {
        hash(p, KERF_HASH_START, NULL, 0);
    }
    hash(p, KERF_HASH_ADD, data, len);
    p->verified_pos += (kerf_pos)len;
}

void kerf_sum_end(struct kerf_patcher *p, const uint8_t *expected, uint8_t wrong)
{
    hash(p, KERF_HASH_END, NULL, 0);
    p->verified_pos = 0;
    if (memcmp(p->digest.b, expected, KERF_DIGEST_LEN) != 0) {
        kerf_fail(p, wrong);
    }
}

void kerf_digest_copy(uint8_t *to, const uint8_t *from)
{
    memcpy(to, from, KERF_DIGEST_LEN);
}

kerf_err kerf_port_flush(const struct kerf_port *port)
{
    return port->flush != NULL ? port->flush(port->io.ctx) : KERF_OK;
}

void kerf_flush(struct kerf_patcher *p)
{
    if (p->err == 0) {
        p->err = KERF_ERROR(kerf_port_flush(p->port));
    }
}

void kerf_put(struct kerf_patcher *p, bool spare, const uint8_t *data, size_t len)
{
    const struct kerf_port *port = p->port;
    const struct kerf_flash *flash = KERF_JOURNAL && spare ? &port->spare : &port->slot;
    kerf_pos pos = p->page_pos;

    p->page_pos = pos + (kerf_pos)len;
    if ((p->flags & STATE_DRY_RUN) != 0 || p->err != 0) {
        return;
    }
    if (flash->sector_size != 0 && pos % flash->sector_size == 0) {
        p->err = KERF_ERROR(flash->erase(port->io.ctx, pos));
    }
    if (p->err == 0) {
        p->err = KERF_ERROR(flash->write(port->io.ctx, pos, data, len));
    }
}
