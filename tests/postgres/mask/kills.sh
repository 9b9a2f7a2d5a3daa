#!/usr/bin/env bash
# SIGKILL of the tool, of its server, of its mount, at random moments of a masking run: the next command has destroyed every
# leftover. Prints the seed of its random numbers.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
customers=$(sized 300 20000)
kills=$(sized 8 20)
seed=${SEED:-$RANDOM}
RANDOM=$seed
say "seed $seed, a sample of $customers customers"
sample "$customers"
begin=$(now_ms)
masked once
took=$(($(now_ms) - begin))
b delete once > /dev/null

say "SIGKILL of the tool, its server, its mount, at $kills moments of $took ms"
objects=$(store_objects)
tally=()
for ((round = 0; round < kills; round++)); do
  name=kill-$seed-$round
  "$BRANCHFS" create "$name" --from main --anonymized "$rules" --quiet > "$work/out" 2> "$work/err" & tool=$!
  moment=$((RANDOM % took))
  sleep "$((moment / 1000)).$(printf '%03d' $((moment % 1000)))"
  # The server and the mount come and go: the first moment from this one on.
  victim=
  until [[ -n $victim ]] || ! kill -0 "$tool" 2> /dev/null; do
    case $((round % 4)) in
      0) victim=$tool what=tool ;;
      1) victim=$(pgrep -o -f "bin/postgres .*/$name" || true) what=server ;;
      2) victim=$(pgrep -o -f "mount.branchfs .*branch=$name" || true) what=mount ;;
      3) # Between the end of a server and that of its mount, which then holds all that was written.
        what=closing-mount
        until pgrep -f "bin/postgres .*/$name" > /dev/null || ! kill -0 "$tool" 2> /dev/null; do :; done
        victim=$(pgrep -o -f "mount.branchfs .*branch=$name" || true)
        while [[ -n $victim ]] && pgrep -f "bin/postgres .*/$name" > /dev/null; do :; done
        ;;
    esac
  done
  if [[ -n $victim ]] && kill -9 "$victim" 2> /dev/null; then tally+=("$what"); else tally+=("too-early-or-late"); fi
  code=0
  wait "$tool" 2> /dev/null || code=$?
  if ((code == 0)); then
    # It was done before, or what was killed was not needed any more.
    b mask verify "$name" > /dev/null 2> "$work/err" || fail "verify after a killed $what: $(cat "$work/err")"
    b delete "$name" > /dev/null
  elif [[ $what != tool ]]; then
    grep -q '^branchfs: cannot' "$work/err" || fail "a killed $what gives no error: $(cat "$work/err")"
  fi
  no_trace "$name" "$objects"
done
say "  $(printf '%s\n' "${tally[@]}" | sort | uniq -c | tr -s ' \n' ' ')"

say "Ctrl-C"
"$BRANCHFS" create interrupted --from main --anonymized "$rules" --quiet > "$work/out" 2> "$work/err" & tool=$!
sleep "$((took / 2000)).$(printf '%03d' $((took / 2 % 1000)))"
# Not INT: a shell's background jobs ignore it. On a busy machine it may have been done before.
kill -TERM "$tool" 2> /dev/null || say "  came too late"
code=0
wait "$tool" || code=$?
((code != 0)) || b delete interrupted > /dev/null
no_trace interrupted "$objects"

say "limits of memory and descriptors, which tool, mount and server inherit"
tally=()
for limit in v:3000000 v:1200000 v:700000 v:400000 v:250000 v:150000 v:100000 v:60000 n:400 n:120 n:60 n:30 n:15; do
  name=limit-${limit/:/-}
  code=0
  bash -c 'ulimit -"${1%%:*}" "${1#*:}"; shift; exec "$@"' - "$limit" \
    "$BRANCHFS" create "$name" --from main --anonymized "$rules" --quiet > "$work/out" 2> "$work/err" || code=$?
  if ((code == 0)); then
    b mask verify "$name" > /dev/null 2> "$work/err" || fail "verify of what was masked with $limit: $(cat "$work/err")"
    b delete "$name" > /dev/null
    tally+=(masked)
  else
    grep -qE '^branchfs: (cannot|out of memory)|error while loading shared libraries' "$work/err" || fail "$limit gives no error: $(cat "$work/err")"
    tally+=(refused)
  fi
  no_trace "$name" "$objects"
done
say "  $(printf '%s\n' "${tally[@]}" | sort | uniq -c | tr -s ' \n' ' ')"

b verify --all > /dev/null
b gc > /dev/null
say "passed"
