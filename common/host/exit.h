/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exit.h - exit codes of every Kerf program; part of the interface, documented in the man pages. Scripts may rely on
 * them.
 */
#ifndef KERF_COMMON_HOST_EXIT_H
#define KERF_COMMON_HOST_EXIT_H

enum kerf_exit {
    KERF_EXIT_OK = 0,       /* done */
    KERF_EXIT_INTERNAL = 1, /* a bug in Kerf, or out of memory */
    KERF_EXIT_USAGE = 2,    /* wrong command line; nothing was touched */
    KERF_EXIT_DELTA = 3,    /* the delta (or other input of a Kerf format) is damaged or not one */
    KERF_EXIT_SOURCE = 4,   /* the old image is not the one the delta was made from */
    KERF_EXIT_IO = 5,       /* a file can't be read or written: missing, permission, disk full */
    KERF_EXIT_TRUST = 6,    /* signature, digest or rollback check failed */
    KERF_EXIT_LIMIT = 7,    /* does not fit: workspace, slot, a feature this build leaves out */
    KERF_EXIT_NETWORK = 8,  /* server or network not reached, or it answered nonsense */
    KERF_EXIT_NONE = 10,    /* nothing to do: no update for this device */
};

#endif
