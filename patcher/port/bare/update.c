/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/port/bare/update.h"
#include "common/sha256.h"
#include "patcher/port/bare/board.h"
#include "patcher/port/bare/device.h"
#include "patcher/port/bare/port_stack.h"
#include "patcher/port/bare/semihost.h"
#include "patcher/port/bare/startup.h"

#define CALIBRATION 1000000u

/*
 * Feeds the whole file, `piece_len` bytes at a time; KERF_END, or why not. Not inlined: what lies below its frame is
 * the core's stack. *ticks: what the calls took, the port's part included.
 */
__attribute__((noinline)) static kerf_err feed_file(struct kerf_patcher *patcher, const struct kerf_port *port,
                                                    kerf_semihost_file file, size_t piece_len, uint32_t *ticks)
{
    uint8_t piece[KERF_UPDATE_PIECE_MAX];
    size_t len;
    kerf_err err = KERF_MORE_INPUT;

    kerf_stack_paint();
    *ticks = 0;
    /* At the end of the file once more with nothing: after a cut there may be work left, but no input. */
    for (bool more = true;;) {
        size_t pos = 0;
        kerf_err io = kerf_semihost_read(file, piece, piece_len, &len);

        if (io != KERF_OK) {
            return io;
        }
        if (!more) {
            return kerf_patcher_finish(patcher);
        }
        more = len > 0;
        do {
            size_t used;
            uint32_t begin = kerf_device_ticks();

            err = kerf_patcher_feed(patcher, port, piece + pos, len - pos, &used);
            *ticks += kerf_device_ticks() - begin;
            pos += used;
        } while (err == KERF_MORE_WORK || (err == KERF_END && pos < len));
        if (err < 0) {
            return err;
        }
    }
}

void kerf_print_number(const char *name, uint32_t v)
{
    kerf_semihost_print(name);
    kerf_semihost_print_u32(v);
    kerf_semihost_print("\n");
}

static void print_digest(const char *name, const uint8_t *data, uint32_t len)
{
    struct kerf_sha256 sha;
    struct kerf_sha256_digest digest;

    kerf_sha256_init(&sha);
    kerf_sha256_add(&sha, data, len);
    kerf_sha256_end(&sha, &digest);
    kerf_semihost_print(name);
    kerf_semihost_print_hex(digest.b, sizeof(digest.b));
    kerf_semihost_print("\n");
}

/* The header of the container in `path`. Unauthenticated: it only decides what of the board the patcher is given. */
static kerf_err look_at_header(const char *path, struct kerf_header *header)
{
    uint8_t head[KERF_PROLOGUE_LEN + KERF_HEADER_MAX_LEN];
    uint16_t chunk0_len;
    uint16_t header_len;
    size_t len = 0;
    kerf_semihost_file file = kerf_semihost_open(path);
    kerf_err err;

    if (file < 0) {
        kerf_semihost_print("can't open the delta: is it in the folder where QEMU was started?\n");
        return KERF_ERR_FLASH;
    }
    err = kerf_semihost_read(file, head, sizeof(head), &len);
    kerf_semihost_close(file);
    if (err == KERF_OK && len < KERF_PROLOGUE_LEN) {
        err = KERF_ERR_TRUNCATED;
    }
    if (err == KERF_OK) {
        err = kerf_prologue_parse(head, &chunk0_len, &header_len);
    }
    return err == KERF_OK ? kerf_header_parse(head, len, header) : err;
}

/* How many ticks CALIBRATION instructions take: a loop of two. */
static uint32_t calibrate(void)
{
    uint32_t loops = CALIBRATION / 2;
    uint32_t begin = kerf_device_ticks();

#ifdef __riscv
    __asm__ volatile("1: addi %0, %0, -1\n   bnez %0, 1b" : "+r"(loops));
#else
    __asm__ volatile(".syntax unified\n1: subs %0, %0, #1\n   bne 1b" : "+l"(loops) : : "cc");
#endif
    return kerf_device_ticks() - begin;
}

/* Gives the port a journal that is just large enough for this container. */
static kerf_err add_journal(struct kerf_port *port, const struct kerf_header *header)
{
    port->spare_size = kerf_board.spare_size;
    port->spare.sector_size = kerf_board.sector_size;
    port->spare_unit = kerf_board.unit < 16 ? 16 : kerf_board.unit;
    port->interval = kerf_board.interval;
    port->read_spare = kerf_entry_read_spare;
    port->spare.erase = kerf_entry_erase_spare;
    port->spare.write = kerf_entry_write_spare;
    port->journal_size = (uint32_t)kerf_patcher_journal(header, port);
    return port->journal_size <= kerf_board.spare_size ? KERF_OK : KERF_ERR_SPACE;
}

/* Goes on where a cut left off, or begins; *from: what of the container is wanted next. */
static kerf_err begin(const struct kerf_port *port, size_t workspace, const struct kerf_patcher_expect *expect,
                      struct kerf_patcher **patcher, kerf_pos *from)
{
    struct kerf_patcher_status status;
    kerf_err err = KERF_NONE;

    *from = 0;
    if (port->journal_size > 0) {
        err = kerf_patcher_resume(kerf_board.workspace, workspace, port, expect, patcher);
    }
    if (err == KERF_NONE) {
        return kerf_patcher_init(kerf_board.workspace, workspace, port, expect, 0, patcher);
    }
    if (err == KERF_OK) {
        kerf_patcher_status(*patcher, &status);
        *from = status.delta_pos;
        kerf_print_number("resumed ", status.delta_pos);
    }
    return err;
}

/*
 * Applies the delta; KERF_END, or why not. The patcher gets as much of the board's memory as the header declares, which
 * proves that it is enough.
 */
static kerf_err apply(const char *path, const struct kerf_patcher_expect *expect, const struct kerf_port *port,
                      size_t workspace, size_t piece_len, struct kerf_patcher **patcher)
{
    uint32_t ticks = 0;
    kerf_pos from;
    kerf_semihost_file file;
    kerf_err err;

    kerf_print_number("workspace ", (uint32_t)workspace);
    if (workspace > kerf_board.workspace_size) {
        return KERF_ERR_RAM;
    }
    file = kerf_semihost_open(path);
    err = begin(port, workspace, expect, patcher, &from);
    if (err == KERF_OK) {
        err = kerf_semihost_seek(file, from);
    }
    if (err == KERF_OK) {
        err = feed_file(*patcher, port, file, piece_len, &ticks);
    }
    kerf_print_number("ticks ", ticks);
    kerf_print_number("stack ", kerf_stack_peak());
    kerf_print_number("stack_port ", kerf_port_stack_peak());
    kerf_semihost_close(file);
    if (err == KERF_END && port->journal_size > 0 && kerf_patcher_forget(*patcher, port) != KERF_OK) {
        return KERF_ERR_FLASH;
    }
    return err;
}

int kerf_update_run(const char *path, const struct kerf_patcher_expect *expect,
                    const struct kerf_update_options *options)
{
    struct kerf_device device = {.cut = options->cut};
    struct kerf_port port = {
        .io.ctx = &device,
        .slot_size = kerf_board.new_slot_size,
        .slot.sector_size = kerf_board.sector_size,
        .page_size = kerf_board.page_size,
        .io.read_old = kerf_entry_read_old,
        .io.read_new = kerf_entry_read_new,
        .slot.erase = kerf_entry_erase_new,
        .slot.write = kerf_entry_write_new,
        .hash = kerf_entry_hash,
    };
    struct kerf_header header;
    struct kerf_patcher *patcher = NULL;
    struct kerf_patcher_status status;
    kerf_err err = look_at_header(path, &header);

    if (err == KERF_OK) {
        device.in_place = (header.flags & KERF_FLAG_IN_PLACE) != 0;
        if (options->journal || device.in_place) {
            err = add_journal(&port, &header);
        }
    }
    if (err == KERF_OK) {
        err = apply(path, expect, &port, kerf_patcher_workspace(&header, &port), options->piece_len, &patcher);
    }
    if (err != KERF_END) {
        kerf_print_number("failed ", (uint32_t)(-(int32_t)err));
        return -(int)err; /* 10 .. 89 */
    }
    kerf_patcher_status(patcher, &status);
    kerf_print_number("stack_size ", kerf_stack_size());
    kerf_print_number("delta ", status.delta_pos);
    kerf_print_number("new ", status.new_pos);
    kerf_print_number("erases ", device.erases);
    kerf_print_number("programs ", device.programs);
    kerf_print_number("operations ", device.operations);
    kerf_print_number("hash_ticks ", device.hash_ticks);
    kerf_print_number("port_ticks ", device.port_ticks);
    kerf_print_number("ticks_per_million ", calibrate());
    /* Not the patcher's word for it: hashed here once more, from the slot. */
    print_digest("digest ", kerf_board.new_slot, status.new_pos);
    return 0;
}
