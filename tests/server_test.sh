#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kerf-server from outside: starts it on loopback with a certificate made here and drives it with curl and raw sockets.
# KERF_BIN: folder of the programs (set by ctest).
set -u
BIN=${KERF_BIN:?set KERF_BIN to the folder of the programs}
HERE=$(cd "$(dirname "$0")" && pwd)
DIR=$(mktemp -d)
PID=
FAILED=0
CHECKS=0
trap 'if [ -n "$PID" ]; then kill -9 "$PID"; fi; rm -rf "$DIR"' EXIT
cd "$DIR" || exit 1

die() { echo "server_test: $*" >&2; tail -5 log 2>/dev/null >&2; exit 1; }
# is NAME WANTED GOT: one check.
is() {
    CHECKS=$((CHECKS + 1))
    if [ "$2" != "$3" ]; then
        FAILED=$((FAILED + 1))
        echo "FAILED: $1: expected '$2', got '$3'" >&2
    fi
}
# has NAME TEXT FILE: TEXT is in FILE.
has() {
    CHECKS=$((CHECKS + 1))
    if ! grep -qF -- "$2" "$3"; then
        FAILED=$((FAILED + 1))
        echo "FAILED: $1: '$2' is not in: $(head -c 600 "$3")" >&2
    fi
}
# json FILE EXPRESSION: of the parsed file `a`.
json() { python3 -c 'import json, sys; a = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"; }
# start [ARG...]: starts the server, sets PID and URL.
start() {
    : >ready
    "$BIN/kerf-server" --repo repo --cert cert.pem --key key.pem --db fleet.db --listen "127.0.0.1:${PORT:-0}" "$@" \
        >ready 2>>log &
    PID=$!
    for _ in $(seq 200); do
        if [ -s ready ]; then break; fi
        if ! kill -0 "$PID" 2>/dev/null; then die "the server does not start"; fi
        sleep 0.05
    done
    URL=$(sed -n 's/.*\(https:[^"]*\).*/\1/p' ready)
    if [ -z "$URL" ]; then die "no address in: $(cat ready)"; fi
}
# stop SIGNAL: stops it and returns its exit code.
stop() { kill "-$1" "$PID"; wait "$PID" 2>/dev/null; local code=$?; PID=; return $code; }
# get PATH [CURL ARG...]: body in `body`, headers in `head`; prints the status.
get() {
    local path=$1
    shift
    : >body
    curl -sS --max-time 30 --cacert cert.pem -D head -o body -w '%{http_code}' "$@" "$URL$path" 2>curl_error
}
post() { get "$1" --data-binary "@$2" -H 'Content-Type: application/json' "${@:3}"; }
header() { tr -d '\r' <head | sed -n "s/^$1: //Ip"; }
sha() { sha256sum "$1" | cut -d' ' -f1; }

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null || die "openssl can't make a certificate"
# Three versions of something that compresses and changes like a program.
python3 - <<'PY'
base = "".join(f"static int f{i}(int a) {{ return a * {i * 7919 % 1000} + {i}; }}\n" for i in range(1200))
open("v1", "w").write(base)
open("v2", "w").write(base.replace("f77(", "g77(") + "int two;\n")
open("v3", "w").write(base.replace("f77(", "g77(").replace("f500(", "other(") + "int two;\nint three;\n")
open("altered", "w").write(base.replace("f9(", "x9("))
PY
"$BIN/kerf-repo" init repo >/dev/null && "$BIN/kerf-repo" keygen repo >/dev/null || die "kerf-repo can't make a repository"
publish() { # VERSION IMAGE
    "$BIN/kerf-repo" add-release repo T1 "$1" "$2" --quiet >/dev/null && "$BIN/kerf-repo" publish repo >/dev/null ||
        die "kerf-repo can't publish $1"
}
publish 1.1 v1
publish 1.2 v2

check() { # FILE DEVICE VERSION DIGEST [MORE KEYS]: writes a check request
    printf '{"v":1,"device":{"id":"%s","model":"T1"},"client":{"formats":["kerf/0"],"features":[]%s},"meta":{"root":1,"release":1},"components":[{"name":"main","ver":"%s","sha256":"%s"}],"nonce":"00112233"}' \
        "$2" "${5:-}" "$3" "$4" >"$1"
}
report() { # FILE DEVICE TXN SEQ
    printf '{"v":1,"device":{"id":"%s"},"reports":[{"txn":"%s","seq":%s,"component":"main","phase":"failed","code":"DELTA_BAD","mode":"delta","from":"%s","to":"%s","bytes":1,"ms":2,"ram":3}]}' \
        "$2" "$3" "$4" "$(sha v1)" "$(sha v2)" >"$1"
}
count() { sqlite3 -readonly fleet.db "$1" 2>/dev/null || python3 -c 'import sqlite3, sys; print(sqlite3.connect("fleet.db").execute(sys.argv[1]).fetchone()[0])' "$1"; }

# --- Command line ---
"$BIN/kerf-server" --help >out && has "help" "Usage: kerf-server" out
"$BIN/kerf-server" --version >out && has "version" "kerf-server" out
usage() { # NAME CODE TEXT ARG...: one line on stderr that holds TEXT
    "$BIN/kerf-server" "${@:4}" >out 2>err
    is "$1: exit code" "$2" $?
    is "$1: lines" 1 "$(wc -l <err)"
    has "$1" "$3" err
}
FULL=(--repo repo --cert cert.pem --key key.pem --db other.db --listen 127.0.0.1:0)
usage "no arguments" 2 "--repo DIR is missing"
usage "unknown option" 2 "--nonsense" --nonsense
usage "one too many" 2 "'more'" "${FULL[@]}" more
usage "bad address" 2 "HOST:PORT" "${FULL[@]}" --listen 8443
usage "bad port" 2 "HOST:PORT" "${FULL[@]}" --listen 127.0.0.1:65536
usage "bad URL" 2 "--url-base" "${FULL[@]}" --url-base ftp://x
usage "no repository" 5 "nowhere" "${FULL[@]}" --repo nowhere
usage "no certificate" 5 "nowhere.pem" "${FULL[@]}" --cert nowhere.pem
usage "not a certificate" 5 "v1" "${FULL[@]}" --cert v1
usage "not a key" 5 "v1" "${FULL[@]}" --key v1
usage "not a database" 5 "v1" "${FULL[@]}" --db v1
usage "no folder for the database" 5 "nowhere/x.db" "${FULL[@]}" --db nowhere/x.db
usage "foreign address" 8 "192.0.2.1" "${FULL[@]}" --listen 192.0.2.1:0
openssl genpkey -algorithm ED25519 -out strange.pem 2>/dev/null && chmod 600 strange.pem
usage "another key" 5 "does not belong" "${FULL[@]}" --key strange.pem
usage "a fresh key that is none" 6 "fresh key" "${FULL[@]}" --fresh-key strange.pem

# --- Checks ---
start --json-log
check old.json SN1 1.1 "$(sha v1)"
is "known image" 200 "$(post /v1/check old.json)"
is "known image: status" update "$(json body 'a["status"]')"
is "known image: delta first, then full" "['delta', 'full']" "$(json body '[o["kind"] for o in a["updates"][0]["options"]]')"
is "known image: target" "$(sha v2)" "$(json body 'a["updates"][0]["to"]["sha256"]')"
is "release comes along" "$(base64 -w0 repo/public/metadata/T1/release.2)" "$(json body 'a["metadata"]["release"]')"
is "fresh comes along" "$(base64 -w0 repo/public/metadata/T1/fresh)" "$(json body 'a["metadata"]["fresh"]')"
is "root is known" "[]" "$(json body 'a["metadata"]["root"]')"
DELTA=$(json body 'a["updates"][0]["options"][0]["urls"][0]')
is "delta" 200 "$(get "$DELTA")"
is "delta: digest" "${DELTA#/p/}" "$(sha body)"
if [ -x "$BIN/kerf-patch" ]; then
    "$BIN/kerf-patch" v1 body -o made -q && cmp -s made v2
    is "delta: applies" 0 $?
fi
sed 's/"root":1/"root":0/' old.json >request.json
is "no root yet" 200 "$(post /v1/check request.json)"
is "no root yet: root" "$(base64 -w0 repo/public/metadata/T1/root.1)" "$(json body 'a["metadata"]["root"][0]')"
check request.json SN2 1.1 "$(sha altered)"
is "altered image" 200 "$(post /v1/check request.json)"
is "altered image: full only" "drift ['full']" "$(json body 'a["reason"] + " " + str([o["kind"] for o in a["updates"][0]["options"]])')"
check request.json SN3 1.2 "$(sha v2)"
is "current image" 200 "$(post /v1/check request.json)"
is "current image: nothing" "none current 0" "$(json body 'a["status"] + " " + a["reason"] + " " + str(len(a["updates"]))')"
is "current image: metadata all the same" True "$(json body 'len(a["metadata"]["fresh"]) > 100')"
check request.json SN4 1.1 "$(sha v1)" ',"ram":1024'
is "too little RAM" 200 "$(post /v1/check request.json)"
is "too little RAM: hold" "hold ram" "$(json body 'a["status"] + " " + a["reason"]')"
sed 's/"T1"/"T2"/' old.json >request.json
is "unknown product" 404 "$(post /v1/check request.json)"
has "unknown product" "no such product" body

# --- What is malformed, too large, or not there ---
bad() { # NAME STATUS TEXT
    is "$1" "$2" "$(post /v1/check request.json "${@:4}")"
    has "$1" "$3" body
    has "$1: JSON" "application/json" head
}
printf '' >request.json
bad "empty body" 400 "not JSON"
printf '{"v":1' >request.json
bad "cut off" 400 "not JSON"
printf '\377\376{}' >request.json
bad "not UTF-8" 400 "not JSON"
sed 's/"v":1/"v":2/' old.json >request.json
bad "another version" 400 "v: "
sed 's/"id":"SN1"/"id":7/' old.json >request.json
bad "wrong type" 400 "device.id: a string expected"
python3 -c 'print("["*100000)' >request.json
bad "deep, and too large" 413 "32768"
python3 -c 'print("{\"a\":" + "["*1000 + "]"*1000 + "}")' >request.json
bad "deep" 400 "16 levels"
head -c 200000 /dev/zero >request.json
bad "large" 413 "32768"
cp old.json request.json
bad "compressed" 415 "Content-Encoding" -H 'Content-Encoding: gzip'
head -c 3000000 /dev/zero >request.json
is "huge" 413 "$(post /v1/check request.json -H 'Expect:')"
# Without a length the server can only cut it off; curl may or may not read the 413 that was sent before.
is "huge, chunked" refused "$(post /v1/check request.json -H 'Transfer-Encoding: chunked' -H 'Expect:' |
    sed 's/^413$\|^000$/refused/')"
is "report: too large" 413 "$(head -c 70000 /dev/zero >request.json && post /v1/report request.json)"
is "no such path" 404 "$(get /v2/check)"
is "GET of a check" 405 "$(get /v1/check)"
is "GET of a check: Allow" POST "$(header Allow)"
is "DELETE of a payload" 405 "$(get "$DELTA" -X DELETE)"
is "DELETE of a payload: Allow" "GET, HEAD" "$(header Allow)"
for path in /p/../../keys/root.pem /p/..%2f..%2f..%2fkeys/root.pem /p/%2e%2e/x "/p/$(printf 'A%.0s' $(seq 64))" /p/ \
    "/p/$(printf '0%.0s' $(seq 64))" "/p/$(printf '0%.0s' $(seq 65))" "$DELTA/" /metadata/../../keys/root.pem \
    /metadata/T1/../../../keys/root.pem /metadata/..%2f/fresh /metadata/T1/release.0 /metadata/T1/release.02 \
    /metadata/T1/release.99999999999999999999 /metadata/T1/root. /metadata/T1 /metadata/.hidden/fresh //etc/passwd; do
    is "not to be had: $path" 404 "$(get "$path" --path-as-is)"
done
is "health" 200 "$(get /healthz)"
is "health: status" ok "$(json body 'a["status"]')"

# --- Payloads: ranges ---
python3 -c 'import random; random.seed(5); open("big", "wb").write(random.randbytes(3000001))'
BIG=$(sha big)
cp big "repo/public/p/$BIG"
is "payload" 200 "$(get "/p/$BIG")"
is "payload: all of it" "$BIG" "$(sha body)"
is "payload: ETag" "\"$BIG\"" "$(header ETag)"
has "payload: immutable" "immutable" head
range() { # NAME RANGE STATUS POS LEN [CURL ARG...]
    is "$1" "$3" "$(get "/p/$BIG" -H "Range: $2" "${@:6}")"
    is "$1: bytes" "$(tail -c "+$(($4 + 1))" big | head -c "$5" | sha256sum | cut -d' ' -f1)" "$(sha body)"
}
range "first byte" "bytes=0-0" 206 0 1
is "first byte: Content-Range" "bytes 0-0/3000001" "$(header Content-Range)"
range "middle" "bytes=1000000-1999999" 206 1000000 1000000
range "from a place on" "bytes=2999990-" 206 2999990 11
range "tail" "bytes=-500" 206 2999501 500
range "tail longer than all" "bytes=-9999999" 206 0 3000001
range "end beyond the end" "bytes=2999999-99999999999999999999999" 206 2999999 2
range "several: the whole" "bytes=0-1,5-6" 200 0 3000001
range "other unit: the whole" "lines=0-1" 200 0 3000001
range "backwards: the whole" "bytes=5-1" 200 0 3000001
range "If-Range matches" "bytes=5-9" 206 5 5 -H "If-Range: \"$BIG\""
range "If-Range differs: the whole" "bytes=5-9" 200 0 3000001 -H 'If-Range: "other"'
is "beyond the end" 416 "$(get "/p/$BIG" -H 'Range: bytes=3000001-')"
is "beyond the end: Content-Range" "bytes */3000001" "$(header Content-Range)"
is "If-None-Match" 304 "$(get "/p/$BIG" -H "If-None-Match: \"$BIG\"")"
is "HEAD" 200 "$(get "/p/$BIG" -I)"
is "HEAD: length" 3000001 "$(header Content-Length)"
is "document" 200 "$(get /metadata/T1/fresh)"
is "document: bytes" "$(sha repo/public/metadata/T1/fresh)" "$(sha body)"
is "document: not cached" no-cache "$(header Cache-Control)"
is "current" 200 "$(get /metadata/current)"
# A file that shrinks while it is sent must not look complete, nor take the server down.
python3 - "$URL" "$BIG" <<'PY'
import http.client, ssl, sys, time, os
host = sys.argv[1].split("//")[1]
c = http.client.HTTPSConnection(host, timeout=20, context=ssl.create_default_context(cafile="cert.pem"))
path = "repo/public/p/" + "f" * 64
with open(path, "wb") as f:
    f.truncate(80_000_000)
c.request("GET", "/p/" + "f" * 64)
r = c.getresponse()
r.read(100000)
os.truncate(path, 100)
try:
    got = 100000 + len(r.read())
    sys.exit(f"FAILED: {got} bytes of a file that was cut came as if complete")
except (http.client.IncompleteRead, ConnectionError, ssl.SSLError):
    pass
finally:
    os.unlink(path)
PY
is "a file that shrinks" 0 $?

# --- Reports ---
report r.json SN1 txn-1 0
is "report" 200 "$(post /v1/report r.json)"
is "report: new" "1 0" "$(json body '"%d %d" % (a["stored"], a["known"])')"
is "report again" 200 "$(post /v1/report r.json)"
is "report again: known" "0 1" "$(json body '"%d %d" % (a["stored"], a["known"])')"
is "one failure: delta still" 200 "$(post /v1/check old.json)"
is "one failure: delta still first" delta "$(json body 'a["updates"][0]["options"][0]["kind"]')"
report r.json SN1 txn-1 1
is "second failure" 200 "$(post /v1/report r.json)"
is "two failures" 200 "$(post /v1/check old.json)"
is "two failures: full only" "['full']" "$(json body '[o["kind"] for o in a["updates"][0]["options"]]')"
check request.json SN9 1.1 "$(sha v1)"
is "another device" 200 "$(post /v1/check request.json)"
is "another device: delta" delta "$(json body 'a["updates"][0]["options"][0]["kind"]')"
sed 's/"DELTA_BAD"/"WHATEVER"/' r.json >request.json
is "unknown code" 400 "$(post /v1/report request.json)"
has "unknown code" "reports[0].code" body

# --- Publish while it runs ---
publish 1.3 v3
for _ in $(seq 100); do
    get /healthz >/dev/null
    if [ "$(json body 'a["products"]["T1"]["release"]')" = 3 ]; then break; fi
    sleep 0.1
done
is "a publish is noticed" 3 "$(json body 'a["products"]["T1"]["release"]')"
check request.json SN9 1.1 "$(sha v1)"
is "after the publish" 200 "$(post /v1/check request.json)"
is "after the publish: target" "$(sha v3)" "$(json body 'a["updates"][0]["to"]["sha256"]')"
is "payload of before" 200 "$(get "$DELTA")"
cp repo/public/metadata/T1/fresh fresh.saved
head -c 50 fresh.saved >repo/public/metadata/T1/fresh
kill -HUP "$PID"
sleep 0.5
is "a damaged repository changes nothing" 200 "$(post /v1/check request.json)"
has "a damaged repository is logged" '"event":"error"' log
cp fresh.saved repo/public/metadata/T1/fresh

# --- kill -9 loses no acknowledged report ---
(
    for i in $(seq 2000); do
        report "k.json" SN7 txn-k "$i"
        curl -sS --max-time 5 --cacert cert.pem --data-binary @k.json "$URL/v1/report" 2>/dev/null | grep -q '"stored":1' || break
        echo "$i" >>acknowledged
    done
) &
LOOP=$!
sleep 2
kill -9 "$PID"
wait "$PID" 2>/dev/null
wait "$LOOP"
LAST=$(tail -1 acknowledged)
start
is "after kill -9: all acknowledged reports are there" "$LAST" \
    "$(count "SELECT count(*) FROM report WHERE device='SN7' AND seq <= $LAST")"
is "after kill -9" 200 "$(post /v1/check old.json)"
is "after kill -9: failures are remembered" "drop" "$(json body '"drop" if a["updates"][0]["options"] else ""')"
stop TERM
is "SIGTERM" 0 $?

# --- Hostile and slow clients ---
start --request-seconds 2 --connections 20
timeout 60 python3 "$HERE/rude_clients.py" "$URL" cert.pem "$BIG"
is "rude clients" 0 $?
is "TLS 1.2 is refused" 000 "$(get /healthz --tls-max 1.2)"
is "other certificates are not trusted" 000 "$(curl -s -o /dev/null -w '%{http_code}' "$URL/healthz")"
is "still well" 200 "$(get /healthz)"
kill -0 "$PID"
is "still there" 0 $?

# --- Graceful stop: an answer in progress is finished ---
curl -sS --cacert cert.pem --limit-rate 1M -o body "$URL/p/$BIG" &
CURL=$!
sleep 0.7
stop TERM
is "stopped while sending" 0 $?
wait "$CURL"
is "the download was finished" 0 $?
is "the download is whole" "$BIG" "$(sha body)"

# --- Fresh documents per answer; TLS 1.2 on request; URLs elsewhere ---
start --fresh-key repo/keys/fresh.pem --tls12 --url-base https://cdn.example.com/fw
is "TLS 1.2 on request" 200 "$(get /healthz --tls-max 1.2)"
check request.json SN3 1.1 "$(sha v1)"
is "signed for this answer" 200 "$(post /v1/check request.json)"
is "the nonce is echoed" True "$(json body '__import__("base64").b64decode(a["metadata"]["fresh"]).find(b"00112233") > 0')"
is "URLs of the CDN" "https://cdn.example.com/fw/p/" "$(json body 'a["updates"][0]["options"][0]["urls"][0][:29]')"
stop INT
is "SIGINT" 0 $?
if grep -q "Sanitizer\|runtime error" log; then
    FAILED=$((FAILED + 1))
    grep -A20 "Sanitizer\|runtime error" log | head -40 >&2
fi

echo "server_test: $CHECKS checks, $FAILED failed"
[ "$FAILED" = 0 ]
