#!/usr/bin/env bash
# A mounted branch under a plain pg_ctl: it starts on a port and a socket of its own, reaches nobody, stops, and the
# commands of branchfs know about it.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

bin=$(server_programs)
"$BRANCHFS" init > /dev/null
"$BRANCHFS" import prod --initdb --quiet > /dev/null 2>&1
"$BRANCHFS" start prod > /dev/null
query prod "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i"

pg_ctl() { as_server_user "$bin/pg_ctl" -D "$1" -w -s "${@:2}"; }
# conf DIR NAME: a setting as the server's files have it.
conf() { as_server_user "$bin/postgres" -D "$1" -C "$2"; }
on() { psql -XAtq -v ON_ERROR_STOP=1 -U postgres -h "$(conf "$1" unix_socket_directories)" -p "$(conf "$1" port)" -c "$2" postgres; }
chmod 755 "$work"  # the store below it stays root's
mkdir "$work/logs" && give_to_server_user "$work/logs"

say "a child of a running parent, mounted and never started by branchfs"
dir=$("$BRANCHFS" create child --mount)
[[ -e $dir/postmaster.pid ]] && fail "the parent's postmaster.pid is still there: pg_ctl takes it for the child's"
[[ $(conf "$dir" port) != "$(field prod port)" ]] || fail "the child has its parent's port"
[[ $(conf "$dir" unix_socket_directories) != "$(field prod socket_dir)" ]] || fail "the child has its parent's socket directory"
equal "$(conf "$dir" listen_addresses)" "127.0.0.1, ::1" "listen_addresses"
owned=$("$BRANCHFS" du child --json | sed -n 's/^ *"own.*": *\([0-9]*\),*$/\1/p' | head -n 1)
((${owned:-0} < 65536)) || fail "mounting made the child own $owned bytes"
before=$(cd "$dir" && find . -type f -exec md5sum {} + | sort -k 2 | md5sum)
"$BRANCHFS" umount child > /dev/null
equal "$("$BRANCHFS" mount child)" "$dir" "mount again"
equal "$(cd "$dir" && find . -type f -exec md5sum {} + | sort -k 2 | md5sum)" "$before" "what a second mount changes"

say "pg_ctl start"
pg_ctl "$dir" start -l "$work/logs/child.log"
equal "$(on "$dir" 'SELECT count(*) FROM t')" 1000 "rows"
equal "$(on "$dir" "SELECT count(*) FROM pg_settings WHERE (name, setting) IN (('archive_mode', 'off'), ('primary_conninfo', ''), ('max_logical_replication_workers', '0'))")" 3 "settings"
on "$dir" "CREATE TABLE by_hand AS SELECT 1 AS i"
on "$dir" "ALTER SYSTEM SET work_mem = '5MB'"
equal "$(state child)" running "state"
expect 5 "a server started by hand runs on it" "$BRANCHFS" start child
expect 5 "a server runs on it" "$BRANCHFS" umount child
expect 1 "never started" "$BRANCHFS" url child
"$BRANCHFS" create grandchild --from child > /dev/null
pg_ctl "$dir" stop
equal "$(state child)" mounted "state after pg_ctl stop"

say "branchfs afterwards"
"$BRANCHFS" start child > /dev/null
equal "$(query child 'SELECT i FROM by_hand')" 1 "what the server by hand wrote"
equal "$(query child 'SHOW work_mem')" 5MB "a setting made by hand"
url=$("$BRANCHFS" url child)
"$BRANCHFS" stop child > /dev/null
dir=$("$BRANCHFS" mount child)
pg_ctl "$dir" start -l "$work/logs/child.log"
equal "$("$BRANCHFS" start child)" "$url" "start of a prepared branch that runs already"
equal "$(query child 'SELECT count(*) FROM t')" 1000 "the URL works"
equal "$("$BRANCHFS" stop child)" "child is offline" "stop"

say "a child taken from a server started by hand"
"$BRANCHFS" start grandchild > /dev/null
equal "$(query grandchild 'SELECT i FROM by_hand')" 1 "its commits (P1)"
"$BRANCHFS" verify --all > /dev/null
say "passed"
