/* SPDX-License-Identifier: Apache-2.0 */
/*
 * updater.h - one update from first byte to last, over a power cut if need be: what nearly every product writes around
 * patcher.h. docs/PORTING.md goes through it.
 *
 *     kerf_updater_begin()            says from where on the delta is wanted
 *     kerf_updater_feed() ...         until KERF_END
 *     (tell the boot loader)
 *     kerf_updater_forget()
 */
#ifndef KERF_PORT_EXAMPLES_UPDATER_H
#define KERF_PORT_EXAMPLES_UPDATER_H

#include "patcher/patcher.h"

struct kerf_updater {
    const struct kerf_port *port; /* stays the caller's */
    struct kerf_patcher *patcher; /* in the workspace */
    void (*kick)(void);           /* resets the watchdog; NULL: there is none */
};

/*
 * Goes on with an update that was cut off, or begins one. *delta_pos is where the delta must be fed from: 0, or what to
 * ask the server for ("Range: bytes=*delta_pos-"). Workspace as for kerf_patcher_init(). `expect`: what the signed
 * release says of the payload; NULL: nothing is authenticated. KERF_OK; KERF_END: nothing was missing but work, which
 * is done; errors as kerf_patcher_init(), kerf_patcher_resume() and kerf_updater_feed().
 */
KERF_MUST_USE kerf_err kerf_updater_begin(struct kerf_updater *u, const struct kerf_port *port, void *workspace,
                                          size_t workspace_len, const struct kerf_patcher_expect *expect,
                                          void (*kick)(void), kerf_pos *delta_pos);

/*
 * Takes what came from the network, all of it, and kicks the watchdog after each step. KERF_MORE_INPUT: go on.
 * KERF_END: the new image is complete and verified. An error is final; one of group "delta" or "device"
 * (common/error.h) calls for the full image, another one for a report.
 */
KERF_MUST_USE kerf_err kerf_updater_feed(struct kerf_updater *u, const uint8_t *data, size_t len);

/* Empties the journal, once the boot loader has been told. Without a journal nothing happens. */
KERF_MUST_USE kerf_err kerf_updater_forget(struct kerf_updater *u);

#endif
