/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that knows which instruction sets there are. */
#include "common/isa/isa.h"

#include "common/isa/word.h"

bool kerf_isa_known(unsigned isa)
{
    switch (isa) {
    case KERF_ISA_NONE:
        return true;
    case KERF_ISA_THUMB:
        return KERF_ISA_HAS_THUMB;
    default:
        return false;
    }
}

unsigned kerf_isa_scan(unsigned isa, const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    ref->kind = KERF_REF_NONE;
    ref->low_count = 0;
    ref->scale = 0;
    ref->anywhere = false;
    switch (isa) {
#if KERF_ISA_HAS_THUMB
    case KERF_ISA_THUMB:
        return kerf_thumb_scan(view, ref);
#endif
    default:
        return 1;
    }
}

bool kerf_isa_get(unsigned isa, const struct kerf_ref *shape, const uint8_t *p, kerf_addr pc, kerf_addr *target)
{
    if (shape->form >= KERF_FORM_WORDS) {
        return kerf_word_get(shape->form, p, target);
    }
    switch (isa) {
#if KERF_ISA_HAS_THUMB
    case KERF_ISA_THUMB:
        return kerf_thumb_get(shape, p, pc, target);
#endif
    default:
        return false;
    }
}

void kerf_isa_put(unsigned isa, unsigned form, uint8_t *p, kerf_addr pc, kerf_addr target)
{
    if (form >= KERF_FORM_WORDS) {
        kerf_word_put(form, p, target);
        return;
    }
    switch (isa) {
#if KERF_ISA_HAS_THUMB
    case KERF_ISA_THUMB:
        kerf_thumb_put(form, p, pc, target);
        break;
#endif
    default:
        break;
    }
}
