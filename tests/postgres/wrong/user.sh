#!/usr/bin/env bash
# The whole way, from init to delete, as an ordinary user without any privilege, and as root, whose servers never run as
# root.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
bin=$(dirname "$("$BRANCHFS" --version > /dev/null && ls -d /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)")

uid_of_server() { awk '$1 == "Uid:" { print $2 " " $3 }' "/proc/$(field "$1" server_pid)/status"; }

# All processes of a branch's server: none may be root's.
check_server() {
  local name=$1 uid=$2
  equal "$(uid_of_server "$name")" "$uid $uid" "the user of $name's server"
  equal "$(ps --ppid "$(field "$name" server_pid)" -o uid= | sort -u | tr -d ' ')" "$uid" "the user of $name's backends"
}

life() {
  local root=$1 uid=$2
  "$BRANCHFS" create "$root-a" --from "$root" > /dev/null
  mnt=$("$BRANCHFS" mount "$root-a")
  [[ -s $mnt/PG_VERSION ]] 2> /dev/null || ((EUID == 0)) || fail "$root-a is not readable at $mnt"
  equal "$(stat -c %u "$mnt")" "$uid" "the owner of the data directory"
  "$BRANCHFS" umount "$root-a" > /dev/null
  "$BRANCHFS" start "$root-a" > /dev/null
  check_server "$root-a" "$uid"
  query "$root-a" "CREATE TABLE t AS SELECT generate_series(1, 100) AS i"
  "$BRANCHFS" create "$root-b" --from "$root-a" --start > /dev/null
  check_server "$root-b" "$uid"
  equal "$(query "$root-b" 'SELECT count(*) FROM t')" 100 "rows in $root-b"
  # shellcheck disable=SC2016 # expanded by the child
  equal "$("$BRANCHFS" run --from "$root-a" -- sh -c 'psql -XAtqc "SELECT count(*) FROM t"; id -u')" "100
$EUID" "run"
  "$BRANCHFS" reset "$root-b" > /dev/null
  check_server "$root-b" "$uid"
  "$BRANCHFS" restart "$root-b" > /dev/null
  check_server "$root-b" "$uid"
  "$BRANCHFS" delete "$root-a" --recursive > /dev/null
}

"$BRANCHFS" init > /dev/null
server_uid=$EUID
((EUID != 0)) || server_uid=$(id -u postgres)

say "as $(id -un): initdb"
"$BRANCHFS" import fresh --initdb --quiet > /dev/null
life fresh "$server_uid"

say "as $(id -un): pgdata"
data=$work/data
mkdir -m 700 "$data"
as=()
if ((EUID == 0)); then
  chmod 755 "$work"
  chown postgres: "$data"
  as=(setpriv --reuid postgres --regid "$(id -g postgres)" --clear-groups)
fi
"${as[@]}" "$bin/initdb" -D "$data" -U boss -A trust --no-sync > /dev/null
"$BRANCHFS" import taken --pgdata "$data" --quiet > /dev/null
life taken "$server_uid"

if ((EUID == 0)); then
  say "as root: a chosen user"
  "$BRANCHFS" create chosen --from taken > /dev/null
  "$BRANCHFS" start chosen --user "$ordinary_user" > /dev/null
  check_server chosen "$(id -u "$ordinary_user")"
  "$BRANCHFS" restart chosen > /dev/null
  check_server chosen "$(id -u "$ordinary_user")"
fi
"$BRANCHFS" verify --all > /dev/null
say "passed as $(id -un)"
if ((EUID == 0)); then again_as_ordinary_user; fi
