#!/usr/bin/env bash
# P1: children of a parent under full load. Every child recovers, holds every commit acknowledged before its create was issued and no
# commit without those before it on the same connection, and balances; the parent never errs. With fsync on and off in the parent.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
rounds=$(sized 8 50)
scale=10

# Each of the ledger's 2 writers counts upwards: one instant holds no number without the writer's earlier ones.
without_gaps() {
  equal "$(query "$1" "SELECT count(*) FROM (SELECT number % 2, count(*), (max(number) - min(number)) / 2 + 1
    FROM ledger GROUP BY 1 HAVING count(*) <> (max(number) - min(number)) / 2 + 1 OR min(number) > 3) gaps")" 0 "$1: writers with gaps"
}

one_child() {
  local child=$1 before after options=()
  (($2 % 2 == 0)) || options=(--no-checkpoint)
  before=$(now_ms)
  cp "$work/ledger" "$work/ledger.before"
  "$BRANCHFS" create "$child" --from parent "${options[@]}" > /dev/null
  after=$(now_ms)
  echo $((after - before)) >> "$work/times${options[*]}"
  freeze_field parent last_us >> "$work/pauses"
  "$BRANCHFS" start "$child" > /dev/null
  echo $(($(now_ms) - after)) >> "$work/starts"
  holds "$child" "$work/ledger.before"
  without_gaps "$child"
  balanced "$child"
}

under_load() {
  local bench ledger
  query parent "TRUNCATE ledger"
  rm -f "$work"/{ledger,times,times--no-checkpoint,pauses,starts,bench}
  "$LEDGER" "$("$BRANCHFS" url parent)" "$work/ledger" 2 2 & ledger=$!
  pgbench -n -c 4 -j 1 -T 3600 "$("$BRANCHFS" url parent)" > "$work/bench" 2>&1 & bench=$!
  until [[ -e $work/ledger && $(wc -l < "$work/ledger") -gt 100 ]]; do sleep 0.1; done
  for ((i = 1; i <= rounds; ++i)); do
    one_child "child$i" "$i"
    if ((i % 10 == 0)); then
      amcheck "child$i"
      say "  $i children"
    fi
    "$BRANCHFS" delete "child$i" > /dev/null
    kill -0 "$bench" 2> /dev/null || fail "pgbench ended: $(tail -n 5 "$work/bench")"
  done
  # Not INT: a shell's background jobs ignore it.
  kill -TERM "$bench" && wait "$bench" 2> /dev/null || true
  kill -TERM "$ledger" && wait "$ledger" || fail "the ledger's connection to the parent failed"
  if grep -iE 'error|abort|fatal' "$work/bench"; then fail "pgbench met an error"; fi
  if "$BRANCHFS" logs parent | grep -E 'ERROR|FATAL|PANIC' | grep -v 'terminating connection'; then fail "the parent erred"; fi
  holds parent "$work/ledger"
  balanced parent
  say "fsync=$1: $rounds children, $(wc -l < "$work/ledger") commits acknowledged to the ledger"
  say "  create ms: $(median_max < "$work/times"), --no-checkpoint: $(median_max < "$work/times--no-checkpoint"); start ms: $(median_max < "$work/starts")"
  say "  freeze pause us: $(median_max < "$work/pauses")"
}

"$BRANCHFS" init > /dev/null
pgbench_cluster "$work/cluster" "$scale"
"$BRANCHFS" import prod --pgdata "$work/cluster" --quiet > /dev/null 2>&1
"$BRANCHFS" create parent --from prod --start > /dev/null
query parent "CREATE TABLE ledger (number bigint PRIMARY KEY)"
equal "$(field parent cache)" writeback "the cache of a server that survives a power cut"
under_load on

say "fsync off and on again under a running server: refused, then nothing of what was loaded meanwhile is missing"
query parent "ALTER SYSTEM SET fsync = off" && query parent "SELECT pg_reload_conf()" > /dev/null
# COPY writes its pages itself, and its session keeps the files open; a checkpoint without fsync relies on them all the same.
mkfifo "$work/statements"
psql -XAtq "$("$BRANCHFS" url parent)" < "$work/statements" > "$work/loader" & loader=$!
exec 8> "$work/statements"
echo "CREATE TABLE loaded (i int); COPY loaded FROM PROGRAM 'seq 1 1000000'; CHECKPOINT; SELECT 'loaded';" >&8
until grep -q loaded "$work/loader"; do sleep 0.05; done
# No process may inherit the descriptor: its end would hand over what the kernel keeps.
bash -c 'echo held; exec sleep 600' > "$(field parent mountpoint)/held" 2> /dev/null 8>&- & holder=$!
at_end+=("kill $holder 2> /dev/null")
until [[ -s $(field parent mountpoint)/held ]]; do sleep 0.05; done
expect 5 "runs without fsync or full_page_writes, and the kernel may still keep its writes (branchfs stop parent, branchfs start parent" \
  "$BRANCHFS" create early --from parent --no-checkpoint
query parent "ALTER SYSTEM SET fsync = on" && query parent "SELECT pg_reload_conf()" > /dev/null
"$BRANCHFS" create early --from parent --no-checkpoint --start > /dev/null
equal "$(cat "$(field early mountpoint)/held")" held "what was written to a file that is open still"
kill "$holder"
exec 8>&-
wait "$loader"
equal "$(query early "SET enable_indexonlyscan = off; SELECT count(*), sum(i) FROM loaded")" "1000000|500000500000" "what was loaded without fsync"
"$BRANCHFS" delete early > /dev/null
query parent "DROP TABLE loaded"
query parent "ALTER SYSTEM SET fsync = off"
"$BRANCHFS" stop parent > /dev/null
"$BRANCHFS" start parent > /dev/null
equal "$(field parent cache)" write-through "the cache of a server without fsync"
under_load off

query parent "ALTER SYSTEM SET fsync = on" && query parent "ALTER SYSTEM SET full_page_writes = off"
"$BRANCHFS" stop parent > /dev/null
"$BRANCHFS" start parent > /dev/null
equal "$(field parent cache)" write-through "the cache of a server without full_page_writes"
"$BRANCHFS" create late --from parent --start > /dev/null
balanced late
"$BRANCHFS" delete late > /dev/null
amcheck parent
"$BRANCHFS" stop parent > /dev/null
page_checksums parent
"$BRANCHFS" verify --all > /dev/null
"$BRANCHFS" gc > /dev/null
say "passed"
