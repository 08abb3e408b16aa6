/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In which order the sectors of an in-place update are produced, and what of a plan is left then: a byte of old is
 * there until the group of sectors that overwrites it is committed.
 */
#include <string.h>

#include "diffgen/work.h"

#define PIECE_MIN 6u /* bytes; what an overwritten source leaves of a segment is worth naming from here on */

static size_t group_of(const struct kerf_order *o, size_t sector)
{
    return o->rank[sector] / o->group;
}

bool kerf_order_has_old(const struct kerf_order *o, size_t sector, size_t old_pos)
{
    size_t holder = old_pos >> o->sector_log2;
    size_t last = o->count - 1;

    if (o->gone != NULL) {
        return (int64_t)o->rank[sector] <= o->gone[old_pos];
    }
    if (old_pos >= o->new_len && o->rank[last] < o->rank[sector]) {
        return false;
    }
    return holder > last || group_of(o, holder) >= group_of(o, sector);
}

bool kerf_order_has_new(const struct kerf_order *o, size_t new_pos, size_t src_pos)
{
    size_t sector = new_pos >> o->sector_log2;
    size_t holder = src_pos >> o->sector_log2;

    return holder == sector ? src_pos < new_pos : o->rank[holder] < o->rank[sector];
}

static bool has(const struct kerf_order *o, const struct kerf_segment *s, size_t at)
{
    size_t new_pos = (size_t)s->new_pos + at;

    return s->from_new ? kerf_order_has_new(o, new_pos, (size_t)s->src_pos + at)
                       : kerf_order_has_old(o, new_pos >> o->sector_log2, (size_t)s->src_pos + at);
}

/* The pieces of a segment, which lies in one run, that have their source. */
static kerf_err add_pieces(const struct kerf_order *o, const struct kerf_segment *s, struct kerf_segments *pieces)
{
    size_t len = (size_t)s->len;
    kerf_err err = KERF_OK;

    for (size_t from = 0; err == KERF_OK && from < len;) {
        bool there = has(o, s, from);
        size_t to = from + 1;

        while (to < len && has(o, s, to) == there) {
            to++;
        }
        if (there && (to - from == len || to - from >= PIECE_MIN)) {
            const struct kerf_segment piece = {s->new_pos + from, s->src_pos + from, to - from, s->from_new};

            err = kerf_segments_add(pieces, &piece);
        }
        from = to;
    }
    return err;
}

/* Is anything kept before the sector at `rank` is produced? */
static bool keeps_before(const struct kerf_order *o, size_t rank)
{
    size_t low = 0;
    size_t high = o->keep_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (o->keeps[mid].rank < rank) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < o->keep_count && o->keeps[low].rank == rank;
}

struct kerf_run_of_sectors kerf_order_run(const struct kerf_order *o, size_t rank)
{
    struct kerf_run_of_sectors run = {.rank = rank, .len = 1, .start = o->sector[rank] << o->sector_log2};

    while (rank + run.len < o->count && o->sector[rank + run.len] == o->sector[rank] + run.len &&
           !keeps_before(o, rank + run.len)) {
        run.len++;
    }
    run.end = o->sector[rank] + run.len == o->count ? o->new_len : run.start + (run.len << o->sector_log2);
    return run;
}

kerf_err kerf_order_cut(const struct kerf_order *o, const struct kerf_segments *segments, struct kerf_segments *pieces)
{
    kerf_err err = KERF_OK;
    struct kerf_run_of_sectors run;

    pieces->count = 0;
    for (size_t rank = 0; err == KERF_OK && rank < o->count; rank += run.len) {
        size_t low = 0;
        size_t high = segments->count;

        run = kerf_order_run(o, rank);
        /* The first segment that ends behind its start. */
        while (low < high) {
            size_t mid = low + (high - low) / 2;

            if (segments->list[mid].new_pos + segments->list[mid].len <= run.start) {
                low = mid + 1;
            } else {
                high = mid;
            }
        }
        for (; err == KERF_OK && low < segments->count && segments->list[low].new_pos < run.end; low++) {
            struct kerf_segment s = segments->list[low];
            size_t skip = s.new_pos < run.start ? run.start - (size_t)s.new_pos : 0;

            s.new_pos += skip;
            s.src_pos += skip;
            s.len -= skip;
            if (s.len > run.end - s.new_pos) {
                s.len = run.end - s.new_pos;
            }
            err = add_pieces(o, &s, pieces);
        }
    }
    return err;
}

/*
 * All upwards; or all downwards, by as many sectors as make a group, each group upwards in itself: the fewer runs, the
 * fewer segments are cut.
 */
void kerf_order_set(struct kerf_order *o, bool downwards)
{
    size_t step = downwards ? o->group : o->count;
    size_t r = 0;

    for (size_t end = o->count; end > 0;) {
        size_t start = end > step ? end - step : 0;

        for (size_t k = start; k < end; k++, r++) {
            o->sector[r] = k;
            o->rank[k] = r;
        }
        end = start;
    }
}

void kerf_order_move(size_t *line, const size_t *block, size_t from, size_t to, size_t len)
{
    if (to > from) {
        memmove(line + from, line + from + len, (to - from) * sizeof *line);
    } else {
        memmove(line + to + len, line + to, (from - to) * sizeof *line);
    }
    memcpy(line + to, block, len * sizeof *line);
}

kerf_cost *kerf_order_literal_sum(const struct kerf_work *w)
{
    size_t len = w->new_side.len;
    kerf_cost *sum = malloc((len + 1) * sizeof *sum);

    if (sum != NULL) {
        sum[0] = 0;
        for (size_t i = 0; i < len; i++) {
            sum[i + 1] = sum[i] + (w->literal_cost != NULL ? kerf_literal_cost(w, i) : 4 * KERF_BIT);
        }
    }
    return sum;
}

kerf_err kerf_order_open(struct kerf_order *o, const struct kerf_header *header)
{
    memset(o, 0, sizeof *o);
    o->new_len = (size_t)header->new_size;
    o->old_len = (size_t)header->old_size;
    o->sector_log2 = header->sector_log2;
    o->group = header->group;
    o->count = (o->new_len >> o->sector_log2) + ((o->new_len & (((size_t)1 << o->sector_log2) - 1)) != 0);
    o->sector = malloc((o->count + 1) * sizeof *o->sector);
    o->rank = malloc((o->count + 1) * sizeof *o->rank);
    if (o->sector == NULL || o->rank == NULL) {
        return KERF_ERR_RAM;
    }
    kerf_order_set(o, false);
    return KERF_OK;
}

void kerf_order_close(struct kerf_order *o)
{
    free(o->sector);
    free(o->rank);
    free(o->keeps);
    free(o->moves);
    free(o->gone);
    o->keeps = NULL;
    o->moves = NULL;
    o->gone = NULL;
    o->sector = NULL;
    o->rank = NULL;
}
