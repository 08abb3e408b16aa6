/* SPDX-License-Identifier: Apache-2.0 */
/* Pointer words: aligned data words of 4 or 8 bytes, of either byte order. Whether the value points anywhere is the codec's to check. */
#include "common/isa/word.h"

#include <string.h>

#include "common/bytes.h"

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

bool kerf_word_read(const struct kerf_isa_view *view, unsigned len, struct kerf_ref *ref)
{
    unsigned big = view->kinds >> KERF_REF_BIG_ENDIAN & 1u;

    memset(ref, 0, sizeof *ref);
    ref->kind = len == 8 ? KERF_REF_WORD8 : KERF_REF_WORD;
    ref->len = (uint8_t)len;
    ref->form = (uint8_t)(KERF_FORM_WORDS + len + big);
    ref->target = kerf_word_target(ref->form, view->p);
    /* Of 8 bytes the upper half must be 0 where positions are narrower. */
    return KERF_POS_BITS == 64 || len == 4 || kerf_load_le32(view->p + (big != 0 ? 0 : 4)) == 0;
}
