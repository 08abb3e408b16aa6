/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "server-tools/repository.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "common/host/cli.h"
#include "common/host/file.h"
#include "common/host/hash.h"

#define MARKER "kerf-repo.json"
#define MARKER_MAX_LEN 4096

static const char *const folders[] = {"public", "public/p", "public/metadata", "i", "staged", "keys"};

static kerf_err no_memory(struct kerf_why *why)
{
    kerf_why_set(why, "out of memory: free some memory");
    return KERF_ERR_RAM;
}

/* --- Paths. struct kerf_repository leaves 256 bytes for what is appended here; the longest takes 111. --- */

KERF_PRINTF(3, 4)
static const char *path_in(const struct kerf_repository *repo, char *path, const char *format, ...)
{
    va_list args;
    int n = snprintf(path, KERF_PATH_MAX, "%s/", repo->dir);

    va_start(args, format);
    (void)vsnprintf(path + n, KERF_PATH_MAX - (size_t)n, format, args);
    va_end(args);
    return path;
}

const char *kerf_repository_object_path(const struct kerf_repository *repo, enum kerf_store store,
                                        const struct kerf_sha256_digest *digest, char *path)
{
    char hex[2 * KERF_SHA256_LEN + 1];

    return path_in(repo, path, "%s/%s", store == KERF_STORE_PAYLOAD ? "public/p" : "i",
                   kerf_cli_format_hex(digest->b, KERF_SHA256_LEN, hex));
}

const char *kerf_repository_document_path(const struct kerf_repository *repo, const char *product,
                                          enum kerf_doc_type type, uint64_t number, char *path)
{
    if (type == KERF_DOC_FRESH) {
        return path_in(repo, path, "public/metadata/%s/fresh", product);
    }
    return path_in(repo, path, "public/metadata/%s/%s.%" PRIu64, product, type == KERF_DOC_ROOT ? "root" : "release",
                   number);
}

const char *kerf_repository_staged_path(const struct kerf_repository *repo, const char *product, uint64_t seq,
                                        char *path)
{
    return path_in(repo, path, "staged/%s/%" PRIu64, product, seq);
}

const char *kerf_repository_current_path(const struct kerf_repository *repo, char *path)
{
    return path_in(repo, path, "public/metadata/current");
}

const char *kerf_repository_product_path(const struct kerf_repository *repo, const char *product, bool staged,
                                         char *path)
{
    return path_in(repo, path, "%s/%s", staged ? "staged" : "public/metadata", product);
}

const char *kerf_repository_keys_path(const struct kerf_repository *repo, char *path)
{
    return path_in(repo, path, "keys");
}

static kerf_err set_dir(struct kerf_repository *repo, const char *dir, struct kerf_why *why)
{
    size_t len = strlen(dir);

    if (len == 0 || len >= sizeof repo->dir) {
        kerf_why_set(why, "the path of the repository is empty or too long: name a folder");
        return KERF_ERR_ARGUMENT;
    }
    memcpy(repo->dir, dir, len + 1);
    return KERF_OK;
}

/* --- Lists of names. --- */

static int compare_names(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;

    return strcmp(*x, *y);
}

void kerf_name_list_free(struct kerf_name_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->names[i]);
    }
    free(list->names);
    *list = (struct kerf_name_list){NULL, 0};
}

static kerf_err list_add(struct kerf_name_list *list, const char *name)
{
    char **names = list->names;

    if ((list->count & (list->count - 1)) == 0) { /* full at each power of two */
        names = realloc(list->names, (list->count == 0 ? 1 : 2 * list->count) * sizeof *names);
        if (names == NULL) {
            return KERF_ERR_RAM;
        }
        list->names = names;
    }
    names[list->count] = strdup(name);
    if (names[list->count] == NULL) {
        return KERF_ERR_RAM;
    }
    list->count++;
    return KERF_OK;
}

kerf_err kerf_repository_list(const char *dir, struct kerf_name_list *list, struct kerf_why *why)
{
    const struct dirent *entry;
    kerf_err err = KERF_OK;

    *list = (struct kerf_name_list){NULL, 0};
    DIR *d = opendir(dir);
    if (d == NULL) {
        if (errno == ENOENT) {
            return KERF_OK;
        }
        kerf_why_errno(why, "read the folder", dir, errno);
        return KERF_ERR_FLASH;
    }
    for (errno = 0; err == KERF_OK && (entry = readdir(d)) != NULL; errno = 0) {
        if (entry->d_name[0] != '.') { /* ., .., and temporary files */
            err = list_add(list, entry->d_name);
        }
    }
    if (err != KERF_OK) {
        err = no_memory(why);
    } else if (errno != 0) {
        kerf_why_errno(why, "read the folder", dir, errno);
        err = KERF_ERR_FLASH;
    }
    (void)closedir(d);
    if (err != KERF_OK) {
        kerf_name_list_free(list);
    } else if (list->count > 0) {
        qsort(list->names, list->count, sizeof list->names[0], compare_names);
    }
    return err;
}

/* True for the decimal number that is a whole text, 1 or more, without leading zeros. */
static bool parse_number(const char *text, uint64_t *number)
{
    uint64_t v = 0;

    if (text[0] < '1' || text[0] > '9') {
        return false;
    }
    for (; *text >= '0' && *text <= '9'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (v > (UINT64_MAX - digit) / 10) {
            return false;
        }
        v = v * 10 + digit;
    }
    *number = v;
    return *text == '\0';
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return (*x > *y) - (*x < *y);
}

/* Numbers that follow `prefix` in the names of a folder, ascending. */
static kerf_err list_numbers(const char *dir, const char *prefix, uint64_t **numbers, size_t *count,
                             struct kerf_why *why)
{
    struct kerf_name_list list;
    size_t prefix_len = strlen(prefix);
    kerf_err err = kerf_repository_list(dir, &list, why);

    *numbers = NULL;
    *count = 0;
    if (err != KERF_OK || list.count == 0) {
        return err;
    }
    *numbers = malloc(list.count * sizeof **numbers);
    if (*numbers == NULL) {
        kerf_name_list_free(&list);
        return no_memory(why);
    }
    for (size_t i = 0; i < list.count; i++) {
        if (strncmp(list.names[i], prefix, prefix_len) == 0 &&
            parse_number(list.names[i] + prefix_len, &(*numbers)[*count])) {
            (*count)++;
        }
    }
    kerf_name_list_free(&list);
    qsort(*numbers, *count, sizeof **numbers, compare_numbers);
    return KERF_OK;
}

kerf_err kerf_repository_staged(const struct kerf_repository *repo, const char *product, uint64_t **seqs, size_t *count,
                                struct kerf_why *why)
{
    char path[KERF_PATH_MAX];

    return list_numbers(kerf_repository_product_path(repo, product, true, path), "", seqs, count, why);
}

kerf_err kerf_repository_releases(const struct kerf_repository *repo, const char *product, uint64_t **seqs,
                                  size_t *count, struct kerf_why *why)
{
    char path[KERF_PATH_MAX];

    return list_numbers(kerf_repository_product_path(repo, product, false, path), "release.", seqs, count, why);
}

/* Appends the valid names among the folders of `dir`, without repeating those before `known`. */
static kerf_err add_products(struct kerf_name_list *products, const char *dir, struct kerf_why *why)
{
    struct kerf_name_list list;
    size_t known = products->count;
    kerf_err err = kerf_repository_list(dir, &list, why);

    for (size_t i = 0; err == KERF_OK && i < list.count; i++) {
        struct kerf_span name = {(const uint8_t *)list.names[i], strlen(list.names[i])};
        char path[KERF_PATH_MAX + 256];
        struct stat st;
        bool repeated = false;

        (void)snprintf(path, sizeof path, "%s/%s", dir, list.names[i]);
        if (!kerf_name_valid(name) || stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
            continue;
        }
        for (size_t j = 0; j < known; j++) {
            repeated = repeated || strcmp(products->names[j], list.names[i]) == 0;
        }
        if (!repeated && list_add(products, list.names[i]) != KERF_OK) {
            err = no_memory(why);
        }
    }
    kerf_name_list_free(&list);
    return err;
}

kerf_err kerf_repository_products(const struct kerf_repository *repo, bool staged, struct kerf_name_list *products,
                                  struct kerf_why *why)
{
    char path[KERF_PATH_MAX];

    *products = (struct kerf_name_list){NULL, 0};
    kerf_err err = add_products(products, path_in(repo, path, "public/metadata"), why);
    if (err == KERF_OK && staged) {
        err = add_products(products, path_in(repo, path, "staged"), why);
    }
    if (err != KERF_OK) {
        kerf_name_list_free(products);
    } else if (products->count > 0) {
        qsort(products->names, products->count, sizeof products->names[0], compare_names);
    }
    return err;
}

/* --- A repository as a whole. --- */

/* Nothing in it but what an interrupted init leaves. */
static kerf_err check_empty(const char *dir, struct kerf_why *why)
{
    struct kerf_name_list list;
    kerf_err err = kerf_repository_list(dir, &list, why);

    for (size_t i = 0; err == KERF_OK && i < list.count; i++) {
        bool ours = false;

        for (size_t j = 0; j < sizeof folders / sizeof folders[0]; j++) {
            ours = ours || strcmp(list.names[i], folders[j]) == 0;
        }
        if (strcmp(list.names[i], MARKER) == 0) {
            kerf_why_set(why, "'%s' is a repository already: use it, or choose another folder", dir);
            err = KERF_ERR_ARGUMENT;
        } else if (!ours) {
            kerf_why_set(why, "'%s' is not empty: choose a new folder", dir);
            err = KERF_ERR_ARGUMENT;
        }
    }
    kerf_name_list_free(&list);
    return err;
}

kerf_err kerf_repository_init(const char *dir, struct kerf_why *why)
{
    static const char marker[] = "{\"kerf-repo\":0}\n";
    struct kerf_repository repo;
    char path[KERF_PATH_MAX];
    kerf_err err = set_dir(&repo, dir, why);

    if (err == KERF_OK) {
        err = kerf_file_make_dirs(dir, why);
    }
    if (err == KERF_OK) {
        err = check_empty(dir, why);
    }
    for (size_t i = 0; err == KERF_OK && i < sizeof folders / sizeof folders[0]; i++) {
        err = kerf_file_make_dirs(path_in(&repo, path, "%s", folders[i]), why);
    }
    if (err == KERF_OK && chmod(kerf_repository_keys_path(&repo, path), 0700) != 0) {
        kerf_why_errno(why, "protect", path, errno);
        err = KERF_ERR_FLASH;
    }
    if (err == KERF_OK) { /* last: only now it is a repository */
        err = kerf_file_write(path_in(&repo, path, MARKER), 0, (const uint8_t *)marker, sizeof marker - 1, why);
    }
    return err;
}

kerf_err kerf_repository_open(struct kerf_repository *repo, const char *dir, struct kerf_why *why)
{
    char path[KERF_PATH_MAX];
    uint8_t *data;
    size_t len;
    struct stat st;
    kerf_err err = set_dir(repo, dir, why);

    if (err != KERF_OK) {
        return err;
    }
    if (stat(path_in(repo, path, MARKER), &st) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        kerf_why_set(why, "'%s' is not a repository: make one with kerf-repo init", dir);
        return KERF_ERR_FLASH;
    }
    err = kerf_file_read(path, MARKER_MAX_LEN, &data, &len, why);
    if (err != KERF_OK) {
        return err;
    }
    json_t *json = json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *version = json_object_get(json, "kerf-repo");
    if (!json_is_integer(version)) {
        kerf_why_set(why, "'%s' is damaged: restore it from a backup", path);
        err = KERF_ERR_FORMAT;
    } else if (json_integer_value(version) != 0) {
        kerf_why_set(why, "'%s' was made by a later version of kerf-repo: use that one", dir);
        err = KERF_ERR_VERSION;
    }
    json_decref(json);
    free(data);
    return err;
}

/* Removes what interrupted writes left in a folder. What can't be removed does no harm. */
static void sweep(const char *dir)
{
    const struct dirent *entry;
    DIR *d = opendir(dir);

    while (d != NULL && (entry = readdir(d)) != NULL) {
        size_t len = strlen(entry->d_name);

        if (len > 10 && strncmp(entry->d_name, ".kerf-", 6) == 0 && strcmp(entry->d_name + len - 4, ".tmp") == 0) {
            (void)unlinkat(dirfd(d), entry->d_name, 0);
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
}

static void sweep_all(const struct kerf_repository *repo)
{
    char path[KERF_PATH_MAX];
    struct kerf_name_list products;

    sweep(repo->dir);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        sweep(path_in(repo, path, "%s", folders[i]));
    }
    if (kerf_repository_products(repo, true, &products, NULL) == KERF_OK) {
        for (size_t i = 0; i < products.count; i++) {
            sweep(kerf_repository_product_path(repo, products.names[i], false, path));
            sweep(kerf_repository_product_path(repo, products.names[i], true, path));
        }
        kerf_name_list_free(&products);
    }
}

kerf_err kerf_repository_lock(const struct kerf_repository *repo, int *fd, struct kerf_why *why)
{
    char path[KERF_PATH_MAX];

    *fd = open(path_in(repo, path, MARKER), O_RDONLY | O_CLOEXEC);
    if (*fd < 0) {
        kerf_why_errno(why, "read", path, errno);
        return KERF_ERR_FLASH;
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        int reason = errno;

        (void)close(*fd);
        *fd = -1;
        if (reason == EWOULDBLOCK) {
            kerf_why_set(why, "another kerf-repo is at work in '%s': try again when it is done", repo->dir);
        } else {
            kerf_why_errno(why, "lock", path, reason);
        }
        return KERF_ERR_FLASH;
    }
    sweep_all(repo); /* nobody else is writing now */
    return KERF_OK;
}

void kerf_repository_unlock(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* --- Objects. --- */

kerf_err kerf_repository_put(const struct kerf_repository *repo, enum kerf_store store, const uint8_t *data, size_t len,
                             struct kerf_sha256_digest *digest, struct kerf_why *why)
{
    char path[KERF_PATH_MAX];
    struct kerf_sha256_digest found;
    uint64_t size;

    if (kerf_hash_bytes(data, len, digest) != KERF_OK) {
        return no_memory(why);
    }
    (void)kerf_repository_object_path(repo, store, digest, path);
    if (access(path, F_OK) == 0 && kerf_hash_file(path, &found, &size, NULL) == KERF_OK &&
        memcmp(found.b, digest->b, KERF_SHA256_LEN) == 0) {
        return KERF_OK;
    }
    return kerf_file_write(path, 0, data, len, why);
}

kerf_err kerf_repository_get(const struct kerf_repository *repo, enum kerf_store store,
                             const struct kerf_sha256_digest *digest, uint8_t **data, size_t *len, struct kerf_why *why)
{
    char path[KERF_PATH_MAX];
    struct kerf_sha256_digest found;
    kerf_err err = kerf_file_read(kerf_repository_object_path(repo, store, digest, path), SIZE_MAX, data, len, why);

    if (err != KERF_OK) {
        return err;
    }
    if (kerf_hash_bytes(*data, *len, &found) != KERF_OK) {
        err = no_memory(why);
    } else if (memcmp(found.b, digest->b, KERF_SHA256_LEN) != 0) {
        kerf_why_set(why,
                     "'%s' is damaged (its digest is not its name): restore it, or remove it and add the release again",
                     path);
        err = KERF_ERR_MISMATCH;
    }
    if (err != KERF_OK) {
        free(*data);
        *data = NULL;
    }
    return err;
}

kerf_err kerf_repository_unstage(const struct kerf_repository *repo, const char *product, uint64_t seq,
                                 struct kerf_why *why)
{
    char path[KERF_PATH_MAX];

    if (unlink(kerf_repository_staged_path(repo, product, seq, path)) != 0 && errno != ENOENT) {
        kerf_why_errno(why, "remove", path, errno);
        return KERF_ERR_FLASH;
    }
    return KERF_OK;
}
