/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan needs of old, in atoms, and which sectors of new need them. */
#include "diffgen/order_keep.h"

#define ATOMS_MIN 16u /* a sector has at least so many, unless they would be shorter than 16 bytes */

static int compare_sizes(const void *a, const void *b)
{
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;

    return (x > y) - (x < y);
}

static int compare_uses(const void *a, const void *b)
{
    const struct kerf_keep_use *x = a;
    const struct kerf_keep_use *y = b;

    return x->sector != y->sector ? (x->sector > y->sector) - (x->sector < y->sector)
                                  : (x->atom > y->atom) - (x->atom < y->atom);
}

/* The next piece of a segment from old at *at, which lies in one sector of new and one of old, and can move as one. */
static size_t piece_len(const struct kerf_keeper *k, const struct kerf_segment *s, size_t at)
{
    size_t len = (size_t)s->len - at;
    size_t new_rest = k->size - (((size_t)s->new_pos + at) & (k->size - 1));
    size_t old_rest = k->atom_max - (((size_t)s->src_pos + at) & (k->atom_max - 1));

    len = len < new_rest ? len : new_rest;
    return len < old_rest ? len : old_rest;
}

/* Cuts old wherever a piece begins or ends. */
static kerf_err make_atoms(struct kerf_keeper *k, const struct kerf_segments *segments)
{
    size_t count = 0;
    size_t *ends = NULL;

    for (unsigned pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            ends = malloc((count + 1) * sizeof *ends);
            k->atoms = calloc(count + 1, sizeof *k->atoms);
            if (ends == NULL || k->atoms == NULL || count >= KERF_NOWHERE) {
                free(ends);
                return KERF_ERR_RAM;
            }
            count = 0;
        }
        for (size_t i = 0; i < segments->count; i++) {
            const struct kerf_segment *s = &segments->list[i];

            for (size_t at = 0; !s->from_new && at < s->len; at += piece_len(k, s, at)) {
                if (ends != NULL) {
                    ends[count] = (size_t)s->src_pos + at;
                    ends[count + 1] = ends[count] + piece_len(k, s, at);
                }
                count += 2;
            }
        }
    }
    if (count > 0) {
        qsort(ends, count, sizeof *ends, compare_sizes);
    }
    for (size_t i = 0; i + 1 < count; i++) {
        if (ends[i] < ends[i + 1]) {
            k->atoms[k->atom_count++] = (struct kerf_keep_atom){.start = ends[i], .end = ends[i + 1]};
        }
    }
    free(ends);
    return KERF_OK;
}

/* The first atom that begins at `pos` or behind. */
static size_t find_atom(const struct kerf_keeper *k, size_t pos)
{
    size_t low = 0;
    size_t high = k->atom_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (k->atoms[mid].start < pos) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* Joins uses of the same atom by the same sector, and makes the lists. */
static void close_uses(struct kerf_keeper *k)
{
    size_t n = 0;

    if (k->use_count > 0) {
        qsort(k->uses, k->use_count, sizeof *k->uses, compare_uses);
    }
    for (size_t i = 0; i < k->use_count; i++) {
        if (n > 0 && k->uses[n - 1].sector == k->uses[i].sector && k->uses[n - 1].atom == k->uses[i].atom) {
            k->uses[n - 1].cost += k->uses[i].cost;
        } else {
            k->uses[n++] = k->uses[i];
        }
    }
    k->use_count = n;
    for (size_t i = 0; i < n; i++) {
        k->first[k->uses[i].sector + 1]++;
        k->atoms[k->uses[i].atom].users++;
        k->atoms[k->uses[i].atom].cost += k->uses[i].cost;
    }
    for (size_t i = 0; i < k->count; i++) {
        k->first[i + 1] += k->first[i];
    }
}

static kerf_err make_uses(struct kerf_keeper *k, const struct kerf_segments *segments)
{
    size_t cap = 0;

    for (size_t i = 0; i < segments->count; i++) {
        const struct kerf_segment *s = &segments->list[i];

        for (size_t at = 0, len; !s->from_new && at < s->len; at += len) {
            size_t new_pos = (size_t)s->new_pos + at;
            size_t src_pos = (size_t)s->src_pos + at;

            len = piece_len(k, s, at);
            for (size_t a = find_atom(k, src_pos); a < k->atom_count && k->atoms[a].end <= src_pos + len; a++) {
                size_t from = new_pos + (k->atoms[a].start - src_pos);
                size_t to = new_pos + (k->atoms[a].end - src_pos);

                if (k->use_count == cap) {
                    cap = cap == 0 ? 1024 : cap * 2;
                    struct kerf_keep_use *grown = realloc(k->uses, cap * sizeof *grown);

                    if (grown == NULL) {
                        return KERF_ERR_RAM;
                    }
                    k->uses = grown;
                }
                k->uses[k->use_count++] = (struct kerf_keep_use){new_pos >> k->o->sector_log2, (uint32_t)a,
                                                                 k->literal_sum[to] - k->literal_sum[from]};
            }
        }
    }
    close_uses(k);
    return KERF_OK;
}

kerf_err kerf_keeper_open(struct kerf_keeper *k, const struct kerf_work *w, const struct kerf_header *header,
                          const struct kerf_segments *segments)
{
    struct kerf_order *o = k->o;

    k->size = (size_t)1 << o->sector_log2;
    k->atom_max = k->size > ATOMS_MIN * 16 ? k->size / ATOMS_MIN : 16;
    k->count = o->count;
    k->slot = kerf_header_slot(header);
    k->images = k->slot - header->beyond;
    k->first = calloc(k->count + 2, sizeof *k->first);
    k->sectors = malloc((o->sectors + 1) * sizeof *k->sectors);
    k->line = malloc((k->count + 1) * sizeof *k->line);
    k->place = calloc(k->count + 1, sizeof *k->place);
    k->backup = malloc((k->count + 1) * sizeof *k->backup);
    k->literal_sum = kerf_order_literal_sum(w);
    kerf_err err = k->first == NULL || k->sectors == NULL || k->line == NULL || k->place == NULL || k->backup == NULL ||
                           k->literal_sum == NULL
                       ? KERF_ERR_RAM
                       : make_atoms(k, segments);

    if (err == KERF_OK) {
        err = make_uses(k, segments);
    }
    k->moving = malloc((k->atom_count + 1) * sizeof *k->moving);
    k->moving_to = malloc((k->atom_count + 1) * sizeof *k->moving_to);
    k->holes = malloc((k->atom_count + 2) * sizeof *k->holes);
    return k->moving == NULL || k->moving_to == NULL || k->holes == NULL ? KERF_ERR_RAM : err;
}

void kerf_keeper_close(struct kerf_keeper *k)
{
    free(k->atoms);
    free(k->uses);
    free(k->first);
    free(k->sectors);
    free(k->line);
    free(k->place);
    free(k->backup);
    free(k->moving);
    free(k->moving_to);
    free(k->holes);
    free(k->literal_sum);
}
