#!/usr/bin/env bash
# `branchfs run` twenty at once: each on data of its own, exit codes passed through, nothing left. And a runner that is
# killed takes its command along; the next command removes the branch.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
count=${RUNS:-20}

"$BRANCHFS" init > /dev/null
"$BRANCHFS" import prod --initdb --quiet > /dev/null
"$BRANCHFS" run -- psql -XAtqc "SELECT 1" > /dev/null  # makes what a store has once (the certificate)
"$BRANCHFS" gc > /dev/null
first=$(store_data)

say "$count runs at once"
runs=()
for ((i = 0; i < count; i++)); do
  # shellcheck disable=SC2016 # expanded by the child
  "$BRANCHFS" run --from prod -- sh -c '
    psql -XAtqc "CREATE TABLE mine AS SELECT $0 AS i FROM generate_series(1, 1000)" &&
    [ "$(psql -XAtqc "SELECT count(*), min(i), max(i) FROM mine")" = "1000|$0|$0" ] || exit 99
    echo "$PGPORT" > "$1/port.$0"; exit "$0"' "$i" "$work" > "$work/run.$i.out" 2> "$work/run.$i.err" &
  runs+=($!)
done
for ((i = 0; i < count; i++)); do
  code=0
  wait "${runs[i]}" || code=$?
  equal "$code" "$i" "exit code of run $i ($(cat "$work/run.$i.err"))"
  equal "$(cat "$work/run.$i.err")" "" "stderr of run $i"
done
equal "$(cat "$work"/port.* | sort -u | wc -l)" "$count" "ports that were different"
equal "$(ls "$BRANCHFS_STORE/reap")" "" "entries in reap/"
equal "$("$BRANCHFS" list | wc -l)" 2 "only prod is left"
"$BRANCHFS" gc > /dev/null
equal "$(store_data)" "$first" "the store afterwards"

say "killed runners"
runs=()
for i in 1 2 3; do
  # shellcheck disable=SC2016
  "$BRANCHFS" run --from prod -- sh -c 'echo $$ > "$0"; exec sleep 300' "$work/cmd.$i" > /dev/null 2>&1 &
  runs+=($!)
done
for i in 1 2 3; do
  for ((n = 0; n < 600; n++)); do [[ -s $work/cmd.$i ]] && break; sleep 0.1; done
  [[ -s $work/cmd.$i ]] || fail "run $i does not start"
done
equal "$("$BRANCHFS" list | grep -c run-)" 3 "branches that run"
kill -9 "${runs[@]}"
wait "${runs[@]}" 2> /dev/null || true
sleep 0.2
for i in 1 2 3; do
  alive "$(cat "$work/cmd.$i")" && fail "the command of killed run $i is alive"
done
"$BRANCHFS" list | grep -q run- && fail "the branch of a killed runner is still there"
"$BRANCHFS" gc > /dev/null
equal "$(store_data)" "$first" "the store after killed runners"
grep -qF " $BRANCHFS_STORE:" /proc/self/mountinfo && fail "a killed run is still mounted"
"$BRANCHFS" verify --all > /dev/null

say "Ctrl-C while a server starts: the command ends at once, nothing is left"
"$BRANCHFS" start prod > /dev/null
interrupted=0
for tenths in 0 1 2 4; do
  code=0
  timeout --signal=INT --kill-after=20 "0.$((tenths * 2 + 1))" "$BRANCHFS" create dev --from prod --start > /dev/null 2> "$work/err" ||
    code=$?
  [[ $code == 0 || $code == 124 ]] || fail "create ended with $code: $(cat "$work/err")"
  if [[ -s $work/err ]]; then
    interrupted=$((interrupted + 1))
    grep -q "interrupted" "$work/err" || fail "stderr: $(cat "$work/err")"
    "$BRANCHFS" show dev > /dev/null 2>&1 && fail "an interrupted create left its branch"
  fi
  "$BRANCHFS" delete dev > /dev/null 2>&1 || true
done
((interrupted > 0)) || fail "no create was interrupted"
"$BRANCHFS" stop prod > /dev/null
say "passed"
