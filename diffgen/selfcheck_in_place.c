/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applies a finished in-place delta with the shipped patcher to a slot, a journal and scratch in memory, as strict as
 * flash: what is programmed was erased before. Counts erases.
 */
#include <string.h>

#include "common/host/hash.h"
#include "diffgen/work.h"
#include "patcher/patcher.h"

#define PAGE_MAX 4096u
#define ERASES_MAX 2u /* of a sector of the slot; an update that wears more is none */

/* The slot, and behind it the spare area. */
struct memory {
    uint8_t *bytes;
    bool *erased;     /* for each byte */
    uint32_t *erases; /* for each sector */
    size_t len, slot_len;
    unsigned sector_log2;
    struct kerf_hash hash;
};

static bool inside(const struct memory *m, kerf_pos pos, size_t len)
{
    return pos <= m->len && len <= m->len - pos;
}

static kerf_err read_slot(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct memory *m = ctx;

    if (pos > m->slot_len || len > m->slot_len - pos) {
        return KERF_ERR_STATE;
    }
    memcpy(buf, m->bytes + pos, len);
    return KERF_OK;
}

static kerf_err read_spare(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct memory *m = ctx;

    if (!inside(m, pos + m->slot_len, len)) {
        return KERF_ERR_STATE;
    }
    memcpy(buf, m->bytes + m->slot_len + pos, len);
    return KERF_OK;
}

static kerf_err erase(struct memory *m, kerf_pos pos)
{
    size_t size = (size_t)1 << m->sector_log2;

    if ((pos & (size - 1)) != 0 || !inside(m, pos, size)) {
        return KERF_ERR_STATE;
    }
    memset(m->bytes + pos, 0xff, size);
    memset(m->erased + pos, true, size);
    m->erases[pos >> m->sector_log2]++;
    return KERF_OK;
}

static kerf_err program(struct memory *m, kerf_pos pos, const uint8_t *buf, size_t len)
{
    if (!inside(m, pos, len)) {
        return KERF_ERR_STATE;
    }
    for (size_t i = 0; i < len; i++) {
        if (!m->erased[pos + i]) {
            return KERF_ERR_STATE;
        }
    }
    memcpy(m->bytes + pos, buf, len);
    memset(m->erased + pos, false, len);
    return KERF_OK;
}

static kerf_err erase_new(void *ctx, kerf_pos pos)
{
    return erase(ctx, pos);
}

static kerf_err erase_spare(void *ctx, kerf_pos pos)
{
    return erase(ctx, pos + ((struct memory *)ctx)->slot_len);
}

static kerf_err write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    return program(ctx, pos, buf, len);
}

static kerf_err write_spare(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    return program(ctx, pos + ((struct memory *)ctx)->slot_len, buf, len);
}

static kerf_err hash(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                     struct kerf_sha256_digest *digest)
{
    return kerf_hash_hook(&((struct memory *)ctx)->hash, op, data, len, digest);
}

static kerf_err open_memory(struct memory *m, struct kerf_port *port, const struct kerf_header *header,
                            const uint8_t *old_image)
{
    uint32_t sector = (uint32_t)1 << header->sector_log2;

    m->sector_log2 = header->sector_log2;
    m->slot_len = (size_t)kerf_header_slot(header) << header->sector_log2;
    *port = (struct kerf_port){
        .io.ctx = m,
        .slot_size = m->slot_len,
        .slot.sector_size = sector,
        .page_size = sector < PAGE_MAX ? sector : PAGE_MAX,
        .io.read_old = read_slot,
        .io.read_new = read_slot,
        .slot.erase = erase_new,
        .slot.write = write_new,
        .hash = hash,
        .spare.sector_size = sector,
        .spare_unit = 1,
        .interval = sector,
        .read_spare = read_spare,
        .spare.erase = erase_spare,
        .spare.write = write_spare,
    };

    size_t journal = kerf_patcher_journal(header, port);

    if (journal > UINT32_MAX) {
        return KERF_ERR_RAM;
    }
    port->journal_size = (uint32_t)journal;
    port->spare_size = journal + ((kerf_pos)header->scratch << header->sector_log2);
    m->len = m->slot_len + (size_t)port->spare_size;
    m->bytes = malloc(m->len);
    m->erased = calloc(m->len, sizeof *m->erased);
    m->erases = calloc((m->len >> m->sector_log2) + 1, sizeof *m->erases);
    if (m->bytes == NULL || m->erased == NULL || m->erases == NULL) {
        return KERF_ERR_RAM;
    }
    memset(m->bytes, 0xa5, m->len);
    memcpy(m->bytes, old_image, (size_t)header->old_size);
    return KERF_OK;
}

static uint32_t most(const struct memory *m, size_t from, size_t to)
{
    uint32_t n = 0;

    for (size_t i = from >> m->sector_log2; i < to >> m->sector_log2; i++) {
        n = m->erases[i] > n ? m->erases[i] : n;
    }
    return n;
}

kerf_err kerf_selfcheck_in_place(const uint8_t *old_image, size_t old_len, const uint8_t *new_image, size_t new_len,
                                 const uint8_t *delta, size_t delta_len, struct kerf_diff_erases *erases)
{
    struct memory m = {0};
    struct kerf_port port;
    struct kerf_header header;
    struct kerf_patcher *patcher;
    void *workspace = NULL;
    size_t workspace_len = 0;
    kerf_err err = kerf_header_parse(delta, delta_len, &header);

    if (err != KERF_OK || header.old_size != old_len) {
        return KERF_ERR_STATE;
    }
    err = open_memory(&m, &port, &header, old_image);
    if (err == KERF_OK) {
        workspace_len = kerf_patcher_workspace(&header, &port);
        workspace = malloc(workspace_len);
        err = workspace == NULL ? KERF_ERR_RAM : KERF_OK;
    }
    if (err == KERF_OK) {
        err = kerf_patcher_init(workspace, workspace_len, &port, NULL, 0, &patcher);
    }
    if (err == KERF_OK) {
        err = kerf_selfcheck_feed(patcher, &port, delta, delta_len);
    }
    if (err == KERF_OK) {
        size_t scratch = m.slot_len + port.journal_size;

        erases->slot = most(&m, 0, m.slot_len);
        erases->journal = most(&m, m.slot_len, scratch);
        erases->scratch = most(&m, scratch, m.len);
        err = memcmp(m.bytes, new_image, new_len) == 0 ? KERF_OK : KERF_ERR_TARGET;
        if (err == KERF_OK && erases->slot > ERASES_MAX) {
            err = KERF_ERR_STATE;
        }
    }
    kerf_hash_free(&m.hash);
    free(workspace);
    free(m.bytes);
    free(m.erased);
    free(m.erases);
    return err;
}
