#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The page of kerf-diff report: of the demo firmware with its ELF files and with a map, of images that are odd, and in a browser
# where there is one. Needs KERF_BIN (programs) and KERF_SRC (the tree); ctest sets both.
set -u
diff=$KERF_BIN/kerf-diff
check=$KERF_SRC/tests/report_check.py
# shellcheck source=tests/cli_lib.sh
. "$KERF_SRC/tests/cli_lib.sh"

# page "NAME ..." OPTION...: makes page.html and page.json with the options and checks them; NAMEs are symbols it must show.
page() {
    names=$1
    shift
    checks=$((checks + 1))
    "$diff" report "$@" -o page.html --json >page.json 2>err || complain "report $*: $(cat err)"
    [ ! -s err ] || complain "report $* says: $(cat err)"
    # shellcheck disable=SC2086
    python3 -B "$check" page.html page.json $names || complain "report $*"
}

seq 1 4000 >old
seq 500 6000 >new
: >empty
printf a >one
noise 1 20000 >noise

# --- Images without names, of every kind.
for image in empty one old noise; do
    page '' $image new -1 --no-profiles
    page '' old $image -1 --no-profiles
done
page '' empty empty -1
page '' old new -1
page '' old new -2 --ram 3000
grep -q '>3000' page.html || complain "no row for --ram 3000"
page '' noise empty --no-profiles
page '' noise noise --no-profiles
page '' noise new --no-profiles
grep -q 'A full payload is as good' page.html || complain "no advice where a full payload is as good"
noise 2 60000 >noise2
{ cat old; cat noise; cat new; } >packed1
{ cat old; head -c 20000 noise2; cat new; } >packed2
page '' packed1 packed2 --no-profiles
grep -q 'Compressed or encrypted content changed' page.html || complain "no advice about noise"
{ cat old; echo 'built Jan  3 2024 at 10:11:12'; } >stamp1
{ cat old; echo 'built Oct 14 2025 at 22:33:44'; } >stamp2
page '' stamp1 stamp2 --no-profiles
grep -q 'Times of the build' page.html || complain "no advice about the time of the build"
# Other digits here and there, and in one place alone.
python3 -c 'import sys
old = open(sys.argv[1], "rb").read() * 3
for name, places in (("spread", range(100, len(old), 45)), ("dense", range(3000, 6000, 6))):
    new = bytearray(old)
    for at in places:
        new[at] = (new[at] * 7 + at * at // 91) % 256
    open(name, "wb").write(new)
open("thrice", "wb").write(old)' noise
page '' thrice spread --no-profiles -1
grep -q 'Bytes differ in many places' page.html || complain "no advice about bytes that differ"
page '' thrice dense --no-profiles -1
grep -q 'Bytes of one place differ' page.html || complain "no advice about bytes that differ in one place"

# --- In place: sectors in another order, old kept in between, room behind the images.
{ tail -c 12000 old && cat noise && head -c 9000 old; } >mixed1
{ head -c 9000 old && head -c 15000 noise && tail -c 12000 old && tail -c 6000 noise; } >mixed2
page '' mixed1 mixed2 --no-profiles --in-place sector=512,scratch=2
page '' mixed1 mixed2 --in-place sector=512,scratch=1,slot=64K
page '' mixed2 mixed1 --no-profiles --in-place sector=1024,scratch=4,group=4
answers kerf-diff 2 'in-place takes' "$diff" report old new -o page.html --in-place sector=4K
answers kerf-diff 2 'needs an old image' "$diff" report empty new -o page.html --in-place sector=4K,scratch=1
answers kerf-diff 7 'do not fit' "$diff" report old new -o page.html --in-place sector=4K,scratch=1,slot=8K

# --- Two programs in one file, each linked for an address of its own: the page tells them apart as the delta does.
"$KERF_BIN/../tests/parts_test" parts1 parts2 || complain "no file of two programs"
page '' parts1 parts2 --no-profiles
grep -q 'each loaded at an address of its own' page.html || complain "the page does not tell the programs apart"
grep -q '0x20401040 (old: 0x20400000)' page.html || complain "the second program has no address of its own"
grep -q 'thumb, old 0x[0-9a-f]*\.\.0x[0-9a-f]*, loaded at 0x20400000' page.html ||
    complain "the picture does not show the second program"
"$diff" parts1 parts2 -o parts.krf >said 2>err || complain "a delta of two programs: $(cat err)"
"$diff" info parts.krf --json >info.json
python3 -c 'import json, sys
page, info = (json.load(open(name)) for name in sys.argv[1:])
assert page["delta_size"] == info["size"]
for region in page["regions"]: del region["cost"]
assert page["regions"] == info["regions"] and len(info["regions"]) > 1' page.json info.json ||
    complain "the page is about another delta than kerf-diff makes"
page '' parts1 parts2 --no-profiles -1
grep -q 'each loaded at an address of its own' page.html && complain "the page tells programs apart that the delta does not"

# --- Names that mean something to a browser.
odd='<script>alert(1)<!-- & "x'
cp old "$odd"
page '' "$odd" new -1 --no-profiles
grep -q '<script>alert' page.html && complain "a file name became a script"
odd=$(printf 'odd\377')
cp old "$odd"
page '' "$odd" new -1 --no-profiles

# --- The demo firmware, with ELF files and with a map.
if command -v arm-none-eabi-gcc >/dev/null; then
    "$KERF_SRC/tests/demo/firmware/build.sh" "$dir" 2>err || complain "firmware: $(cat err)"
    page 'erf tgamma sensor_statistics' terminal-1.bin terminal-3.bin --elf-old terminal-1.elf --elf-new terminal-3.elf
    grep -q 'class="n" data-v="[0-9]*">new</td>' page.html || complain "no function is new"
    cp page.html firmware.html
    # The costs do not depend on how the names came.
    page 'sensor_statistics' terminal-1.bin terminal-3.bin --map-new terminal-3.map --no-profiles
    page 'sensor_statistics' terminal-1.elf terminal-3.elf --elf-new terminal-3.elf --no-profiles -1
    # Behind a boot loader, by what the bytes are.
    { cat noise; cat terminal-1.bin; } >behind1
    { cat noise; cat terminal-3.bin; } >behind3
    page 'sensor_statistics' behind1 behind3 --elf-new terminal-3.elf --no-profiles -1
    "$diff" report old new --elf-new terminal-3.elf -o page.html 2>err
    [ $? -eq 2 ] && grep -q 'is not the program' err || complain "another program's ELF file: $(cat err)"
else
    echo "SKIPPED: firmware: no arm-none-eabi-gcc" >&2
fi

# --- In a browser: the script runs without an error, and a narrow window needs no scrolling to the side.
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
# render WIDTH OPTION...: what is left in the page `look.html`, in `dom`.
render() {
    width=$1
    shift
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync \
        --disable-background-networking --disable-component-update --user-data-dir="$dir/profile" \
        --enable-logging=stderr --window-size="$width,2400" "$@" "file://$dir/look.html" >dom 2>log
}
if grep -q __asan_init "$diff"; then
    echo "report_test: not looked at in a browser, which this build's sanitizer does not see"
elif [ -n "$browser" ] && [ -f firmware.html ]; then
    # report_probe.js uses the page and writes into the title what came of it.
    {
        sed 's|</body>.*||; /^<\/html>$/d' firmware.html
        echo '<script>'
        cat "$KERF_SRC/tests/report_probe.js"
        echo '</script></body></html>'
    } >look.html
    for width in 1300 500; do
        checks=$((checks + 1))
        render $width --dump-dom || complain "the browser failed: $(tail -n 3 log)"
        grep -q 'CONSOLE' log && complain "the browser complains: $(grep CONSOLE log)"
        grep -q 'class="sorts"\|class="n sorts"' dom || complain "the tables do not sort"
        grep -q 'class="tools" hidden' dom && complain "the zoom is not there"
        said=$(sed -n 's|.*<title>\(tip [^<]*\)</title>.*|\1|p' dom)
        case $said in
        'tip new 0x'*'|view 25000 0 50000 350|cursor true|order true|left 1|wide 0') ;;
        *) complain "in a window of $width the page did not do what it should: $said" ;;
        esac
        render $width --screenshot="$dir/look.png" || complain "no screenshot: $(tail -n 3 log)"
        [ "$(wc -c <look.png)" -gt 50000 ] || complain "the screenshot is empty: $(wc -c <look.png) bytes"
    done
else
    echo "SKIPPED: browser: no chromium on PATH, or no firmware; the page was not looked at" >&2
fi

echo "$checks checks, $failures failures"
[ $failures -eq 0 ]
