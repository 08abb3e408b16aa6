/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that knows which instruction sets there are. */
#include "common/isa/isa.h"

#include "common/isa/form.h"
#include "common/isa/word.h"

/* Those that are tables and not on devices unless they ask for it; NULL: this one is not in this build, or none. */
static const struct kerf_forms *rare_set_of(unsigned isa)
{
    switch (isa) {
#if KERF_ISA_HAS_ARC
    case KERF_ISA_ARC:
        return &kerf_forms_arc;
#endif
#if KERF_ISA_HAS_VIDEOCORE
    case KERF_ISA_VIDEOCORE:
        return &kerf_forms_videocore;
#endif
#if KERF_ISA_HAS_NDS32
    case KERF_ISA_NDS32:
        return &kerf_forms_nds32;
#endif
#if KERF_ISA_HAS_MIPS16
    case KERF_ISA_MIPS16:
        return &kerf_forms_mips16;
#endif
#if KERF_ISA_HAS_TC32
    case KERF_ISA_TC32:
        return &kerf_forms_tc32;
#endif
#if KERF_ISA_HAS_MCS51
    case KERF_ISA_MCS51:
        return &kerf_forms_mcs51;
#endif
#if KERF_ISA_HAS_BA2
    case KERF_ISA_BA2:
        return &kerf_forms_ba2;
#endif
#if KERF_ISA_HAS_HEXAGON
    case KERF_ISA_HEXAGON:
        return &kerf_forms_hexagon;
#endif
#if KERF_ISA_HAS_OFFSETS
    case KERF_ISA_OFFSETS:
        return &kerf_forms_offsets;
#endif
#if KERF_ISA_HAS_POWERPC
    case KERF_ISA_POWERPC_BE:
        return &kerf_forms_powerpc_be;
    case KERF_ISA_POWERPC_LE:
        return &kerf_forms_powerpc_le;
#endif
    default:
        return NULL;
    }
}

/* The same of all. */
static const struct kerf_forms *set_of(unsigned isa)
{
    switch (isa) {
#if KERF_ISA_HAS_THUMB
    case KERF_ISA_THUMB:
        return &kerf_forms_thumb;
#endif
#if KERF_ISA_HAS_A32
    case KERF_ISA_A32:
        return &kerf_forms_a32;
#endif
#if KERF_ISA_HAS_AARCH64
    case KERF_ISA_AARCH64:
        return &kerf_forms_aarch64;
#endif
#if KERF_ISA_HAS_XTENSA
    case KERF_ISA_XTENSA_CALL0:
        return &kerf_forms_xtensa_call0;
    case KERF_ISA_XTENSA_WINDOWED:
        return &kerf_forms_xtensa_windowed;
#endif
#if KERF_ISA_HAS_RISCV
    case KERF_ISA_RISCV32:
        return &kerf_forms_riscv32;
    case KERF_ISA_RISCV64:
        return &kerf_forms_riscv64;
#endif
#if KERF_ISA_HAS_AVR
    case KERF_ISA_AVR:
        return &kerf_forms_avr;
#endif
#if KERF_ISA_HAS_MIPS
    case KERF_ISA_MIPS32_LE:
        return &kerf_forms_mips_le;
    case KERF_ISA_MIPS32_BE:
        return &kerf_forms_mips_be;
#endif
    default:
        return rare_set_of(isa);
    }
}

unsigned kerf_isa_scan(unsigned isa, const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    ref->kind = KERF_REF_NONE;
#if KERF_ISA_HAS_X86
    if (isa == KERF_ISA_X86 || isa == KERF_ISA_X86_64) {
        return kerf_x86_scan(isa == KERF_ISA_X86_64, view, ref);
    }
#endif
#if KERF_ISA_HAS_MCS51
    if (isa == KERF_ISA_MCS51 && kerf_mcs51_far(view, ref)) {
        return ref->len;
    }
#endif
    const struct kerf_forms *set = set_of(isa);

    return set == NULL || (view->pc & set->align) != 0 ? 1 : kerf_forms_scan(set, view, ref);
}

#if KERF_ENCODER
void kerf_isa_nothing(unsigned isa, unsigned kinds, const uint8_t *p, size_t len, kerf_addr pc, uint8_t *nothing)
{
    const struct kerf_forms *set = set_of(isa);

    if (set != NULL) {
        kerf_forms_nothing(set, kinds, p, len, pc, nothing);
    }
    /*
     * An address behind a call is told by what lies around it, not by the form of an instruction: kerf_mcs51_far()
     * decides. Where that takes an instruction for an address that leads nowhere there is no reference, but without the
     * kind of such addresses there is one: nothing may be remembered of these places.
     */
    for (size_t i = 0; isa == KERF_ISA_MCS51 && i < len; i++) {
        if (i + 12 > len || (p[i + 3] == 0x12 && p[i + 9] == 0x12)) {
            nothing[i] = 0xff;
        }
    }
}

bool kerf_isa_lens(unsigned isa, unsigned kinds, uint8_t lens[KERF_PASS_FORMS])
{
    const struct kerf_forms *set = set_of(isa);

    if (set != NULL) {
        kerf_forms_lens(set, kinds, lens);
    }
    return isa != KERF_ISA_MCS51; /* where what lies around an address tells what it is */
}

size_t kerf_isa_pass(unsigned isa, const uint8_t lens[KERF_PASS_FORMS], const uint8_t *p, size_t len, kerf_addr pc,
                     size_t *next)
{
    const struct kerf_forms *set = set_of(isa);

    if (set != NULL) {
        return kerf_forms_pass(set, lens, p, len, pc, next);
    }
    if (isa == KERF_ISA_X86 || isa == KERF_ISA_X86_64) {
        len = kerf_x86_pass(isa == KERF_ISA_X86_64, p, len);
    }
    *next = *next < len ? len : *next;
    return len;
}

unsigned kerf_isa_align(unsigned isa)
{
    const struct kerf_forms *set = set_of(isa);

    return set == NULL ? 0 : set->align;
}

bool kerf_isa_stays(unsigned form, const struct kerf_ref *ref, kerf_addr from, kerf_addr to, kerf_addr target)
{
    unsigned isa = form >> 8;

    form &= 0xff;
    if (form >= KERF_FORM_ELF && form < KERF_FORM_BTF) {
        return false; /* they count from other places */
    }
    if (form >= KERF_FORM_WORDS) {
        return target == ref->target;
    }
    if (isa == KERF_ISA_X86 || isa == KERF_ISA_X86_64) {
        return false;
    }
    return kerf_forms_stays(set_of(isa), form, ref->target - target, from, to);
}

unsigned kerf_isa_scale(unsigned isa, unsigned form)
{
    const struct kerf_forms *set = set_of(isa);

    return set == NULL ? 0 : set->bits[set->forms[form].bits].to;
}
#endif

kerf_addr kerf_isa_code(unsigned form, uint8_t *p, kerf_addr pc, const kerf_addr *target)
{
    unsigned isa = form >> 8;

    form &= 0xff;
#if KERF_ISA_HAS_BTF
    if (form >= KERF_FORM_BTF) {
        return kerf_btf_code(form, p, target);
    }
#endif
#if KERF_ISA_HAS_ELF
    if (form >= KERF_FORM_ELF) {
        return kerf_elf_code(form, p, pc, target);
    }
#endif
    if (form >= KERF_FORM_WORDS) {
        return kerf_word_code(form, p, target);
    }
#if KERF_ISA_HAS_X86
    if (isa == KERF_ISA_X86 || isa == KERF_ISA_X86_64) {
        return kerf_x86_code(form, p, pc, target);
    }
#endif
    return kerf_forms_code(set_of(isa), form, p, pc, target);
}

#if KERF_ENCODER
bool kerf_isa_get(unsigned isa, const struct kerf_ref *shape, const uint8_t *p, kerf_addr pc, kerf_addr *target)
{
    *target = kerf_isa_target(isa, shape->form, p, pc);
    if (shape->form >= KERF_FORM_WORDS) {
        return true;
    }
    if (isa == KERF_ISA_X86 || isa == KERF_ISA_X86_64) {
        return kerf_x86_is(isa == KERF_ISA_X86_64, shape->form, p);
    }
    return kerf_forms_get(set_of(isa), shape, p, pc, target);
}
#endif
