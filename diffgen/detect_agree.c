/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two images are loaded at the same address. */
#include "diffgen/detect_source.h"

#define MIN_AGREEING 16u /* words: fewer may be chance */

/* How many words point to functions and strings of an image that is loaded there. */
static size_t count_pointers(const struct kerf_source *s, uint64_t base)
{
    size_t width = s->wide ? 8 : 4;
    size_t align = kerf_detect_alignment(s->isa);
    bool odd = kerf_source_is_odd(s);
    size_t count = 0;
    uint64_t word;

    for (size_t i = (size_t)(0 - base) & (width - 1); i + width <= s->len; i += width) {
        if (!kerf_source_word(s, i, &word) || word - base >= s->len) {
            continue;
        }
        size_t at = (size_t)(word - base);

        if (odd ? at % 2 == 1 : at % align == 0 && at + 8 <= s->len && kerf_source_function(s, at)) {
            count += !odd || (at + 8 <= s->len && kerf_source_function(s, at - 1));
        } else if (!s->wide) {
            count += kerf_source_string(s, at);
        }
    }
    return count;
}

bool kerf_base_agrees(unsigned isa, bool wide, bool big_endian, const uint8_t *old_image, size_t old_len,
                      const uint8_t *new_image, size_t new_len, const struct kerf_base *base)
{
    const struct kerf_source old_source = {
        .p = old_image, .len = old_len, .isa = isa, .wide = wide, .big_endian = big_endian};
    const struct kerf_source new_source = {
        .p = new_image, .len = new_len, .isa = isa, .wide = wide, .big_endian = big_endian};

    if (!base->by_words || old_len < 8 || new_len < 8) {
        return false;
    }
    size_t wanted = count_pointers(&old_source, base->addr) / 4 * 3;

    return wanted >= MIN_AGREEING && count_pointers(&new_source, base->addr) >= wanted;
}
