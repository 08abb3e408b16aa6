/* SPDX-License-Identifier: Apache-2.0 */
/* Each format is read twice: to see how far it reaches, and to fill in the image. */
#include "diffgen/flatten.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

/* What a format's reader writes to. */
struct sink {
    const char *path;
    struct kerf_why *why;
    uint8_t *image; /* NULL: the first reading */
    uint64_t low, high, total;
};

typedef kerf_err reader(struct sink *sink, const uint8_t *file, size_t len);

/* Bytes that go to `addr`. Where two stretches overlap the later one counts, as when a device is programmed. */
static kerf_err add(struct sink *s, uint64_t addr, const uint8_t *bytes, size_t len)
{
    if (len == 0) {
        return KERF_OK;
    }
    if (addr > UINT32_MAX || len - 1 > UINT32_MAX - addr) {
        kerf_why_set(s->why, "'%s' has bytes beyond the end of 32-bit addresses: fetch it again", s->path);
        return KERF_ERR_ARGUMENT;
    }
    if (s->image != NULL) {
        memcpy(s->image + (addr - s->low), bytes, len);
    } else {
        s->low = s->total == 0 || addr < s->low ? addr : s->low;
        s->high = addr + len > s->high ? addr + len : s->high;
        s->total += len;
    }
    return KERF_OK;
}

/* --- Lines of hexadecimal digits: Intel HEX and S-records --- */

#define RECORD_MAX 260u

struct lines {
    const uint8_t *file;
    size_t len, pos;
    unsigned number; /* of the last line, the first one is 1 */
};

/* The next line that is not empty, without what ends it. False: there is none. */
static bool next_line(struct lines *l, const uint8_t **line, size_t *len)
{
    *len = 0;
    while (*len == 0 && l->pos < l->len) {
        const uint8_t *end = memchr(l->file + l->pos, '\n', l->len - l->pos);
        size_t next = end == NULL ? l->len : (size_t)(end - l->file) + 1;
        size_t stop = end == NULL ? l->len : next - 1;

        while (stop > l->pos && (l->file[stop - 1] == '\r' || l->file[stop - 1] == ' ')) {
            stop--;
        }
        *line = l->file + l->pos;
        *len = stop - l->pos;
        l->pos = next;
        l->number++;
    }
    return *len > 0;
}

static uint32_t load_be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

static kerf_err bad_line(const struct sink *s, const struct lines *l, const char *what)
{
    kerf_why_set(s->why, "'%s', line %u: %s: fetch it again", s->path, l->number, what);
    return KERF_ERR_ARGUMENT;
}

/*
 * The bytes of a record, the first of which tells how many there are, `beside` of them not counted, check sum included.
 * All of them add up to `sum`.
 */
static kerf_err read_record(const struct sink *s, const struct lines *l, const uint8_t *p, size_t len, size_t beside,
                            uint8_t sum, uint8_t record[RECORD_MAX])
{
    size_t n = 0;

    for (; n < RECORD_MAX && len - 2 * n >= 2 && len > 2 * n; n++) {
        int high = hex_digit(p[2 * n]);
        int low = hex_digit(p[2 * n + 1]);

        if (high < 0 || low < 0) {
            break;
        }
        record[n] = (uint8_t)(high << 4 | low);
        sum = (uint8_t)(sum - record[n]);
    }
    if (n < beside || n != beside + record[0] || len != 2 * n) {
        return bad_line(s, l, "a record of the wrong length");
    }
    return sum == 0 ? KERF_OK : bad_line(s, l, "the check sum is wrong");
}

static kerf_err read_hex(struct sink *s, const uint8_t *file, size_t len)
{
    struct lines l = {.file = file, .len = len};
    uint64_t upper = 0; /* of the address */
    const uint8_t *line;
    size_t line_len;

    while (next_line(&l, &line, &line_len)) {
        uint8_t record[RECORD_MAX] = {0};

        if (line[0] != ':') {
            return bad_line(s, &l, "no record of Intel HEX");
        }
        kerf_err err = read_record(s, &l, line + 1, line_len - 1, 5, 0, record);

        if (err != KERF_OK) {
            return err;
        }
        switch (record[3]) {
        case 0: /* data */
            err = add(s, upper + load_be16(record + 1), record + 4, record[0]);
            break;
        case 1: /* the end */
            return KERF_OK;
        case 2: /* bits 4 to 19 */
        case 4: /* bits 16 to 31 */
            if (record[0] != 2) {
                return bad_line(s, &l, "an address of the wrong length");
            }
            upper = (uint64_t)load_be16(record + 4) << (record[3] == 2 ? 4 : 16);
            break;
        case 3: /* where to start the program */
        case 5:
            break;
        default:
            return bad_line(s, &l, "a record of an unknown type");
        }
        if (err != KERF_OK) {
            return err;
        }
    }
    return bad_line(s, &l, "the end record is missing");
}

/* Types 1 to 3 are data at addresses of 2 to 4 bytes, 7 to 9 the end, 0, 5 and 6 a name and numbers of records. */
static kerf_err read_srec(struct sink *s, const uint8_t *file, size_t len)
{
    struct lines l = {.file = file, .len = len};
    const uint8_t *line;
    size_t line_len;

    while (next_line(&l, &line, &line_len)) {
        uint8_t record[RECORD_MAX] = {0};
        unsigned type = line_len < 2 || line[0] != 'S' ? 4u : (unsigned)line[1] - '0';
        size_t addr_len = type + 1u;
        uint32_t addr = 0;

        if (type == 4 || type > 9) {
            return bad_line(s, &l, "no S-record");
        }
        kerf_err err = read_record(s, &l, line + 2, line_len - 2, 1, 0xff, record);

        if (err == KERF_OK && type >= 7) {
            return KERF_OK;
        }
        if (err == KERF_OK && type >= 1 && type <= 3) {
            if (record[0] <= addr_len) {
                return bad_line(s, &l, "a record of the wrong length");
            }
            for (size_t i = 1; i <= addr_len; i++) {
                addr = addr << 8 | record[i];
            }
            err = add(s, addr, record + 1 + addr_len, record[0] - addr_len - 1);
        }
        if (err != KERF_OK) {
            return err;
        }
    }
    return bad_line(s, &l, "the end record is missing");
}

/* --- UF2 --- */

#define UF2_BLOCK 512u
#define UF2_PAYLOAD_MAX 476u
#define UF2_NOT_FLASH 0x1u
#define UF2_FILES 0x1000u
#define UF2_HAS_FAMILY 0x2000u
#define UF2_FAMILIES 8u

static bool is_uf2_block(const uint8_t *p)
{
    return kerf_load_le32(p) == 0x0a324655 && kerf_load_le32(p + 4) == 0x9e5d5157 &&
           kerf_load_le32(p + 508) == 0x0ab16f30;
}

static uint32_t uf2_family(const uint8_t *p)
{
    return (kerf_load_le32(p + 8) & UF2_HAS_FAMILY) != 0 ? kerf_load_le32(p + 28) : 0;
}

/* The family of chips that most blocks are for: a file may hold a few for another one, to please a boot loader. */
static uint32_t main_family(const uint8_t *file, size_t len)
{
    uint32_t families[UF2_FAMILIES];
    size_t blocks[UF2_FAMILIES] = {0};
    unsigned count = 0;
    unsigned best = 0;

    for (size_t pos = 0; len - pos >= UF2_BLOCK && len > pos; pos += UF2_BLOCK) {
        uint32_t family = uf2_family(file + pos);
        unsigned i = 0;

        while (i < count && families[i] != family) {
            i++;
        }
        if (i == count && count < UF2_FAMILIES) {
            families[count++] = family;
        }
        if (i < count) {
            blocks[i]++;
        }
    }
    for (unsigned i = 1; i < count; i++) {
        best = blocks[i] > blocks[best] ? i : best;
    }
    return count > 0 ? families[best] : 0;
}

static kerf_err read_uf2(struct sink *s, const uint8_t *file, size_t len)
{
    uint32_t family = main_family(file, len);
    kerf_err err = KERF_OK;

    if (len % UF2_BLOCK != 0) {
        kerf_why_set(s->why, "'%s' ends within a block of UF2: fetch it again", s->path);
        return KERF_ERR_ARGUMENT;
    }
    for (size_t pos = 0; err == KERF_OK && pos < len; pos += UF2_BLOCK) {
        const uint8_t *p = file + pos;
        uint32_t flags = kerf_load_le32(p + 8);
        uint32_t payload = kerf_load_le32(p + 16);

        if (!is_uf2_block(p) || payload > UF2_PAYLOAD_MAX) {
            kerf_why_set(s->why, "'%s' has no block of UF2 at byte %zu: fetch it again", s->path, pos);
            return KERF_ERR_ARGUMENT;
        }
        if ((flags & (UF2_NOT_FLASH | UF2_FILES)) == 0 && uf2_family(p) == family) {
            err = add(s, kerf_load_le32(p + 12), p + 32, payload);
        }
    }
    return err;
}

/* --- DfuSe and plain DFU --- */

#define DFU_SUFFIX 16u

static bool has_dfu_suffix(const uint8_t *file, size_t len)
{
    return len > DFU_SUFFIX && memcmp(file + len - 8, "UFD", 3) == 0 && file[len - 5] == DFU_SUFFIX;
}

static kerf_err read_dfuse(struct sink *s, const uint8_t *file, size_t len)
{
    size_t end = has_dfu_suffix(file, len) ? len - DFU_SUFFIX : len;
    size_t pos = 11;
    kerf_err err = KERF_OK;

    for (unsigned target = 0; err == KERF_OK && target < file[10]; target++) {
        if (end < pos || end - pos < 274 || memcmp(file + pos, "Target", 6) != 0) {
            kerf_why_set(s->why, "'%s' has no target of DfuSe at byte %zu: fetch it again", s->path, pos);
            return KERF_ERR_ARGUMENT;
        }
        uint32_t elements = kerf_load_le32(file + pos + 270);

        pos += 274;
        for (uint32_t i = 0; err == KERF_OK && i < elements; i++) {
            uint32_t size = end - pos < 8 ? UINT32_MAX : kerf_load_le32(file + pos + 4);

            if (end - pos < 8 || size > end - pos - 8) {
                kerf_why_set(s->why, "'%s' ends within an element of DfuSe: fetch it again", s->path);
                return KERF_ERR_ARGUMENT;
            }
            err = add(s, kerf_load_le32(file + pos), file + pos + 8, size);
            pos += 8 + (size_t)size;
        }
    }
    return err;
}

/* An image and its suffix, without an address. */
static kerf_err read_dfu(struct sink *s, const uint8_t *file, size_t len)
{
    return add(s, 0, file, len - DFU_SUFFIX);
}

/* --- All of them --- */

static reader *find_reader(const uint8_t *file, size_t len, const char **format)
{
    if (len >= 11 && file[0] == ':' && hex_digit(file[1]) >= 0 && hex_digit(file[2]) >= 0 && hex_digit(file[3]) >= 0) {
        *format = "Intel HEX";
        return read_hex;
    }
    if (len >= 10 && file[0] == 'S' && file[1] >= '0' && file[1] <= '3' && hex_digit(file[2]) >= 0 &&
        hex_digit(file[3]) >= 0 && hex_digit(file[4]) >= 0) {
        *format = "S-records";
        return read_srec;
    }
    if (len >= UF2_BLOCK && is_uf2_block(file)) {
        *format = "UF2";
        return read_uf2;
    }
    if (len >= 11 && memcmp(file, "DfuSe\x01", 6) == 0) {
        *format = "DfuSe";
        return read_dfuse;
    }
    if (has_dfu_suffix(file, len)) {
        *format = "DFU";
        return read_dfu;
    }
    *format = NULL;
    return NULL;
}

const char *kerf_flatten_format(const uint8_t *file, size_t len)
{
    const char *format;

    (void)find_reader(file, len, &format);
    return format;
}

kerf_err kerf_flatten(const char *path, const uint8_t *file, size_t len, size_t max_len, struct kerf_flat *flat,
                      struct kerf_why *why)
{
    struct sink s = {.path = path, .why = why};

    memset(flat, 0, sizeof *flat);
    reader *read = find_reader(file, len, &flat->format);

    if (read == NULL) {
        return KERF_OK;
    }
    kerf_err err = read(&s, file, len);

    if (err == KERF_OK && s.total == 0) {
        kerf_why_set(why, "'%s' has no bytes for a flash in it: check that it is the right file", path);
        err = KERF_ERR_ARGUMENT;
    }
    if (err == KERF_OK && s.high - s.low > s.total && s.high - s.low - s.total > KERF_FLATTEN_FILL_MAX) {
        kerf_why_set(why,
                     "'%s' has bytes from 0x%" PRIx64 " to 0x%" PRIx64
                     ", too far apart for one image: leave out what is for another memory (objcopy --remove-section)",
                     path, s.low, s.high);
        err = KERF_ERR_ARGUMENT;
    }
    if (err == KERF_OK && s.high - s.low > max_len) {
        kerf_why_set(why, "'%s' is of an image larger than %zu bytes", path, max_len);
        err = KERF_ERR_SPACE;
    }
    if (err == KERF_OK) {
        flat->len = (size_t)(s.high - s.low);
        s.image = malloc(flat->len + KERF_DIFF_PAD);
        err = s.image == NULL ? KERF_ERR_RAM : KERF_OK;
    }
    if (err == KERF_OK) {
        memset(s.image, 0xff, flat->len);
        memset(s.image + flat->len, 0, KERF_DIFF_PAD);
        flat->image = s.image;
        flat->base = s.low;
        flat->addressed = read != read_dfu;
        err = read(&s, file, len);
    }
    return err;
}
