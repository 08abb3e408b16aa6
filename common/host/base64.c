/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/base64.h"

static const char base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t kerf_base64_len(size_t len)
{
    return (len + 2) / 3 * 4;
}

void kerf_base64_encode(const uint8_t *data, size_t len, char *text)
{
    while (len > 0) {
        const size_t n = len < 3 ? len : 3;
        const uint32_t v = (uint32_t)data[0] << 16 | (uint32_t)(n > 1 ? data[1] : 0) << 8 |
                           (uint32_t)(n > 2 ? data[2] : 0);

        text[0] = base64_alphabet[v >> 18];
        text[1] = base64_alphabet[v >> 12 & 63];
        text[2] = n > 1 ? base64_alphabet[v >> 6 & 63] : '=';
        text[3] = n > 2 ? base64_alphabet[v & 63] : '=';
        text += 4;
        data += n;
        len -= n;
    }
    *text = 0;
}

/* The value of a base64 character, or 64. */
static uint32_t base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (uint32_t)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (uint32_t)(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return (uint32_t)(c - '0') + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

kerf_err kerf_base64_decode(const char *text, size_t text_len, uint8_t *data, size_t *len)
{
    size_t out = 0;

    if (text_len % 4 != 0) {
        return KERF_ERR_FORMAT;
    }
    for (size_t pos = 0; pos < text_len; pos += 4) {
        const bool last = pos + 4 == text_len;
        const size_t pad = !last || text[pos + 3] != '=' ? 0 : text[pos + 2] != '=' ? 1 : 2;
        uint32_t v = 0;

        for (size_t i = 0; i < 4; i++) {
            const uint32_t digit = i < 4 - pad ? base64_value(text[pos + i]) : 0;

            if (digit > 63) {
                return KERF_ERR_FORMAT;
            }
            v = v << 6 | digit;
        }
        if ((pad == 1 && (v & 0xFF) != 0) || (pad == 2 && (v & 0xFFFF) != 0)) {
            return KERF_ERR_FORMAT;
        }
        data[out++] = (uint8_t)(v >> 16);
        if (pad < 2) {
            data[out++] = (uint8_t)(v >> 8);
        }
        if (pad < 1) {
            data[out++] = (uint8_t)v;
        }
    }
    *len = out;
    return KERF_OK;
}
