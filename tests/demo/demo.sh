#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The main job, from source code to a device that runs the new firmware: demo.sh [BUILD]
#
# Compiles three releases of a real firmware, publishes them, serves them over HTTPS on this machine, and updates devices.
# Everything happens in a temporary folder that is removed at the end (KEEP=1 keeps it). Each claim that is printed is
# checked by this script; the first that doesn't hold ends it with exit code 1. BUILD is where Kerf was built (build).
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
bin=$(cd "${1:-$root/build}" && pwd)/bin
work=$(mktemp -d "${TMPDIR:-/tmp}/kerf-demo.XXXXXX")
# shellcheck source=tests/demo/lib.sh
. "$root/tests/demo/lib.sh"

cleanup() {
    if [ -n "$server_pid" ]; then
        kill -TERM "$server_pid" 2>/dev/null || true
    fi
    if [ "${KEEP:-0}" = 1 ]; then
        echo "everything is still in $work" >&2
    else
        rm -rf "$work"
    fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ -t 1 ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
    bold='' plain=''
fi
step() {
    printf '\n%s== %s%s\n' "$bold" "$*" "$plain"
}

# run CODE COMMAND...: shows the command and what it prints, and insists on the exit code.
run() {
    want=$1
    shift
    printf '$ %s\n' "$(basename "$1") $(shift && echo "$*" | sed "s|$work/||g")"
    code=0
    "$@" >"$work/out" || code=$?
    sed "s|$work/||g" "$work/out"
    [ "$code" -eq "$want" ] || fail "exit code $code instead of $want"
}

size() {
    wc -c <"$1" | tr -d ' '
}

sha256() {
    sha256sum <"$1" | cut -d' ' -f1
}

# Numbers that kerf-agent update printed: number 'full payload'.
number() {
    sed -n "s/^  $1  *\([0-9.]*\).*/\1/p" "$work/out"
}

# boot IMAGE VERSION: runs it on an emulated Cortex-M3 board; it must be that version and hash itself to that digest.
boot() {
    if ! command -v qemu-system-arm >/dev/null; then
        echo "(no qemu-system-arm here: the image is not run)"
        return
    fi
    timeout 60 qemu-system-arm -M mps2-an385 -display none -monitor none -serial stdio \
        -semihosting-config enable=on,target=native -kernel "$1" </dev/null >"$work/boot" 2>"$work/qemu.log" ||
        fail "the firmware does not run: $(tail -n 3 "$work/boot")"
    sed -n '/^terminal\|^image\|^amount\|^tariff\|^stats\|passed/s/^/  | /p' "$work/boot" | cut -c 1-100
    grep -q "^terminal $2" "$work/boot" || fail "what runs is not $2"
    grep -q "sha256 $(sha256 "$1")" "$work/boot" || fail "the firmware hashes itself to something else"
}

echo "Kerf: three releases of a firmware, one server, devices on release 1. Folder: $work"

step "Firmware: a car-park terminal for Cortex-M3, compiled from tests/demo/firmware"
"$root/tests/demo/firmware/build.sh" "$work" >"$work/firmware.log" 2>&1 || fail "the firmware does not compile"
echo "release 1: version 1.0.0, $(size "$work/terminal-1.bin") bytes"
echo "release 2: version 1.1.0, $(size "$work/terminal-2.bin") bytes: bug fix (sign of small amounts), new tariffs"
echo "release 3: version 1.2.0, $(size "$work/terminal-3.bin") bytes: better thermometer, statistics, a longer log"
echo "release 1 on the emulated board:"
boot "$work/terminal-1.bin" 1.0.0

step "Keys, certificate, repository"
pki "$work" server
run 0 "$bin/kerf-repo" init "$work/repo"
run 0 "$bin/kerf-repo" keygen "$work/repo"
for release in 1 2 3; do
    run 0 "$bin/kerf-repo" add-release "$work/repo" terminal "1.$((release - 1)).0" "$work/terminal-$release.bin" --quiet
    run 0 "$bin/kerf-repo" publish "$work/repo"
done
run 0 "$bin/kerf-repo" verify "$work/repo"

step "Server on loopback"
server_start "$work/repo"
echo "kerf-server at $server_url, certificate by a CA of its own"

step "Device SN0001 runs release 1 and asks"
device SN0001 "$work/terminal-1.bin" 1.0.0
run 0 "$bin/kerf-agent" check --config "$work/SN0001.conf" --verbose
grep -q '^offer .*1\.2\.0' "$work/out" || fail "release 3 is not offered"
grep -q '^ *delta .*workspace$' "$work/out" || fail "no delta is offered"
[ ! -s "$work/SN0001/slot-b" ] || fail "a check wrote to the other slot"

step "Device SN0001 updates: the delta goes from HTTPS straight into slot b"
run 0 "$bin/kerf-agent" update --config "$work/SN0001.conf"
delta_size=$(number fetched) full_size=$(number 'full payload') seconds=$(number time) peak=$(number 'peak RAM')
added=$(number added)
workspace=$(number workspace)
grep -q 'slot b by delta' "$work/out" || fail "it was not updated by the delta"
cmp "$work/SN0001/slot-b" "$work/terminal-3.bin" || fail "slot b is not release 3"
cmp "$work/SN0001/slot-a" "$work/terminal-1.bin" || fail "slot a was changed"
grep -q "$(sha256 "$work/terminal-3.bin"), read back" "$work/out" || fail "another digest was verified"
[ "$delta_size" -lt "$full_size" ] || fail "the delta is no smaller than the full payload"
echo "slot b on the emulated board:"
boot "$work/SN0001/slot-b" 1.2.0
run 0 "$bin/kerf-agent" confirm --config "$work/SN0001.conf"
run 0 "$bin/kerf-agent" status --config "$work/SN0001.conf"
grep -q 'reports  0 wait' "$work/out" || fail "reports did not reach the server"

step "Device SN0002 says release 1 as well, but one bit of its image is wrong: it gets the full payload"
cp "$work/terminal-1.bin" "$work/altered.bin"
byte=$(od -An -tu1 -j 40000 -N 1 "$work/altered.bin" | tr -d ' ')
# shellcheck disable=SC2059
printf "$(printf '\\%03o' $((byte ^ 1)))" | dd of="$work/altered.bin" bs=1 seek=40000 conv=notrunc status=none
device SN0002 "$work/altered.bin" 1.0.0
run 0 "$bin/kerf-agent" update --config "$work/SN0002.conf"
grep -q 'slot b by full' "$work/out" || fail "it was not updated by the full payload"
cmp "$work/SN0002/slot-b" "$work/terminal-3.bin" || fail "slot b is not release 3"
altered_size=$(number fetched) altered_seconds=$(number time) altered_peak=$(number 'peak RAM')
run 0 "$bin/kerf-agent" confirm --config "$work/SN0002.conf" --quiet

step "Device SN0001 asks again: nothing to do, exit code 10"
run 10 "$bin/kerf-agent" update --config "$work/SN0001.conf"

step "Clean stop"
server_stop
echo "kerf-server has ended, exit code 0"
for name in SN0001 SN0002; do
    grep -q "device=$name .*phase=confirmed" "$work/server.log" || fail "the server knows of no confirmation by $name"
done
echo "it knows from both devices that release 3 runs and is confirmed"
grep -q stopped "$work/server.log" || fail "the server did not say that it stopped"

step "What it took"
row() {
    printf '%-34s %12s %9s %8s %10s  %s\n' "$@"
}
row "1.0.0 -> 1.2.0" "bytes" "of full" "time" "peak RAM" "sha256 of slot b"
row "image, as a file" "$(size "$work/terminal-3.bin")" "" "" "" ""
row "full payload (device SN0002)" "$altered_size" "100.0 %" "$altered_seconds s" "$altered_peak KiB" "verified"
row "delta (device SN0001)" "$delta_size" "$(awk "BEGIN{printf \"%.1f\", 100 * $delta_size / $full_size}") %" \
    "$seconds s" "$peak KiB" "verified"
row "up to date (device SN0001)" 0 "" "" "" "unchanged"
echo "Downloading and applying took $added KiB of the peak, whatever the image size; the decoder $workspace bytes of it."
