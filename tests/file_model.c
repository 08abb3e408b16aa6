/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/file_model.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pack.h"

#define FILES 12
#define NAMES 12
#define FDS 12
#define PENDING 512
#define PATH_CAP 64
#define SECTOR 512u
#define GARBAGE 0xa7

struct file {
    bool used, device;
    uint8_t *disk, *now; /* owned */
    size_t disk_len, now_len;
};

struct name {
    char path[PATH_CAP]; /* empty: none */
    int file;
};

enum change_kind {
    WRITE,    /* data at pos of a file */
    LENGTH,   /* pos is a file's new length */
    NAME,     /* path is now a file's name; of a rename: and `from` isn't */
    NAME_END, /* path is no name any more */
};

struct change {
    enum change_kind kind;
    int file;
    uint64_t pos;
    size_t len;
    uint8_t *data; /* owned */
    char path[PATH_CAP], from[PATH_CAP];
};

struct descriptor {
    bool used;
    int file; /* -1: a folder */
    char folder[PATH_CAP];
    uint64_t pos;
};

struct model_copy {
    struct file files[FILES];
    struct name names[NAMES], disk_names[NAMES];
    struct change pending[PENDING];
    size_t pending_len;
};

static struct model_copy m;
static struct descriptor fds[FDS];
static uint32_t operations, cut_at = MODEL_NEVER, fail_at = MODEL_NEVER;

static void require(bool kept)
{
    if (!kept) {
        abort();
    }
}

static uint8_t *copy_of(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len + 1);

    require(copy != NULL);
    if (len > 0) {
        memcpy(copy, data, len);
    }
    return copy;
}

static void set_path(char to[PATH_CAP], const char *path)
{
    require(strlen(path) < PATH_CAP);
    memcpy(to, path, strlen(path) + 1);
}

/* --- Names and files --- */

static struct name *find(struct name *names, const char *path)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (strcmp(names[i].path, path) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

static void set_name(struct name *names, const char *path, int file)
{
    struct name *name = find(names, path);

    name = name == NULL ? find(names, "") : name;
    require(name != NULL);
    set_path(name->path, path);
    name->file = file;
}

static void end_name(struct name *names, const char *path)
{
    struct name *name = path[0] == '\0' ? NULL : find(names, path);

    if (name != NULL) {
        name->path[0] = '\0';
    }
}

static int new_file(bool device)
{
    int i = 0;

    while (i < FILES && m.files[i].used) {
        i++;
    }
    require(i < FILES);
    memset(&m.files[i], 0, sizeof m.files[i]);
    m.files[i].used = true;
    m.files[i].device = device;
    m.files[i].disk = copy_of(NULL, 0);
    m.files[i].now = copy_of(NULL, 0);
    return i;
}

static void free_file(struct file *file)
{
    free(file->disk);
    free(file->now);
    memset(file, 0, sizeof *file);
}

static void drop_change(size_t i)
{
    free(m.pending[i].data);
    memmove(&m.pending[i], &m.pending[i + 1], (m.pending_len - i - 1) * sizeof m.pending[0]);
    m.pending_len--;
}

void model_reset(void)
{
    while (m.pending_len > 0) {
        drop_change(m.pending_len - 1);
    }
    for (size_t i = 0; i < FILES; i++) {
        free_file(&m.files[i]);
    }
    memset(&m, 0, sizeof m);
    memset(fds, 0, sizeof fds);
    model_begin(MODEL_NEVER, MODEL_NEVER);
}

void model_put(const char *path, const uint8_t *data, size_t len, bool device)
{
    int i = new_file(device);
    struct file *file = &m.files[i];

    free_file(file);
    file->used = true;
    file->device = device;
    file->disk = copy_of(data, len);
    file->now = copy_of(data, len);
    file->disk_len = file->now_len = len;
    set_name(m.names, path, i);
    set_name(m.disk_names, path, i);
}

const uint8_t *model_get(const char *path, size_t *len)
{
    const struct name *name = find(m.names, path);

    *len = name == NULL ? 0 : m.files[name->file].now_len;
    return name == NULL ? NULL : m.files[name->file].now;
}

static void copy_all(struct model_copy *to, const struct model_copy *from)
{
    *to = *from;
    for (size_t i = 0; i < FILES; i++) {
        if (from->files[i].used) {
            to->files[i].disk = copy_of(from->files[i].disk, from->files[i].disk_len);
            to->files[i].now = copy_of(from->files[i].now, from->files[i].now_len);
        }
    }
    for (size_t i = 0; i < from->pending_len; i++) {
        to->pending[i].data = copy_of(from->pending[i].data, from->pending[i].data == NULL ? 0 : from->pending[i].len);
    }
}

struct model_copy *model_save(void)
{
    struct model_copy *copy = malloc(sizeof *copy);

    require(copy != NULL);
    copy_all(copy, &m);
    return copy;
}

void model_restore(const struct model_copy *copy)
{
    model_reset();
    copy_all(&m, copy);
}

void model_free_copy(struct model_copy *copy)
{
    for (size_t i = 0; i < FILES; i++) {
        free_file(&copy->files[i]);
    }
    for (size_t i = 0; i < copy->pending_len; i++) {
        free(copy->pending[i].data);
    }
    free(copy);
}

/* --- Operations --- */

uint32_t model_operations(void)
{
    return operations;
}

void model_begin(uint32_t cut, uint32_t fail)
{
    operations = 0;
    cut_at = cut;
    fail_at = fail;
}

bool model_is_cut(void)
{
    return operations > cut_at;
}

uint32_t model_pending(void)
{
    return (uint32_t)m.pending_len;
}

/* An operation that changes something begins; false, with errno: not any more, or not this one. */
static bool may_change(void)
{
    uint32_t n = operations++;

    if (n == cut_at || model_is_cut()) {
        operations = cut_at + 1;
        errno = EIO;
        return false;
    }
    errno = EIO;
    return n != fail_at;
}

static struct change *add_change(enum change_kind kind, int file, const char *path)
{
    struct change *c = &m.pending[m.pending_len];

    require(m.pending_len < PENDING);
    m.pending_len++;
    memset(c, 0, sizeof *c);
    c->kind = kind;
    c->file = file;
    set_path(c->path, path);
    return c;
}

static void resize(uint8_t **data, size_t *len, size_t wanted, uint8_t fill)
{
    if (wanted > *len) {
        *data = realloc(*data, wanted + 1);
        require(*data != NULL);
        memset(*data + *len, fill, wanted - *len);
    }
    *len = wanted;
}

static struct descriptor *descriptor(int fd)
{
    require(fd >= MODEL_FD && fd < MODEL_FD + FDS && fds[fd - MODEL_FD].used);
    return &fds[fd - MODEL_FD];
}

bool model_has(const char *path)
{
    return strncmp(path, MODEL_ROOT, sizeof MODEL_ROOT - 1) == 0;
}

/* Is it MODEL_ROOT and one more part? */
static bool is_folder(const char *path)
{
    return strchr(path + sizeof MODEL_ROOT - 1, '/') == NULL;
}

int model_open(const char *path, int flags)
{
    struct name *name = find(m.names, path);
    int fd = 0;

    while (fd < FDS && fds[fd].used) {
        fd++;
    }
    require(fd < FDS);
    memset(&fds[fd], 0, sizeof fds[fd]);
    if (model_is_cut()) {
        errno = EIO;
        return -1;
    }
    if (is_folder(path)) {
        fds[fd].file = -1;
        set_path(fds[fd].folder, path);
    } else if (name != NULL) {
        bool alone = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);

        if (alone || (flags & O_DIRECTORY) != 0) {
            errno = alone ? EEXIST : ENOTDIR;
            return -1;
        }
        fds[fd].file = name->file;
    } else if ((flags & O_CREAT) == 0) {
        errno = ENOENT;
        return -1;
    } else if (!may_change()) {
        return -1;
    } else {
        fds[fd].file = new_file(false);
        set_name(m.names, path, fds[fd].file);
        (void)add_change(NAME, fds[fd].file, path);
    }
    fds[fd].used = true;
    return MODEL_FD + fd;
}

int model_close(int fd)
{
    descriptor(fd)->used = false;
    return 0;
}

uint64_t *model_pos(int fd)
{
    return &descriptor(fd)->pos;
}

long model_read(int fd, void *buf, size_t len, uint64_t pos)
{
    const struct descriptor *d = descriptor(fd);

    require(d->file >= 0);
    if (model_is_cut()) {
        errno = EIO;
        return -1;
    }
    const struct file *file = &m.files[d->file];
    size_t n = pos >= file->now_len ? 0 : file->now_len - (size_t)pos;

    n = n < len ? n : len;
    if (n > 0) {
        memcpy(buf, file->now + pos, n);
    }
    return (long)n;
}

long model_write(int fd, const void *buf, size_t len, uint64_t pos)
{
    const struct descriptor *d = descriptor(fd);
    struct file *file = &m.files[d->file];

    if (!may_change()) {
        return -1;
    }
    if (file->device) {
        if (pos >= file->now_len) {
            errno = ENOSPC;
            return -1;
        }
        len = len < file->now_len - pos ? len : file->now_len - (size_t)pos;
    }
    struct change *c = add_change(WRITE, d->file, "");
    c->pos = pos;
    c->len = len;
    c->data = copy_of(buf, len);
    if (pos + len > file->now_len) {
        resize(&file->now, &file->now_len, (size_t)pos + len, 0);
    }
    memcpy(file->now + pos, buf, len);
    return (long)len;
}

int model_truncate(int fd, uint64_t len)
{
    const struct descriptor *d = descriptor(fd);
    struct file *file = &m.files[d->file];

    if (!may_change()) {
        return -1;
    }
    if (file->device) {
        errno = EINVAL;
        return -1;
    }
    add_change(LENGTH, d->file, "")->pos = len;
    resize(&file->now, &file->now_len, (size_t)len, 0);
    return 0;
}

int model_rename(const char *from, const char *to)
{
    struct name *name = find(m.names, from);

    if (!may_change()) {
        return -1;
    }
    if (name == NULL) {
        errno = ENOENT;
        return -1;
    }
    int file = name->file;
    set_path(add_change(NAME, file, to)->from, from);
    end_name(m.names, from);
    set_name(m.names, to, file);
    return 0;
}

int model_unlink(const char *path)
{
    if (!may_change()) {
        return -1;
    }
    if (find(m.names, path) == NULL) {
        errno = ENOENT;
        return -1;
    }
    end_name(m.names, path);
    (void)add_change(NAME_END, -1, path);
    return 0;
}

int model_stat(const char *path, int fd, bool *device, bool *folder, uint64_t *len, uint64_t *number)
{
    int file = -1;

    *device = *folder = false;
    *len = *number = 0;
    if (model_is_cut()) {
        errno = EIO;
        return -1;
    }
    if (path == NULL) {
        file = descriptor(fd)->file;
    } else if (!is_folder(path)) {
        const struct name *name = find(m.names, path);

        if (name == NULL) {
            errno = ENOENT;
            return -1;
        }
        file = name->file;
    }
    if (file < 0) {
        *folder = true;
        return 0;
    }
    *device = m.files[file].device;
    *len = m.files[file].now_len;
    *number = 1 + (uint64_t)file;
    return 0;
}

/* --- What gets to the disk --- */

static bool is_name_change(const struct change *c)
{
    return c->kind == NAME || c->kind == NAME_END;
}

/* The whole change. */
static void settle(const struct change *c, uint8_t fill)
{
    struct file *file = &m.files[c->file < 0 ? 0 : c->file];

    switch (c->kind) {
    case WRITE:
        if (c->pos + c->len > file->disk_len) {
            resize(&file->disk, &file->disk_len, (size_t)c->pos + c->len, fill);
        }
        memcpy(file->disk + c->pos, c->data, c->len);
        break;
    case LENGTH:
        resize(&file->disk, &file->disk_len, (size_t)c->pos, 0);
        break;
    case NAME:
        end_name(m.disk_names, c->from);
        set_name(m.disk_names, c->path, c->file);
        break;
    case NAME_END:
        end_name(m.disk_names, c->path);
        break;
    }
}

/* Does this descriptor's fsync() confirm this change? A folder's: names in it. */
static bool is_confirmed(const struct descriptor *d, const struct change *c)
{
    size_t len = strlen(d->folder);

    return d->file >= 0 ? !is_name_change(c) && c->file == d->file
                        : is_name_change(c) && strncmp(c->path, d->folder, len) == 0 && c->path[len] == '/';
}

int model_sync(int fd)
{
    const struct descriptor *d = descriptor(fd);
    bool ok = may_change();

    if (!ok && model_is_cut()) {
        return -1;
    }
    /* A failed fsync() leaves each change on disk or not, and no later one will confirm it: every other one is lost. */
    for (size_t i = 0; i < m.pending_len;) {
        if (is_confirmed(d, &m.pending[i])) {
            if (ok || i % 2 == 0) {
                settle(&m.pending[i], 0);
            }
            drop_change(i);
        } else {
            i++;
        }
    }
    errno = EIO;
    return ok ? 0 : -1;
}

static uint32_t dice; /* state of a generator (xorshift32 by G. Marsaglia) */

static uint32_t roll(uint32_t sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 17;
    dice ^= dice << 5;
    return dice % sides;
}

/* One sector of a file after the first `count` of its changes. */
static void sector_after(const struct file *file, int number, uint64_t start, unsigned count, uint8_t sector[SECTOR],
                         uint8_t fill)
{
    size_t have = file->disk_len > start ? file->disk_len - (size_t)start : 0;

    have = have < SECTOR ? have : SECTOR;
    memset(sector, fill, SECTOR);
    if (have > 0) {
        memcpy(sector, file->disk + start, have);
    }
    for (size_t i = 0; i < m.pending_len && count > 0; i++) {
        const struct change *c = &m.pending[i];

        if (c->file != number || is_name_change(c)) {
            continue;
        }
        count--;
        if (c->kind == LENGTH && c->pos < start + SECTOR) {
            size_t kept = c->pos > start ? (size_t)(c->pos - start) : 0;

            memset(sector + kept, 0, SECTOR - kept);
        } else if (c->kind == WRITE && c->pos < start + SECTOR && c->pos + c->len > start) {
            uint64_t from = c->pos > start ? c->pos : start;
            uint64_t to = c->pos + c->len < start + SECTOR ? c->pos + c->len : start + SECTOR;

            memcpy(sector + (from - start), c->data + (from - c->pos), (size_t)(to - from));
        }
    }
}

/* Its length after the first `count` of its changes; *most: the largest that it ever had. */
static uint64_t length_after(const struct file *file, int number, unsigned count, uint64_t *most)
{
    uint64_t len = file->disk_len;

    for (size_t i = 0; i < m.pending_len && count > 0; i++) {
        const struct change *c = &m.pending[i];

        if (c->file == number && !is_name_change(c)) {
            count--;
            len = c->kind == LENGTH ? c->pos : c->pos + c->len > len ? c->pos + c->len : len;
            *most = *most < len ? len : *most;
        }
    }
    return len;
}

/* Each sector of the file by itself, some torn. */
static void settle_sectors(int number)
{
    struct file *file = &m.files[number];
    uint8_t sector[SECTOR], other[SECTOR];
    uint8_t fill = roll(2) == 0 ? 0 : GARBAGE;
    uint64_t most = file->disk_len;
    unsigned count = 0;

    for (size_t i = 0; i < m.pending_len; i++) {
        count += m.pending[i].file == number && !is_name_change(&m.pending[i]) ? 1 : 0;
    }
    (void)length_after(file, number, count, &most);
    uint8_t *settled = malloc((size_t)most + SECTOR);
    require(settled != NULL);
    for (uint64_t start = 0; start < most; start += SECTOR) {
        sector_after(file, number, start, roll(count + 1), sector, fill);
        if (roll(4) == 0) {
            unsigned torn = 1 + roll(SECTOR - 1);

            sector_after(file, number, start, roll(count + 1), other, fill);
            memcpy(sector + torn, other + torn, SECTOR - torn);
        }
        memcpy(settled + start, sector, SECTOR);
    }
    most = length_after(file, number, roll(count + 1), &most);
    free(file->disk);
    file->disk = settled;
    file->disk_len = (size_t)most;
}

/* Its length as it would be, and none of its bytes. */
static void settle_length(int number)
{
    struct file *file = &m.files[number];
    uint64_t most = 0;
    size_t len = (size_t)length_after(file, number, UINT_MAX, &most);
    uint8_t *grown = malloc(len + 1);

    require(grown != NULL);
    memset(grown, GARBAGE, len);
    if (file->disk_len > 0) {
        memcpy(grown, file->disk, file->disk_len < len ? file->disk_len : len);
    }
    free(file->disk);
    file->disk = grown;
    file->disk_len = len;
}

static bool is_chosen(uint32_t how, size_t i)
{
    switch (how) {
    case 0:
    case 1:
        return how == 1;
    case 2:
    case 3:
        return (i + 1 == m.pending_len) == (how == 2);
    case 4:
        return i + 2 >= m.pending_len;
    case MODEL_LENGTHS:
        return is_name_change(&m.pending[i]);
    default:
        return how < MODEL_RANDOM ? i < 29 && (how - MODEL_SUBSETS) >> i & 1u : roll(2) == 0;
    }
}

void model_crash(uint32_t how)
{
    bool by_sector = how >= MODEL_RANDOM && how % 2 == 0;

    dice = how * 2654435761u + 1;
    for (int i = 0; i < FILES; i++) {
        if (m.files[i].used && by_sector) {
            settle_sectors(i);
        } else if (m.files[i].used && how == MODEL_LENGTHS) {
            settle_length(i);
        }
    }
    for (size_t i = 0; i < m.pending_len; i++) {
        if (is_chosen(how, i) && (!by_sector || is_name_change(&m.pending[i]))) {
            settle(&m.pending[i], how % 3 == 1 ? 0 : GARBAGE);
        }
    }
    while (m.pending_len > 0) {
        drop_change(m.pending_len - 1);
    }
    memcpy(m.names, m.disk_names, sizeof m.names);
    for (int i = 0; i < FILES; i++) {
        bool named = false;

        for (size_t k = 0; k < NAMES; k++) {
            named = named || (m.names[k].path[0] != '\0' && m.names[k].file == i);
        }
        if (!named) {
            free_file(&m.files[i]);
            continue;
        }
        free(m.files[i].now);
        m.files[i].now = copy_of(m.files[i].disk, m.files[i].disk_len);
        m.files[i].now_len = m.files[i].disk_len;
    }
    memset(fds, 0, sizeof fds);
    model_begin(MODEL_NEVER, MODEL_NEVER);
}
