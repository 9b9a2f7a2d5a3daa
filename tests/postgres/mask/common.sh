# shellcheck shell=bash disable=SC2034 # used where this is sourced
# What the tests of this folder share on top of lib.sh: the sample production database as branch `main`, queries in it.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

: "${SCRIPTS:?path of scripts/}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
full=${BRANCHFS_FULL:-0}
rules=$SCRIPTS/sample-db/rules.json
pg_bin=${PGBIN:-$(server_programs)}
PATH=$pg_bin:$PATH
chmod 711 "$work" # the server of a root's branch runs as another user

# sized DEFAULT FULL: the default, or the full size with BRANCHFS_FULL=1.
sized() { if [[ $full == 1 ]]; then echo "$2"; else echo "$1"; fi; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }

# The URL of a running branch's database `shop` (or another one).
at() { local url; url=$("$BRANCHFS" url "$1") && echo "${url%/*}/${2:-shop}"; }
sql() { psql -XAtq -v ON_ERROR_STOP=1 "$(at "$1")" -c "$2"; }

# client BRANCH COMMAND...: for programs that take no URL.
client() {
  [[ $(at "$1") =~ ^postgresql://([^:]+):([^@]+)@([^:]+):([0-9]+)/ ]] || fail "unexpected URL $(at "$1")"
  PGUSER=${BASH_REMATCH[1]} PGPASSWORD=${BASH_REMATCH[2]} PGHOST=${BASH_REMATCH[3]} PGPORT=${BASH_REMATCH[4]} PGDATABASE=shop "${@:2}"
}

# A store with a stopped branch `main`, in it the empty database `shop`, filled by the command given with the URL appended.
production() {
  "$BRANCHFS" init > /dev/null
  "$BRANCHFS" import main --initdb --quiet -- --encoding=UTF8 --locale=C.UTF-8 > /dev/null 2>&1
  "$BRANCHFS" start main > /dev/null
  query main "CREATE DATABASE shop"
  "$@" "$(at main)"
  "$BRANCHFS" stop main > /dev/null
}
sample() { production "$SCRIPTS/sample-db.sh" --customers "$1"; }
no_tables() { psql -Xq "$1" -c "SELECT" > /dev/null; }

# masked NAME [OPTION...]: a branch of main, with the sample's rules unless the options name others.
masked() {
  local name=$1 begin
  shift
  [[ " $* " == *" --anonymized "* ]] || set -- --anonymized "$rules" "$@"
  begin=$(now_ms)
  "$BRANCHFS" create "$name" --from main --quiet "$@" > "$work/create.out" 2> "$work/create.err" ||
    fail "create $name $*: exit code $?: $(cat "$work/create.err")"
  say "  $name masked in $(($(now_ms) - begin)) ms"
}

# The content of every file of a stopped branch.
file_sums() {
  local dir
  dir=$("$BRANCHFS" mount "$1")
  (cd "$dir" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
  "$BRANCHFS" umount "$1" > /dev/null
}

# One line for each user table of `shop`: name, rows, rows that are not NULL for each column.
row_counts() {
  psql -XAtq -v ON_ERROR_STOP=1 "$(at "$1")" << 'SQL'
SELECT format('SELECT %L, count(*)%s FROM %s', c.oid::regclass,
    string_agg(format(', %L || count(%I)', a.attname || '=', a.attname), '' ORDER BY attnum), c.oid::regclass)
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.relkind IN ('r', 'p', 'm') AND c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
  GROUP BY c.oid ORDER BY c.oid::regclass::text \gexec
SQL
}
