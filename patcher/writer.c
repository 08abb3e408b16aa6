/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/state.h"

#include <string.h>

/* Page_size divides sector_size: a page never reaches over the end of what is erased. */
void kerf_write_page(struct kerf_patcher *p)
{
    size_t n = p->page_len < p->port->page_size ? p->page_len : p->port->page_size;
    uint8_t *page = page_of(p);

#if KERF_JOURNAL
    p->page_pos = p->out_pos; /* it was elsewhere */
    p->out_pos += (kerf_pos)n;
#endif
#if KERF_IN_PLACE
    if (in_place(p)) {
        kerf_pos pos = kerf_codec_new_pos(codec_of(p)) - (kerf_pos)p->page_len;

        group_of(p)[p->group_len] = (uint32_t)(pos >> p->header.sector_log2);
        p->page_pos = kerf_in_place_scratch(p, p->group_len, pos);
    }
#endif
    kerf_put(p, in_place(p), page, n);
    p->page_len -= n;
    memmove(page, page + n, p->page_len);
#if KERF_JOURNAL
    if (in_place(p)) {
        if (p->page_len != 0 || (p->flags & STATE_COMPLETE) == 0) {
            return;
        }
        p->flags &= ~STATE_COMPLETE;
        p->group_len++;
        if (p->group_len != p->header.group && (p->flags & STATE_DECODED) == 0) {
            return;
        }
    } else {
        /* The interval is whole sectors: what was written ends where they do, and nothing behind it is erased. */
        p->save_left -= (uint32_t)n;
        if (!journaled(p) || p->save_left != 0) {
            return;
        }
    }
    kerf_journal_begin(p);
#endif
}
