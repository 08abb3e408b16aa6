/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container.h - the file a device downloads: prologue, header, payload cut into chunks chained by digest.
 *
 *     chunk 0:  prologue (7) | header (header_len) | payload ... | digest of chunk 1 (16) *
 *     chunk i:  payload ... | digest of chunk i+1 (16) *                       * absent in the last chunk
 *
 * A delta and a full image are the same container; a full image has old_size 0. The chunk that carries the header is
 * vouched for by the signed release (or by nothing, when applied by hand); each chunk vouches for the next.
 * Byte by byte: docs/FORMAT.md, "Container". Everything here is reentrant and takes its memory from the caller.
 */
#ifndef KERF_COMMON_CONTAINER_H
#define KERF_COMMON_CONTAINER_H

#include "common/error.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KERF_FORMAT_VERSION 0
#define KERF_PROLOGUE_LEN 7     /* "KRF", version, header length (1 byte), length of chunk 0 (2 bytes) */
#define KERF_HEADER_MAX_LEN 249 /* bytes after the prologue: prologue and header are at most 256 bytes */
#define KERF_CHUNK_MIN 256
#define KERF_CHUNK_MAX 65536 /* chunk 0 is at most 65535 */
#define KERF_CHUNK_UNIT 16   /* sizes of chunks are multiples of this */
#define KERF_MAX_REGIONS 8
#define KERF_MAX_RANGES 4
#define KERF_MAX_MAP 4096        /* address map entries */
#define KERF_MAX_LEARNED 4096    /* learned targets of either kind */
#define KERF_MAX_MOVES 4096      /* in place: stretches of old that move */
#define KERF_WORKSPACE_STATE 256 /* bytes of workspace that the formula counts for struct kerf_patcher */

/*
 * Hosts refuse all that the format forbids. Devices refuse what could lead them out of their memory, or on for ever;
 * other numbers that are too large they take modulo the width of what holds them.
 */
#define KERF_STRICT (KERF_ENCODER || KERF_POS_BITS == 64)

/* How the payload is coded. */
enum kerf_payload_codec {
    KERF_CODEC_STORED = 0, /* the bytes of the new image as they are */
    KERF_CODEC_NATIVE = 1, /* segments, references, corrections, literals under the range coder */
    KERF_CODEC_LZMA2 = 2,  /* one .xz stream (liblzma); only ports that have it */
};

/* Header flags. */
#define KERF_FLAG_READS_NEW 0x01u /* the decoder reads back bytes of new that it has written */
#define KERF_FLAG_WIDE 0x02u      /* a size or an address is 2^32 or more: positions and addresses take 8 bytes */
#define KERF_FLAG_IN_PLACE 0x04u  /* made for one slot: sector, scratch and group fields follow */
#define KERF_FLAGS_ALL 0x07u

/* A stretch of both images that is loaded at one address and holds one instruction set. */
struct kerf_region {
    union {
        kerf_pos numbers[6];
        struct {
            kerf_pos old_pos, old_len; /* bytes; the stretch in the old image */
            kerf_pos old_addr;         /* load address of old_pos */
            kerf_pos new_pos, new_len; /* bytes; the stretch in the new image */
            kerf_pos new_addr;         /* load address of new_pos */
        };
    };
    uint8_t isa;    /* enum kerf_isa_id; 0: data alone */
    uint16_t kinds; /* 1 << reference kind: which kinds are looked for (isa/isa.h) */
};

/* By how much an address in a region is more than the position. Devices keep it in place of the load address. */
static inline kerf_pos kerf_region_old_bias(const struct kerf_region *r)
{
    return KERF_STRICT ? r->old_addr - r->old_pos : r->old_addr;
}

static inline kerf_pos kerf_region_new_bias(const struct kerf_region *r)
{
    return KERF_STRICT ? r->new_addr - r->new_pos : r->new_addr;
}

/* Addresses outside the images (RAM, mostly) at which an aligned word is taken for a pointer: [start, start + len). */
struct kerf_range {
    kerf_pos start;
    kerf_pos len;
};

/* Sizes of the decoder's tables, all that --ram decides, and what is told apart by position. */
struct kerf_model_params {
    uint8_t table_code;   /* counters in each byte-model table: kerf_table_size(), 0 .. 63; KERF_TABLE_LINES */
    uint8_t classes;      /* KERF_CLASSES() */
    uint16_t map_cap;     /* entries of the address map, 0 .. KERF_MAX_MAP */
    uint16_t learned_cap; /* learned targets kept, 0 .. KERF_MAX_LEARNED */
};

/* Up to `kept`, and in struct kerf_region and struct kerf_range, the order is the file's: little-endian devices unpack it as it is. */
struct kerf_header {
    uint8_t flags; /* KERF_FLAG_ */
    uint8_t codec; /* enum kerf_payload_codec */
    uint8_t region_count;
    uint8_t range_count;
    struct kerf_model_params model;
    uint8_t sector_log2;   /* in place: log2 of the erase sector, else 0 */
    uint8_t beyond;        /* in place: sectors of the slot behind both images that may hold old */
    uint16_t scratch;      /* in place: sectors of scratch */
    uint16_t group;        /* in place: sectors of a checkpoint group */
    kerf_pos old_size;     /* bytes; 0: a full image */
    kerf_pos new_size;     /* bytes */
    kerf_pos payload_size; /* bytes of payload in all chunks, digests not counted */
    uint16_t moves_cap;    /* in place, if any are kept: stretches of old that move, at most */
    uint16_t kept; /* in place: how often a sector is made to hold what is still needed of old; then the group is 1 */
    uint32_t chunk_size;           /* bytes of every chunk from the second up but the last, which may be shorter */
    uint16_t chunk0_len;           /* bytes of chunk 0, prologue, header, next digest and payload */
    uint16_t header_len;           /* bytes, prologue included */
    uint16_t tables_pos;           /* where in chunk 0 regions and ranges start: for kerf_header_tables() */
    struct kerf_digest old_digest; /* of the old image; zeros when old_size is 0 */
    struct kerf_digest new_digest; /* of the new image */
};

/* Counters that a table_code stands for: 16, 20, 24, 28, 32, 40 ... 917504. Devices take any code, modulo 64. */
static inline uint32_t kerf_table_size(unsigned table_code)
{
    return (4u + (table_code & 3u)) << ((table_code >> 2 & 15u) + 2);
}

#define KERF_TABLE_LINES 64u /* of a table_code: new is text, and its bytes stand where they do in their line */

/* What says where bytes of new stand: their position, or the instructions of two or more bytes that those before make. */
enum kerf_phase_rule {
    KERF_PHASE_POSITION,
    KERF_PHASE_THUMB,
    KERF_PHASE_RISCV,
    KERF_PHASE_XTENSA,
};

/*
 * flag_class: size class of the flag and number models, 0 tiny, 1 small, 2 large. Phases, 0 .. 3: bits of that place
 * which are a context of literals, and of gaps and lengths; 0 stands for 1 of literals, and for none. rule: enum
 * kerf_phase_rule.
 */
#define KERF_CLASSES(flag_class, literal_phases, length_phases, rule)                                                  \
    ((flag_class) | ((literal_phases) ^ 1u) << 2 | (length_phases) << 4 | (unsigned)(rule) << 6)

static inline unsigned kerf_flag_class(const struct kerf_header *h)
{
    return h->model.classes & 3u;
}

static inline unsigned kerf_literal_phases(const struct kerf_header *h)
{
    return (h->model.classes >> 2 & 3u) ^ 1u;
}

static inline unsigned kerf_length_phases(const struct kerf_header *h)
{
    return h->model.classes >> 4 & 3u;
}

static inline unsigned kerf_phase_rule(const struct kerf_header *h)
{
    return h->model.classes >> 6;
}

/* In place: sectors of the slot that are used. */
uint32_t kerf_header_slot(const struct kerf_header *h);

/* The same, with those of scratch that follow them in the numbering: all but the group's. */
static inline uint32_t kerf_header_sectors(const struct kerf_header *h)
{
    return kerf_header_slot(h) + h->scratch - h->group;
}

/*
 * Length of chunk 0, from the first KERF_PROLOGUE_LEN bytes of a file: what must be collected, and authenticated,
 * before kerf_header_parse(). *header_len (prologue included) is what must be there for a look at the header alone.
 * KERF_ERR_FORMAT: not a Kerf container. KERF_ERR_VERSION: one of another version.
 */
KERF_MUST_USE kerf_err kerf_prologue_parse(const uint8_t prologue[KERF_PROLOGUE_LEN], uint16_t *chunk0_len,
                                           uint16_t *header_len);

/*
 * Reads prologue and header from the first `len` bytes of a container and checks that they don't contradict themselves.
 * `len` may be as little as the header; more is ignored. KERF_ERR_FORMAT, KERF_ERR_VERSION, or KERF_ERR_UNSUPPORTED
 * (positions over KERF_POS_BITS).
 */
KERF_MUST_USE kerf_err kerf_header_parse(const uint8_t *chunk0, size_t len, struct kerf_header *header);

/* The same where all of chunk 0 is there and *header holds what the prologue says, and is 0 otherwise. */
KERF_MUST_USE kerf_err kerf_header_read(const uint8_t *chunk0, struct kerf_header *header);

/*
 * Reads the regions and ranges of a header that kerf_header_parse() accepted. The arrays must have room for
 * header->region_count and header->range_count entries; both lists come sorted by old_pos and start. Devices:
 * KERF_ERR_UNSUPPORTED where kerf_isa_takes() says so of a region.
 */
KERF_MUST_USE kerf_err kerf_header_tables(const uint8_t *chunk0, const struct kerf_header *header,
                                          struct kerf_region *regions, struct kerf_range *ranges);

#if KERF_ENCODER
/*
 * Writes prologue and header to buf (256 bytes are always enough); the reverse of parse and tables. Fields that follow
 * from others (version, header_len, tables_pos) are computed, and stored in *header too. chunk0_len is taken as given,
 * or, where it is 0, becomes the largest that chunk_size allows. KERF_ERR_ARGUMENT: anything that parse would refuse, a
 * chunk size that is none (kerf_chunk_size_floor), or too small a chunk for this header. KERF_ERR_SPACE: `cap` or 256
 * bytes are too few.
 */
KERF_MUST_USE kerf_err kerf_header_write(struct kerf_header *header, const struct kerf_region *regions,
                                         const struct kerf_range *ranges, uint8_t *buf, size_t cap, size_t *len);

/* The largest chunk size the header can say that is at most `bytes`; KERF_CHUNK_MIN where `bytes` is less. */
uint32_t kerf_chunk_size_floor(uint32_t bytes);
#endif

/* --- The chunk chain: where chunks start and end, one place for reader and writer. --- */

/* A chunk about to come. */
struct kerf_chunk {
    uint32_t len;         /* bytes of the whole chunk */
    uint32_t payload_pos; /* where in it the payload begins: behind the header in chunk 0, else 0 */
    uint32_t payload_len; /* bytes of payload; behind it is the next digest, but in the last chunk */
    bool last;
};

/* Chunk 0 of `header`. KERF_ERR_FORMAT when chunk0_len does not fit the payload size. */
KERF_MUST_USE kerf_err kerf_chunk_first(const struct kerf_header *header, struct kerf_chunk *chunk);
/* The chunk after the one that left `payload_left` (> 0) bytes of payload to come. */
void kerf_chunk_next(const struct kerf_header *header, kerf_pos payload_left, struct kerf_chunk *chunk);

#ifdef __cplusplus
}
#endif

#endif
