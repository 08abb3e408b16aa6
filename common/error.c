/* SPDX-License-Identifier: Apache-2.0 */
#include "common/error.h"

enum kerf_fault kerf_err_fault(kerf_err err)
{
    int code = (int)err;

    if (code >= 0) {
        return KERF_FAULT_NONE;
    }
    if (code > -30) {
        return KERF_FAULT_DELTA;
    }
    if (code > -50) {
        return KERF_FAULT_DEVICE;
    }
    return code > -70 ? KERF_FAULT_TRUST : KERF_FAULT_CALLER;
}
