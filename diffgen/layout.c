/* SPDX-License-Identifier: Apache-2.0 */
/* Stretches of an image that lie at one address: cut to the image, sorted, without overlap. */
#include "diffgen/detect.h"

void kerf_layout_add(struct kerf_layout *layout, size_t image_len, uint64_t pos, uint64_t len, uint64_t addr, bool code)
{
    if (pos >= image_len || layout->span_count == KERF_MAX_SPANS) {
        return;
    }
    if (len > image_len - pos) {
        len = image_len - pos;
    }
    if (len > 0) {
        layout->spans[layout->span_count++] = (struct kerf_span){pos, len, addr, code};
    }
}

void kerf_layout_finish(struct kerf_layout *layout)
{
    unsigned kept = 0;

    for (unsigned i = 1; i < layout->span_count; i++) {
        struct kerf_span span = layout->spans[i];
        unsigned at = i;

        for (; at > 0 && layout->spans[at - 1].pos > span.pos; at--) {
            layout->spans[at] = layout->spans[at - 1];
        }
        layout->spans[at] = span;
    }
    for (unsigned i = 0; i < layout->span_count; i++) {
        struct kerf_span span = layout->spans[i];
        uint64_t end = kept > 0 ? layout->spans[kept - 1].pos + layout->spans[kept - 1].len : 0;

        if (span.pos < end) {
            uint64_t cut = end - span.pos;

            if (cut >= span.len) {
                continue;
            }
            span.pos += cut;
            span.len -= cut;
            span.addr += cut;
        }
        layout->spans[kept++] = span;
    }
    layout->span_count = kept;
}
