/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thumb and Thumb-2. Source of the encodings: Arm Architecture Reference Manual ARMv7-M (DDI 0403), A5 and A7.7.
 *
 * BL, B.W and B<cond>.W are taken at every even position: between code lie literal pools, where the linear sweep loses
 * step, and few data look like them. The 16-bit forms are taken only where an instruction starts.
 */
#include "common/bytes.h"
#include "common/isa/isa.h"

enum {
    FORM_BL,    /* T1: 11110 S imm10 : 11 J1 1 J2 imm11 */
    FORM_B_W,   /* T4: the same with 10 J1 1 J2 */
    FORM_BC_W,  /* T3: 11110 S cond imm6 : 10 J1 0 J2 imm11 */
    FORM_B,     /* T2: 11100 imm11 */
    FORM_BC,    /* T1: 1101 cond imm8 */
    FORM_CBZ,   /* 1011 op 0 i 1 imm5 Rn */
    FORM_LDR,   /* T1: 01001 Rt imm8 */
    FORM_LDR_W, /* T2: 11111000 U101 1111 : Rt imm12 */
    FORM_MOVW,  /* T3: 11110 i 100100 imm4 : 0 imm3 Rd imm8 */
    FORM_MOVT,  /* T1: 11110 i 101100 imm4 : 0 imm3 Rd imm8 */
};

/* MOVT is looked for this many bytes after its MOVW. */
#define MOVT_REACH 12u

static kerf_addr sign_extend(uint32_t v, unsigned bits)
{
    uint32_t sign = 1u << (bits - 1);

    return (kerf_addr)(kerf_shift)(int32_t)((v ^ sign) - sign);
}

static bool is_bl(uint32_t h1, uint32_t h2)
{
    return (h1 & 0xf800) == 0xf000 && (h2 & 0xd000) == 0xd000;
}

static bool is_b_w(uint32_t h1, uint32_t h2)
{
    return (h1 & 0xf800) == 0xf000 && (h2 & 0xd000) == 0x9000;
}

static bool is_bc_w(uint32_t h1, uint32_t h2)
{
    return (h1 & 0xf800) == 0xf000 && (h2 & 0xd000) == 0x8000 && (h1 >> 6 & 15) < 14;
}

static uint32_t mov_imm(const uint8_t *p)
{
    uint32_t h1 = kerf_load_le16(p);
    uint32_t h2 = kerf_load_le16(p + 2);

    return (h1 & 15) << 12 | (h1 >> 10 & 1) << 11 | (h2 >> 12 & 7) << 8 | (h2 & 0xff);
}

static void mov_imm_put(uint8_t *p, uint32_t v)
{
    kerf_store_le16(p, (kerf_load_le16(p) & 0xfbf0) | (v >> 12 & 15) | (v >> 11 & 1) << 10);
    kerf_store_le16(p + 2, (kerf_load_le16(p + 2) & 0x8f00) | (v >> 8 & 7) << 12 | (v & 0xff));
}

/* The instruction at p is MOVW, and the one at q is the MOVT of the same register. */
static bool is_mov_pair(const uint8_t *p, const uint8_t *q)
{
    uint32_t h2 = kerf_load_le16(p + 2);

    return (kerf_load_le16(p) & 0xfbf0) == 0xf240 && (h2 & 0x8000) == 0 && (kerf_load_le16(q) & 0xfbf0) == 0xf2c0 &&
           (kerf_load_le16(q + 2) & 0x8f00) == (h2 & 0x8f00);
}

bool kerf_thumb_get(const struct kerf_ref *shape, const uint8_t *p, kerf_addr pc, kerf_addr *target)
{
    uint32_t h1 = kerf_load_le16(p);
    uint32_t h2 = kerf_load_le16(p + 2);
    uint32_t s = h1 >> 10 & 1;
    uint32_t j1 = h2 >> 13 & 1;
    uint32_t j2 = h2 >> 11 & 1;
    kerf_addr from = pc + 4;
    bool ok;

    switch (shape->form) {
    case FORM_BL:
    case FORM_B_W:
        ok = shape->form == FORM_BL ? is_bl(h1, h2) : is_b_w(h1, h2);
        *target = from + sign_extend(s << 24 | ((j1 ^ s ^ 1) & 1) << 23 | ((j2 ^ s ^ 1) & 1) << 22 |
                                         (h1 & 0x3ff) << 12 | (h2 & 0x7ff) << 1,
                                     25);
        return ok;
    case FORM_BC_W:
        *target = from + sign_extend(s << 20 | j2 << 19 | j1 << 18 | (h1 & 0x3f) << 12 | (h2 & 0x7ff) << 1, 21);
        return is_bc_w(h1, h2);
    case FORM_B:
        *target = from + sign_extend((h1 & 0x7ff) << 1, 12);
        return (h1 & 0xf800) == 0xe000;
    case FORM_BC:
        *target = from + sign_extend((h1 & 0xff) << 1, 9);
        return (h1 & 0xf000) == 0xd000 && (h1 >> 8 & 15) < 14;
    case FORM_CBZ:
        *target = from + ((h1 >> 9 & 1) << 6 | (h1 >> 3 & 31) << 1);
        return (h1 & 0xf500) == 0xb100;
    case FORM_LDR:
        *target = (from & ~(kerf_addr)3) + ((h1 & 0xff) << 2);
        return (h1 & 0xf800) == 0x4800;
    case FORM_LDR_W:
        from &= ~(kerf_addr)3;
        *target = (h1 & 0x80) != 0 ? from + (h2 & 0xfff) : from - (h2 & 0xfff);
        /* Not -0, which kerf_thumb_put() writes as +0. */
        return (h1 & 0xff7f) == 0xf85f && ((h1 & 0x80) != 0 || (h2 & 0xfff) != 0);
    default:
        *target = mov_imm(p) | mov_imm(p + shape->low_at[0]) << 16;
        return is_mov_pair(p, p + shape->low_at[0]);
    }
}

void kerf_thumb_put(unsigned form, uint8_t *p, kerf_addr pc, kerf_addr target)
{
    uint32_t h1 = kerf_load_le16(p);
    uint32_t h2 = kerf_load_le16(p + 2);
    uint32_t d = (uint32_t)(target - pc - 4);
    uint32_t aligned_d = (uint32_t)(target - ((pc + 4) & ~(kerf_addr)3));
    uint32_t s = d >> 24 & 1;

    switch (form) {
    case FORM_BL:
    case FORM_B_W:
        h1 = (h1 & 0xf800) | s << 10 | (d >> 12 & 0x3ff);
        h2 = (h2 & 0xd000) | ((d >> 23 ^ s ^ 1) & 1) << 13 | ((d >> 22 ^ s ^ 1) & 1) << 11 | (d >> 1 & 0x7ff);
        break;
    case FORM_BC_W:
        h1 = (h1 & 0xfbc0) | (d >> 20 & 1) << 10 | (d >> 12 & 0x3f);
        h2 = (h2 & 0xd000) | (d >> 18 & 1) << 13 | (d >> 19 & 1) << 11 | (d >> 1 & 0x7ff);
        break;
    case FORM_B:
        kerf_store_le16(p, (h1 & 0xf800) | (d >> 1 & 0x7ff));
        return;
    case FORM_BC:
        kerf_store_le16(p, (h1 & 0xff00) | (d >> 1 & 0xff));
        return;
    case FORM_CBZ:
        kerf_store_le16(p, (h1 & 0xfd07) | (d >> 6 & 1) << 9 | (d >> 1 & 31) << 3);
        return;
    case FORM_LDR:
        kerf_store_le16(p, (h1 & 0xff00) | (aligned_d >> 2 & 0xff));
        return;
    case FORM_LDR_W:
        h1 |= 0x80;
        if ((aligned_d & 0x80000000u) != 0) {
            aligned_d = 0 - aligned_d;
            h1 ^= 0x80;
        }
        h2 = (h2 & 0xf000) | (aligned_d & 0xfff);
        break;
    default:
        mov_imm_put(p, (uint32_t)target >> (form == FORM_MOVT ? 16 : 0) & 0xffff);
        return;
    }
    kerf_store_le16(p, h1);
    kerf_store_le16(p + 2, h2);
}

static void found(struct kerf_ref *ref, unsigned kind, unsigned form, unsigned len, unsigned scale)
{
    ref->kind = (uint8_t)kind;
    ref->form = (uint8_t)form;
    ref->len = (uint8_t)len;
    ref->scale = (uint8_t)scale;
}

/* The 16-bit forms, and the sweep's step. */
static unsigned scan_short(uint32_t h1, struct kerf_ref *ref)
{
    if (h1 >= 0xe800) {
        return 4;
    }
    if ((h1 & 0xf800) == 0xe000) {
        found(ref, KERF_REF_BRANCH, FORM_B, 2, 1);
    } else if ((h1 & 0xf000) == 0xd000 && (h1 >> 8 & 15) < 14) {
        found(ref, KERF_REF_BRANCH, FORM_BC, 2, 1);
    } else if ((h1 & 0xf500) == 0xb100) {
        found(ref, KERF_REF_BRANCH2, FORM_CBZ, 2, 1);
    } else if ((h1 & 0xf800) == 0x4800) {
        found(ref, KERF_REF_LITERAL, FORM_LDR, 2, 2);
    }
    return 2;
}

unsigned kerf_thumb_scan(const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    const uint8_t *p = view->p;
    unsigned step = 2;

    if ((view->pc & 1) != 0) {
        return 1;
    }
    uint32_t h1 = kerf_load_le16(p);
    uint32_t h2 = kerf_load_le16(p + 2);

    if (is_bl(h1, h2)) {
        found(ref, KERF_REF_CALL, FORM_BL, 4, 1);
    } else if (is_b_w(h1, h2)) {
        found(ref, KERF_REF_JUMP, FORM_B_W, 4, 1);
    } else if (is_bc_w(h1, h2)) {
        found(ref, KERF_REF_BRANCH, FORM_BC_W, 4, 1);
    } else if ((h1 & 0xff7f) == 0xf85f) {
        found(ref, KERF_REF_LITERAL, FORM_LDR_W, 4, 0);
    } else if ((h1 & 0xfbf0) == 0xf240) {
        for (unsigned at = 4; at <= MOVT_REACH; at += 2) {
            if (is_mov_pair(p, p + at)) {
                found(ref, KERF_REF_PAIR, FORM_MOVW, 4, 0);
                ref->low_count = 1;
                ref->low_at[0] = (uint8_t)at;
                ref->low_form[0] = FORM_MOVT;
                ref->low_delta[0] = 0;
                ref->low_relative = false;
                break;
            }
        }
    }
    if (view->boundary) {
        step = ref->kind == KERF_REF_NONE ? scan_short(h1, ref) : ref->len;
    }
    if (ref->kind != KERF_REF_NONE &&
        ((view->kinds >> ref->kind & 1) == 0 || !kerf_thumb_get(ref, p, view->pc, &ref->target))) {
        ref->kind = KERF_REF_NONE;
    }
    return step;
}
