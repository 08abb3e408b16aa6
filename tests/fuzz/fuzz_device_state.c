/* SPDX-License-Identifier: Apache-2.0 */
/* The device's state file: whatever it holds, a state that was accepted is written and read as the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "patcher/port/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kerf_device_state state;
    struct kerf_device_state again;
    char *text = NULL;
    size_t text_len = 0;
    if (kerf_state_parse((const char *)data, len, &state, NULL) != KERF_OK) {
        return 0;
    }
    if (kerf_state_format(&state, &text, &text_len) != KERF_OK ||
        kerf_state_parse(text, text_len, &again, NULL) != KERF_OK || memcmp(&state, &again, sizeof state) != 0) {
        abort();
    }
    free(text);
    return 0;
}
