/* SPDX-License-Identifier: Apache-2.0 */
/* Pointer words: aligned data words of 4 or 8 bytes, of either byte order. Whether the value points anywhere is the codec's to check. */
#include "common/isa/word.h"

#include <string.h>

#include "common/bytes.h"

kerf_addr kerf_word_target(unsigned form, const uint8_t *p)
{
    bool big = (form & 1) != 0;
#if KERF_POS_BITS == 64
    if ((form & 8) != 0) {
        return big ? (kerf_addr)kerf_load_be32(p) << 32 | kerf_load_be32(p + 4) : kerf_load_le64(p);
    }
#endif
    return big ? kerf_load_be32(p + (form & 8) / 2) : kerf_load_le32(p);
}

void kerf_word_put(unsigned form, uint8_t *p, kerf_addr target)
{
    for (unsigned i = 0; i < (form & 14); i++, target >>= 8) {
        p[(form & 1) != 0 ? (form & 14) - 1 - i : i] = (uint8_t)target;
    }
}

bool kerf_word_read(const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    unsigned big = view->kinds >> KERF_REF_BIG_ENDIAN & 1u;

    ref->kind = KERF_REF_WORD;
    ref->len = 4;
    if ((view->kinds >> KERF_REF_WORD8 & 1) != 0) {
        ref->kind = KERF_REF_WORD8;
        ref->len = 8;
    }
    ref->scale = 0;
    ref->low_count = 0;
    ref->form = (uint8_t)(KERF_FORM_WORDS + ref->len + big);
    ref->target = kerf_word_target(ref->form, view->p);
    /* Of 8 bytes the upper half must be 0 where positions are narrower. */
    return KERF_POS_BITS == 64 || ref->len == 4 || kerf_load_le32(view->p + (big != 0 ? 0 : 4)) == 0;
}
