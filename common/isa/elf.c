/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF files of 64 bits inside a larger image: an archive, a file system. Each has addresses of its own, counted from its
 * header, which pointers, relocations and symbols hold: with that header's place as the base they are addresses of the
 * image like any other. So are the numbers in the tables by which functions are unwound (.eh_frame_hdr, .eh_frame),
 * counted from the table or from themselves. Sources: System V ABI, LSB (exception frames).
 *
 * What a word is follows from the headers that the copying has passed and from the words at hand: there is no analysis
 * of a whole file.
 */
#include "common/bytes.h"
#include "common/isa/isa.h"

#if KERF_ISA_HAS_ELF
#define ELF_MAGIC 0x464c457fu
#define ELF_CLASS 0x0102u       /* 64 bits, least significant first */
#define TABLE_MAGIC 0x3b031b01u /* .eh_frame_hdr: version 1, and words counted as they nearly always are */
#define TABLE_HEAD 12u
#define ENTRIES_MAX 0x1000000u

/* Frames: length, distance back to what they share, function, its length. */
#define FRAME_MIN 12u
#define FRAME_MAX 0x400u
#define FRAME_LEN 12u /* of the record: up to the function */
#define REACH 0x8000000u

static uint32_t word_at(const uint8_t *p, unsigned i)
{
    return kerf_load_le32(p + (size_t)4 * i);
}

bool kerf_elf_is_frame(const uint8_t *p)
{
    uint32_t len = word_at(p, 0);
    uint32_t back = word_at(p, 1);
    uint32_t function = word_at(p, 2);
    uint32_t size = word_at(p, 3);

    return (len & 3) == 0 && len - FRAME_MIN < FRAME_MAX && (back & 3) == 0 && back - 1 < REACH - 1 &&
           function + REACH < 2 * REACH && function != 0 && size - 1 < REACH - 1;
}

bool kerf_elf_pins(const uint8_t *p)
{
    return (word_at(p, 0) == ELF_MAGIC && kerf_load_le16(p + 4) == ELF_CLASS) || word_at(p, 0) == TABLE_MAGIC;
}

size_t kerf_elf_table_len(const uint8_t *p)
{
    return word_at(p, 0) == TABLE_MAGIC && word_at(p, 2) < ENTRIES_MAX ? (size_t)8 * word_at(p, 2) : 0;
}

static void found(struct kerf_ref *ref, unsigned form, unsigned kind, const struct kerf_isa_view *view, kerf_addr base)
{
    ref->kind = (uint8_t)kind;
    ref->form = (uint8_t)form;
    ref->len = 4;
    ref->scale = 0;
    ref->anywhere = true;
    ref->target = kerf_elf_code(form, (uint8_t *)(uintptr_t)view->p, base, NULL);
}

unsigned kerf_elf_scan(const struct kerf_isa_view *view, kerf_addr new_pc, struct kerf_elf *elf, struct kerf_ref *ref)
{
    const uint8_t *p = view->p;
    uint32_t pc = (uint32_t)view->pc;

    ref->record = view->boundary || view->record != KERF_ELF_FRAME ? 0 : KERF_ELF_FRAME;
    if ((pc & 3) != 0) {
        return ref->record != 0 ? view->rest : 0;
    }
    if (kerf_elf_pins(p)) {
        uint32_t entries = (uint32_t)kerf_elf_table_len(p);

        if (word_at(p, 0) == ELF_MAGIC) {
            elf->file[0] = pc;
            elf->file[1] = (uint32_t)new_pc;
        } else {
            elf->table[0] = pc;
            elf->table[1] = (uint32_t)new_pc;
        }
        elf->table_len = entries;
        ref->record = 0;
        return 0;
    }
    uint32_t at = pc - elf->table[0] - TABLE_HEAD;

    if (at < elf->table_len) {
        ref->record = 0;
        found(ref, KERF_FORM_ELF + 1, (at & 4) == 0 ? KERF_REF_WORD : KERF_REF_CALL, view,
              view->pc - (at + TABLE_HEAD));
        return 4;
    }
    if (view->boundary) {
        if (!kerf_elf_is_frame(p)) {
            return 0;
        }
        ref->record = KERF_ELF_FRAME;
        return FRAME_LEN;
    }
    if (ref->record == 0) {
        return 0;
    }
    if (view->rest == 8) {
        found(ref, KERF_FORM_ELF + 2, KERF_REF_RAM, view, view->pc);
    } else if (view->rest == 4) {
        found(ref, KERF_FORM_ELF + 3, KERF_REF_WORD, view, view->pc);
    }
    return view->rest;
}

bool kerf_elf_word(const struct kerf_isa_view *view, const struct kerf_elf *elf, struct kerf_ref *ref)
{
    uint32_t at = (uint32_t)view->pc - elf->file[0];
    uint32_t value = word_at(view->p, 0);

    if (value - 0x1000 >= 0x10000000u - 0x1000 || word_at(view->p, 1) != 0) {
        return false;
    }
    ref->kind = KERF_REF_WORD8;
    ref->form = KERF_FORM_ELF;
    ref->len = 8;
    ref->target = view->pc - at + value;
    return (at & 7) == 0;
}

kerf_addr kerf_elf_base(unsigned form, kerf_addr new_pc, const struct kerf_elf *elf)
{
    uint32_t base = form == KERF_FORM_ELF ? elf->file[1] : form == KERF_FORM_ELF + 1 ? elf->table[1] : (uint32_t)new_pc;

    return new_pc - ((uint32_t)new_pc - base);
}

kerf_addr kerf_elf_code(unsigned form, uint8_t *p, kerf_addr base, const kerf_addr *target)
{
    bool back = form == KERF_FORM_ELF + 2;

    if (target != NULL) {
        kerf_store_le32(p, (uint32_t)(back ? base - *target : *target - base));
        return *target;
    }
    kerf_addr value = (kerf_addr)(kerf_shift)(int32_t)word_at(p, 0);

    return back ? base - value : base + value;
}
#endif
