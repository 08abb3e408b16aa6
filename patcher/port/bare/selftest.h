/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selftest.h - what an image can check of itself before it trusts its own verdicts. Built into the second version of
 * the QEMU image only, so that there are two versions with a real change between them.
 */
#ifndef KERF_PORT_BARE_SELFTEST_H
#define KERF_PORT_BARE_SELFTEST_H

#include "common/error.h"
#include "common/types.h"

/* KERF_OK, or KERF_ERR_STATE when SHA-256 or byte order give a wrong answer on this machine. */
KERF_MUST_USE kerf_err kerf_selftest(void);

#endif
