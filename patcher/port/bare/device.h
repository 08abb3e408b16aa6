/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.h - the callbacks of struct kerf_port on a board (board.h): slots that are mapped into memory, kerf_sha256;
 * and a power cut on demand.
 */
#ifndef KERF_PORT_BARE_DEVICE_H
#define KERF_PORT_BARE_DEVICE_H

#include "common/sha256.h"
#include "patcher/patcher.h"

/* What `ctx` of the callbacks points to. */
struct kerf_device {
    struct kerf_sha256 sha;
    bool in_place;       /* old is what the new slot holds */
    uint32_t cut;        /* the erase or program operation, from 1, in which the power goes; 0: none */
    uint32_t erases;     /* sectors, of the new slot */
    uint32_t programs;   /* pages, of the new slot */
    uint32_t operations; /* erases and programs of slot and spare area */
    uint32_t hash_ticks; /* spent in kerf_device_hash(), in ticks of the board's clock; 0 without one */
    uint32_t port_ticks; /* spent in the other callbacks */
};

/*
 * A power cut: an operation is done in part, or all of it, or nothing; the flash (kerf_board.flash) is kept in the
 * host's file "flash", and the emulator ends with this status. Nothing but that file is left of the device.
 */
#define KERF_DEVICE_CUT_STATUS 97

/* The board's clock; 0 without one. */
uint32_t kerf_device_ticks(void);

/* As struct kerf_port has them. */
kerf_err kerf_device_read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len);
kerf_err kerf_device_read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len);
kerf_err kerf_device_erase_new(void *ctx, kerf_pos pos);
kerf_err kerf_device_write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len);
kerf_err kerf_device_read_spare(void *ctx, kerf_pos pos, uint8_t *buf, size_t len);
kerf_err kerf_device_erase_spare(void *ctx, kerf_pos pos);
kerf_err kerf_device_write_spare(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len);
kerf_err kerf_device_hash(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                          struct kerf_sha256_digest *digest);

#endif
