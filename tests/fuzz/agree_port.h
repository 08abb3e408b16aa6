/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agree_port.h - a device for fuzz targets, whose hash agrees with whatever was expected: no digest stops a container.
 * It aborts where it is asked for what lies outside of old, slot and spare area; the workspace has just the size that
 * the header declares, so that the sanitizers see the first byte behind it. Two slots, with or without a journal, or in
 * place.
 */
#ifndef KERF_TESTS_FUZZ_AGREE_PORT_H
#define KERF_TESTS_FUZZ_AGREE_PORT_H

#include "patcher/patcher.h"

#define AGREE_SLOT 16384u /* bytes; old is at most as long */
#define AGREE_SPARE ((size_t)1 << 17)
#define AGREE_WORKSPACE ((size_t)1 << 15)
#define AGREE_PAGE 64u /* and sector */

struct agree_port {
    struct kerf_port port; /* ctx is this struct: not to be moved */
    struct kerf_header header;
    struct kerf_patcher *patcher;
    const uint8_t *old_image;
    size_t old_len;
    uint8_t slot[AGREE_SLOT]; /* in the end new */
    uint8_t spare[AGREE_SPARE];
};

/*
 * Applies the container in pieces. KERF_END: p->slot holds new. KERF_ERR_SPACE: its header, which is in p->header if it
 * can be read, asks for too much. All of *p is set.
 */
kerf_err agree_apply(struct agree_port *p, const uint8_t *old_image, size_t old_len, const uint8_t *data, size_t len,
                     bool journal, size_t piece);

#endif
