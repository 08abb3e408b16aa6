/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diffgen.h - makes deltas. The one header of diffgen/ that other folders include.
 */
#ifndef KERF_DIFFGEN_H
#define KERF_DIFFGEN_H

#include "common/container.h"
#include "common/error.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KERF_DIFF_RAM_DEFAULT 8192u
#define KERF_DIFF_RAM_MIN 2048u
#define KERF_DIFF_LEVEL_DEFAULT 6

#define KERF_DIFF_PAD 64u

/* Called now and then while a delta is made; `done` of `total` units of work, the same unit within one `stage` name. */
typedef void kerf_diff_progress(void *ctx, const char *stage, uint64_t done, uint64_t total);

/* What else is known of an image, from the ELF file that it was made of: it decides what the bytes leave open. */
struct kerf_diff_hint {
    uint8_t isa;     /* enum kerf_isa_id; KERF_ISA_COUNT: open */
    bool base_known; /* the address of the image's first byte is `base` */
    uint64_t base;
    unsigned range_count; /* RAM of its variables: multiples of 256, ascending, apart from each other */
    struct kerf_range ranges[KERF_MAX_RANGES];
};

struct kerf_diff_options {
    uint64_t ram;            /* bytes of workspace that the decoder may take; 0: KERF_DIFF_RAM_DEFAULT */
    int level;               /* 1 (fast) .. 9 (small); 0: KERF_DIFF_LEVEL_DEFAULT */
    int codec;               /* enum kerf_payload_codec, or -1: whatever is smallest */
    bool in_place;           /* true: for one slot, of which these sizes are known */
    uint32_t sector;         /* bytes of an erase sector, a power of two, 16 .. 2^24 */
    uint16_t scratch, group; /* sectors of scratch, and of a checkpoint group (1 .. scratch; 0: whatever is best) */
    uint64_t slot;           /* bytes of the slot; 0: not known */
    bool no_new;             /* true: the decoder must not read back new */
    bool wide;               /* positions have 64 bits, where 32 would do, too: for tests */
    const char *isa; /* hint: name of the ISA (kerf_isa_name); NULL: found from the images. "none": no references */
    bool base_known; /* hint: both images are loaded at `base` */
    uint64_t base;
    const struct kerf_diff_hint *old_hint, *new_hint; /* NULL: none */
    uint64_t memory; /* bytes of the host's memory that may be taken; 0: 5 for each byte of the images, and 64 MB */
    unsigned jobs;   /* threads at most; 0: one. The delta is the same, whatever it is */
    bool padded;     /* both images are followed by KERF_DIFF_PAD zero bytes, and need not be copied for want of them */
    kerf_diff_progress *progress; /* NULL: none */
    void *progress_ctx;
};

/* Where the bytes of a delta went, in bits * 2^-16 of coded length; for reports. */
enum kerf_diff_part {
    KERF_PART_MAP,      /* address map */
    KERF_PART_SEGMENTS, /* gaps, jumps, lengths */
    KERF_PART_LITERALS, /* bytes coded without a source */
    KERF_PART_EQUAL,    /* "is this byte as in old?" */
    KERF_PART_RESIDUES, /* bytes that differ from old */
    KERF_PART_REFS,     /* "is the predicted reference right?" and corrections */
    KERF_PART_COUNT,
};

/* In place: how often the sector that wears most is erased in an update without interruptions. */
struct kerf_diff_erases {
    uint32_t slot, scratch, journal;
};

/* Of so many bytes of new a delta has at most one: it is small, and nobody asks what a full payload would take. */
#define KERF_DIFF_SMALL 16u

struct kerf_diff_report {
    uint64_t delta_len; /* bytes of the whole container */
    uint64_t header_len;
    uint64_t chain_len;                            /* bytes of chunk digests */
    uint64_t workspace;                            /* bytes the decoder needs */
    uint64_t part_cost[KERF_PART_COUNT];           /* bits * 2^-16 */
    uint64_t segments, literals, refs, refs_wrong; /* counts; literals in bytes */
    uint64_t
        served; /* bytes that what comes from old would take, one by one without contexts; 0 if delta_len is small */
    uint64_t memory_needed;         /* KERF_ERR_SPACE: bytes of options.memory that would do; 0: it is about the slot */
    struct kerf_diff_erases erases; /* in place */
    char recognised[256];           /* one line for people: ISA, load address, ranges */
    bool in_parts;                  /* parts of one file have load addresses of their own, and that pays */
    struct kerf_sha256_digest old_digest, new_digest; /* in full */
    struct kerf_sha256_digest chunk0_digest;          /* what authenticates the delta: --expect */
};

/*
 * Makes a delta that turns old[0..old_len) into new[0..new_len) and proves it: the shipped decoder applies it in the
 * declared workspace before this returns. old_len 0 makes a full payload. *delta is malloc'ed and owned by the caller
 * (free). The result is a function of the two images and the options alone. `report` may be NULL.
 * KERF_ERR_ARGUMENT: an option out of range. KERF_ERR_RAM: options.ram is under KERF_DIFF_RAM_MIN, or the host has no
 * memory. KERF_ERR_SPACE: the images do not fit into options.slot, or options.memory is too little for them.
 * KERF_ERR_STATE: the self-check failed (a bug; no delta is returned).
 */
KERF_MUST_USE kerf_err kerf_diff_create(const uint8_t *old_image, size_t old_len, const uint8_t *new_image,
                                        size_t new_len, const struct kerf_diff_options *options, uint8_t **delta,
                                        size_t *delta_len, struct kerf_diff_report *report);

#ifdef __cplusplus
}
#endif

#endif
