#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kerf-patch on block devices: NEW, OLD, the state and an update in place, on loop devices. Skipped (77) where there are none.
# Needs KERF_BIN (programs), KERF_SRC (the tree) and KERF_BUILD (tests/pack_tool); ctest sets them.
set -u
patch=$KERF_BIN/kerf-patch
pack=$KERF_BUILD/tests/pack_tool
# shellcheck source=tests/cli_lib.sh
. "$KERF_SRC/tests/cli_lib.sh"

# device NAME BYTES: sets $NAME to a loop device of so many bytes, full of noise.
device() {
    noise 1 "$2" >"$1.disk"
    device=$(losetup --find --show "$1.disk" 2>losetup.log) || {
        echo "SKIPPED: no loop device: $(cat losetup.log)"
        exit 77
    }
    loops="$loops $device"
    eval "$1=$device"
}

# starts_with DEVICE FILE WHEN: also once the system has forgotten what it holds of the device.
starts_with() {
    blockdev --flushbufs "$1"
    cmp -s -n "$(wc -c <"$2")" "$1" "$2" || complain "$1 is not $2: $3"
}

if [ "$(id -u)" -ne 0 ] || ! command -v losetup >/dev/null || ! command -v blockdev >/dev/null; then
    echo "SKIPPED: loop devices need root, losetup and blockdev"
    exit 77
fi
slot= spare= tiny=
seq 1 40000 >old
seq 7 60000 >target
"$pack" stored old target delta >/dev/null || exit 1
target_len=$(wc -c <target)
device slot 1048576
device spare 1048576
device tiny 65536

# NEW, with and without a state; a file or a device.
answers kerf-patch 0 'bytes from' "$patch" old delta -o "$slot"
starts_with "$slot" target 'device'
[ "$(blockdev --getsize64 "$slot")" -eq 1048576 ] && [ -b "$slot" ] || complain "the device has changed"
for state in state "$spare"; do
    head -c 1048576 /dev/zero >"$slot"
    answers kerf-patch 0 'bytes from' "$patch" old delta -o "$slot" --state "$state" --checkpoint 64K
    starts_with "$slot" target "device, state $state"
    [ ! -e state ] && [ -b "$spare" ] || complain "a state is left, or the device of one is gone"
    [ "$("$patch" --position --state "$spare")" = 0 ] || complain "something to go on with is left on $spare"
done
# OLD; its length is the delta's to say.
cp old slot.old && truncate -s 1048576 slot.old && cat slot.old >"$slot"
answers kerf-patch 0 'bytes from' "$patch" "$slot" delta -o new
same new target 'from a device'
# What can't be.
answers kerf-patch 2 'use --in-place' "$patch" "$slot" delta -o "$slot"
starts_with "$slot" old 'nothing was written'
answers kerf-patch 7 '' "$patch" old delta -o "$tiny"
answers kerf-patch 7 'needed to keep the state' "$patch" old delta -o "$slot" --state "$tiny"
"$KERF_BIN/kerf-diff" -q -1 --in-place sector=4096,scratch=2 old target -o one || exit 1
answers kerf-patch 2 'say with --state' "$patch" --in-place "$slot" one
answers kerf-patch 2 'not for an update in place' "$patch" --in-place "$slot" delta --state state
starts_with "$slot" old 'nothing was written'
answers kerf-patch 2 'give the state another' "$patch" old delta -o "$slot" --state "$slot"

# In use by somebody, and devices of other kinds.
mkfifo held
python3 -c 'import os, sys, time
os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL)
print(flush=True)
time.sleep(600)' "$slot" >held &
holder=$!
read -r _ <held
answers kerf-patch 5 'it is in use: unmount it' "$patch" old delta -o "$slot"
answers kerf-patch 5 'it is in use: unmount it' "$patch" --in-place "$slot" delta --state state
kill $holder
wait $holder 2>/dev/null
answers kerf-patch 5 'it is a character device.*mtdblock' "$patch" --in-place /dev/zero delta --state state
starts_with "$slot" old 'a device in use was written to'

# Interrupted, and gone on with.
for state in state "$spare"; do
    rm -f slow && mkfifo slow
    "$patch" old - -o "$slot" --state "$state" --checkpoint 16K -q <slow 2>err &
    pid=$!
    exec 3>slow
    head -c $((target_len / 2)) delta >&3
    tries=0
    until [ "$("$patch" --position --state "$state" 2>/dev/null || echo 0)" -gt $((target_len / 4)) ]; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { complain "no checkpoint on $state"; break; }
        sleep 0.1
    done
    kill -KILL $pid
    wait $pid 2>/dev/null
    exec 3>&-
    at=$("$patch" --position --state "$state")
    tail -c +$((at + 1)) delta >rest
    answers kerf-patch 0 '"resumed_from":' "$patch" old rest -o "$slot" --state "$state" --from "$at" --json
    starts_with "$slot" target "gone on from $at with $state"
done

# In place, on a device, with the state on another one and in a file.
awk 'BEGIN { for (i = 0; i < 12000; i++) print i, (i * 7919) % 100003 }' >small
awk 'BEGIN { for (i = 0; i < 14000; i++) print i, (i % 7 == 3 ? i * 31 : (i * 7919) % 100003) }' >big
"$KERF_BIN/kerf-diff" -q --in-place sector=4096,scratch=2 small big -o grow || exit 1
"$KERF_BIN/kerf-diff" -q --in-place sector=4096,scratch=2 big small -o shrink || exit 1
for state in state "$spare"; do
    head -c 1048576 /dev/zero >"$slot" && cat small >"$slot"
    answers kerf-patch 0 'bytes from' "$patch" --in-place "$slot" grow --state "$state"
    starts_with "$slot" big "in place, $state"
    answers kerf-patch 0 'bytes from' "$patch" --in-place "$slot" shrink --state "$state"
    starts_with "$slot" small "back in place, $state"
done
head -c 65536 small >tiny.old
cat tiny.old >"$tiny"
answers kerf-patch 7 'does not fit' "$patch" --in-place "$tiny" grow --state state
starts_with "$tiny" tiny.old 'too small, and was written to'

echo "$checks checks, $failures failures"
[ $failures -eq 0 ]
