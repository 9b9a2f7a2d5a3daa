#!/usr/bin/env bash
# What an anonymized branch costs: one table with six masked columns, a primary key and two more indexes is masked by
# `branchfs create --anonymized`, and, in turn, rewritten on a branch of the same parent by a bare ALTER TABLE with trivial
# expressions, by a server with the same settings. Filesystem, server and client of both sides are pinned to CORE ("all": to
# none). Medians; phases and the proof's rate come from the certificate, the server's CPU time from /proc. No test.
# usage: tests/bench/masking.sh BUILD_DIR [ROWS [ROUNDS [CORE]]]
set -euo pipefail

build=$(cd "${1:?usage: tests/bench/masking.sh BUILD_DIR [ROWS [ROUNDS [CORE]]]}" && pwd)
rows=${2:-1000000} rounds=${3:-3} core=${4:-$(($(nproc) - 1))}
bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
export PATH=$build/tools:$build/fs:$bin:$PATH
work=$(mktemp -d "${TMPDIR:-/tmp}/bfs-bench.XXXXXX")
export BRANCHFS_STORE=$work/store
chmod 755 "$work"
branch=masked-$$
ticks=$(getconf CLK_TCK)
pin=()
if [[ $core != all ]]; then pin=(taskset -c "$core"); fi

as_server_user() { if ((EUID == 0)); then runuser -u postgres -- "$@"; else "$@"; fi; }
cleanup() {
  for dir in source raw seen; do as_server_user pg_ctl -D "$work/$dir" -m immediate stop > /dev/null 2>&1 || true; done
  for name in raw "$branch"; do branchfs umount "$name" > /dev/null 2>&1 || true; done
  branchfs delete main --recursive > /dev/null 2>&1 || true
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
now() { date +%s.%N; }
bulk="-c listen_addresses='' -c wal_level=minimal -c max_wal_senders=0 -c fsync=off -c full_page_writes=off
  -c synchronous_commit=off -c autovacuum=off -c jit=off -c shared_buffers=256MB -c maintenance_work_mem=256MB
  -c max_wal_size=16GB -c checkpoint_timeout=1d -c max_parallel_maintenance_workers=0 -c archive_mode=off
  -c logging_collector=off -c track_counts=off"
bulk=${bulk//$'\n'/ }

mkdir -m 700 "$work/source" "$work/sockets" "$work/raw" "$work/seen"
if ((EUID == 0)); then chown postgres: "$work/source" "$work/sockets" "$work/raw" "$work/seen"; fi
cd "$work"
as_server_user initdb -D "$work/source" -U postgres -A trust -E UTF8 --locale=C --no-sync > /dev/null
start() {
  as_server_user "${pin[@]}" pg_ctl -D "$1" -w -s -l "$work/sockets/log" -o "$bulk -c unix_socket_directories=$work/sockets -c port=5432" start
}
sql=(psql -h "$work/sockets" -U postgres -XAtq -v ON_ERROR_STOP=1)
start "$work/source"
"${sql[@]}" -c "create table people as select g as id, 'First' || g % 5000 as first_name, 'Last' || g % 20000 as last_name,
  'user' || g || '@company.test' as email, '+33 6 ' || lpad(g::text, 8, '0') as phone, 'City' || g % 3000 as city,
  g as customer, now() - g * interval '1 minute' as created_at, repeat('x', 60) as note from generate_series(1, $rows) g" \
  -c "alter table people add primary key (id)" -c "create index on people (email)" -c "create index on people (customer)" postgres
as_server_user pg_ctl -D "$work/source" -w -s -m fast stop
branchfs init > /dev/null
branchfs import main --pgdata "$work/source" --quiet > /dev/null
cat > rules.json << 'JSON'
{"version": 1, "defaults": {"unmapped_columns": "keep"}, "masking_rules": [
  {"table_name": "people", "column_name": "first_name", "masking_function": "anon.dummy_first_name()"},
  {"table_name": "people", "column_name": "last_name", "masking_function": "anon.dummy_last_name()"},
  {"table_name": "people", "column_name": "email", "masking_function": "anon.dummy_free_email()"},
  {"table_name": "people", "column_name": "phone", "mask": "digits"},
  {"table_name": "people", "column_name": "city", "masking_function": "anon.dummy_city_name()"},
  {"table_name": "people", "column_name": "customer", "mask": "permute"}]}
JSON

# The process whose command line has this.
process_of() {
  local file
  for file in /proc/[0-9]*/cmdline; do
    if { tr '\0' ' ' < "$file"; } 2> /dev/null | grep -q "^[^ ]*$1"; then
      file=${file%/cmdline}
      echo "${file#/proc/}"
      return
    fi
  done
}
filesystem_of() { process_of "mount.branchfs .*branch=$1,"; }
# Looks at a branch's server until it ends. Prints CPU seconds: of the process that worked longest (the rewrite's), of the
# filesystem while that one was there, of the whole server.
watch_server() {
  local pid="" filesystem children child fields own all fs most=0 most_fs=0 total=0
  local -A since
  while [[ -z $pid && -e $work/running ]]; do pid=$(process_of "postgres -D [^ ]*/$1[^/ ]* "); done
  filesystem=$(filesystem_of "$1")
  while [[ -n $pid ]] && read -r -a fields < "/proc/$pid/stat"; do
    all=$((fields[13] + fields[14] + fields[15] + fields[16])) children=
    read -r -a fields < "/proc/$filesystem/stat" || break
    fs=$((fields[13] + fields[14]))
    read -r children < "/proc/$pid/task/$pid/children" || true
    for child in $children; do
      read -r -a fields < "/proc/$child/stat" || continue
      own=$((fields[13] + fields[14])) all=$((all + fields[13] + fields[14]))
      since[$child]=${since[$child]:-$fs}
      if ((own > most)); then most=$own most_fs=$((fs - since[$child])); fi
    done
    if ((all > total)); then total=$all; fi
    sleep 0.02
  done 2> /dev/null
  awk -v most="$most" -v fs="$most_fs" -v total="$total" -v hz="$ticks" 'BEGIN { print most / hz, fs / hz, total / hz }'
}

mask() {
  local begin
  : > running
  watch_server "$branch" > watched &
  begin=$(now)
  "${pin[@]}" branchfs create "$branch" --from main --anonymized rules.json --quiet > /dev/null
  awk -v a="$begin" -v b="$(now)" 'BEGIN { print b - a }' >> whole.times
  rm running
  wait $!
  cut -d' ' -f1 watched >> mask.cpu
  cut -d' ' -f2 watched >> mask.fs
  cut -d' ' -f3 watched >> server.cpu
  branchfs show "$branch" --json > show.json
  number() { grep -o "\"$1\": [0-9.e+-]*" show.json | head -n 1 | cut -d' ' -f2; }
  for phase in preparing sampling rewriting restoring comparing closing proving; do number "$phase" >> "$phase.times"; done
  awk -v bytes="$(number bytes)" -v s="$(sed -n '/"scan"/,/}/p' show.json | grep -o '"seconds": [0-9.e+-]*' | cut -d' ' -f2)" \
    'BEGIN { print bytes / s / 1e6 }' >> scan.rates
  number exclusive > own.bytes
  # What it has become; the server that asks changes what the branch owns, which has been read.
  branchfs mount "$branch" "$work/seen" > /dev/null
  find "$work/seen/pg_wal" -maxdepth 1 -type f | wc -l >> wal.segments
  start "$work/seen"
  "${sql[@]}" postgres -c "select pg_total_relation_size('people')" > rewritten.bytes
  as_server_user pg_ctl -D "$work/seen" -w -s -m fast stop
  branchfs umount "$branch" > /dev/null
  awk -v own="$(cat own.bytes)" -v rewritten="$(cat rewritten.bytes)" 'BEGIN { print own / rewritten }' >> own.ratios
  branchfs delete "$branch" > /dev/null
}
# bare NAME EMAIL CUSTOMER: with these expressions for the two columns that have an index.
bare() {
  local name=$1
  branchfs create raw --from main > /dev/null
  "${pin[@]}" branchfs mount raw "$work/raw" -o writeback > /dev/null # as a masking run mounts
  start "$work/raw"
  FILESYSTEM=$(filesystem_of raw) "${sql[@]}" -v email="$2" -v customer="$3" postgres > watched << 'SQL'
select pg_backend_pid() as pid \gset
\setenv BACKEND :pid
\! cat /proc/$BACKEND/stat /proc/$FILESYSTEM/stat; date +%s.%N
alter table people alter first_name type text using upper(first_name), alter last_name type text using upper(last_name),
  alter email type text using :email, alter phone type text using reverse(phone), alter city type text using upper(city),
  alter customer type integer using :customer;
\! cat /proc/$BACKEND/stat /proc/$FILESYSTEM/stat; date +%s.%N
SQL
  awk -v hz="$ticks" -v name="$name" '{ at[NR] = $1; cpu[NR] = ($14 + $15) / hz }
    END { print at[6] - at[3] >> name ".times"; print cpu[4] - cpu[1] >> name ".cpu"; print cpu[5] - cpu[2] >> name ".fs" }' watched
  as_server_user pg_ctl -D "$work/raw" -w -s -m fast stop
  branchfs umount raw > /dev/null
  branchfs delete raw > /dev/null
}
# Once so that values stay nearly sorted as they were, once so that they lose their order, as masks do: an index over sorted values is
# built faster.
both() {
  bare bare "upper(email)" "customer # 1"
  bare unsorted "md5(email)" "hashint4(customer)"
}
for ((round = 0; round < rounds; ++round)); do
  if ((round % 2)); then both; fi
  mask
  if ((round % 2 == 0)); then both; fi
done

printf '%s rows, 6 masked columns, primary key and 2 indexes, median of %s, core: %s\n' "$rows" "$rounds" "$core"
for phase in preparing sampling rewriting restoring comparing closing proving whole bare unsorted; do
  printf '  %-10s %8.2f s\n' "$phase" "$(median < "$phase.times")"
done
awk -v rows="$rows" -v one="$(median < mask.cpu)" -v fs="$(median < mask.fs)" -v all="$(median < server.cpu)" \
  -v bare="$(median < bare.cpu)" -v bare_fs="$(median < bare.fs)" 'BEGIN {
  printf "  CPU of the rewrite:   %.2f s (%.0f rows per CPU-second), filesystem %.2f s\n", one, rows / one, fs
  printf "  CPU of a bare ALTER:  %.2f s (%.0f rows per CPU-second), filesystem %.2f s; both together %.2f of it\n", bare, rows / bare, bare_fs, (one + fs) / (bare + bare_fs)
  printf "  CPU of all the masked run'"'"'s server: %.2f s (%.0f rows per CPU-second)\n", all, rows / all }'
paste rewriting.times bare.times | awk '{ print $1 / $2 }' | median | xargs printf '  rewriting / bare ALTER, wall: %.2f\n'
paste rewriting.times unsorted.times | awk '{ print $1 / $2 }' | median |
  xargs printf '  rewriting / bare ALTER to values without order, wall: %.2f\n'
printf '  proof scan: %.0f MB/s\n' "$(median < scan.rates)"
awk -v own="$(cat own.bytes)" -v rewritten="$(cat rewritten.bytes)" -v ratio="$(median < own.ratios)" \
  'BEGIN { printf "  the branch owns %.1f MiB, the table and its indexes have %.1f: %.2f\n", own / 1048576, rewritten / 1048576, ratio }'
printf '  WAL segments left: %s\n' "$(median < wal.segments)"
