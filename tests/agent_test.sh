#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# kerf-agent against the real kerf-server, and against a server in between that misbehaves (bad_server.py): agent_test.sh
# KERF_BIN is the folder of the programs, KERF_SRC the source tree.
set -eu

bin=${KERF_BIN:?the folder of the programs}
src=${KERF_SRC:?the source tree}
work=$(mktemp -d "${TMPDIR:-/tmp}/kerf-agent-test.XXXXXX")
# shellcheck source=tests/demo/lib.sh
. "$src/tests/demo/lib.sh"

proxy_pid= holder_pid= mounted= loop=
cleanup() {
    for pid in $server_pid $proxy_pid $holder_pid; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    [ -z "$mounted" ] || umount "$mounted"
    [ -z "$loop" ] || losetup -d "$loop"
    rm -rf "$work"
}
trap cleanup EXIT

test_case() {
    echo "- $*"
}

# agent CODE NAME COMMAND [OPTION...]: kerf-agent for device NAME, events as JSON lines in work/out.
agent() {
    want=$1
    name=$2
    command=$3
    shift 3
    expect "$want" "$bin/kerf-agent" "$command" --json --config "$work/$name.conf" --retry-ms 10 "$@"
    lines=$(wc -l <"$work/err" | tr -d ' ')
    if [ "$want" -eq 0 ] || [ "$want" -eq 10 ]; then
        [ "$lines" -eq 0 ] || fail "unexpected words: $(cat "$work/err")"
    else
        [ "$lines" -eq 1 ] || fail "not one line on standard error but $lines"
    fi
}

# says WORDS: the last run printed them, or its error line did.
says() {
    grep -q -- "$1" "$work/out" "$work/err" || fail "'$1' is not in: $(cat "$work/out" "$work/err")"
}

says_not() {
    if grep -q -- "$1" "$work/out" "$work/err"; then
        fail "'$1' is in: $(cat "$work/out" "$work/err")"
    fi
}

# holds NAME SLOT IMAGE
holds() {
    cmp -s "$work/$1/slot-$2" "$3" || fail "slot $2 of $1 is not $3"
}

# untouched NAME: nothing was written to slot b, and slot a is release 1.
untouched() {
    [ ! -s "$work/$1/slot-b" ] || fail "slot b of $1 was written to"
    holds "$1" a "$work/1.bin"
}

# proxy_start NAME: the misbehaving server, with the certificate NAME; sets proxy_url and proxy_pid.
proxy_start() {
    rm -f "$work/port"
    # Python asks the system what "localhost" is, and a bare one has no /etc/hosts.
    python3 "$src/tests/bad_server.py" --cert "$work/$1.pem" --key "$work/$1.key" \
        --upstream "https://127.0.0.1:${server_url##*:}" --upstream-ca "$work/server-ca.pem" \
        --mode "$work/mode" --port-file "$work/port" --payloads "$work/payloads" 2>>"$work/proxy.log" &
    proxy_pid="$proxy_pid $!"
    tries=0
    until [ -s "$work/port" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || fail "bad_server.py does not start"
        sleep 0.05
    done
    proxy_url=https://localhost:$(cat "$work/port")
}

mode() {
    echo "$*" >"$work/mode.new"
    mv "$work/mode.new" "$work/mode"
}

# proxied NAME [OPTION...]: a new device on release 1 whose server is the misbehaving one.
proxied() {
    device "$1" "$work/1.bin" 1.0.0
    sed -i "s|^server = .*|server = $proxy_url|" "$work/$1.conf"
}

publish() {
    {
        "$bin/kerf-repo" add-release "$work/repo" terminal "$1.0.0" "$work/$1.bin" --quiet &&
            "$bin/kerf-repo" publish "$work/repo"
    } >"$work/repo.log" 2>&1 || fail "release $1 was not published"
}

# Three images: a table of numbers, of which each release changes some and adds others.
python3 - "$work" <<'EOF'
import hashlib
import sys

def image(release):
    rows = []
    for i in range(6000):
        changed = sum(1 for r in range(2, release + 1) if i % 29 == r)
        rows.append(b"%05d %s\n" % (i, hashlib.sha256(b"%d %d" % (i, changed)).hexdigest()[:12].encode()))
        if release > 1 and i == 1234:
            rows += [b"new in %d: %s\n" % (release, hashlib.sha512(b"%d" % k).hexdigest().encode()) for k in range(40)]
    return b"".join(rows)

for release in (1, 2, 3):
    with open(f"{sys.argv[1]}/{release}.bin", "wb") as file:
        file.write(image(release))
EOF

pki "$work" server
pki "$work" other
pki "$work" misnamed DNS:elsewhere.example
{
    "$bin/kerf-repo" init "$work/repo" && "$bin/kerf-repo" keygen "$work/repo"
} >"$work/repo.log" 2>&1 || fail "no repository"
publish 1
publish 2
server_start "$work/repo"
mode pass
proxy_start misnamed
misnamed_url=$proxy_url
proxy_start server

test_case "a device is updated by the delta, and confirms"
device D1 "$work/1.bin" 1.0.0
agent 0 D1 check
says '"kind":"delta"'
untouched D1
[ ! -e "$work/D1/state/reports" ] || fail "a check made reports"
agent 0 D1 update
says '"event":"installed".*"kind":"delta"'
holds D1 b "$work/2.bin"
holds D1 a "$work/1.bin"
agent 0 D1 status
says '"active":"b","confirmed":false,"intact":true'
agent 2 D1 update
says 'not confirmed'
agent 0 D1 confirm
agent 10 D1 confirm
agent 10 D1 check
says '"reason":"current"'
agent 10 D1 update

test_case "an altered image gets the full payload, also when it was cut short"
cp "$work/1.bin" "$work/altered.bin"
printf 'X' | dd of="$work/altered.bin" bs=1 seek=7000 conv=notrunc status=none
device D2 "$work/altered.bin" 1.0.0
agent 0 D2 update
says '"event":"installed".*"kind":"full"'
holds D2 b "$work/2.bin"
head -c 50000 "$work/1.bin" >"$work/cut.bin"
device D3 "$work/cut.bin" 1.0.0
agent 0 D3 update
says '"kind":"full"'
holds D3 b "$work/2.bin"

test_case "an image that was altered after it was installed is noticed"
device D4 "$work/1.bin" 1.0.0
agent 0 D4 update
printf 'X' | dd of="$work/D4/slot-b" bs=1 seek=7000 conv=notrunc status=none
agent 0 D4 status
says '"intact":false'
agent 6 D4 confirm
says 'rollback'
agent 0 D4 rollback
agent 0 D4 status
says '"active":"a","confirmed":true,"intact":true'
says '"code":"BOOT_FAIL"'
agent 10 D4 rollback

test_case "a server whose certificate is by another CA is refused"
device D5 "$work/1.bin" 1.0.0
agent 6 D5 check --ca "$work/other-ca.pem"
agent 6 D5 update --ca "$work/other-ca.pem"
says 'certificate'
untouched D5
agent 6 D5 check --server "$misnamed_url" --ca "$work/misnamed-ca.pem"
agent 5 D5 check --ca "$work/nothing.pem"
agent 2 D5 check --server "http://localhost:${server_url##*:}"
grep -q '^{"event":"error"' "$work/out" || fail "a refused key is no event: $(cat "$work/out")"
says 'https'
agent 2 D5 nonsense
grep -q '^{"event":"error"' "$work/out" || fail "a wrong command is no event: $(cat "$work/out")"

test_case "a server that is down is exit code 8, and nothing changes"
agent 8 D5 update --server https://localhost:1
untouched D5
[ ! -e "$work/D5/state/state" ] || fail "the state was written"

test_case "a product that the root is not for is refused"
agent 6 D5 check --product other
says 'give the right root'
agent 6 D5 check --root "$work/server.pem"
says 'not a signed document'

test_case "connections that are cut are resumed, whatever the server does about ranges"
for how in "cut 3000" "cut-whole 3000" "cut-deny 3000" "short" "long" "shift" "busy" "pad 40" "pad 41" "pad 42"; do
    proxied R
    rm -rf "$work/R/state"
    mode "$how"
    agent 0 R update
    says '"event":"installed"'
    holds R b "$work/2.bin"
    case $how in
    "cut 3000") says '"kind":"delta".*"resumed":[1-9]' ;;
    cut-whole* | cut-deny* | shift | pad*) says '"kind":"delta".*"resumed":[12]' ;;
    esac
done

test_case "a stalled connection is given up and resumed"
proxied R2
mode "stall 3000"
agent 0 R2 update --stall-s 1
says '"kind":"delta".*"resumed":1'
holds R2 b "$work/2.bin"

test_case "a delta that is missing is replaced by the full payload, at once"
proxied R3
mode missing
agent 0 R3 update
says '"event":"failed","kind":"delta"'
says '"event":"installed".*"kind":"full"'

test_case "no redirect leaves https"
proxied R4
mode redirect
agent 8 R4 update --retries 1
untouched R4

test_case "a delta that was altered is refused, and the full payload taken at once"
proxied T1
mode "flip delta 3000"
agent 0 T1 update
says '"event":"failed","kind":"delta".*"code":"CHUNK_HASH"'
says '"event":"installed".*"kind":"full"'
holds T1 b "$work/2.bin"

test_case "payloads that were all altered are exit code 6, the old image stays, and the next update works"
proxied T2
mode "flip all 3000"
agent 6 T2 update
holds T2 a "$work/1.bin"
agent 0 T2 status
says '"active":"a","confirmed":true,"intact":true'
says '"b":{[^}]*"valid":false}'
mode pass
agent 0 T2 update
holds T2 b "$work/2.bin"

test_case "a header or first chunk that was altered is refused before the other slot is touched"
for byte in 0 3 5 12 40 200; do
    proxied T3
    rm -rf "$work/T3/state"
    mode "flip all $byte"
    agent 6 T3 update
    untouched T3
done

test_case "metadata that was altered or left out is exit code 6, and nothing is fetched"
proxied M1
for how in "alter release" "alter fresh" no-fresh; do
    mode "$how"
    agent 6 M1 update
    says_not '"event":"download"'
    untouched M1
done

test_case "answers that are none are exit code 8"
for how in garbage huge; do
    mode "$how"
    agent 8 M1 check
done

# killed_update NAME BYTES [OPTION...]: an update that is killed after it has decoded all it can of so many bytes.
killed_update() {
    name=$1
    mode "stall $2"
    shift 2
    "$bin/kerf-agent" update --json --config "$work/$name.conf" --checkpoint 8K "$@" >"$work/killed.out" 2>&1 &
    killed=$!
    still=0
    tries=0
    before=
    # Nothing more is written to the slot, three times in a row.
    until [ "$still" -ge 3 ]; do
        now=$(stat -c '%s %y' "$work/$name/slot-b" "$work/$name/state/journal-b" 2>/dev/null || true)
        if [ -s "$work/$name/slot-b" ] && [ "$now" = "$before" ]; then
            still=$((still + 1))
        else
            still=0
        fi
        before=$now
        tries=$((tries + 1))
        [ "$tries" -lt 500 ] || fail "nothing was written"
        sleep 0.05
    done
    agent 5 "$name" status
    says 'another kerf-agent'
    kill -KILL "$killed"
    wait "$killed" 2>/dev/null || true
    mode pass
    : >"$work/payloads"
    agent 0 "$name" status
    says '"active":"a","confirmed":true,"intact":true'
    says '"b":{[^}]*"valid":false}'
}

# number KEY: its first value in what the last run printed.
number() {
    sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$work/out" | head -n 1
}

# resumed KIND BYTES: the last run asked for one payload, of this kind, by one range that begins within these bytes; and got no more.
resumed() {
    from=$(number from)
    [ "$from" -gt 500 ] && [ "$from" -le "$2" ] || fail "goes on at byte $from of $2"
    [ "$(cat "$work/payloads")" = "$1 bytes=$from-" ] || fail "asked for: $(cat "$work/payloads"), not from $from on"
    [ "$(number received)" -eq $(($(number payload_size) - from)) ] || fail "received more than was missing: $(cat "$work/out")"
    says "\"resumed_from\":$from"
    echo "  goes on at byte $from of $(number payload_size) ($1)"
}

test_case "an update that is killed leaves a device that boots, and the next one asks for the missing bytes alone"
proxied K1
cp "$work/altered.bin" "$work/K1/slot-a"
killed_update K1 30000
agent 0 K1 update
holds K1 b "$work/2.bin"
resumed full 30000
[ ! -e "$work/K1/state/journal-b" ] || fail "the journal was left behind"

test_case "the same with a delta, killed twice; the half-made slot counts whichever option comes first"
proxied K2
killed_update K2 2500
cp -R "$work/K2" "$work/K2.kept"
killed_update K2 2400
agent 0 K2 update
resumed delta 4900
holds K2 b "$work/2.bin"

test_case "a half-made slot that something else has written to is made anew; so is one that is gone"
for harm in damage cut remove; do
    rm -rf "$work/K2"
    cp -R "$work/K2.kept" "$work/K2"
    case $harm in
    damage) printf 'X' | dd of="$work/K2/slot-b" bs=1 seek=5000 conv=notrunc status=none ;;
    cut) truncate -s 5000 "$work/K2/slot-b" ;;
    remove) rm "$work/K2/slot-b" ;;
    esac
    agent 0 K2 update
    says '"event":"installed".*"kind":"delta".*"resumed_from":0'
    holds K2 b "$work/2.bin"
done

test_case "a journal that was damaged, or is of another payload, is not gone on with"
for harm in damage empty other; do
    rm -rf "$work/K2"
    cp -R "$work/K2.kept" "$work/K2"
    journal=$work/K2/state/journal-b
    case $harm in
    damage) python3 -c 'import sys; p = sys.argv[1]; b = open(p, "rb").read(); open(p, "wb").write(bytes(x ^ 1 for x in b))' \
        "$journal" ;;
    empty) : >"$journal" ;;
    other) cp "$work/altered.bin" "$work/K2/slot-a" ;;
    esac
    agent 0 K2 update
    says '"event":"installed".*"resumed_from":0'
    holds K2 b "$work/2.bin"
done

test_case "reports wait on disk while the server doesn't take them"
proxied P1
mode no-reports
agent 0 P1 update
says '"event":"waiting","reports":[1-9]'
agent 0 P1 status
says '"reports_waiting":[1-9]'
mode pass
agent 0 P1 confirm
says '"event":"reported"'
agent 0 P1 status
says '"reports_waiting":0'

test_case "an older release is refused, even with good signatures"
proxied O1
mode "save $work/old-answer"
agent 0 O1 check
publish 3
server_stop
server_start "$work/repo" --listen "127.0.0.1:${server_url##*:}"
mode pass
agent 0 O1 update
holds O1 b "$work/3.bin"
agent 0 O1 confirm
mode "replay $work/old-answer"
agent 6 O1 check
says 'older'
agent 6 O1 update
holds O1 b "$work/3.bin"

test_case "an answer that was signed for another question is refused"
server_stop
server_start "$work/repo" --listen "127.0.0.1:${server_url##*:}" --fresh-key "$work/repo/keys/fresh.pem"
proxied N1
mode "save $work/old-answer"
agent 0 N1 check
mode "replay $work/old-answer"
agent 6 N1 check
says 'fresh document is refused'

test_case "a metered link takes deltas, and no full payload"
device N2 "$work/1.bin" 1.0.0
agent 0 N2 update --metered true
says '"kind":"delta"'
device N3 "$work/altered.bin" 1.0.0
agent 10 N3 update --metered true
says '"reason":"metered"'

test_case "two releases at once: from the first to the third"
device D6 "$work/1.bin" 1.0.0
agent 0 D6 update
says '"version":"3.0.0".*"kind":"delta"'
holds D6 b "$work/3.bin"

test_case "what does not fit is not taken"
device L1 "$work/1.bin" 1.0.0
agent 10 L1 update --ram 2K
says '"reason":"ram"'
agent 10 L1 update --slot-size 100K
says '"reason":"slot"'
untouched L1

test_case "a full disk is exit code 5, and the old image stays"
mkdir "$work/full"
if mount -t tmpfs -o size=16k none "$work/full" 2>/dev/null; then
    mounted=$work/full
    agent 5 L1 update --slot-b "$work/full/slot-b"
    says 'No space left'
    holds L1 a "$work/1.bin"
    agent 0 L1 status
    says '"active":"a","confirmed":true,"intact":true'
else
    echo "SKIPPED: no permission to mount a tmpfs" >&2
fi

test_case "a slot that is a character device, or in use, is refused"
device L2 "$work/1.bin" 1.0.0
agent 5 L2 update --slot-b /dev/full
says 'it is a character device.*mtdblock'
head -c 1048576 /dev/zero >"$work/disk"
if loop=$(losetup --find --show "$work/disk" 2>/dev/null); then
    python3 -c "import os, sys, time
os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL)
print(flush=True)
time.sleep(600)" "$loop" >"$work/held" &
    holder_pid=$!
    until [ -s "$work/held" ]; do
        sleep 0.1
    done
    agent 5 L2 update --slot-b "$loop"
    says 'it is in use: unmount it'
    cmp -s -n 1048576 "$loop" /dev/zero || fail "a device in use was written to"
    kill "$holder_pid"
    wait "$holder_pid" 2>/dev/null || true
    holder_pid=
    agent 0 L2 update --slot-b "$loop"
    cmp -s -n "$(wc -c <"$work/3.bin")" "$loop" "$work/3.bin" || fail "the device does not hold the new image"
else
    echo "SKIPPED: no loop device" >&2
fi
holds L2 a "$work/1.bin"

test_case "a state that is damaged is named, not acted on"
truncate -s 100 "$work/D6/state/state"
agent 5 D6 status
says 'not a usable device state'
agent 5 D6 update

test_case "wrong command lines and configurations are exit code 2"
expect 2 "$bin/kerf-agent"
expect 2 "$bin/kerf-agent" upgrade --config "$work/D1.conf"
expect 2 "$bin/kerf-agent" upgrade --config "$work/nothing.conf"
expect 2 "$bin/kerf-agent" check extra --config "$work/D1.conf"
expect 2 "$bin/kerf-agent" check --config "$work/D1.conf" --ram much
expect 2 "$bin/kerf-agent" check --config "$work/D1.conf" --nonsense 1
expect 2 "$bin/kerf-agent" check
expect 5 "$bin/kerf-agent" check --config "$work/nothing.conf"
echo "nonsense" >"$work/bad.conf"
expect 2 "$bin/kerf-agent" check --config "$work/bad.conf"
says 'line 1'
expect 0 "$bin/kerf-agent" --help
expect 0 "$bin/kerf-agent" --version

test_case "RAM for download and apply does not grow with the image"
python3 - "$work" <<'EOF'
import sys

with open(f"{sys.argv[1]}/big.bin", "wb") as file:
    for i in range(100000):
        file.write(b"%08d line of a large image\n" % i)
EOF
{
    "$bin/kerf-repo" add-release "$work/repo" big 1.0.0 "$work/big.bin" --quiet && "$bin/kerf-repo" publish "$work/repo"
} >"$work/repo.log" 2>&1 || fail "the large release was not published"
server_stop
server_start "$work/repo"
device B1 "$work/1.bin" 0.9.0
agent 0 B1 update --product big --root "$work/repo/public/metadata/big/root.1"
holds B1 b "$work/big.bin"
added=$(sed -n 's/.*"download_and_apply":\([0-9]*\).*/\1/p' "$work/out")
echo "  $(wc -c <"$work/big.bin") bytes of image, $added bytes of RAM"
if ! grep -q __asan_init "$bin/kerf-agent"; then # a sanitizer has memory of its own
    [ "$added" -lt 1048576 ] || fail "$added bytes are too many"
fi

server_stop
echo "all passed"
