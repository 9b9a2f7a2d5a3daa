#!/usr/bin/env bash
# usage: suites.sh [CACHE-DIR]
# PostgreSQL's own regression and isolation suites, from the distribution's source package, on a branch and on the
# host's filesystem: every test ends the same way, and with the same output where both fail.
# By default the first groups of the regression suite run, on the host's filesystem only if a test fails on the
# branch; BRANCHFS_FULL=1 runs both suites whole on both.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/branchfs/postgres-suites}
full=${BRANCHFS_FULL:-0}
bin=$(server_programs)
major=$("$bin/postgres" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')

say "pg_regress and isolationtester of PostgreSQL $major"
source_dir=$("$here/source.sh" "$major" "$cache") || exit $?

# The server's user reads the tests and writes results beside them.
suites=$work/suites
mkdir -p "$suites"
cp -r "$source_dir/src/test/regress" "$source_dir/src/test/isolation" "$source_dir/src/bin/psql" "$suites"
groups=$([[ $full == 1 ]] && echo 1000 || echo 6)
awk -v most="$groups" '/^test:/ && ++n > most { exit } { print }' "$suites/regress/parallel_schedule" \
  > "$suites/regress/schedule"
cp "$suites/isolation/isolation_schedule" "$suites/isolation/schedule"
chmod 755 "$work"  # the store below it stays root's
host=$work/host
mkdir "$host"
give_to_server_user "$suites" "$host"

plain=$host/plain
as_server_user "$bin/initdb" -k -D "$plain" -U postgres -A trust --locale=C --encoding=UTF8 > /dev/null
# Without it prepared transactions are refused, and their tests show no more than that.
echo "max_prepared_transactions = 10" >> "$plain/postgresql.conf"
"$BRANCHFS" init > /dev/null
"$BRANCHFS" import base --pgdata "$plain" --quiet > /dev/null 2>&1

# run SUITE PLACE SOCKETS PORT: 0 when all its tests pass. Results in $suites/SUITE.PLACE.
run() {
  local suite=$1 place=$2 program=pg_regress started=$SECONDS code=0
  [[ $suite == isolation ]] && program=pg_isolation_regress
  local out=$suites/$suite.$place
  as_server_user mkdir "$out"
  as_server_user env -C "$out" PGHOST="$3" PGPORT="$4" PGUSER=postgres "$suites/$suite/$program" \
    --inputdir="$suites/$suite" --outputdir="$out" --bindir="$suites/psql" --dlpath="$suites/regress" \
    --dbname="$suite" --max-concurrent-tests=20 --schedule="$suites/$suite/schedule" > "$out/log" 2>&1 || code=$?
  # 1: some tests failed. Anything else is no result.
  if ((code > 1)) || ! grep -q '^test ' "$out/log"; then
    tail -n 30 "$out/log" >&2
    fail "$suite on $place ended with code $code"
  fi
  say "$suite on $place: $(tail -n 20 "$out/log" | grep -E 'tests (passed|failed)' | tr -d '\n' | xargs) ($((SECONDS - started)) s)"
  return "$code"
}
# "name ok" or "name FAILED", a line each.
verdicts() { sed -nE 's/^(test|    ) *([a-zA-Z0-9_.-]+) +\.\.\. (ok|FAILED).*/\2 \3/p' "$suites/$1.$2/log" | sort; }

on_branch() {
  "$BRANCHFS" create suite --from base --start > /dev/null
  local failed=0
  run regress branch "$(field suite socket_dir)" "$(field suite port)" || failed=1
  if [[ $full == 1 ]]; then run isolation branch "$(field suite socket_dir)" "$(field suite port)" || failed=1; fi
  "$BRANCHFS" stop suite > /dev/null
  return "$failed"
}

on_host() {
  as_server_user mkdir -m 700 "$host/sockets"
  at_end+=('as_server_user "$bin/pg_ctl" -D "$plain" -s -m immediate stop 2> /dev/null')
  as_server_user "$bin/pg_ctl" -D "$plain" -w -s -l "$host/plain.log" \
    -o "-c listen_addresses= -c unix_socket_directories=$host/sockets -c unix_socket_permissions=0700" start
  run regress host "$host/sockets" 5432 || true
  if [[ $full == 1 ]]; then run isolation host "$host/sockets" 5432 || true; fi
  as_server_user "$bin/pg_ctl" -D "$plain" -s -m fast stop
}

say "on a branch"
passed=1
on_branch || passed=0
if [[ $full == 1 || $passed == 0 ]]; then
  say "on the host's filesystem ($(stat -f -c %T "$work"))"
  on_host
  for suite in regress isolation; do
    [[ -d $suites/$suite.branch ]] || continue
    diff <(verdicts "$suite" branch) <(verdicts "$suite" host) > "$work/verdicts" || {
      cat "$work/verdicts" "$suites/$suite.branch/regression.diffs" >&2 || true
      fail "$suite: some tests end otherwise on the branch (<) than on the host's filesystem (>)"
    }
    # A test that fails on both sides fails in the same way.
    while read -r name verdict; do
      [[ $verdict == FAILED ]] || continue
      diff "$suites/$suite.branch/results/$name.out" "$suites/$suite.host/results/$name.out" >&2 ||
        fail "$suite: $name fails on both sides, with different output"
      say "$suite: $name fails on the host's filesystem as well, in the same way"
    done < <(verdicts "$suite" branch)
  done
fi

say "what they wrote is whole"
"$BRANCHFS" mount suite > /dev/null
as_server_user "$bin/pg_checksums" --check -D "$(field suite mountpoint)" > /dev/null
"$BRANCHFS" umount suite > /dev/null
"$BRANCHFS" verify --all > /dev/null
say "passed"
