/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A repository on a real disk: what is put in comes out, what is damaged is found, and a fault or a crash at any file
 * operation of a release leaves the old state or the new one. The operations are counted by the linker's --wrap.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/host/file.h"
#include "server-tools/audit.h"
#include "server-tools/catalogue.h"
#include "server-tools/draft.h"
#include "server-tools/release.h"

#define NOW 1700000000u
#define IMAGE_LEN 1500u

/* --- Faults. --- */

enum fault_kind {
    FAULT_NONE,
    FAULT_TORN,       /* the process ends after the operation; of a write, after half of it */
    FAULT_ERROR_ONCE, /* the operation fails */
    FAULT_ERROR_EVER, /* and all that follow */
};

static enum fault_kind fault;
static unsigned fault_at; /* operations before it; 0: the first */
static unsigned operations;

/* True: the operation must fail, errno being set. May not return. */
static bool strike(void)
{
    unsigned n = operations++;

    if ((fault == FAULT_ERROR_ONCE && n == fault_at) || (fault == FAULT_ERROR_EVER && n >= fault_at)) {
        errno = ENOSPC;
        return true;
    }
    return false;
}

static void strike_after(void)
{
    if (fault == FAULT_TORN && operations == fault_at + 1) {
        _exit(99);
    }
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    int r = strike() ? -1 : __real_fsync(fd);

    strike_after();
    return r;
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    int r = strike() ? -1 : __real_rename(from, to);

    strike_after();
    return r;
}

int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
    int r = strike() ? -1 : __real_unlink(path);

    strike_after();
    return r;
}

int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
    int r = strike() ? -1 : __real_mkdir(path, mode);

    strike_after();
    return r;
}

int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode)
{
    int r = strike() ? -1 : __real_fchmod(fd, mode);

    strike_after();
    return r;
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    if ((flags & O_CREAT) != 0) {
        va_start(args, flags);
        mode = (mode_t)va_arg(args, unsigned);
        va_end(args);
    }
    int r = strike() ? -1 : __real_open64(path, flags, mode);
    strike_after();
    return r;
}

ssize_t __real_pwrite64(int fd, const void *buf, size_t len, off64_t pos);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t len, off64_t pos);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t len, off64_t pos)
{
    bool torn = fault == FAULT_TORN && operations == fault_at;
    ssize_t r = strike() ? -1 : __real_pwrite64(fd, buf, torn ? len / 2 : len, pos);

    strike_after();
    return r;
}

/* --- Repositories to test with. --- */

static char top[64];
static char base[128];   /* version 1.0 published */
static char blank[128];  /* keys and nothing else */
static char staged[128]; /* and version 1.1 staged */
static char unborn[128]; /* version 1.0 staged, nothing published */
static char work[128];
static uint8_t image_1[IMAGE_LEN];
static uint8_t image_2[IMAGE_LEN];

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void copy_tree(const char *from, const char *to)
{
    (void)nftw(to, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)execlp("cp", "cp", "-a", from, to, (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static kerf_err add(const char *dir, const char *version, const uint8_t *image, struct kerf_why *why)
{
    struct kerf_repository repo;
    struct kerf_release_report report;
    const struct kerf_release_request request = {.product = "T1",
                                                 .version = version,
                                                 .component = "main",
                                                 .image = image,
                                                 .image_len = IMAGE_LEN,
                                                 .deltas = 5,
                                                 .now = NOW,
                                                 .expires = NOW + 1000000};
    kerf_err err = kerf_repository_open(&repo, dir, why);

    return err == KERF_OK ? kerf_release_add(&repo, &request, &report, why) : err;
}

static kerf_err publish_at(const char *dir, const char *keys_dir, uint64_t now, struct kerf_publish_report *report,
                           struct kerf_why *why)
{
    struct kerf_repository repo;
    struct kerf_release_keys keys;
    kerf_err err = kerf_repository_open(&repo, dir, why);

    if (err == KERF_OK) {
        err = kerf_release_keys_load(&keys, keys_dir, why);
    }
    if (err != KERF_OK) {
        return err;
    }
    const struct kerf_publish_request request = {&keys, now, now + 1000, now + 5000};
    err = kerf_release_publish(&repo, &request, report, why);
    kerf_release_keys_free(&keys);
    return err;
}

static kerf_err publish(const char *dir, struct kerf_why *why)
{
    struct kerf_publish_report report = {0};
    char keys_dir[192];

    (void)snprintf(keys_dir, sizeof keys_dir, "%s/keys", dir);
    return publish_at(dir, keys_dir, NOW, &report, why);
}

static void make_keys(const char *dir)
{
    assert_int_equal(kerf_file_make_dirs(dir, NULL), KERF_OK);
    for (unsigned i = 0; i < KERF_DOC_TYPES; i++) {
        struct kerf_signing_key key;
        char path[256];

        (void)snprintf(path, sizeof path, "%s/%s", dir, kerf_release_key_name((enum kerf_doc_type)i));
        assert_int_equal(kerf_signing_key_generate(&key, KERF_ALG_EDDSA, NULL), KERF_OK);
        assert_int_equal(kerf_signing_key_save(&key, path, NULL), KERF_OK);
        kerf_signing_key_free(&key);
    }
}

/* Seq of the current release after a full audit; 0: nothing is published. */
static uint64_t audited_seq(const char *dir)
{
    struct kerf_repository repo;
    struct kerf_catalogue catalogue = {0};
    struct kerf_audit audit = {0};
    struct kerf_why why = {""};
    bool found = false;

    kerf_err err = kerf_repository_open(&repo, dir, &why);
    if (err == KERF_OK) {
        err = kerf_audit_repository(&repo, &audit, &why);
    }
    if (err == KERF_OK) {
        err = kerf_catalogue_load(&catalogue, &repo, "T1", &found, &why);
    }
    if (err != KERF_OK) {
        fail_msg("%s", why.text);
    }
    uint64_t seq = found ? catalogue.fresh.seq : 0;
    kerf_catalogue_free(&catalogue);
    return seq;
}

static int set_up(void **state)
{
    char path[256];
    uint32_t x = 1;

    (void)state;
    /* In memory where there is such a folder: this test syncs thousands of files. */
    (void)snprintf(top, sizeof top, "%s/kerf-repository-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(top));
    (void)snprintf(base, sizeof base, "%s/base", top);
    (void)snprintf(blank, sizeof blank, "%s/blank", top);
    (void)snprintf(work, sizeof work, "%s/work", top);
    (void)snprintf(staged, sizeof staged, "%s/staged", top);
    (void)snprintf(unborn, sizeof unborn, "%s/unborn", top);
    for (size_t i = 0; i < IMAGE_LEN; i++) {
        x = x * 1103515245u + 12345u;
        image_1[i] = (uint8_t)(x >> 16);
    }
    memcpy(image_2, image_1, IMAGE_LEN);
    memset(image_2 + 700, 0x55, 15);
    assert_int_equal(kerf_repository_init(blank, NULL), KERF_OK);
    (void)snprintf(path, sizeof path, "%s/keys", blank);
    make_keys(path);
    copy_tree(blank, base);
    assert_int_equal(add(base, "1.0", image_1, NULL), KERF_OK);
    assert_int_equal(publish(base, NULL), KERF_OK);
    assert_int_equal(audited_seq(base), 1);
    copy_tree(base, staged);
    assert_int_equal(add(staged, "1.1", image_2, NULL), KERF_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(top, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- Crashes and faults. --- */

/* A half of making a release: add it, or publish what was added. */
typedef kerf_err step(struct kerf_why *why);

static kerf_err add_first(struct kerf_why *why)
{
    return add(work, "1.0", image_1, why);
}

static kerf_err add_second(struct kerf_why *why)
{
    return add(work, "1.1", image_2, why);
}

static kerf_err publish_all(struct kerf_why *why)
{
    return publish(work, why);
}

/* Runs a step in a process of its own. Exit 0: done, 1: it failed and said so, 98: no fault struck, 99: it crashed. */
static int run_with_fault(step *run, enum fault_kind kind, unsigned at)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        struct kerf_why why = {""};

        fault = kind;
        fault_at = at;
        operations = 0;
        kerf_err err = run(&why);
        if (operations <= at) {
            _exit(err == KERF_OK ? 98 : 3);
        }
        _exit(err == KERF_OK ? 0 : why.text[0] != '\0' ? 1 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/*
 * Strikes at every operation of `run`, each time beginning with a copy of `from`. Afterwards the repository must be
 * whole and at seq `before` or, if `run` publishes, the next; then `run` must go through.
 */
static void strike_everywhere(const char *from, uint64_t before, step *run, enum fault_kind kind)
{
    bool publishes = run == publish_all;
    bool old_seen = false;
    bool new_seen = false;

    for (unsigned at = 0;; at++) {
        copy_tree(from, work);
        int code = run_with_fault(run, kind, at);
        if (code == 98) {
            assert_true(at > 15);
            break;
        }
        assert_true(kind == FAULT_TORN ? code == 99 : code == 0 || code == 1);
        uint64_t seq = audited_seq(work);
        assert_true(seq == before || (publishes && seq == before + 1));
        assert_true(code != 0 || !publishes || seq > before); /* what was called done is done */
        old_seen = old_seen || seq == before;
        new_seen = new_seen || seq > before;
        assert_int_equal(run(NULL), KERF_OK);
        assert_int_equal(audited_seq(work), publishes ? before + 1 : before);
    }
    assert_true(old_seen && new_seen == publishes);
}

/* A crash before an operation is one after the operation before it, so that this is every crash there is. */
static void a_crash_within_or_after_any_operation_leaves_old_or_new(void **state)
{
    (void)state;
    strike_everywhere(base, 1, add_second, FAULT_TORN);
    strike_everywhere(staged, 1, publish_all, FAULT_TORN);
}

static void any_failing_operation_is_reported_and_leaves_old_or_new(void **state)
{
    (void)state;
    strike_everywhere(base, 1, add_second, FAULT_ERROR_ONCE);
    strike_everywhere(staged, 1, publish_all, FAULT_ERROR_ONCE);
}

static void a_disk_that_stays_full_is_reported_and_leaves_old_or_new(void **state)
{
    (void)state;
    strike_everywhere(base, 1, add_second, FAULT_ERROR_EVER);
    strike_everywhere(staged, 1, publish_all, FAULT_ERROR_EVER);
}

static void a_crash_in_the_first_release_of_all_leaves_nothing_or_all(void **state)
{
    (void)state;
    strike_everywhere(blank, 0, add_first, FAULT_TORN);
    copy_tree(blank, work);
    assert_int_equal(add_first(NULL), KERF_OK);
    copy_tree(work, unborn);
    strike_everywhere(unborn, 0, publish_all, FAULT_TORN);
}

static void an_interrupted_init_can_be_run_again(void **state)
{
    (void)state;
    for (unsigned at = 0;; at++) {
        int status;

        (void)nftw(work, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            fault = FAULT_TORN;
            fault_at = at;
            operations = 0;
            _exit(kerf_repository_init(work, NULL) == KERF_OK ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        kerf_err err = kerf_repository_init(work, NULL);
        assert_true(err == KERF_OK || err == KERF_ERR_ARGUMENT); /* the latter: it was complete */
        assert_int_equal(audited_seq(work), 0);
        if (WEXITSTATUS(status) == 0) {
            assert_true(at > 10);
            return;
        }
    }
}

/* --- What is refused. --- */

static void a_staged_release_without_a_full_payload_is_not_published(void **state)
{
    struct kerf_repository repo;
    struct kerf_draft draft = {0};
    struct kerf_release release;
    char path[KERF_PATH_MAX];
    struct kerf_why why;
    uint8_t *data;
    size_t len;

    (void)state;
    copy_tree(base, work);
    assert_int_equal(add(work, "1.1", image_2, NULL), KERF_OK);
    assert_int_equal(kerf_repository_open(&repo, work, NULL), KERF_OK);
    (void)kerf_repository_staged_path(&repo, "T1", 2, path);
    assert_int_equal(kerf_file_read(path, SIZE_MAX, &data, &len, NULL), KERF_OK);
    assert_int_equal(kerf_release_parse(data, len, &release), KERF_OK);
    assert_int_equal(kerf_draft_begin(&draft, &release, NULL), KERF_OK);
    assert_int_equal(draft.components[0].payload_count, 2);
    draft.components[0].payload_count = 1;
    draft.components[0].payloads[0] = draft.components[0].payloads[1]; /* the delta alone */
    uint8_t *changed;
    assert_int_equal(kerf_draft_write(&draft, &changed, &len, NULL), KERF_OK);
    assert_int_equal(kerf_file_write(path, 0, changed, len, NULL), KERF_OK);
    assert_int_equal(publish(work, &why), KERF_ERR_MISMATCH);
    assert_non_null(strstr(why.text, "no full payload"));
    assert_int_equal(kerf_repository_unstage(&repo, "T1", 2, NULL), KERF_OK);
    assert_int_equal(audited_seq(work), 1);
    kerf_draft_free(&draft);
    free(changed);
    free(data);
}

static void other_keys_than_those_of_the_root_do_not_sign(void **state)
{
    struct kerf_publish_report report = {0};
    struct kerf_why why;
    char other[192];

    (void)state;
    copy_tree(base, work);
    (void)snprintf(other, sizeof other, "%s/other-keys", top);
    make_keys(other);
    assert_int_equal(add(work, "1.1", image_2, NULL), KERF_OK);
    assert_int_equal(publish_at(work, other, NOW, &report, &why), KERF_ERR_SIGNATURE);
    assert_non_null(strstr(why.text, "fresh.pem"));
    assert_int_equal(audited_seq(work), 1);
}

static void an_expired_root_gets_a_successor_with_the_same_keys(void **state)
{
    struct kerf_publish_report report = {0};
    struct kerf_repository repo;
    struct kerf_catalogue catalogue;
    char keys[192];
    bool found;

    (void)state;
    copy_tree(base, work);
    (void)snprintf(keys, sizeof keys, "%s/keys", work);
    assert_int_equal(publish_at(work, keys, NOW + 4999, &report, NULL), KERF_OK);
    assert_int_equal(report.roots, 0);
    assert_int_equal(publish_at(work, keys, NOW + 5000, &report, NULL), KERF_OK);
    assert_int_equal(report.roots, 1);
    assert_int_equal(audited_seq(work), 1);
    assert_int_equal(kerf_repository_open(&repo, work, NULL), KERF_OK);
    assert_int_equal(kerf_catalogue_load(&catalogue, &repo, "T1", &found, NULL), KERF_OK);
    assert_int_equal(catalogue.root_count, 2);
    assert_int_equal(catalogue.root.version, 2);
    kerf_catalogue_free(&catalogue);
}

static void a_published_version_can_not_change(void **state)
{
    struct kerf_why why;

    (void)state;
    copy_tree(base, work);
    assert_int_equal(add(work, "1.0", image_2, &why), KERF_ERR_ARGUMENT);
    assert_non_null(strstr(why.text, "published already"));
}

/* --- Damage. --- */

static int flip(const char *path, long pos)
{
    FILE *f = fopen(path, "r+b");

    if (f == NULL || fseek(f, pos, SEEK_SET) != 0) {
        return -1;
    }
    int c = fgetc(f);
    (void)fseek(f, pos, SEEK_SET);
    (void)fputc(c ^ 1, f);
    return fclose(f);
}

static unsigned files_checked;

static int check_damage(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    struct kerf_repository repo;
    struct kerf_audit audit = {0};
    struct kerf_why why = {""};

    (void)ftw;
    if (type != FTW_F || strstr(path, "/keys/") != NULL || strstr(path, "/current") != NULL ||
        strstr(path, "/kerf-repo.json") != NULL) {
        return 0;
    }
    for (long pos = 0; pos < st->st_size; pos += 97) {
        assert_int_equal(flip(path, pos), 0);
        assert_int_equal(kerf_repository_open(&repo, work, NULL), KERF_OK);
        if (kerf_audit_repository(&repo, &audit, &why) == KERF_OK || why.text[0] == '\0') {
            fail_msg("a changed byte %ld of %s was not found", pos, path);
        }
        assert_int_equal(flip(path, pos), 0);
    }
    files_checked++;
    return 0;
}

static void every_damaged_file_is_found(void **state)
{
    (void)state;
    copy_tree(base, work);
    assert_int_equal(add(work, "1.1", image_2, NULL), KERF_OK);
    assert_int_equal(publish(work, NULL), KERF_OK);
    assert_int_equal(audited_seq(work), 2);
    files_checked = 0;
    assert_int_equal(nftw(work, check_damage, 16, FTW_PHYS), 0);
    assert_int_equal(files_checked,
                     4 + 3 + 2); /* root, fresh, two releases; two full payloads and a delta; two images */
}

static void a_damaged_object_is_not_returned_and_is_mended_by_putting_it_again(void **state)
{
    struct kerf_repository repo;
    struct kerf_sha256_digest digest;
    char path[KERF_PATH_MAX];
    uint8_t *data;
    size_t len;

    (void)state;
    copy_tree(blank, work);
    assert_int_equal(kerf_repository_open(&repo, work, NULL), KERF_OK);
    assert_int_equal(kerf_repository_put(&repo, KERF_STORE_IMAGE, image_1, IMAGE_LEN, &digest, NULL), KERF_OK);
    (void)kerf_repository_object_path(&repo, KERF_STORE_IMAGE, &digest, path);
    assert_int_equal(flip(path, 3), 0);
    assert_int_equal(kerf_repository_get(&repo, KERF_STORE_IMAGE, &digest, &data, &len, NULL), KERF_ERR_MISMATCH);
    assert_int_equal(kerf_repository_put(&repo, KERF_STORE_IMAGE, image_1, IMAGE_LEN, &digest, NULL), KERF_OK);
    assert_int_equal(kerf_repository_get(&repo, KERF_STORE_IMAGE, &digest, &data, &len, NULL), KERF_OK);
    assert_int_equal(len, IMAGE_LEN);
    assert_memory_equal(data, image_1, len);
    free(data);
}

static void a_second_writer_is_kept_out(void **state)
{
    struct kerf_repository repo;
    struct kerf_why why;
    int first;
    int second;

    (void)state;
    copy_tree(blank, work);
    assert_int_equal(kerf_repository_open(&repo, work, NULL), KERF_OK);
    assert_int_equal(kerf_repository_lock(&repo, &first, NULL), KERF_OK);
    assert_int_equal(kerf_repository_lock(&repo, &second, &why), KERF_ERR_FLASH);
    assert_non_null(strstr(why.text, "another kerf-repo"));
    kerf_repository_unlock(first);
    assert_int_equal(kerf_repository_lock(&repo, &second, &why), KERF_OK);
    kerf_repository_unlock(second);
}

static void private_keys_that_others_can_read_are_refused(void **state)
{
    struct kerf_signing_key key;
    char path[256];
    struct stat st;

    (void)state;
    (void)snprintf(path, sizeof path, "%s/keys/root.pem", blank);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(kerf_signing_key_load(&key, path, NULL), KERF_ERR_ARGUMENT);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(kerf_signing_key_load(&key, path, NULL), KERF_OK);
    assert_int_equal(kerf_signing_key_save(&key, path, NULL), KERF_ERR_ARGUMENT); /* never replaced */
    kerf_signing_key_free(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_within_or_after_any_operation_leaves_old_or_new),
        cmocka_unit_test(any_failing_operation_is_reported_and_leaves_old_or_new),
        cmocka_unit_test(a_disk_that_stays_full_is_reported_and_leaves_old_or_new),
        cmocka_unit_test(a_crash_in_the_first_release_of_all_leaves_nothing_or_all),
        cmocka_unit_test(an_interrupted_init_can_be_run_again),
        cmocka_unit_test(a_staged_release_without_a_full_payload_is_not_published),
        cmocka_unit_test(other_keys_than_those_of_the_root_do_not_sign),
        cmocka_unit_test(an_expired_root_gets_a_successor_with_the_same_keys),
        cmocka_unit_test(a_published_version_can_not_change),
        cmocka_unit_test(every_damaged_file_is_found),
        cmocka_unit_test(a_damaged_object_is_not_returned_and_is_mended_by_putting_it_again),
        cmocka_unit_test(a_second_writer_is_kept_out),
        cmocka_unit_test(private_keys_that_others_can_read_are_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
