#!/usr/bin/env bash
# P4: what one branch writes is seen in no other. Branches a and b of an imported pgbench cluster; updates in a; b and the parent answer
# the same before and after: every row of every table, and every byte and attribute of the data directory as mounted.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
scale=$(sized 10 50)
updates=$(sized 20000 200000)

# Rows as a server gives them, then bytes as a mount gives them once the server has ended.
answers() {
  local dir
  "$BRANCHFS" start "$1" > /dev/null
  table_sums "$1" > "$work/rows.$1.$2"
  "$BRANCHFS" stop "$1" > /dev/null
  dir=$("$BRANCHFS" mount "$1")
  tree_sums "$dir" > "$work/bytes.$1.$2"
  "$BRANCHFS" umount "$1" > /dev/null
}

same() { cmp "$work/$1" "$work/$2" > /dev/null || fail "$1 and $2 differ: $(diff "$work/$1" "$work/$2" | head -n 5)"; }

"$BRANCHFS" init > /dev/null
pgbench_cluster "$work/cluster" "$scale"
"$BRANCHFS" import prod --pgdata "$work/cluster" --quiet > /dev/null 2>&1
"$BRANCHFS" create a --from prod > /dev/null
"$BRANCHFS" create b --from prod > /dev/null
answers b before
answers prod before
same rows.b.before rows.prod.before

say "$updates updates in a, pgbench scale $scale"
"$BRANCHFS" start a > /dev/null
# Ten to a transaction, each client in its own quarter of the table: no waiting for commits or for each other.
{
  echo "BEGIN;"
  for _ in {1..10}; do
    echo "\\set aid 25000 * $scale * :client_id + random(1, 25000 * $scale)"
    echo "\\set delta random(1, 5000)"
    echo "UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;"
  done
  echo "END;"
} > "$work/update.sql"
transactions=$((updates / 10))
pgbench -n -f "$work/update.sql" -c 4 -j 1 -t $((transactions / 4)) "$("$BRANCHFS" url a)" > "$work/bench" 2>&1
grep -E 'transactions actually processed|tps' "$work/bench"
grep -q "actually processed: $transactions/$transactions" "$work/bench" || fail "not all updates: $(cat "$work/bench")"
query a "VACUUM" # writes to nearly every page
table_sums a > "$work/rows.a.after"
cmp -s "$work/rows.a.after" "$work/rows.b.before" && fail "the updates changed nothing in a"

# As mounted, before any server runs on them again.
for branch in b prod; do
  dir=$("$BRANCHFS" mount "$branch")
  tree_sums "$dir" > "$work/bytes.$branch.after"
  "$BRANCHFS" umount "$branch" > /dev/null
  same "bytes.$branch.before" "bytes.$branch.after"
done
for branch in b prod; do
  "$BRANCHFS" start "$branch" > /dev/null
  table_sums "$branch" > "$work/rows.$branch.after"
  same "rows.$branch.before" "rows.$branch.after"
done
for branch in a b prod; do
  amcheck "$branch"
  "$BRANCHFS" stop "$branch" > /dev/null
  page_checksums "$branch"
done
"$BRANCHFS" verify --all > /dev/null
say "b and prod answer as before: $(wc -l < "$work/bytes.b.after") lines of names and sums"
say "passed"
