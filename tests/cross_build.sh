#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# cross_build.sh BUILD   builds the core and tests/replay for hosts of another kind, into BUILD/cross-<kind>:
#   pos32     this host, 32-bit positions as on devices, but with type records
#   i686      32-bit host
#   mips      32-bit big-endian host, run under qemu-mips
#   no-journal, no-in-place    this host, without these (KERF_JOURNAL, KERF_IN_PLACE)
set -eu
build=$1
src=$(cd "$(dirname "$0")/.." && pwd)

core() {
    kind=$1
    shift
    cmake -S "$src" -B "$build/cross-$kind" -DKERF_CORE_ONLY=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo "$@" >/dev/null
    cmake --build "$build/cross-$kind" -j 2
}

core pos32 -DKERF_POS_BITS=32 "-DCMAKE_C_FLAGS=-DKERF_ISA_HAS_BTF=1 -DKERF_ISA_HAS_ELF=1 -DKERF_ISA_HAS_OFFSETS=1 -DKERF_ISA_HAS_ARC=1 -DKERF_ISA_HAS_BA2=1 -DKERF_ISA_HAS_HEXAGON=1 -DKERF_ISA_HAS_MCS51=1 -DKERF_ISA_HAS_MIPS16=1 -DKERF_ISA_HAS_NDS32=1 -DKERF_ISA_HAS_POWERPC=1 -DKERF_ISA_HAS_TC32=1 -DKERF_ISA_HAS_VIDEOCORE=1"
core i686 -DCMAKE_TOOLCHAIN_FILE="$src/cmake/i686.cmake"
core mips -DCMAKE_TOOLCHAIN_FILE="$src/cmake/mips.cmake"
# What can be left out is left out; nothing runs.
core no-journal '-DCMAKE_C_FLAGS=-DKERF_JOURNAL=0 -DKERF_IN_PLACE=0'
core no-in-place -DCMAKE_C_FLAGS=-DKERF_IN_PLACE=0
