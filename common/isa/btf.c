/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BTF, the descriptions of types that Linux kernels and modules carry. Source: Linux, Documentation/bpf/btf.rst. Not
 * instructions but records: {name, info, size or type}, and what info announces: members, parameters, ... They hold
 * numbers of types and offsets of names, and all of them shift where a type or a name comes or goes. A kernel's delta
 * without this was half BTF.
 *
 * The sweep goes from record to record. What a word inside one is follows from its distance to the end and the record's
 * layout. Where a record begins is told by its words alone, so that records are found anywhere in an archive: by chance
 * that happens once in a megabyte.
 */
#include "common/bytes.h"
#include "common/isa/isa.h"

#if KERF_ISA_HAS_BTF
/* Layouts of what follows a record's first three words. 0 is none. */
enum layout {
    MEMBERS = 1, /* name, type, offset; also a single type and one more word */
    PARAMETERS,  /* name, type; also a single type */
    VALUES,      /* name, number; also nothing */
    LONGS,       /* name, two numbers; also one number that stands alone */
    VARIABLES,   /* type, offset, size */
    ARRAY        /* element's type, index's type, number of elements */
};

#define NAME 0x01u
#define TYPE 0x10u

/* Words of an element; bit n: n words (modulo that many) before the record's end lies a name, bit 4 + n: a type. */
static const struct {
    uint8_t words, what;
} layouts[] = {{1, 0}, {3, 0x41}, {2, 0x21}, {2, 0x01}, {3, 0x01}, {3, 0x10}, {3, 0x50}};

/* By kind of record: its layout, and 16 times the words that follow the first three, or 0xf0: as many elements as info says. */
static const uint8_t kinds[20] = {
    0,
    LONGS | 0x10,      /* INT */
    PARAMETERS,        /* PTR */
    ARRAY | 0x30,      /* ARRAY */
    MEMBERS | 0xf0,    /* STRUCT */
    MEMBERS | 0xf0,    /* UNION */
    VALUES | 0xf0,     /* ENUM */
    VALUES,            /* FWD */
    PARAMETERS,        /* TYPEDEF */
    PARAMETERS,        /* VOLATILE */
    PARAMETERS,        /* CONST */
    PARAMETERS,        /* RESTRICT */
    PARAMETERS,        /* FUNC */
    PARAMETERS | 0xf0, /* FUNC_PROTO */
    MEMBERS | 0x10,    /* VAR */
    VARIABLES | 0xf0,  /* DATASEC */
    VALUES,            /* FLOAT */
    MEMBERS | 0x10,    /* DECL_TAG */
    PARAMETERS,        /* TYPE_TAG */
    LONGS | 0xf0,      /* ENUM64 */
};

#define KIND_FUNC 12u
#define LIMIT 0x1000000u /* numbers of types and offsets of names are below, info is not */
#define LOOK (KERF_ISA_VIEW_LEN / 4)

static uint32_t word_at(const uint8_t *p, unsigned i)
{
    return kerf_load_le32(p + (size_t)4 * i);
}

/* What info says: 0: nothing, else as in `kinds`. */
static unsigned kind_of(uint32_t info)
{
    unsigned kind = info >> 24 & 31;

    return (info & 0x60ff0000) != 0 || kind >= sizeof kinds ? 0 : kinds[kind];
}

/* NAME, TYPE or 0, `left` words before the end of a record. */
static unsigned what_at(unsigned layout, uint32_t left)
{
    return (unsigned)layouts[layout].what >> left % layouts[layout].words & (NAME | TYPE);
}

/* Words of the record that begins at p, and its layout; 0: none does. */
static uint32_t record_at(const uint8_t *p, uint8_t *layout)
{
    uint32_t info = word_at(p, 1);
    unsigned kind = kind_of(info);
    uint32_t count = info & 0xffff;
    uint32_t words = 3 + (kind >> 4);

    *layout = kind & 15;
    if (kind == 0 || word_at(p, 0) >= LIMIT || word_at(p, 2) >= LIMIT) {
        return 0;
    }
    if (kind >= 0xf0) {
        words = 3 + count * layouts[*layout].words;
    } else if (count > ((info >> 24 & 31) == KIND_FUNC ? 2u : 0u)) { /* of a function: how it is linked */
        return 0;
    }
    for (uint32_t i = 3; i < LOOK && i < words; i++) {
        if (what_at(*layout, words - i) != 0 && word_at(p, i) >= LIMIT) {
            return 0;
        }
    }
    return words + 1 < LOOK && kind_of(word_at(p, words + 1)) == 0 ? 0 : words;
}

/* Even numbers, since learned targets take no notice of bit 0; where no image is loaded. */
#define BASE(form) ((form) == KERF_FORM_BTF ? 0xfa000000u : 0xfc000000u)

unsigned kerf_btf_scan(const struct kerf_isa_view *view, struct kerf_ref *ref)
{
    uint32_t len = view->rest;
    unsigned what = NAME;

    ref->record = view->record;
    if (view->boundary) {
        len = (view->pc & 3) != 0 ? 0 : 4 * record_at(view->p, &ref->record);
        ref->record = len == 0 ? 0 : ref->record;
    } else {
        what = len % 4 != 0 ? 0 : what_at(ref->record, len / 4);
    }
    if (ref->record == 0) {
        return 0;
    }
    if (what != 0 && word_at(view->p, 0) - 1 < LIMIT - 1) {
        ref->kind = what == NAME ? KERF_REF_WORD : KERF_REF_RAM;
        ref->form = (uint8_t)(what == NAME ? KERF_FORM_BTF : KERF_FORM_BTF + 1);
        ref->len = 4;
        ref->scale = 1;
        ref->anywhere = true;
        ref->target = kerf_btf_code(ref->form, (uint8_t *)(uintptr_t)view->p, NULL);
    }
    return len;
}

kerf_addr kerf_btf_code(unsigned form, uint8_t *p, const kerf_addr *target)
{
    if (target != NULL) {
        kerf_store_le24(p, (uint32_t)(*target - BASE(form)) / 2);
        return *target;
    }
    return BASE(form) + 2 * (word_at(p, 0) & (LIMIT - 1));
}
#endif
