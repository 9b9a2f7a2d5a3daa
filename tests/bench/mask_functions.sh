#!/usr/bin/env bash
# What the masking functions cost: one table, six masked columns, a primary key and two more indexes, rewritten by one
# ALTER TABLE with (trivial) built-in expressions, (module) the module's functions, (md5, sha256) the same masks in plain SQL.
# One core, alternated rounds, medians of the backend's CPU seconds and of the wall clock. No test: it prints a table.
# usage: tests/bench/mask_functions.sh BUILD_DIR [ROWS [ROUNDS [CORE]]]
set -euo pipefail

build=${1:?usage: tests/bench/mask_functions.sh BUILD_DIR [ROWS [ROUNDS [CORE]]]}
rows=${2:-1000000} rounds=${3:-5} core=${4:-0}
bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
major=$(basename "$(dirname "$bin")")
dir=$(mktemp -d)

as_owner() {
  if ((EUID == 0)); then setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; else "$@"; fi
}
cleanup() {
  as_owner "$bin/pg_ctl" -D "$dir/data" -m immediate stop > /dev/null 2>&1 || true
  rm -rf "$dir"
}
trap cleanup EXIT
if ((EUID == 0)); then chown postgres "$dir"; fi
cp "$build/tools/mask/module/branchfs_mask-$major.so" "$dir/module.so"
chmod 755 "$dir" "$dir/module.so"

cd "$dir"
as_owner "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C > /dev/null
# The settings under which a branch is masked.
as_owner taskset -c "$core" "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w start -o "-c listen_addresses= -k $dir \
  -c wal_level=minimal -c max_wal_senders=0 -c fsync=off -c full_page_writes=off -c synchronous_commit=off \
  -c autovacuum=off -c jit=off -c shared_buffers=512MB -c maintenance_work_mem=256MB -c max_wal_size=4GB \
  -c max_parallel_maintenance_workers=0" > /dev/null
psql=("$bin/psql" -h "$dir" -U postgres -X -q -A -t -v ON_ERROR_STOP=1)

"$build/tests/postgres/mask-module/mask-install-sql" "$dir/module.so" > install.sql
"${psql[@]}" -f install.sql
"${psql[@]}" -c "create table source as select g as id, 'First' || g % 5000 as first_name, 'Last' || g % 20000 as last_name,
  'user' || g || '@company.test' as email, '+33 6 ' || lpad(g::text, 8, '0') as phone, 'City' || g % 3000 as city,
  g as customer, now() - g * interval '1 minute' as created_at, repeat('x', 60) as note from generate_series(1, $rows) g"

names="(array(select 'Name' || n from generate_series(1, 1000) n))"
array=$("${psql[@]}" -c "select quote_literal($names::text)")::text[]
pick() { # COLUMN HASH: one of the thousand by a keyed hash
  printf "(%s)[1 + (('x' || substr(%s, 1, 8))::bit(32)::bigint %% 1000)]" "$array" "${2//@/$1}"
}
plain() { # HASH
  printf 'alter first_name type text using %s, ' "$(pick first_name "$1")"
  printf 'alter last_name type text using %s, ' "$(pick last_name "$1")"
  printf "alter email type text using %s || '@example.com', " "${1//@/email}"
  printf "alter phone type text using '+33 6 ' || substr(translate(%s, 'abcdef', '012345'), 1, 8), " "${1//@/phone}"
  printf 'alter city type text using %s, ' "$(pick city "$1")"
  printf "alter customer type integer using (('x' || substr(%s, 1, 8))::bit(32)::integer)" "${1//@/customer::text}"
}
b=branchfs_mask
masked() { # COLUMN TYPE EXPRESSION
  printf 'alter %s type %s using case when %s.begin(%s, false) then %s end' "$1" "$2" "$b" "$1" "$3"
}
declare -A changes=(
  [trivial]="alter first_name type text using upper(first_name), alter last_name type text using upper(last_name),
    alter email type text using upper(email), alter phone type text using reverse(phone),
    alter city type text using upper(city), alter customer type integer using customer # 1"
  [module]="$(masked first_name text "$b.dummy_first_name()"), $(masked last_name text "$b.dummy_last_name()"),
    $(masked email text "$b.dummy_free_email()"), $(masked phone text "$b.permute(phone, 'phone', 'digits')"),
    $(masked city text "$b.dummy_city_name()"), $(masked customer integer "$b.permute(customer, 1, $rows, 'customer')")"
  [md5]="$(plain "md5('secret' || @)")"
  [sha256]="$(plain "encode(sha256(('secret' || @)::bytea), 'hex')")"
)

# Prints "CPU_SECONDS WALL_SECONDS" of one rewrite.
measure() {
  local out
  printf '%s;\n' "alter table t ${changes[$1]}" > alter.sql
  out=$("${psql[@]}" << SQL
set client_min_messages = error;
drop table if exists t;
create table t as select * from source;
alter table t add primary key (id);
create index on t (email);
create index on t (customer);
checkpoint;
select $b.set_key(decode(repeat('5a', 32), 'hex'));
select pg_backend_pid() as pid \gset
\setenv BACKEND :pid
\! echo "before \$(cut -d' ' -f14,15 /proc/\$BACKEND/stat) \$(date +%s%N)"
\i alter.sql
\! echo "after \$(cut -d' ' -f14,15 /proc/\$BACKEND/stat) \$(date +%s%N)"
SQL
  )
  awk -v hz="$(getconf CLK_TCK)" '$1 == "before" { cpu = $2 + $3; wall = $4 }
    $1 == "after" { printf "%.2f %.2f\n", ($2 + $3 - cpu) / hz, ($4 - wall) / 1e9 }' <<< "$out"
}
median() { sort -g | awk '{ v[NR] = $1 } END { print (NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2) }'; }

for ((round = 0; round < rounds; ++round)); do
  for way in trivial module md5 sha256; do measure "$way" >> "$way.times"; done
done
base=$(cut -d' ' -f2 trivial.times | median)
printf '%-8s %10s %10s %22s %12s\n' way cpu-s wall-s rows/cpu-s wall/trivial
for way in trivial module md5 sha256; do
  cpu=$(cut -d' ' -f1 "$way.times" | median) wall=$(cut -d' ' -f2 "$way.times" | median)
  awk -v way="$way" -v cpu="$cpu" -v wall="$wall" -v rows="$rows" -v base="$base" \
    'BEGIN { printf "%-8s %10.2f %10.2f %22.0f %12.2f\n", way, cpu, wall, rows / cpu, wall / base }'
done
