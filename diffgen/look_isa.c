/* SPDX-License-Identifier: Apache-2.0 */
/* Which instruction set the images hold: what their header says, or the votes of both, or a hint. */
#include <string.h>

#include "diffgen/look.h"

#define BRANCHES                                                                                                       \
    (KERF_BIT_OF(KERF_REF_CALL) | KERF_BIT_OF(KERF_REF_JUMP) | KERF_BIT_OF(KERF_REF_BRANCH) |                          \
     KERF_BIT_OF(KERF_REF_BRANCH2))
#define PAIRS (KERF_BIT_OF(KERF_REF_PAIR) | KERF_BIT_OF(KERF_REF_LOW) | KERF_BIT_OF(KERF_REF_PAIR2))
#define LITERALS KERF_BIT_OF(KERF_REF_LITERAL)

const struct kerf_isa_traits kerf_isa_traits[KERF_ISA_COUNT] = {
    [KERF_ISA_NONE] = {"none", "data", 0, KERF_WORDS},
    [KERF_ISA_THUMB] = {"thumb", "Thumb-2", BRANCHES | LITERALS | PAIRS, KERF_WORDS},
    [KERF_ISA_A32] = {"a32", "A32", BRANCHES | LITERALS | PAIRS, KERF_WORDS},
    [KERF_ISA_AARCH64] = {"aarch64", "AArch64", BRANCHES | LITERALS | PAIRS, KERF_WORDS8},
    [KERF_ISA_XTENSA_CALL0] = {"xtensa-call0", "Xtensa (call0)", BRANCHES | LITERALS, KERF_WORDS},
    [KERF_ISA_XTENSA_WINDOWED] = {"xtensa", "Xtensa (windowed)", BRANCHES | LITERALS, KERF_WORDS},
    [KERF_ISA_RISCV32] = {"riscv32", "RISC-V 32", BRANCHES | LITERALS | PAIRS, KERF_WORDS},
    [KERF_ISA_RISCV64] = {"riscv64", "RISC-V 64", BRANCHES | LITERALS | PAIRS, KERF_WORDS8},
    [KERF_ISA_X86] = {"x86", "x86", BRANCHES | LITERALS, KERF_WORDS},
    [KERF_ISA_X86_64] = {"x86-64", "x86-64", BRANCHES | LITERALS, KERF_WORDS8},
    [KERF_ISA_AVR] = {"avr", "AVR", BRANCHES | LITERALS | PAIRS | KERF_BIT_OF(KERF_REF_RAM), 0},
    [KERF_ISA_MIPS32_LE] = {"mips32le", "MIPS32", BRANCHES | LITERALS | PAIRS, KERF_WORDS},
    [KERF_ISA_BTF] = {"btf", "data with type records", KERF_BIT_OF(KERF_REF_RECORDS), 0},
    [KERF_ISA_MIPS32_BE] = {"mips32be", "MIPS32 (big-endian)", BRANCHES | LITERALS | PAIRS,
                            KERF_WORDS | KERF_BIG_ENDIAN_WORDS},
    [KERF_ISA_ARC] = {"arc", "ARC", BRANCHES | LITERALS | PAIRS, KERF_WORDS},
    [KERF_ISA_VIDEOCORE] = {"videocore4", "VideoCore IV", BRANCHES | LITERALS | KERF_BIT_OF(KERF_REF_RAM), KERF_WORDS},
    [KERF_ISA_POWERPC_BE] = {"powerpc", "PowerPC", BRANCHES | PAIRS, KERF_WORDS | KERF_BIG_ENDIAN_WORDS},
    [KERF_ISA_POWERPC_LE] = {"powerpc64le", "PowerPC 64 (little-endian)", BRANCHES | PAIRS, KERF_WORDS8},
    [KERF_ISA_NDS32] = {"nds32", "Andes NDS32", BRANCHES | PAIRS, KERF_WORDS},
    [KERF_ISA_MIPS16] = {"mips16", "MIPS16e", BRANCHES | LITERALS, KERF_WORDS},
    [KERF_ISA_TC32] = {"tc32", "Telink TC32", BRANCHES | LITERALS, KERF_WORDS},
    [KERF_ISA_MCS51] = {"8051", "8051", BRANCHES | LITERALS | PAIRS | KERF_BIT_OF(KERF_REF_RAM), 0},
    [KERF_ISA_BA2] = {"ba2", "BA2", BRANCHES | KERF_BIT_OF(KERF_REF_RAM), KERF_WORDS | KERF_BIG_ENDIAN_WORDS},
    [KERF_ISA_HEXAGON] = {"hexagon", "Hexagon", BRANCHES | PAIRS, KERF_WORDS},
    [KERF_ISA_ELF] = {"elf", "ELF files", KERF_BIT_OF(KERF_REF_FILES), KERF_WORDS8},
    [KERF_ISA_OFFSETS] = {"offsets", "words that count from themselves", LITERALS, 0},
    [KERF_ISA_WORDS] = {"words", "data with big-endian pointers", 0, KERF_WORDS | KERF_BIG_ENDIAN_WORDS},
};

const char *kerf_isa_name(unsigned isa)
{
    return isa < KERF_ISA_COUNT ? kerf_isa_traits[isa].name : NULL;
}

unsigned kerf_isa_by_name(const char *name)
{
    unsigned isa = 0;

    while (isa < KERF_ISA_COUNT && strcmp(name, kerf_isa_traits[isa].name) != 0) {
        isa++;
    }
    return isa;
}

void kerf_look_one_span(struct kerf_look_side *side, uint64_t addr)
{
    side->layout.container = NULL;
    side->layout.addressed = false;
    side->layout.big_endian = false;
    side->layout.span_count = 0;
    side->layout.window_count = 0;
    side->layout.exact_windows = false;
    side->layout.isa = KERF_ISA_COUNT;
    kerf_layout_add(&side->layout, side->len, 0, side->len, addr, true);
}

void kerf_look_vote(const struct kerf_look_side *side, struct kerf_votes *votes)
{
    for (unsigned i = 0; i < side->layout.span_count; i++) {
        const struct kerf_span *span = &side->layout.spans[i];

        if (span->code) {
            kerf_detect_votes(side->p + span->pos, (size_t)span->len, votes);
        }
    }
}

/* Lays out images of 8051 code, both of them or none. */
static kerf_err find_banks(struct kerf_look_side sides[2])
{
    kerf_err err = kerf_detect_banks(sides[0].p, sides[0].len, &sides[0].layout);

    if (err == KERF_OK && sides[0].layout.addressed) {
        err = kerf_detect_banks(sides[1].p, sides[1].len, &sides[1].layout);
        if (!sides[1].layout.addressed) {
            kerf_look_one_span(&sides[0], 0);
        }
    }
    return err;
}

/* What the votes of old say, and where those are not clear, those of new added. */
static unsigned most_votes(struct kerf_look *look)
{
    unsigned isa = kerf_detect_isa(&look->votes[0], NULL, KERF_VOTES_CLEAR);

    if (isa == KERF_ISA_NONE) {
        if (look->votes[1].looked_at == 0) {
            kerf_look_vote(&look->sides[1], &look->votes[1]);
        }
        isa = kerf_detect_isa(&look->votes[0], &look->votes[1], 1);
    }
    return isa;
}

/* A file without a header that begins like 8051 code. */
static bool is_small_mcs51(const struct kerf_look_side *side)
{
    return side->layout.container == NULL && kerf_detect_mcs51(side->p, side->len);
}

/* The votes for 8051 count only where calls tell the load address, too. */
static kerf_err voted_isa(struct kerf_look *look)
{
    bool found = false;

    kerf_look_vote(&look->sides[0], &look->votes[0]);
    look->isa = most_votes(look);
    if (look->isa == KERF_ISA_MCS51 && !look->sides[0].layout.addressed) {
        kerf_err err = find_banks(look->sides);

        if (err != KERF_OK) {
            return err;
        }
        found = look->sides[0].layout.addressed;
    }
    while (look->isa == KERF_ISA_MCS51 && !found) {
        look->votes[0].of[KERF_ISA_MCS51] = 0;
        look->votes[1].of[KERF_ISA_MCS51] = 0;
        look->isa = most_votes(look);
    }
    if (look->isa == KERF_ISA_NONE && is_small_mcs51(&look->sides[0]) && is_small_mcs51(&look->sides[1])) {
        look->isa = KERF_ISA_MCS51;
        look->sides[0].layout.addressed = look->sides[1].layout.addressed = true;
    }
    return KERF_OK;
}

/* What a hint of either image says the instruction set is, where the bytes did not tell. */
static unsigned hinted_isa(const struct kerf_diff_options *options)
{
    const struct kerf_diff_hint *hints[2] = {options->old_hint, options->new_hint};

    for (unsigned i = 0; i < 2; i++) {
        if (hints[i] != NULL && hints[i]->isa < KERF_ISA_COUNT) {
            return hints[i]->isa;
        }
    }
    return KERF_ISA_NONE;
}

kerf_err kerf_look_isa(struct kerf_look *look, const struct kerf_diff_options *options)
{
    if (look->isa == KERF_ISA_COUNT) {
        look->isa = look->sides[0].layout.isa;
    }
    if (look->isa != KERF_ISA_COUNT) {
        return KERF_OK;
    }
    kerf_err err = voted_isa(look);

    if (err != KERF_OK) {
        return err;
    }
    look->isa = look->isa == KERF_ISA_NONE ? hinted_isa(options) : look->isa;
    if (look->isa == KERF_ISA_MCS51 && options->base_known) {
        kerf_look_one_span(&look->sides[0], options->base);
        kerf_look_one_span(&look->sides[1], options->base);
    }
    return KERF_OK;
}
