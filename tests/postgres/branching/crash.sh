#!/usr/bin/env bash
# P2, P8: the mount's process is killed under full load, again and again. Each time `branchfs start` repairs the branch, every commit that
# was acknowledged is there, the balances agree, the indexes match their tables and the store verifies. A sibling does not notice.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
rounds=$(sized 3 20)
scale=10

# Load until the mount dies; the connections break then, which is what they are for.
kill_under_load() {
  local seconds=$1 bench ledger pid held
  held=$(query dev "SELECT coalesce(max(number), 1) FROM ledger")
  "$LEDGER" "$("$BRANCHFS" url dev)" "$work/ledger" 2 $((held + 100)) 2> /dev/null & ledger=$!
  pgbench -n -c 4 -j 1 -T 600 "$("$BRANCHFS" url dev)" > "$work/bench" 2>&1 & bench=$!
  sleep "$seconds"
  kill -0 "$bench" 2> /dev/null || fail "pgbench ended before the kill: $(tail -n 5 "$work/bench")"
  pid=$(field dev mount_pid)
  kill -KILL "$pid"
  wait "$bench" && fail "pgbench outlived the mount"
  wait "$ledger" && fail "the ledger outlived the mount"
  return 0
}

"$BRANCHFS" init > /dev/null
pgbench_cluster "$work/cluster" "$scale"
"$BRANCHFS" import prod --pgdata "$work/cluster" --quiet > /dev/null 2>&1
"$BRANCHFS" create dev --from prod --start > /dev/null
query dev "CREATE TABLE ledger (number bigint PRIMARY KEY)"
"$BRANCHFS" create sibling --from dev --start > /dev/null
table_sums sibling > "$work/sibling.before"

for ((i = 1; i <= rounds; ++i)); do
  # Different moments between two checkpoints.
  if ((i % 3 == 0)); then query dev CHECKPOINT; fi
  kill_under_load "$((1 + i % 4)).$((i * 7 % 10))"
  before=$(now_ms)
  "$BRANCHFS" start dev > /dev/null
  echo $(($(now_ms) - before)) >> "$work/repairs"
  holds dev "$work/ledger"
  balanced dev
  if ((i % 2 == 1)); then
    "$BRANCHFS" create "child$i" --from dev > /dev/null
    "$BRANCHFS" start "child$i" > /dev/null
    holds "child$i" "$work/ledger"
    balanced "child$i"
    "$BRANCHFS" delete "child$i" > /dev/null
  fi
done
amcheck dev
table_sums sibling > "$work/sibling.after"
cmp "$work/sibling.before" "$work/sibling.after" || fail "the sibling's rows changed"
"$BRANCHFS" stop dev > /dev/null
"$BRANCHFS" verify --all > /dev/null
page_checksums dev
say "$rounds kills, $(wc -l < "$work/ledger") acknowledged commits held; repair ms: $(median_max < "$work/repairs")"
say "passed"
