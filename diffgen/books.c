/* SPDX-License-Identifier: Apache-2.0 */
#include "diffgen/books.h"

/* `start` in 1/100 bits, counting as `weight` samples. */
static kerf_cost mean(const struct kerf_average *a, kerf_cost start, uint64_t weight)
{
    return (a->sum + start * KERF_BIT / 100 * weight) / (a->count + weight);
}

/* What the prices make of the numbers. */
static kerf_cost priced(const struct kerf_histogram *h, const kerf_cost *prices)
{
    kerf_cost sum = 0;

    for (unsigned i = 0; i < KERF_PRICE_BITS; i++) {
        sum += h->count[i] * prices[i];
    }
    return sum;
}

static kerf_cost priced_phased(const struct kerf_phased *h, kerf_cost prices[4][KERF_PRICE_SYMBOLS])
{
    kerf_cost sum = 0;

    for (unsigned phase = 0; phase < 4; phase++) {
        for (unsigned i = 0; i < KERF_PRICE_SYMBOLS; i++) {
            sum += h->count[phase][i] * prices[phase][i];
        }
    }
    return sum;
}

/* What numbers were priced too high goes off the price of their segments. */
static kerf_cost less_excess(kerf_cost price, kerf_cost pricing, kerf_cost numbers, uint64_t count)
{
    kerf_cost excess = pricing > numbers ? (pricing - numbers) / (count + 20) : 0;

    return price > excess ? price - excess : 0;
}

/* Prices of a number by its bits, what is behind the leading one included. */
static void close_histogram(const struct kerf_histogram *h, const uint8_t *start, size_t start_len, kerf_cost *prices)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < KERF_PRICE_BITS; i++) {
        sum += 8 * (uint64_t)h->count[i] + (i < start_len ? start[i] : 1);
    }
    for (unsigned i = 0; i < KERF_PRICE_BITS; i++) {
        uint64_t p = (8 * (uint64_t)h->count[i] + (i < start_len ? start[i] : 1)) * 65536 / sum;

        prices[i] = kerf_rc_cost(p < 1 ? 1 : p > 65535 ? 65535 : (uint32_t)p) + i * KERF_BIT;
    }
}

/* The same by phase; where there are few of one, the others count. `start` is by bits all the same. */
static void close_phased(const struct kerf_phased *h, const uint8_t start[8], kerf_cost prices[4][KERF_PRICE_SYMBOLS])
{
    for (unsigned phase = 0; phase < 4; phase++) {
        uint64_t weight[KERF_PRICE_SYMBOLS] = {0};
        uint64_t sum = 0;

        for (unsigned i = 1; i < KERF_PRICE_SYMBOLS; i++) {
            unsigned bits = i < 16 ? kerf_books_bits(i) : i - 12;
            uint64_t all = (uint64_t)h->count[0][i] + h->count[1][i] + h->count[2][i] + h->count[3][i];

            weight[i] = 64 * (uint64_t)h->count[phase][i] + 16 * all +
                        ((bits < 8 ? start[bits] : 1u) * 8u >> (i < 16 ? bits : 0));
            sum += weight[i];
        }
        for (unsigned i = 1; i < KERF_PRICE_SYMBOLS; i++) {
            uint64_t p = weight[i] * 65536 / sum;

            prices[phase][i] = kerf_rc_cost(p < 1       ? 1
                                            : p > 65535 ? 65535
                                                        : (uint32_t)p) +
                               (i < 16 ? 0 : i - 12) * KERF_BIT;
        }
    }
}

/* Prices of distances' lowest bits. What all distances cost. */
static kerf_cost close_low(const struct kerf_books *b, struct kerf_prices *p)
{
    kerf_cost sum = priced(&b->new_distance[0], p->new_distance[0]) + priced(&b->new_distance[1], p->new_distance[1]);

    for (unsigned i = 0; i < 8; i++) {
        const uint32_t *counts = b->new_low[i / 4][i % 4];
        uint64_t all = 40 + (uint64_t)counts[0] + counts[1] + counts[2] + counts[3];

        for (unsigned low = 0; low < 4; low++) {
            kerf_cost *price = &p->new_low[i / 4][i % 4][low];

            *price = kerf_rc_cost((uint32_t)((counts[low] + 10) * (uint64_t)65535 / all));
            sum += counts[low] * *price;
            sum -= counts[low] * 2 * KERF_BIT;
        }
    }
    return sum;
}

void kerf_books_close(const struct kerf_books *b, struct kerf_prices *p)
{
    static const uint16_t equal_start[16] = {150, 100, 80, 70, 50, 40, 35, 30, 25, 20, 18, 15, 12, 10, 10, 2};
    static const uint16_t differ_start[16] = {120, 200, 250, 300, 300, 350, 350, 400,
                                              450, 500, 500, 500, 600, 600, 600, 900};

    for (unsigned i = 0; i < 16; i++) {
        p->equal[i][0] = mean(&b->equal[i][0], equal_start[i], 50);
        p->equal[i][1] = mean(&b->equal[i][1], differ_start[i], 20);
    }
    p->residue = mean(&b->residue, 700, 50);
    p->change = mean(&b->far, 2800, 20);
    for (unsigned i = 0; i < KERF_JUMPS; i++) {
        p->old_jump[i] = mean(&b->jump[i], i == 0 ? 200 : 400, 20);
    }
    uint64_t counts[KERF_BOOKS_PLACES] = {0};

    for (unsigned i = 0; i < KERF_BETWEEN; i++) {
        p->new_far[i] = mean(&b->place[KERF_BOOKS_PLACE_FAR][i], 200, 20);
        p->new_again[i] = mean(&b->place[KERF_BOOKS_PLACE_AGAIN][i], 300, 20);
        p->new_older[i] = mean(&b->place[KERF_BOOKS_PLACE_OLDER][i], 500, 20);
        for (unsigned place = 0; place < KERF_BOOKS_PLACES; place++) {
            counts[place] += b->place[place][i].count;
        }
    }
    close_phased(&b->gap, (const uint8_t[]){120, 60, 50, 40, 20, 10, 8, 4}, p->gap);
    close_histogram(&b->old_len, (const uint8_t[]){1, 4, 20, 30, 40, 40, 40, 30, 20, 10, 8, 4}, 12, p->old_len);
    close_histogram(&b->old_distance,
                    (const uint8_t[]){4, 8, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 8, 8, 8, 4}, 18,
                    p->old_distance);
    close_phased(&b->new_len, (const uint8_t[]){1, 60, 120, 60, 30, 10, 8, 4}, p->new_len);
    close_phased(&b->new_len_again, (const uint8_t[]){60, 60, 60, 50, 30, 10, 8, 4}, p->new_len_again);
    for (unsigned i = 0; i < 2; i++) {
        close_histogram(&b->new_distance[i],
                        (const uint8_t[]){4, 4, 10, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 10, 8}, 18,
                        p->new_distance[i]);
    }
    kerf_cost far = priced_phased(&b->new_len, p->new_len) + close_low(b, p);
    kerf_cost again = priced_phased(&b->new_len_again, p->new_len_again);
    uint64_t again_count = counts[KERF_BOOKS_PLACE_AGAIN] + counts[KERF_BOOKS_PLACE_OLDER];

    for (unsigned i = 0; i < KERF_BETWEEN; i++) {
        p->new_far[i] = less_excess(p->new_far[i], far, b->numbers[1][0], counts[KERF_BOOKS_PLACE_FAR]);
        p->new_again[i] = less_excess(p->new_again[i], again, b->numbers[1][1], again_count);
        p->new_older[i] = less_excess(p->new_older[i], again, b->numbers[1][1], again_count);
    }
    p->change += p->gap[0][1];
    p->ref_right = mean(&b->ref_right, 20, 50);
    p->ref_wrong = mean(&b->ref_wrong, 1400, 50);
    p->ram_right = mean(&b->ram_right, 50, 50);
    p->ram_wrong = mean(&b->ram_wrong, 1400, 50);
    /* While nothing was copied from new, literals are those that copies will replace: too cheap. */
    p->literal_scale = b->literal_estimate == 0 || counts[KERF_BOOKS_PLACE_FAR] == 0
                           ? 1100
                           : (uint32_t)((b->literal + 500 * KERF_BIT) * 1024 / (b->literal_estimate + 480 * KERF_BIT));
}

void kerf_books_lean(struct kerf_prices *p, bool mostly_old)
{
    p->residue = p->residue * 6 / 5;
    p->ref_wrong = p->ref_wrong * 5 / 4;
    p->ram_wrong = p->ram_wrong * 5 / 4;
    for (unsigned i = 0; i < KERF_BETWEEN && mostly_old; i++) {
        p->new_far[i] = p->new_far[i] * 3 / 5;
        p->new_again[i] = p->new_again[i] * 3 / 5;
        p->new_older[i] = p->new_older[i] * 3 / 5;
    }
}
