/* SPDX-License-Identifier: Apache-2.0 */
/*
 * display.c - lines of the customer display, which counts characters and not bytes.
 */
#include "board.h"

#include "app.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define COLUMNS_MAX 40

int display_line(const char *text, unsigned columns, char *line, size_t cap)
{
    wchar_t wide[COLUMNS_MAX * 2 + 1];
    wchar_t padded[COLUMNS_MAX * 2 + 1];
    setlocale(LC_CTYPE, "C.UTF-8");
    const size_t len = mbstowcs(wide, text, COLUMNS_MAX * 2);
    if (len == (size_t)-1 || columns > COLUMNS_MAX) {
        return -1;
    }
    wide[len < COLUMNS_MAX * 2 ? len : COLUMNS_MAX * 2] = L'\0';
    const unsigned shown = len < columns ? (unsigned)len : columns;
    const unsigned left = (columns - shown) / 2;
    if (swprintf(padded, COLUMNS_MAX * 2, L"%*ls%.*ls%*ls", (int)left, L"", (int)shown, wide,
                 (int)(columns - shown - left), L"") < 0) {
        return -1;
    }
    const size_t written = wcstombs(line, padded, cap);
    return written != (size_t)-1 && written < cap ? 0 : -1;
}
