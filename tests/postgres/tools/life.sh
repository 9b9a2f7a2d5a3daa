#!/usr/bin/env bash
# The life of a branch through the command line, on a real server: import, create, start, query, deaths and repair,
# reset, run, expiry, delete; and the wrong uses that need a running branch.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

say "import, create, start"
"$BRANCHFS" init > /dev/null
"$BRANCHFS" import prod --initdb --quiet > /dev/null 2>&1
url=$("$BRANCHFS" create dev1 --start)
equal "$("$BRANCHFS" url dev1)" "$url" "create --start prints the URL"
query dev1 "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i"
"$BRANCHFS" create dev2 --from dev1 --start > /dev/null
equal "$(query dev2 'SELECT count(*) FROM t')" 1000 "a child of a running parent holds its commits (P1)"
query dev2 "DELETE FROM t WHERE i > 10"
equal "$(query dev1 'SELECT count(*) FROM t')" 1000 "a child's writes stay its own (P4)"
equal "$("$BRANCHFS" psql dev2 -- -XAtqc 'SELECT count(*) FROM t')" 10 "psql"
equal "$("$BRANCHFS" start dev1)" "$url" "start of a running branch"

say "wrong uses"
expect 5 "a server runs on it" "$BRANCHFS" umount dev1
expect 5 "it is running (branchfs stop dev1)" "$BRANCHFS" rename dev1 x
expect 6 "it has children: dev2" "$BRANCHFS" delete dev1
expect 5 "it is mounted at" "$BRANCHFS" mount dev1 "$work/elsewhere"
expect 5 "it runs on port" "$BRANCHFS" start dev1 --port 19999

say "a killed server and a killed mount are repaired by the next start (P8)"
url2=$("$BRANCHFS" url dev2)
kill -9 "$(field dev2 server_pid)"
sleep 0.3
equal "$(state dev2)" crashed "state after the server died"
equal "$("$BRANCHFS" start dev2)" "$url2" "same URL after a crash"
equal "$(query dev2 'SELECT count(*) FROM t')" 10 "commits after a crash (P2)"
kill -9 "$(field dev2 mount_pid)"
sleep 0.3
equal "$(state dev2)" stale "state after the mount's daemon died"
equal "$("$BRANCHFS" start dev2)" "$url2" "same URL after a dead mount"
equal "$(query dev2 'SELECT count(*) FROM t')" 10 "commits after a dead mount (P8)"

say "reset: the parent's data, the same URL"
query dev1 "INSERT INTO t SELECT generate_series(1001, 1500)"
"$BRANCHFS" reset dev2 > /dev/null
equal "$(state dev2)" running "a running branch runs again after reset"
equal "$("$BRANCHFS" url dev2)" "$url2" "same URL after reset"
equal "$(query dev2 'SELECT count(*) FROM t')" 1500 "the parent's head"

say "run"
code=0
# shellcheck disable=SC2016 # expanded by the child
"$BRANCHFS" run --from dev1 -- sh -c '[ "$(psql -XAtqc "SELECT count(*) FROM t")" = 1500 ] && exit 7' || code=$?
equal "$code" 7 "the exit code of the command"
code=0
# shellcheck disable=SC2016
"$BRANCHFS" run --from dev1 -- sh -c 'kill -TERM $$' || code=$?
equal "$code" 143 "128 + signal"
"$BRANCHFS" run --from dev1 -- sh -c 'touch "$0"; exec sleep 60' "$work/runs" &
runner=$!
until [[ -e $work/runs ]]; do sleep 0.1; done
child=$(pgrep -P "$runner" -x sleep)
kill -9 "$runner"
wait "$runner" 2> /dev/null || true
"$BRANCHFS" list > "$work/list"
kill "$child" 2> /dev/null || true
grep -q run- "$work/list" && fail "the branch of a killed runner is still there"

say "a start while the process of an earlier mount still lets go, or the server has no socket yet"
"$BRANCHFS" create slow --from dev1 --start > /dev/null
place=$(field slow mountpoint)
cp "$place/postmaster.pid" "$work/ready.pid"
head -n 4 "$work/ready.pid" > "$place/postmaster.pid"
"$BRANCHFS" start slow > /dev/null & starter=$!
sleep 0.5
alive "$starter" || fail "start says that a server without a socket is there"
cat "$work/ready.pid" > "$place/postmaster.pid"
wait "$starter"
"$BRANCHFS" stop slow > /dev/null
"$BRANCHFS" mount slow > /dev/null
holder=$(field slow mount_pid)
[[ -n $holder ]] || fail "no mount process"
kill -STOP "$holder"
at_end+=('kill -CONT "$holder" 2> /dev/null')
umount -l "$place" & taker=$!
while mountpoint -q "$place"; do sleep 0.01; done
"$BRANCHFS" start slow > /dev/null 2> "$work/err" & starter=$!
sleep 3
kill -CONT "$holder"
wait "$taker"
wait "$starter" || fail "start while the mount lets go: $(cat "$work/err")"
equal "$(query slow 'SELECT count(*) FROM t')" 1500 "rows after a start that had to wait"
"$BRANCHFS" delete slow > /dev/null

say "ttl, stop, delete"
"$BRANCHFS" create short --from dev1 --ttl 1s --start > /dev/null
sleep 1.5
"$BRANCHFS" list | grep -q short && fail "an expired branch is still there"
equal "$("$BRANCHFS" stop dev2)" "dev2 is offline" "stop"
"$BRANCHFS" delete dev1 --recursive > /dev/null
equal "$("$BRANCHFS" list | wc -l)" 2 "only prod is left"
equal "$(find "$BRANCHFS_STORE/reap" -type f | wc -l)" 0 "entries in reap/"
"$BRANCHFS" verify --all > /dev/null
say "passed"
