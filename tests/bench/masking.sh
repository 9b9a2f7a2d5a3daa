#!/usr/bin/env bash
# What an anonymized branch costs: one table with six masked columns, a primary key and two more indexes is masked by
# `branchfs create --anonymized`, and, in turn, rewritten on a branch of the same parent by a bare ALTER TABLE with trivial
# expressions, by a server with the same settings. Medians; phases and the proof's rate come from the certificate. No test.
# usage: tests/bench/masking.sh BUILD_DIR [ROWS [ROUNDS]]
set -euo pipefail

build=$(cd "${1:?usage: tests/bench/masking.sh BUILD_DIR [ROWS [ROUNDS]]}" && pwd)
rows=${2:-1000000} rounds=${3:-3}
bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
export PATH=$build/tools:$build/fs:$bin:$PATH
work=$(mktemp -d "${TMPDIR:-/tmp}/bfs-bench.XXXXXX")
export BRANCHFS_STORE=$work/store
chmod 755 "$work"

as_server_user() { if ((EUID == 0)); then runuser -u postgres -- "$@"; else "$@"; fi; }
cleanup() {
  for dir in "$work/source" "$work/raw"; do as_server_user pg_ctl -D "$dir" -m immediate stop > /dev/null 2>&1 || true; done
  branchfs umount raw > /dev/null 2>&1 || true
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

mkdir -m 700 "$work/source" "$work/sockets" "$work/raw"
if ((EUID == 0)); then chown postgres: "$work/source" "$work/sockets" "$work/raw"; fi
cd "$work"
as_server_user initdb -D "$work/source" -U postgres -A trust -E UTF8 --locale=C --no-sync > /dev/null
start() { as_server_user pg_ctl -D "$1" -w -s -l "$work/sockets/log" -o "$bulk -c unix_socket_directories=$work/sockets -c port=5432" start; }
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

masked() {
  local begin
  begin=$(now)
  branchfs create masked --from main --anonymized rules.json --quiet > /dev/null
  awk -v a="$begin" -v b="$(now)" 'BEGIN { print b - a }' >> whole.times
  branchfs show masked --json > show.json
  number() { grep -o "\"$1\": [0-9.e+-]*" show.json | head -n 1 | cut -d' ' -f2; }
  for phase in preparing sampling rewriting comparing closing proving; do number "$phase" >> "$phase.times"; done
  awk -v bytes="$(number bytes)" -v s="$(sed -n '/"scan"/,/}/p' show.json | grep -o '"seconds": [0-9.e+-]*' | cut -d' ' -f2)" \
    'BEGIN { print bytes / s / 1e6 }' >> scan.rates
  number exclusive >> own.bytes
  branchfs delete masked > /dev/null
}
bare() {
  local begin
  branchfs create raw --from main > /dev/null
  branchfs mount raw "$work/raw" > /dev/null
  start "$work/raw"
  begin=$(now)
  "${sql[@]}" postgres -c "alter table people alter first_name type text using upper(first_name),
    alter last_name type text using upper(last_name), alter email type text using upper(email),
    alter phone type text using reverse(phone), alter city type text using upper(city),
    alter customer type integer using customer # 1"
  awk -v a="$begin" -v b="$(now)" 'BEGIN { print b - a }' >> bare.times
  as_server_user pg_ctl -D "$work/raw" -w -s -m fast stop
  branchfs umount raw > /dev/null
  branchfs delete raw > /dev/null
}
for ((round = 0; round < rounds; ++round)); do
  masked
  bare
done

printf '%s rows, 6 masked columns, primary key and 2 indexes, median of %s\n' "$rows" "$rounds"
for phase in preparing sampling rewriting comparing closing proving whole bare; do
  printf '  %-10s %8.2f s\n' "$phase" "$(median < "$phase.times")"
done
awk -v m="$(median < rewriting.times)" -v b="$(median < bare.times)" 'BEGIN { printf "  rewriting / bare ALTER: %.2f\n", m / b }'
printf '  proof scan: %.0f MB/s, all cores together\n' "$(median < scan.rates)"
awk -v b="$(median < own.bytes)" 'BEGIN { printf "  the branch owns %.1f MiB\n", b / 1048576 }'
