# shellcheck shell=bash disable=SC2034 # used where this is sourced
# What the tests of this folder share on top of lib.sh: the sample production database as branch `main`, queries in it.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

: "${SCRIPTS:?path of scripts/}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
full=${BRANCHFS_FULL:-0}
rules=$SCRIPTS/sample-db/rules.json
pg_bin=${PGBIN:-$(server_programs)}
PATH=$pg_bin:$PATH
# Branches that are not to come about: a name that no other process on this machine has in its arguments.
x=x-${work##*.}
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
b() { "$BRANCHFS" "$@"; }

# What is there of a branch: processes that name it, mounts, objects of the store.
processes() {
  local dir
  for dir in /proc/[0-9]*; do
    if { tr '\0' ' ' < "$dir/cmdline"; readlink "$dir/cwd"; } 2> /dev/null | grep -qF -- "$1" && alive "${dir#/proc/}"; then echo "${dir#/proc/}"; fi
  done
}
# no_trace NAME OBJECTS: after one more command nothing is left of NAME; the store holds OBJECTS as before.
no_trace() {
  local name=$1
  b list > "$work/list" 2> "$work/list.err" || fail "list: $(cat "$work/list.err")"
  ! grep -qw -- "$name" "$work/list" || fail "there is a branch $name: $(grep -w -- "$name" "$work/list") $(cat "$work/list.err")"
  local i
  for ((i = 0; i < 50; i++)); do [[ -n $(processes "/$name") ]] || break; sleep 0.1; done
  [[ -z $(processes "/$name") ]] || fail "processes of $name: $(ps -o pid,args -p "$(processes "/$name" | paste -sd,)")"
  ! grep -F -- "/$name" /proc/self/mountinfo || fail "$name is mounted"
  equal "$(store_objects)" "$2" "objects of the store"
  [[ -z $(find "$BRANCHFS_STORE/reap" -type f) ]] || fail "reap/ holds $(ls "$BRANCHFS_STORE/reap")"
}
# refused CODES TEXT NAME COMMAND...: one of the codes (a|b), one line that holds TEXT, and no trace of NAME.
refused() {
  local codes=$1 text=$2 name=$3 before code=0
  shift 3
  before=$(store_objects)
  "$@" > "$work/out" 2> "$work/err" || code=$?
  [[ "|$codes|" == *"|$code|"* ]] || fail "$*: exit code $code, not $codes: $(cat "$work/err")"
  grep '^branchfs: cannot' "$work/err" | grep -qF -- "$text" || fail "$*: stderr lacks \"$text\": $(cat "$work/err")"
  no_trace "$name" "$before"
}
# rules_with FILE TEXT...: a rule file that keeps what it does not name.
rules_with() {
  local file=$1
  shift
  printf '{"version": 1, "key": "ephemeral", "defaults": {"unmapped_columns": "keep"}, "masking_rules": [%s]}\n' "$*" > "$file"
}
column_rule() { printf '{"schema_name": "public", "table_name": "%s", "column_name": "%s", %s}' "$1" "$2" "$3"; }
