#!/usr/bin/env bash
# SIGKILL at a random moment of create, delete, reset, rename, start, pack, compact, gc and import: the next command goes
# on as if nothing had been, the parents keep what they had, and in the end the store is back to its first size (P8, P10).
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

rounds=${ROUNDS:-$([[ -n ${BRANCHFS_FULL:-} ]] && echo 300 || echo 60)}
seed=${SEED:-$RANDOM}
RANDOM=$seed
say "seed $seed, $rounds kills"
export TMPDIR=$work/tmp
mkdir -m 1777 "$TMPDIR"
chmod 755 "$work"

"$BRANCHFS" init > /dev/null
"$BRANCHFS" import prod --initdb --quiet > /dev/null
"$BRANCHFS" gc > /dev/null
first=$(store_data)
"$BRANCHFS" create live --from prod --start > /dev/null
query live "CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 20000)"

names=(a b c d)
pick() { REPLY=${names[RANDOM % ${#names[@]}]}; }
killed=0
for ((round = 0; round < rounds; round++)); do
  pick; name=$REPLY; pick; other=$REPLY
  case $((RANDOM % 14)) in
    0 | 1) command=(create "$name" --from live --no-checkpoint) ;;
    2) command=(create "$name" --from live --start) ;;
    3) command=(create "$name" --from prod --ttl 1h) ;;
    4 | 5) command=(delete "$name" --recursive) ;;
    6) command=(reset "$name") ;;
    7) command=(rename "$name" "$other") ;;
    8) command=(start "$name") ;;
    9) command=(mount "$name") ;;
    10) command=(pack) ;;
    11) command=(compact "$name") ;;
    12) command=(gc) ;;
    13) command=(import "$name" --initdb --quiet) ;;
  esac
  # Something to pack, and a delta that is not empty.
  ((round % 5)) || query live "INSERT INTO t SELECT generate_series(1, 1000)"
  "$BRANCHFS" "${command[@]}" > /dev/null 2>&1 &
  tool=$!
  case $((RANDOM % 4)) in
    0 | 1) sleep "0.0$((RANDOM % 50 + 10))" ;;
    2) sleep "0.$((RANDOM % 30 + 10))" ;;
    3) ((${#command[@]} < 4)) || sleep "$((RANDOM % 2)).$((RANDOM % 90 + 10))" ;;
  esac
  kill -9 "$tool" 2> /dev/null && killed=$((killed + 1))
  wait "$tool" 2> /dev/null || true
  "$BRANCHFS" list > "$work/list" 2> "$work/err" || fail "list after a killed ${command[*]}: $(cat "$work/err")"
  [[ ! -s $work/err ]] || fail "list after a killed ${command[*]} says: $(cat "$work/err")"
  if ((round % 10 == 9)); then
    "$BRANCHFS" verify --all > "$work/verify" 2>&1 || fail "verify after a killed ${command[*]}: $(cat "$work/verify")"
  fi
done
say "$killed commands killed while they ran"

say "every branch that is there can be started, or reset and deleted"
"$BRANCHFS" list --json | sed -n 's/^ *"name": "\(.*\)",\{0,1\}$/\1/p' > "$work/names"
while read -r name; do
  "$BRANCHFS" start "$name" > /dev/null 2> "$work/err" || fail "start $name: $(cat "$work/err")"
  equal "$(query "$name" 'SELECT 1')" 1 "a query on $name"
  [[ $name == live || $name == prod ]] || "$BRANCHFS" delete "$name" --recursive > /dev/null 2> "$work/err" ||
    grep -q "no branch" "$work/err" || fail "delete $name: $(cat "$work/err")"
done < <(grep -vx prod "$work/names")
equal "$(query live 'SELECT count(*) FROM t')" $((20000 + (rounds + 4) / 5 * 1000)) "rows of the live parent"

say "one import and one gc tidy up"
"$BRANCHFS" import last --initdb --quiet > /dev/null
"$BRANCHFS" delete last > /dev/null
"$BRANCHFS" delete live > /dev/null
"$BRANCHFS" gc > /dev/null
equal "$(store_data)" "$first" "the store after deleting everything"
equal "$(ls "$TMPDIR")" "" "temporary files"
equal "$(find "$BRANCHFS_STORE" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | tr '\n' ' ')" \
  "branches deltas layers lock reap run settled store tls trash " "the store's directories"
"$BRANCHFS" verify --all > /dev/null
say "passed"
