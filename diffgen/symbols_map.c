/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a linker's map says. GNU ld: a line for each output section, behind it one for each object file's part, one
 * blank in, and one for each global symbol, sixteen in; a long name has a line of its own. LLVM lld: columns VMA, LMA,
 * Size, Align, and names, deeper by eight blanks for each of the three. Static functions are in no map of GNU ld: where
 * the compiler gave each function its section (-ffunction-sections), that tells their names.
 */
#include <string.h>

#include "diffgen/symbols.h"

/* A line, without its end. */
struct line {
    const char *p;
    size_t len;
};

/* What has been read so far. */
struct map {
    struct kerf_symbols *symbols;
    struct line pending;   /* a name that the next line goes on for; p NULL: none */
    bool pending_is_input; /* of a part, not of an output section */
    uint32_t section;      /* index of the output section that parts belong to; UINT32_MAX: none that counts */
    uint64_t part_end;     /* where the last part ends */
};

static bool next_line(const char **p, const char *end, struct line *line)
{
    if (*p == end) {
        return false;
    }
    const char *stop = memchr(*p, '\n', (size_t)(end - *p));

    line->p = *p;
    line->len = (size_t)((stop == NULL ? end : stop) - *p);
    *p = stop == NULL ? end : stop + 1;
    while (line->len > 0 && (line->p[line->len - 1] == '\r' || line->p[line->len - 1] == ' ')) {
        line->len--;
    }
    return true;
}

static size_t blanks(struct line line)
{
    size_t n = 0;

    while (n < line.len && line.p[n] == ' ') {
        n++;
    }
    return n;
}

static struct line skip(struct line line, size_t n)
{
    return (struct line){line.p + n, line.len - n};
}

/* The next word of the line; *rest is what follows it and its blanks. */
static struct line word(struct line line, struct line *rest)
{
    size_t n = 0;

    line = skip(line, blanks(line));
    while (n < line.len && line.p[n] != ' ') {
        n++;
    }
    *rest = skip(line, n);
    *rest = skip(*rest, blanks(*rest));
    return (struct line){line.p, n};
}

static bool number(struct line w, unsigned base, uint64_t *value)
{
    size_t i = 0;
    uint64_t v = 0;

    for (; i < w.len; i++) {
        char c = w.p[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;

        if (digit >= base || v > (UINT64_MAX - digit) / base) {
            return false;
        }
        v = v * base + digit;
    }
    *value = v;
    return w.len > 0;
}

/* 0x and hexadecimal digits. */
static bool address(struct line w, uint64_t *value)
{
    return w.len > 2 && w.p[0] == '0' && w.p[1] == 'x' && number(skip(w, 2), 16, value);
}

static bool begins(struct line w, const char *text)
{
    return w.len >= strlen(text) && memcmp(w.p, text, strlen(text)) == 0;
}

static bool begins_one_of(struct line w, const char *const *texts)
{
    for (; *texts != NULL; texts++) {
        if (begins(w, *texts)) {
            return true;
        }
    }
    return false;
}

/* A section that takes no memory of the device. */
static bool is_note(struct line name)
{
    static const char *const notes[] = {
        ".debug", ".comment", ".ARM.attributes", ".riscv.attributes", ".xtensa.info", ".xt.",
        ".stab",  ".symtab",  ".strtab",         ".shstrtab",         ".gnu.",        "/DISCARD",
        NULL};

    return begins_one_of(name, notes);
}

static bool has_no_bytes(struct line name)
{
    static const char *const empty[] = {".bss", ".sbss", ".tbss", ".noinit", ".heap", ".stack", "COMMON", NULL};

    return begins_one_of(name, empty) || (name.len > 4 && memcmp(name.p + name.len - 4, ".bss", 4) == 0);
}

static kerf_err add_section(struct map *m, struct line name, uint64_t addr, uint64_t load_addr, uint64_t len)
{
    struct kerf_symbols *s = m->symbols;
    size_t before = s->section_count;
    struct kerf_section section = {.filled = !has_no_bytes(name),
                                   .code = begins(name, ".text") || begins(name, ".init"),
                                   .writable = begins(name, ".data") || begins(name, ".bss"),
                                   .addr = addr,
                                   .load_addr = load_addr,
                                   .len = len};

    m->section = UINT32_MAX;
    m->part_end = addr;
    if (len == 0 || len > UINT64_MAX - addr || is_note(name)) {
        return KERF_OK;
    }
    kerf_err err = kerf_symbols_add_section(s, name.p, name.len, &section);

    if (err == KERF_OK && s->section_count > before) {
        m->section = (uint32_t)before;
    }
    return err;
}

static kerf_err add_symbol(struct map *m, struct line name, uint64_t addr, uint64_t len, bool part)
{
    const struct kerf_symbol symbol = {.section = m->section, .addr = addr, .len = len, .part = part};

    return m->section == UINT32_MAX ? KERF_OK : kerf_symbols_add(m->symbols, name.p, name.len, &symbol);
}

/* The name of the function or variable that a part is of: ".text.main" is of main; len 0: of none. */
static struct line part_name(struct line part)
{
    static const char *const before[] = {
        ".text.unlikely.", ".text.startup.", ".text.exit.", ".text.hot.", ".literal.",    ".text.", ".rodata.",
        ".data.rel.ro.",   ".sdata.",        ".data.",      ".iram1.",    ".flash.text.", NULL};

    for (unsigned i = 0; before[i] != NULL; i++) {
        if (begins(part, before[i])) {
            struct line rest = skip(part, strlen(before[i]));

            /* .rodata.str1.4 and .rodata.cst8 hold what many functions share. */
            return begins(rest, "str1.") || begins(rest, "cst") ? (struct line){part.p, 0} : rest;
        }
    }
    return (struct line){part.p, 0};
}

/* A part of a section that has no name of its own is called by its object file: "main.o(.text)". */
static kerf_err add_part(struct map *m, struct line part, struct line file, uint64_t addr, uint64_t len)
{
    struct line name = part_name(part);
    char text[256];
    size_t n = 0;

    if (len == 0 || file.len == 0) {
        return KERF_OK;
    }
    m->part_end = addr + len;
    if (name.len > 0) {
        return add_symbol(m, name, addr, len, false);
    }
    while (file.len > 0 && memchr(file.p, '/', file.len) != NULL) {
        file = skip(file, 1);
    }
    for (size_t i = 0; i < file.len && n < sizeof text / 2; i++) {
        text[n++] = file.p[i];
    }
    text[n++] = '(';
    for (size_t i = 0; i < part.len && n < sizeof text - 2; i++) {
        text[n++] = part.p[i];
    }
    text[n++] = ')';
    /* Up to the first symbol inside, if there is one. */
    return add_symbol(m, (struct line){text, n}, addr, 0, true);
}

/* A line of GNU ld that begins with a name, or goes on after one on the line before. */
static kerf_err gnu_section(struct map *m, struct line name, bool input, struct line rest)
{
    struct line tail;
    uint64_t addr;
    uint64_t len;
    uint64_t load_addr;

    m->pending.p = NULL;
    if (!address(word(rest, &rest), &addr) || !address(word(rest, &rest), &len)) {
        return KERF_OK;
    }
    if (input) {
        return name.p[0] == '*' ? KERF_OK : add_part(m, name, rest, addr, len);
    }
    load_addr = addr;
    if (begins(rest, "load address ")) {
        (void)address(word(skip(rest, strlen("load address ")), &tail), &load_addr);
    }
    return add_section(m, name, addr, load_addr, len);
}

static kerf_err gnu_line(struct map *m, struct line line)
{
    size_t in = blanks(line);
    struct line rest;
    struct line first = word(line, &rest);
    uint64_t addr;

    if (first.len == 0) {
        m->pending.p = NULL;
        return KERF_OK;
    }
    if (m->pending.p != NULL && in > 1) {
        return gnu_section(m, m->pending, m->pending_is_input, line);
    }
    m->pending.p = NULL;
    if (in <= 1) {
        if (rest.len == 0) {
            m->pending = first;
            m->pending_is_input = in == 1;
            return KERF_OK;
        }
        return gnu_section(m, first, in == 1, rest);
    }
    /* A symbol. Assignments and PROVIDEs have an equals sign or a bracket: names of C++ have brackets, but no " = ". */
    if (address(first, &addr) && rest.len > 0 && addr < m->part_end && !begins(rest, "PROVIDE") && rest.p[0] != '0') {
        for (size_t i = 0; i + 2 < rest.len; i++) {
            if (memcmp(rest.p + i, " = ", 3) == 0) {
                return KERF_OK;
            }
        }
        return add_symbol(m, rest, addr, 0, false);
    }
    return KERF_OK;
}

static kerf_err lld_line(struct map *m, struct line line)
{
    struct line rest;
    uint64_t addr;
    uint64_t load_addr;
    uint64_t len;
    uint64_t align;

    if (!number(word(line, &rest), 16, &addr) || !number(word(rest, &rest), 16, &load_addr) ||
        !number(word(rest, &rest), 16, &len)) {
        return KERF_OK;
    }
    struct line digits = word(rest, &rest);

    if (!number(digits, 10, &align) || rest.len == 0) {
        return KERF_OK;
    }
    size_t depth = (size_t)(rest.p - (digits.p + digits.len));

    if (depth < 8) {
        return add_section(m, rest, addr, load_addr, len);
    }
    if (depth >= 16) {
        return add_symbol(m, rest, addr, len, false);
    }
    /* path/to/file.o:(.text.main) */
    for (size_t i = rest.len; i-- > 1;) {
        if (rest.p[i] == '(' && rest.p[i - 1] == ':') {
            struct line part = {rest.p + i + 1, rest.len - i - 2};

            return rest.p[rest.len - 1] == ')' && rest.len > i + 1
                       ? add_part(m, part, (struct line){rest.p, i - 1}, addr, len)
                       : KERF_OK;
        }
    }
    return KERF_OK;
}

kerf_err kerf_symbols_read_map(const char *text, size_t len, struct kerf_symbols *symbols)
{
    static const char gnu_title[] = "Linker script and memory map";
    struct map m = {.symbols = symbols, .section = UINT32_MAX};
    kerf_err (*read_line)(struct map * m, struct line line) = NULL;
    kerf_err err = KERF_OK;
    const char *p = text;
    struct line line;

    while (err == KERF_OK && next_line(&p, text + len, &line)) {
        struct line rest;

        if (read_line != NULL) {
            err = read_line(&m, line);
        } else if (begins(line, gnu_title)) {
            read_line = gnu_line;
        } else if (begins(word(line, &rest), "VMA") && begins(rest, "LMA")) {
            read_line = lld_line;
        }
    }
    return err == KERF_OK && read_line == NULL ? KERF_ERR_FORMAT : err;
}
