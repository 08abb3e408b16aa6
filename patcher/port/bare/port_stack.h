/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_stack.h - runs the port's callbacks on a stack of their own, so that painting the main one shows what the core
 * takes, and nothing else. A product does not need it: its callbacks run on the core's stack.
 *
 * kerf_entry_<name> are what struct kerf_port gets; each calls kerf_device_<name> (device.c) on the other stack. Before
 * that it takes 16 bytes of the core's.
 */
#ifndef KERF_PORT_BARE_PORT_STACK_H
#define KERF_PORT_BARE_PORT_STACK_H

#include "patcher/patcher.h"

kerf_err kerf_entry_read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len);
kerf_err kerf_entry_read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len);
kerf_err kerf_entry_erase_new(void *ctx, kerf_pos pos);
kerf_err kerf_entry_write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len);
kerf_err kerf_entry_read_spare(void *ctx, kerf_pos pos, uint8_t *buf, size_t len);
kerf_err kerf_entry_erase_spare(void *ctx, kerf_pos pos);
kerf_err kerf_entry_write_spare(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len);
kerf_err kerf_entry_hash(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                         struct kerf_sha256_digest *digest);

/* The most bytes of the other stack that were in use; its size if it may have overflowed. */
uint32_t kerf_port_stack_peak(void);

#endif
