/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - a device that is given a delta: the old image lies in its slot, the delta comes through a semihosting file
 * in small pieces, the real core applies it to the flash of the board. Prints what it took, and exits with 0, or with
 * the error's absolute value.
 *
 *     command line: kerf DELTA [PIECE [CUT]]      PIECE: bytes fed at a time, 1 .. 64 (64)
 *                                                 CUT: with a journal; the flash operation in which the power goes, 0:
 *                                                 none
 */
#include "patcher/port/bare/board.h"
#include "patcher/port/bare/selftest.h"
#include "patcher/port/bare/semihost.h"
#include "patcher/port/bare/update.h"

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

/* A number up to 9 digits; false: it is none. An empty word leaves *v as it is. */
static bool parse(const char *word, uint32_t *v)
{
    uint32_t n = 0;
    size_t len = 0;

    for (; word[len] != '\0'; len++) {
        if (word[len] < '0' || word[len] > '9' || len == 9) {
            return false;
        }
        n = n * 10 + (uint32_t)(word[len] - '0');
    }
    *v = len == 0 ? *v : n;
    return true;
}

int main(void)
{
    char cmdline[256];
    char *rest = cmdline;
    const char *path;
    const char *cut;
    uint32_t piece_len = KERF_UPDATE_PIECE_MAX;
    struct kerf_update_options options = {.cut = 0};

    kerf_semihost_cmdline(cmdline, sizeof(cmdline));
    (void)next_word(&rest);
    path = next_word(&rest);
    if (*path == '\0' || !parse(next_word(&rest), &piece_len) || piece_len < 1 || piece_len > KERF_UPDATE_PIECE_MAX) {
        kerf_semihost_print("usage: kerf DELTA [PIECE [CUT]]   PIECE: bytes fed at a time, 1 .. 64\n");
        return EXIT_USAGE;
    }
    cut = next_word(&rest);
    options.piece_len = piece_len;
    options.journal = *cut != '\0';
    if (!parse(cut, &options.cut)) {
        kerf_semihost_print("CUT is a number\n");
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
    return kerf_update_run(path, NULL, &options);
}
