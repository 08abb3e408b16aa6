/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "patcher/port/install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/codec.h"
#include "common/host/file.h"
#include "common/host/protocol.h"
#include "patcher/port/journal_file.h"

/* --- The slots, for the patcher: posix.h's, with a word before the first write and a cut after the last --- */

static struct kerf_install *install_of(void *ctx)
{
    return ctx; /* posix is its first member */
}

/* The first write is the moment from which the other slot holds nothing that boots. A file made for it must not get lost. */
static kerf_err claim(struct kerf_install *install)
{
    kerf_err err = KERF_OK;
    if (!install->claimed) {
        err = install->request->claim(install->request->ctx);
        if (err == KERF_OK) {
            err = kerf_file_sync_folder(install->request->new_path, &install->posix.why);
        }
        install->claimed = err == KERF_OK;
    }
    return err;
}

static kerf_err write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    struct kerf_install *install = install_of(ctx);
    const kerf_err err = claim(install);
    return err == KERF_OK ? install->inner.slot.write(ctx, pos, buf, len) : err;
}

/* Cuts a file to the new image's length, so that a slot file is the image and nothing else. */
static kerf_err flush_new(void *ctx)
{
    struct kerf_install *install = install_of(ctx);
    struct stat st;
    const kerf_err err = claim(install); /* an empty image is never written */
    if (err != KERF_OK) {
        return err;
    }
    if (fstat(install->new_fd, &st) != 0 ||
        (S_ISREG(st.st_mode) && ftruncate(install->new_fd, (off_t)install->request->component->size) != 0)) {
        kerf_why_errno(&install->posix.why, "write", install->request->new_path, errno);
        return KERF_ERR_FLASH;
    }
    return install->inner.flush(ctx);
}

/* --- What the release says, against the device and against the header --- */

kerf_err kerf_install_fits(const struct kerf_install_request *request)
{
    const struct kerf_payload *payload = request->payload;
    const struct kerf_span format = {(const uint8_t *)KERF_PROTOCOL_FORMAT, sizeof KERF_PROTOCOL_FORMAT - 1};
    if (!kerf_span_equal(payload->format, format) || payload->in_place ||
        (payload->codec == KERF_CODEC_LZMA2 && !request->lzma2) || (payload->isas & ~kerf_patcher_isas()) != 0) {
        return KERF_ERR_UNSUPPORTED;
    }
    if (payload->is_delta &&
        (payload->from_size != request->old_size ||
         memcmp(payload->from_digest.b, request->old_digest.b, sizeof request->old_digest.b) != 0)) {
        return KERF_ERR_SOURCE;
    }
    if (payload->workspace > request->ram) {
        return KERF_ERR_RAM;
    }
    return request->slot_size != 0 && request->component->size > request->slot_size ? KERF_ERR_SPACE : KERF_OK;
}

/*
 * The header isn't authenticated yet; it is only compared, and a difference ends the install. The patcher authenticates
 * the same bytes before it believes them.
 */
static bool header_agrees(const struct kerf_header *header, const struct kerf_component *component,
                          const struct kerf_payload *payload)
{
    return header->new_size == component->size &&
           memcmp(header->new_digest.b, component->digest.b, sizeof header->new_digest.b) == 0 &&
           header->old_size == (payload->is_delta ? payload->from_size : 0) &&
           (!payload->is_delta ||
            memcmp(header->old_digest.b, payload->from_digest.b, sizeof header->old_digest.b) == 0) &&
           header->codec == payload->codec && header->flags == payload->flags &&
           kerf_header_workspace(header) == payload->workspace;
}

/* What the signed release says of this payload. */
static struct kerf_patcher_expect expected(const struct kerf_install_request *request)
{
    return (struct kerf_patcher_expect){
        .chunk0_known = true,
        .target_known = true,
        .chunk0_digest = request->payload->chunk0,
        .target_digest = request->component->digest,
    };
}

static kerf_err begin_patch(struct kerf_install *install, const struct kerf_header *header)
{
    const struct kerf_install_request *request = install->request;
    /* kerf_header_workspace() is the release's, and that was compared with the device's RAM. */
    const struct kerf_patcher_expect expect = expected(request);
    if (!header_agrees(header, request->component, request->payload)) {
        return KERF_ERR_MISMATCH;
    }
    if (install->journal_fd >= 0) {
        const kerf_err err = kerf_journal_file_create(&install->posix, &install->journal_fd, request->journal_path,
                                                      header, request->checkpoint);
        if (err != KERF_OK) {
            return err;
        }
    }
    install->workspace_len = kerf_patcher_workspace(header, &install->posix.port);
    install->workspace = malloc(install->workspace_len);
    if (install->workspace == NULL) {
        return KERF_ERR_RAM;
    }
    return kerf_patcher_init(install->workspace, install->workspace_len, &install->posix.port, &expect, 0,
                             &install->patcher);
}

/* --- Going on after a cut --- */

/* Is all that a checkpoint vouches for in the slot? A file may have been removed or cut short by others. */
static bool slot_holds(const char *path, uint64_t made)
{
    struct stat st;
    return stat(path, &st) == 0 && (!S_ISREG(st.st_mode) || (uint64_t)st.st_size + KERF_STEP_OUT >= made);
}

/* Takes up an install of this payload from the open journal; resumed_from stays 0 where there is none. */
static kerf_err take_up(struct kerf_install *install)
{
    const struct kerf_install_request *request = install->request;
    const struct kerf_patcher_expect expect = expected(request);
    struct kerf_patcher_status status;
    bool found = false;
    kerf_err err = kerf_journal_file_open(&install->posix, install->journal_fd, request->journal_path, &found,
                                          &install->workspace_len);
    if (err != KERF_OK || !found) {
        return err;
    }
    install->workspace = malloc(install->workspace_len);
    if (install->workspace == NULL) {
        return KERF_ERR_RAM;
    }
    err = kerf_patcher_resume(install->workspace, install->workspace_len, &install->posix.port, &expect,
                              &install->patcher);
    if (err == KERF_OK) {
        kerf_patcher_status(install->patcher, &status);
        if (status.new_size == request->component->size && slot_holds(request->new_path, status.new_pos)) {
            install->resumed_from = status.delta_pos;
            return KERF_OK;
        }
    }
    free(install->workspace);
    install->workspace = NULL;
    install->workspace_len = 0;
    install->patcher = NULL;
    return err == KERF_ERR_FLASH ? err : KERF_OK;
}

uint64_t kerf_install_position(const struct kerf_install_request *request)
{
    struct kerf_install install = {.request = request, .old_fd = -1, .new_fd = -1, .journal_fd = -1};
    uint64_t pos = 0;
    if (request->journal_path == NULL) {
        return 0;
    }
    install.journal_fd = open(request->journal_path, O_RDONLY | O_CLOEXEC);
    if (install.journal_fd >= 0 &&
        kerf_posix_init(&install.posix, -1, "", -1, request->new_path, UINT64_MAX, NULL) == KERF_OK &&
        take_up(&install) == KERF_OK) {
        pos = install.resumed_from;
    }
    kerf_install_close(&install);
    return pos;
}

void kerf_install_forget(const struct kerf_install_request *request)
{
    if (request->journal_path != NULL) {
        (void)unlink(
            request->journal_path); /* if it comes back, it is taken up, found to be done or wrong, and removed */
    }
}

/* --- The stream --- */

/* Opens the journal, and goes on with what is in it. */
static kerf_err begin_journal(struct kerf_install *install, struct kerf_why *why)
{
    const char *path = install->request->journal_path;
    install->journal_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (install->journal_fd < 0) {
        kerf_why_errno(why, "write", path, errno);
        return KERF_ERR_FLASH;
    }
    const kerf_err err = take_up(install);
    return err == KERF_OK && install->resumed_from > 0 ? kerf_posix_resumed(&install->posix) : err;
}

kerf_err kerf_install_begin(struct kerf_install *install, const struct kerf_install_request *request,
                            struct kerf_why *why)
{
    const uint64_t limit = request->slot_size != 0 ? request->slot_size : UINT64_MAX;
    memset(install, 0, sizeof *install);
    install->request = request;
    install->new_fd = install->journal_fd = -1;
    install->old_fd = open(request->old_path, O_RDONLY | O_CLOEXEC);
    if (install->old_fd < 0) {
        kerf_why_errno(why, "read", request->old_path, errno);
        return install->err = KERF_ERR_FLASH;
    }
    if (kerf_posix_open_slot(request->new_path, true, &install->new_fd, why) != KERF_OK) {
        return install->err = KERF_ERR_FLASH;
    }
    install->err = kerf_posix_init(&install->posix, install->old_fd, request->old_path, install->new_fd,
                                   request->new_path, limit, why);
    install->posix.reread = true;
    install->inner = install->posix.port;
    install->posix.port.slot.write = write_new;
    install->posix.port.flush = flush_new;
    if (install->err == KERF_OK && request->journal_path != NULL) {
        install->err = begin_journal(install, why);
    }
    return install->err;
}

const char *kerf_install_why(const struct kerf_install *install)
{
    return install->posix.why.text;
}

static void show_progress(const struct kerf_install *install)
{
    struct kerf_patcher_status status;
    const struct kerf_install_request *request = install->request;
    kerf_patcher_status(install->patcher, &status);
    switch (status.phase) {
    case KERF_PHASE_HEADER:
    case KERF_PHASE_CHUNK:
    case KERF_PHASE_APPLY:
    case KERF_PHASE_SAVE:
    case KERF_PHASE_COPY:
        request->progress(request->ctx, "download and apply", status.new_pos, request->component->size);
        break;
    case KERF_PHASE_SOURCE:
        request->progress(request->ctx, "check the old image", status.verified_pos, request->old_size);
        break;
    case KERF_PHASE_VERIFY:
        request->progress(request->ctx, "verify the new image", status.verified_pos, request->component->size);
        break;
    case KERF_PHASE_DONE:
    case KERF_PHASE_FAILED:
        break;
    }
}

/* The patcher compares 16 bytes of the digest; the release says all 32. */
static kerf_err check_target(const struct kerf_install *install)
{
    struct kerf_patcher_status status;
    kerf_patcher_status(install->patcher, &status);
    return memcmp(status.target_digest.b, install->request->component->digest.b, KERF_SHA256_LEN) == 0
               ? KERF_END
               : KERF_ERR_TARGET;
}

static kerf_err feed_patcher(struct kerf_install *install, const uint8_t *data, size_t len)
{
    kerf_err err = KERF_MORE_WORK;
    while (err == KERF_MORE_WORK) {
        size_t used = 0;
        err = kerf_patcher_feed(install->patcher, &install->posix.port, data, len, &used);
        data += used;
        len -= used;
        show_progress(install);
    }
    if (err == KERF_END && len > 0) {
        err = KERF_ERR_TRAILING;
    }
    return err == KERF_END ? check_target(install) : err;
}

/* Collects the header; *used says how much of data that took. KERF_OK: the patcher has been started and fed with it. */
static kerf_err feed_head(struct kerf_install *install, const uint8_t *data, size_t len, size_t *used)
{
    struct kerf_header header;
    uint16_t header_len = KERF_PROLOGUE_LEN;
    uint16_t chunk0_len = 0;
    kerf_err err = KERF_OK;
    while (install->head_len < header_len && *used < len) {
        install->head[install->head_len++] = data[(*used)++];
        if (install->head_len >= KERF_PROLOGUE_LEN) {
            err = kerf_prologue_parse(install->head, &chunk0_len, &header_len);
            if (err != KERF_OK) {
                return err;
            }
        }
    }
    if (install->head_len < header_len) {
        return KERF_MORE_INPUT;
    }
    err = kerf_header_parse(install->head, install->head_len, &header);
    if (err == KERF_OK) {
        err = begin_patch(install, &header);
    }
    return err == KERF_OK ? feed_patcher(install, install->head, install->head_len) : err;
}

kerf_err kerf_install_feed(void *ctx, const uint8_t *data, size_t len)
{
    struct kerf_install *install = ctx;
    size_t used = 0;
    if (install->err != KERF_OK) {
        return install->err == KERF_END ? KERF_ERR_TRAILING : install->err;
    }
    kerf_err err = install->patcher == NULL ? feed_head(install, data, len, &used) : KERF_MORE_INPUT;
    if (err == KERF_MORE_INPUT && install->patcher != NULL && used < len) {
        err = feed_patcher(install, data + used, len - used);
    }
    if (err == KERF_MORE_INPUT) {
        return KERF_OK;
    }
    install->err = err;
    return err == KERF_END ? KERF_OK : err;
}

kerf_err kerf_install_finish(struct kerf_install *install)
{
    if (install->err == KERF_END) {
        return KERF_OK;
    }
    if (install->err == KERF_OK && install->resumed_from > 0) {
        const kerf_err err = feed_patcher(install, install->head, 0); /* all of it may have come before the cut */
        install->err = err == KERF_MORE_INPUT ? KERF_OK : err;
    }
    if (install->err == KERF_OK) {
        install->err = install->patcher != NULL ? kerf_patcher_finish(install->patcher) : KERF_ERR_TRUNCATED;
    }
    return install->err == KERF_END ? KERF_OK : install->err;
}

void kerf_install_close(struct kerf_install *install)
{
    if (install->request == NULL) {
        return;
    }
    if (install->old_fd >= 0) {
        (void)close(install->old_fd);
    }
    if (install->new_fd >= 0) {
        (void)close(install->new_fd);
    }
    if (install->journal_fd >= 0) {
        (void)close(install->journal_fd);
    }
    kerf_posix_free(&install->posix);
    free(install->workspace);
    memset(install, 0, sizeof *install);
}
