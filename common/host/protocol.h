/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocol.h - what device and server say to each other, as structs, and as JSON both ways (docs/PROTOCOL.md).
 *
 * Readers take foreign text: they check length, nesting, types, ranges and counts, ignore keys they don't know, and say
 * in `why` (may be NULL) which key is wrong and what is expected. Writers produce text that the readers accept. Strings
 * are UTF-8 without control characters, 1 to KERF_NAME_CAP - 1 bytes unless a comment says otherwise; an empty string
 * in a struct means "not given". Everything here is reentrant.
 */
#ifndef KERF_COMMON_HOST_PROTOCOL_H
#define KERF_COMMON_HOST_PROTOCOL_H

#include "common/error.h"
#include "common/host/why.h"
#include "common/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KERF_PROTOCOL_VERSION 1
#define KERF_PROTOCOL_FORMAT "kerf/0" /* name of the container format of this build */

/* Limits of PROTOCOL.md; _CAP counts the terminating 0. Bytes of JSON text of each message: */
#define KERF_CHECK_REQUEST_MAX 32768u
#define KERF_CHECK_ANSWER_MAX 2097152u
#define KERF_REPORT_MAX 65536u
#define KERF_REPORT_ANSWER_MAX 4096u
#define KERF_PROTOCOL_DEPTH 16 /* objects and arrays within each other */

#define KERF_NAME_CAP 65
#define KERF_VALUE_CAP 129 /* values of device.attrs */
#define KERF_TAG_CAP 33    /* names of formats and features; nonces */
#define KERF_URL_CAP 1025
#define KERF_MAX_ATTRS 16
#define KERF_MAX_FORMATS 8
#define KERF_MAX_FEATURES 32
#define KERF_MAX_COMPONENTS 16
#define KERF_MAX_OPTIONS 8
#define KERF_MAX_URLS 4
#define KERF_MAX_REPORTS 64
#define KERF_MAX_ROOTS 8
#define KERF_DOCUMENT_MAX 65536u         /* bytes of a signed document, before base64 */
#define KERF_NUMBER_MAX 9007199254740991 /* 2^53 - 1: sizes and times; every JSON reader holds it exactly */

/* Which way a payload takes to the new image. */
enum kerf_mode {
    KERF_MODE_NONE = 0, /* not given */
    KERF_MODE_DELTA,
    KERF_MODE_FULL,
};

/* Where an update stands (report). */
enum kerf_report_phase {
    KERF_REPORT_NONE = 0, /* not given */
    KERF_REPORT_ACCEPTED,
    KERF_REPORT_DOWNLOAD,
    KERF_REPORT_APPLY,
    KERF_REPORT_VERIFY,
    KERF_REPORT_REBOOT,
    KERF_REPORT_CONFIRMED,
    KERF_REPORT_FAILED,
    KERF_REPORT_ROLLED_BACK,
};

/* What went wrong: the closed list of PROTOCOL.md. */
enum kerf_report_code {
    KERF_CODE_NONE = 0, /* nothing, or not given */
    KERF_CODE_NET,
    KERF_CODE_TLS,
    KERF_CODE_SIG,
    KERF_CODE_EXPIRED,
    KERF_CODE_ROLLBACK,
    KERF_CODE_SRC_MISMATCH,
    KERF_CODE_DELTA_BAD,
    KERF_CODE_CHUNK_HASH,
    KERF_CODE_DST_HASH,
    KERF_CODE_NO_SPACE,
    KERF_CODE_NO_RAM,
    KERF_CODE_FLASH,
    KERF_CODE_BATTERY,
    KERF_CODE_TIMEOUT,
    KERF_CODE_CANCELLED,
    KERF_CODE_BOOT_FAIL,
};

/* The word for each, as on the wire; "" for _NONE. */
const char *kerf_mode_name(enum kerf_mode mode);
const char *kerf_report_phase_name(enum kerf_report_phase phase);
const char *kerf_report_code_name(enum kerf_report_code code);

/* The report code that says best what `err` (below 0) means; KERF_CODE_NONE for KERF_OK and values above 0. */
enum kerf_report_code kerf_report_code_of(kerf_err err);

/* --- POST /v1/check: the request --- */

struct kerf_attr {
    char key[KERF_NAME_CAP];
    char value[KERF_VALUE_CAP];
};

struct kerf_device_info {
    char id[KERF_NAME_CAP];    /* required */
    char model[KERF_NAME_CAP]; /* required; the product's name in the release documents */
    char hw[KERF_NAME_CAP];    /* hardware id; may be empty */
    size_t attr_count;
    struct kerf_attr attrs[KERF_MAX_ATTRS]; /* free for policy */
};

struct kerf_client_info {
    char name[KERF_NAME_CAP]; /* may be empty, like ver */
    char ver[KERF_NAME_CAP];
    size_t format_count; /* required, at least 1 */
    char formats[KERF_MAX_FORMATS][KERF_TAG_CAP];
    size_t feature_count; /* what the patcher was built with: kerf_features_set() */
    char features[KERF_MAX_FEATURES][KERF_TAG_CAP];
    uint64_t ram; /* bytes of workspace that the device can give, page buffer apart; 0: not given, no limit */
    bool resume;  /* can go on with a download (Range) */
    bool metered; /* the link costs money now */
};

/* Feature words: bit (1 << enum kerf_isa_id) for each instruction set, and one bit for the codec LZMA2. */
#define KERF_FEATURE_LZMA2 0x80000000u

/* Fills client->features with the words for a mask of KERF_FEATURE_LZMA2 and instruction sets (kerf_patcher_isas()). */
void kerf_features_set(struct kerf_client_info *client, uint32_t mask);
/* The mask for the words that this build knows; others are ignored. Bit 0 (data alone) is always set. */
uint32_t kerf_features_mask(const struct kerf_client_info *client);

/* One component as the device has it now. */
struct kerf_check_component {
    char name[KERF_NAME_CAP];         /* required; each name once */
    char ver[KERF_NAME_CAP];          /* what the device believes; may be empty */
    bool digest_known;                /* false: nothing installed, or not known: full payloads only */
    struct kerf_sha256_digest digest; /* SHA-256 of the image as it lies there */
    uint64_t size;                    /* bytes of that image */
    uint64_t slot;                    /* bytes that a new image may take; 0: not given, no limit */
    uint64_t sc;                      /* security counter of what is installed */
};

/* How the last update ended, when it failed. */
struct kerf_last_attempt {
    char txn[KERF_NAME_CAP];       /* empty: there was none, and nothing else counts */
    char component[KERF_NAME_CAP]; /* may be empty: any */
    enum kerf_mode mode;
    enum kerf_report_phase phase;
    enum kerf_report_code code;
    uint32_t tries;    /* times this payload failed here */
    bool target_known; /* what it was to become */
    struct kerf_sha256_digest target;
};

struct kerf_check_request {
    struct kerf_device_info device;
    struct kerf_client_info client;
    bool boot_known;
    bool boot_confirmed;
    uint32_t boot_count;
    char boot_why[KERF_NAME_CAP];
    uint64_t root_version;  /* newest root document the device trusts; 0: none */
    uint64_t release_seq;   /* newest release it has accepted; 0: none */
    size_t component_count; /* required, at least 1 */
    struct kerf_check_component components[KERF_MAX_COMPONENTS];
    struct kerf_last_attempt last;
    char channel[KERF_NAME_CAP]; /* may be empty */
    char nonce[KERF_TAG_CAP];    /* may be empty; these bytes are what a fresh document echoes */
};

/* `len` bytes of text, no 0 needed. KERF_ERR_FORMAT, KERF_ERR_VERSION ("v"), KERF_ERR_RAM (host memory). */
KERF_MUST_USE kerf_err kerf_check_request_read(const char *text, size_t len, struct kerf_check_request *request,
                                               struct kerf_why *why);
/*
 * *text is malloc'ed, ends with a 0 that *len does not count, and belongs to the caller (free).
 * KERF_ERR_ARGUMENT: a string that is not UTF-8, or a count over its limit.
 */
KERF_MUST_USE kerf_err kerf_check_request_write(const struct kerf_check_request *request, char **text, size_t *len);

/* --- POST /v1/check: the answer --- */

enum kerf_check_status {
    KERF_CHECK_NONE = 0, /* the device runs what it should */
    KERF_CHECK_UPDATE,   /* updates follow */
    KERF_CHECK_HOLD,     /* there is something newer, but not for this device now: `reason` */
};

/* One way to a new image. */
struct kerf_option {
    enum kerf_mode kind;
    char format[KERF_TAG_CAP];
    uint64_t size;                    /* bytes to fetch */
    uint64_t ram;                     /* bytes of workspace the decoder needs, the port's page buffer apart */
    struct kerf_sha256_digest digest; /* of the whole payload file; the release document says the rest */
    size_t url_count;                 /* at least 1 */
    char *urls[KERF_MAX_URLS];        /* owned by the answer; absolute, or "/p/..." on the server that answered */
};

struct kerf_update {
    char component[KERF_NAME_CAP];
    char from_ver[KERF_NAME_CAP]; /* may be empty */
    bool from_known;              /* false: from nothing */
    struct kerf_sha256_digest from;
    char to_ver[KERF_NAME_CAP];
    struct kerf_sha256_digest to;
    uint64_t to_size;    /* bytes of the new image */
    size_t option_count; /* at least 1, best first */
    struct kerf_option options[KERF_MAX_OPTIONS];
    uint32_t tries_delta, tries_full;   /* times to try each kind before the next option */
    uint32_t backoff_base, backoff_max; /* seconds between tries: base, doubled each time, up to max */
    bool full_on_metered;               /* false: no full payload over a metered link */
};

/* A signed document, opaque here. */
struct kerf_blob {
    uint8_t *data; /* malloc'ed, owned by the message; NULL: not given */
    size_t len;
};

struct kerf_check_answer {
    char txn[KERF_NAME_CAP]; /* names this decision in reports */
    enum kerf_check_status status;
    char reason[KERF_NAME_CAP]; /* why this status: PROTOCOL.md "Reasons"; may be empty */
    uint32_t poll_after;        /* seconds until the next check */
    double poll_spread;         /* 0 .. 1: part of poll_after by which it is varied at random, both ways */
    bool set_known;             /* the release that the product should run */
    bool set_atomic;            /* all components switch together, or none */
    uint64_t set_release;       /* its seq */
    char set_name[KERF_NAME_CAP];
    size_t order_count; /* components in the order in which they are applied */
    char order[KERF_MAX_COMPONENTS][KERF_NAME_CAP];
    size_t update_count; /* in that order */
    struct kerf_update updates[KERF_MAX_COMPONENTS];
    uint64_t not_before; /* seconds since 1970 UTC; 0: at once */
    size_t root_count;   /* root documents newer than the device's, ascending */
    struct kerf_blob roots[KERF_MAX_ROOTS];
    struct kerf_blob release;
    struct kerf_blob fresh;
};

/* As kerf_check_request_read(). On success the answer owns memory: kerf_check_answer_free(); on failure it owns none. */
KERF_MUST_USE kerf_err kerf_check_answer_read(const char *text, size_t len, struct kerf_check_answer *answer,
                                              struct kerf_why *why);
KERF_MUST_USE kerf_err kerf_check_answer_write(const struct kerf_check_answer *answer, char **text, size_t *len);
/* Frees what the answer owns, not the struct; it is then all zero. */
void kerf_check_answer_free(struct kerf_check_answer *answer);

/* --- POST /v1/report --- */

struct kerf_report {
    char txn[KERF_NAME_CAP];       /* required; of the check's answer */
    uint32_t seq;                  /* required; grows by one with each report of a txn. txn and seq name a report */
    char component[KERF_NAME_CAP]; /* may be empty: all of the set */
    enum kerf_report_phase phase;  /* required */
    enum kerf_report_code code;    /* required with _FAILED and _ROLLED_BACK */
    enum kerf_mode mode;
    bool from_known, to_known; /* the pair this is about */
    struct kerf_sha256_digest from, to;
    uint64_t bytes; /* fetched so far */
    uint64_t ms;    /* milliseconds spent so far */
    uint64_t ram;   /* bytes, peak */
};

struct kerf_report_batch {
    char device_id[KERF_NAME_CAP];
    size_t count; /* at least 1 */
    struct kerf_report reports[KERF_MAX_REPORTS];
};

/* What the server did with a batch; every report is in one of the two counts and may be forgotten by the device. */
struct kerf_report_answer {
    uint32_t stored; /* new */
    uint32_t known;  /* seen before */
};

KERF_MUST_USE kerf_err kerf_report_batch_read(const char *text, size_t len, struct kerf_report_batch *batch,
                                              struct kerf_why *why);
KERF_MUST_USE kerf_err kerf_report_batch_write(const struct kerf_report_batch *batch, char **text, size_t *len);
KERF_MUST_USE kerf_err kerf_report_answer_read(const char *text, size_t len, struct kerf_report_answer *answer,
                                               struct kerf_why *why);
KERF_MUST_USE kerf_err kerf_report_answer_write(const struct kerf_report_answer *answer, char **text, size_t *len);

/* --- Any answer that is not 200: {"v":1,"error":"..."} --- */

KERF_MUST_USE kerf_err kerf_error_write(const char *message, char **text, size_t *len);
/* The message of such an answer, cut to `cap` - 1 bytes; "" when the text is not one (never an error). */
void kerf_error_read(const char *text, size_t len, char *message, size_t cap);

#ifdef __cplusplus
}
#endif

#endif
