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

static kerf_err hash(struct kerf_patcher *p, enum kerf_hash_op op, const uint8_t *data, size_t len)
{
    return p->port->hash(p->port->io.ctx, op, data, len, &p->digest);
}

kerf_err kerf_sum_add(struct kerf_patcher *p, const uint8_t *data, size_t len)
{
    kerf_err err = p->verified_pos == 0 ? hash(p, KERF_HASH_START, NULL, 0) : KERF_OK;

    if (err == KERF_OK) {
        err = hash(p, KERF_HASH_ADD, data, len);
    }
    p->verified_pos += (kerf_pos)len;
    return err;
}

kerf_err kerf_sum_end(struct kerf_patcher *p, const uint8_t *expected, kerf_err wrong)
{
    kerf_err err = hash(p, KERF_HASH_END, NULL, 0);

    p->verified_pos = 0;
    return err == KERF_OK && memcmp(p->digest.b, expected, KERF_DIGEST_LEN) != 0 ? wrong : err;
}

void kerf_digest_copy(uint8_t *to, const uint8_t *from)
{
    memcpy(to, from, KERF_DIGEST_LEN);
}

kerf_err kerf_port_flush(const struct kerf_port *port)
{
    return port->flush != NULL ? port->flush(port->io.ctx) : KERF_OK;
}

kerf_err kerf_put(struct kerf_patcher *p, bool spare, const uint8_t *data, size_t len)
{
    const struct kerf_port *port = p->port;
    const struct kerf_flash *flash = KERF_JOURNAL && spare ? &port->spare : &port->slot;
    kerf_pos pos = p->page_pos;
    kerf_err err = KERF_OK;

    p->page_pos = pos + (kerf_pos)len;
    if ((p->flags & STATE_DRY_RUN) != 0) {
        return KERF_OK;
    }
    if (flash->sector_size != 0 && pos % flash->sector_size == 0) {
        err = flash->erase(port->io.ctx, pos);
    }
    return err == KERF_OK ? flash->write(port->io.ctx, pos, data, len) : err;
}
