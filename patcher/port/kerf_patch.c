/* SPDX-License-Identifier: Apache-2.0 */
/* kerf-patch: applies a delta to a file or a block device. docs/man/kerf-patch.1 */
#include <string.h>

#include "common/host/cli.h"
#include "patcher/port/patch_options.h"
#include "patcher/port/patch_run.h"

int main(int argc, char **argv)
{
    struct kerf_patch_options o;
    int code;

    memset(&o, 0, sizeof o);
    kerf_cli_begin("kerf-patch");
    code = kerf_patch_options_parse(&o, argc, argv);
    if (code < 0 && o.position) {
        code = kerf_patch_position(&o);
    } else if (code < 0) {
        kerf_cli_catch_signals();
        code = kerf_patch_run(&o);
    }
    return kerf_cli_end(code);
}
