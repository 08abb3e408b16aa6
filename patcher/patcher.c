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

/* Is the port what patcher.h asks for? Memory too: KERF_ERR_ARGUMENT, KERF_ERR_RAM. */
static kerf_err check_port(const void *workspace, size_t workspace_len, const struct kerf_port *port)
{
    if (((uintptr_t)workspace & (KERF_WORKSPACE_ALIGN - 1)) != 0 || port->read_old == NULL || port->read_new == NULL ||
        port->write_new == NULL || port->hash == NULL || port->page_size == 0 || port->page_size > PAGE_MAX ||
        (port->sector_size != 0 && (port->erase_new == NULL || port->sector_size % port->page_size != 0))) {
        return KERF_ERR_ARGUMENT;
    }
    if (KERF_JOURNAL && port->journal_size != 0 && !kerf_journal_fits(port)) {
        return KERF_ERR_ARGUMENT;
    }
    return workspace_len < kerf_patcher_workspace_min(port) ? KERF_ERR_RAM : KERF_OK;
}

/* What is used of the workspace: offsets into it never overflow. */
static uint32_t usable(size_t workspace_len)
{
    return workspace_len < UINT32_MAX / 2 ? (uint32_t)workspace_len : UINT32_MAX / 2;
}

static void expect_target(struct kerf_patcher *p, const struct kerf_patcher_expect *expect)
{
    if (expect != NULL && expect->target_known) {
        p->flags |= STATE_TARGET_KNOWN;
        p->target = expect->target_digest;
    }
}

kerf_err kerf_patcher_init(void *workspace, size_t workspace_len, const struct kerf_port *port,
                           const struct kerf_patcher_expect *expect, unsigned options, struct kerf_patcher **patcher)
{
    struct kerf_patcher *p = workspace;
    kerf_err err = check_port(workspace, workspace_len, port);

    if (err != KERF_OK || (options & ~KERF_PATCHER_DRY_RUN) != 0) {
        return err != KERF_OK ? err : KERF_ERR_ARGUMENT;
    }
    memset(p, 0, usable(workspace_len)); /* all of it: what a checkpoint copies shall not be what lay there before */
    p->workspace_len = usable(workspace_len);
    p->layout = STATE_LAYOUT;
    p->chunk_len = KERF_PROLOGUE_LEN;
    p->in_pos = KERF_STEP_MAX;
    p->flags = (uint8_t)options;
    if (expect != NULL && expect->chunk0_known) {
        p->flags |= STATE_CHUNK0_KNOWN;
        memcpy(p->next.b, expect->chunk0_digest.b, KERF_DIGEST_LEN);
    }
    expect_target(p, expect);
    *patcher = p;
    return KERF_OK;
}

#if KERF_JOURNAL
kerf_err kerf_patcher_resume(void *workspace, size_t workspace_len, const struct kerf_port *port,
                             const struct kerf_patcher_expect *expect, struct kerf_patcher **patcher)
{
    struct kerf_patcher *p = workspace;
    kerf_err err = check_port(workspace, workspace_len, port);

    if (err == KERF_OK) {
        err = port->journal_size == 0
                  ? KERF_NONE
                  : kerf_journal_load(p, usable(workspace_len), port,
                                      expect != NULL && expect->chunk0_known ? &expect->chunk0_digest : NULL);
    }
    if (err == KERF_OK) {
        expect_target(p, expect);
        *patcher = p;
    }
    return err;
}
#endif

/* All is checked, and nothing is written yet. */
static kerf_err begin_decoding(struct kerf_patcher *p, const struct kerf_port *port)
{
    p->stage = STAGE_DECODE;
    return kerf_journal_on(p, port) ? kerf_journal_first(p, port) : KERF_MORE_WORK;
}

static kerf_err check_source(struct kerf_patcher *p, const struct kerf_port *port)
{
    struct kerf_sha256_digest source;
    kerf_err err = kerf_digest_more(p, port, NULL, port->read_old, p->header.old_size, &source);

    if (err != KERF_OK) {
        return err;
    }
    return memcmp(source.b, p->header.old_digest.b, KERF_DIGEST_LEN) == 0 ? begin_decoding(p, port) : KERF_ERR_SOURCE;
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
    if (first && p->header.old_size == 0) {
        return begin_decoding(p, port);
    }
    p->stage = first ? STAGE_SOURCE : STAGE_DECODE;
    return KERF_MORE_WORK;
}

/* All is decoded and written. */
static kerf_err end_decoding(struct kerf_patcher *p, const struct kerf_port *port)
{
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

static kerf_err decode(struct kerf_patcher *p, const struct kerf_port *port)
{
    bool decoded = (p->flags & STATE_DECODED) != 0;
    kerf_err err;

    if (p->page_len >= port->page_size || (p->page_len > 0 && (p->flags & STATE_COMPLETE) != 0)) {
        return kerf_writer_step(p, port);
    }
    if (decoded) {
        return end_decoding(p, port);
    }
    err = kerf_apply_decode(p, port);
    if (err < KERF_OK) {
        return err;
    }
    if (err == KERF_MORE_INPUT) {
        kerf_input_next(p);
        p->stage = STAGE_COLLECT;
    } else if (err == KERF_END) {
        p->flags |= STATE_DECODED;
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
    case STAGE_SAVE:
        return KERF_JOURNAL ? kerf_journal_save(p, port) : KERF_ERR_STATE;
    case STAGE_COPY:
        return KERF_IN_PLACE ? kerf_in_place_copy(p, port) : KERF_ERR_STATE;
    case STAGE_DECODE:
        return decode(p, port);
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
    status->new_pos = p->made + p->page_len;
    status->new_size = p->header.new_size;
    status->payload_digest = p->payload;
    status->phase = KERF_PHASE_APPLY;
    if (p->stage == STAGE_SOURCE || p->stage == STAGE_VERIFY) {
        status->phase = p->stage == STAGE_SOURCE ? KERF_PHASE_SOURCE : KERF_PHASE_VERIFY;
        status->verified_pos = p->hashed;
    } else if (p->stage == STAGE_DONE) {
        status->phase = KERF_PHASE_DONE;
        status->verified_pos = p->made;
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
