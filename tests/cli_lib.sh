# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# cli_lib.sh - what the tests of command lines share. To be sourced; it changes to a new folder, removed in the end. Needs
# KERF_BIN (programs); ctest sets it, and KERF_SRC (the tree), KERF_BUILD.

: "${KERF_BIN:?}"
dir=$(mktemp -d) || exit 1
mounted= loops= # to be undone in the end
clean() {
    [ -z "$mounted" ] || umount "$mounted"
    for loop in $loops; do
        losetup -d "$loop"
    done
    rm -rf "$dir"
}
trap clean EXIT
cd "$dir" || exit 1
failures=0
checks=0

complain() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

# noise SEED BYTES: bytes that nothing predicts, the same in every run.
noise() {
    python3 -c 'import random, sys
sys.stdout.buffer.write(random.Random(int(sys.argv[1])).randbytes(int(sys.argv[2])))' "$1" "$2"
}

# same A B [WHEN]: the two files are equal.
same() {
    cmp -s "$1" "$2" || complain "$1 is not $2${3:+: $3}"
}

# answers PROGRAM CODE TEXT COMMAND...: runs it, output to `out` and `err`; sets `want` to CODE. For 0, TEXT is on stdout and
# nothing on stderr; else there is one line on stderr, which begins with the program's name and contains TEXT.
answers() {
    program=$1 want=$2 text=$3
    shift 3
    checks=$((checks + 1))
    "$@" >out 2>err </dev/null
    code=$?
    [ $code -eq "$want" ] || complain "exit $code, not $want: $* ($(cat err))"
    if [ "$want" -ne 0 ]; then
        [ "$(wc -l <err)" -eq 1 ] || complain "not one line on stderr: $*: $(cat err)"
        grep -q "^$program: " err || complain "stderr without the program's name: $*: $(cat err)"
        grep -q -- "$text" err || complain "stderr without '$text': $*: $(cat err)"
    else
        [ ! -s err ] || complain "something on stderr: $*: $(cat err)"
        grep -q -- "$text" out || complain "stdout without '$text': $*: $(cat out)"
    fi
    [ -z "$(find . -name '.kerf-*')" ] || complain "a temporary file is left: $*"
}
