#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# cortex_m_build.sh FOLDER [TOOLCHAIN]   builds the device core and the QEMU images there, as the preset cortex-m does, or, with
# riscv32-none-elf, rv32
set -eu
src=$(cd "$(dirname "$0")/.." && pwd)
cmake -S "$src" -B "$1" -DCMAKE_TOOLCHAIN_FILE="$src/cmake/${2:-arm-none-eabi}.cmake" -DCMAKE_BUILD_TYPE=MinSizeRel >/dev/null
exec cmake --build "$1" -j 2
