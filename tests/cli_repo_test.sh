#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What kerf-repo answers on the command line: a release from first to last, the same bytes for the same inputs, and one
# clear line with the right exit code for every mistake. Needs KERF_BIN (programs) and KERF_SRC (the tree); ctest sets both.
set -u
repo=$KERF_BIN/kerf-repo
# shellcheck source=tests/cli_lib.sh
. "$KERF_SRC/tests/cli_lib.sh"

# expect CODE TEXT ARG...: of kerf-repo, as `answers` says.
expect() {
    expected=$1 said=$2
    shift 2
    answers kerf-repo "$expected" "$said" "$repo" "$@"
}

# json EXPRESSION: the last output is one line of JSON, j, for which the Python expression is true.
json() {
    checks=$((checks + 1))
    python3 check.py "$1" || complain "not so: $1: $(cat out)"
}
cat >check.py <<'PY'
import json, sys
text = open("out").read()
assert text.count("\n") == 1
j = json.loads(text)
sys.exit(0 if eval(sys.argv[1]) else 1)
PY

# Three versions that differ a little, as text: compressible, and with something to match.
seq 1 3000 >v1
sed 's/777/seven/; s/^1500$/& and a line that is new/' v1 >v2
sed 's/^42$/forty-two/' v2 >v3
export SOURCE_DATE_EPOCH=1700000000

# A release from first to last.
expect 0 'kerf-repo keygen' init R
expect 0 'R/keys/root.pem' keygen R
[ "$(stat -c %a R/keys/root.pem R/keys/release.pem R/keys/fresh.pem | sort -u)" = 600 ] || complain "keys are not 0600"
[ "$(stat -c %a R/keys)" = 700 ] || complain "the folder of keys is not 0700"
expect 10 'nothing to publish' publish R
expect 0 'No releases' list R
expect 0 'full' add-release R T1 1.0 v1
expect 0 'delta 1.0' add-release R T1 1.1 v2
[ ! -e R/public/metadata/T1 ] || complain "visible before it is published"
expect 0 'staged' list R
expect 0 'Published 2 new releases' publish R
expect 0 '1.1  seq 2  sc 0  current' list R
expect 0 'Good' verify R
expect 0 '' add-release R T1 1.2 v3 --sc 5 --hw B,A,B --deltas 1 --ram 4K --json
json 'j["seq"] == 3 and [p.get("from") for p in j["payloads"]] == [None, "1.1"] and all(p["ram"] <= 4096 for p in j["payloads"])'
expect 0 '' add-release R T1 1.2 v1 --component pack --order 1 --json
json 'j["seq"] == 3 and j["component"] == "pack" and len(j["payloads"]) == 1'
expect 0 '' publish R --json
json 'j["releases"] == 1 and j["roots"] == 0'
expect 0 '' list R --json
json '[c["name"] for c in j["products"][0]["releases"][2]["components"]] == ["main", "pack"]'
json 'j["products"][0]["releases"][2]["sc"] == 5 and j["products"][0]["fresh_expires"] == 1700000000 + 7 * 86400'
expect 0 '' verify R --json
json 'j["products"] == 1 and j["releases"] == 3 and j["unused"] == 0'
for folder in p metadata metadata/T1; do
    touch R/public/$folder/.kerf-0123456789abcdef.tmp
done
expect 0 'fresh for 30 days' publish R --fresh 30
[ -z "$(find R -name '.kerf-*')" ] || complain "what an interrupted write left is still there"

# Incompressible changes: a delta that isn't worth it is dropped.
expect 0 '' init S
expect 0 '' keygen S --keys K
noise 1 4000 >r1
noise 2 4000 >r2
expect 0 '' add-release S T2 1 r1
expect 0 'dropped' add-release S T2 2 r2
expect 0 'Published 2' publish S --keys K
expect 5 'no keys' publish S

# The same inputs give the same bytes.
for copy in A B; do
    expect 0 '' init $copy
    cp -p R/keys/*.pem $copy/keys/
    expect 0 '' add-release $copy T1 1.0 v1 --hw X,Y
    expect 0 '' add-release $copy T1 1.1 v2
    expect 0 '' publish $copy
done
diff -r A B >/dev/null || complain "the same inputs gave different trees"

# Separate keys: publishing needs what it signs with, and no more.
mkdir online
cp -p A/keys/fresh.pem online/
expect 0 'Published 0' publish A --keys online
expect 0 '' add-release A T1 1.2 v3
expect 6 'release.pem is missing' publish A --keys online
expect 0 'Good' verify A
expect 0 'fresh    key' keygen A --role fresh --keys one
[ "$(ls one)" = fresh.pem ] || complain "keygen --role made more than one key"

# ES256: made here, or by OpenSSL in whatever form; also beside Ed25519.
expect 0 '' init E
expect 0 '' keygen E --alg es256 --json
json 'all(k["alg"] == "es256" and len(k["public"]) == 130 and k["public"][:2] == "04" for k in j["keys"])'
openssl pkey -in E/keys/root.pem -noout -text | grep -q 'NIST CURVE: P-256' || complain "keygen --alg es256 made something else"
rm E/keys/fresh.pem E/keys/release.pem
expect 0 '' keygen E --role fresh
(umask 077 && openssl ecparam -name prime256v1 -genkey -noout -conv_form compressed -out E/keys/release.pem)
expect 0 '' add-release E T1 1.0 v1
expect 0 'Published 1' publish E
expect 0 'Good' verify E
rm -rf bad && cp -a E bad
release=bad/public/metadata/T1/release.1
# One bit in the last byte of the file, which is of the signature.
python3 -c 'import sys; b = bytearray(open(sys.argv[1], "rb").read()); b[-1] ^= 1; open(sys.argv[1], "wb").write(b)' $release
expect 6 'release.1' verify bad
rm -rf bad && cp -a E bad
(umask 077 && openssl ecparam -name secp384r1 -genkey -noout -out bad/keys/release.pem)
expect 3 'not an Ed25519 or P-256 private key' publish bad

# A version that is staged may change, which is said.
expect 0 'Staged. Next' add-release S T2 3 r1
expect 0 'Staged. Next' add-release S T2 3 r1
expect 0 'in place of another image' add-release S T2 3 r2
expect 0 '' add-release S T2 3 r1 --json
json 'j["ok"] and j["replaced"]'

# Mistakes on the command line.
expect 2 'no command'
expect 2 "'frobnicate' is not a command" frobnicate
expect 2 'takes 1 argument, not 0' verify
expect 2 'takes 4 arguments, not 3' add-release R T1 2.0
expect 2 'verify takes no --ram' verify R --ram 8K
expect 2 "unknown option '--bogus'" list R --bogus
expect 2 "'--ram' needs a value" add-release R T1 2.0 v1 --ram
expect 2 "'1K'" add-release R T1 2.0 v1 --ram 1K
expect 2 "'-1'" add-release R T1 2.0 v1 --sc -1
expect 2 '2K or more' add-release R T1 2.0 v1 --ram 1K
expect 2 'days, 1 to' publish R --fresh 0
"$repo" --json verify nowhere >out 2>err
json 'not j["ok"] and j["exit"] == 5 and "nowhere" in j["message"]'
"$repo" --json frobnicate >out 2>err
json 'not j["ok"] and j["exit"] == 2'
expect 2 "'65'" add-release R T1 2.0 v1 --deltas 65
expect 2 "'boss'" keygen R --role boss
expect 2 "'rsa'" keygen R --alg rsa
expect 2 "'a/b'" add-release R a/b 2.0 v1
expect 2 "'..'" add-release R .. 2.0 v1
expect 2 "'x y'" add-release R T1 2.0 v1 --hw 'A,x y'
expect 2 'version' add-release R T1 '' v1
expect 2 'published already' add-release R T1 1.2 v3
expect 2 'below 5' add-release R T1 2.0 v3 --sc 4
expect 2 'is empty' add-release R T1 2.0 /dev/null
expect 2 'is a repository already' init R
expect 2 'exists and is not replaced' keygen R
SOURCE_DATE_EPOCH=soon expect 2 'SOURCE_DATE_EPOCH' publish R
mkdir full && touch full/file
expect 2 'is not empty' init full
expect 0 'Good' verify R

# Files that are missing or not what they should be.
expect 5 'is not a repository' list nowhere
expect 5 'is not a repository' list full
expect 5 "'missing'" add-release R T1 2.0 missing
expect 5 "can't" init v1/sub
rm -rf bad && cp -a R bad && chmod 644 bad/keys/fresh.pem
expect 2 'can be read by others' publish bad
rm -rf bad && cp -a R bad && echo nonsense >bad/keys/fresh.pem
expect 3 'not an Ed25519 or P-256 private key' publish bad
rm -rf bad && cp -a R bad && echo '{"kerf-repo":1}' >bad/kerf-repo.json
expect 3 'later version' list bad
rm -rf bad && cp -a R bad && echo '{' >bad/kerf-repo.json
expect 3 'is damaged' list bad

# A tampered tree.
rm -rf bad && cp -a R bad && cp bad/public/metadata/T1/release.2 bad/public/metadata/T1/release.3
expect 6 'release.3' verify bad
rm -rf bad && cp -a R bad && cp S/public/metadata/T2/fresh bad/public/metadata/T1/fresh
expect 6 "T1/fresh" verify bad
rm -rf bad && cp -a R bad && head -c 100 R/public/metadata/T1/root.1 >bad/public/metadata/T1/root.1
expect 3 'root.1' verify bad
rm -rf bad && cp -a R bad && rm bad/public/metadata/T1/release.3
expect 6 'is missing' verify bad
rm -rf bad && cp -a R bad
payload=$(ls bad/public/p | head -n 1)
echo >>"bad/public/p/$payload"
expect 6 "$payload" verify bad
rm "bad/public/p/$payload"
expect 5 "$payload" verify bad

# Help and version.
expect 0 'Usage' --help
expect 0 'kerf-repo [0-9]' --version

echo "$checks checks, $failures failed"
[ $failures -eq 0 ]
