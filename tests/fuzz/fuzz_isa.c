/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instruction sets and type records on any bytes: the first byte is the set, the next two the kinds, then four of
 * address, then code. Each reference that a sweep finds must be read back as found, and writing its own target must
 * change nothing.
 */
#include "common/isa/isa.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void check(unsigned isa, const struct kerf_isa_view *view, const struct kerf_ref *ref)
{
    uint8_t again[KERF_ISA_VIEW_LEN];
    kerf_addr target = 0;

    require((view->kinds >> ref->kind & 1) != 0 && ref->len >= 2 && ref->len <= 8 && ref->low_count <= KERF_REF_LOWS);
    require(kerf_isa_get(isa, ref, view->p, view->pc, &target) && target == ref->target);
    memcpy(again, view->p, sizeof(again));
    kerf_isa_put(isa, ref->form, again, view->pc, target);
    for (unsigned i = 0; i < ref->low_count; i++) {
        unsigned at = ref->low_at[i];
        kerf_addr value = target - (ref->low_relative ? view->pc : 0) + (kerf_addr)(kerf_shift)ref->low_delta[i];

        require(at >= ref->len && at + ref->len <= sizeof(again));
        kerf_isa_put(isa, ref->low_form[i], again + at, view->pc + at, value);
    }
    /* The same bytes again, or (minus 0, an ADRP with two signs) the one encoding that has this target, too. */
    if (memcmp(again, view->p, sizeof(again)) != 0) {
        require(ref->kind == KERF_REF_PAIR || kerf_isa_target(isa, ref->form, again, view->pc) == target);
    }
    /* Another target: reading it must not look further than the view either. */
    kerf_isa_put(isa, ref->form, again, view->pc ^ 0x5a5a5a5au, ~target);
    (void)kerf_isa_get(isa, ref, again, view->pc ^ 0x5a5a5a5au, &target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 7) {
        return 0;
    }
    unsigned isa = data[0] % KERF_ISA_COUNT;
    uint16_t kinds = (uint16_t)kerf_load_le16(data + 1);
    kerf_addr pc = kerf_load_le32(data + 3);
    size_t next = 7;
    uint8_t record = 0;
    struct kerf_elf elf = {{0}, {0}, 0};

    for (size_t pos = 7; pos < len; pos++) {
        uint8_t view_bytes[KERF_ISA_VIEW_LEN] = {0};
        size_t have = len - pos < sizeof(view_bytes) ? len - pos : sizeof(view_bytes);
        struct kerf_isa_view view = {view_bytes, pc + pos, kinds, pos >= next, record, (uint32_t)(next - pos)};
        struct kerf_ref ref;

        memcpy(view_bytes, data + pos, have);
        memset(&ref, 0, sizeof(ref));

        unsigned left = (kinds >> KERF_REF_RECORDS & 1) != 0 && (view.boundary || record != KERF_ELF_FRAME)
                            ? kerf_btf_scan(&view, &ref)
                            : 0;

        if (left == 0 && (kinds >> KERF_REF_FILES & 1) != 0) {
            unsigned more = kerf_elf_scan(&view, view.pc, &elf, &ref);

            if (more != 0 && ref.record == 0) { /* an entry of a table */
                next = pos + 4;
                record = 0;
                continue;
            }
            left = more;
        }

        record = ref.record;
        require((left != 0) == (record != 0));
        if (left != 0) {
            if (ref.kind != KERF_REF_NONE) {
                view.kinds = 0xffff; /* of a record's references it says nothing */
                check(isa, &view, &ref);
            }
            next = view.boundary ? pos + left : next;
            continue;
        }
        unsigned step = kerf_isa_scan(isa, &view, &ref);

        require(step <= 10 && (step >= 1 || !view.boundary));
        if (ref.kind != KERF_REF_NONE) {
            check(isa, &view, &ref);
        }
        next = step > 0 ? pos + step : next;
    }
    return 0;
}
