# shellcheck shell=bash
# What the tests of this folder share on top of lib.sh: a pgbench cluster to import, exact checks of its content, sizes.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

: "${LEDGER:?path of branching-ledger}"
full=${BRANCHFS_FULL:-0}
pg_bin=${PGBIN:-$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2> /dev/null | sort -V | tail -n 1)}
[[ -z $pg_bin ]] || PATH=$pg_bin:$PATH
chmod 711 "$work" # the server of a root's branch runs as another user

# sized DEFAULT FULL: the default, or the full size with BRANCHFS_FULL=1.
sized() { if [[ $full == 1 ]]; then echo "$2"; else echo "$1"; fi; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }
# Lines of numbers: "median M max X".
median_max() { sort -n | awk '{v[NR] = $1} END {printf "median %s max %s", v[int((NR + 1) / 2)], v[NR]}'; }

# Nobody but root can change the user, and Postgres never runs as root.
as_owner() { if [[ $(id -u) == 0 ]]; then (cd / && exec runuser -u postgres -- "$@"); else "$@"; fi; }

# pgbench_cluster DIR SCALE [INITDB-OPTIONS]: a cleanly stopped cluster with page checksums and pgbench's tables.
pgbench_cluster() {
  local dir=$1 scale=$2 socket=$work/socket
  shift 2
  mkdir "$dir" "$socket"
  [[ $(id -u) != 0 ]] || chown postgres "$dir" "$socket"
  as_owner initdb -D "$dir" -A trust -U postgres --data-checksums --no-sync "$@" > /dev/null
  as_owner pg_ctl -D "$dir" -w -l "$socket/log" -o "-c listen_addresses='' -k '$socket' -c fsync=off" start > /dev/null
  pgbench -h "$socket" -U postgres -i -q -s "$scale" postgres > /dev/null 2>&1
  psql -h "$socket" -U postgres -XAtqc "CREATE EXTENSION amcheck; CREATE EXTENSION pageinspect" postgres
  as_owner pg_ctl -D "$dir" -w -m fast stop > /dev/null
}

# One line per table of the user's, with the sum of its rows in the order in which they are stored.
table_sums() {
  query "$1" "SELECT format('SELECT %L, count(*), md5(string_agg(md5(t::text), '''' ORDER BY ctid)) FROM %s t;', c.oid::regclass, c.oid::regclass)
    FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname" > "$work/sums.sql"
  psql -XAtq -v ON_ERROR_STOP=1 -f "$work/sums.sql" "$("$BRANCHFS" url "$1")"
}

# Every name below a directory with type, mode, size, owner, mtime and target, and the sum of every file's bytes.
tree_sums() {
  (cd "$1" && find . -printf '%P %y %m %U:%G %s %T@ %l\n' | LC_ALL=C sort && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}

# TPC-B: what was paid equals what every account, teller and branch holds.
balanced() {
  local sums
  sums=$(query "$1" "SELECT (SELECT coalesce(sum(delta), 0) FROM pgbench_history), (SELECT sum(abalance) FROM pgbench_accounts),
    (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(bbalance) FROM pgbench_branches)")
  [[ $sums =~ ^(-?[0-9]+)\|(-?[0-9]+)\|(-?[0-9]+)\|(-?[0-9]+)$ ]] || fail "$1: no balances: $sums"
  [[ ${BASH_REMATCH[1]} == "${BASH_REMATCH[2]}" && ${BASH_REMATCH[1]} == "${BASH_REMATCH[3]}" && ${BASH_REMATCH[1]} == "${BASH_REMATCH[4]}" ]] ||
    fail "$1: history, accounts, tellers, branches differ: $sums"
}

# holds BRANCH FILE: every number that FILE (of the ledger) says was acknowledged is in the branch.
holds() {
  cut -d ' ' -f 1 "$2" | LC_ALL=C sort > "$work/acknowledged"
  query "$1" "SELECT number FROM ledger" | LC_ALL=C sort > "$work/held"
  LC_ALL=C comm -23 "$work/acknowledged" "$work/held" > "$work/lost"
  [[ ! -s $work/lost ]] || fail "$1: $(wc -l < "$work/lost") of $(wc -l < "$work/acknowledged") acknowledged commits are lost, first $(head -n 1 "$work/lost")"
}

# amcheck BRANCH: every relation of the branch's database, with all rows found in their indexes. The program takes no URL.
amcheck() {
  local url
  url=$("$BRANCHFS" url "$1")
  [[ $url =~ ^postgresql://([^:]+):([^@]+)@([^:]+):([0-9]+)/(.+)$ ]] || fail "$1: unexpected URL $url"
  PGUSER=${BASH_REMATCH[1]} PGPASSWORD=${BASH_REMATCH[2]} PGHOST=${BASH_REMATCH[3]} PGPORT=${BASH_REMATCH[4]} \
    pg_amcheck --install-missing --heapallindexed -d "${BASH_REMATCH[5]}" > "$work/amcheck" 2>&1 ||
    fail "$1: pg_amcheck: $(tail -n 3 "$work/amcheck")"
}

# page_checksums BRANCH: pg_checksums of a stopped branch.
page_checksums() {
  local dir
  dir=$("$BRANCHFS" mount "$1")
  as_owner pg_checksums --check -D "$dir" > "$work/checksums" 2>&1 || fail "$1: pg_checksums: $(tail -n 3 "$work/checksums")"
  "$BRANCHFS" umount "$1" > /dev/null
}

# Bytes that the host has allocated for a file or all files below a directory.
allocated() { { find "$@" -type f -printf "%b\n" 2> /dev/null || true; } | awk '{s += $1} END {print s * 512}'; }
manifest_field() { sed -n "s/^ *\"$2\": \"\(.*\)\",\{0,1\}\$/\1/p" "$BRANCHFS_STORE/branches/$1/manifest" | head -n 1; }
own_delta() { echo "$BRANCHFS_STORE/deltas/$(manifest_field "$1" delta)"; }
du_field() { "$BRANCHFS" du "$1" --json | sed -n "s/^ *\"$2\": \([0-9]*\),\{0,1\}\$/\1/p"; }
freeze_field() { "$BRANCHFS" status "$1" --json | sed -n "s/^ *\"$2\": \([0-9]*\),\{0,1\}\$/\1/p"; }
