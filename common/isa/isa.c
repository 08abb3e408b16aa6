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
    case KERF_ISA_A32:
        return KERF_ISA_HAS_A32;
    case KERF_ISA_AARCH64:
        return KERF_ISA_HAS_AARCH64;
    case KERF_ISA_XTENSA_CALL0:
    case KERF_ISA_XTENSA_WINDOWED:
        return KERF_ISA_HAS_XTENSA;
    case KERF_ISA_RISCV32:
    case KERF_ISA_RISCV64:
        return KERF_ISA_HAS_RISCV;
    case KERF_ISA_X86:
    case KERF_ISA_X86_64:
        return KERF_ISA_HAS_X86;
    case KERF_ISA_AVR:
        return KERF_ISA_HAS_AVR;
    case KERF_ISA_MIPS32_LE:
    case KERF_ISA_MIPS32_BE:
        return KERF_ISA_HAS_MIPS;
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
    ref->low_relative = false;
    switch (isa) {
#if KERF_ISA_HAS_THUMB
    case KERF_ISA_THUMB:
        return kerf_thumb_scan(view, ref);
#endif
#if KERF_ISA_HAS_A32
    case KERF_ISA_A32:
        return kerf_a32_scan(view, ref);
#endif
#if KERF_ISA_HAS_AARCH64
    case KERF_ISA_AARCH64:
        return kerf_aarch64_scan(view, ref);
#endif
#if KERF_ISA_HAS_XTENSA
    case KERF_ISA_XTENSA_CALL0:
    case KERF_ISA_XTENSA_WINDOWED:
        return kerf_xtensa_scan(isa == KERF_ISA_XTENSA_WINDOWED, view, ref);
#endif
#if KERF_ISA_HAS_RISCV
    case KERF_ISA_RISCV32:
    case KERF_ISA_RISCV64:
        return kerf_riscv_scan(isa == KERF_ISA_RISCV64, view, ref);
#endif
#if KERF_ISA_HAS_X86
    case KERF_ISA_X86:
    case KERF_ISA_X86_64:
        return kerf_x86_scan(isa == KERF_ISA_X86_64, view, ref);
#endif
#if KERF_ISA_HAS_AVR
    case KERF_ISA_AVR:
        return kerf_avr_scan(view, ref);
#endif
#if KERF_ISA_HAS_MIPS
    case KERF_ISA_MIPS32_LE:
    case KERF_ISA_MIPS32_BE:
        return kerf_mips_scan(isa == KERF_ISA_MIPS32_BE, view, ref);
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
#if KERF_ISA_HAS_A32
    case KERF_ISA_A32:
        return kerf_a32_get(shape, p, pc, target);
#endif
#if KERF_ISA_HAS_AARCH64
    case KERF_ISA_AARCH64:
        return kerf_aarch64_get(shape, p, pc, target);
#endif
#if KERF_ISA_HAS_XTENSA
    case KERF_ISA_XTENSA_CALL0:
    case KERF_ISA_XTENSA_WINDOWED:
        return kerf_xtensa_get(shape, p, pc, target);
#endif
#if KERF_ISA_HAS_RISCV
    case KERF_ISA_RISCV32:
    case KERF_ISA_RISCV64:
        return kerf_riscv_get(shape, p, pc, target);
#endif
#if KERF_ISA_HAS_X86
    case KERF_ISA_X86:
    case KERF_ISA_X86_64:
        return kerf_x86_get(isa == KERF_ISA_X86_64, shape, p, pc, target);
#endif
#if KERF_ISA_HAS_AVR
    case KERF_ISA_AVR:
        return kerf_avr_get(shape, p, pc, target);
#endif
#if KERF_ISA_HAS_MIPS
    case KERF_ISA_MIPS32_LE:
    case KERF_ISA_MIPS32_BE:
        return kerf_mips_get(isa == KERF_ISA_MIPS32_BE, shape, p, pc, target);
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
#if KERF_ISA_HAS_A32
    case KERF_ISA_A32:
        kerf_a32_put(form, p, pc, target);
        break;
#endif
#if KERF_ISA_HAS_AARCH64
    case KERF_ISA_AARCH64:
        kerf_aarch64_put(form, p, pc, target);
        break;
#endif
#if KERF_ISA_HAS_XTENSA
    case KERF_ISA_XTENSA_CALL0:
    case KERF_ISA_XTENSA_WINDOWED:
        kerf_xtensa_put(form, p, pc, target);
        break;
#endif
#if KERF_ISA_HAS_RISCV
    case KERF_ISA_RISCV32:
    case KERF_ISA_RISCV64:
        kerf_riscv_put(form, p, pc, target);
        break;
#endif
#if KERF_ISA_HAS_X86
    case KERF_ISA_X86:
    case KERF_ISA_X86_64:
        kerf_x86_put(form, p, pc, target);
        break;
#endif
#if KERF_ISA_HAS_AVR
    case KERF_ISA_AVR:
        kerf_avr_put(form, p, pc, target);
        break;
#endif
#if KERF_ISA_HAS_MIPS
    case KERF_ISA_MIPS32_LE:
    case KERF_ISA_MIPS32_BE:
        kerf_mips_put(isa == KERF_ISA_MIPS32_BE, form, p, pc, target);
        break;
#endif
    default:
        break;
    }
}
