#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# cortex_m_test.sh KERF_DIFF BIN [--stack | --rv32]   the device build, executed
#
# --stack: prints what the core takes of each machine's stack, and tests nothing else. --rv32: BIN has the images for RV32, on QEMU's
# virt, and no others.
#
# Makes real deltas between two versions of the QEMU image itself (patcher/port/bare), for Cortex-M3, M4, M33 and M0, and
# lets each machine apply its own: old image in its flash, two slots and in place, delta in pieces of 64 bytes and of 1, and with
# the power cut. What the machine hashes in its new slot must be the new image; a damaged delta and a wrong old image must be
# refused.
set -eu
diff=$1
bin=$2
mode=${3:-}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# run MACHINE IMAGE ADDRESS FILE DELTA PIECE [CUT]   FILE is loaded there (the old image, or a flash); prints what the machine prints; its exit status is the result
run() {
    emulator=qemu-system-arm
    [ "$1" != virt ] || emulator="qemu-system-riscv32 -bios none"
    # From the folder of the files: semihosting paths have neither blanks nor folders.
    # shellcheck disable=SC2086 # two words
    (cd "$dir" && timeout 120 $emulator -M "$1" -display none -monitor none -serial none \
        -semihosting-config "enable=on,target=native,arg=kerf,arg=$5,arg=$6${7:+,arg=$7}" -kernel "$bin/$2.elf" \
        -device "loader,file=$4,addr=$3,force-raw=on" 2>&1)
}

value() {
    sed -n "s/^$1 //p" "$dir/out"
}

# apply_and_check MACHINE IMAGE OLD_SLOT OLD NEW DELTA PIECE
apply_and_check() {
    run "$1" "$2" "$3" "$4" "$6" "$7" >"$dir/out" || fail "$1: $4 to $5 by $7: $(cat "$dir/out")"
    [ "$(value digest)" = "$(sha256sum <"$dir/$5" | cut -d' ' -f1)" ] ||
        fail "$1: $4 to $5 by $7: the new slot holds something else: $(cat "$dir/out")"
    printf '%-10s %-8s -> %-8s %6d -> %6d bytes, delta %5d, by %2d: workspace %d, stack %d\n' "$1" "$4" "$5" \
        "$(wc -c <"$dir/$4")" "$(wc -c <"$dir/$5")" "$(wc -c <"$dir/$6")" "$7" "$(value workspace)" "$(value stack)"
}

# refuse WHAT STATUS MACHINE IMAGE OLD_SLOT OLD DELTA   the machine must end with this status
refuse() {
    status=0
    run "$3" "$4" "$5" "$6" "$7" 64 >"$dir/out" || status=$?
    [ "$status" -eq "$2" ] || fail "$3: $1 ended with $status instead of $2: $(cat "$dir/out")"
    printf '%-10s refuses %s\n' "$3" "$1"
}

# cuts MACHINE IMAGE OLD_ADDRESS FLASH_ADDRESS OLD NEW DELTA NAME   cuts the power in some of the flash operations of an
# update; the machine starts anew from what its flash then holds, is cut once more, and must finish after that. All of its
# RAM and registers are lost each time.
cuts() {
    run "$1" "$2" "$3" "$5" "$7" 64 0 >"$dir/out" || fail "$1: $8 with a journal: $(cat "$dir/out")"
    # After the last one, which empties the journal, there is nothing to go on with.
    total=$(($(value operations) - 1))
    resumed=0
    for share in 0 1 13 29 47 61 83 97 100; do
        cut=$((1 + (total - 1) * share / 100))
        status=0
        run "$1" "$2" "$3" "$5" "$7" 64 "$cut" >"$dir/out" || status=$?
        [ "$status" -eq 97 ] || fail "$1: $8, cut in operation $cut, ended with $status: $(cat "$dir/out")"
        status=0
        run "$1" "$2" "$4" flash "$7" 64 $((1 + share / 4)) >"$dir/out" || status=$?
        grep -q '^resumed [1-9]' "$dir/out" && resumed=$((resumed + 1))
        if [ "$status" -eq 97 ]; then
            run "$1" "$2" "$4" flash "$7" 1 0 >"$dir/out" || fail "$1: $8, cut in operation $cut: $(cat "$dir/out")"
        elif [ "$status" -ne 0 ]; then
            fail "$1: $8, cut in operation $cut and then once more, ended with $status: $(cat "$dir/out")"
        fi
        [ "$(value digest)" = "$(sha256sum <"$dir/$6" | cut -d' ' -f1)" ] ||
            fail "$1: $8, cut in operation $cut: the slot holds something else: $(cat "$dir/out")"
    done
    [ "$resumed" -ge 5 ] || fail "$1: $8: resumed $resumed times only"
    printf '%-10s %s: cut in 9 of %d operations, and once more; resumed %d times\n' "$1" "$8" "$total" "$resumed"
}

# machine MACHINE IMAGE OLD_SLOT NEW_SLOT SECTOR
machine() {
    machine=$1 image=$2 slot=$3
    cp "$bin/kerf-$image-1.bin" "$dir/old.bin"
    cp "$bin/kerf-$image-2.bin" "$dir/new.bin"
    "$diff" "$dir/old.bin" "$dir/new.bin" -o "$dir/up.krf" >/dev/null
    "$diff" "$dir/new.bin" "$dir/old.bin" -o "$dir/down.krf" >/dev/null
    apply_and_check "$machine" "kerf-$image-1" "$slot" old.bin new.bin up.krf 64
    if [ "$mode" = --stack ]; then
        echo "$machine stack $(value stack)"
        return
    fi
    apply_and_check "$machine" "kerf-$image-2" "$slot" new.bin old.bin down.krf 64
    apply_and_check "$machine" "kerf-$image-1" "$slot" old.bin new.bin up.krf 1

    cuts "$machine" "kerf-$image-1" "$slot" "$slot" old.bin new.bin up.krf 'two slots'

    # In place the old image is where the new one will be.
    "$diff" --in-place "sector=$5,scratch=2" "$dir/old.bin" "$dir/new.bin" -o "$dir/in-place.krf" >/dev/null
    apply_and_check "$machine" "kerf-$image-1" "$4" old.bin new.bin in-place.krf 64
    cuts "$machine" "kerf-$image-1" "$4" "$slot" old.bin new.bin in-place.krf 'in place'

    # The numbers are those of common/error.h.
    head -c -1 "$dir/up.krf" >"$dir/cut.krf"
    refuse 'a delta cut short' 14 "$machine" "kerf-$image-1" "$slot" old.bin cut.krf
    refuse 'the wrong old image' 30 "$machine" "kerf-$image-1" "$slot" new.bin up.krf
    echo 'not a delta at all, but longer than a prologue' >"$dir/text.krf"
    refuse 'what is not a delta' 10 "$machine" "kerf-$image-1" "$slot" old.bin text.krf
}

if [ "$mode" = --rv32 ]; then
    machine virt virt 0x81000000 0x81700000 4096
    exit 0
fi
# The micro:bit is a Cortex-M0 with 16 KiB of RAM.
machine mps2-an385 an385 0x21000000 0x21700000 4096
machine mps2-an386 an386 0x21000000 0x21700000 4096
machine mps2-an505 an505 0x80000000 0x80700000 4096
machine microbit microbit 0x10000 0x24000 1024
