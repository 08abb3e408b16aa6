/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/port/examples/updater.h"

kerf_err kerf_updater_begin(struct kerf_updater *u, const struct kerf_port *port, void *workspace, size_t workspace_len,
                            const struct kerf_patcher_expect *expect, void (*kick)(void), kerf_pos *delta_pos)
{
    static const uint8_t nothing;
    struct kerf_patcher_status status;
    kerf_err err = KERF_NONE;

    u->port = port;
    u->kick = kick;
    *delta_pos = 0;
#if KERF_JOURNAL
    if (port->journal_size > 0) {
        err = kerf_patcher_resume(workspace, workspace_len, port, expect, &u->patcher);
    }
#endif
    if (err == KERF_NONE) {
        return kerf_patcher_init(workspace, workspace_len, port, expect, 0, &u->patcher);
    }
    if (err == KERF_OK) {
        /* All of the delta may be in the checkpoint already: first what can be done without more of it. */
        err = kerf_updater_feed(u, &nothing, 0);
        kerf_patcher_status(u->patcher, &status);
        *delta_pos = status.delta_pos;
    }
    return err == KERF_MORE_INPUT ? KERF_OK : err;
}

kerf_err kerf_updater_feed(struct kerf_updater *u, const uint8_t *data, size_t len)
{
    for (;;) {
        size_t used;
        kerf_err err = kerf_patcher_feed(u->patcher, u->port, data, len, &used);

        data += used;
        len -= used;
        if (u->kick != NULL) {
            u->kick();
        }
        /* What is left after the end is an error, which the next call says. */
        if (err != KERF_MORE_WORK && (err != KERF_END || len == 0)) {
            return err;
        }
    }
}

kerf_err kerf_updater_forget(struct kerf_updater *u)
{
#if KERF_JOURNAL
    if (u->port->journal_size > 0) {
        return kerf_patcher_forget(u->patcher, u->port);
    }
#endif
    (void)u;
    return KERF_OK;
}
