#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the demo terminal's firmware in its three releases: build.sh DIR makes DIR/terminal-1.bin, -2.bin and -3.bin, and
# beside each its ELF file and the linker's map.
# The same sources, the same bytes. CC (arm-none-eabi-gcc) and OBJCOPY (arm-none-eabi-objcopy) may be set.
set -eu

if [ $# -ne 1 ]; then
    echo "usage: build.sh DIR" >&2
    exit 2
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../../.." && pwd)
: "${CC:=arm-none-eabi-gcc}" "${OBJCOPY:=arm-none-eabi-objcopy}"
work=$(mktemp -d "${TMPDIR:-/tmp}/kerf-firmware.XXXXXX")
trap 'rm -rf "$work"' EXIT

flags="-mcpu=cortex-m3 -mthumb -Os -std=gnu11 -ffunction-sections -fdata-sections -Wall -Wextra
       -DKERF_POS_BITS=32 -DKERF_ENCODER=0 -ffile-prefix-map=$root=. -I."
cd "$root"

# Kerf's freestanding core goes in as it is: all of common/ and patcher/ but tests and ports.
core=
for source in common/*.c common/isa/*.c patcher/*.c; do
    case $source in
    *_test.c) continue ;;
    esac
    object=$work/$(echo "$source" | tr / _).o
    # shellcheck disable=SC2086
    $CC $flags -c "$source" -o "$object"
    core="$core $object"
done

for release in 1 2 3; do
    own=
    for source in tests/demo/firmware/*.c; do
        object=$work/$release-$(basename "$source").o
        # shellcheck disable=SC2086
        $CC $flags -Werror "-DFIRMWARE_RELEASE=$release" -c "$source" -o "$object"
        own="$own $object"
    done
    # shellcheck disable=SC2086
    $CC $flags -nostartfiles -Wl,--gc-sections -Wl,-T,tests/demo/firmware/firmware.ld $own $core -lm \
        -Wl,-Map="$out/terminal-$release.map" -o "$out/terminal-$release.elf"
    $OBJCOPY -O binary "$out/terminal-$release.elf" "$out/terminal-$release.bin"
done
