/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include "server-tools/snapshot.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A list of images that grows; what it holds is counted before it is made unique. */
struct image_list {
    struct kerf_known_image *images;
    size_t count, cap;
};

static kerf_err add_image(struct image_list *list, struct kerf_span component, struct kerf_span version,
                          const struct kerf_sha256_digest *digest)
{
    struct kerf_known_image *image;

    if (list->count == list->cap) {
        const size_t cap = list->cap == 0 ? 64 : 2 * list->cap;
        void *images = realloc(list->images, cap * sizeof *list->images);

        if (images == NULL) {
            return KERF_ERR_RAM;
        }
        list->images = images;
        list->cap = cap;
    }
    image = &list->images[list->count++];
    image->component = component;
    image->version = version;
    image->digest = *digest;
    return KERF_OK;
}

/* The targets of a release, and what its deltas start from. */
static kerf_err add_release(struct image_list *list, const struct kerf_release *release)
{
    struct kerf_component component;
    struct kerf_payload payload;
    size_t component_cursor = 0;
    kerf_err err = KERF_OK;

    while (err == KERF_OK && kerf_release_next_component(release, &component_cursor, &component) == KERF_OK) {
        size_t cursor = 0;

        err = add_image(list, component.name, component.version, &component.digest);
        while (err == KERF_OK && kerf_component_next_payload(&component, &cursor, &payload) == KERF_OK) {
            if (payload.is_delta) {
                err = add_image(list, component.name, payload.from_version, &payload.from_digest);
            }
        }
    }
    return err;
}

static int compare_spans(struct kerf_span a, struct kerf_span b)
{
    const int order = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_images(const void *a, const void *b)
{
    const struct kerf_known_image *x = a;
    const struct kerf_known_image *y = b;
    int order = compare_spans(x->component, y->component);

    if (order == 0) {
        order = memcmp(x->digest.b, y->digest.b, sizeof x->digest.b);
    }
    return order != 0 ? order : compare_spans(x->version, y->version);
}

/* Fills the view of a product whose catalogue is loaded. */
static kerf_err build_view(struct kerf_snapshot_product *product)
{
    struct image_list list = {NULL, 0, 0};
    size_t unique = 0;
    kerf_err err = KERF_OK;

    for (size_t i = 0; err == KERF_OK && i < product->catalogue.release_count; i++) {
        err = add_release(&list, &product->catalogue.releases[i].release);
    }
    product->images = list.images;
    if (err != KERF_OK) {
        return err;
    }
    if (list.count > 0) {
        qsort(list.images, list.count, sizeof *list.images, compare_images);
    }
    for (size_t i = 0; i < list.count; i++) {
        if (unique == 0 || compare_images(&list.images[unique - 1], &list.images[i]) != 0) {
            list.images[unique++] = list.images[i];
        }
    }
    product->view.release = &kerf_catalogue_current(&product->catalogue)->release;
    product->view.images = list.images;
    product->view.image_count = unique;
    return KERF_OK;
}

static kerf_err load_products(struct kerf_snapshot *snapshot, const struct kerf_repository *repo,
                              const struct kerf_name_list *names, struct kerf_why *why)
{
    snapshot->products = calloc(names->count + 1, sizeof *snapshot->products);
    if (snapshot->products == NULL) {
        kerf_why_set(why, "no memory for the catalogue");
        return KERF_ERR_RAM;
    }
    for (size_t i = 0; i < names->count; i++) {
        struct kerf_snapshot_product *product = &snapshot->products[snapshot->product_count];
        bool found = false;
        kerf_err err = kerf_catalogue_load(&product->catalogue, repo, names->names[i], &found, why);

        if (err != KERF_OK) {
            return err;
        }
        if (!found) {
            continue;
        }
        snapshot->product_count++; /* from here on it is freed with the rest */
        err = build_view(product);
        if (err != KERF_OK) {
            kerf_why_set(why, "no memory for the catalogue");
            return err;
        }
    }
    return KERF_OK;
}

kerf_err kerf_snapshot_load(struct kerf_snapshot **snapshot, const struct kerf_repository *repo, struct kerf_why *why)
{
    struct kerf_snapshot *loaded = calloc(1, sizeof *loaded);
    struct kerf_name_list names = {NULL, 0};
    kerf_err err;

    *snapshot = NULL;
    if (loaded == NULL) {
        kerf_why_set(why, "no memory for the catalogue");
        return KERF_ERR_RAM;
    }
    err = kerf_repository_products(repo, false, &names, why);
    if (err == KERF_OK) {
        err = load_products(loaded, repo, &names, why);
        kerf_name_list_free(&names);
    }
    if (err != KERF_OK) {
        kerf_snapshot_free(loaded);
        return err;
    }
    *snapshot = loaded;
    return KERF_OK;
}

void kerf_snapshot_free(struct kerf_snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    for (size_t i = 0; i < snapshot->product_count; i++) {
        free(snapshot->products[i].images);
        kerf_catalogue_free(&snapshot->products[i].catalogue);
    }
    free(snapshot->products);
    free(snapshot);
}

const struct kerf_snapshot_product *kerf_snapshot_find(const struct kerf_snapshot *snapshot, const char *product)
{
    for (size_t i = 0; i < snapshot->product_count; i++) {
        if (strcmp(snapshot->products[i].catalogue.product, product) == 0) {
            return &snapshot->products[i];
        }
    }
    return NULL;
}

void kerf_snapshot_stamp_take(struct kerf_snapshot_stamp *stamp, const struct kerf_repository *repo)
{
    char path[KERF_PATH_MAX];
    struct stat st;

    memset(stamp, 0, sizeof *stamp);
    if (stat(kerf_repository_current_path(repo, path), &st) == 0) {
        stamp->dev = (uint64_t)st.st_dev;
        stamp->ino = (uint64_t)st.st_ino;
        stamp->size = (uint64_t)st.st_size;
        stamp->mtime_s = (int64_t)st.st_mtim.tv_sec;
        stamp->mtime_ns = (int64_t)st.st_mtim.tv_nsec;
    }
}

bool kerf_snapshot_stamp_equal(const struct kerf_snapshot_stamp *a, const struct kerf_snapshot_stamp *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_s == b->mtime_s &&
           a->mtime_ns == b->mtime_ns;
}
