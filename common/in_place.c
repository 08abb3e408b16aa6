/* SPDX-License-Identifier: Apache-2.0 */
/* Which sectors of new are produced next in the payload for one slot (docs/FORMAT.md, "In place"). */
#include "common/run.h"

#if KERF_IN_PLACE
/*
 * The run of sectors, start .. start + len - 1, that is produced next: below the last one and as long, or whatever is said. At
 * the beginning the last one lies, as it were, above new, and is as long as new. Of old in the sector where new ends nothing
 * is sure once that is produced.
 */
void kerf_run_sectors(struct kerf_run *run, uint32_t start, uint32_t len)
{
    struct kerf_codec *c = run->c;
    unsigned log2 = c->sector_log2;
    kerf_pos sectors = ((c->new_size - 1) >> log2) + 1;
    kerf_pos end = c->run_start;
    kerf_pos n = c->run_len < end ? c->run_len : end;

    if (c->new_pos == c->new_size && c->new_size < c->old_size) {
        c->old_size = c->new_size;
    }
    if (kerf_model_bit(&run->k, &run->counters[KERF_SYM_RUN], start + len != end || len != n)) {
        n = kerf_run_number(run, KERF_NUM_DISTANCE, len - 1u) + 1;
        if (kerf_model_bit(&run->k, &run->counters[KERF_SYM_RUN + 1], start + len != end)) {
            end = kerf_run_number(run, KERF_NUM_DISTANCE, start + len);
        }
    }
    if (n - 1 >= c->sectors_left || n > end || end > sectors) {
        kerf_run_fail(run, KERF_ERR_CORRUPT);
        return;
    }
    c->sectors_left -= (uint32_t)n;
    c->run_len = (uint32_t)n;
    c->run_start = (uint32_t)(end - n);
    c->new_pos = (end - n) << log2;
    c->new_end = end == sectors ? c->new_size : end << log2;
    c->window_len = 0;
    c->copying = 1;
    run->out_pos = c->new_pos;
}
#else
/* A file must declare something. */
extern int kerf_in_place_is_left_out;
#endif
