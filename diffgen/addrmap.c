/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address map: a step function from old addresses to shifts, chosen by the references that it predicts, not by the
 * lengths of segments. Each reference that a plan copies is a vote "this old target moved by that much"; the cheapest
 * step function through the votes comes from one pass with a state for each shift: stay, or pay for an entry and
 * change.
 */
#include <string.h>

#include "diffgen/work.h"

/* In eighths of a bit. */
#define ENTRY_COST 120 /* for an entry, less what it saves where a segment's source is told through the map */
#define WRONG_COST 96  /* for a target that is predicted wrong, the first time, */
#define AGAIN_COST 24  /* and each of up to two more times: by then it is learned */

struct vote {
    kerf_addr target;
    kerf_shift shift;
    uint32_t count;
    uint32_t state; /* index of the state for its shift */
};

/* A choice: from vote `from` on, `shift`; before that, `parent`. */
struct choice {
    size_t from, parent;
    kerf_shift shift;
};

struct state {
    int64_t cost; /* above what every state has paid */
    size_t choice;
    bool used;
};

/* Votes and what is made of them. State 0 is shift 0. */
struct ballot {
    struct vote *votes;
    size_t count;
    struct state *states; /* one for each shift */
    size_t state_count;
    struct choice *choices;
    size_t last; /* the choice that the cheapest function ends with */
};

static int compare_votes(const void *a, const void *b)
{
    const struct vote *x = a;
    const struct vote *y = b;

    if (x->target != y->target) {
        return x->target < y->target ? -1 : 1;
    }
    return x->shift < y->shift ? -1 : x->shift > y->shift;
}

static bool is_wide(const struct kerf_work *w)
{
    return w->old_side.len > UINT32_MAX || w->new_side.len > UINT32_MAX;
}

static kerf_addr wrap(const struct kerf_work *w, kerf_addr addr)
{
    return is_wide(w) ? addr : (uint32_t)addr;
}

/* The reference of new that corresponds to one of old under a segment: same form, same place. */
static const struct kerf_scanned *counterpart(const struct kerf_work *w, const struct kerf_scanned *old_ref,
                                              size_t old_pos, const struct kerf_segment *s)
{
    size_t new_pos = (size_t)(old_pos - s->src_pos + s->new_pos);
    size_t start;
    const struct kerf_scanned *r = kerf_side_ref(&w->new_side, new_pos, &start);

    return r != NULL && start == new_pos && r->form == old_ref->form ? r : NULL;
}

/* A target inside the segment itself needs no map. */
static bool is_local(const struct kerf_work *w, const struct kerf_segment *s, const struct kerf_scanned *r)
{
    const struct kerf_region *region = &w->image.regions[r->region];
    kerf_pos at = wrap(w, r->target - region->old_addr);

    return at < region->old_len && region->old_pos + at >= s->src_pos && region->old_pos + at < s->src_pos + s->len;
}

/* Votes while they are collected: a hash table, at most three quarters full. count 0: an empty place. */
struct urn {
    struct vote *votes;
    size_t count, mask;
};

static size_t place_of(const struct urn *urn, const struct vote *v)
{
    uint64_t h = ((uint64_t)v->target * 0x9e3779b97f4a7c15u) ^ ((uint64_t)v->shift * 0xc2b2ae3d27d4eb4fu);
    size_t at = (size_t)(h >> 32) & urn->mask;

    while (urn->votes[at].count != 0 && (urn->votes[at].target != v->target || urn->votes[at].shift != v->shift)) {
        at = (at + 1) & urn->mask;
    }
    return at;
}

static kerf_err grow(struct urn *urn)
{
    struct urn larger = {calloc(2 * (urn->mask + 1), sizeof *larger.votes), urn->count, 2 * urn->mask + 1};

    if (larger.votes == NULL) {
        return KERF_ERR_RAM;
    }
    for (size_t i = 0; i <= urn->mask && urn->votes != NULL; i++) {
        if (urn->votes[i].count != 0) {
            larger.votes[place_of(&larger, &urn->votes[i])] = urn->votes[i];
        }
    }
    free(urn->votes);
    *urn = larger;
    return KERF_OK;
}

static kerf_err cast(struct urn *urn, const struct vote *v)
{
    kerf_err err = urn->votes == NULL || urn->count > (urn->mask + 1) / 4 * 3 ? grow(urn) : KERF_OK;

    if (err == KERF_OK) {
        size_t at = place_of(urn, v);

        if (urn->votes[at].count == 0) {
            urn->votes[at] = *v;
            urn->count++;
        } else {
            urn->votes[at].count++;
        }
    }
    return err;
}

static kerf_err collect_votes(const struct kerf_work *w, const struct kerf_segments *segments, struct urn *urn)
{
    const struct kerf_side *o = &w->old_side;
    kerf_err err = KERF_OK;

    for (size_t i = 0; err == KERF_OK && i < segments->count; i++) {
        const struct kerf_segment *s = &segments->list[i];

        for (size_t p = (size_t)s->src_pos; err == KERF_OK && !s->from_new && p < s->src_pos + s->len; p++) {
            size_t start;
            const struct kerf_scanned *r = kerf_side_ref(o, p, &start);

            if (r == NULL || start != p || r->kind == KERF_REF_LOW || !kerf_scan_inside(&w->image, false, r->target) ||
                p + r->len > s->src_pos + s->len) {
                continue;
            }
            const struct kerf_scanned *x = counterpart(w, r, p, s);

            if (x != NULL && x->kind == r->kind && !is_local(w, s, r)) {
                const struct vote v = {r->target, (int32_t)(x->target - r->target), 1, 0};

                err = cast(urn, &v);
            }
            p += r->len - 1u;
        }
    }
    return err;
}

/* Sorts the votes; of those that differ about one target the strongest stays. Returns how many. */
static size_t sort_votes(struct urn *urn)
{
    struct vote *votes = urn->votes;
    size_t n = 0;
    size_t out = 0;

    for (size_t i = 0; n < urn->count; i++) {
        if (votes[i].count != 0) {
            votes[n++] = votes[i];
        }
    }
    if (n > 1) {
        qsort(votes, n, sizeof *votes, compare_votes);
    }
    for (size_t i = 0; i < n; i++) {
        const struct vote v = votes[i];

        if (out > 0 && votes[out - 1].target == v.target) {
            if (votes[out - 1].count < v.count) {
                votes[out - 1] = v;
            }
        } else {
            votes[out++] = v;
        }
    }
    return out;
}

/* Numbers the shifts. */
static kerf_err number_shifts(struct ballot *b)
{
    size_t mask = 1023;

    while (mask < b->count * 2) {
        mask = mask * 2 + 1;
    }
    uint32_t *table = calloc(mask + 1, sizeof *table); /* 1 + index of a vote with that shift */

    if (table == NULL) {
        return KERF_ERR_RAM;
    }
    b->state_count = 1;
    for (size_t i = 0; i < b->count; i++) {
        struct vote *v = &b->votes[i];
        size_t at = (size_t)(((uint64_t)v->shift * 0x9e3779b97f4a7c15u) >> 40) & mask;

        while (v->shift != 0 && table[at] != 0 && b->votes[table[at] - 1].shift != v->shift) {
            at = (at + 1) & mask;
        }
        if (v->shift == 0) {
            v->state = 0;
        } else if (table[at] != 0) {
            v->state = b->votes[table[at] - 1].state;
        } else {
            v->state = (uint32_t)b->state_count++;
            table[at] = (uint32_t)i + 1;
        }
    }
    free(table);
    b->states = malloc(b->state_count * sizeof *b->states);
    return b->states == NULL ? KERF_ERR_RAM : KERF_OK;
}

/* The cheapest step function: b->last is the choice it ends with, choices[0] the one before any entry (shift 0). */
static void choose(struct ballot *b, int64_t entry_cost)
{
    struct state *states = b->states;
    int64_t everybody = 0;
    int64_t best_cost = 0;
    size_t best = 0;
    size_t count = 1;

    memset(states, 0, b->state_count * sizeof *states);
    b->choices[0] = (struct choice){0, SIZE_MAX, 0};
    states[0].used = true;
    for (size_t i = 0; i < b->count; i++) {
        const struct vote *v = &b->votes[i];
        struct state *s = &states[v->state];
        uint32_t more = v->count - 1 < 2 ? v->count - 1 : 2;
        int64_t wrong = WRONG_COST + AGAIN_COST * (int64_t)more;

        if (!s->used || s->cost + everybody > best_cost + entry_cost) {
            b->choices[count] = (struct choice){i, best, v->shift};
            *s = (struct state){best_cost + entry_cost - everybody, count, true};
            count++;
        }
        everybody += wrong;
        s->cost -= wrong;
        best_cost += wrong;
        if (s->cost + everybody < best_cost) {
            best_cost = s->cost + everybody;
            best = s->choice;
        }
    }
    b->last = best;
}

static size_t count_entries(struct ballot *b, int64_t entry_cost)
{
    size_t entries = 0;

    choose(b, entry_cost);
    for (size_t c = b->last; c != 0; c = b->choices[c].parent) {
        entries++;
    }
    return entries;
}

/* Where a segment starts, in units of a map entry, and how it moves. */
struct start {
    kerf_addr shift, addr;
};

static int compare_starts(const void *a, const void *b)
{
    const struct start *x = a;
    const struct start *y = b;

    if (x->shift != y->shift) {
        return x->shift < y->shift ? -1 : 1;
    }
    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* The starts of all segments in all regions, sorted; *count of them. NULL: out of memory. */
static struct start *list_starts(const struct kerf_work *w, const struct kerf_segments *segments, size_t *count)
{
    size_t regions = w->image.region_count;
    struct start *starts = malloc((segments->count * regions + 1) * sizeof *starts);

    *count = 0;
    for (size_t i = 0; starts != NULL && i < segments->count; i++) {
        const struct kerf_segment *s = &segments->list[i];

        for (size_t k = 0; !s->from_new && k < regions; k++) {
            const struct kerf_region *r = &w->image.regions[k];

            if (s->src_pos - r->old_pos >= r->old_len || s->new_pos - r->new_pos >= r->new_len) {
                continue;
            }
            kerf_addr old_addr = wrap(w, r->old_addr + (s->src_pos - r->old_pos));
            kerf_addr new_addr = wrap(w, r->new_addr + (s->new_pos - r->new_pos));

            starts[(*count)++] = (struct start){wrap(w, new_addr - old_addr), old_addr - old_addr % KERF_MAP_UNIT};
        }
    }
    if (starts != NULL) {
        qsort(starts, *count, sizeof *starts, compare_starts);
    }
    return starts;
}

/*
 * An entry may start anywhere after the last target before it and up to its first: best where the segment that moves by
 * the same shift starts, so that the segment's source can be told through the map.
 */
static kerf_addr place_start(const struct start *starts, size_t count, kerf_addr after, kerf_addr first,
                             kerf_addr shift)
{
    const struct start wanted = {shift, after};
    kerf_addr best = first - first % KERF_MAP_UNIT;
    size_t low = 0;
    size_t high = count;

    if (best < after) {
        /* No multiple in between: the target before will be predicted by this entry too. */
        return best;
    }
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (compare_starts(&starts[mid], &wanted) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < count && starts[low].shift == shift && starts[low].addr < best ? starts[low].addr : best;
}

static kerf_err build(const struct kerf_work *w, const struct kerf_segments *segments, const struct ballot *b,
                      struct kerf_map *map)
{
    const struct choice *choices = b->choices;
    size_t count = 0;
    size_t start_count;

    for (size_t c = b->last; c != 0; c = choices[c].parent) {
        count++;
    }
    struct start *starts = list_starts(w, segments, &start_count);

    map->list = malloc((count + 1) * sizeof *map->list);
    map->count = count;
    if (map->list == NULL || starts == NULL) {
        free(starts);
        return KERF_ERR_RAM;
    }
    for (size_t c = b->last; c != 0; c = choices[c].parent) {
        size_t from = choices[c].from;
        kerf_addr after = from > 0 ? b->votes[from - 1].target + 1 : 0;
        kerf_shift shift = choices[c].shift;

        count--;
        map->list[count].start = place_start(starts, start_count, after, b->votes[from].target,
                                             wrap(w, (kerf_addr)shift));
        map->list[count].shift = shift;
    }
    free(starts);
    return KERF_OK;
}

kerf_err kerf_addrmap_choose(const struct kerf_work *w, const struct kerf_segments *segments, size_t cap,
                             struct kerf_map *map)
{
    struct urn urn = {NULL, 0, 511};
    struct ballot b = {0};
    kerf_err err = collect_votes(w, segments, &urn);

    *map = (struct kerf_map){0};
    if (err == KERF_OK) {
        b.votes = urn.votes;
        b.count = sort_votes(&urn);
        b.choices = malloc((b.count + 2) * sizeof *b.choices);
        err = b.choices == NULL ? KERF_ERR_RAM : number_shifts(&b);
    }
    if (err == KERF_OK) {
        int64_t low = ENTRY_COST; /* too many entries, once raised */
        int64_t high = ENTRY_COST;

        map->whole = true;
        while (count_entries(&b, high) > cap) {
            map->whole = false;
            low = high;
            high *= 2;
        }
        while (high - low > 1) {
            int64_t middle = (low + high) / 2;

            if (count_entries(&b, middle) > cap) {
                low = middle;
            } else {
                high = middle;
            }
        }
        choose(&b, high);
        err = build(w, segments, &b, map);
    }
    free(urn.votes);
    free(b.choices);
    free(b.states);
    return err;
}

/* The new address that the map gives for an old one. */
static kerf_addr map_address(const struct kerf_work *w, const struct kerf_map *map, kerf_addr addr)
{
    size_t low = 0;
    size_t high = map->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (map->list[mid].start <= addr) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low == 0 ? addr : wrap(w, addr + (kerf_addr)map->list[low - 1].shift);
}

/* A target outside of the images, and what it becomes. */
struct outside {
    uint32_t target, becomes;
    bool known;
};

static struct outside *find_outside(struct outside *table, unsigned bits, uint32_t target)
{
    uint32_t mask = ((uint32_t)1 << bits) - 1;
    uint32_t at = target * 0x9e3779b1u >> (32 - bits);

    while (table[at].known && table[at].target != target) {
        at = (at + 1) & mask;
    }
    return &table[at];
}

/* What targets outside of the images became where the plan before copied references to them; the last ones count. */
static kerf_err follow_outside(const struct kerf_work *w, const struct kerf_segments *before, uint32_t *mapped)
{
    const struct kerf_side *old_side = &w->old_side;
    const struct kerf_side *new_side = &w->new_side;
    size_t count = 0;
    unsigned bits = 4;

    for (size_t i = 0; i < old_side->ref_count; i++) {
        count += old_side->refs[i].outside;
    }
    while ((size_t)1 << bits < 2 * count) {
        bits++;
    }
    struct outside *table = count > 0 ? calloc((size_t)1 << bits, sizeof *table) : NULL;

    for (size_t i = 0; table != NULL && i < before->count; i++) {
        const struct kerf_segment *s = &before->list[i];

        for (size_t n = 0; n < s->len && !s->from_new; n++) {
            size_t x_start;
            size_t y_start;

            if (!kerf_side_bit(old_side->begins, s->src_pos + n) || !kerf_side_bit(new_side->begins, s->new_pos + n)) {
                continue;
            }
            const struct kerf_scanned *x = kerf_side_ref(old_side, s->src_pos + n, &x_start);
            const struct kerf_scanned *y = kerf_side_ref(new_side, s->new_pos + n, &y_start);

            if (x->outside && x->form == y->form) {
                *find_outside(table, bits, x->target) = (struct outside){x->target, y->target, true};
            }
        }
    }
    for (size_t i = 0; table != NULL && i < old_side->ref_count; i++) {
        const struct kerf_scanned *x = &old_side->refs[i];

        if (x->outside) {
            const struct outside *o = find_outside(table, bits, x->target);

            mapped[i] = o->known ? o->becomes : x->target;
        }
    }
    free(table);
    return count > 0 && table == NULL ? KERF_ERR_RAM : KERF_OK;
}

kerf_err kerf_addrmap_targets(const struct kerf_work *w, const struct kerf_map *map, const struct kerf_segments *before,
                              uint32_t *mapped)
{
    for (size_t i = 0; i < w->old_side.ref_count; i++) {
        mapped[i] = (uint32_t)map_address(w, map, w->old_side.refs[i].target);
    }
    return follow_outside(w, before, mapped);
}

static int compare_by_new(const void *a, const void *b)
{
    kerf_addr x = ((const struct kerf_map_entry *)a)->start;
    kerf_addr y = ((const struct kerf_map_entry *)b)->start;

    return (x > y) - (x < y);
}

kerf_err kerf_addrmap_sort(const struct kerf_work *w, const struct kerf_map *map, struct kerf_map *sorted)
{
    sorted->count = map->count;
    sorted->list = malloc((map->count + 1) * sizeof *sorted->list);
    if (sorted->list == NULL) {
        return KERF_ERR_RAM;
    }
    for (size_t i = 0; i < map->count; i++) {
        const struct kerf_map_entry *e = &map->list[i];

        sorted->list[i] = (struct kerf_map_entry){wrap(w, e->start + (kerf_addr)e->shift), e->shift};
    }
    qsort(sorted->list, sorted->count, sizeof *sorted->list, compare_by_new);
    return KERF_OK;
}

bool kerf_addrmap_distance(const struct kerf_work *w, const struct kerf_map *sorted, size_t new_pos, int64_t *distance)
{
    const struct kerf_image *image = &w->image;
    kerf_addr addr = new_pos;
    size_t low = 0;
    size_t high = sorted->count;

    for (unsigned i = 0; i < image->region_count; i++) {
        const struct kerf_region *r = &image->regions[i];

        if (new_pos - r->new_pos < r->new_len) {
            addr = wrap(w, r->new_addr + (new_pos - r->new_pos));
            break;
        }
    }
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (sorted->list[mid].start <= addr) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (low == 0) {
        return false;
    }
    addr = wrap(w, addr - (kerf_addr)sorted->list[low - 1].shift);
    for (unsigned i = 0; i < image->region_count; i++) {
        const struct kerf_region *r = &image->regions[i];
        kerf_addr at = wrap(w, addr - r->old_addr);

        if (at < r->old_len) {
            *distance = (int64_t)(r->old_pos + at) - (int64_t)new_pos;
            return true;
        }
    }
    *distance = (int64_t)addr - (int64_t)new_pos;
    return addr < w->old_side.len;
}
