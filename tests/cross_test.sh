#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# cross_test.sh BUILD KERF_DIFF REPLAY [FOLDER ...]   the same bytes on every kind of host
#
# Makes deltas between real programs (or between a.old and a.new for every such pair in the folders), then lets the
# decoder of each host apply them, natively, with 32-bit positions, on a 32-bit host and on a big-endian one: the digest
# is that of the new image everywhere.
set -eu
build=$1
diff=$2
native=$3
shift 3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# replay KIND OLD DELTA [PIECE]
replay() {
    kind=$1
    shift
    case $kind in
    native) "$native" "$@" ;;
    mips) qemu-mips -L /usr/mips-linux-gnu "$build/cross-mips/bin/replay" "$@" ;;
    *) "$build/cross-$kind/bin/replay" "$@" ;;
    esac
}

pair() {
    name=$1 old=$2 new=$3
    "$diff" "$old" "$new" -o "$dir/delta.krf" >/dev/null
    want=$(sha256sum <"$new" | cut -d' ' -f1)
    for kind in native pos32 i686 mips; do
        # Odd pieces: the cut moves through all that is read at once.
        got=$(replay "$kind" "$old" "$dir/delta.krf" 977) || fail "$name on $kind"
        [ "$got" = "$want" ] || fail "$name on $kind: $got instead of $want"
    done
    printf '%-24s %8d -> %8d bytes, delta %7d: native, pos32, i686, mips agree\n' "$name" "$(wc -c <"$old")" \
        "$(wc -c <"$new")" "$(wc -c <"$dir/delta.krf")"
}

# The first part of two real programs: statically linked ones are large, and time goes into making the delta.
programs() {
    head -c 120000 "$2" >"$dir/a"
    head -c 130000 "$3" >"$dir/b"
    pair "$1" "$dir/a" "$dir/b"
}

: >"$dir/empty"
programs 'big-endian program' "$build/cross-mips/bin/replay" "$build/cross-mips/bin/crosscheck"
programs '32-bit program' "$build/cross-i686/bin/replay" "$build/cross-i686/bin/crosscheck"
programs 'native program' "$native" "$diff"
pair 'from nothing' "$dir/empty" "$dir/a"
pair 'to nothing' "$dir/a" "$dir/empty"
for folder in "$@"; do
    for old in "$folder"/*.old; do
        pair "$(basename "$old" .old)" "$old" "${old%.old}.new"
    done
done
