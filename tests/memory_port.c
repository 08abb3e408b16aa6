/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/memory_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pack.h"

static void require(bool kept, const char *rule)
{
    if (!kept) {
        (void)fprintf(stderr, "the patcher broke the port's contract: %s\n", rule);
        abort();
    }
}

static bool fails(struct memory_port *m)
{
    m->calls++;
    return m->fail_at != 0 && (m->calls == m->fail_at || (m->fail_for_ever && m->calls > m->fail_at));
}

/* Bytes that may be read at once. */
static size_t most(const struct memory_port *m)
{
    return m->port.page_size > 64 ? m->port.page_size : 64;
}

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    struct memory_port *m = ctx;

    if (len > most(m) || pos > m->old_len || len > m->old_len - pos) {
        return KERF_ERR_FLASH; /* a header may say more than there is */
    }
    if (fails(m)) {
        return KERF_ERR_FLASH;
    }
    if (len > 0) {
        memcpy(buf, m->old_image + pos, len);
    }
    return KERF_OK;
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    struct memory_port *m = ctx;

    require(len <= most(m) && pos <= m->written && len <= m->written - pos, "read_new of what was not written");
    if (fails(m)) {
        return KERF_ERR_FLASH;
    }
    memcpy(buf, m->new_image + pos, len);
    return KERF_OK;
}

static kerf_err erase_new(void *ctx, kerf_pos pos)
{
    struct memory_port *m = ctx;

    require(pos % m->port.slot.sector_size == 0 && pos == m->erased, "erase_new out of order");
    if (fails(m)) {
        return KERF_ERR_FLASH;
    }
    m->erases++;
    m->erased += m->port.slot.sector_size;
    return KERF_OK;
}

static kerf_err write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    struct memory_port *m = ctx;

    require(pos == m->written && pos % m->port.page_size == 0, "write_new out of order");
    require(len > 0 && len <= m->port.page_size && len <= m->port.slot_size - pos, "write_new outside the slot");
    require(m->port.slot.sector_size == 0 || pos + len <= m->erased, "write_new of what was not erased");
    if (fails(m)) {
        return KERF_ERR_FLASH;
    }
    memcpy(m->new_image + pos, buf, len);
    m->written = (kerf_pos)(pos + len);
    m->writes++;
    return KERF_OK;
}

static kerf_err flush_new(void *ctx)
{
    struct memory_port *m = ctx;

    m->flushes++;
    return fails(m) ? KERF_ERR_FLASH : KERF_OK;
}

static kerf_err hash(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                     struct kerf_sha256_digest *digest)
{
    struct memory_port *m = ctx;

    require(m->hashing == (op != KERF_HASH_START), "two hashes at a time");
    if (fails(m)) {
        return KERF_ERR_FLASH;
    }
    m->hashing = op != KERF_HASH_END;
    if (!test_quick_digests) {
        return kerf_sha256_hook(&m->sha, op, data, len, digest);
    }
    m->quick = op == KERF_HASH_START ? TEST_QUICK_START : m->quick;
    if (op == KERF_HASH_ADD) {
        m->quick = test_quick_add(m->quick, data, len);
    } else if (op == KERF_HASH_END) {
        test_quick_end(m->quick, digest);
    }
    return KERF_OK;
}

void memory_port_init(struct memory_port *m, const uint8_t *old_image, size_t old_len, size_t slot_size,
                      uint32_t page_size, uint32_t sector_size)
{
    memset(m, 0, sizeof *m);
    m->old_image = old_image;
    m->old_len = old_len;
    m->new_image = malloc(slot_size + 1);
    require(m->new_image != NULL, "out of memory");
    memset(m->new_image, 0xff, slot_size);
    m->port.io.ctx = m;
    m->port.slot_size = (kerf_pos)slot_size;
    m->port.page_size = page_size;
    m->port.slot.sector_size = sector_size;
    m->port.io.read_old = read_old;
    m->port.io.read_new = read_new;
    m->port.slot.erase = erase_new;
    m->port.slot.write = write_new;
    m->port.flush = flush_new;
    m->port.hash = hash;
}

void memory_port_free(struct memory_port *m)
{
    free(m->new_image);
    m->new_image = NULL;
}

size_t memory_port_workspace(const struct memory_port *m, const uint8_t *delta, size_t delta_len)
{
    struct kerf_header h;

    if (kerf_header_parse(delta, delta_len, &h) != KERF_OK) {
        return kerf_patcher_workspace_min(&m->port) + 1024;
    }
    return kerf_patcher_workspace(&h, &m->port);
}

kerf_err memory_port_apply(struct memory_port *m, const uint8_t *delta, size_t delta_len, size_t piece,
                           const struct kerf_patcher_expect *expect, unsigned options, size_t workspace_len,
                           struct kerf_patcher_status *status)
{
    struct kerf_patcher *p;
    uint8_t *workspace = malloc(workspace_len + 1);
    size_t pos = 0;
    kerf_err err;

    require(workspace != NULL, "out of memory");
    require(kerf_port_fits(&m->port), "of sizes");
    memset(workspace, 0xa5, workspace_len + 1);
    m->hashing = false; /* an apply that failed may have left a hash */
    err = kerf_patcher_init(workspace, workspace_len, &m->port, expect, options, &p);
    if (err != KERF_OK) {
        free(workspace);
        return err;
    }
    for (;;) {
        size_t offered = delta_len - pos < piece ? delta_len - pos : piece;
        size_t used;

        err = kerf_patcher_feed(p, &m->port, delta + pos, offered, &used);
        require(used <= offered, "more input used than offered");
        require(err != KERF_MORE_INPUT || used == offered, "more input asked for, but not all was taken");
        pos += used;
        if (err == KERF_MORE_INPUT && pos == delta_len) {
            err = kerf_patcher_finish(p);
            break;
        }
        if (err < 0 || (err == KERF_END && pos == delta_len)) {
            break;
        }
    }
    if (err < 0) {
        size_t used;

        require(kerf_patcher_feed(p, &m->port, delta, 1, &used) == err && used == 0, "failed, but did not stay so");
    }
    if (status != NULL) {
        kerf_patcher_status(p, status);
    }
    require(workspace[workspace_len] == 0xa5, "written behind the workspace");
    free(workspace);
    return err;
}
