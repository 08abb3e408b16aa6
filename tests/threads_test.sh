#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kerf-diff under ThreadSanitizer, on each way that more than one thread goes: the sanitizer ends it with an error where
# two threads touch the same bytes in no order. What the deltas are is for other tests to say (limits_test.sh: the same
# for any number of threads).
# Needs KERF_BIN (programs) and KERF_SRC (the tree); ctest sets both.
set -u
diff=$KERF_BIN/kerf-diff
# shellcheck source=tests/cli_lib.sh
. "$KERF_SRC/tests/cli_lib.sh"

# How many accesses it remembers for each thread: with fewer it can't say who was first, and says nothing.
export TSAN_OPTIONS="history_size=7 ${TSAN_OPTIONS:-}"

# make OLD NEW OPTION...: without a word of the sanitizer.
make() {
    checks=$((checks + 1))
    "$diff" -q "$@" -o delta --jobs 2 >out 2>&1 || complain "$*: $(cat out)"
}

# --- Each set of instructions: found by two threads, the self-check beside the coding, sets of kinds, splits, budgets.
python3 "$KERF_SRC/tests/make_images.py" images || exit 1
for old in images/*.old; do
    for level in -1 -6; do
        make "$old" "${old%.old}.new" $level
    done
done
make images/thumb.old images/thumb.new -9
make images/xtensa.old images/xtensa.new --ram 64K
make images/riscv32.old images/riscv32.new --in-place sector=1024,scratch=2

# --- Digests are made beside, and a payload that is coded may not be taken.
: >empty
noise 1 30000 >noise
noise 2 300000 >noise2
{
    head -c 200000 noise2
    cat noise
} >mixed
make empty noise -1
make noise2 noise -1
make noise2 mixed -1
make noise2 mixed -3

# --- The plan of a large image is made in two halves.
noise 3 4200000 >large
{
    head -c 2000000 large
    echo inserted
    tail -c 2200000 large
} >longer
make large longer -2
echo "threads_test: $checks checks, $failures failures"
[ "$failures" -eq 0 ]
