/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update.c - the terminal's own updates: Kerf's patcher between the staging area and the second slot. On this board all
 * flash is memory; a real one erases and programs.
 */
#include "board.h"

#include "app.h"
#include "common/sha256.h"
#include "patcher/patcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SIZE 256u

extern const uint8_t image_end[];

/* The image starts at address 0, where the compiler must not see a null pointer. */
static const uint8_t *image_at(kerf_pos pos)
{
    uintptr_t addr = (uintptr_t)pos;
    __asm__("" : "+r"(addr));
    return (const uint8_t *)addr;
}

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    (void)ctx;
    memcpy(buf, image_at(pos), len);
    return KERF_OK;
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    (void)ctx;
    memcpy(buf, image_at(BOARD_SLOT_B_ADDR + pos), len);
    return KERF_OK;
}

static kerf_err write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    (void)ctx;
    memcpy((uint8_t *)(uintptr_t)(BOARD_SLOT_B_ADDR + pos), buf, len);
    return KERF_OK;
}

static kerf_err update_apply(const struct kerf_port *port, void *workspace, size_t workspace_len)
{
    struct kerf_patcher *patcher = NULL;
    kerf_err err = kerf_patcher_init(workspace, workspace_len, port, NULL, 0, &patcher);
    size_t pos = 0;
    while (err == KERF_OK || err == KERF_MORE_WORK) {
        size_t used = 0;
        err = kerf_patcher_feed(patcher, port, image_at(BOARD_STAGING_ADDR) + pos, BOARD_STAGING_LEN - pos, &used);
        pos += used;
    }
    return err;
}

int update_run(void)
{
    struct kerf_sha256 hash_state;
    const struct kerf_port port = {
        .io.ctx = &hash_state,
        .slot_size = BOARD_SLOT_LEN,
        .page_size = PAGE_SIZE,
        .io.read_old = read_old,
        .io.read_new = read_new,
        .slot.write = write_new,
        .hash = kerf_sha256_hook,
    };
    struct kerf_header header;
    if (kerf_header_parse(image_at(BOARD_STAGING_ADDR), 256, &header) != KERF_OK) {
        printf("update: nothing staged\n");
        return -1;
    }
    const size_t workspace_len = kerf_patcher_workspace(&header, &port);
    void *workspace = malloc(workspace_len);
    if (workspace == NULL) {
        printf("update: %lu bytes of workspace are too many\n", (unsigned long)workspace_len);
        return -1;
    }
    const kerf_err err = update_apply(&port, workspace, workspace_len);
    free(workspace);
    printf("update: %s (%d)\n", err == KERF_END ? "the other slot is complete" : "failed", (int)err);
    return err == KERF_END ? 0 : -1;
}

void update_self_digest(void)
{
    struct kerf_sha256 state;
    struct kerf_sha256_digest digest;
    const size_t len = (size_t)(uintptr_t)image_end;
    kerf_sha256_init(&state);
    kerf_sha256_add(&state, image_at(0), len);
    kerf_sha256_end(&state, &digest);
    printf("image    %lu bytes, sha256 ", (unsigned long)len);
    for (unsigned i = 0; i < KERF_SHA256_LEN; i++) {
        printf("%02x", digest.b[i]);
    }
    printf("\n");
}
