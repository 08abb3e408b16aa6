# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# lib.sh - what demo.sh and the agent's tests share: certificates, a server on loopback, devices, checks that say what
# failed. To be sourced; `bin` is the folder of the programs, `work` the folder for everything that is made.

: "${bin:?}" "${work:?}"
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY
export LC_ALL=C

server_pid=

# Says what isn't as promised, shows the logs, ends.
fail() {
    echo "FAILED: $*" >&2
    for log in "$work"/*.log; do
        if [ -s "$log" ]; then
            echo "--- the last of $(basename "$log"):" >&2
            tail -n 25 "$log" >&2
        fi
    done
    exit 1
}

# pki DIR NAME [HOST]: a CA (NAME-ca.pem) and a certificate by it for HOST (DNS:name), or for localhost and 127.0.0.1 (NAME.pem,
# NAME.key).
pki() {
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$2 test CA" \
            -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
            -keyout "$1/$2-ca.key" -out "$1/$2-ca.pem" &&
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" \
                -keyout "$1/$2.key" -out "$1/$2.csr" &&
            printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "${3:-DNS:localhost,IP:127.0.0.1}" >"$1/$2.ext" &&
            openssl x509 -req -in "$1/$2.csr" -CA "$1/$2-ca.pem" -CAkey "$1/$2-ca.key" -CAcreateserial -days 30 \
                -extfile "$1/$2.ext" -out "$1/$2.pem"
    } >"$1/$2-openssl.log" 2>&1 || fail "openssl made no certificate"
    rm -f "$1/$2.csr" "$1/$2.ext"
}

# server_start REPO [OPTION...]: kerf-server on a free port, with work/server.pem; sets server_url.
server_start() {
    repo=$1
    shift
    rm -f "$work/server.out"
    "$bin/kerf-server" --repo "$repo" --cert "$work/server.pem" --key "$work/server.key" --db "$work/fleet.db" \
        --listen 127.0.0.1:0 "$@" >"$work/server.out" 2>>"$work/server.log" &
    server_pid=$!
    tries=0
    until grep -q 'listening on' "$work/server.out" 2>/dev/null; do
        kill -0 "$server_pid" 2>/dev/null || fail "kerf-server did not start"
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || fail "kerf-server says nothing"
        sleep 0.05
    done
    server_url=https://localhost:$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$work/server.out")
}

# Asks the server to end; it must do so cleanly and soon.
server_stop() {
    kill -TERM "$server_pid"
    code=0
    wait "$server_pid" || code=$?
    server_pid=
    [ "$code" -eq 0 ] || fail "kerf-server ended with exit code $code"
}

# device NAME IMAGE VERSION: a device with IMAGE in slot a and an empty slot b; its configuration is work/NAME.conf.
device() {
    mkdir -p "$work/$1"
    cp "$2" "$work/$1/slot-a"
    rm -f "$work/$1/slot-b"
    cat >"$work/$1.conf" <<EOF
# What kerf-agent knows of this device.
server = $server_url
ca = $work/server-ca.pem
product = terminal
device = $1
factory-version = $3
root = $work/repo/public/metadata/terminal/root.1
state = $work/$1/state
slot-a = $work/$1/slot-a
slot-b = $work/$1/slot-b
ram = 8K
EOF
}

# expect CODE COMMAND...: runs it, output to work/out and work/err, and insists on the exit code.
expect() {
    want=$1
    shift
    code=0
    "$@" >"$work/out" 2>"$work/err" || code=$?
    if [ "$code" -ne "$want" ]; then
        cat "$work/out" "$work/err" >&2
        fail "exit code $code instead of $want: $*"
    fi
}
