#!/usr/bin/env bash
# From a clean checkout to running branches of a sample production database, one of them anonymized. Can be run
# again; --clean removes everything that it made.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/quickstart.sh [--clean]
  --clean   stop and remove what an earlier run made
  BRANCHFS_STORE=DIR     where the store goes (default: ./branchfs-quickstart/store)
  BRANCHFS_BUILD=DIR     use this build instead of setting up and building build/release
  QUICKSTART_SCALE=N     pgbench scale of the sample database (default: 10)
  QUICKSTART_CUSTOMERS=N customers of the sample shop (default: 10000)
TEXT
}

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
die() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

clean=no
case "${1:-}" in
  "") ;;
  --clean) clean=yes ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scale=${QUICKSTART_SCALE:-10}
customers=${QUICKSTART_CUSTOMERS:-10000}

if [[ -z ${BRANCHFS_BUILD:-} && $clean == no ]]; then
  "$root/scripts/setup.sh"
  "$root/scripts/build.sh" release
fi
build=${BRANCHFS_BUILD:-$root/build/release}
[[ -x $build/tools/branchfs && -x $build/fs/mount.branchfs ]] ||
  die "there is no branchfs in $build (run scripts/quickstart.sh without BRANCHFS_BUILD, or scripts/build.sh)"
export PATH=$build/tools:$build/fs:$PATH

# As root, Postgres runs as another user, who must be able to reach every directory it works in.
server_user=""
if ((EUID == 0)); then
  server_user=postgres
  id "$server_user" > /dev/null 2>&1 || die "there is no user $server_user to run the servers as (install postgresql)"
fi
as_server_user() {
  if [[ -n $server_user ]]; then runuser -u "$server_user" -- "$@"; else "$@"; fi
}

readonly mark_name=made-by-quickstart
# work/: the sample cluster and the mark that says the store is ours to remove.
if [[ -n ${BRANCHFS_STORE:-} ]]; then
  store=$(realpath -m "$BRANCHFS_STORE")
  work=$store.quickstart
  # The default place, named by whoever followed the hint that an earlier run printed.
  if [[ -e ${store%/*}/$mark_name ]]; then work=${store%/*}; fi
else
  home=$PWD
  if ! as_server_user test -x "$home"; then home=/var/lib; fi
  work=$home/branchfs-quickstart
  store=$work/store
fi
export BRANCHFS_STORE=$store
mark=$work/$mark_name

if [[ $clean == yes ]]; then
  [[ -e $mark ]] || die "nothing to clean: $work is not from this script"
  if [[ -d $store ]]; then
    if branchfs show main > /dev/null 2>&1; then branchfs delete main --recursive; fi
    if grep -qF " $store/" /proc/self/mounts; then
      die "something below $store is still mounted; see 'branchfs list' and 'branchfs umount NAME'"
    fi
  fi
  rm -rf --one-file-system "$store" "$work"
  say "removed $store"
  exit 0
fi

[[ -e $mark || ! -e $store ]] || die "$store exists and is not from this script (choose another BRANCHFS_STORE)"
[[ -c /dev/fuse ]] || die "there is no /dev/fuse here (modprobe fuse; in a container: --device /dev/fuse --cap-add SYS_ADMIN)"

find_postgres() {
  local dir
  if [[ -n ${PGBIN:-} ]]; then echo "$PGBIN"; return; fi
  while IFS= read -r dir; do
    if [[ -x $dir/initdb && -x $dir/pgbench ]]; then echo "$dir"; return; fi
  done < <(printf '%s\n' /usr/lib/postgresql/*/bin | sort -Vr)
  if command -v initdb > /dev/null; then dirname "$(command -v initdb)"; return; fi
  die "no PostgreSQL server found (set PGBIN to the directory of initdb and pgbench)"
}
pgbin=$(find_postgres)

mkdir -p "$work" "$(dirname "$store")"
chmod 755 "$work"
: > "$mark"
production=$work/production
sockets=""  # short path: a Unix socket's name has 107 bytes

stop_production() {
  if [[ -n $sockets ]]; then
    as_server_user "$pgbin/pg_ctl" -D "$production" -m immediate -w stop > /dev/null 2>&1 || true
    rm -rf "$sockets"
  fi
}
trap stop_production EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A stand-in for a production database: a shop with customers, payments and support notes, and pgbench's tables. Its safety against power loss is off while it is filled; the branches' is not.
make_production() {
  rm -rf "$production"
  mkdir -m 700 "$production"
  sockets=$(mktemp -d /tmp/bfs-quick.XXXXXX)
  if [[ -n $server_user ]]; then chown "$server_user:" "$production" "$sockets"; fi
  local log=$sockets/log connection=(-h "$sockets" -U postgres)
  (
    cd /
    as_server_user "$pgbin/initdb" -D "$production" -U postgres -A trust -E UTF8 --no-locale \
      --data-checksums --no-sync > /dev/null
    as_server_user "$pgbin/pg_ctl" -D "$production" -w -s -l "$log" \
      -o "-c listen_addresses='' -c unix_socket_directories='$sockets' -c fsync=off" start
    "$pgbin/createdb" "${connection[@]}" shop
    PATH=$pgbin:$PATH "$root/scripts/sample-db.sh" --customers "$customers" "${connection[@]}" -d shop
    "$pgbin/pgbench" "${connection[@]}" -q -i -s "$scale" shop > "$sockets/pgbench" 2>&1 ||
      { cat "$sockets/pgbench" >&2; exit 1; }
    as_server_user "$pgbin/pg_ctl" -D "$production" -w -s -m fast stop
  )
  rm -rf "$sockets"
  sockets=""
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

make_branch() {
  local name=$1 before
  if branchfs show "$name" > /dev/null 2>&1; then
    # Exit code 5: it runs already.
    branchfs start "$name" > /dev/null || [[ $? == 5 ]]
    say "$name was there already"
  else
    before=$(milliseconds)
    branchfs create "$name" --from main --start > /dev/null
    say "$name: created, and its server started, in $(($(milliseconds) - before)) ms"
  fi
}

query() { "$pgbin/psql" "$(branchfs url "$1")" -XAtq -v ON_ERROR_STOP=1 -c "$2"; }
show_rows() { "$pgbin/psql" "$(branchfs url "$1")" -X -P pager=off -v ON_ERROR_STOP=1 -c "$2"; }

readonly fingerprint="SELECT (SELECT count(*) FROM pgbench_history) || ' payments, balances ' ||
  left(md5(string_agg(abalance::text, ',' ORDER BY aid)), 8) FROM pgbench_accounts"

if [[ ! -d $store ]]; then
  step "An empty store in $store"
  branchfs init
fi
if ! branchfs show main > /dev/null 2>&1; then
  step "A sample production database (a shop, $customers customers; pgbench, scale $scale)"
  make_production
  step "Import it as branch main"
  branchfs import main --pgdata "$production"
fi

step "Two branches of it, each with a server of its own"
make_branch dev1
make_branch dev2

step "2,000 transactions in dev1"
"$pgbin/pgbench" -n -c 2 -t 1000 "$(branchfs url dev1)" > "$work/pgbench.log" 2>&1 || { cat "$work/pgbench.log" >&2; exit 1; }

step "dev1 has changed, dev2 has not"
for name in dev1 dev2; do
  printf '%s: %s\n' "$name" "$(query "$name" "$fingerprint")"
done
[[ $(query dev1 "$fingerprint") != "$(query dev2 "$fingerprint")" ]] || die "dev1 and dev2 do not differ"

step "staging: the shop anonymized, and proven to hold no original"
if ! branchfs show staging > /dev/null 2>&1; then
  # pgbench's numbers concern nobody: one rule more than the shop's.
  sed 's/"masking_rules": \[/&\n    {"schema_name": "public", "table_name": "pgbench_*", "column_name": "*", "mask": "keep"},/' \
    "$root/scripts/sample-db/rules.json" > "$work/rules.json"
  branchfs create staging --from main --anonymized "$work/rules.json" > /dev/null
fi
branchfs start staging > /dev/null || [[ $? == 5 ]]
branchfs show staging | sed -n '/^anonymized/,/^neutralized/{/^neutralized/d;p;}'

readonly people="SELECT first_name, last_name, email, phone FROM customers ORDER BY created_at, id LIMIT 3"
printf '\nproduction (seen through dev2):\n'
show_rows dev2 "$people"
printf 'staging:\n'
show_rows staging "$people"

step "What the branches are and cost"
branchfs list
branchfs du

step "Yours"
say "dev1: $(branchfs url dev1)"
say "dev2: $(branchfs url dev2)"
say "staging: $(branchfs url staging)"
cat <<TEXT

Go on with:
  export BRANCHFS_STORE=$store PATH=$build/tools:$build/fs:\$PATH
  psql "\$(branchfs url dev1)"      # connect; or: branchfs psql dev1
  branchfs reset dev1              # back to main's state
  branchfs create dev3 --from staging --start    # a branch that never saw an original
  branchfs stop dev1               # stop its server
  $root/scripts/quickstart.sh --clean   # remove everything again
TEXT
