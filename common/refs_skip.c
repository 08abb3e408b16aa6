/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts pass stretches of old at once in which no reference begins: they are looked for at few positions then. */
#include "common/bytes.h"
#include "common/encode.h"
#include "common/run.h"

#if KERF_ENCODER
unsigned kerf_ref_none(struct kerf_run *run, unsigned most)
{
    struct kerf_codec *c = KERF_STATE(run);
    const uint8_t *nothing = run->nothing;
    kerf_pos pos = c->src_pos;
    kerf_pos insn_end = c->insn_end;

    if (most == 0 || nothing == NULL || (uint32_t)pos <= c->pair_high || pos > UINT32_MAX - most ||
        (c->record != 0 && pos < insn_end)) { /* inside a type record it depends on the record */
        return 0;
    }
    for (unsigned n = 0; n < most; n++, pos++) {
        unsigned known = nothing[pos];

        if (pos < insn_end) {
            known &= 15u;
        } else {
            known >>= 4;
            insn_end = known > 1 && known != KERF_NOTHING_PINNED ? pos + known - 1 : insn_end;
        }
        if (known == 0 || known == KERF_NOTHING_PINNED) {
            break;
        }
    }
    if (pos != c->src_pos) {
        c->insn_end = insn_end;
        c->record = 0;
    }
    return (unsigned)(pos - c->src_pos);
}

size_t kerf_encode_quiet(struct kerf_encoder *e)
{
    struct kerf_run *run = &e->run;
    struct kerf_codec *c = KERF_STATE(run);
    unsigned most = kerf_codec_quiet(c);
    unsigned n = 0;

    if (c->left <= most) {
        most = c->left > 0 ? (unsigned)c->left - 1 : 0;
    }
    if (run->old_image == NULL || (run->nothing == NULL && run->h->region_count > 0) || c->from_new ||
        c->src_pos < c->raw_end) {
        return 0;
    }
    n = run->h->region_count > 0 ? kerf_ref_none(run, most) : most;
    if (n > 0) {
        kerf_run_pass(run, run->new_image + c->new_pos, n);
        c->src_pos += n;
        c->old_prev = run->old_image[c->src_pos - 1];
        c->stretch = (uint8_t)(c->stretch - 2 * n);
        c->left -= n;
        c->gap += n;
    }
    return n;
}

/* What kerf_ref_pass() is to know of this region. False: nothing that would tell. */
static bool pass_open(struct kerf_run *run, const struct kerf_region *r)
{
    uint64_t start = UINT32_MAX;
    uint64_t end = 0;

    if ((r->kinds & KERF_REFS_OF_PLACES) != 0 || (run->h->flags & KERF_FLAG_WIDE) != 0 ||
        !kerf_isa_lens(r->isa, r->kinds, run->pass_lens)) {
        return false;
    }
    for (unsigned i = 0; i < (unsigned)run->h->region_count + run->h->range_count; i++) {
        bool range = i >= run->h->region_count;
        uint64_t from = range ? run->ranges[i - run->h->region_count].start : run->regions[i].old_addr;
        uint64_t to = from + (range ? run->ranges[i - run->h->region_count].len : run->regions[i].old_len);

        start = to > UINT32_MAX ? 0 : from < start ? from : start;
        end = to > end ? to : end;
    }
    run->hull.start = start;
    run->hull.len = end - start;
    run->pass = r;
    return true;
}

/* The word at p, as a number; of 8 bytes one that does not fit 32 bits is no address. */
static uint64_t word_at(const uint8_t *p, unsigned kinds, unsigned len)
{
    bool big = (kinds >> KERF_REF_BIG_ENDIAN & 1) != 0;
    uint64_t word = big ? kerf_load_be32(p) : kerf_load_le32(p);

    if (len == 8) {
        word = big ? word << 32 | kerf_load_be32(p + 4) : word | (uint64_t)kerf_load_le32(p + 4) << 32;
    }
    return word;
}

unsigned kerf_ref_pass(struct kerf_run *run, unsigned most)
{
    struct kerf_codec *c = KERF_STATE(run);
    const struct kerf_region *r = kerf_run_source_region(run);

    if (r == NULL || c->record != 0 || (KERF_PAIRS_IN_BUILD && (uint32_t)c->src_pos <= c->pair_high) ||
        (run->pass != r && !pass_open(run, r))) {
        return 0;
    }
    kerf_pos rest = r->old_len - (c->src_pos - r->old_pos);
    kerf_addr pc = kerf_region_old_bias(r) + c->src_pos;
    size_t next = c->insn_end > c->src_pos ? (size_t)(c->insn_end - c->src_pos) : 0;

    most = rest < most ? (unsigned)rest : most;
    unsigned len = (r->kinds >> KERF_REF_WORD8 & 1) != 0 ? 8 : 4;
    for (unsigned at = (unsigned)(0 - pc) & (len - 1); at < most; at += len) {
        if (word_at(run->view + at, r->kinds, len) - run->hull.start < run->hull.len) {
            most = at; /* one that may count */
        }
    }
    most = (unsigned)kerf_isa_pass(r->isa, run->pass_lens, run->view, most, pc, &next);
    if (next > 0) {
        c->insn_end = c->src_pos + (kerf_pos)next;
    }
    return most;
}
#endif
