#!/usr/bin/env bash
# Eight processes interleave create (live and offline), reset, delete, rename, mount, pack, compact, gc, list, du and
# verify on one store while pgbench writes to two of its branches. Only documented refusals may be answered, the writers
# may not see an error, and afterwards the store is clean and back to its first size (P1, P4, P8, P9, P10).
# SECONDS_EACH and SEED choose length and dice; BRANCHFS_FULL=1 is a minute.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

length=${SECONDS_EACH:-$([[ -n ${BRANCHFS_FULL:-} ]] && echo 60 || echo 25)}
seed=${SEED:-$RANDOM}
workers=8
journal=$work/journal
mkdir "$journal"
say "seed $seed, $length s"

say "a root, two live branches with writers, an offline one"
"$BRANCHFS" init > /dev/null
"$BRANCHFS" import prod --initdb --quiet > /dev/null
"$BRANCHFS" gc > /dev/null
first=$(store_data)
for live in live1 live2; do
  "$BRANCHFS" create "$live" --from prod --start --protected > /dev/null
done
PGOPTIONS='-c client_min_messages=warning' pgbench -iqs 3 "$("$BRANCHFS" url live1)" 2> /dev/null
"$BRANCHFS" delete live2 2> /dev/null && fail "a protected branch was deleted"
"$BRANCHFS" protect live2 --off > /dev/null
"$BRANCHFS" delete live2 > /dev/null
"$BRANCHFS" create live2 --from live1 --start --protected > /dev/null
"$BRANCHFS" create off --from live1 --protected > /dev/null

writers=()
for live in live1 live2; do
  pgbench -n -c 2 -T $((length + 600)) "$("$BRANCHFS" url "$live")" > "$work/$live.out" 2> "$work/$live.err" &
  writers+=($!)
done

# One line per command: worker, exit code, milliseconds, the command, its stderr.
attempt() {
  local code=0 began=${EPOCHREALTIME/./}
  "$BRANCHFS" "$@" > "$journal/$worker.out" 2> "$journal/$worker.err" || code=$?
  printf '%s\t%s\t%s\t%s\t%s\n' "$worker" "$code" "$(((${EPOCHREALTIME/./} - began) / 1000))" "$*" \
    "$(tr '\n' '|' < "$journal/$worker.err")" >> "$journal/$worker.log"
}

pick() { local -n from=$1; REPLY=${from[RANDOM % ${#from[@]}]}; }

work_at() {
  worker=$1
  trap - EXIT
  RANDOM=$((seed * 31 + worker))
  # Few names, so that workers meet.
  local names=(a b c d e f g/1 g/2 h i j k l m n o) parents=(live1 live2 off prod) name parent
  local deadline=$((SECONDS + length))
  while ((SECONDS < deadline)); do
    pick names; name=$REPLY
    case $((RANDOM % 40)) in
      [0-5]) attempt create "$name" --from "live$((RANDOM % 2 + 1))" ;;
      6) attempt create "$name" --from "live$((RANDOM % 2 + 1))" --start ;;
      7) attempt create "$name" --from "live$((RANDOM % 2 + 1))" --if-not-exists --no-checkpoint --ttl 2s ;;
      8 | 9) pick parents; attempt create "$name" --from "$REPLY" --mount ;;
      1[0-3]) pick names; parent=$REPLY; attempt create "$name" --from "$parent" --no-checkpoint ;;
      1[45]) attempt create "$name" --from off ;;
      1[6-9]) attempt reset "$name" --no-checkpoint ;;
      2[0-3]) attempt delete "$name" ;;
      2[45]) attempt delete "$name" --recursive ;;
      2[67]) pick names; attempt rename "$name" "$REPLY" ;;
      28) attempt mount "$name" ;;
      29) attempt umount "$name" ;;
      30) attempt pack ;;
      31) attempt pack "$name" ;;
      32) attempt compact "$name" ;;
      3[34]) attempt gc ;;
      35) attempt list ;;
      36) attempt du ;;
      37) attempt du "$name"; attempt show live1 ;;
      38) attempt verify "$name"; attempt verify "live$((RANDOM % 2 + 1))" ;;
      39) attempt show "$name"; ((RANDOM % 4)) || attempt verify --all ;;
    esac
  done
}

crew=()
for ((w = 0; w < workers; w++)); do
  work_at "$w" &
  crew+=($!)
done
for pid in "${crew[@]}"; do wait "$pid" || fail "a worker ended with $?"; done
for pid in "${writers[@]}"; do
  kill -0 "$pid" 2> /dev/null || fail "a writer ended: $(cat "$work"/live?.err)"
  kill -TERM "$pid"
done
for pid in "${writers[@]}"; do wait "$pid" || true; done

cat "$journal"/*.log > "$journal/all"
cp "$journal/all" "${KEEP_JOURNAL:-/dev/null}"
say "$(wc -l < "$journal/all") commands; by command and exit code:"
awk -F'\t' '{ split($4, w, " "); n[w[1] " " $2]++ } END { for (k in n) print k, n[k] }' "$journal/all" | sort |
  awk '{ if ($1 != last) printf "%s%s:", last == "" ? "" : "\n", $1; last = $1; printf " %s×%s", $2, $3 } END { print "" }'

# The documented refusals: exit code, and what its one line must say.
awk -F'\t' '
  function fine(code, text) {
    if (code == 0) return text == ""
    if (text !~ /^branchfs: cannot [^|]*\|$/) return 0
    if (code == 3) return text ~ /no branch "/
    if (code == 4) return text ~ /exists already|it exists with another parent/
    if (code == 5) return text ~ /it is (mounted|running|busy|starting|crashed)|it is mounted at|is in use: |a server runs on it|has it open|another branchfs command is working on it|files below .* are open|changed while it was compacted/
    if (code == 6) return text ~ /has children: |is protected|does not exist any more|no parent to go back to/
    return 0
  }
  !fine($2, $5) { print; bad = 1 }
  END { exit bad }' "$journal/all" > "$journal/bad" || {
  cut -c1-400 "$journal/bad" | head -n 40 >&2
  fail "$(wc -l < "$journal/bad") answers that are no documented refusal (seed $seed)"
}

say "the writers saw nothing, their branches are whole"
for live in live1 live2; do
  grep -vE '^pgbench: (warning: )?.*(canceled by user|cancell?ing)|^$' "$work/$live.err" | grep -qiE 'error|fatal|aborted' &&
    fail "pgbench on $live: $(cat "$work/$live.err")"
  equal "$(query "$live" 'SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(tbalance) FROM pgbench_tellers)
    AND (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history)
    AND (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(abalance) FROM pgbench_accounts)')" t "balances of $live"
  say "$live: $(query "$live" 'SELECT count(*) FROM pgbench_history') transactions"
done

say "verify, gc, delete everything"
"$BRANCHFS" verify --all > "$work/verify" || fail "verify: $(cat "$work/verify")"
"$BRANCHFS" gc > /dev/null
"$BRANCHFS" verify --all > "$work/verify" || fail "verify after gc: $(cat "$work/verify")"
for name in live1 live2 off; do "$BRANCHFS" protect "$name" --off > /dev/null; done
"$BRANCHFS" list --json | sed -n 's/^ *"name": "\(.*\)",\{0,1\}$/\1/p' > "$work/names"
while read -r name; do
  [[ $name == prod ]] || "$BRANCHFS" delete "$name" --recursive > /dev/null 2> "$work/err" ||
    grep -q 'no branch' "$work/err" || fail "delete $name: $(cat "$work/err")"
done < "$work/names"
"$BRANCHFS" gc > /dev/null
equal "$(store_data)" "$first" "the store's files after deleting everything"
"$BRANCHFS" verify --all > /dev/null
say "passed"
