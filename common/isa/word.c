/* SPDX-License-Identifier: Apache-2.0 */
/* Pointer words: aligned data words of 4 or 8 bytes, of either byte order. Whether the value points anywhere is the codec's to check. */
#include "common/bytes.h"
#include "common/isa/isa.h"
#include "common/isa/word.h"

void kerf_word_scan(const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    bool big = (view->kinds >> KERF_REF_BIG_ENDIAN & 1) != 0;

    ref->kind = KERF_REF_NONE;
    ref->scale = 0;
    ref->low_count = 0;
    if ((view->kinds >> KERF_REF_WORD8 & 1) != 0 && (view->pc & 7) == 0) {
        ref->kind = KERF_REF_WORD8;
        ref->form = big ? KERF_FORM_WORD64_BE : KERF_FORM_WORD64_LE;
        ref->len = 8;
    } else if ((view->kinds & (1u << KERF_REF_WORD | 1u << KERF_REF_RAM)) != 0 && (view->pc & 3) == 0) {
        ref->kind = KERF_REF_WORD;
        ref->form = big ? KERF_FORM_WORD32_BE : KERF_FORM_WORD32_LE;
        ref->len = 4;
    } else {
        return;
    }
    if (!kerf_word_get(ref->form, view->p, &ref->target)) {
        ref->kind = KERF_REF_NONE;
    }
}

bool kerf_word_get(unsigned form, const uint8_t *p, kerf_addr *target)
{
    uint64_t v;

    switch (form) {
    case KERF_FORM_WORD32_LE:
        v = kerf_load_le32(p);
        break;
    case KERF_FORM_WORD32_BE:
        v = kerf_load_be32(p);
        break;
    case KERF_FORM_WORD64_LE:
        v = kerf_load_le64(p);
        break;
    default:
        v = (uint64_t)kerf_load_be32(p) << 32 | kerf_load_be32(p + 4);
        break;
    }
    *target = (kerf_addr)v;
    /* With 32-bit positions an address above has no place, and a wide container is refused before. */
    return *target == v;
}

void kerf_word_put(unsigned form, uint8_t *p, kerf_addr target)
{
    uint32_t high = (uint32_t)((uint64_t)target >> 32);

    switch (form) {
    case KERF_FORM_WORD32_LE:
        kerf_store_le32(p, (uint32_t)target);
        break;
    case KERF_FORM_WORD32_BE:
        kerf_store_be32(p, (uint32_t)target);
        break;
    case KERF_FORM_WORD64_LE:
        kerf_store_le32(p, (uint32_t)target);
        kerf_store_le32(p + 4, high);
        break;
    default:
        kerf_store_be32(p, high);
        kerf_store_be32(p + 4, (uint32_t)target);
        break;
    }
}
