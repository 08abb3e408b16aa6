/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - a device that is given a delta: the old image lies in its slot, the delta comes through a semihosting file in
 * small pieces, the real core applies it to the flash of the board. Prints what it took, and exits with 0, or with the
 * error's absolute value.
 *
 *     command line: kerf DELTA [PIECE]      PIECE: bytes fed at a time, 1 .. 64 (64)
 */
#include "patcher/port/cortex-m/board.h"
#include "patcher/port/cortex-m/selftest.h"
#include "patcher/port/cortex-m/semihost.h"
#include "patcher/port/cortex-m/update.h"

#define EXIT_USAGE 99

/* Splits "kerf DELTA PIECE" in place. */
static const char *next_word(char **text)
{
    char *word = *text;

    while (*word == ' ') {
        word++;
    }
    *text = word;
    while (**text != ' ' && **text != '\0') {
        ++*text;
    }
    if (**text == ' ') {
        *(*text)++ = '\0';
    }
    return word;
}

int main(void)
{
    char cmdline[256];
    char *rest = cmdline;
    const char *path;
    const char *number;
    size_t piece_len = 0;

    kerf_semihost_cmdline(cmdline, sizeof(cmdline));
    (void)next_word(&rest);
    path = next_word(&rest);
    for (number = next_word(&rest); *number >= '0' && *number <= '9' && piece_len <= KERF_UPDATE_PIECE_MAX; number++) {
        piece_len = piece_len * 10 + (size_t)(*number - '0');
    }
    if (*path == '\0' || *number != '\0' || piece_len > KERF_UPDATE_PIECE_MAX) {
        kerf_semihost_print("usage: kerf DELTA [PIECE]   PIECE: bytes fed at a time, 1 .. 64\n");
        return EXIT_USAGE;
    }
    kerf_semihost_print("board ");
    kerf_semihost_print(kerf_board.name);
    kerf_semihost_print("\n");
#if KERF_IMAGE_SELFTEST
    if (kerf_selftest() != KERF_OK) {
        kerf_semihost_print("self-test failed: this build's SHA-256 or integer code is wrong\n");
        return EXIT_USAGE;
    }
#endif
    return kerf_update_run(path, NULL, piece_len == 0 ? KERF_UPDATE_PIECE_MAX : piece_len);
}
