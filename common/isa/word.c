/* SPDX-License-Identifier: Apache-2.0 */
/* Pointer words: aligned data words of 4 or 8 bytes, of either byte order. Whether the value points anywhere is the codec's to check. */
#include "common/isa/word.h"

#include <string.h>

#include "common/bytes.h"

kerf_addr kerf_word_code(unsigned form, uint8_t *p, const kerf_addr *target)
{
    bool big = (form & 1) != 0;
    unsigned len = form & 14;
    kerf_addr v = 0;

    if (!KERF_ISA_HAS_WORDS) {
        if (target != NULL) {
            kerf_store_le32(p, (uint32_t)*target);
        }
        return kerf_load_le32(p);
    }
    if (KERF_ENCODER && form == KERF_FORM_WORDS + 4) { /* as nearly always */
        if (target != NULL) {
            kerf_store_le32(p, (uint32_t)*target);
        }
        return target != NULL ? *target : kerf_load_le32(p);
    }
    if (target == NULL) {
        for (unsigned i = 0; i < len; i++) {
            v = v << 8 | p[big ? i : len - 1 - i];
        }
        return v;
    }
    v = *target;
    for (unsigned i = 0; i < len; i++, v >>= 8) {
        p[big ? len - 1 - i : i] = (uint8_t)v;
    }
    return *target;
}

bool kerf_word_read(const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    unsigned big = view->kinds >> KERF_REF_BIG_ENDIAN & KERF_ISA_HAS_WORDS;

    ref->kind = KERF_REF_WORD;
    ref->len = 4;
    if (KERF_ISA_HAS_WORDS && (view->kinds >> KERF_REF_WORD8 & 1) != 0) {
        ref->kind = KERF_REF_WORD8;
        ref->len = 8;
    }
    ref->form = (uint8_t)(KERF_FORM_WORDS + ref->len + big);
    ref->target = kerf_word_code(ref->form, (uint8_t *)(uintptr_t)view->p, NULL);
    /* Of 8 bytes the upper half must be 0 where positions are narrower. */
    return KERF_POS_BITS == 64 || ref->len == 4 || kerf_load_le32(view->p + (big != 0 ? 0 : 4)) == 0;
}
