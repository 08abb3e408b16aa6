#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# powercut.sh BUILD [quick]   cuts the power at every operation of updates: on flash with real firmware (tests/powercut.c), on
#                             files and block devices (tests/filecut.c)
#
# The pairs are releases of the demo firmware (tests/demo/firmware, over 100 KB of Thumb-2), built here: a small change and a
# new feature; in two slots, in place, and in a slot that is larger than the images, where old bytes are kept behind them (the new feature, its halves swapped); on a
# device that is new or (used) was updated before, and is cut while it forgets that. Where marks are smaller than a page, all of them are cut. It takes long, so it is done in parts, JOBS (2) at a time; what each part printed is kept in
# BUILD/powercut, and a part that is done, with the same programs and images, is not done again: run it again to go on. Environment:
#
#   DEPTH=2     cuts that follow each other, at program units of 256 bytes
#   LIMIT=S     begin no part after S seconds; what is left is done by the next run
#   ONLY=TEXT   only the parts whose name contains TEXT (the names are the files in BUILD/powercut)
#
# `quick` is what `make check` runs: one cut at every operation, two where the first is in a mark, or at every 64th operation,
#         and of the second ones every fourth where it is in no mark.
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
# Its halves change places, so that old bytes must be kept.
{ tail -c +61441 "$2" && head -c 61440 "$2"; } >"$dir/halves.bin"
"$build/bin/kerf-diff" -q --in-place sector=4096,scratch=1,slot=163840 "$1" "$dir/halves.bin" -o "$dir/beyond-3.krf"
"$build/bin/kerf-diff" info "$dir/beyond-3.krf" | grep -q 'sectors of the slot behind the images' || {
    echo "nothing is kept behind the images: this is no test of it" >&2
    exit 1
}

# flash NEW KIND SETTING ...: the command line. KIND: two, one, beyond, used-two, used-one.
flash() {
    new=$1 kind=${2#used-} used=$2
    shift 2
    image=$dir/terminal-$new.bin
    [ "$kind" != beyond ] || image=$dir/halves.bin
    [ "$used" = "$kind" ] || set -- "$@" "earlier=$dir/$kind-2.krf" "from=$dir/terminal-1.bin"
    echo "$build/tests/powercut $dir/terminal-$((new - 1)).bin $image $dir/$kind-$new.krf $*"
}

# shellcheck disable=SC2086,SC2091 # what flash prints is what is to be run; a case is two words
if [ "$quick" = quick ]; then
    for case in '2 two' '3 two' '2 one' '3 one' '3 beyond'; do
        $(flash $case depth=1 unit=8 page=64)
    done
    for case in '2 two' '2 one' '3 beyond' '3 used-two' '3 used-one'; do
        $(flash $case depth=2 sample=64 sample2=4 unit=16)
    done
    exit 0
fi

# Each part: its name, and what it runs.
# shellcheck disable=SC2086 # a case is two words
parts() {
    for scenario in $("$build/tests/filecut" list); do
        echo "file-$scenario $build/tests/filecut full $scenario"
    done
    for case in '2 two' '3 two' '2 one' '3 one' '3 beyond' '3 used-two' '3 used-one'; do
        name=$(echo "$case" | sed 's/\(.\) \(.*\)/flash-\2-\1/')
        for part in 0 1 2 3; do
            echo "$name-unit8-$part $(flash $case depth=1 unit=8 page=256 part=$part parts=4 seed=$part)"
            echo "$name-unit8-again-$part $(flash $case depth="${DEPTH:-2}" sample=64 sample2=4 unit=8 page=64 part=$part parts=4 seed=$part)"
            echo "$name-marks-$part $(flash $case depth=3 sample=1024 sample2=16 unit=16 part=$part parts=4 seed=$part)"
        done
        # At units of 256 bytes the earlier update's journal is larger than the device that powercut makes for the later one.
        [ "${case#* used-}" = "$case" ] || continue
        for part in 00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15; do
            echo "$name-depth${DEPTH:-2}-$part $(flash $case depth="${DEPTH:-2}" part=$part parts=16 seed=$part)"
        done
    done | sed 's/part=0\([0-9]\)/part=\1/; s/seed=0\([0-9]\)/seed=\1/'
}

kept=$build/powercut
mkdir -p "$kept"
stamp=$(cat "$build/tests/powercut" "$build/tests/filecut" "$dir"/*.bin "$dir"/*.krf | sha256sum | cut -c1-16)
if [ "$(cat "$kept/.stamp" 2>/dev/null)" != "$stamp" ]; then
    rm -f "$kept"/*
    echo "$stamp" >"$kept/.stamp"
fi
parts | grep -- "${ONLY:-}" >"$dir/parts"
begun=$(date +%s)
export kept begun LIMIT="${LIMIT:-}"
# shellcheck disable=SC2016 # the inner shell expands it
xargs -P "${JOBS:-2}" -L 1 sh -c '
    name=$1
    shift
    if [ -e "$kept/$name" ] || { [ -n "$LIMIT" ] && [ $(($(date +%s) - begun)) -ge "$LIMIT" ]; }; then
        exit 0
    fi
    if "$@" >"$kept/.$name.new"; then
        mv "$kept/.$name.new" "$kept/$name"
        echo "done: $name: $(tail -n 1 "$kept/$name")"
    else
        echo "FAILED: $name: $(grep FAILED "$kept/.$name.new" | head -n 3; tail -n 1 "$kept/.$name.new")"
        exit 1
    fi' part <"$dir/parts" || { echo "failures are above; the output of what failed is in $kept/.*.new" >&2; exit 1; }

# All that was done, by its last lines.
# shellcheck disable=SC2020 # sets of characters are meant
while read -r name rest; do
    [ -e "$kept/$name" ] && tail -n 1 "$kept/$name" || echo "left"
done <"$dir/parts" | tr ',;' '\n\n' | awk '
    /left/ { left++ }
    /^ *cut [0-9]/ { cut += $2 }
    /operations cut/ { cut += $3; kind = "file" }
    /cuts: first/ { recoveries += $3 }
    /^ *(second|third) [0-9]/ { recoveries += $2 }
    /^ *recoveries/ { recoveries += $2 }
    /after a second cut/ { recoveries += $5 }
    /like one before: flash/ || /erased unread/ { alike += $NF }
    /^ *failures/ { failures += $NF }
    END {
        printf "operations cut %d, recoveries %d (%d like one before, not followed), failures = %d", cut, recoveries, alike,
            failures
        if (left) printf "; %d parts are left: run it again", left
        print ""
        exit failures > 0
    }'
