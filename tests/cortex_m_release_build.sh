#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# cortex_m_release_build.sh BUILD   builds the QEMU image that verifies signed releases, in BUILD/cortex-m, which exists
#
# Its libraries come from Debian's source packages, into BUILD/sources, once. 77 (skipped) when they can't be had.
set -eu
src=$(cd "$(dirname "$0")/.." && pwd)
build=$1
sources=$build/sources

# unpacked NAME SHA256   prints where the source is
unpacked() {
    folder=$sources/$1-$(echo "$2" | cut -c 1-8)
    if [ ! -d "$folder" ]; then
        tarball=$("$src/tools/debian-source" "$1" "$2" "$sources") || return 1
        rm -rf "$folder.new" && mkdir "$folder.new"
        tar -xf "$tarball" -C "$folder.new" --strip-components=1
        mv "$folder.new" "$folder"
    fi
    echo "$folder"
}

mbedtls=$(unpacked mbedtls 3b4953aa55a681e084d31892d9904cc5328d6b4958ea57b90ae4b4f94ae69a8d) || exit 77
sodium=$(unpacked libsodium d59323c6b712a1519a5daf710b68f5e7fde57040845ffec53850911f10a5d4f4) || exit 77
cmake -S "$src" -B "$build/cortex-m" -DKERF_MBEDTLS_DIR="$mbedtls" -DKERF_LIBSODIUM_DIR="$sodium" >/dev/null
exec cmake --build "$build/cortex-m" -j 2 --target kerf-an386-release
