#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# powercut.sh BUILD [quick]   cuts the power at every flash operation of updates with real firmware (tests/powercut.c)
#
# The pairs are releases of the demo firmware (tests/demo/firmware, over 100 KB of Thumb-2), built here: a small change and a
# new feature. Environment: DEPTH: cuts that follow each other (2). `quick` is what `make check` runs: one cut at every 4th
# operation, two at a few.
set -eu
src=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
quick=${2:-}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

"$src/tests/demo/firmware/build.sh" "$dir" >/dev/null
for new in 2 3; do
    set -- "$dir/terminal-$((new - 1)).bin" "$dir/terminal-$new.bin"
    "$build/bin/kerf-diff" -q "$@" -o "$dir/two-$new.krf"
    "$build/bin/kerf-diff" -q --in-place sector=4096,scratch=2 "$@" -o "$dir/one-$new.krf"
done

# cut NEW KIND SETTING ...
cut() {
    new=$1 delta=$dir/$2-$1.krf
    shift 2
    "$build/tests/powercut" "$dir/terminal-$((new - 1)).bin" "$dir/terminal-$new.bin" "$delta" "$@"
}

if [ "$quick" = quick ]; then
    cut 2 two sample=8
    cut 3 two sample=32 unit=8 page=64
    cut 3 two depth=2 sample=128 sample2=4
    cut 2 one sample=16
    cut 3 one sample=32 unit=8 page=64
    cut 3 one depth=2 sample=128 sample2=4
    exit 0
fi
for new in 2 3; do
    for kind in two one; do
        cut "$new" "$kind" depth="${DEPTH:-2}"
        cut "$new" "$kind" depth=1 unit=8 page=256
        cut "$new" "$kind" depth="${DEPTH:-2}" sample=256 sample2=8 unit=8 page=64
    done
done
