#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# cortex_m_release_test.sh BIN CORTEX_M_BIN   a device that verifies a signed release, executed
#
# kerf-repo signs releases of the QEMU images (patcher/port/bare), with ES256 and with Ed25519 keys; the emulated
# Cortex-M4 verifies them with Mbed TLS and libsodium, picks its payload and applies it. Whatever is not signed by the root
# it was given must be refused before the first erase. 77 (skipped) without the image (cortex_m_release_build.sh).
set -eu
bin=$1
cortex_m=$2
image=$cortex_m/kerf-an386-release.elf
if [ ! -f "$image" ]; then
    echo "skipped: no $image; the sources of its libraries could not be fetched"
    exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# run STATUS WHAT ROOT RELEASE   old.bin in its slot; the payloads lie here, by their names
run() {
    want=$1 what=$2
    status=0
    timeout 300 qemu-system-arm -M mps2-an386 -display none -monitor none -serial none -icount shift=0,sleep=off \
        -semihosting-config "enable=on,target=native,arg=kerf,arg=$3,arg=$4" -kernel "$image" \
        -device loader,file=old.bin,addr=0x21000000,force-raw=on >out 2>&1 || status=$?
    [ "$status" -eq "$want" ] || fail "$what ended with $status instead of $want: $(cat out)"
    if [ "$want" -ne 0 ]; then
        ! grep -q '^workspace' out || fail "$what: the patcher was started: $(cat out)"
        echo "refuses $what"
    fi
}

value() {
    sed -n "s/^$1 //p" out
}

# flip FILE BYTE   one bit of it, counted from the end when negative
flip() {
    python3 -c 'import sys
b = bytearray(open(sys.argv[1], "rb").read())
b[int(sys.argv[2])] ^= 1
open(sys.argv[1], "wb").write(b)' "$1" "$2"
}

# release ALG   repository "repo", product "board", two releases; its files come here
release() {
    rm -rf repo
    "$bin/kerf-repo" init repo >/dev/null
    "$bin/kerf-repo" keygen repo --alg "$1" >/dev/null
    "$bin/kerf-repo" add-release -q repo board 1 "$cortex_m/kerf-an386-1.bin" >/dev/null
    "$bin/kerf-repo" publish repo >/dev/null
    "$bin/kerf-repo" add-release -q repo board 2 "$cortex_m/kerf-an386-2.bin" >/dev/null
    "$bin/kerf-repo" publish repo >/dev/null
    cp repo/public/metadata/board/root.1 "$1.root"
    cp repo/public/metadata/board/release.2 "$1.release"
    cp repo/public/p/* .
}

new=$(sha256sum <"$cortex_m/kerf-an386-2.bin" | cut -d' ' -f1)
for alg in es256 ed25519; do
    release $alg
    cp "$cortex_m/kerf-an386-1.bin" old.bin
    run 0 "$alg" $alg.root $alg.release
    value payload | grep -q '^delta' || fail "$alg: not the delta: $(cat out)"
    [ "$(value digest)" = "$new" ] || fail "$alg: the new slot holds something else: $(cat out)"
    # Two signatures, the root's own and the release's; the machine's clock ticks every 40 instructions.
    echo "$alg: verified on the device, $(($(value verify_ticks) * 20 / 1000)) thousand instructions a signature"

    # What no release has a delta for gets the full image.
    head -c 5000 /dev/zero >old.bin
    run 0 "$alg, full" $alg.root $alg.release
    value payload | grep -q '^full' || fail "$alg: not the full image: $(cat out)"
    [ "$(value digest)" = "$new" ] || fail "$alg: the new slot holds something else: $(cat out)"

    cp "$cortex_m/kerf-an386-1.bin" old.bin
    for at in -1 -40 -64; do
        cp $alg.release bad && flip bad $at
        run 50 "a $alg release with a bit of its signature flipped" $alg.root bad
    done
    cp $alg.release bad && flip bad 400
    run 50 "a $alg release with a bit of its content flipped" $alg.root bad
    cp $alg.root bad && flip bad -1
    run 50 "a $alg root with a bit of its signature flipped" bad $alg.release
done
run 50 'a release signed by another key of the same product' ed25519.root es256.release
run 50 'a release signed by another key of the same product' es256.root ed25519.release
# The release is what it should be, its payload is not.
run 0 'the release once more' ed25519.root ed25519.release
payload=$(value payload | cut -d' ' -f2)
flip "$payload" 40
status=0
timeout 300 qemu-system-arm -M mps2-an386 -display none -monitor none -serial none \
    -semihosting-config "enable=on,target=native,arg=kerf,arg=ed25519.root,arg=ed25519.release" -kernel "$image" \
    -device loader,file=old.bin,addr=0x21000000,force-raw=on >out 2>&1 || status=$?
[ "$status" -ne 0 ] && ! grep -q '^digest' out || fail "another payload than the release names was taken: $(cat out)"
echo "refuses a payload that the release does not name, with $status"
