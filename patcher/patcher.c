/* SPDX-License-Identifier: Apache-2.0 */
/* The order of stages; each is in a file of its own (state.h). */
#include "patcher/patcher.h"

#include <string.h>

#include "patcher/state.h"

#define PAGE_MAX 65536u

size_t kerf_patcher_workspace_min(const struct kerf_port *port)
{
    return (size_t)KERF_WORKSPACE_STATE + KERF_STEP_MAX + KERF_CHUNK_MIN + port->page_size + KERF_STEP_OUT;
}

kerf_err kerf_patcher_init(void *workspace, size_t workspace_len, const struct kerf_port *port,
                           const struct kerf_patcher_expect *expect, unsigned options, struct kerf_patcher **patcher)
{
    struct kerf_patcher *p = workspace;

    if (((uintptr_t)workspace & (KERF_WORKSPACE_ALIGN - 1)) != 0 || port->read_old == NULL || port->read_new == NULL ||
        port->write_new == NULL || port->hash == NULL || port->page_size == 0 || port->page_size > PAGE_MAX ||
        (port->sector_size != 0 && (port->erase_new == NULL || port->sector_size % port->page_size != 0)) ||
        (options & ~KERF_PATCHER_DRY_RUN) != 0) {
        return KERF_ERR_ARGUMENT;
    }
    if (workspace_len < kerf_patcher_workspace_min(port)) {
        return KERF_ERR_RAM;
    }
    memset(p, 0, sizeof *p);
    p->workspace_len = workspace_len < UINT32_MAX ? (uint32_t)workspace_len : UINT32_MAX;
    p->chunk_len = KERF_PROLOGUE_LEN;
    p->in_pos = KERF_STEP_MAX;
    p->flags = (uint8_t)options;
    if (expect != NULL && expect->chunk0_known) {
        p->flags |= STATE_CHUNK0_KNOWN;
        memcpy(p->next.b, expect->chunk0_digest.b, KERF_DIGEST_LEN);
    }
    if (expect != NULL && expect->target_known) {
        p->flags |= STATE_TARGET_KNOWN;
        p->target = expect->target_digest;
    }
    *patcher = p;
    return KERF_OK;
}

static kerf_err authenticate(struct kerf_patcher *p, const struct kerf_port *port)
{
    bool first = p->header.header_len == 0;
    kerf_err err = kerf_input_authenticate(p, port);

    if (err == KERF_OK && first) {
        err = kerf_apply_begin(p, port);
    }
    if (err != KERF_OK) {
        return err;
    }
    kerf_input_open(p, first ? p->header.header_len : 0);
    p->stage = first && p->header.old_size > 0 ? STAGE_SOURCE : STAGE_DECODE;
    return KERF_MORE_WORK;
}

static kerf_err decode(struct kerf_patcher *p, const struct kerf_port *port)
{
    kerf_err err;

    if (p->page_len >= port->page_size) {
        return kerf_writer_step(p, port);
    }
    err = kerf_apply_decode(p, port);
    if (err < KERF_OK) {
        return err;
    }
    if (err == KERF_MORE_INPUT) {
        kerf_input_next(p);
        p->stage = STAGE_COLLECT;
    } else if (err == KERF_END) {
        p->stage = STAGE_DRAIN;
    }
    return KERF_MORE_WORK;
}

static kerf_err check_source(struct kerf_patcher *p, const struct kerf_port *port)
{
    kerf_err err = kerf_digest_more(p, port, NULL, port->read_old, p->header.old_size, &p->source);

    if (err != KERF_OK) {
        return err;
    }
    p->stage = STAGE_DECODE;
    return memcmp(p->source.b, p->header.old_digest.b, KERF_DIGEST_LEN) == 0 ? KERF_MORE_WORK : KERF_ERR_SOURCE;
}

static kerf_err drain(struct kerf_patcher *p, const struct kerf_port *port)
{
    if (p->page_len > 0) {
        return kerf_writer_step(p, port);
    }
    if ((p->flags & STATE_DRY_RUN) != 0) {
        p->stage = STAGE_DONE;
        return KERF_END;
    }
    p->stage = STAGE_VERIFY;
    if (port->flush_new != NULL) {
        kerf_err err = port->flush_new(port->ctx);

        if (err != KERF_OK) {
            return err;
        }
    }
    return KERF_MORE_WORK;
}

static kerf_err verify(struct kerf_patcher *p, const struct kerf_port *port)
{
    struct kerf_sha256_digest found;
    kerf_err err = kerf_digest_more(p, port, NULL, port->read_new, p->header.new_size, &found);

    if (err != KERF_OK) {
        return err;
    }
    if (memcmp(found.b, p->header.new_digest.b, KERF_DIGEST_LEN) != 0 ||
        ((p->flags & STATE_TARGET_KNOWN) != 0 && memcmp(found.b, p->target.b, KERF_SHA256_LEN) != 0)) {
        return KERF_ERR_TARGET;
    }
    p->target = found;
    p->stage = STAGE_DONE;
    return KERF_END;
}

/* One stage's bounded piece of work. */
static kerf_err work(struct kerf_patcher *p, const struct kerf_port *port, const uint8_t *data, size_t len,
                     size_t *used)
{
    if (len > 0 && p->stage != STAGE_COLLECT && (p->flags & STATE_LAST_CHUNK) != 0) {
        return KERF_ERR_TRAILING;
    }
    switch ((enum stage)p->stage) {
    case STAGE_COLLECT:
        return kerf_input_collect(p, data, len, used);
    case STAGE_AUTHENTICATE:
        return authenticate(p, port);
    case STAGE_SOURCE:
        return check_source(p, port);
    case STAGE_DECODE:
        return decode(p, port);
    case STAGE_DRAIN:
        return drain(p, port);
    case STAGE_VERIFY:
        return verify(p, port);
    case STAGE_DONE:
        break;
    }
    return KERF_END;
}

kerf_err kerf_patcher_feed(struct kerf_patcher *p, const struct kerf_port *port, const uint8_t *data, size_t len,
                           size_t *used)
{
    kerf_err err = (kerf_err)p->err;

    *used = 0;
    if (err == KERF_OK) {
        err = work(p, port, data, len, used);
        if (err < KERF_OK) {
            p->err = (int8_t)err;
        }
    }
    return err;
}

kerf_err kerf_patcher_finish(struct kerf_patcher *p)
{
    if (p->err == KERF_OK) {
        if (p->stage == STAGE_DONE) {
            return KERF_END;
        }
        p->err = p->stage == STAGE_COLLECT ? KERF_ERR_TRUNCATED : KERF_ERR_STATE;
    }
    return (kerf_err)p->err;
}

void kerf_patcher_abort(struct kerf_patcher *p)
{
    p->err = KERF_ERR_STATE;
}

void kerf_patcher_status(const struct kerf_patcher *p, struct kerf_patcher_status *status)
{
    memset(status, 0, sizeof *status);
    status->err = (kerf_err)p->err;
    status->delta_pos = p->delta_pos;
    status->new_pos = p->page_pos + p->page_len;
    status->new_size = p->header.new_size;
    status->source_digest = p->source;
    status->phase = KERF_PHASE_APPLY;
    if (p->stage == STAGE_SOURCE || p->stage == STAGE_VERIFY) {
        status->phase = p->stage == STAGE_SOURCE ? KERF_PHASE_SOURCE : KERF_PHASE_VERIFY;
        status->verified_pos = p->hashed;
    } else if (p->stage == STAGE_DONE) {
        status->phase = KERF_PHASE_DONE;
        status->verified_pos = p->page_pos;
        status->target_digest = p->target;
    } else if (p->header.header_len == 0) {
        status->phase = KERF_PHASE_HEADER;
    }
    if (p->err != KERF_OK) {
        status->phase = KERF_PHASE_FAILED;
    }
}

uint32_t kerf_patcher_isas(void)
{
    uint32_t isas = 0;

    for (unsigned isa = 0; isa < KERF_ISA_COUNT; isa++) {
        if (kerf_isa_known(isa)) {
            isas |= (uint32_t)1 << isa;
        }
    }
    return isas;
}
