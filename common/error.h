/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error.h - what a Kerf function answers.
 *
 * Every function that can fail returns kerf_err; results leave through pointers.
 * KERF_OK is 0. Values above 0 are not errors: they say what the caller does next.
 * Values below 0 are errors, grouped by who is at fault, so that a caller that knows
 * no single code can still act: ask for another delta (KERF_FAULT_DELTA), give up on
 * this device (KERF_FAULT_DEVICE), distrust the source (KERF_FAULT_TRUST), or mend
 * the program (KERF_FAULT_CALLER). The numbers are part of the API and never reused.
 */
#ifndef KERF_COMMON_ERROR_H
#define KERF_COMMON_ERROR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define KERF_MUST_USE __attribute__((warn_unused_result))
#else
#define KERF_MUST_USE
#endif

typedef enum kerf_err {
    KERF_OK = 0,
    /* Not errors. */
    KERF_MORE_INPUT = 1, /* all input is used up: feed more, or say that there is no more */
    KERF_MORE_WORK = 2,  /* bounded work was done and there is more: call again */
    KERF_END = 3,        /* finished: everything was written and verified */
    KERF_SECTOR = 4,     /* a sector of the new image is complete: see kerf_codec_step() */
    KERF_NONE = 5,       /* there is nothing of what was asked for */

    /* The delta (or another file that was read) is at fault: -10 .. -29. */
    KERF_ERR_FORMAT = -10,      /* not a Kerf container, or a header that contradicts itself */
    KERF_ERR_VERSION = -11,     /* a Kerf container of a version this build does not know */
    KERF_ERR_CORRUPT = -12,     /* the payload decodes to nonsense */
    KERF_ERR_CHUNK = -13,       /* a chunk's digest is not the one that was announced */
    KERF_ERR_TRUNCATED = -14,   /* the input ends before the delta does */
    KERF_ERR_TRAILING = -15,    /* bytes after the end of the delta */
    KERF_ERR_TARGET = -16,      /* the new image's digest is not the one in the header */
    KERF_ERR_UNSUPPORTED = -17, /* needs an ISA or a feature that this build leaves out */

    /* The device is at fault: -30 .. -49. */
    KERF_ERR_SOURCE = -30, /* the old image is not the one the delta was made from */
    KERF_ERR_FLASH = -31,  /* reading, erasing or programming failed (flash, file, disk) */
    KERF_ERR_SPACE = -32,  /* the new image does not fit into the slot */
    KERF_ERR_RAM = -33,    /* the workspace is smaller than the delta needs */

    /* Trust: -50 .. -69. */
    KERF_ERR_SIGNATURE = -50, /* no valid signature by a known key, or too few of them */
    KERF_ERR_ROLLBACK = -51,  /* older than what the device has already accepted */
    KERF_ERR_EXPIRED = -52,   /* signed, but its time is over */
    KERF_ERR_MISMATCH = -53,  /* signed data and payload (or device and release) disagree */

    /* The caller is at fault: -70 .. -89. */
    KERF_ERR_STATE = -70,    /* called out of order, or after a failure */
    KERF_ERR_ARGUMENT = -71, /* an argument outside its documented range */
} kerf_err;

/* A kerf_err as states keep it, eight bits without a sign, which take a device shorter instructions; and back. */
#define KERF_ERROR(err) ((uint8_t)(err))

static inline kerf_err kerf_error(uint8_t error)
{
    return (kerf_err)(int8_t)error;
}

/* Who is at fault for an error. */
enum kerf_fault {
    KERF_FAULT_NONE,
    KERF_FAULT_DELTA,
    KERF_FAULT_DEVICE,
    KERF_FAULT_TRUST,
    KERF_FAULT_CALLER,
};

/* The group of `err`; KERF_FAULT_NONE for KERF_OK and for values above 0. Reentrant, no state. */
enum kerf_fault kerf_err_fault(kerf_err err);

#ifdef __cplusplus
}
#endif

#endif
