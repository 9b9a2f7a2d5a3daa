#!/usr/bin/env bash
# P1, P2, P8: SIGKILL under full load, at random moments: to the mount, to the server, to both, and to the tool in the middle of each of
# its commands. Each time `branchfs start` repairs the branch, every commit that was acknowledged is there, the balances agree; what a
# killed tool was at is done, or not begun, or goes on when it is asked again, and the load does not notice. In the end the indexes
# match their tables and the store verifies; a sibling has what it had. ROUNDS asks for more kills, SEED repeats the choices.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
rounds=${ROUNDS:-$(sized 10 200)}
seed=${SEED:-$RANDOM}
RANDOM=$seed
scale=5
bench="" ledger=""
b() { "$BRANCHFS" "$@"; }
# A command that nobody kills.
must() { b "$@" > "$work/out" 2> "$work/err" || fail "$what: $*: $(cat "$work/err")"; }
has() { b show "$1" > /dev/null 2>&1; }
nap() { sleep "$(($1 / 1000)).$(printf '%03d' $(($1 % 1000)))"; }

begin_load() {
  [[ -z $bench ]] || return 0
  local held
  held=$(query dev "SELECT coalesce(max(number), 1) FROM ledger")
  "$LEDGER" "$(b url dev)" "$work/ledger" 2 $((held + 100)) 2> /dev/null & ledger=$!
  pgbench -n -c 4 -j 1 -T 3600 "$(b url dev)" > "$work/bench" 2>&1 & bench=$!
}
load_goes_on() {
  kill -0 "$bench" 2> /dev/null || fail "$what: pgbench noticed: $(tail -n 5 "$work/bench")"
  kill -0 "$ledger" 2> /dev/null || fail "$what: the ledger noticed"
}
# Its connections broke: that is what they are for. Where mount and postmaster died together, a backend that failed may have left a lock
# that others wait for, and nobody tells them: `start` ends those sessions.
load_broke() {
  local tenth pid
  for ((tenth = 0; tenth < 30; tenth++)); do
    alive "$bench" || alive "$ledger" || break
    sleep 0.1
  done
  for pid in $bench $ledger; do
    if alive "$pid"; then
      [[ $1 == both ]] || fail "$what: the load outlived the server"
      kill -KILL "$pid"
    fi
    wait "$pid" 2> /dev/null && fail "$what: the load noticed nothing"
  done
  bench="" ledger=""
}
end_load() {
  local pid
  for pid in $bench $ledger; do kill "$pid" 2> /dev/null && wait "$pid" 2> /dev/null || true; done
  bench="" ledger=""
}
at_end+=(end_load)

# killed NAME COMMAND...: the tool dies somewhere in the command; NAME is what its usual time is kept under. What the tool said is lost
# with it, unless it was through before (then `completed` is 1).
declare -A usual=() died=()
killed() {
  local name=$1 pid before code=0
  shift
  before=$(now_ms)
  "$BRANCHFS" "$@" > /dev/null 2> "$work/err" & pid=$!
  nap $((RANDOM % (${usual[$name]:-400} + 20)))
  kill -KILL "$pid" 2> /dev/null || true
  wait "$pid" 2> /dev/null || code=$?
  completed=0
  case $code in
    0) completed=1 usual[$name]=$(($(now_ms) - before)) ;;
    137) died[$name]=$((${died[$name]:-0} + 1)) ;;
    *) fail "$what: $*: exit code $code: $(cat "$work/err")" ;;
  esac
  b list > /dev/null 2> "$work/err" && [[ ! -s $work/err ]] || fail "$what: list: $(cat "$work/err")"
}

repaired() {
  local before
  if ((RANDOM % 3 == 0)); then killed "start dev" start dev; fi
  before=$(now_ms)
  must start dev
  echo $(($(now_ms) - before)) >> "$work/repairs"
  holds dev "$work/ledger"
  balanced dev
}

kill_server() {
  local pids=() backends pid
  backends=$(pgrep -P "$(field dev server_pid)")
  [[ $1 == server ]] || pids+=("$(field dev mount_pid)")
  [[ $1 == mount ]] || pids+=("$(field dev server_pid)")
  load_goes_on
  kill -KILL "${pids[@]}"
  load_broke "$1"
  repaired
  for pid in $backends; do
    ! alive "$pid" || fail "$what: backend $pid outlived its server"
  done
}

# A child whose command was interrupted: if it is there, it is whole, and can be deleted; if not, its name is free.
whole_or_free() {
  if has "$1"; then
    must start "$1"
    holds "$1" "$work/ledger.before"
    balanced "$1"
  else
    must create "$1" --from dev --no-checkpoint
  fi
  must delete "$1"
}
kill_tool() {
  local name=$1 child=k$round
  cp "$work/ledger" "$work/ledger.before"
  case $name in
    create* | gc | pack | verify | import) ;;
    start | mount | rename | compact | reset | delete) must create "$child" --from dev --no-checkpoint ;;
    umount) must create "$child" --from dev --mount ;;
    *) must create "$child" --from dev --start ;;
  esac
  case $name in
    create) killed "$name" create "$child" --from dev ;;
    create-now) killed "$name" create "$child" --from dev --no-checkpoint ;;
    create-start) killed "$name" create "$child" --from dev --start ;;
    import) killed "$name" import "$child" --initdb --quiet ;;
    rename) killed "$name" rename "$child" "other$round" ;;
    reset-running) killed "$name" reset "$child" ;;
    delete-running) killed "$name" delete "$child" ;;
    gc | pack) killed "$name" "$name" ;;
    verify) killed "$name" verify --all ;;
    *) killed "$name" "$name" "$child" ;;
  esac
  case $name in
    create* | import | start | stop | restart | reset* | mount | umount | compact)
      ((completed == 0)) || has "$child" || fail "$what: done, and the branch is not there" ;;
    delete*) ((completed == 0)) || ! has "$child" || fail "$what: done, and the branch is there" ;;
    rename)
      has "$child" && has "other$round" && fail "$what: both names are there"
      has "$child" || has "other$round" || fail "$what: neither name is there"
      ! has "other$round" || must rename "other$round" "$child" ;;
  esac
  load_goes_on
  if [[ $name == import ]]; then
    ! has "$child" || { must start "$child"; must delete "$child"; }
  else
    whole_or_free "$child"
  fi
}
# The same with the branch that has the load.
kill_tool_of_dev() {
  killed "$1 dev" "$1" dev
  # What the interrupted command began may still break the connections, or not.
  end_load
  repaired
}

commands=(create create-now create-start delete delete-running reset reset-running rename start stop restart mount umount pack compact
  gc verify import)
deck=()
next_command() {
  ((${#deck[@]})) || mapfile -t deck < <(printf '%s\n' "${commands[@]}" | shuf --random-source=<(yes "$RANDOM"))
  REPLY=${deck[0]}
  deck=("${deck[@]:1}")
}

what=preparation
b init > /dev/null
pgbench_cluster "$work/cluster" "$scale"
b import prod --pgdata "$work/cluster" --quiet > /dev/null 2>&1
b create dev --from prod --start > /dev/null
query dev "CREATE TABLE ledger (number bigint PRIMARY KEY)"
b create sibling --from dev --start > /dev/null
table_sums sibling > "$work/sibling.before"
touch "$work/ledger"

declare -A victims=()
for ((round = 1; round <= rounds; ++round)); do
  begin_load
  # Different moments between two checkpoints.
  if ((round % 5 == 0)); then query dev CHECKPOINT; fi
  victim=$((RANDOM % 20))
  # Of ten kills two are of each process or of both.
  if ((victim < 3)); then victim=mount; elif ((victim < 6)); then victim=server; elif ((victim < 9)); then victim=both; else victim=tool; fi
  victims[$victim]=$((${victims[$victim]:-0} + 1))
  what="seed $seed, round $round, kill of $victim"
  nap $((200 + RANDOM % 1300))
  if [[ $victim != tool ]]; then
    kill_server "$victim"
  elif ((RANDOM % 10 == 0)); then
    REPLY=stop
    if ((RANDOM % 2)); then REPLY=restart; fi
    what+=" in $REPLY dev"
    kill_tool_of_dev "$REPLY"
  else
    next_command
    what+=" in $REPLY"
    kill_tool "$REPLY"
  fi
  if ((round % 25 == 0)); then
    must verify --all
    say "  $round kills, $(wc -l < "$work/ledger") commits acknowledged"
  fi
done
end_load
must start dev
holds dev "$work/ledger"
balanced dev
amcheck dev
table_sums sibling > "$work/sibling.after"
cmp "$work/sibling.before" "$work/sibling.after" || fail "the sibling's rows changed"
must stop dev
must gc
must verify --all
page_checksums dev
say "seed $seed: $rounds kills (mount ${victims[mount]:-0}, server ${victims[server]:-0}, both ${victims[both]:-0}, tool ${victims[tool]:-0}), $(wc -l < "$work/ledger") acknowledged commits held"
say "killed while they ran: $(for name in "${!died[@]}"; do printf '%s %s, ' "$name" "${died[$name]}"; done | sed 's/, $//')"
[[ ! -e $work/repairs ]] || say "repair ms: $(median_max < "$work/repairs")"
say "passed"
