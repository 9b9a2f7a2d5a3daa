#!/usr/bin/env bash
# P6, P10: a chain of branches, each with its own changes and its own server. Every generation reads as it did when it was the newest; gc
# keeps exactly what is reachable; when the chain is deleted the store has its first files and size again, packed in between or not.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
depth=64
unpacked_depth=$(sized 8 64)
scale=$(sized 2 10)

# What manifests name, each once; and what the store holds: a delta that is packed as well counts once.
reachable() {
  cat "$BRANCHFS_STORE"/branches/*/manifest | sed -n 's/^ *"\([0-9a-f]\{32\}\)",\{0,1\}$/\1/p; s/^ *"delta": "\([0-9a-f]\{32\}\)",\{0,1\}$/\1/p' | LC_ALL=C sort -u
}
kept() { find "$BRANCHFS_STORE/deltas" "$BRANCHFS_STORE/layers" -mindepth 1 -maxdepth 1 -printf '%f\n' | sed 's/\.layer$//' | LC_ALL=C sort; }
exactly_reachable() {
  "$BRANCHFS" gc > /dev/null
  reachable > "$work/reachable"
  kept > "$work/kept"
  cmp -s "$work/reachable" "$work/kept" || fail "$1: gc keeps other objects than the reachable ones: $(diff "$work/reachable" "$work/kept" | head -n 5)"
}

# Locks are files that appear when somebody looks.
store_size() {
  (cd "$BRANCHFS_STORE" && find . -type f ! -name lock ! -name operation -printf '%P %s %b\n' | LC_ALL=C sort)
}

generation() {
  local name=$1 parent=$2 i=$3
  "$BRANCHFS" create "$name" --from "$parent" > /dev/null
  "$BRANCHFS" start "$name" > /dev/null
  # A stretch of its own, and rows all over the table.
  query "$name" "UPDATE pgbench_accounts SET abalance = $i WHERE aid / 500 = $i OR aid % 4999 = $i;
    CREATE TABLE generation_$i AS SELECT $i AS i"
  table_sums "$name" > "$work/rows.$name"
  "$BRANCHFS" stop "$name" > /dev/null
}

chain() {
  local count=$1 parent=prod
  for ((i = 1; i <= count; ++i)); do
    generation "g$i" "$parent" "$i"
    parent=g$i
  done
}

# A generation with children is looked at through a branch of its own.
reads_as_before() {
  local look
  for i in "$@"; do
    look=g$i
    if "$BRANCHFS" show "g$((i + 1))" > /dev/null 2>&1; then
      look=look-$i
      "$BRANCHFS" create "$look" --from "g$i" > /dev/null
    fi
    "$BRANCHFS" start "$look" > /dev/null
    table_sums "$look" > "$work/rows.now"
    "$BRANCHFS" stop "$look" > /dev/null
    [[ $look == "g$i" ]] || "$BRANCHFS" delete "$look" > /dev/null
    cmp -s "$work/rows.g$i" "$work/rows.now" || fail "generation $i reads differently: $(diff "$work/rows.g$i" "$work/rows.now" | head -n 4)"
  done
}

# Milliseconds to read every table through a mount whose caches are empty.
read_ms() {
  local dir before
  for _ in 1 2 3 4 5; do
    dir=$("$BRANCHFS" mount "$1")
    before=$(date +%s%N)
    cat "$dir"/base/*/* > /dev/null
    echo $((($(date +%s%N) - before) / 1000))
    "$BRANCHFS" umount "$1" > /dev/null
  done | sort -n | sed -n 3p
}
report_reading() {
  local first=$1 last=$2 a b bytes_a bytes_b
  bytes_a=$(du_field "$first" logical)
  bytes_b=$(du_field "$last" logical)
  a=$(read_ms "$first")
  b=$(read_ms "$last")
  say "  reading $first: $a us, $last: $b us; per byte $(awk "BEGIN {printf \"%.2f\", $b / $bytes_b / ($a / $bytes_a)}") times, $3"
}

delete_chain() {
  local count=$1 half=$(($1 / 2))
  "$BRANCHFS" delete "g$((half + 1))" --recursive > /dev/null
  exactly_reachable "half of the chain deleted"
  reads_as_before "$half"
  "$BRANCHFS" delete g1 --recursive > /dev/null
  "$BRANCHFS" gc > /dev/null
  store_size > "$work/size.now"
  cmp -s "$work/size.first" "$work/size.now" || fail "the store differs from the first: $(diff "$work/size.first" "$work/size.now" | head -n 5)"
}

# Nothing but the tests packs, until the last part.
export BRANCHFS_AUTO_PACK=0

"$BRANCHFS" init > /dev/null
pgbench_cluster "$work/cluster" "$scale"
"$BRANCHFS" import prod --pgdata "$work/cluster" --quiet > /dev/null 2>&1
"$BRANCHFS" create first --from prod --start > /dev/null # makes what a store has once
"$BRANCHFS" delete first > /dev/null
"$BRANCHFS" gc > /dev/null
store_size > "$work/size.first"

say "$unpacked_depth generations, not packed"
chain "$unpacked_depth"
exactly_reachable "a chain of $unpacked_depth"
reads_as_before 1 "$unpacked_depth"
delete_chain "$unpacked_depth"

say "$depth generations, packed in between"
chain "$depth"
exactly_reachable "a chain of $depth"
report_reading g1 "g$depth" "before pack"
"$BRANCHFS" pack > /dev/null
exactly_reachable "packed"
reads_as_before 1 2 $((depth / 2)) "$depth"
"$BRANCHFS" verify --all > /dev/null
report_reading g1 "g$depth" "packed"
delete_chain "$depth"
"$BRANCHFS" verify --all > /dev/null

say "a parent of which create packs 16 frozen deltas in the background"
unset BRANCHFS_AUTO_PACK
layers() { find "$BRANCHFS_STORE/layers" -name '*.layer' | wc -l; }
first=$(layers)
"$BRANCHFS" create busy --from prod > /dev/null
dir=$("$BRANCHFS" mount busy)
for i in {1..16}; do
  echo "$i" > "$dir/written"
  sync "$dir/written"
  "$BRANCHFS" create "child$i" --from busy > /dev/null
done
for ((tenth = 0; $(layers) <= first; ++tenth)); do
  ((tenth < 300)) || fail "16 frozen deltas, and nothing packed them in 30 s"
  sleep 0.1
done
[[ $(cat "$dir/written") == 16 ]] || fail "the parent reads $(cat "$dir/written") after the pack"
"$BRANCHFS" umount busy > /dev/null
dir=$("$BRANCHFS" mount child9)
[[ $(cat "$dir/written") == 9 ]] || fail "child 9 reads $(cat "$dir/written") after the pack"
"$BRANCHFS" umount child9 > /dev/null
"$BRANCHFS" verify --all > /dev/null
say "passed"
