/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata.h - the three signed documents: root (which keys), release (which bytes), fresh (which release is current).
 *
 * A document is a COSE_Sign envelope around a deterministic CBOR map; byte by byte in docs/METADATA.md. Opening one
 * checks the envelope, the signatures, and everything in it, in this order; nothing of a document may be used before
 * its kerf_*_open() said KERF_OK. Opened documents point into the caller's buffer, which must outlive them unchanged.
 * No allocation, no recursion, no globals; stack: under 1 KiB beside what the verify callback takes.
 *
 * What a device does, with `root` opened from its own storage:
 *
 *     kerf_root_open_next()   for each newer root it is handed, until there is none
 *     kerf_fresh_open(), kerf_fresh_check()
 *     kerf_release_open(), kerf_release_check(), kerf_fresh_names()
 *     kerf_release_next_component(), kerf_component_next_payload()   to choose what to fetch
 */
#ifndef KERF_COMMON_METADATA_H
#define KERF_COMMON_METADATA_H

#include "common/cbor.h"
#include "common/error.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KERF_METADATA_VERSION 0     /* key 0 of every document */
#define KERF_METADATA_MAX_LEN 65536 /* bytes of a document, envelope included */
#define KERF_NAME_MAX_LEN 64        /* bytes of a product, component, hardware or version name */
#define KERF_KEY_ID_LEN 8           /* first bytes of SHA-256 of the raw public key */
#define KERF_ROOT_MAX_KEYS 16
#define KERF_NONCE_MAX_LEN 32
#define KERF_SIGNATURES_MAX 16 /* signatures on one document */

/* COSE algorithm identifiers (RFC 9053). */
#define KERF_ALG_EDDSA (-8) /* Ed25519: key 32 bytes, signature 64 */
#define KERF_ALG_ES256 (-7) /* ECDSA P-256, SHA-256: key 65 bytes (04, x, y), signature 64 (r, s) */
#define KERF_PUBLIC_KEY_MAX_LEN 65
#define KERF_SIGNATURE_LEN 64 /* of either */

/* Which document; each is signed by the role of the same number. */
enum kerf_doc_type {
    KERF_DOC_ROOT = 0,
    KERF_DOC_RELEASE = 1,
    KERF_DOC_FRESH = 2,
};
#define KERF_DOC_TYPES 3

/* The verify callback's two answers: far apart in bits, and any value but VALID counts as not valid. */
#define KERF_SIGNATURE_VALID 0x5AC396E1u
#define KERF_SIGNATURE_INVALID 0xA53C691Eu

/*
 * Is sig[0..sig_len) a signature over message[0..message_len) by this public key? Lengths of key and signature are
 * already those of `alg`. An algorithm it lacks: KERF_SIGNATURE_INVALID. Host: kerf_verify_openssl
 * (common/host/verify.h).
 */
typedef uint32_t kerf_verify_fn(void *ctx, int32_t alg, const uint8_t *key, size_t key_len, const uint8_t *message,
                                size_t message_len, const uint8_t *sig, size_t sig_len);

/* Bytes of scratch that opening a document of `len` bytes needs: the signed structure is put together there. */
#define KERF_METADATA_SCRATCH(len) ((len) + 96u)

/* What opening needs besides the document. */
struct kerf_verifier {
    kerf_verify_fn *verify;
    void *ctx;          /* handed to verify */
    uint8_t *scratch;   /* overwritten */
    size_t scratch_cap; /* KERF_METADATA_SCRATCH(longest document) bytes; KERF_ERR_RAM when short */
};

struct kerf_key_id {
    uint8_t b[KERF_KEY_ID_LEN];
};

struct kerf_public_key {
    struct kerf_key_id id;
    int32_t alg; /* KERF_ALG_ */
    struct kerf_span key;
};

struct kerf_role {
    uint32_t threshold; /* 1 .. number of keys in the mask: so many of them must have signed */
    uint32_t key_mask;  /* bit i: keys[i] may sign for this role */
};

struct kerf_root {
    struct kerf_span product; /* name */
    uint64_t version;         /* 1, 2, ...: each step is signed by the old and the new root keys */
    uint64_t expires;         /* seconds since 1970; 0: never */
    uint32_t key_count;       /* 1 .. KERF_ROOT_MAX_KEYS */
    struct kerf_public_key keys[KERF_ROOT_MAX_KEYS];
    struct kerf_role roles[KERF_DOC_TYPES]; /* by enum kerf_doc_type */
};

struct kerf_release {
    struct kerf_span product;    /* name */
    uint64_t seq;                /* grows by one or more with each release of a product; 1 or more */
    uint64_t expires;            /* seconds since 1970; 0: never */
    uint64_t issued;             /* seconds since 1970 */
    uint64_t sc;                 /* security counter: a device refuses one below its own */
    struct kerf_span version;    /* name for people */
    uint32_t hardware_count;     /* 0: every hardware of the product */
    uint32_t component_count;    /* 1 or more */
    struct kerf_span hardware;   /* encoded; kerf_release_has_hardware() */
    struct kerf_span components; /* encoded items; kerf_release_next_component() */
};

struct kerf_component {
    struct kerf_span name;            /* unique in the release */
    struct kerf_span version;         /* name of what the component becomes */
    uint64_t size;                    /* bytes of the target image */
    struct kerf_sha256_digest digest; /* of the target image */
    uint64_t order;                   /* lower is applied first; equal: by name */
    uint64_t min_from_seq;            /* a device must have come this far (release seq) to take this step; 0: any */
    uint32_t payload_count;
    struct kerf_span payloads; /* encoded items; kerf_component_next_payload() */
};

/* One file that makes a component's target image, alone (full) or from an older image (delta). */
struct kerf_payload {
    struct kerf_sha256_digest digest;      /* of the whole file; also its name in the repository */
    uint64_t size;                         /* bytes of the whole file */
    struct kerf_sha256_digest chunk0;      /* of chunk 0: what the patcher expects */
    struct kerf_span format;               /* "kerf/0" */
    uint64_t workspace;                    /* bytes, as kerf_header_workspace(): the port's page buffer comes on top */
    uint32_t codec;                        /* enum kerf_payload_codec */
    uint32_t flags;                        /* KERF_FLAG_ of the container */
    uint32_t isas;                         /* bit (1 << enum kerf_isa_id) for each that the decoder must have */
    bool is_delta;                         /* false: a full payload; the from_ fields are empty */
    bool in_place;                         /* true: made for one slot; sector_log2, scratch and group are set */
    struct kerf_sha256_digest from_digest; /* of the old image */
    uint64_t from_size;                    /* bytes */
    struct kerf_span from_version;
    uint32_t sector_log2; /* log2 of the erase sector */
    uint32_t scratch;     /* sectors */
    uint32_t group;       /* sectors of a checkpoint group */
};

struct kerf_fresh {
    struct kerf_span product;
    uint64_t seq;     /* of the current release */
    uint64_t expires; /* seconds since 1970; never 0 */
    uint64_t issued;
    struct kerf_sha256_digest release_digest; /* SHA-256 of the whole release document, envelope included */
    struct kerf_span nonce;                   /* the device's, echoed; len 0: a static document */
};

/* What a device has accepted so far; kept where a power cut can't tear it. All zero: nothing yet. */
struct kerf_trust_state {
    uint64_t seq;
    uint64_t sc;
};

/* What a device knows of itself and of the moment. */
struct kerf_trust_self {
    struct kerf_span product;
    struct kerf_span hardware; /* len 0: not known; then only a release for every hardware fits */
    struct kerf_trust_state have;
    uint64_t now;           /* seconds since 1970; 0: no clock */
    struct kerf_span nonce; /* what was sent with the request; len 0: none */
};

/*
 * All kerf_*_open(): KERF_ERR_FORMAT, _TRUNCATED, _TRAILING: not such a document (FORMAT also for an unknown critical
 * key). KERF_ERR_VERSION: of a later version. KERF_ERR_SIGNATURE: fewer valid signatures by different keys of the role
 * than its threshold. KERF_ERR_MISMATCH: for another product than the root. KERF_ERR_RAM: scratch too small. Expiry and
 * rollback are for the kerf_*_check() functions.
 */

/*
 * Opens a root that the device trusts because of where it is stored; it must still carry its own threshold. From any
 * other place, use kerf_root_open_next().
 */
KERF_MUST_USE kerf_err kerf_root_open(const uint8_t *doc, size_t len, const struct kerf_verifier *verifier,
                                      struct kerf_root *root);

/*
 * Opens the root that follows `trusted`: signed by the thresholds of both. KERF_ERR_ROLLBACK: its version is not the
 * next. `next` may not be `trusted`.
 */
KERF_MUST_USE kerf_err kerf_root_open_next(const uint8_t *doc, size_t len, const struct kerf_root *trusted,
                                           const struct kerf_verifier *verifier, struct kerf_root *next);

KERF_MUST_USE kerf_err kerf_release_open(const uint8_t *doc, size_t len, const struct kerf_root *root,
                                         const struct kerf_verifier *verifier, struct kerf_release *release);

KERF_MUST_USE kerf_err kerf_fresh_open(const uint8_t *doc, size_t len, const struct kerf_root *root,
                                       const struct kerf_verifier *verifier, struct kerf_fresh *fresh);

/* --- Checks: pure functions of opened documents and what the device knows. --- */

/* KERF_ERR_EXPIRED when `now` is known (not 0) and `expires` (not 0: never) is not after it. */
KERF_MUST_USE kerf_err kerf_expiry_check(uint64_t expires, uint64_t now);

/*
 * May this device take this release? KERF_ERR_MISMATCH: another product or hardware. KERF_ERR_ROLLBACK: seq or sc below
 * what it has. KERF_ERR_EXPIRED. Equal seq is accepted: the same release again.
 */
KERF_MUST_USE kerf_err kerf_release_check(const struct kerf_release *release, const struct kerf_trust_self *self);

/*
 * Is this word on the current release still fresh? KERF_ERR_MISMATCH: another product, or another device's nonce.
 * KERF_ERR_ROLLBACK: seq below the device's. KERF_ERR_EXPIRED: its time is over, or, without a clock, the nonce is not
 * echoed (or none was sent): somebody may be replaying it.
 */
KERF_MUST_USE kerf_err kerf_fresh_check(const struct kerf_fresh *fresh, const struct kerf_trust_self *self);

/* Does `fresh` name this release? `doc_digest`: SHA-256 of the whole release document. KERF_ERR_MISMATCH if not. */
KERF_MUST_USE kerf_err kerf_fresh_names(const struct kerf_fresh *fresh, const struct kerf_release *release,
                                        const struct kerf_sha256_digest *doc_digest);

/* --- Walking an opened release. --- */

/* True when the release is for hardware `id`; also when it is for every hardware. */
bool kerf_release_has_hardware(const struct kerf_release *release, struct kerf_span id);

/*
 * The next component; *cursor is 0 at first and moved. KERF_END after the last. Components come sorted by name.
 * KERF_ERR_ARGUMENT: a cursor that isn't from here.
 */
KERF_MUST_USE kerf_err kerf_release_next_component(const struct kerf_release *release, size_t *cursor,
                                                   struct kerf_component *component);

/* The next payload of a component; the same way. Full payloads come first. */
KERF_MUST_USE kerf_err kerf_component_next_payload(const struct kerf_component *component, size_t *cursor,
                                                   struct kerf_payload *payload);

/* True when two spans hold the same bytes. */
bool kerf_span_equal(struct kerf_span a, struct kerf_span b);

/* True for 1 .. KERF_NAME_MAX_LEN bytes of A-Z a-z 0-9 . _ - that don't begin with a dot: a product, component, hardware
 * id. Such a name is safe in a path and a URL. */
bool kerf_name_valid(struct kerf_span name);

/* True for 1 .. KERF_NAME_MAX_LEN bytes of UTF-8 without control characters: a version. */
bool kerf_version_name_valid(struct kerf_span name);

/* --- Making and looking at documents: for the tools, not for devices. --- */

/*
 * Reads the map inside an envelope (or a staged release) without any signature: what is returned is NOT to be trusted.
 */
KERF_MUST_USE kerf_err kerf_root_parse(const uint8_t *payload, size_t len, struct kerf_root *root);
KERF_MUST_USE kerf_err kerf_release_parse(const uint8_t *payload, size_t len, struct kerf_release *release);
KERF_MUST_USE kerf_err kerf_fresh_parse(const uint8_t *payload, size_t len, struct kerf_fresh *fresh);

#if KERF_ENCODER
/*
 * Write the map that goes into an envelope. A release is written with its components and their payloads given as
 * arrays; the encoded spans and counts in the structs are not looked at. Lists must come sorted as documented (keys by
 * id, hardware ids and components by name, full payloads first). KERF_ERR_ARGUMENT: values that the parser would
 * refuse; KERF_ERR_SPACE: `cap` is too small (KERF_METADATA_MAX_LEN is always enough for what can be signed).
 */
struct kerf_component_list {
    struct kerf_component component;
    struct kerf_payload *payloads; /* only read here; the owner may change and free them */
    size_t payload_count;
};

KERF_MUST_USE kerf_err kerf_root_write(const struct kerf_root *root, uint8_t *buf, size_t cap, size_t *len);
KERF_MUST_USE kerf_err kerf_release_write(const struct kerf_release *release, const struct kerf_span *hardware,
                                          size_t hardware_count, const struct kerf_component_list *components,
                                          size_t component_count, uint8_t *buf, size_t cap, size_t *len);
KERF_MUST_USE kerf_err kerf_fresh_write(const struct kerf_fresh *fresh, uint8_t *buf, size_t cap, size_t *len);

/*
 * Envelope, in two steps so that the key may be anywhere: first the bytes to be signed by the key `id`, then the whole.
 * Signatures must come sorted by key id.
 */
struct kerf_signature {
    struct kerf_key_id id;
    int32_t alg;
    struct kerf_span bytes;
};

KERF_MUST_USE kerf_err kerf_envelope_to_sign(enum kerf_doc_type type, struct kerf_span payload,
                                             const struct kerf_key_id *id, int32_t alg, uint8_t *buf, size_t cap,
                                             size_t *len);
KERF_MUST_USE kerf_err kerf_envelope_write(enum kerf_doc_type type, struct kerf_span payload,
                                           const struct kerf_signature *signatures, size_t count, uint8_t *buf,
                                           size_t cap, size_t *len);
#endif

#ifdef __cplusplus
}
#endif

#endif
