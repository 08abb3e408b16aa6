/* SPDX-License-Identifier: Apache-2.0 */
/* What symbols.h promises, on ELF files put together here and on the maps of two linkers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/isa/isa.h"
#include "diffgen/symbols.h"

/* A file in the making, of one width and byte order. */
struct writer {
    uint8_t bytes[2048];
    size_t len;
    bool wide, big;
};

static void put(struct writer *w, uint64_t value, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        w->bytes[w->len++] = (uint8_t)(value >> 8 * (w->big ? len - 1 - i : i));
    }
}

/* An address, offset or size. */
static void put_word(struct writer *w, uint64_t value)
{
    put(w, value, w->wide ? 8 : 4);
}

static void put_bytes(struct writer *w, const char *bytes, size_t len)
{
    memcpy(w->bytes + w->len, bytes, len);
    w->len += len;
}

static void put_section(struct writer *w, uint32_t name, uint32_t type, uint64_t flags, uint64_t addr, uint64_t pos,
                        uint64_t len, uint32_t link)
{
    put(w, name, 4);
    put(w, type, 4);
    put_word(w, flags);
    put_word(w, addr);
    put_word(w, pos);
    put_word(w, len);
    put(w, link, 4);
    put(w, 0, 4);
    put_word(w, 4);
    put_word(w, type == 2 ? (w->wide ? 24 : 16) : 0);
}

static void put_symbol(struct writer *w, uint32_t name, uint8_t info, uint16_t section, uint64_t addr, uint64_t len)
{
    put(w, name, 4);
    if (w->wide) {
        put(w, info, 1);
        put(w, 0, 1);
        put(w, section, 2);
    }
    put_word(w, addr);
    put_word(w, len);
    if (!w->wide) {
        put(w, info, 1);
        put(w, 0, 1);
        put(w, section, 2);
    }
}

static void put_segment(struct writer *w, uint64_t pos, uint64_t addr, uint64_t load_addr, uint64_t file_len,
                        uint64_t mem_len)
{
    put(w, 1, 4);
    if (w->wide) {
        put(w, 7, 4);
    }
    put_word(w, pos);
    put_word(w, addr);
    put_word(w, load_addr);
    put_word(w, file_len);
    put_word(w, mem_len);
    if (!w->wide) {
        put(w, 7, 4);
    }
    put_word(w, 4);
}

static const char text[] = "the text of a program, forty-eight bytes of it.."; /* 48 */
static const char data[] = "0123456789abcdef";                                 /* 16 */

/*
 * .text at 0x8000 with main, an alias of it, and helper without a size; .data that runs in RAM and is loaded behind
 * .text; .bss. Returns where .text is in the file.
 */
static size_t make_elf(struct writer *w)
{
    static const char names[] = "\0.text\0.data\0.bss\0.symtab\0.strtab\0.shstrtab";
    static const char strings[] = "\0main\0alias\0helper\0table\0$t";
    size_t head = w->wide ? 64 : 52;
    size_t segments = w->wide ? 56 : 32;
    size_t symbols = 6 * (w->wide ? 24u : 16u);
    size_t text_pos = head + 2 * segments;
    size_t symbol_pos = text_pos + 48 + 16;
    size_t string_pos = symbol_pos + symbols;
    size_t name_pos = string_pos + sizeof strings;

    put_bytes(w, "\177ELF", 4);
    put(w, w->wide ? 2 : 1, 1);
    put(w, w->big ? 2 : 1, 1);
    put(w, 1, 1);
    put_bytes(w, "\0\0\0\0\0\0\0\0\0", 9);
    put(w, 2, 2);
    put(w, 40, 2); /* ARM */
    put(w, 1, 4);
    put_word(w, 0x8001);
    put_word(w, head);
    put_word(w, name_pos + sizeof names);
    put(w, 0, 4);
    put(w, head, 2);
    put(w, segments, 2);
    put(w, 2, 2);
    put(w, w->wide ? 64 : 40, 2);
    put(w, 7, 2);
    put(w, 6, 2);
    put_segment(w, text_pos, 0x8000, 0x8000, 48, 48);
    put_segment(w, text_pos + 48, 0x20000000, 0x8030, 16, 64);
    put_bytes(w, text, 48);
    put_bytes(w, data, 16);
    put_symbol(w, 0, 0, 0, 0, 0);
    put_symbol(w, 19, 0x11, 2, 0x20000000, 16); /* table */
    put_symbol(w, 1, 0x12, 1, 0x8001, 24);      /* main; bit 0: Thumb */
    put_symbol(w, 6, 0x12, 1, 0x8001, 24);      /* alias */
    put_symbol(w, 12, 0x12, 1, 0x8019, 0);      /* helper: up to the end */
    put_symbol(w, 25, 0x00, 1, 0x8004, 0);      /* $t marks what bytes are */
    put_bytes(w, strings, sizeof strings);
    put_bytes(w, names, sizeof names);
    put_section(w, 0, 0, 0, 0, 0, 0, 0);
    put_section(w, 1, 1, 6, 0x8000, text_pos, 48, 0);
    put_section(w, 7, 1, 3, 0x20000000, text_pos + 48, 16, 0);
    put_section(w, 13, 8, 3, 0x20000010, 0, 48, 0);
    put_section(w, 18, 2, 0, 0, symbol_pos, symbols, 5);
    put_section(w, 26, 3, 0, 0, string_pos, sizeof strings, 0);
    put_section(w, 34, 3, 0, 0, name_pos, sizeof names, 0);
    return text_pos;
}

static void check_elf(bool wide, bool big)
{
    struct writer w = {.wide = wide, .big = big};
    struct kerf_symbols s;
    struct kerf_why why;
    uint8_t image[64];

    (void)make_elf(&w);
    memcpy(image, text, 48);
    memcpy(image + 48, data, 16);
    assert_int_equal(kerf_symbols_read("x.elf", w.bytes, w.len, &s, &why), KERF_OK);
    assert_true(s.is_elf && s.big_endian == big);
    assert_int_equal(s.section_count, 3);
    assert_string_equal(kerf_symbols_name(&s, s.sections[0].name), ".text");
    assert_true(s.sections[0].code && s.sections[0].filled && !s.sections[2].filled);
    assert_int_equal(s.sections[1].load_addr, 0x8030);
    assert_int_equal(kerf_symbols_base(&s), 0x8000);
    assert_int_equal(s.count, 3);
    assert_string_equal(kerf_symbols_name(&s, s.list[0].name), "main");
    assert_int_equal(s.list[0].addr, 0x8000);
    assert_int_equal(s.list[0].len, 24);
    assert_string_equal(kerf_symbols_name(&s, s.list[1].name), "helper");
    assert_int_equal(s.list[1].addr, 0x8018);
    assert_int_equal(s.list[1].len, 24);
    assert_string_equal(kerf_symbols_name(&s, s.list[2].name), "table");
    assert_int_equal(kerf_symbols_place(&s, w.bytes, w.len, image, sizeof image, 0x8000), 64);
    assert_int_equal(s.sections[1].pos, 48);
    kerf_symbols_free(&s);
}

static void an_elf_file_of_either_width_and_order_names_its_functions(void **state)
{
    (void)state;
    check_elf(false, false);
    check_elf(false, true);
    check_elf(true, false);
    check_elf(true, true);
}

static void sections_are_found_in_the_elf_file_itself_and_behind_a_boot_loader(void **state)
{
    struct writer w = {0};
    struct kerf_symbols s;
    struct kerf_why why;
    uint8_t image[300];

    (void)state;
    size_t text_pos = make_elf(&w);

    assert_int_equal(kerf_symbols_read("x.elf", w.bytes, w.len, &s, &why), KERF_OK);
    assert_int_equal(kerf_symbols_place(&s, w.bytes, w.len, w.bytes, w.len, 0), 64);
    assert_int_equal(s.sections[0].pos, text_pos);
    kerf_symbols_free(&s);

    memset(image, 'x', sizeof image);
    memcpy(image + 200, text, 48);
    memcpy(image + 248, data, 16);
    image[210] ^= 1; /* stamped after linking */
    assert_int_equal(kerf_symbols_read("x.elf", w.bytes, w.len, &s, &why), KERF_OK);
    assert_int_equal(kerf_symbols_place(&s, w.bytes, w.len, image, sizeof image, 0x8000), 64);
    assert_int_equal(s.sections[0].pos, 200);
    assert_int_equal(s.sections[1].pos, 248);
    kerf_symbols_free(&s);

    memset(image, 'x', sizeof image);
    assert_int_equal(kerf_symbols_read("x.elf", w.bytes, w.len, &s, &why), KERF_OK);
    assert_int_equal(kerf_symbols_place(&s, w.bytes, w.len, image, sizeof image, 0x8000), 0);
    kerf_symbols_free(&s);
}

static void check_symbol(const struct kerf_symbols *s, size_t i, const char *name, uint64_t addr, uint64_t len)
{
    assert_true(i < s->count);
    assert_string_equal(kerf_symbols_name(s, s->list[i].name), name);
    assert_int_equal(s->list[i].addr, addr);
    assert_int_equal(s->list[i].len, len);
}

static void a_map_of_gnu_ld_names_parts_and_symbols(void **state)
{
    static const char map[] = "Archive member included\n\nLinker script and memory map\n\nLOAD main.o\n"
                              "                0x0000000000000400                _size = 0x400\n\n"
                              ".text           0x0000000008000000      0x100\n"
                              " *(.vectors)\n"
                              " .text          0x0000000008000000       0x40 obj/main.o\n"
                              "                0x0000000008000010                main\n"
                              "                0x0000000008000040                . = ALIGN (0x4)\n"
                              " .text.a_function_with_a_long_name\n"
                              "                0x0000000008000040       0x20 lib.a(x.o)\n"
                              " *fill*         0x0000000008000060        0x0 \n"
                              " .text          0x0000000008000060       0x10 obj/other.o\n"
                              "                0x0000000008000060                at_its_beginning\n"
                              " .rodata.str1.1\n"
                              "                0x0000000008000070       0x30 obj/main.o\n\n"
                              ".data           0x0000000020000000       0x10 load address 0x0000000008000100\n"
                              " .data.counter  0x0000000020000000        0x4 obj/main.o\n\n"
                              ".bss            0x0000000020000010       0x80 load address 0x0000000008000110\n"
                              " .bss           0x0000000020000010       0x80 obj/main.o\n\n"
                              ".comment        0x0000000000000000       0x20\n";
    static const struct kerf_symbols_range whole = {0, 0x110, 0x8000000};
    static const struct kerf_symbols_range parts[] = {{0x40, 0xc0, 0x8000000}, {0x1000, 0x10, 0x80000f8}};
    struct kerf_symbols s;
    struct kerf_why why;

    (void)state;
    assert_int_equal(kerf_symbols_read("x.map", (const uint8_t *)map, sizeof map - 1, &s, &why), KERF_OK);
    assert_false(s.is_elf);
    assert_int_equal(s.section_count, 3);
    check_symbol(&s, 0, "main.o(.text)", 0x8000000, 0x10);
    check_symbol(&s, 1, "main", 0x8000010, 0x30);
    check_symbol(&s, 2, "a_function_with_a_long_name", 0x8000040, 0x20);
    check_symbol(&s, 3, "at_its_beginning", 0x8000060, 0x10);
    check_symbol(&s, 4, "main.o(.rodata.str1.1)", 0x8000070, 0x90);
    check_symbol(&s, 5, "counter", 0x20000000, 4);
    assert_int_equal(kerf_symbols_base(&s), 0x8000000);
    assert_int_equal(kerf_symbols_place_map(&s, &whole, 1), 0x110);
    assert_int_equal(s.sections[1].pos, 0x100);
    kerf_symbols_free(&s);

    /* Parts of one file at addresses of their own; the first of them is shorter than its section. */
    assert_int_equal(kerf_symbols_read("x.map", (const uint8_t *)map, sizeof map - 1, &s, &why), KERF_OK);
    assert_int_equal(kerf_symbols_place_map(&s, parts, 2), 0xc8);
    assert_int_equal(s.sections[0].pos, 0x40);
    assert_int_equal(s.sections[0].len, 0xc0);
    assert_int_equal(s.sections[1].pos, 0x1008);
    assert_int_equal(s.sections[1].len, 8);
    kerf_symbols_free(&s);
}

static void a_map_of_lld_names_parts_and_symbols(void **state)
{
    static const char map[] = "     VMA      LMA     Size Align Out     In      Symbol\n"
                              "    8000     8000      120     4 .text\n"
                              "    8000     8000       40     4         obj/main.o:(.text.main)\n"
                              "    8000     8000       40     1                 main\n"
                              "    8040     8040       e0     4         lib.a(x.o):(.text)\n"
                              "    8044     8044       10     1                 helper(int, char const*)\n"
                              "20000000     8120       10     4 .data\n"
                              "20000000     8120       10     4         obj/main.o:(.data)\n";
    struct kerf_symbols s;
    struct kerf_why why;

    (void)state;
    assert_int_equal(kerf_symbols_read("x.map", (const uint8_t *)map, sizeof map - 1, &s, &why), KERF_OK);
    assert_int_equal(s.section_count, 2);
    check_symbol(&s, 0, "main", 0x8000, 0x40);
    check_symbol(&s, 1, "lib.a(x.o)(.text)", 0x8040, 4);
    check_symbol(&s, 2, "helper(int, char const*)", 0x8044, 0x10);
    check_symbol(&s, 3, "main.o(.data)", 0x20000000, 0x10);
    assert_int_equal(s.sections[1].load_addr, 0x8120);
    kerf_symbols_free(&s);
}

static void what_is_neither_is_refused(void **state)
{
    static const char *const files[] = {"", "just text\n", "\177ELF", "Memory Configuration\n"};
    struct kerf_symbols s;
    struct kerf_why why;

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        why.text[0] = '\0';
        assert_int_equal(kerf_symbols_read("x", (const uint8_t *)files[i], strlen(files[i]), &s, &why),
                         KERF_ERR_FORMAT);
        assert_non_null(strstr(why.text, "'x'"));
        kerf_symbols_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_elf_file_of_either_width_and_order_names_its_functions),
        cmocka_unit_test(sections_are_found_in_the_elf_file_itself_and_behind_a_boot_loader),
        cmocka_unit_test(a_map_of_gnu_ld_names_parts_and_symbols),
        cmocka_unit_test(a_map_of_lld_names_parts_and_symbols),
        cmocka_unit_test(what_is_neither_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
