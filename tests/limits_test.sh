#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What kerf-diff may take of the host: --jobs changes no byte, --memory and the default limit are kept, and deltas made in
# little memory are right and still small.
# Needs KERF_BIN (programs), KERF_BUILD (the build) and KERF_SRC (the tree); ctest sets them.
set -u
diff=$KERF_BIN/kerf-diff
patch=$KERF_BIN/kerf-patch
# shellcheck source=tests/cli_lib.sh
. "$KERF_SRC/tests/cli_lib.sh"

size() {
    wc -c <"$1"
}

# --- Threads: the same delta, whatever their number.
python3 "$KERF_SRC/tests/make_images.py" images || exit 1
for name in thumb aarch64 riscv32 xtensa x86-64 avr; do
    for options in "-1" "-6" "--ram 64K" "--ram 2K -4"; do
        for jobs in 1 2 4; do
            # shellcheck disable=SC2086
            "$diff" -q images/$name.old images/$name.new -o delta.$jobs $options -j $jobs || complain "$name -j $jobs"
        done
        for jobs in 2 4; do
            checks=$((checks + 1))
            cmp -s delta.1 delta.$jobs || complain "$name $options: -j 1 and -j $jobs differ"
        done
    done
done
"$diff" -q images/thumb.old images/thumb.new -o delta.1 --in-place sector=1024,scratch=2 -j 1
"$diff" -q images/thumb.old images/thumb.new -o delta.2 --in-place sector=1024,scratch=2 -j 3
checks=$((checks + 1))
cmp -s delta.1 delta.2 || complain "in place: -j 1 and -j 3 differ"

# --- Memory. Two images of 4 MB: text that nothing packs well, with insertions, changes and moved parts.
python3 - <<'PY' || exit 1
import random
r = random.Random(1)
words = [r.randbytes(r.randrange(3, 12)) for _ in range(5000)]
old = b"".join(r.choice(words) for _ in range(600000))[:4000000]
new, at = bytearray(), 0
while at < len(old):
    step = r.randrange(1000, 60000)
    new += old[at:at + step]
    at += step
    new += r.randbytes(r.randrange(0, 60))
    if r.random() < 0.1:
        back = r.randrange(0, len(old) - 5000)
        new += old[back:back + 5000]
open("old", "wb").write(old)
open("new", "wb").write(new)
PY
limit_default=$((5 * ($(size old) + $(size new)) + 64000000))

# peak OPTION...: makes `delta`, applies it, and says how many bytes of memory that took.
peak() {
    rm -f delta made
    "$KERF_BUILD/benchmarks/measure" report "$diff" -q old new -o delta "$@" >out 2>&1 || complain "$*: $(cat out)"
    "$patch" -q old delta -o made || complain "$*: the delta is not applied"
    cmp -s made new || complain "$*: not the new image"
    bytes=$(awk '{ print $4 * 1024 }' report)
}

looked_at=yes
if grep -q __asan_init "$diff"; then
    echo "limits_test: memory not looked at, this build has a sanitizer"
    looked_at=no
fi
peak
default_size=$(size delta)
checks=$((checks + 1))
[ $looked_at = no ] || [ "$bytes" -le "$limit_default" ] || complain "$bytes bytes of memory by default, more than $limit_default"
# Level 2 plans once: enough to see what the search misses. The last ones have no room for a suffix array.
for memory in 64 48 36 28; do
    peak --memory ${memory}M -2
    checks=$((checks + 1))
    [ $looked_at = no ] || [ "$bytes" -le $((memory * 1048576)) ] || complain "$bytes bytes with --memory ${memory}M"
    [ "$(size delta)" -le $((default_size + default_size / 4)) ] ||
        complain "$(size delta) bytes of delta with --memory ${memory}M, $default_size without"
done
mv delta delta.1
"$diff" -q old new -o delta.2 --memory 28M -2 -j 4
cmp -s delta.1 delta.2 || complain "--memory 28M: -j changes the delta"

# Images that are planned in two halves.
mv old half.old
mv new half.new
cat half.old half.new >old
cat half.new half.old >new
for jobs in 1 3; do
    peak -j $jobs
    checks=$((checks + 1))
    [ $looked_at = no ] || [ "$bytes" -le $((5 * ($(size old) + $(size new)) + 64000000)) ] ||
        complain "two halves: $bytes bytes of memory by default"
    mv delta delta.$jobs
done
checks=$((checks + 1))
cmp -s delta.1 delta.3 || complain "two halves: -j changes the delta"
mv half.old old
mv half.new new

# Too little is said, with what would do; and that does.
checks=$((checks + 1))
"$diff" -q old new -o delta --memory 8M 2>err
code=$?
[ $code -eq 7 ] || complain "--memory 8M: exit $code, not 7"
grep -q -- '--memory: 8388608 bytes are too few for these images: give at least [0-9]*M$' err || complain "$(cat err)"
peak --memory "$(sed -n 's/.* at least //p' err)"

for bad in "--memory 0" "--memory x" "--jobs 0" "--jobs 65" "-j -1" "-j 2x"; do
    checks=$((checks + 1))
    # shellcheck disable=SC2086
    "$diff" -q old new -o delta $bad 2>err
    [ $? -eq 2 ] || complain "$bad is taken"
done

echo "limits_test: $checks checks, $failures failures"
[ "$failures" -eq 0 ]
