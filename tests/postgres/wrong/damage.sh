#!/usr/bin/env bash
# A damaged block of a table (P3, P8): the server says so in one line and reads everything else, other branches notice nothing, verify
# names layer, path, inode and block, and repairing brings back what a checksum proves.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
b() { "$BRANCHFS" "$@"; }

b init > /dev/null
b import other --initdb --quiet > /dev/null 2>&1
b import prod --initdb --quiet > /dev/null 2>&1
b start prod > /dev/null
query prod "CREATE TABLE hurt AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i"
query prod "CREATE TABLE whole AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i"
query prod "VACUUM"
path=$(query prod "SELECT pg_relation_filepath('hurt')")
want=$(query prod "SELECT sum(hashtext(t)) FROM hurt")
b stop prod > /dev/null
b create dev --from prod > /dev/null
b pack > /dev/null
b gc > /dev/null

# The layer that holds the table, its inode, and the chunk with block 60 of it.
for layer in "$BRANCHFS_STORE"/layers/*.layer; do
  b dump "$layer" > "$work/dump"
  inode=$(sed -n "s/^name [0-9]* \"$(basename "$path")\" -> \([0-9]*\) .*/\1/p" "$work/dump" | head -n 1)
  [[ -n $inode ]] && break
done
[[ -n $inode ]] || fail "no layer has $path"
read -r chunk first < <(awk -v ino="$inode" '
  $1 == "inode" { here = $2 == ino }
  here && / chunk / { match($0, /[0-9]+/); block = substr($0, RSTART, RLENGTH) + 0; if (block <= 60) { for (i = 1; i < NF; ++i) if ($i == "chunk") c = $(i + 1); b = block } }
  END { print c, b }' "$work/dump")
offset=$(awk -v c="$chunk" '$1 == "chunk" && $2 == c { print $4 }' "$work/dump")
id=$(basename "$layer" .layer)
say "$path is inode $inode; chunk $chunk of layer $id, at $offset, holds its blocks from $first on"

harm() {  # COUNT BYTE: of the chunk's bytes from the 100th on
  local mode
  mode=$(stat -c %a "$layer")
  head -c "$1" /dev/zero | tr '\0' "$2" | dd of="$layer" bs=1 seek=$((offset + 100)) conv=notrunc status=none
  chmod "$mode" "$layer"
}
flip_one_bit() {
  local byte
  byte=$(od -An -tu1 -j $((offset + 100)) -N1 "$layer")
  harm 1 "\\$(printf '%03o' $((byte ^ 4)))"
}
verify_names_it() {
  expect 7 "problem" b verify --all
  grep -F "\"$path\" (inode $inode), block" "$work/out" | grep -F "branch \"dev\"" | grep -qF "chunk $chunk of layer $id is damaged" ||
    fail "verify does not name the block: $(cat "$work/out")"
}
others_are_well() {
  b verify other > /dev/null || fail "other is damaged"
  b start other > /dev/null
  equal "$(query other "SELECT count(*) > 0 FROM pg_class")" t "other"
  b stop other > /dev/null
}

say "one flipped bit"
flip_one_bit
verify_names_it
grep -q -- '--repair would mend: layer' "$work/out" || fail "verify does not say what repairing would do: $(cat "$work/out")"
b verify --all --repair > "$work/out"
grep -q "^mended: layer $id: chunk $chunk" "$work/out" || fail "not mended: $(cat "$work/out")"
b verify --all > /dev/null
[[ -n $(find "$BRANCHFS_STORE/lost+found" -name "$id.layer") ]] || fail "the damaged file was not kept"
b start dev > /dev/null
equal "$(query dev "SELECT sum(hashtext(t)) FROM hurt")" "$want" "the mended table"
b stop dev > /dev/null

say "300 bytes gone"
harm 300 'x'
verify_names_it
others_are_well
b start dev > /dev/null
code=0
query dev "SELECT sum(hashtext(t)) FROM hurt" > "$work/out" 2> "$work/err" || code=$?
((code != 0)) || fail "a damaged block was read: $(cat "$work/out")"
[[ $(grep -c . "$work/err") == 1 ]] && grep -q "could not read block.*Input/output error" "$work/err" || fail "Postgres says: $(cat "$work/err")"
equal "$(query dev "SELECT count(*) FROM whole")" 20000 "the other table of the branch"
expect 5 "in use" b verify --all --repair
b stop dev > /dev/null
expect 7 "" b verify --all --repair
grep -q "^lost: layer $id: chunk $chunk" "$work/out" || fail "nothing said of what is lost: $(cat "$work/out")"
verify_names_it
others_are_well
b start dev > /dev/null
equal "$(query dev "SELECT count(*) FROM whole")" 20000 "the other table after repairing"
query dev "DROP TABLE hurt"
b stop dev > /dev/null
say "passed"
