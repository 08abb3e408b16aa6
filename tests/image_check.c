/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/image_check.h"

#include <string.h>

const char *test_image_check(const struct kerf_image *image, size_t old_len, size_t new_len)
{
    uint64_t old_end = 0;
    uint64_t new_end = 0;
    uint64_t range_end = 0;
    uint64_t highest = (uint64_t)old_len >> 32 != 0 || (uint64_t)new_len >> 32 != 0 ? UINT64_MAX : UINT32_MAX;

    if (image->region_count > KERF_MAX_REGIONS || image->range_count > KERF_MAX_RANGES) {
        return "too many";
    }
    if (memchr(image->recognised, 0, sizeof(image->recognised)) == NULL || image->recognised[0] == 0) {
        return "nothing is said";
    }
    for (unsigned i = 0; i < image->region_count; i++) {
        const struct kerf_region *r = &image->regions[i];

        if (r->old_len == 0 || r->new_len == 0 || kerf_isa_name(r->isa) == NULL) {
            return "an empty region, or of no ISA";
        }
        if (r->old_pos < old_end || r->new_pos < new_end) {
            return "regions overlap or are not sorted";
        }
        if (r->old_pos > old_len || r->old_len > old_len - r->old_pos || r->new_pos > new_len ||
            r->new_len > new_len - r->new_pos) {
            return "a region is not inside the image";
        }
        if (r->old_addr > highest || r->new_addr > highest) {
            return "an address is too wide";
        }
        old_end = r->old_pos + r->old_len;
        new_end = r->new_pos + r->new_len;
    }
    for (unsigned i = 0; i < image->range_count; i++) {
        const struct kerf_range *r = &image->ranges[i];

        if (r->len == 0 || r->start % 256 != 0 || r->len % 256 != 0 || r->len - 1 > highest - r->start) {
            return "a bad range";
        }
        if (i > 0 && r->start < range_end) {
            return "ranges overlap or are not sorted";
        }
        range_end = r->start + r->len;
    }
    return NULL;
}
