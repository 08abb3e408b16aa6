/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An order of sectors in which what is still needed of old is kept elsewhere when its sector is overwritten: in scratch behind the
 * group's, behind the images, or in a sector whose own bytes are needed no more, or only a few of them, which then move together.
 *
 * An order is priced by going through it: what a sector still holds when its turn comes is moved to where that takes the fewest
 * moves, or lost. The order itself is sought by threshold accepting (G. Dueck, T. Scheuer, "Threshold accepting", 1990): a block
 * of sectors is put elsewhere, and that is kept unless it costs too much more, which is less and less.
 */
#include <string.h>

#include "diffgen/work.h"

#define MOVE_COST (42 * (int64_t)KERF_BIT)
#define KEEP_COST (40 * (int64_t)KERF_BIT)
#define JUMP_COST (30 * (int64_t)KERF_BIT) /* the next sector is not the one above, */
#define DOWN_COST (12 * (int64_t)KERF_BIT) /* but the one below */
#define SOON_COST (60 * (int64_t)KERF_BIT) /* to move what must move again soon */
#define JOIN_LEN 16u                       /* bytes between two stretches: not worth another move */
#define ATOMS_MIN 16u /* a sector has at least so many, unless they would be shorter than 16 bytes */
#define PART_MIN 64u  /* bytes free in a sector that can take only a part */
#define THRESHOLD (300 * (int64_t)KERF_BIT)
#define WORK (8u << 20) /* of each search, in steps */
#define STARTS 9u
#define TRIES_MIN 100u
#define TRIES_MAX 3000u
#define RAM_OF_MOVE 48u /* bytes of the budget for each move, which takes a quarter of that */
#define NONE SIZE_MAX
#define NOWHERE UINT32_MAX

/* Bytes of old that the same sectors of new need; in one sector of old. */
struct atom {
    size_t start, end;
    uint32_t users;      /* sectors */
    kerf_cost cost;      /* of all that need it, as literals */
    uint32_t left;       /* users to come, while an order is gone through, */
    kerf_cost cost_left; /* and what they would cost */
    uint32_t holder;     /* sector where it is; NOWHERE: not needed any more, or lost */
    size_t pos;          /* and where in the slot */
    bool lost;
    uint32_t next, prev; /* in its holder */
};

struct use {
    size_t sector;
    uint32_t atom;
    kerf_cost cost;
};

struct sector {
    uint32_t head;  /* its atoms */
    size_t held;    /* bytes of them */
    uint32_t keeps; /* how often it was made to hold old that moved */
    bool done;
};

/* Bytes of a sector that are not needed. */
struct hole {
    size_t pos, len;
};

struct keeper {
    struct kerf_order *o;
    size_t size;     /* bytes of a sector, */
    size_t atom_max; /* and of an atom */
    size_t slot;     /* sectors of the slot that may be used; those behind are of scratch */
    size_t images, count;
    struct atom *atoms;
    size_t atom_count;
    struct use *uses;
    size_t use_count;
    size_t *first; /* for each sector of new, and one more: where its uses begin */
    struct sector *sectors;
    size_t *line, *place; /* the order in hand, and for each sector its place there */
    size_t *backup;
    uint32_t *moving;  /* indices of atoms, ascending */
    size_t *moving_to; /* where each goes, as fit() found */
    struct hole *holes;
    kerf_cost *literal_sum;  /* for each position of new, what the bytes before it cost as literals */
    size_t moves, moves_max; /* that the order in hand takes; that there may be */
    bool emit;               /* note what is kept in o */
};

static int compare_sizes(const void *a, const void *b)
{
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;

    return (x > y) - (x < y);
}

static int compare_uses(const void *a, const void *b)
{
    const struct use *x = a;
    const struct use *y = b;

    return x->sector != y->sector ? (x->sector > y->sector) - (x->sector < y->sector)
                                  : (x->atom > y->atom) - (x->atom < y->atom);
}

static int compare_indices(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* The next piece of a segment from old at *at, which lies in one sector of new and one of old, and can move as one. */
static size_t piece_len(const struct keeper *k, const struct kerf_segment *s, size_t at)
{
    size_t len = (size_t)s->len - at;
    size_t new_rest = k->size - (((size_t)s->new_pos + at) & (k->size - 1));
    size_t old_rest = k->atom_max - (((size_t)s->src_pos + at) & (k->atom_max - 1));

    len = len < new_rest ? len : new_rest;
    return len < old_rest ? len : old_rest;
}

/* Cuts old wherever a piece begins or ends. */
static kerf_err make_atoms(struct keeper *k, const struct kerf_segments *segments)
{
    size_t count = 0;
    size_t *ends = NULL;

    for (unsigned pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            ends = malloc((count + 1) * sizeof *ends);
            k->atoms = malloc((count + 1) * sizeof *k->atoms);
            if (ends == NULL || k->atoms == NULL || count >= NOWHERE) {
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
            k->atoms[k->atom_count++] = (struct atom){.start = ends[i], .end = ends[i + 1]};
        }
    }
    free(ends);
    return KERF_OK;
}

/* The first atom that begins at `pos` or behind. */
static size_t find_atom(const struct keeper *k, size_t pos)
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
static void close_uses(struct keeper *k)
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

static kerf_err make_uses(struct keeper *k, const struct kerf_segments *segments)
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
                    struct use *grown = realloc(k->uses, cap * sizeof *grown);

                    if (grown == NULL) {
                        return KERF_ERR_RAM;
                    }
                    k->uses = grown;
                }
                k->uses[k->use_count++] = (struct use){new_pos >> k->o->sector_log2, (uint32_t)a,
                                                       k->literal_sum[to] - k->literal_sum[from]};
            }
        }
    }
    close_uses(k);
    return KERF_OK;
}

/* --- Going through an order --- */

static void unlink_atom(struct keeper *k, uint32_t a)
{
    struct atom *x = &k->atoms[a];

    if (x->holder == NOWHERE) {
        return;
    }
    if (x->prev != NOWHERE) {
        k->atoms[x->prev].next = x->next;
    } else {
        k->sectors[x->holder].head = x->next;
    }
    if (x->next != NOWHERE) {
        k->atoms[x->next].prev = x->prev;
    }
    k->sectors[x->holder].held -= x->end - x->start;
    x->holder = NOWHERE;
}

/* Puts an atom behind `prev` (NOWHERE: to the front) in its new holder's list, which is sorted. */
static void link_atom(struct keeper *k, uint32_t a, size_t sector, uint32_t prev)
{
    struct atom *x = &k->atoms[a];
    struct sector *s = &k->sectors[sector];
    uint32_t *from = prev != NOWHERE ? &k->atoms[prev].next : &s->head;

    x->holder = (uint32_t)sector;
    x->prev = prev;
    x->next = *from;
    if (x->next != NOWHERE) {
        k->atoms[x->next].prev = a;
    }
    *from = a;
    s->held += x->end - x->start;
}

/* Do two atoms that follow each other in a list move together? Nothing between may be needed: it may lie elsewhere. */
static bool joins(const struct keeper *k, uint32_t a, uint32_t b)
{
    if (k->atoms[b].start - k->atoms[a].end > JOIN_LEN) {
        return false;
    }
    for (uint32_t i = a + 1; i < b; i++) {
        if (k->atoms[i].left > 0) {
            return false;
        }
    }
    return true;
}

/* The holes of a sector, the longest first. */
static size_t find_holes(struct keeper *k, size_t sector)
{
    size_t at = sector << k->o->sector_log2;
    size_t count = 0;

    for (uint32_t a = k->sectors[sector].head;; a = k->atoms[a].next) {
        size_t end = a == NOWHERE ? (sector + 1) << k->o->sector_log2 : k->atoms[a].pos;

        if (end > at) {
            struct hole hole = {at, end - at};
            size_t i = count++;

            for (; i > 0 && k->holes[i - 1].len < hole.len; i--) {
                k->holes[i] = k->holes[i - 1];
            }
            k->holes[i] = hole;
        }
        if (a == NOWHERE) {
            break;
        }
        at = end + (k->atoms[a].end - k->atoms[a].start);
    }
    return count;
}

/* How many of k->moving's atoms fit into a sector's holes, and in how many moves. */
static size_t fit(struct keeper *k, size_t sector, size_t count, size_t *moves)
{
    size_t holes = find_holes(k, sector);
    size_t hole = 0;
    size_t at = k->holes[0].pos;
    size_t left = holes > 0 ? k->holes[0].len : 0;
    size_t i;

    *moves = 0;
    for (i = 0; i < count; i++) {
        const struct atom *x = &k->atoms[k->moving[i]];
        size_t len = x->end - x->start;
        bool joined = i > 0 && joins(k, k->moving[i - 1], k->moving[i]);
        size_t between = joined ? x->start - k->atoms[k->moving[i - 1]].end : 0;

        if (!joined || between + len > left) {
            between = 0;
            ++*moves;
        }
        if (len > left) {
            if (++hole >= holes || k->holes[hole].len < len) {
                --*moves;
                break;
            }
            at = k->holes[hole].pos;
            left = k->holes[hole].len;
        }
        k->moving_to[i] = at + between;
        at += between + len;
        left -= between + len;
    }
    return i;
}

static int compare_moves(const void *a, const void *b)
{
    const struct kerf_move *x = a;
    const struct kerf_move *y = b;

    return (x->pos > y->pos) - (x->pos < y->pos);
}

/* Notes the moves that fit() counted last. */
static kerf_err emit_keep(struct keeper *k, size_t rank, size_t sector, size_t count, size_t move_count)
{
    struct kerf_order *o = k->o;
    struct kerf_keep *keeps = realloc(o->keeps, (o->keep_count + 1) * sizeof *keeps);

    if (keeps == NULL) {
        return KERF_ERR_RAM;
    }
    o->keeps = keeps;

    struct kerf_move *moves = realloc(o->moves, (o->move_count + move_count) * sizeof *moves);

    if (moves == NULL) {
        return KERF_ERR_RAM;
    }
    o->moves = moves;
    o->keeps[o->keep_count++] = (struct kerf_keep){rank, sector, o->move_count, move_count};
    for (size_t i = 0; i < count; i++) {
        const struct atom *x = &k->atoms[k->moving[i]];
        struct kerf_move *last = i > 0 ? &moves[o->move_count - 1] : NULL;

        if (last != NULL && joins(k, k->moving[i - 1], k->moving[i]) &&
            k->moving_to[i] - last->pos == x->start - last->old_pos) {
            last->len = x->end - last->old_pos;
        } else {
            moves[o->move_count++] = (struct kerf_move){x->start, x->end - x->start, k->moving_to[i]};
        }
    }
    qsort(moves + o->move_count - move_count, move_count, sizeof *moves, compare_moves);
    return KERF_OK;
}

/* A place for atoms that must move. */
struct target {
    size_t sector; /* NONE */
    size_t fit;    /* how many of them go there, the first ones */
    size_t moves;
    int64_t cost;
};

/* A sector of the slot is erased twice at most: where new will be, it holds old once, behind the images twice. */
static bool may_keep(const struct keeper *k, size_t sector)
{
    return sector >= k->slot || k->sectors[sector].keeps < (sector < k->count ? 1u : 2u);
}

/* Where the atoms of k->moving go best when line[rank] is produced: all of them, or as many as possible. */
static struct target find_target(struct keeper *k, size_t rank, size_t count)
{
    struct target best = {.sector = NONE};
    struct target empty = {.sector = NONE}; /* any sector that holds nothing */

    for (size_t q = 0; q < k->o->sectors; q++) {
        size_t moves = 0;
        /* Where new and old end, things are more difficult. */
        bool free = q >= k->images || (q + 1 < k->count && !k->sectors[q].done && q != k->line[rank]);

        if (!free || !may_keep(k, q) || k->sectors[q].held + PART_MIN > k->size) {
            continue;
        }
        struct target t = empty;

        if (k->sectors[q].held > 0 || empty.sector == NONE) {
            t.fit = fit(k, q, count, &moves);
            t.moves = moves;
        }
        t.sector = q;
        if (k->sectors[q].held == 0) {
            empty = t;
        }
        t.cost = KEEP_COST + (int64_t)moves * MOVE_COST;
        if (q < k->count) {
            t.cost += SOON_COST - SOON_COST * (int64_t)(k->place[q] - rank) / (int64_t)k->count;
        }
        if (t.fit > 0 && (best.sector == NONE || t.fit > best.fit || (t.fit == best.fit && t.cost < best.cost))) {
            best = t;
        }
        if (q >= k->images && q < k->slot && k->sectors[q].keeps == 0) {
            q = k->slot - 1; /* the others behind the images are as good as this one */
        }
    }
    return best;
}

/* What may be moved out of the sector before it is overwritten: into k->moving. What is not worth a move is left. */
static size_t list_moving(struct keeper *k, size_t sector)
{
    size_t count = 0;
    size_t kept = 0;
    size_t use = k->first[sector];
    bool sorted = true;

    for (uint32_t a = k->sectors[sector].head; a != NOWHERE; a = k->atoms[a].next) {
        sorted &= count == 0 || k->moving[count - 1] < a;
        k->moving[count++] = a;
    }
    if (!sorted) {
        qsort(k->moving, count, sizeof *k->moving, compare_indices);
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t a = k->moving[i];

        while (use < k->first[sector + 1] && k->uses[use].atom < a) {
            use++;
        }
        bool own = use < k->first[sector + 1] && k->uses[use].atom == a;

        if (k->atoms[a].left > own) {
            k->moving[kept++] = a;
        }
    }
    count = 0;
    for (size_t i = 0, end; i < kept; i = end) {
        kerf_cost cost = k->atoms[k->moving[i]].cost_left;

        for (end = i + 1; end < kept && joins(k, k->moving[end - 1], k->moving[end]); end++) {
            cost += k->atoms[k->moving[end]].cost_left;
        }
        if ((int64_t)cost > MOVE_COST) {
            memmove(k->moving + count, k->moving + i, (end - i) * sizeof *k->moving);
            count += end - i;
        }
    }
    return count;
}

/* Moves what line[rank]'s sector holds and later ones need. */
static kerf_err save(struct keeper *k, size_t rank, int64_t *cost)
{
    size_t count = list_moving(k, k->line[rank]);
    kerf_err err = KERF_OK;

    while (err == KERF_OK && count > 0) {
        struct target t = find_target(k, rank, count);
        int64_t gain = 0;

        for (size_t i = 0; t.sector != NONE && i < t.fit; i++) {
            gain += (int64_t)k->atoms[k->moving[i]].cost_left;
        }
        if (gain <= t.cost || t.sector == NONE || t.moves > k->moves_max - k->moves) {
            break;
        }
        k->moves += t.moves;
        (void)fit(k, t.sector, t.fit, &t.moves);
        if (k->emit) {
            err = emit_keep(k, rank, t.sector, t.fit, t.moves);
        }
        *cost += t.cost;
        uint32_t prev = NOWHERE;

        for (size_t i = 0; i < t.fit; i++) {
            uint32_t a = k->moving[i];

            if (prev != NOWHERE && k->atoms[prev].pos > k->moving_to[i]) {
                prev = NOWHERE;
            }
            uint32_t next = prev == NOWHERE ? k->sectors[t.sector].head : k->atoms[prev].next;

            for (; next != NOWHERE && k->atoms[next].pos < k->moving_to[i]; next = k->atoms[next].next) {
                prev = next;
            }
            unlink_atom(k, a);
            k->atoms[a].pos = k->moving_to[i];
            link_atom(k, a, t.sector, prev);
            prev = a;
        }
        k->sectors[t.sector].keeps++;
        count -= t.fit;
        memmove(k->moving, k->moving + t.fit, count * sizeof *k->moving);
    }
    return err;
}

static void open_walk(struct keeper *k)
{
    for (size_t i = 0; i < k->o->sectors; i++) {
        k->sectors[i] = (struct sector){.head = NOWHERE};
    }
    for (size_t i = k->atom_count; i-- > 0;) {
        struct atom *x = &k->atoms[i];
        size_t sector = x->start >> k->o->sector_log2;

        x->left = x->users;
        x->cost_left = x->cost;
        x->holder = NOWHERE;
        x->pos = x->start;
        x->lost = false;
        if (x->users > 0) {
            /* What lies behind new is there as long as the sector where new ends. */
            link_atom(k, (uint32_t)i, sector < k->count ? sector : k->count - 1, NOWHERE);
        }
    }
    for (size_t i = 0; i < k->count; i++) {
        k->place[k->line[i]] = i;
    }
}

/* What the order in hand costs; where that is over the limit, not all of it. */
static kerf_err walk(struct keeper *k, int64_t limit, int64_t *cost)
{
    kerf_err err = KERF_OK;

    *cost = 0;
    k->moves = 0;
    open_walk(k);
    for (size_t rank = 0; err == KERF_OK && rank < k->count && *cost <= limit; rank++) {
        size_t sector = k->line[rank];

        if (k->sectors[sector].head != NOWHERE) {
            err = save(k, rank, cost);
        }
        for (size_t i = k->first[sector]; i < k->first[sector + 1]; i++) {
            struct atom *x = &k->atoms[k->uses[i].atom];

            x->cost_left -= k->uses[i].cost;
            x->left--;
            if (x->lost) {
                *cost += (int64_t)k->uses[i].cost;
            } else if (x->left == 0) {
                unlink_atom(k, k->uses[i].atom);
            }
        }
        while (k->sectors[sector].head != NOWHERE) {
            k->atoms[k->sectors[sector].head].lost = true;
            unlink_atom(k, k->sectors[sector].head);
        }
        k->sectors[sector].done = true;
        if (rank > 0 && sector != k->line[rank - 1] + 1) {
            *cost += sector + 1 == k->line[rank - 1] ? DOWN_COST : JUMP_COST;
        }
    }
    return err;
}

/* --- The search --- */

static uint32_t random_below(uint32_t *state, size_t n)
{
    *state = *state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)*state >> 8) * n >> 24);
}

/* Puts a block of the line elsewhere. */
static void shuffle(struct keeper *k, uint32_t *random)
{
    size_t most = random_below(random, 4) == 0 ? k->count / 3 + 1 : 3;
    size_t len = 1 + random_below(random, most);
    size_t from, to;

    len = len < k->count ? len : k->count - 1;
    from = random_below(random, k->count - len + 1);
    to = random_below(random, k->count - len + 1);
    memcpy(k->backup, k->line, k->count * sizeof *k->line);
    if (to > from) {
        memmove(k->line + from, k->line + from + len, (to - from) * sizeof *k->line);
    } else {
        memmove(k->line + to + len, k->line + to, (from - to) * sizeof *k->line);
    }
    memcpy(k->line + to, k->backup + from, len * sizeof *k->line);
}

/* Begins with the order in hand. The best of the orders tried is left in `best`. */
static kerf_err search(struct keeper *k, size_t tries, uint32_t *random, size_t *best, int64_t *best_cost)
{
    int64_t cost;
    kerf_err err = walk(k, INT64_MAX, &cost);

    for (size_t i = 0; err == KERF_OK; i++) {
        if (cost < *best_cost) {
            *best_cost = cost;
            memcpy(best, k->line, k->count * sizeof *best);
        }
        if (i == tries || k->count < 3) {
            break;
        }
        int64_t left = (int64_t)((tries - i) * 1024 / tries);
        int64_t limit = cost + THRESHOLD / 1024 * left * left / 1024;
        int64_t tried;

        shuffle(k, random);
        err = walk(k, limit, &tried);
        if (tried <= limit) {
            cost = tried;
        } else {
            memcpy(k->line, k->backup, k->count * sizeof *k->line);
        }
    }
    return err;
}

static kerf_err open_keeper(struct keeper *k, const struct kerf_work *w, const struct kerf_header *header,
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
    k->literal_sum = malloc((o->new_len + 1) * sizeof *k->literal_sum);
    kerf_err err = k->first == NULL || k->sectors == NULL || k->line == NULL || k->place == NULL || k->backup == NULL ||
                           k->literal_sum == NULL
                       ? KERF_ERR_RAM
                       : make_atoms(k, segments);

    if (err == KERF_OK) {
        k->literal_sum[0] = 0;
        for (size_t i = 0; i < o->new_len; i++) {
            k->literal_sum[i + 1] = k->literal_sum[i] + kerf_literal_cost(w, i);
        }
        err = make_uses(k, segments);
    }
    k->moving = malloc((k->atom_count + 1) * sizeof *k->moving);
    k->moving_to = malloc((k->atom_count + 1) * sizeof *k->moving_to);
    k->holes = malloc((k->atom_count + 2) * sizeof *k->holes);
    return k->moving == NULL || k->moving_to == NULL || k->holes == NULL ? KERF_ERR_RAM : err;
}

static void close_keeper(struct keeper *k)
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

/* The best order for this; `lossy` is one that would be good if nothing were kept. */
static kerf_err find_order(struct keeper *k, const size_t *lossy, size_t *best, int64_t *best_cost)
{
    size_t tries = WORK / (k->atom_count + k->use_count + 4 * k->count + 1);
    uint32_t random = 1;
    kerf_err err = KERF_OK;

    tries = tries < TRIES_MIN ? TRIES_MIN : tries > TRIES_MAX ? TRIES_MAX : tries;
    *best_cost = INT64_MAX;
    for (unsigned start = 0; err == KERF_OK && start < STARTS; start++) {
        for (size_t i = 0; i < k->count; i++) {
            k->line[i] = start % 3 == 0 ? lossy[i] : start % 3 == 1 ? i : k->count - 1 - i;
        }
        err = search(k, tries, &random, best, best_cost);
    }
    return err;
}

/* Sectors behind the images that hold nothing are not in the header: those of scratch follow the others. */
static void close_up(struct keeper *k, struct kerf_header *header)
{
    struct kerf_order *o = k->o;
    size_t end = k->images;

    for (size_t i = 0; i < o->keep_count; i++) {
        if (o->keeps[i].sector >= end && o->keeps[i].sector < k->slot) {
            end = o->keeps[i].sector + 1;
        }
    }
    for (size_t i = 0; i < o->keep_count; i++) {
        struct kerf_keep *keep = &o->keeps[i];

        if (keep->sector >= k->slot) {
            keep->sector -= k->slot - end;
            for (size_t m = keep->first; m < keep->first + keep->count; m++) {
                o->moves[m].pos -= (k->slot - end) << o->sector_log2;
            }
        }
    }
    header->beyond = (uint8_t)(end - k->images);
    o->sectors -= k->slot - end;
}

/* Takes the order, and what it keeps. */
static kerf_err take(struct keeper *k, const size_t *best, struct kerf_header *header)
{
    struct kerf_order *o = k->o;
    int64_t cost;

    memcpy(k->line, best, k->count * sizeof *best);
    k->emit = true;
    kerf_err err = walk(k, INT64_MAX, &cost);

    memcpy(o->sector, best, k->count * sizeof *best);
    for (size_t i = 0; i < k->count; i++) {
        o->rank[best[i]] = i;
    }
    header->kept = (uint16_t)o->keep_count;
    header->moves_cap = (uint16_t)o->move_count;
    close_up(k, header);
    return err == KERF_OK ? kerf_order_gone(o) : err;
}

kerf_err kerf_order_keep(const struct kerf_work *w, const struct kerf_segments *segments, uint64_t ram,
                         struct kerf_header *header, struct kerf_order *o)
{
    struct keeper k = {.o = o,
                       .moves_max = ram / RAM_OF_MOVE < KERF_MAX_MOVES ? (size_t)(ram / RAM_OF_MOVE) : KERF_MAX_MOVES};
    size_t *best = malloc((o->count + 1) * sizeof *best);
    int64_t best_cost = INT64_MAX;
    kerf_err err = best == NULL ? KERF_ERR_RAM : KERF_OK;

    o->sectors = kerf_header_sectors(header);
    if (err == KERF_OK) {
        err = open_keeper(&k, w, header, segments);
    }
    if (err == KERF_OK) {
        err = find_order(&k, w->order->sector, best, &best_cost);
    }
    if (err == KERF_OK) {
        err = take(&k, best, header);
    }
    close_keeper(&k);
    free(best);
    return err;
}
