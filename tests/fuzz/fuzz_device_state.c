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
    char *text_again = NULL;
    size_t again_len = 0;

    if (kerf_state_parse((const char *)data, len, &state, NULL) != KERF_OK) {
        return 0;
    }
    /* What is written is read as the same state: it is written the same once more. */
    if (kerf_state_format(&state, &text, &text_len) != KERF_OK ||
        kerf_state_parse(text, text_len, &again, NULL) != KERF_OK ||
        kerf_state_format(&again, &text_again, &again_len) != KERF_OK || again_len != text_len ||
        memcmp(text, text_again, text_len) != 0) {
        abort();
    }
    free(text);
    free(text_again);
    return 0;
}
