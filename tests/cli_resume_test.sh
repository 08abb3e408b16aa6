#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kerf-patch goes on where it was killed: two slots and in place, from a file and from a pipe that brings only what is missing.
# Needs KERF_BIN (programs), KERF_SRC (the tree) and KERF_BUILD (tests/pack_tool); ctest sets them.
set -u
patch=$KERF_BIN/kerf-patch
pack=$KERF_BUILD/tests/pack_tool
# shellcheck source=tests/cli_lib.sh
. "$KERF_SRC/tests/cli_lib.sh"

# killed SIGNAL BYTES DELTA ARGUMENT...   runs kerf-patch with so many bytes of the delta on a pipe, then ends it
killed() {
    signal=$1 bytes=$2 delta=$3
    shift 3
    rm -f slow
    mkfifo slow
    "$patch" "$@" <slow >out 2>err &
    pid=$!
    exec 3>slow
    head -c "$bytes" "$delta" >&3
    # Until it has taken all of it and waits for more: it may sleep before, but not three times in a row.
    asleep=0 polls=0
    while [ $asleep -lt 3 ] && [ $polls -lt 200 ]; do
        sleep 0.1
        polls=$((polls + 1)) asleep=$((asleep + 1))
        grep -q '^State:.S' "/proc/$pid/status" 2>/dev/null || asleep=0
    done
    kill -"$signal" $pid
    wait $pid 2>/dev/null
    exec 3>&-
}

position() {
    "$patch" --position --state "$1" || complain "no position in $1"
}

# --- Two slots.
seq 1 700000 >target # 4.6 MB: four checkpoints
seq 3 40000 >old
"$pack" stored old target delta >digest || exit 1
len=$(wc -c <delta)
for signal in KILL TERM; do
    killed $signal $((len * 2 / 3)) delta old - -o new --state state
    [ ! -e new ] || complain "a new image after $signal"
    at=$(position state)
    [ "$at" -gt $((len / 3)) ] && [ "$at" -le $((len * 2 / 3)) ] || complain "goes on from $at of $len after $signal"
    [ "$("$patch" --position --state state --json | tr -d ' ')" = "{\"ok\":true,\"position\":$at}" ] ||
        complain "another position as JSON"
    cp state state.kept
    cp new.kerf-partial partial.kept
    # A file is read from there on; a pipe from its beginning is, too; or it brings what is missing.
    "$patch" old delta -o new --state state --json >out || complain "did not go on: $(cat out)"
    grep -q "\"resumed_from\":$at" out || complain "went on from elsewhere: $(cat out)"
    same new target "$signal, file"
    [ ! -e state ] && [ ! -e new.kerf-partial ] || complain "a state is left"
    cp state.kept state && cp partial.kept new.kerf-partial && rm new
    "$patch" old - -o new --state state <delta >out || complain "a pipe from the beginning did not do"
    same new target "$signal, pipe"
    cp state.kept state && cp partial.kept new.kerf-partial && rm new
    tail -c +$((at + 1)) delta | "$patch" old - -o new --state state --from "$at" --expect "$(cat digest)" >out ||
        complain "the missing bytes were not enough"
    same new target "$signal, --from"
    rm new
done
# Bytes that are not there, and nothing to go on with, are said.
cp state.kept state && cp partial.kept new.kerf-partial
tail -c +$((at + 101)) delta | "$patch" old - -o new --state state --from $((at + 100)) 2>err && complain "a hole was accepted"
grep -q "needed from byte $at" err || complain "does not say what is needed: $(cat err)"
"$patch" old - -o new --state nothing --from 10 <delta 2>err && complain "went on from nothing"
grep -q 'nothing to go on with' err || complain "does not say that there is nothing: $(cat err)"
# Another delta starts anew; so does a state of which the image is gone, or one that a power cut left empty or torn.
seq 9 600000 >other
"$pack" stored old other otherdelta >/dev/null || exit 1
"$patch" old otherdelta -o new --state state --json >out || complain "another delta did not start anew"
grep -q '"resumed_from":0' out || complain "another delta went on: $(cat out)"
same new other 'another delta'
cp state.kept state
"$patch" old delta -o new --state state >out || complain "a state without an image did not start anew"
same new target 'no image'
for torn in '' '\0\0\0\0\0\0' 'KR\0\0' '\377\377\377\377' 'KRFJ and what is none'; do
    # shellcheck disable=SC2059
    printf "$torn" >state
    "$patch" old delta -o new --state state >out || complain "a torn state did not start anew: '$torn'"
    same new target "torn: '$torn'"
done

# --- In place, grown and shrunk.
awk 'BEGIN { for (i = 0; i < 12000; i++) print i, (i * 7919) % 100003 }' >small
awk 'BEGIN { for (i = 0; i < 14000; i++) print i, (i % 7 == 3 ? i * 31 : (i * 7919) % 100003) }' >big
for way in 'small big' 'big small'; do
    from=${way% *} to=${way#* }
    "$KERF_BIN/kerf-diff" -q --in-place sector=4096,scratch=2 $from $to -o delta || exit 1
    len=$(wc -c <delta)
    for part in 2 3 4 5 6 7; do
        cp $from image
        killed KILL $((len * part / 8)) delta --in-place image -
        at=$(position image.kerf-state)
        [ "$at" -gt 0 ] || [ "$part" -lt 4 ] || complain "$way: no checkpoint at $part/8 of $len"
        tail -c +$((at + 1)) delta | "$patch" --in-place image - --from "$at" >out || complain "$way, $part/8: $(cat out)"
        same image $to "$way, $part/8"
        [ ! -e image.kerf-state ] || complain "a state is left in place"
    done
    # Killed wherever it was, again and again.
    cp $from image
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
        timeout -s KILL 0.0"$i" "$patch" --in-place image delta --state s >/dev/null 2>&1 && break
    done
    cmp -s image $to || "$patch" --in-place image delta --state s >out || complain "$way: did not go on"
    same image $to "$way, killed many times"
done
cp big image
killed KILL $((len * 5 / 8)) delta --in-place image -
"$KERF_BIN/kerf-diff" -q --in-place sector=4096,scratch=2 small big -o otherdelta || exit 1
"$patch" --in-place image otherdelta 2>err && complain "another delta was begun in place"
grep -q 'another delta' err || complain "does not say that it is another delta: $(cat err)"
"$patch" --in-place image delta >out || complain "did not go on after another delta was offered"
same image small 'after another delta'
# Once more: there is nothing to do, which is no failure; a pipe need not bring all of it. Other images are refused as before.
"$patch" --in-place image delta >out 2>err || complain "a second run fails: $(cat err)"
grep -q 'already up to date' out || complain "a second run says: $(cat out)"
head -c $((len / 2)) delta | "$patch" --in-place image - --json >out || complain "a second run from a pipe fails"
grep -q "\"up_to_date\":true.*$(sha256sum <small | cut -c 1-64)" out || complain "a second run says: $(cat out)"
[ ! -e image.kerf-state ] || complain "a second run leaves a state"
same image small 'a second run'
{ head -c 1000 small && tail -c +1001 big; } | head -c "$(wc -c <small)" >image
"$patch" --in-place image delta >out 2>err
[ $? -eq 4 ] || complain "neither image: $(cat out err)"

# What the new image repeats may be read up to a page's end, behind the file's, which is to grow.
awk 'BEGIN { x = 1; for (i = 0; i < 500; i++) { x = (x * 16807) % 2147483647; print x } }' >random
head -c 3000 small >image
{ tail -c +1001 image && cat random random; } >repeats
"$KERF_BIN/kerf-diff" -q --in-place sector=128,scratch=2 image repeats -o otherdelta || exit 1
"$patch" --in-place image otherdelta >out || complain "a file that grows by what it repeats: $(cat out)"
same image repeats 'grown by what it repeats'

# --- A slot larger than the image: what is needed later is kept in the room behind it, and nothing else is touched there.
half=$(($(wc -c <small) / 2))
{ tail -c +$((half + 1)) small && head -c $half small; } >swapped
"$KERF_BIN/kerf-diff" -q --in-place sector=4096,scratch=1 small swapped -o tight || exit 1
"$KERF_BIN/kerf-diff" -q --in-place sector=4096,scratch=1,slot=512K small swapped -o delta || exit 1
len=$(wc -c <delta)
[ "$len" -lt $(($(wc -c <tight) / 4)) ] || complain "room makes $len bytes of $(wc -c <tight)"
beyond=$("$KERF_BIN/kerf-diff" info --json delta | sed -n 's/.*"beyond":\([0-9]*\).*/\1/p')
[ "$beyond" -gt 0 ] || complain "the delta uses no room: $("$KERF_BIN/kerf-diff" info delta)"
used=$(((($(wc -c <small) + 4095) / 4096 + beyond) * 4096))
{ cat small && seq 1 100000; } | head -c 524288 >whole
# slot_holds WHEN: the new image, and behind what the delta uses what was there before.
slot_holds() {
    [ "$(wc -c <slot)" -eq 524288 ] || complain "the slot has $(wc -c <slot) bytes: $1"
    cmp -s -n "$(wc -c <swapped)" slot swapped || complain "the slot holds another image: $1"
    tail -c +$((used + 1)) slot | cmp -s - behind || complain "bytes behind what is used are others: $1"
}
tail -c +$((used + 1)) whole >behind
cp whole slot
"$patch" --in-place slot delta >out || complain "a larger slot: $(cat out)"
slot_holds 'whole'
cp small image # a file grows for a while
"$patch" --in-place image delta >out || complain "a file that must grow: $(cat out)"
same image swapped 'grown for a while'
for part in 2 4 6; do
    cp whole slot
    killed KILL $((len * part / 8)) delta --in-place slot -
    "$patch" --in-place slot delta >out || complain "a larger slot, $part/8: $(cat out)"
    slot_holds "$part/8"
done

[ $failures -eq 0 ]
