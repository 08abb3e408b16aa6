#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# cross_diff_test.sh KERF_DIFF [FOLDER ...]   the same images, the same delta, on every kind of host
#
# Builds the generator with gcc and with clang, for a 32-bit and for a big-endian host, with plain C in place of its
# libraries (tests/plain), and compares their deltas with the program's, byte for byte. Pairs: programs that were built for
# it, firmware, and a.old -> a.new for every such pair in the folders.
set -eu
diff=$1
shift
src=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

sources=
for source in "$src"/diffgen/*.c "$src"/common/*.c "$src"/common/isa/*.c "$src"/patcher/*.c "$src"/tests/plain/*.c; do
    case ${source##*/} in
    # The command, and what belongs to it; what needs liblzma (tests/plain stands in for it).
    info.c | inputs.c | kerf_diff.c | options.c | recount.c | report*.c | *_test.c) ;;
    flatten.c | symbols*.c | lzma2.c) ;;
    *) sources="$sources $source" ;;
    esac
done
# compile KIND CC OPTION...
compile() {
    kind=$1
    shift
    # shellcheck disable=SC2086
    "$@" -std=c11 -Wall -Wextra -Werror -I"$src" -I"$src/tests/plain" $sources -o "$dir/diff-$kind"
}
compile gcc gcc -O2
compile clang clang -O1
compile i686 i686-linux-gnu-gcc -O2 -static
compile mips mips-linux-gnu-gcc -O2 -static

# pair NAME OLD NEW RAM
pair() {
    "$diff" -q --ram "$4" "$2" "$3" -o "$dir/delta" 2>/dev/null || fail "$1: kerf-diff"
    for kind in gcc clang i686 mips; do
        run=
        [ $kind != mips ] || run=qemu-mips
        $run "$dir/diff-$kind" "$2" "$3" "$dir/delta-$kind" "$4" || fail "$1: $kind"
        cmp "$dir/delta" "$dir/delta-$kind" || fail "$1: another delta by $kind"
    done
    printf '%-24s %8d -> %8d bytes, ram %5d, delta %7d: kerf-diff, gcc, clang, i686, mips agree\n' "$1" "$(wc -c <"$2")" \
        "$(wc -c <"$3")" "$4" "$(wc -c <"$dir/delta")"
}

: >"$dir/empty"
printf x >"$dir/one"
seq 1 4000 >"$dir/text1"
seq 500 6000 >"$dir/text2"
pair 'text' "$dir/text1" "$dir/text2" 8192
pair 'from nothing' "$dir/empty" "$dir/text2" 8192
pair 'to nothing' "$dir/text1" "$dir/empty" 8192
pair 'one byte' "$dir/one" "$dir/one" 8192
"$src/tests/demo/firmware/build.sh" "$dir"
pair 'Thumb-2 firmware' "$dir/terminal-1.bin" "$dir/terminal-2.bin" 4096
pair 'Thumb-2 firmware' "$dir/terminal-2.bin" "$dir/terminal-3.bin" 65536
# The objects of one file for two optimisations: small programs of other machines.
for cc in gcc i686-linux-gnu-gcc mips-linux-gnu-gcc; do
    for o in 1 2; do
        $cc -std=c11 -O$o -I"$src" -c "$src/common/codec.c" -o "$dir/codec$o.o"
    done
    pair "$cc -O1 -O2" "$dir/codec1.o" "$dir/codec2.o" 8192
done
for folder in "$@"; do
    for old in "$folder"/*.old; do
        pair "$(basename "$old" .old)" "$old" "${old%.old}.new" 8192
    done
done
