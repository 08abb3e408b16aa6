#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What kerf-diff answers on the command line: deltas that kerf-patch applies, the promises about small, equal and
# incompressible images, and one clear line with the right exit code for every bad input.
# Needs KERF_BIN (programs) and KERF_SRC (the tree); ctest sets both.
set -u
diff=$KERF_BIN/kerf-diff
patch=$KERF_BIN/kerf-patch
# shellcheck source=tests/cli_lib.sh
. "$KERF_SRC/tests/cli_lib.sh"

# expect CODE TEXT COMMAND...: what `answers` says, and no delta after a failure.
expect() {
    rm -f delta
    answers kerf-diff "$@"
    [ "$want" -eq 0 ] || [ ! -e delta ] || complain "a delta after a failure: $*"
}

size() {
    wc -c <"$1"
}

# field NAME: of the JSON object in the file `out`; a number, true, false or a digest.
field() {
    sed -n 's/.*[{,]"'"$1"'":"\{0,1\}\([0-9a-z]*\).*/\1/p' out
}

# round OLD NEW [OPTION...]: makes `delta`, applies it as the one that --expect names, within the RAM it was made for.
round() {
    round_old=$1
    round_new=$2
    shift 2
    checks=$((checks + 1))
    rm -f delta made
    "$diff" "$round_old" "$round_new" -o delta --json "$@" >out 2>err ||
        complain "no delta from $round_old to $round_new $*: $(cat err)"
    [ "$(field delta_size)" -eq "$(size delta)" ] || complain "JSON: delta_size"
    [ "$(field workspace)" -le "$(field ram)" ] || complain "more workspace than --ram: $(cat out)"
    "$patch" -q "$round_old" delta -o made --expect "$(field delta_digest)" || complain "$round_old to $round_new $*"
    cmp -s made "$round_new" || complain "$round_old to $round_new $*: not the new image"
    "$diff" info --old "$round_old" --json delta >out 2>err ||
        complain "info of $round_old to $round_new $*: $(cat err)"
    [ "$(field size)" -eq "$(size delta)" ] || complain "JSON of info: size"
}

# Deterministic images of about 20 and 30 KB, and others.
seq 1 4000 >old
seq 500 6000 >new
: >empty
printf a >one
printf b >two
printf '\377\377' >pair
head -c 30000 /dev/zero >zeros
noise 1 30000 >noise
noise 2 100000 >noise2

# --- Images of every size turn into each other.
for a in empty one pair zeros noise; do
    for b in empty one two new zeros noise; do
        round $a $b -1
    done
done
round old new
python3 -m json.tool <out >/dev/null || complain "JSON"
for ram in 2K 4K 5000 16K 64K tiny small default medium large host 12M; do
    round old new --ram $ram
done
for level in 2 3 4 5 7 8 9; do
    round old new -$level
done
round old new --no-new
[ "$(field reads_new)" = false ] || complain "--no-new reads new"
round old new --isa thumb --base 0x8000000
round old new --isa none

# --- Promises.
for image in empty one old zeros noise; do
    round $image $image
    [ "$(size delta)" -lt 100 ] || complain "$(size delta) bytes for two equal images ($image)"
done
# Incompressible input: at most 1 % and 64 bytes over xz, chunk digests not counted.
for image in noise noise2; do
    round old $image --ram 8K
    payload=$(($(size delta) - $(field chain_size)))
    most=$(($(xz -9e -c $image | wc -c) * 101 / 100 + 64))
    [ "$payload" -le "$most" ] || complain "incompressible: $payload bytes without digests, at most $most"
done
"$diff" noise2 noise -o delta >out 2>err || complain "incompressible"
grep -q 'warning: a full payload' err || complain "no warning where a full payload is better"
(head -c 16000 noise && head -c 48000 zeros) >packs
"$diff" noise2 packs -o again >out 2>err || complain "an image that packs well, of another product"
grep -q 'warning: a full payload' err || complain "no warning where old serves nothing and new packs well"
"$diff" noise2 noise -q -o again >out 2>err || complain "quiet"
[ ! -s out ] || complain "--quiet prints"
cmp -s delta again || complain "the same images, another delta"

# --- Full payloads.
expect 0 'a full payload' "$diff" --full new -o delta
"$patch" -q delta -o made && cmp -s made new || complain "full payload"
cp delta full
expect 0 'a full payload' "$diff" --full --codec lzma2 new -o delta
"$patch" -q delta -o made && cmp -s made new || complain "full payload packed with LZMA2"
cp delta packed
expect 0 'codec: *lzma2' "$diff" info packed
expect 0 'workspace 2048 of 2048' "$diff" --full --codec lzma2 --ram 2K new -o delta
expect 2 'goes with --full' "$diff" --codec lzma2 old new -o delta
expect 2 'is no codec' "$diff" --full --codec zip new -o delta
expect 0 'a full payload' "$diff" info full

# --- Real programs, and firmware where there is a compiler for it.
bin=/usr/bin/x86_64-linux-gnu
if [ -f $bin-objcopy ] && [ -f $bin-strip ]; then
    round $bin-objcopy $bin-strip
    [ "$(size delta)" -lt "$(($(size $bin-strip) / 10))" ] || complain "objcopy to strip: $(size delta) bytes"
    cp delta first
    round $bin-objcopy $bin-strip
    cmp -s delta first || complain "the same programs, another delta"
    head -c 50 first >cut
    expect 3 'ends after 50 bytes' "$diff" info cut
else
    echo "SKIPPED: real programs: no $bin-objcopy" >&2
fi
if command -v arm-none-eabi-gcc >/dev/null; then
    "$KERF_SRC/tests/demo/firmware/build.sh" "$dir" 2>err || complain "firmware: $(cat err)"
    for ram in 2K 4K 8K 64K; do
        round terminal-1.bin terminal-2.bin --ram $ram
        round terminal-2.bin terminal-3.bin --ram $ram
    done
    round terminal-3.bin terminal-1.bin
    expect 0 'Thumb-2' "$diff" terminal-1.bin terminal-2.bin -o delta
    expect 0 'references' "$diff" -v terminal-1.bin terminal-2.bin -o delta
    cp delta first
    expect 0 'region 0: *thumb' "$diff" info first
    # ELF files for what the bytes leave open; here they agree.
    round terminal-1.bin terminal-2.bin --elf-old terminal-1.elf --elf-new terminal-2.elf
    expect 2 'is not the program' "$diff" old new --elf-new terminal-2.elf -o delta
    expect 2 'is no ELF file' "$diff" terminal-1.bin terminal-2.bin --elf-new terminal-2.map -o delta
    expect 2 'elf-old' "$diff" --full terminal-2.bin --elf-old terminal-1.elf -o delta
    expect 5 "can't read 'nowhere'" "$diff" terminal-1.bin terminal-2.bin --elf-new nowhere -o delta
else
    echo "SKIPPED: firmware: no arm-none-eabi-gcc" >&2
fi

# --- Files that say where their bytes go: the delta is of the images in them.
for side in old new; do
    python3 "$KERF_SRC/tests/make_flat.py" $side 0x0800f0f0 $side || complain "make_flat.py"
done
for format in hex srec uf2 dfuse dfu; do
    checks=$((checks + 1))
    "$diff" old.$format new.$format --flatten -1 -o delta >out 2>err || complain "--flatten of $format: $(cat err)"
    grep -q 'old was flattened from' out || complain "--flatten of $format says nothing: $(cat out)"
    "$patch" -q old delta -o made && cmp -s made new || complain "--flatten of $format: another image"
done
expect 0 '"old_flattened":{"format":"UF2","base":134279408}' "$diff" old.uf2 new --flatten -1 --json -o delta
"$patch" -q old delta -o made && cmp -s made new || complain "--flatten of one side"
expect 0 'new was flattened from Intel HEX: 27005 bytes at 0x0800f0f0' "$diff" --full new.hex --flatten -o delta
expect 0 'old was flattened from DfuSe' "$diff" report old.dfuse new.dfuse --flatten -1 --no-profiles -o delta
expect 2 'is not Intel HEX' "$diff" old new --flatten -o delta
expect 0 'new is S-records: with --flatten' "$diff" old.srec new.srec -1 -o delta
sed '3s/^\(.\{11\}\)./\1F/' new.srec >bad
expect 2 'line 3: the check sum is wrong' "$diff" old bad --flatten -o delta
sed '$d' new.srec >bad
expect 2 'the end record is missing' "$diff" old bad --flatten -o delta
sed '3s/^\(.\{9\}\)./\1F/' new.hex >bad
expect 2 'line 3: the check sum is wrong' "$diff" old bad --flatten -o delta
head -n 20 new.hex >bad
expect 2 'the end record is missing' "$diff" old bad --flatten -o delta
{ sed '$d' new.hex; printf ':020000042000DA\n:0100000055AA\n:00000001FF\n'; } >bad
expect 2 'too far apart' "$diff" old bad --flatten -o delta
head -c 1000 new.uf2 >bad
expect 2 'ends within a block' "$diff" old bad --flatten -o delta
head -c 9000 new.dfuse >bad
expect 2 'ends within an element' "$diff" old bad --flatten -o delta
printf ':00000001FF\n' >bad
expect 2 'no bytes for a flash' "$diff" old bad --flatten -o delta

# --- Standard input and output.
"$diff" old new -o - >piped 2>err || complain "delta to standard output"
"$diff" old new -o delta >out || complain "delta to a file"
cmp -s piped delta || complain "another delta on standard output"
grep -q 'standard output: ' err || complain "no report on stderr beside a delta on stdout"
"$diff" - new -o again <old >out && cmp -s again delta || complain "old image from standard input"
"$diff" info - <delta >out && grep -q 'no digest vouches for the payload' out || complain "info on standard input"
"$diff" old new -o - 2>err >/dev/full
[ $? -eq 5 ] && [ "$(grep -c 'No space left' err)" -eq 1 ] || complain "full standard output: $(cat err)"
"$diff" old new -o - 2>err | true
if python3 -c 'import pty; pty.openpty()' 2>pty.log; then
    python3 -c 'import pty,os,sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "$diff" old new -o - >out
    [ $? -eq 2 ] && grep -q 'terminal' out || complain "a delta on a terminal"
else
    echo "SKIPPED: a delta on a terminal: $(tail -n 1 pty.log)" >&2
fi

# --- Help and version.
expect 0 'Usage' "$diff" --help
expect 0 'Usage' "$diff" info --help
expect 0 'kerf-diff' "$diff" --version

# --- Usage.
expect 2 'OLD and NEW are missing' "$diff"
expect 2 'NEW is missing' "$diff" old -o delta
expect 2 'NEW is missing' "$diff" --full -o delta
expect 2 'DELTA is missing' "$diff" old new
expect 2 'too many' "$diff" old new third -o delta
expect 2 'too many' "$diff" --full old new -o delta
expect 2 'needs an old image' "$diff" --full new -o delta --in-place sector=4K,scratch=2
for bad in sector=4096 scratch=2 sector=4096,scratch=2,group=3 sector=4000,scratch=2 sector=4096,scratch=0 \
    sector=8,scratch=1 sector=4096,scratch=70000 sector=4096,scratch=2, sector=4096:scratch=2 ,sector=4096,scratch=2 \
    sector=4096,scratch=x sector=32M,scratch=1 sectors=4096,scratch=2 ''; do
    expect 2 'in-place takes' "$diff" old new -o delta --in-place "$bad"
done
expect 7 'do not fit' "$diff" old new -o delta --in-place sector=4K,scratch=2,slot=4K
: >empty
expect 2 'needs an old image' "$diff" empty new -o delta --in-place sector=4K,scratch=2
expect 2 'unknown option' "$diff" --nonsense old new -o delta
expect 2 'unknown option' "$diff" -0 old new -o delta
expect 2 'needs a value' "$diff" old new -o
expect 2 'takes no value' "$diff" --json=1 old new -o delta
expect 0 'of 8192 bytes' "$diff" --profile auto old new -o delta
expect 0 'of 2048 bytes' "$diff" --profile tiny old new -o delta
expect 0 'of 4096 bytes' "$diff" --profile auto --ram 4K old new -o delta
expect 2 'profile' "$diff" --profile 8K old new -o delta
head -c 17000000 /dev/zero >zeros
expect 0 'of 65536 bytes' "$diff" --profile auto --full zeros -o delta
cp delta zeros.krf
expect 0 'lzma2' "$diff" info zeros.krf
expect 0 'native' sh -c "'$diff' -q --profile auto --full old -o delta && '$diff' info delta"
rm zeros zeros.krf
expect 2 'ram' "$diff" --ram many old new -o delta
expect 2 'ram' "$diff" --ram '' old new -o delta
expect 2 'ram' "$diff" --ram -8K old new -o delta
expect 2 'isa' "$diff" --isa z80 old new -o delta
expect 2 'base' "$diff" --base here old new -o delta
expect 2 'base' "$diff" --base -1 old new -o delta
expect 2 'base' "$diff" --base 12345678123456789 old new -o delta
expect 2 'standard input' "$diff" - - -o delta
expect 2 'json' "$diff" old new --json -o -
expect 2 'DELTA is missing' "$diff" info
expect 2 'too many' "$diff" info one two
cp old same
expect 2 'is one of the images' "$diff" same new -o same
expect 2 'is one of the images' "$diff" new same -o same
ln same link
expect 2 'is one of the images' "$diff" new same -o link
cmp -s same old || complain "an image was overwritten"

# --- An empty file is likely to be a mistake.
"$diff" empty new -1 -o delta >out 2>err || complain "an empty old image: $(cat err)"
grep -q 'warning: the old image is empty' err || complain "nothing is said of an empty old image"
"$diff" old empty -1 -q -o delta >out 2>err || complain "an empty new image: $(cat err)"
grep -q 'warning: the new image is empty' err || complain "nothing is said of an empty new image"
"$diff" --full empty -1 -q -o delta >out 2>err || complain "a full payload of nothing: $(cat err)"

# --- With --json a wrong command line is an object, too.
for wrong in "old" "report old" "info" "old new -o old" "report old new -o old"; do
    # shellcheck disable=SC2086
    "$diff" $wrong --json >out 2>err
    [ $? -eq 2 ] && [ "$(field ok) $(field exit)" = 'false 2' ] ||
        complain "JSON of $wrong: $(cat out)"
done

# --- The report's command line; the page itself: report_test.sh.
expect 0 'Usage' "$diff" report --help
expect 2 'OLD and NEW are missing' "$diff" report
expect 2 'NEW is missing' "$diff" report old
expect 2 'too many' "$diff" report old new third
expect 2 'unknown option' "$diff" report old new --full
expect 2 'standard input' "$diff" report - -
expect 2 'top takes' "$diff" report old new --top 0
expect 2 'top takes' "$diff" report old new --top many
expect 2 'one of --elf-new and --map-new' "$diff" report old new --elf-new a --map-new b
expect 2 'neither an ELF file nor a map' "$diff" report old new --map-new new
expect 2 'neither an ELF file nor a map' "$diff" report old new --elf-old empty -o delta
printf 'Linker script and memory map\n\n.text 0x40000000 0x100\n .text.f 0x40000000 0x100 a.o\n' >map
expect 2 'no section inside' "$diff" report old new --map-new map --base 0 -o delta
expect 5 "can't read 'nowhere'" "$diff" report old nowhere
expect 5 "can't read 'nowhere'" "$diff" report old new --elf-new nowhere
expect 5 "can't write" "$diff" report -1 old new --no-profiles -o nowhere/page
expect 7 'at least 2K' "$diff" report old new --ram 1K
cp old same
expect 2 'is one of the inputs' "$diff" report same new -o same
cmp -s same old || complain "the report overwrote an image"
expect 2 'goes to standard output' "$diff" report old new -o - --json
"$diff" report old new -1 --no-profiles -o - >page.html 2>err || complain "a page on standard output: $(cat err)"
grep -q '^</html>$' page.html && [ ! -e - ] || complain "the page is not on standard output"
grep -q '^standard output: about a delta' err || complain "nothing is said beside a page: $(cat err)"
expect 0 '"advice":' "$diff" report -1 old new --no-profiles --json
[ ! -e report.html ] || complain "--json alone writes a page"
expect 0 'report.html: about' "$diff" report -1 old new --no-profiles
rm report.html

# --- Limits.
expect 7 'at least 2K' "$diff" --ram 2047 old new -o delta
expect 7 'at least 2K' "$diff" --ram 1K old new -o delta
truncate -s 2200M huge
expect 7 'larger than --memory, .* at least a third more' "$diff" huge new -o delta --memory 64M
rm huge

# --- Files.
expect 5 "can't read 'nowhere': No such file" "$diff" nowhere new -o delta
expect 5 "can't read 'nowhere': No such file" "$diff" old nowhere -o delta
expect 5 'Is a directory' "$diff" . new -o delta
expect 5 'Is a directory' "$diff" old . -o delta
expect 5 "can't write" "$diff" old new -o nowhere/delta
expect 5 'not a regular file' "$diff" old new -o .
expect 5 'not a regular file' "$diff" old new -o /dev/null
expect 5 "can't read 'nowhere': No such file" "$diff" info nowhere
expect 5 'Is a directory' "$diff" info .
expect 5 'No such file' "$diff" --json old nowhere -o delta
grep -q '"error":"io","exit":5' out || complain "JSON of a failure: $(cat out)"
odd=$(printf 'odd\377name')
expect 0 '"output":"odd' "$diff" --json old new -o "$odd"
rm "$odd"
expect 5 'odd?name' "$diff" --json old "$odd" -o delta
grep -q '"message":"can.t read .odd?name' out || complain "JSON of an odd name: $(cat out)"
if [ "$(id -u)" -eq 0 ]; then
    mkdir full-disk
    if mount -t tmpfs -o size=16k none full-disk 2>/dev/null; then
        mounted=$dir/full-disk
        expect 5 'No space left' "$diff" -1 old noise -o full-disk/delta
        [ -z "$(ls -A full-disk)" ] || complain "something is left on a full disk"
    else
        echo "SKIPPED: full disk: no permission to mount a tmpfs" >&2
    fi
else
    chmod 000 two
    expect 5 'Permission denied' "$diff" old two -o delta
    echo "SKIPPED: full disk: needs root to mount a tmpfs" >&2
fi

# --- info on what is damaged, or no delta.
# Of what hardly compresses, but does: it is coded, and there are many chunks.
base64 -w 0 noise2 | head -c 100000 >letters
"$diff" -q -1 old letters -o big 2>/dev/null || complain "a delta of many chunks"
expect 3 'not a Kerf' "$diff" info old
expect 3 'ends after 0' "$diff" info empty
for cut in 1 6 7 20 60 100 768 800 50000; do
    head -c $cut big >bad
    expect 3 "ends after $cut" "$diff" info bad
done
{ cat big; printf x; } >bad
expect 3 'more follow' "$diff" info bad
cp big bad
printf 'XYZ' | dd of=bad bs=1 seek=50000 conv=notrunc 2>/dev/null
expect 3 'damaged between' "$diff" info bad
expect 4 'not the image' "$diff" info big --old new
# What was checked is said: of the first chunk nothing in the file knows what it should be.
expect 0 'intact from chunk 1 on; nothing vouches for chunk 0' "$diff" info big
grep -q '^--expect' out && digest=$(sed -n 's/^--expect: *//p' out)
expect 0 'all of it' "$diff" info big --expect "$digest"
expect 0 'decodes from old to the new image' "$diff" info big --old old
"$diff" -q old new -o small || complain "a delta of one chunk"
cp small bad
printf 'XYZ' | dd of=bad bs=1 seek=$(($(size small) - 12)) conv=notrunc 2>/dev/null
expect 0 'no digest vouches for the payload: give --expect (or --old)' "$diff" info bad
expect 0 '"first_chunk":false,"other_chunks":false,"decodes":false' "$diff" info --json bad
digest=$("$diff" info small | sed -n 's/^--expect: *//p')
expect 0 'all of it' "$diff" info small --expect "$digest"
expect 0 'all of it' "$diff" info small --expect "$(printf '%s' "$digest" | cut -c 1-32)"
expect 6 'not the delta that --expect names' "$diff" info bad --expect "$digest"
expect 3 'damaged' "$diff" info bad --old old
expect 2 'expect takes' "$diff" info small --expect 123
"$diff" -q old new --in-place sector=4K,scratch=1 -o slot || complain "a delta for one slot"
expect 0 'a sector of the slot is erased at most 1 times, of scratch ' "$diff" old new --in-place sector=4K,scratch=1 -o delta
expect 0 '"erases":{"slot":1,"scratch":' "$diff" --json old new --in-place sector=4K,scratch=1 -o delta
expect 0 'decodes from old to the new image' "$diff" info slot --old old
grep -q 'segments, .* bytes of literals' out || complain "does not say where the bytes of a delta for one slot went: $(cat out)"
expect 4 'not the image' "$diff" info slot --old new
expect 3 'ends after' "$diff" info --json /dev/null
grep -q '"error":"truncated","exit":3' out || complain "JSON of a failure of info: $(cat out)"

# --- Interrupted: ends at once, and nothing is left.
"$diff" noise2 noise -9 -o delta >out 2>err &
pid=$!
rm -f delta
{
    kill -TERM $pid
    wait $pid
} 2>/dev/null
code=$?
# It may have been quicker than the signal.
[ $code -eq 143 ] || [ $code -eq 0 ] || complain "exit $code after a signal"
[ -z "$(find . -name '.kerf-*')" ] || complain "a temporary file after a signal"

echo "$checks checks, $failures failures"
[ $failures -eq 0 ]
