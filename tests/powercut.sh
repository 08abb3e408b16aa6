#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# powercut.sh BUILD [quick]   cuts the power at every operation of updates: on flash with real firmware (tests/powercut.c), on
#                             files and block devices (tests/filecut.c)
#
# The pairs are releases of the demo firmware (tests/demo/firmware, over 100 KB of Thumb-2), built here: a small change and a
# new feature; in two slots and in place. It takes long, so it is done in parts, JOBS (2) at a time; what each part printed is kept in
# BUILD/powercut, and a part that is done, with the same programs and images, is not done again: run it again to go on. Environment:
#
#   DEPTH=2     cuts that follow each other, at program units of 256 bytes
#   LIMIT=S     begin no part after S seconds; what is left is done by the next run
#   ONLY=TEXT   only the parts whose name contains TEXT (the names are the files in BUILD/powercut)
#
# `quick` is what `make check` runs: one cut at every operation, two where the first is at every 32nd and fewer.
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

# flash NEW KIND SETTING ...: the command line.
flash() {
    new=$1 kind=$2
    shift 2
    echo "$build/tests/powercut $dir/terminal-$((new - 1)).bin $dir/terminal-$new.bin $dir/$kind-$new.krf $*"
}

# shellcheck disable=SC2091 # what flash prints is what is to be run
if [ "$quick" = quick ]; then
    for kind in two one; do
        for new in 2 3; do
            $(flash $new $kind depth=1 unit=8 page=64)
            $(flash $new $kind depth=2 sample=32)
        done
    done
    exit 0
fi

# Each part: its name, and what it runs.
parts() {
    for scenario in $("$build/tests/filecut" list); do
        echo "file-$scenario $build/tests/filecut full $scenario"
    done
    for kind in two one; do
        for new in 2 3; do
            for part in 0 1 2 3; do
                echo "flash-$kind-$new-unit8-$part $(flash $new $kind depth=1 unit=8 page=256 part=$part parts=4)"
                echo "flash-$kind-$new-unit8-again-$part $(flash $new $kind depth="${DEPTH:-2}" sample=64 sample2=4 \
                    unit=8 page=64 part=$part parts=4)"
            done
            for part in 00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15; do
                echo "flash-$kind-$new-depth${DEPTH:-2}-$part $(flash $new $kind depth="${DEPTH:-2}" part=$part parts=16)"
            done
        done
    done | sed 's/part=0\([0-9]\)/part=\1/'
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
