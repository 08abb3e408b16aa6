#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the demo terminal's firmware: build.sh RELEASE OUT.bin, RELEASE 1, 2 or 3. The same sources, the same bytes.
# CC (arm-none-eabi-gcc) and OBJCOPY (arm-none-eabi-objcopy) may be set.
set -eu

if [ $# -ne 2 ]; then
    echo "usage: build.sh RELEASE OUT.bin" >&2
    exit 2
fi
release=$1
out=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
: "${CC:=arm-none-eabi-gcc}" "${OBJCOPY:=arm-none-eabi-objcopy}"
work=$(mktemp -d "${TMPDIR:-/tmp}/kerf-firmware.XXXXXX")
trap 'rm -rf "$work"' EXIT

flags="-mcpu=cortex-m3 -mthumb -Os -std=gnu11 -ffunction-sections -fdata-sections -Wall -Wextra
       -DFIRMWARE_RELEASE=$release -DKERF_POS_BITS=32 -DKERF_ENCODER=0 -ffile-prefix-map=$root=."
cd "$root"
objects=
# Kerf's freestanding core goes in as it is: all of common/ and patcher/ but tests and ports.
for source in tests/demo/firmware/*.c common/*.c common/isa/*.c patcher/*.c; do
    case $source in
    *_test.c | *\**) continue ;;
    esac
    strict=
    case $source in
    tests/*) strict=-Werror ;;
    esac
    object=$work/$(echo "$source" | tr / _).o
    # shellcheck disable=SC2086
    $CC $flags $strict -I. -c "$source" -o "$object"
    objects="$objects $object"
done
# shellcheck disable=SC2086
$CC $flags -nostartfiles -Wl,--gc-sections -Wl,-T,tests/demo/firmware/firmware.ld $objects -lm -o "$work/firmware.elf"
$OBJCOPY -O binary "$work/firmware.elf" "$out"
