/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocol_words.h - what the files of the protocol share; not for anybody else.
 */
#ifndef KERF_COMMON_HOST_PROTOCOL_WORDS_H
#define KERF_COMMON_HOST_PROTOCOL_WORDS_H

#include "common/host/json_read.h"
#include "common/host/protocol.h"

/* The words of the wire, in the order of the enums; word 0 is "" (not given). */
#define KERF_MODE_WORDS (KERF_MODE_FULL + 1)
#define KERF_PHASE_WORDS (KERF_REPORT_ROLLED_BACK + 1)
#define KERF_CODE_WORDS (KERF_CODE_BOOT_FAIL + 1)

extern const char *const kerf_mode_words[KERF_MODE_WORDS];
extern const char *const kerf_phase_words[KERF_PHASE_WORDS];
extern const char *const kerf_code_words[KERF_CODE_WORDS];

/* Reads "v" of a message; another version than ours is KERF_ERR_VERSION. */
void kerf_protocol_version_read(struct kerf_json *json, const struct kerf_json_at *top);

/* {"v":1}; NULL when there is no memory. */
json_t *kerf_protocol_begin(void);

/* An array of `count` texts that lie `stride` bytes apart; NULL when one is not UTF-8 or there is no memory. */
json_t *kerf_protocol_texts(const char *texts, size_t count, size_t stride);

#endif
