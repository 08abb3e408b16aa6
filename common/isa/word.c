/* SPDX-License-Identifier: Apache-2.0 */
/* Pointer words: aligned data words of 4 or 8 bytes, of either byte order. Whether the value points anywhere is the codec's to check. */
#include "common/isa/word.h"

#include <string.h>

#include "common/bytes.h"

void kerf_word_scan(const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    unsigned big = view->kinds >> KERF_REF_BIG_ENDIAN & 1u;

    memset(ref, 0, sizeof *ref);
    if ((view->kinds >> KERF_REF_WORD8 & 1) != 0 && (view->pc & 7) == 0 &&
        (KERF_POS_BITS == 64 || kerf_load_le32(view->p + (big != 0 ? 0 : 4)) == 0)) {
        ref->kind = KERF_REF_WORD8;
        ref->len = 8;
    } else if ((view->kinds & (1u << KERF_REF_WORD | 1u << KERF_REF_RAM)) != 0 && (view->pc & 3) == 0) {
        ref->kind = KERF_REF_WORD;
        ref->len = 4;
    } else {
        return;
    }
    ref->form = (uint8_t)(KERF_FORM_WORDS + ref->len + big);
    ref->target = kerf_word_target(ref->form, view->p);
}

/* Byte i of a word, the most significant first. */
static unsigned byte_at(unsigned form, unsigned i)
{
    return form & 1 ? i : (form & 14) - 1 - i;
}

kerf_addr kerf_word_target(unsigned form, const uint8_t *p)
{
    kerf_addr v = 0;

    for (unsigned i = 0; i < (form & 14); i++) {
        v = v << 8 | p[byte_at(form, i)];
    }
    return v;
}

void kerf_word_put(unsigned form, uint8_t *p, kerf_addr target)
{
    for (unsigned i = form & 14; i-- > 0; target >>= 8) {
        p[byte_at(form, i)] = (uint8_t)target;
    }
}
