#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What kerf-patch answers on the command line: results, and one clear line with the right exit code for every bad input.
# Needs KERF_BIN (programs), KERF_SRC (the tree) and KERF_BUILD (tests/pack_tool); ctest sets them.
set -u
patch=$KERF_BIN/kerf-patch
pack=$KERF_BUILD/tests/pack_tool
# shellcheck source=tests/cli_lib.sh
. "$KERF_SRC/tests/cli_lib.sh"

# expect CODE TEXT COMMAND...: what `answers` says, and no NEW after a failure.
expect() {
    rm -f new
    answers kerf-patch "$@"
    [ "$want" -eq 0 ] || [ ! -e new ] || complain "a new image after a failure: $*"
}

# Deterministic images of about 20 and 30 KB.
seq 1 4000 >old
seq 500 6000 >target
: >empty
cp old wrong
printf 'X' | dd of=wrong bs=1 seek=9000 conv=notrunc 2>/dev/null
{ cat old; echo more; } >longer
digest=$("$pack" stored old target delta) || exit 1
"$pack" stored - target full >/dev/null || exit 1
"$pack" lzma2 - target xz >/dev/null || exit 1
"$pack" huge old target huge >/dev/null || exit 1
"$pack" stored old empty shrink >/dev/null || exit 1
half=$(echo "$digest" | cut -c1-32)
false_digest=$(echo "$digest" | tr 0123456789abcdef 123456789abcdef0)

# --- What works.
expect 0 'not authenticated' "$patch" old delta -o new
same new target
expect 0 'authenticated' "$patch" old delta -o new --expect "$digest"
same new target
expect 0 '; authenticated' "$patch" old delta -o new --expect "$half"
expect 0 'bytes from' "$patch" full -o new
same new target
expect 0 'bytes from' "$patch" /dev/null full --output=new
same new target
expect 0 'bytes from' "$patch" xz -o new
same new target
expect 0 ': 0 bytes' "$patch" old shrink -o new
same new empty
expect 0 '"ok":true' "$patch" --json old delta -o new
python3 -c 'import json,sys; j=json.load(open("out")); assert j["new_size"]==len(open("target").read()) and not j["authenticated"]' ||
    complain 'JSON'
"$patch" -q old delta -o new >out 2>&1 || complain "--quiet fails"
[ ! -s out ] || complain "--quiet prints"
expect 0 'dry run' "$patch" -n old delta
[ ! -e new ] || complain "a dry run writes"
expect 0 'chunks of' "$patch" -v old delta -o new
"$patch" old - -o new <delta >/dev/null || complain "delta from a file as standard input"
same new target
(dd bs=1000 2>/dev/null) <delta | "$patch" old - -o new >/dev/null || complain "delta from a pipe"
same new target
for name in both other-name; do
    cp old both && ln -sf both other-name
    expect 0 'the old image is replaced' "$patch" both delta -o $name
    same both target "new over old, as $name"
done
cp old plain
ln -s plain link
chmod 640 plain
"$patch" old delta -o link >/dev/null || complain "new over a link"
[ -L link ] && same plain target
[ "$(stat -c %a plain)" = 640 ] || complain "permissions are not kept"
expect 0 'kerf-patch' "$patch" --version
expect 0 'Usage' "$patch" --help

# --- Usage.
expect 2 'missing' "$patch"
expect 2 'NEW is missing' "$patch" old delta
expect 2 'too many' "$patch" old delta third -o new
expect 2 'unknown option' "$patch" --nonsense old delta -o new
expect 2 'unknown option' "$patch" -x old delta -o new
expect 2 'needs a value' "$patch" old delta -o
expect 2 'takes no value' "$patch" --json=1 old delta -o new
expect 2 'expect' "$patch" old delta -o new --expect 1234
expect 2 'expect' "$patch" old delta -o new --expect "${digest%?}g"
expect 2 'old image' "$patch" delta -o new
expect 2 'pipe' "$patch" - delta -o new
expect 2 'pipe' "$patch" old delta -o -
"$patch" old - -o new <&- 2>err
[ $? -eq 5 ] && grep -q "can't read" err || complain "standard input is closed: $(cat err)"
cp delta new-delta
expect 2 'is the delta' "$patch" old new-delta -o new-delta
same new-delta delta
# A state that would be in the place of something else.
expect 2 "'new-delta' is the delta" "$patch" old new-delta -o new --state new-delta
expect 2 'is an image' "$patch" old delta -o new --state old
echo 'a diary' >diary && cp diary diary.kept
expect 2 'is no state' "$patch" old delta -o new --state diary
same diary diary.kept
rm -f new.kerf-partial
# With --json a wrong command line is an object, too.
for wrong in "old delta" "old delta --nonsense" "old delta -o delta" "nowhere delta -o new"; do
    # shellcheck disable=SC2086
    "$patch" --json $wrong >out 2>err
    python3 -c 'import json,sys; j=json.load(open("out")); sys.exit(j["ok"] or j["exit"] != int(sys.argv[1]) or
        j["message"] not in open("err").read())' $? || complain "JSON of $wrong: $(cat out)"
done

# --- A delta for two slots, and one for an update in place: each is refused where it would do harm or nothing, and nothing is left.
"$KERF_BIN/kerf-diff" -q -1 old target -o two || exit 1
"$KERF_BIN/kerf-diff" -q -1 --in-place sector=1024,scratch=2 old target -o one || exit 1
cp old image
expect 2 'not for an update in place' "$patch" --in-place image two
same image old 'a delta for two slots in place'
expect 2 'for an update in place' "$patch" old one -o new
expect 2 'for an update in place' "$patch" -n old one
expect 2 'for an update in place' "$patch" old one -o new --state state
expect 2 'nothing to go on with' "$patch" old two -o new --state state --from 5
expect 3 'ends after 0' "$patch" --in-place image empty
expect 3 'not a Kerf' "$patch" --in-place image target
same image old 'nothing was begun'
for left in state new.kerf-partial image.kerf-state; do
    [ ! -e $left ] || complain "$left is left where nothing was begun"
done
expect 0 'bytes from' "$patch" --in-place image one
same image target
cp old image
expect 0 'bytes from' "$patch" --in-place image full
same image target 'a full payload in place'

# --- A disk that is full: an update in place that would get stuck on it is not begun.
mkdir full-disk
if mount -t tmpfs -o size=96k none full-disk 2>/dev/null; then
    mounted=$dir/full-disk
    seq 1 12000 >longer-target
    "$KERF_BIN/kerf-diff" -q -1 --in-place sector=1024,scratch=2 old longer-target -o grows || exit 1
    cp old full-disk/image
    head -c 40960 /dev/zero >full-disk/fill
    expect 5 "can't write 'full-disk/image': No space left" "$patch" --in-place full-disk/image grows
    same full-disk/image old 'no room for the new image'
    head -c 61440 /dev/zero >full-disk/fill
    expect 5 "can't write 'full-disk/image.kerf-state': No space left" "$patch" --in-place full-disk/image one
    same full-disk/image old 'no room for the state'
    [ ! -e full-disk/image.kerf-state ] || complain "a state is left where there is no room for one"
    rm full-disk/fill
    expect 0 'bytes from' "$patch" --in-place full-disk/image one
    same full-disk/image target 'room again'
    umount full-disk && mounted=
else
    echo "SKIPPED: full disk, in place: no permission to mount a tmpfs" >&2
fi
rmdir full-disk

# --- A delta that is damaged, or none.
expect 3 'not a Kerf' "$patch" old target -o new
expect 3 'ends after 0' "$patch" old empty -o new
for cut in 1 6 7 20 60 100 4000 4096 4200 20000; do
    head -c $cut delta >bad
    expect 3 'ends after' "$patch" old bad -o new
done
{ cat delta; printf 'x'; } >bad
expect 3 'more follow' "$patch" old bad -o new
{ cat delta delta; } >bad
expect 3 'more follow' "$patch" old bad -o new
for at in 7 30 60 100 5000 20000; do
    cp delta bad
    byte=$(od -An -tu1 -j $at -N 1 delta | tr -d ' ')
    printf "\\$(printf %o $((byte ^ 4)))" | dd of=bad bs=1 seek=$at conv=notrunc 2>/dev/null
    "$patch" old bad -o new >out 2>err
    code=$?
    checks=$((checks + 1))
    case $code in
    3 | 4 | 7) ;;
    *) complain "byte $at changed: exit $code" ;;
    esac
    [ ! -e new ] || complain "byte $at changed: a new image"
    [ $at -lt 7 ] || expect 6 'not the delta' "$patch" old bad -o new --expect "$false_digest"
done
printf 'KRF\001\000\007\000' >bad
expect 3 'version' "$patch" old bad -o new
printf 'KRF\000\000\007\000' >bad
expect 3 'header' "$patch" old bad -o new
expect 6 'not the delta' "$patch" old delta -o new --expect "$false_digest"
expect 6 'not the delta' "$patch" old delta -o new --expect "$half$(echo "$false_digest" | cut -c33-)"
expect 3 '' "$patch" old huge -o new
expect 3 'ends after 0' "$patch" --json old /dev/null -o new
grep -q '"error":"truncated","exit":3' out || complain "JSON of a failure: $(cat out)"
odd=$(printf 'odd\377name')
expect 0 '"output":"odd' "$patch" --json old delta -o "$odd"
rm "$odd"

# --- A wrong old image.
expect 4 'not the image' "$patch" wrong delta -o new
expect 4 'bytes, but' "$patch" longer delta -o new
expect 4 'bytes, but' "$patch" empty delta -o new
expect 4 'bytes, but' "$patch" /dev/null delta -o new
expect 4 'not the image' "$patch" -n wrong delta
expect 4 'bytes, but' "$patch" longer delta -o new --expect "$digest"
expect 2 'old image' "$patch" delta -o new --expect "$digest"

# --- Files.
expect 5 "can't read 'nowhere': No such file" "$patch" nowhere delta -o new
expect 5 "can't read 'nowhere': No such file" "$patch" old nowhere -o new
expect 5 'Is a directory' "$patch" . delta -o new
expect 5 'Is a directory' "$patch" old . -o new
expect 5 "can't write" "$patch" old delta -o nowhere/new
expect 5 'not a regular file' "$patch" old delta -o .
expect 5 'not a regular file' "$patch" old delta -o /dev/null
mkfifo pipe
expect 5 'name a regular file' timeout 10 "$patch" pipe delta -o new # does not wait for a writer
"$patch" old delta -o new >/dev/full 2>err
[ $? -eq 5 ] || complain "full standard output"
rm -f new
(
    ulimit -f 8
    trap '' XFSZ
    "$patch" old delta -o new >out 2>err
) && complain "no error over the file size limit"
[ ! -e new ] && [ -z "$(find . -name '.kerf-*')" ] || complain "something is left after the file size limit"
if [ "$(id -u)" -eq 0 ]; then
    mkdir full-disk
    if mount -t tmpfs -o size=16k none full-disk 2>/dev/null; then
        mounted=$dir/full-disk
        expect 5 'No space left' "$patch" old delta -o full-disk/new
        [ -z "$(ls -A full-disk)" ] || complain "something is left on a full disk"
    else
        echo "SKIPPED: full disk: no permission to mount a tmpfs" >&2
    fi
else
    echo "SKIPPED: full disk: needs root to mount a tmpfs" >&2
fi

# --- Interrupted: nothing is left, and the signal is what ended it.
mkfifo slow
"$patch" old slow -o new >out 2>err &
pid=$!
exec 3>slow
head -c 5000 delta >&3
sleep 0.3
kill -TERM $pid
wait $pid
[ $? -eq 143 ] || complain "not ended by the signal"
exec 3>&-
[ ! -e new ] && [ -z "$(find . -name '.kerf-*')" ] || complain "something is left after an interruption"

echo "$checks checks, $failures failures"
[ $failures -eq 0 ]
