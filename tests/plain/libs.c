/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libraries that diffgen/ needs, in plain C, for hosts where they are not installed: a suffix array is the same
 * whoever sorts it, and so is a digest. qsort is replaced as well, by one that leaves equal elements in another order
 * than the C library does: a delta must not depend on that.
 */
#include <divsufsort.h>
#include <stdlib.h>
#include <string.h>

#include "common/host/hash.h"
#include "common/sha256.h"

static void swap(char *a, char *b, size_t size)
{
    while (size-- > 0) {
        char c = *a;

        *a++ = *b;
        *b++ = c;
    }
}

static void sift(char *base, size_t at, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && compare(base + child * size, base + (child + 1) * size) < 0) {
            child++;
        }
        if (compare(base + at * size, base + child * size) >= 0) {
            break;
        }
        swap(base + at * size, base + child * size, size);
        at = child;
    }
}

/* Heapsort. */
void qsort(void *array, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    char *base = array;

    for (size_t i = count / 2; i > 0; i--) {
        sift(base, i - 1, count, size, compare);
    }
    for (size_t i = count; i > 1; i--) {
        swap(base, base + (i - 1) * size, size);
        sift(base, 0, i - 1, size, compare);
    }
}

/* Order of suffixes by their first bytes: a suffix sorts by (rank, rank of the suffix `step` further). */
struct suffix {
    saidx_t at, rank, next;
};

static int compare_suffixes(const void *a, const void *b)
{
    const struct suffix *x = a;
    const struct suffix *y = b;

    if (x->rank != y->rank) {
        return x->rank < y->rank ? -1 : 1;
    }
    return x->next < y->next ? -1 : x->next > y->next;
}

/* Prefix doubling. U. Manber, G. Myers, "Suffix arrays: a new method for on-line string searches", 1990. */
saint_t divsufsort(const sauchar_t *text, saidx_t *suffixes, saidx_t len)
{
    size_t n = (size_t)len;
    struct suffix *list = malloc((n + 1) * sizeof *list);
    saidx_t *ranks = malloc((n + 1) * sizeof *ranks);
    bool unique = n < 2;

    if (list == NULL || ranks == NULL) {
        free(list);
        free(ranks);
        return -2;
    }
    for (size_t i = 0; i < n; i++) {
        ranks[i] = text[i];
        suffixes[i] = (saidx_t)i;
    }
    for (size_t step = 1; !unique; step = step == 1 ? 2 : step * 2) {
        for (size_t i = 0; i < n; i++) {
            list[i] = (struct suffix){(saidx_t)i, ranks[i], i + step < n ? ranks[i + step] : -1};
        }
        qsort(list, n, sizeof *list, compare_suffixes);
        unique = true;
        for (size_t i = 0; i < n; i++) {
            bool same = i > 0 && compare_suffixes(&list[i - 1], &list[i]) == 0;

            suffixes[i] = list[i].at;
            ranks[list[i].at] = same ? ranks[list[i - 1].at] : (saidx_t)i;
            unique = unique && !same;
        }
    }
    free(list);
    free(ranks);
    return 0;
}

kerf_err kerf_hash_bytes(const uint8_t *data, size_t len, struct kerf_sha256_digest *digest)
{
    struct kerf_sha256 s;

    kerf_sha256_init(&s);
    kerf_sha256_add(&s, data, len);
    kerf_sha256_end(&s, digest);
    return KERF_OK;
}

kerf_err kerf_hash_hook(void *hash, enum kerf_hash_op op, const uint8_t *data, size_t len,
                        struct kerf_sha256_digest *digest)
{
    struct kerf_hash *h = hash;

    if (h->state == NULL) {
        h->state = malloc(sizeof(struct kerf_sha256));
    }
    if (h->state == NULL) {
        return KERF_ERR_RAM;
    }
    return kerf_sha256_hook(h->state, op, data, len, digest);
}

void kerf_hash_free(struct kerf_hash *hash)
{
    free(hash->state);
    hash->state = NULL;
}
