/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's configuration file, lines or JSON. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "patcher/port/agent_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kerf_agent_config config;
    struct kerf_why why = {""};
    kerf_agent_config_defaults(&config);
    const kerf_err err = kerf_agent_config_parse(&config, (const char *)data, len, &why);
    if (err != KERF_OK && why.text[0] == '\0') {
        abort(); /* an error that nobody can read */
    }
    if (err == KERF_OK && kerf_agent_config_check(&config, true, &why) != KERF_OK && why.text[0] == '\0') {
        abort();
    }
    return 0;
}
